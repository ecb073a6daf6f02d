/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers to the link's questions about our addresses: ARP (RFC 826), neighbour solicitation (RFC 4861) and echo
 * (RFC 792, RFC 4443), for ports whose NIC no kernel shares. See frame.h.
 *
 * One function decides what is asked; classification calls it and so does the answer, which therefore trusts
 * nobody. Cold: all of it together is a few packets a second.
 */
#include <string.h>

#include "dataplane/frame_private.h"
#include "zones/base/bytes.h"

enum {
	ARP_LEN = 28,
	ARP_REQUEST = 1,
	ARP_REPLY = 2,
	ARP_SENDER_MAC = 8, /* offsets */
	ARP_SENDER_IP = 14,
	ARP_TARGET_MAC = 18,
	ARP_TARGET_IP = 24,
};

enum {
	ICMP_LEN = 8,
	ICMP_ECHO_REPLY = 0,
	ICMP_ECHO = 8,
	ICMPV6_ECHO = 128,
	ICMPV6_ECHO_REPLY = 129,
	ICMPV6_SOLICITATION = 135,
	ICMPV6_ADVERTISEMENT = 136,
};

enum {
	ND_TARGET = 8, /* offset in the message */
	ND_LEN = 24,   /* without options */
	ND_HOPS = 255, /* nothing from beyond the link arrives with it */
	ND_SOURCE_MAC = 1,
	ND_TARGET_MAC = 2,
	ADVERTISEMENT_LEN = ND_LEN + 8,
};

#define ARP_ETHERNET_IPV4 0x0001080006040000ULL /* hardware and protocol types and their lengths */
#define ND_SOLICITED 0x40000000u
#define ND_OVERRIDE 0x20000000u

static const uint8_t all_nodes[16] = {0xff, 0x02, [15] = 0x01};
static const uint8_t all_nodes_mac[MAC_LEN] = {0x33, 0x33, [5] = 0x01};
static const uint8_t solicited_node_prefix[13] = {0xff, 0x02, [11] = 0x01, 0xff};
static const uint8_t unspecified[16];

/* -------- what is asked -------- */

/*
 * An ARP request for one of our addresses. One that also claims to come from our address (gratuitous, a conflict)
 * asks nothing; a sender of 0.0.0.0 is a probe (RFC 5227) and gets its answer.
 */
static enum neighbour_question
arp_question(const struct frame_local *local, const uint8_t *arp, uint32_t rest)
{
	if (rest < ARP_LEN || load_be64(arp) != (ARP_ETHERNET_IPV4 | ARP_REQUEST))
		return NEIGHBOUR_NONE;
	if ((arp[ARP_SENDER_MAC] & 1) != 0 || frame_local_has_address(local, arp + ARP_SENDER_IP, false))
		return NEIGHBOUR_NONE;
	return frame_local_has_address(local, arp + ARP_TARGET_IP, false) ? NEIGHBOUR_ARP : NEIGHBOUR_NONE;
}

static enum neighbour_question
ipv4_question(const struct frame_local *local, const uint8_t *ip, uint32_t rest)
{
	if (rest < IPV4_LEN + ICMP_LEN || ip[0] != 0x45 || ip[9] != PROTO_ICMP)
		return NEIGHBOUR_NONE;
	uint32_t total_len = load_be16(ip + 2);
	if (total_len < IPV4_LEN + ICMP_LEN || total_len > rest || (load_be16(ip + 6) & IPV4_FRAGMENT_MASK) != 0)
		return NEIGHBOUR_NONE;
	if (load_be16(ip + IPV4_LEN) != ICMP_ECHO << 8 || !frame_local_has_address(local, ip + 16, false))
		return NEIGHBOUR_NONE;
	if (ipv4_source_bogus(ip + 12) || frame_local_has_address(local, ip + 12, false))
		return NEIGHBOUR_NONE;
	return NEIGHBOUR_ECHO_V4;
}

/* Options must have a length and end with the message; a nameless sender must not give its link-layer address. */
static bool
nd_options_valid(const uint8_t *option, const uint8_t *end, bool sender_unspecified)
{
	while (option < end) {
		if (end - option < 8 || option[1] == 0 || end - option < option[1] * 8)
			return false;
		if (option[0] == ND_SOURCE_MAC && sender_unspecified)
			return false;
		option += option[1] * 8;
	}
	return true;
}

/* RFC 4861 section 7.1.1, but for the checksum. `nd` is a message of nd_len octets. */
static enum neighbour_question
solicitation_question(const struct frame_local *local, const uint8_t *ip, const uint8_t *nd, uint32_t nd_len)
{
	const uint8_t *from = ip + 8, *to = ip + 24, *target = nd + ND_TARGET;
	bool nameless = memcmp(from, unspecified, 16) == 0;

	if (nd_len < ND_LEN || ip[7] != ND_HOPS || nd[1] != 0 || !frame_local_has_address(local, target, true))
		return NEIGHBOUR_NONE;
	if (!nd_options_valid(nd + ND_LEN, nd + nd_len, nameless))
		return NEIGHBOUR_NONE;
	bool to_group = memcmp(to, solicited_node_prefix, 13) == 0 && memcmp(to + 13, target + 13, 3) == 0;
	if (!to_group && (nameless || memcmp(to, target, 16) != 0))
		return NEIGHBOUR_NONE;
	if (!nameless && (ipv6_source_bogus(from) || frame_local_has_address(local, from, true)))
		return NEIGHBOUR_NONE;
	return NEIGHBOUR_SOLICITATION;
}

static enum neighbour_question
ipv6_question(const struct frame_local *local, const uint8_t *ip, uint32_t rest)
{
	if (rest < IPV6_LEN + ICMP_LEN || ip[0] >> 4 != 6 || ip[6] != PROTO_ICMPV6)
		return NEIGHBOUR_NONE;
	const uint8_t *icmp = ip + IPV6_LEN;
	uint32_t icmp_len = load_be16(ip + 4);
	if (icmp_len < ICMP_LEN || icmp_len > rest - IPV6_LEN)
		return NEIGHBOUR_NONE;
	if (icmp[0] == ICMPV6_SOLICITATION)
		return solicitation_question(local, ip, icmp, icmp_len);
	if (load_be16(icmp) != ICMPV6_ECHO << 8 || !frame_local_has_address(local, ip + 24, true))
		return NEIGHBOUR_NONE;
	if (ipv6_source_bogus(ip + 8) || frame_local_has_address(local, ip + 8, true))
		return NEIGHBOUR_NONE;
	return NEIGHBOUR_ECHO_V6;
}

enum neighbour_question
frame_neighbour_question(const struct frame_local *local, const uint8_t *data, uint32_t len, uint32_t l3_off,
			 uint16_t type)
{
	const bool to_group = (data[0] & 1) != 0, from_group = (data[MAC_LEN] & 1) != 0;
	enum neighbour_question question = NEIGHBOUR_NONE;

	if (from_group)
		return NEIGHBOUR_NONE;
	if (type == TYPE_ARP)
		return arp_question(local, data + l3_off, len - l3_off);
	if (type == TYPE_IPV4)
		question = ipv4_question(local, data + l3_off, len - l3_off);
	else if (type == TYPE_IPV6)
		question = ipv6_question(local, data + l3_off, len - l3_off);
	/* An echo to all stations of the link would have each of them answer. */
	return to_group && question != NEIGHBOUR_SOLICITATION ? NEIGHBOUR_NONE : question;
}

/* -------- answers -------- */

/* Each returns the reply's length from the network header on, or 0. `room` is counted from there, too. */

static uint32_t
answer_arp(const struct frame_local *local, uint8_t *arp)
{
	uint8_t target_ip[4];

	memcpy(target_ip, arp + ARP_TARGET_IP, 4);
	store_be64(arp, ARP_ETHERNET_IPV4 | ARP_REPLY);
	memmove(arp + ARP_TARGET_MAC, arp + ARP_SENDER_MAC, MAC_LEN + 4);
	memcpy(arp + ARP_SENDER_MAC, local->mac, MAC_LEN);
	memcpy(arp + ARP_SENDER_IP, target_ip, 4);
	return ARP_LEN;
}

static uint32_t
answer_echo_v4(uint8_t *ip)
{
	uint32_t total_len = load_be16(ip + 2), icmp_len = total_len - IPV4_LEN;
	uint8_t *icmp = ip + IPV4_LEN;

	if (checksum_fold(checksum_sum(ip, IPV4_LEN)) != 0xffff ||
	    checksum_fold(checksum_sum(icmp, icmp_len)) != 0xffff)
		return 0;
	ipv4_reflect(ip, total_len, PROTO_ICMP, false);
	store_be32(icmp, ICMP_ECHO_REPLY << 24);
	checksum_store(icmp + 2, (uint16_t)~checksum_fold(checksum_sum(icmp, icmp_len)));
	return total_len;
}

/* Folded sum of an ICMPv6 message with its pseudo-header. */
static uint16_t
icmpv6_sum(const uint8_t *ip, uint32_t icmp_len)
{
	return checksum_fold(checksum_pseudo(ip, true, PROTO_ICMPV6, icmp_len) +
			     checksum_sum(ip + IPV6_LEN, icmp_len));
}

static uint32_t
answer_echo_v6(uint8_t *ip)
{
	uint32_t icmp_len = load_be16(ip + 4);
	uint8_t *icmp = ip + IPV6_LEN;

	if (icmpv6_sum(ip, icmp_len) != 0xffff)
		return 0;
	ipv6_begin(ip, icmp_len, PROTO_ICMPV6, REPLY_HOPS);
	ipv6_swap(ip);
	store_be32(icmp, (uint32_t)ICMPV6_ECHO_REPLY << 24);
	checksum_store(icmp + 2, (uint16_t)~icmpv6_sum(ip, icmp_len));
	return IPV6_LEN + icmp_len;
}

/*
 * The advertisement of RFC 4861 section 7.2.4. Override is set: a service address is anycast to the routing system,
 * but on this link an ordinary one.
 */
static uint32_t
answer_solicitation(const struct frame_local *local, uint8_t *ip, uint32_t room, bool *to_all_nodes)
{
	uint8_t *nd = ip + IPV6_LEN;

	if (room < IPV6_LEN + ADVERTISEMENT_LEN || icmpv6_sum(ip, load_be16(ip + 4)) != 0xffff)
		return 0;
	*to_all_nodes = memcmp(ip + 8, unspecified, 16) == 0;
	ipv6_begin(ip, ADVERTISEMENT_LEN, PROTO_ICMPV6, ND_HOPS);
	memcpy(ip + 24, *to_all_nodes ? all_nodes : ip + 8, 16);
	memcpy(ip + 8, nd + ND_TARGET, 16);
	store_be32(nd, (uint32_t)ICMPV6_ADVERTISEMENT << 24);
	store_be32(nd + 4, ND_OVERRIDE | (*to_all_nodes ? 0 : ND_SOLICITED));
	nd[ND_LEN] = ND_TARGET_MAC;
	nd[ND_LEN + 1] = 1; /* in units of 8 octets */
	memcpy(nd + ND_LEN + 2, local->mac, MAC_LEN);
	checksum_store(nd + 2, (uint16_t)~icmpv6_sum(ip, ADVERTISEMENT_LEN));
	return IPV6_LEN + ADVERTISEMENT_LEN;
}

uint32_t
frame_answer_neighbour(const struct frame_local *local, uint8_t *data, uint32_t len, uint32_t cap)
{
	uint16_t type;
	uint32_t l3_off = frame_skip_tags(data, len, &type), answer_len = 0;
	bool to_all_nodes = false;

	if (l3_off == 0 || cap < len)
		return 0;
	switch (frame_neighbour_question(local, data, len, l3_off, type)) {
	case NEIGHBOUR_NONE:
		break;
	case NEIGHBOUR_ARP:
		answer_len = answer_arp(local, data + l3_off);
		break;
	case NEIGHBOUR_SOLICITATION:
		answer_len = answer_solicitation(local, data + l3_off, cap - l3_off, &to_all_nodes);
		break;
	case NEIGHBOUR_ECHO_V4:
		answer_len = answer_echo_v4(data + l3_off);
		break;
	case NEIGHBOUR_ECHO_V6:
		answer_len = answer_echo_v6(data + l3_off);
		break;
	}
	if (answer_len == 0)
		return 0;
	memcpy(data, to_all_nodes ? all_nodes_mac : data + MAC_LEN, MAC_LEN);
	memcpy(data + MAC_LEN, local->mac, MAC_LEN);
	return l3_off + answer_len;
}
