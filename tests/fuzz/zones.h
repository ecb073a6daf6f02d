/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The zones that fuzzers and the mutation campaign ask: the shipped examples, which hold every record type, and
 * tests/fuzz/zones, which holds what is large, deep, circular or barely fits. Loaded from the source tree once; a
 * fault ends the program.
 */
#ifndef ANSER_TESTS_FUZZ_ZONES_H
#define ANSER_TESTS_FUZZ_ZONES_H

#include "zones/store/zone.h"

#define FUZZ_ZONES_MAX 16

struct fuzz_zones {
	unsigned n;
	struct zone *zone[FUZZ_ZONES_MAX];
	struct zone_set *set;
};

/* Loads all; with_root: the root zone too, under which every name is ours. The caller owns them, and may leave
 * them. */
void fuzz_zones_load(struct fuzz_zones *zones, bool with_root, const struct answer_config *config);

void fuzz_zones_free(struct fuzz_zones *zones);

/* The deepest apex at or above a name in lower case; NULL: none. */
const struct zone *fuzz_zones_find(const struct fuzz_zones *zones, const uint8_t *name, unsigned len);

#endif
