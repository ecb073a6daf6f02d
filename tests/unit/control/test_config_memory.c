/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Out of memory at every place of a load. The linker puts our malloc and calloc before the library's (--wrap), so
 * the n-th request can be made to fail; the sanitizer build finds what a failure leaves behind.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "control/config/config.h"
#include "control/config/config_arena.h"

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);

static unsigned long requests, fail_from; /* 0: never */

static bool
fails(void)
{
	requests++;
	return fail_from != 0 && requests >= fail_from;
}

void *
__wrap_malloc(size_t size)
{
	return fails() ? NULL : __real_malloc(size);
}

void *
__wrap_calloc(size_t n, size_t size)
{
	return fails() ? NULL : __real_calloc(n, size);
}

/* Loads with the n-th request and all later ones failing; returns what config_load() did. */
static int
load_failing_at(const char *path, unsigned long n)
{
	struct diag_list diag = {0};
	struct config *c = NULL;
	requests = 0;
	fail_from = n;
	int rc = config_load(path, &c, &diag);
	fail_from = 0;
	if (rc == -ENOMEM) {
		assert_null(c);
		assert_true(diag.n_errors > 0);
	}
	config_free(c);
	diag_clear(&diag);
	return rc;
}

static void
every_failure_is_told(const char *path, int want)
{
	unsigned long n = 1;
	while (load_failing_at(path, n) == -ENOMEM)
		n++;
	assert_true(n > 4); /* requests were made, and failed */
	assert_true(n > requests);
	assert_int_equal(load_failing_at(path, 0), want);
}

static void
good_and_bad_files_survive_it(void **state)
{
	(void)state;
	every_failure_is_told("config_good/templates.yaml", 0);
	every_failure_is_told("config_good/relative.yaml", 0);
	every_failure_is_told("config_bad/zones.yaml", -EINVAL);
	every_failure_is_told("config_bad/keys.yaml", -EINVAL);
}

static void
arenas_give_zeroed_aligned_memory(void **state)
{
	(void)state;
	struct config_arena arena = {0};
	for (size_t size = 0; size < 9000; size += 37) {
		unsigned char *p = config_arena_alloc(&arena, size);
		assert_non_null(p);
		assert_int_equal((uintptr_t)p % 16, 0);
		for (size_t i = 0; i < size; i++)
			assert_int_equal(p[i], 0);
		memset(p, 0xa5, size);
	}
	assert_null(config_arena_array(&arena, SIZE_MAX / 2, 3));
	assert_null(config_arena_alloc(&arena, SIZE_MAX - 3));
	assert_string_equal(config_arena_copy(&arena, "abcdef", 3), "abc");
	config_arena_wipe(&arena);
	assert_null(arena.last);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_and_bad_files_survive_it),
		cmocka_unit_test(arenas_give_zeroed_aligned_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
