/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzzes whole messages: the reader on any octets, the writer on whatever the reader took.
 *
 * What one reader takes, the tests' own reader sees in the same way. What was read and is written again, compressed
 * and in any room, reads back without change; what did not fit left no trace.
 *
 * Input: two octets, the room of the second writing; then a message.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/check.h"
#include "tests/fuzz/message.h"
#include "zones/base/bytes.h"
#include "zones/wire/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);

#define RECORDS_MAX 700 /* of eleven octets, in 8 KiB */
#define OCTETS_MAX (1 << 20)

/* A message taken apart; names and data lie in `octets`. */
struct parts {
	unsigned n_questions, n;
	struct message_question question[RECORDS_MAX];
	struct message_record record[RECORDS_MAX];
	size_t used;
	uint8_t octets[OCTETS_MAX];
};

static const uint8_t *
keep(struct parts *p, const uint8_t *octets, size_t len)
{
	uint8_t *to = p->octets + p->used;
	CHECK(len <= OCTETS_MAX - p->used);
	if (len > 0)
		memcpy(to, octets, len);
	p->used += len;
	return to;
}

/* Reads all of it; false where it is refused, or too much for us. */
static bool
take_apart(const uint8_t *msg, size_t len, struct parts *p)
{
	static uint8_t rdata[RDATA_MAX_LEN];
	struct message_reader r;
	enum message_error e = message_open(&r, msg, len);
	p->n_questions = p->n = 0;
	p->used = 0;
	while (e == MESSAGE_OK && p->n_questions < RECORDS_MAX) {
		struct message_question *q = &p->question[p->n_questions];
		e = message_next_question(&r, q);
		if (e != MESSAGE_OK)
			break;
		CHECK(name_check(q->name, NAME_MAX_LEN) > 0);
		q->name = keep(p, q->name, name_len(q->name));
		p->n_questions++;
	}
	while ((e == MESSAGE_OK || e == MESSAGE_END) && p->n < RECORDS_MAX &&
	       p->used < OCTETS_MAX - 2 * RDATA_MAX_LEN) {
		struct message_record *record = &p->record[p->n];
		e = message_next(&r, rdata, record);
		if (e != MESSAGE_OK)
			break;
		CHECK(name_check(record->owner, NAME_MAX_LEN) > 0);
		CHECK(record->rrclass != RRCLASS_IN ||
		      rdata_check(record->type, record->rdata, record->rdlen, NULL) == 0);
		record->owner = keep(p, record->owner, name_len(record->owner));
		record->rdata = keep(p, record->rdata, record->rdlen);
		p->n++;
	}
	const char *text = message_error_text(&r, e);
	CHECK(text != NULL && text[0] != '\0');
	return e == MESSAGE_END;
}

static bool
same_record(const struct message_record *a, const struct message_record *b)
{
	return a->type == b->type && a->rrclass == b->rrclass && a->ttl_s == b->ttl_s && a->section == b->section &&
	       a->rdlen == b->rdlen && memcmp(a->rdata, b->rdata, a->rdlen) == 0 &&
	       name_len(a->owner) == name_len(b->owner) && memcmp(a->owner, b->owner, name_len(a->owner)) == 0;
}

/* What the two readers say of one message, where both take it. */
static void
compare_readers(const uint8_t *msg, size_t len, const struct parts *p)
{
	static struct seen_message seen;
	if (message_read(msg, len, &seen) != NULL)
		return;
	CHECK(seen.n == p->n && seen.count[0] == p->n_questions);
	for (unsigned i = 0; i < seen.n; i++) {
		const struct message_record *r = &p->record[i];
		CHECK(seen.record[i].type == r->type && seen.record[i].rrclass == r->rrclass);
		CHECK(seen.record[i].ttl_s == r->ttl_s && seen.record[i].section == r->section);
		CHECK(seen.record[i].owner.len == name_len(r->owner));
		CHECK(name_equal(seen.record[i].owner.bytes, r->owner));
	}
}

/* Only where it has no reason to be stricter than we are. */
static bool
is_plain(const struct parts *p)
{
	for (unsigned i = 0; i < p->n; i++)
		if (p->record[i].rrclass != RRCLASS_IN || p->record[i].type == RRTYPE_OPT)
			return false;
	return p->n_questions <= 1;
}

/* Writes the parts into so much room, leaving out what does not fit, and reads that back. */
static void
write_again(const struct parts *p, size_t room)
{
	static struct message_writer w;
	static struct parts again;
	static struct seen_message seen;
	static bool has[RECORDS_MAX];
	unsigned n_questions = 0, n = 0;
	uint8_t *out = malloc(room); /* of exact size, for sanitizers */
	CHECK(out != NULL);
	message_begin(&w, out, room, 4711, FLAG_QR);
	for (unsigned i = 0; i < p->n_questions; i++)
		n_questions += message_put_question(&w, &p->question[i]);
	for (unsigned i = 0; i < p->n; i++) {
		uint32_t before = w.len;
		has[i] = message_put(&w, &p->record[i]);
		CHECK(has[i] ? w.len > before : w.len == before);
		CHECK(w.len <= room);
	}
	CHECK(take_apart(out, w.len, &again));
	CHECK(again.n_questions == n_questions);
	for (unsigned i = 0; i < p->n; i++) {
		if (!has[i])
			continue;
		CHECK(n < again.n && same_record(&again.record[n], &p->record[i]));
		n++;
	}
	CHECK(n == again.n);
	if (is_plain(p))
		CHECK(message_read(out, w.len, &seen) == NULL);
	free(out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	static struct parts parts;
	if (size < 2 || size - 2 > MESSAGE_MAX_LEN)
		return 0;
	const uint8_t *msg = input + 2;
	size_t len = size - 2, room = DNS_HEADER_LEN + load_be16(input) % 2048;
	if (!take_apart(msg, len, &parts))
		return 0;
	compare_readers(msg, len, &parts);
	write_again(&parts, MESSAGE_MAX_LEN);
	write_again(&parts, room);
	return 0;
}
