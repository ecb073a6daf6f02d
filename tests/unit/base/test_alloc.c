/* SPDX-License-Identifier: Apache-2.0 */
/* Accounts of zone memory: what they count, what they refuse, and that they are a thread's own. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "zones/base/alloc.h"
#include "zones/base/compiler.h"

static void
sizes_are_counted_as_they_are_handed_out(void **state)
{
	static const size_t sizes[][2] = {{1, 16},        {16, 16},         {17, 32},        {128, 128},
					  {129, 160},     {160, 160},       {161, 192},      {256, 256},
					  {257, 320},     {4096, 4096},     {4097, 5120},    {14336, 14336},
					  {14337, 20480}, {262144, 266240}, {262145, 331776}};
	struct zalloc_account a;
	zalloc_account_init(&a, 7, 0);
	assert_null(zalloc_account_use(&a));
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		void *p = zalloc(sizes[i][0], 0);
		assert_non_null(p);
		assert_int_equal(atomic_load(&a.bytes), 7 + sizes[i][1]);
		zalloc_free(p, sizes[i][0]);
		assert_int_equal(atomic_load(&a.bytes), 7);
	}
	assert_ptr_equal(zalloc_account_use(NULL), &a);
	assert_false(atomic_load(&a.is_exceeded));
}

static void
a_limit_refuses_what_does_not_fit(void **state)
{
	struct zalloc_account a;
	zalloc_account_init(&a, 1000, 2024);
	zalloc_account_use(&a);
	void *p = zalloc(1024, 0);
	assert_non_null(p);
	assert_false(atomic_load(&a.is_exceeded));
	assert_null(zalloc(1, 0));
	assert_true(atomic_load(&a.is_exceeded));
	assert_int_equal(atomic_load(&a.bytes), 2024);
	zalloc_free(p, 1024);
	p = zalloc(1, 0);
	assert_non_null(p);
	zalloc_account_use(NULL);
	void *other = zalloc(4096, 0); /* in no account */
	assert_non_null(other);
	assert_int_equal(atomic_load(&a.bytes), 1016);
	zalloc_free(other, 4096);
	zalloc_free(p, 1);
	assert_int_equal(zalloc_bytes(), 0);
}

static void *
allocate_without(void *arg)
{
	(void)arg;
	assert_null(zalloc_account_current());
	void *p = zalloc(1 << 20, 0);
	assert_non_null(p);
	zalloc_free(p, 1 << 20);
	return NULL;
}

static void
other_threads_are_not_counted(void **state)
{
	struct zalloc_account a;
	pthread_t thread;
	zalloc_account_init(&a, 0, 1000);
	zalloc_account_use(&a);
	assert_int_equal(pthread_create(&thread, NULL, allocate_without, NULL), 0);
	pthread_join(thread, NULL);
	assert_ptr_equal(zalloc_account_current(), &a);
	zalloc_account_use(NULL);
	assert_int_equal(atomic_load(&a.bytes), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes_are_counted_as_they_are_handed_out),
		cmocka_unit_test(a_limit_refuses_what_does_not_fit),
		cmocka_unit_test(other_threads_are_not_counted),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
