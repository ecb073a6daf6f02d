/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Changes: a difference and a snapshot in, the next snapshot out, at a cost that follows the difference.
 *
 * This is the second way to a snapshot; the first, builder.h, takes all records of a zone. The result is the same
 * as if the builder had been given the records that the base holds, as it serves them, with the difference applied:
 * the same nodes, flags and record sets, so the same answers octet by octet. Only the depth map may name depths
 * that no name has any more, and fewer equal sets may be shared: those that no earlier change, and no build, has
 * listed (intern.h).
 *
 * A change is a list of edits, one a name, in which the records of touched names are changed at once; any number of
 * successive differences (an IXFR is a row of them) may go through one change. Names between a touched one and the
 * apex are touched where their count of children or their flags change, no others: but where a cut or a DNAME
 * appears or vanishes above names that the change does not touch itself, the whole names table is walked, once for
 * the change, to find those. Where NSEC3 parameters change, or a zone turns to or from NSEC or NSEC3, the zone is
 * built as a whole. Design note: docs/design/changes.md.
 *
 * Who owns what: see remains.h. The base must not be freed between zone_change_new() and finish or abort. One
 * builder thread at a time; allocates; readers of the base notice nothing.
 */
#ifndef ANSER_STORE_CHANGE_H
#define ANSER_STORE_CHANGE_H

#include <stdbool.h>
#include <stdint.h>

#include "zones/base/compiler.h"
#include "zones/base/diag.h"
#include "zones/store/remains.h"
#include "zones/store/zone.h"
#include "zones/wire/name.h"

struct zone_change;

/* What to do about a record that is removed and not there, or added and there already. */
enum zone_change_mode {
	ZONE_CHANGE_STRICT,  /* fail: the difference belongs to another base (RFC 1995) */
	ZONE_CHANGE_LENIENT, /* ignore it; but an added record gets the new TTL (RFC 2136 section 3.4.2.2) */
};

/*
 * A change of `base`, a snapshot that a builder or a change has made, with nothing changed yet. `diag` takes all
 * faults until the change ends. NULL: out of memory.
 */
struct zone_change *
zone_change_new(const struct snapshot *base, enum zone_change_mode mode, struct diag_list *diag) MUST_CHECK;

/*
 * Removes one record. `owner` is any case and at or below the apex; `rdata` is uncompressed wire form that passed
 * rdata_check(), and is compared in canonical form; the TTL does not count. 0, -ENOMEM, -ERANGE: out of zone, or,
 * if strict, -ENOENT with a fault that names the record. After any error the change is as it was before the call.
 */
int zone_change_remove(struct zone_change *c, const struct name *owner, uint16_t type, const uint8_t *rdata,
		       uint16_t rdlen) MUST_CHECK;

/*
 * Adds one record, as zone_change_remove(). All is copied. A set whose records have differing TTLs gets the lowest
 * (RFC 2181 section 5.2), those that were there before included. -EEXIST, if strict: it is there already.
 */
int zone_change_add(struct zone_change *c, const struct name *owner, uint16_t type, uint32_t ttl_s,
		    const uint8_t *rdata, uint16_t rdlen) MUST_CHECK;

/*
 * Says that records at this name (any case; it need not be in the zone) will be removed or added soon, ten or
 * twenty names later: what that needs to read is fetched into the caches meanwhile. Changes nothing.
 */
void zone_change_expect(struct zone_change *c, const uint8_t *owner);

/*
 * Removes all records of a type at a name (RRSIG: all signatures there; of another type: not its signatures), or
 * all records at the name. That there are none is no fault. 0, -ENOMEM or -ERANGE.
 */
int zone_change_remove_set(struct zone_change *c, const struct name *owner, uint16_t type) MUST_CHECK;
int zone_change_remove_name(struct zone_change *c, const struct name *owner) MUST_CHECK;

/* -------- what UPDATE needs besides (RFC 2136) -------- */

/*
 * Adds one record as section 3.4.2.2 has it: it replaces what is the same but for its TTL; of SOA, CNAME and DNAME
 * whatever is there; of WKS the one of the same address and protocol. All records of the set get its TTL, since a
 * set has but one (RFC 2181 section 5.2) and the latest is what the requestor wants. 0, -ENOMEM or -ERANGE.
 */
int zone_change_put(struct zone_change *c, const struct name *owner, uint16_t type, uint32_t ttl_s,
		    const uint8_t *rdata, uint16_t rdlen) MUST_CHECK;

/* Removes all records at the apex but SOA and NS (section 3.4.2.3); their signatures go. 0 or -ENOMEM. */
int zone_change_remove_apex_data(struct zone_change *c) MUST_CHECK;

/*
 * What the zone holds now: the base with all that the change has done so far. Reading opens an edit, which costs
 * memory until the change ends, and changes nothing. 0, -ENOMEM or -ERANGE, then *out is untouched.
 */

/* How many records there are of a type (RRSIG: all signatures; ANY: all records) at a name. */
int zone_change_count(struct zone_change *c, const struct name *owner, uint16_t type, size_t *out) MUST_CHECK;

/* Is this record there, whatever its TTL? As zone_change_remove() would find it. */
int zone_change_has(struct zone_change *c, const struct name *owner, uint16_t type, const uint8_t *rdata,
		    uint16_t rdlen, bool *out) MUST_CHECK;

/* Calls visit() for each type at a name, until it returns non-zero, and returns that. RRSIG may come repeatedly. */
int zone_change_types(struct zone_change *c, const struct name *owner, int (*visit)(void *arg, uint16_t type),
		      void *arg) MUST_CHECK;

/*
 * May a record of this type stand at this name beside the other types there? False for what would refuse the zone
 * at the end: a CNAME and other data, a DNAME and a delegation, an SOA below the apex.
 */
int zone_change_admits(struct zone_change *c, const struct name *owner, uint16_t type, bool *out) MUST_CHECK;

/* Does the zone differ from the base? What was added and removed again, or the other way round, does not count. */
bool zone_change_is_effective(const struct zone_change *c);

/*
 * Checks each touched name as zone_builder_finish() does, and SOA and NS at the apex; makes the new snapshot. Not
 * checked: chains of denial and missing signatures, and what the change may mean for names it does not touch (glue
 * that went away): of such things the builder only warns.
 *
 * 0: *out is the new snapshot and *remains what the base alone uses; publish the one and free the other later, or
 * give both to snapshot_discard(). -EINVAL: refused, see diag. -ENOMEM; -ENOSPC as names_txn_put(). After an error
 * the base is as it was. Consumes c in every case.
 */
int zone_change_finish(struct zone_change *c, struct snapshot **out, struct snapshot_remains **remains) MUST_CHECK;

/* Throws the change away. NULL is allowed. */
void zone_change_abort(struct zone_change *c);

#endif
