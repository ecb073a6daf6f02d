/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ordered tree against an array that is indexed by the rank of a key, over several versions that live at once;
 * then its promises one by one: shape, exact garbage, cost of a change, no trace after a failed allocation.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/store/order_fixture.h"
#include "zones/base/alloc.h"
#include "zones/store/order_private.h"

/* -------- how prefixes fall -------- */

static uint64_t
prefix_zero(uint32_t rank)
{
	return 0;
}

/* What pages fill up with behind their last entry, too. */
static uint64_t
prefix_all_ones(uint32_t rank)
{
	return UINT64_MAX;
}

/* Runs of two to some hundred, from no prefix bit at all to every one, so that runs end within and between pages.
 */
static uint64_t
prefix_runs(uint32_t rank)
{
	static const uint32_t end[] = {2, 61, 62, 100, 101, 350, 351, 352, 500, 900, 930};
	unsigned i = 0;
	while (i < ARRAY_LEN(end) && rank >= end[i])
		i++;
	return i == ARRAY_LEN(end) ? UINT64_MAX - (rank < 990) : i == 0 ? 0 : (UINT64_C(1) << (i + 52)) - 1;
}

static prefix_of *const prefixes[] = {prefix_spread, prefix_zero, prefix_all_ones, prefix_runs};

/* Fails the test when it is asked. */
static int
compare_never(const void *object, const void *key)
{
	fail();
	return 0;
}

/* -------- shape -------- */

/* Asserts the rules of order_private.h below a page; returns its entries, and counts pages. */
static uint64_t
check_page(const struct order_page *page, unsigned below, bool is_root, size_t *pages)
{
	uint64_t n = 0;
	unsigned least = !is_root ? ORDER_ENTRIES_MIN : below > 0 ? 2 : 1;
	++*pages;
	assert_in_range(page->count, least, ORDER_ENTRIES);
	for (unsigned i = 0; i < ORDER_ENTRIES; i++) {
		if (i >= page->count)
			assert_int_equal(page->prefix[i], ORDER_NO_PREFIX);
		else if (i > 0)
			assert_true(page->prefix[i - 1] <= page->prefix[i]);
		if (i > 0 && i % ORDER_GROUP == 0)
			assert_int_equal(page->pivot[i / ORDER_GROUP - 1], page->prefix[i]);
	}
	for (unsigned i = 0; i < page->count; i++) {
		if (below == 0) {
			assert_int_equal(page->prefix[i], ((const struct object *)order_word(page, i))->prefix);
			continue;
		}
		assert_true(order_child(page, i)->generation <= page->generation);
		assert_int_equal(page->prefix[i], order_child(page, i)->prefix[0]);
		n += check_page(order_child(page, i), below - 1, false, pages);
	}
	return below == 0 ? page->count : n;
}

static void
check_shape(const struct order *o)
{
	size_t pages = 0;
	assert_int_equal(o->root == NULL, o->height == 0);
	assert_int_equal(o->root == NULL, o->count == 0);
	if (o->root != NULL)
		assert_int_equal(check_page(o->root, o->height - 1u, true, &pages), o->count);
	assert_int_equal(order_bytes(o), pages * sizeof(struct order_page));
}

/* -------- the model -------- */

#define VERSIONS 4
#define MODEL_MAX 10000

struct version {
	struct order tree;
	struct garbage garbage; /* what the next version replaced of this one */
	const struct object *model[MODEL_MAX];
};

struct visit {
	const struct object *const *model;
	uint32_t next, end;
};

static int
visit_next(const void *object, void *arg)
{
	struct visit *v = arg;
	while (v->next < v->end && v->model[v->next] == NULL)
		v->next++;
	assert_true(v->next < v->end);
	assert_ptr_equal(object, v->model[v->next++]);
	return 0;
}

/* In a burst with walks that end earlier: in an empty tree, and before all keys. */
static const void *
walk(const struct order *o, uint64_t prefix, const void *key)
{
	static const struct object lowest = {0};
	const struct order empty = {.compare = o->compare};
	struct order_walk w[3], *const walks[] = {&w[0], &w[1], &w[2]};
	order_walk_begin(&w[0], &empty, prefix, key);
	order_walk_begin(&w[1], o, prefix, key);
	order_walk_begin(&w[2], o, 0, &lowest);
	order_walk_burst(walks, 3);
	assert_null(order_walk_floor(&w[0]));
	assert_ptr_equal(order_walk_floor(&w[2]), order_floor(o, 0, &lowest));
	return order_walk_floor(&w[1]);
}

/* The tree says of every key, there or not, what the array says. */
static void
check_model(const struct order *o, const struct object *const *model, const struct object *all, uint32_t n)
{
	struct visit v = {model, 0, n};
	const struct object *floor = NULL;
	uint64_t count = 0;
	for (uint32_t i = 0; i < n; i++) {
		if (model[i] != NULL) {
			floor = model[i];
			count++;
		}
		assert_ptr_equal(order_floor(o, all[i].prefix, &all[i]), floor);
		assert_ptr_equal(walk(o, all[i].prefix, &all[i]), floor);
	}
	assert_ptr_equal(order_last(o), floor);
	assert_int_equal(o->count, count);
	assert_int_equal(order_each(o, visit_next, &v), 0);
	while (v.next < n && model[v.next] == NULL)
		v.next++;
	assert_int_equal(v.next, n);
	check_shape(o);
}

static void
model_step(struct order_txn *txn, struct version *next, const struct object *all, uint32_t n, uint32_t rank,
	   bool putting)
{
	const struct object *o = &all[rank + (random_below(2) != 0 ? n : 0)];
	const void *was = txn;
	int rc = putting ? order_txn_put(txn, o->prefix, o, o, &was) : order_txn_remove(txn, o->prefix, o, &was);
	assert_int_equal(rc, 0);
	assert_ptr_equal(was, next->model[rank]);
	next->model[rank] = putting ? o : NULL;
}

/* Some random steps, or a stretch of neighbours: mostly puts while `rising`, mostly removals otherwise. */
static void
model_steps(struct order_txn *txn, struct version *next, const struct object *all, uint32_t n, bool rising)
{
	for (uint32_t steps = random_below(n) + 1; steps > 0; steps--) {
		bool putting = random_below(8) < (rising ? 6 : 2);
		uint32_t rank = random_below(n), stretch = random_below(50) == 0 ? random_below(200) : 1;
		for (uint32_t k = 0; k < stretch && rank + k < n; k++)
			model_step(txn, next, all, n, rank + k, putting);
	}
}

/* Two objects for each key, so that a put over an old one shows. */
static struct object *
model_objects(uint32_t n, prefix_of *of)
{
	struct object *all = objects_new(2 * n, of);
	for (uint32_t i = 0; i < n; i++)
		all[n + i] = all[i];
	return all;
}

static void
model_run(prefix_of *of, uint32_t n, unsigned rounds)
{
	static struct version ring[VERSIONS];
	struct object *all = model_objects(n, of);
	size_t start = zalloc_bytes();
	memset(ring, 0, sizeof(ring));
	ring[0].tree.compare = compare;
	for (unsigned round = 1; round <= rounds; round++) {
		struct version *base = &ring[(round - 1) % VERSIONS], *next = &ring[round % VERSIONS];
		garbage_free(&next->garbage);
		memcpy(next->model, base->model, sizeof(next->model));
		struct order_txn *txn = begin(&base->tree);
		model_steps(txn, next, all, n, round % 20 < 10);
		if (random_below(4) == 0) {
			order_txn_abort(txn);
			memcpy(next->model, base->model, sizeof(next->model));
			txn = begin(&base->tree);
		}
		order_txn_commit(txn, &next->tree, &base->garbage);
		for (unsigned k = 0; k < VERSIONS && k <= round; k++)
			check_model(&ring[(round - k) % VERSIONS].tree, ring[(round - k) % VERSIONS].model, all, n);
	}
	for (unsigned k = 0; k < VERSIONS; k++)
		garbage_free(&ring[k].garbage);
	assert_int_equal(zalloc_bytes() - start, order_bytes(&ring[rounds % VERSIONS].tree));
	order_free(&ring[rounds % VERSIONS].tree);
	assert_int_equal(zalloc_bytes(), start);
	free(all);
}

static void
test_model(void **state)
{
	for (unsigned k = 0; k < ARRAY_LEN(prefixes); k++) {
		model_run(prefixes[k], 1000, 60);
		model_run(prefixes[k], 130, 100);
		model_run(prefixes[k], 3, 100);
	}
	model_run(prefix_spread, MODEL_MAX, 24);
}

/* -------- orders of coming and going -------- */

enum coming { ASCENDING, DESCENDING, AT_RANDOM };

/* In and out again in one order, with a version for each `stride` changes; all queries at the fullest. */
static void
come_and_go(prefix_of *of, uint32_t n, enum coming how, uint32_t stride)
{
	static const struct object *model[MODEL_MAX];
	struct object *all = objects_new(n, of);
	uint32_t *random = ranks_shuffled(n);
	struct order o = {.compare = compare};
	size_t start = zalloc_bytes();
	struct order_txn *txn = begin(&o);
	for (uint32_t i = 0; i < 2 * n; i++) {
		uint32_t k = i % n, rank = how == ASCENDING ? k : how == DESCENDING ? n - 1 - k : random[k];
		if (i < n)
			put(txn, &all[rank]);
		else
			take(txn, &all[rank]);
		model[rank] = i < n ? &all[rank] : NULL;
		if (i % stride != stride - 1 && i != n - 1)
			continue;
		commit_and_free_old(txn, &o);
		check_shape(&o);
		if (i == n - 1 || i == n + n / 2)
			check_model(&o, model, all, n);
		txn = begin(&o);
	}
	commit_and_free_old(txn, &o);
	assert_null(o.root);
	assert_null(order_last(&o));
	assert_int_equal(zalloc_bytes(), start);
	free(random);
	free(all);
}

static void
test_come_and_go(void **state)
{
	for (unsigned k = 0; k < ARRAY_LEN(prefixes); k++) {
		for (enum coming how = ASCENDING; how <= AT_RANDOM; how++) {
			come_and_go(prefixes[k], MODEL_MAX, how, 997);
			come_and_go(prefixes[k], 500, how, 1);
		}
	}
}

/* A removal somewhere else each time brings a tree of pages that are full, or just not too empty, down by merging.
 */
static void
test_prefixes_decide_alone(void **state)
{
	enum { N = 5000 };
	struct object *all = objects_new(N, prefix_spread);
	struct order o = tree_of(all, N);
	o.compare = compare_never;
	assert_null(order_floor(&o, all[0].prefix - 1, NULL));
	assert_null(order_floor(&o, 0, NULL));
	for (uint32_t i = 0; i < N; i++)
		assert_ptr_equal(order_floor(&o, all[i].prefix + 1, NULL), &all[i]);
	assert_ptr_equal(order_floor(&o, UINT64_MAX, NULL), &all[N - 1]);
	order_free(&o);
	assert_ptr_equal(o.compare, compare_never);
	free(all);
}

/* -------- building -------- */

static void
test_build(void **state)
{
	static const uint32_t sizes[] = {0, 1, 2, 55, 56, 57, 112, 113, 3135, 3136, 3137, 9999};
	static const struct object *model[MODEL_MAX];
	for (unsigned k = 0; k < ARRAY_LEN(sizes) * ARRAY_LEN(prefixes); k++) {
		uint32_t n = sizes[k / ARRAY_LEN(prefixes)];
		struct object *all = objects_new(n + 1, prefixes[k % ARRAY_LEN(prefixes)]);
		size_t start = zalloc_bytes();
		struct order o = tree_of(all, n);
		assert_int_equal(zalloc_bytes() - start, order_bytes(&o));
		assert_int_equal(o.height, n == 0 ? 0 : n <= 56 ? 1 : n <= 3136 ? 2 : 3);
		for (uint32_t i = 0; i < n; i++)
			model[i] = &all[i];
		check_model(&o, model, all, n);
		struct order_txn *txn = begin(&o);
		put(txn, &all[n]);
		for (uint32_t i = 0; i < n; i += 3) {
			take(txn, &all[i]);
			model[i] = NULL;
		}
		model[n] = &all[n];
		commit_and_free_old(txn, &o);
		check_model(&o, model, all, n + 1);
		order_free(&o);
		assert_int_equal(zalloc_bytes(), start);
		free(all);
	}
}

static int
visit_until(const void *object, void *arg)
{
	unsigned *left = arg;
	return --*left == 0 ? 42 : 0;
}

static void
test_empty_and_each(void **state)
{
	struct order o = {.compare = compare}, same;
	struct garbage garbage;
	struct object one = {7, 1};
	struct object before = {7, 0};
	struct object above = {8, 0};
	unsigned left = 10;
	size_t start = zalloc_bytes();
	assert_null(order_floor(&o, UINT64_MAX, &before));
	assert_null(order_last(&o));
	assert_int_equal(order_each(&o, NULL, NULL), 0);
	assert_int_equal(order_bytes(&o), 0);
	struct order_txn *txn = begin(&o);
	const void *was = &one;
	assert_int_equal(order_txn_remove(txn, 7, &before, &was), 0);
	assert_null(was);
	put(txn, &one);
	commit_and_free_old(txn, &o);
	assert_null(order_floor(&o, 7, &before));
	assert_ptr_equal(order_floor(&o, 8, &above), &one);
	txn = begin(&o);
	assert_int_equal(order_txn_remove(txn, 7, &before, NULL), 0);
	order_txn_commit(txn, &same, &garbage);
	assert_int_equal(garbage.n, 0); /* nothing happened, nothing is copied */
	assert_ptr_equal(same.root, o.root);
	order_free(&o);
	assert_int_equal(zalloc_bytes(), start);
	struct object *all = objects_new(1000, prefix_spread);
	o = tree_of(all, 1000);
	assert_int_equal(order_each(&o, visit_until, &left), 42);
	assert_int_equal(left, 0);
	order_free(&o);
	free(all);
}

/* A cursor stops anywhere, may be copied, and stays at the end once it is there. */
static void
test_cursor(void **state)
{
	enum { N = 10000 };
	struct object *all = objects_new(N, prefix_spread);
	struct order o = tree_of(all, N), empty = {.compare = compare};
	struct order_cursor c, copy;
	order_cursor_begin(&c, &empty);
	assert_null(order_cursor_next(&c));
	order_cursor_begin(&c, &o);
	for (uint32_t i = 0; i < N; i++) {
		copy = c;
		assert_ptr_equal(order_cursor_next(&c), &all[i]);
		assert_ptr_equal(order_cursor_next(&copy), &all[i]);
	}
	assert_null(order_cursor_next(&c));
	assert_null(order_cursor_next(&c));
	order_free(&o);
	free(all);
}

/* -------- what a change costs, and what it leaves -------- */

struct pages {
	const struct order_page *at[1000];
	size_t n;
};

static void
pages_add(struct pages *p, const struct order_page *page, unsigned below)
{
	p->at[p->n++] = page;
	for (unsigned i = 0; below > 0 && i < page->count; i++)
		pages_add(p, order_child(page, i), below - 1);
}

static bool
pages_have(const struct pages *p, const void *page)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->at[i] == page)
			return true;
	return false;
}

/* The garbage is what the base has and the new tree has not, each page once. */
static void
check_garbage(const struct order *base, const struct order *now, const struct garbage *g)
{
	struct pages old = {.n = 0}, new = {.n = 0};
	size_t gone = 0;
	pages_add(&old, base->root, base->height - 1u);
	pages_add(&new, now->root, now->height - 1u);
	for (size_t i = 0; i < old.n; i++)
		gone += !pages_have(&new, old.at[i]);
	assert_int_equal(g->n, gone);
	for (size_t i = 0; i < g->n; i++) {
		assert_int_equal(g->items[i].size, sizeof(struct order_page));
		assert_true(pages_have(&old, g->items[i].p) && !pages_have(&new, g->items[i].p));
		for (size_t k = 0; k < i; k++)
			assert_ptr_not_equal(g->items[i].p, g->items[k].p);
	}
}

static void
test_garbage_is_exact(void **state)
{
	enum { N = 9000 };
	struct object *all = objects_new(N, prefix_spread);
	struct order o = tree_of(all, N), next;
	struct garbage garbage;
	size_t start = zalloc_bytes() - order_bytes(&o);
	uint32_t *rank = ranks_shuffled(N);
	for (uint32_t i = 0, run = 1; i + run < N - 1; i += run, run = random_below(300) + 1) {
		struct order_txn *txn = begin(&o);
		for (uint32_t k = 0; k < run; k++)
			take(txn, &all[rank[i + k]]);
		order_txn_commit(txn, &next, &garbage);
		check_garbage(&o, &next, &garbage);
		if (run == 1)
			assert_int_equal(garbage.n, o.height);
		garbage_free(&garbage);
		o = next;
		assert_int_equal(zalloc_bytes() - start, order_bytes(&o));
	}
	order_free(&o);
	assert_int_equal(zalloc_bytes(), start);
	free(rank);
	free(all);
}

/* A change copies the way down, and on each level a neighbour at most. */
static void
test_change_costs_its_way(void **state)
{
	enum { N = 9000 };
	struct object *all = objects_new(N, prefix_spread);
	struct order o = tree_of(all, N - 1);
	struct garbage garbage;
	assert_int_equal(o.height, 3);
	for (uint32_t i = N - 1; i > 0; i--) {
		struct order_txn *txn = begin(&o);
		take(txn, &all[i - 1]);
		size_t before = o.height;
		order_txn_commit(txn, &o, &garbage);
		assert_in_range(garbage.n, before, 2 * before - 1);
		garbage_free(&garbage);
	}
	assert_null(o.root);
	free(all);
}

/* -------- failing allocations -------- */

/*
 * A tree of `base` objects, of which a transaction takes some out while others come in: every third one goes, those
 * from `base` on come.
 */
struct sweep {
	prefix_of *of;
	uint32_t base, changes;
	bool build;
};

/* Makes changes from number `from` on until one fails; returns how many there are now. */
static uint32_t
sweep_change(struct order_txn *txn, const struct sweep *s, const struct object *all, uint32_t from,
	     const struct object **model)
{
	for (uint32_t i = from; i < s->changes; i++) {
		bool putting = s->base == 0 || i % 4 == 0;
		const struct object *o = &all[putting ? s->base + i : i * 7 % s->base];
		const void *was = &random_state;
		int rc = putting ? order_txn_put(txn, o->prefix, o, o, &was)
				 : order_txn_remove(txn, o->prefix, o, &was);
		if (rc != 0) {
			assert_int_equal(rc, -ENOMEM);
			assert_ptr_equal(was, &random_state);
			return i;
		}
		model[o->rank] = putting ? o : NULL;
	}
	return s->changes;
}

static const struct object **
sweep_model(const struct sweep *s, const struct object *all)
{
	const struct object **model = calloc(s->base + s->changes + 1, sizeof(*model));
	assert_non_null(model);
	for (uint32_t i = 0; i < s->base; i++)
		model[i] = &all[i];
	return model;
}

/* One run with the n-th allocation failing; false when the run needs fewer than n. */
static bool
sweep_once(const struct sweep *s, const struct object *all, unsigned long n)
{
	const struct object **model = sweep_model(s, all), **base_model = sweep_model(s, all);
	uint32_t ranks = s->base + s->changes, done = 0;
	struct garbage garbage;
	struct order base = tree_of(all, s->base), now;
	size_t base_bytes = zalloc_bytes();
	zalloc_fail_at(n);
	struct order_txn *txn = order_txn_begin(&base);
	if (txn != NULL)
		done = sweep_change(txn, s, all, 0, model);
	zalloc_fail_at(0);
	if (txn != NULL && n % 2 == 1) { /* memory is back: it goes on from where it stood */
		assert_int_equal(sweep_change(txn, s, all, done, model), s->changes);
		order_txn_commit(txn, &now, &garbage);
		check_model(&now, model, all, ranks);
		check_model(&base, base_model, all, ranks);
		garbage_free(&garbage);
		base = now;
	} else {
		if (txn != NULL)
			order_txn_abort(txn);
		assert_int_equal(zalloc_bytes(), base_bytes);
		check_model(&base, base_model, all, ranks);
	}
	assert_int_equal(zalloc_bytes(), order_bytes(&base));
	order_free(&base);
	free(model);
	free(base_model);
	return done < s->changes;
}

static bool
sweep_build_once(const struct order_item *items, size_t n, unsigned long at)
{
	struct order o = {.count = 99};
	zalloc_fail_at(at);
	int rc = order_build(items, n, compare, &o);
	zalloc_fail_at(0);
	if (rc != 0) {
		assert_int_equal(rc, -ENOMEM);
		assert_int_equal(o.count, 99);
		assert_int_equal(zalloc_bytes(), 0);
		return true;
	}
	order_free(&o);
	assert_int_equal(zalloc_bytes(), 0);
	return false;
}

static void
test_allocation_failures(void **state)
{
	static const struct sweep sweeps[] = {
		{prefix_spread, 0, 500},     /* grows from nothing */
		{prefix_spread, 3300, 2000}, /* splits, merges, balances */
		{prefix_zero, 700, 600},
		{prefix_spread, 200, 3}, /* a small change */
	};
	assert_int_equal(zalloc_bytes(), 0);
	for (unsigned k = 0; k < ARRAY_LEN(sweeps); k++) {
		struct object *all = objects_new(sweeps[k].base + sweeps[k].changes, sweeps[k].of);
		unsigned long n = 1;
		while (sweep_once(&sweeps[k], all, n))
			n++;
		assert_true(n > 3);
		print_message("sweep %u: %lu allocations, each failed once\n", k, n - 1);
		free(all);
	}
	struct order_item items[3200];
	unsigned long n = 1;
	struct object *all = objects_new(3200, prefix_spread);
	for (uint32_t i = 0; i < 3200; i++)
		items[i] = (struct order_item){all[i].prefix, &all[i]};
	while (sweep_build_once(items, 3200, n))
		n++;
	assert_int_equal(n, 58 + 1 + 2 + 1 + 1 + 1 +
				    1); /* pages and lists of three levels, and the one that goes well */
	free(all);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_model),
		cmocka_unit_test(test_come_and_go),
		cmocka_unit_test(test_prefixes_decide_alone),
		cmocka_unit_test(test_build),
		cmocka_unit_test(test_empty_and_each),
		cmocka_unit_test(test_cursor),
		cmocka_unit_test(test_garbage_is_exact),
		cmocka_unit_test(test_change_costs_its_way),
		cmocka_unit_test(test_allocation_failures),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
