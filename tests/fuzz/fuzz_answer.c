/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzzes the engine: one query to several servers, over both transports, with room from little to plenty, in bursts
 * that are longer than a group. The judge (judge.h) reads every answer.
 *
 * Input: one octet that chooses the server, then the query.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/judge.h"
#include "zones/answer/engine.h"

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);

#define VARIANTS 4
#define QUERY_MAX 4096

enum { WAY_TCP, WAY_UDP, WAY_UDP_1232, WAY_UDP_TIGHT, WAY_TLS, WAYS };
#define COPIES (ENGINE_GROUP + WAYS) /* every way once behind a full group */

static struct variant {
	struct fuzz_zones zones;
	uint16_t udp_payload;
	uint8_t identity_len;
	bool has_root;
} variants[VARIANTS] = {
	{.udp_payload = 1232, .identity_len = 6},
	{.udp_payload = 512, .identity_len = 255},
	{.udp_payload = 4096, .identity_len = 0, .has_root = true},
	{.udp_payload = 1232, .identity_len = 255, .has_root = true},
};

static void
load_variants(void)
{
	for (unsigned i = 0; i < VARIANTS; i++) {
		struct variant *v = &variants[i];
		struct answer_config config = {.udp_payload = v->udp_payload,
					       .identity_len = v->identity_len,
					       .version_len = v->identity_len};
		memset(config.identity, 'i', sizeof(config.identity));
		memset(config.version, 'v', sizeof(config.version));
		fuzz_zones_load(&v->zones, v->has_root, &config);
	}
}

static uint32_t
room_of(unsigned way, uint32_t query_len)
{
	static const uint32_t rooms[WAYS] = {UINT16_MAX, QUERY_MAX, 1232, 512, UINT16_MAX};
	return query_len > rooms[way] ? query_len : rooms[way];
}

/* Buffers have just the room that the engine is told of, so that a sanitizer sees the first octet too many. */
static void
make_message(struct engine_message *m, unsigned way, const uint8_t *query, uint32_t len)
{
	*m = (struct engine_message){.msg = malloc(room_of(way, len)), .len = len, .cap = room_of(way, len)};
	if (m->msg == NULL)
		abort();
	m->client.transport = way == WAY_TLS ? ENGINE_TLS : way == WAY_TCP ? ENGINE_TCP : ENGINE_UDP;
	m->client.is_v6 = way == WAY_UDP;
	if (len > 0)
		memcpy(m->msg, query, len);
}

static void
judge_message(const struct variant *v, struct engine_message *messages, unsigned i, const uint8_t *query,
	      size_t len)
{
	struct judge_case c[2];
	unsigned which[2] = {WAY_TCP, i};
	for (unsigned k = 0; k < 2; k++) {
		struct engine_message *m = &messages[which[k]];
		c[k] = (struct judge_case){.zones = &v->zones,
					   .query = query,
					   .query_len = len,
					   .cap = m->cap,
					   .is_tcp = m->client.transport != ENGINE_UDP,
					   .reply = m->msg,
					   .reply_len = m->len};
	}
	const char *fault = judge_reply(&c[1]);
	if (fault == NULL && i != WAY_TLS) /* padding makes that one longer */
		fault = judge_truncation(&c[0], &c[1]);
	if (fault != NULL)
		judge_fail(&c[1], fault);
}

/* The same bytes where control takes what is rare: punted and untouched, or answered just as before. */
static void
judge_takes_punts(const struct variant *v, const struct engine_message *plain, const uint8_t *query, uint32_t len)
{
	static struct counters counters;
	struct engine_message m;
	make_message(&m, WAY_TCP, query, len);
	m.takes_punts = true;
	engine_burst(v->zones.set, &m, 1, 1700000000, &counters);
	const char *fault = NULL;
	if (m.verdict != ENGINE_PUNT) {
		if (m.verdict != plain->verdict || m.len != plain->len || memcmp(m.msg, plain->msg, m.len) != 0)
			fault = "answered otherwise where control takes what is rare";
	} else if (m.len != len || memcmp(m.msg, query, len) != 0) {
		fault = "left to control, and changed";
	} else {
		fault = judge_punt(query, len);
	}
	if (fault != NULL)
		judge_fail(&(struct judge_case){.query = query, .query_len = len}, fault);
	free(m.msg);
}

static void
judge_burst(const struct variant *v, struct engine_message *messages, const uint8_t *query, size_t len)
{
	unsigned dropped = 0;
	for (unsigned i = 0; i < COPIES; i++)
		dropped += messages[i].verdict == ENGINE_DROP;
	const char *fault = dropped == COPIES ? judge_drop(query, len)
			    : dropped == 0    ? NULL
					      : "dropped here, answered there";
	if (fault != NULL)
		judge_fail(&(struct judge_case){.query = query, .query_len = len}, fault);
	for (unsigned i = 0; i < COPIES && dropped == 0; i++) {
		const struct engine_message *first = &messages[i % WAYS];
		if (i < WAYS)
			judge_message(v, messages, i, query, len);
		else if (messages[i].len != first->len || memcmp(messages[i].msg, first->msg, first->len) != 0)
			abort(); /* the same question was answered otherwise later in the burst */
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	static struct counters counters;
	struct engine_message messages[COPIES];
	if (size == 0 || size > QUERY_MAX)
		return 0;
	if (variants[0].zones.n == 0)
		load_variants();
	const struct variant *v = &variants[input[0] % VARIANTS];
	const uint8_t *query = input + 1;
	uint32_t len = (uint32_t)size - 1;

	for (unsigned i = 0; i < COPIES; i++)
		make_message(&messages[i], i % WAYS, query, len);
	struct counters before = counters;
	engine_burst(v->zones.set, messages, COPIES, 1700000000, &counters);
	unsigned dropped = 0;
	for (unsigned i = 0; i < COPIES; i++)
		dropped += messages[i].verdict == ENGINE_DROP;
	const char *fault = judge_counters(&before, &counters, COPIES - dropped, dropped);
	if (fault != NULL)
		judge_fail(&(struct judge_case){.query = query, .query_len = len}, fault);
	judge_burst(v, messages, query, len);
	judge_takes_punts(v, &messages[WAY_TCP], query, len);
	for (unsigned i = 0; i < COPIES; i++)
		free(messages[i].msg);
	return 0;
}
