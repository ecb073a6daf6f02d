/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What changes make of a zone's memory: a zone of delegations, some of which get other servers in each change, and
 * what it takes before and after, beside the same records built as a whole. Figures: docs/design/changes.md.
 *
 *     zonegrowth CHANGES NAMES PROVIDERS [DELEGATIONS]
 *
 * CHANGES changes of NAMES delegations each, at random, to two servers of one of PROVIDERS.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench/zones.h"
#include "zones/base/alloc.h"
#include "zones/store/change.h"
#include "zones/store/intern.h"
#include "zones/store/records.h"
#include "zones/wire/rrtype.h"

struct growth {
	struct snapshot *snapshot;
	size_t before; /* octets without any zone */
	int64_t delegations;
	unsigned long providers;
	uint64_t random;
};

/* Data that is handed out, by the delegation. */
static double
share(const struct growth *g)
{
	return (double)(zalloc_bytes() - g->before) / (double)g->delegations;
}

static struct name
name_of(const char *text)
{
	struct name n;
	if (name_from_text(text, strlen(text), NULL, &n) != NAME_OK)
		abort();
	return n;
}

static void
put_servers(struct growth *g, struct zone_change *c)
{
	uint64_t r = bench_random(&g->random);
	struct name owner = bench_zone_name(BENCH_ZONE_TLD, (int64_t)(r % (uint64_t)g->delegations));
	unsigned long provider = (unsigned long)(bench_random(&g->random) % g->providers);
	int err = zone_change_remove_set(c, &owner, RRTYPE_NS);
	for (unsigned k = 1; k <= 2 && err == 0; k++) {
		char text[64];
		snprintf(text, sizeof(text), "ns%u.other%lu.test.", k, provider);
		struct name ns = name_of(text);
		err = zone_change_add(c, &owner, RRTYPE_NS, BENCH_ZONE_TTL_S, ns.bytes, ns.len);
	}
	if (err != 0)
		abort();
}

static void
change(struct growth *g, unsigned long names)
{
	struct diag_list diag = {0};
	struct snapshot_remains *remains;
	struct zone_change *c = zone_change_new(g->snapshot, ZONE_CHANGE_LENIENT, &diag);
	if (c == NULL)
		abort();
	for (unsigned long i = 0; i < names; i++)
		put_servers(g, c);
	if (zone_change_finish(c, &g->snapshot, &remains) != 0)
		abort();
	snapshot_remains_free(remains);
	diag_clear(&diag);
}

static void
build(struct growth *g, const struct name *apex)
{
	struct diag_list diag = {0};
	struct zone_builder *b = zone_builder_new(apex);
	if (b == NULL || bench_zone_fill(BENCH_ZONE_TLD, g->delegations, b) != 0 ||
	    zone_builder_finish(b, &diag, &g->snapshot) != 0)
		abort();
	diag_clear(&diag);
}

/* The same records as a whole. */
static void
build_again(struct growth *g, const struct name *apex)
{
	static uint8_t rdata[RDATA_MAX_LEN];
	struct diag_list diag = {0};
	struct snapshot *again;
	struct records_cursor cursor;
	struct zone_record r;
	struct zone_builder *b = zone_builder_new(apex);
	if (b == NULL)
		abort();
	records_cursor_begin(&cursor, g->snapshot);
	while (records_cursor_next(&cursor, rdata, &r)) {
		struct name owner;
		name_copy(&owner, r.owner);
		if (zone_builder_add(b, &owner, r.type, r.ttl_s, r.rdata, r.rdlen, NULL) != 0)
			abort();
	}
	snapshot_free(g->snapshot);
	if (zone_builder_finish(b, &diag, &again) != 0)
		abort();
	g->snapshot = again;
	diag_clear(&diag);
}

static void
tell_table(const struct growth *g)
{
	if (g->snapshot->interned == NULL)
		return;
	struct intern_stats stats = intern_stats(g->snapshot->interned);
	printf("  table %.2f, %zu sets; sets without users %.2f\n",
	       (double)intern_bytes(g->snapshot->interned) / (double)g->delegations, stats.n_sets,
	       (double)stats.unused_bytes / (double)g->delegations);
}

int
main(int argc, char **argv)
{
	if (argc < 4) {
		fprintf(stderr, "usage: zonegrowth CHANGES NAMES PROVIDERS [DELEGATIONS]\n");
		return 2;
	}
	unsigned long changes = strtoul(argv[1], NULL, 10), names = strtoul(argv[2], NULL, 10);
	struct growth g = {.before = zalloc_bytes(),
			   .providers = strtoul(argv[3], NULL, 10),
			   .delegations = argc > 4 ? strtol(argv[4], NULL, 10) : 1000000};
	struct name apex = name_of("example.");
	struct timespec from, to;
	build(&g, &apex);
	printf("built %.1f octets a delegation\n", share(&g));
	tell_table(&g);
	clock_gettime(CLOCK_MONOTONIC, &from);
	for (unsigned long i = 0; i < changes; i++)
		change(&g, names);
	clock_gettime(CLOCK_MONOTONIC, &to);
	double spent_us = (double)(to.tv_sec - from.tv_sec) * 1e6 + (double)(to.tv_nsec - from.tv_nsec) / 1e3;
	printf("%lu changes of %lu names %.1f, %.2f us each\n", changes, names, share(&g),
	       spent_us / (double)changes);
	tell_table(&g);
	build_again(&g, &apex);
	printf("built again %.1f\n", share(&g));
	tell_table(&g);
	snapshot_free(g.snapshot);
	return 0;
}
