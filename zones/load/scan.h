/* SPDX-License-Identifier: Apache-2.0 */
/* Counting in large texts, a vector at a time. Pure. */
#ifndef ANSER_LOAD_SCAN_H
#define ANSER_LOAD_SCAN_H

#include <stddef.h>

/* How often `octet` stands in text[0..len). */
size_t scan_count(const char *text, size_t len, char octet);

#endif
