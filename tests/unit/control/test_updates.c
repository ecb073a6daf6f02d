/* SPDX-License-Identifier: Apache-2.0 */
/*
 * UPDATEs on their way, from the dispatcher on: whose they are, in which order, and what is there when they are
 * replied to; and what becomes of them when their zone goes, changes its role, or the server stops.
 */
#include "tests/unit/control/daemon_fixture.h"

#include <errno.h>

#include "control/zone/zones_private.h"
#include "zones/base/bytes.h"
#include "zones/wire/rrtype.h"

#define REMOTE "remotes: [{id: p, address: 127.0.0.1@%u}]\nacls: [{id: a, address: 127.0.0.1}]\n"
#define DYNAMIC REMOTE "zones: [{name: z.test, file: z.zone, allow-update: [a], allow-transfer: [a]}]\n"
#define FORWARDED REMOTE "zones: [{name: z.test, primaries: [p], forward-updates: true}]\n"

static struct rig *
serving(void **state, const char *config)
{
	struct rig *r = *state;
	fixture_write_zone("z.zone", 1, "");
	rig_start(r, config);
	RIG_WAIT(r, rig_serial(r, "z.test.") == 1 && rig_is_quiet(r));
	return r;
}

/* Adds an address to a name `h<n>`. */
static size_t
update_message(const char *zone, unsigned n, uint8_t out[1024])
{
	static struct message_writer w;
	char text[64];
	struct name apex = fixture_name(zone), owner;
	snprintf(text, sizeof(text), "h%u", n);
	assert_int_equal(name_from_text(text, strlen(text), &apex, &owner), NAME_OK);
	struct message_question q = {apex.bytes, RRTYPE_SOA, RRCLASS_IN};
	struct message_record r = {.owner = owner.bytes,
				   .rdata = (const uint8_t *)"\xc0\0\2\7",
				   .rdlen = 4,
				   .ttl_s = 60,
				   .type = RRTYPE_A,
				   .rrclass = RRCLASS_IN,
				   .section = MESSAGE_AUTHORITY};
	message_begin(&w, out, 1024, (uint16_t)n, OPCODE_UPDATE << 11);
	assert_true(message_put_question(&w, &q) && message_put(&w, &r));
	return w.len;
}

static void
update(struct rig *r, struct rig_inquiry *q, const char *zone, unsigned n)
{
	uint8_t msg[1024];
	rig_inquire(r, q, msg, update_message(zone, n, msg));
}

static unsigned
update_and_wait(struct rig *r, const char *zone, unsigned n)
{
	static struct rig_inquiry q;
	update(r, &q, zone, n);
	RIG_WAIT(r, q.n_ends);
	return rig_rcode(&q);
}

static struct state_zone
stored(struct rig *r)
{
	struct state_zone z = {0};
	struct name apex = fixture_name("z.test.");
	assert_int_equal(state_zone_get(r->d.state, &apex, &z), 0);
	return z;
}

/* -------- primaries -------- */

static void
what_is_replied_to_is_served_and_stored(void **state)
{
	struct rig *r = serving(state, DYNAMIC);
	static struct rig_inquiry q[20];
	for (unsigned i = 0; i < 20; i++)
		update(r, &q[i], "z.test.", i);
	for (unsigned i = 0; i < 20; i++) {
		RIG_WAIT(r, q[i].n_ends);
		assert_int_equal(rig_rcode(&q[i]), RCODE_NOERROR);
		assert_true(rig_serial(r, "z.test.") >= 2 + i);
		assert_true(stored(r).serial >= 2 + i);
	}
	assert_int_equal(rig_serial(r, "z.test."), 21);
	assert_int_equal(update_and_wait(r, "z.test.", 0), RCODE_NOERROR);
	assert_int_equal(rig_serial(r, "z.test."), 21); /* it was there */
	assert_int_equal(updates_stats(r->d.updates)->done, 20);
	assert_int_equal(updates_stats(r->d.updates)->unchanged, 1);
	rig_stop(r);
	rig_start(r, DYNAMIC); /* the file is older */
	RIG_WAIT(r, rig_serial(r, "z.test.") == 21);
}

static void
who_may_not_is_refused(void **state)
{
	struct rig *r = serving(state, "zones: [{name: z.test, file: z.zone}]\n");
	assert_int_equal(update_and_wait(r, "z.test.", 1), RCODE_REFUSED);
	assert_int_equal(update_and_wait(r, "other.test.", 1), RCODE_NOTAUTH);
	assert_int_equal(rig_serial(r, "z.test."), 1);
	assert_int_equal(updates_stats(r->d.updates)->refused, 2);
}

/* A TSIG that cannot be read, or whose key is not known, in an UPDATE. */
static void
broken_messages_get_one_reply(void **state)
{
	struct rig *r = serving(state, DYNAMIC);
	static struct rig_inquiry q;
	uint8_t msg[1024];
	size_t len = update_message("z.test.", 1, msg);
	for (size_t cut = 0; cut < len; cut++) {
		rig_inquire(r, &q, msg, cut);
		RIG_WAIT(r, q.n_ends);
		assert_int_equal(q.n_ends, 1);
		assert_true(!q.len || rig_rcode(&q) != RCODE_NOERROR);
	}
	static const uint8_t tsig[] = {1,   'k', 0,   0,   250, 0,   255, 0,   0,   0,   0,   0, 29, 11,
				       'h', 'm', 'a', 'c', '-', 's', 'h', 'a', '2', '5', '6', 0, 0,  0,
				       0,   0,   0,   0,   1,   44,  0,   0,   0,   0,   0,   0, 0,  0};
	memcpy(msg + len, tsig, sizeof(tsig));
	store_be16(msg + 10, 1);
	for (size_t cut = len; cut <= len + sizeof(tsig); cut++) {
		rig_inquire(r, &q, msg, cut);
		RIG_WAIT(r, q.n_ends);
		assert_int_equal(q.n_ends, 1);
		assert_true(!q.len || rig_rcode(&q) != RCODE_NOERROR);
	}
	assert_int_equal(rig_serial(r, "z.test."), 1);
}

/* The version that there is goes on over a restart, with its history, though the file cannot be read. */
static void
history_survives_a_broken_file(void **state)
{
	struct rig *r = serving(state, DYNAMIC);
	assert_int_equal(update_and_wait(r, "z.test.", 1), RCODE_NOERROR);
	assert_int_equal(update_and_wait(r, "z.test.", 2), RCODE_NOERROR);
	assert_int_equal(stored(r).history_serial, 1);
	rig_stop(r);
	fixture_write("z.zone", "rubbish\n");
	rig_start(r, DYNAMIC);
	RIG_WAIT(r, rig_serial(r, "z.test.") == 3 && rig_is_quiet(r));
	assert_non_null(rig_info(r, "z.test.").error);
	assert_int_equal(stored(r).history_serial, 1);
	assert_int_equal(stored(r).serial, 3);
	assert_int_equal(update_and_wait(r, "z.test.", 3), RCODE_NOERROR);
	assert_int_equal(stored(r).history_serial, 1);
}

static void
a_zone_may_go_under_way(void **state)
{
	struct rig *r = serving(state, DYNAMIC);
	static struct rig_inquiry q[50];
	for (unsigned round = 0; round < 10; round++) {
		for (unsigned i = 0; i < 50; i++)
			update(r, &q[i], "z.test.", round * 100 + i);
		for (unsigned i = 0; i < round; i++)
			rig_turn(r);
		rig_drop(r, "z.test.");
		for (unsigned i = 0; i < 50; i++) {
			RIG_WAIT(r, q[i].n_ends);
			assert_true(rig_rcode(&q[i]) == RCODE_SERVFAIL || rig_rcode(&q[i]) == RCODE_NOERROR);
		}
		rig_reload(r, DYNAMIC);
		RIG_WAIT(r, rig_serial(r, "z.test.") > 0);
	}
}

/* More than one change waits when the zone becomes another server's: none of them is taken. */
static void
a_zone_may_become_secondary_under_way(void **state)
{
	struct rig *r = serving(state, DYNAMIC);
	static struct rig_inquiry q[UPDATES_WAITING_MAX + 1];
	struct zone_turn turn = {.begin = NULL};
	struct zone_item *item = rig_item(r, "z.test.");
	turn.item = item; /* somebody has the turn until the role has changed */
	item->turn = &turn;
	for (unsigned i = 0; i <= UPDATES_WAITING_MAX; i++)
		update(r, &q[i], "z.test.", i);
	assert_int_equal(rig_rcode(&q[UPDATES_WAITING_MAX]), RCODE_SERVFAIL); /* too many */
	primary_set_faults(r->primary, PRIMARY_SILENT | PRIMARY_REFUSES);
	rig_reload(r, REMOTE "zones: [{name: z.test, primaries: [p]}]\n");
	assert_ptr_equal(rig_item(r, "z.test."), item);
	zone_turn_end(&turn);
	for (unsigned i = 0; i < UPDATES_WAITING_MAX; i++) {
		RIG_WAIT(r, q[i].n_ends);
		assert_int_equal(rig_rcode(&q[i]), RCODE_NOTAUTH);
	}
	assert_int_equal(rig_serial(r, "z.test."), 1);
	assert_true(updates_are_idle(r->d.updates));
}

static void
a_reload_under_way_changes_nothing_for_them(void **state)
{
	struct rig *r = serving(state, DYNAMIC);
	static struct rig_inquiry q[100];
	for (unsigned i = 0; i < 100; i++) {
		update(r, &q[i], "z.test.", i);
		if (i % 10 == 0)
			rig_reload_begin(r, DYNAMIC);
		rig_turn(r);
	}
	for (unsigned i = 0; i < 100; i++) {
		RIG_WAIT(r, q[i].n_ends);
		assert_int_equal(rig_rcode(&q[i]), RCODE_NOERROR);
	}
	RIG_WAIT(r, rig_is_quiet(r));
	assert_int_equal(rig_serial(r, "z.test."), 101);
}

static void
a_stop_ends_them(void **state)
{
	struct rig *r = serving(state, DYNAMIC);
	static struct rig_inquiry q[100];
	for (unsigned i = 0; i < 100; i++)
		update(r, &q[i], "z.test.", i);
	rig_turn(r);
	rig_stop(r);
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(q[i].n_ends, 1);
}

/* -------- secondaries -------- */

static void
a_secondary_forwards(void **state)
{
	struct rig *r = *state;
	struct rig_inquiry q;
	primary_set(r->primary, "z.test.", 1, NULL);
	serving(state, FORWARDED);
	assert_int_equal(update_and_wait(r, "z.test.", 1), RCODE_NOERROR);
	assert_int_equal(primary_counts(r->primary).updates, 1);
	assert_int_equal(updates_stats(r->d.updates)->forwarded, 1);
	primary_set_faults(r->primary, PRIMARY_SILENT);
	update(r, &q, "z.test.", 2); /* and the server stops */
	rig_turn(r);
	rig_stop(r);
	assert_int_equal(rig_rcode(&q), RCODE_SERVFAIL);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)
	const struct CMUnitTest tests[] = {
		TEST(what_is_replied_to_is_served_and_stored),
		TEST(who_may_not_is_refused),
		TEST(broken_messages_get_one_reply),
		TEST(history_survives_a_broken_file),
		TEST(a_zone_may_go_under_way),
		TEST(a_zone_may_become_secondary_under_way),
		TEST(a_reload_under_way_changes_nothing_for_them),
		TEST(a_stop_ends_them),
		TEST(a_secondary_forwards),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
