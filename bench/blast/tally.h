/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a step counts. One thread counts, any may read: each number is whole, all of them are not of one instant.
 *
 * At the end of a step: sent == answered + late + lost.
 */
#ifndef ANSER_BLAST_TALLY_H
#define ANSER_BLAST_TALLY_H

#include <stdint.h>

#include "bench/blast/histogram.h"

#define TALLY_RCODES 16

struct tally {
	uint64_t sent;
	uint64_t answered;  /* in time, each once, with the right question */
	uint64_t late;      /* answered after it had been given up */
	uint64_t lost;      /* given up and not answered later */
	uint64_t wrong;     /* replies to another question, or to none */
	uint64_t duplicate; /* replies to what had been answered */
	uint64_t stray;     /* replies to ids of which too much time has passed to know the question */
	uint64_t truncated; /* of those answered: TC */
	uint64_t bytes;     /* of those answered: messages alone */
	uint64_t rcodes[TALLY_RCODES];
	struct histogram latency; /* of those answered, in stamps (clock.h) */
};

/* Adds the counts of `from`. */
void tally_merge(struct tally *to, const struct tally *from);

#endif
