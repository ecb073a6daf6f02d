/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The names table: changing one page, which must be the transaction's own. See names_private.h for the rules that
 * hold before and after each of these, and docs/design/names-table.md.
 */
#include <assert.h>

#include "zones/store/names_private.h"

/* A page does not split before it holds so many: a crowded bucket in it spills further instead. */
#define SPLIT_MIN 96

static inline uint64_t
slot_word(const struct names_entry *e)
{
	assert(((uintptr_t)e & ~NAMES_POINTER_MASK) == 0);
	return (e->hash >> NAMES_TAG_SHIFT) << NAMES_TAG_SHIFT | (uintptr_t)e;
}

bool
names_page_insert(const struct names *t, struct names_page *page, const struct names_entry *e, unsigned reach)
{
	unsigned home = names_bucket_index(t, e->hash);
	for (unsigned k = 0; k < reach && k <= t->bucket_mask; k++) {
		struct names_bucket *b = &page->bucket[(home + k) & t->bucket_mask];
		if (names_bucket_is_full(b))
			continue;
		unsigned i = 0;
		while (b->slot[i] != 0)
			i++;
		b->slot[i] = slot_word(e);
		return true;
	}
	return false;
}

void
names_page_replace(struct names_page *page, unsigned at, const struct names_entry *e)
{
	page->bucket[at / NAMES_BUCKET_SLOTS].slot[at % NAMES_BUCKET_SLOTS] = slot_word(e);
}

/* Empties a slot and lets the last entry of the bucket take its place. */
static void
bucket_take(struct names_bucket *b, unsigned i)
{
	unsigned last = NAMES_BUCKET_SLOTS - 1;
	while (b->slot[last] == 0)
		last--;
	b->slot[i] = b->slot[last];
	b->slot[last] = 0;
}

/* The first entry of bucket `from` whose way from its home leads through bucket `gap`, or -1. */
static int
page_find_passer(const struct names *t, const struct names_page *page, unsigned from, unsigned gap)
{
	for (unsigned i = 0; i < NAMES_BUCKET_SLOTS && page->bucket[from].slot[i] != 0; i++) {
		unsigned home = names_bucket_index(t, slot_entry(page->bucket[from].slot[i])->hash);
		if (((gap - home) & t->bucket_mask) < ((from - home) & t->bucket_mask))
			return (int)i;
	}
	return -1;
}

/*
 * Bucket `gap` was full and has lost an entry: a lookup would stop there now. Pulls an entry back that had gone
 * past it, which may leave the next gap where that one lay. Only full buckets lead on, so the first that is not
 * ends it.
 */
static void
page_close_gap(const struct names *t, struct names_page *page, unsigned gap)
{
	for (unsigned k = 1; k <= t->bucket_mask; k++) {
		unsigned from = (gap + k) & t->bucket_mask;
		struct names_bucket *b = &page->bucket[from];
		bool leads_on = names_bucket_is_full(b);
		int i = page_find_passer(t, page, from, gap);
		if (i >= 0) {
			page->bucket[gap].slot[NAMES_BUCKET_SLOTS - 1] = b->slot[i];
			bucket_take(b, (unsigned)i);
			gap = from;
			k = 0;
		}
		if (!leads_on)
			return;
	}
}

void
names_page_remove(const struct names *t, struct names_page *page, unsigned at)
{
	unsigned bucket = at / NAMES_BUCKET_SLOTS;
	bool was_full = names_bucket_is_full(&page->bucket[bucket]);
	bucket_take(&page->bucket[bucket], at % NAMES_BUCKET_SLOTS);
	if (was_full)
		page_close_gap(t, page, bucket);
}

bool
names_page_should_split(const struct names_page *page, uint64_t hash)
{
	unsigned count = 0;
	uint64_t differs = 0;
	for (unsigned i = 0; i < NAMES_PAGE_BUCKETS * NAMES_BUCKET_SLOTS; i++) {
		const struct names_entry *e = slot_entry(*page_slot(page, i));
		if (e == NULL)
			continue;
		count++;
		differs |= e->hash ^ hash;
	}
	return count >= SPLIT_MIN && (differs & low_bits(DEPTH_MAX)) != 0;
}

void
names_page_spread(const struct names *t, const struct names_page *from, unsigned slots, unsigned bit,
		  struct names_page *lower, struct names_page *upper)
{
	for (unsigned i = 0; i < slots; i++) {
		const struct names_entry *e = slot_entry(*page_slot(from, i));
		if (e == NULL)
			continue;
		bool fits = names_page_insert(t, (e->hash >> bit & 1) != 0 ? upper : lower, e, NAMES_PAGE_BUCKETS);
		assert(fits);
		(void)fits;
	}
}
