/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is kept on disk of each member of a catalog, so that a restart has its members before any catalog has been
 * read, and also where the newest version of one is broken: a note (control/state/state.h) beside the zone.
 *
 *     events ──> names whose notes are due ──> as many as may be under way ──> state
 *     start:  state ──> batches of notes (pool) ──> catalogs_restore() (loop)
 *
 * A note says which catalog has the member, with which ID, coo and groups, and these are those that the zone's data
 * belongs to: a member that was reset keeps its old note until it has been transferred, and so is reset again after
 * a restart. Control thread but where said otherwise.
 */
#ifndef ANSER_CONTROL_CATALOG_NOTES_H
#define ANSER_CONTROL_CATALOG_NOTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control/state/state.h"
#include "control/zone/catalog.h"

/* -------- one note -------- */

/* Returns its length. Groups are left out where they make it too long; the first ones stay. Pure. */
size_t catalog_note_write(const struct catalog_member *m, uint8_t out[STATE_NOTE_MAX]);

/* A note, read. `parts` points into it and into the octets that it was read from, so it stays where it is. */
struct catalog_note {
	struct name member, catalog, coo;
	struct catalog_member_parts parts;
};

/* 0, or -EBADMSG: this is no note. Pure. */
int
catalog_note_read(const struct name *member, const uint8_t *bytes, size_t len, struct catalog_note *out) MUST_CHECK;

/* -------- writing -------- */

/*
 * What the note of a zone is to be now: its length; 0, there is to be none; or a negative number, it stays as it
 * is. Called by catalog_notes_write().
 */
typedef int catalog_note_fn(void *arg, const struct name *apex, uint8_t out[STATE_NOTE_MAX]);

struct catalog_notes;

/* `st` outlives them. NULL: out of memory. */
struct catalog_notes *catalog_notes_new(struct state *st, catalog_note_fn *fn, void *arg) MUST_CHECK;

/* The note of this zone (lower case) is due. Where memory runs out it stays as it is, which is logged. */
void catalog_notes_due(struct catalog_notes *notes, const uint8_t *apex);

/*
 * Writes some of what is due, and nothing where enough is under way: to be called behind catalog_notes_due(), and
 * whenever the state has completed requests. What goes wrong on disk is logged.
 */
void catalog_notes_write(struct catalog_notes *notes);

/* Nothing is due or under way. */
bool catalog_notes_are_idle(const struct catalog_notes *notes);

/* Idle. NULL is allowed. */
void catalog_notes_free(struct catalog_notes *notes);

/* -------- reading -------- */

#define CATALOG_BATCH_NOTES 250 /* to be restored in one turn of the loop: some 3 ms */
#define CATALOG_BATCH_BYTES (128u << 10)

/* Some of the notes on disk, in the order of their names; zero to begin with. */
struct catalog_batch {
	struct name last; /* the zone of the last note */
	bool has_last;
	bool is_end;     /* there are no more behind these */
	size_t len, at;  /* of bytes; read so far */
	unsigned n;      /* notes in it */
	uint64_t broken; /* in all batches: notes that cannot be read */
	uint8_t bytes[CATALOG_BATCH_BYTES];
};

/* Fills it with those behind `last`. Any thread but answering ones. 0 or -errno, and there are none in it. */
int catalog_batch_read(struct state *st, struct catalog_batch *b) MUST_CHECK;

/* Takes the next note out; false: that was all. */
bool catalog_batch_next(struct catalog_batch *b, struct catalog_note *out) MUST_CHECK;

#endif
