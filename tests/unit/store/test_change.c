/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Changes: random ones against zones built as a whole, what strictness says, what is shared, and that running out
 * of memory at any moment leaves the base as it was and nothing behind.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/store/change_fixture.h"
#include "zones/base/alloc.h"
#include "zones/base/compiler.h"
#include "zones/store/builder.h"
#include "zones/store/diff.h"
#include "zones/wire/rdata.h"

static unsigned n_records;

static uint64_t
next_random(uint64_t *state)
{
	uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	return z ^ (z >> 27);
}

/* Announces a name that may come soon, or not: that must not matter. */
static void
random_expectation(struct zone_change *c, unsigned which)
{
	struct name owner;
	uint16_t type, rdlen;
	const uint8_t *rdata;
	model_record(which, &owner, &type, &rdata, &rdlen);
	zone_change_expect(c, owner.bytes);
}

/* Applies some random steps, at the apex more often than elsewhere. */
static void
random_steps(struct model *m, struct zone_change *c, uint64_t *random)
{
	unsigned n = 1 + (unsigned)(next_random(random) % 12);
	for (unsigned i = 0; i < n; i++) {
		uint64_t r = next_random(random);
		random_expectation(c, (unsigned)(r >> 40) % n_records);
		unsigned which = r & 0x300 ? (unsigned)(r >> 16) % n_records : (unsigned)(r >> 16) % 11;
		assert_int_equal(model_step(m, c, (uint8_t)r, which, (uint8_t)(r >> 60)), 0);
	}
}

/* One change of *s: what comes of it must be what a whole build says, be it a zone or a refusal. */
static void
change_once(struct snapshot **s, struct model *m, uint64_t *random, unsigned *n_refused)
{
	struct diag_list diag = {0}, built_diag = {0};
	struct model next = *m;
	struct snapshot *changed = NULL, *built = NULL, *before = NULL;
	struct snapshot_remains *remains = NULL;
	struct zone_change *c = zone_change_new(*s, ZONE_CHANGE_LENIENT, &diag);
	assert_non_null(c);
	random_steps(&next, c, random);
	int err = zone_change_finish(c, &changed, &remains);
	assert_int_equal(err, model_build(&next, &built_diag, &built));
	assert_int_equal(model_build(m, &built_diag, &before), 0);
	snapshots_check_equal(*s, before); /* the base is as it was */
	*n_refused += err != 0;
	if (err == 0 && next_random(random) % 4 == 0) {
		snapshot_discard(changed, remains);
		snapshots_check_equal(*s, before);
	} else if (err == 0) {
		snapshots_check_equal(changed, built);
		model_settle(&next, changed);
		model_check_diff(m, *s, &next, changed);
		model_check_diff(&next, changed, m, *s);
		model_check_diff(&next, built, m, *s); /* which shares nothing */
		snapshot_remains_free(remains);
		snapshots_check_equal(changed, built);
		*s = changed;
		*m = next;
	}
	snapshot_free(before);
	snapshot_free(built);
	diag_clear(&diag);
	diag_clear(&built_diag);
}

static void
test_random(void **state)
{
	uint64_t random = 1;
	unsigned n_refused = 0, n_changes = 0;
	for (unsigned round = 0; round < 150; round++) {
		struct diag_list diag = {0};
		struct model m = model_start();
		struct snapshot *s = NULL;
		assert_int_equal(model_build(&m, &diag, &s), 0);
		for (unsigned i = 0; i < 60; i++, n_changes++)
			change_once(&s, &m, &random, &n_refused);
		snapshot_free(s);
		diag_clear(&diag);
		assert_int_equal(zalloc_bytes(), 0);
	}
	assert_in_range(n_refused, n_changes / 20, n_changes * 9 / 10);
}

/* -------- by hand -------- */

struct record {
	const char *owner, *type, *data;
	uint32_t ttl_s;
};

static struct name
name_of(const char *text)
{
	struct name n;
	assert_int_equal(name_from_text(text, strlen(text), NULL, &n), NAME_OK);
	return n;
}

#define SOA(serial)                                                                                                \
	{                                                                                                          \
		"example.", "SOA", "ns.example. h.example. " #serial " 2 3 4 60", 3600                             \
	}

/* Calls the change with one record; `verb` is + or -. */
static int
apply(struct zone_change *c, char verb, const struct record *r)
{
	static uint8_t rdata[RDATA_MAX_LEN];
	struct name apex = name_of("example."), owner = name_of(r->owner);
	struct rdata_error err;
	struct lexer lex;
	uint16_t type;
	assert_int_equal(rrtype_from_text(r->type, strlen(r->type), &type), 0);
	lexer_init(&lex, r->data, strlen(r->data));
	int len = rdata_from_text(&lex, type, &apex, rdata, &err);
	assert_in_range(len, 0, RDATA_MAX_LEN);
	if (verb == '+')
		return zone_change_add(c, &owner, type, r->ttl_s, rdata, (uint16_t)len);
	return zone_change_remove(c, &owner, type, rdata, (uint16_t)len);
}

static struct snapshot *
base_new(const struct record *records)
{
	struct model m = model_start();
	struct diag_list diag = {0};
	struct snapshot *s, *next;
	struct snapshot_remains *remains;
	assert_int_equal(model_build(&m, &diag, &s), 0);
	struct zone_change *c = zone_change_new(s, ZONE_CHANGE_STRICT, &diag);
	for (unsigned i = 0; records[i].owner != NULL; i++)
		assert_int_equal(apply(c, '+', &records[i]), 0);
	assert_int_equal(zone_change_finish(c, &next, &remains), 0);
	snapshot_remains_free(remains);
	diag_clear(&diag);
	return next;
}

static const struct node *
find(const struct snapshot *s, const char *text)
{
	struct name n = name_of(text);
	return (const struct node *)names_find(&s->names, name_hash(n.bytes), n.bytes, n.len);
}

static const struct record small[] = {
	{"a.example.", "A", "192.0.2.1", 60},          {"b.example.", "NS", "ns.other.test.", 60},
	{"c.example.", "NS", "ns.other.test.", 60},    {"x.y.z.example.", "TXT", "deep", 60},
	{"mx.example.", "MX", "10 Mail.example.", 60}, {NULL},
};

static void
test_strict(void **state)
{
	static const struct {
		char verb;
		struct record record;
		int result;
		const char *message;
	} cases[] = {
		{'-',
		 {"a.example.", "A", "192.0.2.9", 60},
		 -ENOENT,
		 "a.example. A: 192.0.2.9: is to be removed and is not there"},
		{'-',
		 {"no.example.", "A", "192.0.2.9", 60},
		 -ENOENT,
		 "no.example. A: 192.0.2.9: is to be removed and is not there"},
		{'+',
		 {"A.example.", "A", "192.0.2.1", 7},
		 -EEXIST,
		 "a.example. A: 192.0.2.1: is to be added and is there already"},
		{'-', {"mx.example.", "MX", "10 mAIL.example.", 1}, 0, NULL},
		{'+', {"a.other.", "A", "192.0.2.1", 7}, -ERANGE, NULL},
	};
	struct snapshot *s = base_new(small);
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		struct diag_list diag = {0};
		struct zone_change *c = zone_change_new(s, ZONE_CHANGE_STRICT, &diag);
		assert_int_equal(apply(c, cases[i].verb, &cases[i].record), cases[i].result);
		assert_int_equal(diag.n, cases[i].message != NULL);
		if (cases[i].message != NULL)
			assert_string_equal(diag.items[0].message, cases[i].message);
		zone_change_abort(c);
		diag_clear(&diag);
	}
	snapshot_free(s);
	assert_int_equal(zalloc_bytes(), 0);
}

/* Three differences through one change, as an IXFR brings them; each takes out the SOA that the one before put in.
 */
static void
test_sequence(void **state)
{
	static const struct record soas[] = {SOA(1), SOA(2), SOA(3), SOA(4)};
	static const struct record flips = {"a.example.", "A", "192.0.2.2", 60};
	struct snapshot *s = base_new(small), *next;
	struct snapshot_remains *remains;
	struct diag_list diag = {0};
	struct zone_change *c = zone_change_new(s, ZONE_CHANGE_STRICT, &diag);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(apply(c, '-', &soas[i]), 0);
		assert_int_equal(apply(c, '+', &soas[i + 1]), 0);
		assert_int_equal(apply(c, i == 1 ? '-' : '+', &flips), 0);
	}
	assert_int_equal(apply(c, '-', &soas[0]), -ENOENT);
	assert_int_equal(zone_change_finish(c, &next, &remains), 0);
	assert_int_equal(next->serial, 4);
	assert_int_equal(s->serial, 1);
	assert_int_equal(node_find(find(next, "a.example."), RRTYPE_A).set->n_rr, 2);
	assert_int_equal(node_find(find(s, "a.example."), RRTYPE_A).set->n_rr, 1);
	snapshot_remains_free(remains);
	snapshot_free(next);
	diag_clear(&diag);
	assert_int_equal(zalloc_bytes(), 0);
}

/* What no edit concerns is the same object in both versions; so is a set at a changed name that did not change. */
static void
test_sharing(void **state)
{
	static const struct record added = {
		"b.example.", "DS", "1 13 2 0000000000000000000000000000000000000000000000000000000000000000", 60};
	static const struct record servers[] = {{"d.example.", "NS", "ns.new.test.", 60},
						{"e.example.", "NS", "ns.new.test.", 60}};
	struct snapshot *s = base_new(small), *next;
	struct snapshot_remains *remains;
	struct diag_list diag = {0};
	struct zone_change *c = zone_change_new(s, ZONE_CHANGE_STRICT, &diag);
	assert_int_equal(apply(c, '+', &added), 0);
	assert_int_equal(apply(c, '+', &servers[0]), 0);
	assert_int_equal(apply(c, '+', &servers[1]), 0);
	assert_int_equal(zone_change_finish(c, &next, &remains), 0);
	assert_ptr_equal(find(next, "a.example."), find(s, "a.example."));
	assert_ptr_equal(find(next, "x.y.z.example."), find(s, "x.y.z.example."));
	assert_ptr_not_equal(find(next, "b.example."), find(s, "b.example."));
	assert_ptr_equal(node_find(find(next, "b.example."), RRTYPE_NS).set,
			 node_find(find(s, "c.example."), RRTYPE_NS).set);
	assert_ptr_equal(node_find(find(next, "d.example."), RRTYPE_NS).set,
			 node_find(find(next, "e.example."), RRTYPE_NS).set);
	assert_int_equal(remains->nodes.n, 2);     /* b, and the apex for its count of children */
	assert_int_equal(remains->new_nodes.n, 4); /* and d and e */
	snapshot_remains_free(remains);
	snapshot_free(next);
	diag_clear(&diag);
	assert_int_equal(zalloc_bytes(), 0);
}

/* A cut that appears above names which the change does not name hides them; when it goes they are back. */
static void
test_flip(void **state)
{
	static const struct record cut = {"z.example.", "NS", "ns.other.test.", 60};
	struct snapshot *s = base_new(small), *next;
	for (unsigned i = 0; i < 2; i++) {
		struct snapshot_remains *remains;
		struct diag_list diag = {0};
		struct zone_change *c = zone_change_new(s, ZONE_CHANGE_STRICT, &diag);
		assert_int_equal(apply(c, i == 0 ? '+' : '-', &cut), 0);
		assert_int_equal(zone_change_finish(c, &next, &remains), 0);
		assert_int_equal(find(next, "z.example.")->entry.flags, i == 0 ? NODE_CUT : 0);
		assert_int_equal(find(next, "y.z.example.")->entry.flags, i == 0 ? NODE_BELOW : 0);
		assert_int_equal(find(next, "x.y.z.example.")->entry.flags, i == 0 ? NODE_BELOW : 0);
		assert_int_equal(find(s, "x.y.z.example.")->entry.flags, i == 0 ? 0 : NODE_BELOW);
		snapshot_remains_free(remains);
		diag_clear(&diag);
		s = next;
	}
	snapshot_free(s);
	assert_int_equal(zalloc_bytes(), 0);
}

/* Signatures over what is there and over what is not, which the base keeps in different places. */
static const struct record with_orphans[] = {
	{"a.example.", "A", "192.0.2.1", 60},
	{"a.example.", "A", "192.0.2.2", 60},
	{"a.example.", "RRSIG", "A 8 2 60 20300101000000 20200101000000 1 example. AAAA", 60},
	{"a.example.", "RRSIG", "TXT 8 2 60 20300101000000 20200101000000 1 example. AAAA", 60},
	{"a.example.", "RRSIG", "MX 8 2 60 20300101000000 20200101000000 1 example. AAAA", 60},
	{NULL},
};

static size_t
count(struct zone_change *c, const char *owner, uint16_t type)
{
	struct name name = name_of(owner);
	size_t n = 99;
	assert_int_equal(zone_change_count(c, &name, type, &n), 0);
	return n;
}

/* A change tells what there is now; what it undoes itself is no change. */
static void
test_reading(void **state)
{
	(void)state;
	struct snapshot *s = base_new(with_orphans);
	struct diag_list diag = {0};
	struct zone_change *c = zone_change_new(s, ZONE_CHANGE_LENIENT, &diag);
	struct name a = name_of("a.example."), out = name_of("a.other.");
	static const uint8_t address[] = {192, 0, 2, 2}, other[] = {192, 0, 2, 3};
	size_t n = 7;
	bool is = false;
	assert_int_equal(zone_change_count(c, &out, RRTYPE_A, &n), -ERANGE);
	assert_int_equal(n, 7);
	assert_int_equal(count(c, "A.Example.", RRTYPE_A), 2);
	assert_int_equal(count(c, "a.example.", RRTYPE_TXT), 0);
	assert_int_equal(count(c, "a.example.", RRTYPE_RRSIG), 3);
	assert_int_equal(count(c, "a.example.", RRTYPE_ANY), 5);
	assert_int_equal(count(c, "b.example.", RRTYPE_ANY), 0);
	assert_int_equal(zone_change_has(c, &a, RRTYPE_A, address, 4, &is), 0);
	assert_true(is);
	assert_int_equal(zone_change_has(c, &a, RRTYPE_A, other, 4, &is), 0);
	assert_false(is);
	assert_false(zone_change_is_effective(c));
	for (unsigned i = 0; with_orphans[i].owner != NULL; i++) {
		assert_int_equal(apply(c, '-', &with_orphans[i]), 0);
		assert_true(zone_change_is_effective(c));
		assert_int_equal(count(c, "a.example.", RRTYPE_ANY), 4);
		assert_int_equal(apply(c, '+', &with_orphans[i]), 0);
		assert_false(zone_change_is_effective(c));
	}
	/* One for another is a change though as many are left; so is a TTL. */
	assert_int_equal(zone_change_remove(c, &a, RRTYPE_A, address, 4), 0);
	assert_int_equal(zone_change_put(c, &a, RRTYPE_A, 60, other, 4), 0);
	assert_true(zone_change_is_effective(c));
	assert_int_equal(zone_change_put(c, &a, RRTYPE_A, 60, address, 4), 0);
	assert_int_equal(zone_change_remove(c, &a, RRTYPE_A, other, 4), 0);
	assert_false(zone_change_is_effective(c));
	assert_int_equal(zone_change_put(c, &a, RRTYPE_A, 61, address, 4), 0);
	assert_true(zone_change_is_effective(c));
	zone_change_abort(c);
	snapshot_free(s);
	diag_clear(&diag);
	assert_int_equal(zalloc_bytes(), 0);
}

static void
test_refused(void **state)
{
	static const struct record alias = {"a.example.", "CNAME", "b.example.", 60};
	static const struct record soa = SOA(1);
	struct snapshot *s = base_new(small), *next = NULL;
	struct snapshot_remains *remains = NULL;
	for (unsigned i = 0; i < 2; i++) {
		struct diag_list diag = {0};
		struct zone_change *c = zone_change_new(s, ZONE_CHANGE_STRICT, &diag);
		size_t before = zalloc_bytes();
		assert_int_equal(i == 0 ? apply(c, '+', &alias) : apply(c, '-', &soa), 0);
		assert_int_equal(zone_change_finish(c, &next, &remains), -EINVAL);
		assert_true(zalloc_bytes() < before);
		assert_string_equal(diag.items[0].message,
				    i == 0 ? "a.example. A: other data beside a CNAME (RFC 1034 section 3.6.2)"
					   : "zone example. has no SOA record at its apex");
		assert_null(next);
		assert_null(remains);
		diag_clear(&diag);
	}
	snapshot_free(s);
	assert_int_equal(zalloc_bytes(), 0);
}

/* -------- many names -------- */

enum { LARGE = 4000, FIRST_GONE = 100, LAST_GONE = 500, MORE = 1500 };
enum large_kind { LARGE_PLAIN, LARGE_NSEC, LARGE_NSEC3, LARGE_KINDS };

/* Gets a record; `to` is a builder or a change. */
typedef int take_record(void *to, const struct name *owner, uint16_t type, const uint8_t *rdata, uint16_t rdlen);

static int
take_to_build(void *to, const struct name *owner, uint16_t type, const uint8_t *rdata, uint16_t rdlen)
{
	return zone_builder_add(to, owner, type, 60, rdata, rdlen, NULL);
}

static int
take_to_add(void *to, const struct name *owner, uint16_t type, const uint8_t *rdata, uint16_t rdlen)
{
	return zone_change_add(to, owner, type, 60, rdata, rdlen);
}

static int
take_to_remove(void *to, const struct name *owner, uint16_t type, const uint8_t *rdata, uint16_t rdlen)
{
	return zone_change_remove(to, owner, type, rdata, rdlen);
}

static void
feed_nsec(void *to, take_record *take, const struct name *owner)
{
	static const uint8_t types[] = {0, 1, 0x40};
	uint8_t rdata[NAME_MAX_LEN + sizeof(types)];
	memcpy(rdata, owner->bytes, owner->len);
	memcpy(rdata + owner->len, types, sizeof(types));
	assert_int_equal(take(to, owner, RRTYPE_NSEC, rdata, owner->len + sizeof(types)), 0);
}

static void
feed_nsec3(void *to, take_record *take, uint64_t seed)
{
	uint8_t rdata[6 + NSEC3_HASH_LEN + 3] = {1, 0, 0, 0, 0, NSEC3_HASH_LEN};
	for (unsigned i = 0; i < NSEC3_HASH_LEN; i++)
		rdata[6 + i] = (uint8_t)next_random(&seed);
	rdata[6 + NSEC3_HASH_LEN + 1] = 1;
	rdata[6 + NSEC3_HASH_LEN + 2] = 0x40;
	struct name apex = name_of("example."), owner = {.len = (uint8_t)(1 + NSEC3_LABEL_LEN + apex.len)};
	nsec3_label(rdata + 6, owner.bytes);
	memcpy(owner.bytes + 1 + NSEC3_LABEL_LEN, apex.bytes, apex.len);
	assert_int_equal(take(to, &owner, RRTYPE_NSEC3, rdata, sizeof(rdata)), 0);
}

/* Two records a name in the signed kinds, else one. */
static void
feed_names(void *to, take_record *take, enum large_kind kind, unsigned from, unsigned end)
{
	for (unsigned i = from; i < end; i++) {
		char text[32];
		uint8_t address[4] = {192, 0, (uint8_t)(i >> 8), (uint8_t)i};
		snprintf(text, sizeof(text), "n%u.example.", i);
		struct name owner = name_of(text);
		assert_int_equal(take(to, &owner, RRTYPE_A, address, sizeof(address)), 0);
		if (kind == LARGE_NSEC)
			feed_nsec(to, take, &owner);
		if (kind == LARGE_NSEC3)
			feed_nsec3(to, take, i);
	}
}

static struct snapshot *
large_build(enum large_kind kind, bool is_changed)
{
	static const uint8_t param[5] = {1};
	struct name apex = name_of("example."), ns = name_of("ns.other.test.");
	uint8_t soa[2 + 20] = {0};
	struct zone_builder *b = zone_builder_new(&apex);
	struct diag_list diag = {0};
	struct snapshot *s;
	assert_int_equal(take_to_build(b, &apex, RRTYPE_SOA, soa, sizeof(soa)), 0);
	assert_int_equal(take_to_build(b, &apex, RRTYPE_NS, ns.bytes, ns.len), 0);
	if (kind == LARGE_NSEC)
		feed_nsec(b, take_to_build, &apex);
	if (kind == LARGE_NSEC3)
		assert_int_equal(take_to_build(b, &apex, RRTYPE_NSEC3PARAM, param, sizeof(param)), 0);
	feed_names(b, take_to_build, kind, 0, is_changed ? FIRST_GONE : LARGE);
	if (is_changed)
		feed_names(b, take_to_build, kind, LAST_GONE, LARGE + MORE);
	assert_int_equal(zone_builder_finish(b, &diag, &s), 0);
	diag_clear(&diag);
	return s;
}

static void
large_change(const struct snapshot *s, enum large_kind kind, struct snapshot **next,
	     struct snapshot_remains **remains)
{
	struct diag_list diag = {0};
	struct zone_change *c = zone_change_new(s, ZONE_CHANGE_STRICT, &diag);
	feed_names(c, take_to_remove, kind, FIRST_GONE, LAST_GONE);
	feed_names(c, take_to_add, kind, LARGE, LARGE + MORE);
	assert_int_equal(zone_change_finish(c, next, remains), 0);
	diag_clear(&diag);
}

static int
count_record(const struct diff_record *r, void *arg)
{
	((unsigned *)arg)[r->is_added]++;
	return 0;
}

/* Pages that are shared, copied and split, and all that back again. */
static void
test_large(void **state)
{
	for (enum large_kind kind = 0; kind < LARGE_KINDS; kind++) {
		struct snapshot *s = large_build(kind, false), *whole = large_build(kind, true), *next;
		struct snapshot *again = large_build(kind, false);
		struct snapshot_remains *remains;
		size_t before = zalloc_bytes();
		unsigned each = kind == LARGE_PLAIN ? 1 : 2, n[2] = {0};
		large_change(s, kind, &next, &remains);
		snapshots_check_equal(next, whole);
		snapshot_discard(next, remains);
		assert_int_equal(zalloc_bytes(), before);
		snapshots_check_equal(s, again);
		large_change(s, kind, &next, &remains);
		assert_int_equal(snapshot_diff(s, next, count_record, n), 0);
		assert_int_equal(n[0], each * (LAST_GONE - FIRST_GONE));
		assert_int_equal(n[1], each * MORE);
		snapshot_remains_free(remains);
		snapshots_check_equal(next, whole);
		snapshot_free(whole);
		snapshot_free(again);
		snapshot_free(next);
		assert_int_equal(zalloc_bytes(), 0);
	}
}

/* -------- out of memory -------- */

/* Steps and finish, each allocation failing once. */
static int
change_with_failure(const struct snapshot *s, struct model *m, uint64_t random, unsigned long fail_at,
		    struct snapshot **next, struct snapshot_remains **remains)
{
	struct diag_list diag = {0};
	zalloc_fail_at(fail_at);
	struct zone_change *c = zone_change_new(s, ZONE_CHANGE_LENIENT, &diag);
	int err = c != NULL ? 0 : -ENOMEM;
	for (unsigned i = 0; i < 12 && err == 0; i++) {
		uint64_t r = next_random(&random);
		err = model_step(m, c, (uint8_t)(r % 3), (unsigned)(r >> 16) % n_records, (uint8_t)(r >> 60));
	}
	if (err == 0)
		err = zone_change_finish(c, next, remains);
	else
		zone_change_abort(c);
	zalloc_fail_at(0);
	diag_clear(&diag);
	return err;
}

/* Changes of one zone after the other; the ones that no failure hits must be good and become the next base. */
static void
test_out_of_memory(void **state)
{
	struct diag_list diag = {0};
	struct model m = model_start();
	struct snapshot *s, *before;
	unsigned n_failures = 0, n_good = 0;
	assert_int_equal(model_build(&m, &diag, &s), 0);
	for (uint64_t round = 0; round < 300; round++) {
		assert_int_equal(model_build(&m, &diag, &before), 0);
		int err = -ENOMEM;
		for (unsigned long at = 1; err == -ENOMEM; at++) {
			struct model next_model = m;
			struct snapshot *next;
			struct snapshot_remains *remains;
			size_t bytes = bytes_without_table(s);
			err = change_with_failure(s, &next_model, round, at, &next, &remains);
			n_failures += err == -ENOMEM;
			if (err != 0) {
				assert_int_equal(bytes_without_table(s), bytes);
				snapshots_check_equal(s, before);
				continue;
			}
			n_good++;
			snapshot_remains_free(remains);
			model_settle(&next_model, next);
			m = next_model;
			s = next;
		}
		snapshot_free(before);
	}
	assert_true(n_failures > 5000 && n_good > 20);
	snapshot_free(s);
	diag_clear(&diag);
	assert_int_equal(zalloc_bytes(), 0);
}

int
main(void)
{
	n_records = model_init();
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random),  cmocka_unit_test(test_strict), cmocka_unit_test(test_sequence),
		cmocka_unit_test(test_sharing), cmocka_unit_test(test_flip),   cmocka_unit_test(test_reading),
		cmocka_unit_test(test_refused), cmocka_unit_test(test_large),  cmocka_unit_test(test_out_of_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
