/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The judge of answers: knows the rules that every answer must keep, whatever was asked, and nothing of how the
 * server makes them. Reads messages with tests/fuzz/message.c.
 *
 * All functions return NULL where nothing is wrong, else a text that tells what is. One thread.
 */
#ifndef ANSER_TESTS_FUZZ_JUDGE_H
#define ANSER_TESTS_FUZZ_JUDGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/fuzz/zones.h"
#include "zones/base/counters.h"

struct judge_case {
	const struct fuzz_zones *zones;
	const uint8_t *query;
	size_t query_len;
	uint32_t cap; /* room that the server was given */
	bool is_tcp;
	const uint8_t *reply;
	size_t reply_len;
};

/*
 * One reply: well-formed; within the limits of client, transport and buffer; id, opcode, RD, CD and question as in
 * the query; RCODE as query and zones demand; OPT just where there was one; owners in our zones, those of the
 * answer section reached from the name asked by aliases; no address twice; signatures only for those who want them.
 */
const char *judge_reply(const struct judge_case *c);

/*
 * The same query answered over TCP with all the room there is (`full`) and with less (`cut`). Both passed
 * judge_reply(). What fits is there, octet by octet; TC is set when and only when answer, authority or needed glue
 * (RFC 9471) do not fit.
 */
const char *judge_truncation(const struct judge_case *full, const struct judge_case *cut);

/* A message that was dropped may be: no header, or a response. */
const char *judge_drop(const uint8_t *query, size_t len);

/* A message that was left to control may be: well-formed, and NOTIFY, UPDATE, a transfer, or signed. */
const char *judge_punt(const uint8_t *query, size_t len);

/* What one call counted: each answer has one RCODE and one address family, each drop one reason. */
const char *
judge_counters(const struct counters *before, const struct counters *after, unsigned answered, unsigned dropped);

/* Prints the fault with the messages in hex, and aborts. */
void judge_fail(const struct judge_case *c, const char *fault) __attribute__((noreturn));

#endif
