/* SPDX-License-Identifier: Apache-2.0 */
/*
 * NOTIFY to others (RFC 1996): a new version is served, and the remotes of the zone's `notify` are told.
 *
 *     notify_out_send() ─> (zone, remote) waits at its remote ─> one question (ask.h) ─> answered, or given up
 *
 * For each zone and remote there is at most one question under way and one version to be told: a newer version
 * takes the place of one that still waits, or follows the one that is under way. Remotes are served in turn, each
 * with a few questions at a time; one that does not answer gets one at a time until it does, so it takes nothing
 * from the others.
 *
 * What is needed of remotes is copied, so that the configuration may be replaced at any time. Everything runs on
 * the control thread.
 */
#ifndef ANSER_CONTROL_NOTIFY_OUT_H
#define ANSER_CONTROL_NOTIFY_OUT_H

#include <stdbool.h>
#include <stdint.h>

#include "control/config/config.h"
#include "control/net/ask.h"
#include "control/tsig/tsig.h"
#include "zones/store/zone.h"
#include "zones/wire/name.h"

#define NOTIFY_OPEN_MAX 100         /* questions at a time */
#define NOTIFY_REMOTE_MAX 16        /* to one remote */
#define NOTIFY_WAITING_MAX 1000000  /* zones that wait for one remote; some 150 octets each */
#define NOTIFY_SILENT_WAITING 10000 /* for one that does not answer: most would come too late */
#define NOTIFY_TRIES 5              /* RFC 1996 section 3.6 */
#define NOTIFY_TRY_MS 2000          /* of the first; doubled each time, which makes a minute in all */

struct notify_outs;

/* A remote with what goes with it in this configuration. */
struct notify_target {
	const struct config_remote *remote; /* borrowed */
	const struct tsig_key *key;         /* the remote's; NULL: unsigned. Held as long as needed */
	const struct tls_client *tls;       /* NULL: UDP. Held as long as needed */
};

/* The asks outlive it. `try_ms`: 0 for NOTIFY_TRY_MS. 0 or -ENOMEM. */
int notify_outs_new(struct asks *asks, uint64_t try_ms, struct notify_outs **out) MUST_CHECK;

/*
 * A new configuration: its remotes, each once, replace those of before, by their ids. What waits for a remote that
 * is gone is forgotten. Cannot fail.
 */
void notify_outs_reload(struct notify_outs *o, const struct notify_target *targets, unsigned n);

/* Forgets all that waits and takes nothing more. What is under way ends with asks_stop(). */
void notify_outs_stop(struct notify_outs *o);

/* True when nothing is under way. */
bool notify_outs_are_idle(const struct notify_outs *o);

/* Idle. NULL is allowed. */
void notify_outs_free(struct notify_outs *o);

/*
 * Tells the n targets of this version. `apex` in lower case; everything is borrowed for the call. 0; -ENOMEM: some
 * of them are not told; -ENOBUFS: too much waits for some of them already.
 */
int notify_out_send(struct notify_outs *o, const struct name *apex, const struct snapshot *s,
		    const struct notify_target *targets, unsigned n) MUST_CHECK;

/* Counts since the start, and what there is now. */
struct notify_outs_stats {
	uint64_t answered; /* with NOERROR */
	uint64_t refused;  /* with another RCODE */
	uint64_t failed;   /* no answer, or a forged one */
	uint64_t dropped;  /* over NOTIFY_WAITING_MAX */
	uint64_t waiting, asking;
};

void notify_outs_stats(const struct notify_outs *o, struct notify_outs_stats *out);

#endif
