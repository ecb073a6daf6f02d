/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Record data: text to wire, wire to text, validation, canonical form, embedded names. All of it is driven by the
 * field list of the type's row (rrtype.h); there is no code per type here but for the few fields that need it.
 *
 * "Wire" is uncompressed rdata unless a function says otherwise. Pure, any thread, no allocation.
 */
#ifndef ANSER_WIRE_RDATA_H
#define ANSER_WIRE_RDATA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "zones/base/compiler.h"
#include "zones/wire/lexer.h"
#include "zones/wire/name.h"
#include "zones/wire/rrtype.h"

#define RDATA_MAX_LEN 65535

/* Why text or bytes were refused; `message` is for people: one line, no full stop. */
struct rdata_error {
	uint32_t line, column; /* of the token; 0 for wire input */
	char message[200];
};

/*
 * Reads the data of one record of `type` from the lexer, up to and including its EOL. Relative names end in
 * `origin`. Accepts `\# len hex` for every type (RFC 3597 section 5) and then checks it as wire data. `out` has
 * RDATA_MAX_LEN octets. Returns the length (≥ 0) or -EINVAL with *err filled; after an error the lexer stands
 * anywhere before the EOL's end, or just behind it (`lex->last_was_eol`): call lexer_skip_record() unless
 * last_was_eol is set.
 */
int rdata_from_text(struct lexer *lex, uint16_t type, const struct name *origin, uint8_t *out,
		    struct rdata_error *err) MUST_CHECK;

/*
 * Writes rdata as one line of text that rdata_from_text() reads back to the same bytes. The rdata must have passed
 * rdata_check(). out gets a NUL. Returns the length, or -ENOBUFS when cap is too small.
 */
int rdata_to_text(uint16_t type, const uint8_t *rdata, size_t len, char *out, size_t cap) MUST_CHECK;

/* 0 if this is well-formed uncompressed data of the type; else -EINVAL and *err (err may be NULL). */
int rdata_check(uint16_t type, const uint8_t *rdata, size_t len, struct rdata_error *err) MUST_CHECK;

/*
 * Copies rdata out of a message, expanding compressed names where the type may carry them (RFC 3597 section 4), and
 * checks it. out[RDATA_MAX_LEN]. Returns the length or -EINVAL with *err (may be NULL).
 */
int rdata_expand(uint16_t type, const uint8_t *msg, size_t msg_len, size_t pos, size_t rdlen, uint8_t *out,
		 struct rdata_error *err) MUST_CHECK;

/*
 * Canonical form in place: lower-cases the embedded names that RFC 4034 section 6.2, as amended by RFC 6840
 * section 5.1, lists.
 */
void rdata_canonical(uint16_t type, uint8_t *rdata, size_t len);

/* Canonical order of two rdatas of one type (RFC 4034 section 6.3): of octets; call rdata_canonical() before. */
int rdata_compare(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len);

enum rdata_name_flag {
	RDATA_NAME_COMPRESS = 1, /* may be compressed in answers: types of RFC 1035 only (RFC 3597 section 4) */
	RDATA_NAME_TARGET = 2,   /* its addresses belong into the additional section */
};

struct rdata_name {
	uint16_t pos; /* where the name begins in the rdata */
	uint8_t len;  /* octets */
	uint8_t flags;
};

#define RDATA_NAMES_MAX 64

/* Lists the embedded names of good rdata in order; returns how many (at most `cap`, further ones are left out). */
unsigned rdata_names(uint16_t type, const uint8_t *rdata, size_t len, struct rdata_name *out, unsigned cap);

/* TTL text: seconds or units `1w2d3h4m5s`, at most 2^31-1 (RFC 2181 section 8); 0 or -EINVAL. */
int ttl_from_text(const char *text, size_t len, uint32_t *ttl_s) MUST_CHECK;

#endif
