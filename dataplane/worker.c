/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The worker turn (docs/design/dataplane.md): what was received is answered and sent, then a quiescent state is
 * reported.
 *
 * Everything here runs on worker threads. A turn makes no system call of its own; the ports do for their packets,
 * the clock is read through the vDSO, and only a worker without work sleeps.
 */
#include "dataplane/worker.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>
#include <urcu-qsbr.h>

#include "zones/answer/count.h"

/*
 * Adaptive idling: a worker spins for a while after its last packet, since more tend to follow; then each sleep is
 * a microsecond longer than the one before. So a query after 10 ms of silence waits for about 140 us at most, and
 * one after half a second or more for IDLE_SLEEP_MAX_US, which leaves about 2 % of a core to an idle worker. A port
 * that wakes us up is waited for longer.
 */
#define IDLE_SPIN_TURNS 256
#define IDLE_SLEEP_MAX_US 1000
#define IDLE_WAIT_MAX_US 100000

#define CLOCK_REFRESH_CYCLES (UINT64_C(1) << 22) /* 1 to 2 ms, far below the second that we tell */

static inline uint64_t
cycles_now(void)
{
#if defined(__x86_64__)
	return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
	uint64_t t;
	__asm__ volatile("mrs %0, cntvct_el0" : "=r"(t));
	return t;
#else
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
#endif
}

static inline void
cpu_pause(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

static void
clock_read(struct worker_clock *c)
{
	struct timespec t;
	clock_gettime(CLOCK_REALTIME_COARSE, &t);
	c->now_s = (uint32_t)t.tv_sec;
	c->read_at = c->cycles;
}

/* Accounts the time since the last call as busy or not, and reads the wall clock when that is due. */
static void
clock_turn(struct worker_clock *c, struct counters *counters, bool busy)
{
	uint64_t now = cycles_now(), spent = now - c->cycles;
	c->cycles = now;
	counter_add(&counters->total_cycles, spent);
	if (busy)
		counter_add(&counters->busy_cycles, spent);
	if (unlikely(now - c->read_at >= CLOCK_REFRESH_CYCLES))
		clock_read(c);
}

/* Offline while it sleeps, so that a worker without work never holds up a grace period. */
static void
worker_idle(struct worker *w, unsigned empty_turns)
{
	if (w->idle_busy || empty_turns < IDLE_SPIN_TURNS) {
		cpu_pause();
		return;
	}
	struct port_queue *q = w->n_queues == 1 ? w->queues[0] : NULL;
	bool can_wait = q != NULL && q->ops->wait != NULL;
	unsigned max_us = can_wait ? IDLE_WAIT_MAX_US : IDLE_SLEEP_MAX_US;
	if (w->punts != NULL && punts_outstanding(w->punts) > 0)
		max_us = IDLE_SLEEP_MAX_US; /* no packet tells when control has answered */
	unsigned sleep_us = empty_turns - IDLE_SPIN_TURNS + 1;
	if (can_wait || sleep_us > max_us)
		sleep_us = max_us;

	urcu_qsbr_thread_offline();
	if (can_wait)
		q->ops->wait(q, sleep_us);
	else
		nanosleep(&(struct timespec){.tv_nsec = (long)sleep_us * 1000}, NULL);
	urcu_qsbr_thread_online();
}

/* -------- punts -------- */

static bool
punt_one(struct worker *w, struct port_queue *q, const struct engine_message *messages, unsigned i)
{
	struct punt_slot *s = punt_take(w->punts, &messages[i]);
	if (s == NULL)
		return false;
	s->queue = q;
	if (!q->ops->ticket(q, messages, i, s)) {
		punt_release(w->punts, s);
		return false;
	}
	punt_submit(w->punts, s);
	return true;
}

static void
punt_burst(struct worker *w, struct port_queue *q, const struct engine_message *messages, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		if (messages[i].verdict == ENGINE_PUNT && !punt_one(w, q, messages, i))
			counter_add(&w->counters.drop[DROP_PUNT_FULL], 1);
	}
}

/* Sends what control has answered, at most a burst a turn; returns how many. */
static unsigned
punts_send(struct worker *w)
{
	struct counters *c = &w->counters;
	unsigned n = 0;
	for (struct punt_slot *s; n < PORT_BURST && (s = punt_returned(w->punts)) != NULL; n++) {
		if (s->len == 0) {
			counter_add(&c->drop[DROP_PUNT_DROPPED], 1);
		} else {
			count_reply(c, s->client.is_v6, s->msg, s->len);
			s->queue->ops->send_punt(s->queue, s);
		}
		punt_release(w->punts, s);
	}
	return n;
}

/* What control answers from now on, nobody sends. */
static void
punts_abandon(struct worker *w)
{
	while (punts_send(w) > 0)
		continue;
	counter_add(&w->counters.drop[DROP_PUNT_DROPPED], punts_outstanding(w->punts));
}

/* -------- the turn -------- */

/* All queues once; returns what came off the wire, or from control. The zone set is loaded after the packets came
 * in. */
static unsigned
serve_queues(struct worker *w)
{
	struct engine_message messages[PORT_BURST];
	unsigned received = 0;
	for (unsigned i = 0; i < w->n_queues; i++) {
		struct port_queue *q = w->queues[i];
		unsigned n_rx = 0;
		unsigned n = q->ops->rx_burst(q, messages, &n_rx);
		uint64_t punted = w->counters.punted;
		if (n > 0)
			engine_burst(zone_root_current(w->root), messages, n, w->clock.now_s, &w->counters);
		if (unlikely(punted != w->counters.punted))
			punt_burst(w, q, messages, n);
		if (n_rx > 0)
			q->ops->tx_burst(q, messages, n);
		received += n_rx;
	}
	if (unlikely(w->punts != NULL && punts_have_returned(w->punts)))
		received += punts_send(w);
	return received;
}

unsigned
worker_turn(struct worker *w)
{
	unsigned received = serve_queues(w);
	urcu_qsbr_quiescent_state();
	clock_turn(&w->clock, &w->counters, received > 0);
	return received;
}

void
worker_run(struct worker *w)
{
	w->clock.cycles = cycles_now();
	clock_read(&w->clock);
	unsigned empty_turns = 0;
	while (!atomic_load_explicit(w->stop, memory_order_relaxed)) {
		if (worker_turn(w) > 0) {
			empty_turns = 0;
			continue;
		}
		if (empty_turns < IDLE_SPIN_TURNS + IDLE_SLEEP_MAX_US)
			empty_turns++;
		worker_idle(w, empty_turns);
		clock_turn(&w->clock, &w->counters, false);
	}
	if (w->punts != NULL)
		punts_abandon(w);
}

int
worker_add_queue(struct worker *w, struct port_queue *q)
{
	struct port_queue **queues = realloc(w->queues, (w->n_queues + 1) * sizeof(struct port_queue *));
	if (queues == NULL)
		return -ENOMEM;
	w->queues = queues;
	w->queues[w->n_queues++] = q;
	q->counters = &w->counters;
	return 0;
}
