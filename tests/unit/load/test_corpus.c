/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The corpus, from file to snapshot: every zone of zones_good/ loads, every one of zones_bad/ is refused, and both
 * say exactly what stands in the .err file beside them (nothing where there is none). Line 1 of a zone file names
 * the zone. The order of lines is not compared: the reader goes by lines, the checks of the whole zone by names.
 *
 * Each file is read whole and in small chunks by a crew.
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

#include "zones/base/alloc.h"
#include "zones/load/zonefile.h"

#define LINES_MAX 64

struct lines {
	char *line[LINES_MAX];
	unsigned n;
};

static void
lines_add(struct lines *lines, const char *text)
{
	assert_true(lines->n < LINES_MAX);
	lines->line[lines->n++] = strdup(text);
}

static int
by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void
lines_free(struct lines *lines)
{
	for (unsigned i = 0; i < lines->n; i++)
		free(lines->line[i]);
}

static int
is_zone(const struct dirent *entry)
{
	const char *dot = strrchr(entry->d_name, '.');
	return dot != NULL && strcmp(dot, ".zone") == 0;
}

/* The name from `; zone: NAME`, wherever in the first octets it stands (one of the files is UTF-16). */
static struct name
zone_name(const char *path)
{
	char head[512], text[512];
	size_t n = 0;
	struct name name;

	FILE *f = fopen(path, "r");
	assert_non_null(f);
	size_t len = fread(head, 1, sizeof(head) - 1, f);
	fclose(f);
	for (size_t i = 0; i < len; i++)
		if (head[i] != '\0')
			text[n++] = head[i];
	text[n] = '\0';
	char *at = strstr(text, "zone: ");
	assert_non_null(at);
	at += strlen("zone: ");
	assert_int_equal(name_from_text(at, strcspn(at, "\r\n"), NULL, &name), NAME_OK);
	return name;
}

static void
expected_lines(const char *path, struct lines *out)
{
	char err[512], line[2048];

	snprintf(err, sizeof(err), "%.*s.err", (int)(strlen(path) - strlen(".zone")), path);
	FILE *f = fopen(err, "r");
	if (f == NULL)
		return;
	while (fgets(line, sizeof(line), f) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		lines_add(out, line);
	}
	fclose(f);
	qsort(out->line, out->n, sizeof(out->line[0]), by_text);
}

/* As zonefile_load(), but in chunks by a crew. */
static int
load_in_chunks(const char *path, const struct name *origin, struct diag_list *diag, struct snapshot **out)
{
	struct crew crew = crew_of_threads(3);
	const struct zonefile_how how = {.crew = &crew, .chunk_bytes = 40};
	struct zonefile_files *files;
	struct zone_builder *b = zone_builder_new(origin);
	assert_non_null(b);
	zone_builder_set_crew(b, &crew);
	int rc = zonefile_read(path, origin, &how, b, diag, &files);
	if (rc == 0)
		rc = zone_builder_finish(b, diag, out);
	else
		zone_builder_abort(b);
	zonefile_files_free(files);
	return rc;
}

/* Loads one file; returns what came of it, and its faults. */
static int
load(const char *path, bool in_chunks, struct lines *faults)
{
	struct name origin = zone_name(path);
	struct diag_list diag = {0};
	struct snapshot *snapshot = NULL;
	char line[2048];

	size_t before = zalloc_bytes();
	int rc = in_chunks ? load_in_chunks(path, &origin, &diag, &snapshot)
			   : zonefile_load(path, &origin, &diag, &snapshot);
	assert_int_equal(snapshot != NULL, rc == 0);
	snapshot_free(snapshot);
	assert_int_equal(zalloc_bytes(), before);
	for (unsigned i = 0; i < diag.n; i++) {
		diag_format(&diag.items[i], line, sizeof(line));
		lines_add(faults, line);
	}
	assert_int_equal(rc == 0, diag.n_errors == 0);
	diag_clear(&diag);
	qsort(faults->line, faults->n, sizeof(faults->line[0]), by_text);
	return rc;
}

/* True when the file did what is expected; says what it did otherwise. */
static bool
check(const char *path, bool in_chunks, int expected_rc)
{
	struct lines expected = {.n = 0}, seen = {.n = 0};

	expected_lines(path, &expected);
	int rc = load(path, in_chunks, &seen);
	bool same = rc == expected_rc && expected.n == seen.n;
	for (unsigned i = 0; same && i < seen.n; i++)
		same = strcmp(expected.line[i], seen.line[i]) == 0;
	if (!same) {
		print_message("%s: returned %d, expected %d; it said\n", path, rc, expected_rc);
		for (unsigned i = 0; i < seen.n; i++)
			print_message("%s\n", seen.line[i]);
	}
	lines_free(&expected);
	lines_free(&seen);
	return same;
}

static void
check_directory(const char *name, int expected_rc, int at_least)
{
	struct dirent **entries;
	int failed = 0;
	char path[512];

	const char *top = getenv("ZONES");
	assert_non_null(top);
	snprintf(path, sizeof(path), "%s/%s", top, name);
	assert_int_equal(chdir(path), 0);
	int n = scandir(".", &entries, is_zone, alphasort);
	assert_true(n >= at_least);
	for (int i = 0; i < n; i++) {
		failed += !check(entries[i]->d_name, false, expected_rc);
		failed += !check(entries[i]->d_name, true, expected_rc);
		free(entries[i]);
	}
	free(entries);
	assert_int_equal(failed, 0);
}

static void
good_zones(void **state)
{
	check_directory("zones_good", 0, 45);
}

static void
bad_zones(void **state)
{
	check_directory("zones_bad", -EINVAL, 45);
}

/* A request for memory that fails, whichever it is: -ENOMEM, and nothing is left. */
static void
no_memory(void **state)
{
	struct name origin;
	struct snapshot *snapshot;
	char path[512];

	snprintf(path, sizeof(path), "%s/zones_good/include.zone", getenv("ZONES"));
	assert_int_equal(name_from_text("example.com.", 12, NULL, &origin), NAME_OK);
	unsigned long n = 1;
	for (;; n++) {
		struct diag_list diag = {0};
		size_t before = zalloc_bytes();
		zalloc_fail_at(n);
		int rc = zonefile_load(path, &origin, &diag, &snapshot);
		zalloc_fail_at(0);
		assert_int_equal(diag.n_errors, 0);
		diag_clear(&diag);
		if (rc == 0)
			break;
		assert_int_equal(rc, -ENOMEM);
		assert_int_equal(zalloc_bytes(), before);
	}
	snapshot_free(snapshot);
	assert_true(n > 5);
}

/* The apex may be given in any case. */
static void
origin_in_upper_case(void **state)
{
	struct name origin;
	struct snapshot *snapshot;
	struct diag_list diag = {0};
	char path[512];

	snprintf(path, sizeof(path), "%s/zones_good/minimal.zone", getenv("ZONES"));
	assert_int_equal(name_from_text("EXAMPLE.Com.", 12, NULL, &origin), NAME_OK);
	assert_int_equal(zonefile_load(path, &origin, &diag, &snapshot), 0);
	assert_int_equal(snapshot->serial, 1);
	assert_int_equal(snapshot->records, 3);
	snapshot_free(snapshot);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_zones),
		cmocka_unit_test(bad_zones),
		cmocka_unit_test(no_memory),
		cmocka_unit_test(origin_in_upper_case),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
