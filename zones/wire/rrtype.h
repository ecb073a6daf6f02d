/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The record-type table: one row a type drives text to wire, wire to text, canonical form, validation, embedded
 * names, compression and additional-section processing. To add a type, add its row in rrtype.c; nothing else.
 *
 * Types without a row are served all the same (RFC 3597): TYPE<n> and `\# <len> <hex>`.
 * Pure, any thread.
 */
#ifndef ANSER_WIRE_RRTYPE_H
#define ANSER_WIRE_RRTYPE_H

#include <stddef.h>
#include <stdint.h>

#include "zones/base/compiler.h"

/* Numbers that code outside the table names (IANA "Resource Record (RR) TYPEs"). */
enum {
	RRTYPE_A = 1,
	RRTYPE_NS = 2,
	RRTYPE_CNAME = 5,
	RRTYPE_SOA = 6,
	RRTYPE_PTR = 12,
	RRTYPE_HINFO = 13,
	RRTYPE_MX = 15,
	RRTYPE_TXT = 16,
	RRTYPE_SIG = 24,
	RRTYPE_AAAA = 28,
	RRTYPE_NXT = 30,
	RRTYPE_SRV = 33,
	RRTYPE_DNAME = 39,
	RRTYPE_OPT = 41,
	RRTYPE_DS = 43,
	RRTYPE_RRSIG = 46,
	RRTYPE_NSEC = 47,
	RRTYPE_DNSKEY = 48,
	RRTYPE_NSEC3 = 50,
	RRTYPE_NSEC3PARAM = 51,
	RRTYPE_ZONEMD = 63,
	RRTYPE_SVCB = 64,
	RRTYPE_HTTPS = 65,
	RRTYPE_NXNAME = 128,
	RRTYPE_TKEY = 249,
	RRTYPE_TSIG = 250,
	RRTYPE_IXFR = 251,
	RRTYPE_AXFR = 252,
	RRTYPE_MAILB = 253,
	RRTYPE_MAILA = 254,
	RRTYPE_ANY = 255,
};

enum { RRCLASS_IN = 1, RRCLASS_CH = 3, RRCLASS_HS = 4, RRCLASS_NONE = 254, RRCLASS_ANY = 255 };

enum rrtype_flag {
	RRTYPE_META = 1,      /* never in zone data: OPT, TSIG, AXFR, ANY, NXNAME ... (RFC 6895 section 3.1) */
	RRTYPE_SINGLETON = 2, /* at most one record a name: SOA, CNAME, DNAME */
	RRTYPE_OBSOLETE = 4,  /* known, served, never chosen for new data */
};

/* What the additional section may follow (RFC 1034, 2782, 9460): which embedded names are targets. */
enum rrtype_additional { ADDITIONAL_NONE, ADDITIONAL_ADDRESSES };

struct rrtype_row {
	uint16_t type;
	char mnemonic[12];
	uint8_t flags;
	uint8_t additional;
	const uint8_t *fields; /* enum rdata_field, closed by RDF_END (rrtype.c); NULL for meta types */
};

/* The row of a type, or NULL where it has none. */
const struct rrtype_row *rrtype_row(uint16_t type);

/* Mnemonic or TYPE<n>, any case, to number; 0 or -ENOENT. */
int rrtype_from_text(const char *text, size_t len, uint16_t *type) MUST_CHECK;

#define RRTYPE_TEXT_MAX 16
/* Mnemonic or TYPE<n>; NUL-terminated. Returns the length. */
size_t rrtype_to_text(uint16_t type, char out[RRTYPE_TEXT_MAX]);

/* IN, CH, HS, NONE, ANY, CLASS<n>; 0 or -ENOENT. */
int rrclass_from_text(const char *text, size_t len, uint16_t *rrclass) MUST_CHECK;

/* The mnemonic nearest to a misspelt one, or NULL. */
const char *rrtype_nearest(const char *text, size_t len);

/* Rows in the table's order, for tests and documentation. */
const struct rrtype_row *rrtype_rows(unsigned *n);

#endif
