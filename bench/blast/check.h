/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Is this a reply to that query? Pure; any thread.
 */
#ifndef ANSER_BLAST_CHECK_H
#define ANSER_BLAST_CHECK_H

#include <stdbool.h>
#include <stdint.h>

enum check_result {
	CHECK_GOOD,
	CHECK_SHORT,    /* ends inside its header or question */
	CHECK_QUERY,    /* QR is not set, or another opcode */
	CHECK_QUESTION, /* another name, type or class */
	CHECK_RCODE,    /* neither NOERROR nor NXDOMAIN (full) */
	CHECK_SECTIONS, /* a section that cannot be read, or octets behind the last one (full) */
};

enum check_depth {
	CHECK_BASIC, /* header and question */
	CHECK_FULL,  /* all of it */
	CHECK_ECHO,  /* as basic, but the query itself is as good as a reply: for peers that only send back */
};

/* The id is not looked at: by it the query was found. The question's letters may differ in case. */
enum check_result check_reply(const uint8_t *reply, uint32_t reply_len, const uint8_t *query, uint32_t query_len,
			      enum check_depth depth);

/* What is wrong, for people. */
const char *check_text(enum check_result result);

#endif
