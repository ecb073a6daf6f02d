/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who answers which inquiry: the one handler behind control/net/inquiry.h.
 *
 *     inquiry ─> TSIG ─┬─ UPDATE ────────────> the zone's turn, or forwarded  updates.h
 *                      ├─ not good ──────────> refused                        answer_inquiry.h
 *                      ├─ NOTIFY ────────────> the zone's secondary is woken  notify_in.h, secondary.h
 *                      ├─ AXFR, IXFR ────────> transfer out                   serve_transfer.h
 *                      └─ any other ─────────> the engine, signed             answer_inquiry.h
 *
 * Control thread.
 */
#ifndef ANSER_CONTROL_DISPATCH_H
#define ANSER_CONTROL_DISPATCH_H

#include "control/net/inquiry.h"

/* inquiry_handle_fn; `arg` is the struct daemon. */
void dispatch_inquiry(void *arg, struct inquiry *q);

#endif
