/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A name of a zone: one allocation with the head that the names table compares, the record sets and the name.
 *
 *     struct names_entry | words: one a record set | owner name | small record sets
 *
 * Sets of up to NODE_OWN_SET_MAX octets, an address or two, are part of the node, so that the usual answer costs
 * the bucket and the node and no third cache miss; so are sets that no other name can have, up to
 * NODE_OWN_UNIQUE_MAX. Larger ones, and NS sets, which many delegations have in common, stand alone and are shared
 * between names.
 *
 * A word is a record set's address with its type in the upper 16 bits, sorted by type, with one exception that
 * makes DO answers a matter of looking one word further: the RRSIGs over a type are a set of their own which stands
 * right behind the set that they cover. RRSIGs that cover nothing stand first.
 *
 * Nodes name other names by hash, never by address: a change stays local. Immutable once published; readers need
 * RCU or a reference on the snapshot.
 */
#ifndef ANSER_STORE_NODE_H
#define ANSER_STORE_NODE_H

#include <stdatomic.h>

#include "zones/store/names.h"
#include "zones/store/rrset.h"
#include "zones/wire/rrtype.h"

enum node_flag {
	NODE_APEX = 1,
	NODE_CUT = 2,      /* NS below the apex: a delegation */
	NODE_BELOW = 4,    /* below a cut or a DNAME: never answered from, but for glue */
	NODE_WILDCARD = 8, /* has a child `*` */
	NODE_DNAME = 16,
};

struct node {
	struct names_entry entry;
	uint64_t sets[];
};

static inline unsigned
node_set_count(const struct node *n)
{
	return (n->entry.name_off - (unsigned)sizeof(struct names_entry)) / (unsigned)sizeof(uint64_t);
}

static inline uint16_t
node_set_type(uint64_t word)
{
	return (uint16_t)(word >> 48);
}

static inline const struct rrset *
node_set(uint64_t word)
{
	return (const struct rrset *)(uintptr_t)(word & NAMES_POINTER_MASK);
}

static inline uint64_t
node_word(const struct rrset *set)
{
	return (uint64_t)set->type << NAMES_TAG_SHIFT | (uint64_t)(uintptr_t)set;
}

static inline const uint8_t *
node_name(const struct node *n)
{
	return names_entry_name(&n->entry);
}

/*
 * In zones with NSEC3 one word, the last, is no record set: its tag is the reserved type 0 (RFC 6895 section 3.1),
 * and it leads to the NSEC3 hashes of the name and of the wildcard below it, in the node.
 */
#define NODE_TAG_HASHES 0

struct node_hashes {
	uint8_t own[20];
	uint8_t wildcard[20];
};

static inline bool
node_word_is_set(uint64_t word)
{
	return node_set_type(word) != NODE_TAG_HASHES;
}

/* Has the name records, or does it only lead to others (RFC 4592 section 2.2.2)? */
static inline bool
node_has_data(const struct node *n)
{
	return node_set_count(n) != 0 && node_word_is_set(n->sets[0]);
}

/* NULL in zones without NSEC3. */
static inline const struct node_hashes *
node_hashes(const struct node *n)
{
	unsigned count = node_set_count(n);
	if (count == 0 || node_word_is_set(n->sets[count - 1]))
		return NULL;
	return (const struct node_hashes *)(uintptr_t)(n->sets[count - 1] & NAMES_POINTER_MASK);
}

/* Is this set part of its node? Then it has no references of its own. */
static inline bool
node_owns_set(const struct rrset *set)
{
	return atomic_load_explicit(&set->refs, memory_order_relaxed) == 0;
}

#define NODE_OWN_SET_MAX 64
#define NODE_OWN_UNIQUE_MAX 512

/* Signatures and links of a chain: no two names have equal ones. */
static inline bool
node_set_is_unique(const struct rrset *set)
{
	return set->type == RRTYPE_RRSIG || set->type == RRTYPE_NSEC || set->type == RRTYPE_NSEC3;
}

/* Shall a new set become part of its node? */
static inline bool
node_takes_set(const struct rrset *set)
{
	if (node_set_is_unique(set))
		return rrset_size(set) <= NODE_OWN_UNIQUE_MAX;
	return rrset_size(set) <= NODE_OWN_SET_MAX && set->type != RRTYPE_NS;
}

static inline size_t
node_align(size_t size)
{
	return (size + _Alignof(struct rrset) - 1) & ~(_Alignof(struct rrset) - 1);
}

/* Lays a copy of a set into its owner's allocation; from then on it has no references of its own. */
static inline struct rrset *
node_lay_set(void *to, const struct rrset *set)
{
	memcpy(to, set, rrset_size(set));
	struct rrset *own = to;
	atomic_init(&own->refs, 0);
	return own;
}

/* What a set of the node's own takes there. */
static inline size_t
node_own_set_size(const struct rrset *set)
{
	return node_align(rrset_size(set));
}

/* Octets of the whole allocation. */
size_t node_size(const struct node *n);

/* A copy of a node, with references of its own to the same sets. NULL: out of memory. Writers only. */
struct node *node_copy(const struct node *n) MUST_CHECK;

/* For those who are about to read whole nodes, sets included, that lie anywhere: most have two lines. NULL is
 * allowed. */
static inline void
node_prefetch(const struct node *n)
{
	prefetch(n);
	prefetch((const void *)((uintptr_t)n + CACHE_LINE));
}

/* Gives back a node and its references to record sets; writers only, once no reader can see it. */
void node_free(struct node *n);

/* A set and the signatures over it; both NULL where the name has no such set. */
struct node_sets {
	const struct rrset *set, *sigs;
};

static inline struct node_sets
node_find(const struct node *n, uint16_t type)
{
	unsigned count = node_set_count(n);
	for (unsigned i = 0; i < count; i++) {
		if (node_set_type(n->sets[i]) != type || type == RRTYPE_RRSIG || type == NODE_TAG_HASHES)
			continue;
		struct node_sets found = {.set = node_set(n->sets[i])};
		if (i + 1 < count && node_set_type(n->sets[i + 1]) == RRTYPE_RRSIG)
			found.sigs = node_set(n->sets[i + 1]);
		return found;
	}
	return (struct node_sets){0};
}

#endif
