/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A DPDK port of another kind: net_ring, whose receiving end is its own sending end. A query put into the ring is
 * answered into the ring, comes around once more, and is then no query of ours: one turn of each sort, all of it
 * counted. Control answers a part of them.
 */
#include "tests/unit/dataplane/dataplane_fixture.h"
#include "tests/unit/dataplane/frame_fixture.h"

#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <stdlib.h>
#include <unistd.h>

#define QUERIES 40 /* more than a burst */
#define PUNTS 10   /* of them, for control */

static struct zone_root root;

/* Ethernet, IPv4, UDP to 192.0.2.53 port 53, a DNS header; for the port's own MAC. */
static uint8_t *
make_query(uint16_t port, uint32_t *len)
{
	uint8_t *frame = fixture_hex("000000000000"
				     "02c100000001"
				     "0800"
				     "4500002800000000401100000102030405060708"
				     "9c40003500140000"
				     "123400000001000000000000",
				     len);
	static const uint8_t from_to[8] = {192, 0, 2, 7, 192, 0, 2, 53};
	struct rte_ether_addr mac;
	assert_int_equal(rte_eth_macaddr_get(port, &mac), 0);
	memcpy(frame, mac.addr_bytes, 6);
	memcpy(frame + 26, from_to, sizeof(from_to));
	fixture_repair(frame, *len);
	return frame;
}

static void
put_into_ring(uint16_t port)
{
	struct rte_mempool *pool = rte_pktmbuf_pool_create("ring test", 127, 0, 0, 2048, SOCKET_ID_ANY);
	assert_non_null(pool);
	uint32_t len;
	uint8_t *query = make_query(port, &len);
	for (unsigned i = 0; i < QUERIES; i++) {
		struct rte_mbuf *m = rte_pktmbuf_alloc(pool);
		assert_non_null(m);
		uint8_t *data = memcpy(rte_pktmbuf_append(m, (uint16_t)len), query, len);
		if (i % 4 == 0) {
			data[len - 10] = FIXTURE_NOTIFY;
			fixture_repair(data, len);
		}
		assert_int_equal(rte_eth_tx_burst(port, 0, &m, 1), 1);
	}
	free(query);
}

/* As control would, with replies that are longer than the queries were. */
static void
answer_punts(struct dataplane *dp)
{
	unsigned n = 0;
	for (unsigned ms = 0; n < PUNTS && ms < 5000; ms++) {
		struct dataplane_punt p;
		uint8_t reply[300] = {0};
		for (; dataplane_punt_next(dp, 0, &p); n++) {
			memcpy(reply, p.msg, p.len);
			reply[2] |= 0x80;
			dataplane_punt_end(dp, 0, p.id, reply, sizeof(reply));
		}
		usleep(1000);
	}
	assert_int_equal(n, PUNTS);
}

static void
queries_go_around(void **state)
{
	struct dataplane_port_config port_config = {.device = "net_ring0"};
	struct sockaddr_storage listen = fixture_address("192.0.2.53", 53);
	struct dataplane_config config = {.mode = DATAPLANE_DPDK,
					  .ports = &port_config,
					  .n_ports = 1,
					  .memory_bytes = 64 << 20,
					  .hugepages = DATAPLANE_HUGE_OFF,
					  .listen = &listen,
					  .n_listen = 1,
					  .udp_payload = 1232,
					  .root = &root};
	struct diag_list diag = {0};
	struct dataplane *dp = NULL;
	int err = dataplane_open(&config, &diag, &dp);
	diag_print(&diag, stdout);
	diag_clear(&diag);
	assert_int_equal(err, 0);

	uint16_t port;
	assert_int_equal(rte_eth_dev_get_port_by_name("net_ring0", &port), 0);
	put_into_ring(port);
	struct fixture_worker worker;
	fixture_start(&worker, dp, 0);
	const struct counters *c = dataplane_worker_counters(dp, 0);
	answer_punts(dp);
	for (unsigned ms = 0; counter_read(&c->rx) < 2 * QUERIES && ms < 5000; ms++)
		usleep(1000);
	dataplane_stop(dp);
	pthread_join(worker.thread, NULL);

	assert_int_equal(c->rx, 2 * QUERIES);
	assert_int_equal(c->tx, QUERIES);
	assert_int_equal(c->queries_v4, QUERIES);
	assert_int_equal(c->punt_replies, PUNTS);
	/* All came around as frames for somebody else. */
	assert_int_equal(c->drop[DROP_FRAME_NOT_OURS], QUERIES);
	fixture_assert_accounted(c);
	dataplane_close(dp);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(queries_go_around)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
