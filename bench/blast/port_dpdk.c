/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opening DPDK ports for the load, on the main thread.
 *
 *   af_xdp     vdev on an interface; the XDP filter takes what comes from the server's address and port, the kernel
 *              keeps everything else
 *   af_packet  vdev on an interface; the kernel sees a copy of every packet
 *   dpdk       PCI device or vdev as given; no kernel behind it, so that we ask and answer for MACs ourselves
 */
#include "bench/blast/port_dpdk.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <rte_eal.h>
#include <rte_errno.h>

#include "bench/blast/ask_mac.h"
#include "bench/blast/route.h"
#include "dataplane/eal.h"
#include "dataplane/interface.h"
#include "dataplane/xdp.h"

#define DESCRIPTORS 1024
#define DESCRIPTORS_AF_XDP 2048 /* what its umem rings are made for */
#define BUFFERS 8191            /* a queue: full rings, bursts and caches */
#define BUFFERS_CACHE 256
#define MEMORY_BASE_MIB 128 /* what DPDK needs, and a queue: a page for each buffer, and some more */
#define MEMORY_QUEUE_MIB 48

#define LINK_TRIES 200 /* until the link is up, or somebody answers for the server's MAC */
#define ASK_EVERY 10
#define TRY_NS 50000000

/* Addresses of the benchmarking ranges (RFC 2544, RFC 5180), where no kernel gives us one. */
static const uint8_t default_v4[4] = {198, 18, 0, 1};
static const uint8_t default_v6[16] = {0x20, 0x01, 0, 2, [15] = 1};

static bool
has_kernel(const struct load_port_config *c)
{
	return c->mode != LOAD_DPDK;
}

static void
take_a_moment(void)
{
	nanosleep(&(struct timespec){.tv_nsec = TRY_NS}, NULL);
}

/* -------- device -------- */

static int
eal_begin(const struct load_port_config *c, unsigned n_queues, struct diag_list *diag)
{
	struct dataplane_port_config port = {.device = c->device};
	struct dataplane_config config = {
		.mode = c->mode == LOAD_DPDK ? DATAPLANE_DPDK : DATAPLANE_AF_XDP,
		.ports = &port,
		.n_ports = 1,
		.memory_bytes = (uint64_t)(MEMORY_BASE_MIB + MEMORY_QUEUE_MIB * n_queues) << 20,
		.hugepages = DATAPLANE_HUGE_AUTO,
	};
	return eal_start(&config, diag);
}

static void
vdev_describe(const struct load_port_config *c, struct dpdk_port *p, unsigned n_queues, char *args, size_t cap)
{
	const char *comma = strchr(c->device, ',');
	switch (c->mode) {
	case LOAD_AF_XDP:
		/* without a budget for busy polling, looking into an empty ring costs no system call */
		snprintf(p->name, sizeof(p->name), "net_af_xdp0");
		snprintf(args, cap, "iface=%s,start_queue=0,queue_count=%u,busy_budget=0,xdp_prog=%s", c->device,
			 n_queues, xdp_filter_path(p->xdp));
		return;
	case LOAD_AF_PACKET:
		snprintf(p->name, sizeof(p->name), "net_af_packet0");
		snprintf(args, cap, "iface=%s,qpairs=%u", c->device, n_queues);
		return;
	case LOAD_UDP:
	case LOAD_DPDK:
		break;
	}
	snprintf(p->name, sizeof(p->name), "%.*s", comma ? (int)(comma - c->device) : (int)strlen(c->device),
		 c->device);
	snprintf(args, cap, "%s", comma ? comma + 1 : "");
}

static int
device_probe(const struct load_port_config *c, struct dpdk_port *p, unsigned n_queues, struct diag_list *diag)
{
	char args[512];
	vdev_describe(c, p, n_queues, args, sizeof(args));
	if (rte_eth_dev_get_port_by_name(p->name, &p->port_id) == 0)
		return 0;
	eal_log_clear();
	int err = eal_is_pci_address(c->device) ? -ENODEV : rte_eal_hotplug_add("vdev", p->name, args);
	if (err == 0) {
		p->probed = true;
		err = rte_eth_dev_get_port_by_name(p->name, &p->port_id);
	}
	if (err != 0)
		eal_log_report(diag, "port %s: DPDK cannot open it: %s", c->device, strerror(-err));
	return err;
}

/* -------- queues -------- */

static struct rte_eth_conf
port_conf(const struct rte_eth_dev_info *info, unsigned n_queues)
{
	const uint64_t rss = RTE_ETH_RSS_NONFRAG_IPV4_UDP | RTE_ETH_RSS_NONFRAG_IPV6_UDP;
	struct rte_eth_conf conf = {0};
	conf.txmode.offloads = info->tx_offload_capa & RTE_ETH_TX_OFFLOAD_MBUF_FAST_FREE;
	if (n_queues > 1 && (info->flow_type_rss_offloads & rss) != 0) {
		conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
		conf.rx_adv_conf.rss_conf.rss_hf = info->flow_type_rss_offloads & rss;
	}
	return conf;
}

static int
queue_setup(struct dpdk_port *p, const struct rte_eth_dev_info *info, const struct rte_eth_conf *conf, unsigned i,
	    const uint16_t descriptors[2])
{
	struct dpdk_queue *q = &p->queues[i];
	char name[RTE_MEMPOOL_NAMESIZE];
	unsigned socket = (unsigned)rte_eth_dev_socket_id(p->port_id);
	struct rte_eth_txconf txconf = info->default_txconf;
	txconf.offloads = conf->txmode.offloads;
	snprintf(name, sizeof(name), "blast_%u", i);
	q->pool = rte_pktmbuf_pool_create(name, BUFFERS, BUFFERS_CACHE, 0, RTE_MBUF_DEFAULT_BUF_SIZE, (int)socket);
	if (q->pool == NULL)
		return -rte_errno;
	*q = (struct dpdk_queue){
		.head.ops = &dpdk_load_ops,
		.frames = &p->frames,
		.local = p->local.answer_neighbours ? &p->local : NULL,
		.pool = q->pool,
		.port_id = p->port_id,
		.queue_id = (uint16_t)i,
	};
	int err = rte_eth_rx_queue_setup(p->port_id, (uint16_t)i, descriptors[0], socket, NULL, q->pool);
	return err != 0 ? err : rte_eth_tx_queue_setup(p->port_id, (uint16_t)i, descriptors[1], socket, &txconf);
}

static int
queues_setup(const struct load_port_config *c, struct dpdk_port *p, unsigned n, struct diag_list *diag)
{
	struct rte_eth_dev_info info;
	uint16_t descriptors[2];
	descriptors[0] = descriptors[1] = c->mode == LOAD_AF_XDP ? DESCRIPTORS_AF_XDP : DESCRIPTORS;
	p->queues = aligned_alloc(CACHE_LINE, n * sizeof(*p->queues));
	p->heads = calloc(n, sizeof(*p->heads));
	if (p->queues == NULL || p->heads == NULL)
		return -ENOMEM;
	memset(p->queues, 0, n * sizeof(*p->queues));
	p->head.n_queues = n;
	p->head.queues = p->heads;
	eal_log_clear();
	int err = rte_eth_dev_info_get(p->port_id, &info);
	if (err != 0)
		return err;
	struct rte_eth_conf conf = port_conf(&info, n);
	err = rte_eth_dev_configure(p->port_id, (uint16_t)n, (uint16_t)n, &conf);
	if (err == 0)
		err = rte_eth_dev_adjust_nb_rx_tx_desc(p->port_id, &descriptors[0], &descriptors[1]);
	for (unsigned i = 0; i < n && err == 0; i++) {
		p->heads[i] = &p->queues[i].head;
		err = queue_setup(p, &info, &conf, i, descriptors);
	}
	if (err == 0)
		err = rte_eth_dev_start(p->port_id);
	p->started = err == 0;
	if (err != 0)
		eal_log_report(diag, "port %s: its %u queues cannot be set up: %s", c->device, n, strerror(-err));
	return err;
}

/* -------- addresses -------- */

/* What the configuration leaves open, from the kernel or from our defaults. */
static int
find_addresses(const struct load_port_config *c, struct sources *sources, uint8_t mac[6], bool *knows_mac,
	       struct diag_list *diag)
{
	bool v6 = c->server.ss_family == AF_INET6;
	struct route route = {0};
	const uint8_t *source = c->has_source ? c->source : v6 ? default_v6 : default_v4;
	int err = 0;
	*knows_mac = c->has_gateway;
	memcpy(mac, c->gateway, 6);
	if (has_kernel(c) && !(c->has_source && c->has_gateway)) {
		err = route_find(c->device, &c->server, diag, &route);
		if (err == 0 && !c->has_gateway)
			err = route_find_mac(c->device, &c->server, &route, diag, mac);
		*knows_mac = true;
		if (!c->has_source)
			source = route.source;
	}
	return err != 0 ? err : sources_init(sources, v6, source, c->source_prefix_len, c->n_sources);
}

static const uint8_t *
server_address(const struct load_port_config *c, uint16_t *port)
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)&c->server;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&c->server;
	bool is_v6 = c->server.ss_family == AF_INET6;
	*port = ntohs(is_v6 ? v6->sin6_port : v4->sin_port);
	return is_v6 ? v6->sin6_addr.s6_addr : (const uint8_t *)&v4->sin_addr;
}

/* Our addresses, as far as they fit, so that we can tell their MAC. The port does not matter for that. */
static int
local_setup(struct dpdk_port *p, const struct sources *sources, const uint8_t *mac)
{
	uint32_t n = RTE_MIN(sources->n_addresses, (uint32_t)FRAME_SERVICES_MAX);
	int err = 0;
	memcpy(p->local.mac, mac, 6);
	p->local.answer_neighbours = true;
	for (uint32_t i = 0; i < n && err == 0; i++) {
		struct frame_service s = {.is_v6 = sources->is_v6, .port = SOURCES_PORT_FIRST};
		sources_address(sources, i, s.address);
		err = frame_local_add(&p->local, &s);
	}
	return err;
}

/* -------- asking for the MAC -------- */

static void
send_question(const struct dpdk_queue *q, const struct ask_mac *a)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(q->pool);
	if (m == NULL)
		return;
	uint32_t len = ask_mac_write(a, rte_pktmbuf_mtod(m, uint8_t *));
	m->data_len = (uint16_t)len;
	m->pkt_len = len;
	if (rte_eth_tx_burst(q->port_id, q->queue_id, &m, 1) != 1)
		rte_pktmbuf_free(m);
}

static bool
read_answers(const struct dpdk_queue *q, const struct ask_mac *a, uint8_t mac[6])
{
	struct rte_mbuf *mbufs[LOAD_BURST];
	bool found = false;
	unsigned n = rte_eth_rx_burst(q->port_id, q->queue_id, mbufs, LOAD_BURST);
	for (unsigned i = 0; i < n; i++)
		if (ask_mac_read(a, rte_pktmbuf_mtod(mbufs[i], const uint8_t *), mbufs[i]->data_len, mac))
			found = true;
	rte_pktmbuf_free_bulk(mbufs, n);
	return found;
}

/* The answer may come to any queue. */
static int
ask_for_mac(const struct dpdk_port *p, const struct sources *sources, const uint8_t *server, const uint8_t *own,
	    uint8_t mac[6])
{
	struct ask_mac a = {.is_v6 = sources->is_v6};
	memcpy(a.mac, own, 6);
	memcpy(a.server, server, sources->is_v6 ? 16 : 4);
	sources_address(sources, 0, a.source);
	for (unsigned i = 0; i < LINK_TRIES; i++) {
		if (i % ASK_EVERY == 0)
			send_question(&p->queues[0], &a);
		take_a_moment();
		for (unsigned k = 0; k < p->head.n_queues; k++)
			if (read_answers(&p->queues[k], &a, mac))
				return 0;
	}
	return -ETIMEDOUT;
}

static void
wait_for_link(uint16_t port_id)
{
	struct rte_eth_link link = {0};
	for (unsigned i = 0; i < LINK_TRIES; i++) {
		if (rte_eth_link_get_nowait(port_id, &link) == 0 && link.link_status == RTE_ETH_LINK_UP)
			return;
		take_a_moment();
	}
}

/* -------- all of it -------- */

static void
dpdk_close(struct load_port *head)
{
	struct dpdk_port *p = (struct dpdk_port *)head;
	xdp_filter_close(p->xdp);
	if (p->started)
		(void)rte_eth_dev_stop(p->port_id);
	if (p->probed)
		(void)rte_eal_hotplug_remove("vdev", p->name);
	else if (p->started)
		(void)rte_eth_dev_close(p->port_id);
	for (unsigned i = 0; p->queues != NULL && i < p->head.n_queues; i++)
		rte_mempool_free(p->queues[i].pool);
	free(p->queues);
	free(p->heads);
	free(p);
}

/* Registered threads have a cache of packet buffers. */
static void
dpdk_thread_begin(void)
{
	(void)rte_thread_register();
}

static void
dpdk_thread_end(void)
{
	rte_thread_unregister();
}

static const struct load_port_ops dpdk_ops = {
	.thread_begin = dpdk_thread_begin,
	.thread_end = dpdk_thread_end,
	.close = dpdk_close,
};

/* AF_XDP gets packets only of the queues that it has, so there it is all that the interface has. 0: too few. */
static unsigned
queues_wanted(const struct load_port_config *c, struct diag_list *diag)
{
	if (c->mode != LOAD_AF_XDP)
		return RTE_MAX(c->n_queues, c->n_threads);
	struct interface_queues has = interface_queues(c->device);
	unsigned n = c->n_queues != 0 && c->n_queues < has.combined ? c->n_queues : has.combined;
	if (n < has.total)
		diag_add(diag, DIAG_WARNING, NULL, 0, 0,
			 "port %s: it spreads packets over %u queues, but only %u are served, so replies may be "
			 "lost; "
			 "`ethtool -L` changes that",
			 c->device, has.total, n);
	if (n >= c->n_threads)
		return n;
	diag_add(diag, DIAG_ERROR, NULL, 0, 0, "port %s: each of the %u cores needs a queue, but AF_XDP has %u",
		 c->device, c->n_threads, n);
	return 0;
}

static int
port_start(const struct load_port_config *c, struct dpdk_port *p, struct diag_list *diag)
{
	struct sources sources;
	struct rte_ether_addr own;
	uint8_t hop[6];
	uint16_t server_port;
	bool knows_mac;
	unsigned n = queues_wanted(c, diag);
	const uint8_t *server = server_address(c, &server_port);
	int err = n == 0 ? -EINVAL : find_addresses(c, &sources, hop, &knows_mac, diag);
	if (err == 0 && c->mode == LOAD_AF_XDP)
		err = xdp_filter_open(c->device, XDP_FILTER_REPLIES, diag, &p->xdp);
	if (err == 0)
		err = eal_begin(c, n, diag);
	if (err == 0)
		err = device_probe(c, p, n, diag);
	if (err == 0)
		err = rte_eth_macaddr_get(p->port_id, &own);
	if (err == 0 && !has_kernel(c))
		err = local_setup(p, &sources, own.addr_bytes);
	if (err == 0)
		err = queues_setup(c, p, n, diag);
	if (err == 0 && p->xdp != NULL)
		err = xdp_filter_adopt(p->xdp, &c->server, 1, diag);
	if (err != 0)
		return err;
	wait_for_link(p->port_id);
	if (!knows_mac && ask_for_mac(p, &sources, server, own.addr_bytes, hop) != 0) {
		diag_add(diag, DIAG_ERROR, NULL, 0, 0,
			 "port %s: the server does not tell its MAC; --gateway tells it", c->device);
		return -ETIMEDOUT;
	}
	frames_init(&p->frames, &sources, server, server_port, own.addr_bytes, hop);
	p->frames.is_echo = c->is_echo;
	return 0;
}

int
port_dpdk_open(const struct load_port_config *c, struct diag_list *diag, struct load_port **out)
{
	int err = has_kernel(c) ? interface_check(c->device, diag) : 0;
	if (err != 0)
		return err;
	struct dpdk_port *p = calloc(1, sizeof(*p));
	if (p == NULL)
		return -ENOMEM;
	p->head.ops = &dpdk_ops;
	p->head.run = 1;
	err = port_start(c, p, diag);
	if (err != 0) {
		dpdk_close(&p->head);
		return err;
	}
	*out = &p->head;
	return 0;
}
