/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzzes record data: whatever is accepted, as text or as octets, goes to the other form and back without change,
 * and survives validation, expansion out of a message and canonical form.
 *
 * Input: two octets of type, then text if the third octet's low bit is set, else octets of data.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/check.h"
#include "zones/wire/rdata.h"

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);

#define TEXT_CAP (6 * RDATA_MAX_LEN)

static const struct name origin = {.len = 13, .bytes = "\7example\3com"};

/* Reads one record; -1 where it is refused. */
static int
from_text(uint16_t type, const char *text, size_t len, uint8_t *out)
{
	struct rdata_error err = {0};
	struct lexer lex;
	lexer_init(&lex, text, len);
	int n = rdata_from_text(&lex, type, &origin, out, &err);
	CHECK(n >= 0 ? n <= RDATA_MAX_LEN : n == -EINVAL);
	if (n >= 0)
		return n;
	CHECK(err.message[0] != '\0' && memchr(err.message, 0, sizeof(err.message)) != NULL);
	CHECK(strchr(err.message, '\n') == NULL && err.line > 0 && err.column > 0);
	return -1;
}

static void
check_text(uint16_t type, const uint8_t *wire, size_t len)
{
	static uint8_t again[RDATA_MAX_LEN];
	static char text[TEXT_CAP], text_again[TEXT_CAP];
	int text_len = rdata_to_text(type, wire, len, text, sizeof(text));
	CHECK(text_len >= 0 && (size_t)text_len == strlen(text) && strchr(text, '\n') == NULL);
	CHECK(rdata_to_text(type, wire, len, text_again, (size_t)text_len) == -ENOBUFS);
	/* The general form may be shorter than what had to be tried before it, and that needs its room, too. */
	if (text[0] != '\\') {
		CHECK(rdata_to_text(type, wire, len, text_again, (size_t)text_len + 1) == text_len);
		CHECK(strcmp(text, text_again) == 0);
	}
	int n = from_text(type, text, (size_t)text_len, again);
	if (n != (int)len || memcmp(again, wire, len) != 0)
		fprintf(stderr, "type %u reads back as %d octets: %s\n", type, n, text);
	CHECK(n == (int)len && memcmp(again, wire, len) == 0);
}

/* Uncompressed data is what it expands to. */
static void
check_expansion(uint16_t type, const uint8_t *wire, size_t len)
{
	static uint8_t out[RDATA_MAX_LEN];
	enum { AT = 12 };
	if (len > RDATA_MAX_LEN - AT)
		return;
	uint8_t *msg = malloc(AT + len);
	CHECK(msg != NULL);
	memset(msg, 0, AT);
	memcpy(msg + AT, wire, len);
	CHECK(rdata_expand(type, msg, AT + len, AT, len, out, NULL) == (int)len && memcmp(out, wire, len) == 0);
	free(msg);
}

static void
check_names(uint16_t type, const uint8_t *wire, size_t len)
{
	struct rdata_name names[RDATA_NAMES_MAX];
	unsigned n = rdata_names(type, wire, len, names, RDATA_NAMES_MAX);
	size_t behind = 0;
	CHECK(n <= RDATA_NAMES_MAX);
	for (unsigned i = 0; i < n; i++) {
		CHECK(names[i].pos >= behind && names[i].pos < len);
		CHECK(name_check(wire + names[i].pos, len - names[i].pos) == names[i].len);
		behind = names[i].pos + (size_t)names[i].len;
	}
}

static void
check_canonical(uint16_t type, const uint8_t *wire, size_t len)
{
	uint8_t *once = malloc(len > 0 ? len : 1), *twice = malloc(len > 0 ? len : 1);
	CHECK(once != NULL && twice != NULL);
	memcpy(once, wire, len);
	rdata_canonical(type, once, len);
	CHECK(rdata_check(type, once, len, NULL) == 0);
	for (size_t i = 0; i < len; i++)
		CHECK(once[i] == wire[i] || once[i] == name_lower_octet(wire[i]));
	memcpy(twice, once, len);
	rdata_canonical(type, twice, len);
	CHECK(memcmp(once, twice, len) == 0 && rdata_compare(once, len, twice, len) == 0);
	int order = rdata_compare(once, len, wire, len), reverse = rdata_compare(wire, len, once, len);
	CHECK((order > 0) == (reverse < 0) && (order == 0) == (memcmp(once, wire, len) == 0));
	free(once);
	free(twice);
}

static void
check_wire(uint16_t type, const uint8_t *wire, size_t len)
{
	check_text(type, wire, len);
	check_expansion(type, wire, len);
	check_names(type, wire, len);
	check_canonical(type, wire, len);
}

/* Compressed or broken: what comes out of a message passes the check. */
static void
expand_anything(uint16_t type, const uint8_t *data, size_t len)
{
	static uint8_t out[RDATA_MAX_LEN];
	size_t at = len / 2;
	int n = rdata_expand(type, data, len, at, len - at, out, NULL);
	CHECK(n == -EINVAL || (n >= 0 && rdata_check(type, out, (size_t)n, NULL) == 0));
}

int
LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	static uint8_t wire[RDATA_MAX_LEN];
	if (size < 3 || size > RDATA_MAX_LEN)
		return 0;
	uint16_t type = (uint16_t)(input[0] << 8 | input[1]);
	const struct rrtype_row *row = rrtype_row(type);
	if (row != NULL && (row->flags & RRTYPE_META))
		return 0;
	const uint8_t *data = input + 3;
	size_t len = size - 3;
	if (input[2] & 1) {
		int n = from_text(type, (const char *)data, len, wire);
		if (n < 0)
			return 0;
		CHECK(rdata_check(type, wire, (size_t)n, NULL) == 0);
		check_wire(type, wire, (size_t)n);
		return 0;
	}
	expand_anything(type, data, len);
	if (rdata_check(type, data, len, NULL) == 0)
		check_wire(type, data, len);
	return 0;
}
