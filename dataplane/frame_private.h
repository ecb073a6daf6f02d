/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What frame.c, frame_neighbour.c and the load generator (bench/blast) share: the numbers of the headers, Internet
 * checksums, reply headers.
 *
 * Checksum sums are kept in the byte order of memory: ones' complement addition gives the same octets in either
 * order (RFC 1071 section 2 (B)), so data is added as it lies there and the result is stored as it is. Constants
 * and lengths go through be16_sum().
 */
#ifndef ANSER_DATAPLANE_FRAME_PRIVATE_H
#define ANSER_DATAPLANE_FRAME_PRIVATE_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "dataplane/frame.h"
#include "zones/base/bytes.h"
#include "zones/base/compiler.h"

enum {
	MAC_LEN = 6,
	ETHERNET_LEN = 14,
	TAG_LEN = 4,
	TAGS_MAX = 2,
	IPV4_LEN = 20, /* without options */
	IPV6_LEN = 40, /* without extension headers */
	UDP_LEN = 8,
};

enum {
	TYPE_IPV4 = 0x0800,
	TYPE_ARP = 0x0806,
	TYPE_VLAN = 0x8100,
	TYPE_QINQ = 0x88a8,
	TYPE_IPV6 = 0x86dd,
};

enum {
	PROTO_HOP_BY_HOP = 0,
	PROTO_ICMP = 1,
	PROTO_UDP = 17,
	PROTO_ROUTING = 43,
	PROTO_FRAGMENT = 44,
	PROTO_ICMPV6 = 58,
	PROTO_DESTINATION = 60,
};

#define IPV4_FRAGMENT_MASK 0x3fff /* more fragments, or an offset */
#define REPLY_HOPS 64             /* TTL and hop limit of what we send, but for neighbour discovery */

/* -------- checksums -------- */

static inline uint64_t
be16_sum(uint16_t v)
{
	return __builtin_bswap16(v);
}

/* Sum of the last 1 to 7 octets of a run, which end at `end`; `whole`: 8 octets before `end` may be read. */
static inline uint64_t
checksum_tail(const uint8_t *end, unsigned len, bool whole)
{
	uint64_t word = 0;

	if (likely(whole)) { /* a load that ends where the data ends, its older octets shifted out */
		memcpy(&word, end - 8, 8);
		return word >> 8 * (8 - len);
	}
	for (unsigned i = 0; i < len; i++)
		word |= (uint64_t)end[(int)i - (int)len] << 8 * i;
	return word;
}

/* Sixteen octets as two words; their 32-bit halves are summed in words of their own, which cannot overflow. */
typedef uint64_t checksum_lanes __attribute__((vector_size(16)));

static inline checksum_lanes
checksum_sixteen(const uint8_t *data)
{
	const checksum_lanes low = {UINT32_MAX, UINT32_MAX};
	checksum_lanes v;
	memcpy(&v, data, sizeof(v));
	return (v & low) + (v >> 32);
}

/* Sum of `len` octets as 16-bit words, an odd last one padded with zero; not folded, below 2^48. */
static inline uint64_t
checksum_sum(const uint8_t *data, uint32_t len)
{
	const uint8_t *end = data + len;
	checksum_lanes lanes = {0, 0};

	for (; end - data >= 16; data += 16)
		lanes += checksum_sixteen(data);
	uint64_t sum = lanes[0] + lanes[1], word = 0;
	if (end - data >= 8) {
		memcpy(&word, data, 8);
		data += 8;
		sum += (word & UINT32_MAX) + (word >> 32);
	}
	if (data != end) {
		word = checksum_tail(end, (unsigned)(end - data), len >= 8);
		sum += (word & UINT32_MAX) + (word >> 32);
	}
	return sum;
}

/* Sum of the n 32-bit words of addresses. */
static inline uint64_t
checksum_words(const uint8_t *data, unsigned n)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < n; i++) {
		uint32_t word;
		memcpy(&word, data + 4 * i, 4);
		sum += word;
	}
	return sum;
}

/* Folds a sum to 16 bits; a sum with a right checksum in it folds to 0xffff. */
static inline uint16_t
checksum_fold(uint64_t sum)
{
	sum = (sum & UINT32_MAX) + (sum >> 32);
	uint32_t half = (uint32_t)sum + (uint32_t)(sum >> 32);
	/* The upper half of this is the sum of both halves and of the carry that the lower one made (RFC 1071). */
	half += half << 16 | half >> 16;
	return (uint16_t)(half >> 16);
}

/* Stores a folded sum or its complement, which is in memory order already. */
static inline void
checksum_store(uint8_t *at, uint16_t checksum)
{
	memcpy(at, &checksum, sizeof(checksum));
}

/* Pseudo-header (RFC 768, RFC 8200 section 8.1) of the IP header at ip. */
static inline uint64_t
checksum_pseudo(const uint8_t *ip, bool is_v6, uint8_t protocol, uint32_t upper_len)
{
	uint64_t addresses = is_v6 ? checksum_words(ip + 8, 8) : checksum_words(ip + 12, 2);
	return addresses + be16_sum(protocol) + be16_sum((uint16_t)upper_len);
}

/* -------- headers -------- */

/*
 * Steps over Ethernet and up to two tags. Returns where the network header begins (may be `len`) and its type, or 0
 * if the frame ends before.
 */
static inline uint32_t
frame_skip_tags(const uint8_t *data, uint32_t len, uint16_t *type)
{
	uint32_t off = ETHERNET_LEN;

	if (unlikely(len < off))
		return 0;
	*type = load_be16(data + off - 2);
	for (unsigned n = 0; n < TAGS_MAX && unlikely(*type == TYPE_VLAN || *type == TYPE_QINQ); n++) {
		off += TAG_LEN;
		if (len < off)
			return 0;
		*type = load_be16(data + off - 2);
	}
	return off;
}

/* Addresses that no reply can go to: this network, loopback, multicast, broadcast (RFC 1122 section 3.2.1.3). */
static inline bool
ipv4_source_bogus(const uint8_t *address)
{
	uint8_t first = address[0];
	return first == 0 || first == 127 || (first & 0xf0) == 0xe0 || load_be32(address) == UINT32_MAX;
}

/* The same for IPv6: unspecified, loopback, multicast (RFC 4291 section 2.4). */
static inline bool
ipv6_source_bogus(const uint8_t *address)
{
	return address[0] == 0xff || (load_be64(address) == 0 && load_be64(address + 8) <= 1);
}

static inline void
mac_swap(uint8_t *data)
{
	uint8_t to[MAC_LEN];

	memcpy(to, data, MAC_LEN);
	memcpy(data, data + MAC_LEN, MAC_LEN);
	memcpy(data + MAC_LEN, to, MAC_LEN);
}

/*
 * Makes the IPv4 header at ip, without options, that of a reply: addresses swapped, id, flags and type of service
 * 0. The header checksum is left 0 if `offload`.
 */
static inline void
ipv4_reflect(uint8_t *ip, uint32_t total_len, uint8_t protocol, bool offload)
{
	uint64_t addresses;
	uint64_t sum = checksum_words(ip + 12, 2) + be16_sum(0x4500) + be16_sum((uint16_t)total_len) +
		       be16_sum((uint16_t)(REPLY_HOPS << 8 | protocol));

	memcpy(&addresses, ip + 12, 8);
	addresses = addresses << 32 | addresses >> 32;
	store_be32(ip, 0x45000000 | total_len);
	store_be32(ip + 4, 0);
	store_be32(ip + 8, (uint32_t)REPLY_HOPS << 24 | (uint32_t)protocol << 16);
	if (!offload)
		checksum_store(ip + 10, (uint16_t)~checksum_fold(sum));
	memcpy(ip + 12, &addresses, 8);
}

/* Writes the first 8 octets of an IPv6 header; traffic class and flow label are 0. */
static inline void
ipv6_begin(uint8_t *ip, uint32_t payload_len, uint8_t next, uint8_t hops)
{
	store_be32(ip, 0x60000000);
	store_be32(ip + 4, payload_len << 16 | (uint32_t)next << 8 | hops);
}

static inline void
ipv6_swap(uint8_t *ip)
{
	uint8_t from[16];

	memcpy(from, ip + 8, 16);
	memcpy(ip + 8, ip + 24, 16);
	memcpy(ip + 24, from, 16);
}

/* -------- neighbours (frame_neighbour.c) -------- */

enum neighbour_question {
	NEIGHBOUR_NONE, /* not for us, or not to be answered */
	NEIGHBOUR_ARP,
	NEIGHBOUR_SOLICITATION,
	NEIGHBOUR_ECHO_V4,
	NEIGHBOUR_ECHO_V6,
};

/*
 * What the frame whose network header of `type` begins at l3_off asks of our addresses. All is looked at but
 * checksums. Cold.
 */
enum neighbour_question frame_neighbour_question(const struct frame_local *local, const uint8_t *data, uint32_t len,
						 uint32_t l3_off, uint16_t type);

#endif
