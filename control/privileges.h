/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Becoming somebody less: directories made ready and owned by server.user, then root given up for good.
 *
 * Called once at start on the main thread, when everything that needs root is open and before any thread of ours
 * exists (capabilities belong to threads). Started without root, nothing is given up, and server.user is not looked
 * at.
 */
#ifndef ANSER_CONTROL_PRIVILEGES_H
#define ANSER_CONTROL_PRIVILEGES_H

#include <stdbool.h>
#include <sys/types.h>

#include "control/config/config.h"
#include "zones/base/compiler.h"
#include "zones/base/diag.h"

/* Who we are to be. */
struct privileges {
	bool drop; /* false: stay who we are */
	uid_t uid;
	gid_t gid;
};

/* Looks the user up; -ENOENT with the cure in diag when there is none. */
int privileges_find(const struct config_server *server, struct diag_list *diag, struct privileges *out) MUST_CHECK;

/*
 * Makes the directory (and those above it) unless it is there, and gives what it made to the user. 0, or
 * -errno with diag: also when the directory could not be written to later on.
 */
int privileges_directory(const struct privileges *p, const char *key, const char *path,
			 struct diag_list *diag) MUST_CHECK;

/* Gives a file to the user. */
int privileges_give(const struct privileges *p, const char *path, struct diag_list *diag) MUST_CHECK;

/*
 * Gives root up. `keep_network`: keep what a DPDK port needs while it runs and to take its XDP filter away at the
 * end (CAP_NET_ADMIN, CAP_NET_RAW, CAP_BPF, CAP_IPC_LOCK). No capability can ever be gained again.
 */
int privileges_drop(const struct privileges *p, bool keep_network, struct diag_list *diag) MUST_CHECK;

#endif
