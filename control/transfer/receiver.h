/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One transfer's work on records: messages in, how it ended out.
 *
 *     message → TSIG (tsig.h) → records in order (xfr_in.h) → a version in the making (draft.h)
 *     the end → all proven? → finished, checked, wrapped
 *
 * Knows no socket. What it makes of messages is visible to nobody before receiver_finish(), and that gives a
 * version away only when the session was done and the last message was proven by TSIG, where the question was
 * signed.
 *
 * A receiver belongs to one thread at a time; everything here may take long, so that is a pool thread. The base is
 * read, and its owner keeps it meanwhile.
 */
#ifndef ANSER_CONTROL_RECEIVER_H
#define ANSER_CONTROL_RECEIVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control/transfer/transfer.h"
#include "control/tsig/tsig.h"
#include "zones/base/compiler.h"

/* What was asked. */
struct receiver_query {
	struct name apex; /* lower case */
	uint16_t id, qtype;
	bool is_forced;
	const struct served *base;   /* NULL: none; IXFR needs it */
	const struct tsig_key *key;  /* that signed the question; NULL: nothing did. Held by the receiver */
	struct tsig_mac request_mac; /* with a key: the question's */
	enum config_zonemd zonemd;
	struct config_transfer_limits limits; /* time_ms is the caller's to watch */
	struct crew *crew;                    /* as in struct draft, borrowed */
	struct state *state;
};

struct receiver;

/* NULL: out of memory. The query is copied. */
struct receiver *receiver_new(const struct receiver_query *query) MUST_CHECK;

/* Gives everything up that receiver_finish() has not given away. NULL is allowed. */
void receiver_free(struct receiver *r);

/*
 * Takes the next message of the answer; `now_s` is the wall clock. True: no more is wanted, because the answer is
 * whole or because it is no good; receiver_finish() knows. Then further messages are ignored.
 */
bool receiver_take(struct receiver *r, const uint8_t *msg, size_t len, uint64_t now_s) MUST_CHECK;

/*
 * True when the peer will send no more of this answer: it is whole, or was a refusal. After any other end more of
 * it may be on its way.
 */
bool receiver_has_all(const struct receiver *r);

/* Records of the answer that were taken so far. */
uint64_t receiver_records(const struct receiver *r);

/*
 * Ends the transfer and fills in all of *out that the answer tells: end, kind, serial, expire, next, changes,
 * stage, verified_ns, records, why. What came to nothing is freed at once. An answer that was cut off is
 * TRANSFER_FAILED. Once.
 */
void receiver_finish(struct receiver *r, struct transfer_result *out);

#endif
