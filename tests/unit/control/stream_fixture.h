/* SPDX-License-Identifier: Apache-2.0 */
/* A stream, what was heard of it, and its peer: a socket on the loopback, or what is behind a TLS relay. */
#ifndef ANSER_TESTS_STREAM_FIXTURE_H
#define ANSER_TESTS_STREAM_FIXTURE_H

#include "tests/unit/control/control_fixture.h"

#include <openssl/ssl.h>

#include "control/net/stream.h"

enum { MESSAGE_MAX = 65535 };

struct peer {
	uv_loop_t loop;
	uv_timer_t patience;
	bool is_out_of_patience;
	int listener, fd; /* of the peer; with TLS fd is the relay's plain end */
	struct tls_client *tls;
	SSL_CTX *relay_ctx;
	struct tls_relay *relay;
	struct stream *stream;
	struct stream_options options;
	unsigned connected, messages, closed;
	int err;
	char why[256];
	uint8_t last[MESSAGE_MAX];
	size_t last_len;
	uint64_t octets; /* of all messages */
	/* What the callbacks shall do. */
	bool close_when_connected, close_at_message, close_when_closed, pause_at_message, echo_at_message;
};

/* Not UV_RUN_ONCE, which waits for I/O after a timer that may have been all there was. */
#define RUN_UNTIL(p, condition)                                                                                    \
	do {                                                                                                       \
		for (; !(condition) && !(p)->is_out_of_patience; usleep(200))                                      \
			uv_run(&(p)->loop, UV_RUN_NOWAIT);                                                         \
		assert_true(condition);                                                                            \
	} while (0)

/* For cmocka. The files are the certificates that peer_setup_tls() wants. */
int peer_setup_files(void **state);
int peer_teardown_files(void **state);
int peer_setup(void **state);
int peer_setup_tls(void **state);
int peer_teardown(void **state);

/* Lets the loop do what it has, for a while. */
void peer_run_for(struct peer *p, uint64_t ms);

/* Listens on the loopback, at a port that the stream is told. */
void peer_listen(struct peer *p, sa_family_t family);

/* Makes the stream want a certificate with this name. */
void peer_trust(struct peer *p, const char *name);

/* Opens the stream; takes its connection at the other end; both, until it stands. */
void peer_open(struct peer *p);
void peer_accept(struct peer *p);
void peer_connect(struct peer *p);

/* Octets that no two seeds have in common, and the same as a framed message, whose length it returns. */
void peer_fill(uint8_t *out, size_t len, unsigned seed);
size_t peer_frame(uint8_t *out, size_t len, unsigned seed);

void peer_send(struct peer *p, const void *data, size_t len);

/* The last message that the stream brought is this one. */
void peer_assert_last(const struct peer *p, size_t len, unsigned seed);

/* Reads one frame of the stream; the loop runs on meanwhile, as it may have to send. */
void peer_assert_gets(struct peer *p, size_t len, unsigned seed);

#endif
