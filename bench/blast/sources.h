/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where queries come from: addresses of a prefix and ports, numbered 0 to n - 1. Neighbours in number differ in
 * address, if there is more than one. Set once, then only read.
 */
#ifndef ANSER_BLAST_SOURCES_H
#define ANSER_BLAST_SOURCES_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "zones/base/compiler.h"

#define SOURCES_PORT_FIRST 10000
#define SOURCES_PORTS_MAX 50000

struct sources {
	uint8_t base[16]; /* first address; IPv4 in the first 4 octets */
	bool is_v6;
	uint32_t n, n_addresses;
};

/*
 * n sources: from 2^(width - prefix_len) addresses, or n if those are more, and as many ports as needed. `base`:
 * its octets behind the prefix are cleared if the prefix is shorter than an address. -E2BIG: too few addresses.
 */
int sources_init(struct sources *s, bool is_v6, const uint8_t *base, unsigned prefix_len, uint32_t n) MUST_CHECK;

/* Address i (< n_addresses): 4 or 16 octets at out. */
void sources_address(const struct sources *s, uint32_t i, uint8_t *out);

static inline uint32_t
sources_address_of(const struct sources *s, uint32_t source)
{
	return source % s->n_addresses;
}

static inline uint16_t
sources_port_of(const struct sources *s, uint32_t source)
{
	return (uint16_t)(SOURCES_PORT_FIRST + source / s->n_addresses);
}

/* Address and port of a source for the socket calls; returns its length. */
socklen_t sources_socket_address(const struct sources *s, uint32_t source, struct sockaddr_storage *out);

/* Which source has this address (4 or 16 octets) and port; UINT32_MAX: none. */
uint32_t sources_find(const struct sources *s, const uint8_t *address, uint16_t port);

#endif
