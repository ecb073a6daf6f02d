/* SPDX-License-Identifier: Apache-2.0 */
/* A crew for tests: three threads that are made for each piece of work, and the caller. */
#ifndef ANSER_TESTS_CREW_FIXTURE_H
#define ANSER_TESTS_CREW_FIXTURE_H

#include <pthread.h>

#include "zones/base/crew.h"

#define CREW_FIXTURE_SIZE 4

struct crew_fixture_work {
	void (*work)(void *arg);
	void *arg;
};

static void *
crew_fixture_thread(void *arg)
{
	const struct crew_fixture_work *w = arg;
	w->work(w->arg);
	return NULL;
}

static void
crew_fixture_run(struct crew *crew, void (*work)(void *arg), void *arg)
{
	struct crew_fixture_work w = {work, arg};
	pthread_t threads[CREW_FIXTURE_SIZE - 1];
	for (unsigned i = 0; i + 1 < crew->size; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, crew_fixture_thread, &w), 0);
	work(arg);
	for (unsigned i = 0; i + 1 < crew->size; i++)
		pthread_join(threads[i], NULL);
}

static struct crew crew_fixture = {.size = CREW_FIXTURE_SIZE, .run = crew_fixture_run};

#endif
