/* SPDX-License-Identifier: Apache-2.0 */
/* A stream and its peer. See stream_fixture.h. */
#include "tests/unit/control/stream_fixture.h"

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <sys/socket.h>

#include "control/net/tls.h"
#include "tests/unit/control/tls_fixture.h"
#include "tests/unit/control/tls_relay.h"
#include "zones/base/bytes.h"

enum { PATIENCE_MS = 5000 };

static void
on_connected(void *arg)
{
	struct peer *p = arg;
	p->connected++;
	if (!p->close_when_connected)
		return;
	stream_close(p->stream);
	p->stream = NULL;
}

static void
on_message(void *arg, const uint8_t *msg, size_t len)
{
	struct peer *p = arg;
	assert_int_equal(p->connected, 1);
	assert_int_equal(p->closed, 0);
	p->messages++;
	p->octets += len;
	if (p->pause_at_message)
		stream_pause(p->stream);
	if (p->echo_at_message)
		assert_int_equal(stream_send(p->stream, msg, len), 0);
	if (p->close_at_message) {
		stream_close(p->stream);
		p->stream = NULL;
	}
	memcpy(p->last, msg, len); /* it is there until we return, whatever was done */
	p->last_len = len;
}

static void
on_closed(void *arg, int err, const char *why)
{
	struct peer *p = arg;
	p->closed++;
	p->err = err;
	snprintf(p->why, sizeof(p->why), "%s", why);
	if (!p->close_when_closed)
		return;
	stream_close(p->stream);
	p->stream = NULL;
}

static void
patience_ended(uv_timer_t *t)
{
	((struct peer *)t->data)->is_out_of_patience = true;
}

/* Lets the loop do what it has, for a while. */
void
peer_run_for(struct peer *p, uint64_t ms)
{
	for (uint64_t end = fixture_now_ms() + ms; fixture_now_ms() < end; usleep(1000))
		uv_run(&p->loop, UV_RUN_NOWAIT);
}

/* -------- setting up -------- */

void
peer_listen(struct peer *p, sa_family_t family)
{
	struct config_address *a = &p->options.address;
	if (family == AF_INET) {
		a->v4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
		a->len = sizeof(a->v4);
	} else {
		a->v6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
		a->len = sizeof(a->v6);
	}
	p->listener = socket(family, SOCK_STREAM, 0);
	assert_true(p->listener >= 0);
	assert_int_equal(bind(p->listener, &a->any, a->len), 0);
	assert_int_equal(listen(p->listener, 8), 0);
	assert_int_equal(getsockname(p->listener, &a->any, &a->len), 0);
}

int
peer_setup(void **state)
{
	struct peer *p = calloc(1, sizeof(*p));
	assert_int_equal(uv_loop_init(&p->loop), 0);
	uv_timer_init(&p->loop, &p->patience);
	p->patience.data = p;
	uv_timer_start(&p->patience, patience_ended, PATIENCE_MS, 0);
	p->fd = -1;
	p->options.connect_ms = p->options.idle_ms = 2 * PATIENCE_MS;
	peer_listen(p, AF_INET);
	*state = p;
	return 0;
}

/* The certificates that peer_setup_tls() wants. */
int
peer_setup_files(void **state)
{
	fixture_enter();
	signal(SIGPIPE, SIG_IGN); /* OpenSSL on sockets does not care */
	tls_fixture_cert(&(struct tls_fixture_cert){.file = "ca"});
	tls_fixture_cert(&(struct tls_fixture_cert){.file = "ns1", .issuer = "ca", .names = "DNS:ns1.example"});
	return 0;
}

int
peer_teardown_files(void **state)
{
	fixture_leave();
	return 0;
}

void
peer_trust(struct peer *p, const char *name)
{
	char why[TLS_WHY_MAX];
	tls_client_free(p->tls);
	assert_int_equal(tls_client_new(&(struct config_remote_tls){.name = name, .ca = "ca.pem"}, why, &p->tls),
			 0);
	p->options.tls = p->tls;
}

int
peer_setup_tls(void **state)
{
	peer_setup(state);
	struct peer *p = *state;
	p->relay_ctx = tls_relay_context("ns1");
	peer_trust(p, "ns1.example");
	return 0;
}

int
peer_teardown(void **state)
{
	struct peer *p = *state;
	stream_close(p->stream);
	uv_close((uv_handle_t *)&p->patience, NULL);
	uv_run(&p->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&p->loop), 0); /* nothing of the stream is left */
	if (p->relay)
		tls_relay_stop(p->relay);
	SSL_CTX_free(p->relay_ctx);
	tls_client_free(p->tls);
	if (p->fd >= 0)
		close(p->fd);
	if (p->listener >= 0)
		close(p->listener);
	free(p);
	return 0;
}

void
peer_open(struct peer *p)
{
	const struct stream_events events = {on_connected, on_message, on_closed, p};
	assert_int_equal(stream_open(&p->loop, &p->options, &events, &p->stream), 0);
	assert_int_equal(p->connected + p->closed, 0);
}

void
peer_accept(struct peer *p)
{
	if (p->options.tls)
		p->relay = tls_relay_start(p->listener, p->relay_ctx, &p->fd);
	else
		p->fd = accept(p->listener, NULL, NULL);
	assert_true(p->fd >= 0);
}

void
peer_connect(struct peer *p)
{
	peer_open(p);
	peer_accept(p);
	RUN_UNTIL(p, p->connected);
}

void
peer_fill(uint8_t *out, size_t len, unsigned seed)
{
	for (size_t i = 0; i < len; i++)
		out[i] = (uint8_t)(i * 7 + i / 256 + seed);
}

size_t
peer_frame(uint8_t *out, size_t len, unsigned seed)
{
	store_be16(out, (uint16_t)len);
	peer_fill(out + 2, len, seed);
	return len + 2;
}

void
peer_send(struct peer *p, const void *data, size_t len)
{
	assert_int_equal(send(p->fd, data, len, MSG_NOSIGNAL), (ssize_t)len);
}

void
peer_assert_last(const struct peer *p, size_t len, unsigned seed)
{
	static uint8_t want[MESSAGE_MAX];
	peer_fill(want, len, seed);
	assert_int_equal(p->last_len, len);
	assert_memory_equal(p->last, want, len);
}

/* Reads one frame of the stream; the loop runs on meanwhile, as it may have to send. */
void
peer_assert_gets(struct peer *p, size_t len, unsigned seed)
{
	static uint8_t got[MESSAGE_MAX + 2], want[MESSAGE_MAX + 2];
	peer_frame(want, len, seed);
	for (size_t n = 0; n < len + 2;) {
		assert_false(p->is_out_of_patience);
		uv_run(&p->loop, UV_RUN_NOWAIT);
		ssize_t step = recv(p->fd, got + n, len + 2 - n, MSG_DONTWAIT);
		assert_true(step > 0 || (step < 0 && errno == EAGAIN));
		n += step > 0 ? (size_t)step : 0;
	}
	assert_memory_equal(got, want, len + 2);
}
