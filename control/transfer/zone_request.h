/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A request about a zone as a whole, read: one question, perhaps an SOA that tells the client's version, perhaps
 * EDNS. So look AXFR (RFC 5936 section 2.1), IXFR (RFC 1995 section 3) and NOTIFY (RFC 1996 section 3). And the
 * replies to such requests that are nothing but an RCODE.
 *
 * TSIG is passed over on the way in and added by the caller on the way out (tsig.h). Pure; any thread but a worker:
 * uses 64 KiB of stack.
 */
#ifndef ANSER_CONTROL_ZONE_REQUEST_H
#define ANSER_CONTROL_ZONE_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "zones/base/compiler.h"
#include "zones/wire/edns.h"
#include "zones/wire/message.h"
#include "zones/wire/name.h"

enum zone_request_status {
	ZONE_REQUEST_OK,
	ZONE_REQUEST_FORMERR, /* no well-formed message, or not one question */
	ZONE_REQUEST_BADVERS, /* another version of EDNS */
	ZONE_REQUEST_DROP,    /* too short to be answered, or no request at all (QR is set) */
};

struct zone_request {
	uint16_t id, flags; /* as received */
	bool has_question;  /* the fields of the next three lines are good */
	uint16_t qtype, qclass;
	struct name question; /* as received, for the echo */
	struct name apex;     /* the same in lower case */
	bool has_serial;      /* there was an SOA of the apex where it was looked for */
	uint32_t serial;
	struct edns edns;
};

/*
 * Reads msg[0..len). The SOA is looked for in the section `soa_at`; where there are several, the first counts.
 * Fills *out as far as it got, which is what zone_request_reply() needs.
 */
enum zone_request_status zone_request_parse(const uint8_t *msg, size_t len, enum message_section soa_at,
					    struct zone_request *out) MUST_CHECK;

/* The RCODE for a status: NOERROR, FORMERR or BADVERS. */
uint16_t zone_request_status_rcode(enum zone_request_status status);

#define ZONE_REQUEST_OPT_MAX (EDNS_OPT_LEN + EDNS_OPTION_HEAD + 4)

/*
 * Writes the OPT record of a reply into out[] and returns its length, 0 where the request had none (RFC 6891
 * section 6.1.1). `expire_s`: the EXPIRE option's value (RFC 7314), told to those who ask; NULL: none.
 */
unsigned zone_request_opt(const struct zone_request *r, uint16_t rcode, uint16_t udp_payload,
			  const uint32_t *expire_s, uint8_t out[ZONE_REQUEST_OPT_MAX]);

/*
 * Writes a reply without records into out[0..cap), of at least 512 octets: header, question, OPT. `flags`: FLAG_AA
 * and FLAG_TC as wanted; opcode and RD come from the request. Returns its length.
 */
size_t zone_request_reply(const struct zone_request *r, uint16_t rcode, uint16_t flags, uint16_t udp_payload,
			  uint8_t *out, size_t cap);

#endif
