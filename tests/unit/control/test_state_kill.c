/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kill -9 at random moments: a child writes versions, and notes with their serials, and tells each serial of which
 * both were acknowledged; the parent kills it, opens the state again, and finds a serial not before that, with the
 * contents that this serial has, and a note that is no older.
 * ANSER_KILLS: how often (30). And the time that a start with many zones takes: ANSER_STATE_ZONES (100000).
 */
#include "tests/unit/control/state_fixture.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

static unsigned
parameter(const char *name, unsigned by_default)
{
	const char *text = getenv(name);
	return text ? (unsigned)strtoul(text, NULL, 10) : by_default;
}

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

/* Differences mostly; whole zones, compactions and zones of many transactions in between. */
static _Noreturn void
child_run(int out)
{
	struct state *st = open_state();
	struct model m, next;
	if (load_model(st, "example.", STATE_LATEST, &m)) {
		model_make(1, &m);
		if (put_model(st, "example.", &m))
			_exit(1);
	}
	for (unsigned n = 0;; n++, m = next) {
		model_make(m.serial + 1, &next);
		int err =
			n % 13 == 12 ? put_model(st, "example.", &next) : append_models(st, "example.", &m, &next);
		if (!err)
			err = put_note(st, "example.", &next.serial, sizeof(next.serial));
		if (!err && write(out, &next.serial, sizeof(next.serial)) != sizeof(next.serial))
			_exit(2);
		if (!err && n % 7 == 6)
			err = compact_model(st, "example.", &next);
		if (!err && n % 5 == 4)
			err = put_large(st, "large.", next.serial, 4000, 1000);
		if (err)
			_exit(3);
	}
}

/* Runs a child for so long; returns the last serial that it told, or `before`. */
static uint32_t
run_and_kill(unsigned us, uint32_t before)
{
	int ends[2], status;
	uint32_t serial, last = before;
	assert_int_equal(pipe(ends), 0);
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		close(ends[0]);
		child_run(ends[1]);
	}
	assert_true(pid > 0);
	close(ends[1]);
	usleep(us);
	assert_int_equal(kill(pid, SIGKILL), 0);
	while (read(ends[0], &serial, sizeof(serial)) == sizeof(serial))
		last = serial;
	close(ends[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	return last;
}

static void
nothing_acknowledged_is_lost(void **state)
{
	unsigned kills = parameter("ANSER_KILLS", 30), n;
	uint32_t acknowledged = 0;
	srandom(1);
	for (unsigned i = 0; i < kills; i++) {
		struct model m, expected;
		struct found_note note;
		uint32_t noted = 0;
		acknowledged = run_and_kill(2000 + (unsigned)random() % 150000, acknowledged);
		struct state *st = open_state();
		int err = load_model(st, "example.", STATE_LATEST, &m);
		if (err == -ENOENT) {
			assert_int_equal(acknowledged, 0);
		} else {
			assert_int_equal(err, 0);
			assert_true(m.serial >= acknowledged);
			model_make(m.serial, &expected);
			assert_memory_equal(&m, &expected, sizeof(m));
			err = find_note(st, "example.", &note);
			assert_true(err == 0 ? note.len == sizeof(noted) : err == -ENOENT);
			if (err == 0)
				memcpy(&noted, note.bytes, sizeof(noted));
			assert_true(noted >= acknowledged && noted <= m.serial);
		}
		err = load_large(st, "large.", &n);
		assert_true(err == -ENOENT || (err == 0 && n == 4001));
		state_close(st);
	}
	print_message("# %u kills, serial %u\n", kills, acknowledged);
	assert_true(acknowledged > kills);
}

/* -------- many zones -------- */

struct many {
	struct state *st;
	struct name *names;
	unsigned n;
	unsigned loaded, records;
};

static int
small_next(void *arg, struct state_record *out)
{
	static const uint8_t rdata[40] = "octets of a record";
	unsigned *at = arg;
	struct name *apex = (struct name *)(void *)(at + 1);
	if (*at == 4)
		return 0;
	++*at;
	*out = (struct state_record){
		.owner = apex, .type = (uint16_t)*at, .ttl_s = 300, .rdlen = sizeof(rdata), .rdata = rdata};
	return 1;
}

static void
free_source(void *arg, const struct state_result *result)
{
	assert_int_equal(result->err, 0);
	free(arg);
}

static void
put_small(struct state *st, unsigned i)
{
	char text[64];
	snprintf(text, sizeof(text), "zone-%u.example.", i);
	struct name apex = fixture_name(text);
	unsigned *arg = malloc(sizeof(*arg) + sizeof(apex));
	*arg = 0;
	memcpy(arg + 1, &apex, sizeof(apex));
	struct state_source source = {.next = small_next, .arg = arg};
	struct state_done done = {.fn = free_source, .arg = arg};
	int err;
	while ((err = state_zone_replace(st, &apex, 1, NULL, &source, done)) == -EAGAIN)
		usleep(1000);
	assert_int_equal(err, 0);
}

static int
list_zone(void *arg, const struct name *apex, int err, const struct state_zone *zone)
{
	struct many *m = arg;
	assert_int_equal(err, 0);
	m->names[m->loaded++] = *apex;
	return 0;
}

static int
take_record(void *arg, const struct state_record *r)
{
	struct many *m = arg;
	m->records++;
	return 0;
}

static double
now_s(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void
many_zones_are_read_fast(void **state)
{
	struct many m = {.n = parameter("ANSER_STATE_ZONES", 100000)};
	struct state_sink sink = {.record = take_record, .arg = &m};
	m.names = malloc(m.n * sizeof(*m.names));
	double start = now_s();
	m.st = open_state();
	for (unsigned i = 0; i < m.n; i++)
		put_small(m.st, i);
	state_close(m.st);
	double written = now_s();
	m.st = open_state();
	assert_int_equal(state_zones_walk(m.st, NULL, list_zone, &m), 0);
	assert_int_equal(m.loaded, m.n);
	double walked = now_s();
	for (unsigned i = 0; i < m.n; i++)
		assert_int_equal(state_zone_load(m.st, &m.names[i], STATE_LATEST, &sink, NULL, NULL), 0);
	double loaded = now_s();
	assert_int_equal(m.records, 4 * m.n);
	print_message("# %u zones: written in %.2f s, opened and walked in %.2f s, loaded in %.2f s\n", m.n,
		      written - start, walked - written, loaded - walked);
	assert_true(loaded - written < 10);
	state_close(m.st);
	free(m.names);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(nothing_acknowledged_is_lost, setup, teardown),
		cmocka_unit_test_setup_teardown(many_zones_are_read_fast, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
