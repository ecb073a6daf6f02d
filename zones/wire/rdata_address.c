/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fields that are addresses of some network: IPv4 and IPv6, EUI, ILNP locators, NSAP, ATM, address prefix lists.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "zones/base/bytes.h"
#include "zones/wire/rdata_fields.h"

/* -------- IP -------- */

int
rdata_put_ip4(struct rdata_reader *r, const char *text, size_t n)
{
	uint8_t octets[4];
	unsigned parts = 0, digits = 0, v = 0;

	for (size_t i = 0; i <= n; i++) {
		unsigned digit = i < n ? (unsigned char)text[i] - (unsigned)'0' : 10;
		if (digit <= 9) {
			if (digits == 3 ||
			    (digits == 1 && v == 0)) /* no leading zeros: some would read them as octal */
				goto bad;
			v = v * 10 + digit;
			digits++;
			continue;
		}
		if (digits == 0 || v > 255 || parts == 4 || (i < n && text[i] != '.'))
			goto bad;
		octets[parts++] = (uint8_t)v;
		digits = v = 0;
	}
	if (parts == 4)
		return rdata_put(r, octets, sizeof(octets));
bad:
	return rdata_fail(r, "this is not an IPv4 address");
}

int
rdata_read_ip4(struct rdata_reader *r)
{
	int rc = rdata_next_word(r, "an IPv4 address");

	return rc != 0 ? rc : rdata_put_ip4(r, r->tok.text, r->tok.len);
}

void
rdata_print_ip4(struct rdata_printer *p)
{
	rdata_printf(p, "%u.%u.%u.%u", p->p[0], p->p[1], p->p[2], p->p[3]);
	p->p += 4;
}

void
rdata_show_ip4(struct rdata_printer *p)
{
	rdata_print_blank(p);
	rdata_print_ip4(p);
}

int
rdata_put_ip6(struct rdata_reader *r, const char *text, size_t n)
{
	char copy[INET6_ADDRSTRLEN];
	struct in6_addr address;

	if (n >= sizeof(copy) || memchr(text, '\0', n) != NULL)
		return rdata_fail(r, "this is not an IPv6 address");
	memcpy(copy, text, n);
	copy[n] = '\0';
	if (inet_pton(AF_INET6, copy, &address) != 1)
		return rdata_fail(r, "this is not an IPv6 address");
	return rdata_put(r, &address, sizeof(address));
}

int
rdata_read_ip6(struct rdata_reader *r)
{
	int rc = rdata_next_word(r, "an IPv6 address");

	return rc != 0 ? rc : rdata_put_ip6(r, r->tok.text, r->tok.len);
}

void
rdata_print_ip6(struct rdata_printer *p)
{
	char text[INET6_ADDRSTRLEN] = "";

	inet_ntop(AF_INET6, p->p, text, sizeof(text));
	rdata_print(p, text, strlen(text));
	p->p += 16;
}

void
rdata_show_ip6(struct rdata_printer *p)
{
	rdata_print_blank(p);
	rdata_print_ip6(p);
}

/* -------- EUI (RFC 7043), locators (RFC 6742) -------- */

/* `octets` pairs of hex digits with a dash between. */
static int
read_eui(struct rdata_reader *r, unsigned octets)
{
	uint8_t eui[8];
	int rc = rdata_next_word(r, "an EUI address");

	if (rc != 0)
		return rc;
	if (r->tok.len != octets * 3 - 1)
		return rdata_fail(r, "an EUI-%u address is %u pairs of hex digits with dashes", octets * 8, octets);
	for (unsigned i = 0; i < octets; i++) {
		const char *pair = r->tok.text + (size_t)i * 3;
		int high = rdata_hex_value(pair[0]), low = rdata_hex_value(pair[1]);
		if (high < 0 || low < 0 || (i + 1 < octets && pair[2] != '-'))
			return rdata_fail(r, "an EUI-%u address is %u pairs of hex digits with dashes", octets * 8,
					  octets);
		eui[i] = (uint8_t)(high << 4 | low);
	}
	return rdata_put(r, eui, octets);
}

static void
show_eui(struct rdata_printer *p, unsigned octets)
{
	rdata_print_blank(p);
	for (unsigned i = 0; i < octets; i++)
		rdata_printf(p, i == 0 ? "%02x" : "-%02x", *p->p++);
}

int
rdata_read_eui48(struct rdata_reader *r)
{
	return read_eui(r, 6);
}

void
rdata_show_eui48(struct rdata_printer *p)
{
	show_eui(p, 6);
}

int
rdata_read_eui64(struct rdata_reader *r)
{
	return read_eui(r, 8);
}

void
rdata_show_eui64(struct rdata_printer *p)
{
	show_eui(p, 8);
}

int
rdata_read_locator(struct rdata_reader *r)
{
	uint8_t locator[8];
	unsigned groups = 0, digits = 0, v = 0;
	int rc = rdata_next_word(r, "a locator");

	if (rc != 0)
		return rc;
	for (size_t i = 0; i <= r->tok.len; i++) {
		int digit = i < r->tok.len ? rdata_hex_value(r->tok.text[i]) : -1;
		if (digit >= 0 && digits < 4) {
			v = v << 4 | (unsigned)digit;
			digits++;
			continue;
		}
		if (digits == 0 || groups == 4 || (i < r->tok.len && r->tok.text[i] != ':'))
			return rdata_fail(r, "this must be four groups of hex digits with colons");
		store_be16(locator + 2 * groups++, (uint16_t)v);
		digits = v = 0;
	}
	if (groups != 4)
		return rdata_fail(r, "this must be four groups of hex digits with colons");
	return rdata_put(r, locator, sizeof(locator));
}

void
rdata_show_locator(struct rdata_printer *p)
{
	rdata_print_blank(p);
	rdata_printf(p, "%04x:%04x:%04x:%04x", load_be16(p->p), load_be16(p->p + 2), load_be16(p->p + 4),
		     load_be16(p->p + 6));
	p->p += 8;
}

/* -------- NSAP (RFC 1706), ATM -------- */

/* Hex digits of one word with dots between them, which mean nothing. */
static int
put_dotted_hex(struct rdata_reader *r, const char *text, size_t n)
{
	int high = -1;

	for (size_t i = 0; i < n; i++) {
		int digit = rdata_hex_value(text[i]);
		if (digit < 0 && text[i] == '.')
			continue;
		if (digit < 0)
			return rdata_fail(r, "the address may hold hex digits and dots only");
		if (high < 0) {
			high = digit;
			continue;
		}
		if (rdata_put_u8(r, (uint8_t)(high << 4 | digit)) != 0)
			return -EINVAL;
		high = -1;
	}
	return high < 0 ? 0 : rdata_fail(r, "the address has an odd number of hex digits");
}

int
rdata_read_nsap(struct rdata_reader *r)
{
	int rc = rdata_next_word(r, "an NSAP address");

	if (rc != 0)
		return rc;
	if (r->tok.len < 2 || r->tok.text[0] != '0' || (r->tok.text[1] | 0x20) != 'x')
		return rdata_fail(r, "an NSAP address begins with 0x");
	return put_dotted_hex(r, r->tok.text + 2, r->tok.len - 2);
}

void
rdata_show_nsap(struct rdata_printer *p)
{
	rdata_print_blank(p);
	rdata_print(p, "0x", 2);
	rdata_print_hex(p, (size_t)(p->end - p->p));
}

enum { ATMA_AESA = 0, ATMA_E164 = 1 };

int
rdata_read_atma(struct rdata_reader *r)
{
	int rc = rdata_next_word(r, "an ATM address");

	if (rc != 0)
		return rc;
	if (r->tok.text[0] != '+') {
		rc = rdata_put_u8(r, ATMA_AESA);
		return rc != 0 ? rc : put_dotted_hex(r, r->tok.text, r->tok.len);
	}
	rc = rdata_put_u8(r, ATMA_E164);
	for (size_t i = 1; rc == 0 && i < r->tok.len; i++)
		if (r->tok.text[i] != '.')
			rc = rdata_put_u8(r, (uint8_t)r->tok.text[i]);
	return rc;
}

void
rdata_show_atma(struct rdata_printer *p)
{
	uint8_t format = *p->p++;

	rdata_print_blank(p);
	if (format == ATMA_AESA) {
		rdata_print_hex(p, (size_t)(p->end - p->p));
	} else if (format == ATMA_E164) {
		rdata_print(p, "+", 1);
		rdata_print(p, (const char *)p->p, (size_t)(p->end - p->p));
		p->p = p->end;
	} else {
		p->generic = true;
	}
}

const char *
rdata_check_atma(struct rdata_cursor *c)
{
	if (rdata_left(c) < 2)
		return "the ATM address is empty";
	if (*c->p == ATMA_E164) {
		for (const uint8_t *d = c->p + 1; d < c->end; d++)
			if (*d < '0' || *d > '9')
				return "an E.164 address has digits only";
	}
	return rdata_check_rest(c);
}

/* -------- address prefix lists (RFC 3123) -------- */

enum { APL_IP4 = 1, APL_IP6 = 2, APL_NEGATED = 0x80 };

/* Turns the address at the end of the output, `octets` long, into an AFDPART: without its trailing zeros. */
static void
trim_address(struct rdata_reader *r, size_t header, unsigned octets, bool negated)
{
	while (octets > 0 && r->out[r->len - 1] == 0) {
		r->len--;
		octets--;
	}
	r->out[header + 3] = (uint8_t)(octets | (negated ? APL_NEGATED : 0));
}

/* One item: [!]family:address/prefix. */
static int
put_apl_item(struct rdata_reader *r)
{
	const char *text = r->tok.text, *end = text + r->tok.len;
	bool negated = *text == '!';
	size_t header = r->len;
	uint64_t family, prefix;

	text += negated;
	const char *colon = memchr(text, ':', (size_t)(end - text));
	const char *slash = memchr(text, '/', (size_t)(end - text));
	if (colon == NULL || slash == NULL || slash < colon)
		return rdata_fail(r, "an item must be like 1:192.0.2.0/24 or !2:2001:db8::/32");
	if (!rdata_parse_number(text, (size_t)(colon - text), APL_IP6, &family) || family == 0)
		return rdata_fail(r, "the address family must be 1 or 2");
	if (!rdata_parse_number(slash + 1, (size_t)(end - slash) - 1, family == APL_IP4 ? 32 : 128, &prefix))
		return rdata_fail(r, "the prefix length is not a number in range");
	if (rdata_put_u16(r, (uint16_t)family) != 0 || rdata_put_u8(r, (uint8_t)prefix) != 0 ||
	    rdata_put_u8(r, 0) != 0)
		return -EINVAL;
	size_t n = (size_t)(slash - colon) - 1;
	int rc = family == APL_IP4 ? rdata_put_ip4(r, colon + 1, n) : rdata_put_ip6(r, colon + 1, n);
	if (rc == 0)
		trim_address(r, header, family == APL_IP4 ? 4 : 16, negated);
	return rc;
}

int
rdata_read_apl(struct rdata_reader *r)
{
	int rc = 0;

	while (rc == 0 && rdata_more(r)) {
		rc = rdata_next_word(r, "an address prefix");
		if (rc == 0)
			rc = put_apl_item(r);
	}
	return rc;
}

/* Prints an AFDPART with its zeros back. */
static void
print_afdpart(struct rdata_printer *p, uint16_t family, unsigned octets)
{
	uint8_t address[16] = {0};
	const uint8_t *after = p->p + octets;

	memcpy(address, p->p, octets);
	p->p = address;
	if (family == APL_IP4)
		rdata_print_ip4(p);
	else
		rdata_print_ip6(p);
	p->p = after;
}

void
rdata_show_apl(struct rdata_printer *p)
{
	while (p->p < p->end) {
		uint16_t family = load_be16(p->p);
		unsigned prefix = p->p[2], octets = p->p[3] & 0x7f;
		bool negated = p->p[3] & APL_NEGATED;
		if (family != APL_IP4 && family != APL_IP6) {
			p->generic = true;
			return;
		}
		p->p += 4;
		rdata_print_blank(p);
		rdata_printf(p, "%s%u:", negated ? "!" : "", family);
		print_afdpart(p, family, octets);
		rdata_printf(p, "/%u", prefix);
	}
}

const char *
rdata_check_apl(struct rdata_cursor *c)
{
	while (rdata_left(c) > 0) {
		const uint8_t *item = c->p;
		if (rdata_skip(c, 4) != NULL || rdata_skip(c, item[3] & 0x7f) != NULL)
			return "an address prefix is cut off";
		unsigned octets = item[3] & 0x7f, max = load_be16(item) == APL_IP4 ? 4 : 16;
		if (load_be16(item) != APL_IP4 && load_be16(item) != APL_IP6)
			continue;
		if (octets > max || item[2] > max * 8)
			return "an address prefix is too long for its family";
		if (octets > 0 && c->p[-1] == 0)
			return "an address prefix ends in a zero octet";
	}
	return NULL;
}
