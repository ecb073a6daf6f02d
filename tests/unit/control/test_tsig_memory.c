/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TSIG without memory. OpenSSL is given a malloc of ours before it asks for anything, and the linker puts our
 * calloc before the library's; so the n-th request can be made to fail. Nothing may verify, nothing may be signed,
 * outputs stay as they are, and the sanitizer build finds what a failure leaves behind.
 */
#include <errno.h>
#include <stdlib.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "tests/unit/control/tsig_fixture.h"

void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);

static unsigned long requests, fail_from; /* 0: never */

static bool
fails(void)
{
	requests++;
	return fail_from != 0 && requests >= fail_from;
}

void *
__wrap_calloc(size_t n, size_t size)
{
	return fails() ? NULL : __real_calloc(n, size);
}

static void *
failing_malloc(size_t size, const char *file, int line)
{
	return fails() ? NULL : malloc(size);
}

static void *
failing_realloc(void *p, size_t size, const char *file, int line)
{
	return fails() ? NULL : realloc(p, size);
}

static void
plain_free(void *p, const char *file, int line)
{
	free(p);
}

static void
fail_at(unsigned long from)
{
	requests = 0;
	fail_from = from;
}

/* Runs `attempt` with the first, second, ... request failing, until it asks for no more; returns how often it
 * failed. */
static unsigned long
every_failure(bool (*attempt)(void))
{
	unsigned long n = 0;
	do {
		n++;
		assert_true(n < 10000);
		fail_at(n);
	} while (!attempt() || requests >= n);
	fail_at(0);
	return n - 1;
}

static struct tsig_keys *keys;
static const struct tsig_key *key;

/* -------- attempts: true when it went well -------- */

static bool
make_keys(void)
{
	struct config_key from[] = {key_of("a.", CONFIG_HMAC_SHA1, "one"), key_of("b.", CONFIG_HMAC_SHA512, "two")};
	struct tsig_keys *made = NULL;
	struct diag_list diag = {0};
	int rc = tsig_keys_new(from, 2, TSIG_TRUNCATION_ALLOWED, &made, &diag);
	if (rc != 0) {
		assert_int_equal(rc, -ENOMEM);
		assert_null(made);
	}
	tsig_keys_free(made);
	diag_clear(&diag);
	return rc == 0;
}

static bool
sign(void)
{
	struct message plain = query_of(7), m = plain;
	struct tsig_mac mac = {.len = 99};
	size_t len = 77;
	int rc = tsig_sign_request(key, m.octets, m.len, sizeof(m.octets), NOW, &mac, &len);
	if (rc == 0)
		return true;
	assert_int_equal(rc, -ENOMEM);
	assert_int_equal(len, 77);
	assert_int_equal(mac.len, 99);
	assert_memory_equal(m.octets, plain.octets, plain.len);
	return false;
}

static struct message good_request, good_reply;
static struct tsig_verdict good_verdict;

static bool
verify(void)
{
	struct tsig_verdict v;
	enum tsig_status status = tsig_verify_request(keys, good_request.octets, good_request.len, NOW, &v);
	assert_true(status == TSIG_GOOD || status == TSIG_NO_MEMORY);
	assert_int_equal(v.is_proven, status == TSIG_GOOD);
	return status == TSIG_GOOD;
}

static bool
reply(void)
{
	struct message plain = answer_of(7, 1), m = plain;
	size_t len = 77;
	int rc = tsig_sign_reply(&good_verdict, m.octets, m.len, sizeof(m.octets), NOW, &len);
	if (rc == 0)
		return true;
	assert_int_equal(rc, -ENOMEM);
	assert_int_equal(len, 77);
	assert_memory_equal(m.octets, plain.octets, plain.len);
	return false;
}

static bool
verify_reply(void)
{
	struct tsig_verdict v;
	enum tsig_status status =
		tsig_verify_reply(key, &good_verdict.mac, good_reply.octets, good_reply.len, NOW, &v);
	assert_true(status == TSIG_GOOD || status == TSIG_NO_MEMORY);
	return status == TSIG_GOOD;
}

/* Three messages; what failed once stays failed. */
static bool
sign_stream(void)
{
	struct tsig_stream s = {0};
	int rc = tsig_stream_begin(&s, key, &good_verdict.mac);
	if (rc != 0)
		assert_null(s.key);
	for (unsigned i = 0; i < 3 && rc == 0; i++) {
		struct message plain = answer_of(7, i), m = plain;
		rc = tsig_stream_sign(&s, m.octets, m.len, sizeof(m.octets), NOW, &m.len);
		if (rc != 0) {
			assert_memory_equal(m.octets, plain.octets, plain.len);
			assert_int_equal(m.len, plain.len);
			fail_at(0);
			assert_int_equal(tsig_stream_sign(&s, m.octets, m.len, sizeof(m.octets), NOW, &m.len),
					 -ENOMEM);
		}
	}
	assert_true(rc == 0 || rc == -ENOMEM);
	tsig_stream_clear(&s);
	return rc == 0;
}

static struct message good_stream[4]; /* signed, bare, signed, signed */

static bool
verify_stream(void)
{
	struct tsig_stream s = {0};
	struct tsig_verdict v;
	if (tsig_stream_begin(&s, key, &good_verdict.mac) != 0)
		return false;
	for (unsigned i = 0; i < 4; i++) {
		enum tsig_status status =
			tsig_stream_verify(&s, good_stream[i].octets, good_stream[i].len, NOW, &v);
		if (status == TSIG_NO_MEMORY) {
			fail_at(0);
			assert_int_equal(tsig_stream_status(&s), TSIG_NO_MEMORY);
			status = tsig_stream_verify(&s, good_stream[i].octets, good_stream[i].len, NOW, &v);
			assert_int_equal(status, TSIG_NO_MEMORY);
			tsig_stream_clear(&s);
			return false;
		}
		assert_int_equal(status, i == 1 ? TSIG_PENDING : TSIG_GOOD);
	}
	tsig_stream_clear(&s);
	return true;
}

/* -------- tests -------- */

static int
set_up(void **state)
{
	(void)state;
	struct tsig_stream s;
	struct tsig_verdict v;
	keys = keys_of_all(TSIG_TRUNCATION_ALLOWED);
	key = key_in(keys, CONFIG_HMAC_SHA256);
	good_request = query_of(7);
	sign_request(key, &good_request, NOW);
	assert_int_equal(tsig_verify_request(keys, good_request.octets, good_request.len, NOW, &good_verdict),
			 TSIG_GOOD);
	good_reply = answer_of(7, 0);
	assert_int_equal(tsig_sign_reply(&good_verdict, good_reply.octets, good_reply.len,
					 sizeof(good_reply.octets), NOW, &good_reply.len),
			 0);
	good_stream[0] = good_reply; /* the first message of a stream is signed as the only one is */
	assert_int_equal(tsig_stream_begin(&s, key, &good_verdict.mac), 0);
	assert_int_equal(tsig_stream_verify(&s, good_reply.octets, good_reply.len, NOW, &v), TSIG_GOOD);
	good_stream[1] = answer_of(7, 1);
	assert_int_equal(tsig_stream_verify(&s, good_stream[1].octets, good_stream[1].len, NOW, &v), TSIG_PENDING);
	for (unsigned i = 2; i < 4; i++) {
		struct message *m = &good_stream[i];
		*m = answer_of(7, i);
		assert_int_equal(tsig_stream_sign(&s, m->octets, m->len, sizeof(m->octets), NOW, &m->len), 0);
	}
	tsig_stream_clear(&s);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	tsig_keys_free(keys);
	return 0;
}

static void
every_failure_is_told(void **state)
{
	(void)state;
	assert_true(every_failure(make_keys) > 4);
	assert_true(every_failure(sign) > 2);
	assert_true(every_failure(verify) > 2);
	assert_true(every_failure(reply) > 2);
	assert_true(every_failure(verify_reply) > 2);
	assert_true(every_failure(sign_stream) > 4);
	assert_true(every_failure(verify_stream) > 4);
}

/* Told, and not taken for a lack of memory. */
static void
what_openssl_does_not_offer_is_told(void **state)
{
	(void)state;
	struct config_key from = key_of("a.", CONFIG_HMAC_SHA1, "one");
	struct tsig_keys *made = NULL;
	struct diag_list diag = {0};
	assert_int_equal(EVP_set_default_properties(NULL, "provider=nobody"), 1);
	int rc = tsig_keys_new(&from, 1, TSIG_TRUNCATION_ALLOWED, &made, &diag);
	assert_int_equal(EVP_set_default_properties(NULL, ""), 1);
	assert_int_equal(rc, -ENOTSUP);
	assert_null(made);
	assert_int_equal(diag.n_errors, 1);
	diag_clear(&diag);
	assert_true(make_keys());
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_failure_is_told),
		cmocka_unit_test(what_openssl_does_not_offer_is_told),
	};
	if (CRYPTO_set_mem_functions(failing_malloc, failing_realloc, plain_free) != 1)
		return 1;
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
