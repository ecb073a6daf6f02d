/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answering one parsed question from the zones: what RFC 1034 section 4.3.2 calls the algorithm. Private to
 * zones/answer; engine.c is the caller. Pure.
 */
#ifndef ANSER_ANSWER_ANSWER_H
#define ANSER_ANSWER_ANSWER_H

#include "zones/answer/denial.h"
#include "zones/answer/lookup.h"
#include "zones/answer/reply.h"
#include "zones/answer/targets.h"
#include "zones/store/zone.h"
#include "zones/wire/query.h"

/* What comes of it, beside the records in the reply. */
struct outcome {
	uint16_t rcode;
	int16_t error; /* enum edns_error */
	bool is_authoritative;
	const struct snapshot *snapshot; /* of the zone that was asked; NULL: none */
};

/* What the engine's stages know of a question when it comes to be answered. */
struct prepared {
	const struct zone *zone;         /* that its name lies in */
	const struct snapshot *snapshot; /* the version that was loaded for it */
	struct lookup_first first;       /* the probes for its name that were made */
	/*
	 * Of the node that they found, the set of the type asked for, or the NS set of a delegation; NULL: none.
	 * Whether that is the answer, is_found tells, or lookup_name().
	 */
	struct node_sets sets;
	bool is_found;                    /* the name and the type are there, and `sets` answers */
	struct targets_ahead targets;     /* of `sets` */
	const struct denial_walk *denial; /* NULL: none was made */
};

/* What answer_question() does where more is to be said than one set. */
struct outcome
answer_search(const struct zone_set *set, const struct prepared *p, const struct query *q, struct reply *r);

/* QNAME, where it stands in the message. */
static inline struct place
answer_qname_place(const struct query *q)
{
	return (struct place){.at = DNS_HEADER_LEN, .len = q->qname.len, .is_whole = true};
}

/* Answers `q` (class IN, suffixes hashed); chains go on into other zones of `set`. */
static inline struct outcome
answer_question(const struct zone_set *set, const struct prepared *p, const struct query *q, struct reply *r)
{
	if (unlikely(!p->is_found || p->sets.set->n_targets != 0))
		return answer_search(set, p, q, r);
	r->is_truncated = !reply_add(r, SECTION_ANSWER, p->sets, answer_qname_place(q), NULL);
	return (struct outcome){
		.rcode = RCODE_NOERROR, .error = EDE_NONE, .is_authoritative = true, .snapshot = p->snapshot};
}

/* Answers a question of class CH: who and what the server is (RFC 4892). */
struct outcome answer_chaos(const struct answer_config *config, const struct query *q, struct reply *r);

#endif
