/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The zones that the server is configured to serve, and how their data gets from files into service.
 *
 * For each configured zone there is an item: the slot that readers know (zones/store/zone.h), what is served in it,
 * where its data comes from, and how the last load went. Items, and the slots in them, survive a reload of the
 * configuration as long as the zone stays configured, so what is served goes on being served.
 *
 *     configuration ──> plan (any thread, may fail) ──> commit (control thread, cannot; in steps) ──> new set
 *     zone files ──> load jobs (libuv pool) ──> publish, zone by zone, as each is ready
 *
 * A reload is all or nothing for the configuration, and all or nothing for each zone: a file with faults changes
 * nothing of what is served. A load of a zone costs what that zone costs; nothing here walks all zones for one
 * of them (a million small zones is a design size).
 *
 * Everything runs on the control thread (the loop's) unless a function says otherwise.
 */
#ifndef ANSER_CONTROL_ZONES_H
#define ANSER_CONTROL_ZONES_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "control/config/config.h"
#include "control/publish/publish.h"
#include "zones/base/compiler.h"
#include "zones/base/diag.h"
#include "zones/store/zone.h"

enum zone_state {
	ZONE_STATE_OK,         /* served, as its source has it */
	ZONE_STATE_LOADING,    /* SERVFAIL until the load that is under way has ended */
	ZONE_STATE_NOT_LOADED, /* SERVFAIL: there has never been good data */
	ZONE_STATE_STALE,      /* served, but from before: the newer data cannot be had or has faults */
	ZONE_STATE_EXPIRED,    /* SERVFAIL: its EXPIRE ran out */
	ZONE_STATE_COUNT
};

/* As `anserctl` and the metric `anser_zones` show it. */
const char *zone_state_text(enum zone_state state);

struct zones;
struct zone_item; /* a configured zone; zones_private.h */
struct state;
struct state_meta;

struct zones_options {
	uv_loop_t *loop;             /* the control thread's */
	struct publisher *publisher; /* outlives the zones */
	struct zone_root *root;      /* where the set is published */
	unsigned builders;           /* threads of the libuv pool: how many loads run at a time */
	struct crew *crew;           /* helps with large zones; outlives the zones; NULL: nobody does */
	struct state *state;         /* outlives the zones; NULL: nothing is kept on disk */
	/* Told on the loop; each may be NULL. */
	void (*loaded)(void *arg, struct zone_item *item,
		       const struct state_meta *meta);         /* the first load is over */
	void (*published)(void *arg, struct zone_item *item);  /* a version is served */
	void (*removed)(void *arg, struct zone_item *item);    /* it is not configured any more */
	void (*configured)(void *arg, struct zone_item *item); /* by another configuration than before */
	void *arg;
};

/* No zones, and an empty set published. 0 or -ENOMEM. */
int zones_new(const struct zones_options *options, struct zones **out) MUST_CHECK;

/*
 * Frees everything. All readers have ended, zones_stop() was called and the loop has run until zones_are_idle().
 * NULL is allowed.
 */
void zones_free(struct zones *z);

/* No load starts any more; those that run are finished and thrown away. */
void zones_stop(struct zones *z);

/* True when no load runs and no operation waits. */
bool zones_are_idle(const struct zones *z);

/* -------- configuration -------- */

struct zones_plan;

/*
 * Makes all that committing `config` will need, and changes nothing. Zones are those of the configuration, its
 * catalogs among them, and those that came by edits and that it still wants. Any thread: it may take a second for a
 * million zones. Between zones_plan() and the end of that plan no other plan may be committed. `config` is borrowed
 * until the commit. 0 or -ENOMEM.
 */
int zones_plan(const struct zones *z, const struct config *config, struct zones_plan **out) MUST_CHECK;

/*
 * Puts the plan into force, a step of some milliseconds at a time: gives zones their new settings, publishes the
 * new set, retires removed zones, keeps the rest. False: call again in a later turn of the loop, until it is true
 * and the plan is consumed. Cannot fail. Queries are answered by the old set, and from one moment on by the new
 * one; in between a zone's settings may be those of either configuration, so both are borrowed and no edit is
 * committed. No load begins meanwhile, and nothing is loaded at its end: call zones_load_all(). From then on z
 * borrows the plan's config, and no longer the one before.
 */
bool zones_commit_step(struct zones *z, struct zones_plan *plan) MUST_CHECK;

/* The same in one turn, for starts. */
void zones_commit(struct zones *z, struct zones_plan *plan);

/* Throws a plan away. NULL is allowed. */
void zones_plan_free(struct zones_plan *plan);

/* -------- single zones, of catalogs -------- */

struct zones_edit;

/* Collects zones to add and to remove. NULL: out of memory. */
struct zones_edit *zones_edit_begin(struct zones *z) MUST_CHECK;

/*
 * A member more, configured by `config`, which lives as long as the zone has it. 0; -EEXIST: there is a zone of
 * this name; -ENOMEM.
 */
int zones_edit_add(struct zones_edit *edit, const struct name *apex, const struct config_zone *config) MUST_CHECK;

/* A member less; what the state has of it is forgotten. 0 or -ENOMEM. */
int zones_edit_remove(struct zones_edit *edit, struct zone_item *item) MUST_CHECK;

struct zones_op;

/* The operation waits for the zones that this edit adds, too; where memory runs out, not for all of them. */
void zones_edit_join(struct zones_edit *edit, struct zones_op *op);

/*
 * Puts it into force and begins to load what is new; costs what the zones in it cost. 0, and the edit is consumed;
 * else nothing has changed: -ENOMEM; -EEXIST: one zone twice; -EBUSY: a plan is being made, try again behind it.
 */
int zones_edit_commit(struct zones_edit *edit) MUST_CHECK;

/* NULL is allowed. */
void zones_edit_abort(struct zones_edit *edit);

/* While a plan is being made and until it is committed or thrown away, no edit is committed. */
void zones_hold_edits(struct zones *z, bool held);

/* Another configuration for a zone that came by an edit. */
void zone_item_set_config(struct zones *z, struct zone_item *item, const struct config_zone *config);

/* It came by an edit, and no configuration has named it since. */
bool zone_item_is_member(const struct zone_item *item);

/* -------- loading -------- */

#define ZONES_FAILURES_MAX 100 /* kept of one operation; more are counted */

struct zones_failure {
	char *zone, *message;
};

/* How an operation went. */
struct zones_report {
	uint64_t total, loaded, unchanged, failed; /* total is known at the end; before, it may be too large */
	struct zones_failure failures[ZONES_FAILURES_MAX];
	unsigned n_failures;
};

/* Called once, from the loop, when every zone of the operation has been dealt with; `report` dies afterwards. */
typedef void zones_done_fn(void *arg, const struct zones_report *report);

/*
 * Loads every zone of the configuration whose file, or a file that it includes, is not the one that is served (by
 * device, inode, size and times), those whose last load failed, and those that were not looked for in the state
 * yet. *op can be asked for progress until `done` is called, which is never before this returns. 0 or -ENOMEM.
 */
int zones_load_all(struct zones *z, zones_done_fn *done, void *arg, struct zones_op **op) MUST_CHECK;

/*
 * Loads one zone, changed or not. As above; also -ENOENT (not configured) and -ENOTSUP (a secondary: it has no
 * file). `apex` is in lower case.
 */
int zones_load_one(struct zones *z, const struct name *apex, zones_done_fn *done, void *arg,
		   struct zones_op **op) MUST_CHECK;

const struct zones_report *zones_op_report(const struct zones_op *op);

/* How far it is, in words: zones of all, and of the longest file that is being read, octets. */
#define ZONES_PROGRESS_MAX 1200
void zones_op_describe(const struct zones_op *op, char out[ZONES_PROGRESS_MAX]);

/* An operation that takes longer than two seconds logs that, each time they are over; not after this. */
void zones_op_set_quiet(struct zones_op *op);

/* It does not end before zones_op_release(), which may call its done(): zones will join it. */
void zones_op_hold(struct zones_op *op);
void zones_op_release(struct zones_op *op);

/* Room has appeared in the retired list: publishes what waited for it. */
void zones_on_room(struct zones *z);

/* The state has completed requests: what found its queue full is tried again. */
void zones_on_state(struct zones *z);

/* Loads that are complete and wait until older data can be freed. */
unsigned zones_waiting_to_publish(const struct zones *z);

/*
 * Called once, from the loop: 0, and the version before the one with from_serial is served; else -errno and
 * `error`.
 */
typedef void zones_rollback_fn(void *arg, int err, const char *error, uint32_t from_serial);

/*
 * Serves the previous verified version again. done() may be called before this returns. 0; -ENOTSUP: the state
 * keeps nothing of this zone (zone files that nobody transfers); -ENOMEM.
 */
int zones_rollback(struct zones *z, struct zone_item *item, zones_rollback_fn *done, void *arg) MUST_CHECK;

/* Forgets what the state has of zones that are not configured. Once, when all that are configured are known. */
void zones_prune(struct zones *z);

/* -------- looking -------- */

/* What is known of one zone; pointers are good until the loop runs on. */
struct zone_info {
	const struct zone_item *item;
	const uint8_t *apex; /* wire form, lower case */
	enum config_role role;
	enum zone_state state;
	bool has_data; /* the next four mean something */
	uint32_t serial;
	uint64_t records, bytes;
	int64_t loaded_at_s; /* wall time */
	uint32_t load_ms;
	const char *file;  /* NULL for secondaries */
	const char *error; /* of the last load; NULL: it went well, or there was none */
};

size_t zones_count(const struct zones *z);

/* The zone of this name (lower case), or NULL. Good until it is removed. */
struct zone_item *zones_item(const struct zones *z, const struct name *apex);

/* How it is configured, and its name. */
const struct config_zone *zone_item_config(const struct zone_item *item);
const uint8_t *zone_item_apex(const struct zone_item *item);

bool zone_item_is_expired(const struct zone_item *item);

/* What is served is the version that the last run of the server left in the state. */
bool zone_item_is_as_before(const struct zone_item *item);

/* What is served in it, even if it has expired; NULL: nothing. */
struct served *zone_item_served(const struct zone_item *item);

/* How many zones are in each state: counts[ZONE_STATE_COUNT]. Kept up to date, not counted now. */
const uint64_t *zones_states(const struct zones *z);

/* Changes with each commit: an index is only good for the generation it was taken in. */
uint64_t zones_generation(const struct zones *z);

/* The zone at position `i` of the configuration. */
void zones_info_at(const struct zones *z, size_t i, struct zone_info *out);

/* The zone of this name (lower case); false if it is not configured. */
bool zones_info(const struct zones *z, const struct name *apex, struct zone_info *out) MUST_CHECK;

/*
 * For long readers: the data that is served in this zone now, held until served_release(). NULL: not configured, or
 * nothing is served.
 */
struct served *zones_hold(struct zones *z, const struct name *apex) MUST_CHECK;

#endif
