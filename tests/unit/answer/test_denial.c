/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proofs of denial: which records an answer carries, and that none of them is superfluous. The NSEC zone is in the
 * manner of RFC 4035 appendix A; the NSEC3 zone's chain is computed here from the names. Signatures stand for
 * themselves: their contents do not matter, that they come does.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/answer/ask.h"
#include "zones/base/compiler.h"
#include "zones/wire/nsec3.h"

#define APEX "example.test."
#define SIG(type) " 60 RRSIG " type " 13 2 60 20300101000000 20200101000000 1 " APEX " AAAA\n"

static const char common[] = "$TTL 60\n"
			     "@ SOA ns host 7 7200 3600 1209600 60\n"
			     "@" SIG("SOA") "@ NS ns\n"
					    "@ DNSKEY 257 3 13 AAAA\n"
					    "ns A 192.0.2.1\n"
					    "*.w A 192.0.2.2\n"
					    "a.b.ent A 192.0.2.3\n"
					    "insecure NS ns.elsewhere.test.\n"
					    "walias CNAME q.w\n";

static const char nsec[] =
	"@ NSEC a.b.ent NS SOA RRSIG NSEC DNSKEY\n"
	"@" SIG("NSEC") "a.b.ent NSEC insecure A RRSIG NSEC\n"
			"a.b.ent" SIG("NSEC") "insecure NSEC ns NS RRSIG NSEC\n"
					      "insecure" SIG(
						      "NSEC") "ns NSEC *.w A RRSIG NSEC\n"
							      "ns" SIG("NSEC") "*.w NSEC walias A RRSIG NSEC\n"
									       "*.w" SIG(
										       "NSEC") "walias NSEC @ "
											       "CNAME RRSIG NSEC\n"
											       "walias" SIG("NSEC");

static struct server server;

/* -------- an NSEC3 chain over all names but the insecure delegation, which is opted out -------- */

#define N_HASHED 8
static const char *const hashed[N_HASHED] = {"", "ns.", "w.", "*.w.", "ent.", "b.ent.", "a.b.ent.", "walias."};
static struct link {
	const char *name;
	uint8_t hash[NSEC3_HASH_LEN];
	char label[NSEC3_LABEL_LEN + 1];
} chain[N_HASHED];

static int
compare_links(const void *a, const void *b)
{
	const struct link *x = a, *y = b;
	return memcmp(x->hash, y->hash, NSEC3_HASH_LEN);
}

static void
make_chain(char *text, size_t cap)
{
	static const struct nsec3_params params = {.iterations = 1, .salt_len = 2, .salt = {0xaa, 0xbb}};
	for (unsigned i = 0; i < N_HASHED; i++) {
		char full[64];
		struct name n;
		uint8_t label[1 + NSEC3_LABEL_LEN];
		snprintf(full, sizeof(full), "%s" APEX, hashed[i]);
		assert_int_equal(name_from_text(full, strlen(full), NULL, &n), NAME_OK);
		chain[i].name = hashed[i];
		nsec3_hash(&params, n.bytes, n.len, chain[i].hash);
		nsec3_label(chain[i].hash, label);
		memcpy(chain[i].label, label + 1, NSEC3_LABEL_LEN);
	}
	qsort(chain, N_HASHED, sizeof(chain[0]), compare_links);
	size_t used = (size_t)snprintf(text, cap, "%s@ NSEC3PARAM 1 0 1 aabb\n", common);
	for (unsigned i = 0; i < N_HASHED; i++)
		used += (size_t)snprintf(text + used, cap - used, "%s NSEC3 1 1 1 aabb %s A RRSIG\n%s" SIG("NSEC3"),
					 chain[i].label, chain[(i + 1) % N_HASHED].label, chain[i].label);
	assert_true(used < cap);
}

static int
set_up_nsec(void **state)
{
	static char text[8192];
	struct answer_config config = {.udp_payload = 4096};
	snprintf(text, sizeof(text), "%s%s", common, nsec);
	server_add(&server, APEX, text);
	server_ready(&server, &config);
	return 0;
}

static int
set_up_nsec3(void **state)
{
	static char text[8192];
	struct answer_config config = {.udp_payload = 4096};
	make_chain(text, sizeof(text));
	server_add(&server, APEX, text);
	server_ready(&server, &config);
	return 0;
}

static int
tear_down(void **state)
{
	server_free(&server);
	return 0;
}

/* -------- what an answer proves -------- */

/* The owners of NSEC or NSEC3 records in a reply, in order, each with a signature behind it; hashes as their names.
 */
static void
proofs_of(char *text, const char *type, char *out, size_t cap)
{
	char sig[32], mark[32];
	snprintf(mark, sizeof(mark), " 60 %s ", type);
	snprintf(sig, sizeof(sig), " 60 RRSIG %s ", type);
	out[0] = '\0';
	unsigned n = 0, n_sigs = 0;
	for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
		n_sigs += strstr(line, sig) != NULL;
		char *at = strstr(line, mark);
		if (line[0] != '!' || at == NULL)
			continue;
		*at = '\0';
		char *owner = line + 2;
		owner[strlen(owner) - strlen(APEX)] = '\0';
		for (unsigned i = 0; i < N_HASHED && type[4] == '3'; i++) {
			if (strncmp(chain[i].label, owner, NSEC3_LABEL_LEN) == 0)
				owner = (char *)(uintptr_t)chain[i].name;
		}
		snprintf(out + strlen(out), cap - strlen(out), "[%s]", owner);
		n++;
	}
	assert_int_equal(n, n_sigs);
}

struct proof_case {
	const char *name, *type;
	const char *status; /* how the reply begins */
	const char *proofs;
};

static void
check(const struct proof_case *cases, unsigned n, const char *type)
{
	for (unsigned i = 0; i < n; i++) {
		static char text[REPLY_TEXT_MAX];
		char proofs[512], name[128];
		snprintf(name, sizeof(name), "%s" APEX, cases[i].name);
		server_ask(&server, &(struct ask){name, cases[i].type, .dnssec = true, .size = 4096}, text);
		print_message("%s %s\n", name, cases[i].type);
		assert_memory_equal(text, cases[i].status, strlen(cases[i].status));
		proofs_of(text, type, proofs, sizeof(proofs));
		assert_string_equal(proofs, cases[i].proofs);
		/* nobody else is told */
		server_ask(&server, &(struct ask){name, cases[i].type, .edns = true, .size = 4096}, text);
		assert_null(strstr(text, " NSEC"));
		assert_null(strstr(text, "RRSIG"));
	}
}

static void
test_nsec(void **state)
{
	static const struct proof_case cases[] = {
		{"ns.", "AAAA", "NOERROR aa\n", "[ns.]"},
		/* between insecure and ns; and no wildcard below the apex, which sorts right behind it */
		{"new.", "A", "NXDOMAIN aa\n", "[insecure.][]"},
		/* one record for both */
		{"alpha.", "A", "NXDOMAIN aa\n", "[]"},
		{"zzz.", "A", "NXDOMAIN aa\n", "[walias.][]"},
		{"x.ns.", "A", "NXDOMAIN aa\n", "[ns.]"},
		{"ent.", "A", "NOERROR aa\n", "[]"},
		{"b.ent.", "A", "NOERROR aa\n", "[]"},
		{"c.ent.", "A", "NXDOMAIN aa\n", "[a.b.ent.][]"},
		{"w.", "A", "NOERROR aa\n", "[ns.]"},
		/* an expansion needs the proof that nothing was closer, its NODATA the wildcard's own types as well
		 */
		{"q.w.", "A", "NOERROR aa\n", "[*.w.]"},
		{"q.w.", "TXT", "NOERROR aa\n", "[*.w.]"},
		{"*.w.", "TXT", "NOERROR aa\n", "[*.w.]"},
		{"walias.", "A", "NOERROR aa\n", "[*.w.]"},
		{"insecure.", "DS", "NOERROR aa\n", "[insecure.]"},
		{"x.insecure.", "A", "NOERROR\n", "[insecure.]"},
	};
	check(cases, ARRAY_LEN(cases), "NSEC");
}

/* Which records cover a hash depends on the hashes: the cases say how many there are and name those that must
 * match. */
static void
test_nsec3(void **state)
{
	static const struct {
		const char *name, *type, *status;
		const char *matches[3]; /* names whose own NSEC3 must be there */
		unsigned at_least, at_most;
	} cases[] = {
		{"ns.", "AAAA", "NOERROR aa\n", {"ns."}, 1, 1},
		{"new.", "A", "NXDOMAIN aa\n", {""}, 1, 3},
		{"x.y.ns.", "A", "NXDOMAIN aa\n", {"ns."}, 1, 3},
		{"ent.", "A", "NOERROR aa\n", {"ent."}, 1, 1},
		{"q.w.", "A", "NOERROR aa\n", {NULL}, 1, 1},
		{"q.w.", "TXT", "NOERROR aa\n", {"w.", "*.w."}, 2, 3},
		{"insecure.", "DS", "NOERROR aa\n", {""}, 1, 2},
		{"x.insecure.", "A", "NOERROR\n", {""}, 1, 2},
	};
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		static char text[REPLY_TEXT_MAX];
		char proofs[512], name[128];
		snprintf(name, sizeof(name), "%s" APEX, cases[i].name);
		server_ask(&server, &(struct ask){name, cases[i].type, .dnssec = true, .size = 4096}, text);
		assert_memory_equal(text, cases[i].status, strlen(cases[i].status));
		proofs_of(text, "NSEC3", proofs, sizeof(proofs));
		print_message("%s %s: %s\n", name, cases[i].type, proofs);
		unsigned n = 0;
		for (const char *p = proofs; (p = strchr(p, '[')) != NULL; p++)
			n++;
		assert_in_range(n, cases[i].at_least, cases[i].at_most);
		for (unsigned k = 0; k < ARRAY_LEN(cases[i].matches) && cases[i].matches[k] != NULL; k++) {
			char match[32];
			snprintf(match, sizeof(match), "[%s]", cases[i].matches[k]);
			assert_non_null(strstr(proofs, match));
		}
	}
}

/* RFC 5155 section 7.2.8: the owner of an NSEC3 record is no name of the zone. */
static void
test_nsec3_owner_is_no_name(void **state)
{
	static char text[REPLY_TEXT_MAX];
	char name[128];
	snprintf(name, sizeof(name), "%.*s." APEX, NSEC3_LABEL_LEN, chain[0].label);
	server_ask(&server, &(struct ask){name, "NSEC3", .dnssec = true, .size = 4096}, text);
	assert_memory_equal(text, "NXDOMAIN aa\n", 12);
}

/* RFC 5155 appendix A: H(example) and H(x.w.example) with 12 iterations and salt aabbccdd. */
static void
test_hash(void **state)
{
	static const struct nsec3_params params = {
		.iterations = 12, .salt_len = 4, .salt = {0xaa, 0xbb, 0xcc, 0xdd}};
	static const struct {
		const char *name, *label;
	} cases[] = {
		{"example.", "0p9mhaveqvm6t7vbl5lop2u3t2rp3tom"},
		{"x.w.example.", "b4um86eghhds6nea196smvmlo4ors995"},
	};
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		struct name n;
		uint8_t hash[NSEC3_HASH_LEN], back[NSEC3_HASH_LEN], label[1 + NSEC3_LABEL_LEN];
		assert_int_equal(name_from_text(cases[i].name, strlen(cases[i].name), NULL, &n), NAME_OK);
		nsec3_hash(&params, n.bytes, n.len, hash);
		nsec3_label(hash, label);
		assert_memory_equal(label + 1, cases[i].label, NSEC3_LABEL_LEN);
		assert_true(nsec3_label_hash(label, back));
		assert_memory_equal(hash, back, NSEC3_HASH_LEN);
		label[5] = 'w'; /* no digit of base32hex */
		assert_false(nsec3_label_hash(label, back));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hash),
		cmocka_unit_test_setup_teardown(test_nsec, set_up_nsec, tear_down),
		cmocka_unit_test_setup_teardown(test_nsec3, set_up_nsec3, tear_down),
		cmocka_unit_test_setup_teardown(test_nsec3_owner_is_no_name, set_up_nsec3, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
