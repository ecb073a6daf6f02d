/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fields that are octets in hex, base64 (RFC 4648 section 4) or base32hex (section 7). All are read strictly: no
 * foreign characters, right padding, no bits left over. Only blanks may stand inside, and only where the field is
 * the record's last.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "zones/wire/rdata_fields.h"

/* -------- hex -------- */

int
rdata_hex_value(char c)
{
	unsigned digit = (unsigned char)c - (unsigned)'0', letter = ((unsigned char)c | 0x20u) - (unsigned)'a';

	return digit <= 9 ? (int)digit : letter <= 5 ? (int)letter + 10 : -1;
}

/* Appends what text[0..n) adds to a run of hex digits; *high is the digit that waits for its second, or -1. */
static int
feed_hex(struct rdata_reader *r, const char *text, size_t n, int *high)
{
	for (size_t i = 0; i < n; i++) {
		int digit = rdata_hex_value(text[i]);
		if (digit < 0)
			return rdata_fail(r, "there is a character that is not a hex digit");
		if (*high < 0) {
			*high = digit;
			continue;
		}
		if (rdata_put_u8(r, (uint8_t)(*high << 4 | digit)) != 0)
			return -EINVAL;
		*high = -1;
	}
	return 0;
}

static int
finish_hex(struct rdata_reader *r, int high)
{
	return high < 0 ? 0 : rdata_fail(r, "the number of hex digits is odd");
}

int
rdata_put_hex(struct rdata_reader *r, const char *text, size_t n)
{
	int high = -1;

	return feed_hex(r, text, n, &high) != 0 ? -EINVAL : finish_hex(r, high);
}

int
rdata_put_hex_rest(struct rdata_reader *r)
{
	int high = -1;

	while (rdata_more(r)) {
		if (rdata_next_word(r, "hex") != 0 || feed_hex(r, r->tok.text, r->tok.len, &high) != 0)
			return -EINVAL;
	}
	return finish_hex(r, high);
}

int
rdata_read_hex(struct rdata_reader *r)
{
	if (rdata_next_word(r, "hex") != 0)
		return -EINVAL;
	lexer_unread(r->lex, r->tok);
	return rdata_put_hex_rest(r);
}

void
rdata_print_hex(struct rdata_printer *p, size_t n)
{
	static const char digits[] = "0123456789ABCDEF";

	for (; n > 0; n--, p->p++) {
		char pair[2] = {digits[*p->p >> 4], digits[*p->p & 15]};
		rdata_print(p, pair, 2);
	}
}

void
rdata_show_hex(struct rdata_printer *p)
{
	rdata_print_blank(p);
	rdata_print_hex(p, (size_t)(p->end - p->p));
}

/* RFC 4034 section 5.1.3 and the registry of digest types; unknown ones may have any length. */
const char *
rdata_check_digest(struct rdata_cursor *c)
{
	static const uint8_t lengths[] = {0, 20, 32, 32, 48, 32, 32};
	uint8_t type = c->p[-1];

	if (type < ARRAY_LEN(lengths) && lengths[type] != 0 && rdata_left(c) != lengths[type])
		return "the digest has not the length of its type";
	return rdata_check_rest_not_empty(c);
}

/* RFC 8976 section 2.2: at least 12 octets; SHA-384 and SHA-512 have theirs. */
const char *
rdata_check_zone_digest(struct rdata_cursor *c)
{
	uint8_t scheme = c->p[-2], algorithm = c->p[-1];

	if (rdata_left(c) < 12)
		return "the digest is shorter than 12 octets";
	if (scheme != 1) /* what its digests look like is its own affair (RFC 8976 appendix A.3) */
		return rdata_check_rest(c);
	if ((algorithm == 1 && rdata_left(c) != 48) || (algorithm == 2 && rdata_left(c) != 64))
		return "the digest has not the length of its algorithm";
	return rdata_check_rest(c);
}

/* -------- base64 -------- */

static const char base64_digits[65] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* Value + 1 of each character; 0 for those outside the alphabet. */
static const uint8_t base64_values[256] = {
	['A'] = 1,  ['B'] = 2,  ['C'] = 3,  ['D'] = 4,  ['E'] = 5,  ['F'] = 6,  ['G'] = 7,  ['H'] = 8,
	['I'] = 9,  ['J'] = 10, ['K'] = 11, ['L'] = 12, ['M'] = 13, ['N'] = 14, ['O'] = 15, ['P'] = 16,
	['Q'] = 17, ['R'] = 18, ['S'] = 19, ['T'] = 20, ['U'] = 21, ['V'] = 22, ['W'] = 23, ['X'] = 24,
	['Y'] = 25, ['Z'] = 26, ['a'] = 27, ['b'] = 28, ['c'] = 29, ['d'] = 30, ['e'] = 31, ['f'] = 32,
	['g'] = 33, ['h'] = 34, ['i'] = 35, ['j'] = 36, ['k'] = 37, ['l'] = 38, ['m'] = 39, ['n'] = 40,
	['o'] = 41, ['p'] = 42, ['q'] = 43, ['r'] = 44, ['s'] = 45, ['t'] = 46, ['u'] = 47, ['v'] = 48,
	['w'] = 49, ['x'] = 50, ['y'] = 51, ['z'] = 52, ['0'] = 53, ['1'] = 54, ['2'] = 55, ['3'] = 56,
	['4'] = 57, ['5'] = 58, ['6'] = 59, ['7'] = 60, ['8'] = 61, ['9'] = 62, ['+'] = 63, ['/'] = 64,
};

struct base64 {
	uint32_t bits;  /* of the quantum that is being gathered */
	unsigned chars; /* of it, padding included */
	unsigned pads;
};

/* A quantum of four characters is complete: appends its octets. */
static int
put_quantum(struct rdata_reader *r, struct base64 *b)
{
	uint8_t octets[3] = {(uint8_t)(b->bits >> 16), (uint8_t)(b->bits >> 8), (uint8_t)b->bits};
	unsigned n = 3 - b->pads;

	if (n < 3 && octets[n] != 0)
		return rdata_fail(r, "the base64 text has bits left over");
	b->bits = b->chars = 0;
	return rdata_put(r, octets, n);
}

static int
feed_base64(struct rdata_reader *r, struct base64 *b, const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		unsigned v = base64_values[(uint8_t)text[i]];
		if (text[i] == '=' && b->chars >= 2)
			b->pads++;
		else if (v == 0 || b->pads > 0)
			return rdata_fail(r, "this is not base64");
		b->bits = b->bits << 6 | (v == 0 ? 0 : v - 1);
		if (++b->chars == 4 && put_quantum(r, b) != 0)
			return -EINVAL;
	}
	return 0;
}

static int
finish_base64(struct rdata_reader *r, const struct base64 *b)
{
	return b->chars == 0 ? 0 : rdata_fail(r, "the base64 text is cut off");
}

int
rdata_put_base64(struct rdata_reader *r, const char *text, size_t n)
{
	struct base64 b = {0};

	return feed_base64(r, &b, text, n) != 0 ? -EINVAL : finish_base64(r, &b);
}

int
rdata_read_base64_opt(struct rdata_reader *r)
{
	struct base64 b = {0};

	while (rdata_more(r)) {
		if (rdata_next_word(r, "base64") != 0 || feed_base64(r, &b, r->tok.text, r->tok.len) != 0)
			return -EINVAL;
	}
	return finish_base64(r, &b);
}

int
rdata_read_base64(struct rdata_reader *r)
{
	if (rdata_next_word(r, "base64") != 0)
		return -EINVAL;
	lexer_unread(r->lex, r->tok);
	return rdata_read_base64_opt(r);
}

void
rdata_print_base64(struct rdata_printer *p, size_t n)
{
	while (n > 0) {
		unsigned take = n < 3 ? (unsigned)n : 3;
		uint32_t bits = (uint32_t)p->p[0] << 16;
		if (take > 1)
			bits |= (uint32_t)p->p[1] << 8;
		if (take > 2)
			bits |= p->p[2];
		char text[4] = {base64_digits[bits >> 18], base64_digits[bits >> 12 & 63],
				take > 1 ? base64_digits[bits >> 6 & 63] : '=',
				take > 2 ? base64_digits[bits & 63] : '='};
		rdata_print(p, text, sizeof(text));
		p->p += take;
		n -= take;
	}
}

void
rdata_show_base64(struct rdata_printer *p)
{
	if (p->p == p->end)
		return;
	rdata_print_blank(p);
	rdata_print_base64(p, (size_t)(p->end - p->p));
}

int
rdata_read_base64_dash(struct rdata_reader *r)
{
	if (rdata_next_word(r, "base64 or -") != 0)
		return -EINVAL;
	if (r->tok.len == 1 && *r->tok.text == '-')
		return 0;
	lexer_unread(r->lex, r->tok);
	return rdata_read_base64_opt(r);
}

void
rdata_show_base64_dash(struct rdata_printer *p)
{
	if (p->p < p->end)
		rdata_show_base64(p);
	else
		rdata_print(p, " -", 2);
}

/* -------- NSEC3 (RFC 5155 section 3.3) -------- */

int
rdata_read_salt(struct rdata_reader *r)
{
	size_t at = r->len;

	if (rdata_next_word(r, "the salt") != 0 || rdata_put_u8(r, 0) != 0)
		return -EINVAL;
	if (r->tok.len == 1 && *r->tok.text == '-')
		return 0;
	if (rdata_put_hex(r, r->tok.text, r->tok.len) != 0)
		return -EINVAL;
	if (r->len - at - 1 > UINT8_MAX)
		return rdata_fail(r, "the salt is longer than 255 octets");
	r->out[at] = (uint8_t)(r->len - at - 1);
	return 0;
}

void
rdata_show_salt(struct rdata_printer *p)
{
	size_t n = *p->p++;

	rdata_print_blank(p);
	if (n == 0)
		rdata_print(p, "-", 1);
	rdata_print_hex(p, n);
}

static int
base32_value(char c)
{
	unsigned digit = (unsigned char)c - (unsigned)'0', letter = ((unsigned char)c | 0x20u) - (unsigned)'a';

	return digit <= 9 ? (int)digit : letter <= 'v' - 'a' ? (int)letter + 10 : -1;
}

int
rdata_read_hash(struct rdata_reader *r)
{
	size_t at = r->len;
	uint32_t bits = 0;
	unsigned n_bits = 0;

	if (rdata_next_word(r, "the next hashed owner") != 0 || rdata_put_u8(r, 0) != 0)
		return -EINVAL;
	for (size_t i = 0; i < r->tok.len; i++) {
		int v = base32_value(r->tok.text[i]);
		if (v < 0)
			return rdata_fail(r, "the hash must be base32hex without padding");
		bits = bits << 5 | (unsigned)v;
		n_bits += 5;
		if (n_bits >= 8) {
			n_bits -= 8;
			if (rdata_put_u8(r, (uint8_t)(bits >> n_bits)) != 0)
				return -EINVAL;
		}
	}
	if (n_bits >= 5 || (bits & ((1u << n_bits) - 1)) != 0)
		return rdata_fail(r, "the hash has bits left over");
	if (r->len - at - 1 > UINT8_MAX)
		return rdata_fail(r, "the hash is longer than 255 octets");
	r->out[at] = (uint8_t)(r->len - at - 1);
	return 0;
}

void
rdata_show_hash(struct rdata_printer *p)
{
	static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUV";
	const uint8_t *end = p->p + 1 + *p->p;
	uint32_t bits = 0;
	unsigned n_bits = 0;

	rdata_print_blank(p);
	for (p->p++; p->p < end; p->p++) {
		bits = bits << 8 | *p->p;
		for (n_bits += 8; n_bits >= 5; n_bits -= 5)
			rdata_print(p, &digits[bits >> (n_bits - 5) & 31], 1);
	}
	if (n_bits > 0)
		rdata_print(p, &digits[bits << (5 - n_bits) & 31], 1);
}

const char *
rdata_check_hash(struct rdata_cursor *c)
{
	if (rdata_left(c) > 0 && *c->p == 0)
		return "the next hashed owner is empty";
	return rdata_check_string(c);
}

/* -------- opaque data -------- */

int
rdata_read_opaque(struct rdata_reader *r)
{
	r->tok = lexer_next(r->lex);
	return rdata_fail(r, "data of this type must be written as \\# length hex");
}

void
rdata_show_opaque(struct rdata_printer *p)
{
	p->generic = true;
}
