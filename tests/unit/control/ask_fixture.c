/* SPDX-License-Identifier: Apache-2.0 */
/* A peer for the tests of questions. See ask_fixture.h. */
#include "tests/unit/control/ask_fixture.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "zones/wire/message.h"
#include "zones/wire/rrtype.h"

/* -------- the peer -------- */

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

void
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

bool
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

void
peer_close(struct peer *p)
{
	uv_close((uv_handle_t *)&p->udp, NULL);
	uv_close((uv_handle_t *)&p->listener, NULL);
	if (p->has_client)
		uv_close((uv_handle_t *)&p->client, NULL);
	p->has_client = false;
}

void
peer_open(struct peer *p, uint16_t port)
{
	for (unsigned i = 0; !peer_try_open(p, port); i++) {
		assert_true(i < 100);
		peer_close(p);
		uv_run(&p->loop, UV_RUN_NOWAIT);
	}
}

int
peer_setup(void **state)
{
	struct peer *p = calloc(1, sizeof(*p));
	assert_int_equal(uv_loop_init(&p->loop), 0);
	assert_int_equal(asks_new(&p->loop, &p->asks), 0);
	peer_open(p, 0);
	p->keys = keys_of_all(TSIG_TRUNCATION_ALLOWED);
	*state = p;
	return 0;
}

int
peer_teardown(void **state)
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

struct message
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

struct message
signed_reply(const struct peer *p, const struct message *query, uint16_t flags)
{
	struct tsig_verdict v;
	struct message m = reply_to(query, flags);
	uint64_t now_s = (uint64_t)time(NULL);
	assert_int_equal(tsig_verify_request(p->keys, query->octets, query->len, now_s, &v), TSIG_GOOD);
	assert_int_equal(tsig_sign_reply(&v, m.octets, m.len, sizeof(m.octets), now_s, &m.len), 0);
	return m;
}

struct message
wrongly_signed_reply(const struct peer *p, const struct message *query, uint16_t flags)
{
	struct message m = signed_reply(p, query, flags);
	m.octets[places_of(&m).mac] ^= 1;
	return m;
}

/* -------- asking -------- */

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

void
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

void
wait_for(struct outcome *o)
{
	while (o->n_done == 0)
		uv_run(&o->peer->loop, UV_RUN_ONCE);
	assert_int_equal(o->n_done, 1);
}

struct outcome *
ask(struct peer *p, const struct tsig_key *key, unsigned tries)
{
	static struct outcome o;
	struct message m = query_of(0);
	ask_begin(p, &o, &m, key, tries);
	wait_for(&o);
	return &o;
}

const struct tsig_key *
key_of_peer(const struct peer *p)
{
	return key_in(p->keys, CONFIG_HMAC_SHA256);
}

void
assert_answered(const struct outcome *o)
{
	if (o->err != 0)
		fail_msg("%d: %s", o->err, o->why);
	assert_int_equal(load_be16(o->msg.octets + 6), 1);
}
