/* SPDX-License-Identifier: Apache-2.0 */
/* TLS clients and servers: what sessions are made from. See tls.h. */
#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/net/tls_private.h"

/* Of TLS 1.2, for servers: forward-secret and authenticated (RFC 9325 section 4.2). TLS 1.3 has no others. */
#define CIPHERS_1_2 "ECDHE+AESGCM:ECDHE+CHACHA20:!aNULL"

const char *
tls_error_text(void)
{
	unsigned long code = ERR_peek_error(); /* the first tells the cause, the others what followed */
	const char *text = ERR_SYSTEM_ERROR(code) ? strerror(ERR_GET_REASON(code)) : ERR_reason_error_string(code);
	ERR_clear_error();
	return text ? text : "unknown error";
}

/* -------- what both have -------- */

/* Nobody sits at a terminal: a key with a passphrase is refused instead of asked about. */
static int
no_passphrase(char *buf, int size, int is_writing, void *arg)
{
	*(bool *)arg = true;
	return -1;
}

static int
context_init(struct tls_context *c, const SSL_METHOD *method, int version_min)
{
	c->bio = tls_session_bio_method();
	c->ctx = SSL_CTX_new(method);
	if (!c->bio || !c->ctx || SSL_CTX_set_min_proto_version(c->ctx, version_min) != 1)
		return -ENOMEM;
	SSL_CTX_set_options(c->ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
	SSL_CTX_set_mode(c->ctx, SSL_MODE_RELEASE_BUFFERS); /* an idle session keeps none */
	SSL_CTX_set_session_cache_mode(c->ctx, SSL_SESS_CACHE_OFF);
	return 0;
}

static struct tls_context *
context_new(void)
{
	struct tls_context *c = calloc(1, sizeof(*c));
	if (c)
		atomic_init(&c->refs, 1);
	ERR_clear_error();
	return c;
}

struct tls_context *
tls_context_hold(struct tls_context *c)
{
	atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
	return c;
}

void
tls_context_free(struct tls_context *c)
{
	if (!c || atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) != 1)
		return;
	SSL_CTX_free(c->ctx);
	BIO_meth_free(c->bio);
	free(c->pins);
	free(c);
}

static int
load_identity(SSL_CTX *ctx, const char *certificate, const char *key, char *why)
{
	bool has_passphrase = false;
	SSL_CTX_set_default_passwd_cb(ctx, no_passphrase);
	SSL_CTX_set_default_passwd_cb_userdata(ctx, &has_passphrase);
	if (SSL_CTX_use_certificate_chain_file(ctx, certificate) != 1)
		snprintf(why, TLS_WHY_MAX, "%s: no certificate in PEM: %s", certificate, tls_error_text());
	else if (SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1)
		snprintf(why, TLS_WHY_MAX, "%s: no key to that certificate in PEM: %s", key,
			 has_passphrase ? "it has a passphrase" : tls_error_text());
	else if (SSL_CTX_check_private_key(ctx) != 1)
		snprintf(why, TLS_WHY_MAX, "%s: is not the key of %s", key, certificate);
	else
		return 0;
	return -EINVAL;
}

static int
no_memory(char *why)
{
	ERR_clear_error();
	snprintf(why, TLS_WHY_MAX, "TLS: out of memory");
	return -ENOMEM;
}

/* -------- clients -------- */

static int
client_trust(struct tls_context *c, const char *ca, char *why)
{
	SSL_CTX *ctx = c->ctx;
	if (!c->name[0]) { /* pins are looked at when the handshake is over */
		SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL);
		return 0;
	}
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, tls_session_note_name);
	if (ca ? SSL_CTX_load_verify_file(ctx, ca) : SSL_CTX_set_default_verify_paths(ctx))
		return 0;
	snprintf(why, TLS_WHY_MAX, "%s: no certificates in PEM: %s", ca ? ca : "the system's certificates",
		 tls_error_text());
	return -EINVAL;
}

static bool
is_address(const char *text)
{
	uint8_t octets[16];
	return inet_pton(AF_INET, text, octets) == 1 || inet_pton(AF_INET6, text, octets) == 1;
}

static int
client_name(struct tls_context *c, const char *name, char *why)
{
	size_t len = name ? strlen(name) : 0;
	if (len > 1 && name[len - 1] == '.')
		len--;
	if (len >= sizeof(c->name)) {
		snprintf(why, TLS_WHY_MAX, "name: too long");
		return -EINVAL;
	}
	if (len)
		memcpy(c->name, name, len);
	c->name_is_address = is_address(c->name);
	return 0;
}

static int
client_init(struct tls_context *c, const struct config_remote_tls *config, char *why)
{
	static const uint8_t alpn[] = {3, 'd', 'o', 't'};
	int rc = context_init(c, TLS_client_method(), TLS1_3_VERSION);
	if (rc != 0 || SSL_CTX_set_alpn_protos(c->ctx, alpn, sizeof(alpn)) != 0)
		return no_memory(why);
	if (config->n_pin) {
		c->pins = malloc(config->n_pin * sizeof(*c->pins));
		if (!c->pins)
			return no_memory(why);
		memcpy(c->pins, config->pin, config->n_pin * sizeof(*c->pins));
		c->n_pins = config->n_pin;
	}
	rc = client_name(c, config->name, why);
	if (rc == 0)
		rc = client_trust(c, config->ca, why);
	if (rc == 0 && config->certificate)
		rc = load_identity(c->ctx, config->certificate, config->key, why);
	return rc;
}

int
tls_client_new(const struct config_remote_tls *config, char why[TLS_WHY_MAX], struct tls_client **out)
{
	struct tls_context *context = context_new();
	struct tls_client *c = malloc(sizeof(*c));
	int rc = context && c ? client_init(context, config, why) : no_memory(why);
	if (rc != 0) {
		tls_context_free(context);
		free(c);
		return rc;
	}
	c->context = context;
	c->holds = 1;
	*out = c;
	return 0;
}

const struct tls_client *
tls_client_hold(const struct tls_client *client)
{
	if (client)
		((struct tls_client *)(uintptr_t)client)->holds++;
	return client;
}

void
tls_client_free(const struct tls_client *held)
{
	struct tls_client *client = (struct tls_client *)(uintptr_t)held;
	if (!client || --client->holds)
		return;
	tls_context_free(client->context);
	free(client);
}

/* -------- servers -------- */

/* RFC 7301 section 3.2. Without an offer we are not asked, and go on without. */
static int
choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_len, const unsigned char *in,
		unsigned in_len, void *arg)
{
	for (unsigned i = 0; i < in_len; i += 1u + in[i]) {
		if (in[i] != 3 || memcmp(in + i + 1, "dot", 3) != 0)
			continue;
		*out = in + i + 1;
		*out_len = 3;
		return SSL_TLSEXT_ERR_OK;
	}
	return SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* Clients may show a certificate and need not: what one is good for is the acls' affair. */
static int
server_ask_clients(SSL_CTX *ctx, const char *ca, char *why)
{
	STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(ca);
	if (!names || SSL_CTX_load_verify_file(ctx, ca) != 1) {
		sk_X509_NAME_pop_free(names, X509_NAME_free);
		snprintf(why, TLS_WHY_MAX, "%s: no certificates in PEM: %s", ca, tls_error_text());
		return -EINVAL;
	}
	SSL_CTX_set_client_CA_list(ctx, names);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	return 0;
}

static int64_t
not_after_s(SSL_CTX *ctx)
{
	struct tm tm;
	const ASN1_TIME *end = X509_get0_notAfter(SSL_CTX_get0_certificate(ctx));
	return ASN1_TIME_to_tm(end, &tm) == 1 ? (int64_t)timegm(&tm) : INT64_MAX;
}

static int
server_init(struct tls_context *c, const struct config_tls *config, char *why)
{
	static const uint8_t id[] = "anser"; /* tickets of ours; needed where clients are asked for certificates */
	c->is_server = true;
	int rc = context_init(c, TLS_server_method(), TLS1_2_VERSION);
	if (rc != 0 || SSL_CTX_set_cipher_list(c->ctx, CIPHERS_1_2) != 1 ||
	    SSL_CTX_set_session_id_context(c->ctx, id, sizeof(id) - 1) != 1)
		return no_memory(why);
	SSL_CTX_set_options(c->ctx, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
	SSL_CTX_set_alpn_select_cb(c->ctx, choose_protocol, NULL);
	rc = load_identity(c->ctx, config->certificate, config->key, why);
	if (rc == 0 && config->client_ca)
		rc = server_ask_clients(c->ctx, config->client_ca, why);
	if (rc == 0)
		c->not_after_s = not_after_s(c->ctx);
	return rc;
}

int
tls_server_new(const struct config_tls *config, char why[TLS_WHY_MAX], struct tls_server **out)
{
	struct tls_context *context = context_new();
	struct tls_server *s = malloc(sizeof(*s));
	int rc = context && s ? server_init(context, config, why) : no_memory(why);
	if (rc != 0) {
		tls_context_free(context);
		free(s);
		return rc;
	}
	s->context = context;
	*out = s;
	return 0;
}

void
tls_server_free(struct tls_server *server)
{
	if (!server)
		return;
	tls_context_free(server->context);
	free(server);
}

int64_t
tls_server_not_after_s(const struct tls_server *server)
{
	return server->context->not_after_s;
}
