/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzzes TSIG against a naive version of itself, and against whoever changes what was signed.
 *
 * Input: one octet says what to do.
 * - Even: the rest is a request, judged as it is. What is good must be so by the naive version, which knows
 *   no records: it cuts the TSIG off where we say that it begins, and lets OpenSSL compute the MAC at once.
 * - Odd: the rest are changes to an answer of several messages that was signed here: flipped bits, dropped,
 * repeated, moved and stripped messages. What a verifier takes for proven must be the beginning of what was signed.
 */
#include <string.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "control/tsig/tsig.h"
#include "tests/fuzz/check.h"
#include "zones/base/bytes.h"

#define NOW UINT64_C(1700000000)
#define ANSWER 6          /* messages */
#define MESSAGE_MAX 256   /* octets of each */
#define FUZZ_MAX 4096     /* octets of a request */
#define DATA_AT (12 + 13) /* behind the question */

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);

struct message {
	uint8_t octets[MESSAGE_MAX];
	size_t len;
};

static const char secret[] = "everybody may know this";
static const char *const digests[] = {"SHA1", "SHA224", "SHA256", "SHA384", "SHA512"};
static struct tsig_keys *keys;
static struct message answer[ANSWER], plain[ANSWER];
static struct tsig_mac request_mac;
static const struct tsig_key *key;

/* Keys `a.` to `e.`, one for each algorithm. */
static void
make_keys(void)
{
	struct config_key from[ARRAY_LEN(digests)] = {0};
	struct diag_list diag = {0};
	for (unsigned i = 0; i < ARRAY_LEN(digests); i++) {
		from[i].id = "fuzz";
		from[i].name = (struct name){.len = 3, .bytes = {1, (uint8_t)('a' + i), 0}};
		from[i].algorithm = (enum config_algorithm)i;
		from[i].secret = (const uint8_t *)secret;
		from[i].secret_len = sizeof(secret) - 1;
	}
	CHECK(tsig_keys_new(from, ARRAY_LEN(from), TSIG_TRUNCATION_ALLOWED, &keys, &diag) == 0);
	key = tsig_keys_find(keys, &from[2].name);
}

static void
make_answer(void)
{
	struct tsig_stream s;
	memset(&request_mac, 7, sizeof(request_mac));
	request_mac.len = 32;
	CHECK(tsig_stream_begin(&s, key, &request_mac) == 0);
	for (unsigned i = 0; i < ANSWER; i++) {
		static const uint8_t question[] = {7, 'e', 'x', 'a', 'm', 'p', 'l', 'e', 0, 0, 252, 0, 1};
		struct message *m = &plain[i];
		store_be16(m->octets, 7);
		store_be16(m->octets + 2, (uint16_t)(0x8400 | i)); /* no two alike */
		store_be16(m->octets + 4, 1);
		memcpy(m->octets + 12, question, sizeof(question));
		m->len = DATA_AT;
		answer[i] = *m;
		CHECK(tsig_stream_sign(&s, answer[i].octets, m->len, MESSAGE_MAX, NOW, &answer[i].len) == 0);
	}
	CHECK(tsig_stream_status(&s) == TSIG_GOOD);
	tsig_stream_clear(&s);
}

/* -------- one request, as it is -------- */

/* What the MAC is computed over: RFC 8945 section 4.3 without the request's MAC. */
static size_t
naive_components(const uint8_t *msg, const struct tsig_record *r, uint8_t *out)
{
	uint8_t *p = out;
	memcpy(p, msg, r->start);
	store_be16(p, r->original_id);
	store_be16(p + 10, (uint16_t)(load_be16(msg + 10) - 1));
	p += r->start;
	memcpy(p, r->key.bytes, r->key.len);
	p += r->key.len;
	memcpy(p, "\0\377\0\0\0\0", 6);
	p += 6;
	memcpy(p, r->algorithm.bytes, r->algorithm.len);
	p += r->algorithm.len;
	memcpy(p, r->mac - 10, 8); /* time and fudge as they stand in the message */
	store_be16(p + 8, r->error);
	store_be16(p + 10, r->other_len);
	p += 12;
	memcpy(p, r->other, r->other_len);
	return (size_t)(p - out) + r->other_len;
}

static void
check_good(const uint8_t *msg, size_t len, const struct tsig_verdict *v)
{
	static uint8_t components[FUZZ_MAX + 1024];
	struct tsig_record r;
	uint8_t mac[EVP_MAX_MD_SIZE];
	unsigned mac_len = 0;
	CHECK(tsig_record_find(msg, len, &r) == TSIG_FIND_ONE);
	CHECK(r.start == v->len && r.key.len == 3 && r.key.bytes[1] >= 'a' && r.key.bytes[1] <= 'e');
	size_t components_len = naive_components(msg, &r, components);
	const EVP_MD *digest = EVP_get_digestbyname(digests[r.key.bytes[1] - 'a']);
	CHECK(HMAC(digest, secret, sizeof(secret) - 1, components, components_len, mac, &mac_len) != NULL);
	CHECK(r.mac_len <= mac_len && r.mac_len >= 10 && r.mac_len >= mac_len / 2);
	CHECK(memcmp(mac, r.mac, r.mac_len) == 0);
	CHECK(v->time_s + v->fudge_s >= NOW && NOW + v->fudge_s >= v->time_s);
}

/* Whatever came: its reply fits the room, and can be read by whoever asked. */
static void
check_reply(const struct tsig_verdict *v)
{
	uint8_t reply[MESSAGE_MAX + 1024];
	struct tsig_verdict of_reply;
	size_t len = 0;
	memcpy(reply, plain[0].octets, plain[0].len);
	CHECK(tsig_sign_reply(v, reply, plain[0].len, sizeof(reply), NOW, &len) == 0);
	CHECK(len == plain[0].len + tsig_reply_room(v));
	if (v->key == NULL)
		return;
	enum tsig_status status = tsig_verify_reply(v->key, &v->mac, reply, len, v->time_s, &of_reply);
	switch (v->status) {
	case TSIG_GOOD:
		CHECK(status == TSIG_GOOD ||
		      status == TSIG_BADTIME); /* their clock may be further off than our fudge */
		return;
	case TSIG_FORMERR:
		CHECK(status == TSIG_MISSING);
		return;
	default:
		CHECK(status == TSIG_REFUSED && of_reply.is_proven == (v->status == TSIG_BADTIME));
	}
}

static void
fuzz_request(const uint8_t *msg, size_t len)
{
	struct tsig_verdict v;
	char text[TSIG_TEXT_MAX];
	enum tsig_status status = tsig_verify_request(keys, msg, len, NOW, &v);
	CHECK(status == v.status && v.len <= len);
	CHECK(status <= TSIG_BADTIME && status != TSIG_PENDING);
	CHECK(v.is_proven == (status == TSIG_GOOD || status == TSIG_BADTIME));
	if (status == TSIG_GOOD)
		check_good(msg, len, &v);
	CHECK(strlen(tsig_verdict_text(&v, text)) < TSIG_TEXT_MAX);
	check_reply(&v);
}

/* -------- changes to an answer -------- */

struct way {
	struct message messages[2 * ANSWER];
	unsigned n;
};

static void
strip(struct message *m)
{
	struct tsig_record r;
	if (tsig_record_find(m->octets, m->len, &r) != TSIG_FIND_ONE)
		return;
	store_be16(m->octets + 10, r.arcount);
	m->len = r.start;
}

/* One change of three octets: what, to which message, where. */
static void
change(struct way *w, const uint8_t op[3])
{
	unsigned at = op[1] % w->n;
	struct message *m = &w->messages[at], spare = *m;
	switch (op[0] % 5) {
	case 0: /* a bit */
		m->octets[op[2] % m->len] ^= (uint8_t)(1u << (op[0] / 5 & 7));
		break;
	case 1: /* dropped */
		if (w->n > 1) {
			memmove(m, m + 1, (w->n - at - 1) * sizeof(*m));
			w->n--;
		}
		break;
	case 2: /* repeated */
		if (w->n < ARRAY_LEN(w->messages)) {
			memmove(m + 1, m, (w->n - at) * sizeof(*m));
			w->n++;
		}
		break;
	case 3: /* swapped */
		*m = w->messages[op[2] % w->n];
		w->messages[op[2] % w->n] = spare;
		break;
	default:
		strip(m);
	}
}

/* Is it the i-th message, as it was before it was signed? The header's id is nobody's promise. */
static bool
is_genuine(struct message m, unsigned i)
{
	strip(&m);
	return i < ANSWER && m.len == plain[i].len && memcmp(m.octets + 2, plain[i].octets + 2, m.len - 2) == 0;
}

static void
verify_way(const struct way *w)
{
	struct tsig_stream s;
	struct tsig_verdict v;
	bool has_failed = false;
	CHECK(tsig_stream_begin(&s, key, &request_mac) == 0);
	for (unsigned i = 0; i < w->n; i++) {
		enum tsig_status status =
			tsig_stream_verify(&s, w->messages[i].octets, w->messages[i].len, NOW, &v);
		CHECK(status != TSIG_NONE && status != TSIG_NO_MEMORY);
		CHECK(!has_failed || status == tsig_stream_status(&s));
		has_failed |= status != TSIG_GOOD && status != TSIG_PENDING;
		CHECK(!has_failed || status > TSIG_PENDING);
		/* Ours were all signed, so none of them proves a message that came without. */
		for (unsigned k = 0; status == TSIG_GOOD && k <= i; k++)
			CHECK(is_genuine(w->messages[k], k));
		CHECK(tsig_stream_status(&s) != TSIG_GOOD || status == TSIG_GOOD);
	}
	tsig_stream_clear(&s);
}

static void
fuzz_answer(const uint8_t *ops, size_t len)
{
	static struct way w;
	memcpy(w.messages, answer, sizeof(answer));
	w.n = ANSWER;
	for (; len >= 3; ops += 3, len -= 3)
		change(&w, ops);
	verify_way(&w);
}

int
LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	if (keys == NULL) {
		make_keys();
		make_answer();
	}
	if (size == 0 || size > FUZZ_MAX)
		return 0;
	if (input[0] & 1)
		fuzz_answer(input + 1, size - 1);
	else
		fuzz_request(input + 1, size - 1);
	return 0;
}
