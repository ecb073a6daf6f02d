/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Domain names in wire form (RFC 1035 section 3.1): length-prefixed labels, closed by the root's zero.
 *
 * A name is plain bytes; `struct name` is a 256-byte box for one, its bytes uncompressed. Owner names are kept
 * and compared in lower case (ASCII only, RFC 4343); the case of names inside rdata is kept as written. Length
 * bytes are at most 63 and so are never mistaken for a letter: a whole wire name can be lower-cased byte by byte.
 *
 * Hashes run from the right: the hash of a name is the hash of its first label seeded with the hash of the rest.
 * One pass over QNAME so gives the hash of every ancestor. The seed is random per process (name_hash_seed).
 *
 * Everything here is pure, on any thread, without RCU state.
 */
#ifndef ANSER_WIRE_NAME_H
#define ANSER_WIRE_NAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "zones/base/compiler.h"

#define NAME_MAX_LEN 255    /* octets on the wire, the root's zero included */
#define NAME_MAX_LABELS 127 /* without the root */
#define LABEL_MAX_LEN 63
#define NAME_TEXT_MAX 1025 /* every octet as \DDD, with dots and NUL */

struct name {
	uint8_t len; /* octets in use, from 1 */
	uint8_t bytes[NAME_MAX_LEN];
};

enum name_error {
	NAME_OK = 0,
	NAME_EMPTY_LABEL = -1,
	NAME_LABEL_TOO_LONG = -2,
	NAME_TOO_LONG = -3,
	NAME_BAD_ESCAPE = -4,
	NAME_NOT_ABSOLUTE = -5, /* relative, and there is no origin */
	NAME_TRUNCATED = -6,    /* runs over the end of the bytes */
	NAME_BAD_POINTER = -7,  /* compression that points forward, too often or with label type 01/10 */
	NAME_EMPTY = -8,
};

/* A short English text for an error, without a full stop. */
const char *name_error_text(enum name_error e);

/*
 * Text to wire (RFC 1035 section 5.1: `\X`, `\DDD`, `@`, relative names end in `origin`). `text` need not end in
 * NUL; the case is kept. `origin` may be NULL. On error *out is untouched.
 */
enum name_error
name_from_text(const char *text, size_t text_len, const struct name *origin, struct name *out) MUST_CHECK;

/*
 * Wire to absolute text with its closing dot and a NUL. Letters, digits, `-`, `_`, `*`, `/` and the like stay;
 * what a zone file would misread is escaped. out must have NAME_TEXT_MAX octets. Returns the length without NUL.
 */
size_t name_to_text(const uint8_t *wire, char *out);

/* Length of the uncompressed name at p[0..cap), or a negative name_error. Never reads past cap. */
int name_check(const uint8_t *p, size_t cap) MUST_CHECK;

/* Length of a name known to be good. */
unsigned name_len(const uint8_t *wire);

/* Labels of a good name, the root not counted. */
unsigned name_labels(const uint8_t *wire);

/*
 * Reads the possibly compressed name at msg[*pos] into *out (case kept) and moves *pos behind it. Pointers must
 * point before the name they occur in (so it ends). On error *pos and *out are untouched.
 */
enum name_error name_expand(const uint8_t *msg, size_t msg_len, size_t *pos, struct name *out) MUST_CHECK;

/* dst[0..len) = src lower-cased; may be the same bytes. */
void name_lower(uint8_t *dst, const uint8_t *src, unsigned len);

static inline uint8_t
name_lower_octet(uint8_t c)
{
	return (uint8_t)(c + ((uint8_t)(c - 'A') < 26 ? 32 : 0));
}

/* Equal but for case. */
bool name_equal(const uint8_t *a, const uint8_t *b);

/* Canonical order (RFC 4034 section 6.1): < 0, 0, > 0. Case does not count. */
int name_compare(const uint8_t *a, const uint8_t *b);

/* True when `name` equals `ancestor` or lies below it. */
bool name_is_under(const uint8_t *name, const uint8_t *ancestor);

/* The name without its first `n` labels; n must not exceed name_labels(). Points into `wire`. */
const uint8_t *name_parent(const uint8_t *wire, unsigned n);

/* Copies a good wire name into a box. */
void name_copy(struct name *dst, const uint8_t *wire);

/* `*.` + name; false if that is too long. */
bool name_wildcard(const uint8_t *name, struct name *out) MUST_CHECK;

/* -------- hashes -------- */

/* Set once at program start, before any zone is built; tests may leave the default. */
extern uint64_t name_hash_seed;

/* Hash of the root: where every chain starts. */
static inline uint64_t
name_hash_root(void)
{
	return name_hash_seed;
}

/*
 * Hash of a name from the hash of its parent and its first label; `label` points at the length octet and is in
 * lower case. XXH3, seeded (xxHash's documentation, "Seed").
 */
uint64_t name_hash_label(uint64_t parent, const uint8_t *label);

/* Hash of a whole name in lower case. */
uint64_t name_hash(const uint8_t *lower);

/* Every suffix of one name: where it begins, and its hash. Only the entries in use are ever touched. */
struct name_suffixes {
	uint8_t labels;
	uint8_t start[NAME_MAX_LABELS + 1]; /* of each label, counted from the left; start[labels]: the root */
	uint64_t at[NAME_MAX_LABELS + 1];   /* at[k]: hash of the last k labels */
};

/* Where the last k labels begin in the name. */
static inline unsigned
name_suffix_start(const struct name_suffixes *s, unsigned k)
{
	return s->start[s->labels - k];
}

/* As name_check(), and notes where the labels start. The hashes are left alone. */
int name_scan(const uint8_t *p, size_t cap, struct name_suffixes *out) MUST_CHECK;

/* name_scan(), and the name in lower case to lower[NAME_MAX_LEN]; nothing there on error. */
int name_read(uint8_t *lower, const uint8_t *p, size_t cap, struct name_suffixes *out) MUST_CHECK;

/* Fills in the hashes of a name that was scanned, now in lower case. */
void name_suffixes_hash(const uint8_t *lower, struct name_suffixes *s);

/* The same from at[k] on, which is there. */
void name_suffixes_hash_from(const uint8_t *lower, struct name_suffixes *s, unsigned k);

/* Both at once, for a good name in lower case. */
void name_suffixes(const uint8_t *lower, struct name_suffixes *out);

#endif
