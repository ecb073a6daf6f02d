/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The end of the zone road: turns in order, versions that wait for disk or room, and zones that go while something
 * of theirs is under way.
 */
#include "tests/unit/control/daemon_fixture.h"

#include <sched.h>
#include <sys/mount.h>

#include "control/state/state_private.h"
#include "control/zone/zones_private.h"
#include "zones/base/alloc.h"
#include "zones/load/zonefile.h"
#include "zones/store/builder.h"

#define KEPT "acls: [{id: a, address: 127.0.0.1}]\nzones: [{name: a.test, file: a.zone, allow-transfer: [a]}]\n"
#define KEPT_TWO                                                                                                   \
	"acls: [{id: a, address: 127.0.0.1}]\nzones: [{name: a.test, file: a.zone, allow-transfer: [a]}, "         \
	"{name: b.test, file: b.zone, allow-transfer: [a]}]\n"
#define OTHER "zones: [{name: other.test, file: a.zone}]\n"

static struct rig *
serving(void **state, const char *config)
{
	struct rig *r = *state;
	fixture_write_zone("a.zone", 1, "");
	fixture_write_zone("b.zone", 1, "");
	rig_start(r, config);
	RIG_WAIT(r, rig_serial(r, "a.test.") == 1 && rig_is_quiet(r));
	return r;
}

static struct served *
make_served(const char *zone, unsigned serial)
{
	struct name apex = fixture_name(zone);
	struct diag_list diag = {0};
	struct snapshot *s = NULL;
	fixture_write_zone("made.zone", serial, "");
	assert_int_equal(zonefile_load("made.zone", &apex, &diag, &s), 0);
	diag_clear(&diag);
	return served_new(s, snapshot_bytes(s));
}

/* -------- turns -------- */

struct user {
	struct zone_turn turn;
	struct zone_version version;
	unsigned number, n_begun, n_done;
	bool ends_at_once, was_told_of_removal;
	int err;
	struct zones *zones;
};

static unsigned order[16], n_order;

static void
turn_began(struct zone_turn *turn)
{
	struct user *u = (struct user *)turn;
	u->n_begun++;
	u->was_told_of_removal = !turn->item;
	order[n_order++ % 16] = u->number;
	if (u->ends_at_once)
		zone_turn_end(turn);
}

static void
users_take(struct user *users, unsigned n, struct zone_item *item)
{
	n_order = 0;
	for (unsigned i = 0; i < n; i++) {
		users[i] =
			(struct user){.turn.begin = turn_began, .number = i, .ends_at_once = users[i].ends_at_once};
		zone_turn_take(item, &users[i].turn);
	}
}

static void
turns_come_in_order(void **state)
{
	struct rig *r = serving(state, KEPT);
	struct user users[4] = {[1] = {.ends_at_once = true}, [2] = {.ends_at_once = true}};
	users_take(users, 4, rig_item(r, "a.test."));
	assert_int_equal(n_order, 1);
	zone_turn_end(&users[0].turn);
	assert_int_equal(n_order, 4);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(order[i], i);
	zone_turn_end(&users[3].turn);
	assert_null(rig_item(r, "a.test.")->turn);
	zone_turn_end(&users[3].turn); /* over already */
}

static void
a_removal_tells_all_who_want_a_turn(void **state)
{
	struct rig *r = serving(state, KEPT);
	struct user users[3] = {0};
	users_take(users, 3, rig_item(r, "a.test."));
	rig_reload(r, OTHER);
	assert_int_equal(users[0].n_begun, 1); /* it sees that when it ends */
	assert_false(users[0].was_told_of_removal);
	assert_null(users[0].turn.item);
	zone_turn_end(&users[0].turn);
	for (unsigned i = 1; i < 3; i++) {
		assert_int_equal(users[i].n_begun, 1);
		assert_true(users[i].was_told_of_removal);
	}
}

/* -------- versions -------- */

static void
version_done(struct zone_version *v, int err)
{
	struct user *u = (struct user *)((char *)v - offsetof(struct user, version));
	u->err = err;
	u->n_done++;
	zone_turn_end(&u->turn);
}

static void
turn_accepts(struct zone_turn *turn)
{
	struct user *u = (struct user *)turn;
	if (!turn->item) {
		u->n_done++;
		u->err = -ECANCELED;
		served_free(u->version.next);
		return;
	}
	zone_accept(u->zones, &u->version);
}

static void
accept_version(struct rig *r, struct user *u, const char *zone, unsigned serial)
{
	*u = (struct user){.turn.begin = turn_accepts, .zones = r->d.zones};
	u->version = (struct zone_version){.turn = &u->turn,
					   .next = make_served(zone, serial),
					   .store = ZONE_STORE_WHOLE,
					   .verified_ns = publish_now_ns(),
					   .done = version_done};
	zone_turn_take(rig_item(r, zone), &u->turn);
}

static int64_t
stored_serial(struct rig *r, const char *zone)
{
	struct state_zone z = {0};
	struct name apex = fixture_name(zone);
	int err = state_zone_get(r->d.state, &apex, &z);
	return err ? err : (int64_t)z.serial;
}

static void
versions_are_served_when_they_are_durable(void **state)
{
	struct rig *r = serving(state, KEPT);
	struct user u[3];
	for (unsigned i = 0; i < 3; i++)
		accept_version(r, &u[i], "a.test.", 10 + i);
	assert_int_equal(rig_serial(r, "a.test."), 1);
	RIG_WAIT(r, u[0].n_done);
	assert_true(stored_serial(r, "a.test.") >= 10);
	RIG_WAIT(r, u[2].n_done);
	assert_int_equal(rig_serial(r, "a.test."), 12);
	assert_int_equal(stored_serial(r, "a.test."), 12);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(u[i].err, 0);
}

/* The next version of the same zone does not come to be before the one that waits for room. */
static void
a_parked_version_waits_for_room_and_is_dropped_with_its_zone(void **state)
{
	struct rig *r = serving(state, KEPT_TWO);
	struct user a, b;
	struct reclaim *tight, *own = r->d.publisher.reclaim;
	struct served *held = zone_item_served(rig_item(r, "b.test."));
	assert_int_equal(reclaim_start(1, NULL, NULL, &tight), 0);
	r->d.publisher.reclaim = tight; /* one octet of budget; and something retired that is held */
	served_hold(held);
	accept_version(r, &b, "b.test.", 2);
	RIG_WAIT(r, b.n_done);
	assert_int_equal(b.err, 0);
	accept_version(r, &a, "a.test.", 2);
	RIG_WAIT(r, zones_waiting_to_publish(r->d.zones) == 1);
	assert_int_equal(rig_serial(r, "a.test."), 1);
	assert_int_equal(stored_serial(r, "a.test."), 2);
	zones_on_room(r->d.zones);
	assert_int_equal(a.n_done, 0);
	served_release(&r->d.publisher, held);
	RIG_WAIT(r, (zones_on_room(r->d.zones), a.n_done));
	assert_int_equal(a.err, 0);
	assert_int_equal(rig_serial(r, "a.test."), 2);
	/* Again, and the zone goes. */
	held = zone_item_served(rig_item(r, "b.test."));
	served_hold(held);
	accept_version(r, &b, "b.test.", 3);
	RIG_WAIT(r, b.n_done);
	accept_version(r, &a, "a.test.", 3);
	RIG_WAIT(r, zones_waiting_to_publish(r->d.zones) == 1);
	zones_on_room(r->d.zones);
	rig_drop(r, "a.test.");
	zones_on_room(r->d.zones);
	assert_int_equal(a.n_done, 1);
	assert_int_equal(a.err, -ECANCELED);
	assert_int_equal(zones_waiting_to_publish(r->d.zones), 0);
	served_release(&r->d.publisher, held);
	reclaim_stop(tight);
	r->d.publisher.reclaim = own;
}

/* A request that keeps the state's writer busy until it is told to give up. */
struct plug {
	uv_sem_t sem;
	bool is_done;
};

static int
plug_next(void *arg, struct state_record *out)
{
	uv_sem_wait(&((struct plug *)arg)->sem);
	return -ECANCELED;
}

static void
plug_done(void *arg, const struct state_result *result)
{
	((struct plug *)arg)->is_done = true;
}

static void
plug_in(struct rig *r, struct plug *plug)
{
	struct name apex = fixture_name("plug.");
	struct state_meta meta = {0};
	const struct state_source source = {.next = plug_next, .arg = plug};
	*plug = (struct plug){0};
	uv_sem_init(&plug->sem, 0);
	assert_int_equal(state_zone_replace(r->d.state, &apex, 1, &meta, &source,
					    (struct state_done){.fn = plug_done, .arg = plug}),
			 0);
}

/* The state has no room; the versions wait, and come to be when there is. */
static void
a_full_queue_is_waited_for(void **state)
{
	struct rig *r = serving(state, KEPT_TWO);
	struct user a, b;
	struct plug plug;
	r->d.state->options.queue_bytes_max = 1;
	plug_in(r, &plug);
	accept_version(r, &a, "a.test.", 2);
	accept_version(r, &b, "b.test.", 2);
	assert_non_null(r->d.zones->storing_first->next_waiting);
	rig_turn(r);
	assert_int_equal(a.n_done + b.n_done, 0);
	uv_sem_post(&plug.sem);
	RIG_WAIT(r, a.n_done && b.n_done && plug.is_done);
	assert_int_equal(a.err, 0);
	assert_int_equal(b.err, 0);
	assert_int_equal(rig_serial(r, "b.test."), 2);
	/* One that waits when its zone goes, and one when the server stops. */
	plug_in(r, &plug);
	accept_version(r, &a, "a.test.", 20);
	accept_version(r, &b, "b.test.", 20);
	rig_drop(r, "b.test.");
	uv_sem_post(&plug.sem);
	rig_stop(r);
	assert_int_equal(a.n_done, 1);
	assert_int_equal(b.n_done, 1);
	assert_int_equal(b.err, -ECANCELED);
}

static void
a_difference_to_what_is_not_on_disk_is_stored_whole(void **state)
{
	struct rig *r = serving(state, KEPT);
	struct name apex = fixture_name("a.test.");
	assert_int_equal(state_zone_drop(r->d.state, &apex, (struct state_done){0}), 0);
	RIG_WAIT(r, stored_serial(r, "a.test.") == -ENOENT);
	fixture_write_zone("a.zone", 2, "more A 192.0.2.2\n");
	rig_reload(r, KEPT);
	assert_int_equal(rig_serial(r, "a.test."), 2);
	assert_int_equal(stored_serial(r, "a.test."), 2);
}

static void
a_full_disk_leaves_what_is_served(void **state)
{
	struct rig *r = *state;
	char *more = malloc(8 << 20);
	size_t len = 0;
	if (unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("tmpfs", "state", "tmpfs", 0, "size=3m")) {
		free(more);
		skip();
	}
	serving(state, KEPT_TWO);
	for (unsigned i = 0; i < 30000; i++)
		len += (size_t)sprintf(more + len, "h%u TXT %0200u\n", i, i);
	fixture_write_zone("a.zone", 2, more);
	free(more);
	rig_reload(r, KEPT_TWO);
	assert_int_equal(rig_serial(r, "a.test."), 1);
	assert_int_equal(rig_info(r, "a.test.").state, ZONE_STATE_STALE);
	assert_non_null(strstr(rig_info(r, "a.test.").error, strerror(ENOSPC)));
	fixture_write_zone("b.zone", 2, "");
	rig_reload(r, KEPT_TWO); /* others go on */
	assert_int_equal(rig_serial(r, "b.test."), 2);
	/* With room, the next reload takes it although the file is the same. */
	assert_int_equal(mount("none", "state", NULL, MS_REMOUNT, "size=128m"), 0);
	rig_reload(r, KEPT_TWO);
	assert_int_equal(rig_serial(r, "a.test."), 2);
	assert_null(rig_info(r, "a.test.").error);
	rig_stop(r);
	assert_int_equal(umount("state"), 0);
}

/* -------- zones that go in between -------- */

/* The pool has one thread (see main()), which a test can keep busy. */
struct blocker {
	uv_work_t work;
	uv_sem_t sem;
	bool is_over;
};

static void
blocker_work(uv_work_t *work)
{
	uv_sem_wait(&((struct blocker *)work)->sem);
}

static void
blocker_over(uv_work_t *work, int status)
{
	((struct blocker *)work)->is_over = true;
}

static void
block_pool(struct rig *r, struct blocker *b)
{
	*b = (struct blocker){0};
	uv_sem_init(&b->sem, 0);
	uv_queue_work(&r->d.loop, &b->work, blocker_work, blocker_over);
}

static void
unblock_pool(struct rig *r, struct blocker *b)
{
	uv_sem_post(&b->sem);
	RIG_WAIT(r, b->is_over);
	uv_sem_destroy(&b->sem);
}

static void
op_done(void *arg, const struct zones_report *report)
{
	*(unsigned *)arg += 1;
}

static void
load(struct rig *r, const char *zone, unsigned *n_done)
{
	struct zones_op *op;
	struct name apex = fixture_name(zone);
	assert_int_equal(zones_load_one(r->d.zones, &apex, op_done, n_done, &op), 0);
}

/* What is compared with is there as long as it is compared with. */
static void
a_zone_may_go_while_its_file_is_compared(void **state)
{
	struct rig *r = serving(state, KEPT);
	struct zone_item *item = rig_item(r, "a.test.");
	struct served *served = zone_item_served(item);
	struct blocker read, compare;
	struct reclaim_stats stats;
	unsigned n_done = 0;
	fixture_write_zone("a.zone", 2, "");
	block_pool(r, &read);
	load(r, "a.test.", &n_done);
	RIG_WAIT(r, item->job);
	block_pool(r, &compare); /* behind the reading */
	unblock_pool(r, &read);
	RIG_WAIT(r, item->turn);
	reclaim_stats(r->d.reclaim, &stats);
	uint64_t freed = stats.freed_records;
	rig_drop(r, "a.test.");
	assert_int_equal(n_done, 1);
	RIG_WAIT(r, (reclaim_stats(r->d.reclaim, &stats), stats.freed_records > freed)); /* what nobody holds */
	assert_int_equal(served->retired.holds, 1);
	unblock_pool(r, &compare);
	RIG_WAIT(r, rig_is_quiet(r));
	RIG_WAIT(r, (reclaim_stats(r->d.reclaim, &stats), stats.retired_records == 0));
}

static void
loads_asked_for_while_one_runs_end_at_a_stop(void **state)
{
	struct rig *r = serving(state, KEPT);
	struct blocker b;
	unsigned n_done = 0;
	block_pool(r, &b);
	load(r, "a.test.", &n_done);
	RIG_WAIT(r, rig_item(r, "a.test.")->job);
	load(r, "a.test.", &n_done);
	RIG_WAIT(r, rig_item(r, "a.test.")->waits);
	uv_sem_post(&b.sem);
	rig_stop(r);
	assert_int_equal(n_done, 2);
	uv_sem_destroy(&b.sem);
}

/* -------- zones whose role changes -------- */

#define FROM_FILE "remotes: [{id: p, address: 127.0.0.1@%u}]\nzones: [{name: a.test, file: a.zone}]\n"
#define FROM_PRIMARY "remotes: [{id: p, address: 127.0.0.1@%u}]\nzones: [{name: a.test, primaries: [p]}]\n"

static void
a_file_counts_again_when_its_zone_is_primary_again(void **state)
{
	struct rig *r = *state;
	primary_set(r->primary, "a.test.", 7, NULL);
	fixture_write_zone("a.zone", 5, "");
	usleep(50000); /* old enough for its stamp to be trusted */
	serving(state, "zones: [{name: b.test, file: b.zone}, {name: a.test, file: a.zone}]\n");
	fixture_write_zone("a.zone", 5, "");
	usleep(50000);
	rig_reload(r, FROM_FILE);
	assert_int_equal(rig_serial(r, "a.test."), 5);
	rig_reload(r, FROM_PRIMARY);
	RIG_WAIT(r, rig_serial(r, "a.test.") == 7 && rig_is_quiet(r));
	rig_reload(r, FROM_FILE);
	assert_int_equal(rig_serial(r, "a.test."), 5);
}

static void
a_secondary_is_not_stale_for_the_file_it_had(void **state)
{
	struct rig *r = *state;
	primary_set(r->primary, "a.test.", 1, NULL);
	fixture_write("a.zone", "rubbish\n");
	rig_start(r, FROM_FILE);
	RIG_WAIT(r, rig_info(r, "a.test.").error);
	fixture_write_zone("a.zone", 1, "");
	rig_reload(r, FROM_FILE);
	fixture_write("a.zone", "rubbish\n");
	rig_reload(r, FROM_FILE);
	assert_int_equal(rig_info(r, "a.test.").state, ZONE_STATE_STALE);
	rig_reload(r, FROM_PRIMARY);
	RIG_WAIT(r, rig_secondary(r, "a.test.").refreshed_at_s); /* the primary has the same serial */
	assert_null(rig_info(r, "a.test.").error);
	assert_int_equal(rig_info(r, "a.test.").state, ZONE_STATE_OK);
}

/* -------- who is told -------- */

#define FOLLOWED "remotes: [{id: f, address: 127.0.0.1@9}]\nzones: [{name: a.test, file: a.zone, notify: [f]}]\n"

/* NOTIFYs that were begun, however they end: nobody listens. */
static uint64_t
told(struct rig *r)
{
	struct notify_outs_stats s;
	notify_outs_stats(r->d.notify_outs, &s);
	return s.answered + s.refused + s.failed + s.dropped + s.waiting + s.asking;
}

static void
a_start_tells_nobody_what_was_told_before(void **state)
{
	struct rig *r = *state;
	fixture_write_zone("a.zone", 1, "");
	rig_start(r, FOLLOWED);
	RIG_WAIT(r, rig_serial(r, "a.test.") == 1);
	assert_int_equal(told(r), 1);
	rig_stop(r);
	rig_start(r, FOLLOWED);
	RIG_WAIT(r, rig_serial(r, "a.test.") == 1);
	assert_int_equal(told(r), 0);
	rig_stop(r);
	fixture_write_zone("a.zone", 2, "");
	rig_start(r, FOLLOWED);
	RIG_WAIT(r, rig_serial(r, "a.test.") == 2);
	assert_int_equal(told(r), 1);
}

int
main(void)
{
	setenv("UV_THREADPOOL_SIZE", "1", 1);
#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)
	const struct CMUnitTest tests[] = {
		TEST(turns_come_in_order),
		TEST(a_removal_tells_all_who_want_a_turn),
		TEST(versions_are_served_when_they_are_durable),
		TEST(a_parked_version_waits_for_room_and_is_dropped_with_its_zone),
		TEST(a_full_queue_is_waited_for),
		TEST(a_difference_to_what_is_not_on_disk_is_stored_whole),
		TEST(a_zone_may_go_while_its_file_is_compared),
		TEST(loads_asked_for_while_one_runs_end_at_a_stop),
		TEST(a_file_counts_again_when_its_zone_is_primary_again),
		TEST(a_secondary_is_not_stale_for_the_file_it_had),
		TEST(a_start_tells_nobody_what_was_told_before),
		TEST(a_full_disk_leaves_what_is_served), /* last: its directory is gone */
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
