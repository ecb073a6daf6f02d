/* SPDX-License-Identifier: Apache-2.0 */
/* TSIG around the engine. See answer_inquiry.h. */
#include "control/net/answer_inquiry.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "control/base/log.h"
#include "zones/base/bytes.h"
#include "zones/wire/query.h"
#include "zones/wire/rrtype.h"

#define MESSAGE_MAX 65535

struct answerer {
	const struct zone_root *root;
	struct tsig_keys *keys;
	struct counters unused; /* the engine's; who sends the reply counts it */
	uint8_t reply[MESSAGE_MAX];
};

struct answerer *
answerer_new(const struct zone_root *root, struct tsig_keys *keys)
{
	struct answerer *a = aligned_alloc(CACHE_LINE, (sizeof(*a) + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE);
	if (!a)
		return NULL;
	memset(a, 0, sizeof(*a));
	a->root = root;
	a->keys = keys;
	return a;
}

void
answerer_free(struct answerer *a)
{
	if (!a)
		return;
	tsig_keys_free(a->keys);
	free(a);
}

void
answerer_set_keys(struct answerer *a, struct tsig_keys *keys)
{
	tsig_keys_free(a->keys);
	a->keys = keys;
}

const struct tsig_keys *
answerer_keys(const struct answerer *a)
{
	return a->keys;
}

/* Header and question of a->reply[0..question_end) become a whole message with this RCODE and no records. */
static size_t
cut_to_question(struct answerer *a, const struct query *query, uint16_t rcode, uint16_t more_flags)
{
	uint8_t *msg = a->reply;
	uint16_t flags = FLAG_QR | (query->flags & (0x7800 | FLAG_RD)) | more_flags | (rcode & 15);
	store_be16(msg + 2, flags);
	store_be16(msg + 4, query->question_end != DNS_HEADER_LEN);
	memset(msg + 6, 0, 6);
	return query->question_end;
}

/* RFC 6891 section 6.1.1: an OPT for an OPT. */
static size_t
add_opt(const struct answerer *a, uint8_t *msg, size_t len, const struct edns *edns, uint16_t rcode)
{
	uint8_t *opt = msg + len;
	memset(opt, 0, EDNS_OPT_LEN);
	store_be16(opt + 1, RRTYPE_OPT);
	store_be16(opt + 3, zone_root_current(a->root)->config.udp_payload);
	opt[5] = (uint8_t)(rcode >> 4);
	opt[7] = edns->wants_dnssec ? 0x80 : 0;
	store_be16(msg + 10, load_be16(msg + 10) + 1);
	return len + EDNS_OPT_LEN;
}

/* The message without TSIG into a->reply, parsed; false: it has no header. */
static bool
copy_message(struct answerer *a, const struct inquiry *q, const struct tsig_verdict *v, struct query *query)
{
	memcpy(a->reply, q->msg, q->len);
	enum query_status status = query_parse(a->reply, tsig_strip(a->reply, v), query);
	return status != QUERY_DROP_SHORT && status != QUERY_DROP_RESPONSE;
}

/* Signs and sends a->reply[0..len); where the TSIG finds no room the client is sent to TCP (RFC 8945 section 5.3).
 */
static void
send_signed(struct answerer *a, struct inquiry *q, const struct tsig_verdict *v, const struct query *query,
	    size_t len)
{
	uint64_t now_s = (uint64_t)time(NULL);
	int err = tsig_sign_reply(v, a->reply, len, q->reply_cap, now_s, &len);
	if (err == -EMSGSIZE) {
		len = cut_to_question(a, query, RCODE_NOERROR, FLAG_TC);
		err = tsig_sign_reply(v, a->reply, len, q->reply_cap, now_s, &len);
	}
	if (err)
		inquiry_drop(q);
	else
		inquiry_reply(q, a->reply, len);
}

void
answerer_send(struct answerer *a, struct inquiry *q, const struct tsig_verdict *v, const uint8_t *msg, size_t len)
{
	memcpy(a->reply, msg, len);
	if (tsig_sign_reply(v, a->reply, len, q->reply_cap, (uint64_t)time(NULL), &len) != 0)
		inquiry_drop(q);
	else
		inquiry_reply(q, a->reply, len);
}

void
answerer_refuse(struct answerer *a, struct inquiry *q, const struct tsig_verdict *v, uint16_t rcode)
{
	struct query query;
	if (!copy_message(a, q, v, &query)) {
		inquiry_drop(q);
		return;
	}
	size_t len = cut_to_question(a, &query, rcode, 0);
	if (query.edns.is_present)
		len = add_opt(a, a->reply, len, &query.edns, rcode);
	send_signed(a, q, v, &query, len);
}

/* What the engine says to the message without its TSIG, with room left for ours. */
static void
answer_plainly(struct answerer *a, struct inquiry *q, const struct tsig_verdict *v)
{
	struct query query;
	if (!copy_message(a, q, v, &query)) {
		inquiry_drop(q);
		return;
	}
	uint32_t room = (uint32_t)tsig_reply_room(v), len = (uint32_t)v->len;
	uint32_t cap = q->reply_cap > room + DNS_PLAIN_UDP_MAX ? q->reply_cap - room : q->reply_cap;
	struct engine_message m = {.msg = a->reply, .len = len, .cap = cap > len ? cap : len, .client = q->client};
	engine_burst(zone_root_current(a->root), &m, 1, (uint32_t)time(NULL), &a->unused);
	if (m.verdict == ENGINE_ANSWER)
		send_signed(a, q, v, &query, m.len);
	else
		inquiry_drop(q);
}

static void
log_refusal(const struct inquiry *q, const struct tsig_verdict *v)
{
	char from[INET6_ADDRSTRLEN], why[TSIG_TEXT_MAX];
	inet_ntop(q->client.is_v6 ? AF_INET6 : AF_INET, q->client.address, from, sizeof(from));
	log_limited(CONFIG_LOG_INFO, NULL, "a signed message from %s is refused: %s", from,
		    tsig_verdict_text(v, why));
}

void
answerer_answer(struct answerer *a, struct inquiry *q, const struct tsig_verdict *v)
{
	if (v->status == TSIG_GOOD || v->status == TSIG_NONE) {
		answer_plainly(a, q, v);
		return;
	}
	log_refusal(q, v);
	answerer_refuse(a, q, v, tsig_status_rcode(v->status));
}

void
answerer_handle(void *arg, struct inquiry *q)
{
	struct answerer *a = arg;
	struct tsig_verdict v;
	(void)!tsig_verify_request(a->keys, q->msg, q->len, (uint64_t)time(NULL), &v);
	answerer_answer(a, q, &v);
}
