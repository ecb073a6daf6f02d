/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/control/control_fixture.h"

#include <ftw.h>
#include <time.h>

static char directory[64];

void
fixture_enter(void)
{
	strcpy(directory, "/tmp/anser-test-XXXXXX");
	assert_non_null(mkdtemp(directory));
	assert_int_equal(chdir(directory), 0);
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

void
fixture_leave(void)
{
	assert_int_equal(chdir("/"), 0);
	assert_int_equal(nftw(directory, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

void
fixture_write(const char *name, const char *fmt, ...)
{
	char temporary[256];
	snprintf(temporary, sizeof(temporary), "%s.new", name);
	FILE *f = fopen(temporary, "w");
	assert_non_null(f);
	va_list args;
	va_start(args, fmt);
	vfprintf(f, fmt, args);
	va_end(args);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(rename(temporary, name), 0);
}

void
fixture_write_zone(const char *name, unsigned serial, const char *more)
{
	fixture_write(name,
		      "$TTL 3600\n"
		      "@ SOA ns1 admin %u 3600 900 604800 300\n"
		      "@ NS ns1\n"
		      "ns1 A 192.0.2.1\n"
		      "%s",
		      serial, more);
}

struct config *
fixture_config(const char *more)
{
	struct diag_list diag = {0};
	struct config *c = NULL;
	fixture_write("anser.yaml",
		      "server: {identity: t, listen: [\"127.0.0.1@5399\"], state-dir: state, run-dir: run, "
		      "zone-dir: ., user: root}\n"
		      "%s",
		      more);
	int err = config_load("anser.yaml", &c, &diag);
	if (err)
		diag_print(&diag, stderr);
	assert_int_equal(err, 0);
	diag_clear(&diag);
	c->server.listen[0].v4.sin_port = 0;
	return c;
}

struct name
fixture_name(const char *text)
{
	struct name out;
	assert_int_equal(name_from_text(text, strlen(text), NULL, &out), NAME_OK);
	return out;
}

uint64_t
fixture_now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}
