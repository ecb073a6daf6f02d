/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a transaction on a persistent structure replaced: still visible to readers of the older version, and to be
 * freed after a grace period, or at once where nobody could see that version.
 *
 * Room is reserved before anything is replaced, so that a commit cannot fail. One builder thread; then whoever
 * reclaims.
 */
#ifndef ANSER_STORE_GARBAGE_H
#define ANSER_STORE_GARBAGE_H

#include <stddef.h>

#include "zones/base/compiler.h"

struct garbage_item {
	void *p;
	size_t size; /* as zalloc() was asked for */
};

struct garbage {
	struct garbage_item *items;
	size_t n, cap;
};

/* Makes room for `more` items, so that adding them cannot fail. 0 or -ENOMEM. */
int garbage_reserve(struct garbage *g, size_t more) MUST_CHECK;

/* Adds an item; room was reserved. */
void garbage_add(struct garbage *g, void *p, size_t size);

/* Frees the list alone; what it lists lives on. */
void garbage_drop(struct garbage *g);

/* Frees all of it and the list itself. */
void garbage_free(struct garbage *g);

#endif
