/* SPDX-License-Identifier: Apache-2.0 */
/* TLS sessions against each other, and against OpenSSL with other ideas: whom they believe, and how they fail. */
#include "tests/unit/control/control_fixture.h"

#include <errno.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <time.h>

#include "control/net/tls.h"
#include "tests/unit/control/tls_fixture.h"

/* -------- two ends, and the octets between them -------- */

struct end {
	struct tls_session *s;
	uint8_t plain[200000];
	size_t len;
	int failure;
};

struct pair {
	struct end client, server;
	size_t piece; /* octets handed over at a time; 0: all that there are */
};

static void
receive(struct end *to, const uint8_t *data, size_t len)
{
	ssize_t n = 1;
	while (n > 0) {
		n = tls_session_read(to->s, &data, &len, to->plain + to->len, sizeof(to->plain) - to->len);
		to->len += n > 0 ? (size_t)n : 0;
	}
	assert_true(n < 0 || len == 0);
	to->failure = (int)n;
}

/* Carries what is there from one to the other; false: there was nothing. */
static bool
carry(struct end *from, struct end *to, size_t piece)
{
	size_t len;
	uint8_t *data = tls_session_take(from->s, &len);
	if (!data)
		return false;
	for (size_t at = 0; at < len && !to->failure;) {
		size_t step = piece && piece < len - at ? piece : len - at;
		receive(to, data + at, step);
		at += step;
	}
	free(data);
	return true;
}

static void
talk(struct pair *p)
{
	bool more = true;
	while (more) {
		more = carry(&p->client, &p->server, p->piece);
		more |= carry(&p->server, &p->client, p->piece);
	}
}

static struct tls_client *
client_of(const struct config_remote_tls *config)
{
	char why[TLS_WHY_MAX] = "";
	struct tls_client *c = NULL;
	int rc = tls_client_new(config, why, &c);
	assert_string_equal(why, "");
	assert_int_equal(rc, 0);
	return c;
}

static struct tls_server *
server_of(const struct config_tls *config)
{
	char why[TLS_WHY_MAX] = "";
	struct tls_server *s = NULL;
	int rc = tls_server_new(config, why, &s);
	assert_string_equal(why, "");
	assert_int_equal(rc, 0);
	return s;
}

/* Sessions outlive what they were made from, so that goes at once. */
static struct pair *
pair_of(const struct config_remote_tls *client, const struct config_tls *server)
{
	struct pair *p = calloc(1, sizeof(*p));
	struct tls_client *c = client_of(client);
	struct tls_server *s = server_of(server);
	assert_int_equal(tls_session_connect(c, &p->client.s), 0);
	assert_int_equal(tls_session_accept(s, &p->server.s), 0);
	tls_client_free(c);
	tls_server_free(s);
	return p;
}

static void
pair_free(struct pair *p)
{
	tls_session_free(p->client.s);
	tls_session_free(p->server.s);
	free(p);
}

static struct config_remote_tls good_client = {.name = "ns1.example", .ca = "ca.pem"};
static struct config_tls good_server = {.certificate = "good.pem", .key = "good.key"};

static int
setup(void **state)
{
	fixture_enter();
	const long day = TLS_FIXTURE_DAY_S;
	const struct tls_fixture_cert certs[] = {
		{.file = "ca"},
		{.file = "other-ca"},
		{.file = "good", .issuer = "ca", .names = "DNS:ns1.example,DNS:*.wild.example,IP:192.0.2.1"},
		{.file = "other", .issuer = "ca", .names = "DNS:a.example,DNS:b.example"},
		{.file = "ns1.example", .issuer = "ca"}, /* the right name where it does not count */
		{.file = "expired", .issuer = "ca", .names = "DNS:ns1.example", .begin_s = -2 * day, .end_s = -day},
		{.file = "early", .issuer = "ca", .names = "DNS:ns1.example", .begin_s = day, .end_s = 2 * day},
		{.file = "foreign", .issuer = "other-ca", .names = "DNS:ns1.example"},
		{.file = "client", .issuer = "other-ca", .names = "DNS:sec.example"},
	};
	for (unsigned i = 0; i < ARRAY_LEN(certs); i++)
		tls_fixture_cert(&certs[i]);
	return 0;
}

static int
teardown(void **state)
{
	fixture_leave();
	return 0;
}

/* -------- what works -------- */

static void
fill(uint8_t *out, size_t len, unsigned seed)
{
	for (size_t i = 0; i < len; i++)
		out[i] = (uint8_t)(i * 7 + i / 256 + seed);
}

static void
assert_passes(struct pair *p, struct end *from, struct end *to, size_t len)
{
	static uint8_t data[150000];
	fill(data, len, (unsigned)len);
	to->len = 0;
	assert_int_equal(tls_session_write(from->s, data, len), 0);
	talk(p);
	assert_int_equal(to->len, len);
	assert_memory_equal(to->plain, data, len);
}

static void
octets_pass_both_ways(void **state)
{
	for (unsigned i = 0; i < 3; i++) {
		struct pair *p = pair_of(&good_client, &good_server);
		p->piece = i;
		assert_false(tls_session_is_established(p->client.s) || tls_session_is_established(p->server.s));
		talk(p);
		assert_true(tls_session_is_established(p->client.s) && tls_session_is_established(p->server.s));
		assert_string_equal(tls_session_version(p->client.s), "TLSv1.3");
		assert_passes(p, &p->client, &p->server, 1);
		assert_passes(p, &p->server, &p->client, 100);
		assert_passes(p, &p->client, &p->server, 70000);
		assert_passes(p, &p->server, &p->client, 150000);
		assert_passes(p, &p->server, &p->client, 0);
		assert_string_equal(tls_session_error(p->client.s), "");
		pair_free(p);
	}
}

/* Both ends wait for the other when there is no room for plaintext: what is read later is the same. */
static void
plaintext_can_be_read_in_small_pieces(void **state)
{
	struct pair *p = pair_of(&good_client, &good_server);
	uint8_t data[40000], got[40000];
	talk(p);
	fill(data, sizeof(data), 1);
	assert_int_equal(tls_session_write(p->client.s, data, sizeof(data)), 0);
	size_t len, at = 0;
	uint8_t *out = tls_session_take(p->client.s, &len);
	const uint8_t *in = out;
	ssize_t n;
	while ((n = tls_session_read(p->server.s, &in, &len, got + at, at + 7 < sizeof(got) ? 7 : 1)) > 0)
		at += (size_t)n;
	assert_int_equal(n, 0);
	assert_int_equal(at, sizeof(data));
	assert_memory_equal(got, data, sizeof(data));
	free(out);
	pair_free(p);
}

static void
a_goodbye_is_seen(void **state)
{
	struct pair *p = pair_of(&good_client, &good_server);
	talk(p);
	assert_int_equal(tls_session_write(p->client.s, (const uint8_t *)"last", 4), 0);
	tls_session_end(p->client.s);
	talk(p);
	assert_int_equal(p->server.len, 4);
	assert_true(tls_session_is_ended(p->server.s));
	assert_int_equal(p->server.failure, 0);
	receive(&p->server, (const uint8_t *)"noise", 5);
	assert_int_equal(p->server.failure, 0);
	assert_false(tls_session_is_ended(p->client.s));
	tls_session_end(p->server.s);
	talk(p);
	assert_true(tls_session_is_ended(p->client.s));
	pair_free(p);
}

/* -------- whom the client believes -------- */

static void
assert_believed(const struct config_remote_tls *client, const char *certificate)
{
	char pem[100], key[100];
	snprintf(pem, sizeof(pem), "%s.pem", certificate);
	snprintf(key, sizeof(key), "%s.key", certificate);
	struct pair *p = pair_of(client, &(struct config_tls){.certificate = pem, .key = key});
	talk(p);
	assert_string_equal(tls_session_error(p->client.s), "");
	assert_true(tls_session_is_established(p->client.s));
	pair_free(p);
}

static void
assert_doubted(const struct config_remote_tls *client, const char *certificate, const char *error)
{
	char pem[100], key[100];
	snprintf(pem, sizeof(pem), "%s.pem", certificate);
	snprintf(key, sizeof(key), "%s.key", certificate);
	struct pair *p = pair_of(client, &(struct config_tls){.certificate = pem, .key = key});
	talk(p);
	assert_string_equal(tls_session_error(p->client.s), error);
	assert_int_equal(p->client.failure, -EPROTO);
	assert_false(tls_session_is_established(p->client.s));
	const uint8_t *none = NULL;
	size_t len = 0;
	uint8_t out[1];
	assert_int_equal(tls_session_read(p->client.s, &none, &len, out, 1), -EPROTO); /* once is for ever */
	pair_free(p);
}

static void
names_are_checked(void **state)
{
	assert_believed(&good_client, "good");
	assert_believed(&(struct config_remote_tls){.name = "NS1.example.", .ca = "ca.pem"}, "good");
	assert_believed(&(struct config_remote_tls){.name = "x.wild.example", .ca = "ca.pem"}, "good");
	assert_believed(&(struct config_remote_tls){.name = "192.0.2.1", .ca = "ca.pem"}, "good");
	assert_doubted(&good_client, "other",
		       "name mismatch: wanted ns1.example, the certificate is for a.example, b.example");
	assert_doubted(&good_client, "ns1.example",
		       "name mismatch: wanted ns1.example, the certificate is for no domain name");
	assert_doubted(&(struct config_remote_tls){.name = "192.0.2.2", .ca = "ca.pem"}, "good",
		       "name mismatch: wanted 192.0.2.2, the certificate is for ns1.example, *.wild.example");
}

static void
dates_are_checked(void **state)
{
	assert_doubted(&good_client, "expired", "certificate has expired");
	assert_doubted(&good_client, "early", "certificate is not yet valid");
}

static void
issuers_are_checked(void **state)
{
	assert_doubted(&good_client, "foreign", "unable to get local issuer certificate");
	assert_doubted(&(struct config_remote_tls){.name = "ns1.example"}, "good",
		       "unable to get local issuer certificate"); /* the system knows it even less */
	assert_doubted(&good_client, "other-ca", "self-signed certificate");
}

static void
pins_are_checked(void **state)
{
	struct config_pin pins[2] = {tls_fixture_pin("good"), tls_fixture_pin("expired")};
	struct config_remote_tls alone = {.pin = pins, .n_pin = 2}, with_name = good_client;
	const char *error = "pin mismatch: the key of the certificate is none of those configured";
	assert_believed(&alone, "good");
	assert_believed(&alone, "expired"); /* a pin alone is about the key */
	assert_doubted(&alone, "other", error);
	pins[1] = pins[0];
	pins[1].sha256[31] ^= 1;
	pins[0].sha256[0] ^= 1;
	assert_doubted(&alone, "good", error);

	pins[0] = tls_fixture_pin("good");
	with_name.pin = pins;
	with_name.n_pin = 1;
	assert_believed(&with_name, "good");
	pins[0] = tls_fixture_pin("other");
	assert_doubted(&with_name, "good", error);
	assert_doubted(&with_name, "other",
		       "name mismatch: wanted ns1.example, the certificate is for a.example, b.example");
}

/* -------- certificates of clients -------- */

static void
clients_may_show_certificates(void **state)
{
	struct config_tls asking = good_server;
	struct config_remote_tls showing = good_client;
	asking.client_ca = "other-ca.pem";
	showing.certificate = "client.pem";
	showing.key = "client.key";

	struct pair *p = pair_of(&showing, &asking);
	talk(p);
	assert_true(tls_session_is_established(p->server.s));
	assert_true(tls_session_has_peer(p->server.s));
	assert_true(tls_session_peer_is(p->server.s, "sec.example"));
	assert_false(tls_session_peer_is(p->server.s, "ns1.example"));
	pair_free(p);

	p = pair_of(&good_client, &asking); /* none */
	talk(p);
	assert_true(tls_session_is_established(p->server.s));
	assert_false(tls_session_has_peer(p->server.s));
	assert_false(tls_session_peer_is(p->server.s, "sec.example"));
	assert_passes(p, &p->client, &p->server, 100);
	pair_free(p);

	p = pair_of(&showing, &good_server); /* not asked */
	talk(p);
	assert_false(tls_session_has_peer(p->server.s));
	pair_free(p);

	showing.certificate = "other.pem"; /* of another issuer */
	showing.key = "other.key";
	p = pair_of(&showing, &asking);
	talk(p);
	assert_string_equal(tls_session_error(p->server.s), "self-signed certificate in certificate chain");
	assert_string_equal(tls_session_error(p->client.s), "TLS: tlsv1 alert unknown ca");
	pair_free(p);
}

/* -------- peers with other ideas -------- */

/* OpenSSL by itself over memory BIOs, as a client or server of its own taste. */
struct foreign {
	SSL_CTX *ctx;
	SSL *ssl;
	BIO *in, *out;
};

static int
choose_other(SSL *ssl, const unsigned char **out, unsigned char *len, const unsigned char *in, unsigned n,
	     void *arg)
{
	return SSL_TLSEXT_ERR_NOACK;
}

static int
choose_first(SSL *ssl, const unsigned char **out, unsigned char *len, const unsigned char *in, unsigned n,
	     void *arg)
{
	*out = in + 1;
	*len = in[0];
	return SSL_TLSEXT_ERR_OK;
}

static struct foreign
foreign_new(bool is_server)
{
	struct foreign f = {.ctx = SSL_CTX_new(is_server ? TLS_server_method() : TLS_client_method())};
	if (is_server) {
		assert_int_equal(SSL_CTX_use_certificate_chain_file(f.ctx, "good.pem"), 1);
		assert_int_equal(SSL_CTX_use_PrivateKey_file(f.ctx, "good.key", SSL_FILETYPE_PEM), 1);
		SSL_CTX_set_alpn_select_cb(f.ctx, choose_first, NULL);
	}
	return f;
}

static void
foreign_begin(struct foreign *f, bool is_server)
{
	f->ssl = SSL_new(f->ctx);
	f->in = BIO_new(BIO_s_mem());
	f->out = BIO_new(BIO_s_mem());
	SSL_set_bio(f->ssl, f->in, f->out);
	if (is_server)
		SSL_set_accept_state(f->ssl);
	else
		SSL_set_connect_state(f->ssl);
}

static void
foreign_free(struct foreign *f)
{
	SSL_free(f->ssl);
	SSL_CTX_free(f->ctx);
}

/* Until nobody has anything to say; what the foreign one reads is thrown away. */
static void
foreign_talk(struct foreign *f, struct end *e)
{
	uint8_t data[20000];
	for (bool more = true; more;) {
		size_t len;
		uint8_t *out = tls_session_take(e->s, &len);
		more = out != NULL;
		if (out)
			BIO_write(f->in, out, (int)len);
		free(out);
		if (SSL_is_init_finished(f->ssl))
			SSL_read(f->ssl, data, sizeof(data));
		else
			SSL_do_handshake(f->ssl);
		int n = BIO_read(f->out, data, sizeof(data));
		if (n > 0 && !e->failure)
			receive(e, data, (size_t)n);
		more |= n > 0;
	}
}

static void
assert_server_refused(struct foreign *f, const char *error)
{
	struct end e = {0};
	struct tls_client *c = client_of(&good_client);
	foreign_begin(f, true);
	assert_int_equal(tls_session_connect(c, &e.s), 0);
	foreign_talk(f, &e);
	assert_string_equal(tls_session_error(e.s), error);
	assert_int_equal(e.failure, error[0] ? -EPROTO : 0);
	tls_session_free(e.s);
	tls_client_free(c);
	foreign_free(f);
}

static void
clients_refuse_old_versions(void **state)
{
	struct foreign f = foreign_new(true);
	SSL_CTX_set_max_proto_version(f.ctx, TLS1_2_VERSION);
	assert_server_refused(&f, "TLS: tlsv1 alert protocol version");
}

static void
clients_insist_on_the_protocol(void **state)
{
	struct foreign f = foreign_new(true);
	SSL_CTX_set_alpn_select_cb(f.ctx, choose_other, NULL);
	assert_server_refused(&f, "the peer does not select the protocol \"dot\" (RFC 9103 section 7.1)");
	f = foreign_new(true);
	assert_server_refused(&f, "");
}

/* In TLS 1.3 a client hears of it after its handshake. */
static void
servers_may_insist_on_our_certificate(void **state)
{
	struct foreign f = foreign_new(true);
	SSL_CTX_set_verify(f.ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	assert_server_refused(&f, "TLS: tlsv13 alert certificate required");
}

static void
assert_client(struct foreign *f, const char *version, const char *error)
{
	struct end e = {0};
	struct tls_server *s = server_of(&good_server);
	foreign_begin(f, false);
	assert_int_equal(tls_session_accept(s, &e.s), 0);
	foreign_talk(f, &e);
	assert_string_equal(tls_session_error(e.s), error);
	assert_int_equal(tls_session_is_established(e.s), !error[0]);
	if (!error[0])
		assert_string_equal(tls_session_version(e.s), version);
	tls_session_free(e.s);
	tls_server_free(s);
	foreign_free(f);
}

static void
servers_take_stub_resolvers(void **state)
{
	struct foreign f = foreign_new(false);
	assert_client(&f, "TLSv1.3", ""); /* no protocol offered */
	f = foreign_new(false);
	SSL_CTX_set_max_proto_version(f.ctx, TLS1_2_VERSION);
	assert_client(&f, "TLSv1.2", "");
	f = foreign_new(false);
	SSL_CTX_set_alpn_protos(f.ctx, (const uint8_t *)"\2h2\3dot", 7);
	assert_client(&f, "TLSv1.3", "");
}

static void
servers_refuse_the_rest(void **state)
{
	struct foreign f = foreign_new(false);
	SSL_CTX_set_alpn_protos(f.ctx, (const uint8_t *)"\2h2", 3);
	assert_client(&f, NULL, "TLS: no application protocol");
	f = foreign_new(false);
	SSL_CTX_set_security_level(f.ctx, 0);
	SSL_CTX_set_min_proto_version(f.ctx, TLS1_VERSION);
	SSL_CTX_set_max_proto_version(f.ctx, TLS1_1_VERSION);
	assert_client(&f, NULL, "TLS: unsupported protocol");
	f = foreign_new(false);
	SSL_CTX_set_max_proto_version(f.ctx, TLS1_2_VERSION);
	SSL_CTX_set_cipher_list(f.ctx, "ECDHE-ECDSA-AES256-SHA:AES128-SHA"); /* no AEAD */
	assert_client(&f, NULL, "TLS: no shared cipher");
}

static void
plain_dns_is_no_tls(void **state)
{
	struct end e = {0};
	struct tls_server *s = server_of(&good_server);
	assert_int_equal(tls_session_accept(s, &e.s), 0);
	static const uint8_t query[] = "\0\x1d\x12\x34\1\0\0\1\0\0\0\0\0\0\3www\7example\0\0\1\0\1";
	receive(&e, query, sizeof(query));
	assert_int_equal(e.failure, -EPROTO);
	assert_string_equal(tls_session_error(e.s), "TLS: wrong version number");
	tls_session_free(e.s);
	tls_server_free(s);
}

/* -------- damage -------- */

/* Cuts, and octets turned over, at every place of each flight of the client: nothing passes, nothing breaks. */
static void
damage_is_found_at_every_place(void **state)
{
	struct tls_client *c = client_of(&good_client);
	struct tls_server *s = server_of(&good_server);
	unsigned failed = 0, tried = 0;
	for (unsigned flight = 0; flight < 3; flight++)
		for (size_t at = 0, len = 1; at < len; at++, tried++) {
			struct pair *p = calloc(1, sizeof(*p));
			assert_int_equal(tls_session_connect(c, &p->client.s), 0);
			assert_int_equal(tls_session_accept(s, &p->server.s), 0);
			if (flight > 0) {
				carry(&p->client, &p->server, 0);
				carry(&p->server, &p->client, 0);
			}
			if (flight > 1) {
				carry(&p->client, &p->server, 0);
				carry(&p->server, &p->client, 0);
				assert_int_equal(tls_session_write(p->client.s, (const uint8_t *)"secret", 6), 0);
			}
			uint8_t *data = tls_session_take(p->client.s, &len);
			assert_non_null(data);
			receive(&p->server, data, at); /* all before the place, and wait */
			assert_int_equal(p->server.failure, 0);
			assert_int_equal(p->server.len, 0);
			data[at] ^= 0x40;
			receive(&p->server, data + at, len - at);
			talk(p);
			assert_int_equal(p->server.len, 0);
			if (p->server.failure) {
				failed++;
				assert_string_not_equal(tls_session_error(p->server.s), "");
			}
			free(data);
			pair_free(p);
		}
	/* A length that has become longer makes the server wait; ids and randoms are found wrong by the client. */
	assert_true(failed > tried / 2);
	tls_client_free(c);
	tls_server_free(s);
}

/* The same on the way of the server's answer. */
static void
damage_is_found_by_the_client(void **state)
{
	struct tls_client *c = client_of(&good_client);
	struct tls_server *s = server_of(&good_server);
	for (size_t at = 0, len = 1; at < len; at++) {
		struct pair *p = calloc(1, sizeof(*p));
		assert_int_equal(tls_session_connect(c, &p->client.s), 0);
		assert_int_equal(tls_session_accept(s, &p->server.s), 0);
		carry(&p->client, &p->server, 0);
		uint8_t *data = tls_session_take(p->server.s, &len);
		assert_non_null(data);
		if (at >= len) { /* signatures differ in length */
			free(data);
			pair_free(p);
			break;
		}
		data[at] ^= 0x40;
		receive(&p->client, data, len);
		/* Nobody heeds the outer version and the spacer (RFC 8446 sections 5.1 and D.4). */
		size_t hello_len = 5 + ((size_t)data[3] << 8) + data[4];
		bool matters = at != 2 && (at < hello_len || at >= hello_len + 6);
		if (matters)
			assert_false(tls_session_is_established(p->client.s));
		free(data);
		pair_free(p);
	}
	tls_client_free(c);
	tls_server_free(s);
}

/* -------- files -------- */

static void
assert_server_error(const char *certificate, const char *key, const char *ca, const char *error)
{
	char why[TLS_WHY_MAX];
	struct tls_server *s = NULL;
	const struct config_tls config = {.certificate = certificate, .key = key, .client_ca = ca};
	assert_int_equal(tls_server_new(&config, why, &s), -EINVAL);
	assert_string_equal(why, error);
	assert_null(s);
}

static void
bad_files_are_explained(void **state)
{
	char why[TLS_WHY_MAX];
	struct tls_client *c = NULL;
	fixture_write("noise", "no PEM at all\n");
	assert_server_error("none.pem", "good.key", NULL,
			    "none.pem: no certificate in PEM: No such file or directory");
	assert_server_error("noise", "good.key", NULL, "noise: no certificate in PEM: no start line");
	assert_server_error("good.pem", "noise", NULL, "noise: no key to that certificate in PEM: unsupported");
	assert_server_error("good.pem", "other.key", NULL,
			    "other.key: no key to that certificate in PEM: key values mismatch");
	assert_server_error("good.pem", "good.key", "noise", "noise: no certificates in PEM: no start line");
	assert_int_equal(tls_client_new(&(struct config_remote_tls){.name = "a", .ca = "noise"}, why, &c), -EINVAL);
	assert_string_equal(why, "noise: no certificates in PEM: no certificate or crl found");
	assert_null(c);
}

static void
a_key_with_a_passphrase_is_refused_and_nobody_asked(void **state)
{
	FILE *f = fopen("good.key", "r");
	EVP_PKEY *key = PEM_read_PrivateKey(f, NULL, NULL, NULL);
	fclose(f);
	f = fopen("locked.key", "w");
	assert_int_equal(PEM_write_PrivateKey(f, key, EVP_aes_128_cbc(), (const uint8_t *)"open", 4, NULL, NULL),
			 1);
	fclose(f);
	EVP_PKEY_free(key);
	char why[TLS_WHY_MAX];
	struct tls_server *s = NULL;
	const struct config_tls config = {.certificate = "good.pem", .key = "locked.key"};
	assert_int_equal(tls_server_new(&config, why, &s), -EINVAL);
	assert_string_equal(why, "locked.key: no key to that certificate in PEM: it has a passphrase");
}

static void
the_end_of_the_certificate_is_known(void **state)
{
	struct tls_server *s = server_of(&good_server);
	int64_t left_s = tls_server_not_after_s(s) - (int64_t)time(NULL);
	assert_true(left_s > TLS_FIXTURE_DAY_S - 600 && left_s <= TLS_FIXTURE_DAY_S);
	tls_server_free(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(octets_pass_both_ways),
		cmocka_unit_test(plaintext_can_be_read_in_small_pieces),
		cmocka_unit_test(a_goodbye_is_seen),
		cmocka_unit_test(names_are_checked),
		cmocka_unit_test(dates_are_checked),
		cmocka_unit_test(issuers_are_checked),
		cmocka_unit_test(pins_are_checked),
		cmocka_unit_test(clients_may_show_certificates),
		cmocka_unit_test(clients_refuse_old_versions),
		cmocka_unit_test(clients_insist_on_the_protocol),
		cmocka_unit_test(servers_may_insist_on_our_certificate),
		cmocka_unit_test(servers_take_stub_resolvers),
		cmocka_unit_test(servers_refuse_the_rest),
		cmocka_unit_test(plain_dns_is_no_tls),
		cmocka_unit_test(damage_is_found_at_every_place),
		cmocka_unit_test(damage_is_found_by_the_client),
		cmocka_unit_test(bad_files_are_explained),
		cmocka_unit_test(a_key_with_a_passphrase_is_refused_and_nobody_asked),
		cmocka_unit_test(the_end_of_the_certificate_is_known),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
