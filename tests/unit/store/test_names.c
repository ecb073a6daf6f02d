/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The names table against an array that is indexed by the number of a name, over several versions that live at
 * once; then its promises one by one: cost of a change, exact garbage, no trace after a failed allocation.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/unit/store/names_fixture.h"
#include "zones/base/alloc.h"
#include "zones/store/names.h"

/* -------- what a table consists of -------- */

struct parts {
	uintptr_t *at;
	size_t n;
	size_t bytes;
};

static int
by_address(const void *a, const void *b)
{
	uintptr_t x = *(const uintptr_t *)a, y = *(const uintptr_t *)b;
	return x < y ? -1 : x > y;
}

static void
parts_add(struct parts *p, const void *at)
{
	p->at = realloc(p->at, (p->n + 1) * sizeof(*p->at));
	p->at[p->n++] = (uintptr_t)at;
}

static void
parts_sort(struct parts *p)
{
	size_t n = 0;
	if (p->n == 0)
		return;
	qsort(p->at, p->n, sizeof(*p->at), by_address);
	for (size_t i = 1; i < p->n; i++)
		if (p->at[i] != p->at[n])
			p->at[++n] = p->at[i];
	p->n = n + 1;
}

/* Every address that a table is made of, found by looking at every word of the directory. */
static struct parts
parts_of(const struct names *t)
{
	struct parts p = {0};
	if (t->top == NULL)
		return p;
	parts_add(&p, t->top);
	for (uint32_t i = 0; i <= t->mask; i++) {
		if (i % NAMES_CHUNK_PAGES == 0)
			parts_add(&p, t->top[i / NAMES_CHUNK_PAGES]);
		parts_add(&p, names_page_of(t, i));
	}
	parts_sort(&p);
	return p;
}

static bool
parts_have(const struct parts *p, uintptr_t at)
{
	return p->n > 0 && bsearch(&at, p->at, p->n, sizeof(at), by_address) != NULL;
}

/* The garbage is what the base has and the new table has not, each part once. */
static void
check_garbage(const struct names *base, const struct names *now, const struct garbage *g)
{
	struct parts old = parts_of(base), new = parts_of(now), garbage = {0};
	size_t gone = 0;
	for (size_t i = 0; i < old.n; i++)
		gone += !parts_have(&new, old.at[i]);
	for (size_t i = 0; i < g->n; i++) {
		uintptr_t at = (uintptr_t)g->items[i].p;
		assert_true(parts_have(&old, at) && !parts_have(&new, at));
		parts_add(&garbage, g->items[i].p);
	}
	parts_sort(&garbage);
	assert_int_equal(garbage.n, g->n);
	assert_int_equal(g->n, gone);
	free(old.at);
	free(new.at);
	free(garbage.at);
}

/* -------- the model -------- */

#define VERSIONS 4
#define MODEL_MAX 6000

struct version {
	struct names table;
	struct garbage garbage; /* what the next version replaced of this one */
	const struct names_entry *model[MODEL_MAX];
};

static int
visit_mark(const struct names_entry *e, void *arg)
{
	uint8_t *seen = arg;
	uint32_t id = ((const struct entry *)e)->id;
	assert_int_equal(seen[id], 0);
	seen[id] = 1;
	return 0;
}

static void
check_version(const struct version *v, const struct entry *all, uint32_t n)
{
	static uint8_t seen[MODEL_MAX];
	uint64_t count = 0;
	memset(seen, 0, sizeof(seen));
	size_t parts = 1 + v->table.count % 7;
	for (size_t p = 0; p < parts; p++)
		assert_int_equal(names_walk_part(&v->table, p, parts, visit_mark, seen), 0);
	for (uint32_t id = 0; id < n; id++) {
		assert_ptr_equal(find(&v->table, &all[id]), v->model[id]);
		assert_int_equal(seen[id], v->model[id] != NULL);
		count += v->model[id] != NULL;
	}
	assert_int_equal(v->table.count, count);
}

/* One random step: mostly puts while `rising`, mostly removals otherwise. */
static void
model_step(struct names_txn *txn, struct version *next, const struct entry *all, uint32_t n, bool rising)
{
	uint32_t id = random_below(n);
	const struct entry *e = &all[id + (random_below(2) != 0 ? n : 0)];
	const struct names_entry *was = &all[0].head;
	assert_ptr_equal(names_txn_find(txn, e->head.hash, e->name, NAME_LEN), next->model[id]);
	if (random_below(8) < (rising ? 6 : 2)) {
		assert_int_equal(names_txn_put(txn, &e->head, &was), 0);
		assert_ptr_equal(was, next->model[id]);
		next->model[id] = &e->head;
	} else {
		assert_int_equal(names_txn_remove(txn, e->head.hash, e->name, NAME_LEN, &was), 0);
		assert_ptr_equal(was, next->model[id]);
		next->model[id] = NULL;
	}
}

/* Two entries for each name, so that a put over an old one shows. */
static struct entry *
model_entries(const struct flavour *f, uint32_t n)
{
	struct entry *all = malloc(2 * n * sizeof(*all));
	assert_non_null(all);
	for (uint32_t i = 0; i < 2 * n; i++)
		entry_init(&all[i], f, i % n);
	return all;
}

static void
model_run(const struct flavour *f, uint32_t n, unsigned rounds)
{
	static struct version ring[VERSIONS];
	struct entry *all = model_entries(f, n);
	size_t start = zalloc_bytes();
	print_message("model: hashes %s, %u names, %u versions\n", f->title, n, rounds);
	memset(ring, 0, sizeof(ring));
	random_state = 88172645463325252;
	for (unsigned round = 1; round <= rounds; round++) {
		struct version *base = &ring[(round - 1) % VERSIONS], *next = &ring[round % VERSIONS];
		garbage_free(&next->garbage);
		memcpy(next->model, base->model, sizeof(next->model));
		struct names_txn *txn = names_txn_begin(&base->table, 0);
		assert_non_null(txn);
		for (uint32_t steps = random_below(n) + 1; steps > 0; steps--)
			model_step(txn, next, all, n, round % 20 < 12);
		if (random_below(4) == 0) {
			names_txn_abort(txn);
			memcpy(next->model, base->model, sizeof(next->model));
			txn = names_txn_begin(&base->table, 0);
			assert_non_null(txn);
		}
		names_txn_commit(txn, &next->table, &base->garbage);
		check_garbage(&base->table, &next->table, &base->garbage);
		check_shape(&next->table);
		for (unsigned k = 0; k < VERSIONS && k <= round; k++)
			check_version(&ring[(round - k) % VERSIONS], all, n);
	}
	for (unsigned k = 0; k < VERSIONS; k++)
		garbage_free(&ring[k].garbage);
	names_free(&ring[rounds % VERSIONS].table);
	assert_int_equal(zalloc_bytes(), start);
	free(all);
}

static void
test_model(void **state)
{
	static const struct flavour tags_collide = {"one tag", UINT64_C(0x0000ffffffffffff), 0, 1};
	static const struct flavour one_home = {"one home bucket", ~(UINT64_C(15) << NAMES_BUCKET_SHIFT), 0, 1};
	static const struct flavour last_home = {"last home bucket", ~(UINT64_C(15) << NAMES_BUCKET_SHIFT),
						 UINT64_C(15) << NAMES_BUCKET_SHIFT, 1};
	static const struct flavour deep = {"deep directory", ~UINT64_C(0x7ff), UINT64_C(0x2aa), 1};
	static const struct flavour same = {"hashes shared by 40", ~UINT64_C(0), 0, 40};
	static const struct flavour zero = {"all hashes zero", 0, 0, 1};
	model_run(&plain, MODEL_MAX, 60);
	model_run(&plain, 300, 300);
	model_run(&plain, 70, 300);
	model_run(&plain, 5, 300);
	model_run(&tags_collide, 1000, 100);
	model_run(&one_home, 1000, 100);
	model_run(&last_home, 1000, 100);
	model_run(&deep, 400, 60);
	model_run(&same, 2000, 60);
	model_run(&zero, 128, 300);
}

/* -------- single promises -------- */

static void
test_empty(void **state)
{
	struct names t = {0};
	struct garbage garbage;
	const struct names_entry *was;
	struct entry e;
	size_t start = zalloc_bytes();
	entry_init(&e, &plain, 1);
	was = &e.head;
	assert_null(find(&t, &e));
	assert_int_equal(names_walk(&t, NULL, NULL), 0);
	assert_int_equal(names_bytes(&t), 0);
	names_free(&t);
	struct names_txn *txn = names_txn_begin(&t, 0);
	assert_non_null(txn);
	assert_int_equal(names_txn_remove(txn, e.head.hash, e.name, NAME_LEN, &was), 0);
	assert_null(was);
	names_txn_commit(txn, &t, &garbage);
	assert_int_equal(garbage.n, 0);
	garbage_free(&garbage);
	assert_null(find(&t, &e));
	assert_int_equal(names_bytes(&t), zalloc_bytes() - start);
	names_free(&t);
	assert_null(t.top);
	assert_int_equal(zalloc_bytes(), start);
}

/* Same hash, other bytes; same bytes, shorter; same tag and bucket only: none of them is the entry. */
static void
test_find_compares_all(void **state)
{
	struct entry e[2];
	uint8_t other[NAME_LEN + 1];
	entry_init(&e[0], &plain, 7);
	struct names t = table_of(e, 1, 0);
	uint64_t hash = e[0].head.hash;
	name_of(8, other);
	assert_ptr_equal(names_find(&t, hash, e[0].name, NAME_LEN), &e[0].head);
	assert_null(names_find(&t, hash, other, NAME_LEN));
	assert_null(names_find(&t, hash, e[0].name, NAME_LEN - 1));
	assert_null(names_find(&t, hash ^ 1, e[0].name, NAME_LEN));
	const struct names_bucket *home = names_bucket_of(&t, hash);
	assert_ptr_equal(names_candidate(home, hash), &e[0].head);
	assert_ptr_equal(names_candidate(home, hash ^ 1), &e[0].head);
	assert_null(names_candidate(home, hash ^ UINT64_C(1) << 63));
	assert_ptr_equal(names_directory_of(&t, hash), &t.top[0]->page[0]);
	names_free(&t);
}

/* 128 names of one hash fit; one more is refused and changes nothing; a name beside them still finds room by a
 * split. */
static void
test_same_hash_limit(void **state)
{
	static const struct flavour zero = {"all hashes zero", 0, 0, 1};
	size_t start = zalloc_bytes();
	struct entry *e = entries_new(&zero, 130);
	struct names t = table_of(e, 128, 0);
	struct names_txn *txn = names_txn_begin(&t, 0);
	const struct names_entry *was = &e[5].head;
	assert_non_null(txn);
	assert_int_equal(names_txn_put(txn, &e[128].head, &was), -ENOSPC);
	assert_ptr_equal(was, &e[5].head);
	e[129].head.hash = UINT64_C(1) << 25;
	put(txn, &e[129]);
	assert_int_equal(names_txn_put(txn, &e[128].head, &was), -ENOSPC);
	commit_and_free_old(txn, &t);
	assert_int_equal(t.count, 129);
	assert_int_equal(t.depth, 26);
	for (unsigned i = 0; i < 130; i++)
		assert_ptr_equal(find(&t, &e[i]), i == 128 ? NULL : &e[i].head);
	/* Sharing keeps 2^26 indices down to a top of 1 MiB, and a path of chunks and pages. */
	assert_true(names_bytes(&t) < 1200000);
	names_free(&t);
	free(e);
	assert_int_equal(zalloc_bytes(), start);
}

/* Many zones have a few names: what a table of theirs takes is one bucket, one word of directory, one of top. */
static void
test_small_tables(void **state)
{
	enum { N = 200 };
	struct entry *e = entries_new(&plain, N);
	struct names t = {0};
	size_t start = zalloc_bytes();
	for (uint32_t n = 1; n <= N; n++) {
		struct names_txn *txn = names_txn_begin(&t, 0);
		assert_non_null(txn);
		put(txn, &e[n - 1]);
		commit_and_free_old(txn, &t);
		check_shape(&t);
		for (uint32_t i = 0; i < N; i++)
			assert_ptr_equal(find(&t, &e[i]), i < n ? &e[i].head : NULL);
		assert_int_equal(names_bytes(&t), zalloc_bytes() - start);
		if (n <= 8)
			assert_int_equal(names_bytes(&t), 64 + 8 + 8);
		else if (n <= 16)
			assert_int_equal(names_bytes(&t), 128 + 8 + 8);
		else if (n <= 96)
			assert_int_equal(t.depth, 0);
	}
	names_free(&t);
	t = table_of(e, 40, 40);
	assert_int_equal(names_bytes(&t), 512 + 8 + 8);
	names_free(&t);
	free(e);
}

/* Names that crowd one home bucket in a page with room elsewhere spill on; no split could help them. */
static void
test_crowded_bucket_spills(void **state)
{
	enum { N = 90 };
	static const struct flavour one_home = {"one home bucket", ~(UINT64_C(15) << NAMES_BUCKET_SHIFT), 0, 1};
	struct entry *e = entries_new(&one_home, N);
	struct names t = table_of(e, N, 0);
	assert_int_equal(t.depth, 0);
	assert_int_equal(t.bucket_mask, NAMES_PAGE_BUCKETS - 1);
	check_shape(&t);
	for (uint32_t i = 0; i < N; i++)
		assert_ptr_equal(find(&t, &e[i]), &e[i].head);
	names_free(&t);
	free(e);
}

static int
visit_until(const struct names_entry *e, void *arg)
{
	unsigned *left = arg;
	return --*left == 0 ? 42 : 0;
}

static void
test_walk_stops(void **state)
{
	struct entry *e = entries_new(&plain, 1000);
	struct names t = table_of(e, 1000, 0);
	unsigned left = 10;
	assert_int_equal(names_walk(&t, visit_until, &left), 42);
	assert_int_equal(left, 0);
	left = 1001;
	assert_int_equal(names_walk(&t, visit_until, &left), 0);
	assert_int_equal(left, 1);
	names_free(&t);
	free(e);
}

/* A cursor stops wherever it likes and goes on in the table that it began with, whatever came after that. */
static void
test_cursor_rests(void **state)
{
	enum { N = 5000, REST = 1234 };
	static uint8_t seen[N];
	struct entry *e = entries_new(&plain, N), late;
	struct names t = table_of(e, N, 0), next;
	struct names_cursor c, copy;
	struct garbage garbage;
	names_cursor_begin(&c, &t);
	for (uint32_t i = 0; i < REST; i++)
		visit_mark(names_cursor_next(&c), seen);
	copy = c;
	struct names_txn *txn = names_txn_begin(&t, 0);
	assert_non_null(txn);
	entry_init(&late, &plain, N);
	put(txn, &late);
	names_txn_commit(txn, &next, &garbage);
	for (uint32_t i = REST; i < N; i++) {
		const struct names_entry *one = names_cursor_next(&c);
		visit_mark(one, seen);
		assert_ptr_equal(names_cursor_next(&copy), one);
	}
	assert_null(names_cursor_next(&c));
	assert_null(names_cursor_next(&c));
	garbage_free(&garbage);
	names_free(&next);
	free(e);
}

static void
test_cursor_of_nothing(void **state)
{
	struct names t = {0};
	struct names_cursor c;
	names_cursor_begin(&c, &t);
	assert_null(names_cursor_next(&c));
	assert_null(names_cursor_next(&c));
}

/* Each entry has a place of its own, the same for whoever looks for it and for whoever walks. */
static void
test_places(void **state)
{
	static const uint32_t sizes[] = {1, 7, 60, 5000, 60000};
	for (unsigned k = 0; k < ARRAY_LEN(sizes); k++) {
		struct entry *e = entries_new(&plain, sizes[k]);
		struct names t = table_of(e, sizes[k], 0);
		struct names_cursor c;
		const struct names_entry *one;
		uint64_t places = names_places(&t), place = 0;
		uint8_t *seen = calloc(places, 1);
		uint32_t n = 0;
		assert_non_null(seen);
		assert_true(sizes[k] < 5000 || places < (uint64_t)sizes[k] * 20);
		names_cursor_begin(&c, &t);
		for (; (one = names_cursor_next(&c)) != NULL; n++) {
			assert_ptr_equal(
				names_find_place(&t, one->hash, names_entry_name(one), one->name_len, &place), one);
			assert_int_equal(place, names_cursor_place(&c));
			assert_true(place < places && seen[place] == 0);
			seen[place] = 1;
		}
		assert_int_equal(n, sizes[k]);
		place = 77;
		assert_null(names_find_place(&t, e[0].head.hash + 1, e[0].name, NAME_LEN, &place));
		assert_int_equal(place, 77);
		free(seen);
		names_free(&t);
		free(e);
	}
	struct names nothing = {0};
	uint64_t place;
	assert_int_equal(names_places(&nothing), 0);
	assert_null(names_find_place(&nothing, 1, (const uint8_t *)"", 1, &place));
}

static void
test_remove_to_empty(void **state)
{
	enum { N = 50000 };
	size_t start = zalloc_bytes();
	struct entry *e = entries_new(&plain, N);
	struct names t = table_of(e, N, 0);
	size_t full = names_bytes(&t);
	struct names_txn *txn = names_txn_begin(&t, 0);
	assert_non_null(txn);
	for (uint32_t i = 0; i < N; i++) {
		const struct names_entry *was = NULL;
		assert_int_equal(names_txn_remove(txn, e[i].head.hash, e[i].name, NAME_LEN, &was), 0);
		assert_ptr_equal(was, &e[i].head);
	}
	commit_and_free_old(txn, &t);
	assert_int_equal(t.count, 0);
	unsigned left = 1;
	assert_int_equal(names_walk(&t, visit_until, &left), 0);
	check_shape(&t);
	assert_int_equal(names_bytes(&t), full);
	names_free(&t);
	free(e);
	assert_int_equal(zalloc_bytes(), start);
}

/* -------- failing allocations -------- */

struct sweep {
	const struct flavour *flavour;
	uint32_t base,
		puts; /* entries in the base; puts of the transaction, each third one followed by a removal */
	uint64_t expected;
};

/* Puts and removes until one fails; returns how many steps went well. */
static uint32_t
sweep_steps(struct names_txn *txn, const struct sweep *s, const struct entry *e, uint32_t from)
{
	for (uint32_t i = from; i < 2 * s->puts; i++) {
		const struct entry *put_it = &e[s->base + i / 2], *remove_it = &e[i / 2];
		const struct names_entry *was = &e[0].head;
		int rc = 0;
		if (i % 2 == 0)
			rc = names_txn_put(txn, &put_it->head, &was);
		else if (i % 3 == 0)
			rc = names_txn_remove(txn, remove_it->head.hash, remove_it->name, NAME_LEN, &was);
		if (rc == 0)
			continue;
		assert_int_equal(rc, -ENOMEM);
		assert_ptr_equal(was, &e[0].head);
		return i;
	}
	return 2 * s->puts;
}

/* Whether name `id` is in the table after so many steps. */
static bool
sweep_has(const struct sweep *s, uint32_t id, uint32_t steps)
{
	bool there = id < s->base || 2 * (id - s->base) < steps;
	uint32_t removal = 2 * id + 1;
	return there && !(removal < steps && removal % 3 == 0);
}

static void
sweep_check(const struct sweep *s, const struct names *t, const struct entry *e, uint32_t steps)
{
	check_shape(t);
	for (uint32_t id = 0; id < s->base + s->puts; id++)
		assert_ptr_equal(find(t, &e[id]), sweep_has(s, id, steps) ? &e[id].head : NULL);
}

/* Memory is back: the transaction that had failed goes on from where it stood, and is as good as any. */
static void
sweep_resume(const struct sweep *s, struct names_txn *txn, struct names *base, const struct entry *e,
	     uint32_t steps)
{
	struct names now;
	struct garbage garbage;
	for (uint32_t id = 0; id < s->base + s->puts; id++)
		assert_int_equal(names_txn_find(txn, e[id].head.hash, e[id].name, NAME_LEN) != NULL,
				 sweep_has(s, id, steps));
	assert_int_equal(sweep_steps(txn, s, e, steps), 2 * s->puts);
	names_txn_commit(txn, &now, &garbage);
	check_garbage(base, &now, &garbage);
	sweep_check(s, &now, e, 2 * s->puts);
	sweep_check(s, base, e, 0);
	garbage_free(&garbage);
	*base = now;
}

/* One run with the n-th allocation failing; false when the run needs fewer than n. */
static bool
sweep_once(const struct sweep *s, const struct entry *e, unsigned long n)
{
	size_t start = zalloc_bytes();
	struct names base = {0};
	if (s->base > 0)
		base = table_of(e, s->base, 0);
	size_t base_bytes = zalloc_bytes();
	zalloc_fail_at(n);
	struct names_txn *txn = names_txn_begin(&base, s->expected);
	uint32_t steps = txn != NULL ? sweep_steps(txn, s, e, 0) : 0;
	zalloc_fail_at(0);
	if (txn != NULL && n % 2 == 1) {
		sweep_resume(s, txn, &base, e, steps);
	} else {
		if (txn != NULL)
			names_txn_abort(txn);
		assert_int_equal(zalloc_bytes(), base_bytes);
		if (s->base > 0)
			sweep_check(s, &base, e, 0);
	}
	names_free(&base);
	assert_int_equal(zalloc_bytes(), start);
	return steps < 2 * s->puts;
}

static void
test_allocation_failures(void **state)
{
	static const struct flavour deep = {"deep directory", ~UINT64_C(0x7ff), UINT64_C(0x2aa), 1};
	static const struct sweep sweeps[] = {
		{&plain, 0, 400, 0},   /* from the empty table, the small chunk growing */
		{&plain, 0, 50, 3000}, /* room made at once */
		{&plain, 900, 400, 0}, /* copies and splits */
		{&plain, 900, 3, 0},   /* a small change */
		{&deep, 400, 300, 0},  /* top doubles, chunks split */
		{&deep, 0, 300, 0},
	};
	for (unsigned k = 0; k < ARRAY_LEN(sweeps); k++) {
		struct entry *e = entries_new(sweeps[k].flavour, sweeps[k].base + sweeps[k].puts);
		unsigned long n = 1;
		while (sweep_once(&sweeps[k], e, n))
			n++;
		assert_true(n > 5);
		print_message("sweep %u: %lu allocations, each failed once\n", k, n - 1);
		free(e);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_model),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_find_compares_all),
		cmocka_unit_test(test_same_hash_limit),
		cmocka_unit_test(test_small_tables),
		cmocka_unit_test(test_crowded_bucket_spills),
		cmocka_unit_test(test_walk_stops),
		cmocka_unit_test(test_cursor_rests),
		cmocka_unit_test(test_cursor_of_nothing),
		cmocka_unit_test(test_places),
		cmocka_unit_test(test_remove_to_empty),
		cmocka_unit_test(test_allocation_failures),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
