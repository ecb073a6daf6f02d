/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing messages. See message.h; reading is message.c. Pure, any thread.
 *
 * The writer remembers every suffix of the names it wrote, as far as a pointer reaches, in a hash table of fixed
 * size: a suffix stands in one of a few slots from its hash on, or is forgotten. A slot holds where the suffix
 * stands, and whether it is the one looked for is read from the message itself, so nothing is copied. When an item
 * does not fit, the slots that it took are emptied again; they were taken last, so no probe of an older suffix goes
 * through them.
 */
#include <assert.h>
#include <string.h>

#include "zones/base/bytes.h"
#include "zones/wire/message.h"

void
message_begin(struct message_writer *w, uint8_t *out, size_t cap, uint16_t id, uint16_t flags)
{
	assert(cap >= DNS_HEADER_LEN);
	w->out = out;
	w->cap = cap < MESSAGE_MAX_LEN ? (uint32_t)cap : MESSAGE_MAX_LEN;
	w->len = DNS_HEADER_LEN;
	w->section = MESSAGE_QUESTION;
	w->n_noted = 0;
	memset(w->slot, 0, sizeof(w->slot));
	memset(out, 0, DNS_HEADER_LEN);
	store_be16(out, id);
	store_be16(out + 2, flags);
}

void
message_set_cap(struct message_writer *w, size_t cap)
{
	assert(cap >= w->len);
	w->cap = cap < MESSAGE_MAX_LEN ? (uint32_t)cap : MESSAGE_MAX_LEN;
}

unsigned
message_count(const struct message_writer *w, enum message_section section)
{
	return load_be16(w->out + 4 + 2 * section);
}

/* -------- one item: all of it or nothing -------- */

static bool
item_begin(struct message_writer *w, enum message_section section)
{
	assert(section >= w->section);
	w->n_noted = 0;
	return message_count(w, section) < UINT16_MAX;
}

static bool
item_end(struct message_writer *w, enum message_section section, uint32_t start, bool fits)
{
	if (!fits) {
		w->len = start;
		while (w->n_noted > 0)
			w->slot[w->noted[--w->n_noted]].at = 0;
		return false;
	}
	w->section = section;
	store_be16(w->out + 4 + 2 * section, (uint16_t)(message_count(w, section) + 1));
	return true;
}

static bool
put_octets(struct message_writer *w, const void *octets, size_t n)
{
	if (n > w->cap - w->len)
		return false;
	if (n > 0)
		memcpy(w->out + w->len, octets, n);
	w->len += (uint32_t)n;
	return true;
}

/* -------- names -------- */

/* Does this suffix stand at `at`, octet by octet? What is remembered is good, and its pointers lead back. */
static bool
stands_at(const struct message_writer *w, unsigned at, const uint8_t *suffix)
{
	for (;;) {
		while (w->out[at] >= 0xc0)
			at = load_be16(w->out + at) & (MESSAGE_POINTER_END - 1u);
		unsigned n = 1u + *suffix;
		if (w->out[at] != *suffix || memcmp(w->out + at, suffix, n) != 0)
			return false;
		if (n == 1)
			return true;
		at += n;
		suffix += n;
	}
}

_Static_assert(MESSAGE_SLOTS == 1 << 11, "slot_of() takes the upper 11 bits");

/*
 * The first slot for a hash. A zone is sent in the order of its names table, so names that follow each other have
 * the low bits of their hashes in common: the product mixes all bits into those that count here.
 */
static unsigned
slot_of(uint64_t hash)
{
	return (unsigned)(hash * UINT64_C(0x9e3779b97f4a7c15) >> 53);
}

/* Where a suffix stands, or 0. */
static unsigned
find_suffix(const struct message_writer *w, uint64_t hash, const uint8_t *suffix)
{
	uint16_t tag = (uint16_t)(hash >> 48);
	for (unsigned i = 0; i < MESSAGE_PROBES; i++) {
		const struct message_suffix *s = &w->slot[(slot_of(hash) + i) % MESSAGE_SLOTS];
		if (s->at == 0)
			return 0;
		if (s->tag == tag && stands_at(w, s->at, suffix))
			return s->at;
	}
	return 0;
}

static void
note_suffix(struct message_writer *w, uint64_t hash, uint32_t at)
{
	if (at >= MESSAGE_POINTER_END || w->n_noted == MESSAGE_NOTED_MAX)
		return;
	for (unsigned i = 0; i < MESSAGE_PROBES; i++) {
		unsigned place = (slot_of(hash) + i) % MESSAGE_SLOTS;
		if (w->slot[place].at != 0)
			continue;
		w->slot[place] = (struct message_suffix){.tag = (uint16_t)(hash >> 48), .at = (uint16_t)at};
		w->noted[w->n_noted++] = (uint16_t)place;
		return;
	}
}

/* Appends a good name, its longest known suffix as a pointer; remembers the others. */
static bool
put_name(struct message_writer *w, const uint8_t *name)
{
	struct name_suffixes s;
	unsigned known, at = 0;
	if (name_scan(name, NAME_MAX_LEN, &s) < 0)
		return false;
	name_suffixes_hash(name, &s);
	for (known = s.labels; known > 0; known--) {
		at = find_suffix(w, s.at[known], name + name_suffix_start(&s, known));
		if (at != 0)
			break;
	}
	uint32_t start = w->len;
	unsigned own_len = name_suffix_start(&s, known);
	uint8_t end[2] = {0};
	store_be16(end, (uint16_t)(known > 0 ? 0xc000 | at : 0));
	if (!put_octets(w, name, own_len) || !put_octets(w, end, known > 0 ? 2 : 1))
		return false;
	for (unsigned k = s.labels; k > known; k--)
		note_suffix(w, s.at[k], start + name_suffix_start(&s, k));
	return true;
}

/* -------- items -------- */

bool
message_put_question(struct message_writer *w, const struct message_question *q)
{
	uint32_t start = w->len;
	uint8_t tail[4];
	store_be16(tail, q->type);
	store_be16(tail + 2, q->rrclass);
	bool fits = item_begin(w, MESSAGE_QUESTION) && put_name(w, q->name) && put_octets(w, tail, sizeof(tail));
	return item_end(w, MESSAGE_QUESTION, start, fits);
}

/* Only the classes of zones and of UPDATE have data that the record-type table speaks of. */
static unsigned
compressible_names(const struct message_record *r, struct rdata_name names[RDATA_NAMES_MAX])
{
	if (r->rrclass != RRCLASS_IN && r->rrclass != RRCLASS_NONE && r->rrclass != RRCLASS_ANY)
		return 0;
	unsigned n = rdata_names(r->type, r->rdata, r->rdlen, names, RDATA_NAMES_MAX), kept = 0;
	for (unsigned i = 0; i < n; i++)
		if (names[i].flags & RDATA_NAME_COMPRESS)
			names[kept++] = names[i];
	return kept;
}

static bool
put_data(struct message_writer *w, const struct message_record *r)
{
	struct rdata_name names[RDATA_NAMES_MAX];
	unsigned n = compressible_names(r, names), done = 0;
	for (unsigned i = 0; i < n; i++) {
		if (!put_octets(w, r->rdata + done, names[i].pos - done) || !put_name(w, r->rdata + names[i].pos))
			return false;
		done = names[i].pos + names[i].len;
	}
	return put_octets(w, r->rdata + done, r->rdlen - done);
}

static bool
put_record(struct message_writer *w, const struct message_record *r)
{
	uint8_t head[10] = {0};
	store_be16(head, r->type);
	store_be16(head + 2, r->rrclass);
	store_be32(head + 4, r->ttl_s);
	if (!put_name(w, r->owner) || !put_octets(w, head, sizeof(head)))
		return false;
	uint32_t from = w->len;
	if (!put_data(w, r))
		return false;
	store_be16(w->out + from - 2, (uint16_t)(w->len - from));
	return true;
}

bool
message_put(struct message_writer *w, const struct message_record *r)
{
	uint32_t start = w->len;
	return item_end(w, r->section, start, item_begin(w, r->section) && put_record(w, r));
}

bool
message_put_raw(struct message_writer *w, enum message_section section, const uint8_t *record, size_t len)
{
	uint32_t start = w->len;
	return item_end(w, section, start, item_begin(w, section) && put_octets(w, record, len));
}
