/* SPDX-License-Identifier: Apache-2.0 */
/* CRC32C. See crc32c.h. */
#include "zones/base/crc32c.h"

#ifdef __SSE4_2__
#include <nmmintrin.h>
#include <string.h>
#endif

#define POLYNOMIAL_REFLECTED UINT32_C(0x82f63b78)

uint32_t
crc32c_portable(uint32_t before, const void *data, size_t len)
{
	const uint8_t *p = data;
	uint32_t crc = ~before;
	for (size_t i = 0; i < len; i++) {
		crc ^= p[i];
		for (unsigned bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (POLYNOMIAL_REFLECTED & -(crc & 1));
	}
	return ~crc;
}

#ifdef __SSE4_2__
uint32_t
crc32c(uint32_t before, const void *data, size_t len)
{
	const uint8_t *p = data;
	uint64_t crc = ~before;
	size_t i = 0;
	for (; i + 8 <= len; i += 8) {
		uint64_t word;
		memcpy(&word, p + i, 8);
		crc = _mm_crc32_u64(crc, word);
	}
	uint32_t rest = (uint32_t)crc;
	for (; i < len; i++)
		rest = _mm_crc32_u8(rest, p[i]);
	return ~rest;
}
#else
uint32_t
crc32c(uint32_t before, const void *data, size_t len)
{
	return crc32c_portable(before, data, len);
}
#endif
