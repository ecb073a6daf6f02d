/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file read in chunks by several threads gives what one reader makes of it, octet for octet: the same records in
 * the same order with the same places, the same faults in the same order, the same list of files. Each text is cut
 * at many places, so that borders fall into whatever it has.
 */
#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/load/recorder.h"

static void
assert_same(const struct reading *one, const struct reading *many, const char *what, size_t chunk_bytes)
{
	if (strcmp(one->records, many->records) != 0 || strcmp(one->faults, many->faults) != 0 ||
	    one->rc != many->rc || one->n_errors != many->n_errors || strcmp(one->files, many->files) != 0) {
		print_message("%s in chunks of %zu octets: %d and not %d\n%s%s%sand not\n%s%s%s", what, chunk_bytes,
			      many->rc, one->rc, many->records, many->faults, many->files, one->records,
			      one->faults, one->files);
		fail();
	}
}

/* Reads a text whole and in chunks of many sizes. */
static void
check_text(const char *what, const char *text, size_t len)
{
	static const size_t sizes[] = {1, 2, 3, 5, 7, 11, 16, 23, 32, 50, 64, 100, 150, 256, 500, 1000};
	struct crew crew = crew_of_threads(3);
	struct reading one = reading_in_chunks(text, len, NULL);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		const struct zonefile_how how = {.crew = i % 2 ? &crew : NULL, .chunk_bytes = sizes[i]};
		struct reading many = reading_in_chunks(text, len, &how);
		assert_same(&one, &many, what, sizes[i]);
		reading_free(&many);
	}
	reading_free(&one);
}

static void
check(const char *text)
{
	check_text("a text", text, strlen(text));
}

/* -------- what a chunk cannot know -------- */

static void
origins(void **state)
{
	check("@ 1 A 192.0.2.1\na 1 A 192.0.2.2\n$ORIGIN b.example.com.\na 1 A 192.0.2.3\nc 1 A 192.0.2.4\n"
	      "$ORIGIN d\na 1 A 192.0.2.5\n  1 A 192.0.2.6\n$ORIGIN example.com.\na 1 NS b\n$ORIGIN x..y\na 1 NS "
	      "c\n");
}

static void
ttls(void **state)
{
	check("a A 192.0.2.1\nb A 192.0.2.2\nc A 192.0.2.3\n");
	check("a 5 A 192.0.2.1\nb A 192.0.2.2\nc A 192.0.2.3\nd 7 A 192.0.2.4\ne A 192.0.2.5\nf A 192.0.2.6\n");
	check("@ SOA a b 1 2 3 4 77\na A 192.0.2.1\nb A 192.0.2.2\n@ SOA a b 1 2 3 4 78\nc A 192.0.2.3\n");
	check("a 5 A 192.0.2.1\n$TTL 9\nb A 192.0.2.2\nc 6 A 192.0.2.3\n$TTL 10\nd A 192.0.2.4\ne A 192.0.2.5\n"
	      "$TTL x\nf A 192.0.2.6\ng A 192.0.2.7\n");
	/* chunks that neither give a TTL nor ask for one, between one that gives and one that asks */
	check("a 5 A 192.0.2.1\nb 6 A 192.0.2.2\nc X d\ne X f\ng A 192.0.2.3\nh A 192.0.2.4\n");
	check("$TTL x\nb A 192.0.2.2\nc A 192.0.2.3\nd 6 A 192.0.2.4\ne A 192.0.2.5\n");
}

static void
owners(void **state)
{
	check("  1 A 192.0.2.1\n  1 A 192.0.2.2\na 1 A 192.0.2.3\n\n\n  1 A 192.0.2.4\n; text\n  1 A 192.0.2.5\n"
	      "a..b 1 A 192.0.2.6\n  1 A 192.0.2.7\nc 1 A 192.0.2.8\nc 1 A 192.0.2.9\nout.test. 1 A 192.0.2.10\n"
	      "  1 A 192.0.2.11\nout.test. 1 A 192.0.2.12\n\"q\" 1 A 192.0.2.13\n  1 A 192.0.2.14\n");
}

static void
parentheses(void **state)
{
	check("a 1 SOA (\nb\nc\n1\n2 ; text\n3\n4\n5 )\nb 1 A 192.0.2.1\n(\nc 1 TXT\nd )\n() e 1 A 192.0.2.2\n"
	      "(\n) f 1 A 192.0.2.3\ng 1 TXT ( a\nb\nc\n");
	check("a 1 TXT ( \"b\nc 1 A 192.0.2.1\n)\nd 1 A 192.0.2.2\n) e\nf 1 A 192.0.2.3\ng 1 TXT \"a ( b\"\n"
	      "h 1 TXT a ; (\ni 1 TXT \\(\nj 1 A 192.0.2.4\n");
}

static void
generated(void **state)
{
	check("$TTL 3\n$GENERATE 1-9 a$ A 192.0.2.$\nb A 192.0.2.1\n$GENERATE 1-3 c$ 7 A 192.0.2.$\nd A 192.0.2.2\n"
	      "$GENERATE 3-1 e A 192.0.2.$\n$GENERATE 1-400/100 f$ A 192.0.2.$\ng A 192.0.2.3\n");
	check("a A 192.0.2.1\n$GENERATE 1-3 c$ 7 A 192.0.2.$\nd A 192.0.2.2\ne A 192.0.2.3\n");
}

static void
texts(void **state)
{
	check("");
	check("\n\n\n\n\n\n\n\n");
	check("; nothing\n  ; at\n\t\n all");
	check("a 1 A 192.0.2.1");
	check("a 1 A 192.0.2.1\r\nb 1 A 192.0.2.2\r\n\r\nc 1 A 192.0.2.3\r\n");
	check_text("NUL", "a 1 A 192.0.2.1\nb\0 1 A 192.0.2.1\n", 35);
	check("a 1 TXT \\\nb 1 TXT b\\\nc 1 A 192.0.2.1\n\\ 1 A 192.0.2.2\n\\097 1 A 192.0.2.2\n");
}

/* More faults than a list keeps. */
static void
many_faults(void **state)
{
	char text[20000];
	size_t len = 0;
	for (unsigned i = 0; i < 400; i++)
		len += (size_t)sprintf(text + len, i % 3 == 0 ? "a%u 1 A 192.0.2.%u\n" : "a%u 1 X 192.0.2.%u\n", i,
				       i);
	check_text("faults", text, len);
}

/* -------- files -------- */

static void
check_file(const char *path)
{
	char text[1 << 16];
	FILE *f = fopen(path, "r");
	assert_non_null(f);
	size_t len = fread(text, 1, sizeof(text), f);
	assert_true(len < sizeof(text));
	fclose(f);
	check_text(path, text, len);
}

/* Every file of a folder; returns how many. */
static unsigned
check_folder(const char *top, const char *name)
{
	char path[1024];
	unsigned n = 0;
	snprintf(path, sizeof(path), "%s/%s", top, name);
	assert_int_equal(chdir(path), 0); /* $INCLUDE goes from here */
	DIR *folder = opendir(".");
	assert_non_null(folder);
	for (struct dirent *e; (e = readdir(folder)) != NULL;) {
		if (e->d_type != DT_REG || strstr(e->d_name, ".err") != NULL)
			continue;
		check_file(e->d_name);
		n++;
	}
	closedir(folder);
	return n;
}

static void
corpora(void **state)
{
	assert_true(check_folder(getenv("ZONES"), "zones_good") >= 45);
	assert_true(check_folder(getenv("ZONES"), "zones_bad") >= 45);
	assert_true(check_folder(getenv("FUZZ"), "zonefile") >= 15);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(origins),     cmocka_unit_test(ttls),      cmocka_unit_test(owners),
		cmocka_unit_test(parentheses), cmocka_unit_test(generated), cmocka_unit_test(texts),
		cmocka_unit_test(many_faults), cmocka_unit_test(corpora),
	};
	recorder_places = true;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
