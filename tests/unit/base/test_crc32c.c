/* SPDX-License-Identifier: Apache-2.0 */
/* CRC32C: the vectors of RFC 3720 appendix B.4, in one piece and in two, with and without the instruction. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "zones/base/compiler.h"
#include "zones/base/crc32c.h"

static void
expect(const void *data, size_t len, uint32_t sum)
{
	assert_int_equal(crc32c(0, data, len), sum);
	assert_int_equal(crc32c_portable(0, data, len), sum);
	for (size_t cut = 0; cut <= len; cut++) {
		const uint8_t *p = data;
		assert_int_equal(crc32c(crc32c(0, p, cut), p + cut, len - cut), sum);
	}
}

static void
known_sums(void **state)
{
	uint8_t bytes[32];
	expect("", 0, 0);
	expect("123456789", 9, 0xe3069283);
	memset(bytes, 0, sizeof(bytes));
	expect(bytes, sizeof(bytes), 0x8a9136aa);
	memset(bytes, 0xff, sizeof(bytes));
	expect(bytes, sizeof(bytes), 0x62a8ab43);
	for (unsigned i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)i;
	expect(bytes, sizeof(bytes), 0x46dd794e);
}

static void
every_flipped_bit_shows(void **state)
{
	uint8_t bytes[100];
	for (unsigned i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 37);
	uint32_t sum = crc32c(0, bytes, sizeof(bytes));
	for (unsigned bit = 0; bit < 8 * sizeof(bytes); bit++) {
		bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_int_not_equal(crc32c(0, bytes, sizeof(bytes)), sum);
		bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	for (unsigned len = 0; len < sizeof(bytes); len++)
		assert_int_not_equal(crc32c(0, bytes, len), sum);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_sums),
		cmocka_unit_test(every_flipped_bit_shows),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
