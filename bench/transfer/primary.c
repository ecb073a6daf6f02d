/* SPDX-License-Identifier: Apache-2.0 */
/* A primary whose answers are ready. See primary.h. */
#include "bench/transfer/primary.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "zones/base/bytes.h"
#include "zones/wire/message.h"
#include "zones/wire/rrtype.h"

uint64_t
bench_now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void
need(bool good, const char *what)
{
	if (good)
		return;
	perror(what);
	exit(1);
}

/* -------- answers -------- */

static void
send_all(int fd, const uint8_t *p, size_t len)
{
	while (len) {
		ssize_t n = send(fd, p, len, MSG_NOSIGNAL);
		if (n <= 0)
			return; /* the secondary has gone; it will ask again */
		p += n;
		len -= (size_t)n;
	}
}

static void
send_octets(struct primary *p, int fd, struct bench_octets *o, uint16_t id, uint16_t qtype)
{
	for (size_t at = 0; at < o->len; at += 2 + (size_t)load_be16(o->bytes + at))
		store_be16(o->bytes + at + 2, id);
	store_be16(o->bytes + 2 + DNS_HEADER_LEN + p->zone->apex.len, qtype);
	if (!p->asked_ns)
		p->asked_ns = bench_now_ns();
	send_all(fd, o->bytes, o->len);
	p->last_byte_ns = bench_now_ns();
	p->sent_bytes += o->len;
}

struct asked {
	uint16_t id, qtype;
	uint32_t serial; /* of IXFR */
};

static bool
read_question(const uint8_t *msg, size_t len, struct asked *out)
{
	struct message_reader r;
	struct message_question q;
	struct message_record rec;
	uint8_t *rdata = malloc(RDATA_MAX_LEN);
	bool good = rdata && message_open(&r, msg, len) == MESSAGE_OK && !(r.flags & 0x8000) &&
		    message_next_question(&r, &q) == MESSAGE_OK;
	if (good)
		*out = (struct asked){.id = r.id, .qtype = q.type};
	while (good && message_next(&r, rdata, &rec) == MESSAGE_OK)
		if (rec.section == MESSAGE_AUTHORITY && rec.type == RRTYPE_SOA)
			out->serial = load_be32(rec.rdata + rec.rdlen - 20);
	free(rdata);
	return good;
}

static void
answer_tcp(struct primary *p, int fd, const uint8_t *msg, size_t len)
{
	struct asked a;
	uint8_t reply[2 + 512];
	if (!read_question(msg, len, &a))
		return;
	pthread_mutex_lock(&p->mutex);
	bool is_ixfr = a.qtype == RRTYPE_IXFR;
	if (a.qtype == RRTYPE_AXFR || (is_ixfr && a.serial != p->zone->serial &&
				       (p->refuses_ixfr || a.serial != p->zone->previous || !p->ixfr.len))) {
		send_octets(p, fd, &p->axfr, a.id, a.qtype);
	} else if (is_ixfr && a.serial != p->zone->serial) {
		send_octets(p, fd, &p->ixfr, a.id, a.qtype);
	} else {
		size_t n = bench_zone_soa(p->zone, a.qtype, a.id, reply + 2);
		store_be16(reply, (uint16_t)n);
		send_all(fd, reply, n + 2);
	}
	pthread_mutex_unlock(&p->mutex);
}

static void
answer_udp(struct primary *p)
{
	struct sockaddr_in from;
	socklen_t from_len = sizeof(from);
	struct asked a;
	uint8_t msg[4096], reply[512];
	ssize_t n = recvfrom(p->udp, msg, sizeof(msg), 0, (struct sockaddr *)&from, &from_len);
	if (n <= 0 || !read_question(msg, (size_t)n, &a))
		return;
	pthread_mutex_lock(&p->mutex);
	size_t len = bench_zone_soa(p->zone, a.qtype, a.id, reply);
	pthread_mutex_unlock(&p->mutex);
	(void)!sendto(p->udp, reply, len, 0, (struct sockaddr *)&from, from_len);
}

/* -------- the thread -------- */

/* Reads one message and answers it. False: the connection has ended. Questions come in one piece here. */
static bool
serve(struct primary *p, int fd)
{
	uint8_t head[2], msg[65536];
	if (recv(fd, head, 2, MSG_WAITALL) != 2)
		return false;
	size_t len = load_be16(head);
	if (recv(fd, msg, len, MSG_WAITALL) != (ssize_t)len)
		return false;
	answer_tcp(p, fd, msg, len);
	return true;
}

static void *
run(void *arg)
{
	struct primary *p = arg;
	struct pollfd fds[2 + PRIMARY_CONNECTIONS] = {{p->udp, POLLIN, 0}, {p->tcp, POLLIN, 0}};
	nfds_t n = 2;
	for (;;) {
		if (poll(fds, n, -1) < 0)
			continue;
		if (fds[0].revents)
			answer_udp(p);
		for (nfds_t i = n; i-- > 2;) {
			if (!fds[i].revents || serve(p, fds[i].fd))
				continue;
			close(fds[i].fd);
			fds[i] = fds[--n];
		}
		if (!fds[1].revents)
			continue;
		int fd = accept4(p->tcp, NULL, NULL, SOCK_CLOEXEC), one = 1;
		if (fd < 0 || n == 2 + PRIMARY_CONNECTIONS) {
			close(fd);
			continue;
		}
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		fds[n++] = (struct pollfd){fd, POLLIN, 0};
	}
	return NULL;
}

void
primary_start(struct primary *p, const struct bench_zone *zone, const char *address, uint16_t port)
{
	int one = 1;
	*p = (struct primary){.zone = zone, .address = {.sin_family = AF_INET, .sin_port = htons(port)}};
	pthread_mutex_init(&p->mutex, NULL);
	need(inet_pton(AF_INET, address, &p->address.sin_addr) == 1, address);
	p->udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	p->tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	need(p->udp >= 0 && p->tcp >= 0, "socket");
	setsockopt(p->tcp, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	need(bind(p->udp, (struct sockaddr *)&p->address, sizeof(p->address)) == 0, "bind");
	need(bind(p->tcp, (struct sockaddr *)&p->address, sizeof(p->address)) == 0, "bind");
	need(listen(p->tcp, 16) == 0, "listen");
	need(pthread_create(&p->thread, NULL, run, p) == 0, "pthread_create");
}

void
primary_reset(struct primary *p)
{
	pthread_mutex_lock(&p->mutex);
	p->asked_ns = p->last_byte_ns = p->sent_bytes = 0;
	pthread_mutex_unlock(&p->mutex);
}

void
primary_notify(struct primary *p, const struct sockaddr_in *secondary)
{
	uint8_t msg[512];
	size_t len = bench_zone_notify(p->zone, 77, msg);
	(void)!sendto(p->udp, msg, len, 0, (const struct sockaddr *)secondary, sizeof(*secondary));
}
