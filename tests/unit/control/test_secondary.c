/* SPDX-License-Identifier: Apache-2.0 */
/* Secondaries: when they ask whom, and what becomes of the answers; over restarts, reloads and all kinds of faults.
 */
#include "tests/unit/control/daemon_fixture.h"

#include "control/zone/secondary_private.h"
#include "control/zone/zones_private.h"

#define REMOTE "remotes: [{id: p, address: 127.0.0.1@%u}]\n"
#define ONE REMOTE "zones: [{name: z.test, primaries: [p]}]\n"
#define TWO_REMOTES "remotes: [{id: p, address: 127.0.0.1@%u}, {id: q, address: 127.0.0.1@%u}]\n"
#define TWO TWO_REMOTES "zones: [{name: z.test, primaries: [p, q]}]\n"

/* A daemon that serves serial 1 of z.test. */
static struct rig *
serving(void **state)
{
	struct rig *r = *state;
	primary_set(r->primary, "z.test.", 1, NULL);
	rig_start(r, ONE);
	RIG_WAIT(r, rig_serial(r, "z.test.") == 1 && rig_is_quiet(r));
	return r;
}

static void
wish(struct rig *r, const char *zone, bool whole, struct rig_wish *w)
{
	*w = (struct rig_wish){0};
	assert_int_equal(secondary_refresh(r->d.secondaries, rig_item(r, zone), whole, rig_wish_done, w), 0);
}

/* -------- the plain way -------- */

static void
a_zone_is_transferred_and_followed(void **state)
{
	struct rig *r = serving(state);
	assert_int_equal(rig_info(r, "z.test.").state, ZONE_STATE_OK);
	struct secondary_info info = rig_secondary(r, "z.test.");
	assert_string_equal(info.source, "p");
	assert_true(info.refreshed_at_s > 0);
	assert_in_range(info.expires_at_s - info.refreshed_at_s, 604799, 604801);
	assert_in_range(info.next_at_s - info.refreshed_at_s, 3600 * 9 / 10 - 2, 3602);
	primary_set(r->primary, "z.test.", 2, NULL);
	assert_int_equal(rig_notify(r, "z.test.", 2), RCODE_NOERROR);
	RIG_WAIT(r, rig_serial(r, "z.test.") == 2 && rig_is_quiet(r));
	struct primary_counts n = primary_counts(r->primary);
	assert_int_equal(n.axfrs, 1);
	assert_int_equal(n.ixfrs, 1);
	assert_int_equal(n.soas, 0); /* one primary that has told us: there is nothing to ask before */
	assert_int_equal(secondaries_stats(r->d.secondaries)->transfers[1][0], 1);
}

static void
serials_wrap(void **state)
{
	struct rig *r = *state;
	primary_set(r->primary, "z.test.", 0xfffffffe, NULL);
	rig_start(r, ONE);
	RIG_WAIT(r, rig_serial(r, "z.test.") == 0xfffffffe && rig_is_quiet(r));
	primary_set(r->primary, "z.test.", 3, NULL);
	assert_int_equal(rig_notify(r, "z.test.", 3), RCODE_NOERROR);
	RIG_WAIT(r, rig_serial(r, "z.test.") == 3 && rig_is_quiet(r));
	/* What is older, or neither older nor newer (RFC 1982 section 3.2), is no news. */
	assert_int_equal(rig_notify(r, "z.test.", 0xffffffff), RCODE_NOERROR);
	assert_int_equal(rig_notify(r, "z.test.", 3 + (1ll << 31)), RCODE_NOERROR);
	assert_int_equal(secondaries_stats(r->d.secondaries)->notifies_useless, 2);
	assert_true(rig_is_quiet(r));
	assert_int_equal(rig_serial(r, "z.test."), 3);
}

static void
an_unknown_zone_and_a_stranger_are_refused(void **state)
{
	struct rig *r = *state;
	fixture_write_zone("a.zone", 1, "");
	rig_start(r, "remotes: [{id: p, address: 127.0.0.9@53}]\n"
		     "zones: [{name: z.test, primaries: [p]}, {name: a.test, file: a.zone}]\n");
	assert_int_equal(rig_notify(r, "other.test.", 1), RCODE_NOTAUTH);
	assert_int_equal(rig_notify(r, "a.test.", 1), RCODE_NOTAUTH);
	assert_int_equal(rig_notify(r, "z.test.", 1), RCODE_REFUSED);
	assert_int_equal(secondaries_stats(r->d.secondaries)->notifies, 0);
}

/* -------- NOTIFY -------- */

static void
a_thousand_notifies_make_one_more_refresh(void **state)
{
	struct rig *r = serving(state);
	uint64_t refreshes = secondaries_stats(r->d.secondaries)->refreshes;
	primary_set_faults(r->primary, PRIMARY_HOLDS);
	primary_set(r->primary, "z.test.", 2, NULL);
	rig_notify(r, "z.test.", 2);
	RIG_WAIT(r, primary_counts(r->primary).held == 1);
	for (unsigned i = 0; i < 1000; i++)
		assert_int_equal(rig_notify(r, "z.test.", -1), RCODE_NOERROR);
	primary_set_faults(r->primary, 0);
	RIG_WAIT(r, rig_is_quiet(r));
	struct primary_counts n = primary_counts(r->primary);
	assert_int_equal(secondaries_stats(r->d.secondaries)->refreshes, refreshes + 2);
	assert_int_equal(n.ixfrs, 1);
	assert_int_equal(n.soas, 1); /* the one more has found nothing new */
	assert_int_equal(rig_serial(r, "z.test."), 2);
}

static void
a_notify_before_the_zone_is_loaded_counts(void **state)
{
	struct rig *r = serving(state);
	rig_stop(r);
	primary_set(r->primary, "z.test.", 2, NULL);
	rig_start(r, ONE);
	assert_int_equal(rig_notify(r, "z.test.", 2), RCODE_NOERROR);
	assert_int_equal(rig_serial(r, "z.test."), -2);
	RIG_WAIT(r, rig_serial(r, "z.test.") == 2);
}

/* -------- restart -------- */

static void
a_restart_serves_at_once_and_goes_on_with_the_timers(void **state)
{
	struct rig *r = serving(state);
	struct secondary_info before = rig_secondary(r, "z.test.");
	rig_stop(r);
	primary_set_faults(r->primary, PRIMARY_SILENT | PRIMARY_REFUSES);
	rig_start(r, ONE);
	RIG_WAIT(r, rig_serial(r, "z.test.") == 1 && rig_is_quiet(r));
	struct secondary_info now = rig_secondary(r, "z.test.");
	assert_int_equal(now.refreshed_at_s, before.refreshed_at_s);
	assert_int_equal(now.expires_at_s, before.expires_at_s);
	assert_true(now.next_at_s > before.refreshed_at_s + 3000);
	assert_string_equal(now.source, "p");
	assert_int_equal(rig_info(r, "z.test.").state, ZONE_STATE_OK);
	assert_int_equal(primary_counts(r->primary).axfrs, 1);
}

/* -------- failures -------- */

static void
failures_back_off_and_are_told(void **state)
{
	struct rig *r = *state;
	primary_set_faults(r->primary, PRIMARY_REFUSES);
	rig_start(r, ONE);
	RIG_WAIT(r, rig_secondary(r, "z.test.").failures == 2);
	struct secondary_info info = rig_secondary(r, "z.test.");
	assert_non_null(strstr(info.error, "p: "));
	assert_non_null(strstr(info.error, "REFUSED"));
	assert_true(info.next_at_s <= time(NULL) + 2); /* the second time */
	assert_int_equal(rig_info(r, "z.test.").state, ZONE_STATE_NOT_LOADED);
	primary_set_faults(r->primary, 0);
	RIG_WAIT(r, rig_serial(r, "z.test.") == 1);
	info = rig_secondary(r, "z.test.");
	assert_int_equal(info.failures, 0);
	assert_null(info.error);
}

static void
what_fails_is_stale_and_then_retried_by_the_soa(void **state)
{
	struct rig *r = *state;
	struct rig_wish w;
	primary_set_timers(r->primary, 3600, 1, 604800);
	serving(state);
	primary_set_faults(r->primary, PRIMARY_REFUSES);
	primary_set(r->primary, "z.test.", 2, NULL);
	wish(r, "z.test.", false, &w);
	RIG_WAIT(r, w.is_done);
	assert_non_null(strstr(w.error, "REFUSED"));
	assert_int_equal(rig_info(r, "z.test.").state, ZONE_STATE_STALE);
	assert_int_equal(rig_serial(r, "z.test."), 1);
	primary_set_faults(r->primary, 0);
	RIG_WAIT(r, rig_serial(r, "z.test.") == 2);
	assert_int_equal(rig_info(r, "z.test.").state, ZONE_STATE_OK);
}

static void
an_ixfr_that_does_not_fit_is_tried_whole_once(void **state)
{
	struct rig *r = serving(state);
	primary_set_faults(r->primary, PRIMARY_BREAKS_IXFR);
	primary_set(r->primary, "z.test.", 2, NULL);
	rig_notify(r, "z.test.", 2);
	RIG_WAIT(r, rig_serial(r, "z.test.") == 2 && rig_is_quiet(r));
	struct primary_counts n = primary_counts(r->primary);
	assert_int_equal(n.ixfrs, 1);
	assert_int_equal(n.axfrs, 2);
	assert_int_equal(secondaries_stats(r->d.secondaries)->transfers[1][2], 1);
	assert_int_equal(secondaries_stats(r->d.secondaries)->transfers[0][0], 2);
}

static void
a_silent_primary_does_not_keep_from_the_other(void **state)
{
	struct rig *r = *state;
	r->second = primary_start();
	primary_set(r->primary, "z.test.", 1, NULL);
	primary_set(r->second, "z.test.", 2, NULL);
	rig_start(r, TWO);
	RIG_WAIT(r, rig_serial(r, "z.test.") == 2 && rig_is_quiet(r)); /* the newest */
	assert_string_equal(rig_secondary(r, "z.test.").source, "q");
	assert_int_equal(primary_counts(r->primary).axfrs, 0);
	assert_int_equal(rig_secondary(r, "z.test.").primaries[0].serial, 1);
	primary_set_faults(r->second, PRIMARY_SILENT | PRIMARY_REFUSES);
	primary_set(r->primary, "z.test.", 3, NULL);
	rig_notify(r, "z.test.", -1);
	RIG_WAIT(r, rig_serial(r, "z.test.") == 3);
	assert_string_equal(rig_secondary(r, "z.test.").source, "p");
}

static void
the_next_primary_is_tried_where_the_newest_fails(void **state)
{
	struct rig *r = *state;
	r->second = primary_start();
	primary_set(r->primary, "z.test.", 1, NULL);
	primary_set(r->second, "z.test.", 2, NULL);
	primary_set_faults(r->second, PRIMARY_REFUSES);
	rig_start(r, TWO);
	RIG_WAIT(r, rig_serial(r, "z.test.") == 1);
	assert_int_equal(primary_counts(r->second).axfrs, 1);
	assert_string_equal(rig_secondary(r, "z.test.").source, "p");
}

/* -------- expiry -------- */

static void
a_zone_expires_and_comes_back(void **state)
{
	struct rig *r = *state;
	primary_set_timers(r->primary, 3600, 1, 3);
	serving(state);
	primary_set_faults(r->primary, PRIMARY_SILENT | PRIMARY_REFUSES);
	RIG_WAIT(r, rig_serial(r, "z.test.") == -2);
	assert_true(time(NULL) >= rig_secondary(r, "z.test.").expires_at_s);
	assert_int_equal(rig_info(r, "z.test.").state, ZONE_STATE_EXPIRED);
	assert_int_equal(secondary_expire_left_s(rig_item(r, "z.test.")), 0);
	/* A restart does not show it, but has it. */
	rig_stop(r);
	rig_start(r, ONE);
	RIG_WAIT(r, rig_info(r, "z.test.").has_data);
	assert_int_equal(rig_serial(r, "z.test."), -2);
	assert_int_equal(rig_info(r, "z.test.").state, ZONE_STATE_EXPIRED);
	primary_set_timers(r->primary, 3600, 1, 604800);
	primary_set_faults(r->primary, 0);
	RIG_WAIT(r, rig_serial(r, "z.test.") == 1);
	assert_int_equal(rig_info(r, "z.test.").state, ZONE_STATE_OK);
	assert_int_equal(primary_counts(r->primary).axfrs, 1); /* it was current all the time */
}

/* -------- things in the way -------- */

static void
waiters_are_told_of_the_refresh_that_they_asked_for(void **state)
{
	struct rig *r = serving(state);
	struct rig_wish first, second;
	primary_set_faults(r->primary, PRIMARY_HOLDS);
	primary_set(r->primary, "z.test.", 2, NULL);
	wish(r, "z.test.", false, &first);
	RIG_WAIT(r, primary_counts(r->primary).held == 1);
	wish(r, "z.test.", false, &second);
	primary_set_faults(r->primary, 0);
	RIG_WAIT(r, first.is_done);
	assert_string_equal(first.error, "");
	assert_false(second.is_done);
	RIG_WAIT(r, second.is_done);
	assert_string_equal(second.error, "");
}

static void
a_removed_zone_ends_its_transfer(void **state)
{
	struct rig *r = serving(state);
	struct rig_wish w;
	primary_set_faults(r->primary, PRIMARY_HOLDS);
	primary_set(r->primary, "z.test.", 2, NULL);
	wish(r, "z.test.", true, &w);
	RIG_WAIT(r, primary_counts(r->primary).held == 1);
	rig_reload(r, REMOTE "zones: [{name: other.test, primaries: [p]}]\n");
	assert_true(w.is_done);
	assert_non_null(strstr(w.error, "not configured"));
	assert_int_equal(rig_serial(r, "z.test."), -1);
	primary_set_faults(r->primary, 0);
	RIG_WAIT(r, rig_serial(r, "other.test.") == 1 && rig_is_quiet(r));
}

static void
a_stop_ends_what_is_under_way(void **state)
{
	struct rig *r = serving(state);
	struct rig_wish first, second;
	primary_set_faults(r->primary, PRIMARY_HOLDS);
	wish(r, "z.test.", true, &first);
	RIG_WAIT(r, primary_counts(r->primary).held == 1);
	wish(r, "z.test.", false, &second);
	rig_stop(r);
	assert_true(first.is_done && second.is_done);
	assert_string_equal(first.error, "the server stops");
	assert_string_equal(second.error, "the server stops");
}

static void
new_primaries_are_asked_at_once(void **state)
{
	struct rig *r = *state;
	r->second = primary_start();
	primary_set_timers(r->second, 3600, 3600, 604800);
	primary_set_faults(r->primary, PRIMARY_SILENT | PRIMARY_REFUSES);
	rig_start(r, TWO_REMOTES "zones: [{name: z.test, primaries: [q]}]\n");
	RIG_WAIT(r, rig_serial(r, "z.test.") == 1 && rig_is_quiet(r));
	primary_set_faults(r->second, PRIMARY_SILENT);
	primary_set(r->primary, "z.test.", 2, NULL);
	struct rig_wish w;
	wish(r, "z.test.", false, &w);
	RIG_WAIT(r, w.is_done);
	assert_int_equal(rig_secondary(r, "z.test.").failures, 1); /* the next try is an hour away */
	primary_set_faults(r->primary, 0);
	rig_reload(r, TWO_REMOTES "zones: [{name: z.test, primaries: [p]}]\n");
	RIG_WAIT(r, rig_serial(r, "z.test.") == 2);
	/* And behind a refresh that had begun with the old ones. */
	primary_set_faults(r->primary, PRIMARY_HOLDS | PRIMARY_REFUSES);
	rig_notify(r, "z.test.", 3);
	RIG_WAIT(r, primary_counts(r->primary).held);
	primary_set(r->second, "z.test.", 4, NULL);
	primary_set_faults(r->second, 0);
	rig_reload(r, TWO_REMOTES "zones: [{name: z.test, primaries: [q]}]\n");
	primary_set_faults(r->primary, PRIMARY_REFUSES);
	RIG_WAIT(r, rig_serial(r, "z.test.") == 4);
}

/* What is known of a zone moves to make room for them; the refresh under way, and the timers, go with it. */
static void
more_primaries_join_while_a_refresh_runs(void **state)
{
	struct rig *r = *state;
	struct rig_wish first, second;
	r->second = primary_start();
	primary_set(r->primary, "z.test.", 1, NULL);
	rig_start(r, TWO_REMOTES "zones: [{name: z.test, primaries: [p]}, {name: y.test, primaries: [p]}]\n");
	RIG_WAIT(r, rig_serial(r, "z.test.") == 1 && rig_serial(r, "y.test.") == 1 && rig_is_quiet(r));
	primary_set_faults(r->primary, PRIMARY_HOLDS);
	primary_set(r->primary, "z.test.", 2, NULL);
	primary_set(r->second, "z.test.", 3, NULL);
	wish(r, "z.test.", true, &first);
	RIG_WAIT(r, primary_counts(r->primary).held == 1);
	rig_reload(r, TWO_REMOTES
		   "zones: [{name: z.test, primaries: [p, q, p, q]}, {name: y.test, primaries: [p]}]\n");
	assert_int_equal(rig_secondary(r, "z.test.").n_primaries, 4);
	assert_true(rig_secondary(r, "z.test.").is_refreshing);
	wish(r, "z.test.", false, &second);
	assert_false(first.is_done);
	primary_set_faults(r->primary, 0);
	RIG_WAIT(r, first.is_done && second.is_done);
	assert_string_equal(first.error, "");
	assert_string_equal(second.error, "");
	RIG_WAIT(r, rig_serial(r, "z.test.") == 3 && rig_is_quiet(r));
	assert_true(rig_secondary(r, "z.test.").primaries[3].has_serial);
	assert_int_equal(rig_secondary(r, "z.test.").primaries[3].serial, 3);
	assert_true(due_first(&r->d.secondaries->due) == &rig_item(r, "z.test.")->secondary->due ||
		    due_first(&r->d.secondaries->due) == &rig_item(r, "y.test.")->secondary->due);
	assert_string_equal(rig_secondary(r, "z.test.").source, "q");
}

/* A zone of a file becomes secondary of a primary that is not there: it does not live for ever. */
static int64_t
life_s(struct rig *r)
{
	return rig_secondary(r, "z.test.").expires_at_s - time(NULL);
}

/* What a primary has left does not shorten what we have (RFC 7314 section 4), but what is configured does. */
static void
a_lower_expire_max_holds_from_the_next_refresh_on(void **state)
{
	struct rig *r = serving(state);
	struct rig_wish w;
	primary_set_expire_left(r->primary, 1000);
	wish(r, "z.test.", false, &w);
	RIG_WAIT(r, w.is_done);
	assert_in_range(life_s(r), 604700, 604801);
	rig_reload(r, REMOTE "zones: [{name: z.test, primaries: [p], expire-max: 5000s}]\n");
	assert_in_range(life_s(r), 604700, 604801);
	wish(r, "z.test.", false, &w);
	RIG_WAIT(r, w.is_done);
	assert_in_range(life_s(r), 4900, 5001);
}

static void
what_came_from_a_file_expires_too(void **state)
{
	struct rig *r = *state;
	fixture_write("z.zone", "@ 60 SOA ns h 1 1 1 3 60\n@ 60 NS ns\nns 60 A 192.0.2.1\n");
	primary_set_faults(r->primary, PRIMARY_SILENT | PRIMARY_REFUSES);
	rig_start(r, REMOTE "zones: [{name: z.test, file: z.zone}]\n");
	RIG_WAIT(r, rig_serial(r, "z.test.") == 1);
	rig_reload(r, ONE);
	RIG_WAIT(r, rig_serial(r, "z.test.") == -2);
}

/* As many as are due at once, a turn of the loop begins only some of them. */
static void
what_is_due_at_once_takes_several_turns(void **state)
{
	enum { MANY = 2000, AT_ONCE = 150 };
	struct rig *r = *state;
	primary_set_faults(r->primary, PRIMARY_REFUSES | PRIMARY_SILENT);
	rig_start(r, ONE);
	const struct config_zone *config = zone_item_config(rig_item(r, "z.test."));
	struct zones_edit *edit = zones_edit_begin(r->d.zones);
	for (unsigned i = 0; i < MANY; i++) {
		char text[64];
		snprintf(text, sizeof(text), "m%u.test.", i);
		struct name apex = fixture_name(text);
		assert_int_equal(zones_edit_add(edit, &apex, config), 0);
	}
	assert_int_equal(zones_edit_commit(edit), 0);
	RIG_WAIT(r, secondaries_stats(r->d.secondaries)->refresh_failures > MANY && rig_is_quiet(r));
	primary_set_faults(r->primary, PRIMARY_HOLDS);
	for (size_t i = 0; i < zones_count(r->d.zones); i++) {
		struct zone_info info;
		zones_info_at(r->d.zones, i, &info);
		struct name apex;
		name_copy(&apex, info.apex);
		secondary_configured(r->d.secondaries, zones_item(r->d.zones, &apex)); /* it is due now */
	}
	unsigned before = 0;
	while (r->d.secondaries->n_refreshes < MANY + 1) {
		rig_turn(r);
		assert_in_range(r->d.secondaries->n_refreshes - before, 0, AT_ONCE);
		before = r->d.secondaries->n_refreshes;
	}
	primary_set_faults(r->primary, PRIMARY_REFUSES);
}

/* The memory of a stack does not count them, and all end. */
static void
a_stop_with_many_waiting(void **state)
{
	enum { MANY = 20000 };
	struct rig *r = *state;
	struct zones_edit *edit;
	primary_set_faults(r->primary, PRIMARY_SILENT | PRIMARY_HOLDS);
	rig_start(r, ONE);
	const struct config_zone *config = zone_item_config(rig_item(r, "z.test."));
	edit = zones_edit_begin(r->d.zones);
	for (unsigned i = 0; i < MANY; i++) {
		char text[64];
		snprintf(text, sizeof(text), "m%u.test.", i);
		struct name apex = fixture_name(text);
		assert_int_equal(zones_edit_add(edit, &apex, config), 0);
	}
	assert_int_equal(zones_edit_commit(edit), 0);
	RIG_WAIT(r, secondary_info(rig_item(r, "m19999.test."), &(struct secondary_info){0}));
	RIG_WAIT(r, rig_secondary(r, "m19999.test.").is_refreshing);
	assert_true(peers_at(r->d.peers, 0)->due);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)

/* -------- resets -------- */

/* It is not enough that it was tried: the next refresh takes the whole, too, though the serial is not newer. */
static void
a_reset_lasts_until_it_is_done(void **state)
{
	struct rig *r = serving(state);
	struct rig_wish w;
	primary_set_faults(r->primary, PRIMARY_REFUSES);
	primary_set(r->primary, "z.test.", 0, NULL);
	secondary_reset(r->d.secondaries, rig_item(r, "z.test."));
	RIG_WAIT(r, rig_secondary(r, "z.test.").failures == 1);
	assert_true(secondary_is_reset(rig_item(r, "z.test.")));
	primary_set_faults(r->primary, 0);
	wish(r, "z.test.", false, &w);
	RIG_WAIT(r, w.is_done);
	assert_int_equal(rig_serial(r, "z.test."), 0);
	assert_false(secondary_is_reset(rig_item(r, "z.test.")));
}

static void
a_reset_before_the_zone_is_loaded_is_not_lost(void **state)
{
	struct rig *r = serving(state);
	rig_stop(r);
	primary_set(r->primary, "z.test.", 0, NULL);
	rig_start(r, ONE);
	secondary_reset(r->d.secondaries, rig_item(r, "z.test."));
	RIG_WAIT(r, rig_serial(r, "z.test.") == 1);
	RIG_WAIT(r, rig_serial(r, "z.test.") == 0);
}

/* A transfer that began before the reset is not what it asks for. */
static void
a_reset_during_a_transfer_takes_another_one(void **state)
{
	struct rig *r = serving(state);
	struct rig_wish w;
	primary_set_faults(r->primary, PRIMARY_HOLDS);
	wish(r, "z.test.", true, &w);
	RIG_WAIT(r, primary_counts(r->primary).held == 1);
	secondary_reset(r->d.secondaries, rig_item(r, "z.test."));
	unsigned axfrs = primary_counts(r->primary).axfrs;
	primary_set_faults(r->primary, 0);
	RIG_WAIT(r, w.is_done);
	assert_true(secondary_is_reset(rig_item(r, "z.test.")));
	RIG_WAIT(r, !secondary_is_reset(rig_item(r, "z.test.")));
	assert_int_equal(primary_counts(r->primary).axfrs, axfrs + 1);
}

/* -------- many zones due at once -------- */

static unsigned n_slots;

static void
slot_began(struct peer_wait *w)
{
	n_slots++;
}

/* A zone that waits for its turn among those that a timer woke goes before them when a NOTIFY comes. */
static void
a_notify_goes_before_those_that_are_due(void **state)
{
	struct rig *r = *state;
	struct peer_wait slots[PEER_SLOTS], due = {.begin = slot_began};
	primary_set(r->primary, "z.test.", 1, NULL);
	n_slots = 0;
	rig_start(r, ONE);
	struct peer *peer = peers_at(r->d.peers, 0);
	for (unsigned i = 0; i < PEER_SLOTS; i++) {
		slots[i] = (struct peer_wait){.begin = slot_began};
		peer_slot_take(peer, &slots[i], false);
	}
	assert_int_equal(n_slots, PEER_SLOTS);
	peer_slot_take(peer, &due, false);
	RIG_WAIT(r, peer->due_last != &due.next); /* the zone is behind it */
	assert_int_equal(rig_notify(r, "z.test.", 1), RCODE_NOERROR);
	peer_slot_end(peer);
	assert_int_equal(n_slots, PEER_SLOTS); /* it was for the zone */
	RIG_WAIT(r, rig_serial(r, "z.test.") == 1);
	assert_int_equal(n_slots, PEER_SLOTS + 1);
	for (unsigned i = 0; i < PEER_SLOTS; i++)
		peer_slot_end(peer);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_zone_is_transferred_and_followed),
		TEST(serials_wrap),
		TEST(an_unknown_zone_and_a_stranger_are_refused),
		TEST(a_thousand_notifies_make_one_more_refresh),
		TEST(a_notify_before_the_zone_is_loaded_counts),
		TEST(a_restart_serves_at_once_and_goes_on_with_the_timers),
		TEST(failures_back_off_and_are_told),
		TEST(what_fails_is_stale_and_then_retried_by_the_soa),
		TEST(an_ixfr_that_does_not_fit_is_tried_whole_once),
		TEST(a_silent_primary_does_not_keep_from_the_other),
		TEST(the_next_primary_is_tried_where_the_newest_fails),
		TEST(a_zone_expires_and_comes_back),
		TEST(waiters_are_told_of_the_refresh_that_they_asked_for),
		TEST(a_removed_zone_ends_its_transfer),
		TEST(a_stop_ends_what_is_under_way),
		TEST(new_primaries_are_asked_at_once),
		TEST(more_primaries_join_while_a_refresh_runs),
		TEST(what_is_due_at_once_takes_several_turns),
		TEST(a_lower_expire_max_holds_from_the_next_refresh_on),
		TEST(what_came_from_a_file_expires_too),
		TEST(a_stop_with_many_waiting),
		TEST(a_reset_lasts_until_it_is_done),
		TEST(a_reset_before_the_zone_is_loaded_is_not_lost),
		TEST(a_reset_during_a_transfer_takes_another_one),
		TEST(a_notify_goes_before_those_that_are_due),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
