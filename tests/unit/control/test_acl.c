/* SPDX-License-Identifier: Apache-2.0 */
/* Access rules, read from configurations as operators write them. */
#include "tests/unit/control/control_fixture.h"

#include <arpa/inet.h>

#include "control/net/acl.h"

#define SECRET "bWFkZSB1cCBmb3IgdGhlIHRlc3RzLCAzMiBvY3RldHM="

static struct acl_client
client_at(const char *address, enum engine_transport transport)
{
	struct acl_client c = {.from.transport = (uint8_t)transport};
	c.from.is_v6 = strchr(address, ':') != NULL;
	assert_int_equal(inet_pton(c.from.is_v6 ? AF_INET6 : AF_INET, address, c.from.address), 1);
	return c;
}

/* Whether a list of all the rules, written in a YAML list, allows. */
static bool
allows(const char *rules, const char *address, enum engine_transport transport, const char *key)
{
	char text[1024];
	const struct config_acl *list[8];
	struct name name;
	struct acl_client client = client_at(address, transport);
	snprintf(text, sizeof(text),
		 "keys: [{id: Fleet, secret: " SECRET "}, {id: other, secret: " SECRET "}]\nacls: [%s]\n", rules);
	struct config *c = fixture_config(text);
	for (unsigned i = 0; i < c->n_acls; i++)
		list[i] = &c->acls[i];
	if (key != NULL) {
		name = fixture_name(key);
		client.key = &name;
	}
	bool allowed = acl_allows(list, c->n_acls, &client);
	config_free(c);
	return allowed;
}

static void
test_nobody_without_a_rule(void **state)
{
	assert_false(allows("", "127.0.0.1", ENGINE_TCP, "fleet."));
}

static void
test_addresses(void **state)
{
	static const struct {
		const char *prefix, *address;
		bool matches;
	} cases[] = {
		{"192.0.2.0/24", "192.0.2.255", true},
		{"192.0.2.0/24", "192.0.3.0", false},
		{"192.0.2.128/25", "192.0.2.127", false},
		{"192.0.2.128/25", "192.0.2.128", true},
		{"192.0.2.1", "192.0.2.1", true},
		{"192.0.2.1", "192.0.2.0", false},
		{"0.0.0.0/0", "203.0.113.1", true},
		{"0.0.0.0/0", "2001:db8::1", false},
		{"'::/0'", "2001:db8::1", true},
		{"'::/0'", "192.0.2.1", false},
		{"'2001:db8::/33'", "2001:db8:7fff::1", true},
		{"'2001:db8::/33'", "2001:db8:8000::1", false},
		{"'2001:db8::1'", "2001:db8::1", true},
		{"'2001:db8::1'", "2001:db8::2", false},
		/* IPv4 inside IPv6, on either side. */
		{"192.0.2.0/24", "::ffff:192.0.2.7", true},
		{"192.0.2.0/24", "::ffff:192.0.3.7", false},
		{"192.0.2.0/24", "::192.0.2.7", false},
		{"'::/0'", "::ffff:192.0.2.7", false},
		{"'::ffff:0:0/96'", "192.0.2.7", true},
		{"'::ffff:0:0/96'", "2001:db8::1", false},
		{"'::ffff:192.0.2.0/120'", "192.0.2.7", true},
		{"'::ffff:192.0.2.0/120'", "::ffff:192.0.2.7", true},
		{"'::ffff:192.0.2.0/120'", "192.0.3.7", false},
		{"[10.0.0.0/8, '::1']", "::1", true},
		{"[10.0.0.0/8, '::1']", "10.1.2.3", true},
		{"[10.0.0.0/8, '::1']", "11.1.2.3", false},
	};
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		char rule[128];
		snprintf(rule, sizeof(rule), "{id: a, address: %s}", cases[i].prefix);
		if (allows(rule, cases[i].address, ENGINE_UDP, NULL) != cases[i].matches)
			fail_msg("%s, %s", cases[i].prefix, cases[i].address);
	}
}

static void
test_keys(void **state)
{
	assert_true(allows("{id: a, key: Fleet}", "192.0.2.1", ENGINE_TCP, "fleet."));
	assert_false(allows("{id: a, key: Fleet}", "192.0.2.1", ENGINE_TCP, "other."));
	assert_false(allows("{id: a, key: Fleet}", "192.0.2.1", ENGINE_TCP, NULL));
	assert_true(allows("{id: a, address: 192.0.2.1}", "192.0.2.1", ENGINE_TCP, "other."));
}

static void
test_transports(void **state)
{
	static const char tls[] = "{id: a, address: 0.0.0.0/0, transport: tls}";
	assert_true(allows(tls, "192.0.2.1", ENGINE_TLS, NULL));
	assert_false(allows(tls, "192.0.2.1", ENGINE_TCP, NULL));
	assert_false(allows(tls, "192.0.2.1", ENGINE_UDP, NULL));
	static const char two[] = "{id: a, address: 0.0.0.0/0, transport: [tcp, udp]}";
	assert_false(allows(two, "192.0.2.1", ENGINE_TLS, NULL));
	assert_true(allows(two, "192.0.2.1", ENGINE_TCP, NULL));
	assert_true(allows(two, "192.0.2.1", ENGINE_UDP, NULL));
}

/* Parts of one rule must all match, and parts of two rules do not add up. */
static void
test_every_part_of_one_rule(void **state)
{
	static const char one[] = "{id: a, address: 192.0.2.0/24, key: Fleet, transport: tcp}";
	assert_true(allows(one, "192.0.2.1", ENGINE_TCP, "fleet."));
	assert_false(allows(one, "192.0.3.1", ENGINE_TCP, "fleet."));
	assert_false(allows(one, "192.0.2.1", ENGINE_UDP, "fleet."));
	assert_false(allows(one, "192.0.2.1", ENGINE_TCP, "other."));
	static const char two[] = "{id: a, address: 192.0.2.0/24, key: Fleet}, {id: b, address: 198.51.100.0/24}";
	assert_true(allows(two, "198.51.100.1", ENGINE_TCP, NULL));
	assert_true(allows(two, "192.0.2.1", ENGINE_TCP, "fleet."));
	assert_false(allows(two, "192.0.2.1", ENGINE_TCP, NULL));
	assert_false(allows(two, "203.0.113.1", ENGINE_TCP, "fleet."));
}

static void
test_addresses_of_servers(void **state)
{
	struct config_address a = {.v4 = {.sin_family = AF_INET, .sin_port = htons(53)}, .len = sizeof(a.v4)};
	inet_pton(AF_INET, "192.0.2.1", &a.v4.sin_addr);
	struct acl_client v4 = client_at("192.0.2.1", ENGINE_UDP), v6 = client_at("::ffff:192.0.2.1", ENGINE_UDP);
	struct acl_client other = client_at("192.0.2.2", ENGINE_UDP), wide = client_at("2001:db8::1", ENGINE_UDP);
	assert_true(acl_client_is_at(&v4, &a));
	assert_true(acl_client_is_at(&v6, &a));
	assert_false(acl_client_is_at(&other, &a));
	assert_false(acl_client_is_at(&wide, &a));
	a = (struct config_address){.v6 = {.sin6_family = AF_INET6}, .len = sizeof(a.v6)};
	inet_pton(AF_INET6, "2001:db8::1", &a.v6.sin6_addr);
	assert_true(acl_client_is_at(&wide, &a));
	assert_false(acl_client_is_at(&v4, &a));
}

static void
test_text(void **state)
{
	char text[ACL_CLIENT_TEXT_MAX];
	struct name key = fixture_name("fleet.");
	struct acl_client c = client_at("::ffff:192.0.2.1", ENGINE_TLS);
	assert_string_equal(acl_client_text(&c, text), "192.0.2.1 over tls");
	c = client_at("2001:db8::1", ENGINE_UDP);
	c.key = &key;
	assert_string_equal(acl_client_text(&c, text), "2001:db8::1 over udp with key fleet.");
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
		cmocka_unit_test(test_nobody_without_a_rule),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_transports),
		cmocka_unit_test(test_every_part_of_one_rule),
		cmocka_unit_test(test_addresses_of_servers),
		cmocka_unit_test(test_text),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
