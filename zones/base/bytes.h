/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Big-endian loads and stores on unaligned bytes.
 *
 * Wire data is a byte string without alignment; these are the only places that know about byte order.
 * Pure, any thread.
 */
#ifndef ANSER_BASE_BYTES_H
#define ANSER_BASE_BYTES_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

static inline uint16_t
load_be16(const void *p)
{
	uint16_t v;
	memcpy(&v, p, sizeof(v));
	return __builtin_bswap16(v);
}

static inline uint32_t
load_be32(const void *p)
{
	uint32_t v;
	memcpy(&v, p, sizeof(v));
	return __builtin_bswap32(v);
}

static inline uint64_t
load_be64(const void *p)
{
	uint64_t v;
	memcpy(&v, p, sizeof(v));
	return __builtin_bswap64(v);
}

static inline void
store_be16(void *p, uint16_t v)
{
	v = __builtin_bswap16(v);
	memcpy(p, &v, sizeof(v));
}

static inline void
store_be32(void *p, uint32_t v)
{
	v = __builtin_bswap32(v);
	memcpy(p, &v, sizeof(v));
}

static inline void
store_be64(void *p, uint64_t v)
{
	v = __builtin_bswap64(v);
	memcpy(p, &v, sizeof(v));
}

/*
 * Copying and comparing the few dozen octets of a name or a record, inline: a library call costs more than the
 * work. Both read and write inside [p, p + len) alone; whole words overlap where len is no multiple of them.
 */
static inline void
octets_copy(uint8_t *to, const uint8_t *from, uint32_t len)
{
	if (__builtin_expect(len < 16 || len > 64, 0)) {
		memcpy(to, from, len);
		return;
	}
	uint8_t tail[16];
	memcpy(tail, from + len - 16, 16);
	for (uint32_t i = 0; i + 16 < len; i += 16)
		__builtin_memcpy(to + i, from + i, 16);
	memcpy(to + len - 16, tail, 16);
}

/* The bits in which two words of eight octets differ. */
static inline uint64_t
octets_differ(const uint8_t *a, const uint8_t *b)
{
	uint64_t x, y;
	memcpy(&x, a, 8);
	memcpy(&y, b, 8);
	return x ^ y;
}

static inline bool
octets_equal(const uint8_t *a, const uint8_t *b, uint32_t len)
{
	uint64_t differ = 0;
	if (__builtin_expect(len < 8, 0)) {
		while (len-- > 0)
			differ |= (uint64_t)(a[len] ^ b[len]);
		return differ == 0;
	}
	differ = octets_differ(a, b) | octets_differ(a + len - 8, b + len - 8);
	if (len <= 16)
		return differ == 0;
	differ |= octets_differ(a + 8, b + 8);
	for (uint32_t i = 16; i + 8 < len; i += 8)
		differ |= octets_differ(a + i, b + i);
	return differ == 0;
}

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the loads above swap: little-endian hosts only");

#endif
