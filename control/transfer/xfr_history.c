/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The differences for one IXFR out. See xfr_history.h.
 *
 * Records lie packed in one growing block, in the order of the state. An index lists them; condensing works on the
 * index alone: it crosses out pairs, and puts the SOA of each half in front.
 */
#include "control/transfer/xfr_history.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "zones/base/bytes.h"
#include "zones/wire/rrtype.h"

#define PACKED_HEAD 8 /* type, data length, TTL; then owner and data */
#define NO_RECORD UINT32_MAX
#define ENTRIES_MAX (UINT32_MAX / 4) /* so that a table of twice their number can be indexed */

struct entry {
	uint64_t at; /* in the block */
	uint32_t len;
	bool is_added, is_dead;
};

struct xfr_history_copy {
	uint8_t *block;
	size_t len, cap, entries_cap;
	struct entry *entry;
	uint32_t n;
	uint32_t old_soa, new_soa; /* of the whole way */
	uint32_t alive;            /* without these two */
	struct xfr_history_budget *budget;
	size_t charged; /* to it */
	/* loading */
	size_t bytes_max;
	uint32_t from_serial, to_serial; /* of the difference that is being read */
	uint32_t reached_serial;
	bool has_removed_soa, has_added_soa; /* in it */
	/* streaming */
	uint32_t next;
	enum { STREAM_OLD_SOA, STREAM_REMOVED, STREAM_NEW_SOA, STREAM_ADDED, STREAM_ENDED } phase;
};

/* -------- packing -------- */

static bool
charge(struct xfr_history_copy *h, size_t bytes)
{
	size_t before = atomic_fetch_add(&h->budget->bytes, bytes);
	if (before + bytes > h->budget->max) {
		atomic_fetch_sub(&h->budget->bytes, bytes);
		return false;
	}
	h->charged += bytes;
	return true;
}

/* Makes *p, of *cap items, hold at least n. 0, -E2BIG or -ENOMEM, and *p is as it was. */
static int
grow(struct xfr_history_copy *h, void **p, size_t size, size_t *cap, size_t n)
{
	size_t wanted = *cap < 4096 / size ? 4096 / size : 2 * *cap;
	if (n <= *cap)
		return 0;
	if (wanted < n)
		wanted = n;
	if (!charge(h, (wanted - *cap) * size))
		return -E2BIG;
	void *grown = realloc(*p, wanted * size);
	if (grown == NULL)
		return -ENOMEM; /* what was charged is given back with the copy, which is of no use now */
	*p = grown;
	*cap = wanted;
	return 0;
}

static int
make_room(struct xfr_history_copy *h, size_t len)
{
	void *block = h->block, *entry = h->entry;
	if (h->len + len + (h->n + 1) * sizeof(*h->entry) > h->bytes_max || h->n >= ENTRIES_MAX)
		return -E2BIG;
	int err = grow(h, &block, 1, &h->cap, h->len + len);
	if (err == 0)
		err = grow(h, &entry, sizeof(*h->entry), &h->entries_cap, (size_t)h->n + 1);
	h->block = block;
	h->entry = entry;
	return err;
}

static int
pack(struct xfr_history_copy *h, const struct state_record *r, bool is_added)
{
	size_t len = PACKED_HEAD + r->owner->len + r->rdlen;
	int err = make_room(h, len);
	if (err != 0)
		return err;
	uint8_t *to = h->block + h->len;
	store_be16(to, r->type);
	store_be16(to + 2, r->rdlen);
	store_be32(to + 4, r->ttl_s);
	memcpy(to + PACKED_HEAD, r->owner->bytes, r->owner->len);
	memcpy(to + PACKED_HEAD + r->owner->len, r->rdata, r->rdlen);
	h->entry[h->n++] = (struct entry){.at = h->len, .len = (uint32_t)len, .is_added = is_added};
	h->len += len;
	return 0;
}

static struct zone_record
unpack(const struct xfr_history_copy *h, const struct entry *e)
{
	const uint8_t *from = h->block + e->at;
	uint16_t rdlen = load_be16(from + 2);
	return (struct zone_record){
		.owner = from + PACKED_HEAD,
		.rdata = from + e->len - rdlen,
		.ttl_s = load_be32(from + 4),
		.type = load_be16(from),
		.rdlen = rdlen,
	};
}

/* -------- reading -------- */

/* The difference that was read last is whole: it had an SOA at each end. */
static bool
is_whole(const struct xfr_history_copy *h)
{
	return h->has_removed_soa && h->has_added_soa;
}

static int
on_difference(void *arg, uint32_t from_serial, uint32_t to_serial)
{
	struct xfr_history_copy *h = arg;
	h->from_serial = from_serial;
	h->to_serial = to_serial;
	h->has_removed_soa = h->has_added_soa = false;
	return from_serial == h->reached_serial ? 0 : -EBADMSG;
}

static int
on_record(struct xfr_history_copy *h, const struct state_record *r, bool is_added)
{
	if (r->type != RRTYPE_SOA)
		return pack(h, r, is_added);
	bool *has_soa = is_added ? &h->has_added_soa : &h->has_removed_soa;
	uint32_t serial = is_added ? h->to_serial : h->from_serial;
	if (*has_soa || r->rdlen < 22 || load_be32(r->rdata + r->rdlen - 20) != serial)
		return -EBADMSG;
	*has_soa = true;
	if (!is_added && h->old_soa != NO_RECORD)
		return 0; /* where a later difference begins: condensed away */
	*(is_added ? &h->new_soa : &h->old_soa) = h->n;
	return pack(h, r, is_added);
}

static int
on_remove(void *arg, const struct state_record *r)
{
	return on_record(arg, r, false);
}

static int
on_add(void *arg, const struct state_record *r)
{
	return on_record(arg, r, true);
}

static int
read_differences(struct xfr_history_copy *h, struct state *st, struct state_history *place, uint32_t to_serial)
{
	struct state_sink sink = {.difference = on_difference, .remove = on_remove, .add = on_add, .arg = h};
	while (h->reached_serial != to_serial) {
		int rc = state_history_next(st, place, &sink);
		if (rc <= 0)
			return rc == 0 || rc == -ESTALE ? -ENOENT : rc;
		if (!is_whole(h))
			return -EBADMSG;
		h->reached_serial = h->to_serial;
	}
	return 0;
}

/* -------- condensing -------- */

/* A table of the records that are alive, by all of their octets: open addressing, a record leaves a gravestone. */
struct table {
	uint32_t *slot; /* index of an entry; NO_RECORD: empty. A dead entry: passed over */
	uint32_t mask;
};

static bool
same(const struct xfr_history_copy *h, const struct entry *a, const struct entry *b)
{
	return a->len == b->len && memcmp(h->block + a->at, h->block + b->at, a->len) == 0;
}

/* Crosses out the record and an earlier one that it undoes, or remembers it. */
static void
settle(struct xfr_history_copy *h, struct table *t, uint32_t i)
{
	struct entry *e = &h->entry[i];
	uint64_t hash = XXH3_64bits_withSeed(h->block + e->at, e->len, name_hash_seed);
	uint32_t slot = (uint32_t)hash & t->mask;
	for (; t->slot[slot] != NO_RECORD; slot = (slot + 1) & t->mask) {
		struct entry *other = &h->entry[t->slot[slot]];
		if (other->is_dead || other->is_added == e->is_added || !same(h, e, other))
			continue;
		other->is_dead = e->is_dead = true;
		h->alive -= 2;
		return;
	}
	t->slot[slot] = i;
}

static int
condense(struct xfr_history_copy *h)
{
	struct table t = {.mask = 63};
	while (t.mask < 2 * h->n)
		t.mask = 2 * t.mask + 1;
	t.slot = malloc((t.mask + (size_t)1) * sizeof(*t.slot));
	if (t.slot == NULL)
		return -ENOMEM;
	memset(t.slot, 0xff, (t.mask + (size_t)1) * sizeof(*t.slot)); /* NO_RECORD */
	for (uint32_t i = 0; i < h->n; i++) {
		if (unpack(h, &h->entry[i]).type != RRTYPE_SOA)
			settle(h, &t, i);
		else
			h->entry[i].is_dead = true; /* the two that are sent have places of their own */
	}
	free(t.slot);
	return 0;
}

static int
load(struct xfr_history_copy *h, struct state *st, const struct name *apex, uint32_t to_serial)
{
	struct state_history place;
	int err = state_history_begin(st, apex, h->reached_serial, &place);
	if (err == 0)
		err = read_differences(h, st, &place, to_serial);
	if (err == 0 && h->old_soa == NO_RECORD)
		err = -ENOENT; /* both versions are the same */
	if (err != 0)
		return err;
	for (uint32_t i = 0; i < h->n; i++)
		h->alive += unpack(h, &h->entry[i]).type != RRTYPE_SOA;
	return condense(h);
}

int
xfr_history_load(struct state *st, const struct name *apex, uint32_t from_serial, uint32_t to_serial,
		 size_t bytes_max, struct xfr_history_budget *budget, struct xfr_history_copy **out)
{
	struct xfr_history_copy *h = calloc(1, sizeof(*h));
	if (h == NULL)
		return -ENOMEM;
	h->bytes_max = bytes_max;
	h->budget = budget;
	h->reached_serial = from_serial;
	h->old_soa = h->new_soa = NO_RECORD;
	int err = load(h, st, apex, to_serial);
	if (err != 0) {
		xfr_history_free(h);
		return err;
	}
	*out = h;
	return 0;
}

void
xfr_history_free(struct xfr_history_copy *h)
{
	if (h == NULL)
		return;
	atomic_fetch_sub(&h->budget->bytes, h->charged);
	free(h->block);
	free(h->entry);
	free(h);
}

uint64_t
xfr_history_records(const struct xfr_history_copy *h)
{
	return (uint64_t)h->alive + 2;
}

/* -------- streaming -------- */

/* The next one of that half, or NULL. */
static const struct entry *
next_alive(struct xfr_history_copy *h, bool is_added)
{
	while (h->next < h->n) {
		const struct entry *e = &h->entry[h->next++];
		if (!e->is_dead && e->is_added == is_added)
			return e;
	}
	h->next = 0;
	return NULL;
}

static const struct entry *
next_entry(struct xfr_history_copy *h)
{
	const struct entry *e;
	switch (h->phase) {
	case STREAM_OLD_SOA:
		h->phase = STREAM_REMOVED;
		return &h->entry[h->old_soa];
	case STREAM_REMOVED:
		if ((e = next_alive(h, false)) != NULL)
			return e;
		h->phase = STREAM_NEW_SOA;
		__attribute__((fallthrough));
	case STREAM_NEW_SOA:
		h->phase = STREAM_ADDED;
		return &h->entry[h->new_soa];
	case STREAM_ADDED:
		if ((e = next_alive(h, true)) != NULL)
			return e;
		h->phase = STREAM_ENDED;
		break;
	case STREAM_ENDED:
		break;
	}
	return NULL;
}

static int
stream_next(void *arg, enum xfr_action *action, struct zone_record *out)
{
	const struct xfr_history_copy *h = arg;
	const struct entry *e = next_entry(arg);
	if (e == NULL)
		return 0;
	*action = e->is_added ? XFR_ADD : XFR_REMOVE;
	*out = unpack(h, e);
	return 1;
}

struct xfr_history
xfr_history_stream(struct xfr_history_copy *h)
{
	h->next = 0;
	h->phase = STREAM_OLD_SOA;
	return (struct xfr_history){.next = stream_next, .arg = h};
}
