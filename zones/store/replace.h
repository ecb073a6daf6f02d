/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A whole zone that comes in record by record over one that is there: the next snapshot out, sharing all that is
 * the same. What an AXFR of a known zone goes through, so that it costs no second zone.
 *
 * Records come in any order; those of one name mostly in a row, which is what makes it cheap. A name whose records
 * are those of the base is ticked off in one bit; any other becomes an edit of a change (change.h); at the end,
 * what was not ticked off is removed. The result is what a builder would have made of the same records, as change.h
 * says it of changes. Where more than a third of the names differ, it is built as a whole (remains.h,
 * shares_nothing).
 *
 * Ownership, threads and errors as change.h.
 */
#ifndef ANSER_STORE_REPLACE_H
#define ANSER_STORE_REPLACE_H

#include <stdint.h>

#include "zones/base/compiler.h"
#include "zones/base/diag.h"
#include "zones/store/remains.h"
#include "zones/store/zone.h"
#include "zones/wire/name.h"

struct zone_replace;

/* NULL: out of memory. `diag` takes all faults until the end. */
struct zone_replace *zone_replace_new(const struct snapshot *base, struct diag_list *diag) MUST_CHECK;

/*
 * As zone_builder_add(): 0, -ENOMEM, or -ERANGE, which adds nothing. After -ENOMEM every further call says the
 * same, the finish included.
 */
int zone_replace_add(struct zone_replace *r, const struct name *owner, uint16_t type, uint32_t ttl_s,
		     const uint8_t *rdata, uint16_t rdlen) MUST_CHECK;

/*
 * As zone_change_finish(): names that are as they were are not checked again, so diag has no warnings of them. That
 * nothing came at all is refused, there being no SOA. Consumes r in every case.
 */
int
zone_replace_finish(struct zone_replace *r, struct snapshot **out, struct snapshot_remains **remains) MUST_CHECK;

/* NULL is allowed. */
void zone_replace_abort(struct zone_replace *r);

#endif
