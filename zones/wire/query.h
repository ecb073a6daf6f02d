/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A received query, parsed (RFC 1035 section 4.1, RFC 6891, RFC 8906, RFC 9619).
 *
 * Parsing copies out all that answering needs, because the reply is written over the query: the question stays
 * where it is, everything behind it is overwritten. Pure, any thread.
 */
#ifndef ANSER_WIRE_QUERY_H
#define ANSER_WIRE_QUERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "zones/base/compiler.h"
#include "zones/wire/edns.h"
#include "zones/wire/name.h"

#define DNS_HEADER_LEN 12
#define DNS_PLAIN_UDP_MAX 512 /* without EDNS */

enum { OPCODE_QUERY = 0, OPCODE_IQUERY = 1, OPCODE_STATUS = 2, OPCODE_NOTIFY = 4, OPCODE_UPDATE = 5 };

enum {
	RCODE_NOERROR = 0,
	RCODE_FORMERR = 1,
	RCODE_SERVFAIL = 2,
	RCODE_NXDOMAIN = 3,
	RCODE_NOTIMP = 4,
	RCODE_REFUSED = 5,
	RCODE_YXDOMAIN = 6,
	RCODE_YXRRSET = 7,
	RCODE_NXRRSET = 8,
	RCODE_NOTAUTH = 9,
	RCODE_NOTZONE = 10,
	RCODE_BADVERS = 16,
	RCODE_BADCOOKIE = 23,
};

/* Bits of the second header word, host order. */
enum { FLAG_QR = 0x8000, FLAG_AA = 0x0400, FLAG_TC = 0x0200, FLAG_RD = 0x0100 };

enum query_status {
	QUERY_ASK,           /* a question to be answered */
	QUERY_REFUSE,        /* answer with `rcode` and no data */
	QUERY_DROP_SHORT,    /* no whole header */
	QUERY_DROP_RESPONSE, /* QR is set */
};

struct query {
	uint16_t flags; /* as received */
	uint16_t rcode; /* what QUERY_REFUSE answers with */
	bool is_well_formed;
	bool is_signed; /* a TSIG anywhere, or a SIG(0) in the additional section (RFC 8945, RFC 2931) */
	uint16_t qtype, qclass;
	uint16_t question_end; /* where answers begin; DNS_HEADER_LEN where there is no question to echo */
	struct edns edns;
	struct name qname;             /* lower case; len 0 where there is no question */
	struct name_suffixes suffixes; /* of qname; its hashes are filled in by whoever needs them */
};

static inline unsigned
query_opcode(const struct query *q)
{
	return q->flags >> 11 & 15;
}

/* Parses msg[0..len); fills *q as far as it got. */
enum query_status query_parse(const uint8_t *msg, size_t len, struct query *q);

/*
 * Is it well-formed, and more than a question for data: NOTIFY, UPDATE, a transfer, or signed? Says nothing about
 * the status, which is as if nobody had looked: a signature alone changes no answer here. A question for data that
 * is not signed need not be asked about.
 */
bool query_is_rare(const struct query *q);

/* Reads a reply of ours as far as counting it takes: flags, question, and the RCODE with EDNS's bits. False: it is
 * none. */
bool query_parse_reply(const uint8_t *msg, size_t len, struct query *q);

#endif
