/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a secondary does meanwhile: threads that ask it at a steady rate and note how long each answer takes, and
 * that look at its memory.
 */
#ifndef ANSER_BENCH_TRANSFER_WATCH_H
#define ANSER_BENCH_TRANSFER_WATCH_H

#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/types.h>

#include "bench/transfer/zone.h"

#define LOAD_INTERVAL_NS 1000000u /* 1,000 questions a second */
#define LOAD_MAX 65536            /* in one run: a little more than a minute */

struct load {
	const struct bench_zone *zone;
	struct sockaddr_in server;
	atomic_bool stop;
	pthread_t thread;
	uint32_t sent;
	uint64_t sent_ns[LOAD_MAX];
	uint64_t took_ns[LOAD_MAX]; /* 0: no answer */
};

struct load_figures {
	uint32_t sent, lost;
	double p50_ms, p99_ms, p999_ms, max_ms;
};

void load_start(struct load *l, const struct bench_zone *zone, const struct sockaddr_in *server);
void load_stop(struct load *l, struct load_figures *out);

/* Memory of a process and its children, by share (PSS) where there are several; KiB. */
struct memory {
	uint64_t anon, file; /* file: pages of files that are mapped, which the kernel takes back when it wants */
};

struct memory_watch {
	pid_t pid;
	atomic_bool stop;
	pthread_t thread;
	struct memory peak;
};

struct memory memory_now(pid_t group);
void memory_watch_start(struct memory_watch *m, pid_t group);
void memory_watch_stop(struct memory_watch *m);

/* CPU time of all threads of the group that live, in ms. */
double cpu_ms(pid_t group);

#endif
