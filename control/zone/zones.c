/* SPDX-License-Identifier: Apache-2.0 */
/* The configured zones: items, plan and commit, looking. See zones.h. */
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
	return item->job || item->is_queued ? ZONE_STATE_LOADING : ZONE_STATE_NOT_LOADED;
}

void
zone_item_update(struct zones *z, struct zone_item *item)
{
	z->states[item->state]--;
	item->state = (uint8_t)item_state(item);
	z->states[item->state]++;
}

/* Frees the item and its slot, not what is served in it: that has a retire record, and may be held, of its own. */
void
zone_item_free(struct zone_item *item)
{
	const struct snapshot *elsewhere_owned = zone_publish(item->slot, NULL);
	(void)elsewhere_owned;
	zone_free(item->slot);
	zone_includes_free(item->includes);
	free(item->error);
	free(item);
}

static void
item_reclaimed(struct retired *r)
{
	zone_item_free((struct zone_item *)((char *)r - offsetof(struct zone_item, retired)));
}

struct zone_item *
zone_item_new(const struct name *apex)
{
	struct zone_item *item = calloc(1, sizeof(*item) + apex->len);
	if (!item)
		return NULL;
	item->slot = zone_new(apex->bytes);
	if (!item->slot) {
		free(item);
		return NULL;
	}
	memcpy(item->apex, apex->bytes, apex->len);
	item->entry = (struct names_entry){
		.hash = name_hash(apex->bytes),
		.name_off = offsetof(struct zone_item, apex),
		.name_len = apex->len,
	};
	retired_init(&item->retired, item_reclaimed, sizeof(*item) + sizeof(struct zone) + 2 * apex->len);
	return item;
}

/* -------- plan and commit -------- */

struct zones_plan {
	const struct config *config;
	struct zone_item **items;           /* in the order of the configuration; those without config are new */
	const struct config_zone **configs; /* of each */
	size_t n_items;
	struct names by_name;
	struct served_set *set;
};

/* DNS cookies: the secrets that several servers share, or one of this process alone. */
static void
cookies_fill(struct answer_config *out, const struct zones *z, const struct config_cookies *cookies)
{
	if (cookies->mode == CONFIG_COOKIES_OFF)
		return;
	out->cookies_required = cookies->mode == CONFIG_COOKIES_REQUIRED;
	out->n_cookie_secrets = cookies->n_secrets != 0 ? (uint8_t)cookies->n_secrets : 1;
	memcpy(out->cookie_secrets[0], z->cookie_secret, sizeof(z->cookie_secret));
	for (unsigned i = 0; i < cookies->n_secrets; i++)
		memcpy(out->cookie_secrets[i], cookies->secrets[i], sizeof(out->cookie_secrets[i]));
}

static void
answer_config_fill(struct answer_config *out, const struct zones *z, const struct config *config)
{
	const struct config_server *server = &config->server;
	uint64_t idle_100ms = config->tcp.idle_timeout_ms / 100;
	*out = (struct answer_config){
		.udp_payload = (uint16_t)server->udp_payload_bytes,
		.identity_len = (uint8_t)strlen(server->identity),
		.version_len = (uint8_t)strlen(server->version),
		.tcp_idle_100ms = idle_100ms < UINT16_MAX ? (uint16_t)idle_100ms : UINT16_MAX,
	};
	cookies_fill(out, z, &config->cookies);
	memcpy(out->identity, server->identity, out->identity_len);
	memcpy(out->version, server->version, out->version_len);
}

/* Notes a zone with its item: the one that there is, or a new one. */
static int
plan_zone(const struct zones *z, struct zones_plan *plan, const struct config_zone *config)
{
	struct name apex;
	name_copy(&apex, config->name);
	struct zone_item *item = zones_find(z, &apex);
	if (!item)
		item = zone_item_new(&apex);
	if (!item)
		return -ENOMEM;
	plan->configs[plan->n_items] = config;
	plan->items[plan->n_items++] = item;
	return 0;
}

static int
plan_items(const struct zones *z, struct zones_plan *plan)
{
	const struct config *config = plan->config;
	size_t n = config->n_zones + config->n_catalogs + z->n_items + 1;
	plan->items = calloc(n, sizeof(struct zone_item *));
	plan->configs = calloc(n, sizeof(const struct config_zone *));
	int err = plan->items && plan->configs ? 0 : -ENOMEM;
	for (size_t i = 0; !err && i < config->n_zones; i++)
		err = plan_zone(z, plan, &config->zones[i]);
	for (size_t i = 0; !err && i < config->n_catalogs; i++)
		err = plan_zone(z, plan, &config->catalogs[i].zone);
	return err;
}

/* Zones that came by edits stay where the configuration has none of that name itself; catalogs decide about them.
 */
static int
plan_members(const struct zones *z, struct zones_plan *plan, struct names_txn *txn)
{
	for (size_t i = 0; i < z->n_items; i++) {
		struct zone_item *item = z->items[i];
		if (!item->member || names_txn_find(txn, item->entry.hash, item->apex, item->entry.name_len))
			continue;
		const struct names_entry *replaced;
		if (names_txn_put(txn, &item->entry, &replaced) != 0)
			return -ENOMEM;
		plan->configs[plan->n_items] = item->config;
		plan->items[plan->n_items++] = item;
	}
	return 0;
}

static int
plan_names(const struct zones *z, struct zones_plan *plan)
{
	struct names_txn *txn = names_txn_begin(&plan->by_name, plan->n_items);
	if (!txn)
		return -ENOMEM;
	for (size_t i = 0; i < plan->n_items; i++) {
		const struct names_entry *replaced = NULL;
		if (names_txn_put(txn, &plan->items[i]->entry, &replaced) != 0) {
			names_txn_abort(txn);
			return -ENOMEM;
		}
	}
	if (plan_members(z, plan, txn) != 0) {
		names_txn_abort(txn);
		return -ENOMEM;
	}
	struct garbage garbage = {0};
	names_txn_commit(txn, &plan->by_name, &garbage);
	garbage_free(&garbage);
	return 0;
}

static int
plan_set(const struct zones *z, struct zones_plan *plan)
{
	struct zone **slots = malloc((plan->n_items + 1) * sizeof(struct zone *));
	if (!slots)
		return -ENOMEM;
	for (size_t i = 0; i < plan->n_items; i++)
		slots[i] = plan->items[i]->slot;
	struct answer_config answers;
	answer_config_fill(&answers, z, plan->config);
	struct zone_set *set = zone_set_new(slots, plan->n_items, &answers);
	free(slots);
	if (!set)
		return -ENOMEM;
	plan->set = served_set_new(set);
	if (!plan->set)
		zone_set_free(set);
	return plan->set ? 0 : -ENOMEM;
}

int
zones_plan(const struct zones *z, const struct config *config, struct zones_plan **out)
{
	struct zones_plan *plan = calloc(1, sizeof(*plan));
	if (!plan)
		return -ENOMEM;
	plan->config = config;
	int err = plan_items(z, plan);
	if (!err)
		err = plan_names(z, plan);
	if (!err)
		err = plan_set(z, plan);
	if (err) {
		zones_plan_free(plan);
		return err;
	}
	*out = plan;
	return 0;
}

void
zones_plan_free(struct zones_plan *plan)
{
	if (!plan)
		return;
	for (size_t i = 0; i < plan->n_items; i++)
		if (!plan->items[i]->config)
			zone_item_free(plan->items[i]);
	free(plan->items);
	free(plan->configs);
	names_free(&plan->by_name);
	served_set_free(plan->set);
	free(plan);
}

/* What was known of its file says nothing about data from a primary, and the other way round. */
static void
item_change_role(struct zone_item *item)
{
	free(item->error);
	item->error = NULL;
	item->stamp = 0;
}

/* Takes over the plan's items: from here on they are configured by the plan's config. */
static void
commit_items(struct zones *z, const struct zones_plan *plan)
{
	for (size_t i = 0; i < plan->n_items; i++) {
		struct zone_item *item = plan->items[i];
		const struct config_zone *config = plan->configs[i];
		bool is_new = !item->config;
		if (!is_new && item->config->zonemd != config->zonemd)
			item->force = true; /* the same file may be judged otherwise now */
		if (!is_new && item->config->role != config->role)
			item_change_role(item);
		item->config = config;
		item->generation = z->generation;
		item->index = (uint32_t)i;
		if (i < plan->config->n_zones + plan->config->n_catalogs)
			item->member = NULL; /* the configuration has taken it over from a catalog */
		if (is_new)
			z->states[item->state]++;
		else if (z->options.configured)
			z->options.configured(z->options.arg, item);
		zone_item_update(z, item);
	}
}

/* What the state has of a zone that is gone. Where this fails, the next start finds it (state_zones_prune()). */
static void
drop_from_state(struct zones *z, const struct zone_item *item)
{
	struct name apex;
	name_copy(&apex, item->apex);
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
	reclaim_retire(z->options.publisher->reclaim, &item->retired);
}

/* Those of the old items that the commit left out. */
static void
retire_items(struct zones *z, struct zone_item **items, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (items[i]->generation == z->generation)
			continue;
		zone_item_retire(z, items[i]);
	}
}

void
zones_commit(struct zones *z, struct zones_plan *plan)
{
	struct zone_item **old_items = z->items;
	size_t n_old = z->n_items;
	z->generation++;
	z->config = plan->config;
	commit_items(z, plan);
	publish_set(z->options.publisher, z->options.root, &z->set, plan->set);
	names_free(&z->by_name);
	z->by_name = plan->by_name;
	z->items = plan->items;
	z->n_items = z->cap_items = plan->n_items;
	free(plan->configs);
	free(plan);
	retire_items(z, old_items, n_old);
	free(old_items);
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
	names_free(&z->by_name);
	zones_pool_free(z->pool);
	free(z->items);
	free(z);
}

/* -------- looking -------- */

static void
item_info(const struct zone_item *item, struct zone_info *out)
{
	*out = (struct zone_info){
		.item = item,
		.apex = item->apex,
		.role = item->config->role,
		.state = item->state,
		.file = item->config->file,
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
	return item->apex;
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
	item_info(z->items[i], out);
}

bool
zones_info(const struct zones *z, const struct name *apex, struct zone_info *out)
{
	const struct zone_item *item = zones_find(z, apex);
	if (item)
		item_info(item, out);
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
