/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a zone's own digest (ZONEMD, RFC 8976) means for a version that is about to be served, by the
 * configuration's `zonemd`: the one rule for zone files and for transfers.
 */
#ifndef ANSER_CONTROL_ZONEMD_RULE_H
#define ANSER_CONTROL_ZONEMD_RULE_H

#include <stdbool.h>

#include "control/config/config.h"
#include "zones/base/compiler.h"
#include "zones/store/zonemd.h"

enum zonemd_rule {
	ZONEMD_RULE_TAKE,
	ZONEMD_RULE_WARN,        /* take it, and tell why its digest is no good */
	ZONEMD_RULE_REFUSE_BAD,  /* a right one is required, and it is wrong */
	ZONEMD_RULE_REFUSE_NONE, /* a right one is required, and there is none that could be verified */
};

static inline bool
zonemd_rule_refuses(enum zonemd_rule rule)
{
	return rule >= ZONEMD_RULE_REFUSE_BAD;
}

/*
 * Judges a snapshot of the zone `apex` (lower case), as zonemd_verify() does, and at its cost where the zone has a
 * ZONEMD. 0 and *out, with `why` but for TAKE; -ENOMEM or -EIO.
 */
int zonemd_rule_judge(const struct snapshot *s, const uint8_t *apex, enum config_zonemd wanted,
		      enum zonemd_rule *out, char why[ZONEMD_WHY_MAX]) MUST_CHECK;

#endif
