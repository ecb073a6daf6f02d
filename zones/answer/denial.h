/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proofs of denial: the one place that an answer asks for NSEC and NSEC3 records. Private to zones/answer.
 *
 * Each kind of answer that denies something names here what has to be proven; the denial index of the snapshot
 * will supply the records (docs/design/denial.md). Until a snapshot has that index, answers of signed zones
 * carry no proofs, and their AA data and signatures alone.
 */
#ifndef ANSER_ANSWER_DENIAL_H
#define ANSER_ANSWER_DENIAL_H

#include "zones/answer/lookup.h"
#include "zones/answer/reply.h"

enum denial {
	DENIAL_NAME,            /* RFC 4035 section 3.1.3.2, RFC 5155 section 7.2.2 */
	DENIAL_TYPE,            /* 3.1.3.1; 7.2.3 and 7.2.4 */
	DENIAL_WILDCARD_TYPE,   /* 3.1.3.4; 7.2.5 */
	DENIAL_EXPANSION,       /* 3.1.3.3; 7.2.6: no closer match than the wildcard */
	DENIAL_DS,              /* 3.1.4.1; 7.2.7: the delegation is insecure */
};

/* Adds what proves `kind` for the name asked. False: no room, the answer must be truncated. */
static inline bool
denial_prove(struct reply *r, const struct snapshot *s, enum denial kind, struct asked asked,
             const struct lookup *found)
{
	return true;
}

#endif
