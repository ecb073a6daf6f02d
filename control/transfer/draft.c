/* SPDX-License-Identifier: Apache-2.0 */
/* A version in the making. See draft.h. */
#include "control/transfer/draft.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/publish/zonemd_rule.h"
#include "control/state/state_difference.h"
#include "zones/base/alloc.h"
#include "zones/store/builder.h"
#include "zones/store/change.h"
#include "zones/store/replace.h"

/*
 * A difference may be this part of the zone, and some records more, to go into the journal; a larger one is better
 * stored as a whole zone, which is read faster and needs no compaction soon.
 */
#define DIFF_PART 3
#define DIFF_ALWAYS 64

void
draft_begin(struct draft *d)
{
	d->builder = NULL;
	d->replace = NULL;
	d->change = NULL;
	d->changes = NULL;
	d->stage = NULL;
	d->touched = NULL;
	d->touched_len = d->touched_cap = d->last_touched = 0;
	d->n_different = 0;
	d->warning[0] = '\0';
}

void
draft_clear(struct draft *d)
{
	zone_builder_abort(d->builder);
	zone_replace_abort(d->replace);
	zone_change_abort(d->change);
	state_changes_free(d->changes);
	state_stage_free(d->state, d->stage);
	zalloc_free(d->touched, d->touched_cap);
	draft_begin(d);
}

/* -------- whole zones -------- */

static int
whole_begin(void *arg)
{
	struct draft *d = arg;
	if (d->base)
		d->replace = zone_replace_new(d->base->snapshot, d->diag);
	else
		d->builder = zone_builder_new(&d->apex);
	if (d->builder)
		zone_builder_set_crew(d->builder, d->crew);
	return d->replace || d->builder ? 0 : -ENOMEM;
}

static int
whole_add(void *arg, const struct zone_record *r)
{
	struct draft *d = arg;
	struct name owner;
	name_copy(&owner, r->owner);
	if (d->replace)
		return zone_replace_add(d->replace, &owner, r->type, r->ttl_s, r->rdata, r->rdlen);
	return zone_builder_add(d->builder, &owner, r->type, r->ttl_s, r->rdata, r->rdlen, NULL);
}

/* -------- differences -------- */

/* Remembers a name that gets a record; those of one name come in a row as a rule. */
static int
touch(struct draft *d, const struct name *owner)
{
	if (d->touched_len && name_equal(d->touched + d->last_touched, owner->bytes))
		return 0;
	if (d->touched_cap - d->touched_len < owner->len) {
		size_t cap = d->touched_cap ? d->touched_cap * 2 : 2 * (size_t)NAME_MAX_LEN;
		uint8_t *touched = zalloc(cap, 0);
		if (!touched)
			return -ENOMEM;
		if (d->touched)
			memcpy(touched, d->touched, d->touched_len);
		zalloc_free(d->touched, d->touched_cap);
		d->touched = touched;
		d->touched_cap = cap;
	}
	memcpy(d->touched + d->touched_len, owner->bytes, owner->len);
	d->last_touched = d->touched_len;
	d->touched_len += owner->len;
	return 0;
}

static int
difference_begin(void *arg, uint32_t from_serial)
{
	struct draft *d = arg;
	if (!d->change) {
		d->change = zone_change_new(d->base->snapshot, ZONE_CHANGE_STRICT, d->diag);
		d->changes = state_changes_new(&d->apex);
		if (!d->change || !d->changes)
			return -ENOMEM;
	}
	return d->changes ? state_changes_begin(d->changes, from_serial) : 0;
}

static int
count_different(struct draft *d)
{
	uint64_t records = d->base->snapshot->records;
	if (++d->n_different <= DRAFT_DIFFERENCES_MIN || d->n_different <= 2 * records)
		return 0;
	diag_add(d->diag, DIAG_ERROR, NULL, 0, 0,
		 "the differences are longer than the zone, which has %llu records", (unsigned long long)records);
	return -ERANGE;
}

static struct state_record
state_record_of(const struct zone_record *r, const struct name *owner)
{
	return (struct state_record){
		.owner = owner, .type = r->type, .rdlen = r->rdlen, .ttl_s = r->ttl_s, .rdata = r->rdata};
}

static int
difference_remove(void *arg, const struct zone_record *r)
{
	struct draft *d = arg;
	struct name owner;
	name_copy(&owner, r->owner);
	struct state_record record = state_record_of(r, &owner);
	int err = count_different(d);
	if (!err)
		err = zone_change_remove(d->change, &owner, r->type, r->rdata, r->rdlen);
	if (!err && d->changes)
		err = state_changes_remove(d->changes, &record);
	return err;
}

static int
difference_add(void *arg, const struct zone_record *r)
{
	struct draft *d = arg;
	struct name owner;
	name_copy(&owner, r->owner);
	struct state_record record = state_record_of(r, &owner);
	int err = count_different(d);
	if (!err)
		err = zone_change_add(d->change, &owner, r->type, r->ttl_s, r->rdata, r->rdlen);
	if (!err && d->changes)
		err = state_changes_add(d->changes, &record);
	return err ? err : touch(d, &owner);
}

/* One that is forced may lead back to its own serial, which no journal can hold. */
static int
difference_end(void *arg, uint32_t from_serial, uint32_t to_serial)
{
	struct draft *d = arg;
	if (d->changes && from_serial != to_serial)
		return state_changes_end(d->changes, to_serial);
	state_changes_free(d->changes);
	d->changes = NULL;
	return 0;
}

struct xfr_in_events
draft_events(struct draft *d)
{
	return (struct xfr_in_events){
		.axfr_begin = whole_begin,
		.axfr_add = whole_add,
		.ixfr_begin = difference_begin,
		.ixfr_remove = difference_remove,
		.ixfr_add = difference_add,
		.ixfr_end = difference_end,
		.arg = d,
	};
}

/* -------- the zone as the state gets it beforehand -------- */

struct staged {
	struct zone_builder_reader *reader;
	struct name owner;
};

static int
staged_next(void *arg, struct state_record *out)
{
	struct staged *s = arg;
	struct zone_record r;
	if (!zone_builder_reader_next(s->reader, &r))
		return 0;
	name_copy(&s->owner, r.owner);
	*out = state_record_of(&r, &s->owner);
	return 1;
}

static void
staged_release(void *arg)
{
	struct staged *s = arg;
	zone_builder_reader_free(s->reader);
	free(s);
}

/*
 * Gives a large first zone to the state, which writes it while it is made and checked. Where that fails, the zone
 * is stored behind the checks, as small ones are.
 */
static void
stage(struct draft *d, uint32_t serial)
{
	if (!d->state || !d->builder || zone_builder_records(d->builder) < DRAFT_STAGE_MIN)
		return;
	struct staged *s = malloc(sizeof(*s));
	if (!s)
		return;
	if (zone_builder_read(d->builder, &s->reader)) {
		free(s);
		return;
	}
	const struct state_source source = {.next = staged_next, .arg = s};
	if (state_stage_begin(d->state, &d->apex, serial, &source, staged_release, &d->stage))
		staged_release(s);
}

/* What came is not what the zone has, where records came twice: then the zone is stored as it is. */
static void
unstage_other(struct draft *d, uint64_t n_records, const struct snapshot *s)
{
	if (s->records == n_records)
		return;
	state_stage_free(d->state, d->stage);
	d->stage = NULL;
}

/* -------- the finished zone -------- */

/* A snapshot that nobody has seen yet, and what it does not share with its base (NULL: it has none). */
struct made {
	struct snapshot *snapshot;
	struct snapshot_remains *remains;
};

static int
make(struct draft *d, struct made *out)
{
	struct zone_builder *builder = d->builder;
	struct zone_replace *replace = d->replace;
	struct zone_change *change = d->change;
	d->builder = NULL;
	d->replace = NULL;
	d->change = NULL;
	out->remains = NULL;
	if (change)
		return zone_change_finish(change, &out->snapshot, &out->remains);
	if (replace)
		return zone_replace_finish(replace, &out->snapshot, &out->remains);
	return zone_builder_finish(builder, d->diag, &out->snapshot);
}

static void
unmake(struct made *made)
{
	if (made->remains)
		snapshot_discard(made->snapshot, made->remains);
	else
		snapshot_free(made->snapshot);
}

static int
check_touched(const struct draft *d, const struct snapshot *s)
{
	int err = 0;
	for (size_t at = 0; !err && at < d->touched_len; at += name_len(d->touched + at))
		err = xfr_in_check_name(s, d->touched + at, &d->limits, d->diag);
	return err;
}

/* Many differences that are small may make a zone that is too large. */
static int
check_limits(const struct draft *d, const struct snapshot *s, bool is_difference)
{
	if (d->limits.records && s->records > d->limits.records) {
		diag_add(d->diag, DIAG_ERROR, NULL, 0, 0, "the zone would have %llu records, more than %llu",
			 (unsigned long long)s->records, (unsigned long long)d->limits.records);
		return -E2BIG;
	}
	return is_difference ? check_touched(d, s) : xfr_in_check_zone(s, &d->limits, d->diag);
}

static int
check_zonemd(struct draft *d, const struct snapshot *s)
{
	enum zonemd_rule rule;
	char why[ZONEMD_WHY_MAX];
	int err = zonemd_rule_judge(s, d->apex.bytes, d->zonemd, &rule, why);
	if (err)
		return err;
	if (rule == ZONEMD_RULE_WARN)
		snprintf(d->warning, sizeof(d->warning), "ZONEMD: %s", why);
	if (!zonemd_rule_refuses(rule))
		return 0;
	diag_add(d->diag, DIAG_ERROR, NULL, 0, 0, "ZONEMD: %s", why);
	return rule == ZONEMD_RULE_REFUSE_BAD ? -EBADMSG : -ENOKEY;
}

static int
check(struct draft *d, const struct snapshot *s, uint32_t serial, bool is_difference)
{
	if (s->serial != serial) {
		diag_add(d->diag, DIAG_ERROR, NULL, 0, 0, "the zone has serial %u, the transfer promised %u",
			 s->serial, serial);
		return -EINVAL;
	}
	int err = check_limits(d, s, is_difference);
	return err ? err : check_zonemd(d, s);
}

/* NULL: large, not to be had, or out of memory; the whole zone is stored then, which is always right. */
static struct state_changes *
changes_between(const struct snapshot *base, const struct snapshot *next)
{
	struct state_difference difference;
	uint64_t records_max = next->records / DIFF_PART + DIFF_ALWAYS;
	return state_difference_make(base, next, records_max, &difference) == 0 ? difference.changes : NULL;
}

/* -------- the end -------- */

static struct served *
wrap(const struct draft *d, struct made *made)
{
	if (made->remains)
		return served_new_changed(d->base, made->snapshot, made->remains);
	return served_new(made->snapshot, snapshot_bytes(made->snapshot));
}

int
draft_finish(struct draft *d, uint32_t serial, struct served **next, struct state_changes **changes,
	     struct state_stage **staged)
{
	bool is_difference = d->change != NULL;
	struct made made;
	assert(d->builder || d->replace || d->change);
	uint64_t n_records = d->builder ? zone_builder_records(d->builder) : 0;
	stage(d, serial);
	int err = make(d, &made);
	if (err)
		return err;
	unstage_other(d, n_records, made.snapshot);
	err = check(d, made.snapshot, serial, is_difference);
	struct served *served = err ? NULL : wrap(d, &made);
	if (!served) {
		unmake(&made);
		return err ? err : -ENOMEM;
	}
	if (d->base && !is_difference)
		d->changes = changes_between(d->base->snapshot, made.snapshot);
	*next = served;
	*changes = d->changes;
	*staged = d->stage;
	d->changes = NULL;
	d->stage = NULL;
	return 0;
}
