/* SPDX-License-Identifier: Apache-2.0 */
/* The dispatcher: in which order and how many at a time inquiries reach their handler, and that each ends once. */
#include "tests/unit/control/control_fixture.h"

#include <pthread.h>

#include "control/net/inquiries.h"

enum { WORKERS = 3 };

/* Workers with messages that wait; a message's id is its number. */
struct rig {
	uv_loop_t loop;
	struct inquiries *all;
	unsigned waiting[WORKERS], next_id[WORKERS], ended[WORKERS], silent;
	unsigned n_polls;
	uint64_t polled_ms, gap_ms; /* the last one; the shortest between two since n_polls was 0 */
	unsigned n_handled, order[1024];
	unsigned most_a_turn, turn;
	uv_prepare_t turns;
	struct inquiry *held;
	bool holds, drops;
	_Atomic unsigned n_posted_ends, n_posted_drops;
	size_t reply_len;
};

static bool
next(void *arg, unsigned worker, struct inquiry_punt *out)
{
	struct rig *r = arg;
	if (worker == 0) {
		uint64_t now_ms = uv_now(&r->loop);
		if (r->n_polls++ && now_ms != r->polled_ms && now_ms - r->polled_ms < r->gap_ms)
			r->gap_ms = now_ms - r->polled_ms;
		r->polled_ms = now_ms;
	}
	if (!r->waiting[worker])
		return false;
	r->waiting[worker]--;
	static const uint8_t msg[12];
	*out = (struct inquiry_punt){
		.msg = msg, .len = sizeof(msg), .reply_cap = 512, .id = worker * 10000 + r->next_id[worker]++};
	return true;
}

static void
end(void *arg, unsigned worker, unsigned id, const uint8_t *msg, size_t len)
{
	struct rig *r = arg;
	assert_int_equal(id / 10000, worker);
	r->ended[worker]++;
	r->silent += len == 0;
	if (r->n_handled < 1024)
		r->order[r->n_handled] = worker;
}

static void
handle(void *arg, struct inquiry *q)
{
	struct rig *r = arg;
	uint8_t reply[600] = {0};
	r->turn++;
	if (r->holds)
		r->held = q;
	else if (r->drops)
		inquiry_drop(q);
	else
		inquiry_reply(q, reply, r->reply_len);
	r->n_handled++;
}

static void
turn_begins(uv_prepare_t *p)
{
	struct rig *r = p->data;
	if (r->turn > r->most_a_turn)
		r->most_a_turn = r->turn;
	r->turn = 0;
}

static int
setup(void **state)
{
	struct rig *r = calloc(1, sizeof(*r));
	uv_loop_init(&r->loop);
	uv_prepare_init(&r->loop, &r->turns);
	uv_prepare_start(&r->turns, turn_begins);
	r->turns.data = r;
	r->reply_len = 12;
	assert_int_equal(inquiries_new(&r->loop, handle, r, &r->all), 0);
	const struct inquiry_workers workers = {.n = WORKERS, .next = next, .end = end, .arg = r};
	assert_int_equal(inquiries_start(r->all, &workers), 0);
	*state = r;
	return 0;
}

static int
teardown(void **state)
{
	struct rig *r = *state;
	inquiries_stop(r->all);
	uv_close((uv_handle_t *)&r->turns, NULL);
	uv_run(&r->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&r->loop), 0);
	inquiries_free(r->all);
	free(r);
	return 0;
}

static void
run_for(struct rig *r, uint64_t ms)
{
	for (uint64_t start_ms = fixture_now_ms(); fixture_now_ms() - start_ms < ms;) {
		uv_run(&r->loop, UV_RUN_NOWAIT);
		usleep(100);
	}
}

/* Long enough for any machine; the test fails later if it was not. */
static void
run_until_ended(struct rig *r, unsigned worker, unsigned n)
{
	for (unsigned ms = 0; r->ended[worker] < n && ms < 20000; ms++)
		run_for(r, 1);
}

static void
a_flood_is_taken_in_pieces_and_in_turn(void **state)
{
	struct rig *r = *state;
	r->waiting[0] = 500;
	r->waiting[2] = 20;
	run_until_ended(r, 2, 20);
	run_until_ended(r, 0, 500);
	assert_int_equal(r->n_handled, 520);
	assert_int_equal(r->ended[0], 500);
	assert_int_equal(r->ended[2], 20);
	assert_int_equal(r->silent, 0);
	assert_in_range(r->most_a_turn, 2, INQUIRIES_TURN);
	unsigned n_third = 0; /* the small one is not kept waiting by the large one */
	for (unsigned i = 0; i < 41; i++)
		n_third += r->order[i] == 2;
	assert_int_equal(n_third, 20);
}

/* Runs for that many polls; returns the shortest time between two. A loaded machine can only make it longer. */
static uint64_t
shortest_gap_ms(struct rig *r, unsigned polls)
{
	r->n_polls = 0;
	r->gap_ms = UINT64_MAX;
	for (unsigned ms = 0; r->n_polls < polls && ms < 20000; ms++)
		run_for(r, 1);
	assert_true(r->n_polls >= polls);
	return r->gap_ms;
}

static void
quiet_workers_are_polled_less(void **state)
{
	struct rig *r = *state;
	uint64_t gap_ms = UINT64_MAX;
	assert_true(shortest_gap_ms(r, 50) >= INQUIRIES_POLL_QUIET_MS);
	for (unsigned i = 0; gap_ms > INQUIRIES_POLL_BUSY_MS && i < 1000; i++) {
		r->waiting[1] = 1;
		gap_ms = shortest_gap_ms(r, 20);
	}
	assert_int_equal(gap_ms, INQUIRIES_POLL_BUSY_MS);
	run_for(r, 1100);
	assert_true(shortest_gap_ms(r, 50) >= INQUIRIES_POLL_QUIET_MS);
}

static void
what_cannot_be_sent_is_silence(void **state)
{
	struct rig *r = *state;
	r->reply_len = 513;
	r->waiting[0] = 1;
	run_until_ended(r, 0, 1);
	r->reply_len = 0;
	r->waiting[0] = 1;
	run_until_ended(r, 0, 2);
	r->drops = true;
	r->waiting[0] = 1;
	run_until_ended(r, 0, 3);
	assert_int_equal(r->ended[0], 3);
	assert_int_equal(r->silent, 3);
}

static void
inquiries_may_end_after_the_stop(void **state)
{
	struct rig *r = *state;
	r->holds = true;
	r->waiting[0] = 1;
	for (unsigned ms = 0; !r->held && ms < 20000; ms++)
		run_for(r, 1);
	assert_non_null(r->held);
	inquiries_stop(r->all);
	r->waiting[0] = 1;
	run_for(r, 20);
	assert_int_equal(r->n_handled, 1);
	inquiry_reply(r->held, (const uint8_t *)"123456789012", 12);
	assert_int_equal(r->ended[0], 1);
}

/* -------- posting threads -------- */

struct posted {
	struct inquiry inquiry;
	struct rig *rig;
};

static void
posted_reply(struct inquiry *q, const uint8_t *msg, size_t len)
{
	((struct posted *)q)->rig->n_posted_ends++;
	free(q);
}

static void
posted_drop(struct inquiry *q)
{
	((struct posted *)q)->rig->n_posted_drops++;
	free(q);
}

static const struct inquiry_ops posted_ops = {.reply = posted_reply, .drop = posted_drop};

enum { POSTS = 5000 };

static void *
post_all(void *arg)
{
	struct rig *r = arg;
	for (unsigned i = 0; i < POSTS; i++) {
		struct posted *p = calloc(1, sizeof(*p));
		p->rig = r;
		p->inquiry =
			(struct inquiry){.reply_cap = 512, .client = {.transport = ENGINE_TCP}, .ops = &posted_ops};
		inquiries_post(r->all, &p->inquiry);
	}
	return NULL;
}

static void
threads_may_post(void **state)
{
	struct rig *r = *state;
	pthread_t threads[2];
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, post_all, r), 0);
	for (unsigned ms = 0; r->n_posted_ends < 2 * POSTS && ms < 20000; ms += 10)
		run_for(r, 10);
	for (unsigned i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(r->n_posted_ends, 2 * POSTS);
	assert_int_equal(r->n_posted_drops, 0);
	assert_in_range(r->most_a_turn, 2, 2 * INQUIRIES_TURN);
}

static void
posting_goes_on_over_the_stop(void **state)
{
	struct rig *r = *state;
	pthread_t thread;
	assert_int_equal(pthread_create(&thread, NULL, post_all, r), 0);
	while (!r->n_posted_ends)
		run_for(r, 1);
	inquiries_stop(r->all);
	pthread_join(thread, NULL);
	assert_int_equal(r->n_posted_ends + r->n_posted_drops, POSTS);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_flood_is_taken_in_pieces_and_in_turn),
		TEST(quiet_workers_are_polled_less),
		TEST(what_cannot_be_sent_is_silence),
		TEST(inquiries_may_end_after_the_stop),
		TEST(threads_may_post),
		TEST(posting_goes_on_over_the_stop),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
