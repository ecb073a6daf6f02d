/* SPDX-License-Identifier: Apache-2.0 */
/* SOA queries and their replies. See ask_soa.h. */
#include "control/transfer/ask_soa.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "control/transfer/xfr_in.h"
#include "zones/base/bytes.h"
#include "zones/wire/edns.h"
#include "zones/wire/message.h"
#include "zones/wire/rrtype.h"

#define UDP_PAYLOAD 1232 /* that our EDNS offers */
#define SOA_FIXED 20     /* octets behind the two names: serial first (RFC 1035 section 3.3.13) */
#define EXPIRE_LEN 4     /* in replies (RFC 7314 section 2) */

/* What was seen of a reply. */
struct soa_reply {
	unsigned rcode, n_soa;
	struct ask_soa soa;
};

size_t
ask_soa_write(const struct name *apex, uint8_t out[ASK_SOA_QUERY_MAX])
{
	static const uint8_t opt[] = {
		0, 0, RRTYPE_OPT, UDP_PAYLOAD >> 8, UDP_PAYLOAD & 255, 0, 0, 0, 0, 0, 4, 0, EDNS_EXPIRE, 0, 0};
	struct message_question question = {.name = apex->bytes, .type = RRTYPE_SOA, .rrclass = 1};
	struct message_writer w;
	message_begin(&w, out, ASK_SOA_QUERY_MAX, 0, OPCODE_QUERY << 11);
	bool fits =
		message_put_question(&w, &question) && message_put_raw(&w, MESSAGE_ADDITIONAL, opt, sizeof(opt));
	assert(fits);
	(void)fits;
	return w.len;
}

PRINTF_LIKE(3, 4)
static int
refuse(char why[ASK_WHY_MAX], int err, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	vsnprintf(why, ASK_WHY_MAX, fmt, args);
	va_end(args);
	return err;
}

static void
take_opt(struct soa_reply *reply, const struct message_record *r)
{
	reply->rcode |= r->ttl_s >> 24 << 4; /* the upper bits (RFC 6891 section 6.1.3) */
	for (size_t at = 0; at + EDNS_OPTION_HEAD <= r->rdlen;) {
		const uint8_t *option = r->rdata + at;
		size_t len = load_be16(option + 2);
		at += EDNS_OPTION_HEAD + len;
		if (load_be16(option) != EDNS_EXPIRE || len != EXPIRE_LEN || at > r->rdlen)
			continue;
		reply->soa.has_expire = true;
		reply->soa.expire_s = load_be32(option + EDNS_OPTION_HEAD);
	}
}

static void
take_record(struct soa_reply *reply, const struct name *apex, const struct message_record *r)
{
	if (r->type == RRTYPE_OPT && r->section == MESSAGE_ADDITIONAL)
		take_opt(reply, r);
	if (r->type != RRTYPE_SOA || r->section != MESSAGE_ANSWER || r->rrclass != 1 ||
	    !name_equal(r->owner, apex->bytes))
		return;
	reply->n_soa++;
	reply->soa.serial = load_be32(r->rdata + r->rdlen - SOA_FIXED);
}

int
ask_soa_read(const struct name *apex, const uint8_t *msg, size_t len, struct ask_soa *out, char why[ASK_WHY_MAX])
{
	struct message_reader reader;
	struct message_record record;
	uint8_t rdata[RDATA_MAX_LEN];
	enum message_error e = message_open(&reader, msg, len);
	if (e != MESSAGE_OK)
		return refuse(why, -EPROTO, "%.200s", message_error_text(&reader, e));
	char rcode[XFR_RCODE_TEXT_MAX];
	struct soa_reply reply = {.rcode = message_rcode(&reader)};
	while ((e = message_next(&reader, rdata, &record)) == MESSAGE_OK)
		take_record(&reply, apex, &record);
	if (e != MESSAGE_END)
		return refuse(why, -EPROTO, "%.200s", message_error_text(&reader, e));
	if (reply.rcode != RCODE_NOERROR)
		return refuse(why, -EACCES, "%s", xfr_rcode_text(reply.rcode, rcode));
	if (!(reader.flags & FLAG_AA))
		return refuse(why, -ENODATA, "the answer is not authoritative");
	if (reply.n_soa != 1)
		return refuse(why, -ENODATA, "the answer has %u SOA records of the zone", reply.n_soa);
	*out = reply.soa;
	return 0;
}
