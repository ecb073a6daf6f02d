/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DPDK ports of the load. port_dpdk.c opens and closes them, queue_dpdk.c is what threads run.
 */
#ifndef ANSER_BLAST_PORT_DPDK_H
#define ANSER_BLAST_PORT_DPDK_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include "bench/blast/frames.h"
#include "bench/blast/port.h"
#include "dataplane/frame.h"

struct xdp_filter;

/* A receive and a transmit queue, with packet buffers of their own. */
struct dpdk_queue {
	struct load_queue head;
	const struct frames *frames;
	const struct frame_local *local; /* to answer ARP and ND by; NULL: the kernel does */
	struct rte_mempool *pool;
	uint16_t port_id, queue_id;
	unsigned n_held;
	struct rte_mbuf *held[LOAD_BURST]; /* behind the replies of the last receive() */
} __attribute__((aligned(CACHE_LINE)));

struct dpdk_port {
	struct load_port head;
	char name[RTE_ETH_NAME_MAX_LEN]; /* as DPDK names it */
	uint16_t port_id;
	bool probed, started; /* by us */
	struct xdp_filter *xdp;
	struct frames frames;
	struct frame_local local;
	struct dpdk_queue *queues;
	struct load_queue **heads; /* the same queues */
};

/* What threads run on a struct dpdk_queue. */
extern const struct load_queue_ops dpdk_load_ops;

#endif
