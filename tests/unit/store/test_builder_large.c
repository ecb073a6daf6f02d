/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The builder with zones that are made in parts: the same comes of it with a crew as without, faults and their
 * order included; its records can be read while it is finished; running out of memory leaves nothing behind.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/store/crew_fixture.h"
#include "zones/base/alloc.h"
#include "zones/base/compiler.h"
#include "zones/store/builder.h"
#include "zones/store/records.h"
#include "zones/wire/rdata.h"

/* Enough for parts, and for several chunks in each. */
#define NAMES 15000

static bool has_duplicates;
static const char *file = "zone"; /* of the records that are added */

static struct name
name_of(const char *text)
{
	struct name n;
	assert_int_equal(name_from_text(text, strlen(text), NULL, &n), NAME_OK);
	return n;
}

static int
add(struct zone_builder *b, const char *owner, const char *type_text, uint32_t ttl_s, const char *data)
{
	static uint8_t rdata[RDATA_MAX_LEN];
	struct name apex = name_of("example."), name = name_of(owner);
	struct lexer lex;
	struct rdata_error err;
	uint16_t type;
	assert_int_equal(rrtype_from_text(type_text, strlen(type_text), &type), 0);
	lexer_init(&lex, data, strlen(data));
	int len = rdata_from_text(&lex, type, &apex, rdata, &err);
	assert_in_range(len, 0, RDATA_MAX_LEN);
	struct record_place place = {.file = file, .line = (uint32_t)zone_builder_records(b) + 1, .column = 1};
	return zone_builder_add(b, &name, type, ttl_s, rdata, (uint16_t)len, &place);
}

/* A delegation, as names of its number differ: shared and own servers, glue that is missing, faults that warn. */
static int
add_delegation(struct zone_builder *b, unsigned i)
{
	char owner[64], data[128];
	snprintf(owner, sizeof(owner), "d%u.example.", i);
	snprintf(data, sizeof(data), "Ns1.Hoster%u.test.", i % 100);
	int err = add(b, owner, "NS", 300, data);
	snprintf(data, sizeof(data), "ns.d%u.example.", i);
	if (err == 0)
		err = add(b, owner, "NS", i % 1000 == 7 ? 200 : 300, data);
	if (err == 0 && i % 1000 == 8 && has_duplicates)
		err = add(b, owner, "NS", 100, data);
	if (err == 0 && i % 3 == 0)
		err = add(b, owner, "DS", 300,
			  "1 13 2 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff");
	snprintf(owner, sizeof(owner), "ns.d%u.example.", i);
	if (err == 0 && i % 500 != 9)
		err = add(b, owner, "A", 300, "192.0.2.1");
	snprintf(owner, sizeof(owner), "x.y%u.example.", i);
	if (err == 0 && i % 50 == 0)
		err = add(b, owner, "TXT", 300, "text");
	return err;
}

static int
fill(struct zone_builder *b)
{
	int err = add(b, "example.", "SOA", 3600, "ns.example. h.example. 9 2 3 4 60");
	if (err == 0)
		err = add(b, "example.", "NS", 3600, "ns.other.test.");
	for (unsigned i = 0; i < NAMES && err == 0; i++)
		err = add_delegation(b, i);
	return err;
}

static struct zone_builder *
filled(struct crew *crew)
{
	struct name apex = name_of("example.");
	struct zone_builder *b = zone_builder_new(&apex);
	assert_non_null(b);
	zone_builder_set_crew(b, crew);
	assert_int_equal(fill(b), 0);
	return b;
}

static void
assert_same_records(const struct snapshot *a, const struct snapshot *b)
{
	static uint8_t x_rdata[RDATA_MAX_LEN], y_rdata[RDATA_MAX_LEN];
	struct records_cursor x_cursor, y_cursor;
	struct zone_record x, y;
	uint64_t n = 0;
	records_cursor_begin(&x_cursor, a);
	records_cursor_begin(&y_cursor, b);
	for (; records_cursor_next(&x_cursor, x_rdata, &x); n++) {
		assert_true(records_cursor_next(&y_cursor, y_rdata, &y));
		assert_true(name_equal(x.owner, y.owner));
		assert_true(x.type == y.type && x.ttl_s == y.ttl_s && x.rdlen == y.rdlen);
		assert_memory_equal(x.rdata, y.rdata, x.rdlen);
	}
	assert_false(records_cursor_next(&y_cursor, y_rdata, &y));
	assert_int_equal(n, a->records);
	assert_int_equal(b->records, a->records);
	assert_int_equal(b->sets, a->sets);
	assert_int_equal(b->names.count, a->names.count);
}

static void
assert_same_diag(const struct diag_list *a, const struct diag_list *b)
{
	assert_int_equal(a->n, b->n);
	assert_int_equal(a->n_warnings, b->n_warnings);
	for (unsigned i = 0; i < a->n; i++) {
		assert_int_equal(a->items[i].line, b->items[i].line);
		assert_string_equal(a->items[i].message, b->items[i].message);
	}
}

static void
test_a_crew_makes_the_same(void **state)
{
	struct diag_list alone_diag = {.limit = 500}, crew_diag = {.limit = 500};
	struct snapshot *alone = NULL, *crew = NULL;
	has_duplicates = true;
	assert_int_equal(zone_builder_finish(filled(NULL), &alone_diag, &alone), 0);
	assert_int_equal(zone_builder_finish(filled(&crew_fixture), &crew_diag, &crew), 0);
	/* TTLs, duplicates that also differ in TTL, glue, and servers that are not there */
	assert_int_equal(alone_diag.n_warnings, NAMES / 1000 + 2 * (NAMES / 1000) + NAMES / 500);
	assert_same_diag(&alone_diag, &crew_diag);
	assert_same_records(alone, crew);
	/* A set that all have is there once for each thread at most. */
	assert_true(snapshot_bytes(crew) < snapshot_bytes(alone) + snapshot_bytes(alone) / 20);
	snapshot_free(alone);
	snapshot_free(crew);
	diag_clear(&alone_diag);
	diag_clear(&crew_diag);
	has_duplicates = false;
	assert_int_equal(zalloc_bytes(), 0);
}

/* Delegations [from, to) in a builder of their own; what they are read from stands in its place. */
static struct zone_builder *
filled_part(unsigned from, unsigned to, const char *from_file)
{
	struct name apex = name_of("example.");
	struct zone_builder *b = zone_builder_new(&apex);
	assert_non_null(b);
	file = from_file;
	assert_int_equal(zone_builder_expect(b, to - from > 1000 ? 3 * (to - from) : 0), 0);
	for (unsigned i = from; i < to; i++)
		assert_int_equal(add_delegation(b, i), 0);
	file = "zone";
	return b;
}

/* Builders that are joined make what one would have made; small ones and large ones, and of several files. */
static void
test_joined_builders(void **state)
{
	static const char first[] = "first", second[] = "second";
	static const unsigned borders[] = {0, 5, 20, 1000, 14000, 14002, NAMES, NAMES};
	struct diag_list diag = {.limit = 500}, joined_diag = {.limit = 500};
	struct snapshot *whole = NULL, *joined = NULL;
	unsigned n_second = 0;
	has_duplicates = true;
	assert_int_equal(zone_builder_finish(filled(NULL), &diag, &whole), 0);
	struct name apex = name_of("example.");
	struct zone_builder *b = zone_builder_new(&apex);
	assert_int_equal(add(b, "example.", "SOA", 3600, "ns.example. h.example. 9 2 3 4 60"), 0);
	assert_int_equal(add(b, "example.", "NS", 3600, "ns.other.test."), 0);
	for (unsigned i = 0; i + 1 < ARRAY_LEN(borders); i++)
		assert_int_equal(
			zone_builder_join(b, filled_part(borders[i], borders[i + 1], i % 2 ? second : first)), 0);
	zone_builder_set_crew(b, &crew_fixture);
	assert_int_equal(zone_builder_finish(b, &joined_diag, &joined), 0);
	assert_same_records(whole, joined);
	assert_int_equal(joined_diag.n_warnings, diag.n_warnings);
	for (unsigned i = 0; i < joined_diag.n; i++)
		n_second += strcmp(joined_diag.items[i].file, "second") == 0;
	assert_int_equal(n_second, 4 + 13 * 5 + 5); /* five a thousand; of the first ones, four */
	snapshot_free(whole);
	snapshot_free(joined);
	diag_clear(&diag);
	diag_clear(&joined_diag);
	has_duplicates = false;
	assert_int_equal(zalloc_bytes(), 0);
}

struct reading {
	struct zone_builder_reader *reader;
	uint64_t n;
};

static void *
read_all(void *arg)
{
	struct reading *r = arg;
	struct zone_record record;
	while (zone_builder_reader_next(r->reader, &record)) {
		assert_true(name_len(record.owner) >= 9 && record.rdlen > 0);
		r->n++;
	}
	return NULL;
}

static void
test_records_are_read_meanwhile(void **state)
{
	struct diag_list diag = {0};
	struct snapshot *s = NULL;
	struct reading reading = {0};
	pthread_t thread;
	struct zone_builder *b = filled(&crew_fixture);
	assert_int_equal(zone_builder_read(b, &reading.reader), 0);
	assert_int_equal(pthread_create(&thread, NULL, read_all, &reading), 0);
	assert_int_equal(zone_builder_finish(b, &diag, &s), 0);
	pthread_join(thread, NULL);
	assert_int_equal(reading.n, s->records);
	zone_builder_reader_free(reading.reader);
	snapshot_free(s);
	diag_clear(&diag);
	assert_int_equal(zalloc_bytes(), 0);
}

static void
test_a_reader_outlives_the_builder(void **state)
{
	struct reading reading = {0};
	struct zone_builder *b = filled(NULL);
	assert_int_equal(zone_builder_read(b, &reading.reader), 0);
	zone_builder_abort(b);
	read_all(&reading);
	assert_true(reading.n > 3 * NAMES);
	zone_builder_reader_free(reading.reader);
	b = filled(NULL);
	assert_int_equal(zone_builder_read(b, &reading.reader), 0);
	zone_builder_abort(b);
	zone_builder_reader_free(reading.reader); /* before its end */
	assert_int_equal(zalloc_bytes(), 0);
}

/* One name with records of its own kind by the thousand is one bucket of one part. */
static void
test_one_name_with_many_records(void **state)
{
	struct diag_list diag = {0};
	struct snapshot *s = NULL;
	struct zone_builder *b = filled(&crew_fixture);
	for (unsigned i = 0; i < 3000; i++) {
		char type[16], data[32];
		snprintf(type, sizeof(type), "TYPE%u", 1000 + i * 7 % 3000);
		snprintf(data, sizeof(data), "\\# 2 %04x", i);
		assert_int_equal(add(b, "many.example.", type, 60, data), 0);
	}
	assert_int_equal(zone_builder_finish(b, &diag, &s), 0);
	struct name many = name_of("many.example.");
	const struct node *n =
		(const struct node *)names_find(&s->names, name_hash(many.bytes), many.bytes, many.len);
	assert_int_equal(node_set_count(n), 3000);
	for (unsigned i = 1; i < 3000; i++)
		assert_true(node_set_type(n->sets[i - 1]) < node_set_type(n->sets[i]));
	snapshot_free(s);
	diag_clear(&diag);
	assert_int_equal(zalloc_bytes(), 0);
}

/* Wherever memory ends, all comes back. */
static void
test_out_of_memory(void **state)
{
	unsigned n_failed = 0;
	int result = -ENOMEM;
	for (unsigned long at = 1; result != 0; at += at / 3 + 1) {
		struct diag_list diag = {0};
		struct snapshot *s = NULL;
		struct zone_builder *b = filled(&crew_fixture);
		zalloc_fail_at(at);
		result = zone_builder_finish(b, &diag, &s);
		zalloc_fail_at(0);
		assert_true(result == 0 || result == -ENOMEM);
		assert_true((s != NULL) == (result == 0));
		n_failed += result != 0;
		snapshot_free(s);
		diag_clear(&diag);
		assert_int_equal(zalloc_bytes(), 0);
	}
	assert_true(n_failed > 20);
}

/* The threads of a crew count for their caller, whose limit ends the build. */
static void
test_an_account_bounds_it(void **state)
{
	struct zalloc_account account;
	struct diag_list diag = {0};
	struct snapshot *s = NULL;
	zalloc_account_init(&account, 0, 0);
	assert_null(zalloc_account_use(&account));
	struct zone_builder *b = filled(NULL);
	account.limit = atomic_load(&account.bytes) + 65536;
	assert_int_equal(zone_builder_finish(b, &diag, &s), -ENOMEM);
	assert_ptr_equal(zalloc_account_use(NULL), &account);
	assert_true(atomic_load(&account.is_exceeded));
	assert_int_equal(atomic_load(&account.bytes), 0);
	diag_clear(&diag);
	assert_int_equal(zalloc_bytes(), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_crew_makes_the_same),
		cmocka_unit_test(test_joined_builders),
		cmocka_unit_test(test_records_are_read_meanwhile),
		cmocka_unit_test(test_a_reader_outlives_the_builder),
		cmocka_unit_test(test_one_name_with_many_records),
		cmocka_unit_test(test_out_of_memory),
		cmocka_unit_test(test_an_account_bounds_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
