/* SPDX-License-Identifier: Apache-2.0 */
/* Searching for a rate. See search.h. */
#include "bench/blast/search.h"

#include <errno.h>

static int
probe(const struct search_ops *ops, double rate, bool *passed)
{
	int err = ops->probe(ops->arg, rate, false, passed);
	if (err == 0 && !*passed)
		err = ops->probe(ops->arg, rate, false, passed);
	return err;
}

/* Finds a rate that passes and one that fails, a factor of 2 apart. */
static int
bracket(const struct search_ops *ops, double first, double *good, double *bad)
{
	double rate = first;
	bool passed;
	int err = probe(ops, rate, &passed);
	if (err != 0)
		return err;
	bool up = passed;
	while (rate > first / 64 && rate < SEARCH_RATE_MAX) {
		double next = up ? rate * 2 : rate / 2;
		err = probe(ops, next, &passed);
		if (err != 0)
			return err;
		if (passed != up) {
			*good = up ? rate : next;
			*bad = up ? next : rate;
			return 0;
		}
		rate = next;
	}
	return -ENOENT;
}

static int
narrow(const struct search_ops *ops, double *good, double bad)
{
	while (bad - *good > *good * SEARCH_PRECISION) {
		double middle = (*good + bad) / 2;
		bool passed;
		int err = probe(ops, middle, &passed);
		if (err != 0)
			return err;
		if (passed)
			*good = middle;
		else
			bad = middle;
	}
	return 0;
}

int
search_run(const struct search_ops *ops, double first, double *best)
{
	double good, bad;
	int err = bracket(ops, first, &good, &bad);
	if (err == 0)
		err = narrow(ops, &good, bad);
	for (unsigned i = 0; err == 0 && i < SEARCH_CONFIRMATIONS; i++) {
		bool passed;
		err = ops->probe(ops->arg, good, true, &passed);
		if (err == 0 && passed) {
			*best = good;
			return 0;
		}
		good *= 1 - SEARCH_PRECISION;
	}
	return err != 0 ? err : -ENOENT;
}
