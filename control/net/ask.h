/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One question to another server: SOA queries, NOTIFY, forwarded UPDATEs.
 *
 *     message → sign → UDP, again after 1 s, 2 s, 4 s ... → reply verified → done()
 *                      └─ TC, or too large, or TLS: one try over a stream
 *
 * Over UDP each question has a socket of its own, so that address and port of the reply are the kernel's to check,
 * with a random port and id (RFC 5452); replies that do not fit, or whose TSIG is not good, are passed over until
 * the time is up. Runs on the control thread's loop.
 */
#ifndef ANSER_CONTROL_ASK_H
#define ANSER_CONTROL_ASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "control/config/config.h"
#include "control/tsig/tsig.h"
#include "zones/base/compiler.h"

struct asks; /* all that are under way */
struct ask;
struct tls_client;

struct ask_request {
	const uint8_t *msg; /* a whole message; its id is replaced. Copied */
	size_t len;
	const struct config_remote *remote; /* borrowed for the call */
	const struct tsig_key *key;         /* NULL: unsigned. Held until the end */
	const struct tls_client *tls;       /* NULL: UDP, then TCP. Held until the end */
	unsigned tries;                     /* over UDP; at least 1 */
	uint64_t timeout_ms;                /* of the first try; doubled each time */
};

#define ASK_WHY_MAX 256

struct ask_result {
	int err; /* 0; -ETIMEDOUT, -ECONNREFUSED, -EKEYREJECTED (TSIG), -EPROTO, -ECANCELED, -ENOMEM, ... */
	const uint8_t *msg; /* the reply, if we signed without its TSIG, with our id; borrowed for the call */
	size_t len;
	char why[ASK_WHY_MAX]; /* one line, with err */
};

typedef void ask_done_fn(void *arg, const struct ask_result *result);

/* 0 or -ENOMEM. */
int asks_new(uv_loop_t *loop, struct asks **out) MUST_CHECK;
void asks_stop(struct asks *a); /* cancels all */
bool asks_are_idle(const struct asks *a);
void asks_free(struct asks *a); /* idle. NULL is allowed */

/* done() is called once, from the loop, never before this returns. 0, or -ENOMEM and no done(). */
int ask_start(struct asks *a, const struct ask_request *request, ask_done_fn *done, void *arg,
	      struct ask **out) MUST_CHECK;
void ask_cancel(struct ask *q);

#endif
