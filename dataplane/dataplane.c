/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The dataplane: workers, and the one port driver that the mode asks for. See dataplane.h.
 */
#include "dataplane/dataplane.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/port.h"
#include "dataplane/worker.h"

struct dataplane {
	const struct port_driver *driver;
	void *state; /* the driver's */
	atomic_bool stop;
	unsigned n_workers;
	struct worker *workers;
};

static const struct port_driver *
driver_of_mode(enum dataplane_mode mode)
{
	if (mode == DATAPLANE_KERNEL)
		return &port_kernel_driver;
#ifdef HAVE_DPDK
	return &port_dpdk_driver;
#else
	return NULL;
#endif
}

static int
config_check(const struct dataplane_config *config, struct diag_list *diag)
{
	if (driver_of_mode(config->mode) == NULL) {
		diag_add(diag, DIAG_ERROR, NULL, 0, 0,
			 "this build has no DPDK, so only `dataplane: {mode: kernel}` works; build with "
			 "-Ddpdk=enabled "
			 "for the others");
		return -ENOTSUP;
	}
	if (config->mode != DATAPLANE_KERNEL && config->n_ports == 0) {
		diag_add(diag, DIAG_ERROR, NULL, 0, 0,
			 "dataplane: this mode needs at least one port, as in `ports: [{device: eth1}]`");
		return -EINVAL;
	}
	if (config->n_listen == 0) {
		diag_add(diag, DIAG_ERROR, NULL, 0, 0, "server: there is no address to listen on");
		return -EINVAL;
	}
	return 0;
}

static int
workers_new(struct dataplane *dp, const struct dataplane_config *config)
{
	dp->n_workers = config->n_cores > 0 ? config->n_cores : 1;
	dp->workers = aligned_alloc(CACHE_LINE, dp->n_workers * sizeof(struct worker));
	if (dp->workers == NULL)
		return -ENOMEM;
	memset(dp->workers, 0, dp->n_workers * sizeof(struct worker));
	for (unsigned i = 0; i < dp->n_workers; i++) {
		struct worker *w = &dp->workers[i];
		w->root = config->root;
		w->stop = &dp->stop;
		w->idle_busy = config->idle_busy;
		w->cpu = config->n_cores > 0 ? (int)config->cores[i] : -1;
		w->punts = punts_new();
		if (w->punts == NULL)
			return -ENOMEM;
	}
	return 0;
}

static void
workers_free(struct dataplane *dp)
{
	for (unsigned i = 0; dp->workers != NULL && i < dp->n_workers; i++) {
		free(dp->workers[i].queues);
		punts_free(dp->workers[i].punts);
	}
	free(dp->workers);
}

int
dataplane_open(const struct dataplane_config *config, struct diag_list *diag, struct dataplane **out)
{
	int err = config_check(config, diag);
	if (err != 0)
		return err;
	struct dataplane *dp = calloc(1, sizeof(*dp));
	if (dp == NULL)
		return -ENOMEM;
	dp->driver = driver_of_mode(config->mode);
	err = workers_new(dp, config);
	if (err == 0)
		err = dp->driver->open(config, dp->workers, dp->n_workers, diag, &dp->state);
	if (err != 0) {
		workers_free(dp);
		free(dp);
		return err;
	}
	*out = dp;
	return 0;
}

unsigned
dataplane_worker_count(const struct dataplane *dp)
{
	return dp->n_workers;
}

int
dataplane_worker_cpu(const struct dataplane *dp, unsigned i)
{
	return dp->workers[i].cpu;
}

void
dataplane_worker_run(struct dataplane *dp, unsigned i)
{
	if (dp->driver->thread_begin != NULL)
		dp->driver->thread_begin(dp->state);
	worker_run(&dp->workers[i]);
	if (dp->driver->thread_end != NULL)
		dp->driver->thread_end(dp->state);
}

const struct counters *
dataplane_worker_counters(const struct dataplane *dp, unsigned i)
{
	return &dp->workers[i].counters;
}

bool
dataplane_punt_next(struct dataplane *dp, unsigned i, struct dataplane_punt *out)
{
	const struct punt_slot *s = punt_next(dp->workers[i].punts);
	if (s == NULL)
		return false;
	*out = (struct dataplane_punt){
		.msg = s->msg, .len = s->len, .reply_cap = s->reply_cap, .client = s->client, .id = s->id};
	return true;
}

void
dataplane_punt_end(struct dataplane *dp, unsigned i, unsigned id, const uint8_t *msg, size_t len)
{
	punt_end(dp->workers[i].punts, id, msg, len);
}

unsigned
dataplane_port_count(const struct dataplane *dp)
{
	return dp->driver->count(dp->state);
}

void
dataplane_port_stats(struct dataplane *dp, unsigned port, struct dataplane_port_stats *out)
{
	dp->driver->stats(dp->state, port, out);
}

void
dataplane_stop(struct dataplane *dp)
{
	atomic_store_explicit(&dp->stop, true, memory_order_relaxed);
}

void
dataplane_close(struct dataplane *dp)
{
	if (dp == NULL)
		return;
	dp->driver->close(dp->state);
	workers_free(dp);
	free(dp);
}
