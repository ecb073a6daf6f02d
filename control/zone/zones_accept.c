/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The end of the zone road: turns, and verified versions on their way to readers. See zones_private.h.
 *
 *     zone_accept() ──> state: stored and durable ──> room in the retired list? ──> publish ──> done()
 *                        │ queue full: waits            │ no: parked
 *                        └ failed: done(err), what is served stays
 *
 * Nothing behind the state's completion can fail. Everything runs on the control thread.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "control/base/log.h"
#include "control/zone/zones_private.h"

/* -------- turns -------- */

void
zone_turn_take(struct zone_item *item, struct zone_turn *turn)
{
	struct zone_turn **at = &item->turn;
	while (*at)
		at = &(*at)->next;
	turn->next = NULL;
	turn->item = item;
	*at = turn;
	if (item->turn == turn)
		turn->begin(turn);
}

void
zone_turn_end(struct zone_turn *turn)
{
	struct zone_item *item = turn->item;
	if (!item)
		return;
	assert(item->turn == turn);
	item->turn = turn->next;
	turn->item = NULL;
	if (item->turn)
		item->turn->begin(item->turn);
}

void
zone_turns_forget(struct zone_item *item)
{
	struct zone_turn *turn = item->turn;
	bool has_begun = true;
	item->turn = NULL;
	while (turn) {
		struct zone_turn *next = turn->next;
		turn->item = NULL;
		if (!has_begun)
			turn->begin(turn);
		has_begun = false;
		turn = next;
	}
}

/* -------- publishing -------- */

static void
version_finish(struct zone_version *v, int err)
{
	v->zones->n_versions--;
	served_free(v->next);
	state_changes_free(v->changes);
	state_stage_free(v->zones->options.state, v->stage);
	zone_source_free(v->source);
	v->source = NULL;
	v->next = NULL;
	v->changes = NULL;
	v->stage = NULL;
	v->done(v, err);
}

static void compact_begin(struct zones *z, struct zone_item *item);

static void
version_publish(struct zone_version *v)
{
	struct zones *z = v->zones;
	struct zone_item *item = v->turn->item;
	item->loaded_at_s = time(NULL);
	item->load_ms = v->load_ms;
	item->is_as_before = !item->served && v->store == ZONE_STORE_NOTHING && zone_is_kept(item->config);
	item->is_expired = v->is_expired && !item->served;
	if (item->is_expired) { /* kept for a primary to confirm it, or to change it; not shown */
		item->served = v->next;
		publish_withdraw(item->slot, item->served);
	} else {
		publish_zone(z->options.publisher, item->slot, &item->served, v->next, v->verified_ns);
	}
	v->next = NULL;
	free(item->error);
	item->error = NULL;
	zone_item_update(z, item);
	if (v->wants_compaction)
		compact_begin(z, item);
	if (z->options.published)
		z->options.published(z->options.arg, item);
	version_finish(v, 0);
}

static void
version_park(struct zone_version *v)
{
	struct zones *z = v->zones;
	if (!z->n_parked++)
		log_warning("publishing waits: replaced zone data cannot be freed yet; a reader has stalled or is "
			    "slow");
	v->next_waiting = NULL;
	*z->parked_last = v;
	z->parked_last = &v->next_waiting;
}

/* Behind the state: nothing fails any more. */
static void
version_is_durable(struct zone_version *v)
{
	struct zones *z = v->zones;
	struct zone_item *item = v->turn->item;
	if (!item || z->stopping)
		version_finish(v, -ECANCELED);
	else if (z->n_parked || !publish_has_room(z->options.publisher, item->served, v->next))
		version_park(v);
	else
		version_publish(v);
}

void
zones_on_room(struct zones *z)
{
	if (!z->n_parked)
		return;
	while (z->parked_first) {
		struct zone_version *v = z->parked_first;
		struct zone_item *item = v->turn->item;
		bool is_wanted = item && !z->stopping;
		if (is_wanted && !publish_has_room(z->options.publisher, item->served, v->next))
			return;
		z->parked_first = v->next_waiting;
		if (!z->parked_first)
			z->parked_last = &z->parked_first;
		z->n_parked--;
		if (is_wanted)
			version_publish(v);
		else
			version_finish(v, -ECANCELED);
	}
	log_info("publishing goes on");
	zones_pump(z);
}

unsigned
zones_waiting_to_publish(const struct zones *z)
{
	return z->n_parked;
}

/* -------- storing -------- */

static void version_store(struct zone_version *v);

static void
version_stored(void *arg, const struct state_result *result)
{
	struct zone_version *v = arg;
	zone_source_free(v->source);
	v->source = NULL;
	v->wants_compaction = result->wants_compaction;
	bool does_not_fit = result->err == -ESTALE || result->err == -ENOENT || result->err == -EBADMSG;
	if (v->store == ZONE_STORE_CHANGES && does_not_fit && v->turn->item && !v->zones->stopping) {
		v->store = ZONE_STORE_WHOLE; /* the disk has another version than the one that is served */
		version_store(v);
		return;
	}
	if (result->err)
		version_finish(v, result->err);
	else
		version_is_durable(v);
}

/* Asks the state; -EAGAIN: its queue is full. */
static int
version_ask_state(struct zone_version *v)
{
	struct state *st = v->zones->options.state;
	struct name apex;
	name_copy(&apex, v->turn->item->apex);
	const struct state_done done = {.fn = version_stored, .arg = v};
	if (v->store == ZONE_STORE_CHANGES) {
		int err = state_zone_append(st, &apex, &v->meta, v->changes, done);
		if (!err)
			v->changes = NULL;
		return err;
	}
	if (v->stage) {
		state_stage_commit(st, v->stage, &v->meta, done);
		v->stage = NULL;
		return 0;
	}
	if (!v->source)
		v->source = zone_source_new(v->next->snapshot);
	if (!v->source)
		return -ENOMEM;
	struct state_source source = zone_source_state(v->source);
	return state_zone_replace(st, &apex, v->next->snapshot->serial, &v->meta, &source, done);
}

static void
version_store(struct zone_version *v)
{
	struct zones *z = v->zones;
	int err = version_ask_state(v);
	if (err == -EAGAIN) {
		v->next_waiting = NULL;
		*z->storing_last = v;
		z->storing_last = &v->next_waiting;
	} else if (err) {
		version_finish(v, err);
	}
}

void
zones_on_state(struct zones *z)
{
	struct zone_version *v = z->storing_first;
	z->storing_first = NULL;
	z->storing_last = &z->storing_first;
	while (v) {
		struct zone_version *next = v->next_waiting;
		if (v->turn->item && !z->stopping)
			version_store(v);
		else
			version_finish(v, -ECANCELED);
		v = next;
	}
}

void
zone_accept(struct zones *z, struct zone_version *v)
{
	v->zones = z;
	v->source = NULL;
	v->wants_compaction = false;
	z->n_versions++;
	if (!v->turn->item || z->stopping)
		version_finish(v, -ECANCELED);
	else if (v->store == ZONE_STORE_NOTHING || !z->options.state)
		version_is_durable(v);
	else
		version_store(v);
}

/* -------- timers, expiry -------- */

void
zone_store_meta(struct zones *z, struct zone_item *item, const struct state_meta *meta)
{
	struct name apex;
	if (!z->options.state)
		return;
	name_copy(&apex, item->apex);
	int err = state_zone_put_meta(z->options.state, &apex, meta, (struct state_done){0});
	if (err && err != -EAGAIN) /* a full queue: the next refresh brings newer timers */
		log_limited(CONFIG_LOG_ERROR, NULL, "timers cannot be stored: %s", strerror(-err));
}

void
zone_expire(struct zones *z, struct zone_item *item)
{
	if (item->is_expired || !item->served)
		return;
	item->is_expired = true;
	publish_withdraw(item->slot, item->served);
	zone_item_update(z, item);
}

void
zone_revive(struct zones *z, struct zone_item *item)
{
	if (!item->is_expired)
		return;
	item->is_expired = false;
	publish_again(item->slot, item->served);
	zone_item_update(z, item);
}

/* -------- compaction -------- */

struct compaction {
	struct zones *zones;
	struct name apex;
	struct served *served; /* held: the source reads it */
	struct zone_source *source;
};

static void
compact_done(void *arg, const struct state_result *result)
{
	struct compaction *c = arg;
	struct zone_item *item = zones_find(c->zones, &c->apex);
	if (item)
		item->is_compacting = false;
	served_release(c->zones->options.publisher, c->served);
	c->zones->n_versions--;
	zone_source_free(c->source);
	free(c);
}

/* Failing is harmless: the next difference asks again. */
static void
compact_begin(struct zones *z, struct zone_item *item)
{
	struct compaction *c = item->is_compacting ? NULL : calloc(1, sizeof(*c));
	if (!c)
		return;
	c->zones = z;
	name_copy(&c->apex, item->apex);
	c->source = zone_source_new(item->served->snapshot);
	struct state_source source = zone_source_state(c->source);
	if (!c->source || state_zone_compact(z->options.state, &c->apex, item->served->snapshot->serial, &source,
					     (struct state_done){.fn = compact_done, .arg = c}) != 0) {
		zone_source_free(c->source);
		free(c);
		return;
	}
	served_hold(item->served);
	c->served = item->served;
	item->is_compacting = true;
	z->n_versions++;
}
