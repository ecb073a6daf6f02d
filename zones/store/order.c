/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ordered tree: reading. See order.h for the contract, order_private.h for the page and
 * docs/design/ordered-tree.md for the reasons and the figures.
 *
 * All pure, on any thread; nothing here allocates.
 */
#include <assert.h>

#include "zones/store/order_private.h"

#define LAST_GROUP (ORDER_ENTRIES / ORDER_GROUP)

/* -------- one page -------- */

/* How many of four prefixes are no greater; no branch. */
static inline unsigned
four_count(const uint64_t *prefix, uint64_t bound)
{
	return (unsigned)(prefix[0] <= bound) + (prefix[1] <= bound) + (prefix[2] <= bound) + (prefix[3] <= bound);
}

/* The group in which the last prefix that is no greater lies, if there is one. */
static inline unsigned
page_group(const struct order_page *page, uint64_t prefix)
{
	const uint64_t *pivot = page->pivot;
	return four_count(pivot, prefix) + (pivot[4] <= prefix) + (pivot[5] <= prefix) + (pivot[6] <= prefix);
}

/* How many prefixes of the page are no greater, given their group. */
static inline unsigned
page_count(const struct order_page *page, unsigned group, uint64_t prefix)
{
	const uint64_t *first = &page->prefix[group * ORDER_GROUP];
	unsigned n = group * ORDER_GROUP + four_count(first, prefix);
	if (likely(group < LAST_GROUP))
		n += four_count(first + 4, prefix);
	return n < page->count ? n
			       : page->count; /* the filling behind the last entry counts for the greatest prefix */
}

/* The first object at or under a word. */
static inline const void *
word_first(uintptr_t word, unsigned below)
{
	for (; below > 0; below--)
		word = order_word((const struct order_page *)word, 0);
	return (const void *)word;
}

/*
 * `n` prefixes are no greater; where the last of them is equal, keys decide within the run of equal ones. An inner
 * entry's key is that of the first object under it.
 */
static unsigned
page_settle(const struct order *o, const struct order_page *page, unsigned below, unsigned n, uint64_t prefix,
	    const void *key)
{
	unsigned low = 0, high = n;
	if (n == 0 || page->prefix[n - 1] != prefix)
		return n;
	if (prefix > 0)
		low = page_count(page, page_group(page, prefix - 1), prefix - 1);
	while (low < high) {
		unsigned middle = (low + high) / 2;
		if (o->compare(word_first(order_word(page, middle), below), key) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

int
order_page_floor(const struct order *o, const struct order_page *page, unsigned below, uint64_t prefix,
		 const void *key)
{
	unsigned n = page_count(page, page_group(page, prefix), prefix);
	return (int)page_settle(o, page, below, n, prefix, key) - 1;
}

/* -------- from the root to an object -------- */

void
order_walk_begin(struct order_walk *w, const struct order *o, uint64_t prefix, const void *key)
{
	w->order = o;
	w->page = o->root;
	w->prefix = prefix;
	w->key = key;
	w->level = (uint8_t)(o->height - 1);
	w->tie = false;
	w->object = NULL;
	prefetch(o->root);
}

/* First half of a page: which lines of it are needed. */
static inline void
walk_choose_group(struct order_walk *w)
{
	const struct order_page *page = w->page;
	w->group = (uint8_t)page_group(page, w->prefix);
	prefetch(&page->prefix[w->group * ORDER_GROUP]);
	prefetch(&page->word[ORDER_ENTRIES - 1 - w->group * ORDER_GROUP]);
}

/* Second half: on to the next page; false where the walk ends. */
static inline bool
walk_leave_page(struct order_walk *w)
{
	const struct order_page *page = w->page;
	unsigned n = page_count(page, w->group, w->prefix);
	if (w->level > 0)
		n = page_settle(w->order, page, w->level, n, w->prefix, w->key);
	if (n == 0) /* in the root alone: below it, the first entry is no greater */
		return false;
	if (w->level == 0) {
		w->object = (const void *)order_word(page, n - 1);
		w->tie = page->prefix[n - 1] == w->prefix;
		prefetch(w->object);
		return false;
	}
	w->page = order_child(page, n - 1);
	w->level--;
	prefetch(w->page);
	return true;
}

void
order_walk_burst(struct order_walk *const *walks, unsigned n)
{
	struct order_walk *under_way[ORDER_WALKS_MAX];
	unsigned n_under_way = 0;
	assert(n <= ORDER_WALKS_MAX);
	for (unsigned i = 0; i < n; i++) {
		if (walks[i]->page != NULL)
			under_way[n_under_way++] = walks[i];
	}
	while (n_under_way > 0) {
		unsigned n_left = 0;
		for (unsigned i = 0; i < n_under_way; i++)
			walk_choose_group(under_way[i]);
		for (unsigned i = 0; i < n_under_way; i++) {
			if (walk_leave_page(under_way[i]))
				under_way[n_left++] = under_way[i];
		}
		n_under_way = n_left;
	}
}

const void *
order_walk_floor(const struct order_walk *w)
{
	if (!w->tie)
		return w->object;
	int at = order_page_floor(w->order, w->page, 0, w->prefix, w->key);
	return at >= 0 ? (const void *)order_word(w->page, (unsigned)at) : NULL;
}

const void *
order_floor(const struct order *o, uint64_t prefix, const void *key)
{
	struct order_walk w, *const walks[] = {&w};
	order_walk_begin(&w, o, prefix, key);
	order_walk_burst(walks, 1);
	return order_walk_floor(&w);
}

const void *
order_last(const struct order *o)
{
	uintptr_t word = (uintptr_t)o->root;
	for (unsigned level = 0; level < o->height; level++) {
		const struct order_page *page = (const struct order_page *)word;
		word = order_word(page, page->count - 1u);
	}
	return (const void *)word;
}

/* -------- all of it -------- */

void
order_cursor_begin(struct order_cursor *c, const struct order *o)
{
	*c = (struct order_cursor){.height = o->height};
	if (o->root != NULL)
		c->way[c->depth++] = (struct order_cursor_stop){.page = o->root};
}

const void *
order_cursor_next(struct order_cursor *c)
{
	while (c->depth > 0) {
		struct order_cursor_stop *stop = &c->way[c->depth - 1];
		if (stop->next == stop->page->count) {
			c->depth--;
			continue;
		}
		unsigned at = stop->next++;
		if (c->depth == c->height)
			return (const void *)order_word(stop->page, at);
		c->way[c->depth++] = (struct order_cursor_stop){.page = order_child(stop->page, at)};
	}
	return NULL;
}

int
order_each(const struct order *o, int (*visit)(const void *object, void *arg), void *arg)
{
	struct order_cursor c;
	int rc = 0;
	order_cursor_begin(&c, o);
	for (const void *object; rc == 0 && (object = order_cursor_next(&c)) != NULL;)
		rc = visit(object, arg);
	return rc;
}

/* The page over `below` more in which a prefix would be; NULL: the tree is not that high. */
static const struct order_page *
page_over(const struct order *o, unsigned below, uint64_t prefix)
{
	const struct order_page *page = o->root;
	if (o->height <= below)
		return NULL;
	for (unsigned level = o->height - 1u; level > below; level--) {
		unsigned n = page_count(page, page_group(page, prefix), prefix);
		page = order_child(page, n > 0 ? n - 1 : 0);
	}
	return page;
}

static int
page_each_unshared(const struct order_page *page, unsigned below, const struct order *other,
		   int (*visit)(const void *object, void *arg), void *arg)
{
	int rc = 0;
	if (page_over(other, below, page->prefix[0]) == page)
		return 0;
	for (unsigned i = 0; i < page->count && rc == 0; i++)
		rc = below > 0 ? page_each_unshared(order_child(page, i), below - 1, other, visit, arg)
			       : visit((const void *)order_word(page, i), arg);
	return rc;
}

int
order_each_unshared(const struct order *o, const struct order *other, int (*visit)(const void *object, void *arg),
		    void *arg)
{
	return o->root != NULL ? page_each_unshared(o->root, o->height - 1u, other, visit, arg) : 0;
}

/* Pages at and under this one; leaves are counted without being touched. */
static size_t
page_pages(const struct order_page *page, unsigned below)
{
	size_t n = 1;
	if (below <= 1)
		return below * page->count + n;
	for (unsigned i = 0; i < page->count; i++)
		n += page_pages(order_child(page, i), below - 1);
	return n;
}

size_t
order_bytes(const struct order *o)
{
	return o->root != NULL ? page_pages(o->root, o->height - 1u) * sizeof(struct order_page) : 0;
}
