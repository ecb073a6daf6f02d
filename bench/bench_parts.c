/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cost of the parts: parsing a query, hashing its name, one lookup after the other, building a zone.
 */
#include <stdlib.h>
#include <string.h>

#include "bench/cases.h"
#include "bench/harness.h"
#include "bench/zones.h"
#include "zones/store/builder.h"
#include "zones/wire/query.h"

#define BATCH 256

struct parts_bench {
	struct query query;
	struct name_suffixes suffixes;
	struct name names[BATCH];
	uint64_t hashes[BATCH];
	const struct bench_zone *zone;
	uint64_t random;
	int64_t n_names;
	uint64_t sink; /* results that the compiler must not drop */
};

static const uint8_t query_bytes[] = {0,   0, 0,   0,   0,   1,   0,   0,   0,   0, 0,   1,   3,   'w', 'w',
				      'w', 7, 'e', 'x', 'a', 'm', 'p', 'l', 'e', 3, 'c', 'o', 'm', 0,   0,
				      1,   0, 1,   0,   0,   41,  4,   208, 0,   0, 0,   0,   0,   0};

static void *
set_up_wire(int64_t arg)
{
	return calloc(1, sizeof(struct parts_bench));
}

static uint64_t
run_parse(void *context)
{
	struct parts_bench *p = context;
	uint64_t start = bench_cycles();
	for (unsigned i = 0; i < BATCH; i++)
		p->sink += query_parse(query_bytes, sizeof(query_bytes), &p->query);
	return bench_cycles() - start;
}

static uint64_t
run_suffixes(void *context)
{
	struct parts_bench *p = context;
	uint64_t start = bench_cycles();
	for (unsigned i = 0; i < BATCH; i++) {
		name_suffixes(query_bytes + DNS_HEADER_LEN, &p->suffixes);
		p->sink += p->suffixes.at[3];
	}
	return bench_cycles() - start;
}

static void *
set_up_lookup(int64_t names)
{
	struct parts_bench *p = calloc(1, sizeof(*p));
	if (p == NULL)
		return NULL;
	p->zone = bench_zone(BENCH_ZONE_FLAT, names);
	p->n_names = names;
	if (p->zone == NULL) {
		free(p);
		return NULL;
	}
	return p;
}

/* What staging saves: the same lookups, each waiting for its own misses. */
static uint64_t
run_lookup(void *context)
{
	struct parts_bench *p = context;
	const struct snapshot *s = zone_current(p->zone->zone);
	for (unsigned i = 0; i < BATCH; i++) {
		p->names[i] = bench_zone_name(BENCH_ZONE_FLAT,
					      (int64_t)(bench_random(&p->random) % (uint64_t)p->n_names));
		p->hashes[i] = name_hash(p->names[i].bytes);
	}
	uint64_t start = bench_cycles();
	for (unsigned i = 0; i < BATCH; i++)
		p->sink += names_find(&s->names, p->hashes[i], p->names[i].bytes, p->names[i].len)->hash;
	return bench_cycles() - start;
}

struct build_bench {
	struct name apex;
	int64_t names;
};

static void *
set_up_build(int64_t names)
{
	struct build_bench *b = calloc(1, sizeof(*b));
	if (b == NULL || name_from_text("example.", 8, NULL, &b->apex) != NAME_OK)
		return NULL;
	b->names = names;
	return b;
}

static uint64_t
run_build(void *context)
{
	struct build_bench *bench = context;
	struct zone_builder *b = zone_builder_new(&bench->apex);
	if (b == NULL || bench_zone_fill(BENCH_ZONE_TLD, bench->names, b) != 0)
		abort();
	struct diag_list diag = {0};
	struct snapshot *s = NULL;
	uint64_t start = bench_cycles();
	if (zone_builder_finish(b, &diag, &s) != 0)
		abort();
	uint64_t spent = bench_cycles() - start;
	snapshot_free(s);
	diag_clear(&diag);
	return spent;
}

void
bench_parts_cases(void)
{
	static const struct bench_case cases[] = {
		{"wire/query_parse", 0, BATCH, set_up_wire, run_parse, free},
		{"wire/name_suffixes", 0, BATCH, set_up_wire, run_suffixes, free},
		{"names/find", 100, BATCH, set_up_lookup, run_lookup, free},
		{"names/find", 1000000, BATCH, set_up_lookup, run_lookup, free},
		{"names/find", 10000000, BATCH, set_up_lookup, run_lookup, free},
		{"builder/delegations", 1000, 1000, set_up_build, run_build, free},
		{"builder/delegations", 100000, 100000, set_up_build, run_build, free},
	};
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++)
		bench_register(&cases[i]);
}
