/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The exception path: a TAP interface through which the kernel has its part of a port that DPDK took from it.
 *
 * What a port receives and is not ours is written to the TAP; what the kernel sends there leaves by the port. The
 * TAP has the port's MAC and MTU, so addresses, ARP, ND, TCP and routing daemons live on it as they would on the
 * NIC. It has one queue for each queue of the port, so workers share nothing. It goes away with its last
 * descriptor, whatever ends the process. No DPDK here.
 *
 * Private to dataplane/. Opening is the main thread's; to and from the kernel, each queue's worker.
 */
#ifndef ANSER_DATAPLANE_EXCEPTION_H
#define ANSER_DATAPLANE_EXCEPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "zones/base/compiler.h"
#include "zones/base/diag.h"

/* Creates TAP `name` with n queues, brings it up, and puts their descriptors into fds. 0, or -errno with the reason
 * in diag. */
int exception_open(const char *name, const uint8_t mac[6], unsigned mtu, unsigned n, int *fds,
		   struct diag_list *diag) MUST_CHECK;

void exception_close(int *fds, unsigned n);

/* Gives one frame to the kernel. False: it took none. */
bool exception_send(int fd, const uint8_t *frame, size_t len);

/* Takes one frame from the kernel; its length, or 0 when there is none. */
size_t exception_receive(int fd, uint8_t *frame, size_t cap);

#endif
