/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames of the load: Ethernet, IPv4 or IPv6, UDP around a DNS message, on bytes alone.
 *
 * Everything that is the same in all queries is written and summed up once, so that a frame costs a copy and a few
 * additions. Sums are kept as dataplane/frame_private.h does. Pure; the template is set once, then only read.
 */
#ifndef ANSER_BLAST_FRAMES_H
#define ANSER_BLAST_FRAMES_H

#include <stdbool.h>
#include <stdint.h>

#include "bench/blast/sources.h"

#define FRAMES_HEADERS_MAX (14 + 40 + 8)

struct frames {
	struct sources sources;
	uint8_t server[16]; /* IPv4 in the first 4 octets */
	uint16_t server_port;
	bool is_echo; /* false after frames_init(); true: a query that comes back as it left is a reply */
	uint8_t headers[FRAMES_HEADERS_MAX]; /* lengths, source, checksums missing */
	uint32_t headers_len;
	uint64_t ip_sum, udp_sum; /* of what is in the template; udp_sum with the pseudo-header's fixed part */
};

/* Both MACs: 6 octets. */
void frames_init(struct frames *f, const struct sources *sources, const uint8_t *server, uint16_t server_port,
		 const uint8_t *mac, const uint8_t *next_hop_mac);

/*
 * Writes the frame of a message of `len` octets whose sum, with id 0, is `sum`. `out` has room for headers_len +
 * len. Returns the frame's length.
 */
uint32_t frames_write(const struct frames *f, uint8_t *out, uint32_t source, uint16_t id, const uint8_t *message,
		      uint32_t len, uint16_t sum);

struct frames_reply {
	const uint8_t *message; /* in the frame */
	uint32_t len;
	uint32_t source;
};

/*
 * True for UDP from the server's address and port to one of our sources, or, for an echo, from one to the server,
 * without options, extension headers or tags and not in fragments; else *out is untouched. Checksums are not looked
 * at: over veth they are unfinished.
 */
bool frames_read(const struct frames *f, const uint8_t *frame, uint32_t len, struct frames_reply *out);

#endif
