/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hash-consing of record sets: sets with equal octets become one, with a reference for each user.
 *
 * In a TLD millions of delegations share a few thousand NS sets; this is where they find each other. A table
 * belongs to a zone, not to one of its versions: the builder makes it, where the zone has sets in common, and each
 * change hands it on to the version that it makes. All snapshots that have it hold it; the last one frees it.
 *
 * Writers alone use a table, one at a time: between intern_open() and intern_close(), which whoever comes second is
 * refused, so that a mistake costs sharing and no more. Readers never see it. The last release may happen on any
 * thread.
 *
 * The table does not keep sets in use; it marks those that it lists (RRSET_LISTED), which keeps them in memory when
 * their last user has gone, until a later change passes by and drops them. Until then an equal set finds them
 * again. Design note: docs/design/changes.md, "Sharing of equal sets".
 */
#ifndef ANSER_STORE_INTERN_H
#define ANSER_STORE_INTERN_H

#include <stdbool.h>
#include <stddef.h>

#include "zones/base/compiler.h"
#include "zones/store/rrset.h"

struct intern;

/* An empty table, held once by the caller and open. NULL: out of memory. */
struct intern *intern_new(void) MUST_CHECK;

/* Holds the table (may be NULL) once more; returns it. */
struct intern *intern_hold(struct intern *in);

/* Gives up a hold; the last one frees the table, and those of its sets that have no user. NULL is allowed. Any
 * thread. */
void intern_release(struct intern *in);

/* Opens the table for the caller, who holds it; false: somebody else has it open. */
bool intern_open(struct intern *in) MUST_CHECK;

/*
 * Closes it after a change of `n_edits` names, and looks at some slots for sets without users: as many as former
 * changes, by their size, may have left, but for one change no more than follows its own size, and some hundred.
 */
void intern_close(struct intern *in, size_t n_edits);

/*
 * Takes the caller's reference to `set`, which no table lists and nobody else sees, and returns one to an equal
 * set, which may be `set` itself. Out of memory only costs the sharing. The table is open.
 *
 * Cost: one probe. Once in a while the table is made anew, twice as large, which takes 20 to 110 ns a set (100,000
 * sets: 5 to 11 ms), and not before its sets have become twice as many since.
 */
struct rrset *intern_set(struct intern *in, struct rrset *set);

/*
 * Lists in `into` what `from` lists, both open, and frees `from`, which nobody else holds. Of sets that both list,
 * only that of `into` is found from here on; the other one goes with its users. Out of memory: the same.
 */
void intern_join(struct intern *into, struct intern *from);

/* Has it saved more memory than it takes? Counts what was found since it is new. The table is open. */
bool intern_is_worth_it(const struct intern *in);

/* Octets of the table itself; its sets count where they are used. Any thread that holds it. */
size_t intern_bytes(const struct intern *in);

/* How many sets it lists, and octets of those that have no user now and wait to be dropped. Walks the table (may be
 * NULL), while nobody has it open. */
struct intern_stats {
	size_t n_sets, unused_bytes;
};
struct intern_stats intern_stats(const struct intern *in);

#endif
