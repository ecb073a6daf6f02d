/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What leads from one snapshot to the next, as the journal wants it: for versions that did not come as a difference
 * (zone files, whole transfers, updates). The SOA comes first in either half (RFC 1995 section 4).
 */
#ifndef ANSER_CONTROL_STATE_DIFFERENCE_H
#define ANSER_CONTROL_STATE_DIFFERENCE_H

#include <stdint.h>

#include "control/state/state.h"
#include "zones/store/zone.h"

struct state_difference {
	struct state_changes *changes;
	uint64_t n_removed, n_added; /* records, the SOA included */
};

/*
 * Makes the one difference between two versions of a zone; costs what snapshot_diff() does. 0, and out->changes is
 * the caller's; -E2BIG: it has more than `records_max` records; -EINVAL: the serials are the same; -ENOMEM. Any
 * thread that holds both.
 */
int state_difference_make(const struct snapshot *base, const struct snapshot *next, uint64_t records_max,
			  struct state_difference *out) MUST_CHECK;

#endif
