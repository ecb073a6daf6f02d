/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A version of a zone in the making, from the records of a transfer.
 *
 *     whole zone, none there     builder.h
 *     whole zone over another    replace.h, then diff.h for the journal
 *     differences                change.h, strict; the journal gets the same records
 *
 * draft_events() is what a session (xfr_in.h) calls back; draft_finish() makes the snapshot, holds it against all
 * that only a finished zone can tell, and wraps it for publishing. Nobody sees the snapshot before that; on any
 * failure nothing is left of it.
 *
 * One thread at a time, a pool thread as a rule: finishing takes as long as the records, or the zone, are many. The
 * base is read meanwhile, and whoever began keeps it.
 */
#ifndef ANSER_CONTROL_DRAFT_H
#define ANSER_CONTROL_DRAFT_H

#include <stdint.h>

#include "control/config/config.h"
#include "control/publish/publish.h"
#include "control/state/state.h"
#include "control/transfer/xfr_in.h"
#include "zones/base/compiler.h"
#include "zones/base/diag.h"
#include "zones/store/zonemd.h"

struct zone_builder;
struct zone_replace;
struct zone_change;

/*
 * Differences may have so many records, or twice as many as the zone, whichever is more. A longer chain costs more
 * than the zone, in memory too, so the session ends with -ERANGE, and the whole zone is asked for.
 */
#define DRAFT_DIFFERENCES_MIN 100000

/*
 * A first zone of so many records is written to the state while it is made and checked: on another thread, and with
 * one transaction more than a small one is worth.
 */
#define DRAFT_STAGE_MIN 50000

/* The fields are draft.c's; shown so that it can be part of its owner. */
struct draft {
	struct name apex;          /* lower case */
	const struct served *base; /* NULL: there is none, and no differences can come */
	enum config_zonemd zonemd;
	struct config_transfer_limits limits;
	struct diag_list *diag;
	struct crew *crew;            /* helps to make large zones; NULL: nobody does */
	struct state *state;          /* takes large zones beforehand; NULL: it does not */
	struct zone_builder *builder; /* at most one of these three */
	struct zone_replace *replace;
	struct zone_change *change;
	struct state_changes *changes; /* differences: the same for the journal; NULL: the journal cannot have it */
	struct state_stage *stage;     /* the whole zone, being written; NULL: it is not */
	uint8_t *touched;              /* differences: names that got records, one behind the other in wire form */
	size_t touched_len, touched_cap;
	size_t last_touched;  /* where the last of them begins */
	uint64_t n_different; /* records of differences */
	char warning[ZONEMD_WHY_MAX + sizeof("ZONEMD: ")];
};

/* Fills in the rest of a draft whose upper seven fields are set. */
void draft_begin(struct draft *d);

/* For xfr_in_new(). The errors that they return are those of the store's and the state's functions. */
struct xfr_in_events draft_events(struct draft *d);

/*
 * Makes the version, which must have that serial. 0: *next can be published in place of the base, and *changes says
 * how to get there from it, or is NULL where the whole zone has to be stored: then *stage, if not NULL, is that,
 * under way. d->warning is a line about a digest that is bad but need not be good, or "". Else nothing is changed,
 * and `diag` says why where there is more to say than the error:
 *
 *   -EINVAL   refused by the builder or the change, or another serial
 *   -E2BIG    beyond the limits
 *   -EBADMSG  its ZONEMD is wrong
 *   -ENOKEY   it has no ZONEMD that could be verified, and must have
 *   -ENOMEM, -EIO, -ENOSPC
 */
int draft_finish(struct draft *d, uint32_t serial, struct served **next, struct state_changes **changes,
		 struct state_stage **stage) MUST_CHECK;

/* Throws away what is left. May be called again. */
void draft_clear(struct draft *d);

#endif
