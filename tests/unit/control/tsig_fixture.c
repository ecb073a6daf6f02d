/* SPDX-License-Identifier: Apache-2.0 */
/* Keys and messages for the tests of TSIG. See tsig_fixture.h. */
#include "tests/unit/control/tsig_fixture.h"

#include "zones/wire/rrtype.h"

struct config_key
key_of(const char *name, enum config_algorithm algorithm, const char *secret)
{
	struct config_key key = {.id = name, .algorithm = algorithm};
	assert_int_equal(name_from_text(name, strlen(name), NULL, &key.name), NAME_OK);
	key.secret = (const uint8_t *)secret;
	key.secret_len = (unsigned)strlen(secret);
	return key;
}

struct tsig_keys *
keys_of_all(enum tsig_truncation truncation)
{
	struct config_key from[] = {
		key_of("sha1.", CONFIG_HMAC_SHA1, "one"),       key_of("sha224.", CONFIG_HMAC_SHA224, "two"),
		key_of("sha256.", CONFIG_HMAC_SHA256, "three"), key_of("sha384.", CONFIG_HMAC_SHA384, "four"),
		key_of("sha512.", CONFIG_HMAC_SHA512, "five"),
	};
	struct tsig_keys *keys = NULL;
	struct diag_list diag = {0};
	assert_int_equal(tsig_keys_new(from, ARRAY_LEN(from), truncation, &keys, &diag), 0);
	assert_int_equal(diag.n_errors, 0);
	return keys;
}

const struct tsig_key *
key_in(const struct tsig_keys *keys, enum config_algorithm algorithm)
{
	static const struct name names[] = {
		{6, "\004sha1"}, {8, "\006sha224"}, {8, "\006sha256"}, {8, "\006sha384"}, {8, "\006sha512"}};
	const struct tsig_key *key = tsig_keys_find(keys, &names[algorithm]);
	assert_non_null(key);
	return key;
}

static void
add(struct message *m, const void *octets, size_t len)
{
	assert_true(m->len + len <= sizeof(m->octets));
	memcpy(m->octets + m->len, octets, len);
	m->len += len;
}

struct message
query_of(uint16_t id)
{
	static const uint8_t rest[] = {0,   0,   0,   1,   0,   0,   0, 0, 0, 1, 7, 'e',
				       'x', 'a', 'm', 'p', 'l', 'e', 0, 0, 6, 0, 1};
	static const uint8_t opt[] = {0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0};
	struct message m = {.len = 2};
	store_be16(m.octets, id);
	add(&m, rest, sizeof(rest));
	add(&m, opt, sizeof(opt));
	return m;
}

struct message
answer_of(uint16_t id, unsigned n)
{
	static const uint8_t record[] = {0xc0, 12, 0, 16, 0, 1, 0, 0, 14, 16, 0, 5, 4};
	struct message m = query_of(id);
	uint8_t value[4] = {0, 0, (uint8_t)(n >> 8), (uint8_t)n};
	m.len -= 11; /* no OPT */
	store_be16(m.octets + 2, 0x8400);
	store_be16(m.octets + 6, 1);
	store_be16(m.octets + 10, 0);
	add(&m, record, sizeof(record));
	add(&m, value, sizeof(value));
	return m;
}

struct tsig_mac
sign_request(const struct tsig_key *key, struct message *m, uint64_t now_s)
{
	struct tsig_mac mac = {0};
	size_t before = m->len;
	assert_int_equal(tsig_sign_request(key, m->octets, m->len, sizeof(m->octets), now_s, &mac, &m->len), 0);
	assert_int_equal(m->len, before + tsig_key_room(key));
	return mac;
}

const char *
text_of(const struct tsig_verdict *v)
{
	static char text[TSIG_TEXT_MAX];
	return tsig_verdict_text(v, text);
}

struct places
places_of(const struct message *m)
{
	struct tsig_record r;
	struct places at;
	assert_int_equal(tsig_record_find(m->octets, m->len, &r), TSIG_FIND_ONE);
	at.start = r.start;
	at.type = at.start + r.key.len;
	at.algorithm = at.type + 10;
	at.time = at.algorithm + r.algorithm.len;
	at.mac_len = at.time + 8;
	at.mac = at.mac_len + 2;
	at.original_id = at.mac + r.mac_len;
	at.error = at.original_id + 2;
	at.other_len = at.error + 2;
	return at;
}
