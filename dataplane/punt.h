/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Punts: messages on their way from a worker to control, and replies on their way back. Private to dataplane/.
 *
 *     worker: punt_take() → punt_submit() ──ring──> control: punt_next() ... punt_end() ──ring──> worker:
 *     punt_returned() → punt_release()
 *
 * A worker has PUNT_SLOTS slots. Each holds one message, later its reply, and the ticket: what the port needs to
 * send that reply. A slot belongs to the worker, then to control, then to the worker again; only its number
 * travels, through two rings of one writer and one reader each. There are never more numbers than a ring has
 * places, so nothing blocks and nothing fails but punt_take(), when control has all slots in hand. One source may
 * have half of them: who floods us does not shut out all others, and a NOTIFY gets through.
 *
 * No system call, lock or allocation but in punts_new(). The worker's functions are the worker's alone, control's
 * are the control thread's alone; nothing of RCU.
 */
#ifndef ANSER_DATAPLANE_PUNT_H
#define ANSER_DATAPLANE_PUNT_H

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "zones/answer/engine.h"
#include "zones/base/compiler.h"

#define PUNT_SLOTS 256        /* a power of two; all that control may have in hand of one worker */
#define PUNT_SOURCE_MAX 128   /* those of them that messages of one source may have */
#define PUNT_SOURCES 64       /* sources are told apart by so many values of a hash */
#define PUNT_MESSAGE_MAX 4096 /* octets of a message or its reply: as much as udp-payload may be */
#define PUNT_TICKET_MAX 256

struct port_queue;

struct punt_slot {
	struct port_queue *queue; /* that it came on */
	struct engine_client client;
	uint16_t id;        /* the slot's number */
	uint16_t len;       /* of the message, then of the reply; 0: control says nothing */
	uint16_t reply_cap; /* octets that the reply may have */
	uint16_t ticket_len;
	uint8_t source;                             /* hash of the address */
	alignas(8) uint8_t ticket[PUNT_TICKET_MAX]; /* the port's own */
	uint8_t msg[PUNT_MESSAGE_MAX];
};

/* Numbers of slots; one thread writes, one reads. Positions only grow. */
struct punt_ring {
	alignas(CACHE_LINE) _Atomic uint32_t written;
	alignas(CACHE_LINE) _Atomic uint32_t read;
	uint16_t ids[PUNT_SLOTS];
};

struct punts {
	struct punt_ring to_control, to_worker;
	alignas(CACHE_LINE) unsigned n_free; /* from here on the worker's */
	uint16_t free[PUNT_SLOTS];
	uint16_t held[PUNT_SOURCES]; /* slots in use, by source */
	alignas(CACHE_LINE) struct punt_slot slots[PUNT_SLOTS];
};

/* NULL: out of memory. Pages of slots that were never used cost nothing. */
struct punts *punts_new(void) MUST_CHECK;

/* NULL is allowed. */
void punts_free(struct punts *p);

/* -------- the worker's -------- */

/* A slot with a copy of the message, for its queue and ticket to be filled in. NULL: none is free, its source has
 * enough of them, or it does not fit. */
struct punt_slot *punt_take(struct punts *p, const struct engine_message *m) MUST_CHECK;

/* Gives a slot to control. */
void punt_submit(struct punts *p, struct punt_slot *s);

/* Slots that control has in hand, or that wait in a ring. */
static inline unsigned
punts_outstanding(const struct punts *p)
{
	return PUNT_SLOTS - p->n_free;
}

/* Is a slot back? One load, for each turn. */
static inline bool
punts_have_returned(const struct punts *p)
{
	return atomic_load_explicit(&p->to_worker.written, memory_order_relaxed) !=
	       atomic_load_explicit(&p->to_worker.read, memory_order_relaxed);
}

/* The next slot that is back, or NULL. To be released before the next one is asked for. */
struct punt_slot *punt_returned(struct punts *p);

/* Makes a slot free again: one that is back, or was taken and not submitted. */
void punt_release(struct punts *p, struct punt_slot *s);

/* -------- control's -------- */

/* The next message, or NULL. It stays where it is until punt_end(). */
struct punt_slot *punt_next(struct punts *p);

/* Gives the slot of this number back with its reply, which is copied and may lie in the slot; len 0: none. A reply
 * over reply_cap is none. */
void punt_end(struct punts *p, unsigned id, const uint8_t *msg, size_t len);

#endif
