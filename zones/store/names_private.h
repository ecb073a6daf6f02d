/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside the names table: what its reading, its pages and its transactions share. For zones/store/names*.c alone.
 *
 * Three rules carry all of it:
 *
 *   bucket  fills from slot 0, so it is full exactly when its last slot is taken. An entry lies in the first
 * bucket, from its home on and round the page, that was not full; removal restores that (names_page_remove). page
 * of depth l stands at all directory indices that agree in their low l bits. While the table has depth 0, its one
 *           page may be shorter than 16 buckets.
 *   chunk   stands at all places of top[] that agree in some low c bits, where c + 9 is no less than the depth of
 * any of its pages. c is not stored: top[] tells it (chunk_depth).
 *
 * See docs/design/names-table.md.
 */
#ifndef ANSER_STORE_NAMES_PRIVATE_H
#define ANSER_STORE_NAMES_PRIVATE_H

#include "zones/store/names.h"

#define CHUNK_BITS 9
#define DEPTH_MAX 26

_Static_assert(1 << CHUNK_BITS == NAMES_CHUNK_PAGES, "a chunk is indexed by CHUNK_BITS bits");
_Static_assert(DEPTH_MAX <= NAMES_BUCKET_SHIFT, "directory and bucket use different bits of the hash");
_Static_assert(DEPTH_MAX <= NAMES_PAGE_DEPTH_MASK, "a page's depth fits beside its address");

/* -------- directory -------- */

static inline uint32_t
low_bits(unsigned n)
{
	return (UINT32_C(1) << n) - 1;
}

static inline unsigned
top_bits(const struct names *t)
{
	return t->depth > CHUNK_BITS ? t->depth - CHUNK_BITS : 0;
}

static inline uint32_t
top_len(const struct names *t)
{
	return UINT32_C(1) << top_bits(t);
}

/* Pages in a chunk: 512, or as many as there are in a table that has fewer. */
static inline uint32_t
chunk_len(const struct names *t)
{
	return UINT32_C(1) << (t->depth - top_bits(t));
}

static inline size_t
chunk_bytes(const struct names *t)
{
	return chunk_len(t) * sizeof(uintptr_t);
}

static inline uintptr_t
page_word(const struct names *t, uint32_t index)
{
	return t->top[index / NAMES_CHUNK_PAGES]->page[index % NAMES_CHUNK_PAGES];
}

/* The size of this table's pages: 1 KiB, or less where there is one alone. */
static inline size_t
page_bytes(const struct names *t)
{
	return (t->bucket_mask + 1u) * sizeof(struct names_bucket);
}

/* How many low bits of a place in top[] all places with this chunk have in common. */
static inline unsigned
chunk_depth(const struct names *t, uint32_t place)
{
	unsigned depth = top_bits(t);
	while (depth > 0 && t->top[place ^ (UINT32_C(1) << (depth - 1))] == t->top[place])
		depth--;
	return depth;
}

/* True at one of the places of a chunk, the lowest: what visits each chunk once asks for it. */
static inline bool
chunk_is_first(const struct names *t, uint32_t place)
{
	return place <= low_bits(chunk_depth(t, place));
}

static inline bool
page_is_first(uint32_t index, uintptr_t word)
{
	return index <= low_bits(word & NAMES_PAGE_DEPTH_MASK);
}

static inline struct names_page *
page_of_word(uintptr_t word)
{
	return (struct names_page *)(word & ~NAMES_PAGE_DEPTH_MASK);
}

/* Does another version of the table have this page, which stands at that index? What is shared stands at its place.
 */
static inline bool
page_is_in(const struct names *other, uint32_t index, const struct names_page *page)
{
	return page_of_word(page_word(other, index & other->mask)) == page;
}

/* The next page that was not seen yet, from directory index *at on, or NULL. */
struct names_page *names_next_page(const struct names *t, uint32_t *at);

/* -------- page -------- */

static inline const struct names_entry *
slot_entry(uint64_t word)
{
	return (const struct names_entry *)(uintptr_t)(word & NAMES_POINTER_MASK);
}

/* Slot `i` of the page, its buckets counted through. */
static inline const uint64_t *
page_slot(const struct names_page *page, unsigned i)
{
	return &page->bucket[i / NAMES_BUCKET_SLOTS].slot[i % NAMES_BUCKET_SLOTS];
}

static inline unsigned
page_slots(const struct names *t)
{
	return (t->bucket_mask + 1u) * NAMES_BUCKET_SLOTS;
}

/* The slot with this name, or NULL. */
const uint64_t *names_page_find(const struct names *t, uint64_t hash, const uint8_t *name, unsigned len);

/* Puts a new entry into the first of `reach` buckets that has room; false if none has. */
bool names_page_insert(const struct names *t, struct names_page *page, const struct names_entry *e, unsigned reach);

/* Puts an entry in place of the one of the same name in slot `at`. */
void names_page_replace(struct names_page *page, unsigned at, const struct names_entry *e);

/* Empties slot `at`, and pulls back what had to go past its bucket while that was full. */
void names_page_remove(const struct names *t, struct names_page *page, unsigned at);

/*
 * Whether a split makes room for an entry with this hash that found none within reach: not if the page is only
 * locally crowded, and not if all its hashes agree in every bit that the directory could use.
 */
bool names_page_should_split(const struct names_page *page, uint64_t hash);

/*
 * Puts the entries of the first `slots` slots of `from` into `upper` where bit `bit` of their hash is set, else
 * into `lower`. These two may be one; they have t's size of page, and room.
 */
void names_page_spread(const struct names *t, const struct names_page *from, unsigned slots, unsigned bit,
		       struct names_page *lower, struct names_page *upper);

#endif
