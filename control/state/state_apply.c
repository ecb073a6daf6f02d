/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One request in a transaction. Whatever can refuse it is looked at before anything is written. Nothing in memory
 * changes but the result, so a transaction that was aborted can be made again from the same requests.
 */
#include <errno.h>

#include "control/state/state_private.h"

#define TRIM_DIFFERENCES 4       /* per append: more than come in, so the history shrinks to its size */
#define OUTGROWN_BYTES_MIN 65536 /* a journal so short costs a load nothing that would be noticed */

static int
put_value(struct state *st, MDB_txn *txn, const struct state_key *key, const void *bytes, uint32_t len)
{
	struct state_key copy = *key;
	MDB_val k = {copy.len, copy.bytes}, v = {len, (void *)(uintptr_t)bytes};
	return mdb_put(txn, st->zones, &k, &v, 0);
}

static int
put_head(struct state *st, MDB_txn *txn, const struct name *apex, const struct state_head *head)
{
	struct state_key key;
	uint8_t bytes[STATE_HEAD_MAX];
	state_key_head(apex, &key);
	uint32_t len = state_head_write(&key, head, bytes);
	return put_value(st, txn, &key, bytes, len);
}

static bool
outgrown(const struct state *st, const struct state_lineage *l)
{
	uint64_t limit = l->base_bytes / 100 * st->options.compact_percent;
	return l->replay_bytes > (limit > OUTGROWN_BYTES_MIN ? limit : OUTGROWN_BYTES_MIN);
}

/* -------- whole zones -------- */

static int
put_slice(struct state *st, MDB_txn *txn, const struct state_request *r)
{
	uint64_t seq = r->chunks_written;
	for (const struct state_value *v = r->slice.first; v; v = v->next, seq++) {
		struct state_key key;
		state_key_place(&r->apex, STATE_BASE, r->generation, seq, &key);
		int rc = put_value(st, txn, &key, v->bytes, v->len);
		if (rc)
			return rc;
	}
	return 0;
}

static void
describe_base(const struct state_request *r, struct state_lineage *l)
{
	l->generation = r->generation;
	l->chunks = r->chunks_written + r->slice.n_values;
	l->base_records = r->records + r->slice.n_records;
	l->base_bytes = r->bytes + r->slice.bytes;
	l->base_crc = r->slice_crc;
	l->base_serial = r->serial;
}

/* The journal's first value follows the base's last one in the chain: so they belong together. */
static void
begin_lineage(const struct state_request *r, struct state_lineage *l)
{
	*l = (struct state_lineage){.epoch = r->generation};
	describe_base(r, l);
	l->first_serial = l->serial = r->serial;
	l->first_before = l->base_before = l->end_crc = r->slice_crc;
}

/* Moves the start of the replay to where the journal had `serial`. 0, -ESTALE, -EBADMSG, -errno. */
static int
find_base(struct state *st, MDB_txn *txn, const struct state_request *r, struct state_lineage *l)
{
	uint64_t seq = l->end_seq, bytes, replay = 0;
	uint32_t crc = l->end_crc, serial = l->serial;
	while (serial != r->serial) {
		struct state_part first;
		if (seq <= l->first_seq)
			return -ESTALE;
		int err = state_journal_back(st, txn, &r->apex, l->epoch, &seq, &crc, &first, &bytes);
		if (err)
			return err;
		serial = first.from_serial;
		replay += bytes;
	}
	l->base_seq = seq;
	l->base_before = crc;
	l->replay_bytes = replay;
	return 0;
}

static int
discard_lineage(struct state *st, MDB_txn *txn, const struct name *apex, const struct state_lineage *l)
{
	int rc = l->generation ? state_garbage_note(st, txn, apex, STATE_BASE, l->generation) : 0;
	if (!rc && l->end_seq > 0)
		rc = state_garbage_note(st, txn, apex, STATE_JOURNAL, l->epoch);
	return rc;
}

/* The base is complete: from here on it is the zone. */
static int
flip(struct state *st, MDB_txn *txn, const struct state_request *r, const struct state_head *head)
{
	int rc = put_slice(st, txn, r);
	if (!rc && r->is_begun)
		rc = state_garbage_forget(st, txn, STATE_BASE, r->generation);
	return rc ? rc : put_head(st, txn, &r->apex, head);
}

static int
apply_replace(struct state *st, MDB_txn *txn, const struct state_request *r)
{
	struct state_head head = {0}, next = {0};
	int rc, err = state_get_head(st, txn, &r->apex, &head);
	if (err && err != -ENOENT && err != -EBADMSG)
		return err;
	if (err == -EBADMSG) {
		rc = state_garbage_note_all(st, txn, &r->apex, r->generation);
	} else if (st->options.keep_previous && head.latest.generation) {
		next.previous = head.latest;
		rc = discard_lineage(st, txn, &r->apex, &head.previous);
	} else {
		rc = discard_lineage(st, txn, &r->apex, &head.latest);
		if (!rc)
			rc = discard_lineage(st, txn, &r->apex, &head.previous);
	}
	next.meta = r->has_meta ? r->meta : head.meta;
	begin_lineage(r, &next.latest);
	return rc ? rc : flip(st, txn, r, &next);
}

static int
apply_compact(struct state *st, MDB_txn *txn, const struct state_request *r)
{
	struct state_head head;
	int err = state_get_head(st, txn, &r->apex, &head);
	if (!err && !head.latest.generation)
		err = -ENOENT;
	if (!err)
		err = find_base(st, txn, r, &head.latest);
	if (err)
		return err;
	uint64_t old = head.latest.generation;
	describe_base(r, &head.latest);
	int rc = state_garbage_note(st, txn, &r->apex, STATE_BASE, old);
	return rc ? rc : flip(st, txn, r, &head);
}

static int
apply_slice(struct state *st, MDB_txn *txn, const struct state_request *r)
{
	int rc = r->is_begun ? 0 : state_garbage_note(st, txn, &r->apex, STATE_BASE, r->generation);
	return rc ? rc : put_slice(st, txn, r);
}

/* -------- differences -------- */

/* Links the parts into the chain and writes them. */
static int
put_parts(struct state *st, MDB_txn *txn, const struct state_request *r, struct state_lineage *l)
{
	struct state_value *v = r->changes->records.first;
	for (size_t i = 0; i < r->changes->n; i++) {
		const struct state_difference *d = &r->changes->differences[i];
		for (uint64_t part = 0; part < d->n_values; part++, v = v->next) {
			struct state_key key;
			uint8_t flags = part + 1 == d->n_values ? STATE_PART_LAST : 0;
			state_key_place(&r->apex, STATE_JOURNAL, l->epoch, l->end_seq++, &key);
			l->end_crc = state_value_seal(&key, v->bytes, v->len, l->end_crc, flags);
			l->journal_bytes += v->len;
			l->replay_bytes += v->len;
			int rc = put_value(st, txn, &key, v->bytes, v->len);
			if (rc)
				return rc;
		}
		l->serial = d->to_serial;
	}
	return 0;
}

/* Deletes the oldest difference of the history. A damaged one is left to be found by a reader. */
static int
trim_one(struct state *st, MDB_txn *txn, const struct name *apex, struct state_lineage *l)
{
	struct state_part part = {0};
	while (!part.is_last && l->first_seq < l->base_seq) {
		struct state_key key;
		if (state_get_part(st, txn, apex, l->epoch, l->first_seq, &part))
			return 0;
		uint32_t to_serial = part.to_serial, crc = part.crc, len = part.len;
		state_key_place(apex, STATE_JOURNAL, l->epoch, l->first_seq, &key);
		MDB_val k = {key.len, key.bytes};
		int rc = mdb_del(txn, st->zones, &k, NULL);
		if (rc)
			return rc;
		l->first_seq++;
		l->first_serial = to_serial;
		l->first_before = crc;
		l->journal_bytes -= len;
	}
	return 0;
}

/* Keeps what a load needs, and of what is older as much as is wanted for history. */
static int
trim_history(struct state *st, MDB_txn *txn, const struct name *apex, struct state_lineage *l)
{
	uint64_t limit = l->base_bytes / 100 * st->options.history_percent;
	if (limit < OUTGROWN_BYTES_MIN)
		limit = OUTGROWN_BYTES_MIN;
	int rc = 0;
	for (unsigned i = 0; !rc && i < TRIM_DIFFERENCES && l->first_seq < l->base_seq &&
			     l->journal_bytes - l->replay_bytes > limit;
	     i++)
		rc = trim_one(st, txn, apex, l);
	return rc;
}

static int
apply_append(struct state *st, MDB_txn *txn, struct state_request *r)
{
	struct state_head head;
	int err = state_get_head(st, txn, &r->apex, &head);
	if (err)
		return err;
	if (!head.latest.generation)
		return -ENOENT;
	if (head.latest.serial != r->changes->differences[0].from_serial)
		return -ESTALE;
	if (r->has_meta)
		head.meta = r->meta;
	int rc = put_parts(st, txn, r, &head.latest);
	if (!rc)
		rc = trim_history(st, txn, &r->apex, &head.latest);
	if (!rc)
		rc = put_head(st, txn, &r->apex, &head);
	r->result.wants_compaction = outgrown(st, &head.latest);
	return rc;
}

/* -------- the rest -------- */

static int
apply_meta(struct state *st, MDB_txn *txn, const struct state_request *r)
{
	struct state_head head = {0};
	int err = state_get_head(st, txn, &r->apex, &head);
	if (err && err != -ENOENT)
		return err;
	head.meta = r->meta;
	return put_head(st, txn, &r->apex, &head);
}

/* Of a note or a head: gone, whether it was there or not. */
static int
delete_single(struct state *st, MDB_txn *txn, const struct name *apex, enum state_kind kind)
{
	struct state_key key;
	state_key_kind(apex, kind, &key);
	MDB_val k = {key.len, key.bytes};
	int rc = mdb_del(txn, st->zones, &k, NULL);
	return rc == MDB_NOTFOUND ? 0 : rc;
}

static int
apply_note(struct state *st, MDB_txn *txn, const struct state_request *r)
{
	struct state_key key;
	if (!r->note)
		return delete_single(st, txn, &r->apex, STATE_NOTE);
	state_key_kind(&r->apex, STATE_NOTE, &key);
	return put_value(st, txn, &key, r->note->bytes, r->note->len);
}

static int
apply_drop(struct state *st, MDB_txn *txn, const struct state_request *r)
{
	int rc = state_garbage_note_all(st, txn, &r->apex, 0);
	if (!rc)
		rc = delete_single(st, txn, &r->apex, STATE_NOTE);
	return rc ? rc : delete_single(st, txn, &r->apex, STATE_HEAD);
}

int
state_apply(struct state *st, MDB_txn *txn, struct state_request *r)
{
	switch (r->kind) {
	case STATE_REPLACE:
		return r->is_final ? apply_replace(st, txn, r) : apply_slice(st, txn, r);
	case STATE_COMPACT:
		return r->is_final ? apply_compact(st, txn, r) : apply_slice(st, txn, r);
	case STATE_APPEND:
		return apply_append(st, txn, r);
	case STATE_PUT_META:
		return apply_meta(st, txn, r);
	case STATE_PUT_NOTE:
		return apply_note(st, txn, r);
	case STATE_DROP:
		return apply_drop(st, txn, r);
	}
	return -EINVAL;
}
