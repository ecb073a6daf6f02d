/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers of many messages (RFC 8945 section 5.3.1): what is dropped, repeated, moved, stripped or changed on the
 * way is noticed, and nothing counts as proven before the last message is signed.
 */
#include <errno.h>

#include "tests/unit/control/tsig_fixture.h"

#define N 12 /* messages of an answer */

static struct tsig_keys *keys;
static const struct tsig_key *key;
static struct tsig_mac request_mac;
static struct message sent[N]; /* each signed */

static void
begin(struct tsig_stream *s)
{
	assert_int_equal(tsig_stream_begin(s, key, &request_mac), 0);
}

static int
set_up(void **state)
{
	(void)state;
	struct message m = query_of(7);
	struct tsig_stream s;
	keys = keys_of_all(TSIG_TRUNCATION_ALLOWED);
	key = key_in(keys, CONFIG_HMAC_SHA256);
	request_mac = sign_request(key, &m, NOW);
	begin(&s);
	for (unsigned i = 0; i < N; i++) {
		sent[i] = answer_of(7, i);
		size_t plain = sent[i].len;
		assert_int_equal(
			tsig_stream_sign(&s, sent[i].octets, plain, sizeof(sent[i].octets), NOW + i, &sent[i].len),
			0);
		assert_int_equal(sent[i].len, plain + tsig_key_room(key));
	}
	tsig_stream_clear(&s);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	tsig_keys_free(keys);
	return 0;
}

static enum tsig_status
take_at(struct tsig_stream *s, const struct message *m, uint64_t now_s)
{
	struct tsig_verdict v;
	enum tsig_status status = tsig_stream_verify(s, m->octets, m->len, now_s, &v);
	assert_int_equal(status, v.status);
	assert_true(tsig_verdict_text(&v, (char[TSIG_TEXT_MAX]){0})[0] != '\0');
	return status;
}

static enum tsig_status
take(struct tsig_stream *s, const struct message *m)
{
	return take_at(s, m, NOW);
}

/* Takes sent[from..to); all must be good. */
static void
take_good(struct tsig_stream *s, unsigned from, unsigned to)
{
	for (unsigned i = from; i < to; i++) {
		assert_int_equal(take(s, &sent[i]), TSIG_GOOD);
		assert_int_equal(tsig_stream_status(s), TSIG_GOOD);
	}
}

/* From now on the stream tells nothing else. */
static void
stays_bad(struct tsig_stream *s, enum tsig_status status)
{
	assert_int_equal(tsig_stream_status(s), status);
	for (unsigned i = 0; i < N; i++)
		assert_int_equal(take(s, &sent[i]), status);
	assert_int_equal(tsig_stream_status(s), status);
	tsig_stream_clear(s);
}

/* sent[i] without its TSIG */
static struct message
stripped(unsigned i)
{
	struct message m = sent[i];
	m.len = places_of(&m).start;
	store_be16(m.octets + 10, 0);
	return m;
}

/* Signs as others do that leave messages unsigned: with a stream that takes those in by itself. */
static struct message
signed_after(struct tsig_stream *s, unsigned n)
{
	struct message m = answer_of(7, n);
	assert_int_equal(tsig_stream_sign(s, m.octets, m.len, sizeof(m.octets), NOW, &m.len), 0);
	return m;
}

static void
all_in_order_are_good(void **state)
{
	(void)state;
	struct tsig_stream s;
	begin(&s);
	assert_int_equal(tsig_stream_status(&s), TSIG_MISSING); /* nothing has come */
	take_good(&s, 0, N);
	tsig_stream_clear(&s);
	tsig_stream_clear(&s);
	assert_int_not_equal(tsig_stream_status(&s), TSIG_GOOD);
}

static void
a_dropped_message_is_noticed(void **state)
{
	(void)state;
	for (unsigned dropped = 0; dropped + 1 < N; dropped++) {
		struct tsig_stream s;
		begin(&s);
		take_good(&s, 0, dropped);
		assert_int_equal(take(&s, &sent[dropped + 1]), TSIG_BADSIG);
		stays_bad(&s, TSIG_BADSIG);
	}
}

static void
a_moved_or_repeated_message_is_noticed(void **state)
{
	(void)state;
	for (unsigned at = 0; at < N; at++) {
		for (unsigned other = 0; other < N; other++) {
			struct tsig_stream s;
			if (other == at)
				continue;
			begin(&s);
			take_good(&s, 0, at);
			assert_int_equal(take(&s, &sent[other]), TSIG_BADSIG);
			stays_bad(&s, TSIG_BADSIG);
		}
	}
}

static void
an_answer_to_another_request_is_noticed(void **state)
{
	(void)state;
	struct tsig_stream s;
	request_mac.octets[0] ^= 1;
	begin(&s);
	request_mac.octets[0] ^= 1;
	assert_int_equal(take(&s, &sent[0]), TSIG_BADSIG);
	stays_bad(&s, TSIG_BADSIG);
}

/* Stripped messages look like allowed ones; the next MAC tells. */
static void
a_stripped_message_is_noticed_by_the_next(void **state)
{
	(void)state;
	for (unsigned at = 1; at + 1 < N; at++) {
		struct tsig_stream s;
		struct message bare = stripped(at);
		begin(&s);
		take_good(&s, 0, at);
		assert_int_equal(take(&s, &bare), TSIG_PENDING);
		assert_int_equal(tsig_stream_status(&s), TSIG_MISSING);
		assert_int_equal(take(&s, &sent[at + 1]), TSIG_BADSIG);
		stays_bad(&s, TSIG_BADSIG);
	}
}

static void
the_first_message_must_be_signed(void **state)
{
	(void)state;
	struct tsig_stream s;
	struct message bare = stripped(0);
	begin(&s);
	assert_int_equal(take(&s, &bare), TSIG_MISSING);
	stays_bad(&s, TSIG_MISSING);
}

static void
the_last_message_must_be_signed(void **state)
{
	(void)state;
	struct tsig_stream s;
	struct message bare = stripped(N - 1);
	begin(&s);
	take_good(&s, 0, N - 1);
	assert_int_equal(take(&s, &bare), TSIG_PENDING);
	assert_int_equal(tsig_stream_status(&s), TSIG_MISSING);
	tsig_stream_clear(&s);
}

/* 99 in between are good, if they are what was signed; the 100th is too many. */
static void
so_many_may_be_unsigned(void **state)
{
	(void)state;
	for (unsigned n = 98; n <= 100; n++) {
		struct tsig_stream signs, verifies; /* the signer takes unsigned messages in as a verifier does */
		begin(&signs);
		begin(&verifies);
		assert_int_equal(take(&signs, &sent[0]), TSIG_GOOD);
		assert_int_equal(take(&verifies, &sent[0]), TSIG_GOOD);
		for (unsigned i = 1; i <= n; i++) {
			struct message m = answer_of(7, i);
			assert_int_equal(take(&verifies, &m), i <= 99 ? TSIG_PENDING : TSIG_MISSING);
			if (i <= 99)
				assert_int_equal(take(&signs, &m), TSIG_PENDING);
		}
		struct message m = signed_after(&signs, n + 1);
		assert_int_equal(take(&verifies, &m), n <= 99 ? TSIG_GOOD : TSIG_MISSING);
		assert_int_equal(tsig_stream_status(&verifies), n <= 99 ? TSIG_GOOD : TSIG_MISSING);
		/* and the count begins anew */
		m = answer_of(7, n + 2);
		assert_int_equal(take(&verifies, &m), n <= 99 ? TSIG_PENDING : TSIG_MISSING);
		tsig_stream_clear(&signs);
		tsig_stream_clear(&verifies);
	}
}

/* Changed, dropped, repeated, swapped or slipped in between two TSIGs */
static void
unsigned_messages_are_covered_too(void **state)
{
	(void)state;
	enum { WHOLE, CHANGED, DROPPED, REPEATED, SWAPPED, ADDED, WAYS };
	for (unsigned way = WHOLE; way < WAYS; way++) {
		struct tsig_stream signs, verifies;
		begin(&signs);
		begin(&verifies);
		assert_int_equal(take(&signs, &sent[0]), TSIG_GOOD);
		assert_int_equal(take(&verifies, &sent[0]), TSIG_GOOD);
		struct message a = answer_of(7, 1), b = answer_of(7, 2), c = answer_of(7, 3);
		assert_int_equal(take(&signs, &a), TSIG_PENDING);
		assert_int_equal(take(&signs, &b), TSIG_PENDING);
		struct message last = signed_after(&signs, 4);
		if (way == CHANGED)
			b.octets[b.len - 1] ^= 1;
		assert_int_equal(take(&verifies, way == SWAPPED ? &b : &a), TSIG_PENDING);
		if (way == REPEATED)
			assert_int_equal(take(&verifies, &a), TSIG_PENDING);
		if (way != DROPPED)
			assert_int_equal(take(&verifies, way == SWAPPED ? &a : &b), TSIG_PENDING);
		if (way == ADDED)
			assert_int_equal(take(&verifies, &c), TSIG_PENDING);
		assert_int_equal(take(&verifies, &last), way == WHOLE ? TSIG_GOOD : TSIG_BADSIG);
		tsig_stream_clear(&signs);
		tsig_stream_clear(&verifies);
	}
}

/* Every bit of a first, a middle and a last message, but header ids and the case of names. */
static void
no_flipped_bit_verifies(void **state)
{
	(void)state;
	static const unsigned which[] = {0, 1, N / 2, N - 1};
	for (size_t w = 0; w < ARRAY_LEN(which); w++) {
		struct message m = sent[which[w]];
		struct places at = places_of(&m);
		for (size_t i = 2; i < m.len; i++) {
			bool in_name = (i > at.start && i < at.type) || (i > at.algorithm && i < at.time);
			for (unsigned bit = 0; bit < 8; bit++) {
				struct tsig_stream s;
				if (in_name && bit == 5)
					continue;
				m.octets[i] ^= (uint8_t)(1u << bit);
				begin(&s);
				take_good(&s, 0, which[w]);
				/* Another type makes it an unsigned message, and so one that proves nothing. */
				assert_int_not_equal(take(&s, &m), TSIG_GOOD);
				assert_int_not_equal(tsig_stream_status(&s), TSIG_GOOD);
				tsig_stream_clear(&s);
				m.octets[i] ^= (uint8_t)(1u << bit);
			}
		}
	}
}

/* Later MACs cover the timers alone, so an error there could be anybody's. */
static void
an_error_that_no_mac_covers_is_formerr(void **state)
{
	(void)state;
	struct tsig_stream s;
	struct tsig_verdict v;
	struct message m = sent[1];
	store_be16(m.octets + places_of(&m).error, TSIG_ERROR_BADTIME);
	begin(&s);
	take_good(&s, 0, 1);
	assert_int_equal(tsig_stream_verify(&s, m.octets, m.len, NOW, &v), TSIG_FORMERR);
	assert_string_equal(text_of(&v), "FORMERR: its TSIG tells an error that its MAC does not cover");
	assert_int_equal(tsig_stream_verify(&s, m.octets, m.len, NOW, &v), TSIG_FORMERR);
	assert_string_equal(text_of(&v), "FORMERR: the stream was given up before");
	stays_bad(&s, TSIG_FORMERR);
}

static void
every_message_must_be_in_time(void **state)
{
	(void)state;
	struct tsig_stream s;
	begin(&s);
	assert_int_equal(take_at(&s, &sent[0], NOW + 300), TSIG_GOOD);
	assert_int_equal(take_at(&s, &sent[1], NOW + 301), TSIG_GOOD); /* signed a second later */
	assert_int_equal(take_at(&s, &sent[2], NOW + 303), TSIG_BADTIME);
	stays_bad(&s, TSIG_BADTIME);
}

/* A first message that refuses: by a signed BADTIME, or by an unsigned error. */
static void
a_refusal_ends_the_stream(void **state)
{
	(void)state;
	struct tsig_verdict request;
	struct message m = query_of(7);
	struct tsig_mac mac = sign_request(key, &m, NOW);
	for (unsigned is_late = 0; is_late <= 1; is_late++) {
		struct tsig_stream s;
		m.octets[m.len - 30] ^= is_late ? 0 : 1; /* in the MAC */
		uint64_t now_s = is_late ? NOW + 1000 : NOW;
		assert_int_equal(tsig_verify_request(keys, m.octets, m.len, now_s, &request),
				 is_late ? TSIG_BADTIME : TSIG_BADSIG);
		struct message reply = answer_of(7, 0);
		assert_int_equal(
			tsig_sign_reply(&request, reply.octets, reply.len, sizeof(reply.octets), now_s, &reply.len),
			0);
		assert_int_equal(tsig_stream_begin(&s, key, &mac), 0);
		assert_int_equal(take(&s, &reply), TSIG_REFUSED);
		stays_bad(&s, TSIG_REFUSED);
		m.octets[m.len - 30] ^= is_late ? 0 : 1;
	}
}

static void
garbage_ends_the_stream(void **state)
{
	(void)state;
	struct tsig_stream s;
	struct message m = sent[1];
	m.len--;
	begin(&s);
	take_good(&s, 0, 1);
	assert_int_equal(take(&s, &m), TSIG_FORMERR);
	stays_bad(&s, TSIG_FORMERR);
}

static void
a_stream_goes_on_when_its_keys_are_gone(void **state)
{
	(void)state;
	struct tsig_keys *gone = keys_of_all(TSIG_TRUNCATION_ALLOWED);
	struct tsig_stream s;
	assert_int_equal(tsig_stream_begin(&s, key_in(gone, CONFIG_HMAC_SHA256), &request_mac), 0);
	tsig_keys_free(gone);
	take_good(&s, 0, N);
	tsig_stream_clear(&s);
}

/* A clock that is set back does not make times go back; a message without room can be tried again. */
static void
signing_is_steady(void **state)
{
	(void)state;
	struct tsig_stream s;
	begin(&s);
	for (unsigned i = 0; i < 3; i++) {
		struct message m = answer_of(7, i);
		size_t need = m.len + tsig_key_room(key), len = 77;
		assert_int_equal(tsig_stream_sign(&s, m.octets, m.len, need - 1, NOW - i, &len), -EMSGSIZE);
		assert_int_equal(len, 77);
		assert_int_equal(tsig_stream_sign(&s, m.octets, m.len, need, NOW - i, &m.len), 0);
		assert_int_equal(tsig_time_read(m.octets + places_of(&m).time), NOW);
		if (i == 0) { /* the same time as the one sent, so the same octets */
			assert_int_equal(m.len, sent[0].len);
			assert_memory_equal(m.octets, sent[0].octets, m.len);
		}
	}
	tsig_stream_clear(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_in_order_are_good),
		cmocka_unit_test(a_dropped_message_is_noticed),
		cmocka_unit_test(a_moved_or_repeated_message_is_noticed),
		cmocka_unit_test(an_answer_to_another_request_is_noticed),
		cmocka_unit_test(a_stripped_message_is_noticed_by_the_next),
		cmocka_unit_test(the_first_message_must_be_signed),
		cmocka_unit_test(the_last_message_must_be_signed),
		cmocka_unit_test(so_many_may_be_unsigned),
		cmocka_unit_test(unsigned_messages_are_covered_too),
		cmocka_unit_test(no_flipped_bit_verifies),
		cmocka_unit_test(an_error_that_no_mac_covers_is_formerr),
		cmocka_unit_test(every_message_must_be_in_time),
		cmocka_unit_test(a_refusal_ends_the_stream),
		cmocka_unit_test(garbage_ends_the_stream),
		cmocka_unit_test(a_stream_goes_on_when_its_keys_are_gone),
		cmocka_unit_test(signing_is_steady),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
