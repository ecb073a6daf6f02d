/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Changes: what the zone holds while one is under way, for those who decide by it what to change next (RFC 2136).
 *
 * Everything is asked of edits: a name that was not touched yet is opened for it, and looks as the base has it.
 */
#include <errno.h>
#include <string.h>

#include "zones/store/change_private.h"
#include "zones/wire/rdata.h"

static unsigned
set_size(const struct change_set *set)
{
	if (set->is_loaded)
		return set->n;
	return set->base != NULL ? set->base->n_rr : 0;
}

static bool
is_signatures(const struct change_set *set)
{
	return set->key & 1;
}

static uint16_t
set_type(const struct change_set *set)
{
	return is_signatures(set) ? RRTYPE_RRSIG : (uint16_t)(set->key / 2);
}

static bool
has_type(const struct change_edit *e, uint16_t type)
{
	const struct change_set *set = change_find_set(e, type * 2u);
	return set != NULL && set_size(set) != 0;
}

int
zone_change_count(struct zone_change *c, const struct name *owner, uint16_t type, size_t *out)
{
	struct change_edit *e;
	int err = change_open_name(c, owner, &e);
	if (err != 0)
		return err;
	size_t n = 0;
	if (type != RRTYPE_ANY && type != RRTYPE_RRSIG) {
		const struct change_set *set = change_find_set(e, type * 2u);
		n = set != NULL ? set_size(set) : 0;
	} else {
		for (unsigned i = 0; i < e->n_sets; i++)
			n += type == RRTYPE_ANY || is_signatures(&e->sets[i]) ? set_size(&e->sets[i]) : 0;
	}
	*out = n;
	return 0;
}

int
zone_change_has(struct zone_change *c, const struct name *owner, uint16_t type, const uint8_t *rdata,
		uint16_t rdlen, bool *out)
{
	struct change_edit *e;
	int err = change_open_name(c, owner, &e);
	if (err != 0)
		return err;
	struct log_record r = {
		.type = type, .rdata = rdata, .rdlen = rdlen, .has_upper = log_rdata_has_upper(rdata, rdlen)};
	struct change_set *set = change_find_set(e, log_record_type_key(type, rdata));
	if (set != NULL)
		err = change_load(c, e, set);
	if (err != 0)
		return err;
	*out = false;
	if (set != NULL)
		change_seek_record(set, &r, out);
	return 0;
}

int
zone_change_types(struct zone_change *c, const struct name *owner, int (*visit)(void *arg, uint16_t type),
		  void *arg)
{
	struct change_edit *e;
	int err = change_open_name(c, owner, &e);
	for (unsigned i = 0; err == 0 && i < e->n_sets; i++) {
		if (set_size(&e->sets[i]) != 0)
			err = visit(arg, set_type(&e->sets[i]));
	}
	return err;
}

/* -------- what may stand together -------- */

static bool
is_alias_alone(const struct change_edit *e)
{
	for (unsigned i = 0; i < e->n_sets; i++) {
		if (set_size(&e->sets[i]) != 0 && !builder_stands_beside_cname(set_type(&e->sets[i])))
			return false;
	}
	return true;
}

/* The rules of builder_check_alone() that refuse a zone for two types at one name. */
static bool
admits(const struct zone_change *c, const struct change_edit *e, uint16_t type)
{
	bool is_apex = e->owner_len == c->source.apex.len;
	if (type == RRTYPE_SOA && !is_apex)
		return false;
	if (type == RRTYPE_CNAME && !is_alias_alone(e))
		return false;
	if (!builder_stands_beside_cname(type) && has_type(e, RRTYPE_CNAME))
		return false;
	if (is_apex)
		return true;
	return !(type == RRTYPE_DNAME && has_type(e, RRTYPE_NS)) &&
	       !(type == RRTYPE_NS && has_type(e, RRTYPE_DNAME));
}

int
zone_change_admits(struct zone_change *c, const struct name *owner, uint16_t type, bool *out)
{
	struct change_edit *e;
	int err = change_open_name(c, owner, &e);
	if (err == 0)
		*out = admits(c, e, type);
	return err;
}

/* -------- has anything come of it? -------- */

/* Is this record of the base still there as it was, letter by letter? */
static bool
is_kept(const struct change_edit *e, const struct log_record *r)
{
	const struct change_set *set = change_find_set(e, log_record_type_key(r->type, r->rdata));
	bool found = false;
	if (set == NULL)
		return false;
	if (!set->is_changed)
		return true;
	unsigned at = change_seek_record(set, r, &found);
	return found && set->records[at].ttl_s == r->ttl_s &&
	       memcmp(set->records[at].rdata, r->rdata, r->rdlen) == 0;
}

static bool
set_is_kept(const struct change_edit *e, const struct rrset *base)
{
	uint8_t rdata[RDATA_MAX_LEN];
	struct rrset_iter it;
	int len;
	rrset_iter_init(&it, base, e->owner);
	while ((len = rrset_iter_next(&it, rdata)) >= 0) {
		struct log_record r = {.type = base->type,
				       .ttl_s = rrset_ttl(base),
				       .rdata = rdata,
				       .rdlen = (uint16_t)len,
				       .has_upper = log_rdata_has_upper(rdata, (unsigned)len)};
		if (!is_kept(e, &r))
			return false;
	}
	return true;
}

/* The base's sets at the name, as edits list them; NULL behind the last. */
static const struct rrset *
base_set(const struct change_edit *e, unsigned i)
{
	unsigned n = e->base != NULL ? node_set_count(e->base) : 0;
	if (n != 0 && !node_word_is_set(e->base->sets[n - 1]))
		n--;
	if (i < n)
		return node_set(e->base->sets[i]);
	if (e->base_nsec3 == NULL || i > n + 1)
		return NULL;
	return i == n ? e->base_nsec3->set : e->base_nsec3->sigs;
}

/* As many records as in the base, and each of those: so the same ones. */
static bool
edit_is_effective(const struct change_edit *e)
{
	const struct rrset *base;
	size_t before = 0, now = 0;
	for (unsigned i = 0; i < e->n_sets; i++)
		now += set_size(&e->sets[i]);
	for (unsigned i = 0; (base = base_set(e, i)) != NULL; i++)
		before += base->n_rr;
	if (before != now)
		return true;
	for (unsigned i = 0; (base = base_set(e, i)) != NULL; i++) {
		if (!set_is_kept(e, base))
			return true;
	}
	return false;
}

bool
zone_change_is_effective(const struct zone_change *c)
{
	for (size_t i = 0; i < c->cap; i++) {
		const struct change_edit *e = c->table[i];
		if (e != NULL && e->is_changed && edit_is_effective(e))
			return true;
	}
	return false;
}
