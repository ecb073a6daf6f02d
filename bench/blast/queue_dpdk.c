/* SPDX-License-Identifier: Apache-2.0 */
/* Bursts between a DPDK queue and its thread. See port.h. */
#include <errno.h>
#include <string.h>

#include "bench/blast/port_dpdk.h"

static unsigned
dpdk_send(struct load_queue *head, const struct load_query *queries, unsigned n)
{
	struct dpdk_queue *q = (struct dpdk_queue *)head;
	struct rte_mbuf *mbufs[LOAD_BURST];
	if (rte_pktmbuf_alloc_bulk(q->pool, mbufs, n) != 0) {
		head->error = -ENOBUFS;
		return 0;
	}
	for (unsigned i = 0; i < n; i++) {
		const struct load_query *m = &queries[i];
		uint32_t len = frames_write(q->frames, rte_pktmbuf_mtod(mbufs[i], uint8_t *), m->source, m->id,
					    m->message, m->len, m->sum);
		mbufs[i]->data_len = (uint16_t)len;
		mbufs[i]->pkt_len = len;
	}
	unsigned sent = rte_eth_tx_burst(q->port_id, q->queue_id, mbufs, (uint16_t)n);
	if (sent < n)
		rte_pktmbuf_free_bulk(mbufs + sent, n - sent);
	return sent;
}

/* The server, or a router on the way, wants to know our MAC. */
static __attribute__((noinline)) void
answer_neighbour(struct dpdk_queue *q, struct rte_mbuf *m)
{
	uint8_t *data = rte_pktmbuf_mtod(m, uint8_t *);
	struct frame f;
	uint32_t len = 0;
	if (q->local != NULL && frame_classify(q->local, data, m->data_len, true, &f) == FRAME_NEIGHBOUR)
		len = frame_answer_neighbour(q->local, data, m->data_len, m->data_len + rte_pktmbuf_tailroom(m));
	if (len > 0) {
		m->data_len = (uint16_t)len;
		m->pkt_len = len;
		m->ol_flags = 0;
		if (rte_eth_tx_burst(q->port_id, q->queue_id, &m, 1) == 1)
			return;
	}
	rte_pktmbuf_free(m);
}

static unsigned
dpdk_receive(struct load_queue *head, struct load_reply replies[LOAD_BURST])
{
	struct dpdk_queue *q = (struct dpdk_queue *)head;
	struct rte_mbuf *mbufs[LOAD_BURST];
	unsigned n = rte_eth_rx_burst(q->port_id, q->queue_id, mbufs, LOAD_BURST);
	for (unsigned i = 0; i < n; i++)
		prefetch(rte_pktmbuf_mtod(mbufs[i], const void *));
	q->n_held = 0;
	for (unsigned i = 0; i < n; i++) {
		struct frames_reply r;
		struct rte_mbuf *m = mbufs[i];
		if (unlikely(!frames_read(q->frames, rte_pktmbuf_mtod(m, const uint8_t *), m->data_len, &r))) {
			answer_neighbour(q, m);
			continue;
		}
		replies[q->n_held] = (struct load_reply){.message = r.message, .len = r.len, .source = r.source};
		q->held[q->n_held++] = m;
	}
	return q->n_held;
}

static void
dpdk_release(struct load_queue *head)
{
	struct dpdk_queue *q = (struct dpdk_queue *)head;
	rte_pktmbuf_free_bulk(q->held, q->n_held);
	q->n_held = 0;
}

const struct load_queue_ops dpdk_load_ops = {
	.send = dpdk_send,
	.receive = dpdk_receive,
	.release = dpdk_release,
};
