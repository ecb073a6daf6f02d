/* SPDX-License-Identifier: Apache-2.0 */
/* ARP, neighbour discovery and echo: answers octet by octet, and all that must stay unanswered. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/dataplane/frame_fixture.h"
#include "tests/unit/dataplane/frame_golden.h"

enum { ARP, ARP_PROBE_VLAN, SOLICITATION, SOLICITATION_UNICAST, SOLICITATION_DAD, ECHO_V4_VLAN, ECHO_V6 };

enum { ND_ROOM = 14 + 40 + 32 };

static struct frame_local local;

static int
setup(void **state)
{
	fixture_local(&local);
	return 0;
}

struct question {
	uint8_t *data;
	uint32_t len;
};

/* A golden question with octets replaced, its checksums right. */
static struct question
changed(unsigned golden, uint32_t off, const char *hex)
{
	struct question q;
	uint32_t n;
	uint8_t *octets = fixture_hex(hex, &n);

	q.data = fixture_hex(golden_neighbours[golden].frame, &q.len);
	assert_true(off + n <= q.len);
	memcpy(q.data + off, octets, n);
	free(octets);
	fixture_repair(q.data, q.len);
	return q;
}

static enum frame_kind
classify(const struct question *q, struct frame *f)
{
	uint8_t *exact = fixture_copy(q->data, q->len);
	enum frame_kind kind = frame_classify(&local, exact, q->len, false, f);
	free(exact);
	return kind;
}

/* Answers in a buffer of exactly `cap` octets; returns it. */
static uint8_t *
answer(const struct question *q, uint32_t cap, uint32_t *answer_len)
{
	uint8_t *data = malloc(cap);

	assert_non_null(data);
	memcpy(data, q->data, q->len);
	*answer_len = frame_answer_neighbour(&local, data, q->len, cap);
	return data;
}

/* Neither classified as a question to us, nor answered, nor touched. */
static void
expect_none(struct question q, enum drop_reason reason)
{
	struct frame f;
	uint32_t len;

	assert_int_equal(classify(&q, &f), FRAME_DROP);
	assert_string_equal(drop_reason_label(f.drop), drop_reason_label(reason));
	uint8_t *data = answer(&q, q.len, &len);
	assert_int_equal(len, 0);
	assert_memory_equal(data, q.data, q.len);
	local.has_kernel = true;
	if (reason == DROP_NEIGHBOUR || reason == DROP_FRAME_NOT_OURS)
		assert_int_equal(classify(&q, &f), FRAME_KERNEL);
	local.has_kernel = false;
	free(data);
	free(q.data);
}

/* Looks like a question to us until its checksum is verified. */
static void
expect_refused(struct question q, uint32_t cap)
{
	struct frame f;
	uint32_t len;

	assert_int_equal(classify(&q, &f), FRAME_NEIGHBOUR);
	uint8_t *data = answer(&q, cap, &len);
	assert_int_equal(len, 0);
	assert_memory_equal(data, q.data, q.len);
	free(data);
	free(q.data);
}

static void
expect_answered(struct question q)
{
	struct frame f;
	uint32_t len;

	assert_int_equal(classify(&q, &f), FRAME_NEIGHBOUR);
	free(answer(&q, q.len + 64, &len));
	assert_int_not_equal(len, 0);
	free(q.data);
}

static void
test_golden_answers(void **state)
{
	for (unsigned i = 0; i < ARRAY_LEN(golden_neighbours); i++) {
		struct question q = changed(i, 0, "");
		struct frame f;
		uint32_t len, expected_len;
		uint8_t *expected = fixture_hex(golden_neighbours[i].reply, &expected_len);

		assert_int_equal(classify(&q, &f), FRAME_NEIGHBOUR);
		uint8_t *data = answer(&q, q.len > expected_len ? q.len : expected_len, &len);
		assert_int_equal(len, expected_len);
		assert_memory_equal(data, expected, len);
		free(data);
		free(expected);
		free(q.data);
	}
}

/* Off, or with a kernel: the questions are not ours to answer. */
static void
test_not_asked_to_answer(void **state)
{
	local.answer_neighbours = false;
	for (unsigned i = 0; i < ARRAY_LEN(golden_neighbours); i++) {
		struct question q = changed(i, 0, "");
		struct frame f;
		assert_int_equal(classify(&q, &f), FRAME_DROP);
		assert_int_equal(f.drop, i <= ARP_PROBE_VLAN ? DROP_NEIGHBOUR : DROP_FRAME_NOT_OURS);
		local.has_kernel = true;
		assert_int_equal(classify(&q, &f), FRAME_KERNEL);
		local.has_kernel = false;
		free(q.data);
	}
}

/* What is missing lies in the buffer behind the frame, as it does where a frame before was longer. */
static void
test_truncations(void **state)
{
	static const uint32_t needed[] = {42, 46, 86, 82, 78, 87, 103};

	for (unsigned i = 0; i < ARRAY_LEN(golden_neighbours); i++) {
		struct question q = changed(i, 0, "");
		const uint32_t full_len = q.len;
		struct frame f;
		for (q.len = 0; q.len < needed[i]; q.len++) {
			uint8_t *data = fixture_copy(q.data, full_len);
			assert_int_not_equal(classify(&q, &f), FRAME_NEIGHBOUR);
			assert_int_equal(frame_answer_neighbour(&local, data, q.len, full_len), 0);
			free(data);
		}
		assert_int_equal(classify(&q, &f), FRAME_NEIGHBOUR);
		free(q.data);
	}
}

static void
test_arp_refused(void **state)
{
	expect_none(changed(ARP, 14 + 27, "37"), DROP_NEIGHBOUR);       /* another target */
	expect_none(changed(ARP, 14 + 6, "0002"), DROP_NEIGHBOUR);      /* a reply */
	expect_none(changed(ARP, 14, "0006"), DROP_NEIGHBOUR);          /* not Ethernet */
	expect_none(changed(ARP, 14 + 2, "86dd"), DROP_NEIGHBOUR);      /* not IPv4 */
	expect_none(changed(ARP, 14 + 4, "0610"), DROP_NEIGHBOUR);      /* other lengths */
	expect_none(changed(ARP, 14 + 14, "c0000235"), DROP_NEIGHBOUR); /* claims our address */
	expect_none(changed(ARP, 14 + 8, "01"), DROP_NEIGHBOUR);        /* sender is a group */
	expect_none(changed(ARP, 6, "01"), DROP_NEIGHBOUR);             /* and so in Ethernet */
	expect_answered(changed(ARP, 0, "020000000001"));               /* a poll for one it knows */
	expect_answered(changed(ARP, 14 + 27, "36"));
}

static void
test_solicitation_refused(void **state)
{
	const enum drop_reason none = DROP_FRAME_NOT_OURS;

	expect_none(changed(SOLICITATION, 14 + 7, "fe"), none);       /* hop limit 254 */
	expect_none(changed(SOLICITATION, 14 + 41, "01"), none);      /* code */
	expect_none(changed(SOLICITATION, 14 + 40 + 23, "54"), none); /* another target */
	expect_none(changed(SOLICITATION, 14 + 40 + 8, "30"), none);  /* the same last three octets */
	expect_none(changed(SOLICITATION, 14 + 39, "54"), none);      /* another group */
	expect_none(changed(SOLICITATION, 14 + 24, "ff05"), none);
	expect_none(changed(SOLICITATION, 14 + 40 + 25, "00"), none); /* option without length */
	expect_none(changed(SOLICITATION, 14 + 40 + 25, "02"), none); /* option over the end */
	expect_none(changed(SOLICITATION, 14 + 5, "1f"), none);       /* cut option */
	expect_none(changed(SOLICITATION, 14 + 8, "ff02"), none);     /* source is a group */
	expect_none(changed(SOLICITATION, 14 + 8, "20010db8000000000000000000000053"), none); /* ... is ours */
	/* no source, and yet a link-layer address of it: RFC 4861 section 7.1.1 */
	expect_none(changed(SOLICITATION, 14 + 8, "00000000000000000000000000000000"), none);
	/* no source, and not to the solicited-node group */
	expect_none(changed(SOLICITATION_DAD, 14 + 24, "20010db8000000000000000000000053"), none);
	expect_answered(changed(SOLICITATION, 14 + 40 + 24, "0e")); /* some other option */
	expect_answered(changed(SOLICITATION_UNICAST, 0, "333300000001"));
}

static void
test_solicitation_checksum_and_room(void **state)
{
	struct question q = changed(SOLICITATION, 0, "");
	q.data[14 + 42] ^= 1;
	expect_refused(q, q.len);
	q = changed(SOLICITATION_DAD, 0, ""); /* the advertisement is longer by its option */
	expect_refused(q, ND_ROOM - 1);
	expect_answered(changed(SOLICITATION_DAD, 0, ""));
}

static void
test_echo_refused(void **state)
{
	enum { IP4 = 18, IP6 = 14 };
	const enum drop_reason none = DROP_FRAME_NOT_OURS;

	expect_none(changed(ECHO_V4_VLAN, IP4 + 6, "2000"), DROP_IP_FRAGMENT);
	expect_none(changed(ECHO_V4_VLAN, IP4 + 6, "0001"), DROP_IP_FRAGMENT);
	expect_none(changed(ECHO_V4_VLAN, IP4 + 19, "37"), none);       /* to another */
	expect_none(changed(ECHO_V4_VLAN, IP4 + 16, "e0000001"), none); /* to a group */
	expect_none(changed(ECHO_V4_VLAN, IP4 + 20, "0d"), none);       /* timestamp request */
	expect_none(changed(ECHO_V4_VLAN, IP4 + 21, "01"), none);       /* code */
	expect_none(changed(ECHO_V4_VLAN, IP4 + 12, "e0000001"), none); /* from a group */
	expect_none(changed(ECHO_V4_VLAN, IP4 + 12, "c0000235"), none); /* from ourselves */
	expect_none(changed(ECHO_V4_VLAN, IP4 + 2, "001b"), none);      /* seven octets */
	expect_none(changed(ECHO_V4_VLAN, IP4, "46"), none);            /* options */
	expect_none(changed(ECHO_V4_VLAN, 0, "ffffffffffff"), none);
	expect_none(changed(ECHO_V6, IP6 + 24, "ff02"), none);
	expect_none(changed(ECHO_V6, IP6 + 39, "54"), none);
	expect_none(changed(ECHO_V6, IP6 + 40, "81"), none); /* a reply */
	expect_none(changed(ECHO_V6, IP6 + 41, "01"), none);
	expect_none(changed(ECHO_V6, IP6 + 8, "ff02"), none);
	expect_none(changed(ECHO_V6, IP6 + 4, "0007"), none);
	expect_none(changed(ECHO_V6, 0, "333300000001"), none);
	expect_none(changed(ECHO_V6, IP6 + 6, "2c"), DROP_IP_FRAGMENT);
}

static void
test_echo_checksums(void **state)
{
	static const struct {
		unsigned golden;
		uint32_t off;
	} faults[] = {{ECHO_V4_VLAN, 18 + 8}, {ECHO_V4_VLAN, 86}, {ECHO_V6, 102}, {ECHO_V6, 14 + 8}};

	for (unsigned i = 0; i < ARRAY_LEN(faults); i++) {
		struct question q = changed(faults[i].golden, 0, "");
		q.data[faults[i].off] ^= 4;
		expect_refused(q, q.len);
	}
}

/* Large echoes, padded frames: as much comes back as the IP length says, with sums that a receiver accepts. */
static void
test_echo_sizes(void **state)
{
	for (uint32_t n = 0; n < 1472; n += 7) {
		for (unsigned v6 = 0; v6 < 2; v6++) {
			const uint32_t icmp = 14 + (v6 ? 40 : 20), len = icmp + 8 + n;
			struct question q = {calloc(1, len + 5), len + 5}, small;
			uint32_t answer_len;

			assert_non_null(q.data);
			small = changed(v6 ? ECHO_V6 : ECHO_V4_VLAN, 0, "");
			memcpy(q.data, small.data, 12);
			memcpy(q.data + 12, small.data + (v6 ? 12 : 16), icmp + 8 - 12);
			fixture_put16(q.data + 14 + (v6 ? 4 : 2), v6 ? 8 + n : 28 + n);
			memset(q.data + icmp + 8, (int)n, n);
			fixture_repair(q.data, q.len);
			uint8_t *data = answer(&q, q.len, &answer_len);
			assert_int_equal(answer_len, len);
			assert_memory_equal(data + icmp + 4, q.data + icmp + 4, 4 + n);
			assert_int_equal(v6 ? fixture_upper_sum(data + 14, data + icmp, 8 + n, 58)
					    : fixture_sum(0, data + icmp, 8 + n),
					 0xffff);
			free(data);
			free(small.data);
			free(q.data);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_golden_answers, setup),
		cmocka_unit_test_setup(test_not_asked_to_answer, setup),
		cmocka_unit_test_setup(test_truncations, setup),
		cmocka_unit_test_setup(test_arp_refused, setup),
		cmocka_unit_test_setup(test_solicitation_refused, setup),
		cmocka_unit_test_setup(test_solicitation_checksum_and_room, setup),
		cmocka_unit_test_setup(test_echo_refused, setup),
		cmocka_unit_test_setup(test_echo_checksums, setup),
		cmocka_unit_test_setup(test_echo_sizes, setup),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
