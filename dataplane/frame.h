/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames: from Ethernet to the DNS message and back, on bytes alone.
 *
 * No DPDK here: a frame is octets in one contiguous buffer, so unit tests, fuzzers and benches use the code that
 * the workers use. Handled: Ethernet II, one or two VLAN tags (802.1Q, 802.1ad), IPv4 with options, IPv6 with
 * hop-by-hop, destination and routing (segments left 0) headers, UDP, frames padded by Ethernet. Replies are made
 * by reflection: source and destination MAC, addresses and ports swapped, tags kept.
 *
 * Pure; any thread; nothing of RCU. Works on the caller's buffer in place.
 */
#ifndef ANSER_DATAPLANE_FRAME_H
#define ANSER_DATAPLANE_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "zones/base/compiler.h"
#include "zones/base/counters.h"

#define FRAME_SERVICES_MAX 256
/* A power of two; so sparse that one look tells that a source is none of ours. */
#define FRAME_SLOTS (4 * FRAME_SERVICES_MAX)

struct frame_service {
	uint8_t address[16]; /* IPv4 in the first 4 octets, the rest zero */
	uint16_t port;       /* host order */
	bool is_v6;
};

/* What belongs to us on a port. Zeroed and built once at start, read by every worker. */
struct frame_local {
	uint8_t mac[6];
	bool verify_checksums;  /* verify UDP and IPv4 header checksums in software */
	bool answer_neighbours; /* nobody else does: answer ARP, ND and echo for the service addresses */
	bool has_kernel;        /* an exception path exists for what is not ours */
	unsigned n_services;
	struct frame_service services[FRAME_SERVICES_MAX]; /* by frame_local_add() alone, in the order of adding */
	uint16_t slots[FRAME_SLOTS];                       /* its hash table: place in services + 1; 0: free */
};

/* Adds a service address; 0, -EEXIST, or -ENOSPC. */
int frame_local_add(struct frame_local *local, const struct frame_service *service) MUST_CHECK;

/* True if the address is one of ours, on any port. */
bool frame_local_has_address(const struct frame_local *local, const uint8_t *address, bool is_v6);

enum frame_kind {
	FRAME_QUERY,     /* UDP to a service: payload_off and payload_len tell where the message lies */
	FRAME_NEIGHBOUR, /* ARP, ND or echo for one of our addresses: call frame_answer_neighbour() */
	FRAME_KERNEL,    /* not ours: to the exception path */
	FRAME_DROP,      /* count under `drop` */
};

struct frame {
	uint8_t kind, drop; /* enum frame_kind, enum drop_reason */
	bool is_v6;
	uint16_t l3_off; /* behind Ethernet and tags */
	uint16_t l4_off;
	uint16_t payload_off;
	uint16_t payload_len; /* by UDP's own length: Ethernet's padding is not in it */
};

/*
 * Looks at one received frame of `len` octets. `checksums_good`: the port vouches for them, so none is verified.
 * Returns out->kind. Fragments to a service address are dropped (RFC 9715: we never send any, either), whatever
 * they carry. A query in a frame to a group MAC is not ours (RFC 1122 section 3.3.6). For FRAME_QUERY all of *out
 * is set; else only kind and drop count.
 */
enum frame_kind frame_classify(const struct frame_local *local, const uint8_t *data, uint32_t len,
			       bool checksums_good, struct frame *out);

/*
 * Turns the query's frame into the reply's, around a message of `payload_len` octets that already stands at
 * payload_off: swaps MACs, addresses and ports, sets lengths, TTL or hop limit 64, DF clear, IPv4 id 0, drops IPv4
 * options and IPv6 extension headers by moving L2+L3+UDP headers up against the payload; writes the full UDP and
 * IPv4 checksums (UDP zero is sent as 0xffff; RFC 768, RFC 8200 section 8.1) unless `offload` leaves them to the
 * port (then UDP carries the pseudo-header sum and IPv4's is 0). Type of service, traffic class and flow label are
 * 0: the sender's marks are not ours. *f then tells where the reply's headers and payload lie in data. Returns
 * where the reply frame begins in data (> 0 when headers moved up); its length goes to *len.
 */
uint32_t frame_reflect(uint8_t *data, struct frame *f, uint32_t payload_len, bool offload, uint32_t *len);

/*
 * Answers ARP requests, neighbour solicitations (RFC 4861 section 7.2.4) and echo requests (RFC 792, 4443) for our
 * addresses in place. Returns the reply's length, or 0 when there is nothing to say (count DROP_NEIGHBOUR). `cap`
 * is the room at data.
 */
uint32_t frame_answer_neighbour(const struct frame_local *local, uint8_t *data, uint32_t len, uint32_t cap);

/* Source address of a FRAME_QUERY: 4 or 16 octets in the frame. */
static inline const uint8_t *
frame_source(const uint8_t *data, const struct frame *f)
{
	return data + f->l3_off + (f->is_v6 ? 8 : 12);
}

#endif
