/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A worker: the thread that answers queries. Private to dataplane/.
 *
 * dataplane_open() makes the workers, the port driver gives each its queues, worker_run() serves them. After that
 * nobody but the worker itself writes here, except `stop`, which all workers share.
 */
#ifndef ANSER_DATAPLANE_WORKER_H
#define ANSER_DATAPLANE_WORKER_H

#include <stdatomic.h>
#include <stdbool.h>

#include "dataplane/port.h"
#include "dataplane/punt.h"
#include "zones/base/compiler.h"
#include "zones/base/counters.h"
#include "zones/store/zone.h"

struct worker_clock {
	uint64_t cycles;  /* at the end of the last turn */
	uint64_t read_at; /* cycles when now_s was read */
	uint32_t now_s;   /* wall time */
};

struct worker {
	const struct zone_root *root;
	const atomic_bool *stop;
	struct port_queue **queues; /* the array is the worker's, the queues belong to their driver */
	unsigned n_queues;
	bool idle_busy;      /* never sleep */
	int cpu;             /* that it is meant to run on, or -1 */
	struct punts *punts; /* NULL: nobody takes punts, and no port may ask for them */
	struct worker_clock clock;
	struct counters counters;
};

/* Gives the worker one more queue and makes the queue count into the worker's counters. Before it runs. 0 or
 * -ENOMEM. */
int worker_add_queue(struct worker *w, struct port_queue *q) MUST_CHECK;

/*
 * One turn: receives a burst from each queue, answers and sends it, sends what control has answered, reports a
 * quiescent state, counts the time. Returns how many packets came off the wire or from control. The calling thread
 * is registered with RCU (QSBR) and online. worker_run() does nothing else under load; a bench calls it by itself.
 */
unsigned worker_turn(struct worker *w);

/*
 * Serves the queues until *stop. The calling thread is registered with RCU (QSBR) and online; it is online again
 * when this returns.
 */
void worker_run(struct worker *w);

#endif
