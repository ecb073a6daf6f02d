/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of a zone's sets: equal ones find each other, against a model; what has no users goes in the end and
 * not before; the table grows and shrinks; a writer and a reclaimer at once (for ThreadSanitizer as well); running
 * out of memory costs sharing and nothing else.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "zones/base/alloc.h"
#include "zones/store/intern.h"
#include "zones/wire/rrtype.h"

/* A set that differs from all others by its number. */
static struct rrset *
set_new(uint32_t number)
{
	static const uint8_t apex[] = "\3tld", owner[] = "\1a\3tld", server[] = "\2ns\4host\4test";
	const struct rrset_rdata rdata = {.data = server, .len = sizeof(server)};
	struct rrset *set = NULL;
	return rrset_compile(apex, owner, RRTYPE_NS, number, &rdata, 1, &set) == 0 ? set : NULL;
}

static struct rrset *
share(struct intern *in, uint32_t number)
{
	struct rrset *set = set_new(number);
	assert_non_null(set);
	return intern_set(in, set);
}

/* Closes and opens until all slots have been looked at. */
static void
go_round(struct intern *in)
{
	intern_close(in, SIZE_MAX / 8);
	assert_true(intern_open(in));
	intern_close(in, SIZE_MAX / 8);
	assert_true(intern_open(in));
}

static void
test_sharing(void **state)
{
	(void)state;
	struct intern *in = intern_new();
	assert_non_null(in);
	struct rrset *a = share(in, 1), *b = share(in, 2);
	assert_ptr_not_equal(a, b);
	assert_int_equal(rrset_users(a), 1);
	assert_false(intern_is_worth_it(in));
	assert_ptr_equal(share(in, 1), a);
	assert_int_equal(rrset_users(a), 2);
	assert_true(intern_is_worth_it(in));
	rrset_release(a);
	rrset_release(a);
	assert_int_equal(rrset_users(a), 0);
	assert_int_equal(intern_stats(in).n_sets, 2);
	assert_int_equal(intern_stats(in).unused_bytes, rrset_size(a));
	assert_ptr_equal(share(in, 1), a); /* it waits to be dropped, and is found before */
	go_round(in);
	assert_int_equal(intern_stats(in).n_sets, 2);
	rrset_release(b);
	go_round(in);
	assert_int_equal(intern_stats(in).n_sets, 1);
	assert_int_equal(intern_stats(in).unused_bytes, 0);
	assert_ptr_equal(share(in, 1), a);
	rrset_release(a);
	rrset_release(a);
	intern_release(in);
	assert_int_equal(zalloc_bytes(), 0);
}

/* One at a time writes; who holds the table keeps it, and sets outlive it. */
static void
test_holds(void **state)
{
	(void)state;
	struct intern *in = intern_new();
	assert_non_null(in);
	struct rrset *used = share(in, 1), *unused = share(in, 2);
	rrset_release(unused);
	assert_false(intern_open(in));
	intern_close(in, 0);
	assert_true(intern_open(in));
	assert_ptr_equal(intern_hold(in), in);
	intern_release(in);
	assert_int_equal(intern_stats(in).n_sets, 2);
	intern_release(in);
	assert_int_equal(zalloc_bytes(), rrset_size(used));
	assert_int_equal(rrset_users(used), 1);
	rrset_release(used);
	assert_int_equal(zalloc_bytes(), 0);
}

/* -------- against a model -------- */

enum { NUMBERS = 3000, ROUNDS = 40, STEPS = 1000 };

struct model {
	struct rrset *set[NUMBERS]; /* NULL: no users */
	uint32_t users[NUMBERS];
};

static uint64_t
next_random(uint64_t *state)
{
	uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	return z ^ (z >> 27);
}

static void
model_step(struct model *m, struct intern *in, uint32_t number, bool adds)
{
	if (adds) {
		struct rrset *set = share(in, number);
		assert_true(m->users[number] == 0 || m->set[number] == set);
		m->set[number] = set;
		m->users[number]++;
		assert_int_equal(rrset_ttl(set), number);
	} else if (m->users[number] != 0) {
		m->users[number]--;
		rrset_release(m->set[number]);
	}
}

static void
model_check(const struct model *m, const struct intern *in)
{
	size_t n_used = 0;
	for (uint32_t i = 0; i < NUMBERS; i++) {
		n_used += m->users[i] != 0;
		assert_true(m->users[i] == 0 || rrset_users(m->set[i]) == m->users[i]);
	}
	assert_true(intern_stats(in).n_sets >= n_used);
}

/* Adds more than it takes away, then the other way round, then all goes. */
static void
test_model(void **state)
{
	(void)state;
	static struct model m;
	uint64_t random = 1;
	struct intern *in = intern_new();
	assert_non_null(in);
	size_t smallest = intern_bytes(in), largest = 0;
	for (unsigned round = 0; round < ROUNDS; round++) {
		unsigned adds_of_8 = round < ROUNDS / 2 ? 6 : 2;
		for (unsigned i = 0; i < STEPS; i++) {
			uint64_t r = next_random(&random);
			model_step(&m, in, (uint32_t)((r >> 8) % NUMBERS), r % 8 < adds_of_8);
		}
		intern_close(in, STEPS);
		assert_true(intern_open(in));
		model_check(&m, in);
		largest = intern_bytes(in) > largest ? intern_bytes(in) : largest;
	}
	for (uint32_t i = 0; i < NUMBERS; i++) {
		while (m.users[i] != 0)
			model_step(&m, in, i, false);
	}
	go_round(in);
	go_round(in);
	assert_int_equal(intern_stats(in).n_sets, 0);
	assert_true(largest > 16 * NUMBERS / 2 && largest < 8 * NUMBERS * 3);
	assert_int_equal(intern_bytes(in), smallest);
	assert_int_equal(zalloc_bytes(), smallest);
	intern_release(in);
	assert_int_equal(zalloc_bytes(), 0);
}

/* Small changes drop what a large one has left, a bounded number each; the table is never made anew by each of
 * them. */
static void
test_small_changes_clean_up(void **state)
{
	(void)state;
	enum { LEFT = 20000 };
	struct intern *in = intern_new();
	assert_non_null(in);
	for (uint32_t i = 0; i < LEFT; i++)
		rrset_release(share(in, i));
	intern_close(in, LEFT);
	unsigned n_changes = 0, n_resized = 0;
	size_t bytes = intern_bytes(in), left = LEFT;
	while (intern_stats(in).unused_bytes != 0) {
		assert_true(intern_open(in));
		intern_close(in, 1);
		size_t now = intern_stats(in).n_sets;
		assert_in_range(left - now, 0, 300);
		left = now;
		n_resized += intern_bytes(in) != bytes;
		bytes = intern_bytes(in);
		assert_true(++n_changes < LEFT);
	}
	assert_in_range(n_changes, LEFT / 300, LEFT / 50);
	assert_in_range(n_resized, 2, 20);
	intern_release(in);
	assert_int_equal(zalloc_bytes(), 0);
}

/* -------- a writer and a reclaimer -------- */

enum { HANDED = 60000, AT_A_TIME = 50, KINDS = 40 };

/* Goes one way: the writer learns nothing of how far the reclaimer is but by the sets' own counts. */
struct row {
	struct rrset *sets[HANDED];
	_Atomic unsigned n;
	unsigned n_wrong;
	struct intern *in; /* held, as by old versions of the zone */
};

static void *
reclaim(void *arg)
{
	struct row *row = arg;
	for (unsigned i = 0; i < HANDED; i++) {
		while (atomic_load_explicit(&row->n, memory_order_acquire) <= i)
			sched_yield();
		row->n_wrong += row->sets[i]->n_rr != 1 || rrset_ttl(row->sets[i]) % KINDS != i % KINDS;
		rrset_release(row->sets[i]);
	}
	intern_release(row->in);
	return NULL;
}

static void
test_threads(void **state)
{
	(void)state;
	static struct row row;
	pthread_t reclaimer;
	struct intern *in = intern_new();
	assert_non_null(in);
	row.in = intern_hold(in);
	assert_int_equal(pthread_create(&reclaimer, NULL, reclaim, &row), 0);
	for (unsigned i = 0; i < HANDED; i++) {
		/* Which ones come moves on, so that sets come to their end while others come again. */
		row.sets[i] = share(in, i % KINDS + i / (20 * KINDS) * KINDS);
		atomic_store_explicit(&row.n, i + 1, memory_order_release);
		if (i % AT_A_TIME == AT_A_TIME - 1) {
			intern_close(in, AT_A_TIME);
			assert_true(intern_open(in));
		}
	}
	intern_close(in, HANDED);
	intern_release(in); /* while sets are still being given back */
	assert_int_equal(pthread_join(reclaimer, NULL), 0);
	assert_int_equal(row.n_wrong, 0);
	assert_int_equal(zalloc_bytes(), 0);
}

/* -------- out of memory -------- */

static void
test_out_of_memory(void **state)
{
	(void)state;
	enum { SETS = 100 };
	struct rrset *sets[2][SETS];
	unsigned n_shared = 0, n_apart = 0;
	for (unsigned long at = 1; at <= 8; at++) {
		for (uint32_t i = 0; i < SETS; i++) {
			assert_non_null(sets[0][i] = set_new(i));
			assert_non_null(sets[1][i] = set_new(i));
		}
		zalloc_fail_at(at);
		struct intern *in = intern_new();
		for (uint32_t i = 0; i < 2 * SETS && in != NULL; i++)
			sets[i / SETS][i % SETS] = intern_set(in, sets[i / SETS][i % SETS]);
		zalloc_fail_at(0);
		assert_true((in == NULL) == (at <= 2));
		intern_release(in);
		for (uint32_t i = 0; i < SETS; i++) {
			n_shared += sets[0][i] == sets[1][i];
			n_apart += sets[0][i] != sets[1][i];
			assert_int_equal(rrset_users(sets[0][i]), sets[0][i] == sets[1][i] ? 2 : 1);
			rrset_release(sets[0][i]);
			rrset_release(sets[1][i]);
		}
		assert_int_equal(zalloc_bytes(), 0);
	}
	assert_true(n_shared > SETS && n_apart > SETS);
}

/* Two tables become one: of sets that both had, one is found from then on, and the other goes with its users. */
static void
test_join(void **state)
{
	enum { SETS = 300, BOTH = 100 };
	struct rrset *sets[2][SETS];
	struct intern *in[2] = {intern_new(), intern_new()};
	for (unsigned k = 0; k < 2; k++) {
		assert_non_null(in[k]);
		for (uint32_t i = 0; i < SETS; i++)
			sets[k][i] = share(in[k], i < BOTH ? i : i + k * SETS);
	}
	struct rrset *unused = share(in[1], 7777);
	rrset_release(unused); /* listed, without a user */
	intern_join(in[0], in[1]);
	assert_int_equal(intern_stats(in[0]).n_sets, 2 * SETS - BOTH + 1);
	for (uint32_t i = 0; i < SETS; i++) {
		struct rrset *found = share(in[0], i < BOTH ? i : i + SETS);
		assert_ptr_equal(found, i < BOTH ? sets[0][i] : sets[1][i]);
		rrset_release(found);
		assert_int_equal(rrset_users(sets[1][i]), 1);
		rrset_release(sets[0][i]);
		rrset_release(sets[1][i]);
	}
	go_round(in[0]);
	assert_int_equal(intern_stats(in[0]).n_sets, 0);
	intern_release(in[0]);
	assert_int_equal(zalloc_bytes(), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sharing), cmocka_unit_test(test_holds),
		cmocka_unit_test(test_model),   cmocka_unit_test(test_small_changes_clean_up),
		cmocka_unit_test(test_threads), cmocka_unit_test(test_out_of_memory),
		cmocka_unit_test(test_join),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
