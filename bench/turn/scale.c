/* SPDX-License-Identifier: Apache-2.0 */
/* What a second worker adds. See turn.h. Each lane has a thread of its own, on a CPU of its own. */
#include "bench/turn/turn.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <urcu-qsbr.h>

struct runner {
	struct rig *rig;
	unsigned lane;
	pthread_t thread;
	pthread_barrier_t *barrier;
	const struct turn_options *options;
	unsigned busy; /* lanes that run in the phase at hand, one bit each; written between two barriers */
	struct samples *phase;
	double cycles; /* of a query in the last phase, the median */
};

static void
run_phase(struct runner *r)
{
	struct rig_lane *lane = &r->rig->lanes[r->lane];
	uint64_t end_ns = turn_now_ns() + r->options->phase_ms * UINT64_C(1000000);
	r->phase->n = 0;
	while (turn_now_ns() < end_ns) {
		rig_fill(lane);
		for (unsigned i = 0; i < RIG_TURNS; i++)
			samples_add(r->phase, (double)rig_turn(lane) / PORT_BURST);
		rig_drain(lane);
	}
	r->cycles = samples_quantile(r->phase, 0.5);
}

static void *
runner_thread(void *arg)
{
	struct runner *r = arg;
	rig_thread_begin(r->rig, r->lane);
	for (;;) {
		pthread_barrier_wait(r->barrier); /* begin */
		if (r->busy == 0)
			break;
		if (r->busy & 1u << r->lane)
			run_phase(r);
		pthread_barrier_wait(r->barrier); /* end */
	}
	rig_thread_end();
	return NULL;
}

static void
phase(struct runner *runners, unsigned busy)
{
	for (unsigned i = 0; i < RIG_LANES_MAX; i++)
		runners[i].busy = busy;
	pthread_barrier_wait(runners[0].barrier);
	if (busy != 0)
		pthread_barrier_wait(runners[0].barrier);
}

static void
measure(struct runner *runners, const struct turn_options *o)
{
	static struct samples alone, together, ratios;
	alone.n = together.n = ratios.n = 0;
	for (unsigned i = 0; i < o->rounds; i++) {
		double one = 0, two = 0;
		for (unsigned k = 0; k < RIG_LANES_MAX; k++) {
			phase(runners, 1u << k);
			samples_add(&alone, runners[k].cycles);
			one += 1 / runners[k].cycles / RIG_LANES_MAX;
		}
		phase(runners, (1u << RIG_LANES_MAX) - 1);
		for (unsigned k = 0; k < RIG_LANES_MAX; k++) {
			samples_add(&together, runners[k].cycles);
			two += 1 / runners[k].cycles;
		}
		samples_add(&ratios, two / one);
	}
	turn_print("turn, a worker alone", &alone);
	turn_print("turn, two workers", &together);
	turn_print("rate of two / one", &ratios);
}

int
turn_scale(struct rig *rig, const struct rig_load *load, const struct turn_options *o)
{
	struct runner runners[RIG_LANES_MAX];
	pthread_barrier_t barrier;
	rig_use(rig, load);
	pthread_barrier_init(&barrier, NULL, RIG_LANES_MAX + 1);
	for (unsigned i = 0; i < RIG_LANES_MAX; i++) {
		runners[i] = (struct runner){.rig = rig, .lane = i, .barrier = &barrier, .options = o};
		runners[i].phase = malloc(sizeof(*runners[i].phase));
		if (runners[i].phase == NULL ||
		    pthread_create(&runners[i].thread, NULL, runner_thread, &runners[i]) != 0)
			abort();
	}
	urcu_qsbr_thread_offline(); /* this thread waits */
	measure(runners, o);
	phase(runners, 0);
	for (unsigned i = 0; i < RIG_LANES_MAX; i++) {
		pthread_join(runners[i].thread, NULL);
		free(runners[i].phase);
	}
	urcu_qsbr_thread_online();
	pthread_barrier_destroy(&barrier);
	return 0;
}
