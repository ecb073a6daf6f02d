/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Helping threads. See helpers.h. A job lies on the stack of its caller, and in the list until somebody finds
 * nothing left to do in it; helpers that are at it are counted.
 */
#include "control/base/helpers.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "control/base/thread.h"
#include "zones/base/alloc.h"

struct job {
	struct job *next;
	void (*work)(void *arg);
	void *arg;
	unsigned n_helpers; /* at it now */
	struct zalloc_account *account;
};

struct helpers {
	struct crew crew;
	pthread_mutex_t mutex; /* guards the jobs and is_stopping */
	pthread_cond_t work, left;
	struct job *jobs;
	bool is_stopping;
	unsigned n;
	struct thread threads[];
};

/* Takes it out of the list, if it is there still. The mutex is held. */
static void
unlist(struct helpers *h, const struct job *j)
{
	for (struct job **at = &h->jobs; *at; at = &(*at)->next) {
		if (*at == j) {
			*at = j->next;
			return;
		}
	}
}

/* The mutex is held, but not while it works. */
static void
help(struct helpers *h, struct job *j)
{
	j->n_helpers++;
	pthread_mutex_unlock(&h->mutex);
	struct zalloc_account *before = zalloc_account_use(j->account);
	j->work(j->arg);
	zalloc_account_use(before);
	pthread_mutex_lock(&h->mutex);
	unlist(h, j);
	if (--j->n_helpers == 0)
		pthread_cond_broadcast(&h->left);
}

static void
helper_run(void *arg)
{
	struct helpers *h = arg;
	pthread_mutex_lock(&h->mutex);
	while (!h->is_stopping) {
		if (h->jobs)
			help(h, h->jobs);
		else
			pthread_cond_wait(&h->work, &h->mutex);
	}
	pthread_mutex_unlock(&h->mutex);
}

static void
helpers_run(struct crew *crew, void (*work)(void *arg), void *arg)
{
	struct helpers *h = (struct helpers *)crew; /* its first member */
	struct job j = {.work = work, .arg = arg, .account = zalloc_account_current()};
	pthread_mutex_lock(&h->mutex);
	j.next = h->jobs;
	h->jobs = &j;
	pthread_cond_broadcast(&h->work);
	pthread_mutex_unlock(&h->mutex);
	work(arg);
	pthread_mutex_lock(&h->mutex);
	unlist(h, &j);
	while (j.n_helpers > 0)
		pthread_cond_wait(&h->left, &h->mutex);
	pthread_mutex_unlock(&h->mutex);
}

int
helpers_start(unsigned n, struct helpers **out)
{
	struct helpers *h = calloc(1, sizeof(*h) + n * sizeof(h->threads[0]));
	if (!h)
		return -ENOMEM;
	h->crew = (struct crew){.size = n + 1, .run = helpers_run};
	pthread_mutex_init(&h->mutex, NULL);
	pthread_cond_init(&h->work, NULL);
	pthread_cond_init(&h->left, NULL);
	for (; h->n < n; h->n++) {
		char name[32];
		snprintf(name, sizeof(name), "anser-help-%u", h->n);
		int err = thread_start(&h->threads[h->n], name, THREAD_CPU_ANY, THREAD_RCU_NONE, helper_run, h);
		if (err) {
			helpers_stop(h);
			return err;
		}
	}
	*out = h;
	return 0;
}

struct crew *
helpers_crew(struct helpers *h)
{
	return h ? &h->crew : NULL;
}

void
helpers_stop(struct helpers *h)
{
	if (!h)
		return;
	pthread_mutex_lock(&h->mutex);
	h->is_stopping = true;
	pthread_cond_broadcast(&h->work);
	pthread_mutex_unlock(&h->mutex);
	for (unsigned i = 0; i < h->n; i++)
		thread_join(&h->threads[i]);
	pthread_cond_destroy(&h->left);
	pthread_cond_destroy(&h->work);
	pthread_mutex_destroy(&h->mutex);
	free(h);
}
