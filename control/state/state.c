/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The state as a whole: opening, closing, figures, and the queue of requests. See state.h.
 *
 * One mutex guards the queue, the completed requests and the figures; it is held for a few instructions, never over
 * anything that touches the disk.
 */
#include "control/state/state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/state/state_private.h"
#include "zones/base/alloc.h"
#include "zones/base/bytes.h"

#define STATE_FILE "state.mdb"
#define STATE_READERS_MAX 512
#define STATE_FILE_MODE 0640
#define STATE_MAP_MIN (1u << 20)

int
state_error(int lmdb_error)
{
	switch (lmdb_error) {
	case MDB_MAP_FULL:
		return -ENOSPC;
	case MDB_NOTFOUND:
		return -ENOENT;
	case MDB_READERS_FULL:
		return -EAGAIN;
	case MDB_CORRUPTED:
	case MDB_BAD_TXN: /* the transaction has met damage before */
	case MDB_PAGE_NOTFOUND:
	case MDB_INVALID:
	case MDB_VERSION_MISMATCH:
	case MDB_INCOMPATIBLE:
		return -EBADMSG;
	default:
		return lmdb_error >= 0 ? -lmdb_error : -EIO;
	}
}

void
state_options_default(struct state_options *options)
{
	*options = (struct state_options){
		.map_bytes = UINT64_C(1) << 30,
		.map_bytes_max = UINT64_C(1) << 40,
		.queue_bytes_max = UINT64_C(64) << 20,
		.compact_percent = 100,
		.history_percent = 100,
		.keep_previous = true,
	};
}

/* -------- the environment -------- */

/*
 * A file that somebody cut would end the process with SIGBUS where it reads behind the end. Made as long as LMDB
 * thinks it is, it reads as zeros there, and those values show as damaged.
 */
static int
mend_length(struct state *st)
{
	MDB_envinfo info;
	MDB_stat stat;
	struct stat file;
	int fd;
	if (mdb_env_info(st->env, &info) || mdb_env_stat(st->env, &stat) || mdb_env_get_fd(st->env, &fd) ||
	    fstat(fd, &file))
		return -EIO;
	off_t needed = (off_t)((info.me_last_pgno + 1) * stat.ms_psize);
	if (file.st_size < needed && ftruncate(fd, needed))
		return -errno;
	st->map_bytes = info.me_mapsize;
	return 0;
}

static int
open_tables(struct state *st)
{
	MDB_txn *txn;
	int rc = mdb_txn_begin(st->env, NULL, 0, &txn);
	if (rc)
		return state_error(rc);
	if ((rc = mdb_dbi_open(txn, "zones", MDB_CREATE, &st->zones)) ||
	    (rc = mdb_dbi_open(txn, "garbage", MDB_CREATE, &st->garbage)) ||
	    (rc = mdb_dbi_open(txn, "info", MDB_CREATE, &st->info))) {
		mdb_txn_abort(txn);
		return state_error(rc);
	}
	return state_error(mdb_txn_commit(txn));
}

int
state_env_open(struct state *st)
{
	int dead, rc = mdb_env_create(&st->env);
	if (rc)
		return state_error(rc);
	if ((rc = mdb_env_set_maxdbs(st->env, 3)) || (rc = mdb_env_set_maxreaders(st->env, STATE_READERS_MAX)) ||
	    (rc = mdb_env_set_mapsize(st->env, st->map_bytes)) ||
	    (rc = mdb_env_open(st->env, st->path, MDB_NOSUBDIR | MDB_NOTLS, STATE_FILE_MODE)) ||
	    (rc = mdb_reader_check(st->env, &dead))) {
		state_env_close(st);
		return state_error(rc);
	}
	int err = mend_length(st);
	if (!err)
		err = open_tables(st);
	if (err)
		state_env_close(st);
	return err;
}

void
state_env_close(struct state *st)
{
	if (st->env)
		mdb_env_close(st->env);
	st->env = NULL;
}

/* -------- opening -------- */

static int
open_directory(struct state *st, struct diag_list *diag)
{
	const char *dir = st->options.dir;
	static const char file[] = "/" STATE_FILE;
	size_t len = strlen(dir);
	st->path = malloc(len + sizeof(file));
	if (!st->path)
		return -ENOMEM;
	memcpy(st->path, dir, len);
	memcpy(st->path + len, file, sizeof(file));
	st->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (st->dir_fd < 0) {
		int err = -errno;
		diag_add(diag, DIAG_ERROR, dir, 0, 0, "cannot open the state directory: %s", strerror(-err));
		return err;
	}
	if (flock(st->dir_fd, LOCK_EX | LOCK_NB)) {
		diag_add(diag, DIAG_ERROR, dir, 0, 0, "another process uses this state directory");
		return -EBUSY;
	}
	return 0;
}

/* The number behind all that are in use, the hard way. */
static int
scan_generations(struct state *st, MDB_txn *txn)
{
	MDB_cursor *cursor;
	MDB_val key, value;
	int rc = mdb_cursor_open(txn, st->zones, &cursor);
	if (rc)
		return state_error(rc);
	while ((rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == 0) {
		struct state_place place;
		if (!state_key_parse(key.mv_data, key.mv_size, &place) && place.generation >= st->next_generation)
			st->next_generation = place.generation + 1;
	}
	mdb_cursor_close(cursor);
	return rc == MDB_NOTFOUND ? 0 : state_error(rc);
}

/*
 * A generation's number must never come twice: old values would look like new ones. So where the counter is
 * damaged, or missing beside data, the data itself is asked.
 */
static int
read_generation(struct state *st, struct diag_list *diag)
{
	struct state_reading rd;
	const uint8_t *bytes;
	size_t len;
	struct state_header header;
	struct state_key key = {.len = 1, .bytes = "g"};
	int err = state_reading_begin(st, &rd);
	if (err)
		return err;
	st->next_generation = 1;
	err = state_get(rd.txn, st->info, &key, &bytes, &len, &header);
	if (err == 0 && len == STATE_VALUE_HEADER + 8) {
		st->next_generation = load_be64(bytes + STATE_VALUE_HEADER);
	} else if (err == 0 || err == -EBADMSG || err == -ENOENT) {
		if (err != -ENOENT)
			diag_add(diag, DIAG_WARNING, st->path, 0, 0, "the counter of generations is damaged");
		err = scan_generations(st, rd.txn);
	}
	state_reading_end(&rd);
	return err;
}

static int
open_data(struct state *st, struct diag_list *diag)
{
	int err = state_file_mend(st, diag);
	if (!err)
		err = state_env_open(st);
	if (!err && fsync(st->dir_fd)) /* so that a new file is found again */
		err = -errno;
	if (!err)
		err = read_generation(st, diag);
	if (err)
		diag_add(diag, DIAG_ERROR, st->path, 0, 0, "cannot open the state: %s",
			 err == -EBADMSG ? "the file is damaged, or is no state" : strerror(-err));
	return err;
}

static void
state_free(struct state *st)
{
	state_env_close(st);
	if (st->dir_fd >= 0)
		close(st->dir_fd);
	pthread_cond_destroy(&st->work);
	pthread_mutex_destroy(&st->mutex);
	pthread_rwlock_destroy(&st->map_lock);
	free(st->path);
	free(st);
}

/* Readers come all the time: without this, growing the map might never have its turn. */
static void
init_map_lock(pthread_rwlock_t *lock)
{
	pthread_rwlockattr_t attr;
	pthread_rwlockattr_init(&attr);
	pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	pthread_rwlock_init(lock, &attr);
	pthread_rwlockattr_destroy(&attr);
}

int
state_open(const struct state_options *options, struct diag_list *diag, struct state **out)
{
	struct state *st = calloc(1, sizeof(*st));
	if (!st)
		return -ENOMEM;
	st->options = *options;
	st->dir_fd = -1;
	st->map_bytes = options->map_bytes < STATE_MAP_MIN ? STATE_MAP_MIN : options->map_bytes;
	init_map_lock(&st->map_lock);
	pthread_mutex_init(&st->mutex, NULL);
	pthread_cond_init(&st->work, NULL);
	state_queue_init(&st->queued);
	state_queue_init(&st->waiting);
	state_queue_init(&st->blocked);
	state_queue_init(&st->completed);
	st->has_garbage = true; /* nobody knows before the first look */
	int err = open_directory(st, diag);
	if (!err)
		err = open_data(st, diag);
	if (!err)
		err = thread_start(&st->writer, "anser-state", THREAD_CPU_ANY, THREAD_RCU_NONE, state_writer_run,
				   st);
	if (err) {
		state_free(st);
		return err;
	}
	*out = st;
	return 0;
}

void
state_close(struct state *st)
{
	if (!st)
		return;
	pthread_mutex_lock(&st->mutex);
	st->stopping = true;
	pthread_cond_signal(&st->work);
	pthread_mutex_unlock(&st->mutex);
	thread_join(&st->writer);
	state_deliver(st);
	state_free(st);
}

void
state_stats(struct state *st, struct state_stats *out)
{
	pthread_mutex_lock(&st->mutex);
	*out = st->stats;
	pthread_mutex_unlock(&st->mutex);
}

/* -------- requests -------- */

void
state_queue_init(struct state_queue *q)
{
	q->first = NULL;
	q->last = &q->first;
}

void
state_queue_put(struct state_queue *q, struct state_request *r)
{
	r->next = NULL;
	*q->last = r;
	q->last = &r->next;
}

void
state_request_release(struct state_request *r)
{
	if (r->release)
		r->release(r->source.arg);
	r->release = NULL;
}

void
state_request_free(struct state_request *r)
{
	state_request_release(r);
	state_records_free(&r->slice);
	state_changes_free(r->changes);
	state_values_free(r->note);
	zalloc_free(r, sizeof(*r));
}

struct state_request *
state_request_new(enum state_request_kind kind, const struct name *apex, const struct state_meta *meta,
		  struct state_done done)
{
	struct state_request *r = zalloc(sizeof(*r), 0);
	if (!r)
		return NULL;
	*r = (struct state_request){
		.kind = kind,
		.apex = *apex,
		.done = done,
		.has_meta = meta != NULL,
		.queue_bytes = sizeof(*r),
	};
	if (meta)
		r->meta = *meta;
	state_records_init(&r->slice, apex, STATE_VALUE_HEADER);
	return r;
}

/* Hands the request over; frees it where there is no room. A request larger than the whole queue goes in alone. */
int
state_request_queue(struct state *st, struct state_request *r)
{
	pthread_mutex_lock(&st->mutex);
	bool fits =
		!st->stats.queue_requests || st->stats.queue_bytes + r->queue_bytes <= st->options.queue_bytes_max;
	if (fits) {
		state_queue_put(&st->queued, r);
		st->stats.queue_bytes += r->queue_bytes;
		st->stats.queue_requests++;
		pthread_cond_signal(&st->work);
	}
	pthread_mutex_unlock(&st->mutex);
	if (fits)
		return 0;
	r->changes = NULL; /* still the caller's, */
	r->release = NULL; /* and so is a source */
	state_request_free(r);
	return -EAGAIN;
}

int
state_zone_replace(struct state *st, const struct name *apex, uint32_t serial, const struct state_meta *meta,
		   const struct state_source *source, struct state_done done)
{
	struct state_request *r = state_request_new(STATE_REPLACE, apex, meta, done);
	if (!r)
		return -ENOMEM;
	r->serial = serial;
	r->source = *source;
	return state_request_queue(st, r);
}

int
state_zone_compact(struct state *st, const struct name *apex, uint32_t serial, const struct state_source *source,
		   struct state_done done)
{
	struct state_request *r = state_request_new(STATE_COMPACT, apex, NULL, done);
	if (!r)
		return -ENOMEM;
	r->serial = serial;
	r->source = *source;
	return state_request_queue(st, r);
}

int
state_zone_append(struct state *st, const struct name *apex, const struct state_meta *meta, struct state_changes *c,
		  struct state_done done)
{
	if (!c->n || c->is_open)
		return -EINVAL;
	struct state_request *r = state_request_new(STATE_APPEND, apex, meta, done);
	if (!r)
		return -ENOMEM;
	state_changes_number(c);
	r->changes = c;
	r->queue_bytes += c->records.bytes;
	return state_request_queue(st, r);
}

int
state_zone_put_meta(struct state *st, const struct name *apex, const struct state_meta *meta,
		    struct state_done done)
{
	struct state_request *r = state_request_new(STATE_PUT_META, apex, meta, done);
	return r ? state_request_queue(st, r) : -ENOMEM;
}

int
state_zone_put_note(struct state *st, const struct name *apex, const void *note, size_t len, struct state_done done)
{
	uint32_t value_len = (uint32_t)(STATE_VALUE_HEADER + len);
	struct state_key key;
	if (len > STATE_NOTE_MAX)
		return -EMSGSIZE;
	struct state_request *r = state_request_new(STATE_PUT_NOTE, apex, NULL, done);
	if (r && len)
		r->note = state_value_new(value_len, value_len);
	if (!r || (len && !r->note)) {
		if (r)
			state_request_free(r);
		return -ENOMEM;
	}
	if (len) {
		memcpy(r->note->bytes + STATE_VALUE_HEADER, note, len);
		state_key_kind(apex, STATE_NOTE, &key);
		state_value_seal(&key, r->note->bytes, value_len, 0, 0);
		r->queue_bytes += sizeof(*r->note) + value_len;
	}
	return state_request_queue(st, r);
}

int
state_zone_drop(struct state *st, const struct name *apex, struct state_done done)
{
	struct state_request *r = state_request_new(STATE_DROP, apex, NULL, done);
	return r ? state_request_queue(st, r) : -ENOMEM;
}

static void
finish(struct state_request *r)
{
	if (r->done.fn)
		r->done.fn(r->done.arg, &r->result);
	state_request_free(r);
}

void
state_deliver(struct state *st)
{
	pthread_mutex_lock(&st->mutex);
	struct state_request *r = st->completed.first;
	state_queue_init(&st->completed);
	pthread_mutex_unlock(&st->mutex);
	while (r) {
		struct state_request *next = r->next;
		finish(r);
		r = next;
	}
}
