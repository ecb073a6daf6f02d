/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loading and removing the XDP filter (xdp_filter.bpf.c), whose object is part of the program. Private to
 * dataplane/ and the load generator (bench/blast); cold path, main thread.
 *
 * DPDK's af_xdp port loads the program from a file that we name, and attaches it in a way that outlives the
 * process. So it is then adopted: attached by a BPF link instead, which the kernel removes with the process,
 * however that ends, and which needs no privileges to let go.
 */
#ifndef ANSER_DATAPLANE_XDP_H
#define ANSER_DATAPLANE_XDP_H

#include <sys/socket.h>

#include "zones/base/compiler.h"
#include "zones/base/diag.h"

struct xdp_filter;

/* Which packets it takes: those to a service address and port, or those from one (the load generator's end). */
enum xdp_filter_takes { XDP_FILTER_QUERIES, XDP_FILTER_REPLIES };

/*
 * Prepares the filter for an interface: makes the object available as a file and sees to it that no other program
 * is in the way. One of ours that nobody uses is removed, others are reported. 0, or -errno with the reason in
 * diag.
 */
int xdp_filter_open(const char *device, enum xdp_filter_takes takes, struct diag_list *diag,
		    struct xdp_filter **out) MUST_CHECK;

/* Where the port finds the object; no comma in it. Valid until xdp_filter_adopt(). */
const char *xdp_filter_path(const struct xdp_filter *f);

/* Tells the program that the port has loaded the service addresses, and takes it over. Until then it passes
 * everything on. */
int xdp_filter_adopt(struct xdp_filter *f, const struct sockaddr_storage *services, unsigned n,
		     struct diag_list *diag) MUST_CHECK;

/* Takes the program off the interface, if it was adopted. Before the port is closed. NULL is allowed. */
void xdp_filter_close(struct xdp_filter *f);

#endif
