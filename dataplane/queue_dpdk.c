/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hot half of the DPDK ports: bursts between a queue and the engine, in place. Runs on the queue's worker alone.
 *
 * Every frame received ends in exactly one count: it is sent back (tx), the kernel's (to_kernel), or dropped for a
 * reason. The engine counts the drops that it decides. Frames that the kernel sends through the exception path are
 * not ours, and counted nowhere.
 */
#include <string.h>

#include "dataplane/dpdk.h"
#include "dataplane/exception.h"
#include "dataplane/punt.h"

/* Under load the kernel's frames are looked for in every 8th turn, otherwise in each: a flood delays them, but
 * never starves them. */
#define KERNEL_TURNS 8
#define KERNEL_BURST 8
#define PREFETCH_DISTANCE 4

static inline void
drop(struct dpdk_queue *q, struct rte_mbuf *m, enum drop_reason reason)
{
	counter_add(&q->head.counters->drop[reason], 1);
	rte_pktmbuf_free(m);
}

static void
give_to_kernel(struct dpdk_queue *q, struct rte_mbuf *m)
{
	struct counters *c = q->head.counters;
	if (q->exception_fd >= 0 && !exception_send(q->exception_fd, rte_pktmbuf_mtod(m, uint8_t *), m->data_len)) {
		drop(q, m, DROP_EXCEPTION_FULL);
		return;
	}
	if (q->exception_fd < 0 && !q->kernel_has_copy) {
		drop(q, m, DROP_FRAME_NOT_OURS);
		return;
	}
	counter_add(&c->to_kernel, 1);
	rte_pktmbuf_free(m);
}

static void
answer_neighbour(struct dpdk_queue *q, struct rte_mbuf *m)
{
	uint32_t cap = m->data_len + rte_pktmbuf_tailroom(m);
	uint32_t len = frame_answer_neighbour(q->local, rte_pktmbuf_mtod(m, uint8_t *), m->data_len, cap);
	if (len == 0) {
		drop(q, m, DROP_NEIGHBOUR);
		return;
	}
	m->data_len = (uint16_t)len;
	m->pkt_len = len;
	m->ol_flags = 0;
	q->replies[q->n_replies++] = m;
}

/* The room for an answer: what may be sent in one packet, what the buffer holds, and never less than the query. */
static inline uint32_t
message_cap(const struct dpdk_queue *q, const struct rte_mbuf *m, const struct frame *f)
{
	uint32_t headers = (f->is_v6 ? 40 : 20) + 8;
	uint32_t room = (uint32_t)m->buf_len - m->data_off - f->payload_off;
	uint32_t cap = RTE_MIN(q->payload_max, q->mtu - headers);
	cap = RTE_MIN(cap, room);
	return RTE_MAX(cap, f->payload_len);
}

static inline void
hold_query(struct dpdk_queue *q, struct rte_mbuf *mbuf, const struct frame *f, struct engine_message *m)
{
	uint8_t *data = rte_pktmbuf_mtod(mbuf, uint8_t *);
	m->msg = data + f->payload_off;
	m->len = f->payload_len;
	m->cap = message_cap(q, mbuf, f);
	m->takes_punts = true;
	m->client = (struct engine_client){.is_v6 = f->is_v6, .transport = ENGINE_UDP};
	if (f->is_v6)
		memcpy(m->client.address, frame_source(data, f), 16);
	else
		memcpy(m->client.address, frame_source(data, f), 4);
}

/* Takes one frame; true if it became message n. */
static inline bool
take_frame(struct dpdk_queue *q, struct rte_mbuf *mbuf, struct engine_message *messages, unsigned n)
{
	const uint64_t good = RTE_MBUF_F_RX_IP_CKSUM_GOOD | RTE_MBUF_F_RX_L4_CKSUM_GOOD;
	const uint8_t *data = rte_pktmbuf_mtod(mbuf, const uint8_t *);
	struct frame *f = &q->frames[n];
	if (unlikely(mbuf->nb_segs > 1)) {
		drop(q, mbuf, DROP_FRAME_MALFORMED); /* larger than any MTU that we set up */
		return false;
	}
	switch (frame_classify(q->local, data, mbuf->data_len, (mbuf->ol_flags & good) == good, f)) {
	case FRAME_QUERY:
		q->held[n] = mbuf;
		hold_query(q, mbuf, f, &messages[n]);
		return true;
	case FRAME_NEIGHBOUR:
		answer_neighbour(q, mbuf);
		return false;
	case FRAME_KERNEL:
		give_to_kernel(q, mbuf);
		return false;
	case FRAME_DROP:
		/* af_packet shows large segments, which the kernel has yet to cut, with their ends missing: they
		 * are the kernel's. */
		if (q->kernel_has_copy && f->drop == DROP_FRAME_MALFORMED && f->l4_off == 0) {
			give_to_kernel(q, mbuf);
			return false;
		}
		break;
	}
	drop(q, mbuf, f->drop);
	return false;
}

/* What the kernel wants to send leaves by the port as it is. */
static void
forward_from_kernel(struct dpdk_queue *q)
{
	struct rte_mbuf *frames[KERNEL_BURST];
	uint16_t n = 0;
	while (n < KERNEL_BURST) {
		struct rte_mbuf *m = rte_pktmbuf_alloc(q->pool);
		if (m == NULL)
			break;
		size_t len =
			exception_receive(q->exception_fd, rte_pktmbuf_mtod(m, uint8_t *), rte_pktmbuf_tailroom(m));
		if (len == 0) {
			rte_pktmbuf_free(m);
			break;
		}
		m->data_len = (uint16_t)len;
		m->pkt_len = (uint32_t)len;
		frames[n++] = m;
	}
	uint16_t sent = n > 0 ? rte_eth_tx_burst(q->port_id, q->queue_id, frames, n) : 0;
	if (sent < n)
		rte_pktmbuf_free_bulk(frames + sent, n - sent);
}

static unsigned
dpdk_rx_burst(struct port_queue *head, struct engine_message messages[PORT_BURST], unsigned *n_rx)
{
	struct dpdk_queue *q = (struct dpdk_queue *)head;
	struct rte_mbuf *mbufs[PORT_BURST];
	unsigned received = rte_eth_rx_burst(q->port_id, q->queue_id, mbufs, PORT_BURST), n = 0;
	*n_rx = received;
	q->n_replies = 0;
	if (q->exception_fd >= 0 && (received == 0 || --q->turns_until_kernel == 0)) {
		forward_from_kernel(q);
		q->turns_until_kernel = KERNEL_TURNS;
	}
	if (received == 0)
		return 0;

	counter_add(&head->counters->rx, received);
	for (unsigned i = 0; i < received && i < PREFETCH_DISTANCE; i++)
		prefetch(rte_pktmbuf_mtod(mbufs[i], const void *));
	for (unsigned i = 0; i < received; i++) {
		if (i + PREFETCH_DISTANCE < received)
			prefetch(rte_pktmbuf_mtod(mbufs[i + PREFETCH_DISTANCE], const void *));
		n += take_frame(q, mbufs[i], messages, n);
	}
	return n;
}

/* Puts headers around an answer. Options and extension headers may have shortened the frame at its front. */
static inline void
wrap_answer(struct dpdk_queue *q, struct rte_mbuf *mbuf, struct frame *f, uint32_t payload_len)
{
	uint32_t len, begin = frame_reflect(rte_pktmbuf_mtod(mbuf, uint8_t *), f, payload_len, q->tx_offload, &len);
	mbuf->data_off = (uint16_t)(mbuf->data_off + begin);
	mbuf->data_len = (uint16_t)len;
	mbuf->pkt_len = len;
	mbuf->ol_flags = 0;
	if (!q->tx_offload)
		return;
	mbuf->l3_len = f->is_v6 ? 40 : 20;
	mbuf->l2_len = (uint64_t)(len - payload_len - 8 - mbuf->l3_len);
	mbuf->ol_flags = RTE_MBUF_F_TX_UDP_CKSUM;
	mbuf->ol_flags |= f->is_v6 ? RTE_MBUF_F_TX_IPV6 : RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IP_CKSUM;
}

static void
dpdk_tx_burst(struct port_queue *head, struct engine_message *messages, unsigned n)
{
	struct dpdk_queue *q = (struct dpdk_queue *)head;
	for (unsigned i = 0; i < n; i++) {
		struct rte_mbuf *mbuf = q->held[i];
		if (unlikely(messages[i].verdict != ENGINE_ANSWER)) {
			rte_pktmbuf_free(mbuf); /* counted by the engine, or control's by now */
			continue;
		}
		wrap_answer(q, mbuf, &q->frames[i], messages[i].len);
		q->replies[q->n_replies++] = mbuf;
	}
	if (q->n_replies == 0)
		return;
	uint16_t sent = rte_eth_tx_burst(q->port_id, q->queue_id, q->replies, (uint16_t)q->n_replies);
	counter_add(&head->counters->tx, sent);
	if (unlikely(sent < q->n_replies)) {
		counter_add(&head->counters->drop[DROP_TX_FULL], q->n_replies - sent);
		rte_pktmbuf_free_bulk(q->replies + sent, q->n_replies - sent);
	}
}

/* The ticket is the query's frame up to the message, with what is known of it: the reply is made by reflection
 * then, too. */
static bool
dpdk_ticket(struct port_queue *head, const struct engine_message *messages, unsigned i, struct punt_slot *s)
{
	const struct dpdk_queue *q = (struct dpdk_queue *)head;
	const struct frame *f = &q->frames[i];
	size_t len = sizeof(*f) + f->payload_off;
	if (len > PUNT_TICKET_MAX) /* extension headers without end */
		return false;
	memcpy(s->ticket, f, sizeof(*f));
	memcpy(s->ticket + sizeof(*f), rte_pktmbuf_mtod(q->held[i], const uint8_t *), f->payload_off);
	s->ticket_len = (uint16_t)len;
	return true;
}

static void
dpdk_send_punt(struct port_queue *head, const struct punt_slot *s)
{
	struct dpdk_queue *q = (struct dpdk_queue *)head;
	struct frame f;
	memcpy(&f, s->ticket, sizeof(f));
	struct rte_mbuf *mbuf = rte_pktmbuf_alloc(q->pool);
	if (mbuf == NULL || (uint32_t)f.payload_off + s->len > rte_pktmbuf_tailroom(mbuf)) {
		counter_add(&head->counters->drop[DROP_TX_FULL], 1);
		rte_pktmbuf_free(mbuf);
		return;
	}
	uint8_t *data = rte_pktmbuf_mtod(mbuf, uint8_t *);
	memcpy(data, s->ticket + sizeof(f), f.payload_off);
	memcpy(data + f.payload_off, s->msg, s->len);
	wrap_answer(q, mbuf, &f, s->len);
	if (rte_eth_tx_burst(q->port_id, q->queue_id, &mbuf, 1) == 1)
		counter_add(&head->counters->tx, 1);
	else
		drop(q, mbuf, DROP_TX_FULL);
}

const struct port_queue_ops dpdk_queue_ops = {
	.rx_burst = dpdk_rx_burst,
	.tx_burst = dpdk_tx_burst,
	.ticket = dpdk_ticket,
	.send_punt = dpdk_send_punt,
};
