/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside control/commands*.c: the functions behind the rows of the command table. Control thread.
 *
 *     commands.c       the table; the server as a whole
 *     commands_zone.c  single zones
 */
#ifndef ANSER_CONTROL_COMMANDS_PRIVATE_H
#define ANSER_CONTROL_COMMANDS_PRIVATE_H

#include "control/daemon.h"

typedef void command_fn(struct daemon *d, struct request *rq, const json_t *args);

command_fn command_zone_status, command_zone_reload, command_zone_refresh, command_zone_retransfer,
	command_zone_rollback, command_zone_dump;

/* A zone as `zones` and `zone status` show it. NULL: out of memory. */
json_t *zone_json(const struct daemon *d, const struct zone_info *info);

#endif
