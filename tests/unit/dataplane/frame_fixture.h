/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames for tests and the fuzzer: buffers of exact size, so that AddressSanitizer sees the first octet too far,
 * and checksums computed the slow way, octet by octet, without a line of the code under test. Needs no cmocka.
 */
#ifndef ANSER_TESTS_FRAME_FIXTURE_H
#define ANSER_TESTS_FRAME_FIXTURE_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/frame.h"

static const uint8_t fixture_mac[6] = {0x02, 0, 0, 0, 0, 0x01};
static const struct frame_service fixture_services[] = {
	{.address = {192, 0, 2, 53}, .port = 53},
	{.address = {0x20, 0x01, 0x0d, 0xb8, [15] = 0x53}, .port = 53, .is_v6 = true},
	{.address = {192, 0, 2, 53}, .port = 5300},
	{.address = {192, 0, 2, 54}, .port = 53},
};

/* A port that answers neighbours itself, verifies checksums and has no kernel behind it. */
static inline void
fixture_local(struct frame_local *local)
{
	memset(local, 0, sizeof(*local));
	memcpy(local->mac, fixture_mac, 6);
	local->verify_checksums = local->answer_neighbours = true;
	for (unsigned i = 0; i < ARRAY_LEN(fixture_services); i++)
		if (frame_local_add(local, &fixture_services[i]) != 0)
			abort();
}

/* malloc'd copy of `len` octets, not one more; the caller frees it. */
static inline uint8_t *
fixture_copy(const uint8_t *data, uint32_t len)
{
	uint8_t *copy = malloc(len > 0 ? len : 1);

	if (copy == NULL)
		abort();
	if (len > 0)
		memcpy(copy, data, len);
	return copy;
}

/* Octets of a string of hexadecimal digits; malloc'd. */
static inline uint8_t *
fixture_hex(const char *hex, uint32_t *len)
{
	uint8_t *data = malloc(strlen(hex) / 2 + 1);

	if (data == NULL)
		abort();
	for (*len = 0; hex[2 * *len] != '\0'; ++*len)
		if (sscanf(hex + 2 * *len, "%2hhx", &data[*len]) != 1)
			abort();
	return data;
}

static inline uint32_t
fixture_u16(const uint8_t *p)
{
	return (uint32_t)p[0] << 8 | p[1];
}

static inline void
fixture_put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

/* Ones' complement sum in network order on top of `sum`, folded at every step. */
static inline uint32_t
fixture_sum(uint32_t sum, const uint8_t *data, uint32_t len)
{
	for (uint32_t i = 0; i < len; i++) {
		sum += i % 2 == 0 ? (uint32_t)data[i] << 8 : data[i];
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return sum;
}

/* Sum of an upper layer's `len` octets with its pseudo-header; 0xffff if the checksum in it is right. */
static inline uint32_t
fixture_upper_sum(const uint8_t *ip, const uint8_t *upper, uint32_t len, uint8_t protocol)
{
	uint8_t tail[4] = {0, protocol, (uint8_t)(len >> 8), (uint8_t)len};
	uint32_t sum = ip[0] >> 4 == 6 ? fixture_sum(0, ip + 8, 32) : fixture_sum(0, ip + 12, 8);

	return fixture_sum(fixture_sum(sum, tail, 4), upper, len);
}

/* Network header's offset and type behind at most two tags; 0 if there is none. */
static inline uint32_t
fixture_l3(const uint8_t *data, uint32_t len, uint32_t *type)
{
	uint32_t off = 12;

	for (unsigned tags = 0; off + 2 <= len; tags++, off += 4) {
		*type = fixture_u16(data + off);
		if (tags == 2 || (*type != 0x8100 && *type != 0x88a8))
			return off + 2;
	}
	return 0;
}

/* Makes the checksums of a frame right, as far as its lengths make sense. */
static inline void
fixture_repair(uint8_t *data, uint32_t len)
{
	uint32_t type = 0, l3 = fixture_l3(data, len, &type);
	uint32_t header = 40, upper_len, protocol, at;
	uint8_t *ip = data + l3;

	if (l3 == 0 || len - l3 < 20 || (type == 0x86dd && len - l3 < 40) || (type != 0x0800 && type != 0x86dd))
		return;
	if (ip[0] >> 4 != (type == 0x0800 ? 4 : 6))
		return;
	if (type == 0x0800) {
		header = (ip[0] & 15u) * 4;
		if (header < 20 || fixture_u16(ip + 2) < header || fixture_u16(ip + 2) > len - l3)
			return;
		fixture_put16(ip + 10, 0);
		fixture_put16(ip + 10, ~fixture_sum(0, ip, header));
		protocol = ip[9];
		upper_len = fixture_u16(ip + 2) - header;
	} else {
		protocol = ip[6];
		upper_len = fixture_u16(ip + 4);
	}
	if (upper_len < 8 || upper_len > len - l3 - header)
		return;
	if (protocol == 17 && (upper_len = fixture_u16(ip + header + 4)) > len - l3 - header)
		return;
	at = protocol == 17 ? 6 : 2;
	if (upper_len < 8 || (protocol != 1 && protocol != 17 && protocol != 58))
		return;
	fixture_put16(ip + header + at, 0);
	uint32_t sum = protocol == 1 ? fixture_sum(0, ip + header, upper_len)
				     : fixture_upper_sum(ip, ip + header, upper_len, (uint8_t)protocol);
	fixture_put16(ip + header + at, protocol == 17 && sum == 0xffff ? 0xffff : ~sum);
}

#endif
