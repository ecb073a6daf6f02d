/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The zone builder: the log of records. See builder.h.
 *
 * Records are kept as they come. Finishing sorts them so that the records of a name stand together, compiles the
 * names (builder_compile.c) and checks the zone as a whole (builder_check.c). Sorting follows the low bits of the
 * hash, as the names table's pages do, so a large build fills one page after the other.
 */
#include "zones/store/builder.h"

#include <errno.h>
#include <stdlib.h>

#include "zones/base/alloc.h"
#include "zones/base/bytes.h"
#include "zones/store/builder_private.h"
#include "zones/wire/rdata.h"

/* -------- the log -------- */

/* Chunks double from this to that, as the log's do below. */
#define TEXT_CHUNK_FIRST 4096
#define TEXT_CHUNK_LAST (256 * 1024)

struct text_chunk {
	struct text_chunk *next;
	size_t used, cap;
	uint8_t bytes[];
};

static uint8_t *
text_reserve(struct zone_builder *b, size_t len)
{
	if (b->text == NULL || b->text->cap - b->text->used < len) {
		size_t cap = b->text == NULL ? TEXT_CHUNK_FIRST : 2 * b->text->cap;
		cap = cap > TEXT_CHUNK_LAST ? TEXT_CHUNK_LAST : cap;
		cap = cap < len ? len : cap;
		struct text_chunk *chunk = zalloc(sizeof(*chunk) + cap, 0);
		if (chunk == NULL)
			return NULL;
		*chunk = (struct text_chunk){.next = b->text, .cap = cap};
		b->text = chunk;
	}
	uint8_t *p = b->text->bytes + b->text->used;
	b->text->used += len;
	return p;
}

void
record_source_init(struct record_source *source, const struct name *apex)
{
	*source = (struct record_source){.apex = *apex,
					 .apex_hash = name_hash(apex->bytes),
					 .apex_labels = (uint8_t)name_labels(apex->bytes)};
}

struct zone_builder *
zone_builder_new(const struct name *apex)
{
	struct zone_builder *b = zalloc(sizeof(*b), 0);
	if (b == NULL)
		return NULL;
	memset(b, 0, offsetof(struct zone_builder, files));
	record_source_init(&b->source, apex);
	b->source.files = b->files;
	return b;
}

/* Chunks double from this to that: small zones are many, and large ones should not be copied as they grow. */
#define LOG_CHUNK_FIRST 64
#define LOG_CHUNK_LAST 16384

struct log_chunk {
	struct log_chunk *next;
	size_t n, cap;
	struct log_record records[];
};

static size_t
log_chunk_bytes(size_t cap)
{
	return sizeof(struct log_chunk) + cap * sizeof(struct log_record);
}

static void
log_free_chunks(struct zone_builder *b)
{
	while (b->first_chunk != NULL) {
		struct log_chunk *next = b->first_chunk->next;
		zalloc_free(b->first_chunk, log_chunk_bytes(b->first_chunk->cap));
		b->first_chunk = next;
	}
	b->last_chunk = NULL;
}

/* Room for one more record in the last chunk. */
static int
log_grow(struct zone_builder *b)
{
	struct log_chunk *last = b->last_chunk;
	if (last != NULL && last->n < last->cap)
		return 0;
	size_t cap = last == NULL ? LOG_CHUNK_FIRST : last->cap < LOG_CHUNK_LAST ? last->cap * 2 : LOG_CHUNK_LAST;
	struct log_chunk *chunk = zalloc(log_chunk_bytes(cap), 0);
	if (chunk == NULL)
		return -ENOMEM;
	chunk->next = NULL;
	chunk->n = 0;
	chunk->cap = cap;
	if (last != NULL)
		last->next = chunk;
	else
		b->first_chunk = chunk;
	b->last_chunk = chunk;
	return 0;
}

/* Files are few and come in runs: the last one is nearly always the right one. */
static int
log_file(struct zone_builder *b, const char *file, uint16_t *index)
{
	for (unsigned i = b->source.n_files; i-- > 0;) {
		if (b->files[i] == file) {
			*index = (uint16_t)i;
			return 0;
		}
	}
	if (b->source.n_files == BUILDER_FILES_MAX) {
		*index = 0;
		return 0;
	}
	b->files[b->source.n_files] = file;
	*index = (uint16_t)b->source.n_files++;
	return 0;
}

/* The owner in lower case, written once for a run of records with the same owner. */
static int
log_owner(struct zone_builder *b, const struct name *owner)
{
	struct name lower;
	lower.len = owner->len;
	name_lower(lower.bytes, owner->bytes, owner->len);
	if (b->last_owner != NULL && b->last_owner_len == owner->len &&
	    memcmp(b->last_owner, lower.bytes, owner->len) == 0)
		return 0;
	if (!name_is_under(lower.bytes, b->source.apex.bytes))
		return -ERANGE;
	uint8_t *text = text_reserve(b, owner->len);
	if (text == NULL)
		return -ENOMEM;
	memcpy(text, lower.bytes, owner->len);
	b->last_owner = text;
	b->last_owner_len = owner->len;
	b->last_owner_hash = name_hash(text);
	return 0;
}

bool
log_rdata_has_upper(const uint8_t *data, unsigned len)
{
	bool found = false;
	for (unsigned i = 0; i < len; i++)
		found |= (uint8_t)(data[i] - 'A') < 26;
	return found;
}

int
zone_builder_add(struct zone_builder *b, const struct name *owner, uint16_t type, uint32_t ttl_s,
		 const uint8_t *rdata, uint16_t rdlen, const struct record_place *place)
{
	int err = log_owner(b, owner);
	if (err == 0)
		err = log_grow(b);
	if (err != 0)
		return err;
	uint8_t *text = text_reserve(b, rdlen);
	if (text == NULL)
		return -ENOMEM;
	memcpy(text, rdata, rdlen);

	struct log_record *r = &b->last_chunk->records[b->last_chunk->n];
	*r = (struct log_record){.hash = b->last_owner_hash,
				 .owner = b->last_owner,
				 .owner_len = (uint8_t)b->last_owner_len,
				 .rdata = text,
				 .ttl_s = ttl_s,
				 .type = type,
				 .rdlen = rdlen,
				 .has_upper = log_rdata_has_upper(rdata, rdlen)};
	if (place != NULL) {
		err = log_file(b, place->file, &r->file);
		r->line = place->line;
		r->column = place->column < UINT16_MAX ? (uint16_t)place->column : UINT16_MAX;
	}
	if (err != 0)
		return err;
	b->last_chunk->n++;
	b->n++;
	return 0;
}

uint64_t
zone_builder_records(const struct zone_builder *b)
{
	return b->n;
}

void
zone_builder_abort(struct zone_builder *b)
{
	if (b == NULL)
		return;
	while (b->text != NULL) {
		struct text_chunk *next = b->text->next;
		zalloc_free(b->text, sizeof(*b->text) + b->text->cap);
		b->text = next;
	}
	log_free_chunks(b);
	zalloc_free(b->records, b->n * sizeof(*b->records));
	zalloc_free(b, sizeof(*b));
}

/* -------- order -------- */

int
log_record_compare_rdata(const struct log_record *x, const struct log_record *y)
{
	if (!x->has_upper && !y->has_upper)
		return rdata_compare(x->rdata, x->rdlen, y->rdata, y->rdlen);
	uint8_t a[RDATA_MAX_LEN], b[RDATA_MAX_LEN];
	memcpy(a, x->rdata, x->rdlen);
	memcpy(b, y->rdata, y->rdlen);
	rdata_canonical(x->type, a, x->rdlen);
	rdata_canonical(y->type, b, y->rdlen);
	return rdata_compare(a, x->rdlen, b, y->rdlen);
}

static int
log_compare(const void *a, const void *b)
{
	const struct log_record *x = a, *y = b;
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

/* The buckets that records are scattered to, by the low bits of the hash. */
struct log_buckets {
	size_t n;
	size_t *start; /* of n + 1; behind scattering, where each of them ends */
};

static void
log_scatter(struct zone_builder *b, struct log_buckets *k)
{
	memset(k->start, 0, (k->n + 1) * sizeof(*k->start));
	for (const struct log_chunk *c = b->first_chunk; c != NULL; c = c->next)
		for (size_t i = 0; i < c->n; i++)
			k->start[(c->records[i].hash & (k->n - 1)) + 1]++;
	for (size_t i = 0; i < k->n; i++)
		k->start[i + 1] += k->start[i];
	for (const struct log_chunk *c = b->first_chunk; c != NULL; c = c->next)
		for (size_t i = 0; i < c->n; i++)
			b->records[k->start[c->records[i].hash & (k->n - 1)]++] = c->records[i];
	log_free_chunks(b);
}

/* Comparing looks at data, which lies where it came: it is asked for while the bucket before is being sorted. */
static void
log_sort_buckets(struct zone_builder *b, const struct log_buckets *k)
{
	for (size_t i = 0; i < k->n; i++) {
		size_t from = i == 0 ? 0 : k->start[i - 1];
		size_t next_end = i + 1 < k->n ? k->start[i + 1] : k->start[i];
		for (size_t at = k->start[i]; at < next_end; at++)
			prefetch(b->records[at].rdata);
		qsort(b->records + from, k->start[i] - from, sizeof(*b->records), log_compare);
	}
}

/* One pass that scatters, then small sorts: the log may hold millions. */
int
log_sort(struct zone_builder *b)
{
	unsigned bits = 0;
	while (bits < 16 && b->n >> (bits + 3) != 0)
		bits++;
	struct log_buckets k = {.n = (size_t)1 << bits};
	k.start = zalloc((k.n + 1) * sizeof(*k.start), 0);
	b->records = zalloc(b->n * sizeof(*b->records), 0);
	int err = k.start == NULL || (b->records == NULL && b->n != 0) ? -ENOMEM : 0;
	if (err == 0) {
		log_scatter(b, &k);
		log_sort_buckets(b, &k);
	}
	zalloc_free(k.start, (k.n + 1) * sizeof(*k.start));
	return err;
}

static bool
same_owner(const struct log_record *x, const struct log_record *y)
{
	return x->hash == y->hash && x->owner_len == y->owner_len &&
	       (x->owner == y->owner || memcmp(x->owner, y->owner, x->owner_len) == 0);
}

size_t
log_owner_end(const struct zone_builder *b, size_t i)
{
	size_t end = i + 1;
	while (end < b->n && same_owner(&b->records[i], &b->records[end]))
		end++;
	return end;
}

/* -------- finish -------- */

int
zone_builder_finish(struct zone_builder *b, struct diag_list *diag, struct snapshot **out)
{
	unsigned first_diag = diag->n;
	unsigned errors_before = diag->n_errors;
	struct snapshot *s = NULL;
	int err = log_sort(b);
	if (err == 0)
		err = builder_compile(b, diag, &s);
	if (err == 0) {
		builder_check(b, s, diag);
		builder_check_chain(b, s, diag);
	}
	if (err == 0 && diag->n_errors != errors_before)
		err = -EINVAL;
	diag_sort(diag, first_diag);
	zone_builder_abort(b);
	if (err != 0) {
		snapshot_free(s);
		return err;
	}
	*out = s;
	return 0;
}
