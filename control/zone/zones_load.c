/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loading: operations, and the queue of zones that they want loaded. See zones.h.
 *
 * An operation (`reload`, `zone reload`, the start) wants a load of one zone or of all. Each zone that it wants
 * goes into one queue, once however many operations want it; a few jobs at a time are on the libuv pool. A wish
 * that arrives while a job for its zone runs is for a further job, since the running one may have read the file
 * already.
 *
 * What a job does is in zones_job.c. One whose zone waits to be published counts as running, so that loading, and
 * with it memory, stops growing.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/base/log.h"
#include "control/zone/zones_pool.h"
#include "control/zone/zones_private.h"

struct zones_op {
	struct zones *zones;
	struct zones_report report;
	bool is_quiet;
	uint64_t pending; /* zones not dealt with, and one for `start` */
	zones_done_fn *done;
	void *arg;
	uv_timer_t start; /* so that `done` never comes before the caller knows the op; then, to tell of progress */
	/* Of one over all zones; `start` fires until `next` is at the end. */
	size_t next, end;         /* the positions that have not been looked at */
	struct zones_op *feeding; /* the next one in zones.feeding */
};

#define FEED_ZONES 4000  /* looked at in a turn of the loop: some 1 ms */
#define FEED_PAUSE_MS 1  /* a timer of 0 ms would fire again in the same turn */
#define PROGRESS_MS 2000 /* of operations that take longer, each time */

/* -------- operations -------- */

static void
op_closed(uv_handle_t *h)
{
	struct zones_op *op = h->data;
	op->zones->n_ops--;
	for (unsigned i = 0; i < op->report.n_failures; i++) {
		free(op->report.failures[i].zone);
		free(op->report.failures[i].message);
	}
	free(op);
}

static void
op_one_done(struct zones_op *op)
{
	if (--op->pending)
		return;
	op->done(op->arg, &op->report);
	uv_close((uv_handle_t *)&op->start, op_closed);
}

static void
op_fail_zone(struct zones_op *op, const struct zone_item *item, const char *message)
{
	op->report.failed++;
	if (op->report.n_failures == ZONES_FAILURES_MAX)
		return;
	char text[NAME_TEXT_MAX];
	name_to_text(item->slot->apex, text);
	struct zones_failure f = {strdup(text), strdup(message)};
	if (f.zone && f.message) {
		op->report.failures[op->report.n_failures++] = f;
	} else {
		free(f.zone);
		free(f.message);
	}
}

/* Tells every operation in the list how it went with the item: `error` (NULL: well), and whether it was loaded. */
void
zone_waits_finish(struct zone_wait *waits, const struct zone_item *item, const char *error, bool is_loaded)
{
	while (waits) {
		struct zone_wait *w = waits;
		waits = w->next;
		if (error)
			op_fail_zone(w->op, item, error);
		else if (is_loaded)
			w->op->report.loaded++;
		else
			w->op->report.unchanged++;
		op_one_done(w->op);
		free(w);
	}
}

static void op_started(uv_timer_t *t);

void
zones_op_describe(const struct zones_op *op, char out[ZONES_PROGRESS_MAX])
{
	const struct zones_report *r = &op->report;
	struct load_progress longest;
	char zone[NAME_TEXT_MAX];
	int len =
		snprintf(out, ZONES_PROGRESS_MAX, "%llu of %llu",
			 (unsigned long long)(r->loaded + r->unchanged + r->failed), (unsigned long long)r->total);
	if (r->failed)
		len += snprintf(out + len, ZONES_PROGRESS_MAX - (size_t)len, ", %llu with faults",
				(unsigned long long)r->failed);
	if (!load_jobs_longest(op->zones, &longest))
		return;
	name_to_text(longest.item->slot->apex, zone);
	snprintf(out + len, ZONES_PROGRESS_MAX - (size_t)len, "; of %s, %u %% of %.1f MB are read", zone,
		 (unsigned)(longest.octets_read * 100 / longest.octets), (double)longest.octets / 1e6);
}

void
zones_op_set_quiet(struct zones_op *op)
{
	op->is_quiet = true;
}

static void
op_tell_progress(uv_timer_t *t)
{
	const struct zones_op *op = t->data;
	const struct zones_report *r = &op->report;
	char text[ZONES_PROGRESS_MAX];
	if (op->is_quiet || r->loaded + r->unchanged + r->failed == r->total)
		return; /* or it waits for something else */
	zones_op_describe(op, text);
	log_info("loading zones: %s", text);
}

static struct zones_op *
op_new(struct zones *z, zones_done_fn *done, void *arg)
{
	struct zones_op *op = calloc(1, sizeof(*op));
	if (!op)
		return NULL;
	op->zones = z;
	op->pending = 1;
	op->done = done;
	op->arg = arg;
	uv_timer_init(z->options.loop, &op->start);
	op->start.data = op;
	uv_timer_start(&op->start, op_started, 0, 0);
	z->n_ops++;
	return op;
}

void
zone_queue_append(struct zones *z, struct zone_item *item)
{
	item->is_queued = true;
	item->prev = z->queue_last;
	item->next = NULL;
	if (z->queue_last)
		z->queue_last->next = item;
	else
		z->queue_first = item;
	z->queue_last = item;
}

static void
queue_remove(struct zones *z, struct zone_item *item)
{
	item->is_queued = false;
	*(item->prev ? &item->prev->next : &z->queue_first) = item->next;
	*(item->next ? &item->next->prev : &z->queue_last) = item->prev;
}

static void
op_want(struct zones_op *op, struct zone_wait *wait, bool force)
{
	struct zones *z = op->zones;
	struct zone_item *item = wait->item;
	wait->op = op;
	wait->next = item->waits;
	item->waits = wait;
	item->force |= force;
	op->pending++;
	op->report.total++;
	if (!item->is_queued && !item->job)
		zone_queue_append(z, item);
	zone_item_update(z, item);
}

/* Is there anything to load for it: a file, or what the state may have of it? */
static bool
is_loadable(const struct zone_item *item)
{
	return item->config->role == CONFIG_PRIMARY || !item->was_loaded;
}

/* Puts up to `n` more of all zones into the queue. */
static void
op_feed(struct zones_op *op, size_t n)
{
	struct zones *z = op->zones;
	for (; op->next < op->end && n > 0; op->next++, n--) {
		struct zone_item *item = z->items[op->next];
		struct zone_wait *w = is_loadable(item) ? malloc(sizeof(*w)) : NULL;
		op->report.total--; /* it was counted when nobody had looked */
		if (w) {
			*w = (struct zone_wait){.item = item};
			op_want(op, w, false);
		} else if (is_loadable(item)) {
			op->report.total++;
			op_fail_zone(op, item, "out of memory");
		}
	}
}

static void
op_stop_feeding(struct zones_op *op)
{
	struct zones_op **at = &op->zones->feeding;
	while (*at && *at != op)
		at = &(*at)->feeding;
	if (*at)
		*at = op->feeding;
	op->report.total -= op->end - op->next;
	op->next = op->end;
}

static void
op_started(uv_timer_t *t)
{
	struct zones_op *op = t->data;
	if (op->zones->stopping)
		op_stop_feeding(op);
	op_feed(op, FEED_ZONES);
	zones_pump(op->zones);
	if (op->next < op->end) {
		uv_timer_start(t, op_started, FEED_PAUSE_MS, 0);
		return;
	}
	op_stop_feeding(op);
	uv_timer_start(t, op_tell_progress, PROGRESS_MS, PROGRESS_MS);
	op_one_done(op);
}

void
zones_feed_all(struct zones *z)
{
	for (struct zones_op *op = z->feeding; op; op = op->feeding)
		op_feed(op, SIZE_MAX);
}

int
zones_load_all(struct zones *z, zones_done_fn *done, void *arg, struct zones_op **out)
{
	struct zones_op *op = op_new(z, done, arg);
	if (!op)
		return -ENOMEM;
	op->end = op->report.total = z->n_own;
	op->feeding = z->feeding;
	z->feeding = op;
	*out = op;
	return 0;
}

int
zones_load_one(struct zones *z, const struct name *apex, zones_done_fn *done, void *arg, struct zones_op **out)
{
	struct zone_item *item = zones_find(z, apex);
	if (!item)
		return -ENOENT;
	if (item->config->role != CONFIG_PRIMARY)
		return -ENOTSUP;
	struct zone_wait *w = malloc(sizeof(*w));
	struct zones_op *op = w ? op_new(z, done, arg) : NULL;
	if (!op) {
		free(w);
		return -ENOMEM;
	}
	w->item = item;
	op_want(op, w, true);
	*out = op;
	return 0;
}

void
zone_wait_join(struct zones_op *op, struct zone_item *item)
{
	struct zone_wait *w = malloc(sizeof(*w));
	if (!w)
		return;
	*w = (struct zone_wait){.item = item};
	op_want(op, w, false);
}

void
zones_op_hold(struct zones_op *op)
{
	op->pending++;
}

void
zones_op_release(struct zones_op *op)
{
	op_one_done(op);
}

const struct zones_report *
zones_op_report(const struct zones_op *op)
{
	return &op->report;
}

/* -------- the queue -------- */

/*
 * Begun and not ended, for each builder: what it takes of the smallest zones between two looks at what is done, and
 * not many more, since in one turn of the loop all of them may end, or be begun.
 */
#define JOBS_EACH 200

/* At a stop: also those that were asked for while their zone was being loaded, or even later. */
static void
queue_give_up(struct zones *z)
{
	while (z->queue_first) {
		struct zone_item *item = z->queue_first;
		struct zone_wait *waits = item->waits;
		queue_remove(z, item);
		item->waits = NULL;
		zone_waits_finish(waits, item, "the server stops", false);
	}
}

/* A job that waits for the pool costs little; what it has made is served as soon as the loop gets to it. */
void
zones_pump(struct zones *z)
{
	if (z->stopping) {
		queue_give_up(z);
		return;
	}
	unsigned jobs_max = JOBS_EACH * (z->options.builders ? z->options.builders : 1);
	while (z->queue_first && !z->is_committing && !z->n_parked && z->n_jobs < jobs_max) {
		struct zone_item *item = z->queue_first;
		queue_remove(z, item);
		struct zone_wait *waits = item->waits;
		if (!load_job_start(z, item)) {
			item->waits = NULL;
			if (!item->error)
				item->error = strdup("out of memory");
			zone_item_update(z, item);
			zone_waits_finish(waits, item, "out of memory", false);
		}
	}
}

void
zone_item_forget(struct zones *z, struct zone_item *item)
{
	if (item->is_queued)
		queue_remove(z, item);
	struct zone_wait *waits = item->waits;
	item->waits = NULL;
	zone_waits_finish(waits, item, "it is not configured any more", false);
	if (item->job)
		load_job_forget(item->job);
}

void
zones_stop(struct zones *z)
{
	z->stopping = true;
	queue_give_up(z);
	zones_pool_stop(z->pool);
	zones_on_room(z);
}

bool
zones_are_idle(const struct zones *z)
{
	return !z->n_jobs && !z->n_ops && !z->n_versions && zones_pool_is_idle(z->pool);
}
