/* SPDX-License-Identifier: Apache-2.0 */
/* TSIG by the sections of RFC 8945: keys, requests, replies, and what is told when something is wrong. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "control/tsig/tsig_private.h"
#include "tests/unit/control/tsig_fixture.h"
#include "zones/wire/query.h"

static struct tsig_keys *keys, *strict;
static const struct tsig_key *key; /* sha256 of `keys` */

static int
set_up(void **state)
{
	(void)state;
	keys = keys_of_all(TSIG_TRUNCATION_ALLOWED);
	strict = keys_of_all(TSIG_TRUNCATION_REFUSED);
	key = key_in(keys, CONFIG_HMAC_SHA256);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	tsig_keys_free(keys);
	tsig_keys_free(strict);
	return 0;
}

static enum tsig_status
verify(const struct message *m, struct tsig_verdict *v)
{
	enum tsig_status status = tsig_verify_request(keys, m->octets, m->len, NOW, v);
	assert_int_equal(status, v->status);
	return status;
}

/* A signed request, and its verdict. */
static struct message
good_request(struct tsig_verdict *v)
{
	struct message m = query_of(7);
	sign_request(key, &m, NOW);
	assert_int_equal(verify(&m, v), TSIG_GOOD);
	return m;
}

/* The same request with its MAC cut to `len` octets. */
static struct message
truncated(const struct tsig_key *with, unsigned len)
{
	struct message m = query_of(7);
	sign_request(with, &m, NOW);
	struct places at = places_of(&m);
	unsigned full = load_be16(m.octets + at.mac_len);
	assert_true(len <= full);
	memmove(m.octets + at.mac + len, m.octets + at.mac + full, m.len - at.mac - full);
	m.len -= full - len;
	store_be16(m.octets + at.mac_len, (uint16_t)len);
	store_be16(m.octets + at.type + 8, (uint16_t)(load_be16(m.octets + at.type + 8) - (full - len)));
	return m;
}

/* -------- keys -------- */

static void
keys_are_found_among_many(void **state)
{
	(void)state;
	enum { N = 3000 };
	static struct config_key from[N];
	static char ids[N][16];
	struct tsig_keys *many = NULL;
	struct diag_list diag = {0};
	for (unsigned i = 0; i < N; i++) {
		snprintf(ids[i], sizeof(ids[i]), "k%u.", i * 7919 % N);
		from[i] = key_of(ids[i], (enum config_algorithm)(i % 5), ids[i]);
	}
	assert_int_equal(tsig_keys_new(from, N, TSIG_TRUNCATION_ALLOWED, &many, &diag), 0);
	for (unsigned i = 0; i < N; i++) {
		const struct tsig_key *found = tsig_keys_find(many, &from[i].name);
		assert_non_null(found);
		assert_true(name_equal(tsig_key_name(found)->bytes, from[i].name.bytes));
		struct message m = query_of(1);
		struct tsig_verdict v;
		sign_request(found, &m, NOW);
		assert_int_equal(tsig_verify_request(many, m.octets, m.len, NOW, &v), TSIG_GOOD);
		assert_ptr_equal(v.key, found);
	}
	struct config_key other = key_of("k3000.", CONFIG_HMAC_SHA1, "x");
	assert_null(tsig_keys_find(many, &other.name));
	tsig_keys_free(many);
}

static void
no_keys_are_a_set(void **state)
{
	(void)state;
	struct tsig_keys *none = NULL;
	struct diag_list diag = {0};
	struct message m = query_of(7);
	struct tsig_verdict v;
	assert_int_equal(tsig_keys_new(NULL, 0, TSIG_TRUNCATION_ALLOWED, &none, &diag), 0);
	sign_request(key, &m, NOW);
	assert_int_equal(tsig_verify_request(none, m.octets, m.len, NOW, &v), TSIG_BADKEY);
	tsig_keys_free(none);
	tsig_keys_free(NULL);
	tsig_key_release(NULL);
}

static void
a_held_key_outlives_its_set(void **state)
{
	(void)state;
	struct tsig_keys *gone = keys_of_all(TSIG_TRUNCATION_ALLOWED);
	const struct tsig_key *held = tsig_key_hold(key_in(gone, CONFIG_HMAC_SHA256));
	struct message m = query_of(7);
	struct tsig_verdict v;
	tsig_keys_free(gone);
	sign_request(held, &m, NOW);
	tsig_key_release(held);
	assert_int_equal(verify(&m, &v), TSIG_GOOD);
}

/* -------- requests (sections 5.1 and 5.2) -------- */

static void
every_algorithm_signs_and_verifies(void **state)
{
	(void)state;
	for (int a = CONFIG_HMAC_SHA1; a <= CONFIG_HMAC_SHA512; a++) {
		const struct tsig_key *with = key_in(keys, (enum config_algorithm)a);
		struct message plain = query_of(7), m = plain;
		struct tsig_verdict v;
		struct tsig_mac mac = sign_request(with, &m, NOW);
		assert_int_equal(load_be16(m.octets + 10), 2);
		assert_int_equal(verify(&m, &v), TSIG_GOOD);
		assert_true(v.is_proven);
		assert_ptr_equal(v.key, with);
		assert_int_equal(v.fudge_s, 300);
		assert_int_equal(v.time_s, NOW);
		assert_int_equal(v.mac.len, mac.len);
		assert_memory_equal(v.mac.octets, mac.octets, mac.len);
		assert_int_equal(tsig_strip(m.octets, &v), plain.len);
		assert_memory_equal(m.octets, plain.octets, plain.len);
		assert_int_equal(tsig_status_rcode(v.status), RCODE_NOERROR);
	}
}

static void
an_unsigned_request_is_none(void **state)
{
	(void)state;
	struct message plain = query_of(7), m = plain;
	struct tsig_verdict v;
	assert_int_equal(verify(&m, &v), TSIG_NONE);
	assert_int_equal(tsig_strip(m.octets, &v), plain.len);
	assert_memory_equal(m.octets, plain.octets, plain.len);
	assert_string_equal(text_of(&v), "not signed");
}

static void
letters_of_names_may_be_large(void **state)
{
	(void)state;
	struct tsig_verdict v;
	struct message m = good_request(&v);
	struct places at = places_of(&m);
	m.octets[at.start + 1] ^= 0x20;
	m.octets[at.algorithm + 1] ^= 0x20;
	assert_int_equal(verify(&m, &v), TSIG_GOOD);
}

/* Section 4.2: forwarders change the id of the header, and Original ID keeps what was signed. */
static void
another_id_in_the_header_is_good(void **state)
{
	(void)state;
	struct tsig_verdict v;
	struct message m = good_request(&v);
	m.octets[0] ^= 0xff;
	assert_int_equal(verify(&m, &v), TSIG_GOOD);
}

/* No bit of a message can be changed, but the two things above. */
static void
no_flipped_bit_verifies(void **state)
{
	(void)state;
	struct tsig_verdict v;
	struct message m = good_request(&v);
	struct places at = places_of(&m);
	unsigned n_good = 0;
	for (size_t i = 0; i < m.len; i++) {
		bool in_name = (i > at.start && i < at.type) || (i > at.algorithm && i < at.time);
		for (unsigned bit = 0; bit < 8; bit++) {
			uint8_t was = m.octets[i];
			m.octets[i] ^= (uint8_t)(1u << bit);
			bool is_same = i < 2 || (in_name && name_lower_octet(was) == name_lower_octet(m.octets[i]));
			assert_int_equal(verify(&m, &v) == TSIG_GOOD, is_same);
			n_good += is_same;
			m.octets[i] = was;
		}
		m.octets[i] ^= 0xff;
		assert_int_equal(verify(&m, &v) == TSIG_GOOD, i < 2);
		m.octets[i] ^= 0xff;
	}
	assert_int_equal(n_good, 16 + 3 + 7); /* the id, letters of `sha256`, letters of `hmac-sha256` */
	assert_int_equal(verify(&m, &v), TSIG_GOOD);
}

static void
no_cut_message_verifies(void **state)
{
	(void)state;
	struct tsig_verdict v;
	struct message m = good_request(&v);
	for (size_t whole = m.len, len = 0; len < whole; len++) {
		uint8_t *exact = malloc(len + 1); /* so that the sanitizer sees what reads behind it */
		assert_non_null(exact);
		memcpy(exact, m.octets, len);
		assert_int_equal(tsig_verify_request(keys, exact, len, NOW, &v), TSIG_FORMERR);
		assert_int_equal(v.len, len);
		free(exact);
	}
}

static void
a_wrong_place_is_formerr(void **state)
{
	(void)state;
	static const uint8_t opt[11] = {0, 0, 41};
	struct tsig_verdict v;
	struct message m = good_request(&v);
	memcpy(m.octets + m.len, opt, sizeof(opt));
	m.len += sizeof(opt);
	store_be16(m.octets + 10, 3);
	assert_int_equal(verify(&m, &v), TSIG_FORMERR);
	assert_string_equal(text_of(&v), "FORMERR: its TSIG is not the last record, or not the only one");
	assert_int_equal(tsig_status_rcode(v.status), RCODE_FORMERR);
	m = good_request(&v);
	sign_request(key, &m, NOW); /* a second one */
	assert_int_equal(verify(&m, &v), TSIG_FORMERR);
}

/* Section 5.2.1 */
static void
unknown_keys_and_algorithms_are_badkey(void **state)
{
	(void)state;
	struct tsig_verdict v;
	struct message m = good_request(&v);
	struct places at = places_of(&m);
	m.octets[at.start + 1] = 'x';
	assert_int_equal(verify(&m, &v), TSIG_BADKEY);
	assert_null(v.key);
	assert_string_equal(text_of(&v), "BADKEY: key xha256 is not configured");
	assert_int_equal(tsig_status_rcode(v.status), RCODE_NOTAUTH);
	m = good_request(&v);
	memcpy(m.octets + at.algorithm + 1, "hmac-sha512", 11);
	assert_int_equal(verify(&m, &v), TSIG_BADKEY);
	assert_string_equal(text_of(&v),
			    "BADKEY: key sha256 is used with hmac-sha512, configured with hmac-sha256");
}

static void
names_in_texts_are_escaped_and_cut(void **state)
{
	(void)state;
	struct tsig_verdict v = {.status = TSIG_BADKEY};
	assert_int_equal(name_from_text("a\\010b.", 7, NULL, &v.key_name), NAME_OK);
	assert_string_equal(text_of(&v), "BADKEY: key a\\010b is not configured");
	memset(v.key_name.bytes, 1, sizeof(v.key_name.bytes)); /* 127 labels of \001 */
	v.key_name.len = 255;
	v.key_name.bytes[254] = 0;
	assert_true(strlen(text_of(&v)) < TSIG_TEXT_MAX - 1);
	assert_non_null(strstr(text_of(&v), "... is not configured"));
	v.key_name = (struct name){.len = 1};
	assert_string_equal(text_of(&v), "BADKEY: key . is not configured");
}

/* Section 5.2.2, and before the time, which nobody vouches for */
static void
another_secret_is_badsig(void **state)
{
	(void)state;
	struct config_key from = key_of("sha256.", CONFIG_HMAC_SHA256, "not three");
	struct tsig_keys *others = NULL;
	struct diag_list diag = {0};
	struct message m = query_of(7);
	struct tsig_verdict v;
	assert_int_equal(tsig_keys_new(&from, 1, TSIG_TRUNCATION_ALLOWED, &others, &diag), 0);
	sign_request(tsig_keys_find(others, &from.name), &m, NOW - 1000);
	assert_int_equal(verify(&m, &v), TSIG_BADSIG);
	assert_false(v.is_proven);
	assert_string_equal(
		text_of(&v),
		"BADSIG: the MAC of key sha256 is wrong: the secrets differ, or the message was changed");
	tsig_keys_free(others);
}

/* Section 5.2.2.1: at least 10 octets and half of the hash; else the message is malformed */
static void
macs_may_be_truncated_so_far(void **state)
{
	(void)state;
	static const unsigned least[] = {10, 14, 16, 24, 32}, full[] = {20, 28, 32, 48, 64};
	struct tsig_verdict v;
	for (int a = CONFIG_HMAC_SHA1; a <= CONFIG_HMAC_SHA512; a++) {
		for (unsigned len = 0; len <= full[a]; len++) {
			struct message m = truncated(key_in(keys, (enum config_algorithm)a), len);
			assert_int_equal(verify(&m, &v), len < least[a] ? TSIG_FORMERR : TSIG_GOOD);
			enum tsig_status status = tsig_verify_request(strict, m.octets, m.len, NOW, &v);
			assert_int_equal(status, len < least[a]   ? TSIG_FORMERR
						 : len == full[a] ? TSIG_GOOD
								  : TSIG_BADTRUNC);
		}
	}
}

static void
a_wrong_truncated_mac_is_badsig(void **state)
{
	(void)state;
	struct tsig_verdict v;
	struct message m = truncated(key, 16);
	m.octets[places_of(&m).mac + 15] ^= 1;
	assert_int_equal(verify(&m, &v), TSIG_BADSIG);
	assert_int_equal(tsig_verify_request(strict, m.octets, m.len, NOW, &v), TSIG_BADSIG);
}

static void
a_mac_that_is_too_long_is_formerr(void **state)
{
	(void)state;
	struct tsig_verdict v;
	struct message m = query_of(7);
	uint8_t mac[300] = {0};
	struct tsig_record r = {
		.time_s = NOW, .fudge_s = 300, .mac = mac, .original_id = 7, .key = *tsig_key_name(key)};
	memcpy(r.algorithm.bytes, "\013hmac-sha256", 13);
	r.algorithm.len = 13;
	size_t plain = m.len;
	store_be16(m.octets + 10, 2);
	static const uint16_t lens[] = {33, 64, 65, 256 + 32, 300};
	for (size_t i = 0; i < ARRAY_LEN(lens); i++) {
		r.mac_len = lens[i];
		m.len = plain + tsig_record_write(&r, m.octets + plain);
		assert_int_equal(verify(&m, &v), TSIG_FORMERR);
		assert_string_equal(text_of(&v), "FORMERR: its MAC has a length that the algorithm does not allow");
	}
}

/* Section 5.2.3: within the fudge, its ends included */
static void
times_are_judged_by_the_fudge(void **state)
{
	(void)state;
	struct message m = query_of(7);
	struct tsig_verdict v;
	sign_request(key, &m, NOW);
	static const int apart[] = {-301, -300, 0, 300, 301};
	for (size_t i = 0; i < ARRAY_LEN(apart); i++) {
		enum tsig_status want = abs(apart[i]) > 300 ? TSIG_BADTIME : TSIG_GOOD;
		assert_int_equal(tsig_verify_request(keys, m.octets, m.len, NOW + (uint64_t)apart[i], &v), want);
		assert_true(v.is_proven);
	}
	assert_int_equal(tsig_verify_request(keys, m.octets, m.len, NOW - 612, &v), TSIG_BADTIME);
	assert_string_equal(text_of(&v), "BADTIME: their clock is 612 s ahead");
	assert_int_equal(tsig_verify_request(keys, m.octets, m.len, NOW + 400, &v), TSIG_BADTIME);
	assert_string_equal(text_of(&v), "BADTIME: their clock is 400 s behind");
	assert_int_equal(tsig_verify_request(keys, m.octets, m.len, 0, &v), TSIG_BADTIME);
}

/* Section 5.2: time before truncation */
static void
badtime_comes_before_badtrunc(void **state)
{
	(void)state;
	struct tsig_verdict v;
	struct message m = truncated(key, 16);
	assert_int_equal(tsig_verify_request(strict, m.octets, m.len, NOW + 301, &v), TSIG_BADTIME);
	assert_int_equal(tsig_verify_request(strict, m.octets, m.len, NOW, &v), TSIG_BADTRUNC);
	assert_string_equal(text_of(&v),
			    "BADTRUNC: the MAC of key sha256 has 16 of its octets, and all are asked for");
	assert_int_equal(tsig_status_rcode(v.status), RCODE_NOTAUTH);
}

/* -------- replies (sections 5.3 and 5.4) -------- */

/* The reply to `request`; its length is as announced. */
static struct message
reply_to(const struct tsig_verdict *request)
{
	struct message m = answer_of(7, 1);
	size_t plain = m.len;
	assert_int_equal(tsig_sign_reply(request, m.octets, m.len, sizeof(m.octets), NOW, &m.len), 0);
	assert_int_equal(m.len, plain + tsig_reply_room(request));
	return m;
}

static enum tsig_status
verify_reply(const struct tsig_mac *mac, const struct message *m, struct tsig_verdict *v)
{
	enum tsig_status status = tsig_verify_reply(key, mac, m->octets, m->len, NOW, v);
	assert_int_equal(status, v->status);
	return status;
}

static void
a_reply_belongs_to_its_request(void **state)
{
	(void)state;
	struct tsig_verdict request, v;
	good_request(&request);
	struct message m = reply_to(&request);
	struct tsig_mac mac = request.mac;
	assert_int_equal(verify_reply(&mac, &m, &v), TSIG_GOOD);
	assert_int_equal(v.time_s, NOW);
	assert_int_equal(v.fudge_s, 300);
	for (unsigned i = 0; i < mac.len; i++) {
		mac.octets[i] ^= 1;
		assert_int_equal(verify_reply(&mac, &m, &v), TSIG_BADSIG);
		mac.octets[i] ^= 1;
	}
	mac.len = 16;
	assert_int_equal(verify_reply(&mac, &m, &v), TSIG_BADSIG);
	assert_int_equal(verify(&m, &v), TSIG_BADSIG); /* and is no request */
}

/* What the reply's MAC covers is the request's as it came. */
static void
a_truncated_request_gets_a_whole_reply(void **state)
{
	(void)state;
	struct tsig_verdict request, v;
	struct message m = truncated(key, 20);
	assert_int_equal(verify(&m, &request), TSIG_GOOD);
	assert_int_equal(request.mac.len, 20);
	m = reply_to(&request);
	assert_int_equal(verify_reply(&request.mac, &m, &v), TSIG_GOOD);
	assert_int_equal(v.mac.len, 32);
}

/* Section 5.3.2: BADKEY and BADSIG are told without a MAC, and prove nothing. */
static void
errors_of_key_and_mac_are_not_signed(void **state)
{
	(void)state;
	struct tsig_verdict request, v;
	struct message m = query_of(7);
	struct tsig_mac mac = sign_request(key, &m, NOW);
	struct places at = places_of(&m);
	m.octets[at.mac] ^= 1;
	assert_int_equal(verify(&m, &request), TSIG_BADSIG);
	struct message r = reply_to(&request);
	at = places_of(&r);
	assert_int_equal(load_be16(r.octets + at.mac_len), 0);
	assert_int_equal(load_be16(r.octets + at.error), TSIG_ERROR_BADSIG);
	assert_int_equal(load_be16(r.octets + at.other_len), 0);
	assert_int_equal(verify_reply(&mac, &r, &v), TSIG_REFUSED);
	assert_false(v.is_proven);
	assert_int_equal(v.error, TSIG_ERROR_BADSIG);
	assert_string_equal(text_of(&v), "they answer BADSIG to key sha256, and do not sign it");

	m = query_of(7);
	sign_request(key, &m, NOW);
	m.octets[places_of(&m).start + 1] = 'x';
	assert_int_equal(verify(&m, &request), TSIG_BADKEY);
	r = reply_to(&request);
	at = places_of(&r);
	assert_int_equal(load_be16(r.octets + at.mac_len), 0);
	assert_int_equal(load_be16(r.octets + at.error), TSIG_ERROR_BADKEY);
	assert_memory_equal(r.octets + at.start, "\006xha256", 8); /* their key, not one of ours */
	assert_int_equal(verify_reply(&mac, &r, &v), TSIG_REFUSED);
	assert_string_equal(text_of(&v), "they answer BADKEY to key sha256, and do not sign it");
}

/* Sections 5.2.3 and 5.3.2: signed, with their time and fudge, and our clock beside it */
static void
badtime_is_signed_and_tells_the_clock(void **state)
{
	(void)state;
	struct tsig_verdict request, v;
	struct message m = query_of(7);
	struct tsig_mac mac = sign_request(key, &m, NOW - 612);
	assert_int_equal(verify(&m, &request), TSIG_BADTIME);
	struct message r = reply_to(&request);
	struct places at = places_of(&r);
	assert_int_equal(tsig_time_read(r.octets + at.time), NOW - 612);
	assert_int_equal(load_be16(r.octets + at.error), TSIG_ERROR_BADTIME);
	assert_int_equal(load_be16(r.octets + at.other_len), 6);
	assert_int_equal(tsig_time_read(r.octets + at.other_len + 2), NOW);
	assert_int_equal(tsig_verify_reply(key, &mac, r.octets, r.len, NOW - 612, &v), TSIG_REFUSED);
	assert_true(v.is_proven);
	assert_int_equal(v.refused_at_s, NOW);
	assert_string_equal(text_of(&v), "they answer BADTIME: their clock is 612 s ahead");
	r.octets[r.len - 1] ^= 1;
	assert_int_equal(tsig_verify_reply(key, &mac, r.octets, r.len, NOW - 612, &v), TSIG_BADSIG);
}

/* Anybody may have sent it, so its clock is not believed. */
static void
badtime_without_mac_tells_no_clock(void **state)
{
	(void)state;
	struct tsig_verdict v;
	struct message m = answer_of(7, 1);
	struct tsig_mac mac = {.len = 32};
	uint8_t clock[TSIG_TIME_LEN];
	struct tsig_record r = {
		.time_s = NOW, .error = TSIG_ERROR_BADTIME, .other = clock, .other_len = sizeof(clock)};
	r.key = key->name;
	r.algorithm = key->algorithm->name;
	tsig_time_write(NOW + 5000, clock);
	m.len += tsig_record_write(&r, m.octets + m.len);
	store_be16(m.octets + 10, 1);
	assert_int_equal(verify_reply(&mac, &m, &v), TSIG_REFUSED);
	assert_false(v.is_proven);
	assert_int_equal(v.refused_at_s, 0);
	assert_string_equal(text_of(&v), "they answer BADTIME to key sha256, and do not sign it");
}

/* A request as somebody signs it whose fudge is not ours. */
static struct message
request_with_fudge(uint16_t fudge_s)
{
	struct message m = query_of(7);
	struct tsig_mac mac;
	struct tsig_record r = {.start = m.len, .arcount = 1, .fudge_s = fudge_s, .time_s = NOW, .original_id = 7};
	r.key = key->name;
	r.algorithm = key->algorithm->name;
	EVP_MAC_CTX *ctx = tsig_mac_new(key);
	assert_true(tsig_mac_add_message(ctx, m.octets, &r) && tsig_mac_add_variables(ctx, &r));
	assert_true(tsig_mac_final(ctx, &mac));
	EVP_MAC_CTX_free(ctx);
	r.mac = mac.octets;
	r.mac_len = mac.len;
	m.len += tsig_record_write(&r, m.octets + m.len);
	store_be16(m.octets + 10, 2);
	return m;
}

/* Section 5.2.3: it is their fudge that counts, and that comes back with BADTIME. */
static void
their_fudge_counts_and_comes_back(void **state)
{
	(void)state;
	struct tsig_verdict request, v;
	struct message m = request_with_fudge(77);
	assert_int_equal(tsig_verify_request(keys, m.octets, m.len, NOW + 77, &v), TSIG_GOOD);
	assert_int_equal(tsig_verify_request(keys, m.octets, m.len, NOW + 78, &request), TSIG_BADTIME);
	struct message r = reply_to(&request);
	assert_int_equal(verify_reply(&request.mac, &r, &v), TSIG_REFUSED);
	assert_int_equal(v.fudge_s, 77);
	assert_int_equal(v.time_s, NOW);
	m = request_with_fudge(0);
	assert_int_equal(tsig_verify_request(keys, m.octets, m.len, NOW, &v), TSIG_GOOD);
	assert_int_equal(tsig_verify_request(keys, m.octets, m.len, NOW + 1, &v), TSIG_BADTIME);
	m = request_with_fudge(65535);
	assert_int_equal(tsig_verify_request(keys, m.octets, m.len, NOW + 65535, &v), TSIG_GOOD);
	assert_int_equal(tsig_verify_request(keys, m.octets, m.len, NOW + 65536, &v), TSIG_BADTIME);
}

static void
badtrunc_is_signed(void **state)
{
	(void)state;
	struct tsig_verdict request, v;
	struct message m = truncated(key, 16);
	assert_int_equal(tsig_verify_request(strict, m.octets, m.len, NOW, &request), TSIG_BADTRUNC);
	struct message r = reply_to(&request);
	assert_int_equal(verify_reply(&request.mac, &r, &v), TSIG_REFUSED);
	assert_true(v.is_proven);
	assert_string_equal(text_of(&v), "they answer BADTRUNC to key sha256");
}

/* Section 5.2: a message that cannot be read is answered without TSIG, and so is one without. */
static void
formerr_and_none_are_answered_without_tsig(void **state)
{
	(void)state;
	struct tsig_verdict v;
	struct message m = query_of(7), plain = answer_of(7, 1);
	assert_int_equal(verify(&m, &v), TSIG_NONE);
	m = reply_to(&v);
	assert_int_equal(m.len, plain.len);
	assert_memory_equal(m.octets, plain.octets, plain.len);
	m = truncated(key, 5);
	assert_int_equal(verify(&m, &v), TSIG_FORMERR);
	m = reply_to(&v);
	assert_int_equal(m.len, plain.len);
	assert_memory_equal(m.octets, plain.octets, plain.len);
}

static void
a_reply_without_tsig_is_missing(void **state)
{
	(void)state;
	struct tsig_mac mac = {.len = 32};
	struct tsig_verdict v;
	struct message m = answer_of(7, 1);
	assert_int_equal(verify_reply(&mac, &m, &v), TSIG_MISSING);
	assert_string_equal(text_of(&v), "MISSING: the reply to a signed request is not signed");
	m.len--;
	assert_int_equal(verify_reply(&mac, &m, &v), TSIG_FORMERR);
}

/* Section 5.4.1 */
static void
a_reply_with_another_key_is_badkey(void **state)
{
	(void)state;
	struct tsig_verdict request, v;
	struct message m = query_of(7);
	struct tsig_mac mac = sign_request(key_in(keys, CONFIG_HMAC_SHA512), &m, NOW);
	assert_int_equal(verify(&m, &request), TSIG_GOOD);
	m = reply_to(&request);
	assert_int_equal(verify_reply(&mac, &m, &v), TSIG_BADKEY);
	assert_string_equal(text_of(&v), "BADKEY: signed with key sha512, asked with key sha256");
}

static void
no_flipped_bit_of_a_reply_verifies(void **state)
{
	(void)state;
	struct tsig_verdict request, v;
	good_request(&request);
	struct message m = reply_to(&request);
	struct places at = places_of(&m);
	for (size_t i = 2; i < m.len; i++) {
		bool in_name = (i > at.start && i < at.type) || (i > at.algorithm && i < at.time);
		for (unsigned bit = 0; bit < 8; bit++) {
			if (in_name && bit == 5)
				continue; /* letters of names may be large */
			m.octets[i] ^= (uint8_t)(1u << bit);
			assert_int_not_equal(verify_reply(&request.mac, &m, &v), TSIG_GOOD);
			assert_false(v.is_proven && v.status != TSIG_REFUSED);
			m.octets[i] ^= (uint8_t)(1u << bit);
		}
	}
	assert_int_equal(verify_reply(&request.mac, &m, &v), TSIG_GOOD);
}

/* -------- room -------- */

/* Section 5.3: the caller sends a truncated reply instead; the message is as it was. */
static void
what_does_not_fit_stays_as_it_was(void **state)
{
	(void)state;
	struct tsig_verdict request;
	good_request(&request);
	struct message plain = answer_of(7, 1), m = plain;
	size_t len = 77, need = m.len + tsig_reply_room(&request);
	struct tsig_mac mac = {.len = 99};
	assert_int_equal(tsig_sign_reply(&request, m.octets, m.len, need - 1, NOW, &len), -EMSGSIZE);
	assert_int_equal(tsig_sign_request(key, m.octets, m.len, m.len + tsig_key_room(key) - 1, NOW, &mac, &len),
			 -EMSGSIZE);
	assert_int_equal(len, 77);
	assert_int_equal(mac.len, 99);
	assert_memory_equal(m.octets, plain.octets, sizeof(m.octets));
	store_be16(m.octets + 10, 0xffff); /* no room in the counter */
	assert_int_equal(tsig_sign_reply(&request, m.octets, m.len, sizeof(m.octets), NOW, &len), -EMSGSIZE);
	m = plain;
	assert_int_equal(tsig_sign_reply(&request, m.octets, m.len, need, NOW, &len), 0);
	assert_int_equal(len, need);
}

static void
no_message_grows_beyond_what_tcp_can_carry(void **state)
{
	(void)state;
	static uint8_t big[70000];
	struct tsig_mac mac;
	size_t len = 0, most = 65535 - tsig_key_room(key);
	assert_int_equal(tsig_sign_request(key, big, most + 1, sizeof(big), NOW, &mac, &len), -EMSGSIZE);
	assert_int_equal(tsig_sign_request(key, big, most, sizeof(big), NOW, &mac, &len), 0);
	assert_int_equal(len, 65535);
}

static void
every_status_has_a_text(void **state)
{
	(void)state;
	struct tsig_verdict v = {.key_name = {.len = 1}, .key = NULL};
	for (int s = TSIG_NONE; s <= TSIG_NO_MEMORY; s++) {
		v.status = (enum tsig_status)s;
		assert_true(strlen(text_of(&v)) > 3);
		assert_true(strlen(tsig_status_text(v.status)) > 3);
	}
	assert_int_equal(tsig_status_rcode(TSIG_NO_MEMORY), RCODE_SERVFAIL);
	v.status = TSIG_REFUSED;
	v.error = 1234;
	assert_string_equal(text_of(&v), "they answer error 1234 to key ., and do not sign it");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_are_found_among_many),
		cmocka_unit_test(no_keys_are_a_set),
		cmocka_unit_test(a_held_key_outlives_its_set),
		cmocka_unit_test(every_algorithm_signs_and_verifies),
		cmocka_unit_test(an_unsigned_request_is_none),
		cmocka_unit_test(letters_of_names_may_be_large),
		cmocka_unit_test(another_id_in_the_header_is_good),
		cmocka_unit_test(no_flipped_bit_verifies),
		cmocka_unit_test(no_cut_message_verifies),
		cmocka_unit_test(a_wrong_place_is_formerr),
		cmocka_unit_test(unknown_keys_and_algorithms_are_badkey),
		cmocka_unit_test(names_in_texts_are_escaped_and_cut),
		cmocka_unit_test(another_secret_is_badsig),
		cmocka_unit_test(macs_may_be_truncated_so_far),
		cmocka_unit_test(a_wrong_truncated_mac_is_badsig),
		cmocka_unit_test(a_mac_that_is_too_long_is_formerr),
		cmocka_unit_test(times_are_judged_by_the_fudge),
		cmocka_unit_test(badtime_comes_before_badtrunc),
		cmocka_unit_test(a_reply_belongs_to_its_request),
		cmocka_unit_test(a_truncated_request_gets_a_whole_reply),
		cmocka_unit_test(errors_of_key_and_mac_are_not_signed),
		cmocka_unit_test(badtime_is_signed_and_tells_the_clock),
		cmocka_unit_test(badtime_without_mac_tells_no_clock),
		cmocka_unit_test(their_fudge_counts_and_comes_back),
		cmocka_unit_test(badtrunc_is_signed),
		cmocka_unit_test(formerr_and_none_are_answered_without_tsig),
		cmocka_unit_test(a_reply_without_tsig_is_missing),
		cmocka_unit_test(a_reply_with_another_key_is_badkey),
		cmocka_unit_test(no_flipped_bit_of_a_reply_verifies),
		cmocka_unit_test(what_does_not_fit_stays_as_it_was),
		cmocka_unit_test(no_message_grows_beyond_what_tcp_can_carry),
		cmocka_unit_test(every_status_has_a_text),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
