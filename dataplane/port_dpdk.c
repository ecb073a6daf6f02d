/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cold half of the DPDK ports: what the modes af_packet, af_xdp and dpdk open. Main thread.
 *
 *   af_packet   vdev on an interface; the kernel sees a copy of every packet, and a sink keeps it silent about
 * queries af_xdp      vdev on an interface; the XDP filter takes queries out of what the kernel gets dpdk PCI
 * devices and vdevs as given; the kernel has the rest by flow rules where the driver shares the NIC, else through a
 * TAP, or nothing at all
 */
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_errno.h>

#include "dataplane/dataplane.h"
#include "dataplane/dpdk.h"
#include "dataplane/eal.h"
#include "dataplane/exception.h"
#include "dataplane/flow.h"
#include "dataplane/interface.h"
#include "dataplane/sockets.h"
#include "dataplane/worker.h"
#include "dataplane/xdp.h"

#define DESCRIPTORS 1024
#define DESCRIPTORS_AF_XDP 2048 /* what its umem rings are made for */
#define POOL_CACHE 256
#define POOL_SPARE 1024                     /* buffers needed on top of full rings: bursts and caches */
#define POOL_MAX 16383                      /* more would only spread the same packets over more cache lines */
#define POOL_SHARE(bytes) ((bytes) / 4 * 3) /* the rest is for DPDK's own tables */

struct dpdk_state {
	enum dataplane_mode mode;
	unsigned n_ports;
	struct dpdk_port *ports;
	unsigned n_sinks;
	int *sinks;
};

/* -------- device -------- */

/* DPDK's name of port i, and the arguments that create it. */
static void
vdev_describe(const struct dataplane_config *config, unsigned i, struct dpdk_port *port, char *args, size_t cap)
{
	const char *device = port->device, *comma = strchr(device, ',');
	switch (config->mode) {
	case DATAPLANE_AF_XDP:
		snprintf(port->name, sizeof(port->name), "net_af_xdp%u", i);
		snprintf(args, cap, "iface=%s,start_queue=0,queue_count=%u,xdp_prog=%s", device, port->n_queues,
			 xdp_filter_path(port->xdp));
		return;
	case DATAPLANE_AF_PACKET:
		snprintf(port->name, sizeof(port->name), "net_af_packet%u", i);
		snprintf(args, cap, "iface=%s,qpairs=%u", device, port->n_queues);
		return;
	case DATAPLANE_DPDK:
	case DATAPLANE_KERNEL:
		snprintf(port->name, sizeof(port->name), "%.*s",
			 comma ? (int)(comma - device) : (int)strlen(device), device);
		snprintf(args, cap, "%s", comma ? comma + 1 : "");
		return;
	}
}

/* Finds the port under its name, or creates it. PCI devices were probed when the EAL started. */
static int
device_probe(const struct dataplane_config *config, unsigned i, struct dpdk_port *port, struct diag_list *diag)
{
	char args[512];
	vdev_describe(config, i, port, args, sizeof(args));
	if (rte_eth_dev_get_port_by_name(port->name, &port->port_id) == 0)
		return 0;
	if (config->mode == DATAPLANE_DPDK && eal_is_pci_address(port->device)) {
		eal_log_report(diag,
			       "port %s: DPDK sees no such PCI device; it must be bound to vfio-pci "
			       "(`dpdk-devbind.py --status`), unless its driver shares it with the kernel (mlx5)",
			       port->device);
		return -ENODEV;
	}
	eal_log_clear();
	int err = rte_eal_hotplug_add("vdev", port->name, args);
	if (err == 0)
		err = rte_eth_dev_get_port_by_name(port->name, &port->port_id);
	if (err == 0) {
		port->probed = true;
		return 0;
	}
	if (config->mode == DATAPLANE_DPDK && if_nametoindex(port->device) != 0)
		diag_add(diag, DIAG_ERROR, NULL, 0, 0,
			 "port %s: mode dpdk wants a PCI address or a vdev such as net_memif0; "
			 "for an interface take af_xdp or af_packet",
			 port->device);
	else
		eal_log_report(diag, "port %s: DPDK cannot open %s: %s", port->device, port->name, strerror(-err));
	return err;
}

/* -------- what is ours on the port -------- */

static int
local_add_services(struct frame_local *local, const struct dataplane_config *config, struct diag_list *diag)
{
	for (unsigned i = 0; i < config->n_listen; i++) {
		const struct sockaddr_storage *a = &config->listen[i];
		struct frame_service s = {.is_v6 = a->ss_family == AF_INET6};
		if (s.is_v6) {
			memcpy(s.address, &((const struct sockaddr_in6 *)a)->sin6_addr, 16);
			s.port = ntohs(((const struct sockaddr_in6 *)a)->sin6_port);
		} else {
			memcpy(s.address, &((const struct sockaddr_in *)a)->sin_addr, 4);
			s.port = ntohs(((const struct sockaddr_in *)a)->sin_port);
		}
		int err = frame_local_add(local, &s);
		if (err == 0)
			continue;
		sockets_report(diag, "listen", a, err);
		return err;
	}
	return 0;
}

/* Whose checksums are unfinished by design: what a local peer sent has none yet when the kernel shows it to us. */
static bool
driver_reads_behind_kernel(const char *driver)
{
	return strcmp(driver, "net_af_xdp") == 0 || strcmp(driver, "net_af_packet") == 0;
}

/* Left to us, a NIC goes the way that its driver offers, and a virtual device has no kernel behind it. */
static enum dpdk_kernel
kernel_part(const struct dataplane_config *config, unsigned i, const char *driver)
{
	if (config->mode != DATAPLANE_DPDK)
		return config->mode == DATAPLANE_AF_XDP ? DPDK_KERNEL_REST : DPDK_KERNEL_COPY;
	switch (config->ports[i].exception) {
	case DATAPLANE_EXCEPTION_KERNEL:
		return DPDK_KERNEL_REST;
	case DATAPLANE_EXCEPTION_TAP:
		return DPDK_KERNEL_TAP;
	case DATAPLANE_EXCEPTION_AUTO:
		break;
	}
	if (!eal_is_pci_address(config->ports[i].device))
		return DPDK_KERNEL_NONE;
	bool bifurcated = strstr(driver, "mlx5") != NULL || strstr(driver, "mlx4") != NULL;
	return bifurcated ? DPDK_KERNEL_REST : DPDK_KERNEL_TAP;
}

static int
exception_start(struct dpdk_port *port, unsigned i, struct diag_list *diag)
{
	char name[IF_NAMESIZE];
	int *fds = calloc(port->n_queues, sizeof(*fds));
	if (fds == NULL)
		return -ENOMEM;
	snprintf(name, sizeof(name), "anser-x%u", i);
	int err = exception_open(name, port->local.mac, port->queues[0].mtu, port->n_queues, fds, diag);
	if (err != 0) {
		free(fds);
		return err;
	}
	port->exception_fds = fds;
	for (unsigned k = 0; k < port->n_queues; k++)
		port->queues[k].exception_fd = fds[k];
	return 0;
}

static int
local_setup(struct dpdk_port *port, unsigned i, const struct rte_eth_dev_info *info,
	    const struct dataplane_config *config, struct diag_list *diag)
{
	struct rte_ether_addr mac;
	int err = rte_eth_macaddr_get(port->port_id, &mac);
	if (err != 0)
		return err;
	memcpy(port->local.mac, mac.addr_bytes, sizeof(port->local.mac));
	port->local.verify_checksums = !driver_reads_behind_kernel(info->driver_name);
	port->local.has_kernel = port->kernel == DPDK_KERNEL_TAP || port->kernel == DPDK_KERNEL_COPY;
	port->local.answer_neighbours = port->kernel == DPDK_KERNEL_NONE;
	err = local_add_services(&port->local, config, diag);
	if (err == 0 && port->kernel == DPDK_KERNEL_TAP)
		err = exception_start(port, i, diag);
	return err;
}

/* -------- queues -------- */

/* What a packet buffer takes up. Without huge pages DPDK lets none cross a page, so each has one for itself. */
static uint64_t
buffer_bytes(void)
{
	return rte_eal_has_hugepages() ? RTE_MBUF_DEFAULT_BUF_SIZE + sizeof(struct rte_mbuf) + 2 * CACHE_LINE
				       : 4096;
}

static unsigned
descriptors(const struct dataplane_config *config)
{
	return config->mode == DATAPLANE_AF_XDP ? DESCRIPTORS_AF_XDP : DESCRIPTORS;
}

/* Each port has an equal share of the memory, each queue an equal share of the port's. */
static int
pools_create(struct dpdk_port *port, const struct dataplane_config *config, struct diag_list *diag)
{
	uint64_t least = 2 * descriptors(config) + POOL_SPARE, queues = config->n_ports * port->n_queues;
	uint64_t share = POOL_SHARE(config->memory_bytes) / queues / buffer_bytes();
	unsigned n = (unsigned)RTE_MIN(share, (uint64_t)POOL_MAX);
	if (n < least) {
		diag_add(diag, DIAG_ERROR, NULL, 0, 0,
			 "dataplane: memory is too small for packet buffers; %u queues need %u MiB",
			 (unsigned)queues, (unsigned)((least * queues * buffer_bytes() / 3 * 4) >> 20) + 1);
		return -ENOMEM;
	}
	for (unsigned i = 0; i < port->n_queues; i++) {
		char name[RTE_MEMPOOL_NAMESIZE];
		snprintf(name, sizeof(name), "anser_%u_%u", port->port_id, i);
		eal_log_clear();
		port->queues[i].pool = rte_pktmbuf_pool_create(name, n, POOL_CACHE, 0, RTE_MBUF_DEFAULT_BUF_SIZE,
							       rte_eth_dev_socket_id(port->port_id));
		if (port->queues[i].pool == NULL) {
			eal_log_report(diag, "port %s: no memory for %u packet buffers", port->device, n);
			return -ENOMEM;
		}
	}
	return 0;
}

/* Clients are spread over queues by addresses and ports, so that one busy resolver does not pin one core. */
static struct rte_eth_conf
port_conf(const struct dpdk_port *port, const struct rte_eth_dev_info *info)
{
	const uint64_t rx_wanted = RTE_ETH_RX_OFFLOAD_IPV4_CKSUM | RTE_ETH_RX_OFFLOAD_UDP_CKSUM;
	const uint64_t tx_wanted = RTE_ETH_TX_OFFLOAD_IPV4_CKSUM | RTE_ETH_TX_OFFLOAD_UDP_CKSUM;
	const uint64_t rss_wanted = RTE_ETH_RSS_IPV4 | RTE_ETH_RSS_NONFRAG_IPV4_UDP | RTE_ETH_RSS_IPV6 |
				    RTE_ETH_RSS_NONFRAG_IPV6_UDP | RTE_ETH_RSS_IPV6_UDP_EX;
	struct rte_eth_conf conf = {0};
	if ((info->rx_offload_capa & rx_wanted) == rx_wanted)
		conf.rxmode.offloads |= rx_wanted;
	if ((info->tx_offload_capa & tx_wanted) == tx_wanted)
		conf.txmode.offloads |= tx_wanted;
	conf.txmode.offloads |= info->tx_offload_capa & RTE_ETH_TX_OFFLOAD_MBUF_FAST_FREE;
	uint64_t rss = info->flow_type_rss_offloads & rss_wanted;
	if (port->n_queues > 1 && rss != 0) {
		conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
		conf.rx_adv_conf.rss_conf.rss_hf = rss;
	}
	return conf;
}

static int
queues_setup(struct dpdk_port *port, const struct rte_eth_dev_info *info, const struct dataplane_config *config,
	     struct diag_list *diag)
{
	uint16_t n_rx = (uint16_t)descriptors(config), n_tx = n_rx, n = (uint16_t)port->n_queues;
	struct rte_eth_conf conf = port_conf(port, info);
	eal_log_clear();
	int err = rte_eth_dev_configure(port->port_id, n, n, &conf);
	if (err == 0)
		err = rte_eth_dev_adjust_nb_rx_tx_desc(port->port_id, &n_rx, &n_tx);
	struct rte_eth_txconf txconf = info->default_txconf;
	txconf.offloads = conf.txmode.offloads;
	int socket = rte_eth_dev_socket_id(port->port_id);
	for (uint16_t i = 0; err == 0 && i < n; i++) {
		port->queues[i].tx_offload = (conf.txmode.offloads & RTE_ETH_TX_OFFLOAD_UDP_CKSUM) != 0;
		err = rte_eth_rx_queue_setup(port->port_id, i, n_rx, (unsigned)socket, NULL, port->queues[i].pool);
		if (err == 0)
			err = rte_eth_tx_queue_setup(port->port_id, i, n_tx, (unsigned)socket, &txconf);
	}
	if (err != 0)
		eal_log_report(diag, "port %s: its %u queues cannot be set up: %s", port->device, n,
			       strerror(-err));
	return err;
}

static int
queues_new(struct dpdk_port *port, const struct dataplane_config *config)
{
	uint16_t mtu = RTE_ETHER_MTU;
	port->queues = aligned_alloc(CACHE_LINE, port->n_queues * sizeof(*port->queues));
	if (port->queues == NULL)
		return -ENOMEM;
	memset(port->queues, 0, port->n_queues * sizeof(*port->queues));
	(void)rte_eth_dev_get_mtu(port->port_id, &mtu);
	for (unsigned i = 0; i < port->n_queues; i++) {
		struct dpdk_queue *q = &port->queues[i];
		q->head.ops = &dpdk_queue_ops;
		q->local = &port->local;
		q->port_id = port->port_id;
		q->queue_id = (uint16_t)i;
		q->payload_max = config->udp_payload < 512 ? 512 : config->udp_payload;
		q->mtu = mtu;
		q->kernel_has_copy = port->kernel == DPDK_KERNEL_COPY;
		q->exception_fd = -1;
		q->turns_until_kernel = 1;
	}
	return 0;
}

/* -------- ports -------- */

/*
 * How many queues to ask for: what the configuration says, or one for each worker. AF_XDP sees only packets of the
 * queues that it has, so there it is all that the interface has.
 */
static unsigned
queues_wanted(const struct dataplane_config *config, unsigned i, unsigned n_workers, struct diag_list *diag)
{
	const struct dataplane_port_config *p = &config->ports[i];
	if (config->mode != DATAPLANE_AF_XDP)
		return p->queues != 0 ? p->queues : n_workers;
	struct interface_queues has = interface_queues(p->device);
	unsigned n = p->queues != 0 && p->queues < has.combined ? p->queues : has.combined;
	if (n < has.total)
		diag_add(diag, DIAG_WARNING, NULL, 0, 0,
			 "port %s: it spreads packets over %u queues, but only %u can be served, so some queries "
			 "are lost; "
			 "`ethtool -L %s %s %u` cures that",
			 p->device, has.total, n, p->device, has.total > has.combined ? "rx" : "combined", n);
	return n;
}

/* The interface as it must be for us, before DPDK is asked. */
static int
interface_prepare(const struct dataplane_config *config, struct dpdk_port *port, struct diag_list *diag)
{
	if (config->mode == DATAPLANE_DPDK)
		return 0;
	int err = interface_check(port->device, diag);
	if (err == 0 && config->mode == DATAPLANE_AF_XDP)
		err = xdp_filter_open(port->device, XDP_FILTER_QUERIES, diag, &port->xdp);
	return err;
}

static int
port_start(struct dpdk_port *port, const struct dataplane_config *config, struct diag_list *diag)
{
	eal_log_clear();
	int err = rte_eth_dev_start(port->port_id);
	if (err != 0) {
		eal_log_report(diag, "port %s: it does not start: %s", port->device, strerror(-err));
		return err;
	}
	port->started = true;
	if (port->xdp != NULL)
		return xdp_filter_adopt(port->xdp, config->listen, config->n_listen, diag);
	if (port->kernel == DPDK_KERNEL_REST)
		return flow_direct(port->port_id, port->device, port->n_queues, config->listen, config->n_listen,
				   diag);
	/* ND comes to multicast addresses; a port that cannot take just those gets everything. */
	if (port->kernel != DPDK_KERNEL_COPY && rte_eth_allmulticast_enable(port->port_id) != 0)
		(void)rte_eth_promiscuous_enable(port->port_id);
	return 0;
}

static int
port_open(struct dpdk_port *port, const struct dataplane_config *config, unsigned i, unsigned n_workers,
	  struct diag_list *diag)
{
	struct rte_eth_dev_info info;
	port->device = strdup(config->ports[i].device);
	if (port->device == NULL)
		return -ENOMEM;
	port->n_queues = queues_wanted(config, i, n_workers, diag);
	int err = interface_prepare(config, port, diag);
	if (err == 0)
		err = device_probe(config, i, port, diag);
	if (err == 0)
		err = rte_eth_dev_info_get(port->port_id, &info);
	if (err != 0)
		return err;
	unsigned most = RTE_MIN(info.max_rx_queues, info.max_tx_queues);
	if (config->ports[i].queues > most)
		diag_add(diag, DIAG_WARNING, NULL, 0, 0, "port %s: it has only %u of the %u queues", port->device,
			 most, config->ports[i].queues);
	port->n_queues = RTE_MIN(port->n_queues, most);
	port->kernel = kernel_part(config, i, info.driver_name);
	if (port->kernel == DPDK_KERNEL_REST && port->xdp == NULL)
		err = flow_isolate(port->port_id, port->device, diag);
	if (err == 0)
		err = queues_new(port, config);
	if (err == 0)
		err = pools_create(port, config, diag);
	if (err == 0)
		err = queues_setup(port, &info, config, diag);
	if (err == 0)
		err = local_setup(port, i, &info, config, diag);
	if (err == 0)
		err = port_start(port, config, diag);
	return err;
}

static void
port_close(struct dpdk_port *port)
{
	xdp_filter_close(port->xdp);
	if (port->started)
		(void)rte_eth_dev_stop(port->port_id);
	if (port->probed)
		(void)rte_eal_hotplug_remove("vdev", port->name);
	else if (port->started)
		(void)rte_eth_dev_close(port->port_id);
	for (unsigned i = 0; port->queues != NULL && i < port->n_queues; i++)
		rte_mempool_free(port->queues[i].pool);
	if (port->exception_fds != NULL)
		exception_close(port->exception_fds, port->n_queues);
	free(port->exception_fds);
	free(port->queues);
	free(port->device);
}

/* -------- driver -------- */

static void
dpdk_close(void *state)
{
	struct dpdk_state *s = state;
	for (unsigned i = 0; i < s->n_ports; i++)
		port_close(&s->ports[i]);
	for (unsigned i = 0; i < s->n_sinks; i++)
		close(s->sinks[i]);
	free(s->ports);
	free(s->sinks);
	free(s);
}

static int
check_listen(const struct dataplane_config *config, struct diag_list *diag)
{
	for (unsigned i = 0; i < config->n_listen; i++) {
		if (!sockets_is_wildcard(&config->listen[i]))
			continue;
		diag_add(diag, DIAG_ERROR, NULL, 0, 0,
			 "listen: a wildcard address works in kernel mode only; name the service addresses");
		return -EINVAL;
	}
	return 0;
}

/* Where the kernel has the interface, it must not answer for us that nobody is there. */
static int
sinks_open(struct dpdk_state *s, const struct dataplane_config *config, struct diag_list *diag)
{
	if (config->mode == DATAPLANE_DPDK)
		return 0;
	s->sinks = calloc(config->n_listen, sizeof(*s->sinks));
	if (s->sinks == NULL)
		return -ENOMEM;
	for (unsigned i = 0; i < config->n_listen; i++) {
		int fd = sockets_open_sink(&config->listen[i], diag);
		if (fd < 0)
			return fd;
		s->sinks[s->n_sinks++] = fd;
	}
	return 0;
}

static int
ports_open(struct dpdk_state *s, const struct dataplane_config *config, struct worker *workers, unsigned n_workers,
	   struct diag_list *diag)
{
	int err = 0;
	unsigned given = 0;
	s->ports = calloc(config->n_ports, sizeof(*s->ports));
	if (s->ports == NULL)
		return -ENOMEM;
	for (unsigned i = 0; err == 0 && i < config->n_ports; i++) {
		struct dpdk_port *port = &s->ports[s->n_ports++];
		err = port_open(port, config, i, n_workers, diag);
		for (unsigned k = 0; err == 0 && k < port->n_queues; k++)
			err = worker_add_queue(&workers[given++ % n_workers], &port->queues[k].head);
	}
	if (err == 0 && given < n_workers)
		diag_add(diag, DIAG_WARNING, NULL, 0, 0,
			 "dataplane: the ports have %u queues together, so only that many of %u cores have work",
			 given, n_workers);
	return err;
}

static int
dpdk_open(const struct dataplane_config *config, struct worker *workers, unsigned n_workers, struct diag_list *diag,
	  void **state)
{
	int err = check_listen(config, diag);
	if (err == 0)
		err = eal_start(config, diag);
	if (err != 0)
		return err;
	struct dpdk_state *s = calloc(1, sizeof(*s));
	if (s == NULL)
		return -ENOMEM;
	s->mode = config->mode;
	err = sinks_open(s, config, diag);
	if (err == 0)
		err = ports_open(s, config, workers, n_workers, diag);
	if (err != 0) {
		dpdk_close(s);
		return err;
	}
	*state = s;
	return 0;
}

/* Registered threads have a cache of packet buffers; without one more of DPDK's thread numbers a worker still
 * works, slower. */
static void
dpdk_thread_begin(void *state)
{
	(void)rte_thread_register();
}

static void
dpdk_thread_end(void *state)
{
	rte_thread_unregister();
}

static unsigned
dpdk_count(const void *state)
{
	return ((const struct dpdk_state *)state)->n_ports;
}

static void
dpdk_stats(void *state, unsigned i, struct dataplane_port_stats *out)
{
	const struct dpdk_port *port = &((const struct dpdk_state *)state)->ports[i];
	struct rte_eth_stats s = {0};
	(void)rte_eth_stats_get(port->port_id, &s);
	*out = (struct dataplane_port_stats){
		.device = port->device,
		.rx_packets = s.ipackets,
		.tx_packets = s.opackets,
		.rx_missed = s.imissed + s.rx_nombuf,
		.rx_errors = s.ierrors,
		.tx_errors = s.oerrors,
	};
}

const struct port_driver port_dpdk_driver = {
	.open = dpdk_open,
	.thread_begin = dpdk_thread_begin,
	.thread_end = dpdk_thread_end,
	.count = dpdk_count,
	.stats = dpdk_stats,
	.close = dpdk_close,
};
