/* SPDX-License-Identifier: Apache-2.0 */
/* The rig of turnbench. See rig.h. */
#include "bench/turn/rig.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <urcu-qsbr.h>

#include "bench/harness.h"
#include "dataplane/dataplane.h"
#include "dataplane/frame_private.h"
#include "zones/base/bytes.h"
#include "zones/wire/query.h"

#define MEMORY_BYTES (UINT64_C(256) << 20)
#define HEADERS_LEN (ETHERNET_LEN + IPV4_LEN + UDP_LEN)
#define SERVICE_PORT 53

static const uint8_t service_address[4] = {192, 0, 2, 53};

/* -------- loads -------- */

static const struct {
	const char *name;
	enum bench_zone_kind zone;
	enum bench_query_kind kind;
	uint16_t rcode;
	bool has_answer;
} kinds[] = {
	{"positive", BENCH_ZONE_FLAT, BENCH_ASK_NAME, RCODE_NOERROR, true},
	{"edns", BENCH_ZONE_FLAT, BENCH_ASK_EDNS, RCODE_NOERROR, true},
	{"cookie", BENCH_ZONE_FLAT, BENCH_ASK_COOKIE, RCODE_NOERROR, true},
	{"nxdomain", BENCH_ZONE_FLAT, BENCH_ASK_MISSING, RCODE_NXDOMAIN, false},
	{"referral", BENCH_ZONE_TLD, BENCH_ASK_BELOW, RCODE_NOERROR, false},
	{"signed", BENCH_ZONE_NSEC, BENCH_ASK_DNSSEC, RCODE_NOERROR, true},
	{"nxdomain_nsec", BENCH_ZONE_NSEC, BENCH_ASK_MISSING_DNSSEC, RCODE_NXDOMAIN, false},
	{"nxdomain_nsec3", BENCH_ZONE_NSEC3, BENCH_ASK_MISSING_DNSSEC, RCODE_NXDOMAIN, false},
};

int
rig_load_make(struct rig_load *load, const char *text)
{
	const char *slash = strchr(text, '/');
	int64_t names = slash != NULL ? strtoll(slash + 1, NULL, 10) : 0;
	for (unsigned i = 0; names > 0 && i < ARRAY_LEN(kinds); i++) {
		if (strlen(kinds[i].name) != (size_t)(slash - text) ||
		    strncmp(kinds[i].name, text, (size_t)(slash - text)) != 0)
			continue;
		*load = (struct rig_load){.zone = kinds[i].zone,
					  .kind = kinds[i].kind,
					  .names = names,
					  .rcode = kinds[i].rcode,
					  .has_answer = kinds[i].has_answer};
		if (bench_zone(load->zone, names) == NULL)
			return -ENOMEM;
		return bench_queries_make(&load->queries, load->zone, load->kind, names);
	}
	return -EINVAL;
}

void
rig_load_free(struct rig_load *load)
{
	bench_queries_free(&load->queries);
}

void
rig_use(struct rig *rig, const struct rig_load *load)
{
	(void)!zone_root_publish(&rig->root, bench_zone(load->zone, load->names)->set);
	for (unsigned i = 0; i < rig->n_lanes; i++) {
		rig->lanes[i].load = load;
		rig->lanes[i].next = i * (BENCH_QUERIES / RIG_LANES_MAX);
	}
}

/* -------- opening -------- */

static int
workers_open(struct rig *rig, unsigned n, bool huge, struct diag_list *diag)
{
	rig->workers = aligned_alloc(CACHE_LINE, n * sizeof(struct worker));
	if (rig->workers == NULL)
		return -ENOMEM;
	memset(rig->workers, 0, n * sizeof(struct worker));
	for (unsigned i = 0; i < n; i++) {
		rig->workers[i].root = &rig->root;
		rig->workers[i].stop = &rig->stop;
		if ((rig->workers[i].punts = punts_new()) == NULL)
			return -ENOMEM;
	}
	struct sockaddr_storage listen = {.ss_family = AF_INET};
	struct sockaddr_in *v4 = (struct sockaddr_in *)&listen;
	v4->sin_port = htons(SERVICE_PORT);
	memcpy(&v4->sin_addr, service_address, sizeof(service_address));
	const struct dataplane_port_config port = {.device = "net_ring0"};
	const struct dataplane_config config = {.mode = DATAPLANE_DPDK,
						.ports = &port,
						.n_ports = 1,
						.memory_bytes = MEMORY_BYTES,
						.hugepages = huge ? DATAPLANE_HUGE_AUTO : DATAPLANE_HUGE_OFF,
						.listen = &listen,
						.n_listen = 1,
						.udp_payload = 1232,
						.root = &rig->root};
	return port_dpdk_driver.open(&config, rig->workers, n, diag, &rig->driver_state);
}

int
rig_open(struct rig *rig, unsigned n_lanes, bool huge, struct diag_list *diag)
{
	int err = workers_open(rig, n_lanes, huge, diag);
	if (err != 0)
		return err;
	rig->n_lanes = n_lanes;
	rig->pool = rte_pktmbuf_pool_create("turnbench", n_lanes * RIG_FRAMES, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE,
					    SOCKET_ID_ANY);
	for (unsigned i = 0; i < n_lanes; i++) {
		struct rig_lane *lane = &rig->lanes[i];
		lane->worker = &rig->workers[i];
		lane->queue = (struct dpdk_queue *)lane->worker->queues[0];
		if (rig->pool == NULL || rte_pktmbuf_alloc_bulk(rig->pool, lane->mbufs, RIG_FRAMES) != 0) {
			diag_add(diag, DIAG_ERROR, NULL, 0, 0, "turnbench: no memory for frames");
			return -ENOMEM;
		}
	}
	return 0;
}

void
rig_offload(struct rig *rig, bool by_port)
{
	for (unsigned i = 0; i < rig->n_lanes; i++) {
		rig->lanes[i].is_vouched_for = by_port;
		rig->lanes[i].queue->tx_offload = by_port;
	}
}

int
rig_cpu(unsigned i)
{
	static cpu_set_t allowed; /* as the process was started; a pinned thread no longer knows */
	if (CPU_COUNT(&allowed) == 0)
		(void)sched_getaffinity(0, sizeof(allowed), &allowed);
	/* From the last one down: the first has the machine's other work. */
	for (int cpu = CPU_SETSIZE - 1; cpu >= 0; cpu--) {
		if (CPU_ISSET(cpu, &allowed) && i-- == 0)
			return cpu;
	}
	return -1;
}

void
rig_thread_begin(struct rig *rig, unsigned i)
{
	cpu_set_t set;
	CPU_ZERO(&set);
	CPU_SET(rig_cpu(i), &set);
	(void)sched_setaffinity(0, sizeof(set), &set);
	port_dpdk_driver.thread_begin(rig->driver_state);
	urcu_qsbr_register_thread();
}

void
rig_thread_end(void)
{
	urcu_qsbr_unregister_thread();
	port_dpdk_driver.thread_end(NULL);
}

/* -------- frames -------- */

/* Ethernet, IPv4 and UDP from 198.51.100.N around a query, with right checksums. */
static void
write_headers(uint8_t *frame, const uint8_t mac[6], uint32_t i, uint32_t payload_len)
{
	static const uint8_t peer_mac[6] = {0x02, 0, 0, 0, 0, 0x02};
	uint8_t *ip = frame + ETHERNET_LEN, *udp = ip + IPV4_LEN;
	uint32_t udp_len = UDP_LEN + payload_len;
	memcpy(frame, mac, MAC_LEN);
	memcpy(frame + MAC_LEN, peer_mac, MAC_LEN);
	store_be16(frame + 2 * MAC_LEN, TYPE_IPV4);
	store_be32(ip, 0x45000000 | (IPV4_LEN + udp_len));
	store_be32(ip + 4, 0);
	store_be32(ip + 8, (uint32_t)REPLY_HOPS << 24 | PROTO_UDP << 16);
	store_be32(ip + 12, 0xc6336400 | (i & 0xff));
	memcpy(ip + 16, service_address, sizeof(service_address));
	checksum_store(ip + 10, (uint16_t)~checksum_fold(checksum_sum(ip, IPV4_LEN)));
	store_be16(udp, (uint16_t)(1024 + i % 60000));
	store_be16(udp + 2, SERVICE_PORT);
	store_be16(udp + 4, (uint16_t)udp_len);
	store_be16(udp + 6, 0);
	uint64_t sum = checksum_pseudo(ip, false, PROTO_UDP, udp_len) + checksum_sum(udp, udp_len);
	checksum_store(udp + 6, (uint16_t)~checksum_fold(sum));
}

static void
write_query(struct rig_lane *lane, struct rte_mbuf *m)
{
	uint32_t i = lane->next++ % BENCH_QUERIES, len = lane->load->queries.lens[i];
	rte_pktmbuf_reset(m);
	uint8_t *frame = rte_pktmbuf_mtod(m, uint8_t *);
	memcpy(frame + HEADERS_LEN, lane->load->queries.at[i], len);
	write_headers(frame, lane->queue->local->mac, i, len);
	m->data_len = (uint16_t)(HEADERS_LEN + len);
	m->pkt_len = HEADERS_LEN + len;
	if (lane->is_vouched_for)
		m->ol_flags = RTE_MBUF_F_RX_IP_CKSUM_GOOD | RTE_MBUF_F_RX_L4_CKSUM_GOOD;
}

void
rig_fill(struct rig_lane *lane)
{
	for (unsigned i = 0; i < RIG_FRAMES; i++)
		write_query(lane, lane->mbufs[i]);
	if (rte_eth_tx_burst(lane->queue->port_id, lane->queue->queue_id, lane->mbufs, RIG_FRAMES) != RIG_FRAMES)
		abort(); /* a ring holds twice as many */
}

static bool
is_right_answer(const struct rig_lane *lane, const struct rte_mbuf *m)
{
	const uint8_t *msg = rte_pktmbuf_mtod(m, const uint8_t *) + HEADERS_LEN;
	uint16_t flags = load_be16(msg + 2), records = load_be16(msg + (lane->load->has_answer ? 6 : 8));
	return (flags & FLAG_QR) && !(flags & FLAG_TC) && (flags & 15) == lane->load->rcode && records != 0;
}

unsigned
rig_drain(struct rig_lane *lane)
{
	unsigned taken = 0, right = 0;
	for (unsigned n; taken < RIG_FRAMES; taken += n) {
		n = rte_eth_rx_burst(lane->queue->port_id, lane->queue->queue_id, lane->mbufs + taken,
				     (uint16_t)(RIG_FRAMES - taken));
		if (n == 0)
			abort(); /* the worker has freed frames: it found no answer */
	}
	for (unsigned i = 0; i < RIG_FRAMES; i++)
		right += is_right_answer(lane, lane->mbufs[i]);
	return right;
}

/* -------- turns -------- */

uint64_t
rig_turn(struct rig_lane *lane)
{
	uint64_t start = bench_cycles();
	worker_turn(lane->worker);
	return bench_cycles() - start;
}

/* As app/test-pmd/macswap.c has it: the next frame is prefetched, addresses change places, offloads are set. */
uint64_t
rig_macswap(struct rig_lane *lane)
{
	const struct dpdk_queue *q = lane->queue;
	struct rte_mbuf *mbufs[PORT_BURST];
	uint64_t start = bench_cycles();
	uint16_t n = rte_eth_rx_burst(q->port_id, q->queue_id, mbufs, PORT_BURST);
	for (uint16_t i = 0; i < n; i++) {
		if (i + 1 < n)
			prefetch(rte_pktmbuf_mtod(mbufs[i + 1], const void *));
		mac_swap(rte_pktmbuf_mtod(mbufs[i], uint8_t *));
		mbufs[i]->ol_flags = 0;
		mbufs[i]->l2_len = ETHERNET_LEN;
		mbufs[i]->l3_len = IPV4_LEN;
	}
	uint16_t sent = rte_eth_tx_burst(q->port_id, q->queue_id, mbufs, n);
	uint64_t spent = bench_cycles() - start;
	if (sent != PORT_BURST)
		abort();
	return spent;
}
