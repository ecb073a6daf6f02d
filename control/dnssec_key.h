/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Public keys of DNSSEC and what they signed, by OpenSSL. Pure but for allocation; any thread. For checks, not for
 * the daemon.
 */
#ifndef ANSER_CONTROL_DNSSEC_KEY_H
#define ANSER_CONTROL_DNSSEC_KEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "zones/base/compiler.h"

struct evp_pkey_st;

/* A DNSKEY record (RFC 4034 section 2). */
struct dnssec_key {
	uint16_t flags, tag;
	uint8_t algorithm;
	struct evp_pkey_st *key; /* NULL: not a key of an algorithm that is understood */
};

#define DNSSEC_KEY_ZONE 0x0100 /* flags: the key signs zone data; others must not be used for it */

/* Reads DNSKEY data of at least 4 octets. Free with dnssec_key_clear(). */
void dnssec_key_read(struct dnssec_key *k, const uint8_t *rdata, size_t len);
void dnssec_key_clear(struct dnssec_key *k);

/* Is this an algorithm that dnssec_key_read() understands? */
bool dnssec_algorithm_is_known(uint8_t algorithm);

/* Did the key make this signature over the data? The key must not be NULL. */
bool dnssec_key_verifies(const struct dnssec_key *k, const uint8_t *data, size_t len, const uint8_t *signature,
			 size_t signature_len) MUST_CHECK;

#endif
