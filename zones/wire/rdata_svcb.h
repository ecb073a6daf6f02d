/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to zones/wire: the table of service parameter keys (RFC 9460 section 14.3.2), shared by the wire half
 * (rdata_svcb.c) and the text half (rdata_svcb_text.c) of the SvcParams field.
 */
#ifndef ANSER_WIRE_RDATA_SVCB_H
#define ANSER_WIRE_RDATA_SVCB_H

#include "zones/wire/rdata_fields.h"

enum svcb_key {
	SVCB_MANDATORY = 0,
	SVCB_ALPN = 1,
	SVCB_NO_DEFAULT_ALPN = 2,
	SVCB_PORT = 3,
	SVCB_IPV4HINT = 4,
	SVCB_ECH = 5,
	SVCB_IPV6HINT = 6,
	SVCB_DOHPATH = 7,              /* RFC 9461 */
	SVCB_OHTTP = 8,                /* RFC 9540 */
	SVCB_TLS_SUPPORTED_GROUPS = 9, /* draft-ietf-tls-key-share-prediction */
	SVCB_KNOWN_KEYS,
};

/* One parameter of good rdata. */
struct svcb_param {
	uint16_t key, len;
	const uint8_t *value;
};

/* Length of key and length fields. */
enum { SVCB_HEADER_LEN = 4 };

/* The parameter at p, which must be whole. */
struct svcb_param svcb_param_at(const uint8_t *p);

/* A key that is known: its name, and what is wrong with a value (NULL: nothing). */
struct svcb_key_row {
	const char *name;
	const char *(*check)(const uint8_t *value, size_t len);
};

extern const struct svcb_key_row svcb_key_rows[SVCB_KNOWN_KEYS];

#endif
