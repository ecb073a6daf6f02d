/* SPDX-License-Identifier: Apache-2.0 */
/* Zone memory: what is handed out is aligned and apart from the rest, counted, and refused when a test says so. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "zones/base/alloc.h"
#include "zones/base/compiler.h"

#define N 2000

struct piece {
	uint8_t *p;
	size_t size;
};

static void
take(struct piece *piece, unsigned i)
{
	static const size_t aligns[] = {0, 16, CACHE_LINE};
	size_t align = aligns[i % ARRAY_LEN(aligns)];
	piece->size = align == CACHE_LINE ? CACHE_LINE * (1 + i % 40) : i * 37 % 20000;
	piece->p = zalloc(piece->size, align);
	assert_non_null(piece->p);
	assert_int_equal((uintptr_t)piece->p & (align != 0 ? align - 1 : 7), 0);
	memset(piece->p, (uint8_t)i, piece->size);
}

static void
give_back(struct piece *piece, unsigned i)
{
	for (size_t at = 0; at < piece->size; at++)
		assert_int_equal(piece->p[at], (uint8_t)i);
	zalloc_free(piece->p, piece->size);
}

/* Many sizes, of which each second one is given back and taken again, so that a wrong size would mix them up. */
static void
test_sizes(void **state)
{
	static struct piece pieces[N];
	size_t sum = 0;
	for (unsigned i = 0; i < N; i++)
		take(&pieces[i], i);
	for (unsigned i = 0; i < N; i += 2)
		give_back(&pieces[i], i);
	for (unsigned i = 0; i < N; i += 2)
		take(&pieces[i], i);
	for (unsigned i = 0; i < N; i++)
		sum += pieces[i].size;
	assert_int_equal(zalloc_bytes(), sum);
	for (unsigned i = 0; i < N; i++)
		give_back(&pieces[i], i);
	zalloc_free(NULL, 100);
	assert_int_equal(zalloc_bytes(), 0);
}

static void
test_fail_at(void **state)
{
	zalloc_fail_at(2);
	void *first = zalloc(10, 0);
	assert_non_null(first);
	assert_null(zalloc(10, 0));
	assert_null(zalloc(CACHE_LINE, CACHE_LINE));
	assert_int_equal(zalloc_bytes(), 10);
	zalloc_fail_at(0);
	zalloc_free(first, 10);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_fail_at),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
