/* SPDX-License-Identifier: Apache-2.0 */
/* Rollback: the version before is served again, and what was rolled back does not come again by itself. */
#include "tests/unit/control/daemon_fixture.h"

#include <errno.h>

#include "control/zone/zones_private.h"

#define ONE "remotes: [{id: p, address: 127.0.0.1@%u}]\nzones: [{name: z.test, primaries: [p]}]\n"
#define KEPT "acls: [{id: a, address: 127.0.0.1}]\nzones: [{name: z.test, file: z.zone, allow-transfer: [a]}]\n"

static void
follow(struct rig *r, uint32_t serial)
{
	primary_set(r->primary, "z.test.", serial, NULL);
	rig_notify(r, "z.test.", serial);
	RIG_WAIT(r, rig_serial(r, "z.test.") == serial && rig_is_quiet(r));
}

/* A secondary with serial 2, that had 1 before. */
static struct rig *
serving(void **state)
{
	struct rig *r = *state;
	primary_set(r->primary, "z.test.", 1, NULL);
	rig_start(r, ONE);
	RIG_WAIT(r, rig_serial(r, "z.test.") == 1 && rig_is_quiet(r));
	follow(r, 2);
	return r;
}

static void
roll_back(struct rig *r, const char *error)
{
	struct rig_wish w;
	rig_rollback(r, "z.test.", &w);
	RIG_WAIT(r, w.is_done);
	if (error)
		assert_non_null(strstr(w.error, error));
	else
		assert_string_equal(w.error, "");
}

/* Asks the primary, and waits for what comes of it. */
static void
ask_again(struct rig *r)
{
	uint64_t n = secondaries_stats(r->d.secondaries)->refreshes;
	rig_notify(r, "z.test.", -1);
	RIG_WAIT(r, secondaries_stats(r->d.secondaries)->refreshes > n && rig_is_quiet(r));
}

static void
the_version_before_is_served_and_stays(void **state)
{
	struct rig *r = serving(state);
	roll_back(r, NULL);
	assert_int_equal(rig_serial(r, "z.test."), 1);
	assert_true(rig_secondary(r, "z.test.").has_rejected);
	ask_again(r);
	assert_int_equal(rig_serial(r, "z.test."), 1);
	rig_notify(r, "z.test.", 2); /* whoever tells it */
	RIG_WAIT(r, rig_is_quiet(r));
	assert_int_equal(rig_serial(r, "z.test."), 1);
	follow(r, 3);
	assert_false(rig_secondary(r, "z.test.").has_rejected);
}

static void
what_was_rejected_is_known_after_a_restart(void **state)
{
	struct rig *r = serving(state);
	roll_back(r, NULL);
	rig_stop(r);
	rig_start(r, ONE);
	RIG_WAIT(r, rig_serial(r, "z.test.") == 1 && rig_is_quiet(r));
	assert_true(rig_secondary(r, "z.test.").has_rejected);
	assert_int_equal(rig_secondary(r, "z.test.").rejected_serial, 2);
	ask_again(r);
	assert_int_equal(rig_serial(r, "z.test."), 1);
	follow(r, 3);
}

static void
a_second_rollback_undoes_the_first(void **state)
{
	struct rig *r = serving(state);
	roll_back(r, NULL);
	roll_back(r, NULL);
	assert_int_equal(rig_serial(r, "z.test."), 2);
	assert_false(rig_secondary(r, "z.test.").has_rejected);
}

static void
who_asks_for_a_refresh_means_it(void **state)
{
	struct rig *r = serving(state);
	struct rig_wish w = {0};
	roll_back(r, NULL);
	assert_int_equal(secondary_refresh(r->d.secondaries, rig_item(r, "z.test."), false, rig_wish_done, &w), 0);
	RIG_WAIT(r, w.is_done);
	assert_int_equal(rig_serial(r, "z.test."), 2);
}

static void
a_transfer_gives_way(void **state)
{
	struct rig *r = serving(state);
	primary_set_faults(r->primary, PRIMARY_HOLDS);
	primary_set(r->primary, "z.test.", 3, NULL);
	rig_notify(r, "z.test.", 3);
	RIG_WAIT(r, primary_counts(r->primary).held == 1);
	roll_back(r, NULL); /* while the primary hangs */
	assert_int_equal(rig_serial(r, "z.test."), 1);
	primary_set_faults(r->primary, 0);
	follow(r, 4);
}

static void
so_does_one_that_waits_for_its_primary(void **state)
{
	struct rig *r = serving(state);
	struct peer *peer = peers_at(r->d.peers, 0);
	struct rig_wish w = {0};
	primary_set_faults(r->primary, PRIMARY_BREAKS_IXFR | PRIMARY_HOLDS);
	primary_set(r->primary, "z.test.", 3, NULL);
	rig_notify(r, "z.test.", 3);
	RIG_WAIT(r, primary_counts(r->primary).held == 1);
	peer->active += PEER_SLOTS; /* others have come: what is tried whole behind the IXFR has to wait */
	primary_set_faults(r->primary, PRIMARY_BREAKS_IXFR);
	RIG_WAIT(r, peer->urgent);
	roll_back(r, NULL);
	assert_int_equal(rig_serial(r, "z.test."), 1);
	assert_null(peer->urgent);
	peer->active -= PEER_SLOTS;
	assert_int_equal(peer->active, 0);
	assert_int_equal(secondary_refresh(r->d.secondaries, rig_item(r, "z.test."), false, rig_wish_done, &w), 0);
	RIG_WAIT(r, w.is_done);
	assert_int_equal(rig_serial(r, "z.test."), 3);
}

static void
without_a_version_before_nothing_changes(void **state)
{
	struct rig *r = *state;
	fixture_write_zone("z.zone", 1, "");
	rig_start(r, KEPT);
	RIG_WAIT(r, rig_serial(r, "z.test.") == 1 && rig_is_quiet(r));
	roll_back(r, "no previous version");
	assert_int_equal(rig_serial(r, "z.test."), 1);
	fixture_write_zone("z.zone", 2, "");
	usleep(50000); /* old enough for its stamp to be trusted */
	rig_reload(r, KEPT);
	roll_back(r, NULL);
	assert_int_equal(rig_serial(r, "z.test."), 1);
	rig_reload(r, KEPT); /* the file is the same: it does not come back by itself */
	assert_int_equal(rig_serial(r, "z.test."), 1);
	rig_reload(r, "zones: [{name: z.test, file: z.zone}]\n");
	assert_int_equal(zones_rollback(r->d.zones, rig_item(r, "z.test."), NULL, NULL), -ENOTSUP);
}

static void
a_zone_may_go_and_the_server_stop_meanwhile(void **state)
{
	struct rig *r = serving(state);
	struct rig_wish first, second;
	rig_rollback(r, "z.test.", &first);
	rig_rollback(r, "z.test.", &second);
	rig_drop(r, "z.test.");
	RIG_WAIT(r, first.is_done && second.is_done);
	assert_true(first.error[0] && second.error[0]);
	rig_stop(r);
	rig_start(r, ONE);
	RIG_WAIT(r, rig_serial(r, "z.test.") == 2);
	rig_rollback(r, "z.test.", &first);
	rig_rollback(r, "z.test.", &second);
	rig_stop(r);
	assert_true(first.is_done && second.is_done);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)
	const struct CMUnitTest tests[] = {
		TEST(the_version_before_is_served_and_stays),
		TEST(what_was_rejected_is_known_after_a_restart),
		TEST(a_second_rollback_undoes_the_first),
		TEST(who_asks_for_a_refresh_means_it),
		TEST(a_transfer_gives_way),
		TEST(so_does_one_that_waits_for_its_primary),
		TEST(without_a_version_before_nothing_changes),
		TEST(a_zone_may_go_and_the_server_stop_meanwhile),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
