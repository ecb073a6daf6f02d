/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside control/zones*.c: the items, and what the two files call in each other.
 *
 *     zones.c       items, plan and commit, looking
 *     zones_load.c  operations, jobs, publishing
 *
 * All on the control thread but load_job's work, which runs on the libuv pool and touches the job alone.
 */
#ifndef ANSER_CONTROL_ZONES_PRIVATE_H
#define ANSER_CONTROL_ZONES_PRIVATE_H

#include "control/zones.h"

/* An operation that waits for a zone. */
struct zone_wait {
	struct zone_wait *next;
	struct zones_op *op;
	struct zone_item *item;
};

/* A configured zone. Found by name (entry) or by position in zones.items. */
struct zone_item {
	struct names_entry entry;         /* in zones.by_name */
	const struct config_zone *config; /* NULL until committed */
	struct zone *slot;                /* what readers know; owned */
	struct served *served;            /* what is in the slot; NULL: nothing */
	struct zone_item *prev, *next;    /* queue of those to load */
	struct load_job *job;             /* the load that runs; NULL: none */
	struct zone_wait *waits;          /* operations that want a load that has not begun */
	char *error;                      /* why the last load failed */
	char **includes;                  /* files read besides config->file, NULL at the end; NULL: none */
	uint64_t stamp;                   /* of all files at the last good load; 0: unknown */
	int64_t loaded_at_s;
	uint32_t load_ms;
	uint32_t generation;    /* of the last commit that had it */
	uint8_t state;          /* enum zone_state, as counted in zones.states */
	bool is_queued, force;  /* force: load though the stamp is the same */
	struct retired retired; /* for when it is configured no more */
	uint8_t apex[];
};

struct zones {
	struct zones_options options;
	uint8_t cookie_secret[CONFIG_COOKIE_SECRET_LEN]; /* random; where the configuration names none */
	struct names by_name;                            /* of struct zone_item */
	struct zone_item **items;
	size_t n_items;
	uint32_t generation;
	uint64_t states[ZONE_STATE_COUNT];
	struct served_set *set;
	struct zone_item *queue_first, *queue_last;
	struct load_job *parked_first, **parked_last; /* complete, waiting for room, oldest first */
	unsigned n_jobs, n_parked, n_ops;
	bool stopping;
};

/* Recounts the item's state after something about it changed. */
void zone_item_update(struct zones *z, struct zone_item *item);

/* zones_load.c: nobody will load this item any more. */
void zone_item_forget(struct zones *z, struct zone_item *item);

void zone_includes_free(char **includes);

#endif
