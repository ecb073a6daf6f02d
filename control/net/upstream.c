/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections to primaries. See upstream.h.
 *
 * Questions are handed out from one place, pump(), which the `kick` timer of their primary calls from the loop; so
 * no function that callers use calls back. A primary without questions and connections is forgotten there, too.
 * Control thread.
 */
#include "control/net/upstream.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "control/net/stream.h"
#include "control/net/tls.h"
#include "zones/base/bytes.h"
#include "zones/wire/query.h"

#define CONNECTIONS_MAX 2     /* that take questions */
#define CONNECTIONS_ALL_MAX 4 /* with those that only finish what is on them */
#define IDS 128               /* drawn at a time: getrandom() gives up to 256 octets in one piece */
#define WHY_MAX 256

struct upstreams {
	uv_loop_t *loop;
	struct upstream_times times;
	struct cds_list_head all; /* struct upstream */
	struct upstream_stats stats;
	unsigned n_handles; /* that the loop still has */
	unsigned ids_left;
	uint16_t ids[IDS];
};

/* One primary. */
struct upstream {
	struct cds_list_head link;
	struct upstreams *all;
	struct config_address address;
	const struct tls_client *tls;
	struct cds_list_head waiting; /* questions, in their order */
	struct cds_list_head conns;
	unsigned n_conns, n_open; /* all, and those that take questions */
	uv_timer_t kick;
};

struct upstream_conn {
	struct cds_list_head link;
	struct upstream *upstream;
	struct stream *stream;
	struct cds_list_head questions; /* under way */
	unsigned n, n_long, n_paused;   /* of these; with long answers; that pause */
	uint64_t messages;              /* since the start, to questions that were still wanted */
	bool is_retiring;               /* takes no further questions */
	uv_timer_t keep;
};

/* By hand, since caa_container_of() casts const away, which clang does not like. */
static struct upstream_question *
question_of(struct cds_list_head *link)
{
	return (struct upstream_question *)((char *)link - offsetof(struct upstream_question, link));
}

static struct upstream_conn *
conn_of(struct cds_list_head *link)
{
	return (struct upstream_conn *)((char *)link - offsetof(struct upstream_conn, link));
}

static struct upstream *
upstream_of(struct cds_list_head *link)
{
	return (struct upstream *)((char *)link - offsetof(struct upstream, link));
}

/* -------- handing questions out -------- */

static void pump(uv_timer_t *kick);

static void
upstream_kick(struct upstream *u)
{
	if (!uv_is_active((uv_handle_t *)&u->kick))
		uv_timer_start(&u->kick, pump, 0, 0);
}

static void
question_detach(struct upstream_question *q)
{
	cds_list_del(&q->link);
	q->upstream = NULL;
	q->conn = NULL;
}

/* Tells questions that are on no other list any more, each its error; they may end any other one meanwhile. */
static void
fail_all(struct cds_list_head *failed, const char *why)
{
	while (!cds_list_empty(failed)) {
		struct upstream_question *q = question_of(failed->next);
		question_detach(q);
		q->events->failed(q->arg, q->err, why ? why : strerror(-q->err));
	}
}

static void
fail_later(struct upstream_question *q, int err, struct cds_list_head *failed)
{
	q->err = err;
	cds_list_move(&q->link, failed->prev);
}

/* -------- connections -------- */

static void
conn_freed(uv_handle_t *handle)
{
	struct upstream_conn *c = handle->data;
	c->upstream->all->n_handles--;
	c->upstream->n_conns--;
	upstream_kick(c->upstream);
	free(c);
}

static void
conn_retire(struct upstream_conn *c)
{
	if (c->is_retiring)
		return;
	c->is_retiring = true;
	c->upstream->n_open--;
}

/* There are no questions on it any more. */
static void
conn_close(struct upstream_conn *c)
{
	assert(cds_list_empty(&c->questions));
	conn_retire(c);
	stream_close(c->stream);
	c->stream = NULL;
	cds_list_del(&c->link);
	uv_close((uv_handle_t *)&c->keep, conn_freed);
}

/* A question is no longer on the connection; what to do with the question is the caller's. */
static void
conn_forget(struct upstream_conn *c, struct upstream_question *q)
{
	c->n--;
	c->n_long -= q->messages > UPSTREAM_LONG_MESSAGES;
	if (q->is_paused && --c->n_paused == 0)
		stream_resume(c->stream);
	q->is_paused = false;
}

static bool
may_ask_again(const struct upstream_conn *c, const struct upstream_question *q, int err)
{
	bool was_closed = err == 0 || err == -ECONNRESET || err == -EPIPE;
	return was_closed && q->messages == 0 && (c->messages > 0 || !q->was_asked_again);
}

static void
fail_waiting(struct upstream *u, int err, struct cds_list_head *failed)
{
	while (!cds_list_empty(&u->waiting))
		fail_later(question_of(u->waiting.next), err, failed);
}

/* Ends a connection; whoever may is asked again, before all that wait, and the others fail. */
static void
conn_fail(struct upstream_conn *c, int err, const char *reason)
{
	struct upstream *u = c->upstream;
	CDS_LIST_HEAD(failed);
	CDS_LIST_HEAD(again);
	char why[WHY_MAX];
	snprintf(why, sizeof(why), "%s", reason);
	while (!cds_list_empty(&c->questions)) {
		struct upstream_question *q = question_of(c->questions.next);
		bool may = may_ask_again(c, q, err);
		q->is_paused = false; /* there is nothing to resume */
		conn_forget(c, q);
		q->conn = NULL;
		fail_later(q, err ? err : -ECONNRESET, may ? &again : &failed);
		q->was_asked_again = true;
		u->all->stats.again += may;
	}
	cds_list_splice(&again, &u->waiting);
	if (c->messages == 0 && !cds_list_empty(&failed))
		fail_waiting(u, err ? err : -ECONNRESET, &failed);
	conn_close(c);
	upstream_kick(u);
	fail_all(&failed, why);
}

static void
on_closed(void *arg, int err, const char *why)
{
	conn_fail(arg, err, err ? why : "the primary closed the connection");
}

static void
keep_over(uv_timer_t *keep)
{
	conn_close(keep->data);
}

/* After a question has left: a connection with nothing to do is closed now, or in a while. */
static void
conn_settle(struct upstream_conn *c)
{
	if (c->n == 0 && c->is_retiring)
		conn_close(c);
	else if (c->n == 0)
		uv_timer_start(&c->keep, keep_over, c->upstream->all->times.keep_ms, 0);
	upstream_kick(c->upstream);
}

static struct upstream_question *
conn_find(const struct upstream_conn *c, uint16_t id)
{
	for (struct cds_list_head *p = c->questions.next; p != &c->questions; p = p->next) {
		if (question_of(p)->id == id)
			return question_of(p);
	}
	return NULL;
}

static void
on_message(void *arg, const uint8_t *msg, size_t len)
{
	struct upstream_conn *c = arg;
	struct upstream_question *q = len < DNS_HEADER_LEN ? NULL : conn_find(c, load_be16(msg));
	if (!q) {
		if (len < DNS_HEADER_LEN || !c->is_retiring) /* else it may be the rest of what was given up */
			conn_fail(c, -EPROTO, "the primary sent a message that answers no question");
		return;
	}
	c->messages++;
	if (++q->messages == UPSTREAM_LONG_MESSAGES + 1) {
		c->n_long++;
		upstream_kick(c->upstream);
	}
	q->events->message(q->arg, msg, len);
}

static void
on_connected(void *arg)
{
}

static int
conn_open(struct upstream *u, struct upstream_conn **out)
{
	struct upstreams *us = u->all;
	struct upstream_conn *c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	struct stream_options options = {.address = u->address,
					 .tls = u->tls,
					 .connect_ms = us->times.connect_ms,
					 .idle_ms = us->times.idle_ms};
	struct stream_events events = {
		.connected = on_connected, .message = on_message, .closed = on_closed, .arg = c};
	int err = stream_open(us->loop, &options, &events, &c->stream);
	if (err) {
		free(c);
		return err;
	}
	c->upstream = u;
	CDS_INIT_LIST_HEAD(&c->questions);
	cds_list_add_tail(&c->link, &u->conns);
	uv_timer_init(us->loop, &c->keep);
	c->keep.data = c;
	uv_timer_start(&c->keep, keep_over, us->times.keep_ms, 0);
	us->n_handles++;
	us->stats.connections++;
	u->n_conns++;
	u->n_open++;
	*out = c;
	return 0;
}

/* -------- who is asked next, and where -------- */

/* 0 and the connection for the next question, or NULL: it has to wait. */
static int
pick(struct upstream *u, struct upstream_conn **out)
{
	bool is_any_short = false;
	*out = NULL;
	for (struct cds_list_head *p = u->conns.next; p != &u->conns; p = p->next) {
		struct upstream_conn *c = conn_of(p);
		if (c->is_retiring || c->n_long > 0)
			continue;
		is_any_short = true;
		if (c->n == UPSTREAM_UNDER_WAY_MAX)
			continue;
		*out = c;
		return 0;
	}
	if (is_any_short || u->n_open == CONNECTIONS_MAX || u->n_conns >= CONNECTIONS_ALL_MAX)
		return 0;
	return conn_open(u, out);
}

/* An id that is not in use on the connection; nobody can foresee it (RFC 5452 section 9.2). */
static int
draw_id(struct upstream_conn *c, uint16_t *id)
{
	struct upstreams *us = c->upstream->all;
	do {
		if (us->ids_left == 0) {
			if (getrandom(us->ids, sizeof(us->ids), 0) != (ssize_t)sizeof(us->ids))
				return -EIO;
			us->ids_left = IDS;
		}
		*id = us->ids[--us->ids_left];
	} while (conn_find(c, *id));
	return 0;
}

static int
ask_on(struct upstream_conn *c, struct upstream_question *q)
{
	uint8_t msg[UPSTREAM_QUESTION_MAX];
	size_t len;
	int err = draw_id(c, &q->id);
	stream_cork(c->stream);
	if (!err)
		err = q->events->compose(q->arg, q->id, msg, &len);
	if (!err)
		err = stream_send(c->stream, msg, len);
	if (err)
		return err;
	cds_list_move(&q->link, c->questions.prev);
	q->conn = c;
	c->n++;
	uv_timer_stop(&c->keep);
	c->upstream->all->stats.questions++;
	return 0;
}

static void
upstream_freed(uv_handle_t *handle)
{
	struct upstream *u = handle->data;
	u->all->n_handles--;
	tls_client_free(u->tls);
	free(u);
}

static void
pump(uv_timer_t *kick)
{
	struct upstream *u = kick->data;
	CDS_LIST_HEAD(failed);
	while (!cds_list_empty(&u->waiting)) {
		struct upstream_conn *c;
		int err = pick(u, &c);
		if (err)
			fail_waiting(u, err, &failed);
		if (err || !c)
			break;
		struct upstream_question *q = question_of(u->waiting.next);
		err = ask_on(c, q);
		if (err)
			fail_later(q, err, &failed);
	}
	for (struct cds_list_head *p = u->conns.next; p != &u->conns; p = p->next)
		stream_uncork(conn_of(p)->stream);
	fail_all(&failed, NULL);
	if (u->n_conns == 0 && cds_list_empty(&u->waiting)) {
		cds_list_del(&u->link);
		uv_close((uv_handle_t *)kick, upstream_freed);
	}
}

/* -------- primaries -------- */

static bool
address_equal(const struct config_address *a, const struct config_address *b)
{
	if (a->any.sa_family != b->any.sa_family)
		return false;
	if (a->any.sa_family == AF_INET)
		return a->v4.sin_port == b->v4.sin_port && a->v4.sin_addr.s_addr == b->v4.sin_addr.s_addr;
	return a->v6.sin6_port == b->v6.sin6_port && a->v6.sin6_scope_id == b->v6.sin6_scope_id &&
	       memcmp(&a->v6.sin6_addr, &b->v6.sin6_addr, sizeof(a->v6.sin6_addr)) == 0;
}

static struct upstream *
upstream_new(struct upstreams *us, const struct config_address *address, const struct tls_client *tls)
{
	struct upstream *u = calloc(1, sizeof(*u));
	if (!u)
		return NULL;
	u->all = us;
	u->address = *address;
	u->tls = tls_client_hold(tls);
	CDS_INIT_LIST_HEAD(&u->waiting);
	CDS_INIT_LIST_HEAD(&u->conns);
	uv_timer_init(us->loop, &u->kick);
	u->kick.data = u;
	us->n_handles++;
	cds_list_add(&u->link, &us->all);
	return u;
}

/* A handful, so a list; one that was asked moves to its front. */
static struct upstream *
upstream_find(struct upstreams *us, const struct config_address *address, const struct tls_client *tls)
{
	for (struct cds_list_head *p = us->all.next; p != &us->all; p = p->next) {
		struct upstream *u = upstream_of(p);
		if (u->tls != tls || !address_equal(&u->address, address))
			continue;
		cds_list_move(&u->link, &us->all);
		return u;
	}
	return upstream_new(us, address, tls);
}

int
upstream_ask(struct upstreams *us, const struct config_address *address, const struct tls_client *tls,
	     struct upstream_question *q, const struct upstream_events *events, void *arg)
{
	struct upstream *u = upstream_find(us, address, tls);
	if (!u)
		return -ENOMEM;
	*q = (struct upstream_question){.upstream = u, .events = events, .arg = arg};
	cds_list_add_tail(&q->link, &u->waiting);
	upstream_kick(u);
	return 0;
}

void
upstream_end(struct upstream_question *q, bool is_whole)
{
	struct upstream *u = q->upstream;
	struct upstream_conn *c = q->conn;
	if (!u)
		return;
	question_detach(q);
	if (!c) {
		upstream_kick(u);
		return;
	}
	conn_forget(c, q);
	if (!is_whole)
		conn_retire(c);
	conn_settle(c);
}

void
upstream_pause(struct upstream_question *q)
{
	if (!q->conn || q->is_paused)
		return;
	q->is_paused = true;
	if (q->conn->n_paused++ == 0)
		stream_pause(q->conn->stream);
}

void
upstream_resume(struct upstream_question *q)
{
	if (!q->conn || !q->is_paused)
		return;
	q->is_paused = false;
	if (--q->conn->n_paused == 0)
		stream_resume(q->conn->stream);
}

bool
upstream_is_held_up(const struct upstream_question *q)
{
	const struct upstream_conn *c = q->conn;
	return c && (c->n_paused > 0 || (c->n_long > 0 && q->messages == 0));
}

/* -------- all of them -------- */

int
upstreams_new(uv_loop_t *loop, const struct upstream_times *times, struct upstreams **out)
{
	struct upstreams *us = calloc(1, sizeof(*us));
	if (!us)
		return -ENOMEM;
	us->loop = loop;
	us->times = *times;
	CDS_INIT_LIST_HEAD(&us->all);
	*out = us;
	return 0;
}

void
upstreams_set_times(struct upstreams *us, const struct upstream_times *times)
{
	us->times = *times;
}

void
upstreams_stop(struct upstreams *us)
{
	for (struct cds_list_head *p = us->all.next; p != &us->all; p = p->next) {
		struct upstream *u = upstream_of(p);
		while (!cds_list_empty(&u->conns))
			conn_close(conn_of(u->conns.next));
		upstream_kick(u);
	}
}

bool
upstreams_are_idle(const struct upstreams *us)
{
	return us->n_handles == 0;
}

void
upstreams_free(struct upstreams *us)
{
	assert(!us || us->n_handles == 0);
	free(us);
}

struct upstream_stats
upstream_stats(const struct upstreams *us)
{
	return us->stats;
}
