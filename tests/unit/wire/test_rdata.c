/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Record data that has a known outcome: octets, errors with their places, names, canonical form, expansion.
 * The properties that hold for every type are in test_rdata_corpus.c.
 */
#include "tests/unit/wire/cmocka_wire.h"

#include <errno.h>
#include <stdlib.h>

#include "zones/wire/rdata.h"

static uint8_t wire[RDATA_MAX_LEN];
static struct rdata_error err;

static uint16_t
type_of(const char *mnemonic)
{
	uint16_t type;

	assert_int_equal(rrtype_from_text(mnemonic, strlen(mnemonic), &type), 0);
	return type;
}

static int
read_text(const char *mnemonic, const char *text)
{
	struct name origin = name_of("example.com.");
	struct lexer lex;

	lexer_init(&lex, text, strlen(text));
	return rdata_from_text(&lex, type_of(mnemonic), &origin, wire, &err);
}

/* -------- octets -------- */

#define BYTES(text) text, sizeof(text) - 1

static const struct {
	const char *type, *text, *octets;
	size_t len;
} known[] = {
	{"A", "192.0.2.1", BYTES("\xc0\0\2\1")},
	{"AAAA", "2001:db8::1", BYTES("\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\1")},
	{"NS", "ns1", BYTES("\3ns1\7example\3com\0")},
	{"MX", "10 Mail.", BYTES("\0\12\4Mail\0")},
	{"SOA", "a. b. 1 2h 3m 1w 5", BYTES("\1a\0\1b\0\0\0\0\1\0\0\x1c\x20\0\0\0\xb4\0\x9\x3a\x80\0\0\0\5")},
	{"TXT", "\"a b\" c\\100 \"\"", BYTES("\3a b\2cd\0")},
	{"HINFO", "x \"\"", BYTES("\1x\0")},
	{"SRV", "1 2 53 a.", BYTES("\0\1\0\2\0\x35\1a\0")},
	{"NAPTR", "1 2 s x \"\" a.", BYTES("\0\1\0\2\1s\1x\0\1a\0")},
	{"WKS", "192.0.2.1 tcp 0 25", BYTES("\xc0\0\2\1\6\x80\0\0\x40")},
	/* RFC 1876's defaults: 1 m, 10 km, 10 m */
	{"LOC", "42 21 54 N 71 06 18 W -24m 30m",
	 BYTES("\0\x33\x16\x13\x89\x17\x2d\xd0\x70\xbe\x15\xf0\0\x98\x8d\x20")},
	/* RFC 3123 section 4 */
	{"APL", "1:192.168.32.0/21 !1:192.168.38.0/28", BYTES("\0\1\x15\3\xc0\xa8\x20\0\1\x1c\x83\xc0\xa8\x26")},
	{"APL", "", BYTES("")},
	{"DS", "60485 5 1 2BB183AF5F22588179A53B0A98631FAD1A292118",
	 BYTES("\xec\x45\5\1\x2b\xb1\x83\xaf\x5f\x22\x58\x81\x79\xa5\x3b\x0a\x98\x63\x1f\xad\x1a\x29\x21"
	       "\x18")},
	/* RFC 4034 section 4.3 */
	{"NSEC", "host.example.com. A MX RRSIG NSEC TYPE1234",
	 BYTES("\4host\7example\3com\0\0\6\x40\1\0\0\0\3\4\x1b"
	       "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x20")},
	{"RRSIG", "A RSASHA256 3 1h 19700101000001 4294967295 7 A. AQI=",
	 BYTES("\0\1\x8\3\0\0\xe\x10\0\0\0\1\xff\xff\xff\xff\0\7\1A\0\1\2")},
	{"NSEC3", "1 0 10 ab 0G A", BYTES("\1\0\0\12\1\xab\1\4\0\1\x40")},
	{"NSEC3PARAM", "1 0 0 -", BYTES("\1\0\0\0\0")},
	{"CERT", "PGP 1 ED25519 AQ==", BYTES("\0\3\0\1\xf\1")},
	{"IPSECKEY", "10 3 2 a. AQ==", BYTES("\12\3\2\1a\0\1")},
	{"AMTRELAY", "10 1 1 192.0.2.1", BYTES("\12\x81\xc0\0\2\1")},
	{"HIP", "2 0102 AwQF a. b.", BYTES("\2\2\0\3\1\2\3\4\5\1a\0\1b\0")},
	{"A6", "61 ::7:0:0:0:1 p.", BYTES("\x3d\7\0\0\0\0\0\0\0\1\1p\0")},
	{"CAA", "128 Issue \"a;b\"", BYTES("\x80\5Issuea;b")},
	{"URI", "1 2 \"x y\"", BYTES("\0\1\0\2x y")},
	{"EUI48", "00-00-5e-00-53-2A", BYTES("\0\0\x5e\0\x53\x2a")},
	{"NID", "10 14:4fff:ff20:ee64", BYTES("\0\12\0\x14\x4f\xff\xff\x20\xee\x64")},
	{"DSYNC", "CDS NOTIFY 53 a.", BYTES("\0\x3b\1\0\x35\1a\0")},
	{"X25", "3110", BYTES("\0043110")},
	{"NSAP", "0x47.00.05", BYTES("\x47\0\5")},
	{"ATMA", "+1.23", BYTES("\001123")},
	{"CSYNC", "1 3 A", BYTES("\0\0\0\1\0\3\0\1\x40")},
	{"NXT", "a. A NXT", BYTES("\1a\0\x40\0\0\2")},
	/* RFC 9460 appendix D.2: mandatory is sorted, and so are the parameters */
	{"SVCB", "16 foo.example.org. alpn=h2,h3-19 mandatory=ipv4hint,alpn ipv4hint=192.0.2.1",
	 BYTES("\0\x10\3foo\7example\3org\0\0\0\0\4\0\1\0\4\0\1\0\x9\2h2\5h3-19\0\4\0\4\xc0\0\2\1")},
	{"SVCB", "16 foo.example.org. alpn=\"f\\\\\\\\oo\\\\,bar,h2\"",
	 BYTES("\0\x10\3foo\7example\3org\0\0\1\0\xc\x8"
	       "f\\oo,bar\2h2")},
	{"SVCB", "16 foo.example.org. alpn=f\\\\\\092oo\\092,bar,h2",
	 BYTES("\0\x10\3foo\7example\3org\0\0\1\0\xc\x8"
	       "f\\oo,bar\2h2")},
	{"SVCB", "1 . key667=\"hello\\210qoo\"", BYTES("\0\1\0\2\x9b\0\x9hello\xd2qoo")},
	{"TYPE65280", "\\# 3 01 0203", BYTES("\1\2\3")},
	{"A", "\\# 4 c0 00 02 01", BYTES("\xc0\0\2\1")},
	{"TXT", "\"\\\\#\" 1 a", BYTES("\2\\#\0011\1a")},
	{"TXT", "( a ; one\n  b ) ; two", BYTES("\1a\1b")},
};

static void
known_octets(void **state)
{
	for (unsigned i = 0; i < ARRAY_LEN(known); i++) {
		int n = read_text(known[i].type, known[i].text);
		if (n < 0)
			fail_msg("%s %s: %s", known[i].type, known[i].text, err.message);
		assert_int_equal(n, known[i].len);
		assert_memory_equal(wire, known[i].octets, known[i].len);
	}
}

/* -------- text -------- */

static void
known_text(void **state)
{
	static const struct {
		const char *type, *octets;
		size_t len;
		const char *text;
	} cases[] = {
		{"RRSIG", BYTES("\0\1\x8\3\0\0\xe\x10\x7f\xff\xff\xff\x80\0\0\0\0\7\0\1"),
		 "A 8 3 3600 20380119031407 20380119031408 7 . AQ=="},
		{"CERT", BYTES("\0\3\0\1\xf\1"), "PGP 1 15 AQ=="},
		{"TXT", BYTES("\4\"\\\0\xff"), "\"\\\"\\\\\\000\\255\""},
		{"LOC", BYTES("\0\x33\x16\x13\x89\x17\x2d\xd0\x70\xbe\x15\xf0\0\x98\x8d\x20"),
		 "42 21 54.000 N 71 6 18.000 W -24.00m 30.00m 10000.00m 10.00m"},
		{"CAA", BYTES("\0\5issue"), "0 issue \"\""},
		{"SVCB", BYTES("\0\1\0\0\1\0\5\4,\\\"a"), "1 . alpn=\"\\\\,\\\\\\\\\\\"a\""},
		{"APL", BYTES(""), ""},
		{"TYPE65280", BYTES(""), "\\# 0"},
		{"OPT", BYTES("\0\12"), "\\# 2 000A"},
		/* octets that the type's own text could not give back */
		{"WKS", BYTES("\xc0\0\2\1\6\x40\0"), "\\# 7 C0000201064000"},
		{"NXT", BYTES("\0\x40\0"), "\\# 3 004000"},
		{"NXT", BYTES("\0\x80"), "\\# 2 0080"},
		{"APL", BYTES("\0\3\0\0"), "\\# 4 00030000"},
		{"ATMA", BYTES("\2x"), "\\# 2 0278"},
		{"AMTRELAY", BYTES("\1\4x"), "\\# 3 010478"},
		{"LOC", BYTES("\0\3\x16\x13\x80\0\0\0\x80\0\0\0\0\x98\x96\x80"),
		 "\\# 16 00031613800000008000000000989680"},
	};
	char text[1000];

	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		const uint8_t *octets = (const uint8_t *)cases[i].octets;
		uint16_t type = type_of(cases[i].type);
		assert_int_equal(rdata_check(type, octets, cases[i].len, &err), 0);
		int n = rdata_to_text(type, octets, cases[i].len, text, sizeof(text));
		assert_int_equal(n, strlen(cases[i].text));
		assert_string_equal(text, cases[i].text);
		assert_int_equal(read_text(cases[i].type, text), cases[i].len);
		assert_memory_equal(wire, octets, cases[i].len);
	}
}

/* Every capacity that is too small is refused, and the smallest that is not works. */
static void
text_capacity(void **state)
{
	static const char expected[] = "10 mail.example.com.";
	int len = read_text("MX", "10 mail");
	char out[sizeof(expected)];

	assert_true(len > 0);
	for (size_t cap = 0; cap < sizeof(expected); cap++)
		assert_int_equal(rdata_to_text(RRTYPE_MX, wire, (size_t)len, out, cap), -ENOBUFS);
	assert_int_equal(rdata_to_text(RRTYPE_MX, wire, (size_t)len, out, sizeof(expected)), sizeof(expected) - 1);
	assert_string_equal(out, expected);
	assert_int_equal(rdata_to_text(65280, wire, 300, out, sizeof(out)), -ENOBUFS);
}

/* -------- errors and how reading goes on after them -------- */

static void
error_places(void **state)
{
	static const struct {
		const char *type, *text;
		uint32_t line, column;
		const char *message;
	} cases[] = {
		{"SOA", "a. (\n b.\n 1 2x\n 3 4 5 )", 3, 4,
		 "a time must be seconds or like 1w2d3h4m5s, at most 4294967295 seconds"},
		{"MX", "( 10 ; preference\n\ta..b. )", 2, 2, "the name has an empty label"},
		{"MX", "( 10\n)", 2, 2, "a domain name is missing"},
		{"TXT", "( \"a\"\n \"b )", 2, 2, "the quote is not closed on its line"},
		{"TXT", "a\n", 0, 0, NULL},
		{"MX", "10 a. ; c\nfoo", 0, 0, NULL},
		{"A", "192.0.2.1\n192.0.2.2", 0, 0, NULL},
		{"A", "( 192.0.2.1\n192.0.2.2 )", 2, 1, "there is more text than the record's data takes"},
		{"A", "( 192.0.2.1", 1, 1, "the parenthesis is never closed"},
	};

	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		int rc = read_text(cases[i].type, cases[i].text);
		if (cases[i].message == NULL) {
			assert_true(rc > 0);
			continue;
		}
		assert_int_equal(rc, -EINVAL);
		assert_string_equal(err.message, cases[i].message);
		assert_int_equal(err.line, cases[i].line);
		assert_int_equal(err.column, cases[i].column);
	}
}

/* The lexer's promise after an error: skip unless last_was_eol, and the next record is whole. */
static void
recovery(void **state)
{
	static const char *const broken[] = {"10 a..b. x\n",       "10\n",      "10 a. b\n",
					     "( 10\n a..\n b )\n", "10 \"a\n",  "10 a.)\n",
					     "\\# 2 00 0\n",       "( 10\n)\n", "\\# x\n"};

	for (unsigned i = 0; i < ARRAY_LEN(broken); i++) {
		char text[64];
		struct lexer lex;
		strcpy(text, broken[i]);
		strcat(text, "20 next.\n");
		lexer_init(&lex, text, strlen(text));
		assert_int_equal(rdata_from_text(&lex, RRTYPE_MX, NULL, wire, &err), -EINVAL);
		if (!lex.last_was_eol)
			lexer_skip_record(&lex);
		assert_int_equal(rdata_from_text(&lex, RRTYPE_MX, NULL, wire, &err), 8);
		assert_memory_equal(wire, "\0\x14\4next", 8);
	}
}

static void
relative_without_origin(void **state)
{
	struct lexer lex;

	lexer_init(&lex, "10 a", 4);
	assert_int_equal(rdata_from_text(&lex, RRTYPE_MX, NULL, wire, &err), -EINVAL);
	assert_string_equal(err.message, name_error_text(NAME_NOT_ABSOLUTE));
	assert_int_equal(err.column, 4);
}

/* Data of more than 65535 octets is refused, of 65535 is not. */
static void
longest_data(void **state)
{
	size_t strings = 256, len = strings * 258;
	char *text = malloc(len + 1), *back = malloc(8 * RDATA_MAX_LEN);
	struct lexer lex;

	assert_true(text != NULL && back != NULL);
	memset(text, 'a', len);
	for (size_t i = 0; i < strings; i++)
		text[i * 258] = text[i * 258 + 257] = ' '; /* two blanks and 256 octets: too long by one */
	lexer_init(&lex, text, len);
	assert_int_equal(rdata_from_text(&lex, RRTYPE_TXT, NULL, wire, &err), -EINVAL);
	assert_string_equal(err.message, "the string is longer than 255 octets");
	for (size_t i = 0; i < strings; i++)
		text[i * 258 + 1] = ' ';
	lexer_init(&lex, text, len);
	assert_int_equal(rdata_from_text(&lex, RRTYPE_TXT, NULL, wire, &err), -EINVAL);
	assert_string_equal(err.message, "the data is longer than 65535 octets");
	text[255 * 258 + 2] = ' ';
	lexer_init(&lex, text, len);
	assert_int_equal(rdata_from_text(&lex, RRTYPE_TXT, NULL, wire, &err), RDATA_MAX_LEN);

	uint8_t *copy = malloc(RDATA_MAX_LEN);
	assert_non_null(copy);
	memcpy(copy, wire, RDATA_MAX_LEN);
	int n = rdata_to_text(RRTYPE_TXT, copy, RDATA_MAX_LEN, back, 8 * RDATA_MAX_LEN);
	assert_true(n > 0);
	lexer_init(&lex, back, (size_t)n);
	assert_int_equal(rdata_from_text(&lex, RRTYPE_TXT, NULL, wire, &err), RDATA_MAX_LEN);
	assert_memory_equal(copy, wire, RDATA_MAX_LEN);
	assert_int_equal(rdata_check(RRTYPE_TXT, copy, RDATA_MAX_LEN + 1, &err), -EINVAL);
	free(copy);
	free(text);
	free(back);
}

/* -------- names -------- */

static void
embedded_names(void **state)
{
	static const struct {
		const char *type, *text;
		unsigned n;
		struct rdata_name names[3];
	} cases[] = {
		{"A", "192.0.2.1", 0, {{0}}},
		{"NS", "a.", 1, {{0, 3, RDATA_NAME_COMPRESS | RDATA_NAME_TARGET}}},
		{"MX", "1 a.", 1, {{2, 3, RDATA_NAME_COMPRESS | RDATA_NAME_TARGET}}},
		{"CNAME", "a.", 1, {{0, 3, RDATA_NAME_COMPRESS}}},
		{"SOA", "a. b.c. 1 2 3 4 5", 2, {{0, 3, RDATA_NAME_COMPRESS}, {3, 5, RDATA_NAME_COMPRESS}}},
		{"MINFO", ". b.", 2, {{0, 1, RDATA_NAME_COMPRESS}, {1, 3, RDATA_NAME_COMPRESS}}},
		{"DNAME", "a.", 1, {{0, 3, 0}}},
		{"SRV", "1 2 3 a.", 1, {{6, 3, RDATA_NAME_TARGET}}},
		{"AFSDB", "1 a.", 1, {{2, 3, RDATA_NAME_TARGET}}},
		{"RT", "1 a.", 1, {{2, 3, RDATA_NAME_TARGET}}},
		{"KX", "1 a.", 1, {{2, 3, RDATA_NAME_TARGET}}},
		{"SVCB", "1 a. port=1", 1, {{2, 3, RDATA_NAME_TARGET}}},
		{"HTTPS", "0 a.", 1, {{2, 3, RDATA_NAME_TARGET}}},
		{"NAPTR", "1 2 s x \"\" a.", 1, {{9, 3, 0}}},
		{"LP", "1 a.", 1, {{2, 3, 0}}},
		{"PX", "1 a. b.", 2, {{2, 3, 0}, {5, 3, 0}}},
		{"RRSIG", "A 8 3 1 2 3 7 a. AQ==", 1, {{18, 3, 0}}},
		{"NSEC", "a. A", 1, {{0, 3, 0}}},
		{"HIP", "2 01 AQ== a. b.", 2, {{6, 3, 0}, {9, 3, 0}}},
		{"IPSECKEY", "1 3 2 a. AQ==", 1, {{3, 3, 0}}},
		{"IPSECKEY", "1 1 2 192.0.2.1 AQ==", 0, {{0}}},
		{"AMTRELAY", "1 0 3 a.", 1, {{2, 3, 0}}},
		{"A6", "128 a.", 1, {{1, 3, 0}}},
		{"TYPE65280", "\\# 3 016100", 0, {{0}}},
		{"OPT", "\\# 3 016100", 0, {{0}}},
	};

	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		struct rdata_name names[4];
		int len = read_text(cases[i].type, cases[i].text);
		assert_true(len > 0);
		unsigned n = rdata_names(type_of(cases[i].type), wire, (size_t)len, names, 4);
		assert_int_equal(n, cases[i].n);
		for (unsigned k = 0; k < n; k++) {
			assert_int_equal(names[k].pos, cases[i].names[k].pos);
			assert_int_equal(names[k].len, cases[i].names[k].len);
			assert_int_equal(names[k].flags, cases[i].names[k].flags);
		}
		if (n > 1)
			assert_int_equal(rdata_names(type_of(cases[i].type), wire, (size_t)len, names, 1), 1);
	}
}

/* RFC 4034 section 6.2 as corrected by RFC 6840 section 5.1. */
static void
canonical_form(void **state)
{
	static const struct {
		const char *type, *text, *lower; /* lower NULL: stays as it is */
	} cases[] = {
		{"NS", "A.Example.", "a.example."},
		{"MD", "A.", "a."},
		{"MF", "A.", "a."},
		{"CNAME", "A.", "a."},
		{"SOA", "A. B. 1 2 3 4 5", "a. b. 1 2 3 4 5"},
		{"MB", "A.", "a."},
		{"MG", "A.", "a."},
		{"MR", "A.", "a."},
		{"PTR", "A.", "a."},
		{"MINFO", "A. B.", "a. b."},
		{"MX", "16705 A.", "16705 a."}, /* 0x4141: the preference is no text */
		{"RP", "A. B.", "a. b."},
		{"AFSDB", "1 A.", "1 a."},
		{"RT", "1 A.", "1 a."},
		{"SIG", "A 8 3 1 2 3 7 A. QUJD", "A 8 3 1 2 3 7 a. QUJD"},
		{"PX", "1 A. B.", "1 a. b."},
		{"NXT", "A. A", "a. A"},
		{"NAPTR", "1 2 S X \"R\" A.", "1 2 S X \"R\" a."},
		{"KX", "1 A.", "1 a."},
		{"SRV", "1 2 3 A.", "1 2 3 a."},
		{"DNAME", "A.", "a."},
		{"A6", "128 A.", "128 a."},
		{"RRSIG", "A 8 3 1 2 3 7 A. QUJD", "A 8 3 1 2 3 7 a. QUJD"},
		{"NSEC", "A. A", NULL},
		{"HINFO", "A B", NULL},
		{"TXT", "A", NULL},
		{"SVCB", "1 A. alpn=H2", NULL},
		{"LP", "1 A.", NULL},
		{"HIP", "2 41 QUJD A.", NULL},
		{"TALINK", "A. B.", NULL},
		{"CAA", "0 Issue A", NULL},
		{"DSYNC", "A 1 2 A.", NULL},
		{"TYPE65280", "\\# 3 014100", NULL},
	};

	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		uint8_t canonical[512];
		int len = read_text(cases[i].type, cases[i].text);
		assert_true(len > 0 && (size_t)len <= sizeof(canonical));
		memcpy(canonical, wire, (size_t)len);
		rdata_canonical(type_of(cases[i].type), canonical, (size_t)len);
		if (cases[i].lower != NULL)
			assert_int_equal(read_text(cases[i].type, cases[i].lower), len);
		assert_memory_equal(canonical, wire, (size_t)len);
	}
}

static void
comparison(void **state)
{
	const uint8_t a[] = {1, 2, 3}, b[] = {1, 2, 4}, high[] = {0xff};

	assert_int_equal(rdata_compare(a, 3, a, 3), 0);
	assert_true(rdata_compare(a, 3, b, 3) < 0);
	assert_true(rdata_compare(b, 3, a, 3) > 0);
	assert_true(rdata_compare(a, 2, a, 3) < 0);
	assert_true(rdata_compare(a, 3, a, 2) > 0);
	assert_true(rdata_compare(high, 1, a, 3) > 0); /* octets have no sign */
	assert_true(rdata_compare(NULL, 0, a, 1) < 0);
	assert_int_equal(rdata_compare(NULL, 0, NULL, 0), 0);
}

/* -------- expansion -------- */

/* rdata_expand() on a heap copy of exact size. */
static int
expand(const char *mnemonic, const void *msg, size_t len, size_t pos, size_t rdlen)
{
	uint8_t *copy = malloc(len > 0 ? len : 1);

	assert_non_null(copy);
	memcpy(copy, msg, len);
	int rc = rdata_expand(type_of(mnemonic), copy, len, pos, rdlen, wire, &err);
	free(copy);
	return rc;
}

static void
expansion(void **state)
{
	/* 0: example.com; 13: rdata */
	static const struct {
		const char *type, *rdata;
		size_t rdlen;
		const char *text; /* NULL: refused */
	} cases[] = {
		{"NS", BYTES("\2ns\xc0\0"), "ns.example.com."},
		{"MX", BYTES("\0\12\xc0\0"), "10 example.com."},
		{"SOA", BYTES("\xc0\0\1H\xc0\10\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0\4\0\0\0\5"),
		 "example.com. H.com. 1 2 3 4 5"},
		{"SRV", BYTES("\0\1\0\2\0\3\1a\xc0\10"), "1 2 3 a.com."},
		{"RP", BYTES("\xc0\0\xc0\10"), "example.com. com."},
		{"AFSDB", BYTES("\0\1\xc0\0"), "1 example.com."},
		{"RT", BYTES("\0\1\xc0\0"), "1 example.com."},
		{"PX", BYTES("\0\1\xc0\0\xc0\10"), "1 example.com. com."},
		{"KX", BYTES("\0\1\xc0\0"), "1 example.com."},
		{"NAPTR", BYTES("\0\1\0\2\1s\1x\0\xc0\0"), "1 2 s x \"\" example.com."},
		{"DNAME", BYTES("\xc0\0"), "example.com."},
		{"NXT", BYTES("\xc0\0\x40"), "example.com. A"},
		{"SIG", BYTES("\0\1\x8\3\0\0\0\1\0\0\0\2\0\0\0\3\0\7\xc0\0\1"), "A 8 3 1 2 3 7 example.com. AQ=="},
		{"A", BYTES("\xc0\0\2\1"), "192.0.2.1"},
		{"TXT", BYTES("\2\xc0\0"), "\"\\192\\000\""},
		{"RRSIG", BYTES("\0\1\x8\3\0\0\0\1\0\0\0\2\0\0\0\3\0\7\xc0\0\1"), NULL},
		{"NSEC", BYTES("\xc0\0\0\1\x40"), NULL},
		{"SVCB", BYTES("\0\1\xc0\0"), NULL},
		{"LP", BYTES("\0\1\xc0\0"), NULL},
		{"NS", BYTES("\xc0\15"), NULL},     /* itself */
		{"NS", BYTES("\2ns\xc0\0x"), NULL}, /* octets behind */
		{"NS", BYTES("\2ns\xc0"), NULL},
		{"MX", BYTES("\0"), NULL},
		{"A", BYTES("\xc0\0\2"), NULL},
	};

	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		uint8_t msg[100] = "\7example\3com", got[300];
		memcpy(msg + 13, cases[i].rdata, cases[i].rdlen);
		int n = expand(cases[i].type, msg, 13 + cases[i].rdlen, 13, cases[i].rdlen);
		if (cases[i].text == NULL) {
			assert_int_equal(n, -EINVAL);
			assert_int_equal(err.line, 0);
			continue;
		}
		assert_true(n > 0);
		memcpy(got, wire, (size_t)n);
		assert_int_equal(read_text(cases[i].type, cases[i].text), n);
		assert_memory_equal(got, wire, (size_t)n);
	}
}

static void
expansion_bounds(void **state)
{
	static const uint8_t msg[] = "\1a\0\1b\0";

	assert_int_equal(expand("NS", msg, 6, 3, 3), 3);
	assert_int_equal(expand("NS", msg, 6, 3, 4), -EINVAL);
	assert_int_equal(expand("NS", msg, 6, 7, 0), -EINVAL);
	assert_int_equal(expand("NS", msg, 6, 6, 0), -EINVAL);
	assert_int_equal(expand("NS", msg, 6, 3, 2), -EINVAL); /* the name would end outside its data */
	assert_int_equal(expand("TYPE65280", msg, 6, 6, 0), 0);
	assert_int_equal(rdata_expand(RRTYPE_NS, msg, 6, 3, 2, wire, NULL), -EINVAL);
	assert_int_equal(rdata_check(RRTYPE_NS, msg, 2, NULL), -EINVAL);
}

/* -------- times -------- */

static void
ttls(void **state)
{
	static const struct {
		const char *text;
		int64_t ttl_s; /* < 0: refused */
	} cases[] = {
		{"0", 0},
		{"3600", 3600},
		{"1h", 3600},
		{"1H30m", 5400},
		{"1w2d3h4m5s", 788645},
		{"5s1w", 604805},
		{"0s", 0},
		{"2147483647", INT32_MAX},
		{"2147483648", -1},
		{"3551w", -1},
		{"3550w", 2147040000},
		{"", -1},
		{"h", -1},
		{"1h30", -1},
		{"1 h", -1},
		{"-1", -1},
		{"+1", -1},
		{"1x", -1},
		{"1hh", -1},
		{"99999999999999999999", -1},
		{"99999999999999999999w", -1},
		{"2147483647s1s", -1},
		{"00060", 60},
	};

	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		uint32_t ttl_s = 77;
		int rc = ttl_from_text(cases[i].text, strlen(cases[i].text), &ttl_s);
		assert_int_equal(rc, cases[i].ttl_s < 0 ? -EINVAL : 0);
		assert_int_equal(ttl_s, cases[i].ttl_s < 0 ? 77 : cases[i].ttl_s);
	}
}

static void
signature_times(void **state)
{
	static const struct {
		const char *text;
		uint32_t s;
	} cases[] = {
		{"19700101000000", 0},
		{"20000229120000", 951825600},
		{"20240229235959", 1709251199},
		{"20380119031408", 2147483648},
		{"21060207062815", UINT32_MAX},
		{"21060207062816", 0},          /* wraps */
		{"21000301000000", 4107542400}, /* 2100 is no leap year */
		{"99991231235959", (uint32_t)253402300799},
	};
	char text[100];

	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		strcpy(text, "A 8 3 1 0 ");
		strcat(strcat(text, cases[i].text), " 7 . AQ==");
		assert_int_equal(read_text("RRSIG", text), 20);
		uint32_t got =
			(uint32_t)wire[12] << 24 | (uint32_t)wire[13] << 16 | (uint32_t)wire[14] << 8 | wire[15];
		assert_int_equal(got, cases[i].s);
	}
	assert_int_equal(read_text("RRSIG", "A 8 3 1 21000229000000 0 7 . AQ=="), -EINVAL);
	assert_int_equal(read_text("RRSIG", "A 8 3 1 20230431000000 0 7 . AQ=="), -EINVAL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_octets),   cmocka_unit_test(known_text),
		cmocka_unit_test(text_capacity),  cmocka_unit_test(error_places),
		cmocka_unit_test(recovery),       cmocka_unit_test(relative_without_origin),
		cmocka_unit_test(longest_data),   cmocka_unit_test(embedded_names),
		cmocka_unit_test(canonical_form), cmocka_unit_test(comparison),
		cmocka_unit_test(expansion),      cmocka_unit_test(expansion_bounds),
		cmocka_unit_test(ttls),           cmocka_unit_test(signature_times),
	};

	return cmocka_run_group_tests_name("rdata", tests, NULL, NULL);
}
