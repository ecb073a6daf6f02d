/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TCP connections: messages in, answers out, time. See tcp.h for the bounds that are kept here.
 *
 * All reading goes through the thread's one buffer; what is left of it after the whole messages, and only that, is
 * kept with the connection, so an idle client costs no buffer. Queries are copied to the thread's work area, where
 * the engine writes the answers over them, and go out from there with one writev; only what the socket does not
 * take is copied again, and from then on the connection is held until it has been sent. It is held, too, while
 * control has a message of it (tcp_exchange.c). With TLS, tcp_tls.c stands between the socket and all this.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <urcu-qsbr.h>

#include "control/net/tcp_private.h"
#include "zones/base/bytes.h"

struct tcp_write {
	uv_write_t req;
	struct tcp_conn *conn;
	size_t len;
	uint8_t data[];
};

static struct tcp_conn *
conn_of(uv_handle_t *h)
{
	return h->data;
}

struct tcp_conn *
tcp_conn_new(void)
{
	return calloc(1, sizeof(struct tcp_conn));
}

/* -------- the list by activity -------- */

static void
list_remove(struct tcp_conn *c)
{
	struct tcp_thread *t = c->thread;
	*(c->older ? &c->older->newer : &t->oldest) = c->newer;
	*(c->newer ? &c->newer->older : &t->newest) = c->older;
}

static void
list_append(struct tcp_conn *c)
{
	struct tcp_thread *t = c->thread;
	c->active_ms = uv_now(&t->loop);
	c->newer = NULL;
	c->older = t->newest;
	*(t->newest ? &t->newest->newer : &t->oldest) = c;
	t->newest = c;
}

void
tcp_conn_touch(struct tcp_conn *c)
{
	list_remove(c);
	list_append(c);
}

/* -------- closing -------- */

static void
conn_closed(uv_handle_t *h)
{
	struct tcp_conn *c = conn_of(h);
	struct tcp_thread *t = c->thread;
	free(c->in);
	tls_session_free(c->tls);
	if (t->spare) {
		free(c);
		return;
	}
	memset(c, 0, sizeof(*c));
	t->spare = c;
	bool client_waits = t->client_waits && !t->drain_until_ms;
	t->client_waits = false;
	for (unsigned i = 0; client_waits && i < t->tcp->n_listen; i++)
		tcp_conn_accept((uv_stream_t *)&t->listeners[i].handle, 0);
}

/* The list holds exactly the connections that are counted and not closing. */
void
tcp_conn_close(struct tcp_conn *c)
{
	if (uv_is_closing((uv_handle_t *)&c->handle))
		return;
	tcp_exchange_abandon(c);
	if (c->tls)
		tcp_tls_end(c);
	list_remove(c);
	tcp_sources_leave(c->thread->tcp->sources, c->source);
	uv_close((uv_handle_t *)&c->handle, conn_closed);
}

/* -------- answers out -------- */

static void
write_done(uv_write_t *req, int status)
{
	struct tcp_write *w = (struct tcp_write *)req;
	struct tcp_conn *c = w->conn;
	c->thread->queued_bytes -= w->len;
	c->n_writes--;
	free(w);
	if (status < 0)
		tcp_conn_close(c);
	else if (!uv_is_closing((uv_handle_t *)&c->handle) && c->n_writes == 0)
		tcp_conn_resume(c);
}

/* Queues what the socket did not take, from octet `sent` on, and stops reading. */
static bool
conn_queue_rest(struct tcp_conn *c, const uv_buf_t *bufs, unsigned n_bufs, size_t sent, size_t total)
{
	struct tcp_thread *t = c->thread;
	size_t rest = total - sent;
	if (t->queued_bytes + rest > TCP_QUEUED_MAX_BYTES)
		return false;
	struct tcp_write *w = malloc(sizeof(*w) + rest);
	if (!w)
		return false;
	w->conn = c;
	w->len = rest;
	size_t to = 0;
	for (unsigned i = 0; i < n_bufs; i++) {
		size_t skip = sent < bufs[i].len ? sent : bufs[i].len;
		sent -= skip;
		memcpy(w->data + to, bufs[i].base + skip, bufs[i].len - skip);
		to += bufs[i].len - skip;
	}
	uv_buf_t buf = uv_buf_init((char *)w->data, (unsigned)rest);
	if (uv_write(&w->req, (uv_stream_t *)&c->handle, &buf, 1, write_done) != 0) {
		free(w);
		return false;
	}
	t->queued_bytes += rest;
	c->queued_bytes = uv_stream_get_write_queue_size((uv_stream_t *)&c->handle);
	c->n_writes++;
	uv_read_stop((uv_stream_t *)&c->handle);
	return true;
}

bool
tcp_conn_write_socket(struct tcp_conn *c, const uv_buf_t *bufs, unsigned n_bufs, size_t total)
{
	int sent = uv_try_write((uv_stream_t *)&c->handle, bufs, n_bufs);
	if (sent == UV_EAGAIN)
		sent = 0;
	return sent >= 0 && ((size_t)sent == total || conn_queue_rest(c, bufs, n_bufs, (size_t)sent, total));
}

bool
tcp_conn_write(struct tcp_conn *c, const uv_buf_t *bufs, unsigned n_bufs, size_t total)
{
	return c->tls ? tcp_tls_write(c, bufs, n_bufs) : tcp_conn_write_socket(c, bufs, n_bufs, total);
}

/* Sends the answers of a burst, in the order of their queries. False: the connection is of no more use. */
static bool
conn_send(struct tcp_conn *c, const struct engine_message *messages, unsigned n)
{
	uint8_t frames[ENGINE_GROUP][2];
	uv_buf_t bufs[2 * ENGINE_GROUP];
	unsigned n_answers = 0;
	size_t total = 0;
	for (unsigned i = 0; i < n; i++) {
		if (messages[i].verdict != ENGINE_ANSWER)
			continue;
		store_be16(frames[n_answers], (uint16_t)messages[i].len);
		bufs[2 * n_answers] = uv_buf_init((char *)frames[n_answers], 2);
		bufs[2 * n_answers + 1] = uv_buf_init((char *)messages[i].msg, messages[i].len);
		total += 2 + messages[i].len;
		n_answers++;
	}
	if (!n_answers)
		return true;
	bool good = tcp_conn_write(c, bufs, 2 * n_answers, total);
	struct counters *counters = c->counters;
	counter_add(good ? &counters->tx : &counters->drop[DROP_TX_FULL], n_answers);
	return good;
}

/* -------- messages in -------- */

/* Answers up to one burst of the whole messages in data[0..len); returns the octets used. *alive: the connection is
 * still good. */
static size_t
conn_burst(struct tcp_conn *c, const uint8_t *data, size_t len, bool *alive)
{
	struct tcp_thread *t = c->thread;
	struct engine_message messages[ENGINE_GROUP];
	unsigned n = 0;
	size_t used = 0;
	while (n < ENGINE_GROUP && len - used >= 2 && len - used - 2 >= load_be16(data + used)) {
		struct engine_message *m = &messages[n];
		*m = (struct engine_message){
			.msg = t->work + (size_t)n * TCP_MESSAGE_MAX,
			.len = load_be16(data + used),
			.cap = TCP_MESSAGE_MAX,
			.client = c->client,
			.takes_punts = t->tcp->inquiries != NULL,
		};
		memcpy(m->msg, data + used + 2, m->len);
		used += 2 + m->len;
		n++;
	}
	if (!n)
		return 0;
	counter_add(&c->counters->rx, n);
	rcu_thread_online();
	engine_burst(zone_root_current(t->tcp->root), messages, n, (uint32_t)time(NULL), c->counters);
	rcu_thread_offline();
	tcp_conn_touch(c);
	*alive = conn_send(c, messages, n);
	/*
	 * What control answers comes behind the answers of this burst, as it may (RFC 7766 section 6.2.1.1).
	 * Whoever sends what deserves no answer is no resolver, or is lost in the stream.
	 */
	for (unsigned i = 0; i < n; i++) {
		*alive &= messages[i].verdict != ENGINE_DROP;
		if (messages[i].verdict == ENGINE_PUNT)
			*alive &= tcp_exchange_add(c, &messages[i]);
	}
	return used;
}

/* Answers all whole messages, or as many as the client takes answers to. Returns the octets used; *alive as above.
 */
static size_t
conn_answer(struct tcp_conn *c, const uint8_t *data, size_t len, bool *alive)
{
	size_t used = 0, step;
	*alive = true;
	while (*alive && !tcp_conn_is_held(c) && (step = conn_burst(c, data + used, len - used, alive)))
		used += step;
	return used;
}

/* Makes data[0..len) all that the connection keeps; data may lie within c->in. */
static bool
conn_keep(struct tcp_conn *c, const uint8_t *data, size_t len)
{
	if (!len) {
		free(c->in);
		c->in = NULL;
		c->in_len = c->in_cap = 0;
		return true;
	}
	if (len > c->in_cap) {
		uint8_t *bigger = malloc(len);
		if (!bigger)
			return false;
		memcpy(bigger, data, len);
		free(c->in);
		c->in = bigger;
		c->in_cap = (uint32_t)len;
	} else {
		memmove(c->in, data, len);
	}
	c->in_len = (uint32_t)len;
	return true;
}

/* Adds to what is kept; doubling spares the slow sender of a large message the copying. */
static bool
conn_append(struct tcp_conn *c, const uint8_t *data, size_t len)
{
	size_t need = c->in_len + len;
	if (need > c->in_cap) {
		size_t cap = need > 2 * (size_t)c->in_cap ? need : 2 * (size_t)c->in_cap;
		uint8_t *bigger = realloc(c->in, cap);
		if (!bigger)
			return false;
		c->in = bigger;
		c->in_cap = (uint32_t)cap;
	}
	memcpy(c->in + c->in_len, data, len);
	c->in_len = (uint32_t)need;
	return true;
}

static void
conn_take(struct tcp_conn *c, const uint8_t *data, size_t len)
{
	if (c->in_len) {
		if (!conn_append(c, data, len)) {
			tcp_conn_close(c);
			return;
		}
		data = c->in;
		len = c->in_len;
	}
	bool alive;
	size_t used = conn_answer(c, data, len, &alive);
	if (!alive || !conn_keep(c, data + used, len - used))
		tcp_conn_close(c);
}

/* The client has said goodbye, and all that it asked before is answered. */
static bool
conn_is_over(const struct tcp_conn *c)
{
	return c->tls && tls_session_is_ended(c->tls) && !tcp_conn_is_held(c);
}

static void
conn_take_tls(struct tcp_conn *c, const uint8_t *data, size_t len)
{
	size_t plain_len;
	const uint8_t *plain = tcp_tls_read(c, data, len, &plain_len);
	if (!plain)
		tcp_conn_close(c);
	else if (plain_len)
		conn_take(c, plain, plain_len);
	if (conn_is_over(c))
		tcp_conn_close(c);
}

static void
read_alloc(uv_handle_t *h, size_t suggested, uv_buf_t *buf)
{
	*buf = uv_buf_init((char *)conn_of(h)->thread->read_buffer, TCP_READ_CAP);
}

static void
read_done(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	struct tcp_conn *c = conn_of((uv_handle_t *)stream);
	if (n > 0 && c->tls)
		conn_take_tls(c, (const uint8_t *)buf->base, (size_t)n);
	else if (n > 0)
		conn_take(c, (const uint8_t *)buf->base, (size_t)n);
	else if (n < 0)
		tcp_conn_close(c); /* all that was answered has been sent, or the connection would be held */
}

void
tcp_conn_resume(struct tcp_conn *c)
{
	tcp_conn_touch(c);
	if (c->exchanges) {
		tcp_exchange_drained(c);
		return;
	}
	if (c->in_len && !tcp_conn_is_held(c)) {
		bool alive;
		size_t used = conn_answer(c, c->in, c->in_len, &alive);
		if (!alive || !conn_keep(c, c->in + used, c->in_len - used)) {
			tcp_conn_close(c);
			return;
		}
	}
	if (tcp_conn_is_held(c))
		return;
	if (c->thread->drain_until_ms || conn_is_over(c) ||
	    uv_read_start((uv_stream_t *)&c->handle, read_alloc, read_done) != 0)
		tcp_conn_close(c);
}

/* -------- accepting -------- */

static bool
client_of(const uv_tcp_t *handle, enum engine_transport transport, struct engine_client *client)
{
	struct sockaddr_storage a;
	int len = sizeof(a);
	if (uv_tcp_getpeername(handle, (struct sockaddr *)&a, &len) != 0)
		return false;
	*client = (struct engine_client){.is_v6 = a.ss_family == AF_INET6, .transport = transport};
	if (client->is_v6)
		memcpy(client->address, &((struct sockaddr_in6 *)&a)->sin6_addr, 16);
	else
		memcpy(client->address, &((struct sockaddr_in *)&a)->sin_addr, 4);
	return true;
}

/* Room for one more, at the cost of the longest silent if need be. */
static bool
conn_enter(struct tcp_conn *c)
{
	struct tcp_thread *t = c->thread;
	struct tcp_sources *sources = t->tcp->sources;
	enum tcp_entry entry = tcp_sources_enter(sources, &c->client, &c->source);
	if (entry == TCP_ENTRY_FULL && t->oldest) {
		counter_add(&t->stats.closed_idle, 1);
		tcp_conn_close(t->oldest);
		entry = tcp_sources_enter(sources, &c->client, &c->source);
	}
	if (entry == TCP_ENTRY_SOURCE_FULL)
		counter_add(&t->stats.refused_source, 1);
	else if (entry != TCP_ENTRY_OK)
		counter_add(&t->stats.refused_full, 1);
	return entry == TCP_ENTRY_OK;
}

void
tcp_conn_accept(uv_stream_t *listener, int status)
{
	const struct tcp_listener *l = listener->data;
	struct tcp_thread *t = l->thread;
	if (status < 0)
		return; /* the client has gone already, or there are no descriptors: libuv goes on */
	struct tcp_conn *c = t->spare;
	if (!c) { /* libuv keeps the connection until conn_closed() has brought memory back */
		t->client_waits = true;
		return;
	}
	t->spare = tcp_conn_new();
	c->thread = t;
	c->counters = l->is_tls ? &t->tls_counters : &t->counters;
	uv_tcp_init(&t->loop, &c->handle);
	c->handle.data = c;
	bool good = uv_accept(listener, (uv_stream_t *)&c->handle) == 0 &&
		    client_of(&c->handle, l->is_tls ? ENGINE_TLS : ENGINE_TCP, &c->client) && t->spare &&
		    conn_enter(c);
	if (!good) {
		uv_close((uv_handle_t *)&c->handle, conn_closed);
		return;
	}
	list_append(c);
	counter_add(&t->stats.accepted, 1);
	uv_tcp_nodelay(&c->handle, 1);
	if ((l->is_tls && !tcp_tls_begin(c)) ||
	    uv_read_start((uv_stream_t *)&c->handle, read_alloc, read_done) != 0)
		tcp_conn_close(c);
}

/* -------- time -------- */

void
tcp_conn_expire(struct tcp_thread *t)
{
	uint64_t now_ms = uv_now(&t->loop);
	while (t->oldest && now_ms - t->oldest->active_ms >= t->tcp->idle_timeout_ms) {
		struct tcp_conn *c = t->oldest;
		if (tcp_exchange_is_asked(c)) { /* it is control that is slow */
			tcp_conn_touch(c);
			continue;
		}
		size_t queued = uv_stream_get_write_queue_size((uv_stream_t *)&c->handle);
		if (queued && queued < c->queued_bytes) { /* slow, but it moves */
			c->queued_bytes = queued;
			tcp_conn_touch(c);
			continue;
		}
		counter_add(queued ? &t->stats.closed_slow : &t->stats.closed_idle, 1);
		tcp_conn_close(c);
	}
}

void
tcp_conn_drain(struct tcp_thread *t)
{
	struct tcp_conn *next;
	for (struct tcp_conn *c = t->oldest; c; c = next) {
		next = c->newer;
		if (!tcp_conn_is_held(c))
			tcp_conn_close(c);
	}
}

void
tcp_conn_close_all(struct tcp_thread *t)
{
	while (t->oldest)
		tcp_conn_close(t->oldest);
}
