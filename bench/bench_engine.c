/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cost of an answer: bursts of 32 random queries through engine_burst(), by kind of answer and size of zone.
 *
 * The queries are made before and copied into 32 packet buffers outside the measured stretch, as a NIC would put
 * them there; the names asked are random over the whole zone, many more than the caches hold.
 */
#include <stdlib.h>
#include <string.h>

#include "bench/cases.h"
#include "bench/harness.h"
#include "bench/queries.h"
#include "bench/zones.h"

#define BURST 32

struct engine_bench {
	const struct bench_zone *zone;
	struct counters counters;
	struct bench_queries queries;
	uint32_t next;
	struct engine_message messages[BURST];
	uint8_t packets[BURST][2048];
};

static void
tear_down(void *context)
{
	struct engine_bench *e = context;
	bench_queries_free(&e->queries);
	free(e);
}

static void *
set_up(enum bench_zone_kind zone_kind, enum bench_query_kind kind, int64_t names)
{
	struct engine_bench *e = calloc(1, sizeof(*e));
	if (e == NULL)
		return NULL;
	e->zone = bench_zone(zone_kind, names);
	if (e->zone == NULL || bench_queries_make(&e->queries, zone_kind, kind, names) != 0) {
		tear_down(e);
		return NULL;
	}
	return e;
}

static void *
set_up_positive(int64_t names)
{
	return set_up(BENCH_ZONE_FLAT, BENCH_ASK_NAME, names);
}

static void *
set_up_edns(int64_t names)
{
	return set_up(BENCH_ZONE_FLAT, BENCH_ASK_EDNS, names);
}

static void *
set_up_nxdomain(int64_t names)
{
	return set_up(BENCH_ZONE_FLAT, BENCH_ASK_MISSING, names);
}

static void *
set_up_referral(int64_t names)
{
	return set_up(BENCH_ZONE_TLD, BENCH_ASK_BELOW, names);
}

static void *
set_up_cookie(int64_t names)
{
	return set_up(BENCH_ZONE_FLAT, BENCH_ASK_COOKIE, names);
}

static void *
set_up_signed(int64_t names)
{
	return set_up(BENCH_ZONE_NSEC, BENCH_ASK_DNSSEC, names);
}

static void *
set_up_nsec(int64_t names)
{
	return set_up(BENCH_ZONE_NSEC, BENCH_ASK_MISSING_DNSSEC, names);
}

static void *
set_up_nsec3(int64_t names)
{
	return set_up(BENCH_ZONE_NSEC3, BENCH_ASK_MISSING_DNSSEC, names);
}

static uint64_t
run(void *context)
{
	struct engine_bench *e = context;
	for (unsigned i = 0; i < BURST; i++) {
		uint32_t k = (e->next + i) % BENCH_QUERIES;
		memcpy(e->packets[i], e->queries.at[k], BENCH_QUERY_MAX);
		e->messages[i] = (struct engine_message){
			.msg = e->packets[i], .len = e->queries.lens[k], .cap = sizeof(e->packets[i])};
	}
	e->next += BURST;
	uint64_t start = bench_cycles();
	engine_burst(e->zone->set, e->messages, BURST, 0, &e->counters);
	return bench_cycles() - start;
}

#define CASE(label, setup, size) label, size, BURST, setup, run, tear_down

void
bench_engine_cases(void)
{
	static const struct bench_case cases[] = {
		{CASE("engine/positive", set_up_positive, 100)},
		{CASE("engine/positive", set_up_positive, 100000)},
		{CASE("engine/positive", set_up_positive, 1000000)},
		{CASE("engine/edns", set_up_edns, 1000000)},
		{CASE("engine/nxdomain", set_up_nxdomain, 1000000)},
		{CASE("engine/positive", set_up_positive, 10000000)},
		{CASE("engine/nxdomain", set_up_nxdomain, 10000000)},
		{CASE("engine/referral", set_up_referral, 100)},
		{CASE("engine/referral", set_up_referral, 1000000)},
		{CASE("engine/referral", set_up_referral, 10000000)},
		{CASE("engine/positive", set_up_positive, 1000)},
		{CASE("engine/signed", set_up_signed, 1000)},
		{CASE("engine/nxdomain_nsec", set_up_nsec, 1000)},
		{CASE("engine/nxdomain_nsec3", set_up_nsec3, 1000)},
		{CASE("engine/positive", set_up_positive, 200000)},
		{CASE("engine/edns", set_up_edns, 200000)},
		{CASE("engine/cookie", set_up_cookie, 200000)},
		{CASE("engine/nxdomain", set_up_nxdomain, 200000)},
		{CASE("engine/signed", set_up_signed, 200000)},
		{CASE("engine/nxdomain_nsec", set_up_nsec, 200000)},
		{CASE("engine/nxdomain_nsec3", set_up_nsec3, 200000)},
	};
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++)
		bench_register(&cases[i]);
}
