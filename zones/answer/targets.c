/* SPDX-License-Identifier: Apache-2.0 */
/* Targets of record sets, looked up ahead. See targets.h. */
#include "zones/answer/targets.h"

#include "zones/wire/rrtype.h"

/* "." as target stands for the owner there (RFC 9460 section 2.5), and is no name that could be read. */
static bool
may_name_owner(const struct rrset *set)
{
	return set->type == RRTYPE_SVCB || set->type == RRTYPE_HTTPS;
}

struct targets_ahead
targets_begin(struct targets *t, const struct snapshot *s, const struct node *owner, const struct rrset *set)
{
	struct targets_ahead ahead = {.first = &t->at[t->n]};
	if (may_name_owner(set))
		return ahead;
	for (; ahead.n < set->n_targets && t->n < TARGETS_AHEAD; ahead.n++) {
		struct target *target = &t->at[t->n];
		struct name name;
		if (!rrset_target(set, ahead.n, node_name(owner), owner->entry.name_len, &name))
			break;
		target->name.len = name.len;
		name_lower(target->name.bytes, name.bytes, name.len);
		target->hash = name_hash(target->name.bytes);
		target->table = &s->names;
		prefetch(names_directory_of(target->table, target->hash));
		t->n++;
	}
	return ahead;
}

void
targets_burst(struct targets *t)
{
	for (unsigned i = 0; i < t->n; i++)
		prefetch(t->at[i].bucket = names_bucket_of(t->at[i].table, t->at[i].hash));
	for (unsigned i = 0; i < t->n; i++) {
		struct target *target = &t->at[i];
		target->candidate = names_candidate(target->bucket, target->hash);
		if (target->candidate != NULL) {
			prefetch(target->candidate);
			prefetch((const uint8_t *)target->candidate + CACHE_LINE);
		}
	}
	for (unsigned i = 0; i < t->n; i++) {
		struct target *target = &t->at[i];
		target->node =
			(const struct node *)names_find_from(target->table, target->bucket, target->candidate,
							     target->hash, target->name.bytes, target->name.len);
	}
}
