/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hash-consing of record sets. See intern.h. Writers; the last release is mostly the reclaimer's.
 *
 * Open addressing with linear probing. A slot is one word, the set's address with 16 bits of its hash above: the
 * rest of the hash is computed anew where it is needed, which costs time when a table grows and saves half of its
 * memory for ever.
 *
 * Dropping a set whose last user has gone: the writer finds the mark in `refs` and no users. Users come from two
 * places only. One is a node that has the set already, and no node has it. The other is intern_set(), which finds
 * it through this table; and the table is open, for this writer. So nobody can become a user any more, and the set
 * may be freed. The load is an acquire: users went by a fetch_sub with release (rrset_release()), so whatever they
 * read in the set, they, and the readers whose grace period they waited for, have read before it is freed here.
 */
#include "zones/store/intern.h"

#include <assert.h>
#include <stdatomic.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "zones/base/alloc.h"
#include "zones/store/names.h"

#define CAP_MIN 8
#define SLOTS_AN_EDIT 4 /* to look at for each name that was edited */
#define SLOTS_MORE 256  /* a change pays at most so many of the debts of others */
#define PREFETCH 8      /* slots ahead, where one after the other is looked at */
#define WORTH_SHARE 8   /* a set that is found saves about what so many listed ones cost */

struct intern {
	_Atomic uint32_t holds;
	atomic_bool is_open;
	_Atomic size_t bytes;
	uint64_t *slots; /* 0: empty */
	size_t n, cap;   /* cap: a power of two, at most three quarters full */
	size_t next;     /* slot to look at for sets without users */
	size_t owed;     /* slots to look at */
	size_t n_found;
};

/* All that makes a set what it is, its count of references apart. */
static const uint8_t *
content(const struct rrset *s, size_t *len)
{
	*len = rrset_size(s) - offsetof(struct rrset, wire_len);
	return (const uint8_t *)s + offsetof(struct rrset, wire_len);
}

/* Seeded, because who writes a zone need not be who runs the server. */
static uint64_t
content_hash(const struct rrset *s)
{
	size_t len;
	const uint8_t *bytes = content(s, &len);
	return XXH3_64bits_withSeed(bytes, len, name_hash_seed);
}

/* -------- slots -------- */

static struct rrset *
slot_set(uint64_t slot)
{
	return (struct rrset *)(uintptr_t)(slot & NAMES_POINTER_MASK);
}

static uint64_t
slot_of(const struct rrset *set, uint64_t hash)
{
	return hash >> NAMES_TAG_SHIFT << NAMES_TAG_SHIFT | (uint64_t)(uintptr_t)set;
}

static bool
slot_has(uint64_t slot, const struct rrset *set, uint64_t hash)
{
	return slot >> NAMES_TAG_SHIFT == hash >> NAMES_TAG_SHIFT && rrset_is_equal(slot_set(slot), set);
}

static bool
is_unused(const struct rrset *set)
{
	return atomic_load_explicit(&set->refs, memory_order_acquire) == RRSET_LISTED;
}

/* Where an equal set is, or a new one belongs. */
static size_t
find_slot(const struct intern *in, const struct rrset *set, uint64_t hash)
{
	size_t i = hash & (in->cap - 1);
	while (in->slots[i] != 0 && !slot_has(in->slots[i], set, hash))
		i = (i + 1) & (in->cap - 1);
	return i;
}

static void
prefetch_slot(const struct intern *in, size_t i)
{
	__builtin_prefetch(slot_set(in->slots[i & (in->cap - 1)]));
}

/* Moves all into a new table of `cap` slots; false: out of memory, and nothing has changed. */
static bool
resize(struct intern *in, size_t cap)
{
	uint64_t *slots = zalloc(cap * sizeof(*slots), 0);
	if (slots == NULL)
		return false;
	memset(slots, 0, cap * sizeof(*slots));
	for (size_t i = 0; i < in->cap; i++) {
		prefetch_slot(in, i + PREFETCH);
		if (in->slots[i] == 0)
			continue;
		size_t to = content_hash(slot_set(in->slots[i])) & (cap - 1);
		while (slots[to] != 0)
			to = (to + 1) & (cap - 1);
		slots[to] = in->slots[i];
	}
	zalloc_free(in->slots, in->cap * sizeof(*slots));
	in->slots = slots;
	in->cap = cap;
	in->next = 0;
	if (in->owed != 0)
		in->owed = cap; /* what has not been looked at may be anywhere now */
	atomic_store_explicit(&in->bytes, sizeof(*in) + cap * sizeof(*slots), memory_order_relaxed);
	return true;
}

/* -------- sets -------- */

struct rrset *
intern_set(struct intern *in, struct rrset *set)
{
	assert(atomic_load_explicit(&in->is_open, memory_order_relaxed));
	uint64_t hash = content_hash(set);
	size_t i = find_slot(in, set, hash);
	if (in->slots[i] != 0) {
		struct rrset *known = slot_set(in->slots[i]);
		atomic_fetch_add_explicit(&known->refs, 1, memory_order_relaxed);
		rrset_release(set);
		in->n_found++;
		return known;
	}
	if ((in->n + 1) * 4 > in->cap * 3) {
		if (!resize(in, in->cap * 2))
			return set;
		i = find_slot(in, set, hash);
	}
	atomic_fetch_or_explicit(&set->refs, RRSET_LISTED, memory_order_relaxed); /* the caller's alone until now */
	in->slots[i] = slot_of(set, hash);
	in->n++;
	return set;
}

/* From here on the last user frees it; if there was none, it is this one. */
static void
unlist(struct rrset *set)
{
	if (atomic_fetch_and_explicit(&set->refs, ~RRSET_LISTED, memory_order_acq_rel) == RRSET_LISTED)
		zalloc_free(set, rrset_size(set));
}

/* Lists a set that is marked so already. */
static void
join_set(struct intern *in, struct rrset *set)
{
	uint64_t hash = content_hash(set);
	size_t i = find_slot(in, set, hash);
	bool is_new = in->slots[i] == 0;
	if (is_new && (in->n + 1) * 4 > in->cap * 3) {
		is_new = resize(in, in->cap * 2);
		i = find_slot(in, set, hash);
	}
	if (!is_new) {
		unlist(set);
		return;
	}
	in->slots[i] = slot_of(set, hash);
	in->n++;
}

void
intern_join(struct intern *into, struct intern *from)
{
	for (size_t i = 0; i < from->cap; i++) {
		struct rrset *set = slot_set(from->slots[i]);
		prefetch_slot(from, i + PREFETCH);
		if (set != NULL)
			join_set(into, set);
	}
	into->n_found += from->n_found;
	zalloc_free(from->slots, from->cap * sizeof(*from->slots));
	zalloc_free(from, sizeof(*from));
}

bool
intern_is_worth_it(const struct intern *in)
{
	return in->n_found != 0 && in->n_found * WORTH_SHARE >= in->n;
}

/* -------- dropping what has no users -------- */

/* Empties a slot; those behind it move up where that brings them nearer to where they belong. */
static void
remove_slot(struct intern *in, size_t hole)
{
	size_t mask = in->cap - 1;
	for (size_t i = (hole + 1) & mask; in->slots[i] != 0; i = (i + 1) & mask) {
		size_t home = content_hash(slot_set(in->slots[i])) & mask;
		if (((i - home) & mask) < ((i - hole) & mask))
			continue;
		in->slots[hole] = in->slots[i];
		hole = i;
	}
	in->slots[hole] = 0;
	in->n--;
}

static void
drop_unused(struct intern *in, size_t n_slots)
{
	size_t mask = in->cap - 1;
	for (size_t i = 0; i < PREFETCH && i < n_slots; i++)
		prefetch_slot(in, in->next + i);
	for (size_t i = 0; i < n_slots; i++, in->next = (in->next + 1) & mask) {
		struct rrset *set;
		prefetch_slot(in, in->next + PREFETCH);
		while ((set = slot_set(in->slots[in->next])) != NULL && is_unused(set)) {
			remove_slot(in, in->next); /* another set may be there now */
			zalloc_free(set, rrset_size(set));
		}
	}
	if (in->cap > CAP_MIN && in->n * 8 < in->cap) {
		size_t cap = CAP_MIN;
		while (cap < in->n * 3)
			cap *= 2;
		(void)!resize(in, cap); /* a table that is too large is good, too */
	}
}

bool
intern_open(struct intern *in)
{
	return !atomic_exchange_explicit(&in->is_open, true, memory_order_acquire);
}

void
intern_close(struct intern *in, size_t n_edits)
{
	size_t more = n_edits * SLOTS_AN_EDIT;
	size_t n_slots = in->owed < more + SLOTS_MORE ? in->owed : more + SLOTS_MORE;
	in->owed -= n_slots;
	drop_unused(in, n_slots);
	in->owed += more;
	if (in->owed > in->cap)
		in->owed = in->cap; /* once round and all have been looked at */
	atomic_store_explicit(&in->is_open, false, memory_order_release);
}

/* -------- the table -------- */

struct intern *
intern_new(void)
{
	struct intern *in = zalloc(sizeof(*in), 0);
	if (in == NULL)
		return NULL;
	*in = (struct intern){0};
	atomic_init(&in->holds, 1);
	atomic_init(&in->is_open, true);
	if (resize(in, CAP_MIN))
		return in;
	zalloc_free(in, sizeof(*in));
	return NULL;
}

struct intern *
intern_hold(struct intern *in)
{
	if (in != NULL)
		atomic_fetch_add_explicit(&in->holds, 1, memory_order_relaxed);
	return in;
}

void
intern_release(struct intern *in)
{
	if (in == NULL || atomic_fetch_sub_explicit(&in->holds, 1, memory_order_acq_rel) != 1)
		return;
	for (size_t i = 0; i < in->cap; i++) {
		struct rrset *set = slot_set(in->slots[i]);
		prefetch_slot(in, i + PREFETCH);
		if (set != NULL)
			unlist(set);
	}
	zalloc_free(in->slots, in->cap * sizeof(*in->slots));
	zalloc_free(in, sizeof(*in));
}

struct intern_stats
intern_stats(const struct intern *in)
{
	struct intern_stats stats = {0};
	for (size_t i = 0; in != NULL && i < in->cap; i++) {
		const struct rrset *set = slot_set(in->slots[i]);
		if (set == NULL)
			continue;
		stats.n_sets++;
		stats.unused_bytes += is_unused(set) ? rrset_size(set) : 0;
	}
	return stats;
}

size_t
intern_bytes(const struct intern *in)
{
	return atomic_load_explicit(&in->bytes, memory_order_relaxed);
}
