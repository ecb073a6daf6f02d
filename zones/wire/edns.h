/* SPDX-License-Identifier: Apache-2.0 */
/*
 * EDNS(0) as a query brings it (RFC 6891) and the options that we know. Pure, any thread.
 *
 * Options are copied out, because the reply is written over the query. Unknown ones are ignored (RFC 6891
 * section 6.1.2).
 */
#ifndef ANSER_WIRE_EDNS_H
#define ANSER_WIRE_EDNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "zones/base/compiler.h"

#define EDNS_OPT_LEN 11       /* OPT without options */
#define EDNS_OPTION_HEAD 4    /* code and length */
#define EDNS_CLIENT_COOKIE 8  /* RFC 7873 section 4.1 */
#define EDNS_SERVER_COOKIE 16 /* as RFC 9018 section 4 makes it */
#define EDNS_COOKIE_MAX 40
#define EDNS_SUBNET_MAX 20 /* family, two prefix lengths, an IPv6 address */

enum edns_option {
	EDNS_NSID = 3,         /* RFC 5001 */
	EDNS_SUBNET = 8,       /* RFC 7871 */
	EDNS_EXPIRE = 9,       /* RFC 7314 */
	EDNS_COOKIE = 10,      /* RFC 7873 */
	EDNS_KEEPALIVE = 11,   /* RFC 7828 */
	EDNS_PADDING = 12,     /* RFC 7830 */
	EDNS_ERROR = 15,       /* RFC 8914 */
	EDNS_ZONEVERSION = 19, /* RFC 9660 */
};

/* Extended DNS errors that we tell (RFC 8914 section 4, RFC 9824 section 3.5). */
enum edns_error {
	EDE_NONE = -1,
	EDE_NOT_READY = 14,
	EDE_NOT_AUTHORITATIVE = 20,
	EDE_NOT_SUPPORTED = 21,
	EDE_INVALID_DATA = 24,
	EDE_INVALID_QUERY_TYPE = 30,
};

struct edns {
	uint16_t size; /* largest UDP answer that the client takes */
	uint8_t version;
	uint8_t rcode_high; /* with is_present alone: 0 in queries, the upper bits of the RCODE in replies */
	bool is_present, wants_dnssec;
	bool has_options; /* known or not */
	bool wants_nsid, wants_expire, wants_keepalive, wants_padding, wants_zoneversion;
	uint8_t cookie_len; /* 0: none */
	uint8_t subnet_len; /* 0: none */
	uint8_t cookie[EDNS_COOKIE_MAX];
	uint8_t subnet[EDNS_SUBNET_MAX];
};

/* Nothing there yet; the copies are left alone. */
static inline void
edns_clear(struct edns *e)
{
	e->size = 0;
	e->version = 0;
	e->is_present = e->wants_dnssec = e->has_options = false;
	e->wants_nsid = e->wants_expire = e->wants_keepalive = e->wants_padding = e->wants_zoneversion = false;
	e->cookie_len = e->subnet_len = 0;
}

/*
 * Reads an OPT record from behind its owner: `head` is type, class, TTL, length; then come its options. False: one
 * of them is malformed, which is FORMERR.
 */
bool edns_read(struct edns *e, const uint8_t *head) MUST_CHECK;

#endif
