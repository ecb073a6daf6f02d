/* SPDX-License-Identifier: Apache-2.0 */
/*
 * NOTIFY over real sockets: a secondary that loses the first two, answers the third, and finds it well-formed,
 * signed and about the newest version.
 */
#include "tests/unit/control/control_fixture.h"

#include <arpa/inet.h>
#include <sys/socket.h>

#include "control/transfer/notify_in.h"
#include "control/transfer/notify_out.h"
#include "zones/base/alloc.h"
#include "zones/load/zonefile.h"

#define SECRET "bWFkZSB1cCBmb3IgdGhlIHRlc3RzLCAzMiBvY3RldHM="

enum { TRY_MS = 20 };

static struct {
	uv_loop_t loop;
	struct config *config;
	struct tsig_keys *keys;
	struct asks *asks;
	struct notify_outs *outs;
	struct config_remote remote; /* with the secondary's real port */
	struct notify_target target;
	int fd; /* the secondary's socket */
} rig;

static void
tell(uint32_t serial)
{
	char text[128];
	struct name apex = fixture_name("example.");
	struct diag_list diag = {0};
	struct snapshot *s = NULL;
	struct zonefile_files *files = NULL;
	struct zone_builder *b = zone_builder_new(&apex);
	int len = sprintf(text, "@ 60 SOA ns h %u 2 3 4 5\n@ 60 NS ns.example.net.\n", serial);
	assert_int_equal(zonefile_read_text(text, (size_t)len, "zone", &apex, b, &diag, &files), 0);
	assert_int_equal(zone_builder_finish(b, &diag, &s), 0);
	assert_int_equal(notify_out_send(rig.outs, &apex, s, &rig.target, 1), 0);
	zonefile_files_free(files);
	diag_clear(&diag);
	snapshot_free(s);
}

/* Runs the loop until the secondary gets a message; verifies and reads it. */
static struct zone_request
receive(struct sockaddr_in *from, struct tsig_verdict *tsig)
{
	uint8_t msg[2048];
	struct zone_request r;
	socklen_t from_len = sizeof(*from);
	ssize_t len;
	uint64_t give_up_ms = fixture_now_ms() + 10000;
	while ((len = recvfrom(rig.fd, msg, sizeof(msg), MSG_DONTWAIT, (struct sockaddr *)from, &from_len)) < 0) {
		assert_true(fixture_now_ms() < give_up_ms);
		uv_run(&rig.loop, UV_RUN_NOWAIT);
	}
	assert_int_equal(tsig_verify_request(rig.keys, msg, (size_t)len, (uint64_t)time(NULL), tsig), TSIG_GOOD);
	assert_int_equal(notify_parse(msg, (size_t)len, &r), ZONE_REQUEST_OK);
	assert_true(r.has_serial);
	return r;
}

static void
reply(const struct zone_request *r, const struct sockaddr_in *to, const struct tsig_verdict *tsig)
{
	uint8_t msg[1024];
	size_t len = notify_reply(r, RCODE_NOERROR, 1232, msg, sizeof(msg));
	assert_int_equal(tsig_sign_reply(tsig, msg, len, sizeof(msg), (uint64_t)time(NULL), &len), 0);
	assert_int_equal(sendto(rig.fd, msg, len, 0, (const struct sockaddr *)to, sizeof(*to)), (ssize_t)len);
}

static void
run_until_idle(void)
{
	uint64_t give_up_ms = fixture_now_ms() + 10000;
	while (!notify_outs_are_idle(rig.outs)) {
		assert_true(fixture_now_ms() < give_up_ms);
		uv_run(&rig.loop, UV_RUN_NOWAIT);
	}
}

static void
test_lost_twice(void **state)
{
	struct notify_outs_stats stats;
	struct sockaddr_in from;
	struct tsig_verdict tsig;
	struct zone_request r;
	tell(7);
	for (unsigned i = 0; i < 3; i++) {
		r = receive(&from, &tsig);
		assert_int_equal(r.serial, 7);
	}
	tell(8); /* meanwhile */
	reply(&r, &from, &tsig);
	r = receive(&from, &tsig);
	while (r.serial == 7) /* of a try that was sent before the reply arrived */
		r = receive(&from, &tsig);
	assert_int_equal(r.serial, 8);
	reply(&r, &from, &tsig);
	run_until_idle();
	notify_outs_stats(rig.outs, &stats);
	assert_int_equal(stats.answered, 2);
	assert_int_equal(stats.failed, 0);
}

static void
test_never_answered(void **state)
{
	struct notify_outs_stats stats;
	struct sockaddr_in from;
	struct tsig_verdict tsig;
	uint8_t octet;
	tell(7);
	for (unsigned i = 0; i < NOTIFY_TRIES; i++)
		assert_int_equal(receive(&from, &tsig).serial, 7);
	run_until_idle();
	assert_int_equal(recv(rig.fd, &octet, 1, MSG_DONTWAIT), -1);
	notify_outs_stats(rig.outs, &stats);
	assert_int_equal(stats.failed, 1);
	assert_int_equal(stats.waiting, 0);
}

/* Stopping with one under way. */
static void
test_stop(void **state)
{
	struct sockaddr_in from;
	struct tsig_verdict tsig;
	tell(7);
	(void)receive(&from, &tsig);
	notify_outs_stop(rig.outs);
	asks_stop(rig.asks);
	run_until_idle();
}

static int
setup(void **state)
{
	struct diag_list diag = {0};
	socklen_t len = sizeof(rig.remote.address.v4);
	struct name key = fixture_name("fleet.");
	fixture_enter();
	rig.config = fixture_config("keys: [{id: fleet, secret: " SECRET "}]\n"
				    "remotes: [{id: sec, address: 127.0.0.1, key: fleet}]\n");
	assert_int_equal(
		tsig_keys_new(rig.config->keys, rig.config->n_keys, TSIG_TRUNCATION_ALLOWED, &rig.keys, &diag), 0);
	rig.remote = rig.config->remotes[0];
	rig.remote.address.v4.sin_port = 0;
	rig.fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(rig.fd, &rig.remote.address.any, rig.remote.address.len), 0);
	assert_int_equal(getsockname(rig.fd, &rig.remote.address.any, &len), 0);
	rig.target = (struct notify_target){.remote = &rig.remote, .key = tsig_keys_find(rig.keys, &key)};
	assert_int_equal(uv_loop_init(&rig.loop), 0);
	assert_int_equal(asks_new(&rig.loop, &rig.asks), 0);
	assert_int_equal(notify_outs_new(rig.asks, TRY_MS, &rig.outs), 0);
	return 0;
}

static int
teardown(void **state)
{
	notify_outs_free(rig.outs);
	asks_stop(rig.asks);
	while (!asks_are_idle(rig.asks))
		uv_run(&rig.loop, UV_RUN_NOWAIT);
	asks_free(rig.asks);
	assert_int_equal(uv_loop_close(&rig.loop), 0);
	close(rig.fd);
	tsig_keys_free(rig.keys);
	config_free(rig.config);
	fixture_leave();
	assert_int_equal(zalloc_bytes(), 0);
	return 0;
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {TEST(test_lost_twice), TEST(test_never_answered), TEST(test_stop)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
