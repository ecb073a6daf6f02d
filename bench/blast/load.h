/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The load as a whole: a port, a runner on each core, and steps of a fixed rate one after the other. Main thread.
 */
#ifndef ANSER_BLAST_LOAD_H
#define ANSER_BLAST_LOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "bench/blast/check.h"
#include "bench/blast/port.h"
#include "bench/blast/questions.h"
#include "bench/blast/tally.h"
#include "zones/base/compiler.h"
#include "zones/base/diag.h"

struct load;

struct load_config {
	struct load_port_config port;      /* n_threads is n_cores, or 1 */
	const unsigned *cores;             /* borrowed; NULL: one thread that is not pinned */
	const struct questions *questions; /* borrowed, not empty */
	double rate_max;                   /* highest rate of any step; 0: not known */
	double timeout_s;
	uint64_t seed;
	bool in_order;
	enum check_depth check;
	uint32_t show; /* wrong replies that are printed */
};

/* A step in which less than this part of the target rate was sent is limited by us, not by the server. */
#define LOAD_KEPT_PACE 0.98

/* A finished step. */
struct load_result {
	double target_qps; /* 0: as fast as possible */
	double seconds;    /* of sending */
	double stamp_us;   /* unit of tally.latency */
	struct tally tally;
};

/* Opens the port. 0, or -errno with the reason in diag. */
int load_open(const struct load_config *config, struct diag_list *diag, struct load **out) MUST_CHECK;

/* What to tell while a step runs, each second; tally is of the step until now. */
typedef void load_progress(double target_qps, double seconds, const struct tally *tally, double stamp_us);

/*
 * One step: `rate` queries a second (0: as fast as possible) for `seconds`, then waits for the last replies. 0, or
 * -errno when threads cannot be started. progress may be NULL.
 */
int
load_step(struct load *l, double rate, double seconds, load_progress *progress, struct load_result *out) MUST_CHECK;

/* Ends the step in hand early, and all later ones at once. Safe in a signal handler. */
void load_stop(struct load *l);
bool load_is_stopped(const struct load *l);

/* -errno of a send that the port refused since load_open(), 0 if none was. */
int load_send_error(const struct load *l);

void load_close(struct load *l);

static inline double
load_sent_qps(const struct load_result *r)
{
	return r->seconds > 0 ? (double)r->tally.sent / r->seconds : 0;
}

static inline double
load_answered_ratio(const struct load_result *r)
{
	return r->tally.sent > 0 ? (double)r->tally.answered / (double)r->tally.sent : 0;
}

#endif
