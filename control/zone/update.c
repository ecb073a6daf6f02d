/* SPDX-License-Identifier: Apache-2.0 */
/*
 * UPDATE: what the records do, the serial, and the result. See update.h and update_private.h. Pool threads.
 *
 *     read → prerequisites → form, permission → apply → serial → finish → wrap, differences
 *
 * Up to the last step everything hangs on struct update and goes with it.
 */
#include "control/zone/update.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "control/state/state_difference.h"
#include "control/zone/update_private.h"
#include "zones/base/bytes.h"
#include "zones/store/records.h"
#include "zones/wire/serial.h"

#define TTL_MAX 0x7fffffff /* beyond: 0 (RFC 2181 section 8) */

int
update_refuse(struct update *u, uint16_t rcode, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(u->out->why, sizeof(u->out->why), fmt, ap);
	va_end(ap);
	u->out->rcode = rcode;
	return -EINVAL;
}

int
update_refuse_record(struct update *u, const struct message_record *r, uint16_t rcode, const char *text)
{
	char owner[NAME_TEXT_MAX], type[RRTYPE_TEXT_MAX];
	name_to_text(r->owner, owner);
	rrtype_to_text(r->type, type);
	return update_refuse(u, rcode, "%.150s %s: %s", owner, type, text);
}

/* -------- what records do (section 3.4.2) -------- */

#define SOA_NUMBERS_LEN 20 /* serial and four timers close the data (RFC 1035 section 3.3.13) */

static uint32_t
soa_serial(const struct message_record *r)
{
	return load_be32(r->rdata + r->rdlen - SOA_NUMBERS_LEN);
}

/*
 * A new SOA must be newer than the one that is there, which a message may have raised already; and, since two steps
 * can lead half way round, newer than what is served.
 */
static bool
is_newer_soa(const struct update *u, const struct message_record *r)
{
	return serial_is_newer(soa_serial(r), u->serial) && serial_is_newer(soa_serial(r), u->base_serial);
}

static int
apply_add(struct update *u, const struct message_record *r, const struct name *owner)
{
	bool admits;
	int err = zone_change_admits(u->change, owner, r->type, &admits);
	if (err != 0)
		return err;
	if (!admits || (r->type == RRTYPE_SOA && !is_newer_soa(u, r))) {
		u->out->n_ignored++;
		return 0;
	}
	if (r->type == RRTYPE_SOA)
		u->serial = soa_serial(r);
	return zone_change_put(u->change, owner, r->type, r->ttl_s <= TTL_MAX ? r->ttl_s : 0, r->rdata, r->rdlen);
}

static int
apply_remove_set(struct update *u, const struct message_record *r, const struct name *owner, bool is_apex)
{
	if (r->type == RRTYPE_ANY)
		return is_apex ? zone_change_remove_apex_data(u->change)
			       : zone_change_remove_name(u->change, owner);
	if (is_apex && (r->type == RRTYPE_SOA || r->type == RRTYPE_NS)) {
		u->out->n_ignored++;
		return 0;
	}
	return zone_change_remove_set(u->change, owner, r->type);
}

static int
apply_remove(struct update *u, const struct message_record *r, const struct name *owner, bool is_apex)
{
	size_t n = 0;
	if (is_apex && r->type == RRTYPE_NS) {
		int err = zone_change_count(u->change, owner, RRTYPE_NS, &n);
		if (err != 0)
			return err;
	}
	if (is_apex && (r->type == RRTYPE_SOA || n == 1)) {
		u->out->n_ignored++;
		return 0;
	}
	return zone_change_remove(u->change, owner, r->type, r->rdata, r->rdlen);
}

static int
apply_records(struct update *u)
{
	int err = 0;
	for (unsigned i = u->message.n_prerequisites; i < u->message.n && err == 0; i++) {
		const struct message_record *r = &u->message.records[i];
		struct name owner;
		name_copy(&owner, r->owner);
		bool is_apex = owner.len == u->apex.len;
		if (r->rrclass == RRCLASS_IN)
			err = apply_add(u, r, &owner);
		else if (r->rrclass == RRCLASS_ANY)
			err = apply_remove_set(u, r, &owner, is_apex);
		else
			err = apply_remove(u, r, &owner, is_apex);
	}
	return err;
}

/* -------- the serial (section 3.6) -------- */

static uint32_t
serial_of_date(uint32_t now_s)
{
	struct tm t;
	time_t now = now_s;
	gmtime_r(&now, &t);
	return (uint32_t)((t.tm_year + 1900) * 10000 + (t.tm_mon + 1) * 100 + t.tm_mday) * 100;
}

/* 0 is left out, as others do: some take it for "no serial". */
static uint32_t
next_serial(enum config_serial_policy policy, uint32_t old, uint32_t now_s)
{
	uint32_t wanted = old;
	if (policy == CONFIG_SERIAL_UNIXTIME)
		wanted = now_s;
	else if (policy == CONFIG_SERIAL_DATE)
		wanted = serial_of_date(now_s);
	if (wanted != 0 && serial_is_newer(wanted, old))
		return wanted;
	return old + 1 != 0 ? old + 1 : 1;
}

/* Raises the serial of the base's SOA; only one with a newer serial can have taken its place. */
static int
raise_serial(struct update *u)
{
	uint8_t rdata[RDATA_MAX_LEN];
	struct zone_record soa;
	if (u->serial != u->base_serial)
		return 0;
	records_soa(u->request->base->snapshot, rdata, &soa);
	u->serial = next_serial(u->request->serial_policy, u->serial, u->request->now_s);
	store_be32(rdata + soa.rdlen - SOA_NUMBERS_LEN, u->serial);
	return zone_change_put(u->change, &u->apex, RRTYPE_SOA, soa.ttl_s, rdata, soa.rdlen);
}

/* -------- the whole -------- */

/* The first error of the checks is the reason. */
static int
refuse_zone(struct update *u)
{
	for (unsigned i = 0; i < u->diag.n; i++) {
		if (u->diag.items[i].severity == DIAG_ERROR)
			return update_refuse(u, RCODE_REFUSED, "%s", u->diag.items[i].message);
	}
	return update_refuse(u, RCODE_REFUSED, "the zone would not pass the checks");
}

static int
finish(struct update *u)
{
	struct snapshot *next;
	struct snapshot_remains *remains;
	int err = zone_change_finish(u->change, &next, &remains);
	u->change = NULL;
	if (err != 0)
		return err == -EINVAL ? refuse_zone(u) : err;
	struct state_difference d = {0};
	struct served *served = NULL;
	if (state_difference_make(u->request->base->snapshot, next, UINT64_MAX, &d) == 0)
		served = served_new_changed(u->request->base, next, remains);
	if (served == NULL) {
		state_changes_free(d.changes);
		snapshot_discard(next, remains);
		return -ENOMEM;
	}
	u->out->serial = next->serial;
	u->out->next = served;
	u->out->changes = d.changes;
	u->out->n_removed = (unsigned)d.n_removed;
	u->out->n_added = (unsigned)d.n_added;
	return 0;
}

static int
run(struct update *u)
{
	int err = update_message_read(u);
	if (err != 0)
		return err;
	u->change = zone_change_new(u->request->base->snapshot, ZONE_CHANGE_LENIENT, &u->diag);
	if (u->change == NULL)
		return -ENOMEM;
	err = update_check_prerequisites(u);
	if (err == 0)
		err = update_check_records(u);
	if (err == 0)
		err = apply_records(u);
	if (err != 0 || !zone_change_is_effective(u->change))
		return err;
	err = raise_serial(u);
	return err == 0 ? finish(u) : err;
}

void
update_run(const struct update_request *request, struct update_result *out)
{
	const struct snapshot *base = request->base->snapshot;
	struct update u = {.request = request, .out = out, .base_serial = base->serial, .serial = base->serial};
	*out = (struct update_result){.rcode = RCODE_NOERROR, .serial = base->serial};
	name_copy(&u.apex, node_name(base->apex));
	int err = run(&u);
	if (err != 0 && out->rcode == RCODE_NOERROR)
		update_refuse(&u, RCODE_SERVFAIL, err == -ENOMEM ? "out of memory" : "no room for so many names");
	zone_change_abort(u.change);
	update_message_free(&u.message);
	diag_clear(&u.diag);
}
