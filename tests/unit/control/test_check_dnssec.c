/* SPDX-License-Identifier: Apache-2.0 */
/* Zones that another program has signed, by each algorithm; and each way in which a signature can be wrong. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "control/check_dnssec.h"
#include "control/dnssec_key.h"
#include "zones/base/alloc.h"
#include "zones/load/zonefile.h"

#define YEAR_2030 INT64_C(1893456000)
#define ZONE_MAX 16384

/* The zone file, with the first occurrence of `from` replaced by `to` (NULL: as it is). */
static void
read_zone(const char *name, const char *from, const char *to, char out[ZONE_MAX])
{
	char path[512], text[ZONE_MAX / 2];
	const char *dir = getenv("ZONES");
	assert_non_null(dir);
	snprintf(path, sizeof(path), "%s/%s.zone", dir, name);
	FILE *f = fopen(path, "r");
	assert_non_null(f);
	size_t len = fread(text, 1, sizeof(text) - 1, f);
	assert_in_range(len, 1, sizeof(text) - 2);
	text[len] = '\0';
	fclose(f);
	if (from == NULL) {
		memcpy(out, text, len + 1);
		return;
	}
	char *at = strstr(text, from);
	assert_non_null(at);
	*at = '\0';
	snprintf(out, ZONE_MAX, "%s%s%s", text, to, at + strlen(from));
}

/* Checks the text at a time; the faults of the check, a line each, must be those. */
static void
expect(const char *text, int64_t now_s, int expected, const char *messages)
{
	struct diag_list diag = {0};
	struct snapshot *s = NULL;
	struct zonefile_files *files = NULL;
	struct name apex;
	char said[4096] = "";
	assert_int_equal(name_from_text("k.example.", 10, NULL, &apex), NAME_OK);
	struct zone_builder *b = zone_builder_new(&apex);
	assert_int_equal(zonefile_read_text(text, strlen(text), "zone", &apex, b, &diag, &files), 0);
	assert_int_equal(zone_builder_finish(b, &diag, &s), 0);
	zonefile_files_free(files);
	diag_clear(&diag);
	diag = (struct diag_list){0};
	int result = check_dnssec(s, &apex, now_s, &diag);
	for (unsigned i = 0; i < diag.n; i++) {
		diag_format(&diag.items[i], said + strlen(said), sizeof(said) - strlen(said));
		strcat(said, "\n");
	}
	assert_string_equal(said, messages);
	assert_int_equal(result, expected);
	snapshot_free(s);
	diag_clear(&diag);
	assert_int_equal(zalloc_bytes(), 0);
}

static const char *const algorithms[] = {"rsasha256",       "rsasha512", "ecdsap256sha256",
					 "ecdsap384sha384", "ed25519",   "ed448"};

static void
every_algorithm_validates(void **state)
{
	char text[ZONE_MAX];
	for (unsigned i = 0; i < ARRAY_LEN(algorithms); i++) {
		read_zone(algorithms[i], NULL, NULL, text);
		expect(text, YEAR_2030, 0, "");
	}
}

/* One record other than the one signed: told once for its set, by every algorithm. */
static void
changed_data_is_found(void **state)
{
	char text[ZONE_MAX];
	for (unsigned i = 0; i < ARRAY_LEN(algorithms); i++) {
		read_zone(algorithms[i], "\"a\" \"b\"", "\"a\" \"c\"", text);
		char *tag_at = strstr(text, "20370101000000 20260101000000 ");
		assert_non_null(tag_at);
		char messages[256];
		snprintf(messages, sizeof(messages),
			 "warning: *.w.k.example. TXT: key %d: the signature is wrong\n"
			 "error: *.w.k.example. TXT: no good signature\n",
			 atoi(tag_at + 30));
		expect(text, YEAR_2030, -EINVAL, messages);
	}
}

/* Ed25519, whose tag is 63787; what is changed is one signature or set, that over the wildcard's TXT or the MX. */
static void
each_field_counts(void **state)
{
	static const struct {
		const char *from, *to, *messages;
	} cases[] = {
		{"TXT 15 3 60 20370101000000", "TXT 15 3 60 20291231235959",
		 "warning: *.w.k.example. TXT: key 63787: the signature has expired on 2029-12-31 23:59:59 UTC\n"
		 "error: *.w.k.example. TXT: no good signature\n"},
		{"MX 15 3 60 20370101000000 20260101000000", "MX 15 3 60 20370101000000 20300101000001",
		 "warning: mx.k.example. MX: key 63787: the signature holds from 2030-01-01 00:00:01 UTC only\n"
		 "error: mx.k.example. MX: no good signature\n"},
		{"TXT 15 3", "TXT 15 4",
		 "warning: *.w.k.example. TXT: key 63787: the signature counts 4 labels, the owner has 3\n"
		 "error: *.w.k.example. TXT: no good signature\n"},
		{"MX 15 3 60 20370101000000 20260101000000 63787 k.example.",
		 "MX 15 3 60 20370101000000 20260101000000 63787 example.",
		 "warning: mx.k.example. MX: key 63787: signed by example., not by the zone\n"
		 "error: mx.k.example. MX: no good signature\n"},
		{"MX 15 3 60 20370101000000 20260101000000 63787", "MX 15 3 60 20370101000000 20260101000000 63788",
		 "warning: mx.k.example. MX: key 63788, algorithm 15: the zone has no such key\n"
		 "error: mx.k.example. MX: no good signature\n"},
		{"MX 15 3", "MX 5 3",
		 "warning: mx.k.example. MX: key 63787: algorithm 5 is not supported\n"
		 "error: mx.k.example. MX: no good signature\n"},
		{"MX 15 3 60", "MX 15 3 50",
		 "warning: mx.k.example. MX: key 63787: the TTL 60 is over the 50 that was signed\n"
		 "warning: mx.k.example. MX: key 63787: the signature is wrong\n"
		 "error: mx.k.example. MX: no good signature\n"},
		{"mx.k.example.\t60\tIN\tRRSIG\tMX", "mx.k.example.\t60\tIN\tRRSIG\tA",
		 "error: mx.k.example. MX: not signed\n"},
		/* glue and the cut's NS need no signature; case of names and of owners does not count */
		{"192.0.2.1", "192.0.2.2", ""},
		{"10 Mail.K.example.", "10 mail.k.EXAMPLE.", ""},
	};
	char text[ZONE_MAX];
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		read_zone("ed25519", cases[i].from, cases[i].to, text);
		expect(text, YEAR_2030, cases[i].messages[0] ? -EINVAL : 0, cases[i].messages);
	}
}

/* One good signature is enough, but the other one is told. */
static void
one_good_signature_is_enough(void **state)
{
	char text[ZONE_MAX];
	read_zone("ed25519", "mx.k.example.\t60\tIN\tMX",
		  "mx.k.example. 60 RRSIG MX 15 3 60 20270101000000 20260101000000 63787 k.example. AAAA\n"
		  "mx.k.example.\t60\tIN\tMX",
		  text);
	expect(text, YEAR_2030, 0,
	       "warning: mx.k.example. MX: key 63787: the signature has expired on 2027-01-01 00:00:00 UTC\n");
}

/* A key that is none: empty, cut short, of no algorithm. Nothing verifies by it. */
static void
bad_keys_are_none(void **state)
{
	static const uint8_t keys[][12] = {{1, 0, 3, 8, 0, 0, 0},
					   {1, 0, 3, 8, 200, 1},
					   {1, 0, 3, 13, 1, 2},
					   {1, 0, 3, 15, 1},
					   {1, 0, 3, 99, 1}};
	for (unsigned i = 0; i < ARRAY_LEN(keys); i++) {
		for (size_t len = 4; len <= sizeof(keys[i]); len++) {
			struct dnssec_key k;
			dnssec_key_read(&k, keys[i], len);
			/* a modulus of some octets behind the exponent is a key to OpenSSL */
			if (k.algorithm != 8)
				assert_null(k.key);
			dnssec_key_clear(&k);
		}
	}
}

static void
an_unsigned_zone_is_an_error(void **state)
{
	expect("@ 60 SOA ns.test. h.test. 1 2 3 4 5\n@ 60 NS ns.test.\n", YEAR_2030, -EINVAL,
	       "error: k.example. has no DNSKEY: the zone is not signed\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_algorithm_validates), cmocka_unit_test(changed_data_is_found),
		cmocka_unit_test(each_field_counts),         cmocka_unit_test(one_good_signature_is_enough),
		cmocka_unit_test(bad_keys_are_none),         cmocka_unit_test(an_unsigned_zone_is_an_error),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
