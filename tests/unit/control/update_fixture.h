/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What tests and the fuzzer of UPDATE share: zones and messages from text, and the check that a result is one.
 * Aborts where something is not so, so that it serves fuzzers as well.
 */
#ifndef ANSER_TESTS_UPDATE_FIXTURE_H
#define ANSER_TESTS_UPDATE_FIXTURE_H

#include <stddef.h>
#include <stdint.h>

#include "control/zone/update.h"
#include "zones/wire/message.h"

struct name update_name(const char *text);

/* The zone `example.` of a zone file's text; from served_free(). */
struct served *update_zone(const char *text);

/* The same of a file, and another origin; NULL and diagnostics on stderr where it has faults. */
struct served *update_zone_file(const char *path, const struct name *origin);

/*
 * Writes a message for `example.` of these lines, each `SECTION OWNER TTL CLASS TYPE [DATA]`: the section is p
 * (prerequisite), u (update) or a (additional); relative names end in example. Without DATA, there is none. Names
 * are not compressed. Returns its length.
 */
size_t update_message(const char *lines, uint8_t out[MESSAGE_MAX_LEN]);

/* The zone as text, from free(). */
char *update_dump(const struct snapshot *s);

/*
 * Checks what any result must be: with `next`, a serial that is newer and changes that make it out of the base,
 * each removal of something there and each addition of something new; without, none of both. Frees both.
 */
void update_check_result(const struct served *base, struct update_result *result);

#endif
