/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cost of a change: some names and the SOA of a large zone, from the first record to the next snapshot, in the
 * order of an IXFR: all that goes, then all that comes, each name announced as a session does it. And what it takes
 * to free what that replaced (`change/free_...`). Each run changes the zone that the run before has made.
 * MALLOC_CONF=thp:always gives the zone huge pages, as anserd does.
 */
#include <stdlib.h>
#include <string.h>

#include "bench/cases.h"
#include "bench/harness.h"
#include "bench/zones.h"
#include "zones/base/bytes.h"
#include "zones/store/change.h"
#include "zones/wire/rrtype.h"

/* What a run does to one name. */
struct edit {
	struct name owner;
	uint16_t type, rdlen;
	uint8_t rdata[32];
};

#define AHEAD 16 /* names from the one that is edited to the one that is announced */

struct change_bench {
	const struct bench_zone *zone;
	struct snapshot *snapshot;
	struct name apex;
	struct edit *edits;
	unsigned names; /* that a run changes */
	uint64_t random;
	uint32_t serial;
};

static void *
set_up(enum bench_zone_kind kind, int64_t names, unsigned changed)
{
	struct change_bench *b = calloc(1, sizeof(*b));
	if (b == NULL)
		return NULL;
	b->zone = bench_zone(kind, names);
	b->edits = calloc(changed, sizeof(*b->edits));
	if (b->zone == NULL || b->edits == NULL) {
		free(b->edits);
		free(b);
		return NULL;
	}
	b->names = changed;
	b->snapshot = (struct snapshot *)(uintptr_t)zone_current(b->zone->zone);
	name_copy(&b->apex, b->zone->zone->apex);
	b->serial = b->snapshot->serial;
	return b;
}

/* The zone is the bench's again, as the last change has left it. */
static void
tear_down(void *context)
{
	struct change_bench *b = context;
	(void)!zone_publish(b->zone->zone, b->snapshot);
	free(b->edits);
	free(b);
}

static void
put_soa(struct change_bench *b, struct zone_change *c)
{
	static const uint8_t ns[] = "\2ns\10provider\4test";
	uint8_t soa[2 * sizeof(ns) + 20];
	memcpy(soa, ns, sizeof(ns));
	memcpy(soa + sizeof(ns), ns, sizeof(ns));
	for (unsigned i = 0; i < 5; i++)
		store_be32(soa + 2 * sizeof(ns) + 4 * i, 3600 + i);
	store_be32(soa + 2 * sizeof(ns), b->serial);
	if (zone_change_remove(c, &b->apex, RRTYPE_SOA, soa, sizeof(soa)) != 0)
		abort();
	store_be32(soa + 2 * sizeof(ns), ++b->serial);
	if (zone_change_add(c, &b->apex, RRTYPE_SOA, 3600, soa, sizeof(soa)) != 0)
		abort();
}

/* Delegations get another server, one of 2000; other names another address. */
static void
choose(struct change_bench *b, struct edit *e)
{
	static const uint8_t ns[] = "\3ns1\15provider0000a\4test";
	uint64_t r = bench_random(&b->random);
	e->owner = bench_zone_name(b->zone->kind, (int64_t)(r % (uint64_t)b->zone->names));
	if (b->zone->kind != BENCH_ZONE_TLD) {
		e->type = RRTYPE_A;
		e->rdlen = 4;
		store_be32(e->rdata, (uint32_t)r);
		return;
	}
	e->type = RRTYPE_NS;
	e->rdlen = sizeof(ns);
	memcpy(e->rdata, ns, sizeof(ns));
	for (unsigned i = 0, n = (unsigned)(r >> 32) % 2000; i < 4; i++, n /= 10)
		e->rdata[13 + i] = (uint8_t)('0' + n % 10);
}

static int
take_out(struct zone_change *c, const struct edit *e)
{
	return zone_change_remove_set(c, &e->owner, e->type);
}

static int
put_in(struct zone_change *c, const struct edit *e)
{
	return zone_change_add(c, &e->owner, e->type, 3600, e->rdata, e->rdlen);
}

static void
each_name(const struct change_bench *b, struct zone_change *c,
	  int (*what)(struct zone_change *c, const struct edit *e))
{
	for (unsigned i = 0; i < AHEAD && i < b->names; i++)
		zone_change_expect(c, b->edits[i].owner.bytes);
	for (unsigned i = 0; i < b->names; i++) {
		if (i + AHEAD < b->names)
			zone_change_expect(c, b->edits[i + AHEAD].owner.bytes);
		if (what(c, &b->edits[i]) != 0)
			abort();
	}
}

/* Changes the names; what that replaced is the caller's. */
static struct snapshot_remains *
change(struct change_bench *b)
{
	struct diag_list diag = {0};
	struct snapshot_remains *remains;
	struct zone_change *c = zone_change_new(b->snapshot, ZONE_CHANGE_LENIENT, &diag);
	if (c == NULL)
		abort();
	put_soa(b, c);
	each_name(b, c, take_out);
	each_name(b, c, put_in);
	if (zone_change_finish(c, &b->snapshot, &remains) != 0)
		abort();
	diag_clear(&diag);
	return remains;
}

static void
choose_all(struct change_bench *b)
{
	for (unsigned i = 0; i < b->names; i++)
		choose(b, &b->edits[i]);
}

static uint64_t
run_change(void *context)
{
	struct change_bench *b = context;
	choose_all(b);
	uint64_t start = bench_cycles();
	struct snapshot_remains *remains = change(b);
	uint64_t spent = bench_cycles() - start;
	snapshot_remains_free(remains);
	return spent;
}

static uint64_t
run_free(void *context)
{
	struct change_bench *b = context;
	choose_all(b);
	struct snapshot_remains *remains = change(b);
	uint64_t start = bench_cycles();
	snapshot_remains_free(remains);
	return bench_cycles() - start;
}

/* A DNAME that comes and goes above one name: the walk over all names. */
static uint64_t
run_flip(void *context)
{
	struct change_bench *b = context;
	struct diag_list diag = {0};
	struct snapshot *next;
	struct snapshot_remains *remains;
	static const uint8_t target[] = "\4else\4test";
	struct name owner = bench_zone_name(b->zone->kind, 0); /* has glue below */
	uint64_t start = bench_cycles();
	struct zone_change *c = zone_change_new(b->snapshot, ZONE_CHANGE_LENIENT, &diag);
	if (c == NULL)
		abort();
	put_soa(b, c);
	int err = zone_change_remove_name(c, &owner);
	if (err == 0 && b->serial % 2 == 0)
		err = zone_change_add(c, &owner, RRTYPE_NS, 3600, target, sizeof(target));
	if (err != 0 || zone_change_finish(c, &next, &remains) != 0)
		abort();
	uint64_t spent = bench_cycles() - start;
	snapshot_remains_free(remains);
	diag_clear(&diag);
	b->snapshot = next;
	return spent;
}

#define SET_UP(name, kind, changed)                                                                                \
	static void *set_up_##name(int64_t names)                                                                  \
	{                                                                                                          \
		return set_up(kind, names, changed);                                                               \
	}
SET_UP(one, BENCH_ZONE_TLD, 1)
SET_UP(many, BENCH_ZONE_TLD, 10000)
SET_UP(one_nsec, BENCH_ZONE_NSEC, 1)
SET_UP(many_nsec, BENCH_ZONE_NSEC, 10000)
SET_UP(one_nsec3, BENCH_ZONE_NSEC3, 1)
SET_UP(many_nsec3, BENCH_ZONE_NSEC3, 10000)

void
bench_change_cases(void)
{
	static const struct bench_case cases[] = {
		{"change/one_name", 1000000, 1, set_up_one, run_change, tear_down},
		{"change/10000_names", 1000000, 1, set_up_many, run_change, tear_down},
		{"change/free_10000_names", 1000000, 1, set_up_many, run_free, tear_down},
		{"change/cut_above_names", 1000000, 1, set_up_one, run_flip, tear_down},
		{"change/one_name/nsec", 1000000, 1, set_up_one_nsec, run_change, tear_down},
		{"change/10000_names/nsec", 1000000, 1, set_up_many_nsec, run_change, tear_down},
		{"change/one_name/nsec3", 1000000, 1, set_up_one_nsec3, run_change, tear_down},
		{"change/10000_names/nsec3", 1000000, 1, set_up_many_nsec3, run_change, tear_down},
		{"change/one_name", 10000000, 1, set_up_one, run_change, tear_down},
		{"change/10000_names", 10000000, 1, set_up_many, run_change, tear_down},
		{"change/free_10000_names", 10000000, 1, set_up_many, run_free, tear_down},
	};
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++)
		bench_register(&cases[i]);
}
