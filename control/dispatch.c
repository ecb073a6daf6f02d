/* SPDX-License-Identifier: Apache-2.0 */
/* Who answers which inquiry. See dispatch.h. Control thread. */
#include "control/dispatch.h"

#include <time.h>

#include "control/base/log.h"
#include "control/daemon.h"
#include "control/net/acl.h"
#include "control/transfer/notify_in.h"
#include "zones/base/bytes.h"
#include "zones/wire/query.h"
#include "zones/wire/rrtype.h"

#define REPLY_MAX 1024 /* of replies that are a header, a question and EDNS */

static struct acl_client
client_of(const struct inquiry *q, const struct tsig_verdict *v)
{
	return (struct acl_client){.from = q->client, .key = v->status == TSIG_GOOD ? tsig_key_name(v->key) : NULL};
}

/* -------- NOTIFY -------- */

/* The primary at the client's address, which is whom the zone is then asked from; NULL: none. */
static const struct config_remote *
primary_at(const struct config_zone *zone, const struct acl_client *client)
{
	for (unsigned i = 0; i < zone->n_primaries; i++)
		if (acl_client_is_at(client, &zone->primaries[i]->address))
			return zone->primaries[i];
	return NULL;
}

/* RFC 1996 section 3.10: whoever may not tell, or tells of a zone that we are no secondary of, changes nothing. */
static uint16_t
take_notify(struct daemon *d, const struct zone_request *r, const struct acl_client *client)
{
	char text[ACL_CLIENT_TEXT_MAX], zone[NAME_TEXT_MAX];
	struct zone_item *item = zones_item(d->zones, &r->apex);
	const struct config_zone *config = item ? zone_item_config(item) : NULL;
	if (!config)
		return RCODE_NOTAUTH;
	if (config->role != CONFIG_SECONDARY || !notify_source_is_allowed(config, client)) {
		name_to_text(r->apex.bytes, zone);
		log_limited(CONFIG_LOG_INFO, NULL, "NOTIFY for %s from %s is refused", zone,
			    acl_client_text(client, text));
		return config->role == CONFIG_SECONDARY ? RCODE_REFUSED : RCODE_NOTAUTH;
	}
	secondary_notified(d->secondaries, item, primary_at(config, client), r->has_serial, r->serial);
	return RCODE_NOERROR;
}

static void
answer_notify(struct daemon *d, struct inquiry *q, const struct tsig_verdict *v)
{
	uint8_t reply[REPLY_MAX];
	struct zone_request r;
	struct acl_client client = client_of(q, v);
	enum zone_request_status status = notify_parse(q->msg, q->len, &r);
	if (status == ZONE_REQUEST_DROP) {
		inquiry_drop(q);
		return;
	}
	uint16_t rcode =
		status == ZONE_REQUEST_OK ? take_notify(d, &r, &client) : zone_request_status_rcode(status);
	size_t len = notify_reply(&r, rcode, (uint16_t)d->config->server.udp_payload_bytes, reply, sizeof(reply));
	answerer_send(d->answerer, q, v, reply, len);
}

/* -------- transfers -------- */

static void
answer_transfer(struct daemon *d, struct inquiry *q, const struct tsig_verdict *v)
{
	struct zone_request r;
	enum zone_request_status status = serve_transfer_parse(q->msg, q->len, &r);
	struct zone_item *item = r.has_question ? zones_item(d->zones, &r.apex) : NULL;
	const struct config_zone *config = item ? zone_item_config(item) : NULL;
	bool is_secondary = config && config->role == CONFIG_SECONDARY;
	const struct serve_transfer t = {
		.inquiry = q,
		.status = status,
		.request = &r,
		.tsig = v,
		.zone = config,
		.served = item && !zone_item_is_expired(item) ? zone_item_served(item) : NULL,
		.has_expire = is_secondary,
		.expire_s = is_secondary ? secondary_expire_left_s(item) : 0,
		.udp_payload = (uint16_t)d->config->server.udp_payload_bytes,
	};
	serve_transfer(d->serve_transfers, &t);
}

/* -------- all of them -------- */

static bool
asks_for_transfer(const struct inquiry *q)
{
	struct message_reader reader;
	struct message_question question;
	return message_open(&reader, q->msg, q->len) == MESSAGE_OK &&
	       message_next_question(&reader, &question) == MESSAGE_OK && question.rrclass == RRCLASS_IN &&
	       (question.type == RRTYPE_AXFR || question.type == RRTYPE_IXFR);
}

void
dispatch_inquiry(void *arg, struct inquiry *q)
{
	struct daemon *d = arg;
	struct tsig_verdict v;
	enum tsig_status status =
		tsig_verify_request(answerer_keys(d->answerer), q->msg, q->len, (uint64_t)time(NULL), &v);
	unsigned opcode = q->len >= DNS_HEADER_LEN ? load_be16(q->msg + 2) >> 11 & 15 : OPCODE_QUERY;
	if (opcode == OPCODE_UPDATE)
		updates_take(d->updates, q, &v);
	else if (status != TSIG_GOOD && status != TSIG_NONE)
		answerer_answer(d->answerer, q, &v);
	else if (opcode == OPCODE_NOTIFY)
		answer_notify(d, q, &v);
	else if (opcode == OPCODE_QUERY && asks_for_transfer(q))
		answer_transfer(d, q, &v);
	else
		answerer_answer(d->answerer, q, &v);
}
