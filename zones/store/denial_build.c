/* SPDX-License-Identifier: Apache-2.0 */
/* Making and freeing the denial index. See denial.h. Builder threads and the reclaimer. */
#include <errno.h>
#include <stdlib.h>

#include "zones/base/alloc.h"
#include "zones/base/bytes.h"
#include "zones/store/denial.h"

static int
compare_node(const void *object, const void *key)
{
	return name_compare(node_name(object), key);
}

static int
compare_nsec3(const void *object, const void *key)
{
	const struct nsec3 *n = object;
	return memcmp(n->hash, key, NSEC3_HASH_LEN);
}

static int
sort_nodes(const void *a, const void *b)
{
	const struct order_item *x = a, *y = b;
	if (x->prefix != y->prefix)
		return x->prefix < y->prefix ? -1 : 1;
	return compare_node(x->object, node_name(y->object));
}

static int
sort_nsec3(const void *a, const void *b)
{
	const struct order_item *x = a, *y = b;
	const struct nsec3 *other = y->object;
	if (x->prefix != y->prefix)
		return x->prefix < y->prefix ? -1 : 1;
	return compare_nsec3(x->object, other->hash);
}

static struct denial_index *
index_new(enum denial_kind kind, struct order_item *items, size_t n)
{
	bool is_nsec = kind == DENIAL_BY_NSEC;
	struct denial_index *d = zalloc(sizeof(*d), 0);
	if (d == NULL)
		return NULL;
	*d = (struct denial_index){.kind = kind};
	qsort(items, n, sizeof(*items), is_nsec ? sort_nodes : sort_nsec3);
	if (order_build(items, n, is_nsec ? compare_node : compare_nsec3, &d->order) != 0) {
		zalloc_free(d, sizeof(*d));
		return NULL;
	}
	return d;
}

struct denial_index *
denial_new_nsec(const struct node **nodes, size_t n, unsigned apex_labels)
{
	struct order_item *items = zalloc(n * sizeof(*items), 0);
	if (items == NULL)
		return NULL;
	for (size_t i = 0; i < n; i++)
		items[i] = (struct order_item){.prefix = denial_name_prefix(node_name(nodes[i]), apex_labels),
					       .object = nodes[i]};
	struct denial_index *d = index_new(DENIAL_BY_NSEC, items, n);
	if (d != NULL)
		d->apex_labels = (uint8_t)apex_labels;
	zalloc_free(items, n * sizeof(*items));
	return d;
}

struct denial_index *
denial_new_nsec3(struct nsec3 **sets, size_t n, const struct nsec3_params *params)
{
	struct order_item *items = zalloc(n * sizeof(*items), 0);
	if (items == NULL)
		return NULL;
	for (size_t i = 0; i < n; i++)
		items[i] = (struct order_item){.prefix = load_be64(sets[i]->hash), .object = sets[i]};
	struct denial_index *d = index_new(DENIAL_BY_NSEC3, items, n);
	if (d != NULL)
		d->params = *params;
	zalloc_free(items, n * sizeof(*items));
	return d;
}

struct nsec3 *
nsec3_new(const uint8_t hash[NSEC3_HASH_LEN], const struct rrset *set, const struct rrset *sigs)
{
	struct nsec3 *n = zalloc(sizeof(*n), 0);
	if (n == NULL)
		return NULL;
	memcpy(n->hash, hash, NSEC3_HASH_LEN);
	n->set = set;
	n->sigs = sigs;
	return n;
}

void
nsec3_free(struct nsec3 *n)
{
	rrset_release((struct rrset *)(uintptr_t)n->set);
	rrset_release((struct rrset *)(uintptr_t)n->sigs);
	zalloc_free(n, sizeof(*n));
}

static int
free_set(const void *object, void *arg)
{
	nsec3_free((struct nsec3 *)(uintptr_t)object);
	return 0;
}

void
denial_free(struct denial_index *d)
{
	if (d == NULL)
		return;
	if (d->kind == DENIAL_BY_NSEC3)
		order_each(&d->order, free_set, NULL);
	order_free(&d->order);
	zalloc_free(d, sizeof(*d));
}
