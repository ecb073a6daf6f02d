/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records in the values of the state (control/state/state_value.h), in and out.
 *
 *     ┌───────┬──────────┬───────────┬──────┬─────┬───────┬───────┐
 *     │ flags │ owner_len│ owner ... │ type │ TTL │ rdlen │ rdata │
 *     └───────┴──────────┴───────────┴──────┴─────┴───────┴───────┘
 *       1       1          owner_len   2      4     2       rdlen
 *
 * The owner is in lower case and without the apex, which the key has. Where the record before has the same one,
 * SAME_OWNER is set and owner_len and owner are not there; a value's first record always has them, so each value
 * can be read by itself. ADDED tells the two halves of a difference apart; all records of a base have it.
 *
 * One thread at a time; allocates; nothing of RCU.
 */
#ifndef ANSER_CONTROL_STATE_RECORD_H
#define ANSER_CONTROL_STATE_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "control/state/state_value.h"

/* Fills a list of values with records. Set up by state_records_init(). */
struct state_records {
	struct name apex;
	uint32_t header_len;              /* room at the start of each value */
	struct state_value *first, *last; /* owned until they are taken away; the list ends at `last` */
	struct state_value *before_last;  /* NULL: `last` is the first */
	struct name owner;                /* of the record before */
	bool has_owner;
	uint64_t n_values, n_records,
		bytes; /* bytes: of finished values and the last one, their headers included */
};

void state_records_init(struct state_records *rs, const struct name *apex, uint32_t header_len);

/* The next record goes into a new value. 0 or -ENOMEM. */
int state_records_cut(struct state_records *rs) MUST_CHECK;

/* Adds a record, to a new value if it does not fit. 0, -ENOMEM, -ERANGE: not in the zone. Nothing is added then. */
int state_records_put(struct state_records *rs, bool added, const struct state_record *record) MUST_CHECK;

/* Frees the values. */
void state_records_free(struct state_records *rs);

/* Reads the records of one value. `bytes` is borrowed. */
struct state_records_reader {
	const struct name *apex;
	const uint8_t *at, *end;
	struct name owner;
	bool has_owner;
};

void state_records_read(struct state_records_reader *rd, const struct name *apex, const uint8_t *bytes, size_t len);

/*
 * The next record; *out borrows from rd and from the bytes. 1: there is one; 0: no more; -EBADMSG: these are no
 * records (which only a mistake of ours can bring about: checksums were right).
 */
int state_records_next(struct state_records_reader *rd, bool *added, struct state_record *out) MUST_CHECK;

#endif
