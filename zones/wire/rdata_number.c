/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fields that are numbers: plain ones, times, and numbers that have names.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "zones/base/bytes.h"
#include "zones/wire/rdata_fields.h"

/* -------- parsing -------- */

bool
rdata_parse_number(const char *text, size_t n, uint64_t max, uint64_t *v)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < n; i++) {
		unsigned digit = (unsigned char)text[i] - '0';
		if (digit > 9 || sum > max / 10 || digit > max - sum * 10)
			return false;
		sum = sum * 10 + digit;
	}
	*v = sum;
	return n > 0;
}

/* Seconds in a unit letter, or 0. */
static unsigned
unit_seconds(char unit)
{
	switch (unit | 0x20) {
	case 's':
		return 1;
	case 'm':
		return 60;
	case 'h':
		return 3600;
	case 'd':
		return 86400;
	case 'w':
		return 604800;
	}
	return 0;
}

bool
rdata_parse_period(const char *text, size_t n, uint64_t max, uint64_t *v)
{
	uint64_t sum = 0;
	size_t digits = 0;

	if (rdata_parse_number(text, n, max, v))
		return true;
	for (size_t i = 0; i < n; i++) {
		uint64_t count;
		if (text[i] >= '0' && text[i] <= '9') {
			digits++;
			continue;
		}
		unsigned unit = unit_seconds(text[i]);
		if (unit == 0 || !rdata_parse_number(text + i - digits, digits, max / unit, &count))
			return false;
		sum += count * unit;
		digits = 0;
		if (sum > max)
			return false;
	}
	*v = sum;
	return n > 0 && digits == 0;
}

int
ttl_from_text(const char *text, size_t len, uint32_t *ttl_s)
{
	uint64_t v;

	if (!rdata_parse_period(text, len, INT32_MAX, &v))
		return -EINVAL;
	*ttl_s = (uint32_t)v;
	return 0;
}

int
rdata_number(struct rdata_reader *r, const char *what, uint64_t max, uint64_t *v)
{
	if (likely(rdata_parse_number(r->tok.text, r->tok.len, max, v)))
		return 0;
	return rdata_fail(r, "%s must be a number from 0 to %llu", what, (unsigned long long)max);
}

/* The next word as a number up to max. */
static int
next_number(struct rdata_reader *r, uint64_t max, uint64_t *v)
{
	int rc = rdata_next_word(r, "a number");

	return rc != 0 ? rc : rdata_number(r, "the field", max, v);
}

/* -------- plain numbers -------- */

int
rdata_read_u8(struct rdata_reader *r)
{
	uint64_t v;
	int rc = next_number(r, UINT8_MAX, &v);

	return rc != 0 ? rc : rdata_put_u8(r, (uint8_t)v);
}

int
rdata_read_u16(struct rdata_reader *r)
{
	uint64_t v;
	int rc = next_number(r, UINT16_MAX, &v);

	return rc != 0 ? rc : rdata_put_u16(r, (uint16_t)v);
}

int
rdata_read_u32(struct rdata_reader *r)
{
	uint64_t v;
	int rc = next_number(r, UINT32_MAX, &v);

	return rc != 0 ? rc : rdata_put_u32(r, (uint32_t)v);
}

int
rdata_read_u64(struct rdata_reader *r)
{
	uint64_t v;
	uint8_t be[8];
	int rc = next_number(r, UINT64_MAX, &v);

	if (rc != 0)
		return rc;
	store_be64(be, v);
	return rdata_put(r, be, sizeof(be));
}

static void
print_number(struct rdata_printer *p, unsigned long long v, unsigned width)
{
	rdata_print_blank(p);
	rdata_printf(p, "%llu", v);
	p->p += width;
}

void
rdata_show_u8(struct rdata_printer *p)
{
	print_number(p, *p->p, 1);
}

void
rdata_show_u16(struct rdata_printer *p)
{
	print_number(p, load_be16(p->p), 2);
}

void
rdata_show_u32(struct rdata_printer *p)
{
	print_number(p, load_be32(p->p), 4);
}

void
rdata_show_u64(struct rdata_printer *p)
{
	print_number(p, load_be64(p->p), 8);
}

/* -------- times -------- */

int
rdata_read_period(struct rdata_reader *r)
{
	uint64_t v;
	int rc = rdata_next_word(r, "a time in seconds");

	if (rc != 0)
		return rc;
	if (!rdata_parse_period(r->tok.text, r->tok.len, UINT32_MAX, &v))
		return rdata_fail(r, "a time must be seconds or like 1w2d3h4m5s, at most 4294967295 seconds");
	return rdata_put_u32(r, (uint32_t)v);
}

static bool
is_leap(unsigned year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static unsigned
days_in_month(unsigned year, unsigned month)
{
	static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

	return days[month - 1] + (month == 2 && is_leap(year));
}

/* Days from 1970-01-01 to the first of January of a year from 1970. */
static uint64_t
days_to_year(uint64_t year)
{
	uint64_t y = year - 1;

	return (year - 1970) * 365 + (y / 4 - y / 100 + y / 400) - (1969 / 4 - 1969 / 100 + 1969 / 400);
}

/* YYYYMMDDHHmmSS as seconds since 1970; false if there is no such time. */
static bool
parse_date(const char *text, uint64_t *seconds)
{
	static const uint8_t widths[6] = {4, 2, 2, 2, 2, 2};
	uint64_t part[6];

	for (unsigned i = 0; i < 6; text += widths[i++])
		if (!rdata_parse_number(text, widths[i], 9999, &part[i]))
			return false;
	if (part[0] < 1970 || part[1] < 1 || part[1] > 12 || part[2] < 1 ||
	    part[2] > days_in_month((unsigned)part[0], (unsigned)part[1]) || part[3] > 23 || part[4] > 59 ||
	    part[5] > 59)
		return false;
	uint64_t days = days_to_year(part[0]) + part[2] - 1;
	for (unsigned month = 1; month < part[1]; month++)
		days += days_in_month((unsigned)part[0], month);
	*seconds = ((days * 24 + part[3]) * 60 + part[4]) * 60 + part[5];
	return true;
}

int
rdata_read_time(struct rdata_reader *r)
{
	uint64_t v;
	int rc = rdata_next_word(r, "a time");

	if (rc != 0)
		return rc;
	bool good = r->tok.len == 14 ? parse_date(r->tok.text, &v)
				     : rdata_parse_number(r->tok.text, r->tok.len, UINT32_MAX, &v);
	if (!good)
		return rdata_fail(r, "a time must be YYYYMMDDHHmmSS or seconds since 1970");
	return rdata_put_u32(r, (uint32_t)v); /* serial arithmetic: the years wrap (RFC 4034 section 3.1.5) */
}

void
rdata_show_time(struct rdata_printer *p)
{
	uint32_t v = load_be32(p->p);
	unsigned days = v / 86400, s = v % 86400, year = 1970, month = 1;

	for (; days >= 365u + is_leap(year); year++)
		days -= 365u + is_leap(year);
	for (; days >= days_in_month(year, month); month++)
		days -= days_in_month(year, month);
	rdata_print_blank(p);
	rdata_printf(p, "%04u%02u%02u%02u%02u%02u", year, month, days + 1, s / 3600, s / 60 % 60, s % 60);
	p->p += 4;
}

/* -------- numbers with names -------- */

struct mnemonic {
	uint16_t value;
	const char *text;
};

static const struct mnemonic algorithms[] = {
	{1, "RSAMD5"},
	{2, "DH"},
	{3, "DSA"},
	{4, "ECC"},
	{5, "RSASHA1"},
	{6, "DSA-NSEC3-SHA1"},
	{6, "NSEC3DSA"},
	{7, "RSASHA1-NSEC3-SHA1"},
	{7, "NSEC3RSASHA1"},
	{8, "RSASHA256"},
	{10, "RSASHA512"},
	{12, "ECC-GOST"},
	{12, "ECCGOST"},
	{13, "ECDSAP256SHA256"},
	{14, "ECDSAP384SHA384"},
	{15, "ED25519"},
	{16, "ED448"},
	{17, "SM2SM3"},
	{23, "ECC-GOST12"},
	{252, "INDIRECT"},
	{253, "PRIVATEDNS"},
	{254, "PRIVATEOID"},
	{0, NULL},
};

static const struct mnemonic digest_types[] = {
	{1, "SHA1"},   {1, "SHA-1"},   {2, "SHA256"}, {2, "SHA-256"}, {3, "GOST"},
	{4, "SHA384"}, {4, "SHA-384"}, {5, "GOST12"}, {6, "SM3"},     {0, NULL},
};

static const struct mnemonic cert_types[] = {
	{1, "PKIX"},   {2, "SPKI"},    {3, "PGP"},   {4, "IPKIX"}, {5, "ISPKI"}, {6, "IPGP"},
	{7, "ACPKIX"}, {8, "IACPKIX"}, {253, "URI"}, {254, "OID"}, {0, NULL},
};

static const struct mnemonic schemes[] = {{1, "NOTIFY"}, {0, NULL}};

/* The next word as one of the names, or as a number up to max. */
static int
next_mnemonic(struct rdata_reader *r, const struct mnemonic *list, const char *what, uint64_t max, uint64_t *v)
{
	int rc = rdata_next_word(r, what);

	if (rc != 0)
		return rc;
	for (const struct mnemonic *m = list; m->text != NULL; m++) {
		if (strlen(m->text) == r->tok.len && strncasecmp(m->text, r->tok.text, r->tok.len) == 0) {
			*v = m->value;
			return 0;
		}
	}
	if (!rdata_parse_number(r->tok.text, r->tok.len, max, v))
		return rdata_fail(r, "%s must be a mnemonic or a number from 0 to %llu", what,
				  (unsigned long long)max);
	return 0;
}

static int
read_mnemonic_u8(struct rdata_reader *r, const struct mnemonic *list, const char *what)
{
	uint64_t v;
	int rc = next_mnemonic(r, list, what, UINT8_MAX, &v);

	return rc != 0 ? rc : rdata_put_u8(r, (uint8_t)v);
}

int
rdata_read_algorithm(struct rdata_reader *r)
{
	return read_mnemonic_u8(r, algorithms, "the algorithm");
}

int
rdata_read_digest_type(struct rdata_reader *r)
{
	return read_mnemonic_u8(r, digest_types, "the digest type");
}

int
rdata_read_scheme(struct rdata_reader *r)
{
	return read_mnemonic_u8(r, schemes, "the scheme");
}

int
rdata_read_cert_type(struct rdata_reader *r)
{
	uint64_t v;
	int rc = next_mnemonic(r, cert_types, "the certificate type", UINT16_MAX, &v);

	return rc != 0 ? rc : rdata_put_u16(r, (uint16_t)v);
}

static void
print_mnemonic(struct rdata_printer *p, const struct mnemonic *list, unsigned v, unsigned width)
{
	for (const struct mnemonic *m = list; m->text != NULL; m++) {
		if (m->value == v) {
			rdata_print_blank(p);
			rdata_print(p, m->text, strlen(m->text));
			p->p += width;
			return;
		}
	}
	print_number(p, v, width);
}

void
rdata_show_scheme(struct rdata_printer *p)
{
	print_mnemonic(p, schemes, *p->p, 1);
}

void
rdata_show_cert_type(struct rdata_printer *p)
{
	print_mnemonic(p, cert_types, load_be16(p->p), 2);
}

/* -------- record types -------- */

int
rdata_next_type(struct rdata_reader *r, uint16_t *type)
{
	int rc = rdata_next_word(r, "a record type");

	if (rc != 0 || likely(rrtype_from_text(r->tok.text, r->tok.len, type) == 0))
		return rc;
	const char *nearest = rrtype_nearest(r->tok.text, r->tok.len);
	if (nearest != NULL)
		return rdata_fail(r, "this is not a record type; did you mean %s?", nearest);
	return rdata_fail(r, "this is not a record type");
}

int
rdata_read_type(struct rdata_reader *r)
{
	uint16_t type;
	int rc = rdata_next_type(r, &type);

	return rc != 0 ? rc : rdata_put_u16(r, type);
}

void
rdata_show_type(struct rdata_printer *p)
{
	char text[RRTYPE_TEXT_MAX];

	rdata_print_blank(p);
	rdata_print(p, text, rrtype_to_text(load_be16(p->p), text));
	p->p += 2;
}
