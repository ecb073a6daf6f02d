/* SPDX-License-Identifier: Apache-2.0 */
/* DNS over TLS against real loopback sockets: what TLS adds to TCP, and where it could spoil it. */
#include "tests/unit/control/tcp_fixture.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>

#include "control/net/tls.h"
#include "tests/unit/control/tls_fixture.h"
#include "zones/base/bytes.h"

enum { TYPE_A = 1, TYPE_TXT = 16 };

static struct config_address tls_listen;

static int
setup(void **state)
{
	service_setup(state);
	signal(SIGPIPE, SIG_IGN); /* OpenSSL on sockets does not care */
	struct service *s = *state;
	tls_fixture_cert(&(struct tls_fixture_cert){.file = "ca"});
	tls_fixture_cert(&(struct tls_fixture_cert){.file = "one", .issuer = "ca", .names = "DNS:one.example"});
	tls_fixture_cert(&(struct tls_fixture_cert){.file = "two", .issuer = "ca", .names = "DNS:two.example"});
	tls_listen = s->config->server.listen[0];
	s->config->tls = (struct config_tls){
		.enabled = true, .listen = &tls_listen, .n_listen = 1, .certificate = "one.pem", .key = "one.key"};
	return 0;
}

/* -------- a client -------- */

struct secure {
	int fd;
	SSL_CTX *ctx;
	SSL *ssl;
};

static int
tls_socket(const struct service *s)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(tcp_port(s->tcp, 1))};
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	struct timeval patience = {.tv_sec = 5};
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	return fd;
}

static struct secure
secure_client(const struct service *s)
{
	struct secure c = {.fd = tls_socket(s), .ctx = SSL_CTX_new(TLS_client_method())};
	c.ssl = SSL_new(c.ctx);
	SSL_set_fd(c.ssl, c.fd);
	assert_int_equal(SSL_connect(c.ssl), 1);
	return c;
}

static void
secure_close(struct secure *c)
{
	SSL_free(c->ssl);
	SSL_CTX_free(c->ctx);
	close(c->fd);
}

static void
secure_send(struct secure *c, const void *data, size_t len)
{
	size_t n;
	assert_int_equal(SSL_write_ex(c->ssl, data, len, &n), 1);
	assert_int_equal(n, len);
}

static bool
secure_read(struct secure *c, uint8_t *out, size_t len)
{
	for (size_t at = 0, n; at < len; at += n)
		if (SSL_read_ex(c->ssl, out + at, len - at, &n) != 1)
			return false;
	return true;
}

/* Into `answer`; -1: the end. */
static int
secure_answer(struct secure *c)
{
	uint8_t frame[2];
	if (!secure_read(c, frame, 2))
		return -1;
	assert_true(secure_read(c, answer, load_be16(frame)));
	return load_be16(frame);
}

static void
secure_ask(struct secure *c, uint16_t id, const char *label, uint16_t type)
{
	uint8_t q[100];
	secure_send(c, q, query(q, id, label, type));
}

static void
assert_secure_answer(struct secure *c, uint16_t id, unsigned n_answers)
{
	assert_true(secure_answer(c) > 12);
	assert_int_equal(load_be16(answer), id);
	assert_int_equal(load_be16(answer + 6), n_answers);
}

static struct counters
tls_counts(const struct service *s)
{
	struct counters sum = {0};
	for (unsigned i = 0; i < tcp_thread_count(s->tcp); i++)
		counters_sum(&sum, tcp_thread_tls_counters(s->tcp, i));
	return sum;
}

/* -------- answers -------- */

static void
queries_are_answered_and_counted_apart(void **state)
{
	struct service *s = *state;
	service_start(s);
	struct secure c = secure_client(s);
	assert_string_equal(SSL_get_version(c.ssl), "TLSv1.3");
	secure_ask(&c, 7, "www", TYPE_A);
	assert_secure_answer(&c, 7, 1);
	secure_ask(&c, 8, "big", TYPE_TXT); /* three records of TLS */
	assert_secure_answer(&c, 8, BIG_RECORDS);
	int fd = client(s);
	uint8_t q[100];
	send_all(fd, q, query(q, 9, "www", TYPE_A));
	assert_answer(fd, 9, 1);
	close(fd);
	secure_close(&c);
	struct counters tls = tls_counts(s), tcp = service_counts(s);
	assert_int_equal(tls.rx, 2);
	assert_int_equal(tls.tx, 2);
	assert_int_equal(tls.queries_v4, 2);
	assert_int_equal(tcp.rx, 1);
	assert_int_equal(service_stats(s).accepted, 2);
	assert_int_equal(service_stats(s).tls_failed, 0);
}

/* With OPT and the padding option (RFC 7830). */
static size_t
padded_query(uint8_t *out, uint16_t id)
{
	static const uint8_t opt[] = {0, 0, 41, 16, 0, 0, 0, 0, 0, 0, 4, 0, 12, 0, 0};
	size_t len = query(out, id, "www", TYPE_A);
	memcpy(out + len, opt, sizeof(opt));
	out[2 + 11] = 1;
	len += sizeof(opt);
	store_be16(out, (uint16_t)(len - 2));
	return len;
}

/* RFC 8467 section 4.1. */
static void
answers_are_padded_over_tls_alone(void **state)
{
	struct service *s = *state;
	uint8_t q[100];
	service_start(s);
	struct secure c = secure_client(s);
	secure_send(&c, q, padded_query(q, 1));
	assert_int_equal(secure_answer(&c), 468);
	secure_ask(&c, 2, "www", TYPE_A);
	assert_true(secure_answer(&c) < 100); /* not asked for */
	int fd = client(s);
	send_all(fd, q, padded_query(q, 3));
	assert_true(read_answer(fd) < 100);
	close(fd);
	secure_close(&c);
}

static void
many_queries_come_in_one_record(void **state)
{
	struct service *s = *state;
	static uint8_t q[16000], out[8192];
	size_t len = 0, n, n_first;
	service_start(s);
	struct secure c = secure_client(s);
	for (uint16_t i = 0; i < 200; i++)
		len += query(q + len, i, "www", TYPE_A);
	secure_send(&c, q, len);
	/* The first record has the answers of a whole burst. */
	assert_int_equal(SSL_read_ex(c.ssl, out, sizeof(out), &n_first), 1);
	n = 2u + load_be16(out);
	assert_true(n_first >= 10 * n);
	assert_true(secure_read(&c, out, 200 * n - n_first));
	assert_int_equal(load_be16(out + (200 * n - n_first) - n + 2), 199);
	secure_close(&c);
}

/* Answers that the client does not take make the server wait, and none is lost or damaged. */
static void
a_slow_reader_gets_everything(void **state)
{
	struct service *s = *state;
	enum { N = 300 };
	service_start(s);
	struct secure c = secure_client(s);
	for (uint16_t i = 0; i < N; i++)
		secure_ask(&c, i, "big", TYPE_TXT);
	usleep(200000);
	assert_true(tls_counts(s).rx < N);
	for (uint16_t i = 0; i < N; i++)
		assert_secure_answer(&c, i, BIG_RECORDS);
	secure_close(&c);
}

/* Every octet of handshake and query in a segment of its own. */
static void
octets_may_come_one_by_one(void **state)
{
	struct service *s = *state;
	service_start(s);
	struct secure c = {.fd = tls_socket(s), .ctx = SSL_CTX_new(TLS_client_method())};
	BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
	uint8_t data[5000], q[100];
	size_t q_len = query(q, 5, "www", TYPE_A), n_plain = 0;
	c.ssl = SSL_new(c.ctx);
	SSL_set_bio(c.ssl, in, out);
	SSL_set_connect_state(c.ssl);
	bool asked = false;
	while (n_plain == 0) {
		SSL_do_handshake(c.ssl);
		if (SSL_is_init_finished(c.ssl) && !asked)
			asked = SSL_write(c.ssl, q, (int)q_len) > 0;
		int len = BIO_read(out, data, sizeof(data));
		for (int i = 0; i < len; i++) {
			send_all(c.fd, data + i, 1);
			usleep(100);
		}
		ssize_t got = recv(c.fd, data, sizeof(data), len > 0 && !asked ? 0 : MSG_DONTWAIT);
		if (got > 0)
			BIO_write(in, data, (int)got);
		if (asked)
			SSL_read_ex(c.ssl, data, sizeof(data), &n_plain);
	}
	assert_int_equal(load_be16(data + 2), 5);
	secure_close(&c);
}

/* -------- time and limits -------- */

static void
a_handshake_that_takes_too_long_is_ended(void **state)
{
	struct service *s = *state;
	s->config->tcp.idle_timeout_ms = 300;
	service_start(s);
	int silent = tls_socket(s), slow = tls_socket(s);
	struct secure done = secure_client(s); /* and then asks nothing */
	uint64_t begin_ms = fixture_now_ms();
	for (unsigned i = 0; i < 6; i++, usleep(30000))
		send_all(slow, &(const char[]){"\x16\3\1\2\0\1"}[i],
			 1); /* a record that never ends is no sign of life */
	assert_true(closed_within(silent, 2000));
	assert_true(closed_within(slow, 2000));
	assert_true(fixture_now_ms() - begin_ms < 1500);
	assert_int_equal(secure_answer(&done), -1);
	assert_int_equal(SSL_get_error(done.ssl, 0), SSL_ERROR_ZERO_RETURN); /* with a goodbye */
	assert_int_equal(service_stats(s).closed_idle, 3);
	close(silent);
	close(slow);
	secure_close(&done);
}

static void
sources_are_limited_over_both(void **state)
{
	struct service *s = *state;
	s->config->tcp.max_per_source = 2;
	service_start(s);
	struct secure c = secure_client(s);
	int fd = client(s);
	usleep(20000);
	int third = tls_socket(s);
	assert_true(closed_within(third, 2000));
	assert_int_equal(service_stats(s).refused_source, 1);
	close(third);
	close(fd);
	secure_close(&c);
}

/* -------- ends -------- */

static void
plain_dns_on_the_tls_port_is_refused(void **state)
{
	struct service *s = *state;
	uint8_t q[100];
	service_start(s);
	int fd = tls_socket(s);
	send_all(fd, q, query(q, 1, "www", TYPE_A));
	assert_true(closed_within(fd, 2000));
	assert_int_equal(service_stats(s).tls_failed, 1);
	assert_int_equal(service_stats(s).connections, 0);
	close(fd);
}

static void
a_goodbye_behind_queries_waits_for_their_answers(void **state)
{
	struct service *s = *state;
	enum { N = 100 };
	service_start(s);
	struct secure c = secure_client(s);
	for (uint16_t i = 0; i < N; i++)
		secure_ask(&c, i, "big", TYPE_TXT);
	SSL_shutdown(c.ssl);
	usleep(100000); /* the socket is full now */
	for (uint16_t i = 0; i < N; i++)
		assert_secure_answer(&c, i, BIG_RECORDS);
	assert_int_equal(secure_answer(&c), -1);
	assert_int_equal(SSL_get_error(c.ssl, 0), SSL_ERROR_ZERO_RETURN);
	secure_close(&c);
}

static void
damage_ends_the_connection(void **state)
{
	struct service *s = *state;
	service_start(s);
	struct secure c = secure_client(s);
	secure_ask(&c, 1, "www", TYPE_A);
	assert_secure_answer(&c, 1, 1);
	send_all(c.fd, "\x17\3\3\0\x20 0123456789012345678901234567890", 37);
	assert_int_equal(secure_answer(&c), -1);
	assert_int_equal(service_stats(s).tls_failed, 1);
	secure_close(&c);
}

static void
a_stop_says_goodbye(void **state)
{
	struct service *s = *state;
	service_start(s);
	struct secure c = secure_client(s);
	secure_ask(&c, 1, "www", TYPE_A);
	assert_secure_answer(&c, 1, 1);
	tcp_stop(s->tcp);
	tcp_close(s->tcp);
	s->tcp = NULL;
	assert_int_equal(secure_answer(&c), -1);
	assert_int_equal(SSL_get_error(c.ssl, 0), SSL_ERROR_ZERO_RETURN);
	secure_close(&c);
}

/* -------- certificates -------- */

static void
assert_shown(const struct secure *c, const char *name)
{
	assert_int_equal(X509_check_host(SSL_get0_peer_certificate(c->ssl), name, 0, 0, NULL), 1);
}

static void
a_new_certificate_holds_for_new_connections(void **state)
{
	struct service *s = *state;
	char why[TLS_WHY_MAX];
	struct tls_server *renewed;
	service_start(s);
	struct secure old = secure_client(s);
	assert_shown(&old, "one.example");
	const struct config_tls config = {.certificate = "two.pem", .key = "two.key"};
	assert_int_equal(tls_server_new(&config, why, &renewed), 0);
	tcp_set_tls(s->tcp, renewed);
	struct secure new = secure_client(s);
	assert_shown(&new, "two.example");
	secure_ask(&old, 1, "www", TYPE_A);
	assert_secure_answer(&old, 1, 1);
	secure_ask(&new, 2, "www", TYPE_A);
	assert_secure_answer(&new, 2, 1);
	tcp_set_tls(s->tcp, NULL); /* a configuration without TLS: what is open stays so */
	struct secure more = secure_client(s);
	assert_shown(&more, "two.example");
	secure_close(&more);
	secure_close(&old);
	secure_close(&new);
}

static void
bad_certificates_end_the_start(void **state)
{
	struct service *s = *state;
	struct diag_list diag = {0};
	s->config->tls.key = "two.key";
	assert_int_equal(tcp_open(s->config, &s->root, &diag, &s->tcp), -EINVAL);
	assert_int_equal(diag.n_errors, 1);
	assert_string_equal(diag.items[0].message,
			    "tls: two.key: no key to that certificate in PEM: key values mismatch");
	diag_clear(&diag);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, service_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(queries_are_answered_and_counted_apart),
		TEST(answers_are_padded_over_tls_alone),
		TEST(many_queries_come_in_one_record),
		TEST(a_slow_reader_gets_everything),
		TEST(octets_may_come_one_by_one),
		TEST(a_handshake_that_takes_too_long_is_ended),
		TEST(sources_are_limited_over_both),
		TEST(plain_dns_on_the_tls_port_is_refused),
		TEST(a_goodbye_behind_queries_waits_for_their_answers),
		TEST(damage_ends_the_connection),
		TEST(a_stop_says_goodbye),
		TEST(a_new_certificate_holds_for_new_connections),
		TEST(bad_certificates_end_the_start),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
