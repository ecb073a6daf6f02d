/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What must hold for every type, over the two corpora: rdata_good.txt (the first argument) and rdata_bad.txt (the
 * second). Wire input lies in heap blocks of exact size, so that a sanitizer sees every octet read too far.
 */
#include "tests/unit/wire/cmocka_wire.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "zones/wire/rdata.h"

static const char *good_path, *bad_path;
static uint8_t wire[RDATA_MAX_LEN], again[RDATA_MAX_LEN];
static char text[5 * RDATA_MAX_LEN];
static struct rdata_error err;

/* -------- reading a corpus -------- */

/* Calls each(line) for every line that is not a comment; the newline is gone. Returns how many there were. */
static unsigned
for_each_line(const char *path, void (*each)(char *line))
{
	FILE *f = fopen(path, "r");
	char *line = NULL;
	size_t cap = 0;
	ssize_t len;
	unsigned n = 0;

	assert_non_null(f);
	while ((len = getline(&line, &cap, f)) > 0) {
		line[strcspn(line, "\n")] = '\0';
		if (*line == '#')
			continue;
		each(line);
		n++;
	}
	free(line);
	fclose(f);
	return n;
}

/* Reads `TYPE rdata` from a heap copy without NUL; the type's column is 1. */
static int
read_line(const char *line, uint16_t *type, uint8_t *out)
{
	struct name origin = name_of("example.com.");
	size_t len = strlen(line), word = strcspn(line, " ");
	char *copy = malloc(len);
	struct lexer lex;

	assert_non_null(copy);
	memcpy(copy, line, len);
	assert_int_equal(rrtype_from_text(copy, word, type), 0);
	lexer_init(&lex, copy, len);
	(void)lexer_next(&lex);
	int rc = rdata_from_text(&lex, *type, &origin, out, &err);
	free(copy);
	return rc;
}

static size_t
read_good(const char *line, uint16_t *type)
{
	int n = read_line(line, type, wire);

	if (n < 0)
		fail_msg("%s: %u: %s", line, err.column, err.message);
	return n < 0 ? 0 : (size_t)n;
}

static uint8_t *
exact_copy(const uint8_t *p, size_t len)
{
	uint8_t *copy = malloc(len > 0 ? len : 1);

	assert_non_null(copy);
	memcpy(copy, p, len);
	return copy;
}

/* -------- properties -------- */

/* Good octets: to text and back gives the same octets; every other function takes them. */
static void
expect_round_trip(const char *what, uint16_t type, const uint8_t *rdata, size_t len)
{
	struct rdata_name names[RDATA_NAMES_MAX];
	struct lexer lex;
	int n = rdata_to_text(type, rdata, len, text, sizeof(text));

	if (n < 0 || strlen(text) != (size_t)n || strchr(text, '\n') != NULL)
		fail_msg("%s: no text", what);
	lexer_init(&lex, text, (size_t)n);
	int back = rdata_from_text(&lex, type, NULL, again, &err);
	if (back < 0)
		fail_msg("%s: printed as %s, but: %u: %s", what, text, err.column, err.message);
	if ((size_t)back != len || memcmp(again, rdata, len) != 0)
		fail_msg("%s: printed as %s, which is something else", what, text);

	unsigned n_names = rdata_names(type, rdata, len, names, RDATA_NAMES_MAX);
	for (unsigned i = 0; i < n_names; i++)
		assert_int_equal(name_check(rdata + names[i].pos, len - names[i].pos), names[i].len);
	assert_int_equal(rdata_expand(type, rdata, len, 0, len, again, &err), len);
	assert_memory_equal(again, rdata, len);
	rdata_canonical(type, again, len);
	assert_int_equal(rdata_check(type, again, len, &err), 0);
}

/* Any octets: refused, or good in every respect. Returns whether they were good. */
static bool
expect_refused_or_good(const char *what, uint16_t type, const uint8_t *octets, size_t len)
{
	uint8_t *copy = exact_copy(octets, len);
	bool good = rdata_check(type, copy, len, &err) == 0;

	if (good)
		expect_round_trip(what, type, copy, len);
	else
		assert_true(err.message[0] != '\0' && strchr(err.message, '\n') == NULL);
	/* as part of a message names may be compressed, so more may be good, but nothing less */
	int n = rdata_expand(type, copy, len, 0, len, again, &err);
	assert_true(n >= 0 || !good);
	if (n >= 0)
		assert_int_equal(rdata_check(type, again, (size_t)n, &err), 0);
	free(copy);
	return good;
}

static bool seen[65536];

static void
round_trip_line(char *line)
{
	uint16_t type;
	size_t n = read_good(line, &type);
	uint8_t *copy = exact_copy(wire, n);

	seen[type] = true;
	assert_int_equal(rdata_check(type, copy, n, &err), 0);
	expect_round_trip(line, type, copy, n);
	free(copy);
}

static void
good_round_trips(void **state)
{
	unsigned n;
	const struct rrtype_row *rows = rrtype_rows(&n);

	assert_true(for_each_line(good_path, round_trip_line) > 150);
	for (unsigned i = 0; i < n; i++)
		if (!seen[rows[i].type])
			fail_msg("%s is not in the corpus", rows[i].mnemonic);
}

/* The same octets in RFC 3597's form must mean the same for every type. */
static void
generic_line(char *line)
{
	uint16_t type;
	size_t n = read_good(line, &type);
	struct lexer lex;
	int at = sprintf(text, "\\# %zu ", n);

	for (size_t i = 0; i < n; i++)
		at += sprintf(text + at, i % 7 == 3 ? "%02x " : "%02X", wire[i]);
	memcpy(again, wire, n);
	lexer_init(&lex, text, (size_t)at);
	assert_int_equal(rdata_from_text(&lex, type, NULL, wire, &err), n);
	assert_memory_equal(wire, again, n);
}

static void
generic_form(void **state)
{
	for_each_line(good_path, generic_line);
}

static void
truncate_line(char *line)
{
	uint16_t type;
	size_t len = read_good(line, &type);
	uint8_t *whole = exact_copy(wire, len);

	for (size_t cut = 0; cut < len; cut++)
		expect_refused_or_good(line, type, whole, cut);
	free(whole);
}

static void
truncations(void **state)
{
	for_each_line(good_path, truncate_line);
}

static uint64_t random_state = 88172645463325252ULL;

static uint32_t
random_below(uint32_t n)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (uint32_t)(random_state >> 32) % n;
}

static unsigned mutants_good, mutants_bad;

static void
mutate_line(char *line)
{
	uint16_t type;
	size_t len = read_good(line, &type);
	uint8_t *whole = exact_copy(wire, len), mutant[10000];

	assert_true(len + 8 < sizeof(mutant));
	for (unsigned round = 0; round < (len < 1000 ? 300 : 10); round++) {
		size_t n = len + random_below(4);
		memset(mutant + len, 0, 8);
		memcpy(mutant, whole, len);
		for (unsigned k = random_below(4); n > 0 && k > 0; k--) {
			size_t at = random_below((uint32_t)n);
			mutant[at] = random_below(2) ? (uint8_t)random_below(256)
						     : (uint8_t)(mutant[at] ^ 1 << random_below(8));
		}
		if (expect_refused_or_good(line, type, mutant, n))
			mutants_good++;
		else
			mutants_bad++;
	}
	free(whole);
}

static void
mutations(void **state)
{
	for_each_line(good_path, mutate_line);
	assert_true(mutants_good > 1000 && mutants_bad > 1000);
}

/* Every type must stand octets that were made for another. */
static void
cross_line(char *line)
{
	uint16_t type;
	size_t len = read_good(line, &type);
	uint8_t *whole = exact_copy(wire, len);
	unsigned n;
	const struct rrtype_row *rows = rrtype_rows(&n);

	for (unsigned i = 0; i < n; i++)
		expect_refused_or_good(line, rows[i].type, whole, len);
	free(whole);
}

static void
other_types(void **state)
{
	for_each_line(good_path, cross_line);
}

/* -------- what is refused -------- */

static void
bad_line(char *line)
{
	uint16_t type;
	char *rdata, *message;
	unsigned long column = strtoul(line, &rdata, 10);

	assert_int_equal(*rdata++, '\t');
	message = strchr(rdata, '\t');
	assert_non_null(message);
	*message++ = '\0';
	int rc = read_line(rdata, &type, wire);
	if (rc != -EINVAL || err.line != 1 || err.column != column || strcmp(err.message, message) != 0)
		fail_msg("%s: %d, %u:%u: %s", rdata, rc, err.line, err.column, err.message);
}

static void
bad_refused(void **state)
{
	assert_true(for_each_line(bad_path, bad_line) > 150);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_round_trips), cmocka_unit_test(generic_form), cmocka_unit_test(truncations),
		cmocka_unit_test(mutations),        cmocka_unit_test(other_types),  cmocka_unit_test(bad_refused),
	};

	if (argc != 3) {
		fprintf(stderr, "usage: test_rdata_corpus GOOD BAD\n");
		return 2;
	}
	good_path = argv[1];
	bad_path = argv[2];
	return cmocka_run_group_tests_name("rdata corpus", tests, NULL, NULL);
}
