/* SPDX-License-Identifier: Apache-2.0 */
/* TSIG records on the wire. See tsig.h. */
#include "zones/wire/tsig.h"

#include <string.h>

#include "zones/base/bytes.h"
#include "zones/wire/query.h"
#include "zones/wire/rrtype.h"

#define RECORD_HEAD_LEN 10                  /* type, class, TTL, length of the data */
#define DATA_FIXED_LEN (TSIG_TIME_LEN + 10) /* all of the data but the algorithm, the MAC and the other data */

struct cursor {
	const uint8_t *msg;
	size_t pos, len;
};

void
tsig_time_write(uint64_t time_s, uint8_t out[TSIG_TIME_LEN])
{
	store_be16(out, (uint16_t)(time_s >> 32));
	store_be32(out + 2, (uint32_t)time_s);
}

uint64_t
tsig_time_read(const uint8_t in[TSIG_TIME_LEN])
{
	return (uint64_t)load_be16(in) << 32 | load_be32(in + 2);
}

static bool
skip_name(struct cursor *c)
{
	while (c->pos < c->len) {
		uint8_t octet = c->msg[c->pos];
		c->pos += octet > LABEL_MAX_LEN ? 2u : 1u + octet;
		if (octet == 0 || octet >= 0xc0)
			return c->pos <= c->len;
		if (octet > LABEL_MAX_LEN)
			return false;
	}
	return false;
}

static bool
skip_questions(struct cursor *c, unsigned n)
{
	for (; n > 0; n--) {
		if (!skip_name(c) || c->len - c->pos < 4)
			return false;
		c->pos += 4;
	}
	return true;
}

/* Steps over a record; *type is its type. */
static bool
skip_record(struct cursor *c, uint16_t *type)
{
	if (!skip_name(c) || c->len - c->pos < RECORD_HEAD_LEN)
		return false;
	const uint8_t *head = c->msg + c->pos;
	uint16_t data_len = load_be16(head + 8);
	c->pos += RECORD_HEAD_LEN;
	if (c->len - c->pos < data_len)
		return false;
	c->pos += data_len;
	*type = load_be16(head);
	return true;
}

/* The data at p[0..len): algorithm, time, fudge, MAC, original id, error, other data, and nothing behind it. */
static bool
read_data(const uint8_t *p, size_t len, struct tsig_record *out)
{
	int name_octets = name_check(p, len);
	if (name_octets < 0 || len - (size_t)name_octets < DATA_FIXED_LEN)
		return false;
	out->algorithm.len = (uint8_t)name_octets;
	name_lower(out->algorithm.bytes, p, out->algorithm.len);
	p += name_octets;
	size_t variable = len - (size_t)name_octets - DATA_FIXED_LEN; /* of MAC and other data together */
	out->time_s = tsig_time_read(p);
	out->fudge_s = load_be16(p + 6);
	out->mac_len = load_be16(p + 8);
	out->mac = p + 10;
	if (out->mac_len > variable)
		return false;
	p = out->mac + out->mac_len;
	out->original_id = load_be16(p);
	out->error = load_be16(p + 2);
	out->other_len = load_be16(p + 4);
	out->other = p + 6;
	return out->other_len == variable - out->mac_len;
}

/* The record that begins at `start` and was stepped over already. */
static bool
read_record(const uint8_t *msg, size_t len, size_t start, struct tsig_record *out)
{
	size_t pos = start;
	struct name owner;
	if (name_expand(msg, len, &pos, &owner) != NAME_OK)
		return false;
	const uint8_t *head = msg + pos;
	if (load_be16(head + 2) != RRCLASS_ANY || load_be32(head + 4) != 0)
		return false;
	if (!read_data(head + RECORD_HEAD_LEN, load_be16(head + 8), out))
		return false;
	out->key.len = owner.len;
	name_lower(out->key.bytes, owner.bytes, owner.len);
	out->start = start;
	out->arcount = (uint16_t)(load_be16(msg + 10) - 1);
	return true;
}

enum tsig_find
tsig_record_find(const uint8_t *msg, size_t len, struct tsig_record *out)
{
	struct cursor c = {.msg = msg, .pos = DNS_HEADER_LEN, .len = len};
	if (len < DNS_HEADER_LEN || !skip_questions(&c, load_be16(msg + 4)))
		return TSIG_FIND_MALFORMED;
	unsigned additional = load_be16(msg + 10);
	unsigned records = load_be16(msg + 6) + load_be16(msg + 8) + additional, n_found = 0;
	size_t start = c.pos;
	uint16_t type = 0;
	for (unsigned i = 0; i < records; i++) {
		start = c.pos;
		if (!skip_record(&c, &type))
			return TSIG_FIND_MALFORMED;
		n_found += type == RRTYPE_TSIG;
	}
	if (c.pos != len)
		return TSIG_FIND_MALFORMED;
	if (n_found == 0)
		return TSIG_FIND_NONE;
	if (n_found > 1 || type != RRTYPE_TSIG || additional == 0)
		return TSIG_FIND_MISPLACED;
	struct tsig_record r;
	if (!read_record(msg, len, start, &r))
		return TSIG_FIND_UNREADABLE;
	*out = r;
	return TSIG_FIND_ONE;
}

size_t
tsig_record_len(const struct tsig_record *r)
{
	return (size_t)r->key.len + RECORD_HEAD_LEN + r->algorithm.len + DATA_FIXED_LEN + r->mac_len + r->other_len;
}

size_t
tsig_record_write(const struct tsig_record *r, uint8_t *out)
{
	uint8_t *p = out;
	memcpy(p, r->key.bytes, r->key.len);
	p += r->key.len;
	store_be16(p, RRTYPE_TSIG);
	store_be16(p + 2, RRCLASS_ANY);
	store_be32(p + 4, 0);
	store_be16(p + 8, (uint16_t)(r->algorithm.len + DATA_FIXED_LEN + r->mac_len + r->other_len));
	p += RECORD_HEAD_LEN;
	memcpy(p, r->algorithm.bytes, r->algorithm.len);
	p += r->algorithm.len;
	tsig_time_write(r->time_s, p);
	store_be16(p + 6, r->fudge_s);
	store_be16(p + 8, r->mac_len);
	p += 10;
	if (r->mac_len != 0)
		memcpy(p, r->mac, r->mac_len);
	p += r->mac_len;
	store_be16(p, r->original_id);
	store_be16(p + 2, r->error);
	store_be16(p + 4, r->other_len);
	p += 6;
	if (r->other_len != 0)
		memcpy(p, r->other, r->other_len);
	return (size_t)(p - out) + r->other_len;
}
