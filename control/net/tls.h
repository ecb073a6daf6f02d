/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TLS as a machine for octets: DNS over TLS (RFC 7858, RFC 8310) and transfers over TLS (RFC 9103). No sockets
 * here.
 *
 *     struct tls_client   how one remote is recognized, and what we prove ourselves with
 *     struct tls_server   what we show to clients, and whom we ask for certificates
 *     struct tls_session  one connection of either
 *
 * A session takes octets of the peer in and gives plaintext out, and the other way about:
 *
 *     socket ──> tls_session_read() ──> plaintext        plaintext ──> tls_session_write() ┐
 *     socket <── tls_session_take() <──────────── handshake, alerts, records ──────────────┘
 *
 * Whatever was called, there may be something to take afterwards: the handshake talks by itself, and a failure has
 * an alert to send.
 *
 * As a client we speak TLS 1.3 only (RFC 9103 section 7.1), offer the protocol "dot" and insist on it; as a server
 * TLS 1.2 too, for stub resolvers, with forward-secret ciphers (RFC 9325), and without "dot" if the client offers
 * no protocol at all. There are no early data (they can be replayed, RFC 8446 section 8), no renegotiation and no
 * compression. Servers hand out tickets for resumption; clients do not resume.
 *
 * Clients and servers never change, so any thread may begin sessions with them; the owner frees them when none will
 * any more. A session belongs to one thread at a time. Texts for people are one line, without the octets of the
 * peer's that are none. Memory of a session is bounded by what OpenSSL bounds (one record in, certificates of 100
 * KiB) and by what waits to be taken.
 */
#ifndef ANSER_CONTROL_TLS_H
#define ANSER_CONTROL_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "control/config/config.h"
#include "zones/base/compiler.h"

#define TLS_WHY_MAX 256

struct tls_client;
struct tls_server;
struct tls_session;

/* -------- what sessions are made from -------- */

/*
 * Reads the files that the configuration names. 0; -EINVAL with one line in `why`, or -ENOMEM with one too. Nothing
 * of the configuration is needed afterwards. Free with tls_client_free().
 */
int
tls_client_new(const struct config_remote_tls *config, char why[TLS_WHY_MAX], struct tls_client **out) MUST_CHECK;

/*
 * Keeps it for somebody who asks with it later, and gives it up again; the last one frees it. Sessions go on: what
 * they need of it stays with them. NULL is allowed. One thread.
 */
const struct tls_client *tls_client_hold(const struct tls_client *client);
void tls_client_free(const struct tls_client *client);

/* The same for a server; a reload makes a new one. */
int tls_server_new(const struct config_tls *config, char why[TLS_WHY_MAX], struct tls_server **out) MUST_CHECK;

void tls_server_free(struct tls_server *server);

/* When the server's own certificate ends, in seconds since 1970. */
int64_t tls_server_not_after_s(const struct tls_server *server);

/* -------- sessions -------- */

/* Begins a session; a client's has its first octets to take at once. 0 or -ENOMEM. */
int tls_session_connect(const struct tls_client *client, struct tls_session **out) MUST_CHECK;
int tls_session_accept(const struct tls_server *server, struct tls_session **out) MUST_CHECK;

/* NULL is allowed. Says no goodbye: see tls_session_end(). */
void tls_session_free(struct tls_session *s);

/*
 * Takes from the *len octets of the peer at *data, moves both on past what was used up, and writes plaintext to
 * out[0..cap). Returns its length; 0 when all of the input is used up and gives no more for now. To be called until
 * then. Goes on with the handshake as needed. -EPROTO: the session has failed, here or before; tls_session_error()
 * says why. -ENOMEM likewise.
 */
ssize_t
tls_session_read(struct tls_session *s, const uint8_t **data, size_t *len, uint8_t *out, size_t cap) MUST_CHECK;

/* Makes records of plaintext. Only once tls_session_is_established(). 0, -EPROTO or -ENOMEM as above. */
int tls_session_write(struct tls_session *s, const uint8_t *data, size_t len) MUST_CHECK;

/* Says goodbye (close-notify): nothing is written afterwards. */
void tls_session_end(struct tls_session *s);

/*
 * Hands over what is to be sent to the peer: *len octets, which the caller frees with free(). NULL: nothing is.
 */
uint8_t *tls_session_take(struct tls_session *s, size_t *len) MUST_CHECK;

/* The handshake is over and, for a client, the peer is who it should be. */
bool tls_session_is_established(const struct tls_session *s);

/* The peer has said goodbye: no more plaintext will come. An end of the connection without it may be an attacker's.
 */
bool tls_session_is_ended(const struct tls_session *s);

/* Why it failed, such as "certificate has expired"; "" while it did not. Lives as long as the session. */
const char *tls_session_error(const struct tls_session *s);

/* A server's session: the client has shown a certificate of the client CA. */
bool tls_session_has_peer(const struct tls_session *s);

/* A server's session: the client has shown one that carries this domain name. */
bool tls_session_peer_is(const struct tls_session *s, const char *name);

/* The protocol, such as "TLSv1.3", and the cipher, for logs. */
const char *tls_session_version(const struct tls_session *s);
const char *tls_session_cipher(const struct tls_session *s);

#endif
