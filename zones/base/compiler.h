/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The few compiler attributes that the tree uses, by name.
 */
#ifndef ANSER_BASE_COMPILER_H
#define ANSER_BASE_COMPILER_H

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt_arg, first_arg) __attribute__((format(printf, fmt_arg, first_arg)))
#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define CACHE_LINE 64

/*
 * Asks for the cache line at p, which need not be there. To gcc a function that does nothing else has no effect,
 * and it leaves out the calls; the empty statement is one that it must keep.
 */
static inline __attribute__((always_inline)) void
prefetch(const void *p)
{
	__builtin_prefetch(p, 0, 3);
	__asm__ volatile("");
}

#endif
