/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Changes: names that will be opened soon. See change.h. A builder thread.
 *
 * Opening a name of a large zone waits for one line after the other: directory, bucket, node, record sets, none of
 * which a cache holds. Each name that is announced is looked up one step of these further whenever STEP others
 * have followed, so that the misses of some names are under way at a time. Only prefetches: what a name comes to is
 * found again when it is opened.
 */
#include "zones/store/change_private.h"

#define STEP 5

_Static_assert(CHANGE_EXPECTED > 3 * STEP, "a name is remembered until its last step");

/* The edit that the table's first place for a name leads to, or NULL: nearly always the right one. */
static const struct change_edit *
edit_at(const struct zone_change *c, uint64_t hash)
{
	const struct change_edit *e = c->cap != 0 ? c->table[hash & (c->cap - 1)] : NULL;
	return e != NULL && e->hash == hash ? e : NULL;
}

static void
prefetch_places(const struct zone_change *c, uint64_t hash)
{
	if (c->cap != 0)
		prefetch(&c->table[hash & (c->cap - 1)]);
	prefetch(names_directory_of(&c->base->names, hash));
}

static void
prefetch_found(const struct zone_change *c, uint64_t hash)
{
	const struct change_edit *e = c->cap != 0 ? c->table[hash & (c->cap - 1)] : NULL;
	if (e != NULL) {
		prefetch(e);
		prefetch((const uint8_t *)e + CACHE_LINE);
	}
	prefetch(names_bucket_of(&c->base->names, hash));
}

static const struct names_entry *
candidate(const struct zone_change *c, uint64_t hash)
{
	return names_candidate(names_bucket_of(&c->base->names, hash), hash);
}

static void
prefetch_base(const struct zone_change *c, uint64_t hash)
{
	const struct change_edit *e = edit_at(c, hash);
	const struct names_entry *entry = e == NULL ? candidate(c, hash) : NULL;
	if (e != NULL)
		prefetch(e->sets);
	if (entry != NULL)
		node_prefetch((const struct node *)entry);
}

static void
prefetch_sets(const struct zone_change *c, uint64_t hash)
{
	const struct node *n = edit_at(c, hash) == NULL ? (const struct node *)candidate(c, hash) : NULL;
	for (unsigned i = 0; n != NULL && i < node_set_count(n); i++)
		prefetch(node_set(n->sets[i]));
}

void
zone_change_expect(struct zone_change *c, const uint8_t *owner)
{
	static void (*const steps[])(const struct zone_change *c, uint64_t hash) = {prefetch_places, prefetch_found,
										    prefetch_base, prefetch_sets};
	struct change_expected *x = &c->expected;
	uint8_t lower[NAME_MAX_LEN];
	name_lower(lower, owner, name_len(owner));
	uint64_t hash = name_hash(lower);
	if (x->n != 0 && x->hash[(x->n - 1) % CHANGE_EXPECTED] == hash)
		return; /* records of one name come in a row */
	x->hash[x->n++ % CHANGE_EXPECTED] = hash;
	for (unsigned i = 0; i < ARRAY_LEN(steps) && x->n > i * STEP; i++)
		steps[i](c, x->hash[(x->n - 1 - i * STEP) % CHANGE_EXPECTED]);
}
