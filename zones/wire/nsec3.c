/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The NSEC3 hash. See nsec3.h.
 *
 * SHA-1 is OpenSSL's, by its old interface: the new one allocates a context and looks the algorithm up by name for
 * each digest, which a worker must not do and could not afford.
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "zones/wire/nsec3.h"

#include <openssl/sha.h>

_Static_assert(NSEC3_HASH_LEN == SHA_DIGEST_LENGTH, "RFC 5155 knows SHA-1 only");

static void
digest(const struct nsec3_params *params, const uint8_t *data, unsigned len, uint8_t out[NSEC3_HASH_LEN])
{
	SHA_CTX ctx;
	SHA1_Init(&ctx);
	SHA1_Update(&ctx, data, len);
	if (params->salt_len != 0)
		SHA1_Update(&ctx, params->salt, params->salt_len);
	SHA1_Final(out, &ctx);
}

void
nsec3_hash(const struct nsec3_params *params, const uint8_t *name, unsigned len, uint8_t out[NSEC3_HASH_LEN])
{
	digest(params, name, len, out);
	for (unsigned i = 0; i < params->iterations; i++)
		digest(params, out, NSEC3_HASH_LEN, out);
}

/* Five octets make eight digits. */
void
nsec3_label(const uint8_t hash[NSEC3_HASH_LEN], uint8_t out[1 + NSEC3_LABEL_LEN])
{
	static const char digits[] = "0123456789abcdefghijklmnopqrstuv";
	*out++ = NSEC3_LABEL_LEN;
	for (unsigned i = 0; i < NSEC3_HASH_LEN; i += 5) {
		uint64_t v = 0;
		for (unsigned k = 0; k < 5; k++)
			v = v << 8 | hash[i + k];
		for (unsigned k = 0; k < 8; k++)
			*out++ = (uint8_t)digits[v >> (35 - 5 * k) & 31];
	}
}

static int
digit_value(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'v' ? c - 'a' + 10 : -1;
}

bool
nsec3_label_hash(const uint8_t *label, uint8_t out[NSEC3_HASH_LEN])
{
	if (*label++ != NSEC3_LABEL_LEN)
		return false;
	for (unsigned i = 0; i < NSEC3_HASH_LEN; i += 5) {
		uint64_t v = 0;
		for (unsigned k = 0; k < 8; k++) {
			int digit = digit_value(*label++);
			if (digit < 0)
				return false;
			v = v << 5 | (unsigned)digit;
		}
		for (unsigned k = 0; k < 5; k++)
			out[i + k] = (uint8_t)(v >> (32 - 8 * k));
	}
	return true;
}
