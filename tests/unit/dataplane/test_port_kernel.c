/* SPDX-License-Identifier: Apache-2.0 */
/* Kernel mode over loopback: what UDP clients see, what is counted, what opening refuses. */
#include "tests/unit/dataplane/dataplane_fixture.h"

#include <errno.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static struct zone_root root;

/* A port that is free right now on all of loopback, so that tests do not meet a server of the host. */
static uint16_t
free_port(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET};
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	close(fd);
	return ntohs(a.sin_port);
}

static struct dataplane *
open_kernel(const struct sockaddr_storage *listen, unsigned n_listen, unsigned n_workers)
{
	static const unsigned cores[4] = {0, 0, 0, 0};
	struct dataplane_config config = {
		.mode = DATAPLANE_KERNEL,
		.cores = cores,
		.n_cores = n_workers,
		.listen = listen,
		.n_listen = n_listen,
		.udp_payload = 1232,
		.root = &root,
	};
	struct diag_list diag = {0};
	struct dataplane *dp = NULL;
	int err = dataplane_open(&config, &diag, &dp);
	diag_print(&diag, stderr);
	diag_clear(&diag);
	assert_int_equal(err, 0);
	return dp;
}

static int
client_to(const struct sockaddr_storage *server)
{
	int fd = socket(server->ss_family, SOCK_DGRAM, 0);
	struct timeval patience = {.tv_sec = 2};
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), 0);
	socklen_t len = server->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
	assert_int_equal(connect(fd, (const struct sockaddr *)server, len), 0);
	return fd;
}

/* A connected socket takes an answer only from the address and port that it asked: reflection is checked by
 * receiving. */
static void
ask(const struct sockaddr_storage *server, uint16_t id, uint16_t pad, size_t expect_len)
{
	int fd = client_to(server);
	uint8_t query[12], reply[65536];
	fixture_query(query, sizeof(query), id, 0, pad);
	assert_int_equal(send(fd, query, sizeof(query), 0), sizeof(query));
	assert_int_equal(recv(fd, reply, sizeof(reply), 0), expect_len);
	query[2] |= 0x80;
	assert_memory_equal(reply, query, sizeof(query));
	for (size_t i = sizeof(query); i < expect_len; i++)
		assert_int_equal(reply[i], FIXTURE_PAD);
	close(fd);
}

static void
stop_all(struct dataplane *dp, struct fixture_worker *workers, struct counters *sum)
{
	dataplane_stop(dp);
	*sum = (struct counters){0};
	for (unsigned i = 0; i < dataplane_worker_count(dp); i++) {
		pthread_join(workers[i].thread, NULL);
		fixture_assert_accounted(dataplane_worker_counters(dp, i));
		counters_sum(sum, dataplane_worker_counters(dp, i));
	}
}

static void
answers_on_every_address(void **state)
{
	uint16_t port = free_port();
	struct sockaddr_storage listen[3] = {fixture_address("127.0.0.1", port), fixture_address("127.0.0.2", port),
					     fixture_address("::1", port)};
	struct dataplane *dp = open_kernel(listen, 3, 2);
	assert_int_equal(dataplane_worker_count(dp), 2);
	assert_int_equal(dataplane_worker_cpu(dp, 1), 0);
	struct fixture_worker workers[2];
	for (unsigned i = 0; i < 2; i++)
		fixture_start(&workers[i], dp, i);
	for (unsigned i = 0; i < 30; i++)
		ask(&listen[i % 3], (uint16_t)(0x1000 + i), (uint16_t)i, 12 + i);

	struct dataplane_port_stats stats;
	assert_int_equal(dataplane_port_count(dp), 1);
	dataplane_port_stats(dp, 0, &stats);
	assert_string_equal(stats.device, "kernel");
	assert_int_equal(stats.rx_packets, 30);
	assert_int_equal(stats.rx_missed, 0);
	struct counters sum;
	stop_all(dp, workers, &sum);
	assert_int_equal(sum.rx, 30);
	assert_int_equal(sum.tx, 30);
	assert_int_equal(sum.queries_v4, 20);
	assert_int_equal(sum.queries_v6, 10);
	assert_true(sum.total_cycles > sum.busy_cycles && sum.busy_cycles > 0);
	dataplane_close(dp);
}

/* Bound to the wildcard, an answer to 127.0.0.3 must come from 127.0.0.3, not from the address that routing would
 * pick. */
static void
wildcard_answers_from_the_address_asked(void **state)
{
	uint16_t port = free_port();
	struct sockaddr_storage listen[2] = {fixture_address("0.0.0.0", port), fixture_address("::", port)};
	struct dataplane *dp = open_kernel(listen, 2, 0);
	assert_int_equal(dataplane_worker_count(dp), 1);
	assert_int_equal(dataplane_worker_cpu(dp, 0), -1);
	struct fixture_worker worker;
	fixture_start(&worker, dp, 0);
	struct sockaddr_storage asked[3] = {fixture_address("127.0.0.1", port), fixture_address("127.0.0.3", port),
					    fixture_address("::1", port)};
	for (unsigned i = 0; i < 3; i++)
		ask(&asked[i], (uint16_t)(i + 1), 0, 12);
	struct counters sum;
	stop_all(dp, &worker, &sum);
	assert_int_equal(sum.tx, 3);
	dataplane_close(dp);
}

static void
client_and_time_reach_the_engine(void **state)
{
	uint16_t port = free_port();
	struct sockaddr_storage listen = fixture_address("127.0.0.1", port);
	struct dataplane *dp = open_kernel(&listen, 1, 1);
	struct fixture_worker worker;
	fixture_start(&worker, dp, 0);
	ask(&listen, 7, 0, 12);
	struct counters sum;
	stop_all(dp, &worker, &sum);
	static const uint8_t loopback[16] = {127, 0, 0, 1};
	assert_memory_equal(fixture_last_client.address, loopback, 16);
	assert_false(fixture_last_client.is_v6);
	assert_int_equal(fixture_last_client.transport, ENGINE_UDP);
	assert_in_range(fixture_now_s, time(NULL) - 3, time(NULL));
	dataplane_close(dp);
}

static void
room_is_udp_payload_or_the_query(void **state)
{
	uint16_t port = free_port();
	struct sockaddr_storage listen = fixture_address("127.0.0.1", port);
	struct dataplane *dp = open_kernel(&listen, 1, 1);
	struct fixture_worker worker;
	fixture_start(&worker, dp, 0);
	ask(&listen, 9, 0xffff, 1232);
	assert_int_equal(fixture_last_cap, 1232);

	int fd = client_to(&listen);
	static uint8_t query[9000], reply[65536];
	fixture_query(query, sizeof(query), 10, 0, 0xffff);
	assert_int_equal(send(fd, query, sizeof(query), 0), sizeof(query));
	assert_int_equal(recv(fd, reply, sizeof(reply), 0), sizeof(query));
	assert_int_equal(fixture_last_cap, sizeof(query));
	close(fd);
	struct counters sum;
	stop_all(dp, &worker, &sum);
	dataplane_close(dp);
}

/* Bursts, dropped ones among them: the answers keep to their clients, every packet is in one count. */
static void
bursts_are_accounted(void **state)
{
	uint16_t port = free_port();
	struct sockaddr_storage listen = fixture_address("127.0.0.1", port);
	struct dataplane *dp = open_kernel(&listen, 1, 1);
	int clients[4];
	for (unsigned c = 0; c < 4; c++)
		clients[c] = client_to(&listen);
	uint8_t query[12];
	for (unsigned i = 0; i < 400; i++) { /* queued before the worker runs, so that bursts are full */
		size_t len = i % 5 == 3 ? 11 : 12;
		fixture_query(query, sizeof(query), (uint16_t)i, i % 5 == 4 ? 0x80 : 0, 0);
		assert_int_equal(send(clients[i % 4], query, len, 0), len);
	}
	struct fixture_worker worker;
	fixture_start(&worker, dp, 0);
	for (unsigned i = 0; i < 400; i++) {
		if (i % 5 >= 3)
			continue;
		uint8_t reply[64];
		assert_int_equal(recv(clients[i % 4], reply, sizeof(reply), 0), 12);
		assert_int_equal(reply[0] << 8 | reply[1], i);
	}
	struct counters sum;
	stop_all(dp, &worker, &sum);
	assert_int_equal(sum.rx, 400);
	assert_int_equal(sum.tx, 240);
	assert_int_equal(sum.drop[DROP_SHORT], 80);
	assert_int_equal(sum.drop[DROP_RESPONSE], 80);
	for (unsigned c = 0; c < 4; c++)
		close(clients[c]);
	dataplane_close(dp);
}

/* -------- punts -------- */

/* The control side: waits for the next message of worker 0. */
static struct dataplane_punt
next_punt(struct dataplane *dp)
{
	struct dataplane_punt p;
	for (unsigned ms = 0; ms < 5000; ms++) {
		if (dataplane_punt_next(dp, 0, &p))
			return p;
		usleep(1000);
	}
	fail_msg("nothing came to control");
	return p;
}

static int
notify(const struct sockaddr_storage *server, uint16_t id)
{
	uint8_t query[12];
	int fd = client_to(server);
	fixture_query(query, sizeof(query), id, FIXTURE_NOTIFY, 0);
	assert_int_equal(send(fd, query, sizeof(query), 0), sizeof(query));
	return fd;
}

/* Ends p with its own message and QR, then that text. */
static void
answer_punt(struct dataplane *dp, const struct dataplane_punt *p, const char *text)
{
	uint8_t reply[64];
	memcpy(reply, p->msg, 12);
	reply[2] |= 0x80;
	strcpy((char *)reply + 12, text);
	dataplane_punt_end(dp, 0, p->id, reply, 12 + strlen(text));
}

static void
assert_reply(int fd, uint16_t id, const char *text)
{
	uint8_t reply[64];
	assert_int_equal(recv(fd, reply, sizeof(reply), 0), 12 + strlen(text));
	assert_int_equal(reply[0] << 8 | reply[1], id);
	assert_memory_equal(reply + 12, text, strlen(text));
	close(fd);
}

/* Three clients on several addresses, answered the other way round: each gets its own, from where it asked. */
static void
control_answers_later(void **state)
{
	uint16_t port = free_port();
	struct sockaddr_storage listen[2] = {fixture_address("0.0.0.0", port), fixture_address("::1", port)};
	struct sockaddr_storage asked[3] = {fixture_address("127.0.0.1", port), fixture_address("127.0.0.3", port),
					    fixture_address("::1", port)};
	struct dataplane *dp = open_kernel(listen, 2, 1);
	struct fixture_worker worker;
	fixture_start(&worker, dp, 0);
	int fds[3];
	struct dataplane_punt p[3];
	for (unsigned i = 0; i < 3; i++) {
		fds[i] = notify(&asked[i], (uint16_t)(i + 1));
		p[i] = next_punt(dp);
		assert_int_equal(p[i].len, 12);
		assert_int_equal(p[i].msg[1], i + 1);
		assert_int_equal(p[i].reply_cap, 512);
		assert_int_equal(p[i].client.is_v6, i == 2);
	}
	ask(&asked[0], 9, 0, 12); /* others are not kept waiting */
	for (unsigned i = 3; i-- > 0;)
		answer_punt(dp, &p[i], i == 0 ? "zero" : i == 1 ? "one" : "two");
	assert_reply(fds[0], 1, "zero");
	assert_reply(fds[1], 2, "one");
	assert_reply(fds[2], 3, "two");
	struct counters sum;
	stop_all(dp, &worker, &sum);
	assert_int_equal(sum.rx, 4);
	assert_int_equal(sum.tx, 4);
	assert_int_equal(sum.punted, 3);
	assert_int_equal(sum.punt_replies, 3);
	assert_int_equal(sum.queries_v4, 3);
	assert_int_equal(sum.queries_v6, 1);
	dataplane_close(dp);
}

/* An idle worker waits for packets; a reply must not wait for the next one. */
static void
replies_do_not_wait_for_packets(void **state)
{
	uint16_t port = free_port();
	struct sockaddr_storage listen = fixture_address("127.0.0.1", port);
	struct dataplane *dp = open_kernel(&listen, 1, 1);
	struct fixture_worker worker;
	fixture_start(&worker, dp, 0);
	unsigned late = 0;
	for (uint16_t i = 0; i < 10; i++) {
		struct timespec before, after;
		int fd = notify(&listen, i);
		struct dataplane_punt p = next_punt(dp);
		usleep(30000); /* it has long gone to wait */
		clock_gettime(CLOCK_MONOTONIC, &before);
		answer_punt(dp, &p, "now");
		assert_reply(fd, i, "now");
		clock_gettime(CLOCK_MONOTONIC, &after);
		late += (after.tv_sec - before.tv_sec) * 1000 + (after.tv_nsec - before.tv_nsec) / 1000000 > 20;
	}
	assert_in_range(late, 0, 3); /* a busy machine may be */
	struct counters sum;
	stop_all(dp, &worker, &sum);
	dataplane_close(dp);
}

/* Silence, a source that has its part of the slots, answers that come after the end: each has its reason. */
static void
every_punt_is_in_one_count(void **state)
{
	uint16_t port = free_port();
	struct sockaddr_storage listen = fixture_address("127.0.0.1", port);
	struct dataplane *dp = open_kernel(&listen, 1, 1);
	struct fixture_worker worker;
	fixture_start(&worker, dp, 0);
	enum { N = 128 + 44 };
	int fd = client_to(&listen);
	uint8_t query[12];
	for (unsigned i = 0; i < N; i++) {
		fixture_query(query, sizeof(query), (uint16_t)i, FIXTURE_NOTIFY, 0);
		assert_int_equal(send(fd, query, sizeof(query), 0), sizeof(query));
	}
	static struct dataplane_punt p[128];
	const struct counters *c = dataplane_worker_counters(dp, 0);
	for (unsigned ms = 0; counter_read(&c->punted) < N && ms < 5000; ms++)
		usleep(1000);
	for (unsigned i = 0; i < 128; i++)
		p[i] = next_punt(dp);
	for (unsigned i = 0; i < 100; i++)
		dataplane_punt_end(dp, 0, p[i].id, NULL, 0);
	for (unsigned ms = 0; counter_read(&c->drop[DROP_PUNT_DROPPED]) < 100 && ms < 5000; ms++)
		usleep(1000);
	struct counters sum;
	stop_all(dp, &worker, &sum); /* asserts that all is accounted */
	assert_int_equal(sum.drop[DROP_PUNT_FULL], 44);
	assert_int_equal(sum.drop[DROP_PUNT_DROPPED], 128);
	assert_int_equal(sum.tx, 0);
	for (unsigned i = 100; i < 128; i++)
		answer_punt(dp, &p[i], "too late");
	dataplane_close(dp);
	close(fd);
}

static void
opening_refuses(const struct dataplane_config *config, int expect, const char *text)
{
	struct diag_list diag = {0};
	struct dataplane *dp = NULL;
	assert_int_equal(dataplane_open(config, &diag, &dp), expect);
	assert_null(dp);
	assert_int_equal(diag.n_errors, 1);
	if (strstr(diag.items[0].message, text) == NULL)
		fail_msg("\"%s\" is not in: %s", text, diag.items[0].message);
	diag_clear(&diag);
}

static void
faults_name_cause_and_cure(void **state)
{
	uint16_t port = free_port();
	struct sockaddr_storage taken = fixture_address("127.0.0.1", port);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&taken, sizeof(struct sockaddr_in)), 0);
	struct dataplane_config config = {.mode = DATAPLANE_KERNEL, .listen = &taken, .n_listen = 1, .root = &root};
	opening_refuses(&config, -EADDRINUSE, "another server");
	close(fd);

	struct sockaddr_storage foreign = fixture_address("192.0.2.1", port);
	config.listen = &foreign;
	opening_refuses(&config, -EADDRNOTAVAIL, "192.0.2.1@");

	config.n_listen = 0;
	opening_refuses(&config, -EINVAL, "no address");
}

static double
cpu_seconds(void)
{
	struct rusage u;
	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

/* An idle worker sleeps in epoll, and still answers at once. */
static void
idle_costs_next_to_nothing(void **state)
{
	uint16_t port = free_port();
	struct sockaddr_storage listen = fixture_address("127.0.0.1", port);
	struct dataplane *dp = open_kernel(&listen, 1, 1);
	struct fixture_worker worker;
	fixture_start(&worker, dp, 0);
	ask(&listen, 1, 0, 12);
	double before = cpu_seconds();
	usleep(500000);
	assert_true(cpu_seconds() - before < 0.05);
	ask(&listen, 2, 0, 12);
	struct counters sum;
	stop_all(dp, &worker, &sum);
	assert_true(sum.busy_cycles * 10 < sum.total_cycles); /* time asleep is not busy, whatever ends the sleep */
	dataplane_close(dp);
}

/* A build without DPDK says so; one with it goes on to want a port. */
static void
other_modes_need_dpdk(void **state)
{
	struct sockaddr_storage listen = fixture_address("127.0.0.1", 53);
	struct dataplane_config config = {
		.mode = DATAPLANE_AF_XDP, .listen = &listen, .n_listen = 1, .root = &root};
	if (HAVE_DPDK)
		opening_refuses(&config, -EINVAL, "at least one port");
	else
		opening_refuses(&config, -ENOTSUP, "-Ddpdk=enabled");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_on_every_address),
		cmocka_unit_test(wildcard_answers_from_the_address_asked),
		cmocka_unit_test(client_and_time_reach_the_engine),
		cmocka_unit_test(room_is_udp_payload_or_the_query),
		cmocka_unit_test(bursts_are_accounted),
		cmocka_unit_test(control_answers_later),
		cmocka_unit_test(replies_do_not_wait_for_packets),
		cmocka_unit_test(every_punt_is_in_one_count),
		cmocka_unit_test(faults_name_cause_and_cure),
		cmocka_unit_test(idle_costs_next_to_nothing),
		cmocka_unit_test(other_modes_need_dpdk),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
