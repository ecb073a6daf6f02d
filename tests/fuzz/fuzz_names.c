/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzzer of the names table against a sorted array that is copied whole at each version.
 *
 * The first octet picks how hashes are made (from well spread to all alike) and how much room is made first; then
 * each step takes three octets: what to do, and to which name. Two older versions stay alive and are compared again
 * after each commit. Also meant to be linked with a main() that replays a corpus.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "zones/base/alloc.h"
#include "zones/store/names.h"

#define NAMES 1024
#define GENERATIONS 2
#define VERSIONS 3

struct entry {
	struct names_entry head;
	uint8_t name[4];
	uint16_t id;
};

/* The naive table: entries in the order of their ids. */
struct model {
	const struct entry *at[NAMES];
	unsigned n;
};

struct version {
	struct names table;
	struct garbage garbage; /* what its successor replaced of it */
	struct model model;
};

static struct entry entries[GENERATIONS][NAMES];

#define CHECK(x)                                                                                                   \
	do {                                                                                                       \
		if (!(x))                                                                                          \
			abort();                                                                                   \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t
hash_of(unsigned id, uint8_t way)
{
	static const uint64_t keep[8] = {
		~UINT64_C(0),                           /* all of it */
		~(UINT64_C(0xffff) << NAMES_TAG_SHIFT), /* one tag */
		~(UINT64_C(15) << NAMES_BUCKET_SHIFT),  /* one home bucket */
		~UINT64_C(0x3ff),                       /* a directory deeper than one chunk */
		~UINT64_C(0xffffff),                    /* close to its deepest */
		UINT64_C(0x0007000000000003),           /* few hashes for many names */
		UINT64_C(0x00000f000000000f),
		0, /* one hash */
	};
	uint64_t x = (id + 1) * UINT64_C(0x9e3779b97f4a7c15);
	x ^= x >> 29;
	x *= UINT64_C(0xbf58476d1ce4e5b9);
	x ^= x >> 32;
	return x & keep[way % 8];
}

static void
entries_init(uint8_t way)
{
	for (unsigned g = 0; g < GENERATIONS; g++) {
		for (unsigned id = 0; id < NAMES; id++) {
			struct entry *e = &entries[g][id];
			e->head = (struct names_entry){
				.hash = hash_of(id, way), .name_off = offsetof(struct entry, name), .name_len = 4};
			e->name[0] = 2;
			e->name[1] = (uint8_t)(id >> 8);
			e->name[2] = (uint8_t)id;
			e->name[3] = 0;
			e->id = (uint16_t)id;
		}
	}
}

/* Where this id is, or would be. */
static unsigned
model_seek(const struct model *m, unsigned id)
{
	unsigned low = 0, high = m->n;
	while (low < high) {
		unsigned middle = (low + high) / 2;
		if (m->at[middle]->id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static const struct entry *
model_find(const struct model *m, unsigned id)
{
	unsigned i = model_seek(m, id);
	return i < m->n && m->at[i]->id == id ? m->at[i] : NULL;
}

static void
model_put(struct model *m, const struct entry *e)
{
	unsigned i = model_seek(m, e->id);
	if (i == m->n || m->at[i]->id != e->id) {
		memmove(&m->at[i + 1], &m->at[i], (m->n - i) * sizeof(m->at[0]));
		m->n++;
	}
	m->at[i] = e;
}

static void
model_remove(struct model *m, unsigned id)
{
	unsigned i = model_seek(m, id);
	if (i == m->n || m->at[i]->id != id)
		return;
	m->n--;
	memmove(&m->at[i], &m->at[i + 1], (m->n - i) * sizeof(m->at[0]));
}

static const struct entry *
as_entry(const struct names_entry *e)
{
	return (const struct entry *)e;
}

/* -ENOSPC is right only where 128 other names agree with this one in the directory's 26 bits. */
static bool
model_may_refuse(const struct model *m, const struct entry *e)
{
	unsigned alike = 0;
	for (unsigned i = 0; i < m->n; i++)
		alike += ((m->at[i]->head.hash ^ e->head.hash) & ((1u << 26) - 1)) == 0;
	return alike >= 128;
}

static void
step_put(struct names_txn *txn, struct model *m, const struct entry *e)
{
	const struct names_entry *was = NULL;
	int rc = names_txn_put(txn, &e->head, &was);
	if (rc == -ENOSPC) {
		CHECK(model_find(m, e->id) == NULL && model_may_refuse(m, e));
		return;
	}
	CHECK(rc == 0);
	CHECK(as_entry(was) == model_find(m, e->id));
	model_put(m, e);
}

static void
step_remove(struct names_txn *txn, struct model *m, unsigned id)
{
	const struct entry *e = &entries[0][id];
	const struct names_entry *was = NULL;
	CHECK(names_txn_remove(txn, e->head.hash, e->name, 4, &was) == 0);
	CHECK(as_entry(was) == model_find(m, id));
	model_remove(m, id);
}

struct walk {
	const struct model *model;
	unsigned visited;
};

static int
visit_check(const struct names_entry *e, void *arg)
{
	struct walk *walk = arg;
	CHECK(model_find(walk->model, as_entry(e)->id) == as_entry(e));
	walk->visited++;
	return 0;
}

static void
version_check(const struct version *v)
{
	struct walk walk = {&v->model, 0};
	CHECK(v->table.count == v->model.n);
	for (unsigned id = 0; id < NAMES; id++) {
		const struct entry *e = &entries[0][id];
		CHECK(as_entry(names_find(&v->table, e->head.hash, e->name, 4)) == model_find(&v->model, id));
	}
	CHECK(names_walk(&v->table, visit_check, &walk) == 0);
	CHECK(walk.visited == v->model.n);
}

/* Ends the transaction by a commit into ring[now + 1], whose old contents die, or by an abort. Returns the newest
 * version. */
static unsigned
step_end(struct version *ring, unsigned now, struct names_txn *txn, const struct model *m, bool keep)
{
	struct version *base = &ring[now % VERSIONS], *next = &ring[(now + 1) % VERSIONS];
	if (!keep) {
		names_txn_abort(txn);
		version_check(base);
		return now;
	}
	garbage_free(&next->garbage);
	names_txn_commit(txn, &next->table, &base->garbage);
	next->model = *m;
	for (unsigned k = 0; k < VERSIONS && k <= now + 1; k++)
		version_check(&ring[(now + 1 - k) % VERSIONS]);
	return now + 1;
}

/* One step of a transaction; the run of names lets a short input fill pages. */
static void
step(struct names_txn *txn, struct model *m, uint8_t what, unsigned id)
{
	unsigned run = (what & 0x40) != 0 ? 48 : 1;
	for (unsigned k = 0; k < run; k++) {
		unsigned which = (id + k) % NAMES;
		if ((what & 0x80) != 0)
			step_remove(txn, m, which);
		else
			step_put(txn, m, &entries[what / 2 % GENERATIONS][which]);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct version ring[VERSIONS];
	static struct model m;
	unsigned now = 0;
	size_t start = zalloc_bytes();
	if (size == 0)
		return 0;
	memset(ring, 0, sizeof(ring));
	m.n = 0;
	entries_init(data[0]);
	struct names_txn *txn = names_txn_begin(&ring[0].table, data[0] / 8 * 40u);
	CHECK(txn != NULL);
	for (size_t i = 1; i + 3 <= size; i += 3) {
		step(txn, &m, data[i], (data[i + 1] << 8 | data[i + 2]) % NAMES);
		if (data[i] % 8 > 1)
			continue;
		now = step_end(ring, now, txn, &m, data[i] % 8 == 1);
		m = ring[now % VERSIONS].model;
		txn = names_txn_begin(&ring[now % VERSIONS].table, 0);
		CHECK(txn != NULL);
	}
	now = step_end(ring, now, txn, &m, true);
	for (unsigned k = 0; k < VERSIONS; k++)
		garbage_free(&ring[k].garbage);
	names_free(&ring[now % VERSIONS].table);
	CHECK(zalloc_bytes() == start);
	return 0;
}
