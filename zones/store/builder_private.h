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
struct log_chunk;

/* The records of one part of a log: those with the same low bits of the hash. */
struct log_part {
	struct log_chunk *first, *last;
	size_t n;
	bool is_sorted;
};

/*
 * Records as they come; sorted, in place, by log_window_sort(). While they are few they are one part; many are
 * spread over parts, which fit into caches, and can be worked on by several threads at a time.
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
	struct build *build;                            /* nodes that wait for zone_builder_finish(); NULL: none */
	unsigned first_diag;                            /* since they were begun: in its list, and whether */
	bool has_errors;                                /* there were errors */
	struct text_chunk *text;
	const uint8_t *last_owner;
	uint64_t last_owner_hash;
	unsigned last_owner_len;
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

/* Makes room for one more record, which must have this hash, and counts it. NULL: out of memory. */
struct log_record *log_add(struct record_log *log, uint64_t hash) MUST_CHECK;

/* Puts the records of `more` behind those of log; `more` is empty then. 0, or -ENOMEM with both as good as before. */
int log_join(struct record_log *log, struct record_log *more) MUST_CHECK;

void log_free(struct record_log *log);

unsigned log_parts(const struct record_log *log);

/* The part that has the records with this hash. */
unsigned log_part_of(const struct record_log *log, uint64_t hash);

/* One part of a log, as one array: of the log where that is one already, else copied. All zero: closed. */
struct log_window {
	const struct log_record *records;
	size_t n;
	struct log_record *own; /* from here on: room for it */
	size_t own_cap;
	size_t *starts; /* of buckets, while it is sorted */
	size_t starts_cap;
};

/* Shows another part, in the room of the one before. 0 or -ENOMEM. */
int log_window_open(struct log_window *w, const struct record_log *log, unsigned part) MUST_CHECK;

/*
 * The same, sorted: by owner, type (signatures behind what they cover), canonical data; it stays so. One thread for
 * each part. 0 or -ENOMEM; then it is in no order, but all there.
 */
int log_window_sort(struct log_window *w, struct record_log *log, unsigned part) MUST_CHECK;
void log_window_close(struct log_window *w);

/*
 * Sorted records are far from each other in memory. Asks for what the record LOG_AHEAD behind i points to, so that
 * it is there when a walk over the window comes to it.
 */
#define LOG_AHEAD 12
static inline void
log_prefetch(const struct log_window *w, size_t i)
{
	if (i + LOG_AHEAD >= w->n)
		return;
	const struct log_record *r = &w->records[i + LOG_AHEAD];
	prefetch(r->owner);
	prefetch(r->rdata);
	prefetch(r->rdata + r->rdlen);
}

/* Index behind the last record of the window that has the owner of record i. */
size_t log_owner_end(const struct log_window *w, size_t i);

static inline bool
log_same_owner(const struct log_record *x, const struct log_record *y)
{
	return x->hash == y->hash && x->owner_len == y->owner_len &&
	       (x->owner == y->owner || memcmp(x->owner, y->owner, x->owner_len) == 0);
}

/* All records, one after the other; they stay where they are while the log is only read. */
struct log_cursor {
	const struct record_log *log;
	unsigned part; /* the next one */
	const struct log_chunk *chunk;
	size_t at;
};

void log_cursor_begin(struct log_cursor *c, const struct record_log *log);
const struct log_record *log_cursor_next(struct log_cursor *c); /* NULL: no more */

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
 * Records of the names that have to be held against others, part by part: the indices of their first ones, in the
 * windows. Between the two halves, and until builder_drop_nodes().
 */
struct pointers {
	void **items;
	size_t n, cap;
};
const struct pointers *builder_names_to_check(const struct zone_builder *b, unsigned part);

/* Checks one name by its n records alone; faults go to diag. */
void builder_check_alone(const struct record_source *source, struct diag_list *diag,
			 const struct log_record *records, size_t n);

/* What builder_check_alone() does not see: does it matter for this name? With DNAMEs in the zone, it may for any.
 */
bool builder_needs_others(const struct record_source *source, bool has_dname, const struct log_record *records,
			  size_t n);

/* Checks one name by its n records, in the log's order, and other names of the finished snapshot. */
void builder_check_others(const struct record_source *source, const struct snapshot *s, struct diag_list *diag,
			  const struct log_record *records, size_t n);

/* May a type stand beside a CNAME? */
bool builder_stands_beside_cname(uint16_t type);

/* Checks that SOA and NS are there. */
void builder_check_apex(const struct record_source *source, const struct snapshot *s, struct diag_list *diag);

/* Checks names against others, on the sorted log and the snapshot made from it; faults go to diag. 0 or -ENOMEM. */
int builder_check(const struct zone_builder *b, const struct snapshot *s, struct diag_list *diag) MUST_CHECK;

/* Checks what a signed zone proves with: chains of NSEC and NSEC3, missing signatures. As builder_check(). */
int builder_check_chain(const struct zone_builder *b, const struct snapshot *s, struct diag_list *diag) MUST_CHECK;

/* Adds a fault at the place of a record, its owner and type in front. */
void builder_fault(const struct record_source *source, struct diag_list *diag, enum diag_severity severity,
		   const struct log_record *r, const char *fmt, ...) PRINTF_LIKE(5, 6);

#endif
