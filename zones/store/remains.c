/* SPDX-License-Identifier: Apache-2.0 */
/* What two versions of a zone do not share. See remains.h. The reclaimer, or a builder thread. */
#include "zones/store/remains.h"

#include "zones/base/alloc.h"
#include "zones/store/intern.h"

/* They lie anywhere, and what is in them says what else is to be given back. */
#define PREFETCH 8

static void
free_nodes(struct garbage *list)
{
	for (size_t i = 0; i < list->n; i++) {
		if (i + PREFETCH < list->n)
			node_prefetch(list->items[i + PREFETCH].p);
		node_free(list->items[i].p);
	}
	garbage_drop(list);
}

static void
free_nsec3s(struct garbage *list)
{
	for (size_t i = 0; i < list->n; i++) {
		if (i + PREFETCH < list->n)
			prefetch(list->items[i + PREFETCH].p);
		nsec3_free(list->items[i].p);
	}
	garbage_drop(list);
}

/* The snapshot struct, and what each snapshot has of its own. */
static void
free_shell(struct snapshot *s)
{
	rrset_release((struct rrset *)(uintptr_t)s->negative_soa);
	rrset_release((struct rrset *)(uintptr_t)s->negative_soa_sigs);
	zalloc_free((void *)(uintptr_t)s->denial, sizeof(*s->denial));
	intern_release(s->interned);
	zalloc_free(s, sizeof(*s));
}

void
snapshot_remains_free(struct snapshot_remains *r)
{
	if (r == NULL)
		return;
	if (r->shares_nothing)
		snapshot_free(r->base);
	else
		free_shell(r->base);
	garbage_free(&r->names);
	garbage_free(&r->order);
	free_nodes(&r->nodes);
	free_nsec3s(&r->nsec3s);
	garbage_drop(&r->new_nodes);
	garbage_drop(&r->new_nsec3s);
	zalloc_free(r, sizeof(*r));
}

void
snapshot_discard(struct snapshot *s, struct snapshot_remains *r)
{
	const struct snapshot *base = r->base;
	if (r->shares_nothing) {
		snapshot_free(s);
	} else {
		names_free_unshared(&s->names, &base->names);
		if (s->denial != NULL)
			order_free_unshared((struct order *)(uintptr_t)&s->denial->order, &base->denial->order);
		free_shell(s);
	}
	free_nodes(&r->new_nodes);
	free_nsec3s(&r->new_nsec3s);
	garbage_drop(&r->names);
	garbage_drop(&r->order);
	garbage_drop(&r->nodes);
	garbage_drop(&r->nsec3s);
	zalloc_free(r, sizeof(*r));
}
