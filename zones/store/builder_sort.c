/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The zone builder: the order of the log. See builder.h.
 *
 * Records are scattered to parts by the lowest bits of their owner's hash, and each part, which fits in a cache, is
 * sorted on its own: to buckets by the next bits, then bucket by bucket. So the log follows the pages of the names
 * table, a large build fills one after the other, and a crew sorts, compiles and checks parts side by side. All of
 * it keeps the order of equal records, so that what is reported of duplicates does not depend on who sorted them.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "zones/base/alloc.h"
#include "zones/base/bytes.h"
#include "zones/store/builder_private.h"

#define PART_RECORDS 16384 /* at most, on average: 0.9 MB */
#define PARTS_BITS_MAX 12
#define FEW 24 /* records that are sorted by insertion */

static int
log_compare(const struct log_record *x, const struct log_record *y)
{
	if (x->hash != y->hash)
		return x->hash < y->hash ? -1 : 1;
	if (x->owner != y->owner) {
		if (x->owner_len != y->owner_len)
			return x->owner_len < y->owner_len ? -1 : 1;
		int order = memcmp(x->owner, y->owner, x->owner_len);
		if (order != 0)
			return order;
	}
	uint32_t x_key = log_record_type_key(x->type, x->rdata);
	uint32_t y_key = log_record_type_key(y->type, y->rdata);
	if (x_key != y_key)
		return x_key < y_key ? -1 : 1;
	return log_record_compare_rdata(x, y);
}

/* -------- one part -------- */

/* Numbers of records in their order. */
static int
compare_numbers(const void *a, const void *b, void *arg)
{
	const struct log_record *records = arg;
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	int order = log_compare(&records[x], &records[y]);
	return order != 0 ? order : x < y ? -1 : 1;
}

static void
sort_numbers(struct log_record *records, uint32_t *numbers, size_t n)
{
	if (n > FEW) {
		qsort_r(numbers, n, sizeof(*numbers), compare_numbers, records);
		return;
	}
	for (size_t i = 1; i < n; i++) {
		uint32_t number = numbers[i];
		size_t k = i;
		for (; k > 0 && log_compare(&records[numbers[k - 1]], &records[number]) > 0; k--)
			numbers[k] = numbers[k - 1];
		numbers[k] = number;
	}
}

static void
sort_few(struct log_record *records, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		struct log_record r = records[i];
		size_t k = i;
		for (; k > 0 && log_compare(&records[k - 1], &r) > 0; k--)
			records[k] = records[k - 1];
		records[k] = r;
	}
}

/* The buckets of a part: where each begins in `numbers`, behind filling where it ends. */
struct buckets {
	uint32_t *start, *numbers;
	unsigned shift, mask;
};

static void
fill_buckets(const struct buckets *k, const struct log_record *records, size_t n)
{
	memset(k->start, 0, (k->mask + 2) * sizeof(*k->start));
	for (size_t i = 0; i < n; i++)
		k->start[(records[i].hash >> k->shift & k->mask) + 1]++;
	for (size_t i = 0; i <= k->mask; i++)
		k->start[i + 1] += k->start[i];
	for (size_t i = 0; i < n; i++)
		k->numbers[k->start[records[i].hash >> k->shift & k->mask]++] = (uint32_t)i;
}

/* Comparing looks at data, which lies where it came: it is asked for while the bucket before is being sorted. */
static void
sort_buckets(const struct buckets *k, struct log_record *records)
{
	for (size_t i = 0; i <= k->mask; i++) {
		size_t from = i == 0 ? 0 : k->start[i - 1];
		size_t next_end = i < k->mask ? k->start[i + 1] : k->start[i];
		for (size_t at = k->start[i]; at < next_end; at++)
			prefetch(records[k->numbers[at]].rdata);
		sort_numbers(records, k->numbers + from, k->start[i] - from);
	}
}

static int
sort_many(struct log_record *records, size_t n, unsigned shift)
{
	unsigned bits = 0;
	while (bits < 16 && n >> (bits + 2) != 0)
		bits++;
	size_t n_numbers = n + ((size_t)1 << bits) + 1;
	struct log_record *copy = zalloc(n * sizeof(*copy), 0);
	uint32_t *numbers = zalloc(n_numbers * sizeof(*numbers), 0);
	int err = copy == NULL || numbers == NULL || n > UINT32_MAX ? -ENOMEM : 0;
	if (err == 0) {
		struct buckets k = {
			.numbers = numbers, .start = numbers + n, .shift = shift, .mask = (1u << bits) - 1};
		memcpy(copy, records, n * sizeof(*copy));
		fill_buckets(&k, copy, n);
		sort_buckets(&k, copy);
		for (size_t i = 0; i < n; i++)
			records[i] = copy[numbers[i]];
	}
	zalloc_free(copy, n * sizeof(*copy));
	zalloc_free(numbers, n_numbers * sizeof(*numbers));
	return err;
}

/* -------- the log -------- */

/* Some chunks of the log, which are scattered by one thread; at[p]: where its next record of part p belongs. */
struct strip {
	const struct log_chunk *first;
	size_t n_chunks;
	size_t *at;
};

#define STRIPS_MAX 64

struct sort {
	struct zone_builder *b;
	size_t n_strips, *counts;
	struct strip strips[STRIPS_MAX];
	_Atomic int err;
};

static size_t
part_of(const struct sort *s, const struct log_record *r)
{
	return r->hash & (s->b->n_parts - 1);
}

static void
count_strip(void *arg, size_t i)
{
	struct sort *s = arg;
	const struct strip *strip = &s->strips[i];
	const struct log_chunk *c = strip->first;
	memset(strip->at, 0, s->b->n_parts * sizeof(*strip->at));
	for (size_t k = 0; k < strip->n_chunks; k++, c = c->next)
		for (size_t r = 0; r < c->n; r++)
			strip->at[part_of(s, &c->records[r])]++;
}

static void
scatter_strip(void *arg, size_t i)
{
	struct sort *s = arg;
	const struct strip *strip = &s->strips[i];
	const struct log_chunk *c = strip->first;
	for (size_t k = 0; k < strip->n_chunks; k++, c = c->next)
		for (size_t r = 0; r < c->n; r++)
			s->b->records[strip->at[part_of(s, &c->records[r])]++] = c->records[r];
}

/* From counts to places: part by part, and in a part strip by strip, as the records came. */
static void
place_parts(struct sort *s)
{
	size_t at = 0;
	for (size_t p = 0; p < s->b->n_parts; p++) {
		for (size_t i = 0; i < s->n_strips; i++) {
			size_t n = s->strips[i].at[p];
			s->strips[i].at[p] = at;
			at += n;
		}
		s->b->parts[p] = (struct log_part){.end = at};
	}
}

static void
sort_part(void *arg, size_t p)
{
	struct sort *s = arg;
	struct zone_builder *b = s->b;
	struct log_part *part = &b->parts[p];
	size_t from = log_part_start(b, p), n = part->end - from;
	unsigned shift = (unsigned)__builtin_ctzll(b->n_parts);
	for (size_t i = from; i < part->end; i++) {
		part->has_nsec3 |= b->records[i].type == RRTYPE_NSEC3;
		part->has_chain |= b->records[i].type == RRTYPE_NSEC || b->records[i].type == RRTYPE_NSEC3 ||
				   b->records[i].type == RRTYPE_NSEC3PARAM;
	}
	if (n <= FEW)
		sort_few(b->records + from, n);
	else if (sort_many(b->records + from, n, shift) != 0)
		atomic_store_explicit(&s->err, -ENOMEM, memory_order_relaxed);
}

/* Deals the chunks out to strips, about as many to each. */
static void
cut_strips(struct sort *s)
{
	const struct log_chunk *c = s->b->first_chunk;
	size_t n_chunks = 0;
	for (const struct log_chunk *k = c; k != NULL; k = k->next)
		n_chunks++;
	s->n_strips = n_chunks < STRIPS_MAX ? n_chunks : STRIPS_MAX;
	for (size_t i = 0; i < s->n_strips; i++) {
		size_t n = n_chunks * (i + 1) / s->n_strips - n_chunks * i / s->n_strips;
		s->strips[i] = (struct strip){.first = c, .n_chunks = n};
		for (size_t k = 0; k < n; k++)
			c = c->next;
	}
}

/* The parts, and the array for all records; what was made is the builder's also where it fails. */
static int
make_room(struct sort *s)
{
	struct zone_builder *b = s->b;
	unsigned bits = 0;
	while (bits < PARTS_BITS_MAX && b->n >> bits > PART_RECORDS)
		bits++;
	b->n_parts = (size_t)1 << bits;
	b->parts = zalloc(b->n_parts * sizeof(*b->parts), 0);
	b->records = zalloc(b->n * sizeof(*b->records), 0);
	s->counts = zalloc(s->n_strips * b->n_parts * sizeof(*s->counts), 0);
	if (b->parts == NULL || (b->records == NULL && b->n != 0) || (s->counts == NULL && s->n_strips != 0))
		return -ENOMEM;
	for (size_t i = 0; i < s->n_strips; i++)
		s->strips[i].at = s->counts + i * b->n_parts;
	return 0;
}

int
log_sort(struct zone_builder *b)
{
	struct sort s = {.b = b};
	cut_strips(&s);
	int err = make_room(&s);
	if (err == 0) {
		crew_each(b->crew, s.n_strips, count_strip, &s);
		place_parts(&s);
		crew_each(b->crew, s.n_strips, scatter_strip, &s);
		log_free_chunks(b);
		crew_each(b->crew, b->n_parts, sort_part, &s);
		err = s.err;
	}
	zalloc_free(s.counts, s.n_strips * b->n_parts * sizeof(*s.counts));
	return err;
}
