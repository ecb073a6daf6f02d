/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Streams of messages to other servers. See stream.h. Lives on the thread of its loop.
 *
 * What the peer sends is read into one buffer, and messages are handed out from where they lie in it. The buffer is
 * as long as a whole message and one large read, so there is always room for the rest of a message. While the owner
 * pauses, what has been read stays in the buffer and nothing more is read.
 *
 * With TLS, what is read goes into a second buffer and from there, as plaintext, into the first one. The stream is
 * connecting until the handshake is over.
 *
 * Nobody is called from inside a call of theirs: what has to be told at once is told by the timer `soon`.
 */
#include "control/net/stream.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/net/tls.h"
#include "zones/base/bytes.h"

#define MESSAGE_MAX 65535
#define FRAME_LEN 2
#define READ_MIN 65536 /* room for at least so much whenever something is read */
#define IN_CAP (FRAME_LEN + MESSAGE_MAX + READ_MIN)
#define CIPHER_CAP 65536
#define WHY_MAX 256

enum stream_state {
	STREAM_CONNECTING, /* TLS included */
	STREAM_STANDING,   /* `connected` was called */
	STREAM_ENDING,     /* for a reason that `closed` has still to tell */
	STREAM_ENDED,      /* told */
	STREAM_CLOSED,     /* by the owner, who knows it no more */
};

struct stream {
	uv_tcp_t tcp;
	uv_timer_t clock; /* connecting, then idling */
	uv_timer_t soon;
	unsigned open_handles;
	uv_connect_t connect;
	struct stream_options options;
	struct stream_events events;
	enum stream_state state;
	bool is_paused, is_reading, is_corked;
	uint64_t heard_ms; /* the last octet, or the end of a pause */
	int write_err;     /* the first failure of a write; what came before it is still read */
	int end_err;
	struct stream_write *first_waiting, **next_waiting; /* until the connection stands, or is uncorked */
	struct tls_session *tls;                            /* once TCP stands; NULL without TLS */
	uint8_t *cipher;                                    /* CIPHER_CAP, with tls */
	const uint8_t *cipher_at;
	size_t cipher_len;     /* read, and not turned into plaintext: while paused */
	size_t in_from, in_to; /* read, and not handed out */
	char why[WHY_MAX];
	uint8_t in[IN_CAP];
};

struct stream_write {
	uv_write_t req;
	struct stream *s;
	struct stream_write *next;
	uint8_t *block; /* to be sent, and freed; NULL: data is */
	size_t len;
	uint8_t data[];
};

/* -------- the end -------- */

static void
handle_closed(uv_handle_t *h)
{
	struct stream *s = h->data;
	if (--s->open_handles || s->state != STREAM_CLOSED)
		return;
	for (struct stream_write *w = s->first_waiting, *next; w; w = next) {
		next = w->next;
		free(w);
	}
	tls_session_free(s->tls);
	free(s->cipher);
	free(s);
}

static void
handle_close(uv_handle_t *h)
{
	if (!uv_is_closing(h))
		uv_close(h, handle_closed);
}

static void stream_end(struct stream *s, int err, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* The stream is over; the owner hears of it from the loop. */
static void
stream_end(struct stream *s, int err, const char *fmt, ...)
{
	if (s->state >= STREAM_ENDING)
		return;
	va_list args;
	va_start(args, fmt);
	vsnprintf(s->why, sizeof(s->why), fmt, args);
	va_end(args);
	s->state = STREAM_ENDING;
	s->end_err = err;
	s->is_reading = false;
	handle_close((uv_handle_t *)&s->tcp);
	handle_close((uv_handle_t *)&s->clock);
}

/* To be called at the end of every callback of the loop that may have ended the stream. */
static void
tell_end(struct stream *s)
{
	if (s->state != STREAM_ENDING)
		return;
	s->state = STREAM_ENDED;
	s->events.closed(s->events.arg, s->end_err, s->why);
}

static bool
is_over(const struct stream *s)
{
	return s->state >= STREAM_ENDING;
}

static void soon(uv_timer_t *t);

/* -------- time -------- */

static void
clock_ran_out(uv_timer_t *t)
{
	struct stream *s = t->data;
	if (s->state == STREAM_CONNECTING) {
		stream_end(s, -ETIMEDOUT, "no connection within %llu ms",
			   (unsigned long long)s->options.connect_ms);
	} else {
		uint64_t silent_ms = uv_now(t->loop) - s->heard_ms;
		if (silent_ms < s->options.idle_ms)
			uv_timer_start(t, clock_ran_out, s->options.idle_ms - silent_ms, 0);
		else
			stream_end(s, -ETIMEDOUT, "silent for %llu ms", (unsigned long long)silent_ms);
	}
	tell_end(s);
}

static void
begin_idling(struct stream *s)
{
	s->heard_ms = uv_now(s->tcp.loop);
	if (s->options.idle_ms)
		uv_timer_start(&s->clock, clock_ran_out, s->options.idle_ms, 0);
}

/* -------- in -------- */

/* Hands out what is whole, as long as the owner takes it. */
static void
hand_out(struct stream *s)
{
	while (s->state == STREAM_STANDING && !s->is_paused && s->in_to - s->in_from >= FRAME_LEN) {
		const uint8_t *frame = s->in + s->in_from;
		size_t len = load_be16(frame);
		if (s->in_to - s->in_from - FRAME_LEN < len)
			break;
		s->in_from += FRAME_LEN + len;
		s->events.message(s->events.arg, frame + FRAME_LEN, len);
	}
}

/* What was not handed out is less than a message, so there is room behind it. */
static void
make_room(struct stream *s)
{
	if (s->in_from == s->in_to) {
		s->in_from = s->in_to = 0;
	} else if (IN_CAP - s->in_to < READ_MIN) {
		memmove(s->in, s->in + s->in_from, s->in_to - s->in_from);
		s->in_to -= s->in_from;
		s->in_from = 0;
	}
}

static void
read_alloc(uv_handle_t *h, size_t suggested, uv_buf_t *buf)
{
	struct stream *s = h->data;
	if (s->tls) {
		*buf = uv_buf_init((char *)s->cipher, CIPHER_CAP); /* all of it was used up, or we would not read */
		return;
	}
	make_room(s);
	*buf = uv_buf_init((char *)s->in + s->in_to, (unsigned)(IN_CAP - s->in_to));
}

/* A write that failed is the better reason: after it, reading may see no more than an end. */
static void
end_of_reading(struct stream *s, int err)
{
	if (err == UV_EOF && s->write_err)
		err = s->write_err;
	if (err != UV_EOF)
		stream_end(s, err, "%s", uv_strerror(err));
	else if (s->state == STREAM_CONNECTING)
		stream_end(s, -EPROTO, "closed by the peer in the TLS handshake");
	else if (s->in_from != s->in_to)
		stream_end(s, -EPROTO, "closed by the peer inside a message");
	else
		stream_end(s, 0, "closed by the peer");
}

static void stands(struct stream *s);
static void send_records(struct stream *s);

/* Turns what was read into plaintext and hands it out, as far as the owner takes it. */
static void
decrypt(struct stream *s)
{
	ssize_t n = 1;
	while (n > 0 && !is_over(s) && !(s->is_paused && s->state == STREAM_STANDING)) {
		make_room(s);
		n = tls_session_read(s->tls, &s->cipher_at, &s->cipher_len, s->in + s->in_to, IN_CAP - s->in_to);
		send_records(s);
		s->in_to += n > 0 ? (size_t)n : 0;
		if (s->state == STREAM_CONNECTING && tls_session_is_established(s->tls))
			stands(s);
		hand_out(s);
	}
	if (n < 0)
		stream_end(s, (int)n, "%s", tls_session_error(s->tls));
	else if (n == 0 && tls_session_is_ended(s->tls))
		end_of_reading(s, UV_EOF);
}

static void
read_done(uv_stream_t *tcp, ssize_t n, const uv_buf_t *buf)
{
	struct stream *s = tcp->data;
	s->heard_ms = n > 0 ? uv_now(tcp->loop) : s->heard_ms;
	if (n > 0 && s->tls) {
		s->cipher_at = s->cipher;
		s->cipher_len = (size_t)n;
		decrypt(s);
	} else if (n > 0) {
		s->in_to += (size_t)n;
		hand_out(s);
	} else if (n < 0) {
		end_of_reading(s, (int)n);
	}
	tell_end(s);
}

static void
begin_reading(struct stream *s)
{
	if (s->is_reading)
		return;
	int rc = uv_read_start((uv_stream_t *)&s->tcp, read_alloc, read_done);
	if (rc != 0)
		stream_end(s, rc, "%s", uv_strerror(rc));
	else
		s->is_reading = true;
}

/* Nothing is read, and no time runs, while the owner pauses. */
static void
hold_reading(struct stream *s)
{
	uv_timer_stop(&s->clock);
	uv_read_stop((uv_stream_t *)&s->tcp);
	s->is_reading = false;
}

/* -------- out -------- */

static void
write_done(uv_write_t *req, int status)
{
	struct stream_write *w = (struct stream_write *)req;
	if (status < 0 && !w->s->write_err)
		w->s->write_err = status;
	free(w->block);
	free(w);
}

/* Consumes w. Whatever fails is found by reading, which ends the stream. */
static void
write_octets(struct stream *s, struct stream_write *w)
{
	uv_buf_t buf = uv_buf_init((char *)(w->block ? w->block : w->data), (unsigned)w->len);
	int rc = uv_write(&w->req, (uv_stream_t *)&s->tcp, &buf, 1, write_done);
	if (rc != 0)
		write_done(&w->req, rc);
}

static struct stream_write *
write_new(struct stream *s, size_t room)
{
	struct stream_write *w = malloc(sizeof(*w) + room);
	if (w)
		*w = (struct stream_write){.s = s, .len = room};
	return w;
}

static void
out_of_memory(struct stream *s)
{
	stream_end(s, -ENOMEM, "out of memory");
	uv_timer_start(&s->soon, soon, 0, 0);
}

/* Sends whatever TLS has to say. */
static void
send_records(struct stream *s)
{
	size_t len;
	uint8_t *block = tls_session_take(s->tls, &len);
	if (!block)
		return;
	struct stream_write *w = write_new(s, 0);
	if (!w) {
		free(block);
		out_of_memory(s);
		return;
	}
	w->block = block;
	w->len = len;
	write_octets(s, w);
}

/* Consumes w: frames. */
static void
send_frame(struct stream *s, struct stream_write *w)
{
	if (!s->tls) {
		write_octets(s, w);
		return;
	}
	int rc = tls_session_write(s->tls, w->data, w->len);
	free(w);
	if (rc == 0)
		send_records(s);
	else if (rc == -ENOMEM) /* other failures are found by reading, too */
		out_of_memory(s);
}

/* All frames that wait as one; NULL: there are not several, or no memory. */
static struct stream_write *
join_waiting(struct stream *s)
{
	size_t len = 0;
	struct stream_write *w = s->first_waiting, *next, *all;
	for (; w; w = w->next)
		len += w->len;
	all = s->first_waiting && s->first_waiting->next ? write_new(s, len) : NULL;
	if (!all)
		return NULL;
	len = 0;
	for (w = s->first_waiting; w; w = next) {
		next = w->next;
		memcpy(all->data + len, w->data, w->len);
		len += w->len;
		free(w);
	}
	return all;
}

static void
send_waiting(struct stream *s)
{
	struct stream_write *w = join_waiting(s), *next;
	if (!w)
		w = s->first_waiting;
	s->first_waiting = NULL;
	s->next_waiting = &s->first_waiting;
	for (; w; w = next) {
		next = w->next;
		send_frame(s, w);
	}
}

void
stream_cork(struct stream *s)
{
	s->is_corked = true;
}

void
stream_uncork(struct stream *s)
{
	s->is_corked = false;
	if (s->state == STREAM_STANDING)
		send_waiting(s);
}

int
stream_send(struct stream *s, const uint8_t *msg, size_t len)
{
	assert(len <= MESSAGE_MAX && s->state != STREAM_CLOSED);
	if (is_over(s))
		return 0;
	struct stream_write *w = write_new(s, FRAME_LEN + len);
	if (!w)
		return -ENOMEM;
	store_be16(w->data, (uint16_t)len);
	memcpy(w->data + FRAME_LEN, msg, len);
	if (s->state == STREAM_CONNECTING || s->is_corked) {
		*s->next_waiting = w;
		s->next_waiting = &w->next;
	} else {
		send_frame(s, w);
	}
	return 0;
}

/* -------- the beginning -------- */

static void
stands(struct stream *s)
{
	s->state = STREAM_STANDING;
	begin_idling(s);
	if (!s->is_corked)
		send_waiting(s);
	s->events.connected(s->events.arg);
	if (s->state != STREAM_STANDING)
		return;
	if (s->is_paused)
		hold_reading(s);
	else
		begin_reading(s);
}

static void
begin_tls(struct stream *s)
{
	s->cipher = malloc(CIPHER_CAP);
	if (!s->cipher || tls_session_connect(s->options.tls, &s->tls) != 0) {
		stream_end(s, -ENOMEM, "out of memory");
		return;
	}
	send_records(s);
	begin_reading(s);
}

static void
connect_done(uv_connect_t *req, int status)
{
	struct stream *s = req->data;
	if (is_over(s)) /* and the handle is being closed: ECANCELED */
		return;
	if (status < 0)
		stream_end(s, status, "%s", uv_strerror(status));
	else if (s->options.tls)
		begin_tls(s);
	else
		stands(s);
	tell_end(s);
}

/* What could not be told, or done, from inside a call. */
static void
soon(uv_timer_t *t)
{
	struct stream *s = t->data;
	if (s->state == STREAM_STANDING) {
		hand_out(s);
		if (s->tls)
			decrypt(s);
		if (s->state == STREAM_STANDING && !s->is_paused)
			begin_reading(s);
	}
	tell_end(s);
}

static int
stream_init(struct stream *s, uv_loop_t *loop)
{
	int rc = uv_tcp_init_ex(loop, &s->tcp, s->options.address.any.sa_family);
	if (rc != 0)
		return rc;
	uv_timer_init(loop, &s->clock);
	uv_timer_init(loop, &s->soon);
	s->tcp.data = s->clock.data = s->soon.data = s->connect.data = s;
	s->open_handles = 3;
	return 0;
}

int
stream_open(uv_loop_t *loop, const struct stream_options *options, const struct stream_events *events,
	    struct stream **out)
{
	struct stream *s = malloc(sizeof(*s));
	if (!s)
		return -ENOMEM;
	memset(s, 0, offsetof(struct stream, in));
	s->options = *options;
	s->events = *events;
	s->next_waiting = &s->first_waiting;
	int rc = stream_init(s, loop);
	if (rc != 0) {
		free(s);
		return rc;
	}
	uv_tcp_nodelay(&s->tcp, 1);
	uv_timer_start(&s->clock, clock_ran_out, options->connect_ms, 0);
	rc = uv_tcp_connect(&s->connect, &s->tcp, &s->options.address.any, connect_done);
	if (rc != 0) { /* such as no route: an end like any other */
		stream_end(s, rc, "%s", uv_strerror(rc));
		uv_timer_start(&s->soon, soon, 0, 0);
	}
	*out = s;
	return 0;
}

void
stream_pause(struct stream *s)
{
	s->is_paused = true;
	if (s->state == STREAM_STANDING)
		hold_reading(s);
}

void
stream_resume(struct stream *s)
{
	s->is_paused = false;
	if (s->state != STREAM_STANDING)
		return;
	begin_idling(s);
	uv_timer_start(&s->soon, soon, 0, 0);
}

/* The peer may then tell our end from an attacker's. If the socket is full, it is not worth waiting for. */
static void
say_goodbye(struct stream *s)
{
	size_t len;
	tls_session_end(s->tls);
	uint8_t *block = tls_session_take(s->tls, &len);
	if (!block)
		return;
	uv_buf_t buf = uv_buf_init((char *)block, (unsigned)len);
	uv_try_write((uv_stream_t *)&s->tcp, &buf, 1);
	free(block);
}

void
stream_close(struct stream *s)
{
	if (!s)
		return;
	if (s->tls && !is_over(s))
		say_goodbye(s);
	s->state = STREAM_CLOSED;
	handle_close((uv_handle_t *)&s->tcp);
	handle_close((uv_handle_t *)&s->clock);
	handle_close((uv_handle_t *)&s->soon);
}
