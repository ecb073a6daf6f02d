/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Zone slots, zone sets and the two publishing stores. See zone.h.
 *
 * Everything here belongs to the control thread (or to a builder that nobody else sees yet); what readers need is
 * inline in the header.
 */
#include "zones/store/zone.h"

#include <errno.h>

#include "zones/base/alloc.h"
#include "zones/base/crew.h"
#include "zones/store/denial.h"
#include "zones/store/intern.h"

static int
release_node(const struct names_entry *entry, void *arg)
{
	node_free((struct node *)(uintptr_t)entry);
	return 0;
}

size_t
node_size(const struct node *n)
{
	size_t size = (size_t)n->entry.name_off + n->entry.name_len;
	if (node_hashes(n) != NULL)
		size += sizeof(struct node_hashes);
	for (unsigned i = 0; i < node_set_count(n); i++) {
		if (node_word_is_set(n->sets[i]) && node_owns_set(node_set(n->sets[i])))
			size = node_align(size) + node_own_set_size(node_set(n->sets[i]));
	}
	return size;
}

struct node *
node_copy(const struct node *n)
{
	size_t size = node_size(n);
	struct node *copy = zalloc(size, 0);
	if (copy == NULL)
		return NULL;
	memcpy(copy, n, size);
	for (unsigned i = 0; i < node_set_count(n); i++) {
		struct rrset *set = (struct rrset *)(uintptr_t)node_set(n->sets[i]);
		bool is_inside = !node_word_is_set(n->sets[i]) || node_owns_set(set);
		if (is_inside)
			copy->sets[i] += (uint64_t)((uintptr_t)copy - (uintptr_t)n);
		else
			rrset_hold(set);
	}
	return copy;
}

void
node_free(struct node *n)
{
	size_t size = node_size(n);
	for (unsigned i = 0; i < node_set_count(n); i++) {
		if (node_word_is_set(n->sets[i]) && !node_owns_set(node_set(n->sets[i])))
			rrset_release((struct rrset *)(uintptr_t)node_set(n->sets[i]));
	}
	zalloc_free(n, size);
}

void
snapshot_free(struct snapshot *s)
{
	if (s == NULL)
		return;
	names_walk(&s->names, release_node, NULL);
	names_free(&s->names);
	rrset_release((struct rrset *)(uintptr_t)s->negative_soa);
	rrset_release((struct rrset *)(uintptr_t)s->negative_soa_sigs);
	denial_free((struct denial_index *)(uintptr_t)s->denial);
	intern_release(s->interned);
	zalloc_free(s, sizeof(*s));
}

static int
add_node_bytes(const struct names_entry *entry, void *arg)
{
	const struct node *n = (const struct node *)entry;
	size_t *bytes = arg;
	*bytes += node_size(n);
	for (unsigned i = 0; i < node_set_count(n) && node_word_is_set(n->sets[i]); i++) {
		const struct rrset *set = node_set(n->sets[i]);
		if (!node_owns_set(set))
			*bytes += rrset_size(set) / rrset_users(set);
	}
	return 0;
}

#define COUNT_PARTS 64 /* of large snapshots */
#define COUNT_PARTS_FROM 100000

struct counting {
	const struct snapshot *snapshot;
	size_t parts;
	_Atomic size_t bytes;
};

static void
count_part(void *arg, size_t part)
{
	struct counting *c = arg;
	size_t bytes = 0;
	names_walk_part(&c->snapshot->names, part, c->parts, add_node_bytes, &bytes);
	atomic_fetch_add_explicit(&c->bytes, bytes, memory_order_relaxed);
}

size_t
snapshot_bytes_by(const struct snapshot *s, struct crew *crew)
{
	struct counting c = {.snapshot = s, .parts = s->names.count >= COUNT_PARTS_FROM ? COUNT_PARTS : 1};
	size_t bytes = sizeof(*s) + names_bytes(&s->names);
	if (s->denial != NULL)
		bytes += denial_bytes(s->denial);
	if (s->interned != NULL)
		bytes += intern_bytes(s->interned);
	crew_each(crew, c.parts, count_part, &c);
	return bytes + c.bytes;
}

size_t
snapshot_bytes(const struct snapshot *s)
{
	return snapshot_bytes_by(s, NULL);
}

static size_t
zone_size(unsigned apex_len)
{
	return sizeof(struct zone) + apex_len;
}

struct zone *
zone_new(const uint8_t *apex)
{
	unsigned len = name_len(apex);
	struct zone *z = zalloc(zone_size(len), 0);
	if (z == NULL)
		return NULL;
	*z = (struct zone){
		.entry = {.hash = name_hash(apex),
			  .name_off = offsetof(struct zone, apex),
			  .name_len = (uint8_t)len},
		.labels = (uint8_t)name_labels(apex),
	};
	memcpy(z->apex, apex, len);
	return z;
}

void
zone_free(struct zone *z)
{
	if (z == NULL)
		return;
	snapshot_free((struct snapshot *)(uintptr_t)zone_current(z));
	zalloc_free(z, zone_size(z->entry.name_len));
}

const struct snapshot *
zone_publish(struct zone *z, const struct snapshot *s)
{
	return atomic_exchange_explicit(&z->current, s, memory_order_acq_rel); /* COMMIT */
}

const struct zone_set *
zone_root_publish(struct zone_root *root, const struct zone_set *set)
{
	return atomic_exchange_explicit(&root->current, set, memory_order_acq_rel); /* COMMIT */
}

static int
put_zones(struct names_txn *txn, struct zone_set *set, struct zone *const *zones, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct names_entry *replaced = NULL;
		int err = names_txn_put(txn, &zones[i]->entry, &replaced);
		if (err != 0)
			return err;
		if (replaced != NULL)
			return -EEXIST;
		depth_map_set(&set->depths, zones[i]->labels);
	}
	return 0;
}

struct zone_set *
zone_set_new(struct zone *const *zones, size_t n, const struct answer_config *config)
{
	struct zone_set *set = zalloc(sizeof(*set), CACHE_LINE);
	if (set == NULL)
		return NULL;
	*set = (struct zone_set){.config = *config};

	struct names_txn *txn = names_txn_begin(&set->zones, n);
	if (txn == NULL)
		goto fail;
	if (put_zones(txn, set, zones, n) != 0) {
		names_txn_abort(txn);
		goto fail;
	}
	struct garbage garbage = {0};
	names_txn_commit(txn, &set->zones, &garbage);
	garbage_free(&garbage); /* of an empty table that nobody has seen */
	return set;
fail:
	zalloc_free(set, sizeof(*set));
	return NULL;
}

static int
remove_zones(struct names_txn *txn, struct zone *const *zones, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct names_entry *removed = NULL, *e = &zones[i]->entry;
		int err = names_txn_remove(txn, e->hash, zones[i]->apex, e->name_len, &removed);
		if (err != 0)
			return err;
		if (removed != e)
			return -ENOENT;
	}
	return 0;
}

int
zone_set_new_changed(const struct zone_set *base, struct zone *const *add, size_t n_add, struct zone *const *remove,
		     size_t n_remove, struct garbage *garbage, struct zone_set **out)
{
	struct zone_set *set = zalloc(sizeof(*set), CACHE_LINE);
	if (set == NULL)
		return -ENOMEM;
	*set = *base; /* a depth that no zone has any more costs a probe, and no more than that */
	struct names_txn *txn = names_txn_begin(&base->zones, n_add);
	int err = txn != NULL ? remove_zones(txn, remove, n_remove) : -ENOMEM;
	if (err == 0)
		err = put_zones(txn, set, add, n_add);
	if (err != 0) {
		if (txn != NULL)
			names_txn_abort(txn);
		zalloc_free(set, sizeof(*set));
		return err;
	}
	names_txn_commit(txn, &set->zones, garbage);
	*out = set;
	return 0;
}

void
zone_set_free_shell(struct zone_set *set)
{
	zalloc_free(set, sizeof(*set));
}

void
zone_set_free(struct zone_set *set)
{
	if (set == NULL)
		return;
	names_free(&set->zones);
	zalloc_free(set, sizeof(*set));
}
