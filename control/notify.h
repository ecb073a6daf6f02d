/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Telling the service manager (sd_notify(3), Type=notify): datagrams of NAME=VALUE lines to the socket that
 * NOTIFY_SOCKET names. Where there is no such variable nothing happens. Never blocks, never fails: nobody's service
 * depends on it.
 */
#ifndef ANSER_CONTROL_NOTIFY_H
#define ANSER_CONTROL_NOTIFY_H

#include "zones/base/compiler.h"

/* The server answers for its zones. */
void notify_ready(void);

/* A reload begins (with the MONOTONIC_USEC that Type=notify-reload wants); notify_ready() ends it. */
void notify_reloading(void);

void notify_stopping(void);

/* One line for `systemctl status`. While starting it asks for a minute more as well. */
void notify_status(const char *fmt, ...) PRINTF_LIKE(1, 2);

#endif
