/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A record set, compiled: the records of one owner and type in wire form, ready to be copied into an answer.
 *
 * The wire bytes hold every record whole (owner, type, class, TTL, length, data); owners are 0xC00C, which is right
 * wherever the owner is QNAME. Names in the data are compressed already, as far as their type allows. What an
 * answer has to mend after the copy is listed beside the bytes:
 *
 *   owners     where the owner is not QNAME (referral, chain, glue), one two-octet pointer a record;
 *   fix-ups    a pointer in the data, either to a suffix of the owner's name (value: the suffix's length in
 *              octets, so that its place is "end of the name that stands at the owner's place, minus value") or to
 *              an earlier name of the same set (value: its offset in the set).
 *
 * Because a set speaks of its owner only by suffix lengths, sets of different owners are often equal octet by octet
 * and are stored once (hash-consed, intern.h; counted by `refs`). Design note: docs/design/record-sets.md.
 *
 * Immutable after rrset_compile(). Readers: any thread, RCU or a reference on the snapshot. Writers
 * alone touch `refs`.
 */
#ifndef ANSER_STORE_RRSET_H
#define ANSER_STORE_RRSET_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "zones/base/bytes.h"
#include "zones/base/compiler.h"
#include "zones/wire/name.h"

/* Octets in front of a record's data: owner pointer 2, type 2, class 2, TTL 4, length 2. */
#define RRSET_RR_HEAD 12

struct rrset_fixup {
	uint16_t pos;   /* of the two pointer octets, from the start of the set */
	uint16_t value; /* what stands there: RRSET_LOCAL | offset in the set, or RRSET_OWNER | suffix length */
};

/* The wire bytes hold the value where the pointer will stand: a set can be read back without an answer around it.
 */
#define RRSET_LOCAL 0xc000
#define RRSET_OWNER 0x8000
#define RRSET_VALUE 0x3fff

/* No name of a set points further into it, so that a set at the usual place of an answer has all its pointers in
 * reach. */
#define RRSET_LOCAL_MAX 0x3c00

/* Targets that additional processing follows: where the name lies in the set. Only names in the zone are listed. */

struct rrset {
	/* Users, and RRSET_LISTED; 0: the set is part of a node and lives as long as that (node.h). */
	_Atomic uint32_t refs;
	uint16_t wire_len;
	uint16_t type;
	uint16_t n_rr;
	uint16_t n_fixups;
	uint16_t n_targets;
	/* struct rrset_fixup fixups[n_fixups]; uint16_t targets[n_targets]; uint8_t wire[wire_len]; */
	uint8_t data[];
};

/* A table lists the set (intern.h): then its last user does not free it. */
#define RRSET_LISTED (UINT32_C(1) << 31)
_Static_assert(sizeof(struct rrset) <= 16, "the head of a set and one address record share a cache line's half");

static inline const struct rrset_fixup *
rrset_fixups(const struct rrset *s)
{
	return (const struct rrset_fixup *)s->data;
}

static inline const uint16_t *
rrset_targets(const struct rrset *s)
{
	return (const uint16_t *)(s->data + s->n_fixups * sizeof(struct rrset_fixup));
}

static inline const uint8_t *
rrset_wire(const struct rrset *s)
{
	return (const uint8_t *)(rrset_targets(s) + s->n_targets);
}

/*
 * The i-th target, uncompressed and in the case that it was written in, of a set whose owner is the name of
 * `owner_len` octets. False: it lies too far into the set to be read. Not for targets that stand for their owner
 * (SVCB and HTTPS).
 */
bool rrset_target(const struct rrset *s, unsigned i, const uint8_t *owner, unsigned owner_len,
		  struct name *out) MUST_CHECK;

/* One TTL for the whole set (RFC 2181 section 5.2), seconds. */
static inline uint32_t
rrset_ttl(const struct rrset *s)
{
	return load_be32(rrset_wire(s) + 6);
}

static inline size_t
rrset_size(const struct rrset *s)
{
	return offsetof(struct rrset, data) + s->n_fixups * sizeof(struct rrset_fixup) +
	       s->n_targets * sizeof(uint16_t) + s->wire_len;
}

/* One record's data as the compiler takes it: uncompressed wire form, already checked. */
struct rrset_rdata {
	const uint8_t *data;
	uint16_t len;
};

/*
 * Compiles a set of the zone `apex`. `owner` is its owner in lower case, `rdatas` its n ≥ 1 records in the order in
 * which they shall be served (the builder gives them in canonical order). *out is the caller's, with refs == 1.
 * 0, -ENOMEM, or -E2BIG: the set does not fit in a message.
 */
int rrset_compile(const uint8_t *apex, const uint8_t *owner, uint16_t type, uint32_t ttl_s,
		  const struct rrset_rdata *rdatas, unsigned n, struct rrset **out) MUST_CHECK;

/* Are two sets the same octets, fix-ups and TTL included? Both may be part of a node. */
static inline bool
rrset_is_equal(const struct rrset *x, const struct rrset *y)
{
	size_t from = offsetof(struct rrset, wire_len), size = rrset_size(x);
	return x == y || (size == rrset_size(y) &&
			  memcmp((const uint8_t *)x + from, (const uint8_t *)y + from, size - from) == 0);
}

/* A copy of a set with another TTL: the SOA of negative answers (RFC 2308 section 5). NULL: out of memory. */
struct rrset *rrset_with_ttl(const struct rrset *s, uint32_t ttl_s) MUST_CHECK;

/* How many references there are to a set that stands alone; the caller has one. */
static inline uint32_t
rrset_users(const struct rrset *s)
{
	return atomic_load_explicit(&s->refs, memory_order_relaxed) & ~RRSET_LISTED;
}

/* One user more; the caller has a reference. Writers. */
static inline void
rrset_hold(const struct rrset *s)
{
	atomic_fetch_add_explicit(&((struct rrset *)(uintptr_t)s)->refs, 1, memory_order_relaxed);
}

/* Gives one reference back; frees the set with the last, unless it is listed. NULL is allowed. Any thread. */
void rrset_release(struct rrset *s);

/* -------- reading a set back: dumps, transfers, checks, messages over 16 KiB -------- */

struct rrset_iter {
	const struct rrset *set;
	const uint8_t *owner; /* lower case */
	uint32_t pos;         /* of the next record */
	uint16_t fixup;       /* the next one */
	uint8_t owner_len;
};

void rrset_iter_init(struct rrset_iter *it, const struct rrset *s, const uint8_t *owner);

/*
 * Writes the next record's uncompressed data into out[RDATA_MAX_LEN] and returns its length, or -1 at the end.
 */
int rrset_iter_next(struct rrset_iter *it, uint8_t *out);

#endif
