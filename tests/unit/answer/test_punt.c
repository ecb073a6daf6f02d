/* SPDX-License-Identifier: Apache-2.0 */
/* What is control's to answer: which messages, what is left of them, what is counted; and how replies are counted.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/answer/ask.h"

#include "zones/answer/count.h"
#include "zones/answer/engine.h"
#include "zones/base/bytes.h"
#include "zones/wire/query.h"
#include "zones/wire/rrtype.h"

static const char zone[] = "$TTL 60\n@ SOA ns a 1 1 1 1 1\n@ NS ns\nns A 192.0.2.1\nwww A 192.0.2.2\n";

static int
setup(void **state)
{
	static struct server s;
	static const struct answer_config config = {.udp_payload = 1232};
	memset(&s, 0, sizeof(s));
	server_add(&s, "example.", zone);
	server_ready(&s, &config);
	*state = &s;
	return 0;
}

static int
teardown(void **state)
{
	server_free(*state);
	return 0;
}

struct draft {
	uint8_t msg[1024];
	size_t len;
};

static struct draft
draft(const char *type, unsigned opcode, uint16_t edns_size)
{
	struct draft d = {0};
	const struct ask ask = {.name = "www.example.", .type = type, .edns = edns_size != 0, .size = edns_size};
	d.len = ask_to_wire(&ask, d.msg);
	store_be16(d.msg + 2, (uint16_t)(opcode << 11));
	return d;
}

/* Appends a record at the root to the section whose counter lies at `counter`. */
static void
append(struct draft *d, unsigned counter, uint16_t type, const uint8_t *rdata, size_t rdlen)
{
	uint8_t *p = d->msg + d->len;
	store_be16(d->msg + counter, load_be16(d->msg + counter) + 1);
	memset(p, 0, 11);
	store_be16(p + 1, type);
	store_be16(p + 3, RRCLASS_ANY);
	store_be16(p + 9, (uint16_t)rdlen);
	memcpy(p + 11, rdata, rdlen);
	d->len += 11 + rdlen;
}

enum { ANSWER = 6, ADDITIONAL = 10 };

/* A TSIG: hmac-sha256., a time, fudge, no MAC, id, no error, no other data. The engine looks at its type alone. */
static void
append_tsig(struct draft *d)
{
	static const uint8_t rdata[] = "\013hmac-sha256\0\0\0\0\0\0\0\1\54\0\0\22\64\0\0\0";
	append(d, ADDITIONAL, RRTYPE_TSIG, rdata, sizeof(rdata) - 1 + 1);
}

static struct engine_message
give(struct server *s, const struct draft *d, uint8_t *room, bool takes_punts, enum engine_transport transport)
{
	memcpy(room, d->msg, d->len);
	struct engine_message m = {.msg = room, .len = (uint32_t)d->len, .cap = 4096, .takes_punts = takes_punts};
	m.client.transport = (uint8_t)transport;
	engine_burst(s->set, &m, 1, 0, &s->counters);
	return m;
}

static void
assert_punt(struct server *s, const struct draft *d)
{
	uint8_t room[4096];
	struct counters before = s->counters;
	struct engine_message m = give(s, d, room, true, ENGINE_UDP);
	assert_int_equal(m.verdict, ENGINE_PUNT);
	assert_int_equal(m.len, d->len);
	assert_memory_equal(room, d->msg, d->len);
	before.punted++;
	assert_memory_equal(&before, &s->counters, sizeof(before)); /* and nothing else is counted */

	m = give(s, d, room, false, ENGINE_UDP);
	assert_int_equal(m.verdict, ENGINE_ANSWER);
	assert_int_equal(s->counters.punted, before.punted);
}

static void
assert_no_punt(struct server *s, const struct draft *d, unsigned rcode)
{
	uint8_t room[2][4096];
	for (unsigned takes = 0; takes < 2; takes++) {
		struct engine_message m = give(s, d, room[takes], takes, ENGINE_UDP);
		assert_int_equal(m.verdict, ENGINE_ANSWER);
		assert_int_equal(room[takes][3] & 15, rcode);
	}
	assert_int_equal(s->counters.punted, 0);
}

static void
rare_messages_are_punted(void **state)
{
	struct server *s = *state;
	struct draft rare[9];
	unsigned n = 0;
	rare[n++] = draft("SOA", OPCODE_NOTIFY, 0);
	rare[n++] = draft("SOA", OPCODE_UPDATE, 1232);
	rare[n++] = draft("AXFR", OPCODE_QUERY, 0);
	rare[n++] = draft("IXFR", OPCODE_QUERY, 0);
	for (unsigned i = 0; i < 3; i++) { /* signed: a query, one of another EDNS version, an unknown opcode */
		rare[n] = draft("A", i == 2 ? 15 : OPCODE_QUERY, 1232);
		rare[n].msg[rare[n].len - 5] = i == 1;
		append_tsig(&rare[n++]);
	}
	rare[n] = draft("A", OPCODE_QUERY, 0); /* a TSIG that is not the last: control says FORMERR */
	append_tsig(&rare[n]);
	append(&rare[n++], ADDITIONAL, RRTYPE_A, (const uint8_t *)"1234", 4);
	rare[n] = draft("A", OPCODE_QUERY, 0);
	append(&rare[n++], ADDITIONAL, RRTYPE_SIG, (const uint8_t *)"\0\0", 2);
	for (unsigned i = 0; i < n; i++)
		assert_punt(s, &rare[i]);
}

static void
all_else_is_answered(void **state)
{
	struct server *s = *state;
	struct draft d = draft("A", OPCODE_QUERY, 1232);
	assert_no_punt(s, &d, RCODE_NOERROR);
	d = draft("SOA", 15, 0);
	assert_no_punt(s, &d, RCODE_NOTIMP);
	d = draft("TSIG", OPCODE_QUERY, 0);
	assert_no_punt(s, &d, RCODE_FORMERR);
	d = draft("MAILB", OPCODE_QUERY, 0); /* the neighbour of AXFR */
	assert_no_punt(s, &d, RCODE_NOTIMP);
	d = draft("A", OPCODE_QUERY, 0); /* a SIG over data, and one in another section */
	append(&d, ANSWER, RRTYPE_SIG, (const uint8_t *)"\0\0", 2);
	append(&d, ADDITIONAL, RRTYPE_SIG, (const uint8_t *)"\0\1", 2);
	assert_no_punt(s, &d, RCODE_NOERROR);
}

/* What cannot be read is nobody's business but ours. */
static void
broken_messages_are_not_punted(void **state)
{
	struct server *s = *state;
	struct draft signed_one = draft("A", OPCODE_QUERY, 0), update = draft("SOA", OPCODE_UPDATE, 0);
	struct draft notify = draft("SOA", OPCODE_NOTIFY, 0);
	uint8_t room[4096];
	append_tsig(&signed_one);
	signed_one.len--;
	assert_no_punt(s, &signed_one, RCODE_FORMERR);
	update.len--;
	assert_no_punt(s, &update, RCODE_FORMERR);
	notify.msg[5] = 2;
	assert_no_punt(s, &notify, RCODE_FORMERR);
	notify.msg[2] |= 0x80;
	assert_int_equal(give(s, &notify, room, true, ENGINE_UDP).verdict, ENGINE_DROP);
	notify.len = 11;
	assert_int_equal(give(s, &notify, room, true, ENGINE_UDP).verdict, ENGINE_DROP);
}

static void
cap_tells_what_the_reply_may_have(void **state)
{
	struct server *s = *state;
	uint8_t room[4096];
	struct draft plain = draft("SOA", OPCODE_NOTIFY, 0), small = draft("SOA", OPCODE_NOTIFY, 700);
	struct draft large = draft("SOA", OPCODE_NOTIFY, 4096);
	assert_int_equal(give(s, &plain, room, true, ENGINE_UDP).cap, 512);
	assert_int_equal(give(s, &small, room, true, ENGINE_UDP).cap, 700);
	assert_int_equal(give(s, &large, room, true, ENGINE_UDP).cap, 1232);
	assert_int_equal(give(s, &plain, room, true, ENGINE_TCP).cap, 4096);
}

/* Rare ones in the midst of a group change nothing for the others. */
static void
a_group_may_be_mixed(void **state)
{
	struct server *s = *state;
	static uint8_t room[ENGINE_GROUP][4096];
	struct engine_message m[ENGINE_GROUP];
	struct draft a = draft("A", OPCODE_QUERY, 1232), signed_one = a;
	append_tsig(&signed_one);
	for (unsigned i = 0; i < ENGINE_GROUP; i++) {
		const struct draft *d = i % 3 == 1 ? &signed_one : &a;
		memcpy(room[i], d->msg, d->len);
		m[i] = (struct engine_message){
			.msg = room[i], .len = (uint32_t)d->len, .cap = 4096, .takes_punts = true};
	}
	engine_burst(s->set, m, ENGINE_GROUP, 0, &s->counters);
	for (unsigned i = 0; i < ENGINE_GROUP; i++) {
		assert_int_equal(m[i].verdict, i % 3 == 1 ? ENGINE_PUNT : ENGINE_ANSWER);
		if (i % 3 != 1)
			assert_int_equal(load_be16(room[i] + 6), 1);
	}
	assert_int_equal(s->counters.punted, 11);
	assert_int_equal(s->counters.queries_v4, ENGINE_GROUP - 11);
}

/* A reply counts as the engine would have counted it. */
static void
replies_are_counted_as_the_engine_does(void **state)
{
	struct server *s = *state;
	static const char *const types[] = {"A", "TXT", "AXFR", "MAILB"};
	uint8_t room[4096];
	struct counters counted = {0};
	unsigned n = 0;
	for (unsigned i = 0; i < ARRAY_LEN(types); i++) {
		for (unsigned k = 0; k < 4; k++, n++) { /* k: plain, EDNS, EDNS of version 1, an opcode */
			struct draft d = draft(types[i], k == 3 ? OPCODE_STATUS : OPCODE_QUERY, k ? 1232 : 0);
			if (k == 2)
				d.msg[d.len - 5] = 1;
			struct engine_message m = give(s, &d, room, false, ENGINE_UDP);
			assert_int_equal(m.verdict, ENGINE_ANSWER);
			count_reply(&counted, i & 1, m.msg, m.len);
		}
	}
	assert_int_equal(counted.punt_replies, n);
	assert_int_equal(counted.queries_v4 + counted.queries_v6, n);
	assert_int_equal(counted.queries_v6, n / 2);
	assert_int_equal(counted.rcode[RCODE_BADVERS], 4);
	assert_memory_equal(counted.rcode, s->counters.rcode, sizeof(counted.rcode));
	assert_memory_equal(counted.qtype, s->counters.qtype, sizeof(counted.qtype));
	room[2] |= 2; /* TC */
	count_reply(&counted, false, room, 12);
	assert_int_equal(counted.truncated, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(rare_messages_are_punted, setup, teardown),
		cmocka_unit_test_setup_teardown(all_else_is_answered, setup, teardown),
		cmocka_unit_test_setup_teardown(broken_messages_are_not_punted, setup, teardown),
		cmocka_unit_test_setup_teardown(cap_tells_what_the_reply_may_have, setup, teardown),
		cmocka_unit_test_setup_teardown(a_group_may_be_mixed, setup, teardown),
		cmocka_unit_test_setup_teardown(replies_are_counted_as_the_engine_does, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
