/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The names table: transactions. See names.h for the contract and docs/design/names-table.md for the pictures.
 *
 * The transaction's copy of top[] is its own from the start. Which chunks and pages are its own as well stands in a
 * shadow of top[]: one bitmap per own chunk. What has no bit is the base's and is copied before it is written.
 * Every step leaves a well-formed table with the same entries in it, so running out of memory between two steps
 * needs no undoing.
 *
 * One builder thread; what the base's readers see is never written.
 */
#include <assert.h>
#include <errno.h>

#include "zones/base/alloc.h"
#include "zones/store/names_private.h"

/*
 * An entry lies at most so many buckets from its home, that one counted, unless no split would help. Measured in
 * docs/design/names-table.md: fewer cost memory, more cost misses.
 */
#define REACH 6

/* The chunks of its own that a transaction has: a bit for each page that is its own, too. */
struct own {
	uint64_t page[NAMES_CHUNK_PAGES / 64];
};

struct names_txn {
	struct names view;      /* what the transaction sees; the top is its own */
	struct own **own;       /* beside view.top: NULL where the chunk is the base's */
	struct garbage garbage; /* what it has replaced, with room reserved before each replacement */
};

/* -------- copy before write -------- */

/* Sets a chunk and its shadow at all places that agree with `place` in the low `depth` bits. */
static void
chunk_place(struct names_txn *txn, uint32_t place, unsigned depth, struct names_chunk *chunk, struct own *own)
{
	for (uint32_t p = place & low_bits(depth); p < top_len(&txn->view); p += UINT32_C(1) << depth) {
		txn->view.top[p] = chunk;
		txn->own[p] = own;
	}
}

/* A chunk and its shadow, contents undefined. */
static int
chunk_alloc(size_t bytes, struct names_chunk **chunk, struct own **own)
{
	*chunk = zalloc(bytes, 0);
	*own = zalloc(sizeof(**own), 0);
	if (*chunk != NULL && *own != NULL)
		return 0;
	zalloc_free(*chunk, bytes);
	zalloc_free(*own, sizeof(**own));
	*chunk = NULL;
	*own = NULL;
	return -ENOMEM;
}

static int
chunk_own(struct names_txn *txn, uint32_t place)
{
	struct names_chunk *chunk, *base = txn->view.top[place];
	struct own *own;
	size_t bytes = chunk_bytes(&txn->view);
	if (txn->own[place] != NULL)
		return 0;
	if (garbage_reserve(&txn->garbage, 1) != 0 || chunk_alloc(bytes, &chunk, &own) != 0)
		return -ENOMEM;
	memcpy(chunk, base, bytes);
	memset(own, 0, sizeof(*own));
	chunk_place(txn, place, chunk_depth(&txn->view, place), chunk, own);
	garbage_add(&txn->garbage, base, bytes);
	return 0;
}

static inline bool
page_is_own(const struct own *own, uint32_t i)
{
	return own != NULL && (own->page[i / 64] >> i % 64 & 1) != 0;
}

/* The places in top[] whose chunks hold a page: from page_first_place() on, by steps of page_place_step(). */
static inline uint32_t
page_first_place(uint32_t index, unsigned depth)
{
	return (index & low_bits(depth)) >> CHUNK_BITS;
}

static inline uint32_t
page_place_step(unsigned depth)
{
	return UINT32_C(1) << (depth > CHUNK_BITS ? depth - CHUNK_BITS : 0);
}

/* Sets an own page at all indices that agree with `index` in the low `depth` bits; their chunks are own ones. */
static void
page_place(struct names_txn *txn, uint32_t index, unsigned depth, struct names_page *page)
{
	unsigned chunk_bits = depth < CHUNK_BITS ? depth : CHUNK_BITS;
	for (uint32_t p = page_first_place(index, depth); p < top_len(&txn->view); p += page_place_step(depth)) {
		if (!chunk_is_first(&txn->view, p))
			continue;
		for (uint32_t i = index & low_bits(chunk_bits); i < chunk_len(&txn->view);
		     i += UINT32_C(1) << chunk_bits) {
			txn->view.top[p]->page[i] = (uintptr_t)page | depth;
			txn->own[p]->page[i / 64] |= UINT64_C(1) << i % 64;
		}
	}
}

/* Makes the page at this index the transaction's own, and with it every chunk that it stands in. */
static int
page_own(struct names_txn *txn, uint32_t index, struct names_page **out)
{
	uintptr_t word = page_word(&txn->view, index);
	unsigned depth = word & NAMES_PAGE_DEPTH_MASK;
	struct names_page *page, *base = page_of_word(word);
	size_t bytes = page_bytes(&txn->view);
	if (page_is_own(txn->own[index / NAMES_CHUNK_PAGES], index % NAMES_CHUNK_PAGES)) {
		*out = base;
		return 0;
	}
	for (uint32_t p = page_first_place(index, depth); p < top_len(&txn->view); p += page_place_step(depth))
		if (chunk_own(txn, p) != 0)
			return -ENOMEM;
	if (garbage_reserve(&txn->garbage, 1) != 0 || (page = zalloc(bytes, CACHE_LINE)) == NULL)
		return -ENOMEM;
	memcpy(page, base, bytes);
	page_place(txn, index, depth, page);
	garbage_add(&txn->garbage, base, bytes);
	*out = page;
	return 0;
}

/* -------- growth -------- */

/* Doubles the one page of a small table; it is an own one. */
static int
page_widen(struct names_txn *txn)
{
	struct names *view = &txn->view;
	struct names_page *page, *old = page_of_word(page_word(view, 0));
	size_t old_bytes = page_bytes(view);
	unsigned old_slots = page_slots(view);
	page = zalloc(2 * old_bytes, CACHE_LINE);
	if (page == NULL)
		return -ENOMEM;
	memset(page, 0, 2 * old_bytes);
	view->bucket_mask = (uint8_t)(2 * view->bucket_mask + 1);
	names_page_spread(view, old, old_slots, 0, page, page);
	page_place(txn, 0, 0, page);
	zalloc_free(old, old_bytes);
	return 0;
}

/* Doubles the one chunk of a small table; it is an own one. */
static int
chunk_widen(struct names_txn *txn)
{
	struct names_chunk *chunk, *old = txn->view.top[0];
	struct own *own, *old_own = txn->own[0];
	uint32_t len = chunk_len(&txn->view);
	if (chunk_alloc(2 * chunk_bytes(&txn->view), &chunk, &own) != 0)
		return -ENOMEM;
	memset(own, 0, sizeof(*own));
	for (uint32_t i = 0; i < 2 * len; i++) {
		chunk->page[i] = old->page[i % len];
		own->page[i / 64] |= (uint64_t)page_is_own(old_own, i % len) << i % 64;
	}
	txn->view.top[0] = chunk;
	txn->own[0] = own;
	zalloc_free(old, chunk_bytes(&txn->view));
	zalloc_free(old_own, sizeof(*old_own));
	return 0;
}

/* Allocates a top and its shadow of `len` places, all NULL. */
static int
top_alloc(uint32_t len, struct names_chunk ***top, struct own ***own)
{
	*top = zalloc(len * sizeof(**top), 0);
	*own = zalloc(len * sizeof(**own), 0);
	if (*top != NULL && *own != NULL) {
		memset(*top, 0, len * sizeof(**top));
		memset(*own, 0, len * sizeof(**own));
		return 0;
	}
	zalloc_free(*top, len * sizeof(**top));
	zalloc_free(*own, len * sizeof(**own));
	*top = NULL;
	*own = NULL;
	return -ENOMEM;
}

/* Doubles top[]; both halves share their chunks. */
static int
top_double(struct names_txn *txn)
{
	uint32_t len = top_len(&txn->view);
	struct names_chunk **top;
	struct own **own;
	if (top_alloc(2 * len, &top, &own) != 0)
		return -ENOMEM;
	for (uint32_t p = 0; p < 2 * len; p++) {
		top[p] = txn->view.top[p % len];
		own[p] = txn->own[p % len];
	}
	zalloc_free(txn->view.top, len * sizeof(*top));
	zalloc_free(txn->own, len * sizeof(*own));
	txn->view.top = top;
	txn->own = own;
	return 0;
}

static int
directory_double(struct names_txn *txn)
{
	int rc = txn->view.depth < CHUNK_BITS ? chunk_widen(txn) : top_double(txn);
	if (rc != 0)
		return rc;
	txn->view.depth++;
	txn->view.mask = low_bits(txn->view.depth);
	return 0;
}

/* Gives the upper half of an own chunk's places a chunk of their own, as yet with the same pages. */
static int
chunk_split(struct names_txn *txn, uint32_t place)
{
	unsigned depth = chunk_depth(&txn->view, place);
	struct names_chunk *chunk;
	struct own *own;
	assert(depth < top_bits(&txn->view));
	if (chunk_alloc(chunk_bytes(&txn->view), &chunk, &own) != 0)
		return -ENOMEM;
	memcpy(chunk, txn->view.top[place], chunk_bytes(&txn->view));
	memcpy(own, txn->own[place], sizeof(*own));
	chunk_place(txn, place | UINT32_C(1) << depth, depth + 1, chunk, own);
	return 0;
}

/* Splits the own page at this index in two by the next bit of the hash. */
static int
page_split(struct names_txn *txn, uint32_t index)
{
	uintptr_t word = page_word(&txn->view, index);
	unsigned depth = word & NAMES_PAGE_DEPTH_MASK;
	uint32_t place = index / NAMES_CHUNK_PAGES;
	struct names_page *page = page_of_word(word), *upper, old;
	assert(depth < DEPTH_MAX && txn->view.bucket_mask == NAMES_PAGE_BUCKETS - 1);
	if (depth == txn->view.depth && directory_double(txn) != 0)
		return -ENOMEM;
	if (depth >= CHUNK_BITS && depth - CHUNK_BITS == chunk_depth(&txn->view, place) &&
	    chunk_split(txn, place) != 0)
		return -ENOMEM;
	upper = zalloc(sizeof(*upper), CACHE_LINE);
	if (upper == NULL)
		return -ENOMEM;
	old = *page;
	memset(page, 0, sizeof(*page));
	memset(upper, 0, sizeof(*upper));
	names_page_spread(&txn->view, &old, page_slots(&txn->view), depth, page, upper);
	page_place(txn, index & low_bits(depth), depth + 1, page);
	page_place(txn, index | UINT32_C(1) << depth, depth + 1, upper);
	return 0;
}

/* -------- transactions -------- */

/*
 * Makes one page so wide, and then splits it so often, that `expected` entries would fit if they fell evenly. Pages
 * that get more split later: to split all for the sake of those would cost memory that growing entry by entry does
 * not.
 */
static int
txn_make_room(struct names_txn *txn, uint64_t expected)
{
	while (txn->view.bucket_mask < NAMES_PAGE_BUCKETS - 1 && expected > page_slots(&txn->view))
		if (page_widen(txn) != 0)
			return -ENOMEM;
	for (unsigned depth = 0; depth < DEPTH_MAX && expected >> depth > page_slots(&txn->view); depth++)
		for (uint32_t index = 0; index <= low_bits(depth); index++)
			if (page_split(txn, index) != 0)
				return -ENOMEM;
	return 0;
}

/* Starts from nothing: one page of one empty bucket. */
static int
txn_start_empty(struct names_txn *txn, uint64_t expected)
{
	struct names_page *page;
	if (top_alloc(1, &txn->view.top, &txn->own) != 0)
		return -ENOMEM;
	if (chunk_alloc(chunk_bytes(&txn->view), &txn->view.top[0], &txn->own[0]) != 0)
		return -ENOMEM;
	memset(txn->own[0], 0, sizeof(*txn->own[0]));
	page = zalloc(page_bytes(&txn->view), CACHE_LINE);
	if (page == NULL)
		return -ENOMEM;
	memset(page, 0, page_bytes(&txn->view));
	page_place(txn, 0, 0, page);
	return txn_make_room(txn, expected);
}

static int
txn_start_copy(struct names_txn *txn, const struct names *base)
{
	size_t bytes = top_len(base) * sizeof(*base->top);
	struct names_chunk **top;
	if (garbage_reserve(&txn->garbage, 1) != 0 || top_alloc(top_len(base), &top, &txn->own) != 0)
		return -ENOMEM;
	memcpy(top, base->top, bytes);
	txn->view = *base;
	txn->view.top = top;
	garbage_add(&txn->garbage, base->top, bytes);
	return 0;
}

struct names_txn *
names_txn_begin(const struct names *base, uint64_t expected)
{
	struct names_txn *txn = zalloc(sizeof(*txn), 0);
	if (txn == NULL)
		return NULL;
	*txn = (struct names_txn){0};
	int rc = base->top == NULL ? txn_start_empty(txn, expected) : txn_start_copy(txn, base);
	if (rc == 0)
		return txn;
	names_txn_abort(txn);
	return NULL;
}

const struct names_entry *
names_txn_find(const struct names_txn *txn, uint64_t hash, const uint8_t *name, unsigned len)
{
	return names_find(&txn->view, hash, name, len);
}

void
names_txn_prefetch_word(const struct names_txn *txn, uint64_t hash)
{
	prefetch(names_directory_of(&txn->view, hash));
}

void
names_txn_prefetch_page(const struct names_txn *txn, uint64_t hash)
{
	const struct names_page *page = names_page_of(&txn->view, hash);
	for (unsigned i = 0; i <= txn->view.bucket_mask; i++)
		prefetch(&page->bucket[i]);
}

const struct names *
names_txn_view(const struct names_txn *txn)
{
	return &txn->view;
}

/* Puts in an entry whose name is not there yet. */
static int
txn_add(struct names_txn *txn, const struct names_entry *e)
{
	for (;;) {
		uint32_t index = (uint32_t)e->hash & txn->view.mask;
		struct names_page *page;
		if (page_own(txn, index, &page) != 0)
			return -ENOMEM;
		if (names_page_insert(&txn->view, page, e, REACH))
			break;
		bool small = txn->view.bucket_mask < NAMES_PAGE_BUCKETS - 1;
		if (!small && !names_page_should_split(page, e->hash)) {
			if (!names_page_insert(&txn->view, page, e, NAMES_PAGE_BUCKETS))
				return -ENOSPC;
			break;
		}
		if ((small ? page_widen(txn) : page_split(txn, index)) != 0)
			return -ENOMEM;
	}
	txn->view.count++;
	return 0;
}

/* Makes the page with this name the transaction's own; returns the number of its slot there, -ENOENT or -ENOMEM. */
static int
txn_own_slot(struct names_txn *txn, uint64_t hash, const uint8_t *name, unsigned len, struct names_page **page)
{
	const uint64_t *slot = names_page_find(&txn->view, hash, name, len);
	if (slot == NULL)
		return -ENOENT;
	int at = (int)(slot - page_slot(names_page_of(&txn->view, hash), 0));
	return page_own(txn, (uint32_t)hash & txn->view.mask, page) == 0 ? at : -ENOMEM;
}

int
names_txn_put(struct names_txn *txn, const struct names_entry *e, const struct names_entry **replaced)
{
	struct names_page *page;
	int at = txn_own_slot(txn, e->hash, names_entry_name(e), e->name_len, &page);
	if (at == -ENOMEM)
		return at;
	const struct names_entry *old = NULL;
	if (at >= 0) {
		old = slot_entry(*page_slot(page, (unsigned)at));
		names_page_replace(page, (unsigned)at, e);
	} else {
		int rc = txn_add(txn, e);
		if (rc != 0)
			return rc;
	}
	if (replaced != NULL)
		*replaced = old;
	return 0;
}

int
names_txn_remove(struct names_txn *txn, uint64_t hash, const uint8_t *name, unsigned len,
		 const struct names_entry **removed)
{
	struct names_page *page;
	const struct names_entry *old = NULL;
	int at = txn_own_slot(txn, hash, name, len, &page);
	if (at == -ENOMEM)
		return at;
	if (at >= 0) {
		old = slot_entry(*page_slot(page, (unsigned)at));
		names_page_remove(&txn->view, page, (unsigned)at);
		txn->view.count--;
	}
	if (removed != NULL)
		*removed = old;
	return 0;
}

void
names_txn_commit(struct names_txn *txn, struct names *out, struct garbage *garbage)
{
	for (uint32_t p = 0; p < top_len(&txn->view); p++)
		if (chunk_is_first(&txn->view, p))
			zalloc_free(txn->own[p], sizeof(*txn->own[p]));
	zalloc_free(txn->own, top_len(&txn->view) * sizeof(*txn->own));
	*out = txn->view;
	*garbage = txn->garbage;
	zalloc_free(txn, sizeof(*txn));
}

/* Frees an own chunk with its own pages. */
static void
chunk_abort(struct names_txn *txn, uint32_t place)
{
	struct names_chunk *chunk = txn->view.top[place];
	struct own *own = txn->own[place];
	for (uint32_t i = 0; i < chunk_len(&txn->view); i++)
		if (page_is_own(own, i) && page_is_first(place * NAMES_CHUNK_PAGES + i, chunk->page[i]))
			zalloc_free(page_of_word(chunk->page[i]), page_bytes(&txn->view));
	zalloc_free(chunk, chunk_bytes(&txn->view));
	zalloc_free(own, sizeof(*own));
}

void
names_txn_abort(struct names_txn *txn)
{
	uint32_t len = top_len(&txn->view);
	for (uint32_t p = 0; txn->own != NULL && p < len; p++)
		if (txn->own[p] != NULL && chunk_is_first(&txn->view, p))
			chunk_abort(txn, p);
	if (txn->own != NULL) {
		zalloc_free(txn->view.top, len * sizeof(*txn->view.top));
		zalloc_free(txn->own, len * sizeof(*txn->own));
	}
	garbage_drop(&txn->garbage);
	zalloc_free(txn, sizeof(*txn));
}

void
names_free(struct names *t)
{
	struct names_page *page;
	if (t->top == NULL)
		return;
	for (uint32_t at = 0; (page = names_next_page(t, &at)) != NULL;)
		zalloc_free(page, page_bytes(t));
	for (uint32_t place = 0; place < top_len(t); place++)
		if (chunk_is_first(t, place))
			zalloc_free(t->top[place], chunk_bytes(t));
	zalloc_free(t->top, top_len(t) * sizeof(*t->top));
	*t = (struct names){0};
}

void
names_free_unshared(struct names *t, const struct names *base)
{
	struct names_page *page;
	for (uint32_t at = 0; (page = names_next_page(t, &at)) != NULL;)
		if (!page_is_in(base, at - 1, page))
			zalloc_free(page, page_bytes(t));
	for (uint32_t place = 0; place < top_len(t); place++)
		if (chunk_is_first(t, place) && base->top[place & (top_len(base) - 1)] != t->top[place])
			zalloc_free(t->top[place], chunk_bytes(t));
	zalloc_free(t->top, top_len(t) * sizeof(*t->top));
	*t = (struct names){0};
}
