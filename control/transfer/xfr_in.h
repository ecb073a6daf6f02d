/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A zone transfer coming in: messages in, records out. AXFR (RFC 5936), IXFR (RFC 1995).
 *
 * The session is given one message after the other and calls back with each record that they bring, in order. It
 * checks all that can be seen of a record and its place in the stream; what only the whole zone or the base of a
 * difference can tell is checked by whoever collects the records (the builder, the change). Nothing is served from
 * here: until the session is XFR_IN_DONE, and whoever verifies the TSIG stream has said so of the last message as
 * well, everything that was called back with may be a forgery and must be thrown away on any other end.
 *
 *     opened ──> opening SOA ──┬──> records ... ──> the same SOA: done                 AXFR, AXFR-style IXFR
 *                              ├──> {old SOA, removed, new SOA, added} ... ──> SOA: done              IXFR
 *                              └──> end of the message: done                                    up to date
 *
 * Knows no socket, no TSIG, no clock: ids and times are the caller's. A session belongs to one thread at a time,
 * may run on a pool thread, allocates only in xfr_in_new(), and asks nothing of RCU.
 */
#ifndef ANSER_CONTROL_XFR_IN_H
#define ANSER_CONTROL_XFR_IN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control/config/config.h"
#include "control/transfer/xfr.h"
#include "zones/base/compiler.h"
#include "zones/base/diag.h"
#include "zones/wire/name.h"

/* What was asked. */
struct xfr_in_query {
	struct name apex; /* lower case */
	uint16_t id;
	uint16_t qtype;                       /* RRTYPE_AXFR or RRTYPE_IXFR */
	bool has_serial;                      /* we have the zone; with IXFR, always */
	bool is_forced;                       /* take the zone also when its serial does not go forward */
	bool is_udp;                          /* IXFR only: one message has to hold it all */
	uint32_t serial;                      /* ours; the one that IXFR was asked from */
	struct config_transfer_limits limits; /* 0: no limit; time_ms is the caller's to watch */
};

/*
 * Called as records come; `arg` is the caller's. 0, or -errno, which ends the session (XFR_IN_FAILED). Owners are
 * in lower case; TTLs over 2^31-1 have become 0 (RFC 2181 section 8); records are borrowed for the call. Duplicates
 * are passed on.
 *
 * Whole zone: axfr_begin once, then axfr_add for every record, the SOA first and once.
 * Differences: for each ixfr_begin, ixfr_remove of the old SOA and what else goes, ixfr_add of the new SOA and what
 * else comes, ixfr_end.
 *
 * ixfr_expect (may be NULL) is told the owner of each record of a difference some records ahead, in whatever case
 * and unchecked: what is needed of it can be fetched meanwhile, nothing more.
 */
struct xfr_in_events {
	int (*axfr_begin)(void *arg);
	int (*axfr_add)(void *arg, const struct zone_record *r);
	int (*ixfr_begin)(void *arg, uint32_t from_serial);
	int (*ixfr_remove)(void *arg, const struct zone_record *r);
	int (*ixfr_add)(void *arg, const struct zone_record *r);
	int (*ixfr_end)(void *arg, uint32_t from_serial, uint32_t to_serial);
	void (*ixfr_expect)(void *arg, const uint8_t *owner);
	void *arg;
};

/* Where a session stands. All but GOING are final. */
enum xfr_in_state {
	XFR_IN_GOING,     /* more messages have to come; one that ends here was cut off */
	XFR_IN_DONE,      /* whole; see kind and serial */
	XFR_IN_REFUSED,   /* -EACCES: the primary said so; see rcode */
	XFR_IN_TRY_AXFR,  /* -EOPNOTSUPP: it does not know IXFR: NOTIMP or FORMERR; see rcode */
	XFR_IN_TRY_TCP,   /* -EMSGSIZE: over UDP, and there is more than fits */
	XFR_IN_NOT_NEWER, /* -ESTALE: a whole zone whose serial does not go forward */
	XFR_IN_BROKEN,    /* -EBADMSG: not what the RFCs allow */
	XFR_IN_TOO_LARGE, /* -E2BIG: beyond the limits */
	XFR_IN_FAILED,    /* a callback's -errno */
};

struct xfr_in;

/* What became of it. Fields are good as far as the state says. */
struct xfr_in_result {
	enum xfr_in_state state;
	enum xfr_kind kind; /* of XFR_IN_DONE */
	uint32_t serial;    /* the primary's, once its opening SOA was seen (has_soa) */
	bool has_soa;
	bool has_expire;                   /* the first message had an EXPIRE option (RFC 7314) */
	uint32_t expire_s;                 /* how long the primary itself would still answer from the zone */
	uint16_t rcode;                    /* with the bits of EDNS, of the last message */
	uint64_t messages, records, bytes; /* taken so far; records of answer sections */
};

/* A new session; query and events are copied, the events' arg is borrowed. NULL: out of memory. */
struct xfr_in *xfr_in_new(const struct xfr_in_query *query, const struct xfr_in_events *events) MUST_CHECK;

/* Frees it, in whatever state. NULL is allowed. */
void xfr_in_free(struct xfr_in *x);

/*
 * Takes the next message, with or without its TSIG record, which is not looked at. 0: it was good, and the result's
 * state is GOING or DONE. Else the state's -errno as above, one error in diag that says what is wrong in which
 * message and record, and the session is over: every further message gets the same -errno. A message behind the end
 * turns DONE into BROKEN.
 *
 * Limits: size and records are enforced here, records of one set while they come in a row. What sorting alone can
 * tell, records of a set that come scattered and types of a name, is told by xfr_in_check_zone() of the finished
 * zone.
 */
int xfr_in_message(struct xfr_in *x, const uint8_t *msg, size_t len, struct diag_list *diag) MUST_CHECK;

struct xfr_in_result xfr_in_result(const struct xfr_in *x);

/*
 * Holds a finished snapshot, not yet published, against limits.per_type and limits.types_per_name; signatures are
 * no types of their own. 0, or -E2BIG with an error in diag. Walks the zone; a builder thread.
 */
int xfr_in_check_zone(const struct snapshot *s, const struct config_transfer_limits *limits,
		      struct diag_list *diag) MUST_CHECK;

/* The same for one name (lower case) of the snapshot, which may have no data: for differences, name by name. */
int xfr_in_check_name(const struct snapshot *s, const uint8_t *name, const struct config_transfer_limits *limits,
		      struct diag_list *diag) MUST_CHECK;

/* A mnemonic for an rcode, "REFUSED", or "RCODE<n>", into out[XFR_RCODE_TEXT_MAX]; returns `out`. */
#define XFR_RCODE_TEXT_MAX 16
const char *xfr_rcode_text(unsigned rcode, char out[XFR_RCODE_TEXT_MAX]);

#endif
