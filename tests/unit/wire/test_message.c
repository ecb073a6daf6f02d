/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages: what the reader refuses, what the writer compresses and what it must not, and that an item which does
 * not fit leaves no trace.
 */
#include <stdio.h>
#include <stdlib.h>

#include "tests/unit/wire/cmocka_wire.h"
#include "zones/base/bytes.h"
#include "zones/wire/message.h"

static uint8_t rdata_buffer[RDATA_MAX_LEN];

/* A record from text; its names and data stay good for the test. */
static struct message_record
record_of(enum message_section section, const char *owner, const char *type, const char *data)
{
	static uint8_t store[64][512];
	static unsigned n;
	static const struct name root = {.len = 1};
	uint8_t *place = store[n++ % 64];
	struct name name = name_of(owner);
	struct rdata_error err;
	struct lexer lex;
	struct message_record r = {
		.owner = place, .rdata = place + 256, .ttl_s = 60, .rrclass = RRCLASS_IN, .section = section};
	assert_int_equal(rrtype_from_text(type, strlen(type), &r.type), 0);
	lexer_init(&lex, data, strlen(data));
	int len = rdata_from_text(&lex, r.type, &root, rdata_buffer, &err);
	assert_in_range(len, 0, 256);
	memcpy(place, name.bytes, name.len);
	memcpy(place + 256, rdata_buffer, (size_t)len);
	r.rdlen = (uint16_t)len;
	return r;
}

static void
assert_same_record(const struct message_record *a, const struct message_record *b)
{
	assert_int_equal(a->section, b->section);
	assert_int_equal(a->type, b->type);
	assert_int_equal(a->rrclass, b->rrclass);
	assert_int_equal(a->ttl_s, b->ttl_s);
	assert_int_equal(name_len(a->owner), name_len(b->owner));
	assert_memory_equal(a->owner, b->owner, name_len(a->owner)); /* letter case included */
	assert_int_equal(a->rdlen, b->rdlen);
	assert_memory_equal(a->rdata, b->rdata, a->rdlen);
}

/* Steps over the next record with a copy of the reader. */
static void
skip_record(struct message_reader *ahead, const struct message_record *expected)
{
	struct message_record r;
	assert_int_equal(message_skip(ahead, &r), MESSAGE_OK);
	assert_int_equal(r.section, expected->section);
	assert_int_equal(r.type, expected->type);
	assert_memory_equal(r.owner, expected->owner, name_len(expected->owner));
	assert_null(r.rdata);
}

/* Reads the next record and compares it. */
static void
expect_record(struct message_reader *reader, const struct message_record *expected)
{
	static uint8_t rdata[RDATA_MAX_LEN];
	struct message_reader ahead = *reader;
	struct message_record r;
	skip_record(&ahead, expected);
	enum message_error e = message_next(reader, rdata, &r);
	if (e != MESSAGE_OK)
		fail_msg("%s", message_error_text(reader, e));
	assert_same_record(&r, expected);
	assert_int_equal(ahead.pos, reader->pos);
	assert_int_equal(ahead.left, reader->left);
}

/* -------- writing, and reading it back -------- */

static struct message_writer writer;
static uint8_t out[MESSAGE_MAX_LEN];

static void
test_round_trip(void **state)
{
	struct name zone = name_of("Example.COM.");
	struct message_question q = {zone.bytes, RRTYPE_SOA, RRCLASS_IN}, seen;
	struct message_record records[] = {
		record_of(MESSAGE_ANSWER, "example.com.", "SOA", "ns.example.com. h.Example.com. 1 2 3 4 5"),
		record_of(MESSAGE_ANSWER, "example.com.", "MX", "10 mail.example.com."),
		record_of(MESSAGE_AUTHORITY, "sub.example.com.", "NS", "ns.sub.example.com."),
		record_of(MESSAGE_ADDITIONAL, "ns.sub.example.com.", "AAAA", "2001:db8::1"),
		record_of(MESSAGE_ADDITIONAL, ".", "TXT", "root"),
	};
	struct message_reader reader;
	message_begin(&writer, out, sizeof(out), 4711, FLAG_QR | FLAG_AA | OPCODE_NOTIFY << 11);
	assert_true(message_put_question(&writer, &q));
	for (unsigned i = 0; i < ARRAY_LEN(records); i++)
		assert_true(message_put(&writer, &records[i]));
	assert_int_equal(message_open(&reader, out, writer.len), MESSAGE_OK);
	assert_int_equal(reader.id, 4711);
	assert_int_equal(message_opcode(&reader), OPCODE_NOTIFY);
	assert_int_equal(message_rcode(&reader), 0);
	assert_int_equal(reader.flags & FLAG_AA, FLAG_AA);
	static const uint16_t counts[MESSAGE_SECTIONS] = {1, 2, 1, 2};
	assert_memory_equal(reader.count, counts, sizeof(counts));
	assert_int_equal(message_next_question(&reader, &seen), MESSAGE_OK);
	assert_memory_equal(seen.name, zone.bytes, zone.len);
	assert_int_equal(seen.type, RRTYPE_SOA);
	assert_int_equal(seen.rrclass, RRCLASS_IN);
	assert_int_equal(message_next_question(&reader, &seen), MESSAGE_END);
	for (unsigned i = 0; i < ARRAY_LEN(records); i++)
		expect_record(&reader, &records[i]);
	assert_int_equal(message_next(&reader, rdata_buffer, &records[0]), MESSAGE_END);
	/* questions that nobody asks for are stepped over */
	assert_int_equal(message_open(&reader, out, writer.len), MESSAGE_OK);
	expect_record(&reader, &records[1 - 1]);
}

/* Octets that a record takes behind a question for example.com., which stands at 12. */
static uint32_t
length_of(const char *owner, const char *type, const char *data)
{
	struct name zone = name_of("example.com.");
	struct message_question q = {zone.bytes, RRTYPE_SOA, RRCLASS_IN};
	struct message_record r = record_of(MESSAGE_ANSWER, owner, type, data);
	struct message_reader reader;
	message_begin(&writer, out, sizeof(out), 1, 0);
	assert_true(message_put_question(&writer, &q));
	uint32_t start = writer.len;
	assert_true(message_put(&writer, &r));
	assert_int_equal(message_open(&reader, out, writer.len), MESSAGE_OK);
	expect_record(&reader, &r);
	return writer.len - start - 10;
}

static void
test_compression(void **state)
{
	assert_int_equal(length_of("example.com.", "A", "192.0.2.1"), 2 + 4);
	assert_int_equal(length_of("a.example.com.", "A", "192.0.2.1"), 4 + 4);
	assert_int_equal(length_of("a.com.", "A", "192.0.2.1"), 4 + 4);
	assert_int_equal(length_of("a.org.", "A", "192.0.2.1"), 7 + 4);
	assert_int_equal(length_of(".", "A", "192.0.2.1"), 1 + 4);
	assert_int_equal(length_of("a.example.com.", "NS", "a.example.com."), 4 + 2); /* its own owner */
	assert_int_equal(length_of("a.example.com.", "NS", "b.a.example.com."), 4 + 4);
	assert_int_equal(length_of("a.example.com.", "MX", "1 x.example.com."), 4 + 2 + 4);
	assert_int_equal(length_of("example.com.", "SOA", "ns.example.com. h.ns.example.com. 1 2 3 4 5"),
			 2 + 5 + 4 + 20);
	assert_int_equal(length_of("example.com.", "NS", "."), 2 + 1);
	/* younger types: never (RFC 3597 section 4) */
	assert_int_equal(length_of("example.com.", "SRV", "1 2 3 x.example.com."), 2 + 6 + 15);
	assert_int_equal(length_of("example.com.", "DNAME", "example.com."), 2 + 13);
	assert_int_equal(length_of("example.com.", "RP", "example.com. example.com."), 2 + 26);
	assert_int_equal(length_of("example.com.", "SVCB", "1 x.example.com."), 2 + 2 + 15);
	/* another letter case is another name (RFC 5936 section 3.4) */
	assert_int_equal(length_of("Example.com.", "A", "192.0.2.1"), 10 + 4);
	assert_int_equal(length_of("example.com.", "NS", "ns.EXAMPLE.com."), 2 + 13);
}

/* Data of another class is not ours to understand, and so not to compress. */
static void
test_classes(void **state)
{
	struct message_record r = record_of(MESSAGE_ANSWER, "example.com.", "NS", "example.com.");
	struct message_record none = {
		.owner = r.owner, .type = RRTYPE_A, .rrclass = RRCLASS_ANY, .section = MESSAGE_AUTHORITY};
	struct message_record empty = none;
	struct message_reader reader;
	r.rrclass = RRCLASS_CH;
	message_begin(&writer, out, sizeof(out), 1, OPCODE_UPDATE << 11);
	assert_true(message_put(&writer, &r));
	assert_int_equal(writer.len, DNS_HEADER_LEN + 13 + 10 + 13);
	assert_true(message_put(&writer, &none));
	none.rrclass = RRCLASS_NONE;
	assert_true(message_put(&writer, &none));
	empty.rrclass = RRCLASS_IN; /* an address without octets */
	assert_true(message_put(&writer, &empty));
	assert_int_equal(message_open(&reader, out, writer.len), MESSAGE_OK);
	expect_record(&reader, &r);
	none.rrclass = RRCLASS_ANY;
	expect_record(&reader, &none);
	none.rrclass = RRCLASS_NONE;
	expect_record(&reader, &none);
	assert_int_equal(message_next(&reader, rdata_buffer, &r), MESSAGE_BAD_DATA);
	assert_string_equal(message_error_text(&reader, MESSAGE_BAD_DATA), "the data is too short");
}

/* Whatever the room, an item is in the message whole or not at all, and what comes after it is not led astray. */
static void
test_full(void **state)
{
	struct message_record first = record_of(MESSAGE_ANSWER, "www.example.com.", "A", "192.0.2.1");
	struct message_record second =
		record_of(MESSAGE_ANSWER, "other.test.", "SOA", "ns.other.test. h.deep.ns.other.test. 1 2 3 4 5");
	struct message_record third = record_of(MESSAGE_ANSWER, "test.", "A", "192.0.2.1");
	for (uint32_t cap = DNS_HEADER_LEN; cap < 160; cap++) {
		uint8_t *exact = malloc(cap), *before = malloc(cap); /* of exact size, for sanitizers */
		struct message_reader reader;
		assert_true(exact != NULL && before != NULL);
		message_begin(&writer, exact, cap, 1, 0);
		bool has_first = message_put(&writer, &first);
		uint32_t len = writer.len;
		memcpy(before, exact, len);
		bool has_second = message_put(&writer, &second);
		if (!has_second) {
			assert_int_equal(writer.len, len);
			assert_memory_equal(exact, before, len);
		}
		bool has_third = message_put(&writer, &third);
		assert_int_equal(message_count(&writer, MESSAGE_ANSWER), has_first + has_second + has_third);
		assert_int_equal(message_open(&reader, exact, writer.len), MESSAGE_OK);
		if (has_first)
			expect_record(&reader, &first);
		if (has_second)
			expect_record(&reader, &second);
		if (has_third)
			expect_record(&reader, &third);
		assert_int_equal(message_next(&reader, rdata_buffer, &third), MESSAGE_END);
		if (cap == 159)
			assert_true(has_first && has_second && has_third);
		free(exact);
		free(before);
	}
}

static void
test_caps(void **state)
{
	static const uint8_t opt[] = {0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0};
	struct message_record r = record_of(MESSAGE_ANSWER, "a.test.", "A", "192.0.2.1"), seen;
	struct message_reader reader;
	message_begin(&writer, out, 100, 1, 0);
	message_set_cap(&writer, 100 - sizeof(opt));
	while (message_put(&writer, &r))
		;
	assert_true(writer.len <= 100 - sizeof(opt));
	message_set_cap(&writer, writer.len + sizeof(opt) - 1);
	assert_false(message_put_raw(&writer, MESSAGE_ADDITIONAL, opt, sizeof(opt)));
	message_set_cap(&writer, 100);
	assert_true(message_put_raw(&writer, MESSAGE_ADDITIONAL, opt, sizeof(opt)));
	assert_int_equal(message_count(&writer, MESSAGE_ADDITIONAL), 1);
	assert_int_equal(message_open(&reader, out, writer.len), MESSAGE_OK);
	enum message_error e;
	while ((e = message_next(&reader, rdata_buffer, &seen)) == MESSAGE_OK && seen.section == MESSAGE_ANSWER)
		assert_same_record(&seen, &r);
	assert_int_equal(e, MESSAGE_OK);
	assert_int_equal(seen.type, RRTYPE_OPT);
	assert_int_equal(seen.rrclass, 1232);
	/* no more than the header can count */
	static uint8_t large[MESSAGE_MAX_LEN + 100];
	message_begin(&writer, large, sizeof(large), 1, 0);
	assert_int_equal(writer.cap, MESSAGE_MAX_LEN);
}

/* Thousands of names fill the table and pass the reach of pointers; each still reads back. */
static void
test_many_names(void **state)
{
	unsigned n = 0, compressed = 0;
	char owner[64], target[64];
	struct message_reader reader;
	message_begin(&writer, out, sizeof(out), 1, 0);
	for (;; n++) {
		snprintf(owner, sizeof(owner), "h%u.d%u.example.", n * 7919 % 5000, n % 977);
		snprintf(target, sizeof(target), "ns%u.d%u.example.", n % 3, n * 31 % 977);
		struct message_record r = record_of(MESSAGE_ANSWER, owner, "NS", target);
		uint32_t start = writer.len;
		if (!message_put(&writer, &r))
			break;
		compressed += writer.len - start < 10u + name_len(r.owner) + r.rdlen;
	}
	assert_true(n > 2000 && compressed == n);
	assert_int_equal(message_open(&reader, out, writer.len), MESSAGE_OK);
	for (unsigned i = 0; i < n; i++) {
		snprintf(owner, sizeof(owner), "h%u.d%u.example.", i * 7919 % 5000, i % 977);
		snprintf(target, sizeof(target), "ns%u.d%u.example.", i % 3, i * 31 % 977);
		struct message_record r = record_of(MESSAGE_ANSWER, owner, "NS", target);
		expect_record(&reader, &r);
	}
	assert_int_equal(message_next(&reader, rdata_buffer, &(struct message_record){0}), MESSAGE_END);
}

/* A record may hold more names than are remembered of one. */
static void
test_deep_names(void **state)
{
	char deep[2 * NAME_MAX_LABELS + 1] = "", data[2 * sizeof(deep) + 40];
	for (unsigned i = 0; i < NAME_MAX_LABELS; i++)
		snprintf(deep + 2 * i, 3, "%c.", 'a' + (int)(i % 26));
	snprintf(data, sizeof(data), "b%s c%s 1 2 3 4 5", deep + 1, deep + 1);
	static uint8_t rdata[600];
	static const struct name root = {.len = 1};
	struct name owner = name_of(deep);
	struct rdata_error err;
	struct lexer lex;
	lexer_init(&lex, data, strlen(data));
	int len = rdata_from_text(&lex, RRTYPE_SOA, &root, rdata_buffer, &err);
	assert_in_range(len, 500, sizeof(rdata));
	memcpy(rdata, rdata_buffer, (size_t)len);
	struct message_record r = {owner.bytes, rdata, 1, RRTYPE_SOA, RRCLASS_IN, (uint16_t)len, MESSAGE_ANSWER};
	struct message_reader reader;
	message_begin(&writer, out, sizeof(out), 1, 0);
	for (unsigned i = 0; i < 20; i++)
		assert_true(message_put(&writer, &r));
	assert_int_equal(message_open(&reader, out, writer.len), MESSAGE_OK);
	for (unsigned i = 0; i < 20; i++)
		expect_record(&reader, &r);
}

/* -------- what the reader refuses -------- */

/* Reads to the end or the first fault. */
static enum message_error
read_all(const uint8_t *msg, size_t len, const char **text)
{
	static struct message_reader reader;
	struct message_record r;
	enum message_error e = message_open(&reader, msg, len), again;
	while (e == MESSAGE_OK)
		e = message_next(&reader, rdata_buffer, &r);
	if (e != MESSAGE_NO_HEADER) {
		again = message_next(&reader, rdata_buffer, &r);
		assert_int_equal(again, e); /* asked again, it says the same */
	}
	*text = message_error_text(&reader, e);
	return e;
}

static void
test_faults(void **state)
{
	static const struct {
		uint8_t counts[4];
		const char *octets; /* behind the header */
		uint8_t len;
		enum message_error e;
		const char *text;
	} cases[] = {
		{{0}, "", 0, MESSAGE_END, "nothing follows"},
		{{0}, "x", 1, MESSAGE_TRAILING, "octets behind the last record"},
		{{1}, "", 0, MESSAGE_BAD_NAME},
		{{1}, "\0\0\1\0", 4, MESSAGE_CUT_OFF, "cut off: the header promises more than there is"},
		{{1}, "\0\0\1\0\1", 5, MESSAGE_END},
		{{1}, "\0\0\1\0\1\0", 6, MESSAGE_TRAILING},
		/* points at itself */
		{{1}, "\300\14\0\1\0\1", 6, MESSAGE_BAD_NAME},
		/* forward */
		{{1}, "\300\20\0\1\0\1", 6, MESSAGE_BAD_NAME},
		/* label type 01 */
		{{1}, "\100a\0\0\1\0\1", 7, MESSAGE_BAD_NAME},
		{{0, 1}, "\0\0\1\0\1\0\0\0\0\0\4\1\2\3\4", 15, MESSAGE_END},
		{{0, 1}, "\0\0\1\0\1\0\0\0\0\0\4\1\2\3\4\5", 16, MESSAGE_TRAILING},
		{{0, 2}, "\0\0\1\0\1\0\0\0\0\0\4\1\2\3\4", 15, MESSAGE_BAD_NAME},
		{{0, 1}, "\0\0\1\0\1\0\0\0\0\0\5\1\2\3\4", 15, MESSAGE_CUT_OFF},
		{{0, 1}, "\0\0\1\0\1\0\0\0\0\0\3\1\2\3", 14, MESSAGE_BAD_DATA, "the data is too short"},
		{{0, 1}, "\0\0\1\0\1\0\0\0\0\0\5\1\2\3\4\5", 16, MESSAGE_BAD_DATA},
		/* NS to the root at 12 */
		{{0, 0, 1}, "\0\0\2\0\1\0\0\0\0\0\2\300\14", 13, MESSAGE_END},
		/* NS to itself */
		{{0, 0, 1}, "\0\0\2\0\1\0\0\0\0\0\2\300\27", 13, MESSAGE_BAD_DATA},
		/* over its end */
		{{0, 0, 1}, "\0\0\2\0\1\0\0\0\0\0\1\300\14", 13, MESSAGE_BAD_DATA},
		/* short of it */
		{{0, 0, 1}, "\0\0\2\0\1\0\0\0\0\0\2\0\0", 13, MESSAGE_BAD_DATA},
		/* SVCB, compressed */
		{{0, 0, 0, 1}, "\0\0\100\0\1\0\0\0\0\0\4\0\1\300\14", 15, MESSAGE_BAD_DATA},
	};
	const char *text;
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		uint8_t *msg = calloc(1, DNS_HEADER_LEN + cases[i].len);
		assert_non_null(msg);
		for (unsigned k = 0; k < 4; k++)
			msg[5 + 2 * k] = cases[i].counts[k];
		memcpy(msg + DNS_HEADER_LEN, cases[i].octets, cases[i].len);
		enum message_error e = read_all(msg, DNS_HEADER_LEN + cases[i].len, &text);
		if (e != cases[i].e)
			fail_msg("case %u: %s", i, text);
		assert_true(cases[i].text == NULL || strcmp(cases[i].text, text) == 0);
		assert_true(text[0] != '\0');
		for (unsigned cut = 0; cut < DNS_HEADER_LEN; cut++)
			assert_int_equal(read_all(msg, cut, &text), MESSAGE_NO_HEADER);
		free(msg);
	}
}

/* A message that is cut anywhere is never taken for whole. */
static void
test_cut_everywhere(void **state)
{
	struct message_record records[] = {
		record_of(MESSAGE_ANSWER, "example.com.", "SOA", "ns.example.com. h.example.com. 1 2 3 4 5"),
		record_of(MESSAGE_ANSWER, "a.example.com.", "TXT", "one two"),
		record_of(MESSAGE_ADDITIONAL, "b.example.com.", "NS", "a.example.com."),
	};
	const char *text;
	message_begin(&writer, out, sizeof(out), 1, 0);
	for (unsigned i = 0; i < ARRAY_LEN(records); i++)
		assert_true(message_put(&writer, &records[i]));
	for (uint32_t len = 0; len <= writer.len; len++) {
		uint8_t *exact = malloc(len > 0 ? len : 1);
		assert_non_null(exact);
		memcpy(exact, out, len);
		assert_int_equal(read_all(exact, len, &text) == MESSAGE_END, len == writer.len);
		free(exact);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),     cmocka_unit_test(test_compression),
		cmocka_unit_test(test_classes),        cmocka_unit_test(test_full),
		cmocka_unit_test(test_caps),           cmocka_unit_test(test_many_names),
		cmocka_unit_test(test_deep_names),     cmocka_unit_test(test_faults),
		cmocka_unit_test(test_cut_everywhere),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
