/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The zone builder: the log of records. See builder.h.
 *
 * Records are kept as they come. Finishing sorts them so that the records of a name stand together
 * (builder_sort.c), compiles the names (builder_compile.c) and checks the zone as a whole (builder_check.c).
 */
#include "zones/store/builder.h"

#include <errno.h>
#include <stdlib.h>

#include "zones/base/alloc.h"
#include "zones/base/bytes.h"
#include "zones/store/builder_private.h"
#include "zones/wire/rdata.h"

/* -------- the log -------- */

#define TEXT_CHUNK (256 * 1024)

struct text_chunk {
	struct text_chunk *next;
	size_t used;
	uint8_t bytes[TEXT_CHUNK];
};

static uint8_t *
text_reserve(struct zone_builder *b, size_t len)
{
	if (b->text == NULL || b->text->used + len > TEXT_CHUNK) {
		struct text_chunk *chunk = zalloc(sizeof(*chunk), 0);
		if (chunk == NULL)
			return NULL;
		chunk->next = b->text;
		chunk->used = 0;
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

static size_t
log_chunk_bytes(size_t cap)
{
	return sizeof(struct log_chunk) + cap * sizeof(struct log_record);
}

void
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
static uint16_t
log_file(struct zone_builder *b, const char *file)
{
	for (unsigned i = b->source.n_files; i-- > 0;)
		if (b->files[i] == file)
			return (uint16_t)i;
	if (b->source.n_files == BUILDER_FILES_MAX)
		return 0;
	b->files[b->source.n_files] = file;
	return (uint16_t)b->source.n_files++;
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
		r->file = log_file(b, place->file);
		r->line = place->line;
		r->column = place->column < UINT16_MAX ? (uint16_t)place->column : UINT16_MAX;
	}
	b->last_chunk->n++;
	b->n++;
	return 0;
}

/* Records of `part` have the numbers of its files. */
static void
log_renumber(struct zone_builder *b, struct zone_builder *part)
{
	uint16_t number[BUILDER_FILES_MAX];
	bool is_same = true;
	for (unsigned i = 0; i < part->source.n_files; i++) {
		number[i] = log_file(b, part->files[i]);
		is_same &= number[i] == i;
	}
	for (struct log_chunk *c = is_same ? NULL : part->first_chunk; c != NULL; c = c->next)
		for (size_t i = 0; i < c->n; i++)
			c->records[i].file = part->source.n_files != 0 ? number[c->records[i].file] : 0;
}

void
zone_builder_join(struct zone_builder *b, struct zone_builder *part)
{
	struct text_chunk **last = &part->text;
	log_renumber(b, part);
	if (b->last_chunk != NULL)
		b->last_chunk->next = part->first_chunk;
	else
		b->first_chunk = part->first_chunk;
	if (part->last_chunk != NULL)
		b->last_chunk = part->last_chunk;
	b->n += part->n;
	while (*last != NULL)
		last = &(*last)->next;
	*last = b->text;
	b->text = part->text;
	part->first_chunk = part->last_chunk = NULL;
	part->text = NULL;
	part->n = 0;
	zone_builder_abort(part);
}

void
zone_builder_use_crew(struct zone_builder *b, struct crew *crew)
{
	b->crew = crew;
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
		zalloc_free(b->text, sizeof(*b->text));
		b->text = next;
	}
	log_free_chunks(b);
	zalloc_free(b->records, b->n * sizeof(*b->records));
	zalloc_free(b->parts, b->n_parts * sizeof(*b->parts));
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
	if (err == 0)
		err = builder_check(b, s, diag);
	if (err == 0)
		builder_check_chain(b, s, diag);
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
