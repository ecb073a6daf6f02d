/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A TLS server for tests of clients: OpenSSL on sockets in a thread of its own, which passes plaintext on to a
 * socket of the test. So one test can run with TLS and without.
 */
#ifndef ANSER_TESTS_TLS_RELAY_H
#define ANSER_TESTS_TLS_RELAY_H

#include <openssl/ssl.h>

struct tls_relay;

/* A context with FILE.pem and FILE.key that selects the protocol "dot". */
SSL_CTX *tls_relay_context(const char *file);

/*
 * Waits, in the thread, for one connection at `listener` and speaks TLS with it. *plain is the other end, the
 * caller's: closing it, or shutting it down, says goodbye to the client, and it ends when the client says so. `ctx`
 * is borrowed.
 */
struct tls_relay *tls_relay_start(int listener, SSL_CTX *ctx, int *plain);

/* Closes the connection, without a goodbye if it is still there, and ends the thread. */
void tls_relay_stop(struct tls_relay *r);

#endif
