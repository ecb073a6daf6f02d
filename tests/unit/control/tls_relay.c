/* SPDX-License-Identifier: Apache-2.0 */
/* A TLS server for tests. See tls_relay.h. */
#include "tests/unit/control/tls_relay.h"

#include "tests/unit/control/control_fixture.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>

struct way {
	uint8_t data[16384];
	size_t from, to;
};

struct tls_relay {
	pthread_t thread;
	atomic_bool stop;
	int listener, fd, plain;
	SSL_CTX *ctx;
	SSL *ssl;
	struct way in, out; /* from the client, and to it */
	bool in_is_over, out_is_over;
};

static int
choose_dot(SSL *ssl, const unsigned char **out, unsigned char *len, const unsigned char *in, unsigned n, void *arg)
{
	*out = (const unsigned char *)"dot";
	*len = 3;
	return SSL_TLSEXT_ERR_OK;
}

SSL_CTX *
tls_relay_context(const char *file)
{
	char path[100];
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	snprintf(path, sizeof(path), "%s.pem", file);
	assert_int_equal(SSL_CTX_use_certificate_chain_file(ctx, path), 1);
	snprintf(path, sizeof(path), "%s.key", file);
	assert_int_equal(SSL_CTX_use_PrivateKey_file(ctx, path, SSL_FILETYPE_PEM), 1);
	SSL_CTX_set_alpn_select_cb(ctx, choose_dot, NULL);
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	return ctx;
}

/* From the client to the test; true: something moved. */
static bool
move_in(struct tls_relay *r)
{
	struct way *w = &r->in;
	bool moved = false;
	if (w->from == w->to && !r->in_is_over) {
		int n = SSL_read(r->ssl, w->data, sizeof(w->data));
		w->from = 0;
		w->to = n > 0 ? (size_t)n : 0;
		int err = n > 0 ? SSL_ERROR_NONE : SSL_get_error(r->ssl, n);
		r->in_is_over = n <= 0 && err != SSL_ERROR_WANT_READ;
		if (err == SSL_ERROR_ZERO_RETURN)
			shutdown(r->plain, SHUT_WR);
		moved = n > 0 || r->in_is_over;
	}
	if (w->from < w->to) {
		ssize_t n = send(r->plain, w->data + w->from, w->to - w->from, MSG_DONTWAIT | MSG_NOSIGNAL);
		w->from += n > 0 ? (size_t)n : 0;
		moved |= n > 0;
	}
	return moved;
}

static bool
move_out(struct tls_relay *r)
{
	struct way *w = &r->out;
	bool moved = false;
	if (w->from == w->to && !r->out_is_over) {
		ssize_t n = recv(r->plain, w->data, sizeof(w->data), MSG_DONTWAIT);
		w->from = 0;
		w->to = n > 0 ? (size_t)n : 0;
		r->out_is_over = n == 0;
		if (r->out_is_over)
			SSL_shutdown(r->ssl);
		moved = n >= 0;
	}
	if (w->from < w->to) {
		int n = SSL_write(r->ssl, w->data + w->from, (int)(w->to - w->from));
		w->from += n > 0 ? (size_t)n : 0;
		moved |= n > 0;
	}
	return moved;
}

static void *
relay_run(void *arg)
{
	struct tls_relay *r = arg;
	while (!atomic_load(&r->stop) && (r->fd = accept4(r->listener, NULL, NULL, SOCK_NONBLOCK)) < 0)
		usleep(200);
	if (r->fd < 0)
		return NULL;
	r->ssl = SSL_new(r->ctx);
	SSL_set_fd(r->ssl, r->fd);
	SSL_set_accept_state(r->ssl);
	while (!atomic_load(&r->stop)) {
		bool moved_in = move_in(r), moved_out = move_out(r);
		if (!moved_in && !moved_out)
			usleep(200);
	}
	return NULL;
}

struct tls_relay *
tls_relay_start(int listener, SSL_CTX *ctx, int *plain)
{
	int ends[2];
	struct tls_relay *r = calloc(1, sizeof(*r));
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	assert_int_equal(fcntl(listener, F_SETFL, O_NONBLOCK), 0);
	r->listener = listener;
	r->ctx = ctx;
	r->fd = -1;
	r->plain = ends[0];
	*plain = ends[1];
	assert_int_equal(pthread_create(&r->thread, NULL, relay_run, r), 0);
	return r;
}

void
tls_relay_stop(struct tls_relay *r)
{
	atomic_store(&r->stop, true);
	pthread_join(r->thread, NULL);
	SSL_free(r->ssl);
	if (r->fd >= 0)
		close(r->fd);
	close(r->plain);
	free(r);
}
