/* SPDX-License-Identifier: Apache-2.0 */
/* frame_reflect() against reply frames written out, and the checksums against sums made octet by octet. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "dataplane/frame_private.h"
#include "tests/unit/dataplane/frame_fixture.h"
#include "tests/unit/dataplane/frame_golden.h"

static struct frame_local local;

static int
setup(void **state)
{
	fixture_local(&local);
	return 0;
}

/* A golden query in a buffer that ends with a payload of payload_len octets, classified. */
static uint8_t *
query_with_room(unsigned golden, uint32_t payload_len, struct frame *f)
{
	uint32_t len;
	uint8_t *query = fixture_hex(golden_queries[golden].frame, &len);

	assert_int_equal(frame_classify(&local, query, len, false, f), FRAME_QUERY);
	uint8_t *data = malloc(f->payload_off + payload_len);
	assert_non_null(data);
	memcpy(data, query, f->payload_off);
	free(query);
	return data;
}

/* With offload IPv4's checksum is 0 and UDP's the sum of the pseudo-header alone; `ip` and `udp` stand in the
 * frame. */
static void
leave_sums_to_offload(uint8_t *ip, uint8_t *udp, const struct frame *f)
{
	uint32_t pseudo = fixture_upper_sum(ip, NULL, 0, 17) + 8 + f->payload_len;

	if (!f->is_v6)
		fixture_put16(ip + 10, 0);
	fixture_put16(udp + 6, pseudo % 0xffff == 0 ? pseudo : pseudo % 0xffff);
}

static void
expect_golden_reply(unsigned golden, bool offload)
{
	uint32_t expected_len, answer_len, reply_len;
	uint8_t *expected = fixture_hex(golden_queries[golden].reply, &expected_len);
	uint8_t *answer = fixture_hex(golden_answer, &answer_len);
	struct frame f;
	uint8_t *data = query_with_room(golden, answer_len, &f);
	uint32_t room = f.payload_off + answer_len;

	memcpy(data + f.payload_off, answer, answer_len);
	uint32_t begin = frame_reflect(data, &f, answer_len, offload, &reply_len);
	assert_int_equal(reply_len, expected_len);
	assert_int_equal(begin + reply_len, room);
	assert_int_equal(f.payload_len, answer_len);
	assert_int_equal(f.l4_off - f.l3_off, f.is_v6 ? 40 : 20);
	if (offload)
		leave_sums_to_offload(expected + f.l3_off - begin, expected + f.l4_off - begin, &f);
	assert_memory_equal(data + begin, expected, expected_len);
	free(data);
	free(answer);
	free(expected);
}

static void
test_golden_replies(void **state)
{
	for (unsigned i = 0; i < ARRAY_LEN(golden_queries); i++)
		expect_golden_reply(i, false);
}

static void
test_golden_offload(void **state)
{
	for (unsigned i = 0; i < ARRAY_LEN(golden_queries); i++)
		expect_golden_reply(i, true);
}

/* Every length up to the largest answer: lengths and checksums that a receiver would accept, payload untouched. */
static void
test_every_length(void **state)
{
	for (uint32_t n = 0; n <= 1300; n++) {
		unsigned golden = n % ARRAY_LEN(golden_queries);
		struct frame f;
		uint8_t *data = query_with_room(golden, n, &f), *payload = data + f.payload_off;
		uint32_t reply_len;

		for (uint32_t i = 0; i < n; i++)
			payload[i] = (uint8_t)(n + i * 31);
		uint32_t begin = frame_reflect(data, &f, n, false, &reply_len);
		const uint8_t *ip = data + f.l3_off, *udp = data + f.l4_off;
		assert_int_equal(begin + reply_len, f.payload_off + n);
		assert_int_equal(fixture_u16(ip + (f.is_v6 ? 4 : 2)), (f.is_v6 ? 8 : 28) + n);
		assert_int_equal(fixture_u16(udp + 4), 8 + n);
		assert_int_equal(fixture_upper_sum(ip, udp, 8 + n, 17), 0xffff);
		if (!f.is_v6)
			assert_int_equal(fixture_sum(0, ip, 20), 0xffff);
		for (uint32_t i = 0; i < n; i++)
			assert_int_equal(payload[i], (uint8_t)(n + i * 31));
		free(data);
	}
}

/* A checksum that comes out as zero goes out as 0xffff: zero would say "none". */
static void
test_checksum_zero(void **state)
{
	for (unsigned golden = 0; golden < ARRAY_LEN(golden_queries); golden++) {
		struct frame f, again;
		uint32_t len;
		uint8_t *data = query_with_room(golden, 2, &f);

		memset(data + f.payload_off, 0, 2);
		again = f;
		uint8_t *first = fixture_copy(data, f.payload_off + 2u);
		frame_reflect(first, &again, 2, false, &len);
		memcpy(data + f.payload_off, first + f.l4_off + 6, 2); /* brings the sum to 0xffff */
		frame_reflect(data, &f, 2, false, &len);
		assert_int_equal(fixture_u16(data + f.l4_off + 6), 0xffff);
		free(first);
		free(data);
	}
}

static void
test_checksum_sum(void **state)
{
	static uint8_t data[2048];
	uint32_t x = 1;

	for (unsigned round = 0; round < 4; round++) {
		for (unsigned i = 0; i < sizeof(data); i++) {
			x = x * 1664525 + 1013904223;
			data[i] = round == 0 ? 0xff : round == 1 ? 0 : (uint8_t)(x >> 24);
		}
		for (uint32_t len = 0; len < 1600; len++) {
			uint8_t *exact = fixture_copy(data + round, len);
			uint16_t folded = checksum_fold(checksum_sum(exact, len));
			assert_int_equal(__builtin_bswap16(folded), fixture_sum(0, exact, len));
			free(exact);
		}
	}
	/* carries out of 64 bits: as many as a full IPv6 payload can bring */
	uint8_t *ones = malloc(65535);
	assert_non_null(ones);
	memset(ones, 0xff, 65535);
	assert_int_equal(__builtin_bswap16(checksum_fold(checksum_sum(ones, 65535))), fixture_sum(0, ones, 65535));
	free(ones);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_golden_replies, setup),
		cmocka_unit_test_setup(test_golden_offload, setup),
		cmocka_unit_test_setup(test_every_length, setup),
		cmocka_unit_test_setup(test_checksum_zero, setup),
		cmocka_unit_test_setup(test_checksum_sum, setup),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
