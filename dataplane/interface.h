/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernel says about a network interface. Private to dataplane/ and bench/blast; cold path, main thread. */
#ifndef ANSER_DATAPLANE_INTERFACE_H
#define ANSER_DATAPLANE_INTERFACE_H

#include "zones/base/compiler.h"
#include "zones/base/diag.h"

/* 0 if the interface exists; -ENODEV with the reason in diag if not. One that is down earns a warning. */
int interface_check(const char *name, struct diag_list *diag) MUST_CHECK;

/* Receive queues that the interface uses now, and those of them that DPDK's af_xdp can have; both at least 1. */
struct interface_queues {
	unsigned total, combined;
};

struct interface_queues interface_queues(const char *name);

#endif
