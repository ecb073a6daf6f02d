/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stream of DNS messages to another server: TCP (RFC 7766) or TLS (RFC 9103, RFC 7858), as one who asks.
 *
 *     stream_open() → connected → stream_send() ... ⇄ message ... → closed, or stream_close()
 *
 * Messages are framed by their length (RFC 1035 section 4.2.2); what is in them is the caller's. Everything runs on
 * the thread of the loop. Memory is bounded by one message in and by what the caller sends.
 */
#ifndef ANSER_CONTROL_STREAM_H
#define ANSER_CONTROL_STREAM_H

#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "control/config/config.h"
#include "zones/base/compiler.h"

struct stream;
struct tls_client; /* control/net/tls.h */

struct stream_options {
	struct config_address address;
	const struct tls_client *tls; /* NULL: TCP. Outlives the stream */
	uint64_t connect_ms;          /* until the connection, and TLS, stand */
	uint64_t idle_ms;             /* without an octet from the peer; 0: no limit */
};

/*
 * Called from the loop, never from inside a call into the stream; after stream_close(), and after `closed`, none is
 * called any more. A callback may call any function below.
 */
struct stream_events {
	void (*connected)(void *arg);
	void (*message)(void *arg, const uint8_t *msg, size_t len); /* borrowed for the call */
	/*
	 * The stream has ended: 0, the peer closed it between two messages; -ETIMEDOUT, -ECONNREFUSED ..., -EPROTO
	 * (TLS, or cut inside a message). `why` is one line for people, borrowed. stream_close() is still to be
	 * called.
	 */
	void (*closed)(void *arg, int err, const char *why);
	void *arg;
};

/* Begins to connect. Options and events are copied. 0, -ENOMEM, or -errno of making the socket. */
int stream_open(uv_loop_t *loop, const struct stream_options *options, const struct stream_events *events,
		struct stream **out) MUST_CHECK;

/* Sends one message, which is copied; before `connected` it waits. 0 or -ENOMEM; what fails later ends in `closed`.
 */
int stream_send(struct stream *s, const uint8_t *msg, size_t len) MUST_CHECK;

/*
 * What is sent between the two goes out in one piece with stream_uncork(): for many small messages. Both may be
 * called at any time before stream_close().
 */
void stream_cork(struct stream *s);
void stream_uncork(struct stream *s);

/*
 * Back-pressure: no `message` between stream_pause() and stream_resume(), and the peer is slowed down by TCP's own
 * window. Idle time does not run meanwhile.
 */
void stream_pause(struct stream *s);
void stream_resume(struct stream *s);

/* Closes and frees, at once for the caller; the loop has to run on for a while. NULL is allowed. */
void stream_close(struct stream *s);

#endif
