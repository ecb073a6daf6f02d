/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From records to record sets and nodes: the pieces that a whole build (builder_compile.c) and a change (change.h)
 * have in common, so that both make the same octets of the same records. Private to zones/store.
 *
 * One builder thread. Whatever comes back is the caller's until it has gone into a snapshot.
 */
#ifndef ANSER_STORE_COMPILE_H
#define ANSER_STORE_COMPILE_H

#include "zones/store/builder_private.h"
#include "zones/store/denial.h"
#include "zones/store/intern.h"

#define NODE_SETS_MAX 4000 /* a node's name offset must fit in 16 bits */

/* What one build makes sets and nodes with. All zero but for source and diag at first; compile_end() at last. */
struct compile {
	const struct record_source *source;
	struct diag_list *diag;
	struct intern *interned;    /* held and open; NULL: none yet */
	struct rrset_rdata *rdatas; /* scratch: the records of one set */
	unsigned rdatas_cap;
	bool hashes_names; /* the zone has NSEC3 records, made with `params` */
	struct nsec3_params params;
	uint64_t records, sets; /* compiled so far */
};

/* Frees scratch, and gives up the table; what was made lives on. */
void compile_end(struct compile *c);

/*
 * Compiles the n ≥ 1 records of one set, which come in canonical order: drops duplicates, settles the TTL, shares
 * the set. 0 or -ENOMEM; a fault that refuses the zone is in diag and leaves *out untouched.
 */
int compile_set(struct compile *c, const struct log_record *records, size_t n, struct rrset **out) MUST_CHECK;

/*
 * Makes a node, flags and all but what only its neighbours tell, of n_sets words (node.h: orphaned signatures
 * first, then by type). Small sets move into it; a set that is part of another node (refs 0) is copied; references
 * to the others go over to it. `known` has its hashes if they are known already, else NULL.
 *
 * 0, -ENOMEM, or -EINVAL with the reason in diag; then the references are still the caller's.
 */
int compile_node(const struct compile *c, const uint8_t *name, uint64_t hash, const uint64_t *words,
		 unsigned n_sets, const struct node_hashes *known, struct node **out) MUST_CHECK;

/* Gives the references of n words back, such as are not part of a node. */
void compile_release(const uint64_t *words, unsigned n);

/* Is this owner, in a zone that hashes names, one that spells a hash right below the apex? Then *hash is it. */
bool compile_is_nsec3_owner(const struct compile *c, const uint8_t *owner, unsigned owner_len,
			    uint8_t hash[NSEC3_HASH_LEN]) MUST_CHECK;

/* The first label is `*`. */
static inline bool
compile_is_wildcard(const uint8_t *owner)
{
	return owner[0] == 1 && owner[1] == '*';
}

/* Does the zone with this apex count as a signed one? */
static inline bool
compile_is_signed(const struct node *apex)
{
	return node_find(apex, RRTYPE_DNSKEY).set != NULL || node_find(apex, RRTYPE_SOA).sigs != NULL;
}

/* Sets what a snapshot knows from its apex's SOA (RFC 1035 section 3.3.13), if there is one, and the set of
 * negative answers. 0 or -ENOMEM. */
int compile_soa(struct snapshot *s, const uint8_t *apex) MUST_CHECK;

#endif
