/* SPDX-License-Identifier: Apache-2.0 */
/* The state: what goes in comes out again, after a restart too; versions, history, compaction, sizes, full disks.
 */
#include "tests/unit/control/state_fixture.h"

#include <errno.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <uv.h>

#include "zones/base/alloc.h"

static int
setup(void **state)
{
	fixture_enter();
	return 0;
}

static int
teardown(void **state)
{
	fixture_leave();
	return 0;
}

static void
put_version(struct state *st, const char *zone, uint32_t serial)
{
	struct model m;
	model_make(serial, &m);
	assert_int_equal(put_model(st, zone, &m), 0);
}

static int
append_version(struct state *st, const char *zone, uint32_t from, uint32_t to)
{
	struct model a, b;
	model_make(from, &a);
	model_make(to, &b);
	return append_models(st, zone, &a, &b);
}

static struct state *
reopen_state(struct state *st)
{
	state_close(st);
	return open_state();
}

static void
whole_zones_survive_a_restart(void **state)
{
	struct state *st = open_state();
	struct state_zone zone;
	struct name apex = fixture_name("a.example.");
	struct model m;
	put_version(st, "a.example.", 100);
	put_version(st, "example.", 200);
	put_version(st, ".", 300);
	st = reopen_state(st);
	assert_model(st, "a.example.", STATE_LATEST, 100);
	assert_model(st, "example.", STATE_LATEST, 200);
	assert_model(st, ".", STATE_LATEST, 300);
	assert_int_equal(state_zone_get(st, &apex, &zone), 0);
	assert_int_equal(zone.serial, 100);
	assert_int_equal(zone.meta.refreshed_at_s, 7);
	assert_string_equal(zone.meta.primary, "192.0.2.1#53");
	assert_int_equal(load_model(st, "b.example.", STATE_LATEST, &m), -ENOENT);
	state_close(st);
}

static void
differences_are_applied_in_order(void **state)
{
	struct state *st = open_state();
	put_version(st, "example.", 100);
	for (uint32_t serial = 100; serial < 300; serial++)
		assert_int_equal(append_version(st, "example.", serial, serial + 1), 0);
	assert_int_equal(append_version(st, "example.", 299, 301), -ESTALE);
	assert_int_equal(append_version(st, "net.", 1, 2), -ENOENT);
	assert_model(st, "example.", STATE_LATEST, 300);
	assert_model(st, "example.", STATE_PREVIOUS, 299);
	st = reopen_state(st);
	assert_model(st, "example.", STATE_LATEST, 300);
	assert_model(st, "example.", STATE_PREVIOUS, 299);
	state_close(st);
}

static void
changes_refuse_what_is_no_difference(void **state)
{
	struct name apex = fixture_name("example."), other = fixture_name("example.net.");
	struct state_record record = {.owner = &apex, .type = 1}, outside = {.owner = &other, .type = 1};
	struct state_changes *c = state_changes_new(&apex);
	struct state *st = open_state();
	assert_int_equal(state_zone_append(st, &apex, NULL, c, done_waiting()), -EINVAL);
	assert_int_equal(state_changes_add(c, &record), -EINVAL);
	assert_int_equal(state_changes_remove(c, &record), -EINVAL);
	assert_int_equal(state_changes_end(c, 5), -EINVAL);
	assert_int_equal(state_changes_begin(c, 5), 0);
	assert_int_equal(state_changes_begin(c, 5), -EINVAL);
	assert_int_equal(state_zone_append(st, &apex, NULL, c, done_waiting()), -EINVAL);
	assert_int_equal(state_changes_remove(c, &outside), -ERANGE);
	assert_int_equal(state_changes_add(c, &record), 0);
	assert_int_equal(state_changes_remove(c, &record), -EINVAL);
	assert_int_equal(state_changes_end(c, 5), -EINVAL);
	assert_int_equal(state_changes_end(c, 6), 0);
	assert_int_equal(state_changes_add(c, &record), -EINVAL);
	assert_int_equal(state_changes_begin(c, 7), -EINVAL);
	state_changes_free(c);
	state_close(st);
}

static void
the_zone_before_is_kept(void **state)
{
	struct state *st = open_state();
	struct model m;
	put_version(st, "example.", 1);
	assert_int_equal(load_model(st, "example.", STATE_PREVIOUS, &m), -ENOENT);
	assert_int_equal(append_version(st, "example.", 1, 2), 0);
	put_version(st, "example.", 50);
	assert_model(st, "example.", STATE_LATEST, 50);
	assert_model(st, "example.", STATE_PREVIOUS, 2);
	put_version(st, "example.", 70);
	put_version(st, "example.", 60);
	st = reopen_state(st);
	assert_model(st, "example.", STATE_LATEST, 60);
	assert_model(st, "example.", STATE_PREVIOUS, 70);
	state_close(st);
}

/* Follows the history from a version on and expects to arrive at another. */
static int
follow(struct state *st, uint32_t from, uint32_t to)
{
	struct state_history h;
	struct name apex = fixture_name("example.");
	struct model m, expected;
	struct state_sink sink = model_sink_ops;
	int err = state_history_begin(st, &apex, from, &h);
	if (err)
		return err;
	model_make(from, &m);
	model_make(to, &expected);
	sink.arg = &m;
	while ((err = state_history_next(st, &h, &sink)) == 1)
		;
	assert_int_equal(err, 0);
	assert_int_equal(h.end_serial, to);
	assert_memory_equal(&m, &expected, sizeof(m));
	return 0;
}

static void
history_leads_to_the_latest_version(void **state)
{
	struct state *st = open_state();
	struct name apex = fixture_name("example.");
	struct state_history h;
	struct model m;
	struct state_sink sink = model_sink_ops;
	put_version(st, "example.", 10);
	for (uint32_t serial = 10; serial < 20; serial++)
		assert_int_equal(append_version(st, "example.", serial, serial + 1), 0);
	for (uint32_t serial = 10; serial <= 20; serial++)
		assert_int_equal(follow(st, serial, 20), 0);
	assert_int_equal(follow(st, 9, 20), -ENOENT);
	assert_int_equal(follow(st, 21, 20), -ENOENT);
	assert_int_equal(state_history_begin(st, &apex, 12, &h), 0);
	model_make(12, &m);
	sink.arg = &m;
	assert_int_equal(state_history_next(st, &h, &sink), 1);
	put_version(st, "example.", 30);
	assert_int_equal(state_history_next(st, &h, &sink), -ESTALE);
	assert_int_equal(follow(st, 20, 30), -ENOENT);
	state_close(st);
}

static void
compaction_changes_nothing_and_keeps_history(void **state)
{
	struct state *st = open_state();
	struct name apex = fixture_name("example.");
	struct state_zone before, after;
	struct model m;
	put_version(st, "example.", 10);
	for (uint32_t serial = 10; serial < 20; serial++)
		assert_int_equal(append_version(st, "example.", serial, serial + 1), 0);
	assert_int_equal(state_zone_get(st, &apex, &before), 0);
	model_make(17, &m); /* not the latest: three differences came meanwhile */
	assert_int_equal(compact_model(st, "example.", &m), 0);
	assert_model(st, "example.", STATE_LATEST, 20);
	assert_model(st, "example.", STATE_PREVIOUS, 19);
	assert_int_equal(state_zone_get(st, &apex, &after), 0);
	assert_true(after.replay_bytes < before.replay_bytes);
	assert_int_equal(after.history_serial, 10);
	model_make(20, &m);
	assert_int_equal(compact_model(st, "example.", &m), 0);
	assert_model(st, "example.", STATE_LATEST, 20);
	assert_model(st, "example.", STATE_PREVIOUS, 19); /* backwards from the base */
	assert_int_equal(follow(st, 10, 20), 0);
	model_make(9, &m);
	assert_int_equal(compact_model(st, "example.", &m), -ESTALE);
	assert_int_equal(compact_model(st, "net.", &m), -ENOENT);
	st = reopen_state(st);
	assert_model(st, "example.", STATE_LATEST, 20);
	state_close(st);
}

static void
long_journals_ask_for_compaction_and_are_trimmed(void **state)
{
	struct state *st = open_state();
	struct name apex = fixture_name("example.");
	struct state_zone zone;
	struct model m;
	uint32_t serial = 10;
	put_version(st, "example.", serial);
	for (unsigned i = 0; i < 3; i++) {
		unsigned n = 0;
		do {
			assert_int_equal(append_version(st, "example.", serial, serial + 60), 0);
			serial += 60;
		} while (!last_wants_compaction() && n++ < 5000);
		assert_true(n < 5000);
		model_make(serial, &m);
		assert_int_equal(compact_model(st, "example.", &m), 0);
	}
	assert_int_equal(append_version(st, "example.", serial, serial + 60), 0);
	assert_false(last_wants_compaction());
	assert_int_equal(state_zone_get(st, &apex, &zone), 0);
	assert_true(zone.history_serial > 10);
	assert_true(zone.journal_bytes < 3 * 65536);
	assert_int_equal(follow(st, 10, serial + 60), -ENOENT);
	assert_int_equal(follow(st, zone.history_serial, serial + 60), 0);
	assert_model(st, "example.", STATE_LATEST, serial + 60);
	state_close(st);
}

static void
timers_are_kept_without_data_too(void **state)
{
	struct state *st = open_state();
	struct name apex = fixture_name("example.");
	struct state_meta meta = {.refreshed_at_s = -1, .expires_at_s = INT64_MAX, .retry_at_s = 3, .flags = 5};
	struct state_zone zone;
	struct model m;
	memset(meta.primary, 'p', STATE_PRIMARY_MAX);
	assert_int_equal(state_zone_put_meta(st, &apex, &meta, done_waiting()), 0);
	assert_int_equal(wait_done(), 0);
	st = reopen_state(st);
	assert_int_equal(state_zone_get(st, &apex, &zone), 0);
	assert_memory_equal(&zone.meta, &meta, sizeof(meta));
	assert_false(zone.has_data);
	assert_int_equal(load_model(st, "example.", STATE_LATEST, &m), -ENOENT);
	put_version(st, "example.", 3);
	assert_int_equal(state_zone_put_meta(st, &apex, &meta, done_waiting()), 0);
	assert_int_equal(wait_done(), 0);
	assert_model(st, "example.", STATE_LATEST, 3);
	state_close(st);
}

static void
expect_note(struct state *st, const char *zone, const char *text)
{
	struct found_note note;
	assert_int_equal(find_note(st, zone, &note), 0);
	assert_int_equal(note.len, strlen(text));
	assert_memory_equal(note.bytes, text, note.len);
}

/* Beside whatever becomes of the zone, until the zone is dropped. */
static void
notes_stay_beside_their_zone(void **state)
{
	struct state *st = open_state();
	struct found_note note;
	struct model m;
	const struct state_meta meta = {.refreshed_at_s = 5};
	struct name apex = fixture_name("example.");
	assert_int_equal(put_note(st, "example.", "mine", 4), 0);
	put_version(st, "example.", 1);
	expect_note(st, "example.", "mine");
	assert_int_equal(append_version(st, "example.", 1, 2), 0);
	model_make(2, &m);
	assert_int_equal(compact_model(st, "example.", &m), 0);
	assert_int_equal(state_zone_put_meta(st, &apex, &meta, done_waiting()), 0);
	assert_int_equal(wait_done(), 0);
	put_version(st, "example.", 3);
	st = reopen_state(st);
	expect_note(st, "example.", "mine");
	assert_model(st, "example.", STATE_LATEST, 3);
	assert_int_equal(put_note(st, "example.", "another", 7), 0);
	expect_note(st, "example.", "another");
	assert_int_equal(put_note(st, "example.", NULL, 0), 0);
	assert_int_equal(put_note(st, "example.", NULL, 0), 0);
	assert_int_equal(find_note(st, "example.", &note), -ENOENT);
	assert_int_equal(put_note(st, "example.", "mine", 4), 0);
	assert_int_equal(drop_zone(st, "example."), 0);
	assert_int_equal(find_note(st, "example.", &note), -ENOENT);
	state_close(st);
}

static void
notes_of_every_size_fit(void **state)
{
	struct state *st = open_state();
	struct found_note note;
	uint8_t bytes[STATE_NOTE_MAX + 1];
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 7);
	for (size_t len = 1; len <= STATE_NOTE_MAX; len = len < 16 ? len + 1 : 2 * len) {
		assert_int_equal(put_note(st, ".", bytes, len), 0);
		assert_int_equal(find_note(st, ".", &note), 0);
		assert_int_equal(note.len, len);
		assert_memory_equal(note.bytes, bytes, len);
	}
	assert_int_equal(put_note(st, ".", bytes, sizeof(bytes)), -EMSGSIZE);
	assert_int_equal(note.len, STATE_NOTE_MAX);
	state_close(st);
}

static void
large_zones_take_many_transactions_and_grow_the_map(void **state)
{
	struct state *st = open_state();
	struct state_stats stats;
	unsigned n;
	enum { HOSTS = 30000 };
	assert_int_equal(put_large(st, "example.", 5, HOSTS, 1000), 0);
	state_stats(st, &stats);
	assert_true(stats.growths > 0);
	assert_true(stats.commits >= 5);
	put_version(st, "net.", 1);
	assert_int_equal(load_large(st, "example.", &n), 0);
	assert_int_equal(n, HOSTS + 1);
	st = reopen_state(st);
	assert_int_equal(load_large(st, "example.", &n), 0);
	assert_int_equal(n, HOSTS + 1);
	assert_model(st, "net.", STATE_LATEST, 1);
	/* What is replaced is used again: the file does not grow for ever. */
	for (uint32_t i = 0; i < 6; i++)
		assert_int_equal(put_large(st, "example.", 6 + i, HOSTS, 1000), 0);
	state_stats(st, &stats);
	assert_true(stats.used_bytes < (uint64_t)6 * HOSTS * 1000);
	state_close(st);
}

static void
records_of_every_size_fit(void **state)
{
	struct state *st = open_state();
	unsigned n;
	assert_int_equal(put_large(st, "example.", 5, 3, 65535 - 4), 0);
	assert_int_equal(load_large(st, "example.", &n), 0);
	assert_int_equal(n, 4);
	state_close(st);
}

static bool
wants_nothing_but_net(void *arg, const struct name *apex)
{
	return apex->bytes[0] == 3;
}

static int
count_zone(void *arg, const struct name *apex, int err, const struct state_zone *zone)
{
	assert_int_equal(err, 0);
	++*(unsigned *)arg;
	return 0;
}

static void
zones_are_walked_dropped_and_pruned(void **state)
{
	struct state *st = open_state();
	struct name last;
	struct model m;
	unsigned n = 0;
	put_version(st, "example.", 1);
	put_version(st, "a.example.", 1);
	put_version(st, "net.", 1);
	assert_int_equal(put_large(st, "b.example.", 1, 1000, 1000), 0);
	assert_int_equal(state_zones_walk(st, NULL, count_zone, &n), 0);
	assert_int_equal(n, 4);
	assert_int_equal(drop_zone(st, "a.example."), 0);
	assert_int_equal(drop_zone(st, "never.example."), 0);
	assert_int_equal(load_model(st, "a.example.", STATE_LATEST, &m), -ENOENT);
	assert_int_equal(state_zones_prune(st, NULL, wants_nothing_but_net, NULL, &last), 2);
	st = reopen_state(st);
	n = 0;
	assert_int_equal(state_zones_walk(st, NULL, count_zone, &n), 0);
	assert_int_equal(n, 1);
	assert_model(st, "net.", STATE_LATEST, 1);
	put_version(st, "example.", 9);
	assert_model(st, "example.", STATE_LATEST, 9);
	state_close(st);
}

/* Zones with a note alone stand between others, and are zones like them. */
static void
zones_with_notes_are_walked_and_pruned(void **state)
{
	static const char *const noted[] = {"a.example.", "b.example.", "c.example.", "f.example."};
	struct state *st = open_state();
	struct found_note note;
	struct name last, after = fixture_name("c.example.");
	unsigned n = 0;
	for (unsigned i = 0; i < ARRAY_LEN(noted); i++)
		assert_int_equal(put_note(st, noted[i], "x", 1), 0);
	put_version(st, "b.example.", 1);
	put_version(st, "d.example.", 1);
	put_version(st, "net.", 1);
	assert_int_equal(put_note(st, "net.", "x", 1), 0);
	assert_int_equal(state_zones_walk(st, NULL, count_zone, &n), 0);
	assert_int_equal(n, 6);
	n = 0;
	assert_int_equal(state_zones_walk(st, &after, count_zone, &n), 0);
	assert_int_equal(n, 3);
	assert_int_equal(state_zones_prune(st, NULL, wants_nothing_but_net, NULL, &last), 5);
	st = reopen_state(st);
	n = 0;
	assert_int_equal(state_zones_walk(st, NULL, count_zone, &n), 0);
	assert_int_equal(n, 1);
	for (unsigned i = 0; i < ARRAY_LEN(noted); i++)
		assert_int_equal(find_note(st, noted[i], &note), -ENOENT);
	expect_note(st, "net.", "x");
	state_close(st);
}

/* -------- full -------- */

static void
expect_full_and_go_on(struct state *st)
{
	unsigned n;
	assert_int_equal(put_large(st, "small.", 1, 100, 1000), 0);
	assert_int_equal(put_large(st, "large.", 1, 30000, 1000), -ENOSPC);
	assert_int_equal(load_large(st, "small.", &n), 0);
	assert_int_equal(n, 101);
	assert_int_equal(load_large(st, "large.", &n), -ENOENT);
	/* What was written of it has gone, or goes now: there is room for small things. */
	for (unsigned i = 0; i < 50 && put_large(st, "other.", 2, 100, 1000); i++)
		usleep(20000);
	assert_int_equal(load_large(st, "other.", &n), 0);
	assert_int_equal(load_large(st, "small.", &n), 0);
}

static void
a_full_map_is_reported_and_survived(void **state)
{
	struct state_options options;
	struct diag_list diag = {0};
	struct state *st;
	small_options(&options);
	options.map_bytes_max = 4 << 20;
	assert_int_equal(state_open(&options, &diag, &st), 0);
	expect_full_and_go_on(st);
	state_close(st);
}

static void
a_full_disk_is_reported_and_survived(void **state)
{
	struct state *st;
	unsigned n;
	assert_int_equal(mkdir("small", 0700), 0);
	if (unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("tmpfs", "small", "tmpfs", 0, "size=4m"))
		skip();
	assert_int_equal(chdir("small"), 0);
	st = open_state();
	expect_full_and_go_on(st);
	state_close(st);
	st = open_state();
	assert_int_equal(load_large(st, "small.", &n), 0);
	assert_int_equal(n, 101);
	/* With room, the same request succeeds. */
	assert_int_equal(mount("none", ".", NULL, MS_REMOUNT, "size=128m"), 0);
	assert_int_equal(put_large(st, "large.", 1, 30000, 1000), 0);
	assert_int_equal(load_large(st, "large.", &n), 0);
	assert_int_equal(n, 30001);
	state_close(st);
	assert_int_equal(chdir(".."), 0);
	assert_int_equal(umount("small"), 0);
}

/* -------- queue, completions, memory -------- */

static void
a_second_process_is_refused(void **state)
{
	struct state_options options;
	struct diag_list diag = {0};
	struct state *st = open_state(), *second = NULL;
	small_options(&options);
	assert_int_equal(state_open(&options, &diag, &second), -EBUSY);
	assert_int_equal(diag.n_errors, 1);
	assert_null(second);
	options.dir = "missing";
	assert_int_equal(state_open(&options, &diag, &second), -ENOENT);
	diag_clear(&diag);
	state_close(st);
	fixture_write("state.mdb", "%0100000d", 1);
	options.dir = ".";
	assert_int_equal(state_open(&options, &diag, &second), -EBADMSG);
	diag_clear(&diag);
}

static unsigned n_done;

static void
count_done(void *arg, const struct state_result *result)
{
	assert_int_equal(result->err, 0);
	n_done++;
}

static void
deliver(uv_async_t *async)
{
	state_deliver(*(struct state **)async->data);
	if (n_done == 100)
		uv_close((uv_handle_t *)async, NULL);
}

static void
wake_loop(void *arg)
{
	uv_async_send(arg);
}

static void
completions_come_on_the_loop(void **state)
{
	struct state_options options;
	struct diag_list diag = {0};
	struct state *st;
	struct name apex = fixture_name("example.");
	struct state_meta meta = {0};
	struct state_stats stats;
	uv_loop_t loop;
	uv_async_t async;
	small_options(&options);
	options.wake = wake_loop;
	options.wake_arg = &async;
	assert_int_equal(uv_loop_init(&loop), 0);
	assert_int_equal(uv_async_init(&loop, &async, deliver), 0);
	async.data = &st;
	assert_int_equal(state_open(&options, &diag, &st), 0);
	n_done = 0;
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(state_zone_put_meta(st, &apex, &meta, (struct state_done){.fn = count_done}), 0);
	assert_int_equal(n_done, 0);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(n_done, 100);
	state_stats(st, &stats);
	assert_int_equal(stats.queue_requests, 0);
	assert_int_equal(stats.queue_bytes, 0);
	assert_true(stats.commits < 100); /* grouped */
	assert_int_equal(uv_loop_close(&loop), 0);
	state_close(st);
}

static void
a_full_queue_refuses(void **state)
{
	struct state_options options;
	struct diag_list diag = {0};
	struct state *st;
	struct name apex = fixture_name("example.");
	struct state_meta meta = {0};
	unsigned queued = 0, refused = 0;
	small_options(&options);
	options.queue_bytes_max = 1;
	assert_int_equal(state_open(&options, &diag, &st), 0);
	n_done = 0;
	for (unsigned i = 0; i < 1000 && (!refused || !queued); i++) {
		int err = state_zone_put_meta(st, &apex, &meta, (struct state_done){.fn = count_done});
		assert_true(err == 0 || err == -EAGAIN);
		queued += err == 0;
		refused += err != 0;
	}
	assert_true(queued > 0);
	assert_true(refused > 0);
	state_close(st);
	assert_int_equal(n_done, queued);
}

static void
memory_that_runs_out_changes_nothing(void **state)
{
	struct state *st = open_state();
	struct model a, b;
	size_t before = zalloc_bytes();
	unsigned failures = 0;
	model_make(100, &a);
	model_make(160, &b);
	assert_int_equal(put_model(st, "example.", &a), 0);
	for (unsigned long n = 1;; n++) {
		zalloc_fail_at(n);
		int err = append_models(st, "example.", &a, &b);
		zalloc_fail_at(0);
		if (!err)
			break;
		assert_int_equal(err, -ENOMEM);
		assert_model(st, "example.", STATE_LATEST, 100);
		failures++;
	}
	assert_model(st, "example.", STATE_LATEST, 160);
	for (unsigned long n = 1;; n++) {
		zalloc_fail_at(n);
		int err = put_model(st, "example.", &a);
		zalloc_fail_at(0);
		if (!err)
			break;
		assert_int_equal(err, -ENOMEM);
		assert_model(st, "example.", STATE_LATEST, 160);
		failures++;
	}
	assert_model(st, "example.", STATE_LATEST, 100);
	for (unsigned long n = 1;; n++) {
		zalloc_fail_at(n);
		int err = put_note(st, "example.", "a note", 6);
		zalloc_fail_at(0);
		if (!err)
			break;
		assert_int_equal(err, -ENOMEM);
		failures++;
	}
	assert_true(failures > 6);
	state_close(st);
	assert_int_equal(zalloc_bytes(), before);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(whole_zones_survive_a_restart),
		TEST(differences_are_applied_in_order),
		TEST(changes_refuse_what_is_no_difference),
		TEST(the_zone_before_is_kept),
		TEST(history_leads_to_the_latest_version),
		TEST(compaction_changes_nothing_and_keeps_history),
		TEST(long_journals_ask_for_compaction_and_are_trimmed),
		TEST(timers_are_kept_without_data_too),
		TEST(notes_stay_beside_their_zone),
		TEST(notes_of_every_size_fit),
		TEST(large_zones_take_many_transactions_and_grow_the_map),
		TEST(records_of_every_size_fit),
		TEST(zones_are_walked_dropped_and_pruned),
		TEST(zones_with_notes_are_walked_and_pruned),
		TEST(a_full_map_is_reported_and_survived),
		TEST(a_full_disk_is_reported_and_survived),
		TEST(a_second_process_is_refused),
		TEST(completions_come_on_the_loop),
		TEST(a_full_queue_refuses),
		TEST(memory_that_runs_out_changes_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
