/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory for zone data: the one door through which builders and the reclaimer get and return it.
 *
 * Behind it is the process's malloc (jemalloc where it is linked, told to use huge pages). The door exists so
 * that tests can make the n-th request fail, and so that zone memory is counted apart from everything else.
 * The read side of zones/ never comes here. Any thread; no RCU state needed.
 */
#ifndef ANSER_BASE_ALLOC_H
#define ANSER_BASE_ALLOC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "zones/base/compiler.h"

/*
 * Returns `size` bytes (contents undefined), aligned to `align` (a power of two; 0 means 16), or NULL when there
 * is no memory. The caller owns them and gives them back with zalloc_free(p, size).
 */
void *zalloc(size_t size, size_t align) MUST_CHECK;

/* Gives back what zalloc() returned; `size` is the size asked for. NULL is allowed. */
void zalloc_free(void *p, size_t size);

/* Bytes of zone data that are handed out now, by the sizes asked for. */
size_t zalloc_bytes(void);

/* -------- accounts -------- */

/*
 * What one piece of work, done on some threads, has taken and not given back, and how much that may be. The work of
 * others need not end for it, so a limit bounds the work and not the process.
 *
 * Sizes are counted as an allocator hands them out, which has four sizes for each power of two. A work that frees
 * what others allocated comes to less than it has: it has made as much room.
 */
struct zalloc_account {
	_Atomic int64_t bytes;
	int64_t limit;            /* 0: none */
	_Atomic bool is_exceeded; /* a zalloc() was refused for the limit */
};

/* All zero but for the limit, and what is counted from the start on. */
void zalloc_account_init(struct zalloc_account *a, int64_t bytes, int64_t limit);

/*
 * From here on zalloc() and zalloc_free() of this thread are counted in `a` (NULL: in none), and zalloc() is
 * refused what does not fit. Returns what was used before, for the end of the work.
 */
struct zalloc_account *zalloc_account_use(struct zalloc_account *a);

/* The one that this thread uses. */
struct zalloc_account *zalloc_account_current(void);

/* -------- tests -------- */

/*
 * Tests only: makes the n-th zalloc() from now fail (1: the next one), and every later one too; 0: none.
 */
void zalloc_fail_at(unsigned long n);

#endif
