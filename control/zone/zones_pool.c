/* SPDX-License-Identifier: Apache-2.0 */
/* Small pieces of work for the libuv pool. See zones_pool.h. Control thread, but for carrier_work() and its
 * helpers. */
#include "control/zone/zones_pool.h"

#include <assert.h>
#include <stdlib.h>

#include "control/publish/publish.h"

#define SLICE_NS 5000000
#define LOOK_MS 2 /* at what is done, while carriers are under way */

struct task_list {
	struct pool_task *first, **last;
};

struct carrier {
	uv_work_t work;
	struct zones_pool *pool;
	bool is_under_way;
};

/* Work that a task shares with whoever comes; on the stack of that task's thread. */
struct call {
	struct call *next;
	void (*work)(void *arg);
	void *arg;
	unsigned n_wanted, n_helping;
};

struct zones_pool {
	struct crew crew; /* first */
	uv_loop_t *loop;
	uv_mutex_t lock; /* over the lists, the calls in theirs, and stopping */
	uv_cond_t left;  /* a helper has left its call */
	struct task_list todo, done;
	struct call *calls;
	uv_timer_t look;
	uv_async_t called; /* there is a call */
	bool is_open, stopping;
	unsigned n_handles; /* of these two that are not closed yet */
	unsigned n_carriers, n_under_way;
	struct carrier carriers[];
};

static void
list_clear(struct task_list *l)
{
	l->first = NULL;
	l->last = &l->first;
}

static void
list_append(struct task_list *l, struct pool_task *t)
{
	t->next = NULL;
	*l->last = t;
	l->last = &t->next;
}

static struct pool_task *
list_take_first(struct task_list *l)
{
	struct pool_task *t = l->first;
	if (t)
		l->first = t->next;
	if (!l->first)
		l->last = &l->first;
	return t;
}

/* -------- on the pool -------- */

static struct call *
find_call(const struct zones_pool *p)
{
	struct call *c = p->calls;
	while (c && !c->n_wanted)
		c = c->next;
	return c;
}

/* Helps whoever has called. With the lock, which is not held meanwhile. */
static void
answer_calls(struct zones_pool *p)
{
	struct call *c;
	while ((c = find_call(p))) {
		c->n_wanted--;
		c->n_helping++;
		uv_mutex_unlock(&p->lock);
		c->work(c->arg);
		uv_mutex_lock(&p->lock);
		c->n_helping--;
		uv_cond_broadcast(&p->left);
	}
}

static void
call_remove(struct zones_pool *p, struct call *c)
{
	struct call **at = &p->calls;
	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
}

/* The crew's. */
static void
call_run(struct crew *crew, void (*work)(void *arg), void *arg)
{
	struct zones_pool *p = (struct zones_pool *)crew;
	struct call c = {.work = work, .arg = arg, .n_wanted = p->n_carriers - 1};
	uv_mutex_lock(&p->lock);
	c.next = p->calls;
	p->calls = &c;
	if (!p->stopping)
		uv_async_send(&p->called);
	uv_mutex_unlock(&p->lock);
	work(arg);
	uv_mutex_lock(&p->lock);
	call_remove(p, &c);
	while (c.n_helping)
		uv_cond_wait(&p->left, &p->lock);
	uv_mutex_unlock(&p->lock);
}

/* Hands in what was done (NULL: nothing yet), and takes the next one, unless it is time to stop. */
static struct pool_task *
next_task(struct zones_pool *p, struct pool_task *was_done, bool is_over)
{
	uv_mutex_lock(&p->lock);
	if (was_done)
		list_append(&p->done, was_done);
	answer_calls(p);
	struct pool_task *t = is_over ? NULL : list_take_first(&p->todo);
	uv_mutex_unlock(&p->lock);
	return t;
}

static void
carrier_work(uv_work_t *work)
{
	struct carrier *c = work->data;
	uint64_t end_ns = publish_now_ns() + SLICE_NS;
	struct pool_task *t = next_task(c->pool, NULL, false);
	while (t) {
		t->work(t);
		t = next_task(c->pool, t, publish_now_ns() >= end_ns);
	}
}

/* -------- on the loop -------- */

static void
deliver(struct zones_pool *p)
{
	uv_mutex_lock(&p->lock);
	struct pool_task *t = p->done.first;
	list_clear(&p->done);
	uv_mutex_unlock(&p->lock);
	while (t) {
		struct pool_task *next = t->next;
		t->done(t);
		t = next;
	}
}

static void
look_fired(uv_timer_t *timer)
{
	deliver(timer->data);
}

static void called_fired(uv_async_t *async);

/* The first task opens the handles: a pool that is never used needs no closing. */
static void
look_open(struct zones_pool *p)
{
	if (p->stopping)
		return;
	if (!p->is_open) {
		uv_timer_init(p->loop, &p->look);
		int err = uv_async_init(p->loop, &p->called, called_fired);
		assert(err ==
		       0); /* fails only where the loop's first one cannot have a descriptor; ours has them */
		(void)err;
		uv_unref((uv_handle_t *)&p->called);
		p->n_handles = 2;
	}
	p->look.data = p;
	p->called.data = p;
	p->is_open = true;
	if (!uv_is_active((uv_handle_t *)&p->look))
		uv_timer_start(&p->look, look_fired, LOOK_MS, LOOK_MS);
}

static void carrier_done(uv_work_t *work, int status);

static void
carrier_send(struct carrier *c)
{
	c->is_under_way = true;
	c->pool->n_under_way++;
	c->work.data = c;
	int err = uv_queue_work(c->pool->loop, &c->work, carrier_work, carrier_done);
	assert(err == 0); /* fails only without a work function */
	(void)err;
}

static void
carrier_done(uv_work_t *work, int status)
{
	struct carrier *c = work->data;
	struct zones_pool *p = c->pool;
	c->is_under_way = false;
	p->n_under_way--;
	uv_mutex_lock(&p->lock);
	bool has_more = p->todo.first != NULL || find_call(p);
	uv_mutex_unlock(&p->lock);
	if (has_more)
		carrier_send(c);
	deliver(p);
	if (!p->n_under_way && p->is_open && !p->stopping)
		uv_timer_stop(&p->look);
}

static struct carrier *
idle_carrier(struct zones_pool *p)
{
	unsigned i = 0;
	while (p->carriers[i].is_under_way)
		i++;
	return &p->carriers[i];
}

/* Sends out all who are idle. One that comes too late finds nothing to do. */
static void
called_fired(uv_async_t *async)
{
	struct zones_pool *p = async->data;
	uv_mutex_lock(&p->lock);
	bool is_called = find_call(p) != NULL;
	uv_mutex_unlock(&p->lock);
	while (is_called && p->n_under_way < p->n_carriers)
		carrier_send(idle_carrier(p));
}

void
zones_pool_add(struct zones_pool *p, struct pool_task *t)
{
	uv_mutex_lock(&p->lock);
	list_append(&p->todo, t);
	uv_mutex_unlock(&p->lock);
	if (p->n_under_way == p->n_carriers)
		return;
	look_open(p);
	carrier_send(idle_carrier(p));
}

struct crew *
zones_pool_crew(struct zones_pool *p)
{
	return &p->crew;
}

/* -------- life -------- */

static void
handle_closed(uv_handle_t *h)
{
	struct zones_pool *p = h->data;
	p->n_handles--;
}

void
zones_pool_stop(struct zones_pool *p)
{
	if (p->stopping)
		return;
	uv_mutex_lock(&p->lock);
	p->stopping = true;
	uv_mutex_unlock(&p->lock);
	if (!p->is_open)
		return;
	uv_close((uv_handle_t *)&p->look, handle_closed);
	uv_close((uv_handle_t *)&p->called, handle_closed);
}

bool
zones_pool_is_idle(const struct zones_pool *p)
{
	return p->n_under_way == 0 && !(p->stopping && p->n_handles);
}

struct zones_pool *
zones_pool_new(uv_loop_t *loop, unsigned carriers)
{
	unsigned n = carriers ? carriers : 1;
	struct zones_pool *p = calloc(1, sizeof(*p) + n * sizeof(p->carriers[0]));
	if (!p)
		return NULL;
	if (uv_mutex_init(&p->lock) != 0) {
		free(p);
		return NULL;
	}
	if (uv_cond_init(&p->left) != 0) {
		uv_mutex_destroy(&p->lock);
		free(p);
		return NULL;
	}
	p->crew = (struct crew){.size = n, .run = call_run};
	p->loop = loop;
	list_clear(&p->todo);
	list_clear(&p->done);
	p->n_carriers = n;
	for (unsigned i = 0; i < n; i++)
		p->carriers[i].pool = p;
	return p;
}

void
zones_pool_free(struct zones_pool *p)
{
	if (!p)
		return;
	uv_cond_destroy(&p->left);
	uv_mutex_destroy(&p->lock);
	free(p);
}
