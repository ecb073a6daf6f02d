/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What was measured, for people and as JSON (docs/manual/anserblast.md has the fields). Main thread.
 */
#ifndef ANSER_BLAST_REPORT_H
#define ANSER_BLAST_REPORT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "bench/blast/load.h"
#include "zones/base/compiler.h"

/* What the run as a whole was. Texts are borrowed. */
struct report_head {
	const char *server, *mode;
	const char *mix; /* mix or file */
	uint32_t questions;
	bool dnssec;
};

/* Percentile of the latency in microseconds. */
double report_latency_us(const struct load_result *r, double share);

/* One line that overwrites the last, while a step runs: for load_step(). */
void report_progress(double target_qps, double seconds, const struct tally *tally, double stamp_us);

/* One line about a finished step of a search, on stderr. */
void report_probe(const struct load_result *r, bool passed);

/* A step in full. */
void report_step(FILE *out, const struct load_result *r);

/* Writes the JSON object; `best` may be NULL. `path` "-" is stdout. 0 or -errno. */
int report_write_json(const char *path, const struct report_head *head, const struct load_result *const *steps,
		      unsigned n, const struct load_result *best) MUST_CHECK;

#endif
