/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Verifying TSIG: requests, replies, and the messages of a stream. See tsig.h.
 *
 * All three end in judge(), which holds the order of RFC 8945 section 5.2: MAC, time, truncation; the key comes
 * before it, because without one there is nothing to compute with.
 */
#include "control/tsig/tsig_private.h"

#include <openssl/crypto.h>

#include "zones/base/bytes.h"
#include "zones/wire/query.h"

#define MAC_MIN 10 /* octets, of any MAC that was truncated (section 5.2.2.1) */

/* A message whose MAC is being computed, and what is known about it. */
struct check {
	const struct tsig_key *key;
	EVP_MAC_CTX *mac; /* has taken in all that comes before the message */
	const uint8_t *msg;
	const struct tsig_record *record;
	bool is_continued; /* not the first of a stream: the MAC covers the timers alone */
};

static enum tsig_status
conclude(struct tsig_verdict *v, enum tsig_status status)
{
	v->status = status;
	return status;
}

static enum tsig_status
refuse(struct tsig_verdict *v, enum tsig_status status, const char *fault)
{
	v->fault = fault;
	return conclude(v, status);
}

/* -------- what every message goes through -------- */

/* Nothing is known yet; the names and the MAC are left alone. */
static void
begin(struct tsig_verdict *v, const uint8_t *msg, size_t len, uint64_t now_s)
{
	v->status = TSIG_NONE;
	v->is_proven = false;
	v->arcount = len >= DNS_HEADER_LEN ? load_be16(msg + 10) : 0;
	v->len = len;
	v->key = NULL;
	v->fault = NULL;
	v->now_s = now_s;
	v->time_s = v->refused_at_s = 0;
	v->fudge_s = v->error = v->mac_len = 0;
	v->mac.len = v->key_name.len = v->algorithm.len = 0;
}

/* Finds the TSIG and notes what it says: GOOD where there is one, NONE or FORMERR where not. */
static enum tsig_status
find(const uint8_t *msg, size_t len, struct tsig_record *r, struct tsig_verdict *v)
{
	switch (tsig_record_find(msg, len, r)) {
	case TSIG_FIND_ONE:
		break;
	case TSIG_FIND_NONE:
		return conclude(v, TSIG_NONE);
	case TSIG_FIND_MISPLACED:
		return refuse(v, TSIG_FORMERR, "its TSIG is not the last record, or not the only one");
	case TSIG_FIND_UNREADABLE:
		return refuse(v, TSIG_FORMERR, "its TSIG cannot be read");
	default:
		return refuse(v, TSIG_FORMERR, "the message cannot be read");
	}
	v->len = r->start;
	v->arcount = r->arcount;
	v->time_s = r->time_s;
	v->fudge_s = r->fudge_s;
	v->error = r->error;
	v->mac_len = r->mac_len;
	v->mac.len = (uint8_t)(r->mac_len <= TSIG_MAC_MAX ? r->mac_len : 0);
	memcpy(v->mac.octets, r->mac, v->mac.len);
	v->key_name = r->key;
	v->algorithm = r->algorithm;
	return conclude(v, TSIG_GOOD);
}

static bool
is_of_key(const struct tsig_record *r, const struct tsig_key *key)
{
	return name_equal(r->key.bytes, key->name.bytes) &&
	       name_equal(r->algorithm.bytes, key->algorithm->name.bytes);
}

/* Section 5.2.2.1: how long a MAC may be at all, whatever our policy. */
static bool
mac_len_is_allowed(unsigned len, const struct tsig_key *key)
{
	unsigned full = key->algorithm->mac_len, half = full / 2;
	return len <= full && len >= (half > MAC_MIN ? half : MAC_MIN);
}

static bool
compute(const struct check *c, struct tsig_mac *out)
{
	return tsig_mac_add_message(c->mac, c->msg, c->record) &&
	       (c->is_continued ? tsig_mac_add_timers(c->mac, c->record)
				: tsig_mac_add_variables(c->mac, c->record)) &&
	       tsig_mac_final(c->mac, out);
}

/* Section 5.2.2: GOOD where the MAC is right. */
static enum tsig_status
judge_mac(const struct check *c, struct tsig_verdict *v)
{
	struct tsig_mac ours;
	if (!mac_len_is_allowed(v->mac_len, c->key))
		return refuse(v, TSIG_FORMERR, "its MAC has a length that the algorithm does not allow");
	if (!compute(c, &ours))
		return conclude(v, TSIG_NO_MEMORY);
	if (CRYPTO_memcmp(ours.octets, c->record->mac, v->mac_len) != 0)
		return conclude(v, TSIG_BADSIG);
	v->is_proven = true;
	return conclude(v, TSIG_GOOD);
}

/* Sections 5.2.3 and 5.2.4, for what is proven to come from the key. */
static enum tsig_status
judge_proven(const struct check *c, struct tsig_verdict *v)
{
	uint64_t apart_s = v->now_s > v->time_s ? v->now_s - v->time_s : v->time_s - v->now_s;
	if (apart_s > v->fudge_s)
		return conclude(v, TSIG_BADTIME);
	if (v->mac_len < c->key->algorithm->mac_len && !c->key->takes_truncated)
		return conclude(v, TSIG_BADTRUNC);
	return conclude(v, TSIG_GOOD);
}

static enum tsig_status
judge(const struct check *c, struct tsig_verdict *v)
{
	return judge_mac(c, v) == TSIG_GOOD ? judge_proven(c, v) : v->status;
}

/* -------- requests -------- */

enum tsig_status
tsig_verify_request(const struct tsig_keys *keys, const uint8_t *msg, size_t len, uint64_t now_s,
		    struct tsig_verdict *out)
{
	struct tsig_record r;
	begin(out, msg, len, now_s);
	if (find(msg, len, &r, out) != TSIG_GOOD)
		return out->status;
	out->key = tsig_keys_find(keys, &r.key);
	if (out->key == NULL || !is_of_key(&r, out->key))
		return conclude(out, TSIG_BADKEY);
	struct check c = {.key = out->key, .mac = tsig_mac_new(out->key), .msg = msg, .record = &r};
	if (c.mac == NULL)
		return conclude(out, TSIG_NO_MEMORY);
	judge(&c, out);
	EVP_MAC_CTX_free(c.mac);
	return out->status;
}

/* -------- replies -------- */

/* Section 5.4: they tell that our TSIG was not accepted, by a MAC that proves it or without one. */
static enum tsig_status
conclude_refused(const struct tsig_record *r, struct tsig_verdict *v)
{
	if (v->is_proven && r->error == TSIG_ERROR_BADTIME && r->other_len == TSIG_TIME_LEN)
		v->refused_at_s = tsig_time_read(r->other);
	return conclude(v, TSIG_REFUSED);
}

/* Judges one reply that has a TSIG. */
static enum tsig_status
judge_reply(const struct check *c, struct tsig_verdict *v)
{
	const struct tsig_record *r = c->record;
	if (c->is_continued && (r->error != TSIG_ERROR_NONE || r->other_len != 0))
		return refuse(v, TSIG_FORMERR, "its TSIG tells an error that its MAC does not cover");
	if (r->error != TSIG_ERROR_NONE && r->mac_len == 0)
		return conclude_refused(r, v);
	if (!is_of_key(r, c->key))
		return conclude(v, TSIG_BADKEY);
	if (judge_mac(c, v) != TSIG_GOOD)
		return v->status;
	return r->error != TSIG_ERROR_NONE ? conclude_refused(r, v) : judge_proven(c, v);
}

enum tsig_status
tsig_verify_reply(const struct tsig_key *key, const struct tsig_mac *request_mac, const uint8_t *msg, size_t len,
		  uint64_t now_s, struct tsig_verdict *out)
{
	struct tsig_record r;
	begin(out, msg, len, now_s);
	enum tsig_status found = find(msg, len, &r, out);
	if (found == TSIG_NONE)
		return refuse(out, TSIG_MISSING, "the reply to a signed request is not signed");
	if (found != TSIG_GOOD)
		return found;
	out->key = key;
	struct check c = {.key = key, .mac = tsig_mac_new(key), .msg = msg, .record = &r};
	if (c.mac != NULL && tsig_mac_add_mac(c.mac, request_mac))
		judge_reply(&c, out);
	else
		conclude(out, TSIG_NO_MEMORY);
	EVP_MAC_CTX_free(c.mac);
	return out->status;
}

/* -------- streams -------- */

/* Section 5.3.1: the first message must be signed, and one of each hundred. */
static enum tsig_status
take_unsigned(struct tsig_stream *s, const uint8_t *msg, size_t len, struct tsig_verdict *v)
{
	if (s->n_signed == 0)
		return refuse(v, TSIG_MISSING, "the first message is not signed");
	if (s->n_unsigned == TSIG_UNSIGNED_MAX)
		return refuse(v, TSIG_MISSING, "too many messages in a row are not signed");
	if (EVP_MAC_update(s->mac, msg, len) != 1)
		return conclude(v, TSIG_NO_MEMORY);
	s->n_unsigned++;
	return conclude(v, TSIG_PENDING);
}

static enum tsig_status
take_signed(struct tsig_stream *s, const uint8_t *msg, const struct tsig_record *r, struct tsig_verdict *v)
{
	struct check c = {.key = s->key, .mac = s->mac, .msg = msg, .record = r, .is_continued = s->n_signed > 0};
	if (judge_reply(&c, v) != TSIG_GOOD)
		return v->status;
	s->n_signed++;
	s->n_unsigned = 0;
	if (!tsig_mac_restart(s->mac) || !tsig_mac_add_mac(s->mac, &v->mac))
		return conclude(v, TSIG_NO_MEMORY);
	return v->status;
}

enum tsig_status
tsig_stream_verify(struct tsig_stream *s, const uint8_t *msg, size_t len, uint64_t now_s, struct tsig_verdict *out)
{
	struct tsig_record r;
	begin(out, msg, len, now_s);
	out->key = s->key;
	if (s->status != TSIG_GOOD)
		return refuse(out, s->status, "the stream was given up before");
	enum tsig_status found = find(msg, len, &r, out), status = found;
	if (found == TSIG_NONE)
		status = take_unsigned(s, msg, len, out);
	else if (found == TSIG_GOOD)
		status = take_signed(s, msg, &r, out);
	if (status != TSIG_PENDING)
		s->status = status;
	return status;
}

enum tsig_status
tsig_stream_status(const struct tsig_stream *s)
{
	return s->status == TSIG_GOOD && (s->n_signed == 0 || s->n_unsigned > 0) ? TSIG_MISSING : s->status;
}

/* -------- afterwards -------- */

size_t
tsig_strip(uint8_t *msg, const struct tsig_verdict *v)
{
	if (v->len >= DNS_HEADER_LEN)
		store_be16(msg + 10, v->arcount);
	return v->len;
}

uint16_t
tsig_status_rcode(enum tsig_status status)
{
	switch (status) {
	case TSIG_NONE:
	case TSIG_GOOD:
	case TSIG_PENDING:
		return RCODE_NOERROR;
	case TSIG_FORMERR:
		return RCODE_FORMERR;
	case TSIG_NO_MEMORY:
		return RCODE_SERVFAIL;
	default:
		return RCODE_NOTAUTH;
	}
}
