/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asking for the server's MAC on ports that no kernel shares: ARP (RFC 826) and neighbour discovery (RFC 4861).
 * Pure; bytes alone.
 */
#ifndef ANSER_BLAST_ASK_MAC_H
#define ANSER_BLAST_ASK_MAC_H

#include <stdbool.h>
#include <stdint.h>

#include "zones/base/compiler.h"

#define ASK_MAC_FRAME_MAX 86

/* Who asks for whom. Addresses: IPv4 in the first 4 octets. */
struct ask_mac {
	bool is_v6;
	uint8_t mac[6];
	uint8_t source[16], server[16];
};

/* Writes the question's frame; returns its length. */
uint32_t ask_mac_write(const struct ask_mac *a, uint8_t out[ASK_MAC_FRAME_MAX]);

/* True if the frame is the answer: *mac is then set. */
bool ask_mac_read(const struct ask_mac *a, const uint8_t *frame, uint32_t len, uint8_t mac[6]) MUST_CHECK;

#endif
