/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Latencies counted in buckets whose width grows with the value, as HdrHistogram does: 2^7 buckets for each power
 * of two, so that a percentile is off by less than 1 % of itself, whatever its size, in 26 KiB without allocation.
 *
 * One thread adds; any thread may read meanwhile and gets counts that are whole, but not of one instant. Values are
 * plain numbers; whoever adds them knows their unit.
 */
#ifndef ANSER_BLAST_HISTOGRAM_H
#define ANSER_BLAST_HISTOGRAM_H

#include <stdint.h>

#include "zones/base/counters.h"

#define HISTOGRAM_SUB_BITS 7
#define HISTOGRAM_SUB (1u << HISTOGRAM_SUB_BITS)
#define HISTOGRAM_BUCKETS ((32 - HISTOGRAM_SUB_BITS + 1) * HISTOGRAM_SUB)

/* Zeroed: empty. */
struct histogram {
	uint64_t count, sum;
	uint32_t min, max; /* exact; min is meaningful only if count > 0 */
	uint64_t bucket[HISTOGRAM_BUCKETS];
};

/* Bucket of a value: below 2^7 each has its own, above that the 7 bits behind the leading one choose. */
static inline unsigned
histogram_bucket(uint32_t value)
{
	if (value < HISTOGRAM_SUB)
		return value;
	unsigned shift = 31u - (unsigned)__builtin_clz(value) - HISTOGRAM_SUB_BITS;
	return ((shift + 1) << HISTOGRAM_SUB_BITS) + (value >> shift) - HISTOGRAM_SUB;
}

static inline void
histogram_add(struct histogram *h, uint32_t value)
{
	if (h->count == 0 || value < h->min)
		__atomic_store_n(&h->min, value, __ATOMIC_RELAXED);
	if (value > h->max)
		__atomic_store_n(&h->max, value, __ATOMIC_RELAXED);
	counter_add(&h->sum, value);
	counter_add(&h->bucket[histogram_bucket(value)], 1);
	counter_add(&h->count, 1);
}

/* Adds the counts of `from`, which another thread may be adding to. */
void histogram_merge(struct histogram *to, const struct histogram *from);

/*
 * The smallest value that at least the part `share` (0..1) of all values does not exceed: the middle of its bucket,
 * and within [min, max]. 0 of an empty histogram.
 */
double histogram_percentile(const struct histogram *h, double share);

/* 0 of an empty histogram. */
double histogram_mean(const struct histogram *h);

#endif
