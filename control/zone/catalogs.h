/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All catalogs of a configuration together: which member zones we serve, by whose word, with which settings.
 *
 *     catalog zone published ──> catalogs_prepare()        ┐ any thread, may fail: what the change means for whom
 *     another configuration ──> catalogs_prepare_config()  ┘
 *         ──> catalogs_commit() ──> catalogs_tell(), some at a time: add, remove, reset, change
 *
 * The rules (RFC 9432 section 5):
 *   - A zone of the configuration, or a catalog's own apex, is never a member, nor is a name that `admit` leaves
 * out.
 *   - The catalog that has a member first keeps it; another one that claims it is refused, with a warning.
 *   - It goes over to a catalog that the owner's `coo` names, once that one has it too; in which order they say so
 *     does not count. Its state goes with it if its ID is the same in both, else it is reset.
 *   - What the owner no longer has is removed; if another catalog has it, it begins there anew.
 *   - Another ID in the same catalog resets the member's state.
 *   - A broken catalog changes nothing.
 *   - Settings: the template whose id is the first known group of the member, else the catalog's template.
 *
 * One change at a time: while one is prepared, and until it has been told to its end or thrown away, no other one
 * is begun, and nothing is restored. Runs on the control thread but for the preparing. Knows no zones, sockets or
 * files.
 */
#ifndef ANSER_CONTROL_CATALOGS_H
#define ANSER_CONTROL_CATALOGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control/config/config.h"
#include "control/zone/catalog.h"
#include "zones/base/compiler.h"
#include "zones/base/diag.h"
#include "zones/wire/name.h"

struct catalogs;

/*
 * A member that is to be served. Borrowed for the call, but for the settings, which live as long as the
 * configuration, and over the change to the next one until the one behind it: zones that this one has removed
 * are so configured until they are gone.
 */
struct catalogs_zone {
	const struct config_zone *settings; /* as of a configured zone */
	const struct catalog_member
		*member;     /* its name; and catalog, ID, groups, coo, to be kept for catalogs_restore() */
	bool member_changed; /* not the settings alone: what is kept is to be another */
};

/*
 * What to do about member zones. These cannot fail: a zone that cannot be served has a state that says so. They are
 * called while catalogs are half changed, so none of them may call a function of this header.
 */
struct catalogs_events {
	void (*add)(void *arg, const struct catalogs_zone *z);
	void (*remove)(void *arg, const uint8_t *name);           /* with all its state */
	void (*reset)(void *arg, const struct catalogs_zone *z);  /* drop its state, transfer it anew */
	void (*change)(void *arg, const struct catalogs_zone *z); /* settings, or the member */
	void *arg;
};

/* No catalogs. 0 or -ENOMEM. */
int catalogs_new(const struct catalogs_events *events, struct catalogs **out) MUST_CHECK;

/* Calls no events. NULL is allowed. */
void catalogs_free(struct catalogs *c);

/* A change that has been prepared. */
struct catalogs_change;

/*
 * Reads a new version of a catalog, as catalog_update_make(), and decides who owns what from then on. Warnings in
 * diag say which members are refused. 0; -ENOENT: there is no such catalog; as catalog_update_make(). Any thread.
 */
int catalogs_prepare(const struct catalogs *c, const struct name *catalog, const struct snapshot *base,
		     const struct snapshot *next, struct catalogs_change **out, struct diag_list *diag) MUST_CHECK;

/*
 * The same for the catalogs, templates and zones of a configuration, which outlives this until the next one; the
 * one before must live until the change has been told. Catalogs keep their members by their apex; all settings are
 * told anew. 0 or -ENOMEM. Walks all members. Any thread.
 */
int catalogs_prepare_config(const struct catalogs *c, const struct config *config, struct catalogs_change **out,
			    struct diag_list *diag) MUST_CHECK;

/* Throws a change away that has not been committed. NULL is allowed. */
void catalogs_abort(struct catalogs_change *change);

/* Makes it so; cannot fail. Who is to hear of it is told by catalogs_tell(), and owns its zone from that moment. */
void catalogs_commit(struct catalogs *c, struct catalogs_change *change);

/* Tells up to `n` of it. False: there is more; true: that was all, and the change is consumed. */
bool catalogs_tell(struct catalogs *c, struct catalogs_change *change, size_t n) MUST_CHECK;

/* Consumes a committed change whose rest nobody wants to hear any more, at the end of the process. */
void catalogs_tell_no_more(struct catalogs *c, struct catalogs_change *change);

/*
 * Before the first update after a restart: gives a catalog a member that it had before, as was told by an event, so
 * that it is served at once, and that the update is compared with it; it is told as added. 0; -ENOENT: there is no
 * such catalog; -EPERM: it may not be a member (any more); -EEXIST; -ENOMEM.
 */
int catalogs_restore(struct catalogs *c, const struct name *catalog,
		     const struct catalog_member_parts *parts) MUST_CHECK;

/* For status: catalogs_prepare() has failed, because of `why` (one line). The next update reads the whole catalog.
 */
void catalogs_fail(struct catalogs *c, const struct name *catalog, const char *why);

#define CATALOGS_WHY_MAX 512

struct catalogs_status {
	const struct name *apex;
	uint64_t members, owned; /* that it lists; that are served by its word */
	bool was_good;
	uint32_t serial; /* if was_good: of the version that was last good */
	const char *why; /* the newest version is broken; "" if not */
};

/* In the order of the configuration. */
unsigned catalogs_count(const struct catalogs *c);
struct catalogs_status catalogs_status(const struct catalogs *c, unsigned i);

/* The member of this name that is served, or NULL. */
const struct catalog_member *catalogs_find(const struct catalogs *c, const uint8_t *name);

#endif
