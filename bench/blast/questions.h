/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The questions of a run: whole DNS queries, ready to be sent but for the message id, one behind the other in
 * memory.
 *
 * Built by the main thread, then only read. Memory: the message and 8 octets for each.
 */
#ifndef ANSER_BLAST_QUESTIONS_H
#define ANSER_BLAST_QUESTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "zones/base/compiler.h"
#include "zones/base/diag.h"
#include "zones/wire/name.h"

#define QUESTION_EDNS_LEN 11
#define QUESTION_MAX_LEN (12 + NAME_MAX_LEN + 4 + QUESTION_EDNS_LEN)

/* How queries are dressed. DO is told by EDNS, so it needs some. */
struct question_style {
	uint16_t edns_size; /* largest UDP answer that is offered; 0: no EDNS */
	bool dnssec;        /* DO (RFC 6891 section 6.1.4) */
};

struct question {
	uint32_t at; /* in questions.bytes */
	uint16_t len;
	uint16_t sum; /* of the message as 16-bit words, its id 0, in memory's order (frames.h) */
};

/* Zeroed: empty. */
struct questions {
	uint8_t *bytes;
	size_t n_bytes, cap_bytes;
	struct question *items;
	uint32_t n, cap;
};

/* Appends a query for name and type in class IN. 0, -ENOMEM, or -EFBIG when 4 GiB are full. */
int questions_add(struct questions *q, const struct name *name, uint16_t type,
		  const struct question_style *style) MUST_CHECK;

/*
 * Appends those of a file, a line each: `name type`, the name with or without its closing dot. A third word of `E`
 * asks with EDNS and of `D` with EDNS and DO, whatever the style says (kxdpgun's format). Empty lines and what
 * follows a `;` or `#` at the beginning of a line are skipped. 0, or -errno with all faults, `file:line:column`, in
 * diag.
 */
int questions_read(struct questions *q, const char *path, const struct question_style *style,
		   struct diag_list *diag) MUST_CHECK;

void questions_free(struct questions *q);

static inline const uint8_t *
question_message(const struct questions *q, uint32_t i)
{
	return q->bytes + q->items[i].at;
}

/* Octets of the question section of a query made here: all of it but the header and OPT. */
static inline uint32_t
question_section_len(const uint8_t *message, uint32_t len)
{
	return len - 12 - (message[11] != 0 ? QUESTION_EDNS_LEN : 0);
}

#endif
