/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Transfers going out: what a snapshot sends is, received and built, the same zone; messages are packed as
 * promised; IXFR sends what its history says, and no history that does not fit.
 *
 *     test_xfr_out {ORIGIN FILE}...
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "control/transfer/xfr_out.h"
#include "control/transfer/zone_dump.h"
#include "tests/unit/control/xfr_fixture.h"
#include "zones/base/alloc.h"
#include "zones/base/bytes.h"
#include "zones/load/zonefile.h"

static char **zones; /* of the command line */

static struct name
absolute(const char *text)
{
	struct name n;
	assert_int_equal(name_from_text(text, strlen(text), NULL, &n), NAME_OK);
	return n;
}

static struct snapshot *
load(const char *origin, const char *path)
{
	struct name apex = absolute(origin);
	struct diag_list diag = {0};
	struct snapshot *s = NULL;
	if (zonefile_load(path, &apex, &diag, &s) != 0) {
		diag_print(&diag, stderr);
		fail_msg("%s is not a zone", path);
	}
	diag_clear(&diag);
	return s;
}

static struct snapshot *
load_text(const char *text)
{
	struct name apex = absolute("example.");
	struct diag_list diag = {0};
	struct snapshot *s = NULL;
	struct zonefile_files *files = NULL;
	struct zone_builder *b = zone_builder_new(&apex);
	assert_int_equal(zonefile_read_text(text, strlen(text), "zone", &apex, b, &diag, &files), 0);
	assert_int_equal(zone_builder_finish(b, &diag, &s), 0);
	zonefile_files_free(files);
	diag_clear(&diag);
	return s;
}

/* The dump as one string, fetched in pieces of that size; the caller frees it. */
static char *
dump(const struct snapshot *s, size_t piece)
{
	struct zone_dump *d = zone_dump_new(s);
	size_t len = 0, cap = 1 << 20, n;
	char *text = malloc(cap + 1);
	assert_true(d != NULL && text != NULL);
	while ((n = zone_dump_next(d, text + len, piece)) > 0) {
		len += n;
		assert_true(len + piece <= cap);
	}
	assert_int_equal(zone_dump_next(d, text + len, piece), 0);
	text[len] = '\0';
	zone_dump_free(d);
	return text;
}

/* -------- there and back -------- */

static int
build_begin(void *arg)
{
	return 0;
}

static int
build_add(void *arg, const struct zone_record *r)
{
	struct name owner;
	name_copy(&owner, r->owner);
	return zone_builder_add(arg, &owner, r->type, r->ttl_s, r->rdata, r->rdlen, NULL);
}

static struct xfr_out_query
out_query(const struct snapshot *s, enum xfr_kind kind)
{
	return (struct xfr_out_query){
		.snapshot = s,
		.kind = kind,
		.id = XFR_ID,
		.question = {node_name(s->apex), kind == XFR_AXFR ? RRTYPE_AXFR : RRTYPE_IXFR, RRCLASS_IN},
	};
}

/* Sends the zone in messages of about `target` octets, receives and builds it. */
static struct snapshot *
there_and_back(const struct snapshot *s, uint32_t target, enum xfr_kind kind)
{
	static uint8_t buf[MESSAGE_MAX_LEN];
	struct xfr_out_query out = out_query(s, kind);
	struct xfr_in_query in = {.id = XFR_ID, .qtype = out.question.type, .serial = s->serial - 1};
	struct diag_list diag = {0};
	struct snapshot *back = NULL;
	name_copy(&in.apex, node_name(s->apex));
	struct zone_builder *b = zone_builder_new(&in.apex);
	struct xfr_in_events events = {.axfr_begin = build_begin, .axfr_add = build_add, .arg = b};
	struct xfr_in *receiver = xfr_in_new(&in, &events);
	out.target_len = target;
	struct xfr_out *sender = xfr_out_new(&out);
	assert_true(b != NULL && receiver != NULL && sender != NULL);
	int len;
	while ((len = xfr_out_next(sender, buf, sizeof(buf))) > 0) {
		uint8_t *exact = malloc((size_t)len); /* of exact size, for sanitizers */
		memcpy(exact, buf, (size_t)len);
		assert_int_equal(xfr_in_result(receiver).state, XFR_IN_GOING);
		assert_int_equal(xfr_in_message(receiver, exact, (size_t)len, &diag), 0);
		free(exact);
	}
	assert_int_equal(len, 0);
	assert_true(xfr_out_is_done(sender));
	assert_int_equal(xfr_in_result(receiver).state, XFR_IN_DONE);
	assert_int_equal(xfr_in_result(receiver).kind, kind);
	assert_int_equal(xfr_in_result(receiver).serial, s->serial);
	assert_int_equal(xfr_in_result(receiver).records, s->records + 1);
	assert_int_equal(xfr_out_progress(sender).records, s->records + 1);
	assert_int_equal(xfr_out_progress(sender).bytes, xfr_in_result(receiver).bytes);
	xfr_out_free(sender);
	xfr_in_free(receiver);
	assert_int_equal(zone_builder_finish(b, &diag, &back), 0);
	diag_clear(&diag);
	return back;
}

static void
test_round_trip(void **state)
{
	static const uint32_t targets[] = {1, 300, 1232, 0, MESSAGE_MAX_LEN};
	for (char **z = zones; z[0] != NULL; z += 2) {
		struct snapshot *s = load(z[0], z[1]);
		char *before = dump(s, 4096);
		for (unsigned i = 0; i < ARRAY_LEN(targets); i++) {
			struct snapshot *back =
				there_and_back(s, targets[i], i % 2 == 0 ? XFR_AXFR : XFR_AXFR_STYLE_IXFR);
			char *after = dump(back, 100);
			assert_string_equal(after, before);
			assert_int_equal(back->records, s->records);
			assert_int_equal(back->names.count, s->names.count);
			free(after);
			snapshot_free(back);
		}
		free(before);
		snapshot_free(s);
	}
	assert_int_equal(zalloc_bytes(), 0);
}

/* -------- messages -------- */

/* Many names, so that there are many messages. */
static struct snapshot *
large_zone(void)
{
	char *text = malloc(1 << 20);
	assert_non_null(text);
	int len = sprintf(text, "@ 60 SOA ns h 7 2 3 4 5\n@ 60 NS ns\nns 60 A 192.0.2.1\n");
	for (unsigned i = 0; i < 4000; i++)
		len += sprintf(text + len, "d%u 60 NS ns1.d%u\nd%u 60 NS ns2.d%u\n", i, i, i, i);
	struct snapshot *s = load_text(text);
	free(text);
	return s;
}

static void
test_packing(void **state)
{
	enum { ROOM = 200, TARGET = 5000 };
	static const uint8_t opt[] = {0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0};
	static uint8_t buf[MESSAGE_MAX_LEN];
	struct snapshot *s = large_zone();
	struct xfr_out_query query = out_query(s, XFR_AXFR);
	struct name asked = absolute("EXAMPLE.");
	uint8_t opt_copy[sizeof(opt)];
	query.question.name = asked.bytes;
	query.wants_recursion = true;
	query.opt = memcpy(opt_copy, opt, sizeof(opt));
	query.opt_len = sizeof(opt);
	query.tsig_room = ROOM;
	query.target_len = TARGET;
	struct xfr_out *x = xfr_out_new(&query);
	memset(opt_copy, 0xff, sizeof(opt_copy)); /* the session has copies of both */
	memset(&asked, 0xff, sizeof(asked));
	unsigned n = 0;
	for (int len; (len = xfr_out_next(x, buf, sizeof(buf))) > 0; n++) {
		struct message_reader reader;
		assert_in_range(len, xfr_out_is_done(x) ? 1 : TARGET - ROOM - 60, TARGET - ROOM);
		assert_int_equal(message_open(&reader, buf, (size_t)len), MESSAGE_OK);
		assert_int_equal(reader.id, XFR_ID);
		assert_int_equal(reader.flags, FLAG_QR | FLAG_AA | FLAG_RD);
		assert_int_equal(reader.count[MESSAGE_QUESTION], n == 0);
		assert_int_equal(reader.count[MESSAGE_AUTHORITY], 0);
		assert_int_equal(reader.count[MESSAGE_ADDITIONAL], n == 0);
		if (n != 0)
			continue;
		struct message_question q;
		assert_int_equal(message_next_question(&reader, &q), MESSAGE_OK);
		assert_memory_equal(q.name, "\7EXAMPLE", 9);
		assert_memory_equal(buf + len - sizeof(opt), opt, sizeof(opt));
	}
	assert_true(n > 20);
	assert_int_equal(xfr_out_progress(x).messages, n);
	assert_true(xfr_out_is_done(x));
	assert_int_equal(xfr_out_next(x, buf, sizeof(buf)), 0);
	xfr_out_free(x);
	snapshot_free(s);
}

/*
 * Nearly every name that came before in its message is a pointer, although the zone comes in the order of its
 * hashes: what each delegation of the large zone takes is known, and a few octets in a hundred are all that may be
 * wasted.
 */
static void
test_compression(void **state)
{
	static uint8_t buf[MESSAGE_MAX_LEN];
	struct snapshot *s = large_zone();
	struct xfr_out_query query = out_query(s, XFR_AXFR);
	struct xfr_out *x = xfr_out_new(&query);
	unsigned least = 0;
	char label[16];
	for (unsigned i = 0; i < 4000; i++) {
		unsigned label_len = 1 + (unsigned)snprintf(label, sizeof(label), "d%u", i);
		least += label_len + 2 + 10 + 4 + 2; /* owner below the apex, ns1 below the owner */
		least += 2 + 10 + 4 + 2;             /* the same owner */
	}
	while (xfr_out_next(x, buf, sizeof(buf)) > 0)
		;
	assert_in_range(xfr_out_progress(x).bytes, least, least + least / 50);
	xfr_out_free(x);
	snapshot_free(s);
}

/* A record larger than the target has its message to itself; one larger than the buffer ends the session. */
static void
test_large_record(void **state)
{
	static uint8_t buf[MESSAGE_MAX_LEN];
	char *text = malloc(400000);
	int len = sprintf(text, "@ 60 SOA ns h 7 2 3 4 5\n@ 60 NS ns.test.\nbig 60 TXT");
	for (unsigned i = 0; i < 120; i++)
		len += sprintf(text + len, " \"%0250u\"", i);
	sprintf(text + len, "\nsmall 60 A 192.0.2.1\n");
	struct snapshot *s = load_text(text), *back = there_and_back(s, 1000, XFR_AXFR);
	char *before = dump(s, 5000), *after = dump(back, 60000);
	assert_string_equal(before, after);
	struct xfr_out_query query = out_query(s, XFR_AXFR);
	struct xfr_out *x = xfr_out_new(&query);
	int n;
	while ((n = xfr_out_next(x, buf, 1000)) > 0)
		assert_in_range(n, 1, 1000);
	assert_int_equal(n, -EMSGSIZE);
	assert_int_equal(xfr_out_next(x, buf, sizeof(buf)), -EMSGSIZE); /* and stays so */
	assert_false(xfr_out_is_done(x));
	xfr_out_free(x);
	/* no room for the question, for what has to stay free, for OPT */
	static const uint8_t opt[20] = {0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 9};
	query.opt = opt;
	query.opt_len = sizeof(opt);
	for (unsigned cap = 0; cap < 12 + 13 + 12 + 31 + 20; cap++) {
		x = xfr_out_new(&query);
		uint8_t *exact = malloc(cap > 0 ? cap : 1);
		int err = xfr_out_next(x, exact, cap);
		assert_true(err == -EMSGSIZE || (err > 0 && err <= (int)cap && cap >= 12 + 13 + 12 + 20));
		free(exact);
		xfr_out_free(x);
	}
	free(before);
	free(after);
	free(text);
	snapshot_free(s);
	snapshot_free(back);
}

static void
test_up_to_date(void **state)
{
	static uint8_t buf[MESSAGE_MAX_LEN];
	struct snapshot *s = large_zone();
	struct xfr_out_query query = out_query(s, XFR_UP_TO_DATE);
	struct xfr_in_query in = xfr_query(RRTYPE_IXFR, 7);
	static struct xfr_log log_text;
	struct xfr_in_result result;
	char why[1024];
	struct xfr_out *x = xfr_out_new(&query);
	int len = xfr_out_next(x, buf, sizeof(buf));
	assert_true(len > 0 && xfr_out_is_done(x));
	struct xfr_messages m = {1, {{buf, (size_t)len}}};
	assert_int_equal(xfr_run(&in, &m, &log_text, &result, why), 0);
	assert_int_equal(result.state, XFR_IN_DONE);
	assert_int_equal(result.kind, XFR_UP_TO_DATE);
	assert_int_equal(xfr_out_next(x, buf, sizeof(buf)), 0);
	xfr_out_free(x);
	/* over UDP, what does not fit is seen after the first message */
	query = out_query(s, XFR_AXFR_STYLE_IXFR);
	query.target_len = 1232;
	x = xfr_out_new(&query);
	assert_in_range(xfr_out_next(x, buf, 1232), 1, 1232);
	assert_false(xfr_out_is_done(x));
	xfr_out_free(x);
	snapshot_free(s);
}

/* -------- differences -------- */

/* A history from text: "-@1", "+www A 192.0.2.1" ... */
struct script {
	const char *at;
	int rc; /* behind the last line */
	uint8_t owner[NAME_MAX_LEN], rdata[RDATA_MAX_LEN];
};

static int
script_next(void *arg, enum xfr_action *action, struct zone_record *out)
{
	struct script *script = arg;
	char owner_text[256] = "@", type[32] = "SOA", data[256];
	struct name apex = absolute("example.");
	struct rdata_error err;
	struct lexer lex;
	if (*script->at == '\0')
		return script->rc;
	size_t len = strcspn(script->at, "\n");
	*action = *script->at == '-' ? XFR_REMOVE : XFR_ADD;
	if (script->at[1] == '@' && script->at[2] != ' ')
		snprintf(data, sizeof(data), "ns h %.*s 2 3 4 5", (int)len - 2, script->at + 2);
	else
		assert_int_equal(sscanf(script->at + 1, "%255s %31s %255[^\n]", owner_text, type, data), 3);
	script->at += len + (script->at[len] == '\n');
	struct name owner = xfr_name(owner_text);
	memcpy(script->owner, owner.bytes, owner.len);
	*out = (struct zone_record){.owner = script->owner, .rdata = script->rdata, .ttl_s = 300};
	assert_int_equal(rrtype_from_text(type, strlen(type), &out->type), 0);
	lexer_init(&lex, data, strlen(data));
	int rdlen = rdata_from_text(&lex, out->type, &apex, script->rdata, &err);
	assert_true(rdlen >= 0);
	out->rdlen = (uint16_t)rdlen;
	return 1;
}

#define ZONE_7 "@ 300 SOA ns h 7 2 3 4 5\n@ 60 NS ns.test.\n"

/* Sends the history in messages of about that size; the last return of xfr_out_next(). What came goes to *m. */
static int
send_history(const char *text, int rc, uint32_t target, struct xfr_messages *m)
{
	static uint8_t buf[MESSAGE_MAX_LEN];
	struct snapshot *s = load_text(ZONE_7);
	struct script *script = malloc(sizeof(*script));
	assert_non_null(script);
	script->at = text;
	script->rc = rc;
	struct xfr_out_query query = out_query(s, XFR_IXFR);
	query.serial = 1;
	query.history = (struct xfr_history){script_next, script};
	query.target_len = target;
	struct xfr_out *x = xfr_out_new(&query);
	int len;
	for (m->n = 0; (len = xfr_out_next(x, buf, sizeof(buf))) > 0; m->n++) {
		assert_true(m->n < XFR_MESSAGES_MAX);
		m->message[m->n] = (struct xfr_message){malloc((size_t)len), (size_t)len};
		memcpy(m->message[m->n].octets, buf, (size_t)len);
	}
	assert_int_equal(xfr_out_next(x, buf, sizeof(buf)), len);
	assert_int_equal(xfr_out_is_done(x), len == 0);
	xfr_out_free(x);
	snapshot_free(s);
	free(script);
	return len;
}

static void
test_ixfr(void **state)
{
	static const struct {
		const char *history, *received;
	} cases[] = {
		{"-@1\n+@7\n", "from 1\n-@1\n+@7\n1 to 7\n"},
		{"-@1\n-a A 192.0.2.1\n-b A 192.0.2.1\n+@7\n+c NS d\n",
		 "from 1\n-@1\n-a A 192.0.2.1\n-b A 192.0.2.1\n+@7\n+c NS d.example.\n1 to 7\n"},
		{"-@1\n+@3\n+a A 192.0.2.1\n-@3\n-a A 192.0.2.1\n+@5\n-@5\n+@7\n",
		 "from 1\n-@1\n+@3\n+a A 192.0.2.1\n1 to 3\nfrom 3\n-@3\n-a A 192.0.2.1\n+@5\n3 to 5\n"
		 "from 5\n-@5\n+@7\n5 to 7\n"},
	};
	static struct xfr_log log_text;
	static const uint32_t targets[] = {1, 100, 0};
	for (unsigned i = 0; i < ARRAY_LEN(cases) * ARRAY_LEN(targets); i++) {
		struct xfr_in_query in = xfr_query(RRTYPE_IXFR, 1);
		struct xfr_in_result result;
		struct xfr_messages m;
		char why[1024];
		uint32_t target = targets[i % ARRAY_LEN(targets)];
		assert_int_equal(send_history(cases[i / ARRAY_LEN(targets)].history, 0, target, &m), 0);
		assert_int_equal(xfr_run(&in, &m, &log_text, &result, why), 0);
		assert_string_equal(why, "");
		assert_int_equal(result.state, XFR_IN_DONE);
		assert_int_equal(result.kind, XFR_IXFR);
		assert_string_equal(log_text.text, cases[i / ARRAY_LEN(targets)].received);
		assert_true(target != 1 || m.n == result.records);
		xfr_messages_free(&m);
	}
}

static void
test_bad_history(void **state)
{
	static const char *const histories[] = {
		"",
		"-@2\n+@7\n",                      /* begins elsewhere */
		"-a A 192.0.2.1\n-@1\n+@7\n",      /* not with the SOA */
		"+@7\n",                           /* nothing removed */
		"-@1\n",                           /* breaks off */
		"-@1\n+@6\n",                      /* does not reach the snapshot */
		"-@1\n+@3\n-@4\n+@7\n",            /* a gap */
		"-@1\n+a A 192.0.2.1\n+@7\n",      /* adds before the SOA */
		"-@1\n+@3\n-a A 192.0.2.1\n+@7\n", /* removes before the SOA */
		"-@1\n-@1\n+@7\n",                 /* an SOA in the middle */
		"-@1\n+@7\n+@7\n",
	};
	struct xfr_messages m;
	for (unsigned i = 0; i < ARRAY_LEN(histories); i++) {
		assert_int_equal(send_history(histories[i], 0, 0, &m), -EBADMSG);
		xfr_messages_free(&m);
	}
	assert_int_equal(send_history("-@1\n+@7\n", -EIO, 1, &m), -EIO);
	assert_int_equal(m.n, 3); /* all that came before, never the closing SOA */
	xfr_messages_free(&m);
}

static void
test_no_memory(void **state)
{
	struct snapshot *s = load_text(ZONE_7);
	struct xfr_out_query query = out_query(s, XFR_AXFR);
	size_t bytes = zalloc_bytes();
	zalloc_fail_at(1);
	assert_null(xfr_out_new(&query));
	for (unsigned n = 1; n <= 2; n++) {
		zalloc_fail_at(n);
		assert_null(zone_dump_new(s));
	}
	zalloc_fail_at(0);
	assert_int_equal(zalloc_bytes(), bytes);
	xfr_out_free(NULL);
	zone_dump_free(NULL);
	snapshot_free(s);
}

/* -------- text -------- */

static void
test_dump_text(void **state)
{
	struct snapshot *s =
		load_text("$TTL 60\n@ SOA ns h 7 2 3 4 5\n@ NS ns.test.\n@ A 192.0.2.9\nb TXT \"x y\" z\n"
			  "Z.a 5 MX 10 Mail\n*.a A 192.0.2.1\n\\200.a A 192.0.2.1\nyljkjljk.a A 192.0.2.1\n"
			  "b A 192.0.2.2\nb A 192.0.2.1\n");
	char *text = dump(s, 1);
	assert_string_equal(text, "example.\t60\tIN\tSOA\tns.example. h.example. 7 2 3 4 5\n"
				  "example.\t60\tIN\tA\t192.0.2.9\n"
				  "example.\t60\tIN\tNS\tns.test.\n"
				  "*.a.example.\t60\tIN\tA\t192.0.2.1\n"
				  "yljkjljk.a.example.\t60\tIN\tA\t192.0.2.1\n"
				  "z.a.example.\t5\tIN\tMX\t10 Mail.example.\n"
				  "\\200.a.example.\t60\tIN\tA\t192.0.2.1\n"
				  "b.example.\t60\tIN\tA\t192.0.2.1\n"
				  "b.example.\t60\tIN\tA\t192.0.2.2\n"
				  "b.example.\t60\tIN\tTXT\t\"x y\" \"z\"\n");
	free(text);
	snapshot_free(s);
}

/* A dump is a zone file of the same zone, in whatever pieces it came. */
static void
test_dump_reads_back(void **state)
{
	for (char **z = zones; z[0] != NULL; z += 2) {
		struct name apex = absolute(z[0]);
		struct snapshot *s = load(z[0], z[1]), *again = NULL;
		char *text = dump(s, 100000), *text_again, *pieces = dump(s, 7);
		struct diag_list diag = {0};
		struct zonefile_files *files = NULL;
		struct zone_builder *b = zone_builder_new(&apex);
		assert_string_equal(text, pieces);
		assert_int_equal(zonefile_read_text(text, strlen(text), "dump", &apex, b, &diag, &files), 0);
		assert_int_equal(zone_builder_finish(b, &diag, &again), 0);
		text_again = dump(again, 4096);
		assert_string_equal(text, text_again);
		assert_int_equal(again->records, s->records);
		free(text);
		free(text_again);
		free(pieces);
		zonefile_files_free(files);
		diag_clear(&diag);
		snapshot_free(s);
		snapshot_free(again);
	}
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),  cmocka_unit_test(test_packing),
		cmocka_unit_test(test_compression), cmocka_unit_test(test_large_record),
		cmocka_unit_test(test_up_to_date),  cmocka_unit_test(test_ixfr),
		cmocka_unit_test(test_bad_history), cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_dump_text),   cmocka_unit_test(test_dump_reads_back),
	};
	zones = argv + 1;
	return argc > 2 ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
