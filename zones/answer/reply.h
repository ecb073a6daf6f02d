/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reply under construction: record sets are copied behind the question and mended. Private to zones/answer.
 *
 * A set is added whole, with its signatures where the client asked for them, or not at all. Pure.
 */
#ifndef ANSER_ANSWER_REPLY_H
#define ANSER_ANSWER_REPLY_H

#include <stdbool.h>
#include <stdint.h>

#include "zones/store/node.h"
#include "zones/store/rrset.h"
#include "zones/wire/query.h"

/* Where a name stands in the message: what an owner's pointer, and the fix-ups relative to it, resolve to. */
struct place {
	uint16_t at;
	uint8_t len;   /* octets of the name, uncompressed */
	bool is_whole; /* its octets stand there one after the other, as QNAME's do */
};

enum reply_section { SECTION_ANSWER, SECTION_AUTHORITY, SECTION_ADDITIONAL, SECTION_COUNT };

struct reply {
	uint8_t *msg;
	uint32_t pos;   /* where the next record goes */
	uint32_t limit; /* OPT's room is kept beyond it */
	uint16_t count[SECTION_COUNT];
	bool wants_dnssec;
	bool is_truncated;
};

/*
 * Adds a set and, for DNSSEC clients, the signatures over it. False: no room, and the reply is as it was.
 * *base, unless NULL, is where the set begins in the message.
 */
bool
reply_add(struct reply *r, enum reply_section section, struct node_sets sets, struct place owner, uint32_t *base);

/*
 * As reply_add(), for an owner that does not stand in the message: the labels `prefix`, and then the name at
 * `suffix`. For types without compressed names in their data, as those of DNSSEC are.
 */
bool reply_add_below(struct reply *r, enum reply_section section, struct node_sets sets, const uint8_t *prefix,
		     unsigned prefix_len, struct place suffix);

/*
 * Adds the CNAME that a DNAME implies (RFC 6672 section 3.1); its target is the labels `prefix` and then the name
 * that stands at `suffix_at`, the DNAME's own target. False: no room.
 */
bool reply_add_cname(struct reply *r, struct place owner, uint32_t ttl_s, const uint8_t *prefix,
		     unsigned prefix_len, uint32_t suffix_at, uint32_t *base);

/* Adds a TXT record of class CH with one string, owned by QNAME. False: no room. */
bool reply_add_chaos(struct reply *r, const uint8_t *text, uint8_t len);

/* The suffix of the name at `p` that is `suffix_len` octets long: where it begins in the message. */
uint32_t reply_suffix_at(const struct reply *r, struct place p, unsigned suffix_len);

#endif
