/* SPDX-License-Identifier: Apache-2.0 */
/* Helping threads: every piece is done once, for several callers at a time, in their accounts; none are needed. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "control/base/helpers.h"
#include "zones/base/alloc.h"

#define PIECES 1000
#define CALLERS 4
#define ROUNDS 50
#define PIECE_BYTES 1024

struct caller {
	struct crew *crew;
	pthread_t thread;
	struct zalloc_account account;
	void *pieces[PIECES];
	atomic_uint times[PIECES];
};

static void
do_piece(void *arg, size_t i)
{
	struct caller *c = arg;
	atomic_fetch_add(&c->times[i], 1);
	c->pieces[i] = zalloc(PIECE_BYTES, 0);
}

static void *
call(void *arg)
{
	struct caller *c = arg;
	zalloc_account_init(&c->account, 0, 0);
	zalloc_account_use(&c->account);
	for (unsigned round = 1; round <= ROUNDS; round++) {
		crew_each(c->crew, PIECES, do_piece, c);
		assert_int_equal(atomic_load(&c->account.bytes), PIECES * PIECE_BYTES);
		for (unsigned i = 0; i < PIECES; i++) {
			assert_int_equal(atomic_load(&c->times[i]), round);
			zalloc_free(c->pieces[i], PIECE_BYTES);
		}
	}
	zalloc_account_use(NULL);
	return NULL;
}

static void
callers_share_them(void **state)
{
	static struct caller callers[CALLERS];
	struct helpers *h;
	assert_int_equal(helpers_start(3, &h), 0);
	assert_int_equal(helpers_crew(h)->size, 4);
	for (unsigned i = 0; i < CALLERS; i++) {
		callers[i].crew = helpers_crew(h);
		assert_int_equal(pthread_create(&callers[i].thread, NULL, call, &callers[i]), 0);
	}
	for (unsigned i = 0; i < CALLERS; i++)
		pthread_join(callers[i].thread, NULL);
	helpers_stop(h);
	assert_int_equal(zalloc_bytes(), 0);
}

static void
none_are_needed(void **state)
{
	static struct caller alone;
	struct helpers *h;
	call(&alone); /* without a crew */
	for (unsigned i = 0; i < PIECES; i++)
		atomic_store(&alone.times[i], 0);
	assert_int_equal(helpers_start(0, &h), 0);
	alone.crew = helpers_crew(h);
	call(&alone);
	helpers_stop(h);
	assert_null(helpers_crew(NULL));
	helpers_stop(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(callers_share_them),
		cmocka_unit_test(none_are_needed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
