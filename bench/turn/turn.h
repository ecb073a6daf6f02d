/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The measurements of turnbench. Each takes the loads that it is given one after the other, in rounds of A/B/A/B,
 * and prints a table. Single-threaded but where told. Returns main()'s exit code.
 */
#ifndef ANSER_BENCH_TURN_TURN_H
#define ANSER_BENCH_TURN_TURN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bench/turn/rig.h"

struct turn_options {
	unsigned rounds;
	unsigned phase_ms; /* how long each half of a round takes */
};

/* Cycles of a query in the worker turn, in the macswap turn over the same port, and the difference. */
int turn_cost(struct rig *rig, const struct rig_load *load, const struct turn_options *o);

/* The same by stage of the engine, with a clock behind each. */
int turn_stages(struct rig *rig, const struct rig_load *load, const struct turn_options *o);

/* The rate of two workers on two threads by that of one. The rig has two lanes. */
int turn_scale(struct rig *rig, const struct rig_load *load, const struct turn_options *o);

/* The longest turns while another thread publishes a version of the zone every millisecond, and while it does not.
 */
int turn_stall(struct rig *rig, const struct rig_load *load, const struct turn_options *o);

/* -------- what they share -------- */

/* Samples of one phase or of many; more than fit are left out. */
#define SAMPLES_MAX (1u << 18)
struct samples {
	uint32_t n;
	double at[SAMPLES_MAX];
};

static inline void
samples_add(struct samples *s, double value)
{
	if (s->n < SAMPLES_MAX)
		s->at[s->n++] = value;
}

/* The value that the share `p` of the samples does not exceed: 0 the lowest, 0.5 the median, 1 the highest. Sorts.
 */
double samples_quantile(struct samples *s, double p);

/* Monotonic wall time. */
uint64_t turn_now_ns(void);

/* Prints one row: name, then median, lowest and highest. */
void turn_print(const char *name, struct samples *s);

#endif
