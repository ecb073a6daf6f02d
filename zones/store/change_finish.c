/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Changes: from edits to the next snapshot. See change.h and docs/design/changes.md.
 *
 *     plan   deepest names first: which exist now, how many children their parents have; then the nodes with new
 *            records are compiled; then, from the apex down, the flags; nodes that differ in these alone are copied
 *     put    nodes and NSEC3 sets into transactions on the base's table and tree
 *     check  the touched names, in the new snapshot
 *     commit which cannot fail
 *
 * Until the commit everything new hangs on the edits and on the transactions, and goes with them on failure.
 */
#include <errno.h>
#include <string.h>

#include "zones/base/alloc.h"
#include "zones/store/change_private.h"

#define HIDES (NODE_CUT | NODE_DNAME)
#define OWN_FLAGS (NODE_APEX | NODE_CUT | NODE_DNAME)

struct finish {
	struct zone_change *c;
	struct snapshot *next;
	struct snapshot_remains *remains;
	struct denial_index *index; /* the next one's shell; NULL: there is none */
	struct names_txn *names;
	struct order_txn *order;
	int64_t nsec3_delta;
	bool is_committed;
};

#define EACH_EDIT(c, e, depth) for (struct change_edit *e = (c)->at_depth[depth]; e != NULL; e = e->next)

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
plan_data(struct finish *f, struct change_edit *e)
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

static int
plan_existence(struct finish *f)
{
	struct zone_change *c = f->c;
	for (unsigned depth = NAME_MAX_LABELS + 1; depth-- > c->source.apex_labels;) {
		EACH_EDIT(c, e, depth)
		{
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
		atomic_fetch_add_explicit(&made->refs, 1, memory_order_relaxed);
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
compile_edit(struct finish *f, struct change_edit *e)
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
		EACH_EDIT(c, e, depth)
		{
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

static int
plan_nodes(struct finish *f)
{
	struct zone_change *c = f->c;
	for (unsigned depth = c->source.apex_labels; depth <= NAME_MAX_LABELS; depth++) {
		EACH_EDIT(c, e, depth)
		{
			int err = compile_edit(f, e);
			if (err != 0)
				return err;
		}
	}
	struct flip_walk walk = {.c = c, .shortest = plan_flips(c)};
	int err = walk.shortest != 0 ? names_walk(&c->base->names, touch_below_flip, &walk) : 0;
	for (unsigned depth = c->source.apex_labels; depth <= NAME_MAX_LABELS && err == 0; depth++) {
		EACH_EDIT(c, e, depth)
		{
			err = e->exists ? plan_node(c, e) : 0;
			if (err != 0)
				return err;
		}
	}
	return err;
}

/* -------- put -------- */

/* What stands at the name in the new snapshot. */
static const struct node *
node_after(const struct change_edit *e)
{
	return e->node != NULL ? e->node : e->exists ? e->base : NULL;
}

static int
put_name(struct finish *f, const struct change_edit *e)
{
	const struct names_entry *before = NULL;
	int err = 0;
	if (e->node != NULL)
		err = names_txn_put(f->names, &e->node->entry, &before);
	else if (!e->exists && e->base != NULL)
		err = names_txn_remove(f->names, e->hash, e->owner, e->owner_len, &before);
	if (err == 0 && before != NULL)
		garbage_add(&f->remains->nodes, (void *)(uintptr_t)before, 0);
	if (err == 0 && e->node != NULL)
		garbage_add(&f->remains->new_nodes, e->node, 0);
	if (e->exists)
		depth_map_set(&f->next->depths, name_labels(e->owner));
	return err;
}

static bool
is_in_nsec_chain(const struct node *n)
{
	return n != NULL && !(n->entry.flags & NODE_BELOW) && node_find(n, RRTYPE_NSEC).set != NULL;
}

static int
put_nsec(struct finish *f, const struct change_edit *e)
{
	const struct node *after = node_after(e);
	if (after == e->base)
		return 0;
	uint64_t prefix = denial_name_prefix(e->owner, f->index->apex_labels);
	if (is_in_nsec_chain(after))
		return order_txn_put(f->order, prefix, e->owner, after, NULL);
	if (is_in_nsec_chain(e->base))
		return order_txn_remove(f->order, prefix, e->owner, NULL);
	return 0;
}

static int
put_nsec3(struct finish *f, const struct change_edit *e)
{
	int err = 0;
	if (e->nsec3 != NULL)
		err = order_txn_put(f->order, load_be64(e->nsec3->hash), e->nsec3->hash, e->nsec3, NULL);
	else if (e->base_nsec3 != NULL && e->is_changed)
		err = order_txn_remove(f->order, load_be64(e->base_nsec3->hash), e->base_nsec3->hash, NULL);
	if (err != 0 || (e->nsec3 == NULL && !e->is_changed))
		return err;
	if (e->base_nsec3 != NULL)
		garbage_add(&f->remains->nsec3s, (void *)(uintptr_t)e->base_nsec3, 0);
	if (e->nsec3 != NULL)
		garbage_add(&f->remains->new_nsec3s, e->nsec3, 0);
	return 0;
}

static int
put_edits(struct finish *f)
{
	struct zone_change *c = f->c;
	for (unsigned depth = c->source.apex_labels; depth <= NAME_MAX_LABELS; depth++) {
		EACH_EDIT(c, e, depth)
		{
			int err = put_name(f, e);
			if (err == 0 && f->index != NULL)
				err = f->index->kind == DENIAL_BY_NSEC ? put_nsec(f, e) : put_nsec3(f, e);
			if (err != 0)
				return err;
		}
	}
	return 0;
}

/* -------- what the snapshot counts -------- */

struct tally {
	int64_t records, sets, bytes;
};

static void
tally_set(struct tally *t, const struct rrset *set, int sign)
{
	if (set == NULL)
		return;
	t->records += sign * (int64_t)set->n_rr;
	t->sets += sign;
	if (!node_owns_set(set))
		t->bytes += (int64_t)(rrset_size(set) / atomic_load_explicit(&set->refs, memory_order_relaxed));
}

static void
tally_node(struct tally *t, const struct node *n, int sign)
{
	t->bytes += (int64_t)node_size(n);
	for (unsigned i = 0; i < node_set_count(n) && node_word_is_set(n->sets[i]); i++)
		tally_set(t, node_set(n->sets[i]), sign);
}

static void
tally_nsec3(struct tally *t, const struct nsec3 *n, int sign)
{
	t->bytes += (int64_t)sizeof(*n);
	tally_set(t, n->set, sign);
	tally_set(t, n->sigs, sign);
}

static void
count_up(struct finish *f)
{
	struct snapshot_remains *r = f->remains;
	struct tally old = {0}, new = {0};
	for (size_t i = 0; i < r->nodes.n; i++)
		tally_node(&old, r->nodes.items[i].p, -1);
	for (size_t i = 0; i < r->nsec3s.n; i++)
		tally_nsec3(&old, r->nsec3s.items[i].p, -1);
	for (size_t i = 0; i < r->new_nodes.n; i++)
		tally_node(&new, r->new_nodes.items[i].p, 1);
	for (size_t i = 0; i < r->new_nsec3s.n; i++)
		tally_nsec3(&new, r->new_nsec3s.items[i].p, 1);
	f->next->records += (uint64_t)(old.records + new.records);
	f->next->sets += (uint64_t)(old.sets + new.sets);
	size_t pages = sizeof(*f->next);
	for (size_t i = 0; i < r->names.n; i++)
		pages += r->names.items[i].size;
	for (size_t i = 0; i < r->order.n; i++)
		pages += r->order.items[i].size;
	r->bytes = pages + (size_t)old.bytes;
	r->new_bytes = pages + (size_t) new.bytes;
}

/* -------- finish -------- */

/* SOA sets are the base's where the apex has not changed. */
static int
fill_apex(struct finish *f)
{
	struct snapshot *s = f->next;
	const struct change_edit *e =
		change_find(f->c, s->apex_hash, f->c->source.apex.bytes, f->c->source.apex.len);
	if (e != NULL && e->node != NULL)
		s->apex = e->node;
	s->is_signed = compile_is_signed(s->apex);
	if (e != NULL && e->is_changed) {
		s->negative_soa = s->negative_soa_sigs = NULL;
		return compile_soa(s, f->c->source.apex.bytes);
	}
	const struct rrset *shared[] = {s->negative_soa, s->negative_soa_sigs};
	for (unsigned i = 0; i < ARRAY_LEN(shared); i++) {
		if (shared[i] != NULL)
			atomic_fetch_add_explicit(&((struct rrset *)(uintptr_t)shared[i])->refs, 1,
						  memory_order_relaxed);
	}
	return 0;
}

/* May the denial index of the base be changed, or must another kind be made? */
static bool
needs_rebuild(const struct finish *f)
{
	const struct zone_change *c = f->c;
	const struct denial_index *d = c->base->denial;
	bool by_nsec3 = d != NULL && d->kind == DENIAL_BY_NSEC3;
	if (c->compile.hashes_names && (!by_nsec3 || (int64_t)d->order.count + f->nsec3_delta <= 0))
		return true;
	if (!c->compile.hashes_names && c->adds_nsec3)
		return true;
	const struct change_edit *e = change_find(c, c->base->apex_hash, c->source.apex.bytes, c->source.apex.len);
	if (e == NULL || !e->is_open)
		return false;
	const struct change_set *param = change_find_set(e, RRTYPE_NSEC3PARAM * 2);
	const struct change_set *nsec = change_find_set(e, RRTYPE_NSEC * 2);
	bool has_nsec = nsec != NULL && !change_set_is_empty(nsec);
	bool had_nsec = node_find(c->base->apex, RRTYPE_NSEC).set != NULL;
	return (param != NULL && param->is_changed) || (!by_nsec3 && has_nsec != had_nsec);
}

static int
check_edits(struct zone_change *c, const struct snapshot *s)
{
	builder_check_apex(&c->source, s, c->compile.diag);
	for (unsigned depth = c->source.apex_labels; depth <= NAME_MAX_LABELS; depth++) {
		EACH_EDIT(c, e, depth)
		{
			struct log_record *records;
			size_t n = 0;
			if (!e->is_changed)
				continue;
			if (change_records(c, e, CHANGE_RECORDS_TO_CHECK, &records, &n) != 0)
				return -ENOMEM;
			if (n != 0)
				builder_check_name(&c->source, s, c->compile.diag, records, n);
		}
	}
	return 0;
}

/* All that can fail before the transactions: what they fill. */
static int
make_shells(struct finish *f)
{
	const struct snapshot *base = f->c->base;
	f->remains = zalloc(sizeof(*f->remains), 0);
	f->next = zalloc(sizeof(*f->next), CACHE_LINE);
	f->index = base->denial != NULL ? zalloc(sizeof(*f->index), 0) : NULL;
	if (f->remains != NULL)
		*f->remains = (struct snapshot_remains){.base = (struct snapshot *)(uintptr_t)base};
	if (f->next != NULL) {
		*f->next = *base;
		f->next->negative_soa = f->next->negative_soa_sigs = NULL;
	}
	if (f->index != NULL)
		*f->index = *base->denial;
	if (f->remains == NULL || f->next == NULL || (base->denial != NULL && f->index == NULL))
		return -ENOMEM;
	f->next->negative_soa = base->negative_soa;
	f->next->negative_soa_sigs = base->negative_soa_sigs;
	f->next->denial = f->index;
	return fill_apex(f);
}

static int
open_transactions(struct finish *f)
{
	struct snapshot_remains *r = f->remains;
	size_t n = f->c->n;
	if (garbage_reserve(&r->nodes, n) != 0 || garbage_reserve(&r->new_nodes, n) != 0 ||
	    garbage_reserve(&r->nsec3s, n) != 0 || garbage_reserve(&r->new_nsec3s, n) != 0)
		return -ENOMEM;
	f->names = names_txn_begin(&f->c->base->names, 0);
	f->order = f->index != NULL ? order_txn_begin(&f->index->order) : NULL;
	return f->names == NULL || (f->index != NULL && f->order == NULL) ? -ENOMEM : 0;
}

static void
commit(struct finish *f)
{
	names_txn_commit(f->names, &f->next->names, &f->remains->names);
	if (f->order != NULL) {
		order_txn_commit(f->order, &f->index->order, &f->remains->order);
		denial_settle_apex(f->index, f->next->apex);
	}
	f->names = NULL;
	f->order = NULL;
	f->is_committed = true;
	count_up(f);
}

/* Frees what the failed change had made: shells, transactions that were not committed, nodes and NSEC3 sets. */
static void
give_up(struct finish *f)
{
	struct zone_change *c = f->c;
	if (f->names != NULL)
		names_txn_abort(f->names);
	if (f->order != NULL)
		order_txn_abort(f->order);
	for (unsigned depth = c->source.apex_labels; depth <= NAME_MAX_LABELS; depth++) {
		EACH_EDIT(c, e, depth)
		{
			if (e->node != NULL)
				node_free(e->node);
			if (e->nsec3 != NULL)
				nsec3_free(e->nsec3);
		}
	}
	if (f->next != NULL) {
		rrset_release((struct rrset *)(uintptr_t)f->next->negative_soa);
		rrset_release((struct rrset *)(uintptr_t)f->next->negative_soa_sigs);
	}
	zalloc_free(f->next, sizeof(*f->next));
	zalloc_free(f->index, sizeof(*f->index));
	if (f->remains == NULL)
		return;
	garbage_drop(&f->remains->nodes);
	garbage_drop(&f->remains->new_nodes);
	garbage_drop(&f->remains->nsec3s);
	garbage_drop(&f->remains->new_nsec3s);
	zalloc_free(f->remains, sizeof(*f->remains));
}

/* Builds all of it again; the base's side is then all of the base. */
static int
finish_whole(struct finish *f)
{
	f->remains = zalloc(sizeof(*f->remains), 0);
	if (f->remains == NULL)
		return -ENOMEM;
	*f->remains =
		(struct snapshot_remains){.base = (struct snapshot *)(uintptr_t)f->c->base, .shares_nothing = true};
	int err = change_rebuild(f->c, &f->next);
	if (err != 0)
		return err;
	f->remains->bytes = snapshot_bytes(f->c->base);
	f->remains->new_bytes = snapshot_bytes(f->next);
	return 0;
}

static int
finish_shared(struct finish *f)
{
	struct diag_list *diag = f->c->compile.diag;
	unsigned errors_before = diag->n_errors;
	int err = plan_nodes(f);
	if (err == 0)
		err = make_shells(f);
	if (err == 0)
		err = open_transactions(f);
	if (err == 0)
		err = put_edits(f);
	if (err != 0)
		return err;
	commit(f);
	err = check_edits(f->c, f->next);
	return err == 0 && diag->n_errors != errors_before ? -EINVAL : err;
}

int
zone_change_finish(struct zone_change *c, struct snapshot **out, struct snapshot_remains **remains)
{
	struct finish f = {.c = c};
	int err = plan_existence(&f);
	bool is_whole = err == 0 && needs_rebuild(&f);
	if (err == 0)
		err = is_whole ? finish_whole(&f) : finish_shared(&f);
	if (err == 0) {
		*out = f.next;
		*remains = f.remains;
	} else if (f.is_committed) {
		snapshot_discard(f.next, f.remains); /* refused by the checks, which need it complete */
	} else {
		give_up(&f);
	}
	zone_change_abort(c);
	return err;
}
