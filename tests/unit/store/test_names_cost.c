/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the names table costs: bytes per entry, bytes and pages copied per change at every size, and, printed only,
 * cycles per lookup.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <time.h>

#include <cmocka.h>

#include "tests/unit/store/names_fixture.h"
#include "zones/base/alloc.h"
#include "zones/store/names.h"

/* Room for nearly all at once, and not more of it than growing would have taken. */
static void
test_expected(void **state)
{
	enum { N = 100000 };
	struct entry *e = entries_new(&plain, N);
	struct names grown = table_of(e, N, 0), sized = table_of(e, N, N), none = {0};
	struct names_txn *txn = names_txn_begin(&none, N);
	assert_non_null(txn);
	commit_and_free_old(txn, &none);
	assert_in_range(sized.depth, none.depth, none.depth + 1);
	assert_true(names_bytes(&none) * 5 > names_bytes(&sized) * 4);
	assert_true(names_bytes(&sized) <= names_bytes(&grown) * 21 / 20);
	check_shape(&sized);
	for (uint32_t i = 0; i < N; i++)
		assert_ptr_equal(find(&sized, &e[i]), &e[i].head);
	names_free(&none);
	names_free(&grown);
	names_free(&sized);
	free(e);
}

struct cost {
	size_t pages, chunks, fresh_bytes;
};

static bool
is_chunk_of(const struct names *t, const void *p)
{
	for (uint32_t i = 0; t->top != NULL && i <= t->mask; i += NAMES_CHUNK_PAGES)
		if (t->top[i / NAMES_CHUNK_PAGES] == p)
			return true;
	return false;
}

/* What a transaction that puts one entry replaces and allocates. */
static struct cost
cost_of_put(struct names *t, const struct entry *e)
{
	struct cost c = {0};
	struct names base = *t;
	struct garbage garbage;
	size_t before = zalloc_bytes();
	struct names_txn *txn = names_txn_begin(t, 0);
	assert_non_null(txn);
	put(txn, e);
	names_txn_commit(txn, t, &garbage);
	c.fresh_bytes = zalloc_bytes() - before - garbage.cap * sizeof(*garbage.items);
	for (size_t i = 0; i < garbage.n; i++) {
		if (is_chunk_of(&base, garbage.items[i].p))
			c.chunks++;
		else if (garbage.items[i].p != base.top)
			c.pages++;
	}
	garbage_free(&garbage);
	return c;
}

/* Growth entry by entry, through every split and doubling on the way: no single step is dear. */
static void
test_growth_by_one(void **state)
{
	enum { N = 60000, BOUND = 12 * 4096 };
	size_t start = zalloc_bytes(), worst = 0, total = 0;
	struct entry *e = entries_new(&plain, N);
	struct names t = {0};
	for (uint32_t i = 0; i < N; i++) {
		struct cost c = cost_of_put(&t, &e[i]);
		assert_true(c.pages <= 1);
		total += c.fresh_bytes;
		if (c.fresh_bytes > worst)
			worst = c.fresh_bytes;
	}
	assert_true(worst <= BOUND);
	print_message("growth by one to %u: %zu bytes copied or new per transaction, at worst %zu\n", (unsigned)N,
		      total / N, worst);
	check_shape(&t);
	names_free(&t);
	free(e);
	assert_int_equal(zalloc_bytes(), start);
}

static uint64_t
cycles_now(void)
{
#if defined(__x86_64__)
	return __builtin_ia32_rdtsc();
#else
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
#endif
}

/*
 * Cycles of a lookup of `n` names from number `first` on, at random, in groups of 16: one by one, or each stage
 * over the whole group, as a burst of queries does it. The queries are made from their numbers, so that making them
 * does not bring the entries into the cache.
 */
static double
lookup_cycles(const struct names *t, uint32_t first, uint32_t n, bool staged)
{
	enum { GROUP = 16, GROUPS = 20000 };
	uint64_t found = 0, cycles = 0;
	for (uint32_t g = 0; g < GROUPS; g++) {
		struct entry q[GROUP];
		for (unsigned k = 0; k < GROUP; k++)
			entry_init(&q[k], &plain, first + random_below(n));
		uint64_t begin = cycles_now();
		for (unsigned k = 0; staged && k < GROUP; k++)
			prefetch(names_directory_of(t, q[k].head.hash));
		for (unsigned k = 0; staged && k < GROUP; k++)
			prefetch(names_bucket_of(t, q[k].head.hash));
		for (unsigned k = 0; staged && k < GROUP; k++)
			prefetch(names_candidate(names_bucket_of(t, q[k].head.hash), q[k].head.hash));
		for (unsigned k = 0; k < GROUP; k++)
			found += find(t, &q[k]) != NULL;
		cycles += cycles_now() - begin;
	}
	assert_int_equal(found, first < t->count ? GROUP * GROUPS : 0);
	return (double)cycles / (GROUP * GROUPS);
}

static void
print_lookups(const struct names *t, uint32_t n)
{
	random_state = 2463534242;
	for (unsigned staged = 0; staged < 2; staged++) {
		double hot = lookup_cycles(t, 0, 1000, staged), hit = lookup_cycles(t, 0, n, staged);
		double hot_miss = lookup_cycles(t, n, 1000, staged), miss = lookup_cycles(t, n, n, staged);
		print_message(
			"%u entries, %s: cycles per hit %.0f hot, %.0f random; per miss %.0f hot, %.0f random\n", n,
			staged ? "in stages" : "one by one", hot, hit, hot_miss, miss);
	}
}

/* The same million built twice, and what a transaction for one name takes of it. */
static void
print_changes(struct names *t, const struct entry *e, uint32_t n)
{
	enum { CHANGES = 2000 };
	for (unsigned sized = 0; sized < 2; sized++) {
		uint64_t begin = cycles_now();
		struct names built = table_of(e, n, sized ? n : 0);
		print_message("building %u entries %s: %.0f cycles each\n", n,
			      sized ? "with room made" : "from nothing", (double)(cycles_now() - begin) / n);
		names_free(&built);
	}
	uint64_t begin = cycles_now();
	for (unsigned k = 0; k < CHANGES; k++) {
		struct names_txn *txn = names_txn_begin(t, 0);
		assert_non_null(txn);
		put(txn, &e[random_below(n)]);
		commit_and_free_old(txn, t);
	}
	print_message("%u entries: %.0f cycles per transaction of one put\n", n,
		      (double)(cycles_now() - begin) / CHANGES);
}

static void
test_cost_is_constant(void **state)
{
	static const uint32_t stage[] = {1000, 10000, 100000, 1000000};
	enum { N = 1000000 };
	size_t start = zalloc_bytes();
	struct entry *e = entries_new(&plain, N);
	struct names t = {0};
	uint32_t n = 0;
	for (unsigned s = 0; s < ARRAY_LEN(stage); s++) {
		while (n < stage[s]) {
			struct names_txn *txn = names_txn_begin(&t, 0);
			assert_non_null(txn);
			for (unsigned k = 0; k < 1000; k++)
				put(txn, &e[n++]);
			commit_and_free_old(txn, &t);
		}
		struct cost worst = {0};
		for (unsigned k = 0; k < 1000; k++) {
			struct cost c = cost_of_put(&t, &e[k * (n / 1000)]); /* there already: no split */
			assert_int_equal(c.pages, 1);
			worst.chunks = c.chunks > worst.chunks ? c.chunks : worst.chunks;
			worst.fresh_bytes = c.fresh_bytes > worst.fresh_bytes ? c.fresh_bytes : worst.fresh_bytes;
		}
		assert_true(worst.chunks <= 4);
		assert_true(worst.fresh_bytes <= 1024 + 4 * 4096 + 512);
		double per_entry = (double)names_bytes(&t) / n;
		assert_true(per_entry < 16);
		print_message("%u entries: %.2f bytes per entry; 1-entry transaction: 1 page, at most %zu chunks\n",
			      n, per_entry, worst.chunks);
	}
	assert_int_equal(t.count, N);
	print_lookups(&t, N);
	print_changes(&t, e, N);
	names_free(&t);
	free(e);
	assert_int_equal(zalloc_bytes(), start);
}

/* Mean over sizes, since the fill swings between two doublings. */
static void
test_mean_fill(void **state)
{
	enum { FROM = 16384, TO = 65536 };
	struct entry *e = entries_new(&plain, TO);
	struct names t = table_of(e, FROM, 0);
	double sum = 0;
	unsigned samples = 0;
	for (uint32_t n = FROM; n < TO; samples++) {
		struct names_txn *txn = names_txn_begin(&t, 0);
		assert_non_null(txn);
		for (uint32_t step = n / 32; step > 0 && n < TO; step--)
			put(txn, &e[n++]);
		commit_and_free_old(txn, &t);
		sum += (double)names_bytes(&t) / n;
	}
	print_message("%u to %u entries: %.2f bytes per entry in the mean\n", (unsigned)FROM, (unsigned)TO,
		      sum / samples);
	assert_true(sum / samples < 13.5);
	names_free(&t);
	free(e);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_expected),
		cmocka_unit_test(test_growth_by_one),
		cmocka_unit_test(test_cost_is_constant),
		cmocka_unit_test(test_mean_fill),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
