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

void
denial_settle_apex(struct denial_index *d, const struct node *apex)
{
	struct name wildcard;
	d->apex_match = d->apex_wildcard = NULL;
	if (d->kind == DENIAL_BY_NSEC3) {
		const struct node_hashes *hashes = node_hashes(apex);
		d->apex_match = denial_nsec3_of(d, apex);
		d->apex_wildcard = hashes != NULL ? denial_nsec3(d, hashes->wildcard) : NULL;
	} else if (name_wildcard(node_name(apex), &wildcard)) {
		d->apex_wildcard = denial_nsec(d, wildcard.bytes);
	}
}

static size_t
own_size(const struct rrset *set, bool is_own)
{
	return set != NULL && is_own ? node_own_set_size(set) : 0;
}

/* The set itself where it stands alone; else a copy of it at *at, which moves on, and a reference less. */
static const struct rrset *
settle_set(uint8_t **at, struct rrset *set)
{
	if (set == NULL || !node_takes_set(set))
		return set;
	const struct rrset *own = node_lay_set(*at, set);
	*at += node_own_set_size(set);
	rrset_release(set);
	return own;
}

struct nsec3 *
nsec3_new(const uint8_t hash[NSEC3_HASH_LEN], struct rrset *set, struct rrset *sigs)
{
	size_t size = sizeof(struct nsec3) + own_size(set, node_takes_set(set)) +
		      own_size(sigs, sigs != NULL && node_takes_set(sigs));
	struct nsec3 *n = zalloc(size, 0);
	if (n == NULL)
		return NULL;
	uint8_t *at = n->sets;
	memcpy(n->hash, hash, NSEC3_HASH_LEN);
	n->set = settle_set(&at, set);
	n->sigs = settle_set(&at, sigs);
	return n;
}

void
nsec3_free(struct nsec3 *n)
{
	const struct rrset *sets[] = {n->set, n->sigs};
	size_t size = sizeof(*n);
	for (unsigned i = 0; i < ARRAY_LEN(sets); i++) {
		bool is_own = sets[i] != NULL && node_owns_set(sets[i]);
		size += own_size(sets[i], is_own);
		if (!is_own)
			rrset_release((struct rrset *)(uintptr_t)sets[i]);
	}
	zalloc_free(n, size);
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
