/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Queries for the zones of zones.h: a row of random names, many more than the caches hold, the same in every run.
 */
#ifndef ANSER_BENCH_QUERIES_H
#define ANSER_BENCH_QUERIES_H

#include <stdint.h>

#include "bench/zones.h"

#define BENCH_QUERIES (1u << 20)
#define BENCH_QUERY_MAX 64

enum bench_query_kind {
	BENCH_ASK_NAME,    /* A of a name that is there */
	BENCH_ASK_BELOW,   /* of one below it: a referral where it is a delegation */
	BENCH_ASK_MISSING, /* of one that is not there */
	/* From here on with EDNS. */
	BENCH_ASK_EDNS,
	BENCH_ASK_COOKIE, /* a client's alone */
	BENCH_ASK_DNSSEC,
	BENCH_ASK_MISSING_DNSSEC,
};

struct bench_queries {
	uint8_t (*at)[BENCH_QUERY_MAX]; /* BENCH_QUERIES messages */
	uint8_t *lens;
};

/* Makes queries for a zone of so many names; free them with bench_queries_free(). 0 or -ENOMEM. */
int bench_queries_make(struct bench_queries *q, enum bench_zone_kind zone, enum bench_query_kind kind,
		       int64_t names) MUST_CHECK;

void bench_queries_free(struct bench_queries *q);

#endif
