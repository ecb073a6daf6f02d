/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside a change: edits, which change.c collects and change_finish.c turns into a snapshot. Private to
 * zones/store.
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

	/* From here on, the plan: see change_finish.c. */
	bool has_data, exists, flips, is_checked_wildcard, has_wildcard;
	int64_t children_delta;
	uint32_t covered; /* children in the base all of whose names below are edits themselves, they as well */
	uint8_t flags;
	struct node *node;   /* new; NULL: the base's is good */
	struct nsec3 *nsec3; /* new */
};

struct arena_chunk;

struct zone_change {
	const struct snapshot *base;
	struct record_source source;
	struct compile compile;
	enum zone_change_mode mode;
	bool adds_nsec3;
	struct arena_chunk *arena;
	struct change_edit **table; /* open addressing, by hash */
	size_t n, cap;
	struct change_edit *at_depth[NAME_MAX_LABELS + 1];
};

/* Room in the arena, aligned to 8; NULL: out of memory. */
void *change_alloc(struct zone_change *c, size_t size) MUST_CHECK;

/* The edit of a name, or NULL. */
struct change_edit *change_find(const struct zone_change *c, uint64_t hash, const uint8_t *owner, unsigned len);

/* The edit of a name in lower case, made if there is none; NULL: out of memory. Its records are not opened. */
struct change_edit *
change_touch(struct zone_change *c, uint64_t hash, const uint8_t *owner, unsigned len) MUST_CHECK;

/* Lists the records of a set; 0 or -ENOMEM. */
int change_load(struct zone_change *c, const struct change_edit *e, struct change_set *set) MUST_CHECK;

/* The open edit of an owner of any case; 0, -ENOMEM or -ERANGE: out of zone. */
int change_open(struct zone_change *c, const struct name *owner, struct change_edit **out) MUST_CHECK;

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
 * signatures and NSEC sets that did not change, since nothing refuses a name for these. 0 or -ENOMEM.
 */
enum change_records_of { CHANGE_RECORDS_ALL, CHANGE_RECORDS_TO_CHECK };
int change_records(struct zone_change *c, struct change_edit *e, enum change_records_of what,
		   struct log_record **out, size_t *n) MUST_CHECK;

/* Builds the zone as a whole, from the base's records and the edits: the way out for what is rare. */
int change_rebuild(struct zone_change *c, struct snapshot **out) MUST_CHECK;

#endif
