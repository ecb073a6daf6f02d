/* SPDX-License-Identifier: Apache-2.0 */
/* Asking the engine from a test. See ask.h. */
#include "tests/unit/answer/ask.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "zones/base/bytes.h"
#include "zones/load/zonefile.h"
#include "zones/wire/query.h"
#include "zones/wire/rdata.h"
#include "zones/wire/rrtype.h"

static struct name
parse_name(const char *text)
{
	struct name n;
	if (name_from_text(text, strlen(text), NULL, &n) != NAME_OK)
		fail_msg("bad name in test: %s", text);
	return n;
}

static struct snapshot *
load_text(const struct name *apex, const char *text)
{
	struct diag_list diag = {0};
	struct zonefile_files *files = NULL;
	struct zone_builder *b = zone_builder_new(apex);
	assert_non_null(b);
	int err = zonefile_read_text(text, strlen(text), "test.zone", apex, b, &diag, &files);
	struct snapshot *s = NULL;
	if (err == 0)
		err = zone_builder_finish(b, &diag, &s);
	if (err != 0)
		diag_print(&diag, stderr);
	assert_int_equal(err, 0);
	zonefile_files_free(files);
	diag_clear(&diag);
	return s;
}

void
server_add(struct server *s, const char *apex_text, const char *text)
{
	struct name apex = parse_name(apex_text);
	struct zone *z = zone_new(apex.bytes);
	assert_non_null(z);
	if (text != NULL)
		assert_null(zone_publish(z, load_text(&apex, text)));
	s->zones[s->n_zones++] = z;
}

void
server_ready(struct server *s, const struct answer_config *config)
{
	s->set = zone_set_new(s->zones, s->n_zones, config);
	assert_non_null(s->set);
}

void
server_free(struct server *s)
{
	zone_set_free(s->set);
	for (unsigned i = 0; i < s->n_zones; i++)
		zone_free(s->zones[i]);
	memset(s, 0, sizeof(*s));
}

size_t
ask_to_wire(const struct ask *ask, uint8_t *out)
{
	static const uint8_t header[DNS_HEADER_LEN] = {0x12, 0x34, 0x01, 0x00, 0, 1};
	memcpy(out, header, sizeof(header));
	struct name qname = parse_name(ask->name);
	uint16_t qtype;
	assert_int_equal(rrtype_from_text(ask->type, strlen(ask->type), &qtype), 0);
	size_t len = sizeof(header);
	memcpy(out + len, qname.bytes, qname.len);
	len += qname.len;
	store_be16(out + len, qtype);
	store_be16(out + len + 2, ask->rrclass ? ask->rrclass : RRCLASS_IN);
	len += 4;
	if (!(ask->edns || ask->dnssec || ask->nsid || ask->size || ask->options_len))
		return len;
	out[11] = 1;
	uint8_t *opt = out + len;
	memset(opt, 0, 15);
	store_be16(opt + 1, RRTYPE_OPT);
	store_be16(opt + 3, ask->size ? ask->size : 1232);
	opt[7] = ask->dnssec ? 0x80 : 0;
	if (ask->nsid) {
		store_be16(opt + 9, 4);
		store_be16(opt + 11, 3);
	}
	size_t opt_len = 11 + (ask->nsid ? 4 : 0);
	if (ask->options_len != 0)
		memcpy(opt + opt_len, ask->options, ask->options_len);
	opt_len += ask->options_len;
	store_be16(opt + 9, (uint16_t)(opt_len - 11));
	return len + opt_len;
}

size_t
server_send(struct server *s, const uint8_t *query, size_t len, enum engine_transport transport, uint8_t *reply,
	    size_t cap)
{
	memcpy(reply, query, len);
	struct engine_message m = {.msg = reply, .len = (uint32_t)len, .cap = (uint32_t)cap, .client = s->client};
	m.client.transport = (uint8_t)transport;
	engine_burst(s->set, &m, 1, s->now_s, &s->counters);
	return m.verdict == ENGINE_ANSWER ? m.len : 0;
}

/* -------- reading a reply -------- */

struct reader {
	const uint8_t *msg;
	size_t len, pos;
	char *text;
	size_t used;
};

static void
put(struct reader *r, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	r->used += (size_t)vsnprintf(r->text + r->used, REPLY_TEXT_MAX - r->used, fmt, ap);
	va_end(ap);
	assert_true(r->used < REPLY_TEXT_MAX);
}

static void
read_name(struct reader *r, char out[NAME_TEXT_MAX])
{
	struct name n;
	assert_int_equal(name_expand(r->msg, r->len, &r->pos, &n), NAME_OK);
	name_to_text(n.bytes, out);
}

static void
read_option(struct reader *r, unsigned code, const uint8_t *data, unsigned len)
{
	switch (code) {
	case EDNS_NSID:
		put(r, " nsid=%.*s", len, data);
		break;
	case EDNS_ERROR:
		put(r, " ede=%u", load_be16(data));
		break;
	case EDNS_EXPIRE:
		put(r, " expire=%u", load_be32(data));
		break;
	case EDNS_KEEPALIVE:
		put(r, " keepalive=%u", load_be16(data));
		break;
	case EDNS_ZONEVERSION:
		put(r, " zoneversion=%u/%u/%u", data[0], data[1], load_be32(data + 2));
		break;
	default:
		put(r, " option%u=", code);
		for (unsigned i = 0; i < len; i++)
			put(r, "%02x", data[i]);
	}
}

static void
read_opt(struct reader *r, const uint8_t *head)
{
	put(r, "%% %u%s", load_be16(head + 2), head[6] & 0x80 ? " do" : "");
	if (head[4] != 0)
		put(r, " ext=%u", head[4]);
	if (head[5] != 0)
		put(r, " version=%u", head[5]);
	if (load_be16(head + 6) & 0x7fff)
		put(r, " flags=%04x", load_be16(head + 6));
	const uint8_t *end = head + 10 + load_be16(head + 8);
	for (const uint8_t *p = head + 10; p < end; p += 4 + load_be16(p + 2))
		read_option(r, load_be16(p), p + 4, load_be16(p + 2));
	put(r, "\n");
}

static void
read_rr(struct reader *r, char mark)
{
	char owner[NAME_TEXT_MAX], type_text[RRTYPE_TEXT_MAX];
	static char data[4 * RDATA_MAX_LEN];
	static uint8_t rdata[RDATA_MAX_LEN];
	struct rdata_error err;
	read_name(r, owner);
	assert_true(r->pos + 10 <= r->len);
	const uint8_t *head = r->msg + r->pos;
	uint16_t type = load_be16(head), rdlen = load_be16(head + 8);
	r->pos += 10 + rdlen;
	assert_true(r->pos <= r->len);
	if (type == RRTYPE_OPT) {
		read_opt(r, head);
		return;
	}
	int len = rdata_expand(type, r->msg, r->len, r->pos - rdlen, rdlen, rdata, &err);
	if (len < 0)
		fail_msg("%s type %u: %s", owner, type, err.message);
	assert_true(rdata_to_text(type, rdata, (size_t)len, data, sizeof(data)) >= 0);
	rrtype_to_text(type, type_text);
	put(r, "%c %s %u %s %s\n", mark, owner, load_be32(head + 4), type_text, data);
}

void
reply_to_text(const uint8_t *msg, size_t len, char text[REPLY_TEXT_MAX])
{
	static const char *const rcodes[16] = {"NOERROR",  "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED",
					       "YXDOMAIN", "YXRRSET", "NXRRSET",  "NOTAUTH",  "NOTZONE"};
	struct reader r = {.msg = msg, .len = len, .pos = DNS_HEADER_LEN, .text = text};
	assert_true(len >= DNS_HEADER_LEN);
	uint16_t flags = load_be16(msg + 2);
	assert_true(flags & FLAG_QR);
	put(&r, "%s%s%s\n", rcodes[flags & 15], flags & FLAG_AA ? " aa" : "", flags & FLAG_TC ? " tc" : "");
	for (unsigned i = 0; i < load_be16(msg + 4); i++) {
		char name[NAME_TEXT_MAX], type[RRTYPE_TEXT_MAX];
		read_name(&r, name);
		rrtype_to_text(load_be16(msg + r.pos), type);
		put(&r, "? %s %s\n", name, type);
		r.pos += 4;
	}
	static const char marks[] = "=!+";
	for (unsigned section = 0; section < 3; section++) {
		for (unsigned i = 0; i < load_be16(msg + 6 + 2 * section); i++)
			read_rr(&r, marks[section]);
	}
	assert_int_equal(r.pos, len);
}

size_t
server_ask(struct server *s, const struct ask *ask, char text[REPLY_TEXT_MAX])
{
	uint8_t query[512];
	static uint8_t reply[65535];
	size_t len = server_send(s, query, ask_to_wire(ask, query), ask->tcp ? ENGINE_TCP : ENGINE_UDP, reply,
				 ask->tcp ? sizeof(reply) : 4096);
	assert_int_not_equal(len, 0);
	reply_to_text(reply, len, text);
	return len;
}
