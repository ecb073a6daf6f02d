/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Transfers coming in: what each kind of answer calls back with, what is refused and how it is told, and that
 * nothing short of the whole is ever taken for it.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/control/xfr_fixture.h"
#include "zones/base/alloc.h"
#include "zones/base/bytes.h"
#include "zones/store/builder.h"
#include "zones/wire/serial.h"

static struct xfr_log seen;
static struct xfr_in_result result;
static char why[1024];

static int
run_query(const struct xfr_in_query *query, const char *script)
{
	struct xfr_messages m;
	xfr_messages_make(&m, query->qtype, script);
	int err = xfr_run(query, &m, &seen, &result, why);
	xfr_messages_free(&m);
	assert_int_equal(zalloc_bytes(), 0);
	return err;
}

static int
run(uint16_t qtype, uint32_t serial, const char *script)
{
	struct xfr_in_query query = xfr_query(qtype, serial);
	return run_query(&query, script);
}

static void
expect_done(enum xfr_kind kind, uint32_t serial, const char *text)
{
	assert_string_equal(why, "");
	assert_int_equal(result.state, XFR_IN_DONE);
	assert_int_equal(result.kind, kind);
	assert_true(result.has_soa);
	assert_int_equal(result.serial, serial);
	assert_string_equal(seen.text, text);
}

/* -------- whole answers -------- */

#define ZONE "@ NS ns\nns A 192.0.2.1\nwww A 192.0.2.2\n"
#define ZONE_ADDED "+example. NS ns.example.\n+ns A 192.0.2.1\n+www A 192.0.2.2\n"

static void
test_axfr(void **state)
{
	assert_int_equal(run(RRTYPE_AXFR, 0, "@7\n" ZONE "@7\n"), 0);
	expect_done(XFR_AXFR, 7, "axfr\n+@7\n" ZONE_ADDED);
	assert_int_equal(result.records, 5);
	assert_int_equal(result.messages, 1);
	/* the same in messages of one record */
	assert_int_equal(
		run(RRTYPE_AXFR, 6, "@7\n---\n@ NS ns\n---\nns A 192.0.2.1\n---\nwww A 192.0.2.2\n---\n@7"), 0);
	expect_done(XFR_AXFR, 7, "axfr\n+@7\n" ZONE_ADDED);
	assert_int_equal(result.messages, 5);
	/* the closing SOA may differ in case */
	assert_int_equal(run(RRTYPE_AXFR, 0, "@7\n" ZONE "EXAMPLE. SOA NS h 7 2 3 4 5\n"), 0);
	expect_done(XFR_AXFR, 7, "axfr\n+@7\n" ZONE_ADDED);
	/* owners come in lower case */
	assert_int_equal(run(RRTYPE_AXFR, 0, "@7\nWWW.Example. A 192.0.2.2\n@7\n"), 0);
	expect_done(XFR_AXFR, 7, "axfr\n+@7\n+www A 192.0.2.2\n");
}

static void
test_ixfr(void **state)
{
	assert_int_equal(
		run(RRTYPE_IXFR, 1, "@3\n@1\nold A 192.0.2.1\n@2\nnew A 192.0.2.2\nnew2 A 192.0.2.3\n@2\n@3\n@3\n"),
		0);
	expect_done(XFR_IXFR, 3,
		    "from 1\n-@1\n-old A 192.0.2.1\n+@2\n+new A 192.0.2.2\n+new2 A 192.0.2.3\n1 to 2\n"
		    "from 2\n-@2\n+@3\n2 to 3\n");
	/* cut between any two records */
	assert_int_equal(run(RRTYPE_IXFR, 1, "@3\n---\n@1\n---\nold A 192.0.2.1\n---\n@3\n---\n@3"), 0);
	expect_done(XFR_IXFR, 3, "from 1\n-@1\n-old A 192.0.2.1\n+@3\n1 to 3\n");
	/* serials go round */
	assert_int_equal(run(RRTYPE_IXFR, 4294967295, "@5\n@4294967295\n@5\n@5\n"), 0);
	expect_done(XFR_IXFR, 5, "from 4294967295\n-@4294967295\n+@5\n4294967295 to 5\n");
	/* an SOA that changes but for its serial is no difference */
	assert_int_equal(run(RRTYPE_IXFR, 0, "@3\n@0\n@3\n@3\n"), 0);
	expect_done(XFR_IXFR, 3, "from 0\n-@0\n+@3\n0 to 3\n");
}

/* Records of a difference are announced before they come, in their order, and not too many at a time. */
static void
test_expect(void **state)
{
	static char script[1 << 13];
	unsigned n = 0;
	size_t len = (size_t)sprintf(script, "@3\n@1\n");
	for (; n < 200; n++) {
		if (n == 100)
			len += (size_t)sprintf(script + len, "---\n@3\n");
		len += (size_t)sprintf(script + len, "N%u A 192.0.2.1\n", n);
	}
	sprintf(script + len, "@3\n");
	assert_int_equal(run(RRTYPE_IXFR, 1, script), 0);
	assert_int_equal(result.state, XFR_IN_DONE);
	assert_int_equal(seen.n_unexpected, 3);       /* old SOA and first record, and the second message's first */
	assert_int_equal(seen.most_expected, 32 + 1); /* the record at hand among them */
	assert_int_equal(seen.n_expected, 1);         /* the closing SOA, which is no record of a difference */
	assert_int_equal(run(RRTYPE_AXFR, 0, "@7\n" ZONE "@7\n"), 0);
	assert_int_equal(seen.most_expected, 0);
}

static void
test_axfr_style(void **state)
{
	assert_int_equal(run(RRTYPE_IXFR, 1, "@7\n" ZONE "@7\n"), 0);
	expect_done(XFR_AXFR_STYLE_IXFR, 7, "axfr\n+@7\n" ZONE_ADDED);
	assert_int_equal(run(RRTYPE_IXFR, 1, "@7\n---\n" ZONE "---\n@7\n"), 0);
	expect_done(XFR_AXFR_STYLE_IXFR, 7, "axfr\n+@7\n" ZONE_ADDED);
	assert_int_equal(run(RRTYPE_IXFR, 1, "@7\n@7\n"), 0);
	expect_done(XFR_AXFR_STYLE_IXFR, 7, "axfr\n+@7\n");
}

static void
test_up_to_date(void **state)
{
	assert_int_equal(run(RRTYPE_IXFR, 7, "@7\n"), 0);
	expect_done(XFR_UP_TO_DATE, 7, "");
	assert_int_equal(run(RRTYPE_IXFR, 7, "@6\n"), 0); /* it is behind us: for the caller to judge */
	expect_done(XFR_UP_TO_DATE, 6, "");
}

static void
test_udp(void **state)
{
	struct xfr_in_query query = xfr_query(RRTYPE_IXFR, 1);
	query.is_udp = true;
	assert_int_equal(run_query(&query, "@3\n@1\n@3\n@3\n"), 0);
	expect_done(XFR_IXFR, 3, "from 1\n-@1\n+@3\n1 to 3\n");
	assert_int_equal(run_query(&query, "@1\n"), 0);
	expect_done(XFR_UP_TO_DATE, 1, "");
	assert_int_equal(run_query(&query, "@3\n"), -EMSGSIZE);
	assert_int_equal(result.state, XFR_IN_TRY_TCP);
	assert_int_equal(result.serial, 3);
	assert_int_equal(run_query(&query, "@3\n@1\n@2\n"), -EMSGSIZE);
	assert_int_equal(result.state, XFR_IN_TRY_TCP);
}

/* Over TCP, a lone SOA that is newer is the beginning of more. */
static void
test_goes_on(void **state)
{
	static const char *const scripts[] = {"@7\n", "@7\n---\n@1\n", "@7\n@1\nold A 192.0.2.1\n@7\n",
					      "@7\n@1\n@7\nnew A 192.0.2.1\n", ("@7\n" ZONE)};
	for (unsigned i = 0; i < ARRAY_LEN(scripts); i++) {
		assert_int_equal(run(RRTYPE_IXFR, 1, scripts[i]), 0);
		assert_int_equal(result.state, XFR_IN_GOING);
	}
	assert_int_equal(run(RRTYPE_AXFR, 1, "@7\n" ZONE), 0);
	assert_int_equal(result.state, XFR_IN_GOING);
}

static void
test_forced(void **state)
{
	struct xfr_in_query query = xfr_query(RRTYPE_AXFR, 7);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(run_query(&query, i == 0 ? "@7\n@7\n" : "@6\n@6\n"), -ESTALE);
		assert_int_equal(result.state, XFR_IN_NOT_NEWER);
		assert_string_equal(seen.text, "");
	}
	assert_string_equal(
		why,
		"transfer of example., message 1, record 1 (example. SOA): serial 6 is not newer than ours, 7");
	query.is_forced = true;
	assert_int_equal(run_query(&query, "@6\n@6\n"), 0);
	expect_done(XFR_AXFR, 6, "axfr\n+@6\n");
	assert_int_equal(run(RRTYPE_IXFR, 7, "@7\n@ NS ns\n@7\n"), -ESTALE);
}

/* -------- what is refused -------- */

static void
test_broken(void **state)
{
	static const struct {
		uint16_t qtype;
		const char *script, *why; /* behind "transfer of example., message " */
	} cases[] = {
		{RRTYPE_AXFR, "@ NS ns\n", "1, record 1 (example. NS): the first record is not the SOA"},
		{RRTYPE_AXFR, "", "1: it has no records"},
		{RRTYPE_AXFR, "@7\n---\n", "2: it has no records"},
		{RRTYPE_AXFR, "@7\n@8\n",
		 "1, record 2 (example. SOA): the closing SOA (serial 8) is not the opening one (serial 7)"},
		{RRTYPE_AXFR, "@7\n@ SOA ns other 7 2 3 4 5\n",
		 "1, record 2 (example. SOA): the closing SOA (serial 7) is not the opening one (serial 7)"},
		{RRTYPE_AXFR, "@7\n@7\nwww A 192.0.2.1\n",
		 "1, record 3 (www.example. A): it comes behind the closing SOA"},
		{RRTYPE_AXFR, "@7\n@7\n@7\n", "1, record 3 (example. SOA): it comes behind the closing SOA"},
		{RRTYPE_AXFR, "@7\n---\n@7\n---\n@7\n", "3: it comes behind the end"},
		{RRTYPE_AXFR, "@7\nwww.test. A 192.0.2.1\n", "1, record 2 (www.test. A): it lies outside the zone"},
		{RRTYPE_AXFR, "@7\n. A 192.0.2.1\n", "1, record 2 (. A): it lies outside the zone"},
		{RRTYPE_AXFR, "@7\nsub SOA ns h 7 2 3 4 5\n",
		 "1, record 2 (sub.example. SOA): an SOA below the apex"},
		{RRTYPE_AXFR, "@7\n@ TYPE250 \\# 0\n",
		 "1, record 2 (example. TSIG): no zone has data of this type"},
		{RRTYPE_AXFR, "@7\n@ TYPE41 \\# 0\n", "1, record 2 (example. OPT): no zone has data of this type"},
		{RRTYPE_AXFR, "@7\n@ TYPE0 \\# 0\n", "1, record 2 (example. TYPE0): no zone has data of this type"},
		{RRTYPE_AXFR, "@7\n@ TYPE200 \\# 0\n",
		 "1, record 2 (example. TYPE200): no zone has data of this type"},
		{RRTYPE_IXFR, "@7\n@2\n@7\n@7\n",
		 "1, record 2 (example. SOA): the differences start with serial 2, ours is 1"},
		{RRTYPE_IXFR, "@7\n@1\n@3\n@4\n@7\n@7\n",
		 "1, record 4 (example. SOA): a gap in the differences: from serial 4, after one to 3"},
		{RRTYPE_IXFR, "@7\n@1\n@3\n@7\n",
		 "1, record 4 (example. SOA): a gap in the differences: from serial 7, after one to 3"},
		{RRTYPE_IXFR, "@7\n@1\n@3\n@3\n@2\n",
		 "1, record 5 (example. SOA): a difference leads from serial 3 back to 2"},
		{RRTYPE_IXFR, "@7\n@1\n@1\n",
		 "1, record 3 (example. SOA): a difference leads from serial 1 back to 1"},
		{RRTYPE_IXFR, "@7\n@1\n@8\n",
		 "1, record 3 (example. SOA): a difference leads to serial 8, past the last, 7"},
		{RRTYPE_IXFR, "@7\n@1\n@ SOA ns other 7 2 3 4 5\n",
		 "1, record 3 (example. SOA): the last difference brings another SOA than the opening one"},
		{RRTYPE_IXFR, "@7\n@1\n@7\n@ SOA ns other 7 2 3 4 5\n",
		 "1, record 4 (example. SOA): the closing SOA is not the opening one"},
		{RRTYPE_IXFR, "@7\n@1\n@7\n@7\n@7\n",
		 "1, record 5 (example. SOA): it comes behind the closing SOA"},
		{RRTYPE_IXFR, "@1\n---\n@1\n", "2: it comes behind the end"},
	};
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(run(cases[i].qtype, cases[i].qtype == RRTYPE_IXFR, cases[i].script), -EBADMSG);
		assert_int_equal(result.state, XFR_IN_BROKEN);
		assert_string_equal(why + strlen("transfer of example., message "), cases[i].why);
	}
}

/* One octet of the first message set; the error. */
static int
run_patched(uint16_t qtype, const char *script, unsigned at, uint8_t octet)
{
	struct xfr_in_query query = xfr_query(qtype, 1);
	struct xfr_messages m;
	xfr_messages_make(&m, qtype, script);
	m.message[0].octets[at] = octet;
	int err = xfr_run(&query, &m, &seen, &result, why);
	xfr_messages_free(&m);
	return err;
}

static void
test_headers(void **state)
{
	const char *script = "@7\n@ NS ns\n@7\n";
	assert_int_equal(run_patched(RRTYPE_AXFR, script, 2, 0x84), 0); /* as it is */
	assert_int_equal(run_patched(RRTYPE_AXFR, script, 2, 0x80), 0); /* AA may be missing */
	static const struct {
		unsigned at;
		uint8_t octet;
		const char *why;
	} cases[] = {
		{0, 0, "its id is 103, ours was 4711"},
		{2, 0x04, "it is a query, not an answer"},
		{2, 0xa4, "its opcode is 4, not QUERY"},
		{2, 0x86, "it is truncated"},
		{5, 2, "it has 2 questions"},
		{5, 0, "it has 0 questions"},
		{13, 'x', "it answers another question"},
		{22, 251, "it answers another question"},
		{24, 3, "it answers another question"},
		{12, 64, "question: compression that points forward, too often or with label type 01/10"},
		{7, 2, "behind record 2: octets behind the last record"},
		{7, 4, "behind record 3: runs over the end of the bytes"},
	};
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(run_patched(RRTYPE_AXFR, script, cases[i].at, cases[i].octet), -EBADMSG);
		const char *text = why + strlen("transfer of example., message 1: ");
		if (i == 9 || i == 11) /* the words are name_error_text()'s */
			assert_memory_equal(text, cases[i].why, 9);
		else
			assert_string_equal(text, cases[i].why);
	}
}

static void
test_rcodes(void **state)
{
	static const struct {
		uint16_t qtype;
		uint8_t rcode;
		enum xfr_in_state state;
		const char *why;
	} cases[] = {
		{RRTYPE_AXFR, RCODE_REFUSED, XFR_IN_REFUSED, "the primary answers REFUSED"},
		{RRTYPE_AXFR, RCODE_NOTAUTH, XFR_IN_REFUSED, "the primary answers NOTAUTH"},
		{RRTYPE_AXFR, RCODE_NOTIMP, XFR_IN_REFUSED, "the primary answers NOTIMP"},
		{RRTYPE_AXFR, 13, XFR_IN_REFUSED, "the primary answers RCODE13"},
		{RRTYPE_IXFR, RCODE_NOTIMP, XFR_IN_TRY_AXFR, "the primary answers NOTIMP"},
		{RRTYPE_IXFR, RCODE_FORMERR, XFR_IN_TRY_AXFR, "the primary answers FORMERR"},
		{RRTYPE_IXFR, RCODE_REFUSED, XFR_IN_REFUSED, "the primary answers REFUSED"},
		{RRTYPE_IXFR, RCODE_SERVFAIL, XFR_IN_REFUSED, "the primary answers SERVFAIL"},
	};
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		int err = run_patched(cases[i].qtype, "@7\n", 3, cases[i].rcode);
		assert_int_equal(err, cases[i].state == XFR_IN_TRY_AXFR ? -EOPNOTSUPP : -EACCES);
		assert_int_equal(result.state, cases[i].state);
		assert_int_equal(result.rcode, cases[i].rcode);
		assert_string_equal(why + strlen("transfer of example., message 1: "), cases[i].why);
		assert_string_equal(seen.text, "");
	}
}

/* The upper bits of an rcode come with EDNS, and a message may be nothing but that. */
static void
test_edns(void **state)
{
	static const uint8_t badvers[] = {0, 0, 41, 4, 208, 1, 0, 0, 0, 0, 0},
			     plain[] = {0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0};
	static struct message_writer w;
	uint8_t out[512];
	for (unsigned i = 0; i < 2; i++) {
		struct xfr_in_query query = xfr_query(RRTYPE_IXFR, 7);
		struct xfr_messages m;
		xfr_messages_make(&m, RRTYPE_IXFR, i == 0 ? "" : "@7\n");
		message_begin(&w, out, sizeof(out), 0, 0);
		memcpy(out, m.message[0].octets, m.message[0].len);
		w.len = (uint32_t)m.message[0].len;
		assert_true(message_put_raw(&w, MESSAGE_ADDITIONAL, i == 0 ? badvers : plain, sizeof(plain)));
		struct xfr_messages one = {1, {{out, w.len}}};
		assert_int_equal(xfr_run(&query, &one, &seen, &result, why), i == 0 ? -EACCES : 0);
		assert_int_equal(result.rcode, i == 0 ? RCODE_BADVERS : 0);
		assert_int_equal(result.state, i == 0 ? XFR_IN_REFUSED : XFR_IN_DONE);
		xfr_messages_free(&m);
	}
}

static void
test_class(void **state)
{
	/* header, question, owner pointer, type: then the class of the SOA */
	assert_int_equal(run_patched(RRTYPE_AXFR, "@7\n@7\n", DNS_HEADER_LEN + 13 + 2 + 2 + 1, RRCLASS_CH),
			 -EBADMSG);
	assert_string_equal(why,
			    "transfer of example., message 1, record 1 (example. SOA): its class is 3, not IN");
}

/* -------- limits and failures -------- */

static void
test_limits(void **state)
{
	struct xfr_in_query query = xfr_query(RRTYPE_AXFR, 1);
	query.limits.records = 4;
	assert_int_equal(run_query(&query, "@7\n" ZONE "@7\n"), -E2BIG);
	assert_int_equal(result.state, XFR_IN_TOO_LARGE);
	assert_string_equal(why, "transfer of example., message 1, record 5 (example. SOA): more than 4 records");
	query.limits.records = 5;
	assert_int_equal(run_query(&query, "@7\n" ZONE "@7\n"), 0);
	query.limits.per_type = 2;
	assert_int_equal(run_query(&query, "@7\na A 192.0.2.1\na A 192.0.2.2\nb A 192.0.2.3\n@7\n"), 0);
	assert_int_equal(run_query(&query, "@7\na A 192.0.2.1\n---\na A 192.0.2.2\nA A 192.0.2.3\n@7\n"), -E2BIG);
	assert_string_equal(
		why, "transfer of example., message 2, record 2 (a.example. A): more than 2 records in one set");
	query.limits = (struct config_transfer_limits){.size_bytes = 100};
	assert_int_equal(run_query(&query, "@7\n---\n@7\n"), -E2BIG);
	assert_string_equal(why, "transfer of example., message 2: more than 100 octets");
	query.limits.size_bytes = 1000;
	assert_int_equal(run_query(&query, "@7\n---\n@7\n"), 0);
	assert_int_equal(result.bytes, 2 * (DNS_HEADER_LEN + 13 + 12 + 5 + 4 + 20));
}

/* Whichever callback fails, that is the end, with its error. */
static void
test_callbacks_fail(void **state)
{
	static const char *const scripts[] = {("@7\n" ZONE "@7\n"), "@7\n@1\n@3\n@3\n@7\n@7\n"};
	for (unsigned i = 0; i < 2; i++) {
		struct xfr_in_query query = xfr_query(i == 0 ? RRTYPE_AXFR : RRTYPE_IXFR, 1);
		unsigned n;
		for (n = 1;; n++) {
			seen.fail_at = n;
			int err = run_query(&query, scripts[i]);
			if (err == 0)
				break;
			assert_int_equal(err, -ENOSPC);
			assert_int_equal(result.state, XFR_IN_FAILED);
			assert_int_equal(seen.events, n);
		}
		assert_int_equal(n, (i == 0 ? 5 : 8) + 1);
	}
	seen.fail_at = 0;
}

static void
test_no_memory(void **state)
{
	struct xfr_in_query query = xfr_query(RRTYPE_AXFR, 1);
	struct xfr_in_events events = xfr_log_events(&seen);
	zalloc_fail_at(1);
	assert_null(xfr_in_new(&query, &events));
	zalloc_fail_at(0);
	xfr_in_free(NULL);
}

/* Once over, it stays over, with the same error. */
static void
test_stays_over(void **state)
{
	struct xfr_in_query query = xfr_query(RRTYPE_AXFR, 9);
	struct xfr_in_events events = xfr_log_events(&seen);
	struct diag_list diag = {0};
	struct xfr_messages m;
	struct xfr_in *x = xfr_in_new(&query, &events);
	xfr_messages_make(&m, RRTYPE_AXFR, "@7\n@7\n");
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(xfr_in_message(x, m.message[0].octets, m.message[0].len, &diag), -ESTALE);
		assert_int_equal(xfr_in_result(x).state, XFR_IN_NOT_NEWER);
	}
	assert_int_equal(diag.n, 1);
	diag_clear(&diag);
	xfr_messages_free(&m);
	xfr_in_free(x);
}

/* A TTL that no record may have is none (RFC 2181 section 8). */
static int
check_ttl(void *arg, const struct zone_record *r)
{
	assert_int_equal(r->ttl_s, r->type == RRTYPE_SOA ? 300 : 0);
	(*(unsigned *)arg)++;
	return 0;
}

static int
begin_nothing(void *arg)
{
	return 0;
}

static void
test_ttl(void **state)
{
	struct xfr_in_query query = xfr_query(RRTYPE_AXFR, 1);
	unsigned n = 0;
	struct xfr_in_events events = {.axfr_begin = begin_nothing, .axfr_add = check_ttl, .arg = &n};
	struct xfr_messages m;
	struct diag_list diag = {0};
	struct xfr_in *x = xfr_in_new(&query, &events);
	xfr_messages_make(&m, RRTYPE_AXFR, "@7\nw A 192.0.2.1\n@7\n");
	static const uint8_t ttl[] = {0, 0, 1, 44, 0, 4, 192};
	uint8_t *at = memmem(m.message[0].octets, m.message[0].len, ttl, sizeof(ttl));
	assert_non_null(at);
	at[0] = 0x80;
	assert_int_equal(xfr_in_message(x, m.message[0].octets, m.message[0].len, &diag), 0);
	assert_int_equal(n, 2);
	xfr_messages_free(&m);
	xfr_in_free(x);
}

/* -------- nothing short of the whole -------- */

static const struct {
	uint16_t qtype;
	const char *script;
} wholes[] = {
	{RRTYPE_AXFR, "@7\n" ZONE "---\nmx MX 10 mail\n@ TXT \"one\" \"two\"\n---\n@7\n"},
	{RRTYPE_IXFR, "@7\n@1\nold A 192.0.2.1\n@3\nnew NS ns.new\n---\n@3\n@7\nnew MX 1 a\n@7\n"},
	{RRTYPE_IXFR, "@7\n---\n" ZONE "@7\n"},
};

/* With nothing behind this message, or with this one cut there, it must not come to an end that is taken for good.
 */
static void
test_cut_everywhere(void **state)
{
	for (unsigned i = 0; i < ARRAY_LEN(wholes); i++) {
		struct xfr_in_query query = xfr_query(wholes[i].qtype, 1);
		struct xfr_messages m, part;
		xfr_messages_make(&m, wholes[i].qtype, wholes[i].script);
		assert_int_equal(xfr_run(&query, &m, &seen, &result, why), 0);
		assert_int_equal(result.state, XFR_IN_DONE);
		for (unsigned k = 0; k < m.n; k++) {
			part = m;
			part.n = k;
			assert_int_equal(xfr_run(&query, &part, &seen, &result, why), 0);
			assert_int_equal(result.state, XFR_IN_GOING);
			for (size_t len = 0; len < m.message[k].len; len++) {
				uint8_t *cut = malloc(len > 0 ? len : 1); /* of exact size, for sanitizers */
				assert_non_null(cut);
				memcpy(cut, m.message[k].octets, len);
				part = m;
				part.message[k] = (struct xfr_message){cut, len};
				assert_int_equal(xfr_run(&query, &part, &seen, &result, why), -EBADMSG);
				assert_int_equal(result.state, XFR_IN_BROKEN);
				free(cut);
			}
		}
		xfr_messages_free(&m);
	}
}

/*
 * With one octet changed, no matter which and how. Without TSIG a change inside data is not to be seen; what must
 * hold is that a session which is done still began and ended with its SOA, one after the other, and stayed in the
 * zone.
 */
static void
test_garbled_everywhere(void **state)
{
	for (unsigned i = 0; i < ARRAY_LEN(wholes); i++) {
		struct xfr_in_query query = xfr_query(wholes[i].qtype, 1);
		struct xfr_messages m;
		unsigned done = 0, n = 0;
		xfr_messages_make(&m, wholes[i].qtype, wholes[i].script);
		for (unsigned k = 0; k < m.n; k++) {
			for (size_t at = 0; at < m.message[k].len; at++) {
				for (unsigned flip = 1; flip < 256; flip <<= 1, n++) {
					m.message[k].octets[at] ^= (uint8_t)flip;
					int err = xfr_run(&query, &m, &seen, &result, why);
					assert_true(err != 0 || result.state == XFR_IN_GOING ||
						    result.state == XFR_IN_DONE);
					m.message[k].octets[at] ^= (uint8_t)flip;
					if (result.state != XFR_IN_DONE)
						continue;
					done++;
					assert_int_equal(result.kind, i == 0   ? XFR_AXFR
								      : i == 1 ? XFR_IXFR
									       : XFR_AXFR_STYLE_IXFR);
					assert_non_null(strstr(seen.text, i == 1 ? "-@1\n" : "+@"));
				}
			}
		}
		assert_true(done < n / 2);
		xfr_messages_free(&m);
	}
}

/* -------- the finished zone -------- */

static struct snapshot *
build(const char *script)
{
	static struct xfr_messages m;
	static uint8_t rdata[RDATA_MAX_LEN];
	struct name apex = xfr_name("example.");
	struct zone_builder *b = zone_builder_new(&apex);
	struct message_reader reader;
	struct message_record r;
	struct diag_list diag = {0};
	struct snapshot *s = NULL;
	xfr_messages_make(&m, RRTYPE_AXFR, script);
	assert_int_equal(message_open(&reader, m.message[0].octets, m.message[0].len), MESSAGE_OK);
	while (message_next(&reader, rdata, &r) == MESSAGE_OK) {
		struct name owner;
		name_copy(&owner, r.owner);
		assert_int_equal(zone_builder_add(b, &owner, r.type, r.ttl_s, r.rdata, r.rdlen, NULL), 0);
	}
	assert_int_equal(zone_builder_finish(b, &diag, &s), 0);
	diag_clear(&diag);
	xfr_messages_free(&m);
	return s;
}

static void
test_zone_limits(void **state)
{
	struct snapshot *s =
		build("@7\n" ZONE "a A 192.0.2.1\na TXT x\na A 192.0.2.2\na AAAA ::1\na A 192.0.2.3\n");
	struct config_transfer_limits limits = {0};
	struct diag_list diag = {0};
	assert_int_equal(xfr_in_check_zone(s, &limits, &diag), 0);
	limits = (struct config_transfer_limits){.per_type = 3, .types_per_name = 3};
	assert_int_equal(xfr_in_check_zone(s, &limits, &diag), 0);
	assert_int_equal(diag.n, 0);
	limits.per_type = 2;
	assert_int_equal(xfr_in_check_zone(s, &limits, &diag), -E2BIG);
	assert_string_equal(diag.items[0].message, "a.example. A: 3 records in one set, more than 2");
	limits = (struct config_transfer_limits){.types_per_name = 2};
	assert_int_equal(xfr_in_check_zone(s, &limits, &diag), -E2BIG);
	assert_string_equal(diag.items[1].message, "a.example.: 3 types at one name, more than 2");
	diag_clear(&diag);
	snapshot_free(s);
}

static void
test_serials(void **state)
{
	assert_true(serial_is_newer(1, 0));
	assert_false(serial_is_newer(0, 1));
	assert_false(serial_is_newer(5, 5));
	assert_true(serial_is_newer(0, UINT32_MAX));
	assert_true(serial_is_newer(0x7fffffff, 0));
	assert_false(serial_is_newer(0x80000000, 0)); /* neither */
	assert_false(serial_is_newer(0, 0x80000000));
	assert_false(serial_is_newer(0x80000001, 0));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_axfr),           cmocka_unit_test(test_ixfr),
		cmocka_unit_test(test_expect),         cmocka_unit_test(test_axfr_style),
		cmocka_unit_test(test_up_to_date),     cmocka_unit_test(test_udp),
		cmocka_unit_test(test_goes_on),        cmocka_unit_test(test_forced),
		cmocka_unit_test(test_broken),         cmocka_unit_test(test_headers),
		cmocka_unit_test(test_rcodes),         cmocka_unit_test(test_edns),
		cmocka_unit_test(test_class),          cmocka_unit_test(test_limits),
		cmocka_unit_test(test_callbacks_fail), cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_stays_over),     cmocka_unit_test(test_ttl),
		cmocka_unit_test(test_cut_everywhere), cmocka_unit_test(test_garbled_everywhere),
		cmocka_unit_test(test_zone_limits),    cmocka_unit_test(test_serials),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
