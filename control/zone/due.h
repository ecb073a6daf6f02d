/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is due when: a binary heap of entries by time, for a million zones with a timer each and one timer of the
 * loop.
 *
 * Entries are part of what they time and know their place, so that they can be moved or taken out. Control thread.
 */
#ifndef ANSER_CONTROL_DUE_H
#define ANSER_CONTROL_DUE_H

#include <stddef.h>
#include <stdint.h>

#include "zones/base/compiler.h"

struct due_entry {
	uint64_t at_ms;
	size_t place; /* in the heap, from 1; 0: not in it */
};

/* All zero is an empty heap. */
struct due {
	struct due_entry **entries;
	size_t n, cap, members;
};

/* One member more: its entry (place 0) can be put in and taken out as often as wanted, and never fails. 0 or
 * -ENOMEM. */
int due_join(struct due *d) MUST_CHECK;

/* The entry is taken out, and its member is one no more. */
void due_leave(struct due *d, struct due_entry *e);

/* Puts a member's entry in, or moves it, to this time. */
void due_set(struct due *d, struct due_entry *e, uint64_t at_ms);

/* The entry has been moved to another address, with what it says; a member. */
void due_follow(struct due *d, struct due_entry *e);

/* Takes it out, if it is in. */
void due_remove(struct due *d, struct due_entry *e);

/* The earliest, or NULL. */
static inline struct due_entry *
due_first(const struct due *d)
{
	return d->n ? d->entries[0] : NULL;
}

/* Frees the heap; its entries are not touched. */
void due_free(struct due *d);

#endif
