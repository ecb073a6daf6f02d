/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Catalogs at work: catalog zones as they are published, and their members as zones that we serve.
 *
 *     catalog zone published ─> pool: difference (catalogs_prepare()) ─> loop: who owns what (catalogs_commit())
 *         ─> one edit of the zones (zones.h) ─> members are loaded, transferred, notified like any other zone
 *
 *     and kept beside their state (catalog_notes.h) ──> the next start: members are served before a catalog is read
 *
 * One catalog is read at a time; a version that comes meanwhile is read behind it. Adding or removing a member
 * costs what that member costs. Control thread.
 */
#ifndef ANSER_CONTROL_CATALOG_ZONES_H
#define ANSER_CONTROL_CATALOG_ZONES_H

#include <stdbool.h>
#include <uv.h>

#include "control/zone/catalogs.h"
#include "control/zone/secondary.h"
#include "control/zone/zones.h"

struct catalog_zones;

struct catalog_zones_options {
	uv_loop_t *loop;
	struct zones *zones; /* this and the following outlive it */
	struct publisher *publisher;
	struct secondaries *secondaries;
	struct state *state;     /* where members are noted; NULL: they are not */
	void (*read)(void *arg); /* a catalog has been read, well or not; may be NULL */
	void *arg;
};

/* 0 or -ENOMEM. */
int catalog_zones_new(const struct catalog_zones_options *options, struct catalog_zones **out) MUST_CHECK;

/*
 * The catalogs of a configuration that the zones have just been committed to, in the same turn of the loop; members
 * get their new settings. 0; -ENOMEM: members go on with the settings of before, so that configuration must stay.
 */
int catalog_zones_configure(struct catalog_zones *c, const struct config *config) MUST_CHECK;

/*
 * Once, at the start, behind catalog_zones_configure(): members of before are served again by what was noted of
 * them, and only then catalogs are read. `first_load` does not end before that, and waits for the members, too. 0
 * or -ENOMEM.
 */
int catalog_zones_restore(struct catalog_zones *c, struct zones_op *first_load) MUST_CHECK;

/* A member that was reset has been transferred as a whole: what is noted of it is true again. */
void catalog_zones_reset_done(struct catalog_zones *c, struct zone_item *item);

/* The state has completed requests: goes on noting members. */
void catalog_zones_on_state(struct catalog_zones *c);

/*
 * Before a plan of zones is made: edits of zones have to wait until catalog_zones_resume(), and nothing is read.
 * Calls ready(arg) once, when the reading that runs has ended: perhaps before this returns.
 */
void catalog_zones_hold(struct catalog_zones *c, void (*ready)(void *arg), void *arg);

/* A zone is served anew; if it is a catalog, it is read. */
void catalog_zones_published(struct catalog_zones *c, struct zone_item *item);

/*
 * True when a good version of every catalog that is transferred has been read: then all members are known, those of
 * before a restart among them.
 */
bool catalog_zones_are_known(const struct catalog_zones *c);

/* False where the newest version of a catalog is broken, so that its members are those of before. */
bool catalog_zones_are_good(const struct catalog_zones *c);

/* The plan is committed or thrown away: goes on with what waited. */
void catalog_zones_resume(struct catalog_zones *c);

/* For status: false, it is no catalog. */
bool
catalog_zones_status(const struct catalog_zones *c, const uint8_t *apex, struct catalogs_status *out) MUST_CHECK;

/* Reads nothing more; idle when what runs has ended, and all members are noted. */
void catalog_zones_stop(struct catalog_zones *c);
bool catalog_zones_are_idle(const struct catalog_zones *c);
void catalog_zones_free(struct catalog_zones *c); /* idle, before the zones. NULL is allowed */

#endif
