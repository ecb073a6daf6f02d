/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Catalogs at work: catalog zones as they are published, and their members as zones that we serve.
 *
 *     catalog zone published ─> pool: difference, who owns what (catalogs_prepare()) ─> loop: told some at a time,
 * each time an edit of the zones (zones.h) ─> members are loaded, transferred, notified like any other zone
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

struct catalog_zones_plan;

/*
 * What the catalogs of another configuration mean for members. Any thread, between catalog_zones_hold() having
 * called ready() and catalog_zones_resume(). 0 or -ENOMEM. `config` is borrowed, as by zones_plan().
 */
int catalog_zones_plan(const struct catalog_zones *c, const struct config *config,
		       struct catalog_zones_plan **out) MUST_CHECK;

/* Throws a plan away. NULL is allowed. */
void catalog_zones_plan_free(struct catalog_zones_plan *plan);

/*
 * Puts the plan into force behind zones_commit() of the same configuration, a step of some milliseconds at a time:
 * members come, go, and get their new settings. False: call again in a later turn of the loop, until it is true and
 * the plan is consumed; until then the configuration before is borrowed, too. Cannot fail, but that members cannot
 * be added or removed where memory runs out, which is logged: then *has_lost becomes true, and the configuration
 * before must stay, since some go on by it.
 */
bool catalog_zones_commit_step(struct catalog_zones *c, struct catalog_zones_plan *plan, bool *has_lost) MUST_CHECK;

/* All of it in one turn, at the start, where there is no configuration before. 0 or -ENOMEM. */
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
 * Before a plan of zones is made: nothing is read until catalog_zones_resume(). Calls ready(arg) once, when the
 * reading that runs has ended, and holds edits of zones from then on: perhaps before this returns.
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
