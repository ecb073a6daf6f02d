/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The builder: what a snapshot holds, which zones are refused and which only warned of, and that running out of
 * memory at any moment leaves nothing behind.
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

static struct name
name_of(const char *text)
{
	struct name n;
	assert_int_equal(name_from_text(text, strlen(text), NULL, &n), NAME_OK);
	return n;
}

struct record {
	const char *owner, *type, *data;
	uint32_t ttl_s;
};

#define APEX "example."
#define SOA APEX, "SOA", "ns.example. h.example. 9 2 3 4 60", 3600
#define NS APEX, "NS", "ns.other.test.", 3600

/* Adds the records with their index + 1 as line; 0 or what zone_builder_add() said. */
static int
fill(struct zone_builder *b, const struct record *records)
{
	struct name apex = name_of(APEX);
	for (unsigned i = 0; records[i].owner != NULL; i++) {
		const struct record *r = &records[i];
		static uint8_t rdata[RDATA_MAX_LEN];
		struct lexer lex;
		struct rdata_error err;
		uint16_t type;
		struct record_place place = {.file = "zone", .line = i + 1, .column = 1};
		struct name owner = name_of(r->owner);
		assert_int_equal(rrtype_from_text(r->type, strlen(r->type), &type), 0);
		lexer_init(&lex, r->data, strlen(r->data));
		int len = rdata_from_text(&lex, type, &apex, rdata, &err);
		assert_in_range(len, 0, RDATA_MAX_LEN);
		int result = zone_builder_add(b, &owner, type, r->ttl_s, rdata, (uint16_t)len, &place);
		if (result != 0)
			return result;
	}
	return 0;
}

static int
build(const struct record *records, struct diag_list *diag, struct snapshot **out)
{
	struct name apex = name_of(APEX);
	struct zone_builder *b = zone_builder_new(&apex);
	if (b == NULL)
		return -ENOMEM;
	int err = fill(b, records);
	if (err != 0) {
		zone_builder_abort(b);
		return err;
	}
	return zone_builder_finish(b, diag, out);
}

static const struct node *
find(const struct snapshot *s, const char *text)
{
	struct name n = name_of(text);
	return (const struct node *)names_find(&s->names, name_hash(n.bytes), n.bytes, n.len);
}

static const struct record tree[] = {
	{SOA},
	{NS},
	{"a.b.c.example.", "A", "192.0.2.1", 60},
	{"*.w.example.", "A", "192.0.2.1", 60},
	{"sub.example.", "NS", "ns.sub.example.", 60},
	{"ns.sub.example.", "A", "192.0.2.2", 60},
	{"ns.sub.example.", "AAAA", "::1", 60},
	{"x.y.d.example.", "TXT", "hidden", 60},
	{"d.example.", "DNAME", "elsewhere.test.", 60},
	{"sub2.example.", "NS", "ns.other.test.", 60},
	{"sub3.example.", "NS", "ns.other.test.", 60},
	{NULL},
};

static void
test_tree(void **state)
{
	struct diag_list diag = {0};
	struct snapshot *s = NULL;
	assert_int_equal(build(tree, &diag, &s), 0);
	assert_int_equal(s->serial, 9);
	assert_int_equal(s->expire_s, 4);
	assert_int_equal(rrset_ttl(s->negative_soa), 60);
	assert_int_equal(s->records, 11);
	assert_int_equal(s->names.count, 13);
	assert_ptr_equal(find(s, APEX), s->apex);
	assert_int_equal(s->apex->entry.flags, NODE_APEX);
	assert_int_equal(s->apex->entry.children, 6);
	/* empty non-terminals */
	assert_int_equal(node_set_count(find(s, "b.c.example.")), 0);
	assert_int_equal(find(s, "c.example.")->entry.children, 1);
	assert_int_equal(find(s, "w.example.")->entry.flags, NODE_WILDCARD);
	/* cuts and what they hide */
	assert_int_equal(find(s, "sub.example.")->entry.flags, NODE_CUT);
	assert_int_equal(find(s, "ns.sub.example.")->entry.flags, NODE_BELOW);
	assert_int_equal(find(s, "d.example.")->entry.flags, NODE_DNAME);
	assert_int_equal(find(s, "y.d.example.")->entry.flags, NODE_BELOW);
	assert_int_equal(find(s, "x.y.d.example.")->entry.flags, NODE_BELOW);
	/* equal sets are one */
	assert_ptr_equal(node_find(find(s, "sub2.example."), RRTYPE_NS).set,
			 node_find(find(s, "sub3.example."), RRTYPE_NS).set);
	for (unsigned k = 0; k < 6; k++)
		assert_int_equal(depth_map_has(&s->depths, k), k >= 1 && k <= 4);
	snapshot_free(s);
	diag_clear(&diag);
	assert_int_equal(zalloc_bytes(), 0);
}

/* Signatures stand behind what they cover; those over nothing stand first and are nobody's. */
static void
test_signatures(void **state)
{
	static const struct record records[] = {
		{SOA},
		{NS},
		{"s.example.", "RRSIG", "TXT 13 2 60 20300101000000 20200101000000 1 example. AAAA", 60},
		{"s.example.", "A", "192.0.2.1", 60},
		{"s.example.", "AAAA", "::1", 60},
		{"s.example.", "RRSIG", "A 13 2 60 20300101000000 20200101000000 1 example. AAAA", 60},
		{"s.example.", "RRSIG", "MX 13 2 60 20300101000000 20200101000000 1 example. AAAA", 60},
		{NULL},
	};
	struct diag_list diag = {0};
	struct snapshot *s = NULL;
	assert_int_equal(build(records, &diag, &s), 0);
	const struct node *n = find(s, "s.example.");
	assert_int_equal(node_set_count(n), 4);
	assert_int_equal(node_set_type(n->sets[0]), RRTYPE_RRSIG);
	assert_int_equal(node_set(n->sets[0])->n_rr, 2);
	assert_non_null(node_find(n, RRTYPE_A).sigs);
	assert_null(node_find(n, RRTYPE_AAAA).sigs);
	assert_null(node_find(n, RRTYPE_TXT).set);
	snapshot_free(s);
	diag_clear(&diag);
}

/* The lowest TTL of a set is its TTL, in whatever order its records come, duplicates included. */
static void
test_lowest_ttl(void **state)
{
	static const uint32_t ttls_s[][3] = {{9, 7, 5}, {5, 7, 9}, {7, 5, 9}, {9, 5, 7}, {7, 9, 5}, {5, 9, 7}};
	for (unsigned i = 0; i < ARRAY_LEN(ttls_s); i++) {
		struct record records[] = {{SOA},
					   {NS},
					   {"a.example.", "A", "192.0.2.1", ttls_s[i][0]},
					   {"a.example.", "A", "192.0.2.1", ttls_s[i][1]},
					   {"a.example.", "A", "192.0.2.2", ttls_s[i][2]},
					   {NULL}};
		struct diag_list diag = {0};
		struct snapshot *s = NULL;
		assert_int_equal(build(records, &diag, &s), 0);
		assert_int_equal(rrset_ttl(node_find(find(s, "a.example."), RRTYPE_A).set), 5);
		snapshot_free(s);
		diag_clear(&diag);
	}
}

struct verdict_case {
	struct record records[8];
	int result;
	const char *messages; /* every diagnostic, a line each */
};

static void
test_checks(void **state)
{
	static const struct verdict_case cases[] = {
		{{{NS}}, -EINVAL, "zone: error: zone example. has no SOA record at its apex\n"},
		{{{SOA}}, -EINVAL, "zone: error: zone example. has no NS record at its apex\n"},
		{{{SOA}, {NS}, {APEX, "SOA", "ns.example. h.example. 10 2 3 4 60", 3600}},
		 -EINVAL,
		 "zone:3:1: error: example. SOA: more than one SOA record at this name\n"},
		{{{SOA}, {NS}, {"x.example.", "SOA", "ns.example. h.example. 10 2 3 4 60", 3600}},
		 -EINVAL,
		 "zone:3:1: error: x.example. SOA: SOA below the apex of the zone\n"},
		{{{SOA}, {NS}, {"x.example.", "CNAME", "y.example.", 1}, {"x.example.", "TXT", "t", 1}},
		 -EINVAL,
		 "zone:4:1: error: x.example. TXT: other data beside a CNAME (RFC 1034 section 3.6.2)\n"},
		{{{SOA}, {NS}, {"x.example.", "CNAME", "y.example.", 1}, {"x.example.", "CNAME", "z.example.", 1}},
		 -EINVAL,
		 "zone:4:1: error: x.example. CNAME: more than one CNAME record at this name\n"},
		{{{SOA}, {NS}, {"x.example.", "NS", "y.test.", 1}, {"x.example.", "DNAME", "z.test.", 1}},
		 -EINVAL,
		 "zone:4:1: error: x.example. DNAME: a name cannot be delegated and redirected (RFC 6672 section "
		 "2.4)\n"},
		{{{SOA}, {NS}, {"x.example.", "NS", "ns.x.example.", 1}},
		 0,
		 "zone:3:1: warning: x.example. NS: ns.x.example. has no address in the zone: glue is missing\n"},
		{{{SOA}, {NS}, {"x.example.", "A", "192.0.2.1", 1}, {"X.example.", "A", "192.0.2.1", 1}},
		 0,
		 "zone:4:1: warning: x.example. A: duplicate record\n"},
		{{{SOA}, {NS}, {"x.example.", "A", "192.0.2.1", 7}, {"x.example.", "A", "192.0.2.2", 5}},
		 0,
		 "zone:4:1: warning: x.example. A: TTL 5 differs from the 7 of the same record set; the lowest is "
		 "used\n"},
		{{{SOA}, {NS}, {"x.example.", "NS", "y.test.", 1}, {"a.x.example.", "TXT", "t", 1}},
		 0,
		 "zone:4:1: warning: a.x.example. TXT: hidden by a delegation above it, never served\n"},
		{{{SOA}, {NS}, {APEX, "MX", "1 x.example.", 1}, {"x.example.", "CNAME", "y.test.", 1}},
		 0,
		 "zone:3:1: warning: example. MX: x.example. is an alias (RFC 2181 section 10.3)\n"},
		{{{SOA}, {NS}, {"x.test.", "A", "192.0.2.1", 1}}, -ERANGE, ""},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct diag_list diag = {0};
		struct snapshot *s = NULL;
		char text[2048] = "";
		int result = build(cases[i].records, &diag, &s);
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

/* However early memory ends, the build fails as a whole, and all of it comes back. */
static void
test_out_of_memory(void **state)
{
	unsigned long n = 1;
	for (int result = -ENOMEM; result != 0; n++) {
		struct diag_list diag = {0};
		struct snapshot *s = NULL;
		zalloc_fail_at(n);
		result = build(tree, &diag, &s);
		zalloc_fail_at(0);
		assert_true(result == 0 || result == -ENOMEM);
		assert_true((s != NULL) == (result == 0));
		snapshot_free(s);
		diag_clear(&diag);
		assert_int_equal(zalloc_bytes(), 0);
	}
	print_message("%lu requests could fail\n", n - 2);
	assert_true(n > 20);
}

/* The order of the records in the file is not seen in the result. */
static void
test_order_does_not_matter(void **state)
{
	struct diag_list diag = {0};
	struct snapshot *forward = NULL, *backward = NULL;
	struct record reversed[ARRAY_LEN(tree)] = {0};
	unsigned n = ARRAY_LEN(tree) - 1;
	for (unsigned i = 0; i < n; i++)
		reversed[i] = tree[n - 1 - i];
	assert_int_equal(build(tree, &diag, &forward), 0);
	assert_int_equal(build(reversed, &diag, &backward), 0);
	assert_int_equal(forward->names.count, backward->names.count);
	for (unsigned i = 0; i < n; i++) {
		const struct node *a = find(forward, tree[i].owner), *b = find(backward, tree[i].owner);
		assert_int_equal(a->entry.flags, b->entry.flags);
		assert_int_equal(a->entry.children, b->entry.children);
		assert_int_equal(node_set_count(a), node_set_count(b));
	}
	snapshot_free(forward);
	snapshot_free(backward);
	diag_clear(&diag);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tree),          cmocka_unit_test(test_signatures),
		cmocka_unit_test(test_lowest_ttl),    cmocka_unit_test(test_checks),
		cmocka_unit_test(test_out_of_memory), cmocka_unit_test(test_order_does_not_matter),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
