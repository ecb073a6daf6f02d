/* SPDX-License-Identifier: Apache-2.0 */
/*
 * anserblast: DNS load at a fixed rate, over sockets or a DPDK port. docs/manual/anserblast.md tells how to use it.
 *
 *     options → questions → load (port, a runner on each core) → steps or search → report
 *
 * This thread sets up and reports; the runners (runner.h) do the work.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/blast/load.h"
#include "bench/blast/mix.h"
#include "bench/blast/options.h"
#include "bench/blast/questions.h"
#include "bench/blast/report.h"
#include "bench/blast/search.h"

enum { EXIT_DONE, EXIT_FAILED, EXIT_USAGE };

/* A probe of a search is this long, unless the whole step is shorter. */
#define PROBE_S 1.0

struct run {
	const struct options *o;
	struct load *load;
	load_progress *progress;
	struct load_result **results;
	unsigned n, cap;
	struct load_result *best; /* one of results, or NULL */
};

/* For the signal handler alone; set before it is. */
static struct load *load_to_stop;

static void
on_signal(int signal)
{
	load_stop(load_to_stop);
}

/* -------- steps -------- */

static struct load_result *
result_new(struct run *run)
{
	if (run->n == run->cap) {
		unsigned cap = run->cap != 0 ? 2 * run->cap : 16;
		struct load_result **results = realloc(run->results, cap * sizeof(*results));
		if (results == NULL)
			return NULL;
		run->results = results;
		run->cap = cap;
	}
	struct load_result *r = calloc(1, sizeof(*r));
	if (r != NULL)
		run->results[run->n++] = r;
	return r;
}

/* One step, warmed up; its result is the last of run->results. */
static int
run_step(struct run *run, double rate, double seconds)
{
	struct load_result *r = result_new(run);
	if (r == NULL)
		return -ENOMEM;
	int err = 0;
	if (run->o->warm_s > 0)
		err = load_step(run->load, rate, run->o->warm_s, run->progress, r);
	if (err == 0)
		err = load_step(run->load, rate, seconds, run->progress, r);
	if (run->progress != NULL)
		fputs("\r\033[K", stderr);
	if (err != 0)
		fprintf(stderr, "anserblast: threads cannot be started: %s\n", strerror(-err));
	return err;
}

static FILE *
report_stream(const struct options *o)
{
	return o->json_path != NULL && strcmp(o->json_path, "-") == 0 ? stderr : stdout;
}

static int
run_steps(struct run *run)
{
	bool flood = run->o->rate == OPTIONS_FLOOD;
	unsigned n = flood ? 1 : run->o->n_steps;
	for (unsigned i = 0; i < n && !load_is_stopped(run->load); i++) {
		int err = run_step(run, flood ? 0 : run->o->steps_qps[i], run->o->time_s);
		if (err != 0)
			return err;
		report_step(report_stream(run->o), run->results[run->n - 1]);
	}
	return 0;
}

/* -------- search -------- */

static int
probe(void *arg, double rate, bool confirm, bool *passed)
{
	struct run *run = arg;
	double seconds = confirm || run->o->time_s < PROBE_S ? run->o->time_s : PROBE_S;
	int err = run_step(run, rate, seconds);
	if (err != 0)
		return err;
	if (load_is_stopped(run->load))
		return -EINTR;
	struct load_result *r = run->results[run->n - 1];
	/* a rate that could not be sent has not been passed, however much was answered */
	*passed = load_answered_ratio(r) >= run->o->answered && load_sent_qps(r) >= LOAD_KEPT_PACE * rate;
	report_probe(r, *passed);
	run->best = confirm && *passed ? r : NULL;
	return 0;
}

static int
run_search(struct run *run)
{
	struct search_ops ops = {.probe = probe, .arg = run};
	double best;
	int err = search_run(&ops, run->o->steps_qps[0], &best);
	if (err == 0)
		report_step(report_stream(run->o), run->best);
	else if (err == -ENOENT)
		fprintf(stderr, "anserblast: no rate was found that is answered to %.4g %%\n",
			100 * run->o->answered);
	return err == -EINTR ? 0 : err;
}

/* -------- all -------- */

static int
make_questions(const struct options *o, struct questions *out, struct diag_list *diag)
{
	if (o->queries_path != NULL)
		return questions_read(out, o->queries_path, &o->mix.style, diag);
	int err = mix_make(&o->mix, out);
	if (err != 0)
		diag_add(diag, DIAG_ERROR, NULL, 0, 0, "the queries do not fit into memory: %s", strerror(-err));
	return err;
}

static int
write_json(const struct run *run, const struct questions *questions)
{
	const struct options *o = run->o;
	struct report_head head = {
		.server = o->server_text,
		.mode = options_mode_text(o->load.port.mode),
		.mix = o->queries_path != NULL ? o->queries_path : mix_text(o->mix.mix),
		.questions = questions->n,
		.dnssec = o->mix.style.dnssec,
	};
	int err = report_write_json(o->json_path, &head, (const struct load_result *const *)run->results, run->n,
				    run->best);
	if (err != 0)
		fprintf(stderr, "anserblast: %s: %s\n", o->json_path, strerror(-err));
	return err;
}

static bool
was_answered(const struct run *run)
{
	for (unsigned i = 0; i < run->n; i++)
		if (run->results[i]->tally.answered > 0)
			return true;
	int err = load_send_error(run->load);
	fprintf(stderr, "anserblast: nothing was answered%s%s\n", err != 0 ? "; the last error of sending: " : "",
		err != 0 ? strerror(-err) : "");
	return false;
}

static int
run_load(const struct options *o, struct load *load, const struct questions *questions)
{
	struct run run = {.o = o, .load = load, .progress = isatty(STDERR_FILENO) ? report_progress : NULL};
	load_to_stop = load;
	struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	int err = o->rate == OPTIONS_SEARCH ? run_search(&run) : run_steps(&run);
	signal(SIGINT, SIG_DFL); /* nothing is there to be stopped in what follows */
	signal(SIGTERM, SIG_DFL);
	bool good = was_answered(&run) && err == 0;
	if (o->json_path != NULL && write_json(&run, questions) != 0)
		good = false;
	for (unsigned i = 0; i < run.n; i++)
		free(run.results[i]);
	free(run.results);
	return good ? EXIT_DONE : EXIT_FAILED;
}

static int
blast(struct options *o)
{
	struct diag_list diag = {0};
	struct questions questions = {0};
	struct load *load = NULL;
	int code = EXIT_FAILED;
	int err = make_questions(o, &questions, &diag);
	if (err == 0) {
		o->load.questions = &questions;
		err = load_open(&o->load, &diag, &load);
	}
	diag_print(&diag, stderr);
	diag_clear(&diag);
	if (err == 0)
		code = run_load(o, load, &questions);
	load_close(load);
	questions_free(&questions);
	return code;
}

static int
make_zone(const struct options *o)
{
	int err = made_zone_write(o->mix.kind, &o->mix.zone, o->mix.names, stdout);
	if (err != 0)
		fputs("anserblast: the zone cannot be written\n", stderr);
	return err == 0 ? EXIT_DONE : EXIT_FAILED;
}

int
main(int argc, char **argv)
{
	static struct options o;
	char error[256];
	if (options_read(argc, argv, &o, error) != 0) {
		fprintf(stderr, "anserblast: %s\nTry `anserblast --help`.\n", error);
		return EXIT_USAGE;
	}
	switch (o.action) {
	case OPTIONS_HELP:
		options_print_help(stdout);
		return EXIT_DONE;
	case OPTIONS_VERSION:
		puts("anserblast " ANSER_VERSION);
		return EXIT_DONE;
	case OPTIONS_MAKE_ZONE:
		return make_zone(&o);
	case OPTIONS_LOAD:
		break;
	}
	return blast(&o);
}
