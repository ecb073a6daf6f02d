/* SPDX-License-Identifier: Apache-2.0 */
/* Sharing a NIC with the kernel by flow rules. See flow.h. */
#include "dataplane/flow.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>

#include <rte_ethdev.h>
#include <rte_flow.h>

#define QUEUES_MAX 256

static int
flow_report(struct diag_list *diag, const char *device, const char *what, int err,
	    const struct rte_flow_error *error)
{
	diag_add(diag, DIAG_ERROR, NULL, 0, 0, "port %s: %s: %s", device, what,
		 error->message != NULL ? error->message : strerror(-err));
	return err;
}

int
flow_isolate(uint16_t port_id, const char *device, struct diag_list *diag)
{
	struct rte_flow_error error = {0};
	if (rte_flow_isolate(port_id, 1, &error) == 0)
		return 0;
	return flow_report(diag, device,
			   "its driver cannot share it with the kernel; `exception: tap` gives the kernel its part",
			   -ENOTSUP, &error);
}

/* Ethernet / IPv4 or IPv6 to the address / UDP to the port. */
static struct rte_flow *
rule_create(uint16_t port_id, const struct sockaddr_storage *service, const struct rte_flow_action *actions,
	    struct rte_flow_error *error)
{
	struct rte_flow_item_ipv4 v4 = {0}, v4_mask = {.hdr.dst_addr = UINT32_MAX};
	struct rte_flow_item_ipv6 v6 = {0}, v6_mask = {0};
	struct rte_flow_item_udp udp = {0}, udp_mask = {.hdr.dst_port = UINT16_MAX};
	bool is_v6 = service->ss_family == AF_INET6;
	if (is_v6) {
		const struct sockaddr_in6 *a = (const struct sockaddr_in6 *)service;
		memcpy(v6.hdr.dst_addr, &a->sin6_addr, 16);
		memset(v6_mask.hdr.dst_addr, 0xff, 16);
		udp.hdr.dst_port = a->sin6_port;
	} else {
		const struct sockaddr_in *a = (const struct sockaddr_in *)service;
		v4.hdr.dst_addr = a->sin_addr.s_addr;
		udp.hdr.dst_port = a->sin_port;
	}
	const struct rte_flow_item l3_v4 = {.type = RTE_FLOW_ITEM_TYPE_IPV4, .spec = &v4, .mask = &v4_mask};
	const struct rte_flow_item l3_v6 = {.type = RTE_FLOW_ITEM_TYPE_IPV6, .spec = &v6, .mask = &v6_mask};
	const struct rte_flow_item pattern[] = {
		{.type = RTE_FLOW_ITEM_TYPE_ETH},
		is_v6 ? l3_v6 : l3_v4,
		{.type = RTE_FLOW_ITEM_TYPE_UDP, .spec = &udp, .mask = &udp_mask},
		{.type = RTE_FLOW_ITEM_TYPE_END},
	};
	const struct rte_flow_attr ingress = {.ingress = 1};
	return rte_flow_create(port_id, &ingress, pattern, actions, error);
}

int
flow_direct(uint16_t port_id, const char *device, unsigned n_queues, const struct sockaddr_storage *services,
	    unsigned n, struct diag_list *diag)
{
	uint16_t queues[QUEUES_MAX];
	for (uint16_t i = 0; i < n_queues && i < QUEUES_MAX; i++)
		queues[i] = i;
	const struct rte_flow_action_rss rss = {
		.types = RTE_ETH_RSS_IP | RTE_ETH_RSS_UDP,
		.queue_num = n_queues < QUEUES_MAX ? n_queues : QUEUES_MAX,
		.queue = queues,
	};
	const struct rte_flow_action actions[] = {
		{.type = RTE_FLOW_ACTION_TYPE_RSS, .conf = &rss},
		{.type = RTE_FLOW_ACTION_TYPE_END},
	};
	for (unsigned i = 0; i < n; i++) {
		struct rte_flow_error error = {0};
		if (rule_create(port_id, &services[i], actions, &error) == NULL)
			return flow_report(diag, device, "no flow rule for a service address", -EIO, &error);
	}
	return 0;
}
