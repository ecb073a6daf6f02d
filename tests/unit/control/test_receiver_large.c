/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Transfers of large zones: a first one is written to the state meanwhile, and what is there is what is served; one
 * that takes more memory than it may is refused, whenever that shows, and nothing is left of it.
 */
#include <errno.h>

#include "control/base/helpers.h"
#include "control/transfer/draft.h"
#include "control/transfer/receiver.h"
#include "control/transfer/xfr_out.h"
#include "tests/unit/control/state_fixture.h"
#include "tests/unit/control/xfr_fixture.h"
#include "zones/base/alloc.h"
#include "zones/base/bytes.h"
#include "zones/store/builder.h"
#include "zones/store/records.h"
#include "zones/wire/message.h"
#include "zones/wire/query.h"
#include "zones/wire/rrtype.h"

#define HOSTS (DRAFT_STAGE_MIN + 1000)
#define NOW 1700000000

static struct snapshot *zone; /* what the primary has */
static bool sends_twice;      /* its second message */
static struct helpers *helpers;
static struct transfer_result result;

static void
add(struct zone_builder *b, const char *owner, uint16_t type, const uint8_t *rdata, uint16_t rdlen)
{
	struct name name = xfr_name(owner);
	assert_int_equal(zone_builder_add(b, &name, type, 300, rdata, rdlen, NULL), 0);
}

static int
set_up(void **state)
{
	static const uint8_t soa[] = "\2ns\0\1h\0\0\0\0\2\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\1"; /* and an octet */
	static const uint8_t ns[] = "\2ns\4test";
	struct name apex = xfr_name("example.");
	struct diag_list diag = {0};
	struct zone_builder *b = zone_builder_new(&apex);
	add(b, "example.", RRTYPE_SOA, soa, sizeof(soa) - 1);
	add(b, "example.", RRTYPE_NS, ns, sizeof(ns));
	for (unsigned i = 0; i < HOSTS; i++) {
		char owner[32];
		uint8_t address[4];
		snprintf(owner, sizeof(owner), "h%u.example.", i);
		store_be32(address, i);
		add(b, owner, RRTYPE_A, address, sizeof(address));
	}
	assert_int_equal(zone_builder_finish(b, &diag, &zone), 0);
	diag_clear(&diag);
	return helpers_start(2, &helpers);
}

static int
tear_down(void **state)
{
	helpers_stop(helpers);
	snapshot_free(zone);
	assert_int_equal(zalloc_bytes(), 0);
	return 0;
}

static struct receiver_query
query_of(uint64_t size_bytes)
{
	return (struct receiver_query){.apex = xfr_name("example."),
				       .id = XFR_ID,
				       .qtype = RRTYPE_AXFR,
				       .limits.size_bytes = size_bytes,
				       .crew = helpers_crew(helpers)};
}

/* The whole answer of the primary into a receiver; the result is in `result`. */
static enum transfer_end
run(const struct receiver_query *query)
{
	static uint8_t message[MESSAGE_MAX_LEN];
	const struct xfr_out_query out = {.snapshot = zone,
					  .kind = XFR_AXFR,
					  .id = XFR_ID,
					  .question = {query->apex.bytes, RRTYPE_AXFR, RRCLASS_IN}};
	struct xfr_out *x = xfr_out_new(&out);
	struct receiver *r = receiver_new(query);
	assert_true(x && r);
	for (int len; (len = xfr_out_next(x, message, sizeof(message))) > 0;) {
		if (receiver_take(r, message, (size_t)len, NOW))
			break;
		if (sends_twice && xfr_out_progress(x).messages == 2 && receiver_take(r, message, (size_t)len, NOW))
			break;
	}
	result = (struct transfer_result){0};
	receiver_finish(r, &result);
	receiver_free(r);
	xfr_out_free(x);
	return result.end;
}

/* -------- stored meanwhile -------- */

struct loaded {
	struct zone_builder *builder;
	uint64_t n;
};

static int
load_record(void *arg, const struct state_record *r)
{
	struct loaded *l = arg;
	l->n++;
	return zone_builder_add(l->builder, r->owner, r->type, r->ttl_s, r->rdata, r->rdlen, NULL);
}

static void
assert_same_zone(const struct snapshot *a, const struct snapshot *b)
{
	static uint8_t x_rdata[RDATA_MAX_LEN], y_rdata[RDATA_MAX_LEN];
	struct records_cursor x_cursor, y_cursor;
	struct zone_record x, y;
	records_cursor_begin(&x_cursor, a);
	records_cursor_begin(&y_cursor, b);
	while (records_cursor_next(&x_cursor, x_rdata, &x)) {
		assert_true(records_cursor_next(&y_cursor, y_rdata, &y));
		assert_true(name_equal(x.owner, y.owner) && x.type == y.type && x.ttl_s == y.ttl_s);
		assert_int_equal(x.rdlen, y.rdlen);
		assert_memory_equal(x.rdata, y.rdata, x.rdlen);
	}
	assert_false(records_cursor_next(&y_cursor, y_rdata, &y));
}

static void
test_a_first_zone_is_stored_meanwhile(void **state)
{
	fixture_enter();
	struct state *st = open_state();
	struct receiver_query query = query_of(0);
	struct state_zone found;
	const struct state_meta meta = {0};
	struct diag_list diag = {0};
	query.state = st;
	assert_int_equal(run(&query), TRANSFER_NEW_VERSION);
	assert_same_zone(zone, result.next->snapshot);
	assert_non_null(result.stage);
	assert_int_equal(state_zone_get(st, &query.apex, &found), -ENOENT);
	state_stage_commit(st, result.stage, &meta, done_waiting());
	assert_int_equal(wait_done(), 0);
	struct loaded l = {.builder = zone_builder_new(&query.apex)};
	const struct state_sink sink = {.record = load_record, .arg = &l};
	struct snapshot *s;
	assert_int_equal(state_zone_load(st, &query.apex, STATE_LATEST, &sink, &found, NULL), 0);
	assert_int_equal(found.serial, result.serial);
	assert_int_equal(found.base_records, zone->records);
	assert_int_equal(l.n, zone->records);
	assert_int_equal(zone_builder_finish(l.builder, &diag, &s), 0);
	assert_same_zone(zone, s);
	snapshot_free(s);
	served_free(result.next);
	state_close(st);
	fixture_leave();
}

/* Its last check, the digest, is behind the writing. */
static void
test_a_zone_that_is_refused_is_not_there(void **state)
{
	fixture_enter();
	struct state *st = open_state();
	struct receiver_query query = query_of(0);
	struct state_zone found;
	query.state = st;
	query.zonemd = CONFIG_ZONEMD_REQUIRE;
	assert_int_equal(run(&query), TRANSFER_FAILED);
	assert_non_null(strstr(result.why, "ZONEMD"));
	assert_null(result.stage);
	assert_int_equal(state_zone_get(st, &query.apex, &found), -ENOENT);
	assert_int_equal(put_note(st, "net.", "x", 1), 0);
	state_close(st);
	fixture_leave();
}

/* What has to be stored is what the zone has. */
static void
test_what_comes_twice_is_not_stored_twice(void **state)
{
	fixture_enter();
	struct state *st = open_state();
	struct receiver_query query = query_of(0);
	query.state = st;
	sends_twice = true;
	assert_int_equal(run(&query), TRANSFER_NEW_VERSION);
	sends_twice = false;
	assert_true(result.records > zone->records + 1);
	assert_int_equal(result.next->snapshot->records, zone->records);
	assert_null(result.stage);
	served_free(result.next);
	state_close(st);
	fixture_leave();
}

/* -------- limits -------- */

/* From limits that its records do not fit in to such as the zone fits in. */
static void
test_memory_is_bounded(void **state)
{
	size_t before = zalloc_bytes();
	unsigned n_refused = 0, n_refused_late = 0;
	bool is_taken = false;
	for (uint64_t limit = 2 << 20; !is_taken; limit += 1 << 20) {
		struct receiver_query query = query_of(limit);
		assert_true(limit < 64 << 20);
		is_taken = run(&query) == TRANSFER_NEW_VERSION;
		if (!is_taken) {
			assert_int_equal(result.end, TRANSFER_FAILED);
			assert_non_null(strstr(result.why, "octets of memory; the limit is transfer-limits.size"));
			n_refused++;
			n_refused_late += result.records == zone->records + 1;
		}
		served_free(result.next);
		assert_int_equal(zalloc_bytes(), before);
	}
	assert_true(n_refused_late > 0 && n_refused > n_refused_late);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_first_zone_is_stored_meanwhile),
		cmocka_unit_test(test_a_zone_that_is_refused_is_not_there),
		cmocka_unit_test(test_what_comes_twice_is_not_stored_twice),
		cmocka_unit_test(test_memory_is_bounded),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
