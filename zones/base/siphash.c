/* SPDX-License-Identifier: Apache-2.0 */
/* SipHash-2-4. See siphash.h. */
#include "zones/base/siphash.h"

#include <string.h>

struct state {
	uint64_t v0, v1, v2, v3;
};

static inline uint64_t
rotate(uint64_t x, unsigned bits)
{
	return x << bits | x >> (64 - bits);
}

static inline void
sip_round(struct state *s)
{
	s->v0 += s->v1;
	s->v1 = rotate(s->v1, 13) ^ s->v0;
	s->v0 = rotate(s->v0, 32);
	s->v2 += s->v3;
	s->v3 = rotate(s->v3, 16) ^ s->v2;
	s->v0 += s->v3;
	s->v3 = rotate(s->v3, 21) ^ s->v0;
	s->v2 += s->v1;
	s->v1 = rotate(s->v1, 17) ^ s->v2;
	s->v2 = rotate(s->v2, 32);
}

static inline void
compress(struct state *s, uint64_t word)
{
	s->v3 ^= word;
	sip_round(s);
	sip_round(s);
	s->v0 ^= word;
}

uint64_t
siphash24(const uint8_t key[SIPHASH_KEY_LEN], const uint64_t *words, size_t len)
{
	uint64_t k[2];
	memcpy(k, key, sizeof(k));
	struct state s = {
		.v0 = k[0] ^ UINT64_C(0x736f6d6570736575),
		.v1 = k[1] ^ UINT64_C(0x646f72616e646f6d),
		.v2 = k[0] ^ UINT64_C(0x6c7967656e657261),
		.v3 = k[1] ^ UINT64_C(0x7465646279746573),
	};
	for (size_t i = 0; i < len / 8; i++)
		compress(&s, words[i]);
	compress(&s, words[len / 8] | (uint64_t)len << 56);
	s.v2 ^= 0xff;
	for (unsigned i = 0; i < 4; i++)
		sip_round(&s);
	return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}
