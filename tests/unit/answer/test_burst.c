/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Questions in bursts get the answers that they get alone. What stages share between messages of a group (the zone
 * of the message before, names looked up ahead) must never show; so every question is asked beside all others, in
 * many orders, and compared octet by octet.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/answer/ask.h"
#include "zones/base/compiler.h"

#define REPLY_MAX 1232
#define ORDERS 200

static const char parent_text[] = "$TTL 3600\n"
				  "@ SOA ns1 host 7 7200 3600 1209600 300\n"
				  "@ NS ns1\n"
				  "@ MX 10 mail\n"
				  "ns1 A 192.0.2.1\n"
				  "mail A 192.0.2.2\n"
				  "www A 192.0.2.3\n"
				  "alias CNAME www\n"
				  "toother CNAME www.other.test.\n"
				  "tomail CNAME m1\n"
				  "*.wild A 192.0.2.9\n"
				  "*.wild MX 5 mail\n"
				  "svc HTTPS 1 . alpn=h2\n"
				  "svc A 192.0.2.8\n"
				  "child NS ns.child\n"
				  "ns.child A 192.0.2.30\n"
				  "tree DNAME other.test.\n"
				  /* One set for all of these: targets are told by how they end in the owner. */
				  "$GENERATE 1-40 d$ NS ns1.d$\n"
				  "$GENERATE 1-40 d$ NS ns2.d$\n"
				  "$GENERATE 1-40 d$ NS ns.other.test.\n"
				  "$GENERATE 1-40 ns1.d$ A 192.0.2.$\n"
				  "$GENERATE 1-40 NS2.d$ AAAA 2001:db8::$\n"
				  "$GENERATE 1-40 m$ MX 1 a.m$\n"
				  "$GENERATE 1-40 a.m$ A 198.51.100.$\n"
				  /* More targets than are looked up ahead. */
				  "$GENERATE 1-90 many SRV 0 0 $ h$\n"
				  "$GENERATE 1-90 h$ A 203.0.113.$\n";

static const char *const names[] = {
	"example.test.",
	"www.example.test.",
	"WWW.Example.Test.",
	"none.example.test.",
	"alias.example.test.",
	"toother.example.test.",
	"tomail.example.test.",
	"x.wild.example.test.",
	"x.y.wild.example.test.",
	"*.wild.example.test.",
	"svc.example.test.",
	"child.example.test.",
	"www.child.example.test.",
	"x.tree.example.test.",
	"many.example.test.",
	"a.d1.example.test.",
	"a.d2.example.test.",
	"d3.example.test.",
	"a.b.c.d4.example.test.",
	"ns1.d5.example.test.",
	"m1.example.test.",
	"m2.example.test.",
	"www.other.test.",
	"ns.other.test.",
	"none.other.test.",
	"www.broken.test.",
	"nowhere.test.",
	"a.b.c.nowhere.test.",
	"a.nowhere.test.",
	"d.b.c.nowhere.test.",
	"a.b.cut.test.",
	"www.up.test.",
	"a.b.c.d.",
	"test.",
	".",
	"wwww.example.test.",
	"1.2.3.4.5.6.7.8.9.10.example.test.",
};
static const char *const types[] = {"A", "NS", "MX", "DS", "SRV", "HTTPS", "ANY", "AXFR"};

#define QUESTIONS (ARRAY_LEN(names) * ARRAY_LEN(types))

struct asked_alone {
	uint8_t query[512];
	size_t len, reply_len;
	uint8_t reply[REPLY_MAX];
};

static struct server server;
static struct asked_alone questions[QUESTIONS];

static int
set_up(void **state)
{
	struct answer_config config = {.udp_payload = REPLY_MAX};
	server_add(&server, "example.test.", parent_text);
	server_add(&server, "child.example.test.",
		   "$TTL 60\n@ SOA ns host 1 2 3 4 5\n@ NS ns\nns A 192.0.2.30\n"
		   "www A 192.0.2.31\n");
	server_add(&server, "other.test.",
		   "$TTL 60\n@ SOA ns host 1 2 3 4 5\n@ NS ns\nns A 198.51.100.1\n"
		   "www A 198.51.100.2\n");
	/* Above them, and found by names that have more labels than it. */
	server_add(&server, "test.",
		   "$TTL 60\n@ SOA ns.other host 1 2 3 4 5\n@ NS ns.other\n*.nowhere A 192.0.2.40\n"
		   "cut NS ns.cut\nns.cut A 192.0.2.41\nup DNAME example\n");
	server_add(&server, "broken.test.", NULL);
	server_ready(&server, &config);
	for (size_t i = 0; i < QUESTIONS; i++) {
		struct asked_alone *q = &questions[i];
		struct ask ask = {.name = names[i / ARRAY_LEN(types)],
				  .type = types[i % ARRAY_LEN(types)],
				  .edns = i % 3 == 0,
				  .dnssec = i % 5 == 0};
		q->len = ask_to_wire(&ask, q->query);
		q->reply_len = server_send(&server, q->query, q->len, ENGINE_UDP, q->reply, REPLY_MAX);
		assert_int_not_equal(q->reply_len, 0);
	}
	return 0;
}

static int
tear_down(void **state)
{
	server_free(&server);
	return 0;
}

static void
ask_in_order(const size_t *order, size_t n)
{
	static struct engine_message messages[QUESTIONS];
	static uint8_t buffers[QUESTIONS][REPLY_MAX];
	for (size_t i = 0; i < n; i++) {
		const struct asked_alone *q = &questions[order[i]];
		memcpy(buffers[i], q->query, q->len);
		messages[i] = (struct engine_message){.msg = buffers[i], .len = (uint32_t)q->len, .cap = REPLY_MAX};
	}
	engine_burst(server.set, messages, (unsigned)n, 0, &server.counters);
	for (size_t i = 0; i < n; i++) {
		const struct asked_alone *q = &questions[order[i]];
		static char alone[REPLY_TEXT_MAX], beside[REPLY_TEXT_MAX];
		assert_int_equal(messages[i].verdict, ENGINE_ANSWER);
		if (messages[i].len == q->reply_len && memcmp(buffers[i], q->reply, q->reply_len) == 0)
			continue;
		reply_to_text(q->reply, q->reply_len, alone);
		reply_to_text(buffers[i], messages[i].len, beside);
		fail_msg("question %zu\n--- alone\n%s--- in a burst\n%s", order[i], alone, beside);
	}
}

static void
bursts_in_any_order(void **state)
{
	static size_t order[QUESTIONS];
	for (size_t i = 0; i < QUESTIONS; i++)
		order[i] = i;
	ask_in_order(order, QUESTIONS);
	srand(1);
	for (unsigned round = 0; round < ORDERS; round++) {
		for (size_t i = QUESTIONS - 1; i > 0; i--) {
			size_t k = (size_t)rand() % (i + 1), swapped = order[i];
			order[i] = order[k];
			order[k] = swapped;
		}
		ask_in_order(order, QUESTIONS);
	}
}

/* One question over and over fills the group with targets, so that some are looked up ahead and some are not. */
static void
bursts_of_one_question(void **state)
{
	static size_t order[QUESTIONS];
	for (size_t i = 0; i < QUESTIONS; i++) {
		for (size_t k = 0; k < ENGINE_GROUP + 1; k++)
			order[k] = i;
		ask_in_order(order, ENGINE_GROUP + 1);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bursts_in_any_order),
		cmocka_unit_test(bursts_of_one_question),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
