/* SPDX-License-Identifier: Apache-2.0 */
/* The configured zones: items, looking. See zones.h. */
#include "control/zone/zones.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "control/zone/zones_pool.h"
#include "control/zone/zones_private.h"

static const char *const state_texts[ZONE_STATE_COUNT] = {
	[ZONE_STATE_OK] = "ok",       [ZONE_STATE_LOADING] = "loading", [ZONE_STATE_NOT_LOADED] = "not-loaded",
	[ZONE_STATE_STALE] = "stale", [ZONE_STATE_EXPIRED] = "expired",
};

const char *
zone_state_text(enum zone_state state)
{
	return state_texts[state];
}

/* -------- items -------- */

static enum zone_state
item_state(const struct zone_item *item)
{
	bool is_primary = item->config->role == CONFIG_PRIMARY;
	if (item->is_expired)
		return ZONE_STATE_EXPIRED;
	if (item->served) /* A secondary's data is only ever as good as its last refresh. */
		return item->error || !(is_primary || item->is_confirmed) ? ZONE_STATE_STALE : ZONE_STATE_OK;
	bool is_waiting = item->job || item->is_queued || (!item->was_loaded && !item->error);
	return is_waiting ? ZONE_STATE_LOADING : ZONE_STATE_NOT_LOADED;
}

void
zone_item_update(struct zones *z, struct zone_item *item)
{
	z->states[item->state]--;
	item->state = (uint8_t)item_state(item);
	z->states[item->state]++;
}

/* Frees the slot, not what is served in it: that has a retire record, and may be held, of its own. */
static void
item_free_slot(struct zone_item *item)
{
	const struct snapshot *elsewhere_owned = zone_publish(item->slot, NULL);
	(void)elsewhere_owned;
	zone_free(item->slot);
	free(item);
}

/* What only the control thread has seen. */
static void
item_free_texts(struct zone_item *item)
{
	zone_includes_free(item->includes);
	free(item->error);
}

void
zone_item_free(struct zone_item *item)
{
	item_free_texts(item);
	item_free_slot(item);
}

static void
item_reclaimed(struct retired *r)
{
	item_free_slot((struct zone_item *)((char *)r - offsetof(struct zone_item, retired)));
}

struct zone_item *
zone_item_new(const struct name *apex)
{
	struct zone_item *item = calloc(1, sizeof(*item));
	if (!item)
		return NULL;
	item->slot = zone_new(apex->bytes);
	if (!item->slot) {
		free(item);
		return NULL;
	}
	item->slot->owner = item;
	return item;
}

/* What the state has of a zone that is gone. Where this fails, the next start finds it (state_zones_prune()). */
static void
drop_from_state(struct zones *z, const struct zone_item *item)
{
	struct name apex;
	name_copy(&apex, item->slot->apex);
	if (z->options.state && zone_is_kept(item->config))
		(void)!state_zone_drop(z->options.state, &apex, (struct state_done){0});
}

void
zone_item_retire(struct zones *z, struct zone_item *item)
{
	drop_from_state(z, item);
	if (z->options.removed)
		z->options.removed(z->options.arg, item);
	zone_item_forget(z, item);
	zone_turns_forget(item);
	z->states[item->state]--;
	if (item->served)
		reclaim_retire(z->options.publisher->reclaim, &item->served->retired);
	item_free_texts(item);
	/* From here on it is a slot that readers may look at still, and no item. */
	retired_init(&item->retired, item_reclaimed,
		     sizeof(*item) + sizeof(struct zone) + item->slot->entry.name_len);
	reclaim_retire(z->options.publisher->reclaim, &item->retired);
}

/* -------- life -------- */

int
zones_new(const struct zones_options *options, struct zones **out)
{
	static const struct config nothing = {.server = {.identity = "", .version = "", .udp_payload_bytes = 1232}};
	struct zones *z = calloc(1, sizeof(*z));
	if (!z)
		return -ENOMEM;
	z->options = *options;
	if (getrandom(z->cookie_secret, sizeof(z->cookie_secret), 0) != (ssize_t)sizeof(z->cookie_secret)) {
		free(z);
		return -EIO;
	}
	z->parked_last = &z->parked_first;
	z->storing_last = &z->storing_first;
	z->pool = zones_pool_new(options->loop, options->builders);
	struct zones_plan *plan;
	int err = z->pool ? zones_plan(z, &nothing, &plan) : -ENOMEM;
	if (err) {
		zones_pool_free(z->pool);
		free(z);
		return err;
	}
	zones_commit(z, plan);
	*out = z;
	return 0;
}

void
zones_free(struct zones *z)
{
	if (!z)
		return;
	const struct zone_set *set = zone_root_publish(z->options.root, NULL);
	(void)set;
	for (size_t i = 0; i < z->n_items; i++) {
		if (z->options.removed)
			z->options.removed(z->options.arg, z->items[i]);
		if (z->items[i]->served) /* an older version may keep it still */
			reclaim_retire(z->options.publisher->reclaim, &z->items[i]->served->retired);
		zone_item_free(z->items[i]);
	}
	served_set_free(z->set);
	zones_pool_free(z->pool);
	free(z->items);
	free(z);
}

/* -------- looking -------- */

static void
item_info(const struct zones *z, const struct zone_item *item, struct zone_info *out)
{
	*out = (struct zone_info){
		.item = item,
		.apex = item->slot->apex,
		.role = item->config->role,
		.state = item->state,
		.file = zone_item_file(z, item),
		.error = item->error,
	};
	if (!item->served)
		return;
	out->has_data = true;
	out->serial = item->served->snapshot->serial;
	out->records = item->served->snapshot->records;
	out->bytes = item->served->retired.bytes;
	out->loaded_at_s = item->loaded_at_s;
	out->load_ms = item->load_ms;
}

const char *
zone_item_file(const struct zones *z, const struct zone_item *item)
{
	const struct config *c = item->generation == (uint8_t)z->generation ? z->config : z->other_config;
	return item->index < c->n_zones ? c->zones[item->index].file : NULL;
}

struct zone_item *
zones_item(const struct zones *z, const struct name *apex)
{
	return zones_find(z, apex);
}

const struct config_zone *
zone_item_config(const struct zone_item *item)
{
	return item->config;
}

const uint8_t *
zone_item_apex(const struct zone_item *item)
{
	return item->slot->apex;
}

bool
zone_item_is_expired(const struct zone_item *item)
{
	return item->is_expired;
}

bool
zone_item_is_as_before(const struct zone_item *item)
{
	return item->is_as_before;
}

struct served *
zone_item_served(const struct zone_item *item)
{
	return item->served;
}

size_t
zones_count(const struct zones *z)
{
	return z->n_items;
}

const uint64_t *
zones_states(const struct zones *z)
{
	return z->states;
}

uint64_t
zones_generation(const struct zones *z)
{
	return z->generation;
}

void
zones_info_at(const struct zones *z, size_t i, struct zone_info *out)
{
	item_info(z, z->items[i], out);
}

bool
zones_info(const struct zones *z, const struct name *apex, struct zone_info *out)
{
	const struct zone_item *item = zones_find(z, apex);
	if (item)
		item_info(z, item, out);
	return item != NULL;
}

struct served *
zones_hold(struct zones *z, const struct name *apex)
{
	struct zone_item *item = zones_find(z, apex);
	if (!item || !item->served)
		return NULL;
	served_hold(item->served);
	return item->served;
}
