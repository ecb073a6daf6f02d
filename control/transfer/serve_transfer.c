/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Serving transfers. See serve_transfer.h.
 *
 * A struct outgoing is one transfer from the moment on that it is granted. It belongs to one thread at a time:
 * control, which makes it; the pool, while the history is read; the connection's TCP thread, once it is a stream.
 * What the threads share is counted in atomics.
 */
#include "control/transfer/serve_transfer.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "control/base/log.h"
#include "control/net/acl.h"
#include "control/transfer/xfr_history.h"
#include "control/transfer/xfr_out.h"
#include "zones/base/bytes.h"
#include "zones/wire/rrtype.h"
#include "zones/wire/serial.h"

#define REPLY_MAX 4096 /* octets of a reply in one message: over UDP, or an SOA */

struct serve_transfers {
	struct serve_transfers_options options;
	bool is_stopping;
	atomic_uint running;
	struct xfr_history_budget histories;
	_Atomic uint64_t done[SERVE_KINDS], failed[SERVE_KINDS];
	_Atomic uint64_t refused, busy;
};

struct outgoing {
	struct serve_transfers *owner;
	struct inquiry *inquiry; /* NULL: answered */
	struct served *served;   /* held */
	struct zone_request request;
	struct tsig_verdict tsig; /* its key is held */
	struct tsig_stream stream;
	bool is_signed;
	bool is_udp;
	uint16_t udp_payload;
	uint32_t expire_s;
	enum xfr_kind kind;
	struct xfr_out *session;
	struct xfr_history_copy *history;
	int history_err;
	uv_work_t work;
	int err;        /* why it failed */
	uint64_t bytes; /* sent, TSIG included */
	uint64_t started_ns;
	char client[ACL_CLIENT_TEXT_MAX];
};

const char *
serve_kind_text(enum xfr_kind kind)
{
	static const char *const texts[SERVE_KINDS] = {
		[XFR_AXFR] = "axfr",
		[XFR_IXFR] = "ixfr",
		[XFR_AXFR_STYLE_IXFR] = "axfr-style-ixfr",
		[XFR_UP_TO_DATE] = "up-to-date",
	};
	return texts[kind];
}

static uint64_t
wall_s(void)
{
	return (uint64_t)time(NULL);
}

/* -------- the life of a transfer -------- */

/* One line a transfer; what only tells that there is nothing new is no transfer to people. */
static void
log_end(const struct outgoing *o, bool is_done)
{
	char zone[NAME_TEXT_MAX];
	struct xfr_out_progress p = {0};
	uint64_t ms = (publish_now_ns() - o->started_ns) / 1000000;
	const char *kind = serve_kind_text(o->kind);
	uint32_t serial = o->served->snapshot->serial;
	if (o->session != NULL)
		p = xfr_out_progress(o->session);
	name_to_text(o->request.apex.bytes, zone);
	if (is_done)
		log_write(o->kind == XFR_UP_TO_DATE ? CONFIG_LOG_DEBUG : CONFIG_LOG_INFO, zone,
			  "%s to %s: serial %" PRIu32 ", %" PRIu64 " records, %" PRIu64 " octets in %" PRIu64 " ms",
			  kind, o->client, serial, p.records, o->bytes, ms);
	else
		log_limited(CONFIG_LOG_WARNING, zone,
			    "%s to %s: serial %" PRIu32 ", broken off after %" PRIu64 " records, %" PRIu64
			    " octets and %" PRIu64 " ms: %s",
			    kind, o->client, serial, p.records, o->bytes, ms,
			    o->err != 0 ? strerror(-o->err) : "the client has gone");
}

/* Gives everything back. Any thread. */
static void
outgoing_free(struct outgoing *o)
{
	struct serve_transfers *s = o->owner;
	tsig_stream_clear(&o->stream);
	tsig_key_release(o->tsig.key);
	xfr_out_free(o->session);
	xfr_history_free(o->history);
	served_release(s->options.publisher, o->served);
	free(o);
	atomic_fetch_sub(&s->running, 1); /* last: who sees it idle may free the rest */
}

static void
outgoing_end(struct outgoing *o)
{
	bool is_done = o->err == 0 && o->session != NULL && xfr_out_is_done(o->session);
	log_end(o, is_done);
	atomic_fetch_add(is_done ? &o->owner->done[o->kind] : &o->owner->failed[o->kind], 1);
	outgoing_free(o);
}

static struct outgoing *
outgoing_new(struct serve_transfers *s, const struct serve_transfer *t, const struct acl_client *client)
{
	struct outgoing *o = calloc(1, sizeof(*o));
	if (o == NULL)
		return NULL;
	o->owner = s;
	o->inquiry = t->inquiry;
	o->served = t->served;
	o->request = *t->request;
	o->tsig = *t->tsig;
	o->is_signed = t->tsig->status == TSIG_GOOD;
	o->tsig.key = o->is_signed ? tsig_key_hold(t->tsig->key) : NULL;
	o->is_udp = t->inquiry->client.transport == ENGINE_UDP;
	o->udp_payload = t->udp_payload;
	o->expire_s = t->has_expire ? t->expire_s : t->served->snapshot->expire_s;
	o->kind = t->request->qtype == RRTYPE_AXFR ? XFR_AXFR : XFR_AXFR_STYLE_IXFR;
	o->started_ns = publish_now_ns();
	acl_client_text(client, o->client);
	served_hold(o->served);
	atomic_fetch_add(&s->running, 1);
	return o;
}

/* The session that answers in the chosen kind. 0 or -ENOMEM. */
static int
open_session(struct outgoing *o)
{
	uint8_t opt[ZONE_REQUEST_OPT_MAX];
	struct xfr_out_query q = {
		.snapshot = o->served->snapshot,
		.kind = o->kind,
		.id = o->request.id,
		.wants_recursion = (o->request.flags & FLAG_RD) != 0,
		.question = {o->request.question.bytes, o->request.qtype, o->request.qclass},
		.serial = o->request.serial,
		.opt = opt,
		.opt_len =
			(uint16_t)zone_request_opt(&o->request, RCODE_NOERROR, o->udp_payload, &o->expire_s, opt),
		.tsig_room = (uint16_t)tsig_reply_room(&o->tsig),
		.target_len = o->is_udp ? o->inquiry->reply_cap : 0,
	};
	if (o->kind == XFR_IXFR)
		q.history = xfr_history_stream(o->history);
	xfr_out_free(o->session);
	o->session = xfr_out_new(&q);
	return o->session != NULL ? 0 : -ENOMEM;
}

/* -------- replies of one message -------- */

/* Signs and sends. 0, or -errno and the inquiry is still open. */
static int
send_reply(struct inquiry *q, const struct tsig_verdict *tsig, uint8_t *msg, size_t len, size_t cap,
	   size_t *len_out)
{
	int err = tsig_sign_reply(tsig, msg, len, cap, wall_s(), len_out);
	if (err == 0)
		inquiry_reply(q, msg, *len_out);
	return err;
}

static size_t
reply_cap(const struct inquiry *q)
{
	return q->reply_cap < REPLY_MAX ? q->reply_cap : REPLY_MAX;
}

/* A reply without records; where the TSIG does not fit behind it, one with TC and no OPT (RFC 8945 section 5.3). */
static void
reply_rcode(struct inquiry *q, const struct zone_request *r, const struct tsig_verdict *tsig, uint16_t rcode,
	    uint16_t udp_payload)
{
	uint8_t msg[REPLY_MAX];
	size_t cap = reply_cap(q), len;
	int err = send_reply(q, tsig, msg, zone_request_reply(r, rcode, 0, udp_payload, msg, cap), cap, &len);
	if (err == -EMSGSIZE) {
		struct zone_request plain = *r;
		edns_clear(&plain.edns);
		err = send_reply(q, tsig, msg, zone_request_reply(&plain, rcode, FLAG_TC, 0, msg, cap), cap, &len);
	}
	if (err != 0)
		inquiry_drop(q);
}

/* Over UDP the differences fit into one message, or the SOA alone tells to ask over TCP (RFC 1995 section 2). */
static int
make_single(struct outgoing *o, uint8_t *msg, size_t cap)
{
	int err = open_session(o);
	if (err != 0)
		return err;
	int len = xfr_out_next(o->session, msg, cap);
	bool is_whole = len > 0 && xfr_out_is_done(o->session);
	if (is_whole || o->kind == XFR_UP_TO_DATE)
		return len;
	o->kind = XFR_UP_TO_DATE;
	err = open_session(o);
	return err != 0 ? err : xfr_out_next(o->session, msg, cap);
}

static void
answer_single(struct outgoing *o)
{
	uint8_t msg[REPLY_MAX];
	size_t cap = reply_cap(o->inquiry), len = 0;
	int n = make_single(o, msg, cap);
	o->err = n > 0 ? send_reply(o->inquiry, &o->tsig, msg, (size_t)n, cap, &len) : n;
	o->bytes = len;
	if (o->err != 0)
		reply_rcode(o->inquiry, &o->request, &o->tsig, RCODE_SERVFAIL, o->udp_payload);
	outgoing_end(o);
}

/* -------- streams -------- */

static int
produce(void *arg, uint8_t *buf, size_t cap)
{
	struct outgoing *o = arg;
	size_t signed_len = 0;
	int len = xfr_out_next(o->session, buf, cap);
	if (len > 0 && o->is_signed) {
		int err = tsig_stream_sign(&o->stream, buf, (size_t)len, cap, wall_s(), &signed_len);
		len = err != 0 ? err : (int)signed_len;
	}
	if (len < 0)
		o->err = len;
	else
		o->bytes += (unsigned)len;
	return len;
}

static void
produced(void *arg)
{
	outgoing_end(arg);
}

static void
answer_stream(struct outgoing *o)
{
	struct inquiry_producer producer = {.next = produce, .free = produced, .arg = o};
	o->err = open_session(o);
	if (o->err == 0 && o->is_signed)
		o->err = tsig_stream_begin(&o->stream, o->tsig.key, &o->tsig.mac);
	if (o->err != 0) {
		reply_rcode(o->inquiry, &o->request, &o->tsig, RCODE_SERVFAIL, o->udp_payload);
		outgoing_end(o);
		return;
	}
	inquiry_stream(o->inquiry, &producer);
}

/* -------- history -------- */

static void
read_history(uv_work_t *work)
{
	struct outgoing *o = work->data;
	struct serve_transfers *s = o->owner;
	o->history_err = s->options.state == NULL
				 ? -ENOENT
				 : xfr_history_load(s->options.state, &o->request.apex, o->request.serial,
						    o->served->snapshot->serial, s->options.history_bytes_max,
						    &s->histories, &o->history);
}

/* Differences are sent where they are less than the zone. */
static void
choose_kind(struct outgoing *o)
{
	char zone[NAME_TEXT_MAX];
	if (o->history_err == 0 && xfr_history_records(o->history) <= o->served->snapshot->records)
		o->kind = XFR_IXFR;
	else
		o->kind = o->is_udp ? XFR_UP_TO_DATE : XFR_AXFR_STYLE_IXFR;
	if (o->kind != XFR_IXFR) {
		xfr_history_free(o->history);
		o->history = NULL;
	}
	if (o->history_err == 0 || o->history_err == -ENOENT || o->history_err == -E2BIG)
		return;
	name_to_text(o->request.apex.bytes, zone);
	log_limited(CONFIG_LOG_WARNING, zone, "the history cannot be read, the whole zone is sent instead: %s",
		    strerror(-o->history_err));
}

static void
history_read(uv_work_t *work, int status)
{
	struct outgoing *o = work->data;
	assert(status == 0); /* nobody cancels it */
	(void)status;
	choose_kind(o);
	if (o->owner->is_stopping) {
		o->err = -ECANCELED;
		inquiry_drop(o->inquiry);
		outgoing_end(o);
	} else if (o->is_udp) {
		answer_single(o);
	} else {
		answer_stream(o);
	}
}

static void
answer_ixfr(struct outgoing *o)
{
	if (!serial_is_newer(o->served->snapshot->serial, o->request.serial)) {
		o->kind = XFR_UP_TO_DATE;
		answer_single(o);
		return;
	}
	o->work.data = o;
	int err = uv_queue_work(o->owner->options.loop, &o->work, read_history, history_read);
	assert(err == 0); /* fails only without a work function */
	(void)err;
}

/* -------- granting -------- */

enum zone_request_status
serve_transfer_parse(const uint8_t *msg, size_t len, struct zone_request *out)
{
	enum zone_request_status status = zone_request_parse(msg, len, MESSAGE_AUTHORITY, out);
	if (status != ZONE_REQUEST_OK)
		return status;
	bool is_query = (out->flags >> 11 & 15) == OPCODE_QUERY;
	bool is_good = out->qtype == RRTYPE_AXFR || (out->qtype == RRTYPE_IXFR && out->has_serial);
	return is_query && is_good ? ZONE_REQUEST_OK : ZONE_REQUEST_FORMERR;
}

static void
log_refused(const struct serve_transfer *t, const struct acl_client *client, const char *why)
{
	char zone[NAME_TEXT_MAX], text[ACL_CLIENT_TEXT_MAX];
	name_to_text(t->request->apex.bytes, zone);
	log_limited(CONFIG_LOG_INFO, zone, "transfer to %s refused: %s", acl_client_text(client, text), why);
}

/* NOERROR: granted. */
static uint16_t
judge(const struct serve_transfer *t, const struct acl_client *client)
{
	char why[TSIG_TEXT_MAX];
	const struct config_zone *zone = t->zone;
	if (t->tsig->status != TSIG_NONE && t->tsig->status != TSIG_GOOD) {
		if (t->request->has_question)
			log_refused(t, client, tsig_verdict_text(t->tsig, why));
		return tsig_status_rcode(t->tsig->status);
	}
	if (t->status != ZONE_REQUEST_OK)
		return zone_request_status_rcode(t->status);
	if (t->request->qclass != RRCLASS_IN)
		return RCODE_REFUSED;
	if (zone == NULL)
		return RCODE_NOTAUTH; /* RFC 5936 section 2.2.1 */
	if (!acl_allows(zone->allow_transfer, zone->n_allow_transfer, client)) {
		log_refused(t, client, "no rule of allow-transfer matches");
		return RCODE_REFUSED;
	}
	if (client->from.is_old_tls) {
		log_refused(t, client, "it takes TLS 1.3 (RFC 9103 section 7.1)");
		return RCODE_REFUSED;
	}
	if (t->served == NULL)
		return RCODE_SERVFAIL;
	/* RFC 5936 section 4.2 */
	return t->request->qtype == RRTYPE_AXFR && client->from.transport == ENGINE_UDP ? RCODE_REFUSED
											: RCODE_NOERROR;
}

/* NULL: over the limit, or out of memory. */
static struct outgoing *
grant(struct serve_transfers *s, const struct serve_transfer *t, const struct acl_client *client)
{
	char zone[NAME_TEXT_MAX];
	if (atomic_load(&s->running) < s->options.max) {
		struct outgoing *o = outgoing_new(s, t, client);
		if (o != NULL)
			return o;
	}
	atomic_fetch_add(&s->busy, 1);
	name_to_text(t->request->apex.bytes, zone);
	log_limited(CONFIG_LOG_WARNING, zone, "transfer put off, as %u run already or memory is short",
		    atomic_load(&s->running));
	return NULL;
}

void
serve_transfer(struct serve_transfers *s, const struct serve_transfer *t)
{
	bool is_signed = t->tsig->status == TSIG_GOOD;
	struct acl_client client = {.from = t->inquiry->client,
				    .key = is_signed ? tsig_key_name(t->tsig->key) : NULL};
	if (t->status == ZONE_REQUEST_DROP || s->is_stopping) {
		inquiry_drop(t->inquiry);
		return;
	}
	uint16_t rcode = judge(t, &client);
	if (rcode != RCODE_NOERROR) {
		atomic_fetch_add(&s->refused, 1);
		reply_rcode(t->inquiry, t->request, t->tsig, rcode, t->udp_payload);
		return;
	}
	struct outgoing *o = grant(s, t, &client);
	if (o == NULL)
		reply_rcode(t->inquiry, t->request, t->tsig, RCODE_SERVFAIL, t->udp_payload);
	else if (o->kind == XFR_AXFR)
		answer_stream(o);
	else
		answer_ixfr(o);
}

/* -------- all of them -------- */

int
serve_transfers_new(const struct serve_transfers_options *options, struct serve_transfers **out)
{
	struct serve_transfers *s = calloc(1, sizeof(*s));
	if (s == NULL)
		return -ENOMEM;
	s->options = *options;
	if (s->options.max == 0)
		s->options.max = SERVE_TRANSFERS_MAX;
	if (s->options.history_bytes_max == 0)
		s->options.history_bytes_max = SERVE_HISTORY_BYTES_MAX;
	s->histories.max = SERVE_HISTORIES_BYTES_MAX;
	*out = s;
	return 0;
}

void
serve_transfers_stop(struct serve_transfers *s)
{
	s->is_stopping = true;
}

bool
serve_transfers_are_idle(const struct serve_transfers *s)
{
	return atomic_load(&s->running) == 0;
}

void
serve_transfers_free(struct serve_transfers *s)
{
	assert(s == NULL || serve_transfers_are_idle(s));
	free(s);
}

void
serve_transfers_stats(const struct serve_transfers *s, struct serve_transfers_stats *out)
{
	for (unsigned i = 0; i < SERVE_KINDS; i++) {
		out->done[i] = atomic_load(&s->done[i]);
		out->failed[i] = atomic_load(&s->failed[i]);
	}
	out->refused = atomic_load(&s->refused);
	out->busy = atomic_load(&s->busy);
	out->running = atomic_load(&s->running);
}
