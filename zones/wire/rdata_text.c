/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text to wire: the driver that walks a type's fields, and the helpers that the fields' readers share.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "zones/base/bytes.h"
#include "zones/wire/rdata_fields.h"

/* -------- helpers of the readers -------- */

int
rdata_fail(struct rdata_reader *r, const char *fmt, ...)
{
	va_list args;

	r->err->line = r->tok.line;
	r->err->column = r->tok.column;
	va_start(args, fmt);
	vsnprintf(r->err->message, sizeof(r->err->message), fmt, args);
	va_end(args);
	return -EINVAL;
}

int
rdata_next(struct rdata_reader *r, const char *what)
{
	r->tok = lexer_next(r->lex);
	if (likely(r->tok.kind == TOKEN_WORD || r->tok.kind == TOKEN_QUOTED))
		return 0;
	if (r->tok.kind == TOKEN_ERROR)
		return rdata_fail(r, "%.*s", (int)r->tok.len, r->tok.text);
	return rdata_fail(r, "%s is missing", what);
}

int
rdata_next_word(struct rdata_reader *r, const char *what)
{
	int rc = rdata_next(r, what);

	if (rc == 0 && unlikely(r->tok.kind == TOKEN_QUOTED))
		return rdata_fail(r, "%s must stand without quotes", what);
	return rc;
}

bool
rdata_more(struct rdata_reader *r)
{
	struct token t = lexer_next(r->lex);

	lexer_unread(r->lex, t);
	return t.kind != TOKEN_EOL && t.kind != TOKEN_EOF;
}

int
rdata_put(struct rdata_reader *r, const void *bytes, size_t n)
{
	if (unlikely(n > RDATA_MAX_LEN - r->len))
		return rdata_fail(r, "the data is longer than %d octets", RDATA_MAX_LEN);
	memcpy(r->out + r->len, bytes, n);
	r->len += n;
	return 0;
}

int
rdata_put_u8(struct rdata_reader *r, uint8_t v)
{
	return rdata_put(r, &v, sizeof(v));
}

int
rdata_put_u16(struct rdata_reader *r, uint16_t v)
{
	uint8_t be[2];

	store_be16(be, v);
	return rdata_put(r, be, sizeof(be));
}

int
rdata_put_u32(struct rdata_reader *r, uint32_t v)
{
	uint8_t be[4];

	store_be32(be, v);
	return rdata_put(r, be, sizeof(be));
}

bool
rdata_take_octet(const char **p, const char *end, uint8_t *octet)
{
	const char *text = *p;
	uint64_t v;

	if (likely(*text != '\\')) {
		*octet = (uint8_t)*text;
		*p = text + 1;
		return true;
	}
	if (end - text < 2)
		return false;
	if (text[1] < '0' || text[1] > '9') {
		*octet = (uint8_t)text[1];
		*p = text + 2;
		return true;
	}
	if (end - text < 4 || !rdata_parse_number(text + 1, 3, 255, &v))
		return false;
	*octet = (uint8_t)v;
	*p = text + 4;
	return true;
}

int
rdata_put_unescaped(struct rdata_reader *r, const char *text, size_t n, size_t max)
{
	uint8_t *out = r->out + r->len;
	size_t room = RDATA_MAX_LEN - r->len, written = 0;

	for (const char *p = text, *end = text + n; p < end; written++) {
		uint8_t octet;
		if (unlikely(!rdata_take_octet(&p, end, &octet)))
			return rdata_fail(r, "%s", name_error_text(NAME_BAD_ESCAPE));
		if (unlikely(written == max))
			return rdata_fail(r, "the string is longer than %zu octets", max);
		if (unlikely(written == room))
			return rdata_fail(r, "the data is longer than %d octets", RDATA_MAX_LEN);
		out[written] = octet;
	}
	r->len += written;
	return 0;
}

int
rdata_put_name(struct rdata_reader *r)
{
	struct name name;
	enum name_error e = name_from_text(r->tok.text, r->tok.len, r->origin, &name);

	if (unlikely(e != NAME_OK))
		return rdata_fail(r, "%s", name_error_text(e));
	return rdata_put(r, name.bytes, name.len);
}

/* -------- RFC 3597 -------- */

static int
fail_check(struct rdata_reader *r, const char *why)
{
	return rdata_fail(r, "%s", why);
}

/* What stands behind `\#`: the length, then hex in any number of words. */
static int
read_generic(struct rdata_reader *r, uint16_t type)
{
	struct token start = r->tok;
	struct rdata_error why;
	uint64_t len;

	if (rdata_next_word(r, "the length") != 0 || rdata_number(r, "the length", RDATA_MAX_LEN, &len) != 0)
		return -EINVAL;
	if (rdata_put_hex_rest(r) != 0)
		return -EINVAL;
	r->tok = start;
	if (r->len != len)
		return rdata_fail(r, "the length is given as %u, but there are %zu octets", (unsigned)len, r->len);
	return rdata_check(type, r->out, r->len, &why) != 0 ? fail_check(r, why.message) : 0;
}

/* -------- the driver -------- */

/* Validates the field that begins at `start` and was just read. */
static int
recheck(struct rdata_reader *r, const struct rdata_field_row *row, size_t start)
{
	struct rdata_cursor c = {.start = r->out, .p = r->out + start, .end = r->out + r->len};
	const char *why = row->check(&c);

	return why != NULL ? fail_check(r, why) : 0;
}

static int
read_fields(struct rdata_reader *r, const uint8_t *fields)
{
	for (; *fields != RDF_END; fields++) {
		const struct rdata_field_row *row = &rdata_field_rows[*fields];
		size_t start = r->len;
		int rc = row->read(r);
		if (rc == 0 && row->recheck)
			rc = recheck(r, row, start);
		if (unlikely(rc != 0))
			return rc;
	}
	return 0;
}

int
rdata_from_text(struct lexer *lex, uint16_t type, const struct name *origin, uint8_t *out, struct rdata_error *err)
{
	struct rdata_reader r = {.lex = lex, .origin = origin, .out = out, .err = err};
	int rc;

	do
		r.tok = lexer_next(lex);
	while (r.tok.kind == TOKEN_BLANK);
	if (unlikely(r.tok.kind == TOKEN_WORD && r.tok.len == 2 && memcmp(r.tok.text, "\\#", 2) == 0)) {
		rc = read_generic(&r, type);
	} else {
		lexer_unread(lex, r.tok);
		rc = read_fields(&r, rdata_fields_of(type));
	}
	if (rc != 0)
		return rc;
	r.tok = lexer_next(lex);
	if (r.tok.kind == TOKEN_ERROR)
		return rdata_fail(&r, "%.*s", (int)r.tok.len, r.tok.text);
	if (r.tok.kind != TOKEN_EOL && r.tok.kind != TOKEN_EOF)
		return rdata_fail(&r, "there is more text than the record's data takes");
	return (int)r.len;
}
