/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Copying record sets into a reply. See reply.h; what a compiled set looks like is in zones/store/rrset.h.
 */
#include "zones/answer/reply.h"

#include <assert.h>

#include "zones/base/bytes.h"
#include "zones/wire/rdata.h"
#include "zones/wire/rrtype.h"

#define POINTER_MAX 0x3fff
#define POINTER 0xc000

uint32_t
reply_suffix_at(const struct reply *r, struct place p, unsigned suffix_len)
{
	if (likely(p.is_whole))
		return p.at + p.len - suffix_len;
	uint32_t at = p.at;
	for (unsigned len = p.len; len > suffix_len;) {
		while ((r->msg[at] & 0xc0) == 0xc0)
			at = load_be16(r->msg + at) & POINTER_MAX;
		len -= 1u + r->msg[at];
		at += 1u + r->msg[at];
	}
	return at;
}

/* Has all owners of a set that was copied to `to` point to where the name stands. */
static void
point_owners(uint8_t *to, const struct rrset *s, uint32_t at)
{
	const uint16_t pointer = (uint16_t)(POINTER | at);
	store_be16(to, pointer);
	for (unsigned i = 1; i < s->n_rr; i++) {
		to += RRSET_RR_HEAD + load_be16(to + RRSET_RR_HEAD - 2);
		store_be16(to, pointer);
	}
}

/* Copy, then mend: owners that are not QNAME, and the pointers inside the data. */
static void
copy_compiled(struct reply *r, const struct rrset *s, struct place owner)
{
	uint8_t *to = r->msg + r->pos;
	octets_copy(to, rrset_wire(s), s->wire_len);
	const struct rrset_fixup *fixups = rrset_fixups(s);
	for (unsigned i = 0; i < s->n_fixups; i++) {
		uint32_t at = (fixups[i].value & RRSET_LOCAL) == RRSET_LOCAL
				      ? r->pos + (fixups[i].value & RRSET_VALUE)
				      : reply_suffix_at(r, owner, fixups[i].value & RRSET_VALUE);
		store_be16(to + fixups[i].pos, (uint16_t)(POINTER | at));
	}
	if (owner.at != DNS_HEADER_LEN)
		point_owners(to, s, owner.at);
	r->pos += s->wire_len;
}

/* The whole name at a place, read back from the message that is being built. */
static void
read_place(const struct reply *r, struct place p, struct name *out)
{
	size_t at = p.at;
	if (name_expand(r->msg, r->pos, &at, out) != NAME_OK)
		__builtin_unreachable(); /* we wrote it, or checked it as QNAME */
}

/*
 * Where pointers do not reach, names are written in full: late sets of large TCP answers. False: no
 * room.
 */
static bool
write_uncompressed(struct reply *r, const struct rrset *s, struct place owner_place)
{
	struct name owner, lower;
	read_place(r, owner_place, &owner);
	lower.len = owner.len;
	name_lower(lower.bytes, owner.bytes, owner.len);
	struct rrset_iter it;
	rrset_iter_init(&it, s, lower.bytes);
	uint32_t start = r->pos;
	uint8_t rdata[RDATA_MAX_LEN];
	for (int len; (len = rrset_iter_next(&it, rdata)) >= 0;) {
		if (r->pos + owner.len + RRSET_RR_HEAD - 2 + (uint32_t)len > r->limit) {
			r->pos = start;
			return false;
		}
		uint8_t *to = r->msg + r->pos;
		memcpy(to, owner.bytes, owner.len);
		to += owner.len;
		store_be16(to, s->type);
		store_be16(to + 2, RRCLASS_IN);
		store_be32(to + 4, rrset_ttl(s));
		store_be16(to + 8, (uint16_t)len);
		memcpy(to + 10, rdata, (size_t)len);
		r->pos += owner.len + 10u + (uint32_t)len;
	}
	return true;
}

/* Pointers have 14 bits. Only what they point at has to lie within that; a large set may go on beyond. */
static inline bool
pointers_reach(const struct reply *r, const struct rrset *s, struct place owner)
{
	uint32_t local_max = s->wire_len < RRSET_LOCAL_MAX ? s->wire_len : RRSET_LOCAL_MAX;
	return owner.at + owner.len <= POINTER_MAX && (s->n_fixups == 0 || r->pos + local_max <= POINTER_MAX);
}

static inline __attribute__((always_inline)) bool
add_set(struct reply *r, const struct rrset *s, struct place owner)
{
	if (unlikely(!pointers_reach(r, s, owner)))
		return write_uncompressed(r, s, owner);
	if (r->pos + s->wire_len > r->limit)
		return false;
	copy_compiled(r, s, owner);
	return true;
}

static __attribute__((noinline)) bool
add_signatures(struct reply *r, const struct rrset *sigs, struct place owner)
{
	return add_set(r, sigs, owner);
}

bool
reply_add(struct reply *r, enum reply_section section, struct node_sets sets, struct place owner, uint32_t *base)
{
	uint32_t start = r->pos;
	if (!add_set(r, sets.set, owner))
		return false;
	unsigned n = sets.set->n_rr;
	if (r->wants_dnssec && sets.sigs != NULL) {
		if (!add_signatures(r, sets.sigs, owner)) {
			r->pos = start;
			return false;
		}
		n += sets.sigs->n_rr;
	}
	r->count[section] = (uint16_t)(r->count[section] + n);
	if (base != NULL)
		*base = start;
	return true;
}

/* A set and its signatures whose owner nothing can point at any more: it is written out for each record. */
static bool
write_owners_below(struct reply *r, const struct rrset *s, const uint8_t *prefix, unsigned prefix_len,
		   uint32_t suffix_at)
{
	const uint8_t *wire = rrset_wire(s);
	for (uint32_t pos = 0, end; pos < s->wire_len; pos = end) {
		end = pos + RRSET_RR_HEAD + load_be16(wire + pos + RRSET_RR_HEAD - 2);
		if (r->pos + prefix_len + (end - pos) > r->limit)
			return false;
		memmove(r->msg + r->pos, prefix, prefix_len);
		memcpy(r->msg + r->pos + prefix_len, wire + pos, end - pos);
		store_be16(r->msg + r->pos + prefix_len, (uint16_t)(POINTER | suffix_at));
		r->pos += prefix_len + (end - pos);
	}
	return true;
}

/* The owner once, in front of the first record; all others point at it. The room is there. */
static void
write_owner_below(struct reply *r, struct node_sets sets, const uint8_t *prefix, unsigned prefix_len,
		  uint32_t suffix_at)
{
	uint32_t owner_at = r->pos;
	uint8_t *to = r->msg + owner_at;
	if (to != prefix)
		memcpy(to, prefix, prefix_len);
	to += prefix_len;
	octets_copy(to, rrset_wire(sets.set), sets.set->wire_len);
	point_owners(to, sets.set, owner_at);
	store_be16(to, (uint16_t)(POINTER | suffix_at));
	to += sets.set->wire_len;
	if (sets.sigs != NULL) {
		octets_copy(to, rrset_wire(sets.sigs), sets.sigs->wire_len);
		point_owners(to, sets.sigs, owner_at);
		to += sets.sigs->wire_len;
	}
	r->pos = (uint32_t)(to - r->msg);
}

bool
reply_add_below(struct reply *r, enum reply_section section, struct node_sets sets, const uint8_t *prefix,
		unsigned prefix_len, struct place suffix)
{
	if (prefix_len == 0)
		return reply_add(r, section, sets, suffix, NULL);
	if (!r->wants_dnssec)
		sets.sigs = NULL;
	assert(sets.set->n_fixups == 0 && (sets.sigs == NULL || sets.sigs->n_fixups == 0));
	unsigned n = sets.set->n_rr + (sets.sigs != NULL ? sets.sigs->n_rr : 0u);
	uint32_t start = r->pos;
	uint32_t size = prefix_len + sets.set->wire_len + (sets.sigs != NULL ? sets.sigs->wire_len : 0u);
	if (suffix.at > POINTER_MAX || start + size > r->limit)
		return false;
	if (likely(start <= POINTER_MAX)) {
		write_owner_below(r, sets, prefix, prefix_len, suffix.at);
	} else if (!write_owners_below(r, sets.set, prefix, prefix_len, suffix.at) ||
		   (sets.sigs != NULL && !write_owners_below(r, sets.sigs, prefix, prefix_len, suffix.at))) {
		r->pos = start;
		return false;
	}
	r->count[section] = (uint16_t)(r->count[section] + n);
	return true;
}

/* Head of a record that is made here and not compiled. */
static uint8_t *
write_head(struct reply *r, uint16_t owner_at, uint16_t type, uint16_t rrclass, uint32_t ttl_s, uint16_t rdlen)
{
	uint8_t *to = r->msg + r->pos;
	store_be16(to, (uint16_t)(POINTER | owner_at));
	store_be16(to + 2, type);
	store_be16(to + 4, rrclass);
	store_be32(to + 6, ttl_s);
	store_be16(to + 10, rdlen);
	return to + RRSET_RR_HEAD;
}

bool
reply_add_cname(struct reply *r, struct place owner, uint32_t ttl_s, const uint8_t *prefix, unsigned prefix_len,
		uint32_t suffix_at, uint32_t *base)
{
	bool is_root = r->msg[suffix_at] == 0;
	uint16_t rdlen = (uint16_t)(prefix_len + (is_root ? 1 : 2));
	if (r->pos + RRSET_RR_HEAD + rdlen > r->limit || owner.at > POINTER_MAX || suffix_at > POINTER_MAX)
		return false;
	uint8_t *to = write_head(r, owner.at, RRTYPE_CNAME, RRCLASS_IN, ttl_s, rdlen);
	memcpy(to, prefix, prefix_len);
	if (is_root)
		to[prefix_len] = 0;
	else
		store_be16(to + prefix_len, (uint16_t)(POINTER | suffix_at));
	*base = r->pos;
	r->pos += RRSET_RR_HEAD + rdlen;
	r->count[SECTION_ANSWER]++;
	return true;
}

bool
reply_add_chaos(struct reply *r, const uint8_t *text, uint8_t len)
{
	if (r->pos + RRSET_RR_HEAD + 1u + len > r->limit)
		return false;
	uint8_t *to = write_head(r, DNS_HEADER_LEN, RRTYPE_TXT, RRCLASS_CH, 0, (uint16_t)(1 + len));
	to[0] = len;
	memcpy(to + 1, text, len);
	r->pos += RRSET_RR_HEAD + 1u + len;
	r->count[SECTION_ANSWER]++;
	return true;
}
