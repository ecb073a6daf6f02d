/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/wire/cmocka_wire.h"

#include <stdlib.h>

/* -------- text -------- */

static void
expect_wire(const char *text, const char *origin, const void *wire, size_t len)
{
	struct name o, n = {0};

	if (origin != NULL)
		o = name_of(origin);
	assert_int_equal(name_from_text(text, strlen(text), origin != NULL ? &o : NULL, &n), NAME_OK);
	assert_int_equal(n.len, len);
	assert_memory_equal(n.bytes, wire, len);
}

#define EXPECT_WIRE(text, origin, wire) expect_wire(text, origin, wire, sizeof(wire))

static void
expect_error(const char *text, size_t len, enum name_error e)
{
	struct name n, before;

	memset(&n, 0x5a, sizeof(n));
	before = n;
	assert_int_equal(name_from_text(text, len, NULL, &n), e);
	assert_memory_equal(&n, &before, sizeof(n)); /* untouched on error */
}

static void
text_to_wire(void **state)
{
	EXPECT_WIRE(".", NULL, "");
	EXPECT_WIRE("example.com.", NULL, "\7example\3com");
	EXPECT_WIRE("WwW.Example.com.", NULL, "\3WwW\7Example\3com");
	EXPECT_WIRE("www", "example.com.", "\3www\7example\3com");
	EXPECT_WIRE("a.b", ".", "\1a\1b");
	EXPECT_WIRE("@", "example.com.", "\7example\3com");
	EXPECT_WIRE("\\@", "com.", "\1@\3com");
	EXPECT_WIRE("a@b.", NULL, "\3a@b");
	EXPECT_WIRE("a\\.b.c.", NULL, "\3a.b\1c");
	EXPECT_WIRE("\\000\\255\\032.", NULL, "\3\0\xff ");
	EXPECT_WIRE("\\\\\\\".", NULL, "\2\\\"");
	EXPECT_WIRE("*.x.", NULL, "\1*\1x");
	EXPECT_WIRE("\\1012.", NULL, "\2e2");
}

static void
text_errors(void **state)
{
	expect_error("", 0, NAME_EMPTY);
	expect_error("..", 2, NAME_EMPTY_LABEL);
	expect_error(".a.", 3, NAME_EMPTY_LABEL);
	expect_error("a..b.", 5, NAME_EMPTY_LABEL);
	expect_error("a", 1, NAME_NOT_ABSOLUTE);
	expect_error("@", 1, NAME_NOT_ABSOLUTE);
	expect_error("a\\", 2, NAME_BAD_ESCAPE);
	expect_error("\\25", 3, NAME_BAD_ESCAPE);
	expect_error("\\25x.", 5, NAME_BAD_ESCAPE);
	expect_error("\\256.", 5, NAME_BAD_ESCAPE);
	expect_error("\\2", 2, NAME_BAD_ESCAPE);
}

static void
label_lengths(void **state)
{
	char text[66];
	struct name n;

	memset(text, 'a', sizeof(text));
	text[63] = '.';
	assert_int_equal(name_from_text(text, 64, NULL, &n), NAME_OK);
	assert_int_equal(n.len, 65);
	text[63] = 'a';
	text[64] = '.';
	expect_error(text, 65, NAME_LABEL_TOO_LONG);
}

/* Appends `count` labels of `len` octets; returns the end. */
static char *
append_labels(char *p, unsigned count, unsigned len)
{
	for (; count > 0; count--) {
		memset(p, 'x', len);
		p[len] = '.';
		p += len + 1;
	}
	return p;
}

static void
name_lengths(void **state)
{
	char text[600], out[NAME_TEXT_MAX];
	struct name n, origin;

	/* 3 x 64 + 62 + 1 = 255 */
	char *end = append_labels(append_labels(text, 3, 63), 1, 61);
	assert_int_equal(name_from_text(text, (size_t)(end - text), NULL, &n), NAME_OK);
	assert_int_equal(n.len, 255);
	assert_int_equal(name_check(n.bytes, 255), 255);
	assert_int_equal(name_to_text(n.bytes, out), end - text);
	assert_memory_equal(out, text, (size_t)(end - text));
	end = append_labels(append_labels(text, 3, 63), 1, 62);
	expect_error(text, (size_t)(end - text), NAME_TOO_LONG);
	end = append_labels(text, 8, 63);
	expect_error(text, (size_t)(end - text), NAME_TOO_LONG);

	/* 127 labels are the most there can be */
	end = append_labels(text, 127, 1);
	assert_int_equal(name_from_text(text, (size_t)(end - text), NULL, &n), NAME_OK);
	assert_int_equal(n.len, 255);
	assert_int_equal(name_labels(n.bytes), NAME_MAX_LABELS);
	end = append_labels(text, 128, 1);
	expect_error(text, (size_t)(end - text), NAME_TOO_LONG);

	/* a relative name and its origin may be 255 together, not more */
	end = append_labels(text, 125, 1);
	assert_int_equal(name_from_text(text, (size_t)(end - text), NULL, &origin), NAME_OK);
	assert_int_equal(name_from_text("abc", 3, &origin, &n), NAME_OK);
	assert_int_equal(n.len, 255);
	assert_int_equal(name_from_text("abcd", 4, &origin, &n), NAME_TOO_LONG);
}

/* Labels of every length, each ended in every way, in a block of exact size: what is read eight octets at a time.
 */
static void
label_edges(void **state)
{
	static const struct {
		const char *text;
		unsigned octets; /* that it adds to the label */
		enum name_error error;
	} ends[] = {{"", 0, NAME_OK},
		    {".", 0, NAME_OK},
		    {".b", 0, NAME_OK},
		    {"\\046", 1, NAME_OK},
		    {"\\.\\\\x.", 3, NAME_OK},
		    {".longer-than-eight.", 0, NAME_OK},
		    {"..", 0, NAME_EMPTY_LABEL},
		    {"\\", 0, NAME_BAD_ESCAPE},
		    {"\\999.", 0, NAME_BAD_ESCAPE}};
	struct name origin = name_of("o.");

	for (unsigned len = 1; len <= 80; len++) {
		for (unsigned e = 0; e < sizeof(ends) / sizeof(ends[0]); e++) {
			size_t n = len + strlen(ends[e].text);
			char *text = malloc(n);
			struct name got;
			assert_non_null(text);
			for (unsigned i = 0; i < len; i++)
				text[i] = (char)(i % 2 ? 0x2f
						       : 0xae); /* one off a dot, and a dot but for its top bit */
			memcpy(text + len, ends[e].text, strlen(ends[e].text));
			enum name_error error = name_from_text(text, n, &origin, &got);
			unsigned octets = len + ends[e].octets;
			if (octets <= LABEL_MAX_LEN)
				assert_int_equal(error, ends[e].error);
			else
				assert_int_not_equal(error, NAME_OK);
			if (error == NAME_OK) {
				assert_int_equal(got.bytes[0], octets);
				assert_memory_equal(got.bytes + 1, text, len);
				assert_int_equal(name_check(got.bytes, got.len), got.len);
			}
			free(text);
		}
	}
}

/* The origin may be the very box that is written to. */
static void
origin_in_place(void **state)
{
	struct name n = name_of("example.com.");

	assert_int_equal(name_from_text("www", 3, &n, &n), NAME_OK);
	assert_memory_equal(n.bytes, "\3www\7example\3com", 17);
}

static void
wire_to_text(void **state)
{
	char out[NAME_TEXT_MAX];

	assert_int_equal(name_to_text((const uint8_t *)"", out), 1);
	assert_string_equal(out, ".");
	name_to_text((const uint8_t *)"\012a.b\\\"();@$\2-_\0", out);
	assert_string_equal(out, "a\\.b\\\\\\\"\\(\\)\\;\\@\\$.-_.");
	name_to_text((const uint8_t *)"\4\0\x7f\xff \3*/+\0", out);
	assert_string_equal(out, "\\000\\127\\255\\032.*/+.");
}

/* Every octet as a label goes to text and back. */
static void
octets_round_trip(void **state)
{
	for (unsigned c = 0; c < 256; c++) {
		uint8_t wire[] = {2, 'a', (uint8_t)c, 1, (uint8_t)c, 0};
		char text[NAME_TEXT_MAX];
		struct name n;
		size_t len = name_to_text(wire, text);
		assert_int_equal(strlen(text), len);
		assert_int_equal(name_from_text(text, len, NULL, &n), NAME_OK);
		assert_int_equal(n.len, sizeof(wire));
		assert_memory_equal(n.bytes, wire, sizeof(wire));
	}
}

static void
error_texts(void **state)
{
	for (int e = NAME_EMPTY; e <= NAME_OK; e++) {
		assert_string_not_equal(name_error_text((enum name_error)e), "unknown error");
		for (int other = NAME_EMPTY; other < e; other++)
			assert_string_not_equal(name_error_text((enum name_error)e),
						name_error_text((enum name_error)other));
	}
}

/* -------- wire -------- */

/*
 * name_check() on a heap copy of exactly that size, so that a sanitizer sees a read too far. name_scan() must say
 * the same, name_read() too, and both of good names where the labels begin.
 */
static int
check_exact(const void *bytes, size_t len)
{
	uint8_t *copy = malloc(len > 0 ? len : 1);
	struct name_suffixes s;

	assert_non_null(copy);
	memcpy(copy, bytes, len);
	int rc = name_check(copy, len);
	assert_int_equal(name_scan(copy, len, &s), rc);
	uint8_t lower[NAME_MAX_LEN];
	assert_int_equal(name_read(lower, copy, len, &s), rc);
	if (rc > 0) {
		for (int i = 0; i < rc; i++)
			assert_int_equal(lower[i], name_lower_octet(copy[i]));
		assert_int_equal(s.labels, name_labels(copy));
		for (unsigned i = 0; i <= s.labels; i++)
			assert_ptr_equal(copy + s.start[i], name_parent(copy, i));
	}
	free(copy);
	return rc;
}

static void
check_bounds(void **state)
{
	static const uint8_t good[] = "\3www\7example\3com";

	assert_int_equal(check_exact(good, sizeof(good)), 17);
	for (size_t cut = 0; cut < sizeof(good); cut++)
		assert_int_equal(check_exact(good, cut), NAME_TRUNCATED);
	assert_int_equal(check_exact("\xc0\0", 2), NAME_BAD_POINTER);
	assert_int_equal(check_exact("\100", 1), NAME_BAD_POINTER);
	assert_int_equal(check_exact("\200", 1), NAME_BAD_POINTER);

	uint8_t longest[300];
	memset(longest, 1, sizeof(longest));
	assert_int_equal(check_exact(longest, sizeof(longest)), NAME_TOO_LONG);
	longest[254] = 0;
	assert_int_equal(check_exact(longest, sizeof(longest)), 255);
}

static enum name_error
expand_exact(const void *bytes, size_t len, size_t *pos, struct name *out)
{
	uint8_t *copy = malloc(len > 0 ? len : 1);

	assert_non_null(copy);
	memcpy(copy, bytes, len);
	enum name_error e = name_expand(copy, len, pos, out);
	free(copy);
	return e;
}

static void
expansion(void **state)
{
	/* 0: com. 5: example -> 0, 15: WwW -> 5, 21: -> 15, 23: plain root */
	static const uint8_t msg[] = "\3com\0\7example\xc0\0\3WwW\xc0\5\xc0\17";
	static const struct {
		size_t pos, after;
		const char *text;
	} cases[] = {{0, 5, "com."},
		     {5, 15, "example.com."},
		     {15, 21, "WwW.example.com."},
		     {21, 23, "WwW.example.com."},
		     {23, 24, "."}};

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct name n;
		char text[NAME_TEXT_MAX];
		size_t pos = cases[i].pos;
		assert_int_equal(expand_exact(msg, sizeof(msg), &pos, &n), NAME_OK);
		assert_int_equal(pos, cases[i].after);
		name_to_text(n.bytes, text);
		assert_string_equal(text, cases[i].text);
	}
}

static void
expansion_errors(void **state)
{
	static const struct {
		const char *msg;
		size_t len, pos;
		enum name_error e;
	} cases[] = {
		{"", 0, 0, NAME_TRUNCATED},
		{"\3ww", 3, 0, NAME_TRUNCATED},
		{"\1a", 2, 0, NAME_TRUNCATED},
		{"\0\xc0", 2, 1, NAME_TRUNCATED},
		{"\xc0\0", 2, 0, NAME_BAD_POINTER},    /* itself */
		{"\xc0\2\0", 3, 0, NAME_BAD_POINTER},  /* forward */
		{"\1a\xc0\0", 4, 0, NAME_BAD_POINTER}, /* into the labels it ends */
		{"\1a\xc0\2", 4, 0, NAME_BAD_POINTER},
		{"\1a\xc0\4\1b\xc0\0", 8, 4, NAME_BAD_POINTER},  /* a loop of two */
		{"\0\xc0\7\1a\xc0\1\0", 8, 3, NAME_BAD_POINTER}, /* back, then forward */
		{"\100a\0", 3, 0, NAME_BAD_POINTER},
		{"\200a\0", 3, 0, NAME_BAD_POINTER},
		{"\0\xff\xff", 3, 1, NAME_BAD_POINTER},
	};

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct name n, before;
		size_t pos = cases[i].pos;
		memset(&n, 0xa5, sizeof(n));
		before = n;
		assert_int_equal(expand_exact(cases[i].msg, cases[i].len, &pos, &n), cases[i].e);
		assert_int_equal(pos, cases[i].pos);
		assert_memory_equal(&n, &before, sizeof(n));
	}
}

/* Pointers may add up to a name that is too long. */
static void
expansion_too_long(void **state)
{
	uint8_t msg[600];
	size_t at = 0, start = 0, pos;
	struct name n;

	msg[at++] = 0;
	for (unsigned i = 0; i < 5; i++) { /* each: 63 octets, then a pointer to the one before */
		size_t prev = start;
		start = at;
		msg[at++] = 63;
		memset(msg + at, 'a', 63);
		at += 63;
		msg[at++] = (uint8_t)(0xc0 | prev >> 8);
		msg[at++] = (uint8_t)prev;
	}
	pos = start;
	assert_int_equal(expand_exact(msg, at, &pos, &n), NAME_TOO_LONG);
	assert_int_equal(pos, start);
	pos = 1 + 66 * 2;
	assert_int_equal(expand_exact(msg, at, &pos, &n), NAME_OK);
	assert_int_equal(n.len, 3 * 64 + 1);
}

/* -------- case, comparison -------- */

static void
lower_case(void **state)
{
	/* every octet at every place of every length, against the one-octet function */
	for (unsigned len = 0; len <= 33; len++) {
		for (unsigned first = 0; first < 256; first++) {
			uint8_t src[34] = {0}, dst[34], same[34];
			for (unsigned i = 0; i < len; i++)
				src[i] = (uint8_t)(first + i * 37);
			dst[len] = 0xee;
			memcpy(same, src, sizeof(same));
			name_lower(dst, src, len);
			name_lower(same, same, len);
			for (unsigned i = 0; i < len; i++) {
				uint8_t want = src[i] >= 'A' && src[i] <= 'Z' ? (uint8_t)(src[i] + 32) : src[i];
				assert_int_equal(dst[i], want);
				assert_int_equal(same[i], want);
			}
			assert_int_equal(dst[len], 0xee);
		}
	}
}

static void
equality(void **state)
{
	struct name a = name_of("www.Example.COM."), b = name_of("WWW.example.com."),
		    c = name_of("wwx.example.com.");
	struct name d = name_of("example.com."), brackets = name_of("[.com."), braces = name_of("{.com.");

	assert_true(name_equal(a.bytes, b.bytes));
	assert_false(name_equal(a.bytes, c.bytes));
	assert_false(name_equal(a.bytes, d.bytes));
	assert_false(name_equal(brackets.bytes, braces.bytes)); /* 32 apart, but no letters */
	assert_true(name_is_under(a.bytes, d.bytes));
	assert_true(name_is_under(d.bytes, d.bytes));
	assert_false(name_is_under(d.bytes, a.bytes));
	assert_true(name_is_under(d.bytes, (const uint8_t *)""));
	struct name tricky = name_of("xexample.com.");
	assert_false(name_is_under(tricky.bytes, d.bytes));
}

/* The example of RFC 4034 section 6.1, in its order. */
static void
canonical_order(void **state)
{
	static const char *const ordered[] = {"example.",         "a.example.",      "yljkjljk.a.example.",
					      "Z.a.example.",     "zABC.a.EXAMPLE.", "z.example.",
					      "\\001.z.example.", "*.z.example.",    "\\200.z.example."};

	for (unsigned i = 0; i < sizeof(ordered) / sizeof(ordered[0]); i++) {
		for (unsigned k = 0; k < sizeof(ordered) / sizeof(ordered[0]); k++) {
			struct name a = name_of(ordered[i]), b = name_of(ordered[k]);
			int c = name_compare(a.bytes, b.bytes);
			assert_int_equal((c > 0) - (c < 0), (i > k) - (i < k));
		}
	}
	struct name upper = name_of("A.EXAMPLE."), lower = name_of("a.example.");
	assert_int_equal(name_compare(upper.bytes, lower.bytes), 0);
}

static void
parts(void **state)
{
	struct name a = name_of("a.b.example."), copy, wild;

	assert_int_equal(name_labels(a.bytes), 3);
	assert_int_equal(name_len(a.bytes), a.len);
	assert_ptr_equal(name_parent(a.bytes, 0), a.bytes);
	assert_memory_equal(name_parent(a.bytes, 2), "\7example", 9);
	assert_int_equal(*name_parent(a.bytes, 3), 0);
	name_copy(&copy, name_parent(a.bytes, 1));
	assert_int_equal(copy.len, 11);
	assert_memory_equal(copy.bytes, "\1b\7example", 11);
	assert_true(name_wildcard(copy.bytes, &wild));
	assert_int_equal(wild.len, 13);
	assert_memory_equal(wild.bytes, "\1*\1b\7example", 13);
	assert_true(name_wildcard(wild.bytes, &wild)); /* in place */
	assert_memory_equal(wild.bytes, "\1*\1*\1b\7example", 15);

	char text[300];
	char *end = append_labels(append_labels(text, 3, 63), 1, 59);
	assert_int_equal(name_from_text(text, (size_t)(end - text), NULL, &a), NAME_OK);
	assert_int_equal(a.len, 253);
	assert_true(name_wildcard(a.bytes, &wild));
	assert_int_equal(wild.len, 255);
	end = append_labels(append_labels(text, 3, 63), 1, 60);
	assert_int_equal(name_from_text(text, (size_t)(end - text), NULL, &a), NAME_OK);
	assert_false(name_wildcard(a.bytes, &wild));
}

/* -------- hashes -------- */

static void
hash_chain(void **state)
{
	char text[300];
	struct name names[3] = {name_of("www.example.com."), name_of("."), {0}};
	char *end = append_labels(text, 127, 1);

	assert_int_equal(name_from_text(text, (size_t)(end - text), NULL, &names[2]), NAME_OK);
	for (unsigned i = 0; i < 3; i++) {
		const uint8_t *wire = names[i].bytes;
		struct name_suffixes s;
		name_suffixes(wire, &s);
		unsigned labels = name_labels(wire);
		assert_int_equal(s.labels, labels);
		uint64_t h = name_hash_root();
		for (unsigned k = 0; k <= labels; k++) {
			const uint8_t *suffix = name_parent(wire, labels - k);
			if (k > 0)
				h = name_hash_label(h, suffix);
			assert_int_equal(name_suffix_start(&s, k), suffix - wire);
			assert_true(s.at[k] == h);
			assert_true(name_hash(suffix) == h);
		}
	}
}

/* Names that share their octets but not their labels, and other seeds, must not share hashes. */
static void
hash_differs(void **state)
{
	static const char *const texts[] = {".",    "a.",  "a.a.",    "aa.",      "a.b.",
					    "b.a.", "ab.", "\\001a.", "a\\001a.", "\\000."};
	uint64_t seed = name_hash_seed, first[10];

	for (unsigned i = 0; i < 10; i++) {
		struct name n = name_of(texts[i]);
		first[i] = name_hash(n.bytes);
		for (unsigned k = 0; k < i; k++)
			assert_true(first[i] != first[k]);
	}
	name_hash_seed = seed ^ 1;
	for (unsigned i = 0; i < 10; i++) {
		struct name n = name_of(texts[i]);
		assert_true(first[i] != name_hash(n.bytes));
	}
	name_hash_seed = seed;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_to_wire),      cmocka_unit_test(text_errors),
		cmocka_unit_test(label_lengths),     cmocka_unit_test(name_lengths),
		cmocka_unit_test(origin_in_place),   cmocka_unit_test(wire_to_text),
		cmocka_unit_test(octets_round_trip), cmocka_unit_test(error_texts),
		cmocka_unit_test(check_bounds),      cmocka_unit_test(expansion),
		cmocka_unit_test(expansion_errors),  cmocka_unit_test(expansion_too_long),
		cmocka_unit_test(lower_case),        cmocka_unit_test(equality),
		cmocka_unit_test(canonical_order),   cmocka_unit_test(parts),
		cmocka_unit_test(hash_chain),        cmocka_unit_test(hash_differs),
		cmocka_unit_test(label_edges),
	};

	return cmocka_run_group_tests_name("name", tests, NULL, NULL);
}
