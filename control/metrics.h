/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Metrics: Prometheus text (exposition format 0.0.4), made from what the threads count anyway.
 *
 * Counters are read while their owners go on counting: no worker stops, waits or even notices. One family a metric,
 * with HELP and TYPE; the names are part of the interface. Control thread.
 */
#ifndef ANSER_CONTROL_METRICS_H
#define ANSER_CONTROL_METRICS_H

#include <stdint.h>
#include <stdio.h>

#include "control/net/tcp.h"
#include "control/publish/publish.h"
#include "control/state/state.h"
#include "control/transfer/notify_out.h"
#include "control/transfer/serve_transfer.h"
#include "control/zone/secondary.h"
#include "control/zone/updates.h"
#include "control/zone/zones.h"
#include "zones/base/counters.h"

/* A UDP worker, as far as figures go. */
struct metrics_worker {
	int cpu; /* -1: not pinned */
	const struct counters *counters;
	uint64_t busy_seen, total_seen; /* at the last metrics_sample() */
	double busy_ratio;              /* between the last two */
};

struct metrics_port {
	const char *device;
	uint64_t rx_packets, tx_packets, rx_missed, rx_errors, tx_errors;
};

/* The dataplane's part, filled in by main.c, which alone knows it. */
struct metrics_workers {
	struct metrics_worker *workers;
	unsigned n;
	unsigned n_ports;
	void (*port)(void *arg, unsigned i, struct metrics_port *out);
	void *arg;
};

struct metrics_sources {
	const struct metrics_workers *workers;
	const struct tcp *tcp;
	const struct zones *zones;
	const struct publisher *publisher;
	/* Each may be NULL: its families are left out. */
	struct state *state;
	const struct secondaries *secondaries;
	const struct serve_transfers *transfers_out;
	const struct notify_outs *notifies_out;
	const struct updates *updates;
	int64_t started_s; /* wall time */
};

/* Takes a sample for worker_busy_ratio; every METRICS_SAMPLE_MS. */
#define METRICS_SAMPLE_MS 5000
void metrics_sample(struct metrics_workers *workers);

/* Sums: of the UDP workers, of plain TCP, of TLS. */
void metrics_sum_udp(const struct metrics_workers *workers, struct counters *sum);
void metrics_sum_tcp(const struct tcp *tcp, struct counters *sum);
void metrics_sum_tls(const struct tcp *tcp, struct counters *sum);

/* Writes all families but those with a line for each zone. */
void metrics_write(const struct metrics_sources *m, FILE *out);

/* The families with a line for each zone, one after the other, in pieces: zones [from, to). */
#define METRICS_ZONE_FAMILIES 2
void metrics_write_zones(const struct zones *z, unsigned family, size_t from, size_t to, FILE *out);

/* The mnemonic of a response code (IANA "DNS RCODEs"), or "RCODE<n>" written to buf[16]. */
const char *metrics_rcode(unsigned rcode, char *buf);

#endif
