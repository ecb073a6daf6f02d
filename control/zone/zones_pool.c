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

struct zones_pool {
	uv_loop_t *loop;
	uv_mutex_t lock; /* over the two lists alone */
	struct task_list todo, done;
	uv_timer_t look;
	bool look_is_open, stopping;
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

/* Hands in what was done (NULL: nothing yet), and takes the next one, unless it is time to stop. */
static struct pool_task *
next_task(struct zones_pool *p, struct pool_task *was_done, bool is_over)
{
	uv_mutex_lock(&p->lock);
	if (was_done)
		list_append(&p->done, was_done);
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

static void
look_open(struct zones_pool *p)
{
	if (p->stopping)
		return;
	if (!p->look_is_open)
		uv_timer_init(p->loop, &p->look);
	p->look.data = p;
	p->look_is_open = true;
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
	bool has_more = p->todo.first != NULL;
	uv_mutex_unlock(&p->lock);
	if (has_more)
		carrier_send(c);
	deliver(p);
	if (!p->n_under_way && p->look_is_open && !p->stopping)
		uv_timer_stop(&p->look);
}

void
zones_pool_add(struct zones_pool *p, struct pool_task *t)
{
	uv_mutex_lock(&p->lock);
	list_append(&p->todo, t);
	uv_mutex_unlock(&p->lock);
	if (p->n_under_way == p->n_carriers)
		return;
	unsigned i = 0;
	while (p->carriers[i].is_under_way)
		i++;
	look_open(p);
	carrier_send(&p->carriers[i]);
}

/* -------- life -------- */

static void
look_closed(uv_handle_t *h)
{
	struct zones_pool *p = h->data;
	p->look_is_open = false;
}

void
zones_pool_stop(struct zones_pool *p)
{
	if (p->stopping)
		return;
	p->stopping = true;
	if (p->look_is_open)
		uv_close((uv_handle_t *)&p->look, look_closed);
}

bool
zones_pool_is_idle(const struct zones_pool *p)
{
	return p->n_under_way == 0 && !(p->stopping && p->look_is_open);
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
	uv_mutex_destroy(&p->lock);
	free(p);
}
