/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rig of turnbench: a net_ring port and real workers, without the loop around the turn.
 *
 * A ring is the receiving and the sending end of its queue. A lane is a worker with its queue and the frames that
 * go around in it: rig_fill() puts RIG_TURNS bursts of queries in, then as many turns are measured, each of which
 * takes a burst out and puts it in again behind the others, and rig_drain() takes out and judges what came of them.
 * So nothing of making queries and checking answers is in a measured stretch, and a turn finds its frames as a NIC
 * leaves them: written by somebody else, not in the nearest cache.
 *
 * One thread a lane; it registers with RCU and is online while it makes turns (worker.h).
 */
#ifndef ANSER_BENCH_TURN_RIG_H
#define ANSER_BENCH_TURN_RIG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "bench/queries.h"
#include "dataplane/dpdk.h"
#include "dataplane/worker.h"
#include "zones/base/diag.h"

#define RIG_LANES_MAX 2
#define RIG_TURNS 16
#define RIG_FRAMES (RIG_TURNS * PORT_BURST)

/* Queries of one kind for one zone. */
struct rig_load {
	enum bench_zone_kind zone;
	enum bench_query_kind kind;
	int64_t names;
	struct bench_queries queries;
	uint16_t rcode;  /* of a right answer */
	bool has_answer; /* records in its answer section, else in its authority section */
};

struct rig_lane {
	struct worker *worker;
	struct dpdk_queue *queue;
	const struct rig_load *load;
	uint32_t next;       /* query of the load */
	bool is_vouched_for; /* the port has seen to the checksums of queries */
	struct rte_mbuf *mbufs[RIG_FRAMES];
};

struct rig {
	atomic_bool stop;
	struct zone_root root;
	struct worker *workers;
	void *driver_state;
	struct rte_mempool *pool;
	unsigned n_lanes;
	struct rig_lane lanes[RIG_LANES_MAX];
};

/*
 * Opens the port with a queue and a worker for each lane; frames lie in huge pages if there are any and `huge`. 0,
 * or -errno with the reason in diag. Once a process.
 */
int rig_open(struct rig *rig, unsigned n_lanes, bool huge, struct diag_list *diag) MUST_CHECK;

/* The zone and the queries of a load ("KIND/NAMES", as in `referral/1000000`). 0, -EINVAL: no such kind; -ENOMEM.
 */
int rig_load_make(struct rig_load *load, const char *text) MUST_CHECK;
void rig_load_free(struct rig_load *load);

/* Has the lanes ask this load, and the workers answer from its zone. */
void rig_use(struct rig *rig, const struct rig_load *load);

/*
 * Who verifies and writes checksums: software does, as with net_ring, or the port, as with a NIC, which then has
 * vouched for those of the queries and will write those of the answers.
 */
void rig_offload(struct rig *rig, bool by_port);

/* Puts RIG_TURNS bursts of queries into the lane's empty ring. */
void rig_fill(struct rig_lane *lane);

/* Takes all frames out again. Returns how many of RIG_FRAMES are right answers, as far as their headers tell. */
unsigned rig_drain(struct rig_lane *lane);

/* One turn of the worker; and what stands in for it as yardstick, testpmd's macswap. Return TSC cycles. */
uint64_t rig_turn(struct rig_lane *lane);
uint64_t rig_macswap(struct rig_lane *lane);

/* Reads the CPU of lane i, one of those that the process may use. */
int rig_cpu(unsigned i);

/* Pins the calling thread to it and registers the thread with DPDK and RCU; and lets go. */
void rig_thread_begin(struct rig *rig, unsigned i);
void rig_thread_end(void);

#endif
