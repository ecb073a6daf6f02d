/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A state whose pages are damaged, before LMDB sees it.
 *
 *     state.mdb ──check──> fine
 *                   └────> damaged ──values that are whole──> state.mdb.new ──> state.mdb
 *                                                 the file as it was ──> state.mdb.damaged-TIME
 *
 * Values speak for their zone and place, so those that are found can be put where they belong, whatever led to
 * them; what a zone has lost shows when it is loaded, as any damage does. Opening thread.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "control/state/state_pages.h"
#include "control/state/state_private.h"

#define FILE_MODE 0640
#define GARBAGE_KEY_LEN 9

struct salvage {
	struct pages *pages;
	MDB_txn *txn;
	MDB_dbi zones, garbage, info;
	uint64_t n;
};

/* The table that a node belongs to by its key; NULL: it is none of ours, or not whole. */
static const MDB_dbi *
table_of(const struct salvage *s, const struct pages_node *node)
{
	struct state_key key = {.len = node->key_len};
	struct state_place place;
	struct state_header header;
	if (node->key_len == 0 || node->key_len > sizeof(key.bytes))
		return NULL;
	memcpy(key.bytes, node->key, node->key_len);
	bool is_place = state_key_parse(key.bytes, key.len, &place) == 0;
	if (is_place && place.kind == STATE_HEAD)
		return &s->zones; /* whole or not: a head that is not tells that the zone was here */
	if (state_value_check(&key, node->value, node->value_len, &header))
		return NULL;
	if (is_place)
		return &s->zones;
	return key.len == GARBAGE_KEY_LEN ? &s->garbage : &s->info;
}

static int
save_node(struct salvage *s, const struct pages_node *node)
{
	const MDB_dbi *table = table_of(s, node);
	if (!table)
		return 0;
	MDB_val k = {node->key_len, (void *)(uintptr_t)node->key},
		v = {node->value_len, (void *)(uintptr_t)node->value};
	int rc = mdb_put(s->txn, *table, &k, &v, MDB_NOOVERWRITE);
	s->n += rc == 0;
	return rc == MDB_KEYEXIST ? 0 : rc;
}

/* Where it is known what is free, all else is looked at; it may be that nothing leads there any more. */
static int
save_pages(struct salvage *s)
{
	const struct pages *p = s->pages;
	struct pages_node node;
	uint64_t end = p->last + 1 < p->n ? p->last + 1 : p->n;
	for (uint64_t page = 2; page < end; page++) {
		if (p->marks[page] == PAGES_FREE || (!p->is_free_known && p->marks[page] != PAGES_USED))
			continue;
		unsigned n = pages_leaf_nodes(p, page);
		for (unsigned i = 0; i < n; i++) {
			int rc = pages_leaf_node(p, page, i, &node) ? save_node(s, &node) : 0;
			if (rc)
				return rc;
		}
	}
	return 0;
}

static int
save_all(struct salvage *s, MDB_env *env)
{
	int rc = mdb_txn_begin(env, NULL, 0, &s->txn);
	if (rc)
		return rc;
	if (!(rc = mdb_dbi_open(s->txn, "zones", MDB_CREATE, &s->zones)) &&
	    !(rc = mdb_dbi_open(s->txn, "garbage", MDB_CREATE, &s->garbage)) &&
	    !(rc = mdb_dbi_open(s->txn, "info", MDB_CREATE, &s->info)))
		rc = save_pages(s);
	if (rc) {
		mdb_txn_abort(s->txn);
		return rc;
	}
	return mdb_txn_commit(s->txn);
}

/* Writes a new file. LMDB's errors. */
static int
write_anew(struct salvage *s, const char *path)
{
	MDB_env *env;
	int rc = mdb_env_create(&env);
	if (rc)
		return rc;
	if (!(rc = mdb_env_set_maxdbs(env, 3)) &&
	    !(rc = mdb_env_set_mapsize(env, 2 * s->pages->len + (16u << 20))) &&
	    !(rc = mdb_env_open(env, path, MDB_NOSUBDIR | MDB_NOTLS | MDB_NOSYNC, FILE_MODE)) &&
	    !(rc = save_all(s, env)))
		rc = mdb_env_sync(env, 1);
	mdb_env_close(env);
	return rc;
}

/* What the new file is called until it is whole, its lock, and what the old one is called then. */
struct names {
	char *fresh, *lock, *damaged;
};

static int
exchange(const struct state *st, const struct names *names)
{
	if (rename(st->path, names->damaged) || rename(names->fresh, st->path) || fsync(st->dir_fd))
		return -errno;
	return 0;
}

static int
mend(struct state *st, struct pages *p, const struct names *names, struct diag_list *diag)
{
	struct salvage s = {.pages = p};
	unlink(names->fresh);
	int err = state_error(write_anew(&s, names->fresh));
	unlink(names->lock);
	if (!err)
		err = exchange(st, names);
	if (err) {
		diag_add(diag, DIAG_ERROR, st->path, 0, 0,
			 "the file is damaged (%s), and cannot be written anew: %s", p->why, strerror(-err));
		unlink(names->fresh);
		return err;
	}
	diag_add(diag, DIAG_WARNING, st->path, 0, 0,
		 "the file was damaged (%s); it is written anew with the %llu values that were whole, and kept as "
		 "%s",
		 p->why, (unsigned long long)s.n, names->damaged);
	return 0;
}

int
state_file_mend(struct state *st, struct diag_list *diag)
{
	struct pages p;
	struct names names = {0};
	int err = pages_open(st->path, &p);
	if (err)
		return err == -ENOENT || err == -ENOTSUP ? 0 : err;
	err = pages_check(&p);
	if (err == -EBADMSG) {
		bool ok = asprintf(&names.fresh, "%s.new", st->path) >= 0 &&
			  asprintf(&names.lock, "%s.new-lock", st->path) >= 0 &&
			  asprintf(&names.damaged, "%s.damaged-%lld", st->path, (long long)time(NULL)) >= 0;
		err = ok ? mend(st, &p, &names, diag) : -ENOMEM;
		free(names.fresh);
		free(names.lock);
		free(names.damaged);
	}
	pages_close(&p);
	return err;
}
