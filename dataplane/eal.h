/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DPDK's environment layer (EAL): started once a process, on the main thread, from our own configuration, and kept
 * until the process ends, because DPDK cannot start it twice. Private to dataplane/ and the load generator
 * (bench/blast).
 *
 * DPDK and the libraries under it write nothing to our standard output or error: their log lines go to a buffer
 * here, from which failures quote.
 */
#ifndef ANSER_DATAPLANE_EAL_H
#define ANSER_DATAPLANE_EAL_H

#include <stdbool.h>

#include "dataplane/dataplane.h"

/* Starts the EAL unless it runs already. 0, or -errno with the reason in diag. */
int eal_start(const struct dataplane_config *config, struct diag_list *diag) MUST_CHECK;

/* True for a PCI address, with or without domain and with or without device arguments behind a comma. */
bool eal_is_pci_address(const char *device);

/* Forgets what was logged until now: call it before something that may fail. */
void eal_log_clear(void);

/*
 * Adds an error: the formatted text, then what DPDK logged since eal_log_clear() (its last lines, joined by " | "),
 * if anything.
 */
void eal_log_report(struct diag_list *diag, const char *fmt, ...) PRINTF_LIKE(2, 3);

#endif
