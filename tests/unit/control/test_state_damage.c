/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Damage: every bit of every value of a zone flipped, values cut, lengthened, removed, swapped and put back from
 * earlier. Each is found, concerns that zone alone, and is healed by a new copy of the zone.
 *
 * Values are changed by transactions of the test's own in the state's environment, since a process may have a file
 * open in LMDB only once; without fdatasync, or the bits would take minutes.
 */
#include "tests/unit/control/state_fixture.h"

#include <errno.h>

#include "control/state/state_private.h"

#define VALUES_MAX 16

struct value {
	uint8_t key[300], *bytes;
	size_t key_len, len;
};

struct values {
	struct value at[VALUES_MAX];
	unsigned n;
};

static struct state *st;

static MDB_txn *
raw_begin(void)
{
	MDB_txn *txn;
	assert_int_equal(mdb_txn_begin(st->env, NULL, 0, &txn), 0);
	return txn;
}

/* The values of one zone. */
static void
raw_read(const char *zone, struct values *out)
{
	MDB_txn *txn = raw_begin();
	MDB_cursor *cursor;
	MDB_val k, v;
	struct name apex = fixture_name(zone);
	out->n = 0;
	assert_int_equal(mdb_cursor_open(txn, st->zones, &cursor), 0);
	while (!mdb_cursor_get(cursor, &k, &v, MDB_NEXT)) {
		if (k.mv_size < apex.len || memcmp(k.mv_data, apex.bytes, apex.len) != 0)
			continue;
		assert_true(out->n < VALUES_MAX);
		struct value *value = &out->at[out->n++];
		memcpy(value->key, k.mv_data, k.mv_size);
		value->key_len = k.mv_size;
		value->len = v.mv_size;
		value->bytes = calloc(1, v.mv_size + 1);
		memcpy(value->bytes, v.mv_data, v.mv_size);
	}
	mdb_cursor_close(cursor);
	mdb_txn_abort(txn);
}

static void
values_free(struct values *values)
{
	for (unsigned i = 0; i < values->n; i++)
		free(values->at[i].bytes);
}

static void
raw_put(struct value *key, void *bytes, size_t len)
{
	MDB_txn *txn = raw_begin();
	MDB_val k = {key->key_len, key->key}, v = {len, bytes};
	assert_int_equal(mdb_put(txn, st->zones, &k, &v, 0), 0);
	assert_int_equal(mdb_txn_commit(txn), 0);
}

static void
restore(struct value *v)
{
	raw_put(v, v->bytes, v->len);
}

static void
expect_damage(void)
{
	struct model m;
	int err = load_model(st, "example.", STATE_LATEST, &m);
	if (err != -EBADMSG)
		fail_msg("the load returned %d", err);
	assert_model(st, "a.", STATE_LATEST, 100);
	assert_model(st, "net.", STATE_LATEST, 104);
}

static int
setup(void **state)
{
	struct model a, b;
	fixture_enter();
	st = open_state();
	mdb_env_set_flags(st->env, MDB_NOSYNC, 1);
	model_make(100, &a);
	assert_int_equal(put_model(st, "a.", &a), 0);
	assert_int_equal(put_model(st, "example.", &a), 0);
	assert_int_equal(put_model(st, "net.", &a), 0);
	for (uint32_t serial = 100; serial < 104; serial++) {
		model_make(serial, &a);
		model_make(serial + 1, &b);
		assert_int_equal(append_models(st, "example.", &a, &b), 0);
		assert_int_equal(append_models(st, "net.", &a, &b), 0);
	}
	return 0;
}

static int
teardown(void **state)
{
	state_close(st);
	fixture_leave();
	return 0;
}

static void
every_flipped_bit_is_found(void **state)
{
	struct values values;
	raw_read("example.", &values);
	assert_int_equal(values.n, 6); /* head, base, four differences */
	for (unsigned i = 0; i < values.n; i++) {
		struct value *v = &values.at[i];
		for (size_t bit = 0; bit < 8 * v->len; bit++) {
			v->bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
			restore(v);
			expect_damage();
			v->bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
		}
		restore(v);
		assert_model(st, "example.", STATE_LATEST, 104);
	}
	values_free(&values);
}

static void
cut_lengthened_and_missing_values_are_found(void **state)
{
	struct values values;
	raw_read("example.", &values);
	for (unsigned i = 0; i < values.n; i++) {
		struct value *v = &values.at[i];
		for (size_t len = 0; len < v->len; len++) {
			raw_put(v, v->bytes, len);
			expect_damage();
		}
		raw_put(v, v->bytes, v->len + 1);
		expect_damage();
		if (i > 0) {
			MDB_txn *txn = raw_begin();
			MDB_val k = {v->key_len, v->key};
			assert_int_equal(mdb_del(txn, st->zones, &k, NULL), 0);
			assert_int_equal(mdb_txn_commit(txn), 0);
			expect_damage();
		}
		restore(v);
	}
	assert_model(st, "example.", STATE_LATEST, 104);
	values_free(&values);
}

/* A value that is right in itself, but not here. */
static void
values_of_other_places_are_found(void **state)
{
	struct values own, others;
	raw_read("example.", &own);
	raw_read("net.", &others);
	for (unsigned i = 0; i < own.n; i++) {
		for (unsigned j = 0; j < own.n; j++) {
			if (i == j)
				continue;
			raw_put(&own.at[i], own.at[j].bytes, own.at[j].len);
			expect_damage();
		}
		raw_put(&own.at[i], others.at[i].bytes, others.at[i].len);
		expect_damage();
		restore(&own.at[i]);
	}
	values_free(&own);
	values_free(&others);
}

static void
values_from_earlier_are_found(void **state)
{
	struct values before, now;
	struct model a, b, c;
	raw_read("example.", &before);
	model_make(104, &a);
	model_make(150, &b);
	model_make(151, &c);
	/* The journal is written again from the same place on, by another zone of the same name. */
	assert_int_equal(drop_zone(st, "example."), 0);
	model_make(100, &b);
	assert_int_equal(put_model(st, "example.", &b), 0);
	assert_int_equal(append_models(st, "example.", &b, &c), 0);
	raw_read("example.", &now);
	/* An old head knows another base. */
	restore(&before.at[0]);
	expect_damage();
	restore(&now.at[0]);
	assert_model(st, "example.", STATE_LATEST, 151);
	/* A head from before an append would hide what was acknowledged. */
	assert_int_equal(append_models(st, "example.", &c, &a), 0);
	restore(&now.at[0]);
	expect_damage();
	values_free(&before);
	values_free(&now);
}

static void
a_new_copy_heals(void **state)
{
	struct values values;
	struct model m;
	struct name apex = fixture_name("example.");
	struct state_zone zone;
	raw_read("example.", &values);
	model_make(200, &m);
	for (unsigned i = 0; i < 2; i++) { /* its head, its base */
		values.at[i].bytes[20] ^= 1;
		restore(&values.at[i]);
		expect_damage();
		if (i == 0) {
			struct model next;
			model_make(201, &next);
			assert_int_equal(append_models(st, "example.", &m, &next), -EBADMSG);
			assert_int_equal(state_zone_get(st, &apex, &zone), -EBADMSG);
		}
		assert_int_equal(put_model(st, "example.", &m), 0);
		assert_model(st, "example.", STATE_LATEST, 200);
		values_free(&values);
		raw_read("example.", &values);
	}
	values.at[0].bytes[20] ^= 1;
	restore(&values.at[0]);
	assert_int_equal(drop_zone(st, "example."), 0);
	assert_int_equal(load_model(st, "example.", STATE_LATEST, &m), -ENOENT);
	values_free(&values);
}

static int
note_damaged(void *arg, const struct name *apex, int err, const struct state_zone *zone)
{
	unsigned *n = arg;
	n[err == -EBADMSG ? 1 : 0]++;
	return 0;
}

static void
a_walk_tells_of_damaged_heads(void **state)
{
	struct values values;
	unsigned n[2] = {0, 0};
	raw_read("example.", &values);
	values.at[0].bytes[20] ^= 1;
	restore(&values.at[0]);
	assert_int_equal(state_zones_walk(st, NULL, note_damaged, n), 0);
	assert_int_equal(n[0], 2);
	assert_int_equal(n[1], 1);
	values_free(&values);
}

/* Damage of a note is told, and is nothing to its zone or to other notes. */
static void
expect_damaged_note(void)
{
	struct found_note note;
	unsigned n[2] = {0, 0};
	int err = find_note(st, "example.", &note);
	if (err != -EBADMSG)
		fail_msg("the walk said %d", err);
	assert_int_equal(find_note(st, "net.", &note), 0);
	assert_model(st, "example.", STATE_LATEST, 104);
	assert_int_equal(state_zones_walk(st, NULL, note_damaged, n), 0);
	assert_int_equal(n[0], 3);
	assert_int_equal(n[1], 0);
}

static void
damaged_notes_are_found(void **state)
{
	struct values own, others;
	struct found_note note;
	assert_int_equal(put_note(st, "example.", "octets of a note", 16), 0);
	assert_int_equal(put_note(st, "net.", "octets of a note", 16), 0);
	raw_read("example.", &own);
	raw_read("net.", &others);
	struct value *v = &own.at[0];
	assert_int_equal(v->len, STATE_VALUE_HEADER + 16);
	for (size_t bit = 0; bit < 8 * v->len; bit++) {
		v->bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
		restore(v);
		expect_damaged_note();
		v->bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	for (size_t len = 0; len < v->len; len++) {
		raw_put(v, v->bytes, len);
		expect_damaged_note();
	}
	raw_put(v, others.at[0].bytes, others.at[0].len); /* right in itself, but not here */
	expect_damaged_note();
	raw_put(v, own.at[1].bytes, own.at[1].len);
	expect_damaged_note();
	assert_int_equal(put_note(st, "example.", "again", 5), 0);
	assert_int_equal(find_note(st, "example.", &note), 0);
	restore(v);
	assert_int_equal(find_note(st, "example.", &note), 0);
	/* A note tells of its zone though that is damaged. */
	own.at[1].bytes[20] ^= 1;
	restore(&own.at[1]);
	expect_damage();
	assert_int_equal(find_note(st, "example.", &note), 0);
	assert_int_equal(drop_zone(st, "example."), 0);
	assert_int_equal(find_note(st, "example.", &note), -ENOENT);
	values_free(&own);
	values_free(&others);
}

/* A generation's number may not come twice, whatever happens to the counter. */
static void
a_damaged_counter_is_made_up_for(void **state)
{
	uint64_t next = st->next_generation;
	MDB_txn *txn = raw_begin();
	MDB_val k = {1, "g"}, v = {4, "junk"};
	assert_int_equal(mdb_put(txn, st->info, &k, &v, 0), 0);
	assert_int_equal(mdb_txn_commit(txn), 0);
	state_close(st);
	struct state_options options;
	struct diag_list diag = {0};
	small_options(&options);
	assert_int_equal(state_open(&options, &diag, &st), 0);
	assert_int_equal(diag.n_warnings, 1);
	diag_clear(&diag);
	assert_int_equal(st->next_generation, next);
	assert_model(st, "example.", STATE_LATEST, 104);
}

static void
a_cut_file_does_not_end_the_process(void **state)
{
	struct state_options options;
	struct diag_list diag = {0};
	struct model m;
	assert_int_equal(put_large(st, "large.", 1, 2000, 1000), 0);
	state_close(st);
	assert_int_equal(truncate("state.mdb", 1 << 20), 0);
	small_options(&options);
	st = NULL;
	int err = state_open(&options, &diag, &st);
	diag_clear(&diag);
	if (err == 0) {
		unsigned n;
		assert_true(load_large(st, "large.", &n) < 0);
		err = load_model(st, "net.", STATE_LATEST, &m);
	}
	if (err != 0 && err != -EBADMSG && err != -ENOENT)
		fail_msg("%d", err);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(every_flipped_bit_is_found),
		TEST(cut_lengthened_and_missing_values_are_found),
		TEST(values_of_other_places_are_found),
		TEST(values_from_earlier_are_found),
		TEST(a_new_copy_heals),
		TEST(a_walk_tells_of_damaged_heads),
		TEST(damaged_notes_are_found),
		TEST(a_damaged_counter_is_made_up_for),
		TEST(a_cut_file_does_not_end_the_process),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
