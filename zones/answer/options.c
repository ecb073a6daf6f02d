/* SPDX-License-Identifier: Apache-2.0 */
/* EDNS options of replies. See options.h. */
#include "zones/answer/options.h"

#include "zones/base/bytes.h"
#include "zones/base/siphash.h"
#include "zones/wire/rrtype.h"

/* -------- cookies -------- */

/* RFC 9018 section 4.3: older than an hour or newer than five minutes is no good, older than half an hour is
 * renewed. */
#define COOKIE_MAX_AGE_S 3600
#define COOKIE_RENEW_S 1800
#define COOKIE_MAX_AHEAD_S 300
#define COOKIE_VERSION 1
#define COOKIE_HASH_AT 8 /* behind version, three reserved octets and the time */
_Static_assert(EDNS_CLIENT_COOKIE == 8 && COOKIE_HASH_AT == 8, "each is a word of what is hashed");

/* The hash over what the cookie says and where it came from; `head` is the cookie's first eight octets, as a word.
 */
static uint64_t
cookie_hash(const uint8_t *secret, const struct engine_client *client, const struct edns *e, uint64_t head)
{
	uint64_t words[5] = {[1] = head};
	memcpy(&words[0], e->cookie, EDNS_CLIENT_COOKIE);
	if (client->is_v6)
		memcpy(&words[2], client->address, 16);
	else
		memcpy(&words[2], client->address, 4);
	return siphash24(secret, words, EDNS_CLIENT_COOKIE + COOKIE_HASH_AT + (client->is_v6 ? 16 : 4));
}

/* Seconds since the client's server cookie was made, or -1 where it is not ours or not to be trusted any more. */
static int32_t
cookie_age(const struct answer_config *config, const struct engine_client *client, const struct edns *e,
	   uint32_t now_s)
{
	if (e->cookie_len != EDNS_CLIENT_COOKIE + EDNS_SERVER_COOKIE)
		return -1;
	const uint8_t *server = e->cookie + EDNS_CLIENT_COOKIE;
	if (server[0] != COOKIE_VERSION)
		return -1;
	int32_t age = (int32_t)(now_s - load_be32(server + 4)); /* RFC 1982 */
	if (age > COOKIE_MAX_AGE_S || age < -COOKIE_MAX_AHEAD_S)
		return -1;
	uint64_t head;
	memcpy(&head, server, sizeof(head));
	for (unsigned i = 0; i < config->n_cookie_secrets; i++) {
		uint64_t hash = cookie_hash(config->cookie_secrets[i], client, e, head);
		if (memcmp(&hash, server + COOKIE_HASH_AT, sizeof(hash)) == 0)
			return i == 0 ? (age > 0 ? age : 0) : COOKIE_MAX_AGE_S; /* by the old secret: renew */
	}
	return -1;
}

void
options_begin(struct options *o, const struct answer_config *config, const struct engine_client *client,
	      const struct edns *e, uint32_t now_s)
{
	if (config->n_cookie_secrets == 0)
		return;
	int32_t age = cookie_age(config, client, e, now_s);
	o->cookie = age >= 0 ? COOKIE_GOOD : COOKIE_NEW;
	if (age >= 0 && age <= COOKIE_RENEW_S) {
		memcpy(o->server_cookie, e->cookie + EDNS_CLIENT_COOKIE, EDNS_SERVER_COOKIE);
		return;
	}
	uint64_t cookie[2] = {COOKIE_VERSION | (uint64_t)__builtin_bswap32(now_s) << 32};
	cookie[1] = cookie_hash(config->cookie_secrets[0], client, e, cookie[0]);
	memcpy(o->server_cookie, cookie, sizeof(cookie));
}

/* -------- OPT -------- */

#define NSID_ROOM(config) (EDNS_OPTION_HEAD + (config)->identity_len)
#define COOKIE_ROOM (EDNS_OPTION_HEAD + EDNS_CLIENT_COOKIE + EDNS_SERVER_COOKIE)
#define EXPIRE_ROOM (EDNS_OPTION_HEAD + 4)
#define KEEPALIVE_ROOM (EDNS_OPTION_HEAD + 2)
#define ZONEVERSION_ROOM (EDNS_OPTION_HEAD + 6)
#define ERROR_ROOM (EDNS_OPTION_HEAD + 2)

#define PADDING_BLOCK 468 /* octets: what RFC 8467 section 4.1 recommends for servers */

static bool
tells_nsid(const struct answer_config *config, const struct edns *e)
{
	return e->wants_nsid && config->identity_len != 0;
}

static bool
tells_keepalive(const struct engine_client *client, const struct edns *e)
{
	return e->wants_keepalive && client->transport != ENGINE_UDP; /* RFC 7828 section 3.2.2 */
}

/* Only where nobody else can read it (RFC 7830 section 6), and to those who pad, too. */
static bool
is_padded(const struct engine_client *client, const struct edns *e)
{
	return e->wants_padding && client->transport == ENGINE_TLS;
}

unsigned
options_room(const struct answer_config *config, const struct engine_client *client, struct edns *e,
	     unsigned available)
{
	unsigned room = EDNS_OPT_LEN;
	if (likely(!e->has_options))
		return room;
	room += e->cookie_len != 0 && config->n_cookie_secrets != 0 ? COOKIE_ROOM : 0;
	room += e->subnet_len != 0 ? EDNS_OPTION_HEAD + e->subnet_len : 0;
	room += e->wants_expire ? EXPIRE_ROOM : 0;
	room += tells_keepalive(client, e) ? KEEPALIVE_ROOM : 0;
	room += e->wants_zoneversion ? ZONEVERSION_ROOM : 0;
	unsigned nsid = tells_nsid(config, e) ? NSID_ROOM(config) : 0;
	e->wants_nsid = nsid != 0 && room + nsid <= available;
	return room + (e->wants_nsid ? nsid : 0);
}

static uint8_t *
put_option(struct reply *r, enum edns_option code, uint16_t len)
{
	uint8_t *to = r->msg + r->pos;
	store_be16(to, (uint16_t)code);
	store_be16(to + 2, len);
	r->pos += EDNS_OPTION_HEAD + len;
	return to + EDNS_OPTION_HEAD;
}

static void
put_cookie(const struct options *o, struct reply *r, const struct edns *e)
{
	uint8_t *to = put_option(r, EDNS_COOKIE, EDNS_CLIENT_COOKIE + EDNS_SERVER_COOKIE);
	memcpy(to, e->cookie, EDNS_CLIENT_COOKIE);
	memcpy(to + EDNS_CLIENT_COOKIE, o->server_cookie, EDNS_SERVER_COOKIE);
}

/* We answer everybody alike: the network asked for, and scope 0 (RFC 7871 section 7.2.1). */
static void
put_subnet(struct reply *r, const struct edns *e)
{
	memcpy(put_option(r, EDNS_SUBNET, e->subnet_len), e->subnet, e->subnet_len);
}

/* The last option, as it depends on all others: up to the next whole block, or to as much as there may be. */
static void
put_padding(struct reply *r, uint32_t limit)
{
	if (r->pos + EDNS_OPTION_HEAD > limit)
		return;
	uint32_t len = r->pos + EDNS_OPTION_HEAD, blocks = (len + PADDING_BLOCK - 1) / PADDING_BLOCK;
	uint32_t padded = blocks * PADDING_BLOCK < limit ? blocks * PADDING_BLOCK : limit;
	memset(put_option(r, EDNS_PADDING, (uint16_t)(padded - len)), 0, padded - len);
}

/* The zone's label count, version type 0 (SOA serial), the serial (RFC 9660 section 3.2). */
static void
put_zoneversion(struct reply *r, const struct snapshot *s)
{
	uint8_t *to = put_option(r, EDNS_ZONEVERSION, 6);
	to[0] = s->apex_labels;
	to[1] = 0;
	store_be32(to + 2, s->serial);
}

static void
put_options(const struct options *o, struct reply *r, const struct answer_config *config,
	    const struct engine_client *client, const struct query *q, struct outcome outcome)
{
	const struct edns *e = &q->edns;
	if (tells_nsid(config, e))
		memcpy(put_option(r, EDNS_NSID, config->identity_len), config->identity, config->identity_len);
	if (o->cookie != COOKIE_NONE)
		put_cookie(o, r, e);
	if (e->subnet_len != 0)
		put_subnet(r, e);
	if (e->wants_expire && q->qtype == RRTYPE_SOA && outcome.is_authoritative && outcome.snapshot != NULL &&
	    r->count[SECTION_ANSWER] != 0)
		store_be32(put_option(r, EDNS_EXPIRE, 4), o->expire_s);
	if (tells_keepalive(client, e))
		store_be16(put_option(r, EDNS_KEEPALIVE, 2), config->tcp_idle_100ms);
	if (e->wants_zoneversion && outcome.snapshot != NULL)
		put_zoneversion(r, outcome.snapshot);
}

void
options_write(const struct options *o, struct reply *r, uint32_t limit, const struct answer_config *config,
	      const struct engine_client *client, const struct query *q, struct outcome outcome)
{
	uint8_t *opt = r->msg + r->pos;
	opt[0] = 0;
	store_be16(opt + 1, RRTYPE_OPT);
	store_be16(opt + 3, config->udp_payload);
	opt[5] = (uint8_t)(outcome.rcode >> 4);
	opt[6] = 0; /* version */
	store_be16(opt + 7, q->edns.wants_dnssec ? 0x8000 : 0);
	r->pos += EDNS_OPT_LEN;
	if (q->edns.has_options)
		put_options(o, r, config, client, q, outcome);
	if (outcome.error != EDE_NONE && r->pos + ERROR_ROOM <= limit)
		store_be16(put_option(r, EDNS_ERROR, 2), (uint16_t)outcome.error);
	if (unlikely(is_padded(client, &q->edns)))
		put_padding(r, limit);
	store_be16(opt + 9, (uint16_t)(r->msg + r->pos - opt - EDNS_OPT_LEN));
	r->count[SECTION_ADDITIONAL]++;
}
