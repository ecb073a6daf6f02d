/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The retired list and its thread. See reclaim.h.
 *
 * One mutex guards the list and the figures. It is never held over synchronize_rcu(): a reader that waited for it
 * while registered would be waited for by us, and neither would go on.
 */
#include "control/publish/reclaim.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>
#include <urcu-qsbr.h>

#include "control/base/thread.h"

/* After so many records the figures are brought up to date and waiters are told: a batch may hold a million. */
#define RECLAIM_SLICE 64

struct reclaim {
	pthread_mutex_t mutex;
	pthread_cond_t work;
	struct retired *first, **last;  /* unheld and not yet in a batch, oldest first */
	uint64_t bytes, records, freed; /* bytes and records count held ones, too */
	uint64_t budget_bytes;
	uint64_t grace_start_ms; /* 0: no grace period is running */
	uint32_t grace_periods;  /* begun, modulo 2^32 */
	bool refused, stopping;
	void (*on_room)(void *arg);
	void *on_room_arg;
	struct thread thread;
};

static uint64_t
now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

void
retired_init(struct retired *r, void (*free_object)(struct retired *r), uint64_t bytes)
{
	r->next = NULL;
	r->free = free_object;
	r->bytes = bytes;
	r->younger = NULL;
	r->retired_in = 0;
	atomic_init(&r->holds, 1);
}

/* Takes the whole list; NULL means that it is empty and will stay so. */
static struct retired *
reclaim_next_batch(struct reclaim *rc)
{
	pthread_mutex_lock(&rc->mutex);
	while (!rc->first && !rc->stopping)
		pthread_cond_wait(&rc->work, &rc->mutex);
	struct retired *batch = rc->first;
	rc->first = NULL;
	rc->last = &rc->first;
	rc->grace_start_ms = batch ? now_ms() : 0;
	rc->grace_periods += batch != NULL;
	pthread_mutex_unlock(&rc->mutex);
	return batch;
}

/* Puts an object that nobody holds any more on the list; the mutex is held. */
static void
reclaim_enlist(struct reclaim *rc, struct retired *r)
{
	r->next = NULL;
	*rc->last = r;
	rc->last = &r->next;
	pthread_cond_signal(&rc->work);
}

/*
 * What an object that has been freed had kept: goes to the front of the batch if it was retired before this grace
 * period began, since it has then waited as long as the batch has. One that was retired 2^32 grace periods ago
 * waits for another one, which does no harm.
 */
static struct retired *
reclaim_let_go(struct reclaim *rc, struct retired *younger, struct retired *batch)
{
	pthread_mutex_lock(&rc->mutex);
	if (atomic_fetch_sub(&younger->holds, 1) == 1) {
		if (younger->retired_in != rc->grace_periods) {
			younger->next = batch;
			batch = younger;
		} else {
			reclaim_enlist(rc, younger);
		}
	}
	pthread_mutex_unlock(&rc->mutex);
	return batch;
}

/* Frees the first records of a batch, returns the rest. */
static struct retired *
reclaim_free_slice(struct reclaim *rc, struct retired *batch)
{
	uint64_t bytes = 0, records = 0;
	while (batch && records < RECLAIM_SLICE) {
		struct retired *next = batch->next, *younger = batch->younger;
		bytes += batch->bytes;
		records++;
		batch->free(batch);
		batch = younger ? reclaim_let_go(rc, younger, next) : next;
	}
	pthread_mutex_lock(&rc->mutex);
	rc->bytes -= bytes;
	rc->records -= records;
	rc->freed += records;
	bool tell = rc->refused;
	rc->refused = false;
	pthread_mutex_unlock(&rc->mutex);
	if (tell && rc->on_room)
		rc->on_room(rc->on_room_arg);
	return batch;
}

static void
reclaim_run(void *arg)
{
	struct reclaim *rc = arg;
	struct retired *batch;
	while ((batch = reclaim_next_batch(rc))) {
		synchronize_rcu();
		pthread_mutex_lock(&rc->mutex);
		rc->grace_start_ms = 0;
		pthread_mutex_unlock(&rc->mutex);
		while (batch)
			batch = reclaim_free_slice(rc, batch);
	}
}

int
reclaim_start(uint64_t budget_bytes, void (*on_room)(void *arg), void *arg, struct reclaim **out)
{
	struct reclaim *rc = calloc(1, sizeof(*rc));
	if (!rc)
		return -ENOMEM;
	pthread_mutex_init(&rc->mutex, NULL);
	pthread_cond_init(&rc->work, NULL);
	rc->last = &rc->first;
	rc->budget_bytes = budget_bytes;
	rc->on_room = on_room;
	rc->on_room_arg = arg;
	int err = thread_start(&rc->thread, "anser-reclaim", THREAD_CPU_ANY, THREAD_RCU_NONE, reclaim_run, rc);
	if (err) {
		pthread_cond_destroy(&rc->work);
		pthread_mutex_destroy(&rc->mutex);
		free(rc);
		return err;
	}
	*out = rc;
	return 0;
}

bool
reclaim_has_room(struct reclaim *rc, uint64_t bytes)
{
	pthread_mutex_lock(&rc->mutex);
	bool room = rc->bytes == 0 || rc->bytes + bytes <= rc->budget_bytes;
	if (!room)
		rc->refused = true;
	pthread_mutex_unlock(&rc->mutex);
	return room;
}

static void
reclaim_drop_hold(struct reclaim *rc, struct retired *r, bool is_publisher)
{
	pthread_mutex_lock(&rc->mutex);
	if (is_publisher) {
		rc->bytes += r->bytes;
		rc->records++;
		r->retired_in = rc->grace_periods;
	}
	if (atomic_fetch_sub(&r->holds, 1) == 1)
		reclaim_enlist(rc, r);
	pthread_mutex_unlock(&rc->mutex);
}

void
reclaim_retire(struct reclaim *rc, struct retired *r)
{
	reclaim_drop_hold(rc, r, true);
}

void
reclaim_keep(struct retired *older, struct retired *younger)
{
	assert(older->younger == NULL);
	reclaim_hold(younger);
	older->younger = younger;
}

void
reclaim_hold(struct retired *r)
{
	unsigned before = atomic_fetch_add(&r->holds, 1);
	assert(before > 0);
	(void)before;
}

void
reclaim_release(struct reclaim *rc, struct retired *r)
{
	reclaim_drop_hold(rc, r, false);
}

void
reclaim_stats(struct reclaim *rc, struct reclaim_stats *out)
{
	pthread_mutex_lock(&rc->mutex);
	*out = (struct reclaim_stats){
		.retired_bytes = rc->bytes,
		.retired_records = rc->records,
		.freed_records = rc->freed,
		.budget_bytes = rc->budget_bytes,
		.grace_ms = rc->grace_start_ms ? now_ms() - rc->grace_start_ms : 0,
		.is_full = rc->refused,
	};
	pthread_mutex_unlock(&rc->mutex);
}

void
reclaim_stop(struct reclaim *rc)
{
	if (!rc)
		return;
	pthread_mutex_lock(&rc->mutex);
	rc->stopping = true;
	pthread_cond_signal(&rc->work);
	pthread_mutex_unlock(&rc->mutex);
	thread_join(&rc->thread);
	assert(rc->records == 0);
	pthread_cond_destroy(&rc->work);
	pthread_mutex_destroy(&rc->mutex);
	free(rc);
}
