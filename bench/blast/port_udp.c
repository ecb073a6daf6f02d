/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The load over UDP sockets: one connected socket a source, so the kernel checks where replies come from.
 *
 * Queries leave in bursts of one socket (sendmmsg), replies are taken from those sockets that epoll names. Each
 * thread has the sockets of its own sources.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include "bench/blast/port.h"
#include "bench/blast/questions.h"
#include "zones/base/bytes.h"

#define REPLY_BYTES 4096 /* what is longer is cut off; nobody sends that in one packet */
#define SOCKET_BUFFER_BYTES (4 << 20)
#define RUN LOAD_BURST

struct udp_queue {
	struct load_queue head;
	int epoll_fd;
	uint32_t first, n_sources; /* sources first to first + n - 1 are ours */
	int *fds;                  /* a source each */
	unsigned n_ready, next_ready;
	struct epoll_event ready[LOAD_BURST];
	struct iovec rx_iov[LOAD_BURST], tx_iov[LOAD_BURST];
	struct mmsghdr rx[LOAD_BURST], tx[LOAD_BURST];
	uint8_t rx_bytes[LOAD_BURST][REPLY_BYTES];
	uint8_t tx_bytes[LOAD_BURST][QUESTION_MAX_LEN];
};

/* -------- opening -------- */

static void
set_buffer(int fd, int forced, int ordinary)
{
	int bytes = SOCKET_BUFFER_BYTES;
	if (setsockopt(fd, SOL_SOCKET, forced, &bytes, sizeof(bytes)) != 0)
		(void)setsockopt(fd, SOL_SOCKET, ordinary, &bytes, sizeof(bytes));
}

/* The port is the kernel's choice: the socket tells sources apart. */
static int
socket_open(const struct load_port_config *c, const struct sources *sources, uint32_t source)
{
	struct sockaddr_storage from;
	int fd = socket(c->server.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	set_buffer(fd, SO_RCVBUFFORCE, SO_RCVBUF);
	set_buffer(fd, SO_SNDBUFFORCE, SO_SNDBUF);
	socklen_t len = sources_socket_address(sources, source, &from);
	if (sources->is_v6)
		((struct sockaddr_in6 *)&from)->sin6_port = 0;
	else
		((struct sockaddr_in *)&from)->sin_port = 0;
	int err = 0;
	if (c->has_source && bind(fd, (struct sockaddr *)&from, len) != 0)
		err = -errno;
	if (err == 0 && connect(fd, (const struct sockaddr *)&c->server, len) != 0)
		err = -errno;
	if (err == 0)
		return fd;
	close(fd);
	return err;
}

static void
queue_free(struct udp_queue *q)
{
	for (uint32_t i = 0; q->fds != NULL && i < q->n_sources; i++)
		if (q->fds[i] >= 0)
			close(q->fds[i]);
	if (q->epoll_fd >= 0)
		close(q->epoll_fd);
	free(q->fds);
	free(q);
}

static void
queue_wire_buffers(struct udp_queue *q)
{
	for (unsigned i = 0; i < LOAD_BURST; i++) {
		q->rx_iov[i] = (struct iovec){.iov_base = q->rx_bytes[i], .iov_len = REPLY_BYTES};
		q->tx_iov[i] = (struct iovec){.iov_base = q->tx_bytes[i]};
		q->rx[i].msg_hdr = (struct msghdr){.msg_iov = &q->rx_iov[i], .msg_iovlen = 1};
		q->tx[i].msg_hdr = (struct msghdr){.msg_iov = &q->tx_iov[i], .msg_iovlen = 1};
	}
}

static int
queue_open_sockets(struct udp_queue *q, const struct load_port_config *c, const struct sources *sources)
{
	for (uint32_t i = 0; i < q->n_sources; i++) {
		int fd = socket_open(c, sources, q->first + i);
		if (fd < 0)
			return fd;
		q->fds[i] = fd;
		struct epoll_event e = {.events = EPOLLIN, .data.u32 = i};
		if (epoll_ctl(q->epoll_fd, EPOLL_CTL_ADD, fd, &e) != 0)
			return -errno;
	}
	return 0;
}

static const struct load_queue_ops udp_queue_ops;

static int
queue_new(const struct load_port_config *c, const struct sources *sources, unsigned i, struct load_queue **out)
{
	struct udp_queue *q = calloc(1, sizeof(*q));
	if (q == NULL)
		return -ENOMEM;
	q->head.ops = &udp_queue_ops;
	q->n_sources = c->n_sources / c->n_threads;
	q->first = i * q->n_sources;
	q->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	int err = q->epoll_fd < 0 ? -errno : 0;
	q->fds = malloc(q->n_sources * sizeof(*q->fds));
	if (q->fds == NULL)
		err = -ENOMEM;
	else
		memset(q->fds, 0xff, q->n_sources * sizeof(*q->fds)); /* all -1 */
	queue_wire_buffers(q);
	if (err == 0)
		err = queue_open_sockets(q, c, sources);
	if (err != 0) {
		queue_free(q);
		return err;
	}
	*out = &q->head;
	return 0;
}

static void
udp_close(struct load_port *port)
{
	for (unsigned i = 0; i < port->n_queues; i++)
		queue_free((struct udp_queue *)port->queues[i]);
	free(port->queues);
	free(port);
}

static const struct load_port_ops udp_ops = {.close = udp_close};

/* As many descriptors as sockets need, if we may. */
static void
raise_descriptor_limit(uint32_t n)
{
	struct rlimit r;
	rlim_t wanted = (rlim_t)n + 64;
	if (getrlimit(RLIMIT_NOFILE, &r) != 0 || r.rlim_cur >= wanted)
		return;
	r.rlim_cur = wanted < r.rlim_max ? wanted : r.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &r);
}

static void
report(const struct load_port_config *c, int err, struct diag_list *diag)
{
	const char *cure = "";
	if (err == -EMFILE)
		cure = "; fewer --sources, or a higher `ulimit -n`, cure that";
	else if (err == -EADDRNOTAVAIL)
		cure = "; with sockets the addresses of --source must be this host's";
	diag_add(diag, DIAG_ERROR, NULL, 0, 0, "%u sockets cannot be opened: %s%s", c->n_sources, strerror(-err),
		 cure);
}

int
port_udp_open(const struct load_port_config *c, struct diag_list *diag, struct load_port **out)
{
	struct sources sources;
	bool v6 = c->server.ss_family == AF_INET6;
	unsigned prefix_len = c->has_source ? c->source_prefix_len : v6 ? 128 : 32;
	int err = sources_init(&sources, v6, c->source, prefix_len, c->n_sources);
	struct load_port *port = calloc(1, sizeof(*port));
	struct load_queue **queues = calloc(c->n_threads, sizeof(struct load_queue *));
	if (port == NULL || queues == NULL) {
		free(port);
		free(queues);
		return -ENOMEM;
	}
	*port = (struct load_port){.ops = &udp_ops, .queues = queues, .run = RUN};
	raise_descriptor_limit(c->n_sources);
	for (unsigned i = 0; i < c->n_threads && err == 0; i++) {
		err = queue_new(c, &sources, i, &queues[i]);
		port->n_queues += err == 0;
	}
	if (err != 0) {
		report(c, err, diag);
		udp_close(port);
		return err;
	}
	*out = port;
	return 0;
}

/* -------- running -------- */

/* An error of an earlier packet (port unreachable) is told once, by the next call: the burst is tried again. */
static unsigned
udp_send(struct load_queue *head, const struct load_query *queries, unsigned n)
{
	struct udp_queue *q = (struct udp_queue *)head;
	int fd = q->fds[queries[0].source - q->first];
	for (unsigned i = 0; i < n; i++) {
		memcpy(q->tx_bytes[i], queries[i].message, queries[i].len);
		store_be16(q->tx_bytes[i], queries[i].id);
		q->tx_iov[i].iov_len = queries[i].len;
	}
	int sent = sendmmsg(fd, q->tx, n, 0);
	if (sent < 0 && errno == ECONNREFUSED)
		sent = sendmmsg(fd, q->tx, n, 0);
	if (sent >= 0)
		return (unsigned)sent;
	q->head.error = -errno;
	return 0;
}

static bool
udp_find_ready(struct udp_queue *q)
{
	if (q->next_ready < q->n_ready)
		return true;
	int n = epoll_wait(q->epoll_fd, q->ready, LOAD_BURST, 0);
	q->n_ready = n > 0 ? (unsigned)n : 0;
	q->next_ready = 0;
	return n > 0;
}

static unsigned
udp_receive(struct load_queue *head, struct load_reply replies[LOAD_BURST])
{
	struct udp_queue *q = (struct udp_queue *)head;
	if (!udp_find_ready(q))
		return 0;
	uint32_t i = q->ready[q->next_ready].data.u32;
	int n = recvmmsg(q->fds[i], q->rx, LOAD_BURST, MSG_DONTWAIT, NULL);
	if (n < LOAD_BURST)
		q->next_ready++; /* empty, or an error that is thereby read */
	for (int k = 0; k < n; k++)
		replies[k] = (struct load_reply){
			.message = q->rx_bytes[k],
			.len = q->rx[k].msg_len,
			.source = q->first + i,
		};
	return n > 0 ? (unsigned)n : 0;
}

static void
udp_release(struct load_queue *head)
{
}

static const struct load_queue_ops udp_queue_ops = {
	.send = udp_send,
	.receive = udp_receive,
	.release = udp_release,
};
