/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whole zones over the one that is there: random ones against zones built as a whole, what they share, what they
 * take meanwhile, and that running out of memory at any moment leaves the base as it was and nothing behind.
 *
 *     test_replace {ORIGIN FILE}...
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/store/replace_fixture.h"
#include "zones/base/alloc.h"
#include "zones/load/zonefile.h"
#include "zones/store/builder.h"
#include "zones/store/records.h"
#include "zones/store/replace.h"

static char **zones; /* of the command line */

static uint64_t
next_random(uint64_t *state)
{
	uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	return z ^ (z >> 27);
}

/* -------- random zones -------- */

/* At the apex more often than elsewhere. */
static void
random_steps(struct feed *f, uint64_t *random)
{
	unsigned n = (unsigned)(next_random(random) % 12);
	for (unsigned i = 0; i < n; i++) {
		uint64_t r = next_random(random);
		unsigned which = r & 0x300 ? (unsigned)(r >> 16) % model_size() : (unsigned)(r >> 16) % 11;
		feed_step(f, (uint8_t)r, which, (uint8_t)(r >> 48));
	}
}

struct tally {
	unsigned refused, whole, shared;
};

/* One zone over *s: what comes of it must be what a whole build says, be it a zone or a refusal. */
static void
replace_once(struct snapshot **s, struct feed *f, uint64_t *random, struct tally *tally)
{
	struct diag_list diag = {0}, built_diag = {0};
	struct feed next = *f;
	struct snapshot *replaced = NULL, *built = NULL, *before = NULL;
	struct snapshot_remains *remains = NULL;
	random_steps(&next, random);
	int err = feed_replace(&next, *s, &diag, &replaced, &remains);
	assert_int_equal(err, feed_build(&next, &built_diag, &built));
	assert_int_equal(feed_build(f, &built_diag, &before), 0);
	snapshots_check_equal(*s, before); /* the base is as it was */
	tally->refused += err != 0;
	if (err == 0) {
		snapshots_check_equal(replaced, built);
		tally->whole += remains->shares_nothing;
		tally->shared += !remains->shares_nothing;
		if (next_random(random) % 4 == 0) {
			snapshot_discard(replaced, remains);
			snapshots_check_equal(*s, before);
		} else {
			snapshot_remains_free(remains);
			*s = replaced;
			*f = next;
		}
	}
	snapshot_free(built);
	snapshot_free(before);
	diag_clear(&diag);
	diag_clear(&built_diag);
}

static void
test_random(void **state)
{
	struct tally tally = {0};
	for (uint64_t seed = 0; seed < 400; seed++) {
		struct diag_list diag = {0};
		struct feed f = feed_start();
		struct snapshot *s = NULL;
		uint64_t random = seed << 32;
		assert_int_equal(feed_build(&f, &diag, &s), 0);
		for (unsigned i = 0; i < 40; i++)
			replace_once(&s, &f, &random, &tally);
		snapshot_free(s);
		diag_clear(&diag);
		assert_int_equal(zalloc_bytes(), 0);
	}
	printf("%u refused, %u built as a whole, %u shared\n", tally.refused, tally.whole, tally.shared);
	assert_true(tally.refused > 1000 && tally.whole > 500 && tally.shared > 5000); /* or it shows little */
}

/* Each allocation failing once. */
static void
test_out_of_memory(void **state)
{
	struct feed f = feed_start();
	struct diag_list diag = {0};
	struct snapshot *s, *before;
	unsigned n_failures = 0, n_good = 0;
	uint64_t random = 7;
	assert_int_equal(feed_build(&f, &diag, &s), 0);
	for (unsigned round = 0; round < 200; round++) {
		struct feed next = f;
		random_steps(&next, &random);
		assert_int_equal(feed_build(&f, &diag, &before), 0);
		int err = -ENOMEM;
		for (unsigned long at = 1; err == -ENOMEM; at++) {
			struct snapshot *replaced;
			struct snapshot_remains *remains;
			struct diag_list faults = {0};
			size_t bytes = bytes_without_table(s);
			zalloc_fail_at(at);
			err = feed_replace(&next, s, &faults, &replaced, &remains);
			zalloc_fail_at(0);
			diag_clear(&faults);
			n_failures += err == -ENOMEM;
			if (err != 0) {
				assert_int_equal(bytes_without_table(s), bytes);
				snapshots_check_equal(s, before);
				continue;
			}
			n_good++;
			snapshot_remains_free(remains);
			s = replaced;
			f = next;
		}
		snapshot_free(before);
		diag_clear(&diag);
	}
	assert_true(n_failures > 2000 && n_good > 50);
	snapshot_free(s);
	assert_int_equal(zalloc_bytes(), 0);
}

/* -------- zones of files -------- */

static struct snapshot *
load(const char *origin, const char *path)
{
	struct name apex;
	struct diag_list diag = {0};
	struct snapshot *s = NULL;
	assert_int_equal(name_from_text(origin, strlen(origin), NULL, &apex), NAME_OK);
	if (zonefile_load(path, &apex, &diag, &s) != 0) {
		diag_print(&diag, stderr);
		fail_msg("%s is not a zone", path);
	}
	diag_clear(&diag);
	return s;
}

/* How the records of a zone come. */
enum manner { IN_ORDER, CHAIN_LAST, MANNERS };

static void
feed_some(struct zone_replace *r, const struct snapshot *from, enum manner manner, bool chain)
{
	static uint8_t rdata[RDATA_MAX_LEN];
	struct records_cursor cursor;
	struct zone_record record;
	records_cursor_begin(&cursor, from);
	while (records_cursor_next(&cursor, rdata, &record)) {
		struct name owner;
		bool is_chain = record.type == RRTYPE_NSEC ||
				(record.type == RRTYPE_RRSIG && load_be16(rdata) == RRTYPE_NSEC);
		if (manner == CHAIN_LAST && is_chain != chain)
			continue;
		name_copy(&owner, record.owner);
		assert_int_equal(zone_replace_add(r, &owner, record.type, record.ttl_s, record.rdata, record.rdlen),
				 0);
	}
}

/* All records of `from` over `base`; *bytes is what that takes meanwhile, before the new snapshot is made. */
static struct snapshot *
replace_by(const struct snapshot *base, const struct snapshot *from, enum manner manner, size_t *bytes,
	   struct snapshot_remains **remains)
{
	struct diag_list diag = {0};
	struct snapshot *s = NULL;
	size_t before = zalloc_bytes();
	struct zone_replace *r = zone_replace_new(base, &diag);
	assert_non_null(r);
	feed_some(r, from, manner, false);
	if (manner == CHAIN_LAST)
		feed_some(r, from, manner, true);
	*bytes = zalloc_bytes() - before;
	assert_int_equal(zone_replace_finish(r, &s, remains), 0);
	diag_clear(&diag);
	return s;
}

/* A zone over itself is the same zone: not one node is new, and hardly any memory is needed. */
static void
test_same_zone(void **state)
{
	for (char **z = zones; z[0] != NULL; z += 2) {
		struct snapshot *s = load(z[0], z[1]);
		for (enum manner manner = 0; manner < MANNERS; manner++) {
			struct snapshot_remains *remains;
			size_t bytes;
			struct snapshot *next = replace_by(s, s, manner, &bytes, &remains);
			snapshots_check_equal(next, s);
			assert_int_equal(remains->new_nodes.n, 0);
			assert_int_equal(remains->new_nsec3s.n, 0);
			if (s->records > 10000)
				assert_in_range(bytes, 1, snapshot_bytes(s) / (manner == IN_ORDER ? 10 : 5));
			snapshot_discard(next, remains);
		}
		snapshot_free(s);
		assert_int_equal(zalloc_bytes(), 0);
	}
}

/* Another zone of the same name: unsigned, with NSEC, with NSEC3, one over the other. */
static void
test_other_zone(void **state)
{
	unsigned n = 0;
	for (char **y = zones; y[0] != NULL; y += 2) {
		for (char **z = zones; z[0] != NULL; z += 2) {
			if (y == z || strcmp(y[0], z[0]) != 0)
				continue;
			struct snapshot *base = load(y[0], y[1]), *from = load(z[0], z[1]), *s;
			struct snapshot_remains *remains;
			size_t bytes;
			s = replace_by(base, from, IN_ORDER, &bytes, &remains);
			snapshots_check_equal(s, from);
			snapshot_remains_free(remains);
			snapshot_free(s);
			snapshot_free(from);
			n++;
		}
	}
	assert_in_range(n, 6, 100);
	assert_int_equal(zalloc_bytes(), 0);
}

/* The zone's apex alone, without what proves that other names are there. */
static struct snapshot *
apex_of(const struct snapshot *s)
{
	static uint8_t rdata[RDATA_MAX_LEN];
	struct diag_list diag = {0};
	struct records_cursor cursor;
	struct zone_record r;
	struct name apex;
	struct snapshot *out = NULL;
	name_copy(&apex, node_name(s->apex));
	struct zone_builder *b = zone_builder_new(&apex);
	assert_non_null(b);
	records_cursor_begin(&cursor, s);
	while (records_cursor_next(&cursor, rdata, &r)) {
		if (name_equal(r.owner, apex.bytes) && (r.type == RRTYPE_SOA || r.type == RRTYPE_NS))
			assert_int_equal(zone_builder_add(b, &apex, r.type, r.ttl_s, r.rdata, r.rdlen, NULL), 0);
	}
	assert_int_equal(zone_builder_finish(b, &diag, &out), 0);
	diag_clear(&diag);
	return out;
}

/* A zone that grows from nothing, and one that shrinks to it, are built as a whole. */
static void
test_little_in_common(void **state)
{
	for (char **z = zones; z[0] != NULL; z += 2) {
		struct snapshot *s = load(z[0], z[1]), *apex = apex_of(s), *next;
		struct snapshot_remains *remains;
		size_t bytes;
		next = replace_by(s, apex, IN_ORDER, &bytes, &remains);
		snapshots_check_equal(next, apex);
		assert_true(remains->shares_nothing || s->names.count < 20);
		snapshot_discard(next, remains);
		next = replace_by(apex, s, IN_ORDER, &bytes, &remains);
		snapshots_check_equal(next, s);
		assert_true(remains->shares_nothing || s->names.count < 20);
		snapshot_remains_free(remains); /* and the base */
		snapshot_free(next);
		snapshot_free(s);
		assert_int_equal(zalloc_bytes(), 0);
	}
}

/* -------- large names -------- */

enum { LARGE = 100 };

static void
add_large(struct zone_builder *b, struct zone_replace *r, const char *owner, unsigned i)
{
	uint8_t address[4] = {192, 0, 2, (uint8_t)i};
	struct name n;
	assert_int_equal(name_from_text(owner, strlen(owner), NULL, &n), NAME_OK);
	if (b != NULL)
		assert_int_equal(zone_builder_add(b, &n, RRTYPE_A, 60, address, sizeof(address), NULL), 0);
	if (r != NULL)
		assert_int_equal(zone_replace_add(r, &n, RRTYPE_A, 60, address, sizeof(address)), 0);
}

static void
add_apex(struct zone_builder *b, struct zone_replace *r)
{
	struct feed f = feed_start();
	for (unsigned i = 0; i < f.n; i++) {
		struct name owner;
		uint16_t type, rdlen;
		const uint8_t *rdata;
		model_record(f.items[i].which, &owner, &type, &rdata, &rdlen);
		if (b != NULL)
			assert_int_equal(zone_builder_add(b, &owner, type, 60, rdata, rdlen, NULL), 0);
		if (r != NULL)
			assert_int_equal(zone_replace_add(r, &owner, type, 60, rdata, rdlen), 0);
	}
}

static struct snapshot *
build_large(void)
{
	struct diag_list diag = {0};
	struct snapshot *s = NULL;
	struct zone_builder *b = zone_builder_new(model_apex());
	assert_non_null(b);
	add_apex(b, NULL);
	for (unsigned i = 0; i < LARGE; i++) {
		add_large(b, NULL, "a.example.", i);
		add_large(b, NULL, "b.example.", i);
	}
	assert_int_equal(zone_builder_finish(b, &diag, &s), 0);
	diag_clear(&diag);
	return s;
}

/* Names with more records than a mark has bits: whole and once more, in turns with another name, and half of them.
 */
static void
test_large_names(void **state)
{
	enum { TWICE, IN_TURNS, HALF, WAYS };
	struct snapshot *s = build_large();
	for (unsigned way = 0; way < WAYS; way++) {
		struct diag_list diag = {0};
		struct snapshot *next, *built;
		struct snapshot_remains *remains;
		struct zone_builder *b = zone_builder_new(model_apex());
		struct zone_replace *r = zone_replace_new(s, &diag);
		assert_true(b != NULL && r != NULL);
		add_apex(b, r);
		for (unsigned i = 0; i < (way == TWICE ? 2 * LARGE : LARGE); i++) {
			if (way == HALF && i % 2 == 0)
				continue;
			add_large(b, r, "a.example.", i % LARGE);
			if (way == IN_TURNS)
				add_large(b, r, "b.example.", i);
			if (way == TWICE && i == LARGE - 1)
				add_large(b, r, "c.example.", 1);
		}
		assert_int_equal(zone_builder_finish(b, &diag, &built), 0);
		assert_int_equal(zone_replace_finish(r, &next, &remains), 0);
		snapshots_check_equal(next, built);
		snapshot_discard(next, remains);
		snapshot_free(built);
		diag_clear(&diag);
	}
	snapshot_free(s);
	assert_int_equal(zalloc_bytes(), 0);
}

/* -------- refusals -------- */

static void
test_refused(void **state)
{
	static const uint8_t address[4] = {192, 0, 2, 1};
	struct feed f = feed_start();
	struct diag_list diag = {0};
	struct snapshot *s, *next = NULL;
	struct snapshot_remains *remains = NULL;
	struct name other;
	assert_int_equal(feed_build(&f, &diag, &s), 0);
	diag_clear(&diag);
	assert_int_equal(name_from_text("other.", 6, NULL, &other), NAME_OK);
	size_t before = zalloc_bytes();

	struct zone_replace *r = zone_replace_new(s, &diag);
	assert_non_null(r);
	assert_int_equal(zone_replace_add(r, &other, RRTYPE_A, 60, address, sizeof(address)), -ERANGE);
	assert_int_equal(zone_replace_finish(r, &next, &remains), -EINVAL); /* nothing came */
	assert_string_equal(diag.items[0].message, "zone example. has no SOA record at its apex");
	assert_null(next);
	assert_null(remains);
	assert_int_equal(zalloc_bytes(), before);

	r = zone_replace_new(s, &diag);
	assert_non_null(r);
	zone_replace_abort(r);
	zone_replace_abort(NULL);
	assert_int_equal(zalloc_bytes(), before);
	snapshot_free(s);
	diag_clear(&diag);
}

int
main(int argc, char **argv)
{
	zones = argv + (argc > 0);
	model_init();
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random),           cmocka_unit_test(test_out_of_memory),
		cmocka_unit_test(test_same_zone),        cmocka_unit_test(test_other_zone),
		cmocka_unit_test(test_little_in_common), cmocka_unit_test(test_large_names),
		cmocka_unit_test(test_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
