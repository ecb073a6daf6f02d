/* SPDX-License-Identifier: Apache-2.0 */
/* A primary with a script. See primary_fixture.h. */
#include "tests/unit/control/primary_fixture.h"

#include "tests/unit/control/control_fixture.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>

#include "zones/base/bytes.h"
#include "zones/wire/edns.h"
#include "zones/wire/lexer.h"
#include "zones/wire/message.h"
#include "zones/wire/rrtype.h"

#define ZONES_MAX 8
#define CONNS_MAX 256
#define TTL_S 60

struct version {
	uint32_t serial;
	char *text; /* NULL: the serial's own record */
};

struct zone_text {
	struct name apex;
	bool has_before;
	struct version now, before;
};

struct question {
	struct question *next;
	int fd;
	size_t len;
	uint8_t msg[];
};

struct primary {
	pthread_t thread;
	pthread_mutex_t mutex; /* over all below */
	int udp, tcp, wake[2];
	unsigned port;
	int conn[CONNS_MAX];
	unsigned n_conns;
	struct zone_text zones[ZONES_MAX];
	unsigned n_zones;
	uint32_t others, refresh_s, retry_s, expire_s, expire_left_s;
	unsigned faults;
	bool stopping;
	struct primary_counts counts;
	struct question *held, **held_last;
	struct message_writer w;
	uint8_t out[MESSAGE_MAX_LEN];
};

/* -------- zones -------- */

static struct zone_text *
zone_of(struct primary *p, const struct name *apex)
{
	for (unsigned i = 0; i < p->n_zones; i++)
		if (name_equal(p->zones[i].apex.bytes, apex->bytes))
			return &p->zones[i];
	return NULL;
}

static struct version
version_of(struct primary *p, const struct name *apex)
{
	const struct zone_text *z = zone_of(p, apex);
	return z ? z->now : (struct version){.serial = p->others};
}

/* -------- one answer -------- */

/* An answer on its way; what does not fit in a message begins the next one. */
struct answer {
	struct primary *p;
	int fd;
	struct name apex;
	uint16_t id, type;
};

static void
answer_open(struct answer *a, uint16_t rcode)
{
	struct message_question q = {a->apex.bytes, a->type, RRCLASS_IN};
	message_begin(&a->p->w, a->p->out + 2, sizeof(a->p->out) - 2, a->id, (uint16_t)(FLAG_QR | FLAG_AA | rcode));
	assert_true(message_put_question(&a->p->w, &q));
}

static void
answer_send(struct answer *a)
{
	size_t len = a->p->w.len;
	store_be16(a->p->out, (uint16_t)len);
	/* Whoever does not take it is gone. */
	(void)!send(a->fd, a->p->out, len + 2, MSG_NOSIGNAL);
}

static void
put(struct answer *a, const struct message_record *r)
{
	if (message_put(&a->p->w, r))
		return;
	answer_send(a);
	answer_open(a, 0);
	assert_true(message_put(&a->p->w, r));
}

static size_t
soa_rdata(const struct primary *p, uint32_t serial, uint8_t out[22])
{
	const uint32_t values[] = {serial, p->refresh_s, p->retry_s, p->expire_s, 60};
	memset(out, 0, 2); /* both names are the root */
	for (unsigned i = 0; i < 5; i++)
		store_be32(out + 2 + 4 * i, values[i]);
	return 22;
}

static void
put_soa(struct answer *a, uint32_t serial)
{
	uint8_t rdata[22];
	put(a, &(struct message_record){.owner = a->apex.bytes,
					.rdata = rdata,
					.rdlen = (uint16_t)soa_rdata(a->p, serial, rdata),
					.ttl_s = TTL_S,
					.type = RRTYPE_SOA,
					.rrclass = RRCLASS_IN,
					.section = MESSAGE_ANSWER});
}

static void
put_line(struct answer *a, const char *line)
{
	char owner[256], type[32];
	uint8_t rdata[RDATA_MAX_LEN];
	int data = 0;
	struct name name;
	struct lexer lex;
	struct rdata_error error;
	struct message_record r = {.ttl_s = TTL_S, .rrclass = RRCLASS_IN, .section = MESSAGE_ANSWER};
	assert_int_equal(sscanf(line, "%255s %31s %n", owner, type, &data), 2);
	if (strcmp(owner, "@") == 0)
		name = a->apex;
	else
		assert_int_equal(name_from_text(owner, strlen(owner), &a->apex, &name), NAME_OK);
	assert_int_equal(rrtype_from_text(type, strlen(type), &r.type), 0);
	lexer_init(&lex, line + data, strlen(line + data));
	int len = rdata_from_text(&lex, r.type, &a->apex, rdata, &error);
	assert_true(len >= 0);
	r.owner = name.bytes;
	r.rdata = rdata;
	r.rdlen = (uint16_t)len;
	put(a, &r);
}

static void
put_expire_left(struct answer *a, uint32_t left_s)
{
	uint8_t rdata[8] = {0, EDNS_EXPIRE, 0, 4};
	store_be32(rdata + 4, left_s);
	put(a, &(struct message_record){.owner = (const uint8_t *)"",
					.rdata = rdata,
					.rdlen = sizeof(rdata),
					.type = RRTYPE_OPT,
					.rrclass = 1232,
					.section = MESSAGE_ADDITIONAL});
}

/* The lines of a version that the other one has not; of all if there is no other. */
static void
put_lines(struct answer *a, const struct version *v, const struct version *but_not)
{
	char own[64], line[1024];
	snprintf(own, sizeof(own), "serial TXT \"%u\"\n", v->serial);
	const char *at = v->text ? v->text : own;
	while (*at) {
		size_t len = strcspn(at, "\n");
		assert_true(len < sizeof(line));
		memcpy(line, at, len);
		line[len] = '\0';
		if (len && !(but_not && but_not->text && strstr(but_not->text, line)))
			put_line(a, line);
		at += len + (at[len] == '\n');
	}
}

static void
answer_whole(struct answer *a, const struct version *v)
{
	put_soa(a, v->serial);
	put_line(a, "@ NS ns");
	put_line(a, "ns A 192.0.2.53");
	put_lines(a, v, NULL);
	put_soa(a, v->serial);
}

static void
answer_difference(struct answer *a, const struct zone_text *z)
{
	put_soa(a, z->now.serial);
	put_soa(a, z->before.serial);
	if (a->p->faults & PRIMARY_BREAKS_IXFR)
		put_line(a, "not-there A 192.0.2.99");
	put_lines(a, &z->before, &z->now);
	put_soa(a, z->now.serial);
	put_lines(a, &z->now, &z->before);
	put_soa(a, z->now.serial);
}

/* The serial in the authority section of an IXFR. */
static uint32_t
serial_asked(struct message_reader *r)
{
	static uint8_t rdata[RDATA_MAX_LEN];
	struct message_record record;
	while (message_next(r, rdata, &record) == MESSAGE_OK)
		if (record.type == RRTYPE_SOA)
			return load_be32(rdata + record.rdlen - 20);
	fail_msg("an IXFR without SOA");
	return 0;
}

static void
answer_transfer(struct primary *p, struct question *q)
{
	struct message_reader r;
	struct message_question question;
	assert_int_equal(message_open(&r, q->msg, q->len), MESSAGE_OK);
	assert_int_equal(message_next_question(&r, &question), MESSAGE_OK);
	struct answer a = {.p = p, .fd = q->fd, .id = r.id, .type = question.type};
	name_copy(&a.apex, question.name);
	struct zone_text *z = zone_of(p, &a.apex);
	struct version v = version_of(p, &a.apex);
	answer_open(&a, p->faults & PRIMARY_REFUSES ? RCODE_REFUSED : 0);
	uint32_t asked = a.type == RRTYPE_IXFR ? serial_asked(&r) : 0;
	if (p->faults & PRIMARY_REFUSES)
		;
	else if (a.type == RRTYPE_IXFR && asked == v.serial)
		put_soa(&a, v.serial);
	else if (a.type == RRTYPE_IXFR && z && z->has_before && asked == z->before.serial)
		answer_difference(&a, z);
	else
		answer_whole(&a, &v);
	answer_send(&a);
}

/* -------- the thread -------- */

static void
answer_udp(struct primary *p)
{
	uint8_t msg[MESSAGE_MAX_LEN];
	struct sockaddr_in from;
	socklen_t from_len = sizeof(from);
	struct message_reader r;
	struct message_question question;
	ssize_t n = recvfrom(p->udp, msg, sizeof(msg), 0, (struct sockaddr *)&from, &from_len);
	if (n < DNS_HEADER_LEN || (p->faults & PRIMARY_SILENT))
		return;
	assert_int_equal(message_open(&r, msg, (size_t)n), MESSAGE_OK);
	assert_int_equal(message_next_question(&r, &question), MESSAGE_OK);
	struct answer a = {.p = p, .id = r.id, .type = question.type};
	name_copy(&a.apex, question.name);
	answer_open(&a, (uint16_t)(r.flags & 0x7800));
	if (message_opcode(&r) == OPCODE_UPDATE) {
		p->counts.updates++;
	} else {
		p->counts.soas++;
		put_soa(&a, version_of(p, &a.apex).serial);
		if (p->expire_left_s)
			put_expire_left(&a, p->expire_left_s);
	}
	(void)!sendto(p->udp, p->out + 2, p->w.len, 0, (struct sockaddr *)&from, from_len);
}

static bool
read_all(int fd, uint8_t *to, size_t len)
{
	while (len > 0) {
		ssize_t n = recv(fd, to, len, 0);
		if (n <= 0)
			return false;
		to += n;
		len -= (size_t)n;
	}
	return true;
}

static bool
take_question(struct primary *p, int fd)
{
	uint8_t head[2];
	if (!read_all(fd, head, 2))
		return false;
	struct question *q = calloc(1, sizeof(*q) + load_be16(head));
	q->fd = fd;
	q->len = load_be16(head);
	if (!read_all(fd, q->msg, q->len)) {
		free(q);
		return false;
	}
	bool is_ixfr = load_be16(q->msg + DNS_HEADER_LEN + name_len(q->msg + DNS_HEADER_LEN)) == RRTYPE_IXFR;
	*(is_ixfr ? &p->counts.ixfrs : &p->counts.axfrs) += 1;
	*p->held_last = q;
	p->held_last = &q->next;
	p->counts.held++;
	return true;
}

static void
answer_held(struct primary *p)
{
	while (p->held && (!(p->faults & PRIMARY_HOLDS) || p->stopping)) {
		struct question *q = p->held;
		p->held = q->next;
		if (!p->held)
			p->held_last = &p->held;
		p->counts.held--;
		if (q->fd >= 0 && !p->stopping)
			answer_transfer(p, q);
		free(q);
	}
}

static void
drop_conn(struct primary *p, unsigned i)
{
	for (struct question *q = p->held; q; q = q->next)
		if (q->fd == p->conn[i])
			q->fd = -1;
	close(p->conn[i]);
	p->conn[i] = p->conn[--p->n_conns];
}

static bool
turn(struct primary *p, const struct pollfd *fds, unsigned n)
{
	char octets[64];
	if (fds[0].revents)
		(void)!read(p->wake[0], octets, sizeof(octets));
	if (fds[1].revents)
		answer_udp(p);
	for (unsigned i = n; i-- > 0;)
		if (fds[3 + i].revents && !take_question(p, p->conn[i]))
			drop_conn(p, i);
	if (fds[2].revents && p->n_conns < CONNS_MAX)
		p->conn[p->n_conns++] = accept4(p->tcp, NULL, NULL, SOCK_CLOEXEC);
	answer_held(p);
	return !p->stopping;
}

static void *
primary_run(void *arg)
{
	struct primary *p = arg;
	struct pollfd fds[3 + CONNS_MAX];
	for (bool goes_on = true; goes_on;) {
		unsigned n = p->n_conns; /* this thread's alone */
		fds[0] = (struct pollfd){p->wake[0], POLLIN, 0};
		fds[1] = (struct pollfd){p->udp, POLLIN, 0};
		fds[2] = (struct pollfd){p->tcp, POLLIN, 0};
		for (unsigned i = 0; i < n; i++)
			fds[3 + i] = (struct pollfd){p->conn[i], POLLIN, 0};
		poll(fds, 3 + n, -1);
		pthread_mutex_lock(&p->mutex);
		goes_on = turn(p, fds, n);
		pthread_mutex_unlock(&p->mutex);
	}
	return NULL;
}

/* -------- life -------- */

/* TCP and UDP on one port that is free for both. */
static bool
try_bind(struct primary *p)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(a);
	p->tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	p->udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(p->tcp, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(getsockname(p->tcp, (struct sockaddr *)&a, &len), 0);
	p->port = ntohs(a.sin_port);
	if (bind(p->udp, (struct sockaddr *)&a, sizeof(a)) == 0 && listen(p->tcp, 64) == 0)
		return true;
	close(p->tcp);
	close(p->udp);
	return false;
}

struct primary *
primary_start(void)
{
	struct primary *p = calloc(1, sizeof(*p));
	p->refresh_s = 3600;
	p->retry_s = 900;
	p->expire_s = 604800;
	p->others = 1;
	p->held_last = &p->held;
	pthread_mutex_init(&p->mutex, NULL);
	while (!try_bind(p))
		;
	assert_int_equal(pipe2(p->wake, O_CLOEXEC), 0);
	assert_int_equal(pthread_create(&p->thread, NULL, primary_run, p), 0);
	return p;
}

static void
primary_wake(struct primary *p)
{
	pthread_mutex_unlock(&p->mutex);
	assert_int_equal(write(p->wake[1], "", 1), 1);
}

void
primary_stop(struct primary *p)
{
	if (!p)
		return;
	pthread_mutex_lock(&p->mutex);
	p->stopping = true;
	primary_wake(p);
	pthread_join(p->thread, NULL);
	for (unsigned i = 0; i < p->n_conns; i++)
		close(p->conn[i]);
	for (unsigned i = 0; i < p->n_zones; i++) {
		free(p->zones[i].now.text);
		free(p->zones[i].before.text);
	}
	close(p->udp);
	close(p->tcp);
	close(p->wake[0]);
	close(p->wake[1]);
	pthread_mutex_destroy(&p->mutex);
	free(p);
}

unsigned
primary_port(const struct primary *p)
{
	return p->port;
}

/* -------- the script -------- */

void
primary_set(struct primary *p, const char *zone, uint32_t serial, const char *text)
{
	struct name apex = fixture_name(zone);
	pthread_mutex_lock(&p->mutex);
	struct zone_text *z = zone_of(p, &apex);
	if (!z) {
		assert_true(p->n_zones < ZONES_MAX);
		z = &p->zones[p->n_zones++];
		z->apex = apex;
	} else {
		free(z->before.text);
		z->before = z->now;
		z->has_before = true;
	}
	z->now = (struct version){.serial = serial, .text = text ? strdup(text) : NULL};
	primary_wake(p);
}

void
primary_set_others(struct primary *p, uint32_t serial)
{
	pthread_mutex_lock(&p->mutex);
	p->others = serial;
	primary_wake(p);
}

void
primary_set_timers(struct primary *p, uint32_t refresh_s, uint32_t retry_s, uint32_t expire_s)
{
	pthread_mutex_lock(&p->mutex);
	p->refresh_s = refresh_s;
	p->retry_s = retry_s;
	p->expire_s = expire_s;
	primary_wake(p);
}

void
primary_set_expire_left(struct primary *p, uint32_t left_s)
{
	pthread_mutex_lock(&p->mutex);
	p->expire_left_s = left_s;
	primary_wake(p);
}

void
primary_set_faults(struct primary *p, unsigned faults)
{
	pthread_mutex_lock(&p->mutex);
	p->faults = faults;
	primary_wake(p);
}

struct primary_counts
primary_counts(struct primary *p)
{
	pthread_mutex_lock(&p->mutex);
	struct primary_counts counts = p->counts;
	pthread_mutex_unlock(&p->mutex);
	return counts;
}
