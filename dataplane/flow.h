/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sharing a NIC with the kernel by flow rules, where its driver leaves the device to both (mlx5, mlx4): in isolated
 * mode DPDK receives only what a rule sends to it, and our rules name UDP to the service addresses and ports.
 * Private to dataplane/; cold path, main thread. The rules go with the port.
 */
#ifndef ANSER_DATAPLANE_FLOW_H
#define ANSER_DATAPLANE_FLOW_H

#include <stdint.h>
#include <sys/socket.h>

#include "zones/base/compiler.h"
#include "zones/base/diag.h"

/* Before the port is configured: from now on it gets nothing without a rule. 0, or -errno with the reason in diag.
 */
int flow_isolate(uint16_t port_id, const char *device, struct diag_list *diag) MUST_CHECK;

/* After the port is started: one rule a service, spread over the queues. 0, or -errno with the reason in diag. */
int flow_direct(uint16_t port_id, const char *device, unsigned n_queues, const struct sockaddr_storage *services,
		unsigned n, struct diag_list *diag) MUST_CHECK;

#endif
