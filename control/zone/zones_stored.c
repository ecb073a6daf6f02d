/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A zone between state and snapshot: read back from disk, and handed out to it. See zones_private.h.
 *
 * Reading is one pass: the base's records go into a builder; when the first difference begins, the builder makes a
 * snapshot of them, and a change of that takes the differences. What the change replaces has never been seen by a
 * reader and is freed at once. Pool threads; the source's next() runs on the state's writer thread.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/zone/zones_private.h"
#include "zones/store/builder.h"
#include "zones/store/change.h"
#include "zones/store/records.h"

/* -------- from state -------- */

struct stored {
	struct zone_builder *builder; /* until the first difference */
	struct snapshot *base;        /* from then on, */
	struct zone_change *change;   /* and what has been changed of it */
	struct diag_list *diag;
};

static int
stored_record(void *arg, const struct state_record *r)
{
	struct stored *s = arg;
	return zone_builder_add(s->builder, r->owner, r->type, r->ttl_s, r->rdata, r->rdlen, NULL);
}

static int
stored_difference(void *arg, uint32_t from_serial, uint32_t to_serial)
{
	struct stored *s = arg;
	if (s->change)
		return 0;
	struct zone_builder *b = s->builder;
	s->builder = NULL;
	int err = zone_builder_finish(b, s->diag, &s->base);
	if (err)
		return err;
	s->change = zone_change_new(s->base, ZONE_CHANGE_STRICT, s->diag);
	return s->change ? 0 : -ENOMEM;
}

static int
stored_remove(void *arg, const struct state_record *r)
{
	struct stored *s = arg;
	return zone_change_remove(s->change, r->owner, r->type, r->rdata, r->rdlen);
}

static int
stored_add(void *arg, const struct state_record *r)
{
	struct stored *s = arg;
	return zone_change_add(s->change, r->owner, r->type, r->ttl_s, r->rdata, r->rdlen);
}

static int
stored_finish(struct stored *s, struct snapshot **out)
{
	struct snapshot_remains *remains;
	if (!s->change) {
		struct zone_builder *b = s->builder;
		s->builder = NULL;
		return zone_builder_finish(b, s->diag, out);
	}
	struct zone_change *c = s->change;
	s->change = NULL;
	int err = zone_change_finish(c, out, &remains);
	if (err)
		return err;
	snapshot_remains_free(remains);
	s->base = NULL;
	return 0;
}

int
zone_stored_load(struct state *st, const struct name *apex, enum state_version version, struct snapshot **out,
		 struct state_zone *zone, struct diag_list *diag)
{
	struct stored s = {.builder = zone_builder_new(apex), .diag = diag};
	const struct state_sink sink = {.record = stored_record,
					.difference = stored_difference,
					.remove = stored_remove,
					.add = stored_add,
					.arg = &s};
	*zone = (struct state_zone){0};
	int err = s.builder ? state_zone_load(st, apex, version, &sink, zone, diag) : -ENOMEM;
	if (!err)
		err = stored_finish(&s, out);
	else if (err == -ENOENT && state_zone_get(st, apex, zone) != 0)
		*zone = (struct state_zone){0};
	zone_change_abort(s.change);
	snapshot_free(s.base);
	zone_builder_abort(s.builder);
	return err;
}

/* -------- to state -------- */

/* Thousands of them may wait for the writer, and it reads a few at a time: only these have a buffer. */
struct zone_source {
	struct records_cursor cursor;
	struct name owner;
	uint8_t *rdata; /* RDATA_MAX_LEN octets, from the first record to the end; NULL: none */
};

struct zone_source *
zone_source_new(const struct snapshot *s)
{
	struct zone_source *source = malloc(sizeof(*source));
	if (!source)
		return NULL;
	source->rdata = NULL;
	records_cursor_begin(&source->cursor, s);
	return source;
}

static int
source_next(void *arg, struct state_record *out)
{
	struct zone_source *source = arg;
	struct zone_record r;
	if (!source->rdata)
		source->rdata = malloc(RDATA_MAX_LEN);
	if (!source->rdata)
		return -ENOMEM;
	if (!records_cursor_next(&source->cursor, source->rdata, &r)) {
		free(source->rdata);
		source->rdata = NULL;
		return 0;
	}
	name_copy(&source->owner, r.owner);
	*out = (struct state_record){
		.owner = &source->owner, .type = r.type, .rdlen = r.rdlen, .ttl_s = r.ttl_s, .rdata = r.rdata};
	return 1;
}

struct state_source
zone_source_state(struct zone_source *source)
{
	return (struct state_source){.next = source_next, .arg = source};
}

void
zone_source_free(struct zone_source *source)
{
	if (source)
		free(source->rdata);
	free(source);
}
