/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Differences. See diff.h. Two passes over what the snapshots do not share, first for what is gone, then, with the
 * roles changed, for what is new.
 */
#include "zones/store/diff.h"

#include <string.h>

#include "zones/store/denial.h"
#include "zones/wire/rdata.h"

struct diff {
	const struct snapshot *from, *other; /* records of `from` that `other` has not */
	bool is_added;
	int (*visit)(const struct diff_record *r, void *arg);
	void *arg;
	uint8_t rdata[RDATA_MAX_LEN], other_rdata[RDATA_MAX_LEN];
};

/* The sets that a name has, wherever they stand. */
struct sets {
	const uint64_t *words;
	unsigned n;
	uint64_t nsec3[2]; /* where words point for an NSEC3 set */
};

static struct sets
sets_of_node(const struct node *n)
{
	struct sets sets = {.words = n != NULL ? n->sets : NULL, .n = n != NULL ? node_set_count(n) : 0};
	if (sets.n != 0 && !node_word_is_set(n->sets[sets.n - 1]))
		sets.n--;
	return sets;
}

static void
sets_of_nsec3(const struct nsec3 *n, struct sets *sets)
{
	sets->words = sets->nsec3;
	sets->n = 0;
	if (n == NULL)
		return;
	sets->nsec3[sets->n++] = node_word(n->set);
	if (n->sigs != NULL)
		sets->nsec3[sets->n++] = node_word(n->sigs);
}

/* Looks for a record from the cursor on, and then from the start: sets are in order, so the next one is found next.
 */
static bool
set_has(struct diff *d, const struct rrset *set, const uint8_t *owner, struct rrset_iter *cursor, int len)
{
	if (cursor->set != set)
		rrset_iter_init(cursor, set, owner);
	for (unsigned k = 0; k <= set->n_rr; k++) {
		int other_len = rrset_iter_next(cursor, d->other_rdata);
		if (other_len < 0)
			rrset_iter_init(cursor, set, owner);
		else if (other_len == len && memcmp(d->rdata, d->other_rdata, (size_t)len) == 0)
			return true;
	}
	return false;
}

static int
diff_set(struct diff *d, const uint8_t *owner, const struct rrset *set, const struct sets *others)
{
	struct rrset_iter it, cursor = {0};
	int len, rc = 0;
	for (unsigned i = 0; i < others->n; i++) {
		if (rrset_is_equal(set, node_set(others->words[i])))
			return 0;
	}
	rrset_iter_init(&it, set, owner);
	while (rc == 0 && (len = rrset_iter_next(&it, d->rdata)) >= 0) {
		bool found = false;
		for (unsigned i = 0; i < others->n && !found; i++) {
			const struct rrset *other = node_set(others->words[i]);
			found = other->type == set->type && rrset_ttl(other) == rrset_ttl(set) &&
				set_has(d, other, owner, &cursor, len);
		}
		struct diff_record r = {.owner = owner,
					.rdata = d->rdata,
					.ttl_s = rrset_ttl(set),
					.type = set->type,
					.rdlen = (uint16_t)len,
					.is_added = d->is_added};
		rc = found ? 0 : d->visit(&r, d->arg);
	}
	return rc;
}

static int
diff_name(struct diff *d, const uint8_t *owner, const struct sets *sets, const struct sets *others)
{
	int rc = 0;
	for (unsigned i = 0; i < sets->n && rc == 0; i++)
		rc = diff_set(d, owner, node_set(sets->words[i]), others);
	return rc;
}

static int
visit_node(const struct names_entry *e, void *arg)
{
	struct diff *d = arg;
	const uint8_t *owner = names_entry_name(e);
	const struct names_entry *other = names_find(&d->other->names, e->hash, owner, e->name_len);
	if (other == e)
		return 0;
	struct sets sets = sets_of_node((const struct node *)e), others = sets_of_node((const struct node *)other);
	return diff_name(d, owner, &sets, &others);
}

static bool
is_by_nsec3(const struct snapshot *s)
{
	return s->denial != NULL && s->denial->kind == DENIAL_BY_NSEC3;
}

static int
visit_nsec3(const void *object, void *arg)
{
	struct diff *d = arg;
	const struct nsec3 *n = object;
	const struct nsec3 *other = is_by_nsec3(d->other) ? denial_nsec3(d->other->denial, n->hash) : NULL;
	if (other == n)
		return 0;
	if (other != NULL && memcmp(other->hash, n->hash, NSEC3_HASH_LEN) != 0)
		other = NULL;
	struct name owner;
	nsec3_label(n->hash, owner.bytes);
	memcpy(owner.bytes + 1 + NSEC3_LABEL_LEN, node_name(d->from->apex), d->from->apex_len);
	struct sets sets, others;
	sets_of_nsec3(n, &sets);
	sets_of_nsec3(other, &others);
	return diff_name(d, owner.bytes, &sets, &others);
}

static int
diff_one_way(struct diff *d)
{
	static const struct order nothing;
	int rc = names_walk_unshared(&d->from->names, &d->other->names, visit_node, d);
	if (rc != 0 || !is_by_nsec3(d->from))
		return rc;
	const struct order *other = is_by_nsec3(d->other) ? &d->other->denial->order : &nothing;
	return order_each_unshared(&d->from->denial->order, other, visit_nsec3, d);
}

int
snapshot_diff(const struct snapshot *base, const struct snapshot *next,
	      int (*visit)(const struct diff_record *r, void *arg), void *arg)
{
	struct diff d = {.from = base, .other = next, .visit = visit, .arg = arg};
	int rc = diff_one_way(&d);
	if (rc != 0)
		return rc;
	d.from = next;
	d.other = base;
	d.is_added = true;
	return diff_one_way(&d);
}
