/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Serving transfers, with everything real but the sockets: what the client is sent is received by our own session,
 * verified, and compared, record by record, with the version that it asked for.
 */
#include "tests/unit/control/serve_fixture.h"

#include "zones/base/bytes.h"
#include "zones/wire/tsig.h"

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
old_tls(struct client *c)
{
	c->inquiry.client.is_old_tls = true;
}

static void
test_refusals(void **state)
{
	const struct config_zone *zone = rig.config->zones[0].settings;
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
	assert_int_equal(refusal(&axfr, rig.config->zones[1].settings, rig.current, NULL), RCODE_REFUSED);
	assert_int_equal(refusal(&axfr, zone, rig.current, two_questions), RCODE_FORMERR);
	assert_int_equal(refusal(&axfr, zone, rig.current, class_ch), RCODE_REFUSED);
	assert_int_equal(refusal(&axfr, zone, rig.current, cut), RCODE_FORMERR);
	assert_int_equal(refusal(&axfr, zone, rig.current, update), RCODE_FORMERR);
	assert_int_equal(refusal(&ixfr, zone, rig.current, no_soa), RCODE_FORMERR);
	assert_int_equal(refusal(&ixfr, zone, rig.current, soa_of_other), RCODE_FORMERR);
	assert_int_equal(refusal(&edns, zone, rig.current, edns_1), RCODE_BADVERS & 15);
	assert_int_equal(refusal(&axfr, zone, rig.current, old_tls), RCODE_REFUSED);
	assert_int_equal(stats().refused, 16);
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
	hand_over(c, rig.config->zones[0].settings, rig.current);
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
	hand_over(c, rig.config->zones[0].settings, rig.current);
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
				   .zone = rig.config->zones[0].settings,
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
	hand_over(c, rig.config->zones[0].settings, rig.current);
	assert_true(c->is_dropped);
	client_free(c);
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
