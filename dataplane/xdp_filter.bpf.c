/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The XDP filter: UDP to a service address and port goes to the worker's AF_XDP socket, everything else goes on to
 * the kernel. So ARP, ND, ICMP, TCP and routing protocols keep working on the interface.
 *
 * Understood: Ethernet, up to two VLAN tags, IPv4 with options, IPv6 with up to four of the extension headers that
 * the frame parser handles. Anything stranger is the kernel's. Of a fragmented IPv4 datagram the first piece is
 * redirected (and there counted and dropped); the rest carries no ports and is passed on, as are all pieces in
 * IPv6.
 *
 * Compiled twice. With XDP_FILTER_REPLIES it is the other end's, and takes what comes from a service address and
 * port.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "dataplane/xdp_filter.h"

#define VLAN_TAGS_MAX 2
#define EXTENSIONS_MAX 4
#define FRAGMENT_OFFSET 0x1fff

#ifdef XDP_FILTER_REPLIES
#define SERVICE_ADDRESS saddr
#define SERVICE_PORT source
#else
#define SERVICE_ADDRESS daddr
#define SERVICE_PORT dest
#endif

struct {
	__uint(type, BPF_MAP_TYPE_XSKMAP);
	__uint(max_entries, XDP_FILTER_QUEUES_MAX);
	__type(key, __u32);
	__type(value, __u32);
} xsks_map SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, XDP_FILTER_SERVICES_MAX);
	__type(key, struct xdp_filter_service);
	__type(value, __u8);
} services SEC(".maps");

struct vlan_tag {
	__be16 tci;
	__be16 protocol;
};

struct extension {
	__u8 next;
	__u8 len; /* in 8 octets, without the first 8 */
};

/* Both return where UDP begins, with the service in *to, or NULL when this is the kernel's. */
static __always_inline void *
ipv4_to_udp(void *at, void *end, struct xdp_filter_service *to)
{
	struct iphdr *ip = at;
	if ((void *)(ip + 1) > end || ip->ihl < 5 || ip->protocol != IPPROTO_UDP)
		return NULL;
	if (ip->frag_off & bpf_htons(FRAGMENT_OFFSET))
		return NULL;
	__builtin_memcpy(to->address, &ip->SERVICE_ADDRESS, 4);
	return at + ip->ihl * 4;
}

static __always_inline void *
ipv6_to_udp(void *at, void *end, struct xdp_filter_service *to)
{
	struct ipv6hdr *ip = at;
	if ((void *)(ip + 1) > end)
		return NULL;
	__builtin_memcpy(to->address, &ip->SERVICE_ADDRESS, 16);
	to->is_v6 = 1;
	__u8 next = ip->nexthdr;
	at = ip + 1;
#pragma unroll
	for (int i = 0; i < EXTENSIONS_MAX; i++) {
		if (next != IPPROTO_HOPOPTS && next != IPPROTO_ROUTING && next != IPPROTO_DSTOPTS)
			break;
		struct extension *e = at;
		if ((void *)(e + 1) > end)
			return NULL;
		next = e->next;
		at += 8 + e->len * 8;
	}
	return next == IPPROTO_UDP ? at : NULL;
}

SEC("xdp")
int
anser_xdp(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;
	if ((void *)(eth + 1) > end)
		return XDP_PASS;
	__be16 protocol = eth->h_proto;
	void *at = eth + 1;
#pragma unroll
	for (int i = 0; i < VLAN_TAGS_MAX; i++) {
		if (protocol != bpf_htons(ETH_P_8021Q) && protocol != bpf_htons(ETH_P_8021AD))
			break;
		struct vlan_tag *tag = at;
		if ((void *)(tag + 1) > end)
			return XDP_PASS;
		protocol = tag->protocol;
		at = tag + 1;
	}

	struct xdp_filter_service to = {0};
	struct udphdr *udp = NULL;
	if (protocol == bpf_htons(ETH_P_IP))
		udp = ipv4_to_udp(at, end, &to);
	else if (protocol == bpf_htons(ETH_P_IPV6))
		udp = ipv6_to_udp(at, end, &to);
	if (udp == NULL || (void *)(udp + 1) > end)
		return XDP_PASS;
	to.port_be = udp->SERVICE_PORT;
	if (bpf_map_lookup_elem(&services, &to) == NULL)
		return XDP_PASS;
	return (int)bpf_redirect_map(&xsks_map, ctx->rx_queue_index, XDP_PASS);
}

char xdp_filter_license[] SEC("license") = "Apache-2.0";
