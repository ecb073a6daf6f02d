/* SPDX-License-Identifier: Apache-2.0 */
/* Mixes: the same ones every time, and names that the made zone has or lacks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bench/blast/mix.h"
#include "zones/base/bytes.h"
#include "zones/wire/rrtype.h"

static struct mix_spec
spec(enum mix mix, enum made_kind kind, uint32_t names)
{
	struct mix_spec s = {.mix = mix, .kind = kind, .names = names, .type = RRTYPE_A, .seed = 1};
	assert_int_equal(name_from_text("zone.test.", 10, NULL, &s.zone), NAME_OK);
	return s;
}

static void
make(const struct mix_spec *s, struct questions *out)
{
	*out = (struct questions){0};
	assert_int_equal(mix_make(s, out), 0);
}

static uint16_t
type_of(const struct questions *q, uint32_t i)
{
	const uint8_t *name = question_message(q, i) + 12;
	return load_be16(name + name_len(name));
}

static void
one_specification_gives_one_list(void **state)
{
	for (enum mix mix = MIX_HOT; mix <= MIX_MIXED; mix++) {
		struct mix_spec s = spec(mix, MADE_TLD, 500);
		struct questions a, b;
		make(&s, &a);
		make(&s, &b);
		assert_int_equal(a.n, mix == MIX_HOT ? 100 : 500);
		assert_int_equal(a.n_bytes, b.n_bytes);
		assert_memory_equal(a.bytes, b.bytes, a.n_bytes);
		questions_free(&a);
		questions_free(&b);
	}
}

static void
another_seed_gives_another_mixture(void **state)
{
	struct mix_spec s = spec(MIX_MIXED, MADE_FLAT, 500);
	struct questions a, b;
	make(&s, &a);
	s.seed = 2;
	make(&s, &b);
	assert_true(a.n_bytes != b.n_bytes || memcmp(a.bytes, b.bytes, a.n_bytes) != 0);
	questions_free(&a);
	questions_free(&b);
}

static void
a_mixture_has_the_parts_that_it_should(void **state)
{
	struct mix_spec s = spec(MIX_MIXED, MADE_FLAT, 10000);
	struct questions q;
	unsigned there = 0, missing = 0, without_type = 0;
	make(&s, &q);
	for (uint32_t i = 0; i < q.n; i++) {
		if (question_message(&q, i)[13] == 'x')
			missing++;
		else if (type_of(&q, i) == RRTYPE_TXT)
			without_type++;
		else
			there++;
	}
	assert_in_range(there, 5700, 6300);
	assert_in_range(missing, 2700, 3300);
	assert_in_range(without_type, 850, 1150);
	questions_free(&q);
}

/* The zone file as text. */
static char *
zone_text(enum made_kind kind, uint32_t names)
{
	struct mix_spec s = spec(MIX_RANDOM, kind, names);
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);
	assert_non_null(f);
	assert_int_equal(made_zone_write(kind, &s.zone, names, f), 0);
	fclose(f);
	return text;
}

/* True if a line of the text begins with the name, relative to the zone, and a space. */
static bool
has_owner(const char *text, const uint8_t *wire)
{
	char owner[NAME_TEXT_MAX + 2] = "\n", full[NAME_TEXT_MAX];
	name_to_text(wire, full);
	char *end = strstr(full, ".zone.test.");
	assert_non_null(end);
	*end = '\0';
	strcat(owner, full);
	strcat(owner, " ");
	return strstr(text, owner) != NULL;
}

static void
names_are_in_the_zone_or_not(void **state)
{
	for (enum made_kind kind = MADE_FLAT; kind <= MADE_LONG; kind++) {
		char *text = zone_text(kind, 50);
		struct mix_spec s = spec(MIX_RANDOM, kind, 50);
		struct name name;
		for (uint32_t i = 0; i < 50; i++) {
			made_name(kind, &s.zone, i, &name);
			assert_true(has_owner(text, name.bytes));
			assert_int_equal(name_check(name.bytes, name.len), name.len);
			made_missing_name(kind, &s.zone, i, &name);
			assert_false(has_owner(text, name.bytes));
			made_name_below(kind, &s.zone, i, &name);
			assert_true(has_owner(text, name_parent(name.bytes, 1)));
			assert_int_equal(name_check(name.bytes, name.len), name.len);
		}
		free(text);
	}
}

static unsigned
count(const char *text, const char *what)
{
	unsigned n = 0;
	for (const char *p = text; (p = strstr(p, what)) != NULL; p++)
		n++;
	return n;
}

static void
delegations_are_as_promised(void **state)
{
	char *text = zone_text(MADE_TLD, 3000);
	assert_int_equal(count(text, "\nns.n"), 300);          /* glue of their own */
	assert_int_equal(count(text, " DS "), 1000);           /* one in three */
	assert_int_equal(count(text, "\nprovider"), 2 * 1000); /* providers in the zone */
	assert_in_range(count(text, ".provider.test."), 2700, 3300);
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_specification_gives_one_list),
		cmocka_unit_test(another_seed_gives_another_mixture),
		cmocka_unit_test(a_mixture_has_the_parts_that_it_should),
		cmocka_unit_test(names_are_in_the_zone_or_not),
		cmocka_unit_test(delegations_are_as_promised),
	};
	return cmocka_run_group_tests_name("blast-mix", tests, NULL, NULL);
}
