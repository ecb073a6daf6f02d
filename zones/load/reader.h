/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside zones/load: the state of one read, and the functions that its parts call in each other.
 *
 *     zonefile.c   files opened one inside the other, lines, directives, the public entries
 *     record.c     one record: owner, TTL, class, type, data
 *     generate.c   $GENERATE
 *     chunks.c     one large file read by several threads
 *     source.c     bytes of a file
 *
 * Everything returns 0, -EINVAL (reported; the caller goes on behind the record) or -ENOMEM (the caller stops).
 * A reader belongs to one builder thread; nothing of RCU.
 */
#ifndef ANSER_LOAD_READER_H
#define ANSER_LOAD_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "zones/base/compiler.h"
#include "zones/base/diag.h"
#include "zones/load/zonefile.h"
#include "zones/store/builder.h"
#include "zones/wire/lexer.h"
#include "zones/wire/name.h"
#include "zones/wire/rdata.h"

#define TTL_MAX_S 2147483647u /* RFC 2181 section 8 */

/* -------- source.c -------- */

/* The bytes of one file. */
struct source {
	const char *text;
	size_t len;
	size_t cap;      /* octets allocated at text; 0: not ours */
	bool is_file;    /* and not the caller's memory */
	bool has_no_nul; /* looked for already */
	dev_t device;    /* which file: to see when it includes itself */
	ino_t inode;
};

/*
 * Opens and reads `path`: a regular file or a pipe; a large file by the crew (may be NULL). 0, -ENOMEM, -EISDIR,
 * -ENOTSUP (a device or socket), or -errno of open() and its like. *s is the caller's until source_close().
 */
int source_open(const char *path, struct crew *crew, struct source *s) MUST_CHECK;
void source_close(struct source *s);

/* -------- state -------- */

/* A file being read; the one that included it is its parent. Lives on the stack of who reads it. */
struct frame {
	struct frame *parent;
	const char *file; /* for messages and places; lives in reader.files */
	const struct source *source;
	struct lexer lex;
	const char *stop; /* records from here on are not this reader's; NULL: it reads to the end */
	unsigned depth;
};

enum owner_state {
	OWNER_NONE, /* no record yet */
	OWNER_GOOD,
	OWNER_BAD, /* reported already: its records are read for their own faults, but not added */
};

/* What $INCLUDE saves and restores: names. */
struct scope {
	struct name origin;
	struct name owner;
	enum owner_state owner_state;
	/* How the owner was written, if the same text would give the same name again; else NULL. */
	const char *owner_text;
	size_t owner_text_len;
};

/* Where a record without TTL takes it from: the first of these that is known, in this order. */
struct ttl_defaults {
	bool has_directive, has_explicit, has_soa;
	bool missing_reported;
	/* Of a chunk: explicit_s is what is guessed to come from before it; and a record has asked for it. */
	bool explicit_is_guess, guess_used;
	uint32_t directive_s; /* last $TTL, RFC 2308 section 4 */
	uint32_t explicit_s;  /* last one written in a record, RFC 1035 section 5.1 */
	uint32_t soa_s;       /* MINIMUM of a SOA that had none */
};

struct reader {
	struct frame *frame;
	struct zone_builder *builder;
	struct diag_list *diag;
	struct zonefile_files *files;
	const struct name *zone;
	struct scope scope;
	struct ttl_defaults ttl;
	uint8_t rdata[RDATA_MAX_LEN];
};

/* A reader at the start of a zone, for these to fill; NULL: out of memory. Given back by zalloc_free(). */
struct reader *reader_new(const struct name *zone, struct zone_builder *b, struct diag_list *diag) MUST_CHECK;

/*
 * Reads records and directives of the current file to its end, or to its `stop`: then the lexer stands at the start
 * of the first record that was left. Faults of single records are only counted. 0 or -ENOMEM.
 */
int reader_run(struct reader *r) MUST_CHECK;

/* Reads a directive whose first token is `t`. */
int reader_directive(struct reader *r, const struct token *t) MUST_CHECK;

/* Adds a name to the list of files; NULL: out of memory. */
const char *reader_add_file(struct zonefile_files **files, const char *name) MUST_CHECK;

/* Puts the files of `newer` before those of *files. */
void reader_join_files(struct zonefile_files **files, struct zonefile_files *newer);

/* Reports a fault at a token (or anything else with line and column) of the file being read. */
#define reader_error(r, at, ...)                                                                                   \
	diag_add((r)->diag, DIAG_ERROR, (r)->frame->file, (at)->line, (at)->column, __VA_ARGS__)
#define reader_warning(r, at, ...)                                                                                 \
	diag_add((r)->diag, DIAG_WARNING, (r)->frame->file, (at)->line, (at)->column, __VA_ARGS__)

#define SHOWN_MAX 168
/* A token's text as a message may show it: cut short, unprintable octets as \DDD. Returns out. */
const char *reader_show(const char *text, size_t len, char out[SHOWN_MAX]);

/* Reports that `t` stands where `wanted` should; returns -EINVAL. */
int reader_unexpected(struct reader *r, const struct token *t, const char *wanted) MUST_CHECK;

/* Reads the end of a directive's line. */
int reader_expect_end(struct reader *r, const char *after) MUST_CHECK;

/* -------- chunks.c -------- */

/*
 * Reads the opened file `file` (a name that lives in r->files) in chunks, of which a crew reads several at once.
 * All that comes of it, in r, its builder and its list of faults, is what reader_run() would have made of the file.
 * The text has passed the first look. 0 or -ENOMEM.
 */
int
chunks_read(struct reader *r, const struct source *s, const char *file, const struct zonefile_how *how) MUST_CHECK;

/* -------- record.c -------- */

/* What stands between owner and data. */
struct record_header {
	bool has_ttl, has_class;
	uint32_t ttl_s;
	uint16_t type;
};

/* Reads one record whose first token is `t`. */
int record_read(struct reader *r, struct token t) MUST_CHECK;

/* Reads TTL, class and type in any order allowed; `t` is the first token behind the owner. */
int record_read_header(struct reader *r, struct token t, struct record_header *h) MUST_CHECK;

/* Reads a TTL from a token. */
int record_read_ttl(struct reader *r, const struct token *t, uint32_t *ttl_s) MUST_CHECK;

/*
 * Gives one record with data r->rdata[0..rdlen) to the builder; `at` is where it was written. An owner outside the
 * zone is reported.
 */
int record_add(struct reader *r, const struct name *owner, const struct record_header *h, size_t rdlen,
	       const struct token *at) MUST_CHECK;

/* -------- generate.c -------- */

#define GENERATE_MAX_STEPS 65536

/* Reads $GENERATE behind its first token `at`, and adds its records. */
int generate_read(struct reader *r, const struct token *at) MUST_CHECK;

#endif
