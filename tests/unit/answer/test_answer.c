/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the engine answers, record by record: every kind of answer on a zone that has all of them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/answer/ask.h"
#include "zones/base/bytes.h"
#include "zones/base/compiler.h"
#include "zones/wire/query.h"

static const char zone_text[] = "$TTL 3600\n"
				"@ SOA ns1 host 7 7200 3600 1209600 300\n"
				"@ NS ns1\n"
				"@ NS ns.other.test.\n"
				"@ DNSKEY 257 3 13 AAAA\n"
				"@ MX 10 mail\n"
				"@ MX 20 mail.other.test.\n"
				"ns1 A 192.0.2.1\n"
				"ns1 AAAA 2001:db8::1\n"
				"mail A 192.0.2.2\n"
				"www A 192.0.2.3\n"
				"www A 192.0.2.4\n"
				"alias CNAME www\n"
				"alias2 CNAME alias\n"
				"out CNAME www.other.test.\n"
				"dangling CNAME nothing\n"
				"loop1 CNAME loop2\n"
				"loop2 CNAME loop1\n"
				"self CNAME self\n"
				"a.b.c TXT \"below an empty non-terminal\"\n"
				"*.wild A 192.0.2.9\n"
				"*.wild MX 5 mail\n"
				"blocked.wild TXT block\n"
				"*.walias CNAME www\n"
				"_s._tcp SRV 0 0 80 www\n"
				"svc HTTPS 1 . alpn=h2\n"
				"svc A 192.0.2.8\n"
				"svcalias HTTPS 0 www\n"
				"tree DNAME elsewhere\n"
				"x.elsewhere A 192.0.2.7\n"
				"old DNAME new.other.test.\n"
				"sub NS ns.sub\n"
				"sub NS ns.sibling\n"
				"sub NS ns.other.test.\n"
				"sub DS 1 13 2 0000000000000000000000000000000000000000000000000000000000000000\n"
				"ns.sub A 192.0.2.20\n"
				"ns.sub AAAA 2001:db8::20\n"
				"sibling NS ns.sibling\n"
				"ns.sibling A 192.0.2.21\n"
				"insecure NS ns.other.test.\n"
				"tocut CNAME deep.sub\n"
				"signed A 192.0.2.5\n"
				"signed RRSIG A 13 3 3600 20300101000000 20200101000000 1 example.test. AAAA\n"
				"signed TXT t\n"
				"signed RRSIG TXT 13 3 3600 20300101000000 20200101000000 1 example.test. BBBB\n";

#define SOA "! example.test. 300 SOA ns1.example.test. host.example.test. 7 7200 3600 1209600 300\n"

static struct server server;

static int
set_up(void **state)
{
	struct answer_config config = {.udp_payload = 1232, .identity_len = 6, .version_len = 0};
	memcpy(config.identity, "fra1-a", 6);
	server_add(&server, "example.test.", zone_text);
	server_add(&server, "other.test.",
		   "$TTL 60\n@ SOA ns host 1 2 3 4 5\n@ NS ns\nns A 198.51.100.1\nwww A 198.51.100.2\n"
		   "x.new A 198.51.100.3\n");
	server_add(&server, "broken.test.", NULL);
	server_add(&server, "large.test.",
		   "$TTL 60\n@ SOA ns host 1 2 3 4 5\n@ NS ns\nns A 198.51.100.1\n"
		   "$GENERATE 1-1800 mx MX $ h$.some.long.host.name\n"
		   "$GENERATE 1-70 h$.some.long.host.name A 192.0.2.$\n"
		   "alias CNAME mx\n");
	server_ready(&server, &config);
	return 0;
}

static int
tear_down(void **state)
{
	server_free(&server);
	return 0;
}

struct expected {
	struct ask ask;
	const char *text;
};

static void
check_all(const struct expected *cases, size_t n)
{
	static char text[REPLY_TEXT_MAX];
	for (size_t i = 0; i < n; i++) {
		server_ask(&server, &cases[i].ask, text);
		if (strcmp(text, cases[i].text) != 0)
			fail_msg("%s %s\n--- expected\n%s--- got\n%s", cases[i].ask.name, cases[i].ask.type,
				 cases[i].text, text);
	}
}

#define CHECK(cases) check_all(cases, ARRAY_LEN(cases))

static void
test_positive(void **state)
{
	static const struct expected cases[] = {
		{{"www.example.test.", "A"},
		 "NOERROR aa\n? www.example.test. A\n= www.example.test. 3600 A 192.0.2.3\n"
		 "= www.example.test. 3600 A 192.0.2.4\n"},
		{{"WwW.ExAmPlE.TeSt.", "A"},
		 "NOERROR aa\n? WwW.ExAmPlE.TeSt. A\n= WwW.ExAmPlE.TeSt. 3600 A 192.0.2.3\n"
		 "= WwW.ExAmPlE.TeSt. 3600 A 192.0.2.4\n"},
		{{"example.test.", "MX"},
		 "NOERROR aa\n? example.test. MX\n= example.test. 3600 MX 10 mail.example.test.\n"
		 "= example.test. 3600 MX 20 mail.other.test.\n+ mail.example.test. 3600 A 192.0.2.2\n"},
		{{"example.test.", "NS"},
		 "NOERROR aa\n? example.test. NS\n= example.test. 3600 NS ns.other.test.\n"
		 "= example.test. 3600 NS ns1.example.test.\n+ ns1.example.test. 3600 A 192.0.2.1\n"
		 "+ ns1.example.test. 3600 AAAA 2001:db8::1\n"},
		{{"example.test.", "SOA"},
		 "NOERROR aa\n? example.test. SOA\n"
		 "= example.test. 3600 SOA ns1.example.test. host.example.test. 7 7200 3600 1209600 300\n"},
		{{"_s._tcp.example.test.", "SRV"},
		 "NOERROR aa\n? _s._tcp.example.test. SRV\n"
		 "= _s._tcp.example.test. 3600 SRV 0 0 80 www.example.test.\n"
		 "+ www.example.test. 3600 A 192.0.2.3\n+ www.example.test. 3600 A 192.0.2.4\n"},
		{{"svc.example.test.", "HTTPS"},
		 "NOERROR aa\n? svc.example.test. HTTPS\n= svc.example.test. 3600 HTTPS 1 . alpn=\"h2\"\n"
		 "+ svc.example.test. 3600 A 192.0.2.8\n"},
		{{"svcalias.example.test.", "HTTPS"},
		 "NOERROR aa\n? svcalias.example.test. HTTPS\n"
		 "= svcalias.example.test. 3600 HTTPS 0 www.example.test.\n"
		 "+ www.example.test. 3600 A 192.0.2.3\n+ www.example.test. 3600 A 192.0.2.4\n"},
		{{"www.example.test.", "ANY"},
		 "NOERROR aa\n? www.example.test. ANY\n= www.example.test. 3600 A 192.0.2.3\n"
		 "= www.example.test. 3600 A 192.0.2.4\n"},
		{{"alias.example.test.", "ANY"},
		 "NOERROR aa\n? alias.example.test. ANY\n= alias.example.test. 3600 CNAME www.example.test.\n"},
	};
	CHECK(cases);
}

static void
test_negative(void **state)
{
	static const struct expected cases[] = {
		{{"www.example.test.", "AAAA"}, "NOERROR aa\n? www.example.test. AAAA\n" SOA},
		{{"none.example.test.", "A"}, "NXDOMAIN aa\n? none.example.test. A\n" SOA},
		{{"x.www.example.test.", "A"}, "NXDOMAIN aa\n? x.www.example.test. A\n" SOA},
		{{"1.2.3.4.5.6.7.8.9.example.test.", "A"},
		 "NXDOMAIN aa\n? 1.2.3.4.5.6.7.8.9.example.test. A\n" SOA},
		{{"b.c.example.test.", "A"}, "NOERROR aa\n? b.c.example.test. A\n" SOA},
		{{"c.example.test.", "TXT"}, "NOERROR aa\n? c.example.test. TXT\n" SOA},
		{{"x.c.example.test.", "TXT"}, "NXDOMAIN aa\n? x.c.example.test. TXT\n" SOA},
		{{"example.test.", "DS"}, "NOERROR aa\n? example.test. DS\n" SOA},
		{{"nowhere.test.", "A"}, "REFUSED\n? nowhere.test. A\n"},
		{{".", "SOA"}, "REFUSED\n? . SOA\n"},
		{{"www.broken.test.", "A"}, "SERVFAIL\n? www.broken.test. A\n"},
	};
	CHECK(cases);
}

static void
test_wildcards(void **state)
{
	static const struct expected cases[] = {
		{{"x.wild.example.test.", "A"},
		 "NOERROR aa\n? x.wild.example.test. A\n= x.wild.example.test. 3600 A 192.0.2.9\n"},
		{{"x.y.wild.example.test.", "MX"},
		 "NOERROR aa\n? x.y.wild.example.test. MX\n= x.y.wild.example.test. 3600 MX 5 mail.example.test.\n"
		 "+ mail.example.test. 3600 A 192.0.2.2\n"},
		{{"x.wild.example.test.", "TXT"}, "NOERROR aa\n? x.wild.example.test. TXT\n" SOA},
		{{"*.wild.example.test.", "A"},
		 "NOERROR aa\n? *.wild.example.test. A\n= *.wild.example.test. 3600 A 192.0.2.9\n"},
		{{"blocked.wild.example.test.", "A"}, "NOERROR aa\n? blocked.wild.example.test. A\n" SOA},
		{{"x.blocked.wild.example.test.", "A"}, "NXDOMAIN aa\n? x.blocked.wild.example.test. A\n" SOA},
		{{"wild.example.test.", "A"}, "NOERROR aa\n? wild.example.test. A\n" SOA},
		{{"q.walias.example.test.", "A"},
		 "NOERROR aa\n? q.walias.example.test. A\n= q.walias.example.test. 3600 CNAME www.example.test.\n"
		 "= www.example.test. 3600 A 192.0.2.3\n= www.example.test. 3600 A 192.0.2.4\n"},
	};
	CHECK(cases);
}

static void
test_chains(void **state)
{
	static const struct expected cases[] = {
		{{"alias2.example.test.", "A"},
		 "NOERROR aa\n? alias2.example.test. A\n= alias2.example.test. 3600 CNAME alias.example.test.\n"
		 "= alias.example.test. 3600 CNAME www.example.test.\n= www.example.test. 3600 A 192.0.2.3\n"
		 "= www.example.test. 3600 A 192.0.2.4\n"},
		{{"alias.example.test.", "CNAME"},
		 "NOERROR aa\n? alias.example.test. CNAME\n= alias.example.test. 3600 CNAME www.example.test.\n"},
		{{"alias.example.test.", "TXT"},
		 "NOERROR aa\n? alias.example.test. TXT\n= alias.example.test. 3600 CNAME www.example.test.\n" SOA},
		{{"dangling.example.test.", "A"},
		 "NXDOMAIN aa\n? dangling.example.test. A\n"
		 "= dangling.example.test. 3600 CNAME nothing.example.test.\n" SOA},
		{{"out.example.test.", "A"},
		 "NOERROR aa\n? out.example.test. A\n= out.example.test. 3600 CNAME www.other.test.\n"
		 "= www.other.test. 60 A 198.51.100.2\n"},
		{{"loop1.example.test.", "A"},
		 "NOERROR aa\n? loop1.example.test. A\n= loop1.example.test. 3600 CNAME loop2.example.test.\n"
		 "= loop2.example.test. 3600 CNAME loop1.example.test.\n"},
		{{"self.example.test.", "A"},
		 "NOERROR aa\n? self.example.test. A\n= self.example.test. 3600 CNAME self.example.test.\n"},
		{{"x.tree.example.test.", "A"},
		 "NOERROR aa\n? x.tree.example.test. A\n= tree.example.test. 3600 DNAME elsewhere.example.test.\n"
		 "= x.tree.example.test. 3600 CNAME x.elsewhere.example.test.\n"
		 "= x.elsewhere.example.test. 3600 A 192.0.2.7\n"},
		{{"tree.example.test.", "DNAME"},
		 "NOERROR aa\n? tree.example.test. DNAME\n= tree.example.test. 3600 DNAME "
		 "elsewhere.example.test.\n"},
		{{"tree.example.test.", "A"}, "NOERROR aa\n? tree.example.test. A\n" SOA},
		{{"x.tree.example.test.", "CNAME"},
		 "NOERROR aa\n? x.tree.example.test. CNAME\n"
		 "= tree.example.test. 3600 DNAME elsewhere.example.test.\n"
		 "= x.tree.example.test. 3600 CNAME x.elsewhere.example.test.\n"},
		{{"x.old.example.test.", "A"},
		 "NOERROR aa\n? x.old.example.test. A\n= old.example.test. 3600 DNAME new.other.test.\n"
		 "= x.old.example.test. 3600 CNAME x.new.other.test.\n= x.new.other.test. 60 A 198.51.100.3\n"},
		{{"tocut.example.test.", "A"},
		 "NOERROR aa\n? tocut.example.test. A\n= tocut.example.test. 3600 CNAME deep.sub.example.test.\n"
		 "! sub.example.test. 3600 NS ns.sub.example.test.\n! sub.example.test. 3600 NS ns.other.test.\n"
		 "! sub.example.test. 3600 NS ns.sibling.example.test.\n+ ns.sub.example.test. 3600 A 192.0.2.20\n"
		 "+ ns.sub.example.test. 3600 AAAA 2001:db8::20\n+ ns.sibling.example.test. 3600 A 192.0.2.21\n"},
	};
	CHECK(cases);
}

#define REFERRAL                                                                                                   \
	"! sub.example.test. 3600 NS ns.sub.example.test.\n! sub.example.test. 3600 NS ns.other.test.\n"           \
	"! sub.example.test. 3600 NS ns.sibling.example.test.\n"
#define GLUE                                                                                                       \
	"+ ns.sub.example.test. 3600 A 192.0.2.20\n+ ns.sub.example.test. 3600 AAAA 2001:db8::20\n"                \
	"+ ns.sibling.example.test. 3600 A 192.0.2.21\n"
#define DS "sub.example.test. 3600 DS 1 13 2 0000000000000000000000000000000000000000000000000000000000000000\n"

static void
test_referrals(void **state)
{
	static const struct expected cases[] = {
		{{"a.b.sub.example.test.", "A"}, "NOERROR\n? a.b.sub.example.test. A\n" REFERRAL GLUE},
		{{"sub.example.test.", "A"}, "NOERROR\n? sub.example.test. A\n" REFERRAL GLUE},
		{{"sub.example.test.", "NS"}, "NOERROR\n? sub.example.test. NS\n" REFERRAL GLUE},
		{{"ns.sub.example.test.", "A"}, "NOERROR\n? ns.sub.example.test. A\n" REFERRAL GLUE},
		{{"none.sub.example.test.", "DS"}, "NOERROR\n? none.sub.example.test. DS\n" REFERRAL GLUE},
		{{"sub.example.test.", "DS"}, "NOERROR aa\n? sub.example.test. DS\n= " DS},
		{{"insecure.example.test.", "DS"}, "NOERROR aa\n? insecure.example.test. DS\n" SOA},
		{{"sub.example.test.", "A", .dnssec = true},
		 "NOERROR\n? sub.example.test. A\n" REFERRAL "! " DS GLUE "% 1232 do\n"},
	};
	CHECK(cases);
}

static void
test_edns(void **state)
{
	static const struct expected cases[] = {
		{{"www.example.test.", "TXT", .edns = true},
		 "NOERROR aa\n? www.example.test. TXT\n" SOA "% 1232\n"},
		{{"nowhere.test.", "TXT", .nsid = true},
		 "REFUSED\n? nowhere.test. TXT\n% 1232 nsid=fra1-a ede=20\n"},
		{{"signed.example.test.", "A", .dnssec = true},
		 "NOERROR aa\n? signed.example.test. A\n= signed.example.test. 3600 A 192.0.2.5\n"
		 "= signed.example.test. 3600 RRSIG A 13 3 3600 20300101000000 20200101000000 1 example.test. "
		 "AAAA\n"
		 "% 1232 do\n"},
		{{"signed.example.test.", "A"},
		 "NOERROR aa\n? signed.example.test. A\n= signed.example.test. 3600 A 192.0.2.5\n"},
		{{"signed.example.test.", "RRSIG"},
		 "NOERROR aa\n? signed.example.test. RRSIG\n"
		 "= signed.example.test. 3600 RRSIG A 13 3 3600 20300101000000 20200101000000 1 example.test. "
		 "AAAA\n"
		 "= signed.example.test. 3600 RRSIG TXT 13 3 3600 20300101000000 20200101000000 1 example.test. "
		 "BBBB\n"},
	};
	CHECK(cases);
}

static void
test_chaos(void **state)
{
	static const struct expected cases[] = {
		{{"id.server.", "TXT", .rrclass = 3},
		 "NOERROR aa\n? id.server. TXT\n= id.server. 0 TXT \"fra1-a\"\n"},
		{{"HOSTNAME.bind.", "TXT", .rrclass = 3},
		 "NOERROR aa\n? HOSTNAME.bind. TXT\n= HOSTNAME.bind. 0 TXT \"fra1-a\"\n"},
		{{"version.bind.", "TXT", .rrclass = 3}, "REFUSED\n? version.bind. TXT\n"},
		{{"id.server.", "A", .rrclass = 3}, "REFUSED\n? id.server. A\n"},
		{{"www.example.test.", "A", .rrclass = 4}, "REFUSED\n? www.example.test. A\n"},
	};
	CHECK(cases);
}

static void
test_meta_types(void **state)
{
	static const struct expected cases[] = {
		{{"example.test.", "AXFR"}, "REFUSED\n? example.test. AXFR\n"},
		{{"example.test.", "AXFR", .tcp = true}, "REFUSED\n? example.test. AXFR\n"},
		{{"www.example.test.", "AXFR", .tcp = true}, "NOTAUTH\n? www.example.test. AXFR\n"},
		{{"example.test.", "MAILB"}, "NOTIMP\n? example.test. MAILB\n"},
		{{"example.test.", "OPT"}, "FORMERR\n? example.test. OPT\n"},
		{{"www.example.test.", "TYPE65280"}, "NOERROR aa\n? www.example.test. TYPE65280\n" SOA},
	};
	CHECK(cases);
}

/*
 * A set of more than 16 KiB has names beyond the reach of pointers, but what they point at lies within it: over TCP
 * it comes whole, also behind an alias. The addresses of its targets do not all fit; that is no reason for TC.
 */
static void
test_large_sets(void **state)
{
	static const char *const names[] = {"mx.large.test.", "alias.large.test."};
	for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
		static char text[REPLY_TEXT_MAX];
		size_t len = server_ask(&server, &(struct ask){names[i], "MX", .tcp = true}, text);
		assert_in_range(len, 16384, 65535);
		assert_memory_equal(text, "NOERROR aa\n", 11);
		assert_non_null(strstr(text, "= mx.large.test. 60 MX 1 h1.some.long.host.name.large.test.\n"));
		assert_non_null(
			strstr(text, "= mx.large.test. 60 MX 1800 h1800.some.long.host.name.large.test.\n"));
		assert_non_null(strstr(text, "+ h64.some.long.host.name.large.test. 60 A 192.0.2.64\n"));
		unsigned n = 0;
		for (const char *p = text; (p = strstr(p, " 60 MX ")) != NULL; p++)
			n++;
		assert_int_equal(n, 1800);
	}
}

/* RFC 6672 section 2.2: the substituted name is too long. */
static void
test_dname_too_long(void **state)
{
	char label[64];
	memset(label, 'a', 63);
	label[63] = '\0';
	char name[300];
	snprintf(name, sizeof(name), "%s.%s.%s.%.20s.tree.example.test.", label, label, label, label);
	static char text[REPLY_TEXT_MAX];
	struct ask ask = {name, "A", .edns = true};
	server_ask(&server, &ask, text);
	assert_memory_equal(text, "NXDOMAIN aa\n", 12); /* the target fits, and does not exist */
	snprintf(name, sizeof(name), "%s.%s.%s.%.42s.tree.example.test.", label, label, label, label);
	server_ask(&server, &ask, text);
	assert_memory_equal(text, "YXDOMAIN aa\n", 12);
	assert_non_null(strstr(text, "= tree.example.test. 3600 DNAME"));
	assert_null(strstr(text, "CNAME"));
}

struct raw_case {
	const char *what;
	uint8_t query[64];
	size_t len;
	int rcode;      /* -1: dropped */
	uint16_t flags; /* of the reply, rcode apart */
	uint16_t questions;
	size_t reply_len; /* 0: not checked */
};

#define QNAME 3, 'w', 'w', 'w', 7, 'e', 'x', 'a', 'm', 'p', 'l', 'e', 4, 't', 'e', 's', 't', 0

/* RFC 8906 section 8: what broken and unusual messages are answered with. */
static const struct raw_case raw_cases[] = {
	{"11 octets", {1, 2, 0, 0, 0, 1, 0, 0, 0, 0, 0}, 11, -1},
	{"a response", {1, 2, 0x80, 0, 0, 1, 0, 0, 0, 0, 0, 0, QNAME, 0, 1, 0, 1}, 34, -1},
	{"no question", {1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 12, RCODE_FORMERR, 0x8000, 0, 12},
	{"two questions",
	 {1, 2, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, QNAME, 0, 1, 0, 1, 0, 0, 1, 0, 1},
	 39,
	 RCODE_FORMERR,
	 0x8000,
	 0,
	 12},
	{"cut in QNAME", {1, 2, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 3, 'w', 'w'}, 15, RCODE_FORMERR, 0x8000, 0, 12},
	{"pointer in QNAME",
	 {1, 2, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0xc0, 0x0c, 0, 1, 0, 1},
	 18,
	 RCODE_FORMERR,
	 0x8000,
	 0,
	 12},
	{"octets after the end",
	 {1, 2, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, QNAME, 0, 1, 0, 1, 9},
	 35,
	 RCODE_FORMERR,
	 0x8000,
	 1,
	 34},
	{"opcode 15", {1, 2, 0x78, 0, 0, 1, 0, 0, 0, 0, 0, 0, QNAME, 0, 1, 0, 1}, 34, RCODE_NOTIMP, 0xf800, 1, 34},
	{"opcode STATUS, nothing else", {1, 2, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 12, RCODE_NOTIMP, 0x9000, 0, 12},
	{"all flags", {1, 2, 0x07, 0xf0, 0, 1, 0, 0, 0, 0, 0, 0, QNAME, 0, 1, 0, 1}, 34, RCODE_NOERROR, 0x8500, 1},
	{"EDNS version 1",
	 {1, 2, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, QNAME, 0, 1, 0, 1, 0, 0, 41, 16, 0, 0, 1, 0, 0, 0, 0},
	 45,
	 0 /* with the extended part: BADVERS */,
	 0x8000,
	 1,
	 45},
	{"two OPTs",
	 {1,  2, 0, 0, 0, 1, 0, 0, 0, 0, 0,  2,  0, 0, 6, 0, 1, 0, 0, 41,
	  16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 41, 16, 0, 0, 0, 0, 0, 0, 0},
	 39,
	 RCODE_FORMERR,
	 0x8000,
	 1,
	 28},
	{"OPT not at the root",
	 {1, 2, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 6, 0, 1, 1, 'a', 0, 0, 41, 16, 0, 0, 0, 0, 0, 0, 0},
	 30,
	 RCODE_FORMERR,
	 0x8000,
	 1,
	 17},
	{"EDNS option over the end",
	 {1, 2, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 6, 0, 1, 0, 0, 41, 16, 0, 0, 0, 0, 0, 0, 4, 0, 3, 0, 1},
	 32,
	 RCODE_FORMERR,
	 0x8000,
	 1,
	 28},
	{"unknown EDNS option",
	 {1, 2, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 6, 0, 1, 0, 0, 41, 16, 0, 0, 0, 0, 0, 0, 5, 0xff, 3, 0, 1, 7},
	 33,
	 RCODE_REFUSED,
	 0x8000,
	 1,
	 34},
};

static void
test_raw(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(raw_cases); i++) {
		const struct raw_case *c = &raw_cases[i];
		uint8_t reply[1500];
		size_t len = server_send(&server, c->query, c->len, ENGINE_UDP, reply, sizeof(reply));
		print_message("%s\n", c->what);
		if (c->rcode < 0) {
			assert_int_equal(len, 0);
			continue;
		}
		assert_in_range(len, DNS_HEADER_LEN, sizeof(reply));
		assert_memory_equal(reply, c->query, 2);
		assert_int_equal(load_be16(reply + 2), c->flags | c->rcode);
		assert_int_equal(load_be16(reply + 4), c->questions);
		if (c->reply_len != 0)
			assert_int_equal(len, c->reply_len);
	}
	uint8_t reply[1500];
	server_send(&server, raw_cases[10].query, raw_cases[10].len, ENGINE_UDP, reply, sizeof(reply));
	assert_int_equal(reply[34 + 5], 1); /* extended RCODE 1: BADVERS */
	assert_int_equal(reply[34 + 6], 0); /* our version */
}

/* Every packet is answered or counted once. */
static void
test_counters(void **state)
{
	memset(&server.counters, 0, sizeof(server.counters));
	uint8_t query[512], reply[1500];
	size_t len = ask_to_wire(&(struct ask){"www.example.test.", "A"}, query);
	for (size_t cut = 0; cut <= len; cut++)
		server_send(&server, query, cut, ENGINE_UDP, reply, sizeof(reply));
	const struct counters *c = &server.counters;
	assert_int_equal(c->drop[DROP_SHORT], 12);
	assert_int_equal(c->rcode[RCODE_FORMERR], len - 12);
	assert_int_equal(c->rcode[RCODE_NOERROR], 1);
	assert_int_equal(c->qtype[1], 1);
	assert_int_equal(c->queries_v4, len - 11);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_positive),   cmocka_unit_test(test_negative),
		cmocka_unit_test(test_wildcards),  cmocka_unit_test(test_chains),
		cmocka_unit_test(test_referrals),  cmocka_unit_test(test_edns),
		cmocka_unit_test(test_chaos),      cmocka_unit_test(test_meta_types),
		cmocka_unit_test(test_large_sets), cmocka_unit_test(test_dname_too_long),
		cmocka_unit_test(test_raw),        cmocka_unit_test(test_counters),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
