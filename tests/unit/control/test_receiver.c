/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One transfer's work on records: what comes of whole answers, what of those that do not fit, are refused, too
 * large, cut off or forged, and that nothing is left of them.
 */
#include <errno.h>

#include "control/transfer/draft.h"
#include "control/transfer/receiver.h"
#include "control/transfer/xfr_out.h"
#include "control/transfer/zone_dump.h"
#include "tests/unit/control/state_fixture.h"
#include "tests/unit/control/tsig_fixture.h"
#include "tests/unit/control/xfr_fixture.h"
#include "zones/base/alloc.h"
#include "zones/load/zonefile.h"
#include "zones/store/builder.h"
#include "zones/store/change.h"

/* The zone of most tests, as the fixture's scripts have it, and as a zone file. */
#define REST "@ NS ns\nns A 192.0.2.1\nwww A 192.0.2.2\n"
#define FILE_REST "@ 300 NS ns\nns 300 A 192.0.2.1\nwww 300 A 192.0.2.2\n"

static struct served *base; /* serial 1 */
static size_t bytes_before; /* of zone data, with the base */
static struct tsig_keys *keys;
static const struct tsig_key *key;
static struct tsig_mac request_mac;
static struct transfer_result result;

static struct snapshot *
load_text(const char *text)
{
	struct name apex = xfr_name("example.");
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

/* The zone as text; the caller frees it. */
static char *
dump(const struct snapshot *s)
{
	struct zone_dump *d = zone_dump_new(s);
	size_t len = 0, cap = 1 << 17, n;
	char *text = malloc(cap + 1);
	assert_true(d && text);
	while ((n = zone_dump_next(d, text + len, cap - len)) > 0)
		len += n;
	text[len] = '\0';
	zone_dump_free(d);
	return text;
}

/* Equal to the zone of a text; prints both where it is not. */
static void
assert_zone(const struct snapshot *s, const char *text)
{
	struct snapshot *expected = load_text(text);
	char *is = dump(s), *should = dump(expected);
	assert_string_equal(is, should);
	free(is);
	free(should);
	snapshot_free(expected);
}

static struct receiver_query
query_for(uint16_t qtype, bool has_base)
{
	return (struct receiver_query){
		.apex = xfr_name("example."), .id = XFR_ID, .qtype = qtype, .base = has_base ? base : NULL};
}

/* Gives messages to a receiver until it has enough; the result is in `result`. */
static enum transfer_end
run_messages(const struct receiver_query *query, const struct xfr_messages *m)
{
	struct receiver *r = receiver_new(query);
	assert_non_null(r);
	for (unsigned i = 0; i < m->n; i++) {
		if (receiver_take(r, m->message[i].octets, m->message[i].len, NOW))
			break;
	}
	result = (struct transfer_result){0};
	receiver_finish(r, &result);
	receiver_free(r);
	assert_true((result.end == TRANSFER_NEW_VERSION) == (result.next != NULL));
	assert_true(result.next || !result.changes);
	return result.end;
}

static enum transfer_end
run_query(const struct receiver_query *query, const char *script)
{
	struct xfr_messages m;
	xfr_messages_make(&m, query->qtype, script);
	enum transfer_end end = run_messages(query, &m);
	xfr_messages_free(&m);
	return end;
}

static enum transfer_end
run(uint16_t qtype, bool has_base, const char *script)
{
	struct receiver_query query = query_for(qtype, has_base);
	return run_query(&query, script);
}

/* Nothing is left of the result but what there was before. */
static void
drop_result(void)
{
	served_free(result.next);
	state_changes_free(result.changes);
	result = (struct transfer_result){0};
	assert_int_equal(zalloc_bytes(), bytes_before);
}

static int
set_up(void **state)
{
	base = served_new(load_text("@ 300 SOA ns h 1 2 3 4 5\n" FILE_REST), 1000);
	bytes_before = zalloc_bytes();
	struct message m = query_of(XFR_ID);
	keys = keys_of_all(TSIG_TRUNCATION_ALLOWED);
	key = key_in(keys, CONFIG_HMAC_SHA256);
	request_mac = sign_request(key, &m, NOW);
	return 0;
}

static int
tear_down(void **state)
{
	tsig_keys_free(keys);
	served_free(base);
	assert_int_equal(zalloc_bytes(), 0);
	return 0;
}

/* -------- what a good answer brings -------- */

static void
test_whole(void **state)
{
	assert_int_equal(run(RRTYPE_AXFR, false, "@7\n" REST "---\n@7\n"), TRANSFER_NEW_VERSION);
	assert_int_equal(result.kind, XFR_AXFR);
	assert_true(result.has_serial && result.serial == 7);
	assert_int_equal(result.records, 5);
	assert_null(result.changes);
	assert_string_equal(result.why, "");
	assert_in_range(result.verified_ns, 1, publish_now_ns());
	assert_zone(result.next->snapshot, "@ 300 SOA ns h 7 2 3 4 5\n" FILE_REST);
	assert_true(result.next->retired.bytes >= snapshot_bytes(result.next->snapshot));
	drop_result();
}

static void
test_whole_over_base(void **state)
{
	static const uint16_t qtypes[] = {RRTYPE_AXFR, RRTYPE_IXFR};
	for (unsigned i = 0; i < ARRAY_LEN(qtypes); i++) {
		assert_int_equal(run(qtypes[i], true, "@7\n" REST "new A 192.0.2.9\n@7\n"), TRANSFER_NEW_VERSION);
		assert_int_equal(result.kind, i == 0 ? XFR_AXFR : XFR_AXFR_STYLE_IXFR);
		assert_zone(result.next->snapshot, "@ 300 SOA ns h 7 2 3 4 5\n" FILE_REST "new 300 A 192.0.2.9\n");
		assert_non_null(result.next->made_from);
		assert_non_null(result.changes);
		drop_result();
	}
	/* its own serial again, because somebody wants that: no difference leads there */
	struct receiver_query query = query_for(RRTYPE_AXFR, true);
	query.is_forced = true;
	assert_int_equal(run_query(&query, "@1\n" REST "new A 192.0.2.9\n@1\n"), TRANSFER_NEW_VERSION);
	assert_null(result.changes);
	drop_result();
}

/* Where nearly all is new, the zone is stored as a whole. */
static void
test_whole_is_other(void **state)
{
	char script[64 * 100] = "@7\n" REST;
	for (unsigned i = 0; i < 150; i++)
		sprintf(script + strlen(script), "h%u A 192.0.2.%u\n", i, i);
	strcat(script, "@7\n");
	assert_int_equal(run(RRTYPE_AXFR, true, script), TRANSFER_NEW_VERSION);
	assert_null(result.changes);
	drop_result();
}

#define DIFFERENCES                                                                                                \
	"@3\n@1\nwww A 192.0.2.2\n@2\nnew A 192.0.2.9\n---\n@2\nnew A 192.0.2.9\n@3\nnew A 192.0.2.10\n@3\n"
#define DIFFERENCES_FILE "@ 300 SOA ns h 3 2 3 4 5\n@ 300 NS ns\nns 300 A 192.0.2.1\nnew 300 A 192.0.2.10\n"

static void
test_differences(void **state)
{
	assert_int_equal(run(RRTYPE_IXFR, true, DIFFERENCES), TRANSFER_NEW_VERSION);
	assert_int_equal(result.kind, XFR_IXFR);
	assert_int_equal(result.serial, 3);
	assert_non_null(result.next->made_from);
	assert_non_null(result.changes);
	assert_zone(result.next->snapshot, DIFFERENCES_FILE);
	drop_result();
	char *before = dump(base->snapshot);
	assert_int_equal(run(RRTYPE_IXFR, true, DIFFERENCES), TRANSFER_NEW_VERSION); /* the base is as it was */
	char *after = dump(base->snapshot);
	assert_string_equal(before, after);
	free(before);
	free(after);
	drop_result();
}

static void
test_chain_longer_than_zone(void **state)
{
	char *script = malloc(DRAFT_DIFFERENCES_MIN * 20), *p = script + sprintf(script, "@1000000\n");
	for (unsigned k = 1; k <= DRAFT_DIFFERENCES_MIN / 4 + 1; k++)
		p += sprintf(p, "@%u\nwww A 192.0.2.%u\n@%u\nwww A 192.0.2.%u\n%s", k, 2 + (k - 1) % 2, k + 1,
			     2 + k % 2, k % 500 == 0 ? "---\n" : "");
	assert_int_equal(run(RRTYPE_IXFR, true, script), TRANSFER_TRY_WHOLE);
	assert_non_null(strstr(result.why, "longer than the zone, which has 4 records"));
	free(script);
	drop_result();
}

static void
test_up_to_date(void **state)
{
	static const uint8_t expire[] = {0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 8, 0, 9, 0, 4, 0, 1, 0, 2};
	static struct message_writer w;
	uint8_t out[512];
	assert_int_equal(run(RRTYPE_IXFR, true, "@1\n"), TRANSFER_UP_TO_DATE);
	assert_true(result.has_serial && result.serial == 1 && !result.has_expire);
	assert_int_equal(run(RRTYPE_IXFR, true, "@0\n"), TRANSFER_UP_TO_DATE);
	assert_int_equal(result.serial, 0);
	assert_int_equal(run(RRTYPE_AXFR, true, "@1\n" REST), TRANSFER_UP_TO_DATE);
	assert_int_equal(result.kind, XFR_UP_TO_DATE);
	/* with the time that the primary has left */
	for (unsigned cut = 0; cut < 2; cut++) {
		struct receiver_query query = query_for(RRTYPE_IXFR, true);
		struct xfr_messages m;
		xfr_messages_make(&m, RRTYPE_IXFR, "@1\n");
		message_begin(&w, out, sizeof(out), 0, 0);
		memcpy(out, m.message[0].octets, m.message[0].len);
		w.len = (uint32_t)m.message[0].len;
		assert_true(message_put_raw(&w, MESSAGE_ADDITIONAL, expire, sizeof(expire)));
		out[w.len - 5] -= (uint8_t)cut; /* an option that is not as long as it should be */
		out[w.len - 9] -= (uint8_t)cut;
		struct xfr_messages one = {1, {{out, w.len - cut}}};
		assert_int_equal(run_messages(&query, &one), TRANSFER_UP_TO_DATE);
		assert_int_equal(result.has_expire, cut == 0);
		if (cut == 0)
			assert_int_equal(result.expire_s, 0x10002);
		xfr_messages_free(&m);
	}
	drop_result();
}

/* -------- what goes to the disk leads to what is served -------- */

struct source {
	struct records_cursor cursor;
	struct name owner;
	uint8_t rdata[RDATA_MAX_LEN];
};

static int
source_next(void *arg, struct state_record *out)
{
	struct source *source = arg;
	struct zone_record r;
	if (!records_cursor_next(&source->cursor, source->rdata, &r))
		return 0;
	name_copy(&source->owner, r.owner);
	*out = (struct state_record){&source->owner, r.type, r.rdlen, r.ttl_s, r.rdata};
	return 1;
}

struct loader {
	struct zone_builder *builder;
	struct snapshot *base;
	struct zone_change *change;
	struct diag_list diag;
	bool soa_is_next; /* of a difference, both halves begin with the SOA (RFC 1995 section 4) */
	bool has_added;
};

static int
load_record(void *arg, const struct state_record *r)
{
	struct loader *l = arg;
	return zone_builder_add(l->builder, r->owner, r->type, r->ttl_s, r->rdata, r->rdlen, NULL);
}

static int
load_difference(void *arg, uint32_t from, uint32_t to)
{
	struct loader *l = arg;
	if (!l->base) {
		assert_int_equal(zone_builder_finish(l->builder, &l->diag, &l->base), 0);
		l->change = zone_change_new(l->base, ZONE_CHANGE_STRICT, &l->diag);
	}
	l->soa_is_next = true;
	l->has_added = false;
	return 0;
}

static int
load_remove(void *arg, const struct state_record *r)
{
	struct loader *l = arg;
	assert_int_equal(r->type == RRTYPE_SOA, l->soa_is_next);
	l->soa_is_next = false;
	return zone_change_remove(l->change, r->owner, r->type, r->rdata, r->rdlen);
}

static int
load_add(void *arg, const struct state_record *r)
{
	struct loader *l = arg;
	assert_int_equal(r->type == RRTYPE_SOA, !l->has_added);
	l->has_added = true;
	return zone_change_add(l->change, r->owner, r->type, r->ttl_s, r->rdata, r->rdlen);
}

/* Stores the base, appends the result's changes, loads, and holds the zone against the result's. */
static void
assert_changes(void)
{
	struct name apex = xfr_name("example.");
	struct source *source = malloc(sizeof(*source));
	struct loader l = {.builder = zone_builder_new(&apex)};
	struct state_source from = {source_next, source};
	struct state_meta meta = {0};
	struct snapshot_remains *remains;
	struct snapshot *loaded;
	fixture_enter();
	struct state *st = open_state();
	records_cursor_begin(&source->cursor, base->snapshot);
	assert_int_equal(state_zone_replace(st, &apex, 1, &meta, &from, done_waiting()), 0);
	assert_int_equal(wait_done(), 0);
	assert_int_equal(state_zone_append(st, &apex, NULL, result.changes, done_waiting()), 0);
	result.changes = NULL;
	assert_int_equal(wait_done(), 0);
	struct state_sink sink = {load_record, load_difference, load_remove, load_add, &l};
	assert_int_equal(state_zone_load(st, &apex, STATE_LATEST, &sink, NULL, NULL), 0);
	assert_int_equal(zone_change_finish(l.change, &loaded, &remains), 0);
	char *is = dump(loaded), *should = dump(result.next->snapshot);
	assert_string_equal(is, should);
	free(is);
	free(should);
	free(source);
	snapshot_discard(loaded, remains);
	snapshot_free(l.base);
	diag_clear(&l.diag);
	state_close(st);
	fixture_leave();
}

static void
test_changes(void **state)
{
	assert_int_equal(run(RRTYPE_IXFR, true, DIFFERENCES), TRANSFER_NEW_VERSION);
	assert_changes();
	drop_result();
	assert_int_equal(run(RRTYPE_AXFR, true, "@7\n@ NS ns\nns A 192.0.2.1\nnew A 192.0.2.9\n@7\n"),
			 TRANSFER_NEW_VERSION);
	assert_changes();
	drop_result();
	assert_int_equal(run(RRTYPE_AXFR, true, "@7\n" REST "@7\n"), TRANSFER_NEW_VERSION); /* but for the SOA */
	assert_changes();
	drop_result();
}

/* -------- what is no good -------- */

static void
test_ends(void **state)
{
	static const struct {
		uint16_t qtype;
		enum transfer_end end;
		const char *script, *why;
	} cases[] = {
		{RRTYPE_IXFR, TRANSFER_TRY_WHOLE, "@2\n@1\nother A 192.0.2.2\n@2\n@2\n", "other.example."},
		{RRTYPE_IXFR, TRANSFER_TRY_WHOLE, "@2\n@1\n@2\nwww A 192.0.2.2\n@2\n", "www.example."},
		{RRTYPE_IXFR, TRANSFER_TRY_WHOLE, "@2\n@1\n@ NS ns\n@2\n@2\n", "NS"},
		{RRTYPE_IXFR, TRANSFER_TRY_WHOLE, "@2\n@1\n@2\nwww CNAME ns\n@2\n", "CNAME"},
		{RRTYPE_IXFR, TRANSFER_TRY_WHOLE, "@3\n@2\n@3\n@3\n", "start with serial 2"},
		{RRTYPE_IXFR, TRANSFER_TRY_WHOLE, "@3\n@1\n@2\n@3\n", "a gap"},
		{RRTYPE_IXFR, TRANSFER_FAILED, "@2\n@1\n@2\n", "cut off behind message 1"},
		{RRTYPE_IXFR, TRANSFER_FAILED, "@2\n", "cut off behind message 1"},
		{RRTYPE_IXFR, TRANSFER_FAILED, "@2\n@ A 192.0.2.1\n@2\n", "NS"}, /* whole, and no zone */
		{RRTYPE_AXFR, TRANSFER_FAILED, "@2\n" REST, "cut off behind message 1"},
		{RRTYPE_AXFR, TRANSFER_FAILED, "@2\n" REST "@3\n", "the closing SOA"},
		{RRTYPE_AXFR, TRANSFER_FAILED, "@2\nwww A 192.0.2.1\n@2\n", "NS"},
	};
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		if (run(cases[i].qtype, true, cases[i].script) != cases[i].end || !strstr(result.why, cases[i].why))
			fail_msg("%s ended %u: %s", cases[i].script, result.end, result.why);
		drop_result();
	}
}

static void
test_rcodes(void **state)
{
	static const struct {
		uint16_t qtype;
		uint8_t rcode;
		enum transfer_end end;
	} cases[] = {
		{RRTYPE_IXFR, RCODE_NOTIMP, TRANSFER_TRY_WHOLE},  {RRTYPE_IXFR, RCODE_FORMERR, TRANSFER_TRY_WHOLE},
		{RRTYPE_IXFR, RCODE_REFUSED, TRANSFER_TRY_WHOLE}, {RRTYPE_IXFR, RCODE_SERVFAIL, TRANSFER_FAILED},
		{RRTYPE_IXFR, RCODE_NOTAUTH, TRANSFER_FAILED},    {RRTYPE_AXFR, RCODE_NOTIMP, TRANSFER_FAILED},
		{RRTYPE_AXFR, RCODE_REFUSED, TRANSFER_FAILED},
	};
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		struct receiver_query query = query_for(cases[i].qtype, true);
		struct xfr_messages m;
		xfr_messages_make(&m, query.qtype, "");
		m.message[0].octets[3] |= cases[i].rcode;
		assert_int_equal(run_messages(&query, &m), cases[i].end);
		assert_non_null(strstr(result.why, "the primary answers"));
		struct receiver *r = receiver_new(&query);
		assert_true(receiver_take(r, m.message[0].octets, m.message[0].len, NOW));
		assert_true(receiver_has_all(r));
		receiver_free(r);
		xfr_messages_free(&m);
	}
	drop_result();
}

static void
test_limits(void **state)
{
	static const char *const whole = "@2\n" REST "www AAAA ::1\nwww TXT x\n@2\n",
				 *scattered = "@2\n@ NS ns\nwww A 192.0.2.1\nns A 192.0.2.1\nwww A 192.0.2.2\n@2\n",
				 *ixfr = "@2\n@1\n@2\nwww AAAA ::1\nns AAAA ::1\nwww TXT x\n@2\n",
				 *ixfr_set = "@2\n@1\n@2\nwww A 192.0.2.77\n@2\n";
	const struct {
		uint16_t qtype;
		struct config_transfer_limits limits;
		const char *script;
		enum transfer_end end;
	} cases[] = {
		{RRTYPE_AXFR, {.types_per_name = 3}, whole, TRANSFER_NEW_VERSION},
		{RRTYPE_AXFR, {.types_per_name = 2}, whole, TRANSFER_FAILED},
		{RRTYPE_AXFR, {.per_type = 2}, scattered, TRANSFER_NEW_VERSION},
		{RRTYPE_AXFR, {.per_type = 1}, scattered, TRANSFER_FAILED},
		{RRTYPE_IXFR, {.types_per_name = 3}, ixfr, TRANSFER_NEW_VERSION},
		{RRTYPE_IXFR, {.types_per_name = 2}, ixfr, TRANSFER_FAILED},
		{RRTYPE_IXFR, {.per_type = 2}, ixfr_set, TRANSFER_NEW_VERSION},
		{RRTYPE_IXFR, {.per_type = 1}, ixfr_set, TRANSFER_FAILED},
		{RRTYPE_IXFR, {.records = 7}, ixfr, TRANSFER_NEW_VERSION},
		{RRTYPE_IXFR, {.records = 6}, ixfr, TRANSFER_FAILED},
		/* five records come, but the zone has six then */
		{RRTYPE_IXFR, {.records = 5}, ixfr_set, TRANSFER_NEW_VERSION},
		{RRTYPE_IXFR,
		 {.records = 6},
		 "@2\n@1\n@2\na A 192.0.2.1\nb A 192.0.2.1\n@2\n",
		 TRANSFER_NEW_VERSION},
		{RRTYPE_IXFR, {.size_bytes = 100}, ixfr, TRANSFER_FAILED},
	};
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		struct receiver_query query = query_for(cases[i].qtype, true);
		query.limits = cases[i].limits;
		if (run_query(&query, cases[i].script) != cases[i].end)
			fail_msg("case %u ended %u: %s", i, result.end, result.why);
		assert_true(cases[i].end == TRANSFER_NEW_VERSION || strstr(result.why, "more than"));
		drop_result();
	}
	/* many small differences may not make a zone that is too large */
	struct receiver_query query = query_for(RRTYPE_IXFR, true);
	query.limits.records = 4;
	assert_int_equal(run_query(&query, "@2\n@1\n@2\n@2\n"), TRANSFER_NEW_VERSION);
	drop_result();
	struct served *small = base;
	base = served_new(
		load_text("@ 300 SOA ns h 1 2 3 4 5\n" FILE_REST "a 300 A 192.0.2.1\nb 300 A 192.0.2.1\n"), 0);
	query.base = base;
	query.limits.records = 5;
	assert_int_equal(run_query(&query, "@2\n@1\n@2\n@2\n"), TRANSFER_FAILED);
	assert_string_equal(result.why, "the zone would have 6 records, more than 5");
	served_free(base);
	base = small;
	drop_result();
}

/* -------- digests -------- */

/* A zone of a file as the messages of an AXFR. */
static void
send_file(const char *name, struct xfr_messages *m, struct name *apex)
{
	static uint8_t buf[MESSAGE_MAX_LEN];
	char path[512];
	struct diag_list diag = {0};
	struct snapshot *s = NULL;
	snprintf(path, sizeof(path), "%s/%s", getenv("ZONES"), name);
	*apex = xfr_name("signed.example.");
	assert_int_equal(zonefile_load(path, apex, &diag, &s), 0);
	diag_clear(&diag);
	struct xfr_out_query query = {.snapshot = s,
				      .kind = XFR_AXFR,
				      .id = XFR_ID,
				      .question = {apex->bytes, RRTYPE_AXFR, RRCLASS_IN},
				      .target_len = 1000};
	struct xfr_out *x = xfr_out_new(&query);
	m->n = 0;
	for (int len; (len = xfr_out_next(x, buf, sizeof(buf))) > 0; m->n++) {
		m->message[m->n] = (struct xfr_message){malloc((size_t)len), (size_t)len};
		memcpy(m->message[m->n].octets, buf, (size_t)len);
	}
	xfr_out_free(x);
	snapshot_free(s);
}

static void
test_zonemd(void **state)
{
	static const char *const files[] = {"signed-nsec.zone", "signed-nsec3.zone"};
	struct receiver_query query = query_for(RRTYPE_AXFR, false);
	query.zonemd = CONFIG_ZONEMD_REQUIRE;
	for (unsigned i = 0; i < ARRAY_LEN(files); i++) {
		struct xfr_messages m;
		send_file(files[i], &m, &query.apex);
		assert_int_equal(run_messages(&query, &m), TRANSFER_NEW_VERSION);
		drop_result();
		xfr_messages_free(&m);
	}
	query = query_for(RRTYPE_AXFR, false);
	query.zonemd = CONFIG_ZONEMD_REQUIRE;
	assert_int_equal(run_query(&query, "@7\n" REST "@7\n"), TRANSFER_FAILED);
	assert_non_null(strstr(result.why, "ZONEMD: "));
#define ZONEMD                                                                                                     \
	"@ ZONEMD 7 1 1 "                                                                                          \
	"94458f7b9a4d49a47fb03e3ab1f4da562afed405896a3cebd4353cee71c67cff211ff65d4b841528ffbc1099af36bc9c\n"
	const char *bad = "@7\n" REST ZONEMD "@7\n";
	assert_int_equal(run_query(&query, bad), TRANSFER_FAILED);
	assert_non_null(strstr(result.why, "ZONEMD: "));
	query.zonemd = CONFIG_ZONEMD_WARN;
	assert_int_equal(run_query(&query, bad), TRANSFER_NEW_VERSION);
	assert_non_null(strstr(result.why, "ZONEMD: "));
	drop_result();
	query.zonemd = CONFIG_ZONEMD_OFF;
	assert_int_equal(run_query(&query, bad), TRANSFER_NEW_VERSION);
	assert_string_equal(result.why, "");
	drop_result();
	/* a difference that brings a wrong one may have been wrong by itself */
	query = query_for(RRTYPE_IXFR, true);
	query.zonemd = CONFIG_ZONEMD_REQUIRE;
	assert_int_equal(run_query(&query, "@7\n@1\n@7\n" ZONEMD "@7\n"), TRANSFER_TRY_WHOLE);
	assert_int_equal(run_query(&query, "@7\n@1\n@7\n@7\n"), TRANSFER_FAILED);
	drop_result();
}

/* -------- signatures -------- */

#define SIGNED_MAX 8

static struct xfr_messages signed_messages;

/* The script's messages, signed but for those whose bit is set. */
static void
sign(uint16_t qtype, const char *script, unsigned unsigned_bits)
{
	static uint8_t buf[MESSAGE_MAX_LEN];
	struct tsig_stream s;
	xfr_messages_make(&signed_messages, qtype, script);
	assert_int_equal(tsig_stream_begin(&s, key, &request_mac), 0);
	for (unsigned i = 0; i < signed_messages.n; i++) {
		struct xfr_message *m = &signed_messages.message[i];
		struct tsig_verdict v;
		if (unsigned_bits >> i & 1) { /* takes it in, as one who verifies does */
			assert_int_equal(tsig_stream_verify(&s, m->octets, m->len, NOW, &v), TSIG_PENDING);
			continue;
		}
		memcpy(buf, m->octets, m->len);
		assert_int_equal(tsig_stream_sign(&s, buf, m->len, sizeof(buf), NOW, &m->len), 0);
		m->octets = realloc(m->octets, m->len);
		memcpy(m->octets, buf, m->len);
	}
	tsig_stream_clear(&s);
}

static struct receiver_query
signed_query(uint16_t qtype)
{
	struct receiver_query query = query_for(qtype, true);
	query.key = key;
	query.request_mac = request_mac;
	return query;
}

#define SIGNED_AXFR "@7\n@ NS ns\n---\nns A 192.0.2.1\nwww A 192.0.2.3\n---\n@7\n"

static void
test_signed(void **state)
{
	struct receiver_query query = signed_query(RRTYPE_AXFR);
	for (unsigned bits = 0; bits < 8; bits++) {
		sign(RRTYPE_AXFR, SIGNED_AXFR, bits == 1 || bits == 3 ? 2 : bits == 4 ? 4 : 0);
		enum transfer_end end = run_messages(&query, &signed_messages);
		assert_int_equal(end, bits == 4 ? TRANSFER_FAILED : TRANSFER_NEW_VERSION);
		assert_true(end == TRANSFER_NEW_VERSION || strstr(result.why, "TSIG: MISSING"));
		drop_result();
		xfr_messages_free(&signed_messages);
	}
	/* an answer that nobody signed, to one who asked with a key; and the other way round */
	assert_int_equal(run_query(&query, SIGNED_AXFR), TRANSFER_FAILED);
	assert_non_null(strstr(result.why, "TSIG: "));
	sign(RRTYPE_AXFR, SIGNED_AXFR, 0);
	struct receiver_query open = query_for(RRTYPE_AXFR, true);
	assert_int_equal(run_messages(&open, &signed_messages), TRANSFER_NEW_VERSION);
	drop_result();
	/* another key, and an answer to another question */
	query.key = key_in(keys, CONFIG_HMAC_SHA512);
	assert_int_equal(run_messages(&query, &signed_messages), TRANSFER_FAILED);
	assert_non_null(strstr(result.why, "TSIG: BADKEY"));
	query = signed_query(RRTYPE_AXFR);
	query.request_mac.octets[0] ^= 1;
	assert_int_equal(run_messages(&query, &signed_messages), TRANSFER_FAILED);
	assert_non_null(strstr(result.why, "TSIG: BADSIG"));
	xfr_messages_free(&signed_messages);
	drop_result();
}

/* A refusal without a signature is no reason to ask otherwise, but people are told of it. */
static void
test_unsigned_refusal(void **state)
{
	struct receiver_query query = signed_query(RRTYPE_IXFR);
	struct xfr_messages m;
	xfr_messages_make(&m, RRTYPE_IXFR, "");
	m.message[0].octets[3] |= RCODE_REFUSED;
	assert_int_equal(run_messages(&query, &m), TRANSFER_FAILED);
	assert_non_null(strstr(result.why, "the message says REFUSED"));
	xfr_messages_free(&m);
}

struct tally {
	unsigned forgeries, same;
};

/* Whatever came of a forged answer: no version, or, where what was changed does not matter, the true one. */
static void
judge_forgery(const struct receiver_query *query, const struct xfr_messages *m, const char *truth, struct tally *t)
{
	enum transfer_end end = run_messages(query, m);
	t->forgeries++;
	if (end == TRANSFER_NEW_VERSION) {
		char *is = dump(result.next->snapshot);
		assert_string_equal(is, truth);
		free(is);
		t->same++;
	} else { /* the header's id is not covered, so a session may see another one */
		assert_true(end == TRANSFER_FAILED || (end == TRANSFER_TRY_WHOLE && query->qtype == RRTYPE_IXFR));
	}
	drop_result();
}

static void
forge(const struct receiver_query *query, const char *truth, struct tally *t)
{
	struct xfr_messages m = signed_messages;
	for (unsigned i = 0; i < m.n; i++) {
		struct xfr_message *message = &m.message[i], whole = *message, other;
		for (size_t at = 0; at < whole.len; at++) { /* one octet is another */
			static const uint8_t masks[] = {0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0xff};
			for (unsigned k = 0; k < ARRAY_LEN(masks); k++) {
				message->octets[at] ^= masks[k];
				judge_forgery(query, &m, truth, t);
				message->octets[at] ^= masks[k];
			}
			message->len = at; /* cut there */
			judge_forgery(query, &m, truth, t);
			message->len = whole.len;
		}
		struct message text = {.len = whole.len};
		memcpy(text.octets, whole.octets, whole.len);
		message->len = places_of(&text).start; /* stripped */
		message->octets[11]--;
		judge_forgery(query, &m, truth, t);
		message->octets[11]++;
		*message = whole;
		for (unsigned k = 0; k < m.n; k++) { /* exchanged, repeated, dropped */
			other = m.message[k];
			*message = other;
			m.message[k] = whole;
			if (k != i)
				judge_forgery(query, &m, truth, t);
			m.message[k] = other;
			if (k != i)
				judge_forgery(query, &m, truth, t);
			*message = whole;
		}
		struct xfr_messages fewer = {.n = m.n - 1};
		memcpy(fewer.message, m.message, i * sizeof(other));
		memcpy(fewer.message + i, m.message + i + 1, (m.n - 1 - i) * sizeof(other));
		judge_forgery(query, &fewer, truth, t);
	}
}

static void
test_forged(void **state)
{
	static const struct {
		uint16_t qtype;
		const char *script;
	} answers[] = {
		{RRTYPE_AXFR, SIGNED_AXFR},
		{RRTYPE_IXFR, DIFFERENCES},
		{RRTYPE_IXFR, "@2\n---\n@1\n---\n@2\n---\nnew A 192.0.2.1\n@2\n"},
	};
	struct tally t = {0};
	for (unsigned i = 0; i < ARRAY_LEN(answers); i++) {
		struct receiver_query query = signed_query(answers[i].qtype);
		sign(query.qtype, answers[i].script, 0);
		assert_int_equal(run_messages(&query, &signed_messages), TRANSFER_NEW_VERSION);
		char *truth = dump(result.next->snapshot);
		drop_result();
		forge(&query, truth, &t);
		free(truth);
		xfr_messages_free(&signed_messages);
	}
	/* what a MAC does not cover: letter case in two names of each TSIG (docs/design/transfers.md) */
	assert_true(t.forgeries > 5000);
	assert_in_range(t.same, 1, t.forgeries / 20);
	print_message("%u forgeries, %u that change nothing, 0 taken\n", t.forgeries, t.same);
}

/* -------- no memory -------- */

static void
test_no_memory(void **state)
{
	static const struct {
		uint16_t qtype;
		bool has_base;
		const char *script;
	} cases[] = {{RRTYPE_AXFR, false, "@7\n" REST "@7\n"},
		     {RRTYPE_AXFR, true, "@7\n" REST "new A 192.0.2.9\n@7\n"},
		     {RRTYPE_IXFR, true, DIFFERENCES}};
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		struct receiver_query query = query_for(cases[i].qtype, cases[i].has_base);
		unsigned n_failed = 0;
		for (unsigned n = 2;; n++) { /* the first one is the session itself */
			struct xfr_messages m;
			xfr_messages_make(&m, query.qtype, cases[i].script);
			zalloc_fail_at(n);
			enum transfer_end end = run_messages(&query, &m);
			zalloc_fail_at(0);
			xfr_messages_free(&m);
			if (end == TRANSFER_NEW_VERSION && (result.changes || i == 0)) {
				drop_result();
				break;
			}
			assert_true(end == TRANSFER_FAILED || (i == 1 && end == TRANSFER_NEW_VERSION));
			n_failed++;
			drop_result();
		}
		assert_true(n_failed > 5);
	}
	struct receiver_query query = query_for(RRTYPE_AXFR, false);
	zalloc_fail_at(1);
	assert_null(receiver_new(&query));
	zalloc_fail_at(0);
	receiver_free(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole),
		cmocka_unit_test(test_whole_over_base),
		cmocka_unit_test(test_whole_is_other),
		cmocka_unit_test(test_differences),
		cmocka_unit_test(test_chain_longer_than_zone),
		cmocka_unit_test(test_up_to_date),
		cmocka_unit_test(test_changes),
		cmocka_unit_test(test_ends),
		cmocka_unit_test(test_rcodes),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_zonemd),
		cmocka_unit_test(test_signed),
		cmocka_unit_test(test_unsigned_refusal),
		cmocka_unit_test(test_forged),
		cmocka_unit_test(test_no_memory),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
