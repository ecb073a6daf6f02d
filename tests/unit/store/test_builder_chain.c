/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Chains of denial: which faults of a signed zone are told, where, and how often; that none of them but an
 * iteration count out of all measure refuses the zone; and that a good zone is not complained of.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "zones/base/alloc.h"
#include "zones/base/compiler.h"
#include "zones/store/builder.h"
#include "zones/wire/rdata.h"

#define APEX "example."
/* Some digest of SHA-256. */
#define HASH_AS_HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static struct name
name_of(const char *text, size_t len)
{
	struct name n;
	assert_int_equal(name_from_text(text, len, NULL, &n), NAME_OK);
	return n;
}

/* Adds one line, `owner TYPE data`. */
static void
add_line(struct zone_builder *b, const char *line, size_t line_len, unsigned number)
{
	static uint8_t rdata[RDATA_MAX_LEN];
	struct name origin = name_of(APEX, strlen(APEX));
	struct record_place place = {.file = "zone", .line = number, .column = 1};
	const char *type_text = (const char *)memchr(line, ' ', line_len) + 1;
	const char *data = (const char *)memchr(type_text, ' ', line_len) + 1;
	struct name owner = name_of(line, (size_t)(type_text - 1 - line));
	struct rdata_error err;
	struct lexer lex;
	uint16_t type;
	assert_int_equal(rrtype_from_text(type_text, (size_t)(data - 1 - type_text), &type), 0);
	lexer_init(&lex, data, (size_t)(line + line_len - data));
	int len = rdata_from_text(&lex, type, &origin, rdata, &err);
	assert_in_range(len, 0, RDATA_MAX_LEN);
	assert_int_equal(zone_builder_add(b, &owner, type, 60, rdata, (uint16_t)len, &place), 0);
}

/* Builds the zone of these texts, one behind the other, a line a record; NULL ends them. */
static int
build(const char *const *texts, struct diag_list *diag, struct snapshot **out)
{
	struct name apex = name_of(APEX, strlen(APEX));
	struct zone_builder *b = zone_builder_new(&apex);
	unsigned number = 0;
	assert_non_null(b);
	for (; *texts != NULL; texts++) {
		for (const char *line = *texts, *end; *line != 0; line = end + 1) {
			end = strchr(line, '\n');
			add_line(b, line, (size_t)(end - line), ++number);
		}
	}
	return zone_builder_finish(b, diag, out);
}

struct verdict_case {
	const char *texts[4];
	const char *messages; /* every diagnostic, a line each */
	int result;
};

static void
check_cases(const struct verdict_case *cases, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct diag_list diag = {0};
		struct snapshot *s = NULL;
		char text[4096] = "";
		int result = build(cases[i].texts, &diag, &s);
		for (unsigned k = 0; k < diag.n; k++) {
			diag_format(&diag.items[k], text + strlen(text), sizeof(text) - strlen(text));
			strcat(text, "\n");
		}
		assert_string_equal(text, cases[i].messages);
		assert_int_equal(result, cases[i].result);
		assert_true((s != NULL) == (result == 0));
		snapshot_free(s);
		diag_clear(&diag);
		assert_int_equal(zalloc_bytes(), 0);
	}
}

#define HEAD                                                                                                       \
	"example. SOA ns.test. h.test. 9 2 3 4 60\n"                                                               \
	"example. NS ns.test.\n"

/* -------- NSEC -------- */

/* An empty non-terminal, a delegation with glue, a wildcard: lines 3 to 8. */
#define NSEC_NAMES                                                                                                 \
	"a.example. A 192.0.2.1\n"                                                                                 \
	"x.ent.example. A 192.0.2.1\n"                                                                             \
	"sub.example. NS ns.sub.example.\n"                                                                        \
	"ns.sub.example. A 192.0.2.2\n"                                                                            \
	"*.w.example. TXT wild\n"                                                                                  \
	"Z.example. TXT z\n"

#define NSEC_APEX "example. NSEC A.example. NS SOA NSEC\n"
#define NSEC_CHAIN                                                                                                 \
	"a.example. NSEC x.ENT.example. A NSEC\n"                                                                  \
	"x.ent.example. NSEC sub.example. A NSEC\n"                                                                \
	"sub.example. NSEC *.w.example. NS NSEC\n"                                                                 \
	"*.w.example. NSEC z.example. TXT NSEC\n"                                                                  \
	"z.example. NSEC example. TXT NSEC\n"

static void
test_nsec(void **state)
{
	static const struct verdict_case cases[] = {
		{{HEAD NSEC_NAMES, NSEC_APEX, NSEC_CHAIN}, "", 0},
		{{HEAD "example. NSEC example. NS SOA NSEC\n"}, "", 0},
		/* not closed */
		{{HEAD "example. NSEC a.example. NS SOA NSEC\n"},
		 "zone:3:1: warning: example. NSEC: the chain is broken: this does not lead to the next one of the "
		 "zone\n",
		 0},
		{{HEAD "a.example. A 192.0.2.1\n", NSEC_APEX, "a.example. NSEC b.example. A NSEC\n"},
		 "zone:5:1: warning: a.example. NSEC: the chain is broken: this does not lead to the next one of "
		 "the "
		 "zone\n",
		 0},
		/* two that lead elsewhere: the first in canonical order is told */
		{{HEAD "a.example. A 192.0.2.1\nb.example. A 192.0.2.1\n", "b.example. NSEC b.example. A NSEC\n",
		  "a.example. NSEC c.example. A NSEC\n" NSEC_APEX},
		 "zone:6:1: warning: a.example. NSEC: the chain is broken: this does not lead to the next one of "
		 "the "
		 "zone (and 1 more)\n",
		 0},
		/* two records at one name */
		{{HEAD, "example. NSEC example. NS SOA NSEC\nexample. NSEC f.example. NS SOA NSEC\n"},
		 "zone:3:1: warning: example. NSEC: the chain is broken: this does not lead to the next one of the "
		 "zone\n",
		 0},
		/* closed, but it leaves names out */
		{{HEAD NSEC_NAMES, "example. NSEC example. NS SOA NSEC\n"},
		 "zone:3:1: warning: a.example. has no NSEC record (and 4 more)\n",
		 0},
		{{HEAD "a.example. A 192.0.2.1\na.example. NSEC a.example. A NSEC\n"},
		 "zone:4:1: warning: a.example. NSEC: there is no NSEC at the apex, so nothing is proved\n",
		 0},
		/* NSEC below a cut is nobody's */
		{{HEAD "sub.example. NS ns.test.\nx.sub.example. NSEC y.example. A NSEC\n"}, "", 0},
	};
	check_cases(cases, ARRAY_LEN(cases));
}

/* -------- NSEC3 -------- */

#define HASH_SUB "1ocurhhekmgijb12o4fl1rfb1he35098"
#define HASH_D "2km8vfb1ttm1c2s1p6aagsi6hkuk0fss"
#define HASH_APEX "3msev9usmd4br9s97v51r2tdvmr9iqo1"
#define HASH_A "6cd522290vma0nr8lqu1ivtcofj94rga"
#define HASH_C_D "iq9u9bqicijbggn968ht1jekhk4oq66g"

#define NSEC3_NAMES                                                                                                \
	"a.example. A 192.0.2.1\n"                                                                                 \
	"c.d.example. A 192.0.2.1\n"                                                                               \
	"sub.example. NS ns.test.\n"

#define PARAM "example. NSEC3PARAM 1 0 0 -\n"
#define NSEC3(hash, flags, next) hash ".example. NSEC3 1 " flags " 0 - " next " A RRSIG\n"

/* All of the chain but that of sub.example., which is first: lines 7 to 10. */
#define NSEC3_CHAIN(last_next)                                                                                     \
	NSEC3(HASH_D, "1", HASH_APEX)                                                                              \
	NSEC3(HASH_APEX, "1", HASH_A) NSEC3(HASH_A, "1", HASH_C_D) NSEC3(HASH_C_D, "1", last_next)

static void
test_nsec3(void **state)
{
	static const struct verdict_case cases[] = {
		{{HEAD NSEC3_NAMES PARAM, NSEC3_CHAIN(HASH_SUB), NSEC3(HASH_SUB, "0", HASH_D)}, "", 0},
		/* an insecure delegation may be opted out of */
		{{HEAD NSEC3_NAMES PARAM, NSEC3_CHAIN(HASH_D)}, "", 0},
		{{HEAD PARAM, NSEC3(HASH_APEX, "0", HASH_APEX)}, "", 0},
		/* a secure one may not */
		{{HEAD NSEC3_NAMES PARAM, NSEC3_CHAIN(HASH_D), "sub.example. DS 1 13 2 " HASH_AS_HEX "\n"},
		 "zone:5:1: warning: sub.example. has no NSEC3 record, nor opt-out that may leave it out\n",
		 0},
		/* nor may anything without opt-out, an empty non-terminal neither */
		{{HEAD NSEC3_NAMES PARAM, NSEC3(HASH_APEX, "0", HASH_APEX)},
		 "zone:3:1: warning: a.example. has no NSEC3 record, nor opt-out that may leave it out (and 3 "
		 "more)\n",
		 0},
		{{HEAD "c.d.example. A 192.0.2.1\n" PARAM,
		  NSEC3(HASH_APEX, "0", HASH_C_D) NSEC3(HASH_C_D, "0", HASH_APEX)},
		 "zone: warning: d.example. has no NSEC3 record, nor opt-out that may leave it out\n",
		 0},
		/* not closed; a gap */
		{{HEAD NSEC3_NAMES PARAM, NSEC3_CHAIN(HASH_C_D), NSEC3(HASH_SUB, "0", HASH_D)},
		 "zone:10:1: warning: " HASH_C_D ".example. NSEC3: the chain is broken: this does not lead to the "
		 "next one of the zone\n",
		 0},
		{{HEAD NSEC3_NAMES PARAM, NSEC3_CHAIN(HASH_A), NSEC3(HASH_SUB, "0", HASH_APEX)},
		 "zone:11:1: warning: " HASH_SUB ".example. NSEC3: the chain is broken: this does not lead to the "
		 "next one of the zone (and 1 more)\n",
		 0},
		/* a second chain, of another salt */
		{{HEAD PARAM, NSEC3(HASH_APEX, "0", HASH_APEX),
		  "eutoqdnp7sm0ivupnvaegov1rgiamv8t.example. NSEC3 1 0 0 AA eutoqdnp7sm0ivupnvaegov1rgiamv8t NS\n"},
		 "zone:5:1: warning: eutoqdnp7sm0ivupnvaegov1rgiamv8t.example. NSEC3: not made with the parameters "
		 "of the zone's NSEC3PARAM\n",
		 0},
	};
	check_cases(cases, ARRAY_LEN(cases));
}

/* -------- what is there and what is not -------- */

static void
test_kinds(void **state)
{
	static const struct verdict_case cases[] = {
		{{HEAD "example. NSEC example. NS SOA NSEC\n" PARAM, NSEC3(HASH_APEX, "0", HASH_APEX)},
		 "zone:3:1: warning: example. NSEC: NSEC and NSEC3 in one zone; proofs are made from NSEC3 alone\n",
		 0},
		{{HEAD "example. NSEC example. NS SOA NSEC\n", NSEC3(HASH_APEX, "0", HASH_APEX)},
		 "zone:3:1: warning: example. NSEC: NSEC and NSEC3 in one zone; proofs are made from NSEC alone\n"
		 "zone:4:1: warning: " HASH_APEX ".example. NSEC3: there is no usable NSEC3PARAM at the apex, so "
		 "nothing is proved by NSEC3 (RFC 5155 section 4.1)\n",
		 0},
		{{HEAD PARAM}, "zone:3:1: warning: example. NSEC3PARAM: there are no NSEC3 records\n", 0},
		/* flags are for the signer alone */
		{{HEAD "example. NSEC3PARAM 1 1 0 -\n", NSEC3(HASH_APEX, "0", HASH_APEX)},
		 "zone:4:1: warning: " HASH_APEX ".example. NSEC3: there is no usable NSEC3PARAM at the apex, so "
		 "nothing is proved by NSEC3 (RFC 5155 section 4.1)\n",
		 0},
	};
	check_cases(cases, ARRAY_LEN(cases));
}

static void
test_iterations(void **state)
{
	static const struct verdict_case cases[] = {
		{{HEAD "example. NSEC3PARAM 1 0 1 -\n",
		  "c1kgc91hrn9nqi2qjh1ms78ki8p7s75o.example. NSEC3 1 0 1 - c1kgc91hrn9nqi2qjh1ms78ki8p7s75o NS\n"},
		 "zone:3:1: warning: example. NSEC3PARAM: 1 iterations: should be 0 (RFC 9276 section 3.1)\n",
		 0},
		{{HEAD "example. NSEC3PARAM 1 0 151 -\n", NSEC3(HASH_APEX, "0", HASH_APEX)},
		 "zone:3:1: error: example. NSEC3PARAM: 151 iterations: more than the 150 that resolvers accept "
		 "(RFC "
		 "9276 section 3.2)\n",
		 -EINVAL},
		{{HEAD "example. NSEC3PARAM 1 0 65535 -\n", NSEC3(HASH_APEX, "0", HASH_APEX)},
		 "zone:3:1: error: example. NSEC3PARAM: 65535 iterations: more than the 150 that resolvers accept "
		 "(RFC "
		 "9276 section 3.2)\n",
		 -EINVAL},
	};
	check_cases(cases, ARRAY_LEN(cases));
}

/* -------- signatures -------- */

#define SIG(owner, type) owner " RRSIG " type " 13 1 60 20300101000000 20200101000000 1 example. AAAA\n"

static void
test_signatures(void **state)
{
	static const struct verdict_case cases[] = {
		{{HEAD "sub.example. NS ns.sub.example.\nns.sub.example. A 192.0.2.2\n" SIG("example.", "SOA")
			  SIG("example.", "NS")},
		 "",
		 0},
		{{HEAD "a.example. TXT t\na.example. TXT u\n" SIG("example.", "SOA")},
		 "zone:2:1: warning: example. NS: not signed, in a signed zone (and 1 more record sets)\n",
		 0},
		{{HEAD "sub.example. NS ns.test.\nsub.example. DS 1 13 2 " HASH_AS_HEX "\n",
		  SIG("example.", "SOA") SIG("example.", "NS")},
		 "zone:4:1: warning: sub.example. DS: not signed, in a signed zone\n",
		 0},
		/* an unsigned zone needs none */
		{{HEAD "a.example. TXT t\n"}, "", 0},
	};
	check_cases(cases, ARRAY_LEN(cases));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nsec),       cmocka_unit_test(test_nsec3),      cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_iterations), cmocka_unit_test(test_signatures),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
