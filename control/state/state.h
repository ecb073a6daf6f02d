/* SPDX-License-Identifier: Apache-2.0 */
/*
 * State on disk: what a restart needs to serve at once, in one LMDB environment below state-dir.
 *
 * For each zone there are its timers, the last verified zone as records in wire form (the base), and the
 * differences since then (the journal), which are also the history for IXFR (RFC 1995). Data is written here when
 * it has passed every check and before it is published; so a version that was ever served is never lost. Beside
 * them there may be a note of its owner's.
 *
 *     replace ──┐                                            ┌──> base     ──┐
 *     append  ──┼─> queue ─> writer thread: one transaction ─┼──> journal  ──┼─> load, history, walk (any thread)
 *     meta    ──┤            for many zones, then durable    ├──> timers   ──┤
 *     note    ──┤                     │                      ├──> notes    ──┘
 *     drop    ──┘                     └──> done()            └──> what is replaced, deleted bit by bit later
 *
 * Writing. Requests are queued and return at once. The writer thread takes what has come, writes it in one
 * transaction, and calls done() when that is on disk. Requests for one zone take effect in the order in which they
 * were made, but for compactions, which other requests may overtake.
 *
 * Reading. Every value carries a CRC32C over itself, its zone, its place, and the sum of the value before it in its
 * chain; the zone's head knows the ends of the chains. Values that are flipped, cut, stale, missing, or in the
 * place of others end a read with -EBADMSG, for that zone alone. Such a zone is dropped or replaced like any other.
 *
 * Versions. STATE_LATEST is what was acknowledged last. STATE_PREVIOUS is the one before: without the last
 * difference, or, where the last thing that came was a whole zone, what that zone replaced.
 *
 * The layout is explained in docs/design/state.md.
 */
#ifndef ANSER_CONTROL_STATE_H
#define ANSER_CONTROL_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "zones/base/compiler.h"
#include "zones/base/diag.h"
#include "zones/wire/name.h"

struct state;

/* -------- opening -------- */

struct state_options {
	const char *dir; /* state-dir: exists and is ours; borrowed for the life of the state */

	/*
	 * Size of the memory map: what the file may grow to. When it is full it is doubled, up to the largest; a
	 * map at its largest is a full disk (-ENOSPC). Address space alone: memory and disk are used as data comes.
	 */
	uint64_t map_bytes, map_bytes_max;

	uint64_t queue_bytes_max; /* what may wait to be written */
	unsigned compact_percent; /* journal over base, from which on a zone asks to be compacted */
	unsigned history_percent; /* history over base that is kept for IXFR after compactions */
	bool keep_previous;       /* keep what a whole zone replaced, for STATE_PREVIOUS: doubles its disk space */

	/*
	 * Called on the writer thread when completions wait for state_deliver(); it must not block (uv_async_send
	 * is meant). NULL: done() is called on the writer thread itself.
	 */
	void (*wake)(void *arg);
	void *wake_arg;
};

/* Good values for everything but `dir` and `wake`. */
void state_options_default(struct state_options *options);

/*
 * Opens or makes the environment and starts the writer thread. Errors, with text in `diag`: -EBUSY (another process
 * has it), -EBADMSG (this is no state of ours, or the file as a whole is damaged), other -errno of the file system,
 * -ENOMEM. Blocks; once in a process for one directory.
 */
int state_open(const struct state_options *options, struct diag_list *diag, struct state **out) MUST_CHECK;

/*
 * Writes what is queued, ends the thread, calls done() for what was not delivered yet on the calling thread, and
 * closes. No other call on st is under way. Blocks. NULL is allowed.
 */
void state_close(struct state *st);

/* Calls done() of all completed requests, on the calling thread. For states with `wake`. */
void state_deliver(struct state *st);

struct state_stats {
	uint64_t map_bytes, used_bytes;       /* of the file: how far it may grow, how far pages of it are in use */
	uint64_t queue_bytes, queue_requests; /* not yet completed */
	uint64_t commits;                     /* transactions since the start */
	uint64_t completed, failed;           /* requests since the start; failed ones count as completed too */
	uint64_t growths;                     /* of the map, since the start */
};

/* Any thread. */
void state_stats(struct state *st, struct state_stats *out);

/* -------- what is kept -------- */

/* A record; everything is borrowed until the function that was given it returns, or the next one is asked for. */
struct state_record {
	const struct name *owner; /* at or below the apex; kept in lower case */
	uint16_t type;
	uint16_t rdlen;
	uint32_t ttl_s;
	const uint8_t *rdata; /* uncompressed wire form */
};

#define STATE_PRIMARY_MAX 63

/* What a zone's owner keeps beside its data. Times are wall time in seconds since 1970, 0: never. */
struct state_meta {
	int64_t refreshed_at_s; /* the last time a primary said that this is its serial */
	int64_t expires_at_s;
	int64_t retry_at_s;
	uint32_t flags;                      /* the caller's */
	char primary[STATE_PRIMARY_MAX + 1]; /* where the data came from; text, "" where unknown */
};

/* A zone as it is on disk. */
struct state_zone {
	struct state_meta meta;
	bool has_data;            /* false: only `meta` or a note was ever put; the rest is 0 */
	bool has_previous;        /* STATE_PREVIOUS can be loaded */
	uint32_t serial;          /* of STATE_LATEST */
	uint32_t previous_serial; /* of STATE_PREVIOUS */
	uint32_t history_serial;  /* history goes back to here; equals `serial` where there is none */
	uint64_t base_records, base_bytes;
	uint64_t replay_bytes;  /* differences that a load has to apply */
	uint64_t journal_bytes; /* those and older ones, kept for history */
};

/* -------- writing -------- */

/*
 * How a request ended: 0, or -errno with which nothing of the request is on disk:
 *   -ESTALE   the zone on disk does not have the serial that the request starts from
 *   -ENOENT   append or compaction: there is no data of the zone
 *   -EBADMSG  what is on disk of the zone is damaged; replace or drop it
 *   -ENOSPC   the disk or the map is full; the same request may succeed later
 *   -ENOMEM, -EIO and others of the file system; what a source returned
 */
struct state_result {
	int err;
	bool wants_compaction; /* the journal has outgrown the base: state_zone_compact() would shorten the next
				  load */
};

/* Called once for each request that was queued. */
struct state_done {
	void (*fn)(void *arg, const struct state_result *result); /* NULL: nobody wants to know */
	void *arg;
};

/*
 * Where the records of a whole zone come from. next() is called on the writer thread, until it returns 0 (no more)
 * or -errno (give up), each time once for one record (1). It must not block on this state. The source must stay
 * valid until done() is called.
 */
struct state_source {
	int (*next)(void *arg, struct state_record *out);
	void *arg;
};

/*
 * All requests: `apex` is in lower case. 0: queued, done() will be called. -EAGAIN: the queue is full, and there
 * will be room when a request completes; -ENOMEM. With an error nothing was queued and nothing is consumed. Any
 * thread; never blocks on the disk.
 */

/*
 * The zone is now what the source says, with this serial. The journal is dropped. A zone of any size: it is written
 * in many transactions, between which other zones have their turn, and takes effect by the last one alone.
 */
int state_zone_replace(struct state *st, const struct name *apex, uint32_t serial, const struct state_meta *meta,
		       const struct state_source *source, struct state_done done) MUST_CHECK;

/*
 * A whole zone that is written before it is known whether it will be wanted: for data that is being verified.
 *
 *     state_stage_begin() ─> written, unseen ─> state_stage_commit() ─> as a replace: durable, then done()
 *                                         └──> state_stage_free()   ─> deleted bit by bit
 *
 * Until it is committed nobody sees it, and a restart does not find it. It keeps other requests of its zone
 * waiting, so whoever begins one ends it soon, before the state is closed at the latest. The source is the stage's:
 * release() is called once, on any thread, when it is needed no more; next() may be called until then.
 */
struct state_stage;

/* As state_zone_replace(), which it becomes; with an error nothing is consumed. */
int state_stage_begin(struct state *st, const struct name *apex, uint32_t serial, const struct state_source *source,
		      void (*release)(void *arg), struct state_stage **out) MUST_CHECK;

/* It is wanted. Consumes it; done() is called as for all requests, with what went wrong before, too. */
void state_stage_commit(struct state *st, struct state_stage *stage, const struct state_meta *meta,
			struct state_done done);

/* It is not. NULL is allowed. */
void state_stage_free(struct state *st, struct state_stage *stage);

/*
 * Writes the zone anew without changing it, so that loads do not have to apply the journal; the history stays as
 * far as history_percent allows. The source is the version `serial`, which must still be in the history:
 * differences may be appended while a compaction is under way. -ESTALE: the zone was replaced, or the history does
 * not go so far back. Not while a replace of the same zone has been queued and is not done.
 */
int state_zone_compact(struct state *st, const struct name *apex, uint32_t serial,
		       const struct state_source *source, struct state_done done) MUST_CHECK;

/* Differences on their way to state_zone_append(). One thread at a time. */
struct state_changes;

/* NULL: out of memory. */
struct state_changes *state_changes_new(const struct name *apex) MUST_CHECK;

/*
 * Begins a difference. There may be several, each from the serial to which the one before leads. What follows are
 * its records; those that are removed come first (RFC 1995 section 4), and the SOA records are among them. 0,
 * -EINVAL (the one before was not ended, or does not lead here), -ENOMEM.
 */
int state_changes_begin(struct state_changes *c, uint32_t from_serial) MUST_CHECK;

/* Ends it. 0, or -EINVAL: none was begun, or the serials are the same. */
int state_changes_end(struct state_changes *c, uint32_t to_serial) MUST_CHECK;

/* 0, -ENOMEM, -ERANGE (owner out of zone), -EINVAL (no difference was begun, or a removal behind an addition). */
int state_changes_remove(struct state_changes *c, const struct state_record *record) MUST_CHECK;
int state_changes_add(struct state_changes *c, const struct state_record *record) MUST_CHECK;

/* NULL is allowed. */
void state_changes_free(struct state_changes *c);

/*
 * Appends the differences to the zone's journal, all or none; the first starts at the serial on disk (else
 * -ESTALE). Costs what they cost. Consumes `c` if it returns 0. `meta` may be NULL: it stays as it is. -EINVAL:
 * there is no difference, or the last one was not ended.
 */
int state_zone_append(struct state *st, const struct name *apex, const struct state_meta *meta,
		      struct state_changes *c, struct state_done done) MUST_CHECK;

/* Timers and flags alone; also for a zone of which there is no data yet. */
int state_zone_put_meta(struct state *st, const struct name *apex, const struct state_meta *meta,
			struct state_done done) MUST_CHECK;

#define STATE_NOTE_MAX 1024 /* octets */

/*
 * What the caller wants to find again beside the zone, whose octets the state does not look into; also for a zone
 * of which there is nothing else yet. It is copied, and takes the place of the one before; `len` 0: there is none
 * any more. Whatever is written of the zone leaves it alone, but for state_zone_drop(). Also -EMSGSIZE: longer than
 * STATE_NOTE_MAX.
 */
int state_zone_put_note(struct state *st, const struct name *apex, const void *note, size_t len,
			struct state_done done) MUST_CHECK;

/* Forgets the zone and its note, whether it is there, damaged, or not. */
int state_zone_drop(struct state *st, const struct name *apex, struct state_done done) MUST_CHECK;

/*
 * Drops zones that nobody wants any more: queues drops for at most STATE_PRUNE_MAX zones for which wanted() says
 * no, beginning behind `after` (NULL: from the start). Returns how many, with the last zone looked at in *last; or
 * -errno. Fewer than STATE_PRUNE_MAX: all zones were looked at. Any thread; wanted() must not call into st.
 */
#define STATE_PRUNE_MAX 1024
int state_zones_prune(struct state *st, const struct name *after,
		      bool (*wanted)(void *arg, const struct name *apex), void *arg, struct name *last) MUST_CHECK;

/* -------- reading -------- */

/*
 * Any thread but answering ones (it reads from disk); nothing of RCU. Callbacks run inside a read transaction,
 * which keeps pages from being used again and the map from growing: they must not wait for requests of this state,
 * nor call into it, and they should not take longer than building a zone takes.
 */

enum state_version { STATE_LATEST, STATE_PREVIOUS };

/*
 * Takes what is read. A callback that returns other than 0 ends the read, which returns that. What was given before
 * a read failed is not verified as a whole: throw it away.
 */
struct state_sink {
	int (*record)(void *arg, const struct state_record *record);            /* of the base */
	int (*difference)(void *arg, uint32_t from_serial, uint32_t to_serial); /* one begins */
	int (*remove)(void *arg, const struct state_record *record);            /* of it */
	int (*add)(void *arg, const struct state_record *record);               /* of it, behind all removals */
	void *arg;
};

/*
 * Reads a whole zone: the records of its base, then the differences that lead from there to the version. 0, and
 * *zone (may be NULL) tells what it is. -ENOENT: no such zone, or no data of it, or no previous version. -EBADMSG:
 * damaged, `diag` (may be NULL) says where. -ENOMEM; -errno.
 */
int state_zone_load(struct state *st, const struct name *apex, enum state_version version,
		    const struct state_sink *sink, struct state_zone *zone, struct diag_list *diag) MUST_CHECK;

/* What is known of a zone, without its data: 0, -ENOENT, -EBADMSG, -errno. */
int state_zone_get(struct state *st, const struct name *apex, struct state_zone *out) MUST_CHECK;

/*
 * Calls fn for every zone behind `after` (NULL: for all), in the order of the octets of their names; `err` is 0, or
 * -EBADMSG for a zone whose head is damaged, with `zone` NULL. Ends when fn returns other than 0, and returns that.
 */
typedef int state_walk_fn(void *arg, const struct name *apex, int err, const struct state_zone *zone);
int state_zones_walk(struct state *st, const struct name *after, state_walk_fn *fn, void *arg) MUST_CHECK;

/*
 * The same for the notes: calls fn for every zone that has one. `err` is -EBADMSG for one that is damaged, with
 * `note` NULL; it says nothing about the zone's data.
 */
typedef int state_note_fn(void *arg, const struct name *apex, int err, const void *note, size_t len);
int state_notes_walk(struct state *st, const struct name *after, state_note_fn *fn, void *arg) MUST_CHECK;

/*
 * A place in the history of a zone, for IXFR out. Plain data, holds nothing: a peer may take as long as it wants.
 * Its fields belong to state_history_begin() and state_history_next().
 */
struct state_history {
	struct name apex;
	uint64_t epoch, next_seq, end_seq;
	uint32_t serial, end_serial, crc;
};

/*
 * Finds the differences that lead from from_serial to the latest version. 0: *h stands before the first, or at the
 * end where from_serial is the latest. -ENOENT: there are none, send the whole zone. -EBADMSG, -errno. Costs what
 * the way from the latest version back costs.
 */
int state_history_begin(struct state *st, const struct name *apex, uint32_t from_serial,
			struct state_history *h) MUST_CHECK;

/*
 * Gives the next difference to the sink, verified. 1: given; 0: that was all, the peer now has h->end_serial.
 * -ESTALE: gone from the history in the meantime. -EBADMSG, -errno.
 */
int state_history_next(struct state *st, struct state_history *h, const struct state_sink *sink) MUST_CHECK;

#endif
