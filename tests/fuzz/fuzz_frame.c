/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzzes frames: classifies whatever comes, answers what is to be answered, and reads the answer with a parser of
 * its own.
 *
 * Input: one octet of switches, two octets for the size of the answer, then the frame. Frames stand in buffers of
 * exact size, so a sanitizer sees every access beside them. A wrong answer aborts.
 */
#include "tests/fuzz/check.h"
#include "tests/unit/dataplane/frame_fixture.h"

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);

enum {
	SWITCH_VERIFY = 1,
	SWITCH_GOOD = 2, /* the port vouches for checksums */
	SWITCH_KERNEL = 4,
	SWITCH_NEIGHBOURS = 8,
	SWITCH_OFFLOAD = 16,
	SWITCH_ADDRESS = 32, /* make the frame one for us: what a fuzzer can hardly guess */
	SWITCH_REPAIR = 64,  /* make its checksums right */
};

static const uint8_t zeros[16];

/* -------- making the frame one of ours -------- */

static void
address_frame(uint8_t *data, uint32_t len)
{
	uint32_t type = 0, l3 = fixture_l3(data, len, &type);

	if (l3 == 0 || (data[0] & 1) != 0)
		return;
	memcpy(data, fixture_mac, 6);
	if (type == 0x0800 && len - l3 >= 20)
		memcpy(data + l3 + 16, fixture_services[0].address, 4);
	else if (type == 0x0806 && len - l3 >= 28)
		memcpy(data + l3 + 24, fixture_services[0].address, 4);
	else if (type == 0x86dd && len - l3 >= 40)
		memcpy(data + l3 + 24, fixture_services[1].address, 16);
	if (type == 0x86dd && len - l3 >= 64 && data[l3 + 6] == 58 && data[l3 + 40] == 135)
		memcpy(data + l3 + 48, fixture_services[1].address, 16);
}

/* -------- reading replies -------- */

/* An IP header as we send it, at ip with `rest` octets; returns where the upper layer begins. */
static const uint8_t *
check_ip(const uint8_t *ip, uint32_t rest, bool is_v6, uint8_t protocol, uint8_t hops, bool offload)
{
	if (is_v6) {
		CHECK(rest >= 40 && ip[0] == 0x60 && ip[1] == 0 && ip[2] == 0 && ip[3] == 0);
		CHECK(fixture_u16(ip + 4) == rest - 40 && ip[6] == protocol && ip[7] == hops);
		return ip + 40;
	}
	CHECK(rest >= 20 && ip[0] == 0x45 && ip[1] == 0 && fixture_u16(ip + 2) == rest);
	CHECK(memcmp(ip + 4, zeros, 4) == 0 && ip[8] == hops && ip[9] == protocol);
	CHECK(offload ? fixture_u16(ip + 10) == 0 : fixture_sum(0, ip, 20) == 0xffff);
	return ip + 20;
}

static void
check_swapped(const uint8_t *was, const uint8_t *is, uint32_t first, uint32_t second, uint32_t n)
{
	CHECK(memcmp(was + first, is + second, n) == 0 && memcmp(was + second, is + first, n) == 0);
}

/* The reply of `len` octets to the query that `f` (before reflection) describes. */
static void
check_reflected(const uint8_t *query, const struct frame *f, const uint8_t *reply, uint32_t len,
		uint32_t payload_len, bool offload)
{
	const uint8_t *was = query + f->l3_off, *is = reply + f->l3_off;
	const uint8_t *udp = check_ip(is, len - f->l3_off, f->is_v6, 17, 64, offload);

	CHECK(udp + 8 + payload_len == reply + len);
	check_swapped(query, reply, 0, 6, 6);
	CHECK(memcmp(query + 12, reply + 12, f->l3_off - 12u) == 0);
	check_swapped(was, is, f->is_v6 ? 8 : 12, f->is_v6 ? 24 : 16, f->is_v6 ? 16 : 4);
	check_swapped(query + f->l4_off, udp, 0, 2, 2);
	CHECK(fixture_u16(udp + 4) == 8 + payload_len);
	if (offload) {
		uint8_t length[2] = {(uint8_t)((8 + payload_len) >> 8), (uint8_t)(8 + payload_len)};
		uint32_t pseudo = fixture_sum(fixture_upper_sum(is, udp, 0, 17), length, 2);
		CHECK(fixture_u16(udp + 6) % 0xffff == pseudo % 0xffff);
		return;
	}
	CHECK(fixture_u16(udp + 6) != 0);
	CHECK(fixture_upper_sum(is, udp, 8 + payload_len, 17) == 0xffff);
}

static void
check_arp(const uint8_t *was, const uint8_t *is, uint32_t rest)
{
	CHECK(rest == 28 && memcmp(is, "\0\1\x08\0\6\4\0\2", 8) == 0);
	CHECK(memcmp(is + 8, fixture_mac, 6) == 0 && memcmp(is + 14, was + 24, 4) == 0);
	CHECK(memcmp(is + 18, was + 8, 10) == 0);
}

static void
check_advertisement(const uint8_t *was, const uint8_t *is, uint32_t rest)
{
	const uint8_t *nd = check_ip(is, rest, true, 58, 255, false);
	bool nameless = memcmp(was + 8, zeros, 16) == 0;

	CHECK(rest == 72 && memcmp(is + 8, was + 48, 16) == 0);
	CHECK(nameless ? memcmp(is + 24, "\xff\x02\0\0\0\0\0\0\0\0\0\0\0\0\0\1", 16) == 0
		       : memcmp(is + 24, was + 8, 16) == 0);
	CHECK(nd[0] == 136 && nd[1] == 0 && nd[4] == (nameless ? 0x20 : 0x60) && memcmp(nd + 5, zeros, 3) == 0);
	CHECK(memcmp(nd + 8, was + 48, 16) == 0 && nd[24] == 2 && nd[25] == 1 &&
	      memcmp(nd + 26, fixture_mac, 6) == 0);
	CHECK(fixture_upper_sum(is, nd, 32, 58) == 0xffff);
}

static void
check_echo(const uint8_t *was, const uint8_t *is, uint32_t rest, bool is_v6)
{
	const uint8_t *icmp = check_ip(is, rest, is_v6, is_v6 ? 58 : 1, 64, false);
	uint32_t header = (uint32_t)(icmp - is), icmp_len = rest - header;

	check_swapped(was, is, is_v6 ? 8 : 12, is_v6 ? 24 : 16, is_v6 ? 16 : 4);
	CHECK(icmp_len >= 8 && icmp[0] == (is_v6 ? 129 : 0) && icmp[1] == 0);
	CHECK(memcmp(icmp + 4, was + header + 4, icmp_len - 4) == 0);
	CHECK((is_v6 ? fixture_upper_sum(is, icmp, icmp_len, 58) : fixture_sum(0, icmp, icmp_len)) == 0xffff);
}

static void
check_answered(const uint8_t *question, uint32_t question_len, const uint8_t *reply, uint32_t len)
{
	uint32_t type = 0, l3 = fixture_l3(question, question_len, &type);
	const uint8_t *was = question + l3, *is = reply + l3;
	bool advertisement = type == 0x86dd && was[40] == 135;

	CHECK(l3 != 0 && len > l3 && memcmp(question + 12, reply + 12, l3 - 12) == 0);
	CHECK(memcmp(reply + 6, fixture_mac, 6) == 0);
	if (advertisement && memcmp(was + 8, zeros, 16) == 0)
		CHECK(memcmp(reply, "\x33\x33\0\0\0\1", 6) == 0);
	else
		CHECK(memcmp(reply, question + 6, 6) == 0);
	if (type == 0x0806)
		check_arp(was, is, len - l3);
	else if (advertisement)
		check_advertisement(was, is, len - l3);
	else
		check_echo(was, is, len - l3, type == 0x86dd);
}

/* -------- the two ways of a frame -------- */

static void
reflect(const uint8_t *query, uint32_t query_len, const struct frame *classified, uint32_t payload_len,
	bool offload)
{
	struct frame f = *classified;
	uint32_t room = f.payload_off + payload_len, len = 0;
	uint8_t *data = malloc(room);

	CHECK(data != NULL && f.l3_off < f.l4_off && f.payload_off == f.l4_off + 8);
	CHECK(f.payload_off + f.payload_len <= query_len);
	memcpy(data, query, f.payload_off);
	for (uint32_t i = 0; i < payload_len; i++)
		data[f.payload_off + i] = (uint8_t)(i * 167 + payload_len);
	uint32_t begin = frame_reflect(data, &f, payload_len, offload, &len);
	CHECK(begin + len == room && f.l3_off == classified->l3_off + begin);
	CHECK(f.payload_len == payload_len && f.payload_off == classified->payload_off);
	check_reflected(query, classified, data + begin, len, payload_len, offload);
	for (uint32_t i = 0; i < payload_len; i++)
		CHECK(data[f.payload_off + i] == (uint8_t)(i * 167 + payload_len));
	free(data);
}

static void
answer(const struct frame_local *local, const uint8_t *question, uint32_t question_len, uint32_t cap)
{
	uint8_t *data = malloc(cap > 0 ? cap : 1);

	CHECK(data != NULL);
	memcpy(data, question, question_len);
	uint32_t len = frame_answer_neighbour(local, data, question_len, cap);
	CHECK(len <= cap);
	if (len > 0)
		check_answered(question, question_len, data, len);
	else
		CHECK(memcmp(data, question, question_len) == 0);
	free(data);
}

int
LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	static struct frame_local local;
	struct frame f;

	if (size < 3 || size > 4096)
		return 0;
	if (local.n_services == 0)
		fixture_local(&local);
	uint8_t switches = input[0];
	uint32_t reply_len = fixture_u16(input + 1) % 1500, len = (uint32_t)size - 3;
	local.verify_checksums = (switches & SWITCH_VERIFY) != 0;
	local.has_kernel = (switches & SWITCH_KERNEL) != 0;
	local.answer_neighbours = (switches & SWITCH_NEIGHBOURS) != 0;

	uint8_t *data = fixture_copy(input + 3, len), *before;
	if ((switches & SWITCH_ADDRESS) != 0)
		address_frame(data, len);
	if ((switches & SWITCH_REPAIR) != 0)
		fixture_repair(data, len);
	before = fixture_copy(data, len);
	enum frame_kind kind = frame_classify(&local, data, len, (switches & SWITCH_GOOD) != 0, &f);
	CHECK(kind == f.kind && kind <= FRAME_DROP && memcmp(data, before, len) == 0);
	CHECK(kind != FRAME_DROP || f.drop < DROP_REASON_COUNT);
	CHECK(kind != FRAME_KERNEL || local.has_kernel);
	CHECK(kind != FRAME_NEIGHBOUR || local.answer_neighbours);
	if (kind == FRAME_QUERY)
		reflect(data, len, &f, reply_len, (switches & SWITCH_OFFLOAD) != 0);
	answer(&local, data, len, len + reply_len % 64); /* whatever it was classified as */
	free(before);
	free(data);
	return 0;
}
