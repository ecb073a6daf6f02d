/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside a change: edits, which change.c collects, change_plan.c turns into nodes, and change_put.c and
 * change_finish.c into a snapshot. Private to zones/store.
 *
 * Everything here lies in the change's arena and goes with it, but for new nodes and NSEC3 sets.
 */
#ifndef ANSER_STORE_CHANGE_PRIVATE_H
#define ANSER_STORE_CHANGE_PRIVATE_H

#include "zones/store/change.h"
#include "zones/store/compile.h"

/* One record set under edit. Signatures over different types are different sets here. */
struct change_set {
	uint32_t key;               /* log_record_type_key() */
	bool is_changed;            /* else `base`, where it is not NULL, is good as it is */
	bool is_loaded;             /* the records are in the list; else they are those of `base` */
	const struct rrset *base;   /* NULL: new, or one of the orphans */
	struct log_record *records; /* in canonical order */
	unsigned n, cap;
};

/* One name that the change touches. */
struct change_edit {
	struct change_edit *next; /* of the same number of labels */
	const uint8_t *owner;     /* lower case */
	uint64_t hash;
	const struct node *base; /* NULL: the base has no such name */
	const struct nsec3 *base_nsec3;
	struct change_set *sets; /* by key; empty ones may be among them */
	unsigned n_sets, cap;
	uint8_t owner_len;
	bool is_open;    /* its sets have been listed: records may change */
	bool is_changed; /* its records have */

	/* From here on, the plan: see change_plan.c. */
	bool has_data, exists, flips, is_checked_wildcard, has_wildcard;
	int64_t children_delta;
	uint32_t covered; /* children in the base all of whose names below are edits themselves, they as well */
	uint8_t flags;
	struct node *node;   /* new; NULL: the base's is good */
	struct nsec3 *nsec3; /* new */
};

struct arena_chunk;

#define CHANGE_EXPECTED 16

/* Hashes of the names that were announced last, in a ring. */
struct change_expected {
	uint64_t hash[CHANGE_EXPECTED];
	unsigned n; /* announced so far */
};

struct zone_change {
	const struct snapshot *base;
	struct record_source source;
	struct compile compile;
	enum zone_change_mode mode;
	bool adds_nsec3;
	struct arena_chunk *arena;
	struct log_record *scratch; /* change_records() */
	size_t scratch_cap;
	struct change_edit **table; /* open addressing, by hash */
	size_t n, cap;
	struct change_edit *at_depth[NAME_MAX_LABELS + 1];
	struct change_expected expected;
};

/* Room in the arena, aligned to 8; NULL: out of memory. */
void *change_alloc(struct zone_change *c, size_t size) MUST_CHECK;

/* The edit of a name, or NULL. */
struct change_edit *change_find(const struct zone_change *c, uint64_t hash, const uint8_t *owner, unsigned len);

/* The edit of a name in lower case, made if there is none; NULL: out of memory. Its records are not opened. */
struct change_edit *
change_touch(struct zone_change *c, uint64_t hash, const uint8_t *owner, unsigned len) MUST_CHECK;

/* The same, its records opened. 0 or -ENOMEM. */
int change_open(struct zone_change *c, uint64_t hash, const uint8_t *owner, unsigned len,
		struct change_edit **out) MUST_CHECK;

/* Adds a record to an open edit; its owner does not count. One that is there already keeps the lower TTL. 0 or
 * -ENOMEM. */
int change_put(struct zone_change *c, struct change_edit *e, const struct log_record *r) MUST_CHECK;

/* Removes a record from an open edit if it is there; owner and TTL do not count. 0 or -ENOMEM. */
int change_drop(struct zone_change *c, struct change_edit *e, const struct log_record *r) MUST_CHECK;

/* Removes all records of a set. */
void change_empty(struct change_edit *e, struct change_set *set);

/* Lists the records of a set; 0 or -ENOMEM. */
int change_load(struct zone_change *c, const struct change_edit *e, struct change_set *set) MUST_CHECK;

/* The open edit of an owner of any case; 0, -ENOMEM or -ERANGE: out of zone. */
int change_open_name(struct zone_change *c, const struct name *owner, struct change_edit **out) MUST_CHECK;

/* Where a record is in a loaded set, or belongs; *found tells which. */
unsigned change_seek_record(const struct change_set *set, const struct log_record *r, bool *found);

/* The set with this key, or NULL. */
struct change_set *change_find_set(const struct change_edit *e, uint32_t key);

static inline bool
change_set_is_empty(const struct change_set *set)
{
	return set->is_loaded ? set->n == 0 : set->base == NULL;
}

/*
 * Loads the records of an open edit into one list, in the log's order; *n may be 0. `what`: all, or without the
 * signatures and NSEC sets that did not change, since nothing refuses a name for these. The list is good until the
 * next call. 0 or -ENOMEM.
 */
enum change_records_of { CHANGE_RECORDS_ALL, CHANGE_RECORDS_TO_CHECK };
int change_records(struct zone_change *c, struct change_edit *e, enum change_records_of what,
		   struct log_record **out, size_t *n) MUST_CHECK;

/* -------- from edits to a snapshot -------- */

/* What a finish has made so far. */
struct change_finish {
	struct zone_change *c;
	struct snapshot *next;
	struct snapshot_remains *remains;
	struct denial_index *index; /* the next one's shell; NULL: there is none */
	struct names_txn *names;
	struct order_txn *order;
	int64_t nsec3_delta, interned_growth; /* octets */
	bool is_committed;
};

#define EACH_EDIT(c, e, depth) for (struct change_edit *e = (c)->at_depth[depth]; e != NULL; e = e->next)

/*
 * For walks over the edits of a depth: the edit some places behind e (NULL: there is none), and a step of such a
 * look ahead, which asks for the node in the base. Nodes lie anywhere, edits one behind the other.
 */
#define CHANGE_AHEAD 8

static inline const struct change_edit *
change_edit_behind(const struct change_edit *e, unsigned n)
{
	while (e != NULL && n-- > 0)
		e = e->next;
	return e;
}

static inline const struct change_edit *
change_fetch(const struct change_edit *ahead)
{
	if (ahead == NULL)
		return NULL;
	node_prefetch(ahead->base);
	return ahead->next;
}

/* Finds out which names exist now, and makes edits of those whose count of children changes. 0 or -ENOMEM. */
int change_plan_existence(struct change_finish *f) MUST_CHECK;

/* Makes the new nodes and NSEC3 sets; faults go to diag. 0, -ENOMEM, or -EINVAL as compile_node(). */
int change_plan_nodes(struct change_finish *f) MUST_CHECK;

/* Puts them into the transactions; room is reserved in the remains. 0, -ENOMEM, or -ENOSPC as names_txn_put(). */
int change_put_edits(struct change_finish *f) MUST_CHECK;

/* Settles what the new snapshot and the remains count, once all is put. */
void change_count(struct change_finish *f);

/* Builds the zone as a whole, from the base's records and the edits: the way out for what is rare. */
int change_rebuild(struct zone_change *c, struct snapshot **out, struct snapshot_remains **remains) MUST_CHECK;

/* Gives a builder the records of all open edits; 0 or -ENOMEM. */
int change_feed_edits(struct zone_change *c, struct zone_builder *b) MUST_CHECK;

/* As zone_builder_finish(), and tells what is left of the base: all of it. */
int change_finish_whole(const struct snapshot *base, struct zone_builder *b, struct diag_list *diag,
			struct snapshot **out, struct snapshot_remains **remains) MUST_CHECK;

#endif
