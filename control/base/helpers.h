/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Threads that help whoever has a large piece of work on the pool: a crew (zones/base/crew.h) that any thread may
 * call.
 *
 * Who has the work does it too, and takes what the helpers have no time for. So it waits at most for helpers that
 * have begun, and several pieces of work at a time share them. What they allocate is counted in the caller's
 * account (zones/base/alloc.h).
 */
#ifndef ANSER_CONTROL_HELPERS_H
#define ANSER_CONTROL_HELPERS_H

#include "zones/base/compiler.h"
#include "zones/base/crew.h"

struct helpers;

/* Starts n threads. 0, or -errno. */
int helpers_start(unsigned n, struct helpers **out) MUST_CHECK;

/* The crew that they are; NULL for NULL. */
struct crew *helpers_crew(struct helpers *h);

/* Ends the threads. Nobody calls the crew any more. NULL is allowed. */
void helpers_stop(struct helpers *h);

#endif
