/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the state share. See state.h for what it is and docs/design/state.md for how.
 *
 *     state.c           opening, closing, figures; requests are made and queued
 *     state_stage.c     whole zones that are written before they are wanted
 *     state_changes.c   differences on their way to state_zone_append()
 *     state_writer.c    the writer thread: which requests go into a transaction, what happens when it fails
 *     state_apply.c     one request in a transaction
 *     state_garbage.c   generations that nobody needs any more
 *     state_read.c      load, get, walk, prune
 *     state_history.c   history
 *     state_value.c, state_record.c   what is on disk
 *     state_pages.c, state_mend.c     a file whose pages are damaged
 */
#ifndef ANSER_CONTROL_STATE_PRIVATE_H
#define ANSER_CONTROL_STATE_PRIVATE_H

#include <lmdb.h>
#include <pthread.h>
#include <stdatomic.h>

#include "control/base/thread.h"
#include "control/state/state.h"
#include "control/state/state_record.h"
#include "control/state/state_value.h"

/*
 * A transaction holds about so much of whole zones. More would save a little time and cost latency for the small
 * changes of other zones that come meanwhile.
 */
#define STATE_SLICE_BYTES (8u << 20)

/* -------- requests -------- */

enum state_request_kind { STATE_REPLACE, STATE_COMPACT, STATE_APPEND, STATE_PUT_META, STATE_PUT_NOTE, STATE_DROP };

/* What is to become of a stage. */
enum state_stage_wish { STAGE_OPEN, STAGE_COMMIT, STAGE_DROP };

/* One difference of a request, by the number of its values. */
struct state_difference {
	uint32_t from_serial, to_serial;
	uint64_t n_values;
};

struct state_changes {
	struct state_records records;
	struct state_difference *differences; /* of `cap`; the last one's n_values is set when it ends */
	size_t n, cap;
	uint64_t values_before; /* of the differences before the last one */
	bool is_open;           /* the last difference was begun and not ended */
	bool has_added;         /* it has an addition */
};

/* A request from queueing to done(). Writer thread but for making and freeing. */
struct state_request {
	struct state_request *next;
	enum state_request_kind kind;
	struct name apex;
	bool has_meta;
	struct state_meta meta;
	uint64_t queue_bytes; /* what it counts for in the queue */
	struct state_done done;
	struct state_result result;

	struct state_changes *changes; /* append; owned */
	struct state_value *note;      /* owned; NULL: there is to be none */

	/* Replace and compaction: what is written so far. */
	uint32_t serial;
	struct state_source source;
	uint64_t generation;        /* 0: not begun */
	struct state_records slice; /* records that the next transaction writes */
	uint64_t chunks_written;    /* by transactions before */
	uint32_t crc, slice_crc;    /* of the last value before the slice, and of the slice's last */
	uint64_t records, bytes;    /* before the slice */
	bool is_begun;  /* a transaction before has written a part, and noted the generation as garbage */
	bool is_read;   /* the source is at its end */
	bool is_final;  /* this turn makes it the zone */
	bool is_listed; /* in the list of those begun */
	int source_err; /* the source, or memory for its records, has failed; of a stage, any error */

	/* A stage (state_stage_begin()). */
	bool is_stage;
	bool is_wanted;             /* as of this turn, there is a wish */
	enum state_stage_wish wish; /* the mutex guards it and is_parked */
	bool is_parked;             /* written, or failed; waits for the wish */
	void (*release)(void *arg); /* of the source; NULL: it has been called */

	struct state_request *other; /* next in the list of those begun */
};

struct state_queue {
	struct state_request *first, **last;
};

void state_queue_init(struct state_queue *q);
void state_queue_put(struct state_queue *q, struct state_request *r);

void state_request_free(struct state_request *r);

/* The source is needed no more. Once; later calls do nothing. */
void state_request_release(struct state_request *r);
void state_changes_number(struct state_changes *c);

/* state.c: makes a request; NULL: out of memory. Queues one, or frees it where there is no room (-EAGAIN). */
struct state_request *state_request_new(enum state_request_kind kind, const struct name *apex,
					const struct state_meta *meta, struct state_done done) MUST_CHECK;
int state_request_queue(struct state *st, struct state_request *r) MUST_CHECK;

/* -------- the state -------- */

struct state {
	struct state_options options;
	int dir_fd; /* locked: one process has this directory */
	char *path;

	/* Readers hold it for reading while they have a transaction; growing the map needs that there are none. */
	pthread_rwlock_t map_lock;
	MDB_env *env; /* NULL: it could not be opened again after a fault; the next request tries */
	MDB_dbi zones, garbage, info;
	uint64_t map_bytes;

	struct thread writer;
	pthread_mutex_t mutex;     /* guards from here to `stats` */
	pthread_cond_t work;       /* something was queued, or the end has come */
	struct state_queue queued; /* not seen by the writer yet */
	struct state_queue completed;
	bool stopping;
	struct state_stats stats;

	/* Writer thread. */
	struct state_queue waiting;  /* seen, not completed, oldest first */
	struct state_queue blocked;  /* seen, but a whole zone that began before must be there first */
	bool may_unblock;            /* such a one has ended in this turn */
	struct state_request *begun; /* those that need further transactions, by `other` */
	unsigned n_begun;
	uint64_t turn_began_ns; /* the last one */
	unsigned turn_requests; /* in it */
	uint64_t next_generation;
	bool has_garbage;
};

/* -errno for what LMDB returned; 0 for 0. */
int state_error(int lmdb_error) MUST_CHECK;

/* Opens the environment in st->path with st->map_bytes; closes it. No reader, no transaction. 0 or -errno. */
int state_env_open(struct state *st) MUST_CHECK;
void state_env_close(struct state *st);

/*
 * Before the environment is opened: a file whose pages are damaged, which LMDB would not survive, is written anew,
 * with a warning in diag, and kept under another name. 0, also if there is no file; -errno, with text in diag or
 * without.
 */
int state_file_mend(struct state *st, struct diag_list *diag) MUST_CHECK;

/* -------- writer thread -------- */

/* The thread: until `stopping` and nothing is left to do. */
void state_writer_run(void *arg);

/*
 * Does one request in the transaction. 0; a positive number: an error of LMDB, the transaction must be aborted; or
 * -errno: the request cannot be done, and has put nothing into the transaction. May be repeated after an abort.
 */
int state_apply(struct state *st, MDB_txn *txn, struct state_request *r) MUST_CHECK;

/* Notes what generation or epoch of a zone nobody needs any more; takes such a note back. LMDB's errors. */
int state_garbage_note(struct state *st, MDB_txn *txn, const struct name *apex, enum state_kind kind,
		       uint64_t generation) MUST_CHECK;
int state_garbage_forget(struct state *st, MDB_txn *txn, enum state_kind kind, uint64_t generation) MUST_CHECK;

/* Notes all generations of a zone but `but`, whatever its head says. LMDB's errors. */
int state_garbage_note_all(struct state *st, MDB_txn *txn, const struct name *apex, uint64_t but) MUST_CHECK;

/* Deletes about `limit` values of what was noted; *left says whether there are more. LMDB's errors. */
int state_garbage_sweep(struct state *st, MDB_txn *txn, unsigned limit, bool *left) MUST_CHECK;

/* -------- values in a transaction -------- */

/*
 * The value under `key`, verified. 0, -ENOENT, -EBADMSG, or -errno of LMDB. What *out_bytes points at is LMDB's,
 * until the transaction ends or writes.
 */
int state_get(MDB_txn *txn, MDB_dbi dbi, const struct state_key *key, const uint8_t **out_bytes, size_t *out_len,
	      struct state_header *out) MUST_CHECK;
int state_get_head(struct state *st, MDB_txn *txn, const struct name *apex, struct state_head *out) MUST_CHECK;

/* What a part of a difference says about itself. */
struct state_part {
	const uint8_t *records; /* its records */
	size_t records_len;
	uint32_t from_serial, to_serial;
	uint32_t number; /* in its difference, from 0 */
	uint32_t crc, before;
	uint32_t len; /* of the value */
	bool is_last;
};

/* A part of a zone's journal: 0, -EBADMSG (also if there is none: who asks knows that there must be), -errno. */
int state_get_part(struct state *st, MDB_txn *txn, const struct name *apex, uint64_t epoch, uint64_t seq,
		   struct state_part *out) MUST_CHECK;

/*
 * The first part of the difference that ends before `seq`: its seq, and its length in *bytes (all parts). The chain
 * is checked on the way: *crc is what the last part must have, and becomes what came before the first. As
 * state_get_part().
 */
int state_journal_back(struct state *st, MDB_txn *txn, const struct name *apex, uint64_t epoch, uint64_t *seq,
		       uint32_t *crc, struct state_part *first, uint64_t *bytes) MUST_CHECK;

/* -------- reading -------- */

/* A read transaction, for as long as one function runs. */
struct state_reading {
	struct state *st;
	MDB_txn *txn;
};

int state_reading_begin(struct state *st, struct state_reading *rd) MUST_CHECK;
void state_reading_end(struct state_reading *rd);

/* What a difference's records become: as they are, or taken back (removals are added, additions removed). */
enum state_way { STATE_FORWARD, STATE_BACK };

/* Gives those records of a part to the sink that are additions (`added`), or the others. 0, -EBADMSG, or what the
 * sink said. */
int state_part_give(const struct state_part *part, const struct name *apex, const struct state_sink *sink,
		    bool added, enum state_way way) MUST_CHECK;

/*
 * Gives the whole difference that begins at *seq, verified; moves *seq, *crc (before it) and *serial behind it. 0,
 * -EBADMSG, -errno, or what the sink said.
 */
int state_difference_give(struct state *st, MDB_txn *txn, const struct name *apex, uint64_t epoch, uint64_t *seq,
			  uint32_t *crc, uint32_t *serial, const struct state_sink *sink) MUST_CHECK;

#endif
