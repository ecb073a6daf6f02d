/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looking names up some steps ahead, in walks over millions of them: the bucket is asked for first, and the entry
 * when the bucket has come, so that neither is waited for when the lookup itself is made. Private to zones/store;
 * pure.
 */
#ifndef ANSER_STORE_BUILDER_AHEAD_H
#define ANSER_STORE_BUILDER_AHEAD_H

#include "zones/store/names.h"

#define AHEAD 8 /* steps from the bucket to the entry, and from there to the lookup */
#define AHEAD_RING 64

/* By number of the step; 0: nothing will be looked up there. */
struct ahead {
	uint64_t hash[AHEAD_RING];
};

static inline void
ahead_bucket(struct ahead *a, const struct names *t, size_t step, uint64_t hash)
{
	a->hash[step % AHEAD_RING] = hash;
	if (hash != 0)
		prefetch(names_bucket_of(t, hash));
}

static inline void
ahead_entry(const struct ahead *a, const struct names *t, size_t step)
{
	uint64_t hash = a->hash[step % AHEAD_RING];
	if (hash != 0)
		prefetch(names_candidate(names_bucket_of(t, hash), hash));
}

/* Hash of the name above, or 0 where that is the apex, which no walk has to wait for, or the name is the apex. */
static inline uint64_t
ahead_parent(const uint8_t *name, unsigned len, unsigned apex_len)
{
	return len > apex_len && len - 1u - name[0] > apex_len ? name_hash(name + 1 + name[0]) : 0;
}

#endif
