/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bench cases in C on Google Benchmark (https://github.com/google/benchmark).
 *
 * A case times itself with the time-stamp counter, so that it can prepare each burst outside the measured
 * stretch. The harness turns that into Google Benchmark's manual time and adds the counters `cycles`: TSC cycles an
 * item, the median over all runs, so that what else the machine does in between weighs little; and `least`, the
 * best run, for long runs on a machine with other load. Single-threaded.
 */
#ifndef ANSER_BENCH_HARNESS_H
#define ANSER_BENCH_HARNESS_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct bench_case {
	const char *name;
	int64_t arg;                    /* the case's size; shown behind the name */
	unsigned items;                 /* items that one run() handles */
	void *(*set_up)(int64_t arg);   /* before the first run; NULL result: the case is reported as failed */
	uint64_t (*run)(void *context); /* handles `items` items; returns the TSC cycles they took */
	void (*tear_down)(void *context);
};

/* Registers one case; `c` is kept by pointer. Contexts of equal set_up and arg are made anew for each case. */
void bench_register(const struct bench_case *c);

/* Runs what the command line (Google Benchmark's own flags) selects; returns main()'s exit code. */
int bench_run(int argc, char **argv);

#ifdef __cplusplus
}
#endif

#if defined(__x86_64__)
#include <x86intrin.h>
static inline uint64_t
bench_cycles(void)
{
	return __rdtsc();
}
#else
static inline uint64_t
bench_cycles(void)
{
	uint64_t v;
	__asm__ volatile("mrs %0, cntvct_el0" : "=r"(v));
	return v;
}
#endif

#endif
