/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a thread that answers queries counts.
 *
 * Each answering thread (worker, tcp) owns one struct counters and is its only writer; anyone may read it at any
 * time and sum (counters_sum). A read is not a snapshot of the whole struct, but no count is ever torn or lost.
 *
 * The rule that the tests hold us to (docs/ARCHITECTURE.md, invariant 5): every packet that a port hands over is
 * answered, handed to the kernel, or counted under exactly one drop reason:
 *
 *     rx == tx + to_kernel + sum(drop[])
 *
 * It holds whenever control has none of the thread's messages in hand.
 */
#ifndef ANSER_BASE_COUNTERS_H
#define ANSER_BASE_COUNTERS_H

#include <stdint.h>

#include "zones/base/compiler.h"

/* X(enumerator, metric label, what it means for the operator's manual) */
#define DROP_REASONS(X)                                                                                            \
	X(DROP_FRAME_MALFORMED, "frame_malformed", "Ethernet, IP or UDP lengths that contradict each other")       \
	X(DROP_FRAME_NOT_OURS, "frame_not_ours",                                                                   \
	  "not for a service address and there is no kernel path to give it to")                                   \
	X(DROP_IP_FRAGMENT, "ip_fragment",                                                                         \
	  "a fragment to a service port: queries are never fragmented by resolvers in good order")                 \
	X(DROP_IP_CHECKSUM, "ip_checksum", "wrong IPv4 header checksum")                                           \
	X(DROP_UDP_CHECKSUM, "udp_checksum", "wrong or missing UDP checksum")                                      \
	X(DROP_SOURCE_BOGUS, "source_bogus",                                                                       \
	  "source address or port that nobody can be answered at (multicast, broadcast, zero, port 0)")            \
	X(DROP_SHORT, "short", "fewer than the 12 octets of a DNS header")                                         \
	X(DROP_RESPONSE, "response", "QR is set: a response, and answering one would make a loop")                 \
	X(DROP_TX_FULL, "tx_full", "the port took no more packets for sending")                                    \
	X(DROP_NEIGHBOUR, "neighbour", "ARP or ND that asks for nothing of ours")                                  \
	X(DROP_EXCEPTION_FULL, "exception_full", "the exception path took no more packets")                        \
	X(DROP_RATE_LIMIT, "rate_limit", "over the rate allowed for its source")                                   \
	X(DROP_PUNT_FULL, "punt_full",                                                                             \
	  "a rare message (signed, NOTIFY, UPDATE) that the control thread had no room for")                       \
	X(DROP_PUNT_DROPPED, "punt_dropped",                                                                       \
	  "a rare message that the control thread gave no answer, or not while somebody waited for it")

#define DROP_ENUMERATOR(name, label, text) name,
enum drop_reason { DROP_REASONS(DROP_ENUMERATOR) DROP_REASON_COUNT };
#undef DROP_ENUMERATOR

/* Metric label of a reason. */
const char *drop_reason_label(enum drop_reason reason);

/* What the reason means, for manuals and `anserctl metrics` HELP lines. */
const char *drop_reason_text(enum drop_reason reason);

#define COUNTERS_RCODES 24 /* 0..23; BADVERS is 16 */
#define COUNTERS_TYPES 260 /* 0..257 themselves, then all others */
#define COUNTERS_TYPE_OTHER 259

struct counters {
	uint64_t rx;                        /* packets or messages that the port handed over */
	uint64_t tx;                        /* answers that the port took (DNS, ARP, ND, echo) */
	uint64_t to_kernel;                 /* frames given to the exception path */
	uint64_t truncated;                 /* answers with TC */
	uint64_t punted;                    /* messages given to control; each ends in tx or under a drop reason */
	uint64_t punt_replies;              /* control's answers that were sent; counted in tx, too */
	uint64_t queries_v4, queries_v6;    /* DNS messages answered by engine or control, by address family */
	uint64_t busy_cycles, total_cycles; /* worker only: time with and without work, in TSC cycles */
	uint64_t drop[DROP_REASON_COUNT];
	uint64_t rcode[COUNTERS_RCODES];
	uint64_t qtype[COUNTERS_TYPES];
} __attribute__((aligned(CACHE_LINE)));

/* By the owning thread only: one writer, so a relaxed load and store are an increment. */
static inline void
counter_add(uint64_t *counter, uint64_t n)
{
	__atomic_store_n(counter, __atomic_load_n(counter, __ATOMIC_RELAXED) + n, __ATOMIC_RELAXED);
}

static inline uint64_t
counter_read(const uint64_t *counter)
{
	return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

/* *sum += *one, field by field; any thread may do so at any time. */
void counters_sum(struct counters *sum, const struct counters *one);

#endif
