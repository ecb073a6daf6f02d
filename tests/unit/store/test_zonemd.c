/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ZONEMD: the digests of RFC 8976 appendix A, zones that another program has digested, and what must not pass.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "zones/base/alloc.h"
#include "zones/base/compiler.h"
#include "zones/load/zonefile.h"
#include "zones/store/zonemd.h"

static struct name
name_of(const char *text)
{
	struct name n;
	assert_int_equal(name_from_text(text, strlen(text), NULL, &n), NAME_OK);
	return n;
}

static struct snapshot *
load_text(const char *text, const struct name *apex)
{
	struct diag_list diag = {0};
	struct snapshot *s = NULL;
	struct zonefile_files *files = NULL;
	struct zone_builder *b = zone_builder_new(apex);
	assert_int_equal(zonefile_read_text(text, strlen(text), "zone", apex, b, &diag, &files), 0);
	assert_int_equal(zone_builder_finish(b, &diag, &s), 0);
	zonefile_files_free(files);
	diag_clear(&diag);
	return s;
}

/* Builds the zone, verifies it, and frees it. */
static void
expect(const char *text, const char *origin, enum zonemd_result expected, const char *expected_why)
{
	struct name apex = name_of(origin);
	struct snapshot *s = load_text(text, &apex);
	enum zonemd_result result = ZONEMD_ABSENT;
	char why[ZONEMD_WHY_MAX] = "";
	assert_int_equal(zonemd_verify(s, apex.bytes, &result, why), 0);
	assert_string_equal(why, expected_why);
	assert_int_equal(result, expected);
	snapshot_free(s);
	assert_int_equal(zalloc_bytes(), 0);
}

/* -------- RFC 8976 appendix A -------- */

#define GOOD_384 "the SHA-384 digest is right"
#define BAD_384 "the SHA-384 digest is not that of the zone"

#define A1_SOA "example. 86400 IN SOA ns1 admin 2018031900 1800 900 604800 86400\n"
#define A1_REST                                                                                                    \
	"example. 86400 IN NS ns1\n"                                                                               \
	"example. 86400 IN NS ns2\n"                                                                               \
	"ns1 3600 IN A 203.0.113.63\n"                                                                             \
	"ns2 3600 IN AAAA 2001:db8::63\n"
#define A1_DIGEST "c68090d90a7aed716bc459f9340e3d7c1370d4d24b7e2fc3a1ddc0b9a87153b9a9713b3c9ae5cc27777f98b8e730044c"
#define A1_ZONEMD "example. 86400 IN ZONEMD 2018031900 1 1 " A1_DIGEST "\n"

static void
test_simple(void **state)
{
	expect(A1_SOA A1_REST A1_ZONEMD, "example.", ZONEMD_GOOD, GOOD_384);
	expect(A1_SOA A1_REST, "example.", ZONEMD_ABSENT, "there is none");
}

/* The record out of zone of the RFC's text is left away: the builder does not take it. */
static void
test_complex(void **state)
{
	expect(A1_SOA
	       "example. 86400 IN NS ns1\n"
	       "example. 86400 IN NS ns2\n"
	       "example. 86400 IN ZONEMD 2018031900 1 1 a3b69bad980a3504e1cffcb0fd6397f93848071c93151f552ae2f6b17"
	       "11d4bd2d8b39808226d7b9db71e34b72077f8fe\n"
	       "ns1 3600 IN A 203.0.113.63\n"
	       "NS2 3600 IN AAAA 2001:db8::63\n"
	       "occluded.sub 7200 IN TXT \"I'm occluded but must be digested\"\n"
	       "sub 7200 IN NS ns1\n"
	       "duplicate 300 IN TXT \"I must be digested just once\"\n"
	       "duplicate 300 IN TXT \"I must be digested just once\"\n"
	       "UPPERCASE 3600 IN TXT \"canonicalize uppercase owner names\"\n"
	       "* 777 IN PTR dont-forget-about-wildcards\n"
	       "mail 3600 IN MX 20 MAIL1\n"
	       "mail 3600 IN MX 10 Mail2.Example.\n"
	       "sortme 3600 IN AAAA 2001:db8::5:61\n"
	       "sortme 3600 IN AAAA 2001:db8::3:62\n"
	       "sortme 3600 IN AAAA 2001:db8::4:63\n"
	       "sortme 3600 IN AAAA 2001:db8::1:65\n"
	       "sortme 3600 IN AAAA 2001:db8::2:64\n"
	       "non-apex 900 IN ZONEMD 2018031900 1 1 616c6c6f776564206275742069676e6f7265642e20616c6c6f7765642062"
	       "75742069676e6f7265642e20616c6c6f7765\n",
	       "example.", ZONEMD_GOOD, GOOD_384);
}

#define A3_REST                                                                                                    \
	"example. 86400 IN NS ns1.example.\n"                                                                      \
	"example. 86400 IN NS ns2.example.\n"                                                                      \
	"ns1.example. 3600 IN A 203.0.113.63\n"                                                                    \
	"ns2.example. 86400 IN TXT \"This example has multiple digests\"\n"                                        \
	"NS2.EXAMPLE. 3600 IN AAAA 2001:db8::63\n"
#define A3_SHA384                                                                                                  \
	"example. 86400 IN ZONEMD 2018031900 1 1 "                                                                 \
	"62e6cf51b02e54b9b5f967d547ce43136792901f9f88e637493daaf401c92c279dd1"                                     \
	"0f0edb1c56f8080211f8480ee306\n"
#define A3_SHA512                                                                                                  \
	"example. 86400 IN ZONEMD 2018031900 1 2 "                                                                 \
	"08cfa1115c7b948c4163a901270395ea226a930cd2cbcf2fa9a5e6eb85f37c8a4e11"                                     \
	"4d884e66f176eab121cb02db7d652e0cc4827e7a3204f166b47e5613fd27\n"
#define A3_UNKNOWN_HASH "example. 86400 IN ZONEMD 2018031900 1 240 e2d523f654b9422a96c5a8f44607bbee\n"
#define A3_UNKNOWN_SCHEME "example. 86400 IN ZONEMD 2018031900 241 1 e1846540e33a9e4189792d18d5d131f605fc283e\n"

static void
test_multiple(void **state)
{
	expect(A1_SOA A3_REST A3_SHA384 A3_SHA512 A3_UNKNOWN_HASH A3_UNKNOWN_SCHEME, "example.", ZONEMD_GOOD,
	       GOOD_384);
	expect(A1_SOA A3_REST A3_SHA512 A3_UNKNOWN_HASH, "example.", ZONEMD_GOOD, "the SHA-512 digest is right");
	expect(A1_SOA A3_REST A3_UNKNOWN_HASH A3_UNKNOWN_SCHEME, "example.", ZONEMD_UNSUPPORTED,
	       "scheme 1 with hash algorithm 240 is not supported");
	/* a wrong one beside a right one, and beside one that nobody knows */
	expect(A1_SOA A3_REST A1_ZONEMD A3_SHA512, "example.", ZONEMD_GOOD, "the SHA-512 digest is right");
	expect(A1_SOA A3_REST A1_ZONEMD A3_UNKNOWN_HASH, "example.", ZONEMD_BAD, BAD_384);
	/* two of one kind are none, even if one is right */
	expect(A1_SOA A3_REST A3_SHA384 A1_ZONEMD, "example.", ZONEMD_BAD, "more than one digest of SHA-384");
	expect(A1_SOA A3_REST A3_SHA384 A1_ZONEMD A3_SHA512, "example.", ZONEMD_GOOD,
	       "the SHA-512 digest is right");
}

/* -------- what must not pass -------- */

static void
test_bad(void **state)
{
	static const char other_serial[] =
		"example. 86400 IN SOA ns1 admin 2018031901 1800 900 604800 86400\n" A1_REST A1_ZONEMD;
	static const char placeholder[] = A1_SOA A1_REST
		"example. 86400 IN ZONEMD 2018031900 1 1 00000000000000000000000000000000000000000000000"
		"0000000000000000000000000000000000000000000000000\n";
	static const char other_ttl[] = "example. 86401 IN SOA ns1 admin 2018031900 1800 900 604800 86400\n" A1_REST
					"example. 86400 IN ZONEMD 2018031900 1 1 " A1_DIGEST "\n";
	expect(other_serial, "example.", ZONEMD_BAD, "the digest is of serial 2018031900, the zone has 2018031901");
	expect(placeholder, "example.", ZONEMD_BAD, BAD_384);
	expect(other_ttl, "example.", ZONEMD_BAD, BAD_384);
	/* glue, hidden data, a name more */
	expect(A1_SOA A1_REST A1_ZONEMD "a.b 1 IN A 192.0.2.1\n", "example.", ZONEMD_BAD, BAD_384);
	/* a ZONEMD elsewhere is no ZONEMD of the zone */
	expect(A1_SOA A1_REST "sub 1 IN ZONEMD 2018031900 1 1 " A1_DIGEST "\n", "example.", ZONEMD_ABSENT,
	       "there is none");
}

/* -------- signed zones, digested by others -------- */

static char *
read_zone(const char *name)
{
	char path[512];
	const char *dir = getenv("ZONES");
	assert_non_null(dir);
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	FILE *f = fopen(path, "r");
	assert_non_null(f);
	char *text = calloc(1, 65536);
	assert_non_null(text);
	assert_in_range(fread(text, 1, 65535, f), 1, 65534);
	fclose(f);
	return text;
}

/* Changes the first octet of `word` in a text. */
static void
change(char *text, const char *word, char to)
{
	char *p = strstr(text, word);
	assert_non_null(p);
	*p = to;
}

static void
test_signed(void **state)
{
	static const char *const files[] = {"signed-nsec.zone", "signed-nsec3.zone"};
	for (unsigned i = 0; i < ARRAY_LEN(files); i++) {
		char *text = read_zone(files[i]);
		expect(text, "signed.example.", ZONEMD_GOOD, GOOD_384);
		/* the signature over the ZONEMD is not digested, the one over the SOA is */
		change(strstr(text, "RRSIG\tZONEMD"), "370101", '2');
		expect(text, "signed.example.", ZONEMD_GOOD, GOOD_384);
		change(strstr(text, "RRSIG\tSOA"), "370101", '2');
		expect(text, "signed.example.", ZONEMD_BAD, BAD_384);
		free(text);
	}
}

/* The NSEC3 sets, which are not among the nodes, and their signatures count. */
static void
test_nsec3_counts(void **state)
{
	char *text = read_zone("signed-nsec3.zone");
	char *sha384 = strstr(text, "ZONEMD\t7 1 1 ");
	assert_non_null(sha384);
	change(sha384, "5729", '6'); /* leaves SHA-512 as the one that is right */
	expect(text, "signed.example.", ZONEMD_GOOD, "the SHA-512 digest is right");
	char *signature = strstr(text, "RRSIG\tNSEC3 13");
	assert_non_null(signature);
	change(signature, "370101", '2');
	expect(text, "signed.example.", ZONEMD_BAD, BAD_384);
	free(text);
}

#define ORPHANS_DIGEST                                                                                             \
	"a76679c7cc005f486098a9b85433875103f859ef192ff8af927f43dd1b694d25f6507f3c6e0ac07da6d2a60948c2a912"

/* Signatures over sets that are not there stand apart in the node; the digest takes them in their place. */
static void
test_orphan_signatures(void **state)
{
	expect("@ 60 IN SOA ns.test. h.test. 1 2 3 4 5\n"
	       "@ 60 IN NS ns.test.\n"
	       "@ 60 IN ZONEMD 1 1 1 " ORPHANS_DIGEST "\n"
	       "a 60 IN AAAA 2001:db8::1\n"
	       "a 60 IN RRSIG AAAA 13 2 60 20300101000000 20200101000000 1 example. AAAA\n"
	       "a 60 IN RRSIG A 13 2 60 20300101000000 20200101000000 1 example. AAAA\n"
	       "a 60 IN RRSIG TXT 13 2 60 20300101000000 20200101000000 1 Example. AAAA\n"
	       "a 60 IN RRSIG TLSA 13 2 60 20300101000000 20200101000000 1 example. AAAA\n"
	       "a 60 IN CAA 0 issue \"ca.test\"\n",
	       "example.", ZONEMD_GOOD, GOOD_384);
}

static void
test_out_of_memory(void **state)
{
	struct name apex = name_of("example.");
	struct snapshot *s = load_text(A1_SOA A1_REST A1_ZONEMD, &apex);
	size_t before = zalloc_bytes();
	enum zonemd_result result = ZONEMD_ABSENT;
	char why[ZONEMD_WHY_MAX] = "untouched";
	zalloc_fail_at(1);
	assert_int_equal(zonemd_verify(s, apex.bytes, &result, why), -ENOMEM);
	zalloc_fail_at(0);
	assert_int_equal(result, ZONEMD_ABSENT);
	assert_string_equal(why, "untouched");
	assert_int_equal(zalloc_bytes(), before);
	snapshot_free(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_simple),
		cmocka_unit_test(test_complex),
		cmocka_unit_test(test_multiple),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_signed),
		cmocka_unit_test(test_nsec3_counts),
		cmocka_unit_test(test_orphan_signatures),
		cmocka_unit_test(test_out_of_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
