/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading a zone back: every record comes once, signatures and NSEC3 sets included, wherever a cursor stops in
 * between; what it hands out builds the same zone again.
 *
 *     test_records {ORIGIN FILE}...
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "zones/base/alloc.h"
#include "zones/load/zonefile.h"
#include "zones/store/records.h"

static char **zones; /* of the command line */

static struct name
name_of(const char *text)
{
	struct name n;
	assert_int_equal(name_from_text(text, strlen(text), NULL, &n), NAME_OK);
	return n;
}

static struct snapshot *
load(const char *origin, const char *path)
{
	struct name apex = name_of(origin);
	struct diag_list diag = {0};
	struct snapshot *s = NULL;
	if (zonefile_load(path, &apex, &diag, &s) != 0) {
		diag_print(&diag, stderr);
		fail_msg("%s is not a zone", path);
	}
	diag_clear(&diag);
	return s;
}

/* What a zone holds, in no order: the sum of a hash over each record. */
struct contents {
	uint64_t sum, n, n_soa, n_nsec3, n_rrsig;
};

static uint64_t
hash_octets(uint64_t h, const void *p, size_t len)
{
	for (const uint8_t *octet = p; len > 0; len--)
		h = (h ^ *octet++) * UINT64_C(0x100000001b3);
	return h;
}

static void
contents_add(struct contents *c, const struct zone_record *r)
{
	uint64_t h = hash_octets(UINT64_C(0xcbf29ce484222325), r->owner, name_len(r->owner));
	h = hash_octets(h, &r->type, sizeof(r->type));
	h = hash_octets(h, &r->ttl_s, sizeof(r->ttl_s));
	h = hash_octets(h, r->rdata, r->rdlen);
	assert_int_equal(rdata_check(r->type, r->rdata, r->rdlen, NULL), 0);
	c->sum += h ^ h >> 29;
	c->n++;
	c->n_soa += r->type == RRTYPE_SOA;
	c->n_nsec3 += r->type == RRTYPE_NSEC3;
	c->n_rrsig += r->type == RRTYPE_RRSIG;
}

static struct contents
contents_of(const struct snapshot *s)
{
	static uint8_t rdata[RDATA_MAX_LEN], rdata_copy[RDATA_MAX_LEN];
	struct contents c = {0};
	struct records_cursor cursor, copy;
	struct zone_record r, again;
	records_cursor_begin(&cursor, s);
	copy = cursor;
	while (records_cursor_next(&cursor, rdata, &r)) {
		assert_true(records_cursor_next(&copy, rdata_copy, &again));
		assert_true(name_equal(r.owner, again.owner) && r.type == again.type && r.rdlen == again.rdlen);
		assert_memory_equal(rdata, rdata_copy, r.rdlen);
		contents_add(&c, &r);
		copy = cursor;
	}
	assert_false(records_cursor_next(&copy, rdata, &r));
	assert_false(records_cursor_next(&cursor, rdata, &r));
	return c;
}

static struct snapshot *
build_again(const struct snapshot *s)
{
	static uint8_t rdata[RDATA_MAX_LEN];
	struct name apex;
	struct diag_list diag = {0};
	struct snapshot *again = NULL;
	struct records_cursor cursor;
	struct zone_record r;
	name_copy(&apex, node_name(s->apex));
	struct zone_builder *b = zone_builder_new(&apex);
	assert_non_null(b);
	records_cursor_begin(&cursor, s);
	while (records_cursor_next(&cursor, rdata, &r)) {
		struct name owner;
		name_copy(&owner, r.owner);
		assert_int_equal(zone_builder_add(b, &owner, r.type, r.ttl_s, r.rdata, r.rdlen, NULL), 0);
	}
	assert_int_equal(zone_builder_finish(b, &diag, &again), 0);
	diag_clear(&diag);
	return again;
}

static void
test_every_record_once(void **state)
{
	struct contents total = {0};
	for (char **z = zones; z[0] != NULL; z += 2) {
		struct snapshot *s = load(z[0], z[1]), *again = build_again(s);
		struct contents a = contents_of(s), b = contents_of(again);
		assert_int_equal(a.n, s->records);
		assert_int_equal(a.n_soa, 1);
		assert_int_equal(a.n, b.n);
		assert_int_equal(a.sum, b.sum);
		total.n_nsec3 += a.n_nsec3;
		total.n_rrsig += a.n_rrsig;
		snapshot_free(s);
		snapshot_free(again);
	}
	assert_true(total.n_nsec3 > 5 && total.n_rrsig > 20); /* or the zones show nothing */
	assert_int_equal(zalloc_bytes(), 0);
}

static void
test_soa(void **state)
{
	static uint8_t rdata[RDATA_MAX_LEN];
	struct snapshot *s = load(zones[0], zones[1]);
	struct zone_record r;
	records_soa(s, rdata, &r);
	assert_int_equal(r.type, RRTYPE_SOA);
	assert_true(name_equal(r.owner, name_of(zones[0]).bytes));
	assert_int_equal(load_be32(r.rdata + r.rdlen - 20), s->serial);
	assert_int_equal(r.ttl_s, rrset_ttl(node_find(s->apex, RRTYPE_SOA).set));
	snapshot_free(s);
}

/* A name without records, between two that have some, is stepped over. */
static void
test_empty_names(void **state)
{
	static const char text[] = "@ 60 SOA ns h 1 2 3 4 5\n@ 60 NS ns\nns 60 A 192.0.2.1\na.b.c 60 TXT x\n";
	struct name apex = name_of("example.");
	struct diag_list diag = {0};
	struct snapshot *s = NULL;
	struct zonefile_files *files = NULL;
	struct zone_builder *b = zone_builder_new(&apex);
	assert_int_equal(zonefile_read_text(text, strlen(text), "zone", &apex, b, &diag, &files), 0);
	assert_int_equal(zone_builder_finish(b, &diag, &s), 0);
	assert_int_equal(s->names.count, 5);
	assert_int_equal(contents_of(s).n, 4);
	snapshot_free(s);
	zonefile_files_free(files);
	diag_clear(&diag);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_record_once),
		cmocka_unit_test(test_soa),
		cmocka_unit_test(test_empty_names),
	};
	zones = argv + 1;
	return argc > 2 ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
