/* SPDX-License-Identifier: Apache-2.0 */
/* NSEC3 hashes: the vectors of RFC 5155, and every length of input against OpenSSL's whole SHA-1. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/sha.h>

#include "tests/unit/wire/cmocka_wire.h"
#include "zones/wire/name.h"
#include "zones/wire/nsec3.h"

static void
assert_hashes_to(const char *text, const struct nsec3_params *params, const char *label)
{
	struct name name = name_of(text);
	uint8_t hash[NSEC3_HASH_LEN], got[1 + NSEC3_LABEL_LEN], back[NSEC3_HASH_LEN];
	nsec3_hash(params, name.bytes, name.len, hash);
	nsec3_label(hash, got);
	assert_int_equal(got[0], NSEC3_LABEL_LEN);
	assert_memory_equal(got + 1, label, NSEC3_LABEL_LEN);
	assert_true(nsec3_label_hash(got, back));
	assert_memory_equal(back, hash, NSEC3_HASH_LEN);
}

/* RFC 5155 appendix A: salt aabbccdd, 12 iterations. */
static void
test_vectors(void **state)
{
	const struct nsec3_params params = {.iterations = 12, .salt_len = 4, .salt = {0xaa, 0xbb, 0xcc, 0xdd}};
	assert_hashes_to("example.", &params, "0p9mhaveqvm6t7vbl5lop2u3t2rp3tom");
	assert_hashes_to("a.example.", &params, "35mthgpgcu1qg68fab165klnsnk3dpvl");
	assert_hashes_to("ai.example.", &params, "gjeqe526plbf1g8mklp59enfd789njgi");
	assert_hashes_to("*.w.example.", &params, "r53bq7cc2uvmubfu5ocmm6pers9tk9en");
}

/* What fits in a block, and what does not: each length beside the other, with and without salt. */
static void
test_lengths(void **state)
{
	uint8_t input[255 + 255], hash[NSEC3_HASH_LEN], expected[NSEC3_HASH_LEN];
	for (unsigned i = 0; i < sizeof(input); i++)
		input[i] = (uint8_t)(i * 31 + 7);
	for (unsigned salt_len = 0; salt_len <= 255; salt_len += salt_len < 64 ? 1 : 191) {
		struct nsec3_params params = {.salt_len = (uint8_t)salt_len};
		for (unsigned len = 1; len <= NAME_MAX_LEN; len++) {
			memcpy(params.salt, input + len, salt_len);
			nsec3_hash(&params, input, len, hash);
			SHA1(input, len + salt_len, expected);
			assert_memory_equal(hash, expected, sizeof(hash));
		}
	}
}

/* Every digit of base32hex at every place. */
static void
test_labels(void **state)
{
	static const char digits[] = "0123456789abcdefghijklmnopqrstuv";
	for (unsigned place = 0; place < NSEC3_LABEL_LEN; place++) {
		for (unsigned digit = 0; digit < 32; digit++) {
			uint8_t hash[NSEC3_HASH_LEN] = {0}, label[1 + NSEC3_LABEL_LEN];
			for (unsigned bit = 0; bit < 5; bit++) {
				unsigned at = place * 5 + bit;
				hash[at / 8] |= (uint8_t)((digit >> (4 - bit) & 1) << (7 - at % 8));
			}
			nsec3_label(hash, label);
			for (unsigned i = 0; i < NSEC3_LABEL_LEN; i++)
				assert_int_equal(label[1 + i], i == place ? digits[digit] : '0');
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_labels),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
