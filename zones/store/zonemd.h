/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ZONEMD: does the zone have the content that its own digest speaks of (RFC 8976)?
 *
 * The digest runs over every record of the zone in canonical form and order, what is hidden below cuts included,
 * the apex ZONEMD set and its signatures left out. Scheme SIMPLE with SHA-384 or SHA-512 is understood. This is
 * a checksum; it is the signature over the ZONEMD set that says who made it, and that is not checked here.
 */
#ifndef ANSER_STORE_ZONEMD_H
#define ANSER_STORE_ZONEMD_H

#include <stdint.h>

#include "zones/base/compiler.h"
#include "zones/store/zone.h"

enum zonemd_result {
	ZONEMD_ABSENT,      /* there is no ZONEMD at the apex */
	ZONEMD_GOOD,        /* one digest at least is right (RFC 8976 section 4, step 5) */
	ZONEMD_BAD,         /* none is right, and one at least is of a kind that we can compute */
	ZONEMD_UNSUPPORTED, /* all are of schemes or algorithms that we do not know */
};

#define ZONEMD_WHY_MAX 200

/*
 * Verifies a snapshot of the zone `apex` (lower case). *result and `why`, a short text for people, are set on
 * success only. Sorts the zone's names and reads all of its records: a second for some millions; a builder thread's
 * work, not the control loop's. Requires that nobody frees the snapshot meanwhile. 0, -ENOMEM, or -EIO: the crypto
 * library failed.
 */
int zonemd_verify(const struct snapshot *s, const uint8_t *apex, enum zonemd_result *result,
		  char why[ZONEMD_WHY_MAX]) MUST_CHECK;

#endif
