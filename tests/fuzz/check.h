/* SPDX-License-Identifier: Apache-2.0 */
/* What a fuzz target says when something is not so. */
#ifndef ANSER_TESTS_FUZZ_CHECK_H
#define ANSER_TESTS_FUZZ_CHECK_H

#include <stdio.h>
#include <stdlib.h>

#define CHECK(condition)                                                                                           \
	do {                                                                                                       \
		if (!(condition)) {                                                                                \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                    \
			abort();                                                                                   \
		}                                                                                                  \
	} while (0)

#endif
