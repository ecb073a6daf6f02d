/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The writer thread: turns of collect → write → settle.
 *
 * A turn goes through the requests that wait, oldest first. Whole zones give a slice of records each, everything
 * else goes in as it is; then all of it is one transaction. Whole zones that are not at their end stay for further
 * turns, so small changes of other zones wait for a slice at most, never for a zone.
 *
 * When the transaction fails, nothing of it is there. A full map is enlarged and the same transaction made again.
 * For other faults each request is tried by itself: one that is too large for what is left of the disk must not
 * take others with it.
 */
#include <errno.h>
#include <string.h>
#include <sys/statvfs.h>
#include <time.h>

#include "control/state/state_private.h"
#include "zones/base/bytes.h"

#define SWEEP_VALUES_MIN 256
/*
 * In a stream of changes a transaction costs more than the changes in it. So behind a turn that had several
 * requests the next one begins no sooner than so long after it began. A change that comes alone is written at once.
 */
#define STREAM_TURN_NS 5000000
#define STREAM_REQUESTS 4

/* What is in the transaction of this turn. */
struct turn {
	struct state_queue requests;
	unsigned n;
	uint64_t fresh_bytes; /* of requests that began in this turn */
};

/* -------- collecting -------- */

/* From here on later requests for the zone wait. */
static void
list_begun(struct state *st, struct state_request *r)
{
	struct state_request **end = &st->begun;
	while (*end)
		end = &(*end)->other;
	*end = r;
	r->other = NULL;
	r->is_listed = true;
	st->n_begun++;
}

static void
forget_begun(struct state *st, struct state_request *r)
{
	for (struct state_request **at = &st->begun; *at; at = &(*at)->other) {
		if (*at == r) {
			*at = r->other;
			st->n_begun--;
			return;
		}
	}
}

/* True when a whole zone that began before r must be there first. */
static bool
is_blocked(const struct state *st, const struct state_request *r)
{
	for (const struct state_request *b = st->begun; b && b != r; b = b->other) {
		if (b->kind == STATE_REPLACE && b->apex.len == r->apex.len &&
		    memcmp(b->apex.bytes, r->apex.bytes, r->apex.len) == 0)
			return true;
	}
	return false;
}

/* Gives the slice's values their places in the chain. */
static void
seal_slice(struct state_request *r)
{
	uint64_t seq = r->chunks_written;
	r->slice_crc = r->crc;
	for (struct state_value *v = r->slice.first; v; v = v->next, seq++) {
		struct state_key key;
		state_key_place(&r->apex, STATE_BASE, r->generation, seq, &key);
		r->slice_crc = state_value_seal(&key, v->bytes, v->len, r->slice_crc, 0);
	}
}

/* Asks the source for records, `limit` octets or a little more. */
static int
read_slice(struct state *st, struct state_request *r, uint64_t limit)
{
	struct state_record record;
	if (!r->generation)
		r->generation = st->next_generation++;
	while (!r->is_read && r->slice.bytes < limit) {
		int n = r->source.next(r->source.arg, &record);
		if (n == 1)
			n = state_records_put(&r->slice, true, &record);
		else if (n == 0)
			r->is_read = true;
		if (n < 0)
			return n;
	}
	if (r->is_read)
		state_request_release(r);
	seal_slice(r);
	return 0;
}

static bool
is_whole_zone(const struct state_request *r)
{
	return r->kind == STATE_REPLACE || r->kind == STATE_COMPACT;
}

/* Looks at what is wanted of a stage: one that is not wanted ends with an error, like one that has failed. */
static void
ask_for_wish(struct state *st, struct state_request *r)
{
	pthread_mutex_lock(&st->mutex);
	enum state_stage_wish wish = r->wish;
	pthread_mutex_unlock(&st->mutex);
	if (wish == STAGE_DROP && !r->source_err)
		r->source_err = -ECANCELED;
	r->is_wanted = wish != STAGE_OPEN;
}

static void
take_whole_zone(struct state *st, struct state_request *r)
{
	uint64_t limit = r->is_begun ? STATE_SLICE_BYTES / st->n_begun : STATE_SLICE_BYTES / 4;
	if (r->is_stage)
		ask_for_wish(st, r);
	if (!r->source_err)
		r->source_err = read_slice(st, r, limit);
	r->is_final = r->is_read && (!r->is_stage || r->is_wanted);
	if (!r->is_final && !r->is_listed)
		list_begun(st, r);
}

/* Puts r into the turn. A request whose source gives up is in it too, with its error. */
static void
take(struct state *st, struct turn *turn, struct state_request *r)
{
	r->result = (struct state_result){0};
	if (is_whole_zone(r))
		take_whole_zone(st, r);
	if (!r->is_begun)
		turn->fresh_bytes += is_whole_zone(r) ? r->slice.bytes : r->queue_bytes;
	state_queue_put(&turn->requests, r);
	turn->n++;
}

/* Moves what this turn does from the waiting requests to the turn. */
static void
collect(struct state *st, struct turn *turn)
{
	struct state_request *r = st->waiting.first;
	state_queue_init(&st->waiting);
	while (r) {
		struct state_request *next = r->next;
		if (is_blocked(st, r))
			state_queue_put(&st->blocked, r);
		else if (turn->fresh_bytes >= STATE_SLICE_BYTES && !r->is_begun)
			state_queue_put(&st->waiting, r);
		else
			take(st, turn, r);
		r = next;
	}
}

/* -------- writing -------- */

static int
put_generation(struct state *st, MDB_txn *txn)
{
	struct state_key key = {.len = 1, .bytes = "g"};
	uint8_t bytes[STATE_VALUE_HEADER + 8];
	store_be64(bytes + STATE_VALUE_HEADER, st->next_generation);
	state_value_seal(&key, bytes, sizeof(bytes), 0, 0);
	MDB_val k = {key.len, key.bytes}, v = {sizeof(bytes), bytes};
	return mdb_put(txn, st->info, &k, &v, 0);
}

/* All requests, the sweep and the counter. LMDB's errors. */
static int
fill_transaction(struct state *st, MDB_txn *txn, struct state_request *first, unsigned n, bool *left)
{
	struct state_request *r = first;
	for (unsigned i = 0; i < n; i++, r = r->next) {
		int rc = r->source_err ? r->source_err : state_apply(st, txn, r);
		if (rc > 0 || rc <= MDB_LAST_ERRCODE)
			return rc;
		r->result.err = rc;
	}
	int rc = state_garbage_sweep(st, txn, SWEEP_VALUES_MIN + 4 * n, left);
	return rc ? rc : put_generation(st, txn);
}

/* A transaction with n requests from `first` on; 0 or what LMDB said. */
static int
transact(struct state *st, struct state_request *first, unsigned n)
{
	MDB_txn *txn;
	bool left = false;
	int rc = mdb_txn_begin(st->env, NULL, 0, &txn);
	if (rc)
		return rc;
	rc = fill_transaction(st, txn, first, n, &left);
	if (rc)
		mdb_txn_abort(txn);
	else
		rc = mdb_txn_commit(txn);
	if (!rc)
		st->has_garbage = left;
	return rc;
}

/* Doubles the map. False: it is as large as it may be. */
static bool
grow(struct state *st)
{
	uint64_t bytes = st->map_bytes * 2;
	if (bytes > st->options.map_bytes_max)
		bytes = st->options.map_bytes_max;
	if (bytes <= st->map_bytes)
		return false;
	pthread_rwlock_wrlock(&st->map_lock);
	int rc = mdb_env_set_mapsize(st->env, bytes);
	pthread_rwlock_unlock(&st->map_lock);
	if (rc)
		return false;
	pthread_mutex_lock(&st->mutex);
	st->map_bytes = bytes;
	st->stats.growths++;
	pthread_mutex_unlock(&st->mutex);
	return true;
}

/* After a fault while writing its roots, LMDB does nothing more until the environment is opened anew. */
static int
reopen(struct state *st)
{
	pthread_rwlock_wrlock(&st->map_lock);
	state_env_close(st);
	int err = state_env_open(st);
	pthread_rwlock_unlock(&st->map_lock);
	return err;
}

/* LMDB says EIO for a write that ended early, which is how a file system often says that it is full. */
static bool
is_disk_full(const struct state *st)
{
	struct statvfs fs;
	return fstatvfs(st->dir_fd, &fs) == 0 && (uint64_t)fs.f_bavail * fs.f_frsize < STATE_SLICE_BYTES;
}

/* As transact(), with room made where that helps. 0 or -errno. */
static int
write_requests(struct state *st, struct state_request *first, unsigned n)
{
	int rc;
	if (!st->env && reopen(st))
		return -EIO;
	while ((rc = transact(st, first, n)) == MDB_MAP_FULL && grow(st))
		;
	if (rc == MDB_PANIC && reopen(st))
		return -EIO;
	return rc == EIO && is_disk_full(st) ? -ENOSPC : state_error(rc);
}

/* -------- settling -------- */

static void
complete(struct state *st, struct state_request *r)
{
	if (r->is_listed) {
		forget_begun(st, r);
		st->may_unblock = true;
	}
	if (r->result.err && r->is_begun)
		st->has_garbage = true; /* what was written of it */
	pthread_mutex_lock(&st->mutex);
	st->stats.queue_bytes -= r->queue_bytes;
	st->stats.queue_requests--;
	st->stats.completed++;
	st->stats.failed += r->result.err != 0;
	state_queue_put(&st->completed, r);
	pthread_mutex_unlock(&st->mutex);
}

/* The slice is on disk and there is more to come. */
static void
go_on(struct state *st, struct state_request *r)
{
	r->chunks_written += r->slice.n_values;
	r->records += r->slice.n_records;
	r->bytes += r->slice.bytes;
	r->crc = r->slice_crc;
	state_records_free(&r->slice);
	state_records_init(&r->slice, &r->apex, STATE_VALUE_HEADER);
	r->is_begun = true;
}

/* A stage that has nothing more to do before there is a wish for it. False: there is one. */
static bool
park(struct state *st, struct state_request *r)
{
	pthread_mutex_lock(&st->mutex);
	r->is_parked = r->wish == STAGE_OPEN;
	bool is_parked = r->is_parked;
	pthread_mutex_unlock(&st->mutex);
	return is_parked;
}

/* The turn is over for a stage: further turns, or the end. */
static void
settle_stage(struct state *st, struct state_request *r, struct state_queue *again)
{
	bool is_over = r->is_wanted && (r->is_final || r->result.err);
	if (is_over) {
		complete(st, r);
		return;
	}
	r->source_err = r->result.err;
	if (r->source_err) {
		state_request_release(r);
		state_records_free(&r->slice);
	} else {
		go_on(st, r);
	}
	if ((!r->is_read && !r->source_err) || !park(st, r))
		state_queue_put(again, r);
}

/* The turn is over for r: done, or back to those that wait. Those that go on are older than all that do not. */
static void
settle(struct state *st, struct state_request *r, struct state_queue *again)
{
	if (r->is_stage) {
		settle_stage(st, r, again);
	} else if (r->result.err || !is_whole_zone(r) || r->is_final) {
		complete(st, r);
	} else {
		go_on(st, r);
		state_queue_put(again, r);
	}
}

static void
note_figures(struct state *st)
{
	MDB_envinfo info;
	MDB_stat stat;
	if (!st->env || mdb_env_info(st->env, &info) || mdb_env_stat(st->env, &stat))
		return;
	pthread_mutex_lock(&st->mutex);
	st->stats.commits++;
	st->stats.map_bytes = info.me_mapsize;
	st->stats.used_bytes = (info.me_last_pgno + 1) * stat.ms_psize;
	pthread_mutex_unlock(&st->mutex);
}

static void
write_turn(struct state *st, struct turn *turn)
{
	struct state_request *r = turn->requests.first;
	int err = write_requests(st, r, turn->n);
	note_figures(st);
	if (!err)
		return;
	if (turn->n == 0)
		st->has_garbage = false; /* tried again when something else is written */
	for (; r; r = r->next) {
		int own = turn->n > 1 ? write_requests(st, r, 1) : err;
		if (own)
			r->result.err = own;
		note_figures(st);
	}
}

static void
tell(struct state *st)
{
	pthread_mutex_lock(&st->mutex);
	bool nothing = !st->completed.first;
	pthread_mutex_unlock(&st->mutex);
	if (nothing)
		return;
	if (st->options.wake)
		st->options.wake(st->options.wake_arg);
	else
		state_deliver(st);
}

static uint64_t
now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* Moves all of `first` to the front of `q`. */
static void
put_before(struct state_queue *q, struct state_queue *first)
{
	if (!first->first)
		return;
	*first->last = q->first;
	if (!q->first)
		q->last = first->last;
	q->first = first->first;
	state_queue_init(first);
}

static void
turn_run(struct state *st)
{
	struct turn turn = {0};
	struct state_queue again;
	state_queue_init(&turn.requests);
	state_queue_init(&again);
	st->turn_began_ns = now_ns();
	collect(st, &turn);
	st->turn_requests = turn.n;
	write_turn(st, &turn);
	for (struct state_request *r = turn.requests.first; r;) {
		struct state_request *next = r->next;
		settle(st, r, &again);
		r = next;
	}
	if (st->may_unblock)
		put_before(&st->waiting, &st->blocked);
	st->may_unblock = false;
	put_before(&st->waiting, &again);
	tell(st);
}

/* In a stream: gives others the time to come along. The mutex is held, but not while it sleeps. */
static void
wait_for_others(struct state *st)
{
	uint64_t passed_ns = now_ns() - st->turn_began_ns;
	if (st->turn_requests < STREAM_REQUESTS || st->waiting.first || st->stopping || passed_ns >= STREAM_TURN_NS)
		return;
	struct timespec left = {.tv_nsec = (long)(STREAM_TURN_NS - passed_ns)};
	pthread_mutex_unlock(&st->mutex);
	nanosleep(&left, NULL);
	pthread_mutex_lock(&st->mutex);
}

/* Waits for work; takes what was queued. False: the end. What is left of garbage is the next start's. */
static bool
wait_for_work(struct state *st)
{
	pthread_mutex_lock(&st->mutex);
	while (!st->queued.first && !st->waiting.first && !st->has_garbage && !st->stopping)
		pthread_cond_wait(&st->work, &st->mutex);
	if (st->queued.first) {
		wait_for_others(st);
		*st->waiting.last = st->queued.first;
		st->waiting.last = st->queued.last;
		state_queue_init(&st->queued);
	}
	bool go = st->waiting.first || !st->stopping;
	pthread_mutex_unlock(&st->mutex);
	return go;
}

void
state_writer_run(void *arg)
{
	struct state *st = arg;
	while (wait_for_work(st))
		turn_run(st);
}
