/* SPDX-License-Identifier: Apache-2.0 */
/* Reading zones: verified values out of a read transaction. See state.h; history is in state_history.c. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/state/state_private.h"
#include "zones/base/bytes.h"

/* -------- transactions and values -------- */

int
state_reading_begin(struct state *st, struct state_reading *rd)
{
	rd->st = st;
	pthread_rwlock_rdlock(&st->map_lock);
	int err = st->env ? state_error(mdb_txn_begin(st->env, NULL, MDB_RDONLY, &rd->txn)) : -EIO;
	if (err)
		pthread_rwlock_unlock(&st->map_lock);
	return err;
}

void
state_reading_end(struct state_reading *rd)
{
	mdb_txn_abort(rd->txn);
	pthread_rwlock_unlock(&rd->st->map_lock);
}

int
state_get(MDB_txn *txn, MDB_dbi dbi, const struct state_key *key, const uint8_t **out_bytes, size_t *out_len,
	  struct state_header *out)
{
	struct state_key copy = *key;
	MDB_val k = {copy.len, copy.bytes}, v;
	int rc = mdb_get(txn, dbi, &k, &v);
	if (rc)
		return state_error(rc);
	if (state_value_check(key, v.mv_data, v.mv_size, out))
		return -EBADMSG;
	*out_bytes = v.mv_data;
	*out_len = v.mv_size;
	return 0;
}

int
state_get_head(struct state *st, MDB_txn *txn, const struct name *apex, struct state_head *out)
{
	struct state_key key;
	struct state_header header;
	const uint8_t *bytes;
	size_t len;
	state_key_head(apex, &key);
	int err = state_get(txn, st->zones, &key, &bytes, &len, &header);
	return err ? err : state_head_read(&key, bytes, len, out);
}

static void
describe(const struct state_head *head, struct state_zone *out)
{
	const struct state_lineage *l = &head->latest;
	*out = (struct state_zone){
		.meta = head->meta,
		.has_data = l->generation != 0,
		.has_previous = l->end_seq > l->first_seq || head->previous.generation,
		.serial = l->serial,
		.previous_serial = head->previous.serial,
		.history_serial = l->first_serial,
		.base_records = l->base_records,
		.base_bytes = l->base_bytes,
		.replay_bytes = l->replay_bytes,
		.journal_bytes = l->journal_bytes,
	};
}

/* describe(), and the serial before the last difference, which the journal alone knows. */
static int
describe_all(struct state *st, MDB_txn *txn, const struct name *apex, const struct state_head *head,
	     struct state_zone *out)
{
	uint64_t seq = head->latest.end_seq, bytes;
	uint32_t crc = head->latest.end_crc;
	struct state_part first;
	describe(head, out);
	if (seq == head->latest.first_seq)
		return 0;
	int err = state_journal_back(st, txn, apex, head->latest.epoch, &seq, &crc, &first, &bytes);
	if (!err)
		out->previous_serial = first.from_serial;
	return err;
}

/* -------- loading -------- */

/* A load under way. */
struct loading {
	struct state *st;
	MDB_txn *txn;
	const struct name *apex;
	const struct state_sink *sink;
	struct diag_list *diag;
};

static int
damaged(const struct loading *ld, const char *what, uint64_t generation, uint64_t seq)
{
	char text[NAME_TEXT_MAX];
	name_to_text(ld->apex->bytes, text);
	if (ld->diag)
		diag_add(ld->diag, DIAG_ERROR, ld->st->path, 0, 0, "zone %s: %s %llu of generation %llu is damaged",
			 text, what, (unsigned long long)seq, (unsigned long long)generation);
	return -EBADMSG;
}

static int
give_base_value(const struct loading *ld, const uint8_t *bytes, size_t len)
{
	struct state_records_reader rd;
	struct state_record record;
	bool added;
	int n;
	state_records_read(&rd, ld->apex, bytes + STATE_VALUE_HEADER, len - STATE_VALUE_HEADER);
	while ((n = state_records_next(&rd, &added, &record)) == 1) {
		int err = ld->sink->record(ld->sink->arg, &record);
		if (err)
			return err;
	}
	return n;
}

/* The values of a base lie side by side: one cursor goes over them. */
static int
load_base(const struct loading *ld, const struct state_lineage *l, MDB_cursor *cursor)
{
	uint32_t crc = 0;
	for (uint64_t seq = 0; seq < l->chunks; seq++) {
		struct state_key key;
		struct state_header header;
		state_key_place(ld->apex, STATE_BASE, l->generation, seq, &key);
		MDB_val k = {key.len, key.bytes}, v;
		int rc = mdb_cursor_get(cursor, &k, &v, seq ? MDB_NEXT : MDB_SET_KEY);
		if (rc && rc != MDB_NOTFOUND && state_error(rc) != -EBADMSG)
			return state_error(rc);
		if (rc || k.mv_size != key.len || memcmp(k.mv_data, key.bytes, key.len) != 0 ||
		    state_value_check(&key, v.mv_data, v.mv_size, &header) || header.before != crc)
			return damaged(ld, "value", l->generation, seq);
		crc = header.crc;
		int err = give_base_value(ld, v.mv_data, v.mv_size);
		if (err)
			return err;
	}
	return crc == l->base_crc ? 0 : damaged(ld, "the end, value", l->generation, l->chunks);
}

/* A value behind the end of the journal: the head is from before it was appended. 0, -EBADMSG, -errno. */
static int
check_end(const struct loading *ld, const struct state_lineage *l)
{
	struct state_key key;
	MDB_val v;
	state_key_place(ld->apex, STATE_JOURNAL, l->epoch, l->end_seq, &key);
	MDB_val k = {key.len, key.bytes};
	int rc = mdb_get(ld->txn, ld->st->zones, &k, &v);
	if (rc == MDB_NOTFOUND)
		return 0;
	return rc ? state_error(rc) : damaged(ld, "head, before difference", l->epoch, l->end_seq);
}

/* Differences from the base up to `end_seq`; what lies behind is not looked at. */
static int
load_journal(const struct loading *ld, const struct state_lineage *l, uint64_t end_seq, uint32_t end_crc)
{
	uint64_t seq = l->base_seq;
	uint32_t crc = l->base_before, serial = l->base_serial;
	while (seq < end_seq) {
		uint64_t at = seq;
		int err = state_difference_give(ld->st, ld->txn, ld->apex, l->epoch, &seq, &crc, &serial, ld->sink);
		if (err)
			return err == -EBADMSG ? damaged(ld, "difference", l->epoch, at) : err;
	}
	return seq == end_seq && crc == end_crc ? 0 : damaged(ld, "the end, difference", l->epoch, end_seq);
}

/* Takes the difference back that begins at `seq`: additions go first, in all its parts, then removals come again.
 */
static int
load_reversed(const struct loading *ld, const struct state_lineage *l, uint64_t seq, const struct state_part *first)
{
	int err = ld->sink->difference(ld->sink->arg, l->serial, first->from_serial);
	for (int added = 1; !err && added >= 0; added--) {
		for (uint64_t at = seq; !err && at < l->end_seq; at++) {
			struct state_part part;
			err = state_get_part(ld->st, ld->txn, ld->apex, l->epoch, at, &part);
			if (!err)
				err = state_part_give(&part, ld->apex, ld->sink, added != 0, STATE_BACK);
		}
	}
	return err == -EBADMSG ? damaged(ld, "difference", l->epoch, seq) : err;
}

/* The version before the last difference: up to there, or, from a newer base, back to there. */
static int
load_before_last(const struct loading *ld, const struct state_lineage *l)
{
	uint64_t seq = l->end_seq, bytes;
	uint32_t crc = l->end_crc;
	struct state_part first;
	int err = state_journal_back(ld->st, ld->txn, ld->apex, l->epoch, &seq, &crc, &first, &bytes);
	if (err)
		return err == -EBADMSG ? damaged(ld, "difference before", l->epoch, seq) : err;
	return seq >= l->base_seq ? load_journal(ld, l, seq, crc) : load_reversed(ld, l, seq, &first);
}

static int
load_version(const struct loading *ld, const struct state_head *head, enum state_version version)
{
	const struct state_lineage *l = &head->latest;
	bool before_last = version == STATE_PREVIOUS && l->end_seq > l->first_seq;
	if (version == STATE_PREVIOUS && !before_last)
		l = &head->previous;
	if (!l->generation)
		return -ENOENT;
	MDB_cursor *cursor;
	int err = state_error(mdb_cursor_open(ld->txn, ld->st->zones, &cursor));
	if (err)
		return err;
	err = load_base(ld, l, cursor);
	mdb_cursor_close(cursor);
	if (err)
		return err;
	if (before_last)
		return load_before_last(ld, l);
	err = load_journal(ld, l, l->end_seq, l->end_crc);
	return err ? err : check_end(ld, l);
}

int
state_zone_load(struct state *st, const struct name *apex, enum state_version version,
		const struct state_sink *sink, struct state_zone *zone, struct diag_list *diag)
{
	struct state_reading rd;
	struct state_head head;
	struct state_zone described;
	int err = state_reading_begin(st, &rd);
	if (err)
		return err;
	struct loading ld = {.st = st, .txn = rd.txn, .apex = apex, .sink = sink, .diag = diag};
	err = state_get_head(st, rd.txn, apex, &head);
	if (err == -EBADMSG)
		err = damaged(&ld, "head", 0, 0);
	if (!err)
		err = load_version(&ld, &head, version);
	if (!err && zone)
		err = describe_all(st, rd.txn, apex, &head, &described);
	state_reading_end(&rd);
	if (!err && zone)
		*zone = described;
	return err;
}

int
state_zone_get(struct state *st, const struct name *apex, struct state_zone *out)
{
	struct state_reading rd;
	struct state_head head;
	struct state_zone zone;
	int err = state_reading_begin(st, &rd);
	if (err)
		return err;
	err = state_get_head(st, rd.txn, apex, &head);
	if (!err)
		err = describe_all(st, rd.txn, apex, &head, &zone);
	state_reading_end(&rd);
	if (!err)
		*out = zone;
	return err;
}

/* -------- all zones -------- */

/* Moves the cursor behind all values of the zone. Most zones have few values: the next are tried before a search.
 */
static int
next_zone(MDB_cursor *cursor, const struct name *apex, MDB_val *k, MDB_val *v)
{
	for (unsigned i = 0; i < 3; i++) {
		int rc = mdb_cursor_get(cursor, k, v, MDB_NEXT);
		if (rc || k->mv_size < apex->len || memcmp(k->mv_data, apex->bytes, apex->len) != 0)
			return rc;
	}
	struct state_key key;
	state_key_kind(apex, STATE_KIND_END, &key);
	*k = (MDB_val){key.len, key.bytes};
	return mdb_cursor_get(cursor, k, v, MDB_SET_RANGE);
}

/* A walk over all zones; one of the two is called. */
struct walk {
	struct state *st;
	state_walk_fn *zone;
	state_note_fn *note;
	void *arg;
};

/* What it is about takes no look at the journal. */
static int
walk_head(const struct walk *w, const struct name *apex, int err, const struct state_head *head)
{
	struct state_zone zone;
	if (err)
		return w->zone(w->arg, apex, err, NULL);
	describe(head, &zone);
	return w->zone(w->arg, apex, 0, &zone);
}

static int
walk_note(const struct walk *w, const struct name *apex, const MDB_val *v)
{
	struct state_header header;
	struct state_key key;
	state_key_kind(apex, STATE_NOTE, &key);
	if (state_value_check(&key, v->mv_data, v->mv_size, &header))
		return w->note(w->arg, apex, -EBADMSG, NULL, 0);
	return w->note(w->arg, apex, 0, (const uint8_t *)v->mv_data + STATE_VALUE_HEADER,
		       v->mv_size - STATE_VALUE_HEADER);
}

/*
 * The first value of a zone. A note lies before the head, which is looked for so that the cursor stays; where there
 * is none, the note is all.
 */
static int
walk_one(const struct walk *w, MDB_cursor *cursor, const struct state_place *place, const MDB_val *v)
{
	struct state_head head = {0};
	if (w->note)
		return place->kind == STATE_NOTE ? walk_note(w, &place->apex, v) : 0;
	if (place->kind != STATE_NOTE && place->kind != STATE_HEAD)
		return 0;
	struct state_key key;
	state_key_head(&place->apex, &key);
	int err = place->kind == STATE_HEAD ? state_head_read(&key, v->mv_data, v->mv_size, &head)
					    : state_get_head(w->st, mdb_cursor_txn(cursor), &place->apex, &head);
	if (err && err != -ENOENT && err != -EBADMSG)
		return err;
	return walk_head(w, &place->apex, err == -ENOENT ? 0 : err, &head);
}

static int
walk_from(const struct walk *w, MDB_cursor *cursor, const struct name *after)
{
	MDB_val k, v;
	struct state_key key;
	int rc;
	if (after) {
		state_key_kind(after, STATE_KIND_END, &key);
		k = (MDB_val){key.len, key.bytes};
		rc = mdb_cursor_get(cursor, &k, &v, MDB_SET_RANGE);
	} else {
		rc = mdb_cursor_get(cursor, &k, &v, MDB_FIRST);
	}
	while (!rc) {
		struct state_place place;
		if (state_key_parse(k.mv_data, k.mv_size, &place)) {
			rc = mdb_cursor_get(cursor, &k, &v, MDB_NEXT);
			continue;
		}
		int stop = walk_one(w, cursor, &place, &v);
		if (stop)
			return stop;
		rc = next_zone(cursor, &place.apex, &k, &v);
	}
	return rc == MDB_NOTFOUND ? 0 : state_error(rc);
}

static int
walk(const struct walk *w, const struct name *after)
{
	struct state *st = w->st;
	struct state_reading rd;
	MDB_cursor *cursor;
	int err = state_reading_begin(st, &rd);
	if (err)
		return err;
	err = state_error(mdb_cursor_open(rd.txn, st->zones, &cursor));
	if (!err) {
		err = walk_from(w, cursor, after);
		mdb_cursor_close(cursor);
	}
	state_reading_end(&rd);
	return err;
}

int
state_zones_walk(struct state *st, const struct name *after, state_walk_fn *fn, void *arg)
{
	const struct walk w = {.st = st, .zone = fn, .arg = arg};
	return walk(&w, after);
}

int
state_notes_walk(struct state *st, const struct name *after, state_note_fn *fn, void *arg)
{
	const struct walk w = {.st = st, .note = fn, .arg = arg};
	return walk(&w, after);
}

/* What a walk has found that nobody wants. */
struct pruning {
	bool (*wanted)(void *arg, const struct name *apex);
	void *arg;
	struct name *orphans; /* STATE_PRUNE_MAX */
	int n;
	struct name last;
};

static int
prune_one(void *arg, const struct name *apex, int err, const struct state_zone *zone)
{
	struct pruning *p = arg;
	p->last = *apex;
	if (!p->wanted(p->arg, apex))
		p->orphans[p->n++] = *apex;
	return p->n == STATE_PRUNE_MAX;
}

int
state_zones_prune(struct state *st, const struct name *after, bool (*wanted)(void *arg, const struct name *apex),
		  void *arg, struct name *last)
{
	struct pruning p = {.wanted = wanted, .arg = arg, .last = {.len = 1, .bytes = {0}}};
	p.orphans = malloc(STATE_PRUNE_MAX * sizeof(*p.orphans));
	if (!p.orphans)
		return -ENOMEM;
	int err = state_zones_walk(st, after, prune_one, &p);
	for (int i = 0; err >= 0 && i < p.n; i++) {
		int e = state_zone_drop(st, &p.orphans[i], (struct state_done){0});
		if (e)
			err = e;
	}
	free(p.orphans);
	if (err < 0)
		return err;
	*last = p.last;
	return p.n;
}
