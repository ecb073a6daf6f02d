/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Record sets: what goes in comes out again, whatever was compressed, and what can be shared is shared.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "zones/base/alloc.h"
#include "zones/base/bytes.h"
#include "zones/store/intern.h"
#include "zones/store/rrset.h"
#include "zones/wire/rdata.h"

static struct name
name_of(const char *text)
{
	struct name n;
	assert_int_equal(name_from_text(text, strlen(text), NULL, &n), NAME_OK);
	return n;
}

/* Compiles n records given as text; the octets stay in `wire`, as uncompressed rdata. */
static struct rrset *
compile(const char *apex_text, const char *owner_text, const char *type_text, const char *const *texts, unsigned n,
	struct rrset_rdata *rdatas)
{
	static uint8_t wire[64][2048];
	uint16_t type;
	struct name apex = name_of(apex_text), owner = name_of(owner_text);
	assert_int_equal(rrtype_from_text(type_text, strlen(type_text), &type), 0);
	for (unsigned i = 0; i < n; i++) {
		static uint8_t out[RDATA_MAX_LEN];
		struct lexer lex;
		struct rdata_error err;
		lexer_init(&lex, texts[i], strlen(texts[i]));
		int len = rdata_from_text(&lex, type, &apex, out, &err);
		assert_in_range(len, 0, sizeof(wire[i]));
		memcpy(wire[i], out, (size_t)len);
		rdatas[i] = (struct rrset_rdata){.data = wire[i], .len = (uint16_t)len};
	}
	struct rrset *s = NULL;
	assert_int_equal(rrset_compile(apex.bytes, owner.bytes, type, 3600, rdatas, n, &s), 0);
	return s;
}

static void
check_reads_back(const struct rrset *s, const char *owner_text, const struct rrset_rdata *rdatas, unsigned n)
{
	static uint8_t out[RDATA_MAX_LEN];
	struct name owner = name_of(owner_text);
	struct rrset_iter it;
	rrset_iter_init(&it, s, owner.bytes);
	for (unsigned i = 0; i < n; i++) {
		assert_int_equal(rrset_iter_next(&it, out), rdatas[i].len);
		for (unsigned k = 0; k < rdatas[i].len; k++)
			assert_int_equal(name_lower_octet(out[k]), name_lower_octet(rdatas[i].data[k]));
	}
	assert_int_equal(rrset_iter_next(&it, out), -1);
}

/*
 * Lengths that would point into the middle of one of the owner's labels lead nobody out of it: the owner lies at
 * the end of what may be read.
 */
static void
test_owner_is_not_left(void **state)
{
	size_t page_len = (size_t)sysconf(_SC_PAGESIZE);
	struct name apex = name_of("example."), owner = name_of("zzzzzzzzzzzz.example."),
		    target = name_of("aa.b.test.");
	uint8_t *pages = mmap(NULL, 2 * page_len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(pages != MAP_FAILED);
	assert_int_equal(mprotect(pages + page_len, page_len, PROT_NONE), 0);
	uint8_t *at_end = pages + page_len - owner.len;
	memcpy(at_end, owner.bytes, owner.len);
	struct rrset_rdata rdata = {.data = target.bytes, .len = target.len};
	struct rrset *s = NULL;
	assert_int_equal(rrset_compile(apex.bytes, at_end, RRTYPE_NS, 60, &rdata, 1, &s), 0);
	assert_int_equal(s->n_fixups, 0);
	rrset_release(s);
	munmap(pages, 2 * page_len);
}

struct round_trip {
	const char *apex, *owner, *type;
	const char *texts[4];
	unsigned n;
	unsigned wire_len; /* with compression */
	unsigned n_fixups, n_targets;
};

static void
test_compress(void **state)
{
	static const struct round_trip cases[] = {
		/* 12 octets of head a record; names as written */
		{"example.", "example.", "A", {"192.0.2.1", "192.0.2.2"}, 2, 32, 0, 0},
		/* 3+www and a pointer to the owner; 4+mail and one to the owner */
		{"example.", "example.", "NS", {"www.example.", "mail.example."}, 2, 12 + 6 + 12 + 7, 2, 2},
		/* the owner is below the apex, the target shares only the apex with it */
		{"example.", "a.b.example.", "CNAME", {"c.example."}, 1, 12 + 4, 1, 0},
		/* the whole owner */
		{"example.", "a.example.", "MX", {"10 a.example."}, 1, 12 + 2 + 2, 1, 1},
		/* nothing of the owner: the second name points into the first */
		{"tld.", "foo.tld.", "NS", {"ns1.host.test.", "ns2.host.test."}, 2, 12 + 15 + 12 + 6, 1, 0},
		/* SOA: two names in one record */
		{"tld.", "tld.", "SOA", {"ns.tld. ns.tld. 1 2 3 4 5"}, 1, 12 + 3 + 2 + 2 + 20, 2, 0},
		/* a wildcard's own label is never pointed at */
		{"tld.", "*.w.tld.", "CNAME", {"x.*.w.tld."}, 1, 12 + 2 + 2 + 2, 1, 0},
		/* types younger than RFC 1035 are not compressed, yet may have targets */
		{"tld.", "s.tld.", "SRV", {"1 2 3 a.tld."}, 1, 12 + 6 + 7, 0, 1},
		{"tld.", "s.tld.", "HTTPS", {"1 ."}, 1, 12 + 3, 0, 1},
		{"tld.", "s.tld.", "HTTPS", {"0 ."}, 1, 12 + 3, 0, 0},
		/* the root has nothing worth a pointer */
		{".", ".", "NS", {"a.root.", "b.root."}, 2, 12 + 8 + 12 + 4, 1, 2},
		{".", "x.", "MX", {"0 ."}, 1, 12 + 3, 0, 1},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct round_trip *c = &cases[i];
		struct rrset_rdata rdatas[4];
		struct rrset *s = compile(c->apex, c->owner, c->type, c->texts, c->n, rdatas);
		print_message("%s %s\n", c->owner, c->type);
		check_reads_back(s, c->owner, rdatas, c->n);
		assert_int_equal(s->wire_len, c->wire_len);
		assert_int_equal(s->n_fixups, c->n_fixups);
		assert_int_equal(s->n_targets, c->n_targets);
		rrset_release(s);
	}
	assert_int_equal(zalloc_bytes(), 0);
}

/* More names than the dictionary holds, and than its offsets reach. */
static void
test_many_names(void **state)
{
	enum { N = 2000 };
	static uint8_t wire[N][40];
	static struct rrset_rdata rdatas[N];
	for (unsigned i = 0; i < N; i++) {
		char text[40];
		snprintf(text, sizeof(text), "h%u.d%u.test.", i, i % 700);
		struct name n = name_of(text);
		memcpy(wire[i], n.bytes, n.len);
		rdatas[i] = (struct rrset_rdata){.data = wire[i], .len = n.len};
	}
	struct rrset *s = NULL;
	struct name apex = name_of("example.");
	assert_int_equal(rrset_compile(apex.bytes, apex.bytes, RRTYPE_NS, 1, rdatas, N, &s), 0);
	check_reads_back(s, "example.", rdatas, N);
	rrset_release(s);
}

static void
test_too_large(void **state)
{
	enum { N = 17 };
	static uint8_t octets[4000];
	struct rrset_rdata rdatas[N];
	for (unsigned i = 0; i < N; i++)
		rdatas[i] = (struct rrset_rdata){.data = octets, .len = sizeof(octets)};
	struct name apex = name_of("example.");
	struct rrset *s = NULL;
	assert_int_equal(rrset_compile(apex.bytes, apex.bytes, 65280, 1, rdatas, N, &s), -E2BIG);
	assert_null(s);
	assert_int_equal(rrset_compile(apex.bytes, apex.bytes, 65280, 1, rdatas, N - 1, &s), 0);
	rrset_release(s);
	zalloc_fail_at(1);
	assert_int_equal(rrset_compile(apex.bytes, apex.bytes, 65280, 1, rdatas, 1, &s), -ENOMEM);
	zalloc_fail_at(0);
	assert_int_equal(zalloc_bytes(), 0);
}

static void
test_with_ttl(void **state)
{
	static const char *const texts[] = {"ns.tld. ns.tld. 1 2 3 4 5"};
	struct rrset_rdata rdatas[1];
	struct rrset *s = compile("tld.", "tld.", "SOA", texts, 1, rdatas);
	struct rrset *copy = rrset_with_ttl(s, 5);
	assert_int_equal(rrset_ttl(copy), 5);
	assert_int_equal(load_be32(rrset_wire(copy) + 6), 5);
	assert_int_equal(load_be32(rrset_wire(s) + 6), 3600);
	check_reads_back(copy, "tld.", rdatas, 1);
	rrset_release(copy);
	rrset_release(s);
}

/* Delegations to one provider are one set, and so are those to name servers of the same shape below the cut. */
static void
test_intern(void **state)
{
	static const char *const outside[] = {"ns1.host.test.", "ns2.host.test."};
	static const char *const inside1[] = {"ns.aaa.tld."}, *const inside2[] = {"ns.bbb.tld."};
	struct rrset_rdata rdatas[2];
	struct intern *in = intern_new();
	assert_non_null(in);
	struct rrset *a = intern_set(in, compile("tld.", "aaa.tld.", "NS", outside, 2, rdatas));
	struct rrset *b = intern_set(in, compile("tld.", "longer.tld.", "NS", outside, 2, rdatas));
	assert_ptr_equal(a, b);
	struct rrset *c = intern_set(in, compile("tld.", "aaa.tld.", "NS", inside1, 1, rdatas));
	check_reads_back(c, "aaa.tld.", rdatas, 1);
	struct rrset *d = intern_set(in, compile("tld.", "bbb.tld.", "NS", inside2, 1, rdatas));
	assert_ptr_equal(c, d);
	check_reads_back(d, "bbb.tld.", rdatas, 1);
	assert_ptr_not_equal(a, c);
	intern_release(in);
	rrset_release(a);
	assert_int_equal(b->n_rr, 2); /* b's reference keeps it */
	rrset_release(b);
	rrset_release(c);
	rrset_release(d);
	assert_int_equal(zalloc_bytes(), 0);
}

/* Octets inside a label of the owner may spell a name; a pointer to them would be one into a label. */
static void
test_label_in_label(void **state)
{
	struct rrset_rdata rdatas[1];
	static const char *const texts[] = {"d.e.f."};
	struct rrset *s = compile(".", "abc\\001d\\001e\\001f.", "NS", texts, 1, rdatas);
	assert_int_equal(s->n_fixups, 0);
	check_reads_back(s, "abc\\001d\\001e\\001f.", rdatas, 1);
	rrset_release(s);
	assert_int_equal(zalloc_bytes(), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_owner_is_not_left), cmocka_unit_test(test_compress),
		cmocka_unit_test(test_many_names),        cmocka_unit_test(test_too_large),
		cmocka_unit_test(test_with_ttl),          cmocka_unit_test(test_intern),
		cmocka_unit_test(test_label_in_label),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
