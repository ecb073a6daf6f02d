/* SPDX-License-Identifier: Apache-2.0 */
/* The query parser. See query.h. */
#include "zones/wire/query.h"

#include "zones/base/bytes.h"
#include "zones/wire/rrtype.h"

struct cursor {
	const uint8_t *msg;
	size_t pos, len;
};

/* Copies QNAME in lower case. A pointer has nothing to point at yet, so only plain labels are good. */
static inline __attribute__((always_inline)) bool
read_question(struct cursor *c, struct query *q)
{
	int name_octets = name_read(q->qname.bytes, c->msg + c->pos, c->len - c->pos, &q->suffixes);
	if (name_octets < 0 || c->len - c->pos < (size_t)name_octets + 4)
		return false;
	q->qname.len = (uint8_t)name_octets;
	c->pos += (size_t)name_octets;
	q->qtype = load_be16(c->msg + c->pos);
	q->qclass = load_be16(c->msg + c->pos + 2);
	c->pos += 4;
	q->question_end = (uint16_t)c->pos;
	return true;
}

static bool
skip_name(struct cursor *c)
{
	while (c->pos < c->len) {
		uint8_t octet = c->msg[c->pos];
		if (octet == 0) {
			c->pos++;
			return true;
		}
		if ((octet & 0xc0) == 0xc0) {
			c->pos += 2;
			return c->pos <= c->len;
		}
		if (octet > LABEL_MAX_LEN)
			return false;
		c->pos += 1u + octet;
	}
	return false;
}

/* `head` is type, class, TTL, length. A SIG(0) is a SIG that covers no type (RFC 2931 section 3). */
static bool
is_signature(const uint8_t *head, uint16_t rdlen, bool in_additional)
{
	uint16_t type = load_be16(head);
	return type == RRTYPE_TSIG ||
	       (type == RRTYPE_SIG && in_additional && rdlen >= 2 && load_be16(head + 10) == 0);
}

/* One record outside the question: OPT is read, signatures are noticed, all others are stepped over. */
static bool
read_record(struct cursor *c, struct query *q, bool in_additional)
{
	bool at_root = c->pos < c->len && c->msg[c->pos] == 0;
	if (!skip_name(c) || c->len - c->pos < 10)
		return false;
	const uint8_t *head = c->msg + c->pos;
	uint16_t rdlen = load_be16(head + 8);
	c->pos += 10;
	if (c->len - c->pos < rdlen)
		return false;
	c->pos += rdlen;
	if (load_be16(head) != RRTYPE_OPT) {
		q->is_signed |= is_signature(head, rdlen, in_additional);
		return true;
	}
	if (!in_additional || !at_root || q->edns.is_present)
		return false; /* RFC 6891 section 6.1.1: one OPT, at the root */
	return edns_read(&q->edns, head);
}

/* What comes behind the question. Apart, since a query has one record there at most, or none. */
static __attribute__((noinline)) bool
read_records(struct cursor *c, struct query *q, unsigned others, unsigned additional)
{
	for (unsigned i = 0; i < others; i++) {
		if (!read_record(c, q, false))
			return false;
	}
	for (unsigned i = 0; i < additional; i++) {
		if (!read_record(c, q, true))
			return false;
	}
	return true;
}

/* Into both callers, with the question: calls would cost 4 of a hot query's 130 cycles. */
static inline __attribute__((always_inline)) bool
read_sections(struct cursor at, struct query *q)
{
	const uint64_t counts = load_be64(at.msg + 4);
	const unsigned questions = (unsigned)(counts >> 48);
	if (questions > 1 || (questions == 1 && !read_question(&at, q)))
		return false;
	if ((counts & UINT64_C(0xffffffffffff)) != 0) {
		struct cursor behind = at; /* so that the other one can stay in registers */
		if (!read_records(&behind, q, (unsigned)(counts >> 32 & 0xffff) + (unsigned)(counts >> 16 & 0xffff),
				  (unsigned)(counts & 0xffff)))
			return false;
		at.pos = behind.pos;
	}
	/* A question may be missing where somebody only asks for a cookie (RFC 7873 section 5.4). */
	return at.pos == at.len && (questions == 1 || q->edns.cookie_len != 0);
}

static bool
is_rare_opcode(const struct query *q)
{
	return query_opcode(q) == OPCODE_NOTIFY || query_opcode(q) == OPCODE_UPDATE;
}

bool
query_is_rare(const struct query *q)
{
	bool is_transfer = query_opcode(q) == OPCODE_QUERY && (q->qtype == RRTYPE_IXFR || q->qtype == RRTYPE_AXFR);
	return q->is_well_formed && (q->is_signed || is_rare_opcode(q) || is_transfer);
}

static inline struct cursor
query_begin(const uint8_t *msg, size_t len, struct query *q)
{
	q->rcode = RCODE_NOERROR;
	q->is_well_formed = q->is_signed = false;
	q->qtype = q->qclass = 0;
	q->question_end = DNS_HEADER_LEN;
	edns_clear(&q->edns);
	q->qname.len = 0;
	return (struct cursor){.msg = msg, .pos = DNS_HEADER_LEN, .len = len};
}

enum query_status
query_parse(const uint8_t *msg, size_t len, struct query *q)
{
	if (len < DNS_HEADER_LEN)
		return QUERY_DROP_SHORT;
	q->flags = load_be16(msg + 2);
	if (q->flags & FLAG_QR)
		return QUERY_DROP_RESPONSE;

	bool well_formed = read_sections(query_begin(msg, len, q), q);
	q->is_well_formed = well_formed;
	if (query_opcode(q) != OPCODE_QUERY)
		q->rcode = is_rare_opcode(q) && !well_formed ? RCODE_FORMERR : RCODE_NOTIMP;
	else if (!well_formed)
		q->rcode = RCODE_FORMERR;
	else if (q->edns.version != 0)
		q->rcode = RCODE_BADVERS;
	else if (q->qname.len == 0)
		return QUERY_REFUSE; /* with NOERROR, and a cookie */
	return q->rcode == RCODE_NOERROR ? QUERY_ASK : QUERY_REFUSE;
}

bool
query_parse_reply(const uint8_t *msg, size_t len, struct query *q)
{
	if (len < DNS_HEADER_LEN || !(load_be16(msg + 2) & FLAG_QR))
		return false;
	q->flags = load_be16(msg + 2);
	read_sections(query_begin(msg, len, q),
		      q); /* as far as it goes: options of replies look different from those of queries */
	q->rcode = q->flags & 15;
	if (q->edns.is_present)
		q->rcode |= (uint16_t)(q->edns.rcode_high << 4);
	return true;
}
