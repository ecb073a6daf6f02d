/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loads a zone file as the daemon does, and tells what each step costs.
 *
 *     loadbench [-t THREADS] [-c CHUNK_BYTES] [-n ROUNDS] FILE NAME
 *
 * Prints a line a round: read (file to records), build (records to a checked snapshot), count (its octets), free;
 * of each the processor time of all threads and the time that passed, in ms.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "zones/load/zonefile.h"

extern const char *malloc_conf;
const char *malloc_conf = "thp:always,metadata_thp:auto,background_thread:true,lg_extent_max_active_fit:16";

struct moment {
	double cpu_ms, wall_ms;
};

static double
clock_ms(clockid_t clock)
{
	struct timespec t;
	clock_gettime(clock, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static struct moment
now(void)
{
	return (struct moment){clock_ms(CLOCK_PROCESS_CPUTIME_ID), clock_ms(CLOCK_MONOTONIC)};
}

static void
print_step(const char *step, struct moment *since)
{
	struct moment at = now();
	printf(" %s %.0f/%.0f", step, at.cpu_ms - since->cpu_ms, at.wall_ms - since->wall_ms);
	*since = now();
}

static int
load(const char *path, const struct name *apex, const struct zonefile_how *how)
{
	struct zonefile_files *files = NULL;
	struct diag_list diag = {0};
	struct snapshot *s = NULL;
	struct moment t = now(), start = t;
	struct zone_builder *b = zone_builder_new(apex);
	if (b == NULL)
		return -1;
	zone_builder_set_crew(b, how->crew);
	int err = zonefile_read(path, apex, how, b, &diag, &files);
	print_step("read", &t);
	if (err == 0)
		err = zone_builder_finish(b, &diag, &s);
	else
		zone_builder_abort(b);
	print_step("build", &t);
	size_t bytes = err == 0 ? snapshot_bytes_by(s, how->crew) : 0;
	print_step("count", &t);
	printf(" all %.0f/%.0f", t.cpu_ms - start.cpu_ms, t.wall_ms - start.wall_ms);
	t = now();
	snapshot_free(s);
	zonefile_files_free(files);
	print_step("free", &t);
	printf(" (cpu/wall ms; %zu octets, %u warnings)\n", bytes, diag.n_warnings);
	diag_print(&diag, stderr);
	diag_clear(&diag);
	return err;
}

int
main(int argc, char **argv)
{
	struct zonefile_how how = {0};
	struct name apex;
	unsigned threads = 1, rounds = 1;
	for (int c; (c = getopt(argc, argv, "t:c:n:")) != -1;) {
		if (c == 't')
			threads = (unsigned)atoi(optarg);
		else if (c == 'c')
			how.chunk_bytes = (size_t)atoll(optarg);
		else if (c == 'n')
			rounds = (unsigned)atoi(optarg);
		else
			return 2;
	}
	if (argc - optind != 2 ||
	    name_from_text(argv[optind + 1], strlen(argv[optind + 1]), NULL, &apex) != NAME_OK) {
		fprintf(stderr,
			"usage: loadbench [-t THREADS] [-c CHUNK_BYTES] [-n ROUNDS] FILE NAME (with its dot)\n");
		return 2;
	}
	struct crew crew = crew_of_threads(threads);
	how.crew = &crew;
	for (unsigned i = 0; i < rounds; i++)
		if (load(argv[optind], &apex, &how) != 0)
			return 1;
	return 0;
}
