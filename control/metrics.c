/* SPDX-License-Identifier: Apache-2.0 */
/* Prometheus text. See metrics.h. */
#include "control/metrics.h"

#include <inttypes.h>
#include <stddef.h>
#include <string.h>

#include "zones/wire/rrtype.h"

static const char *const rcode_texts[COUNTERS_RCODES] = {
	"NOERROR",        "FORMERR",          "SERVFAIL",       "NXDOMAIN",         "NOTIMP",
	"REFUSED",        [6] = "YXDOMAIN",   [7] = "YXRRSET",  [8] = "NXRRSET",    [9] = "NOTAUTH",
	[10] = "NOTZONE", [11] = "DSOTYPENI", [16] = "BADVERS", [23] = "BADCOOKIE",
};

const char *
metrics_rcode(unsigned rcode, char *buf)
{
	if (rcode < COUNTERS_RCODES && rcode_texts[rcode])
		return rcode_texts[rcode];
	snprintf(buf, 16, "RCODE%u", rcode);
	return buf;
}

/* -------- sampling and summing -------- */

void
metrics_sample(struct metrics_workers *workers)
{
	for (unsigned i = 0; i < workers->n; i++) {
		struct metrics_worker *w = &workers->workers[i];
		uint64_t busy = counter_read(&w->counters->busy_cycles);
		uint64_t total = counter_read(&w->counters->total_cycles);
		if (total > w->total_seen)
			w->busy_ratio = (double)(busy - w->busy_seen) / (double)(total - w->total_seen);
		if (w->busy_ratio > 1) /* the two were not read in one moment */
			w->busy_ratio = 1;
		w->busy_seen = busy;
		w->total_seen = total;
	}
}

void
metrics_sum_udp(const struct metrics_workers *workers, struct counters *sum)
{
	memset(sum, 0, sizeof(*sum));
	for (unsigned i = 0; i < workers->n; i++)
		counters_sum(sum, workers->workers[i].counters);
}

void
metrics_sum_tcp(const struct tcp *tcp, struct counters *sum)
{
	memset(sum, 0, sizeof(*sum));
	for (unsigned i = 0; i < tcp_thread_count(tcp); i++)
		counters_sum(sum, tcp_thread_counters(tcp, i));
}

void
metrics_sum_tls(const struct tcp *tcp, struct counters *sum)
{
	memset(sum, 0, sizeof(*sum));
	for (unsigned i = 0; i < tcp_thread_count(tcp); i++)
		counters_sum(sum, tcp_thread_tls_counters(tcp, i));
}

/* -------- families -------- */

static void
family(FILE *out, const char *name, const char *type, const char *help)
{
	fprintf(out, "# HELP anser_%s %s\n# TYPE anser_%s %s\n", name, help, name, type);
}

static void
write_label(FILE *out, const char *text)
{
	for (const char *p = text; *p; p++) {
		if (*p == '\\' || *p == '"')
			fputc('\\', out);
		fputc(*p == '\n' ? ' ' : *p, out);
	}
}

enum { SUM_UDP, SUM_TCP, SUM_TLS, TRANSPORTS };
static const char *const transport_texts[TRANSPORTS] = {[SUM_UDP] = "udp", [SUM_TCP] = "tcp", [SUM_TLS] = "tls"};

/* A family with one field of the counters by transport. */
static void
write_by_transport(FILE *out, const char *name, const char *help, const struct counters *sums, size_t field)
{
	family(out, name, "counter", help);
	for (unsigned i = 0; i < TRANSPORTS; i++)
		fprintf(out, "anser_%s{transport=\"%s\"} %" PRIu64 "\n", name, transport_texts[i],
			*(const uint64_t *)((const char *)&sums[i] + field));
}

/* `sums` by transport, as everywhere below. */
static void
write_traffic(FILE *out, const struct counters *sums)
{
	family(out, "queries_total", "counter", "DNS messages that got an answer.");
	for (unsigned i = 0; i < TRANSPORTS; i++) {
		fprintf(out, "anser_queries_total{transport=\"%s\",proto=\"ipv4\"} %" PRIu64 "\n",
			transport_texts[i], sums[i].queries_v4);
		fprintf(out, "anser_queries_total{transport=\"%s\",proto=\"ipv6\"} %" PRIu64 "\n",
			transport_texts[i], sums[i].queries_v6);
	}
	write_by_transport(out, "received_total",
			   "Packets (udp) or messages (tcp, tls) offered; equals answered, given to the kernel and "
			   "dropped together.",
			   sums, offsetof(struct counters, rx));
	write_by_transport(out, "answered_total", "Packets or messages answered.", sums,
			   offsetof(struct counters, tx));
	write_by_transport(out, "punted_total",
			   "Messages given to the control thread: signed, NOTIFY, UPDATE, transfers.", sums,
			   offsetof(struct counters, punted));
	write_by_transport(out, "punt_replies_total",
			   "Answers of the control thread; answered_total has them, too.", sums,
			   offsetof(struct counters, punt_replies));
	family(out, "to_kernel_total", "counter", "Packets given to the kernel.");
	fprintf(out, "anser_to_kernel_total %" PRIu64 "\n", sums[SUM_UDP].to_kernel);
}

static void
write_answers(FILE *out, const struct counters *all)
{
	char buf[RRTYPE_TEXT_MAX];
	family(out, "responses_total", "counter", "Responses by response code.");
	for (unsigned i = 0; i < COUNTERS_RCODES; i++)
		if (all->rcode[i] || rcode_texts[i])
			fprintf(out, "anser_responses_total{rcode=\"%s\"} %" PRIu64 "\n", metrics_rcode(i, buf),
				all->rcode[i]);
	family(out, "queries_by_type_total", "counter", "Queries by type asked for.");
	for (unsigned i = 0; i < COUNTERS_TYPES; i++) {
		if (!all->qtype[i])
			continue;
		if (i == COUNTERS_TYPE_OTHER)
			snprintf(buf, sizeof(buf), "other");
		else
			rrtype_to_text((uint16_t)i, buf);
		fprintf(out, "anser_queries_by_type_total{type=\"%s\"} %" PRIu64 "\n", buf, all->qtype[i]);
	}
	family(out, "truncated_total", "counter", "Responses sent with the TC bit.");
	fprintf(out, "anser_truncated_total %" PRIu64 "\n", all->truncated);
	family(out, "dropped_total", "counter", "Packets and messages dropped, each under exactly one reason.");
	for (unsigned i = 0; i < DROP_REASON_COUNT; i++)
		fprintf(out, "anser_dropped_total{reason=\"%s\"} %" PRIu64 "\n", drop_reason_label(i),
			all->drop[i]);
}

static void
write_ports(FILE *out, const struct metrics_workers *w)
{
	static const struct {
		const char *name, *help;
		size_t field;
	} rows[] = {
		{"port_rx_packets_total", "Packets that the port received.",
		 offsetof(struct metrics_port, rx_packets)},
		{"port_tx_packets_total", "Packets that the port sent.", offsetof(struct metrics_port, tx_packets)},
		{"port_rx_missed_total", "Packets lost because nobody took them in time.",
		 offsetof(struct metrics_port, rx_missed)},
		{"port_rx_errors_total", "Packets that arrived broken.", offsetof(struct metrics_port, rx_errors)},
		{"port_tx_errors_total", "Packets that could not be sent.",
		 offsetof(struct metrics_port, tx_errors)},
	};
	for (unsigned r = 0; r < ARRAY_LEN(rows); r++) {
		family(out, rows[r].name, "counter", rows[r].help);
		for (unsigned i = 0; i < w->n_ports; i++) {
			struct metrics_port p;
			w->port(w->arg, i, &p);
			fprintf(out, "anser_%s{port=\"", rows[r].name);
			write_label(out, p.device);
			fprintf(out, "\"} %" PRIu64 "\n", *(uint64_t *)((char *)&p + rows[r].field));
		}
	}
}

static void
write_workers(FILE *out, const struct metrics_workers *w)
{
	family(out, "worker_busy_ratio", "gauge",
	       "Share of its time that a worker spent on packets, over the last seconds.");
	for (unsigned i = 0; i < w->n; i++)
		fprintf(out, "anser_worker_busy_ratio{core=\"%d\"} %.4f\n",
			w->workers[i].cpu < 0 ? (int)i : w->workers[i].cpu, w->workers[i].busy_ratio);
}

static void
write_tcp(FILE *out, const struct tcp *tcp)
{
	struct tcp_stats s;
	tcp_stats(tcp, &s);
	family(out, "tcp_connections", "gauge", "TCP connections open, TLS among them.");
	fprintf(out, "anser_tcp_connections %" PRIu64 "\n", s.connections);
	family(out, "tcp_accepted_total", "counter", "TCP connections accepted.");
	fprintf(out, "anser_tcp_accepted_total %" PRIu64 "\n", s.accepted);
	family(out, "tcp_refused_total", "counter", "TCP connections refused, by limit.");
	fprintf(out, "anser_tcp_refused_total{limit=\"max-per-source\"} %" PRIu64 "\n", s.refused_source);
	fprintf(out, "anser_tcp_refused_total{limit=\"max-connections\"} %" PRIu64 "\n", s.refused_full);
	family(out, "tcp_closed_total", "counter", "TCP connections closed by us.");
	fprintf(out, "anser_tcp_closed_total{reason=\"idle\"} %" PRIu64 "\n", s.closed_idle);
	fprintf(out, "anser_tcp_closed_total{reason=\"slow\"} %" PRIu64 "\n", s.closed_slow);
	family(out, "tls_failed_total", "counter", "TLS connections that failed, in the handshake or later.");
	fprintf(out, "anser_tls_failed_total %" PRIu64 "\n", s.tls_failed);
	int64_t end_s = tcp_tls_not_after_s(tcp);
	if (!end_s)
		return;
	family(out, "tls_certificate_end_seconds", "gauge", "When the certificate in force ends, in Unix time.");
	fprintf(out, "anser_tls_certificate_end_seconds %" PRId64 "\n", end_s);
}

static void
write_publish(FILE *out, const struct publisher *p)
{
	static const char *const bounds[PUBLISH_BUCKETS] = {"1e-05", "0.0001", "0.001", "0.01", "0.1",
							    "1",     "10",     "100",   "+Inf"};
	family(out, "snapshot_publish_seconds", "histogram", "From verified data to served data.");
	uint64_t below = 0;
	for (unsigned i = 0; i < PUBLISH_BUCKETS; i++) {
		below += p->times.bucket[i];
		fprintf(out, "anser_snapshot_publish_seconds_bucket{le=\"%s\"} %" PRIu64 "\n", bounds[i], below);
	}
	fprintf(out, "anser_snapshot_publish_seconds_sum %.9f\n", (double)p->times.sum_ns / 1e9);
	fprintf(out, "anser_snapshot_publish_seconds_count %" PRIu64 "\n", p->times.count);
	struct reclaim_stats r;
	reclaim_stats(p->reclaim, &r);
	family(out, "retired_bytes", "gauge", "Replaced zone data that waits for its grace period.");
	fprintf(out, "anser_retired_bytes %" PRIu64 "\n", r.retired_bytes);
	family(out, "retired_budget_bytes", "gauge", "How much of it there may be before publishing waits.");
	fprintf(out, "anser_retired_budget_bytes %" PRIu64 "\n", r.budget_bytes);
	family(out, "grace_period_seconds", "gauge", "How long the present grace period has lasted.");
	fprintf(out, "anser_grace_period_seconds %.3f\n", (double)r.grace_ms / 1e3);
}

static void
write_zone_states(FILE *out, const struct zones *z)
{
	const uint64_t *states = zones_states(z);
	family(out, "zones", "gauge", "Configured zones by state.");
	for (unsigned i = 0; i < ZONE_STATE_COUNT; i++)
		fprintf(out, "anser_zones{state=\"%s\"} %" PRIu64 "\n", zone_state_text(i), states[i]);
	family(out, "publish_waiting", "gauge", "Loaded zones that wait until older data can be freed.");
	fprintf(out, "anser_publish_waiting %u\n", zones_waiting_to_publish(z));
}

static void
sample(FILE *out, const char *name, const char *labels, uint64_t value)
{
	fprintf(out, "anser_%s%s %" PRIu64 "\n", name, labels, value);
}

static void
write_transfers(FILE *out, const struct metrics_sources *m)
{
	static const char *const kinds[] = {[0] = "axfr", [1] = "ixfr"};
	static const char *const results[] = {[0] = "new", [1] = "up-to-date", [2] = "failed"};
	char labels[96];
	family(out, "transfers_total", "counter", "Zone transfers that have ended.");
	const struct secondary_stats *in = m->secondaries ? secondaries_stats(m->secondaries) : NULL;
	for (unsigned k = 0; in && k < ARRAY_LEN(kinds); k++)
		for (unsigned r = 0; r < ARRAY_LEN(results); r++) {
			snprintf(labels, sizeof(labels), "{direction=\"in\",kind=\"%s\",result=\"%s\"}", kinds[k],
				 results[r]);
			sample(out, "transfers_total", labels, in->transfers[k][r]);
		}
	if (!m->transfers_out)
		return;
	struct serve_transfers_stats s;
	serve_transfers_stats(m->transfers_out, &s);
	for (unsigned k = 0; k < SERVE_KINDS; k++)
		for (unsigned failed = 0; failed < 2; failed++) {
			snprintf(labels, sizeof(labels), "{direction=\"out\",kind=\"%s\",result=\"%s\"}",
				 serve_kind_text(k), failed ? "failed" : "sent");
			sample(out, "transfers_total", labels, failed ? s.failed[k] : s.done[k]);
		}
	sample(out, "transfers_total", "{direction=\"out\",kind=\"any\",result=\"refused\"}", s.refused);
	sample(out, "transfers_total", "{direction=\"out\",kind=\"any\",result=\"busy\"}", s.busy);
}

static void
write_secondaries(FILE *out, const struct secondary_stats *s)
{
	family(out, "refreshes_total", "counter", "Refreshes of secondary zones that have ended.");
	sample(out, "refreshes_total", "{result=\"good\"}", s->refreshes - s->refresh_failures);
	sample(out, "refreshes_total", "{result=\"failed\"}", s->refresh_failures);
	family(out, "notifies_received_total", "counter", "NOTIFY messages from allowed sources.");
	sample(out, "notifies_received_total", "{result=\"news\"}", s->notifies - s->notifies_useless);
	sample(out, "notifies_received_total", "{result=\"known\"}", s->notifies_useless);
}

static void
write_notifies(FILE *out, const struct notify_outs *o)
{
	struct notify_outs_stats s;
	notify_outs_stats(o, &s);
	family(out, "notifies_sent_total", "counter", "NOTIFY messages to remotes, by how they ended.");
	sample(out, "notifies_sent_total", "{result=\"answered\"}", s.answered);
	sample(out, "notifies_sent_total", "{result=\"refused\"}", s.refused);
	sample(out, "notifies_sent_total", "{result=\"failed\"}", s.failed);
	sample(out, "notifies_sent_total", "{result=\"dropped\"}", s.dropped);
	family(out, "notifies_waiting", "gauge", "NOTIFY messages that wait to be sent.");
	sample(out, "notifies_waiting", "", s.waiting);
}

static void
write_updates(FILE *out, const struct updates_stats *s)
{
	family(out, "updates_total", "counter", "DNS UPDATE requests, by how they ended.");
	sample(out, "updates_total", "{result=\"done\"}", s->done);
	sample(out, "updates_total", "{result=\"unchanged\"}", s->unchanged);
	sample(out, "updates_total", "{result=\"refused\"}", s->refused);
	sample(out, "updates_total", "{result=\"failed\"}", s->failed);
	sample(out, "updates_total", "{result=\"forwarded\"}", s->forwarded);
}

static void
write_state(FILE *out, struct state *st)
{
	struct state_stats s;
	state_stats(st, &s);
	family(out, "state_used_bytes", "gauge", "Size of the state on disk.");
	sample(out, "state_used_bytes", "", s.used_bytes);
	family(out, "state_queue_bytes", "gauge", "Verified data that waits to be on disk.");
	sample(out, "state_queue_bytes", "", s.queue_bytes);
	family(out, "state_commits_total", "counter", "Transactions written, each for all that had come.");
	sample(out, "state_commits_total", "", s.commits);
	family(out, "state_requests_total", "counter", "Changes of the state, by how they ended.");
	sample(out, "state_requests_total", "{result=\"stored\"}", s.completed - s.failed);
	sample(out, "state_requests_total", "{result=\"failed\"}", s.failed);
}

static void
write_others(FILE *out, const struct metrics_sources *m)
{
	write_transfers(out, m);
	if (m->secondaries)
		write_secondaries(out, secondaries_stats(m->secondaries));
	if (m->notifies_out)
		write_notifies(out, m->notifies_out);
	if (m->updates)
		write_updates(out, updates_stats(m->updates));
	if (m->state)
		write_state(out, m->state);
}

void
metrics_write(const struct metrics_sources *m, FILE *out)
{
	struct counters sums[TRANSPORTS], all;
	metrics_sum_udp(m->workers, &sums[SUM_UDP]);
	metrics_sum_tcp(m->tcp, &sums[SUM_TCP]);
	metrics_sum_tls(m->tcp, &sums[SUM_TLS]);
	all = sums[SUM_UDP];
	counters_sum(&all, &sums[SUM_TCP]);
	counters_sum(&all, &sums[SUM_TLS]);
	family(out, "build_info", "gauge", "Always 1; the version is in the label.");
	fprintf(out, "anser_build_info{version=\"" ANSER_VERSION "\"} 1\n");
	family(out, "start_time_seconds", "gauge", "When the server started, in Unix time.");
	fprintf(out, "anser_start_time_seconds %" PRId64 "\n", m->started_s);
	write_traffic(out, sums);
	write_answers(out, &all);
	write_ports(out, m->workers);
	write_workers(out, m->workers);
	write_tcp(out, m->tcp);
	write_publish(out, m->publisher);
	write_zone_states(out, m->zones);
	write_others(out, m);
}

static const char *const zone_families[METRICS_ZONE_FAMILIES] = {"zone_serial", "zone_expire_timestamp_seconds"};

static void
write_zone(FILE *out, unsigned which, const struct zone_info *info, int64_t value)
{
	char text[NAME_TEXT_MAX];
	name_to_text(info->apex, text);
	fprintf(out, "anser_%s{zone=\"", zone_families[which]);
	write_label(out, text);
	fprintf(out, "\"} %" PRId64 "\n", value);
}

void
metrics_write_zones(const struct zones *z, unsigned which, size_t from, size_t to, FILE *out)
{
	static const char *const help[METRICS_ZONE_FAMILIES] = {
		"Serial served, of zones that are served.",
		"When a secondary's data expires unless a primary confirms it, in Unix time."};
	if (from == 0)
		family(out, zone_families[which], "gauge", help[which]);
	for (size_t i = from; i < to; i++) {
		struct zone_info info;
		struct secondary_info secondary;
		zones_info_at(z, i, &info);
		if (which == 0 && info.has_data)
			write_zone(out, which, &info, info.serial);
		else if (which == 1 && secondary_info(info.item, &secondary) && secondary.expires_at_s)
			write_zone(out, which, &info, secondary.expires_at_s);
	}
}
