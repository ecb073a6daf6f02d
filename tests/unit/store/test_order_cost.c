/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the ordered tree costs at a million entries: bytes, which are asserted, and cycles, which are printed for
 * docs/design/ordered-tree.md.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/unit/store/order_fixture.h"

#if defined(__x86_64__)
#include <x86intrin.h>
#define cycles() __rdtsc()
#else
#define cycles() UINT64_C(0)
#endif

#define COST_N 1000000
#define COST_RUN 8000 /* lookups */
#define BURST 16

static uint64_t
prefix_hash(uint32_t rank)
{
	return (uint64_t)rank * (UINT64_MAX / COST_N) + (rank * UINT64_C(2654435761)) % 100000;
}

/* Finds objects that are the last ones before the prefix asked for; touches them, as an answer would. Returns
 * cycles. */
static uint64_t
cost_one_by_one(const struct order *o, const struct object *asked)
{
	uint64_t start = cycles(), hits = 0;
	for (uint32_t i = 0; i < COST_RUN; i++) {
		const struct object *found = order_floor(o, asked[i].prefix + 1, &asked[i]);
		hits += found->rank == asked[i].rank;
	}
	assert_int_equal(hits, COST_RUN);
	return cycles() - start;
}

static uint64_t
cost_in_groups(const struct order *o, const struct object *asked)
{
	struct order_walk w[BURST], *walks[BURST];
	uint64_t start = cycles(), hits = 0;
	for (unsigned k = 0; k < BURST; k++)
		walks[k] = &w[k];
	for (uint32_t i = 0; i < COST_RUN; i += BURST) {
		for (unsigned k = 0; k < BURST; k++)
			order_walk_begin(&w[k], o, asked[i + k].prefix + 1, &asked[i + k]);
		order_walk_burst(walks, BURST);
		for (unsigned k = 0; k < BURST; k++)
			hits += ((const struct object *)order_walk_floor(&w[k]))->rank == asked[i + k].rank;
	}
	assert_int_equal(hits, COST_RUN);
	return cycles() - start;
}

static int
by_cycles(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return x < y ? -1 : x > y;
}

/* The machine may have other work: many short runs, of which the best and the median count. */
static void
cost_print(const char *what, uint64_t (*cost)(const struct order *o, const struct object *asked),
	   const struct order *o, const struct object *asked)
{
	uint64_t run[COST_N / COST_RUN];
	for (unsigned k = 0; k < ARRAY_LEN(run); k++)
		run[k] = cost(o, &asked[k * COST_RUN]);
	qsort(run, ARRAY_LEN(run), sizeof(run[0]), by_cycles);
	const uint64_t *median = &run[ARRAY_LEN(run) / 2];
	print_message("  %s: %.0f cycles at best, median %.0f\n", what, (double)run[0] / COST_RUN,
		      (double)*median / COST_RUN);
}

static void
cost_lookups(const struct order *o, const struct object *asked)
{
	print_message("  %.2f bytes an entry, height %u\n", (double)order_bytes(o) / COST_N, o->height);
	cost_print("order_floor(), one by one", cost_one_by_one, o, asked);
	cost_print("order_walk_burst", cost_in_groups, o, asked);
}

/* Prints figures for the design note; asserts those that do not depend on the machine. */
static void
test_cost(void **state)
{
	struct object *all = objects_new(COST_N, prefix_hash);
	struct object *asked = malloc(COST_N * sizeof(*asked));
	uint32_t *rank = ranks_shuffled(COST_N);
	assert_non_null(asked);
	for (uint32_t i = 0; i < COST_N; i++)
		asked[i] = all[rank[i]];
	struct order o = tree_of(all, COST_N), grown = {.compare = compare};
	print_message("built, %d entries\n", COST_N);
	cost_lookups(&o, asked);
	assert_true(order_bytes(&o) <= 20 * (size_t)COST_N);
	order_free(&o);
	struct order_txn *txn = begin(&grown);
	uint64_t start = cycles();
	for (uint32_t i = 0; i < COST_N; i++)
		put(txn, &all[rank[i]]);
	print_message("grown by random puts: %.0f cycles each\n", (double)(cycles() - start) / COST_N);
	commit_and_free_old(txn, &grown);
	cost_lookups(&grown, asked);
	assert_true(order_bytes(&grown) <= 28 * (size_t)COST_N);
	start = cycles();
	for (uint32_t i = 0; i < 10000; i++) {
		txn = begin(&grown);
		take(txn, &all[rank[i]]);
		commit_and_free_old(txn, &grown);
	}
	print_message("a transaction that removes one: %.0f cycles\n", (double)(cycles() - start) / 10000);
	order_free(&grown);
	free(asked);
	free(rank);
	free(all);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_cost)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
