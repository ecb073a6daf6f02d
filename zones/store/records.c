/* SPDX-License-Identifier: Apache-2.0 */
/* A zone read back record by record. See records.h. Pure, any thread. */
#include "zones/store/records.h"

#include <assert.h>
#include <string.h>

const struct rrset *
name_sets_next(struct name_sets *sets)
{
	unsigned at = sets->next;
	if (sets->nsec3 != NULL) {
		sets->next += at < 2;
		return at == 0 ? sets->nsec3->set : at == 1 ? sets->nsec3->sigs : NULL;
	}
	if (at == node_set_count(sets->node) || !node_word_is_set(sets->node->sets[at]))
		return NULL;
	sets->next++;
	return node_set(sets->node->sets[at]);
}

unsigned
nsec3_owner(const struct nsec3 *n, const uint8_t *apex, uint8_t out[NSEC3_OWNER_MAX])
{
	unsigned apex_len = name_len(apex);
	nsec3_label(n->hash, out);
	memcpy(out + 1 + NSEC3_LABEL_LEN, apex, apex_len);
	return 1 + NSEC3_LABEL_LEN + apex_len;
}

void
records_cursor_begin(struct records_cursor *c, const struct snapshot *s)
{
	*c = (struct records_cursor){.snapshot = s};
	names_cursor_begin(&c->names, &s->names);
	if (s->denial != NULL && s->denial->kind == DENIAL_BY_NSEC3)
		order_cursor_begin(&c->nsec3, &s->denial->order);
}

/* Goes on to the next name, which may have no sets; false behind the last one. */
static bool
next_name(struct records_cursor *c)
{
	const struct names_entry *e = names_cursor_next(&c->names);
	c->sets = (struct name_sets){.node = (const struct node *)e};
	if (e != NULL)
		return true;
	c->sets.nsec3 = order_cursor_next(&c->nsec3);
	if (c->sets.nsec3 == NULL)
		return false;
	nsec3_owner(c->sets.nsec3, node_name(c->snapshot->apex), c->owner);
	return true;
}

static const struct rrset *
next_set(struct records_cursor *c)
{
	for (;;) {
		bool has_name = c->sets.node != NULL || c->sets.nsec3 != NULL;
		const struct rrset *set = has_name ? name_sets_next(&c->sets) : NULL;
		if (set != NULL)
			return set;
		if (!next_name(c))
			return NULL;
	}
}

static void
fill_record(const struct rrset_iter *it, const uint8_t *rdata, int rdlen, struct zone_record *out)
{
	*out = (struct zone_record){.owner = it->owner,
				    .rdata = rdata,
				    .ttl_s = rrset_ttl(it->set),
				    .type = it->set->type,
				    .rdlen = (uint16_t)rdlen};
}

bool
records_cursor_next(struct records_cursor *c, uint8_t *rdata, struct zone_record *out)
{
	int rdlen = c->records.set != NULL ? rrset_iter_next(&c->records, rdata) : -1;
	while (rdlen < 0) {
		const struct rrset *set = next_set(c);
		if (set == NULL) {
			c->records.set = NULL;
			return false;
		}
		rrset_iter_init(&c->records, set, c->sets.node != NULL ? node_name(c->sets.node) : c->owner);
		rdlen = rrset_iter_next(&c->records, rdata);
	}
	fill_record(&c->records, rdata, rdlen, out);
	return true;
}

void
records_soa(const struct snapshot *s, uint8_t *rdata, struct zone_record *out)
{
	struct rrset_iter it;
	const struct rrset *set = node_find(s->apex, RRTYPE_SOA).set;
	assert(set != NULL);
	rrset_iter_init(&it, set, node_name(s->apex));
	int rdlen = rrset_iter_next(&it, rdata);
	fill_record(&it, rdata, rdlen, out);
}
