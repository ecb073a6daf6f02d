/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a name to what the zone says about it: the search of RFC 1034 section 4.3.2, as RFC 4592 and RFC 6672 refine
 * it. Private to zones/answer. Pure.
 */
#ifndef ANSER_ANSWER_LOOKUP_H
#define ANSER_ANSWER_LOOKUP_H

#include "zones/store/zone.h"

/* The deepest number of labels, at most `labels`, that names of the map have; 0 where there is none. */
static inline unsigned
depth_map_floor(const struct depth_map *m, unsigned labels)
{
	if (unlikely(labels >= 64)) {
		uint64_t high = m->bits[1] << (127 - labels);
		if (high != 0)
			return labels - (unsigned)__builtin_clzll(high);
		labels = 63;
	}
	uint64_t low = m->bits[0] << (63 - labels);
	return low != 0 ? labels - (unsigned)__builtin_clzll(low) : 0;
}

enum lookup_kind {
	LOOKUP_EXACT,    /* `node` is the name */
	LOOKUP_WILDCARD, /* `node` is the wildcard that matches it; `encloser` its parent */
	LOOKUP_CUT,      /* `node` is the delegation at or above the name */
	LOOKUP_DNAME,    /* `node` has a DNAME, above the name */
	LOOKUP_NONE,     /* no such name; `encloser` is the closest one */
};

struct lookup {
	enum lookup_kind kind;
	const struct node *node; /* NULL for LOOKUP_NONE */
	const struct node
		*encloser; /* closest encloser (RFC 4592 section 3.3.1) of LOOKUP_WILDCARD and LOOKUP_NONE */
};

/* A name with the hashes of its suffixes; both in lower case. */
struct asked {
	const struct name *name;
	const struct name_suffixes *suffixes;
};

/*
 * The zone that a name lies in, the deepest there is; `above` asks for one strictly above the name (DS, RFC 4035
 * section 3.1.4.1). NULL: none of ours.
 */
const struct zone *lookup_zone(const struct zone_set *set, struct asked a, bool above);

/*
 * The first probe for a name: the longest suffix of it that can exist in the zone, and the node of that, if there
 * is one; or a later one, where all before it found nothing. Apart from the rest, because the engine makes it for a
 * whole group before it answers any of them.
 */
struct lookup_first {
	unsigned labels;
	const struct node *node;
};

/* How many labels the first probe has. */
static inline unsigned
lookup_first_labels(const struct snapshot *s, struct asked a)
{
	return depth_map_floor(&s->depths, a.suffixes->labels);
}

/* The probe with that many labels. */
struct lookup_first lookup_first(const struct snapshot *s, struct asked a, unsigned labels);

/* The same from the home bucket of its hash and the bucket's names_candidate(). */
static inline struct lookup_first
lookup_first_from(const struct snapshot *s, struct asked a, unsigned labels, const struct names_bucket *home,
		  const struct names_entry *candidate)
{
	unsigned start = name_suffix_start(a.suffixes, labels);
	const struct names_entry *e = names_find_from(&s->names, home, candidate, a.suffixes->at[labels],
						      a.name->bytes + start, a.name->len - start);
	return (struct lookup_first){.labels = labels, .node = (const struct node *)e};
}

/* What the zone has for a name, which lies in the zone, going on from the first probe. */
struct lookup lookup_name(const struct snapshot *s, struct asked a, struct lookup_first first);

#endif
