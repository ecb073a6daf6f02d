/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whole zones that are written to the state before they are wanted: unseen until they are committed, gone when they
 * are not, whenever the wish comes; others wait for them only where they have to.
 */
#include "tests/unit/control/state_fixture.h"

#include <errno.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

#include "zones/base/alloc.h"
#include "zones/base/bytes.h"

#define MANY 20000 /* of 500 octets: several transactions */

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

/* A source of n records that may fail at one of them. */
struct hosts {
	struct name owner, apex;
	unsigned at, n, fails_at; /* 0: at none */
	atomic_uint n_released;
	sem_t released;
	uint8_t rdata[500];
};

static int
hosts_next(void *arg, struct state_record *out)
{
	struct hosts *h = arg;
	assert_int_equal(atomic_load(&h->n_released), 0);
	if (h->at == h->n)
		return 0;
	if (++h->at == h->fails_at)
		return -EDOM;
	char label[16];
	int len = snprintf(label, sizeof(label), "h%u", h->at);
	h->owner.bytes[0] = (uint8_t)len;
	memcpy(h->owner.bytes + 1, label, (size_t)len);
	memcpy(h->owner.bytes + 1 + len, h->apex.bytes, h->apex.len);
	h->owner.len = (uint8_t)(1 + len + h->apex.len);
	store_be32(h->rdata, h->at - 1); /* what load_large() expects */
	*out = (struct state_record){
		.owner = &h->owner, .type = 1, .ttl_s = 300, .rdlen = sizeof(h->rdata), .rdata = h->rdata};
	return 1;
}

static void
hosts_release(void *arg)
{
	struct hosts *h = arg;
	assert_int_equal(atomic_fetch_add(&h->n_released, 1), 0);
	sem_post(&h->released);
}

static struct hosts *
hosts_new(const char *zone, unsigned n)
{
	struct hosts *h = calloc(1, sizeof(*h));
	assert_non_null(h);
	h->apex = fixture_name(zone);
	h->n = n;
	sem_init(&h->released, 0, 0);
	return h;
}

static struct state_stage *
begin(struct state *st, struct hosts *h, uint32_t serial)
{
	const struct state_source source = {.next = hosts_next, .arg = h};
	struct state_stage *stage = NULL;
	assert_int_equal(state_stage_begin(st, &h->apex, serial, &source, hosts_release, &stage), 0);
	assert_non_null(stage);
	return stage;
}

static void
wait_released(struct hosts *h)
{
	while (sem_wait(&h->released))
		;
}

static int
commit(struct state *st, struct state_stage *stage)
{
	const struct state_meta meta = {.refreshed_at_s = 77};
	state_stage_commit(st, stage, &meta, done_waiting());
	return wait_done();
}

static void
assert_absent(struct state *st, const char *zone)
{
	struct name apex = fixture_name(zone);
	struct state_zone found;
	assert_int_equal(state_zone_get(st, &apex, &found), -ENOENT);
}

static void
assert_hosts(struct state *st, const char *zone, uint32_t serial, unsigned n)
{
	struct name apex = fixture_name(zone);
	struct state_zone found;
	unsigned count;
	assert_int_equal(load_large(st, zone, &count), 0);
	assert_int_equal(count, n);
	assert_int_equal(state_zone_get(st, &apex, &found), 0);
	assert_int_equal(found.serial, serial);
	assert_int_equal(found.base_records, n);
	assert_int_equal(found.meta.refreshed_at_s, 77);
}

static struct state *
reopen_state(struct state *st)
{
	state_close(st);
	return open_state();
}

/* Of one record, of as many as fill a transaction, of more. */
static void
a_stage_is_seen_when_it_is_committed(void **state)
{
	static const unsigned sizes[] = {1, 4000, MANY};
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		struct state *st = open_state();
		struct hosts *h = hosts_new("example.", sizes[i]);
		struct state_stage *stage = begin(st, h, 5);
		wait_released(h);
		assert_absent(st, "example.");
		assert_int_equal(commit(st, stage), 0);
		assert_hosts(st, "example.", 5, sizes[i]);
		st = reopen_state(st);
		assert_hosts(st, "example.", 5, sizes[i]);
		assert_int_equal(drop_zone(st, "example."), 0);
		state_close(st);
		free(h);
	}
	assert_int_equal(zalloc_bytes(), 0);
}

static void
the_wish_may_come_first(void **state)
{
	struct state *st = open_state();
	struct hosts *h = hosts_new("example.", MANY), *unwanted = hosts_new("net.", MANY);
	state_stage_free(st, begin(st, unwanted, 6));
	assert_int_equal(commit(st, begin(st, h, 5)), 0);
	wait_released(h);
	wait_released(unwanted);
	assert_hosts(st, "example.", 5, MANY);
	assert_absent(st, "net.");
	state_close(st);
	free(h);
	free(unwanted);
	assert_int_equal(zalloc_bytes(), 0);
}

static void
what_is_not_wanted_is_deleted(void **state)
{
	struct state *st = open_state();
	struct state_stats stats;
	uint64_t used_bytes = 0;
	for (unsigned i = 0; i < 8; i++) {
		struct hosts *h = hosts_new("example.", MANY);
		struct state_stage *stage = begin(st, h, 5);
		wait_released(h);
		state_stage_free(st, stage);
		assert_int_equal(put_note(st, "example.", "x", 1), 0); /* behind it */
		for (unsigned k = 0; k < 20; k++)
			assert_int_equal(put_note(st, "net.", "x", 1), 0); /* sweeps */
		state_stats(st, &stats);
		if (i == 1)
			used_bytes = stats.used_bytes;
		free(h);
	}
	assert_true(stats.used_bytes <= used_bytes + used_bytes / 2);
	assert_int_equal(stats.queue_requests, 0);
	state_close(st);
	assert_int_equal(zalloc_bytes(), 0);
}

static void
what_was_there_stays_until_then(void **state)
{
	struct state *st = open_state();
	struct hosts *h = hosts_new("example.", MANY);
	struct model m;
	model_make(3, &m);
	assert_int_equal(put_model(st, "example.", &m), 0);
	struct state_stage *stage = begin(st, h, 5);
	wait_released(h);
	assert_model(st, "example.", STATE_LATEST, 3);
	assert_int_equal(commit(st, stage), 0);
	assert_hosts(st, "example.", 5, MANY);
	state_close(st);
	free(h);
}

static atomic_uint n_done;

static void
count_done(void *arg, const struct state_result *result)
{
	assert_int_equal(result->err, 0);
	atomic_fetch_add(&n_done, 1);
}

/* Requests of its zone wait, without the writer being busy about it; those of others do not. */
static void
its_zone_waits_for_it(void **state)
{
	struct state *st = open_state();
	struct hosts *h = hosts_new("example.", MANY);
	struct state_meta meta = {.refreshed_at_s = 88};
	struct state_stats before, after;
	struct state_stage *stage = begin(st, h, 5);
	wait_released(h);
	atomic_store(&n_done, 0);
	assert_int_equal(state_zone_put_meta(st, &h->apex, &meta, (struct state_done){.fn = count_done}), 0);
	assert_int_equal(put_note(st, "net.", "x", 1), 0);
	usleep(50000); /* for what is under way in any case */
	state_stats(st, &before);
	usleep(50000);
	state_stats(st, &after);
	assert_int_equal(atomic_load(&n_done), 0);
	assert_int_equal(after.commits, before.commits);
	assert_int_equal(commit(st, stage), 0);
	assert_int_equal(drop_zone(st, "net."), 0);
	struct state_zone found;
	while (atomic_load(&n_done) == 0)
		usleep(1000);
	assert_int_equal(state_zone_get(st, &h->apex, &found), 0);
	assert_int_equal(found.serial, 5);
	assert_int_equal(found.meta.refreshed_at_s, 88);
	state_close(st);
	free(h);
}

static void
what_fails_is_told_when_it_is_wanted(void **state)
{
	static const unsigned fails_at[] = {1, MANY - 1};
	struct state *st = open_state();
	for (size_t i = 0; i < ARRAY_LEN(fails_at); i++) {
		for (int commits = 0; commits <= 1; commits++) {
			struct hosts *h = hosts_new("example.", MANY);
			h->fails_at = fails_at[i];
			struct state_stage *stage = begin(st, h, 5);
			wait_released(h);
			if (commits)
				assert_int_equal(commit(st, stage), -EDOM);
			else
				state_stage_free(st, stage);
			assert_absent(st, "example.");
			free(h);
		}
	}
	struct hosts *h = hosts_new("example.", MANY);
	assert_int_equal(commit(st, begin(st, h, 5)), 0);
	assert_hosts(st, "example.", 5, MANY);
	free(h);
	state_close(st);
	assert_int_equal(zalloc_bytes(), 0);
}

static void
begin_and_die(void)
{
	struct state *st = open_state();
	struct hosts *h = hosts_new("example.", MANY);
	begin(st, h, 5);
	wait_released(h);
	assert_int_equal(put_note(st, "net.", "x", 1), 0); /* behind its last slice */
	_exit(0);
}

static void
a_restart_does_not_find_it(void **state)
{
	int status;
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0)
		begin_and_die();
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	struct state *st = open_state();
	assert_absent(st, "example.");
	struct hosts *h = hosts_new("example.", MANY);
	assert_int_equal(commit(st, begin(st, h, 6)), 0);
	assert_hosts(st, "example.", 6, MANY);
	free(h);
	state_close(st);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_stage_is_seen_when_it_is_committed),
		TEST(the_wish_may_come_first),
		TEST(what_is_not_wanted_is_deleted),
		TEST(what_was_there_stays_until_then),
		TEST(its_zone_waits_for_it),
		TEST(what_fails_is_told_when_it_is_wanted),
		TEST(a_restart_does_not_find_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
