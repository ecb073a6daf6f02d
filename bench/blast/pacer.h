/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many queries are due: an open loop. The n-th query is due at begin + n / rate, whatever became of those
 * before it; who asks late is told all that piled up, so nothing is ever skipped. Time is counted in ticks of the
 * processor (clock.h). One thread.
 */
#ifndef ANSER_BLAST_PACER_H
#define ANSER_BLAST_PACER_H

#include <stdint.h>

struct pacer {
	uint64_t begin;       /* ticks */
	double per_tick;      /* queries a tick; 0: as many as anybody can send (flood) */
	uint64_t sent, total; /* total: of a whole step, at which it ends; UINT64_MAX with flood */
};

/* Starts at `begin` for `ticks` of time, at `rate_qps` (0: flood); hz: ticks a second. */
void pacer_start(struct pacer *p, uint64_t begin, double rate_qps, uint64_t ticks, double hz);

/* Queries that should have left by `now` and have not; at most `most`. */
static inline unsigned
pacer_due(const struct pacer *p, uint64_t now, unsigned most)
{
	if (now < p->begin)
		return 0;
	if (p->per_tick == 0)
		return most;
	/* + 1: the first is due at once */
	uint64_t until_now = (uint64_t)((double)(now - p->begin) * p->per_tick) + 1;
	uint64_t goal = until_now < p->total ? until_now : p->total;
	uint64_t due = goal > p->sent ? goal - p->sent : 0;
	return due < most ? (unsigned)due : most;
}

/* n of them have left. */
static inline void
pacer_sent(struct pacer *p, unsigned n)
{
	p->sent += n;
}

#endif
