/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Streams to other servers, against real peers on the loopback: framing, pauses, time, and every way to end. What
 * does not depend on TCP itself is done twice, without TLS and with it.
 */
#include "tests/unit/control/stream_fixture.h"

#include <arpa/inet.h>
#include <errno.h>
#include <sys/socket.h>

/* -------- messages -------- */

static void
messages_go_both_ways(void **state)
{
	struct peer *p = *state;
	peer_connect(p);
	uint8_t msg[40];
	peer_fill(msg, sizeof(msg), 1);
	assert_int_equal(stream_send(p->stream, msg, sizeof(msg)), 0);
	peer_assert_gets(p, sizeof(msg), 1);
	uint8_t out[300];
	peer_send(p, out, peer_frame(out, 298, 2));
	RUN_UNTIL(p, p->messages);
	peer_assert_last(p, 298, 2);
}

static void
ipv6_is_spoken(void **state)
{
	struct peer *p = *state;
	close(p->listener);
	peer_listen(p, AF_INET6);
	peer_connect(p);
	uint8_t out[32];
	peer_send(p, out, peer_frame(out, 30, 3));
	RUN_UNTIL(p, p->messages);
	peer_assert_last(p, 30, 3);
}

static void
what_is_sent_early_waits_and_keeps_its_order(void **state)
{
	struct peer *p = *state;
	uint8_t msg[100];
	peer_open(p);
	for (unsigned i = 0; i < 3; i++) {
		peer_fill(msg, 10 + i, i);
		assert_int_equal(stream_send(p->stream, msg, 10 + i), 0);
	}
	peer_accept(p);
	for (unsigned i = 0; i < 3; i++)
		peer_assert_gets(p, 10 + i, i);
}

/* Before the connection stands, and on one that does. */
static void
what_is_sent_corked_goes_out_in_one_piece(void **state)
{
	struct peer *p = *state;
	uint8_t msg[100], octet;
	peer_open(p);
	for (unsigned turn = 0; turn < 2; turn++) {
		stream_cork(p->stream);
		for (unsigned i = 0; i < 3; i++) {
			peer_fill(msg, 10 + i, i);
			assert_int_equal(stream_send(p->stream, msg, 10 + i), 0);
		}
		if (turn == 0)
			peer_accept(p);
		peer_run_for(p, 20);
		assert_int_equal(recv(p->fd, &octet, 1, MSG_PEEK | MSG_DONTWAIT), -1);
		stream_uncork(p->stream);
		for (unsigned i = 0; i < 3; i++)
			peer_assert_gets(p, 10 + i, i);
	}
}

static void
every_split_of_two_messages_is_joined(void **state)
{
	struct peer *p = *state;
	uint8_t out[64];
	size_t len = peer_frame(out, 12, 1);
	len += peer_frame(out + len, 20, 2);
	peer_connect(p);
	for (size_t cut = 1; cut < len; cut++) {
		unsigned before = p->messages;
		peer_send(p, out, cut);
		peer_run_for(p, p->options.tls ? 3 : 1);
		if (!p->options.tls) /* the relay takes its time */
			assert_int_equal(p->messages - before, cut >= 14);
		peer_send(p, out + cut, len - cut);
		RUN_UNTIL(p, p->messages == before + 2);
		peer_assert_last(p, 20, 2);
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
		len += peer_frame(out + len, n % 90, n);
	peer_connect(p);
	peer_send(p, out, len);
	RUN_UNTIL(p, p->messages == n);
	assert_int_equal(p->octets, len - 2 * n);
	peer_assert_last(p, (n - 1) % 90, n - 1);
}

static void
an_empty_message_is_a_message(void **state)
{
	struct peer *p = *state;
	peer_connect(p);
	peer_send(p, "\0\0", 2);
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
	peer_connect(p);
	p->echo_at_message = true;
	for (unsigned i = 0; i < N; i++) {
		peer_frame(out, MESSAGE_MAX, i);
		for (size_t sent = 0; sent < sizeof(out); uv_run(&p->loop, UV_RUN_NOWAIT)) {
			ssize_t step = send(p->fd, out + sent, sizeof(out) - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
			assert_true(step > 0 || errno == EAGAIN);
			sent += step > 0 ? (size_t)step : 0;
		}
	}
	RUN_UNTIL(p, p->messages == N);
	peer_assert_last(p, MESSAGE_MAX, N - 1);
	for (unsigned i = 0; i < N; i++)
		peer_assert_gets(p, MESSAGE_MAX, i);
}

/* -------- pauses -------- */

static void
a_pause_inside_a_message_holds_the_rest(void **state)
{
	struct peer *p = *state;
	uint8_t out[100];
	size_t len = 0;
	for (unsigned i = 0; i < 4; i++)
		len += peer_frame(out + len, 20, i);
	peer_connect(p);
	p->pause_at_message = true;
	peer_send(p, out, len);
	for (unsigned i = 0; i < 4; i++) {
		RUN_UNTIL(p, p->messages == i + 1);
		peer_run_for(p, 5);
		assert_int_equal(p->messages, i + 1);
		peer_assert_last(p, 20, i);
		stream_resume(p->stream);
		assert_int_equal(p->messages, i + 1); /* not from inside the call */
	}
}

static void
a_pause_slows_the_peer_down(void **state)
{
	struct peer *p = *state;
	static uint8_t out[MESSAGE_MAX + 2];
	peer_connect(p);
	stream_pause(p->stream);
	int small = 65536;
	setsockopt(p->fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	peer_frame(out, MESSAGE_MAX, 0);
	size_t sent = 0, cap = 64u << 20;
	for (unsigned refused = 0; refused < 100 && sent < cap; peer_run_for(p, 1)) {
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
	size_t len = peer_frame(out, 20, 1);
	len += peer_frame(out + len, 21, 2);
	peer_connect(p);
	p->pause_at_message = true;
	peer_send(p, out, len);
	close(p->fd);
	p->fd = -1;
	RUN_UNTIL(p, p->messages == 1);
	peer_run_for(p, 20);
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
	peer_connect(p);
	stream_pause(p->stream);
	stream_resume(p->stream);
	peer_send(p, out, peer_frame(out, 30, 3));
	RUN_UNTIL(p, p->messages);
}

/* -------- ends -------- */

static void
the_peer_closes_between_messages(void **state)
{
	struct peer *p = *state;
	uint8_t out[32];
	peer_connect(p);
	peer_send(p, out, peer_frame(out, 30, 3));
	shutdown(p->fd, SHUT_WR);
	RUN_UNTIL(p, p->closed);
	assert_int_equal(p->messages, 1);
	assert_int_equal(p->err, 0);
	assert_string_equal(p->why, "closed by the peer");
	assert_int_equal(stream_send(p->stream, out, 1), 0); /* of no use, and no harm */
	stream_pause(p->stream);
	stream_resume(p->stream);
	peer_run_for(p, 5);
	assert_int_equal(p->closed, 1);
}

static void
the_peer_closes_inside_a_message(void **state)
{
	for (size_t cut = 1; cut < 32; cut++) {
		if (cut > 1) {
			bool has_tls = ((struct peer *)*state)->options.tls;
			peer_teardown(state);
			(has_tls ? peer_setup_tls : peer_setup)(state);
		}
		struct peer *p = *state;
		uint8_t out[32];
		peer_connect(p);
		peer_frame(out, 30, 3);
		peer_send(p, out, cut);
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
	peer_connect(p);
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
	peer_open(p);
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
	peer_open(p);
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
	peer_open(p);
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
	peer_connect(p);
	uint64_t begin_ms = fixture_now_ms();
	peer_run_for(p, 120);
	peer_send(p, "\0", 1); /* one octet is a sign of life */
	peer_run_for(p, 120);
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
	peer_connect(p);
	stream_pause(p->stream);
	peer_run_for(p, 250);
	assert_int_equal(p->closed, 0);
	stream_resume(p->stream);
	peer_run_for(p, 50);
	assert_int_equal(p->closed, 0);
	RUN_UNTIL(p, p->closed);
	assert_int_equal(p->err, -ETIMEDOUT);
}

/* -------- closing, at any time -------- */

static void
closing_before_the_connection_stands(void **state)
{
	struct peer *p = *state;
	peer_open(p);
	assert_int_equal(stream_send(p->stream, (const uint8_t *)"x", 1), 0);
	stream_close(p->stream);
	p->stream = NULL;
	peer_run_for(p, 20);
	assert_int_equal(p->connected + p->closed, 0);
}

static void
closing_in_connected(void **state)
{
	struct peer *p = *state;
	p->close_when_connected = true;
	peer_open(p);
	assert_int_equal(stream_send(p->stream, (const uint8_t *)"x", 1), 0);
	peer_accept(p);
	RUN_UNTIL(p, p->connected);
	peer_run_for(p, 20);
	assert_int_equal(p->closed, 0);
}

static void
closing_in_message(void **state)
{
	struct peer *p = *state;
	uint8_t out[100];
	size_t len = peer_frame(out, 20, 1);
	len += peer_frame(out + len, 21, 2);
	p->close_at_message = true;
	peer_connect(p);
	peer_send(p, out, len);
	RUN_UNTIL(p, p->messages);
	peer_run_for(p, 20);
	assert_int_equal(p->messages, 1);
	assert_int_equal(p->closed, 0);
	peer_assert_last(p, 20, 1);
}

static void
closing_in_closed(void **state)
{
	struct peer *p = *state;
	p->close_when_closed = true;
	peer_connect(p);
	shutdown(p->fd, SHUT_WR);
	RUN_UNTIL(p, p->closed);
	peer_run_for(p, 20);
	assert_int_equal(p->closed, 1);
}

static void
closing_with_octets_unsent(void **state)
{
	struct peer *p = *state;
	static uint8_t msg[MESSAGE_MAX];
	peer_connect(p);
	for (unsigned i = 0; i < 200; i++)
		assert_int_equal(stream_send(p->stream, msg, sizeof(msg)), 0);
	stream_close(p->stream);
	p->stream = NULL;
	peer_run_for(p, 20);
	assert_int_equal(p->closed, 0);
}

/* -------- TLS -------- */

static void
a_message_from_before_the_handshake_is_sent_after_it(void **state)
{
	struct peer *p = *state;
	uint8_t msg[100];
	peer_fill(msg, sizeof(msg), 1);
	peer_open(p);
	assert_int_equal(stream_send(p->stream, msg, sizeof(msg)), 0);
	peer_accept(p);
	peer_assert_gets(p, sizeof(msg), 1);
	assert_int_equal(p->connected, 1);
}

static void
a_peer_of_another_name_gets_nothing(void **state)
{
	struct peer *p = *state;
	peer_trust(p, "ns2.example");
	peer_open(p);
	assert_int_equal(stream_send(p->stream, (const uint8_t *)"secret", 6), 0);
	peer_accept(p);
	RUN_UNTIL(p, p->closed);
	assert_int_equal(p->connected, 0);
	assert_int_equal(p->err, -EPROTO);
	assert_string_equal(p->why, "name mismatch: wanted ns2.example, the certificate is for ns1.example");
	peer_run_for(p, 20);
	uint8_t got[1];
	assert_true(recv(p->fd, got, 1, MSG_DONTWAIT) <= 0);
}

static void
accept_plain(struct peer *p)
{
	p->fd = accept(p->listener, NULL, NULL);
	assert_true(p->fd >= 0);
}

static void
a_peer_without_tls_is_told_apart(void **state)
{
	struct peer *p = *state;
	peer_open(p);
	accept_plain(p);
	uint8_t out[40];
	peer_send(p, out, peer_frame(out, 38, 1));
	RUN_UNTIL(p, p->closed);
	assert_int_equal(p->err, -EPROTO);
	assert_string_equal(p->why, "TLS: wrong version number");
}

static void
the_peer_closes_in_the_handshake(void **state)
{
	struct peer *p = *state;
	peer_open(p);
	accept_plain(p);
	shutdown(p->fd, SHUT_WR);
	RUN_UNTIL(p, p->closed);
	assert_int_equal(p->err, -EPROTO);
	assert_string_equal(p->why, "closed by the peer in the TLS handshake");
}

static void
a_handshake_that_takes_too_long_is_given_up(void **state)
{
	struct peer *p = *state;
	p->options.connect_ms = 150;
	peer_open(p);
	accept_plain(p);
	peer_run_for(p, 80);
	peer_send(p, "\x16\3\3", 3); /* the beginning of a record is no handshake */
	RUN_UNTIL(p, p->closed);
	assert_int_equal(p->err, -ETIMEDOUT);
	assert_string_equal(p->why, "no connection within 150 ms");
}

static void
the_peer_hears_our_goodbye(void **state)
{
	struct peer *p = *state;
	peer_connect(p);
	stream_close(p->stream);
	p->stream = NULL;
	peer_run_for(p, 20);
	uint8_t got[1];
	assert_int_equal(recv(p->fd, got, 1, 0), 0); /* the relay passes on no other end */
}

#define TLS(function)                                                                                              \
	{                                                                                                          \
#function " (TLS)", function, peer_setup_tls, peer_teardown, NULL                                  \
	}
#define TEST(function) cmocka_unit_test_setup_teardown(function, peer_setup, peer_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(messages_go_both_ways),
		TEST(ipv6_is_spoken),
		TEST(what_is_sent_early_waits_and_keeps_its_order),
		TEST(what_is_sent_corked_goes_out_in_one_piece),
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
		TLS(messages_go_both_ways),
		TLS(ipv6_is_spoken),
		TLS(what_is_sent_early_waits_and_keeps_its_order),
		TLS(what_is_sent_corked_goes_out_in_one_piece),
		TLS(every_split_of_two_messages_is_joined),
		TLS(many_messages_come_in_one_segment),
		TLS(an_empty_message_is_a_message),
		TLS(the_longest_messages_pass),
		TLS(a_pause_inside_a_message_holds_the_rest),
		TLS(a_pause_slows_the_peer_down),
		TLS(the_end_waits_behind_what_a_pause_holds),
		TLS(a_pause_that_ends_at_once_changes_nothing),
		TLS(the_peer_closes_between_messages),
		TLS(the_peer_closes_inside_a_message),
		TLS(nobody_listens),
		TLS(a_silent_peer_is_given_up),
		TLS(idle_time_does_not_run_in_a_pause),
		TLS(closing_before_the_connection_stands),
		TLS(closing_in_connected),
		TLS(closing_in_message),
		TLS(closing_in_closed),
		TLS(closing_with_octets_unsent),
		TLS(a_message_from_before_the_handshake_is_sent_after_it),
		TLS(a_peer_of_another_name_gets_nothing),
		TLS(a_peer_without_tls_is_told_apart),
		TLS(the_peer_closes_in_the_handshake),
		TLS(a_handshake_that_takes_too_long_is_given_up),
		TLS(the_peer_hears_our_goodbye),
	};
	return cmocka_run_group_tests(tests, peer_setup_files, peer_teardown_files);
}
