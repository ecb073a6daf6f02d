/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the parts of the builder share: the log, and the steps of finishing. Private to zones/store.
 */
#ifndef ANSER_STORE_BUILDER_PRIVATE_H
#define ANSER_STORE_BUILDER_PRIVATE_H

#include "zones/base/bytes.h"
#include "zones/base/diag.h"
#include "zones/store/builder.h"
#include "zones/wire/rrtype.h"

#define BUILDER_FILES_MAX 4096
/* More than resolvers accept (RFC 9276 section 3.2); also bounds what hashing a zone's names may cost. */
#define NSEC3_ITERATIONS_MAX 150

/* The zone whose records these are, and the files that they were read from. */
struct record_source {
	struct name apex;
	uint64_t apex_hash;
	uint8_t apex_labels;
	unsigned n_files;
	const char *const *files; /* borrowed */
};

struct log_record {
	uint64_t hash;        /* of the owner */
	const uint8_t *owner; /* lower case, in the builder's text */
	const uint8_t *rdata;
	uint32_t ttl_s;
	uint32_t line; /* 0: place unknown */
	uint16_t type, rdlen;
	uint16_t file, column;
	uint8_t owner_len;
	bool has_upper; /* the data has capital letters, so comparing needs its canonical form */
};

struct text_chunk;

struct log_chunk {
	struct log_chunk *next;
	size_t n, cap;
	struct log_record records[];
};

/* Records of owners whose hashes agree in the lowest bits: a piece of work for one of a crew. */
struct log_part {
	size_t end;     /* index behind its last record; it begins where the one before ends */
	bool has_nsec3; /* a record of this type */
	bool has_chain; /* NSEC, NSEC3 or NSEC3PARAM */
};

struct zone_builder {
	struct record_source source;
	struct crew *crew;                          /* NULL: none */
	struct log_chunk *first_chunk, *last_chunk; /* the records as they come; none once they are sorted */
	struct log_record *records;                 /* sorted: of n; before, NULL */
	size_t n;
	struct log_part *parts; /* of n_parts, a power of two; before sorting, NULL */
	size_t n_parts;
	struct text_chunk *text;
	const uint8_t *last_owner;
	uint64_t last_owner_hash;
	unsigned last_owner_len;
	const char *files[BUILDER_FILES_MAX]; /* source.files */
};

/* Fills in all but the files. `apex` in lower case. */
void record_source_init(struct record_source *source, const struct name *apex);

/* Signatures sort right behind the type that they cover; the node wants them there. */
static inline uint32_t
log_record_type_key(uint16_t type, const uint8_t *rdata)
{
	return type != RRTYPE_RRSIG ? (uint32_t)type * 2 : (uint32_t)load_be16(rdata) * 2 + 1;
}

/* Data without capital letters is its own canonical form, whatever its type. */
bool log_rdata_has_upper(const uint8_t *rdata, unsigned len);

/*
 * Sorted records are far from each other in memory. Asks for what the record LOG_AHEAD behind i points to, so that
 * it is there when a walk over the sorted log comes to it.
 */
#define LOG_AHEAD 12
static inline void
log_prefetch(const struct zone_builder *b, size_t i)
{
	if (i + LOG_AHEAD >= b->n)
		return;
	const struct log_record *r = &b->records[i + LOG_AHEAD];
	prefetch(r->owner);
	prefetch(r->rdata);
	prefetch(r->rdata + r->rdlen);
}

/* Index behind the last record of the sorted log that has the owner of record i. */
size_t log_owner_end(const struct zone_builder *b, size_t i);

/* Canonical order of two records of one owner and type. */
int log_record_compare_rdata(const struct log_record *x, const struct log_record *y);

/*
 * Sorts the log, part by part, by owner, type (signatures behind what they cover), canonical data. 0 or -ENOMEM.
 */
int log_sort(struct zone_builder *b) MUST_CHECK;

/* Frees the records as they came. */
void log_free_chunks(struct zone_builder *b);

static inline size_t
log_part_start(const struct zone_builder *b, size_t p)
{
	return p == 0 ? 0 : b->parts[p - 1].end;
}

/*
 * Compiles the sorted log into a snapshot, which the caller owns even where faults were found (they are in diag).
 * 0 or -ENOMEM (then there is none).
 */
int builder_compile(struct zone_builder *b, struct diag_list *diag, struct snapshot **out) MUST_CHECK;

/* Checks one name by its n records, in the log's order, and the finished snapshot; faults go to diag. */
void builder_check_name(const struct record_source *source, const struct snapshot *s, struct diag_list *diag,
			const struct log_record *records, size_t n);

/* May a type stand beside a CNAME? */
bool builder_stands_beside_cname(uint16_t type);

/* Checks that SOA and NS are there. */
void builder_check_apex(const struct record_source *source, const struct snapshot *s, struct diag_list *diag);

/* Checks the zone as a whole, on the sorted log and the snapshot made from it; faults go to diag. 0 or -ENOMEM. */
int builder_check(const struct zone_builder *b, const struct snapshot *s, struct diag_list *diag) MUST_CHECK;

/* Checks what a signed zone proves with: chains of NSEC and NSEC3, missing signatures. As builder_check(). */
void builder_check_chain(const struct zone_builder *b, const struct snapshot *s, struct diag_list *diag);

/* Adds a fault at the place of a record, its owner and type in front. */
void builder_fault(const struct record_source *source, struct diag_list *diag, enum diag_severity severity,
		   const struct log_record *r, const char *fmt, ...) PRINTF_LIKE(5, 6);

#endif
