/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Objects for tests of the ordered tree, and the steps that they have in common. To be included behind cmocka.h.
 */
#ifndef TESTS_UNIT_STORE_ORDER_FIXTURE_H
#define TESTS_UNIT_STORE_ORDER_FIXTURE_H

#include <stdlib.h>

#include "zones/store/order.h"

struct object {
	uint64_t prefix;
	uint32_t rank; /* the whole key: in the order of all objects, which that of prefixes never contradicts */
};

typedef uint64_t prefix_of(uint32_t rank);

static inline uint64_t
prefix_spread(uint32_t rank)
{
	return (rank + 1) * UINT64_C(0x400000001b3);
}

/* Keys are objects, too. */
static inline int
compare(const void *object, const void *key)
{
	const struct object *a = object, *b = key;
	assert_int_equal(a->prefix, b->prefix);
	return a->rank < b->rank ? -1 : a->rank > b->rank;
}

static inline struct object *
objects_new(uint32_t n, prefix_of *of)
{
	struct object *o = malloc(n * sizeof(*o));
	assert_non_null(o);
	for (uint32_t i = 0; i < n; i++)
		o[i] = (struct object){of(i), i};
	return o;
}

static uint64_t random_state = 88172645463325252;

static inline uint32_t
random_below(uint32_t n)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (uint32_t)((random_state >> 16) % n);
}

static inline uint32_t *
ranks_shuffled(uint32_t n)
{
	uint32_t *r = malloc(n * sizeof(*r));
	assert_non_null(r);
	for (uint32_t i = 0; i < n; i++) {
		uint32_t k = random_below(i + 1);
		r[i] = r[k];
		r[k] = i;
	}
	return r;
}

static inline void
put(struct order_txn *txn, const struct object *o)
{
	const void *was = o;
	assert_int_equal(order_txn_put(txn, o->prefix, o, o, &was), 0);
	assert_null(was);
}

static inline void
take(struct order_txn *txn, const struct object *o)
{
	const void *was = NULL;
	assert_int_equal(order_txn_remove(txn, o->prefix, o, &was), 0);
	assert_ptr_equal(was, o);
}

static inline struct order_txn *
begin(const struct order *base)
{
	struct order_txn *txn = order_txn_begin(base);
	assert_non_null(txn);
	return txn;
}

static inline void
commit_and_free_old(struct order_txn *txn, struct order *o)
{
	struct garbage garbage;
	order_txn_commit(txn, o, &garbage);
	garbage_free(&garbage);
}

static inline struct order
tree_of(const struct object *objects, uint32_t n)
{
	struct order o;
	struct order_item *items = malloc((n + 1) * sizeof(*items));
	assert_non_null(items);
	for (uint32_t i = 0; i < n; i++)
		items[i] = (struct order_item){objects[i].prefix, &objects[i]};
	assert_int_equal(order_build(items, n, compare, &o), 0);
	free(items);
	return o;
}

#endif
