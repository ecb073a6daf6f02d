/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The dataplane as control/main.c sees it: the one header of this room that others include. No DPDK in it.
 *
 *     dataplane_open() → [one thread for each worker: dataplane_worker_run()] → dataplane_stop() → join →
 * dataplane_close()
 *
 * A worker serves one queue of every port and runs the same turn over all kinds of ports: rx burst, engine, tx
 * burst, quiescent state.
 */
#ifndef ANSER_DATAPLANE_DATAPLANE_H
#define ANSER_DATAPLANE_DATAPLANE_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "zones/answer/engine.h"
#include "zones/base/compiler.h"
#include "zones/base/counters.h"
#include "zones/base/diag.h"
#include "zones/store/zone.h"

enum dataplane_mode { DATAPLANE_KERNEL, DATAPLANE_AF_PACKET, DATAPLANE_AF_XDP, DATAPLANE_DPDK };
enum dataplane_exception { DATAPLANE_EXCEPTION_AUTO, DATAPLANE_EXCEPTION_KERNEL, DATAPLANE_EXCEPTION_TAP };
enum dataplane_hugepages { DATAPLANE_HUGE_AUTO, DATAPLANE_HUGE_OFF, DATAPLANE_HUGE_REQUIRED };

struct dataplane_port_config {
	const char *device; /* interface, PCI address, or DPDK vdev string */
	unsigned queues;    /* 0: one a worker */
	enum dataplane_exception exception;
};

/* Borrowed for the duration of dataplane_open() only. */
struct dataplane_config {
	enum dataplane_mode mode;
	const struct dataplane_port_config *ports;
	unsigned n_ports;
	const unsigned *cores; /* one worker each */
	unsigned n_cores;      /* 0: one worker, not pinned */
	bool idle_busy;        /* never sleep */
	uint64_t memory_bytes; /* packet buffers and what DPDK needs */
	enum dataplane_hugepages hugepages;
	const struct sockaddr_storage *listen; /* service addresses with ports; IPv4 or IPv6 */
	unsigned n_listen;
	uint16_t udp_payload;
	const char *const *eal_args; /* appended to ours; the escape hatch */
	unsigned n_eal_args;
	const struct zone_root *root; /* outlives the dataplane */
};

struct dataplane;

/*
 * Opens ports, binds sockets, loads the XDP filter: everything that needs privileges or can fail. Prints nothing;
 * faults go to diag with cause and cure. 0, or -errno with everything undone. Call from the main thread, once at a
 * time. DPDK, once started, stays until the process ends; its own threads take over the caller's signal mask.
 */
int
dataplane_open(const struct dataplane_config *config, struct diag_list *diag, struct dataplane **out) MUST_CHECK;

unsigned dataplane_worker_count(const struct dataplane *dp);

/* CPU that worker i is meant to be pinned to, or -1. */
int dataplane_worker_cpu(const struct dataplane *dp, unsigned i);

/*
 * Runs worker i on the calling thread until dataplane_stop(). The thread is registered with RCU (QSBR) and pinned
 * by whoever created it. Reports a quiescent state every turn, and is offline while it sleeps.
 */
void dataplane_worker_run(struct dataplane *dp, unsigned i);

/* Worker i's counters: read them any time until dataplane_close(). */
const struct counters *dataplane_worker_counters(const struct dataplane *dp, unsigned i);

/*
 * Messages that control answers (docs/design/dataplane.md, "Punts"). The two calls below are the control thread's
 * alone, from dataplane_open() to dataplane_close(), whether workers run or not; they never block.
 */
struct dataplane_punt {
	const uint8_t *msg; /* the dataplane's; there until dataplane_punt_end() */
	uint32_t len, reply_cap;
	struct engine_client client;
	unsigned id;
};

/* Takes the next message of worker i; false: there is none. */
bool dataplane_punt_next(struct dataplane *dp, unsigned i, struct dataplane_punt *out);

/* Ends message `id` of worker i with the reply, which is copied; len 0, or one over reply_cap: says nothing. Once
 * for each. */
void dataplane_punt_end(struct dataplane *dp, unsigned i, unsigned id, const uint8_t *msg, size_t len);

struct dataplane_port_stats {
	const char *device;
	uint64_t rx_packets, tx_packets, rx_missed, rx_errors, tx_errors;
};

unsigned dataplane_port_count(const struct dataplane *dp);
void dataplane_port_stats(struct dataplane *dp, unsigned port, struct dataplane_port_stats *out);

/* Makes every worker return from dataplane_worker_run() after it has answered what it holds. Any thread. */
void dataplane_stop(struct dataplane *dp);

/* Closes ports and sockets, removes the XDP filter. All workers have returned. NULL is allowed. */
void dataplane_close(struct dataplane *dp);

#endif
