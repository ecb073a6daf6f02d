/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside an update: the parts of control/update*.c.
 *
 *     update_message.c   octets → records; replies
 *     update_check.c     prerequisites, form and permission of each record: all that can refuse
 *     update.c           what the records do to the zone, the serial, the result
 */
#ifndef ANSER_CONTROL_UPDATE_PRIVATE_H
#define ANSER_CONTROL_UPDATE_PRIVATE_H

#include "control/zone/update.h"
#include "zones/store/change.h"
#include "zones/wire/message.h"

/* A message taken apart: one allocation, whose records point into it. Owners are in lower case. */
struct update_message {
	struct message_record *records; /* of prerequisites and updates, in their order */
	unsigned n;
	unsigned n_prerequisites; /* these come first */
	size_t size;
};

/* One update on its way. */
struct update {
	const struct update_request *request;
	struct update_result *out;
	struct name apex;
	struct update_message message;
	struct zone_change *change;
	struct diag_list diag;
	uint32_t base_serial;
	uint32_t serial; /* as the zone has it now */
};

/* Ends the update with this rcode and says why; returns -EINVAL, so that `return update_refuse(...)` reads as it
 * should. */
int update_refuse(struct update *u, uint16_t rcode, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* The same about a record, which is named in front. */
int update_refuse_record(struct update *u, const struct message_record *r, uint16_t rcode, const char *text);

/* -------- messages -------- */

/* Reads request->msg into u->message. 0; -EINVAL: refused; -ENOMEM. */
int update_message_read(struct update *u) MUST_CHECK;
void update_message_free(struct update_message *m);

/* -------- checks -------- */

/* Sections 3.2, and 3.3 with 3.4.1. 0; -EINVAL: refused; -ENOMEM. */
int update_check_prerequisites(struct update *u) MUST_CHECK;
int update_check_records(struct update *u) MUST_CHECK;

#endif
