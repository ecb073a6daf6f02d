/* SPDX-License-Identifier: Apache-2.0 */
/* DNS over TCP against real loopback sockets: framing, pipelining, and what a client may not do. */
#include "tests/unit/control/tcp_fixture.h"

#include <arpa/inet.h>
#include <errno.h>
#include <sys/socket.h>

#include "control/base/thread.h"
#include "zones/base/bytes.h"

/* -------- framing -------- */

static void
answers_one_query_exactly(void **state)
{
	struct service *s = *state;
	static const uint8_t expected[] = {
		0x12, 0x34, 0x84, 0x00, 0, 1,   0,   1,   0,   0,   0,   0,                    /* header */
		3,    'w',  'w',  'w',  7, 'e', 'x', 'a', 'm', 'p', 'l', 'e', 0,   0, 1, 0, 1, /* question */
		0xc0, 0x0c, 0,    1,    0, 1,   0,   0,   0,   60,  0,   4,   192, 0, 2, 2,    /* answer */
	};
	uint8_t q[64];
	service_start(s);
	int fd = client(s);
	send_all(fd, q, query(q, 0x1234, "www", 1));
	assert_int_equal(read_answer(fd), sizeof(expected));
	assert_memory_equal(answer, expected, sizeof(expected));
	close(fd);
}

static void
takes_a_query_octet_by_octet(void **state)
{
	struct service *s = *state;
	uint8_t q[128];
	service_start(s);
	int fd = client(s);
	size_t len = query(q, 1, "www", 1);
	len += query(q + len, 2, "ns", 1);
	for (size_t i = 0; i < len; i++) {
		send_all(fd, q + i, 1);
		usleep(300);
	}
	assert_answer(fd, 1, 1);
	assert_answer(fd, 2, 1);
	close(fd);
}

static void
answers_pipelined_queries_in_order(void **state)
{
	struct service *s = *state;
	static uint8_t q[1000 * 64];
	size_t len = 0;
	service_start(s);
	for (uint16_t i = 0; i < 1000; i++)
		len += query(q + len, i, i % 3 ? "www" : "ns", 1);
	int fd = client(s);
	send_all(fd, q, len);
	for (uint16_t i = 0; i < 1000; i++)
		assert_answer(fd, i, 1);
	usleep(50000);
	struct counters c = service_counts(s);
	assert_int_equal(c.rx, 1000);
	assert_int_equal(c.tx, 1000);
	assert_int_equal(c.queries_v4, 1000);
	close(fd);
}

static void
large_answers_come_whole(void **state)
{
	struct service *s = *state;
	uint8_t q[64];
	service_start(s);
	int fd = client(s);
	for (uint16_t i = 0; i < 20; i++) {
		send_all(fd, q, query(q, i, "big", 16));
		assert_answer(fd, i, BIG_RECORDS);
	}
	close(fd);
}

static void
answers_after_the_client_has_finished_sending(void **state)
{
	struct service *s = *state;
	uint8_t q[64];
	service_start(s);
	int fd = client(s);
	send_all(fd, q, query(q, 9, "big", 16));
	shutdown(fd, SHUT_WR);
	assert_answer(fd, 9, BIG_RECORDS);
	assert_true(closed_within(fd, 1000));
	close(fd);
}

static void
what_is_no_query_closes_the_connection(void **state)
{
	struct service *s = *state;
	static const uint8_t empty[] = {0, 0}, few[] = {0, 3, 1, 2, 3};
	uint8_t q[64];
	service_start(s);
	int fd = client(s);
	send_all(fd, empty, sizeof(empty));
	assert_true(closed_within(fd, 1000));
	close(fd);
	fd = client(s);
	send_all(fd, few, sizeof(few));
	assert_true(closed_within(fd, 1000));
	close(fd);
	fd = client(s);
	size_t len = query(q, 1, "www", 1);
	q[4] |= 0x80; /* QR */
	send_all(fd, q, len);
	assert_true(closed_within(fd, 1000));
	close(fd);
	struct counters c = service_counts(s);
	assert_int_equal(c.rx, 3);
	assert_int_equal(c.tx, 0);
	assert_int_equal(c.drop[DROP_SHORT], 2);
	assert_int_equal(c.drop[DROP_RESPONSE], 1);
}

/* -------- bounds -------- */

static void
silent_and_dripping_clients_are_closed(void **state)
{
	struct service *s = *state;
	uint8_t q[64];
	s->config->tcp.idle_timeout_ms = 300;
	service_start(s);
	int silent = client(s), dripping = client(s);
	size_t len = query(q, 1, "www", 1), sent = 0;
	uint64_t start_ms = fixture_now_ms();
	/* An octet every 150 ms: each comes within the timeout, the whole message does not. */
	while (sent + 1 < len && !closed_within(dripping, 0) && fixture_now_ms() - start_ms < 3000) {
		if (send(dripping, q + sent++, 1, MSG_NOSIGNAL) < 0)
			break;
		usleep(150000);
	}
	assert_in_range(fixture_now_ms() - start_ms, 250, 2500);
	assert_true(closed_within(silent, 1000));
	assert_int_equal(service_stats(s).closed_idle, 2);
	assert_int_equal(service_stats(s).connections, 0);
	close(silent);
	close(dripping);
}

static void
whole_queries_keep_a_connection_open(void **state)
{
	struct service *s = *state;
	uint8_t q[64];
	s->config->tcp.idle_timeout_ms = 400;
	service_start(s);
	int fd = client(s);
	for (uint16_t i = 0; i < 8; i++) {
		usleep(100000);
		send_all(fd, q, query(q, i, "www", 1));
		assert_answer(fd, i, 1);
	}
	close(fd);
}

static void
a_source_gets_no_more_than_its_share(void **state)
{
	struct service *s = *state;
	uint8_t q[64];
	int fds[4];
	s->config->tcp.max_per_source = 3;
	service_start(s);
	for (unsigned i = 0; i < 3; i++) {
		fds[i] = client(s);
		send_all(fds[i], q, query(q, 1, "www", 1));
		assert_answer(fds[i], 1, 1);
	}
	fds[3] = client(s);
	assert_true(closed_within(fds[3], 1000));
	assert_int_equal(service_stats(s).refused_source, 1);
	close(fds[0]);
	usleep(100000);
	close(fds[3]);
	fds[3] = client(s); /* the place of the first is free */
	send_all(fds[3], q, query(q, 2, "www", 1));
	assert_answer(fds[3], 2, 1);
	for (unsigned i = 1; i < 4; i++)
		close(fds[i]);
}

static void
the_longest_silent_makes_room(void **state)
{
	struct service *s = *state;
	uint8_t q[64];
	int fds[4];
	s->config->tcp.max_connections = 3;
	service_start(s);
	for (unsigned i = 0; i < 3; i++) {
		fds[i] = client(s);
		send_all(fds[i], q, query(q, 1, "www", 1));
		assert_answer(fds[i], 1, 1);
		usleep(5000);
	}
	send_all(fds[0], q, query(q, 2, "www", 1)); /* now the second is the longest silent */
	assert_answer(fds[0], 2, 1);
	fds[3] = client(s);
	send_all(fds[3], q, query(q, 3, "www", 1));
	assert_answer(fds[3], 3, 1);
	assert_true(closed_within(fds[1], 1000));
	assert_false(closed_within(fds[0], 50));
	assert_false(closed_within(fds[2], 50));
	assert_int_equal(service_stats(s).connections, 3);
	for (unsigned i = 0; i < 4; i++)
		close(fds[i]);
}

/* Asks for far more than socket buffers hold, without reading. */
static int
greedy_client(const struct service *s, unsigned n)
{
	static uint8_t q[2000 * 32];
	size_t len = 0;
	for (unsigned i = 0; i < n; i++)
		len += query(q + len, (uint16_t)i, "big", 16);
	int fd = client(s);
	send_all(fd, q, len);
	return fd;
}

static void
nothing_is_answered_to_a_client_that_does_not_read(void **state)
{
	struct service *s = *state;
	enum { N = 1500 };
	service_start(s);
	int fd = greedy_client(s, N);
	usleep(300000);
	uint64_t answered = service_counts(s).tx;
	assert_in_range(answered, 1, N / 2); /* 1500 answers are 60 MB: more than any socket buffer */
	usleep(200000);
	assert_int_equal(service_counts(s).tx, answered);
	for (unsigned i = 0; i < N; i++)
		assert_answer(fd, (uint16_t)i, BIG_RECORDS);
	usleep(50000); /* an answer is counted when the socket has taken it: we may have it a moment before */
	assert_int_equal(service_counts(s).tx, N);
	close(fd);
}

static void
a_client_that_never_reads_is_closed(void **state)
{
	struct service *s = *state;
	s->config->tcp.idle_timeout_ms = 300;
	service_start(s);
	int fd = greedy_client(s, 1500);
	for (unsigned i = 0; i < 200 && !service_stats(s).closed_slow; i++)
		usleep(10000);
	assert_int_equal(service_stats(s).closed_slow, 1);
	assert_int_equal(service_stats(s).connections, 0);
	close(fd);
}

/* -------- start and stop -------- */

static void
several_threads_share_the_port(void **state)
{
	struct service *s = *state;
	uint8_t q[64];
	s->config->tcp.threads = 4;
	service_start(s);
	for (uint16_t i = 0; i < 64; i++) {
		int fd = client(s);
		send_all(fd, q, query(q, i, "www", 1));
		assert_answer(fd, i, 1);
		close(fd);
	}
	unsigned n_used = 0;
	for (unsigned i = 0; i < 4; i++)
		n_used += counter_read(&tcp_thread_counters(s->tcp, i)->tx) > 0;
	assert_in_range(n_used, 2, 4);
	usleep(50000);
	assert_int_equal(service_counts(s).tx, 64);
	assert_int_equal(service_stats(s).accepted, 64);
}

static void
a_port_in_use_is_an_error_with_a_cure(void **state)
{
	struct service *s = *state;
	for (unsigned threads = 1; threads <= 2; threads++) {
		struct diag_list diag = {0};
		struct tcp *second = NULL;
		s->config->tcp.threads = threads;
		s->config->server.listen[0].v4.sin_port = 0;
		service_start(s);
		s->config->server.listen[0].v4.sin_port = htons(tcp_port(s->tcp, 0));
		assert_int_equal(tcp_open(s->config, &s->root, &diag, &second), -EADDRINUSE);
		assert_null(second);
		assert_int_equal(diag.n_errors, 1);
		assert_non_null(strstr(diag.items[0].message, "127.0.0.1@"));
		assert_non_null(strstr(diag.items[0].message, "server.listen"));
		diag_clear(&diag);
		tcp_stop(s->tcp);
		tcp_close(s->tcp);
		s->tcp = NULL;
	}
}

struct late_reader {
	int fd;
	unsigned n_whole; /* answers */
	size_t n_left;    /* octets behind the last whole one */
};

/* On a thread of its own, so without assertions. */
static void
read_to_the_end(void *arg)
{
	struct late_reader *r = arg;
	static uint8_t buf[2 + 65535];
	ssize_t n;
	while ((n = read(r->fd, buf + r->n_left, sizeof(buf) - r->n_left)) > 0) {
		size_t used = 0;
		r->n_left += (size_t)n;
		while (r->n_left - used >= 2 && r->n_left - used - 2 >= load_be16(buf + used)) {
			used += 2 + load_be16(buf + used);
			r->n_whole++;
		}
		memmove(buf, buf + used, r->n_left -= used);
	}
}

static void
stopping_lets_answers_go_out(void **state)
{
	struct service *s = *state;
	service_start(s);
	int fd = greedy_client(s, 100), idle = client(s);
	usleep(100000);
	uint64_t answered = service_counts(s).tx;
	assert_in_range(answered, 1, 99);
	/* The client reads while the server stops: what was answered must come whole. */
	struct thread reader = {0};
	struct late_reader late = {.fd = fd};
	assert_int_equal(thread_start(&reader, "reader", THREAD_CPU_ANY, THREAD_RCU_NONE, read_to_the_end, &late),
			 0);
	tcp_stop(s->tcp);
	assert_true(closed_within(idle, 1000));
	thread_join(&reader);
	assert_true(late.n_whole >= answered);
	assert_int_equal(late.n_whole, service_counts(s).tx);
	assert_int_equal(late.n_left, 0);
	close(fd);
	close(idle);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(answers_one_query_exactly, service_setup, service_teardown),
		cmocka_unit_test_setup_teardown(takes_a_query_octet_by_octet, service_setup, service_teardown),
		cmocka_unit_test_setup_teardown(answers_pipelined_queries_in_order, service_setup,
						service_teardown),
		cmocka_unit_test_setup_teardown(large_answers_come_whole, service_setup, service_teardown),
		cmocka_unit_test_setup_teardown(answers_after_the_client_has_finished_sending, service_setup,
						service_teardown),
		cmocka_unit_test_setup_teardown(what_is_no_query_closes_the_connection, service_setup,
						service_teardown),
		cmocka_unit_test_setup_teardown(silent_and_dripping_clients_are_closed, service_setup,
						service_teardown),
		cmocka_unit_test_setup_teardown(whole_queries_keep_a_connection_open, service_setup,
						service_teardown),
		cmocka_unit_test_setup_teardown(a_source_gets_no_more_than_its_share, service_setup,
						service_teardown),
		cmocka_unit_test_setup_teardown(the_longest_silent_makes_room, service_setup, service_teardown),
		cmocka_unit_test_setup_teardown(nothing_is_answered_to_a_client_that_does_not_read, service_setup,
						service_teardown),
		cmocka_unit_test_setup_teardown(a_client_that_never_reads_is_closed, service_setup,
						service_teardown),
		cmocka_unit_test_setup_teardown(several_threads_share_the_port, service_setup, service_teardown),
		cmocka_unit_test_setup_teardown(a_port_in_use_is_an_error_with_a_cure, service_setup,
						service_teardown),
		cmocka_unit_test_setup_teardown(stopping_lets_answers_go_out, service_setup, service_teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
