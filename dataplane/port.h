/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A port queue: what the worker turn knows of packet I/O. Private to dataplane/.
 *
 * Two kinds stand behind it: DPDK queues (port_dpdk.c) and UDP sockets (port_kernel.c). A queue belongs to one
 * worker, which alone calls these functions. Packets that are no queries (ARP, ND, the kernel's) are dealt with
 * inside rx.
 */
#ifndef ANSER_DATAPLANE_PORT_H
#define ANSER_DATAPLANE_PORT_H

#include <stdbool.h>
#include <stdint.h>

#include "zones/answer/engine.h"
#include "zones/base/counters.h"

#define PORT_BURST 32

struct port_queue;
struct punt_slot;

struct port_queue_ops {
	/*
	 * Receives up to PORT_BURST packets and puts the queries among them into messages[0..n). Returns n; *n_rx
	 * is what came off the wire, queries or not. The queue holds the packets behind the messages until
	 * tx_burst().
	 */
	unsigned (*rx_burst)(struct port_queue *q, struct engine_message messages[PORT_BURST], unsigned *n_rx);

	/* Sends those that have an answer, frees the rest; must be called after each rx_burst with its messages. */
	void (*tx_burst)(struct port_queue *q, struct engine_message *messages, unsigned n);

	/*
	 * Between rx_burst and tx_burst, for a message of the burst (`messages` is the whole of it) that control
	 * will answer: writes into the slot's ticket what send_punt() will need. False: it does not fit.
	 */
	bool (*ticket)(struct port_queue *q, const struct engine_message *messages, unsigned i,
		       struct punt_slot *s);

	/* Sends the reply that a slot brought back. Counts tx, or a drop. */
	void (*send_punt)(struct port_queue *q, const struct punt_slot *s);

	/*
	 * Waits for a packet at most timeout_us; the worker is RCU-offline. May return early. NULL: the worker
	 * sleeps itself.
	 */
	void (*wait)(struct port_queue *q, unsigned timeout_us);
};

/* Head of both kinds. */
struct port_queue {
	const struct port_queue_ops *ops;
	struct counters *counters; /* the owning worker's; set by worker_add_queue() */
};

struct dataplane_config;
struct dataplane_port_stats;
struct diag_list;
struct worker;

/* A kind of ports: what dataplane.c needs to open, show and close them. `state` is the driver's own. */
struct port_driver {
	/*
	 * Opens all ports of the configuration and deals their queues out to the workers in turn
	 * (worker_add_queue()). 0, or -errno with the reason in diag and everything undone. `config` is borrowed.
	 */
	int (*open)(const struct dataplane_config *config, struct worker *workers, unsigned n_workers,
		    struct diag_list *diag, void **state);

	/* Called on the worker's thread before its first and after its last turn. Both may be NULL. */
	void (*thread_begin)(void *state);
	void (*thread_end)(void *state);

	unsigned (*count)(const void *state);
	void (*stats)(void *state, unsigned port, struct dataplane_port_stats *out);

	/* Frees queues, ports and state. No worker runs. */
	void (*close)(void *state);
};

extern const struct port_driver port_kernel_driver;
extern const struct port_driver port_dpdk_driver; /* only in builds with DPDK */

#endif
