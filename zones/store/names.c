/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The names table: reading. See names.h for the shape and docs/design/names-table.md for the reasons and the
 * figures.
 *
 * All pure, on any thread; nothing here allocates.
 */
#include "zones/base/bytes.h"
#include "zones/store/names_private.h"

#if defined(__SSE4_1__)
#include <smmintrin.h>
#endif

/*
 * One bit for each slot whose tag fits; no branch until all eight are known. An empty slot fits tag 0: callers look
 * for the NULL.
 */
static inline unsigned
bucket_match(const struct names_bucket *b, uint64_t hash)
{
#if defined(__SSE4_1__)
	/* The tags of all eight words in one register: 6 cycles against 13 of the loop below. */
	const __m128i *slot = (const __m128i *)b->slot;
	__m128i low = _mm_packus_epi32(_mm_srli_epi64(slot[0], NAMES_TAG_SHIFT),
				       _mm_srli_epi64(slot[1], NAMES_TAG_SHIFT));
	__m128i high = _mm_packus_epi32(_mm_srli_epi64(slot[2], NAMES_TAG_SHIFT),
					_mm_srli_epi64(slot[3], NAMES_TAG_SHIFT));
	__m128i tags = _mm_packus_epi32(low, high);
	__m128i equal = _mm_cmpeq_epi16(tags, _mm_set1_epi16((short)(hash >> NAMES_TAG_SHIFT)));
	return (unsigned)_mm_movemask_epi8(_mm_packs_epi16(equal, equal)) & 0xff;
#else
	unsigned fits = 0;
#pragma GCC unroll 8
	for (unsigned i = 0; i < NAMES_BUCKET_SLOTS; i++)
		fits |= (unsigned)((b->slot[i] ^ hash) >> NAMES_TAG_SHIFT == 0) << i;
	return fits;
#endif
}

static inline bool
entry_is(const struct names_entry *e, uint64_t hash, const uint8_t *name, unsigned len)
{
	return e != NULL && e->hash == hash && e->name_len == len && octets_equal(names_entry_name(e), name, len);
}

const uint64_t *
names_page_find(const struct names *t, uint64_t hash, const uint8_t *name, unsigned len)
{
	const struct names_page *page = names_page_of(t, hash);
	unsigned home = names_bucket_index(t, hash);
	for (unsigned k = 0; k <= t->bucket_mask; k++) {
		const struct names_bucket *b = &page->bucket[(home + k) & t->bucket_mask];
		for (unsigned fits = bucket_match(b, hash); fits != 0; fits &= fits - 1) {
			const uint64_t *slot = &b->slot[__builtin_ctz(fits)];
			const struct names_entry *e = slot_entry(*slot);
			if (entry_is(e, hash, name, len))
				return slot;
		}
		if (!bucket_is_full(b))
			return NULL;
	}
	return NULL;
}

const struct names_entry *
names_candidate(const struct names_bucket *bucket, uint64_t hash)
{
	unsigned fits = bucket_match(bucket, hash);
	return fits != 0 ? slot_entry(bucket->slot[__builtin_ctz(fits)]) : NULL;
}

const struct names_entry *
names_find(const struct names *t, uint64_t hash, const uint8_t *name, unsigned len)
{
	if (unlikely(t->top == NULL))
		return NULL;
	const struct names_bucket *home = names_bucket_of(t, hash);
	return names_find_from(t, home, names_candidate(home, hash), hash, name, len);
}

const struct names_entry *
names_find_from(const struct names *t, const struct names_bucket *home, const struct names_entry *candidate,
		uint64_t hash, const uint8_t *name, unsigned len)
{
	if (likely(entry_is(candidate, hash, name, len)))
		return candidate;
	if (candidate == NULL && !bucket_is_full(home))
		return NULL;
	const uint64_t *slot = names_page_find(t, hash, name, len);
	return slot != NULL ? slot_entry(*slot) : NULL;
}

struct names_page *
names_next_page(const struct names *t, uint32_t *at)
{
	while (*at <= t->mask) {
		if (*at % NAMES_CHUNK_PAGES == 0 && !chunk_is_first(t, *at / NAMES_CHUNK_PAGES)) {
			*at += NAMES_CHUNK_PAGES;
			continue;
		}
		uint32_t index = (*at)++;
		uintptr_t word = page_word(t, index);
		if (page_is_first(index, word))
			return page_of_word(word);
	}
	return NULL;
}

int
names_walk(const struct names *t, int (*visit)(const struct names_entry *e, void *arg), void *arg)
{
	const struct names_page *page;
	if (t->top == NULL)
		return 0;
	for (uint32_t at = 0; (page = names_next_page(t, &at)) != NULL;) {
		for (unsigned i = 0; i < page_slots(t); i++) {
			uint64_t word = *page_slot(page, i);
			int rc = word != 0 ? visit(slot_entry(word), arg) : 0;
			if (rc != 0)
				return rc;
		}
	}
	return 0;
}

size_t
names_bytes(const struct names *t)
{
	if (t->top == NULL)
		return 0;
	size_t bytes = top_len(t) * sizeof(*t->top);
	for (uint32_t place = 0; place < top_len(t); place++)
		bytes += chunk_is_first(t, place) ? chunk_bytes(t) : 0;
	for (uint32_t at = 0; names_next_page(t, &at) != NULL;)
		bytes += page_bytes(t);
	return bytes;
}
