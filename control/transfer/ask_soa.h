/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which serial does a primary have? The query for a zone's SOA, with EXPIRE (RFC 7314), and its reply. ask.h sends
 * the one and brings the other. Pure, any thread.
 */
#ifndef ANSER_CONTROL_ASK_SOA_H
#define ANSER_CONTROL_ASK_SOA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control/net/ask.h"
#include "zones/base/compiler.h"
#include "zones/wire/name.h"

#define ASK_SOA_QUERY_MAX 512 /* octets of a query */

struct ask_soa {
	uint32_t serial;
	bool has_expire;
	uint32_t expire_s; /* what is left of the zone's life at the primary, from now on */
};

/* Writes the query, whose id ask_start() fills in; returns its length. */
size_t ask_soa_write(const struct name *apex, uint8_t out[ASK_SOA_QUERY_MAX]);

/*
 * Reads the reply msg[0..len). 0, or one line in `why` and: -EPROTO, the message cannot be read; -EACCES, any RCODE
 * but NOERROR; -ENODATA, the answer is not authoritative, or without exactly one SOA of the apex. An EXPIRE that is
 * not 4 octets long is as good as none. Takes 64 KiB of stack.
 */
int ask_soa_read(const struct name *apex, const uint8_t *msg, size_t len, struct ask_soa *out,
		 char why[ASK_WHY_MAX]) MUST_CHECK;

#endif
