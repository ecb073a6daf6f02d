/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Publishing: the end of the zone road, where verified data becomes what everybody is answered from.
 *
 *     build (may fail) → publish (cannot) → reclaim (later)
 *
 * A snapshot or zone set on its way to readers sits in a wrapper that holds its retire record. Making the wrapper
 * is the last thing that can fail; publish_*() below is one pointer store (zone_publish(), zone_root_publish() in
 * zones/store) and a list insertion. Whoever has a wrapper of something that was not published throws it away with
 * *_free().
 *
 * Who wants to publish asks publish_has_room() first: the answer is no while too much that was replaced cannot be
 * freed yet (reclaim.h), and then publishing waits.
 *
 * publish_*() and served_hold() are called on the control thread alone, the one writer; it is not a registered RCU
 * reader and reads the current wrappers without a read-side section.
 */
#ifndef ANSER_CONTROL_PUBLISH_H
#define ANSER_CONTROL_PUBLISH_H

#include <stdbool.h>
#include <stdint.h>

#include "control/reclaim.h"
#include "zones/base/compiler.h"
#include "zones/store/zone.h"

/* A snapshot that is or will be served. */
struct served {
	struct retired retired;
	struct snapshot *snapshot;
};

/* A zone set, likewise. */
struct served_set {
	struct retired retired;
	struct zone_set *set;
};

#define PUBLISH_BUCKETS 9 /* upper bounds 10 us, 100 us ... 100 s, then all above */

/* How long data waited from being verified to being served. Written by the control thread. */
struct publish_times {
	uint64_t bucket[PUBLISH_BUCKETS]; /* not cumulative */
	uint64_t count, sum_ns;
};

struct publisher {
	struct reclaim *reclaim; /* outlives the publisher */
	struct publish_times times;
};

/* Wraps a snapshot of `bytes`; consumes it. NULL: out of memory, and the snapshot is still the caller's. Any
 * thread. */
struct served *served_new(struct snapshot *snapshot, uint64_t bytes) MUST_CHECK;

/* Frees a wrapper that was never published, and its snapshot. NULL is allowed. */
void served_free(struct served *s);

/* As served_new() and served_free(), for a set; the slots in it are not touched. */
struct served_set *served_set_new(struct zone_set *set) MUST_CHECK;
void served_set_free(struct served_set *s);

/* True when replacing `current` (NULL: nothing) fits the budget. */
bool publish_has_room(const struct publisher *p, const struct served *current) MUST_CHECK;

/*
 * Serves `next` in the zone from now on, and retires *current. `verified_ns`: when its data was complete
 * (publish_now_ns()). `next` becomes *current, owned by whoever owns the slot.
 */
void publish_zone(struct publisher *p, struct zone *zone, struct served **current, struct served *next,
		  uint64_t verified_ns);

/* Serves the zones of `next` from now on, and retires *current (NULL: there was none). */
void publish_set(struct publisher *p, struct zone_root *root, struct served_set **current, struct served_set *next);

/*
 * For long readers: keeps the snapshot until served_release(), whatever is published meanwhile. The snapshot stays
 * complete and unchanged. Hold on the control thread; release on any.
 */
void served_hold(struct served *s);
void served_release(struct publisher *p, struct served *s);

/* The clock of verified_ns. */
uint64_t publish_now_ns(void);

#endif
