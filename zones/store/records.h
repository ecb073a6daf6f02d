/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A zone read back record by record: what transfers, dumps and the state on disk are made of.
 *
 * A snapshot keeps its records compiled, in three places: the nodes of the names table, the signatures beside the
 * sets that they cover, and, in zones with NSEC3, the denial index, since NSEC3 owners are no nodes (denial.h).
 * Whoever wants "all records of the zone" asks here and need not know. Data that a cut or a DNAME hides is zone
 * data like any other (RFC 5936 section 3.5); the SOA of negative answers is not, and does not come.
 *
 * A cursor can stop between any two records and go on later. It allocates nothing and holds nothing, so the
 * snapshot must be held meanwhile: by RCU for one that never stops, else by a reference. Pure; one thread at a time
 * for each cursor, any number of cursors for each snapshot.
 */
#ifndef ANSER_STORE_RECORDS_H
#define ANSER_STORE_RECORDS_H

#include <stdbool.h>
#include <stdint.h>

#include "zones/base/compiler.h"
#include "zones/store/denial.h"
#include "zones/store/zone.h"
#include "zones/wire/rdata.h"

/* One record of class IN. Everything is borrowed, for as long as who hands it out says. */
struct zone_record {
	const uint8_t *owner; /* wire form, uncompressed */
	const uint8_t *rdata; /* the same; has passed rdata_check() */
	uint32_t ttl_s;
	uint16_t type, rdlen;
};

/* The record sets of one name, signatures included, each right behind the set that it covers. */
struct name_sets {
	const struct node *node;   /* NULL: an NSEC3 set */
	const struct nsec3 *nsec3; /* NULL: a node */
	unsigned next;             /* 0 to begin with */
};

/* The next set, or NULL behind the last one. */
const struct rrset *name_sets_next(struct name_sets *sets);

#define NSEC3_OWNER_MAX (1 + NSEC3_LABEL_LEN + NAME_MAX_LEN)

/* Writes the owner of an NSEC3 set of the zone `apex`, in lower case; returns its length. */
unsigned nsec3_owner(const struct nsec3 *n, const uint8_t *apex, uint8_t out[NSEC3_OWNER_MAX]);

struct records_cursor {
	const struct snapshot *snapshot;
	struct names_cursor names;
	struct order_cursor nsec3; /* comes behind all names */
	struct name_sets sets;     /* of the current name */
	struct rrset_iter records; /* of the current set; its set is NULL before the first */
	uint8_t owner[NSEC3_OWNER_MAX];
};

/* Stands before the first record. The snapshot is borrowed. */
void records_cursor_begin(struct records_cursor *c, const struct snapshot *s);

/*
 * Hands out the next record: all those of a set one after the other, names in no particular order. Its data is
 * written to rdata[RDATA_MAX_LEN], which *out points to; its owner is good until the next call. False: there are no
 * more, and *out is untouched.
 */
bool records_cursor_next(struct records_cursor *c, uint8_t *rdata, struct zone_record *out) MUST_CHECK;

/* The zone's SOA, in the same way. Every snapshot that a builder made has one. */
void records_soa(const struct snapshot *s, uint8_t *rdata, struct zone_record *out);

#endif
