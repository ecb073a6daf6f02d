/* SPDX-License-Identifier: Apache-2.0 */
/* What every answer must keep. See judge.h. Numbers are written out: nothing of the server's headers on messages is
 * used. */
#include "tests/fuzz/judge.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/message.h"

enum { QR = 0x8000, OPCODE = 0x7800, AA = 0x0400, TC = 0x0200, RD = 0x0100, RA_Z_AD = 0x00e0, CD = 0x0010 };
enum { NOTIFY = 4 << 11, UPDATE = 5 << 11 };
enum { NOERROR, FORMERR, SERVFAIL, NXDOMAIN, NOTIMP, REFUSED, YXDOMAIN, NOTAUTH = 9, BADVERS = 16 };
enum {
	T_A = 1,
	T_NS = 2,
	T_CNAME = 5,
	T_SOA = 6,
	T_TXT = 16,
	T_SIG = 24,
	T_AAAA = 28,
	T_DNAME = 39,
	T_OPT = 41,
	T_DS = 43,
	T_RRSIG = 46,
	T_NSEC = 47,
	T_NSEC3 = 50,
	T_TSIG = 250,
	T_IXFR = 251,
	T_AXFR = 252,
};

#define PLAIN_UDP 512
#define ALIASES_MAX 40
#define OPTION_KEEPALIVE 11

struct view {
	const struct judge_case *c;
	const struct seen_message *query, *reply;
	bool is_strict; /* the query is well-formed by the strictest reading, a QUERY, and has one question */
	bool wants_dnssec;
	unsigned rcode;
};

static bool
has_do(const struct seen_record *opt)
{
	return opt != NULL && (opt->ttl_s & 0x8000);
}

/* -------- what the query demands -------- */

/* May an option have this length? Those that we do not know may have any. */
static bool
is_option_length(unsigned code, const uint8_t *data, unsigned len)
{
	switch (code) {
	case 8: /* client subnet: family, prefix lengths, no more octets than the prefix has */
		return len >= 4 && data[3] == 0 && seen_u16(data) - 1u < 2 &&
		       data[2] <= (seen_u16(data) == 1 ? 32 : 128) && len == 4 + (data[2] + 7u) / 8;
	case 10: /* cookie */
		return len == 8 || (len >= 16 && len <= 40);
	case 19: /* zone version */
		return len == 0;
	default:
		return true;
	}
}

/* Later options of a kind are not looked at, so that their lengths are free. */
static bool
are_options_good(const struct judge_case *c, const struct seen_record *opt)
{
	bool had_subnet = false, had_cookie = false;
	if (opt == NULL || (opt->ttl_s >> 16 & 0xff) != 0)
		return true;
	const uint8_t *p = c->query + opt->rdata_at, *end = p + opt->rdlen;
	for (unsigned len; p + 4 <= end; p += 4 + len) {
		unsigned code = seen_u16(p);
		len = seen_u16(p + 2);
		bool is_free = (code == 8 && had_subnet) || (code == 10 && had_cookie);
		if (!is_free && !is_option_length(code, p + 4, len))
			return false;
		had_subnet |= code == 8;
		had_cookie |= code == 10;
	}
	return true;
}

/* Keepalive is answered over TCP and ignored over UDP (RFC 7828 section 3.3.1): the two answers differ by it. */
static bool
asks_for_keepalive(const struct judge_case *c, const struct seen_record *opt)
{
	if (opt == NULL)
		return false;
	const uint8_t *p = c->query + opt->rdata_at, *end = p + opt->rdlen;
	for (; p + 4 <= end; p += 4 + seen_u16(p + 2)) {
		if (seen_u16(p) == OPTION_KEEPALIVE)
			return true;
	}
	return false;
}

/* RCODEs that a well-formed query may get, as bits. */
static uint32_t
rcodes_allowed(const struct view *v)
{
	const struct seen_message *q = v->query;
	if (q->opt != NULL && (q->opt->ttl_s >> 16 & 0xff) != 0)
		return 1u << BADVERS;
	if (q->qclass == 3)
		return 1u << NOERROR | 1u << REFUSED;
	if (q->qclass != 1)
		return 1u << REFUSED;
	switch (q->qtype) {
	case T_OPT:
	case 249: /* TKEY */
	case 250: /* TSIG */
		return 1u << FORMERR;
	case 128: /* NXNAME */
		return 1u << FORMERR;
	case 251: /* IXFR */
	case 252: /* AXFR */
		return 1u << REFUSED | 1u << NOTAUTH;
	case 253: /* MAILB */
	case 254: /* MAILA */
		return 1u << NOTIMP;
	default:
		break;
	}
	const struct seen_name *name = &q->qname;
	const struct zone *z = NULL;
	if (q->qtype == T_DS && name->len > 1)
		z = fuzz_zones_find(v->c->zones, name->bytes + 1 + name->bytes[0], name->len - 1u - name->bytes[0]);
	if (z == NULL)
		z = fuzz_zones_find(v->c->zones, name->bytes, name->len);
	if (z == NULL)
		return 1u << REFUSED;
	if (zone_current(z) == NULL)
		return 1u << SERVFAIL;
	return 1u << NOERROR | 1u << NXDOMAIN | 1u << YXDOMAIN;
}

static size_t
size_limit(const struct view *v)
{
	size_t limit = UINT16_MAX;
	if (!v->c->is_tcp) {
		limit = v->c->zones->set->config.udp_payload;
		if (v->is_strict) {
			size_t offered = v->query->opt != NULL ? v->query->opt->rrclass : 0;
			if (offered < PLAIN_UDP)
				offered = PLAIN_UDP;
			if (offered < limit)
				limit = offered;
		}
	}
	return limit < v->c->cap ? limit : v->c->cap;
}

static bool
is_control_opcode(uint16_t flags)
{
	return (flags & OPCODE) == NOTIFY || (flags & OPCODE) == UPDATE;
}

static const char *
judge_header(const struct view *v)
{
	const struct judge_case *c = v->c;
	uint16_t asked = seen_u16(c->query + 2), flags = v->reply->flags;
	if (seen_u16(c->query) != v->reply->id)
		return "another id";
	if (!(flags & QR) || (flags & OPCODE) != (asked & OPCODE) || (flags & RD) != (asked & RD))
		return "QR, opcode or RD are wrong";
	if (flags & (CD | RA_Z_AD))
		return "CD, RA, Z or AD is set";
	if (v->reply->count[0] == 1 && (c->query_len < v->reply->question_end ||
					memcmp(c->query + 12, c->reply + 12, v->reply->question_end - 12) != 0))
		return "another question";
	if (!v->is_strict)
		return (asked & OPCODE) != 0 && v->rcode != NOTIMP &&
				       !(is_control_opcode(asked) && v->rcode == FORMERR)
			       ? "an opcode that nobody implements is not NOTIMP"
			       : NULL;
	if (v->reply->count[0] != 1)
		return "the question is missing";
	return 1u << v->rcode & rcodes_allowed(v) ? NULL : "this RCODE is not for this query";
}

static const char *
judge_opt(const struct view *v)
{
	const struct seen_record *asked = v->query->opt, *opt = v->reply->opt;
	if (opt == NULL)
		return v->is_strict && asked != NULL ? "OPT is missing" : NULL;
	if (v->is_strict && asked == NULL)
		return "OPT was not asked for";
	if (opt->rrclass != v->c->zones->set->config.udp_payload || (opt->ttl_s & 0xff7fff))
		return "size, version or flags of OPT are wrong";
	if (!v->is_strict)
		return NULL;
	if (has_do(opt) != v->wants_dnssec)
		return "DO is not echoed";
	return NULL;
}

/* -------- the sections -------- */

static bool
is_rrsig_over(const struct view *v, const struct seen_record *r, uint16_t type)
{
	return r->type == T_RRSIG && r->rdlen >= 2 && seen_u16(v->c->reply + r->rdata_at) == type;
}

/* Owners of the answer section: the name asked, what aliases lead to, and DNAMEs above either. */
static const char *
judge_answer_section(const struct view *v)
{
	static struct seen_name names[ALIASES_MAX];
	unsigned n = 1;
	names[0] = v->reply->qname;
	for (unsigned i = 0; i < v->reply->count[1]; i++) {
		const struct seen_record *r = &v->reply->record[i];
		bool is_dname = r->type == T_DNAME || is_rrsig_over(v, r, T_DNAME), reached = false;
		for (unsigned k = 0; k < n && !reached; k++)
			reached = seen_name_equal(&names[k], &r->owner) ||
				  (is_dname && seen_name_under(&names[k], r->owner.bytes, r->owner.len));
		if (!reached)
			return "an owner in the answer section that nothing leads to";
		if (r->type == T_CNAME && n < ALIASES_MAX)
			names[n++] = message_name(v->c->reply, v->c->reply_len, r->rdata_at);
		if (r->type == T_RRSIG && !v->wants_dnssec && v->reply->qtype != T_RRSIG)
			return "signatures that nobody wanted";
	}
	return NULL;
}

static const char *
judge_authority(const struct view *v, const struct seen_record *r)
{
	const struct zone *z = fuzz_zones_find(v->c->zones, r->owner.bytes, r->owner.len);
	if (r->type == T_SOA && (z == NULL || z->entry.name_len != r->owner.len))
		return "an SOA that is at no apex";
	if (r->type == T_RRSIG || r->type == T_NSEC || r->type == T_NSEC3)
		return v->wants_dnssec ? NULL : "a proof that nobody wanted";
	if (r->type != T_SOA && r->type != T_NS && r->type != T_DS)
		return "a type that has no place in the authority section";
	if (r->type == T_NS && !seen_name_under(&v->reply->qname, r->owner.bytes, r->owner.len) &&
	    v->reply->count[1] == 0)
		return "a referral that leads elsewhere";
	return NULL;
}

static const char *
judge_record(const struct view *v, const struct seen_record *r)
{
	if (r->type == T_OPT)
		return NULL;
	if (r->ttl_s > INT32_MAX)
		return "a TTL over 2^31-1";
	if (r->rrclass != v->reply->qclass)
		return "a record of another class";
	if (r->rrclass == 3)
		return r->type == T_TXT && r->section == 1 ? NULL : "CHAOS has TXT records alone";
	if (fuzz_zones_find(v->c->zones, r->owner.bytes, r->owner.len) == NULL)
		return "an owner outside our zones";
	if (r->section == 2)
		return judge_authority(v, r);
	if (r->section == 3 && r->type != T_A && r->type != T_AAAA && !(r->type == T_RRSIG && v->wants_dnssec))
		return "a type that has no place in the additional section";
	return NULL;
}

static const char *
judge_repetitions(const struct view *v)
{
	for (unsigned i = 0; i < v->reply->n && v->reply->n <= 64; i++) {
		const struct seen_record *a = &v->reply->record[i];
		for (unsigned k = 0; k < i && (a->type == T_A || a->type == T_AAAA); k++) {
			const struct seen_record *b = &v->reply->record[k];
			if (b->type == a->type && seen_name_equal(&a->owner, &b->owner) &&
			    memcmp(v->c->reply + a->rdata_at, v->c->reply + b->rdata_at, a->rdlen) == 0)
				return "the same address twice";
		}
	}
	return NULL;
}

static const char *
judge_sections(const struct view *v)
{
	unsigned data = v->reply->n - (v->reply->opt != NULL);
	if (v->rcode != NOERROR && v->rcode != NXDOMAIN && v->rcode != YXDOMAIN &&
	    (data != 0 || (v->reply->flags & (AA | TC))))
		return "a refusal with records, AA or TC";
	if (v->rcode == NXDOMAIN && !(v->reply->flags & AA))
		return "NXDOMAIN without authority";
	const char *fault = judge_answer_section(v);
	for (unsigned i = 0; i < v->reply->n && fault == NULL; i++)
		fault = judge_record(v, &v->reply->record[i]);
	return fault != NULL ? fault : judge_repetitions(v);
}

/* -------- entries -------- */

const char *
judge_reply(const struct judge_case *c)
{
	static struct seen_message query, reply;
	struct view v = {.c = c, .query = &query, .reply = &reply};
	if (c->query_len < 12)
		return "an answer to what has no header";
	v.is_strict = message_read(c->query, c->query_len, &query) == NULL && query.count[0] == 1 &&
		      (query.flags & (QR | OPCODE)) == 0;
	const char *fault = message_read(c->reply, c->reply_len, &reply);
	if (fault != NULL)
		return fault;
	/* A server may read on where this reader gave up: then the answer's DO tells what it found. */
	v.is_strict = v.is_strict && are_options_good(c, query.opt);
	v.wants_dnssec = has_do(v.is_strict ? query.opt : reply.opt);
	v.rcode = (reply.flags & 15u) | (reply.opt != NULL ? reply.opt->ttl_s >> 24 << 4 : 0);
	if (v.rcode > BADVERS)
		return "an RCODE that nobody knows";
	if (c->reply_len > size_limit(&v))
		return "larger than it may be";
	if ((fault = judge_header(&v)) != NULL || (fault = judge_opt(&v)) != NULL)
		return fault;
	return judge_sections(&v);
}

/* Where answer, authority and the glue that a referral needs end; that glue stands first in the additional section.
 */
static uint32_t
needed_end(const struct seen_message *m)
{
	const struct seen_record *cut = NULL;
	uint32_t end = m->question_end;
	for (unsigned i = 0; i < m->n; i++) {
		const struct seen_record *r = &m->record[i];
		if (r->section == 2 && r->type == T_NS)
			cut = r;
		bool is_glue = r->section == 3 && cut != NULL &&
			       seen_name_under(&r->owner, cut->owner.bytes, cut->owner.len);
		if (r->section < 3 || (is_glue && r->type != T_OPT))
			end = r->rdata_at + r->rdlen;
	}
	return end;
}

const char *
judge_truncation(const struct judge_case *full, const struct judge_case *cut)
{
	static struct seen_message whole, part, query;
	struct view v = {
		.c = cut, .query = &query, .is_strict = message_read(cut->query, cut->query_len, &query) == NULL};
	if (!v.is_strict || !are_options_good(cut, query.opt) || asks_for_keepalive(cut, query.opt))
		return NULL;
	if (message_read(full->reply, full->reply_len, &whole) != NULL ||
	    message_read(cut->reply, cut->reply_len, &part) != NULL)
		return "not well-formed";
	if (whole.flags & TC)
		return NULL; /* more than any message holds */
	if (full->reply_len <= size_limit(&v))
		return full->reply_len == cut->reply_len && memcmp(full->reply, cut->reply, cut->reply_len) == 0
			       ? NULL
			       : "it fits, and yet it differs from the answer over TCP";
	uint32_t needed = needed_end(&whole);
	uint32_t opt_len = whole.opt != NULL ? 11u + whole.opt->rdlen : 0;
	if (whole.question_end + opt_len > size_limit(&v))
		opt_len = 11; /* NSID stays out */
	bool fits = needed + opt_len <= size_limit(&v);
	if (fits != !(part.flags & TC))
		return fits ? "TC, and all that is needed fits" : "no TC, and something needed does not fit";
	if (fits && (needed_end(&part) != needed || memcmp(full->reply + 12, cut->reply + 12, needed - 12) != 0))
		return "what is needed differs from the answer over TCP";
	return NULL;
}

const char *
judge_drop(const uint8_t *query, size_t len)
{
	return len < 12 || (query[2] & 0x80) ? NULL : "dropped, and could have been answered";
}

const char *
judge_punt(const uint8_t *query, size_t len)
{
	static struct seen_message m;
	const char *fault = message_read(query, len, &m);
	if (fault != NULL)
		return NULL; /* this reader is stricter than the server's: it reads into the data */
	if ((m.flags & QR) != 0)
		return "a response was left to control";
	bool is_transfer = m.count[0] == 1 && (m.qtype == T_IXFR || m.qtype == T_AXFR);
	if (is_control_opcode(m.flags) || ((m.flags & OPCODE) == 0 && is_transfer))
		return NULL;
	for (unsigned i = 0; i < m.n; i++) {
		const struct seen_record *r = &m.record[i];
		bool is_sig0 =
			r->type == T_SIG && r->section == 3 && r->rdlen >= 2 && seen_u16(query + r->rdata_at) == 0;
		if (r->type == T_TSIG || is_sig0)
			return NULL;
	}
	return "left to control, and is an ordinary question";
}

static uint64_t
sum(const uint64_t *counters, unsigned n)
{
	uint64_t total = 0;
	for (unsigned i = 0; i < n; i++)
		total += counters[i];
	return total;
}

const char *
judge_counters(const struct counters *before, const struct counters *after, unsigned answered, unsigned dropped)
{
	if (sum(after->rcode, COUNTERS_RCODES) - sum(before->rcode, COUNTERS_RCODES) != answered)
		return "answers and counted RCODEs differ";
	if (after->queries_v4 + after->queries_v6 - before->queries_v4 - before->queries_v6 != answered)
		return "answers and counted queries differ";
	if (sum(after->drop, DROP_REASON_COUNT) - sum(before->drop, DROP_REASON_COUNT) != dropped)
		return "drops and counted drops differ";
	return NULL;
}

static void
print_hex(const char *label, const uint8_t *p, size_t len)
{
	fprintf(stderr, "%s %zu: ", label, len);
	for (size_t i = 0; i < len && i < 4096; i++)
		fprintf(stderr, "%02x", p[i]);
	fputc('\n', stderr);
}

void
judge_fail(const struct judge_case *c, const char *fault)
{
	fprintf(stderr, "%s (%s, room %u)\n", fault, c->is_tcp ? "TCP" : "UDP", c->cap);
	print_hex("query", c->query, c->query_len);
	print_hex("reply", c->reply, c->reply_len);
	abort();
}
