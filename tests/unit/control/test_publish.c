/* SPDX-License-Identifier: Apache-2.0 */
/* Versions that share: what each publishing retires, and that a held version stays complete while younger ones go.
 */
#include "tests/unit/control/control_fixture.h"

#include <urcu-qsbr.h>

#include "control/publish/publish.h"
#include "tests/unit/store/change_fixture.h"
#include "zones/base/alloc.h"

enum { VERSIONS = 40 };

struct rig {
	struct publisher publisher;
	struct zone *zone;
	struct served *current;
	struct model model;
	unsigned n_records;
	uint64_t random;
};

static int
setup(void **state)
{
	struct rig *r = calloc(1, sizeof(*r));
	struct diag_list diag = {0};
	struct snapshot *s;
	assert_int_equal(reclaim_start(1 << 30, NULL, NULL, &r->publisher.reclaim), 0);
	r->n_records = model_init();
	r->model = model_start();
	assert_int_equal(model_build(&r->model, &diag, &s), 0);
	r->zone = zone_new(node_name(s->apex));
	struct served *first = served_new(s, snapshot_bytes(s));
	assert_non_null(first);
	publish_zone(&r->publisher, r->zone, &r->current, first, publish_now_ns());
	diag_clear(&diag);
	*state = r;
	return 0;
}

static int
teardown(void **state)
{
	struct rig *r = *state;
	(void)!zone_publish(r->zone, NULL);
	reclaim_retire(r->publisher.reclaim, &r->current->retired);
	reclaim_stop(r->publisher.reclaim);
	zone_free(r->zone);
	free(r);
	assert_int_equal(zalloc_bytes(), 0);
	return 0;
}

/* A wrapper with the next version, some random steps away, and its model in *m. */
static struct served *
next_version(struct rig *r, struct model *m)
{
	for (;;) {
		struct diag_list diag = {0};
		struct snapshot *s;
		struct snapshot_remains *remains;
		struct zone_change *c = zone_change_new(r->current->snapshot, ZONE_CHANGE_LENIENT, &diag);
		*m = r->model;
		for (unsigned i = 0; i < 4; i++) {
			r->random = r->random * 6364136223846793005u + 1442695040888963407u;
			assert_int_equal(
				model_step(m, c, (uint8_t)(r->random >> 40), (unsigned)(r->random >> 48), 9), 0);
		}
		int err = zone_change_finish(c, &s, &remains);
		diag_clear(&diag);
		if (err != 0)
			continue; /* refused: another one */
		model_settle(m, s);
		struct served *next = served_new_changed(r->current, s, remains);
		assert_non_null(next);
		return next;
	}
}

static void
check_is(const struct served *s, const struct model *m)
{
	struct diag_list diag = {0};
	struct snapshot *built;
	assert_int_equal(model_build(m, &diag, &built), 0);
	snapshots_check_equal(s->snapshot, built);
	snapshot_free(built);
	diag_clear(&diag);
}

static void
publish_next(struct rig *r)
{
	struct model m;
	struct served *next = next_version(r, &m);
	assert_true(publish_has_room(&r->publisher, r->current, next));
	publish_zone(&r->publisher, r->zone, &r->current, next, publish_now_ns());
	r->model = m;
}

static uint64_t
wait_for_records(struct rig *r, uint64_t n)
{
	struct reclaim_stats stats;
	for (unsigned i = 0; i < 5000; i++) {
		reclaim_stats(r->publisher.reclaim, &stats);
		if (stats.retired_records == n)
			break;
		usleep(1000);
	}
	assert_int_equal(stats.retired_records, n);
	return stats.retired_bytes;
}

static void
every_version_is_freed_and_the_last_is_complete(void **state)
{
	struct rig *r = *state;
	for (unsigned i = 0; i < VERSIONS; i++)
		publish_next(r);
	check_is(r->current, &r->model);
	assert_int_equal(wait_for_records(r, 0), 0);
	check_is(r->current, &r->model);
}

static void
a_held_version_stays_complete(void **state)
{
	struct rig *r = *state;
	struct served *held[3];
	struct model models[3];
	for (unsigned k = 0; k < 3; k++) {
		for (unsigned i = 0; i < 5; i++)
			publish_next(r);
		held[k] = r->current;
		models[k] = r->model;
		served_hold(held[k]);
	}
	for (unsigned i = 0; i < VERSIONS; i++)
		publish_next(r);
	wait_for_records(r, 10 + VERSIONS); /* the oldest held one, and all that are younger */
	for (unsigned k = 0; k < 3; k++)
		check_is(held[k], &models[k]);
	served_release(&r->publisher, held[1]); /* not the oldest: nothing may go yet */
	usleep(20000);
	wait_for_records(r, 10 + VERSIONS);
	check_is(held[0], &models[0]);
	served_release(&r->publisher, held[0]);
	wait_for_records(r, VERSIONS);
	check_is(held[2], &models[2]);
	served_release(&r->publisher, held[2]);
	assert_int_equal(wait_for_records(r, 0), 0);
}

static void
a_version_thrown_away_leaves_the_served_one(void **state)
{
	struct rig *r = *state;
	size_t before = zalloc_bytes();
	for (unsigned i = 0; i < VERSIONS; i++) {
		struct model m;
		served_free(next_version(r, &m));
		assert_int_equal(zalloc_bytes(), before);
	}
	check_is(r->current, &r->model);
	publish_next(r);
	check_is(r->current, &r->model);
}

/* Retiring a changed version costs the budget what changed, not the zone. */
static void
only_the_remains_count(void **state)
{
	struct rig *r = *state;
	struct served *first = r->current;
	served_hold(first);
	struct model m;
	struct served *next = next_version(r, &m);
	uint64_t bytes = next->made_from->bytes + sizeof(*next);
	publish_zone(&r->publisher, r->zone, &r->current, next, publish_now_ns());
	r->model = m;
	assert_int_equal(wait_for_records(r, 1), bytes);
	served_release(&r->publisher, first);
	assert_int_equal(wait_for_records(r, 0), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(every_version_is_freed_and_the_last_is_complete, setup, teardown),
		cmocka_unit_test_setup_teardown(a_held_version_stays_complete, setup, teardown),
		cmocka_unit_test_setup_teardown(a_version_thrown_away_leaves_the_served_one, setup, teardown),
		cmocka_unit_test_setup_teardown(only_the_remains_count, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
