/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The port of kernel mode: UDP sockets.
 *
 * Every worker has a socket of its own on each service address (SO_REUSEPORT: the kernel spreads clients over them
 * by the hash of addresses and ports), and one port queue over all its sockets. A burst comes from one socket, so
 * that its answers leave by one sendmmsg() on the same socket; epoll tells which one is next. Nothing here is
 * shared between workers.
 *
 * Cold half first (opening, on the main thread), then what workers run.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dataplane/dataplane.h"
#include "dataplane/port.h"
#include "dataplane/punt.h"
#include "dataplane/sockets.h"
#include "dataplane/worker.h"

#define SLOT_BYTES 65536 /* any UDP datagram fits whole; pages that stay unused cost nothing */
#define RECEIVE_BUFFER_BYTES (4 << 20)

/* Room for the one control message that we ask for: where the packet was sent to. */
union pktinfo_control {
	char v4[CMSG_SPACE(sizeof(struct in_pktinfo))];
	char v6[CMSG_SPACE(sizeof(struct in6_pktinfo))];
	struct cmsghdr align;
};

struct kernel_socket {
	int fd;
	bool wildcard; /* answers must name the address that was asked */
};

struct kernel_queue {
	struct port_queue head;
	int epoll_fd;
	unsigned n_sockets;
	struct kernel_socket *sockets;
	unsigned n_ready, next_ready;
	struct epoll_event ready[PORT_BURST];
	const struct kernel_socket *burst; /* where the messages in hand came from */
	unsigned payload_max;
	uint8_t *slots; /* PORT_BURST times SLOT_BYTES */
	struct sockaddr_storage peers[PORT_BURST];
	union pktinfo_control controls[PORT_BURST];
	struct iovec rx_iov[PORT_BURST], tx_iov[PORT_BURST];
	struct mmsghdr rx[PORT_BURST], tx[PORT_BURST];
};

struct kernel_state {
	unsigned n_queues;
	struct kernel_queue **queues;
};

static int
set_option(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof(value)) == 0 ? 0 : -errno;
}

/*
 * Path MTU discovery is off: with the payload kept below 1280 octets nothing needs it, and a forged "fragmentation
 * needed" cannot make us fragment (RFC 9715).
 */
static int
socket_configure(int fd, bool v6, bool wildcard)
{
	int err = set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1);
	if (err == 0 && v6)
		err = set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
	if (err == 0)
		err = v6 ? set_option(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_OMIT)
			 : set_option(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_OMIT);
	if (err == 0 && wildcard)
		err = v6 ? set_option(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1)
			 : set_option(fd, IPPROTO_IP, IP_PKTINFO, 1);
	/* More than the limit of net.core.rmem_max needs a capability; without it the kernel gives what it allows.
	 */
	if (err == 0 && set_option(fd, SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER_BYTES) != 0)
		err = set_option(fd, SOL_SOCKET, SO_RCVBUF, RECEIVE_BUFFER_BYTES);
	return err;
}

static int
socket_open(const struct sockaddr_storage *address, struct kernel_socket *out, struct diag_list *diag)
{
	bool v6 = address->ss_family == AF_INET6;
	int fd = socket(address->ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int err = fd < 0 ? -errno : socket_configure(fd, v6, sockets_is_wildcard(address));
	if (err == 0 && bind(fd, (const struct sockaddr *)address, sockets_address_len(address)) != 0)
		err = -errno;
	if (err != 0) {
		if (fd >= 0)
			close(fd);
		sockets_report(diag, "listen", address, err);
		return err;
	}
	out->fd = fd;
	out->wildcard = sockets_is_wildcard(address);
	return 0;
}

static void
queue_free(struct kernel_queue *q)
{
	if (q == NULL)
		return;
	for (unsigned i = 0; i < q->n_sockets; i++)
		close(q->sockets[i].fd);
	if (q->epoll_fd >= 0)
		close(q->epoll_fd);
	if (q->slots != NULL)
		munmap(q->slots, PORT_BURST * SLOT_BYTES);
	free(q->sockets);
	free(q);
}

static const struct port_queue_ops kernel_queue_ops;

/* The receive headers point at the same buffers for ever; only lengths are reset before each burst. */
static void
queue_wire_buffers(struct kernel_queue *q)
{
	for (unsigned i = 0; i < PORT_BURST; i++) {
		q->rx_iov[i] = (struct iovec){.iov_base = q->slots + (size_t)i * SLOT_BYTES, .iov_len = SLOT_BYTES};
		q->rx[i].msg_hdr = (struct msghdr){
			.msg_name = &q->peers[i],
			.msg_iov = &q->rx_iov[i],
			.msg_iovlen = 1,
			.msg_control = &q->controls[i],
		};
	}
}

static struct kernel_queue *
queue_new(const struct dataplane_config *config)
{
	struct kernel_queue *q = calloc(1, sizeof(*q));
	if (q == NULL)
		return NULL;
	q->head.ops = &kernel_queue_ops;
	q->payload_max = config->udp_payload < 512 ? 512 : config->udp_payload;
	q->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	q->sockets = calloc(config->n_listen, sizeof(*q->sockets));
	void *slots = mmap(NULL, PORT_BURST * SLOT_BYTES, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	q->slots = slots == MAP_FAILED ? NULL : slots;
	if (q->epoll_fd < 0 || q->sockets == NULL || q->slots == NULL) {
		queue_free(q);
		return NULL;
	}
	queue_wire_buffers(q);
	return q;
}

static int
queue_open(const struct dataplane_config *config, struct diag_list *diag, struct kernel_queue **out)
{
	struct kernel_queue *q = queue_new(config);
	if (q == NULL)
		return -ENOMEM;
	for (unsigned i = 0; i < config->n_listen; i++) {
		struct kernel_socket *s = &q->sockets[i];
		int err = socket_open(&config->listen[i], s, diag);
		if (err == 0) {
			q->n_sockets++;
			struct epoll_event event = {.events = EPOLLIN, .data.ptr = s};
			err = epoll_ctl(q->epoll_fd, EPOLL_CTL_ADD, s->fd, &event) == 0 ? 0 : -errno;
		}
		if (err != 0) {
			queue_free(q);
			return err;
		}
	}
	*out = q;
	return 0;
}

static void
kernel_close(void *state)
{
	struct kernel_state *s = state;
	for (unsigned i = 0; i < s->n_queues; i++)
		queue_free(s->queues[i]);
	free(s->queues);
	free(s);
}

static int
kernel_open(const struct dataplane_config *config, struct worker *workers, unsigned n_workers,
	    struct diag_list *diag, void **state)
{
	struct kernel_state *s = calloc(1, sizeof(*s));
	if (s == NULL)
		return -ENOMEM;
	s->queues = calloc(n_workers, sizeof(struct kernel_queue *));
	int err = s->queues == NULL ? -ENOMEM : 0;
	for (unsigned i = 0; err == 0 && i < n_workers; i++) {
		err = queue_open(config, diag, &s->queues[i]);
		if (err != 0)
			break;
		s->n_queues++;
		err = worker_add_queue(&workers[i], &s->queues[i]->head);
	}
	if (err != 0) {
		kernel_close(s);
		return err;
	}
	*state = s;
	return 0;
}

static unsigned
kernel_count(const void *state)
{
	return 1;
}

/* All sockets together are the one port; what the kernel dropped for want of buffer is "missed". */
static void
kernel_stats(void *state, unsigned port, struct dataplane_port_stats *out)
{
	const struct kernel_state *s = state;
	*out = (struct dataplane_port_stats){.device = "kernel"};
	for (unsigned i = 0; i < s->n_queues; i++) {
		const struct kernel_queue *q = s->queues[i];
		out->rx_packets += counter_read(&q->head.counters->rx);
		out->tx_packets += counter_read(&q->head.counters->tx);
		out->tx_errors += counter_read(&q->head.counters->drop[DROP_TX_FULL]);
		for (unsigned k = 0; k < q->n_sockets; k++) {
			uint32_t memory[SK_MEMINFO_VARS] = {0};
			socklen_t len = sizeof(memory);
			if (getsockopt(q->sockets[k].fd, SOL_SOCKET, SO_MEMINFO, memory, &len) == 0)
				out->rx_missed += memory[SK_MEMINFO_DROPS];
		}
	}
}

const struct port_driver port_kernel_driver = {
	.open = kernel_open,
	.count = kernel_count,
	.stats = kernel_stats,
	.close = kernel_close,
};

/* -------- what workers run -------- */

static void
queue_poll(struct kernel_queue *q, int timeout_ms)
{
	int n = epoll_wait(q->epoll_fd, q->ready, PORT_BURST, timeout_ms);
	q->n_ready = n > 0 ? (unsigned)n : 0;
	q->next_ready = 0;
}

static void
client_set(struct engine_client *client, const struct sockaddr_storage *peer)
{
	memset(client, 0, sizeof(*client));
	client->transport = ENGINE_UDP;
	client->is_v6 = peer->ss_family == AF_INET6;
	if (client->is_v6)
		memcpy(client->address, &((const struct sockaddr_in6 *)peer)->sin6_addr, 16);
	else
		memcpy(client->address, &((const struct sockaddr_in *)peer)->sin_addr, 4);
}

static bool
peer_has_port(const struct sockaddr_storage *peer)
{
	return peer->ss_family == AF_INET6 ? ((const struct sockaddr_in6 *)peer)->sin6_port != 0
					   : ((const struct sockaddr_in *)peer)->sin_port != 0;
}

/* Messages keep their slot: message i is not always slot i, but its msg pointer tells. */
static inline unsigned
slot_of(const struct kernel_queue *q, const struct engine_message *m)
{
	return (unsigned)((size_t)(m->msg - q->slots) / SLOT_BYTES);
}

static unsigned
kernel_rx_burst(struct port_queue *head, struct engine_message messages[PORT_BURST], unsigned *n_rx)
{
	struct kernel_queue *q = (struct kernel_queue *)head;
	*n_rx = 0;
	if (q->next_ready == q->n_ready)
		queue_poll(q, 0);
	if (q->n_ready == 0)
		return 0;
	const struct kernel_socket *s = q->ready[q->next_ready].data.ptr;

	for (unsigned i = 0; i < PORT_BURST; i++) {
		q->rx[i].msg_hdr.msg_namelen = sizeof(q->peers[i]);
		q->rx[i].msg_hdr.msg_controllen = s->wildcard ? sizeof(q->controls[i]) : 0;
	}
	int received = recvmmsg(s->fd, q->rx, PORT_BURST, MSG_DONTWAIT, NULL);
	if (received < PORT_BURST)
		q->next_ready++; /* drained; a full burst comes back to it, the others' turn is after at most one
				    poll */
	if (received <= 0)
		return 0;

	q->burst = s;
	*n_rx = (unsigned)received;
	counter_add(&head->counters->rx, *n_rx);
	unsigned n = 0;
	for (unsigned i = 0; i < *n_rx; i++) {
		if (!peer_has_port(&q->peers[i])) {
			counter_add(&head->counters->drop[DROP_SOURCE_BOGUS], 1);
			continue;
		}
		struct engine_message *m = &messages[n++];
		m->msg = q->rx_iov[i].iov_base;
		m->len = q->rx[i].msg_len;
		m->cap = m->len > q->payload_max ? m->len : q->payload_max;
		m->takes_punts = true;
		client_set(&m->client, &q->peers[i]);
	}
	return n;
}

/* The answer's source is the address that was asked, its way is the routing table's: not bound to where the query
 * came in. */
static void
control_forget_interface(struct msghdr *hdr)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(hdr);
	if (c == NULL)
		return;
	if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO)
		((struct in_pktinfo *)(void *)CMSG_DATA(c))->ipi_ifindex = 0;
	else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO)
		((struct in6_pktinfo *)(void *)CMSG_DATA(c))->ipi6_ifindex = 0;
}

/* Messages that the socket refuses are counted and passed over; what comes after them is still sent. */
static void
queue_send(struct kernel_queue *q, unsigned n)
{
	struct counters *counters = q->head.counters;
	unsigned done = 0;
	while (done < n) {
		int sent = sendmmsg(q->burst->fd, q->tx + done, n - done, MSG_DONTWAIT);
		if (sent > 0) {
			counter_add(&counters->tx, (uint64_t)sent);
			done += (unsigned)sent;
			continue;
		}
		bool full = errno == EAGAIN || errno == ENOBUFS;
		unsigned lost = full ? n - done : 1;
		counter_add(&counters->drop[DROP_TX_FULL], lost);
		done += lost;
	}
}

static void
kernel_tx_burst(struct port_queue *head, struct engine_message *messages, unsigned n)
{
	struct kernel_queue *q = (struct kernel_queue *)head;
	unsigned n_tx = 0;
	for (unsigned i = 0; i < n; i++) {
		const struct engine_message *m = &messages[i];
		if (m->verdict != ENGINE_ANSWER)
			continue;
		/* The received header is the answer's, too: peer, and with a wildcard the address that was asked.
		 */
		q->tx_iov[n_tx] = (struct iovec){.iov_base = m->msg, .iov_len = m->len};
		q->tx[n_tx].msg_hdr = q->rx[slot_of(q, m)].msg_hdr;
		q->tx[n_tx].msg_hdr.msg_iov = &q->tx_iov[n_tx];
		if (q->burst->wildcard)
			control_forget_interface(&q->tx[n_tx].msg_hdr);
		n_tx++;
	}
	queue_send(q, n_tx);
}

static void
kernel_wait(struct port_queue *head, unsigned timeout_us)
{
	struct kernel_queue *q = (struct kernel_queue *)head;
	queue_poll(q, (int)((timeout_us + 999) / 1000));
}

/* What a reply that comes later needs of its query's header. */
struct kernel_ticket {
	const struct kernel_socket *socket;
	socklen_t peer_len;
	size_t control_len; /* 0: the socket is bound to the address that was asked */
	union {
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} peer;
	union pktinfo_control control;
};
_Static_assert(sizeof(struct kernel_ticket) <= PUNT_TICKET_MAX, "a ticket has room for it");

static bool
kernel_ticket(struct port_queue *head, const struct engine_message *messages, unsigned i, struct punt_slot *s)
{
	const struct kernel_queue *q = (struct kernel_queue *)head;
	const struct msghdr *hdr = &q->rx[slot_of(q, &messages[i])].msg_hdr;
	struct kernel_ticket *t = (struct kernel_ticket *)(void *)s->ticket;
	if (hdr->msg_namelen > sizeof(t->peer) || hdr->msg_controllen > sizeof(t->control))
		return false;
	*t = (struct kernel_ticket){.socket = q->burst, .peer_len = hdr->msg_namelen};
	memcpy(&t->peer, hdr->msg_name, t->peer_len);
	if (q->burst->wildcard) {
		t->control_len = hdr->msg_controllen;
		memcpy(&t->control, hdr->msg_control, t->control_len);
	}
	s->ticket_len = sizeof(*t);
	return true;
}

static void
kernel_send_punt(struct port_queue *head, const struct punt_slot *s)
{
	struct kernel_ticket t;
	memcpy(&t, s->ticket, sizeof(t));
	struct iovec iov = {.iov_base = (void *)(uintptr_t)s->msg, .iov_len = s->len};
	struct msghdr hdr = {.msg_name = &t.peer,
			     .msg_namelen = t.peer_len,
			     .msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = t.control_len ? &t.control : NULL,
			     .msg_controllen = t.control_len};
	control_forget_interface(&hdr);
	bool sent = sendmsg(t.socket->fd, &hdr, MSG_DONTWAIT) >= 0;
	counter_add(sent ? &head->counters->tx : &head->counters->drop[DROP_TX_FULL], 1);
}

static const struct port_queue_ops kernel_queue_ops = {
	.rx_burst = kernel_rx_burst,
	.tx_burst = kernel_tx_burst,
	.ticket = kernel_ticket,
	.send_punt = kernel_send_punt,
	.wait = kernel_wait,
};
