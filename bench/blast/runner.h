/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A thread of the load: sends what is due, takes what has come, checks it, gives up what has waited too long; all
 * in one loop on one core, which it never leaves.
 */
#ifndef ANSER_BLAST_RUNNER_H
#define ANSER_BLAST_RUNNER_H

#include <stdbool.h>
#include <stdint.h>

#include "bench/blast/check.h"
#include "bench/blast/pacer.h"
#include "bench/blast/port.h"
#include "bench/blast/questions.h"
#include "bench/blast/tally.h"
#include "bench/blast/window.h"
#include "zones/base/compiler.h"

/* What all runners share. Set before any of them runs; then only the last two change, atomically. */
struct runner_common {
	const struct load_port *port;
	const struct questions *questions;
	struct window *windows; /* one a runner; a reply may be for any of them */
	uint32_t sources_per_runner;
	unsigned n_runners;
	bool in_order; /* questions in the order of the list instead of at random */
	enum check_depth check;
	uint32_t timeout_stamps; /* replies after that are late */
	uint32_t show;           /* how many wrong replies each runner prints */
	bool stop;               /* end the step early; anybody sets it */
	unsigned n_waiting;      /* runners that may still get replies; set to n_runners before a step */
};

struct runner {
	struct runner_common *common;
	unsigned index;
	struct window *window;
	uint64_t random;
	uint32_t next_question; /* in order */
	uint32_t n_shown;
	/* Of the step in hand: */
	struct pacer pacer;
	uint64_t end, grace; /* ticks: when time is up, and how much longer it may take to send all */
	uint64_t finished;   /* ticks, when it stopped sending */
	bool done;
	struct tally *tally;
} __attribute__((aligned(CACHE_LINE)));

/*
 * Runs one step, whose pacer, end and tally (zeroed) are set; returns when all replies are there or given up. On
 * the runner's own thread. Sets `done` last.
 */
void runner_run(struct runner *r);

#endif
