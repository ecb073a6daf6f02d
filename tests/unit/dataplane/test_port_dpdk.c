/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DPDK ports, without privileges: a net_pcap device reads its frames from one file and writes what it is to send to
 * another. What comes out is checked with code of the tests' own, and every frame must be found in one counter.
 */
#include "tests/unit/dataplane/dataplane_fixture.h"
#include "tests/unit/dataplane/frame_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { FRAMES_MAX = 128, FRAME_CAP = 4096, VLAN_LEN = 4, OPTIONS_LEN = 8 };

struct frame_bytes {
	uint32_t len;
	uint8_t data[FRAME_CAP];
};

static const uint8_t client_mac[6] = {0x02, 0xc1, 0, 0, 0, 1};
static uint8_t port_mac[6] = {0x02, 'p', 'c', 'a', 'p', 0}; /* net_pcap counts up the last octet with each device */
static struct zone_root root;
static char dir[] = "/tmp/anser_test_XXXXXX";
static char rx_path[64], tx_path[64], device[256];

/* -------- capture files -------- */

static void
pcap_write(const struct frame_bytes *frames, unsigned n)
{
	static const uint32_t head[6] = {0xa1b2c3d4, 2 | 4 << 16, 0, 0, 65535, 1};
	FILE *f = fopen(rx_path, "wb");
	assert_non_null(f);
	fwrite(head, sizeof(head), 1, f);
	for (unsigned i = 0; i < n; i++) {
		uint32_t record[4] = {0, i, frames[i].len, frames[i].len};
		fwrite(record, sizeof(record), 1, f);
		fwrite(frames[i].data, frames[i].len, 1, f);
	}
	assert_int_equal(fclose(f), 0);
}

static unsigned
pcap_read(struct frame_bytes *frames, unsigned cap)
{
	uint32_t head[6], record[4];
	unsigned n = 0;
	FILE *f = fopen(tx_path, "rb");
	assert_non_null(f);
	assert_int_equal(fread(head, sizeof(head), 1, f), 1);
	for (; fread(record, sizeof(record), 1, f) == 1; n++) {
		assert_true(n < cap && record[2] <= FRAME_CAP);
		frames[n].len = record[2];
		assert_int_equal(fread(frames[n].data, record[2], 1, f), 1);
	}
	fclose(f);
	return n;
}

/* -------- frames -------- */

/* A query in Ethernet, with a VLAN tag or IPv4 options if wanted. ARCOUNT asks the engine for so much padding. */
static struct frame_bytes
make_query(uint16_t id, bool v6, bool tagged, bool options, uint16_t pad)
{
	struct frame_bytes f = {0};
	uint8_t *p = f.data;
	memcpy(p, port_mac, 6);
	memcpy(p + 6, client_mac, 6);
	p += 12;
	if (tagged) {
		fixture_put16(p, 0x8100);
		fixture_put16(p + 2, 42);
		p += VLAN_LEN;
	}
	fixture_put16(p, v6 ? 0x86dd : 0x0800);
	p += 2;
	uint32_t header = v6 ? 40 : options ? 20 + OPTIONS_LEN : 20;
	if (v6) {
		p[0] = 0x60;
		fixture_put16(p + 4, 8 + 12);
		p[6] = 17;
		p[7] = 64;
		inet_pton(AF_INET6, "2001:db8::c", p + 8);
		inet_pton(AF_INET6, "2001:db8::53", p + 24);
	} else {
		p[0] = (uint8_t)(0x40 | header / 4);
		fixture_put16(p + 2, header + 8 + 12);
		p[8] = 64;
		p[9] = 17;
		memcpy(p + 12, (const uint8_t[]){192, 0, 2, 7, 192, 0, 2, 53}, 8);
		if (options)
			memset(p + 20, 1, OPTIONS_LEN); /* no-operation */
	}
	p += header;
	fixture_put16(p, 0x4000u + id);
	fixture_put16(p + 2, 53);
	fixture_put16(p + 4, 8 + 12);
	fixture_query(p + 8, 12, id, 0, pad);
	f.len = (uint32_t)(p + 20 - f.data);
	fixture_repair(f.data, f.len);
	return f;
}

static void
assert_answers(const struct frame_bytes *query, const struct frame_bytes *answer, uint16_t pad, bool options)
{
	uint32_t type = 0, l3 = fixture_l3(answer->data, answer->len, &type), header = type == 0x86dd ? 40 : 20;
	const uint8_t *q = query->data, *a = answer->data, *ip = a + l3, *udp = ip + header;
	assert_int_equal(answer->len, query->len + pad - (options ? OPTIONS_LEN : 0));
	assert_memory_equal(a, client_mac, 6);
	assert_memory_equal(a + 6, port_mac, 6);
	assert_memory_equal(a + 12, q + 12, l3 - 12); /* tag and type */
	uint32_t addresses = header == 40 ? 8 : 12, address_len = header == 40 ? 16 : 4;
	assert_memory_equal(ip + addresses, q + l3 + addresses + address_len, address_len);
	assert_memory_equal(ip + addresses + address_len, q + l3 + addresses, address_len);
	const uint8_t *query_udp = q + l3 + header + (options ? OPTIONS_LEN : 0);
	assert_memory_equal(udp, query_udp + 2, 2);
	assert_memory_equal(udp + 2, query_udp, 2);
	assert_int_equal(fixture_u16(udp + 4), 8 + 12 + pad);
	assert_int_equal(fixture_upper_sum(ip, udp, 20u + pad, 17), 0xffff);
	if (header == 20)
		assert_int_equal(fixture_sum(0, ip, 20), 0xffff);
	assert_memory_equal(udp + 8, query_udp + 8, 2);
	assert_int_equal(udp[8 + 2], 0x80);
	for (unsigned i = 0; i < pad; i++)
		assert_int_equal(udp[20 + i], FIXTURE_PAD);
}

static struct frame_bytes
make_arp(const uint8_t asked[4])
{
	struct frame_bytes f = {.len = 60};
	memset(f.data, 0xff, 6);
	memcpy(f.data + 6, client_mac, 6);
	memcpy(f.data + 12, (const uint8_t[]){0x08, 0x06, 0, 1, 8, 0, 6, 4, 0, 1}, 10);
	memcpy(f.data + 22, client_mac, 6);
	memcpy(f.data + 28, (const uint8_t[]){192, 0, 2, 7}, 4);
	memcpy(f.data + 38, asked, 4);
	return f;
}

/* -------- dataplane -------- */

static struct dataplane_config
make_config(const struct dataplane_port_config *ports, const struct sockaddr_storage *listen, unsigned n_listen)
{
	return (struct dataplane_config){
		.mode = DATAPLANE_DPDK,
		.ports = ports,
		.n_ports = 1,
		.memory_bytes = 64 << 20,
		.hugepages = DATAPLANE_HUGE_OFF,
		.listen = listen,
		.n_listen = n_listen,
		.udp_payload = 1232,
		.root = &root,
	};
}

/* Serves the frames to the end of the file and returns what was sent; *sum gets the worker's counters. */
static unsigned
serve(const struct frame_bytes *frames, unsigned n, struct frame_bytes *sent, struct counters *sum)
{
	struct dataplane_port_config port = {.device = device};
	struct sockaddr_storage listen[2] = {fixture_address("192.0.2.53", 53),
					     fixture_address("2001:db8::53", 53)};
	struct dataplane_config config = make_config(&port, listen, 2);
	struct diag_list diag = {0};
	struct dataplane *dp = NULL;
	pcap_write(frames, n);
	int err = dataplane_open(&config, &diag, &dp);
	diag_print(&diag, stdout);
	diag_clear(&diag);
	assert_int_equal(err, 0);

	struct fixture_worker worker;
	fixture_start(&worker, dp, 0);
	const struct counters *c = dataplane_worker_counters(dp, 0);
	for (unsigned ms = 0; counter_read(&c->rx) < n && ms < 5000; ms++)
		usleep(1000);
	dataplane_stop(dp);
	pthread_join(worker.thread, NULL);
	*sum = *c;
	struct dataplane_port_stats stats;
	dataplane_port_stats(dp, 0, &stats);
	assert_string_equal(stats.device, device);
	assert_int_equal(stats.rx_packets, n);
	assert_int_equal(stats.tx_packets, sum->tx);
	dataplane_close(dp);
	assert_int_equal(sum->rx, n);
	fixture_assert_accounted(sum);
	return pcap_read(sent, FRAMES_MAX);
}

static void
queries_are_answered_in_place(void **state)
{
	static struct frame_bytes queries[75], answers[FRAMES_MAX];
	struct counters sum;
	for (unsigned i = 0; i < 75; i++)
		queries[i] = make_query((uint16_t)i, i % 3 == 1, i % 5 == 2, i % 3 == 2, (uint16_t)(i * 16));
	assert_int_equal(serve(queries, 75, answers, &sum), 75);
	for (unsigned i = 0; i < 75; i++)
		assert_answers(&queries[i], &answers[i], (uint16_t)(i * 16), i % 3 == 2);
	assert_int_equal(sum.tx, 75);
	assert_int_equal(sum.queries_v4, 50);
	assert_int_equal(sum.queries_v6, 25);
	static const uint8_t client[16] = {192, 0, 2, 7};
	assert_memory_equal(fixture_last_client.address, client, 16);
}

static void
answers_keep_to_udp_payload(void **state)
{
	static struct frame_bytes query, answers[FRAMES_MAX];
	struct counters sum;
	query = make_query(1, false, false, false, 9999);
	assert_int_equal(serve(&query, 1, answers, &sum), 1);
	assert_int_equal(fixture_last_cap, 1232);
	assert_answers(&query, &answers[0], 1232 - 12, false);
}

/* One of everything that is no query; what becomes of each is in exactly one counter. */
static void
other_frames_are_accounted(void **state)
{
	static struct frame_bytes f[16], sent[FRAMES_MAX];
	unsigned n = 0;
	struct counters sum;
	f[n] = make_query(1, false, false, false, 0);
	f[n++].data[14 + 20 + 6] ^= 1; /* UDP checksum */
	f[n] = make_query(2, false, false, false, 0);
	f[n++].data[14 + 10] ^= 1; /* IPv4 checksum */
	f[n] = make_query(3, false, false, false, 0);
	f[n].data[14 + 6] = 0x20; /* more fragments */
	fixture_repair(f[n].data, f[n].len);
	n++;
	f[n] = make_query(4, false, false, false, 0);
	f[n].data[14 + 20 + 3] = 54; /* not our port */
	fixture_repair(f[n].data, f[n].len);
	n++;
	f[n] = make_query(5, true, false, false, 0);
	fixture_put16(f[n].data + 14 + 40, 0); /* source port 0 */
	fixture_repair(f[n].data, f[n].len);
	n++;
	f[n] = make_query(6, false, false, false, 0);
	f[n].data[14 + 28 + 2] = 0x80; /* a response */
	fixture_repair(f[n].data, f[n].len);
	n++;
	f[n] = make_query(7, false, false, false, 0);
	f[n++].len = 30; /* cut short in the IPv4 header */
	f[n] = make_query(8, false, false, false, 0);
	f[n++].len = 3000;                                   /* larger than one buffer */
	f[n++] = make_arp((const uint8_t[]){192, 0, 2, 53}); /* ours: answered */
	f[n++] = make_arp((const uint8_t[]){192, 0, 2, 99}); /* somebody else's */
	f[n++] = make_query(9, false, false, false, 4);      /* and one good query behind them all */

	assert_int_equal(serve(f, n, sent, &sum), 2);
	assert_int_equal(sum.tx, 2);
	assert_int_equal(sum.to_kernel, 0);
	assert_int_equal(sum.drop[DROP_UDP_CHECKSUM], 1);
	assert_int_equal(sum.drop[DROP_IP_CHECKSUM], 1);
	assert_int_equal(sum.drop[DROP_IP_FRAGMENT], 1);
	assert_int_equal(sum.drop[DROP_FRAME_NOT_OURS], 1);
	assert_int_equal(sum.drop[DROP_SOURCE_BOGUS], 1);
	assert_int_equal(sum.drop[DROP_RESPONSE], 1);
	assert_int_equal(sum.drop[DROP_FRAME_MALFORMED], 2);
	assert_int_equal(sum.drop[DROP_NEIGHBOUR], 1);
	static const uint8_t arp_reply[] = {0, 1, 8, 0, 6, 4, 0, 2};
	assert_memory_equal(sent[0].data, client_mac, 6);
	assert_memory_equal(sent[0].data + 14, arp_reply, sizeof(arp_reply));
	assert_memory_equal(sent[0].data + 22, port_mac, 6);
	assert_answers(&f[n - 1], &sent[1], 4, false);
}

/* -------- faults -------- */

static void
opening_refuses(const struct dataplane_config *config, const char *text)
{
	struct diag_list diag = {0};
	struct dataplane *dp = NULL;
	assert_true(dataplane_open(config, &diag, &dp) < 0);
	assert_null(dp);
	assert_true(diag.n_errors > 0);
	if (strstr(diag.items[0].message, text) == NULL)
		fail_msg("\"%s\" is not in: %s", text, diag.items[0].message);
	diag_clear(&diag);
}

static void
faults_name_cause_and_cure(void **state)
{
	struct sockaddr_storage listen = fixture_address("127.0.0.1", 5399), any = fixture_address("::", 53);
	struct dataplane_port_config port = {.device = "net_nonsense0,a=b"};
	struct dataplane_config config = make_config(&port, &listen, 1);
	opening_refuses(&config, "net_nonsense0");
	port.device = "lo";
	opening_refuses(&config, "af_xdp or af_packet");
	port.device = "net_null0";
	port.exception = DATAPLANE_EXCEPTION_KERNEL;
	opening_refuses(&config, "exception: tap");
	port.exception = DATAPLANE_EXCEPTION_AUTO;
	config.memory_bytes = 4 << 20;
	opening_refuses(&config, "memory is too small");
	config = make_config(&port, &any, 1);
	opening_refuses(&config, "wildcard");
	config = make_config(&port, &listen, 1);
	config.n_ports = 0;
	opening_refuses(&config, "at least one port");
	config = make_config(&port, &listen, 1);
	config.mode = DATAPLANE_AF_XDP;
	port.device = "nosuchdev0";
	opening_refuses(&config, "no such interface");
	config.mode = DATAPLANE_AF_PACKET;
	opening_refuses(&config, "no such interface");
}

/* DPDK's own words go into diagnostics, never to the terminal. */
static void
nothing_is_printed(void **state)
{
	static struct frame_bytes query, answers[FRAMES_MAX];
	struct counters sum;
	char path[64];
	snprintf(path, sizeof(path), "%s/stderr", dir);
	fflush(stderr);
	int saved = dup(STDERR_FILENO), fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	dup2(fd, STDERR_FILENO);
	query = make_query(1, false, false, false, 0);
	unsigned n = serve(&query, 1, answers, &sum);
	fflush(stderr);
	dup2(saved, STDERR_FILENO);
	off_t printed = lseek(fd, 0, SEEK_END);
	close(saved);
	close(fd);
	unlink(path);
	assert_int_equal(n, 1);
	assert_int_equal(printed, 0);
}

/* Each test has a new device. */
static int
next_mac(void **state)
{
	port_mac[5]++;
	return 0;
}

static int
setup(void **state)
{
	if (mkdtemp(dir) == NULL)
		return -1;
	snprintf(rx_path, sizeof(rx_path), "%s/rx.pcap", dir);
	snprintf(tx_path, sizeof(tx_path), "%s/tx.pcap", dir);
	snprintf(device, sizeof(device), "net_pcap0,rx_pcap=%s,tx_pcap=%s", rx_path, tx_path);
	return 0;
}

static int
teardown(void **state)
{
	unlink(rx_path);
	unlink(tx_path);
	return rmdir(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(nothing_is_printed, next_mac), /* first: it starts DPDK */
		cmocka_unit_test_teardown(queries_are_answered_in_place, next_mac),
		cmocka_unit_test_teardown(answers_keep_to_udp_payload, next_mac),
		cmocka_unit_test_teardown(other_frames_are_accounted, next_mac),
		cmocka_unit_test(faults_name_cause_and_cure),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
