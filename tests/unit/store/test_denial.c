/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The denial index's order: the prefix that places a name among the names of a zone, however it was come by. What
 * answers make of the index is tested in tests/unit/answer/test_denial.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "zones/store/denial.h"

#define NAMES 20000

static uint64_t random_state = 1;

static unsigned
random_below(unsigned n)
{
	random_state = random_state * UINT64_C(6364136223846793005) + 1442695040888963407;
	return (unsigned)(random_state >> 33) % n;
}

/* A name of 0 to 4 labels below `apex`; octets that sit at the edges of the prefix's rules are frequent. */
static struct name
random_name(const struct name *apex)
{
	static const uint8_t edges[] = {0, 1, '*', 'a', 0x7f, 0x80, 0xfc, 0xfd, 0xfe, 0xff};
	struct name n = {0};
	for (unsigned labels = random_below(5); labels > 0; labels--) {
		unsigned len = 1 + random_below(random_below(4) == 0 ? 40 : 10);
		n.bytes[n.len++] = (uint8_t)len;
		for (; len > 0; len--)
			n.bytes[n.len++] = random_below(3) == 0 ? edges[random_below(sizeof(edges))] : 'b';
	}
	memcpy(n.bytes + n.len, apex->bytes, apex->len);
	n.len = (uint8_t)(n.len + apex->len);
	return n;
}

static void
check_prefixes(const struct name *apex)
{
	unsigned apex_labels = name_labels(apex->bytes);
	struct name last = *apex;
	uint64_t last_prefix = denial_name_prefix(last.bytes, apex_labels);
	for (unsigned i = 0; i < NAMES; i++) {
		struct name n = random_name(apex);
		struct name_suffixes s;
		name_suffixes(n.bytes, &s);
		uint64_t prefix = denial_name_prefix(n.bytes, apex_labels);
		assert_true(denial_suffixes_prefix(&n, &s, apex_labels) == prefix);
		int order = name_compare(n.bytes, last.bytes);
		assert_true(order < 0 ? prefix <= last_prefix : prefix >= last_prefix);
		last = n;
		last_prefix = prefix;
	}
}

static void
test_prefixes(void **state)
{
	const struct name root = {.len = 1}, example = {.len = 9, .bytes = "\7example"};
	check_prefixes(&root);
	check_prefixes(&example);
}

/* The longest name there is, its first label at the end of what may be read. */
static void
test_longest_name(void **state)
{
	struct name n = {.len = NAME_MAX_LEN};
	for (unsigned i = 0; i < 127; i++)
		memcpy(n.bytes + 2 * i, i % 2 == 0 ? "\1a" : "\1\xff", 2);
	struct name_suffixes s;
	name_suffixes(n.bytes, &s);
	for (unsigned apex_labels = 0; apex_labels < 127; apex_labels++)
		assert_true(denial_suffixes_prefix(&n, &s, apex_labels) ==
			    denial_name_prefix(n.bytes, apex_labels));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_prefixes),
		cmocka_unit_test(test_longest_name),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
