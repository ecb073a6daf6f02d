/* SPDX-License-Identifier: Apache-2.0 */
/* Connections by source: a hash table with chains, sized for max-connections. See tcp_sources.h. */
#include "control/net/tcp_sources.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <xxhash.h>

struct tcp_source {
	struct tcp_source *next;
	uint32_t bucket, connections;
	uint8_t key[17]; /* address, cut to the prefix, and the family */
};

struct tcp_sources {
	pthread_mutex_t mutex;
	uint32_t n, max, max_per_source, mask;
	uint64_t seed; /* clients choose their addresses; they shall not choose their chains */
	struct tcp_source *bucket[];
};

struct tcp_sources *
tcp_sources_new(uint32_t max_connections, uint32_t max_per_source)
{
	uint32_t size = 64;
	while (size < max_connections && size < UINT32_C(1) << 24)
		size *= 2;
	struct tcp_sources *s = calloc(1, sizeof(*s) + size * sizeof(s->bucket[0]));
	if (!s)
		return NULL;
	pthread_mutex_init(&s->mutex, NULL);
	s->mask = size - 1;
	s->max = max_connections;
	s->max_per_source = max_per_source;
	ssize_t n = getrandom(&s->seed, sizeof(s->seed), 0);
	assert(n == sizeof(s->seed)); /* requests this small are never cut short (random(7)) */
	(void)n;
	return s;
}

void
tcp_sources_free(struct tcp_sources *s)
{
	if (!s)
		return;
	assert(s->n == 0);
	pthread_mutex_destroy(&s->mutex);
	free(s);
}

static enum tcp_entry
enter_locked(struct tcp_sources *s, const uint8_t key[17], struct tcp_source **out)
{
	if (s->n >= s->max)
		return TCP_ENTRY_FULL;
	uint32_t bucket = (uint32_t)XXH3_64bits_withSeed(key, 17, s->seed) & s->mask;
	struct tcp_source *source = s->bucket[bucket];
	while (source && memcmp(source->key, key, 17) != 0)
		source = source->next;
	if (source && source->connections >= s->max_per_source)
		return TCP_ENTRY_SOURCE_FULL;
	if (!source) {
		source = calloc(1, sizeof(*source));
		if (!source)
			return TCP_ENTRY_NO_MEMORY;
		memcpy(source->key, key, 17);
		source->bucket = bucket;
		source->next = s->bucket[bucket];
		s->bucket[bucket] = source;
	}
	source->connections++;
	s->n++;
	*out = source;
	return TCP_ENTRY_OK;
}

enum tcp_entry
tcp_sources_enter(struct tcp_sources *s, const struct engine_client *client, struct tcp_source **out)
{
	uint8_t key[17] = {0};
	memcpy(key, client->address, client->is_v6 ? 8 : 4);
	key[16] = client->is_v6;
	pthread_mutex_lock(&s->mutex);
	enum tcp_entry result = enter_locked(s, key, out);
	pthread_mutex_unlock(&s->mutex);
	return result;
}

void
tcp_sources_leave(struct tcp_sources *s, struct tcp_source *source)
{
	pthread_mutex_lock(&s->mutex);
	s->n--;
	if (--source->connections == 0) {
		struct tcp_source **p = &s->bucket[source->bucket];
		while (*p != source)
			p = &(*p)->next;
		*p = source->next;
		free(source);
	}
	pthread_mutex_unlock(&s->mutex);
}

uint32_t
tcp_sources_count(struct tcp_sources *s)
{
	pthread_mutex_lock(&s->mutex);
	uint32_t n = s->n;
	pthread_mutex_unlock(&s->mutex);
	return n;
}
