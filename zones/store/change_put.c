/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Changes: planned nodes and NSEC3 sets into transactions on the base's table and tree, and what that makes of the
 * snapshot's figures. See change.h and docs/design/changes.md.
 */
#include "zones/base/bytes.h"
#include "zones/store/change_private.h"

/* -------- put -------- */

/* What stands at the name in the new snapshot. */
static const struct node *
node_after(const struct change_edit *e)
{
	return e->node != NULL ? e->node : e->exists ? e->base : NULL;
}

static int
put_name(struct change_finish *f, const struct change_edit *e)
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
put_nsec(struct change_finish *f, const struct change_edit *e)
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
put_nsec3(struct change_finish *f, const struct change_edit *e)
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

/* Edits whose turn comes soon: a page of the table that nobody has asked for lately is sixteen misses. */
struct ahead {
	const struct change_edit *word, *page;
};

#define AHEAD_PAGE 3 /* edits from the one that is put to the one whose page is fetched */
#define AHEAD_WORD 6

static void
fetch(const struct change_finish *f, struct ahead *a)
{
	if (a->word != NULL) {
		names_txn_prefetch_word(f->names, a->word->hash);
		a->word = a->word->next;
	}
	if (a->page != NULL) {
		names_txn_prefetch_page(f->names, a->page->hash);
		a->page = change_fetch(a->page);
	}
}

static int
put_edit(struct change_finish *f, const struct change_edit *e)
{
	int err = put_name(f, e);
	if (err == 0 && f->index != NULL)
		err = f->index->kind == DENIAL_BY_NSEC ? put_nsec(f, e) : put_nsec3(f, e);
	return err;
}

int
change_put_edits(struct change_finish *f)
{
	struct zone_change *c = f->c;
	for (unsigned depth = c->source.apex_labels; depth <= NAME_MAX_LABELS; depth++) {
		struct ahead ahead = {.word = change_edit_behind(c->at_depth[depth], AHEAD_WORD),
				      .page = change_edit_behind(c->at_depth[depth], AHEAD_PAGE)};
		EACH_EDIT(c, e, depth)
		{
			fetch(f, &ahead);
			int err = put_edit(f, e);
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
		t->bytes += (int64_t)(rrset_size(set) / rrset_users(set));
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

void
change_count(struct change_finish *f)
{
	struct snapshot_remains *r = f->remains;
	struct tally old = {0}, new = {0};
	for (size_t i = 0; i < r->nodes.n; i++) {
		if (i + CHANGE_AHEAD < r->nodes.n)
			node_prefetch(r->nodes.items[i + CHANGE_AHEAD].p);
		tally_node(&old, r->nodes.items[i].p, -1);
	}
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
	int64_t growth = f->interned_growth;
	r->bytes = pages + (size_t)(growth < 0 ? old.bytes - growth : old.bytes);
	r->new_bytes = pages + (size_t)(growth > 0 ? new.bytes + growth : new.bytes);
}
