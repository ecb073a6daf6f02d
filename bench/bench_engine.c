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
#include "bench/zones.h"
#include "zones/base/bytes.h"
#include "zones/wire/query.h"
#include "zones/wire/rrtype.h"

#define BURST 32
#define QUERIES (1u << 20)
#define QUERY_MAX 64

enum query_kind { ASK_NAME, ASK_BELOW, ASK_MISSING, ASK_EDNS, ASK_COOKIE, ASK_DNSSEC, ASK_MISSING_DNSSEC };

struct engine_bench {
	const struct bench_zone *zone;
	struct counters counters;
	uint8_t (*queries)[QUERY_MAX];
	uint8_t *lens;
	uint32_t next;
	struct engine_message messages[BURST];
	uint8_t packets[BURST][2048];
};

static bool
asks_for_missing(enum query_kind kind)
{
	return kind == ASK_MISSING || kind == ASK_MISSING_DNSSEC;
}

/* OPT with what the kind asks for: 1232 octets, DO, a client's cookie. Returns its length. */
static unsigned
make_opt(uint8_t *opt, enum query_kind kind)
{
	static const uint8_t plain[11] = {0, 0, RRTYPE_OPT, 4, 208};
	static const uint8_t cookie[12] = {0, EDNS_COOKIE, 0, EDNS_CLIENT_COOKIE, 1, 2, 3, 4, 5, 6, 7, 8};
	memcpy(opt, plain, sizeof(plain));
	if (kind == ASK_DNSSEC || kind == ASK_MISSING_DNSSEC)
		opt[7] = 0x80;
	if (kind != ASK_COOKIE)
		return sizeof(plain);
	opt[10] = sizeof(cookie);
	memcpy(opt + sizeof(plain), cookie, sizeof(cookie));
	return sizeof(plain) + sizeof(cookie);
}

static uint8_t
make_query(uint8_t *out, const struct name *qname, enum query_kind kind)
{
	static const uint8_t header[DNS_HEADER_LEN] = {0, 0, 0, 0, 0, 1};
	static const uint8_t below[4] = {3, 'w', 'w', 'w'};
	memcpy(out, header, sizeof(header));
	uint8_t *p = out + sizeof(header);
	if (kind == ASK_BELOW) {
		memcpy(p, below, sizeof(below));
		p += sizeof(below);
	}
	memcpy(p, qname->bytes, qname->len);
	p += qname->len;
	store_be16(p, RRTYPE_A);
	store_be16(p + 2, RRCLASS_IN);
	p += 4;
	if (kind >= ASK_EDNS) {
		p += make_opt(p, kind);
		out[11] = 1;
	}
	return (uint8_t)(p - out);
}

static void
tear_down(void *context)
{
	struct engine_bench *e = context;
	free(e->queries);
	free(e->lens);
	free(e);
}

static void *
set_up(enum bench_zone_kind zone_kind, enum query_kind kind, int64_t names)
{
	struct engine_bench *e = calloc(1, sizeof(*e));
	if (e == NULL)
		return NULL;
	e->zone = bench_zone(zone_kind, names);
	e->queries = malloc((size_t)QUERIES * QUERY_MAX);
	e->lens = malloc(QUERIES);
	if (e->zone == NULL || e->queries == NULL || e->lens == NULL) {
		tear_down(e);
		return NULL;
	}
	uint64_t random = 1;
	for (uint32_t i = 0; i < QUERIES; i++) {
		int64_t which = (int64_t)(bench_random(&random) % (uint64_t)names);
		struct name qname = bench_zone_name(zone_kind, asks_for_missing(kind) ? names + which : which);
		e->lens[i] = make_query(e->queries[i], &qname, kind);
	}
	return e;
}

static void *
set_up_positive(int64_t names)
{
	return set_up(BENCH_ZONE_FLAT, ASK_NAME, names);
}

static void *
set_up_edns(int64_t names)
{
	return set_up(BENCH_ZONE_FLAT, ASK_EDNS, names);
}

static void *
set_up_nxdomain(int64_t names)
{
	return set_up(BENCH_ZONE_FLAT, ASK_MISSING, names);
}

static void *
set_up_referral(int64_t names)
{
	return set_up(BENCH_ZONE_TLD, ASK_BELOW, names);
}

static void *
set_up_cookie(int64_t names)
{
	return set_up(BENCH_ZONE_FLAT, ASK_COOKIE, names);
}

static void *
set_up_signed(int64_t names)
{
	return set_up(BENCH_ZONE_NSEC, ASK_DNSSEC, names);
}

static void *
set_up_nsec(int64_t names)
{
	return set_up(BENCH_ZONE_NSEC, ASK_MISSING_DNSSEC, names);
}

static void *
set_up_nsec3(int64_t names)
{
	return set_up(BENCH_ZONE_NSEC3, ASK_MISSING_DNSSEC, names);
}

static uint64_t
run(void *context)
{
	struct engine_bench *e = context;
	for (unsigned i = 0; i < BURST; i++) {
		uint32_t k = (e->next + i) % QUERIES;
		memcpy(e->packets[i], e->queries[k], QUERY_MAX);
		e->messages[i] = (struct engine_message){
			.msg = e->packets[i], .len = e->lens[k], .cap = sizeof(e->packets[i])};
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
