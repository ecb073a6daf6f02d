/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Zones as the answering side sees them: root, zone set, zone, snapshot.
 *
 *     zone_root ──> struct zone_set (apex → zone) ──> struct zone ──> struct snapshot (name → node) ──> record sets
 *
 * Two pointers are published under RCU, zone_root.current and zone.current; the control thread alone stores them.
 * A reader loads zone_root once per burst, after the packets came in, and each zone's snapshot once per
 * answer; it keeps neither over its quiescent state. What a store replaced is freed after a grace period.
 */
#ifndef ANSER_STORE_ZONE_H
#define ANSER_STORE_ZONE_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "zones/store/names.h"
#include "zones/store/node.h"
#include "zones/store/rrset.h"
#include "zones/wire/name.h"

/* Which numbers of labels occur: bit k is set when there is a name with k labels. Bounds the probes for a query. */
struct depth_map {
	uint64_t bits[2];
};

static inline bool
depth_map_has(const struct depth_map *m, unsigned k)
{
	return m->bits[k / 64] >> (k % 64) & 1;
}

static inline void
depth_map_set(struct depth_map *m, unsigned k)
{
	m->bits[k / 64] |= UINT64_C(1) << (k % 64);
}

struct crew;
struct denial_index;
struct intern;

/* One verified version of one zone. Immutable. */
struct snapshot {
	struct names names;
	struct depth_map depths;
	const struct node *apex;
	const struct rrset *negative_soa; /* TTL capped by MINIMUM (RFC 2308 section 5); owned, as its RRSIGs are */
	const struct rrset *negative_soa_sigs;
	const struct denial_index *denial; /* owned (denial.h); NULL: nothing to prove with */
	uint64_t apex_hash;
	uint32_t serial;
	uint8_t apex_labels, apex_len;
	bool is_signed; /* the apex has DNSKEY or RRSIGs */
	/* cold */
	uint64_t records, sets;
	uint32_t refresh_s, retry_s, expire_s, minimum_s;
	struct intern
		*interned; /* where changes find equal sets (intern.h); held, for writers; NULL: none has any */
} __attribute__((aligned(CACHE_LINE)));

/* Frees a snapshot (may be NULL), its nodes and sets: after a grace period, or when it was never published. */
void snapshot_free(struct snapshot *s);

/* Bytes of zone data that the snapshot holds: tables, nodes, and of each set the share of each user. Walks the
 * zone. */
size_t snapshot_bytes(const struct snapshot *s);

/* The same, by a crew (NULL: the caller alone). */
size_t snapshot_bytes_by(const struct snapshot *s, struct crew *crew);

enum zone_flag {
	ZONE_EXPIRED = 1, /* of a zone without snapshot: it had one, and its EXPIRE ran out */
};

/* A zone's slot: it stays at its address as long as the zone is configured; only its snapshot changes. */
struct zone {
	struct names_entry entry;                 /* hash and apex name */
	_Atomic(const struct snapshot *) current; /* NULL: not loaded or expired, SERVFAIL */
	void *owner; /* what the writer knows of the zone beside this; readers do not look. NULL: nothing */
	uint8_t labels;
	_Atomic uint8_t state;         /* enum zone_flag: why there is no snapshot */
	_Atomic uint32_t expires_at_s; /* of a secondary: wall time, modulo 2^32; 0: it does not expire */
	uint8_t apex[];                /* lower case */
};
_Static_assert(sizeof(struct zone) + 24 <= CACHE_LINE, "most names end on the line on which the zone begins");

/* A new slot without snapshot; `apex` in lower case. NULL: out of memory. Owned by the caller until zone_free(). */
struct zone *zone_new(const uint8_t *apex) MUST_CHECK;

/* Frees a slot that no zone set holds any more, and its snapshot. After a grace period. NULL is allowed. */
void zone_free(struct zone *z);

/* Reader: the snapshot to answer from; load once per answer. */
static inline const struct snapshot *
zone_current(const struct zone *z)
{
	return atomic_load_explicit(&z->current, memory_order_acquire);
}

/*
 * Reader: for how long the zone may be served by those who copy it from us now: the rest of a secondary's time, or
 * what a primary's SOA says (RFC 7314 section 3).
 */
static inline uint32_t
zone_expire_left_s(const struct zone *z, const struct snapshot *s, uint32_t now_s)
{
	uint32_t at_s = atomic_load_explicit(&z->expires_at_s, memory_order_relaxed);
	if (at_s == 0)
		return s->expire_s;
	return (int32_t)(at_s - now_s) > 0 ? at_s - now_s : 0;
}

/*
 * Control thread: makes `s` (may be NULL) what is served, at once, for everyone. Takes ownership of s and returns
 * the snapshot served until now, which the caller frees after a grace period.
 */
const struct snapshot *zone_publish(struct zone *z, const struct snapshot *s) MUST_CHECK;

/* What identifies the server in answers; lives and is replaced with the zone set. */
struct answer_config {
	uint16_t udp_payload;     /* largest UDP answer, and the size that our EDNS offers */
	uint16_t tcp_idle_100ms;  /* what clients that ask for keepalive are told (RFC 7828) */
	bool cookies_required;    /* over UDP */
	uint8_t n_cookie_secrets; /* 0: no cookies; the first makes them, all are good (RFC 9018 section 5) */
	uint8_t cookie_secrets[2][16];
	uint8_t identity_len, version_len;
	uint8_t identity[255]; /* NSID, id.server, hostname.bind; length 0: REFUSED */
	uint8_t version[255];  /* version.bind, version.server; length 0: REFUSED */
};

/* All zones that the server answers for. Immutable but for the snapshots inside the slots. */
struct zone_set {
	struct names zones; /* entries are struct zone */
	struct depth_map depths;
	struct answer_config config;
} __attribute__((aligned(CACHE_LINE)));

/* Builds a set of n slots (not owned by it). NULL: out of memory, or two slots with one apex. */
struct zone_set *zone_set_new(struct zone *const *zones, size_t n, const struct answer_config *config) MUST_CHECK;

/*
 * A set like `base` with the slots `add` more and those of `remove` less; shares what it can with base, at a cost
 * that follows the number of both. What base alone uses is added to *garbage: free it, and base by
 * zone_set_free_shell(), once the new set has been published and a grace period is over. 0; -EEXIST: a slot to add
 * is there, by its name; -ENOENT: one to remove is not; -ENOMEM, -ENOSPC as names_txn_put(). *garbage and *out are
 * untouched then.
 */
int
zone_set_new_changed(const struct zone_set *base, struct zone *const *add, size_t n_add, struct zone *const *remove,
		     size_t n_remove, struct garbage *garbage, struct zone_set **out) MUST_CHECK;

/* Frees the set, not the slots. After a grace period. NULL is allowed. */
void zone_set_free(struct zone_set *set);

/* Frees the set alone, and nothing of its table, which a younger set has taken over. */
void zone_set_free_shell(struct zone_set *set);

/* The place where the two roads meet. */
struct zone_root {
	_Atomic(const struct zone_set *) current;
};

/* Reader: once per burst, after rx. Never NULL once workers run. */
static inline const struct zone_set *
zone_root_current(const struct zone_root *root)
{
	return atomic_load_explicit(&root->current, memory_order_acquire);
}

/* Control thread: as zone_publish(), for the whole set. */
const struct zone_set *zone_root_publish(struct zone_root *root, const struct zone_set *set) MUST_CHECK;

#endif
