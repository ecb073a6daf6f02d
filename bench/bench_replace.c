/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cost of a whole zone that comes in over the one that is there, from the first record to the next snapshot: the
 * same zone, and one of which a hundredth differs. An item is a name. Names come in an order that the names table
 * does not know, as from any other server.
 *
 * Tells on stderr what memory it took; for that to mean much, what is freed must go back at once:
 * MALLOC_CONF=dirty_decay_ms:0,muzzy_decay_ms:0.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/cases.h"
#include "bench/harness.h"
#include "bench/zones.h"
#include "zones/store/replace.h"
#include "zones/wire/rrtype.h"

struct replace_bench {
	const struct bench_zone *zone;
	struct snapshot *snapshot;
	unsigned differs; /* one of so many names; 0: none does */
	uint8_t round;
	long steady_kb, peak_kb, after_kb; /* of the last run */
	size_t new_bytes;
	struct zone_replace *replace; /* of the current run */
	uint64_t spent;
};

static void *
set_up(enum bench_zone_kind kind, int64_t names, unsigned differs)
{
	struct replace_bench *b = calloc(1, sizeof(*b));
	if (b == NULL || (b->zone = bench_zone(kind, names)) == NULL) {
		free(b);
		return NULL;
	}
	b->differs = differs;
	b->snapshot = (struct snapshot *)(uintptr_t)zone_current(b->zone->zone);
	return b;
}

static void
tear_down(void *context)
{
	struct replace_bench *b = context;
	fprintf(stderr,
		"over a process of %ld kB: peak %+ld kB, before the old zone is freed %+ld kB, new %zu octets\n",
		b->steady_kb, b->peak_kb - b->steady_kb, b->after_kb - b->steady_kb, b->new_bytes);
	(void)!zone_publish(b->zone->zone, b->snapshot);
	free(b);
}

static long
status_kb(const char *key)
{
	char line[256];
	long kb = -1;
	FILE *f = fopen("/proc/self/status", "re");
	while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
		if (strncmp(line, key, strlen(key)) == 0)
			kb = strtol(line + strlen(key) + 1, NULL, 10);
	}
	if (f != NULL)
		fclose(f);
	return kb;
}

/* Lets VmHWM begin anew (proc(5), clear_refs). */
static void
reset_peak(void)
{
	int fd = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);
	if (fd >= 0) {
		(void)!write(fd, "5", 1);
		close(fd);
	}
}

/* Delegations of some names get servers of other names, host names of some another address; others in each round.
 */
static int
take(void *arg, const struct name *owner, uint16_t type, const uint8_t *rdata, uint16_t rdlen)
{
	struct replace_bench *b = arg;
	uint8_t copy[512];
	memcpy(copy, rdata, rdlen);
	bool may_differ = type == RRTYPE_NS || type == RRTYPE_A;
	if (b->differs != 0 && may_differ && name_hash(owner->bytes) % b->differs == b->round % b->differs)
		copy[type == RRTYPE_NS ? 1 : 0] ^= (uint8_t)(1 + b->round % 4);
	uint64_t start = bench_cycles();
	int err = zone_replace_add(b->replace, owner, type, BENCH_ZONE_TTL_S, copy, rdlen);
	b->spent += bench_cycles() - start;
	return err;
}

static uint64_t
run(void *context)
{
	struct replace_bench *b = context;
	struct diag_list diag = {0};
	struct snapshot *next;
	struct snapshot_remains *remains;
	reset_peak();
	b->steady_kb = status_kb("VmRSS:");
	b->replace = zone_replace_new(b->snapshot, &diag);
	b->spent = 0;
	b->round++;
	if (b->replace == NULL || bench_zone_each(b->zone->kind, b->zone->names, take, b) != 0)
		abort();
	uint64_t start = bench_cycles();
	if (zone_replace_finish(b->replace, &next, &remains) != 0)
		abort();
	b->spent += bench_cycles() - start;
	b->peak_kb = status_kb("VmHWM:");
	b->after_kb = status_kb("VmRSS:");
	b->new_bytes = remains->new_bytes;
	snapshot_remains_free(remains);
	diag_clear(&diag);
	b->snapshot = next;
	return b->spent;
}

#define SET_UP(name, kind, differs)                                                                                \
	static void *set_up_##name(int64_t names)                                                                  \
	{                                                                                                          \
		return set_up(kind, names, differs);                                                               \
	}
SET_UP(same, BENCH_ZONE_TLD, 0)
SET_UP(some, BENCH_ZONE_TLD, 100)
SET_UP(all, BENCH_ZONE_TLD, 1)
SET_UP(same_nsec, BENCH_ZONE_NSEC, 0)
SET_UP(same_nsec3, BENCH_ZONE_NSEC3, 0)
SET_UP(some_nsec3, BENCH_ZONE_NSEC3, 100)

void
bench_replace_cases(void)
{
	enum { NAMES = 1000000 };
	static const struct bench_case cases[] = {
		{"replace/same", NAMES, NAMES, set_up_same, run, tear_down},
		{"replace/10000_names", NAMES, NAMES, set_up_some, run, tear_down},
		{"replace/all_names", NAMES, NAMES, set_up_all, run, tear_down},
		{"replace/same/nsec", NAMES, NAMES, set_up_same_nsec, run, tear_down},
		{"replace/same/nsec3", NAMES, NAMES, set_up_same_nsec3, run, tear_down},
		{"replace/10000_names/nsec3", NAMES, NAMES, set_up_some_nsec3, run, tear_down},
	};
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++)
		bench_register(&cases[i]);
}
