/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Transfers over sockets: how many connections they take, what happens when a primary hangs, closes, lies or is not
 * there, and that each is told of once, whatever ends it. The primary is a thread with one connection after the
 * other; a real one is in tests/interop/transfer_in.test.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/socket.h>

#include "control/transfer/transfer.h"
#include "control/transfer/xfr_out.h"
#include "tests/unit/control/control_fixture.h"
#include "zones/base/alloc.h"
#include "zones/base/bytes.h"
#include "zones/load/zonefile.h"
#include "zones/store/builder.h"

#define CONNS_MAX 16
#define LARGE 50000      /* hosts of a zone of more octets than may wait */
#define SECONDS 60       /* after which a test has failed */
#define PATIENT_MS 30000 /* where nobody is meant to be given up: the machine may be busy */

/* -------- the primary -------- */

static struct snapshot *small, *large; /* the zones zone. and large. */

enum manner {
	ANSWERS,
	HANGS,         /* takes questions */
	CLOSES,        /* instead of an answer */
	CLOSES_FIRST,  /* so it does on its first connection */
	ANSWERS_ONE,   /* and closes behind each answer */
	CUTS,          /* sends a part of an answer and closes */
	STALLS,        /* sends a part of an answer and hangs */
	CHANGES_ID,    /* of its answers */
	ANSWERS_SMALL, /* answers what is not large.; does not end the answer to that until it is told to */
};

static struct primary {
	pthread_t thread;
	int listener;
	struct config_remote remote;
	enum manner manner;
	int conn[CONNS_MAX];
	unsigned n;
	atomic_uint accepted;
	unsigned held; /* the connection that owes the rest of a large answer */
	struct xfr_out *large;
	int stop[2], go_on[2];
} primary;

static bool
read_all(int fd, uint8_t *p, size_t len)
{
	while (len > 0) {
		ssize_t n = recv(fd, p, len, 0);
		if (n <= 0)
			return false;
		p += n;
		len -= (size_t)n;
	}
	return true;
}

static bool
write_message(int fd, const uint8_t *msg, int len)
{
	uint8_t head[2];
	store_be16(head, (uint16_t)len);
	return send(fd, head, 2, MSG_NOSIGNAL | MSG_MORE) == 2 && send(fd, msg, (size_t)len, MSG_NOSIGNAL) == len;
}

static bool
is_large(const uint8_t *question)
{
	return question[DNS_HEADER_LEN] == strlen("large");
}

static struct xfr_out *
answer_begin(const uint8_t *question, size_t len)
{
	struct message_reader r;
	struct message_question q;
	assert_int_equal(message_open(&r, question, len), MESSAGE_OK);
	assert_int_equal(message_next_question(&r, &q), MESSAGE_OK);
	bool is_ixfr = q.type == RRTYPE_IXFR;
	/* our SOA and EXPIRE (RFC 1995 section 3, RFC 7314 section 3.1) */
	assert_int_equal(r.count[MESSAGE_AUTHORITY], is_ixfr);
	assert_int_equal(r.count[MESSAGE_ADDITIONAL], 1);
	assert_memory_equal(question + len - 4, "\0\x09\0\0", 4);
	static const uint8_t opt[] = {0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 8, 0, 9, 0, 4, 0, 0, 3, 232};
	struct xfr_out_query query = {.snapshot = is_large(question) ? large : small,
				      .kind = is_ixfr ? XFR_UP_TO_DATE : XFR_AXFR,
				      .id = r.id,
				      .question = q,
				      .opt = opt,
				      .opt_len = sizeof(opt),
				      .target_len = 600};
	if (primary.manner == CHANGES_ID)
		query.id ^= 1;
	return xfr_out_new(&query);
}

/* Sends up to `most` messages. */
static bool
answer_go_on(int fd, struct xfr_out *x, unsigned most)
{
	static uint8_t buf[MESSAGE_MAX_LEN];
	int len;
	while (most-- > 0 && (len = xfr_out_next(x, buf, sizeof(buf))) > 0) {
		if (!write_message(fd, buf, len))
			return false;
	}
	return true;
}

static bool
answer(unsigned i, const uint8_t *question, size_t len)
{
	bool is_part = primary.manner == CUTS || primary.manner == STALLS;
	struct xfr_out *x = answer_begin(question, len);
	if (primary.manner == ANSWERS_SMALL && is_large(question)) {
		primary.large = x;
		primary.held = i;
		return answer_go_on(primary.conn[i], x, 8);
	}
	bool goes_on = answer_go_on(primary.conn[i], x, is_part ? 2 : UINT32_MAX);
	xfr_out_free(x);
	return goes_on && primary.manner != ANSWERS_ONE && primary.manner != CUTS;
}

/* One question of a connection; false: the connection is to be closed. */
static bool
serve(unsigned i)
{
	uint8_t head[2], question[UINT16_MAX];
	int fd = primary.conn[i];
	if (!read_all(fd, head, 2) || !read_all(fd, question, load_be16(head)))
		return false;
	if (primary.manner == HANGS)
		return true;
	if (primary.manner == CLOSES || (primary.manner == CLOSES_FIRST && primary.accepted == 1))
		return false;
	return answer(i, question, load_be16(head));
}

static void
drop(unsigned i)
{
	close(primary.conn[i]);
	primary.conn[i] = -1;
}

static void
release(void)
{
	char octet;
	assert_int_equal(read(primary.go_on[0], &octet, 1), 1);
	answer_go_on(primary.conn[primary.held], primary.large, UINT32_MAX);
	xfr_out_free(primary.large);
	primary.large = NULL;
}

static void *
primary_run(void *arg)
{
	for (;;) {
		struct pollfd fds[3 + CONNS_MAX] = {
			{primary.stop[0], POLLIN, 0}, {primary.listener, POLLIN, 0}, {primary.go_on[0], POLLIN, 0}};
		for (unsigned i = 0; i < primary.n; i++)
			fds[3 + i] = (struct pollfd){primary.conn[i], POLLIN, 0};
		poll(fds, 3 + primary.n, -1);
		if (fds[0].revents)
			return NULL;
		if (fds[2].revents)
			release();
		for (unsigned i = 0; i < primary.n; i++) {
			if (fds[3 + i].revents && !serve(i))
				drop(i);
		}
		if (fds[1].revents && primary.n < CONNS_MAX) {
			primary.conn[primary.n++] = accept(primary.listener, NULL, NULL);
			primary.accepted++;
		}
	}
}

static void
primary_start(enum manner manner)
{
	struct sockaddr_in *a = &primary.remote.address.v4;
	primary = (struct primary){.manner = manner};
	primary.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	*a = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	primary.remote.address.len = sizeof(*a);
	assert_int_equal(bind(primary.listener, (struct sockaddr *)a, sizeof(*a)), 0);
	assert_int_equal(getsockname(primary.listener, (struct sockaddr *)a, &primary.remote.address.len), 0);
	assert_int_equal(listen(primary.listener, 16), 0);
	assert_int_equal(pipe(primary.stop), 0);
	assert_int_equal(pipe(primary.go_on), 0);
	assert_int_equal(pthread_create(&primary.thread, NULL, primary_run, NULL), 0);
}

static void
primary_stop(void)
{
	assert_int_equal(write(primary.stop[1], "", 1), 1);
	pthread_join(primary.thread, NULL);
	xfr_out_free(primary.large);
	for (unsigned i = 0; i < primary.n; i++)
		close(primary.conn[i]);
	for (unsigned i = 0; i < 2; i++) {
		close(primary.stop[i]);
		close(primary.go_on[i]);
	}
	close(primary.listener);
}

/* -------- those who ask -------- */

#define TRANSFERS_MAX 300

struct outcome {
	bool is_done;
	struct transfer *transfer;
	enum transfer_end end;
	uint32_t serial, expire_s;
	uint64_t records, messages;
	char why[TRANSFER_WHY_MAX];
};

static uv_loop_t loop;
static struct transfers *transfers;
static struct outcome outcomes[TRANSFERS_MAX];
static struct served *base;
static size_t bytes_before;

static void
on_done(void *arg, struct transfer_result *r)
{
	struct outcome *o = arg;
	assert_false(o->is_done);
	assert_true(r->end == TRANSFER_NEW_VERSION || !r->next);
	*o = (struct outcome){true, NULL, r->end, r->serial, r->expire_s, r->records, r->messages, ""};
	memcpy(o->why, r->why, sizeof(o->why));
}

static void
start(unsigned i, const char *zone, uint16_t qtype, uint64_t time_ms)
{
	struct transfer_request request = {.apex = fixture_name(zone),
					   .qtype = qtype,
					   .primary = &primary.remote,
					   .base = qtype == RRTYPE_IXFR ? base : NULL,
					   .limits.time_ms = time_ms};
	outcomes[i] = (struct outcome){0};
	assert_int_equal(transfer_start(transfers, &request, on_done, &outcomes[i], &outcomes[i].transfer), 0);
	assert_false(outcomes[i].is_done);
}

static void
no_more(uv_timer_t *timer)
{
	fail_msg("nothing happens any more");
}

/* Runs the loop until n transfers are done. */
static void
wait_for(unsigned n)
{
	uv_timer_t watch;
	uv_timer_init(&loop, &watch);
	uv_timer_start(&watch, no_more, SECONDS * 1000, 0);
	for (unsigned i = 0; i < n; i++) {
		while (!outcomes[i].is_done)
			uv_run(&loop, UV_RUN_ONCE);
	}
	uv_close((uv_handle_t *)&watch, NULL);
	uv_run(&loop, UV_RUN_NOWAIT);
}

static void
begin(enum manner manner)
{
	primary_start(manner);
	uv_loop_init(&loop);
	assert_int_equal(transfers_new(&loop, &transfers), 0);
	transfers_set_times(transfers, PATIENT_MS, PATIENT_MS, 5000);
}

/* Stops, and all is given back. */
static void
end(void)
{
	transfers_stop(transfers);
	while (uv_run(&loop, UV_RUN_ONCE))
		;
	assert_true(transfers_are_idle(transfers));
	struct transfer_request request = {.qtype = RRTYPE_AXFR, .primary = &primary.remote};
	struct transfer *none;
	assert_int_equal(transfer_start(transfers, &request, on_done, NULL, &none), -ESHUTDOWN);
	transfers_free(transfers);
	assert_int_equal(uv_loop_close(&loop), 0);
	primary_stop();
	assert_int_equal(zalloc_bytes(), bytes_before);
}

static void
expect(unsigned n, enum transfer_end end, const char *why)
{
	for (unsigned i = 0; i < n; i++) {
		if (outcomes[i].end != end || (why && !strstr(outcomes[i].why, why)))
			fail_msg("transfer %u ended %u: %s", i, outcomes[i].end, outcomes[i].why);
	}
}

static struct snapshot *
make_zone(const char *name, unsigned hosts)
{
	struct name apex = fixture_name(name);
	struct diag_list diag = {0};
	struct snapshot *s = NULL;
	struct zonefile_files *files = NULL;
	struct zone_builder *b = zone_builder_new(&apex);
	char text[200];
	snprintf(text, sizeof(text),
		 "$TTL 60\n@ SOA ns h 7 2 3 4 5\n@ NS ns.test.\n$GENERATE 1-%u h$ A 192.0.2.1\n", hosts);
	assert_int_equal(zonefile_read_text(text, strlen(text), "zone", &apex, b, &diag, &files), 0);
	assert_int_equal(zone_builder_finish(b, &diag, &s), 0);
	zonefile_files_free(files);
	diag_clear(&diag);
	return s;
}

static int
set_up(void **state)
{
	signal(SIGPIPE, SIG_IGN); /* as anserd does */
	small = make_zone("zone.", 1);
	large = make_zone("large.", LARGE);
	base = served_new(make_zone("zone.", 1), 1000);
	bytes_before = zalloc_bytes();
	return 0;
}

static int
tear_down(void **state)
{
	snapshot_free(small);
	snapshot_free(large);
	served_free(base);
	return 0;
}

/* -------- tests -------- */

/* Many questions at once, and later ones, share a connection. */
static void
test_one_connection(void **state)
{
	begin(ANSWERS);
	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < TRANSFERS_MAX; i++)
			start(i, "zone.", i % 2 ? RRTYPE_AXFR : RRTYPE_IXFR, 0);
		wait_for(TRANSFERS_MAX);
		for (unsigned i = 0; i < TRANSFERS_MAX; i++) {
			if (outcomes[i].end == TRANSFER_FAILED)
				fail_msg("round %u, transfer %u: %s", round, i, outcomes[i].why);
			assert_int_equal(outcomes[i].end, i % 2 ? TRANSFER_NEW_VERSION : TRANSFER_UP_TO_DATE);
			assert_int_equal(outcomes[i].serial, 7);
			assert_int_equal(outcomes[i].expire_s, 1000);
			assert_int_equal(outcomes[i].records, i % 2 ? 4 : 1);
		}
	}
	assert_int_equal(primary.accepted, 1);
	assert_int_equal(transfers_stats(transfers).connections, 1);
	assert_int_equal(transfers_stats(transfers).questions, 3 * TRANSFERS_MAX);
	end();
}

/* Octets of an answer of many messages, several at a time: the records are all there. */
static void
test_large(void **state)
{
	begin(ANSWERS);
	for (unsigned i = 0; i < 3; i++)
		start(i, "large.", RRTYPE_AXFR, PATIENT_MS);
	wait_for(3);
	expect(3, TRANSFER_NEW_VERSION, "");
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(outcomes[i].records, LARGE + 3);
		assert_true(outcomes[i].messages > 100);
	}
	end();
}

static uv_sem_t pool_may_go;

static void
block(uv_work_t *work)
{
	uv_sem_wait(&pool_may_go);
}

/* While the pool has no time, a primary can send no more than may wait, and is not taken for a silent one. */
static void
test_held_back(void **state)
{
	uv_work_t blocks[16];
	begin(ANSWERS);
	assert_int_equal(uv_sem_init(&pool_may_go, 0), 0);
	for (unsigned i = 0; i < ARRAY_LEN(blocks); i++)
		assert_int_equal(uv_queue_work(&loop, &blocks[i], block, NULL), 0);
	start(0, "large.", RRTYPE_AXFR, PATIENT_MS);
	uint64_t end_ms = fixture_now_ms() + 500, give_up_ms = end_ms + PATIENT_MS;
	while (fixture_now_ms() < end_ms ||
	       (transfer_progress(outcomes[0].transfer).bytes < 512 * 1024 && fixture_now_ms() < give_up_ms))
		uv_run(&loop, UV_RUN_NOWAIT);
	assert_false(outcomes[0].is_done);
	assert_in_range(transfer_progress(outcomes[0].transfer).bytes, 512 * 1024, 640 * 1024);
	for (unsigned i = 0; i < ARRAY_LEN(blocks); i++)
		uv_sem_post(&pool_may_go);
	wait_for(1);
	expect(1, TRANSFER_NEW_VERSION, "");
	assert_int_equal(outcomes[0].records, LARGE + 3);
	end();
	uv_sem_destroy(&pool_may_go);
}

/* A connection without questions is closed after a while, and another one opened when there are some again. */
static void
test_keep(void **state)
{
	begin(ANSWERS);
	transfers_set_times(transfers, PATIENT_MS, PATIENT_MS, 50);
	for (unsigned i = 0; i < 2; i++) {
		start(0, "zone.", RRTYPE_AXFR, 0);
		wait_for(1);
		expect(1, TRANSFER_NEW_VERSION, "");
		assert_false(transfers_are_idle(transfers));
		while (!transfers_are_idle(transfers))
			uv_run(&loop, UV_RUN_ONCE);
	}
	assert_int_equal(primary.accepted, 2);
	end();
}

/* What comes in small pieces does not wait for an answer that takes long. */
static void
test_passes_by(void **state)
{
	begin(ANSWERS_SMALL);
	start(1, "large.", RRTYPE_AXFR, PATIENT_MS);
	while (transfer_progress(outcomes[1].transfer).messages < 8)
		uv_run(&loop, UV_RUN_ONCE);
	start(0, "zone.", RRTYPE_IXFR, 0);
	wait_for(1);
	expect(1, TRANSFER_UP_TO_DATE, "");
	assert_false(outcomes[1].is_done);
	assert_int_equal(primary.accepted, 2);
	assert_int_equal(write(primary.go_on[1], "", 1), 1);
	wait_for(2);
	assert_int_equal(outcomes[1].end, TRANSFER_NEW_VERSION);
	assert_int_equal(outcomes[1].records, LARGE + 3);
	end();
}

static void
test_hangs(void **state)
{
	begin(HANGS);
	transfers_set_times(transfers, PATIENT_MS, 100, 5000);
	for (unsigned i = 0; i < 100; i++) /* more than are asked at once */
		start(i, "zone.", RRTYPE_AXFR, 0);
	uint64_t start_ms = fixture_now_ms();
	wait_for(100);
	assert_in_range(fixture_now_ms() - start_ms, 90, PATIENT_MS); /* all of them together */
	expect(100, TRANSFER_FAILED, "");
	end();
	begin(STALLS);
	transfers_set_times(transfers, PATIENT_MS, 2000, 5000);
	start(0, "zone.", RRTYPE_AXFR, 0);
	wait_for(1);
	expect(1, TRANSFER_NEW_VERSION, ""); /* fits in two messages */
	start(0, "large.", RRTYPE_AXFR, 0);
	wait_for(1);
	expect(1, TRANSFER_FAILED, "behind message 2");
	end();
}

static void
test_takes_long(void **state)
{
	begin(STALLS);
	transfers_set_times(transfers, PATIENT_MS, PATIENT_MS, 5000);
	start(0, "large.", RRTYPE_AXFR, 100);
	uint64_t start_ms = fixture_now_ms();
	wait_for(1);
	assert_in_range(fixture_now_ms() - start_ms, 90, PATIENT_MS);
	expect(1, TRANSFER_FAILED, "longer than 100 ms");
	end();
}

static void
test_closes(void **state)
{
	begin(CLOSES);
	for (unsigned i = 0; i < 100; i++)
		start(i, "zone.", RRTYPE_AXFR, 0);
	wait_for(100);
	expect(100, TRANSFER_FAILED, "");
	assert_in_range(primary.accepted, 2, 2); /* asked once again */
	end();
	begin(CLOSES_FIRST);
	start(0, "zone.", RRTYPE_AXFR, 0);
	wait_for(1);
	expect(1, TRANSFER_NEW_VERSION, "");
	assert_int_equal(primary.accepted, 2);
	end();
	begin(ANSWERS_ONE);
	for (unsigned i = 0; i < 10; i++)
		start(i, "zone.", RRTYPE_AXFR, 0);
	wait_for(10);
	expect(10, TRANSFER_NEW_VERSION, "");
	assert_int_equal(primary.accepted, 10);
	end();
	begin(CUTS);
	start(0, "large.", RRTYPE_AXFR, 0);
	wait_for(1);
	expect(1, TRANSFER_FAILED, "behind message 2");
	assert_int_equal(primary.accepted, 1);
	end();
}

static void
test_not_there(void **state)
{
	begin(ANSWERS);
	primary.remote.address.v4.sin_port = htons(1);
	for (unsigned i = 0; i < 100; i++)
		start(i, "zone.", RRTYPE_AXFR, 0);
	wait_for(100);
	expect(100, TRANSFER_FAILED, "refused");
	assert_int_equal(transfers_stats(transfers).connections, 1);
	end();
}

static void
test_other_id(void **state)
{
	begin(CHANGES_ID);
	start(0, "zone.", RRTYPE_AXFR, 0);
	wait_for(1);
	expect(1, TRANSFER_FAILED, "answers no question");
	end();
}

/* Wherever it stands, and twice. */
static void
test_cancel(void **state)
{
	begin(ANSWERS_SMALL);
	start(0, "large.", RRTYPE_AXFR, 0);
	transfer_cancel(outcomes[0].transfer); /* nothing was asked */
	transfer_cancel(outcomes[0].transfer);
	assert_false(outcomes[0].is_done);
	start(1, "large.", RRTYPE_AXFR, 0);
	while (transfer_progress(outcomes[1].transfer).messages < 8)
		uv_run(&loop, UV_RUN_ONCE);
	transfer_cancel(outcomes[1].transfer); /* records are with the pool, or were */
	wait_for(2);
	expect(2, TRANSFER_CANCELLED, "");
	end();
	/* at whatever turn of the loop */
	begin(ANSWERS);
	for (unsigned turns = 0; turns < 60; turns++) {
		start(0, "zone.", RRTYPE_AXFR, 0);
		for (unsigned i = 0; i < turns && !outcomes[0].is_done; i++)
			uv_run(&loop, UV_RUN_NOWAIT);
		if (!outcomes[0].is_done)
			transfer_cancel(outcomes[0].transfer);
		wait_for(1);
		assert_true(outcomes[0].end == TRANSFER_CANCELLED || outcomes[0].end == TRANSFER_NEW_VERSION);
	}
	end();
}

/* Stopping tells all. */
static void
test_stop(void **state)
{
	begin(HANGS);
	transfers_set_times(transfers, PATIENT_MS, PATIENT_MS, 5000);
	for (unsigned i = 0; i < 100; i++)
		start(i, "zone.", i % 2 ? RRTYPE_AXFR : RRTYPE_IXFR, 0);
	while (primary.accepted == 0)
		uv_run(&loop, UV_RUN_NOWAIT);
	end();
	for (unsigned i = 0; i < 100; i++)
		assert_true(outcomes[i].is_done);
	expect(100, TRANSFER_CANCELLED, "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_connection), cmocka_unit_test(test_large),
		cmocka_unit_test(test_held_back),      cmocka_unit_test(test_keep),
		cmocka_unit_test(test_passes_by),      cmocka_unit_test(test_hangs),
		cmocka_unit_test(test_takes_long),     cmocka_unit_test(test_closes),
		cmocka_unit_test(test_not_there),      cmocka_unit_test(test_other_id),
		cmocka_unit_test(test_cancel),         cmocka_unit_test(test_stop),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
