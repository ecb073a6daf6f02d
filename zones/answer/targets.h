/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names whose addresses go into the additional section, looked up ahead and for a whole group: the servers of an NS
 * set, mostly, below the delegation. Each is a chain of dependent loads like QNAME's own (engine.h), and what they
 * are is known as soon as the set is. Private to zones/answer. Pure.
 */
#ifndef ANSER_ANSWER_TARGETS_H
#define ANSER_ANSWER_TARGETS_H

#include "zones/store/node.h"
#include "zones/store/zone.h"

/* Of a group together. What finds no place is looked up when the answer is made. */
#define TARGETS_AHEAD 64

struct target {
	const struct node *node; /* after targets_burst(): what the zone has for the name, or NULL */
	const struct names *table;
	const struct names_bucket *bucket;
	const struct names_entry *candidate;
	uint64_t hash;
	struct name name; /* lower case */
};

struct targets {
	unsigned n;
	struct target at[TARGETS_AHEAD]; /* nothing is set up beyond n */
};

/* Those of one set: its first n targets. */
struct targets_ahead {
	const struct target *first;
	unsigned n;
};

/* Begins with the targets of `set`, which is owned by the name of `owner`, and may be followed in `s`. */
struct targets_ahead
targets_begin(struct targets *t, const struct snapshot *s, const struct node *owner, const struct rrset *set);

/* Looks all of them up at once. */
void targets_burst(struct targets *t);

#endif
