/* SPDX-License-Identifier: Apache-2.0 */
/* The worker turn over made-up queues: order of its steps, RCU states, idling, time, stopping. */
#include "tests/unit/dataplane/dataplane_fixture.h"

#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "dataplane/port.h"
#include "dataplane/worker.h"

enum { BURSTS = 64 };

/* A queue that gives out a script of bursts, and writes down what the worker did to it. */
struct script_queue {
	struct port_queue head;
	unsigned n_bursts;
	unsigned bursts[BURSTS]; /* messages in the i-th burst */
	unsigned others[BURSTS]; /* and packets that are no messages */
	unsigned next, sent, tx_calls, wait_calls;
	_Atomic unsigned empty_turns;
	_Atomic bool waited_online;
	uint8_t data[PORT_BURST][512];
};

static struct zone_root root;
static atomic_bool stop;
static const struct zone_set *const set_old = (const struct zone_set *)0x1000,
				    *const set_new = (const struct zone_set *)0x2000;

static unsigned
script_rx(struct port_queue *head, struct engine_message messages[PORT_BURST], unsigned *n_rx)
{
	struct script_queue *q = (struct script_queue *)head;
	*n_rx = 0;
	if (q->next == q->n_bursts) {
		q->empty_turns++;
		return 0;
	}
	unsigned n = q->bursts[q->next], others = q->others[q->next];
	q->next++;
	for (unsigned i = 0; i < n; i++) {
		fixture_query(q->data[i], 12, (uint16_t)i, 0, 0);
		messages[i] = (struct engine_message){.msg = q->data[i], .len = 12, .cap = 512};
	}
	/* A new zone set appears while the packets come in: the burst must be answered from it. */
	atomic_store(&root.current, set_new);
	*n_rx = n + others;
	counter_add(&head->counters->rx, *n_rx);
	counter_add(&head->counters->to_kernel, others);
	return n;
}

static void
script_tx(struct port_queue *head, struct engine_message *messages, unsigned n)
{
	struct script_queue *q = (struct script_queue *)head;
	q->tx_calls++;
	for (unsigned i = 0; i < n; i++) {
		assert_int_equal(messages[i].verdict, ENGINE_ANSWER);
		assert_ptr_equal(messages[i].msg, q->data[i]);
		q->sent++;
	}
	counter_add(&head->counters->tx, n);
}

static void
script_wait(struct port_queue *head, unsigned timeout_us)
{
	struct script_queue *q = (struct script_queue *)head;
	if (urcu_qsbr_read_ongoing())
		q->waited_online = true;
	q->wait_calls++;
	usleep(timeout_us < 1000 ? timeout_us : 1000);
}

static const struct port_queue_ops ops = {.rx_burst = script_rx, .tx_burst = script_tx};
static const struct port_queue_ops ops_with_wait = {
	.rx_burst = script_rx, .tx_burst = script_tx, .wait = script_wait};

static struct worker *
worker_make(bool busy)
{
	struct worker *w = aligned_alloc(CACHE_LINE, sizeof(*w));
	memset(w, 0, sizeof(*w));
	atomic_store(&stop, false);
	atomic_store(&root.current, set_old);
	w->root = &root;
	w->stop = &stop;
	w->idle_busy = busy;
	return w;
}

static void
worker_drop(struct worker *w)
{
	free(w->queues);
	free(w);
}

static void *
worker_thread(void *arg)
{
	urcu_qsbr_register_thread();
	worker_run(arg);
	assert_true(urcu_qsbr_read_ongoing()); /* online again */
	urcu_qsbr_unregister_thread();
	return NULL;
}

/* Runs the worker until every queue has seen this many empty turns. */
static void
run_until_idle(struct worker *w, struct script_queue **queues, unsigned n, unsigned empty_turns)
{
	pthread_t t;
	assert_int_equal(pthread_create(&t, NULL, worker_thread, w), 0);
	for (unsigned i = 0; i < n; i++)
		for (unsigned ms = 0; queues[i]->empty_turns < empty_turns && ms < 5000; ms++)
			usleep(1000);
	atomic_store(&stop, true);
	pthread_join(t, NULL);
}

static void
every_burst_is_answered_and_sent(void **state)
{
	struct worker *w = worker_make(false);
	struct script_queue a = {.head.ops = &ops, .n_bursts = 4, .bursts = {1, 32, 0, 7}, .others = {0, 0, 3, 2}};
	struct script_queue b = {.head.ops = &ops, .n_bursts = 1, .bursts = {5}};
	struct script_queue *queues[] = {&a, &b};
	assert_int_equal(worker_add_queue(w, &a.head), 0);
	assert_int_equal(worker_add_queue(w, &b.head), 0);
	assert_ptr_equal(b.head.counters, &w->counters);
	run_until_idle(w, queues, 2, 3);
	assert_int_equal(a.sent, 40);
	assert_int_equal(a.tx_calls,
			 4); /* also for the burst without messages: its packets are the queue's to send or free */
	assert_int_equal(b.sent, 5);
	assert_int_equal(b.tx_calls, 1);
	assert_int_equal(w->counters.rx, 50);
	fixture_assert_accounted(&w->counters);
	assert_in_range(fixture_now_s, time(NULL) - 5, time(NULL));
	worker_drop(w);
}

static void
snapshot_is_loaded_after_the_packets(void **state)
{
	struct worker *w = worker_make(false);
	struct script_queue a = {.head.ops = &ops, .n_bursts = 1, .bursts = {1}}, *queues[] = {&a};
	assert_int_equal(worker_add_queue(w, &a.head), 0);
	run_until_idle(w, queues, 1, 1);
	assert_ptr_equal(fixture_last_set, set_new);
	worker_drop(w);
}

/* A grace period ends although the worker never leaves its loop, spinning or asleep. */
static void
grace_periods_pass(void **state)
{
	for (int busy = 0; busy < 2; busy++) {
		struct worker *w = worker_make(busy);
		struct script_queue a = {.head.ops = &ops};
		assert_int_equal(worker_add_queue(w, &a.head), 0);
		pthread_t t;
		assert_int_equal(pthread_create(&t, NULL, worker_thread, w), 0);
		for (unsigned i = 0; i < 20; i++) {
			urcu_qsbr_synchronize_rcu();
			usleep(2000);
		}
		atomic_store(&stop, true);
		pthread_join(t, NULL);
		assert_true(a.empty_turns > 10);
		worker_drop(w);
	}
}

static void
waits_offline_and_only_when_idle(void **state)
{
	struct worker *w = worker_make(false);
	struct script_queue a = {.head.ops = &ops_with_wait, .n_bursts = 1, .bursts = {1}}, *queues[] = {&a};
	assert_int_equal(worker_add_queue(w, &a.head), 0);
	run_until_idle(w, queues, 1, 300);
	assert_true(a.wait_calls > 10);
	assert_true(a.empty_turns > a.wait_calls + 200); /* it spun first */
	assert_false(a.waited_online);
	worker_drop(w);

	w = worker_make(true);
	struct script_queue b = {.head.ops = &ops_with_wait}, *busy_queues[] = {&b};
	assert_int_equal(worker_add_queue(w, &b.head), 0);
	run_until_idle(w, busy_queues, 1, 10000);
	assert_int_equal(b.wait_calls, 0);
	worker_drop(w);
}

static double
thread_cpu_s(pthread_t t)
{
	clockid_t clock;
	struct timespec used;
	assert_int_equal(pthread_getcpuclockid(t, &clock), 0);
	clock_gettime(clock, &used);
	return (double)used.tv_sec + (double)used.tv_nsec / 1e9;
}

/* Without a way to wait the worker sleeps by itself, up to about a millisecond at a time. */
static void
idle_worker_sleeps(void **state)
{
	struct worker *w = worker_make(false);
	struct script_queue a = {.head.ops = &ops};
	assert_int_equal(worker_add_queue(w, &a.head), 0);
	pthread_t t;
	assert_int_equal(pthread_create(&t, NULL, worker_thread, w), 0);
	usleep(700000);
	unsigned turns = a.empty_turns;
	double cpu = thread_cpu_s(t);
	usleep(300000);
	assert_true(thread_cpu_s(t) - cpu < 0.06);
	turns = a.empty_turns - turns;
	assert_in_range(turns, 50, 400);
	atomic_store(&stop, true);
	pthread_join(t, NULL);
	assert_true(w->counters.busy_cycles * 100 < w->counters.total_cycles);
	worker_drop(w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_burst_is_answered_and_sent),
		cmocka_unit_test(snapshot_is_loaded_after_the_packets),
		cmocka_unit_test(grace_periods_pass),
		cmocka_unit_test(waits_offline_and_only_when_idle),
		cmocka_unit_test(idle_worker_sleeps),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
