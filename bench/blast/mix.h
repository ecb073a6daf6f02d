/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mixes: what is asked of a made zone (made_zone.h), as a list of questions. The same specification and seed give
 * the same list. Main thread.
 *
 *   hot       100 names of the zone, or all if it has fewer
 *   random    every name of the zone
 *   nxdomain  as many names that are not there
 *   referral  names below the delegations of a tld zone
 *   mixed     of ten questions six for names of the zone, one for a type that they lack, three for names that are
 * not there
 */
#ifndef ANSER_BLAST_MIX_H
#define ANSER_BLAST_MIX_H

#include <stdint.h>

#include "bench/blast/made_zone.h"
#include "bench/blast/questions.h"

enum mix { MIX_HOT, MIX_RANDOM, MIX_NXDOMAIN, MIX_REFERRAL, MIX_MIXED };

#define MIX_HOT_NAMES 100

struct mix_spec {
	enum mix mix;
	enum made_kind kind;
	struct name zone;
	uint32_t names; /* in the zone, >= 1 */
	uint16_t type;  /* asked for; of `mixed` that of the names which have it */
	struct question_style style;
	uint64_t seed;
};

/* 0 or -ENOENT. */
int mix_from_text(const char *text, enum mix *out) MUST_CHECK;
const char *mix_text(enum mix mix);

/* Appends the questions. 0, or what questions_add() says. */
int mix_make(const struct mix_spec *spec, struct questions *out) MUST_CHECK;

#endif
