/* SPDX-License-Identifier: Apache-2.0 */
/* Streams to other servers, against real peers on the loopback: framing, pauses, time, and every way to end. */
#include "tests/unit/control/control_fixture.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>

#include "control/stream.h"
#include "zones/base/bytes.h"

enum { MESSAGE_MAX = 65535, PATIENCE_MS = 5000 };

/* -------- a stream, and what was heard of it -------- */

struct peer {
	uv_loop_t loop;
	uv_timer_t patience;
	bool is_out_of_patience;
	int listener, fd;
	struct stream *stream;
	struct stream_options options;
	unsigned connected, messages, closed;
	int err;
	char why[256];
	uint8_t last[MESSAGE_MAX];
	size_t last_len;
	uint64_t octets; /* of all messages */
	/* What the callbacks shall do. */
	bool close_when_connected, close_at_message, close_when_closed, pause_at_message, echo_at_message;
};

static void
on_connected(void *arg)
{
	struct peer *p = arg;
	p->connected++;
	if (!p->close_when_connected)
		return;
	stream_close(p->stream);
	p->stream = NULL;
}

static void
on_message(void *arg, const uint8_t *msg, size_t len)
{
	struct peer *p = arg;
	assert_int_equal(p->connected, 1);
	assert_int_equal(p->closed, 0);
	p->messages++;
	p->octets += len;
	if (p->pause_at_message)
		stream_pause(p->stream);
	if (p->echo_at_message)
		assert_int_equal(stream_send(p->stream, msg, len), 0);
	if (p->close_at_message) {
		stream_close(p->stream);
		p->stream = NULL;
	}
	memcpy(p->last, msg, len); /* it is there until we return, whatever was done */
	p->last_len = len;
}

static void
on_closed(void *arg, int err, const char *why)
{
	struct peer *p = arg;
	p->closed++;
	p->err = err;
	snprintf(p->why, sizeof(p->why), "%s", why);
	if (!p->close_when_closed)
		return;
	stream_close(p->stream);
	p->stream = NULL;
}

static void
patience_ended(uv_timer_t *t)
{
	((struct peer *)t->data)->is_out_of_patience = true;
}

/* Not UV_RUN_ONCE, which waits for I/O after a timer that may have been all there was. */
#define RUN_UNTIL(p, condition)                                                                                    \
	do {                                                                                                       \
		for (; !(condition) && !(p)->is_out_of_patience; usleep(200))                                      \
			uv_run(&(p)->loop, UV_RUN_NOWAIT);                                                         \
		assert_true(condition);                                                                            \
	} while (0)

/* Lets the loop do what it has, for a while. */
static void
run_for(struct peer *p, uint64_t ms)
{
	for (uint64_t end = fixture_now_ms() + ms; fixture_now_ms() < end; usleep(1000))
		uv_run(&p->loop, UV_RUN_NOWAIT);
}

/* -------- setting up -------- */

static void
listen_at(struct peer *p, sa_family_t family)
{
	struct config_address *a = &p->options.address;
	if (family == AF_INET) {
		a->v4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
		a->len = sizeof(a->v4);
	} else {
		a->v6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
		a->len = sizeof(a->v6);
	}
	p->listener = socket(family, SOCK_STREAM, 0);
	assert_true(p->listener >= 0);
	assert_int_equal(bind(p->listener, &a->any, a->len), 0);
	assert_int_equal(listen(p->listener, 8), 0);
	assert_int_equal(getsockname(p->listener, &a->any, &a->len), 0);
}

static int
setup(void **state)
{
	struct peer *p = calloc(1, sizeof(*p));
	assert_int_equal(uv_loop_init(&p->loop), 0);
	uv_timer_init(&p->loop, &p->patience);
	p->patience.data = p;
	uv_timer_start(&p->patience, patience_ended, PATIENCE_MS, 0);
	p->fd = -1;
	p->options.connect_ms = p->options.idle_ms = 2 * PATIENCE_MS;
	listen_at(p, AF_INET);
	*state = p;
	return 0;
}

static int
teardown(void **state)
{
	struct peer *p = *state;
	stream_close(p->stream);
	uv_close((uv_handle_t *)&p->patience, NULL);
	uv_run(&p->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&p->loop), 0); /* nothing of the stream is left */
	if (p->fd >= 0)
		close(p->fd);
	if (p->listener >= 0)
		close(p->listener);
	free(p);
	return 0;
}

static void
open_stream(struct peer *p)
{
	const struct stream_events events = {on_connected, on_message, on_closed, p};
	assert_int_equal(stream_open(&p->loop, &p->options, &events, &p->stream), 0);
	assert_int_equal(p->connected + p->closed, 0);
}

static void
accept_stream(struct peer *p)
{
	p->fd = accept(p->listener, NULL, NULL);
	assert_true(p->fd >= 0);
}

static void
connect_stream(struct peer *p)
{
	open_stream(p);
	accept_stream(p);
	RUN_UNTIL(p, p->connected);
}

static void
fill(uint8_t *out, size_t len, unsigned seed)
{
	for (size_t i = 0; i < len; i++)
		out[i] = (uint8_t)(i * 7 + i / 256 + seed);
}

static size_t
frame(uint8_t *out, size_t len, unsigned seed)
{
	store_be16(out, (uint16_t)len);
	fill(out + 2, len, seed);
	return len + 2;
}

static void
peer_sends(struct peer *p, const void *data, size_t len)
{
	assert_int_equal(send(p->fd, data, len, MSG_NOSIGNAL), (ssize_t)len);
}

static void
assert_last(const struct peer *p, size_t len, unsigned seed)
{
	static uint8_t want[MESSAGE_MAX];
	fill(want, len, seed);
	assert_int_equal(p->last_len, len);
	assert_memory_equal(p->last, want, len);
}

/* Reads one frame of the stream; the loop runs on meanwhile, as it may have to send. */
static void
assert_peer_gets(struct peer *p, size_t len, unsigned seed)
{
	static uint8_t got[MESSAGE_MAX + 2], want[MESSAGE_MAX + 2];
	frame(want, len, seed);
	for (size_t n = 0; n < len + 2;) {
		assert_false(p->is_out_of_patience);
		uv_run(&p->loop, UV_RUN_NOWAIT);
		ssize_t step = recv(p->fd, got + n, len + 2 - n, MSG_DONTWAIT);
		assert_true(step > 0 || (step < 0 && errno == EAGAIN));
		n += step > 0 ? (size_t)step : 0;
	}
	assert_memory_equal(got, want, len + 2);
}

/* -------- messages -------- */

static void
messages_go_both_ways(void **state)
{
	struct peer *p = *state;
	connect_stream(p);
	uint8_t msg[40];
	fill(msg, sizeof(msg), 1);
	assert_int_equal(stream_send(p->stream, msg, sizeof(msg)), 0);
	assert_peer_gets(p, sizeof(msg), 1);
	uint8_t out[300];
	peer_sends(p, out, frame(out, 298, 2));
	RUN_UNTIL(p, p->messages);
	assert_last(p, 298, 2);
}

static void
ipv6_is_spoken(void **state)
{
	struct peer *p = *state;
	close(p->listener);
	listen_at(p, AF_INET6);
	connect_stream(p);
	uint8_t out[32];
	peer_sends(p, out, frame(out, 30, 3));
	RUN_UNTIL(p, p->messages);
	assert_last(p, 30, 3);
}

static void
what_is_sent_early_waits_and_keeps_its_order(void **state)
{
	struct peer *p = *state;
	uint8_t msg[100];
	open_stream(p);
	for (unsigned i = 0; i < 3; i++) {
		fill(msg, 10 + i, i);
		assert_int_equal(stream_send(p->stream, msg, 10 + i), 0);
	}
	accept_stream(p);
	for (unsigned i = 0; i < 3; i++)
		assert_peer_gets(p, 10 + i, i);
}

static void
every_split_of_two_messages_is_joined(void **state)
{
	struct peer *p = *state;
	uint8_t out[64];
	size_t len = frame(out, 12, 1);
	len += frame(out + len, 20, 2);
	connect_stream(p);
	for (size_t cut = 1; cut < len; cut++) {
		unsigned before = p->messages;
		peer_sends(p, out, cut);
		run_for(p, 1);
		assert_int_equal(p->messages - before, cut >= 14);
		peer_sends(p, out + cut, len - cut);
		RUN_UNTIL(p, p->messages == before + 2);
		assert_last(p, 20, 2);
	}
}

static void
many_messages_come_in_one_segment(void **state)
{
	struct peer *p = *state;
	static uint8_t out[60000];
	size_t len = 0;
	unsigned n = 0;
	for (; len < sizeof(out) - 100; n++)
		len += frame(out + len, n % 90, n);
	connect_stream(p);
	peer_sends(p, out, len);
	RUN_UNTIL(p, p->messages == n);
	assert_int_equal(p->octets, len - 2 * n);
	assert_last(p, (n - 1) % 90, n - 1);
}

static void
an_empty_message_is_a_message(void **state)
{
	struct peer *p = *state;
	connect_stream(p);
	peer_sends(p, "\0\0", 2);
	RUN_UNTIL(p, p->messages == 1);
	assert_int_equal(p->last_len, 0);
}

/* Both directions are full at times, so that everything is cut at any place. */
static void
the_longest_messages_pass(void **state)
{
	struct peer *p = *state;
	static uint8_t out[MESSAGE_MAX + 2];
	enum { N = 20 };
	connect_stream(p);
	p->echo_at_message = true;
	for (unsigned i = 0; i < N; i++) {
		frame(out, MESSAGE_MAX, i);
		for (size_t sent = 0; sent < sizeof(out); uv_run(&p->loop, UV_RUN_NOWAIT)) {
			ssize_t step = send(p->fd, out + sent, sizeof(out) - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
			assert_true(step > 0 || errno == EAGAIN);
			sent += step > 0 ? (size_t)step : 0;
		}
	}
	RUN_UNTIL(p, p->messages == N);
	assert_last(p, MESSAGE_MAX, N - 1);
	for (unsigned i = 0; i < N; i++)
		assert_peer_gets(p, MESSAGE_MAX, i);
}

/* -------- pauses -------- */

static void
a_pause_inside_a_message_holds_the_rest(void **state)
{
	struct peer *p = *state;
	uint8_t out[100];
	size_t len = 0;
	for (unsigned i = 0; i < 4; i++)
		len += frame(out + len, 20, i);
	connect_stream(p);
	p->pause_at_message = true;
	peer_sends(p, out, len);
	for (unsigned i = 0; i < 4; i++) {
		RUN_UNTIL(p, p->messages == i + 1);
		run_for(p, 5);
		assert_int_equal(p->messages, i + 1);
		assert_last(p, 20, i);
		stream_resume(p->stream);
		assert_int_equal(p->messages, i + 1); /* not from inside the call */
	}
}

static void
a_pause_slows_the_peer_down(void **state)
{
	struct peer *p = *state;
	static uint8_t out[MESSAGE_MAX + 2];
	connect_stream(p);
	stream_pause(p->stream);
	int small = 65536;
	setsockopt(p->fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	frame(out, MESSAGE_MAX, 0);
	size_t sent = 0, cap = 64u << 20;
	for (unsigned refused = 0; refused < 100 && sent < cap; run_for(p, 1)) {
		ssize_t step = send(p->fd, out + sent % sizeof(out), sizeof(out) - sent % sizeof(out),
				    MSG_DONTWAIT | MSG_NOSIGNAL);
		refused = step > 0 ? 0 : refused + 1;
		sent += step > 0 ? (size_t)step : 0;
	}
	assert_true(sent < cap);
	assert_int_equal(p->messages, 0);
	stream_resume(p->stream);
	RUN_UNTIL(p, p->messages == sent / sizeof(out));
}

static void
the_end_waits_behind_what_a_pause_holds(void **state)
{
	struct peer *p = *state;
	uint8_t out[100];
	size_t len = frame(out, 20, 1);
	len += frame(out + len, 21, 2);
	connect_stream(p);
	p->pause_at_message = true;
	peer_sends(p, out, len);
	close(p->fd);
	p->fd = -1;
	RUN_UNTIL(p, p->messages == 1);
	run_for(p, 20);
	assert_int_equal(p->closed, 0);
	p->pause_at_message = false;
	stream_resume(p->stream);
	RUN_UNTIL(p, p->closed);
	assert_int_equal(p->messages, 2);
	assert_int_equal(p->err, 0);
}

static void
a_pause_that_ends_at_once_changes_nothing(void **state)
{
	struct peer *p = *state;
	uint8_t out[32];
	connect_stream(p);
	stream_pause(p->stream);
	stream_resume(p->stream);
	peer_sends(p, out, frame(out, 30, 3));
	RUN_UNTIL(p, p->messages);
}

/* -------- ends -------- */

static void
the_peer_closes_between_messages(void **state)
{
	struct peer *p = *state;
	uint8_t out[32];
	connect_stream(p);
	peer_sends(p, out, frame(out, 30, 3));
	shutdown(p->fd, SHUT_WR);
	RUN_UNTIL(p, p->closed);
	assert_int_equal(p->messages, 1);
	assert_int_equal(p->err, 0);
	assert_string_equal(p->why, "closed by the peer");
	assert_int_equal(stream_send(p->stream, out, 1), 0); /* of no use, and no harm */
	stream_pause(p->stream);
	stream_resume(p->stream);
	run_for(p, 5);
	assert_int_equal(p->closed, 1);
}

static void
the_peer_closes_inside_a_message(void **state)
{
	for (size_t cut = 1; cut < 32; cut++) {
		if (cut > 1) {
			teardown(state);
			setup(state);
		}
		struct peer *p = *state;
		uint8_t out[32];
		connect_stream(p);
		frame(out, 30, 3);
		peer_sends(p, out, cut);
		shutdown(p->fd, SHUT_WR);
		RUN_UNTIL(p, p->closed);
		assert_int_equal(p->messages, 0);
		assert_int_equal(p->err, -EPROTO);
		assert_string_equal(p->why, "closed by the peer inside a message");
	}
}

static void
the_peer_resets(void **state)
{
	struct peer *p = *state;
	connect_stream(p);
	struct linger now = {.l_onoff = 1};
	setsockopt(p->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(p->fd);
	p->fd = -1;
	RUN_UNTIL(p, p->closed);
	assert_int_equal(p->err, -ECONNRESET);
}

static void
nobody_listens(void **state)
{
	struct peer *p = *state;
	close(p->listener);
	p->listener = -1;
	open_stream(p);
	assert_int_equal(stream_send(p->stream, (const uint8_t *)"x", 1), 0);
	RUN_UNTIL(p, p->closed);
	assert_int_equal(p->connected, 0);
	assert_int_equal(p->err, -ECONNREFUSED);
	assert_string_equal(p->why, "connection refused");
}

/* TCP has no way to a multicast address, and says so at once; the owner hears of it from the loop all the same. */
static void
there_is_no_way(void **state)
{
	struct peer *p = *state;
	inet_pton(AF_INET, "224.0.0.1", &p->options.address.v4.sin_addr);
	open_stream(p);
	RUN_UNTIL(p, p->closed);
	assert_true(p->err < 0);
	assert_string_not_equal(p->why, "");
}

/* With a queue of one that is full, the kernel lets a further SYN go unanswered. */
static void
the_connection_is_not_accepted_in_time(void **state)
{
	struct peer *p = *state;
	int fds[8];
	assert_int_equal(listen(p->listener, 0), 0);
	for (unsigned i = 0; i < 8; i++) {
		fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		connect(fds[i], &p->options.address.any, p->options.address.len);
	}
	p->options.connect_ms = 200;
	open_stream(p);
	RUN_UNTIL(p, p->closed);
	assert_int_equal(p->err, -ETIMEDOUT);
	assert_string_equal(p->why, "no connection within 200 ms");
	for (unsigned i = 0; i < 8; i++)
		close(fds[i]);
}

static void
a_silent_peer_is_given_up(void **state)
{
	struct peer *p = *state;
	p->options.idle_ms = 200;
	connect_stream(p);
	uint64_t begin_ms = fixture_now_ms();
	run_for(p, 120);
	peer_sends(p, "\0", 1); /* one octet is a sign of life */
	run_for(p, 120);
	assert_int_equal(p->closed, 0);
	RUN_UNTIL(p, p->closed);
	assert_true(fixture_now_ms() - begin_ms >= 300);
	assert_int_equal(p->err, -ETIMEDOUT);
	assert_non_null(strstr(p->why, "silent for "));
}

static void
idle_time_does_not_run_in_a_pause(void **state)
{
	struct peer *p = *state;
	p->options.idle_ms = 100;
	connect_stream(p);
	stream_pause(p->stream);
	run_for(p, 250);
	assert_int_equal(p->closed, 0);
	stream_resume(p->stream);
	run_for(p, 50);
	assert_int_equal(p->closed, 0);
	RUN_UNTIL(p, p->closed);
	assert_int_equal(p->err, -ETIMEDOUT);
}

/* -------- closing, at any time -------- */

static void
closing_before_the_connection_stands(void **state)
{
	struct peer *p = *state;
	open_stream(p);
	assert_int_equal(stream_send(p->stream, (const uint8_t *)"x", 1), 0);
	stream_close(p->stream);
	p->stream = NULL;
	run_for(p, 20);
	assert_int_equal(p->connected + p->closed, 0);
}

static void
closing_in_connected(void **state)
{
	struct peer *p = *state;
	p->close_when_connected = true;
	open_stream(p);
	assert_int_equal(stream_send(p->stream, (const uint8_t *)"x", 1), 0);
	RUN_UNTIL(p, p->connected);
	run_for(p, 20);
	assert_int_equal(p->closed, 0);
}

static void
closing_in_message(void **state)
{
	struct peer *p = *state;
	uint8_t out[100];
	size_t len = frame(out, 20, 1);
	len += frame(out + len, 21, 2);
	p->close_at_message = true;
	connect_stream(p);
	peer_sends(p, out, len);
	RUN_UNTIL(p, p->messages);
	run_for(p, 20);
	assert_int_equal(p->messages, 1);
	assert_int_equal(p->closed, 0);
	assert_last(p, 20, 1);
}

static void
closing_in_closed(void **state)
{
	struct peer *p = *state;
	p->close_when_closed = true;
	connect_stream(p);
	shutdown(p->fd, SHUT_WR);
	RUN_UNTIL(p, p->closed);
	run_for(p, 20);
	assert_int_equal(p->closed, 1);
}

static void
closing_with_octets_unsent(void **state)
{
	struct peer *p = *state;
	static uint8_t msg[MESSAGE_MAX];
	connect_stream(p);
	for (unsigned i = 0; i < 200; i++)
		assert_int_equal(stream_send(p->stream, msg, sizeof(msg)), 0);
	stream_close(p->stream);
	p->stream = NULL;
	run_for(p, 20);
	assert_int_equal(p->closed, 0);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(messages_go_both_ways),
		TEST(ipv6_is_spoken),
		TEST(what_is_sent_early_waits_and_keeps_its_order),
		TEST(every_split_of_two_messages_is_joined),
		TEST(many_messages_come_in_one_segment),
		TEST(an_empty_message_is_a_message),
		TEST(the_longest_messages_pass),
		TEST(a_pause_inside_a_message_holds_the_rest),
		TEST(a_pause_slows_the_peer_down),
		TEST(the_end_waits_behind_what_a_pause_holds),
		TEST(a_pause_that_ends_at_once_changes_nothing),
		TEST(the_peer_closes_between_messages),
		TEST(the_peer_closes_inside_a_message),
		TEST(the_peer_resets),
		TEST(nobody_listens),
		TEST(there_is_no_way),
		TEST(the_connection_is_not_accepted_in_time),
		TEST(a_silent_peer_is_given_up),
		TEST(idle_time_does_not_run_in_a_pause),
		TEST(closing_before_the_connection_stands),
		TEST(closing_in_connected),
		TEST(closing_in_message),
		TEST(closing_in_closed),
		TEST(closing_with_octets_unsent),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
