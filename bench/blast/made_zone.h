/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Zones made up by number, and the names in them: whoever makes the zone and whoever asks for it agree by calling
 * the same function.
 *
 *   flat   n0 to n(N-1), an A record each
 *   tld    the same names delegated: two name servers of 2,000 providers, of which every other one is in the zone
 * with addresses (sibling glue); one in ten has a name server of its own below itself, with glue; one in three has
 *          a DS record
 *   long   names of 160 octets before the zone's own, an A record each
 *
 * Names are numbered without gaps, so `x` in front of a number is never there. Pure but for the stream; any thread.
 */
#ifndef ANSER_BLAST_MADE_ZONE_H
#define ANSER_BLAST_MADE_ZONE_H

#include <stdint.h>
#include <stdio.h>

#include "zones/base/compiler.h"
#include "zones/wire/name.h"

enum made_kind { MADE_FLAT, MADE_TLD, MADE_LONG };

#define MADE_PREFIX_MAX 180 /* octets that a made name may have before the zone's own */

/* 0 or -ENOENT. */
int made_kind_from_text(const char *text, enum made_kind *out) MUST_CHECK;

/* Name i of a zone. The zone's name has at most NAME_MAX_LEN - MADE_PREFIX_MAX octets. */
void made_name(enum made_kind kind, const struct name *zone, uint32_t i, struct name *out);

/* A name that is not in the zone; as made_name() in all else. */
void made_missing_name(enum made_kind kind, const struct name *zone, uint32_t i, struct name *out);

/* A name below delegation i: `www` in front of it. */
void made_name_below(enum made_kind kind, const struct name *zone, uint32_t i, struct name *out);

/* Writes the zone file. 0, or -EIO. */
int made_zone_write(enum made_kind kind, const struct name *zone, uint32_t names, FILE *out) MUST_CHECK;

#endif
