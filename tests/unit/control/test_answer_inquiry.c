/* SPDX-License-Identifier: Apache-2.0 */
/* What control answers to signed messages, and to others that the engine leaves to it. */
#include "tests/unit/control/tcp_fixture.h"
#include "tests/unit/control/tsig_fixture.h"

#include <time.h>

#include "control/net/answer_inquiry.h"
#include "control/net/inquiries.h"
#include "zones/wire/query.h"
#include "zones/wire/rrtype.h"

struct rig {
	struct service *service;
	struct answerer *answerer;
	struct tsig_keys *client; /* the other side's set of the same keys */
	struct message reply;     /* the last one; len 0: dropped */
	unsigned n_ends;
};

struct asked {
	struct inquiry inquiry;
	struct rig *rig;
};

static void
take_reply(struct inquiry *q, const uint8_t *msg, size_t len)
{
	struct rig *r = ((struct asked *)q)->rig;
	r->n_ends++;
	assert_true(len <= q->reply_cap && len <= sizeof(r->reply.octets));
	memcpy(r->reply.octets, msg, len);
	r->reply.len = len;
}

static void
take_drop(struct inquiry *q)
{
	struct rig *r = ((struct asked *)q)->rig;
	r->n_ends++;
	r->reply.len = 0;
}

static const struct inquiry_ops ops = {.reply = take_reply, .drop = take_drop};

static uint64_t
now(void)
{
	return (uint64_t)time(NULL);
}

static int
setup(void **state)
{
	struct rig *r = calloc(1, sizeof(*r));
	assert_int_equal(service_setup(state), 0);
	r->service = *state;
	r->answerer = answerer_new(&r->service->root, keys_of_all(TSIG_TRUNCATION_ALLOWED));
	r->client = keys_of_all(TSIG_TRUNCATION_ALLOWED);
	assert_non_null(r->answerer);
	*state = r;
	return 0;
}

static int
teardown(void **state)
{
	struct rig *r = *state;
	answerer_free(r->answerer);
	tsig_keys_free(r->client);
	*state = r->service;
	free(r);
	return service_teardown(state);
}

/* Hands the message over and waits for its one end, which must come at once. */
static void
give(struct rig *r, const struct message *m, enum engine_transport transport, uint32_t reply_cap)
{
	struct asked a = {.rig = r,
			  .inquiry = {.msg = m->octets,
				      .len = (uint32_t)m->len,
				      .reply_cap = reply_cap,
				      .client = {.transport = (uint8_t)transport},
				      .ops = &ops}};
	r->n_ends = 0;
	answerer_handle(r->answerer, &a.inquiry);
	assert_int_equal(r->n_ends, 1);
}

static unsigned
rcode_of(const struct rig *r)
{
	assert_true(r->reply.len >= 12);
	return r->reply.octets[3] & 15;
}

static struct message
question(const char *label, uint16_t type)
{
	struct message m;
	uint8_t framed[128];
	m.len = query(framed, 0x4711, label, type) - 2;
	memcpy(m.octets, framed + 2, m.len);
	return m;
}

static void
add_opt(struct message *m, uint16_t size)
{
	uint8_t *opt = m->octets + m->len;
	memset(opt, 0, 11);
	store_be16(opt + 1, RRTYPE_OPT);
	store_be16(opt + 3, size);
	opt[7] = 0x80;
	m->octets[11]++;
	m->len += 11;
}

static void
signed_queries_are_answered(void **state)
{
	struct rig *r = *state;
	for (unsigned i = CONFIG_HMAC_SHA1; i <= CONFIG_HMAC_SHA512; i++) {
		const struct tsig_key *key = key_in(r->client, i);
		struct message m = question("www", RRTYPE_A);
		struct tsig_mac mac = sign_request(key, &m, now());
		struct tsig_verdict v;
		give(r, &m, ENGINE_UDP, 512);
		assert_int_equal(tsig_verify_reply(key, &mac, r->reply.octets, r->reply.len, now(), &v), TSIG_GOOD);
		assert_int_equal(load_be16(r->reply.octets), 0x4711);
		assert_int_equal(load_be16(r->reply.octets + 2), FLAG_QR | FLAG_AA);
		assert_int_equal(load_be16(r->reply.octets + 6), 1);
		static const uint8_t address[] = {192, 0, 2, 2};
		assert_memory_equal(r->reply.octets + v.len - 4, address, 4); /* the answer is what is left */
	}
}

static void
unsigned_ones_are_answered_as_by_the_engine(void **state)
{
	struct rig *r = *state;
	struct message m = question("www", RRTYPE_A);
	m.octets[2] = OPCODE_NOTIFY << 3;
	give(r, &m, ENGINE_UDP, 512);
	assert_int_equal(rcode_of(r), RCODE_NOTIMP);
	assert_int_equal(r->reply.len, m.len);
	m = question("www", RRTYPE_AXFR);
	give(r, &m, ENGINE_TCP, 65535);
	assert_int_equal(rcode_of(r), RCODE_NOTAUTH);
}

/* The status of the reply's TSIG, as its client sees it. */
static enum tsig_status
status_of_reply(struct rig *r, const struct tsig_key *key, const struct tsig_mac *mac, struct tsig_verdict *v)
{
	return tsig_verify_reply(key, mac, r->reply.octets, r->reply.len, now(), v);
}

static void
refusals_say_why(void **state)
{
	struct rig *r = *state;
	const struct tsig_key *key = key_in(r->client, CONFIG_HMAC_SHA256);
	struct tsig_verdict v;
	struct message m = question("www", RRTYPE_A);
	add_opt(&m, 1232);
	struct tsig_mac mac = sign_request(key, &m, now());
	m.octets[m.len - 7] ^= 1; /* the MAC's last octet: behind it come id, error, other */
	give(r, &m, ENGINE_UDP, 1232);
	assert_int_equal(rcode_of(r), RCODE_NOTAUTH);
	assert_int_equal(status_of_reply(r, key, &mac, &v), TSIG_REFUSED);
	assert_int_equal(v.error, TSIG_ERROR_BADSIG);
	assert_false(v.is_proven);
	assert_int_equal(load_be16(r->reply.octets + 10), 2); /* OPT for an OPT, and the TSIG */
	assert_int_equal(load_be16(r->reply.octets + 6), 0);

	m = question("www", RRTYPE_A);
	mac = sign_request(key, &m, now() - 1000);
	give(r, &m, ENGINE_UDP, 512);
	assert_int_equal(rcode_of(r), RCODE_NOTAUTH);
	assert_int_equal(status_of_reply(r, key, &mac, &v), TSIG_REFUSED);
	assert_int_equal(v.error, TSIG_ERROR_BADTIME);
	assert_true(v.is_proven);

	m = question("www", RRTYPE_A); /* a TSIG that is not the last record */
	sign_request(key, &m, now());
	add_opt(&m, 1232);
	give(r, &m, ENGINE_UDP, 512);
	assert_int_equal(rcode_of(r), RCODE_FORMERR);
}

static void
keys_may_change(void **state)
{
	struct rig *r = *state;
	struct config_key other = key_of("other.", CONFIG_HMAC_SHA256, "x");
	struct diag_list diag = {0};
	struct tsig_keys *keys;
	struct tsig_verdict v;
	const struct tsig_key *key = key_in(r->client, CONFIG_HMAC_SHA256);
	assert_int_equal(tsig_keys_new(&other, 1, TSIG_TRUNCATION_ALLOWED, &keys, &diag), 0);
	answerer_set_keys(r->answerer, keys);
	struct message m = question("www", RRTYPE_A);
	struct tsig_mac mac = sign_request(key, &m, now());
	give(r, &m, ENGINE_UDP, 512);
	assert_int_equal(rcode_of(r), RCODE_NOTAUTH);
	assert_int_equal(status_of_reply(r, key, &mac, &v), TSIG_REFUSED);
	assert_int_equal(v.error, TSIG_ERROR_BADKEY);
}

/* Answers leave room for the TSIG; where they cannot, the client is sent to TCP, and may believe it. */
static void
replies_keep_to_their_room(void **state)
{
	struct rig *r = *state;
	const struct tsig_key *key = key_in(r->client, CONFIG_HMAC_SHA512);
	static const uint32_t caps[] = {512, 700, 1232};
	for (unsigned i = 0; i < ARRAY_LEN(caps); i++) {
		struct tsig_verdict v;
		struct message m = question("big", RRTYPE_TXT);
		add_opt(&m, 1232);
		struct tsig_mac mac = sign_request(key, &m, now());
		give(r, &m, ENGINE_UDP, caps[i]);
		assert_int_equal(tsig_verify_reply(key, &mac, r->reply.octets, r->reply.len, now(), &v), TSIG_GOOD);
		assert_true(load_be16(r->reply.octets + 2) & FLAG_TC);
		assert_int_equal(rcode_of(r), RCODE_NOERROR);
	}
	struct message m = question("www", RRTYPE_A); /* not even the TSIG fits: nothing can be said */
	sign_request(key, &m, now());
	give(r, &m, ENGINE_UDP, 60);
	assert_int_equal(r->reply.len, 0);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(signed_queries_are_answered),
		TEST(unsigned_ones_are_answered_as_by_the_engine),
		TEST(refusals_say_why),
		TEST(keys_may_change),
		TEST(replies_keep_to_their_room),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
