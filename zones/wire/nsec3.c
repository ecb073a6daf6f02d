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
#include <string.h>

#include "zones/base/bytes.h"

_Static_assert(NSEC3_HASH_LEN == SHA_DIGEST_LENGTH, "RFC 5155 knows SHA-1 only");

#define BLOCK 64
#define ONE_BLOCK_MAX (BLOCK - 9) /* beside the closing bit and the length in bits (FIPS 180-4 section 5.1.1) */

/*
 * What fits in one block, as nearly every name does, goes to OpenSSL's compression function at once: its buffering
 * and wiping take as long as the hash.
 */
static void
digest_block(const struct nsec3_params *params, const uint8_t *data, unsigned len, uint8_t out[NSEC3_HASH_LEN])
{
	uint8_t block[BLOCK] = {0};
	unsigned total = len + params->salt_len;
	memcpy(block, data, len);
	memcpy(block + len, params->salt, params->salt_len);
	block[total] = 0x80;
	store_be16(block + BLOCK - 2, (uint16_t)(total * 8));
	SHA_CTX ctx;
	SHA1_Init(&ctx);
	SHA1_Transform(&ctx, block);
	store_be32(out, ctx.h0);
	store_be32(out + 4, ctx.h1);
	store_be32(out + 8, ctx.h2);
	store_be32(out + 12, ctx.h3);
	store_be32(out + 16, ctx.h4);
}

static void
digest(const struct nsec3_params *params, const uint8_t *data, unsigned len, uint8_t out[NSEC3_HASH_LEN])
{
	if (likely(len + params->salt_len <= ONE_BLOCK_MAX)) {
		digest_block(params, data, len, out);
		return;
	}
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

/* Five octets, the lowest 40 bits, make eight digits: spread to an octet each by halves, then turned into text. */
static inline uint64_t
base32hex(uint64_t v)
{
	const uint64_t ones = UINT64_MAX / 255;
	v = (v & UINT64_C(0xfffff00000)) << 12 | (v & 0xfffff);
	v = (v & UINT64_C(0x000ffc00000ffc00)) << 6 | (v & UINT64_C(0x000003ff000003ff));
	v = (v & UINT64_C(0x03e003e003e003e0)) << 3 | (v & UINT64_C(0x001f001f001f001f));
	uint64_t is_letter = (v + (128 - 10) * ones) >> 7 & ones;
	return v + '0' * ones + is_letter * ('a' - '0' - 10);
}

void
nsec3_label(const uint8_t hash[NSEC3_HASH_LEN], uint8_t out[1 + NSEC3_LABEL_LEN])
{
	out[0] = NSEC3_LABEL_LEN;
	store_be64(out + 1, base32hex(load_be64(hash) >> 24));
	store_be64(out + 9, base32hex(load_be64(hash + 5) >> 24));
	store_be64(out + 17, base32hex(load_be64(hash + 10) >> 24));
	store_be64(out + 25, base32hex(load_be64(hash + 12)));
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
