/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/control/state_fixture.h"

#include <errno.h>
#include <semaphore.h>

#include "zones/base/bytes.h"

enum { TYPE_A = 1, TYPE_SOA = 6 };

void
model_make(uint32_t serial, struct model *out)
{
	*out = (struct model){.serial = serial};
	for (uint32_t i = 0; i < MODEL_HOSTS; i++) {
		uint32_t changed = serial < i ? 0 : serial - (serial - i) % MODEL_HOSTS; /* when it last did */
		out->hosts[i] = changed % 5 == 4 ? 0 : changed * 100 + i + 1;
	}
}

void
small_options(struct state_options *options)
{
	state_options_default(options);
	options->dir = ".";
	options->map_bytes = 1 << 20;
	options->map_bytes_max = 1 << 30;
}

struct state *
open_state(void)
{
	struct state_options options;
	struct diag_list diag = {0};
	struct state *st = NULL;
	small_options(&options);
	int err = state_open(&options, &diag, &st);
	diag_print(&diag, stderr);
	diag_clear(&diag);
	assert_int_equal(err, 0);
	return st;
}

/* -------- waiting -------- */

static sem_t done_sem;
static bool done_sem_made;
static struct state_result done_result;

static void
on_done(void *arg, const struct state_result *result)
{
	done_result = *result;
	sem_post(&done_sem);
}

struct state_done
done_waiting(void)
{
	if (!done_sem_made)
		sem_init(&done_sem, 0, 0);
	done_sem_made = true;
	return (struct state_done){.fn = on_done};
}

int
wait_done(void)
{
	while (sem_wait(&done_sem))
		;
	return done_result.err;
}

bool
last_wants_compaction(void)
{
	return done_result.wants_compaction;
}

/* -------- a model as records -------- */

/* One record of a model in memory that the record borrows. */
struct box {
	struct name owner;
	uint8_t rdata[65535];
};

static void
box_host(struct box *box, const struct name *apex, unsigned host, uint32_t value, struct state_record *out)
{
	char label[16];
	int len = snprintf(label, sizeof(label), "h%u", host);
	box->owner.bytes[0] = (uint8_t)len;
	memcpy(box->owner.bytes + 1, label, (size_t)len);
	memcpy(box->owner.bytes + 1 + len, apex->bytes, apex->len);
	box->owner.len = (uint8_t)(1 + len + apex->len);
	store_be32(box->rdata, value);
	*out = (struct state_record){
		.owner = &box->owner, .type = TYPE_A, .ttl_s = 300, .rdlen = 4, .rdata = box->rdata};
}

static void
box_soa(struct box *box, const struct name *apex, uint32_t serial, struct state_record *out)
{
	box->owner = *apex;
	store_be32(box->rdata, serial);
	*out = (struct state_record){
		.owner = &box->owner, .type = TYPE_SOA, .ttl_s = 3600, .rdlen = 4, .rdata = box->rdata};
}

/* A source that goes over a model, or over as many hosts as asked for. */
struct model_source {
	const struct model *model; /* NULL: a large zone */
	struct name apex;
	uint32_t serial;
	unsigned at, n;
	uint16_t padding;
	struct box box;
};

static int
source_next(void *arg, struct state_record *out)
{
	struct model_source *s = arg;
	if (s->at == 0) {
		s->at = 1;
		box_soa(&s->box, &s->apex, s->serial, out);
		return 1;
	}
	while (s->at <= s->n) {
		unsigned host = s->at++ - 1;
		uint32_t value = s->model ? s->model->hosts[host] : host + 1;
		if (!value)
			continue;
		box_host(&s->box, &s->apex, host, value, out);
		out->rdlen = (uint16_t)(out->rdlen + s->padding);
		return 1;
	}
	return 0;
}

static struct model_source *
source_new(const char *zone, const struct model *m)
{
	struct model_source *s = calloc(1, sizeof(*s));
	s->model = m;
	s->apex = fixture_name(zone);
	s->serial = m ? m->serial : 0;
	s->n = MODEL_HOSTS;
	return s;
}

static int
write_whole(struct state *st, struct model_source *s, bool compact)
{
	struct state_source source = {.next = source_next, .arg = s};
	struct state_meta meta = {.refreshed_at_s = 7, .primary = "192.0.2.1#53"};
	int err = compact ? state_zone_compact(st, &s->apex, s->serial, &source, done_waiting())
			  : state_zone_replace(st, &s->apex, s->serial, &meta, &source, done_waiting());
	if (!err)
		err = wait_done();
	free(s);
	return err;
}

int
put_model(struct state *st, const char *zone, const struct model *m)
{
	return write_whole(st, source_new(zone, m), false);
}

int
compact_model(struct state *st, const char *zone, const struct model *m)
{
	return write_whole(st, source_new(zone, m), true);
}

int
put_large(struct state *st, const char *zone, uint32_t serial, unsigned n, uint16_t padding)
{
	struct model_source *s = source_new(zone, NULL);
	s->serial = serial;
	s->n = n;
	s->padding = padding;
	return write_whole(st, s, false);
}

static int
write_difference(struct state_changes *c, const struct name *apex, const struct model *from, const struct model *to)
{
	static struct box box;
	struct state_record record;
	int err = state_changes_begin(c, from->serial);
	for (int adds = 0; adds <= 1; adds++) {
		const struct model *m = adds ? to : from;
		int (*write)(struct state_changes *, const struct state_record *) =
			adds ? state_changes_add : state_changes_remove;
		box_soa(&box, apex, m->serial, &record);
		if (!err)
			err = write(c, &record);
		for (unsigned i = 0; !err && i < MODEL_HOSTS; i++) {
			if (from->hosts[i] == to->hosts[i] || !m->hosts[i])
				continue;
			box_host(&box, apex, i, m->hosts[i], &record);
			err = write(c, &record);
		}
	}
	return err ? err : state_changes_end(c, to->serial);
}

int
append_models(struct state *st, const char *zone, const struct model *from, const struct model *to)
{
	struct name apex = fixture_name(zone);
	struct state_changes *c = state_changes_new(&apex);
	if (!c)
		return -ENOMEM;
	int err = write_difference(c, &apex, from, to);
	if (!err)
		err = state_zone_append(st, &apex, NULL, c, done_waiting());
	if (err) {
		state_changes_free(c);
		return err;
	}
	return wait_done();
}

int
drop_zone(struct state *st, const char *zone)
{
	struct name apex = fixture_name(zone);
	int err = state_zone_drop(st, &apex, done_waiting());
	return err ? err : wait_done();
}

/* -------- notes -------- */

int
put_note(struct state *st, const char *zone, const void *note, size_t len)
{
	struct name apex = fixture_name(zone);
	int err = state_zone_put_note(st, &apex, note, len, done_waiting());
	return err ? err : wait_done();
}

static int
take_note(void *arg, const struct name *apex, int err, const void *note, size_t len)
{
	struct found_note *out = arg;
	if (!name_equal(apex->bytes, out->apex.bytes))
		return 0;
	assert_int_equal(out->err, -ENOENT); /* each zone comes once */
	out->err = err;
	out->len = len;
	assert_true(len <= sizeof(out->bytes));
	memcpy(out->bytes, note ? note : "", len);
	return 0;
}

int
find_note(struct state *st, const char *zone, struct found_note *out)
{
	out->apex = fixture_name(zone);
	out->err = -ENOENT;
	assert_int_equal(state_notes_walk(st, NULL, take_note, out), 0);
	return out->err;
}

/* -------- records as a model -------- */

static uint32_t *
model_place(struct model *m, const struct state_record *r)
{
	char text[NAME_TEXT_MAX];
	if (r->type == TYPE_SOA)
		return r->rdlen == 4 && r->ttl_s == 3600 ? &m->serial : NULL;
	name_to_text(r->owner->bytes, text);
	unsigned long host = strtoul(text + 1, NULL, 10);
	return r->rdlen == 4 && r->ttl_s == 300 && host < MODEL_HOSTS ? &m->hosts[host] : NULL;
}

static int
model_add(void *arg, const struct state_record *r)
{
	uint32_t *at = model_place(arg, r);
	if (!at || *at != 0)
		return -EPROTO;
	*at = load_be32(r->rdata);
	return 0;
}

static int
model_remove(void *arg, const struct state_record *r)
{
	uint32_t *at = model_place(arg, r);
	if (!at || *at != load_be32(r->rdata))
		return -EPROTO;
	*at = 0;
	return 0;
}

static int
model_difference(void *arg, uint32_t from_serial, uint32_t to_serial)
{
	const struct model *m = arg;
	return m->serial == from_serial ? 0 : -EPROTO;
}

const struct state_sink model_sink_ops = {
	.record = model_add, .difference = model_difference, .remove = model_remove, .add = model_add};

int
load_model(struct state *st, const char *zone, enum state_version version, struct model *out)
{
	struct name apex = fixture_name(zone);
	struct state_sink sink = model_sink_ops;
	*out = (struct model){0};
	sink.arg = out;
	return state_zone_load(st, &apex, version, &sink, NULL, NULL);
}

void
assert_model(struct state *st, const char *zone, enum state_version version, uint32_t serial)
{
	struct model expected, found;
	model_make(serial, &expected);
	assert_int_equal(load_model(st, zone, version, &found), 0);
	assert_memory_equal(&found, &expected, sizeof(found));
}

static int
count_record(void *arg, const struct state_record *r)
{
	unsigned *n = arg;
	if (r->type == TYPE_A && load_be32(r->rdata) != *n)
		return -EPROTO;
	++*n;
	return 0;
}

int
load_large(struct state *st, const char *zone, unsigned *n)
{
	struct name apex = fixture_name(zone);
	struct state_sink sink = {.record = count_record, .arg = n};
	*n = 0;
	return state_zone_load(st, &apex, STATE_LATEST, &sink, NULL, NULL);
}
