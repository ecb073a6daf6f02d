/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What zone transfers in and out have in common. The sessions are xfr_in.h and xfr_out.h; both speak messages and
 * know no sockets, no TSIG and no clock. Design note: docs/design/transfers.md.
 */
#ifndef ANSER_CONTROL_XFR_H
#define ANSER_CONTROL_XFR_H

#include "zones/store/records.h"

enum xfr_kind {
	XFR_AXFR,            /* the whole zone (RFC 5936) */
	XFR_IXFR,            /* differences, one after the other (RFC 1995) */
	XFR_AXFR_STYLE_IXFR, /* the whole zone in answer to IXFR (RFC 1995 section 4) */
	XFR_UP_TO_DATE,      /* the SOA alone: nothing newer, or over UDP also "ask by TCP" (RFC 1995 section 2) */
};

/* What a difference does with a record. */
enum xfr_action { XFR_REMOVE, XFR_ADD };

/*
 * Differences as a stream of records, in the order in which IXFR sends them: of each difference the old SOA and
 * what else is removed, then the new SOA and what else is added; each next difference begins where the one before
 * ended. One difference may stand for several versions (condensed). Who makes the stream says on which thread it
 * runs.
 */
struct xfr_history {
	/*
	 * 1 with the next record, which stays good until the next call; 0 behind the last one; -errno when the
	 * stream broke off: what was sent of it then cannot be completed.
	 */
	int (*next)(void *arg, enum xfr_action *action, struct zone_record *out);
	void *arg;
};

#endif
