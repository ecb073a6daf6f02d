/* SPDX-License-Identifier: Apache-2.0 */
/*
 * UPDATEs on their way: whose they are, in which order, and what becomes of them (RFC 2136 section 3 and 6).
 *
 *     inquiry ─> may it? ─┬─ primary ───> the zone's turn ─> pool: update.h ─> accept (stored, served) ─> reply
 *                         └─ secondary ─> forwarded to the first primary ─> its reply
 *
 * One zone works one update after the other; what is replied to is on disk and served. Forwarded ones go on as they
 * came, signature and all, and so does the reply: the primary alone decides who may. Control thread.
 */
#ifndef ANSER_CONTROL_UPDATES_H
#define ANSER_CONTROL_UPDATES_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "control/net/answer_inquiry.h"
#include "control/net/ask.h"
#include "control/net/inquiry.h"
#include "control/net/peers.h"
#include "control/tsig/tsig.h"
#include "control/zone/zones.h"

#define UPDATES_WAITING_MAX 4096             /* more get SERVFAIL, and come again */
#define UPDATES_BYTES_MAX ((size_t)64 << 20) /* of messages that wait */

struct updates;

struct updates_options {
	uv_loop_t *loop;
	struct zones *zones; /* this and the following outlive the updates */
	struct answerer *answerer;
	struct asks *asks;
	struct peers *peers;
};

/* 0 or -ENOMEM. */
int updates_new(const struct updates_options *options, struct updates **out) MUST_CHECK;

/* True when none is under way; they end by themselves once zones and asks have been stopped. */
bool updates_are_idle(const struct updates *u);
void updates_free(struct updates *u); /* idle. NULL is allowed */

/* Takes one over, whatever its TSIG is worth; answers it, now or later. */
void updates_take(struct updates *u, struct inquiry *q, const struct tsig_verdict *v);

struct updates_stats {
	uint64_t done, unchanged, refused, failed, forwarded; /* since the start */
	unsigned waiting;
};
const struct updates_stats *updates_stats(const struct updates *u);

#endif
