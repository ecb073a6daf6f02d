/* SPDX-License-Identifier: Apache-2.0 */
/* TSIG records on the wire: found where they may stand, refused where they may not (RFC 8945 sections 4.2, 5.2). */
#include <stdlib.h>

#include "tests/unit/wire/cmocka_wire.h"
#include "zones/base/bytes.h"
#include "zones/wire/query.h"
#include "zones/wire/rrtype.h"
#include "zones/wire/tsig.h"

struct message {
	uint8_t octets[1024];
	size_t len;
};

/* A query for example. SOA, without TSIG. */
static struct message
query(void)
{
	static const uint8_t bytes[] = {0x12, 0x34, 0,   0,   0,   1,   0,   0, 0, 0, 0, 0, 7,
					'e',  'x',  'a', 'm', 'p', 'l', 'e', 0, 0, 6, 0, 1};
	struct message m = {.len = sizeof(bytes)};
	memcpy(m.octets, bytes, sizeof(bytes));
	return m;
}

static void
count(struct message *m, unsigned field, int by)
{
	store_be16(m->octets + field, (uint16_t)(load_be16(m->octets + field) + by));
}

static struct tsig_record
record(void)
{
	static const uint8_t mac[] = "0123456789abcdef", other[] = "othera";
	return (struct tsig_record){
		.fudge_s = 300,
		.time_s = 0x123456789abc,
		.original_id = 0x1234,
		.error = TSIG_ERROR_BADTIME,
		.mac = mac,
		.mac_len = 16,
		.other = other,
		.other_len = 6,
		.key = name_of("fleet.example."),
		.algorithm = name_of("hmac-sha256."),
	};
}

static void
append(struct message *m, const struct tsig_record *r)
{
	size_t len = tsig_record_write(r, m->octets + m->len);
	assert_int_equal(len, tsig_record_len(r));
	m->len += len;
	count(m, 10, 1);
}

/* An empty record of a type, in the section whose counter is at `field`. */
static void
append_other(struct message *m, uint16_t type, unsigned field)
{
	uint8_t *p = m->octets + m->len;
	memset(p, 0, 11);
	store_be16(p + 1, type);
	m->len += 11;
	count(m, field, 1);
}

/* On the heap and of its exact size, so that the sanitizer sees what reads behind it. */
static enum tsig_find
find(const struct message *m, struct tsig_record *out)
{
	uint8_t *exact = malloc(m->len > 0 ? m->len : 1);
	assert_non_null(exact);
	memcpy(exact, m->octets, m->len);
	enum tsig_find found = tsig_record_find(exact, m->len, out);
	free(exact);
	return found;
}

static void
what_was_written_is_read(void **state)
{
	(void)state;
	struct message m = query();
	size_t start = m.len;
	struct tsig_record in = record(), out;
	append_other(&m, RRTYPE_OPT, 10);
	append(&m, &in);
	assert_int_equal(tsig_record_find(m.octets, m.len, &out), TSIG_FIND_ONE);
	assert_int_equal(out.start, start + 11);
	assert_int_equal(out.arcount, 1);
	assert_int_equal(out.time_s, in.time_s);
	assert_int_equal(out.fudge_s, in.fudge_s);
	assert_int_equal(out.original_id, in.original_id);
	assert_int_equal(out.error, in.error);
	assert_int_equal(out.mac_len, in.mac_len);
	assert_memory_equal(out.mac, in.mac, in.mac_len);
	assert_int_equal(out.other_len, in.other_len);
	assert_memory_equal(out.other, in.other, in.other_len);
	assert_true(name_equal(out.key.bytes, in.key.bytes));
	assert_true(name_equal(out.algorithm.bytes, in.algorithm.bytes));
}

static void
names_come_in_lower_case(void **state)
{
	(void)state;
	struct message m = query();
	struct tsig_record in = record(), out;
	in.key = name_of("Fleet.EXAMPLE.");
	in.algorithm = name_of("HMAC-sha256.");
	append(&m, &in);
	assert_int_equal(tsig_record_find(m.octets, m.len, &out), TSIG_FIND_ONE);
	assert_memory_equal(out.key.bytes, record().key.bytes, out.key.len);
	assert_memory_equal(out.algorithm.bytes, record().algorithm.bytes, out.algorithm.len);
}

/* RFC 1035 section 4.1.4 allows it for owners; nothing but the owner of the TSIG may use it. */
static void
a_compressed_owner_is_followed(void **state)
{
	(void)state;
	struct message plain = query(), m = query();
	struct tsig_record in = record(), out;
	in.key = name_of("example.");
	append(&plain, &in);
	store_be16(m.octets + m.len, 0xc00c);
	size_t rest = tsig_record_len(&in) - in.key.len;
	memcpy(m.octets + m.len + 2, plain.octets + plain.len - rest, rest);
	m.len += 2 + rest;
	count(&m, 10, 1);
	assert_int_equal(tsig_record_find(m.octets, m.len, &out), TSIG_FIND_ONE);
	assert_true(name_equal(out.key.bytes, in.key.bytes));
	store_be16(m.octets + query().len, 0xc000 | query().len); /* at itself */
	assert_int_equal(tsig_record_find(m.octets, m.len, &out), TSIG_FIND_UNREADABLE);
}

static void
no_tsig_is_none(void **state)
{
	(void)state;
	struct message m = query();
	struct tsig_record out;
	assert_int_equal(find(&m, &out), TSIG_FIND_NONE);
	append_other(&m, RRTYPE_OPT, 10);
	assert_int_equal(find(&m, &out), TSIG_FIND_NONE);
}

/* Section 5.2: the last record of the additional section, and one. */
static void
a_wrong_place_is_told(void **state)
{
	(void)state;
	struct tsig_record in = record(), out;
	struct message m = query();
	append(&m, &in);
	append_other(&m, RRTYPE_OPT, 10);
	assert_int_equal(find(&m, &out), TSIG_FIND_MISPLACED);
	m = query();
	append(&m, &in);
	append(&m, &in);
	assert_int_equal(find(&m, &out), TSIG_FIND_MISPLACED);
	for (unsigned field = 6; field <= 8; field += 2) {
		m = query();
		append(&m, &in);
		count(&m, 10, -1);
		count(&m, field, 1);
		assert_int_equal(find(&m, &out), TSIG_FIND_MISPLACED);
		append_other(&m, RRTYPE_OPT, 10);
		assert_int_equal(find(&m, &out), TSIG_FIND_MISPLACED);
	}
}

static void
every_cut_is_told(void **state)
{
	(void)state;
	struct tsig_record in = record(), out;
	struct message m = query();
	append(&m, &in);
	size_t whole = m.len;
	for (m.len = 0; m.len < whole; m.len++)
		assert_int_equal(find(&m, &out), TSIG_FIND_MALFORMED);
	m.octets[m.len++] = 0;
	m.len++;
	assert_int_equal(find(&m, &out), TSIG_FIND_MALFORMED);
}

/* Class, TTL and lengths: each octet wrong once. */
static void
data_that_is_no_tsigs_is_told(void **state)
{
	(void)state;
	struct tsig_record in = record(), out = {.start = 77};
	struct message good = query();
	append(&good, &in);
	size_t head = query().len + in.key.len, data = head + 10, mac = data + in.algorithm.len + 8;
	size_t other = mac + 2 + in.mac_len + 4;
	size_t at[] = {head + 2, head + 3, head + 4, head + 5,  head + 6, head + 7,
		       mac,      mac + 1,  other,    other + 1, data};
	for (size_t i = 0; i < ARRAY_LEN(at); i++) {
		struct message m = good;
		m.octets[at[i]] ^= 1;
		assert_int_equal(find(&m, &out), TSIG_FIND_UNREADABLE);
	}
	struct message m = good;
	store_be16(m.octets + other, 5); /* the last octet belongs to nothing, and no MAC covers it */
	assert_int_equal(find(&m, &out), TSIG_FIND_UNREADABLE);
	m = good;
	store_be16(m.octets + data, 0xc00c); /* the algorithm, compressed */
	assert_int_equal(find(&m, &out), TSIG_FIND_UNREADABLE);
	assert_int_equal(out.start, 77);
}

static void
empty_data_is_told(void **state)
{
	(void)state;
	struct tsig_record out;
	struct message m = query();
	append_other(&m, RRTYPE_TSIG, 10);
	store_be16(m.octets + m.len - 8, RRCLASS_ANY);
	assert_int_equal(find(&m, &out), TSIG_FIND_UNREADABLE);
}

static void
times_have_48_bits(void **state)
{
	(void)state;
	uint8_t wire[TSIG_TIME_LEN];
	static const uint8_t want[TSIG_TIME_LEN] = {0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc};
	tsig_time_write(0x123456789abc, wire);
	assert_memory_equal(wire, want, sizeof(want));
	assert_int_equal(tsig_time_read(wire), 0x123456789abc);
	tsig_time_write(TSIG_TIME_MAX_S, wire);
	assert_int_equal(tsig_time_read(wire), TSIG_TIME_MAX_S);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_written_is_read),
		cmocka_unit_test(names_come_in_lower_case),
		cmocka_unit_test(a_compressed_owner_is_followed),
		cmocka_unit_test(no_tsig_is_none),
		cmocka_unit_test(a_wrong_place_is_told),
		cmocka_unit_test(every_cut_is_told),
		cmocka_unit_test(data_that_is_no_tsigs_is_told),
		cmocka_unit_test(empty_data_is_told),
		cmocka_unit_test(times_have_48_bits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
