/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Small pieces of work for the libuv pool, many at a time: loads of zones.
 *
 * To hand each of a million small loads to the pool alone costs more than the load: a lock, two wake-ups and a turn
 * of the loop. Here they wait in one list, from which a few carriers (one for each pool thread) take them. What is
 * done waits in another list, at which the loop looks every few milliseconds: nobody is woken for one task, and no
 * task waits for one that takes longer. A carrier that has worked for a slice goes to the end of the pool's queue,
 * so that whoever else uses the pool waits for a slice at most, or for the one task that takes longer.
 *
 * All functions are called on the control thread.
 */
#ifndef ANSER_CONTROL_ZONES_POOL_H
#define ANSER_CONTROL_ZONES_POOL_H

#include <stdbool.h>
#include <uv.h>

#include "zones/base/compiler.h"

/* Part of whoever wants something done; stays where it is until done() is called. */
struct pool_task {
	struct pool_task *next;
	void (*work)(struct pool_task *t); /* on the pool */
	void (*done)(struct pool_task *t); /* on the loop, behind it; may free the task, or hand it in anew */
};

struct zones_pool;

/* With so many carriers. NULL: out of memory. */
struct zones_pool *zones_pool_new(uv_loop_t *loop, unsigned carriers) MUST_CHECK;

/* Takes the task; work and done are set. Tasks begin in the order in which they come. */
void zones_pool_add(struct zones_pool *p, struct pool_task *t);

/* What is handed in is still done. Once this has been called, idle means that its handle is closed, too. */
void zones_pool_stop(struct zones_pool *p);
bool zones_pool_is_idle(const struct zones_pool *p);

/* Stopped and idle, or never used. NULL is allowed. */
void zones_pool_free(struct zones_pool *p);

#endif
