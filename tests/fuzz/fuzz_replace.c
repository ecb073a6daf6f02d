/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzzer of whole zones over the served one, against zones built as a whole.
 *
 * Each step takes three octets, which change the row of records that comes next (replace_fixture.h); where the
 * first is 192 or more, the row comes in, and stays or is thrown away. Also meant to be linked with a main() that
 * replays a corpus.
 */
#include <stdlib.h>

#include "tests/fuzz/check.h"
#include "tests/unit/store/replace_fixture.h"
#include "zones/base/alloc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The row over *s; true if that is the zone now. */
static bool
come_in(const struct feed *f, struct snapshot **s, bool keep)
{
	struct diag_list diag = {0};
	struct snapshot *built = NULL, *replaced;
	struct snapshot_remains *remains;
	int err = feed_replace(f, *s, &diag, &replaced, &remains);
	CHECK(err == feed_build(f, &diag, &built));
	diag_clear(&diag);
	if (err != 0)
		return false;
	snapshots_check_equal(replaced, built);
	snapshot_free(built);
	if (keep) {
		snapshot_remains_free(remains);
		*s = replaced;
	} else {
		snapshot_discard(replaced, remains);
	}
	return keep;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct diag_list diag = {0};
	size_t start = zalloc_bytes();
	model_init();
	struct feed f = feed_start(), served = f;
	struct snapshot *s = NULL;
	CHECK(feed_build(&f, &diag, &s) == 0);
	for (size_t i = 0; i + 3 <= size; i += 3) {
		feed_step(&f, data[i], data[i + 1], data[i + 2]);
		if (data[i] < 192)
			continue;
		if (come_in(&f, &s, data[i] < 240))
			served = f;
		else
			f = served;
	}
	snapshot_free(s);
	diag_clear(&diag);
	CHECK(zalloc_bytes() == start);
	return 0;
}
