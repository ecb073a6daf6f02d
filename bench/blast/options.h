/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command line. Main thread, once.
 */
#ifndef ANSER_BLAST_OPTIONS_H
#define ANSER_BLAST_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "bench/blast/load.h"
#include "bench/blast/mix.h"
#include "zones/base/compiler.h"

#define OPTIONS_STEPS_MAX 64
#define OPTIONS_CORES_MAX 64

enum options_action { OPTIONS_LOAD, OPTIONS_MAKE_ZONE, OPTIONS_HELP, OPTIONS_VERSION };
enum options_rate { OPTIONS_STEPS, OPTIONS_SEARCH, OPTIONS_FLOOD };

struct options {
	enum options_action action;
	const char *server_text; /* as given */
	struct load_config load; /* its questions are not set */
	unsigned cores[OPTIONS_CORES_MAX];
	const char *queries_path; /* NULL: a mix */
	struct mix_spec mix;      /* style also holds for a file */
	enum options_rate rate;
	double steps_qps[OPTIONS_STEPS_MAX];
	unsigned n_steps;
	double answered; /* share that a rate must have answered to pass */
	double time_s, warm_s;
	const char *json_path; /* NULL: none */
};

/*
 * Reads the command line into *out; argv is borrowed. 0, or -EINVAL with the fault in `error`. Touches *out in any
 * case.
 */
int options_read(int argc, char **argv, struct options *out, char error[256]) MUST_CHECK;

void options_print_help(FILE *out);

const char *options_mode_text(enum load_mode mode);

#endif
