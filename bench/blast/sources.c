/* SPDX-License-Identifier: Apache-2.0 */
/* Source addresses and ports. See sources.h. */
#include "bench/blast/sources.h"

#include <errno.h>
#include <string.h>

#include "zones/base/bytes.h"

/* The last 4 octets count; a prefix of more than 2^31 addresses is cut to that. */
#define HOST_BITS_MAX 31

int
sources_init(struct sources *s, bool is_v6, const uint8_t *base, unsigned prefix_len, uint32_t n)
{
	unsigned octets = is_v6 ? 16 : 4, host_bits = octets * 8 - prefix_len;
	struct sources new = {.is_v6 = is_v6, .n = n};
	if (host_bits > HOST_BITS_MAX)
		host_bits = HOST_BITS_MAX;
	uint32_t addresses = 1u << host_bits;
	new.n_addresses = addresses < n ? addresses : n;
	if ((n - 1) / new.n_addresses >= SOURCES_PORTS_MAX)
		return -E2BIG;
	memcpy(new.base, base, octets);
	uint8_t *low = new.base + octets - 4;
	store_be32(low, load_be32(low) & ~(addresses - 1));
	*s = new;
	return 0;
}

void
sources_address(const struct sources *s, uint32_t i, uint8_t *out)
{
	unsigned octets = s->is_v6 ? 16 : 4;
	memcpy(out, s->base, octets);
	store_be32(out + octets - 4, load_be32(s->base + octets - 4) + i);
}

socklen_t
sources_socket_address(const struct sources *s, uint32_t source, struct sockaddr_storage *out)
{
	*out = (struct sockaddr_storage){0};
	uint32_t i = sources_address_of(s, source);
	uint16_t port_be = htons(sources_port_of(s, source));
	if (s->is_v6) {
		struct sockaddr_in6 *a = (struct sockaddr_in6 *)out;
		a->sin6_family = AF_INET6;
		a->sin6_port = port_be;
		sources_address(s, i, a->sin6_addr.s6_addr);
		return sizeof(*a);
	}
	struct sockaddr_in *a = (struct sockaddr_in *)out;
	a->sin_family = AF_INET;
	a->sin_port = port_be;
	sources_address(s, i, (uint8_t *)&a->sin_addr);
	return sizeof(*a);
}

uint32_t
sources_find(const struct sources *s, const uint8_t *address, uint16_t port)
{
	unsigned prefix = s->is_v6 ? 12 : 0;
	if (port < SOURCES_PORT_FIRST || memcmp(address, s->base, prefix) != 0)
		return UINT32_MAX;
	uint32_t i = load_be32(address + prefix) - load_be32(s->base + prefix);
	if (i >= s->n_addresses)
		return UINT32_MAX;
	uint64_t source = (uint64_t)(port - SOURCES_PORT_FIRST) * s->n_addresses + i;
	return source < s->n ? (uint32_t)source : UINT32_MAX;
}
