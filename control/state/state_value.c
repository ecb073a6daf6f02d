/* SPDX-License-Identifier: Apache-2.0 */
/* Keys and values on disk. See state_value.h. */
#include "control/state/state_value.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "zones/base/alloc.h"
#include "zones/base/bytes.h"
#include "zones/base/crc32c.h"

/* -------- keys -------- */

void
state_key_kind(const struct name *apex, enum state_kind kind, struct state_key *out)
{
	memcpy(out->bytes, apex->bytes, apex->len);
	out->bytes[apex->len] = (uint8_t)kind;
	out->len = (uint16_t)(apex->len + 1);
}

void
state_key_head(const struct name *apex, struct state_key *out)
{
	state_key_kind(apex, STATE_HEAD, out);
}

void
state_key_place(const struct name *apex, enum state_kind kind, uint64_t generation, uint64_t seq,
		struct state_key *out)
{
	state_key_kind(apex, kind, out);
	store_be64(out->bytes + out->len, generation);
	store_be64(out->bytes + out->len + 8, seq);
	out->len = (uint16_t)(out->len + 16);
}

int
state_key_parse(const void *bytes, size_t len, struct state_place *out)
{
	const uint8_t *p = bytes;
	int apex_len = name_check(p, len);
	if (apex_len < 0)
		return -EBADMSG;
	size_t rest = len - (size_t)apex_len;
	bool is_single = rest == 1 && (p[apex_len] == STATE_NOTE || p[apex_len] == STATE_HEAD);
	bool is_place = rest == STATE_PLACE_LEN && (p[apex_len] == STATE_BASE || p[apex_len] == STATE_JOURNAL);
	if (!is_single && !is_place)
		return -EBADMSG;
	name_copy(&out->apex, p);
	out->kind = p[apex_len];
	out->generation = is_single ? 0 : load_be64(p + apex_len + 1);
	out->seq = is_single ? 0 : load_be64(p + apex_len + 9);
	return 0;
}

/* -------- values -------- */

struct state_value *
state_value_new(uint32_t len, uint32_t cap)
{
	struct state_value *v = zalloc(sizeof(*v) + cap, 0);
	if (!v)
		return NULL;
	v->next = NULL;
	v->len = len;
	v->cap = cap;
	return v;
}

void
state_values_free(struct state_value *first)
{
	while (first) {
		struct state_value *next = first->next;
		zalloc_free(first, sizeof(*first) + first->cap);
		first = next;
	}
}

static uint32_t
value_sum(const struct state_key *key, const uint8_t *bytes, size_t len)
{
	return crc32c(crc32c(0, key->bytes, key->len), bytes + 4, len - 4);
}

uint32_t
state_value_seal(const struct state_key *key, uint8_t *bytes, uint32_t len, uint32_t before, uint8_t flags)
{
	assert(len >= STATE_VALUE_HEADER);
	store_be32(bytes + 4, before);
	bytes[8] = STATE_VALUE_FORMAT;
	bytes[9] = flags;
	store_be16(bytes + 10, 0);
	uint32_t crc = value_sum(key, bytes, len);
	store_be32(bytes, crc);
	return crc;
}

int
state_value_check(const struct state_key *key, const void *value, size_t len, struct state_header *out)
{
	const uint8_t *bytes = value;
	if (len < STATE_VALUE_HEADER || load_be32(bytes) != value_sum(key, bytes, len) ||
	    bytes[8] != STATE_VALUE_FORMAT)
		return -EBADMSG;
	out->crc = load_be32(bytes);
	out->before = load_be32(bytes + 4);
	out->flags = bytes[9];
	return 0;
}

/* -------- heads -------- */

#define LINEAGE_LEN (10 * 8 + 7 * 4)
#define META_LEN (3 * 8 + 4 + 1) /* without the primary's text */

_Static_assert(STATE_VALUE_HEADER + META_LEN + STATE_PRIMARY_MAX + 1 + 2 * LINEAGE_LEN <= STATE_HEAD_MAX,
	       "the longest head fits");

/* The fields of a lineage, in their order on disk. */
struct lineage_fields {
	uint64_t *wide[10];
	uint32_t *narrow[7];
};

static struct lineage_fields
lineage_fields(struct state_lineage *l)
{
	return (struct lineage_fields){
		.wide = {&l->generation, &l->chunks, &l->base_records, &l->base_bytes, &l->epoch, &l->first_seq,
			 &l->base_seq, &l->end_seq, &l->journal_bytes, &l->replay_bytes},
		.narrow = {&l->base_crc, &l->base_serial, &l->first_serial, &l->serial, &l->first_before,
			   &l->base_before, &l->end_crc},
	};
}

static uint8_t *
lineage_write(uint8_t *p, const struct state_lineage *lineage)
{
	struct state_lineage copy = *lineage;
	struct lineage_fields f = lineage_fields(&copy);
	for (unsigned i = 0; i < ARRAY_LEN(f.wide); i++, p += 8)
		store_be64(p, *f.wide[i]);
	for (unsigned i = 0; i < ARRAY_LEN(f.narrow); i++, p += 4)
		store_be32(p, *f.narrow[i]);
	return p;
}

static void
lineage_read(const uint8_t *p, struct state_lineage *out)
{
	struct lineage_fields f = lineage_fields(out);
	for (unsigned i = 0; i < ARRAY_LEN(f.wide); i++, p += 8)
		*f.wide[i] = load_be64(p);
	for (unsigned i = 0; i < ARRAY_LEN(f.narrow); i++, p += 4)
		*f.narrow[i] = load_be32(p);
}

static uint8_t *
meta_write(uint8_t *p, const struct state_meta *meta)
{
	store_be64(p, (uint64_t)meta->refreshed_at_s);
	store_be64(p + 8, (uint64_t)meta->expires_at_s);
	store_be64(p + 16, (uint64_t)meta->retry_at_s);
	store_be32(p + 24, meta->flags);
	size_t len = strnlen(meta->primary, STATE_PRIMARY_MAX);
	p[28] = (uint8_t)len;
	memcpy(p + META_LEN, meta->primary, len);
	return p + META_LEN + len;
}

uint32_t
state_head_write(const struct state_key *key, const struct state_head *head, uint8_t out[STATE_HEAD_MAX])
{
	uint8_t *p = meta_write(out + STATE_VALUE_HEADER, &head->meta);
	const struct state_lineage *lineages[] = {&head->latest, &head->previous};
	uint8_t *count = p++;
	*count = 0;
	/* There is no previous one without a latest one. */
	for (; *count < 2 && lineages[*count]->generation != 0; ++*count)
		p = lineage_write(p, lineages[*count]);
	uint32_t len = (uint32_t)(p - out);
	state_value_seal(key, out, len, 0, 0);
	return len;
}

/* Reads the body; returns what is behind it, or NULL. */
static const uint8_t *
meta_read(const uint8_t *p, const uint8_t *end, struct state_meta *out)
{
	if (end - p < META_LEN || end - p - META_LEN < p[28] || p[28] > STATE_PRIMARY_MAX)
		return NULL;
	out->refreshed_at_s = (int64_t)load_be64(p);
	out->expires_at_s = (int64_t)load_be64(p + 8);
	out->retry_at_s = (int64_t)load_be64(p + 16);
	out->flags = load_be32(p + 24);
	memcpy(out->primary, p + META_LEN, p[28]);
	return p + META_LEN + p[28];
}

int
state_head_read(const struct state_key *key, const void *value, size_t len, struct state_head *out)
{
	struct state_header header;
	if (state_value_check(key, value, len, &header))
		return -EBADMSG;
	struct state_head head = {0};
	const uint8_t *bytes = value, *end = bytes + len;
	const uint8_t *p = meta_read(bytes + STATE_VALUE_HEADER, end, &head.meta);
	if (!p || p == end || *p > 2 || end - p != 1 + *p * LINEAGE_LEN)
		return -EBADMSG;
	if (*p > 0)
		lineage_read(p + 1, &head.latest);
	if (*p > 1)
		lineage_read(p + 1 + LINEAGE_LEN, &head.previous);
	*out = head;
	return 0;
}
