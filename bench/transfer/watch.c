/* SPDX-License-Identifier: Apache-2.0 */
/* A steady load and a look at memory. See watch.h. */
#include "bench/transfer/watch.h"

#include <dirent.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "bench/transfer/primary.h"
#include "zones/base/bytes.h"

/* -------- load -------- */

static void
take_answers(struct load *l, int fd)
{
	uint8_t msg[4096];
	ssize_t n;
	while ((n = recv(fd, msg, sizeof(msg), MSG_DONTWAIT)) >= 12) {
		unsigned id = load_be16(msg);
		if (id < l->sent && !l->took_ns[id])
			l->took_ns[id] = bench_now_ns() - l->sent_ns[id];
	}
}

static void
wait_until(struct load *l, int fd, uint64_t at_ns)
{
	uint64_t now;
	while ((now = bench_now_ns()) < at_ns) {
		struct pollfd p = {fd, POLLIN, 0};
		struct timespec left = {0, (long)(at_ns - now)};
		if (ppoll(&p, 1, &left, NULL) > 0)
			take_answers(l, fd);
	}
}

static void *
load_run(void *arg)
{
	struct load *l = arg;
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	uint8_t msg[512];
	if (fd < 0 || connect(fd, (struct sockaddr *)&l->server, sizeof(l->server)) != 0)
		exit(1);
	uint64_t at_ns = bench_now_ns();
	while (!atomic_load(&l->stop) && l->sent < LOAD_MAX) {
		wait_until(l, fd, at_ns);
		size_t len =
			bench_zone_question(l->zone, l->sent * 2654435761u % l->zone->n, (uint16_t)l->sent, msg);
		l->sent_ns[l->sent++] = bench_now_ns();
		(void)!send(fd, msg, len, 0);
		at_ns += LOAD_INTERVAL_NS;
		if (at_ns < bench_now_ns())
			at_ns = bench_now_ns(); /* we were kept waiting ourselves */
	}
	wait_until(l, fd, bench_now_ns() + 999000000u);
	close(fd);
	return NULL;
}

void
load_start(struct load *l, const struct bench_zone *zone, const struct sockaddr_in *server)
{
	l->zone = zone;
	l->server = *server;
	l->sent = 0;
	memset(l->took_ns, 0, sizeof(l->took_ns));
	atomic_store(&l->stop, false);
	if (pthread_create(&l->thread, NULL, load_run, l) != 0)
		exit(1);
}

static int
by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return x < y ? -1 : x > y;
}

static double
ms_of(const uint64_t *took_ns, uint64_t i)
{
	return (double)took_ns[i] / 1e6;
}

void
load_stop(struct load *l, struct load_figures *out)
{
	atomic_store(&l->stop, true);
	pthread_join(l->thread, NULL);
	*out = (struct load_figures){.sent = l->sent};
	qsort(l->took_ns, l->sent, sizeof(l->took_ns[0]), by_value);
	while (out->lost < l->sent && !l->took_ns[out->lost])
		out->lost++;
	uint32_t n = l->sent - out->lost;
	if (!n)
		return;
	const uint64_t *t = l->took_ns + out->lost;
	out->p50_ms = ms_of(t, n / 2);
	out->p99_ms = ms_of(t, (uint64_t)n * 99 / 100);
	out->p999_ms = ms_of(t, (uint64_t)n * 999 / 1000);
	out->max_ms = ms_of(t, n - 1);
}

/* -------- processes -------- */

/* Calls fn for each process of the group; how many. */
static unsigned
each_process(pid_t group, void (*fn)(void *arg, pid_t pid), void *arg)
{
	DIR *dir = opendir("/proc");
	struct dirent *e;
	unsigned n = 0;
	while (dir && (e = readdir(dir))) {
		pid_t pid = (pid_t)atoi(e->d_name);
		if (pid <= 0 || getpgid(pid) != group)
			continue;
		fn(arg, pid);
		n++;
	}
	if (dir)
		closedir(dir);
	return n;
}

static void
count_one(void *arg, pid_t pid)
{
	(void)arg;
	(void)pid;
}

static void
add_fields(const char *path, const char *const fields[2], struct memory *m)
{
	FILE *f = fopen(path, "r");
	char line[256];
	while (f && fgets(line, sizeof(line), f)) {
		for (unsigned i = 0; i < 2; i++) {
			size_t len = strlen(fields[i]);
			if (strncmp(line, fields[i], len) == 0)
				*(i ? &m->file : &m->anon) += strtoull(line + len, NULL, 10);
		}
	}
	if (f)
		fclose(f);
}

static void
add_share(void *arg, pid_t pid)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", (int)pid);
	add_fields(path, (const char *const[2]){"Pss_Anon:", "Pss_File:"}, arg);
}

static void
add_resident(void *arg, pid_t pid)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	add_fields(path, (const char *const[2]){"RssAnon:", "RssFile:"}, arg);
}

struct memory
memory_now(pid_t group)
{
	struct memory m = {0};
	each_process(group, each_process(group, count_one, NULL) > 1 ? add_share : add_resident, &m);
	return m;
}

static void *
memory_run(void *arg)
{
	struct memory_watch *w = arg;
	while (!atomic_load(&w->stop)) {
		struct memory m = memory_now(w->pid);
		if (m.anon > w->peak.anon)
			w->peak.anon = m.anon;
		if (m.file > w->peak.file)
			w->peak.file = m.file;
		usleep(10000);
	}
	return NULL;
}

void
memory_watch_start(struct memory_watch *w, pid_t group)
{
	*w = (struct memory_watch){.pid = group};
	if (pthread_create(&w->thread, NULL, memory_run, w) != 0)
		exit(1);
}

void
memory_watch_stop(struct memory_watch *w)
{
	atomic_store(&w->stop, true);
	pthread_join(w->thread, NULL);
}

static void
add_cpu(void *arg, pid_t pid)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	DIR *dir = opendir(path);
	struct dirent *e;
	while (dir && (e = readdir(dir))) {
		unsigned long long ns = 0;
		char stat[128];
		snprintf(stat, sizeof(stat), "/proc/%d/task/%.16s/schedstat", (int)pid, e->d_name);
		FILE *f = e->d_name[0] == '.' ? NULL : fopen(stat, "r");
		if (f && fscanf(f, "%llu", &ns) == 1)
			*(double *)arg += (double)ns / 1e6;
		if (f)
			fclose(f);
	}
	if (dir)
		closedir(dir);
}

double
cpu_ms(pid_t group)
{
	double ms = 0;
	each_process(group, add_cpu, &ms);
	return ms;
}
