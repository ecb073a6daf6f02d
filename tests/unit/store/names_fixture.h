/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of the names table share: entries by number, hashes of several flavours, and the check of a
 * table's shape. To be included after <cmocka.h>.
 */
#ifndef ANSER_TESTS_NAMES_FIXTURE_H
#define ANSER_TESTS_NAMES_FIXTURE_H

#include <stdio.h>
#include <stdlib.h>

#include "zones/store/names.h"

#define NAME_LEN 11

struct entry {
	struct names_entry head;
	uint32_t id;
	uint8_t name[NAME_LEN + 1];
};

/* How hashes come about: `keep` bits of the mixed number, the rest all ones or all zero. */
struct flavour {
	const char *title;
	uint64_t keep, fixed;
	unsigned group; /* so many names in a row share one hash */
};

_Static_assert(sizeof(struct entry) == 32, "two entries to a cache line");

static const struct flavour plain = {"plain", ~UINT64_C(0), 0, 1};

static inline uint64_t
mix(uint64_t x)
{
	x += UINT64_C(0x9e3779b97f4a7c15);
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

/* xorshift64*: the same run every time. */
static uint64_t random_state;

static inline uint32_t
random_below(uint32_t n)
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return (uint32_t)((random_state * UINT64_C(2685821657736338717)) >> 32) % n;
}

static inline uint64_t
flavour_hash(const struct flavour *f, uint32_t id)
{
	return (mix(id / f->group) & f->keep) | f->fixed;
}

/* Writes the wire name of a number: one label of nine hex digits or letters, and the root. */
static inline void
name_of(uint32_t id, uint8_t out[NAME_LEN + 1])
{
	snprintf((char *)out, NAME_LEN + 1, "\011n%08x", id);
	out[NAME_LEN - 1] = 0;
}

static inline void
entry_init(struct entry *e, const struct flavour *f, uint32_t id)
{
	name_of(id, e->name);
	e->id = id;
	e->head = (struct names_entry){
		.hash = flavour_hash(f, id), .name_off = offsetof(struct entry, name), .name_len = NAME_LEN};
}

static inline struct entry *
entries_new(const struct flavour *f, uint32_t n)
{
	/* Two entries to a cache line, so that the cycles measured are those of one line. */
	struct entry *all = aligned_alloc(CACHE_LINE, (n + n % 2) * sizeof(*all));
	assert_non_null(all);
	for (uint32_t i = 0; i < n; i++)
		entry_init(&all[i], f, i);
	return all;
}

static const struct names_entry *
find(const struct names *t, const struct entry *e)
{
	return names_find(t, e->head.hash, e->name, NAME_LEN);
}

static inline void
put(struct names_txn *txn, const struct entry *e)
{
	assert_int_equal(names_txn_put(txn, &e->head, NULL), 0);
}

static inline void
commit_and_free_old(struct names_txn *txn, struct names *t)
{
	struct garbage garbage;
	names_txn_commit(txn, t, &garbage);
	garbage_free(&garbage);
}

static inline struct names
table_of(const struct entry *e, uint32_t n, uint64_t expected)
{
	struct names t = {0};
	struct names_txn *txn = names_txn_begin(&t, expected);
	assert_non_null(txn);
	for (uint32_t i = 0; i < n; i++)
		put(txn, &e[i]);
	commit_and_free_old(txn, &t);
	assert_int_equal(t.count, n);
	return t;
}

/* The shape that names.h promises: depths, sharing, buckets filled from the front, no early stop before an entry.
 */
static inline void
check_shape(const struct names *t)
{
	uint64_t count = 0;
	for (uint32_t i = 0; t->top != NULL && i <= t->mask; i++) {
		uintptr_t word = t->top[i / NAMES_CHUNK_PAGES]->page[i % NAMES_CHUNK_PAGES];
		unsigned depth = word & NAMES_PAGE_DEPTH_MASK;
		uint32_t first = i & ((UINT32_C(1) << depth) - 1);
		assert_true(depth <= t->depth);
		assert_true(word == t->top[first / NAMES_CHUNK_PAGES]->page[first % NAMES_CHUNK_PAGES]);
		if (first != i)
			continue;
		const struct names_page *page = names_page_of(t, i);
		assert_true(t->bucket_mask == NAMES_PAGE_BUCKETS - 1 || t->depth == 0);
		for (unsigned b = 0; b <= t->bucket_mask; b++) {
			const uint64_t *slot = page->bucket[b].slot;
			for (unsigned s = 0; s < NAMES_BUCKET_SLOTS; s++) {
				assert_true(slot[s] == 0 || s == 0 || slot[s - 1] != 0);
				if (slot[s] == 0)
					continue;
				const struct names_entry *e =
					(const void *)(uintptr_t)(slot[s] & NAMES_POINTER_MASK);
				assert_int_equal(slot[s] >> NAMES_TAG_SHIFT, e->hash >> NAMES_TAG_SHIFT);
				assert_int_equal(e->hash & ((UINT32_C(1) << depth) - 1), i);
				for (unsigned h = names_bucket_index(t, e->hash); h != b;
				     h = (h + 1) & t->bucket_mask)
					assert_true(page->bucket[h].slot[NAMES_BUCKET_SLOTS - 1] != 0);
				count++;
			}
		}
	}
	assert_int_equal(count, t->count);
}

#endif
