/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inquiries: the rare messages that workers and TCP threads do not answer themselves: whatever carries a TSIG,
 * NOTIFY, UPDATE, transfers, queries whose rate or size makes them control's business.
 *
 *     worker ──ring──┐                                      ┌──ring──> worker ──> the port it came from
 *                    ├──> control loop: handler, reply ─────┤
 *     TCP thread ────┘                                      └──> TCP thread ──> the connection it came on
 *
 * The control thread hands each inquiry to the one handler, which sees to it that exactly one of inquiry_reply(),
 * inquiry_stream() and inquiry_drop() is called, now or later. An inquiry stays valid until then, whether its
 * client is still there or not. Everything here runs on the control thread unless it says otherwise. Where they
 * come from, and the loop that hands them out: inquiries.h.
 */
#ifndef ANSER_CONTROL_INQUIRY_H
#define ANSER_CONTROL_INQUIRY_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "zones/answer/engine.h"
#include "zones/base/compiler.h"

struct inquiry_ops;

/* One message. Read by handlers, written by whoever made it. */
struct inquiry {
	const uint8_t *msg; /* as it came, with its TSIG; owned by the inquiry */
	uint32_t len;
	uint32_t reply_cap; /* octets that a reply may have: by EDNS and our own limit over UDP, 65,535 else */
	struct engine_client client; /* address and transport */
	/* of inquiries.h */
	const struct inquiry_ops *ops;
	struct inquiry *next;
};

typedef void inquiry_handle_fn(void *arg, struct inquiry *q);

/*
 * Messages of a long answer, made one at a time as the client takes them. Runs on the connection's TCP thread, RCU
 * offline, no two calls at a time; so all that it reads must be held by `arg`.
 */
struct inquiry_producer {
	/* The length of the next message in buf[0..cap), cap is 65,535; 0: that was all; -errno: cut the
	 * connection. */
	int (*next)(void *arg, uint8_t *buf, size_t cap);
	void (*free)(void *arg); /* called once, when nothing will be asked any more; the TCP thread or control */
	void *arg;
};

/* Sends the reply, which is copied, and ends the inquiry. Of `len` over reply_cap: not sent, counted as a drop. */
void inquiry_reply(struct inquiry *q, const uint8_t *msg, size_t len);

/* Says nothing, and ends the inquiry. Over TCP the connection is closed. */
void inquiry_drop(struct inquiry *q);

/*
 * Answers with a stream, and ends the inquiry. TCP and TLS only. Takes the producer over: it is freed even if the
 * client has gone meanwhile. Later messages of the same connection wait until the stream has ended.
 */
void inquiry_stream(struct inquiry *q, const struct inquiry_producer *producer);

#endif
