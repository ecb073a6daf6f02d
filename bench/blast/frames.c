/* SPDX-License-Identifier: Apache-2.0 */
/* Frames of the load. See frames.h. */
#include "bench/blast/frames.h"

#include <string.h>

#include "dataplane/frame_private.h"
#include "zones/base/bytes.h"

enum {
	IPV4_LENGTH = 2, /* offsets in their headers */
	IPV4_CHECKSUM = 10,
	IPV4_SOURCE = 12,
	IPV4_TO = 16,
	IPV6_LENGTH = 4,
	IPV6_SOURCE = 8,
	IPV6_TO = 24,
	UDP_TO = 2,
	UDP_LENGTH = 4,
	UDP_CHECKSUM = 6,
};

static void
init_ipv4(struct frames *f, uint8_t *ip)
{
	store_be16(ip, 0x4500);
	store_be16(ip + 8, REPLY_HOPS << 8 | PROTO_UDP);
	memcpy(ip + IPV4_TO, f->server, 4);
	f->ip_sum = checksum_sum(ip, IPV4_LEN);
	f->udp_sum = checksum_words(ip + IPV4_TO, 1);
}

static void
init_ipv6(struct frames *f, uint8_t *ip)
{
	ipv6_begin(ip, 0, PROTO_UDP, REPLY_HOPS);
	memcpy(ip + IPV6_TO, f->server, 16);
	f->udp_sum = checksum_words(ip + IPV6_TO, 4);
}

void
frames_init(struct frames *f, const struct sources *sources, const uint8_t *server, uint16_t server_port,
	    const uint8_t *mac, const uint8_t *next_hop_mac)
{
	bool v6 = sources->is_v6;
	*f = (struct frames){.sources = *sources, .server_port = server_port};
	memcpy(f->server, server, v6 ? 16 : 4);
	memcpy(f->headers, next_hop_mac, MAC_LEN);
	memcpy(f->headers + MAC_LEN, mac, MAC_LEN);
	store_be16(f->headers + 2 * MAC_LEN, v6 ? TYPE_IPV6 : TYPE_IPV4);
	if (v6)
		init_ipv6(f, f->headers + ETHERNET_LEN);
	else
		init_ipv4(f, f->headers + ETHERNET_LEN);
	uint32_t udp = ETHERNET_LEN + (v6 ? IPV6_LEN : IPV4_LEN);
	store_be16(f->headers + udp + UDP_TO, server_port);
	f->udp_sum += be16_sum(PROTO_UDP) + be16_sum(server_port);
	f->headers_len = udp + UDP_LEN;
}

/* The source address, lengths and the header's checksum; returns the sum of the address. */
static inline uint64_t
write_ip(const struct frames *f, uint8_t *ip, uint32_t address, uint32_t udp_len)
{
	if (f->sources.is_v6) {
		sources_address(&f->sources, address, ip + IPV6_SOURCE);
		store_be16(ip + IPV6_LENGTH, (uint16_t)udp_len);
		return checksum_words(ip + IPV6_SOURCE, 4);
	}
	sources_address(&f->sources, address, ip + IPV4_SOURCE);
	store_be16(ip + IPV4_LENGTH, (uint16_t)(IPV4_LEN + udp_len));
	uint64_t sum = checksum_words(ip + IPV4_SOURCE, 1);
	uint64_t all = f->ip_sum + sum + be16_sum((uint16_t)(IPV4_LEN + udp_len));
	checksum_store(ip + IPV4_CHECKSUM, (uint16_t)~checksum_fold(all));
	return sum;
}

uint32_t
frames_write(const struct frames *f, uint8_t *out, uint32_t source, uint16_t id, const uint8_t *message,
	     uint32_t len, uint16_t sum)
{
	uint32_t udp_len = UDP_LEN + len;
	uint16_t port = sources_port_of(&f->sources, source);
	memcpy(out, f->headers, f->headers_len);
	octets_copy(out + f->headers_len, message, len);
	store_be16(out + f->headers_len, id);
	uint64_t address_sum = write_ip(f, out + ETHERNET_LEN, sources_address_of(&f->sources, source), udp_len);
	uint8_t *udp = out + f->headers_len - UDP_LEN;
	store_be16(udp, port);
	store_be16(udp + UDP_LENGTH, (uint16_t)udp_len);
	uint64_t all =
		f->udp_sum + address_sum + sum + be16_sum(port) + be16_sum(id) + 2 * be16_sum((uint16_t)udp_len);
	uint16_t checksum = (uint16_t)~checksum_fold(all);
	checksum_store(udp + UDP_CHECKSUM, checksum != 0 ? checksum : 0xffff);
	return f->headers_len + len;
}

/* One end of a packet's way. */
struct end {
	const uint8_t *address;
	uint16_t port;
};

/* Where UDP begins; NULL if there is none that we read. */
static inline const uint8_t *
read_ip(const struct frames *f, const uint8_t *frame, struct end *from, struct end *to)
{
	const uint8_t *ip = frame + ETHERNET_LEN;
	if (f->sources.is_v6) {
		from->address = ip + IPV6_SOURCE;
		to->address = ip + IPV6_TO;
		bool is_udp = load_be16(ip - 2) == TYPE_IPV6 && ip[0] >> 4 == 6 && ip[6] == PROTO_UDP;
		return is_udp ? ip + IPV6_LEN : NULL;
	}
	from->address = ip + IPV4_SOURCE;
	to->address = ip + IPV4_TO;
	bool is_udp = load_be16(ip - 2) == TYPE_IPV4 && ip[0] == 0x45 && ip[9] == PROTO_UDP &&
		      (load_be16(ip + 6) & IPV4_FRAGMENT_MASK) == 0;
	return is_udp ? ip + IPV4_LEN : NULL;
}

static inline bool
is_server(const struct frames *f, const struct end *end)
{
	return end->port == f->server_port && memcmp(end->address, f->server, f->sources.is_v6 ? 16 : 4) == 0;
}

bool
frames_read(const struct frames *f, const uint8_t *frame, uint32_t len, struct frames_reply *out)
{
	struct end from, to;
	const uint8_t *udp;
	if (len < f->headers_len || (udp = read_ip(f, frame, &from, &to)) == NULL)
		return false;
	from.port = load_be16(udp);
	to.port = load_be16(udp + UDP_TO);
	uint32_t udp_len = load_be16(udp + UDP_LENGTH), room = len - (f->headers_len - UDP_LEN);
	if (udp_len < UDP_LEN || udp_len > room)
		return false;
	const struct end *ours = is_server(f, &from) ? &to : f->is_echo && is_server(f, &to) ? &from : NULL;
	if (ours == NULL)
		return false;
	uint32_t source = sources_find(&f->sources, ours->address, ours->port);
	if (source == UINT32_MAX)
		return false;
	*out = (struct frames_reply){.message = udp + UDP_LEN, .len = udp_len - UDP_LEN, .source = source};
	return true;
}
