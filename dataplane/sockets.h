/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Socket addresses as the ports use them, and sinks. Private to dataplane/; cold path, main thread.
 */
#ifndef ANSER_DATAPLANE_SOCKETS_H
#define ANSER_DATAPLANE_SOCKETS_H

#include <stdbool.h>
#include <sys/socket.h>

#include "zones/base/compiler.h"
#include "zones/base/diag.h"

#define SOCKETS_TEXT_MAX 64 /* "address@port" and the NUL */

socklen_t sockets_address_len(const struct sockaddr_storage *address);

bool sockets_is_wildcard(const struct sockaddr_storage *address);

/* Writes `address@port`, as the configuration spells it. */
void sockets_format(const struct sockaddr_storage *address, char text[SOCKETS_TEXT_MAX]);

/* Adds an error "WHAT ADDRESS@PORT: reason; cure" for a socket that could not be bound. */
void sockets_report(struct diag_list *diag, const char *what, const struct sockaddr_storage *address, int err);

/*
 * A UDP socket bound to a service address that throws away whatever it is given. Where frames are read beside the
 * kernel (af_packet) or past it (af_xdp), it keeps the kernel from telling clients "port unreachable" for queries
 * that we answer. It may be bound before the address exists on the host. Returns the descriptor, to be closed by
 * the caller, or -errno with the reason in diag.
 */
int sockets_open_sink(const struct sockaddr_storage *address, struct diag_list *diag) MUST_CHECK;

#endif
