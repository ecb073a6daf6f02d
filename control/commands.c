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

#include "control/daemon.h"

#define PIECE_ZONES 500

/* -------- zones as JSON -------- */

static json_t *
zone_json(const struct zone_info *info)
{
	char text[NAME_TEXT_MAX];
	name_to_text(info->apex, text);
	json_t *o = json_pack("{ss ss ss}", "name", text, "role",
			      info->role == CONFIG_PRIMARY ? "primary" : "secondary", "state",
			      zone_state_text(info->state));
	json_object_set_new(o, "serial", info->has_data ? json_integer(info->serial) : json_null());
	if (info->has_data) {
		json_object_set_new(o, "records", json_integer((json_int_t)info->records));
		json_object_set_new(o, "bytes", json_integer((json_int_t)info->bytes));
		json_object_set_new(o, "loaded-at", json_integer(info->loaded_at_s));
		json_object_set_new(o, "age-s", json_integer(time(NULL) - info->loaded_at_s));
		json_object_set_new(o, "load-ms", json_integer(info->load_ms));
	}
	if (info->file)
		json_object_set_new(o, "file", json_string(info->file));
	json_object_set_new(o, "last-error", info->error ? json_string(info->error) : json_null());
	return o;
}

/* The zone named by the first argument; false: replied to. */
static bool
zone_argument(struct request *rq, const json_t *args, struct name *out)
{
	const char *text = json_string_value(json_array_get(args, 0));
	struct name root = {.len = 1};
	enum name_error e = text && *text ? name_from_text(text, strlen(text), &root, out) : NAME_EMPTY;
	if (e != NAME_OK) {
		request_fail(rq, EXIT_CODE_USAGE, NULL, "`%s` is not a zone name: %s", text ? text : "",
			     name_error_text(e));
		return false;
	}
	name_lower(out->bytes, out->bytes, out->len);
	return true;
}

static void
command_zone_status(struct daemon *d, struct request *rq, const json_t *args)
{
	struct name apex;
	struct zone_info info;
	if (!zone_argument(rq, args, &apex))
		return;
	if (zones_info(d->zones, &apex, &info))
		request_reply(rq, zone_json(&info));
	else
		request_fail(rq, EXIT_CODE_FAILED, NULL, "no zone of this name is configured");
}

/* -------- answers in pieces -------- */

struct pieces {
	struct daemon *daemon;
	json_t *(*make)(const struct zones *z, size_t from, size_t to);
	uint64_t generation;
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
	} else if (p->next == zones_count(d->zones)) {
		request_reply(rq, json_object());
	} else {
		size_t from = p->next, left = zones_count(d->zones) - from;
		p->next += left < PIECE_ZONES ? left : PIECE_ZONES;
		is_over = false;
		request_piece(rq, p->make(d->zones, from, p->next), pieces_step, p);
	}
	if (is_over)
		free(p);
}

static void
pieces_begin(struct daemon *d, struct request *rq, json_t *first,
	     json_t *(*make)(const struct zones *z, size_t from, size_t to))
{
	struct pieces *p = malloc(sizeof(*p));
	if (!p) {
		json_decref(first);
		request_fail(rq, EXIT_CODE_FAILED, NULL, "out of memory");
		return;
	}
	*p = (struct pieces){.daemon = d, .make = make, .generation = zones_generation(d->zones)};
	if (first)
		request_piece(rq, first, pieces_step, p);
	else
		pieces_step(rq, p);
}

static json_t *
zones_piece(const struct zones *z, size_t from, size_t to)
{
	json_t *array = json_array();
	for (size_t i = from; i < to; i++) {
		struct zone_info info;
		zones_info_at(z, i, &info);
		json_array_append_new(array, zone_json(&info));
	}
	return json_pack("{so}", "zones", array);
}

static void
command_zones(struct daemon *d, struct request *rq, const json_t *args)
{
	pieces_begin(d, rq, NULL, zones_piece);
}

/* Metrics text written to memory, as {"text": ...}; `write` gets zones [from, to). */
static json_t *
text_piece(const struct daemon *d, const struct zones *z, size_t from, size_t to)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);
	if (!out)
		return NULL;
	if (d) {
		const struct metrics_sources sources = {.workers = &d->workers,
							.tcp = d->tcp,
							.zones = d->zones,
							.publisher = &d->publisher,
							.started_s = d->started_s};
		metrics_write(&sources, out);
		metrics_write_zone_head(out);
	} else {
		metrics_write_zones(z, from, to, out);
	}
	json_t *piece = fclose(out) == 0 ? json_pack("{ss}", "text", text) : NULL;
	free(text);
	return piece;
}

static json_t *
metrics_piece(const struct zones *z, size_t from, size_t to)
{
	return text_piece(NULL, z, from, to);
}

static void
command_metrics(struct daemon *d, struct request *rq, const json_t *args)
{
	pieces_begin(d, rq, text_piece(d, NULL, 0, 0), metrics_piece);
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
 * `degraded` is every zone state but ok, and a reader that stalls.
 */
static const char *
overall_state(const struct daemon *d)
{
	const uint64_t *states = zones_states(d->zones);
	if (d->first_load)
		return "loading";
	if (states[ZONE_STATE_OK] != zones_count(d->zones) || daemon_reader_stalls(d))
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

struct zone_reload {
	struct daemon *daemon;
	struct request *request;
	struct name apex;
};

static void
zone_reload_done(void *arg, const struct zones_report *report)
{
	struct zone_reload *zr = arg;
	struct zone_info info;
	bool known = zones_info(zr->daemon->zones, &zr->apex, &info);
	json_t *zone = known ? zone_json(&info) : NULL;
	if (!report->failed)
		request_reply(zr->request, zone);
	else
		request_fail(zr->request, EXIT_CODE_FAILED, zone, "%s",
			     report->n_failures ? report->failures[0].message : "out of memory");
	free(zr);
}

static void
command_zone_reload(struct daemon *d, struct request *rq, const json_t *args)
{
	struct zone_reload *zr = malloc(sizeof(*zr));
	struct name apex;
	struct zones_op *op;
	if (!zone_argument(rq, args, &apex)) {
		free(zr);
		return;
	}
	int err = -ENOMEM;
	if (zr) {
		*zr = (struct zone_reload){.daemon = d, .request = rq, .apex = apex};
		err = zones_load_one(d->zones, &apex, zone_reload_done, zr, &op);
	}
	if (!err)
		return;
	free(zr);
	request_fail(rq, EXIT_CODE_FAILED, NULL, "%s",
		     err == -ENOENT    ? "no zone of this name is configured"
		     : err == -ENOTSUP ? "the zone is secondary: it has no file to load"
				       : "out of memory");
}

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
	{"status", 0, command_status},           {"zones", 0, command_zones},
	{"zone-status", 1, command_zone_status}, {"zone-reload", 1, command_zone_reload},
	{"reload", 0, command_reload},           {"stop", 0, command_stop},
	{"metrics", 0, command_metrics},         {"version", 0, command_version},
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
