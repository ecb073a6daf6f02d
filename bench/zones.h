/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Zones and queries that the benches share: made in memory, deterministic, as large as asked.
 *
 * The last zone made is kept, because a 10-million-name zone takes longer to build than to measure.
 */
#ifndef ANSER_BENCH_ZONES_H
#define ANSER_BENCH_ZONES_H

#include <stdint.h>

#include "zones/answer/engine.h"
#include "zones/store/builder.h"

enum bench_zone_kind {
	BENCH_ZONE_FLAT, /* n<i>.flat.example A */
	BENCH_ZONE_TLD,  /* n<i>.example NS x 2, out of zone, one in ten with glue of its own */
	/* As FLAT, with signatures (of the right size, not valid) and a chain of denial. */
	BENCH_ZONE_NSEC,
	BENCH_ZONE_NSEC3,  /* no salt, no further iterations */
	BENCH_ZONE_TLD_DS, /* as TLD, one in three with a DS set */
};

struct bench_zone {
	enum bench_zone_kind kind;
	int64_t names;
	struct zone *zone;
	struct zone_set *set;
};

/* The zone, built or kept from the last call; owned by this module. NULL: out of memory. */
const struct bench_zone *bench_zone(enum bench_zone_kind kind, int64_t names);

struct name bench_zone_apex(enum bench_zone_kind kind);

/* The i-th name of a zone, lower case. */
struct name bench_zone_name(enum bench_zone_kind kind, int64_t i);

#define BENCH_ZONE_TTL_S 3600

/* Gives the zone's records one after the other, names by their number; 0 or what take() returned, which ends it. */
typedef int
bench_zone_take(void *arg, const struct name *owner, uint16_t type, const uint8_t *rdata, uint16_t rdlen);
int bench_zone_each(enum bench_zone_kind kind, int64_t names, bench_zone_take *take, void *arg);

/* Adds the zone's records to a builder; 0 or -errno. */
int bench_zone_fill(enum bench_zone_kind kind, int64_t names, struct zone_builder *b);

/* splitmix64 (Vigna): the next of a reproducible row of numbers. */
uint64_t bench_random(uint64_t *state);

#endif
