/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzzes a transfer coming in: whatever the primary sends, the session calls back with records of the zone alone,
 * in an order that a builder can rely on, and is not done without the SOAs that open and close.
 *
 * Input: an octet of options (OPTION_...), an octet that is our serial, then messages, each behind its length in
 * two octets. Their ids are made right, and so are their flags unless OPTION_RAW_FLAGS says otherwise: the rest is
 * enough to get wrong.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/transfer/xfr_in.h"
#include "tests/fuzz/check.h"
#include "tests/fuzz/message.h"
#include "zones/base/bytes.h"
#include "zones/wire/query.h"
#include "zones/wire/serial.h"

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);

enum {
	OPTION_IXFR = 1,
	OPTION_UDP = 2,
	OPTION_FORCED = 4,
	OPTION_NEW = 8,
	OPTION_LIMITS = 16,
	OPTION_RAW_FLAGS = 32
};

#define ID 4711
#define LIMIT_RECORDS 12
#define LIMIT_BYTES 600

static const struct name apex = {.len = 9, .bytes = "\7example"};

enum step { STEP_NONE, STEP_AXFR, STEP_BEGUN, STEP_REMOVED, STEP_ADDED, STEP_ENDED };

struct witness {
	const struct xfr_in_query *query;
	enum step step;
	uint64_t events, differences;
	uint32_t from, reached; /* serials */
	bool has_opened;        /* AXFR: the SOA came */
};

static uint32_t
soa_serial(const struct zone_record *r)
{
	return load_be32(r->rdata + r->rdlen - 20);
}

static void
check_record(struct witness *w, const struct zone_record *r)
{
	int len = name_check(r->owner, NAME_MAX_LEN);
	const struct rrtype_row *row = rrtype_row(r->type);
	CHECK(len >= apex.len && memcmp(r->owner + len - apex.len, apex.bytes, apex.len) == 0);
	CHECK(name_is_under(r->owner, apex.bytes));
	for (int i = 0; i < len; i++)
		CHECK(r->owner[i] == name_lower_octet(r->owner[i]));
	CHECK(r->type != 0 && (r->type < 128 || r->type > 255));
	CHECK(row == NULL || !(row->flags & RRTYPE_META));
	CHECK(r->ttl_s <= INT32_MAX);
	CHECK(rdata_check(r->type, r->rdata, r->rdlen, NULL) == 0);
	CHECK(r->type != RRTYPE_SOA || len == apex.len);
	w->events++;
}

static int
on_axfr_begin(void *arg)
{
	struct witness *w = arg;
	CHECK(w->step == STEP_NONE);
	w->step = STEP_AXFR;
	return 0;
}

static int
on_axfr_add(void *arg, const struct zone_record *r)
{
	struct witness *w = arg;
	check_record(w, r);
	CHECK(w->step == STEP_AXFR && (r->type == RRTYPE_SOA) == !w->has_opened);
	if (r->type == RRTYPE_SOA)
		w->reached = soa_serial(r);
	w->has_opened = true;
	return 0;
}

static int
on_ixfr_begin(void *arg, uint32_t from)
{
	struct witness *w = arg;
	CHECK(w->step == STEP_NONE ? from == w->query->serial : w->step == STEP_ENDED && from == w->reached);
	w->step = STEP_BEGUN;
	w->from = from;
	return 0;
}

static int
on_ixfr_remove(void *arg, const struct zone_record *r)
{
	struct witness *w = arg;
	check_record(w, r);
	if (w->step == STEP_BEGUN)
		CHECK(r->type == RRTYPE_SOA && soa_serial(r) == w->from);
	else
		CHECK(w->step == STEP_REMOVED && r->type != RRTYPE_SOA);
	w->step = STEP_REMOVED;
	return 0;
}

static int
on_ixfr_add(void *arg, const struct zone_record *r)
{
	struct witness *w = arg;
	check_record(w, r);
	CHECK(w->step == (r->type == RRTYPE_SOA ? STEP_REMOVED : STEP_ADDED));
	if (r->type == RRTYPE_SOA)
		w->reached = soa_serial(r);
	w->step = STEP_ADDED;
	return 0;
}

static int
on_ixfr_end(void *arg, uint32_t from, uint32_t to)
{
	struct witness *w = arg;
	CHECK(w->step == STEP_ADDED && from == w->from && to == w->reached);
	CHECK(w->query->is_forced || serial_is_newer(to, from));
	w->step = STEP_ENDED;
	w->differences++;
	return 0;
}

/* Before the first difference or behind the last one nothing is announced; what is, is a whole name. */
static void
on_ixfr_expect(void *arg, const uint8_t *owner)
{
	struct witness *w = arg;
	CHECK(w->step >= STEP_BEGUN && name_check(owner, NAME_MAX_LEN) > 0);
}

/* SOAs of the zone among the answers, as the tests' own reader sees them; *is_sure: it took the message. */
static unsigned
count_soas(const uint8_t *msg, size_t len, bool *is_sure)
{
	static struct seen_message seen;
	unsigned n = 0;
	if (message_read(msg, len, &seen) != NULL)
		*is_sure = false;
	for (unsigned i = 0; i < seen.n; i++)
		n += seen.record[i].section == 1 && seen.record[i].type == RRTYPE_SOA &&
		     seen.record[i].owner.len == apex.len &&
		     memcmp(seen.record[i].owner.bytes, apex.bytes, apex.len) == 0;
	return n;
}

static void
check_done(const struct witness *w, const struct xfr_in_result *result, unsigned n_soas, bool is_sure)
{
	CHECK(result->has_soa);
	switch (result->kind) {
	case XFR_AXFR:
	case XFR_AXFR_STYLE_IXFR:
		CHECK((result->kind == XFR_AXFR) == (w->query->qtype == RRTYPE_AXFR));
		CHECK(w->step == STEP_AXFR && w->has_opened && w->reached == result->serial);
		CHECK(!is_sure || n_soas == 2);
		break;
	case XFR_IXFR:
		CHECK(w->step == STEP_ENDED && w->differences > 0 && w->reached == result->serial);
		CHECK(!is_sure || n_soas == 2 + 2 * w->differences);
		break;
	case XFR_UP_TO_DATE:
		CHECK(w->step == STEP_NONE && w->events == 0 && w->query->qtype == RRTYPE_IXFR);
		CHECK(!serial_is_newer(result->serial, w->query->serial));
		CHECK(!is_sure || n_soas == 1);
		break;
	}
	if (result->kind != XFR_UP_TO_DATE && w->query->has_serial && !w->query->is_forced)
		CHECK(serial_is_newer(result->serial, w->query->serial));
}

/* The return value and the state say the same; what was over before stays over. */
static void
check_state(int err, enum xfr_in_state before, const struct xfr_in_result *result, const struct diag_list *diag)
{
	static const int errors[] = {
		[XFR_IN_REFUSED] = -EACCES,   [XFR_IN_TRY_AXFR] = -EOPNOTSUPP, [XFR_IN_TRY_TCP] = -EMSGSIZE,
		[XFR_IN_NOT_NEWER] = -ESTALE, [XFR_IN_BROKEN] = -EBADMSG,      [XFR_IN_TOO_LARGE] = -E2BIG,
	};
	CHECK(result->state != XFR_IN_FAILED); /* no callback fails here */
	CHECK(err == errors[result->state]);
	CHECK((err == 0) == (result->state == XFR_IN_GOING || result->state == XFR_IN_DONE));
	if (before == XFR_IN_DONE)
		CHECK(result->state == XFR_IN_BROKEN);
	else if (before != XFR_IN_GOING)
		CHECK(result->state == before);
	CHECK(diag->n == (err != 0));
}

static void
check_limits(const struct xfr_in_result *result, const struct xfr_in_query *query, const struct witness *w)
{
	if (query->limits.records == 0)
		return;
	CHECK(result->state == XFR_IN_TOO_LARGE || result->records <= LIMIT_RECORDS);
	CHECK(result->state == XFR_IN_TOO_LARGE || result->bytes <= LIMIT_BYTES);
	CHECK(w->events <= LIMIT_RECORDS);
}

static void
run(const struct xfr_in_query *query, uint8_t options, const uint8_t *input, size_t size)
{
	struct witness w = {.query = query};
	struct xfr_in_events events = {on_axfr_begin, on_axfr_add, on_ixfr_begin,  on_ixfr_remove,
				       on_ixfr_add,   on_ixfr_end, on_ixfr_expect, &w};
	struct xfr_in *x = xfr_in_new(query, &events);
	struct diag_list diag = {0};
	bool is_sure = true;
	unsigned n_soas = 0;
	CHECK(x != NULL);
	while (size >= 2) {
		size_t len = load_be16(input);
		input += 2;
		size -= 2;
		if (len > size)
			len = size;
		uint8_t *msg = malloc(len > 0 ? len : 1); /* of exact size, for sanitizers */
		CHECK(msg != NULL);
		memcpy(msg, input, len);
		input += len;
		size -= len;
		if (len >= 4) {
			store_be16(msg, ID);
			if (!(options & OPTION_RAW_FLAGS))
				store_be16(msg + 2, FLAG_QR | FLAG_AA);
		}
		enum xfr_in_state before = xfr_in_result(x).state;
		int err = xfr_in_message(x, msg, len, &diag);
		struct xfr_in_result result = xfr_in_result(x);
		check_state(err, before, &result, &diag);
		check_limits(&result, query, &w);
		n_soas += count_soas(msg, len, &is_sure);
		if (result.state == XFR_IN_DONE)
			check_done(&w, &result, n_soas, is_sure);
		free(msg);
	}
	diag_clear(&diag);
	xfr_in_free(x);
}

int
LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	if (size < 2)
		return 0;
	uint8_t options = input[0];
	struct xfr_in_query query = {.apex = apex,
				     .id = ID,
				     .qtype = options & OPTION_IXFR ? RRTYPE_IXFR : RRTYPE_AXFR,
				     .is_udp = (options & OPTION_UDP) != 0,
				     .is_forced = (options & OPTION_FORCED) != 0,
				     .has_serial = !(options & OPTION_NEW) || (options & OPTION_IXFR),
				     .serial = input[1]};
	if (options & OPTION_LIMITS) {
		query.limits = (struct config_transfer_limits){
			.records = LIMIT_RECORDS, .size_bytes = LIMIT_BYTES, .per_type = 3};
	}
	run(&query, options, input + 2, size - 2);
	return 0;
}
