/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How an answer is counted: one RCODE, one address family, one type asked for. Used by the engine for its own
 * answers, and by whoever sends an answer that control made.
 *
 * Pure; `c` is the calling thread's own.
 */
#ifndef ANSER_ANSWER_COUNT_H
#define ANSER_ANSWER_COUNT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "zones/base/counters.h"

struct counted {
	bool has_question, is_truncated;
	uint16_t qtype; /* counts with has_question alone */
	uint16_t rcode; /* with the bits that EDNS adds */
};

static inline void
count_answer(struct counters *c, bool is_v6, struct counted a)
{
	counter_add(is_v6 ? &c->queries_v6 : &c->queries_v4, 1);
	counter_add(&c->rcode[a.rcode < COUNTERS_RCODES ? a.rcode : COUNTERS_RCODES - 1], 1);
	if (a.has_question)
		counter_add(&c->qtype[a.qtype < COUNTERS_TYPE_OTHER ? a.qtype : COUNTERS_TYPE_OTHER], 1);
	if (a.is_truncated)
		counter_add(&c->truncated, 1);
}

/* Counts the reply msg[0..len), or the first message of a longer one, as the engine would have: punt_replies, and
 * all that count_answer() counts. tx is the caller's. */
void count_reply(struct counters *c, bool is_v6, const uint8_t *msg, size_t len);

#endif
