/* SPDX-License-Identifier: Apache-2.0 */
/* Checking replies. See check.h. */
#include "bench/blast/check.h"

#include "bench/blast/questions.h"
#include "zones/base/bytes.h"
#include "zones/wire/message.h"

#define FLAGS_QR_OPCODE 0xf8
#define FLAGS_QR 0x80

/* Names that a server has put into letters of another case are equal, too (RFC 4343). */
static bool
question_equal_but_for_case(const uint8_t *a, const uint8_t *b, uint32_t len)
{
	uint32_t name_len = len - 4;
	for (uint32_t i = 0; i < name_len; i++) {
		if (name_lower_octet(a[i]) != name_lower_octet(b[i]))
			return false;
	}
	return memcmp(a + name_len, b + name_len, 4) == 0;
}

static enum check_result
check_all(const uint8_t *reply, uint32_t len)
{
	static _Thread_local uint8_t rdata[RDATA_MAX_LEN];
	struct message_reader r;
	struct message_record record;
	unsigned rcode = reply[3] & 15u;
	if (rcode != 0 && rcode != 3)
		return CHECK_RCODE;
	enum message_error e = message_open(&r, reply, len);
	while (e == MESSAGE_OK)
		e = message_next(&r, rdata, &record);
	return e == MESSAGE_END ? CHECK_GOOD : CHECK_SECTIONS;
}

enum check_result
check_reply(const uint8_t *reply, uint32_t reply_len, const uint8_t *query, uint32_t query_len,
	    enum check_depth depth)
{
	uint32_t len = question_section_len(query, query_len);
	if (unlikely(reply_len < 12 + len)) /* errors that come without the question among them */
		return CHECK_SHORT;
	if (unlikely((reply[2] & FLAGS_QR_OPCODE) != FLAGS_QR) && depth != CHECK_ECHO)
		return CHECK_QUERY;
	if (unlikely(load_be16(reply + 4) != 1))
		return CHECK_QUESTION;
	if (unlikely(!octets_equal(reply + 12, query + 12, len)) &&
	    !question_equal_but_for_case(reply + 12, query + 12, len))
		return CHECK_QUESTION;
	return depth == CHECK_FULL ? check_all(reply, reply_len) : CHECK_GOOD;
}

const char *
check_text(enum check_result result)
{
	switch (result) {
	case CHECK_GOOD:
		return "good";
	case CHECK_SHORT:
		return "it ends before its question does";
	case CHECK_QUERY:
		return "it is no response";
	case CHECK_QUESTION:
		return "it answers another question";
	case CHECK_RCODE:
		return "its RCODE is neither NOERROR nor NXDOMAIN";
	case CHECK_SECTIONS:
		return "its sections cannot be read";
	}
	return "?";
}
