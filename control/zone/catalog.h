/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One catalog zone (RFC 9432, version 2) as a consumer reads it: a snapshot in, members and their changes out.
 *
 *     version.CATALOG           TXT  "2"
 *     ID.zones.CATALOG          PTR  member zone       the member node; ID is its unique label
 *     group.ID.zones.CATALOG    TXT  groups
 *     coo.ID.zones.CATALOG      PTR  catalog that may take the member over (change of ownership)
 *
 * Everything else in the zone is ignored. A catalog is broken, and changes nothing, where one of these says what it
 * must not: no or another version, two records where one belongs, a member zone under two IDs (section 4).
 *
 * An update is made first, which may fail and leaves the members alone, and then committed, which cannot fail. It
 * costs what the difference between the two snapshots costs (zones/store/diff.h), not what the catalog does.
 *
 * Members of one catalog belong to one thread at a time; an update may be made on a pool thread if nobody else
 * touches the members until it is committed or aborted. Snapshots are held by RCU or a reference during the call.
 * Who owns a member that two catalogs claim is decided in catalogs.h. Design note: docs/design/catalogs.md.
 */
#ifndef ANSER_CONTROL_CATALOG_H
#define ANSER_CONTROL_CATALOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "zones/base/compiler.h"
#include "zones/base/diag.h"
#include "zones/store/names.h"
#include "zones/store/zone.h"
#include "zones/wire/name.h"

/* A name, or with a leading `*` everything below the rest; no patterns: all. `name` is lower case. */
bool catalog_admits(const struct name *patterns, unsigned n, const uint8_t *name);

/* -------- members -------- */

#define CATALOG_MEMBER_OWNS 1 /* of entry.flags: its zone is served by its word (catalogs.c's) */

/*
 * One member, immutable but for the flag, in one allocation; read it by the functions below. The entry's name is
 * the member zone's, in lower case.
 */
struct catalog_member {
	struct names_entry entry;
	const struct catalog_members *members; /* whose it is */
	uint32_t size;                         /* octets of the allocation */
	uint32_t coo_off, groups_off;          /* from the start; coo_off 0: none */
	uint16_t n_groups, id_off;
};
_Static_assert(sizeof(struct catalog_member) == 40, "a million of them");

/* The member zone's name, lower case. */
static inline const uint8_t *
catalog_member_name(const struct catalog_member *m)
{
	return names_entry_name(&m->entry);
}

/* Its unique label in the catalog, lower case, with the length octet in front. */
static inline const uint8_t *
catalog_member_id(const struct catalog_member *m)
{
	return (const uint8_t *)m + m->id_off;
}

/* The apex of the catalog that may take it over, lower case, or NULL. */
static inline const uint8_t *
catalog_member_coo(const struct catalog_member *m)
{
	return m->coo_off != 0 ? (const uint8_t *)m + m->coo_off : NULL;
}

bool catalog_member_has_id_of(const struct catalog_member *m, const struct catalog_member *other);

/* The i-th group in canonical order, i < n_groups: all strings of its TXT record in one. Not ended by a NUL. */
const char *catalog_member_group(const struct catalog_member *m, unsigned i, size_t *len);

/* What a member is made of, where it does not come from a snapshot. */
struct catalog_member_parts {
	const struct name *name; /* any case */
	const uint8_t *id;       /* a label with its length octet */
	const struct name *coo;  /* NULL: none */
	const uint8_t *groups;   /* each with its length in two octets before it, big-endian */
	size_t groups_len;
	unsigned n_groups;
};

/* The groups of a member in that form. */
const uint8_t *catalog_member_groups(const struct catalog_member *m, size_t *len);

/* -------- the members of a catalog -------- */

struct catalog_members {
	struct names names; /* entries are struct catalog_member, owned */
	struct name apex;   /* of the catalog, lower case */
	uint32_t serial;    /* of the version that they are those of */
	bool has_serial;    /* they are those of one version, so that differences from it can be used */
};

/* No members yet. */
void catalog_members_init(struct catalog_members *m, const struct name *apex);

/* Frees the members. */
void catalog_members_clear(struct catalog_members *m);

const struct catalog_member *catalog_members_find(const struct catalog_members *m, const uint8_t *name);

/* -------- updates -------- */

/* Of one name: added (old is NULL), removed (new is NULL), or changed; another id means that its state is reset. */
struct catalog_change {
	const struct catalog_member *old, *new;
};

struct catalog_update {
	struct catalog_change *changes; /* no two of one name, in no particular order */
	size_t n, cap;
	size_t n_freed;        /* of the old ones */
	struct names_txn *txn; /* the members as they will be; names_txn_find() */
	uint32_t serial;
	bool has_serial;
	bool is_whole; /* the table was begun anew */
};

/*
 * Makes the update from `m` to the version `next`. `base` is the version before, which the difference is taken from
 * if `m` was read from it (by its serial); NULL, or another one: the whole catalog is read.
 *
 * 0 and *out, to be committed or aborted; -EBADMSG: `next` is broken, an error in diag says why; -ENOMEM, -ENOSPC.
 */
int catalog_update_make(const struct catalog_members *m, const struct snapshot *base, const struct snapshot *next,
			struct catalog_update *out, struct diag_list *diag) MUST_CHECK;

/*
 * Makes an update that puts one member in, from a record of earlier times; the next update after it reads the whole
 * catalog, and tells what has changed since. 0; -EEXIST: a member has the name already; -ENOMEM, -ENOSPC.
 */
int catalog_update_restore(const struct catalog_members *m, const struct catalog_member_parts *parts,
			   struct catalog_update *out) MUST_CHECK;

/* Makes it so. Those that are members no more can be looked at in u->changes until catalog_update_end(). */
void catalog_update_apply(struct catalog_members *m, struct catalog_update *u);

/* Behind that: frees up to `n` old members. True: those were all, and the update is consumed. */
bool catalog_update_end(struct catalog_update *u, size_t n) MUST_CHECK;

/* Both. */
void catalog_update_commit(struct catalog_members *m, struct catalog_update *u);

/* Frees the update and the new members. */
void catalog_update_abort(struct catalog_update *u);

#endif
