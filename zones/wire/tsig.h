/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The TSIG record on the wire (RFC 8945 section 4.2): found at the end of a message, and written there.
 *
 * Nothing here knows keys, clocks or hashes; control/tsig/tsig.h does. Pure, any thread, without RCU state.
 */
#ifndef ANSER_WIRE_TSIG_H
#define ANSER_WIRE_TSIG_H

#include <stddef.h>
#include <stdint.h>

#include "zones/base/compiler.h"
#include "zones/wire/name.h"

#define TSIG_TIME_LEN 6 /* octets of a time on the wire: 48 bits of seconds since 1970, without leap seconds */
#define TSIG_TIME_MAX_S ((UINT64_C(1) << 48) - 1)

/* Values of the field Error (section 3, IANA "DNS RCODEs"). */
enum {
	TSIG_ERROR_NONE = 0,
	TSIG_ERROR_BADSIG = 16,
	TSIG_ERROR_BADKEY = 17,
	TSIG_ERROR_BADTIME = 18,
	TSIG_ERROR_BADTRUNC = 22,
};

/* One record, read. `mac` and `other` point into the message and live as long as it does. */
struct tsig_record {
	size_t start;     /* where the record begins: the length of the message without it */
	uint16_t arcount; /* of the message without it */
	uint16_t fudge_s;
	uint64_t time_s; /* 48 bits */
	uint16_t original_id, error;
	uint16_t mac_len, other_len; /* octets */
	const uint8_t *mac, *other;
	struct name key, algorithm; /* lower case */
};

enum tsig_find {
	TSIG_FIND_NONE,      /* a whole message without TSIG */
	TSIG_FIND_ONE,       /* with one, at its place */
	TSIG_FIND_MALFORMED, /* records run over the end, or octets are left over */
	TSIG_FIND_MISPLACED, /* a TSIG that is not the last record of the additional section, or two of them */
	TSIG_FIND_UNREADABLE /* class not ANY, TTL not 0, or data that is no TSIG's */
};

/*
 * Walks the records of msg[0..len) and reads the TSIG at the end (section 5.2). Names are not followed through
 * pointers but the TSIG's owner; its algorithm must be written out. *out is set with TSIG_FIND_ONE alone. Costs a
 * few cycles for each record.
 */
enum tsig_find tsig_record_find(const uint8_t *msg, size_t len, struct tsig_record *out) MUST_CHECK;

/* Octets that the record takes on the wire, its names uncompressed. */
size_t tsig_record_len(const struct tsig_record *r);

/* Writes the record (all but `start` and `arcount`) to out[tsig_record_len()]; returns that length. */
size_t tsig_record_write(const struct tsig_record *r, uint8_t *out);

/* A time in its wire form. */
void tsig_time_write(uint64_t time_s, uint8_t out[TSIG_TIME_LEN]);
uint64_t tsig_time_read(const uint8_t in[TSIG_TIME_LEN]);

#endif
