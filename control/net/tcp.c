/* SPDX-License-Identifier: Apache-2.0 */
/* The TCP and TLS service: sockets, threads, start and stop. See tcp.h. */
#include "control/net/tcp.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/net/tcp_private.h"

#define LISTEN_BACKLOG 1024

/* -------- sockets -------- */

static int
socket_bind(const struct config_address *a, bool share_port)
{
	int one = 1;
	int fd = socket(a->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	/* Without SO_REUSEADDR a restart would have to wait for the old connections' TIME_WAIT. */
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) != 0 ||
	    (share_port && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)) != 0) ||
	    (a->any.sa_family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one)) != 0) ||
	    bind(fd, &a->any, a->len) != 0) {
		int err = -errno;
		close(fd);
		return err;
	}
	return fd;
}

/* SO_REUSEPORT would let us share a port with another server of ours without a word: look first, without it. */
static int
socket_probe(const struct config_address *a)
{
	int fd = socket_bind(a, false);
	if (fd < 0)
		return fd;
	int err = listen(fd, 1) == 0 ? 0 : -errno;
	close(fd);
	return err;
}

static void
diag_bind(struct diag_list *diag, const struct config_address *a, const char *key, int err)
{
	char text[CONFIG_ADDRESS_TEXT_MAX];
	config_address_text(a, text);
	switch (-err) {
	case EADDRINUSE:
		diag_add(diag, DIAG_ERROR, NULL, 0, 0,
			 "TCP %s is taken by another server: `ss -ltnp` names it; stop it, or change %s", text,
			 key);
		break;
	case EACCES:
		diag_add(diag, DIAG_ERROR, NULL, 0, 0,
			 "TCP %s needs privileges: start as root, or listen on a port from 1024 up", text);
		break;
	case EADDRNOTAVAIL:
		diag_add(diag, DIAG_ERROR, NULL, 0, 0,
			 "TCP %s: this host has no such address: add it to an interface, or change %s", text, key);
		break;
	default:
		diag_add(diag, DIAG_ERROR, NULL, 0, 0, "TCP %s: %s", text, strerror(-err));
	}
}

/* One socket a thread on address i. Port 0 is resolved by the first, for the others to follow. */
static int
tcp_bind(struct tcp *tcp, unsigned i)
{
	struct config_address *a = &tcp->listen[i];
	bool share = tcp->n_threads > 1;
	int err = share ? socket_probe(a) : 0;
	for (unsigned k = 0; !err && k < tcp->n_threads; k++) {
		int fd = socket_bind(a, share);
		if (fd < 0)
			return fd;
		tcp->threads[k].listeners[i].fd = fd;
		a->len = sizeof(a->v6);
		if (getsockname(fd, &a->any, &a->len) != 0)
			err = -errno;
	}
	/* Where two servers both have SO_REUSEADDR, it is listen(2) that tells the second. */
	for (unsigned k = 0; !err && k < tcp->n_threads; k++)
		if (listen(tcp->threads[k].listeners[i].fd, LISTEN_BACKLOG) != 0)
			err = -errno;
	return err;
}

/* -------- open and close -------- */

static int
thread_init(struct tcp *tcp, struct tcp_thread *t)
{
	t->tcp = tcp;
	t->listeners = calloc(tcp->n_listen, sizeof(*t->listeners));
	t->read_buffer = malloc(TCP_READ_CAP);
	t->plain = tcp->tls ? malloc(TCP_PLAIN_CAP) : NULL;
	t->work = malloc((size_t)ENGINE_GROUP * TCP_MESSAGE_MAX);
	t->spare = tcp_conn_new();
	int err = tcp_exchange_open(t);
	if (err)
		return err;
	if (!t->listeners || !t->read_buffer || !t->work || !t->spare || (tcp->tls && !t->plain))
		return -ENOMEM;
	for (unsigned i = 0; i < tcp->n_listen; i++)
		t->listeners[i] = (struct tcp_listener){.thread = t, .fd = -1, .is_tls = i >= tcp->n_plain};
	return 0;
}

static int
tcp_init(struct tcp *tcp, const struct config *config)
{
	tcp->idle_timeout_ms = config->tcp.idle_timeout_ms;
	tcp->n_plain = config->server.n_listen;
	tcp->n_listen = tcp->n_plain + (tcp->tls ? config->tls.n_listen : 0);
	tcp->sources = tcp_sources_new(config->tcp.max_connections, config->tcp.max_per_source);
	tcp->listen = malloc(tcp->n_listen * sizeof(*tcp->listen));
	tcp->threads = aligned_alloc(CACHE_LINE, config->tcp.threads * sizeof(*tcp->threads));
	if (!tcp->sources || !tcp->listen || !tcp->threads)
		return -ENOMEM;
	memcpy(tcp->listen, config->server.listen, tcp->n_plain * sizeof(*tcp->listen));
	if (tcp->tls)
		memcpy(tcp->listen + tcp->n_plain, config->tls.listen, config->tls.n_listen * sizeof(*tcp->listen));
	memset(tcp->threads, 0, config->tcp.threads * sizeof(*tcp->threads));
	tcp->n_threads = config->tcp.threads;
	for (unsigned k = 0; k < tcp->n_threads; k++) {
		int err = thread_init(tcp, &tcp->threads[k]);
		if (err)
			return err;
	}
	return 0;
}

static int
tcp_init_tls(struct tcp *tcp, const struct config_tls *config, struct diag_list *diag)
{
	char why[TLS_WHY_MAX];
	int err = config->enabled ? tls_server_new(config, why, &tcp->tls) : 0;
	if (err)
		diag_add(diag, DIAG_ERROR, NULL, 0, 0, "tls: %s", why);
	if (tcp->tls)
		tcp->tls_end_s = tls_server_not_after_s(tcp->tls);
	return err;
}

int
tcp_open(const struct config *config, const struct zone_root *root, struct diag_list *diag, struct tcp **out)
{
	struct tcp *tcp = calloc(1, sizeof(*tcp));
	if (!tcp)
		return -ENOMEM;
	tcp->root = root;
	pthread_mutex_init(&tcp->tls_mutex, NULL);
	int err = tcp_init_tls(tcp, &config->tls, diag);
	if (!err)
		err = tcp_init(tcp, config);
	for (unsigned i = 0; !err && i < tcp->n_listen; i++) {
		err = tcp_bind(tcp, i);
		if (err)
			diag_bind(diag, &tcp->listen[i], i < tcp->n_plain ? "server.listen" : "tls.listen", err);
	}
	if (err) {
		tcp_close(tcp);
		return err;
	}
	*out = tcp;
	return 0;
}

void
tcp_set_inquiries(struct tcp *tcp, struct inquiries *all)
{
	tcp->inquiries = all;
}

void
tcp_set_tls(struct tcp *tcp, struct tls_server *server)
{
	pthread_mutex_lock(&tcp->tls_mutex);
	struct tls_server *unused = server;
	if (tcp->tls && server) {
		unused = tcp->tls;
		tcp->tls = server;
		__atomic_store_n(&tcp->tls_end_s, tls_server_not_after_s(server), __ATOMIC_RELAXED);
	}
	pthread_mutex_unlock(&tcp->tls_mutex);
	tls_server_free(unused);
}

int64_t
tcp_tls_not_after_s(const struct tcp *tcp)
{
	return __atomic_load_n(&tcp->tls_end_s, __ATOMIC_RELAXED);
}

static void
thread_free(struct tcp *tcp, struct tcp_thread *t)
{
	for (unsigned i = 0; t->listeners && i < tcp->n_listen; i++)
		if (t->listeners[i].fd >= 0)
			close(t->listeners[i].fd);
	tcp_exchange_close(t);
	free(t->listeners);
	free(t->read_buffer);
	free(t->plain);
	free(t->work);
	free(t->spare);
}

void
tcp_close(struct tcp *tcp)
{
	if (!tcp)
		return;
	for (unsigned k = 0; k < tcp->n_threads; k++)
		thread_free(tcp, &tcp->threads[k]);
	tcp_sources_free(tcp->sources);
	tls_server_free(tcp->tls);
	pthread_mutex_destroy(&tcp->tls_mutex);
	free(tcp->listen);
	free(tcp->threads);
	free(tcp);
}

/* -------- threads -------- */

static void
close_listeners(struct tcp_thread *t)
{
	for (unsigned i = 0; i < t->tcp->n_listen; i++)
		if (t->listeners[i].handle.data && !uv_is_closing((uv_handle_t *)&t->listeners[i].handle))
			uv_close((uv_handle_t *)&t->listeners[i].handle, NULL);
}

static void
timer_fired(uv_timer_t *timer)
{
	struct tcp_thread *t = timer->data;
	tcp_conn_expire(t);
	if (!t->drain_until_ms)
		return;
	if (uv_now(&t->loop) >= t->drain_until_ms)
		tcp_conn_close_all(t);
	if (t->oldest)
		return;
	uv_close((uv_handle_t *)timer, NULL);
	tcp_exchange_close_handles(t);
}

static void
stop_asked(uv_async_t *async)
{
	struct tcp_thread *t = async->data;
	uv_update_time(&t->loop);
	t->drain_until_ms = uv_now(&t->loop) + TCP_DRAIN_MS;
	close_listeners(t);
	tcp_exchange_stop(t);
	tcp_conn_drain(t);
	uv_timer_start(&t->timer, timer_fired, 0, 10);
	uv_close((uv_handle_t *)async, NULL);
}

/* Gives the listening sockets to the loop. On failure the loop is left as it is: thread_abandon() cleans up. */
static int
thread_listen(struct tcp_thread *t)
{
	for (unsigned i = 0; i < t->tcp->n_listen; i++) {
		struct tcp_listener *l = &t->listeners[i];
		int err = uv_tcp_init(&t->loop, &l->handle);
		if (err)
			return err;
		l->handle.data = l;
		err = uv_tcp_open(&l->handle, l->fd);
		if (err)
			return err;
		l->fd = -1;
		err = uv_listen((uv_stream_t *)&l->handle, LISTEN_BACKLOG, tcp_conn_accept);
		if (err)
			return err;
	}
	return 0;
}

static void
thread_run(void *arg)
{
	struct tcp_thread *t = arg;
	uv_run(&t->loop, UV_RUN_DEFAULT);
}

static void
thread_abandon(struct tcp_thread *t)
{
	close_listeners(t);
	uv_close((uv_handle_t *)&t->timer, NULL);
	uv_close((uv_handle_t *)&t->stop, NULL);
	tcp_exchange_close_handles(t);
	uv_run(&t->loop, UV_RUN_DEFAULT);
	uv_loop_close(&t->loop);
}

static int
thread_begin(struct tcp_thread *t, unsigned k)
{
	int err = uv_loop_init(&t->loop);
	if (err)
		return err;
	err = uv_async_init(&t->loop, &t->stop, stop_asked);
	if (err) {
		uv_loop_close(&t->loop);
		return err;
	}
	err = tcp_exchange_begin(t);
	uv_timer_init(&t->loop, &t->timer);
	t->stop.data = t->timer.data = t;
	uint64_t tick_ms = t->tcp->idle_timeout_ms / 8;
	tick_ms = tick_ms < 10 ? 10 : tick_ms > 1000 ? 1000 : tick_ms;
	uv_timer_start(&t->timer, timer_fired, tick_ms, tick_ms);
	if (!err)
		err = thread_listen(t);
	char name[32];
	snprintf(name, sizeof(name), "anser-tcp-%u", k);
	if (!err)
		err = thread_start(&t->thread, name, THREAD_CPU_ANY, THREAD_RCU_OFFLINE, thread_run, t);
	if (err)
		thread_abandon(t);
	return err;
}

int
tcp_start(struct tcp *tcp)
{
	for (unsigned k = 0; k < tcp->n_threads; k++) {
		int err = thread_begin(&tcp->threads[k], k);
		if (err) {
			tcp_stop(tcp);
			return err;
		}
	}
	return 0;
}

void
tcp_stop(struct tcp *tcp)
{
	for (unsigned k = 0; k < tcp->n_threads; k++)
		if (tcp->threads[k].thread.started)
			uv_async_send(&tcp->threads[k].stop);
	for (unsigned k = 0; k < tcp->n_threads; k++) {
		struct tcp_thread *t = &tcp->threads[k];
		if (!t->thread.started)
			continue;
		thread_join(&t->thread);
		uv_loop_close(&t->loop);
	}
}

/* -------- figures -------- */

unsigned
tcp_thread_count(const struct tcp *tcp)
{
	return tcp->n_threads;
}

const struct counters *
tcp_thread_counters(const struct tcp *tcp, unsigned i)
{
	return &tcp->threads[i].counters;
}

const struct counters *
tcp_thread_tls_counters(const struct tcp *tcp, unsigned i)
{
	return &tcp->threads[i].tls_counters;
}

void
tcp_stats(const struct tcp *tcp, struct tcp_stats *out)
{
	*out = (struct tcp_stats){.connections = tcp_sources_count(tcp->sources)};
	for (unsigned k = 0; k < tcp->n_threads; k++) {
		const struct tcp_stats *s = &tcp->threads[k].stats;
		out->accepted += counter_read(&s->accepted);
		out->refused_source += counter_read(&s->refused_source);
		out->refused_full += counter_read(&s->refused_full);
		out->closed_idle += counter_read(&s->closed_idle);
		out->closed_slow += counter_read(&s->closed_slow);
		out->tls_failed += counter_read(&s->tls_failed);
	}
}

uint16_t
tcp_port(const struct tcp *tcp, unsigned i)
{
	const struct config_address *a = &tcp->listen[i];
	return ntohs(a->any.sa_family == AF_INET6 ? a->v6.sin6_port : a->v4.sin_port);
}
