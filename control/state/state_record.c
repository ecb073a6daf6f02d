/* SPDX-License-Identifier: Apache-2.0 */
/* Records in values. See state_record.h. */
#include "control/state/state_record.h"

#include <errno.h>
#include <string.h>

#include "zones/base/alloc.h"
#include "zones/base/bytes.h"

enum { FLAG_ADDED = 1, FLAG_SAME_OWNER = 2 };

/* A difference of one record is the rule and a full value the exception. */
#define VALUE_CAP_FIRST 1024
#define FIXED_LEN (2 + 4 + 2) /* type, TTL, rdlen */

void
state_records_init(struct state_records *rs, const struct name *apex, uint32_t header_len)
{
	*rs = (struct state_records){.apex = *apex, .header_len = header_len};
}

int
state_records_cut(struct state_records *rs)
{
	struct state_value *v = state_value_new(rs->header_len, VALUE_CAP_FIRST);
	if (!v)
		return -ENOMEM;
	if (rs->last)
		rs->last->next = v;
	else
		rs->first = v;
	rs->before_last = rs->last;
	rs->last = v;
	rs->has_owner = false;
	rs->n_values++;
	rs->bytes += rs->header_len;
	return 0;
}

/* The last value, moved to where there is room for `need` octets. */
static int
grow_last(struct state_records *rs, uint32_t need)
{
	struct state_value *old = rs->last;
	if (old->cap - old->len >= need)
		return 0;
	uint32_t cap = old->cap * 2;
	if (cap > STATE_VALUE_MAX)
		cap = STATE_VALUE_MAX;
	if (cap < old->len + need)
		cap = old->len + need;
	struct state_value *v = state_value_new(old->len, cap);
	if (!v)
		return -ENOMEM;
	memcpy(v->bytes, old->bytes, old->len);
	if (rs->before_last)
		rs->before_last->next = v;
	else
		rs->first = v;
	rs->last = v;
	state_values_free(old);
	return 0;
}

static uint32_t
record_len(const struct state_records *rs, const struct name *owner, bool same_owner, uint16_t rdlen)
{
	return 1u + (same_owner ? 0 : 1u + owner->len - rs->apex.len) + FIXED_LEN + rdlen;
}

static void
record_write(struct state_records *rs, const struct name *owner, bool same_owner, bool added,
	     const struct state_record *record)
{
	uint8_t *p = rs->last->bytes + rs->last->len;
	*p++ = (uint8_t)((added ? FLAG_ADDED : 0) | (same_owner ? FLAG_SAME_OWNER : 0));
	if (!same_owner) {
		uint8_t len = (uint8_t)(owner->len - rs->apex.len);
		*p++ = len;
		memcpy(p, owner->bytes, len);
		p += len;
	}
	store_be16(p, record->type);
	store_be32(p + 2, record->ttl_s);
	store_be16(p + 6, record->rdlen);
	if (record->rdlen)
		memcpy(p + FIXED_LEN, record->rdata, record->rdlen);
}

int
state_records_put(struct state_records *rs, bool added, const struct state_record *record)
{
	struct name owner = {.len = record->owner->len};
	if (!name_is_under(record->owner->bytes, rs->apex.bytes))
		return -ERANGE;
	name_lower(owner.bytes, record->owner->bytes, owner.len);
	bool same =
		rs->has_owner && rs->owner.len == owner.len && memcmp(rs->owner.bytes, owner.bytes, owner.len) == 0;
	uint32_t need = record_len(rs, &owner, same, record->rdlen);
	if (!rs->last || (rs->last->len > rs->header_len && rs->last->len + need > STATE_VALUE_MAX)) {
		if (state_records_cut(rs))
			return -ENOMEM;
		same = false;
		need = record_len(rs, &owner, same, record->rdlen);
	}
	if (grow_last(rs, need))
		return -ENOMEM;
	record_write(rs, &owner, same, added, record);
	rs->last->len += need;
	rs->owner = owner;
	rs->has_owner = true;
	rs->n_records++;
	rs->bytes += need;
	return 0;
}

void
state_records_free(struct state_records *rs)
{
	state_values_free(rs->first);
	rs->first = rs->last = rs->before_last = NULL;
	rs->has_owner = false;
}

/* -------- reading -------- */

void
state_records_read(struct state_records_reader *rd, const struct name *apex, const uint8_t *bytes, size_t len)
{
	rd->apex = apex;
	rd->at = bytes;
	rd->end = bytes + len;
	rd->has_owner = false;
}

static int
owner_read(struct state_records_reader *rd)
{
	if (rd->at == rd->end)
		return -EBADMSG;
	unsigned len = *rd->at++;
	if ((size_t)(rd->end - rd->at) < len || len + rd->apex->len > NAME_MAX_LEN)
		return -EBADMSG;
	memcpy(rd->owner.bytes, rd->at, len);
	memcpy(rd->owner.bytes + len, rd->apex->bytes, rd->apex->len);
	rd->owner.len = (uint8_t)(len + rd->apex->len);
	rd->at += len;
	rd->has_owner = name_check(rd->owner.bytes, rd->owner.len) == rd->owner.len;
	return rd->has_owner ? 0 : -EBADMSG;
}

int
state_records_next(struct state_records_reader *rd, bool *added, struct state_record *out)
{
	if (rd->at == rd->end)
		return 0;
	uint8_t flags = *rd->at++;
	if (!(flags & FLAG_SAME_OWNER) && owner_read(rd))
		return -EBADMSG;
	if (!rd->has_owner || rd->end - rd->at < FIXED_LEN)
		return -EBADMSG;
	const uint8_t *p = rd->at;
	uint16_t rdlen = load_be16(p + 6);
	if (rd->end - p - FIXED_LEN < rdlen)
		return -EBADMSG;
	*added = flags & FLAG_ADDED;
	*out = (struct state_record){
		.owner = &rd->owner,
		.type = load_be16(p),
		.ttl_s = load_be32(p + 2),
		.rdlen = rdlen,
		.rdata = p + FIXED_LEN,
	};
	rd->at = p + FIXED_LEN + rdlen;
	return 1;
}
