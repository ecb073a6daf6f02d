/* SPDX-License-Identifier: Apache-2.0 */
/* What leads from one snapshot to the next. See state_difference.h. */
#include "control/state/state_difference.h"

#include <errno.h>

#include "zones/store/diff.h"
#include "zones/store/records.h"
#include "zones/wire/rrtype.h"

struct taker {
	struct state_difference difference;
	const struct snapshot *next;
	uint64_t records_max;
};

static int
take(struct taker *t, const struct diff_record *d)
{
	struct name owner;
	name_copy(&owner, d->owner);
	const struct state_record r = {
		.owner = &owner, .type = d->type, .rdlen = d->rdlen, .ttl_s = d->ttl_s, .rdata = d->rdata};
	uint64_t n = ++*(d->is_added ? &t->difference.n_added : &t->difference.n_removed);
	if (n + (d->is_added ? t->difference.n_removed : t->difference.n_added) > t->records_max)
		return -E2BIG;
	return d->is_added ? state_changes_add(t->difference.changes, &r)
			   : state_changes_remove(t->difference.changes, &r);
}

static int
take_soa(struct taker *t, const struct snapshot *s, bool is_added)
{
	uint8_t rdata[RDATA_MAX_LEN];
	struct zone_record soa;
	records_soa(s, rdata, &soa);
	const struct diff_record d = {.owner = soa.owner,
				      .rdata = soa.rdata,
				      .ttl_s = soa.ttl_s,
				      .type = soa.type,
				      .rdlen = soa.rdlen,
				      .is_added = is_added};
	return take(t, &d);
}

/* Removed records come before added ones. */
static int
visit(const struct diff_record *d, void *arg)
{
	struct taker *t = arg;
	if (d->type == RRTYPE_SOA)
		return 0;
	int err = d->is_added && t->difference.n_added == 0 ? take_soa(t, t->next, true) : 0;
	return err ? err : take(t, d);
}

static int
collect(struct taker *t, const struct snapshot *base)
{
	int err = state_changes_begin(t->difference.changes, base->serial);
	if (!err)
		err = take_soa(t, base, false);
	if (!err)
		err = snapshot_diff(base, t->next, visit, t);
	if (!err && t->difference.n_added == 0)
		err = take_soa(t, t->next, true);
	return err ? err : state_changes_end(t->difference.changes, t->next->serial);
}

int
state_difference_make(const struct snapshot *base, const struct snapshot *next, uint64_t records_max,
		      struct state_difference *out)
{
	struct taker t = {.next = next, .records_max = records_max};
	struct name apex;
	if (base->serial == next->serial)
		return -EINVAL;
	name_copy(&apex, node_name(next->apex));
	t.difference.changes = state_changes_new(&apex);
	if (!t.difference.changes)
		return -ENOMEM;
	int err = collect(&t, base);
	if (err) {
		state_changes_free(t.difference.changes);
		return err;
	}
	*out = t.difference;
	return 0;
}
