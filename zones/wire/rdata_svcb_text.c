/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SvcParams in text (RFC 9460 section 2.1 and appendix A): `key`, `key=value`, `key="value"`.
 *
 * A value passes through two layers. The first is that of every <character-string>: escapes are resolved. The
 * second is the key's: comma-separated lists and so on. Only alpn needs both; there they run octet by octet in one
 * loop. Parameters may come in any order; each is moved to its place once it is complete.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "zones/base/bytes.h"
#include "zones/wire/rdata_svcb.h"

/* -------- moving things in place -------- */

static void
reverse(uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n / 2; i++) {
		uint8_t t = p[i];
		p[i] = p[n - 1 - i];
		p[n - 1 - i] = t;
	}
}

/* Exchanges the two neighbouring stretches p[0..a) and p[a..a+b). */
static void
exchange(uint8_t *p, size_t a, size_t b)
{
	reverse(p, a);
	reverse(p + a, b);
	reverse(p, a + b);
}

/* -------- keys -------- */

/* A key's name, or key<n> without leading zeros (section 2.1). */
static bool
key_from_text(const char *text, size_t n, uint16_t *key)
{
	uint64_t v;

	for (unsigned i = 0; i < SVCB_KNOWN_KEYS; i++) {
		if (strlen(svcb_key_rows[i].name) == n && memcmp(svcb_key_rows[i].name, text, n) == 0) {
			*key = (uint16_t)i;
			return true;
		}
	}
	if (n < 4 || memcmp(text, "key", 3) != 0 || (n > 4 && text[3] == '0') ||
	    !rdata_parse_number(text + 3, n - 3, UINT16_MAX, &v))
		return false;
	*key = (uint16_t)v;
	return true;
}

static void
print_key(struct rdata_printer *p, uint16_t key)
{
	if (key < SVCB_KNOWN_KEYS)
		rdata_print(p, svcb_key_rows[key].name, strlen(svcb_key_rows[key].name));
	else
		rdata_printf(p, "key%u", key);
}

/* -------- reading values -------- */

static int
put_key_item(struct rdata_reader *r, const char *text, size_t n)
{
	uint16_t key;

	if (!key_from_text(text, n, &key))
		return rdata_fail(r, "mandatory lists what is not a key");
	return rdata_put_u16(r, key);
}

static int
put_number_item(struct rdata_reader *r, const char *text, size_t n)
{
	uint64_t v;

	if (!rdata_parse_number(text, n, UINT16_MAX, &v))
		return rdata_fail(r, "the value must be a number from 0 to 65535");
	return rdata_put_u16(r, (uint16_t)v);
}

/* Items between commas, each converted by `put`. */
static int
put_list(struct rdata_reader *r, const char *text, size_t n,
	 int (*put)(struct rdata_reader *, const char *, size_t))
{
	size_t start = 0;

	for (size_t i = 0; i <= n; i++) {
		if (i < n && text[i] != ',')
			continue;
		if (i == start)
			return rdata_fail(r, "the list has an empty item");
		int rc = put(r, text + start, i - start);
		if (rc != 0)
			return rc;
		start = i + 1;
	}
	return 0;
}

/* Keys may be listed in any order; the wire has them ascending. */
static int
put_mandatory(struct rdata_reader *r, const char *text, size_t n)
{
	size_t at = r->len;
	int rc = put_list(r, text, n, put_key_item);

	if (rc != 0)
		return rc;
	for (size_t i = at + 2; i < r->len; i += 2)
		for (size_t k = i; k > at && memcmp(r->out + k - 2, r->out + k, 2) > 0; k -= 2)
			exchange(r->out + k - 2, 2, 2);
	return 0;
}

/*
 * One protocol id up to a comma or the end. Within the list's layer a backslash must be followed by a comma or a
 * backslash. *last is set where no comma ended the id.
 */
static int
put_alpn_id(struct rdata_reader *r, const char **p, const char *end, bool *last)
{
	size_t at = r->len;
	bool escaped = false;
	uint8_t octet;

	if (rdata_put_u8(r, 0) != 0)
		return -EINVAL;
	for (*last = true; *p < end;) {
		if (!rdata_take_octet(p, end, &octet))
			return rdata_fail(r, "%s", name_error_text(NAME_BAD_ESCAPE));
		if (octet == ',' && !escaped) {
			*last = false;
			break;
		}
		if (escaped && octet != ',' && octet != '\\')
			break;
		escaped = octet == '\\' && !escaped;
		if (!escaped && rdata_put_u8(r, octet) != 0)
			return -EINVAL;
	}
	if (escaped)
		return rdata_fail(r, "a backslash in the list must come before a comma or a backslash");
	size_t len = r->len - at - 1;
	if (len == 0 || len > UINT8_MAX)
		return rdata_fail(r, "a protocol id must have 1 to 255 octets");
	r->out[at] = (uint8_t)len;
	return 0;
}

static int
put_alpn(struct rdata_reader *r, const char *text, size_t n)
{
	const char *end = text + n;
	bool last;
	int rc;

	do
		rc = put_alpn_id(r, &text, end, &last);
	while (rc == 0 && !last);
	return rc;
}

/*
 * Appends the wire form of the value as written; one given by number is a string of octets. The values of the other
 * keys must not hold escapes (sections 7.2, 7.3, 8), and what reads them knows none.
 */
static int
put_value(struct rdata_reader *r, uint16_t key, bool by_number, const char *text, size_t n)
{
	if (n == 0)
		return 0; /* whether it may be empty is for the check to say */
	if (by_number)
		return rdata_put_unescaped(r, text, n, RDATA_MAX_LEN);
	switch (key) {
	case SVCB_MANDATORY:
		return put_mandatory(r, text, n);
	case SVCB_ALPN:
		return put_alpn(r, text, n);
	case SVCB_PORT:
		return put_number_item(r, text, n);
	case SVCB_IPV4HINT:
		return put_list(r, text, n, rdata_put_ip4);
	case SVCB_ECH:
		return rdata_put_base64(r, text, n);
	case SVCB_IPV6HINT:
		return put_list(r, text, n, rdata_put_ip6);
	case SVCB_TLS_SUPPORTED_GROUPS:
		return put_list(r, text, n, put_number_item);
	default:
		return rdata_put_unescaped(r, text, n, RDATA_MAX_LEN);
	}
}

/* -------- reading parameters -------- */

/* The written value behind `key=`: the rest of the word, or the quoted token that follows without a blank. */
static void
find_value(struct rdata_reader *r, const char *equals, const char **text, size_t *n)
{
	const char *word_end = r->tok.text + r->tok.len;

	*text = equals + 1;
	*n = (size_t)(word_end - *text);
	if (*n > 0)
		return;
	struct token t = lexer_next(r->lex);
	if (t.kind == TOKEN_QUOTED && t.text == word_end + 1) {
		*text = t.text;
		*n = t.len;
	} else {
		lexer_unread(r->lex, t);
	}
}

/* Moves the parameter that begins at `at` and ends the output before the first with a greater key. */
static int
sort_in(struct rdata_reader *r, size_t params, size_t at)
{
	uint16_t key = load_be16(r->out + at);
	size_t place = params;

	while (place < at && load_be16(r->out + place) < key)
		place += SVCB_HEADER_LEN + svcb_param_at(r->out + place).len;
	if (place < at && load_be16(r->out + place) == key)
		return rdata_fail(r, "the key stands twice");
	exchange(r->out + place, at - place, r->len - at);
	return 0;
}

/* r->tok as one parameter; `params` is where the field begins. */
static int
put_param(struct rdata_reader *r, size_t params)
{
	const char *equals = memchr(r->tok.text, '=', r->tok.len), *text = "";
	size_t key_len = equals != NULL ? (size_t)(equals - r->tok.text) : r->tok.len;
	size_t at = r->len, n = 0;
	uint16_t key;

	if (!key_from_text(r->tok.text, key_len, &key))
		return rdata_fail(r, "this is not a service parameter key");
	bool by_number = key_len > 3 && memcmp(r->tok.text, "key", 3) == 0;
	if (equals != NULL)
		find_value(r, equals, &text, &n);
	if (rdata_put_u16(r, key) != 0 || rdata_put_u16(r, 0) != 0)
		return -EINVAL;
	if (put_value(r, key, by_number, text, n) != 0)
		return -EINVAL;
	store_be16(r->out + at + 2, (uint16_t)(r->len - at - SVCB_HEADER_LEN));
	return sort_in(r, params, at);
}

int
rdata_read_svcb(struct rdata_reader *r)
{
	size_t params = r->len;

	while (rdata_more(r)) {
		if (rdata_next_word(r, "a service parameter") != 0 || put_param(r, params) != 0)
			return -EINVAL;
	}
	return 0;
}

/* -------- printing -------- */

static void
show_keys(struct rdata_printer *p, const uint8_t *end)
{
	for (const char *comma = ""; p->p < end; comma = ",", p->p += 2) {
		rdata_print(p, comma, strlen(comma));
		print_key(p, load_be16(p->p));
	}
}

static void
show_numbers(struct rdata_printer *p, const uint8_t *end)
{
	for (const char *comma = ""; p->p < end; comma = ",", p->p += 2)
		rdata_printf(p, "%s%u", comma, load_be16(p->p));
}

static void
show_addresses(struct rdata_printer *p, const uint8_t *end, void (*print)(struct rdata_printer *))
{
	for (const char *comma = ""; p->p < end; comma = ",") {
		rdata_print(p, comma, strlen(comma));
		print(p);
	}
}

static void
show_octets(struct rdata_printer *p, const uint8_t *end)
{
	rdata_print(p, "\"", 1);
	for (; p->p < end; p->p++)
		rdata_print_quoted_octet(p, *p->p);
	rdata_print(p, "\"", 1);
}

/* Both layers: commas and backslashes are escaped for the list, and its backslashes again for the string. */
static void
show_alpn(struct rdata_printer *p, const uint8_t *end)
{
	rdata_print(p, "\"", 1);
	for (const char *comma = ""; p->p < end; comma = ",") {
		const uint8_t *id_end = p->p + 1 + *p->p;
		rdata_print(p, comma, strlen(comma));
		for (p->p++; p->p < id_end; p->p++) {
			if (*p->p == ',' || *p->p == '\\')
				rdata_print_quoted_octet(p, '\\');
			rdata_print_quoted_octet(p, *p->p);
		}
	}
	rdata_print(p, "\"", 1);
}

static void
show_value(struct rdata_printer *p, uint16_t key, const uint8_t *end)
{
	switch (key) {
	case SVCB_MANDATORY:
		show_keys(p, end);
		break;
	case SVCB_ALPN:
		show_alpn(p, end);
		break;
	case SVCB_PORT:
	case SVCB_TLS_SUPPORTED_GROUPS:
		show_numbers(p, end);
		break;
	case SVCB_IPV4HINT:
		show_addresses(p, end, rdata_print_ip4);
		break;
	case SVCB_ECH:
		rdata_print_base64(p, (size_t)(end - p->p));
		break;
	case SVCB_IPV6HINT:
		show_addresses(p, end, rdata_print_ip6);
		break;
	default:
		show_octets(p, end);
	}
}

void
rdata_show_svcb(struct rdata_printer *p)
{
	while (p->p < p->end) {
		struct svcb_param param = svcb_param_at(p->p);
		rdata_print_blank(p);
		print_key(p, param.key);
		p->p = param.value;
		if (param.len == 0)
			continue;
		rdata_print(p, "=", 1);
		show_value(p, param.key, param.value + param.len);
	}
}
