/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Secondaries: which zone asks which primary, and when (RFC 1034 section 4.3.5, RFC 1996, RFC 7314).
 *
 *     timer ──┐                                             ┌─> up to date ──────────────> refresh timer
 *             ├─> ready ─> slot of the peer ─> SOA? ─> transfer ─> accept (stored, served) ─> refresh timer
 *     NOTIFY ─┘                                             └─> next primary ... all failed ─> retry timer, backoff
 *
 * One refresh at a time for each zone. A NOTIFY sets one bit of the zone, and however many come while a refresh
 * runs, one more follows; it goes ahead of those that a timer has woken. Timers are the SOA's, held between the
 * configuration's bounds; they survive a restart in the state. When EXPIRE runs out the zone is withdrawn within a
 * second, and served again after the first good refresh.
 *
 * Everything runs on the control thread.
 */
#ifndef ANSER_CONTROL_SECONDARY_H
#define ANSER_CONTROL_SECONDARY_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "control/net/ask.h"
#include "control/net/peers.h"
#include "control/transfer/transfer.h"
#include "control/zone/zones.h"
#include "zones/base/compiler.h"

struct secondaries;
struct secondary; /* what a zone_item of a secondary points to */

struct secondaries_options {
	uv_loop_t *loop;
	struct zones *zones; /* this and the following outlive the secondaries */
	struct peers *peers;
	struct asks *asks;
	struct transfers *transfers;
	/* A zone that was reset has been transferred as a whole, and is served. May be NULL. */
	void (*reset_done)(void *arg, struct zone_item *item);
	void *arg;
};

/* 0 or -ENOMEM. */
int secondaries_new(const struct secondaries_options *options, struct secondaries **out) MUST_CHECK;

/* Begins nothing any more. Those under way end when asks and transfers have been stopped; then they are idle. */
void secondaries_stop(struct secondaries *s);
bool secondaries_are_idle(const struct secondaries *s);
void secondaries_free(struct secondaries *s); /* idle. NULL is allowed */

/* -------- what zones tell -------- */

/*
 * The zone is a secondary, and what the state had of it is served: goes on with the timers of `meta` (all zero:
 * nothing is known, ask at once).
 */
void secondary_loaded(struct secondaries *s, struct zone_item *item, const struct state_meta *meta);

/* Its configuration may have changed: primaries, bounds of timers, role. */
void secondary_configured(struct secondaries *s, struct zone_item *item);

/* It is configured no more, or is no secondary any more. */
void secondary_removed(struct secondaries *s, struct zone_item *item);

/* -------- what others ask for -------- */

/*
 * A NOTIFY from an allowed source; `from` is the primary at that address, NULL if none is. With a serial that is
 * not newer than ours nothing is done.
 */
void secondary_notified(struct secondaries *s, struct zone_item *item, const struct config_remote *from,
			bool has_serial, uint32_t serial);

/* Called once, when the refresh that was asked for has ended: `error` is NULL if it went well. */
typedef void secondary_done_fn(void *arg, const char *error);

/*
 * Asks the primaries now; with `whole`, takes the whole zone from them whatever its serial. 0; -ENOTSUP: no
 * secondary, or not loaded yet; -ECANCELED: the server stops; -ENOMEM.
 */
int secondary_refresh(struct secondaries *s, struct zone_item *item, bool whole, secondary_done_fn *done,
		      void *arg) MUST_CHECK;

/*
 * Its catalog has reset it: the whole zone is transferred anew, whatever its serial, as soon as it is loaded and as
 * often as that fails. Does not outlast the process.
 */
void secondary_reset(struct secondaries *s, struct zone_item *item);

/* It was, and that is not done yet. */
bool secondary_is_reset(const struct zone_item *item);

/* Gives up the refresh that runs, if one does: something more urgent wants the zone. It is tried again soon. */
void secondary_interrupt(struct zone_item *item);

/* The version with this serial was rolled back: it, and what is older, is not taken again. */
void secondary_reject(struct secondaries *s, struct zone_item *item, uint32_t serial);

/* -------- looking -------- */

/* A primary, as last heard of. */
struct secondary_primary {
	uint32_t serial;
	uint32_t asked_at_s; /* wall time, modulo 2^32; 0: never */
	bool has_serial;
};

struct secondary_info {
	int64_t refreshed_at_s, expires_at_s, next_at_s; /* wall time; 0: never */
	bool is_refreshing;
	struct transfer_progress progress;
	unsigned failures; /* refreshes that failed in a row */
	const char *error; /* of the last refresh, with the primary's name; NULL: it went well */
	const struct secondary_primary *primaries; /* in the order of the configuration */
	unsigned n_primaries;
	const char *source; /* where the data came from, "" where unknown */
	bool has_rejected;
	uint32_t rejected_serial;
};

/* False: no secondary, or not loaded yet. Pointers are good until the loop runs on. */
bool secondary_info(const struct zone_item *item, struct secondary_info *out) MUST_CHECK;

/* The remaining seconds of EXPIRE, for the option of RFC 7314; 0: none are known. */
uint32_t secondary_expire_left_s(const struct zone_item *item);

struct secondary_stats {
	uint64_t refreshes, refresh_failures, notifies, notifies_useless;
	uint64_t transfers[2][3]; /* AXFR, IXFR; new version, up to date, failed */
};
const struct secondary_stats *secondaries_stats(const struct secondaries *s);

#endif
