/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CRC32C (Castagnoli): the checksum over what is kept on disk. It finds every error of up to three flipped bits in
 * values of the sizes that we store, and all but one in 2^32 of the others; it is no protection against somebody
 * who changes data on purpose. The same function as iSCSI's (RFC 3720 section 12.1, vectors in appendix B.4).
 *
 * With SSE 4.2 it is the processor's own instruction, which every CPU of our lowest level (x86-64-v2) has; without,
 * it goes bit by bit. Pure, any thread.
 */
#ifndef ANSER_BASE_CRC32C_H
#define ANSER_BASE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* The sum of what `before` is the sum of, followed by data[0..len). `before` is 0 where nothing came before. */
uint32_t crc32c(uint32_t before, const void *data, size_t len);

/* The same, without the instruction: for CPUs that lack it, and for tests. */
uint32_t crc32c_portable(uint32_t before, const void *data, size_t len);

#endif
