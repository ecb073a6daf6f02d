/* SPDX-License-Identifier: Apache-2.0 */
/* The retired list, with readers that really read and really stall. */
#include "tests/unit/control/control_fixture.h"

#include <errno.h>
#include <urcu-qsbr.h>

#include "control/base/thread.h"
#include "control/publish/reclaim.h"

enum { OBJECTS_MAX = 5000 };

struct object {
	struct retired retired;
	unsigned number;
	uint64_t canary;
};

static _Atomic unsigned n_freed;
static unsigned order[OBJECTS_MAX];

static void
object_free(struct retired *r)
{
	struct object *o = (struct object *)((char *)r - offsetof(struct object, retired));
	unsigned i = atomic_fetch_add(&n_freed, 1);
	order[i % OBJECTS_MAX] = o->number;
	o->canary = 0xdead;
	free(o);
}

static struct object *
object_new(unsigned number, uint64_t bytes)
{
	struct object *o = malloc(sizeof(*o));
	retired_init(&o->retired, object_free, bytes);
	o->number = number;
	o->canary = 0x600d;
	return o;
}

/* Waits up to five seconds for `n` objects to have been freed. */
static bool
wait_freed(unsigned n)
{
	for (unsigned i = 0; i < 5000 && atomic_load(&n_freed) < n; i++)
		usleep(1000);
	return atomic_load(&n_freed) >= n;
}

static int
setup(void **state)
{
	atomic_store(&n_freed, 0);
	return 0;
}

/* -------- a reader that stalls when told to -------- */

static _Atomic bool reader_stall, reader_stalled, reader_end;

static void
reader_run(void *arg)
{
	while (!atomic_load(&reader_end)) {
		atomic_store(&reader_stalled, false);
		rcu_quiescent_state();
		while (atomic_load(&reader_stall) && !atomic_load(&reader_end)) {
			atomic_store(&reader_stalled, true);
			usleep(500);
		}
	}
}

static void
reader_start(struct thread *t)
{
	atomic_store(&reader_end, false);
	atomic_store(&reader_stall, true);
	assert_int_equal(thread_start(t, "reader", THREAD_CPU_ANY, THREAD_RCU_ONLINE, reader_run, NULL), 0);
	while (!atomic_load(&reader_stalled))
		usleep(100);
}

static void
reader_stop(struct thread *t)
{
	atomic_store(&reader_end, true);
	thread_join(t);
}

/* -------- tests -------- */

static void
frees_in_the_order_of_retiring(void **state)
{
	struct reclaim *rc;
	assert_int_equal(reclaim_start(1 << 20, NULL, NULL, &rc), 0);
	for (unsigned i = 0; i < 1000; i++)
		reclaim_retire(rc, &object_new(i, 10)->retired);
	reclaim_stop(rc);
	assert_int_equal(n_freed, 1000);
	for (unsigned i = 0; i < 1000; i++)
		assert_int_equal(order[i], i);
}

static void
nothing_is_freed_before_readers_have_moved_on(void **state)
{
	struct reclaim *rc;
	struct reclaim_stats stats;
	struct thread reader = {0};
	assert_int_equal(reclaim_start(1 << 20, NULL, NULL, &rc), 0);
	reader_start(&reader);
	reclaim_retire(rc, &object_new(1, 100)->retired);
	usleep(100000);
	assert_int_equal(n_freed, 0);
	reclaim_stats(rc, &stats);
	assert_int_equal(stats.retired_bytes, 100);
	assert_int_equal(stats.retired_records, 1);
	assert_in_range(stats.grace_ms, 50, 60000);
	atomic_store(&reader_stall, false);
	assert_true(wait_freed(1));
	reader_stop(&reader);
	reclaim_stop(rc);
}

static _Atomic unsigned n_room;

static void
room_appeared(void *arg)
{
	assert_ptr_equal(arg, &n_room);
	atomic_fetch_add(&n_room, 1);
}

static void
a_full_list_refuses_until_it_has_been_freed(void **state)
{
	struct reclaim *rc;
	struct reclaim_stats stats;
	struct thread reader = {0};
	atomic_store(&n_room, 0);
	assert_int_equal(reclaim_start(1000, room_appeared, &n_room, &rc), 0);
	reader_start(&reader);
	assert_true(reclaim_has_room(rc, 5000)); /* an empty list takes anything */
	reclaim_retire(rc, &object_new(1, 600)->retired);
	assert_true(reclaim_has_room(rc, 400));
	assert_false(reclaim_has_room(rc, 401));
	reclaim_stats(rc, &stats);
	assert_true(stats.is_full);
	usleep(50000);
	assert_int_equal(n_freed, 0); /* full or not, a stalled reader is waited for */
	assert_int_equal(n_room, 0);
	atomic_store(&reader_stall, false);
	assert_true(wait_freed(1));
	for (unsigned i = 0; i < 5000 && !atomic_load(&n_room); i++)
		usleep(1000);
	assert_int_equal(n_room, 1);
	assert_true(reclaim_has_room(rc, 401));
	reclaim_stats(rc, &stats);
	assert_false(stats.is_full);
	assert_int_equal(stats.retired_bytes, 0);
	reader_stop(&reader);
	reclaim_stop(rc);
}

static void
a_held_object_outlives_its_retirement(void **state)
{
	struct reclaim *rc;
	struct reclaim_stats stats;
	assert_int_equal(reclaim_start(1000, NULL, NULL, &rc), 0);
	struct object *o = object_new(1, 700);
	reclaim_hold(&o->retired);
	reclaim_hold(&o->retired);
	reclaim_retire(rc, &o->retired);
	reclaim_release(rc, &o->retired);
	usleep(50000);
	assert_int_equal(n_freed, 0);
	assert_int_equal(o->canary, 0x600d);
	reclaim_stats(rc, &stats);
	assert_int_equal(stats.retired_bytes, 700); /* held, but replaced: it counts */
	assert_false(reclaim_has_room(rc, 400));
	reclaim_release(rc, &o->retired);
	assert_true(wait_freed(1));
	reclaim_stop(rc);
}

static void
a_hold_that_ends_before_retirement_frees_nothing(void **state)
{
	struct reclaim *rc;
	assert_int_equal(reclaim_start(1000, NULL, NULL, &rc), 0);
	struct object *o = object_new(1, 1);
	reclaim_hold(&o->retired);
	reclaim_release(rc, &o->retired);
	usleep(20000);
	assert_int_equal(n_freed, 0);
	reclaim_retire(rc, &o->retired);
	assert_true(wait_freed(1));
	reclaim_stop(rc);
}

/* -------- readers against a writer -------- */

static struct object *_Atomic current;
static _Atomic uint64_t n_reads, n_bad;

static void
chase(void *arg)
{
	while (!atomic_load(&reader_end)) {
		for (unsigned i = 0; i < 100; i++) {
			const struct object *o = atomic_load(&current);
			if (o->canary != 0x600d)
				atomic_fetch_add(&n_bad, 1);
		}
		atomic_fetch_add(&n_reads, 100);
		rcu_quiescent_state();
	}
}

static void
readers_never_see_what_was_freed(void **state)
{
	struct reclaim *rc;
	struct thread readers[2] = {0};
	assert_int_equal(reclaim_start(1 << 20, NULL, NULL, &rc), 0);
	atomic_store(&reader_end, false);
	atomic_store(&current, object_new(0, 8));
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(
			thread_start(&readers[i], "chaser", THREAD_CPU_ANY, THREAD_RCU_ONLINE, chase, NULL), 0);
	while (atomic_load(&n_reads) == 0) /* on a busy host the readers may not have begun yet */
		usleep(100);
	for (unsigned i = 1; i < OBJECTS_MAX; i++) {
		struct object *old = atomic_exchange(&current, object_new(i, 8));
		reclaim_retire(rc, &old->retired);
		if (i % 100 == 0)
			usleep(1000);
	}
	assert_true(wait_freed(OBJECTS_MAX - 1));
	atomic_store(&reader_end, true);
	for (unsigned i = 0; i < 2; i++)
		thread_join(&readers[i]);
	reclaim_retire(rc, &atomic_load(&current)->retired);
	reclaim_stop(rc);
	assert_int_equal(n_freed, OBJECTS_MAX);
	assert_int_equal(n_bad, 0);
	assert_true(n_reads > 0);
}

static void
thread_on_a_cpu_that_is_not_there_is_refused(void **state)
{
	struct thread t = {0};
	assert_int_equal(thread_start(&t, "x", 100000, THREAD_RCU_NONE, reader_run, NULL), -EINVAL);
	assert_int_equal(thread_start(&t, "x", -7, THREAD_RCU_NONE, reader_run, NULL), -EINVAL);
	thread_join(&t); /* never started: nothing to wait for */
}

/* Each keeps the next younger one; the youngest is released first, and goes last all the same. */
static void
older_objects_keep_younger_ones(void **state)
{
	enum { ROW = 100 };
	struct reclaim *rc;
	struct reclaim_stats stats;
	struct object *row[ROW];
	assert_int_equal(reclaim_start(1 << 20, NULL, NULL, &rc), 0);
	for (unsigned i = 0; i < ROW; i++) {
		row[i] = object_new(i, 10);
		if (i > 0)
			reclaim_keep(&row[i - 1]->retired, &row[i]->retired);
	}
	reclaim_hold(&row[0]->retired);
	for (unsigned i = ROW; i-- > 0;)
		reclaim_retire(rc, &row[i]->retired);
	usleep(50000);
	assert_int_equal(n_freed, 0);
	reclaim_stats(rc, &stats);
	assert_int_equal(stats.retired_bytes, 10 * ROW);
	reclaim_release(rc, &row[0]->retired);
	assert_true(wait_freed(ROW));
	for (unsigned i = 0; i < ROW; i++)
		assert_int_equal(order[i], i);
	reclaim_stop(rc);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(frees_in_the_order_of_retiring, setup),
		cmocka_unit_test_setup(older_objects_keep_younger_ones, setup),
		cmocka_unit_test_setup(nothing_is_freed_before_readers_have_moved_on, setup),
		cmocka_unit_test_setup(a_full_list_refuses_until_it_has_been_freed, setup),
		cmocka_unit_test_setup(a_held_object_outlives_its_retirement, setup),
		cmocka_unit_test_setup(a_hold_that_ends_before_retirement_frees_nothing, setup),
		cmocka_unit_test_setup(readers_never_see_what_was_freed, setup),
		cmocka_unit_test_setup(thread_on_a_cpu_that_is_not_there_is_refused, setup),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
