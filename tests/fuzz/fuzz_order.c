/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzzer of the ordered tree against a sorted array that is copied whole at each version.
 *
 * The first octet picks how prefixes fall (from all different to all alike) and how many objects the tree is built
 * with; then each step takes three octets: what to do, and to which key. Two older versions stay alive and are
 * compared again after each commit. Also meant to be linked with a main() that replays a corpus.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "zones/base/alloc.h"
#include "zones/store/order.h"

#define KEYS 1024
#define GENERATIONS 2
#define VERSIONS 3

struct object {
	uint64_t prefix;
	uint16_t id; /* the whole key; a greater one never has a smaller prefix */
};

/* The naive tree: objects in the order of their ids. */
struct model {
	const struct object *at[KEYS];
	unsigned n;
};

struct version {
	struct order tree;
	struct garbage garbage; /* what its successor replaced of it */
	struct model model;
};

static struct object objects[GENERATIONS][KEYS];

#define CHECK(x)                                                                                                   \
	do {                                                                                                       \
		if (!(x))                                                                                          \
			abort();                                                                                   \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t
prefix_of(unsigned id, uint8_t way)
{
	switch (way % 8) {
	case 0:
		return id;
	case 1:
		return UINT64_MAX / KEYS * (id + 1) + KEYS - 1; /* up to the greatest */
	case 2:
		return 0;
	case 3:
		return UINT64_MAX;
	case 4:
		return (uint64_t)(id / 2) << 40;
	case 5:
		return (uint64_t)(id / 61) << 53;
	case 6:
		return UINT64_MAX - (KEYS - 1 - id) / 300;
	default:
		return id < KEYS / 2 ? id / 7 : UINT64_MAX / 2;
	}
}

/* Keys are objects, too. */
static int
compare(const void *object, const void *key)
{
	const struct object *a = object, *b = key;
	CHECK(a->prefix == b->prefix);
	return (int)a->id - (int)b->id;
}

static void
objects_init(uint8_t way)
{
	for (unsigned g = 0; g < GENERATIONS; g++)
		for (unsigned id = 0; id < KEYS; id++)
			objects[g][id] = (struct object){prefix_of(id, way), (uint16_t)id};
}

/* How many objects of the model have a smaller id. */
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

static const struct object *
model_find(const struct model *m, unsigned id)
{
	unsigned i = model_seek(m, id);
	return i < m->n && m->at[i]->id == id ? m->at[i] : NULL;
}

static const struct object *
model_floor(const struct model *m, unsigned id)
{
	unsigned i = model_seek(m, id + 1);
	return i > 0 ? m->at[i - 1] : NULL;
}

static void
model_put(struct model *m, const struct object *o)
{
	unsigned i = model_seek(m, o->id);
	if (i == m->n || m->at[i]->id != o->id) {
		memmove(&m->at[i + 1], &m->at[i], (m->n - i) * sizeof(m->at[0]));
		m->n++;
	}
	m->at[i] = o;
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

static void
step_put(struct order_txn *txn, struct model *m, const struct object *o)
{
	const void *was = NULL;
	CHECK(order_txn_put(txn, o->prefix, o, o, &was) == 0);
	CHECK(was == model_find(m, o->id));
	model_put(m, o);
}

static void
step_remove(struct order_txn *txn, struct model *m, unsigned id)
{
	const struct object *o = &objects[0][id];
	const void *was = NULL;
	CHECK(order_txn_remove(txn, o->prefix, o, &was) == 0);
	CHECK(was == model_find(m, id));
	model_remove(m, id);
}

struct visit {
	const struct model *model;
	unsigned next;
};

static int
visit_check(const void *object, void *arg)
{
	struct visit *v = arg;
	CHECK(v->next < v->model->n && v->model->at[v->next] == object);
	v->next++;
	return 0;
}

static void
version_check(const struct version *v)
{
	struct visit visit = {&v->model, 0};
	CHECK(v->tree.count == v->model.n);
	for (unsigned id = 0; id < KEYS; id++) {
		const struct object *o = &objects[0][id];
		CHECK(order_floor(&v->tree, o->prefix, o) == model_floor(&v->model, id));
	}
	CHECK(order_last(&v->tree) == model_floor(&v->model, KEYS));
	CHECK(order_each(&v->tree, visit_check, &visit) == 0);
	CHECK(visit.next == v->model.n);
}

/*
 * Ends the transaction by a commit into ring[now + 1], whose old contents die, or by an abort. Returns the newest
 * version.
 */
static unsigned
step_end(struct version *ring, unsigned now, struct order_txn *txn, const struct model *m, bool keep)
{
	struct version *base = &ring[now % VERSIONS], *next = &ring[(now + 1) % VERSIONS];
	if (!keep) {
		order_txn_abort(txn);
		version_check(base);
		return now;
	}
	garbage_free(&next->garbage);
	order_txn_commit(txn, &next->tree, &base->garbage);
	next->model = *m;
	for (unsigned k = 0; k < VERSIONS && k <= now + 1; k++)
		version_check(&ring[(now + 1 - k) % VERSIONS]);
	return now + 1;
}

/* One step of a transaction; the run of keys lets a short input fill and empty pages. */
static void
step(struct order_txn *txn, struct model *m, uint8_t what, unsigned id)
{
	unsigned run = (what & 0x40) != 0 ? 48 : 1;
	for (unsigned k = 0; k < run; k++) {
		unsigned which = (id + k) % KEYS;
		if ((what & 0x80) != 0)
			step_remove(txn, m, which);
		else
			step_put(txn, m, &objects[what / 2 % GENERATIONS][which]);
	}
}

/* The tree to begin with: every `stride`-th object, or none. */
static void
version_build(struct version *v, unsigned stride)
{
	static struct order_item items[KEYS];
	v->model.n = 0;
	for (unsigned id = 0; stride > 0 && id < KEYS; id += stride) {
		items[v->model.n] = (struct order_item){objects[0][id].prefix, &objects[0][id]};
		v->model.at[v->model.n++] = &objects[0][id];
	}
	CHECK(order_build(items, v->model.n, compare, &v->tree) == 0);
	version_check(v);
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
	objects_init(data[0]);
	version_build(&ring[0], data[0] / 8);
	m = ring[0].model;
	struct order_txn *txn = order_txn_begin(&ring[0].tree);
	CHECK(txn != NULL);
	for (size_t i = 1; i + 3 <= size; i += 3) {
		step(txn, &m, data[i], (data[i + 1] << 8 | data[i + 2]) % KEYS);
		if (data[i] % 8 > 1)
			continue;
		now = step_end(ring, now, txn, &m, data[i] % 8 == 1);
		m = ring[now % VERSIONS].model;
		txn = order_txn_begin(&ring[now % VERSIONS].tree);
		CHECK(txn != NULL);
	}
	now = step_end(ring, now, txn, &m, true);
	for (unsigned k = 0; k < VERSIONS; k++)
		garbage_free(&ring[k].garbage);
	CHECK(zalloc_bytes() - start == order_bytes(&ring[now % VERSIONS].tree));
	order_free(&ring[now % VERSIONS].tree);
	CHECK(zalloc_bytes() == start);
	return 0;
}
