/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The NSEC3 hash of a name (RFC 5155 section 5) and its owner label. Pure, any thread.
 */
#ifndef ANSER_WIRE_NSEC3_H
#define ANSER_WIRE_NSEC3_H

#include <stdbool.h>
#include <stdint.h>

#include "zones/base/compiler.h"

#define NSEC3_HASH_LEN 20  /* SHA-1, the one algorithm there is */
#define NSEC3_LABEL_LEN 32 /* of the hash in base32hex, without its length octet */

/* What a zone's hashes are made with: NSEC3PARAM (RFC 5155 section 4). */
struct nsec3_params {
	uint16_t iterations;
	uint8_t salt_len;
	uint8_t salt[255];
};

/* Hash of a name in lower case, `len` octets. Costs one SHA-1 block for each 55 octets, times iterations + 1. */
void nsec3_hash(const struct nsec3_params *params, const uint8_t *name, unsigned len, uint8_t out[NSEC3_HASH_LEN]);

/* The hash as an owner's first label: length octet and 32 octets of base32hex in lower case (RFC 4648 section 7).
 */
void nsec3_label(const uint8_t hash[NSEC3_HASH_LEN], uint8_t out[1 + NSEC3_LABEL_LEN]);

/* The hash that an owner's first label spells, any case; false where it is none. */
bool nsec3_label_hash(const uint8_t *label, uint8_t out[NSEC3_HASH_LEN]) MUST_CHECK;

#endif
