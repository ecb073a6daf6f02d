/* SPDX-License-Identifier: Apache-2.0 */
/* Work shared by a crew. See crew.h. */
#include "zones/base/crew.h"

#include <pthread.h>
#include <stdatomic.h>

#define THREADS_MAX 64

struct pieces {
	_Atomic size_t next;
	size_t n;
	void (*piece)(void *arg, size_t i);
	void *arg;
};

static void
take_pieces(void *arg)
{
	struct pieces *p = arg;
	size_t i;

	while ((i = atomic_fetch_add_explicit(&p->next, 1, memory_order_relaxed)) < p->n)
		p->piece(p->arg, i);
}

void
crew_run(struct crew *crew, void (*work)(void *arg), void *arg)
{
	if (crew == NULL || crew->size < 2)
		work(arg);
	else
		crew->run(crew, work, arg);
}

void
crew_each(struct crew *crew, size_t n, void (*piece)(void *arg, size_t i), void *arg)
{
	struct pieces p = {.n = n, .piece = piece, .arg = arg};

	crew_run(n > 1 ? crew : NULL, take_pieces, &p);
}

struct shared {
	void (*work)(void *arg);
	void *arg;
};

static void *
thread_main(void *arg)
{
	const struct shared *s = arg;

	s->work(s->arg);
	return NULL;
}

static void
run_threads(struct crew *crew, void (*work)(void *arg), void *arg)
{
	struct shared s = {work, arg};
	pthread_t threads[THREADS_MAX];
	unsigned n = 0;

	while (n + 1 < crew->size && pthread_create(&threads[n], NULL, thread_main, &s) == 0)
		n++;
	work(arg);
	while (n > 0)
		pthread_join(threads[--n], NULL);
}

struct crew
crew_of_threads(unsigned size)
{
	return (struct crew){.size = size < THREADS_MAX ? size : THREADS_MAX, .run = run_threads};
}
