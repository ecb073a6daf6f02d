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
 * A snapshot that was made by a change shares all that did not change with the served one. Publishing it retires
 * only what the replaced one alone used, and the replaced one keeps its successor's record until it is freed
 * itself: so versions are freed oldest first, and a version that a long reader holds stays complete
 * (zones/store/remains.h).
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

#include "control/publish/reclaim.h"
#include "zones/base/compiler.h"
#include "zones/store/remains.h"
#include "zones/store/zone.h"

/* A snapshot that is or will be served. */
struct served {
	struct retired retired;
	struct snapshot *snapshot;
	/* The snapshot shares with the one that it was made from; until it is published: what that one alone uses.
	 */
	struct snapshot_remains *made_from;
	/* Once a snapshot made from this one has been published: what this one alone uses, and so what it frees. */
	struct snapshot_remains *left;
};
_Static_assert(sizeof(struct served) == 64, "one for each of a million zones; the next larger block has 80 octets");

/* A zone set, likewise. */
struct served_set {
	struct retired retired;
	struct zone_set *set;
	bool is_changed;        /* made from the one that is served: has pages in common with it */
	bool is_followed;       /* a set made from this one has been published: it frees no more than `left` */
	struct garbage garbage; /* until it is published: what its base alone uses; then, once followed: its own */
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

/*
 * As served_new(), for a snapshot that zone_change_finish() made from that of `base`; consumes the remains, too. It
 * can only be published while `base` is what is served. NULL: out of memory, and both are still the caller's.
 */
struct served *served_new_changed(const struct served *base, struct snapshot *snapshot,
				  struct snapshot_remains *remains) MUST_CHECK;

/* Frees a wrapper that was never published, and of its snapshot what it does not share. NULL is allowed. */
void served_free(struct served *s);

/* As served_new() and served_free(), for a set; the slots in it are not touched. */
struct served_set *served_set_new(struct zone_set *set) MUST_CHECK;
void served_set_free(struct served_set *s);

/*
 * A set like the one that is served, with `add` more and `remove` less (zone_set_new_changed()). It can only be
 * published while `base` is what is served. 0 or -errno, as there.
 */
int served_set_new_changed(const struct served_set *base, struct zone *const *add, size_t n_add,
			   struct zone *const *remove, size_t n_remove, struct served_set **out) MUST_CHECK;

/* True when replacing `current` (NULL: nothing) by `next` fits the budget. */
bool
publish_has_room(const struct publisher *p, const struct served *current, const struct served *next) MUST_CHECK;

/*
 * Serves `next` in the zone from now on, and retires *current. `verified_ns`: when its data was complete
 * (publish_now_ns()). `next` becomes *current, owned by whoever owns the slot.
 */
void publish_zone(struct publisher *p, struct zone *zone, struct served **current, struct served *next,
		  uint64_t verified_ns);

/*
 * Serves nothing in the zone from now on, and keeps what was served: for data whose EXPIRE has run out, which may
 * be found to be current after all; clients are told that the zone has expired. publish_again() serves it again.
 */
void publish_withdraw(struct zone *zone, const struct served *current);
void publish_again(struct zone *zone, const struct served *current);

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
