/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fuzzer's oracle (tests/fuzz/fuzz_frame.c) over mutations of good frames: the same ones every run, without a
 * fuzzer.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/dataplane/frame_fixture.h"
#include "tests/unit/dataplane/frame_golden.h"

#define ROUNDS 5000 /* a frame */

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);

static uint32_t random_state = 2463534242;

static uint32_t
random_below(uint32_t n)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 17;
	random_state ^= random_state << 5;
	return random_state % n;
}

/* Changes some octets, or cuts the frame; the first 3 octets are the oracle's switches. */
static uint32_t
mutate(uint8_t *input, uint32_t len)
{
	static const uint8_t telling[] = {0,    1,    6,    8,    17,   43,  44,  58, 60,
					  0x45, 0x46, 0x81, 0x86, 0x88, 128, 135, 255};

	for (uint32_t i = 0; i < 3; i++)
		input[i] = (uint8_t)random_below(256);
	for (uint32_t n = random_below(5); n > 0; n--) {
		/* the headers are where it matters */
		uint32_t at = 3 + random_below(random_below(2) == 0 ? len - 3 : 38);
		input[at] = (uint8_t)(random_below(2) == 0 ? telling[random_below(sizeof(telling))]
							   : random_below(256));
	}
	return random_below(8) == 0 ? 3 + random_below(len - 2) : len;
}

static void
mutate_frame(const char *hex)
{
	uint32_t len;
	uint8_t *frame = fixture_hex(hex, &len), *input = malloc(len + 3);

	assert_non_null(input);
	for (unsigned round = 0; round < ROUNDS; round++) {
		memcpy(input + 3, frame, len);
		assert_int_equal(LLVMFuzzerTestOneInput(input, mutate(input, len + 3)), 0);
	}
	free(input);
	free(frame);
}

static void
test_mutated_queries(void **state)
{
	for (unsigned i = 0; i < ARRAY_LEN(golden_queries); i++)
		mutate_frame(golden_queries[i].frame);
}

static void
test_mutated_neighbours(void **state)
{
	for (unsigned i = 0; i < ARRAY_LEN(golden_neighbours); i++)
		mutate_frame(golden_neighbours[i].frame);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mutated_queries),
		cmocka_unit_test(test_mutated_neighbours),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
