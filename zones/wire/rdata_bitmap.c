/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fields that are bitmaps: of types in windows (NSEC, NSEC3, CSYNC), of types in one run (NXT), of ports (WKS).
 */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "zones/base/bytes.h"
#include "zones/wire/rdata_fields.h"

static void
set_bit(uint8_t *bitmap, unsigned bit)
{
	bitmap[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
}

static bool
has_bit(const uint8_t *bitmap, unsigned bit)
{
	return bitmap[bit / 8] & 0x80 >> bit % 8;
}

static void
print_type(struct rdata_printer *p, uint16_t type)
{
	char text[RRTYPE_TEXT_MAX];

	rdata_print_blank(p);
	rdata_print(p, text, rrtype_to_text(type, text));
}

/* -------- windows (RFC 4034 section 4.1.2) -------- */

int
rdata_read_bitmap(struct rdata_reader *r)
{
	uint8_t windows[256][32];  /* a window is cleared when its first type comes */
	uint8_t octets[256] = {0}; /* in use of each window; 0: the window is not there */
	unsigned last = 0;
	uint16_t type;

	while (rdata_more(r)) {
		if (rdata_next_type(r, &type) != 0)
			return -EINVAL;
		unsigned w = type >> 8, octet = (type & 0xff) / 8;
		if (octets[w] == 0)
			memset(windows[w], 0, sizeof(windows[w]));
		set_bit(windows[w], type & 0xff);
		if (octets[w] <= octet)
			octets[w] = (uint8_t)(octet + 1);
		if (last < w)
			last = w;
	}
	for (unsigned w = 0; w <= last; w++) {
		if (octets[w] == 0)
			continue;
		if (rdata_put_u8(r, (uint8_t)w) != 0 || rdata_put_u8(r, octets[w]) != 0 ||
		    rdata_put(r, windows[w], octets[w]) != 0)
			return -EINVAL;
	}
	return 0;
}

void
rdata_show_bitmap(struct rdata_printer *p)
{
	while (p->p < p->end) {
		unsigned window = p->p[0], bits = p->p[1] * 8u;
		for (unsigned i = 0; i < bits; i++)
			if (has_bit(p->p + 2, i))
				print_type(p, (uint16_t)(window << 8 | i));
		p->p += 2 + bits / 8;
	}
}

const char *
rdata_check_bitmap_opt(struct rdata_cursor *c)
{
	int last = -1;

	while (rdata_left(c) > 0) {
		const uint8_t *window = c->p;
		if (rdata_skip(c, 2) != NULL || rdata_skip(c, window[1]) != NULL)
			return "the type bitmap is cut off";
		if (window[0] <= last)
			return "the windows of the type bitmap are not in order";
		if (window[1] < 1 || window[1] > 32)
			return "a window of the type bitmap has not 1 to 32 octets";
		if (c->p[-1] == 0)
			return "a window of the type bitmap ends in a zero octet";
		last = window[0];
	}
	return NULL;
}

const char *
rdata_check_bitmap(struct rdata_cursor *c)
{
	return rdata_left(c) > 0 ? rdata_check_bitmap_opt(c) : "the type bitmap is empty";
}

/* -------- NXT (RFC 2535 section 5.2) -------- */

enum { NXT_MAX_TYPE = 127 };

int
rdata_read_nxt(struct rdata_reader *r)
{
	uint8_t bitmap[(NXT_MAX_TYPE + 1) / 8] = {0};
	size_t len = 0;
	uint16_t type;

	while (rdata_more(r)) {
		if (rdata_next_type(r, &type) != 0)
			return -EINVAL;
		if (type == 0 || type > NXT_MAX_TYPE)
			return rdata_fail(r, "NXT can only list the types 1 to %d", NXT_MAX_TYPE);
		set_bit(bitmap, type);
		if (len <= type / 8u)
			len = type / 8u + 1;
	}
	return rdata_put(r, bitmap, len);
}

void
rdata_show_nxt(struct rdata_printer *p)
{
	unsigned bits = (unsigned)(p->end - p->p) * 8;

	/* The first bit announces another format; trailing zeros would be lost. */
	p->generic = bits > 0 && (has_bit(p->p, 0) || p->end[-1] == 0);
	for (unsigned i = 0; i < bits; i++)
		if (has_bit(p->p, i))
			print_type(p, (uint16_t)i);
	p->p = p->end;
}

const char *
rdata_check_nxt(struct rdata_cursor *c)
{
	if (rdata_left(c) > (NXT_MAX_TYPE + 1) / 8 && !has_bit(c->p, 0))
		return "the type bitmap is longer than 16 octets";
	return rdata_check_rest(c);
}

/* -------- WKS (RFC 1035 section 3.4.2) -------- */

struct assigned {
	uint16_t number;
	const char *text;
};

static const struct assigned protocols[] = {{1, "icmp"}, {6, "tcp"}, {17, "udp"}, {132, "sctp"}};

/* What was in use when WKS was; others are written as numbers. */
static const struct assigned services[] = {
	{7, "echo"},    {9, "discard"},  {11, "systat"},      {13, "daytime"},      {15, "netstat"},
	{17, "qotd"},   {19, "chargen"}, {20, "ftp-data"},    {21, "ftp"},          {22, "ssh"},
	{23, "telnet"}, {25, "smtp"},    {37, "time"},        {42, "nameserver"},   {43, "whois"},
	{53, "domain"}, {67, "bootps"},  {68, "bootpc"},      {69, "tftp"},         {70, "gopher"},
	{79, "finger"}, {80, "http"},    {88, "kerberos"},    {95, "supdup"},       {101, "hostnames"},
	{109, "pop2"},  {110, "pop3"},   {111, "sunrpc"},     {113, "auth"},        {117, "uucp-path"},
	{119, "nntp"},  {123, "ntp"},    {137, "netbios-ns"}, {138, "netbios-dgm"}, {139, "netbios-ssn"},
	{143, "imap"},  {161, "snmp"},   {162, "snmp-trap"},  {177, "xdmcp"},       {179, "bgp"},
	{194, "irc"},   {389, "ldap"},   {443, "https"},
};

/* r->tok as one of the names or as a number up to max. */
static int
assigned_number(struct rdata_reader *r, const struct assigned *list, unsigned n, const char *what, uint64_t max,
		uint64_t *v)
{
	for (unsigned i = 0; i < n; i++) {
		if (strlen(list[i].text) == r->tok.len && strncasecmp(list[i].text, r->tok.text, r->tok.len) == 0) {
			*v = list[i].number;
			return 0;
		}
	}
	return rdata_number(r, what, max, v);
}

enum { WKS_MAX_OCTETS = 65536 / 8 };

int
rdata_read_wks(struct rdata_reader *r)
{
	uint8_t bitmap[WKS_MAX_OCTETS] = {0};
	size_t len = 0;
	uint64_t v;

	if (rdata_next_word(r, "the protocol") != 0 ||
	    assigned_number(r, protocols, ARRAY_LEN(protocols), "the protocol", UINT8_MAX, &v) != 0 ||
	    rdata_put_u8(r, (uint8_t)v) != 0)
		return -EINVAL;
	while (rdata_more(r)) {
		if (rdata_next_word(r, "a port") != 0 ||
		    assigned_number(r, services, ARRAY_LEN(services), "the port", UINT16_MAX, &v) != 0)
			return -EINVAL;
		set_bit(bitmap, (unsigned)v);
		if (len <= v / 8)
			len = v / 8 + 1;
	}
	return rdata_put(r, bitmap, len);
}

void
rdata_show_wks(struct rdata_printer *p)
{
	rdata_print_blank(p);
	rdata_printf(p, "%u", *p->p++);
	unsigned bits = (unsigned)(p->end - p->p) * 8;
	p->generic = bits > 0 && p->end[-1] == 0; /* trailing zeros would be lost */
	for (unsigned i = 0; i < bits; i++) {
		if (has_bit(p->p, i)) {
			rdata_print_blank(p);
			rdata_printf(p, "%u", i);
		}
	}
	p->p = p->end;
}

const char *
rdata_check_wks(struct rdata_cursor *c)
{
	if (rdata_skip(c, 1) != NULL)
		return "the protocol is missing";
	return rdata_left(c) <= WKS_MAX_OCTETS ? rdata_check_rest(c) : "the port bitmap is too long";
}
