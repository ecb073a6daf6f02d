/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of the state share: a naive model of a zone, its way into the state and out of it, and waiting.
 *
 * A model zone has a serial and up to MODEL_HOSTS hosts, each with a value or 0: none. As records that is one SOA
 * (its data is the serial alone: the state does not look into records) and one A for each host.
 */
#ifndef ANSER_TESTS_STATE_FIXTURE_H
#define ANSER_TESTS_STATE_FIXTURE_H

#include "tests/unit/control/control_fixture.h"

#include "control/state/state.h"

#define MODEL_HOSTS 64

struct model {
	uint32_t serial;
	uint32_t hosts[MODEL_HOSTS];
};

/* The version `serial` of a zone whose every change touches a few hosts. */
void model_make(uint32_t serial, struct model *out);

/* Opens the state in the working directory, with small sizes; the test fails if it does not open. */
struct state *open_state(void);
void small_options(struct state_options *options);

/* Each makes the request and waits until it is done; returns its result. */
int put_model(struct state *st, const char *zone, const struct model *m);
int compact_model(struct state *st, const char *zone, const struct model *m);
int append_models(struct state *st, const char *zone, const struct model *from, const struct model *to);
int drop_zone(struct state *st, const char *zone);
int put_note(struct state *st, const char *zone, const void *note, size_t len);
bool last_wants_compaction(void);

/* A whole zone of `n` hosts with `padding` octets of data each; put, and loaded and counted. */
int put_large(struct state *st, const char *zone, uint32_t serial, unsigned n, uint16_t padding);
int load_large(struct state *st, const char *zone, unsigned *n);

/* Reads a version into a model. What does not fit together (a removal of what is not there) is -EPROTO. */
int load_model(struct state *st, const char *zone, enum state_version version, struct model *out);

/* The differences on top of a model, in place. */
extern const struct state_sink model_sink_ops;

/* The note of a zone by a walk over all. 0, -EBADMSG, -ENOENT. */
struct found_note {
	struct name apex;
	int err;
	size_t len;
	uint8_t bytes[STATE_NOTE_MAX];
};
int find_note(struct state *st, const char *zone, struct found_note *out);

void assert_model(struct state *st, const char *zone, enum state_version version, uint32_t serial);

/* A done() that puts the result where wait_done() looks. */
struct state_done done_waiting(void);
int wait_done(void);

#endif
