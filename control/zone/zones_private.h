/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside control/zones*.c and control/secondary*.c: what they know of a zone, and how its data changes.
 *
 *     zones.c         items, looking
 *     zones_plan.c    the configuration: plan and commit
 *     zones_edit.c    single zones that come and go
 *     zones_load.c    operations, and the queue of zones to load
 *     zones_pool.c    many small loads on the pool (zones_pool.h)
 *     zones_job.c     one load: zone files and state on disk become snapshots (pool)
 *     zones_accept.c  turns; verified versions become durable, then public
 *     zones_stored.c  a zone read back from state (pool)
 *     secondary*.c    when to ask which primary
 *
 * One at a time changes a zone. Whoever wants to (a load, a transfer, an update, a rollback) takes its turn; from
 * the beginning of the turn to its end what is in item->served stays there, so a change can be made from it.
 */
#ifndef ANSER_CONTROL_ZONES_PRIVATE_H
#define ANSER_CONTROL_ZONES_PRIVATE_H

#include "control/state/state.h"
#include "control/zone/zones.h"

/* An operation that waits for a zone. */
struct zone_wait {
	struct zone_wait *next;
	struct zones_op *op;
	struct zone_item *item;
};

/* -------- turns -------- */

/* Part of whoever wants to change a zone; stays where it is until the turn has ended. */
struct zone_turn {
	struct zone_turn *next;
	struct zone_item *item; /* NULL: the zone is not configured any more */
	/* It is your turn, or there will never be one (item is NULL); may be called by zone_turn_take(). */
	void (*begin)(struct zone_turn *turn);
};

/*
 * A configured zone: the slot that readers know, and what they need not. Found by name through the zone set (the
 * slot leads here), or by position in zones.items. A million of them are a design size, so what is small is packed.
 */
struct zone_item {
	struct zone *slot; /* with the name; owned */
	union {
		struct retired retired; /* once it is configured no more: of the rest nothing is left then */
		struct {
			const struct config_zone *config; /* NULL until committed; shared by many zones */
			struct served *served;            /* newest verified data, in the slot unless expired */
			struct zone_turn *turn;           /* whose turn it is; those behind it wait */
			struct secondary *secondary;      /* secondary.c's; NULL: primary, or not yet loaded */
			struct zone_item *prev, *next;    /* queue of those to load */
			struct load_job *job;             /* the load that runs; NULL: none */
			struct zone_wait *waits;          /* operations that want a load that has not begun */
			char *error;                      /* why the last load failed */
			char **includes;      /* files read besides zone_item_file(), NULL at the end; NULL: none */
			uint64_t stamp;       /* of all files at the last good load; 0: unknown */
			uint32_t loaded_at_s; /* wall time, until 2106 */
			uint32_t load_ms;
			uint32_t index;     /* in zones.items */
			uint8_t generation; /* of the last commit that had it, modulo 2^8: of all items the same */
			uint8_t state;      /* enum zone_state, as counted in zones.states */
			bool is_member : 1; /* of a catalog; else the configuration names it */
			bool is_queued : 1;
			bool force : 1; /* load though the stamp is the same; of a secondary: transfer the whole */
			bool was_notified : 1;  /* before its secondary was there to be told */
			bool is_reset : 1;      /* by its catalog: the whole is to be transferred (secondary.c's) */
			bool was_loaded : 1;    /* or there was nothing: the first attempt is over */
			bool is_confirmed : 1;  /* a secondary, and its last refresh went well (secondary.c's) */
			bool is_expired : 1;    /* what is served is not in the slot */
			bool is_compacting : 1; /* its state is being written anew */
			bool is_as_before : 1;  /* what is served is what was served before the start */
		};
	};
};
_Static_assert(sizeof(struct zone_item) <= 112, "the next larger block would be 128 octets");

struct zone_version;

struct zones {
	struct zones_options options;
	uint8_t cookie_secret[CONFIG_COOKIE_SECRET_LEN]; /* random; where the configuration names none */
	const struct config *config;                     /* of the last commit */
	const struct config *other_config; /* while a commit goes on: of the items that are not of `generation` */
	struct zone_item **items;          /* in the order of the configuration, then members */
	size_t n_items, cap_items;
	size_t n_own; /* the first ones of items: those that the configuration names, which no edit moves */
	uint32_t generation;
	uint64_t states[ZONE_STATE_COUNT];
	struct served_set *set;
	struct zone_item *queue_first, *queue_last;
	struct zones_op *feeding; /* operations that have not put all their zones into the queue */
	struct zones_pool *pool;  /* where loads are done */
	struct zone_version *parked_first, **parked_last;   /* durable, waiting for room, oldest first */
	struct zone_version *storing_first, **storing_last; /* waiting for room in the state's queue */
	struct load_job *jobs;                              /* n_jobs */
	unsigned n_jobs, n_parked, n_ops, n_versions;
	bool stopping;
	bool edits_are_held; /* a plan is being made */
	bool is_committing;  /* a plan is being put into force: no load begins */
};

static inline struct zone_item *
zones_find(const struct zones *z, const struct name *apex)
{
	const struct names *zones = &z->set->set->zones;
	const struct names_entry *e = names_find(zones, name_hash(apex->bytes), apex->bytes, apex->len);
	return e ? ((const struct zone *)e)->owner : NULL;
}

/* Does the state keep the zone? Secondaries, catalogs that we make, primaries that others follow or that take
 * updates. */
static inline bool
zone_is_kept(const struct config_zone *c)
{
	return c->role == CONFIG_SECONDARY || c->is_produced || c->n_allow_transfer || c->n_notify ||
	       c->n_allow_update;
}

/* zones.c: its file as the configuration that it was committed with has it; NULL: it has none. */
const char *zone_item_file(const struct zones *z, const struct zone_item *item);

/* zones.c: a new item, not in any table; and the end of one that never was in one. */
struct zone_item *zone_item_new(const struct name *apex) MUST_CHECK;
void zone_item_free(struct zone_item *item);

/* zones.c: it is in no table any more: ends what goes on with it, forgets it on disk, frees it after a grace
 * period. */
void zone_item_retire(struct zones *z, struct zone_item *item);

/* Recounts the item's state after something about it changed. */
void zone_item_update(struct zones *z, struct zone_item *item);

/* zones_load.c: nobody will load this item any more. */
void zone_item_forget(struct zones *z, struct zone_item *item);

/* zones_load.c: puts it into the queue of those to load. */
void zone_queue_append(struct zones *z, struct zone_item *item);

/* zones_load.c: the operation waits for this zone, which is queued, if there is memory for that. */
void zone_wait_join(struct zones_op *op, struct zone_item *item);

/* zones_load.c: tells every operation in the list how it went: `error` (NULL: well), and whether it was loaded. */
void zone_waits_finish(struct zone_wait *waits, const struct zone_item *item, const char *error, bool is_loaded);

/* zones_load.c: what operations have not put into the queue yet, at once: before positions change. */
void zones_feed_all(struct zones *z);

/* zones_load.c: starts what waits, as far as there are builders. */
void zones_pump(struct zones *z);

void zone_includes_free(char **includes);

/* zones_job.c: takes the item's waits over, and begins. False: out of memory, nothing has changed. */
bool load_job_start(struct zones *z, struct zone_item *item);

/* zones_job.c: its item is not configured any more; the job goes on to its end for nobody. */
void load_job_forget(struct load_job *job);

/* The load that reads the longest file now, for progress; false: none reads one. */
struct load_progress {
	const struct zone_item *item;
	uint64_t octets, octets_read; /* the same: it is being built from them */
};
bool load_jobs_longest(const struct zones *z, struct load_progress *out);

/* -------- zones_accept.c -------- */

/* Queues for the zone's turn. */
void zone_turn_take(struct zone_item *item, struct zone_turn *turn);

/* Ends it, whether the zone is configured still or not; the next one begins. */
void zone_turn_end(struct zone_turn *turn);

/* The zone goes: tells all that have or want a turn. */
void zone_turns_forget(struct zone_item *item);

enum zone_store {
	ZONE_STORE_NOTHING, /* the state has it already, or keeps nothing of this zone */
	ZONE_STORE_CHANGES,
	ZONE_STORE_WHOLE,
};

/*
 * A verified version on its way: stored, then published. Filled in by whoever has the turn, who keeps it where it
 * is until done() is called.
 */
struct zone_version {
	struct zone_turn *turn;
	struct served *next; /* taken over; the caller holds what it was made from until done() has returned */
	enum zone_store store;
	struct state_changes *changes; /* taken over; of ZONE_STORE_CHANGES */
	struct state_stage *stage; /* taken over; of ZONE_STORE_WHOLE: its writing has begun. NULL: it has not */
	struct state_meta meta;    /* goes to the state with the data */
	bool is_expired;           /* of a first version: to be kept, but not served */
	uint64_t verified_ns;      /* publish_now_ns() */
	uint32_t load_ms;
	/*
	 * Once: 0, it is served; -ECANCELED, the zone is not configured any more, or the server stops; else the
	 * state's -errno, and what was served is served still. The turn is still to be ended.
	 */
	void (*done)(struct zone_version *v, int err);
	/* zones_accept.c's */
	struct zones *zones;
	struct zone_version *next_waiting;
	struct zone_source *source;
	bool wants_compaction;
};

/* May call done() before it returns. */
void zone_accept(struct zones *z, struct zone_version *v);

/* Timers and flags of a zone alone; what goes wrong is logged. */
void zone_store_meta(struct zones *z, struct zone_item *item, const struct state_meta *meta);

/* EXPIRE has run out, or a primary says that the data is current after all. */
void zone_expire(struct zones *z, struct zone_item *item);
void zone_revive(struct zones *z, struct zone_item *item);

/* -------- zones_stored.c -------- */

/*
 * Builds a snapshot from state. 0, -ENOENT (nothing is kept of the zone), -EBADMSG (damaged), -EINVAL (what is kept
 * is no zone), -ENOMEM, -errno; text in diag. A pool thread; *zone tells timers and serials, also with -ENOENT if
 * there are only timers (then has_data is false).
 */
int zone_stored_load(struct state *st, const struct name *apex, enum state_version version, struct snapshot **out,
		     struct state_zone *zone, struct diag_list *diag) MUST_CHECK;

/*
 * The records of a snapshot as a source for the state; the snapshot is held by whoever made it. NULL: out of
 * memory.
 */
struct zone_source;
struct zone_source *zone_source_new(const struct snapshot *s) MUST_CHECK;
struct state_source zone_source_state(struct zone_source *source);
void zone_source_free(struct zone_source *source);

#endif
