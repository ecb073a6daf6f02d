/* SPDX-License-Identifier: Apache-2.0 */
/* What every test here includes: cmocka with what it wants before it, and names from text. */
#ifndef ANSER_TESTS_CMOCKA_WIRE_H
#define ANSER_TESTS_CMOCKA_WIRE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "zones/wire/name.h"

/* A name that the test knows to be good. */
static inline struct name
name_of(const char *text)
{
	struct name n = {0};

	assert_int_equal(name_from_text(text, strlen(text), NULL, &n), NAME_OK);
	return n;
}

#endif
