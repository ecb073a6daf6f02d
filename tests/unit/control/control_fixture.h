/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of the daemon's parts share: a directory of their own, with zone files and a configuration in it.
 */
#ifndef ANSER_TESTS_CONTROL_FIXTURE_H
#define ANSER_TESTS_CONTROL_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "control/config/config.h"

/* Makes a new directory and goes there. */
void fixture_enter(void);

/* Removes the directory and all in it. */
void fixture_leave(void);

/* Writes a file in the directory, by rename: it is never there in half. */
void fixture_write(const char *name, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* A zone file of the zone `example`, with this serial and these further lines. */
void fixture_write_zone(const char *name, unsigned serial, const char *more);

/*
 * Loads a configuration whose further lines are `more`. It listens on a port that the kernel chooses, which no
 * configuration may ask for: port 0 is put in afterwards. The test fails if it has faults.
 */
struct config *fixture_config(const char *more);

struct name fixture_name(const char *text);

uint64_t fixture_now_ms(void);

#endif
