/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A crew: threads that somebody lends for a while, so that one large piece of work (a zone file, a build) is done
 * on several of them.
 *
 * Who has the work does it on the own thread, and helpers join in as they become free; if none ever does, all is
 * done just as well, only later. So a crew never waits for a thread that it does not have, and nothing can deadlock
 * on a pool that is full.
 *
 * Where the threads come from is the lender's: the daemon's is its pool (control/zone/zones_pool.h). Cold; nothing
 * of RCU.
 */
#ifndef ANSER_BASE_CREW_H
#define ANSER_BASE_CREW_H

#include <stddef.h>

struct crew {
	unsigned size; /* who may work at once at most, the caller counted */
	/*
	 * Calls work(arg) on this thread, and on helpers as long as it has not returned here; returns when all of
	 * these calls have. What was written before is seen by the helpers, and what they wrote is seen after.
	 */
	void (*run)(struct crew *crew, void (*work)(void *arg), void *arg);
};

/*
 * As crew->run; a NULL crew has the caller alone. work() takes pieces from what is common to all until there is
 * none left, and returns.
 */
void crew_run(struct crew *crew, void (*work)(void *arg), void *arg);

/* Calls piece(arg, i) for each i below n, once, on several threads; they begin in order. */
void crew_each(struct crew *crew, size_t n, void (*piece)(void *arg, size_t i), void *arg);

/*
 * A crew for programs that have no pool: each run starts size - 1 threads, and ends them. Threads that cannot be
 * started are done without.
 */
struct crew crew_of_threads(unsigned size);

#endif
