/* SPDX-License-Identifier: Apache-2.0 */
/* $GENERATE: ranges, substitution, bounds. The expected records are what named-compilezone makes of the same lines.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/load/recorder.h"

static void
ranges(void **state)
{
	assert_records("$TTL 5\n"
		       "$GENERATE 1-3 a$ A 192.0.2.$\n"
		       "$generate 0-8/4 b$ 6 IN A 192.0.2.$\n"
		       "$GENERATE 7-7 c$ IN 7 A 192.0.2.$\n"
		       "$GENERATE 5-9/10 d$ A 192.0.2.$\n",
		       "a1.example.com. 5 A 192.0.2.1\n"
		       "a2.example.com. 5 A 192.0.2.2\n"
		       "a3.example.com. 5 A 192.0.2.3\n"
		       "b0.example.com. 6 A 192.0.2.0\n"
		       "b4.example.com. 6 A 192.0.2.4\n"
		       "b8.example.com. 6 A 192.0.2.8\n"
		       "c7.example.com. 7 A 192.0.2.7\n"
		       "d5.example.com. 5 A 192.0.2.5\n");
}

static void
modifiers(void **state)
{
	assert_records("$TTL 5\n"
		       "$GENERATE 10-10 a${0}b${0,5}c${0,4,d} A 192.0.2.1\n"
		       "$GENERATE 10-10 o${0,0,o}o${0,4,o}x${0,0,x}x${5,3,X} A 192.0.2.1\n"
		       "$GENERATE 10-10 m${-10}p${90} A 192.0.2.${-9,0,d}\n"
		       "$GENERATE 4660-4660 ${0,0,n}.n A 192.0.2.1\n"
		       "$GENERATE 4660-4660 ${0,9,n}.n A 192.0.2.1\n"
		       "$GENERATE 171-171 ${0,3,N}.N A 192.0.2.1\n"
		       "$GENERATE 5-5 ${0,15,n}.n A 192.0.2.1\n",
		       "a10b00010c0010.example.com. 5 A 192.0.2.1\n"
		       "o12o0012xax00F.example.com. 5 A 192.0.2.1\n"
		       "m0p100.example.com. 5 A 192.0.2.1\n"
		       "4.3.2.1.n.example.com. 5 A 192.0.2.1\n"
		       "4.3.2.1.0.n.example.com. 5 A 192.0.2.1\n"
		       "B.A.N.example.com. 5 A 192.0.2.1\n"
		       "5.0.0.0.0.0.0.0.n.example.com. 5 A 192.0.2.1\n");
}

static void
dollars_and_escapes(void **state)
{
	assert_records("$TTL 5\n"
		       "$GENERATE 1-1 a$$b$ A 192.0.2.1\n"
		       "$GENERATE 1-1 a\\$b$ A 192.0.2.1\n"
		       "$GENERATE 2-2 a\\.b$ CNAME c\\.$\n",
		       "a\\$b1.example.com. 5 A 192.0.2.1\n"
		       "a\\$b1.example.com. 5 A 192.0.2.1\n"
		       "a\\.b2.example.com. 5 CNAME c\\.2.example.com.\n");
}

static void
data_of_several_words(void **state)
{
	assert_records("$TTL 5\n"
		       "$GENERATE 1-1 m$ MX 10 x$\n"
		       "$GENERATE 1-1 m$ MX \"20 x$\" ; one string: BIND's way\n"
		       "$GENERATE 1-1 t$ TXT \"a $\" b$\n"
		       "$GENERATE 1-1 t$ TXT \"\\\"c $\\\"\"\n"
		       "$GENERATE 1-1 s$ SRV ( 0 1\n 2 x$ )\n",
		       "m1.example.com. 5 MX 10 x1.example.com.\n"
		       "m1.example.com. 5 MX 20 x1.example.com.\n"
		       "t1.example.com. 5 TXT \"a 1\" \"b1\"\n"
		       "t1.example.com. 5 TXT \"c 1\"\n"
		       "s1.example.com. 5 SRV 0 1 2 x1.example.com.\n");
}

/* The last owner stays what it was before: generated names are nobody's "last". */
static void
leaves_the_owner_alone(void **state)
{
	recorder_places = true;
	assert_records("$TTL 5\nw A 192.0.2.1\n$GENERATE 1-2 a$ A 192.0.2.$\n A 192.0.2.9\n",
		       "w.example.com. 5 A 192.0.2.1 @z:2:1\n"
		       "a1.example.com. 5 A 192.0.2.1 @z:3:1\n"
		       "a2.example.com. 5 A 192.0.2.2 @z:3:1\n"
		       "w.example.com. 5 A 192.0.2.9 @z:4:2\n");
	recorder_places = false;
}

static void
bounds(void **state)
{
	struct reading reading = reading_of_text("$TTL 5\n$GENERATE 0-65535 a$ A 192.0.2.1\n");
	assert_int_equal(reading.rc, 0);
	unsigned lines = 0;
	for (const char *p = reading.records; (p = strchr(p, '\n')) != NULL; p++)
		lines++;
	assert_int_equal(lines, 65536);
	reading_free(&reading);

	assert_reading("$TTL 5\n$GENERATE 0-65536 a$ A 192.0.2.1\n$GENERATE 0-2147483647 a$ A 192.0.2.1\n", "",
		       "z:2:11: error: $GENERATE of 65537 records: at most 65536 are allowed\n"
		       "z:3:11: error: $GENERATE of 2147483648 records: at most 65536 are allowed\n");
	assert_records("$TTL 5\n$GENERATE 2147483647-2147483647 a$ A 192.0.2.1\n",
		       "a2147483647.example.com. 5 A 192.0.2.1\n");
	assert_reading("$TTL 5\n$GENERATE 2147483647-2147483647 a${1} A 192.0.2.1\n", "",
		       "z:2:33: error: $GENERATE at 2147483647: number and offset make a value below 0 or over "
		       "2147483647\n");
}

#define BAD_RANGE(text) "'" text "' is not a range: start-stop or start-stop/step, start not above stop\n"

static void
malformed_ranges(void **state)
{
	assert_reading(
		"$GENERATE 1 a A 192.0.2.1\n"
		"$GENERATE 2-1 a A 192.0.2.1\n"
		"$GENERATE 1-2/0 a A 192.0.2.1\n"
		"$GENERATE 1-2/ a A 192.0.2.1\n"
		"$GENERATE 1-2x a A 192.0.2.1\n"
		"$GENERATE -1-2 a A 192.0.2.1\n"
		"$GENERATE 1-4294967296 a A 192.0.2.1\n"
		"$GENERATE 1-99999999999999999999999 a A 192.0.2.1\n"
		"$GENERATE\n",
		"",
		"z:1:11: error: " BAD_RANGE("1") "z:2:11: error: " BAD_RANGE("2-1") "z:3:11: error: " BAD_RANGE(
			"1-"
			"2/"
			"0") "z:4:11: error: " BAD_RANGE("1-2/") "z:5:11: error: " BAD_RANGE("1-2x") "z:6:11: "
												     "error:"
												     " " BAD_RANGE("-1-2") "z:7:11: error: " BAD_RANGE(
													     "1-"
													     "42949"
													     "6729"
													     "6") "z:"
														  "8:"
														  "11"
														  ": "
														  "er"
														  "ro"
														  "r:"
														  " " BAD_RANGE(
															  "1-99999999999999999999999") "z:9:10: error: the line ends where a range is expected\n");
}

/* Each line is at fault in one step; the steps behind it would only say the same. */
static void
faulty_steps(void **state)
{
	assert_reading("$TTL 5\n"
		       "$GENERATE 255-300 a$ A 192.0.2.$\n"
		       "$GENERATE 1-9 b..$ A 192.0.2.$\n"
		       "$GENERATE 1-9 c$.example.org. A 192.0.2.$\n"
		       "$GENERATE 1-9 d${0,300} A 192.0.2.$\n"
		       "$GENERATE 1-9 e$ NOSUCHTYPE 192.0.2.$\n"
		       "$GENERATE 1-9 f$ A\n"
		       "g A 192.0.2.9\n",
		       "a255.example.com. 5 A 192.0.2.255\n"
		       "g.example.com. 5 A 192.0.2.9\n",
		       "z:2:24: error: $GENERATE at 256: this is not an IPv4 address\n"
		       "z:3:15: error: $GENERATE at 1: the name has an empty label\n"
		       "z:4:1: error: c1.example.org. is outside the zone example.com.\n"
		       "z:5:15: error: $GENERATE at 1: the width in ${...} is not a number up to 255\n"
		       "z:6:18: error: unknown record type 'NOSUCHTYPE'\n"
		       "z:7:19: error: the line ends where the data is expected\n");
}

/* Templates and what they grow to are bounded. */
static void
too_long(void **state)
{
	char text[4096] = "$TTL 5\n$GENERATE 1-1 a$ TXT ";
	for (int i = 0; i < 40; i++)
		strcat(text, "${0,255} ");
	strcat(text, "\nb A 192.0.2.1\n");
	assert_reading(text, "b.example.com. 5 A 192.0.2.1\n",
		       "z:2:22: error: $GENERATE at 1: the expanded text is too long\n");

	strcpy(text, "$TTL 5\n$GENERATE 1-1 a$ TXT ");
	memset(text + strlen(text), 'x', 2049);
	strcat(text, "\nb A 192.0.2.1\n");
	assert_reading(text, "b.example.com. 5 A 192.0.2.1\n",
		       "z:2:22: error: the data of $GENERATE is over 2048 octets\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ranges),
		cmocka_unit_test(modifiers),
		cmocka_unit_test(dollars_and_escapes),
		cmocka_unit_test(data_of_several_words),
		cmocka_unit_test(leaves_the_owner_alone),
		cmocka_unit_test(bounds),
		cmocka_unit_test(malformed_ranges),
		cmocka_unit_test(faulty_steps),
		cmocka_unit_test(too_long),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
