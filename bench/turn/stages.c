/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cycles by stage. The engine is compiled once more into this file, with a clock behind each stage, under another
 * name: nothing is measured but the code that answers. The clock waits for what was begun before (RDTSCP), so the
 * stages together take a little more than a turn without it.
 */
#include "bench/turn/turn.h"

#include <stdio.h>
#include <string.h>

#include "bench/harness.h"

enum { STAGE_MAX = 16 };

static struct {
	uint64_t last;
	unsigned n;
	const char *name[STAGE_MAX];
	double cycles[STAGE_MAX]; /* of the turn in hand */
} stage_clock;

static inline uint64_t
cycles_after_all(void)
{
#if defined(__x86_64__)
	unsigned cpu;
	return __rdtscp(&cpu);
#else
	return bench_cycles();
#endif
}

/* Stages come in the same order in every turn. */
static inline void
stage_done(const char *name)
{
	unsigned n = stage_clock.n++;
	uint64_t now = cycles_after_all();
	stage_clock.name[n] = name;
	stage_clock.cycles[n] = (double)(now - stage_clock.last) / PORT_BURST;
	stage_clock.last = cycles_after_all();
}

void engine_burst_by_stage(const struct zone_set *set, struct engine_message *messages, unsigned n, uint32_t now_s,
			   struct counters *counters);

#define ENGINE_STAGE_DONE(name) stage_done(name)
#define engine_burst engine_burst_by_stage
#include "zones/answer/engine.c"

/* As serve_queues() of dataplane/worker.c has it. */
static void
turn_by_stage(struct rig_lane *lane)
{
	struct engine_message messages[PORT_BURST];
	struct port_queue *q = lane->worker->queues[0];
	unsigned n_rx;
	stage_clock.n = 0;
	stage_clock.last = cycles_after_all();
	unsigned n = q->ops->rx_burst(q, messages, &n_rx);
	stage_done("frame rx");
	engine_burst_by_stage(zone_root_current(lane->worker->root), messages, n, 0, &lane->worker->counters);
	q->ops->tx_burst(q, messages, n);
	stage_done("frame tx");
}

int
turn_stages(struct rig *rig, const struct rig_load *load, const struct turn_options *o)
{
	static struct samples stages[STAGE_MAX];
	struct rig_lane *lane = &rig->lanes[0];
	memset(stages, 0, sizeof(stages));
	rig_use(rig, load);
	uint64_t end_ns = turn_now_ns() + o->rounds * o->phase_ms * UINT64_C(1000000);
	while (turn_now_ns() < end_ns) {
		rig_fill(lane);
		for (unsigned i = 0; i < RIG_TURNS; i++) {
			turn_by_stage(lane);
			for (unsigned k = 0; k < stage_clock.n; k++)
				samples_add(&stages[k], stage_clock.cycles[k]);
		}
		rig_drain(lane);
	}
	for (unsigned k = 0; k < stage_clock.n; k++)
		turn_print(stage_clock.name[k], &stages[k]);
	return 0;
}
