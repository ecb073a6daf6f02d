/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packets for the mutation campaign: a good query of any kind in a frame of any kind, then mutations of both, some
 * blind and some that know where counts, lengths, pointers and options lie. The same seed makes the same packets.
 */
#ifndef ANSER_TESTS_FUZZ_MUTATE_PACKET_H
#define ANSER_TESTS_FUZZ_MUTATE_PACKET_H

#include <stdint.h>

#include "tests/fuzz/zones.h"

#define PACKET_ROOM 2048 /* of a buffer, as large as a DPDK port's */
#define PACKET_MAX 1514u /* octets of a frame */
#define ASKED_NAMES_MAX 16384

struct packet_source {
	uint64_t random;
	unsigned n_names;
	const struct names_entry *names[ASKED_NAMES_MAX]; /* of all zones */
};

void packet_source_init(struct packet_source *s, const struct fuzz_zones *zones, uint64_t seed);

/* Writes the next packet into data[PACKET_ROOM]; returns its length, up to PACKET_MAX. */
uint32_t packet_next(struct packet_source *s, uint8_t *data);

uint32_t random_below(struct packet_source *s, uint32_t n);

#endif
