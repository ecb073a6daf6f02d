/* SPDX-License-Identifier: Apache-2.0 */
/* Hash-consing of record sets. See intern.h. */
#include "zones/store/intern.h"

#include <stdatomic.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "zones/base/alloc.h"

/* All that makes a set what it is, its count of references apart. */
static const uint8_t *
content(const struct rrset *s, size_t *len)
{
	*len = rrset_size(s) - offsetof(struct rrset, wire_len);
	return (const uint8_t *)s + offsetof(struct rrset, wire_len);
}

static uint64_t
content_hash(const struct rrset *s)
{
	size_t len;
	const uint8_t *bytes = content(s, &len);
	return XXH3_64bits(bytes, len);
}

static bool
content_equal(const struct rrset *a, const struct rrset *b)
{
	size_t a_len, b_len;
	const uint8_t *x = content(a, &a_len), *y = content(b, &b_len);
	return a_len == b_len && memcmp(x, y, a_len) == 0;
}

static size_t
intern_slot(struct rrset *const *slots, size_t cap, const struct rrset *set, uint64_t hash)
{
	size_t i = hash & (cap - 1);
	while (slots[i] != NULL && !content_equal(slots[i], set))
		i = (i + 1) & (cap - 1);
	return i;
}

static bool
intern_grow(struct intern *in)
{
	if (in->n * 2 < in->cap)
		return true;
	size_t cap = in->cap ? in->cap * 2 : 64;
	struct rrset **slots = zalloc(cap * sizeof(*slots), 0);
	if (slots == NULL)
		return false;
	memset(slots, 0, cap * sizeof(*slots));
	for (size_t i = 0; i < in->cap; i++) {
		if (in->slots[i] != NULL)
			slots[intern_slot(slots, cap, in->slots[i], content_hash(in->slots[i]))] = in->slots[i];
	}
	zalloc_free(in->slots, in->cap * sizeof(*slots));
	in->slots = slots;
	in->cap = cap;
	return true;
}

struct rrset *
intern_set(struct intern *in, struct rrset *set)
{
	if (!intern_grow(in))
		return set;
	size_t i = intern_slot(in->slots, in->cap, set, content_hash(set));
	struct rrset *known = in->slots[i];
	if (known == NULL) {
		in->slots[i] = set;
		in->n++;
		return set;
	}
	atomic_fetch_add_explicit(&known->refs, 1, memory_order_relaxed);
	rrset_release(set);
	return known;
}

void
intern_free(struct intern *in)
{
	zalloc_free(in->slots, in->cap * sizeof(in->slots[0]));
	*in = (struct intern){0};
}
