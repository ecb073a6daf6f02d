/* SPDX-License-Identifier: Apache-2.0 */
/* ARP requests and neighbour solicitations. See ask_mac.h. */
#include "bench/blast/ask_mac.h"

#include <string.h>

#include "dataplane/frame_private.h"
#include "zones/base/bytes.h"

enum {
	ARP_LEN = 28,
	ARP_REQUEST = 1,
	ARP_REPLY = 2,
	SOLICITATION = 135,
	ADVERTISEMENT = 136,
	SOLICITATION_LEN = 32, /* with the source's MAC as option */
	ND_HOPS = 255,
};

#define ARP_ETHERNET_IPV4 UINT64_C(0x0001080006040000) /* hardware and protocol types and their lengths */

static uint32_t
write_arp(const struct ask_mac *a, uint8_t *out)
{
	uint8_t *arp = out + ETHERNET_LEN;
	memset(out, 0xff, MAC_LEN);
	memcpy(out + MAC_LEN, a->mac, MAC_LEN);
	store_be16(out + 2 * MAC_LEN, TYPE_ARP);
	store_be64(arp, ARP_ETHERNET_IPV4 | ARP_REQUEST);
	memcpy(arp + 8, a->mac, MAC_LEN);
	memcpy(arp + 14, a->source, 4);
	memset(arp + 18, 0, MAC_LEN);
	memcpy(arp + 24, a->server, 4);
	return ETHERNET_LEN + ARP_LEN;
}

/* To the multicast address of all whose address ends alike (RFC 4291 section 2.7.1, RFC 2464 section 7). */
static uint32_t
write_solicitation(const struct ask_mac *a, uint8_t *out)
{
	static const uint8_t group[16] = {0xff, 0x02, [11] = 1, 0xff};
	uint8_t *ip = out + ETHERNET_LEN, *nd = ip + IPV6_LEN;
	memset(out, 0, ETHERNET_LEN + IPV6_LEN + SOLICITATION_LEN);
	ipv6_begin(ip, SOLICITATION_LEN, PROTO_ICMPV6, ND_HOPS);
	memcpy(ip + 8, a->source, 16);
	memcpy(ip + 24, group, 13);
	memcpy(ip + 37, a->server + 13, 3);
	store_be16(out, 0x3333);
	memcpy(out + 2, ip + 36, 4);
	memcpy(out + MAC_LEN, a->mac, MAC_LEN);
	store_be16(out + 2 * MAC_LEN, TYPE_IPV6);
	nd[0] = SOLICITATION;
	memcpy(nd + 8, a->server, 16);
	nd[24] = 1; /* source link-layer address, 8 octets */
	nd[25] = 1;
	memcpy(nd + 26, a->mac, MAC_LEN);
	uint64_t sum =
		checksum_pseudo(ip, true, PROTO_ICMPV6, SOLICITATION_LEN) + checksum_sum(nd, SOLICITATION_LEN);
	checksum_store(nd + 2, (uint16_t)~checksum_fold(sum));
	return ETHERNET_LEN + IPV6_LEN + SOLICITATION_LEN;
}

uint32_t
ask_mac_write(const struct ask_mac *a, uint8_t out[ASK_MAC_FRAME_MAX])
{
	return a->is_v6 ? write_solicitation(a, out) : write_arp(a, out);
}

static bool
read_arp(const struct ask_mac *a, const uint8_t *frame, uint32_t len, uint8_t *mac)
{
	const uint8_t *arp = frame + ETHERNET_LEN;
	if (len < ETHERNET_LEN + ARP_LEN || load_be16(arp - 2) != TYPE_ARP ||
	    load_be64(arp) != (ARP_ETHERNET_IPV4 | ARP_REPLY) || memcmp(arp + 14, a->server, 4) != 0)
		return false;
	memcpy(mac, arp + 8, MAC_LEN);
	return true;
}

/* The MAC is taken from the frame's sender, which on one link is the option's, too. */
static bool
read_advertisement(const struct ask_mac *a, const uint8_t *frame, uint32_t len, uint8_t *mac)
{
	const uint8_t *ip = frame + ETHERNET_LEN, *nd = ip + IPV6_LEN;
	if (len < ETHERNET_LEN + IPV6_LEN + 24 || load_be16(ip - 2) != TYPE_IPV6 || ip[6] != PROTO_ICMPV6 ||
	    ip[7] != ND_HOPS || nd[0] != ADVERTISEMENT || memcmp(nd + 8, a->server, 16) != 0)
		return false;
	memcpy(mac, frame + MAC_LEN, MAC_LEN);
	return true;
}

bool
ask_mac_read(const struct ask_mac *a, const uint8_t *frame, uint32_t len, uint8_t mac[6])
{
	return a->is_v6 ? read_advertisement(a, frame, len, mac) : read_arp(a, frame, len, mac);
}
