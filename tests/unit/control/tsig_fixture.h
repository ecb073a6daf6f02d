/* SPDX-License-Identifier: Apache-2.0 */
/* Keys and messages for the tests of TSIG. */
#ifndef ANSER_TESTS_TSIG_FIXTURE_H
#define ANSER_TESTS_TSIG_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "control/tsig/tsig.h"
#include "zones/base/bytes.h"

#define NOW UINT64_C(0x123456789) /* more than 32 bits */

struct message {
	uint8_t octets[8192];
	size_t len;
};

/* A key of the name, whose secret is made from it and from `secret`. */
struct config_key key_of(const char *name, enum config_algorithm algorithm, const char *secret);

/* A set of one key for each algorithm, `sha1.` to `sha512.`; the caller frees it. */
struct tsig_keys *keys_of_all(enum tsig_truncation truncation);

/* The key of that set for an algorithm. */
const struct tsig_key *key_in(const struct tsig_keys *keys, enum config_algorithm algorithm);

/* A query for the SOA of example., with OPT, and with this id. */
struct message query_of(uint16_t id);

/* The n-th message of an answer to it: one TXT record. */
struct message answer_of(uint16_t id, unsigned n);

/* Signs a request in place. */
struct tsig_mac sign_request(const struct tsig_key *key, struct message *m, uint64_t now_s);

/* Its text, in a buffer that the next call uses again. */
const char *text_of(const struct tsig_verdict *v);

/* Where the TSIG begins, and where the fields behind its key name do. */
struct places {
	size_t start, type, algorithm, time, mac_len, mac, original_id, error, other_len;
};
struct places places_of(const struct message *m);

#endif
