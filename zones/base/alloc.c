/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Zone memory. See alloc.h.
 *
 * Bytes are counted in several places, each on a line of its own: several threads build one zone, with millions of
 * requests, and one line that goes to and fro between them would cost more than the requests. Who frees what
 * another thread has asked for makes its own place smaller than nothing; the sum is right.
 */
#include "zones/base/alloc.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>

/* jemalloc's free() of a known size, which need not look the size up; NULL where jemalloc is not linked. */
void sdallocx(void *p, size_t size, int flags) __attribute__((weak));

#define COUNTS 16 /* threads that come later share them */

static struct count {
	_Atomic size_t bytes;
} __attribute__((aligned(CACHE_LINE))) counts[COUNTS];
static atomic_uint n_threads;
static _Thread_local struct count *own_count;
static _Atomic unsigned long fail_countdown;

static _Atomic size_t *
bytes_out(void)
{
	if (own_count == NULL)
		own_count = &counts[atomic_fetch_add_explicit(&n_threads, 1, memory_order_relaxed) % COUNTS];
	return &own_count->bytes;
}

static int
must_fail(void)
{
	unsigned long n = atomic_load_explicit(&fail_countdown, memory_order_relaxed);
	if (n == 0)
		return 0;
	if (n > 1)
		atomic_store_explicit(&fail_countdown, n - 1, memory_order_relaxed);
	return n == 1;
}

/* -------- accounts -------- */

static _Thread_local struct zalloc_account *account;

void
zalloc_account_init(struct zalloc_account *a, int64_t bytes, int64_t limit)
{
	atomic_init(&a->bytes, bytes);
	atomic_init(&a->is_exceeded, false);
	a->limit = limit;
}

struct zalloc_account *
zalloc_account_use(struct zalloc_account *a)
{
	struct zalloc_account *before = account;
	account = a;
	return before;
}

struct zalloc_account *
zalloc_account_current(void)
{
	return account;
}

#define LARGE_MIN 14337 /* what jemalloc gives pages of its own, */
#define LARGE_MORE 4096 /* and one more, so that not all begin at the same lines of the caches */

/* What an allocator takes for `size`: a multiple of 16, or of an eighth of the power of two above. */
static int64_t
size_taken(size_t size)
{
	size_t step = 16;
	if (size > 128)
		step = (size_t)1 << (61 - __builtin_clzl(size - 1));
	return (int64_t)((size + step - 1) & ~(step - 1)) + (size >= LARGE_MIN ? LARGE_MORE : 0);
}

static bool
charge(size_t size)
{
	if (account == NULL)
		return true;
	int64_t taken = size_taken(size);
	int64_t bytes = atomic_fetch_add_explicit(&account->bytes, taken, memory_order_relaxed) + taken;
	if (account->limit == 0 || bytes <= account->limit)
		return true;
	atomic_fetch_sub_explicit(&account->bytes, taken, memory_order_relaxed);
	atomic_store_explicit(&account->is_exceeded, true, memory_order_relaxed);
	return false;
}

static void
uncharge(size_t size)
{
	if (account != NULL)
		atomic_fetch_sub_explicit(&account->bytes, size_taken(size), memory_order_relaxed);
}

/* -------- the door -------- */

void *
zalloc(size_t size, size_t align)
{
	assert(align <= 16 || size % align == 0);
	if (must_fail() || !charge(size))
		return NULL;
	void *p = align <= 16 ? malloc(size) : aligned_alloc(align, size);
	if (p != NULL)
		atomic_fetch_add_explicit(bytes_out(), size, memory_order_relaxed);
	else
		uncharge(size);
	return p;
}

void
zalloc_free(void *p, size_t size)
{
	if (p == NULL)
		return;
	atomic_fetch_sub_explicit(bytes_out(), size, memory_order_relaxed);
	uncharge(size);
	if (sdallocx != NULL)
		sdallocx(p, size != 0 ? size : 1, 0);
	else
		free(p);
}

size_t
zalloc_bytes(void)
{
	size_t sum = 0;
	for (unsigned i = 0; i < COUNTS; i++)
		sum += atomic_load_explicit(&counts[i].bytes, memory_order_relaxed);
	return sum;
}

void
zalloc_fail_at(unsigned long n)
{
	atomic_store_explicit(&fail_countdown, n, memory_order_relaxed);
}
