/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The denial index of a signed zone: which NSEC or NSEC3 record set comes right before, or at, a name that was
 * asked for.
 *
 * NSEC sets stand at their names, so the index of an NSEC zone orders nodes, by canonical name. NSEC3 sets stand at
 * hashed names which nobody asks for by themselves; they are no nodes but objects of their own, ordered by hash. So
 * that an answer computes one hash at most, each node of an NSEC3 zone carries its own hash and that of the
 * wildcard below it (node_hashes()).
 *
 * Immutable once published, like the snapshot that owns it; readers need RCU or a reference on that.
 * Design note: docs/design/denial.md.
 */
#ifndef ANSER_STORE_DENIAL_H
#define ANSER_STORE_DENIAL_H

#include <stdint.h>

#include "zones/store/node.h"
#include "zones/store/order.h"
#include "zones/wire/nsec3.h"

enum denial_kind { DENIAL_BY_NSEC, DENIAL_BY_NSEC3 };

/*
 * One NSEC3 record set with its signatures, at its hash. Owned by the index. As in a node, sets of the usual size
 * lie in the same allocation, the set first.
 */
struct nsec3 {
	const struct rrset *set, *sigs; /* sigs may be NULL */
	uint8_t hash[NSEC3_HASH_LEN];
	uint8_t sets[];
};

struct denial_index {
	enum denial_kind kind;
	struct order order; /* of struct node, or of struct nsec3 */
	uint8_t apex_labels;
	struct nsec3_params params; /* NSEC3 only */
	/* Most denials have the apex as their closest encloser: what proves that it is there (NSEC3 only), and what
	 * covers the wildcard below it. NULL: the chain has a hole there. */
	const void *apex_match, *apex_wildcard;
};

/* The node whose NSEC set covers or matches a name of the zone, in lower case. NULL only where the index is empty.
 */
const struct node *denial_nsec(const struct denial_index *d, const uint8_t *name);

/* The NSEC3 set that covers or matches a hash. NULL only where the index is empty. */
const struct nsec3 *denial_nsec3(const struct denial_index *d, const uint8_t hash[NSEC3_HASH_LEN]);

/* Prefix of a name's place in canonical order among the names below an apex with that many labels (order.h). */
uint64_t denial_name_prefix(const uint8_t *name, unsigned apex_labels);

/* The same for a name whose labels are known already. */
uint64_t denial_suffixes_prefix(const struct name *name, const struct name_suffixes *s, unsigned apex_labels);

/* The NSEC3 set at a node's own hash, or NULL: opt-out leaves insecure delegations, and what only leads to them,
 * without. */
const struct nsec3 *denial_nsec3_of(const struct denial_index *d, const struct node *n);

/* Bytes of the index, its NSEC3 sets included. Walks them. */
size_t denial_bytes(const struct denial_index *d);

/* -------- writers -------- */

/*
 * Makes the index over n nodes that have NSEC sets, in any order (sorted in place). NULL: out of memory.
 */
struct denial_index *denial_new_nsec(const struct node **nodes, size_t n, unsigned apex_labels) MUST_CHECK;

/* Makes the index over n NSEC3 sets, in any order (sorted in place), which it owns from then on. NULL: out of
 * memory. */
struct denial_index *denial_new_nsec3(struct nsec3 **sets, size_t n, const struct nsec3_params *params) MUST_CHECK;

/* Fills in what the index knows of the apex; after it was made or changed. */
void denial_settle_apex(struct denial_index *d, const struct node *apex);

/* A set for the index; a reference on `set` and on `sigs` (may be NULL) goes over to it. NULL: out of memory, and
 * they are still the caller's. */
struct nsec3 *nsec3_new(const uint8_t hash[NSEC3_HASH_LEN], struct rrset *set, struct rrset *sigs) MUST_CHECK;
void nsec3_free(struct nsec3 *n);

/* Frees the index, its NSEC3 sets included, once no reader can see it. NULL is allowed. */
void denial_free(struct denial_index *d);

#endif
