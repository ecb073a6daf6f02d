/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzzes UPDATE: rows of messages against a small zone, each on what the one before has led to.
 *
 * What came out is held against what went in (update_fixture.h): a refused message changes nothing, a taken one has
 * a difference that makes the next version out of the base; the base stays as it was; the next version is a zone
 * that would load from a file and be the same.
 *
 * Input: an octet that chooses zone and policies. Then, by its highest bit, one message as it is on the wire; or
 * records of five octets each, chosen from tables: what to do, owner, type and data, TTL, and whether the message
 * ends behind it.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/check.h"
#include "tests/unit/control/update_fixture.h"
#include "zones/base/alloc.h"
#include "zones/base/bytes.h"

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);

#define MESSAGES_MAX 12
#define RECORD_OCTETS 5

static const char *const zone_texts[] = {
	"@ 300 SOA ns host 4294967290 7200 900 1209600 300\n@ NS ns\n@ NS ns2\nns A 192.0.2.1\nhost A 192.0.2.2\n"
	"host TXT a\nalias CNAME host\na.b TXT a\nsub NS ns.sub\nns.sub A 192.0.2.3\nold DNAME new\n* A "
	"192.0.2.4\n",
	/* With signatures that cover nothing, NSEC3 and what belongs to it. */
	"@ 300 SOA ns host 7 7200 900 1209600 300\n@ NS ns\n@ NSEC3PARAM 1 0 0 -\nns A 192.0.2.1\nhost A "
	"192.0.2.2\n"
	"host RRSIG TXT 8 2 300 20300101000000 20200101000000 1 example. AAAA\n"
	"host RRSIG A 8 2 300 20300101000000 20200101000000 1 example. AAAA\n"
	"TQQMMIH5VGS8UQC7D7AR3NQ38AM3ULK8 NSEC3 1 0 0 - TQQMMIH5VGS8UQC7D7AR3NQ38AM3ULK8 A\n",
};

static const char *const owners[] = {
	"@",
	"host",
	"HOST",
	"alias",
	"a.b",
	"b",
	"sub",
	"ns.sub",
	"x.sub",
	"old",
	"new",
	"*",
	"*.b",
	"ns",
	"x.y",
	"example2.",
	"TQQMMIH5VGS8UQC7D7AR3NQ38AM3ULK8",
};

static const struct {
	const char *type, *data;
} datas[] = {
	{"A", "192.0.2.2"},
	{"A", "192.0.2.9"},
	{"A", ""},
	{"TXT", "a"},
	{"TXT", "A"},
	{"CNAME", "host"},
	{"CNAME", "Host"},
	{"CNAME", "new"},
	{"NS", "ns"},
	{"NS", "ns2"},
	{"NS", "ns.sub"},
	{"DNAME", "new"},
	{"DNAME", "newer"},
	{"SOA", "ns host 4294967292 7200 900 1209600 300"},
	{"SOA", "ns host 3 7200 900 1209600 60"},
	{"SOA", "ns host 2147483655 7200 900 1209600 60"},
	{"MX", "10 host"},
	{"WKS", "192.0.2.1 6 25"},
	{"WKS", "192.0.2.1 6 80"},
	{"RRSIG", "A 8 2 300 20300101000000 20200101000000 1 example. AAAA"},
	{"RRSIG", "TXT 8 2 300 20300101000000 20200101000000 1 example. AAAA"},
	{"NSEC", "host A"},
	{"NSEC3", "1 0 0 - TQQMMIH5VGS8UQC7D7AR3NQ38AM3ULK8 A"},
	{"NSEC3PARAM", "1 0 0 -"},
	{"NSEC3PARAM", "1 0 1 AB"},
	{"DNSKEY", "257 3 8 AAAA"},
	{"TYPE65280", "\\# 1 00"},
	{"ANY", ""},
	{"AXFR", ""},
};

static const char *const classes[] = {"IN", "IN", "NONE", "ANY"};

/* -------- rules -------- */

static struct config_key key;
static struct name signer, names[2];
static uint16_t types[] = {RRTYPE_A, RRTYPE_TXT};
static struct config_update_rule rules[2];

static void
rules_init(void)
{
	signer = key.name = update_name("key.");
	names[0] = update_name("host");
	names[1] = update_name("*.b");
	rules[0] =
		(struct config_update_rule){.key = &key, .name = names, .n_name = 1, .types = types, .n_types = 2};
	rules[1] = (struct config_update_rule){.key = &key, .name = &names[1], .n_name = 1};
}

/* Without a rule for it, nothing at the apex or of SOA can have changed but the serial. */
static void
check_rules(const struct served *base, const struct served *next)
{
	const struct node *before = base->snapshot->apex, *after = next->snapshot->apex;
	CHECK(node_set_count(before) == node_set_count(after));
	for (unsigned i = 0; i < node_set_count(before); i++)
		CHECK(node_set_type(before->sets[i]) == node_set_type(after->sets[i]));
	CHECK(base->snapshot->minimum_s == next->snapshot->minimum_s);
}

/* -------- one message -------- */

static void
check_loads(const struct snapshot *s)
{
	char *text = update_dump(s);
	struct served *again = update_zone(text);
	char *same = update_dump(again->snapshot);
	CHECK(strcmp(text, same) == 0);
	free(text);
	free(same);
	served_free(again);
}

/* As publish_zone() does, without readers. */
static struct served *
succeed(struct served *base, struct served *next)
{
	base->left = next->made_from;
	next->made_from = NULL;
	served_free(base);
	return next;
}

static void
check_reply(const struct update_request *request, uint16_t rcode)
{
	static uint8_t out[UPDATE_REPLY_MAX];
	struct message_reader r;
	uint8_t rdata[64];
	struct message_record record;
	enum message_error e;
	size_t len = update_reply(request->msg, request->len, rcode, out, sizeof(out));
	CHECK((len == 0) == (request->len < 12));
	if (len == 0)
		return;
	CHECK(message_open(&r, out, len) == MESSAGE_OK && message_rcode(&r) == (rcode & 15u));
	while ((e = message_next(&r, rdata, &record)) == MESSAGE_OK)
		CHECK(record.type == RRTYPE_OPT);
	CHECK(e == MESSAGE_END);
}

/* Runs it twice: once to be checked and thrown away, once to go on with. */
static struct served *
apply(struct served *base, struct update_request *request)
{
	struct update_result result, again;
	char *before = update_dump(base->snapshot);
	request->base = base;
	update_run(request, &result);
	update_run(request, &again);
	CHECK(result.rcode == again.rcode && result.serial == again.serial && (!result.next == !again.next));
	check_reply(request, result.rcode);
	update_check_result(base, &result);
	char *after = update_dump(base->snapshot);
	CHECK(strcmp(before, after) == 0);
	free(before);
	free(after);
	if (again.next == NULL)
		return base;
	check_loads(again.next->snapshot);
	if (request->n_rules != 0)
		check_rules(base, again.next);
	state_changes_free(again.changes);
	return succeed(base, again.next);
}

/* -------- messages from tables -------- */

/* Adds the line of a record; returns the length. */
static size_t
put_line(const uint8_t *octets, char *line, size_t cap)
{
	bool is_prerequisite = octets[0] % 8 == 0;
	const char *rrclass = classes[octets[0] / 8 % ARRAY_LEN(classes)];
	unsigned which = octets[2] % ARRAY_LEN(datas);
	bool is_removal = strcmp(rrclass, "IN") != 0, has_data = strcmp(rrclass, "ANY") != 0;
	unsigned ttl_s = is_prerequisite || is_removal ? octets[3] == 255 : 1u + octets[3] % 3;
	if (is_prerequisite && strcmp(rrclass, "NONE") == 0)
		has_data = false;
	int len = snprintf(line, cap, "%c %s %u %s %s %s\n", is_prerequisite ? 'p' : 'u',
			   owners[octets[1] % ARRAY_LEN(owners)], ttl_s, rrclass, datas[which].type,
			   has_data ? datas[which].data : "");
	CHECK(len > 0 && (size_t)len < cap);
	return (size_t)len;
}

#define LINES_MAX 8192

static struct served *
apply_tables(struct served *zone, struct update_request *request, const uint8_t *input, size_t size)
{
	static uint8_t msg[MESSAGE_MAX_LEN];
	static char updates[LINES_MAX], prerequisites[LINES_MAX];
	size_t n[2] = {0, 0};
	unsigned messages = 0;
	for (size_t i = 0; i + RECORD_OCTETS <= size && messages < MESSAGES_MAX; i += RECORD_OCTETS) {
		bool is_update = input[i] % 8 != 0;
		char *lines = is_update ? updates : prerequisites;
		if (n[is_update] < LINES_MAX - 512)
			n[is_update] += put_line(input + i, lines + n[is_update], LINES_MAX - n[is_update]);
		if (input[i + 4] < 192 && i + 2 * RECORD_OCTETS <= size)
			continue;
		static char all[2 * LINES_MAX];
		snprintf(all, sizeof(all), "%.*s%.*s", (int)n[0], prerequisites, (int)n[1], updates);
		request->msg = msg;
		request->len = update_message(all, msg);
		zone = apply(zone, request);
		n[0] = n[1] = 0;
		messages++;
	}
	return zone;
}

int
LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	if (size < 1 || size > MESSAGE_MAX_LEN)
		return 0;
	size_t bytes = zalloc_bytes();
	rules_init();
	struct update_request request = {.signer = &signer,
					 .rules = rules,
					 .n_rules = input[0] & 16 ? ARRAY_LEN(rules) : 0,
					 .serial_policy = (enum config_serial_policy)(input[0] / 2 % 3),
					 .now_s = 1767225599};
	struct served *zone = update_zone(zone_texts[input[0] % ARRAY_LEN(zone_texts)]);
	if (input[0] & 128) {
		request.msg = input + 1;
		request.len = size - 1;
		zone = apply(zone, &request);
	} else {
		zone = apply_tables(zone, &request, input + 1, size - 1);
	}
	served_free(zone);
	CHECK(zalloc_bytes() == bytes);
	return 0;
}
