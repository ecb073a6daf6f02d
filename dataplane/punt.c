/* SPDX-License-Identifier: Apache-2.0 */
/* Slots and rings between a worker and control. See punt.h. */
#include "dataplane/punt.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "zones/base/bytes.h"

static void
ring_put(struct punt_ring *r, uint16_t id)
{
	uint32_t at = atomic_load_explicit(&r->written, memory_order_relaxed);
	r->ids[at % PUNT_SLOTS] = id;
	atomic_store_explicit(&r->written, at + 1, memory_order_release);
}

static bool
ring_get(struct punt_ring *r, uint16_t *id)
{
	uint32_t at = atomic_load_explicit(&r->read, memory_order_relaxed);
	if (at == atomic_load_explicit(&r->written, memory_order_acquire))
		return false;
	*id = r->ids[at % PUNT_SLOTS];
	/* The place is written again only after its number has come around through the other ring. */
	atomic_store_explicit(&r->read, at + 1, memory_order_relaxed);
	return true;
}

struct punts *
punts_new(void)
{
	struct punts *p = aligned_alloc(CACHE_LINE, sizeof(*p));
	if (p == NULL)
		return NULL;
	/* Slots stay as they are: their pages come with their first message. */
	memset(p, 0, offsetof(struct punts, slots));
	p->n_free = PUNT_SLOTS;
	for (unsigned i = 0; i < PUNT_SLOTS; i++)
		p->free[i] = (uint16_t)(PUNT_SLOTS - 1 - i);
	return p;
}

void
punts_free(struct punts *p)
{
	free(p);
}

/* An IPv4 address, or the network that an IPv6 address is in. Whoever can forge addresses can have all slots
 * anyway, so this needs no secret. */
static uint8_t
source_of(const struct engine_client *c)
{
	uint64_t x = c->is_v6 ? load_be64(c->address) : load_be32(c->address);
	return (uint8_t)((x * 0x9e3779b97f4a7c15 >> 32) % PUNT_SOURCES);
}

struct punt_slot *
punt_take(struct punts *p, const struct engine_message *m)
{
	uint8_t source = source_of(&m->client);
	if (p->n_free == 0 || p->held[source] == PUNT_SOURCE_MAX || m->len > PUNT_MESSAGE_MAX)
		return NULL;
	p->held[source]++;
	uint16_t id = p->free[--p->n_free];
	struct punt_slot *s = &p->slots[id];
	s->id = id;
	s->source = source;
	s->client = m->client;
	s->len = (uint16_t)m->len;
	s->reply_cap = (uint16_t)(m->cap < PUNT_MESSAGE_MAX ? m->cap : PUNT_MESSAGE_MAX);
	memcpy(s->msg, m->msg, m->len);
	return s;
}

void
punt_submit(struct punts *p, struct punt_slot *s)
{
	ring_put(&p->to_control, s->id);
}

struct punt_slot *
punt_returned(struct punts *p)
{
	uint16_t id;
	return ring_get(&p->to_worker, &id) ? &p->slots[id] : NULL;
}

void
punt_release(struct punts *p, struct punt_slot *s)
{
	assert(p->n_free < PUNT_SLOTS && p->held[s->source] > 0);
	p->held[s->source]--;
	p->free[p->n_free++] = s->id;
}

struct punt_slot *
punt_next(struct punts *p)
{
	uint16_t id;
	return ring_get(&p->to_control, &id) ? &p->slots[id] : NULL;
}

void
punt_end(struct punts *p, unsigned id, const uint8_t *msg, size_t len)
{
	struct punt_slot *s = &p->slots[id];
	if (len > s->reply_cap)
		len = 0;
	if (len > 0)
		memmove(s->msg, msg, len);
	s->len = (uint16_t)len;
	ring_put(&p->to_worker, (uint16_t)id);
}
