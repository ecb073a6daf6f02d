/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ordered tree: building and transactions. See order.h for the contract, order_private.h for the rules and
 * docs/design/ordered-tree.md for the pictures.
 *
 * A change goes in three parts: find the way from the root to the leaf; count the pages that it may need and
 * reserve them; then change, which cannot fail. What was reserved and not used serves the next change. So a
 * transaction that has run out of memory is as it was before the call.
 *
 * A page belongs to the transaction exactly when it has its generation, which is one more than that of the base's
 * root and thereby greater than that of any page of the base.
 *
 * One builder thread; what the base's readers see is never written.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "zones/base/alloc.h"
#include "zones/store/order_private.h"

/* Entries of a page in a fresh tree: seven full groups, and room for a few changes before pages begin to split. */
#define BUILD_FILL 56

/* Two neighbours merge when they have so many entries at most: not so many that the next few changes split them
 * again. */
#define MERGE_MAX 48

/* A change copies, or makes, at most two pages on each level, and one root. */
#define SPARE_MAX (2 * ORDER_HEIGHT_MAX + 1)

/* One page of the way from the root to a leaf. */
struct stop {
	struct order_page *page;
	unsigned at; /* the entry by which the way goes on; in the leaf, the last entry that is not greater */
};

struct order_txn {
	struct order view; /* what the transaction sees */
	uint64_t generation;
	struct garbage garbage; /* what it has replaced, with room reserved before each change */
	struct order_page *spare[SPARE_MAX];
	unsigned spares;
	struct stop way[ORDER_HEIGHT_MAX]; /* of the change at hand: root first */
	bool before_all;                   /* all keys are greater than the one at hand */
};

/* -------- entries of one page -------- */

static void
page_init(struct order_page *page, uint64_t generation)
{
	page->generation = generation;
	page->count = 0;
	for (unsigned i = 0; i < ORDER_ENTRIES; i++)
		page->prefix[i] = ORDER_NO_PREFIX;
}

/* Repeats the first prefix of each group but the first; to be called after each change of prefixes. */
static void
page_set_pivots(struct order_page *page)
{
	for (unsigned i = 0; i < ORDER_PIVOTS; i++)
		page->pivot[i] = page->prefix[(i + 1) * ORDER_GROUP];
}

/* Where the words of `n` entries from `at` on lie. */
static uintptr_t *
page_words(struct order_page *page, unsigned at, unsigned n)
{
	return &page->word[ORDER_ENTRIES - at - n];
}

static void
page_set_prefix(struct order_page *page, unsigned at, uint64_t prefix)
{
	page->prefix[at] = prefix;
	page_set_pivots(page);
}

static void
page_set_word(struct order_page *page, unsigned at, uintptr_t word)
{
	*page_words(page, at, 1) = word;
}

/* Moves the entries from `from` on, `n` of them, to `to`. */
static void
page_shift(struct order_page *page, unsigned from, unsigned n, unsigned to)
{
	memmove(&page->prefix[to], &page->prefix[from], n * sizeof(page->prefix[0]));
	memmove(page_words(page, to, n), page_words(page, from, n), n * sizeof(page->word[0]));
}

static void
page_insert(struct order_page *page, unsigned at, uint64_t prefix, uintptr_t word)
{
	assert(page->count < ORDER_ENTRIES && at <= page->count);
	page_shift(page, at, page->count - at, at + 1);
	page->count++;
	page_set_word(page, at, word);
	page_set_prefix(page, at, prefix);
}

/* Takes `n` entries out, from `at` on. */
static void
page_cut(struct order_page *page, unsigned at, unsigned n)
{
	assert(at + n <= page->count);
	page_shift(page, at + n, page->count - at - n, at);
	page->count -= n;
	for (unsigned i = page->count; i < page->count + n; i++)
		page->prefix[i] = ORDER_NO_PREFIX;
	page_set_pivots(page);
}

/* Moves `n` entries out of `from`, from `from_at` on, into `to` before its entry `at`. */
static void
page_move(struct order_page *to, unsigned at, struct order_page *from, unsigned from_at, unsigned n)
{
	assert(to->count + n <= ORDER_ENTRIES);
	page_shift(to, at, to->count - at, at + n);
	memcpy(&to->prefix[at], &from->prefix[from_at], n * sizeof(to->prefix[0]));
	memcpy(page_words(to, at, n), page_words(from, from_at, n), n * sizeof(to->word[0]));
	to->count += n;
	page_set_pivots(to);
	page_cut(from, from_at, n);
}

/* Frees a page and, as it is, all below it. */
static void
page_free(struct order_page *page, unsigned below)
{
	for (unsigned i = 0; below > 0 && i < page->count; i++)
		page_free(order_child(page, i), below - 1);
	zalloc_free(page, sizeof(*page));
}

/* -------- building -------- */

/* Frees the trees of this height at the first `n` items, and the list of `cap` items itself. */
static void
level_free(struct order_item *level, size_t n, size_t cap, unsigned height)
{
	for (size_t i = 0; i < n; i++)
		page_free((struct order_page *)(uintptr_t)level[i].object, height - 1);
	zalloc_free(level, cap * sizeof(*level));
}

/* Spreads `n` items evenly over `pages` pages, which become the items of the level above. NULL: out of memory. */
static struct order_item *
level_raise(const struct order_item *items, size_t n, size_t pages)
{
	struct order_item *level = zalloc(pages * sizeof(*level), 0);
	for (size_t k = 0; level != NULL && k < pages; k++) {
		unsigned count = (unsigned)(n / pages + (k < n % pages));
		struct order_page *page = zalloc(sizeof(*page), CACHE_LINE);
		if (page == NULL) {
			level_free(level, k, pages, 1);
			return NULL;
		}
		page_init(page, 0);
		level[k] = (struct order_item){items->prefix, page};
		for (unsigned i = 0; i < count; i++, items++) {
			page->prefix[i] = items->prefix;
			page_set_word(page, i, (uintptr_t)items->object);
		}
		page->count = count;
		page_set_pivots(page);
	}
	return level;
}

int
order_build(const struct order_item *items, size_t n, order_compare *compare, struct order *out)
{
	struct order built = {.compare = compare, .count = n};
	struct order_item *level = NULL;
	size_t below = n, pages = 0;
	while (n > 0 && pages != 1) {
		pages = (below + BUILD_FILL - 1) / BUILD_FILL;
		struct order_item *above = level_raise(level != NULL ? level : items, below, pages);
		if (above == NULL) {
			if (level != NULL)
				level_free(level, below, below, built.height);
			return -ENOMEM;
		}
		if (level != NULL)
			zalloc_free(level, below * sizeof(*level));
		level = above;
		below = pages;
		built.height++;
	}
	if (n > 0)
		built.root = level->object;
	zalloc_free(level, pages * sizeof(*level));
	*out = built;
	return 0;
}

void
order_free(struct order *o)
{
	if (o->root != NULL)
		page_free((struct order_page *)(uintptr_t)o->root, o->height - 1u);
	*o = (struct order){.compare = o->compare};
}

/* -------- what can fail: before the change -------- */

/* Reserves what a change needs: so many pages, and room for so many that it replaces. */
static int
txn_reserve(struct order_txn *txn, unsigned pages, unsigned replaced)
{
	assert(pages <= SPARE_MAX);
	for (; txn->spares < pages; txn->spares++) {
		txn->spare[txn->spares] = zalloc(sizeof(struct order_page), CACHE_LINE);
		if (txn->spare[txn->spares] == NULL)
			return -ENOMEM;
	}
	return garbage_reserve(&txn->garbage, replaced);
}

static inline bool
page_is_own(const struct order_txn *txn, const struct order_page *page)
{
	return page->generation == txn->generation;
}

/* Pages on the way that a change has to copy. */
static unsigned
way_foreign(const struct order_txn *txn)
{
	unsigned n = 0;
	for (unsigned level = 0; level < txn->view.height; level++)
		n += !page_is_own(txn, txn->way[level].page);
	return n;
}

/* -------- what cannot fail -------- */

static struct order_page *
txn_spare(struct order_txn *txn)
{
	assert(txn->spares > 0);
	return txn->spare[--txn->spares];
}

static struct order_page *
txn_new_page(struct order_txn *txn)
{
	struct order_page *page = txn_spare(txn);
	page_init(page, txn->generation);
	return page;
}

/* A page that the view has no use for any more: nobody saw it if it is an own one. */
static void
txn_discard(struct order_txn *txn, struct order_page *page)
{
	if (page_is_own(txn, page)) {
		zalloc_free(page, sizeof(*page));
		return;
	}
	garbage_add(&txn->garbage, page, sizeof(*page));
}

/* The page itself if it is an own one, else a copy of it. */
static struct order_page *
page_own(struct order_txn *txn, struct order_page *page)
{
	if (page_is_own(txn, page))
		return page;
	struct order_page *copy = txn_spare(txn);
	*copy = *page;
	copy->generation = txn->generation;
	txn_discard(txn, page);
	return copy;
}

/* Makes a child of an own page an own one, too. */
static struct order_page *
child_own(struct order_txn *txn, struct order_page *parent, unsigned at)
{
	struct order_page *child = page_own(txn, order_child(parent, at));
	page_set_word(parent, at, (uintptr_t)child);
	return child;
}

/* -------- the way -------- */

/* Finds the way to where a key is or would be. True if an object with this key is there, at the way's end. */
static bool
way_find(struct order_txn *txn, uint64_t prefix, const void *key)
{
	const struct order *o = &txn->view;
	struct order_page *page = (struct order_page *)(uintptr_t)o->root;
	int at = -1;
	for (unsigned level = 0; level < o->height; level++) {
		unsigned below = o->height - 1u - level;
		at = order_page_floor(o, page, below, prefix, key);
		txn->way[level] = (struct stop){page, at > 0 ? (unsigned)at : 0};
		if (below > 0)
			page = order_child(page, txn->way[level].at);
	}
	txn->before_all = at < 0;
	return at >= 0 && page->prefix[at] == prefix &&
	       o->compare((const void *)order_word(page, (unsigned)at), key) == 0;
}

/* Makes all pages on the way own ones, and returns the leaf. */
static struct stop *
way_own(struct order_txn *txn)
{
	struct stop *stop = txn->way;
	stop->page = page_own(txn, stop->page);
	txn->view.root = stop->page;
	for (unsigned level = 1; level < txn->view.height; level++, stop++)
		stop[1].page = child_own(txn, stop->page, stop->at);
	return stop;
}

/* The first key under the page at `level` has another prefix now: tells the pages above, as far as it is their
 * first, too. */
static void
way_tell_prefix(struct order_txn *txn, unsigned level, uint64_t prefix)
{
	while (level-- > 0) {
		page_set_prefix(txn->way[level].page, txn->way[level].at, prefix);
		if (txn->way[level].at > 0)
			return;
	}
}

/* -------- putting in -------- */

/* Puts a new root above the old one and its new neighbour. */
static void
root_raise(struct order_txn *txn, struct order_page *right)
{
	struct order_page *left = txn->way[0].page, *root = txn_new_page(txn);
	page_insert(root, 0, left->prefix[0], (uintptr_t)left);
	page_insert(root, 1, right->prefix[0], (uintptr_t)right);
	txn->view.root = root;
	txn->view.height++;
	assert(txn->view.height <= ORDER_HEIGHT_MAX);
}

/* Inserts into a page, or into one of its halves; returns the upper half if it had to be split, or NULL. */
static struct order_page *
page_insert_or_split(struct order_txn *txn, struct order_page *page, unsigned at, uint64_t prefix, uintptr_t word)
{
	if (page->count < ORDER_ENTRIES) {
		page_insert(page, at, prefix, word);
		return NULL;
	}
	unsigned half = ORDER_ENTRIES / 2;
	struct order_page *right = txn_new_page(txn);
	page_move(right, 0, page, half, ORDER_ENTRIES - half);
	if (at <= half)
		page_insert(page, at, prefix, word);
	else
		page_insert(right, at - half, prefix, word);
	return right;
}

/* Inserts at the end of the way, which is own, and on each level above that gets a page more. */
static void
way_insert(struct order_txn *txn, uint64_t prefix, const void *object)
{
	uintptr_t word = (uintptr_t)object;
	unsigned level = txn->view.height;
	bool in_front = txn->before_all;
	if (in_front)
		way_tell_prefix(txn, level - 1, prefix);
	while (level-- > 0) {
		const struct stop *stop = &txn->way[level];
		struct order_page *right =
			page_insert_or_split(txn, stop->page, in_front ? 0 : stop->at + 1, prefix, word);
		if (right == NULL)
			return;
		in_front = false;
		prefix = right->prefix[0];
		word = (uintptr_t)right;
	}
	root_raise(txn, (struct order_page *)word);
}

/* Pages that an insertion at the end of the way adds. */
static unsigned
way_splits(const struct order_txn *txn)
{
	unsigned level = txn->view.height, n = 0;
	for (; level > 0 && txn->way[level - 1].page->count == ORDER_ENTRIES; level--)
		n++;
	return level == 0 ? n + 1 : n; /* the new root, which may be the first one */
}

int
order_txn_put(struct order_txn *txn, uint64_t prefix, const void *key, const void *object, const void **replaced)
{
	const void *old = NULL;
	bool found = way_find(txn, prefix, key);
	unsigned copies = way_foreign(txn), splits = found ? 0 : way_splits(txn);
	assert(object != NULL);
	if (txn_reserve(txn, copies + splits, copies) != 0)
		return -ENOMEM;
	if (found) {
		const struct stop *leaf = way_own(txn);
		old = (const void *)order_word(leaf->page, leaf->at);
		page_set_word(leaf->page, leaf->at, (uintptr_t)object);
	} else if (txn->view.height == 0) {
		struct order_page *root = txn_new_page(txn);
		page_insert(root, 0, prefix, (uintptr_t)object);
		txn->view.root = root;
		txn->view.height = 1;
	} else {
		way_own(txn);
		way_insert(txn, prefix, object);
	}
	txn->view.count += !found;
	if (replaced != NULL)
		*replaced = old;
	return 0;
}

/* -------- taking out -------- */

/* Shares the entries of two neighbours out evenly. */
static void
pages_balance(struct order_page *left, struct order_page *right)
{
	unsigned half = (unsigned)(left->count + right->count) / 2;
	if (left->count < half)
		page_move(left, left->count, right, 0, half - left->count);
	else
		page_move(right, 0, left, half, left->count - half);
}

/* A page on the way has too few entries: merges it with a neighbour, or takes some of the neighbour's. */
static void
way_fill_up(struct order_txn *txn, unsigned level)
{
	struct order_page *parent = txn->way[level - 1].page;
	unsigned at = txn->way[level - 1].at > 0 ? txn->way[level - 1].at - 1 : 0;
	struct order_page *left = child_own(txn, parent, at), *right = child_own(txn, parent, at + 1);
	if (left->count + right->count > MERGE_MAX) {
		pages_balance(left, right);
		page_set_prefix(parent, at + 1, right->prefix[0]);
		return;
	}
	page_move(left, left->count, right, 0, right->count);
	page_cut(parent, at + 1, 1);
	txn_discard(txn, right);
}

/* A root that has one child, or nothing, goes. */
static void
root_lower(struct order_txn *txn)
{
	struct order_page *root = txn->way[0].page;
	bool is_leaf = txn->view.height == 1;
	if (root->count > (is_leaf ? 0 : 1))
		return;
	txn->view.root = is_leaf ? NULL : order_child(root, 0);
	txn->view.height--;
	txn_discard(txn, root);
}

/* Takes out the entry at the end of the way, which is own. */
static void
way_remove(struct order_txn *txn)
{
	unsigned level = txn->view.height - 1u;
	const struct stop *leaf = &txn->way[level];
	page_cut(leaf->page, leaf->at, 1);
	if (leaf->at == 0)
		way_tell_prefix(txn, level, leaf->page->prefix[0]);
	for (; level > 0 && txn->way[level].page->count < ORDER_ENTRIES_MIN; level--)
		way_fill_up(txn, level);
	root_lower(txn);
}

/* Neighbours that a removal at the end of the way may have to change, at most. */
static unsigned
way_neighbours(const struct order_txn *txn)
{
	unsigned n = 0;
	for (unsigned level = txn->view.height; level > 1 && txn->way[level - 1].page->count <= ORDER_ENTRIES_MIN;
	     level--)
		n++;
	return n;
}

int
order_txn_remove(struct order_txn *txn, uint64_t prefix, const void *key, const void **removed)
{
	const void *old = NULL;
	if (way_find(txn, prefix, key)) {
		unsigned pages = way_foreign(txn) + way_neighbours(txn);
		if (txn_reserve(txn, pages, pages) != 0)
			return -ENOMEM;
		const struct stop *leaf = way_own(txn);
		old = (const void *)order_word(leaf->page, leaf->at);
		way_remove(txn);
		txn->view.count--;
	}
	if (removed != NULL)
		*removed = old;
	return 0;
}

/* -------- transactions -------- */

struct order_txn *
order_txn_begin(const struct order *base)
{
	struct order_txn *txn = zalloc(sizeof(*txn), 0);
	if (txn == NULL)
		return NULL;
	*txn = (struct order_txn){.view = *base, .generation = 1};
	if (base->root != NULL)
		txn->generation = base->root->generation + 1u;
	return txn;
}

/* Frees the transaction but for its view and its list of garbage. */
static void
txn_close(struct order_txn *txn)
{
	while (txn->spares > 0)
		zalloc_free(txn_spare(txn), sizeof(struct order_page));
	zalloc_free(txn, sizeof(*txn));
}

void
order_txn_commit(struct order_txn *txn, struct order *out, struct garbage *garbage)
{
	*out = txn->view;
	*garbage = txn->garbage;
	txn_close(txn);
}

/* Frees the pages of this generation at and under this one; what they do not lead to is the base's. */
static void
generation_free(uint64_t generation, struct order_page *page, unsigned below)
{
	if (page->generation != generation)
		return;
	for (unsigned i = 0; below > 0 && i < page->count; i++)
		generation_free(generation, order_child(page, i), below - 1);
	zalloc_free(page, sizeof(*page));
}

void
order_txn_abort(struct order_txn *txn)
{
	if (txn->view.root != NULL)
		generation_free(txn->generation, (struct order_page *)(uintptr_t)txn->view.root,
				txn->view.height - 1u);
	garbage_drop(&txn->garbage);
	txn_close(txn);
}

void
order_free_unshared(struct order *o, const struct order *base)
{
	uint64_t generation = base->root != NULL ? base->root->generation + 1u : 1;
	if (o->root != NULL)
		generation_free(generation, (struct order_page *)(uintptr_t)o->root, o->height - 1u);
	*o = (struct order){.compare = o->compare};
}
