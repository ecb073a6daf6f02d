/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine: DNS messages in, DNS messages out, in place. The one entry for DPDK workers, socket workers, TCP,
 * benches, fuzzers and tests; a single message is a burst of one.
 *
 *     parse → filter → zone → name → answer
 *
 * Pure: no system call, lock, allocation, clock or log; it reads the messages, the zone set and `now`, and writes
 * the messages and the caller's counters. Runs on any thread that may read under RCU (QSBR online); it takes the
 * snapshot of a zone once an answer and keeps nothing when it returns.
 */
#ifndef ANSER_ANSWER_ENGINE_H
#define ANSER_ANSWER_ENGINE_H

#include <stdbool.h>
#include <stdint.h>

#include "zones/base/counters.h"
#include "zones/store/zone.h"

enum engine_transport { ENGINE_UDP, ENGINE_TCP, ENGINE_TLS };

/* Who asks, as far as answers depend on it. */
struct engine_client {
	uint8_t address[16]; /* IPv4 in the first 4 octets */
	bool is_v6;
	bool is_old_tls;   /* TLS before 1.3: good for queries, not for transfers (RFC 9103 section 7.1) */
	uint8_t transport; /* enum engine_transport */
};

enum engine_verdict {
	ENGINE_ANSWER, /* msg[0..len) is the reply */
	ENGINE_DROP,   /* say nothing; counted under `drop` */
	ENGINE_PUNT,   /* control answers: the message is untouched, `cap` is now what its reply may have */
};

/* One message of a burst. */
struct engine_message {
	uint8_t *msg; /* the query; the reply is written over it */
	uint32_t len; /* in: octets of the query; out: octets of the reply */
	uint32_t cap; /* room at msg, ≥ 512 and ≥ len; a reply is never longer. Out with ENGINE_PUNT: see there */
	struct engine_client client;
	/*
	 * In: somebody takes what is rare (query_is_rare()): NOTIFY, UPDATE, transfers, whatever is signed.
	 * If not, there is no ENGINE_PUNT, and such messages are answered as by a server that knows nothing of
	 * them.
	 */
	bool takes_punts;
	uint8_t verdict; /* out: enum engine_verdict */
	uint8_t drop;    /* out, with ENGINE_DROP: enum drop_reason */
};

/*
 * Messages that go through the stages together; longer arrays are taken in pieces of this. Groups of 8, 16 and 32
 * took 275, 247 and 238 cycles a query at 1M names (docs/design/engine.md).
 */
#define ENGINE_GROUP 32

/*
 * Answers n messages. `set` was loaded from zone_root after the messages came in; `now_s` is wall time in seconds.
 * Counts into `counters` (the calling thread's own): rcode, qtype, truncated, queries_v4/6, punted, and drop for
 * ENGINE_DROP. rx, tx and the other drops are the caller's to count; so is a punted message's reply (count.h).
 */
void engine_burst(const struct zone_set *set, struct engine_message *messages, unsigned n, uint32_t now_s,
		  struct counters *counters);

#endif
