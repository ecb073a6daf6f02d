/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A zone that comes in: a row of the model's records (change_fixture.h) in any order, doubled and with any TTLs,
 * which goes to a builder or over a base. Aborts where it should not fail, so that it serves fuzzers as well.
 */
#ifndef ANSER_TESTS_REPLACE_FIXTURE_H
#define ANSER_TESTS_REPLACE_FIXTURE_H

#include "tests/unit/store/change_fixture.h"

#define FEED_MAX 512

struct feed {
	struct feed_item {
		uint16_t which;
		uint32_t ttl_s;
	} items[FEED_MAX];
	unsigned n;
	bool is_upper[MODEL_MAX]; /* by record: owner and names in its data are in capital letters */
};

/* SOA and NS. model_init() has been called. */
struct feed feed_start(void);

/* Changes the row as these numbers choose. */
void feed_step(struct feed *f, uint8_t what, unsigned which, uint8_t arg);

/* Builds the zone as a whole; as zone_builder_finish(). */
int feed_build(const struct feed *f, struct diag_list *diag, struct snapshot **out);

/* Puts it over a base; -ENOMEM, or as zone_replace_finish(). */
int feed_replace(const struct feed *f, const struct snapshot *base, struct diag_list *diag, struct snapshot **out,
		 struct snapshot_remains **remains);

#endif
