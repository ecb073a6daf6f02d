/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sends mutated DNS queries to a server and counts what comes back.
 *
 *     mutate ADDRESS COUNT SEED
 *
 * Queries go out in batches; behind each batch goes a question that must be answered, the fence. Its answer arrives
 * after those to the batch, because all of them take one queue; so nothing overruns a buffer, and when a fence
 * stays unanswered the server is gone. What the server's control thread answers takes another way and may come
 * later, so the end waits for what is still to come. The same seed sends the same packets. Prints `sent N answered
 * M fences F`: packets sent (fences among them) and answers received (to fences, too). Exit code 1: a fence was
 * never answered.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define BATCH 64
#define PACKET_MAX 1400
#define FENCE_TRIES 5
#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

struct packet {
	uint8_t data[PACKET_MAX];
	size_t len;
};

struct campaign {
	int fd;
	uint64_t random;
	uint64_t sent, answered, fences;
};

/* Seeds: header, question, and EDNS options of several kinds; what the server must read is in them somewhere. */
#define HEADER "\x12\x34\x00\x00\x00\x01\x00\x00\x00\x00\x00"
static const struct {
	const char *data;
	size_t len;
} seeds[] = {
#define SEED(text)                                                                                                 \
	{                                                                                                          \
		text, sizeof(text) - 1                                                                             \
	}
	SEED(HEADER "\x00\x03www\x07"
		    "example\x03"
		    "com\x00\x00\x01\x00\x01"),
	SEED(HEADER "\x01\x07"
		    "example\x03"
		    "com\x00\x00\xff\x00\x01\x00\x00\x29\x04\xd0\x00\x00\x80\x00\x00\x00"),
	SEED(HEADER "\x01\x04shop\x07"
		    "example\x03"
		    "com\x00\x00\x1c\x00\x01\x00\x00\x29\x10\x00\x00\x00\x00\x00\x00\x04\x00\x03\x00\x00"),
	SEED(HEADER "\x01\x01x\x03old\x07"
		    "example\x03"
		    "com\x00\x00\x01\x00\x01\x00\x00\x29\x02\x00\x00\x00\x80\x00\x00\x0c\x00\x0a\x00\x08"
		    "01234567"),
	SEED(HEADER "\x00\x05svcb2\x09"
		    "all-types\x07"
		    "example\x00\x00\x40\x00\x01"),
	SEED(HEADER "\x00\x02id\x06server\x00\x00\x10\x00\x03"),
	SEED("\x12\x34\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x03www\xc0\x0c\x00\x01\x00\x01"),
	SEED("\x12\x34\x28\x00\x00\x01\x00\x00\x00\x01\x00\x00\x07"
	     "example\x03"
	     "com\x00\x00\x06\x00\x01\x03www\xc0\x0c\x00\x01\x00\x01\x00\x00\x0e\x10\x00\x04\xc0\x00\x02\x01"),
	/* signed, with a MAC that is wrong */
	SEED(HEADER
	     "\x01\x03www\x07"
	     "example\x03"
	     "com\x00\x00\x01\x00\x01\x04test\x03key\x00\x00\xfa\x00\xff\x00\x00\x00\x00\x00\x3d\x0bhmac-sha256"
	     "\x00\x00\x00\x65\x53\xf1\x00\x01\x2c\x00\x20"
	     "0123456789abcdef0123456789abcdef\x12\x34\x00\x00\x00\x00"),
#undef SEED
};

/* xorshift64*: the same sequence everywhere. */
static uint32_t
random_next(struct campaign *c)
{
	c->random ^= c->random >> 12;
	c->random ^= c->random << 25;
	c->random ^= c->random >> 27;
	return (uint32_t)(c->random * UINT64_C(2685821657736338717) >> 32);
}

static uint32_t
random_below(struct campaign *c, size_t n)
{
	return n == 0 ? 0 : random_next(c) % (uint32_t)n;
}

static void
mutate_insert(struct campaign *c, struct packet *p)
{
	size_t n = 1 + random_below(c, 64), at = random_below(c, p->len + 1);
	if (p->len + n > PACKET_MAX)
		return;
	memmove(p->data + at + n, p->data + at, p->len - at);
	for (size_t i = 0; i < n; i++)
		p->data[at + i] = (uint8_t)random_next(c);
	p->len += n;
}

/* Repeats a piece of the packet: labels, records and options come twice. */
static void
mutate_repeat(struct campaign *c, struct packet *p)
{
	size_t from = random_below(c, p->len), n = 1 + random_below(c, p->len - from);
	if (p->len + n > PACKET_MAX)
		return;
	memcpy(p->data + p->len, p->data + from, n);
	p->len += n;
}

static void
mutate_once(struct campaign *c, struct packet *p)
{
	static const uint8_t edges[] = {0x00, 0x01, 0x3f, 0x40, 0x7f, 0x80, 0xc0, 0xff};
	if (p->len == 0)
		return;
	switch (random_below(c, 7)) {
	case 0: /* a bit */
		p->data[random_below(c, p->len)] ^= (uint8_t)(1u << random_below(c, 8));
		break;
	case 1: /* an octet */
		p->data[random_below(c, p->len)] = (uint8_t)random_next(c);
		break;
	case 2: /* an octet that means something as a length or a pointer */
		p->data[random_below(c, p->len)] = edges[random_below(c, sizeof(edges))];
		break;
	case 3: /* the end is missing */
		p->len = random_below(c, p->len + 1);
		break;
	case 4:
		mutate_insert(c, p);
		break;
	case 5:
		mutate_repeat(c, p);
		break;
	default: /* the header: flags and counts */
		p->data[random_below(c, p->len < 12 ? p->len : 12)] = (uint8_t)random_below(c, 4);
		break;
	}
}

static void
make_mutant(struct campaign *c, struct packet *p)
{
	size_t i = random_below(c, ARRAY_LEN(seeds));
	memcpy(p->data, seeds[i].data, seeds[i].len);
	p->len = seeds[i].len;
	for (uint32_t n = 1 + random_below(c, 6); n > 0; n--)
		mutate_once(c, p);
}

/* Receives until the answer to the fence is there; false when none came in time. */
static bool
wait_for_fence(struct campaign *c, const uint8_t *question, size_t len)
{
	uint8_t answer[65536];
	for (;;) {
		ssize_t n = recv(c->fd, answer, sizeof(answer), 0);
		if (n < 0 && errno == ECONNREFUSED)
			continue; /* a port unreachable that an earlier packet caused */
		if (n < 0)
			return false;
		c->answered++;
		if ((size_t)n >= 12 + len && memcmp(answer + 12, question, len) == 0)
			return true;
	}
}

/* Asks for a name that no other packet asks for. */
static bool
pass_fence(struct campaign *c)
{
	uint8_t query[64] = "\xfe\x0c\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00";
	char label[16];
	for (int attempt = 0; attempt < FENCE_TRIES; attempt++) {
		int n = snprintf(label, sizeof(label), "fence%010u", (unsigned)++c->fences);
		query[12] = (uint8_t)n;
		memcpy(query + 13, label, (size_t)n);
		memcpy(query + 13 + n,
		       "\x07"
		       "example\x03"
		       "com\x00\x00\x01\x00\x01",
		       17);
		size_t len = 13 + (size_t)n + 17;
		if (send(c->fd, query, len, 0) == (ssize_t)len)
			c->sent++;
		if (wait_for_fence(c, query + 12, len - 12))
			return true;
	}
	return false;
}

/* Answers that are on their way when the last fence has been passed. */
static void
receive_the_rest(struct campaign *c)
{
	uint8_t answer[65536];
	struct timeval patience = {.tv_usec = 500000};
	if (setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) != 0)
		return;
	for (ssize_t n; (n = recv(c->fd, answer, sizeof(answer), 0)) >= 0 || errno == ECONNREFUSED;)
		c->answered += n >= 0;
}

static bool
send_batch(struct campaign *c, unsigned n)
{
	static struct packet packets[BATCH];
	struct mmsghdr messages[BATCH] = {0};
	struct iovec parts[BATCH];
	for (unsigned i = 0; i < n; i++) {
		make_mutant(c, &packets[i]);
		parts[i] = (struct iovec){packets[i].data, packets[i].len};
		messages[i].msg_hdr = (struct msghdr){.msg_iov = &parts[i], .msg_iovlen = 1};
	}
	for (unsigned done = 0; done < n;) {
		int k = sendmmsg(c->fd, messages + done, n - done, 0);
		if (k < 0 && errno != ECONNREFUSED)
			return false;
		done += k > 0 ? (unsigned)k : 0;
	}
	c->sent += n;
	return pass_fence(c);
}

static int
open_socket(const char *address)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(53)};
	struct timeval patience = {.tv_sec = 2};
	int size = 4 << 20, fd = socket(AF_INET, SOCK_DGRAM, 0);
	if (fd < 0 || inet_pton(AF_INET, address, &v4.sin_addr) != 1 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)) != 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) != 0 ||
	    connect(fd, (struct sockaddr *)&v4, sizeof(v4)) != 0)
		return -1;
	return fd;
}

int
main(int argc, char **argv)
{
	struct campaign c = {.fd = argc == 4 ? open_socket(argv[1]) : -1};
	bool alive = c.fd >= 0;
	if (!alive) {
		fprintf(stderr, "usage: mutate ADDRESS COUNT SEED\n");
		return 2;
	}
	uint64_t count = strtoull(argv[2], NULL, 10);
	c.random = strtoull(argv[3], NULL, 10) * 2 + 1;
	while (alive && c.sent < count)
		alive = send_batch(&c, BATCH);
	receive_the_rest(&c);
	printf("sent %llu answered %llu fences %llu\n", (unsigned long long)c.sent, (unsigned long long)c.answered,
	       (unsigned long long)c.fences);
	close(c.fd);
	return alive ? 0 : 1;
}
