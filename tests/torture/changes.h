/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Zones that change all the time: what change_stream serves as their primary, and how change_load knows them again.
 *
 * Zone i is z<i>.test. Every record of a version is computed from the serial alone, so any difference between two
 * versions can be, and all but the NS records tell which version they are of: addresses, text, the preference of
 * MX, the target of an alias, which is a name that exists in one version only. Most questions are answered with two
 * marked records or more: an alias and its address, a referral's two addresses of glue, MX and the address behind
 * it.
 *
 * A difference between two versions removes 9 records and adds 9, besides the SOAs.
 */
#ifndef ANSER_TESTS_TORTURE_CHANGES_H
#define ANSER_TESTS_TORTURE_CHANGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "zones/wire/message.h"

#define CHANGES_ZONES_MAX 1000000
#define CHANGES_SERIAL_MAX 65535 /* the preference of MX has room for no more */
#define CHANGES_RECORDS 14       /* of a version; the SOA is the first */
#define CHANGES_QUESTIONS 7      /* kinds of questions */
#define CHANGES_QUERY_MAX 64

struct change_record {
	struct name owner;
	uint16_t type, rdlen;
	bool varies; /* from version to version; the SOA not counted */
	uint8_t rdata[64];
};

/* Apex of a zone, and the zone of an apex in lower case (CHANGES_ZONES_MAX: none). */
void change_apex(unsigned zone, struct name *out);
unsigned change_zone(const struct name *apex);

/* The records of one version. `mixed` is for self-tests: one address is of the version before. */
void change_version(unsigned zone, uint32_t serial, bool mixed, struct change_record out[CHANGES_RECORDS]);

/* Writes a question of this kind as a query; returns its length. out[CHANGES_QUERY_MAX]. */
size_t change_ask(unsigned zone, unsigned question, uint16_t id, uint8_t *out);

struct change_verdict {
	const char *fault; /* NULL: whole, and of one version; not the right shape, or not NOERROR */
	bool is_mixed;     /* of two versions; fault is set */
	uint32_t serial;   /* of the version */
};

/* Reads the answer to such a question, query[0..query_len). Any thread. */
struct change_verdict
change_judge(unsigned question, const uint8_t *query, size_t query_len, const uint8_t *reply, size_t len);

#endif
