/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proofs of denial: the one place that an answer asks for NSEC and NSEC3 records. Private to zones/answer. Pure.
 *
 * Each kind of answer that denies something names here what has to be proven; what that takes, and nothing more,
 * comes from the snapshot's denial index (zones/store/denial.h). Design note: docs/design/denial.md.
 */
#ifndef ANSER_ANSWER_DENIAL_H
#define ANSER_ANSWER_DENIAL_H

#include "zones/answer/lookup.h"
#include "zones/answer/reply.h"
#include "zones/store/denial.h"

enum denial {
	DENIAL_NAME,          /* no such name: RFC 4035 section 3.1.3.2, RFC 5155 section 7.2.2 */
	DENIAL_TYPE,          /* no such type there: 3.1.3.1; 7.2.3 and 7.2.4 */
	DENIAL_WILDCARD_TYPE, /* nor at the wildcard that matches: 3.1.3.4; 7.2.5 */
	DENIAL_EXPANSION,     /* no closer match than the wildcard: 3.1.3.3; 7.2.6 */
	DENIAL_DS,            /* the delegation is insecure: 3.1.4.1; 7.2.7 */
};

/* What one message has been given as proof, so that nothing is given twice. */
#define DENIAL_GIVEN_MAX 16
struct denial_given {
	unsigned n;
	const void *object[DENIAL_GIVEN_MAX];
};

/*
 * The walk through the index that nearly every denial begins with, made ahead and for a whole group in steps, so
 * that their waits overlap: what covers QNAME (NSEC), or the hash of the name one label below its closest encloser
 * (NSEC3). Where the guess of the encloser was wrong it is not used.
 */
struct denial_walk {
	struct order_walk walk;
	const struct denial_index *index;
	uint8_t labels;               /* of the suffix of QNAME that was looked for */
	uint8_t hash[NSEC3_HASH_LEN]; /* NSEC3: of that suffix */
	const void *object;           /* what covers it, after the walk */
};

/* Begins the walk for a name whose closest encloser probably has `encloser_labels`. The snapshot has an index. */
void
denial_walk_begin(struct denial_walk *w, const struct snapshot *s, struct asked asked, unsigned encloser_labels);

/* Makes n walks, at most ORDER_WALKS_MAX, at once, and prefetches the heads of what they lead to. */
void denial_walk_burst(struct denial_walk *const *walks, unsigned n);

/* Prefetches the record sets that a walk led to; shortly before the answer, see DENIAL_AHEAD in engine.c. */
void denial_walk_prefetch(const struct denial_walk *w);

/*
 * Adds what proves `kind` for the name asked, which stands at `place` in the reply and of which the zone said
 * `found`. Adds nothing for clients that did not ask for it, and for zones that have nothing to prove with. False:
 * no room, the answer must be truncated. `ahead` is the walk made for the name asked, or NULL.
 */
bool
denial_prove(struct reply *r, const struct snapshot *s, enum denial kind, struct asked asked, struct place place,
	     const struct lookup *found, struct denial_given *given, const struct denial_walk *ahead);

#endif
