/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a zone takes: octets a name that are handed out (zalloc_bytes()) and that are resident, huge pages counted
 * as a whole, when the zone is complete and again when the allocator has given back what the builder has left.
 * Figures: docs/perf/memory.md.
 *
 *     zonememory KIND NAMES      KIND: flat, tld, tld_ds, nsec, nsec3
 *     zonememory FILE ORIGIN
 *
 * One line: kind, names, then octets a name: handed out, resident at first, resident at last, of which in huge
 * pages. The allocator has the daemon's settings; MALLOC_CONF adds others.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jemalloc/jemalloc.h>

#include "bench/zones.h"
#include "zones/base/alloc.h"
#include "zones/load/zonefile.h"

#define TEXT_OF(x) #x
#define TEXT(x) TEXT_OF(x)

const char *malloc_conf = ZALLOC_MALLOC_CONF;

/* Memory of the process that is not a file's. */
struct resident {
	size_t bytes, huge_bytes;
};

static struct resident
resident_now(void)
{
	char line[256];
	unsigned long kib;
	struct resident r = {0};
	FILE *f = fopen("/proc/self/smaps_rollup", "r");
	while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
		if (sscanf(line, "Anonymous: %lu kB", &kib) == 1 ||
		    sscanf(line, "Private_Hugetlb: %lu kB", &kib) == 1)
			r.bytes += kib * 1024;
		if (sscanf(line, "AnonHugePages: %lu kB", &kib) == 1 ||
		    sscanf(line, "Private_Hugetlb: %lu kB", &kib) == 1)
			r.huge_bytes += kib * 1024;
	}
	if (f == NULL || fclose(f) != 0)
		abort();
	return r;
}

static const struct {
	const char *name;
	enum bench_zone_kind kind;
} kinds[] = {
	{"flat", BENCH_ZONE_FLAT}, {"tld", BENCH_ZONE_TLD},     {"tld_ds", BENCH_ZONE_TLD_DS},
	{"nsec", BENCH_ZONE_NSEC}, {"nsec3", BENCH_ZONE_NSEC3},
};

static int
build(enum bench_zone_kind kind, int64_t names, struct diag_list *diag, struct snapshot **out)
{
	struct name apex = bench_zone_apex(kind);
	struct zone_builder *b = zone_builder_new(&apex);
	int err = b != NULL ? bench_zone_fill(kind, names, b) : -ENOMEM;
	if (err == 0)
		return zone_builder_finish(b, diag, out);
	zone_builder_abort(b);
	return err;
}

static int
load(const char *path, const char *origin, struct diag_list *diag, struct snapshot **out)
{
	struct name apex;
	if (name_from_text(origin, strlen(origin), NULL, &apex) != NAME_OK)
		return -EINVAL;
	return zonefile_load(path, &apex, diag, out);
}

static int
make(char **args, struct diag_list *diag, struct snapshot **out)
{
	for (unsigned i = 0; i < ARRAY_LEN(kinds); i++) {
		if (strcmp(args[0], kinds[i].name) == 0)
			return build(kinds[i].kind, strtol(args[1], NULL, 10), diag, out);
	}
	return load(args[0], args[1], diag, out);
}

/* At once what the allocator does by itself within twenty seconds. */
static void
give_back(void)
{
	if (mallctl("thread.tcache.flush", NULL, NULL, NULL, 0) != 0 ||
	    mallctl("arena." TEXT(MALLCTL_ARENAS_ALL) ".purge", NULL, NULL, NULL, 0) != 0)
		abort();
}

int
main(int argc, char **argv)
{
	struct diag_list diag = {0};
	struct snapshot *s;
	if (argc != 3) {
		fprintf(stderr, "usage: zonememory KIND NAMES | FILE ORIGIN\n");
		return 2;
	}
	size_t out_before = zalloc_bytes();
	struct resident before = resident_now();
	int err = make(argv + 1, &diag, &s);
	if (err != 0) {
		diag_print(&diag, stderr);
		fprintf(stderr, "%s: %s\n", argv[1], strerror(-err));
		return 1;
	}
	diag_clear(&diag);
	double names = (double)s->names.count;
	struct resident first = resident_now();
	give_back();
	struct resident last = resident_now();
	printf("%s %.0f names: handed out %.1f, resident %.1f, at last %.1f, in huge pages %.1f\n", argv[1], names,
	       (double)(zalloc_bytes() - out_before) / names, (double)(first.bytes - before.bytes) / names,
	       (double)(last.bytes - before.bytes) / names, (double)(last.huge_bytes - before.huge_bytes) / names);
	snapshot_free(s);
	return 0;
}
