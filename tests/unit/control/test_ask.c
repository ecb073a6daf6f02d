/* SPDX-License-Identifier: Apache-2.0 */
/* Questions to other servers, against a peer on real sockets that does whatever a test wants it to do. */
#include "tests/unit/control/tsig_fixture.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "control/ask.h"
#include "control/ask_soa.h"
#include "zones/wire/message.h"
#include "zones/wire/rrtype.h"

#define TRY_MS 40 /* the first try; long enough for a loaded machine to answer in */

/* -------- the peer -------- */

struct peer;

/* What the peer does about its n-th message (from 1). Over TCP `to` is NULL. */
typedef void behave_fn(struct peer *p, unsigned n, struct message *query, const struct sockaddr *to);

struct peer {
	uv_loop_t loop;
	struct asks *asks;
	uv_udp_t udp;
	uv_tcp_t listener, client;
	bool has_client;
	behave_fn *behave;
	unsigned n_udp, n_tcp;
	struct config_remote remote;
	struct tsig_keys *keys;
	uint16_t first_id;
	uint8_t in[1 << 16];
	size_t in_len;
};

static void
in_alloc(uv_handle_t *h, size_t suggested, uv_buf_t *buf)
{
	struct peer *p = h->data;
	*buf = uv_buf_init((char *)p->in + p->in_len, (unsigned)(sizeof(p->in) - p->in_len));
}

static void
peer_heard(uv_udp_t *udp, ssize_t n, const uv_buf_t *buf, const struct sockaddr *from, unsigned flags)
{
	struct peer *p = udp->data;
	if (!from)
		return;
	struct message query = {.len = (size_t)n};
	memcpy(query.octets, buf->base, (size_t)n);
	p->n_udp++;
	if (p->n_udp == 1)
		p->first_id = load_be16(query.octets);
	p->behave(p, p->n_udp, &query, from);
}

static void
peer_read(uv_stream_t *s, ssize_t n, const uv_buf_t *buf)
{
	struct peer *p = s->data;
	if (n < 0) {
		uv_close((uv_handle_t *)s, NULL);
		p->has_client = false;
		return;
	}
	p->in_len += (size_t)n;
	if (p->in_len < 2 || p->in_len < 2u + load_be16(p->in))
		return;
	struct message query = {.len = load_be16(p->in)};
	assert_true(query.len <= sizeof(query.octets));
	memcpy(query.octets, p->in + 2, query.len);
	p->n_tcp++;
	p->in_len = 0;
	p->behave(p, p->n_tcp, &query, NULL);
}

static void
peer_called(uv_stream_t *listener, int status)
{
	struct peer *p = listener->data;
	assert_int_equal(status, 0);
	assert_false(p->has_client);
	uv_tcp_init(&p->loop, &p->client);
	p->client.data = p;
	p->has_client = true;
	p->in_len = 0;
	assert_int_equal(uv_accept(listener, (uv_stream_t *)&p->client), 0);
	assert_int_equal(uv_read_start((uv_stream_t *)&p->client, in_alloc, peer_read), 0);
}

static void
say(struct peer *p, struct message *m, const struct sockaddr *to)
{
	uint8_t frame[2];
	store_be16(frame, (uint16_t)m->len);
	uv_buf_t bufs[] = {uv_buf_init((char *)frame, 2), uv_buf_init((char *)m->octets, (unsigned)m->len)};
	if (to)
		assert_int_equal(uv_udp_try_send(&p->udp, bufs + 1, 1, to), m->len);
	else
		assert_int_equal(uv_try_write((uv_stream_t *)&p->client, bufs, 2), m->len + 2);
}

/* Opens UDP and TCP on one port; 0: any. False: it is taken. */
static bool
peer_try_open(struct peer *p, uint16_t port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	int len = sizeof(a);
	uv_udp_init(&p->loop, &p->udp);
	uv_tcp_init(&p->loop, &p->listener);
	p->udp.data = p->listener.data = p;
	if (uv_udp_bind(&p->udp, (struct sockaddr *)&a, 0) != 0)
		return false;
	assert_int_equal(uv_udp_getsockname(&p->udp, (struct sockaddr *)&a, &len), 0);
	if (uv_tcp_bind(&p->listener, (struct sockaddr *)&a, 0) != 0 ||
	    uv_listen((uv_stream_t *)&p->listener, 8, peer_called) != 0)
		return false;
	assert_int_equal(uv_udp_recv_start(&p->udp, in_alloc, peer_heard), 0);
	p->remote.address.v4 = a;
	p->remote.address.len = sizeof(a);
	return true;
}

static void
peer_close(struct peer *p)
{
	uv_close((uv_handle_t *)&p->udp, NULL);
	uv_close((uv_handle_t *)&p->listener, NULL);
	if (p->has_client)
		uv_close((uv_handle_t *)&p->client, NULL);
	p->has_client = false;
}

static void
peer_open(struct peer *p, uint16_t port)
{
	for (unsigned i = 0; !peer_try_open(p, port); i++) {
		assert_true(i < 100);
		peer_close(p);
		uv_run(&p->loop, UV_RUN_NOWAIT);
	}
}

static int
setup(void **state)
{
	struct peer *p = calloc(1, sizeof(*p));
	assert_int_equal(uv_loop_init(&p->loop), 0);
	assert_int_equal(asks_new(&p->loop, &p->asks), 0);
	peer_open(p, 0);
	p->keys = keys_of_all(TSIG_TRUNCATION_ALLOWED);
	*state = p;
	return 0;
}

static int
teardown(void **state)
{
	struct peer *p = *state;
	peer_close(p);
	asks_stop(p->asks);
	uv_run(&p->loop, UV_RUN_DEFAULT);
	assert_true(asks_are_idle(p->asks));
	asks_free(p->asks);
	assert_int_equal(uv_loop_close(&p->loop), 0);
	tsig_keys_free(p->keys);
	free(p);
	return 0;
}

/* -------- replies -------- */

/* The query, answered: with the question, flags beside QR and opcode, and for QUERY a SOA. */
static struct message
reply_to(const struct message *query, uint16_t flags)
{
	static const uint8_t soa[] = {2, 'n', 's', 0, 1, 'h', 0, 0, 0, 0, 7, 0, 0, 0,
				      1, 0,   0,   0, 1, 0,   0, 0, 1, 0, 0, 0, 1};
	static struct message_writer w;
	struct message_reader r;
	struct message_question q;
	struct message m;
	assert_int_equal(message_open(&r, query->octets, query->len), MESSAGE_OK);
	assert_int_equal(message_next_question(&r, &q), MESSAGE_OK);
	message_begin(&w, m.octets, sizeof(m.octets), r.id, (uint16_t)((r.flags & 0x7800) | FLAG_QR | flags));
	assert_true(message_put_question(&w, &q));
	struct message_record record = {.owner = q.name,
					.rdata = soa,
					.rdlen = sizeof(soa),
					.type = RRTYPE_SOA,
					.rrclass = 1,
					.section = 1};
	if (message_opcode(&r) == OPCODE_QUERY && !(flags & FLAG_TC))
		assert_true(message_put(&w, &record));
	m.len = w.len;
	return m;
}

static struct message
signed_reply(const struct peer *p, const struct message *query, uint16_t flags)
{
	struct tsig_verdict v;
	struct message m = reply_to(query, flags);
	uint64_t now_s = (uint64_t)time(NULL);
	assert_int_equal(tsig_verify_request(p->keys, query->octets, query->len, now_s, &v), TSIG_GOOD);
	assert_int_equal(tsig_sign_reply(&v, m.octets, m.len, sizeof(m.octets), now_s, &m.len), 0);
	return m;
}

/* As by somebody who does not know the secret. */
static struct message
wrongly_signed_reply(const struct peer *p, const struct message *query, uint16_t flags)
{
	struct message m = signed_reply(p, query, flags);
	m.octets[places_of(&m).mac] ^= 1;
	return m;
}

/* -------- asking -------- */

struct outcome {
	struct peer *peer;
	unsigned n_done;
	int err;
	struct message msg;
	char why[ASK_WHY_MAX];
	struct ask *ask;
	struct outcome *then_cancel; /* in done() */
	bool then_stop;
};

static void
done(void *arg, const struct ask_result *r)
{
	struct outcome *o = arg;
	o->n_done++;
	o->err = r->err;
	o->msg.len = r->err == 0 ? r->len : 0;
	if (r->err == 0)
		memcpy(o->msg.octets, r->msg, r->len);
	memcpy(o->why, r->why, sizeof(o->why));
	if (o->then_cancel) {
		unsigned before = o->then_cancel->n_done;
		ask_cancel(o->then_cancel->ask);
		assert_int_equal(o->then_cancel->n_done, before);
	}
	if (o->then_stop)
		asks_stop(o->peer->asks);
}

static void
ask_begin(struct peer *p, struct outcome *o, const struct message *m, const struct tsig_key *key, unsigned tries)
{
	struct ask_request r = {.msg = m->octets,
				.len = m->len,
				.remote = &p->remote,
				.key = key,
				.tries = tries,
				.timeout_ms = TRY_MS};
	*o = (struct outcome){.peer = p};
	assert_int_equal(ask_start(p->asks, &r, done, o, &o->ask), 0);
	assert_int_equal(o->n_done, 0);
}

static void
wait_for(struct outcome *o)
{
	while (o->n_done == 0)
		uv_run(&o->peer->loop, UV_RUN_ONCE);
	assert_int_equal(o->n_done, 1);
}

/* Asks for the SOA, with `key` or NULL. */
static struct outcome *
ask(struct peer *p, const struct tsig_key *key, unsigned tries)
{
	static struct outcome o;
	struct message m = query_of(0);
	ask_begin(p, &o, &m, key, tries);
	wait_for(&o);
	return &o;
}

static const struct tsig_key *
key_of_peer(const struct peer *p)
{
	return key_in(p->keys, CONFIG_HMAC_SHA256);
}

static void
assert_answered(const struct outcome *o)
{
	if (o->err != 0)
		fail_msg("%d: %s", o->err, o->why);
	assert_int_equal(load_be16(o->msg.octets + 6), 1);
}

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

/* -------- SOA queries -------- */

static void
soa_query_and_reply(void **state)
{
	struct peer *p = *state;
	struct name apex;
	struct message m;
	struct outcome o;
	struct ask_soa soa = {0};
	char why[ASK_WHY_MAX];
	p->behave = answers;
	assert_int_equal(name_from_text("example.", 8, NULL, &apex), NAME_OK);
	m.len = ask_soa_write(&apex, m.octets);
	ask_begin(p, &o, &m, NULL, 1);
	wait_for(&o);
	assert_int_equal(ask_soa_read(&apex, o.msg.octets, o.msg.len, &soa, why), 0);
	assert_int_equal(soa.serial, 7);
	assert_false(soa.has_expire);
}

static void
soa_query_asks_for_expire(void **state)
{
	static const uint8_t expected[] = {0, 0, 0, 0, 0,  1, 0,   0, 0, 0, 0, 1, 1, 'x', 0, 0, 6,
					   0, 1, 0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 4, 0,   9, 0, 0};
	struct name apex = {3, "\1x"};
	uint8_t out[ASK_SOA_QUERY_MAX];
	assert_int_equal(ask_soa_write(&apex, out), sizeof(expected));
	assert_memory_equal(out, expected, sizeof(expected));
	memset(apex.bytes, 1, NAME_MAX_LEN); /* the longest name */
	apex.bytes[NAME_MAX_LEN - 1] = 0;
	apex.len = NAME_MAX_LEN;
	assert_int_equal(ask_soa_write(&apex, out), 12 + 255 + 4 + 15);
}

static void
soa_replies_are_judged(void **state)
{
	/* Flags, records of the answer as (owner offset, type), OPT's extended rcode, EXPIRE's length (0: none). */
	static const struct {
		uint16_t flags;
		const char *answer; /* S: the SOA, O: the SOA of another name, T: no SOA */
		uint8_t extended, expire_len;
		int err;
		const char *why;
	} cases[] = {
		{FLAG_AA, "S", 0, 4, 0, NULL},
		{FLAG_AA, "TSO", 0, 4, 0, NULL},
		{FLAG_AA, "S", 0, 0, 0, NULL},
		{FLAG_AA, "S", 0, 3, 0, NULL},
		{FLAG_AA, "", 0, 4, -ENODATA, "the answer has 0 SOA records of the zone"},
		{FLAG_AA, "O", 0, 4, -ENODATA, "the answer has 0 SOA records of the zone"},
		{FLAG_AA, "SS", 0, 4, -ENODATA, "the answer has 2 SOA records of the zone"},
		{0, "S", 0, 4, -ENODATA, "the answer is not authoritative"},
		{FLAG_AA | RCODE_REFUSED, "", 0, 0, -EACCES, "REFUSED"},
		{FLAG_AA, "S", 1, 4, -EACCES, "BADVERS"},
	};
	static const uint8_t soa[] = {0, 0, 0xfe, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1};
	static const uint8_t a[] = {192, 0, 2, 1};
	static const uint8_t names[] = "\1x\0\1y";
	struct name apex = {3, "\1x"};
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		uint8_t out[512], opt[] = {0, 0, 41, 4, 208, cases[i].extended, 0, 0, 0, 0, 12, 0, 3, 0, 0, 0, 9, 0,
					   4, 0, 1,  0, 0};
		static struct message_writer w;
		struct message_question q = {.name = names, .type = RRTYPE_SOA, .rrclass = 1};
		message_begin(&w, out, sizeof(out), 0, FLAG_QR | cases[i].flags);
		assert_true(message_put_question(&w, &q));
		for (const char *c = cases[i].answer; *c; c++) {
			struct message_record r = {.owner = *c == 'O' ? names + 3 : names,
						   .rdata = *c == 'T' ? a : soa,
						   .rdlen = *c == 'T' ? 4 : sizeof(soa),
						   .type = *c == 'T' ? RRTYPE_A : RRTYPE_SOA,
						   .rrclass = 1,
						   .section = MESSAGE_ANSWER};
			assert_true(message_put(&w, &r));
		}
		opt[10] = (uint8_t)(cases[i].expire_len ? 8 + cases[i].expire_len : 4);
		opt[18] = cases[i].expire_len;
		assert_true(message_put_raw(&w, MESSAGE_ADDITIONAL, opt, 11u + opt[10]));
		struct ask_soa got = {.serial = 1};
		char why[ASK_WHY_MAX];
		assert_int_equal(ask_soa_read(&apex, out, w.len, &got, why), cases[i].err);
		assert_int_equal(got.serial, cases[i].err ? 1 : 0xfe000000);
		assert_int_equal(got.has_expire, !cases[i].err && cases[i].expire_len == 4);
		assert_int_equal(got.expire_s, got.has_expire ? 0x10000 : 0);
		if (cases[i].why)
			assert_string_equal(why, cases[i].why);
		assert_int_equal(ask_soa_read(&apex, out, w.len - 1, &got, why), -EPROTO);
	}
}

int
main(void)
{
#define WITH_PEER(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
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
		WITH_PEER(soa_query_and_reply),
		cmocka_unit_test(soa_query_asks_for_expire),
		cmocka_unit_test(soa_replies_are_judged),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
