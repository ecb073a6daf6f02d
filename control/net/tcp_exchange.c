/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages of TCP connections that control answers.
 *
 *     connection: queue of exchanges ──first──> inquiries ──> control: handler, reply or stream ──┐
 *          ▲                                                                                      │
 *          └──────────── thread's loop <──uv_async── struct tcp_returns <─────────────────────────┘
 *
 * An exchange is owned by the connection's thread, then, from asking to ending, by control, then by the thread
 * again; the one link between the two is struct tcp_returns, which lives as long as anybody needs it. `conn` is the
 * thread's to read and write throughout: a connection that ends while control has its exchange only clears it.
 *
 * A stream is pulled from its producer here, some 64 KiB in a turn of the loop, so that streams share the thread
 * with each other and with plain queries; and never while the socket has not taken what came before.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "control/net/tcp_private.h"
#include "zones/answer/count.h"
#include "zones/base/bytes.h"

#define STREAM_TURN_BYTES 65536

enum exchange_end { EXCHANGE_DROP, EXCHANGE_REPLY, EXCHANGE_STREAM };

struct tcp_exchange {
	struct inquiry inquiry; /* first, so that one is found from the other */
	struct tcp_returns *returns;
	/* the thread's */
	struct tcp_conn *conn;       /* NULL: gone */
	struct tcp_exchange *behind; /* in the connection's queue */
	bool is_asked;               /* control has it */
	bool has_begun;              /* a stream whose first message is counted */
	/* control's while it is asked, then the thread's */
	struct tcp_exchange *next; /* among what was returned */
	enum exchange_end end;
	uint8_t *reply;
	size_t reply_len;
	struct inquiry_producer producer;
	uint8_t msg[];
};

/* What control has ended and the thread has not seen. One reference is the thread's, one each exchange's. */
struct tcp_returns {
	atomic_uint refs;
	pthread_mutex_t mutex;
	uv_async_t *async; /* NULL: the thread is not there; under the mutex, as the list */
	struct tcp_exchange *first, **end;
};

static void
returns_release(struct tcp_returns *r)
{
	if (atomic_fetch_sub_explicit(&r->refs, 1, memory_order_acq_rel) != 1)
		return;
	pthread_mutex_destroy(&r->mutex);
	free(r);
}

static void
exchange_free(struct tcp_exchange *x)
{
	if (x->producer.free)
		x->producer.free(x->producer.arg);
	free(x->reply);
	returns_release(x->returns);
	free(x);
}

/* -------- control's side -------- */

static void
exchange_return(struct tcp_exchange *x, enum exchange_end end)
{
	struct tcp_returns *r = x->returns;
	x->end = end;
	x->next = NULL;
	pthread_mutex_lock(&r->mutex);
	bool is_taken = r->async != NULL;
	if (is_taken) {
		*r->end = x;
		r->end = &x->next;
		uv_async_send(r->async);
	}
	pthread_mutex_unlock(&r->mutex);
	if (!is_taken)
		exchange_free(x);
}

static void
exchange_reply(struct inquiry *q, const uint8_t *msg, size_t len)
{
	struct tcp_exchange *x = (struct tcp_exchange *)q;
	x->reply = malloc(len);
	if (x->reply) {
		memcpy(x->reply, msg, len);
		x->reply_len = len;
	}
	exchange_return(x, x->reply ? EXCHANGE_REPLY : EXCHANGE_DROP);
}

static void
exchange_drop(struct inquiry *q)
{
	exchange_return((struct tcp_exchange *)q, EXCHANGE_DROP);
}

static void
exchange_stream(struct inquiry *q, const struct inquiry_producer *producer)
{
	struct tcp_exchange *x = (struct tcp_exchange *)q;
	x->producer = *producer;
	exchange_return(x, EXCHANGE_STREAM);
}

static const struct inquiry_ops exchange_ops = {
	.reply = exchange_reply, .drop = exchange_drop, .stream = exchange_stream};

/* -------- the connection's queue -------- */

static size_t
exchange_bytes(const struct tcp_exchange *x)
{
	return sizeof(*x) + x->inquiry.len;
}

static void
exchange_ask(struct tcp_exchange *x)
{
	x->is_asked = true;
	inquiries_post(x->conn->thread->tcp->inquiries, &x->inquiry);
}

static struct tcp_exchange *
exchange_new(struct tcp_conn *c, const struct engine_message *m)
{
	struct tcp_thread *t = c->thread;
	if (t->queued_bytes + sizeof(struct tcp_exchange) + m->len > TCP_QUEUED_MAX_BYTES)
		return NULL;
	struct tcp_exchange *x = calloc(1, sizeof(*x) + m->len);
	if (!x)
		return NULL;
	memcpy(x->msg, m->msg, m->len);
	x->inquiry = (struct inquiry){
		.msg = x->msg, .len = m->len, .reply_cap = m->cap, .client = m->client, .ops = &exchange_ops};
	x->conn = c;
	x->returns = t->returns;
	atomic_fetch_add_explicit(&t->returns->refs, 1, memory_order_relaxed);
	t->queued_bytes += exchange_bytes(x);
	return x;
}

bool
tcp_exchange_add(struct tcp_conn *c, const struct engine_message *m)
{
	struct tcp_thread *t = c->thread;
	struct tcp_exchange *x = t->drain_until_ms ? NULL : exchange_new(c, m);
	if (!x) {
		counter_add(&c->counters->drop[t->drain_until_ms ? DROP_PUNT_DROPPED : DROP_PUNT_FULL], 1);
		return false;
	}
	uv_read_stop((uv_stream_t *)&c->handle);
	bool is_first = !c->exchanges;
	*(is_first ? &c->exchanges : c->exchanges_end) = x;
	c->exchanges_end = &x->behind;
	if (is_first)
		exchange_ask(x);
	return true;
}

bool
tcp_exchange_is_asked(const struct tcp_conn *c)
{
	return c->exchanges && c->exchanges->is_asked;
}

static void
streams_remove(struct tcp_conn *c)
{
	struct tcp_thread *t = c->thread;
	if (!c->is_streaming)
		return;
	*(c->stream_before ? &c->stream_before->stream_after : &t->streams) = c->stream_after;
	if (c->stream_after)
		c->stream_after->stream_before = c->stream_before;
	c->is_streaming = false;
	if (!t->streams)
		uv_idle_stop(&t->pump);
}

void
tcp_exchange_abandon(struct tcp_conn *c)
{
	struct tcp_thread *t = c->thread;
	streams_remove(c);
	while (c->exchanges) {
		struct tcp_exchange *x = c->exchanges;
		c->exchanges = x->behind;
		counter_add(&c->counters->drop[DROP_PUNT_DROPPED], 1);
		x->conn = NULL;
		if (x->is_asked)
			continue; /* it comes back to nobody */
		t->queued_bytes -= exchange_bytes(x);
		exchange_free(x);
	}
}

/* Ends the first exchange, and begins with the next, or goes on reading. */
static void
conn_next(struct tcp_conn *c)
{
	struct tcp_exchange *x = c->exchanges;
	c->exchanges = x->behind;
	c->thread->queued_bytes -= exchange_bytes(x);
	exchange_free(x);
	if (c->exchanges && c->thread->drain_until_ms)
		tcp_exchange_abandon(c);
	if (c->exchanges)
		exchange_ask(c->exchanges);
	else if (c->n_writes == 0)
		tcp_conn_resume(c);
}

/* -------- streams -------- */

/* Makes all messages that a turn has room for; the octets in t->work, or -errno. *is_done: there are no more. */
static int64_t
stream_fill(struct tcp_conn *c, bool *is_done)
{
	struct tcp_exchange *x = c->exchanges;
	uint8_t *work = c->thread->work;
	size_t used = 0;
	while (used < STREAM_TURN_BYTES) {
		uint8_t *msg = work + used + 2;
		int n = x->producer.next(x->producer.arg, msg, TCP_MESSAGE_MAX);
		if (n < 0)
			return n;
		*is_done = n == 0;
		if (*is_done)
			break;
		store_be16(msg - 2, (uint16_t)n);
		used += 2 + (size_t)n;
		if (!x->has_begun)
			count_reply(c->counters, c->client.is_v6, msg, (size_t)n);
		x->has_begun = true;
	}
	return (int64_t)used;
}

/* What goes wrong closes the connection, which counts the exchange as dropped. */
static void
stream_turn(struct tcp_conn *c)
{
	bool is_done = false;
	int64_t n = stream_fill(c, &is_done);
	uv_buf_t buf = uv_buf_init((char *)c->thread->work, n > 0 ? (unsigned)n : 0);
	if (n < 0 || !c->exchanges->has_begun || (n > 0 && !tcp_conn_write(c, &buf, 1, (size_t)n))) {
		tcp_conn_close(c);
		return;
	}
	tcp_conn_touch(c);
	if (is_done || c->n_writes > 0)
		streams_remove(c);
	if (is_done) {
		counter_add(&c->counters->tx, 1);
		conn_next(c);
	}
}

static void
pump_fired(uv_idle_t *idle)
{
	struct tcp_thread *t = idle->data;
	struct tcp_conn *after;
	for (struct tcp_conn *c = t->streams; c; c = after) {
		after = c->stream_after;
		stream_turn(c);
	}
}

static void
streams_add(struct tcp_conn *c)
{
	struct tcp_thread *t = c->thread;
	c->stream_before = NULL;
	c->stream_after = t->streams;
	if (t->streams)
		t->streams->stream_before = c;
	else
		uv_idle_start(&t->pump, pump_fired);
	t->streams = c;
	c->is_streaming = true;
}

void
tcp_exchange_drained(struct tcp_conn *c)
{
	if (!c->exchanges->is_asked && c->exchanges->end == EXCHANGE_STREAM && !c->is_streaming)
		streams_add(c);
}

/* -------- back from control -------- */

static void
deliver_reply(struct tcp_conn *c)
{
	struct tcp_exchange *x = c->exchanges;
	struct counters *counters = c->counters;
	uint8_t frame[2];
	store_be16(frame, (uint16_t)x->reply_len);
	const uv_buf_t bufs[2] = {uv_buf_init((char *)frame, 2),
				  uv_buf_init((char *)x->reply, (unsigned)x->reply_len)};
	if (!tcp_conn_write(c, bufs, 2, 2 + x->reply_len)) {
		tcp_conn_close(c); /* counts it as dropped */
		return;
	}
	count_reply(counters, c->client.is_v6, x->reply, x->reply_len);
	counter_add(&counters->tx, 1);
	tcp_conn_touch(c);
	conn_next(c);
}

static void
deliver(struct tcp_thread *t, struct tcp_exchange *x)
{
	struct tcp_conn *c = x->conn;
	if (!c) {
		t->queued_bytes -= exchange_bytes(x);
		exchange_free(x);
		return;
	}
	x->is_asked = false;
	if (x->end == EXCHANGE_REPLY)
		deliver_reply(c);
	else if (x->end == EXCHANGE_DROP)
		tcp_conn_close(c);
	else if (c->n_writes == 0)
		streams_add(c);
}

static void
deliver_all(struct tcp_thread *t)
{
	struct tcp_returns *r = t->returns;
	pthread_mutex_lock(&r->mutex);
	struct tcp_exchange *first = r->first, *next;
	r->first = NULL;
	r->end = &r->first;
	pthread_mutex_unlock(&r->mutex);
	for (struct tcp_exchange *x = first; x; x = next) {
		next = x->next;
		deliver(t, x);
	}
}

static void
returned_fired(uv_async_t *async)
{
	deliver_all(async->data);
}

void
tcp_exchange_stop(struct tcp_thread *t)
{
	deliver_all(t);
	for (struct tcp_conn *c = t->oldest; c; c = c->newer)
		if (tcp_exchange_is_asked(c))
			tcp_exchange_abandon(c);
	/* Control has only what belongs to nobody. From here on it frees that itself. */
	pthread_mutex_lock(&t->returns->mutex);
	t->returns->async = NULL;
	pthread_mutex_unlock(&t->returns->mutex);
	deliver_all(t);
}

/* -------- life -------- */

int
tcp_exchange_open(struct tcp_thread *t)
{
	struct tcp_returns *r = calloc(1, sizeof(*r));
	if (!r)
		return -ENOMEM;
	atomic_init(&r->refs, 1);
	pthread_mutex_init(&r->mutex, NULL);
	r->end = &r->first;
	t->returns = r;
	return 0;
}

int
tcp_exchange_begin(struct tcp_thread *t)
{
	int err = uv_async_init(&t->loop, &t->returned, returned_fired);
	if (err)
		return err;
	uv_idle_init(&t->loop, &t->pump);
	t->returned.data = t->pump.data = t;
	t->returns->async = &t->returned;
	return 0;
}

void
tcp_exchange_close_handles(struct tcp_thread *t)
{
	if (!t->returned.data)
		return;
	uv_close((uv_handle_t *)&t->returned, NULL);
	uv_close((uv_handle_t *)&t->pump, NULL);
}

void
tcp_exchange_close(struct tcp_thread *t)
{
	if (t->returns)
		returns_release(t->returns);
}
