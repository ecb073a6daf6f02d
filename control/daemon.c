/* SPDX-License-Identifier: Apache-2.0 */
/* The control loop: start, first load, signals, stop. See daemon.h. */
#include "control/daemon.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "control/log.h"
#include "control/notify.h"

#define PROGRESS_AFTER_MS 2000 /* a load that is quicker than this needs no progress line */
#define PROGRESS_EVERY_MS 500
#define PROGRESS_LOG_MS 10000 /* where there is no terminal */
#define GRACE_ALARM_MS 5000   /* a grace period lasts as long as the slowest turn: milliseconds */

/* -------- memory for what was replaced -------- */

/* An eighth of the host's memory: room for replacing large zones, and far from all there is. */
static uint64_t
retired_budget(void)
{
	long pages = sysconf(_SC_PHYS_PAGES), page_bytes = sysconf(_SC_PAGESIZE);
	uint64_t bytes = pages > 0 && page_bytes > 0 ? (uint64_t)pages * (uint64_t)page_bytes / 8 : 0;
	return bytes < (64u << 20) ? 64u << 20 : bytes;
}

/* On the reclaimer thread. */
static void
room_appeared(void *arg)
{
	struct daemon *d = arg;
	uv_async_send(&d->on_room);
}

static void
room_async(uv_async_t *a)
{
	struct daemon *d = a->data;
	zones_on_room(d->zones);
}

/* -------- the first load -------- */

static void
progress_clear_line(struct daemon *d)
{
	if (d->progress_shown)
		fprintf(stderr, "\r\033[K");
	d->progress_shown = false;
}

static void
progress_tick(uv_timer_t *t)
{
	struct daemon *d = t->data;
	const struct zones_report *r = zones_op_report(d->first_load);
	unsigned long long total = r->total, done = r->loaded + r->unchanged + r->failed;
	notify_status("loading zones: %llu of %llu", done, total);
	if (isatty(STDERR_FILENO)) {
		d->progress_shown = true;
		fprintf(stderr, "\r\033[Kloading zones: %llu of %llu, %llu with faults", done, total,
			(unsigned long long)r->failed);
	} else {
		log_info("loading zones: %llu of %llu", done, total);
	}
}

static void
first_load_done(void *arg, const struct zones_report *report)
{
	struct daemon *d = arg;
	d->first_load = NULL;
	uv_timer_stop(&d->progress);
	progress_clear_line(d);
	if (d->stopping)
		return;
	log_info("%llu zones loaded, %llu failed, in %.1f s", (unsigned long long)report->loaded,
		 (unsigned long long)report->failed, (double)(publish_now_ns() - d->started_ns) / 1e9);
	notify_ready();
	notify_status("%llu zones loaded, %llu failed", (unsigned long long)report->loaded,
		      (unsigned long long)report->failed);
}

/* -------- signals -------- */

void
daemon_stop(struct daemon *d, struct request *rq)
{
	if (rq && d->stop_request)
		request_fail(rq, EXIT_CODE_FAILED, NULL, "the server is stopping already");
	else if (rq)
		d->stop_request = rq;
	if (d->stopping)
		return;
	d->stopping = true;
	log_info("stopping");
	notify_stopping();
	uv_stop(&d->loop);
}

static void
signal_arrived(uv_signal_t *s, int number)
{
	struct daemon *d = s->data;
	if (number == SIGHUP)
		daemon_reload(d, NULL);
	else
		daemon_stop(d, NULL);
}

bool
daemon_reader_stalls(const struct daemon *d)
{
	struct reclaim_stats r;
	reclaim_stats(d->reclaim, &r);
	return r.grace_ms > GRACE_ALARM_MS || zones_waiting_to_publish(d->zones);
}

static void
sampler_tick(uv_timer_t *t)
{
	struct daemon *d = t->data;
	metrics_sample(&d->workers);
	if (daemon_reader_stalls(d))
		log_limited(CONFIG_LOG_ERROR, NULL,
			    "a worker or TCP thread hangs: replaced zone data cannot be freed");
}

/* -------- inquiries -------- */

int
daemon_make_keys(const struct config *config, struct tsig_keys **out, struct diag_list *diag)
{
	int err = tsig_keys_new(config->keys, config->n_keys, TSIG_TRUNCATION_ALLOWED, out, diag);
	if (err == -ENOMEM)
		diag_add(diag, DIAG_ERROR, NULL, 0, 0, "keys cannot be prepared: out of memory");
	return err;
}

static int
inquiries_open(struct daemon *d, struct diag_list *diag)
{
	struct tsig_keys *keys;
	int err = daemon_make_keys(d->config, &keys, diag);
	if (err)
		return err;
	d->answerer = answerer_new(&d->root, keys);
	if (!d->answerer) {
		tsig_keys_free(keys);
		return -ENOMEM;
	}
	return inquiries_new(&d->loop, answerer_handle, d->answerer, &d->inquiries);
}

/* -------- life -------- */

int
daemon_open(struct daemon *d, struct config *config, struct diag_list *diag)
{
	char path[4096];
	int err = uv_loop_init(&d->loop);
	if (err) {
		diag_add(diag, DIAG_ERROR, NULL, 0, 0, "event loop: %s", strerror(-err));
		config_free(config);
		return err;
	}
	d->config = config;
	d->started_s = time(NULL);
	d->started_ns = publish_now_ns();
	err = inquiries_open(d, diag);
	if (err)
		return err;
	snprintf(path, sizeof(path), "%s/anser.sock", config->server.run_dir);
	return server_open(&d->loop, path, daemon_command, d, diag, &d->server);
}

static void
handles_init(struct daemon *d)
{
	uv_async_init(&d->loop, &d->on_room, room_async);
	uv_timer_init(&d->loop, &d->sampler);
	uv_timer_init(&d->loop, &d->progress);
	uv_signal_init(&d->loop, &d->on_term);
	uv_signal_init(&d->loop, &d->on_int);
	uv_signal_init(&d->loop, &d->on_hup);
	d->on_room.data = d->sampler.data = d->progress.data = d;
	d->on_term.data = d->on_int.data = d->on_hup.data = d;
	d->handles_open = true;
	uv_timer_start(&d->sampler, sampler_tick, METRICS_SAMPLE_MS, METRICS_SAMPLE_MS);
	uv_signal_start(&d->on_term, signal_arrived, SIGTERM);
	uv_signal_start(&d->on_int, signal_arrived, SIGINT);
	uv_signal_start(&d->on_hup, signal_arrived, SIGHUP);
}

static int
zones_start(struct daemon *d)
{
	const struct zones_options options = {
		.loop = &d->loop, .publisher = &d->publisher, .root = &d->root, .builders = d->builders};
	int err = reclaim_start(retired_budget(), room_appeared, d, &d->reclaim);
	if (err)
		return err;
	d->publisher.reclaim = d->reclaim;
	err = zones_new(&options, &d->zones);
	if (err)
		return err;
	struct zones_plan *plan;
	err = zones_plan(d->zones, d->config, &plan);
	if (err)
		return err;
	zones_commit(d->zones, plan);
	return zones_load_all(d->zones, first_load_done, d, &d->first_load);
}

int
daemon_start(struct daemon *d, struct diag_list *diag)
{
	handles_init(d);
	int err = zones_start(d);
	if (err) {
		diag_add(diag, DIAG_ERROR, NULL, 0, 0, "zones cannot be set up: %s", strerror(-err));
		return err;
	}
	err = inquiries_start(d->inquiries, &d->inquiry_workers);
	if (err) {
		diag_add(diag, DIAG_ERROR, NULL, 0, 0, "event loop: %s", strerror(-err));
		return err;
	}
	uint64_t every_ms = isatty(STDERR_FILENO) ? PROGRESS_EVERY_MS : PROGRESS_LOG_MS;
	uv_timer_start(&d->progress, progress_tick, PROGRESS_AFTER_MS, every_ms);
	return 0;
}

void
daemon_run(struct daemon *d)
{
	uv_run(&d->loop, UV_RUN_DEFAULT);
}

static void
handles_close(struct daemon *d)
{
	uv_handle_t *const handles[] = {(uv_handle_t *)&d->on_room,  (uv_handle_t *)&d->sampler,
					(uv_handle_t *)&d->progress, (uv_handle_t *)&d->on_term,
					(uv_handle_t *)&d->on_int,   (uv_handle_t *)&d->on_hup};
	for (unsigned i = 0; d->handles_open && i < ARRAY_LEN(handles); i++)
		uv_close(handles[i], NULL);
	d->handles_open = false;
}

void
daemon_finish(struct daemon *d)
{
	d->stopping = true;
	if (d->inquiries)
		inquiries_stop(d->inquiries);
	if (d->zones) {
		zones_stop(d->zones);
		while (!zones_are_idle(d->zones) || !daemon_reload_is_idle(d))
			uv_run(&d->loop, UV_RUN_ONCE);
	}
	/* The reclaimer may call room_appeared() to its end. */
	zones_free(d->zones);
	d->zones = NULL;
	reclaim_stop(d->reclaim);
	d->reclaim = NULL;
	if (d->stop_request)
		request_reply(d->stop_request, json_object());
	d->stop_request = NULL;
	handles_close(d);
	if (d->server)
		server_close(d->server);
	uv_run(&d->loop, UV_RUN_DEFAULT);
}

void
daemon_free(struct daemon *d)
{
	server_free(d->server);
	inquiries_free(d->inquiries);
	answerer_free(d->answerer);
	config_free(d->config);
	uv_loop_close(&d->loop);
}
