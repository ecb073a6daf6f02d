/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A zone transfer coming in. See xfr_in.h.
 *
 * xfr_in_message() judges header and question, then each record by what it is (take_record) and by where in the
 * stream it comes (the phase's function), and last whether the message may end there. Every way out that is not
 * good goes through fail(), which sets the state and says why. One thread at a time: control's loop or a pool
 * thread.
 */
#include "control/transfer/xfr_in.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "zones/base/alloc.h"
#include "zones/base/bytes.h"
#include "zones/wire/edns.h"
#include "zones/wire/message.h"
#include "zones/wire/serial.h"

#define SOA_FIXED 20 /* octets behind the two names: serial first (RFC 1035 section 3.3.13) */
#define SOA_MAX (2 * NAME_MAX_LEN + SOA_FIXED)
#define TTL_MAX INT32_MAX
#define AHEAD 32 /* records from the one at hand to the one that is announced */

enum phase {
	PHASE_OPENING, /* the first SOA is expected */
	PHASE_SECOND,  /* of IXFR: what follows tells which kind of answer this is */
	PHASE_AXFR,
	PHASE_REMOVED,
	PHASE_ADDED,
	PHASE_ENDED, /* the closing SOA was seen; nothing may follow */
};

struct soa {
	uint32_t serial, ttl_s;
	uint16_t len;
	uint8_t rdata[SOA_MAX], canonical[SOA_MAX];
};

struct xfr_in {
	struct xfr_in_query query;
	struct xfr_in_events events;
	struct xfr_in_result result;
	enum phase phase;
	int err; /* that ended it */
	struct soa opening;
	uint32_t from_serial, to_serial; /* of the difference at hand */
	uint32_t n_in_message;           /* records of the message at hand */
	uint32_t run;                    /* records in a row with one owner and type */
	uint16_t run_type;
	struct name run_owner;
	struct name owner; /* of the record at hand, lower case */
	struct diag_list *diag;
	struct message_reader reader;
	struct message_reader ahead; /* of differences: up to AHEAD records before `reader` */
	uint8_t rdata[RDATA_MAX_LEN];
};

/* -------- how it ends -------- */

static const int state_errors[] = {
	[XFR_IN_REFUSED] = -EACCES,   [XFR_IN_TRY_AXFR] = -EOPNOTSUPP, [XFR_IN_TRY_TCP] = -EMSGSIZE,
	[XFR_IN_NOT_NEWER] = -ESTALE, [XFR_IN_BROKEN] = -EBADMSG,      [XFR_IN_TOO_LARGE] = -E2BIG,
};

/* Ends the session; `place` goes before the text: which zone, message and record. */
static int
fail_at(struct xfr_in *x, enum xfr_in_state state, const char *place, const char *fmt, va_list args)
{
	char zone[NAME_TEXT_MAX], text[600];
	name_to_text(x->query.apex.bytes, zone);
	vsnprintf(text, sizeof(text), fmt, args);
	diag_add(x->diag, DIAG_ERROR, NULL, 0, 0, "transfer of %s, message %llu%s: %s", zone,
		 (unsigned long long)x->result.messages, place, text);
	x->result.state = state;
	return state_errors[state];
}

PRINTF_LIKE(3, 4)
static int
fail(struct xfr_in *x, enum xfr_in_state state, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	int err = fail_at(x, state, "", fmt, args);
	va_end(args);
	return err;
}

/* The same about a record. */
PRINTF_LIKE(4, 5)
static int
fail_record(struct xfr_in *x, const struct message_record *r, enum xfr_in_state state, const char *fmt, ...)
{
	char owner[NAME_TEXT_MAX], type[RRTYPE_TEXT_MAX], place[NAME_TEXT_MAX + RRTYPE_TEXT_MAX + 40];
	va_list args;
	name_to_text(r->owner, owner);
	rrtype_to_text(r->type, type);
	snprintf(place, sizeof(place), ", record %u (%s %s)", x->n_in_message, owner, type);
	va_start(args, fmt);
	int err = fail_at(x, state, place, fmt, args);
	va_end(args);
	return err;
}

/* What a callback said. */
static int
called(struct xfr_in *x, int err)
{
	if (err != 0)
		x->result.state = XFR_IN_FAILED;
	return err;
}

/* -------- the stream -------- */

static uint32_t
soa_serial(const struct message_record *r)
{
	return load_be32(r->rdata + r->rdlen - SOA_FIXED);
}

static void
soa_keep(struct soa *soa, const struct message_record *r)
{
	soa->serial = soa_serial(r);
	soa->ttl_s = r->ttl_s;
	soa->len = r->rdlen;
	memcpy(soa->rdata, r->rdata, r->rdlen);
	memcpy(soa->canonical, r->rdata, r->rdlen);
	rdata_canonical(RRTYPE_SOA, soa->canonical, soa->len);
}

/* Equal but for the letter case of names. */
static bool
soa_is(const struct soa *soa, const struct message_record *r)
{
	uint8_t canonical[SOA_MAX];
	memcpy(canonical, r->rdata, r->rdlen);
	rdata_canonical(RRTYPE_SOA, canonical, r->rdlen);
	return rdata_compare(soa->canonical, soa->len, canonical, r->rdlen) == 0;
}

static int
emit(struct xfr_in *x, int (*event)(void *arg, const struct zone_record *r), const struct message_record *r)
{
	struct zone_record record = {
		.owner = r->owner, .rdata = r->rdata, .ttl_s = r->ttl_s, .type = r->type, .rdlen = r->rdlen};
	return called(x, event(x->events.arg, &record));
}

/* The opening SOA, which was held back until it was clear what it opens, is the zone's first record. */
static int
begin_axfr(struct xfr_in *x, enum xfr_kind kind)
{
	struct message_record soa = {.owner = x->query.apex.bytes,
				     .rdata = x->opening.rdata,
				     .ttl_s = x->opening.ttl_s,
				     .type = RRTYPE_SOA,
				     .rdlen = x->opening.len};
	x->result.kind = kind;
	x->phase = PHASE_AXFR;
	int err = called(x, x->events.axfr_begin(x->events.arg));
	return err != 0 ? err : emit(x, x->events.axfr_add, &soa);
}

static bool
goes_forward(const struct xfr_in *x)
{
	return !x->query.has_serial || x->query.is_forced || serial_is_newer(x->opening.serial, x->query.serial);
}

static int
take_opening(struct xfr_in *x, const struct message_record *r)
{
	if (r->type != RRTYPE_SOA)
		return fail_record(x, r, XFR_IN_BROKEN, "the first record is not the SOA");
	soa_keep(&x->opening, r);
	x->result.has_soa = true;
	x->result.serial = x->opening.serial;
	x->phase = PHASE_SECOND;
	if (x->query.qtype == RRTYPE_IXFR)
		return 0;
	if (!goes_forward(x))
		return fail_record(x, r, XFR_IN_NOT_NEWER, "serial %u is not newer than ours, %u",
				   x->opening.serial, x->query.serial);
	return begin_axfr(x, XFR_AXFR);
}

static int
take_axfr(struct xfr_in *x, const struct message_record *r)
{
	if (r->type != RRTYPE_SOA)
		return emit(x, x->events.axfr_add, r);
	if (!soa_is(&x->opening, r))
		return fail_record(x, r, XFR_IN_BROKEN,
				   "the closing SOA (serial %u) is not the opening one (serial %u)", soa_serial(r),
				   x->opening.serial);
	x->phase = PHASE_ENDED;
	return 0;
}

/* The old SOA, which opens a difference. */
static int
begin_difference(struct xfr_in *x, const struct message_record *r)
{
	x->phase = PHASE_REMOVED;
	int err = called(x, x->events.ixfr_begin(x->events.arg, x->from_serial));
	return err != 0 ? err : emit(x, x->events.ixfr_remove, r);
}

/* The record behind the opening SOA of an IXFR answer. */
static int
take_second(struct xfr_in *x, const struct message_record *r)
{
	if (!goes_forward(x))
		return fail_record(x, r, XFR_IN_NOT_NEWER, "serial %u is not newer than ours, %u, but data follows",
				   x->opening.serial, x->query.serial);
	if (r->type == RRTYPE_SOA && soa_serial(r) == x->query.serial) {
		x->result.kind = XFR_IXFR;
		x->from_serial = x->query.serial;
		return begin_difference(x, r);
	}
	if (r->type == RRTYPE_SOA && soa_serial(r) != x->opening.serial)
		return fail_record(x, r, XFR_IN_BROKEN, "the differences start with serial %u, ours is %u",
				   soa_serial(r), x->query.serial);
	int err = begin_axfr(x, XFR_AXFR_STYLE_IXFR);
	return err != 0 ? err : take_axfr(x, r);
}

/* Among what is removed, an SOA is the new one. */
static int
take_removed(struct xfr_in *x, const struct message_record *r)
{
	if (r->type != RRTYPE_SOA)
		return emit(x, x->events.ixfr_remove, r);
	x->to_serial = soa_serial(r);
	if (!x->query.is_forced && !serial_is_newer(x->to_serial, x->from_serial))
		return fail_record(x, r, XFR_IN_BROKEN, "a difference leads from serial %u back to %u",
				   x->from_serial, x->to_serial);
	if (serial_is_newer(x->to_serial, x->opening.serial))
		return fail_record(x, r, XFR_IN_BROKEN, "a difference leads to serial %u, past the last, %u",
				   x->to_serial, x->opening.serial);
	if (x->to_serial == x->opening.serial && !soa_is(&x->opening, r))
		return fail_record(x, r, XFR_IN_BROKEN,
				   "the last difference brings another SOA than the opening one");
	x->phase = PHASE_ADDED;
	return emit(x, x->events.ixfr_add, r);
}

/* Among what is added, an SOA is the next difference's old one, or the closing one. */
static int
take_added(struct xfr_in *x, const struct message_record *r)
{
	if (r->type != RRTYPE_SOA)
		return emit(x, x->events.ixfr_add, r);
	int err = called(x, x->events.ixfr_end(x->events.arg, x->from_serial, x->to_serial));
	if (err != 0)
		return err;
	if (soa_serial(r) != x->to_serial)
		return fail_record(x, r, XFR_IN_BROKEN, "a gap in the differences: from serial %u, after one to %u",
				   soa_serial(r), x->to_serial);
	if (x->to_serial == x->opening.serial) {
		if (!soa_is(&x->opening, r))
			return fail_record(x, r, XFR_IN_BROKEN, "the closing SOA is not the opening one");
		x->phase = PHASE_ENDED;
		return 0;
	}
	x->from_serial = x->to_serial;
	return begin_difference(x, r);
}

static int
take_ended(struct xfr_in *x, const struct message_record *r)
{
	return fail_record(x, r, XFR_IN_BROKEN, "it comes behind the closing SOA");
}

/* -------- one record -------- */

static int
check_record(struct xfr_in *x, const struct message_record *r)
{
	if (r->rrclass != RRCLASS_IN)
		return fail_record(x, r, XFR_IN_BROKEN, "its class is %u, not IN", r->rrclass);
	if (rrtype_is_meta(r->type))
		return fail_record(x, r, XFR_IN_BROKEN, "no zone has data of this type");
	if (!name_is_under(r->owner, x->query.apex.bytes))
		return fail_record(x, r, XFR_IN_BROKEN, "it lies outside the zone");
	if (r->type == RRTYPE_SOA && !name_equal(r->owner, x->query.apex.bytes))
		return fail_record(x, r, XFR_IN_BROKEN, "an SOA below the apex");
	return 0;
}

/* Counts the record against the limits. */
static int
count_record(struct xfr_in *x, const struct message_record *r)
{
	const struct config_transfer_limits *limits = &x->query.limits;
	x->result.records++;
	if (limits->records != 0 && x->result.records > limits->records)
		return fail_record(x, r, XFR_IN_TOO_LARGE, "more than %llu records",
				   (unsigned long long)limits->records);
	/* SOAs of empty differences come in a row, and are no set. */
	bool goes_on = r->type != RRTYPE_SOA && r->type == x->run_type && x->owner.len == x->run_owner.len &&
		       memcmp(x->owner.bytes, x->run_owner.bytes, x->owner.len) == 0;
	x->run = goes_on ? x->run + 1 : 1;
	x->run_type = r->type;
	if (!goes_on)
		name_copy(&x->run_owner, x->owner.bytes);
	if (limits->per_type != 0 && x->run > limits->per_type)
		return fail_record(x, r, XFR_IN_TOO_LARGE, "more than %u records in one set", limits->per_type);
	return 0;
}

static int
take_answer(struct xfr_in *x, struct message_record *r)
{
	static int (*const take[])(struct xfr_in * x, const struct message_record *r) = {
		[PHASE_OPENING] = take_opening, [PHASE_SECOND] = take_second, [PHASE_AXFR] = take_axfr,
		[PHASE_REMOVED] = take_removed, [PHASE_ADDED] = take_added,   [PHASE_ENDED] = take_ended,
	};
	x->n_in_message++;
	int err = check_record(x, r);
	if (err != 0)
		return err;
	x->owner.len = (uint8_t)name_len(r->owner);
	name_lower(x->owner.bytes, r->owner, x->owner.len);
	r->owner = x->owner.bytes;
	if (r->ttl_s > TTL_MAX)
		r->ttl_s = 0;
	err = count_record(x, r);
	return err != 0 ? err : take[x->phase](x, r);
}

/* -------- one message -------- */

const char *
xfr_rcode_text(unsigned rcode, char out[XFR_RCODE_TEXT_MAX])
{
	static const char *const names[] = {
		"NOERROR",  "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP",  "REFUSED",
		"YXDOMAIN", "YXRRSET", "NXRRSET",  "NOTAUTH",  "NOTZONE",
	};
	if (rcode < ARRAY_LEN(names))
		snprintf(out, XFR_RCODE_TEXT_MAX, "%s", names[rcode]);
	else
		snprintf(out, XFR_RCODE_TEXT_MAX, rcode == RCODE_BADVERS ? "BADVERS" : "RCODE%u", rcode);
	return out;
}

static int
check_rcode(struct xfr_in *x, unsigned rcode)
{
	char text[XFR_RCODE_TEXT_MAX];
	x->result.rcode = (uint16_t)rcode;
	if (rcode == RCODE_NOERROR)
		return 0;
	bool knows_no_ixfr = x->query.qtype == RRTYPE_IXFR && x->result.messages == 1 &&
			     (rcode == RCODE_NOTIMP || rcode == RCODE_FORMERR);
	return fail(x, knows_no_ixfr ? XFR_IN_TRY_AXFR : XFR_IN_REFUSED, "the primary answers %s",
		    xfr_rcode_text(rcode, text));
}

static int
check_header(struct xfr_in *x)
{
	const struct message_reader *reader = &x->reader;
	if (reader->id != x->query.id)
		return fail(x, XFR_IN_BROKEN, "its id is %u, ours was %u", reader->id, x->query.id);
	if (!(reader->flags & FLAG_QR))
		return fail(x, XFR_IN_BROKEN, "it is a query, not an answer");
	if (message_opcode(reader) != OPCODE_QUERY)
		return fail(x, XFR_IN_BROKEN, "its opcode is %u, not QUERY", message_opcode(reader));
	int err = check_rcode(x, message_rcode(reader));
	if (err != 0)
		return err;
	if (reader->flags & FLAG_TC)
		return fail(x, x->query.is_udp ? XFR_IN_TRY_TCP : XFR_IN_BROKEN, "it is truncated");
	return 0;
}

/* The question, which later messages may leave out (RFC 5936 section 2.2.2). */
static int
check_question(struct xfr_in *x)
{
	struct message_question q;
	unsigned count = x->reader.count[MESSAGE_QUESTION];
	if (count > 1 || (count == 0 && x->result.messages == 1))
		return fail(x, XFR_IN_BROKEN, "it has %u questions", count);
	enum message_error e = message_next_question(&x->reader, &q);
	if (e == MESSAGE_END)
		return 0;
	if (e != MESSAGE_OK)
		return fail(x, XFR_IN_BROKEN, "question: %s", message_error_text(&x->reader, e));
	if (q.type != x->query.qtype || q.rrclass != RRCLASS_IN || !name_equal(q.name, x->query.apex.bytes))
		return fail(x, XFR_IN_BROKEN, "it answers another question");
	return 0;
}

/* Looks for an EXPIRE option of four octets; what else OPT brings, and how, does not matter to a transfer. */
static void
read_expire(struct xfr_in *x, const struct message_record *opt)
{
	const uint8_t *p = opt->rdata, *end = p + opt->rdlen;
	while (end - p >= EDNS_OPTION_HEAD) {
		unsigned code = load_be16(p), len = load_be16(p + 2);
		p += EDNS_OPTION_HEAD;
		if (len > (size_t)(end - p))
			return;
		if (code == EDNS_EXPIRE && len == 4) {
			x->result.has_expire = true;
			x->result.expire_s = load_be32(p);
		}
		p += len;
	}
}

static int
take_opt(struct xfr_in *x, const struct message_record *opt)
{
	if (x->result.messages == 1)
		read_expire(x, opt);
	return check_rcode(x, (opt->ttl_s >> 24 << 4) | message_rcode(&x->reader));
}

/* Announces what follows in the message. What is wrong there is found when it is read. */
static void
look_ahead(struct xfr_in *x)
{
	struct message_record r;
	if (x->result.kind != XFR_IXFR || x->events.ixfr_expect == NULL)
		return;
	if (x->ahead.pos < x->reader.pos)
		x->ahead = x->reader;
	while (x->ahead.section == x->reader.section && x->reader.left - x->ahead.left < AHEAD &&
	       message_skip(&x->ahead, &r) == MESSAGE_OK)
		x->events.ixfr_expect(x->events.arg, r.owner);
}

/* All records. Those beside the answers are read, because they must be good, and ignored but for OPT. */
static int
take_records(struct xfr_in *x)
{
	struct message_record r;
	enum message_error e;
	x->ahead.pos = 0;
	while ((e = message_next(&x->reader, x->rdata, &r)) == MESSAGE_OK) {
		int err = 0;
		look_ahead(x);
		if (r.section == MESSAGE_ANSWER)
			err = take_answer(x, &r);
		else if (r.section == MESSAGE_ADDITIONAL && r.type == RRTYPE_OPT)
			err = take_opt(x, &r);
		if (err != 0)
			return err;
	}
	if (e != MESSAGE_END)
		return fail(x, XFR_IN_BROKEN, "behind record %u: %s", x->n_in_message,
			    message_error_text(&x->reader, e));
	return 0;
}

/* May the message end here, and if it does, what does that mean? */
static int
check_end(struct xfr_in *x)
{
	if (x->n_in_message == 0)
		return fail(x, XFR_IN_BROKEN, "it has no records");
	if (x->phase == PHASE_SECOND && !serial_is_newer(x->opening.serial, x->query.serial)) {
		x->result.kind = XFR_UP_TO_DATE;
		x->phase = PHASE_ENDED;
	}
	if (x->phase == PHASE_ENDED)
		x->result.state = XFR_IN_DONE;
	else if (x->query.is_udp)
		return fail(x, XFR_IN_TRY_TCP, "the answer does not fit");
	return 0;
}

static int
take_message(struct xfr_in *x, const uint8_t *msg, size_t len)
{
	x->result.bytes += len;
	x->n_in_message = 0;
	if (x->query.limits.size_bytes != 0 && x->result.bytes > x->query.limits.size_bytes)
		return fail(x, XFR_IN_TOO_LARGE, "more than %llu octets",
			    (unsigned long long)x->query.limits.size_bytes);
	enum message_error e = message_open(&x->reader, msg, len);
	if (e != MESSAGE_OK)
		return fail(x, XFR_IN_BROKEN, "%s", message_error_text(&x->reader, e));
	int err = check_header(x);
	if (err == 0)
		err = check_question(x);
	if (err == 0)
		err = take_records(x);
	return err != 0 ? err : check_end(x);
}

int
xfr_in_message(struct xfr_in *x, const uint8_t *msg, size_t len, struct diag_list *diag)
{
	enum xfr_in_state state = x->result.state;
	x->diag = diag;
	x->result.messages += state == XFR_IN_GOING || state == XFR_IN_DONE;
	if (state == XFR_IN_GOING)
		x->err = take_message(x, msg, len);
	else if (state == XFR_IN_DONE)
		x->err = fail(x, XFR_IN_BROKEN, "it comes behind the end");
	return x->err;
}

/* -------- session and zone -------- */

struct xfr_in *
xfr_in_new(const struct xfr_in_query *query, const struct xfr_in_events *events)
{
	struct xfr_in *x = zalloc(sizeof(*x), 0);
	if (x == NULL)
		return NULL;
	memset(x, 0, offsetof(struct xfr_in, rdata));
	x->query = *query;
	x->events = *events;
	if (query->qtype == RRTYPE_IXFR)
		x->query.has_serial = true;
	return x;
}

void
xfr_in_free(struct xfr_in *x)
{
	zalloc_free(x, sizeof(*x));
}

struct xfr_in_result
xfr_in_result(const struct xfr_in *x)
{
	return x->result;
}

static int
check_node(const struct node *node, const struct config_transfer_limits *limits, struct diag_list *diag)
{
	char owner[NAME_TEXT_MAX], type[RRTYPE_TEXT_MAX];
	struct name_sets sets = {.node = node};
	unsigned types = 0;
	for (const struct rrset *set; (set = name_sets_next(&sets)) != NULL;) {
		types += set->type != RRTYPE_RRSIG;
		if (limits->per_type == 0 || set->n_rr <= limits->per_type)
			continue;
		name_to_text(node_name(node), owner);
		rrtype_to_text(set->type, type);
		diag_add(diag, DIAG_ERROR, NULL, 0, 0, "%s %s: %u records in one set, more than %u", owner, type,
			 set->n_rr, limits->per_type);
		return -E2BIG;
	}
	if (limits->types_per_name == 0 || types <= limits->types_per_name)
		return 0;
	name_to_text(node_name(node), owner);
	diag_add(diag, DIAG_ERROR, NULL, 0, 0, "%s: %u types at one name, more than %u", owner, types,
		 limits->types_per_name);
	return -E2BIG;
}

int
xfr_in_check_zone(const struct snapshot *s, const struct config_transfer_limits *limits, struct diag_list *diag)
{
	struct names_cursor c;
	int err = 0;
	names_cursor_begin(&c, &s->names);
	for (const struct names_entry *e; err == 0 && (e = names_cursor_next(&c)) != NULL;)
		err = check_node((const struct node *)e, limits, diag);
	return err;
}

int
xfr_in_check_name(const struct snapshot *s, const uint8_t *name, const struct config_transfer_limits *limits,
		  struct diag_list *diag)
{
	const struct names_entry *e = names_find(&s->names, name_hash(name), name, name_len(name));
	return e != NULL ? check_node((const struct node *)e, limits, diag) : 0;
}
