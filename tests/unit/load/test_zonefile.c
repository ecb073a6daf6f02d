/* SPDX-License-Identifier: Apache-2.0 */
/* The zone-file reader: owners, TTLs, classes, types, directives, recovery behind faults. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/load/recorder.h"
#include "zones/base/alloc.h"

static void
owners(void **state)
{
	assert_records("$TTL 5\n"
		       "a A 192.0.2.1\n"
		       "b.example.com. A 192.0.2.2\n"
		       "@ A 192.0.2.3\n"
		       "\tA 192.0.2.4\n"
		       "\n"
		       "; comment\n"
		       "   A 192.0.2.5\n"
		       "$ORIGIN sub\n"
		       " A 192.0.2.6\n"
		       "a A 192.0.2.7\n"
		       "a A 192.0.2.8\n"
		       "$ORIGIN example.com.\n"
		       "a A 192.0.2.9\n"
		       "MiXeD A 192.0.2.10\n",
		       "a.example.com. 5 A 192.0.2.1\n"
		       "b.example.com. 5 A 192.0.2.2\n"
		       "example.com. 5 A 192.0.2.3\n"
		       "example.com. 5 A 192.0.2.4\n"
		       "example.com. 5 A 192.0.2.5\n"
		       "example.com. 5 A 192.0.2.6\n"
		       "a.sub.example.com. 5 A 192.0.2.7\n"
		       "a.sub.example.com. 5 A 192.0.2.8\n"
		       "a.example.com. 5 A 192.0.2.9\n"
		       "MiXeD.example.com. 5 A 192.0.2.10\n");
}

static void
ttl_and_class_in_any_order(void **state)
{
	assert_records("a 300 IN A 192.0.2.1\n"
		       "a IN 301 A 192.0.2.1\n"
		       "a 302 A 192.0.2.1\n"
		       "a class1 5m3s A 192.0.2.1\n"
		       "a in A 192.0.2.1\n"
		       "IN IN A 192.0.2.1\n"
		       "A A 192.0.2.1\n"
		       "300 A 192.0.2.1\n",
		       "a.example.com. 300 A 192.0.2.1\n"
		       "a.example.com. 301 A 192.0.2.1\n"
		       "a.example.com. 302 A 192.0.2.1\n"
		       "a.example.com. 303 A 192.0.2.1\n"
		       "a.example.com. 303 A 192.0.2.1\n"
		       "IN.example.com. 303 A 192.0.2.1\n"
		       "A.example.com. 303 A 192.0.2.1\n"
		       "300.example.com. 303 A 192.0.2.1\n");
}

/* RFC 2308 section 4: $TTL, once seen, is what a record without TTL gets; before it RFC 1035: the last one stated.
 */
static void
ttl_defaults(void **state)
{
	assert_records("a 60 A 192.0.2.1\n"
		       "b A 192.0.2.1\n"
		       "$TTL 1h\n"
		       "c A 192.0.2.1\n"
		       "d 61 A 192.0.2.1\n"
		       "e A 192.0.2.1\n"
		       "$TTL 0\n"
		       "f A 192.0.2.1\n",
		       "a.example.com. 60 A 192.0.2.1\n"
		       "b.example.com. 60 A 192.0.2.1\n"
		       "c.example.com. 3600 A 192.0.2.1\n"
		       "d.example.com. 61 A 192.0.2.1\n"
		       "e.example.com. 3600 A 192.0.2.1\n"
		       "f.example.com. 0 A 192.0.2.1\n");
}

static void
ttl_from_soa_minimum(void **state)
{
	assert_reading("@ SOA a b 1 2 3 4 77\n"
		       "a A 192.0.2.1\n"
		       "b 60 A 192.0.2.1\n"
		       "c A 192.0.2.1\n",
		       "example.com. 77 SOA a.example.com. b.example.com. 1 2 3 4 77\n"
		       "a.example.com. 77 A 192.0.2.1\n"
		       "b.example.com. 60 A 192.0.2.1\n"
		       "c.example.com. 60 A 192.0.2.1\n",
		       "z:1:1: warning: no TTL is given: the SOA's MINIMUM, 77 seconds, becomes the default\n");
	/* RFC 2181 section 8: a value with the highest bit set counts as zero. */
	assert_reading("@ SOA a b 1 2 3 4 4294967295\n",
		       "example.com. 0 SOA a.example.com. b.example.com. 1 2 3 4 4294967295\n",
		       "z:1:1: warning: no TTL is given: the SOA's MINIMUM, 0 seconds, becomes the default\n");
}

/* One cause, one message: not one for every record that follows. */
static void
ttl_missing_is_reported_once(void **state)
{
	struct reading reading = reading_of_text("a A 192.0.2.1\nb A 192.0.2.1\nc AAA 192.0.2.1\n");
	assert_int_equal(reading.rc, -EINVAL);
	assert_string_equal(
		reading.faults,
		"z:1:1: error: the record has no TTL, and neither $TTL nor a record before it gives one\n"
		"z:3:3: error: unknown record type 'AAA'; did you mean AAAA?\n");
	reading_free(&reading);

	reading = reading_of_text("$TTL bad\na A 192.0.2.1\n");
	assert_string_equal(reading.faults,
			    "z:1:6: error: 'bad' is not a TTL: seconds, or units as in 1w2d3h4m5s\n");
	reading_free(&reading);
}

static void
places(void **state)
{
	recorder_places = true;
	assert_records("$TTL 5\n"
		       "abc A 192.0.2.1\n"
		       "    IN A 192.0.2.2\n"
		       "\n"
		       "t TXT ( x\n"
		       " y )\n"
		       "u TXT z",
		       "abc.example.com. 5 A 192.0.2.1 @z:2:1\n"
		       "abc.example.com. 5 A 192.0.2.2 @z:3:5\n"
		       "t.example.com. 5 TXT \"x\" \"y\" @z:5:1\n"
		       "u.example.com. 5 TXT \"z\" @z:7:1\n");
	recorder_places = false;
}

static void
reading_goes_on_behind_faults(void **state)
{
	assert_reading("$TTL 5\n"
		       "a A ( 192.0.2\n"
		       "  1 )\n"
		       "b A 192.0.2.2 more\n"
		       "c AAA x ( \n"
		       " ) \n"
		       "d A 192.0.2.4\n"
		       "e..f A 192.0.2.5\n"
		       " A 192.0.2.6\n"
		       "  B 192.0.2.7\n"
		       "g TXT \"open\n"
		       "h TXT a ) b\n"
		       "i A 192.0.2.8\n",
		       "d.example.com. 5 A 192.0.2.4\n"
		       "i.example.com. 5 A 192.0.2.8\n",
		       "z:2:7: error: this is not an IPv4 address\n"
		       "z:4:15: error: there is more text than the record's data takes\n"
		       "z:5:3: error: unknown record type 'AAA'; did you mean AAAA?\n"
		       "z:8:1: error: owner 'e..f': the name has an empty label\n"
		       "z:10:3: error: unknown record type 'B'; did you mean MB?\n"
		       "z:11:7: error: the quote is not closed on its line\n"
		       "z:12:9: error: the closing parenthesis has no opening one\n");
}

/* A name outside is told once for the lines that repeat it by a blank owner, and again where it is written again.
 */
static void
outside_the_zone(void **state)
{
	assert_reading("$TTL 5\n"
		       "www.example.org. A 192.0.2.1\n"
		       "                 A 192.0.2.2\n"
		       "www.example.org. A 192.0.2.3\n"
		       "a A 192.0.2.4\n",
		       "a.example.com. 5 A 192.0.2.4\n",
		       "z:2:1: error: www.example.org. is outside the zone example.com.\n"
		       "z:4:1: error: www.example.org. is outside the zone example.com.\n");
}

static void
directives(void **state)
{
	assert_reading("$origin sub\n"
		       "$Ttl 7\n"
		       "a A 192.0.2.1\n"
		       "$ORIGN x\n"
		       "$NOTHINGOFTHEKIND\n"
		       "$TTL\n"
		       "$TTL 1 2\n"
		       "$ORIGIN x..y\n"
		       " $TTL 3\n"
		       "b A 192.0.2.2\n",
		       "a.sub.example.com. 7 A 192.0.2.1\n"
		       "b.sub.example.com. 1 A 192.0.2.2\n",
		       "z:4:1: error: unknown directive '$ORIGN'; did you mean $ORIGIN?\n"
		       "z:5:1: error: unknown directive '$NOTHINGOFTHEKIND'\n"
		       "z:6:5: error: the line ends where a TTL is expected\n"
		       "z:7:8: error: '2' is too much behind $TTL\n"
		       "z:8:9: error: origin 'x..y': the name has an empty label\n"
		       "z:9:2: error: '$TTL': a directive must begin its line\n");
}

/* What is shown of a token is short and printable, whatever the token is. */
static void
shown_text_is_harmless(void **state)
{
	char text[600] = "$TTL 5\na ";
	memset(text + strlen(text), '\x1b', 500);
	strcat(text, "\nb ");
	memset(text + strlen(text), 'q', 80);
	strcat(text, " 1\n");
	struct reading reading = reading_of_text(text);
	assert_int_equal(reading.n_errors, 2);
	assert_null(strchr(reading.faults, '\x1b'));
	assert_non_null(strstr(reading.faults, "unknown record type '\\027\\027\\027"));
	assert_non_null(strstr(reading.faults, "qqqqqqqq...'"));
	assert_true(strlen(reading.faults) < 500);
	reading_free(&reading);
}

/* Faults over the limit are counted, not kept. */
static void
limit_of_faults(void **state)
{
	struct name origin;
	struct zonefile_files *files;
	struct diag_list diag = {.limit = 3};
	const char text[] = "a B\na B\na B\na B\na B\n";

	assert_int_equal(name_from_text("example.com.", 12, NULL, &origin), NAME_OK);
	struct zone_builder *b = zone_builder_new(&origin);
	assert_int_equal(zonefile_read_text(text, strlen(text), "z", &origin, b, &diag, &files), -EINVAL);
	assert_int_equal(diag.n, 3);
	assert_int_equal(diag.n_errors, 5);
	zone_builder_abort(b);
	zonefile_files_free(files);
	diag_clear(&diag);
}

/* Faults that the list held before are not the file's. */
static void
earlier_faults_do_not_count(void **state)
{
	struct name origin;
	struct zonefile_files *files;
	struct diag_list diag = {0};

	diag_add(&diag, DIAG_ERROR, NULL, 0, 0, "of something else");
	assert_int_equal(name_from_text("example.com.", 12, NULL, &origin), NAME_OK);
	struct zone_builder *b = zone_builder_new(&origin);
	assert_int_equal(zonefile_read_text("a 1 A 192.0.2.1\n", 16, "z", &origin, b, &diag, &files), 0);
	assert_int_equal(zone_builder_records(b), 1);
	zone_builder_abort(b);
	zonefile_files_free(files);
	diag_clear(&diag);
}

static void
no_memory(void **state)
{
	struct reading reading;

	recorder_fail_at = 2;
	reading = reading_of_text("a 1 A 192.0.2.1\nb 1 A 192.0.2.2\nc 1 A 192.0.2.3\n");
	recorder_fail_at = 0;
	assert_int_equal(reading.rc, -ENOMEM);
	assert_string_equal(reading.records, "a.example.com. 1 A 192.0.2.1\n");
	assert_string_equal(reading.faults, "");
	reading_free(&reading);

	/* The reader's own requests: its state, the file's name. */
	for (unsigned long n = 1; n <= 2; n++) {
		size_t before = zalloc_bytes();
		zalloc_fail_at(n);
		reading = reading_of_text("a 1 A 192.0.2.1\n");
		zalloc_fail_at(0);
		assert_int_equal(reading.rc, -ENOMEM);
		reading_free(&reading);
		assert_int_equal(zalloc_bytes(), before);
	}
}

/* Text that ends in the middle of anything is either read or refused, within its bounds (the sanitizers watch
 * those). */
static void
every_prefix(void **state)
{
	const char text[] =
		"$TTL 1h\n$ORIGIN sub\n@ SOA a b ( 1 2 3 4 5 )\n  NS \\097\n$GENERATE 1-2 a${0,2,x} A 192.0.2.$\n"
		"t 5 IN TXT \"x \\\" \\255\" ; c\n$INCLUDE \"nowhere\" x\nm MX 10 m\nu TYPE9999 \\# 2 00ff\n";
	for (size_t len = 0; len < sizeof(text); len++) {
		char *copy = malloc(len + 1);
		assert_non_null(copy);
		memcpy(copy, text, len);
		copy[len] = '\0';
		struct reading reading = reading_of_text(copy);
		assert_true(reading.rc == 0 || reading.rc == -EINVAL);
		assert_int_equal(reading.rc == 0, reading.n_errors == 0);
		reading_free(&reading);
		free(copy);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(owners),
		cmocka_unit_test(ttl_and_class_in_any_order),
		cmocka_unit_test(ttl_defaults),
		cmocka_unit_test(ttl_from_soa_minimum),
		cmocka_unit_test(ttl_missing_is_reported_once),
		cmocka_unit_test(places),
		cmocka_unit_test(reading_goes_on_behind_faults),
		cmocka_unit_test(outside_the_zone),
		cmocka_unit_test(directives),
		cmocka_unit_test(shown_text_is_harmless),
		cmocka_unit_test(limit_of_faults),
		cmocka_unit_test(earlier_faults_do_not_count),
		cmocka_unit_test(no_memory),
		cmocka_unit_test(every_prefix),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
