/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The configuration put into force: plan and commit. See zones.h.
 *
 *     plan (any thread): items for all zones, those that there are and new ones, and their set
 *     commit: settings of all, in steps ──> new set published, in one ──> those left out retired, in steps
 *
 * While a commit goes on, an item's generation tells by which of two configurations it goes; edits are held by
 * whoever commits, and no load begins.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/zone/zones_private.h"

#define STEP_ITEMS 4000 /* looked at in a step of a commit: some 1 ms */
#define STEP_RETIRED 500

struct zones_plan {
	const struct config *config;
	struct zone_item *
		*items;        /* in the order of the configuration, then members; those without config are new */
	size_t n_items, n_own; /* n_own: zones and catalogs of the configuration itself */
	struct served_set *set;
	/* the commit */
	bool is_begun, is_published;
	size_t at;                    /* of items; once published, of old_items */
	struct zone_item **old_items; /* of before */
	size_t n_old;
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

/*
 * Notes a zone with its item: the one that there is, or a new one. `is_taken`, by position of those that there are,
 * tells which ones the configuration names.
 */
static int
plan_zone(const struct zones *z, struct zones_plan *plan, const uint8_t *name, bool *is_taken)
{
	struct name apex;
	name_copy(&apex, name);
	struct zone_item *item = zones_find(z, &apex);
	if (item)
		is_taken[item->index] = true;
	else
		item = zone_item_new(&apex);
	if (!item)
		return -ENOMEM;
	plan->items[plan->n_items++] = item;
	return 0;
}

/* Zones that came by edits stay where the configuration has none of that name itself; catalogs decide about them.
 */
static void
plan_members(const struct zones *z, struct zones_plan *plan, const bool *is_taken)
{
	for (size_t i = z->n_own; i < z->n_items; i++)
		if (!is_taken[i])
			plan->items[plan->n_items++] = z->items[i];
}

static int
plan_items(const struct zones *z, struct zones_plan *plan)
{
	const struct config *config = plan->config;
	size_t n = (size_t)config->n_zones + config->n_catalogs + (z->n_items - z->n_own) + 1;
	plan->items = calloc(n, sizeof(struct zone_item *));
	bool *is_taken = calloc(z->n_items + 1, sizeof(*is_taken));
	int err = plan->items && is_taken ? 0 : -ENOMEM;
	for (size_t i = 0; !err && i < config->n_zones; i++)
		err = plan_zone(z, plan, config->zones[i].name, is_taken);
	for (size_t i = 0; !err && i < config->n_catalogs; i++)
		err = plan_zone(z, plan, config->catalogs[i].name, is_taken);
	plan->n_own = plan->n_items;
	if (!err)
		plan_members(z, plan, is_taken);
	free(is_taken);
	return err;
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
	served_set_free(plan->set);
	free(plan);
}

/* -------- commit: what cannot fail -------- */

/* What was known of its file says nothing about data from a primary, and the other way round. */
static void
item_change_role(struct zone_item *item)
{
	free(item->error);
	item->error = NULL;
	item->stamp = 0;
}

/* How the plan's i-th zone is configured: those of catalogs go on as they are until their catalogs tell. */
static const struct config_zone *
plan_config_at(const struct zones_plan *plan, size_t i)
{
	const struct config *c = plan->config;
	if (i < c->n_zones)
		return c->zones[i].settings;
	return i < plan->n_own ? &c->catalogs[i - c->n_zones].zone : plan->items[i]->config;
}

/* Takes over the plan's i-th item: from here on it is configured by the plan's config. */
static void
commit_item(struct zones *z, const struct zones_plan *plan, size_t i)
{
	struct zone_item *item = plan->items[i];
	const struct config_zone *config = plan_config_at(plan, i), *old = item->config;
	if (old && old->zonemd != config->zonemd)
		item->force = true; /* the same file may be judged otherwise now */
	if (old && old->role != config->role)
		item_change_role(item);
	item->config = config;
	item->generation = (uint8_t)(z->generation + 1);
	item->index = (uint32_t)i;
	if (i < plan->n_own)
		item->is_member = false; /* the configuration has taken it over from a catalog */
	if (!old)
		z->states[item->state]++;
	else if (old != config && z->options.configured)
		z->options.configured(z->options.arg, item);
	zone_item_update(z, item);
}

/* The one moment from which on the zones are others. */
static void
commit_publish(struct zones *z, struct zones_plan *plan)
{
	plan->old_items = z->items;
	plan->n_old = z->n_items;
	z->items = plan->items;
	z->n_items = z->cap_items = plan->n_items;
	z->n_own = plan->n_own;
	z->generation++;
	z->other_config = z->config;
	z->config = plan->config;
	publish_set(z->options.publisher, z->options.root, &z->set, plan->set);
	plan->is_published = true;
	plan->at = 0;
}

/* Retires those of the old items that the plan left out; false: there are more. */
static bool
commit_retire(struct zones *z, struct zones_plan *plan)
{
	unsigned retired = 0;
	for (size_t n = 0; plan->at < plan->n_old && n < STEP_ITEMS && retired < STEP_RETIRED; n++) {
		struct zone_item *item = plan->old_items[plan->at++];
		if (item->generation == (uint8_t)z->generation)
			continue;
		zone_item_retire(z, item);
		retired++;
	}
	return plan->at == plan->n_old;
}

bool
zones_commit_step(struct zones *z, struct zones_plan *plan)
{
	if (!plan->is_begun) {
		zones_feed_all(z); /* operations that go by position */
		plan->is_begun = true;
		z->is_committing = true;
		z->other_config = plan->config;
	}
	if (!plan->is_published) {
		for (size_t n = 0; plan->at < plan->n_items && n < STEP_ITEMS; n++)
			commit_item(z, plan, plan->at++);
		if (plan->at == plan->n_items)
			commit_publish(z, plan);
		return false;
	}
	if (!commit_retire(z, plan))
		return false;
	free(plan->old_items);
	free(plan);
	z->is_committing = false;
	z->other_config = NULL;
	zones_pump(z);
	return true;
}

void
zones_commit(struct zones *z, struct zones_plan *plan)
{
	while (!zones_commit_step(z, plan))
		;
}
