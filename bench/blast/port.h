/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ports of the load: UDP sockets (port_udp.c) or DPDK (port_dpdk.c), behind queues that send and receive bursts.
 *
 * Opened and closed by the main thread. A queue belongs to one thread, which alone calls its functions; it finds no
 * query behind a reply, but tells the source that the reply came to.
 */
#ifndef ANSER_BLAST_PORT_H
#define ANSER_BLAST_PORT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "bench/blast/sources.h"
#include "zones/base/compiler.h"
#include "zones/base/diag.h"

#define LOAD_BURST 32

enum load_mode { LOAD_UDP, LOAD_AF_XDP, LOAD_AF_PACKET, LOAD_DPDK };

/* A query to be sent: its message but for the id. */
struct load_query {
	const uint8_t *message;
	uint32_t source;
	uint16_t len, id;
	uint16_t sum; /* of the message with id 0 (questions.h) */
};

struct load_reply {
	const uint8_t *message; /* the queue's, until release() */
	uint32_t len, source;
};

struct load_queue;

struct load_queue_ops {
	/* Sends a burst of at most LOAD_BURST; with sockets all are of one source. Returns how many were taken. */
	unsigned (*send)(struct load_queue *q, const struct load_query *queries, unsigned n);
	/* Receives up to LOAD_BURST packets; returns how many of them are replies, which are then at replies[0..].
	 */
	unsigned (*receive)(struct load_queue *q, struct load_reply replies[LOAD_BURST]);
	/* Frees what receive() returned; called after each one that returned any. */
	void (*release)(struct load_queue *q);
};

struct load_queue {
	const struct load_queue_ops *ops;
	int error; /* -errno of the last send that the port refused, 0 if none did */
};

struct load_port_config {
	enum load_mode mode;
	const char *device; /* interface, vdev string or PCI address; NULL with sockets */
	struct sockaddr_storage server;
	bool has_source, source_is_v6, has_gateway;
	bool is_echo;       /* a packet that comes back as it left is a reply (frames.h); sockets never see one */
	uint8_t source[16]; /* IPv4 in the first 4 octets */
	unsigned source_prefix_len;
	uint32_t n_sources; /* a multiple of n_threads */
	uint8_t gateway[6];
	unsigned n_threads;
	unsigned n_queues; /* 0: as many as threads, or as an interface has */
};

struct load_port;

struct load_port_ops {
	void (*thread_begin)(void); /* on each thread that uses queues; both may be NULL */
	void (*thread_end)(void);
	void (*close)(struct load_port *port);
};

/* Head of both kinds. */
struct load_port {
	const struct load_port_ops *ops;
	unsigned n_queues; /* at least one a thread; queue i is thread i % n_threads's */
	struct load_queue **queues;
	uint32_t run; /* queries that leave by one source before the next one's turn */
};

/* 0, or -errno with the reason in diag and everything undone. */
int port_udp_open(const struct load_port_config *c, struct diag_list *diag, struct load_port **out) MUST_CHECK;
int port_dpdk_open(const struct load_port_config *c, struct diag_list *diag, struct load_port **out) MUST_CHECK;

#endif
