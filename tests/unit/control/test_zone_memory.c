/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a zone costs beside its data, added up from the structures: in the allocator's (jemalloc's) classes of size,
 * for names of 23 octets, in a process of a million zones. tests/system/million measures it on running servers.
 *
 * Who makes one of these structures larger finds out here what that means; the budget is docs/perf/million.md's.
 */
#include "tests/unit/control/control_fixture.h"

#include "control/config/config.h"
#include "control/zone/catalog.h"
#include "control/zone/catalog_produce.h"
#include "control/zone/secondary_private.h"
#include "control/zone/zones_private.h"

enum {
	BUDGET = 512,
	NAME_LEN = 23,
	PATH_LEN = 40,
	IN_TABLE = 17, /* a page of 1 KiB holds 61 entries where there are a million */
	IN_ARRAY = 9,  /* a pointer, in an array of 2^20 */
};

/* What malloc() takes for so many octets. */
static size_t
block(size_t size)
{
	size_t step = 16;
	while (size > 8 * step)
		step *= 2;
	return (size + step - 1) / step * step;
}

static size_t
any_zone(void)
{
	return block(sizeof(struct zone_item)) + block(sizeof(struct zone) + NAME_LEN) +
	       block(sizeof(struct served)) + IN_TABLE + IN_ARRAY;
}

static size_t
entry(void)
{
	return sizeof(struct config_entry) + NAME_LEN + 1;
}

static size_t
refreshing(void)
{
	return block(secondary_bytes(1)) + IN_ARRAY;
}

static size_t
member(void)
{
	return block(sizeof(struct catalog_member) + NAME_LEN + 1 + CATALOG_ID_HEX) + IN_TABLE;
}

static void
blocks_are_those_of_the_allocator(void **state)
{
	const size_t sizes[][2] = {{1, 16},    {16, 16},   {112, 112}, {113, 128}, {129, 160},
				   {160, 160}, {161, 192}, {257, 320}, {513, 640}, {1024, 1024}};
	for (unsigned i = 0; i < ARRAY_LEN(sizes); i++)
		assert_int_equal(block(sizes[i][0]), sizes[i][1]);
}

static void
check(const char *what, size_t octets)
{
	print_message("%s: %zu octets\n", what, octets);
	assert_in_range(octets, 1, BUDGET);
}

static void
every_kind_of_zone_keeps_to_the_budget(void **state)
{
	check("any zone", any_zone());
	check("an entry of `zones` with a file", any_zone() + entry() + PATH_LEN + 1);
	check("an entry of `zones` with a primary", any_zone() + entry() + refreshing());
	check("a member of a catalog", any_zone() + refreshing() + member());
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(blocks_are_those_of_the_allocator),
		cmocka_unit_test(every_kind_of_zone_keeps_to_the_budget),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
