/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asking the engine from a test: zones from text, a query in, the reply as text out.
 *
 * The reply is read by code that shares nothing with the writer but the record-type table, so that a
 * wrong count, pointer or length shows.
 */
#ifndef ANSER_TESTS_ASK_H
#define ANSER_TESTS_ASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "zones/answer/engine.h"

struct server {
	struct zone *zones[8];
	unsigned n_zones;
	struct zone_set *set;
	struct counters counters;
	uint32_t now_s;              /* what the engine is told */
	struct engine_client client; /* transport apart */
};

/* Adds a zone from master-file text (or an unloaded one: text NULL); fails the test on any error. */
void server_add(struct server *s, const char *apex, const char *text);

/* Call after the zones are in. */
void server_ready(struct server *s, const struct answer_config *config);

void server_free(struct server *s);

struct ask {
	const char *name, *type;
	bool edns, dnssec, nsid, tcp;
	const char *options; /* further EDNS options, as they go on the wire */
	uint16_t options_len;
	uint16_t size;    /* offered by EDNS; 0: 1232 */
	uint16_t rrclass; /* 0: IN */
};

#define REPLY_TEXT_MAX 524288

/*
 * Asks and renders the reply, a line each:
 *
 *     NOERROR aa            rcode and the flags of aa tc that are set
 *     ? www.example.com. A  the question
 *     = owner ttl TYPE data   answer;   ! authority;   + additional
 *     % size [do] [ext=upper bits of rcode] [version=] [flags=] [nsid=text] ...   OPT
 *
 * The message must be consumed exactly. Returns the reply's length on the wire.
 */
size_t server_ask(struct server *s, const struct ask *ask, char text[REPLY_TEXT_MAX]);

/* The query's octets; returns the length. out[512]. */
size_t ask_to_wire(const struct ask *ask, uint8_t *out);

/* Gives raw octets to the engine; returns the reply's length, or 0 where it was dropped. */
size_t server_send(struct server *s, const uint8_t *query, size_t len, enum engine_transport transport,
		   uint8_t *reply, size_t cap);

/* Renders any reply as above. */
void reply_to_text(const uint8_t *msg, size_t len, char text[REPLY_TEXT_MAX]);

#endif
