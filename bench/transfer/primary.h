/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A primary that has its answers ready before they are asked for, so that what is measured is the secondary. A
 * thread of its own; UDP and TCP on one address.
 *
 * The answers may only be changed while no secondary asks: between two steps of the bench. (The mutex makes that
 * well-defined, not meaningful.)
 */
#ifndef ANSER_BENCH_TRANSFER_PRIMARY_H
#define ANSER_BENCH_TRANSFER_PRIMARY_H

#include <netinet/in.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "bench/transfer/zone.h"

#define PRIMARY_CONNECTIONS 32

struct primary {
	struct sockaddr_in address;
	pthread_mutex_t mutex; /* guards all below */
	const struct bench_zone *zone;
	struct bench_octets axfr, ixfr;
	bool refuses_ixfr; /* IXFR is answered with the whole zone */
	/* when; publish times of CLOCK_MONOTONIC, 0: not yet */
	uint64_t asked_ns;     /* the first question for a transfer that got data */
	uint64_t last_byte_ns; /* the kernel has the last octet of the answer */
	uint64_t sent_bytes;
	/* the thread's */
	int udp, tcp;
	pthread_t thread;
};

void primary_start(struct primary *p, const struct bench_zone *zone, const char *address, uint16_t port);

/* Forgets the times of the last step. */
void primary_reset(struct primary *p);

/* Sends a NOTIFY of the present version. Any thread. */
void primary_notify(struct primary *p, const struct sockaddr_in *secondary);

uint64_t bench_now_ns(void);

#endif
