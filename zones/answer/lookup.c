/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finding zones and names. See lookup.h.
 *
 * Names are probed from the longest suffix that can exist in the zone (the name itself, mostly) towards the apex.
 * Every ancestor of a name in the table is in the table too, so the first hit is the closest encloser; and a flood
 * of long names costs no more probes than the zone is deep.
 */
#include "zones/answer/lookup.h"

static const struct names_entry *
probe(const struct names *t, struct asked a, unsigned k)
{
	unsigned offset = name_suffix_start(a.suffixes, k);
	return names_find(t, a.suffixes->at[k], a.name->bytes + offset, a.name->len - offset);
}

const struct zone *
lookup_zone(const struct zone_set *set, struct asked a, bool above)
{
	unsigned labels = a.suffixes->labels;
	if (above && labels == 0)
		return NULL;
	for (unsigned k = depth_map_floor(&set->depths, above ? labels - 1 : labels);; k--) {
		if (depth_map_has(&set->depths, k)) {
			const struct names_entry *e = probe(&set->zones, a, k);
			if (e != NULL)
				return (const struct zone *)e;
		}
		if (k == 0)
			return NULL;
	}
}

/* Below a closest encloser that neither delegates nor redirects: the wildcard, or nothing. */
static struct lookup
lookup_below(const struct snapshot *s, struct asked a, const struct node *encloser, unsigned k)
{
	struct lookup result = {.kind = LOOKUP_NONE, .encloser = encloser};
	if (!(encloser->entry.flags & NODE_WILDCARD))
		return result;
	struct name wildcard;
	if (!name_wildcard(a.name->bytes + name_suffix_start(a.suffixes, k), &wildcard))
		return result;
	uint64_t hash = name_hash_label(a.suffixes->at[k], wildcard.bytes);
	result.node = (const struct node *)names_find(&s->names, hash, wildcard.bytes, wildcard.len);
	result.kind = LOOKUP_WILDCARD;
	return result;
}

struct lookup_first
lookup_first(const struct snapshot *s, struct asked a, unsigned k)
{
	return (struct lookup_first){.labels = k, .node = (const struct node *)probe(&s->names, a, k)};
}

struct lookup
lookup_name(const struct snapshot *s, struct asked a, struct lookup_first first)
{
	const struct node *n = first.node;
	unsigned k = first.labels;
	/* Ends at the apex at the latest: it is there, and nothing hides it. */
	while (n == NULL || (n->entry.flags & NODE_BELOW))
		n = --k == s->apex_labels ? s->apex : (const struct node *)probe(&s->names, a, k);

	if (n->entry.flags & NODE_CUT)
		return (struct lookup){.kind = LOOKUP_CUT, .node = n};
	if (k == a.suffixes->labels)
		return (struct lookup){.kind = LOOKUP_EXACT, .node = n};
	if (n->entry.flags & NODE_DNAME)
		return (struct lookup){.kind = LOOKUP_DNAME, .node = n};
	return lookup_below(s, a, n, k);
}
