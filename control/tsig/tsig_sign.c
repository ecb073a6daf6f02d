/* SPDX-License-Identifier: Apache-2.0 */
/* Signing with TSIG: requests, replies, and the messages of a stream. See tsig.h. */
#include "control/tsig/tsig_private.h"

#include <errno.h>

#include "zones/base/bytes.h"
#include "zones/wire/query.h"

#define MESSAGE_MAX 65535 /* octets; over TCP its length has 16 bits */

/* The TSIG that `key` puts behind msg[0..len); MAC and other data are still missing. */
static struct tsig_record
record_of(const struct tsig_key *key, const uint8_t *msg, size_t len, uint64_t time_s)
{
	return (struct tsig_record){
		.start = len,
		.arcount = load_be16(msg + 10),
		.fudge_s = TSIG_FUDGE_S,
		.time_s = time_s,
		.original_id = load_be16(msg),
		.mac_len = key->algorithm->mac_len,
		.key = key->name,
		.algorithm = key->algorithm->name,
	};
}

static bool
fits(const struct tsig_record *r, size_t cap)
{
	size_t limit = cap < MESSAGE_MAX ? cap : MESSAGE_MAX;
	return r->arcount != UINT16_MAX && r->start + tsig_record_len(r) <= limit;
}

static size_t
append(uint8_t *msg, const struct tsig_record *r)
{
	size_t len = tsig_record_write(r, msg + r->start);
	store_be16(msg + 10, (uint16_t)(r->arcount + 1));
	return r->start + len;
}

/* Finishes the MAC of a message and all that the TSIG says. */
static bool
sign_all(EVP_MAC_CTX *ctx, const uint8_t *msg, const struct tsig_record *r, struct tsig_mac *mac)
{
	return tsig_mac_add_message(ctx, msg, r) && tsig_mac_add_variables(ctx, r) && tsig_mac_final(ctx, mac);
}

int
tsig_sign_request(const struct tsig_key *key, uint8_t *msg, size_t len, size_t cap, uint64_t now_s,
		  struct tsig_mac *mac, size_t *len_out)
{
	struct tsig_record r = record_of(key, msg, len, now_s);
	struct tsig_mac made;
	if (!fits(&r, cap))
		return -EMSGSIZE;
	EVP_MAC_CTX *ctx = tsig_mac_new(key);
	bool is_signed = ctx != NULL && sign_all(ctx, msg, &r, &made);
	EVP_MAC_CTX_free(ctx);
	if (!is_signed)
		return -ENOMEM;
	r.mac = made.octets;
	*len_out = append(msg, &r);
	*mac = made;
	return 0;
}

/* -------- replies -------- */

static bool
is_answered_with_tsig(enum tsig_status status)
{
	return status == TSIG_GOOD || (status >= TSIG_BADKEY && status <= TSIG_BADTRUNC);
}

static uint16_t
error_of(enum tsig_status status)
{
	switch (status) {
	case TSIG_BADKEY:
		return TSIG_ERROR_BADKEY;
	case TSIG_BADSIG:
		return TSIG_ERROR_BADSIG;
	case TSIG_BADTIME:
		return TSIG_ERROR_BADTIME;
	case TSIG_BADTRUNC:
		return TSIG_ERROR_BADTRUNC;
	default:
		return TSIG_ERROR_NONE;
	}
}

/* The record of a reply without its MAC; `clock` is where our time lies if it is to be told. */
static struct tsig_record
record_of_reply(const struct tsig_verdict *request, uint64_t now_s, const uint8_t clock[TSIG_TIME_LEN])
{
	struct tsig_record r = {
		.fudge_s = TSIG_FUDGE_S,
		.time_s = now_s,
		.error = error_of(request->status),
		.mac_len = request->is_proven ? request->key->algorithm->mac_len : 0,
		.key = request->key_name,
		.algorithm = request->algorithm,
	};
	if (request->status ==
	    TSIG_BADTIME) { /* section 5.2.3: their time, so that they can verify it; ours beside it */
		r.time_s = request->time_s;
		r.fudge_s = request->fudge_s;
		r.other = clock;
		r.other_len = TSIG_TIME_LEN;
	}
	return r;
}

size_t
tsig_reply_room(const struct tsig_verdict *request)
{
	static const uint8_t clock[TSIG_TIME_LEN];
	if (!is_answered_with_tsig(request->status))
		return 0;
	struct tsig_record r = record_of_reply(request, 0, clock);
	return tsig_record_len(&r);
}

static bool
sign_reply(const struct tsig_verdict *request, const uint8_t *msg, const struct tsig_record *r,
	   struct tsig_mac *mac)
{
	EVP_MAC_CTX *ctx = tsig_mac_new(request->key);
	bool is_signed = ctx != NULL && tsig_mac_add_mac(ctx, &request->mac) && sign_all(ctx, msg, r, mac);
	EVP_MAC_CTX_free(ctx);
	return is_signed;
}

int
tsig_sign_reply(const struct tsig_verdict *request, uint8_t *msg, size_t len, size_t cap, uint64_t now_s,
		size_t *len_out)
{
	uint8_t clock[TSIG_TIME_LEN];
	struct tsig_mac mac;
	if (!is_answered_with_tsig(request->status)) {
		*len_out = len;
		return 0;
	}
	tsig_time_write(now_s, clock);
	struct tsig_record r = record_of_reply(request, now_s, clock);
	r.start = len;
	r.arcount = load_be16(msg + 10);
	r.original_id = load_be16(msg);
	if (!fits(&r, cap))
		return -EMSGSIZE;
	if (request->is_proven && !sign_reply(request, msg, &r, &mac))
		return -ENOMEM;
	r.mac = mac.octets;
	*len_out = append(msg, &r);
	return 0;
}

/* -------- streams -------- */

int
tsig_stream_begin(struct tsig_stream *s, const struct tsig_key *key, const struct tsig_mac *request_mac)
{
	EVP_MAC_CTX *ctx = tsig_mac_new(key);
	if (ctx == NULL || !tsig_mac_add_mac(ctx, request_mac)) {
		EVP_MAC_CTX_free(ctx);
		return -ENOMEM;
	}
	*s = (struct tsig_stream){.key = tsig_key_hold(key), .mac = ctx, .status = TSIG_GOOD};
	return 0;
}

void
tsig_stream_clear(struct tsig_stream *s)
{
	EVP_MAC_CTX_free(s->mac);
	tsig_key_release(s->key);
	*s = (struct tsig_stream){.status = TSIG_MISSING};
}

/* The MAC of the next message, and the beginning of the one behind it. */
static bool
sign_next(struct tsig_stream *s, const uint8_t *msg, const struct tsig_record *r, struct tsig_mac *mac)
{
	return tsig_mac_add_message(s->mac, msg, r) &&
	       (s->n_signed == 0 ? tsig_mac_add_variables(s->mac, r) : tsig_mac_add_timers(s->mac, r)) &&
	       tsig_mac_final(s->mac, mac) && tsig_mac_restart(s->mac) && tsig_mac_add_mac(s->mac, mac);
}

int
tsig_stream_sign(struct tsig_stream *s, uint8_t *msg, size_t len, size_t cap, uint64_t now_s, size_t *len_out)
{
	struct tsig_mac mac;
	if (s->status != TSIG_GOOD)
		return -ENOMEM;
	struct tsig_record r = record_of(s->key, msg, len, now_s > s->time_s ? now_s : s->time_s);
	if (!fits(&r, cap))
		return -EMSGSIZE;
	if (!sign_next(s, msg, &r, &mac)) {
		s->status = TSIG_NO_MEMORY;
		return -ENOMEM;
	}
	r.mac = mac.octets;
	*len_out = append(msg, &r);
	s->time_s = r.time_s;
	s->n_signed++;
	return 0;
}
