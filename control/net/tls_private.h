/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside control/tls*.c.
 *
 *     tls.c          clients and servers: files, what is allowed, who is trusted
 *     tls_session.c  sessions: octets in and out, and why they fail
 */
#ifndef ANSER_CONTROL_TLS_PRIVATE_H
#define ANSER_CONTROL_TLS_PRIVATE_H

#include <openssl/ssl.h>
#include <stdatomic.h>

#include "control/net/tls.h"

#define TLS_NAME_MAX 254 /* a domain name as text, with the NUL */

/* What a client or server consists of: theirs, and that of their sessions, whoever is last. */
struct tls_context {
	atomic_uint refs;
	bool is_server;
	SSL_CTX *ctx;
	BIO_METHOD *bio;         /* whose functions lie in tls_session.c */
	char name[TLS_NAME_MAX]; /* client: who the peer should be, without closing dot; "": see the pins */
	bool name_is_address;
	struct config_pin *pins; /* client */
	unsigned n_pins;
	int64_t not_after_s; /* server */
};

/* Two types, so that nobody takes one for the other. */
struct tls_client {
	struct tls_context *context;
	unsigned holds;
};

struct tls_server {
	struct tls_context *context;
};

/* Makes the BIO_METHOD of sessions. NULL: out of memory. */
BIO_METHOD *tls_session_bio_method(void) MUST_CHECK;

/* The callback of a client's verification: keeps what a certificate with the wrong name is for. */
int tls_session_note_name(int is_good, X509_STORE_CTX *store);

struct tls_context *tls_context_hold(struct tls_context *c);

/* Drops one reference; the last one frees everything. NULL is allowed. */
void tls_context_free(struct tls_context *c);

/* The first error of OpenSSL on this thread, as a text of OpenSSL's own or "unknown error"; and forgets them all.
 */
const char *tls_error_text(void);

#endif
