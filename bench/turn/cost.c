/* SPDX-License-Identifier: Apache-2.0 */
/* What a turn costs beside a macswap turn over the same port. See turn.h. */
#include "bench/turn/turn.h"

#include <stdio.h>

/* Fills *s with the cycles a query of turns for the length of a phase; returns how many answers were wrong. */
static uint64_t
measure(struct rig_lane *lane, uint64_t (*turn)(struct rig_lane *lane), unsigned phase_ms, struct samples *s)
{
	uint64_t wrong = 0, end_ns = turn_now_ns() + phase_ms * UINT64_C(1000000);
	s->n = 0;
	while (turn_now_ns() < end_ns) {
		rig_fill(lane);
		for (unsigned i = 0; i < RIG_TURNS; i++)
			samples_add(s, (double)turn(lane) / PORT_BURST);
		wrong += RIG_FRAMES - rig_drain(lane);
	}
	return wrong;
}

int
turn_cost(struct rig *rig, const struct rig_load *load, const struct turn_options *o)
{
	static struct samples phase, turns, swaps, differences, ratios;
	struct rig_lane *lane = &rig->lanes[0];
	uint64_t wrong = 0;
	turns.n = swaps.n = differences.n = ratios.n = 0;
	rig_use(rig, load);
	for (unsigned i = 0; i < o->rounds; i++) {
		measure(lane, rig_macswap, o->phase_ms, &phase);
		double swap = samples_quantile(&phase, 0.5);
		wrong += measure(lane, rig_turn, o->phase_ms, &phase);
		double turn = samples_quantile(&phase, 0.5);
		samples_add(&swaps, swap);
		samples_add(&turns, turn);
		samples_add(&differences, turn - swap);
		samples_add(&ratios, turn / swap);
	}
	turn_print("macswap", &swaps);
	turn_print("turn", &turns);
	turn_print("turn - macswap", &differences);
	turn_print("turn / macswap", &ratios);
	if (wrong != 0)
		printf("%llu wrong answers\n", (unsigned long long)wrong);
	return wrong != 0;
}
