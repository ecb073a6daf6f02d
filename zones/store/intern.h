/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hash-consing of record sets: sets with equal octets become one, with a reference for each user.
 *
 * In a TLD millions of delegations share a few thousand NS sets; this is where they find each other. One builder
 * thread; the table lives as long as one build.
 */
#ifndef ANSER_STORE_INTERN_H
#define ANSER_STORE_INTERN_H

#include <stddef.h>

#include "zones/store/rrset.h"

struct intern {
	struct rrset **slots; /* open addressing; borrowed: the references are the users' */
	size_t n, cap;
};

/*
 * Takes the caller's reference to `set` and returns one to an equal set, which may be `set` itself. Out of memory
 * only costs the sharing.
 */
struct rrset *intern_set(struct intern *in, struct rrset *set);

void intern_free(struct intern *in);

#endif
