/* SPDX-License-Identifier: Apache-2.0 */
/* One transfer's work on records. See receiver.h. */
#include "control/transfer/receiver.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/transfer/draft.h"
#include "control/transfer/xfr_in.h"
#include "zones/base/alloc.h"
#include "zones/wire/query.h"
#include "zones/wire/rrtype.h"

/*
 * Octets that a transfer takes beside what is made of its records: messages that wait, up to 64 KiB each, those
 * that the pool has, and what lies between in the pages of 2 MiB that the allocator has from the kernel, for two
 * threads.
 */
#define RECEIVER_BYTES (6 * 1024 * 1024)

struct receiver {
	struct receiver_query query;
	struct tsig_stream tsig; /* zeros without a key */
	struct xfr_in *session;
	struct draft draft;
	struct diag_list diag;
	struct zalloc_account account; /* what the draft takes */
	int err;                       /* of the session */
	bool is_over;                  /* no more messages are wanted */
	bool has_bad_tsig;             /* tsig_why says what is wrong */
	char tsig_why[TRANSFER_WHY_MAX];
};

/* -------- beginning and giving up -------- */

static uint32_t
base_serial(const struct receiver_query *query)
{
	return query->base ? query->base->snapshot->serial : 0;
}

static struct xfr_in_query
session_query(const struct receiver_query *query)
{
	return (struct xfr_in_query){
		.apex = query->apex,
		.id = query->id,
		.qtype = query->qtype,
		.has_serial = query->base != NULL,
		.is_forced = query->is_forced,
		.serial = base_serial(query),
		.limits = query->limits,
	};
}

static void
account_begin(struct receiver *r)
{
	uint64_t limit = r->query.limits.size_bytes;
	uint64_t apart = RECEIVER_BYTES < limit / 4 ? RECEIVER_BYTES : limit / 4;
	zalloc_account_init(&r->account, (int64_t)apart, limit < INT64_MAX ? (int64_t)limit : 0);
}

struct receiver *
receiver_new(const struct receiver_query *query)
{
	struct receiver *r = calloc(1, sizeof(*r));
	if (!r)
		return NULL;
	assert(query->base || query->qtype == RRTYPE_AXFR);
	r->query = *query;
	r->draft.apex = query->apex;
	r->draft.base = query->base;
	r->draft.zonemd = query->zonemd;
	r->draft.limits = query->limits;
	r->draft.diag = &r->diag;
	r->draft.crew = query->crew;
	r->draft.state = query->state;
	draft_begin(&r->draft);
	account_begin(r);
	struct xfr_in_query session = session_query(query);
	struct xfr_in_events events = draft_events(&r->draft);
	r->session = xfr_in_new(&session, &events);
	if (r->session && (!query->key || !tsig_stream_begin(&r->tsig, query->key, &query->request_mac)))
		return r;
	receiver_free(r);
	return NULL;
}

void
receiver_free(struct receiver *r)
{
	if (!r)
		return;
	draft_clear(&r->draft);
	xfr_in_free(r->session);
	tsig_stream_clear(&r->tsig);
	diag_clear(&r->diag);
	free(r);
}

/* -------- messages -------- */

/* What the primary says beside its lack of a signature is not proven, but may be what an operator has to know. */
static void
tell_bad_tsig(struct receiver *r, const struct tsig_verdict *v, const uint8_t *msg, size_t len)
{
	char text[TSIG_TEXT_MAX], rcode[XFR_RCODE_TEXT_MAX];
	unsigned code = len >= DNS_HEADER_LEN ? msg[3] & 15 : RCODE_NOERROR;
	tsig_verdict_text(v, text);
	if (code == RCODE_NOERROR)
		snprintf(r->tsig_why, sizeof(r->tsig_why), "TSIG: %.400s", text);
	else
		snprintf(r->tsig_why, sizeof(r->tsig_why), "TSIG: %.400s; the message says %s", text,
			 xfr_rcode_text(code, rcode));
}

static bool
tsig_allows(struct receiver *r, const uint8_t *msg, size_t len, uint64_t now_s)
{
	struct tsig_verdict v;
	if (!r->query.key)
		return true;
	enum tsig_status status = tsig_stream_verify(&r->tsig, msg, len, now_s, &v);
	if (status == TSIG_GOOD || status == TSIG_PENDING)
		return true;
	tell_bad_tsig(r, &v, msg, len);
	r->has_bad_tsig = true;
	return false;
}

bool
receiver_take(struct receiver *r, const uint8_t *msg, size_t len, uint64_t now_s)
{
	if (r->is_over)
		return true;
	if (!tsig_allows(r, msg, len, now_s)) {
		r->is_over = true;
		return true;
	}
	struct zalloc_account *before = zalloc_account_use(&r->account);
	r->err = xfr_in_message(r->session, msg, len, &r->diag);
	zalloc_account_use(before);
	r->is_over = r->err || xfr_in_result(r->session).state != XFR_IN_GOING;
	return r->is_over;
}

/* All that was taken is proven; without a key there is nothing to prove. */
static bool
is_proven(const struct receiver *r)
{
	return !r->query.key || tsig_stream_status(&r->tsig) == TSIG_GOOD;
}

bool
receiver_has_all(const struct receiver *r)
{
	struct xfr_in_result result = xfr_in_result(r->session);
	return !r->has_bad_tsig && is_proven(r) && (result.state == XFR_IN_DONE || result.rcode != RCODE_NOERROR);
}

uint64_t
receiver_records(const struct receiver *r)
{
	return xfr_in_result(r->session).records;
}

/* -------- how it ends -------- */

PRINTF_LIKE(3, 4)
static void
tell(struct transfer_result *out, enum transfer_end end, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	vsnprintf(out->why, sizeof(out->why), fmt, args);
	va_end(args);
	out->end = end;
}

/* In other words than the limit of octets that come, since it can be much less of these. */
static void
tell_memory(const struct receiver *r, struct transfer_result *out, enum transfer_end end)
{
	tell(out, end,
	     "behind %llu records it takes more than %llu octets of memory; the limit is transfer-limits.size",
	     (unsigned long long)xfr_in_result(r->session).records, (unsigned long long)r->query.limits.size_bytes);
}

/* With the first error that was found, or where nothing but the number is known, with that. */
static void
tell_error(const struct receiver *r, struct transfer_result *out, enum transfer_end end, int err)
{
	for (unsigned i = 0; i < r->diag.n; i++) {
		if (r->diag.items[i].severity != DIAG_ERROR)
			continue;
		tell(out, end, "%s", r->diag.items[i].message);
		return;
	}
	if (err == -ENOMEM && r->account.is_exceeded)
		tell_memory(r, out, end);
	else
		tell(out, end, "%s", strerror(-err));
}

/* Of a callback or of the finished zone: can the whole zone be better than these differences were? */
static bool
whole_may_do(const struct receiver *r, const struct transfer_result *out, int err)
{
	return out->kind == XFR_IXFR && (r->account.is_exceeded || err == -ENOENT || err == -EEXIST ||
					 err == -EINVAL || err == -ERANGE || err == -EBADMSG);
}

/* The session ended by itself, other than done. */
static void
end_refused(const struct receiver *r, const struct xfr_in_result *result, struct transfer_result *out)
{
	enum transfer_end end = TRANSFER_FAILED;
	bool is_ixfr = r->query.qtype == RRTYPE_IXFR;
	if (result->state == XFR_IN_NOT_NEWER && is_proven(r)) {
		out->end = TRANSFER_UP_TO_DATE;
		out->kind = XFR_UP_TO_DATE;
		return;
	}
	if (result->state == XFR_IN_TRY_AXFR)
		end = TRANSFER_TRY_WHOLE;
	else if (result->state == XFR_IN_REFUSED && result->rcode == RCODE_REFUSED && is_ixfr)
		end = TRANSFER_TRY_WHOLE;
	else if (result->state == XFR_IN_BROKEN && is_ixfr)
		end = TRANSFER_TRY_WHOLE;
	else if (result->state == XFR_IN_FAILED && whole_may_do(r, out, r->err))
		end = TRANSFER_TRY_WHOLE;
	tell_error(r, out, end, r->err);
}

static void
end_done(struct receiver *r, struct transfer_result *out)
{
	if (!is_proven(r)) {
		tell(out, TRANSFER_FAILED, "TSIG: %s: the last message is not signed",
		     tsig_status_text(tsig_stream_status(&r->tsig)));
		return;
	}
	if (out->kind == XFR_UP_TO_DATE) {
		out->end = TRANSFER_UP_TO_DATE;
		return;
	}
	struct zalloc_account *before = zalloc_account_use(&r->account);
	int err = draft_finish(&r->draft, out->serial, &out->next, &out->changes, &out->stage);
	zalloc_account_use(before);
	if (err) {
		tell_error(r, out, whole_may_do(r, out, err) ? TRANSFER_TRY_WHOLE : TRANSFER_FAILED, err);
		return;
	}
	out->verified_ns = publish_now_ns();
	tell(out, TRANSFER_NEW_VERSION, "%s", r->draft.warning);
}

void
receiver_finish(struct receiver *r, struct transfer_result *out)
{
	struct xfr_in_result result = xfr_in_result(r->session);
	out->kind = result.kind;
	out->has_serial = result.has_soa;
	out->serial = result.serial;
	out->has_expire = result.has_expire;
	out->expire_s = result.expire_s;
	out->records = result.records;
	out->why[0] = '\0';
	if (r->has_bad_tsig)
		tell(out, TRANSFER_FAILED, "%s", r->tsig_why);
	else if (result.state == XFR_IN_GOING)
		tell(out, TRANSFER_FAILED, "the answer was cut off behind message %llu",
		     (unsigned long long)result.messages);
	else if (result.state == XFR_IN_DONE)
		end_done(r, out);
	else
		end_refused(r, &result, out);
	draft_clear(&r->draft);
}
