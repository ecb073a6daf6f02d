/* SPDX-License-Identifier: Apache-2.0 */
/* The histogram against sorted values, and the pacer against arithmetic. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "bench/blast/histogram.h"
#include "bench/blast/pacer.h"
#include "bench/blast/random.h"
#include "bench/blast/tally.h"

/* -------- histogram -------- */

static struct histogram h;

static int
setup(void **state)
{
	h = (struct histogram){0};
	return 0;
}

static void
buckets_follow_each_other(void **state)
{
	for (uint32_t v = 1; v < 1u << 20; v++) {
		unsigned before = histogram_bucket(v - 1), now = histogram_bucket(v);
		assert_true(now == before || now == before + 1);
	}
	assert_int_equal(histogram_bucket(0), 0);
	assert_int_equal(histogram_bucket(UINT32_MAX), HISTOGRAM_BUCKETS - 1);
}

static int
by_value(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	return x < y ? -1 : x > y;
}

/* Values over many powers of two, as latencies are. */
static void
percentiles_are_those_of_sorted_values(void **state)
{
	enum { N = 100000 };
	static uint32_t values[N];
	uint64_t seed = 7;
	for (unsigned i = 0; i < N; i++) {
		values[i] = (uint32_t)(random_next(&seed) >> (32 + random_below(&seed, 28)));
		histogram_add(&h, values[i]);
	}
	qsort(values, N, sizeof(*values), by_value);
	static const double shares[] = {0, 0.001, 0.1, 0.5, 0.9, 0.99, 0.999, 0.9999, 1};
	for (unsigned i = 0; i < ARRAY_LEN(shares); i++) {
		unsigned rank = (unsigned)(shares[i] * N + 0.999999);
		double exact = values[rank == 0 ? 0 : rank - 1], seen = histogram_percentile(&h, shares[i]);
		double off = seen > exact ? seen - exact : exact - seen;
		assert_true(off <= exact * 0.01);
	}
	assert_int_equal(h.min, values[0]);
	assert_int_equal(h.max, values[N - 1]);
}

static void
of_nothing_all_is_zero(void **state)
{
	assert_true(histogram_percentile(&h, 0.5) == 0);
	assert_true(histogram_mean(&h) == 0);
}

static void
merging_adds_all(void **state)
{
	static struct histogram a, b;
	histogram_add(&a, 10);
	histogram_add(&a, 20);
	histogram_add(&b, 3);
	histogram_merge(&h, &a);
	histogram_merge(&h, &b);
	histogram_merge(&h, &(struct histogram){0}); /* whose smallest value is none */
	assert_int_equal(h.count, 3);
	assert_int_equal(h.min, 3);
	assert_int_equal(h.max, 20);
	assert_true(histogram_mean(&h) == 11);
	assert_true(histogram_percentile(&h, 0.5) == 10);
}

static void
tallies_add_up(void **state)
{
	static struct tally sum, one = {.sent = 5,
					.answered = 4,
					.late = 3,
					.lost = 2,
					.wrong = 1,
					.duplicate = 6,
					.stray = 7,
					.truncated = 8,
					.bytes = 9,
					.rcodes = {[3] = 10}};
	tally_merge(&sum, &one);
	tally_merge(&sum, &one);
	assert_int_equal(sum.sent, 10);
	assert_int_equal(sum.answered, 8);
	assert_int_equal(sum.late, 6);
	assert_int_equal(sum.lost, 4);
	assert_int_equal(sum.wrong, 2);
	assert_int_equal(sum.duplicate, 12);
	assert_int_equal(sum.stray, 14);
	assert_int_equal(sum.truncated, 16);
	assert_int_equal(sum.bytes, 18);
	assert_int_equal(sum.rcodes[3], 20);
}

/* -------- pacer -------- */

#define HZ 1e9 /* a tick is a nanosecond */
#define BEGIN UINT64_C(5000000000)

static void
each_query_is_due_at_its_time(void **state)
{
	struct pacer p;
	pacer_start(&p, BEGIN, 1000, (uint64_t)HZ, HZ);
	assert_int_equal(p.total, 1000);
	assert_int_equal(pacer_due(&p, BEGIN - 1, 32), 0);
	for (uint64_t n = 0; n < 1000; n++) {
		uint64_t due_at = BEGIN + n * 1000000;
		if (n > 0)
			assert_int_equal(pacer_due(&p, due_at - 1000, 32), 0);
		assert_int_equal(pacer_due(&p, due_at + 1000, 32), 1);
		pacer_sent(&p, 1);
	}
	assert_int_equal(pacer_due(&p, BEGIN + 2 * (uint64_t)HZ, 32), 0); /* that was the whole step */
}

static void
nothing_is_skipped_by_who_comes_late(void **state)
{
	struct pacer p;
	uint64_t sent = 0, late = BEGIN + 100000000;
	pacer_start(&p, BEGIN, 1000, (uint64_t)HZ, HZ);
	for (unsigned n; (n = pacer_due(&p, late, 32)) > 0; sent += n) {
		assert_true(n == 32 || n == 5);
		pacer_sent(&p, n);
	}
	assert_int_equal(sent, 101); /* a tenth of a second, and the one that is due at its end */
}

static void
a_flood_is_always_due(void **state)
{
	struct pacer p;
	pacer_start(&p, BEGIN, 0, (uint64_t)HZ, HZ);
	pacer_sent(&p, 1000000);
	assert_int_equal(pacer_due(&p, BEGIN - 1, 32), 0);
	assert_int_equal(pacer_due(&p, BEGIN, 32), 32);
}

/* Odd rates over long times: no drift. */
static void
rates_are_exact(void **state)
{
	struct pacer p;
	pacer_start(&p, BEGIN, 333333, 86400 * (uint64_t)HZ, HZ);
	assert_int_equal(p.total, UINT64_C(86400) * 333333);
	pacer_sent(&p, 0);
	p.sent = UINT64_C(43200) * 333333;
	assert_int_equal(pacer_due(&p, BEGIN + 43200 * (uint64_t)HZ - 10000, 32), 0);
	assert_int_equal(pacer_due(&p, BEGIN + 43200 * (uint64_t)HZ + 10, 32), 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(buckets_follow_each_other),
		cmocka_unit_test_setup(percentiles_are_those_of_sorted_values, setup),
		cmocka_unit_test_setup(of_nothing_all_is_zero, setup),
		cmocka_unit_test_setup(merging_adds_all, setup),
		cmocka_unit_test(tallies_add_up),
		cmocka_unit_test(each_query_is_due_at_its_time),
		cmocka_unit_test(nothing_is_skipped_by_who_comes_late),
		cmocka_unit_test(a_flood_is_always_due),
		cmocka_unit_test(rates_are_exact),
	};
	return cmocka_run_group_tests_name("blast-counting", tests, NULL, NULL);
}
