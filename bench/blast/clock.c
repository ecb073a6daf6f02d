/* SPDX-License-Identifier: Apache-2.0 */
/* Ticks and seconds. See clock.h. */
#include "bench/blast/clock.h"

#include <time.h>

#define MEASURE_NS 50000000

struct both {
	uint64_t ticks;
	double ns;
};

/* Both clocks at one time: of several pairs the one that was read fastest, because nothing came in between. */
static struct both
both_now(void)
{
	struct both best = {0};
	uint64_t least = UINT64_MAX;
	for (unsigned i = 0; i < 16; i++) {
		struct timespec t;
		uint64_t before = clock_ticks();
		clock_gettime(CLOCK_MONOTONIC_RAW, &t);
		uint64_t took = clock_ticks() - before;
		if (took >= least)
			continue;
		least = took;
		best = (struct both){.ticks = before + took / 2, .ns = (double)t.tv_sec * 1e9 + (double)t.tv_nsec};
	}
	return best;
}

double
clock_measure_hz(void)
{
	struct both begin = both_now();
	nanosleep(&(struct timespec){.tv_nsec = MEASURE_NS}, NULL);
	struct both end = both_now();
	return (double)(end.ticks - begin.ticks) * 1e9 / (end.ns - begin.ns);
}
