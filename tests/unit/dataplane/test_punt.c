/* SPDX-License-Identifier: Apache-2.0 */
/* Slots and rings between a worker and control, alone and with a thread on each side. */
#include "tests/unit/dataplane/dataplane_fixture.h"

#include <sched.h>
#include <stdlib.h>

#include "dataplane/punt.h"
#include "zones/base/bytes.h"

static struct engine_message
message(uint8_t *octets, uint32_t len, uint32_t cap)
{
	return (struct engine_message){.msg = octets, .len = len, .cap = cap, .client = {.is_v6 = true}};
}

static void
a_message_goes_there_and_its_reply_back(void **state)
{
	struct punts *p = punts_new();
	uint8_t octets[] = "a message";
	struct engine_message m = message(octets, sizeof(octets), 512);
	assert_null(punt_next(p));
	struct punt_slot *s = punt_take(p, &m);
	assert_non_null(s);
	assert_null(punt_next(p)); /* not before it is submitted */
	punt_submit(p, s);
	assert_int_equal(punts_outstanding(p), 1);

	struct punt_slot *seen = punt_next(p);
	assert_ptr_equal(seen, s);
	assert_null(punt_next(p));
	assert_int_equal(seen->len, sizeof(octets));
	assert_int_equal(seen->reply_cap, 512);
	assert_true(seen->client.is_v6);
	assert_memory_equal(seen->msg, octets, sizeof(octets));
	assert_false(punts_have_returned(p));
	punt_end(p, seen->id, seen->msg + 2, 7); /* a reply that lies in the slot */

	assert_true(punts_have_returned(p));
	struct punt_slot *back = punt_returned(p);
	assert_ptr_equal(back, s);
	assert_int_equal(back->len, 7);
	assert_memory_equal(back->msg, "message", 7);
	punt_release(p, back);
	assert_false(punts_have_returned(p));
	assert_null(punt_returned(p));
	assert_int_equal(punts_outstanding(p), 0);
	punts_free(p);
}

static void
what_does_not_fit_is_refused(void **state)
{
	struct punts *p = punts_new();
	static uint8_t octets[PUNT_MESSAGE_MAX + 1];
	struct engine_message m = message(octets, sizeof(octets), 65535);
	assert_null(punt_take(p, &m));
	m.len--;
	struct punt_slot *s = punt_take(p, &m);
	assert_non_null(s);
	assert_int_equal(s->reply_cap, PUNT_MESSAGE_MAX);
	s->reply_cap = 512;
	punt_submit(p, s);
	s = punt_next(p);
	punt_end(p, s->id, octets, 513); /* over what the client takes: nothing is said */
	assert_int_equal(punt_returned(p)->len, 0);
	punts_free(p);
}

/* Control answers in any order, and holds on to some: the others go round. */
static void
slots_run_out_and_come_back(void **state)
{
	struct punts *p = punts_new();
	uint8_t octets[2] = {0};
	struct engine_message m = message(octets, 2, 512);
	for (unsigned i = 0; i < PUNT_SLOTS; i++) {
		store_be16(octets, (uint16_t)i);
		m.client.address[7] = (uint8_t)(i % 8); /* no source has more than its part */
		struct punt_slot *s = punt_take(p, &m);
		assert_non_null(s);
		punt_submit(p, s);
	}
	assert_null(punt_take(p, &m));
	unsigned ids[PUNT_SLOTS];
	for (unsigned i = 0; i < PUNT_SLOTS; i++) {
		struct punt_slot *s = punt_next(p);
		assert_int_equal(load_be16(s->msg), i);
		ids[i] = s->id;
	}
	for (unsigned round = 0; round < 3 * PUNT_SLOTS; round++) {
		unsigned k = (round * 7) % (PUNT_SLOTS - 1) + 1; /* the first stays with control */
		punt_end(p, ids[k], octets, 2);
		struct punt_slot *s = punt_returned(p);
		assert_int_equal(s->id, ids[k]);
		punt_release(p, s);
		m.client.address[7] = (uint8_t)(k % 8);
		s = punt_take(p, &m);
		assert_non_null(s);
		punt_submit(p, s);
		assert_null(punt_take(p, &m));
		ids[k] = punt_next(p)->id;
	}
	assert_int_equal(punts_outstanding(p), PUNT_SLOTS);
	punts_free(p);
}

/* One source that floods us leaves half of the slots to others, wherever in its network it is. */
static void
one_source_has_its_part(void **state)
{
	struct punts *p = punts_new();
	uint8_t octets[2] = {0};
	struct engine_message m = message(octets, 2, 512);
	struct punt_slot *s = NULL;
	for (unsigned i = 0; i < PUNT_SOURCE_MAX; i++) {
		m.client.address[15] = (uint8_t)i;
		s = punt_take(p, &m);
		assert_non_null(s);
		punt_submit(p, s);
	}
	assert_null(punt_take(p, &m));
	m.client = (struct engine_client){.address = {192, 0, 2, 1}};
	assert_non_null(punt_take(p, &m));
	m.client = (struct engine_client){.is_v6 = true};
	assert_null(punt_take(p, &m));
	punt_end(p, punt_next(p)->id, octets, 2);
	punt_release(p, punt_returned(p));
	assert_non_null(punt_take(p, &m));
	assert_null(punt_take(p, &m));
	punts_free(p);
}

enum { MANY = 300000 };

/* Answers with the message's number turned over, a few at a time and the last first. */
static void *
control_thread(void *arg)
{
	struct punts *p = arg;
	for (unsigned done = 0; done < MANY;) {
		struct punt_slot *held[5];
		unsigned n = 0;
		while (n < 5 && (held[n] = punt_next(p)) != NULL)
			n++;
		if (n == 0)
			sched_yield();
		done += n;
		while (n-- > 0) {
			uint8_t reply[8];
			store_be32(reply, ~load_be32(held[n]->msg));
			memcpy(reply + 4, held[n]->ticket, 4);
			punt_end(p, held[n]->id, reply, load_be32(held[n]->msg) % 3 == 0 ? 0 : 8);
		}
	}
	return NULL;
}

static void
threads_lose_nothing(void **state)
{
	struct punts *p = punts_new();
	bool *seen = calloc(MANY, 1);
	pthread_t control;
	unsigned sent = 0, back = 0, silent = 0;
	assert_int_equal(pthread_create(&control, NULL, control_thread, p), 0);
	while (back < MANY) {
		uint8_t octets[4];
		struct engine_message m = message(octets, 4, 512);
		store_be32(octets, sent);
		struct punt_slot *s = sent < MANY ? punt_take(p, &m) : NULL;
		if (s != NULL) {
			store_be32(s->ticket, sent++);
			punt_submit(p, s);
		} else {
			sched_yield();
		}
		while ((s = punt_returned(p)) != NULL) {
			uint32_t n = load_be32(s->ticket);
			assert_false(seen[n]);
			seen[n] = true;
			assert_int_equal(s->len, n % 3 == 0 ? 0 : 8);
			silent += s->len == 0;
			if (s->len != 0) {
				assert_int_equal(load_be32(s->msg), ~n);
				assert_int_equal(load_be32(s->msg + 4), n);
			}
			punt_release(p, s);
			back++;
		}
	}
	pthread_join(control, NULL);
	assert_int_equal(punts_outstanding(p), 0);
	assert_int_equal(silent, MANY / 3);
	free(seen);
	punts_free(p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_message_goes_there_and_its_reply_back),
		cmocka_unit_test(what_does_not_fit_is_refused),
		cmocka_unit_test(slots_run_out_and_come_back),
		cmocka_unit_test(one_source_has_its_part),
		cmocka_unit_test(threads_lose_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
