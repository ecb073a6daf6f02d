/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whole DNS messages, in and out (RFC 1035 section 4): for transfers, NOTIFY, UPDATE and the queries that we send
 * ourselves. The engine has its own ways: query.h reads what it needs of a query, and its answers are copied out of
 * compiled record sets.
 *
 * Reading is strict. Each record comes with its names expanded and its data checked by the record-type table; names
 * that point forward or in circles, data that runs over its end or stops before it, and octets behind the last
 * record are faults. Reading stops at the first one.
 *
 * Writing compresses: every owner, and the names in data of the types for which RFC 3597 section 4 allows it. Names
 * are matched octet by octet, so that the letter case of names in the zone arrives as it was sent (RFC 5936 section
 * 3.4). What does not fit leaves no trace.
 *
 * Pure, any thread, without RCU state; nothing is allocated. A reader and a writer belong to one thread at a time.
 */
#ifndef ANSER_WIRE_MESSAGE_H
#define ANSER_WIRE_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "zones/base/compiler.h"
#include "zones/wire/name.h"
#include "zones/wire/query.h"
#include "zones/wire/rdata.h"

#define MESSAGE_MAX_LEN 65535
#define MESSAGE_POINTER_END 0x4000 /* a compression pointer has 14 bits (RFC 1035 section 4.1.4) */

/*
 * Sections in the order of the message; UPDATE calls them zone, prerequisite, update and additional (RFC 2136
 * section 2).
 */
enum message_section {
	MESSAGE_QUESTION,
	MESSAGE_ANSWER,
	MESSAGE_AUTHORITY,
	MESSAGE_ADDITIONAL,
	MESSAGE_SECTIONS,
};

/* One question, or one record. Names and data are uncompressed wire form. */
struct message_question {
	const uint8_t *name;
	uint16_t type, rrclass;
};

struct message_record {
	const uint8_t *owner;
	const uint8_t *rdata;
	uint32_t
		ttl_s; /* as on the wire: of OPT, its flags (RFC 6891 section 6.1.3); may exceed RFC 2181's limit */
	uint16_t type, rrclass, rdlen;
	enum message_section section;
};

/* -------- reading -------- */

enum message_error {
	MESSAGE_OK = 0,
	MESSAGE_END,       /* no fault: there is no further item, and the message ends here, too */
	MESSAGE_NO_HEADER, /* shorter than 12 octets */
	MESSAGE_BAD_NAME,  /* a question's name or an owner; the reader knows which fault */
	MESSAGE_CUT_OFF,   /* the counts promise more than there is */
	MESSAGE_BAD_DATA,  /* not data of the record's type; the reader knows why */
	MESSAGE_TRAILING,  /* octets behind the last record */
};

struct message_reader {
	const uint8_t *msg;
	size_t len;
	size_t pos; /* of the next item; unmoved by a fault, so that asking again tells the same */
	uint16_t id, flags;
	uint16_t count[MESSAGE_SECTIONS]; /* as the header has them */
	uint16_t left;                    /* items of the current section that were not read yet */
	enum message_section section;
	enum name_error name_error;    /* behind MESSAGE_BAD_NAME */
	struct rdata_error data_error; /* behind MESSAGE_BAD_DATA */
	struct name name;              /* what was read last: owner or question */
};

static inline unsigned
message_opcode(const struct message_reader *r)
{
	return r->flags >> 11 & 15;
}

/* Without the upper bits that EDNS has (RFC 6891 section 6.1.3). */
static inline unsigned
message_rcode(const struct message_reader *r)
{
	return r->flags & 15;
}

/* Reads the header. msg[0..len) is borrowed for the reader's life. MESSAGE_OK or MESSAGE_NO_HEADER. */
enum message_error message_open(struct message_reader *r, const uint8_t *msg, size_t len) MUST_CHECK;

/*
 * Reads the next question. MESSAGE_END: there is none left (which says nothing about the rest of the message). The
 * name keeps its case and is good until the next call. On a fault *out is untouched.
 */
enum message_error message_next_question(struct message_reader *r, struct message_question *out) MUST_CHECK;

/*
 * Reads the next record, stepping over questions that nobody asked for. Its owner keeps its case and is good until
 * the next call; its data is written to rdata[RDATA_MAX_LEN], which out->rdata points to.
 *
 * Data is expanded and checked as the type's in the classes IN, NONE and ANY; records of NONE and ANY may be
 * without any (RFC 2136 section 2.4 and 2.5). Of other classes and of meta types it is copied as it stands.
 * MESSAGE_END: that was all, and nothing follows. On a fault *out is untouched.
 */
enum message_error message_next(struct message_reader *r, uint8_t *rdata, struct message_record *out) MUST_CHECK;

/*
 * The same without its data, which is neither read nor checked (out->rdata is NULL, rdlen that of the message): for
 * those who look at what comes ahead of reading it.
 */
enum message_error message_skip(struct message_reader *r, struct message_record *out) MUST_CHECK;

/* The fault that the reader met last, for people: one line without a full stop. Points into the reader or to a
 * constant. */
const char *message_error_text(const struct message_reader *r, enum message_error e);

/* -------- writing -------- */

#define MESSAGE_SLOTS 2048    /* suffixes that can be remembered; what finds no place is not pointed at later */
#define MESSAGE_PROBES 8      /* slots that a suffix may stand in */
#define MESSAGE_NOTED_MAX 256 /* suffixes remembered of one record */

/* Large: on the heap or inside its owner rather than on a small stack. */
struct message_writer {
	uint8_t *out;
	uint32_t cap, len;
	enum message_section section; /* of the last item */
	uint16_t n_noted;             /* of the item that is being written */
	uint16_t noted[MESSAGE_NOTED_MAX];
	struct message_suffix {
		uint16_t tag; /* of its hash */
		uint16_t at;  /* where it stands in the message; 0: empty slot */
	} slot[MESSAGE_SLOTS];
};

/*
 * Begins a message in out[0..cap), which is borrowed: the header with no items. `cap` is at least DNS_HEADER_LEN;
 * beyond MESSAGE_MAX_LEN it is not used. After every call below the message is whole, out[0..len).
 */
void message_begin(struct message_writer *w, uint8_t *out, size_t cap, uint16_t id, uint16_t flags);

/*
 * Append one item each. False: it does not fit, or its section has 65,535 items; the message is as it was. Sections
 * come in order. message_put() compresses; its owner and data must be good, and data of RDATA_MAX_LEN may not fit
 * into any message. message_put_raw() appends a record that is in wire form already, whatever it is: OPT, TSIG.
 */
bool message_put_question(struct message_writer *w, const struct message_question *q) MUST_CHECK;
bool message_put(struct message_writer *w, const struct message_record *r) MUST_CHECK;
bool message_put_raw(struct message_writer *w, enum message_section section, const uint8_t *record,
		     size_t len) MUST_CHECK;

/* Moves the limit: keeps room free for what comes last, and gives it back for that. Not below the message's length.
 */
void message_set_cap(struct message_writer *w, size_t cap);

/* How many items a section has. */
unsigned message_count(const struct message_writer *w, enum message_section section);

#endif
