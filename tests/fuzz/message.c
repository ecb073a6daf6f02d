/* SPDX-License-Identifier: Apache-2.0 */
/* The tests' own reader of DNS messages. See message.h. */
#include "tests/fuzz/message.h"

#include <string.h>

#define HEADER_LEN 12
#define TYPE_OPT 41

/* Reads the name at *at, which must end before `end`; pointers lead to before where they stand. */
static const char *
read_name(const uint8_t *msg, size_t end, uint32_t *at, struct seen_name *out)
{
	uint32_t pos = *at, barrier = *at, behind = 0;
	unsigned n = 0;
	for (;;) {
		if (pos >= end)
			return "a name runs over the end";
		uint8_t octet = msg[pos];
		if (octet >= 0xc0) {
			if (pos + 1 >= end)
				return "a pointer is cut off";
			uint32_t to = (uint32_t)(octet & 0x3f) << 8 | msg[pos + 1];
			if (to >= barrier || to < HEADER_LEN)
				return "a pointer does not lead back";
			if (behind == 0)
				behind = pos + 2;
			pos = barrier = to;
			continue;
		}
		if (octet > 63)
			return "a label type that nobody uses";
		if (n + 1u + octet > sizeof(out->bytes) || (octet != 0 && n + 2u + octet > sizeof(out->bytes)))
			return "a name has more than 255 octets";
		if (pos + 1 + octet > end)
			return "a label runs over the end";
		out->bytes[n++] = octet;
		for (unsigned i = 1; i <= octet; i++) {
			uint8_t c = msg[pos + i];
			out->bytes[n++] = c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
		}
		pos += 1u + octet;
		if (octet == 0)
			break;
	}
	out->len = (uint8_t)n;
	*at = behind != 0 ? behind : pos;
	return NULL;
}

/* Names in the data of the types that may carry compressed ones (RFC 3597 section 4), between `before` and `after`
 * octets. */
static const struct shape {
	uint16_t type;
	uint8_t before, names, after;
} shapes[] = {
	{2, 0, 1, 0},  {3, 0, 1, 0},  {4, 0, 1, 0},  {5, 0, 1, 0},  {6, 0, 2, 20},
	{7, 0, 1, 0},  {8, 0, 1, 0},  {9, 0, 1, 0},  {12, 0, 1, 0}, {14, 0, 2, 0},
	{15, 2, 1, 0}, {33, 6, 1, 0}, {39, 0, 1, 0}, {1, 4, 0, 0},  {28, 16, 0, 0},
};

static const char *
check_data(const uint8_t *msg, const struct seen_record *r)
{
	uint32_t at = r->rdata_at, end = r->rdata_at + r->rdlen;
	for (unsigned i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
		const struct shape *shape = &shapes[i];
		if (shape->type != r->type)
			continue;
		at += shape->before;
		for (unsigned k = 0; k < shape->names; k++) {
			struct seen_name name;
			const char *fault = read_name(msg, end, &at, &name);
			if (fault != NULL)
				return fault;
			if ((r->type == 33 || r->type == 39) && name.len != r->rdlen - shape->before)
				return "a name is compressed that must not be";
		}
		return at + shape->after == end ? NULL : "data of the wrong length for its type";
	}
	return NULL;
}

/* Options fill the data of OPT (RFC 6891 section 6.1.2). */
static const char *
check_options(const uint8_t *msg, const struct seen_record *r)
{
	uint32_t at = r->rdata_at, end = r->rdata_at + r->rdlen;
	while (at < end) {
		if (end - at < 4 || end - at - 4 < seen_u16(msg + at + 2))
			return "an EDNS option is cut off";
		at += 4u + seen_u16(msg + at + 2);
	}
	return NULL;
}

static const char *
read_record(const uint8_t *msg, size_t len, uint32_t *at, struct seen_message *m, uint8_t section)
{
	if (m->n == SEEN_RECORDS_MAX)
		return "too many records";
	struct seen_record *r = &m->record[m->n];
	r->section = section;
	r->at = *at;
	const char *fault = read_name(msg, len, at, &r->owner);
	if (fault != NULL)
		return fault;
	if (len - *at < 10)
		return "a record is cut off";
	r->type = seen_u16(msg + *at);
	r->rrclass = seen_u16(msg + *at + 2);
	r->ttl_s = seen_u32(msg + *at + 4);
	r->rdlen = seen_u16(msg + *at + 8);
	r->rdata_at = *at + 10;
	if (len - r->rdata_at < r->rdlen)
		return "data runs over the end";
	*at = r->rdata_at + r->rdlen;
	m->n++;
	if (r->type != TYPE_OPT)
		return check_data(msg, r);
	if (section != 3 || m->opt != NULL || msg[r->at] != 0)
		return "an OPT record in the wrong place";
	m->opt = r;
	return check_options(msg, r);
}

const char *
message_read(const uint8_t *msg, size_t len, struct seen_message *out)
{
	out->n = 0;
	out->opt = NULL;
	out->qname.len = 0;
	out->question_end = HEADER_LEN;
	if (len < HEADER_LEN)
		return "shorter than a header";
	out->id = seen_u16(msg);
	out->flags = seen_u16(msg + 2);
	for (unsigned i = 0; i < 4; i++)
		out->count[i] = seen_u16(msg + 4 + 2 * i);
	uint32_t at = HEADER_LEN;
	if (out->count[0] > 1)
		return "more than one question";
	if (out->count[0] == 1) {
		const char *fault = read_name(msg, len, &at, &out->qname);
		if (fault != NULL)
			return fault;
		if (len - at < 4)
			return "the question is cut off";
		out->qtype = seen_u16(msg + at);
		out->qclass = seen_u16(msg + at + 2);
		out->question_end = at + 4;
		at += 4;
	}
	for (uint8_t section = 1; section <= 3; section++) {
		for (unsigned i = 0; i < out->count[section]; i++) {
			const char *fault = read_record(msg, len, &at, out, section);
			if (fault != NULL)
				return fault;
		}
	}
	return at == len ? NULL : "octets behind the last record";
}

struct seen_name
message_name(const uint8_t *msg, size_t len, uint32_t at)
{
	struct seen_name name;
	if (read_name(msg, len, &at, &name) != NULL)
		name.len = 0;
	return name;
}

bool
seen_name_equal(const struct seen_name *a, const struct seen_name *b)
{
	return a->len == b->len && memcmp(a->bytes, b->bytes, a->len) == 0;
}

bool
seen_name_under(const struct seen_name *name, const uint8_t *ancestor, unsigned ancestor_len)
{
	unsigned at = 0;
	while (name->len - at > ancestor_len)
		at += 1u + name->bytes[at];
	return name->len - at == ancestor_len && memcmp(name->bytes + at, ancestor, ancestor_len) == 0;
}
