/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys and values of the state (control/state/state.h): how they look on disk, and how damage shows.
 *
 * All values of all zones are in one table, so that a zone's lie side by side and a start reads them in one go. No
 * name in wire form begins with another one, so neither do zones get between each other:
 *
 *     apex NOTE                          what the owner of the zone wants to find again
 *     apex HEAD                          meta, and two lineages: the latest and the previous one
 *     apex BASE     generation seq       records of the whole zone, in values of at most STATE_VALUE_MAX octets
 *     apex JOURNAL  epoch      seq       parts of differences
 *
 * A generation is one writing of a zone, an epoch the generation in which its journal began. They are numbers that
 * the environment gives out once.
 *
 * Every value starts with 12 octets:
 *
 *     0        4        8        9       10         12
 *     ┌────────┬────────┬────────┬────────┬──────────┬──────────
 *     │ CRC32C │ before │ format │ flags  │ 0        │ body ...
 *     └────────┴────────┴────────┴────────┴──────────┴──────────
 *
 * The CRC32C covers the key and everything behind itself; `before` is the CRC of the value before it in its chain.
 * So a value speaks for its zone, its kind, its place, and all that came before it. Integers are big-endian.
 *
 * Pure but for the memory of state_value_new(). Any thread.
 */
#ifndef ANSER_CONTROL_STATE_VALUE_H
#define ANSER_CONTROL_STATE_VALUE_H

#include <stdbool.h>
#include <stdint.h>

#include "control/state/state.h"

enum state_kind { STATE_NOTE = 0, STATE_HEAD = 1, STATE_BASE = 2, STATE_JOURNAL = 3, STATE_KIND_END = 4 };

/* -------- keys -------- */

#define STATE_PLACE_LEN 17 /* kind, generation, seq */

struct state_key {
	uint16_t len;
	uint8_t bytes[NAME_MAX_LEN + STATE_PLACE_LEN];
};

/* Where a value belongs. */
struct state_place {
	struct name apex;
	enum state_kind kind;
	uint64_t generation, seq; /* 0 for a note and a head */
};

void state_key_head(const struct name *apex, struct state_key *out);
void state_key_place(const struct name *apex, enum state_kind kind, uint64_t generation, uint64_t seq,
		     struct state_key *out);

/* Before all keys of the zone with kinds from `kind` on: where to look for them. */
void state_key_kind(const struct name *apex, enum state_kind kind, struct state_key *out);

/* Takes a key apart. -EBADMSG: it is none of ours. */
int state_key_parse(const void *bytes, size_t len, struct state_place *out) MUST_CHECK;

/* -------- values -------- */

#define STATE_VALUE_HEADER 12
#define STATE_VALUE_FORMAT 1
#define STATE_VALUE_MAX (8 * 4096 - 16) /* fills eight pages of LMDB, its page header included */

/* A difference's parts know whose they are; behind the header. */
#define STATE_PART_HEADER (STATE_VALUE_HEADER + 12)
#define STATE_PART_LAST 1 /* flag: the difference ends here */

/* One value in memory, in a list of them; made by state_value_new(). */
struct state_value {
	struct state_value *next;
	uint32_t len, cap;
	uint8_t bytes[];
};

/* `len` octets are in use and undefined. NULL: out of memory. */
struct state_value *state_value_new(uint32_t len, uint32_t cap) MUST_CHECK;

/* Frees a whole list. NULL is allowed. */
void state_values_free(struct state_value *first);

/* Fills in the header of a finished value; returns its CRC, which is `before` for the next one. */
uint32_t
state_value_seal(const struct state_key *key, uint8_t *bytes, uint32_t len, uint32_t before, uint8_t flags);

/* What a value's header says. */
struct state_header {
	uint32_t crc, before;
	uint8_t flags;
};

/* Verifies a value that was found under `key`. 0 or -EBADMSG. */
int
state_value_check(const struct state_key *key, const void *bytes, size_t len, struct state_header *out) MUST_CHECK;

/* -------- heads -------- */

/*
 * One base and the journal from its epoch on.
 *
 *     journal:  first_seq ........ base_seq ........ end_seq
 *               └ for history only ┘ └ after the base ┘
 */
struct state_lineage {
	uint64_t generation; /* of the base; 0: there is no such lineage */
	uint64_t chunks, base_records, base_bytes;
	uint64_t epoch, first_seq, base_seq, end_seq;
	uint64_t journal_bytes, replay_bytes;        /* from first_seq on, from base_seq on */
	uint32_t base_crc;                           /* of the last value of the base */
	uint32_t base_serial, first_serial, serial;  /* at base_seq, first_seq, end_seq */
	uint32_t first_before, base_before, end_crc; /* CRC before first_seq, before base_seq, before end_seq */
};

struct state_head {
	struct state_meta meta;
	struct state_lineage latest, previous;
};

#define STATE_HEAD_MAX 512

/* Writes a sealed head; returns its length, at most STATE_HEAD_MAX. */
uint32_t state_head_write(const struct state_key *key, const struct state_head *head, uint8_t out[STATE_HEAD_MAX]);

/* 0 or -EBADMSG. */
int state_head_read(const struct state_key *key, const void *bytes, size_t len, struct state_head *out) MUST_CHECK;

#endif
