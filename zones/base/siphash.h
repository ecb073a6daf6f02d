/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SipHash-2-4 (Aumasson and Bernstein, 2012): the keyed hash that DNS cookies of several servers have to agree on
 * (RFC 9018 section 4.4). OpenSSL has it too, but only behind an interface that allocates. Pure, any thread.
 */
#ifndef ANSER_BASE_SIPHASH_H
#define ANSER_BASE_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

#define SIPHASH_KEY_LEN 16

/* The 64-bit hash; as octets it is little-endian. */
uint64_t siphash24(const uint8_t key[SIPHASH_KEY_LEN], const uint8_t *data, size_t len);

#endif
