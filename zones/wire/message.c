/* SPDX-License-Identifier: Apache-2.0 */
/* Reading messages. See message.h; writing is message_write.c. Pure, any thread. */
#include "zones/wire/message.h"

#include <string.h>

#include "zones/base/bytes.h"

#define QUESTION_TAIL 4 /* type and class */
#define RECORD_TAIL 10  /* type, class, TTL and length, behind the owner */

enum message_error
message_open(struct message_reader *r, const uint8_t *msg, size_t len)
{
	*r = (struct message_reader){.msg = msg, .len = len};
	if (len < DNS_HEADER_LEN)
		return MESSAGE_NO_HEADER;
	r->id = load_be16(msg);
	r->flags = load_be16(msg + 2);
	for (unsigned i = 0; i < MESSAGE_SECTIONS; i++)
		r->count[i] = load_be16(msg + 4 + 2 * i);
	r->pos = DNS_HEADER_LEN;
	r->section = MESSAGE_QUESTION;
	r->left = r->count[MESSAGE_QUESTION];
	return MESSAGE_OK;
}

/* Reads a name and looks for `tail` octets behind it, whose place goes to *at. */
static enum message_error
read_name(struct message_reader *r, size_t tail, size_t *at)
{
	size_t pos = r->pos;
	enum name_error e = name_expand(r->msg, r->len, &pos, &r->name);
	if (e != NAME_OK) {
		r->name_error = e;
		return MESSAGE_BAD_NAME;
	}
	if (r->len - pos < tail)
		return MESSAGE_CUT_OFF;
	*at = pos;
	return MESSAGE_OK;
}

enum message_error
message_next_question(struct message_reader *r, struct message_question *out)
{
	size_t at;
	if (r->section != MESSAGE_QUESTION || r->left == 0)
		return MESSAGE_END;
	enum message_error e = read_name(r, QUESTION_TAIL, &at);
	if (e != MESSAGE_OK)
		return e;
	*out = (struct message_question){
		.name = r->name.bytes, .type = load_be16(r->msg + at), .rrclass = load_be16(r->msg + at + 2)};
	r->pos = at + QUESTION_TAIL;
	r->left--;
	return MESSAGE_OK;
}

/* Moves to the section of the next record; MESSAGE_END where there is none. */
static enum message_error
find_record(struct message_reader *r)
{
	while (r->section == MESSAGE_QUESTION && r->left > 0) {
		struct message_question q;
		enum message_error e = message_next_question(r, &q);
		if (e != MESSAGE_OK)
			return e;
	}
	while (r->left == 0) {
		if (r->section == MESSAGE_ADDITIONAL)
			return r->pos == r->len ? MESSAGE_END : MESSAGE_TRAILING;
		r->section++;
		r->left = r->count[r->section];
	}
	return MESSAGE_OK;
}

/* The record's data into rdata; its length, or a negative number. */
static int
read_data(struct message_reader *r, const struct message_record *record, size_t pos, uint8_t *rdata)
{
	uint16_t c = record->rrclass;
	bool is_pattern = c == RRCLASS_NONE || c == RRCLASS_ANY;
	if ((is_pattern && record->rdlen == 0) || (!is_pattern && c != RRCLASS_IN)) {
		memcpy(rdata, r->msg + pos, record->rdlen);
		return record->rdlen;
	}
	return rdata_expand(record->type, r->msg, r->len, pos, record->rdlen, rdata, &r->data_error);
}

/* Reads a record up to its data, which begins at *at. */
static enum message_error
read_head(struct message_reader *r, struct message_record *out, size_t *at)
{
	enum message_error e = find_record(r);
	if (e == MESSAGE_OK)
		e = read_name(r, RECORD_TAIL, at);
	if (e != MESSAGE_OK)
		return e;
	const uint8_t *head = r->msg + *at;
	*out = (struct message_record){.owner = r->name.bytes,
				       .ttl_s = load_be32(head + 4),
				       .type = load_be16(head),
				       .rrclass = load_be16(head + 2),
				       .rdlen = load_be16(head + 8),
				       .section = r->section};
	*at += RECORD_TAIL;
	return r->len - *at < out->rdlen ? MESSAGE_CUT_OFF : MESSAGE_OK;
}

enum message_error
message_next(struct message_reader *r, uint8_t *rdata, struct message_record *out)
{
	struct message_record record;
	size_t at;
	enum message_error e = read_head(r, &record, &at);
	if (e != MESSAGE_OK)
		return e;
	int len = read_data(r, &record, at, rdata);
	if (len < 0)
		return MESSAGE_BAD_DATA;
	r->pos = at + record.rdlen;
	r->left--;
	record.rdata = rdata;
	record.rdlen = (uint16_t)len;
	*out = record;
	return MESSAGE_OK;
}

enum message_error
message_skip(struct message_reader *r, struct message_record *out)
{
	struct message_record record;
	size_t at;
	enum message_error e = read_head(r, &record, &at);
	if (e != MESSAGE_OK)
		return e;
	r->pos = at + record.rdlen;
	r->left--;
	*out = record;
	return MESSAGE_OK;
}

const char *
message_error_text(const struct message_reader *r, enum message_error e)
{
	switch (e) {
	case MESSAGE_OK:
		return "no fault";
	case MESSAGE_END:
		return "nothing follows";
	case MESSAGE_NO_HEADER:
		return "shorter than a header";
	case MESSAGE_BAD_NAME:
		return name_error_text(r->name_error);
	case MESSAGE_CUT_OFF:
		return "cut off: the header promises more than there is";
	case MESSAGE_BAD_DATA:
		return r->data_error.message;
	case MESSAGE_TRAILING:
		return "octets behind the last record";
	}
	return "unknown fault";
}
