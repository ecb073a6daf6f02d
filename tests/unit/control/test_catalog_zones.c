/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Catalogs at work: members come, go and change; over restarts, reloads and catalogs that cannot be had; and zones
 * in the state that nobody wants any more. ANSER_MEMBERS: how many a restart has to bring back (4000), and what
 * that costs is printed.
 */
#include "tests/unit/control/daemon_fixture.h"

#include <errno.h>

#include "control/zone/zones_private.h"

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

/* Its members are served by what was noted of them. */
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
	assert_true(rig_serial(r, "a.m.test.") == 1 && rig_serial(r, "b.m.test.") == 1);
	unsigned axfrs = primary_counts(r->primary).axfrs;
	primary_set_faults(r->primary, 0);
	RIG_WAIT(r, rig_serial(r, "cat.test.") == 1 && catalog_zones_are_known(r->d.catalogs) && rig_is_quiet(r));
	assert_true(rig_serial(r, "a.m.test.") == 1 && rig_serial(r, "b.m.test.") == 1);
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

/* -------- notes -------- */

#define TWO                                                                                                        \
	REMOTE "catalogs: [{name: cat.test, primaries: [p]}, {name: other.test, primaries: [p]}]\n"                \
	       "templates: [{id: g, primaries: [p], refresh-max: 100s}]\n"
#define BROKEN "version TXT \"9\"\n1.zones PTR a.m.test.\n"

static struct catalogs_status
status_of(struct rig *r, const char *catalog)
{
	struct catalogs_status status;
	struct name apex = fixture_name(catalog);
	assert_true(catalog_zones_status(r->d.catalogs, apex.bytes, &status));
	return status;
}

static void
restart(struct rig *r, const char *config)
{
	rig_stop(r);
	rig_start(r, config);
}

static int
count_note(void *arg, const struct name *apex, int err, const void *note, size_t len)
{
	++*(unsigned *)arg;
	return err;
}

static unsigned
notes(struct rig *r)
{
	unsigned n = 0;
	assert_int_equal(state_notes_walk(r->d.state, NULL, count_note, &n), 0);
	return n;
}

/* They are served when the start has ended, however that may be with their catalog. */
static void
members_survive_a_broken_catalog(void **state)
{
	struct rig *r = *state;
	primary_set(r->primary, "other.test.", 1, HEAD);
	serving(state, TWO, AB "group.1.zones TXT \"x\"\ngroup.1.zones TXT \"g\"\n");
	RIG_WAIT(r, rig_serial(r, "a.m.test.") == 1 && rig_serial(r, "b.m.test.") == 1 && rig_is_quiet(r));
	change(r, 2, BROKEN);
	assert_false(catalog_zones_are_good(r->d.catalogs));
	unsigned axfrs = primary_counts(r->primary).axfrs;
	for (unsigned i = 0; i < 3; i++) {
		restart(r, TWO);
		RIG_WAIT(r, !r->d.first_load);
		assert_true(rig_serial(r, "a.m.test.") == 1 && rig_serial(r, "b.m.test.") == 1);
		assert_int_equal(zone_item_config(rig_item(r, "a.m.test."))->refresh_max_s, 100);
		assert_true(zone_item_config(rig_item(r, "b.m.test."))->refresh_max_s > 100);
		RIG_WAIT(r, !catalog_zones_are_good(r->d.catalogs) && rig_is_quiet(r));
		assert_int_equal(status_of(r, "cat.test.").owned, 2);
	}
	assert_int_equal(primary_counts(r->primary).axfrs, axfrs);
	change(r, 3, A);
	assert_int_equal(rig_serial(r, "a.m.test."), 1);
	assert_int_equal(rig_serial(r, "b.m.test."), -1);
	assert_true(zone_item_config(rig_item(r, "a.m.test."))->refresh_max_s > 100);
	RIG_WAIT(r, notes(r) == 1 && rig_is_quiet(r));
}

/* The last thing that was told of a member is what a restart knows. */
static void
notes_follow_changes(void **state)
{
	struct rig *r = *state;
	primary_set(r->primary, "other.test.", 1, HEAD);
	serving(state, TWO, A "group.1.zones TXT \"g\"\n");
	RIG_WAIT(r, rig_serial(r, "a.m.test.") == 1 && rig_is_quiet(r));
	change(r, 2, A);
	change(r, 3, BROKEN);
	RIG_WAIT(r, rig_is_quiet(r));
	restart(r, TWO);
	RIG_WAIT(r, !r->d.first_load && rig_is_quiet(r));
	assert_true(zone_item_config(rig_item(r, "a.m.test."))->refresh_max_s > 100);
	change(r, 4, HEAD);
	RIG_WAIT(r, notes(r) == 0 && rig_is_quiet(r));
	change(r, 5, BROKEN);
	restart(r, TWO);
	RIG_WAIT(r, !r->d.first_load && rig_is_quiet(r));
	assert_null(rig_item(r, "a.m.test."));
}

static void
an_id_that_changed_meanwhile_resets_the_zone(void **state)
{
	struct rig *r = serving(state, CATALOG, A);
	RIG_WAIT(r, rig_serial(r, "a.m.test.") == 1 && rig_is_quiet(r));
	rig_stop(r);
	primary_set(r->primary, "cat.test.", 2, HEAD "other.zones PTR a.m.test.\n");
	primary_set_others(r->primary, 0);
	rig_start(r, CATALOG);
	RIG_WAIT(r, !r->d.first_load);
	assert_int_equal(rig_serial(r, "a.m.test."), 1);
	rig_notify(r, "cat.test.", 2);
	RIG_WAIT(r, rig_serial(r, "a.m.test.") == 0);
	RIG_WAIT(r, rig_is_quiet(r));
	/* Once is enough. */
	unsigned axfrs = primary_counts(r->primary).axfrs;
	restart(r, CATALOG);
	RIG_WAIT(r, catalog_zones_are_known(r->d.catalogs) && !r->d.first_load && rig_is_quiet(r));
	assert_int_equal(rig_serial(r, "a.m.test."), 0);
	assert_int_equal(primary_counts(r->primary).axfrs, axfrs);
}

/* Members are at a primary of their own, so that the catalog can be had and they cannot. */
static void
a_reset_that_was_not_done_is_done_after_a_restart(void **state)
{
	static const char config[] = "remotes: [{id: p, address: 127.0.0.1@%u}, {id: q, address: 127.0.0.1@%u}]\n"
				     "templates: [{id: g, primaries: [q]}]\n"
				     "catalogs: [{name: cat.test, primaries: [p]}]\n";
	struct rig *r = *state;
	r->second = primary_start();
	serving(state, config, A "group.1.zones TXT \"g\"\n");
	RIG_WAIT(r, rig_serial(r, "a.m.test.") == 1 && rig_is_quiet(r));
	primary_set_faults(r->second, PRIMARY_REFUSES);
	primary_set_others(r->second, 0);
	change(r, 2, HEAD "other.zones PTR a.m.test.\ngroup.other.zones TXT \"g\"\n");
	RIG_WAIT(r, rig_secondary(r, "a.m.test.").failures > 0 && rig_is_quiet(r));
	/* Another change of the member must not make the note tell of the new ID. */
	change(r, 3, HEAD "other.zones PTR a.m.test.\ngroup.other.zones TXT \"g\"\ngroup.other.zones TXT \"x\"\n");
	for (unsigned i = 0; i < 3; i++) {
		RIG_WAIT(r, rig_secondary(r, "a.m.test.").failures > 0 && rig_is_quiet(r));
		assert_true(secondary_is_reset(rig_item(r, "a.m.test.")));
		assert_int_equal(rig_serial(r, "a.m.test."), 1);
		restart(r, config);
	}
	primary_set_faults(r->second, 0);
	restart(r, config);
	RIG_WAIT(r, rig_serial(r, "a.m.test.") == 0);
	RIG_WAIT(r, rig_is_quiet(r));
	assert_false(secondary_is_reset(rig_item(r, "a.m.test.")));
}

/* The catalog that is later in the file had it first. */
static void
who_came_first_is_known_after_a_restart(void **state)
{
	struct rig *r = *state;
	primary_set(r->primary, "other.test.", 1, A);
	serving(state, TWO, HEAD);
	RIG_WAIT(r, rig_serial(r, "a.m.test.") == 1);
	change(r, 2, AB);
	RIG_WAIT(r, rig_serial(r, "b.m.test.") == 1 && rig_is_quiet(r));
	for (unsigned i = 0; i < 5; i++) {
		assert_int_equal(status_of(r, "other.test.").owned, 1);
		assert_int_equal(status_of(r, "cat.test.").owned, 1);
		restart(r, TWO);
		RIG_WAIT(r, catalog_zones_are_known(r->d.catalogs) && rig_is_quiet(r));
	}
	/* One that gives it away does so, too; the ID is the same, so its data stays. */
	unsigned axfrs = primary_counts(r->primary).axfrs;
	primary_set(r->primary, "other.test.", 2, A "coo.1.zones PTR cat.test.\n");
	rig_notify(r, "other.test.", 2);
	RIG_WAIT(r, status_of(r, "cat.test.").owned == 2 && rig_is_quiet(r));
	restart(r, REMOTE "catalogs: [{name: cat.test, primaries: [p]}]\n");
	RIG_WAIT(r, !r->d.first_load);
	assert_int_equal(rig_serial(r, "a.m.test."), 1);
	assert_int_equal(status_of(r, "cat.test.").owned, 2);
	assert_in_range(primary_counts(r->primary).axfrs, axfrs, axfrs + 1); /* other.test may come as a whole */
}

static void
what_the_configuration_takes_over_loses_its_note(void **state)
{
	const char *taken = CATALOG "zones: [{name: a.m.test, primaries: [p]}]\n";
	struct rig *r = serving(state, CATALOG, AB);
	RIG_WAIT(r, rig_serial(r, "a.m.test.") == 1 && rig_serial(r, "b.m.test.") == 1 && rig_is_quiet(r));
	assert_int_equal(notes(r), 2);
	restart(r, taken);
	RIG_WAIT(r, notes(r) == 1 && rig_serial(r, "a.m.test.") == 1 && rig_is_quiet(r));
	rig_reload(r, CATALOG);
	RIG_WAIT(r, notes(r) == 2 && rig_is_quiet(r));
	rig_reload(r, taken);
	RIG_WAIT(r, notes(r) == 1 && rig_is_quiet(r));
	assert_int_equal(rig_serial(r, "a.m.test."), 1);
}

/* Notes as they are written for many members, with some that make no sense in between. */
static void
put_notes(struct rig *r, unsigned n)
{
	static const uint8_t note[] = "\1\3cat\4test\0\0\1i\0\0";
	char text[64];
	for (unsigned i = 0; i < n; i++) {
		snprintf(text, sizeof(text), "%c%u.m.test.", i % 100 == 99 ? 'x' : 'm', i);
		struct name apex = fixture_name(text);
		size_t len = i % 100 == 99 ? 5 : sizeof(note) - 1;
		RIG_WAIT(r, state_zone_put_note(r->d.state, &apex, note, len, (struct state_done){0}) == 0);
	}
}

/* Until the first load has ended. */
static void
run_first_load(struct rig *r, const char *what)
{
	uint64_t start_ns = publish_now_ns(), longest_ns = 0, turns = 0, long_turns = 0;
	for (; r->d.first_load; turns++) {
		uint64_t turn_ns = publish_now_ns();
		uv_run(&r->d.loop, UV_RUN_NOWAIT);
		turn_ns = publish_now_ns() - turn_ns;
		longest_ns = turn_ns > longest_ns ? turn_ns : longest_ns;
		long_turns += turn_ns > 5000000;
	}
	print_message("# %s: %zu zones, %.2f s, longest turn %.1f ms, %llu of %llu over 5 ms\n", what,
		      zones_count(r->d.zones), (double)(publish_now_ns() - start_ns) / 1e9,
		      (double)longest_ns / 1e6, (unsigned long long)long_turns, (unsigned long long)turns);
}

/* In many batches, with reloads in between; what the catalog does not know goes when it is read. */
static void
many_members_are_restored(void **state)
{
	const char *members = getenv("ANSER_MEMBERS");
	unsigned many = members ? (unsigned)strtoul(members, NULL, 10) / 100 * 100 : 4000, good = many / 100 * 99;
	struct rig *r = serving(state, CATALOG, A);
	RIG_WAIT(r, rig_serial(r, "a.m.test.") == 1 && rig_is_quiet(r));
	change(r, 2, BROKEN);
	put_notes(r, many);
	rig_stop(r);
	primary_set_faults(r->primary, PRIMARY_SILENT | PRIMARY_REFUSES);
	rig_start(r, CATALOG);
	run_first_load(r, "members of before");
	restart(r, CATALOG);
	rig_reload_begin(r, CATALOG);
	RIG_WAIT(r, zones_count(r->d.zones) > 1000);
	rig_reload(r, CATALOG);
	RIG_WAIT(r, !r->d.first_load);
	assert_int_equal(zones_count(r->d.zones), 2 + good);
	assert_int_equal(status_of(r, "cat.test.").owned, 1 + good);
	assert_int_equal(zones_states(r->d.zones)[ZONE_STATE_LOADING], 0);
	primary_set_faults(r->primary, 0);
	primary_set(r->primary, "cat.test.", 3, A);
	rig_notify(r, "cat.test.", 3);
	RIG_WAIT(r, zones_count(r->d.zones) == 2);
	RIG_WAIT(r, notes(r) == 1); /* and those without sense, as zones that nobody wants */
}

static void
a_stop_ends_the_restoring(void **state)
{
	struct rig *r = serving(state, CATALOG, A);
	RIG_WAIT(r, rig_serial(r, "a.m.test.") == 1 && rig_is_quiet(r));
	put_notes(r, 3000);
	restart(r, CATALOG);
	restart(r, CATALOG);
	RIG_WAIT(r, zones_count(r->d.zones) > 2 || catalog_zones_are_known(r->d.catalogs));
	rig_reload_begin(r, CATALOG);
	restart(r, CATALOG);
	RIG_WAIT(r, zones_count(r->d.zones) == 2 && notes(r) == 1);
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
	assert_false(zone_item_is_member(rig_item(r, "b.m.test.")));
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

/* A reload waits until all have been told; a stop does not. */
static void
many_members_come_and_go_in_steps(void **state)
{
	enum { MANY = 1500 };
	char *text = malloc(MANY * 40 + 100), *p = text;
	p += sprintf(p, HEAD);
	for (unsigned i = 0; i < MANY; i++)
		p += sprintf(p, "%u.zones PTR m%u.m.test.\n", i, i);
	struct rig *r = serving(state, CATALOG, HEAD);
	RIG_WAIT(r, catalog_zones_are_known(r->d.catalogs) && rig_is_quiet(r));
	primary_set(r->primary, "cat.test.", 2, text);
	free(text);
	rig_notify(r, "cat.test.", 2);
	RIG_WAIT(r, zones_count(r->d.zones) > 1);
	assert_in_range(zones_count(r->d.zones), 2, MANY);
	rig_reload(r, CATALOG);
	assert_int_equal(zones_count(r->d.zones), 1 + MANY);
	assert_int_equal(status_of(r, "cat.test.").owned, MANY);
	primary_set(r->primary, "cat.test.", 3, HEAD);
	rig_notify(r, "cat.test.", 3);
	RIG_WAIT(r, zones_count(r->d.zones) < 1 + MANY);
	assert_true(zones_count(r->d.zones) > 1);
	rig_stop(r);
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
		TEST(members_survive_a_broken_catalog),
		TEST(notes_follow_changes),
		TEST(an_id_that_changed_meanwhile_resets_the_zone),
		TEST(a_reset_that_was_not_done_is_done_after_a_restart),
		TEST(who_came_first_is_known_after_a_restart),
		TEST(what_the_configuration_takes_over_loses_its_note),
		TEST(many_members_are_restored),
		TEST(a_stop_ends_the_restoring),
		TEST(settings_follow_a_reload_and_members_the_admission),
		TEST(members_that_are_transferred_may_go),
		TEST(a_version_during_a_reload_is_read_behind_it),
		TEST(a_stop_ends_the_reading),
		TEST(many_members_come_and_go_in_steps),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
