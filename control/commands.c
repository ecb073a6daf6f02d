/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What can be asked of the daemon over the control socket: one row a command, one function a row.
 *
 * Answers that grow with the number of zones go out in pieces of PIECE_ZONES, each made when the client has taken
 * the one before: the loop is never held up for long, and a slow client costs no memory.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "control/commands_private.h"

#define PIECE_ZONES 40 /* some 0.3 ms; libuv lets up to nine pieces follow each other in a turn of the loop */

/* -------- answers in pieces -------- */

/* Makes a piece of zones [from, to); there may be several passes over all of them. */
typedef json_t *piece_fn(const struct daemon *d, unsigned pass, size_t from, size_t to);

struct pieces {
	struct daemon *daemon;
	piece_fn *make;
	uint64_t generation;
	unsigned pass, n_passes;
	size_t next;
};

static void
pieces_step(struct request *rq, void *arg)
{
	struct pieces *p = arg;
	struct daemon *d = p->daemon;
	bool is_over = true;
	if (d->stopping || request_is_gone(rq)) {
		request_fail(rq, EXIT_CODE_FAILED, NULL, "the server stops");
	} else if (p->generation != zones_generation(d->zones)) {
		request_fail(rq, EXIT_CODE_FAILED, NULL, "the configuration changed meanwhile: ask again");
	} else if (p->pass == p->n_passes || zones_count(d->zones) == 0) {
		request_reply(rq, json_object());
	} else {
		size_t from = p->next, n = zones_count(d->zones),
		       to = n - from < PIECE_ZONES ? n : from + PIECE_ZONES;
		unsigned pass = p->pass;
		p->next = to < n ? to : 0;
		p->pass += to >= n;
		is_over = false;
		request_piece(rq, p->make(d, pass, from < to ? from : to, to), pieces_step, p);
	}
	if (is_over)
		free(p);
}

static void
pieces_begin(struct daemon *d, struct request *rq, json_t *first, piece_fn *make, unsigned n_passes)
{
	struct pieces *p = malloc(sizeof(*p));
	if (!p) {
		json_decref(first);
		request_fail(rq, EXIT_CODE_FAILED, NULL, "out of memory");
		return;
	}
	*p = (struct pieces){
		.daemon = d, .make = make, .n_passes = n_passes, .generation = zones_generation(d->zones)};
	if (first)
		request_piece(rq, first, pieces_step, p);
	else
		pieces_step(rq, p);
}

static json_t *
zones_piece(const struct daemon *d, unsigned pass, size_t from, size_t to)
{
	json_t *array = json_array();
	for (size_t i = from; i < to; i++) {
		struct zone_info info;
		zones_info_at(d->zones, i, &info);
		json_array_append_new(array, zone_json(d, &info));
	}
	return json_pack("{so}", "zones", array);
}

static void
command_zones(struct daemon *d, struct request *rq, const json_t *args)
{
	pieces_begin(d, rq, NULL, zones_piece, 1);
}

static json_t *
text_json(FILE *out, char **text)
{
	json_t *piece = fclose(out) == 0 ? json_pack("{ss}", "text", *text) : NULL;
	free(*text);
	return piece;
}

static json_t *
metrics_piece(const struct daemon *d, unsigned pass, size_t from, size_t to)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);
	if (!out)
		return NULL;
	metrics_write_zones(d->zones, pass, from, to, out);
	return text_json(out, &text);
}

static void
command_metrics(struct daemon *d, struct request *rq, const json_t *args)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);
	if (!out) {
		request_fail(rq, EXIT_CODE_FAILED, NULL, "out of memory");
		return;
	}
	const struct metrics_sources sources = {.workers = &d->workers,
						.tcp = d->tcp,
						.zones = d->zones,
						.publisher = &d->publisher,
						.state = d->state,
						.secondaries = d->secondaries,
						.transfers_out = d->serve_transfers,
						.notifies_out = d->notify_outs,
						.updates = d->updates,
						.started_s = d->started_s};
	metrics_write(&sources, out);
	pieces_begin(d, rq, text_json(out, &text), metrics_piece, METRICS_ZONE_FAMILIES);
}

/* -------- status -------- */

static json_t *
traffic_json(const struct counters *c)
{
	uint64_t dropped = 0;
	for (unsigned i = 0; i < DROP_REASON_COUNT; i++)
		dropped += c->drop[i];
	return json_pack("{sI sI sI sI sI}", "received", (json_int_t)c->rx, "answered", (json_int_t)c->tx,
			 "to-kernel", (json_int_t)c->to_kernel, "dropped", (json_int_t)dropped, "truncated",
			 (json_int_t)c->truncated);
}

static json_t *
memory_json(const struct daemon *d)
{
	struct reclaim_stats r;
	reclaim_stats(d->reclaim, &r);
	return json_pack("{sI sI sI si sb}", "retired-bytes", (json_int_t)r.retired_bytes, "retired-budget-bytes",
			 (json_int_t)r.budget_bytes, "grace-ms", (json_int_t)r.grace_ms, "publish-waiting",
			 (int)zones_waiting_to_publish(d->zones), "stalled", daemon_reader_stalls(d));
}

/*
 * One word for the whole server, worst first: whoever watches this alone must not miss a zone that is not served.
 * `degraded` is every zone state but ok, a broken catalog, and a reader that stalls.
 */
static const char *
overall_state(const struct daemon *d)
{
	const uint64_t *states = zones_states(d->zones);
	if (d->first_load)
		return "loading";
	if (states[ZONE_STATE_OK] != zones_count(d->zones) || !catalog_zones_are_good(d->catalogs) ||
	    daemon_reader_stalls(d))
		return "degraded";
	return "ok";
}

static void
command_status(struct daemon *d, struct request *rq, const json_t *args)
{
	struct counters udp, tcp, tls;
	struct tcp_stats conns;
	metrics_sum_udp(&d->workers, &udp);
	metrics_sum_tcp(d->tcp, &tcp);
	metrics_sum_tls(d->tcp, &tls);
	tcp_stats(d->tcp, &conns);
	const uint64_t *states = zones_states(d->zones);
	json_t *zones = json_pack("{sI}", "total", (json_int_t)zones_count(d->zones));
	for (unsigned i = 0; i < ZONE_STATE_COUNT; i++)
		json_object_set_new(zones, zone_state_text(i), json_integer((json_int_t)states[i]));
	json_t *o = json_pack("{ss ss ss* sI si so so sI so so}", "state", overall_state(d), "version",
			      ANSER_VERSION, "identity", d->config->server.identity, "uptime-s",
			      (json_int_t)(time(NULL) - d->started_s), "workers", (int)d->workers.n, "udp",
			      traffic_json(&udp), "tcp", traffic_json(&tcp), "tcp-connections",
			      (json_int_t)conns.connections, "zones", zones, "memory", memory_json(d));
	if (d->config->tls.enabled)
		json_object_set_new(o, "tls", traffic_json(&tls));
	request_reply(rq, o);
}

static void
command_version(struct daemon *d, struct request *rq, const json_t *args)
{
	request_reply(rq, json_pack("{ss}", "version", ANSER_VERSION));
}

/* -------- things done -------- */

static void
command_reload(struct daemon *d, struct request *rq, const json_t *args)
{
	daemon_reload(d, rq);
}

static void
command_stop(struct daemon *d, struct request *rq, const json_t *args)
{
	daemon_stop(d, rq);
}

/* -------- the table -------- */

static const struct {
	const char *name;
	size_t n_args;
	void (*run)(struct daemon *d, struct request *rq, const json_t *args);
} commands[] = {
	{"status", 0, command_status},
	{"zones", 0, command_zones},
	{"zone-status", 1, command_zone_status},
	{"zone-reload", 1, command_zone_reload},
	{"zone-refresh", 1, command_zone_refresh},
	{"zone-retransfer", 1, command_zone_retransfer},
	{"zone-rollback", 1, command_zone_rollback},
	{"zone-dump", 1, command_zone_dump},
	{"reload", 0, command_reload},
	{"stop", 0, command_stop},
	{"metrics", 0, command_metrics},
	{"version", 0, command_version},
};

void
daemon_command(void *arg, struct request *rq, const char *command, const json_t *args)
{
	struct daemon *d = arg;
	if (d->stopping || !d->zones) {
		request_fail(rq, EXIT_CODE_FAILED, NULL, "the server stops");
		return;
	}
	const char *names[ARRAY_LEN(commands) + 1] = {NULL};
	for (unsigned i = 0; i < ARRAY_LEN(commands); i++) {
		names[i] = commands[i].name;
		if (strcmp(commands[i].name, command) != 0)
			continue;
		if (json_array_size(args) == commands[i].n_args)
			commands[i].run(d, rq, args);
		else
			request_fail(rq, EXIT_CODE_USAGE, NULL, "%s takes %zu arguments", command,
				     commands[i].n_args);
		return;
	}
	const char *near = diag_nearest(command, names);
	request_fail(rq, EXIT_CODE_USAGE, NULL, "there is no command `%s`%s%s%s", command,
		     near ? "; did you mean `" : "", near ? near : "", near ? "`?" : "");
}
