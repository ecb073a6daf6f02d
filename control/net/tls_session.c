/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TLS sessions. See tls.h.
 *
 * OpenSSL reads and writes through a BIO of ours that has no buffer for input: it is lent what the caller has for
 * the time of one call. OpenSSL takes a record's beginning into its own buffer, so nothing is left over but at the
 * end of the caller's room. Output gathers in one block, which is handed over as it is.
 */
#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/sha.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/net/tls_private.h"

#define OUT_CAP_MIN 1024
#define WRITE_MAX (1 << 30) /* lengths are int in OpenSSL */

struct tls_session {
	SSL *ssl;
	struct tls_context *context;
	const uint8_t *in; /* lent by tls_session_read(), while it runs */
	size_t in_len;
	uint8_t *out;
	size_t out_len, out_cap;
	bool is_established, is_ended;
	bool is_out_of_memory;
	int failure; /* 0, or what every further call returns */
	char error[TLS_WHY_MAX];
};

/* -------- octets -------- */

static int
bio_read(BIO *bio, char *out, size_t cap, size_t *n)
{
	struct tls_session *s = BIO_get_data(bio);
	BIO_clear_retry_flags(bio);
	*n = cap < s->in_len ? cap : s->in_len;
	if (!*n) {
		BIO_set_retry_read(bio);
		return 0;
	}
	memcpy(out, s->in, *n);
	s->in += *n;
	s->in_len -= *n;
	return 1;
}

static int
bio_write(BIO *bio, const char *data, size_t len, size_t *n)
{
	struct tls_session *s = BIO_get_data(bio);
	BIO_clear_retry_flags(bio);
	size_t need = s->out_len + len;
	if (need > s->out_cap) {
		size_t cap = need > 2 * s->out_cap ? need : 2 * s->out_cap;
		cap = cap > OUT_CAP_MIN ? cap : OUT_CAP_MIN;
		uint8_t *bigger = realloc(s->out, cap);
		if (!bigger) {
			s->is_out_of_memory = true;
			return 0;
		}
		s->out = bigger;
		s->out_cap = cap;
	}
	memcpy(s->out + s->out_len, data, len);
	s->out_len = need;
	*n = len;
	return 1;
}

static long
bio_ctrl(BIO *bio, int cmd, long num, void *ptr)
{
	return cmd == BIO_CTRL_FLUSH; /* all the rest is not for us */
}

BIO_METHOD *
tls_session_bio_method(void)
{
	BIO_METHOD *m = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "session");
	if (!m)
		return NULL;
	BIO_meth_set_read_ex(m, bio_read);
	BIO_meth_set_write_ex(m, bio_write);
	BIO_meth_set_ctrl(m, bio_ctrl);
	return m;
}

uint8_t *
tls_session_take(struct tls_session *s, size_t *len)
{
	uint8_t *out = s->out;
	if (!s->out_len)
		return NULL;
	*len = s->out_len;
	s->out = NULL;
	s->out_len = s->out_cap = 0;
	return out;
}

/* -------- beginning and end -------- */

static int
session_new(struct tls_context *context, struct tls_session **out)
{
	struct tls_session *s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	ERR_clear_error();
	s->context = tls_context_hold(context);
	s->ssl = SSL_new(context->ctx);
	BIO *bio = s->ssl ? BIO_new(context->bio) : NULL;
	if (!bio) {
		tls_session_free(s);
		return -ENOMEM;
	}
	BIO_set_data(bio, s);
	BIO_set_init(bio, 1);
	SSL_set_bio(s->ssl, bio, bio);
	SSL_set_app_data(s->ssl, s);
	*out = s;
	return 0;
}

void
tls_session_free(struct tls_session *s)
{
	if (!s)
		return;
	SSL_free(s->ssl);
	tls_context_free(s->context);
	free(s->out);
	free(s);
}

/* Whom the certificate must name. Names of the subject's are not looked at (RFC 8310 section 8.1). */
static bool
expect_name(SSL *ssl, struct tls_context *c)
{
	if (!c->name[0])
		return true;
	X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
	if (c->name_is_address)
		return X509_VERIFY_PARAM_set1_ip_asc(param, c->name) == 1;
	X509_VERIFY_PARAM_set_hostflags(param,
					X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	return X509_VERIFY_PARAM_set1_host(param, c->name, 0) == 1 && SSL_set_tlsext_host_name(ssl, c->name) == 1;
}

int
tls_session_connect(const struct tls_client *client, struct tls_session **out)
{
	struct tls_session *s;
	int rc = session_new(client->context, &s);
	if (rc != 0)
		return rc;
	SSL_set_connect_state(s->ssl);
	/* With no input yet, the handshake stops behind the first message that it sends. */
	if (!expect_name(s->ssl, client->context) || SSL_do_handshake(s->ssl) == 1 || !s->out_len) {
		tls_session_free(s);
		return -ENOMEM;
	}
	*out = s;
	return 0;
}

int
tls_session_accept(const struct tls_server *server, struct tls_session **out)
{
	int rc = session_new(server->context, out);
	if (rc == 0)
		SSL_set_accept_state((*out)->ssl);
	return rc;
}

void
tls_session_end(struct tls_session *s)
{
	ERR_clear_error();
	if (s->is_established && !s->failure)
		SSL_shutdown(s->ssl);
	ERR_clear_error();
}

/* -------- why sessions fail -------- */

/* Names come from whoever answered: only what a domain name consists of goes into a text. */
static size_t
add_name(char *out, size_t cap, const ASN1_STRING *name)
{
	const unsigned char *data = ASN1_STRING_get0_data(name);
	int len = ASN1_STRING_length(name);
	size_t n = 0;
	for (int i = 0; i < len && n + 1 < cap; i++)
		out[n++] = isalnum(data[i]) || data[i] == '.' || data[i] == '-' || data[i] == '*' || data[i] == '_'
				   ? (char)data[i]
				   : '?';
	out[n] = '\0';
	return n;
}

/* The domain names of a certificate, as many as fit. */
static void
names_of(X509 *cert, char *out, size_t cap)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
	size_t n = 0;
	out[0] = '\0';
	for (int i = 0; i < sk_GENERAL_NAME_num(names) && n + 3 < cap; i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
		if (name->type != GEN_DNS)
			continue;
		if (n)
			n += (size_t)snprintf(out + n, cap - n, ", ");
		n += add_name(out + n, cap - n, name->d.dNSName);
	}
	GENERAL_NAMES_free(names);
}

/* OpenSSL forgets the certificate of a peer whom it does not trust, so its names are looked at here. */
int
tls_session_note_name(int is_good, X509_STORE_CTX *store)
{
	int err = X509_STORE_CTX_get_error(store);
	X509 *cert = X509_STORE_CTX_get0_cert(store);
	if (is_good || !cert || (err != X509_V_ERR_HOSTNAME_MISMATCH && err != X509_V_ERR_IP_ADDRESS_MISMATCH))
		return is_good;
	SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct tls_session *s = SSL_get_app_data(ssl);
	char names[TLS_WHY_MAX / 2];
	names_of(cert, names, sizeof(names));
	snprintf(s->error, sizeof(s->error), "name mismatch: wanted %.100s, the certificate is for %s",
		 s->context->name, names[0] ? names : "no domain name");
	return is_good;
}

/* Into s->error: what the certificate lacks, else what OpenSSL says. */
static void
explain(struct tls_session *s)
{
	long verify = SSL_get_verify_result(s->ssl);
	if (s->error[0])
		return; /* by tls_session_note_name() */
	if (verify != X509_V_OK)
		snprintf(s->error, sizeof(s->error), "%s", X509_verify_cert_error_string(verify));
	else
		snprintf(s->error, sizeof(s->error), "TLS: %s", tls_error_text());
}

static int
fail(struct tls_session *s)
{
	if (s->is_out_of_memory) {
		s->failure = -ENOMEM;
		snprintf(s->error, sizeof(s->error), "TLS: out of memory");
	} else {
		s->failure = -EPROTO;
		explain(s);
	}
	ERR_clear_error();
	return s->failure;
}

static int
fail_with(struct tls_session *s, const char *text)
{
	s->failure = -EPROTO;
	snprintf(s->error, sizeof(s->error), "%s", text);
	return s->failure;
}

/* -------- the handshake -------- */

/* True when the key of the peer's certificate has one of our pins. All are compared, and each in full. */
static bool
pin_matches(const struct tls_session *s)
{
	const X509 *cert = SSL_get0_peer_certificate(s->ssl);
	uint8_t *der = NULL, digest[CONFIG_PIN_LEN];
	int len = cert ? i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), &der) : -1;
	if (len <= 0)
		return false;
	SHA256(der, (size_t)len, digest);
	OPENSSL_free(der);
	bool matches = false;
	for (unsigned i = 0; i < s->context->n_pins; i++)
		matches |= CRYPTO_memcmp(s->context->pins[i].sha256, digest, sizeof(digest)) == 0;
	return matches;
}

/* What a client asks of a server beyond what OpenSSL has looked at. */
static int
check_server(struct tls_session *s)
{
	const unsigned char *protocol;
	unsigned len;
	SSL_get0_alpn_selected(s->ssl, &protocol, &len);
	if (s->context->n_pins && !pin_matches(s))
		return fail_with(s, "pin mismatch: the key of the certificate is none of those configured");
	if (len != 3 || memcmp(protocol, "dot", 3) != 0)
		return fail_with(s, "the peer does not select the protocol \"dot\" (RFC 9103 section 7.1)");
	return 0;
}

static int
handshake(struct tls_session *s)
{
	int rc = SSL_do_handshake(s->ssl);
	if (rc != 1)
		return SSL_get_error(s->ssl, rc) == SSL_ERROR_WANT_READ ? 0 : fail(s);
	rc = s->context->is_server ? 0 : check_server(s);
	s->is_established = rc == 0;
	return rc;
}

/* -------- plaintext -------- */

static ssize_t
read_plain(struct tls_session *s, uint8_t *out, size_t cap)
{
	size_t n;
	if (!s->is_established) {
		int rc = handshake(s);
		if (rc != 0 || !s->is_established)
			return rc;
	}
	if (SSL_read_ex(s->ssl, out, cap, &n) == 1)
		return (ssize_t)n;
	switch (SSL_get_error(s->ssl, 0)) {
	case SSL_ERROR_WANT_READ:
		return 0;
	case SSL_ERROR_ZERO_RETURN:
		s->is_ended = true;
		return 0;
	default:
		return fail(s);
	}
}

ssize_t
tls_session_read(struct tls_session *s, const uint8_t **data, size_t *len, uint8_t *out, size_t cap)
{
	assert(cap > 0);
	if (s->failure)
		return s->failure;
	s->in = *data;
	s->in_len = *len;
	ERR_clear_error();
	ssize_t n = s->is_ended ? 0 : read_plain(s, out, cap);
	if (s->is_ended)
		s->in_len = 0; /* what comes after the goodbye is nobody's */
	*data += *len - s->in_len;
	*len = s->in_len;
	s->in = NULL;
	s->in_len = 0;
	return n;
}

int
tls_session_write(struct tls_session *s, const uint8_t *data, size_t len)
{
	size_t n;
	assert(s->is_established && len <= WRITE_MAX);
	if (s->failure)
		return s->failure;
	ERR_clear_error();
	if (!len || SSL_write_ex(s->ssl, data, len, &n) == 1)
		return 0;
	return fail(s);
}

/* -------- about the session -------- */

bool
tls_session_is_established(const struct tls_session *s)
{
	return s->is_established;
}

bool
tls_session_is_ended(const struct tls_session *s)
{
	return s->is_ended;
}

const char *
tls_session_error(const struct tls_session *s)
{
	return s->error;
}

bool
tls_session_has_peer(const struct tls_session *s)
{
	return s->is_established && SSL_get0_peer_certificate(s->ssl) && SSL_get_verify_result(s->ssl) == X509_V_OK;
}

bool
tls_session_peer_is(const struct tls_session *s, const char *name)
{
	return tls_session_has_peer(s) &&
	       X509_check_host(SSL_get0_peer_certificate(s->ssl), name, 0,
			       X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_WILDCARDS, NULL) == 1;
}

const char *
tls_session_version(const struct tls_session *s)
{
	return SSL_get_version(s->ssl);
}

const char *
tls_session_cipher(const struct tls_session *s)
{
	return SSL_get_cipher_name(s->ssl);
}
