/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Zone memory. See alloc.h.
 *
 * The count of bytes is one relaxed atomic: builders are few and each request is followed by real work, so the
 * shared line costs nothing that can be measured.
 */
#include "zones/base/alloc.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>

/* jemalloc's free() of a known size, which need not look the size up; NULL where jemalloc is not linked. */
void sdallocx(void *p, size_t size, int flags) __attribute__((weak));

static _Atomic size_t bytes_out;
static _Atomic unsigned long fail_countdown;

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

void *
zalloc(size_t size, size_t align)
{
	assert(align <= 16 || size % align == 0);
	if (must_fail())
		return NULL;
	void *p = align <= 16 ? malloc(size) : aligned_alloc(align, size);
	if (p != NULL)
		atomic_fetch_add_explicit(&bytes_out, size, memory_order_relaxed);
	return p;
}

void
zalloc_free(void *p, size_t size)
{
	if (p == NULL)
		return;
	atomic_fetch_sub_explicit(&bytes_out, size, memory_order_relaxed);
	if (sdallocx != NULL)
		sdallocx(p, size != 0 ? size : 1, 0);
	else
		free(p);
}

size_t
zalloc_bytes(void)
{
	return atomic_load_explicit(&bytes_out, memory_order_relaxed);
}

void
zalloc_fail_at(unsigned long n)
{
	atomic_store_explicit(&fail_countdown, n, memory_order_relaxed);
}
