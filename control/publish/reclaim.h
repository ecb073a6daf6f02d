/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reclaiming: what was published once and is not any more is freed here, when no reader can see it.
 *
 *     publish ──> retired list (byte budget) ──> reclaimer thread: batch → synchronize_rcu → free in slices
 *
 * Each object that readers can reach has a struct retired inside its control-side wrapper, made together with the
 * object and before it is published: so retiring, like publishing, cannot fail. One grace period covers everything
 * that was retired before it began, however many objects that is.
 *
 * The budget is what keeps a stalled reader from costing all memory (docs/ARCHITECTURE.md, invariant 9): who wants
 * to replace something asks reclaim_has_room() first and waits when there is none; on_room tells when to ask again.
 * Nothing is ever freed early. That is why call_rcu, which has no such brake, is not used.
 *
 * An object may share parts with a younger one that has taken its place; what of these parts the younger one's own
 * successor no longer has is freed with the younger one. So the older keeps the younger: reclaim_keep(). A row of
 * such objects is freed oldest first, and all that were retired before a grace period began go with that one.
 *
 * Long readers (zone transfers out, dumps) keep an object over many turns by a hold; the object goes to the list
 * when it is both replaced and no longer held, and counts against the budget from the moment it was replaced.
 */
#ifndef ANSER_CONTROL_RECLAIM_H
#define ANSER_CONTROL_RECLAIM_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "zones/base/compiler.h"

/* Embedded in what can be retired. */
struct retired {
	struct retired *next;
	void (*free)(struct retired *r); /* frees the object and the wrapper around r; reclaimer thread */
	uint64_t bytes;                  /* what freeing gives back */
	struct retired *younger;         /* kept until this one is freed; NULL: none */
	_Atomic unsigned holds; /* one for being published, one for each long reader, one for an older object */
	uint32_t retired_in;    /* the grace period that ran, or had run last, when it was retired; modulo 2^32 */
};
_Static_assert(sizeof(struct retired) == 40, "two for each of a million zones");

void retired_init(struct retired *r, void (*free)(struct retired *r), uint64_t bytes);

struct reclaim;

struct reclaim_stats {
	uint64_t retired_bytes, retired_records; /* waiting: replaced and not yet freed */
	uint64_t freed_records;                  /* since the start */
	uint64_t budget_bytes;
	uint64_t grace_ms; /* how long the present grace period has lasted; 0: none is running */
	bool is_full;      /* somebody was refused room and has not got any since: the alarm */
};

/*
 * Starts the reclaimer thread. `on_room` (may be NULL) is called on that thread when room appears after
 * reclaim_has_room() had said no; it must not block (uv_async_send is meant). 0 or -errno.
 */
int reclaim_start(uint64_t budget_bytes, void (*on_room)(void *arg), void *arg, struct reclaim **out) MUST_CHECK;

/*
 * True when `bytes` more may be retired now. An empty list takes an object of any size: else a zone larger than the
 * budget could never be replaced. Any thread.
 */
bool reclaim_has_room(struct reclaim *rc, uint64_t bytes) MUST_CHECK;

/* Gives up the publisher's hold: new readers cannot find the object any more. Cannot fail, never blocks. Any
 * thread. */
void reclaim_retire(struct reclaim *rc, struct retired *r);

/*
 * Lets `older` keep `younger`, which is published or about to be, until older has been freed. Once for each
 * `older`, before it is retired; the publishing thread.
 */
void reclaim_keep(struct retired *older, struct retired *younger);

/* One more long reader; the caller is the publishing thread or has a hold already. */
void reclaim_hold(struct retired *r);

/* The long reader is done. Any thread; never blocks. */
void reclaim_release(struct reclaim *rc, struct retired *r);

void reclaim_stats(struct reclaim *rc, struct reclaim_stats *out);

/* Frees all that is retired, ends the thread, frees rc. Readers still run or have ended; holds are all released.
 * NULL is allowed. */
void reclaim_stop(struct reclaim *rc);

#endif
