/* SPDX-License-Identifier: Apache-2.0 */
/* See serve_fixture.h. */
#include "tests/unit/control/serve_fixture.h"

#include <arpa/inet.h>

#include "zones/base/alloc.h"
#include "zones/base/bytes.h"
#include "zones/load/zonefile.h"
#include "zones/store/diff.h"

#define SECRET "bWFkZSB1cCBmb3IgdGhlIHRlc3RzLCAzMiBvY3RldHM="

struct rig rig;

const struct name apex = {.len = 9, .bytes = "\7example"};

/* -------- versions -------- */

struct snapshot *
build_version(uint32_t serial, unsigned hosts)
{
	char *text = malloc((size_t)hosts * 64 + 1024);
	struct diag_list diag = {0};
	struct snapshot *s = NULL;
	struct zonefile_files *files = NULL;
	struct zone_builder *b = zone_builder_new(&apex);
	assert_true(text != NULL && b != NULL);
	int len = sprintf(text, "@ 60 SOA ns h %u 2 3 777 5\n@ 60 NS ns\nns 60 A 192.0.2.1\n", serial);
	for (unsigned i = 0; i < hosts; i++) {
		unsigned turn = 40 + i % 50; /* changes once in so many versions */
		unsigned changed = (serial + i) / turn;
		if (changed % 4 != 3)
			len += sprintf(text + len, "h%u 60 A 10.%u.%u.%u\n", i, i >> 8, i & 255, changed & 255);
	}
	assert_int_equal(zonefile_read_text(text, (size_t)len, "zone", &apex, b, &diag, &files), 0);
	assert_int_equal(zone_builder_finish(b, &diag, &s), 0);
	zonefile_files_free(files);
	diag_clear(&diag);
	free(text);
	return s;
}

void
serve(uint32_t serial, unsigned hosts)
{
	struct snapshot *s = build_version(serial, hosts);
	struct served *next = served_new(s, snapshot_bytes(s));
	assert_non_null(next);
	publish_zone(&rig.publisher, rig.zone, &rig.current, next, publish_now_ns());
}

/* -------- versions in the state -------- */

struct source {
	struct records_cursor cursor;
	struct name owner;
	uint8_t rdata[RDATA_MAX_LEN];
};

static struct state_record
state_record(struct name *owner, const struct zone_record *r)
{
	name_copy(owner, r->owner);
	return (struct state_record){
		.owner = owner, .type = r->type, .rdlen = r->rdlen, .ttl_s = r->ttl_s, .rdata = r->rdata};
}

static int
next_of_source(void *arg, struct state_record *out)
{
	struct source *source = arg;
	struct zone_record r;
	if (!records_cursor_next(&source->cursor, source->rdata, &r))
		return 0;
	*out = state_record(&source->owner, &r);
	return 1;
}

void
state_put(uint32_t serial, unsigned hosts)
{
	static struct source source;
	struct state_meta meta = {0};
	struct snapshot *s = build_version(serial, hosts);
	struct state_source from = {next_of_source, &source};
	records_cursor_begin(&source.cursor, s);
	assert_int_equal(state_zone_replace(rig.state, &apex, serial, &meta, &from, done_waiting()), 0);
	assert_int_equal(wait_done(), 0);
	snapshot_free(s);
}

static int
put_change(const struct diff_record *d, void *arg)
{
	struct name owner;
	struct zone_record z = {d->owner, d->rdata, d->ttl_s, d->type, d->rdlen};
	struct state_record r = state_record(&owner, &z);
	return d->is_added ? state_changes_add(arg, &r) : state_changes_remove(arg, &r);
}

void
state_append(uint32_t from, uint32_t to, unsigned hosts)
{
	struct snapshot *a = build_version(from, hosts), *b = build_version(to, hosts);
	struct state_changes *c = state_changes_new(&apex);
	assert_non_null(c);
	assert_int_equal(state_changes_begin(c, from), 0);
	assert_int_equal(snapshot_diff(a, b, put_change, c), 0);
	assert_int_equal(state_changes_end(c, to), 0);
	assert_int_equal(state_zone_append(rig.state, &apex, NULL, c, done_waiting()), 0);
	assert_int_equal(wait_done(), 0);
	snapshot_free(a);
	snapshot_free(b);
}

void
state_fill(uint32_t first, uint32_t last, unsigned hosts)
{
	state_put(first, hosts);
	for (uint32_t serial = first; serial < last; serial++)
		state_append(serial, serial + 1, hosts);
}

/* -------- the client -------- */

void
inquiry_reply(struct inquiry *q, const uint8_t *msg, size_t len)
{
	struct client *c = (struct client *)q;
	c->answers++;
	assert_in_range(len, DNS_HEADER_LEN, q->reply_cap);
	memcpy(c->reply, msg, len);
	c->reply_len = len;
}

void
inquiry_drop(struct inquiry *q)
{
	struct client *c = (struct client *)q;
	c->answers++;
	c->is_dropped = true;
}

void
inquiry_stream(struct inquiry *q, const struct inquiry_producer *producer)
{
	struct client *c = (struct client *)q;
	assert_int_not_equal(q->client.transport, ENGINE_UDP);
	c->answers++;
	c->is_stream = true;
	c->producer = *producer;
}

const struct tsig_key *
key_of(const char *name)
{
	struct name n = fixture_name(name);
	return tsig_keys_find(rig.keys, &n);
}

static void
put_soa(struct message_writer *w, uint32_t serial)
{
	uint8_t rdata[22] = {0};
	struct message_record soa = {.owner = apex.bytes,
				     .rdata = rdata,
				     .type = RRTYPE_SOA,
				     .rrclass = RRCLASS_IN,
				     .rdlen = 22,
				     .section = MESSAGE_AUTHORITY};
	store_be32(rdata + 2, serial);
	assert_true(message_put(w, &soa));
}

static void
make_request(struct client *c, const struct ask *ask)
{
	static const uint8_t opt[] = {0, 0, 41, 16, 0, 0, 0, 0, 0, 0, 4, 0, EDNS_EXPIRE, 0, 0};
	struct message_writer w;
	struct message_question question = {(const uint8_t *)"\7eXaMpLe", ask->qtype, RRCLASS_IN};
	message_begin(&w, c->msg, sizeof(c->msg), ID, 0);
	assert_true(message_put_question(&w, &question));
	if (ask->qtype == RRTYPE_IXFR)
		put_soa(&w, ask->serial);
	if (ask->has_opt)
		assert_true(message_put_raw(&w, MESSAGE_ADDITIONAL, opt, sizeof(opt)));
	c->len = w.len;
	if (ask->key != NULL)
		assert_int_equal(tsig_sign_request(key_of(ask->key), c->msg, c->len, sizeof(c->msg),
						   (uint64_t)time(NULL), &c->mac, &c->len),
				 0);
}

struct client *
client_new(const struct ask *ask)
{
	struct client *c = calloc(1, sizeof(*c));
	assert_non_null(c);
	make_request(c, ask);
	c->inquiry = (struct inquiry){.msg = c->msg, .client.transport = (uint8_t)ask->transport};
	c->inquiry.reply_cap = ask->transport == ENGINE_UDP ? ask->reply_cap : MESSAGE_MAX_LEN;
	assert_int_equal(inet_pton(AF_INET, ask->from != NULL ? ask->from : "192.0.2.1", c->inquiry.client.address),
			 1);
	return c;
}

void
hand_over(struct client *c, const struct config_zone *zone, struct served *served)
{
	struct zone_request request;
	struct tsig_verdict tsig;
	(void)!tsig_verify_request(rig.keys, c->msg, c->len, (uint64_t)time(NULL), &tsig);
	c->inquiry.len = (uint32_t)c->len;
	struct serve_transfer t = {.inquiry = &c->inquiry,
				   .status = serve_transfer_parse(c->msg, c->len, &request),
				   .request = &request,
				   .tsig = &tsig,
				   .zone = zone,
				   .served = served,
				   .udp_payload = PAYLOAD};
	serve_transfer(rig.transfers, &t);
	memset(&tsig, 0xee, sizeof(tsig)); /* all was borrowed */
	memset(&request, 0xee, sizeof(request));
	while (c->answers == 0)
		uv_run(&rig.loop, UV_RUN_ONCE);
	assert_int_equal(c->answers, 1);
}

struct client *
ask(const struct ask *a)
{
	struct client *c = client_new(a);
	hand_over(c, rig.config->zones[0].settings, rig.current);
	return c;
}

void
client_free(struct client *c)
{
	if (c->is_stream)
		c->producer.free(c->producer.arg);
	free(c);
}

/* -------- what the client has -------- */

static void
lines_clear(struct lines *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->line[i]);
	l->n = 0;
}

void
lines_free(struct lines *l)
{
	lines_clear(l);
	free(l->line);
}

static char *
line_of(const struct zone_record *r)
{
	char owner[NAME_TEXT_MAX], data[4096], *line;
	name_to_text(r->owner, owner);
	assert_true(rdata_to_text(r->type, r->rdata, r->rdlen, data, sizeof(data)) >= 0);
	assert_true(asprintf(&line, "%s %u %u %s", owner, r->ttl_s, r->type, data) > 0);
	return line;
}

size_t
lines_find(const struct lines *l, const char *line)
{
	size_t i = 0;
	while (i < l->n && strcmp(l->line[i], line) != 0)
		i++;
	return i;
}

static void
lines_add(struct lines *l, const struct zone_record *r)
{
	if (l->n == l->cap) {
		l->cap = 2 * l->cap + 16;
		l->line = realloc(l->line, l->cap * sizeof(*l->line));
		assert_non_null(l->line);
	}
	l->line[l->n++] = line_of(r);
}

void
lines_of(const struct snapshot *s, struct lines *out)
{
	static uint8_t rdata[RDATA_MAX_LEN];
	struct records_cursor cursor;
	struct zone_record r;
	*out = (struct lines){0};
	records_cursor_begin(&cursor, s);
	while (records_cursor_next(&cursor, rdata, &r))
		lines_add(out, &r);
}

static int
compare_lines(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void
assert_version(struct lines *have, uint32_t serial, unsigned hosts)
{
	struct lines want;
	struct snapshot *s = build_version(serial, hosts);
	lines_of(s, &want);
	qsort(have->line, have->n, sizeof(*have->line), compare_lines);
	qsort(want.line, want.n, sizeof(*want.line), compare_lines);
	for (size_t i = 0; i < want.n && i < have->n; i++)
		assert_string_equal(have->line[i], want.line[i]);
	assert_int_equal(have->n, want.n);
	lines_free(&want);
	snapshot_free(s);
}

static int
on_axfr_begin(void *arg)
{
	lines_clear(arg);
	return 0;
}

static int
on_add(void *arg, const struct zone_record *r)
{
	struct lines *l = arg;
	char *line = line_of(r);
	size_t at = lines_find(l, line);
	free(line);
	assert_int_equal(at, l->n);
	lines_add(l, r);
	return 0;
}

/* As on_add(), for whole zones, where looking for each would take long. */
static int
on_axfr_add(void *arg, const struct zone_record *r)
{
	lines_add(arg, r);
	return 0;
}

static int
on_remove(void *arg, const struct zone_record *r)
{
	struct lines *l = arg;
	char *line = line_of(r);
	size_t at = lines_find(l, line);
	free(line);
	assert_true(at < l->n);
	free(l->line[at]);
	l->line[at] = l->line[--l->n];
	return 0;
}

static int
on_difference(void *arg, uint32_t from)
{
	return 0;
}

static int
on_difference_end(void *arg, uint32_t from, uint32_t to)
{
	return 0;
}

void
receiver_begin(struct receiver *r, const struct client *c, const struct ask *a, struct lines *lines)
{
	struct xfr_in_query q = {.apex = apex,
				 .id = ID,
				 .qtype = a->qtype,
				 .has_serial = a->qtype == RRTYPE_IXFR,
				 .is_udp = a->transport == ENGINE_UDP,
				 .serial = a->serial};
	struct xfr_in_events events = {.axfr_begin = on_axfr_begin,
				       .axfr_add = on_axfr_add,
				       .ixfr_begin = on_difference,
				       .ixfr_remove = on_remove,
				       .ixfr_add = on_add,
				       .ixfr_end = on_difference_end,
				       .arg = lines};
	*r = (struct receiver){.session = xfr_in_new(&q, &events), .is_signed = a->key != NULL, .lines = lines};
	assert_non_null(r->session);
	if (r->is_signed)
		assert_int_equal(tsig_stream_begin(&r->stream, key_of(a->key), &c->mac), 0);
}

void
receive(struct receiver *r, const uint8_t *msg, size_t len)
{
	struct diag_list diag = {0};
	struct tsig_verdict v = {.len = len};
	if (r->is_signed)
		assert_int_equal(tsig_stream_verify(&r->stream, msg, len, (uint64_t)time(NULL), &v), TSIG_GOOD);
	else
		assert_int_equal(tsig_verify_request(rig.keys, msg, len, 0, &v), TSIG_NONE);
	uint8_t *exact = malloc(len);
	memcpy(exact, msg, len);
	int err = xfr_in_message(r->session, exact, len, &diag);
	diag_print(&diag, stderr);
	assert_int_equal(err, 0);
	diag_clear(&diag);
	free(exact);
	r->messages++;
}

struct xfr_in_result
receiver_end(struct receiver *r, struct client *c)
{
	static uint8_t buf[MESSAGE_MAX_LEN];
	int len;
	if (!c->is_stream)
		receive(r, c->reply, c->reply_len);
	while (c->is_stream && (len = c->producer.next(c->producer.arg, buf, sizeof(buf))) != 0) {
		assert_in_range(len, DNS_HEADER_LEN, sizeof(buf));
		receive(r, buf, (size_t)len);
	}
	if (r->is_signed)
		assert_int_equal(tsig_stream_status(&r->stream), TSIG_GOOD);
	struct xfr_in_result result = xfr_in_result(r->session);
	tsig_stream_clear(&r->stream);
	xfr_in_free(r->session);
	return result;
}

struct xfr_in_result
transfer(const struct ask *a, unsigned hosts, enum xfr_kind kind)
{
	struct lines lines = {0};
	struct receiver r;
	if (a->qtype == RRTYPE_IXFR) {
		struct snapshot *s = build_version(a->serial, hosts);
		lines_of(s, &lines);
		snapshot_free(s);
	}
	struct client *c = ask(a);
	assert_false(c->is_dropped);
	receiver_begin(&r, c, a, &lines);
	struct xfr_in_result result = receiver_end(&r, c);
	client_free(c);
	assert_int_equal(result.state, XFR_IN_DONE);
	assert_int_equal(result.kind, kind);
	assert_version(&lines, kind == XFR_UP_TO_DATE ? a->serial : rig.current->snapshot->serial, hosts);
	lines_free(&lines);
	return result;
}

struct serve_transfers_stats
stats(void)
{
	struct serve_transfers_stats s;
	serve_transfers_stats(rig.transfers, &s);
	return s;
}

/* -------- the rig -------- */

int
setup(void **state)
{
	struct diag_list diag = {0};
	fixture_enter();
	rig.config = fixture_config("keys: [{id: fleet, secret: " SECRET "}, {id: other, secret: " SECRET "}]\n"
				    "acls:\n"
				    "  - {id: net, address: 192.0.2.0/24}\n"
				    "  - {id: signed, key: fleet}\n"
				    "zones:\n"
				    "  - {name: example, file: f, allow-transfer: [net, signed]}\n"
				    "  - {name: closed.example, file: f}\n");
	assert_int_equal(uv_loop_init(&rig.loop), 0);
	assert_int_equal(
		tsig_keys_new(rig.config->keys, rig.config->n_keys, TSIG_TRUNCATION_ALLOWED, &rig.keys, &diag), 0);
	rig.state = open_state();
	assert_int_equal(reclaim_start(1 << 30, NULL, NULL, &rig.publisher.reclaim), 0);
	rig.zone = zone_new(apex.bytes);
	rig.current = NULL;
	struct serve_transfers_options options = {&rig.loop, &rig.publisher, rig.state, 0, 0};
	assert_int_equal(serve_transfers_new(&options, &rig.transfers), 0);
	return 0;
}

int
teardown(void **state)
{
	serve_transfers_free(rig.transfers);
	state_close(rig.state);
	if (rig.current != NULL) {
		(void)!zone_publish(rig.zone, NULL);
		reclaim_retire(rig.publisher.reclaim, &rig.current->retired);
	}
	reclaim_stop(rig.publisher.reclaim);
	zone_free(rig.zone);
	tsig_keys_free(rig.keys);
	config_free(rig.config);
	uv_run(&rig.loop, UV_RUN_NOWAIT);
	assert_int_equal(uv_loop_close(&rig.loop), 0);
	fixture_leave();
	assert_int_equal(zalloc_bytes(), 0);
	return 0;
}
