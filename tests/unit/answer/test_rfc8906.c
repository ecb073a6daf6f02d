/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Does the server answer what it does not know? Every query of RFC 8906 section 8, and those of the EDNS compliance
 * tester that ISC runs, each with the whole reply: header, records, OPT and options.
 *
 * Section 8.3 is about servers without EDNS and has no query of its own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/answer/ask.h"
#include "zones/base/bytes.h"
#include "zones/base/compiler.h"
#include "zones/wire/query.h"

/* 66 octets of key, so that two keys and their signature are more than 512 octets. */
#define OCTETS_66 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define KEY(octets) octets OCTETS_66 OCTETS_66 OCTETS_66
#define SIGNED_BY " 8 2 3600 20300101000000 20200101000000 1 example.test. "

static const char zone_text[] =
	"$TTL 3600\n"
	"@ SOA ns host 7 7200 3600 1209600 300\n"
	"@ RRSIG SOA" SIGNED_BY "AAAA\n"
	"@ NS ns\n"
	"@ DNSKEY 256 3 8 " KEY("AAAA") "\n"
					"@ DNSKEY 257 3 8 " KEY("BBBB") "\n"
									"@ RRSIG DNSKEY" SIGNED_BY KEY(
										"CCCC") "\n"
											"ns A 192.0.2.1\n";

/* -------- what is asked -------- */

/* Bits of the header that queries of these tests set. */
#define RD 0x0100
#define AA 0x0400
#define TC 0x0200
#define RA 0x0080
#define Z 0x0040
#define AD 0x0020
#define CD 0x0010
#define OPCODE(n) ((n) << 11)

/* Bits of OPT's TTL (RFC 6891 section 6.1.3). */
#define VERSION_1 0x00010000u
#define DO 0x8000u

#define NO_EDNS .ask = {.name = "example.test.", .type = "SOA"}
#define EDNS .ask = {.name = "example.test.", .type = "SOA", .edns = true, .size = 4096}
#define EDNS_WITH(text)                                                                                            \
	.ask = {.name = "example.test.",                                                                           \
		.type = "SOA",                                                                                     \
		.size = 4096,                                                                                      \
		.options = (text),                                                                                 \
		.options_len = sizeof(text) - 1}

#define NSID "\0\3\0\0"
#define SUBNET "\0\10\0\4\0\1\0\0"
#define EXPIRE "\0\11\0\0"
#define COOKIE "\0\12\0\10\x24\x64\xc4\xab\xcf\x10\xc9\x57"
#define UNKNOWN "\0\144\0\0"

struct query_case {
	const char *what;
	struct ask ask;
	uint16_t header;  /* flags and opcode of the query */
	uint32_t opt_ttl; /* version and flags of its OPT */
	bool no_question; /* a header alone */
	uint16_t reply;   /* flags, opcode and rcode of the reply, all of them */
	const char *text; /* the reply as reply_to_text() renders it */
};

/* -------- what is expected -------- */

#define QR_AA 0x8400
#define QR 0x8000

#define SOA_DATA "SOA ns.example.test. host.example.test. 7 7200 3600 1209600 300\n"
#define SOA_QUESTION "? example.test. SOA\n"
#define SOA_RECORD "= example.test. 3600 " SOA_DATA
#define SOA_ANSWER "NOERROR aa\n" SOA_QUESTION SOA_RECORD
#define SOA_SIGNED SOA_ANSWER "= example.test. 3600 RRSIG SOA" SIGNED_BY "AAAA\n"
#define NO_DATA(type) "NOERROR aa\n? example.test. " type "\n! example.test. 300 " SOA_DATA
/* The lower four bits of BADVERS are those of NOERROR; the upper eight are in OPT. */
#define BADVERS "NOERROR\n" SOA_QUESTION "% 1232 ext=1\n"
#define BADVERS_DO "NOERROR\n" SOA_QUESTION "% 1232 do ext=1\n"

#define GIVEN_COOKIE " option10=2464c4abcf10c957010000005cf79f111f8130c3eee29480" /* RFC 9018 appendix A.1 */

#define ALL_KEYS                                                                                                   \
	"NOERROR aa\n? example.test. DNSKEY\n"                                                                     \
	"= example.test. 3600 DNSKEY 256 3 8 " KEY(                                                                \
		"AAAA") "\n"                                                                                       \
			"= example.test. 3600 DNSKEY 257 3 8 " KEY(                                                \
				"BBBB") "\n"                                                                       \
					"= example.test. 3600 RRSIG DNSKEY" SIGNED_BY KEY("CCCC") "\n% 1232 do\n"
#define NO_KEYS "NOERROR aa tc\n? example.test. DNSKEY\n% 1232 do\n"

/* -------- asking -------- */

static struct server server;

static int
set_up(void **state)
{
	struct answer_config config = {
		.udp_payload = 1232,
		.n_cookie_secrets = 1,
		.cookie_secrets = {{0xe5, 0xe9, 0x73, 0xe5, 0xa6, 0xb2, 0xa4, 0x3f, 0x48, 0xe7, 0xdc, 0x84, 0x9e,
				    0x37, 0xbf, 0xcf}},
		.identity_len = 6,
		.identity = "fra1-a",
	};
	server_add(&server, "example.test.", zone_text);
	server_ready(&server, &config);
	server.now_s = 1559731985;
	server.client = (struct engine_client){.address = {198, 51, 100, 100}};
	return 0;
}

static int
tear_down(void **state)
{
	server_free(&server);
	return 0;
}

static size_t
write_query(const struct query_case *c, uint8_t out[512])
{
	size_t len = ask_to_wire(&c->ask, out);
	store_be16(out + 2, c->header);
	if (c->opt_ttl != 0)
		store_be32(out + len - c->ask.options_len - 6, c->opt_ttl);
	if (!c->no_question)
		return len;
	store_be16(out + 4, 0);
	return DNS_HEADER_LEN;
}

static void
check_all(const struct query_case *cases, size_t n)
{
	static char text[REPLY_TEXT_MAX];
	static uint8_t reply[UINT16_MAX];
	for (size_t i = 0; i < n; i++) {
		const struct query_case *c = &cases[i];
		uint8_t query[512];
		size_t query_len = write_query(c, query);
		size_t len = server_send(&server, query, query_len, c->ask.tcp ? ENGINE_TCP : ENGINE_UDP, reply,
					 sizeof(reply));
		if (len == 0)
			fail_msg("%s: no reply", c->what);
		reply_to_text(reply, len, text);
		if (strcmp(text, c->text) != 0)
			fail_msg("%s\n--- expected\n%s--- got\n%s", c->what, c->text, text);
		if (load_be16(reply + 2) != c->reply)
			fail_msg("%s: header %04x, not %04x", c->what, load_be16(reply + 2), c->reply);
		assert_memory_equal(reply, query, 2); /* the id */
		if (!c->ask.tcp && c->ask.size <= DNS_PLAIN_UDP_MAX)
			assert_in_range(len, DNS_HEADER_LEN, DNS_PLAIN_UDP_MAX);
	}
}

#define CHECK(cases) check_all(cases, ARRAY_LEN(cases))

/* -------- RFC 8906 -------- */

/*
 * Section 8.1. As RFC 4035 section 3.1.6 has it for authoritative servers, CD does not come back.
 */
static void
test_basic_dns(void **state)
{
	static const struct query_case cases[] = {
		{"8.1.1 configured", NO_EDNS, .reply = QR_AA, .text = SOA_ANSWER},
		{"8.1.2 unknown type",
		 {.name = "example.test.", .type = "TYPE1000"},
		 .reply = QR_AA,
		 .text = NO_DATA("TYPE1000")},
		{"8.1.3.1 CD", NO_EDNS, .header = CD, .reply = QR_AA, .text = SOA_ANSWER},
		{"8.1.3.2 AD", NO_EDNS, .header = AD, .reply = QR_AA, .text = SOA_ANSWER},
		{"8.1.3.3 reserved bit", NO_EDNS, .header = Z, .reply = QR_AA, .text = SOA_ANSWER},
		{"8.1.3.4 recursive", NO_EDNS, .header = RD, .reply = QR_AA | RD, .text = SOA_ANSWER},
		{"8.1.4 unknown opcode", NO_EDNS, .header = OPCODE(15), .no_question = true,
		 .reply = QR | OPCODE(15) | RCODE_NOTIMP, .text = "NOTIMP\n"},
		{"8.1.5 TCP",
		 {.name = "example.test.", .type = "SOA", .tcp = true},
		 .reply = QR_AA,
		 .text = SOA_ANSWER},
	};
	CHECK(cases);
}

/* Section 8.2. */
static void
test_extended_dns(void **state)
{
	static const struct query_case cases[] = {
		{"8.2.1 minimal", EDNS, .reply = QR_AA, .text = SOA_ANSWER "% 1232\n"},
		{"8.2.2 version", EDNS, .opt_ttl = VERSION_1, .reply = QR, .text = BADVERS},
		{"8.2.3 unknown option", EDNS_WITH(UNKNOWN), .reply = QR_AA, .text = SOA_ANSWER "% 1232\n"},
		{"8.2.4 unknown flag", EDNS, .opt_ttl = 0x40, .reply = QR_AA, .text = SOA_ANSWER "% 1232\n"},
		{"8.2.5 version, unknown flag", EDNS, .opt_ttl = VERSION_1 | 0x40, .reply = QR, .text = BADVERS},
		{"8.2.6 version, unknown option", EDNS_WITH(UNKNOWN), .opt_ttl = VERSION_1, .reply = QR,
		 .text = BADVERS},
		{"8.2.7 truncated",
		 {.name = "example.test.", .type = "DNSKEY", .size = 512},
		 .opt_ttl = DO,
		 .reply = QR_AA | TC,
		 .text = NO_KEYS},
		{"8.2.8 DO", EDNS, .opt_ttl = DO, .reply = QR_AA, .text = SOA_SIGNED "% 1232 do\n"},
		{"8.2.9 version, DO", EDNS, .opt_ttl = VERSION_1 | DO, .reply = QR, .text = BADVERS_DO},
		{"8.2.10 known options", EDNS_WITH(COOKIE NSID EXPIRE SUBNET), .reply = QR_AA,
		 .text = SOA_ANSWER "% 1232 nsid=fra1-a" GIVEN_COOKIE " option8=00010000 expire=1209600\n"},
	};
	CHECK(cases);
}

/* -------- the compliance tester -------- */

/* The eleven columns of its reports. */
static void
test_edns_compliance(void **state)
{
	static const struct query_case cases[] = {
		{"dns", NO_EDNS, .reply = QR_AA, .text = SOA_ANSWER},
		{"edns", EDNS, .reply = QR_AA, .text = SOA_ANSWER "% 1232\n"},
		{"edns1", EDNS, .opt_ttl = VERSION_1, .reply = QR, .text = BADVERS},
		{"edns@512",
		 {.name = "example.test.", .type = "DNSKEY", .size = 512},
		 .opt_ttl = DO,
		 .reply = QR_AA | TC,
		 .text = NO_KEYS},
		{"ednsopt", EDNS_WITH(UNKNOWN), .reply = QR_AA, .text = SOA_ANSWER "% 1232\n"},
		{"edns1opt", EDNS_WITH(UNKNOWN), .opt_ttl = VERSION_1, .reply = QR, .text = BADVERS},
		{"do", EDNS, .opt_ttl = DO, .reply = QR_AA, .text = SOA_SIGNED "% 1232 do\n"},
		{"ednsflags", EDNS, .opt_ttl = 0x80, .reply = QR_AA, .text = SOA_ANSWER "% 1232\n"},
		{"docookie", EDNS_WITH(COOKIE), .opt_ttl = DO, .reply = QR_AA,
		 .text = SOA_SIGNED "% 1232 do" GIVEN_COOKIE "\n"},
		{"edns512tcp",
		 {.name = "example.test.", .type = "DNSKEY", .size = 512, .tcp = true},
		 .opt_ttl = DO,
		 .reply = QR_AA,
		 .text = ALL_KEYS},
		{"optlist", EDNS_WITH(NSID SUBNET EXPIRE COOKIE), .reply = QR_AA,
		 .text = SOA_ANSWER "% 1232 nsid=fra1-a" GIVEN_COOKIE " option8=00010000 expire=1209600\n"},
	};
	CHECK(cases);
}

/* What it asks besides, where it is told to ask everything. */
static void
test_edns_compliance_full(void **state)
{
	static const struct query_case cases[] = {
		{"aa", NO_EDNS, .header = AA, .reply = QR_AA, .text = SOA_ANSWER},
		{"ad", NO_EDNS, .header = AD, .reply = QR_AA, .text = SOA_ANSWER},
		{"cd", NO_EDNS, .header = CD, .reply = QR_AA, .text = SOA_ANSWER},
		{"ra", NO_EDNS, .header = RA, .reply = QR_AA, .text = SOA_ANSWER},
		{"rd", NO_EDNS, .header = RD, .reply = QR_AA | RD, .text = SOA_ANSWER},
		{"tc", NO_EDNS, .header = TC, .reply = QR_AA, .text = SOA_ANSWER},
		{"zflag", NO_EDNS, .header = Z, .reply = QR_AA, .text = SOA_ANSWER},
		{"opcodeflg", NO_EDNS, .header = OPCODE(15) | TC | RD | RA | CD | AD | AA | Z, .no_question = true,
		 .reply = QR | OPCODE(15) | RD | RCODE_NOTIMP, .text = "NOTIMP\n"},
		{"type666",
		 {.name = "example.test.", .type = "TYPE666"},
		 .reply = QR_AA,
		 .text = NO_DATA("TYPE666")},
		{"docd", EDNS, .header = CD, .opt_ttl = DO, .reply = QR_AA, .text = SOA_SIGNED "% 1232 do\n"},
		{"ednsnsid", EDNS_WITH(NSID), .reply = QR_AA, .text = SOA_ANSWER "% 1232 nsid=fra1-a\n"},
		{"ednscookie", EDNS_WITH(COOKIE), .reply = QR_AA, .text = SOA_ANSWER "% 1232" GIVEN_COOKIE "\n"},
		{"ednsexpire", EDNS_WITH(EXPIRE), .reply = QR_AA, .text = SOA_ANSWER "% 1232 expire=1209600\n"},
		{"ednssubnet", EDNS_WITH(SUBNET), .reply = QR_AA, .text = SOA_ANSWER "% 1232 option8=00010000\n"},
		{"edns1nsid", EDNS_WITH(NSID), .opt_ttl = VERSION_1, .reply = QR, .text = BADVERS},
		{"edns1cookie", EDNS_WITH(COOKIE), .opt_ttl = VERSION_1, .reply = QR, .text = BADVERS},
		{"edns1expire", EDNS_WITH(EXPIRE), .opt_ttl = VERSION_1, .reply = QR, .text = BADVERS},
		{"edns1subnet", EDNS_WITH(SUBNET), .opt_ttl = VERSION_1, .reply = QR, .text = BADVERS},
		{"dig11", EDNS_WITH(COOKIE), .header = AD | RD, .reply = QR_AA | RD,
		 .text = SOA_ANSWER "% 1232" GIVEN_COOKIE "\n"},
	};
	CHECK(cases);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_basic_dns),
		cmocka_unit_test(test_extended_dns),
		cmocka_unit_test(test_edns_compliance),
		cmocka_unit_test(test_edns_compliance_full),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
