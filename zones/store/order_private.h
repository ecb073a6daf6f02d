/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside the ordered tree: the page, which its reading and its transactions share. For zones/store/order*.c and
 * their unit test alone.
 *
 *     line  0      generation and count, 7 pivots
 *     lines 1..8   60 prefixes, ascending; line 8 has room for four of them alone
 *     lines 8..15  60 words, the first one last
 *
 * Entries are searched in groups of eight, which share a line: the pivots, which repeat the first prefix of each
 * group but the first, tell which group. Words lie backwards so that the words of a group share a line, too: a page
 * costs three lines, the second and third at once.
 *
 * Rules between any two calls:
 *
 *   entries  ascend by (prefix, key); the prefixes beyond the last are all ones
 *   inner    an entry's word is its child, its prefix that of the child's first entry, exactly
 *   fill     a page other than the root has no fewer than ORDER_ENTRIES_MIN entries, an inner root has two
 *   age      a page's generation is no less than that of any page below
 */
#ifndef ANSER_STORE_ORDER_PRIVATE_H
#define ANSER_STORE_ORDER_PRIVATE_H

#include "zones/store/order.h"

#define ORDER_ENTRIES 60
#define ORDER_ENTRIES_MIN 20
#define ORDER_GROUP 8 /* entries */
#define ORDER_PIVOTS 7
#define ORDER_NO_PREFIX UINT64_MAX

struct order_page {
	uint64_t generation : 56; /* of the transaction that made it, counted along the versions of the tree */
	uint64_t count : 8;
	uint64_t pivot[ORDER_PIVOTS];
	uint64_t prefix[ORDER_ENTRIES];
	uintptr_t word[ORDER_ENTRIES];
} __attribute__((aligned(CACHE_LINE)));
_Static_assert(sizeof(struct order_page) == 1024, "a page is 1 KiB");
_Static_assert(offsetof(struct order_page, prefix) == CACHE_LINE, "a group of prefixes shares a line");
_Static_assert((offsetof(struct order_page, word) + (ORDER_ENTRIES - ORDER_GROUP) * sizeof(uintptr_t)) %
			       CACHE_LINE ==
		       0,
	       "a group of words shares a line");

static inline uintptr_t
order_word(const struct order_page *page, unsigned at)
{
	return page->word[ORDER_ENTRIES - 1 - at];
}

static inline struct order_page *
order_child(const struct order_page *page, unsigned at)
{
	return (struct order_page *)order_word(page, at);
}

/*
 * The last entry of a page whose key is ≤ (prefix, key), or -1; `below` is the number of pages on the way from this
 * one to a leaf.
 */
int order_page_floor(const struct order *o, const struct order_page *page, unsigned below, uint64_t prefix,
		     const void *key);

#endif
