/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ordered tree: a persistent (copy-on-write) B+-tree from key to object, for denial of existence.
 *
 * A signed zone needs "which name comes right before this one": NSEC by canonical name (RFC 4034 section 6.1),
 * NSEC3 by hash. The names table cannot say; this tree can. It holds object addresses only, under a key of two
 * parts: a 64-bit prefix, by which nearly every step is decided without touching an object, and the whole key,
 * which lies in the object and is compared by a function where prefixes are equal.
 *
 *     page of 1 KiB: up to 60 entries of (prefix, address of object or child page), sorted
 *     all leaves at one height
 *
 * Threads and RCU as in names.h: a struct order is a value that never changes, lookups are pure, a transaction
 * belongs to one builder thread, copies each page it touches once, and hands what it replaced back as garbage for
 * after a grace period. Design note: docs/design/ordered-tree.md.
 */
#ifndef ANSER_STORE_ORDER_H
#define ANSER_STORE_ORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "zones/base/compiler.h"
#include "zones/store/names.h"

/* Order of an object's whole key against `key`: < 0, 0, > 0. Pure. Asked only where the prefixes are equal. */
typedef int order_compare(const void *object, const void *key);

struct order_page;

/* An immutable tree, copied by value into its owner. All zero with `compare` set: empty. */
struct order {
	const struct order_page *root;
	order_compare *compare;
	uint64_t count;
	uint8_t height; /* pages on the way from the root to a leaf */
};

/* -------- reading -------- */

/* The last object whose key is ≤ (prefix, key), or NULL where all are greater. */
const void *order_floor(const struct order *o, uint64_t prefix, const void *key);

/* The object with the greatest key, or NULL: what comes before the first one, going round. */
const void *order_last(const struct order *o);

/*
 * order_floor() for a burst, whose waits overlap: begin each walk, take them all through the tree at once, then
 * order_walk_floor() tells the result of each (and touches the object). Walks may be of different trees.
 */
struct order_walk {
	const struct order *order;
	const struct order_page *page;
	uint64_t prefix;
	const void *key;
	uint8_t level; /* pages below this one */
	uint8_t group; /* of the page's entries: where to look for the prefix */
	bool tie;      /* the object's prefix is the one asked for: its key decides */
	const void *object;
};
#define ORDER_WALKS_MAX 64 /* in a burst */
void order_walk_begin(struct order_walk *w, const struct order *o, uint64_t prefix, const void *key);
void order_walk_burst(struct order_walk *const *walks, unsigned n);
const void *order_walk_floor(const struct order_walk *w);

/* Visits all objects in order; stops when visit() returns non-zero, and returns that. */
int order_each(const struct order *o, int (*visit)(const void *object, void *arg), void *arg);

#define ORDER_HEIGHT_MAX 12 /* 2 * 20^11 entries do not fit in 2^47 bytes */

/*
 * The same by steps of the caller's, as names_cursor: the tree must stay what it is between two steps, so whoever
 * stops holds a reference on its owner. May be copied.
 */
struct order_cursor {
	struct order_cursor_stop {
		const struct order_page *page;
		unsigned next;   /* entry */
	} way[ORDER_HEIGHT_MAX]; /* root first */
	uint8_t height;          /* of the tree */
	uint8_t depth;           /* stops in use; 0: no object is left */
};

/* Stands before the first object; the tree may be empty. Pure. */
void order_cursor_begin(struct order_cursor *c, const struct order *o);

/* The next object in order, or NULL behind the last one, and again NULL after that. Pure. */
const void *order_cursor_next(struct order_cursor *c);
/*
 * As order_each(), but passes over objects in pages that `other`, another version of the tree, has as well. Among
 * objects of equal prefixes it may fail to notice that, and visit them.
 */
int order_each_unshared(const struct order *o, const struct order *other,
			int (*visit)(const void *object, void *arg), void *arg);

/* Bytes of pages. */
size_t order_bytes(const struct order *o);

/* -------- writing -------- */

struct order_item {
	uint64_t prefix;
	const void *object;
};

/*
 * Builds a tree of n items that are sorted and distinct already. 0, or -ENOMEM with nothing left behind. *out's
 * compare is set from `compare`.
 */
int order_build(const struct order_item *items, size_t n, order_compare *compare, struct order *out) MUST_CHECK;

struct order_txn;

/* Opens a transaction on `base`. NULL: out of memory. */
struct order_txn *order_txn_begin(const struct order *base) MUST_CHECK;

/* Puts an object in, in place of the one with an equal key, which *replaced gets (or NULL). 0 or -ENOMEM (nothing
 * changed). */
int order_txn_put(struct order_txn *txn, uint64_t prefix, const void *key, const void *object,
		  const void **replaced) MUST_CHECK;

/* Takes the object with this key out; *removed gets it, or NULL. 0 or -ENOMEM (nothing changed). */
int order_txn_remove(struct order_txn *txn, uint64_t prefix, const void *key, const void **removed) MUST_CHECK;

/* As names_txn_commit(): cannot fail; garbage is what the base alone still uses. Consumes txn. */
void order_txn_commit(struct order_txn *txn, struct order *out, struct garbage *garbage);

/* Ends the transaction and frees what it made. */
void order_txn_abort(struct order_txn *txn);

/* Frees the pages of a tree that nobody reads any more; not the objects. */
void order_free(struct order *o);

/* Frees of a tree what `base`, which it was made from in one transaction, does not use: undoes a commit. */
void order_free_unshared(struct order *o, const struct order *base);

#endif
