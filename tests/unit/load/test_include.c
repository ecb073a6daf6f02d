/* SPDX-License-Identifier: Apache-2.0 */
/* Files: $INCLUDE with its origins, depths and circles, and everything that is no zone file. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/load/recorder.h"
#include "zones/base/alloc.h"

static char dir[] = "/tmp/anser-include-XXXXXX";

static int
enter_directory(void **state)
{
	return mkdtemp(dir) == NULL || chdir(dir) != 0 || mkdir("sub", 0755) != 0;
}

static int
remove_directory(void **state)
{
	char command[64];
	snprintf(command, sizeof(command), "rm -r %s", dir);
	return chdir("/") != 0 || system(command) != 0;
}

static void
write_octets(const char *path, const void *octets, size_t len)
{
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(octets, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
}

static void
write_file(const char *path, const char *text)
{
	write_octets(path, text, strlen(text));
}

static void
assert_file(const char *path, int rc, const char *records, const char *faults)
{
	struct reading reading = reading_of_file(path);
	assert_string_equal(reading.faults, faults);
	assert_string_equal(reading.records, records);
	assert_int_equal(reading.rc, rc);
	reading_free(&reading);
}

/* Paths are relative to the file that includes; origin and last owner are restored; a TTL stays. */
static void
scopes(void **state)
{
	recorder_places = true;
	write_file("a.zone", "$TTL 5\n"
			     "w A 192.0.2.1\n"
			     "$INCLUDE sub/b.inc inner\n"
			     " A 192.0.2.2\n"
			     "w A 192.0.2.3\n"
			     "x A 192.0.2.4\n");
	write_file("sub/b.inc", " A 192.0.2.10\n"
				"w A 192.0.2.11\n"
				"$INCLUDE c.inc\n"
				" A 192.0.2.12\n"
				"$ORIGIN far\n"
				"w A 192.0.2.13\n");
	write_file("sub/c.inc", "$TTL 6\nw A 192.0.2.20\n@ A 192.0.2.21");
	assert_file("a.zone", 0,
		    "w.example.com. 5 A 192.0.2.1 @a.zone:2:1\n"
		    "w.example.com. 5 A 192.0.2.10 @sub/b.inc:1:2\n"
		    "w.inner.example.com. 5 A 192.0.2.11 @sub/b.inc:2:1\n"
		    "w.inner.example.com. 6 A 192.0.2.20 @sub/c.inc:2:1\n"
		    "inner.example.com. 6 A 192.0.2.21 @sub/c.inc:3:1\n"
		    "w.inner.example.com. 6 A 192.0.2.12 @sub/b.inc:4:2\n"
		    "w.far.inner.example.com. 6 A 192.0.2.13 @sub/b.inc:6:1\n"
		    "w.example.com. 6 A 192.0.2.2 @a.zone:4:2\n"
		    "w.example.com. 6 A 192.0.2.3 @a.zone:5:1\n"
		    "x.example.com. 6 A 192.0.2.4 @a.zone:6:1\n",
		    "");
	recorder_places = false;
}

/* The list of files read, for who watches them: the newest first, the zone file last. */
static void
files_read(void **state)
{
	struct name origin;
	struct zonefile_files *files;
	struct diag_list diag = {0};

	write_file("f.zone", "$INCLUDE sub/f1.inc\n$INCLUDE f2.inc\n");
	write_file("sub/f1.inc", "a 1 A 192.0.2.1\n");
	write_file("f2.inc", "b 1 A 192.0.2.2\n");
	assert_int_equal(name_from_text("example.com.", 12, NULL, &origin), NAME_OK);
	struct zone_builder *b = zone_builder_new(&origin);
	assert_int_equal(zonefile_read("f.zone", &origin, NULL, b, &diag, &files), 0);
	zone_builder_abort(b);

	const struct zonefile_files *f = files;
	assert_string_equal(zonefile_files_name(f), "f2.inc");
	f = zonefile_files_next(f);
	assert_string_equal(zonefile_files_name(f), "sub/f1.inc");
	f = zonefile_files_next(f);
	assert_string_equal(zonefile_files_name(f), "f.zone");
	assert_null(zonefile_files_next(f));
	zonefile_files_free(files);
}

static void
names_of_files(void **state)
{
	char text[256];
	write_file("with space.inc", "a 1 A 192.0.2.1\n");
	write_file("quote\".inc", "b 1 A 192.0.2.2\n");
	write_file("abs.inc", "c 1 A 192.0.2.3\n");
	snprintf(text, sizeof(text), "$INCLUDE \"with space.inc\"\n$INCLUDE quote\\\".inc\n$INCLUDE %s/abs.inc\n",
		 dir);
	write_file("sub/n.zone", text);
	assert_file("sub/n.zone", -EINVAL, "c.example.com. 1 A 192.0.2.3\n",
		    "sub/n.zone:1:10: error: $INCLUDE of sub/with space.inc: No such file or directory\n"
		    "sub/n.zone:2:10: error: $INCLUDE of sub/quote\".inc: No such file or directory\n");
	write_file("n.zone", text);
	assert_file("n.zone", 0,
		    "a.example.com. 1 A 192.0.2.1\nb.example.com. 1 A 192.0.2.2\nc.example.com. 1 A 192.0.2.3\n",
		    "");
	/* From memory: relative to the working directory, whatever the label looks like. */
	assert_records("$INCLUDE abs.inc\n", "c.example.com. 1 A 192.0.2.3\n");
}

static void
circles(void **state)
{
	write_file("one.zone", "a 1 A 192.0.2.1\n$INCLUDE sub/two.inc\nb A 192.0.2.2\n");
	write_file("sub/two.inc", "$INCLUDE ../three.inc\n");
	write_file("three.inc", "$INCLUDE sub/two.inc\n$INCLUDE one.zone\n$INCLUDE three.inc\n");
	assert_file("one.zone", -EINVAL, "a.example.com. 1 A 192.0.2.1\nb.example.com. 1 A 192.0.2.2\n",
		    "sub/../three.inc:1:10: error: $INCLUDE runs in a circle: "
		    "sub/two.inc -> sub/../three.inc -> sub/../sub/two.inc\n"
		    "sub/../three.inc:2:10: error: $INCLUDE runs in a circle: "
		    "one.zone -> sub/two.inc -> sub/../three.inc -> sub/../one.zone\n"
		    "sub/../three.inc:3:10: error: $INCLUDE runs in a circle: "
		    "sub/../three.inc -> sub/../three.inc\n");
}

/* Sixteen files below the first one are fine, the seventeenth is not. */
static void
depth(void **state)
{
	char name[32], text[64];
	for (int i = 0; i <= 17; i++) {
		snprintf(name, sizeof(name), "d%d", i);
		snprintf(text, sizeof(text), "n%d 1 A 192.0.2.%d\n$INCLUDE d%d\n", i, i, i + 1);
		write_file(name, i == 16 ? "last 1 A 192.0.2.16\n" : text);
	}
	struct reading reading = reading_of_file("d0");
	assert_int_equal(reading.rc, 0);
	assert_non_null(strstr(reading.records, "last.example.com."));
	reading_free(&reading);

	write_file("d16", "n16 1 A 192.0.2.16\n$INCLUDE d17\n");
	reading = reading_of_file("d0");
	assert_int_equal(reading.rc, -EINVAL);
	assert_string_equal(reading.faults, "d16:2:1: error: $INCLUDE more than 16 files deep\n");
	assert_null(strstr(reading.records, "n17."));
	reading_free(&reading);
}

static void
unreadable(void **state)
{
	assert_file("absent", -ENOENT, "", "absent: error: cannot be read: No such file or directory\n");
	assert_file("sub", -EISDIR, "", "sub: error: cannot be read: Is a directory\n");
	assert_file("/dev/zero", -ENOTSUP, "", "/dev/zero: error: cannot be read: Operation not supported\n");
	write_file("i.zone", "$INCLUDE absent\n$INCLUDE sub\n$INCLUDE /dev/zero\n$INCLUDE\n$INCLUDE \"\"\n");
	assert_file("i.zone", -EINVAL, "",
		    "i.zone:1:10: error: $INCLUDE of absent: No such file or directory\n"
		    "i.zone:2:10: error: $INCLUDE of sub: Is a directory\n"
		    "i.zone:3:10: error: $INCLUDE of /dev/zero: Operation not supported\n"
		    "i.zone:4:9: error: the line ends where a file name is expected\n"
		    "i.zone:5:10: error: the file name is empty\n");
	if (geteuid() != 0) { /* root reads everything */
		write_file("secret", "a 1 A 192.0.2.1\n");
		assert_int_equal(chmod("secret", 0), 0);
		assert_file("secret", -EACCES, "", "secret: error: cannot be read: Permission denied\n");
	}
}

static void
path_too_long(void **state)
{
	char text[6000] = "$INCLUDE ";
	memset(text + strlen(text), 'p', 5000);
	strcat(text, "\na 1 A 192.0.2.1\n");
	assert_reading(text, "a.example.com. 1 A 192.0.2.1\n", "z:1:10: error: the file name is too long\n");
}

static void
not_text(void **state)
{
	static const char nul[] = "a 1 A 192.0.2.1\nb\n 1 \0 \n";
	static const char bom[] = "\xef\xbb\xbf"
				  "a 1 A 192.0.2.1\n";
	write_octets("nul", nul, sizeof(nul) - 1);
	write_octets("bom", bom, sizeof(bom) - 1);
	assert_file("nul", -EINVAL, "", "nul:3:4: error: a NUL octet: this is not a zone file\n");
	assert_file("bom", -EINVAL, "",
		    "bom:1:1: error: the file begins with a byte order mark; zone files are plain ASCII\n");
	write_file("holds", "$INCLUDE nul\n$INCLUDE bom\nc 1 A 192.0.2.3\n");
	assert_file("holds", -EINVAL, "c.example.com. 1 A 192.0.2.3\n",
		    "nul:3:4: error: a NUL octet: this is not a zone file\n"
		    "bom:1:1: error: the file begins with a byte order mark; zone files are plain ASCII\n");
	write_file("nothing", "");
	assert_file("nothing", -EINVAL, "", "nothing: error: there is no record in it\n");
}

/* Larger than the first buffer, so that it has to grow; more than once. */
static void
pipes(void **state)
{
	assert_int_equal(mkfifo("fifo", 0600), 0);
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		FILE *f = fopen("fifo", "w");
		for (int i = 0; f != NULL && i < 20000; i++)
			fprintf(f, "n%d 1 A 192.0.2.1\n", i);
		_exit(f == NULL || fclose(f) != 0);
	}
	size_t before = zalloc_bytes();
	struct reading reading = reading_of_file("fifo");
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(reading.rc, 0);
	assert_non_null(strstr(reading.records, "n0.example.com. 1 A 192.0.2.1\n"));
	assert_non_null(strstr(reading.records, "n19999.example.com. 1 A 192.0.2.1\n"));
	reading_free(&reading);
	assert_int_equal(zalloc_bytes(), before);
}

/* Out of memory anywhere ends the read and leaves nothing behind. */
static void
no_memory(void **state)
{
	write_file("m.zone", "$INCLUDE m.inc\n");
	write_file("m.inc", "a 1 A 192.0.2.1\n");
	unsigned long n = 1;
	for (;; n++) {
		size_t before = zalloc_bytes();
		zalloc_fail_at(n);
		struct reading reading = reading_of_file("m.zone");
		zalloc_fail_at(0);
		int rc = reading.rc;
		reading_free(&reading);
		assert_int_equal(zalloc_bytes(), before);
		if (rc == 0)
			break;
		assert_int_equal(rc, -ENOMEM);
	}
	assert_int_equal(n, 6); /* the reader, and name and octets of two files */
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(scopes),        cmocka_unit_test(files_read), cmocka_unit_test(names_of_files),
		cmocka_unit_test(circles),       cmocka_unit_test(depth),      cmocka_unit_test(unreadable),
		cmocka_unit_test(path_too_long), cmocka_unit_test(not_text),   cmocka_unit_test(pipes),
		cmocka_unit_test(no_memory),
	};
	return cmocka_run_group_tests(tests, enter_directory, remove_directory);
}
