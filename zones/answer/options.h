/* SPDX-License-Identifier: Apache-2.0 */
/*
 * EDNS options of replies, and the server's half of DNS cookies. Private to zones/answer. Pure.
 */
#ifndef ANSER_ANSWER_OPTIONS_H
#define ANSER_ANSWER_OPTIONS_H

#include "zones/answer/answer.h"
#include "zones/answer/engine.h"
#include "zones/answer/reply.h"

enum cookie_state {
	COOKIE_NONE, /* the client sent none */
	COOKIE_NEW,  /* a client's alone, or a server's that is not ours or too old: it gets a fresh one */
	COOKIE_GOOD, /* the client has proven its address */
};

/* What is known of a message's client before the answer, and goes back in its OPT. */
struct options {
	enum cookie_state cookie;
	uint8_t server_cookie[EDNS_SERVER_COOKIE];
	uint32_t expire_s; /* for who wants it: for how long the zone asked may be served (RFC 7314) */
};

/*
 * Judges the cookie that a query brought (RFC 7873 section 5.2, RFC 9018 section 4) and makes the one that the
 * reply carries; leaves *o at COOKIE_NONE where the server knows no cookies.
 */
void options_begin(struct options *o, const struct answer_config *config, const struct engine_client *client,
		   const struct edns *e, uint32_t now_s);

/*
 * Octets of OPT to be kept free while the answer is made, at most `available`: a long question leaves no room for a
 * long identity, which is then not told. The query had EDNS.
 */
unsigned options_room(const struct answer_config *config, const struct engine_client *client, struct edns *e,
		      unsigned available);

/*
 * Appends OPT to a reply that may grow up to `limit`. The query had EDNS. What was not kept free for (an extended
 * error) is only added where it fits.
 */
void options_write(const struct options *o, struct reply *r, uint32_t limit, const struct answer_config *config,
		   const struct engine_client *client, const struct query *q, struct outcome outcome);

#endif
