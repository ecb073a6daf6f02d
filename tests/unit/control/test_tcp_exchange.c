/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages of TCP connections that control answers: a loop on a thread of its own is control, real sockets are the
 * clients. What control does with an inquiry is in the id of the message.
 */
#include "tests/unit/control/tcp_fixture.h"

#include <errno.h>
#include <sys/socket.h>

#include "control/base/thread.h"
#include "control/net/inquiries.h"
#include "zones/base/bytes.h"
#include "zones/wire/query.h"

/* The high octet of the id. */
enum {
	DO_REPLY = 1,
	DO_DROP = 2,
	DO_HOLD = 3,   /* answers when told to */
	DO_STREAM = 4, /* low octet times 10 messages of 16 KiB */
	DO_BREAK = 5,  /* a stream that fails after some messages */
	DO_NOTHING = 6 /* a stream of no message */
};

enum { STREAM_MESSAGE_LEN = 16384, HELD_MAX = 64 };

struct control {
	uv_loop_t loop;
	uv_async_t poke; /* runs `work` */
	void (*work)(struct control *c);
	struct inquiries *all;
	struct thread thread;
	_Atomic unsigned n_handled, n_freed, n_held, n_pulled;
	struct inquiry *held[HELD_MAX];
	struct service *service;
};

/* -------- a stream -------- */

struct stream {
	struct control *control;
	uint16_t id;
	unsigned n, sent;
	bool breaks;
};

static int
stream_next(void *arg, uint8_t *buf, size_t cap)
{
	struct stream *s = arg;
	assert_true(cap >= 65535);
	if (s->sent == s->n)
		return s->breaks ? -EIO : 0;
	s->control->n_pulled++;
	memset(buf, 0, STREAM_MESSAGE_LEN);
	store_be16(buf, s->id);
	store_be16(buf + 2, FLAG_QR);
	store_be32(buf + 12, s->sent++);
	return STREAM_MESSAGE_LEN;
}

static void
stream_free(void *arg)
{
	struct stream *s = arg;
	s->control->n_freed++;
	free(s);
}

static void
stream_begin(struct control *c, struct inquiry *q, unsigned n, bool breaks)
{
	struct stream *s = malloc(sizeof(*s));
	*s = (struct stream){.control = c, .id = load_be16(q->msg), .n = n, .breaks = breaks};
	inquiry_stream(q, &(struct inquiry_producer){.next = stream_next, .free = stream_free, .arg = s});
}

/* -------- control -------- */

static void
reply(struct inquiry *q)
{
	uint8_t msg[12];
	memcpy(msg, q->msg, sizeof(msg));
	store_be16(msg + 2, load_be16(msg + 2) | FLAG_QR);
	memset(msg + 4, 0, 8);
	inquiry_reply(q, msg, sizeof(msg));
}

static void
handle(void *arg, struct inquiry *q)
{
	struct control *c = arg;
	assert_int_equal(q->client.transport, ENGINE_TCP);
	assert_int_equal(q->reply_cap, 65535);
	c->n_handled++;
	switch (q->msg[0]) {
	case DO_REPLY:
		reply(q);
		break;
	case DO_DROP:
		inquiry_drop(q);
		break;
	case DO_HOLD:
		c->held[c->n_held++] = q;
		break;
	case DO_STREAM:
		stream_begin(c, q, q->msg[1] * 10u, false);
		break;
	case DO_BREAK:
		stream_begin(c, q, q->msg[1], true);
		break;
	default:
		stream_begin(c, q, 0, false);
	}
}

static void
poked(uv_async_t *async)
{
	struct control *c = async->data;
	c->work(c);
}

static void
control_run(void *arg)
{
	struct control *c = arg;
	uv_run(&c->loop, UV_RUN_DEFAULT);
}

static void
reply_all_held(struct control *c)
{
	for (unsigned i = 0; i < c->n_held; i++)
		reply(c->held[i]);
	c->n_held = 0;
}

static void
control_stop(struct control *c)
{
	inquiries_stop(c->all);
	reply_all_held(c);
	uv_close((uv_handle_t *)&c->poke, NULL);
}

static void
control_tell(struct control *c, void (*work)(struct control *))
{
	c->work = work;
	uv_async_send(&c->poke);
}

static struct service *
setup_service(void **state)
{
	assert_int_equal(service_setup(state), 0);
	return *state;
}

static int
setup(void **state)
{
	struct control *c = calloc(1, sizeof(*c));
	const struct inquiry_workers none = {0};
	c->service = setup_service(state);
	uv_loop_init(&c->loop);
	uv_async_init(&c->loop, &c->poke, poked);
	c->poke.data = c;
	assert_int_equal(inquiries_new(&c->loop, handle, c, &c->all), 0);
	assert_int_equal(inquiries_start(c->all, &none), 0);
	assert_int_equal(thread_start(&c->thread, "control", THREAD_CPU_ANY, THREAD_RCU_NONE, control_run, c), 0);
	*state = c;
	return 0;
}

static void
start(struct control *c)
{
	struct diag_list diag = {0};
	assert_int_equal(tcp_open(c->service->config, &c->service->root, &diag, &c->service->tcp), 0);
	tcp_set_inquiries(c->service->tcp, c->all);
	assert_int_equal(tcp_start(c->service->tcp), 0);
}

/* The order of main.c: readers end before control does. */
static int
teardown(void **state)
{
	struct control *c = *state;
	struct service *s = c->service;
	if (s->tcp)
		tcp_stop(s->tcp);
	struct counters sum = s->tcp ? service_counts(s) : (struct counters){0};
	uint64_t drops = 0;
	for (unsigned i = 0; i < DROP_REASON_COUNT; i++)
		drops += sum.drop[i];
	assert_int_equal(sum.rx, sum.tx + drops);
	tcp_close(s->tcp);
	s->tcp = NULL;
	control_tell(c, control_stop);
	thread_join(&c->thread);
	assert_int_equal(uv_loop_close(&c->loop), 0);
	inquiries_free(c->all);
	*state = s;
	free(c);
	return service_teardown(state);
}

/* -------- clients -------- */

/* A framed NOTIFY, which is control's. */
static size_t
notify(uint8_t *out, unsigned what, uint8_t low)
{
	size_t len = query(out, (uint16_t)(what << 8 | low), "www", 6);
	out[4] |= OPCODE_NOTIFY << 3;
	return len;
}

static int
ask(const struct control *c, unsigned what, uint8_t low)
{
	uint8_t q[64];
	int fd = client(c->service);
	send_all(fd, q, notify(q, what, low));
	return fd;
}

static void
assert_id(int fd, unsigned what, uint8_t low)
{
	assert_true(read_answer(fd) >= 12);
	assert_int_equal(load_be16(answer), what << 8 | low);
	assert_true(answer[2] & 0x80);
}

static void
assert_stream(int fd, uint8_t low, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		assert_int_equal(read_answer(fd), STREAM_MESSAGE_LEN);
		assert_int_equal(load_be16(answer), DO_STREAM << 8 | low);
		assert_int_equal(load_be32(answer + 12), i);
	}
}

static void
wait_for(const _Atomic unsigned *n, unsigned wanted)
{
	for (unsigned ms = 0; *n < wanted && ms < 5000; ms++)
		usleep(1000);
	assert_int_equal(*n, wanted);
}

static void
wait_for_none(const _Atomic unsigned *n)
{
	for (unsigned ms = 0; *n && ms < 5000; ms++)
		usleep(1000);
	assert_int_equal(*n, 0);
}

static void
wait_for_drops(const struct control *c, unsigned wanted)
{
	for (unsigned ms = 0; ms < 5000; ms++) {
		if (service_counts(c->service).drop[DROP_PUNT_DROPPED] == wanted)
			return;
		usleep(1000);
	}
	assert_int_equal(service_counts(c->service).drop[DROP_PUNT_DROPPED], wanted);
}

/* -------- replies -------- */

static void
control_replies(void **state)
{
	struct control *c = *state;
	start(c);
	int fd = ask(c, DO_REPLY, 1);
	assert_id(fd, DO_REPLY, 1);
	uint8_t q[64];
	send_all(fd, q, query(q, 7, "www", 1)); /* the connection goes on */
	assert_answer(fd, 7, 1);
	send_all(fd, q, notify(q, DO_REPLY, 2));
	assert_id(fd, DO_REPLY, 2);
	usleep(20000);
	struct counters sum = service_counts(c->service);
	assert_int_equal(sum.punted, 2);
	assert_int_equal(sum.punt_replies, 2);
	assert_int_equal(sum.tx, 3);
	assert_int_equal(sum.queries_v4, 3);
	close(fd);
}

/* Queries and rare messages in one piece: all are answered, control's in their order. */
static void
many_may_be_under_way(void **state)
{
	struct control *c = *state;
	uint8_t q[100 * 64], seen[100] = {0};
	size_t len = 0;
	start(c);
	for (unsigned i = 0; i < 100; i++)
		len += i % 4 == 0 ? notify(q + len, DO_REPLY, (uint8_t)i) : query(q + len, (uint16_t)i, "www", 1);
	int fd = client(c->service), last = -1;
	send_all(fd, q, len);
	for (unsigned i = 0; i < 100; i++) {
		assert_true(read_answer(fd) >= 12);
		unsigned id = load_be16(answer) & 0xff;
		assert_int_equal(seen[id]++, 0);
		if (answer[0] == DO_REPLY) {
			assert_true((int)id > last);
			last = (int)id;
		}
	}
	close(fd);
}

static void
silence_closes_the_connection(void **state)
{
	struct control *c = *state;
	start(c);
	int fd = ask(c, DO_DROP, 0);
	assert_true(closed_within(fd, 2000));
	close(fd);
	wait_for_drops(c, 1);
}

/* Whoever waits for control is not idle, and keeps nobody else waiting. */
static void
a_slow_control_is_waited_for(void **state)
{
	struct control *c = *state;
	c->service->config->tcp.idle_timeout_ms = 200;
	start(c);
	int fd = ask(c, DO_HOLD, 1);
	wait_for(&c->n_held, 1);
	for (uint16_t i = 0; i < 6; i++) {
		uint8_t q[64];
		int other = client(c->service);
		send_all(other, q, query(q, i, "www", 1));
		assert_answer(other, i, 1);
		close(other);
		usleep(100000);
	}
	control_tell(c, reply_all_held);
	assert_id(fd, DO_HOLD, 1);
	close(fd);
}

static void
clients_may_go_before_the_answer(void **state)
{
	struct control *c = *state;
	c->service->config->tcp.max_connections = 3; /* the server closes some of them itself */
	start(c);
	for (unsigned i = 0; i < 8; i++) {
		uint8_t q[128];
		int fd = client(c->service);
		size_t len = notify(q, DO_HOLD, 1);
		send_all(fd, q, len + notify(q + len, DO_HOLD, 2)); /* the second waits, and is never asked */
		wait_for(&c->n_held, i + 1);
		close(fd);
	}
	control_tell(c, reply_all_held);
	usleep(100000);
	int fd = ask(c, DO_REPLY, 9);
	assert_id(fd, DO_REPLY, 9);
	close(fd);
}

/* -------- streams -------- */

static void
streams_come_whole(void **state)
{
	struct control *c = *state;
	uint8_t q[64];
	start(c);
	int fd = ask(c, DO_STREAM, 100);
	wait_for(&c->n_handled, 1);
	send_all(fd, q, query(q, 7, "www", 1)); /* waits until the stream has ended */
	assert_stream(fd, 100, 1000);
	assert_answer(fd, 7, 1);
	wait_for(&c->n_freed, 1);
	usleep(20000);
	assert_int_equal(service_counts(c->service).tx, 2);
	assert_int_equal(service_counts(c->service).punt_replies, 1);
	close(fd);
}

/* Little is made ahead of a client that does not read, and others are served meanwhile. */
static void
producers_wait_for_slow_readers(void **state)
{
	struct control *c = *state;
	start(c);
	int slow = ask(c, DO_STREAM, 200);
	usleep(200000);
	unsigned pulled = c->n_pulled;
	assert_in_range(pulled, 1, 1000); /* 16 MB: what socket buffers of loopback may hold, and far from 32 */
	usleep(100000);
	assert_int_equal(c->n_pulled, pulled);
	int other = ask(c, DO_STREAM, 3);
	assert_stream(other, 3, 30);
	close(other);
	assert_stream(slow, 200, 2000);
	close(slow);
	wait_for(&c->n_freed, 2);
}

static void
a_client_that_takes_nothing_is_closed(void **state)
{
	struct control *c = *state;
	c->service->config->tcp.idle_timeout_ms = 300;
	start(c);
	int fd = ask(c, DO_STREAM, 250);
	wait_for(&c->n_freed, 1);
	assert_int_equal(service_stats(c->service).closed_slow, 1);
	wait_for_drops(c, 1);
	close(fd);
}

static void
clients_may_leave_a_stream(void **state)
{
	struct control *c = *state;
	start(c);
	for (unsigned i = 0; i < 5; i++) {
		int fd = ask(c, DO_STREAM, 200);
		assert_stream(fd, 200, i);
		close(fd);
	}
	wait_for(&c->n_freed, 5);
	wait_for_drops(c, 5);
}

static void
streams_may_fail(void **state)
{
	struct control *c = *state;
	start(c);
	int fd = ask(c, DO_BREAK, 40);
	while (read_answer(fd) >= 0) /* some of it may come */
		continue;
	close(fd);
	fd = ask(c, DO_NOTHING, 0);
	assert_true(closed_within(fd, 2000));
	close(fd);
	wait_for(&c->n_freed, 2);
	wait_for_drops(c, 2);
}

static void
many_streams_share_a_thread(void **state)
{
	struct control *c = *state;
	enum { N = 20 };
	int fds[N];
	c->service->config->tcp.threads = 1;
	start(c);
	for (unsigned i = 0; i < N; i++)
		fds[i] = ask(c, DO_STREAM, 10);
	for (unsigned k = 0; k < 100; k++) { /* none of them is far ahead of another, or this would block */
		for (unsigned i = 0; i < N; i++) {
			assert_int_equal(read_answer(fds[i]), STREAM_MESSAGE_LEN);
			assert_int_equal(load_be32(answer + 12), k);
		}
	}
	for (unsigned i = 0; i < N; i++)
		close(fds[i]);
	wait_for(&c->n_freed, N);
}

/* -------- stopping -------- */

/* Control holds some, one streams, one waits in the connection's queue: all end, once, whoever goes first. */
static void
stopping_ends_every_exchange(void **state)
{
	struct control *c = *state;
	struct service *s = c->service;
	int fds[4];
	start(c);
	for (unsigned i = 0; i < 3; i++)
		fds[i] = ask(c, DO_HOLD, (uint8_t)i);
	fds[3] = ask(c, DO_STREAM, 250);
	wait_for(&c->n_held, 3);
	wait_for(&c->n_handled, 4);
	usleep(50000);
	uint64_t before_ms = fixture_now_ms();
	tcp_stop(s->tcp);
	assert_in_range(fixture_now_ms() - before_ms, 0, 3500);
	assert_int_equal(service_counts(s).drop[DROP_PUNT_DROPPED], 4);
	tcp_close(s->tcp);
	s->tcp = NULL;
	control_tell(c, reply_all_held);
	wait_for_none(&c->n_held);
	wait_for(&c->n_freed, 1);
	for (unsigned i = 0; i < 4; i++)
		close(fds[i]);
}

/* Nobody waits for control when the service stops: control may be who stops it. */
static void
stopping_does_not_wait_for_control(void **state)
{
	struct control *c = *state;
	start(c);
	int fd = ask(c, DO_HOLD, 0);
	wait_for(&c->n_held, 1);
	uint64_t before_ms = fixture_now_ms();
	tcp_stop(c->service->tcp);
	assert_in_range(fixture_now_ms() - before_ms, 0, 1000);
	control_tell(c, reply_all_held);
	wait_for_none(&c->n_held);
	close(fd);
}

/* Control's answers and the end of the service at one time, again and again. */
static void
stopping_may_come_at_any_time(void **state)
{
	struct control *c = *state;
	struct service *s = c->service;
	for (unsigned round = 0; round < 30; round++) {
		uint8_t q[32 * 64];
		size_t len = 0;
		unsigned n_before = c->n_handled;
		start(c);
		for (unsigned i = 0; i < 30; i++)
			len += notify(q + len, i % 3 == 2 ? DO_STREAM : DO_REPLY, 1);
		int fd = client(s);
		send_all(fd, q, len);
		for (unsigned us = 0; c->n_handled == n_before && us < 100000; us++)
			usleep(1);
		usleep(round * 20);
		close(fd);
		tcp_stop(s->tcp);
		tcp_close(s->tcp);
		s->tcp = NULL;
	}
}

static void
stop_inquiries(struct control *c)
{
	inquiries_stop(c->all);
}

/* After control has stopped, what comes is dropped. */
static void
control_may_stop_first(void **state)
{
	struct control *c = *state;
	start(c);
	control_tell(c, stop_inquiries);
	usleep(50000);
	int fd = ask(c, DO_REPLY, 0);
	assert_true(closed_within(fd, 2000));
	wait_for_drops(c, 1);
	assert_int_equal(c->n_handled, 0);
	close(fd);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(control_replies),
		TEST(many_may_be_under_way),
		TEST(silence_closes_the_connection),
		TEST(a_slow_control_is_waited_for),
		TEST(clients_may_go_before_the_answer),
		TEST(streams_come_whole),
		TEST(producers_wait_for_slow_readers),
		TEST(a_client_that_takes_nothing_is_closed),
		TEST(clients_may_leave_a_stream),
		TEST(streams_may_fail),
		TEST(many_streams_share_a_thread),
		TEST(stopping_ends_every_exchange),
		TEST(stopping_does_not_wait_for_control),
		TEST(stopping_may_come_at_any_time),
		TEST(control_may_stop_first),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
