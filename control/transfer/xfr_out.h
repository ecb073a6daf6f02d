/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A zone transfer going out: a snapshot in, messages out, one at a time. AXFR (RFC 5936), IXFR (RFC 1995).
 *
 * Every message comes from the one snapshot that the session was opened with, however long the client takes, so
 * updates in the meantime do not show. The session holds no reference: its owner keeps the snapshot (and what the
 * history reads) from xfr_out_new() to xfr_out_free().
 *
 *     AXFR, AXFR-style IXFR   SOA, every other record once, SOA
 *     IXFR                    SOA, {old SOA, removed, new SOA, added} ..., SOA
 *     up to date              SOA
 *
 * Records of a set come together but may go over into the next message. Messages are packed up to a target, which
 * keeps most of each in the reach of compression pointers; a record that is larger gets a message of its own.
 *
 * Knows no socket and no TSIG; leaves room for the latter. One thread at a time; allocates in xfr_out_new() only;
 * asks nothing of RCU.
 */
#ifndef ANSER_CONTROL_XFR_OUT_H
#define ANSER_CONTROL_XFR_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control/transfer/xfr.h"
#include "zones/base/compiler.h"
#include "zones/wire/message.h"

#define XFR_OUT_TARGET_LEN 16384 /* octets of a message; see docs/design/transfers.md for the choice */

struct xfr_out_query {
	const struct snapshot *snapshot;
	enum xfr_kind kind;
	uint16_t id;
	bool wants_recursion;             /* RD, which goes back as it came */
	struct message_question question; /* as the client asked; its name is copied, letter case and all */
	uint32_t serial;                  /* IXFR: the client's, where the history must begin */
	struct xfr_history history;       /* IXFR: from that serial to the snapshot's */
	const uint8_t *opt;               /* OPT record in wire form for the first message; copied; NULL: none */
	uint16_t opt_len;                 /* at most XFR_OUT_OPT_MAX */
	uint16_t tsig_room;               /* octets that every message leaves free at its end */
	uint32_t target_len; /* 0: XFR_OUT_TARGET_LEN; a larger record goes over it, never over the cap */
};

#define XFR_OUT_OPT_MAX 512

struct xfr_out;

/* A new session; NULL: out of memory. The snapshot and the history are borrowed for its life. */
struct xfr_out *xfr_out_new(const struct xfr_out_query *query) MUST_CHECK;

/* Frees it, wherever it stands. NULL is allowed. */
void xfr_out_free(struct xfr_out *x);

/*
 * Writes the next message into buf[0..cap) and returns its length; 0: all of it has been sent. With a cap of
 * MESSAGE_MAX_LEN every record fits. Over UDP the cap is what the client takes, and so is the target; one message
 * has to hold all, so whoever calls looks at xfr_out_is_done() after the first one and, where there is more, throws
 * it away and sends XFR_UP_TO_DATE instead (RFC 1995 section 2).
 *
 * -EMSGSIZE: the next record does not fit in a message of that cap. -EBADMSG: the history does not lead from the
 * client's serial to the snapshot's; it may be found out only at its end, and the connection must then be cut,
 * since there is no way to take back what was sent. -errno of the history. After an error the session is over and
 * says the same again.
 */
int xfr_out_next(struct xfr_out *x, uint8_t *buf, size_t cap) MUST_CHECK;

/* True when the last message has been written. */
bool xfr_out_is_done(const struct xfr_out *x);

struct xfr_out_progress {
	uint64_t messages, records, bytes; /* written so far; octets without what TSIG adds */
};

struct xfr_out_progress xfr_out_progress(const struct xfr_out *x);

#endif
