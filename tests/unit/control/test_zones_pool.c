/* SPDX-License-Identifier: Apache-2.0 */
/* Many small pieces of work on the real libuv pool. */
#include "tests/unit/control/control_fixture.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "control/zone/zones_pool.h"

struct piece {
	struct pool_task task; /* first */
	struct fixture *f;
	unsigned number, rounds;
	bool is_long;
};

struct fixture {
	uv_loop_t loop;
	struct zones_pool *pool;
	_Atomic unsigned begun;
	unsigned done;
	_Atomic bool is_released; /* the long ones may end */
	unsigned done_before_release;
};

static void
work(struct pool_task *t)
{
	struct piece *p = (struct piece *)t;
	atomic_fetch_add(&p->f->begun, 1);
	while (p->is_long && !atomic_load(&p->f->is_released))
		usleep(100);
}

static void
done(struct pool_task *t)
{
	struct piece *p = (struct piece *)t;
	p->f->done++;
	if (!atomic_load(&p->f->is_released))
		p->f->done_before_release++;
	if (p->rounds && --p->rounds)
		zones_pool_add(p->f->pool, t);
}

static struct fixture *
begin(unsigned carriers)
{
	struct fixture *f = calloc(1, sizeof(*f));
	assert_non_null(f);
	assert_int_equal(uv_loop_init(&f->loop), 0);
	f->pool = zones_pool_new(&f->loop, carriers);
	assert_non_null(f->pool);
	return f;
}

static void
add(struct fixture *f, struct piece *p, bool is_long, unsigned rounds)
{
	*p = (struct piece){.task = {.work = work, .done = done}, .f = f, .is_long = is_long, .rounds = rounds};
	zones_pool_add(f->pool, &p->task);
}

static void
end(struct fixture *f)
{
	zones_pool_stop(f->pool);
	while (!zones_pool_is_idle(f->pool))
		uv_run(&f->loop, UV_RUN_ONCE);
	zones_pool_free(f->pool);
	assert_int_equal(uv_run(&f->loop, UV_RUN_DEFAULT), 0);
	assert_int_equal(uv_loop_close(&f->loop), 0);
	free(f);
}

static void
everything_is_done_once_a_round(void **state)
{
	enum { N = 5000, ROUNDS = 3 };
	struct fixture *f = begin(2);
	struct piece *pieces = calloc(N, sizeof(*pieces));
	assert_non_null(pieces);
	for (unsigned i = 0; i < N; i++)
		add(f, &pieces[i], false, ROUNDS);
	while (f->done < N * ROUNDS)
		uv_run(&f->loop, UV_RUN_ONCE);
	assert_int_equal(atomic_load(&f->begun), N * ROUNDS);
	end(f);
	free(pieces);
}

/* The only carrier has a long piece behind short ones, in one slice. */
static void
short_pieces_do_not_wait_for_long_ones(void **state)
{
	enum { SHORT = 100 };
	struct fixture *f = begin(1);
	struct piece pieces[SHORT + 1];
	for (unsigned i = 0; i < SHORT; i++)
		add(f, &pieces[i], false, 1);
	add(f, &pieces[SHORT], true, 1);
	while (f->done < SHORT) /* hangs if the long one holds them back */
		uv_run(&f->loop, UV_RUN_ONCE);
	assert_int_equal(f->done_before_release, SHORT);
	atomic_store(&f->is_released, true);
	while (f->done < SHORT + 1)
		uv_run(&f->loop, UV_RUN_ONCE);
	end(f);
}

/* A stop takes nothing back. */
static void
what_was_handed_in_is_done_after_a_stop(void **state)
{
	enum { N = 300 };
	struct fixture *f = begin(1);
	struct piece pieces[N];
	atomic_store(&f->is_released, true);
	for (unsigned i = 0; i < N; i++)
		add(f, &pieces[i], false, 2);
	zones_pool_stop(f->pool);
	while (!zones_pool_is_idle(f->pool))
		uv_run(&f->loop, UV_RUN_ONCE);
	assert_int_equal(f->done, 2 * N);
	end(f);
}

static void
an_unused_one_is_idle(void **state)
{
	struct fixture *f = begin(0);
	assert_true(zones_pool_is_idle(f->pool));
	end(f);
	zones_pool_free(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(everything_is_done_once_a_round),
		cmocka_unit_test(short_pieces_do_not_wait_for_long_ones),
		cmocka_unit_test(what_was_handed_in_is_done_after_a_stop),
		cmocka_unit_test(an_unused_one_is_idle),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
