/* SPDX-License-Identifier: Apache-2.0 */
/* The window of outstanding queries: each reply meets its query, and nothing else does. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "bench/blast/window.h"

enum { SOURCES = 7, RUN = 4, SALT = 1234 };

static struct window w;

struct sent {
	uint32_t source, question;
	uint16_t id;
};

static int
setup(void **state)
{
	assert_int_equal(window_open(&w, SOURCES, RUN, 1, SALT), 0);
	return 0;
}

static int
teardown(void **state)
{
	window_close(&w);
	return 0;
}

/* Sends query number `question` at `stamp`. */
static struct sent
send_one(uint32_t question, uint32_t stamp)
{
	struct window_cursor c = w.next;
	struct sent s = {.source = c.source, .question = question};
	s.id = window_put(&w, &c, stamp, question);
	window_step(&w, 1);
	return s;
}

static enum window_state
find(const struct sent *s, struct window_place *place)
{
	return window_find(&w, s->source, s->id, place);
}

static void
sources_take_turns_in_runs(void **state)
{
	for (uint32_t i = 0; i < 3 * SOURCES * RUN; i++)
		assert_int_equal(send_one(i, 0).source, i / RUN % SOURCES);
}

/* Far beyond the 2^16 ids of a source: every one of those that wait is found, with its own question. */
static void
replies_meet_their_queries(void **state)
{
	const uint32_t all = SOURCES * 70000, behind = 100;
	struct sent *sent = calloc(all, sizeof(*sent));
	struct window_place place;
	assert_non_null(sent);
	for (uint32_t i = 0; i < all; i++) {
		sent[i] = send_one(i, i);
		if (i < behind)
			continue;
		assert_int_equal(find(&sent[i - behind], &place), WINDOW_WAITING);
		assert_int_equal(place.question, i - behind);
		assert_int_equal(place.stamp, i - behind);
		assert_true(window_claim(&w, &place));
		window_expire(&w, i, 1000);
	}
	assert_int_equal(w.n_expired, 0);
	free(sent);
}

static void
a_second_reply_is_known_as_one(void **state)
{
	struct sent s = send_one(1, 10);
	struct window_place first, second;
	assert_int_equal(find(&s, &first), WINDOW_WAITING);
	assert_int_equal(find(&s, &second), WINDOW_WAITING); /* on another thread, at the same time */
	assert_true(window_claim(&w, &first));
	assert_false(window_claim(&w, &second));
	assert_int_equal(find(&s, &second), WINDOW_ANSWERED);
}

static void
late_replies_are_known_as_late(void **state)
{
	struct sent s = send_one(1, 1000);
	struct window_place place;
	window_expire(&w, 1100, 100);
	assert_int_equal(find(&s, &place), WINDOW_WAITING);
	window_expire(&w, 1101, 100);
	assert_int_equal(w.n_expired, 1);
	assert_false(window_is_waiting(&w));
	assert_int_equal(find(&s, &place), WINDOW_EXPIRED);
	assert_true(window_claim(&w, &place));
	assert_int_equal(find(&s, &place), WINDOW_ANSWERED);
}

/* One that waits keeps younger ones from being passed, but not for ever; stamps may wrap. */
static void
queries_expire_in_order(void **state)
{
	struct window_place place;
	struct sent answered = send_one(0, UINT32_MAX - 10);
	(void)send_one(1, UINT32_MAX);
	(void)send_one(2, 50);
	assert_int_equal(find(&answered, &place), WINDOW_WAITING);
	assert_true(window_claim(&w, &place));
	window_expire(&w, 100, 100);
	assert_int_equal(w.n_passed, 2);
	assert_int_equal(w.n_expired, 1);
	assert_true(window_is_waiting(&w));
	window_expire(&w, 151, 100);
	assert_int_equal(w.n_expired, 2);
}

static void
ids_that_nobody_sent_are_unknown(void **state)
{
	struct window_place place;
	struct sent s = send_one(1, 0);
	for (uint32_t other = 0; other < 65536; other++) {
		struct sent wrong = {.source = s.source, .id = (uint16_t)other};
		assert_int_equal(find(&wrong, &place), other == s.id ? WINDOW_WAITING : WINDOW_UNKNOWN);
	}
	struct sent wrong = {.source = s.source + 1, .id = s.id};
	assert_int_equal(find(&wrong, &place), WINDOW_UNKNOWN);
}

/* A full ring gives the oldest up, and knows afterwards that there was something. */
static void
slots_are_given_on(void **state)
{
	struct window_place place;
	struct sent first = send_one(0, 5);
	for (uint32_t i = 1; i < w.n_slots; i++)
		(void)send_one(i, 5);
	assert_int_equal(w.n_expired, 0);
	assert_int_equal(find(&first, &place), WINDOW_WAITING);
	(void)send_one(w.n_slots, 5);
	assert_int_equal(w.n_expired, 1);
	assert_int_equal(find(&first, &place), WINDOW_GONE);
}

static void
a_new_step_does_not_know_the_late_ones_of_the_last(void **state)
{
	struct window_place place;
	struct sent s = send_one(1, 0);
	window_expire(&w, 1000, 100);
	window_forget(&w);
	assert_int_equal(find(&s, &place), WINDOW_GONE);
}

/* What the port did not take is put again, under the same id. */
static void
puts_that_were_not_sent_are_repeated(void **state)
{
	struct window_place place;
	struct window_cursor c = w.next;
	uint16_t first = window_put(&w, &c, 1, 10);
	window_advance(&w, &c);
	uint16_t second = window_put(&w, &c, 1, 11);
	window_step(&w, 1);
	struct sent again = send_one(12, 2);
	assert_int_equal(again.id, second);
	assert_int_not_equal(again.id, first);
	assert_int_equal(find(&again, &place), WINDOW_WAITING);
	assert_int_equal(place.question, 12);
	assert_int_equal(w.n_sent, 2);
}

static void *
claim_all(void *arg)
{
	const struct sent *sent = arg;
	uintptr_t claimed = 0;
	for (unsigned i = 0; i < SOURCES * 64; i++) {
		struct window_place place;
		if (find(&sent[i], &place) == WINDOW_WAITING && window_claim(&w, &place))
			claimed++;
	}
	return (void *)claimed;
}

static void
two_threads_never_claim_the_same(void **state)
{
	for (unsigned round = 0; round < 200; round++) {
		static struct sent sent[SOURCES * 64];
		pthread_t other;
		void *theirs;
		for (unsigned i = 0; i < SOURCES * 64; i++)
			sent[i] = send_one(i, 0);
		assert_int_equal(pthread_create(&other, NULL, claim_all, sent), 0);
		uintptr_t ours = (uintptr_t)claim_all(sent);
		pthread_join(other, &theirs);
		assert_int_equal(ours + (uintptr_t)theirs, SOURCES * 64);
		window_expire(&w, 0, 0);
		assert_int_equal(w.n_expired, 0);
	}
}

static void
room_is_as_wanted_or_refused(void **state)
{
	struct window big;
	assert_int_equal(window_open(&big, 1000, 1, 100000, 0), 0);
	assert_true(big.n_slots >= 100000 && big.n_slots < 400000);
	window_close(&big);
	assert_int_equal(window_open(&big, 100000000, 32, 1, 0), -E2BIG);
}

int
main(void)
{
#define WINDOW_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		WINDOW_TEST(sources_take_turns_in_runs),
		WINDOW_TEST(replies_meet_their_queries),
		WINDOW_TEST(a_second_reply_is_known_as_one),
		WINDOW_TEST(late_replies_are_known_as_late),
		WINDOW_TEST(queries_expire_in_order),
		WINDOW_TEST(ids_that_nobody_sent_are_unknown),
		WINDOW_TEST(slots_are_given_on),
		WINDOW_TEST(a_new_step_does_not_know_the_late_ones_of_the_last),
		WINDOW_TEST(puts_that_were_not_sent_are_repeated),
		WINDOW_TEST(two_threads_never_claim_the_same),
		cmocka_unit_test(room_is_as_wanted_or_refused),
	};
	return cmocka_run_group_tests_name("blast-window", tests, NULL, NULL);
}
