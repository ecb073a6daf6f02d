/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A zone as text: a master file (RFC 1035 section 5) that reads back to the same zone.
 *
 * One record a line, everything spelled out: absolute owner, TTL, class, type, data. The SOA comes first, then the
 * zone in canonical order of names (RFC 4034 section 6.1), the sets of a name by type with their signatures behind
 * them. So two dumps of equal zones are equal, and two versions compare with diff(1).
 *
 * The order costs an index of 32 octets for each name, and its sorting; both happen in zone_dump_new(). A builder
 * thread, or any other that may take that long. The snapshot is borrowed and must be held until zone_dump_free().
 */
#ifndef ANSER_CONTROL_ZONE_DUMP_H
#define ANSER_CONTROL_ZONE_DUMP_H

#include <stddef.h>

#include "zones/base/compiler.h"
#include "zones/store/zone.h"

struct zone_dump;

/* NULL: out of memory. */
struct zone_dump *zone_dump_new(const struct snapshot *s) MUST_CHECK;

/* NULL is allowed. */
void zone_dump_free(struct zone_dump *d);

/*
 * Writes the next piece of text into buf[0..cap) and returns its length, which is cap but for the last piece; 0:
 * that was all. Pieces end anywhere, also inside a line. No NUL.
 */
size_t zone_dump_next(struct zone_dump *d, char *buf, size_t cap);

#endif
