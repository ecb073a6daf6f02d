/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzzer of changes: rows of them against zones built as a whole.
 *
 * Each step takes three octets: what to do, to which record of the model, with which TTL; the highest bits of the
 * first end a change, by its finish or by throwing it away. Older versions stay until the end, and are compared
 * again then. Also meant to be linked with a main() that replays a corpus.
 */
#include <errno.h>
#include <stdlib.h>

#include "tests/unit/store/change_fixture.h"
#include "zones/base/alloc.h"

#define VERSIONS_MAX 16

#define CHECK(x)                                                                                                   \
	do {                                                                                                       \
		if (!(x))                                                                                          \
			abort();                                                                                   \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct version {
	struct snapshot *snapshot;
	struct snapshot_remains *left; /* what its successor does not use */
	struct model model;
};

static void
version_check(const struct version *v)
{
	struct diag_list diag = {0};
	struct snapshot *built;
	CHECK(model_build(&v->model, &diag, &built) == 0);
	snapshots_check_equal(v->snapshot, built);
	snapshot_free(built);
	diag_clear(&diag);
}

/* Ends a change; true if *next is a version now. */
static bool
finish(struct zone_change *c, const struct model *m, struct version *base, struct version *next, bool keep)
{
	struct diag_list diag = {0};
	struct snapshot *built = NULL, *s;
	struct snapshot_remains *remains;
	int err = zone_change_finish(c, &s, &remains);
	CHECK(err == model_build(m, &diag, &built));
	diag_clear(&diag);
	if (err != 0)
		return false;
	snapshots_check_equal(s, built);
	snapshot_free(built);
	if (!keep) {
		snapshot_discard(s, remains);
		return false;
	}
	next->snapshot = s;
	next->model = *m;
	model_settle(&next->model, s);
	base->left = remains;
	return true;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct version versions[VERSIONS_MAX];
	struct diag_list diag = {0};
	unsigned now = 0;
	size_t start = zalloc_bytes();
	model_init();
	versions[0].model = model_start();
	CHECK(model_build(&versions[0].model, &diag, &versions[0].snapshot) == 0);
	struct model m = versions[0].model;
	struct zone_change *c = zone_change_new(versions[0].snapshot, ZONE_CHANGE_LENIENT, &diag);
	for (size_t i = 0; i + 3 <= size && now + 1 < VERSIONS_MAX; i += 3) {
		CHECK(c != NULL && model_step(&m, c, data[i], data[i + 1], data[i + 2] % 4) == 0);
		if (data[i] < 192)
			continue;
		now += finish(c, &m, &versions[now], &versions[now + 1], data[i] < 240);
		m = versions[now].model;
		diag_clear(&diag);
		c = zone_change_new(versions[now].snapshot, ZONE_CHANGE_LENIENT, &diag);
	}
	zone_change_abort(c);
	for (unsigned i = 0; i <= now; i++) {
		version_check(&versions[i]);
		if (i < now)
			snapshot_remains_free(versions[i].left);
		else
			snapshot_free(versions[i].snapshot);
	}
	diag_clear(&diag);
	CHECK(zalloc_bytes() == start);
	return 0;
}
