/* SPDX-License-Identifier: Apache-2.0 */
/* What is due when, against a naive model: the earliest is always first, whatever is put in, moved and taken out.
 */
#include "tests/unit/control/control_fixture.h"

#include "control/zone/due.h"

#define N 500

static struct due_entry entries[N];

/* The heap is one, and every entry knows its place. */
static void
check(const struct due *d, size_t n)
{
	uint64_t least = UINT64_MAX;
	size_t n_in = 0;
	for (unsigned i = 0; i < N; i++) {
		if (!entries[i].place)
			continue;
		n_in++;
		assert_ptr_equal(d->entries[entries[i].place - 1], &entries[i]);
		if (entries[i].at_ms < least)
			least = entries[i].at_ms;
	}
	assert_int_equal(n_in, n);
	assert_int_equal(d->n, n);
	if (n)
		assert_int_equal(due_first(d)->at_ms, least);
	else
		assert_null(due_first(d));
}

static void
the_earliest_is_first(void **state)
{
	struct due d = {0};
	size_t n = 0;
	unsigned seed = 1;
	memset(entries, 0, sizeof(entries));
	for (unsigned i = 0; i < N; i++)
		assert_int_equal(due_join(&d), 0);
	for (unsigned i = 0; i < 20000; i++) {
		struct due_entry *e = &entries[(unsigned)rand_r(&seed) % N];
		bool was_in = e->place != 0;
		if (rand_r(&seed) % 3) {
			due_set(&d, e, (uint64_t)rand_r(&seed) % 1000);
			n += !was_in;
		} else {
			due_remove(&d, e);
			n -= was_in;
		}
		check(&d, n);
	}
	for (uint64_t before = 0; due_first(&d); n--) {
		struct due_entry *e = due_first(&d);
		assert_true(e->at_ms >= before);
		before = e->at_ms;
		due_leave(&d, e);
		check(&d, n - 1);
	}
	due_free(&d);
}

/* Who has joined may come and go, whoever leaves: there is room. */
static void
members_have_room(void **state)
{
	struct due d = {0};
	memset(entries, 0, sizeof(entries));
	for (unsigned round = 0; round < 4; round++) {
		for (unsigned i = 0; i < N; i++) {
			assert_int_equal(due_join(&d), 0);
			assert_true(d.cap >= d.members);
		}
		for (unsigned i = 0; i < N; i++)
			due_set(&d, &entries[i], i);
		for (unsigned i = 0; i < N; i++)
			due_leave(&d, &entries[i]); /* in it or not */
		assert_int_equal(d.members, 0);
		check(&d, 0);
	}
	due_free(&d);
	due_free(&d);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_earliest_is_first),
		cmocka_unit_test(members_have_room),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
