/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Serving transfers: AXFR (RFC 5936) and IXFR (RFC 1995) out, over UDP, TCP and TLS (RFC 9103).
 *
 *     message ─> tsig_verify_request(), serve_transfer_parse() ─> the zone ─> serve_transfer()
 *        ├─ refused, up to date ──────────────────────────────────────────────> one reply
 *        ├─ AXFR ─────────────────────────────────────────────────────────────> a stream
 *        └─ IXFR ──> history read (pool) ─┬─ UDP: it fits, or the SOA alone ──> one reply
 *                                         └─ differences, or the whole zone ──> a stream
 *
 * Whoever is slow gets what was served when it asked: the snapshot is held until the last message, so updates go on
 * meanwhile and do not show. The whole zone is sent in answer to IXFR where the history does not go back so far,
 * is damaged, is larger than the zone, or would take more memory than there is for it.
 *
 * Everything is called on the control thread (the loop's); streams run on the connection's TCP thread. The design
 * note is docs/design/transfers.md, "Serving transfers".
 */
#ifndef ANSER_CONTROL_SERVE_TRANSFER_H
#define ANSER_CONTROL_SERVE_TRANSFER_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "control/config/config.h"
#include "control/net/inquiry.h"
#include "control/publish/publish.h"
#include "control/state/state.h"
#include "control/transfer/xfr.h"
#include "control/transfer/zone_request.h"
#include "control/tsig/tsig.h"

struct serve_transfers; /* all that run */

struct serve_transfers_options {
	uv_loop_t *loop;
	struct publisher *publisher;
	struct state *state;      /* NULL: no history, every IXFR is answered with the whole zone */
	unsigned max;             /* at the same time; more get SERVFAIL and come again. 0: SERVE_TRANSFERS_MAX */
	size_t history_bytes_max; /* memory for one history; 0: SERVE_HISTORY_BYTES_MAX */
};

#define SERVE_TRANSFERS_MAX 100
#define SERVE_HISTORY_BYTES_MAX ((size_t)64 << 20)
#define SERVE_HISTORIES_BYTES_MAX ((size_t)256 << 20) /* for all together */

/* Publisher and state outlive it. 0 or -ENOMEM. */
int serve_transfers_new(const struct serve_transfers_options *options, struct serve_transfers **out) MUST_CHECK;

/*
 * Drops the requests whose history is being read as soon as that is over, and every later one. Streams end with
 * their connections.
 */
void serve_transfers_stop(struct serve_transfers *s);

/* True when none runs. After serve_transfers_stop() that comes when the loop has run and TCP has ended. */
bool serve_transfers_are_idle(const struct serve_transfers *s);

/* Idle. NULL is allowed. */
void serve_transfers_free(struct serve_transfers *s);

/*
 * Reads a request whose opcode is QUERY and whose type is AXFR or IXFR; of IXFR, the authority section has to tell
 * the client's version (RFC 1995 section 3). Fills *out as zone_request_parse() does.
 */
enum zone_request_status serve_transfer_parse(const uint8_t *msg, size_t len, struct zone_request *out) MUST_CHECK;

/* What serve_transfer() is given; all is borrowed for the call but the inquiry. */
struct serve_transfer {
	struct inquiry *inquiry;
	enum zone_request_status status;    /* of serve_transfer_parse() */
	const struct zone_request *request; /* likewise */
	const struct tsig_verdict *tsig;    /* of tsig_verify_request(), whatever its status */
	const struct config_zone *zone;     /* NULL: the apex is no zone of ours */
	struct served *served;              /* what is served in it; NULL: nothing */
	bool has_expire;                    /* a secondary: it has so long to live. Else what its SOA says counts */
	uint32_t expire_s;
	uint16_t udp_payload; /* octets that our OPT offers */
};

/* Answers, now or later; ends the inquiry. */
void serve_transfer(struct serve_transfers *s, const struct serve_transfer *t);

/* Counts since the start, by enum xfr_kind where they have one. */
#define SERVE_KINDS 4

struct serve_transfers_stats {
	uint64_t done[SERVE_KINDS];   /* the last message was made, and taken by the connection */
	uint64_t failed[SERVE_KINDS]; /* the client went away, or it could not be made */
	uint64_t refused;             /* by access rules or TSIG, malformed, not ours, without data */
	uint64_t busy;                /* over the limit */
	unsigned running;
};

/* Any thread. */
void serve_transfers_stats(const struct serve_transfers *s, struct serve_transfers_stats *out);

/* "axfr", "ixfr", "axfr-style-ixfr", "up-to-date": labels of metrics. */
const char *serve_kind_text(enum xfr_kind kind);

#endif
