/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of serving transfers share: versions of a zone, served and in the state; a client that asks for
 * them and receives them with our own session. Everything is real but the sockets: inquiries are made and ended
 * here.
 */
#ifndef ANSER_TESTS_SERVE_FIXTURE_H
#define ANSER_TESTS_SERVE_FIXTURE_H

#include "tests/unit/control/state_fixture.h"

#include "control/transfer/serve_transfer.h"
#include "control/transfer/xfr_in.h"

enum { ID = 4711, HOSTS = 3000, PAYLOAD = 1232 };

struct rig {
	uv_loop_t loop;
	struct publisher publisher;
	struct config *config; /* zone 0 may be had from 192.0.2.0/24, or with key fleet; zone 1 by nobody */
	struct tsig_keys *keys;
	struct state *state;
	struct zone *zone;
	struct served *current;
	struct serve_transfers *transfers;
};
extern struct rig rig;

extern const struct name apex;

int setup(void **state);
int teardown(void **state);

/* -------- versions -------- */

/*
 * A version has up to `hosts` hosts, whose addresses are those of the last version that changed them: each one
 * changes a few. Some come and go. What serial and hosts are the same is the same version. The caller frees it.
 */
struct snapshot *build_version(uint32_t serial, unsigned hosts);

/* Serves it from now on. */
void serve(uint32_t serial, unsigned hosts);

/* Puts it into the state as a whole zone; as a difference; all of [first, last], one after the other. */
void state_put(uint32_t serial, unsigned hosts);
void state_append(uint32_t from, uint32_t to, unsigned hosts);
void state_fill(uint32_t first, uint32_t last, unsigned hosts);

/* -------- the client -------- */

/* One request, and what became of it: the inquiry's three functions fill this in. */
struct client {
	struct inquiry inquiry; /* first */
	uint8_t msg[2048];
	size_t len;
	struct tsig_mac mac; /* of a signed request */
	unsigned answers;    /* how often it was ended */
	bool is_dropped;
	uint8_t reply[MESSAGE_MAX_LEN];
	size_t reply_len;
	bool is_stream;
	struct inquiry_producer producer;
};

/* What a request looks like. */
struct ask {
	uint16_t qtype;
	uint32_t serial; /* IXFR */
	const char *key; /* NULL: unsigned */
	bool has_opt;
	enum engine_transport transport;
	uint32_t reply_cap; /* over UDP */
	const char *from;   /* NULL: 192.0.2.1 */
};

const struct tsig_key *key_of(const char *name);

/* A client with its request, ready to be spoiled; hand_over() asks, as the server will, and waits for the answer.
 */
struct client *client_new(const struct ask *ask);
void hand_over(struct client *c, const struct config_zone *zone, struct served *served);

/* Both, for the zone that is served. */
struct client *ask(const struct ask *a);

/* Goes away, wherever it stands. */
void client_free(struct client *c);

/* -------- what the client has -------- */

/* A zone as a set of lines. */
struct lines {
	char **line;
	size_t n, cap;
};

void lines_of(const struct snapshot *s, struct lines *out);
size_t lines_find(const struct lines *l, const char *line); /* l->n: it is not there */
void lines_free(struct lines *l);
void assert_version(struct lines *have, uint32_t serial, unsigned hosts);

struct receiver {
	struct xfr_in *session;
	struct tsig_stream stream;
	bool is_signed;
	struct lines *lines;
	unsigned messages;
};

void receiver_begin(struct receiver *r, const struct client *c, const struct ask *a, struct lines *lines);

/* Takes one message, which must be good and, where the request was signed, signed. */
void receive(struct receiver *r, const uint8_t *msg, size_t len);

/* Takes the reply, or what is left of the stream. */
struct xfr_in_result receiver_end(struct receiver *r, struct client *c);

/* Asks, receives everything, and checks that it was of this kind and that the client has the served version then.
 */
struct xfr_in_result transfer(const struct ask *a, unsigned hosts, enum xfr_kind kind);

struct serve_transfers_stats stats(void);

#endif
