/* SPDX-License-Identifier: Apache-2.0 */
/* Zones that change all the time. See changes.h. */
#include "tests/torture/changes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "zones/base/bytes.h"

enum { T_A = 1, T_NS = 2, T_CNAME = 5, T_SOA = 6, T_MX = 15, T_TXT = 16, T_AAAA = 28, T_OPT = 41 };

static const char text_prefix[] = "serial=";

static const struct question {
	const char *prefix; /* labels in front of the apex */
	uint16_t type;
	uint8_t rcode;
	uint16_t answers, authority, additional; /* of a whole answer, without OPT */
	unsigned marks;                          /* records that tell the version */
} questions[CHANGES_QUESTIONS] = {
	{"", T_SOA, 0, 1, 0, 0, 1},        {"\3www", T_A, 0, 1, 0, 0, 1},    {"\3www", T_TXT, 0, 1, 0, 0, 1},
	{"\7current", T_A, 0, 2, 0, 0, 2}, /* current → v<serial>, and the address of that */
	{"", T_MX, 0, 1, 0, 1, 2},         {"\1x\3sub", T_A, 0, 0, 1, 2, 2}, /* a referral with glue */
	{"\7nothing", T_A, 3, 0, 1, 0, 1},
};

/* -------- names -------- */

static void
name_below(const char *prefix, const struct name *apex, struct name *out)
{
	size_t n = strlen(prefix);
	memcpy(out->bytes, prefix, n);
	memcpy(out->bytes + n, apex->bytes, apex->len);
	out->len = (uint8_t)(n + apex->len);
}

void
change_apex(unsigned zone, struct name *out)
{
	char text[32];
	int n = snprintf(text, sizeof(text), "Xz%u%ctest", zone, 4);
	text[0] = (char)(n - 6);
	memcpy(out->bytes, text, (size_t)n + 1);
	out->len = (uint8_t)(n + 1);
}

unsigned
change_zone(const struct name *apex)
{
	unsigned label = apex->bytes[0], zone = 0;
	if (apex->len != label + 7 || label < 2 || label > 7 || apex->bytes[1] != 'z' ||
	    memcmp(apex->bytes + 1 + label, "\4test", 6) != 0)
		return CHANGES_ZONES_MAX;
	for (unsigned i = 2; i <= label; i++) {
		if (apex->bytes[i] < '0' || apex->bytes[i] > '9')
			return CHANGES_ZONES_MAX;
		zone = zone * 10 + apex->bytes[i] - '0';
	}
	return zone < CHANGES_ZONES_MAX ? zone : CHANGES_ZONES_MAX;
}

/* The name that exists in this version only, as a label. */
static void
version_label(uint32_t serial, char out[16])
{
	int n = snprintf(out, 16, "Xv%u", serial);
	out[0] = (char)(n - 1);
}

/* -------- versions -------- */

static struct change_record *
put(struct change_record **at, const char *prefix, const struct name *apex, uint16_t type, bool varies)
{
	struct change_record *r = (*at)++;
	name_below(prefix, apex, &r->owner);
	r->type = type;
	r->varies = varies;
	r->rdlen = 0;
	return r;
}

static void
put_address(struct change_record **at, const char *prefix, const struct name *apex, uint32_t serial)
{
	struct change_record *r = put(at, prefix, apex, T_A, true);
	store_be32(r->rdata, 10u << 24 | serial);
	r->rdlen = 4;
}

static void
put_address6(struct change_record **at, const char *prefix, const struct name *apex, uint32_t serial)
{
	struct change_record *r = put(at, prefix, apex, T_AAAA, true);
	memset(r->rdata, 0, 16);
	r->rdata[0] = 0xfd;
	store_be32(r->rdata + 12, serial);
	r->rdlen = 16;
}

/* A record whose data is `skip` octets and a name below the apex. */
static struct change_record *
put_name(struct change_record **at, const char *prefix, const struct name *apex, uint16_t type, unsigned skip,
	 const char *target, bool varies)
{
	struct change_record *r = put(at, prefix, apex, type, varies);
	struct name name;
	name_below(target, apex, &name);
	memcpy(r->rdata + skip, name.bytes, name.len);
	r->rdlen = (uint16_t)(skip + name.len);
	return r;
}

static void
put_soa(struct change_record **at, const struct name *apex, uint32_t serial)
{
	static const uint32_t timers[] = {3600, 600, 1000000, 60};
	struct change_record *r = put_name(at, "", apex, T_SOA, 0, "\3ns1", false);
	uint8_t *p = r->rdata + r->rdlen;
	*p++ = 0; /* the mailbox */
	store_be32(p, serial);
	for (unsigned i = 0; i < 4; i++)
		store_be32(p + 4 + 4 * i, timers[i]);
	r->rdlen = (uint16_t)(r->rdlen + 21);
}

static void
put_text(struct change_record **at, const struct name *apex, uint32_t serial)
{
	struct change_record *r = put(at, "\3www", apex, T_TXT, true);
	int n = snprintf((char *)r->rdata + 1, sizeof(r->rdata) - 1, "%s%u", text_prefix, serial);
	r->rdata[0] = (uint8_t)n;
	r->rdlen = (uint16_t)(n + 1);
}

void
change_version(unsigned zone, uint32_t serial, bool mixed, struct change_record out[CHANGES_RECORDS])
{
	struct change_record *at = out;
	struct name apex;
	char label[16];
	change_apex(zone, &apex);
	version_label(serial, label);
	put_soa(&at, &apex, serial);
	put_name(&at, "", &apex, T_NS, 0, "\3ns1", false);
	put_name(&at, "", &apex, T_NS, 0, "\3ns2", false);
	put_address(&at, "\3ns1", &apex, 0);
	at[-1].varies = false;
	store_be16(put_name(&at, "", &apex, T_MX, 2, "\2mx", true)->rdata, (uint16_t)serial);
	put_address(&at, "\2mx", &apex, mixed ? serial - 1 : serial);
	put_address(&at, "\3www", &apex, serial);
	put_text(&at, &apex, serial);
	put_name(&at, "\7current", &apex, T_CNAME, 0, label, true);
	put_address(&at, label, &apex, serial);
	put_name(&at, "\3sub", &apex, T_NS, 0, "\2ns\3sub", false);
	put_address(&at, "\2ns\3sub", &apex, serial);
	put_address6(&at, "\2ns\3sub", &apex, serial);
	put_address(&at, "\3ns2", &apex, serial);
}

/* -------- questions -------- */

size_t
change_ask(unsigned zone, unsigned question, uint16_t id, uint8_t *out)
{
	const struct question *q = &questions[question];
	struct name apex, name;
	change_apex(zone, &apex);
	name_below(q->prefix, &apex, &name);
	memset(out, 0, DNS_HEADER_LEN);
	store_be16(out, id);
	out[5] = out[11] = 1;
	memcpy(out + 12, name.bytes, name.len);
	memcpy(out + 12 + name.len, "\0\0\0\1\0\0\x29\x04\xd0\0\0\0\0\0\0", 15);
	out[12 + name.len + 1] = (uint8_t)q->type;
	return 12 + name.len + 15u;
}

/* -------- answers -------- */

/* Steps over a name; 0: it runs over the end. Whether names are what they should be, other tests ask. */
static size_t
name_end(const uint8_t *msg, size_t len, size_t at)
{
	while (at < len && msg[at] != 0 && msg[at] < 0xc0)
		at += msg[at] + 1u;
	if (at < len && msg[at] == 0)
		return at + 1;
	return at + 1 < len ? at + 2 : 0;
}

/* The number that msg[at..at+n) is in decimal, behind `prefix`; UINT32_MAX: it is none. */
static uint32_t
number_behind(const char *prefix, const uint8_t *p, size_t n)
{
	size_t skip = strlen(prefix);
	uint32_t number = 0;
	if (n <= skip || n > skip + 5 || memcmp(p, prefix, skip) != 0)
		return UINT32_MAX;
	for (size_t i = skip; i < n; i++)
		number = number * 10 + p[i] - '0';
	return number;
}

static uint32_t
soa_serial(const uint8_t *msg, size_t at, size_t end)
{
	at = name_end(msg, end, at);
	at = at ? name_end(msg, end, at) : 0;
	return at && end - at == 20 ? load_be32(msg + at) : UINT32_MAX;
}

/* The version that a record of this type tells. UINT32_MAX: not the shape that it has to have. */
static uint32_t
mark_of(uint16_t type, const uint8_t *msg, size_t at, size_t end)
{
	size_t n = end - at;
	const uint8_t *p = msg + at;
	switch (type) {
	case T_A:
		return n == 4 && p[0] == 10 ? load_be32(p) & 0xffffff : UINT32_MAX;
	case T_AAAA:
		return n == 16 && p[0] == 0xfd ? load_be32(p + 12) : UINT32_MAX;
	case T_TXT:
		return n > 1 && p[0] == n - 1 ? number_behind(text_prefix, p + 1, n - 1) : UINT32_MAX;
	case T_MX:
		return n > 2 ? load_be16(p) : UINT32_MAX;
	case T_CNAME:
		return n > p[0] ? number_behind("v", p + 1, p[0]) : UINT32_MAX;
	case T_SOA:
		return soa_serial(msg, at, end);
	default:
		return UINT32_MAX;
	}
}

static const char *
judge_header(const struct question *q, const uint8_t *query, size_t query_len, const uint8_t *reply, size_t len)
{
	size_t question_len = query_len - DNS_HEADER_LEN - 11; /* without OPT */
	if (len < DNS_HEADER_LEN + question_len)
		return "short";
	if ((reply[2] & 0x82) != 0x80)
		return "no reply, or truncated";
	if ((reply[3] & 15) != q->rcode)
		return (reply[3] & 15) == 2 ? "SERVFAIL" : "another rcode than expected";
	if (memcmp(reply + DNS_HEADER_LEN, query + DNS_HEADER_LEN, question_len) != 0)
		return "another question";
	if (load_be16(reply + 4) != 1 || load_be16(reply + 6) != q->answers ||
	    load_be16(reply + 8) != q->authority || load_be16(reply + 10) != q->additional + 1)
		return "records are missing, or too many";
	return NULL;
}

struct change_verdict
change_judge(unsigned question, const uint8_t *query, size_t query_len, const uint8_t *reply, size_t len)
{
	const struct question *q = &questions[question];
	struct change_verdict v = {.fault = judge_header(q, query, query_len, reply, len)};
	size_t at = query_len - 11;
	unsigned n = q->answers + q->authority + q->additional + 1u, marks = 0;
	for (unsigned i = 0; i < n && !v.fault; i++) {
		at = name_end(reply, len, at);
		size_t data = at + 10, end = at && data <= len ? data + load_be16(reply + at + 8) : len + 1;
		uint16_t type = end <= len ? load_be16(reply + at) : T_OPT;
		uint32_t mark = type == T_OPT || type == T_NS ? v.serial : mark_of(type, reply, data, end);
		if (end > len || mark == UINT32_MAX)
			return (struct change_verdict){.fault = "a record that cannot be read"};
		if (type != T_OPT && type != T_NS && marks++ && mark != v.serial)
			return (struct change_verdict){.fault = "mixed", .is_mixed = true, .serial = v.serial};
		v.serial = mark;
		at = end;
	}
	if (!v.fault && (marks != q->marks || at != len))
		v.fault = "records of other types, or more than records";
	return v;
}
