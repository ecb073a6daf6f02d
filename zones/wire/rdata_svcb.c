/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SvcParams on the wire (RFC 9460 section 2.2): which values are well-formed, and what a record's parameters
 * require of each other.
 */
#include <string.h>

#include "zones/base/bytes.h"
#include "zones/wire/rdata_svcb.h"

struct svcb_param
svcb_param_at(const uint8_t *p)
{
	return (struct svcb_param){.key = load_be16(p), .len = load_be16(p + 2), .value = p + SVCB_HEADER_LEN};
}

/* -------- values -------- */

/* Section 8: keys in ascending order, without the key `mandatory` itself. */
static const char *
check_mandatory(const uint8_t *value, size_t len)
{
	int last = SVCB_MANDATORY;

	if (len == 0 || len % 2 != 0)
		return "mandatory is not a list of keys";
	for (size_t i = 0; i < len; i += 2) {
		int key = load_be16(value + i);
		if (key == SVCB_MANDATORY)
			return "mandatory lists itself";
		if (key <= last)
			return "mandatory lists a key twice or out of order";
		last = key;
	}
	return NULL;
}

/* Section 7.1.1: strings with a length octet, none of them empty. */
static const char *
check_alpn(const uint8_t *value, size_t len)
{
	if (len == 0)
		return "alpn is empty";
	for (size_t i = 0; i < len; i += 1u + value[i])
		if (value[i] == 0 || value[i] > len - i - 1)
			return "alpn has an empty or cut-off protocol id";
	return NULL;
}

static const char *
check_no_default_alpn(const uint8_t *value, size_t len)
{
	return len == 0 ? NULL : "no-default-alpn takes no value";
}

static const char *
check_port(const uint8_t *value, size_t len)
{
	return len == 2 ? NULL : "port has not two octets";
}

static const char *
check_ipv4hint(const uint8_t *value, size_t len)
{
	return len > 0 && len % 4 == 0 ? NULL : "ipv4hint is not a list of IPv4 addresses";
}

static const char *
check_ech(const uint8_t *value, size_t len)
{
	return len > 0 ? NULL : "ech is empty";
}

static const char *
check_ipv6hint(const uint8_t *value, size_t len)
{
	return len > 0 && len % 16 == 0 ? NULL : "ipv6hint is not a list of IPv6 addresses";
}

static bool
is_one_of(uint8_t c, const char *set)
{
	return c != 0 && strchr(set, c) != NULL;
}

/* Whether the variable `dns` stands in braces anywhere: `{?dns}`, `{?a,dns}`, `{dns}` (RFC 6570 section 2). */
static bool
has_dns_variable(const uint8_t *value, size_t len)
{
	bool inside = false;

	for (size_t i = 0; i < len; i++) {
		if (value[i] == '{')
			inside = true;
		else if (value[i] == '}')
			inside = false;
		else if (inside && len - i > 3 && memcmp(value + i, "dns", 3) == 0 &&
			 is_one_of(value[i - 1], "{?&,/;.+#") && is_one_of(value[i + 3], "},:*"))
			return true;
	}
	return false;
}

/* RFC 9461 section 5: a relative URI template with the variable `dns`. */
static const char *
check_dohpath(const uint8_t *value, size_t len)
{
	if (len == 0 || value[0] != '/')
		return "dohpath does not begin with a slash";
	return has_dns_variable(value, len) ? NULL : "dohpath is a URI template without the variable dns";
}

static const char *
check_ohttp(const uint8_t *value, size_t len)
{
	return len == 0 ? NULL : "ohttp takes no value";
}

static const char *
check_groups(const uint8_t *value, size_t len)
{
	if (len == 0 || len % 2 != 0)
		return "tls-supported-groups is not a list of numbers";
	for (size_t i = 2; i < len; i += 2)
		for (size_t k = 0; k < i; k += 2)
			if (memcmp(value + i, value + k, 2) == 0)
				return "tls-supported-groups lists a group twice";
	return NULL;
}

const struct svcb_key_row svcb_key_rows[SVCB_KNOWN_KEYS] = {
	[SVCB_MANDATORY] = {"mandatory", check_mandatory},
	[SVCB_ALPN] = {"alpn", check_alpn},
	[SVCB_NO_DEFAULT_ALPN] = {"no-default-alpn", check_no_default_alpn},
	[SVCB_PORT] = {"port", check_port},
	[SVCB_IPV4HINT] = {"ipv4hint", check_ipv4hint},
	[SVCB_ECH] = {"ech", check_ech},
	[SVCB_IPV6HINT] = {"ipv6hint", check_ipv6hint},
	[SVCB_DOHPATH] = {"dohpath", check_dohpath},
	[SVCB_OHTTP] = {"ohttp", check_ohttp},
	[SVCB_TLS_SUPPORTED_GROUPS] = {"tls-supported-groups", check_groups},
};

/* -------- parameters together -------- */

/* Steps over one parameter, whose key must be above *last. */
static const char *
check_param(struct rdata_cursor *c, int *last)
{
	const uint8_t *p = c->p;

	if (rdata_skip(c, SVCB_HEADER_LEN) != NULL || rdata_skip(c, svcb_param_at(p).len) != NULL)
		return "a service parameter is cut off";
	struct svcb_param param = svcb_param_at(p);
	if (param.key == *last)
		return "a service parameter stands twice";
	if (param.key < *last)
		return "the service parameters are not in order";
	*last = param.key;
	return param.key < SVCB_KNOWN_KEYS ? svcb_key_rows[param.key].check(param.value, param.len) : NULL;
}

/* Whether the good parameters in [p, end) have the key; both run upwards, so *p only moves on. */
static bool
find_key(const uint8_t **p, const uint8_t *end, uint16_t key)
{
	while (*p < end && load_be16(*p) < key)
		*p += SVCB_HEADER_LEN + svcb_param_at(*p).len;
	return *p < end && load_be16(*p) == key;
}

/* Section 8 (mandatory keys must be there) and section 7.1.1 (no-default-alpn needs alpn). */
static const char *
check_together(const uint8_t *params, const uint8_t *end)
{
	const uint8_t *at = params;

	if (find_key(&at, end, SVCB_NO_DEFAULT_ALPN)) {
		at = params;
		if (!find_key(&at, end, SVCB_ALPN))
			return "no-default-alpn stands without alpn";
	}
	at = params;
	if (!find_key(&at, end, SVCB_MANDATORY))
		return NULL;
	struct svcb_param mandatory = svcb_param_at(at);
	for (unsigned i = 0; i < mandatory.len; i += 2)
		if (!find_key(&at, end, load_be16(mandatory.value + i)))
			return "a mandatory key is not there";
	return NULL;
}

/* The alias form may carry parameters, to be ignored by who asks (section 2.4.2): they are held to the same rules.
 */
const char *
rdata_check_svcb(struct rdata_cursor *c)
{
	const uint8_t *params = c->p;
	int last = -1;

	while (rdata_left(c) > 0) {
		const char *why = check_param(c, &last);
		if (why != NULL)
			return why;
	}
	return check_together(params, c->end);
}
