/* SPDX-License-Identifier: Apache-2.0 */
/* From one word of the configuration to an address, a prefix or a domain name. See config_value.h and config.h. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "control/config/config_value.h"
#include "zones/wire/rrtype.h"

#define ADDRESS_HOW "write an IPv4 or IPv6 address, with @PORT behind it where needed"

/* Plain address text to octets; the family, or 0. */
static sa_family_t
octets_from_text(const char *text, uint8_t octets[16])
{
	if (inet_pton(AF_INET, text, octets) == 1)
		return AF_INET;
	if (inet_pton(AF_INET6, text, octets) == 1)
		return AF_INET6;
	return 0;
}

/* Strips `[...]`, and a port in the ways of URLs: `192.0.2.1:53`, `[::1]:53`. True if an address was inside. */
static bool
unwrap_url_style(const char *text, char *address, size_t cap, const char **port)
{
	uint8_t octets[16];
	bool bracket = text[0] == '[';
	const char *end = bracket ? strchr(text, ']') : strchr(text, ':');
	const char *begin = text + bracket;
	if (end == NULL || (size_t)(end - begin) >= cap)
		return false;
	memcpy(address, begin, (size_t)(end - begin));
	address[end - begin] = '\0';
	*port = end + bracket;
	if (**port == ':')
		(*port)++;
	return octets_from_text(address, octets) != 0;
}

static int
refuse_address(const char *text, struct config_why *why)
{
	char address[CONFIG_ADDRESS_TEXT_MAX];
	const char *port;
	if (unwrap_url_style(text, address, sizeof(address), &port))
		return config_refuse(why, "\"%s\" is not an address; did you mean %s%s%s?", text, address,
				     *port != '\0' ? "@" : "", port);
	if (strchr(text, '/') != NULL)
		return config_refuse(why, "\"%s\" is a prefix; one address is wanted here", text);
	if (strchr(text, '%') != NULL)
		return config_refuse(why, "\"%s\": interface scopes (%%eth0) are not supported; " ADDRESS_HOW,
				     text);
	return config_refuse(why, "\"%s\" is not an address; " ADDRESS_HOW, text);
}

/* The port behind `@`; a copy of what stands before it goes to host[cap]. */
static int
split_port(const char *text, char *host, size_t cap, uint64_t *port, struct config_why *why)
{
	const char *at = strchr(text, '@');
	size_t len = at != NULL ? (size_t)(at - text) : strlen(text);
	if (len >= cap)
		return config_refuse(why, "\"%s\" is not an address; " ADDRESS_HOW, text);
	memcpy(host, text, len);
	host[len] = '\0';
	if (at == NULL)
		return 0;
	struct config_why inner;
	if (config_parse_number(at + 1, CONFIG_UNIT_NONE, 1, 65535, port, &inner) != 0)
		return config_refuse(why, "\"%s\" has a bad port; write a number from 1 to 65535 behind the @",
				     text);
	return 0;
}

int
config_parse_address(const char *text, uint16_t default_port, struct config_address *out, struct config_why *why)
{
	char host[INET6_ADDRSTRLEN + 1];
	uint8_t octets[16];
	uint64_t port = default_port;
	int rc = split_port(text, host, sizeof(host), &port, why);
	if (rc != 0)
		return rc;
	struct config_address a = {0};
	switch (octets_from_text(host, octets)) {
	case AF_INET:
		a.v4.sin_family = AF_INET;
		a.v4.sin_port = htons((uint16_t)port);
		memcpy(&a.v4.sin_addr, octets, sizeof(a.v4.sin_addr));
		a.len = sizeof(a.v4);
		break;
	case AF_INET6:
		a.v6.sin6_family = AF_INET6;
		a.v6.sin6_port = htons((uint16_t)port);
		memcpy(&a.v6.sin6_addr, octets, sizeof(a.v6.sin6_addr));
		a.len = sizeof(a.v6);
		break;
	default:
		return refuse_address(text, why);
	}
	*out = a;
	return 0;
}

const char *
config_address_text(const struct config_address *address, char *out)
{
	char host[INET6_ADDRSTRLEN];
	bool v4 = address->any.sa_family == AF_INET;
	const void *octets = v4 ? (const void *)&address->v4.sin_addr : (const void *)&address->v6.sin6_addr;
	inet_ntop(v4 ? AF_INET : AF_INET6, octets, host, sizeof(host));
	/* sin_port and sin6_port lie at the same place. */
	snprintf(out, CONFIG_ADDRESS_TEXT_MAX, "%s@%u", host, ntohs(address->v4.sin_port));
	return out;
}

/* -------- prefixes -------- */

/* Zeroes what lies behind the first `bits` bits; true if something was there. */
static bool
mask_octets(uint8_t *octets, unsigned len, unsigned bits)
{
	bool any = false;
	for (unsigned i = 0; i < len; i++) {
		unsigned kept = bits > 8 * i ? bits - 8 * i : 0;
		uint8_t mask = kept >= 8 ? 0xff : (uint8_t)(0xff00u >> kept);
		any |= (octets[i] & (uint8_t)~mask) != 0;
		octets[i] &= mask;
	}
	return any;
}

int
config_parse_prefix(const char *text, struct config_prefix *out, struct config_why *why)
{
	char host[INET6_ADDRSTRLEN + 1];
	const char *slash = strchr(text, '/');
	size_t len = slash != NULL ? (size_t)(slash - text) : strlen(text);
	struct config_prefix p = {0};
	if (len < sizeof(host)) {
		memcpy(host, text, len);
		host[len] = '\0';
		p.family = octets_from_text(host, p.octets);
	}
	if (p.family == 0)
		return config_refuse(
			why, "\"%s\" is not an address or prefix; write it as 192.0.2.0/24 or 2001:db8::/32", text);
	unsigned most = p.family == AF_INET ? 32 : 128;
	uint64_t bits = most;
	struct config_why inner;
	if (slash != NULL && config_parse_number(slash + 1, CONFIG_UNIT_NONE, 0, most, &bits, &inner) != 0)
		return config_refuse(why, "\"%s\" has a bad length; write a number from 0 to %u behind the /", text,
				     most);
	p.bits = (uint8_t)bits;
	if (mask_octets(p.octets, most / 8, p.bits)) {
		inet_ntop(p.family, p.octets, host, sizeof(host));
		return config_refuse(why, "\"%s\" has bits set behind its length; did you mean %s/%u?", text, host,
				     p.bits);
	}
	*out = p;
	return 0;
}

bool
config_prefix_contains(const struct config_prefix *prefix, const struct sockaddr *address)
{
	if (address->sa_family != prefix->family)
		return false;
	uint8_t octets[16];
	unsigned len = prefix->family == AF_INET ? 4 : 16;
	if (len == 4)
		memcpy(octets, &((const struct sockaddr_in *)(const void *)address)->sin_addr, 4);
	else
		memcpy(octets, &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr, 16);
	mask_octets(octets, len, prefix->bits);
	return memcmp(octets, prefix->octets, len) == 0;
}

/* -------- names and types -------- */

int
config_parse_name(const char *text, struct name *out, struct config_why *why)
{
	static const struct name root = {.len = 1};
	struct name name;
	enum name_error e = text[0] == '\0' ? NAME_EMPTY : name_from_text(text, strlen(text), &root, &name);
	if (e != NAME_OK || strcmp(text, "@") == 0)
		return config_refuse(why, "\"%s\" is not a domain name%s%s; write it as example.com", text,
				     e != NAME_OK ? ": " : "", e != NAME_OK ? name_error_text(e) : "");
	name_lower(name.bytes, name.bytes, name.len);
	*out = name;
	return 0;
}

int
config_parse_pattern(const char *text, struct name *out, struct config_why *why)
{
	struct name name;
	int rc = config_parse_name(text, &name, why);
	if (rc != 0)
		return rc;
	for (const uint8_t *label = name.bytes; *label != 0; label += *label + 1) {
		bool star = memchr(label + 1, '*', *label) != NULL;
		if (star && (label != name.bytes || *label != 1))
			return config_refuse(why, "\"%s\": a * can only be the whole first label, as in *.example",
					     text);
	}
	*out = name;
	return 0;
}

int
config_parse_rrtype(const char *text, uint16_t *out, struct config_why *why)
{
	uint16_t type;
	if (rrtype_from_text(text, strlen(text), &type) != 0) {
		const char *near = rrtype_nearest(text, strlen(text));
		return config_refuse(why, "\"%s\" is not a record type; %s%s", text,
				     near != NULL ? "did you mean " : "write it as TXT or TYPE65280",
				     near != NULL ? near : "");
	}
	if (rrtype_is_meta(type) && type != RRTYPE_ANY)
		return config_refuse(why, "no zone has records of type %s; remove it", text);
	*out = type;
	return 0;
}
