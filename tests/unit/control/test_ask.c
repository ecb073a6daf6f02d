/* SPDX-License-Identifier: Apache-2.0 */
/* Questions to other servers: what is taken for a reply, when it is asked again, by what, and until when. */
#include "tests/unit/control/ask_fixture.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "zones/wire/message.h"
#include "zones/wire/rrtype.h"

/* -------- UDP -------- */

static void
answers(struct peer *p, unsigned n, struct message *query, const struct sockaddr *to)
{
	struct message m = reply_to(query, FLAG_AA);
	say(p, &m, to);
}

static void
hands_over_the_reply(void **state)
{
	struct peer *p = *state;
	p->behave = answers;
	struct outcome *o = ask(p, NULL, 1);
	assert_answered(o);
	assert_int_equal(load_be16(o->msg.octets), p->first_id);
	assert_int_equal(p->n_udp, 1);
}

static void
ids_are_random(void **state)
{
	struct peer *p = *state;
	uint16_t ids[4];
	p->behave = answers;
	for (unsigned i = 0; i < 4; i++)
		ids[i] = load_be16(ask(p, NULL, 1)->msg.octets);
	assert_false(ids[0] == ids[1] && ids[1] == ids[2] && ids[2] == ids[3]);
}

static void
answers_the_third(struct peer *p, unsigned n, struct message *query, const struct sockaddr *to)
{
	assert_int_equal(load_be16(query->octets), p->first_id);
	if (n == 3)
		answers(p, n, query, to);
}

static void
asks_again_after_losses(void **state)
{
	struct peer *p = *state;
	p->behave = answers_the_third;
	uint64_t before_ms = uv_hrtime() / 1000000;
	assert_answered(ask(p, NULL, 3));
	assert_in_range(uv_hrtime() / 1000000 - before_ms, 3 * TRY_MS - 2, 60000);
	assert_int_equal(p->n_udp, 3);
}

static void
says_nothing(struct peer *p, unsigned n, struct message *query, const struct sockaddr *to)
{
}

static void
gives_up_in_time(void **state)
{
	struct peer *p = *state;
	p->behave = says_nothing;
	uint64_t before_ms = uv_hrtime() / 1000000;
	struct outcome *o = ask(p, NULL, 3);
	assert_int_equal(o->err, -ETIMEDOUT);
	assert_string_equal(o->why, "no reply (tries over UDP: 3)");
	assert_in_range(uv_hrtime() / 1000000 - before_ms, 7 * TRY_MS - 2, 60000);
	assert_int_equal(p->n_udp, 3);
}

/* The reply to the first try, when the second one comes. */
static void
answers_late(struct peer *p, unsigned n, struct message *query, const struct sockaddr *to)
{
	static struct message first;
	if (n == 1)
		first = reply_to(query, FLAG_AA);
	else
		say(p, &first, to);
}

static void
takes_a_late_reply(void **state)
{
	struct peer *p = *state;
	p->behave = answers_late;
	assert_answered(ask(p, NULL, 2));
	assert_int_equal(p->n_udp, 2);
}

/* All that a reply can be wrong in, and to the second try a good one. */
static void
answers_wrongly(struct peer *p, unsigned n, struct message *query, const struct sockaddr *to)
{
	struct message good = reply_to(query, FLAG_AA), m = good;
	store_be16(m.octets, load_be16(m.octets) ^ 1);
	say(p, &m, to);
	m = good;
	m.octets[2] &= 0x7f; /* no reply */
	say(p, &m, to);
	m = good;
	m.octets[2] ^= OPCODE_NOTIFY << 3;
	say(p, &m, to);
	m = good;
	m.octets[13] ^= 1; /* another name */
	say(p, &m, to);
	m = good;
	m.octets[22] ^= 1; /* another type */
	say(p, &m, to);
	m = good;
	m.octets[24] ^= 2; /* another class */
	say(p, &m, to);
	m = good;
	memset(m.octets + 4, 0, 8); /* no question */
	m.len = 12;
	say(p, &m, to);
	m.len = 11;
	say(p, &m, to);
	m.len = 0;
	say(p, &m, to);
	if (n == 2)
		say(p, &good, to);
}

static void
passes_over_what_does_not_fit(void **state)
{
	struct peer *p = *state;
	p->behave = answers_wrongly;
	assert_answered(ask(p, NULL, 2));
	assert_int_equal(p->n_udp, 2);
}

static void
answers_in_capitals(struct peer *p, unsigned n, struct message *query, const struct sockaddr *to)
{
	struct message m = reply_to(query, FLAG_AA);
	m.octets[13] ^= 0x20;
	say(p, &m, to);
}

static void
letter_case_does_not_count(void **state)
{
	struct peer *p = *state;
	p->behave = answers_in_capitals;
	assert_answered(ask(p, NULL, 1));
}

/* A perfect reply from another port of the same address. */
static void
lets_another_answer(struct peer *p, unsigned n, struct message *query, const struct sockaddr *to)
{
	struct message m = reply_to(query, FLAG_AA);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	assert_int_equal(sendto(fd, m.octets, m.len, 0, to, sizeof(struct sockaddr_in)), m.len);
	close(fd);
}

static void
knows_where_replies_come_from(void **state)
{
	struct peer *p = *state;
	p->behave = lets_another_answer;
	assert_int_equal(ask(p, NULL, 2)->err, -ETIMEDOUT);
	assert_int_equal(p->n_udp, 2);
}

/* -------- headers only -------- */

static void
answers_with_header(struct peer *p, unsigned n, struct message *query, const struct sockaddr *to)
{
	struct message m = {.len = 12};
	memcpy(m.octets, query->octets, 4);
	m.octets[2] |= 0x80;
	if ((query->octets[2] >> 3 & 15) == OPCODE_QUERY)
		m.octets[3] = RCODE_FORMERR;
	say(p, &m, to);
}

static void
some_replies_have_no_question(void **state)
{
	struct peer *p = *state;
	struct outcome o;
	p->behave = answers_with_header;
	const uint8_t opcodes[] = {OPCODE_NOTIFY, OPCODE_UPDATE, OPCODE_QUERY};
	for (unsigned i = 0; i < ARRAY_LEN(opcodes); i++) {
		struct message m = query_of(0);
		m.octets[2] = (uint8_t)(opcodes[i] << 3);
		ask_begin(p, &o, &m, NULL, 1);
		wait_for(&o);
		assert_int_equal(o.err, 0);
		assert_int_equal(o.msg.len, 12);
	}
}

/* -------- ICMP -------- */

static void
nobody_there(void **state)
{
	struct peer *p = *state;
	peer_close(p);
	uv_run(&p->loop, UV_RUN_NOWAIT);
	uint64_t before_ms = uv_hrtime() / 1000000;
	struct outcome *o = ask(p, NULL, 2);
	assert_int_equal(o->err, -ECONNREFUSED);
	assert_string_equal(o->why, "Connection refused");
	assert_in_range(uv_hrtime() / 1000000 - before_ms, 3 * TRY_MS - 2, 60000);
	peer_open(p, 0);
}

static void
open_again(uv_timer_t *t)
{
	struct peer *p = t->data;
	assert_true(peer_try_open(p, ntohs(p->remote.address.v4.sin_port)));
	uv_close((uv_handle_t *)t, NULL);
}

static void
somebody_there_at_the_second_try(void **state)
{
	struct peer *p = *state;
	uv_timer_t t;
	p->behave = answers;
	peer_close(p);
	uv_run(&p->loop, UV_RUN_NOWAIT);
	uv_timer_init(&p->loop, &t);
	t.data = p;
	uv_timer_start(&t, open_again, TRY_MS / 2, 0);
	assert_answered(ask(p, NULL, 3));
	assert_in_range(p->n_udp, 1, 2);
}

/* -------- TCP -------- */

static void
truncates(struct peer *p, unsigned n, struct message *query, const struct sockaddr *to)
{
	struct message m = reply_to(query, to ? FLAG_AA | FLAG_TC : FLAG_AA);
	say(p, &m, to);
}

static void
truncated_goes_to_tcp(void **state)
{
	struct peer *p = *state;
	p->behave = truncates;
	struct outcome *o = ask(p, NULL, 3);
	assert_answered(o);
	assert_int_equal(load_be16(o->msg.octets), p->first_id);
	assert_int_equal(p->n_udp, 1);
	assert_int_equal(p->n_tcp, 1);
}

static void
large_goes_to_tcp(void **state)
{
	struct peer *p = *state;
	struct message m = query_of(0);
	struct outcome o;
	p->behave = answers;
	m.len -= 11; /* an OPT with an option that fills it up to 1,233 octets */
	memset(m.octets + m.len, 0, sizeof(m.octets) - m.len);
	m.octets[m.len + 2] = RRTYPE_OPT;
	store_be16(m.octets + m.len + 9, (uint16_t)(1233 - m.len - 11));
	store_be16(m.octets + m.len + 11, 65001);
	store_be16(m.octets + m.len + 13, (uint16_t)(1233 - m.len - 15));
	m.len = 1233;
	ask_begin(p, &o, &m, NULL, 3);
	wait_for(&o);
	assert_answered(&o);
	assert_int_equal(p->n_udp, 0);
	assert_int_equal(p->n_tcp, 1);
}

static void
truncates_and_hangs_up(struct peer *p, unsigned n, struct message *query, const struct sockaddr *to)
{
	if (to) {
		truncates(p, n, query, to);
		return;
	}
	uv_close((uv_handle_t *)&p->client, NULL);
	p->has_client = false;
}

static void
tcp_without_reply(void **state)
{
	struct peer *p = *state;
	p->behave = truncates_and_hangs_up;
	struct outcome *o = ask(p, NULL, 3);
	assert_int_equal(o->err, -ECONNRESET);
	assert_string_equal(o->why, "the connection was closed without a reply");
}

static void
truncates_and_is_silent(struct peer *p, unsigned n, struct message *query, const struct sockaddr *to)
{
	if (to)
		truncates(p, n, query, to);
}

static void
tcp_has_a_time_too(void **state)
{
	struct peer *p = *state;
	p->behave = truncates_and_is_silent;
	struct outcome *o = ask(p, NULL, 2);
	assert_int_equal(o->err, -ETIMEDOUT);
	assert_int_equal(p->n_tcp, 1);
}

/* -------- TSIG -------- */

static void
answers_signed(struct peer *p, unsigned n, struct message *query, const struct sockaddr *to)
{
	struct message m = signed_reply(p, query, FLAG_AA);
	say(p, &m, to);
}

static void
signed_reply_is_taken(void **state)
{
	struct peer *p = *state;
	p->behave = answers_signed;
	struct outcome *o = ask(p, key_of_peer(p), 1);
	assert_answered(o);
	assert_int_equal(load_be16(o->msg.octets + 10), 0); /* its TSIG is off */
}

/* Unsigned and truncated, wrongly signed, unsigned. */
static void
forges(struct peer *p, unsigned n, struct message *query, const struct sockaddr *to)
{
	struct message m = reply_to(query, FLAG_AA | FLAG_TC);
	say(p, &m, to);
	m = wrongly_signed_reply(p, query, FLAG_AA);
	say(p, &m, to);
	m = reply_to(query, FLAG_AA);
	say(p, &m, to);
}

static void
forged_replies_are_not_taken(void **state)
{
	struct peer *p = *state;
	p->behave = forges;
	struct outcome *o = ask(p, key_of_peer(p), 2);
	assert_int_equal(o->err, -EKEYREJECTED);
	assert_non_null(strstr(o->why, "MISSING"));
	assert_int_equal(p->n_udp, 2);
	assert_int_equal(p->n_tcp, 0);
}

static void
answers_wrongly_signed(struct peer *p, unsigned n, struct message *query, const struct sockaddr *to)
{
	struct message m = wrongly_signed_reply(p, query, FLAG_AA);
	say(p, &m, to);
}

static void
the_last_verdict_is_told(void **state)
{
	struct peer *p = *state;
	p->behave = answers_wrongly_signed;
	struct outcome *o = ask(p, key_of_peer(p), 1);
	assert_int_equal(o->err, -EKEYREJECTED);
	assert_memory_equal(o->why, "BADSIG:", 7);
}

static void
forges_and_answers(struct peer *p, unsigned n, struct message *query, const struct sockaddr *to)
{
	forges(p, n, query, to);
	answers_signed(p, n, query, to);
}

static void
forged_replies_hinder_nothing(void **state)
{
	struct peer *p = *state;
	p->behave = forges_and_answers;
	assert_answered(ask(p, key_of_peer(p), 1));
	assert_int_equal(p->n_tcp, 0);
}

static void
truncates_signed_then_forges(struct peer *p, unsigned n, struct message *query, const struct sockaddr *to)
{
	struct message m = to ? signed_reply(p, query, FLAG_TC) : reply_to(query, FLAG_AA);
	say(p, &m, to);
}

static void
over_tcp_one_bad_reply_ends_it(void **state)
{
	struct peer *p = *state;
	p->behave = truncates_signed_then_forges;
	uint64_t before_ms = uv_hrtime() / 1000000;
	struct outcome *o = ask(p, key_of_peer(p), 10);
	assert_int_equal(o->err, -EKEYREJECTED);
	assert_true(uv_hrtime() / 1000000 - before_ms < 1023 * TRY_MS);
	assert_int_equal(p->n_tcp, 1);
}

static void
key_outlives_its_set(void **state)
{
	struct peer *p = *state;
	struct message m = query_of(0);
	struct outcome o;
	p->behave = answers_signed;
	struct tsig_keys *set = keys_of_all(TSIG_TRUNCATION_ALLOWED);
	ask_begin(p, &o, &m, key_in(set, CONFIG_HMAC_SHA256), 1);
	tsig_keys_free(set);
	wait_for(&o);
	assert_answered(&o);
}

/* -------- many, and cancelled -------- */

static void
cancelled_before_the_loop_runs(void **state)
{
	struct peer *p = *state;
	struct message m = query_of(0);
	struct outcome o;
	p->behave = says_nothing;
	ask_begin(p, &o, &m, NULL, 5);
	ask_cancel(o.ask);
	ask_cancel(o.ask);
	assert_int_equal(o.n_done, 0);
	wait_for(&o);
	assert_int_equal(o.err, -ECANCELED);
}

static void
cancelled_inside_done(void **state)
{
	struct peer *p = *state;
	struct message m = query_of(0);
	struct outcome self, first, second;
	p->behave = answers;
	ask_begin(p, &self, &m, NULL, 1);
	self.then_cancel = &self;
	wait_for(&self);
	assert_answered(&self);

	p->n_udp = 0;
	p->behave = answers_late; /* the second message: the first question's reply arrives in neither's socket */
	ask_begin(p, &first, &m, NULL, 1);
	ask_begin(p, &second, &m, NULL, 20);
	first.then_cancel = &second;
	wait_for(&first);
	assert_int_equal(first.err, -ETIMEDOUT);
	wait_for(&second);
	assert_int_equal(second.err, -ECANCELED);
}

static void
cancelled_on_tcp(void **state)
{
	struct peer *p = *state;
	struct message m = query_of(0);
	struct outcome o;
	p->behave = truncates_and_is_silent;
	ask_begin(p, &o, &m, NULL, 10);
	while (p->n_tcp == 0)
		uv_run(&p->loop, UV_RUN_ONCE);
	ask_cancel(o.ask);
	wait_for(&o);
	assert_int_equal(o.err, -ECANCELED);
}

enum { MANY = 1300 };
static struct outcome many[MANY];

/* Silent at first, so that all sockets there may be are open. */
static void
answers_from_the_200th_on(struct peer *p, unsigned n, struct message *query, const struct sockaddr *to)
{
	if (n >= 200)
		answers(p, n, query, to);
}

static void
many_wait_for_few_sockets(void **state)
{
	struct peer *p = *state;
	struct message m = query_of(0);
	unsigned n_fds = 0;
	p->behave = answers_from_the_200th_on;
	for (unsigned i = 0; i < MANY; i++)
		ask_begin(p, &many[i], &m, NULL, 12);
	for (int fd = 0; fd < 4096; fd++)
		n_fds += fcntl(fd, F_GETFD) >= 0;
	assert_in_range(n_fds, 512, 600);
	for (unsigned i = 0; i < MANY; i++) {
		while (many[i].n_done == 0)
			uv_run(&p->loop, UV_RUN_ONCE);
		assert_answered(&many[i]);
	}
}

static void
stopped_with_many(void **state)
{
	struct peer *p = *state;
	struct message m = query_of(0);
	p->behave = answers;
	for (unsigned i = 0; i < MANY; i++)
		ask_begin(p, &many[i], &m, NULL, 12);
	many[0].then_stop = true;
	uv_unref((uv_handle_t *)&p->udp);
	uv_unref((uv_handle_t *)&p->listener);
	uv_run(&p->loop, UV_RUN_DEFAULT);
	assert_true(asks_are_idle(p->asks));
	assert_int_equal(many[MANY - 1].err, -ECANCELED);
	for (unsigned i = 0; i < MANY; i++)
		assert_int_equal(many[i].n_done, 1);
	ask_begin(p, &many[0], &m, NULL, 12); /* comes too late */
	wait_for(&many[0]);
	assert_int_equal(many[0].err, -ECANCELED);
}

int
main(void)
{
#define WITH_PEER(f) cmocka_unit_test_setup_teardown(f, peer_setup, peer_teardown)
	const struct CMUnitTest tests[] = {
		WITH_PEER(hands_over_the_reply),
		WITH_PEER(ids_are_random),
		WITH_PEER(asks_again_after_losses),
		WITH_PEER(gives_up_in_time),
		WITH_PEER(takes_a_late_reply),
		WITH_PEER(passes_over_what_does_not_fit),
		WITH_PEER(letter_case_does_not_count),
		WITH_PEER(knows_where_replies_come_from),
		WITH_PEER(some_replies_have_no_question),
		WITH_PEER(nobody_there),
		WITH_PEER(somebody_there_at_the_second_try),
		WITH_PEER(truncated_goes_to_tcp),
		WITH_PEER(large_goes_to_tcp),
		WITH_PEER(tcp_without_reply),
		WITH_PEER(tcp_has_a_time_too),
		WITH_PEER(signed_reply_is_taken),
		WITH_PEER(forged_replies_are_not_taken),
		WITH_PEER(the_last_verdict_is_told),
		WITH_PEER(forged_replies_hinder_nothing),
		WITH_PEER(over_tcp_one_bad_reply_ends_it),
		WITH_PEER(key_outlives_its_set),
		WITH_PEER(cancelled_before_the_loop_runs),
		WITH_PEER(cancelled_inside_done),
		WITH_PEER(cancelled_on_tcp),
		WITH_PEER(many_wait_for_few_sockets),
		WITH_PEER(stopped_with_many),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
