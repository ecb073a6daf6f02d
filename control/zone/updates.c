/* SPDX-License-Identifier: Apache-2.0 */
/* UPDATEs on their way. See updates.h. Control thread, but for update_work(). */
#include "control/zone/updates.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "control/base/log.h"
#include "control/net/acl.h"
#include "control/zone/update.h"
#include "control/zone/zones_private.h"
#include "zones/base/bytes.h"
#include "zones/wire/query.h"

#define FORWARD_TRIES 2
#define FORWARD_TIMEOUT_MS 2000

struct updates {
	struct updates_options options;
	struct updates_stats stats;
	size_t bytes;
};

struct update {
	uv_work_t work;
	struct updates *all;
	struct inquiry *inquiry;
	struct tsig_verdict tsig;   /* its key is held */
	const struct tsig_key *key; /* that one, whether it was right or not; NULL: unsigned, or unknown */
	struct zone_turn turn;
	struct zone_version version;
	struct served *base; /* held, as the next version shares with it; NULL: it was not worked on */
	struct ask *ask;     /* forwarded; then msg is as it came */
	struct name apex;
	const struct config *config; /* held while it is worked on: the rules are part of it */
	const struct config_update_rule *rules;
	unsigned n_rules;
	enum config_serial_policy serial_policy;
	struct update_result result;
	size_t len;
	uint8_t msg[]; /* without TSIG */
};

/* -------- the end -------- */

static void
update_free(struct update *u)
{
	served_free(u->result.next);
	state_changes_free(u->result.changes);
	if (u->base)
		served_release(u->all->options.zones->options.publisher, u->base);
	tsig_key_release(u->key);
	u->all->stats.waiting--;
	u->all->bytes -= u->len;
	free(u);
}

static void
update_end(struct update *u, uint16_t rcode)
{
	uint8_t reply[UPDATE_REPLY_MAX];
	zone_turn_end(&u->turn);
	size_t len = update_reply(u->msg, u->len, rcode, reply, sizeof(reply));
	if (len)
		answerer_send(u->all->options.answerer, u->inquiry, &u->tsig, reply, len);
	else
		inquiry_drop(u->inquiry);
	update_free(u);
}

/* Who signed, if that was proven. */
static const struct name *
signer_of(const struct update *u)
{
	return u->tsig.status == TSIG_GOOD ? tsig_key_name(u->key) : NULL;
}

static void
log_update(const struct update *u, const char *what)
{
	char zone[NAME_TEXT_MAX], client[ACL_CLIENT_TEXT_MAX];
	const struct acl_client who = {.from = u->inquiry->client, .key = signer_of(u)};
	name_to_text(u->apex.bytes, zone);
	log_write(CONFIG_LOG_INFO, zone, "update from %s: %s", acl_client_text(&who, client), what);
}

/* -------- primaries: the turn, the work, the acceptance -------- */

static void
update_accepted(struct zone_version *v, int err)
{
	struct update *u = (struct update *)((char *)v - offsetof(struct update, version));
	char text[128];
	if (err) {
		u->all->stats.failed++;
		if (err != -ECANCELED)
			log_limited(CONFIG_LOG_ERROR, NULL, "an update is not taken: the state on disk says: %s",
				    strerror(-err));
		update_end(u, RCODE_SERVFAIL);
		return;
	}
	u->all->stats.done++;
	snprintf(text, sizeof(text), "serial %u, %u records removed, %u added", u->result.serial,
		 u->result.n_removed, u->result.n_added);
	log_update(u, text);
	update_end(u, RCODE_NOERROR);
}

static void
update_work(uv_work_t *work)
{
	struct update *u = work->data;
	const struct update_request request = {
		.msg = u->msg,
		.len = u->len,
		.base = u->base,
		.signer = signer_of(u),
		.rules = u->rules,
		.n_rules = u->n_rules,
		.serial_policy = u->serial_policy,
		.now_s = (uint32_t)time(NULL),
	};
	update_run(&request, &u->result);
}

static void
update_worked(uv_work_t *work, int status)
{
	struct update *u = work->data;
	config_free(u->config);
	if (status || !u->result.next) {
		bool is_good = !status && u->result.rcode == RCODE_NOERROR;
		u->all->stats.unchanged += is_good;
		u->all->stats.failed += !is_good;
		if (!is_good && !status)
			log_update(u, u->result.why);
		update_end(u, status ? RCODE_SERVFAIL : u->result.rcode);
		return;
	}
	u->version = (struct zone_version){
		.turn = &u->turn,
		.next = u->result.next,
		.store = ZONE_STORE_CHANGES,
		.changes = u->result.changes,
		.verified_ns = publish_now_ns(),
		.done = update_accepted,
	};
	u->result.next = NULL;
	u->result.changes = NULL;
	zone_accept(u->all->options.zones, &u->version);
}

static void
update_turn(struct zone_turn *turn)
{
	struct update *u = (struct update *)((char *)turn - offsetof(struct update, turn));
	struct zone_item *item = turn->item;
	if (!item || !item->served || item->config->role != CONFIG_PRIMARY) {
		u->all->stats.failed++;
		update_end(u, item && item->served ? RCODE_NOTAUTH : RCODE_SERVFAIL);
		return;
	}
	u->rules = item->config->update_policy;
	u->n_rules = item->config->n_update_policy;
	u->serial_policy = item->config->serial_policy;
	u->base = item->served;
	served_hold(u->base);
	u->work.data = u;
	u->config = config_hold(u->all->options.zones->config);
	uv_queue_work(u->all->options.loop, &u->work, update_work, update_worked);
}

/* -------- secondaries: forwarding -------- */

static void
forward_answered(void *arg, const struct ask_result *result)
{
	struct update *u = arg;
	uint8_t *reply = result->err ? NULL : malloc(result->len);
	u->ask = NULL;
	if (!reply || result->len > u->inquiry->reply_cap) {
		log_update(u,
			   result->err ? result->why : "the primary's reply to the forwarded update does not fit");
		free(reply);
		u->all->stats.failed++;
		update_end(u, RCODE_SERVFAIL);
		return;
	}
	u->all->stats.forwarded++;
	memcpy(reply, result->msg, result->len);
	memcpy(reply, u->inquiry->msg, 2); /* the client's id; a TSIG covers the original one anyway */
	inquiry_reply(u->inquiry, reply, result->len);
	free(reply);
	update_free(u);
}

static void
forward(struct update *u, const struct config_zone *config)
{
	const struct peer *peer = peers_find(u->all->options.peers, config->primaries[0]);
	if (!peer) {
		update_end(u, RCODE_SERVFAIL);
		return;
	}
	const struct ask_request request = {
		.msg = u->inquiry->msg,
		.len = u->inquiry->len,
		.remote = &peer->remote,
		.tls = peer->tls,
		.tries = FORWARD_TRIES,
		.timeout_ms = FORWARD_TIMEOUT_MS,
	};
	if (ask_start(u->all->options.asks, &request, forward_answered, u, &u->ask) != 0)
		update_end(u, RCODE_SERVFAIL);
}

/* -------- the beginning -------- */

static void
refuse(struct updates *all, struct inquiry *q, const struct tsig_verdict *v, uint16_t rcode)
{
	uint8_t reply[UPDATE_REPLY_MAX];
	all->stats.refused++;
	size_t len = update_reply(q->msg, q->len, rcode, reply, sizeof(reply));
	if (len)
		answerer_send(all->options.answerer, q, v, reply, len);
	else
		inquiry_drop(q);
}

static bool
is_forwarded(const struct config_zone *config)
{
	return config->role == CONFIG_SECONDARY && config->forward_updates == CONFIG_FORWARD_TO_PRIMARY;
}

/* NOERROR, or why not. */
static uint16_t
may_update(const struct config_zone *config, const struct inquiry *q, const struct tsig_verdict *v)
{
	char text[ACL_CLIENT_TEXT_MAX];
	bool is_signed = v->status == TSIG_GOOD;
	const struct acl_client client = {.from = q->client, .key = is_signed ? tsig_key_name(v->key) : NULL};
	if (is_forwarded(config))
		return RCODE_NOERROR;
	if (!is_signed && v->status != TSIG_NONE)
		return tsig_status_rcode(v->status);
	if (config->role == CONFIG_SECONDARY)
		return RCODE_NOTAUTH;
	if (acl_allows(config->allow_update, config->n_allow_update, &client))
		return RCODE_NOERROR;
	log_limited(CONFIG_LOG_INFO, NULL, "an update from %s is refused", acl_client_text(&client, text));
	return RCODE_REFUSED;
}

static struct update *
update_new(struct updates *all, struct inquiry *q, const struct tsig_verdict *v, const struct name *apex)
{
	if (all->stats.waiting >= UPDATES_WAITING_MAX || all->bytes + v->len > UPDATES_BYTES_MAX)
		return NULL;
	struct update *u = calloc(1, sizeof(*u) + q->len);
	if (!u)
		return NULL;
	u->all = all;
	u->inquiry = q;
	u->tsig = *v;
	u->key = v->key ? tsig_key_hold(v->key) : NULL;
	u->apex = *apex;
	memcpy(u->msg, q->msg, q->len);
	u->len = tsig_strip(u->msg, v);
	all->stats.waiting++;
	all->bytes += u->len;
	return u;
}

void
updates_take(struct updates *all, struct inquiry *q, const struct tsig_verdict *v)
{
	struct name apex;
	uint16_t rcode = update_zone_of(q->msg, v->len, &apex);
	struct zone_item *item = rcode == RCODE_NOERROR ? zones_find(all->options.zones, &apex) : NULL;
	if (rcode == RCODE_NOERROR)
		rcode = item ? may_update(item->config, q, v) : RCODE_NOTAUTH;
	struct update *u = rcode == RCODE_NOERROR ? update_new(all, q, v, &apex) : NULL;
	if (!u) {
		refuse(all, q, v, rcode == RCODE_NOERROR ? RCODE_SERVFAIL : rcode);
		return;
	}
	if (is_forwarded(item->config)) {
		forward(u, item->config);
		return;
	}
	u->turn.begin = update_turn;
	zone_turn_take(item, &u->turn);
}

/* -------- life -------- */

int
updates_new(const struct updates_options *options, struct updates **out)
{
	struct updates *all = calloc(1, sizeof(*all));
	if (!all)
		return -ENOMEM;
	all->options = *options;
	*out = all;
	return 0;
}

bool
updates_are_idle(const struct updates *u)
{
	return !u->stats.waiting;
}

void
updates_free(struct updates *u)
{
	free(u);
}

const struct updates_stats *
updates_stats(const struct updates *u)
{
	return &u->stats;
}
