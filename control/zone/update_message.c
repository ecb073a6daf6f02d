/* SPDX-License-Identifier: Apache-2.0 */
/*
 * UPDATE: messages. See update_private.h.
 *
 * A message is read twice: to learn that it is whole and how much there is in it, and to copy that. So a message
 * with a fault in its last octet is FORMERR before anything is decided by its first record. Pool threads; the zone
 * section and replies, any thread.
 */
#include <errno.h>
#include <string.h>

#include "control/zone/update_private.h"
#include "zones/base/alloc.h"
#include "zones/base/bytes.h"
#include "zones/wire/edns.h"

/* -------- the zone section (section 3.1) -------- */

/* Reads header and zone section; NOERROR, FORMERR or NOTAUTH. */
static uint16_t
open_message(struct message_reader *r, const uint8_t *msg, size_t len, struct message_question *zone)
{
	if (message_open(r, msg, len) != MESSAGE_OK)
		return RCODE_FORMERR;
	if ((r->flags & FLAG_QR) || message_opcode(r) != OPCODE_UPDATE || r->count[MESSAGE_QUESTION] != 1)
		return RCODE_FORMERR;
	if (message_next_question(r, zone) != MESSAGE_OK || zone->type != RRTYPE_SOA)
		return RCODE_FORMERR;
	return zone->rrclass == RRCLASS_IN ? RCODE_NOERROR : RCODE_NOTAUTH;
}

uint16_t
update_zone_of(const uint8_t *msg, size_t len, struct name *apex)
{
	struct message_reader r;
	struct message_question zone;
	uint16_t rcode = open_message(&r, msg, len, &zone);
	if (rcode != RCODE_NOERROR)
		return rcode;
	name_copy(apex, zone.name);
	name_lower(apex->bytes, apex->bytes, apex->len);
	return RCODE_NOERROR;
}

/* -------- records -------- */

static bool
is_kept(const struct message_record *r)
{
	return r->section == MESSAGE_ANSWER || r->section == MESSAGE_AUTHORITY;
}

/* What stands beside the update is ignored but for OPT (RFC 6891 section 6.1.1). */
static int
take_additional(struct update *u, const struct message_record *r, bool *has_opt)
{
	if (r->type != RRTYPE_OPT)
		return 0;
	if (*has_opt)
		return update_refuse(u, RCODE_FORMERR, "two OPT records");
	*has_opt = true;
	if ((r->ttl_s >> 16 & 0xff) != 0)
		return update_refuse(u, RCODE_BADVERS, "EDNS version %u", r->ttl_s >> 16 & 0xff);
	return 0;
}

/* First reading: adds up the octets of names and data that will be kept. */
static int
measure(struct update *u, struct message_reader r, uint8_t *rdata, size_t *octets)
{
	struct message_record record;
	enum message_error e;
	bool has_opt = false;
	*octets = 0;
	while ((e = message_next(&r, rdata, &record)) == MESSAGE_OK) {
		if (is_kept(&record))
			*octets += name_len(record.owner) + record.rdlen;
		else if (take_additional(u, &record, &has_opt) != 0)
			return -EINVAL;
	}
	if (e != MESSAGE_END)
		return update_refuse(u, RCODE_FORMERR, "%s", message_error_text(&r, e));
	return 0;
}

/* Second reading, of what the first one has seen to be good. */
static void
copy(struct update_message *m, struct message_reader r, uint8_t *rdata, uint8_t *to)
{
	struct message_record record;
	while (message_next(&r, rdata, &record) == MESSAGE_OK && is_kept(&record)) {
		unsigned len = name_len(record.owner);
		name_lower(to, record.owner, len);
		memcpy(to + len, rdata, record.rdlen);
		record.owner = to;
		record.rdata = to + len;
		to += len + record.rdlen;
		m->n_prerequisites += record.section == MESSAGE_ANSWER;
		m->records[m->n++] = record;
	}
}

int
update_message_read(struct update *u)
{
	const struct update_request *request = u->request;
	uint8_t rdata[RDATA_MAX_LEN];
	struct message_reader r;
	struct message_question zone;
	size_t octets;
	uint16_t rcode = open_message(&r, request->msg, request->len, &zone);
	if (rcode != RCODE_NOERROR)
		return update_refuse(u, rcode, "no zone section for one SOA of class IN");
	if (!name_equal(zone.name, u->apex.bytes))
		return update_refuse(u, RCODE_NOTAUTH, "for another zone");
	if (measure(u, r, rdata, &octets) != 0)
		return -EINVAL;
	size_t n = (size_t)r.count[MESSAGE_ANSWER] + r.count[MESSAGE_AUTHORITY];
	size_t size = n * sizeof(struct message_record) + octets;
	if (size == 0)
		return 0;
	struct message_record *records = zalloc(size, 0);
	if (records == NULL)
		return -ENOMEM;
	u->message = (struct update_message){.records = records, .size = size};
	copy(&u->message, r, rdata, (uint8_t *)(records + n));
	return 0;
}

void
update_message_free(struct update_message *m)
{
	if (m->records != NULL)
		zalloc_free(m->records, m->size);
}

/* -------- replies (section 3.8) -------- */

#define REPLY_FLAGS 0x7800 /* what a reply takes over: the opcode */

/* Has the request an OPT record where a reader gets at it? Then *flags are its flags. */
static bool
find_opt(struct message_reader r, uint16_t *flags)
{
	uint8_t rdata[RDATA_MAX_LEN];
	struct message_record record;
	while (message_next(&r, rdata, &record) == MESSAGE_OK) {
		if (record.section == MESSAGE_ADDITIONAL && record.type == RRTYPE_OPT) {
			*flags = (uint16_t)record.ttl_s;
			return true;
		}
	}
	return false;
}

#define REPLY_UDP_PAYLOAD 1232
#define OPT_DO 0x8000

/* Appends OPT, with the upper bits of the rcode; of the flags, DO comes back (RFC 6891 section 6.1.4). */
static size_t
put_opt(uint8_t *out, size_t len, uint16_t rcode, uint16_t flags)
{
	uint8_t *opt = out + len;
	memset(opt, 0, EDNS_OPT_LEN);
	store_be16(opt + 1, RRTYPE_OPT);
	store_be16(opt + 3, REPLY_UDP_PAYLOAD);
	opt[5] = (uint8_t)(rcode >> 4);
	store_be16(opt + 7, flags & OPT_DO);
	store_be16(out + 10, 1);
	return len + EDNS_OPT_LEN;
}

/* Writes the zone section; names are written out, since what they pointed at is not there. */
static size_t
put_zone(uint8_t *out, const struct message_question *zone)
{
	unsigned len = name_len(zone->name);
	memcpy(out + DNS_HEADER_LEN, zone->name, len);
	store_be16(out + DNS_HEADER_LEN + len, zone->type);
	store_be16(out + DNS_HEADER_LEN + len + 2, zone->rrclass);
	store_be16(out + 4, 1);
	return DNS_HEADER_LEN + len + 4;
}

size_t
update_reply(const uint8_t *msg, size_t len, uint16_t rcode, uint8_t *out, size_t cap)
{
	struct message_reader r;
	struct message_question zone;
	uint16_t flags;
	if (message_open(&r, msg, len) != MESSAGE_OK || cap < UPDATE_REPLY_MAX)
		return 0;
	memset(out, 0, DNS_HEADER_LEN);
	store_be16(out, r.id);
	store_be16(out + 2, (uint16_t)(FLAG_QR | (r.flags & REPLY_FLAGS) | (rcode & 15)));
	if (r.count[MESSAGE_QUESTION] != 1 || message_next_question(&r, &zone) != MESSAGE_OK)
		return DNS_HEADER_LEN;
	size_t n = put_zone(out, &zone);
	return find_opt(r, &flags) ? put_opt(out, n, rcode, flags) : n;
}
