/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The mutation campaign: mutated query packets through frames and engine, as a worker takes them, in one process.
 *
 *     mutate --packets N [--seed S]
 *
 * A port's account must come out even after every burst: what came in was answered, given to the kernel, or dropped
 * for one reason; what was left to control is answered here in its place. Every answer is read by the judge
 * (judge.h), and its frame by code of its own. Prints what became of the packets. A violation prints the packet and
 * aborts.
 */
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/fuzz/check.h"
#include "tests/fuzz/judge.h"
#include "tests/fuzz/mutate_packet.h"
#include "tests/unit/dataplane/frame_fixture.h"
#include "zones/answer/engine.h"

#define BURST 32
#define UDP_PAYLOAD 1232

/* One packet in flight, and what it was. */
struct flight {
	uint8_t data[PACKET_ROOM], was[PACKET_ROOM];
	uint32_t len;
	struct frame frame, frame_was;
};

struct campaign {
	struct fuzz_zones zones;
	struct packet_source source;
	struct frame_local local;
	struct counters counters;
	struct flight flights[BURST];
	struct flight *held[BURST];
	struct engine_message messages[BURST];
	uint64_t answers, neighbours, punts;
};

/* -------- the port -------- */

static void
hold_query(struct campaign *c, struct flight *f, unsigned n)
{
	struct engine_message *m = &c->messages[n];
	c->held[n] = f;
	f->frame_was = f->frame;
	*m = (struct engine_message){
		.msg = f->data + f->frame.payload_off,
		.len = f->frame.payload_len,
		.cap = UDP_PAYLOAD,
		.takes_punts = true,
	};
	if (m->cap < m->len)
		m->cap = m->len;
	m->client.is_v6 = f->frame.is_v6;
	memcpy(m->client.address, frame_source(f->data, &f->frame), f->frame.is_v6 ? 16 : 4);
}

/* Takes one packet; true if it became message n. */
static bool
take_packet(struct campaign *c, struct flight *f, unsigned n)
{
	bool vouched = !c->local.verify_checksums;
	counter_add(&c->counters.rx, 1);
	switch (frame_classify(&c->local, f->data, f->len, vouched, &f->frame)) {
	case FRAME_QUERY:
		hold_query(c, f, n);
		return true;
	case FRAME_NEIGHBOUR:
		if (frame_answer_neighbour(&c->local, f->data, f->len, PACKET_ROOM) == 0) {
			counter_add(&c->counters.drop[DROP_NEIGHBOUR], 1);
		} else {
			counter_add(&c->counters.tx, 1);
			c->neighbours++;
		}
		return false;
	case FRAME_KERNEL:
		CHECK(c->local.has_kernel);
		counter_add(&c->counters.to_kernel, 1);
		return false;
	case FRAME_DROP:
		counter_add(&c->counters.drop[f->frame.drop], 1);
		return false;
	}
	abort();
}

/* -------- checks -------- */

static void
check_query(const struct campaign *c, const struct flight *f, const struct engine_message *m)
{
	struct judge_case judged = {.zones = &c->zones,
				    .query = f->was + f->frame_was.payload_off,
				    .query_len = f->frame_was.payload_len,
				    .cap = m->cap,
				    .reply = m->msg,
				    .reply_len = m->verdict == ENGINE_ANSWER ? m->len : 0};
	const char *fault =
		m->verdict == ENGINE_ANSWER ? judge_reply(&judged) : judge_drop(judged.query, judged.query_len);
	if (fault != NULL)
		judge_fail(&judged, fault);
}

/* The reply's frame: addresses swapped, lengths that agree, right checksums. fuzz_frame.c looks closer. */
static void
check_reply_frame(const struct flight *f, uint32_t begin, uint32_t len, uint32_t payload_len)
{
	const uint8_t *reply = f->data + begin, *ip = reply + f->frame_was.l3_off;
	uint32_t header = f->frame.is_v6 ? 40 : 20;
	const uint8_t *udp = ip + header;
	CHECK(len == f->frame_was.l3_off + header + 8 + payload_len);
	CHECK(memcmp(reply, f->was + 6, 6) == 0 && memcmp(reply + 6, f->was, 6) == 0);
	CHECK(memcmp(udp, f->was + f->frame_was.l4_off + 2, 2) == 0 &&
	      memcmp(udp + 2, f->was + f->frame_was.l4_off, 2) == 0);
	CHECK(fixture_u16(udp + 4) == 8 + payload_len && fixture_u16(udp + 6) != 0);
	CHECK(fixture_upper_sum(ip, udp, 8 + payload_len, 17) == 0xffff);
	CHECK(f->frame.is_v6 || (fixture_sum(0, ip, 20) == 0xffff && fixture_u16(ip + 2) == 28 + payload_len));
}

static void
send_answer(struct campaign *c, struct flight *f, const struct engine_message *m)
{
	uint32_t len, begin = frame_reflect(f->data, &f->frame, m->len, false, &len);
	check_reply_frame(f, begin, len, m->len);
	counter_add(&c->counters.tx, 1);
	c->answers++;
}

/* Control's part: the same message once more, with what the reply may have. */
static void
answer_punt(struct campaign *c, const struct flight *f, struct engine_message *m)
{
	const uint8_t *query = f->was + f->frame_was.payload_off;
	const char *fault = judge_punt(query, f->frame_was.payload_len);
	if (fault != NULL)
		judge_fail(&(struct judge_case){.query = query, .query_len = f->frame_was.payload_len}, fault);
	CHECK(m->len == f->frame_was.payload_len && memcmp(m->msg, query, m->len) == 0);
	m->takes_punts = false;
	m->cap = m->cap < m->len ? m->len : m->cap;
	engine_burst(c->zones.set, m, 1, 1700000000, &c->counters);
	CHECK(m->verdict == ENGINE_ANSWER);
	c->punts++;
}

static uint64_t
dropped(const struct counters *c)
{
	uint64_t n = 0;
	for (unsigned i = 0; i < DROP_REASON_COUNT; i++)
		n += c->drop[i];
	return n;
}

/* -------- bursts -------- */

static void
run_burst(struct campaign *c, unsigned n_packets)
{
	unsigned n = 0, unanswered = 0;
	for (unsigned i = 0; i < n_packets; i++) {
		struct flight *f = &c->flights[i];
		f->len = packet_next(&c->source, f->data);
		memcpy(f->was, f->data, f->len);
		n += take_packet(c, f, n);
	}
	struct counters before = c->counters;
	engine_burst(c->zones.set, c->messages, n, 1700000000, &c->counters);
	for (unsigned i = 0; i < n; i++) {
		if (c->messages[i].verdict == ENGINE_PUNT)
			answer_punt(c, c->held[i], &c->messages[i]);
	}
	for (unsigned i = 0; i < n; i++) {
		check_query(c, c->held[i], &c->messages[i]);
		if (c->messages[i].verdict == ENGINE_ANSWER)
			send_answer(c, c->held[i], &c->messages[i]);
		else
			unanswered++;
	}
	const char *fault = judge_counters(&before, &c->counters, n - unanswered, unanswered);
	if (fault != NULL)
		judge_fail(&(struct judge_case){0}, fault);
	CHECK(c->counters.punted == c->punts);
	CHECK(c->counters.rx == c->counters.tx + c->counters.to_kernel + dropped(&c->counters));
}

/* A port of another kind for every burst: with and without a kernel, with and without checksums in hardware. */
static void
run(struct campaign *c, uint64_t packets)
{
	for (uint64_t left = packets; left > 0;) {
		unsigned n = left < BURST ? (unsigned)left : 1 + random_below(&c->source, BURST);
		c->local.has_kernel = random_below(&c->source, 2);
		c->local.answer_neighbours = !c->local.has_kernel;
		c->local.verify_checksums = random_below(&c->source, 4) != 0;
		run_burst(c, n);
		left -= n;
	}
}

static void
print_account(const struct campaign *c, uint64_t seed, double seconds)
{
	const struct counters *k = &c->counters;
	printf("seed %" PRIu64 ", %.1f s\n", seed, seconds);
	printf("%12" PRIu64 " received\n", k->rx);
	printf("%12" PRIu64 " answered: queries %" PRIu64 ", of them by control %" PRIu64 ", neighbours %" PRIu64
	       "\n",
	       k->tx, c->answers, c->punts, c->neighbours);
	for (unsigned i = 0; i < COUNTERS_RCODES; i++) {
		if (k->rcode[i] != 0)
			printf("%12" PRIu64 "   rcode %u\n", k->rcode[i], i);
	}
	printf("%12" PRIu64 "   with TC\n", k->truncated);
	printf("%12" PRIu64 " to the kernel\n", k->to_kernel);
	for (unsigned i = 0; i < DROP_REASON_COUNT; i++) {
		if (k->drop[i] != 0)
			printf("%12" PRIu64 " dropped: %s\n", k->drop[i], drop_reason_label(i));
	}
	printf("%12" PRId64 " unaccounted\n", (int64_t)(k->rx - k->tx - k->to_kernel - dropped(k)));
}

int
main(int argc, char **argv)
{
	static const struct option options[] = {{"packets", 1, NULL, 'p'}, {"seed", 1, NULL, 's'}, {0}};
	static struct campaign c;
	uint64_t packets = 0, seed = 1;
	for (int o; (o = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		if (o == 'p')
			packets = strtoull(optarg, NULL, 10);
		else if (o == 's')
			seed = strtoull(optarg, NULL, 10);
	}
	if (packets == 0) {
		fprintf(stderr, "usage: mutate --packets N [--seed S]\n");
		return 2;
	}
	struct answer_config config = {.udp_payload = UDP_PAYLOAD, .identity_len = 6, .identity = "fra1-a"};
	fuzz_zones_load(&c.zones, false, &config);
	packet_source_init(&c.source, &c.zones, seed);
	fixture_local(&c.local);

	struct timespec begin, end;
	clock_gettime(CLOCK_MONOTONIC, &begin);
	run(&c, packets);
	clock_gettime(CLOCK_MONOTONIC, &end);
	print_account(&c, seed, (double)(end.tv_sec - begin.tv_sec) + (double)(end.tv_nsec - begin.tv_nsec) / 1e9);
	fuzz_zones_free(&c.zones);
	return 0;
}
