/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The zone builder: records in, snapshot out.
 *
 * A builder collects the records of one version of one zone (in any order), checks them as a whole, and compiles
 * them. Nothing that it makes is visible to anyone before zone_publish(). A builder that fails or is
 * abandoned leaves nothing behind.
 *
 * One thread at a time; allocates; may take seconds for a large zone, so never on the control loop itself.
 */
#ifndef ANSER_STORE_BUILDER_H
#define ANSER_STORE_BUILDER_H

#include <stdbool.h>
#include <stdint.h>

#include "zones/base/compiler.h"
#include "zones/base/diag.h"
#include "zones/store/zone.h"
#include "zones/wire/name.h"

struct zone_builder;
struct zone_record;
struct crew;

/* Where a record was written, for the diagnostics of checks; file is borrowed for the builder's life. */
struct record_place {
	const char *file;
	uint32_t line, column;
};

/* A builder for the zone `apex` (lower case). NULL: out of memory. */
struct zone_builder *zone_builder_new(const struct name *apex) MUST_CHECK;

/*
 * Tells an empty builder that about so many records are to come, which spares it to find out. 0 or -ENOMEM (nothing
 * has changed).
 */
int zone_builder_expect(struct zone_builder *b, uint64_t records) MUST_CHECK;

/*
 * Adds one record. `owner` is any case and must be at or below the apex; `rdata` is uncompressed wire form that
 * passed rdata_check(); all of it is copied. `place` may be NULL. 0, -ENOMEM, or -ERANGE: the owner is out of zone
 * (nothing was added).
 */
int zone_builder_add(struct zone_builder *b, const struct name *owner, uint16_t type, uint32_t ttl_s,
		     const uint8_t *rdata, uint16_t rdlen, const struct record_place *place) MUST_CHECK;

/*
 * Puts the records of `part`, a builder of the same apex, behind those of b, as if they had been added to it in
 * their order; so several threads can collect the records of one zone, each in a builder of its own. Costs little
 * where both are large, and their files have the same numbers. 0 or -ENOMEM (then b is of no use any more).
 * Consumes part.
 */
int zone_builder_join(struct zone_builder *b, struct zone_builder *part) MUST_CHECK;

/* Records added so far. */
uint64_t zone_builder_records(const struct zone_builder *b);

/*
 * Who helps to finish a large zone (zones/base/crew.h); borrowed until then. NULL, as at first: nobody.
 */
void zone_builder_set_crew(struct zone_builder *b, struct crew *crew);

/*
 * Makes the records readable for who stores them while they are made into a zone: in an order of the builder's, the
 * owners in lower case, and what is there twice twice. Nothing may be added from here on. The reader may be on
 * another thread, and may outlive the builder: the records are there until both have done with them. 0 or -ENOMEM.
 */
struct zone_builder_reader;
int zone_builder_read(struct zone_builder *b, struct zone_builder_reader **out) MUST_CHECK;

/* The next record, borrowed until the reader is freed. False: that was the last one, and the reader holds no more.
 */
bool zone_builder_reader_next(struct zone_builder_reader *reader, struct zone_record *out) MUST_CHECK;

/* NULL is allowed. */
void zone_builder_reader_free(struct zone_builder_reader *reader);

/*
 * Checks and compiles. Faults go to `diag` with the place of the record: errors (SOA missing or doubled, no NS at
 * the apex, CNAME beside other data, two CNAMEs or DNAMEs at a name, a set too large for a message, more NSEC3
 * iterations than resolvers accept) refuse the zone; warnings (missing glue, duplicate records, differing TTLs in a
 * set, data hidden below a cut, NS or MX pointing at a CNAME, broken or mixed chains of NSEC and NSEC3, sets
 * without signature in a signed zone) do not. Duplicates are dropped; differing TTLs, theirs included, become the
 * lowest (RFC 2181 section 5.2).
 *
 * 0: *out is a snapshot that the caller owns (publish it, or snapshot_free()). -EINVAL: refused, see diag. -ENOMEM.
 * Consumes b in every case.
 */
int zone_builder_finish(struct zone_builder *b, struct diag_list *diag, struct snapshot **out) MUST_CHECK;

/* Throws the builder and its records away. NULL is allowed. */
void zone_builder_abort(struct zone_builder *b);

#endif
