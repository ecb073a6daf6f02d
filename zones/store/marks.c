/* SPDX-License-Identifier: Apache-2.0 */
/* Marks of objects. See marks.h. A builder thread. */
#include "zones/store/marks.h"

#include <errno.h>
#include <string.h>

#include "zones/base/alloc.h"

#define ADDRESS_BITS 48
#define ADDRESS_MASK ((UINT64_C(1) << ADDRESS_BITS) - 1)

/* The object's slot, or the empty one where it belongs. Tables of any length: the hash is scaled down to it. */
static size_t
find_slot(const struct marks *m, uint64_t address)
{
	uint64_t hash = address * UINT64_C(0x9e3779b97f4a7c15);
	size_t i = (size_t)((unsigned __int128)hash * m->cap >> 64);
	while (m->slots[i] != 0 && (m->slots[i] & ADDRESS_MASK) != address)
		i = i + 1 < m->cap ? i + 1 : 0;
	return i;
}

static int
resize(struct marks *m, size_t cap)
{
	struct marks bigger = {.n = m->n, .cap = cap, .slots = zalloc(cap * sizeof(m->slots[0]), 0)};
	if (bigger.slots == NULL)
		return -ENOMEM;
	memset(bigger.slots, 0, cap * sizeof(m->slots[0]));
	for (size_t i = 0; i < m->cap; i++) {
		if (m->slots[i] != 0)
			bigger.slots[find_slot(&bigger, m->slots[i] & ADDRESS_MASK)] = m->slots[i];
	}
	marks_free(m);
	*m = bigger;
	return 0;
}

/* Three quarters full at most. */
int
marks_reserve(struct marks *m, size_t n)
{
	size_t cap = n + n / 3 + 2;
	return cap > m->cap ? resize(m, cap) : 0;
}

uint16_t
marks_get(const struct marks *m, const void *object)
{
	return m->cap != 0 ? (uint16_t)(m->slots[find_slot(m, (uintptr_t)object)] >> ADDRESS_BITS) : 0;
}

int
marks_set(struct marks *m, const void *object, uint16_t bits)
{
	uint64_t word = (uint64_t)bits << ADDRESS_BITS | (uintptr_t)object;
	if (m->cap != 0) {
		size_t i = find_slot(m, (uintptr_t)object);
		if (m->slots[i] != 0) {
			m->slots[i] = word;
			return 0;
		}
	}
	if (4 * (m->n + 1) > 3 * m->cap && resize(m, m->cap + m->cap / 2 + 16) != 0)
		return -ENOMEM;
	m->slots[find_slot(m, (uintptr_t)object)] = word;
	m->n++;
	return 0;
}

void
marks_free(struct marks *m)
{
	zalloc_free(m->slots, m->cap * sizeof(m->slots[0]));
	*m = (struct marks){0};
}
