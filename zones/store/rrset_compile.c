/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The record-set compiler: uncompressed records in, answer-ready octets with their fix-ups out. See rrset.h and
 * docs/design/record-sets.md.
 *
 * Compression is decided here, once, instead of in every answer. A name in the data may end in a suffix of the
 * owner, because the owner always stands somewhere in the answer (in the question, or as the name that led to this
 * set), or in an earlier name of the set. The longer match wins; the owner wins a tie, since pointers to it stay
 * right in messages of any size. Builder threads.
 */
#include <assert.h>
#include <errno.h>
#include <stdatomic.h>

#include "zones/base/alloc.h"
#include "zones/base/bytes.h"
#include "zones/store/rrset.h"
#include "zones/wire/rdata.h"
#include "zones/wire/rrtype.h"

/* Room that header, question and OPT need beside the set in a 65,535-octet message. */
#define MESSAGE_REST (12 + NAME_MAX_LEN + 4 + 11)
#define WIRE_MAX (65535 - MESSAGE_REST)
#define FIXUPS_MAX 8192

/* Earlier names of the set, by the hash of their suffixes. A set with more goes on with the first ones. */
#define DICTIONARY_SLOTS 512
#define DICTIONARY_MAX 256

struct compiler {
	const uint8_t *apex, *owner;
	uint8_t owner_len;
	uint8_t owner_skip; /* octets of the owner that a fix-up must not use: the `*` of a wildcard */
	uint32_t len;
	unsigned n_fixups, n_targets;
	unsigned n_dictionary;
	uint64_t in_use[DICTIONARY_SLOTS / 64]; /* a bit a slot: the slots themselves need no clearing, which took
						   longer than all else for most sets */
	struct {
		uint64_t hash;
		uint16_t offset;
		uint16_t suffix_len;
	} dictionary[DICTIONARY_SLOTS];
	struct rrset_fixup fixups[FIXUPS_MAX];
	uint16_t targets[FIXUPS_MAX];
	uint8_t wire[WIRE_MAX];
};

/*
 * Are these the same octets but for letter case? For places that may lie inside a label, where a name must not be
 * walked: what looks like a length there leads anywhere.
 */
static bool
octets_equal_folded(const uint8_t *a, const uint8_t *b, unsigned len)
{
	for (unsigned i = 0; i < len; i++)
		if (name_lower_octet(a[i]) != name_lower_octet(b[i]))
			return false;
	return true;
}

/* Does a label of the owner begin this far from its end? Octets of a label may look like labels themselves. */
static bool
owner_has_suffix_of(const struct compiler *c, unsigned len)
{
	unsigned at = 0;
	while (c->owner_len - at > len)
		at += 1u + c->owner[at];
	return c->owner_len - at == len;
}

/* The longest suffix of `name`, at label `i` or later, that the owner ends in; its length, or 0. */
static unsigned
owner_suffix(const struct compiler *c, const uint8_t *name, const struct name_suffixes *suffixes,
	     unsigned name_octets)
{
	for (unsigned k = suffixes->labels; k > 0; k--) {
		unsigned len = name_octets - name_suffix_start(suffixes, k);
		if (len <= (unsigned)(c->owner_len - c->owner_skip) &&
		    octets_equal_folded(name + name_suffix_start(suffixes, k), c->owner + c->owner_len - len,
					len) &&
		    owner_has_suffix_of(c, len))
			return len;
	}
	return 0;
}

/* Does the name that was written at `offset` of the set equal the good name `suffix`? */
static bool
written_name_equals(const struct compiler *c, uint16_t offset, const uint8_t *suffix)
{
	const uint8_t *p = c->wire + offset;
	for (;;) {
		if ((*p & 0xc0) == 0xc0) {
			p = c->wire + (load_be16(p) & RRSET_VALUE);
			continue;
		}
		if ((*p & 0xc0) == 0x80)
			return name_equal(suffix, c->owner + c->owner_len - (load_be16(p) & RRSET_VALUE));
		if (*p != *suffix)
			return false;
		if (*p == 0)
			return true;
		for (unsigned i = 1; i <= *p; i++) {
			if (name_lower_octet(p[i]) != name_lower_octet(suffix[i]))
				return false;
		}
		suffix += 1 + *suffix;
		p += 1 + *p;
	}
}

static bool
slot_is_used(const struct compiler *c, unsigned i)
{
	return c->in_use[i / 64] >> i % 64 & 1;
}

static unsigned
dictionary_slot(const struct compiler *c, uint64_t hash, const uint8_t *suffix, unsigned suffix_len)
{
	unsigned i = hash % DICTIONARY_SLOTS;
	while (slot_is_used(c, i)) {
		if (c->dictionary[i].hash == hash && c->dictionary[i].suffix_len == suffix_len &&
		    written_name_equals(c, c->dictionary[i].offset, suffix))
			break;
		i = (i + 1) % DICTIONARY_SLOTS;
	}
	return i;
}

static int
put_fixup(struct compiler *c, uint16_t value)
{
	if (c->n_fixups == FIXUPS_MAX || c->len + 2 > WIRE_MAX)
		return -E2BIG;
	c->fixups[c->n_fixups++] = (struct rrset_fixup){.pos = (uint16_t)c->len, .value = value};
	store_be16(c->wire + c->len, value);
	c->len += 2;
	return 0;
}

static int
put_octets(struct compiler *c, const uint8_t *data, unsigned len)
{
	if (c->len + len > WIRE_MAX)
		return -E2BIG;
	memcpy(c->wire + c->len, data, len);
	c->len += len;
	return 0;
}

/* Writes a name label by label until the rest of it is known, and remembers the labels written. */
static int
put_compressed(struct compiler *c, const uint8_t *name, unsigned octets)
{
	struct name lower = {.len = (uint8_t)octets};
	name_lower(lower.bytes, name, octets);
	struct name_suffixes suffixes;
	name_suffixes(lower.bytes, &suffixes);
	unsigned by_owner = owner_suffix(c, lower.bytes, &suffixes, octets);

	for (unsigned k = suffixes.labels; k > 0; k--) {
		unsigned at = name_suffix_start(&suffixes, k);
		unsigned suffix_len = octets - at;
		if (suffix_len == by_owner)
			return put_fixup(c, (uint16_t)(RRSET_OWNER | suffix_len));
		unsigned slot = dictionary_slot(c, suffixes.at[k], lower.bytes + at, suffix_len);
		if (slot_is_used(c, slot))
			return put_fixup(c, RRSET_LOCAL | c->dictionary[slot].offset);
		if (c->n_dictionary < DICTIONARY_MAX && c->len < RRSET_LOCAL_MAX) {
			c->in_use[slot / 64] |= UINT64_C(1) << slot % 64;
			c->dictionary[slot].hash = suffixes.at[k];
			c->dictionary[slot].suffix_len = (uint16_t)suffix_len;
			c->dictionary[slot].offset = (uint16_t)c->len;
			c->n_dictionary++;
		}
		int err = put_octets(c, name + at, 1u + name[at]);
		if (err != 0)
			return err;
	}
	return put_octets(c, (const uint8_t *)"", 1);
}

/* Notes a name that additional processing follows, if it lies in the zone. */
static int
note_target(struct compiler *c, uint16_t type, const struct rrset_rdata *rd, const struct rdata_name *ref,
	    uint32_t rr_start)
{
	const uint8_t *name = rd->data + ref->pos;
	uint32_t pos = c->len;
	bool is_alias = (type == RRTYPE_SVCB || type == RRTYPE_HTTPS) && load_be16(rd->data) == 0;
	if (name[0] == 0 && (type == RRTYPE_SVCB || type == RRTYPE_HTTPS) && !is_alias) {
		pos = rr_start; /* "." stands for the owner (RFC 9460 section 2.5.2), and there is its pointer */
	} else if (!(ref->flags & RDATA_NAME_TARGET) || !name_is_under(name, c->apex)) {
		return 0;
	}
	if (c->n_targets == FIXUPS_MAX)
		return -E2BIG;
	c->targets[c->n_targets++] = (uint16_t)pos;
	return 0;
}

static int
put_rdata(struct compiler *c, uint16_t type, const struct rrset_rdata *rd, uint32_t rr_start)
{
	struct rdata_name refs[RDATA_NAMES_MAX];
	unsigned n_refs = rdata_names(type, rd->data, rd->len, refs, RDATA_NAMES_MAX);
	unsigned done = 0;
	for (unsigned i = 0; i < n_refs; i++) {
		int err = put_octets(c, rd->data + done, refs[i].pos - done);
		if (err == 0)
			err = note_target(c, type, rd, &refs[i], rr_start);
		if (err == 0)
			err = refs[i].flags & RDATA_NAME_COMPRESS
				      ? put_compressed(c, rd->data + refs[i].pos, refs[i].len)
				      : put_octets(c, rd->data + refs[i].pos, refs[i].len);
		if (err != 0)
			return err;
		done = refs[i].pos + refs[i].len;
	}
	return put_octets(c, rd->data + done, rd->len - done);
}

static int
put_record(struct compiler *c, uint16_t type, uint32_t ttl_s, const struct rrset_rdata *rd)
{
	uint32_t start = c->len;
	uint8_t head[RRSET_RR_HEAD] = {0xc0, 0x0c};
	store_be16(head + 2, type);
	store_be16(head + 4, RRCLASS_IN);
	store_be32(head + 6, ttl_s);
	int err = put_octets(c, head, sizeof(head));
	if (err == 0)
		err = put_rdata(c, type, rd, start);
	if (err == 0)
		store_be16(c->wire + start + RRSET_RR_HEAD - 2, (uint16_t)(c->len - start - RRSET_RR_HEAD));
	return err;
}

static struct rrset *
rrset_alloc(const struct rrset *head)
{
	struct rrset *s = zalloc(rrset_size(head), 0);
	if (s != NULL) {
		/* Without the count, which others may be changing. */
		size_t from = offsetof(struct rrset, wire_len);
		memcpy((uint8_t *)s + from, (const uint8_t *)head + from, offsetof(struct rrset, data) - from);
		atomic_init(&s->refs, 1);
	}
	return s;
}

int
rrset_compile(const uint8_t *apex, const uint8_t *owner, uint16_t type, uint32_t ttl_s,
	      const struct rrset_rdata *rdatas, unsigned n, struct rrset **out)
{
	struct compiler c;
	c.apex = apex;
	c.owner = owner;
	c.owner_len = (uint8_t)name_len(owner);
	c.owner_skip = owner[0] == 1 && owner[1] == '*' ? 2 : 0;
	c.len = c.n_fixups = c.n_targets = c.n_dictionary = 0;
	memset(c.in_use, 0, sizeof(c.in_use));

	for (unsigned i = 0; i < n; i++) {
		int err = put_record(&c, type, ttl_s, &rdatas[i]);
		if (err != 0)
			return err;
	}

	struct rrset head = {.wire_len = (uint16_t)c.len,
			     .type = type,
			     .n_rr = (uint16_t)n,
			     .n_fixups = (uint16_t)c.n_fixups,
			     .n_targets = (uint16_t)c.n_targets};
	struct rrset *s = rrset_alloc(&head);
	if (s == NULL)
		return -ENOMEM;
	uint8_t *to = s->data;
	memcpy(to, c.fixups, c.n_fixups * sizeof(c.fixups[0]));
	to += c.n_fixups * sizeof(c.fixups[0]);
	memcpy(to, c.targets, c.n_targets * sizeof(c.targets[0]));
	to += c.n_targets * sizeof(c.targets[0]);
	memcpy(to, c.wire, c.len);
	*out = s;
	return 0;
}

struct rrset *
rrset_with_ttl(const struct rrset *s, uint32_t ttl_s)
{
	struct rrset *copy = rrset_alloc(s);
	if (copy == NULL)
		return NULL;
	memcpy(copy->data, s->data, rrset_size(s) - offsetof(struct rrset, data));
	uint8_t *wire = copy->data + (rrset_wire(s) - s->data);
	for (uint32_t pos = 0; pos < s->wire_len; pos += RRSET_RR_HEAD + load_be16(wire + pos + RRSET_RR_HEAD - 2))
		store_be32(wire + pos + 6, ttl_s);
	return copy;
}

void
rrset_release(struct rrset *s)
{
	if (s == NULL)
		return;
	assert(rrset_users(s) != 0); /* a node's own set goes with the node */
	if (atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) == 1)
		zalloc_free(s, rrset_size(s));
}
