/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The model that changes are tested against: a fixed list of records that may be in a zone, each with its TTL or 0
 * where it is not there; a zone of the model is built as a whole. Two snapshots are compared in all that an answer
 * can depend on. Aborts where they differ, so that it serves fuzzers as well.
 */
#ifndef ANSER_TESTS_CHANGE_FIXTURE_H
#define ANSER_TESTS_CHANGE_FIXTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "zones/base/diag.h"
#include "zones/store/change.h"

#define MODEL_MAX 400

struct model {
	uint32_t ttl_s[MODEL_MAX]; /* 0: the record is not there */
};

/* Reads the list of records; returns how many there are. */
unsigned model_init(void);

/* Record `which`, counted round the list; its data is borrowed for ever. */
void model_record(unsigned which, struct name *owner, uint16_t *type, const uint8_t **rdata, uint16_t *rdlen);

/* How many records the list has. */
unsigned model_size(void);

/* The apex of the model's zone. */
const struct name *model_apex(void);

/* A model of SOA and NS alone. */
struct model model_start(void);

/* Builds the model's zone as a whole; as zone_builder_finish(). */
int model_build(const struct model *m, struct diag_list *diag, struct snapshot **out);

/* Applies to the change and to the model, leniently, what these numbers choose; what a change refused is told. */
int model_step(struct model *m, struct zone_change *c, uint8_t what, unsigned which, uint8_t ttl_s);

/* Gives the model the TTLs that its records have in a snapshot; all of them must be there. */
void model_settle(struct model *m, const struct snapshot *s);

/*
 * Aborts unless the records of `to` that `from` has not, and the other way round, are what snapshot_diff() tells,
 * once each and removed ones first. Both models are settled.
 */
void model_check_diff(const struct model *from, const struct snapshot *base, const struct model *to,
		      const struct snapshot *next);

/* Octets of zone data that are handed out, without the snapshot's table of sets and what it alone keeps. */
size_t bytes_without_table(const struct snapshot *s);

/* Aborts where the snapshots differ in anything but the sharing of sets and depths that `s` has besides. */
void snapshots_check_equal(const struct snapshot *s, const struct snapshot *built);

#endif
