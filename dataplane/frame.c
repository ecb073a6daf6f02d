/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Classification and reflection of frames. See frame.h.
 *
 * A query in a plain Ethernet/IPv4/UDP or IPv6/UDP frame goes straight down through one function for each layer;
 * all else leaves by an unlikely branch. What is not for a service is handed on unlooked at, so that faults in
 * other people's packets are theirs; only frames too broken to tell whose they are get dropped here.
 */
#include "dataplane/frame.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "dataplane/frame_private.h"
#include "zones/base/bytes.h"

#define EXTENSIONS_MAX 8 /* more extension headers than this in a row serve no honest purpose */

/* -------- service addresses -------- */

/* A service as words in memory order. An IPv4 address is its four octets and zeros, as in struct frame_service. */
struct service_key {
	uint64_t first, second;
	uint32_t family_port;
};

static inline struct service_key
service_key_make(const uint8_t *address, bool is_v6, uint16_t port)
{
	struct service_key key = {.family_port = (uint32_t)is_v6 << 16 | port};
	uint32_t v4;

	if (is_v6) {
		memcpy(&key.first, address, 8);
		memcpy(&key.second, address + 8, 8);
	} else {
		memcpy(&v4, address, 4);
		key.first = v4;
	}
	return key;
}

/* Multiplicative: the upper bits of the product depend on all bits of the key. Only we add keys, so no seed is
 * needed. */
static inline uint32_t
service_slot(const struct service_key *key)
{
	uint64_t mixed = (key->first ^ key->second ^ (uint64_t)key->family_port << 32) * 0x9e3779b97f4a7c15ULL;
	return (uint32_t)(mixed >> 32) / (uint32_t)((1ULL << 32) / FRAME_SLOTS);
}

/* The slot that holds the key, or the free one where it would go. */
static inline uint32_t
service_find(const struct frame_local *local, const struct service_key *key)
{
	uint32_t slot = service_slot(key);

	for (; local->slots[slot] != 0; slot = (slot + 1) % FRAME_SLOTS) {
		const struct frame_service *s = &local->services[local->slots[slot] - 1];
		uint64_t words[2];
		memcpy(words, s->address, sizeof(words));
		if (likely(words[0] == key->first && words[1] == key->second &&
			   ((uint32_t)s->is_v6 << 16 | s->port) == key->family_port))
			break;
	}
	return slot;
}

static inline bool
service_exists(const struct frame_local *local, const uint8_t *address, bool is_v6, uint16_t port)
{
	struct service_key key = service_key_make(address, is_v6, port);
	return local->slots[service_find(local, &key)] != 0;
}

bool
frame_local_has_address(const struct frame_local *local, const uint8_t *address, bool is_v6)
{
	for (unsigned i = 0; i < local->n_services; i++) {
		const struct frame_service *s = &local->services[i];
		if (s->is_v6 == is_v6 && memcmp(s->address, address, is_v6 ? 16 : 4) == 0)
			return true;
	}
	return false;
}

int
frame_local_add(struct frame_local *local, const struct frame_service *service)
{
	struct service_key key = service_key_make(service->address, service->is_v6, service->port);
	uint32_t slot = service_find(local, &key);

	if (local->slots[slot] != 0)
		return -EEXIST;
	if (local->n_services == FRAME_SERVICES_MAX)
		return -ENOSPC;
	struct frame_service *added = &local->services[local->n_services++];
	*added = (struct frame_service){.port = service->port, .is_v6 = service->is_v6};
	memcpy(added->address, service->address, service->is_v6 ? 16 : 4);
	local->slots[slot] = (uint16_t)local->n_services;
	return 0;
}

/* -------- classification -------- */

static enum frame_kind
verdict_drop(struct frame *out, enum drop_reason reason)
{
	out->kind = FRAME_DROP;
	out->drop = (uint8_t)reason;
	return FRAME_DROP;
}

/* Not ours: the kernel's, or dropped for `reason` where there is no way to the kernel. */
static enum frame_kind
verdict_pass(const struct frame_local *local, struct frame *out, enum drop_reason reason)
{
	if (!local->has_kernel)
		return verdict_drop(out, reason);
	out->kind = FRAME_KERNEL;
	return FRAME_KERNEL;
}

/* A fault that only matters if the packet is for one of our addresses. */
static enum frame_kind
verdict_fault(const struct frame_local *local, const uint8_t *to, struct frame *out, enum drop_reason reason)
{
	if (frame_local_has_address(local, to, out->is_v6))
		return verdict_drop(out, reason);
	return verdict_pass(local, out, DROP_FRAME_NOT_OURS);
}

/* ARP, ICMP and all that is neither: answered here if it is a question to us and nobody else does. */
static enum frame_kind
classify_other(const struct frame_local *local, const uint8_t *data, uint32_t len, uint16_t type, struct frame *out)
{
	if (local->answer_neighbours &&
	    frame_neighbour_question(local, data, len, out->l3_off, type) != NEIGHBOUR_NONE) {
		out->kind = FRAME_NEIGHBOUR;
		return FRAME_NEIGHBOUR;
	}
	return verdict_pass(local, out, type == TYPE_ARP ? DROP_NEIGHBOUR : DROP_FRAME_NOT_OURS);
}

/* DROP_REASON_COUNT if the checksums of a UDP packet are right. */
static inline __attribute__((always_inline)) enum drop_reason
verify_checksums(const uint8_t *ip, const uint8_t *udp, uint32_t udp_len, bool is_v6)
{
	if (!is_v6) {
		uint32_t len = (uint32_t)(udp - ip);
		uint64_t sum = likely(len == IPV4_LEN) ? checksum_words(ip, IPV4_LEN / 4) : checksum_sum(ip, len);
		if (unlikely(checksum_fold(sum) != 0xffff))
			return DROP_IP_CHECKSUM;
	}
	if (load_be16(udp + 6) == 0) /* the sender made none; IPv6 has not come here with that */
		return DROP_REASON_COUNT;
	uint64_t sum = checksum_pseudo(ip, is_v6, PROTO_UDP, udp_len) + checksum_sum(udp, udp_len);
	return checksum_fold(sum) == 0xffff ? DROP_REASON_COUNT : DROP_UDP_CHECKSUM;
}

/* UDP behind the header at ip, with `l4_len` octets of the packet left. `is_v6` is a constant at every call. */
static inline __attribute__((always_inline)) enum frame_kind
classify_udp(const struct frame_local *local, const uint8_t *data, const uint8_t *ip, const uint8_t *udp,
	     uint32_t l4_len, bool is_v6, bool verify, struct frame *out)
{
	const uint8_t *from = ip + (is_v6 ? 8 : 12), *to = from + (is_v6 ? 16 : 4);

	out->l4_off = (uint16_t)(udp - data);

	if (unlikely(l4_len < UDP_LEN))
		return verdict_fault(local, to, out, DROP_FRAME_MALFORMED);
	if (unlikely(!service_exists(local, to, is_v6, load_be16(udp + 2))))
		return verdict_pass(local, out, DROP_FRAME_NOT_OURS);

	uint32_t udp_len = load_be16(udp + 4);
	uint16_t source_port = load_be16(udp);
	if (unlikely(udp_len < UDP_LEN || udp_len > l4_len))
		return verdict_drop(out, DROP_FRAME_MALFORMED);
	if (unlikely(source_port == 0 || (data[MAC_LEN] & 1) != 0 ||
		     (is_v6 ? ipv6_source_bogus(from) : ipv4_source_bogus(from)) ||
		     service_exists(local, from, is_v6, source_port)))
		return verdict_drop(out, DROP_SOURCE_BOGUS);
	if (is_v6 && unlikely(load_be16(udp + 6) == 0))
		return verdict_drop(out, DROP_UDP_CHECKSUM);
	if (verify) {
		enum drop_reason reason = verify_checksums(ip, udp, udp_len, is_v6);
		if (unlikely(reason != DROP_REASON_COUNT))
			return verdict_drop(out, reason);
	}
	out->payload_off = (uint16_t)(udp + UDP_LEN - data);
	out->payload_len = (uint16_t)(udp_len - UDP_LEN);
	out->kind = FRAME_QUERY;
	return FRAME_QUERY;
}

static inline __attribute__((always_inline)) enum frame_kind
classify_ipv4(const struct frame_local *local, const uint8_t *data, uint32_t len, uint32_t l3_off, bool verify,
	      struct frame *out)
{
	const uint8_t *ip = data + l3_off;
	uint32_t rest = len - l3_off;

	if (unlikely(rest < IPV4_LEN))
		return verdict_drop(out, DROP_FRAME_MALFORMED);
	uint32_t header_len = (ip[0] & 0xfu) * 4, total_len = load_be16(ip + 2);
	if (unlikely(ip[0] != 0x45) && (ip[0] >> 4 != 4 || header_len < IPV4_LEN))
		return verdict_drop(out, DROP_FRAME_MALFORMED);
	if (unlikely(total_len < header_len || total_len > rest))
		return verdict_drop(out, DROP_FRAME_MALFORMED);
	if (unlikely((load_be16(ip + 6) & IPV4_FRAGMENT_MASK) != 0))
		return verdict_fault(local, ip + 16, out, DROP_IP_FRAGMENT);
	if (unlikely(ip[9] != PROTO_UDP))
		return classify_other(local, data, len, TYPE_IPV4, out);
	return classify_udp(local, data, ip, ip + header_len, total_len - header_len, false, verify, out);
}

/* IPv6 for one of our addresses whose first header is not UDP; `end` is where the packet ends. */
static enum frame_kind
classify_extended(const struct frame_local *local, const uint8_t *data, uint32_t end, bool verify,
		  struct frame *out)
{
	const uint32_t first = out->l3_off + IPV6_LEN;
	uint32_t off = first;
	uint8_t next = data[out->l3_off + 6];

	for (unsigned n = 0; n < EXTENSIONS_MAX && next != PROTO_UDP; n++) {
		if (next == PROTO_FRAGMENT)
			return verdict_drop(out, DROP_IP_FRAGMENT);
		if (next != PROTO_DESTINATION && next != PROTO_ROUTING &&
		    !(next == PROTO_HOP_BY_HOP && off == first))
			return verdict_pass(local, out, DROP_FRAME_NOT_OURS);
		if (end - off < 8 || end - off < (data[off + 1] + 1u) * 8)
			return verdict_drop(out, DROP_FRAME_MALFORMED);
		if (next == PROTO_ROUTING && data[off + 3] != 0) /* segments left: it is to travel on */
			return verdict_pass(local, out, DROP_FRAME_NOT_OURS);
		next = data[off];
		off += (data[off + 1] + 1u) * 8;
	}
	if (next != PROTO_UDP)
		return verdict_pass(local, out, DROP_FRAME_NOT_OURS);
	return classify_udp(local, data, data + out->l3_off, data + off, end - off, true, verify, out);
}

static inline __attribute__((always_inline)) enum frame_kind
classify_ipv6(const struct frame_local *local, const uint8_t *data, uint32_t len, uint32_t l3_off, bool verify,
	      struct frame *out)
{
	const uint8_t *ip = data + l3_off;
	uint32_t rest = len - l3_off;

	out->is_v6 = true;
	if (unlikely(rest < IPV6_LEN))
		return verdict_drop(out, DROP_FRAME_MALFORMED);
	uint32_t payload_len = load_be16(ip + 4);
	if (unlikely(ip[0] >> 4 != 6 || payload_len > rest - IPV6_LEN))
		return verdict_drop(out, DROP_FRAME_MALFORMED);
	if (likely(ip[6] == PROTO_UDP))
		return classify_udp(local, data, ip, ip + IPV6_LEN, payload_len, true, verify, out);
	if (ip[6] == PROTO_ICMPV6)
		return classify_other(local, data, len, TYPE_IPV6, out);
	if (!frame_local_has_address(local, ip + 24, true))
		return verdict_pass(local, out, DROP_FRAME_NOT_OURS);
	return classify_extended(local, data, out->l3_off + IPV6_LEN + payload_len, verify, out);
}

/*
 * Frames to a group address: of these only neighbour questions can be ours. A unicast query in such a frame is no
 * host's business (RFC 1122 section 3.3.6), and its reflection would carry the group as source.
 */
static enum frame_kind
classify_foreign_mac(const struct frame_local *local, const uint8_t *data, uint32_t len, uint16_t type,
		     struct frame *out)
{
	if ((data[0] & 1) == 0)
		return verdict_pass(local, out, DROP_FRAME_NOT_OURS);
	return classify_other(local, data, len, type, out);
}

/* Behind Ethernet and tags, of which l3_off octets were read. */
static inline __attribute__((always_inline)) enum frame_kind
classify_packet(const struct frame_local *local, const uint8_t *data, uint32_t len, uint32_t l3_off, uint16_t type,
		bool checksums_good, struct frame *out)
{
	bool verify = local->verify_checksums && !checksums_good;

	*out = (struct frame){.l3_off = (uint16_t)l3_off};
	if (unlikely(memcmp(data, local->mac, MAC_LEN) != 0))
		return classify_foreign_mac(local, data, len, type, out);
	if (type == TYPE_IPV4)
		return classify_ipv4(local, data, len, l3_off, verify, out);
	if (type == TYPE_IPV6)
		return classify_ipv6(local, data, len, l3_off, verify, out);
	return classify_other(local, data, len, type, out);
}

/* A function of its own, so that the usual frame's way has constant offsets. */
static __attribute__((noinline)) enum frame_kind
classify_tagged(const struct frame_local *local, const uint8_t *data, uint32_t len, bool checksums_good,
		struct frame *out)
{
	uint16_t type;
	uint32_t l3_off = frame_skip_tags(data, len, &type);

	if (unlikely(l3_off == 0)) {
		*out = (struct frame){0};
		return verdict_drop(out, DROP_FRAME_MALFORMED);
	}
	return classify_packet(local, data, len, l3_off, type, checksums_good, out);
}

enum frame_kind
frame_classify(const struct frame_local *local, const uint8_t *data, uint32_t len, bool checksums_good,
	       struct frame *out)
{
	uint16_t type = likely(len >= ETHERNET_LEN) ? load_be16(data + 2 * MAC_LEN) : TYPE_VLAN;

	if (unlikely(type == TYPE_VLAN || type == TYPE_QINQ))
		return classify_tagged(local, data, len, checksums_good, out);
	return classify_packet(local, data, len, ETHERNET_LEN, type, checksums_good, out);
}

/* -------- replies -------- */

/* Swaps the ports and writes length and checksum. `pseudo` is the pseudo-header's sum. */
static inline __attribute__((always_inline)) void
reflect_udp(uint8_t *udp, uint32_t udp_len, uint64_t pseudo, bool offload)
{
	uint32_t ports;

	memcpy(&ports, udp, 4);
	ports = ports << 16 | ports >> 16;
	memcpy(udp, &ports, 4);
	store_be16(udp + 4, (uint16_t)udp_len);
	if (offload) {
		checksum_store(udp + 6, checksum_fold(pseudo));
		return;
	}
	/* The header is summed from registers: reading back what was just stored in pieces would stall. */
	uint64_t sum =
		pseudo + ports + be16_sum((uint16_t)udp_len) + checksum_sum(udp + UDP_LEN, udp_len - UDP_LEN);
	uint16_t checksum = (uint16_t)~checksum_fold(sum);
	checksum_store(udp + 6, checksum != 0 ? checksum : 0xffff);
}

/* Drops what lies between the IP header, which ends `headers_len` octets into the frame, and UDP's. */
static __attribute__((noinline)) void
drop_options(uint8_t *data, struct frame *f, uint32_t headers_len, uint32_t options_len)
{
	memmove(data + options_len, data, headers_len);
	f->l3_off = (uint16_t)(f->l3_off + options_len);
}

/* `is_v6` is a constant at both calls. */
static inline __attribute__((always_inline)) uint32_t
reflect(uint8_t *data, struct frame *f, bool is_v6, uint32_t payload_len, bool offload, uint32_t *len)
{
	const uint32_t ip_len = is_v6 ? IPV6_LEN : IPV4_LEN, udp_len = UDP_LEN + payload_len;
	const uint32_t begin = f->l4_off - f->l3_off - ip_len; /* octets of options or extension headers */

	if (unlikely(begin > 0))
		drop_options(data, f, f->l3_off + ip_len, begin);
	uint8_t *ip = data + f->l3_off;
	uint64_t pseudo = checksum_pseudo(ip, is_v6, PROTO_UDP, udp_len); /* swapping does not change it */
	mac_swap(data + begin);
	if (is_v6) {
		ipv6_begin(ip, udp_len, PROTO_UDP, REPLY_HOPS);
		ipv6_swap(ip);
	} else {
		ipv4_reflect(ip, IPV4_LEN + udp_len, PROTO_UDP, offload);
	}
	reflect_udp(ip + ip_len, udp_len, pseudo, offload);
	f->payload_len = (uint16_t)payload_len;
	*len = f->payload_off + payload_len - begin;
	return begin;
}

uint32_t
frame_reflect(uint8_t *data, struct frame *f, uint32_t payload_len, bool offload, uint32_t *len)
{
	assert(f->kind == FRAME_QUERY && payload_len <= UINT16_MAX - IPV4_LEN - UDP_LEN);
	return f->is_v6 ? reflect(data, f, true, payload_len, offload, len)
			: reflect(data, f, false, payload_len, offload, len);
}
