/* SPDX-License-Identifier: Apache-2.0 */
/*
 * EDNS options of replies: cookies against the test vectors of RFC 9018, and what each other option says.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/answer/ask.h"
#include "zones/base/compiler.h"
#include "zones/base/siphash.h"

#define ZONE "$TTL 60\n@ SOA ns host 7 7200 3600 1209600 300\n@ NS ns\nns A 192.0.2.1\n"
#define OPTIONS(text) .options = (text), .options_len = sizeof(text) - 1

static struct server server;
static struct answer_config config = {
	.udp_payload = 1232,
	.tcp_idle_100ms = 100,
	.n_cookie_secrets = 1,
	.cookie_secrets = {{0xe5, 0xe9, 0x73, 0xe5, 0xa6, 0xb2, 0xa4, 0x3f, 0x48, 0xe7, 0xdc, 0x84, 0x9e, 0x37,
			    0xbf, 0xcf}},
};

static void
start(void)
{
	server_free(&server);
	server_add(&server, "example.test.", ZONE);
	server_add(&server, "late.test.", NULL);
	server_ready(&server, &config);
}

static int
set_up(void **state)
{
	start();
	return 0;
}

static int
tear_down(void **state)
{
	server_free(&server);
	return 0;
}

static void
check(const struct ask *ask, const char *expected)
{
	static char text[REPLY_TEXT_MAX];
	server_ask(&server, ask, text);
	assert_string_equal(text, expected);
}

#define NS_ANSWER "NOERROR aa\n? ns.example.test. A\n= ns.example.test. 60 A 192.0.2.1\n"

/* The vectors of the SipHash paper, appendix A, and of its reference code for short input. */
static void
test_siphash(void **state)
{
	static const size_t lens[] = {15, 0, 8};
	static const uint64_t hashes[] = {UINT64_C(0xa129ca6149be45e5), UINT64_C(0x726fdb47dd0e0e31),
					  UINT64_C(0x93f5f5799a932462)};
	uint8_t key[16], data[15];
	for (unsigned i = 0; i < 16; i++)
		key[i] = (uint8_t)i;
	for (unsigned i = 0; i < 15; i++)
		data[i] = (uint8_t)i;
	for (unsigned i = 0; i < ARRAY_LEN(lens); i++) {
		uint64_t words[2] = {0};
		memcpy(words, data, lens[i]);
		assert_true(siphash24(key, words, lens[i]) == hashes[i]);
	}
}

/* RFC 9018 appendix A.1: a client's first cookie. */
static void
test_new_cookie(void **state)
{
	start();
	server.now_s = 1559731985;
	server.client = (struct engine_client){.address = {198, 51, 100, 100}};
	check(&(struct ask){"ns.example.test.", "A", OPTIONS("\0\12\0\10\x24\x64\xc4\xab\xcf\x10\xc9\x57")},
	      NS_ANSWER "% 1232 option10=2464c4abcf10c957010000005cf79f111f8130c3eee29480\n");
}

/* A.3: learned cookies come back as they are while they are young, and reserved octets count. */
static void
test_known_cookie(void **state)
{
	start();
	server.client = (struct engine_client){.address = {203, 0, 113, 203}};
	struct ask ask = {"ns.example.test.", "A",
			  OPTIONS("\0\12\0\30\xfc\x93\xfc\x62\x80\x7d\xdb\x86\x01\xab\xcd\xef\x5c\xf7\x8f\x71"
				  "\xa3\x14\x22\x7b\x66\x79\xeb\xf5")};
	server.now_s = 1559727985 + 1800;
	check(&ask, NS_ANSWER "% 1232 option10=fc93fc62807ddb8601abcdef5cf78f71a314227b6679ebf5\n");
	server.now_s = 1559734700; /* A.3's own time: too old, so a new one is made */
	check(&ask, NS_ANSWER "% 1232 option10=fc93fc62807ddb86010000005cf7a9acf73a7810aca2381e\n");
}

/* A.2: past half an hour a good cookie is renewed. */
static void
test_renewal(void **state)
{
	start();
	server.now_s = 1559734385;
	server.client = (struct engine_client){.address = {198, 51, 100, 100}};
	check(&(struct ask){"ns.example.test.", "A",
			    OPTIONS("\0\12\0\30\x24\x64\xc4\xab\xcf\x10\xc9\x57\x01\x00\x00\x00\x5c\xf7\x9f\x11"
				    "\x1f\x81\x30\xc3\xee\xe2\x94\x80")},
	      NS_ANSWER "% 1232 option10=2464c4abcf10c957010000005cf7a871d4a564a1442aca77\n");
}

/* A.4: the secret has changed; what the old one made is good, and is replaced. */
static void
test_rotation(void **state)
{
	struct answer_config kept = config;
	static const uint8_t old_secret[16] = {0xdd, 0x3b, 0xdf, 0x93, 0x44, 0xb6, 0x78, 0xb1,
					       0x85, 0xa6, 0xf5, 0xcb, 0x60, 0xfc, 0xa7, 0x15};
	static const uint8_t new_secret[16] = {0x44, 0x55, 0x36, 0xbc, 0xd2, 0x51, 0x32, 0x98,
					       0x07, 0x5a, 0x5d, 0x37, 0x96, 0x63, 0xc9, 0x62};
	memcpy(config.cookie_secrets[0], new_secret, 16);
	memcpy(config.cookie_secrets[1], old_secret, 16);
	config.n_cookie_secrets = 2;
	config.cookies_required = true; /* so that the answer tells whether the old one is good */
	start();
	server.now_s = 1559741961;
	server.client = (struct engine_client){.is_v6 = true,
					       .address = {0x20, 0x01, 0x0d, 0xb8, 0x02, 0x20, 0, 1, 0x59, 0xde,
							   0xd0, 0xf4, 0x87, 0x69, 0x82, 0xb8}};
	check(&(struct ask){"ns.example.test.", "A",
			    OPTIONS("\0\12\0\30\x22\x68\x1a\xb9\x7d\x52\xc2\x98\x01\x00\x00\x00\x5c\xf7\xc5\x79"
				    "\x26\x55\x6b\xd0\x93\x4c\x72\xf8")},
	      NS_ANSWER "% 1232 option10=22681ab97d52c298010000005cf7c609a6bb79d16625507a\n");
	config = kept;
	start();
}

static void
test_required(void **state)
{
	config.cookies_required = true;
	start();
	server.now_s = 1559731985;
	server.client = (struct engine_client){.address = {198, 51, 100, 100}};
	/* clients without cookies are sent to TCP, where they are served */
	check(&(struct ask){"ns.example.test.", "A"}, "NOERROR tc\n? ns.example.test. A\n");
	check(&(struct ask){"ns.example.test.", "A", .tcp = true}, NS_ANSWER);
	/* BADCOOKIE (23) with a cookie to go on with */
	check(&(struct ask){"ns.example.test.", "A", OPTIONS("\0\12\0\10\x24\x64\xc4\xab\xcf\x10\xc9\x57")},
	      "YXRRSET\n? ns.example.test. A\n% 1232 ext=1 "
	      "option10=2464c4abcf10c957010000005cf79f111f8130c3eee29480\n");
	check(&(struct ask){"ns.example.test.", "A",
			    OPTIONS("\0\12\0\30\x24\x64\xc4\xab\xcf\x10\xc9\x57\x01\x00\x00\x00\x5c\xf7\x9f\x11"
				    "\x1f\x81\x30\xc3\xee\xe2\x94\x80")},
	      NS_ANSWER "% 1232 option10=2464c4abcf10c957010000005cf79f111f8130c3eee29480\n");
	/* the same cookie from elsewhere, and from too far ahead */
	server.client.address[3] = 101;
	struct ask stolen = {"ns.example.test.", "A",
			     OPTIONS("\0\12\0\30\x24\x64\xc4\xab\xcf\x10\xc9\x57\x01\x00\x00\x00\x5c\xf7\x9f\x11"
				     "\x1f\x81\x30\xc3\xee\xe2\x94\x80")};
	static char text[REPLY_TEXT_MAX];
	server_ask(&server, &stolen, text);
	assert_memory_equal(text, "YXRRSET\n", 8);
	server.client.address[3] = 100;
	server.now_s -= 301;
	server_ask(&server, &stolen, text);
	assert_memory_equal(text, "YXRRSET\n", 8);
	config.cookies_required = false;
	start();
}

static void
test_malformed(void **state)
{
	static const struct ask cases[] = {
		{"ns.example.test.", "A", OPTIONS("\0\12\0\7\1\2\3\4\5\6\7")},
		{"ns.example.test.", "A", OPTIONS("\0\12\0\11\1\2\3\4\5\6\7\10\11")},
		{"ns.example.test.", "A", OPTIONS("\0\10\0\3\0\1\0")},
		{"ns.example.test.", "A", OPTIONS("\0\10\0\7\0\1\30\30\300\0\2")},
		{"ns.example.test.", "A", OPTIONS("\0\10\0\6\0\1\30\0\300\0")},
		{"ns.example.test.", "A", OPTIONS("\0\23\0\1\0")},
		{"ns.example.test.", "A", OPTIONS("\0\3\0\1")},
	};
	start();
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		static char text[REPLY_TEXT_MAX];
		server_ask(&server, &cases[i], text);
		assert_memory_equal(text, "FORMERR\n? ns.example.test. A\n% 1232", 35);
	}
}

/* RFC 7830, RFC 8467 section 4.1: whole blocks of 468 octets, over TLS, to who asks for it. */
static void
test_padding(void **state)
{
	const struct ask padded = {"ns.example.test.", "A", OPTIONS("\0\14\0\3\1\2\3")};
	const struct ask plain = {"ns.example.test.", "A", .edns = true};
	uint8_t query[512], reply[65535];
	start();
	size_t len = ask_to_wire(&padded, query);
	size_t bare = server_send(&server, query, len, ENGINE_TCP, reply, sizeof(reply));
	assert_int_equal(server_send(&server, query, len, ENGINE_UDP, reply, 4096), bare);
	assert_int_equal(server_send(&server, query, len, ENGINE_TLS, reply, sizeof(reply)), 468);
	for (size_t i = bare + 4; i < 468; i++)
		assert_int_equal(reply[i], 0);
	/* no room for whole blocks: as far as the buffer goes, and none at all where its head does not fit */
	assert_int_equal(server_send(&server, query, len, ENGINE_TLS, reply, bare + 10), bare + 10);
	assert_int_equal(server_send(&server, query, len, ENGINE_TLS, reply, bare + 3), bare);
	len = ask_to_wire(&plain, query);
	assert_int_equal(server_send(&server, query, len, ENGINE_TLS, reply, sizeof(reply)), bare);
}

/* A secondary tells what is left, not what the SOA says (RFC 7314 section 3.2). */
static void
check_expire_of_secondary(void)
{
	struct ask ask = {"example.test.", "SOA", OPTIONS("\0\11\0\0")};
	static const char soa[] = "NOERROR aa\n? example.test. SOA\n= example.test. 60 SOA ns.example.test. "
				  "host.example.test. 7 7200 3600 1209600 300\n%% 1232 expire=%u\n";
	static const struct {
		uint32_t at_s, now_s, left_s;
	} cases[] = {{1100, 1000, 100}, {1000, 1000, 0}, {1000, 1001, 0}, {4, 0xfffffffe, 6}, {0, 1000, 1209600}};
	uint32_t now_s = server.now_s;
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		char text[256];
		snprintf(text, sizeof(text), soa, cases[i].left_s);
		atomic_store(&server.zones[0]->expires_at_s, cases[i].at_s);
		server.now_s = cases[i].now_s;
		check(&ask, text);
	}
	server.now_s = now_s;
}

static void
test_others(void **state)
{
	start();
	check(&(struct ask){"ns.example.test.", "A", OPTIONS("\0\13\0\2\0\1")}, NS_ANSWER "% 1232\n");
	check(&(struct ask){"ns.example.test.", "A", OPTIONS("\0\10\0\7\0\1\30\0\300\0\2")},
	      NS_ANSWER "% 1232 option8=00011800c00002\n");
	check(&(struct ask){"example.test.", "SOA", OPTIONS("\0\11\0\0")},
	      "NOERROR aa\n? example.test. SOA\n= example.test. 60 SOA ns.example.test. host.example.test. 7 7200 "
	      "3600 "
	      "1209600 300\n% 1232 expire=1209600\n");
	check(&(struct ask){"ns.example.test.", "A", OPTIONS("\0\11\0\0")}, NS_ANSWER "% 1232\n");
	check_expire_of_secondary();
	check(&(struct ask){"ns.example.test.", "A", OPTIONS("\0\23\0\0")}, NS_ANSWER "% 1232 zoneversion=2/0/7\n");
	check(&(struct ask){"ns.example.test.", "A", OPTIONS("\0\13\0\0")}, NS_ANSWER "% 1232\n");
	check(&(struct ask){"ns.example.test.", "A", OPTIONS("\0\13\0\0"), .tcp = true},
	      NS_ANSWER "% 1232 keepalive=100\n");
	check(&(struct ask){"late.test.", "A", .edns = true}, "SERVFAIL\n? late.test. A\n% 1232 ede=14\n");
	check(&(struct ask){"example.test.", "NXNAME", .edns = true},
	      "FORMERR\n? example.test. NXNAME\n% 1232 ede=30\n");
	atomic_store(&server.zones[1]->state, ZONE_EXPIRED);
	check(&(struct ask){"late.test.", "A", .edns = true}, "SERVFAIL\n? late.test. A\n% 1232 ede=24\n");
}

/* A cookie alone, without a question (RFC 7873 section 5.4). */
static void
test_no_question(void **state)
{
	static const uint8_t query[] = {1, 2, 0, 0, 0,  0, 0,  0, 0, 0, 0, 1, 0, 0, 41, 4, 208, 0,
					0, 0, 0, 0, 12, 0, 10, 0, 8, 1, 2, 3, 4, 5, 6,  7, 8};
	uint8_t reply[600];
	static char text[REPLY_TEXT_MAX];
	start();
	size_t len = server_send(&server, query, sizeof(query), ENGINE_UDP, reply, sizeof(reply));
	assert_int_equal(len, 12 + 11 + 4 + 24);
	reply_to_text(reply, len, text);
	assert_memory_equal(text, "NOERROR\n% 1232 option10=0102030405060708", 39);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_siphash),      cmocka_unit_test(test_new_cookie),
		cmocka_unit_test(test_known_cookie), cmocka_unit_test(test_renewal),
		cmocka_unit_test(test_rotation),     cmocka_unit_test(test_required),
		cmocka_unit_test(test_malformed),    cmocka_unit_test(test_others),
		cmocka_unit_test(test_padding),      cmocka_unit_test(test_no_question),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
