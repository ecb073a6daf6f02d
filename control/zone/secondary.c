/* SPDX-License-Identifier: Apache-2.0 */
/* Secondaries: zones and their timers. See secondary.h. Control thread. */
#include <assert.h>
#include <errno.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "control/base/log.h"
#include "control/zone/secondary_private.h"
#include "zones/wire/serial.h"

#define RETRY_DOUBLINGS_MAX 6    /* of the retry timer, while all primaries fail */
#define RETRY_FIRST_MS 1000      /* where there is no SOA with timers: 1 s, 2 s, 4 s ... */
#define RETRY_FIRST_MAX_MS 60000 /* to at most this */
#define JITTER_PERCENT 10        /* timers of many zones must not beat in one rhythm */

/* -------- time -------- */

/* Somewhere in the last tenth before `ms` is over. */
static uint64_t
with_jitter(uint64_t ms)
{
	uint32_t random = 0;
	(void)!getrandom(&random, sizeof(random), GRND_NONBLOCK);
	return ms - ms * JITTER_PERCENT / 100 * random / UINT32_MAX;
}

static uint32_t
between(uint32_t value_s, uint32_t min_s, uint32_t max_s)
{
	return value_s < min_s ? min_s : value_s > max_s ? max_s : value_s;
}

static uint32_t
soa_expire_s(const struct secondary *s, const struct snapshot *snapshot)
{
	const struct config_zone *c = s->item->config;
	return between(snapshot->expire_s, c->expire_min_s, c->expire_max_s);
}

static uint64_t
refresh_ms(const struct secondary *s)
{
	const struct config_zone *c = s->item->config;
	const struct snapshot *snapshot = s->item->served->snapshot;
	return (uint64_t)between(snapshot->refresh_s, c->refresh_min_s, c->refresh_max_s) * 1000;
}

static uint64_t
retry_ms(const struct secondary *s)
{
	const struct config_zone *c = s->item->config;
	unsigned doublings = s->failures - 1 < RETRY_DOUBLINGS_MAX ? s->failures - 1 : RETRY_DOUBLINGS_MAX;
	uint64_t ms = RETRY_FIRST_MS, cap_ms = (uint64_t)c->retry_max_s * 1000;
	if (s->item->served)
		ms = (uint64_t)between(s->item->served->snapshot->retry_s, c->retry_min_s, c->retry_max_s) * 1000;
	else if (cap_ms > RETRY_FIRST_MAX_MS)
		cap_ms = RETRY_FIRST_MAX_MS;
	ms <<= doublings;
	return ms < cap_ms ? ms : cap_ms;
}

static uint64_t
now_ms(const struct secondaries *all)
{
	return uv_now(all->options.loop);
}

/* Loop time of a wall time; what is past is now. */
static uint64_t
at_ms(const struct secondaries *all, int64_t wall_s)
{
	struct timespec t;
	clock_gettime(CLOCK_REALTIME, &t);
	int64_t left_ms = (wall_s - t.tv_sec) * 1000 - t.tv_nsec / 1000000;
	return now_ms(all) + (left_ms > 0 ? (uint64_t)left_ms : 0);
}

/* -------- the one timer -------- */

static void timer_fired(uv_timer_t *t);

#define DUE_AT_ONCE_MAX 150 /* zones a turn of the loop: some 2 ms */
#define TIMER_LEAST_MS 1    /* with less, the timer would fire again in the same turn */

static void
timer_set(struct secondaries *all)
{
	const struct due_entry *first = due_first(&all->due);
	if (!first || all->stopping) {
		uv_timer_stop(&all->timer);
		return;
	}
	uint64_t now = now_ms(all);
	uint64_t after_ms = first->at_ms > now + TIMER_LEAST_MS ? first->at_ms - now : TIMER_LEAST_MS;
	uv_timer_start(&all->timer, timer_fired, after_ms, 0);
}

/* The next thing to do: a refresh, unless one runs; or the withdrawal, if that comes first. */
static void
due_again(struct secondary *s)
{
	bool can_expire = s->expires_at_s && s->item->served && !s->item->is_expired;
	uint64_t at = s->refresh ? UINT64_MAX : s->next_ms;
	if (can_expire && at_ms(s->all, secondary_wall_s(s->expires_at_s)) < at)
		at = at_ms(s->all, secondary_wall_s(s->expires_at_s));
	if (at == UINT64_MAX)
		due_remove(&s->all->due, &s->due);
	else
		due_set(&s->all->due, &s->due, at);
	timer_set(s->all);
}

static void
expire_if_over(struct secondary *s)
{
	char zone[NAME_TEXT_MAX];
	bool is_over = s->expires_at_s && secondary_wall_s(s->expires_at_s) <= time(NULL);
	if (!is_over || !s->item->served || s->item->is_expired)
		return;
	name_to_text(s->item->slot->apex, zone);
	log_write(CONFIG_LOG_ERROR, zone,
		  "expired: no primary has confirmed serial %u in time; it is answered with "
		  "SERVFAIL until one does",
		  s->item->served->snapshot->serial);
	zone_expire(s->all->options.zones, s->item);
}

static void
refresh_now(struct secondary *s, bool is_urgent)
{
	bool whole = s->wants_whole || s->item->is_reset;
	s->runs_reset = s->item->is_reset;
	s->was_notified = s->wants_whole = false;
	for (struct secondary_waiter *w = s->waiters; w; w = w->next)
		w->has_begun = true;
	refresh_begin(s, is_urgent, whole);
}

static void
timer_fired(uv_timer_t *t)
{
	struct secondaries *all = t->data;
	for (unsigned n = 0; n < DUE_AT_ONCE_MAX; n++) {
		struct due_entry *e = due_first(&all->due);
		if (!e || e->at_ms > now_ms(all))
			break;
		struct secondary *s = (struct secondary *)((char *)e - offsetof(struct secondary, due));
		expire_if_over(s);
		if (!s->refresh && s->next_ms <= now_ms(all))
			refresh_now(s, false);
		due_again(s);
	}
	timer_set(all);
}

/* -------- the end of a refresh -------- */

void
secondary_meta(const struct secondary *s, const struct snapshot *snapshot, uint32_t expire_s, const char *source,
	       struct state_meta *out)
{
	int64_t now_s = time(NULL);
	uint32_t soa_s = soa_expire_s(s, snapshot);
	*out = (struct state_meta){
		.refreshed_at_s = now_s,
		.expires_at_s = now_s + (expire_s && expire_s < soa_s ? expire_s : soa_s),
	};
	if (s->has_rejected)
		out->flags = s->rejected_serial; /* only looked at while it is newer than the serial served */
	snprintf(out->primary, sizeof(out->primary), "%s", source ? source : "");
}

static int
compare_sources(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* Of a million zones most come from a few remotes: each id is kept once, until the end. NULL: none, or no memory.
 */
static const char *
source_keep(struct secondaries *all, const char *id)
{
	if (!id[0])
		return NULL;
	char *const *found = tfind(id, &all->sources, compare_sources);
	if (found)
		return *found;
	char *copy = strdup(id);
	if (copy && !tsearch(copy, &all->sources, compare_sources)) {
		free(copy);
		copy = NULL;
	}
	return copy;
}

static void
expire_at(struct secondary *s, int64_t wall_s)
{
	s->expires_at_s = (uint32_t)wall_s;
	atomic_store_explicit(&s->item->slot->expires_at_s, (uint32_t)wall_s, memory_order_relaxed);
}

void
secondary_take_meta(struct secondary *s, const struct state_meta *meta)
{
	s->refreshed_at_s = (uint32_t)meta->refreshed_at_s;
	expire_at(s, meta->expires_at_s);
	if (!s->source || strcmp(s->source, meta->primary) != 0)
		s->source = source_keep(s->all, meta->primary);
}

/* Those whose refresh is over, or all. */
static void
tell_waiters(struct secondary *s, bool all, const char *error)
{
	struct secondary_waiter *told = NULL, **at = &s->waiters;
	while (*at) {
		struct secondary_waiter *w = *at;
		if (!all && !w->has_begun) {
			at = &w->next;
			continue;
		}
		*at = w->next;
		w->next = told;
		told = w;
	}
	while (told) {
		struct secondary_waiter *w = told;
		told = w->next;
		w->done(w->arg, error);
		free(w);
	}
}

static void
set_error(struct secondary *s, const char *error)
{
	s->item->is_confirmed = !error;
	free(s->error);
	s->error = error ? strdup(error) : NULL;
}

/* A version has come that was asked for as a whole, after the reset. */
static void
reset_end(struct secondary *s)
{
	const struct secondaries_options *options = &s->all->options;
	if (!s->runs_reset)
		return;
	s->runs_reset = s->item->is_reset = false;
	if (options->reset_done)
		options->reset_done(options->arg, s->item);
}

void
secondary_refreshed(struct secondary *s, enum refresh_end end, const char *error)
{
	struct secondaries *all = s->all;
	struct zone_item *item = s->item;
	s->refresh = NULL;
	all->stats.refreshes++;
	if (end == REFRESH_CANCELLED) {
		tell_waiters(s, true, "the server stops");
		return;
	}
	if (end == REFRESH_FAILED) {
		all->stats.refresh_failures++;
		s->failures += s->failures < UINT16_MAX;
		set_error(s, error);
		s->next_ms = now_ms(all) + with_jitter(retry_ms(s));
	} else {
		s->failures = 0;
		set_error(s, NULL);
		zone_revive(all->options.zones, item);
		if (end == REFRESH_NEW)
			reset_end(s);
		s->next_ms = now_ms(all) + with_jitter(refresh_ms(s));
	}
	zone_item_update(all->options.zones, item);
	tell_waiters(s, false, s->error);
	if (s->was_notified && !s->refresh)
		refresh_now(s, true);
	due_again(s);
}

/* -------- what zones tell -------- */

/* Where memory ran out, nothing is noted of some primaries. */
static void
set_primaries(struct secondary *s, unsigned room)
{
	const struct config_zone *config = s->item->config;
	unsigned n = config->n_primaries < room ? config->n_primaries : room;
	memset(s->primaries, 0, n * sizeof(s->primaries[0]));
	s->n_primaries = (uint16_t)n;
	s->preferred = 0;
	for (unsigned i = 0; s->source && i < config->n_primaries; i++)
		if (strcmp(config->primaries[i]->id, s->source) == 0)
			s->preferred = (uint16_t)i;
}

/* Others are configured. It may be moved for that. */
static void
change_primaries(struct secondary *s)
{
	unsigned n = s->item->config->n_primaries, room = s->n_primaries;
	struct secondary *moved = n > room ? realloc(s, secondary_bytes(n)) : NULL;
	if (!moved) {
		set_primaries(s, room);
		return;
	}
	moved->item->secondary = moved;
	due_follow(&moved->all->due, &moved->due);
	if (moved->refresh)
		refresh_follow(moved->refresh, moved);
	set_primaries(moved, n);
}

static void
secondary_free(struct secondary *s)
{
	free(s->error);
	free(s);
}

static struct secondary *
secondary_new(struct secondaries *all, struct zone_item *item, const struct state_meta *meta)
{
	unsigned n = item->config->n_primaries;
	struct secondary *s = calloc(1, secondary_bytes(n));
	if (!s || due_join(&all->due) != 0) {
		free(s);
		return NULL;
	}
	s->all = all;
	s->item = item;
	secondary_take_meta(s, meta);
	set_primaries(s, n);
	return s;
}

/* When to ask first: where the data is from before a restart, when its timer would have run out. */
static uint64_t
first_refresh_ms(const struct secondary *s)
{
	if (!s->item->served || !s->refreshed_at_s || s->item->is_expired)
		return now_ms(s->all);
	uint64_t interval_ms = refresh_ms(s);
	int64_t passed_s = time(NULL) - secondary_wall_s(s->refreshed_at_s);
	if (passed_s < 0 || (uint64_t)passed_s * 1000 >= interval_ms)
		return now_ms(s->all);
	return now_ms(s->all) + with_jitter(interval_ms - (uint64_t)passed_s * 1000);
}

void
secondary_loaded(struct secondaries *all, struct zone_item *item, const struct state_meta *meta)
{
	if (item->config->role != CONFIG_SECONDARY || item->secondary || all->stopping)
		return;
	struct secondary *s = secondary_new(all, item, meta);
	if (!s) {
		log_error("no memory for the timers of a secondary zone: it is not refreshed");
		return;
	}
	item->secondary = s;
	item->is_confirmed = s->refreshed_at_s != 0; /* until the next refresh tells */
	s->wants_whole = item->force;
	item->force = false;
	if (meta->flags && item->served && serial_is_newer(meta->flags, item->served->snapshot->serial)) {
		s->has_rejected = true;
		s->rejected_serial = meta->flags;
	}
	if (item->served && !s->expires_at_s) /* it was no secondary before */
		expire_at(s, time(NULL) + soa_expire_s(s, item->served->snapshot));
	s->next_ms = s->wants_whole || item->is_reset || item->was_notified ? now_ms(all) : first_refresh_ms(s);
	item->was_notified = false;
	zone_item_update(all->options.zones, item);
	due_again(s);
}

void
secondary_configured(struct secondaries *all, struct zone_item *item)
{
	struct secondary *s = item->secondary;
	if (s && item->config->role != CONFIG_SECONDARY) {
		secondary_removed(all, item);
	} else if (!s) {
		if (item->was_loaded)
			secondary_loaded(all, item, &(struct state_meta){0});
	} else {
		if (s->refresh)
			refresh_outdate(s->refresh);
		change_primaries(s);
		s = item->secondary;
		if (!s->refresh && s->failures) { /* what is configured now may be the cure */
			s->next_ms = now_ms(all);
			due_again(s);
		}
	}
}

void
secondary_removed(struct secondaries *all, struct zone_item *item)
{
	struct secondary *s = item->secondary;
	if (!s)
		return;
	item->secondary = NULL;
	atomic_store_explicit(&item->slot->expires_at_s, 0, memory_order_relaxed);
	due_leave(&all->due, &s->due);
	if (s->refresh)
		refresh_orphan(s->refresh);
	tell_waiters(s, true, "the zone is not configured any more");
	secondary_free(s);
}

/* -------- what others ask for -------- */

static void
wake(struct secondary *s)
{
	s->was_notified = true;
	if (s->refresh && !s->all->stopping)
		refresh_hurry(s->refresh);
	if (s->refresh || s->all->stopping)
		return;
	refresh_now(s, true);
	due_again(s);
}

void
secondary_notified(struct secondaries *all, struct zone_item *item, const struct config_remote *from,
		   bool has_serial, uint32_t serial)
{
	struct secondary *s = item->secondary;
	all->stats.notifies++;
	if (!s) { /* not loaded yet: it asks as soon as it is, whatever its timers say */
		item->was_notified = true;
		return;
	}
	bool is_news = !has_serial || !item->served || item->is_expired ||
		       serial_is_newer(serial, item->served->snapshot->serial);
	if (!is_news) {
		all->stats.notifies_useless++;
		return;
	}
	for (unsigned i = 0; from && i < s->n_primaries; i++) {
		if (item->config->primaries[i] != from)
			continue;
		if (!item->config->primary_pin_s)
			s->preferred = (uint16_t)i;
		s->primaries[i].has_serial = has_serial;
		s->primaries[i].serial = serial;
	}
	wake(s);
}

int
secondary_refresh(struct secondaries *all, struct zone_item *item, bool whole, secondary_done_fn *done, void *arg)
{
	struct secondary *s = item->secondary;
	if (!s || all->stopping)
		return s ? -ECANCELED : -ENOTSUP;
	struct secondary_waiter *w = malloc(sizeof(*w));
	if (!w)
		return -ENOMEM;
	/* Who asks while a refresh runs may have changed something that it does not know: the next one is meant. */
	*w = (struct secondary_waiter){.next = s->waiters, .done = done, .arg = arg};
	s->waiters = w;
	s->wants_whole |= whole;
	s->has_rejected = false;
	wake(s);
	return 0;
}

void
secondary_reset(struct secondaries *all, struct zone_item *item)
{
	item->is_reset = true;
	if (!item->secondary) /* secondary_loaded() sees to it */
		return;
	item->secondary->runs_reset = false; /* what is under way may be from before */
	wake(item->secondary);
}

bool
secondary_is_reset(const struct zone_item *item)
{
	return item->is_reset;
}

void
secondary_interrupt(struct zone_item *item)
{
	if (item->secondary && item->secondary->refresh)
		refresh_interrupt(item->secondary->refresh);
}

void
secondary_reject(struct secondaries *all, struct zone_item *item, uint32_t serial)
{
	struct secondary *s = item->secondary;
	if (!s)
		return;
	s->rejected_serial = serial;
	s->has_rejected = item->served && serial_is_newer(serial, item->served->snapshot->serial);
	struct state_meta meta = {.refreshed_at_s = secondary_wall_s(s->refreshed_at_s),
				  .expires_at_s = secondary_wall_s(s->expires_at_s),
				  .flags = s->has_rejected ? serial : 0};
	snprintf(meta.primary, sizeof(meta.primary), "%s", s->source ? s->source : "");
	zone_store_meta(all->options.zones, item, &meta); /* or a restart would take it again */
}

/* -------- looking -------- */

bool
secondary_info(const struct zone_item *item, struct secondary_info *out)
{
	const struct secondary *s = item->secondary;
	if (!s)
		return false;
	int64_t until_s = (int64_t)(s->next_ms - now_ms(s->all)) / 1000;
	*out = (struct secondary_info){
		.refreshed_at_s = secondary_wall_s(s->refreshed_at_s),
		.expires_at_s = secondary_wall_s(s->expires_at_s),
		.next_at_s = s->refresh ? 0 : time(NULL) + until_s,
		.is_refreshing = s->refresh != NULL,
		.failures = s->failures,
		.error = s->error,
		.primaries = s->primaries,
		.n_primaries = s->n_primaries,
		.source = s->source ? s->source : "",
		.has_rejected = s->has_rejected,
		.rejected_serial = s->rejected_serial,
	};
	if (s->refresh)
		out->progress = refresh_progress(s->refresh);
	return true;
}

uint32_t
secondary_expire_left_s(const struct zone_item *item)
{
	const struct secondary *s = item->secondary;
	int64_t left_s = s && s->expires_at_s ? secondary_wall_s(s->expires_at_s) - time(NULL) : 0;
	return left_s > 0 && left_s <= UINT32_MAX ? (uint32_t)left_s : 0;
}

const struct secondary_stats *
secondaries_stats(const struct secondaries *s)
{
	return &s->stats;
}

/* -------- life -------- */

int
secondaries_new(const struct secondaries_options *options, struct secondaries **out)
{
	struct secondaries *all = calloc(1, sizeof(*all));
	if (!all)
		return -ENOMEM;
	all->options = *options;
	uv_timer_init(options->loop, &all->timer);
	all->timer.data = all;
	all->timer_is_open = true;
	*out = all;
	return 0;
}

static void
timer_closed(uv_handle_t *h)
{
	struct secondaries *all = h->data;
	all->timer_is_open = false;
}

void
secondaries_stop(struct secondaries *all)
{
	if (all->stopping)
		return;
	all->stopping = true;
	uv_close((uv_handle_t *)&all->timer, timer_closed);
}

bool
secondaries_are_idle(const struct secondaries *all)
{
	return !all->n_refreshes && !all->timer_is_open;
}

void
secondaries_free(struct secondaries *all)
{
	if (!all)
		return;
	due_free(&all->due);
	tdestroy(all->sources, free);
	free(all);
}
