/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzzes names against naive versions of themselves: text to wire and back, names in messages, order, ancestors,
 * hashes.
 *
 * Input: one octet: bit 0 says text or wire; the rest is a place in the message where a name is read. Then the
 * octets.
 */
#include <string.h>

#include "tests/fuzz/check.h"
#include "zones/wire/name.h"

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);

static const struct name origin = {.len = 13, .bytes = "\7example\3com"};

/* Where each label begins, the root's included; returns how many. */
static unsigned
labels_of(const uint8_t *wire, uint8_t offsets[NAME_MAX_LABELS + 1])
{
	unsigned n = 0, at = 0;
	for (;; at += 1u + wire[at]) {
		offsets[n++] = (uint8_t)at;
		if (wire[at] == 0)
			return n;
	}
}

/* Canonical order as RFC 4034 section 6.1 words it: label by label from the right. */
static int
naive_compare(const uint8_t *a, const uint8_t *b)
{
	uint8_t at_a[NAME_MAX_LABELS + 1], at_b[NAME_MAX_LABELS + 1];
	unsigned na = labels_of(a, at_a), nb = labels_of(b, at_b);
	for (unsigned i = 2; i <= na && i <= nb; i++) {
		const uint8_t *la = a + at_a[na - i], *lb = b + at_b[nb - i];
		for (unsigned k = 1; k <= la[0] && k <= lb[0]; k++) {
			int d = name_lower_octet(la[k]) - name_lower_octet(lb[k]);
			if (d != 0)
				return d;
		}
		if (la[0] != lb[0])
			return la[0] - lb[0];
	}
	return (int)na - (int)nb;
}

static int
sign(int x)
{
	return (x > 0) - (x < 0);
}

static void
check_text(const struct name *n)
{
	char text[NAME_TEXT_MAX];
	struct name again;
	size_t len = name_to_text(n->bytes, text);
	CHECK(len == strlen(text) && len < NAME_TEXT_MAX && text[len - 1] == '.');
	CHECK(name_from_text(text, len, NULL, &again) == NAME_OK);
	CHECK(again.len == n->len && memcmp(again.bytes, n->bytes, n->len) == 0);
}

static void
check_suffixes(const struct name *n)
{
	uint8_t lower[NAME_MAX_LEN], at[NAME_MAX_LABELS + 1];
	struct name_suffixes suffixes;
	unsigned labels = labels_of(n->bytes, at) - 1;
	name_lower(lower, n->bytes, n->len);
	CHECK(name_labels(n->bytes) == labels && name_equal(lower, n->bytes));
	name_suffixes(lower, &suffixes);
	CHECK(suffixes.labels == labels && suffixes.at[0] == name_hash_root());
	for (unsigned k = 0; k <= labels; k++) {
		const uint8_t *suffix = lower + at[labels - k];
		CHECK(suffixes.at[k] == name_hash(suffix));
		CHECK(name_parent(lower, labels - k) == suffix && name_is_under(n->bytes, suffix));
		CHECK(k == labels || !name_is_under(suffix, lower));
	}
}

static void
check_pair(const uint8_t *a, const uint8_t *b)
{
	int order = sign(naive_compare(a, b));
	CHECK(sign(name_compare(a, b)) == order && sign(name_compare(b, a)) == -order);
	CHECK(name_equal(a, b) == (order == 0));
}

static void
check_name(const struct name *n)
{
	uint8_t at[NAME_MAX_LABELS + 1];
	struct name wildcard, copy;
	CHECK(name_check(n->bytes, n->len) == n->len && name_len(n->bytes) == n->len);
	CHECK(name_check(n->bytes, n->len - 1u) == NAME_TRUNCATED);
	name_copy(&copy, n->bytes);
	CHECK(copy.len == n->len && memcmp(copy.bytes, n->bytes, n->len) == 0);
	check_text(n);
	check_suffixes(n);
	CHECK(name_wildcard(n->bytes, &wildcard) == (n->len <= NAME_MAX_LEN - 2));
	for (unsigned i = 0, labels = labels_of(n->bytes, at); i < labels; i++)
		check_pair(n->bytes, n->bytes + at[i]);
	check_pair(n->bytes, origin.bytes);
}

/* Expansion as RFC 1035 section 4.1.4 tells it, octet by octet; false where the message has no name there. */
static bool
naive_expand(const uint8_t *msg, size_t len, size_t *pos, struct name *out)
{
	size_t at = *pos, start = *pos, behind = 0;
	unsigned n = 0;
	for (;;) {
		if (at >= len)
			return false;
		uint8_t octet = msg[at];
		if (octet >= 0xc0) {
			size_t to = at + 1 < len ? (size_t)(octet & 0x3f) << 8 | msg[at + 1] : len;
			if (to >= start)
				return false;
			behind = behind != 0 ? behind : at + 2;
			start = at = to;
			continue;
		}
		if (octet > LABEL_MAX_LEN || at + 1 + octet > len || n + 1u + octet > NAME_MAX_LEN)
			return false;
		memcpy(out->bytes + n, msg + at, 1u + octet);
		n += 1u + octet;
		at += 1u + octet;
		if (octet == 0)
			break;
	}
	out->len = (uint8_t)n;
	*pos = behind != 0 ? behind : at;
	return true;
}

static void
fuzz_wire(const uint8_t *msg, size_t len, size_t pos)
{
	struct name mine, theirs;
	size_t my_pos = pos, their_pos = pos;
	bool good = naive_expand(msg, len, &my_pos, &mine);
	enum name_error e = name_expand(msg, len, &their_pos, &theirs);
	CHECK((e == NAME_OK) == good && name_error_text(e)[0] != '\0');
	int plain = name_check(msg + pos, len - pos);
	CHECK(plain <= 0 || (good && plain == mine.len && my_pos == pos + mine.len));
	if (!good) {
		CHECK(their_pos == pos);
		return;
	}
	CHECK(my_pos == their_pos && mine.len == theirs.len && memcmp(mine.bytes, theirs.bytes, mine.len) == 0);
	check_name(&mine);
	if (their_pos < len && name_check(msg + their_pos, len - their_pos) > 0)
		check_pair(mine.bytes, msg + their_pos);
}

int
LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	struct name n;
	if (size < 2 || size > 4096)
		return 0;
	if ((input[0] & 1) == 0) {
		size_t pos = input[0] / 2u;
		if (pos < size - 1)
			fuzz_wire(input + 1, size - 1, pos);
		return 0;
	}
	const char *text = (const char *)input + 1;
	bool absolute = name_from_text(text, size - 1, NULL, &n) == NAME_OK;
	if (absolute)
		check_name(&n);
	if (name_from_text(text, size - 1, &origin, &n) == NAME_OK)
		check_name(&n);
	else
		CHECK(!absolute);
	return 0;
}
