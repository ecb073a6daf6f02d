/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sixteen bits for some objects of a snapshot, beside them: about eleven octets each. For objects that have no
 * place in a table (names.h), or too few of which are marked for one.
 *
 * Open addressing by the object's address. One builder thread; objects are told apart by address alone and never
 * touched.
 */
#ifndef ANSER_STORE_MARKS_H
#define ANSER_STORE_MARKS_H

#include <stddef.h>
#include <stdint.h>

#include "zones/base/compiler.h"

struct marks {
	uint64_t *slots; /* bits << 48 | address; 0: empty */
	size_t n, cap;
};

/* Makes room for `n` objects in all, so that marking these cannot fail. 0 or -ENOMEM. */
int marks_reserve(struct marks *m, size_t n) MUST_CHECK;

/* The object's bits; 0 where none were set. */
uint16_t marks_get(const struct marks *m, const void *object);

/* Sets all of the object's bits. 0 or -ENOMEM, the latter only for an object that was not marked before. */
int marks_set(struct marks *m, const void *object, uint16_t bits) MUST_CHECK;

void marks_free(struct marks *m);

#endif
