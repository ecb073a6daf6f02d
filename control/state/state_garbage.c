/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What nobody needs any more: noted in the transaction that makes it so, deleted a few values at a time. The base
 * of a zone that is being written is noted from its first transaction on, and taken off by the last: a process that
 * dies in between leaves garbage and nothing else.
 *
 *     key: kind, generation      value: header, apex
 */
#include <errno.h>
#include <string.h>

#include "control/state/state_private.h"
#include "zones/base/bytes.h"

static void
note_key(enum state_kind kind, uint64_t generation, struct state_key *out)
{
	out->bytes[0] = (uint8_t)kind;
	store_be64(out->bytes + 1, generation);
	out->len = 9;
}

int
state_garbage_note(struct state *st, MDB_txn *txn, const struct name *apex, enum state_kind kind,
		   uint64_t generation)
{
	struct state_key key;
	uint8_t bytes[STATE_VALUE_HEADER + NAME_MAX_LEN];
	note_key(kind, generation, &key);
	memcpy(bytes + STATE_VALUE_HEADER, apex->bytes, apex->len);
	state_value_seal(&key, bytes, STATE_VALUE_HEADER + apex->len, 0, 0);
	MDB_val k = {key.len, key.bytes}, v = {STATE_VALUE_HEADER + (size_t)apex->len, bytes};
	return mdb_put(txn, st->garbage, &k, &v, 0);
}

int
state_garbage_forget(struct state *st, MDB_txn *txn, enum state_kind kind, uint64_t generation)
{
	struct state_key key;
	note_key(kind, generation, &key);
	MDB_val k = {key.len, key.bytes};
	int rc = mdb_del(txn, st->garbage, &k, NULL);
	return rc == MDB_NOTFOUND ? 0 : rc;
}

int
state_garbage_note_all(struct state *st, MDB_txn *txn, const struct name *apex, uint64_t but)
{
	MDB_cursor *cursor;
	int rc = mdb_cursor_open(txn, st->zones, &cursor);
	if (rc)
		return rc;
	struct state_key key;
	state_key_kind(apex, STATE_BASE, &key);
	for (;;) {
		struct state_place place;
		MDB_val k = {key.len, key.bytes}, v;
		rc = mdb_cursor_get(cursor, &k, &v, MDB_SET_RANGE);
		if (rc || state_key_parse(k.mv_data, k.mv_size, &place) || place.kind == STATE_HEAD ||
		    !name_equal(place.apex.bytes, apex->bytes))
			break;
		if (place.generation != but &&
		    (rc = state_garbage_note(st, txn, apex, place.kind, place.generation)))
			break;
		state_key_place(apex, place.kind, place.generation + 1, 0, &key); /* on to the next generation */
	}
	mdb_cursor_close(cursor);
	return rc == MDB_NOTFOUND ? 0 : rc;
}

static bool
is_being_written(const struct state *st, enum state_kind kind, uint64_t generation)
{
	for (const struct state_request *r = st->begun; r; r = r->other) {
		if (kind == STATE_BASE && r->generation == generation)
			return true;
	}
	return false;
}

/* Deletes values of one generation; *limit counts down. */
static int
sweep_one(struct state *st, MDB_txn *txn, const struct name *apex, enum state_kind kind, uint64_t generation,
	  unsigned *limit)
{
	MDB_cursor *cursor;
	struct state_key key;
	int rc = mdb_cursor_open(txn, st->zones, &cursor);
	if (rc)
		return rc;
	state_key_place(apex, kind, generation, 0, &key);
	while (*limit > 0) {
		MDB_val k = {key.len, key.bytes}, v;
		rc = mdb_cursor_get(cursor, &k, &v, MDB_SET_RANGE);
		if (rc || k.mv_size != key.len || memcmp(k.mv_data, key.bytes, key.len - 8u) != 0)
			break;
		if ((rc = mdb_cursor_del(cursor, 0)))
			break;
		--*limit;
	}
	mdb_cursor_close(cursor);
	return rc == MDB_NOTFOUND ? 0 : rc;
}

/* The first note that is not about something being written, from *key on. LMDB's errors. */
static int
next_note(struct state *st, MDB_txn *txn, struct state_key *key, MDB_val *value)
{
	MDB_cursor *cursor;
	int rc = mdb_cursor_open(txn, st->garbage, &cursor);
	if (rc)
		return rc;
	MDB_val k = {key->len, key->bytes};
	rc = mdb_cursor_get(cursor, &k, value, MDB_SET_RANGE);
	while (!rc && k.mv_size == 9 &&
	       is_being_written(st, *(const uint8_t *)k.mv_data, load_be64((const uint8_t *)k.mv_data + 1)))
		rc = mdb_cursor_get(cursor, &k, value, MDB_NEXT);
	if (!rc) {
		key->len = (uint16_t)(k.mv_size < sizeof(key->bytes) ? k.mv_size : sizeof(key->bytes));
		memcpy(key->bytes, k.mv_data, key->len);
	}
	mdb_cursor_close(cursor);
	return rc;
}

int
state_garbage_sweep(struct state *st, MDB_txn *txn, unsigned limit, bool *left)
{
	struct state_key key = {.len = 1, .bytes = {0}};
	int rc = 0;
	*left = false;
	for (;;) {
		MDB_val value;
		struct state_header header;
		struct name apex;
		if ((rc = next_note(st, txn, &key, &value)))
			break;
		*left = limit == 0;
		if (*left)
			break;
		/* A damaged note names nothing that could be trusted: it goes, and what it meant stays. */
		if (key.len == 9 && !state_value_check(&key, value.mv_data, value.mv_size, &header)) {
			name_copy(&apex, (const uint8_t *)value.mv_data + STATE_VALUE_HEADER);
			rc = sweep_one(st, txn, &apex, key.bytes[0], load_be64(key.bytes + 1), &limit);
		}
		if (!rc && limit > 0) {
			MDB_val k = {key.len, key.bytes};
			rc = mdb_del(txn, st->garbage, &k, NULL);
			limit--;
		}
		if (rc)
			break;
	}
	return rc == MDB_NOTFOUND ? 0 : rc;
}
