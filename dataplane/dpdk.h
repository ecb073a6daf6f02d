/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DPDK ports and their queues. Private to dataplane/: port_dpdk.c opens and closes them, queue_dpdk.c is what
 * workers run.
 */
#ifndef ANSER_DATAPLANE_DPDK_H
#define ANSER_DATAPLANE_DPDK_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include "dataplane/frame.h"
#include "dataplane/port.h"

struct xdp_filter;

/* What the kernel has of a port. */
enum dpdk_kernel {
	DPDK_KERNEL_NONE, /* nothing: we answer ARP, ND and echo for the service addresses, the rest is dropped */
	DPDK_KERNEL_COPY, /* every packet (af_packet) */
	DPDK_KERNEL_REST, /* all but queries, by XDP filter or flow rules */
	DPDK_KERNEL_TAP,  /* all but queries, through the exception path */
};

/* One receive and one transmit queue of a port, with packet buffers of their own: workers share none of it. */
struct dpdk_queue {
	struct port_queue head;
	const struct frame_local *local; /* the port's */
	struct rte_mempool *pool;
	uint16_t port_id, queue_id;
	uint16_t payload_max; /* largest UDP answer */
	uint16_t mtu;
	bool tx_offload;      /* the port writes IPv4 and UDP checksums */
	bool kernel_has_copy; /* what is not ours has reached the kernel without us (af_packet) */
	int exception_fd;     /* our queue of the TAP, or -1 */
	unsigned turns_until_kernel;
	/* The burst in hand: message i lies in held[i]; replies are frames that are ready to go. */
	unsigned n_replies;
	struct rte_mbuf *held[PORT_BURST];
	struct rte_mbuf *replies[PORT_BURST];
	struct frame frames[PORT_BURST];
} __attribute__((aligned(CACHE_LINE)));

struct dpdk_port {
	char *device;                    /* as the configuration names it */
	char name[RTE_ETH_NAME_MAX_LEN]; /* as DPDK names it */
	uint16_t port_id;
	bool probed, started; /* by us */
	enum dpdk_kernel kernel;
	struct frame_local local;
	struct xdp_filter *xdp; /* af_xdp only */
	unsigned n_queues;
	struct dpdk_queue *queues;
	int *exception_fds; /* one a queue, or NULL */
};

/* What workers run on a struct dpdk_queue. */
extern const struct port_queue_ops dpdk_queue_ops;

#endif
