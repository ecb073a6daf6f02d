/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plain answer to an inquiry: what the engine says to it, signed as it was asked.
 *
 *     inquiry → TSIG verified → engine on what is left → reply signed
 *
 * It is the whole handler while nothing else wants inquiries, and what other handlers fall back on. Control thread
 * alone: it reads zones as their one writer, without RCU.
 */
#ifndef ANSER_CONTROL_ANSWER_INQUIRY_H
#define ANSER_CONTROL_ANSWER_INQUIRY_H

#include "control/net/inquiry.h"
#include "control/tsig/tsig.h"
#include "zones/base/compiler.h"
#include "zones/store/zone.h"

struct answerer;

/*
 * Takes the keys over, if it does not fail. `root` outlives it, and has a zone set before the first inquiry. NULL:
 * out of memory.
 */
struct answerer *answerer_new(const struct zone_root *root, struct tsig_keys *keys) MUST_CHECK;

/* NULL is allowed. */
void answerer_free(struct answerer *a);

/* Takes other keys over, and frees those from before. */
void answerer_set_keys(struct answerer *a, struct tsig_keys *keys);

/* Those in force; until the next answerer_set_keys(). */
const struct tsig_keys *answerer_keys(const struct answerer *a);

/* inquiry_handle_fn; `arg` is the answerer. */
void answerer_handle(void *arg, struct inquiry *q);

/*
 * Replies to an inquiry whose TSIG was verified: what the engine answers to it where the verdict is GOOD or NONE,
 * else what the verdict calls for (docs/design/transfers.md, "One verdict").
 */
void answerer_answer(struct answerer *a, struct inquiry *q, const struct tsig_verdict *v);

/*
 * Sends a reply that somebody else has written, msg[0..len), signed as the verdict calls for. One that does not fit
 * with its TSIG is not sent: for replies that are small, such as those to NOTIFY and UPDATE.
 */
void
answerer_send(struct answerer *a, struct inquiry *q, const struct tsig_verdict *v, const uint8_t *msg, size_t len);

/* Replies with an RCODE, the question, and OPT if there was one, signed as the verdict calls for. */
void answerer_refuse(struct answerer *a, struct inquiry *q, const struct tsig_verdict *v, uint16_t rcode);

#endif
