/* SPDX-License-Identifier: Apache-2.0 */
/* NOTIFY from others: octet for octet, good and bad; and who may send it. */
#include "tests/unit/control/control_fixture.h"

#include <arpa/inet.h>

#include "control/transfer/notify_in.h"
#include "zones/base/bytes.h"
#include "zones/wire/rrtype.h"

#define SECRET "bWFkZSB1cCBmb3IgdGhlIHRlc3RzLCAzMiBvY3RldHM="

/* A NOTIFY for ExAmple. with the SOA, serial 7, and OPT. */
static const uint8_t good[] = {
	0x12, 0x34, 0x24, 0x00, 0,   1,   0,   1,    0, 0,  0, 1,                     /* header: NOTIFY, AA */
	7,    'E',  'x',  'A',  'm', 'p', 'l', 'e',  0, 0,  6, 0,  1,                 /* 12: question */
	0xc0, 12,   0,    6,    0,   1,   0,   0,    0, 60, 0, 24,                    /* 25: SOA */
	0xc0, 12,   0xc0, 12,   0,   0,   0,   7,    0, 0,  0, 1,  0,  0, 0, 2, 0, 0, /* 37 */
	0,    3,    0,    0,    0,   4,                                               /* 55 */
	0,    0,    41,   4,    208, 0,   0,   0x80, 0, 0,  4, 0,  99, 0, 0, /* 61: OPT with an unknown option */
};
enum { ANCOUNT = 7, ARCOUNT = 11, QUESTION = 12, SOA = 25, OPT = 61 };

/* Reads a copy of exact size. */
static enum zone_request_status
parse(const uint8_t *msg, size_t len, struct zone_request *out)
{
	uint8_t *exact = malloc(len + (len == 0));
	memcpy(exact, msg, len);
	enum zone_request_status status = notify_parse(exact, len, out);
	free(exact);
	return status;
}

static void
test_good(void **state)
{
	struct zone_request r;
	assert_int_equal(parse(good, sizeof(good), &r), ZONE_REQUEST_OK);
	assert_int_equal(r.id, 0x1234);
	assert_true(r.has_serial);
	assert_int_equal(r.serial, 7);
	assert_int_equal(r.apex.len, 9);
	assert_memory_equal(r.apex.bytes, "\7example", 9);
	assert_memory_equal(r.question.bytes, "\7ExAmple", 9);
	assert_true(r.edns.is_present);
}

static void
test_without_serial(void **state)
{
	uint8_t msg[SOA];
	struct zone_request r;
	memcpy(msg, good, sizeof(msg));
	msg[ANCOUNT] = msg[ARCOUNT] = 0;
	assert_int_equal(parse(msg, sizeof(msg), &r), ZONE_REQUEST_OK);
	assert_false(r.has_serial);
	assert_false(r.edns.is_present);
}

/* An SOA of another name is no hint. */
static void
test_other_soa(void **state)
{
	uint8_t msg[sizeof(good)];
	struct zone_request r;
	memcpy(msg, good, sizeof(msg));
	msg[SOA + 1] = QUESTION + 8; /* the root */
	assert_int_equal(parse(msg, sizeof(msg), &r), ZONE_REQUEST_OK);
	assert_false(r.has_serial);
}

/* One octet of the good message changed. */
static void
test_bad(void **state)
{
	static const struct {
		const char *what;
		unsigned at;
		uint8_t octet;
		enum zone_request_status status;
	} cases[] = {
		{"a response", 2, 0xa4, ZONE_REQUEST_DROP},
		{"a query", 2, 0x04, ZONE_REQUEST_FORMERR},
		{"an update", 2, 0x2c, ZONE_REQUEST_FORMERR},
		{"no question", 5, 0, ZONE_REQUEST_FORMERR},
		{"two questions", 5, 2, ZONE_REQUEST_FORMERR},
		{"65281 answers", 6, 0xff, ZONE_REQUEST_FORMERR},
		{"no answer counted", ANCOUNT, 0, ZONE_REQUEST_FORMERR}, /* OPT's place is then the SOA's */
		{"two answers counted", ANCOUNT, 2, ZONE_REQUEST_FORMERR},
		{"one authority counted", 9, 1, ZONE_REQUEST_FORMERR},
		{"no additional counted", ARCOUNT, 0, ZONE_REQUEST_FORMERR},
		{"two additional counted", ARCOUNT, 2, ZONE_REQUEST_FORMERR},
		{"a label that runs over the end", QUESTION, 63, ZONE_REQUEST_FORMERR},
		{"a label of type 01", QUESTION, 0x40, ZONE_REQUEST_FORMERR},
		{"a question for A", 22, 1, ZONE_REQUEST_FORMERR},
		{"a question in class CH", 24, 3, ZONE_REQUEST_FORMERR},
		{"an owner that points at itself", SOA + 1, SOA, ZONE_REQUEST_FORMERR},
		{"an owner that points forward", SOA + 1, OPT, ZONE_REQUEST_FORMERR},
		{"an SOA that is too long", 36, 25, ZONE_REQUEST_FORMERR},
		{"an SOA that is too short", 36, 23, ZONE_REQUEST_FORMERR},
		{"an OPT that is not at the root", OPT, 1, ZONE_REQUEST_FORMERR},
		{"an OPT of version 1", OPT + 6, 1, ZONE_REQUEST_BADVERS},
		{"an option that runs over the end", OPT + 14, 1, ZONE_REQUEST_FORMERR},
	};
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		uint8_t msg[sizeof(good)];
		struct zone_request r;
		memcpy(msg, good, sizeof(msg));
		assert_int_not_equal(msg[cases[i].at], cases[i].octet);
		msg[cases[i].at] = cases[i].octet;
		if (parse(msg, sizeof(msg), &r) != cases[i].status)
			fail_msg("%s", cases[i].what);
	}
}

/* Cut anywhere, or with something behind it, it is not well-formed. */
static void
test_every_length(void **state)
{
	uint8_t msg[sizeof(good) + 1] = {0};
	struct zone_request r;
	memcpy(msg, good, sizeof(good));
	for (size_t len = 0; len < sizeof(good); len++)
		assert_int_equal(parse(msg, len, &r),
				 len < DNS_HEADER_LEN ? ZONE_REQUEST_DROP : ZONE_REQUEST_FORMERR);
	assert_int_equal(parse(msg, sizeof(msg), &r), ZONE_REQUEST_FORMERR);
}

static void
test_reply(void **state)
{
	static const uint8_t yes[] = {
		0x12, 0x34, 0xa4, 0x00, 0,   1,   0,   0,   0, 0, 0, 1, /* QR, NOTIFY, AA */
		7,    'E',  'x',  'A',  'm', 'p', 'l', 'e', 0, 0, 6, 0, 1, 0, 0, 41, 4, 208, 0, 0, 0x80, 0, 0, 0,
	};
	struct zone_request r;
	uint8_t out[512];
	assert_int_equal(parse(good, sizeof(good), &r), ZONE_REQUEST_OK);
	assert_int_equal(notify_reply(&r, RCODE_NOERROR, 1232, out, sizeof(out)), sizeof(yes));
	assert_memory_equal(out, yes, sizeof(yes));
	assert_int_equal(notify_reply(&r, RCODE_NOTAUTH, 1232, out, sizeof(out)), sizeof(yes));
	assert_int_equal(load_be16(out + 2), 0xa000 | RCODE_NOTAUTH);
	/* Without a question that could be read there is none in the reply. */
	assert_int_equal(parse(good, 20, &r), ZONE_REQUEST_FORMERR);
	assert_int_equal(notify_reply(&r, RCODE_FORMERR, 1232, out, sizeof(out)), DNS_HEADER_LEN);
	assert_int_equal(load_be16(out + 4), 0);
}

static void
test_reply_to_other_version(void **state)
{
	uint8_t msg[sizeof(good)], out[512];
	struct zone_request r;
	memcpy(msg, good, sizeof(msg));
	msg[OPT + 6] = 1;
	enum zone_request_status status = parse(msg, sizeof(msg), &r);
	size_t len = notify_reply(&r, zone_request_status_rcode(status), 1232, out, sizeof(out));
	assert_int_equal(out[3] & 15, RCODE_BADVERS & 15);
	assert_int_equal(out[len - 6], RCODE_BADVERS >> 4);
	assert_int_equal(out[len - 5], 0); /* the version that we know */
}

/* -------- sources -------- */

static struct acl_client
client_at(const char *address, const struct name *key)
{
	struct acl_client c = {.key = key};
	c.from.is_v6 = strchr(address, ':') != NULL;
	assert_int_equal(inet_pton(c.from.is_v6 ? AF_INET6 : AF_INET, address, c.from.address), 1);
	return c;
}

static bool
allowed(const struct config *c, const char *address, const char *key)
{
	struct name name = fixture_name(key == NULL ? "." : key);
	struct acl_client client = client_at(address, key == NULL ? NULL : &name);
	return notify_source_is_allowed(c->zones[0].settings, &client);
}

static void
test_sources(void **state)
{
	struct config *c =
		fixture_config("keys: [{id: fleet, secret: " SECRET "}, {id: other, secret: " SECRET "}]\n"
			       "remotes:\n"
			       "  - {id: plain, address: 192.0.2.1@5353}\n"
			       "  - {id: signing, address: \"2001:db8::1\", key: fleet}\n"
			       "acls:\n"
			       "  - {id: net, address: 198.51.100.0/24, key: other}\n"
			       "zones: [{name: example, primaries: [plain, signing], allow-notify: [net]}]\n");
	assert_true(allowed(c, "192.0.2.1", NULL));
	assert_true(allowed(c, "::ffff:192.0.2.1", NULL));
	assert_true(allowed(c, "192.0.2.1", "other."));
	assert_false(allowed(c, "192.0.2.2", NULL));
	assert_true(allowed(c, "2001:db8::1", "fleet."));
	assert_false(allowed(c, "2001:db8::1", "other."));
	assert_false(allowed(c, "2001:db8::1", NULL));
	assert_true(allowed(c, "198.51.100.77", "other."));
	assert_false(allowed(c, "198.51.100.77", NULL));
	config_free(c);
}

static int
setup(void **state)
{
	fixture_enter();
	return 0;
}

static int
teardown(void **state)
{
	fixture_leave();
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_without_serial),
		cmocka_unit_test(test_other_soa),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_every_length),
		cmocka_unit_test(test_reply),
		cmocka_unit_test(test_reply_to_other_version),
		cmocka_unit_test(test_sources),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
