/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Serving transfers, with everything real but the sockets: what the client is sent is received by our own session,
 * verified, and compared, record by record, with the version that it asked for.
 */
#include "tests/unit/control/control_fixture.h"

#include <arpa/inet.h>
#include <errno.h>

#include "control/serve_transfer.h"
#include "control/xfr_in.h"
#include "control/xfr_out.h"
#include "tests/unit/control/state_fixture.h"
#include "zones/base/alloc.h"
#include "zones/base/bytes.h"
#include "zones/load/zonefile.h"
#include "zones/store/diff.h"
#include "zones/wire/tsig.h"

#define SECRET "bWFkZSB1cCBmb3IgdGhlIHRlc3RzLCAzMiBvY3RldHM="

enum { ID = 4711, HOSTS = 3000, PAYLOAD = 1232 };

static struct {
	uv_loop_t loop;
	struct publisher publisher;
	struct config *config;
	struct tsig_keys *keys;
	struct state *state;
	struct zone *zone;
	struct served *current;
	struct serve_transfers *transfers;
} rig;

static const struct name apex = {.len = 9, .bytes = "\7example"};

/* -------- versions -------- */

/*
 * A version has hosts below HOSTS whose address is that of the last version that changed them: each one changes a
 * few. Some come and go.
 */
static struct snapshot *
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

static void
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

static void
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

static void
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

/* Versions [first, last] are in the state, one after the other. */
static void
state_fill(uint32_t first, uint32_t last, unsigned hosts)
{
	state_put(first, hosts);
	for (uint32_t serial = first; serial < last; serial++)
		state_append(serial, serial + 1, hosts);
}

/* -------- the client -------- */

/* One request, and what became of it: the inquiry's three functions fill this in. */
struct client {
	struct inquiry inquiry; /* first */
	uint8_t msg[2048];
	size_t len;
	struct tsig_mac mac; /* of a signed request */
	unsigned answers;    /* how often it was ended */
	bool is_dropped;
	uint8_t reply[MESSAGE_MAX_LEN];
	size_t reply_len;
	bool is_stream;
	struct inquiry_producer producer;
};

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

static const struct tsig_key *
key_of(const char *name)
{
	struct name n = fixture_name(name);
	return tsig_keys_find(rig.keys, &n);
}

/* What a request looks like. */
struct ask {
	uint16_t qtype;
	uint32_t serial; /* IXFR */
	const char *key; /* NULL: unsigned */
	bool has_opt;
	enum engine_transport transport;
	uint32_t reply_cap; /* over UDP */
	const char *from;   /* NULL: 192.0.2.1 */
};

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

static struct client *
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

/* Hands it over as the server will, and waits until it is answered. */
static void
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

static struct client *
ask(const struct ask *a)
{
	struct client *c = client_new(a);
	hand_over(c, &rig.config->zones[0], rig.current);
	return c;
}

static void
client_free(struct client *c)
{
	if (c->is_stream)
		c->producer.free(c->producer.arg);
	free(c);
}

/* -------- what the client has -------- */

/* A zone as a set of lines. */
struct lines {
	char **line;
	size_t n, cap;
};

static void
lines_clear(struct lines *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->line[i]);
	l->n = 0;
}

static void
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

static size_t
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

static void
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

static void
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

struct receiver {
	struct xfr_in *session;
	struct tsig_stream stream;
	bool is_signed;
	struct lines *lines;
	unsigned messages;
};

static void
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

static void
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

/* Takes what is left; returns how many octets came. */
static struct xfr_in_result
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

/* Asks, receives everything, and checks that the client has that version then. */
static struct xfr_in_result
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

static struct serve_transfers_stats
stats(void)
{
	struct serve_transfers_stats s;
	serve_transfers_stats(rig.transfers, &s);
	return s;
}

/* -------- AXFR -------- */

static void
test_axfr(void **state)
{
	static const char *const keys[] = {NULL, "fleet."};
	serve(7, HOSTS);
	for (unsigned i = 0; i < 2; i++)
		for (int opt = 0; opt < 2; opt++) {
			struct ask a = {.qtype = RRTYPE_AXFR,
					.key = keys[i],
					.has_opt = opt,
					.transport = i == 0 ? ENGINE_TCP : ENGINE_TLS};
			assert_true(transfer(&a, HOSTS, XFR_AXFR).messages > 3);
		}
	assert_int_equal(stats().done[XFR_AXFR], 4);
	assert_int_equal(stats().running, 0);
}

/* A client that takes one message, waits while newer versions are published, and then takes the rest. */
static void
test_slow_client(void **state)
{
	static uint8_t buf[MESSAGE_MAX_LEN];
	struct ask a = {.qtype = RRTYPE_AXFR, .key = "fleet.", .transport = ENGINE_TCP};
	struct lines lines = {0};
	struct receiver r;
	serve(7, HOSTS);
	struct client *c = ask(&a);
	receiver_begin(&r, c, &a, &lines);
	int len = c->producer.next(c->producer.arg, buf, sizeof(buf));
	assert_in_range(len, 1000, sizeof(buf));
	receive(&r, buf, (size_t)len);
	for (uint32_t serial = 8; serial < 30; serial++)
		serve(serial, HOSTS);
	assert_int_equal(xfr_in_result(r.session).state, XFR_IN_GOING);
	struct tsig_keys *keys = rig.keys; /* and a reload takes the key away */
	struct diag_list diag = {0};
	assert_int_equal(
		tsig_keys_new(rig.config->keys, rig.config->n_keys, TSIG_TRUNCATION_ALLOWED, &rig.keys, &diag), 0);
	tsig_keys_free(keys);
	struct xfr_in_result result = receiver_end(&r, c);
	assert_int_equal(result.state, XFR_IN_DONE);
	assert_int_equal(result.serial, 7);
	assert_version(&lines, 7, HOSTS);
	client_free(c);
	lines_free(&lines);
}

static void
test_first_message(void **state)
{
	static uint8_t buf[MESSAGE_MAX_LEN], rdata[RDATA_MAX_LEN];
	struct ask a = {.qtype = RRTYPE_AXFR, .has_opt = true, .transport = ENGINE_TCP};
	struct message_reader r;
	struct message_question q;
	struct message_record record;
	unsigned opts = 0;
	serve(7, HOSTS);
	struct client *c = ask(&a);
	for (int len, n = 0; (len = c->producer.next(c->producer.arg, buf, sizeof(buf))) > 0; n++) {
		assert_int_equal(message_open(&r, buf, (size_t)len), MESSAGE_OK);
		assert_int_equal(r.id, ID);
		assert_int_equal(r.count[MESSAGE_QUESTION], n == 0);
		if (n > 0) {
			assert_int_equal(r.count[MESSAGE_ADDITIONAL], 0);
			continue;
		}
		assert_int_equal(message_next_question(&r, &q), MESSAGE_OK);
		assert_memory_equal(q.name, "\7eXaMpLe", 9);
		while (message_next(&r, rdata, &record) == MESSAGE_OK) {
			if (record.type != RRTYPE_OPT)
				continue;
			opts++;
			assert_int_equal(record.rrclass, PAYLOAD);
			assert_int_equal(record.rdlen, 8);
			assert_int_equal(load_be16(rdata), EDNS_EXPIRE);
			assert_int_equal(load_be32(rdata + 4), 777); /* the SOA's */
		}
	}
	assert_int_equal(opts, 1);
	client_free(c);
}

static void
test_client_goes_away(void **state)
{
	static uint8_t buf[MESSAGE_MAX_LEN];
	struct ask a = {.qtype = RRTYPE_AXFR, .transport = ENGINE_TCP};
	serve(7, HOSTS);
	client_free(ask(&a)); /* at once */
	struct client *c = ask(&a);
	assert_true(c->producer.next(c->producer.arg, buf, sizeof(buf)) > 0);
	assert_int_equal(stats().running, 1);
	client_free(c);
	assert_int_equal(stats().failed[XFR_AXFR], 2);
	assert_int_equal(stats().done[XFR_AXFR], 0);
	assert_int_equal(stats().running, 0);
}

/* -------- IXFR -------- */

static void
test_ixfr(void **state)
{
	static const char *const keys[] = {NULL, "fleet."};
	uint64_t longest = 0;
	state_fill(10, 30, HOSTS);
	serve(30, HOSTS);
	for (uint32_t from = 10; from < 30; from += from < 28 ? 6 : 1) {
		struct ask a = {.qtype = RRTYPE_IXFR,
				.serial = from,
				.key = keys[from % 4 == 0],
				.transport = ENGINE_TCP,
				.has_opt = true};
		struct xfr_in_result r = transfer(&a, HOSTS, XFR_IXFR);
		if (from == 10)
			longest = r.records;
	}
	/* Condensed: from 10 to 30 a host can only be removed, added, or both, and there is one difference. */
	struct snapshot *a = build_version(10, HOSTS), *b = build_version(30, HOSTS);
	struct lines before, after;
	lines_of(a, &before);
	lines_of(b, &after);
	uint64_t differ = 2; /* the opening and the closing SOA */
	for (size_t i = 0; i < before.n; i++)
		differ += lines_find(&after, before.line[i]) == after.n;
	for (size_t i = 0; i < after.n; i++)
		differ += lines_find(&before, after.line[i]) == before.n;
	assert_int_equal(longest, differ);
	assert_int_equal(stats().done[XFR_IXFR], 5);
	lines_free(&before);
	lines_free(&after);
	snapshot_free(a);
	snapshot_free(b);
}

/* What is on disk is ahead of what is served: the history ends where the snapshot does. */
static void
test_state_is_ahead(void **state)
{
	struct ask a = {.qtype = RRTYPE_IXFR, .serial = 10, .transport = ENGINE_TCP};
	state_fill(10, 20, HOSTS);
	serve(15, HOSTS);
	assert_int_equal(transfer(&a, HOSTS, XFR_IXFR).serial, 15);
	a.serial = 15;
	transfer(&a, HOSTS, XFR_UP_TO_DATE);
	a.serial = 18; /* newer than ours, and known to the state */
	transfer(&a, HOSTS, XFR_UP_TO_DATE);
}

/* What is served is not in the state (yet, or any more). */
static void
test_state_is_behind(void **state)
{
	struct ask a = {.qtype = RRTYPE_IXFR, .serial = 10, .transport = ENGINE_TCP};
	state_fill(10, 12, HOSTS);
	serve(15, HOSTS);
	transfer(&a, HOSTS, XFR_AXFR_STYLE_IXFR);
}

static void
test_whole_zone_instead(void **state)
{
	struct ask a = {.qtype = RRTYPE_IXFR, .serial = 9, .key = "fleet.", .transport = ENGINE_TCP};
	state_fill(10, 12, HOSTS);
	serve(12, HOSTS);
	transfer(&a, HOSTS, XFR_AXFR_STYLE_IXFR); /* not in the history */
	assert_int_equal(drop_zone(rig.state, "example."), 0);
	transfer(&a, HOSTS, XFR_AXFR_STYLE_IXFR); /* not in the state */
	a.serial = 1;
	state_put(1, 100); /* more differences than records: nearly every host has changed */
	state_append(1, 95, 100);
	serve(95, 100);
	transfer(&a, 100, XFR_AXFR_STYLE_IXFR);
	assert_int_equal(stats().done[XFR_AXFR_STYLE_IXFR], 3);
}

/* A difference without an SOA, or with the wrong one, is none. */
static void
test_bad_history(void **state)
{
	struct ask a = {.qtype = RRTYPE_IXFR, .serial = 10, .transport = ENGINE_TCP};
	struct state_changes *c = state_changes_new(&apex);
	struct name owner = fixture_name("x.example.");
	struct state_record r = {.owner = &owner, .type = 1, .rdlen = 4, .ttl_s = 1, .rdata = owner.bytes};
	state_put(10, HOSTS);
	assert_int_equal(state_changes_begin(c, 10), 0);
	assert_int_equal(state_changes_add(c, &r), 0);
	assert_int_equal(state_changes_end(c, 11), 0);
	assert_int_equal(state_zone_append(rig.state, &apex, NULL, c, done_waiting()), 0);
	assert_int_equal(wait_done(), 0);
	serve(11, HOSTS);
	transfer(&a, HOSTS, XFR_AXFR_STYLE_IXFR);
}

static void
test_history_too_large(void **state)
{
	struct ask a = {.qtype = RRTYPE_IXFR, .serial = 10, .transport = ENGINE_TCP};
	state_fill(10, 15, HOSTS);
	serve(15, HOSTS);
	transfer(&a, HOSTS, XFR_IXFR);
	serve_transfers_free(rig.transfers);
	struct serve_transfers_options options = {&rig.loop, &rig.publisher, rig.state, 0, 2000};
	assert_int_equal(serve_transfers_new(&options, &rig.transfers), 0);
	transfer(&a, HOSTS, XFR_AXFR_STYLE_IXFR);
}

static void
test_ixfr_without_state(void **state)
{
	struct ask a = {.qtype = RRTYPE_IXFR, .serial = 10, .transport = ENGINE_TCP};
	serve(15, HOSTS);
	serve_transfers_free(rig.transfers);
	struct serve_transfers_options options = {&rig.loop, &rig.publisher, NULL, 0, 0};
	assert_int_equal(serve_transfers_new(&options, &rig.transfers), 0);
	transfer(&a, HOSTS, XFR_AXFR_STYLE_IXFR);
}

/* -------- UDP -------- */

static void
test_udp(void **state)
{
	struct ask a = {.qtype = RRTYPE_IXFR, .serial = 14, .transport = ENGINE_UDP, .reply_cap = PAYLOAD};
	state_fill(10, 15, 300);
	serve(15, 300);
	for (unsigned i = 0; i < 2; i++) {
		a.key = i == 0 ? NULL : "fleet.";
		a.serial = 14;
		transfer(&a, 300, XFR_IXFR);
		a.serial = 15;
		transfer(&a, 300, XFR_UP_TO_DATE);
		/* More than fits: the SOA alone, with a serial that makes the client ask over TCP. */
		a.serial = 10;
		a.reply_cap = 512;
		struct client *c = ask(&a);
		struct message_reader r;
		static uint8_t rdata[RDATA_MAX_LEN];
		struct message_record soa;
		assert_int_equal(message_open(&r, c->reply, c->reply_len), MESSAGE_OK);
		assert_int_equal(r.count[MESSAGE_ANSWER], 1);
		assert_int_equal(r.flags, FLAG_QR | FLAG_AA);
		assert_int_equal(message_next(&r, rdata, &soa), MESSAGE_OK);
		assert_int_equal(soa.type, RRTYPE_SOA);
		assert_int_equal(load_be32(rdata + soa.rdlen - 20), 15);
		client_free(c);
		a.reply_cap = PAYLOAD;
	}
	a.serial = 9; /* unknown: the same */
	struct client *c = ask(&a);
	assert_int_equal(load_be16(c->reply + 6), 1);
	client_free(c);
}

/* -------- refusals -------- */

static uint16_t
rcode_of(const struct client *c)
{
	assert_false(c->is_stream || c->is_dropped);
	assert_int_equal(load_be16(c->reply), ID);
	assert_int_equal(load_be16(c->reply + 6), 0);
	return c->reply[3] & 15;
}

/* Asks, with what `spoil` makes of the request. */
static uint16_t
refusal(const struct ask *a, const struct config_zone *zone, struct served *served, void (*spoil)(struct client *))
{
	struct client *c = client_new(a);
	if (spoil != NULL)
		spoil(c);
	hand_over(c, zone, served);
	uint16_t rcode = rcode_of(c);
	client_free(c);
	return rcode;
}

static void
two_questions(struct client *c)
{
	c->msg[5] = 2;
}

static void
class_ch(struct client *c)
{
	c->msg[DNS_HEADER_LEN + 12] = 3;
}

static void
no_soa(struct client *c)
{
	c->msg[9] = 0;
	c->len = DNS_HEADER_LEN + 13;
}

static void
soa_of_other(struct client *c)
{
	c->msg[DNS_HEADER_LEN + 13 + 1] += 8; /* its owner points to the root */
}

static void
update(struct client *c)
{
	c->msg[2] = OPCODE_UPDATE << 3;
}

static void
cut(struct client *c)
{
	c->len--;
}

static void
edns_1(struct client *c)
{
	c->msg[c->len - 9] = 1;
}

static void
test_refusals(void **state)
{
	const struct config_zone *zone = &rig.config->zones[0];
	serve(7, HOSTS);
	struct ask axfr = {.qtype = RRTYPE_AXFR, .transport = ENGINE_TCP};
	struct ask ixfr = {.qtype = RRTYPE_IXFR, .serial = 6, .transport = ENGINE_TCP};
	struct ask udp = {.qtype = RRTYPE_AXFR, .transport = ENGINE_UDP, .reply_cap = 512};
	struct ask stranger = {.qtype = RRTYPE_AXFR, .transport = ENGINE_TCP, .from = "198.51.100.1"};
	struct ask other = {.qtype = RRTYPE_AXFR, .transport = ENGINE_TCP, .from = "198.51.100.1", .key = "other."};
	struct ask edns = {.qtype = RRTYPE_AXFR, .transport = ENGINE_TCP, .has_opt = true};
	assert_int_equal(refusal(&axfr, NULL, NULL, NULL), RCODE_NOTAUTH);
	assert_int_equal(refusal(&stranger, NULL, NULL, NULL), RCODE_NOTAUTH);
	assert_int_equal(refusal(&axfr, zone, NULL, NULL), RCODE_SERVFAIL);
	assert_int_equal(refusal(&udp, zone, rig.current, NULL), RCODE_REFUSED);
	assert_int_equal(refusal(&stranger, zone, rig.current, NULL), RCODE_REFUSED);
	assert_int_equal(refusal(&stranger, zone, NULL, NULL), RCODE_REFUSED);
	assert_int_equal(refusal(&other, zone, rig.current, NULL), RCODE_REFUSED);
	assert_int_equal(refusal(&axfr, &rig.config->zones[1], rig.current, NULL), RCODE_REFUSED);
	assert_int_equal(refusal(&axfr, zone, rig.current, two_questions), RCODE_FORMERR);
	assert_int_equal(refusal(&axfr, zone, rig.current, class_ch), RCODE_REFUSED);
	assert_int_equal(refusal(&axfr, zone, rig.current, cut), RCODE_FORMERR);
	assert_int_equal(refusal(&axfr, zone, rig.current, update), RCODE_FORMERR);
	assert_int_equal(refusal(&ixfr, zone, rig.current, no_soa), RCODE_FORMERR);
	assert_int_equal(refusal(&ixfr, zone, rig.current, soa_of_other), RCODE_FORMERR);
	assert_int_equal(refusal(&edns, zone, rig.current, edns_1), RCODE_BADVERS & 15);
	assert_int_equal(stats().refused, 15);
	/* With the key they are welcome. */
	other.key = "fleet.";
	transfer(&other, HOSTS, XFR_AXFR);
}

static void
flip_mac(struct client *c)
{
	c->msg[c->len - 10] ^= 1;
}

/* A request whose signature is wrong gets NOTAUTH with a TSIG that says why, and a good one that is refused is
 * signed. */
static void
test_signed_refusals(void **state)
{
	struct ask a = {.qtype = RRTYPE_AXFR, .transport = ENGINE_TCP, .key = "fleet."};
	struct tsig_verdict v;
	serve(7, HOSTS);
	struct client *c = client_new(&a);
	flip_mac(c);
	hand_over(c, &rig.config->zones[0], rig.current);
	assert_int_equal(rcode_of(c), RCODE_NOTAUTH);
	assert_int_equal(
		tsig_verify_reply(key_of("fleet."), &c->mac, c->reply, c->reply_len, (uint64_t)time(NULL), &v),
		TSIG_REFUSED);
	assert_int_equal(v.error, TSIG_ERROR_BADSIG);
	client_free(c);
	c = client_new(&a);
	hand_over(c, NULL, NULL);
	assert_int_equal(rcode_of(c), RCODE_NOTAUTH);
	assert_int_equal(
		tsig_verify_reply(key_of("fleet."), &c->mac, c->reply, c->reply_len, (uint64_t)time(NULL), &v),
		TSIG_GOOD);
	client_free(c);
}

static void
test_dropped(void **state)
{
	struct ask a = {.qtype = RRTYPE_AXFR, .transport = ENGINE_TCP};
	serve(7, HOSTS);
	struct client *c = client_new(&a);
	c->msg[2] |= 0x80; /* a response */
	hand_over(c, &rig.config->zones[0], rig.current);
	assert_true(c->is_dropped);
	client_free(c);
}

/* -------- limits and the end -------- */

static void
test_limit(void **state)
{
	struct ask a = {.qtype = RRTYPE_AXFR, .transport = ENGINE_TCP};
	serve(7, HOSTS);
	serve_transfers_free(rig.transfers);
	struct serve_transfers_options options = {&rig.loop, &rig.publisher, rig.state, 2, 0};
	assert_int_equal(serve_transfers_new(&options, &rig.transfers), 0);
	struct client *one = ask(&a), *two = ask(&a), *three = ask(&a);
	assert_true(one->is_stream && two->is_stream);
	assert_int_equal(rcode_of(three), RCODE_SERVFAIL);
	assert_int_equal(stats().busy, 1);
	assert_int_equal(stats().running, 2);
	client_free(three);
	client_free(one);
	transfer(&a, HOSTS, XFR_AXFR);
	client_free(two);
}

static void
test_stop_while_history_is_read(void **state)
{
	struct ask a = {.qtype = RRTYPE_IXFR, .serial = 10, .transport = ENGINE_TCP};
	struct zone_request request;
	struct tsig_verdict tsig = {.status = TSIG_NONE};
	state_fill(10, 12, HOSTS);
	serve(12, HOSTS);
	struct client *c = client_new(&a);
	struct serve_transfer t = {.inquiry = &c->inquiry,
				   .status = serve_transfer_parse(c->msg, c->len, &request),
				   .request = &request,
				   .tsig = &tsig,
				   .zone = &rig.config->zones[0],
				   .served = rig.current};
	serve_transfer(rig.transfers, &t);
	assert_int_equal(c->answers, 0);
	serve_transfers_stop(rig.transfers);
	assert_false(serve_transfers_are_idle(rig.transfers));
	while (!serve_transfers_are_idle(rig.transfers))
		uv_run(&rig.loop, UV_RUN_ONCE);
	assert_true(c->is_dropped);
	assert_int_equal(c->answers, 1);
	client_free(c);
	c = client_new(&a);
	hand_over(c, &rig.config->zones[0], rig.current);
	assert_true(c->is_dropped);
	client_free(c);
}

/* -------- the rig -------- */

static int
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

static int
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

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_axfr),
		TEST(test_slow_client),
		TEST(test_first_message),
		TEST(test_client_goes_away),
		TEST(test_ixfr),
		TEST(test_state_is_ahead),
		TEST(test_state_is_behind),
		TEST(test_whole_zone_instead),
		TEST(test_bad_history),
		TEST(test_history_too_large),
		TEST(test_ixfr_without_state),
		TEST(test_udp),
		TEST(test_refusals),
		TEST(test_signed_refusals),
		TEST(test_dropped),
		TEST(test_limit),
		TEST(test_stop_while_history_is_read),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
