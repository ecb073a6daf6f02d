/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside control/tcp*.c.
 *
 *     tcp.c       sockets, threads, start and stop
 *     tcp_conn.c  connections: messages in, answers out, time
 *
 * A struct tcp_thread and its connections belong to that thread; others read its counters and stats only.
 */
#ifndef ANSER_CONTROL_TCP_PRIVATE_H
#define ANSER_CONTROL_TCP_PRIVATE_H

#include <uv.h>

#include "control/tcp.h"
#include "control/tcp_sources.h"
#include "control/thread.h"
#include "zones/answer/engine.h"

#define TCP_MESSAGE_MAX 65535
#define TCP_READ_CAP 65536
#define TCP_QUEUED_MAX_BYTES (64u << 20) /* unsent answers of one thread's clients together */
#define TCP_DRAIN_MS 2000

struct tcp_conn {
	uv_tcp_t handle;
	struct tcp_thread *thread;
	struct tcp_conn *older, *newer; /* in the thread's list by last activity */
	uint64_t active_ms;             /* the last whole message, or taking of answers */
	struct tcp_source *source;
	struct engine_client client;
	uint8_t *in; /* octets read and not answered: a message's beginning, or what waits while paused */
	uint32_t in_len, in_cap;
	size_t queued_bytes; /* unsent answers when last looked at */
	bool is_paused;      /* answers wait to be sent: nothing is read meanwhile */
};

struct tcp_listener {
	uv_tcp_t handle;
	struct tcp_thread *thread;
	int fd; /* until the loop has it; then -1 */
};

struct tcp_thread {
	struct counters counters;
	struct tcp_stats stats; /* connections excepted; written with counter_add() */
	struct tcp *tcp;
	struct thread thread;
	uv_loop_t loop;
	uv_async_t stop;
	uv_timer_t timer;
	uint64_t drain_until_ms; /* 0: not draining */
	struct tcp_listener *listeners;
	struct tcp_conn *oldest, *newest;
	struct tcp_conn *spare; /* made ahead: accepting must not fail for want of memory */
	bool client_waits;      /* it did all the same */
	uint64_t queued_bytes;
	uint8_t *read_buffer; /* TCP_READ_CAP */
	uint8_t *work;        /* ENGINE_GROUP messages of TCP_MESSAGE_MAX */
};

struct tcp {
	const struct zone_root *root;
	struct tcp_sources *sources;
	uint64_t idle_timeout_ms;
	unsigned n_listen, n_threads;
	struct config_address *listen; /* with the ports really bound */
	struct tcp_thread *threads;
};

/* uv_listen()'s callback. */
void tcp_conn_accept(uv_stream_t *listener, int status);

/* Closes what has been silent too long; called by the thread's timer. */
void tcp_conn_expire(struct tcp_thread *t);

/* Closes those that have nothing left to send; the others follow when they have sent it. */
void tcp_conn_drain(struct tcp_thread *t);

/* Closes all, now. */
void tcp_conn_close_all(struct tcp_thread *t);

/* A connection's memory, for thread->spare. NULL: out of memory. */
struct tcp_conn *tcp_conn_new(void) MUST_CHECK;

#endif
