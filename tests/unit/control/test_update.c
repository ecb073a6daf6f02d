/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DNS UPDATE, rule by rule of RFC 2136 section 3. Each case is a message against one zone; every result is checked
 * to be one (update_fixture.h), whatever else a case expects.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/control/update_fixture.h"
#include "zones/base/alloc.h"
#include "zones/base/bytes.h"

static const char zone_text[] = "@ 3600 IN SOA ns hostmaster 10 7200 900 1209600 300\n"
				"@ 3600 NS ns\n"
				"@ 3600 NS ns2\n"
				"@ 300 MX 10 mail\n"
				"ns 300 A 192.0.2.1\n"
				"ns2 300 A 192.0.2.2\n"
				"host 300 A 192.0.2.10\n"
				"host 300 A 192.0.2.11\n"
				"host 300 TXT \"Text\"\n"
				"alias 300 CNAME Host\n"
				"a.empty 300 A 192.0.2.20\n"
				"sub 300 NS ns.sub\n"
				"ns.sub 300 A 192.0.2.30\n"
				"old 300 DNAME new\n"
				"serv 300 WKS 192.0.2.1 6 25\n"
				"serv 300 WKS 192.0.2.1 17 53\n"
				"* 300 TXT \"wild\"\n";

static struct served *zone;

static int
setup(void **state)
{
	(void)state;
	zone = update_zone(zone_text);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	served_free(zone);
	return 0;
}

static struct update_result
run_request(const struct update_request *extra, const char *lines)
{
	static uint8_t msg[MESSAGE_MAX_LEN];
	struct update_request request = extra != NULL ? *extra : (struct update_request){0};
	struct update_result result;
	request.msg = msg;
	request.len = update_message(lines, msg);
	if (request.base == NULL)
		request.base = zone;
	update_run(&request, &result);
	return result;
}

/* -------- what has changed, as text -------- */

static bool
has_line(const char *text, const char *line, size_t len)
{
	for (; *text != '\0'; text += strcspn(text, "\n") + 1) {
		if (strcspn(text, "\n") == len && memcmp(text, line, len) == 0)
			return true;
	}
	return false;
}

static void
put_lines(FILE *out, char sign, const char *text, const char *other)
{
	for (; *text != '\0'; text += strcspn(text, "\n") + 1) {
		size_t len = strcspn(text, "\n");
		if (has_line(other, text, len) || memmem(text, len, "\tSOA\t", 5) != NULL)
			continue;
		fputc(sign, out);
		for (size_t i = 0; i < len; i++)
			fputc(text[i] != '\t' ? text[i] : ' ', out);
		fputc('\n', out);
	}
}

/* Lines that went, then lines that came, each in canonical order, but for the SOA's. */
static char *
difference(const struct snapshot *before, const struct snapshot *after)
{
	char *a = update_dump(before), *b = update_dump(after), *text;
	size_t len;
	FILE *out = open_memstream(&text, &len);
	put_lines(out, '-', a, b);
	put_lines(out, '+', b, a);
	fclose(out);
	free(a);
	free(b);
	return text;
}

/* -------- the table -------- */

struct update_case {
	const char *lines;
	uint16_t rcode;
	const char *changes; /* NULL: no new version */
};

static const struct update_case cases[] = {
	/* 3.2.1: class ANY */
	{"p host 0 ANY ANY", RCODE_NOERROR, NULL},
	{"p HOST 0 ANY ANY", RCODE_NOERROR, NULL},
	{"p nobody 0 ANY ANY", RCODE_NXDOMAIN, NULL},
	{"p empty 0 ANY ANY", RCODE_NXDOMAIN, NULL}, /* 2.4.4: an empty non-terminal is no name in use */
	{"p x.sub 0 ANY ANY", RCODE_NXDOMAIN, NULL},
	{"p ns.sub 0 ANY ANY", RCODE_NOERROR, NULL}, /* glue is data */
	{"p other 0 ANY TXT", RCODE_NXRRSET, NULL},  /* 1.1.3: wildcards do not match */
	{"p * 0 ANY TXT", RCODE_NOERROR, NULL},
	{"p host 0 ANY A", RCODE_NOERROR, NULL},
	{"p host 0 ANY AAAA", RCODE_NXRRSET, NULL},
	{"p alias 0 ANY A", RCODE_NXRRSET, NULL}, /* 1.1.4: aliases are not followed */
	{"p host 1 ANY A", RCODE_FORMERR, NULL},
	{"p host 0 ANY A 192.0.2.10", RCODE_FORMERR, NULL},
	{"p host.other. 0 ANY A", RCODE_NOTZONE, NULL},
	/* 3.2.2: class NONE */
	{"p nobody 0 NONE ANY", RCODE_NOERROR, NULL},
	{"p empty 0 NONE ANY", RCODE_NOERROR, NULL},
	{"p host 0 NONE ANY", RCODE_YXDOMAIN, NULL},
	{"p host 0 NONE AAAA", RCODE_NOERROR, NULL},
	{"p host 0 NONE A", RCODE_YXRRSET, NULL},
	{"p host 1 NONE AAAA", RCODE_FORMERR, NULL},
	{"p host 0 NONE A 192.0.2.10", RCODE_FORMERR, NULL},
	/* 3.2.3: the zone's class */
	{"p host 0 IN A 192.0.2.10\np host 0 IN A 192.0.2.11", RCODE_NOERROR, NULL},
	{"p host 0 IN A 192.0.2.11\np host 0 IN TXT Text\np HOST 0 IN A 192.0.2.10", RCODE_NOERROR, NULL},
	{"p host 0 IN A 192.0.2.10\np host 0 IN A 192.0.2.10", RCODE_NXRRSET, NULL},
	{"p host 0 IN A 192.0.2.10", RCODE_NXRRSET, NULL},
	{"p host 0 IN A 192.0.2.10\np host 0 IN A 192.0.2.11\np host 0 IN A 192.0.2.12", RCODE_NXRRSET, NULL},
	{"p host 0 IN A 192.0.2.10\np host 0 IN A 192.0.2.11\np host 0 IN A 192.0.2.11", RCODE_NOERROR, NULL},
	{"p host 0 IN AAAA 2001:db8::1", RCODE_NXRRSET, NULL},
	{"p nobody 0 IN A 192.0.2.10", RCODE_NXRRSET, NULL},
	{"p alias 0 IN CNAME hOST", RCODE_NOERROR, NULL}, /* names in data have no case */
	{"p host 0 IN TXT text", RCODE_NXRRSET, NULL},    /* texts have */
	{"p @ 0 IN MX 10 MAIL.Example.", RCODE_NOERROR, NULL},
	{"p host 300 IN TXT Text", RCODE_FORMERR, NULL},
	{"p host.other. 0 IN TXT Text", RCODE_NOTZONE, NULL},
	{"p host 0 IN A", RCODE_FORMERR, NULL}, /* no data of the type */
	{"p host 0 CH TXT Text", RCODE_FORMERR, NULL},
	/* Form goes before sets, and the first fault in order before the next. */
	{"p host 0 IN AAAA 2001:db8::1\np host 1 ANY A", RCODE_FORMERR, NULL},
	{"p nobody 0 ANY ANY\np host.other. 0 ANY A", RCODE_NXDOMAIN, NULL},
	/* A prerequisite that fails stops all; one that holds does not. */
	{"p host 0 NONE A\nu host 300 IN A 192.0.2.12", RCODE_YXRRSET, NULL},
	{"p host 0 ANY A\nu host 300 IN A 192.0.2.12", RCODE_NOERROR, "+host.example. 300 IN A 192.0.2.12\n"},

	/* 3.4.1: the prescan, before anything is changed */
	{"u new.other. 300 IN A 192.0.2.1", RCODE_NOTZONE, NULL},
	{"u example2. 300 IN A 192.0.2.1", RCODE_NOTZONE, NULL},
	{"u new 300 IN A 192.0.2.1\nu new.other. 300 IN A 192.0.2.1", RCODE_NOTZONE, NULL},
	{"u new 300 IN A 192.0.2.1\nu new 300 CH TXT a", RCODE_FORMERR, NULL},
	{"u new 300 IN ANY", RCODE_FORMERR, NULL},
	{"u new 300 IN AXFR", RCODE_FORMERR, NULL},
	{"u new 300 IN MAILB", RCODE_FORMERR, NULL},
	{"u new 300 IN TYPE0 \\# 1 00", RCODE_FORMERR, NULL},
	{"u new 300 IN TYPE200 \\# 1 00", RCODE_FORMERR, NULL},
	{"u new 300 IN OPT", RCODE_FORMERR, NULL},
	{"u new 300 IN A", RCODE_FORMERR, NULL},
	{"u host 300 ANY A", RCODE_FORMERR, NULL},
	{"u host 0 ANY A 192.0.2.10", RCODE_FORMERR, NULL},
	{"u host 0 ANY AXFR", RCODE_FORMERR, NULL},
	{"u host 0 ANY MAILA", RCODE_FORMERR, NULL},
	{"u host 300 NONE A 192.0.2.10", RCODE_FORMERR, NULL},
	{"u host 0 NONE ANY", RCODE_FORMERR, NULL},
	{"u host 0 NONE AXFR", RCODE_FORMERR, NULL},
	{"u host 0 NONE A", RCODE_FORMERR, NULL},

	/* 3.4.2.2: adding */
	{"u new 300 IN A 192.0.2.1", RCODE_NOERROR, "+new.example. 300 IN A 192.0.2.1\n"},
	{"u NEW.Example. 300 IN TXT \"Mixed Case\"", RCODE_NOERROR, "+new.example. 300 IN TXT \"Mixed Case\"\n"},
	{"u host 300 IN A 192.0.2.10", RCODE_NOERROR, NULL},
	{"u host 600 IN TXT Text", RCODE_NOERROR,
	 "-host.example. 300 IN TXT \"Text\"\n+host.example. 600 IN TXT \"Text\"\n"},
	{"u host 60 IN A 192.0.2.10", RCODE_NOERROR,
	 "-host.example. 300 IN A 192.0.2.10\n-host.example. 300 IN A 192.0.2.11\n"
	 "+host.example. 60 IN A 192.0.2.10\n+host.example. 60 IN A 192.0.2.11\n"},
	{"u host 900 IN A 192.0.2.12", RCODE_NOERROR,
	 "-host.example. 300 IN A 192.0.2.10\n-host.example. 300 IN A 192.0.2.11\n"
	 "+host.example. 900 IN A 192.0.2.10\n+host.example. 900 IN A 192.0.2.11\n"
	 "+host.example. 900 IN A 192.0.2.12\n"},
	{"u new 4294967295 IN A 192.0.2.1", RCODE_NOERROR, "+new.example. 0 IN A 192.0.2.1\n"}, /* RFC 2181 */
	{"u new 300 IN TYPE65280 \\# 2 abcd", RCODE_NOERROR, "+new.example. 300 IN TYPE65280 \\# 2 ABCD\n"},
	{"u *.new 300 IN A 192.0.2.1", RCODE_NOERROR, "+*.new.example. 300 IN A 192.0.2.1\n"},
	{"u @ 300 IN A 192.0.2.1", RCODE_NOERROR, "+example. 300 IN A 192.0.2.1\n"},
	{"u x.sub 300 IN A 192.0.2.1", RCODE_NOERROR, "+x.sub.example. 300 IN A 192.0.2.1\n"},
	/* CNAME and other data: the second one is ignored; but what signing adds may stand there */
	{"u host 300 IN CNAME other", RCODE_NOERROR, NULL},
	{"u alias 300 IN A 192.0.2.1", RCODE_NOERROR, NULL},
	{"u alias 300 IN A 192.0.2.1\nu new 300 IN A 192.0.2.1", RCODE_NOERROR,
	 "+new.example. 300 IN A 192.0.2.1\n"},
	{"u alias 300 IN CNAME other", RCODE_NOERROR,
	 "-alias.example. 300 IN CNAME Host.example.\n+alias.example. 300 IN CNAME other.example.\n"},
	{"u alias 300 IN CNAME HOST", RCODE_NOERROR, NULL},
	{"u alias 300 IN NSEC host CNAME", RCODE_NOERROR, "+alias.example. 300 IN NSEC host.example. CNAME\n"},
	{"u new 300 IN CNAME a\nu new 300 IN CNAME b", RCODE_NOERROR, "+new.example. 300 IN CNAME b.example.\n"},
	{"u new 300 IN CNAME a\nu new 300 IN A 192.0.2.1", RCODE_NOERROR,
	 "+new.example. 300 IN CNAME a.example.\n"},
	{"u new 300 IN A 192.0.2.1\nu new 300 IN CNAME a", RCODE_NOERROR, "+new.example. 300 IN A 192.0.2.1\n"},
	{"u alias 0 ANY CNAME\nu alias 300 IN A 192.0.2.1", RCODE_NOERROR,
	 "-alias.example. 300 IN CNAME Host.example.\n+alias.example. 300 IN A 192.0.2.1\n"},
	/* DNAME likewise (RFC 6672 section 5.2) */
	{"u old 300 IN DNAME newer", RCODE_NOERROR,
	 "-old.example. 300 IN DNAME new.example.\n+old.example. 300 IN DNAME newer.example.\n"},
	{"u alias 300 IN DNAME newer", RCODE_NOERROR, NULL},
	{"u old 300 IN CNAME newer", RCODE_NOERROR, NULL},
	{"u old 300 IN NS ns", RCODE_NOERROR, NULL},
	{"u sub 300 IN DNAME new", RCODE_NOERROR, NULL},
	/* WKS: one for each address and protocol */
	{"u serv 300 IN WKS 192.0.2.1 6 80", RCODE_NOERROR,
	 "-serv.example. 300 IN WKS 192.0.2.1 6 25\n+serv.example. 300 IN WKS 192.0.2.1 6 80\n"},
	{"u serv 300 IN WKS 192.0.2.2 6 80", RCODE_NOERROR, "+serv.example. 300 IN WKS 192.0.2.2 6 80\n"},
	/* SOA: elsewhere ignored */
	{"u host 300 IN SOA ns hostmaster 99 1 1 1 1", RCODE_NOERROR, NULL},

	/* 3.4.2.3: removing sets and names */
	{"u host 0 ANY A", RCODE_NOERROR,
	 "-host.example. 300 IN A 192.0.2.10\n-host.example. 300 IN A 192.0.2.11\n"},
	{"u host 0 ANY AAAA", RCODE_NOERROR, NULL},
	{"u nobody 0 ANY ANY", RCODE_NOERROR, NULL},
	{"u host 0 ANY ANY", RCODE_NOERROR,
	 "-host.example. 300 IN A 192.0.2.10\n-host.example. 300 IN A 192.0.2.11\n"
	 "-host.example. 300 IN TXT \"Text\"\n"},
	{"u a.empty 0 ANY A", RCODE_NOERROR, "-a.empty.example. 300 IN A 192.0.2.20\n"},
	{"u sub 0 ANY NS", RCODE_NOERROR, "-sub.example. 300 IN NS ns.sub.example.\n"},
	{"u @ 0 ANY ANY", RCODE_NOERROR, "-example. 300 IN MX 10 mail.example.\n"},
	{"u EXAMPLE. 0 ANY NS", RCODE_NOERROR, NULL},
	{"u @ 0 ANY SOA", RCODE_NOERROR, NULL},
	{"u @ 0 ANY MX", RCODE_NOERROR, "-example. 300 IN MX 10 mail.example.\n"},

	/* 3.4.2.4: removing records */
	{"u host 0 NONE A 192.0.2.10", RCODE_NOERROR, "-host.example. 300 IN A 192.0.2.10\n"},
	{"u host 0 NONE A 192.0.2.12", RCODE_NOERROR, NULL},
	{"u host 0 NONE TXT text", RCODE_NOERROR, NULL},
	{"u alias 0 NONE CNAME HOST", RCODE_NOERROR, "-alias.example. 300 IN CNAME Host.example.\n"},
	{"u host 0 NONE A 192.0.2.10\nu host 0 NONE A 192.0.2.11\nu host 0 NONE TXT Text", RCODE_NOERROR,
	 "-host.example. 300 IN A 192.0.2.10\n-host.example. 300 IN A 192.0.2.11\n"
	 "-host.example. 300 IN TXT \"Text\"\n"},
	{"u @ 0 NONE NS ns", RCODE_NOERROR, "-example. 3600 IN NS ns.example.\n"},
	{"u @ 0 NONE NS ns\nu @ 0 NONE NS ns2", RCODE_NOERROR, "-example. 3600 IN NS ns.example.\n"},
	{"u @ 0 NONE NS ns\nu @ 3600 IN NS ns3\nu @ 0 NONE NS ns2", RCODE_NOERROR,
	 "-example. 3600 IN NS ns.example.\n-example. 3600 IN NS ns2.example.\n+example. 3600 IN NS "
	 "ns3.example.\n"},
	{"u sub 0 NONE NS ns.sub", RCODE_NOERROR, "-sub.example. 300 IN NS ns.sub.example.\n"},
	{"u @ 0 NONE SOA ns hostmaster 10 7200 900 1209600 300", RCODE_NOERROR, NULL},

	/* In order, each on what those before have led to; what comes to nothing is nothing. */
	{"u new 300 IN A 192.0.2.1\nu new 0 NONE A 192.0.2.1", RCODE_NOERROR, NULL},
	{"u new 300 IN A 192.0.2.1\nu new 0 ANY ANY", RCODE_NOERROR, NULL},
	{"u host 0 ANY TXT\nu host 300 IN TXT Text", RCODE_NOERROR, NULL},
	{"u host 0 ANY ANY\nu host 300 IN A 192.0.2.10", RCODE_NOERROR,
	 "-host.example. 300 IN A 192.0.2.11\n-host.example. 300 IN TXT \"Text\"\n"},
	{"u host 60 IN A 192.0.2.10\nu host 300 IN A 192.0.2.11", RCODE_NOERROR, NULL},

	/* What stands beside the update is ignored. */
	{"a ns.other. 300 IN A 192.0.2.1", RCODE_NOERROR, NULL},
	{"u new 300 IN A 192.0.2.1\na new 300 IN A 192.0.2.2", RCODE_NOERROR, "+new.example. 300 IN A 192.0.2.1\n"},
	{"", RCODE_NOERROR, NULL},
};

static void
check_case(const struct update_case *c)
{
	struct update_result result = run_request(NULL, c->lines);
	if (result.rcode != c->rcode)
		fail_msg("%s\nrcode %u, expected: %u (%s)", c->lines, result.rcode, c->rcode, result.why);
	if ((result.next != NULL) != (c->changes != NULL))
		fail_msg("%s\n%s", c->lines, result.next != NULL ? "a new version" : "no new version");
	if (result.next != NULL) {
		char *found = difference(zone->snapshot, result.next->snapshot);
		if (strcmp(found, c->changes) != 0)
			fail_msg("%s\n--- expected\n%s--- found\n%s", c->lines, c->changes, found);
		free(found);
		assert_int_equal(result.serial, 11);
	}
	update_check_result(zone, &result);
}

static void
every_rule_holds(void **state)
{
	(void)state;
	char *before = update_dump(zone->snapshot);
	size_t bytes = zalloc_bytes();
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		check_case(&cases[i]);
	assert_int_equal(zalloc_bytes(), bytes);
	char *after = update_dump(zone->snapshot);
	assert_string_equal(before, after);
	free(before);
	free(after);
}

/* -------- the serial -------- */

static uint32_t
serial_after(const struct served *base, enum config_serial_policy policy, uint32_t now_s, const char *lines)
{
	struct update_request request = {.base = base, .serial_policy = policy, .now_s = now_s};
	struct update_result result = run_request(&request, lines);
	uint32_t serial = result.serial;
	update_check_result(base, &result);
	return serial;
}

static struct served *
zone_of_serial(const char *serial)
{
	char text[200];
	snprintf(text, sizeof(text), "@ 3600 IN SOA ns host %s 7200 900 1209600 300\n@ NS ns.other.\n", serial);
	return update_zone(text);
}

static void
serials_follow_the_policy(void **state)
{
	(void)state;
	const uint32_t now_s = 1767225599; /* 2025-12-31T23:59:59Z */
	static const struct {
		const char *before;
		enum config_serial_policy policy;
		uint32_t after;
	} rows[] = {
		{"10", CONFIG_SERIAL_INCREMENT, 11},
		{"4294967295", CONFIG_SERIAL_INCREMENT, 1}, /* over 0 */
		{"2147483647", CONFIG_SERIAL_INCREMENT, 2147483648},
		{"10", CONFIG_SERIAL_UNIXTIME, 1767225599},
		{"1767225599", CONFIG_SERIAL_UNIXTIME, 1767225600},
		{"2025123100", CONFIG_SERIAL_UNIXTIME, 2025123101}, /* the time is not newer */
		{"10", CONFIG_SERIAL_DATE, 2025123100},
		{"2025123100", CONFIG_SERIAL_DATE, 2025123101},
		{"2025123099", CONFIG_SERIAL_DATE, 2025123100},
		{"2025123199", CONFIG_SERIAL_DATE, 2025123200}, /* a day ahead is better than back */
		{"4294967295", CONFIG_SERIAL_DATE, 2025123100}, /* newer, round the corner */
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct served *base = zone_of_serial(rows[i].before);
		assert_int_equal(serial_after(base, rows[i].policy, now_s, "u new 1 IN A 192.0.2.1"),
				 rows[i].after);
		served_free(base);
	}
}

static void
a_newer_soa_is_kept(void **state)
{
	(void)state;
	static const struct {
		const char *lines;
		uint32_t after;
	} rows[] = {
		{"u @ 3600 IN SOA ns hostmaster 20 7200 900 1209600 300", 20},
		{"u @ 3600 IN SOA ns hostmaster 20 7200 900 1209600 300\nu new 1 IN A 192.0.2.1", 20},
		{"u @ 3600 IN SOA ns hostmaster 20 1 1 1 1\nu @ 3600 IN SOA ns hostmaster 30 1 1 1 1", 30},
		/* Not newer than the one before it, in the zone or in the message: ignored, with all it says. */
		{"u @ 3600 IN SOA ns hostmaster 10 1 1 1 1", 10},
		{"u @ 3600 IN SOA ns hostmaster 9 1 1 1 1", 10},
		{"u @ 3600 IN SOA ns hostmaster 9 1 1 1 1\nu new 1 IN A 192.0.2.1", 11},
		{"u @ 3600 IN SOA ns hostmaster 30 1 1 1 1\nu @ 3600 IN SOA ns hostmaster 20 1 1 1 1", 30},
		/* 2^31 further is no order (RFC 1982); one less is; two steps do not lead back to the past. */
		{"u @ 3600 IN SOA ns hostmaster 2147483658 1 1 1 1", 10},
		{"u @ 3600 IN SOA ns hostmaster 2147483657 1 1 1 1", 2147483657},
		{"u @ 3600 IN SOA ns hostmaster 2147483657 1 1 1 1\nu @ 3600 IN SOA ns hostmaster 8 1 1 1 1",
		 2147483657},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(serial_after(zone, CONFIG_SERIAL_INCREMENT, 0, rows[i].lines), rows[i].after);
}

static void
an_soa_brings_its_fields(void **state)
{
	(void)state;
	struct update_result result = run_request(NULL, "u @ 60 IN SOA NS2 hostmaster 20 5 6 7 8");
	assert_non_null(result.next);
	assert_int_equal(result.next->snapshot->serial, 20);
	assert_int_equal(result.next->snapshot->refresh_s, 5);
	assert_int_equal(result.next->snapshot->minimum_s, 8);
	assert_int_equal(result.n_removed, 1);
	assert_int_equal(result.n_added, 1);
	update_check_result(zone, &result);
}

/* -------- rules -------- */

static const struct {
	const char *signer, *lines;
	uint16_t rcode;
} rule_cases[] = {
	{"acme.", "u _acme-challenge 60 IN TXT a", RCODE_NOERROR},
	{"acme.", "u _ACME-Challenge 0 NONE TXT a", RCODE_NOERROR},
	{"acme.", "u _acme-challenge 0 ANY TXT", RCODE_NOERROR},
	{"acme.", "u _acme-challenge 60 IN A 192.0.2.1", RCODE_REFUSED},
	{"acme.", "u x._acme-challenge 60 IN TXT a", RCODE_REFUSED},
	{"acme.", "u host 60 IN TXT a", RCODE_REFUSED},
	{"acme.", "u _acme-challenge 60 IN TXT a\nu host 60 IN TXT a", RCODE_REFUSED},
	{"acme.", "u host 0 NONE TXT nothing-there", RCODE_REFUSED},
	/* Everything at a name: all types that are there; where nothing is, nothing is asked. */
	{"acme.", "u host 0 ANY ANY", RCODE_REFUSED},
	{"acme.", "u _acme-challenge 0 ANY ANY", RCODE_NOERROR},
	{"fleet.", "u host 0 ANY ANY", RCODE_NOERROR},
	{"root.", "u host 0 ANY ANY", RCODE_NOERROR},
	{"fleet.", "u @ 0 ANY ANY", RCODE_REFUSED}, /* there is MX */
	/* A star is what is below; the name itself needs a line of its own. */
	{"fleet.", "u a.dyn 60 IN A 192.0.2.1", RCODE_NOERROR},
	{"fleet.", "u *.dyn 60 IN A 192.0.2.1", RCODE_NOERROR},
	{"fleet.", "u a.b.dyn 60 IN TYPE65280 \\# 1 00", RCODE_NOERROR},
	{"fleet.", "u dyn 60 IN A 192.0.2.1", RCODE_REFUSED},
	{"fleet.", "u adyn 60 IN A 192.0.2.1", RCODE_REFUSED},
	{"fleet.", "u _acme-challenge 60 IN AAAA 2001:db8::1", RCODE_NOERROR},
	{"fleet.", "u _acme-challenge 60 IN TXT a", RCODE_REFUSED},
	/* Without types, not what steers the zone. */
	{"fleet.", "u a.dyn 60 IN NS ns", RCODE_REFUSED},
	{"fleet.", "u a.dyn 60 IN SOA ns ns 1 1 1 1 1", RCODE_REFUSED},
	{"fleet.", "u a.dyn 0 ANY NSEC", RCODE_REFUSED},
	{"root.", "u a.dyn 60 IN NS ns", RCODE_NOERROR},
	{"root.", "u @ 60 IN NS ns3", RCODE_NOERROR},
	{"stranger.", "u a.dyn 60 IN A 192.0.2.1", RCODE_REFUSED},
	{NULL, "u a.dyn 60 IN A 192.0.2.1", RCODE_REFUSED},
	/* Prerequisites are nobody's; they come first, and so does the form of a record. */
	{"acme.", "p host 0 NONE ANY\nu host 60 IN TXT a", RCODE_YXDOMAIN},
	{"acme.", "p host 0 ANY A", RCODE_NOERROR},
	{"acme.", "u host.other. 60 IN TXT a", RCODE_NOTZONE},
	{"acme.", "u host 60 ANY TXT", RCODE_FORMERR},
};

static void
rules_bound_what_a_key_may_change(void **state)
{
	(void)state;
	struct config_key acme = {.name = update_name("acme.")}, fleet = {.name = update_name("fleet.")};
	struct name challenge = update_name("_acme-challenge"),
		    below_dyn[] = {update_name("*.dyn"), update_name("host")}, all = update_name("*.");
	uint16_t txt[] = {RRTYPE_TXT}, any[] = {RRTYPE_ANY}, addresses[] = {RRTYPE_A, RRTYPE_AAAA};
	struct config_key root = {.name = update_name("root.")};
	struct config_update_rule rules[] = {
		{.key = &acme, .name = &challenge, .n_name = 1, .types = txt, .n_types = 1},
		{.key = &fleet, .name = below_dyn, .n_name = 2},
		{.key = &fleet, .name = &challenge, .n_name = 1, .types = addresses, .n_types = 2},
		{.key = &root, .name = &all, .n_name = 1, .types = any, .n_types = 1},
	};
	for (size_t i = 0; i < ARRAY_LEN(rule_cases); i++) {
		struct name signer = update_name(rule_cases[i].signer != NULL ? rule_cases[i].signer : ".");
		struct update_request request = {.signer = rule_cases[i].signer != NULL ? &signer : NULL,
						 .rules = rules,
						 .n_rules = ARRAY_LEN(rules)};
		struct update_result result = run_request(&request, rule_cases[i].lines);
		if (result.rcode != rule_cases[i].rcode)
			fail_msg("%s by %s: rcode %u (%s)", rule_cases[i].lines, rule_cases[i].signer, result.rcode,
				 result.why);
		update_check_result(zone, &result);
	}
}

/* -------- messages and replies -------- */

static uint16_t
rcode_of(const uint8_t *msg, size_t len)
{
	uint8_t *exact = malloc(len + (len == 0)); /* for sanitizers */
	memcpy(exact, msg, len);
	struct update_request request = {.msg = exact, .len = len, .base = zone};
	struct update_result result;
	update_run(&request, &result);
	uint16_t rcode = result.rcode;
	assert_null(result.next);
	update_check_result(zone, &result);
	free(exact);
	return rcode;
}

static void
broken_messages_are_refused(void **state)
{
	(void)state;
	static uint8_t msg[MESSAGE_MAX_LEN], changed[MESSAGE_MAX_LEN];
	struct name apex;
	size_t len = update_message("p host 0 ANY A\nu new 300 IN A 192.0.2.1\na . 0 IN TYPE65280 \\# 1 00", msg);
	for (size_t cut = 0; cut < len; cut++)
		assert_int_equal(rcode_of(msg, cut), RCODE_FORMERR);
	assert_int_equal(update_zone_of(msg, len, &apex), RCODE_NOERROR);
	assert_true(name_equal(apex.bytes, update_name("example.").bytes));
	static const struct {
		unsigned at;
		uint8_t value;
		uint16_t rcode;
	} rows[] = {
		{2, 0xa8, RCODE_FORMERR},       /* QR */
		{2, 0x20, RCODE_FORMERR},       /* NOTIFY */
		{5, 0, RCODE_FORMERR},          /* no zone, or two */
		{5, 2, RCODE_FORMERR},          /* likewise */
		{12 + 9 + 1, 1, RCODE_FORMERR}, /* a question for A */
		{12 + 9 + 3, 3, RCODE_NOTAUTH}, /* CH */
		{13, 'f', RCODE_NOTAUTH},       /* another zone */
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		memcpy(changed, msg, len);
		changed[rows[i].at] = rows[i].value;
		assert_int_equal(rcode_of(changed, len), rows[i].rcode);
	}
	memcpy(changed, msg, len);
	changed[len] = 0; /* octets behind the end */
	assert_int_equal(rcode_of(changed, len + 1), RCODE_FORMERR);
	changed[13] = 'E';
	assert_int_equal(update_zone_of(changed, len, &apex), RCODE_NOERROR);
	assert_int_equal(apex.bytes[1], 'e');
}

static void
replies_echo_the_zone(void **state)
{
	(void)state;
	static uint8_t msg[MESSAGE_MAX_LEN], out[UPDATE_REPLY_MAX];
	static const uint8_t opt[] = {0, 0, 41, 4, 208, 0, 0, 0x80, 1, 0, 0},
			     newer[] = {0, 0, 41, 4, 208, 0, 1, 0, 0, 0, 0};
	size_t len = update_message("u new 300 IN A 192.0.2.1", msg), zone_end = 12 + 9 + 4;
	assert_int_equal(update_reply(msg, len, RCODE_NOTZONE, out, sizeof(out)), zone_end);
	assert_int_equal(load_be16(out), 4711);
	assert_int_equal(load_be16(out + 2), 0xa800 | RCODE_NOTZONE);
	assert_int_equal(load_be16(out + 4), 1);
	for (unsigned i = 6; i < 12; i++)
		assert_int_equal(out[i], 0);
	assert_memory_equal(out + 12, msg + 12, zone_end - 12);
	/* What cannot be read is not echoed. */
	assert_int_equal(update_reply(msg, 20, RCODE_FORMERR, out, sizeof(out)), 12);
	assert_int_equal(load_be16(out + 4), 0);
	assert_int_equal(update_reply(msg, 11, RCODE_FORMERR, out, sizeof(out)), 0);
	/* EDNS is answered by EDNS, with DO alone of the flags. */
	memcpy(msg + len, opt, sizeof(opt));
	msg[11] = 1;
	assert_int_equal(update_reply(msg, len + sizeof(opt), RCODE_NOERROR, out, sizeof(out)), zone_end + 11);
	assert_int_equal(out[11], 1);
	assert_int_equal(load_be16(out + zone_end + 1), RRTYPE_OPT);
	assert_int_equal(load_be16(out + zone_end + 7), 0x8000);
	memcpy(msg + len, newer, sizeof(newer));
	assert_int_equal(rcode_of(msg, len + sizeof(newer)), RCODE_BADVERS);
	assert_int_equal(update_reply(msg, len + sizeof(newer), RCODE_BADVERS, out, sizeof(out)), zone_end + 11);
	assert_int_equal(out[3] & 15, 0);
	assert_int_equal(out[zone_end + 5], 1);
	memcpy(msg + len, opt, sizeof(opt));
	memcpy(msg + len + sizeof(opt), opt, sizeof(opt));
	msg[11] = 2;
	assert_int_equal(rcode_of(msg, len + 2 * sizeof(opt)), RCODE_FORMERR);
}

/* -------- large -------- */

static uint8_t *
append(uint8_t *p, const char *hex_owner, unsigned i, uint16_t type, uint16_t rrclass, uint32_t ttl_s,
       uint16_t rdlen, uint32_t data)
{
	int n = snprintf((char *)p + 1, 60, "%s%05u", hex_owner, i);
	*p = (uint8_t)n;
	p += 1 + n;
	store_be16(p, 0xc00c);
	store_be16(p + 2, type);
	store_be16(p + 4, rrclass);
	store_be32(p + 6, ttl_s);
	store_be16(p + 10, rdlen);
	store_be32(p + 12, data);
	return p + 12 + rdlen;
}

/* As many records as fit, at `step` apart names. */
static unsigned
fill(uint8_t *msg, size_t *len, unsigned per_name, unsigned per_type)
{
	uint8_t *p = msg + update_message("", msg);
	unsigned n = 0;
	for (; p < msg + MESSAGE_MAX_LEN - 30; n++)
		p = append(p, "h", n / per_name, per_type == 0 ? RRTYPE_A : (uint16_t)(1000 + n % per_type),
			   RRCLASS_IN, n % 2 + 1, 4, ~n);
	store_be16(msg + 8, (uint16_t)n);
	*len = (size_t)(p - msg);
	return n;
}

/* The largest messages cost what they are long, whether they bring names, records of one set, or types of one name.
 */
static void
large_messages_are_taken(void **state)
{
	(void)state;
	static uint8_t msg[MESSAGE_MAX_LEN];
	static const struct {
		unsigned per_name, per_type;
	} rows[] = {{1, 0}, {100000, 0}, {100000, 3000}};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct update_request request = {.msg = msg, .base = zone};
		struct update_result result;
		unsigned n = fill(msg, &request.len, rows[i].per_name, rows[i].per_type);
		uint64_t start_ns = publish_now_ns();
		update_run(&request, &result);
		uint64_t took_ms = (publish_now_ns() - start_ns) / 1000000;
		print_message("%u records, %u a name: %llu ms, rcode %u %s\n", n, rows[i].per_name,
			      (unsigned long long)took_ms, result.rcode, result.why);
		assert_int_equal(result.rcode, RCODE_NOERROR);
		assert_int_equal(result.n_added, n + 1);
		update_check_result(zone, &result);
	}
}

/* What no answer could hold is refused, with nothing changed. */
static void
a_zone_that_would_not_load_is_refused(void **state)
{
	(void)state;
	static uint8_t msg[MESSAGE_MAX_LEN];
	struct update_request request = {.msg = msg, .base = zone};
	struct update_result first, second;
	fill(msg, &request.len, 100000, 0);
	update_run(&request, &first);
	assert_int_equal(first.rcode, RCODE_NOERROR);
	/* The same again with other addresses: 64 KiB in all of one set. */
	uint8_t *p = msg + update_message("", msg);
	unsigned n = 0;
	for (; p < msg + MESSAGE_MAX_LEN - 30; n++)
		p = append(p, "h", 0, RRTYPE_A, RRCLASS_IN, 1, 4, n);
	store_be16(msg + 8, (uint16_t)n);
	request = (struct update_request){.msg = msg, .len = (size_t)(p - msg), .base = first.next};
	update_run(&request, &second);
	assert_int_equal(second.rcode, RCODE_REFUSED);
	assert_null(second.next);
	update_check_result(first.next, &second);
	update_check_result(zone, &first);
}

/* Whenever memory runs out: SERVFAIL, nothing changed, nothing left behind. */
static void
running_out_of_memory_changes_nothing(void **state)
{
	(void)state;
	static const char lines[] = "p host 0 IN TXT Text\np host 0 ANY A\n"
				    "u host 0 ANY TXT\nu new 300 IN A 192.0.2.1\nu alias 0 ANY ANY\n"
				    "u @ 0 NONE NS ns\nu x.new 300 IN MX 10 new\nu sub 0 ANY NS";
	char *before = update_dump(zone->snapshot);
	unsigned n_failed = 0;
	uint16_t rcode = RCODE_SERVFAIL;
	for (unsigned long at = 1; rcode == RCODE_SERVFAIL; at++) {
		size_t bytes = zalloc_bytes();
		zalloc_fail_at(at);
		struct update_result result = run_request(NULL, lines);
		zalloc_fail_at(0);
		rcode = result.rcode;
		n_failed += rcode == RCODE_SERVFAIL;
		assert_true((result.next == NULL) == (rcode != RCODE_NOERROR));
		update_check_result(zone, &result);
		assert_int_equal(zalloc_bytes(), bytes);
	}
	assert_int_equal(rcode, RCODE_NOERROR);
	assert_true(n_failed > 20);
	char *after = update_dump(zone->snapshot);
	assert_string_equal(before, after);
	free(before);
	free(after);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_rule_holds),
		cmocka_unit_test(serials_follow_the_policy),
		cmocka_unit_test(a_newer_soa_is_kept),
		cmocka_unit_test(an_soa_brings_its_fields),
		cmocka_unit_test(rules_bound_what_a_key_may_change),
		cmocka_unit_test(broken_messages_are_refused),
		cmocka_unit_test(replies_echo_the_zone),
		cmocka_unit_test(large_messages_are_taken),
		cmocka_unit_test(a_zone_that_would_not_load_is_refused),
		cmocka_unit_test(running_out_of_memory_changes_nothing),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
