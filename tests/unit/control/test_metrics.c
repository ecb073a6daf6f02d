/* SPDX-License-Identifier: Apache-2.0 */
/* Prometheus text: the names and figures that dashboards rely on, and the form that Prometheus insists on. */
#include "tests/unit/control/control_fixture.h"

#include <uv.h>

#include "control/metrics.h"

struct rig {
	uv_loop_t loop;
	struct zone_root root;
	struct publisher publisher;
	struct zones *zones;
	struct config *config;
	struct tcp *tcp;
	struct counters udp[2];
	struct metrics_worker worker[2];
	struct metrics_workers workers;
	char *text;
	size_t len;
};

static void
port(void *arg, unsigned i, struct metrics_port *out)
{
	*out = (struct metrics_port){.device = i ? "net_\"x\\" : "eth1", .rx_packets = 100 + i, .rx_missed = 7 + i};
}

static int
setup(void **state)
{
	struct rig *r = aligned_alloc(CACHE_LINE, sizeof(*r));
	struct diag_list diag = {0};
	struct zones_plan *plan;
	memset(r, 0, sizeof(*r));
	fixture_enter();
	uv_loop_init(&r->loop);
	assert_int_equal(reclaim_start(1 << 20, NULL, NULL, &r->publisher.reclaim), 0);
	const struct zones_options o = {
		.loop = &r->loop, .publisher = &r->publisher, .root = &r->root, .builders = 1};
	assert_int_equal(zones_new(&o, &r->zones), 0);
	r->config =
		fixture_config("zones: [{name: 'a.test', file: a.zone}, {name: 'b\\\\.c.test', file: b.zone}]\n");
	assert_int_equal(zones_plan(r->zones, r->config, &plan), 0);
	zones_commit(r->zones, plan);
	assert_int_equal(tcp_open(r->config, &r->root, &diag, &r->tcp), 0);
	for (unsigned i = 0; i < 2; i++)
		r->worker[i] = (struct metrics_worker){.cpu = i ? -1 : 4, .counters = &r->udp[i]};
	r->workers = (struct metrics_workers){.workers = r->worker, .n = 2, .n_ports = 2, .port = port};
	*state = r;
	return 0;
}

static int
teardown(void **state)
{
	struct rig *r = *state;
	tcp_close(r->tcp);
	zones_stop(r->zones);
	while (!zones_are_idle(r->zones))
		uv_run(&r->loop, UV_RUN_ONCE);
	zones_free(r->zones);
	reclaim_stop(r->publisher.reclaim);
	uv_run(&r->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&r->loop), 0);
	config_free(r->config);
	free(r->text);
	free(r);
	fixture_leave();
	return 0;
}

static void
write_all(struct rig *r)
{
	const struct metrics_sources m = {.workers = &r->workers,
					  .tcp = r->tcp,
					  .zones = r->zones,
					  .publisher = &r->publisher,
					  .started_s = 1234};
	free(r->text);
	FILE *out = open_memstream(&r->text, &r->len);
	metrics_write(&m, out);
	for (unsigned family = 0; family < METRICS_ZONE_FAMILIES; family++)
		metrics_write_zones(r->zones, family, 0, zones_count(r->zones), out);
	fclose(out);
}

/* The text has this line. */
static void
assert_line(const struct rig *r, const char *line)
{
	char with_ends[256];
	snprintf(with_ends, sizeof(with_ends), "\n%s\n", line);
	if (!strstr(r->text, with_ends))
		fail_msg("no line `%s`", line);
}

static void
figures_are_summed_over_workers(void **state)
{
	struct rig *r = *state;
	for (unsigned i = 0; i < 2; i++) {
		r->udp[i].rx = 100;
		r->udp[i].tx = 80;
		r->udp[i].to_kernel = 5;
		r->udp[i].drop[DROP_SHORT] = 10 + i;
		r->udp[i].drop[DROP_TX_FULL] = 5 - i;
		r->udp[i].queries_v4 = 50;
		r->udp[i].queries_v6 = 30;
		r->udp[i].rcode[3] = 20;
		r->udp[i].qtype[28] = 9;
		r->udp[i].qtype[COUNTERS_TYPE_OTHER] = 1;
		r->udp[i].truncated = 2;
		r->udp[i].punted = 4;
		r->udp[i].punt_replies = 3;
	}
	write_all(r);
	assert_line(r, "anser_received_total{transport=\"udp\"} 200");
	assert_line(r, "anser_answered_total{transport=\"udp\"} 160");
	assert_line(r, "anser_to_kernel_total 10");
	assert_line(r, "anser_punted_total{transport=\"udp\"} 8");
	assert_line(r, "anser_punt_replies_total{transport=\"udp\"} 6");
	assert_line(r, "anser_dropped_total{reason=\"short\"} 21");
	assert_line(r, "anser_dropped_total{reason=\"tx_full\"} 9");
	assert_line(r, "anser_queries_total{transport=\"udp\",proto=\"ipv4\"} 100");
	assert_line(r, "anser_queries_total{transport=\"udp\",proto=\"ipv6\"} 60");
	assert_line(r, "anser_queries_total{transport=\"tcp\",proto=\"ipv4\"} 0");
	assert_line(r, "anser_queries_total{transport=\"tls\",proto=\"ipv6\"} 0");
	assert_line(r, "anser_received_total{transport=\"tls\"} 0");
	assert_line(r, "anser_tls_failed_total 0");
	assert_line(r, "anser_responses_total{rcode=\"NXDOMAIN\"} 40");
	assert_line(r, "anser_queries_by_type_total{type=\"AAAA\"} 18");
	assert_line(r, "anser_queries_by_type_total{type=\"other\"} 2");
	assert_line(r, "anser_truncated_total 4");
	assert_line(r, "anser_start_time_seconds 1234");
	assert_line(r, "anser_port_rx_missed_total{port=\"eth1\"} 7");
	assert_line(r, "anser_port_rx_missed_total{port=\"net_\\\"x\\\\\"} 8");
	assert_line(r, "anser_zones{state=\"loading\"} 2");
	assert_line(r, "anser_zones{state=\"ok\"} 0");
}

static void
busy_ratio_is_of_the_last_interval(void **state)
{
	struct rig *r = *state;
	r->udp[0].busy_cycles = 900;
	r->udp[0].total_cycles = 1000;
	metrics_sample(&r->workers);
	write_all(r);
	assert_line(r, "anser_worker_busy_ratio{core=\"4\"} 0.9000");
	r->udp[0].busy_cycles = 1000;
	r->udp[0].total_cycles = 2000;
	metrics_sample(&r->workers);
	write_all(r);
	assert_line(r, "anser_worker_busy_ratio{core=\"4\"} 0.1000");
	assert_line(r, "anser_worker_busy_ratio{core=\"1\"} 0.0000"); /* not pinned: its number */
}

static void
a_histogram_is_cumulative(void **state)
{
	struct rig *r = *state;
	r->publisher.times.bucket[0] = 3;
	r->publisher.times.bucket[2] = 2;
	r->publisher.times.bucket[PUBLISH_BUCKETS - 1] = 1;
	r->publisher.times.count = 6;
	r->publisher.times.sum_ns = 1500000000;
	write_all(r);
	assert_line(r, "anser_snapshot_publish_seconds_bucket{le=\"1e-05\"} 3");
	assert_line(r, "anser_snapshot_publish_seconds_bucket{le=\"0.0001\"} 3");
	assert_line(r, "anser_snapshot_publish_seconds_bucket{le=\"0.001\"} 5");
	assert_line(r, "anser_snapshot_publish_seconds_bucket{le=\"100\"} 5");
	assert_line(r, "anser_snapshot_publish_seconds_bucket{le=\"+Inf\"} 6");
	assert_line(r, "anser_snapshot_publish_seconds_sum 1.500000000");
	assert_line(r, "anser_snapshot_publish_seconds_count 6");
}

static void
done(void *arg, const struct zones_report *report)
{
	*(bool *)arg = true;
}

static void
served_zones_have_a_serial(void **state)
{
	struct rig *r = *state;
	struct zones_op *op;
	bool over = false;
	fixture_write_zone("b.zone", 4294967295u, "");
	assert_int_equal(zones_load_all(r->zones, done, &over, &op), 0);
	while (!over)
		uv_run(&r->loop, UV_RUN_ONCE);
	write_all(r);
	/* The label `b\` is `b\\` in a zone file, and each of the two is doubled once more in a label. */
	assert_line(r, "anser_zone_serial{zone=\"b\\\\\\\\.c.test.\"} 4294967295");
	assert_null(strstr(r->text, "zone=\"a.test.\"")); /* not served: no serial */
	assert_line(r, "anser_zones{state=\"ok\"} 1");
}

/* Each family is HELP, TYPE, samples; no family comes twice (exposition format 0.0.4). */
static void
every_sample_follows_its_family(void **state)
{
	struct rig *r = *state;
	char family[128] = "", seen[8192] = "\n", *save = NULL;
	write_all(r);
	for (char *line = strtok_r(r->text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char name[128], entry[140];
		if (sscanf(line, "# HELP %127s", name) == 1) {
			snprintf(family, sizeof(family), "%s", name);
			snprintf(entry, sizeof(entry), "\n%s\n", name);
			assert_null(strstr(seen, entry));
			strcat(seen, entry + 1);
		} else if (sscanf(line, "# TYPE %127s", name) == 1) {
			assert_string_equal(name, family);
		} else {
			assert_int_equal(strncmp(line, family, strlen(family)), 0);
			assert_non_null(strchr(line, ' '));
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(figures_are_summed_over_workers, setup, teardown),
		cmocka_unit_test_setup_teardown(busy_ratio_is_of_the_last_interval, setup, teardown),
		cmocka_unit_test_setup_teardown(a_histogram_is_cumulative, setup, teardown),
		cmocka_unit_test_setup_teardown(served_zones_have_a_serial, setup, teardown),
		cmocka_unit_test_setup_teardown(every_sample_follows_its_family, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
