/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of questions to other servers share: a peer on real sockets, on the loop of the one who asks, that
 * does whatever a test wants it to do; and questions with what became of them.
 */
#ifndef ANSER_TESTS_ASK_FIXTURE_H
#define ANSER_TESTS_ASK_FIXTURE_H

#include "tests/unit/control/tsig_fixture.h"

#include <sys/socket.h>
#include <uv.h>

#include "control/net/ask.h"

#define TRY_MS 40 /* the first try; long enough for a loaded machine to answer in */

struct peer;

/* What the peer does about its n-th message (from 1). Over TCP `to` is NULL. */
typedef void behave_fn(struct peer *p, unsigned n, struct message *query, const struct sockaddr *to);

struct peer {
	uv_loop_t loop;
	struct asks *asks;
	uv_udp_t udp;
	uv_tcp_t listener, client;
	bool has_client;
	behave_fn *behave;
	unsigned n_udp, n_tcp;
	struct config_remote remote;
	struct tsig_keys *keys;
	uint16_t first_id;
	uint8_t in[1 << 16];
	size_t in_len;
};

/* With UDP and TCP open on one port. For cmocka: *state is the peer. */
int peer_setup(void **state);
int peer_teardown(void **state);

/* Opens UDP and TCP on one port; 0: any. False: it is taken. peer_open() tries again. */
bool peer_try_open(struct peer *p, uint16_t port);
void peer_open(struct peer *p, uint16_t port);
void peer_close(struct peer *p);

/* Sends one message. */
void say(struct peer *p, struct message *m, const struct sockaddr *to);

/* The query, answered: with the question, flags beside QR and opcode, and for QUERY a SOA. */
struct message reply_to(const struct message *query, uint16_t flags);
struct message signed_reply(const struct peer *p, const struct message *query, uint16_t flags);

/* As by somebody who does not know the secret. */
struct message wrongly_signed_reply(const struct peer *p, const struct message *query, uint16_t flags);

struct outcome {
	struct peer *peer;
	unsigned n_done;
	int err;
	struct message msg;
	char why[ASK_WHY_MAX];
	struct ask *ask;
	struct outcome *then_cancel; /* in done() */
	bool then_stop;
};

void
ask_begin(struct peer *p, struct outcome *o, const struct message *m, const struct tsig_key *key, unsigned tries);
void wait_for(struct outcome *o);

/* Asks for the SOA, with `key` or NULL, and waits. The next call uses the outcome again. */
struct outcome *ask(struct peer *p, const struct tsig_key *key, unsigned tries);
const struct tsig_key *key_of_peer(const struct peer *p);
void assert_answered(const struct outcome *o);

#endif
