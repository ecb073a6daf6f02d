/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Catalogs at work: members come, go and change; over restarts, reloads and catalogs that cannot be had; and zones
 * in the state that nobody wants any more.
 */
#include "tests/unit/control/daemon_fixture.h"

#include <errno.h>

#include "control/zones_private.h"

#define REMOTE "remotes: [{id: p, address: 127.0.0.1@%u}]\n"
#define CATALOG REMOTE "catalogs: [{name: cat.test, primaries: [p]}]\n"
#define GROUPS                                                                                                     \
	"templates: [{id: g, primaries: [p], refresh-max: 100s}]\n" REMOTE                                         \
	"catalogs: [{name: cat.test, primaries: [p], admit: [\"*.m.test\"]}]\n"
#define HEAD "version TXT \"2\"\n"
#define A HEAD "1.zones PTR a.m.test.\n"
#define AB A "2.zones PTR b.m.test.\n"

/* A daemon that serves the members of the catalog with this text. */
static struct rig *
serving(void **state, const char *config, const char *text)
{
	struct rig *r = *state;
	primary_set(r->primary, "cat.test.", 1, text);
	rig_start(r, config);
	RIG_WAIT(r, rig_serial(r, "cat.test.") == 1);
	return r;
}

static void
change(struct rig *r, uint32_t serial, const char *text)
{
	primary_set(r->primary, "cat.test.", serial, text);
	rig_notify(r, "cat.test.", serial);
	RIG_WAIT(r, rig_serial(r, "cat.test.") == serial && catalog_zones_are_idle(r->d.catalogs));
}

static int
is_in_state(struct rig *r, const char *zone)
{
	struct state_zone z;
	struct name apex = fixture_name(zone);
	return state_zone_get(r->d.state, &apex, &z) == 0 && z.has_data;
}

static void
members_come_and_go(void **state)
{
	struct rig *r = serving(state, CATALOG, A);
	RIG_WAIT(r, rig_serial(r, "a.m.test.") == 1);
	assert_int_equal(zones_count(r->d.zones), 2);
	change(r, 2, AB);
	RIG_WAIT(r, rig_serial(r, "b.m.test.") == 1);
	RIG_WAIT(r, is_in_state(r, "a.m.test."));
	change(r, 3, HEAD "2.zones PTR b.m.test.\n");
	assert_int_equal(rig_serial(r, "a.m.test."), -1);
	assert_int_equal(rig_serial(r, "b.m.test."), 1);
	RIG_WAIT(r, !is_in_state(r, "a.m.test."));
	change(r, 4, HEAD);
	assert_int_equal(zones_count(r->d.zones), 1);
}

/* A restart transfers nothing again: neither the catalog nor its members. */
static void
members_survive_a_restart(void **state)
{
	struct rig *r = serving(state, CATALOG, AB);
	RIG_WAIT(r, rig_serial(r, "a.m.test.") == 1 && rig_serial(r, "b.m.test.") == 1 && rig_is_quiet(r));
	struct primary_counts before = primary_counts(r->primary);
	assert_int_equal(before.axfrs, 3);
	for (unsigned i = 0; i < 5; i++) {
		rig_stop(r);
		rig_start(r, CATALOG);
		RIG_WAIT(r, rig_serial(r, "a.m.test.") == 1 && rig_serial(r, "b.m.test.") == 1 && rig_is_quiet(r));
	}
	assert_true(is_in_state(r, "a.m.test.") && is_in_state(r, "b.m.test."));
	assert_int_equal(primary_counts(r->primary).axfrs, before.axfrs);
}

/* Its members are not known then, and what the state has of them is kept. */
static void
members_survive_a_catalog_that_is_gone(void **state)
{
	struct rig *r = serving(state, CATALOG, AB);
	struct name apex = fixture_name("cat.test.");
	RIG_WAIT(r, rig_serial(r, "a.m.test.") == 1 && rig_serial(r, "b.m.test.") == 1 && rig_is_quiet(r));
	assert_int_equal(state_zone_drop(r->d.state, &apex, (struct state_done){0}), 0);
	rig_stop(r);
	primary_set_faults(r->primary, PRIMARY_REFUSES);
	rig_start(r, CATALOG);
	RIG_WAIT(r, rig_secondary(r, "cat.test.").failures == 1);
	RIG_WAIT(r, rig_is_quiet(r));
	assert_true(is_in_state(r, "a.m.test."));
	unsigned axfrs = primary_counts(r->primary).axfrs;
	primary_set_faults(r->primary, 0);
	RIG_WAIT(r, rig_serial(r, "a.m.test.") == 1 && rig_serial(r, "b.m.test.") == 1);
	assert_int_equal(primary_counts(r->primary).axfrs, axfrs + 1); /* the catalog's */
}

static void
what_nobody_wants_is_forgotten_at_the_start(void **state)
{
	struct rig *r = serving(state, CATALOG, AB);
	RIG_WAIT(r, rig_serial(r, "a.m.test.") == 1 && rig_serial(r, "b.m.test.") == 1 && rig_is_quiet(r));
	rig_stop(r);
	rig_start(r, REMOTE "zones: [{name: b.m.test, primaries: [p]}]\n");
	RIG_WAIT(r, !is_in_state(r, "a.m.test.") && !is_in_state(r, "cat.test."));
	assert_true(is_in_state(r, "b.m.test."));
	assert_int_equal(rig_serial(r, "b.m.test."), 1);
}

/* The prune goes through the state a thousand at a time. */
static void
many_are_forgotten(void **state)
{
	struct rig *r = *state;
	struct state_meta meta = {.refreshed_at_s = 1};
	struct state_zone z;
	char text[64];
	rig_start(r, REMOTE "zones: [{name: z500.test, primaries: [p]}]\n");
	for (unsigned i = 0; i < 2500; i++) {
		snprintf(text, sizeof(text), "z%u.test.", i);
		struct name apex = fixture_name(text);
		assert_int_equal(state_zone_put_meta(r->d.state, &apex, &meta, (struct state_done){0}), 0);
	}
	rig_stop(r);
	rig_start(r, REMOTE "zones: [{name: z500.test, primaries: [p]}]\n");
	RIG_WAIT(r, rig_serial(r, "z500.test.") == 1 && rig_is_quiet(r));
	for (unsigned i = 0; i < 2500; i++) {
		snprintf(text, sizeof(text), "z%u.test.", i);
		struct name apex = fixture_name(text);
		if (i == 500)
			assert_int_equal(state_zone_get(r->d.state, &apex, &z), 0);
		else
			RIG_WAIT(r, state_zone_get(r->d.state, &apex, &z) == -ENOENT);
	}
}

static void
a_version_that_is_no_catalog_changes_nothing(void **state)
{
	struct rig *r = serving(state, CATALOG, AB);
	struct catalogs_status status;
	struct name apex = fixture_name("cat.test.");
	RIG_WAIT(r, rig_serial(r, "b.m.test.") == 1);
	change(r, 2, "version TXT \"9\"\n1.zones PTR a.m.test.\n");
	assert_int_equal(rig_serial(r, "b.m.test."), 1);
	assert_true(catalog_zones_status(r->d.catalogs, apex.bytes, &status));
	assert_true(status.why[0]);
	change(r, 3, A);
	assert_int_equal(rig_serial(r, "b.m.test."), -1);
	assert_true(catalog_zones_status(r->d.catalogs, apex.bytes, &status));
	assert_false(status.why[0]);
}

/* RFC 9432 section 5.6: another id is another zone of this name, which is transferred anew. */
static void
another_id_resets_the_zone(void **state)
{
	struct rig *r = serving(state, CATALOG, A);
	RIG_WAIT(r, rig_serial(r, "a.m.test.") == 1 && rig_is_quiet(r));
	unsigned axfrs = primary_counts(r->primary).axfrs;
	primary_set_others(r->primary, 0); /* it need not go forward */
	change(r, 2, HEAD "other.zones PTR a.m.test.\n");
	RIG_WAIT(r, rig_serial(r, "a.m.test.") == 0);
	assert_int_equal(primary_counts(r->primary).axfrs, axfrs + 1);
}

/* -------- reloads -------- */

static void
settings_follow_a_reload_and_members_the_admission(void **state)
{
	struct rig *r = serving(state, GROUPS, AB "group.1.zones TXT \"g\"\n");
	RIG_WAIT(r, rig_serial(r, "a.m.test.") == 1 && rig_serial(r, "b.m.test.") == 1);
	assert_int_equal(zone_item_config(rig_item(r, "a.m.test."))->refresh_max_s, 100);
	assert_true(zone_item_config(rig_item(r, "b.m.test."))->refresh_max_s > 100);
	rig_reload(r, "templates: [{id: g, primaries: [p], refresh-max: 200s}]\n" REMOTE
		      "catalogs: [{name: cat.test, primaries: [p]}]\n");
	assert_int_equal(zone_item_config(rig_item(r, "a.m.test."))->refresh_max_s, 200);
	/* Those that go had their settings from a template of the configuration that goes. */
	rig_reload(r, "templates: [{id: g, primaries: [p], refresh-max: 200s}]\n" REMOTE
		      "catalogs: [{name: cat.test, primaries: [p], admit: [b.m.test]}]\n");
	assert_int_equal(rig_serial(r, "a.m.test."), -1);
	assert_int_equal(rig_serial(r, "b.m.test."), 1);
	RIG_WAIT(r, !is_in_state(r, "a.m.test."));
	rig_reload(r, REMOTE "zones: [{name: z.test, primaries: [p]}]\n");
	assert_int_equal(rig_serial(r, "b.m.test."), -1);
	RIG_WAIT(r, !is_in_state(r, "b.m.test.") && rig_is_quiet(r));
}

static void
members_that_are_transferred_may_go(void **state)
{
	struct rig *r = serving(state, GROUPS, HEAD);
	primary_set_faults(r->primary, PRIMARY_HOLDS);
	primary_set(r->primary, "cat.test.", 2, AB "group.1.zones TXT \"g\"\n");
	rig_notify(r, "cat.test.", 2);
	RIG_WAIT(r, primary_counts(r->primary).held);
	primary_set_faults(r->primary, 0);
	RIG_WAIT(r, rig_serial(r, "cat.test.") == 2);
	primary_set_faults(r->primary, PRIMARY_HOLDS);
	RIG_WAIT(r, rig_item(r, "a.m.test."));
	rig_reload(r, REMOTE "zones: [{name: b.m.test, primaries: [p]}]\n");
	assert_null(rig_item(r, "a.m.test."));
	primary_set_faults(r->primary, 0);
	RIG_WAIT(r, rig_serial(r, "b.m.test.") == 1 && rig_is_quiet(r)); /* the configuration has taken it over */
	assert_null(zone_item_member(rig_item(r, "b.m.test.")));
}

static void
a_version_during_a_reload_is_read_behind_it(void **state)
{
	struct rig *r = serving(state, CATALOG, A);
	RIG_WAIT(r, rig_serial(r, "a.m.test.") == 1 && rig_is_quiet(r));
	for (uint32_t serial = 2; serial < 12; serial++) {
		primary_set(r->primary, "cat.test.", serial, serial % 2 ? A : AB);
		rig_notify(r, "cat.test.", serial);
		rig_reload_begin(r, CATALOG);
		RIG_WAIT(r, rig_serial(r, "cat.test.") == serial && rig_is_quiet(r));
		assert_int_equal(rig_item(r, "b.m.test.") != NULL, serial % 2 == 0);
	}
}

static void
a_stop_ends_the_reading(void **state)
{
	struct rig *r = serving(state, CATALOG, AB);
	rig_reload_begin(r, CATALOG);
	rig_stop(r);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)
	const struct CMUnitTest tests[] = {
		TEST(members_come_and_go),
		TEST(members_survive_a_restart),
		TEST(members_survive_a_catalog_that_is_gone),
		TEST(what_nobody_wants_is_forgotten_at_the_start),
		TEST(many_are_forgotten),
		TEST(a_version_that_is_no_catalog_changes_nothing),
		TEST(another_id_resets_the_zone),
		TEST(settings_follow_a_reload_and_members_the_admission),
		TEST(members_that_are_transferred_may_go),
		TEST(a_version_during_a_reload_is_read_behind_it),
		TEST(a_stop_ends_the_reading),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
