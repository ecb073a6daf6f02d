/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Changes: the plan, from edits to new nodes and NSEC3 sets that nothing leads to yet. See change.h and
 * docs/design/changes.md.
 *
 * Deepest names first: which exist now, how many children their parents have; then the nodes with new records are
 * compiled; then, from the apex down, the flags; nodes that differ in these alone are copied. What is new hangs on
 * the edits.
 */
#include <errno.h>
#include <string.h>

#include "zones/store/change_private.h"

#define HIDES (NODE_CUT | NODE_DNAME)
#define OWN_FLAGS (NODE_APEX | NODE_CUT | NODE_DNAME)

/* -------- plan: what exists -------- */

/* Is all that stands at this name now an NSEC3 set below the apex, and its signatures? Such is no node. */
static bool
edit_is_nsec3(const struct zone_change *c, const struct change_edit *e, uint8_t hash[NSEC3_HASH_LEN])
{
	bool has_nsec3 = false;
	if (!compile_is_nsec3_owner(&c->compile, e->owner, e->owner_len, hash))
		return false;
	for (unsigned i = 0; i < e->n_sets; i++) {
		if (change_set_is_empty(&e->sets[i]))
			continue;
		if (e->sets[i].key / 2 != RRTYPE_NSEC3)
			return false;
		has_nsec3 |= e->sets[i].key == RRTYPE_NSEC3 * 2;
	}
	return has_nsec3;
}

static bool
edit_has_sets(const struct change_edit *e)
{
	for (unsigned i = 0; i < e->n_sets; i++) {
		if (!change_set_is_empty(&e->sets[i]))
			return true;
	}
	return false;
}

static int64_t
edit_children(const struct change_edit *e)
{
	return (e->base != NULL ? e->base->entry.children : 0) + e->children_delta;
}

static void
plan_data(struct change_finish *f, struct change_edit *e)
{
	uint8_t hash[NSEC3_HASH_LEN];
	if (!e->is_changed) {
		e->has_data = e->base != NULL && node_has_data(e->base);
		return;
	}
	bool is_nsec3 = edit_is_nsec3(f->c, e, hash);
	e->has_data = !is_nsec3 && edit_has_sets(e);
	f->nsec3_delta += is_nsec3 - (e->base_nsec3 != NULL);
}

/* Tells the parent that this name came, or went, or stayed with all below it in the edits' hands. */
static int
plan_parent(struct zone_change *c, const struct change_edit *e)
{
	const uint8_t *name = name_parent(e->owner, 1);
	unsigned len = e->owner_len - 1u - e->owner[0];
	uint64_t hash = name_hash(name);
	bool existed = e->base != NULL;
	struct change_edit *parent =
		e->exists != existed ? change_touch(c, hash, name, len) : change_find(c, hash, name, len);
	if (parent == NULL)
		return e->exists != existed ? -ENOMEM : 0;
	parent->covered += existed && e->covered == e->base->entry.children;
	if (e->exists == existed)
		return 0;
	parent->children_delta += e->exists ? 1 : -1;
	if (compile_is_wildcard(e->owner)) {
		parent->is_checked_wildcard = true;
		parent->has_wildcard = e->exists;
	}
	return 0;
}

int
change_plan_existence(struct change_finish *f)
{
	struct zone_change *c = f->c;
	for (unsigned depth = NAME_MAX_LABELS + 1; depth-- > c->source.apex_labels;) {
		const struct change_edit *ahead = change_edit_behind(c->at_depth[depth], CHANGE_AHEAD);
		EACH_EDIT(c, e, depth)
		{
			ahead = change_fetch(ahead);
			bool is_apex = depth == c->source.apex_labels;
			plan_data(f, e);
			e->exists = is_apex || e->has_data || edit_children(e) > 0;
			int err = is_apex ? 0 : plan_parent(c, e);
			if (err != 0)
				return err;
		}
	}
	return 0;
}

/* -------- plan: compiled nodes -------- */

/* Signatures over types that are not there are one set in front of the others (node.h). */
static int
compile_orphans(struct zone_change *c, struct change_edit *e, uint64_t *words, unsigned *n_words)
{
	struct log_record *orphans = NULL;
	size_t n = 0, room = 0;
	for (unsigned i = 0; i < e->n_sets; i++) {
		struct change_set *set = &e->sets[i];
		const struct change_set *covered = set->key & 1 ? change_find_set(e, set->key - 1) : set;
		if (change_set_is_empty(set) || (covered != NULL && !change_set_is_empty(covered)))
			continue;
		if (change_load(c, e, set) != 0)
			return -ENOMEM;
		if (n + set->n > room) {
			room = 2 * (n + set->n);
			struct log_record *more = change_alloc(c, room * sizeof(*more));
			if (more == NULL)
				return -ENOMEM;
			if (n != 0)
				memcpy(more, orphans, n * sizeof(*more));
			orphans = more;
		}
		memcpy(orphans + n, set->records, set->n * sizeof(*orphans));
		n += set->n;
	}
	struct rrset *made = NULL;
	int err = n != 0 ? compile_set(&c->compile, orphans, n, &made) : 0;
	if (made != NULL)
		words[(*n_words)++] = node_word(made);
	return err;
}

/* A set that has not changed is shared, or copied where it is part of the old node. */
static int
compile_edit_set(struct zone_change *c, const struct change_set *set, uint64_t *words, unsigned *n_words)
{
	struct rrset *made = (struct rrset *)(uintptr_t)set->base;
	int err = 0;
	if (made == NULL || set->is_changed) {
		made = NULL;
		err = compile_set(&c->compile, set->records, set->n, &made);
	} else if (!node_owns_set(made)) {
		rrset_hold(made);
	}
	if (made != NULL)
		words[(*n_words)++] = node_word(made);
	return err;
}

/* The words of the node that the edit's records make; their references are the caller's. */
static int
compile_words(struct zone_change *c, struct change_edit *e, uint64_t **words, unsigned *n_words)
{
	*words = change_alloc(c, (e->n_sets + 1) * sizeof(**words));
	if (*words == NULL)
		return -ENOMEM;
	int err = compile_orphans(c, e, *words, n_words);
	for (unsigned i = 0; i < e->n_sets && err == 0; i++) {
		const struct change_set *set = &e->sets[i];
		const struct change_set *covered = set->key & 1 ? change_find_set(e, set->key - 1) : set;
		if (!change_set_is_empty(set) && covered != NULL && !change_set_is_empty(covered))
			err = compile_edit_set(c, set, *words, n_words);
	}
	return err;
}

/* NSEC3 sets stand alone; one that was part of a node, because it stood among other data, is copied. */
static int
set_apart(uint64_t *words, unsigned n_words)
{
	for (unsigned i = 0; i < n_words; i++) {
		const struct rrset *set = node_set(words[i]);
		if (!node_owns_set(set))
			continue;
		struct rrset *copy = rrset_with_ttl(set, rrset_ttl(set));
		if (copy == NULL)
			return -ENOMEM;
		words[i] = node_word(copy);
	}
	return 0;
}

static int
compile_edit_nsec3(struct change_edit *e, uint64_t *words, unsigned n_words, const uint8_t *hash)
{
	if (n_words == 0)
		return 0; /* refused, and diag says why */
	if (set_apart(words, n_words) != 0)
		return -ENOMEM;
	struct rrset *set = (struct rrset *)(uintptr_t)node_set(words[0]);
	struct rrset *sigs = n_words > 1 ? (struct rrset *)(uintptr_t)node_set(words[1]) : NULL;
	e->nsec3 = nsec3_new(hash, set, sigs);
	return e->nsec3 != NULL ? 0 : -ENOMEM;
}

static int
compile_edit(struct change_finish *f, struct change_edit *e)
{
	struct zone_change *c = f->c;
	uint64_t *words = NULL;
	unsigned n_words = 0;
	uint8_t hash[NSEC3_HASH_LEN];
	bool is_nsec3 = e->is_changed && edit_is_nsec3(c, e, hash);
	int err = e->is_changed ? compile_words(c, e, &words, &n_words) : 0;
	if (err == 0 && is_nsec3)
		err = compile_edit_nsec3(e, words, n_words, hash);
	bool needs_node =
		e->exists && (e->base == NULL || (e->is_changed && (e->has_data || node_has_data(e->base))));
	if (err == 0 && needs_node)
		err = compile_node(&c->compile, e->owner, e->hash, words, is_nsec3 ? 0 : n_words,
				   e->base != NULL ? node_hashes(e->base) : NULL, &e->node);
	if (err != 0 && e->nsec3 == NULL)
		compile_release(words, n_words);
	return err;
}

/* -------- plan: flags -------- */

static uint8_t
own_flags(const struct change_edit *e)
{
	if (!e->exists)
		return 0;
	return (e->node != NULL ? e->node->entry.flags : e->base->entry.flags) & OWN_FLAGS;
}

/* Finds cuts and DNAMEs that came or went above names that are no edits; returns the shortest one's length, or 0.
 */
static unsigned
plan_flips(struct zone_change *c)
{
	unsigned shortest = 0;
	for (unsigned depth = c->source.apex_labels; depth <= NAME_MAX_LABELS; depth++) {
		const struct change_edit *ahead = change_edit_behind(c->at_depth[depth], CHANGE_AHEAD);
		EACH_EDIT(c, e, depth)
		{
			ahead = change_fetch(ahead);
			bool hides = own_flags(e) & HIDES;
			bool hid = e->base != NULL && (e->base->entry.flags & HIDES);
			e->flips = hides != hid && e->base != NULL && e->covered < e->base->entry.children;
			if (e->flips && shortest == 0)
				shortest = e->owner_len;
			if (e->flips && e->owner_len < shortest)
				shortest = e->owner_len;
		}
	}
	return shortest;
}

struct flip_walk {
	struct zone_change *c;
	unsigned shortest;
};

/* Touches a name of the base if a flip is above it. */
static int
touch_below_flip(const struct names_entry *entry, void *arg)
{
	const struct flip_walk *w = arg;
	struct zone_change *c = w->c;
	const uint8_t *name = names_entry_name(entry);
	if (entry->name_len <= w->shortest)
		return 0;
	struct name_suffixes suffixes;
	name_suffixes(name, &suffixes);
	for (unsigned k = suffixes.labels; k-- > c->source.apex_labels;) {
		unsigned start = name_suffix_start(&suffixes, k);
		if (entry->name_len - start < w->shortest)
			return 0;
		const struct change_edit *above =
			change_find(c, suffixes.at[k], name + start, entry->name_len - start);
		if (above == NULL || !above->flips)
			continue;
		struct change_edit *e = change_touch(c, entry->hash, name, entry->name_len);
		if (e == NULL)
			return -ENOMEM;
		if (!e->is_changed && e->base != NULL && e->node == NULL)
			e->exists = edit_children(e) > 0 || node_has_data(e->base);
		return 0;
	}
	return 0;
}

/* The flags of the name above, which is planned already if it is an edit. */
static uint8_t
flags_above(const struct zone_change *c, const struct change_edit *e)
{
	const uint8_t *name = name_parent(e->owner, 1);
	unsigned len = e->owner_len - 1u - e->owner[0];
	uint64_t hash = name_hash(name);
	const struct change_edit *parent = change_find(c, hash, name, len);
	if (parent != NULL)
		return parent->flags;
	return names_find(&c->base->names, hash, name, len)->flags;
}

/* Settles flags and children; a node that differs from the base's in these alone is a copy of it. */
static int
plan_node(struct zone_change *c, struct change_edit *e)
{
	uint8_t wildcard = e->base != NULL ? e->base->entry.flags & NODE_WILDCARD : 0;
	if (e->is_checked_wildcard)
		wildcard = e->has_wildcard ? NODE_WILDCARD : 0;
	bool is_apex = e->owner_len == c->source.apex.len;
	bool is_below = !is_apex && (flags_above(c, e) & (HIDES | NODE_BELOW));
	e->flags = own_flags(e) | wildcard | (is_below ? NODE_BELOW : 0);
	uint32_t children = (uint32_t)edit_children(e);
	if (e->node == NULL) {
		if (e->base->entry.flags == e->flags && e->base->entry.children == children)
			return 0;
		e->node = node_copy(e->base);
		if (e->node == NULL)
			return -ENOMEM;
	}
	e->node->entry.flags = e->flags;
	e->node->entry.children = children;
	return 0;
}

int
change_plan_nodes(struct change_finish *f)
{
	struct zone_change *c = f->c;
	for (unsigned depth = c->source.apex_labels; depth <= NAME_MAX_LABELS; depth++) {
		const struct change_edit *ahead = change_edit_behind(c->at_depth[depth], CHANGE_AHEAD);
		EACH_EDIT(c, e, depth)
		{
			ahead = change_fetch(ahead);
			int err = compile_edit(f, e);
			if (err != 0)
				return err;
		}
	}
	struct flip_walk walk = {.c = c, .shortest = plan_flips(c)};
	int err = walk.shortest != 0 ? names_walk(&c->base->names, touch_below_flip, &walk) : 0;
	for (unsigned depth = c->source.apex_labels; depth <= NAME_MAX_LABELS && err == 0; depth++) {
		const struct change_edit *ahead = change_edit_behind(c->at_depth[depth], CHANGE_AHEAD);
		EACH_EDIT(c, e, depth)
		{
			ahead = change_fetch(ahead);
			err = e->exists ? plan_node(c, e) : 0;
			if (err != 0)
				return err;
		}
	}
	return err;
}
