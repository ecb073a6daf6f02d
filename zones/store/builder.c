/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The zone builder: records in, and what is done with them when they are all there. See builder.h.
 *
 * Records are kept as they come (builder_log.c). Finishing sorts them so that the records of a name stand together,
 * compiles the names (builder_compile.c) and checks the zone as a whole (builder_check.c, builder_chain.c).
 */
#include "zones/store/builder.h"

#include <errno.h>
#include <stdatomic.h>

#include "zones/base/alloc.h"
#include "zones/base/bytes.h"
#include "zones/store/builder_private.h"
#include "zones/store/records.h"

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
	memset(b, 0, sizeof(*b));
	atomic_init(&b->holds, 1);
	record_source_init(&b->source, apex);
	return b;
}

int
zone_builder_expect(struct zone_builder *b, uint64_t records)
{
	return log_expect(&b->log, records);
}

static int
files_grow(struct zone_builder *b)
{
	unsigned cap = b->files_cap != 0 ? b->files_cap * 2 : 4;
	const char **files = zalloc(cap * sizeof(*files), 0);
	if (files == NULL)
		return -ENOMEM;
	if (b->files_cap != 0)
		memcpy(files, b->files, b->files_cap * sizeof(*files));
	zalloc_free(b->files, b->files_cap * sizeof(*files));
	b->files = files;
	b->source.files = files;
	b->files_cap = cap;
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
	if (b->source.n_files == b->files_cap && files_grow(b) != 0)
		return -ENOMEM;
	b->files[b->source.n_files] = file;
	*index = (uint16_t)b->source.n_files++;
	return 0;
}

/* The owner in lower case; *is_same: it is the one of the record before. */
static int
log_owner(struct zone_builder *b, const struct name *owner, bool *is_same)
{
	struct name lower = {.len = owner->len};
	name_lower(lower.bytes, owner->bytes, owner->len);
	*is_same = b->last_owner.len == lower.len && memcmp(b->last_owner.bytes, lower.bytes, lower.len) == 0;
	if (*is_same)
		return 0;
	if (!name_is_under(lower.bytes, b->source.apex.bytes))
		return -ERANGE;
	memcpy(&b->last_owner, &lower, offsetof(struct name, bytes) + lower.len);
	b->last_owner_hash = name_hash(lower.bytes);
	return 0;
}

static void
note_type(struct zone_builder *b, uint16_t type)
{
	b->has_nsec |= type == RRTYPE_NSEC;
	b->has_nsec3 |= type == RRTYPE_NSEC3;
	b->has_param |= type == RRTYPE_NSEC3PARAM;
	b->has_dname |= type == RRTYPE_DNAME;
}

int
zone_builder_add(struct zone_builder *b, const struct name *owner, uint16_t type, uint32_t ttl_s,
		 const uint8_t *rdata, uint16_t rdlen, const struct record_place *place)
{
	bool is_same;
	int err = log_owner(b, owner, &is_same);
	if (err != 0)
		return err;
	struct log_record r = {.hash = b->last_owner_hash,
			       .owner = b->last_owner.bytes,
			       .owner_len = b->last_owner.len,
			       .rdata = rdata,
			       .ttl_s = ttl_s,
			       .type = type,
			       .rdlen = rdlen,
			       .has_upper = log_rdata_has_upper(rdata, rdlen)};
	if (place != NULL) {
		err = log_file(b, place->file, &r.file);
		r.line = place->line;
		r.column = place->column < UINT16_MAX ? (uint16_t)place->column : UINT16_MAX;
	}
	if (err == 0)
		err = log_add(&b->log, &r, is_same);
	if (err != 0)
		b->last_owner.len = 0; /* no record has it yet, as it seems */
	note_type(b, type);
	return err;
}

uint64_t
zone_builder_records(const struct zone_builder *b)
{
	return b->log.n;
}

/* Gives the files of `part` the numbers that they have, or get, in b. */
static int
renumber_files(struct zone_builder *b, struct zone_builder *part)
{
	uint16_t numbers[BUILDER_FILES_MAX];
	bool is_same = true;
	for (unsigned i = 0; i < part->source.n_files; i++) {
		if (log_file(b, part->files[i], &numbers[i]) != 0)
			return -ENOMEM;
		is_same &= numbers[i] == i;
	}
	if (!is_same)
		log_renumber(&part->log, numbers);
	return 0;
}

int
zone_builder_join(struct zone_builder *b, struct zone_builder *part)
{
	int err = renumber_files(b, part);
	if (err == 0)
		err = log_join(&b->log, &part->log);
	if (err == 0) {
		b->last_owner.len = 0; /* it is not that of the last record any more */
		b->has_nsec |= part->has_nsec;
		b->has_nsec3 |= part->has_nsec3;
		b->has_param |= part->has_param;
		b->has_dname |= part->has_dname;
	}
	zone_builder_abort(part);
	return err;
}

void
zone_builder_set_crew(struct zone_builder *b, struct crew *crew)
{
	b->crew = crew;
}

static void
release(struct zone_builder *b)
{
	if (b == NULL || atomic_fetch_sub_explicit(&b->holds, 1, memory_order_acq_rel) != 1)
		return;
	log_free(&b->log);
	zalloc_free(b->files, b->files_cap * sizeof(*b->files));
	zalloc_free(b, sizeof(*b));
}

void
zone_builder_abort(struct zone_builder *b)
{
	if (b != NULL)
		builder_drop_nodes(b);
	release(b);
}

/* -------- reading -------- */

struct zone_builder_reader {
	struct zone_builder *builder; /* held; NULL: at the end */
	struct log_cursor cursor;
};

int
zone_builder_read(struct zone_builder *b, struct zone_builder_reader **out)
{
	struct zone_builder_reader *reader = zalloc(sizeof(*reader), 0);
	if (reader == NULL)
		return -ENOMEM;
	atomic_fetch_add_explicit(&b->holds, 1, memory_order_relaxed);
	*reader = (struct zone_builder_reader){.builder = b};
	log_cursor_begin(&reader->cursor, &b->log);
	*out = reader;
	return 0;
}

bool
zone_builder_reader_next(struct zone_builder_reader *reader, struct zone_record *out)
{
	struct log_record r;
	if (reader->builder == NULL)
		return false;
	if (!log_cursor_next(&reader->cursor, &r)) {
		release(reader->builder);
		reader->builder = NULL;
		return false;
	}
	*out = (struct zone_record){
		.owner = r.owner, .rdata = r.rdata, .ttl_s = r.ttl_s, .type = r.type, .rdlen = r.rdlen};
	return true;
}

void
zone_builder_reader_free(struct zone_builder_reader *reader)
{
	if (reader == NULL)
		return;
	release(reader->builder);
	zalloc_free(reader, sizeof(*reader));
}

/* -------- finish -------- */

int
zone_builder_finish(struct zone_builder *b, struct diag_list *diag, struct snapshot **out)
{
	unsigned first_diag = diag->n;
	unsigned errors_before = diag->n_errors;
	struct snapshot *s = NULL;
	int err = builder_make_nodes(b, diag);
	if (err == 0)
		err = builder_compile(b, diag, &s);
	if (err == 0)
		builder_check(b, s, diag);
	if (err == 0)
		err = builder_check_chain(b, s, diag);
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
