/* SPDX-License-Identifier: Apache-2.0 */
/* Single values: what each kind takes, what it refuses, and how numbers are said back. */
#include <arpa/inet.h>
#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "control/config/config_value.h"

static struct config_why why;

/* -------- numbers -------- */

static uint64_t
number(const char *text, enum config_unit unit)
{
	uint64_t value = 0;
	int rc = config_parse_number(text, unit, 0, UINT64_MAX, &value, &why);
	if (rc != 0)
		fail_msg("%s: %s", text, why.text);
	return value;
}

static void
refused(const char *text, enum config_unit unit, uint64_t min, uint64_t max, const char *reason)
{
	uint64_t value = 42;
	assert_int_equal(config_parse_number(text, unit, min, max, &value, &why), -EINVAL);
	assert_int_equal(value, 42);
	if (strstr(why.text, reason) == NULL)
		fail_msg("\"%s\" gave \"%s\", not \"%s\"", text, why.text, reason);
}

static void
numbers_have_the_suffixes_of_their_unit(void **state)
{
	(void)state;
	assert_int_equal(number("0", CONFIG_UNIT_NONE), 0);
	assert_int_equal(number("007", CONFIG_UNIT_NONE), 7);
	assert_int_equal(number("10k", CONFIG_UNIT_NONE), 10000);
	assert_int_equal(number("500M", CONFIG_UNIT_NONE), 500000000);
	assert_int_equal(number("2G", CONFIG_UNIT_NONE), 2000000000);
	assert_true(number("18446744073709551615", CONFIG_UNIT_NONE) == UINT64_MAX);
	assert_int_equal(number("0", CONFIG_UNIT_BYTES), 0);
	assert_int_equal(number("1B", CONFIG_UNIT_BYTES), 1);
	assert_int_equal(number("3KiB", CONFIG_UNIT_BYTES), 3072);
	assert_int_equal(number("512MiB", CONFIG_UNIT_BYTES), 512 << 20);
	assert_int_equal(number("64GiB", CONFIG_UNIT_BYTES), 64ll << 30);
	assert_int_equal(number("2TiB", CONFIG_UNIT_BYTES), 2ll << 40);
	assert_int_equal(number("250ms", CONFIG_UNIT_MS), 250);
	assert_int_equal(number("10s", CONFIG_UNIT_MS), 10000);
	assert_int_equal(number("5m", CONFIG_UNIT_MS), 300000);
	assert_int_equal(number("2h", CONFIG_UNIT_MS), 7200000);
	assert_int_equal(number("1d", CONFIG_UNIT_MS), 86400000);
	assert_int_equal(number("1w", CONFIG_UNIT_MS), 604800000);
}

static void
numbers_out_of_range_name_the_bound(void **state)
{
	(void)state;
	uint64_t value;
	refused("18446744073709551616", CONFIG_UNIT_NONE, 0, UINT64_MAX, "too much");
	refused("18446744073709552k", CONFIG_UNIT_NONE, 0, UINT64_MAX, "too much");
	refused("513", CONFIG_UNIT_NONE, 0, 512, "513 is too much; the highest is 512");
	refused("511", CONFIG_UNIT_NONE, 512, 4096, "511 is too little; the lowest is 512");
	assert_int_equal(config_parse_number("512", CONFIG_UNIT_NONE, 512, 512, &value, &why), 0);
	refused("2h", CONFIG_UNIT_MS, 0, 3600000, "the highest is 1h");
	refused("1KiB", CONFIG_UNIT_BYTES, 1 << 20, 1 << 30, "the lowest is 1MiB");
}

static void
numbers_nearly_right_get_the_right_form(void **state)
{
	(void)state;
	refused("512MB", CONFIG_UNIT_BYTES, 0, UINT64_MAX, "did you mean 512MiB?");
	refused("512m", CONFIG_UNIT_BYTES, 0, UINT64_MAX, "did you mean 512MiB?");
	refused("1 GiB", CONFIG_UNIT_BYTES, 0, UINT64_MAX, "did you mean 1GiB?");
	refused("10S", CONFIG_UNIT_MS, 0, UINT64_MAX, "did you mean 10s?");
	refused("10", CONFIG_UNIT_MS, 0, UINT64_MAX, "has no unit");
	refused("5K", CONFIG_UNIT_NONE, 0, UINT64_MAX, "did you mean 5k?");
	refused("1.5h", CONFIG_UNIT_MS, 0, UINT64_MAX, "not a duration");
	refused("-1", CONFIG_UNIT_NONE, 0, UINT64_MAX, "not a whole number");
	refused("0x10", CONFIG_UNIT_NONE, 0, UINT64_MAX, "not a whole number");
	refused("1s ", CONFIG_UNIT_MS, 0, UINT64_MAX, "not a duration");
	refused("", CONFIG_UNIT_MS, 0, UINT64_MAX, "not a duration");
}

/* Whatever number is said can be read again as the same. */
static void
numbers_are_said_as_they_are_read(void **state)
{
	(void)state;
	static const uint64_t values[] = {0,       1,          999,        1000,      1024,
					  60000,   90000,      86400000,   604800000, 1048576,
					  1000000, 1500000000, UINT64_MAX, 1ull << 40};
	char text[32];
	for (unsigned i = 0; i < ARRAY_LEN(values); i++)
		for (int unit = CONFIG_UNIT_NONE; unit <= CONFIG_UNIT_MS; unit++) {
			config_number_text(values[i], (enum config_unit)unit, text, sizeof(text));
			assert_true(number(text, (enum config_unit)unit) == values[i]);
		}
	assert_string_equal(config_number_text(90000, CONFIG_UNIT_MS, text, sizeof(text)), "90s");
	assert_string_equal(config_number_text(86400000, CONFIG_UNIT_MS, text, sizeof(text)), "1d");
	assert_string_equal(config_number_text(512 << 20, CONFIG_UNIT_BYTES, text, sizeof(text)), "512MiB");
	assert_string_equal(config_number_text(10000, CONFIG_UNIT_NONE, text, sizeof(text)), "10000");
	assert_string_equal(config_number_text(500000000, CONFIG_UNIT_NONE, text, sizeof(text)), "500M");
}

/* -------- addresses -------- */

static void
addresses_get_their_port(void **state)
{
	(void)state;
	struct config_address a;
	char text[CONFIG_ADDRESS_TEXT_MAX];
	assert_int_equal(config_parse_address("192.0.2.53", 53, &a, &why), 0);
	assert_int_equal(a.v4.sin_family, AF_INET);
	assert_int_equal(a.v4.sin_port, htons(53));
	assert_int_equal(a.v4.sin_addr.s_addr, htonl(0xc0000235));
	assert_int_equal(a.len, sizeof(struct sockaddr_in));
	assert_int_equal(config_parse_address("2001:db8::53@65535", 53, &a, &why), 0);
	assert_int_equal(a.len, sizeof(struct sockaddr_in6));
	assert_string_equal(config_address_text(&a, text), "2001:db8::53@65535");
	assert_int_equal(config_parse_address("192.0.2.1", 0, &a, &why), 0);
	assert_int_equal(a.v4.sin_port, 0);
	/* The longest there is fits. */
	assert_int_equal(config_parse_address("ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255@65535", 53, &a, &why),
			 0);
	assert_string_equal(config_address_text(&a, text), "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff@65535");
	struct config_address before = a;
	assert_int_equal(config_parse_address("192.0.2.1@", 53, &a, &why), -EINVAL);
	assert_int_equal(config_parse_address("ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.2555", 53, &a, &why),
			 -EINVAL);
	assert_int_equal(config_parse_address("0127.0.0.1", 53, &a, &why), -EINVAL);
	assert_memory_equal(&a, &before, sizeof(a));
}

static bool
contains(const char *prefix_text, const char *address_text)
{
	struct config_prefix prefix;
	struct config_address address;
	assert_int_equal(config_parse_prefix(prefix_text, &prefix, &why), 0);
	assert_int_equal(config_parse_address(address_text, 53, &address, &why), 0);
	return config_prefix_contains(&prefix, &address.any);
}

static void
prefixes_hold_what_lies_in_them(void **state)
{
	(void)state;
	assert_true(contains("192.0.2.0/24", "192.0.2.255"));
	assert_false(contains("192.0.2.0/24", "192.0.3.0"));
	assert_true(contains("192.0.2.0/23", "192.0.3.0"));
	assert_true(contains("10.0.0.0/9", "10.127.255.255"));
	assert_false(contains("10.0.0.0/9", "10.128.0.0"));
	assert_true(contains("0.0.0.0/0", "255.255.255.255"));
	assert_false(contains("0.0.0.0/0", "::1"));
	assert_false(contains("::/0", "127.0.0.1"));
	assert_true(contains("127.0.0.1", "127.0.0.1@5300"));
	assert_false(contains("127.0.0.1", "127.0.0.2"));
	assert_true(contains("2001:db8::/33", "2001:db8:7fff::1"));
	assert_false(contains("2001:db8::/33", "2001:db8:8000::1"));
	assert_true(contains("::1/128", "::1"));
}

static void
prefixes_with_bits_behind_are_put_right(void **state)
{
	(void)state;
	struct config_prefix prefix;
	assert_int_equal(config_parse_prefix("10.200.0.0/9", &prefix, &why), -EINVAL);
	assert_non_null(strstr(why.text, "did you mean 10.128.0.0/9?"));
	assert_int_equal(config_parse_prefix("::1/0", &prefix, &why), -EINVAL);
	assert_non_null(strstr(why.text, "did you mean ::/0?"));
	assert_int_equal(config_parse_prefix("192.0.2.0/", &prefix, &why), -EINVAL);
	assert_int_equal(config_parse_prefix("192.0.2.0/24/8", &prefix, &why), -EINVAL);
}

/* -------- CPUs -------- */

static void
core_lists_are_sorted_out(void **state)
{
	(void)state;
	struct config_arena arena = {0};
	unsigned *cores = NULL, n = 0;
	static const unsigned want[] = {0, 2, 3, 4, 17, 1023};
	assert_int_equal(config_parse_cores("17,2-4,1023,0", &arena, &cores, &n, &why), 0);
	assert_int_equal(n, ARRAY_LEN(want));
	assert_memory_equal(cores, want, sizeof(want));
	assert_int_equal(config_parse_cores("5-5", &arena, &cores, &n, &why), 0);
	assert_int_equal(n, 1);
	static const char *const bad[] = {"",    ",",     "1,", ",1",   "1 2",    "1-",
					  "-1",  "1-2-3", "a",  "1024", "0-1024", "99999999999999999999",
					  "3-1", "1,1",   "All"};
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(config_parse_cores(bad[i], &arena, &cores, &n, &why), -EINVAL);
	assert_int_equal(n, 1);
	cpu_set_t set;
	assert_int_equal(sched_getaffinity(0, sizeof(set), &set), 0);
	assert_int_equal(config_parse_cores("all", &arena, &cores, &n, &why), 0);
	assert_int_equal(n, CPU_COUNT(&set));
	config_arena_wipe(&arena);
}

/* -------- names -------- */

static void
names_are_absolute_and_lower_case(void **state)
{
	(void)state;
	struct name name;
	assert_int_equal(config_parse_name("ExAmple.COM", &name, &why), 0);
	assert_int_equal(name.len, 13);
	assert_memory_equal(name.bytes, "\7example\3com", 13);
	assert_int_equal(config_parse_name(".", &name, &why), 0);
	assert_int_equal(name.len, 1);
	assert_int_equal(config_parse_name("@", &name, &why), -EINVAL);
	assert_int_equal(config_parse_name("", &name, &why), -EINVAL);
	assert_int_equal(config_parse_pattern("*.Example", &name, &why), 0);
	assert_memory_equal(name.bytes, "\1*\7example", 11);
	assert_int_equal(config_parse_pattern("a*.example", &name, &why), -EINVAL);
	assert_int_equal(config_parse_pattern("a.*", &name, &why), -EINVAL);
	assert_int_equal(config_parse_pattern("**", &name, &why), -EINVAL);
}

/* -------- rates, shares, secrets -------- */

static void
rates_and_shares(void **state)
{
	(void)state;
	uint32_t a = 7, b = 7;
	assert_int_equal(config_parse_rate("50/s", &a, &why), 0);
	assert_int_equal(a, 50);
	assert_int_equal(config_parse_rate("10k/s", &a, &why), 0);
	assert_int_equal(a, 10000);
	assert_int_equal(config_parse_rate("off", &a, &why), 0);
	assert_int_equal(a, 0);
	static const char *const bad[] = {"",      "/s",  "50",   "50/",          "50/m",
					  "50/ss", "0/s", "-1/s", "1000000000/s", "on"};
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(config_parse_rate(bad[i], &a, &why), -EINVAL);
	assert_int_equal(config_parse_ratio("1/4294967295", &a, &b, &why), 0);
	assert_int_equal(a, 1);
	assert_true(b == UINT32_MAX);
	static const char *const bad_shares[] = {"",    "1",   "1/",           "/1",    "0/1",
						 "1/0", "2/1", "1/4294967296", "1/2/3", "1 /2"};
	for (unsigned i = 0; i < ARRAY_LEN(bad_shares); i++)
		assert_int_equal(config_parse_ratio(bad_shares[i], &a, &b, &why), -EINVAL);
}

/* RFC 4648 section 10 */
static void
base64_decodes_the_test_vectors(void **state)
{
	(void)state;
	static const char *const vectors[][2] = {{"Zg==", "f"},         {"Zm8=", "fo"},
						 {"Zm9v", "foo"},       {"Zm9vYg==", "foob"},
						 {"Zm9vYmE=", "fooba"}, {"Zm9vYmFy", "foobar"}};
	struct config_arena arena = {0};
	uint8_t *octets;
	unsigned len;
	for (unsigned i = 0; i < ARRAY_LEN(vectors); i++) {
		assert_int_equal(config_parse_base64(vectors[i][0], &arena, &octets, &len, &why), 0);
		assert_int_equal(len, strlen(vectors[i][1]));
		assert_memory_equal(octets, vectors[i][1], len);
	}
	assert_int_equal(config_parse_base64("+/+/", &arena, &octets, &len, &why), 0);
	assert_memory_equal(octets, "\xfb\xff\xbf", 3);
	static const char *const bad[] = {
		"", "=", "==", "====", "Zg=", "Zg===", "Z===", "Zm9", "Zm9v ", "Zm 9", "Zm9-", "Zg==Zg=="};
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(config_parse_base64(bad[i], &arena, &octets, &len, &why), -EINVAL);
	config_arena_wipe(&arena);
}

static void
hex_wants_the_exact_length(void **state)
{
	(void)state;
	uint8_t octets[3] = {0};
	assert_int_equal(config_parse_hex("00aBfF", octets, 3, &why), 0);
	assert_memory_equal(octets, "\x00\xab\xff", 3);
	assert_int_equal(config_parse_hex("00aBf", octets, 3, &why), -EINVAL);
	assert_int_equal(config_parse_hex("00aBfF0", octets, 3, &why), -EINVAL);
	assert_int_equal(config_parse_hex("00aBfg", octets, 3, &why), -EINVAL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_have_the_suffixes_of_their_unit),
		cmocka_unit_test(numbers_out_of_range_name_the_bound),
		cmocka_unit_test(numbers_nearly_right_get_the_right_form),
		cmocka_unit_test(numbers_are_said_as_they_are_read),
		cmocka_unit_test(addresses_get_their_port),
		cmocka_unit_test(prefixes_hold_what_lies_in_them),
		cmocka_unit_test(prefixes_with_bits_behind_are_put_right),
		cmocka_unit_test(core_lists_are_sorted_out),
		cmocka_unit_test(names_are_absolute_and_lower_case),
		cmocka_unit_test(rates_and_shares),
		cmocka_unit_test(base64_decodes_the_test_vectors),
		cmocka_unit_test(hex_wants_the_exact_length),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
