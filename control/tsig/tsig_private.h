/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of tsig.h share: keys from inside, and what a MAC is computed over (RFC 8945 section 4.3). */
#ifndef ANSER_CONTROL_TSIG_PRIVATE_H
#define ANSER_CONTROL_TSIG_PRIVATE_H

#include <stdatomic.h>

#include <openssl/evp.h>

#include "control/tsig/tsig.h"

struct tsig_algorithm {
	struct name name;   /* in TSIG records */
	const char *digest; /* OpenSSL's name of the hash */
	uint8_t mac_len;    /* octets, not truncated */
};

struct tsig_key {
	struct name name;
	const struct tsig_algorithm *algorithm;
	bool takes_truncated;
	EVP_MAC_CTX *mac; /* knows the secret and has taken in nothing; only ever copied, which any thread may do */
	atomic_uint n_holds;
};

/* -------- computing MACs -------- */

/* A MAC of its own, to be freed with EVP_MAC_CTX_free(); NULL: no memory. */
EVP_MAC_CTX *tsig_mac_new(const struct tsig_key *key) MUST_CHECK;

/* Forgets what a MAC has taken in. This and all below return false where OpenSSL fails: no memory. */
bool tsig_mac_restart(EVP_MAC_CTX *ctx) MUST_CHECK;

/* Section 4.3.1: a MAC and its length. */
bool tsig_mac_add_mac(EVP_MAC_CTX *ctx, const struct tsig_mac *mac) MUST_CHECK;

/* Section 4.3.2: the message without its TSIG, whose place, counter and id are told by `r`. */
bool tsig_mac_add_message(EVP_MAC_CTX *ctx, const uint8_t *msg, const struct tsig_record *r) MUST_CHECK;

/* Section 4.3.3: all that the TSIG says. */
bool tsig_mac_add_variables(EVP_MAC_CTX *ctx, const struct tsig_record *r) MUST_CHECK;

/* Section 5.3.1: time and fudge alone. */
bool tsig_mac_add_timers(EVP_MAC_CTX *ctx, const struct tsig_record *r) MUST_CHECK;

/* The result, not truncated. */
bool tsig_mac_final(EVP_MAC_CTX *ctx, struct tsig_mac *out) MUST_CHECK;

#endif
