/* SPDX-License-Identifier: Apache-2.0 */
/* The dispatcher of inquiries, on the control loop. See inquiries.h; a mutex guards the list of what was posted. */
#include "control/net/inquiries.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#define QUIET_AFTER_MS 1000

struct inquiries {
	uv_loop_t *loop;
	inquiry_handle_fn *handle;
	void *arg;
	struct inquiry_workers workers;
	unsigned next_worker;
	uv_timer_t poll;
	uint64_t poll_ms;      /* how often it polls now */
	uint64_t last_came_ms; /* loop time */
	uv_async_t posted;
	pthread_mutex_t mutex;
	struct inquiry *first, **end; /* posted; under the mutex */
	bool is_started, is_stopped;  /* under the mutex, too */
};

/* An inquiry that a worker made. */
struct worker_inquiry {
	struct inquiry inquiry;
	struct inquiries *all;
	unsigned worker, id;
};

/* -------- ends -------- */

void
inquiry_reply(struct inquiry *q, const uint8_t *msg, size_t len)
{
	if (len == 0 || len > q->reply_cap)
		q->ops->drop(q);
	else
		q->ops->reply(q, msg, len);
}

void
inquiry_drop(struct inquiry *q)
{
	q->ops->drop(q);
}

void
inquiry_stream(struct inquiry *q, const struct inquiry_producer *producer)
{
	assert(q->client.transport != ENGINE_UDP);
	q->ops->stream(q, producer);
}

static void
worker_end(struct inquiry *q, const uint8_t *msg, size_t len)
{
	struct worker_inquiry *w = (struct worker_inquiry *)q;
	const struct inquiry_workers *workers = &w->all->workers;
	workers->end(workers->arg, w->worker, w->id, msg, len);
	free(w);
}

static void
worker_drop(struct inquiry *q)
{
	worker_end(q, NULL, 0);
}

static const struct inquiry_ops worker_ops = {.reply = worker_end, .drop = worker_drop};

/* -------- from workers -------- */

/* Handles the next message of a worker; false: it has none. */
static bool
handle_punt(struct inquiries *all, unsigned worker)
{
	struct inquiry_punt p;
	if (!all->workers.next(all->workers.arg, worker, &p))
		return false;
	struct worker_inquiry *w = malloc(sizeof(*w));
	if (!w) {
		all->workers.end(all->workers.arg, worker, p.id, NULL, 0);
		return true;
	}
	*w = (struct worker_inquiry){
		.inquiry = {.msg = p.msg,
			    .len = p.len,
			    .reply_cap = p.reply_cap,
			    .client = p.client,
			    .ops = &worker_ops},
		.all = all,
		.worker = worker,
		.id = p.id,
	};
	all->handle(all->arg, &w->inquiry);
	return true;
}

static void poll_fired(uv_timer_t *timer);

static void
poll_every(struct inquiries *all, uint64_t ms)
{
	if (all->poll_ms == ms)
		return;
	all->poll_ms = ms;
	uv_timer_start(&all->poll, poll_fired, ms, ms);
}

/* One message of each worker in turn, so that none is served before others. */
static void
poll_fired(uv_timer_t *timer)
{
	struct inquiries *all = timer->data;
	unsigned n = all->workers.n, n_handled = 0;
	for (unsigned n_empty = 0; n_empty < n && n_handled < INQUIRIES_TURN;) {
		bool came = handle_punt(all, all->next_worker);
		all->next_worker = (all->next_worker + 1) % n;
		n_empty = came ? 0 : n_empty + 1;
		n_handled += came;
	}
	uint64_t now_ms = uv_now(all->loop);
	if (n_handled)
		all->last_came_ms = now_ms;
	bool is_busy = n_handled || (all->last_came_ms && now_ms - all->last_came_ms < QUIET_AFTER_MS);
	poll_every(all, is_busy ? INQUIRIES_POLL_BUSY_MS : INQUIRIES_POLL_QUIET_MS);
}

/* -------- from threads -------- */

static struct inquiry *
take_posted(struct inquiries *all, bool *is_last)
{
	pthread_mutex_lock(&all->mutex);
	struct inquiry *q = all->first;
	if (q) {
		all->first = q->next;
		if (!all->first)
			all->end = &all->first;
	}
	*is_last = !all->first;
	pthread_mutex_unlock(&all->mutex);
	return q;
}

static void
posted_fired(uv_async_t *async)
{
	struct inquiries *all = async->data;
	bool is_last = false;
	for (unsigned n = 0; n < INQUIRIES_TURN && !is_last; n++) {
		struct inquiry *q = take_posted(all, &is_last);
		if (q)
			all->handle(all->arg, q);
	}
	if (!is_last)
		uv_async_send(async);
}

void
inquiries_post(struct inquiries *all, struct inquiry *q)
{
	q->next = NULL;
	pthread_mutex_lock(&all->mutex);
	bool is_taken = !all->is_stopped;
	if (is_taken) {
		*all->end = q;
		all->end = &q->next;
		/* Under the mutex: the handle is not closed meanwhile. */
		if (all->is_started)
			uv_async_send(&all->posted);
	}
	pthread_mutex_unlock(&all->mutex);
	if (!is_taken)
		q->ops->drop(q);
}

/* -------- life -------- */

int
inquiries_new(uv_loop_t *loop, inquiry_handle_fn *handle, void *arg, struct inquiries **out)
{
	struct inquiries *all = calloc(1, sizeof(*all));
	if (!all)
		return -ENOMEM;
	all->loop = loop;
	all->handle = handle;
	all->arg = arg;
	all->end = &all->first;
	pthread_mutex_init(&all->mutex, NULL);
	*out = all;
	return 0;
}

int
inquiries_start(struct inquiries *all, const struct inquiry_workers *workers)
{
	int err = uv_async_init(all->loop, &all->posted, posted_fired);
	if (err)
		return err;
	uv_timer_init(all->loop, &all->poll);
	all->posted.data = all->poll.data = all;
	all->workers = *workers;
	if (workers->n)
		poll_every(all, INQUIRIES_POLL_QUIET_MS);
	pthread_mutex_lock(&all->mutex);
	all->is_started = true;
	uv_async_send(&all->posted);
	pthread_mutex_unlock(&all->mutex);
	return 0;
}

void
inquiries_stop(struct inquiries *all)
{
	pthread_mutex_lock(&all->mutex);
	bool was_running = all->is_started && !all->is_stopped;
	all->is_stopped = true;
	pthread_mutex_unlock(&all->mutex);
	bool is_last;
	for (struct inquiry *q; (q = take_posted(all, &is_last));)
		q->ops->drop(q);
	if (!was_running)
		return;
	uv_close((uv_handle_t *)&all->poll, NULL);
	uv_close((uv_handle_t *)&all->posted, NULL);
}

void
inquiries_free(struct inquiries *all)
{
	if (!all)
		return;
	pthread_mutex_destroy(&all->mutex);
	free(all);
}
