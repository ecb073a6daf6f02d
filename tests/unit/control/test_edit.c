/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Zones that come and go by edits: 100,000 of them, at a cost that does not depend on how many there are, while a
 * reader looks; and edits that cannot be.
 */
#include "tests/unit/control/control_fixture.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>
#include <urcu-qsbr.h>

#include "control/base/log.h"
#include "control/zone/zones_private.h"

enum { ALL = 100000, PIECE = 1000, PIECES = ALL / PIECE };

static uv_loop_t loop;
static struct zone_root root;
static struct publisher publisher;
static struct zones *zones;
static struct config *config;

static int
setup(void **state)
{
	const struct config_log quiet = {.level = CONFIG_LOG_ERROR};
	struct zones_plan *plan;
	fixture_enter();
	log_setup(&quiet);
	uv_loop_init(&loop);
	assert_int_equal(reclaim_start(1 << 30, NULL, NULL, &publisher.reclaim), 0);
	const struct zones_options o = {.loop = &loop, .publisher = &publisher, .root = &root, .builders = 1};
	assert_int_equal(zones_new(&o, &zones), 0);
	config =
		fixture_config("remotes: [{id: p, address: 192.0.2.1}]\nzones: [{name: z.test, primaries: [p]}]\n");
	assert_int_equal(zones_plan(zones, config, &plan), 0);
	zones_commit(zones, plan);
	return 0;
}

static int
teardown(void **state)
{
	zones_stop(zones);
	while (!zones_are_idle(zones))
		uv_run(&loop, UV_RUN_ONCE);
	zones_free(zones);
	reclaim_stop(publisher.reclaim);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&loop), 0);
	config_free(config);
	fixture_leave();
	return 0;
}

static struct name
member_name(unsigned i)
{
	char text[64];
	snprintf(text, sizeof(text), "m%u.members.test.", i);
	return fixture_name(text);
}

static uint64_t
cpu_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* Adds or removes PIECE members from `first` on; returns what it has cost. */
static uint64_t
edit_piece(unsigned first, bool adds)
{
	static struct name names[PIECE];
	for (unsigned i = 0; i < PIECE; i++)
		names[i] = member_name(first + i);
	uint64_t start_ns = cpu_ns();
	struct zones_edit *edit = zones_edit_begin(zones);
	for (unsigned i = 0; i < PIECE; i++)
		assert_int_equal(adds ? zones_edit_add(edit, &names[i], config->zones[0].settings)
				      : zones_edit_remove(edit, zones_item(zones, &names[i])),
				 0);
	assert_int_equal(zones_edit_commit(edit), 0);
	return cpu_ns() - start_ns;
}

/* -------- a reader -------- */

static atomic_uint n_added, n_removed; /* of the members, in order: what a reader must and must not find */
static atomic_bool reading;
static atomic_ulong n_looks;

static bool
finds(const struct zone_set *set, const struct name *apex)
{
	const struct names_entry *e = names_find(&set->zones, name_hash(apex->bytes), apex->bytes, apex->len);
	return e && name_equal(names_entry_name(e), apex->bytes);
}

static void *
read_on(void *arg)
{
	unsigned seed = 1;
	const struct name own = fixture_name("z.test.");
	urcu_qsbr_register_thread();
	while (reading) {
		unsigned i = (unsigned)rand_r(&seed) % ALL;
		const struct name apex = member_name(i);
		bool was_removed = i < n_removed, was_added = i < n_added;
		const struct zone_set *set = zone_root_current(&root);
		bool is_there = finds(set, &apex);
		bool is_gone = i < n_removed + PIECE; /* or on its way */
		if ((was_removed && is_there) || (was_added && !is_gone && !is_there) || !finds(set, &own))
			fail_msg("member %u: %d %d %d", i, was_added, was_removed, is_there);
		n_looks++;
		urcu_qsbr_quiescent_state();
	}
	urcu_qsbr_unregister_thread();
	return NULL;
}

static int
compare(const void *a, const void *b)
{
	return *(const uint64_t *)a < *(const uint64_t *)b ? -1 : 1;
}

static uint64_t
median(uint64_t *ns, unsigned n)
{
	qsort(ns, n, sizeof(*ns), compare);
	return ns[n / 2];
}

/* The last tenth of what all pieces cost, against the first. */
static void
assert_flat(const char *what, uint64_t *ns)
{
	uint64_t first = median(ns, PIECES / 10), last = median(ns + PIECES - PIECES / 10, PIECES / 10);
	print_message("%s: %llu ns a member at first, %llu at last\n", what, (unsigned long long)first / PIECE,
		      (unsigned long long)last / PIECE);
	assert_true(last < 5 * first && first < 5 * last);
}

static void
the_cost_follows_the_edit(void **state)
{
	pthread_t reader;
	static uint64_t added_ns[PIECES], removed_ns[PIECES];
	reading = true;
	assert_int_equal(pthread_create(&reader, NULL, read_on, NULL), 0);
	for (unsigned i = 0; i < PIECES; i++) {
		added_ns[i] = edit_piece(i * PIECE, true);
		n_added = (i + 1) * PIECE;
	}
	assert_int_equal(zones_count(zones), ALL + 1);
	for (unsigned long looks = n_looks; n_looks < looks + 1000;)
		usleep(100);
	for (unsigned i = 0; i < PIECES; i++) {
		removed_ns[i] = edit_piece(i * PIECE, false);
		n_removed = (i + 1) * PIECE;
	}
	reading = false;
	pthread_join(reader, NULL);
	assert_int_equal(zones_count(zones), 1);
	assert_flat("added", added_ns);
	assert_flat("removed", removed_ns);
}

/* -------- what cannot be -------- */

static void
nothing_changes_where_an_edit_fails(void **state)
{
	struct name a = member_name(1), b = member_name(2), own = fixture_name("z.test.");
	const struct config_zone *settings = config->zones[0].settings;
	struct zones_edit *edit = zones_edit_begin(zones);
	assert_int_equal(zones_edit_add(edit, &own, settings), -EEXIST);
	assert_int_equal(zones_edit_add(edit, &a, settings), 0);
	assert_int_equal(zones_edit_add(edit, &b, settings), 0);
	assert_int_equal(zones_edit_add(edit, &a, settings), 0);
	assert_int_equal(zones_edit_commit(edit), -EEXIST); /* one zone twice */
	zones_edit_abort(edit);
	assert_int_equal(zones_count(zones), 1);
	assert_null(zones_item(zones, &b));
	edit = zones_edit_begin(zones);
	assert_int_equal(zones_edit_add(edit, &a, settings), 0);
	zones_hold_edits(zones, true);
	assert_int_equal(zones_edit_commit(edit), -EBUSY);
	assert_null(zones_item(zones, &a));
	zones_hold_edits(zones, false);
	assert_int_equal(zones_edit_commit(edit), 0);
	assert_true(zone_item_is_member(zones_item(zones, &a)));
	zones_edit_abort(NULL);
}

/* Positions stay those of the zones, whoever goes. */
static void
positions_are_right(void **state)
{
	struct zone_info info;
	edit_piece(0, true);
	for (unsigned i = 0; i < PIECE; i += 3) {
		struct name apex = member_name(i);
		struct zones_edit *edit = zones_edit_begin(zones);
		assert_int_equal(zones_edit_remove(edit, zones_item(zones, &apex)), 0);
		assert_int_equal(zones_edit_commit(edit), 0);
	}
	assert_int_equal(zones_count(zones), 1 + PIECE - (PIECE + 2) / 3);
	for (size_t i = 0; i < zones_count(zones); i++) {
		zones_info_at(zones, i, &info);
		assert_int_equal(info.item->index, i);
		struct name apex;
		name_copy(&apex, info.apex);
		assert_ptr_equal(zones_item(zones, &apex), info.item);
	}
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(the_cost_follows_the_edit),
		TEST(nothing_changes_where_an_edit_fails),
		TEST(positions_are_right),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
