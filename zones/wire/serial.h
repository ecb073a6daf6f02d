/* SPDX-License-Identifier: Apache-2.0 */
/* Serial numbers of zones, which go round (RFC 1982). Pure, any thread. */
#ifndef ANSER_WIRE_SERIAL_H
#define ANSER_WIRE_SERIAL_H

#include <stdbool.h>
#include <stdint.h>

/*
 * True when `a` comes after `b`. Of two serials that are 2^31 apart neither does, which RFC 1982 section 3.2 leaves
 * open: a zone that jumps so far is not taken for newer.
 */
static inline bool
serial_is_newer(uint32_t a, uint32_t b)
{
	uint32_t step = a - b;
	return step != 0 && step < UINT32_C(1) << 31;
}

#endif
