/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A primary whose zones change all the time: answers SOA, AXFR and IXFR from any serial, over UDP and TCP with many
 * questions on a connection, and tells a secondary of new versions by NOTIFY, at a given rate.
 *
 *     change_stream [--zones N] [--listen ADDRESS:PORT] [--secondary ADDRESS:PORT] [--secret TEXT] [--break mix]
 *
 * It is driven by lines on its standard input, and answers each with one line of "name=value":
 *
 *     run RATE SECONDS [random]   so many zones a second get their next version, in turns or at random; a NOTIFY
 * that has not led to a transfer in half a second is sent again settle SECONDS              tells again of versions
 * that were not fetched, until there are none
 *
 * and ends with its input. No record is kept: the zones are those of changes.h. With --break mix one address of
 * each version is of the version before, which change_load has to notice. One thread.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "control/tsig/tsig.h"
#include "tests/torture/changes.h"
#include "zones/base/bytes.h"
#include "zones/wire/rrtype.h"

#define CONNS_MAX 64
#define INPUT_BYTES 65537
#define REPLY_MAX 8192
#define OUTPUT_LIMIT (1 << 20) /* beyond this, questions wait for the answers before them to leave */
#define AGAIN_NS 500000000ull
#define SENT_MAX 65536 /* NOTIFYs that may be sent again */
#define SETTLE_AGAIN_MS 200
#define SETTLE_AT_ONCE 64 /* of NOTIFY, a turn */

struct conn {
	int fd;
	size_t in_len, out_len, out_cap;
	uint8_t in[INPUT_BYTES];
	uint8_t *out;
};

struct zone_now {
	uint16_t serial, fetched; /* by IXFR or AXFR */
};

struct sent {
	unsigned zone;
	uint16_t serial;
	uint64_t at_ns;
};

enum command { COMMAND_NONE, COMMAND_RUN, COMMAND_SETTLE };

struct primary {
	unsigned n_zones;
	struct zone_now *zones;
	bool mixed;
	struct tsig_keys *keys;
	const struct tsig_key *key; /* NULL: nothing is signed */
	int epoll, udp, listener;
	struct sockaddr_in secondary;
	struct conn *conns[CONNS_MAX];
	struct message_writer writer;
	uint8_t reply[REPLY_MAX];
	/* the command that runs */
	enum command command;
	bool random;
	double rate;
	uint64_t begin_ns, end_ns, again_ns;
	uint64_t n_done;            /* versions made */
	unsigned next;              /* zone */
	struct sent sent[SENT_MAX]; /* a ring */
	uint64_t sent_first, sent_end;
	uint64_t again, notifies, notify_replies, ixfr, axfr, soa, coalesced;
	size_t line_len;
	char line[256];
};

static void
die(const char *what)
{
	perror(what);
	exit(2);
}

static uint64_t
now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* -------- messages -------- */

static void
put(struct primary *p, const struct change_record *r, enum message_section section)
{
	const struct message_record record = {.owner = r->owner.bytes,
					      .rdata = r->rdata,
					      .ttl_s = 60,
					      .type = r->type,
					      .rrclass = RRCLASS_IN,
					      .rdlen = r->rdlen,
					      .section = section};
	if (!message_put(&p->writer, &record))
		die("a message is full");
}

static void
put_version(struct primary *p, const struct change_record *records, bool all)
{
	for (unsigned i = 1; i < CHANGES_RECORDS; i++)
		if (all || records[i].varies)
			put(p, &records[i], MESSAGE_ANSWER);
}

/* Condensed to one difference (RFC 1995 section 5). */
static void
put_difference(struct primary *p, unsigned zone, uint32_t from, const struct change_record *now)
{
	struct change_record before[CHANGES_RECORDS];
	change_version(zone, from, p->mixed, before);
	put(p, &before[0], MESSAGE_ANSWER);
	put_version(p, before, false);
	put(p, &now[0], MESSAGE_ANSWER);
	put_version(p, now, false);
}

/* The serial that an IXFR asks from; 0: from nothing. */
static uint32_t
serial_asked_from(struct message_reader *r)
{
	uint8_t rdata[RDATA_MAX_LEN];
	struct message_record record;
	if (message_next(r, rdata, &record) != MESSAGE_OK || record.type != RRTYPE_SOA || record.rdlen < 20)
		return 0;
	return load_be32(record.rdata + record.rdlen - 20);
}

static void
answer_question(struct primary *p, struct message_reader *r, unsigned zone, uint16_t type)
{
	struct zone_now *z = &p->zones[zone];
	struct change_record now[CHANGES_RECORDS];
	uint32_t from = type == RRTYPE_IXFR ? serial_asked_from(r) : 0;
	change_version(zone, z->serial, p->mixed, now);
	put(p, &now[0], MESSAGE_ANSWER);
	if (type == RRTYPE_SOA || from >= z->serial) {
		p->soa++;
		return;
	}
	if (from)
		put_difference(p, zone, from, now);
	else
		put_version(p, now, true);
	put(p, &now[0], MESSAGE_ANSWER);
	*(from ? &p->ixfr : &p->axfr) += 1;
	p->coalesced += from && z->serial - from > 1;
	z->fetched = z->serial;
}

/* The answer to a message in p->reply, without TSIG; its length, 0: none. */
static size_t
answer_plain(struct primary *p, const uint8_t *msg, size_t len)
{
	struct message_reader r;
	struct message_question q;
	struct name apex;
	if (message_open(&r, msg, len) != MESSAGE_OK)
		return 0;
	if (r.flags & FLAG_QR) {
		p->notify_replies += message_opcode(&r) == OPCODE_NOTIFY && message_rcode(&r) == RCODE_NOERROR;
		return 0;
	}
	if (message_next_question(&r, &q) != MESSAGE_OK)
		return 0;
	name_copy(&apex, q.name);
	unsigned zone = change_zone(&apex);
	bool is_known =
		zone < p->n_zones && (q.type == RRTYPE_SOA || q.type == RRTYPE_AXFR || q.type == RRTYPE_IXFR);
	message_begin(&p->writer, p->reply, REPLY_MAX, r.id,
		      (uint16_t)(FLAG_QR | FLAG_AA | (is_known ? RCODE_NOERROR : RCODE_REFUSED)));
	if (!message_put_question(&p->writer, &(struct message_question){apex.bytes, q.type, q.rrclass}))
		return 0;
	if (is_known)
		answer_question(p, &r, zone, q.type);
	return p->writer.len;
}

/* Signed, if the question was; an answer of one message is no other than a stream of one. */
static size_t
answer(struct primary *p, uint8_t *msg, size_t len)
{
	struct tsig_verdict v = {.status = TSIG_NONE};
	uint64_t now_s = (uint64_t)time(NULL);
	if (p->key && tsig_verify_request(p->keys, msg, len, now_s, &v) == TSIG_GOOD)
		len = tsig_strip(msg, &v);
	size_t reply_len = answer_plain(p, msg, len);
	if (reply_len && tsig_sign_reply(&v, p->reply, reply_len, REPLY_MAX, now_s, &reply_len) != 0)
		return 0;
	return reply_len;
}

static void
notify(struct primary *p, unsigned zone)
{
	struct change_record soa[CHANGES_RECORDS];
	change_version(zone, p->zones[zone].serial, false, soa);
	message_begin(&p->writer, p->reply, REPLY_MAX, (uint16_t)p->notifies,
		      (uint16_t)(OPCODE_NOTIFY << 11 | FLAG_AA));
	if (!message_put_question(&p->writer,
				  &(struct message_question){soa[0].owner.bytes, RRTYPE_SOA, RRCLASS_IN}))
		die("a question does not fit");
	put(p, &soa[0], MESSAGE_ANSWER);
	size_t len = p->writer.len;
	struct tsig_mac mac;
	if (p->key && tsig_sign_request(p->key, p->reply, len, REPLY_MAX, (uint64_t)time(NULL), &mac, &len) != 0)
		die("tsig");
	(void)!sendto(p->udp, p->reply, len, 0, (const struct sockaddr *)&p->secondary, sizeof(p->secondary));
	p->notifies++;
}

static void
notify_new(struct primary *p, unsigned zone, uint64_t now)
{
	notify(p, zone);
	if (p->sent_end - p->sent_first == SENT_MAX)
		p->sent_first++;
	p->sent[p->sent_end++ % SENT_MAX] = (struct sent){zone, p->zones[zone].serial, now};
}

/* Those whose version nobody has asked for, nor a newer one told. */
static void
notify_again(struct primary *p, uint64_t now)
{
	while (p->sent_first < p->sent_end) {
		struct sent s = p->sent[p->sent_first % SENT_MAX];
		const struct zone_now *z = &p->zones[s.zone];
		if (now - s.at_ns < AGAIN_NS)
			return;
		p->sent_first++;
		if (z->serial != s.serial || z->fetched == s.serial)
			continue;
		notify(p, s.zone);
		p->again++;
	}
}

/* -------- sockets -------- */

static void
watch(struct primary *p, int fd, uint32_t events, uint64_t what, int op)
{
	struct epoll_event e = {.events = events, .data.u64 = what};
	if (epoll_ctl(p->epoll, op, fd, &e) != 0)
		die("epoll_ctl");
}

/* What epoll tells: a connection's place, or one of these. */
enum { WHAT_UDP = CONNS_MAX, WHAT_LISTENER, WHAT_INPUT };

static void
conn_close(struct primary *p, unsigned i)
{
	close(p->conns[i]->fd);
	free(p->conns[i]->out);
	free(p->conns[i]);
	p->conns[i] = NULL;
}

static void
conn_accept(struct primary *p)
{
	int fd = accept4(p->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC), on = 1;
	unsigned i = 0;
	if (fd < 0)
		return;
	while (i < CONNS_MAX && p->conns[i])
		i++;
	struct conn *c = i < CONNS_MAX ? calloc(1, sizeof(*c)) : NULL;
	if (!c) {
		close(fd);
		return;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	c->fd = fd;
	p->conns[i] = c;
	watch(p, fd, EPOLLIN, i, EPOLL_CTL_ADD);
}

static void
conn_queue(struct conn *c, const uint8_t *msg, size_t len)
{
	if (c->out_len + len + 2 > c->out_cap) {
		c->out_cap = 2 * (c->out_len + len + 2);
		c->out = realloc(c->out, c->out_cap);
		if (!c->out)
			die("realloc");
	}
	store_be16(c->out + c->out_len, (uint16_t)len);
	memcpy(c->out + c->out_len + 2, msg, len);
	c->out_len += len + 2;
}

/* Answers the whole messages that are in, as long as there is room for answers. */
static void
conn_answer(struct primary *p, struct conn *c)
{
	size_t at = 0;
	while (c->in_len - at >= 2 && c->out_len < OUTPUT_LIMIT) {
		size_t len = load_be16(c->in + at);
		if (c->in_len - at - 2 < len)
			break;
		size_t reply_len = answer(p, c->in + at + 2, len);
		if (reply_len)
			conn_queue(c, p->reply, reply_len);
		at += 2 + len;
	}
	memmove(c->in, c->in + at, c->in_len - at);
	c->in_len -= at;
}

static void
conn_ready(struct primary *p, unsigned i)
{
	struct conn *c = p->conns[i];
	ssize_t n = recv(c->fd, c->in + c->in_len, sizeof(c->in) - c->in_len, 0);
	if (n == 0 || (n < 0 && errno != EAGAIN)) {
		conn_close(p, i);
		return;
	}
	c->in_len += n > 0 ? (size_t)n : 0;
	conn_answer(p, c);
	ssize_t sent = c->out_len ? send(c->fd, c->out, c->out_len, MSG_NOSIGNAL) : 0;
	if (sent < 0 && errno != EAGAIN) {
		conn_close(p, i);
		return;
	}
	if (sent > 0) {
		memmove(c->out, c->out + sent, c->out_len - (size_t)sent);
		c->out_len -= (size_t)sent;
	}
	watch(p, c->fd, EPOLLIN | (c->out_len ? EPOLLOUT : 0u), i, EPOLL_CTL_MOD);
}

static void
udp_ready(struct primary *p)
{
	uint8_t msg[4096];
	struct sockaddr_in from;
	for (unsigned i = 0; i < 256; i++) {
		socklen_t from_len = sizeof(from);
		ssize_t n = recvfrom(p->udp, msg, sizeof(msg), 0, (struct sockaddr *)&from, &from_len);
		if (n < 0)
			return;
		size_t len = answer(p, msg, (size_t)n);
		if (len)
			(void)!sendto(p->udp, p->reply, len, 0, (struct sockaddr *)&from, from_len);
	}
}

/* -------- commands -------- */

static unsigned
count_behind(const struct primary *p)
{
	unsigned n = 0;
	for (unsigned i = 0; i < p->n_zones; i++)
		n += p->zones[i].fetched != p->zones[i].serial;
	return n;
}

static void
command_end(struct primary *p)
{
	printf("seconds=%.3f versions=%lu notifies=%lu again=%lu notify_replies=%lu ixfr=%lu of_several=%lu "
	       "axfr=%lu soa=%lu "
	       "behind=%u\n",
	       (double)(now_ns() - p->begin_ns) / 1e9, p->n_done, p->notifies, p->again, p->notify_replies, p->ixfr,
	       p->coalesced, p->axfr, p->soa, count_behind(p));
	fflush(stdout);
	p->command = COMMAND_NONE;
}

static void
command_begin(struct primary *p, const char *line)
{
	double rate, seconds;
	char how[16] = "";
	if (sscanf(line, "run %lf %lf %15s", &rate, &seconds, how) >= 2) {
		p->command = COMMAND_RUN;
		p->rate = rate;
		p->random = strcmp(how, "random") == 0;
	} else if (sscanf(line, "settle %lf", &seconds) == 1) {
		p->command = COMMAND_SETTLE;
	} else {
		fprintf(stderr, "not understood: %s\n", line);
		exit(2);
	}
	p->n_done = p->again = p->notifies = p->notify_replies = p->ixfr = p->axfr = p->soa = p->coalesced = 0;
	p->begin_ns = p->again_ns = now_ns();
	p->end_ns = p->begin_ns + (uint64_t)(seconds * 1e9);
	p->sent_first = p->sent_end;
	p->next = p->command == COMMAND_SETTLE ? 0 : p->next;
}

static void
input_ready(struct primary *p)
{
	ssize_t n = read(STDIN_FILENO, p->line + p->line_len, sizeof(p->line) - 1 - p->line_len);
	if (n <= 0)
		exit(0);
	p->line_len += (size_t)n;
	p->line[p->line_len] = 0;
	if (strchr(p->line, '\n')) {
		p->line_len = 0;
		command_begin(p, p->line);
	}
}

static void
run_turn(struct primary *p, uint64_t now)
{
	uint64_t due = (uint64_t)(p->rate * (double)(now - p->begin_ns) / 1e9);
	for (; p->n_done < due; p->n_done++) {
		unsigned zone = p->random ? (unsigned)random() % p->n_zones : p->next;
		p->next = (p->next + 1) % p->n_zones;
		if (p->zones[zone].serial == CHANGES_SERIAL_MAX)
			die("too many versions of a zone");
		p->zones[zone].serial++;
		notify_new(p, zone, now);
	}
	notify_again(p, now);
	if (now >= p->end_ns)
		command_end(p);
}

/* Goes round all zones, and waits a while between two rounds. */
static void
settle_turn(struct primary *p, uint64_t now)
{
	if (now >= p->end_ns || (p->next == 0 && count_behind(p) == 0)) {
		command_end(p);
		return;
	}
	if (now < p->again_ns)
		return;
	for (unsigned n = 0; n < SETTLE_AT_ONCE && p->next < p->n_zones; p->next++) {
		if (p->zones[p->next].fetched == p->zones[p->next].serial)
			continue;
		notify(p, p->next);
		n++;
	}
	if (p->next < p->n_zones)
		return;
	p->next = 0;
	p->again_ns = now + SETTLE_AGAIN_MS * 1000000ull;
}

static void
loop(struct primary *p)
{
	struct epoll_event events[64];
	for (;;) {
		int n = epoll_wait(p->epoll, events, 64, p->command ? 1 : -1);
		for (int i = 0; i < n; i++) {
			uint64_t what = events[i].data.u64;
			if (what == WHAT_UDP)
				udp_ready(p);
			else if (what == WHAT_LISTENER)
				conn_accept(p);
			else if (what == WHAT_INPUT)
				input_ready(p);
			else
				conn_ready(p, (unsigned)what);
		}
		if (p->command == COMMAND_RUN)
			run_turn(p, now_ns());
		else if (p->command == COMMAND_SETTLE)
			settle_turn(p, now_ns());
	}
}

/* -------- start -------- */

static struct sockaddr_in
address_of(const char *text)
{
	struct sockaddr_in a = {.sin_family = AF_INET};
	char host[64];
	unsigned port;
	if (sscanf(text, "%63[0-9.]:%u", host, &port) != 2 || inet_pton(AF_INET, host, &a.sin_addr) != 1) {
		fprintf(stderr, "not ADDRESS:PORT: %s\n", text);
		exit(2);
	}
	a.sin_port = htons((uint16_t)port);
	return a;
}

static int
socket_at(const struct sockaddr_in *at, int type)
{
	int fd = socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1, bytes = 8 << 20;
	if (fd < 0)
		die("socket");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes));
	if (bind(fd, (const struct sockaddr *)at, sizeof(*at)) != 0)
		die("bind");
	return fd;
}

static void
take_secret(struct primary *p, const char *secret)
{
	const struct config_key key = {.id = "stream.",
				       .name = {8, "\6stream"},
				       .algorithm = CONFIG_HMAC_SHA256,
				       .secret = (const uint8_t *)secret,
				       .secret_len = (unsigned)strlen(secret)};
	struct diag_list diag = {0};
	if (tsig_keys_new(&key, 1, TSIG_TRUNCATION_REFUSED, &p->keys, &diag) != 0)
		die("tsig");
	p->key = tsig_keys_find(p->keys, &key.name);
}

static void
open_all(struct primary *p, const struct sockaddr_in *at)
{
	p->epoll = epoll_create1(EPOLL_CLOEXEC);
	p->udp = socket_at(at, SOCK_DGRAM);
	p->listener = socket_at(at, SOCK_STREAM);
	if (p->epoll < 0 || listen(p->listener, 16) != 0)
		die("listen");
	p->zones = calloc(p->n_zones, sizeof(*p->zones));
	if (!p->zones)
		die("calloc");
	for (unsigned i = 0; i < p->n_zones; i++)
		p->zones[i].serial = 1;
	watch(p, p->udp, EPOLLIN, WHAT_UDP, EPOLL_CTL_ADD);
	watch(p, p->listener, EPOLLIN, WHAT_LISTENER, EPOLL_CTL_ADD);
	watch(p, STDIN_FILENO, EPOLLIN, WHAT_INPUT, EPOLL_CTL_ADD);
}

int
main(int argc, char **argv)
{
	static struct primary p = {.n_zones = 100};
	struct sockaddr_in at = address_of("127.0.0.1:5301");
	p.secondary = address_of("127.0.0.1:53");
	for (int i = 1; i + 1 < argc; i += 2) {
		if (strcmp(argv[i], "--zones") == 0)
			p.n_zones = (unsigned)atoi(argv[i + 1]);
		else if (strcmp(argv[i], "--listen") == 0)
			at = address_of(argv[i + 1]);
		else if (strcmp(argv[i], "--secondary") == 0)
			p.secondary = address_of(argv[i + 1]);
		else if (strcmp(argv[i], "--secret") == 0)
			take_secret(&p, argv[i + 1]);
		else if (strcmp(argv[i], "--break") == 0 && strcmp(argv[i + 1], "mix") == 0)
			p.mixed = true;
		else
			p.n_zones = 0;
	}
	if (argc % 2 == 0 || p.n_zones == 0 || p.n_zones > CHANGES_ZONES_MAX) {
		fputs("usage: see the head of change_stream.c\n", stderr);
		return 2;
	}
	open_all(&p, &at);
	puts("ready");
	fflush(stdout);
	loop(&p);
}
