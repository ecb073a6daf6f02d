/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside control/tcp*.c.
 *
 *     tcp.c       sockets, threads, start and stop
 *     tcp_conn.c  connections: messages in, answers out, time
 *     tcp_exchange.c  messages that control answers: there, back, streams
 *     tcp_tls.c   TLS between socket and messages
 *
 * A struct tcp_thread and its connections belong to that thread; others read its counters and stats only.
 */
#ifndef ANSER_CONTROL_TCP_PRIVATE_H
#define ANSER_CONTROL_TCP_PRIVATE_H

#include <pthread.h>
#include <uv.h>

#include "control/base/thread.h"
#include "control/net/inquiries.h"
#include "control/net/tcp.h"
#include "control/net/tcp_sources.h"
#include "control/net/tls.h"
#include "zones/answer/engine.h"

#define TCP_MESSAGE_MAX 65535
#define TCP_READ_CAP 65536
#define TCP_PLAIN_CAP (TCP_READ_CAP + 32768) /* what was read, and a record that was begun before */
#define TCP_QUEUED_MAX_BYTES (64u << 20)     /* unsent answers of one thread's clients together */
#define TCP_DRAIN_MS 2000

struct tcp_conn {
	uv_tcp_t handle;
	struct tcp_thread *thread;
	struct tcp_conn *older, *newer; /* in the thread's list by last activity */
	uint64_t active_ms;             /* the last whole message, or taking of answers */
	struct tcp_source *source;
	struct engine_client client;
	struct counters *counters; /* the thread's, by transport */
	struct tls_session *tls;   /* NULL: plain TCP */
	uint8_t *in; /* octets read and not answered: a message's beginning, or what waits while paused */
	uint32_t in_len, in_cap;
	size_t queued_bytes; /* unsent answers when last looked at */
	unsigned n_writes;   /* pieces of answers that wait to be sent: nothing is read meanwhile */
	/* What control answers, in the order of asking: it has the first, or that one is a stream. Nothing is read
	 * meanwhile. */
	struct tcp_exchange *exchanges, **exchanges_end;
	struct tcp_conn *stream_before, *stream_after; /* in the thread's list of streams that can go on */
	bool is_streaming;                             /* is in that list */
};

static inline bool
tcp_conn_is_held(const struct tcp_conn *c)
{
	return c->n_writes > 0 || c->exchanges;
}

struct tcp_listener {
	uv_tcp_t handle;
	struct tcp_thread *thread;
	int fd; /* until the loop has it; then -1 */
	bool is_tls;
};

struct tcp_thread {
	struct counters counters, tls_counters;
	struct tcp_stats stats; /* connections excepted; written with counter_add() */
	struct tcp *tcp;
	struct thread thread;
	uv_loop_t loop;
	uv_async_t stop;
	uv_timer_t timer;
	uint64_t drain_until_ms; /* 0: not draining */
	struct tcp_listener *listeners;
	struct tcp_conn *oldest, *newest;
	struct tcp_conn *spare;      /* made ahead: accepting must not fail for want of memory */
	bool client_waits;           /* it did all the same */
	uint64_t queued_bytes;       /* unsent answers, and messages that control has or will get */
	struct tcp_returns *returns; /* what control has ended */
	uv_async_t returned;
	uv_idle_t pump;           /* runs while there are streams that can go on */
	struct tcp_conn *streams; /* those */
	uint8_t *read_buffer;     /* TCP_READ_CAP */
	uint8_t *plain;           /* TCP_PLAIN_CAP; NULL without TLS */
	uint8_t *work;            /* ENGINE_GROUP messages of TCP_MESSAGE_MAX */
};

struct tcp {
	const struct zone_root *root;
	struct tcp_sources *sources;
	struct inquiries *inquiries; /* NULL: nothing is control's */
	uint64_t idle_timeout_ms;
	pthread_mutex_t tls_mutex;
	struct tls_server *tls; /* for the next session, under the mutex; NULL: no TLS */
	int64_t tls_end_s;      /* of its certificate; atomic */
	unsigned n_listen, n_threads;
	unsigned n_plain;              /* of the listening addresses, and the first of them */
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

/* -------- tcp_conn.c, for tcp_exchange.c -------- */

/*
 * Sends octets, at once or when the socket takes them; the copy that this takes counts against the thread's bound.
 * False: the connection is of no more use.
 */
bool tcp_conn_write(struct tcp_conn *c, const uv_buf_t *bufs, unsigned n_bufs, size_t total) MUST_CHECK;

/* The same without TLS in between. */
bool tcp_conn_write_socket(struct tcp_conn *c, const uv_buf_t *bufs, unsigned n_bufs, size_t total) MUST_CHECK;

/* Goes on with what waited while the connection was held. */
void tcp_conn_resume(struct tcp_conn *c);

void tcp_conn_touch(struct tcp_conn *c);
void tcp_conn_close(struct tcp_conn *c);

/* -------- tcp_exchange.c -------- */

/* The thread's part of it: 0 or -errno; with the loop, which then has to be told to close the handles. */
int tcp_exchange_open(struct tcp_thread *t) MUST_CHECK;
int tcp_exchange_begin(struct tcp_thread *t) MUST_CHECK;
void tcp_exchange_close_handles(struct tcp_thread *t);
void tcp_exchange_close(struct tcp_thread *t);

/* Queues a punted message of the connection. False: there is no room, and the message is counted as dropped. */
bool tcp_exchange_add(struct tcp_conn *c, const struct engine_message *m) MUST_CHECK;

/* Is control to answer next, that is: is its answer waited for? */
bool tcp_exchange_is_asked(const struct tcp_conn *c);

/* All that was written has gone out: a stream goes on. */
void tcp_exchange_drained(struct tcp_conn *c);

/* The connection ends: what is control's goes back to nobody, and is counted as dropped. */
void tcp_exchange_abandon(struct tcp_conn *c);

/* The thread stops: nothing more comes from control. Streams go on. */
void tcp_exchange_stop(struct tcp_thread *t);

/* -------- tcp_tls.c -------- */

/* Begins TLS with the certificate of the hour. False: out of memory. */
bool tcp_tls_begin(struct tcp_conn *c) MUST_CHECK;

/*
 * Turns all that was read into plaintext, which lies in the thread's buffer, and sends what TLS has to answer.
 * NULL: the connection is of no more use.
 */
const uint8_t *tcp_tls_read(struct tcp_conn *c, const uint8_t *data, size_t len, size_t *plain_len) MUST_CHECK;

/* tcp_conn_write(), through TLS. */
bool tcp_tls_write(struct tcp_conn *c, const uv_buf_t *bufs, unsigned n_bufs) MUST_CHECK;

/* Says goodbye. */
void tcp_tls_end(struct tcp_conn *c);

/* -------- */

/* A connection's memory, for thread->spare. NULL: out of memory. */
struct tcp_conn *tcp_conn_new(void) MUST_CHECK;

#endif
