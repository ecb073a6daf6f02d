/* SPDX-License-Identifier: Apache-2.0 */
/*
 * turnbench: what a worker turn costs. See docs/perf/turn.md for the commands, turn.h for what is measured and
 * rig.h for how.
 */
#include "bench/turn/turn.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const struct measurement {
	const char *name;
	int (*run)(struct rig *rig, const struct rig_load *load, const struct turn_options *o);
	unsigned lanes;
	unsigned cpu; /* of this thread: which lane's */
} measurements[] = {
	{"cost", turn_cost, 1, 0},
	{"stages", turn_stages, 1, 0},
	{"scale", turn_scale, 2, 1},
	{"stall", turn_stall, 1, 1},
};

static int
compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

double
samples_quantile(struct samples *s, double p)
{
	if (s->n == 0)
		return 0;
	qsort(s->at, s->n, sizeof(s->at[0]), compare);
	return s->at[(uint32_t)(p * (s->n - 1))];
}

uint64_t
turn_now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

void
turn_print(const char *name, struct samples *s)
{
	printf("  %-28s %10.2f %10.2f %10.2f\n", name, samples_quantile(s, 0.5), samples_quantile(s, 0),
	       samples_quantile(s, 1));
	fflush(stdout);
}

static int
usage(void)
{
	fprintf(stderr, "usage: turnbench [-r ROUNDS] [-m MS] [-o] [-n] cost|stages|scale|stall KIND/NAMES...\n"
			"  -r  rounds of A/B (5)\n"
			"  -m  milliseconds that each half of a round takes (300)\n"
			"  -o  checksums are the port's to verify and write, as with a NIC\n"
			"  -n  no huge pages for frames, even if there are some\n"
			"kinds: positive edns cookie nxdomain referral signed nxdomain_nsec nxdomain_nsec3\n");
	return 2;
}

static int
run_loads(struct rig *rig, const struct measurement *m, const struct turn_options *o, char *const *loads)
{
	int rc = 0;
	for (; *loads != NULL; loads++) {
		static struct rig_load load;
		int err = rig_load_make(&load, *loads);
		if (err != 0) {
			fprintf(stderr, "turnbench: %s: %s\n", *loads, strerror(-err));
			return 1;
		}
		printf("%s %s\n  %-28s %10s %10s %10s\n", m->name, *loads, "cycles a query", "median", "lowest",
		       "highest");
		rc |= m->run(rig, &load, o);
		rig_load_free(&load);
	}
	return rc;
}

static int
run(const struct measurement *m, const struct turn_options *o, bool by_port, bool huge, char *const *loads)
{
	static struct rig rig;
	struct diag_list diag = {0};
	int err = rig_open(&rig, m->lanes, huge, &diag);
	diag_print(&diag, stderr);
	diag_clear(&diag);
	if (err != 0) {
		fprintf(stderr, "turnbench: %s\n", strerror(-err));
		return 1;
	}
	rig_offload(&rig, by_port);
	rig_thread_begin(&rig, m->cpu);
	int rc = run_loads(&rig, m, o, loads);
	rig_thread_end();
	return rc;
}

int
main(int argc, char **argv)
{
	struct turn_options o = {.rounds = 5, .phase_ms = 300};
	bool by_port = false, huge = true;
	for (int c; (c = getopt(argc, argv, "r:m:on")) != -1;) {
		switch (c) {
		case 'r':
			o.rounds = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 'm':
			o.phase_ms = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 'o':
			by_port = true;
			break;
		case 'n':
			huge = false;
			break;
		default:
			return usage();
		}
	}
	if (argc - optind < 2 || o.rounds == 0)
		return usage();
	for (unsigned i = 0; i < ARRAY_LEN(measurements); i++) {
		if (strcmp(argv[optind], measurements[i].name) == 0)
			return run(&measurements[i], &o, by_port, huge, argv + optind + 1);
	}
	return usage();
}
