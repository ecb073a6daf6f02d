/* SPDX-License-Identifier: Apache-2.0 */
/* Latency histogram, the half that reads. See histogram.h. */
#include "bench/blast/histogram.h"

void
histogram_merge(struct histogram *to, const struct histogram *from)
{
	uint64_t count = 0; /* of what is merged here: the other thread may have gone on */
	uint32_t min = __atomic_load_n(&from->min, __ATOMIC_RELAXED);
	uint32_t max = __atomic_load_n(&from->max, __ATOMIC_RELAXED);
	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
		uint64_t n = counter_read(&from->bucket[i]);
		to->bucket[i] += n;
		count += n;
	}
	if (count == 0)
		return;
	if (to->count == 0 || min < to->min)
		to->min = min;
	if (max > to->max)
		to->max = max;
	to->sum += counter_read(&from->sum);
	to->count += count;
}

/* The middle of a bucket. */
static double
bucket_middle(unsigned bucket)
{
	if (bucket < HISTOGRAM_SUB)
		return bucket;
	unsigned shift = (bucket >> HISTOGRAM_SUB_BITS) - 1;
	double first = (double)((uint64_t)((bucket & (HISTOGRAM_SUB - 1)) + HISTOGRAM_SUB) << shift);
	return first + (double)((UINT64_C(1) << shift) - 1) / 2;
}

double
histogram_percentile(const struct histogram *h, double share)
{
	double wanted = share * (double)h->count;
	uint64_t seen = 0;
	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
		seen += h->bucket[i];
		if (h->bucket[i] == 0 || (double)seen < wanted)
			continue;
		double value = bucket_middle(i);
		return value < h->min ? h->min : value > h->max ? h->max : value;
	}
	return h->max;
}

double
histogram_mean(const struct histogram *h)
{
	return h->count == 0 ? 0 : (double)h->sum / (double)h->count;
}
