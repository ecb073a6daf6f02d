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

/*
 * The 64-bit hash of `len` octets; as octets it is little-endian. They are given as len / 8 + 1 words in the order
 * of memory, zeros behind the end: who hashes has them in registers, and would wait to read back what was just
 * written in other sizes.
 */
uint64_t siphash24(const uint8_t key[SIPHASH_KEY_LEN], const uint64_t *words, size_t len);

#endif
