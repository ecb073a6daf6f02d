/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whole transfers without sockets: a zone of delegations into messages, and these messages into records that nobody
 * keeps. An item is one delegation.
 */
#include <stdlib.h>
#include <string.h>

#include "bench/cases.h"
#include "bench/harness.h"
#include "bench/zones.h"
#include "control/transfer/xfr_in.h"
#include "control/transfer/xfr_out.h"
#include "zones/base/bytes.h"

#define ID 1

struct transfer {
	const struct snapshot *snapshot;
	uint8_t *stream; /* messages behind their lengths, as on a connection */
	size_t len, cap;
};

/* Sends the zone into the stream. */
static void
send_zone(struct transfer *t)
{
	struct xfr_out_query query = {.snapshot = t->snapshot,
				      .kind = XFR_AXFR,
				      .id = ID,
				      .question = {node_name(t->snapshot->apex), RRTYPE_AXFR, RRCLASS_IN}};
	struct xfr_out *x = xfr_out_new(&query);
	if (x == NULL)
		abort();
	int n = 1;
	for (t->len = 0; n > 0 && t->cap - t->len > 2 + MESSAGE_MAX_LEN; t->len += n > 0 ? 2u + (unsigned)n : 0) {
		n = xfr_out_next(x, t->stream + t->len + 2, MESSAGE_MAX_LEN);
		store_be16(t->stream + t->len, (uint16_t)n);
	}
	if (n != 0)
		abort();
	xfr_out_free(x);
}

static void *
set_up(int64_t names)
{
	const struct bench_zone *zone = bench_zone(BENCH_ZONE_TLD, names);
	struct transfer *t = calloc(1, sizeof(*t));
	if (zone == NULL || t == NULL)
		return NULL;
	t->snapshot = zone_current(zone->zone);
	t->cap = (size_t)names * 128 + 4 * MESSAGE_MAX_LEN;
	t->stream = malloc(t->cap);
	if (t->stream == NULL)
		return NULL;
	send_zone(t);
	return t;
}

static void
tear_down(void *context)
{
	struct transfer *t = context;
	free(t->stream);
	free(t);
}

static uint64_t
run_out(void *context)
{
	uint64_t start = bench_cycles();
	send_zone(context);
	return bench_cycles() - start;
}

static int
begin(void *arg)
{
	return 0;
}

static int
add(void *arg, const struct zone_record *r)
{
	*(uint64_t *)arg += r->rdlen;
	return 0;
}

static uint64_t
run_in(void *context)
{
	struct transfer *t = context;
	struct xfr_in_query query = {.id = ID, .qtype = RRTYPE_AXFR};
	struct diag_list diag = {0};
	uint64_t octets = 0;
	struct xfr_in_events events = {.axfr_begin = begin, .axfr_add = add, .arg = &octets};
	name_copy(&query.apex, node_name(t->snapshot->apex));
	uint64_t start = bench_cycles();
	struct xfr_in *x = xfr_in_new(&query, &events);
	if (x == NULL)
		abort();
	for (size_t at = 0; at < t->len; at += 2u + load_be16(t->stream + at))
		if (xfr_in_message(x, t->stream + at + 2, load_be16(t->stream + at), &diag) != 0)
			abort();
	if (xfr_in_result(x).state != XFR_IN_DONE || octets == 0)
		abort();
	xfr_in_free(x);
	return bench_cycles() - start;
}

void
bench_transfer_cases(void)
{
	static const struct bench_case cases[] = {
		{"transfer/out", 1000, 1000, set_up, run_out, tear_down},
		{"transfer/out", 1000000, 1000000, set_up, run_out, tear_down},
		{"transfer/in", 1000, 1000, set_up, run_in, tear_down},
		{"transfer/in", 1000000, 1000000, set_up, run_in, tear_down},
	};
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++)
		bench_register(&cases[i]);
}
