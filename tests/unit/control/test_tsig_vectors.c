/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages that another implementation signed: we verify them, and sign the same messages to the same octets.
 * tsig/make_vectors.py made the file and explains it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/unit/control/tsig_fixture.h"

#define FIELD_MAX 4096

static const uint64_t made_at_s = UINT64_C(0x123456789); /* TIME of make_vectors.py */

/* Where the dialogue is. */
struct dialogue {
	struct tsig_keys *keys;
	const struct tsig_key *key;
	struct tsig_stream verifies, signs;
	bool has_gap; /* a message was left unsigned: from here on our own MACs differ */
	unsigned n_dialogues, n_messages;
};

static struct message
message_of(const char *hex)
{
	struct message m = {.len = strlen(hex) / 2};
	for (size_t i = 0; i < m.len; i++) {
		unsigned octet;
		assert_int_equal(sscanf(hex + 2 * i, "%2x", &octet), 1);
		m.octets[i] = (uint8_t)octet;
	}
	return m;
}

static void
end_dialogue(struct dialogue *d)
{
	if (d->n_dialogues > 0)
		assert_int_equal(tsig_stream_status(&d->verifies), TSIG_GOOD);
	tsig_stream_clear(&d->verifies);
	tsig_stream_clear(&d->signs);
	tsig_keys_free(d->keys);
	d->keys = NULL;
}

static void
begin_dialogue(struct dialogue *d, const char *algorithm, const char *secret)
{
	static const char *const names[] = {"hmac-sha1", "hmac-sha224", "hmac-sha256", "hmac-sha384",
					    "hmac-sha512"};
	struct message octets = message_of(secret);
	struct config_key from = key_of("fleet.example.", CONFIG_HMAC_SHA1, "");
	struct diag_list diag = {0};
	while (strcmp(names[from.algorithm], algorithm) != 0) {
		from.algorithm++;
		assert_true(from.algorithm < ARRAY_LEN(names));
	}
	from.secret = octets.octets;
	from.secret_len = (unsigned)octets.len;
	end_dialogue(d);
	assert_int_equal(tsig_keys_new(&from, 1, TSIG_TRUNCATION_REFUSED, &d->keys, &diag), 0);
	d->key = tsig_keys_find(d->keys, &from.name);
	assert_non_null(d->key);
	d->has_gap = false;
	d->n_dialogues++;
}

static void
take_request(struct dialogue *d, const struct message *plain, const struct message *signed_by_them)
{
	struct message m = *plain, theirs = *signed_by_them;
	struct tsig_verdict v;
	struct tsig_mac mac = sign_request(d->key, &m, made_at_s);
	assert_int_equal(m.len, theirs.len);
	assert_memory_equal(m.octets, theirs.octets, m.len);
	assert_int_equal(tsig_verify_request(d->keys, theirs.octets, theirs.len, made_at_s, &v), TSIG_GOOD);
	assert_int_equal(v.mac.len, mac.len);
	assert_memory_equal(v.mac.octets, mac.octets, mac.len);
	assert_int_equal(tsig_strip(theirs.octets, &v), plain->len);
	assert_memory_equal(theirs.octets, plain->octets, plain->len);
	assert_int_equal(tsig_stream_begin(&d->verifies, d->key, &mac), 0);
	assert_int_equal(tsig_stream_begin(&d->signs, d->key, &v.mac), 0);
}

/* The reply, as one alone and as the first of a stream. */
static void
take_reply(struct dialogue *d, const struct message *plain, const struct message *request,
	   const struct message *theirs)
{
	struct message m = *plain;
	struct tsig_verdict v;
	assert_int_equal(tsig_verify_request(d->keys, request->octets, request->len, made_at_s, &v), TSIG_GOOD);
	assert_int_equal(tsig_sign_reply(&v, m.octets, m.len, sizeof(m.octets), made_at_s, &m.len), 0);
	assert_int_equal(m.len, theirs->len);
	assert_memory_equal(m.octets, theirs->octets, m.len);
	struct tsig_mac mac = v.mac;
	assert_int_equal(tsig_verify_reply(d->key, &mac, theirs->octets, theirs->len, made_at_s, &v), TSIG_GOOD);
}

static void
take_next(struct dialogue *d, const struct message *plain, const struct message *theirs)
{
	struct message m = *plain, copy = *theirs;
	struct tsig_verdict v;
	assert_int_equal(tsig_stream_verify(&d->verifies, theirs->octets, theirs->len, made_at_s, &v), TSIG_GOOD);
	assert_int_equal(tsig_strip(copy.octets, &v), plain->len);
	assert_memory_equal(copy.octets, plain->octets, plain->len);
	if (d->has_gap)
		return;
	assert_int_equal(tsig_stream_sign(&d->signs, m.octets, m.len, sizeof(m.octets), made_at_s, &m.len), 0);
	assert_int_equal(m.len, theirs->len);
	assert_memory_equal(m.octets, theirs->octets, m.len);
}

static void
take_bare(struct dialogue *d, const struct message *plain)
{
	struct tsig_verdict v;
	assert_int_equal(tsig_stream_verify(&d->verifies, plain->octets, plain->len, made_at_s, &v), TSIG_PENDING);
	assert_int_equal(tsig_stream_status(&d->verifies), TSIG_MISSING);
	d->has_gap = true;
}

static void
take_line(struct dialogue *d, const char *line)
{
	static struct message request;
	char what[16], a[FIELD_MAX], b[FIELD_MAX] = "";
	if (line[0] == '#')
		return;
	assert_true(sscanf(line, "%15s %4095s %4095s", what, a, b) >= 2);
	if (strcmp(what, "key") == 0) {
		begin_dialogue(d, a, b);
		return;
	}
	struct message plain = message_of(a), theirs = message_of(b);
	d->n_messages++;
	if (strcmp(what, "request") == 0) {
		request = theirs;
		take_request(d, &plain, &theirs);
	} else if (strcmp(what, "reply") == 0) {
		take_reply(d, &plain, &request, &theirs);
		take_next(d, &plain, &theirs);
	} else if (strcmp(what, "next") == 0) {
		take_next(d, &plain, &theirs);
	} else {
		assert_string_equal(what, "bare");
		take_bare(d, &plain);
	}
}

static void
anothers_messages_verify_and_ours_are_the_same(void **state)
{
	(void)state;
	static struct dialogue d;
	static char line[2 * FIELD_MAX];
	FILE *in = fopen(getenv("VECTORS"), "r");
	assert_non_null(in);
	while (fgets(line, sizeof(line), in) != NULL)
		take_line(&d, line);
	fclose(in);
	end_dialogue(&d);
	assert_int_equal(d.n_dialogues, 25);
	assert_int_equal(d.n_messages, 25 * 8);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(anothers_messages_verify_and_ours_are_the_same),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
