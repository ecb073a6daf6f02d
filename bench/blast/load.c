/* SPDX-License-Identifier: Apache-2.0 */
/* Steps of the load. See load.h. */
#include "bench/blast/load.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench/blast/clock.h"
#include "bench/blast/runner.h"
#include "bench/blast/window.h"

/* All threads are there when sending begins. */
#define START_S 0.05
#define GRACE_S 0.1
#define POLL_NS 20000000

/* Queries that may be on their way: what is sent until a reply is late, twice and a half, so that late ones are
 * still known. Between these, whatever the rate is. */
#define WINDOW_TIMEOUTS 2.5
#define WINDOW_LEAST 65536.0
#define WINDOW_MOST 4194304.0

struct load {
	struct runner_common common;
	struct load_port *port;
	struct runner *runners;
	struct tally *tallies; /* one a runner */
	pthread_t *threads;
	unsigned *cores; /* NULL: not pinned */
	double hz;
};

/* -------- opening -------- */

static int
windows_open(struct load *l, const struct load_config *c)
{
	double wanted = c->rate_max > 0 ? c->rate_max * c->timeout_s * WINDOW_TIMEOUTS : WINDOW_MOST;
	wanted = wanted < WINDOW_LEAST ? WINDOW_LEAST : wanted > WINDOW_MOST ? WINDOW_MOST : wanted;
	uint32_t sources = l->common.sources_per_runner;
	int err = 0;
	for (unsigned i = 0; i < l->common.n_runners && err == 0; i++)
		err = window_open(&l->common.windows[i], sources, l->port->run,
				  (uint64_t)(wanted / l->common.n_runners), (uint16_t)clock_ticks());
	return err;
}

static int
load_allocate(struct load *l, const struct load_config *c)
{
	unsigned n = c->port.n_threads;
	l->common.windows = aligned_alloc(CACHE_LINE, n * sizeof(*l->common.windows));
	l->runners = aligned_alloc(CACHE_LINE, n * sizeof(*l->runners));
	l->tallies = calloc(n, sizeof(*l->tallies));
	l->threads = calloc(n, sizeof(*l->threads));
	l->cores = c->cores != NULL ? calloc(n, sizeof(*l->cores)) : NULL;
	if (l->common.windows == NULL || l->runners == NULL || l->tallies == NULL || l->threads == NULL ||
	    (c->cores != NULL && l->cores == NULL))
		return -ENOMEM;
	if (c->cores != NULL)
		memcpy(l->cores, c->cores, n * sizeof(*l->cores));
	memset(l->runners, 0, n * sizeof(*l->runners));
	memset(l->common.windows, 0, n * sizeof(*l->common.windows));
	for (unsigned i = 0; i < n; i++) {
		l->runners[i].common = &l->common;
		l->runners[i].index = i;
		l->runners[i].window = &l->common.windows[i];
		l->runners[i].random = c->seed + i;
		l->runners[i].tally = &l->tallies[i];
		/* in order, threads begin at equal distances */
		l->runners[i].next_question = (uint32_t)((uint64_t)c->questions->n * i / n);
	}
	return 0;
}

static struct runner_common
common_of(const struct load_config *c, double hz)
{
	return (struct runner_common){
		.questions = c->questions,
		.sources_per_runner = c->port.n_sources / c->port.n_threads,
		.n_runners = c->port.n_threads,
		.in_order = c->in_order,
		.check = c->check,
		.timeout_stamps = (uint32_t)(c->timeout_s * hz) >> CLOCK_STAMP_SHIFT,
		.show = c->show,
	};
}

static int
port_open(const struct load_port_config *c, struct diag_list *diag, struct load_port **out)
{
	if (c->mode == LOAD_UDP)
		return port_udp_open(c, diag, out);
#ifdef HAVE_DPDK
	return port_dpdk_open(c, diag, out);
#else
	diag_add(diag, DIAG_ERROR, NULL, 0, 0, "this is a build without DPDK: there is --mode udp only");
	return -ENOTSUP;
#endif
}

int
load_open(const struct load_config *c, struct diag_list *diag, struct load **out)
{
	struct load *l = calloc(1, sizeof(*l));
	if (l == NULL)
		return -ENOMEM;
	l->hz = clock_measure_hz();
	l->common = common_of(c, l->hz);
	int err = load_allocate(l, c);
	if (err == 0)
		err = port_open(&c->port, diag, &l->port);
	l->common.port = l->port;
	if (err == 0)
		err = windows_open(l, c);
	if (err != 0) {
		if (diag->n_errors == 0)
			diag_add(diag, DIAG_ERROR, NULL, 0, 0, "the load cannot be set up: %s", strerror(-err));
		load_close(l);
		return err;
	}
	*out = l;
	return 0;
}

void
load_close(struct load *l)
{
	if (l == NULL)
		return;
	for (unsigned i = 0; l->port != NULL && i < l->common.n_runners; i++)
		window_close(&l->common.windows[i]);
	if (l->port != NULL)
		l->port->ops->close(l->port);
	free(l->common.windows);
	free(l->runners);
	free(l->tallies);
	free(l->threads);
	free(l->cores);
	free(l);
}

/* -------- a step -------- */

static void *
thread_main(void *arg)
{
	runner_run(arg);
	return NULL;
}

static int
thread_start(struct load *l, unsigned i)
{
	pthread_attr_t attr;
	int err = pthread_attr_init(&attr);
	if (err != 0)
		return -err;
	if (l->cores != NULL) {
		cpu_set_t set;
		CPU_ZERO(&set);
		CPU_SET(l->cores[i], &set);
		err = pthread_attr_setaffinity_np(&attr, sizeof(set), &set);
	}
	if (err == 0)
		err = pthread_create(&l->threads[i], &attr, thread_main, &l->runners[i]);
	pthread_attr_destroy(&attr);
	return -err;
}

static void
runners_prepare(struct load *l, double rate, double seconds)
{
	unsigned n = l->common.n_runners;
	uint64_t begin = clock_ticks() + (uint64_t)(START_S * l->hz), ticks = (uint64_t)(seconds * l->hz);
	memset(l->tallies, 0, n * sizeof(*l->tallies));
	l->common.n_waiting = n;
	for (unsigned i = 0; i < n; i++) {
		struct runner *r = &l->runners[i];
		/* together they are spread evenly, too */
		uint64_t offset = rate > 0 ? (uint64_t)(l->hz / rate * i) : 0;
		pacer_start(&r->pacer, begin + offset, rate / n, ticks, l->hz);
		r->end = begin + ticks;
		r->grace = (uint64_t)(GRACE_S * l->hz);
		r->done = false;
	}
}

static bool
all_done(const struct load *l)
{
	for (unsigned i = 0; i < l->common.n_runners; i++)
		if (!__atomic_load_n(&l->runners[i].done, __ATOMIC_ACQUIRE))
			return false;
	return true;
}

static void
sum_up(const struct load *l, struct tally *out)
{
	memset(out, 0, sizeof(*out));
	for (unsigned i = 0; i < l->common.n_runners; i++)
		tally_merge(out, &l->tallies[i]);
	/* given up so far, less those that came all the same */
	out->lost -= out->late < out->lost ? out->late : out->lost;
}

static void
wait_until_done(const struct load *l, double rate, load_progress *progress, struct load_result *scratch)
{
	uint64_t begin = l->runners[0].pacer.begin, next = begin + (uint64_t)l->hz;
	while (!all_done(l)) {
		nanosleep(&(struct timespec){.tv_nsec = POLL_NS}, NULL);
		uint64_t now = clock_ticks();
		if (progress == NULL || now < next)
			continue;
		next += (uint64_t)l->hz;
		sum_up(l, &scratch->tally);
		progress(rate, (double)(now - begin) / l->hz, &scratch->tally, scratch->stamp_us);
	}
}

static double
seconds_of(const struct load *l)
{
	uint64_t last = 0, begin = l->runners[0].pacer.begin;
	for (unsigned i = 0; i < l->common.n_runners; i++)
		if (l->runners[i].finished > last)
			last = l->runners[i].finished;
	return last > begin ? (double)(last - begin) / l->hz : 0;
}

int
load_step(struct load *l, double rate, double seconds, load_progress *progress, struct load_result *out)
{
	runners_prepare(l, rate, seconds);
	unsigned started = 0;
	int err = 0;
	while (started < l->common.n_runners && err == 0) {
		err = thread_start(l, started);
		started += err == 0;
	}
	out->target_qps = rate;
	out->stamp_us = (double)(1u << CLOCK_STAMP_SHIFT) / l->hz * 1e6;
	if (err != 0) {
		load_stop(l);
		__atomic_fetch_sub(&l->common.n_waiting, l->common.n_runners - started, __ATOMIC_RELEASE);
	} else {
		wait_until_done(l, rate, progress, out);
	}
	for (unsigned i = 0; i < started; i++)
		pthread_join(l->threads[i], NULL);
	out->seconds = seconds_of(l);
	sum_up(l, &out->tally);
	return err;
}

void
load_stop(struct load *l)
{
	__atomic_store_n(&l->common.stop, true, __ATOMIC_RELAXED);
}

bool
load_is_stopped(const struct load *l)
{
	return __atomic_load_n(&l->common.stop, __ATOMIC_RELAXED);
}

int
load_send_error(const struct load *l)
{
	int err = 0;
	for (unsigned i = 0; i < l->port->n_queues && err == 0; i++)
		err = l->port->queues[i]->error;
	return err;
}
