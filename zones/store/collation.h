/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A zone's names in canonical order (RFC 4034 section 6.1), for what must read a whole zone in that order: digests
 * and checks. Nodes come from the names table, which has no order; NSEC3 sets, which are no nodes, from the denial
 * index.
 *
 * Made on a builder thread; holds addresses into the snapshot and must not outlive it.
 */
#ifndef ANSER_STORE_COLLATION_H
#define ANSER_STORE_COLLATION_H

#include <stddef.h>
#include <stdint.h>

#include "zones/base/compiler.h"
#include "zones/store/denial.h"
#include "zones/store/zone.h"

/* One name: a node, which may be an empty non-terminal, or an NSEC3 set. */
struct collation_name {
	uint64_t prefix; /* denial_name_prefix(): settles most comparisons */
	const uint8_t *name;
	const struct node *node;   /* NULL: an NSEC3 set */
	const struct nsec3 *nsec3; /* NULL: a node */
};

struct collation {
	const struct snapshot *snapshot;
	struct collation_name *names;
	size_t n, cap;
	uint8_t *owners; /* of the NSEC3 sets, whose names are written nowhere else */
};

/* Collects and sorts the names of a snapshot of the zone `apex` (lower case). 0 or -ENOMEM with *out untouched. */
int collation_make(const struct snapshot *s, const uint8_t *apex, struct collation *out) MUST_CHECK;

void collation_free(struct collation *c);

#endif
