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

#include "control/base/helpers.h"
#include "control/base/log.h"
#include "control/dispatch.h"
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

/* -------- state on disk -------- */

/* On the state's writer thread. */
static void
state_completed(void *arg)
{
	struct daemon *d = arg;
	uv_async_send(&d->on_state);
}

static void
state_async(uv_async_t *a)
{
	struct daemon *d = a->data;
	if (!d->state)
		return;
	state_deliver(d->state);
	zones_on_state(d->zones);
	if (d->catalogs)
		catalog_zones_on_state(d->catalogs);
}

/* A file that is damaged as a whole is kept for whoever wants to look, and all secondaries are transferred anew. */
static int
state_set_aside(const struct daemon *d, struct diag_list *diag)
{
	char from[4096], to[4160];
	snprintf(from, sizeof(from), "%s/state.mdb", d->config->server.state_dir);
	snprintf(to, sizeof(to), "%s.damaged-%lld", from, (long long)d->started_s);
	if (rename(from, to) != 0)
		return -errno;
	log_diag(diag, NULL, UINT32_MAX);
	log_error("state-dir: the file is damaged; it is kept as %s, and zones begin anew", to);
	diag_clear(diag);
	return 0;
}

static int
state_start(struct daemon *d, struct diag_list *diag)
{
	struct state_options options;
	state_options_default(&options);
	options.dir = d->config->server.state_dir;
	options.wake = state_completed;
	options.wake_arg = d;
	int err = state_open(&options, diag, &d->state);
	if (err == -EBADMSG && state_set_aside(d, diag) == 0)
		err = state_open(&options, diag, &d->state);
	return err;
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
	char text[ZONES_PROGRESS_MAX];
	zones_op_describe(d->first_load, text);
	notify_status("loading zones: %s", text);
	if (isatty(STDERR_FILENO)) {
		d->progress_shown = true;
		fprintf(stderr, "\r\033[Kloading zones: %s", text);
	} else {
		log_info("loading zones: %s", text);
	}
}

/*
 * What the state has of zones that are not configured goes once all zones are known. Members of catalogs are when
 * these have been read: until then they would be taken for strangers, and transferred anew at the next start.
 */
static void
prune_when_known(struct daemon *d)
{
	if (d->first_load || d->is_pruned || !catalog_zones_are_known(d->catalogs))
		return;
	d->is_pruned = true;
	zones_prune(d->zones);
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
	prune_when_known(d);
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
	d->peers = peers_new();
	err = d->peers ? peers_configure(d->peers, d->config, keys, diag) : -ENOMEM;
	if (err)
		return err;
	return inquiries_new(&d->loop, dispatch_inquiry, d, &d->inquiries);
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
	uv_async_init(&d->loop, &d->on_state, state_async);
	uv_timer_init(&d->loop, &d->sampler);
	uv_timer_init(&d->loop, &d->progress);
	uv_signal_init(&d->loop, &d->on_term);
	uv_signal_init(&d->loop, &d->on_int);
	uv_signal_init(&d->loop, &d->on_hup);
	d->on_room.data = d->on_state.data = d->sampler.data = d->progress.data = d;
	d->on_term.data = d->on_int.data = d->on_hup.data = d;
	d->handles_open = true;
	uv_timer_start(&d->sampler, sampler_tick, METRICS_SAMPLE_MS, METRICS_SAMPLE_MS);
	uv_signal_start(&d->on_term, signal_arrived, SIGTERM);
	uv_signal_start(&d->on_int, signal_arrived, SIGINT);
	uv_signal_start(&d->on_hup, signal_arrived, SIGHUP);
}

static struct notify_target
target_of(const struct peer *peer)
{
	return (struct notify_target){.remote = &peer->remote, .key = peer->key, .tls = peer->tls};
}

/* Whom NOTIFY goes to, by id. Where there is no memory the old ones stay, and those waited for go there. */
static void
take_targets(struct daemon *d, const struct config *config)
{
	struct notify_target *targets = calloc(config->n_remotes + 1, sizeof(*targets));
	if (!targets)
		return;
	for (unsigned i = 0; i < config->n_remotes; i++)
		targets[i] = target_of(peers_at(d->peers, i));
	notify_outs_reload(d->notify_outs, targets, config->n_remotes);
	free(targets);
}

int
daemon_take_remotes(struct daemon *d, const struct config *config, struct tsig_keys *keys, struct diag_list *diag)
{
	int err = peers_configure(d->peers, config, keys, diag);
	if (err)
		return err;
	answerer_set_keys(d->answerer, keys);
	take_targets(d, config);
	return 0;
}

/* -------- what happens to zones -------- */

static void
zone_loaded(void *arg, struct zone_item *item, const struct state_meta *meta)
{
	struct daemon *d = arg;
	secondary_loaded(d->secondaries, item, meta);
}

static void
zone_configured(void *arg, struct zone_item *item)
{
	struct daemon *d = arg;
	secondary_configured(d->secondaries, item);
}

static void
zone_removed(void *arg, struct zone_item *item)
{
	struct daemon *d = arg;
	secondary_removed(d->secondaries, item);
}

#define NOTIFY_AT_ONCE 16 /* targets of one zone that need no memory of their own */

/*
 * A version is served: those who follow the zone are told. Not at a start of what they were told before it: with a
 * million zones, it would keep us and them busy for nothing. Who missed it has timers.
 */
static void
zone_published(void *arg, struct zone_item *item)
{
	struct daemon *d = arg;
	const struct config_zone *config = zone_item_config(item);
	struct notify_target targets[NOTIFY_AT_ONCE];
	struct name apex;
	catalog_zones_published(d->catalogs, item);
	if (!config->n_notify || zone_item_is_expired(item) || zone_item_is_as_before(item))
		return;
	name_copy(&apex, zone_item_apex(item));
	for (unsigned i = 0; i < config->n_notify;) {
		unsigned n = 0;
		for (; n < NOTIFY_AT_ONCE && i < config->n_notify; i++) {
			const struct peer *peer = peers_find(d->peers, config->notify[i]);
			if (peer)
				targets[n++] = target_of(peer);
		}
		int err = notify_out_send(d->notify_outs, &apex, zone_item_served(item)->snapshot, targets, n);
		if (err)
			log_limited(CONFIG_LOG_WARNING, NULL, "NOTIFY is not sent for some zones: %s",
				    strerror(-err));
	}
}

/* What others ask of us. */
static int
services_start(struct daemon *d)
{
	const struct serve_transfers_options transfers = {
		.loop = &d->loop, .publisher = &d->publisher, .state = d->state};
	const struct updates_options updates = {
		.loop = &d->loop, .zones = d->zones, .answerer = d->answerer, .asks = d->asks, .peers = d->peers};
	int err = notify_outs_new(d->asks, 0, &d->notify_outs);
	if (!err)
		err = serve_transfers_new(&transfers, &d->serve_transfers);
	if (!err)
		err = updates_new(&updates, &d->updates);
	if (!err)
		take_targets(d, d->config);
	return err;
}

static void
catalog_read(void *arg)
{
	prune_when_known(arg);
}

static void
zone_reset(void *arg, struct zone_item *item)
{
	struct daemon *d = arg;
	catalog_zones_reset_done(d->catalogs, item);
}

static int
secondaries_start(struct daemon *d)
{
	int err = asks_new(&d->loop, &d->asks);
	if (!err)
		err = transfers_new(&d->loop, &d->transfers);
	if (!err)
		transfers_set_helpers(d->transfers, helpers_crew(d->helpers), d->state);
	const struct secondaries_options options = {.loop = &d->loop,
						    .zones = d->zones,
						    .peers = d->peers,
						    .asks = d->asks,
						    .transfers = d->transfers,
						    .reset_done = zone_reset,
						    .arg = d};
	if (!err)
		err = secondaries_new(&options, &d->secondaries);
	const struct catalog_zones_options catalogs = {.loop = &d->loop,
						       .zones = d->zones,
						       .publisher = &d->publisher,
						       .secondaries = d->secondaries,
						       .state = d->state,
						       .read = catalog_read,
						       .arg = d};
	return err ? err : catalog_zones_new(&catalogs, &d->catalogs);
}

static int
zones_start(struct daemon *d)
{
	int err = helpers_start(d->builders > 1 ? d->builders - 1 : 0, &d->helpers);
	if (err)
		return err;
	const struct zones_options options = {.loop = &d->loop,
					      .publisher = &d->publisher,
					      .root = &d->root,
					      .builders = d->builders,
					      .crew = helpers_crew(d->helpers),
					      .state = d->state,
					      .loaded = zone_loaded,
					      .published = zone_published,
					      .configured = zone_configured,
					      .removed = zone_removed,
					      .arg = d};
	err = reclaim_start(retired_budget(), room_appeared, d, &d->reclaim);
	if (err)
		return err;
	d->publisher.reclaim = d->reclaim;
	err = zones_new(&options, &d->zones);
	if (!err)
		err = secondaries_start(d);
	if (!err)
		err = services_start(d);
	if (err)
		return err;
	struct zones_plan *plan;
	err = zones_plan(d->zones, d->config, &plan);
	if (err)
		return err;
	zones_commit(d->zones, plan);
	err = catalog_zones_configure(d->catalogs, d->config);
	if (!err)
		err = zones_load_all(d->zones, first_load_done, d, &d->first_load);
	if (!err)
		zones_op_set_quiet(d->first_load); /* progress_tick() tells */
	return err ? err : catalog_zones_restore(d->catalogs, d->first_load);
}

int
daemon_start(struct daemon *d, struct diag_list *diag)
{
	handles_init(d);
	int err = state_start(d, diag);
	if (err)
		return err;
	err = zones_start(d);
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
	uv_handle_t *const handles[] = {(uv_handle_t *)&d->on_room, (uv_handle_t *)&d->on_state,
					(uv_handle_t *)&d->sampler, (uv_handle_t *)&d->progress,
					(uv_handle_t *)&d->on_term, (uv_handle_t *)&d->on_int,
					(uv_handle_t *)&d->on_hup};
	for (unsigned i = 0; d->handles_open && i < ARRAY_LEN(handles); i++)
		uv_close(handles[i], NULL);
	d->handles_open = false;
}

static bool
parts_are_idle(const struct daemon *d)
{
	return zones_are_idle(d->zones) && daemon_reload_is_idle(d) && !d->n_dumps &&
	       (!d->secondaries || secondaries_are_idle(d->secondaries)) && (!d->asks || asks_are_idle(d->asks)) &&
	       (!d->transfers || transfers_are_idle(d->transfers)) &&
	       (!d->catalogs || catalog_zones_are_idle(d->catalogs)) &&
	       (!d->notify_outs || notify_outs_are_idle(d->notify_outs)) &&
	       (!d->serve_transfers || serve_transfers_are_idle(d->serve_transfers)) &&
	       (!d->updates || updates_are_idle(d->updates));
}

/* Everybody who has something under way lets go of it, and the loop runs until all have. */
static void
parts_stop(struct daemon *d)
{
	if (!d->zones)
		return;
	if (d->secondaries)
		secondaries_stop(d->secondaries);
	if (d->catalogs)
		catalog_zones_stop(d->catalogs);
	if (d->notify_outs)
		notify_outs_stop(d->notify_outs);
	if (d->serve_transfers)
		serve_transfers_stop(d->serve_transfers);
	if (d->asks)
		asks_stop(d->asks);
	if (d->transfers)
		transfers_stop(d->transfers);
	zones_stop(d->zones);
	while (!parts_are_idle(d))
		uv_run(&d->loop, UV_RUN_ONCE);
}

static void
parts_free(struct daemon *d)
{
	catalog_zones_free(d->catalogs);
	updates_free(d->updates);
	serve_transfers_free(d->serve_transfers);
	notify_outs_free(d->notify_outs);
	transfers_free(d->transfers);
	helpers_stop(d->helpers);
	d->helpers = NULL;
	asks_free(d->asks);
	state_close(d->state);
	d->state = NULL;
	/* The reclaimer may call room_appeared() to its end. */
	zones_free(d->zones);
	d->zones = NULL;
	secondaries_free(d->secondaries);
	reclaim_stop(d->reclaim);
	d->reclaim = NULL;
	peers_free(d->peers);
}

void
daemon_finish(struct daemon *d)
{
	d->stopping = true;
	if (d->inquiries)
		inquiries_stop(d->inquiries);
	parts_stop(d);
	parts_free(d);
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
