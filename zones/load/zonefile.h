/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Zone files (RFC 1035 section 5, RFC 2308 section 4, RFC 3597): text in, records out to a builder.
 *
 * Understood: $ORIGIN, $TTL, $INCLUDE (relative to the including file, depth-limited, cycles refused), $GENERATE,
 * parentheses, quoted strings, escapes, comments, relative names, TTL units, class before or after the TTL, the
 * last owner repeated. Every fault is reported with file, line and column, up to the diag_list's limit; reading
 * goes on behind the faulty record so that all of them are seen at once.
 *
 * Runs on a builder thread: opens and maps files, allocates. Nothing of RCU.
 */
#ifndef ANSER_LOAD_ZONEFILE_H
#define ANSER_LOAD_ZONEFILE_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "zones/base/compiler.h"
#include "zones/base/crew.h"
#include "zones/base/diag.h"
#include "zones/store/builder.h"
#include "zones/wire/name.h"

#define ZONEFILE_INCLUDE_DEPTH 16
/* Chunks of a file: a sixteenth of it, within these. */
#define ZONEFILE_CHUNK_MIN_BYTES (1u << 20)
#define ZONEFILE_CHUNK_MAX_BYTES (4u << 20)

/* How far a read is, for others to look at while it runs. */
struct zonefile_progress {
	_Atomic uint64_t octets, octets_read; /* of the zone file; 0 at first */
};

/*
 * How to read a file; all zero is good. A file of several chunks is read by the crew, if there is one. What is
 * read, what is reported and in which order does not depend on any of it.
 */
struct zonefile_how {
	struct crew *crew;                  /* NULL: the caller alone */
	size_t chunk_bytes;                 /* 0: by the size of the file; more where it would have too many */
	struct zonefile_progress *progress; /* NULL: nobody looks */
};

/*
 * Reads the file into the builder. `origin` is the zone's apex and the first $ORIGIN; `how` may be NULL.
 * 0: no errors (there may be warnings). -EINVAL: faults are in diag. -errno: the file cannot be read (in diag,
 * too). -ENOMEM.
 * The builder is the caller's in every case. File names in `place`s given to the builder are kept alive by *files,
 * which the caller frees with zonefile_files_free() after the builder is finished or aborted.
 */
struct zonefile_files;
int zonefile_read(const char *path, const struct name *origin, const struct zonefile_how *how,
		  struct zone_builder *b, struct diag_list *diag, struct zonefile_files **files) MUST_CHECK;
void zonefile_files_free(struct zonefile_files *files);

/* The files read, for whoever watches them for changes: newest first, the zone file itself last; then NULL. */
const char *zonefile_files_name(const struct zonefile_files *files);
const struct zonefile_files *zonefile_files_next(const struct zonefile_files *files);

/* The same from memory; `label` is the file name in messages; $INCLUDE is relative to the working directory. */
int zonefile_read_text(const char *text, size_t len, const char *label, const struct name *origin,
		       struct zone_builder *b, struct diag_list *diag, struct zonefile_files **files) MUST_CHECK;
int zonefile_read_text_with(const char *text, size_t len, const char *label, const struct name *origin,
			    const struct zonefile_how *how, struct zone_builder *b, struct diag_list *diag,
			    struct zonefile_files **files) MUST_CHECK;

/*
 * From file to snapshot: reads, checks, compiles. What `reload`, `check zone` and start-up call.
 * 0 with *out owned by the caller, -EINVAL, -errno of the file, or -ENOMEM; diag as above.
 */
int zonefile_load(const char *path, const struct name *origin, struct diag_list *diag,
		  struct snapshot **out) MUST_CHECK;

#endif
