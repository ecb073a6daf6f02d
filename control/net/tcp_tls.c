/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TLS between the socket and the messages of a connection (RFC 7858). Lives on the connection's thread.
 *
 * What was read is turned into plaintext at once and in full, into a buffer that the thread's connections share; so
 * a connection keeps no ciphertext, and what it keeps of the plaintext is kept as without TLS. Answers are gathered
 * into records of full length where they would become two records each, and leave as one write.
 */
#include <stdlib.h>
#include <string.h>

#include "control/net/tcp_private.h"

#define RECORD_MAX 16384 /* octets of plaintext (RFC 8446 section 5.1) */

bool
tcp_tls_begin(struct tcp_conn *c)
{
	struct tcp *tcp = c->thread->tcp;
	pthread_mutex_lock(&tcp->tls_mutex);
	int rc = tls_session_accept(tcp->tls, &c->tls);
	pthread_mutex_unlock(&tcp->tls_mutex);
	return rc == 0;
}

/* Sends whatever TLS has to say. */
static bool
send_records(struct tcp_conn *c)
{
	size_t len;
	uint8_t *block = tls_session_take(c->tls, &len);
	if (!block)
		return true;
	uv_buf_t buf = uv_buf_init((char *)block, (unsigned)len);
	bool good = tcp_conn_write_socket(c, &buf, 1, len);
	free(block);
	return good;
}

const uint8_t *
tcp_tls_read(struct tcp_conn *c, const uint8_t *data, size_t len, size_t *plain_len)
{
	struct tcp_thread *t = c->thread;
	size_t used = 0;
	ssize_t n;
	while ((n = tls_session_read(c->tls, &data, &len, t->plain + used, TCP_PLAIN_CAP - used)) > 0)
		used += (size_t)n;
	if (n < 0)
		counter_add(&t->stats.tls_failed, 1);
	bool good = send_records(c); /* an alert, too */
	if (used > 0)
		c->client.is_old_tls = strcmp(tls_session_version(c->tls), "TLSv1.3") != 0;
	*plain_len = used;
	return n == 0 && good ? t->plain : NULL;
}

bool
tcp_tls_write(struct tcp_conn *c, const uv_buf_t *bufs, unsigned n_bufs)
{
	uint8_t record[RECORD_MAX];
	size_t used = 0;
	if (n_bufs == 1) /* long enough already */
		return tls_session_write(c->tls, (const uint8_t *)bufs[0].base, bufs[0].len) == 0 &&
		       send_records(c);
	for (unsigned i = 0; i < n_bufs; i++)
		for (size_t at = 0; at < bufs[i].len;) {
			size_t room = sizeof(record) - used, step = bufs[i].len - at;
			step = step < room ? step : room;
			memcpy(record + used, bufs[i].base + at, step);
			at += step;
			used += step;
			if (used < sizeof(record))
				continue;
			if (tls_session_write(c->tls, record, used) != 0)
				return false;
			used = 0;
		}
	return tls_session_write(c->tls, record, used) == 0 && send_records(c);
}

/* If the socket is full, the client has not heard the rest either. */
void
tcp_tls_end(struct tcp_conn *c)
{
	size_t len;
	tls_session_end(c->tls);
	uint8_t *block = tls_session_take(c->tls, &len);
	if (!block)
		return;
	uv_buf_t buf = uv_buf_init((char *)block, (unsigned)len);
	uv_try_write((uv_stream_t *)&c->handle, &buf, 1);
	free(block);
}
