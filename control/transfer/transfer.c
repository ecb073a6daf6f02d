/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Transfers in. See transfer.h.
 *
 * A transfer is in one of these places, and advance() moves it on whenever the pool has nothing of it:
 *
 *     asked ──message──> pool: a batch of messages ──over──> told
 *                          ↖ next batch ↙   │ given up: what the pool has is thrown away there, then told
 *
 * Handing work to the pool and back costs more than the work on a short answer. So what is short waits until the
 * loop has looked at all that came with it, and goes to the pool in bundles.
 *
 * The receiver and the result belong to the pool while it works, and to the loop in between. What comes meanwhile
 * waits in a list; when that is long, the primary is held back. Control thread, but for the functions named work_*.
 */
#include "control/transfer/transfer.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <urcu/list.h>

#include "control/net/upstream.h"
#include "control/transfer/receiver.h"
#include "zones/base/bytes.h"
#include "zones/store/records.h"
#include "zones/wire/edns.h"
#include "zones/wire/message.h"

/* Octets that wait for the pool before the primary is held back; as many may be with the pool meanwhile. */
#define WAITING_MAX (512 * 1024)
/* A question may be this many idle times without an answer while others on its connection have theirs. */
#define UNANSWERED 4
#define UDP_PAYLOAD 1232
#define SHORT_BYTES 4096 /* what waits of a transfer that goes into a bundle */
#define BUNDLE_MAX 16    /* transfers in a bundle: 32 at a time are under way, so that two threads have work */

struct transfers {
	uv_loop_t *loop;
	struct upstreams *upstreams;
	struct cds_list_head running;
	struct transfer *ready, **ready_end; /* with the pool, as they see it; bundle_all() hands them on */
	uv_timer_t bundler;
	bool has_bundler;
	unsigned n; /* running, or with a timer that is closing */
	struct upstream_times times;
	struct crew *crew;
	struct state *state;
	bool is_stopped;
};

/* One that came; from malloc(). */
struct waiting {
	struct waiting *next;
	size_t len;
	uint8_t octets[];
};

struct transfer {
	struct cds_list_head link;
	struct transfers *all;
	transfer_done_fn *done;
	void *arg;
	struct receiver_query query; /* its id and MAC are those of the question asked last */
	struct config_address address;
	const struct tls_client *tls;
	struct upstream_question question;
	uv_timer_t timer;
	uint64_t asked_ms, first_ms, heard_ms; /* 0: not yet; the first message, the last one */
	uint64_t messages, bytes, records;     /* for status: records as the pool told last */
	/* what waits */
	struct waiting *first, **end;
	size_t waiting_bytes;
	bool is_cut;      /* nothing more will come: cut_why */
	bool is_given_up; /* given_up has the reason */
	enum transfer_end given_up;
	char cut_why[TRANSFER_WHY_MAX];
	struct transfer *next_ready;
	/* the pool's while it works */
	uv_work_t work;
	bool is_working;
	bool is_over;     /* the result is there */
	bool has_all;     /* and the primary sends no more */
	atomic_bool stop; /* set by the loop: do not begin with another message */
	struct waiting *batch;
	uint64_t records_taken;
	struct receiver *receiver;
	struct transfer_result result;
};

static void advance(struct transfer *x);

/* -------- the pool -------- */

static void
batch_free(struct waiting *m)
{
	while (m) {
		struct waiting *next = m->next;
		free(m);
		m = next;
	}
}

static bool
work_take(struct transfer *x)
{
	while (x->batch && !atomic_load_explicit(&x->stop, memory_order_relaxed)) {
		struct waiting *m = x->batch;
		bool is_over = receiver_take(x->receiver, m->octets, m->len, (uint64_t)time(NULL));
		x->batch = m->next;
		free(m);
		if (is_over)
			return true;
	}
	return false;
}

/* Takes the messages of a batch, and if they were the last ones, makes the version. */
static void
take_batch(struct transfer *x)
{
	if (!x->receiver)
		x->receiver = receiver_new(&x->query);
	if (!x->receiver) {
		x->is_over = true;
		x->result.end = TRANSFER_FAILED;
		snprintf(x->result.why, sizeof(x->result.why), "out of memory");
	} else if (work_take(x)) {
		x->is_over = true;
		x->has_all = receiver_has_all(x->receiver) && !x->batch;
		receiver_finish(x->receiver, &x->result);
	}
	x->records_taken = x->receiver ? receiver_records(x->receiver) : 0;
	batch_free(x->batch);
	x->batch = NULL;
	if (x->is_over) {
		receiver_free(x->receiver);
		x->receiver = NULL;
	}
}

static void
work_batch(uv_work_t *work)
{
	take_batch(work->data);
}

/* Throws away what there is, which may be millions of records. */
static void
work_discard(uv_work_t *work)
{
	struct transfer *x = work->data;
	receiver_free(x->receiver);
	served_free(x->result.next);
	state_changes_free(x->result.changes);
	state_stage_free(x->all->state, x->result.stage);
	x->receiver = NULL;
	x->result.next = NULL;
	x->result.changes = NULL;
	x->result.stage = NULL;
}

static void
work_after(uv_work_t *work, int status)
{
	struct transfer *x = work->data;
	assert(status == 0); /* nobody cancels it */
	(void)status;
	x->is_working = false;
	x->records = x->records_taken;
	advance(x);
}

static void
start_work(struct transfer *x, uv_work_cb work)
{
	x->is_working = true;
	int err = uv_queue_work(x->all->loop, &x->work, work, work_after);
	assert(err == 0); /* fails without a function only */
	(void)err;
}

/* -------- bundles -------- */

struct bundle {
	uv_work_t work;
	unsigned n;
	struct transfer *items[BUNDLE_MAX];
};

static void
work_bundle(uv_work_t *work)
{
	struct bundle *b = work->data;
	for (unsigned i = 0; i < b->n; i++)
		take_batch(b->items[i]);
}

static void
bundle_after(uv_work_t *work, int status)
{
	struct bundle *b = work->data;
	for (unsigned i = 0; i < b->n; i++)
		work_after(&b->items[i]->work, status);
	free(b);
}

static struct transfer *
next_ready(struct transfers *t)
{
	struct transfer *x = t->ready;
	t->ready = x->next_ready;
	if (!t->ready)
		t->ready_end = &t->ready;
	return x;
}

static void
bundle_all(struct transfers *t)
{
	while (t->ready) {
		struct bundle *b = malloc(sizeof(*b));
		if (!b) {
			start_work(next_ready(t), work_batch);
			continue;
		}
		b->work.data = b;
		for (b->n = 0; t->ready && b->n < BUNDLE_MAX; b->n++)
			b->items[b->n] = next_ready(t);
		int err = uv_queue_work(t->loop, &b->work, work_bundle, bundle_after);
		assert(err == 0); /* fails without a function only */
		(void)err;
	}
}

static void
bundler_fired(uv_timer_t *bundler)
{
	bundle_all(bundler->data);
}

static void
bundler_closed(uv_handle_t *bundler)
{
	struct transfers *t = bundler->data;
	t->has_bundler = false;
}

/* Behind others that are as short. What may take long in spite of that would make them wait. */
static bool
is_for_bundle(const struct transfer *x, size_t bytes)
{
	return bytes <= SHORT_BYTES && x->query.zonemd == CONFIG_ZONEMD_OFF && !x->all->is_stopped;
}

static void
start_batch(struct transfer *x, size_t bytes)
{
	struct transfers *t = x->all;
	if (!is_for_bundle(x, bytes)) {
		start_work(x, work_batch);
		return;
	}
	x->is_working = true;
	x->next_ready = NULL;
	*t->ready_end = x;
	t->ready_end = &x->next_ready;
	if (t->ready == x)
		uv_timer_start(&t->bundler, bundler_fired, 0, 0);
}

/* -------- the end -------- */

static void
timer_closed(uv_handle_t *handle)
{
	struct transfer *x = handle->data;
	x->all->n--;
	free(x);
}

static void
finish(struct transfer *x)
{
	struct transfer_result *result = &x->result;
	upstream_end(&x->question, x->has_all);
	uv_close((uv_handle_t *)&x->timer, timer_closed);
	batch_free(x->first);
	cds_list_del(&x->link);
	tsig_key_release(x->query.key);
	result->messages = x->messages;
	result->bytes = x->bytes;
	result->duration_ms = x->asked_ms ? (uint32_t)(uv_now(x->all->loop) - x->asked_ms) : 0;
	x->done(x->arg, result);
	served_free(result->next);
	state_changes_free(result->changes);
	state_stage_free(x->all->state, result->stage);
}

static void
finish_given_up(struct transfer *x)
{
	x->result = (struct transfer_result){
		.end = x->given_up, .has_serial = x->result.has_serial, .serial = x->result.serial};
	snprintf(x->result.why, sizeof(x->result.why), "%s", x->cut_why);
	finish(x);
}

/* Looks at what there is to do. The pool has nothing of it. */
static void
advance(struct transfer *x)
{
	if (x->is_over && x->given_up != TRANSFER_CANCELLED) {
		finish(x);
	} else if (x->is_given_up || (x->is_cut && !x->first)) {
		if (x->receiver || x->result.next || x->result.changes)
			start_work(x, work_discard);
		else
			finish_given_up(x);
	} else if (x->first) {
		size_t bytes = x->waiting_bytes;
		x->batch = x->first;
		x->first = NULL;
		x->end = &x->first;
		x->waiting_bytes = 0;
		upstream_resume(&x->question);
		start_batch(x, bytes);
	}
}

/* Nothing more is wanted of the primary. What is with the pool comes back first. */
static void
give_up(struct transfer *x, enum transfer_end end, const char *why)
{
	x->is_given_up = true;
	x->given_up = end;
	snprintf(x->cut_why, sizeof(x->cut_why), "%s", why);
	atomic_store_explicit(&x->stop, true, memory_order_relaxed);
	upstream_end(&x->question, false);
}

/* -------- time -------- */

static void look_at_clock(uv_timer_t *timer);

/* 0: not yet over; else in how many ms to look again. */
static uint64_t
left(uint64_t since_ms, uint64_t limit_ms, uint64_t now_ms)
{
	return now_ms - since_ms >= limit_ms ? 0 : limit_ms - (now_ms - since_ms);
}

static uint64_t
left_of_idle(struct transfer *x, uint64_t now_ms)
{
	uint64_t idle_ms = x->all->times.idle_ms;
	if (x->is_working || x->first || upstream_is_held_up(&x->question)) {
		x->heard_ms = now_ms;
		return idle_ms;
	}
	if (x->messages > 0)
		return left(x->heard_ms, idle_ms, now_ms);
	return left(x->heard_ms, idle_ms * UNANSWERED, now_ms);
}

static uint64_t
left_of_all(const struct transfer *x, uint64_t now_ms)
{
	uint64_t limit_ms = x->query.limits.time_ms;
	return x->first_ms && limit_ms ? left(x->first_ms, limit_ms, now_ms) : UINT64_MAX;
}

static void
look_again(struct transfer *x)
{
	uint64_t now_ms = uv_now(x->all->loop);
	uint64_t idle_ms = left_of_idle(x, now_ms), all_ms = left_of_all(x, now_ms);
	char why[TRANSFER_WHY_MAX];
	if (all_ms == 0) {
		snprintf(why, sizeof(why), "it takes longer than %llu ms",
			 (unsigned long long)x->query.limits.time_ms);
		give_up(x, TRANSFER_FAILED, why);
	} else if (idle_ms == 0) {
		snprintf(why, sizeof(why), "the primary fell silent behind message %llu",
			 (unsigned long long)x->messages);
		give_up(x, TRANSFER_FAILED, why);
	} else {
		uv_timer_start(&x->timer, look_at_clock, idle_ms < all_ms ? idle_ms : all_ms, 0);
	}
}

static void
look_at_clock(uv_timer_t *timer)
{
	struct transfer *x = timer->data;
	if (!x->is_given_up && !x->is_cut)
		look_again(x);
	if (x->is_given_up && !x->is_working)
		advance(x);
}

/* -------- the question -------- */

/* Our own SOA (RFC 1995 section 3). */
static bool
put_soa(struct message_writer *w, const struct snapshot *s)
{
	uint8_t rdata[RDATA_MAX_LEN];
	struct zone_record soa;
	records_soa(s, rdata, &soa);
	return message_put(w, &(struct message_record){.owner = soa.owner,
						       .rdata = soa.rdata,
						       .ttl_s = soa.ttl_s,
						       .type = soa.type,
						       .rrclass = RRCLASS_IN,
						       .rdlen = soa.rdlen,
						       .section = MESSAGE_AUTHORITY});
}

/* OPT with an EXPIRE option that is empty, as in questions (RFC 7314 section 3.1). */
static bool
put_opt(struct message_writer *w)
{
	uint8_t opt[EDNS_OPT_LEN + EDNS_OPTION_HEAD] = {0};
	store_be16(opt + 1, RRTYPE_OPT);
	store_be16(opt + 3, UDP_PAYLOAD);
	store_be16(opt + 9, EDNS_OPTION_HEAD);
	store_be16(opt + EDNS_OPT_LEN, EDNS_EXPIRE);
	return message_put_raw(w, MESSAGE_ADDITIONAL, opt, sizeof(opt));
}

static int
compose(void *arg, uint16_t id, uint8_t *msg, size_t *len)
{
	struct transfer *x = arg;
	struct receiver_query *q = &x->query;
	struct message_question question = {q->apex.bytes, q->qtype, RRCLASS_IN};
	struct message_writer w;
	message_begin(&w, msg, UPSTREAM_QUESTION_MAX, id, 0);
	if (!message_put_question(&w, &question) || (q->qtype == RRTYPE_IXFR && !put_soa(&w, q->base->snapshot)) ||
	    !put_opt(&w))
		return -EMSGSIZE;
	*len = w.len;
	q->id = id;
	x->asked_ms = x->heard_ms = uv_now(x->all->loop);
	look_again(x);
	if (!q->key)
		return 0;
	return tsig_sign_request(q->key, msg, w.len, UPSTREAM_QUESTION_MAX, (uint64_t)time(NULL), &q->request_mac,
				 len);
}

/* -------- what comes of it -------- */

static void
cut(struct transfer *x, const char *why)
{
	if (x->messages == 0)
		snprintf(x->cut_why, sizeof(x->cut_why), "%.400s", why);
	else
		snprintf(x->cut_why, sizeof(x->cut_why), "behind message %llu: %.400s",
			 (unsigned long long)x->messages, why);
	x->is_cut = true;
	x->given_up = TRANSFER_FAILED;
	if (!x->is_working)
		advance(x);
}

/* Messages that came before are taken first: the answer may have been whole. */
static void
on_failed(void *arg, int err, const char *why)
{
	cut(arg, why);
}

static void
on_message(void *arg, const uint8_t *msg, size_t len)
{
	struct transfer *x = arg;
	struct waiting *m = malloc(sizeof(*m) + len);
	if (!m) {
		upstream_end(&x->question, false);
		cut(x, "out of memory");
		return;
	}
	*m = (struct waiting){.len = len};
	memcpy(m->octets, msg, len);
	*x->end = m;
	x->end = &m->next;
	x->heard_ms = uv_now(x->all->loop);
	x->messages++;
	x->bytes += len;
	x->waiting_bytes += len;
	if (x->messages == 1) {
		x->first_ms = x->heard_ms;
		look_again(x);
	}
	if (!x->is_working)
		advance(x);
	else if (x->waiting_bytes > WAITING_MAX)
		upstream_pause(&x->question);
}

static const struct upstream_events events = {.compose = compose, .message = on_message, .failed = on_failed};

/* -------- starting and ending -------- */

static void
fill_in(struct transfer *x, const struct transfer_request *r)
{
	x->query = (struct receiver_query){
		.apex = r->apex,
		.qtype = r->qtype,
		.is_forced = r->is_forced,
		.base = r->base,
		.key = r->key ? tsig_key_hold(r->key) : NULL,
		.zonemd = r->zonemd,
		.limits = r->limits,
		.crew = x->all->crew,
		.state = x->all->state,
	};
	x->end = &x->first;
	x->timer.data = x->work.data = x;
	atomic_init(&x->stop, false);
}

int
transfer_start(struct transfers *t, const struct transfer_request *request, transfer_done_fn *done, void *arg,
	       struct transfer **out)
{
	assert(request->base || request->qtype == RRTYPE_AXFR);
	if (t->is_stopped)
		return -ESHUTDOWN;
	struct transfer *x = calloc(1, sizeof(*x));
	if (!x)
		return -ENOMEM;
	x->all = t;
	x->done = done;
	x->arg = arg;
	int err = upstream_ask(t->upstreams, &request->primary->address, request->tls, &x->question, &events, x);
	if (err) {
		free(x);
		return err;
	}
	fill_in(x, request);
	uv_timer_init(t->loop, &x->timer);
	cds_list_add_tail(&x->link, &t->running);
	t->n++;
	*out = x;
	return 0;
}

void
transfer_cancel(struct transfer *x)
{
	give_up(x, TRANSFER_CANCELLED, "cancelled");
	if (!x->is_working)
		uv_timer_start(&x->timer, look_at_clock, 0, 0);
}

struct transfer_progress
transfer_progress(const struct transfer *x)
{
	return (struct transfer_progress){.messages = x->messages, .bytes = x->bytes, .records = x->records};
}

int
transfers_new(uv_loop_t *loop, struct transfers **out)
{
	struct transfers *t = calloc(1, sizeof(*t));
	if (!t)
		return -ENOMEM;
	t->loop = loop;
	t->times = (struct upstream_times){TRANSFER_CONNECT_MS, TRANSFER_IDLE_MS, TRANSFER_KEEP_MS};
	CDS_INIT_LIST_HEAD(&t->running);
	t->ready_end = &t->ready;
	int err = upstreams_new(loop, &t->times, &t->upstreams);
	if (err) {
		free(t);
		return err;
	}
	uv_timer_init(loop, &t->bundler);
	t->bundler.data = t;
	t->has_bundler = true;
	*out = t;
	return 0;
}

void
transfers_set_times(struct transfers *t, uint64_t connect_ms, uint64_t idle_ms, uint64_t keep_ms)
{
	t->times = (struct upstream_times){connect_ms, idle_ms, keep_ms};
	upstreams_set_times(t->upstreams, &t->times);
}

void
transfers_set_helpers(struct transfers *t, struct crew *crew, struct state *state)
{
	t->crew = crew;
	t->state = state;
}

void
transfers_stop(struct transfers *t)
{
	if (t->is_stopped)
		return;
	t->is_stopped = true;
	bundle_all(t);
	uv_close((uv_handle_t *)&t->bundler, bundler_closed);
	for (struct cds_list_head *p = t->running.next; p != &t->running; p = p->next)
		transfer_cancel((struct transfer *)((char *)p - offsetof(struct transfer, link)));
	upstreams_stop(t->upstreams);
}

bool
transfers_are_idle(const struct transfers *t)
{
	bool is_ended = !t->is_stopped || !t->has_bundler;
	return t->n == 0 && is_ended && upstreams_are_idle(t->upstreams);
}

void
transfers_free(struct transfers *t)
{
	if (!t)
		return;
	assert(t->n == 0);
	upstreams_free(t->upstreams);
	free(t);
}

struct transfers_stats
transfers_stats(const struct transfers *t)
{
	struct upstream_stats s = upstream_stats(t->upstreams);
	return (struct transfers_stats){.connections = s.connections, .questions = s.questions};
}
