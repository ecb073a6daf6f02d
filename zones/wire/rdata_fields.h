/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to zones/wire: what rdata is made of.
 *
 * A type's row (rrtype.c) is a list of fields; a field's row (rdata_fields.c) has three functions: read (text to
 * wire), show (wire to text) and check (validate wire and step over it). The drivers in rdata_text.c, rdata_print.c
 * and rdata_wire.c know no types and no fields; everything about one kind of field stands together in one file.
 */
#ifndef ANSER_WIRE_RDATA_FIELDS_H
#define ANSER_WIRE_RDATA_FIELDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "zones/base/compiler.h"
#include "zones/wire/rdata.h"

enum rdata_field {
	RDF_END, /* closes every list */
	RDF_U8,
	RDF_U16,
	RDF_U32,
	RDF_U64,
	RDF_PERIOD,      /* 32 bits of seconds; text may use units */
	RDF_TIME,        /* 32 bits; text is YYYYMMDDHHmmSS or seconds (RFC 4034 section 3.2) */
	RDF_TYPE,        /* 16 bits, a record type by name */
	RDF_ALGORITHM,   /* 8 bits, DNSSEC algorithm; mnemonics are accepted */
	RDF_DIGEST_TYPE, /* 8 bits, DS digest type; mnemonics are accepted */
	RDF_CERT_TYPE,   /* 16 bits, RFC 4398 section 2.1 */
	RDF_SCHEME,      /* 8 bits, RFC 9859 section 2.1 */

	RDF_IP4,
	RDF_IP6,
	RDF_EUI48,
	RDF_EUI64,
	RDF_LOCATOR, /* 64 bits as four groups of hex (RFC 6742) */
	RDF_NSAP,
	RDF_ATMA,

	RDF_NAME,       /* never compressed, case kept */
	RDF_NAME_LOWER, /* never compressed, lower case in canonical form */
	RDF_NAME_OLD,   /* never sent compressed, but received so (RFC 3597 section 4); lower case in canonical form
			 */
	RDF_NAME_BASIC, /* of a type of RFC 1035: may be compressed; lower case in canonical form */
	RDF_NAMES,      /* any number of RDF_NAME */

	RDF_STRING,     /* <character-string> */
	RDF_STRING_OPT, /* one or none */
	RDF_STRINGS,    /* one or more */
	RDF_PSDN,       /* <character-string> of at least four digits (RFC 1183 section 3.1) */
	RDF_TAG,        /* <character-string> of letters and digits (RFC 8659 section 4.1) */
	RDF_TEXT,       /* the rest, as one string without length */
	RDF_URI,        /* the same, not empty */

	RDF_HEX,         /* the rest, not empty */
	RDF_DIGEST,      /* the rest; its length follows from the digest type in the octet before */
	RDF_ZONE_DIGEST, /* the same by RFC 8976 */
	RDF_BASE64,      /* the rest, not empty */
	RDF_BASE64_OPT,  /* the rest */
	RDF_BASE64_DASH, /* the rest as one word; `-` when empty */
	RDF_SALT,        /* length octet and hex, `-` when empty */
	RDF_HASH,        /* length octet and base32hex, not empty */

	RDF_BITMAP, /* windows of types (RFC 4034 section 4.1.2), not empty */
	RDF_BITMAP_OPT,
	RDF_NXT, /* RFC 2535 section 5.2 */
	RDF_WKS, /* protocol and ports (RFC 1035 section 3.4.2) */

	RDF_LOC,
	RDF_APL,
	RDF_A6,
	RDF_IPSEC_GATEWAY, /* gateway type, algorithm, gateway (RFC 4025) */
	RDF_AMT_RELAY,     /* discovery bit, type, relay (RFC 8777) */
	RDF_HIP,           /* lengths, algorithm, HIT, public key (RFC 8005) */
	RDF_SVCB,          /* the SvcParams (RFC 9460 section 2.2) */
	RDF_OPAQUE,        /* the rest; no text form but RFC 3597's */
	RDF_COUNT,
};

/* -------- reading text -------- */

struct rdata_reader {
	struct lexer *lex;
	const struct name *origin; /* may be NULL */
	uint8_t *out;              /* RDATA_MAX_LEN octets, len of them in use */
	size_t len;
	struct token tok; /* the token that is being read; where errors are reported */
	struct rdata_error *err;
};

/* Reports a fault at r->tok; returns -EINVAL. */
int rdata_fail(struct rdata_reader *r, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* The next token of the record becomes r->tok; a fault if there is none. `what` names what is missing. */
int rdata_next(struct rdata_reader *r, const char *what) MUST_CHECK;

/* The same, and quotes are a fault. */
int rdata_next_word(struct rdata_reader *r, const char *what) MUST_CHECK;

/* True when the record has another token (or one that is broken: reading it reports that). */
bool rdata_more(struct rdata_reader *r);

/* Appends to the output; a fault at r->tok when the rdata gets too long. */
int rdata_put(struct rdata_reader *r, const void *bytes, size_t n) MUST_CHECK;
int rdata_put_u8(struct rdata_reader *r, uint8_t v) MUST_CHECK;
int rdata_put_u16(struct rdata_reader *r, uint16_t v) MUST_CHECK;
int rdata_put_u32(struct rdata_reader *r, uint32_t v) MUST_CHECK;

/* r->tok as a decimal number up to max. */
int rdata_number(struct rdata_reader *r, const char *what, uint64_t max, uint64_t *v) MUST_CHECK;

/* The next word as a record type; a misspelt one gets a suggestion. */
int rdata_next_type(struct rdata_reader *r, uint16_t *type) MUST_CHECK;

/* The octet that the character or escape at *p stands for; *p moves behind it. False where it stands for none. */
bool rdata_take_octet(const char **p, const char *end, uint8_t *octet) MUST_CHECK;

/* Resolves the escapes of text[0..n) and appends the octets, at most max of them. */
int rdata_put_unescaped(struct rdata_reader *r, const char *text, size_t n, size_t max) MUST_CHECK;

/* r->tok as a domain name, appended. */
int rdata_put_name(struct rdata_reader *r) MUST_CHECK;

/* text[0..n) as pairs of hex digits, as base64, appended; a fault at r->tok where it is not that. */
int rdata_put_hex(struct rdata_reader *r, const char *text, size_t n) MUST_CHECK;
int rdata_put_base64(struct rdata_reader *r, const char *text, size_t n) MUST_CHECK;

/* All remaining words as one run of hex digits, appended; there may be none. */
int rdata_put_hex_rest(struct rdata_reader *r) MUST_CHECK;

/* text[0..n) as an address, appended. */
int rdata_put_ip4(struct rdata_reader *r, const char *text, size_t n) MUST_CHECK;
int rdata_put_ip6(struct rdata_reader *r, const char *text, size_t n) MUST_CHECK;

/* Decimal digits alone up to max; false otherwise. */
bool rdata_parse_number(const char *text, size_t n, uint64_t max, uint64_t *v) MUST_CHECK;

/* Seconds, bare or in units, up to max. */
bool rdata_parse_period(const char *text, size_t n, uint64_t max, uint64_t *v) MUST_CHECK;

/* Value of a hex digit, or -1. */
int rdata_hex_value(char c);

/* -------- stepping over wire -------- */

enum { RDATA_NAME_LOWER = 4 }; /* beside enum rdata_name_flag: lower case in canonical form */

struct rdata_cursor {
	const uint8_t *start, *p, *end;
	struct rdata_name *names; /* where the names that are passed are noted, up to names_cap of them */
	unsigned n_names, names_cap;
};

static inline size_t
rdata_left(const struct rdata_cursor *c)
{
	return (size_t)(c->end - c->p);
}

/* Steps over n octets, over a name. NULL, or the fault as text; what is said of names goes into c->names. */
const char *rdata_skip(struct rdata_cursor *c, size_t n);
const char *rdata_skip_name(struct rdata_cursor *c, unsigned flags);

/* -------- printing -------- */

struct rdata_printer {
	const uint8_t *start, *p, *end; /* the rdata and what is left of it */
	char *out;
	size_t len, cap;
	bool full;    /* something did not fit */
	bool generic; /* the text form cannot express these octets: RFC 3597's is to be used */
};

void rdata_print(struct rdata_printer *p, const char *text, size_t n);
void rdata_printf(struct rdata_printer *p, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* A blank, unless at the start: stands before every value. */
void rdata_print_blank(struct rdata_printer *p);
/* These take octets from p->p on. */
void rdata_print_name(struct rdata_printer *p);
void rdata_print_hex(struct rdata_printer *p, size_t n);
void rdata_print_base64(struct rdata_printer *p, size_t n);
void rdata_print_ip4(struct rdata_printer *p);
void rdata_print_ip6(struct rdata_printer *p);
/* One octet inside quotes: escaped where a reader would misread it. */
void rdata_print_quoted_octet(struct rdata_printer *p, uint8_t c);

/* -------- the field table -------- */

struct rdata_field_row {
	int (*read)(struct rdata_reader *r);
	void (*show)(struct rdata_printer *p);
	const char *(*check)(struct rdata_cursor *c); /* NULL: `width` octets, any value */
	uint8_t width;
	bool recheck; /* read() may produce what check() refuses, so it is to be run on the result */
	bool expand;  /* a name that may arrive compressed */
	bool names;   /* holds names, maybe among other things */
};

extern const struct rdata_field_row rdata_field_rows[RDF_COUNT];

/*
 * The functions of the rows, by file: read_X takes text from the record's next token on, show_X prints the octets
 * from p->p on and steps over them, check_X validates and steps over them.
 */
#define READ(field) int rdata_read_##field(struct rdata_reader *r) MUST_CHECK
#define SHOW(field) void rdata_show_##field(struct rdata_printer *p)
#define CHECK(field) const char *rdata_check_##field(struct rdata_cursor *c)

/* rdata_number.c */
READ(u8);
SHOW(u8);
READ(u16);
SHOW(u16);
READ(u32);
SHOW(u32);
READ(u64);
SHOW(u64);
READ(period);
READ(time);
SHOW(time);
READ(type);
SHOW(type);
READ(algorithm);
READ(digest_type);
READ(cert_type);
SHOW(cert_type);
READ(scheme);
SHOW(scheme);

/* rdata_address.c */
READ(ip4);
SHOW(ip4);
READ(ip6);
SHOW(ip6);
READ(eui48);
SHOW(eui48);
READ(eui64);
SHOW(eui64);
READ(locator);
SHOW(locator);
READ(nsap);
SHOW(nsap);
READ(atma);
SHOW(atma);
CHECK(atma);
READ(apl);
SHOW(apl);
CHECK(apl);

/* rdata_string.c */
READ(name);
SHOW(name);
CHECK(name);
CHECK(name_lower);
CHECK(name_basic);
READ(names);
SHOW(names);
CHECK(names);
READ(string);
SHOW(string);
CHECK(string);
READ(string_opt);
SHOW(string_opt);
CHECK(string_opt);
READ(strings);
SHOW(strings);
CHECK(strings);
CHECK(psdn);
SHOW(tag);
CHECK(tag);
READ(text);
SHOW(text);
CHECK(rest);
CHECK(rest_not_empty);

/* rdata_binary.c */
READ(hex);
SHOW(hex);
CHECK(digest);
CHECK(zone_digest);
READ(base64);
SHOW(base64);
READ(base64_opt);
READ(base64_dash);
SHOW(base64_dash);
READ(salt);
SHOW(salt);
READ(hash);
SHOW(hash);
CHECK(hash);
READ(opaque);
SHOW(opaque);

/* rdata_bitmap.c */
READ(bitmap);
SHOW(bitmap);
CHECK(bitmap);
CHECK(bitmap_opt);
READ(nxt);
SHOW(nxt);
CHECK(nxt);
READ(wks);
SHOW(wks);
CHECK(wks);

/* rdata_loc.c */
READ(loc);
SHOW(loc);
CHECK(loc);

/* rdata_gateway.c */
READ(a6);
SHOW(a6);
CHECK(a6);
READ(ipsec_gateway);
SHOW(ipsec_gateway);
CHECK(ipsec_gateway);
READ(amt_relay);
SHOW(amt_relay);
CHECK(amt_relay);
READ(hip);
SHOW(hip);
CHECK(hip);

/* rdata_svcb.c, rdata_svcb_text.c */
READ(svcb);
SHOW(svcb);
CHECK(svcb);

#undef READ
#undef SHOW
#undef CHECK

/* The field list of a type; that of unknown and meta types is one RDF_OPAQUE. */
const uint8_t *rdata_fields_of(uint16_t type);

/* Steps over one field. NULL, or the fault as text. */
static inline const char *
rdata_step(const struct rdata_field_row *row, struct rdata_cursor *c)
{
	return row->check != NULL ? row->check(c) : rdata_skip(c, row->width);
}

#endif
