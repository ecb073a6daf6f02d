/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Notes of members. See catalog_notes.h.
 *
 *     note     format │ catalog │ coo, or 0 and no name │ ID │ number of groups │ groups
 *
 * Names and the ID in wire form, the number in two octets, groups as in struct catalog_member_parts. A coo is
 * preceded by 1. The member's name is the key's.
 *
 * What is due is a list of names, in blocks: a catalog may bring a million at once. What the notes say is asked for
 * when they are written, so a name that is there twice does no harm.
 */
#include "control/zone/catalog_notes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/base/log.h"
#include "zones/base/bytes.h"

#define NOTE_FORMAT 1
#define NOTE_GROUPS_MAX 100
#define WRITING_MAX 512 /* notes under way: others want to write, too */
#define BLOCK_BYTES 65536

/* -------- one note -------- */

static uint8_t *
put_bytes(uint8_t *p, const uint8_t *from, size_t len)
{
	memcpy(p, from, len);
	return p + len;
}

size_t
catalog_note_write(const struct catalog_member *m, uint8_t out[STATE_NOTE_MAX])
{
	const uint8_t *catalog = m->members->apex.bytes, *coo = catalog_member_coo(m), *id = catalog_member_id(m);
	uint8_t *p = out, *end = out + STATE_NOTE_MAX;
	*p++ = NOTE_FORMAT;
	p = put_bytes(p, catalog, name_len(catalog));
	*p++ = coo != NULL;
	if (coo)
		p = put_bytes(p, coo, name_len(coo));
	p = put_bytes(p, id, 1u + id[0]);
	uint8_t *count = p;
	uint16_t n = 0;
	p += 2;
	for (unsigned i = 0; i < m->n_groups && n < NOTE_GROUPS_MAX; i++) {
		size_t len;
		const char *group = catalog_member_group(m, i, &len);
		if (len + 2 > (size_t)(end - p))
			continue;
		store_be16(p, (uint16_t)len);
		p = put_bytes(p + 2, (const uint8_t *)group, len);
		n++;
	}
	store_be16(count, n);
	return (size_t)(p - out);
}

/* What is left to be read. */
struct rest {
	const uint8_t *p;
	size_t len;
};

static const uint8_t *
take_bytes(struct rest *r, size_t len)
{
	const uint8_t *p = r->p;
	if (len > r->len)
		return NULL;
	r->p += len;
	r->len -= len;
	return p;
}

static bool
take_name(struct rest *r, struct name *out)
{
	int len = name_check(r->p, r->len);
	if (len < 0)
		return false;
	name_copy(out, r->p);
	(void)take_bytes(r, (size_t)len);
	return true;
}

static bool
take_groups(struct rest *r, struct catalog_member_parts *out)
{
	const uint8_t *count = take_bytes(r, 2);
	if (!count)
		return false;
	out->n_groups = load_be16(count);
	out->groups = r->p;
	out->groups_len = r->len;
	for (unsigned i = 0; i < out->n_groups; i++) {
		const uint8_t *len = take_bytes(r, 2);
		if (!len || !take_bytes(r, load_be16(len)))
			return false;
	}
	return r->len == 0;
}

int
catalog_note_read(const struct name *member, const uint8_t *bytes, size_t len, struct catalog_note *out)
{
	struct rest r = {bytes, len};
	struct catalog_member_parts parts = {0};
	const uint8_t *format = take_bytes(&r, 1);
	if (!format || *format != NOTE_FORMAT || !take_name(&r, &out->catalog))
		return -EBADMSG;
	const uint8_t *has_coo = take_bytes(&r, 1);
	if (!has_coo || *has_coo > 1 || (*has_coo && !take_name(&r, &out->coo)))
		return -EBADMSG;
	parts.id = take_bytes(&r, 1);
	if (!parts.id || parts.id[0] == 0 || parts.id[0] > LABEL_MAX_LEN || !take_bytes(&r, parts.id[0]) ||
	    !take_groups(&r, &parts))
		return -EBADMSG;
	out->member = *member;
	parts.name = &out->member;
	parts.coo = *has_coo ? &out->coo : NULL;
	out->parts = parts;
	return 0;
}

/* -------- what is due -------- */

struct block {
	struct block *next;
	uint32_t len, at;
	uint8_t names[BLOCK_BYTES];
};

struct catalog_notes {
	struct state *st;
	catalog_note_fn *fn;
	void *arg;
	struct block *first, *last;
	unsigned n_writing;
};

struct catalog_notes *
catalog_notes_new(struct state *st, catalog_note_fn *fn, void *arg)
{
	struct catalog_notes *notes = calloc(1, sizeof(*notes));
	if (notes)
		*notes = (struct catalog_notes){.st = st, .fn = fn, .arg = arg};
	return notes;
}

static bool
block_append(struct catalog_notes *notes)
{
	struct block *b = malloc(sizeof(*b));
	if (!b)
		return false;
	b->next = NULL;
	b->len = b->at = 0;
	*(notes->last ? &notes->last->next : &notes->first) = b;
	notes->last = b;
	return true;
}

void
catalog_notes_due(struct catalog_notes *notes, const uint8_t *apex)
{
	unsigned len = name_len(apex);
	if ((!notes->last || notes->last->len + len > BLOCK_BYTES) && !block_append(notes)) {
		log_limited(
			CONFIG_LOG_ERROR, NULL,
			"catalog: out of memory: some members are not noted on disk, and wait for their catalog "
			"at the next start");
		return;
	}
	memcpy(notes->last->names + notes->last->len, apex, len);
	notes->last->len += len;
}

static void
drop_first(struct catalog_notes *notes, unsigned name_len)
{
	struct block *b = notes->first;
	b->at += name_len;
	if (b->at < b->len)
		return;
	notes->first = b->next;
	if (!notes->first)
		notes->last = NULL;
	free(b);
}

/* -------- writing -------- */

static void
complain(int err)
{
	log_limited(CONFIG_LOG_ERROR, NULL,
		    "state-dir: members of catalogs cannot be noted: %s; some wait for their catalog at the next "
		    "start",
		    strerror(-err));
}

static void
note_done(void *arg, const struct state_result *result)
{
	struct catalog_notes *notes = arg;
	notes->n_writing--;
	if (result->err)
		complain(result->err);
}

/* False: the state's queue is full. */
static bool
write_one(struct catalog_notes *notes, const struct name *apex)
{
	uint8_t note[STATE_NOTE_MAX];
	int len = notes->fn(notes->arg, apex, note);
	if (len < 0)
		return true;
	int err = state_zone_put_note(notes->st, apex, note, (size_t)len,
				      (struct state_done){.fn = note_done, .arg = notes});
	if (err == -EAGAIN)
		return false;
	if (err)
		complain(err);
	else
		notes->n_writing++;
	return true;
}

void
catalog_notes_write(struct catalog_notes *notes)
{
	while (notes->first && notes->n_writing < WRITING_MAX) {
		struct name apex;
		name_copy(&apex, notes->first->names + notes->first->at);
		if (!write_one(notes, &apex))
			return;
		drop_first(notes, apex.len);
	}
}

bool
catalog_notes_are_idle(const struct catalog_notes *notes)
{
	return !notes->first && !notes->n_writing;
}

void
catalog_notes_free(struct catalog_notes *notes)
{
	free(notes);
}

/* -------- reading -------- */

#define BATCH_ENTRY_MAX (NAME_MAX_LEN + 2 + STATE_NOTE_MAX)

static int
batch_take(void *arg, const struct name *apex, int err, const void *note, size_t len)
{
	struct catalog_batch *b = arg;
	uint8_t *p = b->bytes + b->len;
	b->last = *apex;
	b->has_last = true;
	if (err || len > STATE_NOTE_MAX) {
		b->broken++;
		return 0;
	}
	p = put_bytes(p, apex->bytes, apex->len);
	store_be16(p, (uint16_t)len);
	p = put_bytes(p + 2, note, len);
	b->len = (size_t)(p - b->bytes);
	b->n++;
	return b->n == CATALOG_BATCH_NOTES || b->len > sizeof(b->bytes) - BATCH_ENTRY_MAX;
}

int
catalog_batch_read(struct state *st, struct catalog_batch *b)
{
	const struct name after = b->last;
	b->len = b->at = b->n = 0;
	int end = state_notes_walk(st, b->has_last ? &after : NULL, batch_take, b);
	if (end < 0)
		b->len = b->n = 0;
	b->is_end = end != 1;
	return end < 0 ? end : 0;
}

bool
catalog_batch_next(struct catalog_batch *b, struct catalog_note *out)
{
	while (b->at < b->len) {
		struct name member;
		const uint8_t *p = b->bytes + b->at;
		name_copy(&member, p);
		size_t len = load_be16(p + member.len);
		b->at += member.len + 2u + len;
		if (catalog_note_read(&member, p + member.len + 2, len, out) == 0)
			return true;
		b->broken++;
	}
	return false;
}
