/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Time as the processor counts it, because asking the kernel for each burst would cost more than the burst. Ticks
 * are the same on all cores wherever the kernel itself takes them for its clock. Any thread.
 */
#ifndef ANSER_BLAST_CLOCK_H
#define ANSER_BLAST_CLOCK_H

#include <stdint.h>

/* A time stamp of 32 bits counts units of 64 ticks: some 25 ns, and it wraps after a minute or more. */
#define CLOCK_STAMP_SHIFT 6

static inline uint64_t
clock_ticks(void)
{
#ifdef __x86_64__
	return __builtin_ia32_rdtsc();
#else
	uint64_t ticks;
	__asm__ volatile("mrs %0, cntvct_el0" : "=r"(ticks));
	return ticks << CLOCK_STAMP_SHIFT; /* it counts slowly enough as it is */
#endif
}

static inline uint32_t
clock_stamp(uint64_t ticks)
{
	return (uint32_t)(ticks >> CLOCK_STAMP_SHIFT);
}

/* Lets the other thread of this core work for a moment. */
static inline void
clock_pause(void)
{
#ifdef __x86_64__
	__builtin_ia32_pause();
#endif
}

/* Ticks a second, measured against the kernel's clock: takes 50 ms. */
double clock_measure_hz(void);

#endif
