/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Equal sets over changes: names that get the same servers one by one, in changes that are kept, thrown away, or
 * made while a reclaimer gives back what others have left.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/store/change_fixture.h"
#include "zones/base/alloc.h"
#include "zones/store/builder.h"
#include "zones/store/intern.h"

enum { DELEGATIONS = 60, FIRST = 1000, RECLAIMED = 4000 };

static struct name
name_of(const char *text)
{
	struct name n;
	assert_int_equal(name_from_text(text, strlen(text), NULL, &n), NAME_OK);
	return n;
}

/* One change of one delegation, n<number>.example, to a server of that name or to none. */
static void
delegate(const struct snapshot *s, unsigned number, const char *server, struct snapshot **next,
	 struct snapshot_remains **remains)
{
	char text[32];
	struct diag_list diag = {0};
	snprintf(text, sizeof(text), "n%u.example.", number);
	struct name owner = name_of(text), target;
	struct zone_change *c = zone_change_new(s, ZONE_CHANGE_STRICT, &diag);
	assert_non_null(c);
	assert_int_equal(zone_change_remove_set(c, &owner, RRTYPE_NS), 0);
	if (server != NULL) {
		target = name_of(server);
		assert_int_equal(zone_change_add(c, &owner, RRTYPE_NS, 60, target.bytes, target.len), 0);
	}
	assert_int_equal(zone_change_finish(c, next, remains), 0);
	diag_clear(&diag);
}

static void
delegate_once(struct snapshot **s, unsigned number, const char *server)
{
	struct snapshot_remains *remains;
	delegate(*s, number, server, s, &remains);
	snapshot_remains_free(remains);
}

static const struct rrset *
servers_of(const struct snapshot *s, unsigned number)
{
	char text[32];
	snprintf(text, sizeof(text), "n%u.example.", number);
	struct name n = name_of(text);
	const struct names_entry *e = names_find(&s->names, name_hash(n.bytes), n.bytes, n.len);
	return node_find((const struct node *)e, RRTYPE_NS).set;
}

/* A zone with two delegations that have the same servers, which it knows. */
static struct snapshot *
base_new(void)
{
	struct model m = model_start();
	struct diag_list diag = {0};
	struct snapshot *s;
	assert_int_equal(model_build(&m, &diag, &s), 0);
	diag_clear(&diag);
	delegate_once(&s, FIRST, "ns.other.test.");
	delegate_once(&s, FIRST + 1, "ns.other.test.");
	return s;
}

/* What the snapshot says of its size is what is handed out, but for the SOA of negative answers, rounding, and what
 * waits to be dropped. */
static void
check_bytes(const struct snapshot *s)
{
	size_t all = zalloc_bytes() - intern_stats(s->interned).unused_bytes;
	assert_in_range(all - snapshot_bytes(s), 0, 200);
}

/* Names get the same servers one by one, each in a change of its own, and lose them in the same way. */
static void
test_sharing_over_changes(void **state)
{
	(void)state;
	struct snapshot *s = base_new();
	const struct rrset *before = servers_of(s, FIRST);
	assert_int_equal(rrset_users(before), 2);
	for (unsigned i = 0; i < DELEGATIONS; i++) {
		delegate_once(&s, i, i % 2 ? "ns.other.test." : "ns.new.test.");
		assert_ptr_equal(servers_of(s, i), i % 2 ? before : servers_of(s, 0));
		check_bytes(s);
	}
	assert_int_equal(rrset_users(before), 2 + DELEGATIONS / 2);
	assert_int_equal(rrset_users(servers_of(s, 0)), DELEGATIONS / 2);
	for (unsigned i = 0; i < DELEGATIONS; i++) {
		delegate_once(&s, i, NULL);
		check_bytes(s);
	}
	assert_int_equal(rrset_users(before), 2);
	delegate_once(&s, 0, "ns.other.test."); /* a change that can see what the one before has left */
	delegate_once(&s, 0, NULL);
	delegate_once(&s, 0, NULL);
	struct intern_stats stats = intern_stats(s->interned);
	assert_int_equal(stats.n_sets, 1);
	assert_int_equal(stats.unused_bytes, 0);
	snapshot_free(s);
	assert_int_equal(zalloc_bytes(), 0);
}

/* A zone in which nothing is shared has no table, whoever builds or changes it; one made as a whole has its own. */
static void
test_who_has_a_table(void **state)
{
	(void)state;
	static const uint8_t address[] = {192, 0, 2, 1};
	struct name owner = name_of("a.example.");
	struct model m = model_start();
	struct diag_list diag = {0};
	struct snapshot *s;
	struct snapshot_remains *remains;
	assert_int_equal(model_build(&m, &diag, &s), 0);
	assert_null(s->interned);
	struct zone_change *c = zone_change_new(s, ZONE_CHANGE_STRICT, &diag);
	assert_int_equal(zone_change_add(c, &owner, RRTYPE_A, 60, address, sizeof(address)), 0);
	assert_int_equal(zone_change_finish(c, &s, &remains), 0);
	snapshot_remains_free(remains);
	assert_null(s->interned);
	delegate_once(&s, 1, "ns.new.test.");
	const struct intern *in = s->interned;
	assert_non_null(in);
	delegate_once(&s, 2, "ns.new.test.");
	assert_ptr_equal(s->interned, in);
	snapshot_free(s);
	diag_clear(&diag);
	assert_int_equal(zalloc_bytes(), 0);
}

/* Builds a zone of n delegations, of which number i has server i / n_same. */
static struct snapshot *
build(unsigned n, unsigned n_same)
{
	static const uint8_t soa[] = "\2ns\4test\0\1h\4test\0\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0";
	const struct name *apex = model_apex();
	struct diag_list diag = {0};
	struct snapshot *s = NULL;
	struct zone_builder *b = zone_builder_new(apex);
	assert_non_null(b);
	assert_int_equal(zone_builder_add(b, apex, RRTYPE_SOA, 60, soa, sizeof(soa), NULL), 0);
	for (unsigned i = 0; i <= n; i++) {
		char text[32], server[32];
		snprintf(text, sizeof(text), "n%u.example.", i);
		snprintf(server, sizeof(server), "ns%u.test.", i / n_same);
		struct name owner = i < n ? name_of(text) : *apex, target = name_of(server);
		assert_int_equal(zone_builder_add(b, &owner, RRTYPE_NS, 60, target.bytes, target.len, NULL), 0);
	}
	assert_int_equal(zone_builder_finish(b, &diag, &s), 0);
	diag_clear(&diag);
	return s;
}

/* The table of a whole build lists all its sets, if enough of them are shared; changes find them there. */
static void
test_built_table(void **state)
{
	(void)state;
	struct snapshot *s = build(40, 40);
	assert_non_null(s->interned);
	assert_int_equal(intern_stats(s->interned).n_sets, 2);
	delegate_once(&s, 77, "ns0.test.");
	delegate_once(&s, 78, "ns1.test.");
	assert_ptr_equal(servers_of(s, 77), servers_of(s, 39));
	assert_ptr_equal(servers_of(s, 78), node_find(s->apex, RRTYPE_NS).set);
	assert_int_equal(rrset_users(servers_of(s, 77)), 41);
	check_bytes(s);
	snapshot_free(s);
	assert_int_equal(zalloc_bytes(), 0);
	s = build(40, 2);
	assert_int_equal(intern_stats(s->interned).n_sets, 21);
	snapshot_free(s);
	s = build(40, 1);
	assert_null(s->interned);
	check_bytes(s);
	snapshot_free(s);
	assert_int_equal(zalloc_bytes(), 0);
}

/* A change that is thrown away leaves sets without users, which the next one may find; so does a refused one. */
static void
test_discarded_sets(void **state)
{
	(void)state;
	struct snapshot *s = base_new(), *next;
	struct snapshot_remains *remains;
	size_t bytes = bytes_without_table(s);
	delegate(s, 1, "ns.new.test.", &next, &remains);
	const struct rrset *set = servers_of(next, 1);
	snapshot_discard(next, remains);
	assert_int_equal(rrset_users(set), 0);
	assert_int_equal(bytes_without_table(s), bytes);
	delegate_once(&s, 1, "ns.new.test.");
	assert_ptr_equal(servers_of(s, 1), set);
	assert_int_equal(rrset_users(set), 1);
	snapshot_free(s);
	assert_int_equal(zalloc_bytes(), 0);
}

/* Whoever finds the table open goes without, and the zone keeps it. */
static void
test_table_in_use(void **state)
{
	(void)state;
	struct snapshot *s = base_new();
	struct intern *in = s->interned;
	assert_true(intern_open(in));
	delegate_once(&s, 1, "ns.other.test.");
	assert_ptr_equal(s->interned, in);
	intern_close(in, 1);
	delegate_once(&s, 2, "ns.other.test.");
	const struct rrset *set = servers_of(s, FIRST);
	assert_ptr_not_equal(servers_of(s, 1), set);
	assert_int_equal(rrset_users(servers_of(s, 1)), 1);
	assert_ptr_equal(servers_of(s, 2), set);
	snapshot_free(s);
	assert_int_equal(zalloc_bytes(), 0);
}

/* Goes one way: the writer learns nothing of how far the reclaimer is, as in the daemon. */
struct reclaimed {
	struct snapshot_remains *remains[RECLAIMED];
	_Atomic unsigned n;
};

static void *
reclaim(void *arg)
{
	struct reclaimed *r = arg;
	for (unsigned i = 0; i < RECLAIMED; i++) {
		while (atomic_load_explicit(&r->n, memory_order_acquire) <= i)
			sched_yield();
		snapshot_remains_free(r->remains[i]);
	}
	return NULL;
}

/* Servers come and go while the reclaimer gives back what they leave; for ThreadSanitizer as well. */
static void
test_reclaimer(void **state)
{
	(void)state;
	static struct reclaimed row;
	struct snapshot *s = base_new();
	pthread_t reclaimer;
	assert_int_equal(pthread_create(&reclaimer, NULL, reclaim, &row), 0);
	for (unsigned i = 0; i < RECLAIMED; i++) {
		char server[32];
		snprintf(server, sizeof(server), "ns%u.test.", i / 50 + i % 3);
		delegate(s, i % 7, i % 5 == 4 ? NULL : server, &s, &row.remains[i]);
		atomic_store_explicit(&row.n, i + 1, memory_order_release);
	}
	assert_int_equal(pthread_join(reclaimer, NULL), 0);
	assert_true(intern_stats(s->interned).n_sets < 1000);
	check_bytes(s);
	snapshot_free(s);
	assert_int_equal(zalloc_bytes(), 0);
}

int
main(void)
{
	model_init();
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sharing_over_changes),
		cmocka_unit_test(test_who_has_a_table),
		cmocka_unit_test(test_discarded_sets),
		cmocka_unit_test(test_table_in_use),
		cmocka_unit_test(test_reclaimer),
		cmocka_unit_test(test_built_table),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
