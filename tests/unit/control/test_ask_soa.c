/* SPDX-License-Identifier: Apache-2.0 */
/* SOA queries: what is asked, and how replies are judged. */
#include "tests/unit/control/ask_fixture.h"

#include <errno.h>

#include "control/transfer/ask_soa.h"
#include "zones/wire/message.h"
#include "zones/wire/rrtype.h"

static void
answers(struct peer *p, unsigned n, struct message *query, const struct sockaddr *to)
{
	struct message m = reply_to(query, FLAG_AA);
	say(p, &m, to);
}

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
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(soa_query_and_reply, peer_setup, peer_teardown),
		cmocka_unit_test(soa_query_asks_for_expire),
		cmocka_unit_test(soa_replies_are_judged),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
