/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long a turn takes at most while versions of the zone come and go. The worker runs on one thread; this one
 * changes a name, publishes, waits until no reader has the old version and frees it, a thousand times a second.
 * Told in time of the thread, which a machine with other work gives and takes as it likes, and in wall time, which
 * is right on a machine without.
 */
#include "bench/turn/turn.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <urcu-qsbr.h>

#include "zones/base/bytes.h"
#include "zones/store/change.h"
#include "zones/store/remains.h"
#include "zones/wire/rrtype.h"

#define SWAP_NS 1000000

struct stall {
	struct rig *rig;
	const struct rig_load *load;
	uint64_t random;
	atomic_bool stop;
	_Atomic unsigned phase; /* counts up; the worker begins anew when it changes */
	_Atomic unsigned seen;  /* the phase that the worker is in */
	struct phase_samples {
		struct samples cpu_us, wall_us;
	} * turns; /* of two phases; the worker's until `seen` moves on */
};

static uint64_t
thread_now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void *
worker_thread(void *arg)
{
	struct stall *s = arg;
	struct rig_lane *lane = &s->rig->lanes[0];
	rig_thread_begin(s->rig, 0);
	while (!s->stop) {
		unsigned phase = s->phase;
		struct phase_samples *mine = &s->turns[phase % 2];
		if (phase != s->seen) {
			mine->cpu_us.n = mine->wall_us.n = 0;
			s->seen = phase;
		}
		rig_fill(lane);
		for (unsigned i = 0; i < RIG_TURNS; i++) {
			uint64_t wall_ns = turn_now_ns(), cpu_ns = thread_now_ns();
			worker_turn(lane->worker);
			samples_add(&mine->cpu_us, (double)(thread_now_ns() - cpu_ns) / 1000);
			samples_add(&mine->wall_us, (double)(turn_now_ns() - wall_ns) / 1000);
		}
		rig_drain(lane);
	}
	rig_thread_end();
	return NULL;
}

/* Another address for one name. The version that was served until now is freed when nobody reads it any more. */
static void
swap(struct stall *s)
{
	struct zone *zone = bench_zone(s->load->zone, s->load->names)->zone;
	struct name owner =
		bench_zone_name(s->load->zone, (int64_t)(bench_random(&s->random) % (uint64_t)s->load->names));
	uint8_t address[4];
	store_be32(address, (uint32_t)s->random);
	struct diag_list diag = {0};
	struct snapshot *next;
	struct snapshot_remains *remains;
	struct zone_change *c = zone_change_new(zone_current(zone), ZONE_CHANGE_LENIENT, &diag);
	if (c == NULL || zone_change_remove_set(c, &owner, RRTYPE_A) != 0 ||
	    zone_change_add(c, &owner, RRTYPE_A, BENCH_ZONE_TTL_S, address, sizeof(address)) != 0 ||
	    zone_change_finish(c, &next, &remains) != 0)
		abort();
	(void)!zone_publish(zone, next);
	urcu_qsbr_synchronize_rcu();
	snapshot_remains_free(remains);
	diag_clear(&diag);
}

/* Returns how many swaps there were. */
static unsigned
phase(struct stall *s, const struct turn_options *o, bool swaps)
{
	unsigned n = 0, next = s->phase + 1;
	s->phase = next;
	while (s->seen != next)
		sched_yield();
	uint64_t start_ns = turn_now_ns(), due_ns = start_ns, end_ns = start_ns + o->phase_ms * UINT64_C(1000000);
	while (turn_now_ns() < end_ns) {
		if (swaps) {
			swap(s);
			n++;
		}
		due_ns += SWAP_NS;
		struct timespec due = {.tv_sec = (time_t)(due_ns / 1000000000),
				       .tv_nsec = (long)(due_ns % 1000000000)};
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL);
	}
	return n;
}

/* Runs a phase; its samples are ours once the worker has gone on to the next one. */
static struct phase_samples *
phase_samples(struct stall *s, const struct turn_options *o, bool swaps, double *n_swaps)
{
	*n_swaps += phase(s, o, swaps);
	unsigned done = s->phase;
	s->phase = done + 1;
	while (s->seen != done + 1)
		sched_yield();
	return &s->turns[done % 2];
}

static void
measure(struct stall *s, const struct turn_options *o)
{
	static struct samples longest[2], usual[2], wall[2], beyond;
	double swaps = 0;
	for (unsigned i = 0; i < o->rounds; i++) {
		double most[2];
		for (unsigned with = 0; with < 2; with++) {
			struct phase_samples *p = phase_samples(s, o, with != 0, &swaps);
			most[with] = samples_quantile(&p->cpu_us, 1);
			samples_add(&longest[with], most[with]);
			samples_add(&usual[with], samples_quantile(&p->cpu_us, 0.999));
			samples_add(&wall[with], samples_quantile(&p->wall_us, 1));
		}
		samples_add(&beyond, most[1] - most[0]);
	}
	printf("%.0f swaps a second; us a turn\n", swaps / o->rounds / o->phase_ms * 1000);
	turn_print("idle: 99.9 % of turns", &usual[0]);
	turn_print("swaps: 99.9 % of turns", &usual[1]);
	turn_print("idle: longest turn", &longest[0]);
	turn_print("swaps: longest turn", &longest[1]);
	turn_print("longest, beyond idle", &beyond);
	turn_print("idle: longest, wall time", &wall[0]);
	turn_print("swaps: longest, wall time", &wall[1]);
}

int
turn_stall(struct rig *rig, const struct rig_load *load, const struct turn_options *o)
{
	struct stall s = {.rig = rig, .load = load, .turns = calloc(2, sizeof(*s.turns))};
	pthread_t thread;
	rig_use(rig, load);
	if (s.turns == NULL || pthread_create(&thread, NULL, worker_thread, &s) != 0)
		abort();
	urcu_qsbr_thread_offline(); /* publishes, and reads nothing under RCU */
	measure(&s, o);
	s.stop = true;
	pthread_join(thread, NULL);
	urcu_qsbr_thread_online();
	free(s.turns);
	return 0;
}
