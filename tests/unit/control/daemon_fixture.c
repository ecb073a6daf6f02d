/* SPDX-License-Identifier: Apache-2.0 */
/* A whole daemon. See daemon_fixture.h. */
#include "tests/unit/control/daemon_fixture.h"

#include <sys/stat.h>

#include "control/base/log.h"
#include "control/dispatch.h"
#include "control/zone/secondary_private.h"
#include "zones/base/bytes.h"
#include "zones/wire/rrtype.h"

/* -------- life -------- */

int
rig_setup(void **state)
{
	struct rig *r = calloc(1, sizeof(*r));
	alarm(2 * RIG_SECONDS); /* a daemon that does not stop */
	fixture_enter();
	assert_int_equal(mkdir("state", 0700), 0);
	assert_int_equal(mkdir("run", 0700), 0);
	r->primary = primary_start();
	*state = r;
	return 0;
}

int
rig_teardown(void **state)
{
	struct rig *r = *state;
	if (r->is_up)
		rig_stop(r);
	primary_stop(r->primary);
	primary_stop(r->second);
	free(r);
	fixture_leave();
	return 0;
}

static void
print_config(const struct rig *r, const char *config, char *out, size_t cap)
{
	unsigned ports[2] = {primary_port(r->primary), r->second ? primary_port(r->second) : 0}, n = 0;
	size_t len = 0;
	for (; *config && len < cap - 8; config++) {
		if (config[0] == '%' && config[1] == 'u') {
			assert_true(n < 2);
			len += (size_t)snprintf(out + len, cap - len, "%u", ports[n++]);
			config++;
		} else {
			out[len++] = *config;
		}
	}
	out[len] = '\0';
}

void
rig_start(struct rig *r, const char *config)
{
	const struct config_log quiet = {.level = getenv("RIG_LOG") ? CONFIG_LOG_DEBUG : CONFIG_LOG_ERROR};
	struct diag_list diag = {0};
	char text[16384];
	print_config(r, config, text, sizeof(text));
	log_setup(&quiet);
	r->d = (struct daemon){.builders = 2};
	struct config *c = fixture_config(text);
	assert_int_equal(daemon_open(&r->d, c, &diag), 0);
	assert_int_equal(tcp_open(c, &r->d.root, &diag, &r->d.tcp), 0);
	assert_int_equal(daemon_start(&r->d, &diag), 0);
	diag_clear(&diag);
	r->is_up = true;
}

void
rig_stop(struct rig *r)
{
	daemon_finish(&r->d);
	tcp_close(r->d.tcp);
	daemon_free(&r->d);
	r->is_up = false;
}

void
rig_drop(struct rig *r, const char *zone)
{
	static struct config less; /* the zones borrow it */
	static struct config_entry entries[16];
	struct name apex = fixture_name(zone);
	struct zones_plan *plan;
	less = *r->d.config;
	less.zones = entries;
	less.n_zones = 0;
	for (unsigned i = 0; i < r->d.config->n_zones; i++) {
		assert_true(less.n_zones < ARRAY_LEN(entries));
		if (!name_equal(r->d.config->zones[i].name, apex.bytes))
			entries[less.n_zones++] = r->d.config->zones[i];
	}
	assert_int_equal(zones_plan(r->d.zones, &less, &plan), 0);
	zones_commit(r->d.zones, plan);
	assert_null(rig_item(r, zone));
}

/* The log's level is the configuration's after a reload. */
void
rig_reload_begin(struct rig *r, const char *config)
{
	char text[16384];
	print_config(r, config, text, sizeof(text));
	fixture_write("anser.yaml",
		      "server: {identity: t, listen: [\"127.0.0.1@5399\"], state-dir: state, run-dir: run, "
		      "zone-dir: ., user: root, log: {level: error}}\n%s",
		      text);
	daemon_reload(&r->d, NULL);
}

void
rig_reload(struct rig *r, const char *config)
{
	rig_reload_begin(r, config);
	RIG_WAIT(r, daemon_reload_is_idle(&r->d));
}

void
rig_turn(struct rig *r)
{
	uv_run(&r->d.loop, UV_RUN_NOWAIT);
	usleep(100);
}

/* -------- looking -------- */

struct zone_item *
rig_item(struct rig *r, const char *zone)
{
	struct name apex = fixture_name(zone);
	return zones_item(r->d.zones, &apex);
}

struct zone_info
rig_info(struct rig *r, const char *zone)
{
	struct zone_info out = {0};
	struct name apex = fixture_name(zone);
	assert_true(zones_info(r->d.zones, &apex, &out));
	return out;
}

struct secondary_info
rig_secondary(struct rig *r, const char *zone)
{
	struct secondary_info out = {0};
	struct zone_item *item = rig_item(r, zone);
	if (!item || !secondary_info(item, &out))
		return (struct secondary_info){0};
	return out;
}

int64_t
rig_serial(struct rig *r, const char *zone)
{
	struct name apex = fixture_name(zone);
	const struct zone_set *set = zone_root_current(&r->d.root);
	const struct names_entry *e = names_find(&set->zones, name_hash(apex.bytes), apex.bytes, apex.len);
	if (!e)
		return -1;
	const struct snapshot *s = zone_current((const struct zone *)e);
	return s ? (int64_t)s->serial : -2;
}

bool
rig_is_quiet(struct rig *r)
{
	const struct daemon *d = &r->d;
	return zones_are_idle(d->zones) && asks_are_idle(d->asks) && !d->secondaries->n_refreshes &&
	       catalog_zones_are_idle(d->catalogs) && updates_are_idle(d->updates) && daemon_reload_is_idle(d);
}

/* -------- inquiries -------- */

static void
inquiry_replied(struct inquiry *q, const uint8_t *msg, size_t len)
{
	struct rig_inquiry *i = (struct rig_inquiry *)q;
	assert_true(len <= sizeof(i->reply));
	memcpy(i->reply, msg, len);
	i->len = len;
	i->n_ends++;
}

static void
inquiry_dropped(struct inquiry *q)
{
	((struct rig_inquiry *)q)->n_ends++;
}

void
rig_inquire(struct rig *r, struct rig_inquiry *q, const uint8_t *msg, size_t len)
{
	static const struct inquiry_ops ops = {.reply = inquiry_replied, .drop = inquiry_dropped};
	*q = (struct rig_inquiry){.inquiry = {.len = (uint32_t)len, .reply_cap = 1232, .ops = &ops}};
	assert_true(len <= sizeof(q->msg));
	memcpy(q->msg, msg, len);
	q->inquiry.msg = q->msg;
	q->inquiry.client.transport = ENGINE_UDP;
	memcpy(q->inquiry.client.address, "\x7f\0\0\1", 4);
	dispatch_inquiry(&r->d, &q->inquiry);
}

unsigned
rig_rcode(const struct rig_inquiry *q)
{
	assert_int_equal(q->n_ends, 1);
	assert_true(q->len >= DNS_HEADER_LEN);
	assert_memory_equal(q->reply, q->msg, 2);
	return q->reply[3] & 15;
}

unsigned
rig_notify(struct rig *r, const char *zone, int64_t serial)
{
	static struct message_writer w;
	static struct rig_inquiry q;
	uint8_t msg[600], soa[22] = {0};
	struct name apex = fixture_name(zone);
	struct message_question question = {apex.bytes, RRTYPE_SOA, RRCLASS_IN};
	message_begin(&w, msg, sizeof(msg), 77, OPCODE_NOTIFY << 11 | FLAG_AA);
	assert_true(message_put_question(&w, &question));
	store_be32(soa + 2, (uint32_t)serial);
	struct message_record record = {.owner = apex.bytes,
					.rdata = soa,
					.rdlen = sizeof(soa),
					.type = RRTYPE_SOA,
					.rrclass = RRCLASS_IN,
					.section = MESSAGE_ANSWER};
	if (serial >= 0)
		assert_true(message_put(&w, &record));
	rig_inquire(r, &q, msg, w.len);
	return rig_rcode(&q);
}

/* -------- commands -------- */

static void
wish_end(struct rig_wish *wish, const char *error)
{
	assert_false(wish->is_done);
	wish->is_done = true;
	snprintf(wish->error, sizeof(wish->error), "%s", error ? error : "");
}

void
rig_wish_done(void *arg, const char *error)
{
	wish_end(arg, error);
}

/* As the command does. */
struct rollback_wish {
	struct rig *rig;
	struct name apex;
	struct rig_wish *wish;
};

static void
rollback_done(void *arg, int err, const char *error, uint32_t from_serial)
{
	struct rollback_wish *rb = arg;
	struct zone_item *item = zones_item(rb->rig->d.zones, &rb->apex);
	if (!err && item)
		secondary_reject(rb->rig->d.secondaries, item, from_serial);
	wish_end(rb->wish, err ? error : NULL);
	free(rb);
}

void
rig_rollback(struct rig *r, const char *zone, struct rig_wish *wish)
{
	struct rollback_wish *rb = malloc(sizeof(*rb));
	struct zone_item *item = rig_item(r, zone);
	assert_non_null(item);
	*rb = (struct rollback_wish){r, fixture_name(zone), wish};
	*wish = (struct rig_wish){0};
	secondary_interrupt(item);
	assert_int_equal(zones_rollback(r->d.zones, item, rollback_done, rb), 0);
}
