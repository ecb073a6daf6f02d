/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asks a server about the zones of changes.h as fast as it answers, and reads every answer: all of one version, and
 * none older than what had been seen of the zone when the question went out, on whatever socket.
 *
 *     change_load --zones N --seconds S [--answers N] [--server ADDRESS:PORT] [--sockets N] [--window N] [--rate N]
 *                 [--patience SECONDS]
 *
 * `window` questions of a socket are on their way at a time; one that is not answered in time (1 s) is lost, and
 * another takes its place. With --answers it ends when that many have come, at the latest after the seconds. Prints
 * one line of "name=value"; exit code 1: something was lost or wrong. One thread.
 */
#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tests/torture/changes.h"
#include "zones/base/bytes.h"

#define SOCKETS_MAX 64
#define WINDOW_MAX 512
#define BATCH 64
#define REPLY_MAX 2048
#define LOOK_EVERY_NS 50000000ull /* for lost ones */

/* A question on its way. Ids tell the slot and how often it was used, so that a late answer is known as one. */
struct slot {
	bool is_used;
	uint8_t question;
	uint16_t id, query_len;
	unsigned zone;
	uint32_t floor; /* the newest serial seen when it was asked */
	uint64_t asked_ns;
	uint8_t query[CHANGES_QUERY_MAX];
};

struct asker {
	int fd;
	unsigned n_free;
	uint16_t free[WINDOW_MAX]; /* slots */
	struct slot slot[WINDOW_MAX];
};

struct load {
	unsigned n_zones, n_sockets, window;
	double seconds, rate;
	uint64_t lost_after_ns;
	uint64_t wanted; /* answers; 0: any number */
	struct sockaddr_in server;
	uint32_t *newest; /* serial seen of each zone */
	uint64_t asked, answers, lost, late, mixed, back, faults, versions;
	uint64_t random, begin_ns, longest_ns;
	char fault[128];
	struct asker *askers[SOCKETS_MAX];
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

static uint64_t
next_random(struct load *l)
{
	l->random ^= l->random << 13;
	l->random ^= l->random >> 7;
	l->random ^= l->random << 17;
	return l->random;
}

/* -------- asking -------- */

static void
slot_fill(struct load *l, struct slot *s, uint64_t now)
{
	uint64_t random = next_random(l);
	s->is_used = true;
	s->id = (uint16_t)(s->id + WINDOW_MAX);
	s->zone = (unsigned)((random >> 32) % l->n_zones);
	s->question = (uint8_t)((random & 0xffff) % CHANGES_QUESTIONS);
	s->floor = l->newest[s->zone];
	s->asked_ns = now;
	s->query_len = (uint16_t)change_ask(s->zone, s->question, s->id, s->query);
}

/* Sends as many questions as there are free slots, and as the rate allows. */
static void
ask(struct load *l, struct asker *a, uint64_t now)
{
	struct mmsghdr messages[BATCH];
	struct iovec parts[BATCH];
	uint64_t allowed = l->rate > 0 ? (uint64_t)(l->rate * (double)(now - l->begin_ns) / 1e9) - l->asked : BATCH;
	while (a->n_free > 0 && allowed > 0) {
		unsigned n = 0, sent;
		for (; n < BATCH && n < a->n_free && n < allowed; n++) {
			struct slot *s = &a->slot[a->free[a->n_free - 1 - n]];
			slot_fill(l, s, now);
			parts[n] = (struct iovec){s->query, s->query_len};
			messages[n].msg_hdr = (struct msghdr){.msg_iov = &parts[n], .msg_iovlen = 1};
		}
		int rc = sendmmsg(a->fd, messages, n, 0);
		sent = rc > 0 ? (unsigned)rc : 0;
		for (unsigned i = sent; i < n; i++)
			a->slot[a->free[a->n_free - 1 - i]].is_used = false;
		a->n_free -= sent;
		l->asked += sent;
		if (l->rate > 0)
			allowed -= sent;
		if (sent < n)
			return;
	}
}

/* -------- answers -------- */

static void
take(struct load *l, struct asker *a, const uint8_t *msg, size_t len, uint64_t now)
{
	struct slot *s = &a->slot[len < DNS_HEADER_LEN ? 0 : load_be16(msg) % WINDOW_MAX];
	if (len < DNS_HEADER_LEN || !s->is_used || load_be16(msg) != s->id) {
		l->late++;
		return;
	}
	s->is_used = false;
	a->free[a->n_free++] = (uint16_t)(s - a->slot);
	l->answers++;
	if (now - s->asked_ns > l->longest_ns)
		l->longest_ns = now - s->asked_ns;
	struct change_verdict v = change_judge(s->question, s->query, s->query_len, msg, len);
	bool is_back = !v.fault && v.serial < s->floor;
	l->mixed += v.is_mixed;
	l->faults += v.fault && !v.is_mixed;
	l->back += is_back;
	if ((v.fault || is_back) && !l->fault[0])
		snprintf(l->fault, sizeof(l->fault), "zone %u, question %u, serial %u, floor %u: %s", s->zone,
			 s->question, v.serial, s->floor, v.fault ? v.fault : "back");
	if (!v.fault && v.serial > l->newest[s->zone]) {
		l->newest[s->zone] = v.serial;
		l->versions++;
	}
}

static bool
receive(struct load *l, struct asker *a)
{
	static uint8_t octets[BATCH][REPLY_MAX];
	struct mmsghdr messages[BATCH];
	struct iovec parts[BATCH];
	for (unsigned i = 0; i < BATCH; i++) {
		parts[i] = (struct iovec){octets[i], REPLY_MAX};
		messages[i].msg_hdr = (struct msghdr){.msg_iov = &parts[i], .msg_iovlen = 1};
	}
	int n = recvmmsg(a->fd, messages, BATCH, MSG_DONTWAIT, NULL);
	uint64_t now = now_ns();
	for (int i = 0; i < n; i++)
		take(l, a, octets[i], messages[i].msg_len, now);
	return n == BATCH;
}

static void
look_for_lost(struct load *l, struct asker *a, uint64_t now)
{
	for (unsigned i = 0; i < l->window; i++) {
		struct slot *s = &a->slot[i];
		if (!s->is_used || now - s->asked_ns < l->lost_after_ns)
			continue;
		s->is_used = false;
		a->free[a->n_free++] = (uint16_t)i;
		l->lost++;
	}
}

/* -------- the run -------- */

static struct asker *
asker_new(const struct load *l)
{
	int bytes = 8 << 20;
	struct asker *a = calloc(1, sizeof(*a));
	if (!a)
		die("calloc");
	a->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (a->fd < 0 || connect(a->fd, (const struct sockaddr *)&l->server, sizeof(l->server)) != 0)
		die("socket");
	setsockopt(a->fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes));
	for (unsigned i = 0; i < l->window; i++) {
		a->slot[i].id = (uint16_t)i;
		a->free[a->n_free++] = (uint16_t)i;
	}
	return a;
}

static bool
is_over(const struct load *l, uint64_t now)
{
	return now - l->begin_ns >= (uint64_t)(l->seconds * 1e9) || (l->wanted && l->answers >= l->wanted);
}

/* Waits for the answers that are on their way. */
static void
drain(struct load *l)
{
	uint64_t end = now_ns() + l->lost_after_ns;
	unsigned n_open = 1;
	while (n_open && now_ns() < end) {
		n_open = 0;
		for (unsigned i = 0; i < l->n_sockets; i++) {
			receive(l, l->askers[i]);
			n_open += l->window - l->askers[i]->n_free;
		}
		if (n_open)
			poll(NULL, 0, 1);
	}
	l->lost += n_open;
}

static void
run(struct load *l)
{
	struct pollfd fds[SOCKETS_MAX];
	uint64_t looked_ns = 0, now;
	for (unsigned i = 0; i < l->n_sockets; i++) {
		l->askers[i] = asker_new(l);
		fds[i] = (struct pollfd){.fd = l->askers[i]->fd, .events = POLLIN};
	}
	l->begin_ns = now_ns();
	while (now = now_ns(), !is_over(l, now)) {
		bool is_due = now - looked_ns > LOOK_EVERY_NS;
		for (unsigned i = 0; i < l->n_sockets; i++) {
			while (receive(l, l->askers[i]))
				;
			if (is_due)
				look_for_lost(l, l->askers[i], now);
			ask(l, l->askers[i], now);
		}
		looked_ns = is_due ? now : looked_ns;
		poll(fds, l->n_sockets, l->rate > 0 ? 1 : 10);
	}
}

static void
report(const struct load *l, double seconds)
{
	/* What came late was counted as lost, too. */
	printf("answers=%lu rate=%.0f seconds=%.3f lost=%lu late=%lu mixed=%lu back=%lu faults=%lu versions=%lu "
	       "longest_ms=%.1f\n",
	       l->answers, (double)l->answers / seconds, seconds, l->lost, l->late, l->mixed, l->back, l->faults,
	       l->versions, (double)l->longest_ns / 1e6);
	if (l->fault[0])
		fprintf(stderr, "first fault: %s\n", l->fault);
}

static bool
option(struct load *l, const char *name, const char *value)
{
	char host[64];
	unsigned port;
	if (strcmp(name, "--zones") == 0)
		l->n_zones = (unsigned)atoi(value);
	else if (strcmp(name, "--sockets") == 0)
		l->n_sockets = (unsigned)atoi(value);
	else if (strcmp(name, "--window") == 0)
		l->window = (unsigned)atoi(value);
	else if (strcmp(name, "--seconds") == 0)
		l->seconds = atof(value);
	else if (strcmp(name, "--rate") == 0)
		l->rate = atof(value);
	else if (strcmp(name, "--patience") == 0)
		l->lost_after_ns = (uint64_t)(atof(value) * 1e9);
	else if (strcmp(name, "--answers") == 0)
		l->wanted = strtoull(value, NULL, 10);
	else if (strcmp(name, "--server") == 0 && sscanf(value, "%63[0-9.]:%u", host, &port) == 2)
		l->server = (struct sockaddr_in){.sin_family = AF_INET,
						 .sin_port = htons((uint16_t)port),
						 .sin_addr.s_addr = inet_addr(host)};
	else
		return false;
	return true;
}

int
main(int argc, char **argv)
{
	static struct load l = {.n_sockets = 4,
				.window = 64,
				.seconds = 10,
				.lost_after_ns = 1000000000,
				.random = 0x9e3779b97f4a7c15};
	bool good = argc % 2 == 1 && option(&l, "--server", "127.0.0.1:53");
	for (int i = 1; i + 1 < argc; i += 2)
		good &= option(&l, argv[i], argv[i + 1]);
	if (!good || l.n_zones == 0 || l.n_zones > CHANGES_ZONES_MAX || l.n_sockets == 0 ||
	    l.n_sockets > SOCKETS_MAX || l.window == 0 || l.window > WINDOW_MAX) {
		fputs("usage: see the head of change_load.c\n", stderr);
		return 2;
	}
	l.newest = calloc(l.n_zones, sizeof(*l.newest));
	if (!l.newest)
		die("calloc");
	run(&l);
	double seconds = (double)(now_ns() - l.begin_ns) / 1e9;
	drain(&l);
	report(&l, seconds);
	return l.lost || l.mixed || l.back || l.faults || l.answers == 0;
}
