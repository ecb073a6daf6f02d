/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The names table: reading. See names.h for the shape and docs/design/names-table.md for the reasons and the
 * figures.
 *
 * All pure, on any thread; nothing here allocates.
 */
#include "zones/store/names_private.h"

const uint64_t *
names_page_find(const struct names *t, uint64_t hash, const uint8_t *name, unsigned len)
{
	const struct names_page *page = names_page_of(t, hash);
	unsigned home = names_bucket_index(t, hash);
	for (unsigned k = 0; k <= t->bucket_mask; k++) {
		const struct names_bucket *b = &page->bucket[(home + k) & t->bucket_mask];
		for (unsigned fits = names_bucket_match(b, hash); fits != 0; fits &= fits - 1) {
			const uint64_t *slot = &b->slot[__builtin_ctz(fits)];
			const struct names_entry *e = slot_entry(*slot);
			if (names_entry_is(e, hash, name, len))
				return slot;
		}
		if (!names_bucket_is_full(b))
			return NULL;
	}
	return NULL;
}

const struct names_entry *
names_find_on(const struct names *t, uint64_t hash, const uint8_t *name, unsigned len)
{
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

/* The entries of a page lie anywhere: all are asked for, and come while the first are being looked at. */
static void
page_prefetch(const struct names *t, const struct names_page *page)
{
	for (unsigned i = 0; i < page_slots(t); i++)
		prefetch(slot_entry(*page_slot(page, i)));
}

static void
cursor_turn_page(struct names_cursor *c)
{
	c->page = names_next_page(c->table, &c->at);
	c->slot = 0;
	if (c->page != NULL)
		page_prefetch(c->table, c->page);
}

void
names_cursor_begin(struct names_cursor *c, const struct names *t)
{
	*c = (struct names_cursor){.table = t};
	if (t->top != NULL)
		cursor_turn_page(c);
}

const struct names_entry *
names_cursor_next(struct names_cursor *c)
{
	while (c->page != NULL) {
		for (unsigned slots = page_slots(c->table); c->slot < slots;) {
			uint64_t word = *page_slot(c->page, c->slot++);
			if (word != 0)
				return slot_entry(word);
		}
		cursor_turn_page(c);
	}
	return NULL;
}

/* A page's number is the lowest directory index that leads to it. */
static uint64_t
place_of(const struct names *t, uint32_t index, unsigned slot)
{
	uint32_t first = index & low_bits(page_word(t, index) & NAMES_PAGE_DEPTH_MASK);
	return (uint64_t)first * page_slots(t) + slot;
}

uint64_t
names_places(const struct names *t)
{
	return t->top != NULL ? (t->mask + UINT64_C(1)) * page_slots(t) : 0;
}

const struct names_entry *
names_find_place(const struct names *t, uint64_t hash, const uint8_t *name, unsigned len, uint64_t *place)
{
	const uint64_t *slot = t->top != NULL ? names_page_find(t, hash, name, len) : NULL;
	if (slot == NULL)
		return NULL;
	*place = place_of(t, (uint32_t)hash & t->mask, (unsigned)(slot - page_slot(names_page_of(t, hash), 0)));
	return slot_entry(*slot);
}

uint64_t
names_cursor_place(const struct names_cursor *c)
{
	return place_of(c->table, c->at - 1, c->slot - 1);
}

static int
page_walk(const struct names *t, const struct names_page *page,
	  int (*visit)(const struct names_entry *e, void *arg), void *arg)
{
	int rc = 0;
	page_prefetch(t, page);
	for (unsigned i = 0; i < page_slots(t) && rc == 0; i++) {
		uint64_t word = *page_slot(page, i);
		rc = word != 0 ? visit(slot_entry(word), arg) : 0;
	}
	return rc;
}

int
names_walk(const struct names *t, int (*visit)(const struct names_entry *e, void *arg), void *arg)
{
	struct names_cursor c;
	int rc = 0;
	names_cursor_begin(&c, t);
	for (const struct names_entry *e; rc == 0 && (e = names_cursor_next(&c)) != NULL;)
		rc = visit(e, arg);
	return rc;
}

/* A page belongs to the stretch that holds the lowest index which leads to it. */
int
names_walk_part(const struct names *t, size_t part, size_t parts,
		int (*visit)(const struct names_entry *e, void *arg), void *arg)
{
	uint64_t n_pages = t->mask + UINT64_C(1);
	uint32_t at = (uint32_t)(n_pages * part / parts), end = (uint32_t)(n_pages * (part + 1) / parts);
	const struct names_page *page;
	int rc = 0;
	while (t->top != NULL && rc == 0 && at < end && (page = names_next_page(t, &at)) != NULL && at <= end)
		rc = page_walk(t, page, visit, arg);
	return rc;
}

int
names_walk_unshared(const struct names *t, const struct names *other,
		    int (*visit)(const struct names_entry *e, void *arg), void *arg)
{
	const struct names_page *page;
	int rc = 0;
	for (uint32_t at = 0; t->top != NULL && rc == 0 && (page = names_next_page(t, &at)) != NULL;)
		rc = other->top == NULL || !page_is_in(other, at - 1, page) ? page_walk(t, page, visit, arg) : 0;
	return rc;
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
