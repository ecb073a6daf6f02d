/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside a whole zone that comes in over another (replace.h): replace.c collects records, keeps the states of names
 * and makes edits; replace_run.c holds the records of one name against the base; replace_whole.c turns to a builder
 * where too much differs. Private to zones/store.
 */
#ifndef ANSER_STORE_REPLACE_PRIVATE_H
#define ANSER_STORE_REPLACE_PRIVATE_H

#include "zones/store/change_private.h"
#include "zones/store/marks.h"
#include "zones/store/replace.h"
#include "zones/wire/rdata.h"

/* A record of the current name. */
struct replace_record {
	struct log_record log;
	size_t text_at;          /* of its data */
	const struct rrset *set; /* of the base, that has it; NULL: none has */
	unsigned base_index;     /* there: its number among all records that the base has at the name */
	bool is_recased;         /* there: in other letters */
	bool is_kept;            /* its set stays the base's */
};

struct zone_replace {
	const struct snapshot *base;
	struct zone_change *change;
	struct name owner; /* the current one, lower case; length 0: none yet */
	uint64_t hash;
	struct replace_record *run;
	size_t n, cap;
	uint8_t *text; /* the run's data */
	size_t text_len, text_cap;
	uint8_t *states; /* of nodes: two bits a place */
	size_t states_bytes;
	/* Which records of a node in state "part", or of an NSEC3 set without edit, have come: a bit for each
	 * number. */
	struct marks marks;
	uint64_t limit;               /* of edits */
	struct zone_builder *builder; /* not NULL: the zone is built as a whole, and edits have ended */
	struct diag_list *diag;
	int err; /* sticky: part of the zone is lost */
	uint8_t rdata[RDATA_MAX_LEN];
};

/* More records of a name do not fit in a mark. */
#define REPLACE_MARKED_MAX 16

enum replace_state { REPLACE_UNSEEN, REPLACE_ALL, REPLACE_PART, REPLACE_EDITED };

/* What the base has at a name: a node with data, an NSEC3 set, or neither. */
struct replace_base {
	const struct node *node;
	const struct nsec3 *nsec3;
	uint64_t place; /* of the node */
};

static inline const void *
replace_base_object(const struct replace_base *b)
{
	return b->node != NULL ? (const void *)b->node : b->nsec3;
}

/* -------- replace.c -------- */

/* Of the node at a place. */
enum replace_state replace_place_state(const struct zone_replace *r, uint64_t place);

/* Frees what only serves edits, the change included. */
void replace_end_edits(struct zone_replace *r);

/* -------- the run: replace_run.c -------- */

/* Sorts the run by set, then canonically; of duplicates stays the first, with the lowest TTL. */
void replace_settle_run(struct zone_replace *r);

/* Index of the first record of the settled run whose log_record_type_key() is no less. */
size_t replace_seek_key(const struct zone_replace *r, uint32_t key);

/* How the run stands to what the base has. */
struct replace_match {
	unsigned n_base;
	bool is_known;       /* the base has all of it */
	bool is_exact;       /* it has, in the same letters and with the same TTLs */
	bool is_not_shorter; /* no TTL is below the base's */
	uint16_t mask;       /* which records, by number */
};

/* Finds what the base has of the settled run, noting it there. */
struct replace_match replace_match_run(struct zone_replace *r, const struct replace_base *b);

/* Is the matched run all that the base has at the name, letters and TTLs included? 0 or -ENOMEM. */
int replace_run_is_same(const struct zone_replace *r, const struct replace_match *m, bool *same) MUST_CHECK;

/* The same for records [from, end) of the run, which are of one set. */
int replace_group_is_same(const struct zone_replace *r, size_t from, size_t end, bool *same) MUST_CHECK;

/* -------- as a whole: replace_whole.c -------- */

/*
 * Gives all that has come, from base and edits, to a builder, which takes the change's place: from here on each
 * record goes there. 0 or -ENOMEM.
 */
int replace_turn_whole(struct zone_replace *r) MUST_CHECK;

/* As zone_replace_finish(), for one that has turned; consumes the builder. */
int
replace_finish_whole(struct zone_replace *r, struct snapshot **out, struct snapshot_remains **remains) MUST_CHECK;

#endif
