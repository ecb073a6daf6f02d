/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the dataplane's tests share: an engine of a few lines, an RCU-registered worker thread, a UDP client.
 *
 * The engine answers a query of at least 12 octets with itself: QR set, and as many octets of 0xA5 behind it as
 * bytes 10 and 11 (ARCOUNT) say, up to the room that the port gave. Shorter ones and responses are dropped, as the
 * real one does. NOTIFY is left to control where the port lets it.
 */
#ifndef ANSER_TESTS_DATAPLANE_FIXTURE_H
#define ANSER_TESTS_DATAPLANE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <pthread.h>
#include <string.h>
#include <urcu-qsbr.h>

#include "dataplane/dataplane.h"
#include "zones/answer/engine.h"

#define FIXTURE_PAD 0xA5
#define FIXTURE_NOTIFY 0x20 /* flags octet */

static uint32_t fixture_now_s;    /* the engine's last now */
static unsigned fixture_last_cap; /* the engine's last cap */
static struct engine_client fixture_last_client;
static const struct zone_set *fixture_last_set;

static bool
fixture_answer(struct engine_message *m)
{
	if (m->len < 12 || m->msg[2] & 0x80)
		return false;
	m->msg[2] |= 0x80;
	uint32_t pad = (uint32_t)m->msg[10] << 8 | m->msg[11];
	if (pad > m->cap - m->len)
		pad = m->cap - m->len;
	memset(m->msg + m->len, FIXTURE_PAD, pad);
	m->len += pad;
	return true;
}

void
engine_burst(const struct zone_set *set, struct engine_message *messages, unsigned n, uint32_t now_s,
	     struct counters *counters)
{
	__atomic_store_n(&fixture_now_s, now_s, __ATOMIC_RELAXED);
	fixture_last_set = set;
	for (unsigned i = 0; i < n; i++) {
		struct engine_message *m = &messages[i];
		fixture_last_cap = m->cap;
		fixture_last_client = m->client;
		if (m->takes_punts && m->len >= 12 && m->msg[2] == FIXTURE_NOTIFY) {
			m->verdict = ENGINE_PUNT;
			m->cap = 512;
			counter_add(&counters->punted, 1);
			continue;
		}
		counter_add(m->client.is_v6 ? &counters->queries_v6 : &counters->queries_v4, 1);
		if (fixture_answer(m)) {
			m->verdict = ENGINE_ANSWER;
			continue;
		}
		m->verdict = ENGINE_DROP;
		m->drop = m->len < 12 ? DROP_SHORT : DROP_RESPONSE;
		counter_add(&counters->drop[m->drop], 1);
	}
}

struct fixture_worker {
	struct dataplane *dp;
	unsigned index;
	pthread_t thread;
};

static void *
fixture_thread(void *arg)
{
	struct fixture_worker *f = arg;
	urcu_qsbr_register_thread();
	dataplane_worker_run(f->dp, f->index);
	urcu_qsbr_unregister_thread();
	return NULL;
}

static inline void
fixture_start(struct fixture_worker *f, struct dataplane *dp, unsigned index)
{
	f->dp = dp;
	f->index = index;
	assert_int_equal(pthread_create(&f->thread, NULL, fixture_thread, f), 0);
}

static inline uint64_t
fixture_drops(const struct counters *c)
{
	uint64_t sum = 0;
	for (unsigned i = 0; i < DROP_REASON_COUNT; i++)
		sum += counter_read(&c->drop[i]);
	return sum;
}

/* Counting rule: every packet is answered, handed to the kernel, or dropped under one reason. */
static inline void
fixture_assert_accounted(const struct counters *c)
{
	assert_int_equal(counter_read(&c->rx),
			 counter_read(&c->tx) + counter_read(&c->to_kernel) + fixture_drops(c));
}

static inline struct sockaddr_storage
fixture_address(const char *ip, uint16_t port)
{
	struct sockaddr_storage s = {0};
	struct sockaddr_in *v4 = (struct sockaddr_in *)&s;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&s;
	if (inet_pton(AF_INET, ip, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(port);
	} else {
		assert_int_equal(inet_pton(AF_INET6, ip, &v6->sin6_addr), 1);
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons(port);
	}
	return s;
}

/* A header with this id, flags octet and ARCOUNT, which is the padding asked for; `len` of its octets are written.
 */
static inline void
fixture_query(uint8_t *out, size_t len, uint16_t id, uint8_t flags, uint16_t pad)
{
	memset(out, 0, len);
	uint8_t header[12] = {(uint8_t)(id >> 8),  (uint8_t)id, flags, 0, 0, 1, 0, 0, 0, 0,
			      (uint8_t)(pad >> 8), (uint8_t)pad};
	memcpy(out, header, len < 12 ? len : 12);
}

#endif
