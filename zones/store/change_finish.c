/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Changes: from edits to the next snapshot. See change.h and docs/design/changes.md.
 *
 *     plan   change_plan.c: nodes and NSEC3 sets
 *     put    change_put.c: into transactions on the base's table and tree
 *     check  the touched names, in the new snapshot
 *     commit which cannot fail
 *
 * Until the commit everything new hangs on the edits and on the transactions, and goes with them on failure.
 */
#include <errno.h>

#include "zones/base/alloc.h"
#include "zones/store/change_private.h"

/* SOA sets are the base's where the apex has not changed. */
static int
fill_apex(struct change_finish *f)
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
			rrset_hold(shared[i]);
	}
	return 0;
}

/* May the denial index of the base be changed, or must another kind be made? */
static bool
needs_rebuild(const struct change_finish *f)
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
			if (n == 0)
				continue;
			builder_check_alone(&c->source, c->compile.diag, records, n);
			builder_check_others(&c->source, s, c->compile.diag, records, n);
		}
	}
	return 0;
}

/* All that can fail before the transactions: what they fill. */
static int
make_shells(struct change_finish *f)
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
		f->next->interned = intern_hold(base->interned != NULL ? base->interned : f->c->compile.interned);
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
open_transactions(struct change_finish *f)
{
	struct snapshot_remains *r = f->remains;
	size_t n = f->c->n;
	size_t n_nsec3s = f->index != NULL && f->index->kind == DENIAL_BY_NSEC3 ? n : 0;
	if (garbage_reserve(&r->nodes, n) != 0 || garbage_reserve(&r->new_nodes, n) != 0 ||
	    garbage_reserve(&r->nsec3s, n_nsec3s) != 0 || garbage_reserve(&r->new_nsec3s, n_nsec3s) != 0)
		return -ENOMEM;
	f->names = names_txn_begin(&f->c->base->names, 0);
	f->order = f->index != NULL ? order_txn_begin(&f->index->order) : NULL;
	return f->names == NULL || (f->index != NULL && f->order == NULL) ? -ENOMEM : 0;
}

static void
commit(struct change_finish *f)
{
	names_txn_commit(f->names, &f->next->names, &f->remains->names);
	if (f->order != NULL) {
		order_txn_commit(f->order, &f->index->order, &f->remains->order);
		denial_settle_apex(f->index, f->next->apex);
	}
	f->names = NULL;
	f->order = NULL;
	f->is_committed = true;
	change_count(f);
}

/* Frees what the failed change had made: shells, transactions that were not committed, nodes and NSEC3 sets. */
static void
give_up(struct change_finish *f)
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
		intern_release(f->next->interned);
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

/*
 * The zone's table of sets is open while nodes are made, and at no other time. If somebody makes another change of
 * the same zone right now, this one shares within itself.
 */
static int
plan_nodes(struct change_finish *f)
{
	struct intern *in = f->c->base->interned;
	struct compile *compile = &f->c->compile;
	size_t bytes = 0;
	if (in != NULL && intern_open(in)) {
		compile->interned = intern_hold(in);
		bytes = intern_bytes(in);
	}
	int err = change_plan_nodes(f);
	if (compile->interned == NULL)
		return err;
	intern_close(compile->interned, f->c->n);
	if (in == NULL || compile->interned == in)
		f->interned_growth = (int64_t)intern_bytes(compile->interned) - (int64_t)bytes;
	return err;
}

static int
finish_shared(struct change_finish *f)
{
	struct diag_list *diag = f->c->compile.diag;
	unsigned errors_before = diag->n_errors;
	int err = plan_nodes(f);
	if (err == 0)
		err = make_shells(f);
	if (err == 0)
		err = open_transactions(f);
	if (err == 0)
		err = change_put_edits(f);
	if (err != 0)
		return err;
	commit(f);
	err = check_edits(f->c, f->next);
	return err == 0 && diag->n_errors != errors_before ? -EINVAL : err;
}

int
zone_change_finish(struct zone_change *c, struct snapshot **out, struct snapshot_remains **remains)
{
	struct change_finish f = {.c = c};
	int err = change_plan_existence(&f);
	bool is_whole = err == 0 && needs_rebuild(&f);
	if (err == 0)
		err = is_whole ? change_rebuild(c, &f.next, &f.remains) : finish_shared(&f);
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
