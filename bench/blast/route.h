/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the kernel knows about the way to the server: our address on it, and the next hop's MAC. For ports on an
 * interface that the kernel has, too. Cold; main thread.
 */
#ifndef ANSER_BLAST_ROUTE_H
#define ANSER_BLAST_ROUTE_H

#include <stdint.h>
#include <sys/socket.h>

#include "zones/base/compiler.h"
#include "zones/base/diag.h"

struct route {
	uint8_t source[16]; /* ours, IPv4 in the first 4 octets */
	uint8_t hop[16];    /* the next hop's address: the server itself or a gateway */
};

/* The route to the server through the interface. 0, or -errno with the reason in diag. */
int route_find(const char *device, const struct sockaddr_storage *server, struct diag_list *diag,
	       struct route *out) MUST_CHECK;

/*
 * The MAC of the next hop, from the kernel's table of neighbours; makes the kernel ask for it, and waits up to
 * three seconds. 0, or -errno with the reason in diag.
 */
int route_find_mac(const char *device, const struct sockaddr_storage *server, const struct route *route,
		   struct diag_list *diag, uint8_t mac[6]) MUST_CHECK;

#endif
