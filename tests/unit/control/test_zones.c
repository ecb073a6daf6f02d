/* SPDX-License-Identifier: Apache-2.0 */
/* Configured zones: what is served after each way in which files and configurations can change. */
#include "tests/unit/control/control_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <urcu-qsbr.h>

#include "control/base/log.h"
#include "control/base/thread.h"
#include "control/zone/zones.h"

struct rig {
	uv_loop_t loop;
	uv_async_t on_room;
	struct zone_root root;
	struct reclaim *reclaim;
	struct publisher publisher;
	struct zones *zones;
	struct config *config;
	struct zones_report last; /* of the last operation; failures' texts are gone */
	char failure[512];        /* the first one's message */
	unsigned n_done;
};

static void
room_appeared(void *arg)
{
	uv_async_send(&((struct rig *)arg)->on_room);
}

static void
room_async(uv_async_t *a)
{
	struct rig *r = a->data;
	zones_on_room(r->zones);
}

static void
rig_start(struct rig *r, uint64_t budget_bytes)
{
	uv_loop_init(&r->loop);
	uv_async_init(&r->loop, &r->on_room, room_async);
	r->on_room.data = r;
	assert_int_equal(reclaim_start(budget_bytes, room_appeared, r, &r->reclaim), 0);
	r->publisher.reclaim = r->reclaim;
	const struct zones_options o = {
		.loop = &r->loop, .publisher = &r->publisher, .root = &r->root, .builders = 2};
	assert_int_equal(zones_new(&o, &r->zones), 0);
}

static int
setup(void **state)
{
	const struct config_log quiet = {.level = CONFIG_LOG_ERROR};
	fixture_enter();
	log_setup(&quiet);
	*state = calloc(1, sizeof(struct rig));
	rig_start(*state, 1 << 30);
	return 0;
}

static int
teardown(void **state)
{
	struct rig *r = *state;
	zones_stop(r->zones);
	while (!zones_are_idle(r->zones))
		uv_run(&r->loop, UV_RUN_ONCE);
	zones_free(r->zones);
	reclaim_stop(r->reclaim);
	uv_close((uv_handle_t *)&r->on_room, NULL);
	uv_run(&r->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&r->loop), 0);
	config_free(r->config);
	free(r);
	fixture_leave();
	return 0;
}

static void
op_done(void *arg, const struct zones_report *report)
{
	struct rig *r = arg;
	r->last = *report;
	r->failure[0] = '\0';
	if (report->n_failures)
		snprintf(r->failure, sizeof(r->failure), "%s", report->failures[0].message);
	r->n_done++;
}

static void
run_until_done(struct rig *r, unsigned n)
{
	while (r->n_done < n)
		uv_run(&r->loop, UV_RUN_ONCE);
}

/* Puts a configuration into force; nothing is loaded. */
static void
configure(struct rig *r, const char *zones)
{
	struct zones_plan *plan;
	struct config *config = fixture_config(zones);
	assert_int_equal(zones_plan(r->zones, config, &plan), 0);
	zones_commit(r->zones, plan);
	config_free(r->config);
	r->config = config;
}

static void
load_all(struct rig *r)
{
	struct zones_op *op;
	unsigned n = r->n_done;
	assert_int_equal(zones_load_all(r->zones, op_done, r, &op), 0);
	assert_int_equal(r->n_done, n); /* never before it returns */
	run_until_done(r, n + 1);
}

static void
load_one(struct rig *r, const char *zone)
{
	struct zones_op *op;
	unsigned n = r->n_done;
	struct name apex = fixture_name(zone);
	assert_int_equal(zones_load_one(r->zones, &apex, op_done, r, &op), 0);
	run_until_done(r, n + 1);
}

static struct zone_info
info(struct rig *r, const char *zone)
{
	struct zone_info out = {0};
	struct name apex = fixture_name(zone);
	assert_true(zones_info(r->zones, &apex, &out));
	return out;
}

/* The serial that a reader gets: -1 no such zone, -2 nothing served. */
static int64_t
served_serial(struct rig *r, const char *zone)
{
	struct name apex = fixture_name(zone);
	const struct zone_set *set = zone_root_current(&r->root);
	const struct names_entry *e = names_find(&set->zones, name_hash(apex.bytes), apex.bytes, apex.len);
	if (!e)
		return -1;
	const struct snapshot *s = zone_current((const struct zone *)e);
	return s ? (int64_t)s->serial : -2;
}

/* Files keep the same second of life through a test; this makes them old enough for their stamps to be trusted. */
static void
let_files_age(void)
{
	usleep(50000);
}

#define ONE_ZONE "zones: [{name: a.test, file: a.zone}]\n"
#define TWO_ZONES "zones: [{name: a.test, file: a.zone}, {name: b.test, file: b.zone}]\n"

/* -------- loading -------- */

static void
zones_are_served_after_the_first_load(void **state)
{
	struct rig *r = *state;
	fixture_write_zone("a.zone", 11, "");
	fixture_write_zone("b.zone", 22, "");
	configure(r, TWO_ZONES);
	assert_int_equal(served_serial(r, "a.test."), -2);
	assert_int_equal(info(r, "a.test.").state, ZONE_STATE_LOADING);
	load_all(r);
	assert_int_equal(r->last.total, 2);
	assert_int_equal(r->last.loaded, 2);
	assert_int_equal(served_serial(r, "a.test."), 11);
	assert_int_equal(served_serial(r, "b.test."), 22);
	assert_int_equal(served_serial(r, "c.test."), -1);
	struct zone_info a = info(r, "a.test.");
	assert_int_equal(a.state, ZONE_STATE_OK);
	assert_int_equal(a.serial, 11);
	assert_int_equal(a.records, 3);
	assert_null(a.error);
	assert_int_equal(zones_states(r->zones)[ZONE_STATE_OK], 2);
	assert_int_equal(r->publisher.times.count, 2);
}

static void
only_changed_files_are_read_again(void **state)
{
	struct rig *r = *state;
	fixture_write_zone("a.zone", 1, "");
	fixture_write_zone("b.zone", 1, "");
	let_files_age();
	configure(r, TWO_ZONES);
	load_all(r);
	load_all(r);
	assert_int_equal(r->last.unchanged, 2);
	fixture_write_zone("b.zone", 2, "");
	let_files_age();
	load_all(r);
	assert_int_equal(r->last.unchanged, 1);
	assert_int_equal(r->last.loaded, 1);
	assert_int_equal(served_serial(r, "b.test."), 2);
	load_one(r, "a.test."); /* asked for by name: changed or not */
	assert_int_equal(r->last.loaded, 1);
}

/* Same size, same modification time, same name: what a careless rsync leaves. */
static void
a_change_that_hides_is_seen(void **state)
{
	struct rig *r = *state;
	struct stat st;
	fixture_write_zone("a.zone", 1, "");
	let_files_age();
	configure(r, ONE_ZONE);
	load_all(r);
	assert_int_equal(stat("a.zone", &st), 0);
	fixture_write_zone("a.zone", 2, "");
	const struct timespec times[2] = {st.st_atim, st.st_mtim};
	assert_int_equal(utimensat(AT_FDCWD, "a.zone", times, 0), 0);
	load_all(r);
	assert_int_equal(r->last.loaded, 1);
	assert_int_equal(served_serial(r, "a.test."), 2);
}

/* A file written just before it was read could be written again without its stamp showing it. */
static void
a_fresh_file_is_not_trusted(void **state)
{
	struct rig *r = *state;
	configure(r, ONE_ZONE);
	fixture_write_zone("a.zone", 1, "");
	load_all(r);
	load_all(r);
	assert_int_equal(r->last.unchanged, 0);
}

static void
included_files_are_watched(void **state)
{
	struct rig *r = *state;
	fixture_write("part", "www A 192.0.2.9\n");
	fixture_write_zone("a.zone", 1, "$INCLUDE part\n");
	let_files_age();
	configure(r, ONE_ZONE);
	load_all(r);
	assert_int_equal(info(r, "a.test.").records, 4);
	load_all(r);
	assert_int_equal(r->last.unchanged, 1);
	fixture_write("part", "www A 192.0.2.9\nftp A 192.0.2.10\n");
	let_files_age();
	load_all(r);
	assert_int_equal(r->last.loaded, 1);
	assert_int_equal(info(r, "a.test.").records, 5);
	load_all(r);
	assert_int_equal(r->last.unchanged, 1);
	assert_int_equal(unlink("part"), 0);
	load_all(r);
	assert_int_equal(r->last.failed, 1);
	assert_int_equal(info(r, "a.test.").records, 5);
}

/* -------- faults -------- */

static void
a_broken_file_keeps_the_old_data(void **state)
{
	struct rig *r = *state;
	fixture_write_zone("a.zone", 1, "");
	fixture_write_zone("b.zone", 1, "");
	configure(r, TWO_ZONES);
	load_all(r);
	fixture_write_zone("a.zone", 2, "x A not-an-address\ny BOGUS z\n");
	fixture_write_zone("b.zone", 2, "");
	load_all(r);
	assert_int_equal(r->last.failed, 1);
	assert_int_equal(r->last.loaded, 1);
	assert_non_null(strstr(r->failure, "a.zone:5:"));
	assert_non_null(strstr(r->failure, "(and 1 more)"));
	assert_int_equal(served_serial(r, "a.test."), 1);
	assert_int_equal(served_serial(r, "b.test."), 2);
	assert_int_equal(info(r, "a.test.").state, ZONE_STATE_STALE);
	assert_non_null(strstr(info(r, "a.test.").error, "a.zone:5:"));
	assert_int_equal(zones_states(r->zones)[ZONE_STATE_STALE], 1);
	load_all(r); /* still broken: reported again, not forgotten */
	assert_int_equal(r->last.failed, 1);
	fixture_write_zone("a.zone", 3, "");
	load_all(r);
	assert_int_equal(served_serial(r, "a.test."), 3);
	assert_int_equal(info(r, "a.test.").state, ZONE_STATE_OK);
	assert_null(info(r, "a.test.").error);
}

/* Of the zone of fixture_write_zone() with serial 1, as a.test. */
#define DIGEST                                                                                                     \
	"@ ZONEMD 1 1 1 146957afad333ad0eee8c85696c43ee488e73dd2cb8728acb5d7c0065501863e"                          \
	"15fe8b19ad62c4200be9babb093d11c4\n"

/* A wrong digest, or none, keeps the old data only where a right one is required. */
static void
a_zone_is_held_to_its_digest(void **state)
{
	static const char required[] = "zones: [{name: a.test, file: a.zone, zonemd: require}]\n";
	struct rig *r = *state;
	fixture_write_zone("a.zone", 1, DIGEST);
	let_files_age();
	configure(r, required);
	load_all(r);
	assert_int_equal(served_serial(r, "a.test."), 1);
	fixture_write_zone("a.zone", 2, DIGEST);
	let_files_age();
	load_all(r);
	assert_int_equal(r->last.failed, 1);
	assert_string_equal(r->failure, "./a.zone: error: ZONEMD: the digest is of serial 1, the zone has 2");
	assert_int_equal(served_serial(r, "a.test."), 1);
	fixture_write_zone("a.zone", 3, "");
	load_all(r);
	assert_non_null(strstr(r->failure, "ZONEMD: there is none"));
	assert_int_equal(served_serial(r, "a.test."), 1);
	fixture_write_zone("a.zone", 4, DIGEST);
	let_files_age();
	configure(r, ONE_ZONE); /* warn */
	load_all(r);
	assert_int_equal(r->last.failed, 0);
	assert_int_equal(served_serial(r, "a.test."), 4);
	load_all(r);
	assert_int_equal(r->last.unchanged, 1);
	/* the same file, held to more now */
	configure(r, required);
	load_all(r);
	assert_int_equal(r->last.failed, 1);
	configure(r, "zones: [{name: a.test, file: a.zone, zonemd: off}]\n");
	load_all(r);
	assert_int_equal(r->last.loaded, 1);
}

static void
a_missing_file_is_not_loaded(void **state)
{
	struct rig *r = *state;
	configure(r, ONE_ZONE);
	load_all(r);
	assert_int_equal(r->last.failed, 1);
	assert_non_null(strstr(r->failure, "a.zone"));
	assert_int_equal(served_serial(r, "a.test."), -2);
	assert_int_equal(info(r, "a.test.").state, ZONE_STATE_NOT_LOADED);
	assert_false(info(r, "a.test.").has_data);
}

static void
secondaries_are_honestly_not_loaded(void **state)
{
	struct rig *r = *state;
	struct zones_op *op;
	struct name apex = fixture_name("s.test.");
	configure(r, "remotes: [{id: p, address: 192.0.2.1}]\nzones: [{name: s.test, primaries: [p]}]\n");
	load_all(r);
	assert_int_equal(r->last.total, 1); /* looked for in the state, of which there is none */
	assert_int_equal(r->last.unchanged, 1);
	load_all(r);
	assert_int_equal(r->last.total, 0);
	assert_int_equal(info(r, "s.test.").state, ZONE_STATE_NOT_LOADED);
	assert_int_equal(zones_load_one(r->zones, &apex, op_done, r, &op), -ENOTSUP);
	apex = fixture_name("unknown.test.");
	assert_int_equal(zones_load_one(r->zones, &apex, op_done, r, &op), -ENOENT);
}

static void
a_serial_that_goes_back_is_served(void **state)
{
	struct rig *r = *state;
	fixture_write_zone("a.zone", 10, "");
	configure(r, ONE_ZONE);
	load_all(r);
	fixture_write_zone("a.zone", 5, "");
	load_all(r);
	assert_int_equal(served_serial(r, "a.test."), 5);
	assert_int_equal(info(r, "a.test.").state, ZONE_STATE_OK);
}

/* -------- configuration -------- */

static void
kept_zones_go_on_over_a_new_configuration(void **state)
{
	struct rig *r = *state;
	fixture_write_zone("a.zone", 1, "");
	fixture_write_zone("b.zone", 1, "");
	fixture_write_zone("c.zone", 1, "");
	let_files_age();
	configure(r, TWO_ZONES);
	load_all(r);
	uint64_t generation = zones_generation(r->zones);
	configure(r, "zones: [{name: c.test, file: c.zone}, {name: a.test, file: a.zone}]\n");
	assert_int_not_equal(zones_generation(r->zones), generation);
	assert_int_equal(served_serial(r, "a.test."), 1); /* at once, without a load */
	assert_int_equal(served_serial(r, "b.test."), -1);
	assert_int_equal(served_serial(r, "c.test."), -2);
	load_all(r);
	assert_int_equal(r->last.loaded, 1);
	assert_int_equal(r->last.unchanged, 1);
	assert_int_equal(served_serial(r, "c.test."), 1);
	assert_int_equal(zones_count(r->zones), 2);
	assert_int_equal(zones_states(r->zones)[ZONE_STATE_OK], 2);
	configure(r, "");
	assert_int_equal(zones_count(r->zones), 0);
	for (unsigned i = 0; i < ZONE_STATE_COUNT; i++)
		assert_int_equal(zones_states(r->zones)[i], 0);
}

static void
another_file_for_a_zone_is_loaded(void **state)
{
	struct rig *r = *state;
	fixture_write_zone("a.zone", 1, "");
	fixture_write_zone("b.zone", 2, "");
	let_files_age();
	configure(r, ONE_ZONE);
	load_all(r);
	configure(r, "zones: [{name: a.test, file: b.zone}]\n");
	assert_int_equal(served_serial(r, "a.test."), 1);
	load_all(r);
	assert_int_equal(served_serial(r, "a.test."), 2);
}

static void
a_plan_thrown_away_changes_nothing(void **state)
{
	struct rig *r = *state;
	struct zones_plan *plan;
	fixture_write_zone("a.zone", 1, "");
	configure(r, ONE_ZONE);
	load_all(r);
	struct config *other = fixture_config(TWO_ZONES);
	assert_int_equal(zones_plan(r->zones, other, &plan), 0);
	zones_plan_free(plan);
	config_free(other);
	assert_int_equal(served_serial(r, "a.test."), 1);
	assert_int_equal(served_serial(r, "b.test."), -1);
	assert_int_equal(info(r, "a.test.").state, ZONE_STATE_OK);
}

static void
a_zone_removed_while_it_loads_is_gone(void **state)
{
	struct rig *r = *state;
	struct zones_op *op;
	fixture_write_zone("a.zone", 1, "");
	fixture_write_zone("b.zone", 1, "");
	configure(r, TWO_ZONES);
	assert_int_equal(zones_load_all(r->zones, op_done, r, &op), 0);
	uv_run(&r->loop, UV_RUN_NOWAIT); /* the jobs are under way */
	configure(r, ONE_ZONE);
	run_until_done(r, 1);
	assert_int_equal(r->last.loaded + r->last.failed, 2);
	assert_int_equal(served_serial(r, "b.test."), -1);
	assert_int_equal(served_serial(r, "a.test."), 1);
}

static void
many_wishes_for_one_zone_all_come_true(void **state)
{
	struct rig *r = *state;
	struct zones_op *op;
	struct name apex = fixture_name("a.test.");
	fixture_write_zone("a.zone", 1, "");
	configure(r, ONE_ZONE);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(zones_load_one(r->zones, &apex, op_done, r, &op), 0);
	assert_int_equal(zones_load_all(r->zones, op_done, r, &op), 0);
	uv_run(&r->loop, UV_RUN_NOWAIT);
	fixture_write_zone("a.zone", 2, "");
	/* This wish is younger than the file: whatever job runs now, it must be served what the file says. */
	assert_int_equal(zones_load_one(r->zones, &apex, op_done, r, &op), 0);
	run_until_done(r, 5);
	assert_int_equal(served_serial(r, "a.test."), 2);
}

static void
twenty_thousand_zones_are_loaded_and_stay(void **state)
{
	enum { N = 20000 };
	struct rig *r = *state;
	char *text = malloc(N * 48 + 100), *p = text;
	fixture_write_zone("a.zone", 1, "");
	let_files_age();
	p += sprintf(p, "zones:\n");
	for (unsigned i = 0; i < N; i++)
		p += sprintf(p, " - {name: z%u.test, file: a.zone}\n", i);
	configure(r, text);
	free(text);
	load_all(r);
	assert_int_equal(r->last.loaded, N);
	assert_int_equal(zones_states(r->zones)[ZONE_STATE_OK], N);
	load_one(r, "z777.test.");
	assert_int_equal(r->last.total, 1);
	assert_int_equal(r->last.loaded, 1);
	load_all(r);
	assert_int_equal(r->last.unchanged, N);
}

/* Lines for zones NAME0, NAME1 ... of one file, but every `skip`-th. */
static char *
many_zones(char *p, const char *name, unsigned n, unsigned skip)
{
	for (unsigned i = 0; i < n; i++)
		if (i % skip != 0)
			p += sprintf(p, " - {name: %s%u.test, file: a.zone}\n", name, i);
	return p;
}

static struct config *
two_kinds(const char *more)
{
	enum { N = 5000 };
	char *text = malloc(2 * N * 48 + 100), *p = text;
	p += sprintf(p, "zones:\n");
	p = many_zones(p, "both", N, N);
	many_zones(p, more, N, N);
	struct config *config = fixture_config(text);
	free(text);
	return config;
}

/* Every zone is counted, at its place, with its file. */
static void
assert_in_order(const struct rig *r, const struct config *config)
{
	uint64_t counted = 0;
	assert_int_equal(zones_count(r->zones), config->n_zones);
	for (unsigned i = 0; i < config->n_zones; i++) {
		struct zone_info at;
		zones_info_at(r->zones, i, &at);
		assert_true(name_equal(at.apex, config->zones[i].name));
		assert_ptr_equal(at.file, config->zones[i].file);
		assert_ptr_equal(zone_item_config(at.item), config->zones[i].settings);
	}
	for (unsigned s = 0; s < ZONE_STATE_COUNT; s++)
		counted += zones_states(r->zones)[s];
	assert_int_equal(counted, config->n_zones);
}

/* Readers have one set or the other, whatever the step; what is loaded is loaded by one configuration. */
static void
a_commit_goes_in_steps(void **state)
{
	struct rig *r = *state;
	struct zones_plan *plan;
	unsigned n_steps = 0, n_done;
	struct zones_op *op;
	struct name apex = fixture_name("both7.test.");
	fixture_write_zone("a.zone", 1, "");
	r->config = two_kinds("old");
	assert_int_equal(zones_plan(r->zones, r->config, &plan), 0);
	zones_commit(r->zones, plan);
	assert_in_order(r, r->config);
	load_all(r);
	n_done = r->n_done;
	struct config *next = two_kinds("new");
	assert_int_equal(zones_plan(r->zones, next, &plan), 0);
	assert_int_equal(zones_load_one(r->zones, &apex, op_done, r, &op), 0);
	bool is_new = false;
	while (!zones_commit_step(r->zones, plan)) {
		bool is_old = served_serial(r, "old1.test.") == 1;
		assert_int_equal(served_serial(r, "new1.test."), is_old ? -1 : -2);
		assert_false(is_new && is_old);
		assert_int_equal(served_serial(r, "both7.test."), 1);
		assert_non_null(info(r, "both7.test.").file);
		uv_run(&r->loop, UV_RUN_NOWAIT);
		assert_int_equal(r->n_done, n_done);
		is_new = !is_old;
		n_steps++;
	}
	assert_in_range(n_steps, 10, 100);
	assert_in_order(r, next);
	config_free(r->config);
	r->config = next;
	run_until_done(r, n_done + 1);
	assert_int_equal(r->last.loaded, 1);
}

/* Of an operation over all zones, too, positions are those of the zones that it began with. */
static void
a_commit_waits_for_no_operation(void **state)
{
	struct rig *r = *state;
	struct zones_plan *plan;
	struct zones_op *op;
	fixture_write_zone("a.zone", 1, "");
	r->config = two_kinds("old");
	assert_int_equal(zones_plan(r->zones, r->config, &plan), 0);
	zones_commit(r->zones, plan);
	assert_int_equal(zones_load_all(r->zones, op_done, r, &op), 0);
	assert_int_equal(zones_op_report(op)->total, r->config->n_zones);
	struct config *next = two_kinds("new");
	assert_int_equal(zones_plan(r->zones, next, &plan), 0);
	zones_commit(r->zones, plan);
	config_free(r->config);
	r->config = next;
	run_until_done(r, 1);
	assert_int_equal(r->last.total, next->n_zones);
	assert_int_equal(r->last.loaded, next->n_zones / 2);
	assert_int_equal(r->last.failed, next->n_zones / 2);
}

/* -------- long and stalled readers -------- */

/* A zone is served when it is loaded, whatever else is still under way. */
static void
small_zones_do_not_wait_for_a_large_one(void **state)
{
	struct rig *r = *state;
	struct zones_op *op;
	char large[4000];
	size_t len = 0;
	for (unsigned i = 0; i < 20; i++)
		len += (size_t)sprintf(large + len, "$GENERATE 1-20000 a$.b%u A 192.0.2.1\n", i);
	fixture_write_zone("large.zone", 1, large);
	fixture_write_zone("small.zone", 1, "");
	configure(r, "zones: [{name: large.test, file: large.zone}, {name: small.test, file: small.zone}]");
	assert_int_equal(zones_load_all(r->zones, op_done, r, &op), 0);
	while (!info(r, "small.test.").has_data)
		uv_run(&r->loop, UV_RUN_ONCE);
	assert_false(info(r, "large.test.").has_data);
	assert_int_equal(zones_op_report(op)->loaded, 1);
	run_until_done(r, 1);
	assert_int_equal(info(r, "large.test.").records, 400000 + 3);
}

static void
held_data_outlives_its_replacement(void **state)
{
	struct rig *r = *state;
	struct name apex = fixture_name("a.test.");
	fixture_write_zone("a.zone", 1, "");
	configure(r, ONE_ZONE);
	assert_null(zones_hold(r->zones, &apex));
	load_all(r);
	struct served *held = zones_hold(r->zones, &apex);
	assert_non_null(held);
	fixture_write_zone("a.zone", 2, "");
	load_all(r);
	configure(r, ""); /* even the zone may go */
	usleep(50000);
	assert_int_equal(held->snapshot->serial, 1);
	assert_int_equal(held->snapshot->records, 3);
	served_release(&r->publisher, held);
}

static _Atomic bool reader_end, reader_ready;

static void
stalled_reader(void *arg)
{
	atomic_store(&reader_ready, true);
	while (!atomic_load(&reader_end))
		usleep(500); /* online, and without a quiescent state */
}

static void
publishing_waits_for_a_stalled_reader(void **state)
{
	struct rig *r;
	struct thread reader = {0};
	struct zones_op *op;
	teardown(state);
	fixture_enter();
	*state = r = calloc(1, sizeof(*r));
	rig_start(r, 1); /* one object in the list is a full list */
	fixture_write_zone("a.zone", 1, "");
	configure(r, ONE_ZONE);
	load_all(r);
	while (!reclaim_has_room(r->reclaim, 1)) /* the sets that configure() replaced */
		usleep(1000);
	atomic_store(&reader_end, false);
	atomic_store(&reader_ready, false);
	assert_int_equal(thread_start(&reader, "stalled", THREAD_CPU_ANY, THREAD_RCU_ONLINE, stalled_reader, NULL),
			 0);
	while (!atomic_load(&reader_ready))
		usleep(500);
	fixture_write_zone("a.zone", 2, "");
	load_all(r); /* replaces 1, which now waits for the reader */
	assert_int_equal(served_serial(r, "a.test."), 2);
	fixture_write_zone("a.zone", 3, "");
	unsigned n = r->n_done;
	assert_int_equal(zones_load_all(r->zones, op_done, r, &op), 0);
	for (unsigned i = 0; i < 100; i++) {
		uv_run(&r->loop, UV_RUN_NOWAIT);
		usleep(1000);
	}
	assert_int_equal(zones_waiting_to_publish(r->zones), 1);
	assert_int_equal(served_serial(r, "a.test."), 2);
	assert_int_equal(r->n_done, n);
	atomic_store(&reader_end, true);
	run_until_done(r, n + 1);
	thread_join(&reader);
	assert_int_equal(zones_waiting_to_publish(r->zones), 0);
	assert_int_equal(served_serial(r, "a.test."), 3);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(zones_are_served_after_the_first_load, setup, teardown),
		cmocka_unit_test_setup_teardown(only_changed_files_are_read_again, setup, teardown),
		cmocka_unit_test_setup_teardown(a_change_that_hides_is_seen, setup, teardown),
		cmocka_unit_test_setup_teardown(a_fresh_file_is_not_trusted, setup, teardown),
		cmocka_unit_test_setup_teardown(included_files_are_watched, setup, teardown),
		cmocka_unit_test_setup_teardown(a_broken_file_keeps_the_old_data, setup, teardown),
		cmocka_unit_test_setup_teardown(a_zone_is_held_to_its_digest, setup, teardown),
		cmocka_unit_test_setup_teardown(a_missing_file_is_not_loaded, setup, teardown),
		cmocka_unit_test_setup_teardown(secondaries_are_honestly_not_loaded, setup, teardown),
		cmocka_unit_test_setup_teardown(a_serial_that_goes_back_is_served, setup, teardown),
		cmocka_unit_test_setup_teardown(kept_zones_go_on_over_a_new_configuration, setup, teardown),
		cmocka_unit_test_setup_teardown(another_file_for_a_zone_is_loaded, setup, teardown),
		cmocka_unit_test_setup_teardown(a_plan_thrown_away_changes_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(a_zone_removed_while_it_loads_is_gone, setup, teardown),
		cmocka_unit_test_setup_teardown(many_wishes_for_one_zone_all_come_true, setup, teardown),
		cmocka_unit_test_setup_teardown(twenty_thousand_zones_are_loaded_and_stay, setup, teardown),
		cmocka_unit_test_setup_teardown(a_commit_goes_in_steps, setup, teardown),
		cmocka_unit_test_setup_teardown(a_commit_waits_for_no_operation, setup, teardown),
		cmocka_unit_test_setup_teardown(small_zones_do_not_wait_for_a_large_one, setup, teardown),
		cmocka_unit_test_setup_teardown(held_data_outlives_its_replacement, setup, teardown),
		cmocka_unit_test_setup_teardown(publishing_waits_for_a_stalled_reader, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
