/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The journal, part by part and difference by difference; and the history for IXFR out.
 *
 * Who reads history holds a place and no transaction: a slow peer keeps nothing from being used again. That the
 * chain goes on where it ended is seen by its CRC.
 */
#include <errno.h>

#include "control/state/state_private.h"
#include "zones/base/bytes.h"

int
state_get_part(struct state *st, MDB_txn *txn, const struct name *apex, uint64_t epoch, uint64_t seq,
	       struct state_part *out)
{
	struct state_key key;
	struct state_header header;
	const uint8_t *bytes;
	size_t len;
	state_key_place(apex, STATE_JOURNAL, epoch, seq, &key);
	int err = state_get(txn, st->zones, &key, &bytes, &len, &header);
	if (err)
		return err == -ENOENT ? -EBADMSG : err;
	if (len < STATE_PART_HEADER)
		return -EBADMSG;
	*out = (struct state_part){
		.records = bytes + STATE_PART_HEADER,
		.records_len = len - STATE_PART_HEADER,
		.from_serial = load_be32(bytes + STATE_VALUE_HEADER),
		.to_serial = load_be32(bytes + STATE_VALUE_HEADER + 4),
		.number = load_be32(bytes + STATE_VALUE_HEADER + 8),
		.crc = header.crc,
		.before = header.before,
		.len = (uint32_t)len,
		.is_last = header.flags & STATE_PART_LAST,
	};
	return 0;
}

int
state_journal_back(struct state *st, MDB_txn *txn, const struct name *apex, uint64_t epoch, uint64_t *seq,
		   uint32_t *crc, struct state_part *first, uint64_t *bytes)
{
	struct state_part part;
	uint64_t at = *seq, n_bytes = 0;
	uint32_t before = *crc;
	do {
		if (at == 0)
			return -EBADMSG;
		int err = state_get_part(st, txn, apex, epoch, --at, &part);
		if (err)
			return err;
		if (part.crc != before)
			return -EBADMSG;
		before = part.before;
		n_bytes += part.len;
	} while (part.number != 0);
	*seq = at;
	*crc = before;
	*first = part;
	*bytes = n_bytes;
	return 0;
}

int
state_part_give(const struct state_part *part, const struct name *apex, const struct state_sink *sink, bool added,
		enum state_way way)
{
	struct state_records_reader rd;
	struct state_record record;
	bool is_added;
	int n;
	state_records_read(&rd, apex, part->records, part->records_len);
	while ((n = state_records_next(&rd, &is_added, &record)) == 1) {
		if (is_added != added)
			continue;
		bool adds = is_added == (way == STATE_FORWARD);
		int err = adds ? sink->add(sink->arg, &record) : sink->remove(sink->arg, &record);
		if (err)
			return err;
	}
	return n;
}

int
state_difference_give(struct state *st, MDB_txn *txn, const struct name *apex, uint64_t epoch, uint64_t *seq,
		      uint32_t *crc, uint32_t *serial, const struct state_sink *sink)
{
	struct state_part part;
	uint32_t number = 0;
	do {
		int err = state_get_part(st, txn, apex, epoch, *seq + number, &part);
		if (err)
			return err;
		if (part.number != number || part.before != *crc || part.from_serial != *serial)
			return -EBADMSG;
		if (number == 0 && (err = sink->difference(sink->arg, part.from_serial, part.to_serial)))
			return err;
		/* Removals are in front of additions, so parts in their order are right in both halves. */
		err = state_part_give(&part, apex, sink, false, STATE_FORWARD);
		if (!err)
			err = state_part_give(&part, apex, sink, true, STATE_FORWARD);
		if (err)
			return err;
		*crc = part.crc;
		number++;
	} while (!part.is_last);
	*seq += number;
	*serial = part.to_serial;
	return 0;
}

/* -------- history -------- */

static int
find_history(struct state *st, MDB_txn *txn, const struct state_lineage *l, struct state_history *h)
{
	h->epoch = l->epoch;
	h->end_seq = h->next_seq = l->end_seq;
	h->end_serial = l->serial;
	h->crc = l->end_crc;
	uint32_t serial = l->serial;
	while (serial != h->serial) {
		struct state_part first;
		uint64_t bytes;
		if (h->next_seq <= l->first_seq)
			return -ENOENT;
		int err = state_journal_back(st, txn, &h->apex, h->epoch, &h->next_seq, &h->crc, &first, &bytes);
		if (err)
			return err;
		serial = first.from_serial;
	}
	return 0;
}

int
state_history_begin(struct state *st, const struct name *apex, uint32_t from_serial, struct state_history *h)
{
	struct state_reading rd;
	struct state_head head;
	struct state_history found = {.apex = *apex, .serial = from_serial};
	int err = state_reading_begin(st, &rd);
	if (err)
		return err;
	err = state_get_head(st, rd.txn, apex, &head);
	if (!err && !head.latest.generation)
		err = -ENOENT;
	if (!err)
		err = find_history(st, rd.txn, &head.latest, &found);
	state_reading_end(&rd);
	if (!err)
		*h = found;
	return err;
}

/* True when the journal that h points into is still the zone's, and still goes back so far. */
static int
check_history(struct state *st, MDB_txn *txn, const struct state_history *h)
{
	struct state_head head;
	int err = state_get_head(st, txn, &h->apex, &head);
	if (err)
		return err == -ENOENT ? -ESTALE : err;
	return head.latest.epoch == h->epoch && head.latest.first_seq <= h->next_seq ? 0 : -ESTALE;
}

int
state_history_next(struct state *st, struct state_history *h, const struct state_sink *sink)
{
	struct state_reading rd;
	if (h->next_seq == h->end_seq)
		return 0;
	struct state_history next = *h;
	int err = state_reading_begin(st, &rd);
	if (err)
		return err;
	err = check_history(st, rd.txn, h);
	if (!err)
		err = state_difference_give(st, rd.txn, &h->apex, h->epoch, &next.next_seq, &next.crc, &next.serial,
					    sink);
	state_reading_end(&rd);
	if (err)
		return err;
	*h = next;
	return 1;
}
