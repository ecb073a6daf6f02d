/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The zone of the bench: N delegations under one apex, two NS each, one in three with DS, all made from their
 * numbers. Of each it is only kept when it was last changed, so versions cost four octets a name.
 *
 * A change gives a name another first NS, whose label is "v" and the serial: who asks can see in the answer which
 * version it is from.
 *
 * One thread.
 */
#ifndef ANSER_BENCH_TRANSFER_ZONE_H
#define ANSER_BENCH_TRANSFER_ZONE_H

#include <stddef.h>
#include <stdint.h>

#include "zones/wire/name.h"

struct bench_zone {
	uint32_t n, serial, previous;
	uint32_t *changed; /* serial of the last change; 0: none */
	struct name apex;
	/* what the last change was */
	uint32_t first_changed, n_changed;
};

/* Messages as they go over TCP, each behind its length; from malloc(). */
struct bench_octets {
	uint8_t *bytes;
	size_t len, cap;
	uint32_t messages;
};

void bench_zone_begin(struct bench_zone *z, const char *origin, uint32_t n);

/* The next version: k names changed, from one on that differs from step to step. */
void bench_zone_change(struct bench_zone *z, uint32_t k);

/* The whole zone, and the last change as IXFR. The id is 0. What is there is overwritten. */
void bench_zone_axfr(const struct bench_zone *z, struct bench_octets *out);
void bench_zone_ixfr(const struct bench_zone *z, struct bench_octets *out);

/* A reply with the SOA alone, to a question of `qtype`; returns its length. `out` has 512 octets. */
size_t bench_zone_soa(const struct bench_zone *z, uint16_t qtype, uint16_t id, uint8_t *out);

/* A question for NS of delegation i; a NOTIFY with the SOA. Their lengths. */
size_t bench_zone_question(const struct bench_zone *z, uint32_t i, uint16_t id, uint8_t *out);
size_t bench_zone_notify(const struct bench_zone *z, uint16_t id, uint8_t *out);

/* The label that a changed name of this version has in its NS, with its length octet; for memmem(). Its length. */
size_t bench_zone_mark(uint32_t serial, char out[16]);

#endif
