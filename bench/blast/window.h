/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The queries that wait for their replies, found by source and message id without any search.
 *
 * Queries are numbered in the order of sending. The first `run` of them leave by source 0, the next by source 1,
 * and so on round all sources; each source counts its queries, and the count, mixed up, is the message id. So a
 * number tells source and id, source and id tell the slot, and a ring of slots in the order of sending holds what
 * is known: when the query left, which one it was, what became of it. The ring is as long as `ids` queries of each
 * source; when it comes round, a slot is given to the next query.
 *
 * One thread sends: it alone calls window_next(), window_step() and window_expire(). Replies may be found and
 * claimed on any thread, since a network card deals packets out as it likes; each query is claimed once.
 */
#ifndef ANSER_BLAST_WINDOW_H
#define ANSER_BLAST_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

#include "zones/base/compiler.h"

/* Where the next query goes. */
struct window_cursor {
	uint32_t slot, source, in_run;
	uint32_t round; /* times that all sources were gone through */
};

struct window {
	/* Set once; read by whoever has a reply. */
	uint64_t *words;     /* a slot each: stamp << 32 | count of the source << 16 | uses << 2 | state */
	uint32_t *questions; /* a slot each */
	uint32_t n_slots, n_sources;
	uint32_t ids_bits; /* each source has 2^ids_bits slots, at most 2^16 */
	uint32_t run_bits; /* run = 2^run_bits */
	uint16_t salt;     /* so that the ids of two programs differ */
	/* The sending thread's. */
	struct window_cursor next __attribute__((aligned(CACHE_LINE)));
	uint64_t n_sent, n_passed; /* passed: from the oldest on, not waited for any more */
	uint32_t oldest;           /* slot of query n_passed */
	uint64_t n_expired;
};

/* What is known of a reply's source and id. */
enum window_state {
	WINDOW_UNKNOWN,  /* nothing was sent with them */
	WINDOW_WAITING,  /* the query waits for its reply */
	WINDOW_ANSWERED, /* it had one already */
	WINDOW_EXPIRED,  /* it was given up */
	WINDOW_GONE, /* something was, but its slot has been given to another query, or it was of an earlier step */
};

struct window_place {
	uint64_t word;
	uint32_t slot, question;
	uint32_t stamp; /* when it left */
};

/*
 * Room for at least `wanted` queries at a time, from n_sources (>= 1) sources, in runs of `run` (a power of two, at
 * most 64). 0, -ENOMEM, or -E2BIG.
 */
int window_open(struct window *w, uint32_t n_sources, uint32_t run, uint64_t wanted, uint16_t salt) MUST_CHECK;
void window_close(struct window *w);

/*
 * Puts a query into the cursor's slot; returns the message id. Whatever still waits there is given up. The query
 * counts as sent only after window_step().
 */
uint16_t window_put(struct window *w, const struct window_cursor *c, uint32_t stamp, uint32_t question);

/* Moves a cursor to the next query. */
static inline void
window_advance(const struct window *w, struct window_cursor *c)
{
	if (++c->slot == w->n_slots)
		c->slot = 0;
	if (++c->in_run >> w->run_bits == 0)
		return;
	c->in_run = 0;
	if (++c->source == w->n_sources) {
		c->source = 0;
		c->round++;
	}
}

/* The port took the first n of those that were put from w->next on. */
void window_step(struct window *w, unsigned n);

/* Looks up a reply; *out is set unless it is unknown or gone. */
enum window_state
window_find(const struct window *w, uint32_t source, uint16_t id, struct window_place *out) MUST_CHECK;

/* Ends the wait for a query that was found waiting or expired. False: another thread was faster. */
bool window_claim(struct window *w, const struct window_place *place) MUST_CHECK;

/* Gives up what has waited for more than `limit` at `stamp`, both in units of clock.h. */
void window_expire(struct window *w, uint32_t stamp, uint32_t limit);

/* True while a query waits, as far as window_expire() has seen. */
static inline bool
window_is_waiting(const struct window *w)
{
	return w->n_passed < w->n_sent;
}

/* Before a new step: forgets what was given up in the last one, so that its replies are gone instead of late. */
void window_forget(struct window *w);

#endif
