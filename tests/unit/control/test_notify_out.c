/* SPDX-License-Identifier: Apache-2.0 */
/*
 * NOTIFY to others: what is asked, in what order, and how often. Questions are taken and answered by the test,
 * which stands in the place of ask.h, so that every order of events can be had.
 */
#include "tests/unit/control/control_fixture.h"

#include <arpa/inet.h>
#include <errno.h>

#include "control/transfer/notify_in.h"
#include "control/transfer/notify_out.h"
#include "zones/base/alloc.h"
#include "zones/load/zonefile.h"

#define SECRET "bWFkZSB1cCBmb3IgdGhlIHRlc3RzLCAzMiBvY3RldHM="

enum { REMOTES = 20, QUESTIONS_MAX = 4096 };

/* -------- in the place of ask.h -------- */

struct ask {
	bool is_open;
	struct zone_request request; /* as its receiver reads it */
	struct ask_request asked;
	struct config_address address;
	uint8_t msg[2048];
	ask_done_fn *done;
	void *arg;
};

static struct ask questions[QUESTIONS_MAX];
static unsigned n_questions; /* so far */
static bool no_memory;

int
ask_start(struct asks *a, const struct ask_request *request, ask_done_fn *done, void *arg, struct ask **out)
{
	if (no_memory)
		return -ENOMEM;
	assert_true(n_questions < QUESTIONS_MAX);
	struct ask *q = *out = &questions[n_questions++];
	*q = (struct ask){
		.is_open = true, .asked = *request, .address = request->remote->address, .done = done, .arg = arg};
	assert_in_range(request->len, 1, sizeof(q->msg));
	memcpy(q->msg, request->msg, request->len);
	assert_int_equal(notify_parse(q->msg, request->len, &q->request), ZONE_REQUEST_OK);
	assert_true(q->request.has_serial);
	return 0;
}

static unsigned
n_open(void)
{
	unsigned n = 0;
	for (unsigned i = 0; i < n_questions; i++)
		n += questions[i].is_open;
	return n;
}

/* Ends a question: with an error, or with a reply of that rcode. */
static void
end_question(struct ask *q, int err, unsigned rcode)
{
	uint8_t reply[512];
	struct ask_result result = {.err = err, .why = "no reply"};
	assert_true(q->is_open);
	q->is_open = false;
	result.msg = reply;
	result.len = notify_reply(&q->request, (uint16_t)rcode, 1232, reply, sizeof(reply));
	q->done(q->arg, &result);
}

static void
answer_all(void)
{
	for (unsigned i = 0; i < n_questions; i++)
		if (questions[i].is_open)
			end_question(&questions[i], 0, RCODE_NOERROR);
}

/* -------- the rig -------- */

static struct {
	struct config *config;
	struct tsig_keys *keys;
	struct notify_outs *outs;
	struct notify_target target[REMOTES];
} rig;

static struct snapshot *
version(uint32_t serial)
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
	zonefile_files_free(files);
	diag_clear(&diag);
	return s;
}

/* Tells targets [from, to) of a version of the zone. */
static int
tell(const char *zone, uint32_t serial, unsigned from, unsigned to)
{
	struct name apex = fixture_name(zone);
	struct snapshot *s = version(serial);
	int err = notify_out_send(rig.outs, &apex, s, rig.target + from, to - from);
	snapshot_free(s);
	return err;
}

static void
tell_many(unsigned zones, uint32_t serial, unsigned from, unsigned to)
{
	char zone[32];
	for (unsigned i = 0; i < zones; i++) {
		snprintf(zone, sizeof(zone), "z%u.", i);
		assert_int_equal(tell(zone, serial, from, to), 0);
	}
}

static struct notify_outs_stats
stats(void)
{
	struct notify_outs_stats s;
	notify_outs_stats(rig.outs, &s);
	return s;
}

static bool
is_about(const struct ask *q, const char *zone, uint32_t serial)
{
	struct name apex = fixture_name(zone);
	return name_equal(q->request.apex.bytes, apex.bytes) && q->request.serial == serial;
}

/* -------- tests -------- */

static void
test_message(void **state)
{
	assert_int_equal(tell("example.", 7, 0, 2), 0);
	assert_int_equal(n_questions, 2);
	for (unsigned i = 0; i < 2; i++) {
		struct ask *q = &questions[i];
		assert_true(is_about(q, "example.", 7));
		assert_int_equal(q->request.flags, OPCODE_NOTIFY << 11 | FLAG_AA);
		assert_int_equal(q->asked.tries, 5);
		assert_int_equal(q->asked.timeout_ms, 2000);
		assert_int_equal(q->address.v4.sin_addr.s_addr, htonl(0xc0000201 + i));
		assert_ptr_equal(q->asked.key, rig.target[i].key);
	}
	assert_null(questions[0].asked.key);
	assert_non_null(questions[1].asked.key);
	end_question(&questions[0], 0, RCODE_NOERROR);
	end_question(&questions[1], 0, RCODE_NOTIMP);
	assert_int_equal(n_questions, 2); /* neither again */
	assert_int_equal(stats().answered, 1);
	assert_int_equal(stats().refused, 1);
	assert_true(notify_outs_are_idle(rig.outs));
}

/* Newer versions of what waits take its place, and keep its turn. */
static void
test_newer_while_waiting(void **state)
{
	tell_many(NOTIFY_REMOTE_MAX, 1, 0, 1);
	assert_int_equal(tell("example.", 5, 0, 1), 0);
	assert_int_equal(tell("later.", 1, 0, 1), 0);
	assert_int_equal(tell("example.", 6, 0, 1), 0);
	assert_int_equal(tell("example.", 7, 0, 1), 0);
	assert_int_equal(n_questions, NOTIFY_REMOTE_MAX);
	assert_int_equal(stats().waiting, 2);
	end_question(&questions[0], 0, RCODE_NOERROR);
	end_question(&questions[1], 0, RCODE_NOERROR);
	assert_int_equal(n_questions, NOTIFY_REMOTE_MAX + 2);
	assert_true(is_about(&questions[n_questions - 2], "example.", 7));
	assert_true(is_about(&questions[n_questions - 1], "later.", 1));
}

/* Newer versions of what is being asked follow, the last one alone, however the question ended. */
static void
test_newer_while_asking(void **state)
{
	assert_int_equal(tell("example.", 5, 0, 1), 0);
	assert_int_equal(tell("example.", 6, 0, 1), 0);
	assert_int_equal(tell("example.", 7, 0, 1), 0);
	assert_int_equal(n_questions, 1);
	end_question(&questions[0], -ETIMEDOUT, 0);
	assert_int_equal(n_questions, 2);
	assert_true(is_about(&questions[1], "example.", 7));
	assert_int_equal(tell("example.", 7, 0, 1), 0); /* the same: nothing follows */
	end_question(&questions[1], 0, RCODE_NOERROR);
	assert_int_equal(n_questions, 2);
	assert_true(notify_outs_are_idle(rig.outs));
}

static void
test_limits(void **state)
{
	unsigned of_remote[REMOTES] = {0};
	tell_many(50, 1, 0, REMOTES);
	assert_int_equal(n_open(), NOTIFY_OPEN_MAX);
	assert_int_equal(stats().waiting, 50 * REMOTES - NOTIFY_OPEN_MAX);
	while (n_open() > 0) {
		for (unsigned i = 0; i < n_questions; i++)
			if (questions[i].is_open) {
				end_question(&questions[i], 0, RCODE_NOERROR);
				break;
			}
		assert_true(n_open() <= NOTIFY_OPEN_MAX);
		memset(of_remote, 0, sizeof(of_remote));
		for (unsigned i = 0; i < n_questions; i++)
			if (questions[i].is_open)
				of_remote[ntohl(questions[i].address.v4.sin_addr.s_addr) - 0xc0000201]++;
		for (unsigned i = 0; i < REMOTES; i++)
			assert_true(of_remote[i] <= NOTIFY_REMOTE_MAX);
	}
	assert_int_equal(n_questions, 50 * REMOTES);
	assert_int_equal(stats().answered, 50 * REMOTES);
	assert_int_equal(stats().waiting, 0);
}

/* One that does not answer is asked one question at a time, and the others have the rest. */
static void
test_silent_remote(void **state)
{
	tell_many(100, 1, 0, 1);
	assert_int_equal(n_open(), NOTIFY_REMOTE_MAX);
	for (unsigned i = 0; i < NOTIFY_REMOTE_MAX; i++)
		end_question(&questions[i], -ETIMEDOUT, 0);
	assert_int_equal(n_open(), 1);
	struct ask *slow = &questions[n_questions - 1];
	unsigned before = n_questions;
	tell_many(40, 1, 1, 2);
	assert_int_equal(n_questions, before + NOTIFY_REMOTE_MAX);
	for (unsigned i = before; i < n_questions; i++)
		end_question(&questions[i], 0, RCODE_NOERROR);
	assert_int_equal(n_questions, before + 40); /* all of the other one's */
	assert_int_equal(n_open(), 1);
	end_question(slow, 0, RCODE_NOERROR);
	assert_int_equal(n_open(), NOTIFY_REMOTE_MAX); /* it is back */
	answer_all();
	assert_int_equal(stats().answered, 40 + 100 - NOTIFY_REMOTE_MAX);
	assert_int_equal(stats().failed, NOTIFY_REMOTE_MAX);
}

static void
test_silent_remote_has_a_short_queue(void **state)
{
	assert_int_equal(tell("first.", 1, 0, 1), 0);
	end_question(&questions[0], -ECONNREFUSED, 0);
	tell_many(NOTIFY_SILENT_WAITING + 1, 1, 0, 1);
	assert_int_equal(tell("over.", 1, 0, 1), -ENOBUFS);
	assert_int_equal(tell("z100.", 2, 0, 1), 0); /* waits already */
	assert_int_equal(tell("over.", 1, 0, 2), -ENOBUFS);
	assert_int_equal(n_questions, 3); /* the other remote is told */
	assert_int_equal(stats().dropped, 2);
	notify_outs_stop(rig.outs);
	answer_all();
}

static struct name key_name;

/* After a reload what waits goes where the remote is now, signed with what it has now. */
static void
test_reload(void **state)
{
	struct diag_list diag = {0};
	tell_many(NOTIFY_REMOTE_MAX + 2, 1, 1, 2);
	tell_many(NOTIFY_REMOTE_MAX + 2, 1, 2, 3);
	assert_int_equal(n_open(), 2 * NOTIFY_REMOTE_MAX);
	struct tsig_keys *old = rig.keys;
	assert_int_equal(
		tsig_keys_new(rig.config->keys, rig.config->n_keys, TSIG_TRUNCATION_ALLOWED, &rig.keys, &diag), 0);
	struct config_remote moved = *rig.target[1].remote;
	char id[16];
	strcpy(id, moved.id);
	moved.id = id;
	moved.address.v4.sin_port = htons(5353);
	rig.target[1].remote = &moved;
	rig.target[1].key = tsig_keys_find(rig.keys, &key_name);
	notify_outs_reload(rig.outs, rig.target, 2); /* the third is gone */
	tsig_keys_free(old);
	strcpy(id, "gone");
	assert_int_equal(stats().waiting, 2);
	unsigned before = n_questions;
	for (unsigned i = 0; i < before; i++)
		end_question(&questions[i], 0, RCODE_NOERROR);
	assert_int_equal(n_questions, before + 2);
	assert_int_equal(n_open(), 2);
	answer_all();
	assert_int_equal(stats().answered, 2 * NOTIFY_REMOTE_MAX + 2);
	assert_ptr_equal(questions[before].asked.key, rig.target[1].key);
	assert_int_equal(questions[before].address.v4.sin_port, htons(5353));
}

static void
test_no_memory(void **state)
{
	no_memory = true;
	assert_int_equal(tell("example.", 1, 0, 1), 0);
	assert_int_equal(stats().failed, 1);
	no_memory = false;
	assert_int_equal(tell("example.", 1, 0, 1), 0);
	assert_int_equal(n_questions, 1);
	answer_all();
}

static void
test_stop(void **state)
{
	tell_many(30, 1, 0, 1);
	assert_int_equal(tell("z0.", 2, 0, 1), 0);
	notify_outs_stop(rig.outs);
	assert_int_equal(stats().waiting, 0);
	assert_int_equal(tell("example.", 1, 0, 1), 0);
	for (unsigned i = 0; i < NOTIFY_REMOTE_MAX; i++) {
		assert_false(notify_outs_are_idle(rig.outs));
		end_question(&questions[i], -ECANCELED, 0);
	}
	assert_true(notify_outs_are_idle(rig.outs));
	assert_int_equal(n_questions, NOTIFY_REMOTE_MAX);
}

static int
setup(void **state)
{
	char text[4096];
	struct diag_list diag = {0};
	size_t len = (size_t)sprintf(text, "keys: [{id: fleet, secret: " SECRET "}]\nremotes:\n");
	for (unsigned i = 0; i < REMOTES; i++)
		len += (size_t)sprintf(text + len, "  - {id: sec%u, address: 192.0.2.%u%s}\n", i, i + 1,
				       i == 1 ? ", key: fleet" : "");
	fixture_enter();
	rig.config = fixture_config(text);
	key_name = fixture_name("fleet.");
	assert_int_equal(
		tsig_keys_new(rig.config->keys, rig.config->n_keys, TSIG_TRUNCATION_ALLOWED, &rig.keys, &diag), 0);
	for (unsigned i = 0; i < REMOTES; i++)
		rig.target[i] = (struct notify_target){
			.remote = &rig.config->remotes[i],
			.key = i == 1 ? tsig_keys_find(rig.keys, &key_name) : NULL,
		};
	n_questions = 0;
	assert_int_equal(notify_outs_new(NULL, 0, &rig.outs), 0);
	return 0;
}

static int
teardown(void **state)
{
	answer_all();
	notify_outs_free(rig.outs);
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
	const struct CMUnitTest tests[] = {
		TEST(test_message), TEST(test_newer_while_waiting), TEST(test_newer_while_asking),
		TEST(test_limits),  TEST(test_silent_remote),       TEST(test_silent_remote_has_a_short_queue),
		TEST(test_reload),  TEST(test_no_memory),           TEST(test_stop),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
