/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Transfers in: one attempt to bring one zone from one primary.
 *
 *     transfer_start() → connection (shared by the transfers from one primary) → question → messages
 *         → pool: TSIG, records, limits, snapshot → done()
 *
 * The loop moves octets; all work on records is done on the libuv pool, one piece at a time for each transfer, with
 * a bounded amount waiting and the peer held back meanwhile. What comes out is a snapshot that nobody has seen yet,
 * and what the state on disk has to be told of it; nothing is published here, and what is written to the state
 * beforehand is seen by nobody. Whatever goes wrong, nothing is left behind but the text that says why.
 *
 * Everything is called on the control thread (the loop's).
 */
#ifndef ANSER_CONTROL_TRANSFER_H
#define ANSER_CONTROL_TRANSFER_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "control/config/config.h"
#include "control/publish/publish.h"
#include "control/state/state.h"
#include "control/transfer/xfr.h"
#include "control/tsig/tsig.h"

struct transfers; /* all that run, and the connections to primaries */
struct transfer;
struct tls_client;
struct crew;

/* How it ended. */
enum transfer_end {
	TRANSFER_NEW_VERSION, /* version is filled in */
	TRANSFER_UP_TO_DATE,  /* the primary has our serial, or an older one (see serial) */
	TRANSFER_TRY_WHOLE,   /* of an IXFR: the difference cannot be had or does not fit; ask for AXFR */
	TRANSFER_FAILED,      /* next primary, then backoff */
	TRANSFER_CANCELLED,
};

#define TRANSFER_WHY_MAX 512

struct transfer_result {
	enum transfer_end end;
	enum xfr_kind kind; /* of what came */
	bool has_serial;
	uint32_t serial; /* the primary's */
	bool has_expire;
	uint32_t expire_s; /* of the EXPIRE option (RFC 7314), in seconds from now */
	/* TRANSFER_NEW_VERSION: all three are the receiver's to take over (set to NULL what was taken). */
	struct served *next;
	struct state_changes *changes; /* how to get there from the base; NULL: the whole zone has to be stored */
	struct state_stage *stage;     /* not NULL: that has begun */
	uint64_t verified_ns;          /* publish_now_ns() when the last check had passed */
	uint64_t messages, records, bytes;
	uint32_t duration_ms;
	char why[TRANSFER_WHY_MAX]; /* one line for log and status; NEW_VERSION: a warning, or "" */
};

typedef void transfer_done_fn(void *arg, struct transfer_result *result);

struct transfer_request {
	struct name apex;                    /* lower case */
	uint16_t qtype;                      /* RRTYPE_AXFR or RRTYPE_IXFR */
	bool is_forced;                      /* take it even if its serial is not newer */
	const struct config_remote *primary; /* address, key name, TLS; borrowed for the call */
	const struct tsig_key *key;          /* NULL: unsigned. Held until the end */
	const struct tls_client *tls;        /* NULL: TCP. Held as long as needed */
	struct served *base; /* what is served now; NULL: nothing. Kept by the caller until done(); IXFR needs it */
	enum config_zonemd zonemd;
	struct config_transfer_limits limits;
};

/* 0 or -ENOMEM. */
int transfers_new(uv_loop_t *loop, struct transfers **out) MUST_CHECK;

/* How long is waited for a primary: these are the values to begin with, other ones are for tests. */
#define TRANSFER_CONNECT_MS 10000
#define TRANSFER_IDLE_MS 30000 /* for the next message */
#define TRANSFER_KEEP_MS 5000  /* a connection without questions is kept */
void transfers_set_times(struct transfers *t, uint64_t connect_ms, uint64_t idle_ms, uint64_t keep_ms);

/*
 * Who helps to make large zones, and where they are written to beforehand; both are borrowed for good, and may be
 * NULL, as they are at first.
 */
void transfers_set_helpers(struct transfers *t, struct crew *crew, struct state *state);

/*
 * Cancels all that run and closes the connections; done() of each is still called, from the loop. Nothing can be
 * started any more. Idle means that the loop has no more to do for us, but for sockets that are closing.
 */
void transfers_stop(struct transfers *t);
bool transfers_are_idle(const struct transfers *t);
void transfers_free(struct transfers *t); /* idle. NULL is allowed */

/*
 * Starts one. done() is called once, from the loop, never before this returns; then *out is gone. 0, or -ENOMEM or
 * -ESHUTDOWN (stopped) and no done(). With a base, an AXFR is applied as a difference to it, so that all that did
 * not change is shared; the base stays what is served, or the result cannot be published.
 */
int transfer_start(struct transfers *t, const struct transfer_request *request, transfer_done_fn *done, void *arg,
		   struct transfer **out) MUST_CHECK;

/* done() will be called soon, with TRANSFER_CANCELLED. */
void transfer_cancel(struct transfer *x);

/* For status: what has come so far. */
struct transfer_progress {
	uint64_t messages, records, bytes;
};
struct transfer_progress transfer_progress(const struct transfer *x);

/* Since the start. */
struct transfers_stats {
	uint64_t connections; /* to primaries, opened */
	uint64_t questions;   /* asked on them, those that had to be asked again included */
};
struct transfers_stats transfers_stats(const struct transfers *t);

#endif
