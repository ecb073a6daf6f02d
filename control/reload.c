/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reload: configuration and zone files, by `anserctl reload` or SIGHUP.
 *
 *     read the file, check, plan (pool) → commit (loop, in steps, cannot fail) → free the old one (pool)
 *         → load what changed (pool) → report
 *
 * A configuration with faults ends the reload at the first arrow, and everything stays as it was. With a million
 * zones a commit takes many steps; between two of them the loop does everything else, for which zones are
 * configured one by one by the old or the new configuration. Both live until the last step is done.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/base/log.h"
#include "control/daemon.h"
#include "control/net/tls.h"
#include "control/notify.h"

struct reload_waiter {
	struct reload_waiter *next;
	struct request *request;
};

struct reload {
	uv_work_t work;
	struct daemon *daemon;
	struct reload_waiter *waiters;
	struct config *config, *old; /* old: what is replaced; owned once all goes by the new one */
	struct zones_plan *plan;     /* NULL: it is in force */
	struct catalog_zones_plan *catalogs;
	bool has_lost; /* some zones go on by the old one */
	struct tsig_keys *keys;
	struct tls_server *tls; /* NULL: no TLS section */
	struct diag_list diag;
	int err;
	struct zones_op *op; /* the load; from the commit on */
	uv_timer_t progress; /* the steps of the commit; then telling those who wait */
};

#define PROGRESS_MS 1000
#define STEP_PAUSE_MS 1 /* a timer of 0 ms would fire again in the same turn */

/* -------- replies -------- */

json_t *
report_json(const struct zones_report *report)
{
	json_t *failures = json_array();
	for (unsigned i = 0; i < report->n_failures; i++)
		json_array_append_new(failures, json_pack("{ss ss}", "zone", report->failures[i].zone, "error",
							  report->failures[i].message));
	return json_pack("{sI sI sI sI so}", "zones", (json_int_t)report->total, "loaded",
			 (json_int_t)report->loaded, "unchanged", (json_int_t)report->unchanged, "failed",
			 (json_int_t)report->failed, "failures", failures);
}

static json_t *
diag_json(const struct diag_list *diag)
{
	char text[2048];
	json_t *array = json_array();
	for (unsigned i = 0; i < diag->n; i++) {
		diag_format(&diag->items[i], text, sizeof(text));
		json_array_append_new(array, json_string(text));
	}
	return array;
}

/* -------- what a reload cannot change -------- */

static bool
same_text(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}

static bool
same_dataplane(const struct config_dataplane *a, const struct config_dataplane *b)
{
	if (a->mode != b->mode || a->idle != b->idle || a->memory_bytes != b->memory_bytes ||
	    a->hugepages != b->hugepages || a->n_ports != b->n_ports || a->n_cores != b->n_cores ||
	    a->n_eal_args != b->n_eal_args)
		return false;
	for (unsigned i = 0; i < a->n_ports; i++)
		if (!same_text(a->ports[i].device, b->ports[i].device) ||
		    a->ports[i].queues != b->ports[i].queues || a->ports[i].exception != b->ports[i].exception)
			return false;
	for (unsigned i = 0; i < a->n_eal_args; i++)
		if (!same_text(a->eal_args[i], b->eal_args[i]))
			return false;
	return a->n_cores == 0 || memcmp(a->cores, b->cores, a->n_cores * sizeof(*a->cores)) == 0;
}

static bool
same_listen(const struct config_address *a, unsigned n_a, const struct config_address *b, unsigned n_b)
{
	if (n_a != n_b)
		return false;
	for (unsigned i = 0; i < n_a; i++)
		if (a[i].len != b[i].len || memcmp(&a[i].any, &b[i].any, a[i].len) != 0)
			return false;
	return true;
}

static bool
same_tcp(const struct config_tcp *a, const struct config_tcp *b)
{
	return a->threads == b->threads && a->idle_timeout_ms == b->idle_timeout_ms &&
	       a->max_connections == b->max_connections && a->max_per_source == b->max_per_source;
}

static void
warn_of_restart(const struct config *old, const struct config *new, struct diag_list *diag)
{
	const struct {
		const char *key;
		bool same;
	} rows[] = {
		{"server.listen",
		 same_listen(old->server.listen, old->server.n_listen, new->server.listen, new->server.n_listen)},
		{"server.state-dir", same_text(old->server.state_dir, new->server.state_dir)},
		{"server.run-dir", same_text(old->server.run_dir, new->server.run_dir)},
		{"server.user", same_text(old->server.user, new->server.user)},
		{"dataplane", same_dataplane(&old->dataplane, &new->dataplane)},
		{"tcp", same_tcp(&old->tcp, &new->tcp)},
		{"tls.listen", same_listen(old->tls.listen, old->tls.n_listen, new->tls.listen, new->tls.n_listen)},
	};
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++)
		if (!rows[i].same)
			diag_add(diag, DIAG_WARNING, new->path, 0, 0,
				 "%s: what changed there takes effect at the next start", rows[i].key);
}

void
daemon_warn_of_gaps(const struct config *config)
{
	if (config->anycast.enabled)
		log_warning("anycast: this version announces no routes; the section is ignored");
	if (config->dnstap.enabled)
		log_warning("dnstap: this version writes no dnstap; the section is ignored");
	if (config->metrics.enabled)
		log_warning("metrics.listen: this version has no HTTP listener; `anserctl metrics` prints the same "
			    "text");
	if (config->limits.rate_per_s != 0)
		log_warning("limits: this version limits no rates; the section is ignored");
}

/* -------- the steps -------- */

static void reload_begin(struct daemon *d, struct reload_waiter *waiters);

static void
progress_tick(uv_timer_t *t)
{
	struct reload *r = t->data;
	const struct zones_report *report = zones_op_report(r->op);
	uint64_t done = report->loaded + report->unchanged + report->failed;
	for (struct reload_waiter *w = r->waiters; w; w = w->next)
		request_progress(w->request, json_pack("{s{sIsI}}", "progress", "done", (json_int_t)done, "total",
						       (json_int_t)report->total));
}

static void
reload_closed(uv_handle_t *h)
{
	free(h->data);
}

/* Replies to all who wait, with `result` (consumed) and, unless error is empty, a failure. */
static void
reload_end(struct reload *r, const char *error, json_t *result)
{
	struct daemon *d = r->daemon;
	while (r->waiters) {
		struct reload_waiter *w = r->waiters;
		r->waiters = w->next;
		if (error[0])
			request_fail(w->request, EXIT_CODE_FAILED, json_incref(result), "%s", error);
		else
			request_reply(w->request, json_incref(result));
		free(w);
	}
	json_decref(result);
	diag_clear(&r->diag);
	uv_close((uv_handle_t *)&r->progress, reload_closed);
	d->reload = NULL;
	catalog_zones_resume(d->catalogs);
	notify_ready();
	if (!d->reload_next && !d->reload_again)
		return;
	struct reload_waiter *next = d->reload_next;
	d->reload_next = NULL;
	d->reload_again = false;
	reload_begin(d, next);
}

static void
reload_loaded(void *arg, const struct zones_report *report)
{
	struct reload *r = arg;
	char error[160] = "";
	json_t *result = report_json(report);
	json_object_set_new(result, "warnings", diag_json(&r->diag));
	if (report->failed)
		snprintf(error, sizeof(error), "%llu of %llu zones could not be loaded and keep what they had",
			 (unsigned long long)report->failed, (unsigned long long)report->total);
	log_info("reload done: %llu zones loaded, %llu unchanged, %llu failed", (unsigned long long)report->loaded,
		 (unsigned long long)report->unchanged, (unsigned long long)report->failed);
	reload_end(r, error, result);
}

static void
free_old(uv_work_t *work)
{
	struct reload *r = work->data;
	config_free(r->old);
}

static void
load_changed(uv_work_t *work, int status)
{
	struct reload *r = work->data;
	if (zones_load_all(r->daemon->zones, reload_loaded, r, &r->op) != 0)
		reload_end(r, "the configuration is in force, but memory ran out before zones could be loaded",
			   NULL);
	else
		uv_timer_start(&r->progress, progress_tick, PROGRESS_MS, PROGRESS_MS);
}

/* Zones and catalogs go by the new configuration. */
static void
reload_committed(struct reload *r)
{
	struct daemon *d = r->daemon;
	log_setup(&d->config->server.log);
	daemon_warn_of_gaps(d->config);
	if (r->has_lost) {
		log_error("out of memory: some members of catalogs keep their old settings until the next reload");
		r->old = NULL;
	}
	uv_queue_work(&d->loop, &r->work, free_old, load_changed); /* with a million zones some 100 MB */
}

static void
commit_step(uv_timer_t *t)
{
	struct reload *r = t->data;
	struct daemon *d = r->daemon;
	if (r->plan) {
		if (zones_commit_step(d->zones, r->plan)) {
			r->plan = NULL;
			r->old = d->config;
			d->config = r->config;
		}
	} else if (catalog_zones_commit_step(d->catalogs, r->catalogs, &r->has_lost)) {
		reload_committed(r);
		return;
	}
	uv_timer_start(t, commit_step, STEP_PAUSE_MS, 0);
}

static void
reload_commit(struct reload *r)
{
	struct daemon *d = r->daemon;
	warn_of_restart(d->config, r->config, &r->diag);
	log_diag(&r->diag, NULL, UINT32_MAX);
	tcp_set_tls(d->tcp, r->tls);
	commit_step(&r->progress);
}

static void
reload_planned(uv_work_t *work, int status)
{
	struct reload *r = work->data;
	if (!r->err && !r->daemon->stopping)
		r->err = daemon_take_remotes(r->daemon, r->config, r->keys, &r->diag);
	if (!r->err && !r->daemon->stopping) {
		reload_commit(r);
		return;
	}
	zones_plan_free(r->plan);
	catalog_zones_plan_free(r->catalogs);
	tsig_keys_free(r->keys);
	tls_server_free(r->tls);
	config_free(r->config);
	if (!r->err) {
		reload_end(r, "the server stops", NULL);
		return;
	}
	log_diag(&r->diag, NULL, UINT32_MAX);
	log_error("reload: the configuration has faults; the old one stays in force");
	json_t *result = json_pack("{so}", "faults", diag_json(&r->diag));
	reload_end(r, "the configuration has faults; the old one stays in force", result);
}

/* Certificates are renewed in place, so they are read at every reload. */
static int
make_tls(struct reload *r)
{
	char why[TLS_WHY_MAX];
	int err = tls_server_new(&r->config->tls, why, &r->tls);
	if (err)
		diag_add(&r->diag, DIAG_ERROR, r->config->path, 0, 0, "tls: %s", why);
	return err;
}

static void
reload_plan(uv_work_t *work)
{
	struct reload *r = work->data;
	struct daemon *d = r->daemon;
	/* d->config changes only while a plan is committed, and there is one reload at a time. */
	r->err = config_load(d->config->path, &r->config, &r->diag);
	if (!r->err)
		r->err = daemon_make_keys(r->config, &r->keys, &r->diag);
	if (!r->err && r->config->tls.enabled)
		r->err = make_tls(r);
	if (!r->err)
		r->err = zones_plan(d->zones, r->config, &r->plan);
	if (!r->err)
		r->err = catalog_zones_plan(d->catalogs, r->config, &r->catalogs);
	if (r->err && !r->diag.n_errors)
		diag_add(&r->diag, DIAG_ERROR, NULL, 0, 0, "%s", strerror(-r->err));
}

static void
reload_may_plan(void *arg)
{
	struct reload *r = arg;
	uv_queue_work(&r->daemon->loop, &r->work, reload_plan, reload_planned);
}

static void
reload_refuse(struct reload_waiter *waiters)
{
	while (waiters) {
		struct reload_waiter *w = waiters;
		waiters = w->next;
		request_fail(w->request, EXIT_CODE_FAILED, NULL, "out of memory");
		free(w);
	}
}

static void
reload_begin(struct daemon *d, struct reload_waiter *waiters)
{
	struct reload *r = calloc(1, sizeof(*r));
	if (!r) {
		reload_refuse(waiters);
		return;
	}
	notify_reloading();
	r->daemon = d;
	r->waiters = waiters;
	r->work.data = r->progress.data = r;
	uv_timer_init(&d->loop, &r->progress);
	d->reload = r;
	catalog_zones_hold(d->catalogs, reload_may_plan, r);
}

void
daemon_reload(struct daemon *d, struct request *rq)
{
	struct reload_waiter *w = NULL;
	if (rq) {
		w = malloc(sizeof(*w));
		if (!w) {
			request_fail(rq, EXIT_CODE_FAILED, NULL, "out of memory");
			return;
		}
		*w = (struct reload_waiter){.request = rq};
	}
	if (!d->reload) {
		reload_begin(d, w);
		return;
	}
	d->reload_again = true;
	if (w) {
		w->next = d->reload_next;
		d->reload_next = w;
	}
}

bool
daemon_reload_is_idle(const struct daemon *d)
{
	return !d->reload;
}
