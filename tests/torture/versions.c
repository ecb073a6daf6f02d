/* SPDX-License-Identifier: Apache-2.0 */
/* Versions of zones, and the oracle. See versions.h. */
#include "tests/torture/versions.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/message.h"
#include "zones/load/zonefile.h"
#include "zones/store/node.h"

enum { T_A = 1, T_NS = 2, T_CNAME = 5, T_SOA = 6, T_MX = 15, T_TXT = 16, T_AAAA = 28, T_SRV = 33 };

/* v is the version, in decimal, in the octets of an address, and in hex for IPv6. */
#define DOTTED(v) (v) >> 16 & 255, (v) >> 8 & 255, (v)&255

static const struct question {
	const char *prefix; /* labels in front of the apex */
	uint16_t type;
	uint16_t answers, authority, additional; /* of a complete answer, without OPT */
} questions[VERSION_QUESTIONS] = {
	{"", T_SOA, 1, 0, 0},
	{"\3www", T_A, 2, 0, 0},
	{"\3www", T_TXT, 1, 0, 0},
	{"\5alias", T_A, 4, 0, 0},      /* alias → alias2 → www: two aliases and two addresses */
	{"\7current", T_AAAA, 2, 0, 0}, /* current → v<version> */
	{"", T_MX, 2, 0, 3},            /* addresses of both servers */
	{"", T_NS, 2, 0, 3},
	{"\1x\3sub", T_A, 0, 2, 3}, /* a referral with glue */
	{"\1x\4wild", T_TXT, 1, 0, 0},
	{"\7nothing", T_A, 0, 1, 0},    /* NXDOMAIN, SOA */
	{"\3www", T_MX, 0, 1, 0},       /* NODATA, SOA */
	{"\1y\4tree", T_AAAA, 3, 0, 0}, /* DNAME, its CNAME, the address */
	{"\4_tcp", T_SRV, 2, 0, 3},
	{"\3out", T_A, 3, 0, 0}, /* into the other zone and back: two aliases and an address */
};
#define QUESTION_OUT (VERSION_QUESTIONS - 1)

struct name
version_apex(unsigned zone)
{
	struct name apex = {.len = 9, .bytes = "\2z0\4test"};
	apex.bytes[2] = (uint8_t)('0' + zone);
	return apex;
}

/* -------- building -------- */

static void
write_zone(FILE *out, unsigned other, uint32_t v, uint32_t www)
{
	fprintf(out, "$TTL %u\n@ SOA ns1 host %u 1 1 1 %u\n@ NS ns1\n@ NS ns2\n", v, v, INT32_MAX);
	fprintf(out, "ns1 A 10.%u.%u.%u\nns1 AAAA fd00::%x:%x\n", DOTTED(v), v >> 16, v & 0xffff);
	fprintf(out, "ns2 A 10.%u.%u.%u\n", DOTTED(v));
	fprintf(out, "www %u A 10.%u.%u.%u\nwww %u A 11.%u.%u.%u\nwww %u TXT v%u\n", www, DOTTED(www), www,
		DOTTED(www), www, www);
	fprintf(out, "alias CNAME alias2\nalias2 CNAME www\n");
	fprintf(out, "current CNAME v%u\nv%u AAAA fd00::%x:%x\n", v, v, v >> 16, v & 0xffff);
	fprintf(out, "@ MX 10 mx1\n@ MX 20 mx2\nmx1 A 10.%u.%u.%u\n", DOTTED(v));
	fprintf(out, "mx2 A 10.%u.%u.%u\nmx2 AAAA fd00::%x:%x\n", DOTTED(v), v >> 16, v & 0xffff);
	fprintf(out, "sub NS ns1.sub\nsub NS ns2.sub\nns1.sub A 10.%u.%u.%u\n", DOTTED(v));
	fprintf(out, "ns2.sub A 10.%u.%u.%u\nns2.sub AAAA fd00::%x:%x\n", DOTTED(v), v >> 16, v & 0xffff);
	fprintf(out, "*.wild TXT v%u\ntree DNAME branch\n*.branch AAAA fd00::%x:%x\n", v, v >> 16, v & 0xffff);
	fprintf(out, "_tcp SRV 1 1 1 mx1\n_tcp SRV 2 1 1 mx2\n");
	fprintf(out, "out CNAME back.z%u.test.\n", other);
	for (unsigned i = 0; i < VERSION_ZONES; i++)
		fprintf(out, "in%u A 10.%u.%u.%u\n", i, DOTTED(v));
	fprintf(out, "back CNAME in0.z%u.test.\n", other);
	for (unsigned i = 0; i < v % 64; i++) /* sizes differ, too */
		fprintf(out, "filler%u.f TXT v%u\n", i, v);
}

struct snapshot *
version_build(unsigned zone, unsigned other, uint32_t version, bool mixed)
{
	struct name apex = version_apex(zone);
	struct zone_builder *b = zone_builder_new(&apex);
	struct diag_list diag = {0};
	struct zonefile_files *files = NULL;
	struct snapshot *s = NULL;
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);
	if (b == NULL || out == NULL)
		abort();
	write_zone(out, other, version, mixed ? version - 1 : version);
	fclose(out);
	if (zonefile_read_text(text, len, "version", &apex, b, &diag, &files) != 0 ||
	    zone_builder_finish(b, &diag, &s) != 0) {
		diag_print(&diag, stderr);
		abort();
	}
	zonefile_files_free(files);
	diag_clear(&diag);
	free(text);
	return s;
}

/* -------- asking -------- */

size_t
version_ask(unsigned zone, unsigned question, uint16_t id, uint8_t *out)
{
	const struct question *q = &questions[question];
	struct name apex = version_apex(zone);
	size_t len = 12, prefix_len = strlen(q->prefix);
	memset(out, 0, len);
	out[0] = (uint8_t)(id >> 8);
	out[1] = (uint8_t)id;
	out[5] = out[11] = 1;
	memcpy(out + len, q->prefix, prefix_len);
	memcpy(out + len + prefix_len, apex.bytes, apex.len);
	len += prefix_len + apex.len;
	memcpy(out + len, "\0\0\0\1\0\0\x29\x04\xd0\0\0\0\0\0\0", 15);
	out[len + 1] = (uint8_t)q->type;
	return len + 15;
}

/* -------- the oracle -------- */

static const char *
judge_address(const uint8_t *data, uint16_t type, uint32_t version)
{
	static const uint8_t v6[12] = {0xfd};
	if (type == T_A)
		return (seen_u32(data) & VERSION_MAX) == version ? NULL : "mixed: an address of another version";
	return memcmp(data, v6, 12) == 0 && seen_u32(data + 12) == version
		       ? NULL
		       : "mixed: an IPv6 address of another version";
}

static const char *
judge_text(const uint8_t *data, unsigned len, uint32_t version)
{
	char text[16];
	int n = snprintf(text, sizeof(text), "v%u", version);
	return len == (unsigned)n + 1 && memcmp(data + 1, text, (size_t)n) == 0
		       ? NULL
		       : "mixed: a text of another version";
}

/* The zone that a name lies in, or VERSION_ZONES. */
static unsigned
zone_of(const struct seen_name *owner)
{
	for (unsigned i = 0; i < VERSION_ZONES; i++) {
		struct name apex = version_apex(i);
		if (seen_name_under(owner, apex.bytes, apex.len))
			return i;
	}
	return VERSION_ZONES;
}

static const char *
judge_record(const uint8_t *reply, const struct seen_record *r, struct version_verdict *v)
{
	unsigned zone = zone_of(&r->owner);
	if (zone == VERSION_ZONES)
		return "an owner in no zone";
	if (v->version[zone] == 0)
		v->version[zone] = r->ttl_s;
	if (r->ttl_s != v->version[zone])
		return "mixed: TTLs of two versions";
	const uint8_t *data = reply + r->rdata_at;
	if (r->type == T_A || r->type == T_AAAA)
		return judge_address(data, r->type, r->ttl_s);
	if (r->type == T_TXT)
		return judge_text(data, r->rdlen, r->ttl_s);
	if (r->type == T_SOA)
		return seen_u32(data + r->rdlen - 20) == r->ttl_s ? NULL : "mixed: a serial of another version";
	return NULL;
}

static const char *
judge_counts(const struct question *q, const struct seen_message *m, const struct version_verdict *v)
{
	unsigned rcode = m->flags & 15, expected = q->authority == 1 && q->prefix[1] == 'n' ? 3 : 0;
	if (m->flags & 0x0200)
		return "TC";
	if (q == &questions[QUESTION_OUT]) {
		/* The other zone may be out of service: then the chain ends there. */
		unsigned zones = 0;
		for (unsigned i = 0; i < VERSION_ZONES; i++)
			zones += v->version[i] != 0;
		return rcode == 0 && (m->count[1] == 3 || (m->count[1] == 1 && zones == 1))
			       ? NULL
			       : "an incomplete chain of zones";
	}
	if (rcode != expected || m->count[1] != q->answers || m->count[2] != q->authority ||
	    m->count[3] != q->additional + 1)
		return "an incomplete answer";
	return NULL;
}

struct version_verdict
version_judge(unsigned zone, unsigned question, const uint8_t *reply, size_t len)
{
	static _Thread_local struct seen_message m;
	struct version_verdict v = {.fault = message_read(reply, len, &m)};
	if (v.fault != NULL)
		return v;
	if ((m.flags & 15) == 5) {
		v.is_refused = true;
		v.fault = m.n == 1 ? NULL : "REFUSED with records";
		return v;
	}
	for (unsigned i = 0; i < m.n && v.fault == NULL; i++) {
		if (&m.record[i] != m.opt)
			v.fault = judge_record(reply, &m.record[i], &v);
	}
	if (v.fault == NULL)
		v.fault = judge_counts(&questions[question], &m, &v);
	if (v.fault == NULL && v.version[zone] == 0)
		v.fault = "nothing of the zone that was asked";
	return v;
}

/* -------- reading a whole snapshot -------- */

struct walk {
	const struct snapshot *snapshot;
	void (*pause)(void *arg);
	void *arg;
	uint64_t sets;
	bool is_mixed;
};

static int
walk_node(const struct names_entry *e, void *arg)
{
	struct walk *w = arg;
	const struct node *n = (const struct node *)e;
	if (name_hash(node_name(n)) != e->hash)
		return 1;
	for (unsigned i = 0; i < node_set_count(n); i++, w->sets++)
		w->is_mixed |= rrset_ttl(node_set(n->sets[i])) != w->snapshot->serial;
	w->pause(w->arg);
	return 0;
}

const char *
version_walk(const struct snapshot *s, void (*pause)(void *arg), void *arg)
{
	struct walk w = {.snapshot = s, .pause = pause, .arg = arg};
	uint32_t serial = s->serial;
	uint64_t sets = s->sets;
	if (names_walk(&s->names, walk_node, &w) != 0)
		return "a name that is not what its hash says";
	if (w.is_mixed)
		return "mixed: a snapshot of two versions";
	return s->serial == serial && w.sets == sets && s->sets == sets
		       ? NULL
		       : "a snapshot that changed while it was read";
}
