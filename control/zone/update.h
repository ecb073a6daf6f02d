/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DNS UPDATE (RFC 2136): a message and the served zone in, a response code and perhaps the next version out.
 *
 *     update_zone_of() → whose zone? may this source and key update it at all? (the caller)
 *         → update_run(), on the pool → store `changes` → publish `next` → update_reply()
 *
 * No sockets, no queue, nothing on disk and nothing published. The caller lets one update after the other at a
 * zone, each on what the one before has led to, and replies when `changes` are durable (section 3.5).
 *
 * An update takes effect as a whole or not at all: it goes into one change of the zone (zones/store/change.h),
 * which is thrown away at the first fault. Its cost follows the message and the names in it, not the zone; only
 * where it changes the parameters of NSEC3 the zone is built anew.
 *
 * Where the RFC leaves a choice: what may not stand together (a CNAME and other data, a DNAME and a delegation) is
 * ignored whichever comes second; a record that is added gives its whole set its TTL, as with other servers; the
 * serial rises with each update that changes anything, and with no other. Signatures are data like any other; none
 * are made. Design note: docs/design/update.md.
 */
#ifndef ANSER_CONTROL_UPDATE_H
#define ANSER_CONTROL_UPDATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control/config/config.h"
#include "control/publish/publish.h"
#include "control/state/state.h"
#include "zones/base/compiler.h"
#include "zones/wire/name.h"

#define UPDATE_WHY_MAX 256

/* Everything is borrowed until update_run() returns. */
struct update_request {
	const uint8_t *msg; /* without TSIG, which was verified and counted out (tsig_strip()) */
	size_t len;
	const struct served *base;              /* held */
	const struct name *signer;              /* name of the key that signed, lower case; NULL: none */
	const struct config_update_rule *rules; /* none: everything is allowed */
	unsigned n_rules;
	enum config_serial_policy serial_policy;
	uint32_t now_s; /* since 1970, UTC: for serials */
};

struct update_result {
	uint16_t rcode;
	/* Both set or both NULL: nothing has changed. The receiver's, from served_free() and state_changes_free().
	 */
	struct served *next;
	struct state_changes *changes;
	uint32_t serial;             /* of the zone after the update */
	unsigned n_removed, n_added; /* records that differ, the SOA included */
	unsigned n_ignored;          /* of the message, because of what is there or was newer */
	char why[UPDATE_WHY_MAX];    /* with another rcode than NOERROR: one line for the log */
};

/*
 * The zone that a message is about, in lower case. NOERROR; or FORMERR (no header, no UPDATE, not the one question
 * for an SOA) or NOTAUTH (another class than IN), and *apex is untouched. Any thread; costs nothing.
 */
uint16_t update_zone_of(const uint8_t *msg, size_t len, struct name *apex) MUST_CHECK;

/*
 * Works one update out; fills *out in every case. FORMERR, NOTZONE, NXDOMAIN, YXDOMAIN, NXRRSET, YXRRSET as the RFC
 * says; NOTAUTH: for another zone than the base; REFUSED: by a rule, or a zone that our checks would not load;
 * BADVERS (RFC 6891 section 6.1.3); SERVFAIL: out of memory. Pool threads; allocates. The base stays as it is.
 */
void update_run(const struct update_request *request, struct update_result *out);

#define UPDATE_REPLY_MAX (12 + NAME_MAX_LEN + 4 + 11) /* header, zone section, OPT */

/*
 * Writes the reply into out[0..cap): the request's header with QR and the rcode, its zone section as far as it can
 * be read, and OPT if it has one that can. `cap` is at least UPDATE_REPLY_MAX; the two do not overlap. Returns the
 * length; 0: there is no header to answer. The TSIG is the caller's. Any thread.
 */
size_t update_reply(const uint8_t *msg, size_t len, uint16_t rcode, uint8_t *out, size_t cap) MUST_CHECK;

#endif
