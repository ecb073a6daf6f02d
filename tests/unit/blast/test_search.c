/* SPDX-License-Identifier: Apache-2.0 */
/* The search against servers whose limit is known. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bench/blast/search.h"

/* A server that answers up to `limit`; long probes only up to long_limit. */
struct server {
	double limit, long_limit;
	unsigned probes, fails_at; /* fails_at: the probe that ends with an error; 0: none */
	unsigned hiccups;          /* every so many probes one fails for no reason; 0: never */
	double last_confirmed;
};

static int
probe(void *arg, double rate, bool confirm, bool *passed)
{
	struct server *s = arg;
	if (++s->probes == s->fails_at)
		return -EINTR;
	*passed = rate <= (confirm ? s->long_limit : s->limit);
	if (s->hiccups > 0 && s->probes % s->hiccups == 0)
		*passed = false;
	if (confirm)
		s->last_confirmed = rate;
	return 0;
}

static int
search(struct server *s, double first, double *best)
{
	struct search_ops ops = {.probe = probe, .arg = s};
	return search_run(&ops, first, best);
}

static void
finds_the_limit_from_below_and_above(void **state)
{
	static const double firsts[] = {1000, 100000, 3000000};
	for (unsigned i = 0; i < 3; i++) {
		struct server s = {.limit = 123456, .long_limit = 123456};
		double best;
		assert_int_equal(search(&s, firsts[i], &best), 0);
		assert_true(best <= 123456 && best >= 123456 / 1.02);
		assert_true(best == s.last_confirmed);
		assert_true(s.probes < 30);
	}
}

static void
a_moment_does_not_decide(void **state)
{
	for (unsigned hiccups = 2; hiccups < 8; hiccups++) {
		struct server s = {.limit = 123456, .long_limit = 123456, .hiccups = hiccups};
		double best;
		assert_int_equal(search(&s, 1000, &best), 0);
		assert_true(best <= 123456 && best >= 123456 / 1.05); /* a confirmation may have met one */
	}
}

static void
goes_down_until_a_rate_holds(void **state)
{
	struct server s = {.limit = 100000, .long_limit = 90000};
	double best;
	assert_int_equal(search(&s, 1000, &best), 0);
	assert_true(best <= 90000 && best > 86000);
}

static void
gives_up_where_nothing_holds(void **state)
{
	double best = -1;
	struct server never = {.limit = 0}, seldom = {.limit = 100000, .long_limit = 1000};
	assert_int_equal(search(&never, 1000, &best), -ENOENT);
	assert_int_equal(search(&seldom, 1000, &best), -ENOENT);
	assert_true(best == -1);
}

static void
ends_with_the_probes_error(void **state)
{
	for (unsigned i = 1; i < 14; i++) {
		struct server s = {.limit = 123456, .long_limit = 123456, .fails_at = i};
		double best = -1;
		assert_int_equal(search(&s, 1000, &best), -EINTR);
		assert_true(best == -1);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_the_limit_from_below_and_above),
		cmocka_unit_test(a_moment_does_not_decide),
		cmocka_unit_test(goes_down_until_a_rate_holds),
		cmocka_unit_test(gives_up_where_nothing_holds),
		cmocka_unit_test(ends_with_the_probes_error),
	};
	return cmocka_run_group_tests_name("blast-search", tests, NULL, NULL);
}
