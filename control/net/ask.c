/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Questions to other servers. See ask.h.
 *
 *     WAITING → UDP ⇄ next try → (TC) STREAM → ENDED
 *         └──────────┴───────────────┴─ cancelled, or of no use: ENDING → ENDED
 *
 * A question is in one of two lists, waiting for a place or open, until it has ENDED; then it is in none and only
 * its handles are still to be closed. done() is called in question_end() alone, which runs from the loop: whoever
 * finds out inside a call of the user's that it is over goes by ENDING, a timer of no time. Control thread.
 */
#include "control/net/ask.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "control/net/stream.h"
#include "control/net/tls.h"
#include "zones/base/bytes.h"
#include "zones/wire/message.h"

#define ASK_OPEN_MAX 512       /* sockets at a time; what comes beyond waits */
#define ASK_UDP_MAX 1232       /* octets of a message that goes by UDP: never in fragments */
#define ASK_TRY_MAX_MS 3600000 /* a try's time is not doubled beyond this */

enum ask_phase { ASK_WAITING, ASK_UDP, ASK_STREAM, ASK_ENDING, ASK_ENDED };

struct ask_list {
	struct ask *first, *last;
};

struct asks {
	uv_loop_t *loop;
	struct ask_list waiting, open;
	unsigned n_open;
	size_t n_live; /* questions whose memory is not given back yet */
	bool is_stopped;
	uint8_t reply[MESSAGE_MAX_LEN]; /* the one at hand */
};

struct ask {
	struct asks *asks;
	struct ask_list *list; /* that it is in */
	struct ask *prev, *next;
	enum ask_phase phase;
	ask_done_fn *done;
	void *arg;
	const struct tsig_key *key;
	const struct tls_client *tls;
	struct config_address address;
	unsigned tries_left;
	uint64_t try_ms, stream_ms;
	int err; /* what to tell when no reply comes */
	char why[ASK_WHY_MAX];
	unsigned n_handles; /* not closed yet */
	bool has_udp;
	uv_timer_t timer;
	uv_udp_t udp;
	struct stream *stream;
	struct tsig_mac mac;
	size_t len, cap;
	uint8_t msg[];
};

static void asks_open_next(struct asks *a);

/* -------- lists -------- */

static void
list_append(struct ask_list *list, struct ask *q)
{
	q->list = list;
	q->next = NULL;
	q->prev = list->last;
	*(list->last ? &list->last->next : &list->first) = q;
	list->last = q;
}

static void
list_remove(struct ask *q)
{
	*(q->prev ? &q->prev->next : &q->list->first) = q->next;
	*(q->next ? &q->next->prev : &q->list->last) = q->prev;
	q->list = NULL;
}

/* -------- the end -------- */

static void
handle_closed(uv_handle_t *h)
{
	struct ask *q = h->data;
	if (--q->n_handles > 0)
		return;
	q->asks->n_live--;
	tsig_key_release(q->key);
	tls_client_free(q->tls);
	free(q);
}

static void
question_close_sockets(struct ask *q)
{
	stream_close(q->stream);
	q->stream = NULL;
	if (q->has_udp)
		uv_close((uv_handle_t *)&q->udp, handle_closed);
	q->has_udp = false;
}

/* How much a reason for failure tells: what is proven more than what anybody may claim, that more than silence. */
static int
reason_rank(int err)
{
	return err == -ETIMEDOUT ? 0 : err == -EKEYREJECTED || err == -ENOMEM ? 2 : 1;
}

/* Notes why there may be no reply, unless a better reason is known. */
PRINTF_LIKE(3, 4)
static void
question_note(struct ask *q, int err, const char *fmt, ...)
{
	if (reason_rank(err) < reason_rank(q->err))
		return;
	va_list args;
	va_start(args, fmt);
	vsnprintf(q->why, sizeof(q->why), fmt, args);
	va_end(args);
	q->err = err;
}

/* From the loop only. With err 0, msg is the reply. The question is freed when its handles are closed. */
static void
question_end(struct ask *q, int err, const uint8_t *msg, size_t len)
{
	struct asks *a = q->asks;
	struct ask_result result = {.err = err, .msg = msg, .len = len};
	if (err != 0)
		memcpy(result.why, q->why, sizeof(result.why));
	if (q->list == &a->open)
		a->n_open--;
	list_remove(q);
	q->phase = ASK_ENDED;
	question_close_sockets(q);
	uv_close((uv_handle_t *)&q->timer, handle_closed);
	q->done(q->arg, &result);
	asks_open_next(a);
}

static void
ending_told(uv_timer_t *timer)
{
	struct ask *q = timer->data;
	question_end(q, q->err, NULL, 0);
}

/* From anywhere: it is over with q->err and q->why, which the loop will tell. */
static void
question_end_soon(struct ask *q)
{
	q->phase = ASK_ENDING;
	question_close_sockets(q);
	/* libuv refuses only handles that are closing. */
	uv_timer_start(&q->timer, ending_told, 0, 0);
}

/* -------- replies -------- */

/* The same question? Errors and what is no query may come without one (RFC 2136 section 3.8). */
static bool
question_is_same(struct message_reader *ours, struct message_reader *theirs)
{
	struct message_question asked, echoed;
	if (theirs->count[MESSAGE_QUESTION] == 0)
		return message_rcode(theirs) != RCODE_NOERROR || message_opcode(theirs) != OPCODE_QUERY ||
		       ours->count[MESSAGE_QUESTION] == 0;
	return ours->count[MESSAGE_QUESTION] == 1 && theirs->count[MESSAGE_QUESTION] == 1 &&
	       message_next_question(ours, &asked) == MESSAGE_OK &&
	       message_next_question(theirs, &echoed) == MESSAGE_OK && asked.type == echoed.type &&
	       asked.rrclass == echoed.rrclass && name_equal(asked.name, echoed.name);
}

static bool
reply_fits(const struct ask *q, const uint8_t *msg, size_t len)
{
	struct message_reader ours, theirs;
	return message_open(&ours, q->msg, q->len) == MESSAGE_OK && message_open(&theirs, msg, len) == MESSAGE_OK &&
	       theirs.id == ours.id && (theirs.flags & FLAG_QR) &&
	       message_opcode(&theirs) == message_opcode(&ours) && question_is_same(&ours, &theirs);
}

/* Verifies the reply and takes its TSIG off. False: not good, and why is noted. */
static bool
reply_verify(struct ask *q, uint8_t *msg, size_t *len)
{
	struct tsig_verdict verdict;
	char text[TSIG_TEXT_MAX];
	if (!q->key)
		return true;
	enum tsig_status status = tsig_verify_reply(q->key, &q->mac, msg, *len, (uint64_t)time(NULL), &verdict);
	if (status == TSIG_GOOD) {
		*len = tsig_strip(msg, &verdict);
		return true;
	}
	question_note(q, status == TSIG_NO_MEMORY ? -ENOMEM : -EKEYREJECTED, "%.200s",
		      tsig_verdict_text(&verdict, text));
	return false;
}

static void question_open_stream(struct ask *q);

/* Judges what came in, in asks->reply; what does not fit is nobody's. */
static void
reply_take(struct ask *q, size_t len)
{
	uint8_t *msg = q->asks->reply;
	if (!reply_fits(q, msg, len))
		return;
	if (!reply_verify(q, msg, &len)) {
		if (q->phase == ASK_STREAM) /* nothing better can come (RFC 8945 section 5.4) */
			question_end(q, q->err, NULL, 0);
		return;
	}
	if (q->phase == ASK_UDP && load_be16(msg + 2) & FLAG_TC)
		question_open_stream(q);
	else
		question_end(q, 0, msg, len);
}

/* -------- over a stream -------- */

static void
stream_stands(void *arg)
{
	/* The message waits in the stream already. */
}

static void
stream_came(void *arg, const uint8_t *msg, size_t len)
{
	struct ask *q = arg;
	if (len > sizeof(q->asks->reply))
		return;
	memcpy(q->asks->reply, msg, len);
	reply_take(q, len);
}

static void
stream_over(void *arg, int err, const char *why)
{
	struct ask *q = arg;
	if (err == 0) {
		err = -ECONNRESET;
		why = "the connection was closed without a reply";
	}
	snprintf(q->why, sizeof(q->why), "%s", why);
	question_end(q, err, NULL, 0);
}

static void
stream_late(uv_timer_t *timer)
{
	struct ask *q = timer->data;
	question_note(q, -ETIMEDOUT, "no reply over %s in %llu ms", q->tls ? "TLS" : "TCP",
		      (unsigned long long)q->stream_ms);
	question_end(q, q->err, NULL, 0);
}

/* One try over TCP or TLS, which has as much time as all tries over UDP. */
static void
question_open_stream(struct ask *q)
{
	struct stream_options options = {
		.address = q->address, .tls = q->tls, .connect_ms = q->stream_ms, .idle_ms = q->stream_ms};
	struct stream_events events = {
		.connected = stream_stands, .message = stream_came, .closed = stream_over, .arg = q};
	question_close_sockets(q);
	q->phase = ASK_STREAM;
	q->err = -ETIMEDOUT; /* what was noted was about UDP */
	int err = stream_open(q->asks->loop, &options, &events, &q->stream);
	if (err == 0)
		err = stream_send(q->stream, q->msg, q->len);
	if (err == 0) {
		uv_timer_start(&q->timer, stream_late, q->stream_ms, 0);
		return;
	}
	question_note(q, err, "cannot connect: %s", strerror(-err));
	question_end_soon(q);
}

/* -------- over UDP -------- */

static void
udp_alloc(uv_handle_t *h, size_t suggested, uv_buf_t *buf)
{
	struct ask *q = h->data;
	*buf = uv_buf_init((char *)q->asks->reply, sizeof(q->asks->reply));
}

static void
udp_came(uv_udp_t *udp, ssize_t n, const uv_buf_t *buf, const struct sockaddr *from, unsigned flags)
{
	struct ask *q = udp->data;
	/* Errors come from ICMP, which anybody can send: the try's time goes on. */
	if (n < 0)
		question_note(q, (int)n, "%s", strerror((int)-n));
	else if (from)
		reply_take(q, (size_t)n);
}

static void udp_try(struct ask *q);

static void
udp_late(uv_timer_t *timer)
{
	struct ask *q = timer->data;
	if (q->tries_left > 0)
		udp_try(q);
	else
		question_end(q, q->err, NULL, 0);
}

static void
udp_try(struct ask *q)
{
	uv_buf_t buf = uv_buf_init((char *)q->msg, (unsigned)q->len);
	int n = uv_udp_try_send(&q->udp, &buf, 1, NULL);
	if (n == -ECONNREFUSED) /* of the try before; this one has not gone out */
		n = uv_udp_try_send(&q->udp, &buf, 1, NULL);
	if (n < 0 && n != -EAGAIN)
		question_note(q, n, "cannot send: %s", strerror(-n));
	uv_timer_start(&q->timer, udp_late, q->try_ms, 0);
	q->tries_left--;
	if (q->try_ms < ASK_TRY_MAX_MS)
		q->try_ms *= 2;
}

static void
question_open_udp(struct ask *q)
{
	q->phase = ASK_UDP;
	int err = uv_udp_init(q->asks->loop, &q->udp);
	if (err == 0) {
		q->udp.data = q;
		q->has_udp = true;
		q->n_handles++;
		err = uv_udp_connect(&q->udp, &q->address.any);
	}
	if (err == 0)
		err = uv_udp_recv_start(&q->udp, udp_alloc, udp_came);
	if (err == 0) {
		udp_try(q);
		return;
	}
	question_note(q, err, "cannot open a socket: %s", strerror(-err));
	question_end_soon(q);
}

/* -------- the beginning -------- */

/* Gives the message its id and its TSIG. */
static int
question_seal(struct ask *q)
{
	uint8_t id[2];
	if (getrandom(id, sizeof(id), 0) != sizeof(id))
		return -errno;
	memcpy(q->msg, id, sizeof(id));
	if (!q->key)
		return 0;
	return tsig_sign_request(q->key, q->msg, q->len, q->cap, (uint64_t)time(NULL), &q->mac, &q->len);
}

static void
question_open(struct ask *q)
{
	struct asks *a = q->asks;
	list_remove(q);
	list_append(&a->open, q);
	a->n_open++;
	int err = question_seal(q);
	if (err != 0) {
		question_note(q, err, "cannot sign: %s", strerror(-err));
		question_end_soon(q);
	} else if (q->tls || q->len > ASK_UDP_MAX) {
		question_open_stream(q);
	} else {
		question_open_udp(q);
	}
}

/* Opens what waits, as far as there are places. Calls no done(). */
static void
asks_open_next(struct asks *a)
{
	while (a->waiting.first && a->n_open < ASK_OPEN_MAX)
		question_open(a->waiting.first);
}

static struct ask *
question_new(struct asks *a, const struct ask_request *request)
{
	size_t cap = request->len + (request->key ? tsig_key_room(request->key) : 0);
	if (cap > MESSAGE_MAX_LEN)
		cap = MESSAGE_MAX_LEN;
	struct ask *q = calloc(1, sizeof(*q) + cap);
	if (!q)
		return NULL;
	q->asks = a;
	q->key = request->key ? tsig_key_hold(request->key) : NULL;
	q->tls = tls_client_hold(request->tls);
	q->address = request->remote->address;
	q->tries_left = request->tries;
	q->try_ms = request->timeout_ms;
	uint64_t step_ms = q->try_ms;
	for (unsigned i = 0; i < request->tries && q->stream_ms < ASK_TRY_MAX_MS; i++, step_ms *= 2)
		q->stream_ms += step_ms;
	q->err = -ETIMEDOUT;
	snprintf(q->why, sizeof(q->why), "no reply (tries over UDP: %u)", request->tries);
	q->cap = cap;
	q->len = request->len;
	memcpy(q->msg, request->msg, request->len);
	return q;
}

int
ask_start(struct asks *a, const struct ask_request *request, ask_done_fn *done, void *arg, struct ask **out)
{
	assert(request->tries > 0 && request->len >= DNS_HEADER_LEN && request->len <= MESSAGE_MAX_LEN);
	struct ask *q = question_new(a, request);
	if (!q)
		return -ENOMEM;
	q->done = done;
	q->arg = arg;
	uv_timer_init(a->loop, &q->timer);
	q->timer.data = q;
	q->n_handles = 1;
	a->n_live++;
	list_append(&a->waiting, q);
	if (a->is_stopped)
		ask_cancel(q);
	else
		asks_open_next(a);
	*out = q;
	return 0;
}

void
ask_cancel(struct ask *q)
{
	if (q->phase == ASK_ENDED)
		return;
	q->err = -ECANCELED;
	snprintf(q->why, sizeof(q->why), "cancelled");
	if (q->list == &q->asks->waiting) { /* so that it is not opened meanwhile */
		list_remove(q);
		list_append(&q->asks->open, q);
		q->asks->n_open++;
	}
	question_end_soon(q);
}

/* -------- all -------- */

int
asks_new(uv_loop_t *loop, struct asks **out)
{
	struct asks *a = calloc(1, sizeof(*a));
	if (!a)
		return -ENOMEM;
	a->loop = loop;
	*out = a;
	return 0;
}

void
asks_stop(struct asks *a)
{
	a->is_stopped = true;
	while (a->waiting.first)
		ask_cancel(a->waiting.first);
	for (struct ask *q = a->open.first; q; q = q->next)
		ask_cancel(q);
}

bool
asks_are_idle(const struct asks *a)
{
	return a->n_live == 0;
}

void
asks_free(struct asks *a)
{
	assert(!a || asks_are_idle(a));
	free(a);
}
