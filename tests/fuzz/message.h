/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DNS messages read by code that shares nothing with the server: what the fuzzers and the torture test judge
 * answers by.
 *
 * Stricter than a server may be: compression points backwards and behind the header, every octet belongs to a
 * record, and the data of the types that everyone knows has the right shape. Any thread; keeps nothing.
 */
#ifndef ANSER_TESTS_MESSAGE_H
#define ANSER_TESTS_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A name in lower case, uncompressed; len counts the root's zero. */
struct seen_name {
	uint8_t len;
	uint8_t bytes[255];
};

struct seen_record {
	struct seen_name owner;
	uint8_t section; /* 1 answer, 2 authority, 3 additional */
	uint16_t type, rrclass;
	uint32_t ttl_s;
	uint32_t at;       /* where the record begins in the message */
	uint32_t rdata_at; /* where its data begins */
	uint16_t rdlen;
};

#define SEEN_RECORDS_MAX 6000 /* 65,535 octets hold no more: 11 octets is the shortest record */

struct seen_message {
	uint16_t id, flags;
	uint16_t count[4];
	struct seen_name qname;
	uint16_t qtype, qclass;
	uint32_t question_end; /* 12 where there is no question */
	const struct seen_record *opt;
	unsigned n;
	struct seen_record record[SEEN_RECORDS_MAX];
};

/* Reads a message. NULL: it is well-formed; else what is wrong with it, and *out holds what came before that. */
const char *message_read(const uint8_t *msg, size_t len, struct seen_message *out);

/* The name at `at` of a message that was read without fault. */
struct seen_name message_name(const uint8_t *msg, size_t len, uint32_t at);

bool seen_name_equal(const struct seen_name *a, const struct seen_name *b);

/* True when `name` is `ancestor` or lies below it. */
bool seen_name_under(const struct seen_name *name, const uint8_t *ancestor, unsigned ancestor_len);

static inline uint16_t
seen_u16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t
seen_u32(const uint8_t *p)
{
	return (uint32_t)seen_u16(p) << 16 | seen_u16(p + 2);
}

#endif
