/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What two versions of a zone do not share.
 *
 * A snapshot made by a change (change.h) shares nodes, pages and record sets with the one that it was made from,
 * its base. Ownership is this: the newer snapshot owns all that it reaches, so snapshot_free() on the newest
 * version alone frees a zone; what only the base still used is listed in a struct snapshot_remains. Each of the two
 * sides is freed once:
 *
 *     published      snapshot_remains_free(): the base's side, after a grace period
 *     thrown away    snapshot_discard(): the newer side, at once; the base is whole again
 *
 * Versions form a row, and an older one uses what younger remains list: the remains of version k may be freed when
 * k has no reader and all versions older than k have been freed (control/publish/publish.h keeps that order).
 *
 * Record sets that stand alone are counted (rrset.h), so both sides give references back and need no list of sets.
 */
#ifndef ANSER_STORE_REMAINS_H
#define ANSER_STORE_REMAINS_H

#include <stddef.h>

#include "zones/store/denial.h"
#include "zones/store/garbage.h"
#include "zones/store/zone.h"

struct snapshot_remains {
	struct snapshot *base;        /* the snapshot struct itself, with its SOA sets and the shell of its index */
	bool shares_nothing;          /* the change was built as a whole: each side is all of its snapshot */
	struct garbage names, order;  /* pages and directories that only the base uses */
	struct garbage nodes, nsec3s; /* objects, likewise: each gives back its references to sets */
	struct garbage new_nodes, new_nsec3s; /* what only the newer one uses; lists, for snapshot_discard() */
	size_t bytes;                         /* what freeing the base's side gives back */
	size_t new_bytes;                     /* what the newer side takes; pages that were split are not counted */
};

/*
 * Frees the base's side and the remains themselves. Requires: no reader of the base or of any older version is
 * left. Any thread. NULL is allowed.
 */
void snapshot_remains_free(struct snapshot_remains *r);

/*
 * Throws away `s`, which was never published and which came with `r`: frees all that its base does not use, and the
 * remains. The base stays as it was. Reads the directory of the names table once. The builder thread, or the one
 * that would have published.
 */
void snapshot_discard(struct snapshot *s, struct snapshot_remains *r);

#endif
