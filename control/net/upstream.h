/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections to primaries: questions out, their answers in, many on one connection (RFC 7766 section 6.2).
 *
 *     upstream_ask() → waits → compose(id) → under way: message(), message() ... → upstream_end()
 *                         ↖ asked again ↙                                     ↘ failed()
 *
 * All questions to one primary (address and TLS) share a connection, on which at most a certain number is under
 * way; the others wait. Answers are told apart by the id of their messages: ids are random, and unique on the
 * connection. Many servers answer the questions of a connection one after the other. So a connection that carries a
 * long answer gets no further questions, and a second one is opened, which a short one can pass by; there are no
 * more than two.
 *
 * A peer may close a connection at any time between two answers, just when we ask (RFC 7766 section 6.2.4). So
 * questions of which nothing has been answered are asked again on another connection: once, and once more for each
 * connection that brought anything at all. When a connection ends without ever having brought anything, all that
 * wait for this primary fail with it, rather than one after the other.
 *
 * A message with an id that was not asked with ends the connection, and the questions on it. A question that is
 * given up before its answer was whole leaves the connection to those that are on it, but for no new ones.
 *
 * Everything is called on the thread of the loop. Callbacks come from the loop, never from inside a call.
 */
#ifndef ANSER_CONTROL_UPSTREAM_H
#define ANSER_CONTROL_UPSTREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <urcu/list.h>
#include <uv.h>

#include "control/config/config.h"
#include "zones/base/compiler.h"

struct upstreams;
struct tls_client;

struct upstream_times {
	uint64_t connect_ms; /* until a connection, and TLS, stand */
	uint64_t idle_ms;    /* without an octet from the peer, while it owes answers */
	uint64_t keep_ms;    /* a connection on which nothing is under way */
};

#define UPSTREAM_UNDER_WAY_MAX 32 /* questions on a connection */
#define UPSTREAM_LONG_MESSAGES 4  /* an answer of more messages than these is a long one */
#define UPSTREAM_QUESTION_MAX 2048

struct upstream_events {
	/*
	 * Writes the question with this id into msg[0..UPSTREAM_QUESTION_MAX). 0, or -errno, which comes back with
	 * `failed`. Called again where the question is asked again.
	 */
	int (*compose)(void *arg, uint16_t id, uint8_t *msg, size_t *len);
	void (*message)(void *arg, const uint8_t *msg, size_t len); /* of the answer, in order; borrowed */
	/* No more will come, and the question is no longer under way. `why` is one line, borrowed. */
	void (*failed)(void *arg, int err, const char *why);
};

/* A question, part of whoever asks it. All zeros when it is not asked; the fields are upstream.c's. */
struct upstream_question {
	struct cds_list_head link;
	struct upstream *upstream;  /* NULL: not asked */
	struct upstream_conn *conn; /* NULL: waits */
	const struct upstream_events *events;
	void *arg;
	uint64_t messages;
	int err;
	uint16_t id;
	bool is_paused, was_asked_again;
};

/* 0 or -ENOMEM. */
int upstreams_new(uv_loop_t *loop, const struct upstream_times *times, struct upstreams **out) MUST_CHECK;

/* For connections that are opened from now on. */
void upstreams_set_times(struct upstreams *us, const struct upstream_times *times);

/* Closes all connections; nothing is asked any more. Questions have been ended before. */
void upstreams_stop(struct upstreams *us);

/* True when no handle of the loop is in use; the streams' own may be closing still. */
bool upstreams_are_idle(const struct upstreams *us);

void upstreams_free(struct upstreams *us); /* idle. NULL is allowed */

/* Asks; q, events and tls live until the question has failed or been ended. 0 or -ENOMEM. */
int upstream_ask(struct upstreams *us, const struct config_address *address, const struct tls_client *tls,
		 struct upstream_question *q, const struct upstream_events *events, void *arg) MUST_CHECK;

/*
 * Ends a question: nothing is called for it any more. `is_whole`: its answer has come to its end. Nothing to do for
 * one that is not asked.
 */
void upstream_end(struct upstream_question *q, bool is_whole);

/* No further messages, and none to the other questions of the connection either, until it is resumed or ended. */
void upstream_pause(struct upstream_question *q);
void upstream_resume(struct upstream_question *q);

/* True while the connection of a question is held up by somebody's pause, or by a long answer to somebody else. */
bool upstream_is_held_up(const struct upstream_question *q);

struct upstream_stats {
	uint64_t connections; /* opened since the start */
	uint64_t questions;   /* composed since the start */
	uint64_t again;       /* of these, asked again */
};

struct upstream_stats upstream_stats(const struct upstreams *us);

#endif
