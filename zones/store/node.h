/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A name of a zone: one allocation with the head that the names table compares, the record sets and the name.
 *
 *     struct names_entry | words: one a record set | owner name
 *
 * A word is a record set's address with its type in the upper 16 bits, sorted by type, with one exception that makes
 * DO answers a matter of looking one word further: the RRSIGs over a type are a set of their own which stands right
 * behind the set that they cover. RRSIGs that cover nothing stand first.
 *
 * Nodes name other names by hash, never by address: a change stays local. Immutable once published; readers need RCU or a
 * reference on the snapshot.
 */
#ifndef ANSER_STORE_NODE_H
#define ANSER_STORE_NODE_H

#include "zones/store/names.h"
#include "zones/store/rrset.h"
#include "zones/wire/rrtype.h"

enum node_flag {
	NODE_APEX = 1,
	NODE_CUT = 2,       /* NS below the apex: a delegation */
	NODE_BELOW = 4,     /* below a cut or a DNAME: never answered from, but for glue */
	NODE_WILDCARD = 8,  /* has a child `*` */
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

static inline size_t
node_size(const struct node *n)
{
	return (size_t)n->entry.name_off + n->entry.name_len;
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
		if (node_set_type(n->sets[i]) != type || type == RRTYPE_RRSIG)
			continue;
		struct node_sets found = {.set = node_set(n->sets[i])};
		if (i + 1 < count && node_set_type(n->sets[i + 1]) == RRTYPE_RRSIG)
			found.sigs = node_set(n->sets[i + 1]);
		return found;
	}
	return (struct node_sets){0};
}

#endif
