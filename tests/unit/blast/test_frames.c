/* SPDX-License-Identifier: Apache-2.0 */
/* Frames of the load, judged by the daemon's own frame code: it takes our queries, and we take its replies. */
#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bench/blast/ask_mac.h"
#include "bench/blast/check.h"
#include "bench/blast/frames.h"
#include "bench/blast/questions.h"
#include "bench/blast/random.h"
#include "dataplane/frame.h"
#include "zones/base/bytes.h"
#include "zones/wire/rrtype.h"

static const uint8_t our_mac[6] = {2, 0, 0, 0, 0, 1}, server_mac[6] = {2, 0, 0, 0, 0, 2};

static struct sources sources;
static struct frames frames;
static struct frame_local server;
static struct questions q;

/* A server and n sources in the prefix, and a question. */
static void
begin(const char *prefix, unsigned prefix_len, const char *server_text, uint32_t n)
{
	bool v6 = strchr(prefix, ':') != NULL;
	uint8_t base[16] = {0};
	struct frame_service service = {.is_v6 = v6, .port = 53};
	struct name name;
	assert_int_equal(inet_pton(v6 ? AF_INET6 : AF_INET, prefix, base), 1);
	assert_int_equal(inet_pton(v6 ? AF_INET6 : AF_INET, server_text, service.address), 1);
	assert_int_equal(sources_init(&sources, v6, base, prefix_len, n), 0);
	frames_init(&frames, &sources, service.address, 53, our_mac, server_mac);
	server = (struct frame_local){.verify_checksums = true, .answer_neighbours = true};
	memcpy(server.mac, server_mac, 6);
	assert_int_equal(frame_local_add(&server, &service), 0);
	questions_free(&q);
	assert_int_equal(name_from_text("odd.example.", 12, NULL, &name), NAME_OK);
	assert_int_equal(questions_add(&q, &name, RRTYPE_A, &(struct question_style){.edns_size = 1232}), 0);
	assert_int_equal(name_from_text("even.example.", 13, NULL, &name), NAME_OK);
	assert_int_equal(questions_add(&q, &name, RRTYPE_A, &(struct question_style){0}), 0);
}

static uint32_t
write_query(uint8_t *frame, uint32_t source, uint16_t id, uint32_t question)
{
	return frames_write(&frames, frame, source, id, question_message(&q, question), q.items[question].len,
			    q.items[question].sum);
}

/* There and back, with all checksums verified on the way. */
static void
round_trip(uint32_t source, uint16_t id, uint32_t question)
{
	uint8_t frame[512];
	struct frame f;
	struct frames_reply reply;
	uint32_t len = write_query(frame, source, id, question);
	assert_int_equal(frame_classify(&server, frame, len, false, &f), FRAME_QUERY);
	assert_int_equal(f.payload_len, q.items[question].len);
	assert_int_equal(load_be16(frame + f.payload_off), id);
	assert_memory_equal(frame + f.payload_off + 2, question_message(&q, question) + 2, f.payload_len - 2u);
	assert_false(frames_read(&frames, frame, len, &reply)); /* our own query is no reply */
	frames.is_echo = true;
	assert_true(frames_read(&frames, frame, len, &reply)); /* but of an echo */
	assert_int_equal(reply.source, source);
	frames.is_echo = false;
	assert_int_equal(frame_reflect(frame, &f, f.payload_len, false, &len), 0);
	assert_true(frames_read(&frames, frame, len, &reply));
	assert_int_equal(reply.source, source);
	assert_int_equal(reply.len, q.items[question].len);
	assert_int_equal(load_be16(reply.message), id);
}

static void
queries_and_replies_cross(void **state)
{
	static const struct {
		const char *prefix, *server;
		unsigned len;
	} nets[] = {
		{"198.18.0.9", "192.0.2.53", 32},
		{"198.18.255.255", "192.0.2.53", 16},
		{"2001:2::1", "2001:db8::53", 128},
		{"2001:2::ffff:ffff", "2001:db8::53", 48},
	};
	for (unsigned i = 0; i < ARRAY_LEN(nets); i++) {
		begin(nets[i].prefix, nets[i].len, nets[i].server, 3000);
		for (uint32_t source = 0; source < 3000; source++)
			round_trip(source, (uint16_t)(source * 7919), source % 2);
	}
}

static void
sources_are_spread_over_addresses_and_ports(void **state)
{
	uint8_t address[4];
	begin("10.1.2.3", 30, "192.0.2.53", 10);
	assert_int_equal(sources.n_addresses, 4);
	sources_address(&sources, 3, address);
	assert_memory_equal(address, "\12\1\2\3", 4);
	assert_int_equal(sources_port_of(&sources, 9), SOURCES_PORT_FIRST + 2);
	assert_int_equal(sources_find(&sources, address, SOURCES_PORT_FIRST + 1), 7);
	assert_int_equal(sources_find(&sources, address, SOURCES_PORT_FIRST + 2), UINT32_MAX); /* would be 11 */
	assert_int_equal(sources_find(&sources, address, SOURCES_PORT_FIRST - 1), UINT32_MAX);
	address[3] = 4;
	assert_int_equal(sources_find(&sources, address, SOURCES_PORT_FIRST), UINT32_MAX);
	assert_int_equal(sources_init(&sources, false, address, 32, SOURCES_PORTS_MAX + 1), -E2BIG);
}

static void
other_frames_are_no_replies(void **state)
{
	uint8_t good[512], frame[512];
	struct frame f;
	struct frames_reply reply;
	begin("198.18.0.9", 32, "192.0.2.53", 10);
	uint32_t len = write_query(good, 5, 1, 0);
	assert_int_equal(frame_classify(&server, good, len, false, &f), FRAME_QUERY);
	assert_int_equal(frame_reflect(good, &f, f.payload_len, false, &len), 0);
	/* type, version, fragment, protocol, server's address and port, our address and port, UDP's length */
	static const uint8_t places[] = {12, 14, 20, 23, 26, 29, 30, 33, 34, 35, 36, 38};
	for (unsigned i = 0; i < sizeof(places); i++) {
		memcpy(frame, good, len);
		frame[places[i]] ^= 0x20;
		assert_false(frames_read(&frames, frame, len, &reply));
	}
	for (uint32_t cut = 0; cut < len; cut++)
		assert_false(frames_read(&frames, good, cut, &reply));
	assert_true(frames_read(&frames, good, len, &reply));
}

/* Whatever comes from the wire: what is taken for a reply lies inside its frame. */
static void
replies_lie_inside_their_frames(void **state)
{
	uint64_t seed = 3;
	for (unsigned v6 = 0; v6 < 2; v6++) {
		struct frames_reply reply;
		struct frame f;
		uint8_t good[512];
		begin(v6 ? "2001:2::1" : "198.18.0.9", v6 ? 128 : 32, v6 ? "2001:db8::53" : "192.0.2.53", 10);
		uint32_t len = write_query(good, 5, 1, 0);
		assert_int_equal(frame_classify(&server, good, len, false, &f), FRAME_QUERY);
		assert_int_equal(frame_reflect(good, &f, f.payload_len, false, &len), 0);
		for (unsigned i = 0; i < 100000; i++) {
			uint32_t cut = random_below(&seed, 8) == 0 ? random_below(&seed, len + 1) : len;
			uint8_t *frame = malloc(cut); /* of just that size, for the sanitizer */
			assert_true(frame != NULL || cut == 0);
			memcpy(frame, good, cut);
			for (uint32_t n = random_below(&seed, 4); n > 0 && cut > 0; n--)
				frame[random_below(&seed, cut)] = (uint8_t)random_next(&seed);
			if (frames_read(&frames, frame, cut, &reply)) {
				assert_true(reply.message + reply.len <= frame + cut && reply.source < 10);
				(void)check_reply(reply.message, reply.len, question_message(&q, 0), q.items[0].len,
						  CHECK_FULL);
			}
			free(frame);
		}
	}
}

/* The daemon's answers to ARP and ND. */
static void
the_servers_mac_can_be_asked_for(void **state)
{
	static const struct {
		const char *ours, *server;
		unsigned len;
	} nets[] = {{"198.18.0.9", "192.0.2.53", 32}, {"2001:2::1", "2001:db8::53", 128}};
	for (unsigned i = 0; i < 2; i++) {
		uint8_t frame[512] = {0}, mac[6];
		struct frame f;
		begin(nets[i].ours, nets[i].len, nets[i].server, 1);
		struct ask_mac ask = {.is_v6 = i == 1};
		memcpy(ask.mac, our_mac, 6);
		memcpy(ask.server, frames.server, 16);
		sources_address(&sources, 0, ask.source);
		uint32_t len = ask_mac_write(&ask, frame);
		assert_true(len <= ASK_MAC_FRAME_MAX);
		assert_false(ask_mac_read(&ask, frame, len, mac));
		assert_int_equal(frame_classify(&server, frame, len, false, &f), FRAME_NEIGHBOUR);
		len = frame_answer_neighbour(&server, frame, len, sizeof(frame));
		assert_int_not_equal(len, 0);
		assert_true(ask_mac_read(&ask, frame, len, mac));
		assert_memory_equal(mac, server_mac, 6);
		for (uint32_t cut = 0; cut < 42; cut++)
			assert_false(ask_mac_read(&ask, frame, cut, mac));
	}
}

static int
end(void **state)
{
	questions_free(&q);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(queries_and_replies_cross),
		cmocka_unit_test(sources_are_spread_over_addresses_and_ports),
		cmocka_unit_test(other_frames_are_no_replies),
		cmocka_unit_test(replies_lie_inside_their_frames),
		cmocka_unit_test(the_servers_mac_can_be_asked_for),
	};
	return cmocka_run_group_tests_name("blast-frames", tests, NULL, end);
}
