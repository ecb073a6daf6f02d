/* SPDX-License-Identifier: Apache-2.0 */
/* What can be asked of single zones over the control socket. See commands_private.h. Control thread. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "control/commands_private.h"
#include "control/transfer/zone_dump.h"
#include "zones/wire/serial.h"

#define DUMP_PIECE_LEN 65536

/* -------- zones as JSON -------- */

static json_t *
primaries_json(const struct zone_info *info, const struct secondary_info *s)
{
	const struct config_zone *config = zone_item_config(info->item);
	json_t *array = json_array();
	for (unsigned i = 0; i < s->n_primaries && i < config->n_primaries; i++) {
		const struct secondary_primary *p = &s->primaries[i];
		char address[CONFIG_ADDRESS_TEXT_MAX];
		json_t *o = json_pack("{ss ss}", "id", config->primaries[i]->id, "address",
				      config_address_text(&config->primaries[i]->address, address));
		json_object_set_new(o, "serial", p->has_serial ? json_integer(p->serial) : json_null());
		json_object_set_new(o, "asked-at", p->asked_at_s ? json_integer(p->asked_at_s) : json_null());
		if (p->has_serial && info->has_data)
			json_object_set_new(o, "is-ahead", json_boolean(serial_is_newer(p->serial, info->serial)));
		json_array_append_new(array, o);
	}
	return array;
}

static json_t *
time_or_null(int64_t wall_s)
{
	return wall_s ? json_integer(wall_s) : json_null();
}

static void
add_secondary(json_t *o, const struct zone_info *info, const struct secondary_info *s)
{
	int64_t now_s = time(NULL);
	json_object_set_new(o, "primaries", primaries_json(info, s));
	json_object_set_new(o, "source", json_string(s->source));
	json_object_set_new(o, "refreshed-at", time_or_null(s->refreshed_at_s));
	json_object_set_new(o, "expires-at", time_or_null(s->expires_at_s));
	json_object_set_new(o, "expires-in-s",
			    s->expires_at_s ? json_integer(s->expires_at_s > now_s ? s->expires_at_s - now_s : 0)
					    : json_null());
	json_object_set_new(o, "next-refresh-at", time_or_null(s->next_at_s));
	json_object_set_new(o, "refreshing", json_boolean(s->is_refreshing));
	json_object_set_new(o, "failures", json_integer(s->failures));
	if (s->is_refreshing)
		json_object_set_new(o, "received-octets", json_integer((json_int_t)s->progress.bytes));
	if (s->has_rejected)
		json_object_set_new(o, "rolled-back-from", json_integer(s->rejected_serial));
}

static void
add_catalog(json_t *o, const struct catalogs_status *s)
{
	json_object_set_new(o, "catalog",
			    json_pack("{sI sI sb ss}", "members", (json_int_t)s->members, "served",
				      (json_int_t)s->owned, "good", s->was_good && !s->why[0], "error", s->why));
}

json_t *
zone_json(const struct daemon *d, const struct zone_info *info)
{
	char text[NAME_TEXT_MAX];
	struct secondary_info secondary = {0};
	bool is_secondary = secondary_info(info->item, &secondary);
	const char *error = info->error ? info->error : secondary.error;
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
	if (is_secondary)
		add_secondary(o, info, &secondary);
	struct catalogs_status catalog;
	if (catalog_zones_status(d->catalogs, info->apex, &catalog))
		add_catalog(o, &catalog);
	json_object_set_new(o, "from-catalog", json_boolean(zone_item_is_member(info->item)));
	json_object_set_new(o, "last-error", error ? json_string(error) : json_null());
	return o;
}

/* -------- arguments -------- */

/* The zone named by the first argument; NULL: replied to. */
static struct zone_item *
zone_argument(struct daemon *d, struct request *rq, const json_t *args)
{
	const char *text = json_string_value(json_array_get(args, 0));
	struct name root = {.len = 1}, apex;
	enum name_error e = text && *text ? name_from_text(text, strlen(text), &root, &apex) : NAME_EMPTY;
	if (e != NAME_OK) {
		request_fail(rq, EXIT_CODE_USAGE, NULL, "`%s` is not a zone name: %s", text ? text : "",
			     name_error_text(e));
		return NULL;
	}
	name_lower(apex.bytes, apex.bytes, apex.len);
	struct zone_item *item = zones_item(d->zones, &apex);
	if (!item)
		request_fail(rq, EXIT_CODE_FAILED, NULL, "no zone of this name is configured");
	return item;
}

/* Someone who waits for something to be done with a zone, which may be gone by then. */
struct zone_wish {
	struct daemon *daemon;
	struct request *request;
	struct name apex;
};

static struct zone_wish *
zone_wish_new(struct daemon *d, struct request *rq, const struct zone_item *item)
{
	struct zone_wish *zr = malloc(sizeof(*zr));
	if (!zr) {
		request_fail(rq, EXIT_CODE_FAILED, NULL, "out of memory");
		return NULL;
	}
	*zr = (struct zone_wish){.daemon = d, .request = rq};
	name_copy(&zr->apex, zone_item_apex(item));
	return zr;
}

/* Replies with the zone as it is now. */
static void
zone_wish_end(struct zone_wish *zr, const char *error)
{
	struct zone_info info;
	json_t *zone = zones_info(zr->daemon->zones, &zr->apex, &info) ? zone_json(zr->daemon, &info) : NULL;
	if (error)
		request_fail(zr->request, EXIT_CODE_FAILED, zone, "%s", error);
	else
		request_reply(zr->request, zone);
	free(zr);
}

static void
zone_wish_refuse(struct zone_wish *zr, int err, const char *not_supported)
{
	request_fail(zr->request, EXIT_CODE_FAILED, NULL, "%s",
		     err == -ENOTSUP     ? not_supported
		     : err == -ECANCELED ? "the server stops"
					 : "out of memory");
	free(zr);
}

/* -------- the commands -------- */

void
command_zone_status(struct daemon *d, struct request *rq, const json_t *args)
{
	struct zone_info info;
	struct name apex;
	const struct zone_item *item = zone_argument(d, rq, args);
	if (!item)
		return;
	name_copy(&apex, zone_item_apex(item));
	if (zones_info(d->zones, &apex, &info))
		request_reply(rq, zone_json(d, &info));
}

static void
reload_done(void *arg, const struct zones_report *report)
{
	const char *error = report->n_failures ? report->failures[0].message : "out of memory";
	zone_wish_end(arg, report->failed ? error : NULL);
}

void
command_zone_reload(struct daemon *d, struct request *rq, const json_t *args)
{
	struct zones_op *op;
	struct zone_item *item = zone_argument(d, rq, args);
	struct zone_wish *zr = item ? zone_wish_new(d, rq, item) : NULL;
	if (!zr)
		return;
	int err = zones_load_one(d->zones, &zr->apex, reload_done, zr, &op);
	if (err)
		zone_wish_refuse(zr, err,
				 "the zone is secondary: it has no file to load; `zone refresh` asks its "
				 "primaries");
}

static void
refresh_done(void *arg, const char *error)
{
	zone_wish_end(arg, error);
}

static void
refresh(struct daemon *d, struct request *rq, const json_t *args, bool whole)
{
	struct zone_item *item = zone_argument(d, rq, args);
	struct zone_wish *zr = item ? zone_wish_new(d, rq, item) : NULL;
	if (!zr)
		return;
	int err = secondary_refresh(d->secondaries, item, whole, refresh_done, zr);
	if (err)
		zone_wish_refuse(zr, err,
				 zone_item_config(item)->role == CONFIG_PRIMARY
					 ? "the zone is primary: there is nobody to ask; `zone reload` "
					   "reads its file"
					 : "the zone is still being read from state-dir");
}

void
command_zone_refresh(struct daemon *d, struct request *rq, const json_t *args)
{
	refresh(d, rq, args, false);
}

void
command_zone_retransfer(struct daemon *d, struct request *rq, const json_t *args)
{
	refresh(d, rq, args, true);
}

static void
rollback_done(void *arg, int err, const char *error, uint32_t from_serial)
{
	struct zone_wish *zr = arg;
	struct zone_item *item = zones_item(zr->daemon->zones, &zr->apex);
	if (!err && item)
		secondary_reject(zr->daemon->secondaries, item, from_serial);
	zone_wish_end(zr, err ? error : NULL);
}

void
command_zone_rollback(struct daemon *d, struct request *rq, const json_t *args)
{
	struct zone_item *item = zone_argument(d, rq, args);
	struct zone_wish *zr = item ? zone_wish_new(d, rq, item) : NULL;
	if (!zr)
		return;
	secondary_interrupt(item);
	int err = zones_rollback(d->zones, item, rollback_done, zr);
	if (err)
		zone_wish_refuse(zr, err,
				 "no versions are kept of a zone that comes from a file and that nobody "
				 "may transfer or update");
}

/* -------- dump -------- */

struct dump {
	uv_work_t work;
	struct daemon *daemon;
	struct request *request;
	struct served *served; /* held */
	struct zone_dump *text;
	size_t len;
	char piece[DUMP_PIECE_LEN + 1];
};

static void
dump_end(struct dump *dump, const char *error)
{
	if (error)
		request_fail(dump->request, EXIT_CODE_FAILED, NULL, "%s", error);
	else
		request_reply(dump->request, json_object());
	served_release(&dump->daemon->publisher, dump->served);
	dump->daemon->n_dumps--;
	zone_dump_free(dump->text);
	free(dump);
}

/* The first time this sorts the zone. */
static void
dump_work(uv_work_t *work)
{
	struct dump *dump = work->data;
	if (!dump->text)
		dump->text = zone_dump_new(dump->served->snapshot);
	dump->len = dump->text ? zone_dump_next(dump->text, dump->piece, DUMP_PIECE_LEN) : 0;
}

static void dump_next(struct request *rq, void *arg);

static void
dump_made(uv_work_t *work, int status)
{
	struct dump *dump = work->data;
	if (!dump->text || dump->daemon->stopping || request_is_gone(dump->request))
		dump_end(dump, dump->text ? "the server stops" : "out of memory");
	else if (!dump->len)
		dump_end(dump, NULL);
	else
		request_piece(dump->request, json_pack("{ss%}", "text", dump->piece, dump->len), dump_next, dump);
}

static void
dump_next(struct request *rq, void *arg)
{
	struct dump *dump = arg;
	uv_queue_work(&dump->daemon->loop, &dump->work, dump_work, dump_made);
}

void
command_zone_dump(struct daemon *d, struct request *rq, const json_t *args)
{
	struct zone_item *item = zone_argument(d, rq, args);
	if (!item)
		return;
	struct dump *dump = zone_item_served(item) ? calloc(1, sizeof(*dump)) : NULL;
	if (!dump) {
		request_fail(rq, EXIT_CODE_FAILED, NULL,
			     zone_item_served(item) ? "out of memory" : "there is no data of this zone");
		return;
	}
	dump->work.data = dump;
	dump->daemon = d;
	dump->request = rq;
	dump->served = zone_item_served(item);
	served_hold(dump->served);
	d->n_dumps++;
	dump_next(rq, dump);
}
