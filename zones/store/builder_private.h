/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the parts of the builder share: the log, and the steps of finishing. Private to zones/store.
 */
#ifndef ANSER_STORE_BUILDER_PRIVATE_H
#define ANSER_STORE_BUILDER_PRIVATE_H

#include "zones/base/bytes.h"
#include "zones/base/crew.h"
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

/* A record of the log, with what it points to, which stays where it is as long as the log. */
struct log_record {
	uint64_t hash;        /* of the owner */
	const uint8_t *owner; /* lower case */
	const uint8_t *rdata;
	uint32_t ttl_s;
	uint32_t line; /* 0: place unknown */
	uint16_t type, rdlen;
	uint16_t file, column;
	uint8_t owner_len;
	bool has_upper; /* the data has capital letters, so comparing needs its canonical form */
};

struct log_chunk;

/* The records of one part of a log: those with the same low bits of the hash. */
struct log_part {
	struct log_chunk *first, *last;
	size_t n;
};

/*
 * Records as they come, packed. While they are few they are one part; many are spread over parts, which fit into
 * caches, and can be worked on by several threads at a time.
 */
struct record_log {
	struct log_part few;    /* the one part of a small log */
	struct log_part *parts; /* NULL: there is `few` alone */
	size_t n;
};

struct build; /* builder_compile.c */

struct zone_builder {
	_Atomic unsigned holds; /* whoever finishes it, and readers */
	struct record_source source;
	struct crew *crew;
	struct record_log log;
	bool has_nsec, has_nsec3, has_param, has_dname; /* records of these types */
	struct build *build;                            /* while it is finished; NULL: it is not */
	struct name last_owner;                         /* of the last record, lower case; length 0: none */
	uint64_t last_owner_hash;
	const char **files; /* source.files: of files_cap */
	unsigned files_cap;
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

/* Canonical order of two records of one owner and type. */
int log_record_compare_rdata(const struct log_record *x, const struct log_record *y);

/* -------- the log: builder_log.c -------- */

/*
 * Adds a record; all that it points to is copied. `same_owner`: it has the owner of the one that was added before.
 * 0 or -ENOMEM; then nothing was added.
 */
int log_add(struct record_log *log, const struct log_record *r, bool same_owner) MUST_CHECK;

/* Of an empty log, so many records are to come. 0 or -ENOMEM. */
int log_expect(struct record_log *log, uint64_t records) MUST_CHECK;

/* Puts the records of `more` behind those of log; `more` is empty then. 0, or -ENOMEM with both as good as before.
 */
int log_join(struct record_log *log, struct record_log *more) MUST_CHECK;

/* Gives file i the number numbers[i], in all records. */
void log_renumber(struct record_log *log, const uint16_t *numbers);

void log_free(struct record_log *log);

#define LOG_PARTS_MAX 256
unsigned log_parts(const struct record_log *log);

/* The part that has the records with this hash. */
unsigned log_part_of(const struct record_log *log, uint64_t hash);

/* Records in an array. */
struct log_list {
	struct log_record *items;
	size_t n, cap;
};

/* Copies records to the end of the list. 0 or -ENOMEM. */
int log_list_add(struct log_list *list, const struct log_record *records, size_t n) MUST_CHECK;
void log_list_free(struct log_list *list);

/* One part of a log, sorted, and room to sort it. All zero: empty. */
struct log_window {
	struct log_list list;
	size_t *starts; /* of buckets */
	size_t starts_cap;
};

/*
 * Shows another part, sorted by owner, type (signatures behind what they cover), canonical data; of equal ones, as
 * they came. 0 or -ENOMEM.
 */
int log_window_sort(struct log_window *w, const struct record_log *log, unsigned part) MUST_CHECK;
void log_window_close(struct log_window *w);

/* Index behind the last record of the list that has the owner of record i. */
size_t log_owner_end(const struct log_list *list, size_t i);

/* All records, one after the other, as they came into their parts. */
struct log_cursor {
	const struct record_log *log;
	unsigned part; /* the next one */
	const struct log_chunk *chunk;
	size_t at;
	const uint8_t *owner; /* of the record before */
	uint64_t hash;
	uint8_t owner_len;
};

void log_cursor_begin(struct log_cursor *c, const struct record_log *log);
bool log_cursor_next(struct log_cursor *c, struct log_record *out) MUST_CHECK; /* false: no more */

/* -------- finishing -------- */

/*
 * The first half: sorts the log, and makes a node of each name, checked by itself. Faults go to diag. 0 or -ENOMEM;
 * also where faults were found.
 */
int builder_make_nodes(struct zone_builder *b, struct diag_list *diag) MUST_CHECK;

/*
 * The second half: puts the nodes into a snapshot, which the caller owns even where faults were found (they are in
 * diag). 0 or -ENOMEM (then there is none).
 */
int builder_compile(struct zone_builder *b, struct diag_list *diag, struct snapshot **out) MUST_CHECK;

/* Frees what the first half has made. */
void builder_drop_nodes(struct zone_builder *b);

/*
 * Records of the names that have to be held against others, part by part, those of a name in order. Between the two
 * halves, and until builder_drop_nodes().
 */
const struct log_list *builder_names_to_check(const struct zone_builder *b, unsigned part);

/* Checks one name by its n records alone; faults go to diag. */
void builder_check_alone(const struct record_source *source, struct diag_list *diag,
			 const struct log_record *records, size_t n);

/*
 * Puts those of a name's n records on the list that builder_check_others() has to see, in their order. With DNAMEs
 * in the zone, that is all; else mostly few. 0 or -ENOMEM.
 */
int builder_list_others(const struct record_source *source, bool has_dname, const struct log_record *records,
			size_t n, struct log_list *list) MUST_CHECK;

/* Checks one name by its n records, in the log's order, and other names of the finished snapshot. */
void builder_check_others(const struct record_source *source, const struct snapshot *s, struct diag_list *diag,
			  const struct log_record *records, size_t n);

/* May a type stand beside a CNAME? */
bool builder_stands_beside_cname(uint16_t type);

/* Checks that SOA and NS are there. */
void builder_check_apex(const struct record_source *source, const struct snapshot *s, struct diag_list *diag);

/* Checks names against others, on the log and the snapshot made from it; faults go to diag. */
void builder_check(const struct zone_builder *b, const struct snapshot *s, struct diag_list *diag);

/* Checks what a signed zone proves with: chains of NSEC and NSEC3, missing signatures. 0 or -ENOMEM. */
int builder_check_chain(const struct zone_builder *b, const struct snapshot *s, struct diag_list *diag) MUST_CHECK;

/* Adds a fault at the place of a record, its owner and type in front. */
void builder_fault(const struct record_source *source, struct diag_list *diag, enum diag_severity severity,
		   const struct log_record *r, const char *fmt, ...) PRINTF_LIKE(5, 6);

#endif
