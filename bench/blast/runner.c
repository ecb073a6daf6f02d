/* SPDX-License-Identifier: Apache-2.0 */
/* The loop of a load thread. See runner.h. */
#include "bench/blast/runner.h"

#include <stdio.h>
#include <string.h>

#include "bench/blast/clock.h"
#include "bench/blast/random.h"

/* Taken from a queue before it is time to send again. */
#define RECEIVE_BURSTS 4

/* Turns between two looks at what has waited too long. */
#define EXPIRE_TURNS 64

/* -------- sending -------- */

static uint32_t
choose_question(struct runner *r)
{
	uint32_t n = r->common->questions->n;
	if (!r->common->in_order)
		return random_below(&r->random, n);
	uint32_t i = r->next_question;
	r->next_question = i + 1 < n ? i + 1 : 0;
	return i;
}

/* The questions of a burst lie anywhere in memory: their loads are started together. */
static void
choose_questions(struct runner *r, uint32_t chosen[LOAD_BURST], unsigned n)
{
	const struct questions *q = r->common->questions;
	for (unsigned i = 0; i < n; i++) {
		chosen[i] = choose_question(r);
		prefetch(&q->items[chosen[i]]);
	}
	for (unsigned i = 0; i < n; i++) {
		const uint8_t *message = question_message(q, chosen[i]);
		prefetch(message);
		prefetch(message + CACHE_LINE);
	}
}

/* What the port did not take is asked again, in the next burst; in order it stays in order. */
static void
unchoose(struct runner *r, unsigned n)
{
	uint32_t all = r->common->questions->n;
	if (r->common->in_order)
		r->next_question = (uint32_t)(((uint64_t)r->next_question + all - n % all) % all);
}

/* Puts n queries into the window, from where it stands on. */
static void
fill_burst(struct runner *r, uint32_t stamp, struct load_query queries[LOAD_BURST], unsigned n)
{
	const struct questions *q = r->common->questions;
	uint32_t first_source = r->index * r->common->sources_per_runner;
	uint32_t chosen[LOAD_BURST];
	struct window_cursor c = r->window->next;
	choose_questions(r, chosen, n);
	for (unsigned i = 0; i < n; i++) {
		const struct question *item = &q->items[chosen[i]];
		queries[i] = (struct load_query){
			.message = q->bytes + item->at,
			.source = first_source + c.source,
			.len = item->len,
			.sum = item->sum,
			.id = window_put(r->window, &c, stamp, chosen[i]),
		};
		window_advance(r->window, &c);
	}
}

/* Sends up to n (>= 1) queries; returns how many. A burst ends where the next source's turn begins. */
static unsigned
send_burst(struct runner *r, uint64_t now, unsigned n)
{
	struct window *w = r->window;
	struct load_queue *q = r->common->port->queues[r->index];
	struct load_query queries[LOAD_BURST];
	uint32_t left = (1u << w->run_bits) - w->next.in_run;
	if (w->run_bits > 0 && n > left)
		n = left;
	if (n == 0)
		return 0;
	fill_burst(r, clock_stamp(now), queries, n);
	unsigned sent = q->ops->send(q, queries, n);
	window_step(w, sent);
	if (sent < n)
		unchoose(r, n - sent);
	counter_add(&r->tally->sent, sent);
	return sent;
}

/* -------- receiving -------- */

static void
show_reply(struct runner *r, const struct load_reply *reply, const char *why)
{
	if (r->n_shown >= r->common->show)
		return;
	r->n_shown++;
	flockfile(stderr);
	fprintf(stderr, "wrong reply: %s:", why);
	for (uint32_t i = 0; i < reply->len; i++)
		fprintf(stderr, " %02x", reply->message[i]);
	fputc('\n', stderr);
	funlockfile(stderr);
}

static void
count_wrong(struct runner *r, const struct load_reply *reply, const char *why)
{
	counter_add(&r->tally->wrong, 1);
	show_reply(r, reply, why);
}

static void
count_answer(struct tally *t, const struct load_reply *reply, uint32_t waited)
{
	counter_add(&t->answered, 1);
	counter_add(&t->bytes, reply->len);
	counter_add(&t->rcodes[reply->message[3] & 15], 1);
	if (unlikely(reply->message[2] & 2))
		counter_add(&t->truncated, 1);
	histogram_add(&t->latency, waited);
}

/* A reply to a query that waits, or that was given up in this step. */
static void
take_answer(struct runner *r, struct window *w, const struct load_reply *reply, const struct window_place *place,
	    bool expired, uint32_t stamp)
{
	const struct questions *q = r->common->questions;
	const struct question *item = &q->items[place->question];
	enum check_result result =
		check_reply(reply->message, reply->len, q->bytes + item->at, item->len, r->common->check);
	uint32_t waited = stamp - place->stamp;
	if (unlikely(result != CHECK_GOOD))
		count_wrong(r, reply, check_text(result));
	else if (unlikely(!window_claim(w, place)))
		counter_add(&r->tally->duplicate, 1);
	else if (unlikely(expired))
		counter_add(&r->tally->late, 1);
	else
		count_answer(r->tally, reply, (int32_t)waited < 0 ? 0 : waited);
}

static void
take_reply(struct runner *r, const struct load_reply *reply, uint32_t stamp)
{
	if (unlikely(reply->len < 12)) {
		count_wrong(r, reply, "it has no header");
		return;
	}
	uint32_t runner = reply->source / r->common->sources_per_runner;
	struct window *w = &r->common->windows[runner];
	struct window_place place;
	uint16_t id = (uint16_t)(reply->message[0] << 8 | reply->message[1]);
	enum window_state state =
		window_find(w, reply->source - runner * r->common->sources_per_runner, id, &place);
	switch (state) {
	case WINDOW_WAITING:
	case WINDOW_EXPIRED:
		take_answer(r, w, reply, &place, state == WINDOW_EXPIRED, stamp);
		return;
	case WINDOW_ANSWERED:
		counter_add(&r->tally->duplicate, 1);
		return;
	case WINDOW_GONE:
		counter_add(&r->tally->stray, 1);
		return;
	case WINDOW_UNKNOWN:
		count_wrong(r, reply, "nothing was sent with its id");
		return;
	}
}

/* One burst of a queue; returns how many replies it had. */
static unsigned
receive_burst(struct runner *r, struct load_queue *q)
{
	struct load_reply replies[LOAD_BURST];
	unsigned n = q->ops->receive(q, replies);
	if (n == 0)
		return 0;
	uint32_t stamp = clock_stamp(clock_ticks());
	for (unsigned k = 0; k < n; k++)
		take_reply(r, &replies[k], stamp);
	q->ops->release(q);
	return n;
}

/* Takes from our queues more than we send in a turn, so that what is lost is not lost here; returns how many
 * replies there were. */
static unsigned
receive_bursts(struct runner *r)
{
	const struct load_port *port = r->common->port;
	unsigned all = 0;
	for (unsigned i = r->index; i < port->n_queues; i += r->common->n_runners) {
		for (unsigned bursts = 0; bursts < RECEIVE_BURSTS; bursts++) {
			unsigned n = receive_burst(r, port->queues[i]);
			all += n;
			if (n < LOAD_BURST)
				break;
		}
	}
	return all;
}

/* -------- the step -------- */

static void
give_up(struct runner *r)
{
	window_expire(r->window, clock_stamp(clock_ticks()), r->common->timeout_stamps);
	__atomic_store_n(&r->tally->lost, r->window->n_expired, __ATOMIC_RELAXED);
}

/* Time is up; but a thread that was held up near the end still sends what was due, so that steps are whole. */
static bool
is_over(const struct runner *r, uint64_t now)
{
	if (__atomic_load_n(&r->common->stop, __ATOMIC_RELAXED))
		return true;
	if (now < r->end)
		return false;
	return pacer_due(&r->pacer, r->end, 1) == 0 || r->pacer.per_tick == 0 || now >= r->end + r->grace;
}

static void
send_until_end(struct runner *r)
{
	unsigned turns = 0;
	for (uint64_t now = clock_ticks(); !is_over(r, now); now = clock_ticks()) {
		unsigned due = pacer_due(&r->pacer, now, LOAD_BURST);
		unsigned sent = due > 0 ? send_burst(r, now, due) : 0;
		pacer_sent(&r->pacer, sent);
		unsigned received = receive_bursts(r);
		if (++turns % EXPIRE_TURNS == 0)
			give_up(r);
		if (sent == 0 && received == 0)
			clock_pause();
	}
}

/* Ours may come to the queues of others, and theirs to ours, so all wait for all. */
static void
wait_for_replies(struct runner *r)
{
	bool waiting = true;
	while (__atomic_load_n(&r->common->n_waiting, __ATOMIC_ACQUIRE) > 0) {
		if (receive_bursts(r) == 0)
			clock_pause();
		give_up(r);
		if (waiting && !window_is_waiting(r->window)) {
			waiting = false;
			__atomic_fetch_sub(&r->common->n_waiting, 1, __ATOMIC_RELEASE);
		}
	}
}

void
runner_run(struct runner *r)
{
	const struct load_port_ops *ops = r->common->port->ops;
	if (ops->thread_begin != NULL)
		ops->thread_begin();
	window_forget(r->window);
	r->window->n_expired = 0;
	send_until_end(r);
	r->finished = clock_ticks();
	wait_for_replies(r);
	if (ops->thread_end != NULL)
		ops->thread_end();
	__atomic_store_n(&r->done, true, __ATOMIC_RELEASE);
}
