/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Damage on disk as the server meets it: every bit flipped of all that the state has of one zone of two. Each time
 * that zone comes up without data and is transferred anew, by its primary alone; the other one is served at once.
 */
#include "tests/unit/control/daemon_fixture.h"

#include <errno.h>

#include "control/state/state_private.h"
#include "control/zone/zones_private.h"

#define BOTH                                                                                                       \
	"remotes: [{id: p, address: 127.0.0.1@%u}]\nzones: [{name: z.test, primaries: [p]}, "                      \
	"{name: good.test, primaries: [p]}]\n"

#define GOOD "remotes: [{id: p, address: 127.0.0.1@%u}]\nzones: [{name: good.test, primaries: [p]}]\n"

struct value {
	uint8_t key[300], bytes[4096];
	size_t key_len, len;
};

static struct value values[16];
static unsigned n_values;

static MDB_txn *
raw_begin(struct state *st)
{
	MDB_txn *txn;
	assert_int_equal(mdb_txn_begin(st->env, NULL, 0, &txn), 0);
	return txn;
}

static void
raw_read(struct state *st, const char *zone)
{
	MDB_txn *txn = raw_begin(st);
	MDB_cursor *cursor;
	MDB_val k, v;
	struct name apex = fixture_name(zone);
	n_values = 0;
	assert_int_equal(mdb_cursor_open(txn, st->zones, &cursor), 0);
	while (!mdb_cursor_get(cursor, &k, &v, MDB_NEXT)) {
		if (k.mv_size < apex.len || memcmp(k.mv_data, apex.bytes, apex.len) != 0)
			continue;
		struct value *value = &values[n_values++];
		assert_true(n_values <= 16 && v.mv_size <= sizeof(value->bytes));
		memcpy(value->key, k.mv_data, k.mv_size);
		memcpy(value->bytes, v.mv_data, v.mv_size);
		value->key_len = k.mv_size;
		value->len = v.mv_size;
	}
	mdb_cursor_close(cursor);
	mdb_txn_abort(txn);
}

/* All values as they were, but for one bit; UINT64_MAX: that too. */
static void
raw_put_all(struct state *st, uint64_t flipped)
{
	MDB_txn *txn = raw_begin(st);
	for (unsigned i = 0; i < n_values; i++) {
		struct value v = values[i];
		if (flipped < 8 * v.len)
			v.bytes[flipped / 8] ^= (uint8_t)(1u << flipped % 8);
		flipped = flipped < 8 * v.len ? UINT64_MAX : flipped - 8 * v.len;
		MDB_val k = {v.key_len, v.key}, bytes = {v.len, v.bytes};
		assert_int_equal(mdb_put(txn, st->zones, &k, &bytes, 0), 0);
	}
	assert_int_equal(mdb_txn_commit(txn), 0);
}

/* The zone is put in and taken out by edits, as a member: its load is that of a start, without all else of a start.
 */
static void
load_anew(struct rig *r, const struct config_zone *config)
{
	struct name apex = fixture_name("z.test.");
	struct zones_edit *edit = zones_edit_begin(r->d.zones);
	assert_int_equal(zones_edit_add(edit, &apex, config), 0);
	assert_int_equal(zones_edit_commit(edit), 0);
}

static void
take_out(struct rig *r)
{
	struct zones_edit *edit = zones_edit_begin(r->d.zones);
	assert_int_equal(zones_edit_remove(edit, rig_item(r, "z.test.")), 0);
	assert_int_equal(zones_edit_commit(edit), 0);
	/* The drop is behind this one. */
	struct name apex = fixture_name("z.test.");
	struct state_zone z;
	RIG_WAIT(r, state_zone_get(r->d.state, &apex, &z) == -ENOENT);
}

static void
follow(struct rig *r, uint32_t serial)
{
	primary_set(r->primary, "z.test.", serial, NULL);
	rig_notify(r, "z.test.", serial);
	RIG_WAIT(r, rig_serial(r, "z.test.") == serial && rig_is_quiet(r));
}

static void
a_zone_with_any_bit_flipped_is_transferred_anew(void **state)
{
	struct rig *r = *state;
	primary_set(r->primary, "z.test.", 1, NULL);
	rig_start(r, GOOD);
	mdb_env_set_flags(r->d.state->env, MDB_NOSYNC, 1);
	RIG_WAIT(r, rig_serial(r, "good.test.") == 1);
	const struct config_zone *config = zone_item_config(rig_item(r, "good.test."));
	load_anew(r, config);
	RIG_WAIT(r, rig_serial(r, "z.test.") == 1 && rig_is_quiet(r));
	follow(r, 2);
	follow(r, 3);
	raw_read(r->d.state, "z.test.");
	assert_int_equal(n_values, 4); /* head, base, two differences */
	uint64_t n_bits = 0;
	for (unsigned i = 0; i < n_values; i++)
		n_bits += 8 * values[i].len;
	take_out(r);
	/* Undamaged, it is served as it was: then the primary is not asked for it. */
	raw_put_all(r->d.state, UINT64_MAX);
	primary_set_faults(r->primary, PRIMARY_SILENT | PRIMARY_REFUSES);
	load_anew(r, config);
	RIG_WAIT(r, rig_serial(r, "z.test.") == 3);
	take_out(r);
	primary_set_faults(r->primary, 0);
	for (uint64_t bit = 0; bit < n_bits; bit++) {
		unsigned axfrs = primary_counts(r->primary).axfrs;
		raw_put_all(r->d.state, bit);
		load_anew(r, config);
		RIG_WAIT(r, rig_secondary(r, "z.test.").refreshed_at_s);
		assert_int_equal(primary_counts(r->primary).axfrs, axfrs + 1);
		assert_int_equal(rig_serial(r, "z.test."), 3);
		assert_int_equal(rig_serial(r, "good.test."), 1);
		take_out(r);
	}
	print_message("%llu bits\n", (unsigned long long)n_bits);
}

/* The same over a real restart, for one bit of the head, and one of the last difference. */
static void
a_restart_with_damage_serves_the_other_zone(void **state)
{
	struct rig *r = *state;
	primary_set(r->primary, "z.test.", 1, NULL);
	rig_start(r, BOTH);
	RIG_WAIT(r, rig_serial(r, "z.test.") == 1 && rig_serial(r, "good.test.") == 1 && rig_is_quiet(r));
	for (unsigned i = 0; i < 2; i++) {
		uint32_t serial = 2 + i;
		follow(r, serial); /* by IXFR: there is a difference */
		raw_read(r->d.state, "z.test.");
		uint64_t bit = 100;
		for (unsigned k = 0; i && k + 1 < n_values; k++)
			bit += 8 * values[k].len;
		raw_put_all(r->d.state, bit);
		rig_stop(r);
		primary_set_faults(r->primary, PRIMARY_HOLDS);
		unsigned axfrs = primary_counts(r->primary).axfrs;
		rig_start(r, BOTH);
		RIG_WAIT(r, rig_serial(r, "good.test.") == 1 && primary_counts(r->primary).held);
		assert_int_equal(rig_serial(r, "z.test."), -2);
		assert_int_equal(rig_info(r, "z.test.").state, ZONE_STATE_NOT_LOADED);
		primary_set_faults(r->primary, 0);
		RIG_WAIT(r, rig_serial(r, "z.test.") == serial && rig_is_quiet(r));
		assert_int_equal(primary_counts(r->primary).axfrs, axfrs + 1);
	}
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_zone_with_any_bit_flipped_is_transferred_anew),
		TEST(a_restart_with_damage_serves_the_other_zone),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
