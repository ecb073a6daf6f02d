/* SPDX-License-Identifier: Apache-2.0 */
/* Requests about whole zones, read. See zone_request.h. */
#include "control/transfer/zone_request.h"

#include <assert.h>

#include "zones/base/bytes.h"
#include "zones/wire/rrtype.h"

#define OPT_HEAD 10 /* octets of a record between its owner and its data */

static bool
read_question(struct message_reader *r, struct zone_request *out)
{
	struct message_question q;
	if (r->count[MESSAGE_QUESTION] != 1 || message_next_question(r, &q) != MESSAGE_OK)
		return false;
	name_copy(&out->question, q.name);
	out->apex.len = out->question.len;
	name_lower(out->apex.bytes, out->question.bytes, out->apex.len);
	out->qtype = q.type;
	out->qclass = q.rrclass;
	out->has_question = true;
	return true;
}

static bool
is_soa_of_apex(const struct zone_request *out, const struct message_record *record)
{
	return record->type == RRTYPE_SOA && record->rrclass == RRCLASS_IN &&
	       name_equal(record->owner, out->apex.bytes);
}

/* The rest of the message, which has to be well-formed. */
static bool
read_records(struct message_reader *r, enum message_section soa_at, struct zone_request *out)
{
	uint8_t rdata[RDATA_MAX_LEN];
	struct message_record record;
	enum message_error e;
	while ((e = message_next(r, rdata, &record)) == MESSAGE_OK) {
		if (record.section == soa_at && !out->has_serial && is_soa_of_apex(out, &record)) {
			out->has_serial = true;
			out->serial = load_be32(rdata + record.rdlen - 20);
		}
		if (record.type != RRTYPE_OPT)
			continue;
		/* RFC 6891 section 6.1.1: one OPT, at the root, in the additional section. */
		if (record.section != MESSAGE_ADDITIONAL || record.owner[0] != 0 || out->edns.is_present ||
		    !edns_read(&out->edns, r->msg + r->pos - record.rdlen - OPT_HEAD))
			return false;
	}
	return e == MESSAGE_END;
}

enum zone_request_status
zone_request_parse(const uint8_t *msg, size_t len, enum message_section soa_at, struct zone_request *out)
{
	struct message_reader r;
	*out = (struct zone_request){0};
	if (message_open(&r, msg, len) != MESSAGE_OK || (r.flags & FLAG_QR) != 0)
		return ZONE_REQUEST_DROP;
	out->id = r.id;
	out->flags = r.flags;
	if (!read_question(&r, out) || !read_records(&r, soa_at, out))
		return ZONE_REQUEST_FORMERR;
	return out->edns.version != 0 ? ZONE_REQUEST_BADVERS : ZONE_REQUEST_OK;
}

uint16_t
zone_request_status_rcode(enum zone_request_status status)
{
	switch (status) {
	case ZONE_REQUEST_FORMERR:
	case ZONE_REQUEST_DROP:
		return RCODE_FORMERR;
	case ZONE_REQUEST_BADVERS:
		return RCODE_BADVERS;
	case ZONE_REQUEST_OK:
		break;
	}
	return RCODE_NOERROR;
}

unsigned
zone_request_opt(const struct zone_request *r, uint16_t rcode, uint16_t udp_payload, const uint32_t *expire_s,
		 uint8_t out[ZONE_REQUEST_OPT_MAX])
{
	bool tells_expire = expire_s != NULL && r->edns.wants_expire;
	if (!r->edns.is_present)
		return 0;
	out[0] = 0;
	store_be16(out + 1, RRTYPE_OPT);
	store_be16(out + 3, udp_payload);
	out[5] = (uint8_t)(rcode >> 4);
	out[6] = 0; /* version */
	store_be16(out + 7, r->edns.wants_dnssec ? 0x8000 : 0);
	store_be16(out + 9, tells_expire ? EDNS_OPTION_HEAD + 4 : 0);
	if (!tells_expire)
		return EDNS_OPT_LEN;
	store_be16(out + EDNS_OPT_LEN, EDNS_EXPIRE);
	store_be16(out + EDNS_OPT_LEN + 2, 4);
	store_be32(out + EDNS_OPT_LEN + 4, *expire_s);
	return ZONE_REQUEST_OPT_MAX;
}

size_t
zone_request_reply(const struct zone_request *r, uint16_t rcode, uint16_t flags, uint16_t udp_payload, uint8_t *out,
		   size_t cap)
{
	struct message_writer w;
	uint8_t opt[ZONE_REQUEST_OPT_MAX];
	unsigned opt_len = zone_request_opt(r, rcode, udp_payload, NULL, opt);
	struct message_question q = {.name = r->question.bytes, .type = r->qtype, .rrclass = r->qclass};
	uint16_t kept = r->flags & (15 << 11 | FLAG_RD);
	message_begin(&w, out, cap, r->id, (uint16_t)(FLAG_QR | kept | flags | (rcode & 15)));
	bool fits = (!r->has_question || message_put_question(&w, &q)) &&
		    (opt_len == 0 || message_put_raw(&w, MESSAGE_ADDITIONAL, opt, opt_len));
	assert(fits); /* a question has at most 259 octets */
	(void)fits;
	return w.len;
}
