/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/wire/cmocka_wire.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>

#include "zones/wire/rrtype.h"

static int
type_of(const char *text)
{
	uint16_t type;
	int rc = rrtype_from_text(text, strlen(text), &type);

	return rc == 0 ? type : rc;
}

/* Rows in order, each found by number and by name in any case. */
static void
every_row(void **state)
{
	unsigned n;
	const struct rrtype_row *rows = rrtype_rows(&n);

	assert_int_equal(n, 97);
	for (unsigned i = 0; i < n; i++) {
		char text[RRTYPE_TEXT_MAX], lower[RRTYPE_TEXT_MAX];
		if (i > 0)
			assert_true(rows[i].type > rows[i - 1].type);
		assert_ptr_equal(rrtype_row(rows[i].type), &rows[i]);
		size_t len = rrtype_to_text(rows[i].type, text);
		assert_string_equal(text, rows[i].mnemonic);
		assert_int_equal(len, strlen(text));
		assert_int_equal(type_of(text), rows[i].type);
		for (size_t k = 0; k <= len; k++)
			lower[k] = (char)tolower(text[k]);
		assert_int_equal(type_of(lower), rows[i].type);
		assert_int_equal(rows[i].fields == NULL, (rows[i].flags & RRTYPE_META) != 0);
	}
}

/* Every number goes to text and back, with a row or without. */
static void
every_number(void **state)
{
	unsigned n, found = 0;

	rrtype_rows(&n);
	for (unsigned type = 0; type <= UINT16_MAX; type++) {
		char text[RRTYPE_TEXT_MAX];
		rrtype_to_text((uint16_t)type, text);
		assert_int_equal(type_of(text), type);
		const struct rrtype_row *row = rrtype_row((uint16_t)type);
		found += row != NULL;
		assert_true(row == NULL ? strncmp(text, "TYPE", 4) == 0 : row->type == type);
	}
	assert_int_equal(found, n);
}

static void
types_from_text(void **state)
{
	static const char *const bad[] = {"",       "TYPE", "TYPE65536", "TYPE123456",  "TYPE1x",          "TYPE-1",
					  "NOSUCH", "AA",   "NSAP-",     "NSEC3PARAMS", "NSEC3PARAMETERS", " A",
					  "1"};

	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(type_of(bad[i]), -ENOENT);
	assert_int_equal(type_of("type65535"), 65535);
	assert_int_equal(type_of("TYPE1"), RRTYPE_A);
	assert_int_equal(type_of("Nsap-Ptr"), 23);
	assert_int_equal(type_of("NSEC3PARAM"), RRTYPE_NSEC3PARAM);
}

static void
flags(void **state)
{
	static const uint16_t meta[] = {RRTYPE_OPT,  RRTYPE_NXNAME, RRTYPE_TKEY,  RRTYPE_TSIG, RRTYPE_IXFR,
					RRTYPE_AXFR, RRTYPE_MAILB,  RRTYPE_MAILA, RRTYPE_ANY};
	static const uint16_t targets[] = {RRTYPE_NS, RRTYPE_MX, 18, 21, RRTYPE_SRV, 36, RRTYPE_SVCB, RRTYPE_HTTPS};
	unsigned n, n_meta = 0, n_targets = 0;
	const struct rrtype_row *rows = rrtype_rows(&n);

	for (unsigned i = 0; i < sizeof(meta) / sizeof(meta[0]); i++)
		assert_true(rrtype_row(meta[i])->flags & RRTYPE_META);
	for (unsigned i = 0; i < sizeof(targets) / sizeof(targets[0]); i++)
		assert_int_equal(rrtype_row(targets[i])->additional, ADDITIONAL_ADDRESSES);
	for (unsigned i = 0; i < n; i++) {
		n_meta += (rows[i].flags & RRTYPE_META) != 0;
		n_targets += rows[i].additional == ADDITIONAL_ADDRESSES;
		assert_int_equal((rows[i].flags & RRTYPE_SINGLETON) != 0, rows[i].type == RRTYPE_SOA ||
										  rows[i].type == RRTYPE_CNAME ||
										  rows[i].type == RRTYPE_DNAME);
	}
	assert_int_equal(n_meta, sizeof(meta) / sizeof(meta[0]));
	assert_int_equal(n_targets, sizeof(targets) / sizeof(targets[0]));
}

static int
class_of(const char *text)
{
	uint16_t rrclass;
	int rc = rrclass_from_text(text, strlen(text), &rrclass);

	return rc == 0 ? rrclass : rc;
}

static void
classes(void **state)
{
	assert_int_equal(class_of("IN"), RRCLASS_IN);
	assert_int_equal(class_of("in"), RRCLASS_IN);
	assert_int_equal(class_of("Ch"), RRCLASS_CH);
	assert_int_equal(class_of("HS"), RRCLASS_HS);
	assert_int_equal(class_of("NONE"), RRCLASS_NONE);
	assert_int_equal(class_of("any"), RRCLASS_ANY);
	assert_int_equal(class_of("CLASS65535"), 65535);
	assert_int_equal(class_of("class1"), RRCLASS_IN);
	assert_int_equal(class_of("CLASS65536"), -ENOENT);
	assert_int_equal(class_of("CLASS"), -ENOENT);
	assert_int_equal(class_of("I"), -ENOENT);
	assert_int_equal(class_of("INN"), -ENOENT);
	assert_int_equal(class_of(""), -ENOENT);
}

static void
nearest(void **state)
{
	assert_string_equal(rrtype_nearest("CNMAE", 5), "CNAME");
	assert_string_equal(rrtype_nearest("dnskeys", 7), "DNSKEY");
	assert_null(rrtype_nearest("frobnicate", 10));
	assert_null(rrtype_nearest("averyverylongwordindeedthatnobodymeant", 38));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row), cmocka_unit_test(every_number), cmocka_unit_test(types_from_text),
		cmocka_unit_test(flags),     cmocka_unit_test(classes),      cmocka_unit_test(nearest),
	};

	return cmocka_run_group_tests_name("rrtype", tests, NULL, NULL);
}
