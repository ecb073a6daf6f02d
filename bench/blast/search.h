/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The search for the highest rate that is answered: doubles until a probe fails, halves the distance between what
 * passed and what failed until they are 2 % apart, then confirms the rate by one long probe, going down by 2 % each
 * time that this fails. A short probe that fails is repeated once, because one moment of a busy machine must not
 * decide. It knows nothing of networks: the caller probes.
 */
#ifndef ANSER_BLAST_SEARCH_H
#define ANSER_BLAST_SEARCH_H

#include <stdbool.h>

#include "zones/base/compiler.h"

#define SEARCH_PRECISION 0.02
#define SEARCH_CONFIRMATIONS 15 /* then nothing holds that long */
#define SEARCH_RATE_MAX 1e8

struct search_ops {
	/* Tries a rate, for the long time if `confirm`. 0 with *passed set, or -errno, which ends the search. */
	int (*probe)(void *arg, double rate, bool confirm, bool *passed);
	void *arg;
};

/*
 * Starts at `first`. 0 with the confirmed rate in *best; -ENOENT if not even first / 64 passes, or nothing was
 * confirmed; or what a probe said.
 */
int search_run(const struct search_ops *ops, double first, double *best) MUST_CHECK;

#endif
