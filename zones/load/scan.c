/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counting in large texts. See scan.h. Vectors are the compiler's, so that this is SSE2, AVX2 or NEON, as it
 * builds.
 */
#include "zones/load/scan.h"

#include <stdint.h>
#include <string.h>

#define LANES 16
typedef uint8_t vector __attribute__((vector_size(LANES)));

/* Counts in at most 255 vectors, which no lane's count overflows. */
static size_t
count_vectors(const char *text, size_t n, char octet)
{
	vector sums = {0}, v;
	size_t total = 0;

	for (size_t i = 0; i < n; i++) {
		memcpy(&v, text + i * LANES, LANES);
		sums -= (vector)(v == (uint8_t)octet); /* a lane that is equal has all bits set: -1 */
	}
	for (unsigned i = 0; i < LANES; i++)
		total += sums[i];
	return total;
}

size_t
scan_count(const char *text, size_t len, char octet)
{
	size_t total = 0;

	while (len >= LANES) {
		size_t n = len / LANES < UINT8_MAX ? len / LANES : UINT8_MAX;
		total += count_vectors(text, n, octet);
		text += n * LANES;
		len -= n * LANES;
	}
	for (size_t i = 0; i < len; i++)
		total += text[i] == octet;
	return total;
}
