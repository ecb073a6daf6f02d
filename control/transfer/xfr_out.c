/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A zone transfer going out. See xfr_out.h.
 *
 * next_record() makes one stream of records of whatever is sent; xfr_out_next() fills a message from it. The record
 * that did not fit stays pending: it is the first of the next message. One thread at a time.
 */
#include "control/transfer/xfr_out.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "zones/base/alloc.h"
#include "zones/base/bytes.h"

enum phase {
	PHASE_OPENING, /* the SOA that comes first */
	PHASE_BODY,
	PHASE_CLOSING, /* the SOA that comes last */
	PHASE_ENDED,   /* nothing comes any more, but for a pending record */
};

struct xfr_out {
	struct xfr_out_query query;
	struct xfr_out_progress progress;
	struct records_cursor cursor;
	enum phase phase;
	int err; /* that ended it */
	/* IXFR: what the history brought last, and where its differences have led to. */
	bool in_history;
	enum xfr_action action;
	uint32_t reached_serial;
	bool has_pending;
	struct zone_record pending;
	struct name qname;
	uint8_t opt[XFR_OUT_OPT_MAX];
	struct message_writer writer;
	uint8_t rdata[RDATA_MAX_LEN];
};

/* -------- the stream of records -------- */

static uint32_t
soa_serial(const struct zone_record *r)
{
	return load_be32(r->rdata + r->rdlen - 20);
}

/*
 * Is this record at its place? SOAs begin each half of a difference, and a difference begins where the one before
 * has led to.
 */
static bool
history_goes_on(struct xfr_out *x, enum xfr_action action, const struct zone_record *r)
{
	bool is_same_half = x->in_history && action == x->action;
	if (is_same_half)
		return r->type != RRTYPE_SOA;
	if (r->type != RRTYPE_SOA)
		return false;
	if (action == XFR_REMOVE)
		return soa_serial(r) == x->reached_serial;
	x->reached_serial = soa_serial(r);
	return x->in_history;
}

/* 1 with the next record of the history, 0 behind its last one, -errno. */
static int
next_of_history(struct xfr_out *x, struct zone_record *r)
{
	enum xfr_action action;
	int rc = x->query.history.next(x->query.history.arg, &action, r);
	if (rc < 0)
		return rc;
	if (rc == 0) {
		bool is_whole =
			x->in_history && x->action == XFR_ADD && x->reached_serial == x->query.snapshot->serial;
		return is_whole ? 0 : -EBADMSG;
	}
	if (!history_goes_on(x, action, r))
		return -EBADMSG;
	x->in_history = true;
	x->action = action;
	return 1;
}

/* 1 with the next record of the zone but its SOA, 0 behind the last one. */
static int
next_of_zone(struct xfr_out *x, struct zone_record *r)
{
	do {
		if (!records_cursor_next(&x->cursor, x->rdata, r))
			return 0;
	} while (r->type == RRTYPE_SOA);
	return 1;
}

/* 1 with the next record to send, 0 behind the last one, -errno. */
static int
next_record(struct xfr_out *x, struct zone_record *r)
{
	switch (x->phase) {
	case PHASE_OPENING:
		records_soa(x->query.snapshot, x->rdata, r);
		x->phase = x->query.kind == XFR_UP_TO_DATE ? PHASE_ENDED : PHASE_BODY;
		return 1;
	case PHASE_BODY: {
		int rc = x->query.kind == XFR_IXFR ? next_of_history(x, r) : next_of_zone(x, r);
		if (rc != 0)
			return rc;
		x->phase = PHASE_CLOSING;
	}
		__attribute__((fallthrough));
	case PHASE_CLOSING:
		records_soa(x->query.snapshot, x->rdata, r);
		x->phase = PHASE_ENDED;
		return 1;
	case PHASE_ENDED:
		break;
	}
	return 0;
}

/* Makes sure that a record is pending, if there is one left. 0 or -errno. */
static int
look_ahead(struct xfr_out *x)
{
	if (x->has_pending)
		return 0;
	int rc = next_record(x, &x->pending);
	x->has_pending = rc > 0;
	return rc < 0 ? rc : 0;
}

/* -------- messages -------- */

static bool
put_pending(struct xfr_out *x)
{
	struct message_record r = {.owner = x->pending.owner,
				   .rdata = x->pending.rdata,
				   .ttl_s = x->pending.ttl_s,
				   .type = x->pending.type,
				   .rrclass = RRCLASS_IN,
				   .rdlen = x->pending.rdlen,
				   .section = MESSAGE_ANSWER};
	if (!message_put(&x->writer, &r))
		return false;
	x->has_pending = false;
	x->progress.records++;
	return true;
}

/* Fills the message with at least one record, further ones as far as the target. 0 or -errno. */
static int
put_records(struct xfr_out *x, uint32_t target, uint32_t limit)
{
	message_set_cap(&x->writer, target);
	if (!put_pending(x)) {
		message_set_cap(&x->writer, limit);
		return put_pending(x) ? 0 : -EMSGSIZE;
	}
	for (;;) {
		int err = look_ahead(x);
		if (err != 0 || !x->has_pending || !put_pending(x))
			return err;
	}
}

/* The question comes with the first message alone (RFC 5936 section 2.2.2), and so does OPT (section 2.2.5). */
static int
write_message(struct xfr_out *x, uint8_t *buf, size_t cap)
{
	bool is_first = x->progress.messages == 0;
	uint32_t whole = (uint32_t)(cap < MESSAGE_MAX_LEN ? cap : MESSAGE_MAX_LEN);
	uint32_t opt_len = is_first ? x->query.opt_len : 0, kept = x->query.tsig_room + opt_len;
	if (whole < kept + DNS_HEADER_LEN)
		return -EMSGSIZE;
	uint32_t limit = whole - kept, target = x->query.target_len;
	message_begin(&x->writer, buf, limit, x->query.id,
		      FLAG_QR | FLAG_AA | (x->query.wants_recursion ? FLAG_RD : 0));
	if (is_first && !message_put_question(&x->writer, &x->query.question))
		return -EMSGSIZE;
	target = target > kept + x->writer.len ? target - kept : x->writer.len;
	int err = put_records(x, target < limit ? target : limit, limit);
	if (err != 0)
		return err;
	message_set_cap(&x->writer, limit + opt_len);
	if (opt_len > 0 && !message_put_raw(&x->writer, MESSAGE_ADDITIONAL, x->opt, opt_len))
		return -EMSGSIZE;
	return (int)x->writer.len;
}

int
xfr_out_next(struct xfr_out *x, uint8_t *buf, size_t cap)
{
	if (x->err == 0)
		x->err = look_ahead(x);
	if (x->err != 0 || !x->has_pending)
		return x->err;
	int len = write_message(x, buf, cap);
	if (len < 0)
		return x->err = len;
	x->progress.messages++;
	x->progress.bytes += (unsigned)len;
	return len;
}

bool
xfr_out_is_done(const struct xfr_out *x)
{
	return x->phase == PHASE_ENDED && !x->has_pending;
}

struct xfr_out_progress
xfr_out_progress(const struct xfr_out *x)
{
	return x->progress;
}

struct xfr_out *
xfr_out_new(const struct xfr_out_query *query)
{
	assert(query->opt_len <= XFR_OUT_OPT_MAX);
	struct xfr_out *x = zalloc(sizeof(*x), 0);
	if (x == NULL)
		return NULL;
	memset(x, 0, offsetof(struct xfr_out, opt));
	x->query = *query;
	if (query->target_len == 0)
		x->query.target_len = XFR_OUT_TARGET_LEN;
	name_copy(&x->qname, query->question.name);
	x->query.question.name = x->qname.bytes;
	if (query->opt_len > 0)
		memcpy(x->opt, query->opt, query->opt_len);
	x->query.opt = NULL; /* the copy is what counts */
	x->reached_serial = query->serial;
	records_cursor_begin(&x->cursor, query->snapshot);
	return x;
}

void
xfr_out_free(struct xfr_out *x)
{
	zalloc_free(x, sizeof(*x));
}
