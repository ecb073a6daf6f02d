/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A zone builder that only takes notes, for tests of the reader: every record becomes a line
 *
 *     owner TTL type data @file:line:column
 *
 * recorder.c defines the functions of builder.h; a test that links it does not link zones/store.
 */
#ifndef ANSER_TESTS_LOAD_RECORDER_H
#define ANSER_TESTS_LOAD_RECORDER_H

#include <stdbool.h>

#include "zones/load/zonefile.h"

/* What one read gave. */
struct reading {
	int rc;
	char *records; /* lines */
	char *faults;  /* lines as diag_format() makes them */
	char *files;   /* lines, as zonefile_files_name() has them */
	unsigned n_errors;
};

/* Reads `text` as the zone example.com. from a file called "z". The caller calls reading_free(). */
struct reading reading_of_text(const char *text);

/* The same from a file. */
struct reading reading_of_file(const char *path);

/* Text of any octets, read as `how` says. */
struct reading reading_in_chunks(const char *text, size_t len, const struct zonefile_how *how);

void reading_free(struct reading *reading);

/* Reads text and compares records (without places) and faults with what is expected. */
void assert_reading(const char *text, const char *records, const char *faults);

/* Reads text that has no faults; compares the records. */
void assert_records(const char *text, const char *records);

/* The n-th record from now is refused for want of memory; 0 switches that off. */
extern unsigned recorder_fail_at;

/* Whether places are part of the lines. */
extern bool recorder_places;

#endif
