/* SPDX-License-Identifier: Apache-2.0 */
/* Reports. See report.h. */
#include "bench/blast/report.h"

#include <errno.h>
#include <string.h>

#include <jansson.h>

static const char *const rcode_names[TALLY_RCODES] = {
	"NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN",  "NOTIMP",  "REFUSED", "YXDOMAIN", "YXRRSET",
	"NXRRSET", "NOTAUTH", "NOTZONE",  "DSOTYPENI", "RCODE12", "RCODE13", "RCODE14",  "RCODE15",
};

/* -------- figures -------- */

static double
answered_qps(const struct load_result *r)
{
	return r->seconds > 0 ? (double)r->tally.answered / r->seconds : 0;
}

static double
bytes_mean(const struct tally *t)
{
	return t->answered > 0 ? (double)t->bytes / (double)t->answered : 0;
}

double
report_latency_us(const struct load_result *r, double share)
{
	return histogram_percentile(&r->tally.latency, share) * r->stamp_us;
}

/* -------- for people -------- */

void
report_progress(double target_qps, double seconds, const struct tally *t, double stamp_us)
{
	fprintf(stderr,
		"\r\033[K%4.0f s  sent %.0f/s  answered %llu  lost %llu  wrong %llu  p50 %.0f us  p99 %.0f us",
		seconds, (double)t->sent / seconds, (unsigned long long)t->answered, (unsigned long long)t->lost,
		(unsigned long long)t->wrong, histogram_percentile(&t->latency, 0.5) * stamp_us,
		histogram_percentile(&t->latency, 0.99) * stamp_us);
	if (target_qps > 0)
		fprintf(stderr, "  (target %.0f/s)", target_qps);
	fflush(stderr);
}

void
report_probe(const struct load_result *r, bool passed)
{
	fprintf(stderr, "%10.0f/s  sent %10.0f/s  answered %8.4f %%  p50 %6.0f us  p99 %6.0f us  %s\n",
		r->target_qps, load_sent_qps(r), 100 * load_answered_ratio(r), report_latency_us(r, 0.5),
		report_latency_us(r, 0.99), passed ? "passed" : "failed");
}

static void
print_rcodes(FILE *out, const struct tally *t)
{
	for (unsigned i = 0; i < TALLY_RCODES; i++)
		if (t->rcodes[i] > 0)
			fprintf(out, "  %s %llu", rcode_names[i], (unsigned long long)t->rcodes[i]);
	fputc('\n', out);
}

void
report_step(FILE *out, const struct load_result *r)
{
	const struct tally *t = &r->tally;
	if (r->target_qps > 0)
		fprintf(out, "target    %.0f/s\n", r->target_qps);
	else
		fprintf(out, "target    as fast as possible\n");
	fprintf(out, "sent      %llu in %.3f s: %.0f/s\n", (unsigned long long)t->sent, r->seconds,
		load_sent_qps(r));
	fprintf(out, "answered  %llu: %.0f/s, %.4f %%\n", (unsigned long long)t->answered, answered_qps(r),
		100 * load_answered_ratio(r));
	fprintf(out, "late      %llu\nlost      %llu\nwrong     %llu\n", (unsigned long long)t->late,
		(unsigned long long)t->lost, (unsigned long long)t->wrong);
	if (t->duplicate > 0 || t->stray > 0)
		fprintf(out, "twice     %llu, and %llu too late to tell\n", (unsigned long long)t->duplicate,
			(unsigned long long)t->stray);
	fprintf(out, "rcodes  ");
	print_rcodes(out, t);
	fprintf(out, "messages  %.1f octets on average, %llu truncated\n", bytes_mean(t),
		(unsigned long long)t->truncated);
	fprintf(out, "latency   min %.1f  p50 %.1f  p90 %.1f  p99 %.1f  p99.9 %.1f  max %.1f  mean %.1f us\n",
		t->latency.min * r->stamp_us, report_latency_us(r, 0.5), report_latency_us(r, 0.9),
		report_latency_us(r, 0.99), report_latency_us(r, 0.999), t->latency.max * r->stamp_us,
		histogram_mean(&t->latency) * r->stamp_us);
	if (r->target_qps > 0 && load_sent_qps(r) < LOAD_KEPT_PACE * r->target_qps)
		fprintf(out, "note      the target rate was not reached: this program or its port is the limit\n");
	fflush(out);
}

/* -------- JSON -------- */

static json_t *
json_rcodes(const struct tally *t)
{
	json_t *o = json_object();
	for (unsigned i = 0; i < TALLY_RCODES; i++)
		if (t->rcodes[i] > 0)
			json_object_set_new(o, rcode_names[i], json_integer((json_int_t)t->rcodes[i]));
	return o;
}

static json_t *
json_latency(const struct load_result *r)
{
	const struct histogram *h = &r->tally.latency;
	return json_pack("{sf sf sf sf sf sf sf}", "min", h->min * r->stamp_us, "p50", report_latency_us(r, 0.5),
			 "p90", report_latency_us(r, 0.9), "p99", report_latency_us(r, 0.99), "p999",
			 report_latency_us(r, 0.999), "max", h->max * r->stamp_us, "mean",
			 histogram_mean(h) * r->stamp_us);
}

static json_t *
json_step(const struct load_result *r)
{
	const struct tally *t = &r->tally;
	json_t *o =
		json_pack("{sf sf sI sf sI sf sf}", "target_qps", r->target_qps, "seconds", r->seconds, "sent",
			  (json_int_t)t->sent, "sent_qps", load_sent_qps(r), "answered", (json_int_t)t->answered,
			  "answered_qps", answered_qps(r), "answered_ratio", load_answered_ratio(r));
	json_t *more =
		json_pack("{sI sI sI sI sI so sI sf so}", "late", (json_int_t)t->late, "lost", (json_int_t)t->lost,
			  "wrong", (json_int_t)t->wrong, "duplicate", (json_int_t)t->duplicate, "stray",
			  (json_int_t)t->stray, "rcodes", json_rcodes(t), "truncated", (json_int_t)t->truncated,
			  "bytes_mean", bytes_mean(t), "latency_us", json_latency(r));
	json_object_update(o, more);
	json_decref(more);
	return o;
}

int
report_write_json(const char *path, const struct report_head *head, const struct load_result *const *steps,
		  unsigned n, const struct load_result *best)
{
	json_t *list = json_array();
	for (unsigned i = 0; i < n; i++)
		json_array_append_new(list, json_step(steps[i]));
	json_t *o = json_pack("{ss ss ss ss sI sb so}", "version", ANSER_VERSION, "server", head->server, "mode",
			      head->mode, "mix", head->mix, "queries", (json_int_t)head->questions, "dnssec",
			      head->dnssec, "steps", list);
	if (best != NULL)
		json_object_set_new(o, "best", json_step(best));
	FILE *f = strcmp(path, "-") == 0 ? stdout : fopen(path, "we");
	int err = f == NULL ? -errno : 0;
	if (f != NULL) {
		if (o == NULL || json_dumpf(o, f, JSON_INDENT(2) | JSON_REAL_PRECISION(12)) != 0)
			err = -EIO;
		fputc('\n', f);
		if ((f == stdout ? fflush(f) : fclose(f)) != 0 && err == 0)
			err = -errno;
	}
	json_decref(o);
	return err;
}
