/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The names table: a persistent (copy-on-write) hash table from domain name to entry.
 *
 * One table holds the names of a zone, another one the zones of the server. Readers see a `struct names`, a value
 * that never changes; a writer opens a transaction on it, copies each page that it touches once, and gets a new
 * `struct names` which shares all the rest. Publishing is the caller's: one pointer store. The cost of a
 * transaction follows the number of entries touched, growth included.
 *
 * Shape
 *
 *     top[] ──> chunk: 512 page pointers (4 KiB) ──> page: 16 buckets (1 KiB) ──> bucket: 8 words (one cache line)
 *
 *     word    bits 63..48 tag = hash >> 48, bits 47..0 pointer to the entry; 0 is an empty slot
 *     bucket  4 bits of the hash choose the home bucket in the page; a full bucket overflows into the next one
 *             of the page, so a lookup goes on to the next bucket only where the bucket is full
 *     page    belongs to all directory indices that agree in the page's low `depth` bits; a page that is full
 *             splits (extendible hashing: Fagin et al., 1979), doubling the directory where it must, by sharing
 *             whole chunks
 *
 * A small table has one chunk and one page, both only as long as it needs: 1, 2, 4 or 8 buckets serve up to 64
 * names, and bits of the hash that a shorter page has no bucket for do not count.
 *
 * Threads: lookups are pure and run anywhere, inside an RCU read-side section or with a reference held on whatever
 * owns the table. A transaction belongs to one builder thread. Pages that a transaction replaced may still be read
 * by others: they come back as a retire list, to be freed after a grace period.
 *
 * Reasons, pictures and figures: docs/design/names-table.md.
 */
#ifndef ANSER_STORE_NAMES_H
#define ANSER_STORE_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "zones/base/bytes.h"
#include "zones/base/compiler.h"
#include "zones/store/garbage.h"
#include "zones/wire/name.h"

#if defined(__SSE4_1__)
#include <smmintrin.h>
#endif

/*
 * Head of everything that a names table can hold. `name_off` is where the entry's name lies, counted from the
 * entry's start: wire form, lower case. Entries are 8-aligned and immutable once they are in a published table.
 */
struct names_entry {
	uint64_t hash;     /* name_hash() of the name */
	uint32_t children; /* nodes: names one label below (writers only) */
	uint16_t name_off;
	uint8_t name_len;
	uint8_t flags; /* the owner's: node_flag or zone flags */
};
_Static_assert(sizeof(struct names_entry) == 16, "four entries' heads share a cache line");

#define NAMES_BUCKET_SLOTS 8
#define NAMES_PAGE_BUCKETS 16
#define NAMES_CHUNK_PAGES 512

struct names_bucket {
	uint64_t slot[NAMES_BUCKET_SLOTS];
} __attribute__((aligned(CACHE_LINE)));

struct names_page {
	struct names_bucket bucket[NAMES_PAGE_BUCKETS];
};
_Static_assert(sizeof(struct names_page) == 1024, "a page is 1 KiB");

struct names_chunk {
	uintptr_t page[NAMES_CHUNK_PAGES]; /* page address | local depth in the low 6 bits (pages are 64-aligned) */
};

/* An immutable table. Small: copied by value into its owner, so that a lookup starts on the owner's cache line. */
struct names {
	struct names_chunk **top; /* 2^max(depth-9, 0) chunks */
	uint32_t mask;            /* 2^depth - 1: low bits of the hash that index pages */
	uint8_t depth;
	uint8_t bucket_mask; /* 15; less while one page shorter than 1 KiB holds it all: small zones are many */
	uint64_t count;      /* entries */
};

#define NAMES_TAG_SHIFT 48
#define NAMES_POINTER_MASK ((UINT64_C(1) << NAMES_TAG_SHIFT) - 1)
#define NAMES_PAGE_DEPTH_MASK ((uintptr_t)63)
#define NAMES_BUCKET_SHIFT 40 /* hash bits 40..43 choose the bucket */

static inline const struct names_page *
names_page_of(const struct names *t, uint64_t hash)
{
	uint32_t i = (uint32_t)hash & t->mask;
	return (const struct names_page *)(t->top[i / NAMES_CHUNK_PAGES]->page[i % NAMES_CHUNK_PAGES] &
					   ~NAMES_PAGE_DEPTH_MASK);
}

static inline unsigned
names_bucket_index(const struct names *t, uint64_t hash)
{
	return (unsigned)(hash >> NAMES_BUCKET_SHIFT) & t->bucket_mask;
}

static inline const uint8_t *
names_entry_name(const struct names_entry *e)
{
	return (const uint8_t *)e + e->name_off;
}

/* -------- reading, in stages, so that a burst can prefetch between them -------- */

/* Stage 1: where the directory word lies that names_bucket_of() will read. */
static inline const void *
names_directory_of(const struct names *t, uint64_t hash)
{
	uint32_t i = (uint32_t)hash & t->mask;
	return &t->top[i / NAMES_CHUNK_PAGES]->page[i % NAMES_CHUNK_PAGES];
}

/* Stage 2: the home bucket. */
static inline const struct names_bucket *
names_bucket_of(const struct names *t, uint64_t hash)
{
	return &names_page_of(t, hash)->bucket[names_bucket_index(t, hash)];
}

static inline bool
names_bucket_is_full(const struct names_bucket *b)
{
	return b->slot[NAMES_BUCKET_SLOTS - 1] != 0;
}

/* The bucket that a lookup goes on to where the home bucket is full. */
static inline const struct names_bucket *
names_bucket_after(const struct names *t, uint64_t hash)
{
	return &names_page_of(t, hash)->bucket[(names_bucket_index(t, hash) + 1) & t->bucket_mask];
}

/*
 * One bit for each slot whose tag fits; no branch until all eight are known. An empty slot fits tag 0: callers look
 * for the NULL.
 */
static inline unsigned
names_bucket_match(const struct names_bucket *b, uint64_t hash)
{
#if defined(__SSE4_1__)
	/* The tags of all eight words in one register: 6 cycles against 13 of the loop below. */
	const __m128i *slot = (const __m128i *)b->slot;
	__m128i low = _mm_packus_epi32(_mm_srli_epi64(slot[0], NAMES_TAG_SHIFT),
				       _mm_srli_epi64(slot[1], NAMES_TAG_SHIFT));
	__m128i high = _mm_packus_epi32(_mm_srli_epi64(slot[2], NAMES_TAG_SHIFT),
					_mm_srli_epi64(slot[3], NAMES_TAG_SHIFT));
	__m128i tags = _mm_packus_epi32(low, high);
	__m128i equal = _mm_cmpeq_epi16(tags, _mm_set1_epi16((short)(hash >> NAMES_TAG_SHIFT)));
	return (unsigned)_mm_movemask_epi8(_mm_packs_epi16(equal, equal)) & 0xff;
#else
	unsigned fits = 0;
#pragma GCC unroll 8
	for (unsigned i = 0; i < NAMES_BUCKET_SLOTS; i++)
		fits |= (unsigned)((b->slot[i] ^ hash) >> NAMES_TAG_SHIFT == 0) << i;
	return fits;
#endif
}

/* Stage 3: the first entry of the home bucket whose tag fits, or NULL: what to prefetch, nothing more. */
static inline const struct names_entry *
names_candidate(const struct names_bucket *bucket, uint64_t hash)
{
	unsigned fits = names_bucket_match(bucket, hash);
	if (fits == 0)
		return NULL;
	return (const struct names_entry *)(uintptr_t)(bucket->slot[__builtin_ctz(fits)] & NAMES_POINTER_MASK);
}

static inline bool
names_entry_is(const struct names_entry *e, uint64_t hash, const uint8_t *name, unsigned len)
{
	return e != NULL && e->hash == hash && e->name_len == len && octets_equal(names_entry_name(e), name, len);
}

/* The rest of names_find_from(), for the few that the candidate does not settle. */
const struct names_entry *names_find_on(const struct names *t, uint64_t hash, const uint8_t *name, unsigned len);

/* Stage 4: names_find() from the home bucket and what names_candidate() said of it, which is nearly always right.
 */
static inline const struct names_entry *
names_find_from(const struct names *t, const struct names_bucket *home, const struct names_entry *candidate,
		uint64_t hash, const uint8_t *name, unsigned len)
{
	if (likely(names_entry_is(candidate, hash, name, len)))
		return candidate;
	if (candidate == NULL && !names_bucket_is_full(home))
		return NULL; /* nothing went on to the next one */
	return names_find_on(t, hash, name, len);
}

/* The entry with this hash and name (lower case, `len` octets), or NULL. An empty table (top == NULL) has none. */
static inline const struct names_entry *
names_find(const struct names *t, uint64_t hash, const uint8_t *name, unsigned len)
{
	if (unlikely(t->top == NULL))
		return NULL;
	const struct names_bucket *home = names_bucket_of(t, hash);
	return names_find_from(t, home, names_candidate(home, hash), hash, name, len);
}

/* Visits every entry once, in no particular order; stops when visit() returns non-zero, and returns that. */
int names_walk(const struct names *t, int (*visit)(const struct names_entry *e, void *arg), void *arg);

/* As names_walk(), over the part-th of `parts` stretches of the table: together they are the whole of it. */
int names_walk_part(const struct names *t, size_t part, size_t parts,
		    int (*visit)(const struct names_entry *e, void *arg), void *arg);

/*
 * The same walk by steps of the caller's: for long readers that stop between two entries, to wait for a socket, and
 * go on later. The table must stay what it is in between, so whoever stops holds a reference on its owner; the
 * cursor holds nothing and needs no end. It may be copied: the copy goes on from the same place.
 */
struct names_cursor {
	const struct names *table;
	const struct names_page *page; /* of the next entry; NULL: none left */
	uint32_t at;                   /* directory index behind that page */
	uint32_t slot;                 /* in the page, its buckets counted through */
};

/* Stands before the first entry; the table is borrowed, and may be empty. Pure. */
void names_cursor_begin(struct names_cursor *c, const struct names *t);

/* The next entry, or NULL behind the last one, and again NULL after that. Pure. */
const struct names_entry *names_cursor_next(struct names_cursor *c);

/*
 * Places: each entry of one version of the table has a number below names_places(), for whoever keeps some bits a
 * name beside it. Not all numbers are in use: there are about as many as slots that the directory could lead to.
 */
uint64_t names_places(const struct names *t);

/* As names_find(); *place is the entry's, untouched where there is none. */
const struct names_entry *
names_find_place(const struct names *t, uint64_t hash, const uint8_t *name, unsigned len, uint64_t *place);

/* Place of the entry that names_cursor_next() has just returned. */
uint64_t names_cursor_place(const struct names_cursor *c);

/* As names_walk(), but passes over entries in pages that `other`, another version of the table, has as well. */
int names_walk_unshared(const struct names *t, const struct names *other,
			int (*visit)(const struct names_entry *e, void *arg), void *arg);

/* Bytes of pages, chunks and top. */
size_t names_bytes(const struct names *t);

/* -------- writing -------- */

struct names_txn;

/*
 * Opens a transaction on `base` (which may be the empty table, all zero). In an empty table `expected` entries are
 * made room for at once (0: none), which spares a bulk build most of its splits; other tables ignore it. NULL: out
 * of memory.
 */
struct names_txn *names_txn_begin(const struct names *base, uint64_t expected) MUST_CHECK;

/* As names_find(), in the transaction's own view. */
const struct names_entry *
names_txn_find(const struct names_txn *txn, uint64_t hash, const uint8_t *name, unsigned len);

/* What the transaction sees now, for lookups in stages. */
const struct names *names_txn_view(const struct names_txn *txn);

/*
 * Puts an entry in, in place of the one with the same name if there is one; that one is returned in *replaced (may
 * be NULL-pointed). The table keeps the pointer only; freeing a replaced entry is the caller's. 0, -ENOMEM, or
 * -ENOSPC when 128 other entries agree with this one in all 26 bits of the hash that a directory can use; after
 * either nothing has changed.
 */
int
names_txn_put(struct names_txn *txn, const struct names_entry *e, const struct names_entry **replaced) MUST_CHECK;

/*
 * Takes the entry of this name out; *removed (may be NULL-pointed) gets it, or NULL if there was none. Pages do not
 * merge: a table never gets smaller than it was at its largest. 0 or -ENOMEM (nothing changed).
 */
int names_txn_remove(struct names_txn *txn, uint64_t hash, const uint8_t *name, unsigned len,
		     const struct names_entry **removed) MUST_CHECK;

/*
 * For whoever puts or removes many: fetches what that will read and copy, in two steps with some other names
 * between them. First where the page is said, then the page, all of it.
 */
void names_txn_prefetch_word(const struct names_txn *txn, uint64_t hash);
void names_txn_prefetch_page(const struct names_txn *txn, uint64_t hash);

/*
 * Ends the transaction: *out becomes the new table, *garbage what the base alone still uses (to be freed after
 * a grace period). `out` may be what the transaction began with as its base. Cannot fail. Consumes txn.
 */
void names_txn_commit(struct names_txn *txn, struct names *out, struct garbage *garbage);

/* Ends the transaction and frees all that it had made; the base is as it was. Entries are the caller's. */
void names_txn_abort(struct names_txn *txn);

/* Frees pages, chunks and top of a table that nobody reads any more; not the entries. */
void names_free(struct names *t);

/*
 * Frees of a table that nobody has read what `base`, which it was made from in one transaction, does not use:
 * undoes a commit. Reads both directories.
 */
void names_free_unshared(struct names *t, const struct names *base);

#endif
