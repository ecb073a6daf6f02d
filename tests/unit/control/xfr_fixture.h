/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of transfer sessions share: messages from a few words, and a session's callbacks as text.
 *
 * A script is a text of lines, for the zone example.:
 *
 *     @7               the SOA with serial 7
 *     www A 192.0.2.1  a record; names are relative to the zone
 *     ---              the next message
 */
#ifndef ANSER_TESTS_XFR_FIXTURE_H
#define ANSER_TESTS_XFR_FIXTURE_H

#include <stddef.h>
#include <stdint.h>

#include "control/transfer/xfr_in.h"
#include "zones/wire/message.h"

#define XFR_ID 4711
#define XFR_MESSAGES_MAX 64

struct xfr_message {
	uint8_t *octets; /* of exact size */
	size_t len;
};

struct xfr_messages {
	unsigned n;
	struct xfr_message message[XFR_MESSAGES_MAX];
};

struct name xfr_name(const char *text);

/* Answers to a question of that type; fails the test where a line cannot be read. */
void xfr_messages_make(struct xfr_messages *m, uint16_t qtype, const char *script);
void xfr_messages_free(struct xfr_messages *m);

/* What was called back with: a line each, `axfr`, `+record`, `-record`, `from 1`, `to 2`. */
struct xfr_log {
	char text[1 << 16];
	size_t len;
	unsigned events;
	unsigned fail_at; /* the n-th event fails with -ENOSPC; 0: none */
	/* Owners that were announced and have not come yet, and how many came without. */
	struct name expected[64];
	unsigned first_expected, n_expected, most_expected, n_unexpected;
};

struct xfr_in_events xfr_log_events(struct xfr_log *log);

/* Asks for the zone example. */
struct xfr_in_query xfr_query(uint16_t qtype, uint32_t serial);

/* A session over the messages until an error. Returns it; *diag_text gets the first error's text, "" if none. */
int xfr_run(const struct xfr_in_query *query, const struct xfr_messages *m, struct xfr_log *log,
	    struct xfr_in_result *result, char diag_text[1024]);

#endif
