/* SPDX-License-Identifier: Apache-2.0 */
/* Reading EDNS(0). See edns.h. */
#include "zones/wire/edns.h"

#include "zones/base/bytes.h"

/* A client's cookie alone, or with a server's of 8 to 32 octets (RFC 7873 section 4). */
static bool
read_cookie(struct edns *e, const uint8_t *data, unsigned len)
{
	if (len != EDNS_CLIENT_COOKIE && (len < 16 || len > EDNS_COOKIE_MAX))
		return false;
	memcpy(e->cookie, data, EDNS_CLIENT_COOKIE); /* mostly all, and of a size that needs no call */
	if (len > EDNS_CLIENT_COOKIE)
		memcpy(e->cookie + EDNS_CLIENT_COOKIE, data + EDNS_CLIENT_COOKIE, len - EDNS_CLIENT_COOKIE);
	e->cookie_len = (uint8_t)len;
	return true;
}

/* Octets as many as the prefix needs, for a family that there is (RFC 7871 section 6). */
static bool
read_subnet(struct edns *e, const uint8_t *data, unsigned len)
{
	if (len < 4)
		return false;
	unsigned family = load_be16(data), prefix = data[2];
	unsigned max = family == 1 ? 32 : family == 2 ? 128 : 0;
	if (prefix > max || data[3] != 0 || len != 4 + (prefix + 7) / 8)
		return false;
	memcpy(e->subnet, data, len);
	e->subnet_len = (uint8_t)len;
	return true;
}

static bool
read_option(struct edns *e, unsigned code, const uint8_t *data, unsigned len)
{
	e->has_options = true;
	switch (code) {
	case EDNS_NSID:
		e->wants_nsid = true;
		return true;
	case EDNS_COOKIE:
		return e->cookie_len != 0 || read_cookie(e, data, len);
	case EDNS_SUBNET:
		return e->subnet_len != 0 || read_subnet(e, data, len);
	case EDNS_EXPIRE:
		e->wants_expire = true;
		return true;
	case EDNS_KEEPALIVE:
		e->wants_keepalive = true;
		return true; /* RFC 7828 section 3.3.1: ignored over UDP; elsewhere a timeout of the client's says
				nothing */
	case EDNS_PADDING:
		e->wants_padding = true;
		return true; /* what it holds does not count (RFC 7830 section 3) */
	case EDNS_ZONEVERSION:
		e->wants_zoneversion = true;
		return len == 0; /* RFC 9660 section 3.1 */
	default:
		return true;
	}
}

bool
edns_read(struct edns *e, const uint8_t *head)
{
	e->is_present = true;
	e->size = load_be16(head + 2);
	e->rcode_high = head[4];
	e->version = head[5];
	e->wants_dnssec = head[6] & 0x80;
	if (e->version != 0)
		return true; /* what the options of another version look like, nobody knows yet */
	const uint8_t *p = head + 10, *end = p + load_be16(head + 8);
	while (p < end) {
		if (end - p < EDNS_OPTION_HEAD)
			return false;
		unsigned len = load_be16(p + 2);
		if (end - p - EDNS_OPTION_HEAD < (ptrdiff_t)len ||
		    !read_option(e, load_be16(p), p + EDNS_OPTION_HEAD, len))
			return false;
		p += EDNS_OPTION_HEAD + len;
	}
	return true;
}
