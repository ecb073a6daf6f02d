/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside control/secondary*.c.
 *
 *     secondary.c          zones and their timers
 *     secondary_refresh.c  one refresh: ask, choose, transfer, accept
 *
 * A zone's struct secondary is small, since a million of them wait most of the time; what a refresh needs is made
 * when it begins.
 */
#ifndef ANSER_CONTROL_SECONDARY_PRIVATE_H
#define ANSER_CONTROL_SECONDARY_PRIVATE_H

#include <stddef.h>
#include <time.h>

#include "control/zone/due.h"
#include "control/zone/secondary.h"
#include "control/zone/zones_private.h"

struct secondary_waiter {
	struct secondary_waiter *next;
	secondary_done_fn *done;
	void *arg;
	bool has_begun; /* the refresh under way is the one that it waits for; else the next one */
};

struct secondary {
	struct due_entry due; /* the next thing to do: refresh, retry or expire */
	struct secondaries *all;
	struct zone_item *item;
	struct refresh *refresh; /* under way; NULL: none */
	struct secondary_waiter *waiters;
	char *error;
	const char *source;       /* id of the remote that the data came from, in all->sources; NULL: unknown */
	uint64_t next_ms;         /* loop time of the next refresh */
	uint64_t behind_since_ms; /* loop time from which another primary has been ahead of `preferred`; 0: none is
				   */
	uint32_t refreshed_at_s, expires_at_s; /* wall time, modulo 2^32; 0: never, unknown */
	uint32_t rejected_serial;
	uint16_t failures;  /* in a row; stays at the largest */
	uint16_t preferred; /* the primary to begin with; with primary-pin, the one that the data came from */
	uint16_t n_primaries;
	bool was_notified : 1; /* since the last refresh began */
	bool wants_whole : 1;
	bool runs_reset : 1; /* the refresh under way began after item->is_reset was set */
	bool has_rejected : 1;
	struct secondary_primary primaries[]; /* one each of item->config->primaries */
};

/* The wall time that is this modulo 2^32, of those the nearest to now; 0: none. */
static inline int64_t
secondary_wall_s(uint32_t at_s)
{
	int64_t now_s = time(NULL);
	return at_s ? now_s + (int32_t)(at_s - (uint32_t)now_s) : 0;
}

/* What it takes with n primaries. */
static inline size_t
secondary_bytes(unsigned n)
{
	return offsetof(struct secondary, primaries) + (n ? n : 1) * sizeof(struct secondary_primary);
}
_Static_assert(offsetof(struct secondary, primaries) + sizeof(struct secondary_primary) <= 112,
	       "with one primary; the next larger block would be 128 octets");

struct secondaries {
	struct secondaries_options options;
	struct due due;
	uv_timer_t timer;
	bool timer_is_open;
	struct secondary_stats stats;
	void *sources; /* ids of remotes that data came from, each once (tsearch()) */
	unsigned n_refreshes;
	bool stopping;
};

/* Begins a refresh of a zone that has none under way. */
void refresh_begin(struct secondary *s, bool is_urgent, bool whole);

/* The zone goes: the refresh ends by itself, without it. */
void refresh_orphan(struct refresh *r);

/*
 * Where it waits for a slot behind others that a timer woke, it does so no more: with many zones due at once, that
 * may be minutes.
 */
void refresh_hurry(struct refresh *r);

/* Its secondary lies somewhere else now. */
void refresh_follow(struct refresh *r, struct secondary *s);

/* Ends as if all primaries had failed. */
void refresh_interrupt(struct refresh *r);

/* Other primaries are configured: what this one learns of those it began with is not noted any more. */
void refresh_outdate(struct refresh *r);

struct transfer_progress refresh_progress(const struct refresh *r);

enum refresh_end {
	REFRESH_NEW,     /* another version is served */
	REFRESH_CURRENT, /* a primary has our serial, and none has a newer one */
	REFRESH_FAILED,
	REFRESH_CANCELLED,
};

/* Called by a refresh at its end: sets timers, tells who waits. `error`: for FAILED. */
void secondary_refreshed(struct secondary *s, enum refresh_end end, const char *error);

/* Timers as they are to be stored, if a refresh ends well now with this expire from now on (0: the SOA's). */
void secondary_meta(const struct secondary *s, const struct snapshot *snapshot, uint32_t expire_s,
		    const char *source, struct state_meta *out);

/* The same, put into force. */
void secondary_take_meta(struct secondary *s, const struct state_meta *meta);

#endif
