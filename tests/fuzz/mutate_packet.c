/* SPDX-License-Identifier: Apache-2.0 */
/* Making and mutating packets. See mutate_packet.h. */
#include "tests/fuzz/mutate_packet.h"

#include <string.h>

#include "tests/unit/dataplane/frame_fixture.h"

#define HEADER_LEN 12
#define ETHERTYPE_V4 0x0800
#define ETHERTYPE_V6 0x86dd

/* Where things lie in a packet, for the mutations that know. */
struct layout {
	uint32_t len;
	uint32_t l3, l4, dns;
	uint32_t qname, opt; /* opt 0: there is none */
	bool is_v6;
};

/* -------- random choices -------- */

static uint32_t
random_next(struct packet_source *s)
{
	s->random ^= s->random >> 12;
	s->random ^= s->random << 25;
	s->random ^= s->random >> 27;
	return (uint32_t)(s->random * UINT64_C(2685821657736338717) >> 32);
}

uint32_t
random_below(struct packet_source *s, uint32_t n)
{
	return n < 2 ? 0 : random_next(s) % n;
}

static bool
one_in(struct packet_source *s, uint32_t n)
{
	return random_below(s, n) == 0;
}

static int
note_name(const struct names_entry *e, void *arg)
{
	struct packet_source *s = arg;
	if (s->n_names < ASKED_NAMES_MAX)
		s->names[s->n_names++] = e;
	return 0;
}

void
packet_source_init(struct packet_source *s, const struct fuzz_zones *zones, uint64_t seed)
{
	s->random = seed * 2 + 1;
	s->n_names = 0;
	for (unsigned i = 0; i < zones->n; i++) {
		const struct snapshot *snapshot = zone_current(zones->zone[i]);
		if (snapshot != NULL)
			names_walk(&snapshot->names, note_name, s);
		else
			s->names[s->n_names++] = &zones->zone[i]->entry;
	}
}

/* -------- good queries -------- */

/* A name of ours, below one of ours, or of nobody's; in mixed case now and then. */
static uint32_t
put_name(struct packet_source *s, uint8_t *to)
{
	static const uint8_t foreign[] = "\3www\3not\4ours";
	const struct names_entry *e = s->names[random_below(s, s->n_names)];
	uint32_t len = 0, kind = random_below(s, 16);
	if (kind == 0) {
		memcpy(to, foreign, sizeof(foreign));
		return sizeof(foreign);
	}
	for (uint32_t i = kind < 5 ? kind : 0; i > 0 && len + e->name_len < 250; i--) {
		to[len++] = 1;
		to[len++] = one_in(s, 4) ? '*' : (uint8_t)('a' + random_below(s, 4));
	}
	memcpy(to + len, names_entry_name(e), e->name_len);
	len += e->name_len;
	for (uint32_t i = 0; i < len && kind > 12; i++)
		to[i] ^= to[i] >= 'a' && to[i] <= 'z' && one_in(s, 2) ? 32 : 0;
	return len;
}

static uint16_t
any_type(struct packet_source *s)
{
	static const uint8_t usual[] = {1, 1, 1, 2, 5, 6, 12, 15, 16, 28, 33, 39, 43, 46, 48, 64, 65, 255};
	return (uint16_t)(one_in(s, 4) ? random_below(s, 270) : usual[random_below(s, sizeof(usual))]);
}

static uint32_t
put_option(struct packet_source *s, uint8_t *to)
{
	static const uint8_t codes[] = {3, 3, 8, 9, 10, 11, 12, 15, 255};
	uint32_t len = random_below(s, 24);
	fixture_put16(to, codes[random_below(s, sizeof(codes))]);
	fixture_put16(to + 2, len);
	for (uint32_t i = 0; i < len; i++)
		to[4 + i] = (uint8_t)random_next(s);
	return 4 + len;
}

static uint32_t
put_opt(struct packet_source *s, uint8_t *to)
{
	static const uint16_t sizes[] = {0, 511, 512, 513, 1220, 1232, 4096, 65535};
	uint32_t rdlen = 0;
	memset(to, 0, 11);
	to[2] = 41;
	fixture_put16(to + 3, sizes[random_below(s, ARRAY_LEN(sizes))]);
	to[6] = one_in(s, 32);
	to[7] = one_in(s, 2) ? 0x80 : 0;
	for (uint32_t n = random_below(s, 3); n > 0; n--)
		rdlen += put_option(s, to + 11 + rdlen);
	fixture_put16(to + 9, rdlen);
	return 11 + rdlen;
}

static uint32_t
put_tsig(struct packet_source *s, uint8_t *to)
{
	static const uint8_t head[] = "\1k\0\0\372\0\377\0\0\0\0\0\75\13hmac-sha256\0\0\0\145\123\361\0\1\54\0\40";
	uint32_t len = sizeof(head) - 1;
	memcpy(to, head, len);
	for (unsigned i = 0; i < 32; i++) /* the MAC */
		to[len++] = (uint8_t)random_next(s);
	memset(to + len, 0, 6); /* id, error, other data */
	return len + 6;
}

static void
put_query(struct packet_source *s, uint8_t *data, struct layout *at)
{
	uint8_t *dns = data + at->dns;
	memset(dns, 0, HEADER_LEN);
	fixture_put16(dns, random_next(s) & 0xffff);
	dns[2] = (uint8_t)random_below(s, 2);
	dns[3] = one_in(s, 4) ? 0x10 : 0;
	dns[5] = 1;
	at->qname = at->dns + HEADER_LEN;
	uint32_t len = HEADER_LEN + put_name(s, data + at->qname);
	fixture_put16(dns + len, any_type(s));
	fixture_put16(dns + len + 2, one_in(s, 20) ? 3 : 1);
	if (one_in(s, 40)) /* id.server. of class CH */
		len = HEADER_LEN + sizeof("\2id\6server") - 1 + 1,
		memcpy(dns + HEADER_LEN, "\2id\6server\0\0\20\0\3", sizeof("\2id\6server\0\0\20\0\3") - 1);
	len += 4;
	if (!one_in(s, 3)) {
		at->opt = at->dns + len;
		dns[11] = 1;
		len += put_opt(s, dns + len);
	}
	if (one_in(s, 25)) /* NOTIFY, UPDATE */
		dns[2] |= (uint8_t)(4 + random_below(s, 2)) << 3;
	if (one_in(s, 25)) {
		dns[11]++;
		len += put_tsig(s, dns + len);
	}
	at->len = at->dns + len;
}

/* -------- frames around them -------- */

static uint32_t
put_ethernet(struct packet_source *s, uint8_t *data, bool is_v6)
{
	uint32_t at = 12;
	memcpy(data, fixture_mac, 6);
	memcpy(data + 6, "\2\0\0\0\0\xaa", 6);
	for (uint32_t tags = one_in(s, 3) ? 1 + random_below(s, 2) : 0; tags > 0; tags--) {
		fixture_put16(data + at, tags == 2 ? 0x88a8 : 0x8100);
		fixture_put16(data + at + 2, random_below(s, 4096));
		at += 4;
	}
	fixture_put16(data + at, is_v6 ? ETHERTYPE_V6 : ETHERTYPE_V4);
	return at + 2;
}

/* Header, with options or extension headers now and then; lengths are set when the packet is complete. */
static uint32_t
put_ip(struct packet_source *s, uint8_t *ip, bool is_v6)
{
	uint32_t more = one_in(s, 8) ? 8 : 0;
	memset(ip, 0, 48);
	if (is_v6) {
		ip[0] = 0x60;
		ip[6] = more ? 60 : 17;
		ip[7] = 57;
		memcpy(ip + 8, "\x20\1\xd\xb8\0\1\0\0\0\0\0\0\0\0\0\7", 16);
		memcpy(ip + 24, fixture_services[1].address, 16);
		memcpy(ip + 40, "\x11\0\1\4\0\0\0\0", 8); /* destination options: PadN */
		return 40 + more;
	}
	ip[0] = (uint8_t)(0x45 + more / 4);
	ip[8] = 57;
	ip[9] = 17;
	memcpy(ip + 12, "\xc6\x33\x64\7", 4);
	memcpy(ip + 16, fixture_services[0].address, 4);
	memset(ip + 20, 1, 8); /* no-operation options */
	return 20 + more;
}

static void
set_lengths(uint8_t *data, const struct layout *at)
{
	if (at->is_v6)
		fixture_put16(data + at->l3 + 4, at->len - at->l3 - 40);
	else
		fixture_put16(data + at->l3 + 2, at->len - at->l3);
	fixture_put16(data + at->l4 + 4, at->len - at->l4);
}

/* As the fixture does, but through extension headers, too. */
static void
repair(uint8_t *data, const struct layout *at)
{
	uint32_t udp_len = fixture_u16(data + at->l4 + 4);
	uint8_t *udp = data + at->l4, *ip = data + at->l3;
	if (!at->is_v6) {
		uint32_t header = at->l4 - at->l3;
		fixture_put16(ip + 10, 0);
		fixture_put16(ip + 10, ~fixture_sum(0, ip, header));
	}
	if (udp_len < 8 || at->l4 + udp_len > at->len)
		return;
	fixture_put16(udp + 6, 0);
	uint32_t sum = fixture_upper_sum(ip, udp, udp_len, 17);
	fixture_put16(udp + 6, sum == 0xffff ? 0xffff : ~sum);
}

static void
put_packet(struct packet_source *s, uint8_t *data, struct layout *at)
{
	*at = (struct layout){.is_v6 = one_in(s, 2)};
	at->l3 = put_ethernet(s, data, at->is_v6);
	at->l4 = at->l3 + put_ip(s, data + at->l3, at->is_v6);
	at->dns = at->l4 + 8;
	memset(data + at->l4, 0, 8);
	fixture_put16(data + at->l4, 1024 + random_below(s, 60000));
	fixture_put16(data + at->l4 + 2, 53);
	put_query(s, data, at);
}

/* -------- mutations of the message -------- */

static void
insert(struct packet_source *s, uint8_t *data, struct layout *at)
{
	uint32_t n = 1 + random_below(s, one_in(s, 8) ? 600 : 40),
		 where = at->dns + random_below(s, at->len - at->dns + 1);
	if (at->len + n > PACKET_MAX)
		return;
	memmove(data + where + n, data + where, at->len - where);
	for (uint32_t i = 0; i < n; i++)
		data[where + i] = (uint8_t)random_next(s);
	at->len += n;
}

/* A piece of the message once more, behind it: names, records and options come twice. */
static void
repeat(struct packet_source *s, uint8_t *data, struct layout *at)
{
	uint32_t dns_len = at->len - at->dns, from = random_below(s, dns_len),
		 n = 1 + random_below(s, dns_len - from);
	if (dns_len == 0 || at->len + n > PACKET_MAX)
		return;
	memcpy(data + at->len, data + at->dns + from, n);
	at->len += n;
}

/* The OPT record, or a record of nothing, once more, and counted. */
static void
add_record(struct packet_source *s, uint8_t *data, struct layout *at)
{
	static const uint8_t record[] = {0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 192, 0, 2, 1};
	uint32_t section = 1 + random_below(s, 3);
	if (at->len + 80 > PACKET_MAX || at->len < at->dns + HEADER_LEN)
		return;
	if (one_in(s, 2)) {
		at->len += put_opt(s, data + at->len);
	} else {
		memcpy(data + at->len, record, sizeof(record));
		at->len += sizeof(record);
	}
	data[at->dns + 5 + 2 * section]++;
}

static void
set_octet(struct packet_source *s, uint8_t *data, uint32_t from, uint32_t to)
{
	static const uint8_t edges[] = {0x00, 0x01, 0x0c, 0x3f, 0x40, 0x7f, 0x80, 0xbf, 0xc0, 0xff};
	if (from < to)
		data[from + random_below(s, to - from)] =
			one_in(s, 2) ? edges[random_below(s, sizeof(edges))] : (uint8_t)random_next(s);
}

/* Within the first `n` octets at `from`, as far as the packet goes. */
static void
set_field(struct packet_source *s, uint8_t *data, const struct layout *at, uint32_t from, uint32_t n)
{
	set_octet(s, data, from, from + n < at->len ? from + n : at->len);
}

static void
mutate_message(struct packet_source *s, uint8_t *data, struct layout *at)
{
	switch (random_below(s, 11)) {
	case 0: /* a bit */
		if (at->len > at->dns)
			data[at->dns + random_below(s, at->len - at->dns)] ^= (uint8_t)(1u << random_below(s, 8));
		break;
	case 1: /* anywhere */
		set_field(s, data, at, at->dns, at->len);
		break;
	case 2: /* opcode and flags */
		set_field(s, data, at, at->dns + 2, 2);
		break;
	case 3: /* counts */
		if (at->dns + HEADER_LEN <= at->len)
			data[at->dns + 4 + random_below(s, 8)] = (uint8_t)random_below(s, 4);
		break;
	case 4: /* the name: lengths and pointers, or its type and class behind it */
		set_field(s, data, at, at->qname, one_in(s, 2) ? 2 : at->len);
		break;
	case 5: /* the OPT record's fixed part */
		if (at->opt != 0)
			set_field(s, data, at, at->opt, 11);
		break;
	case 6: /* its options */
		if (at->opt != 0)
			set_field(s, data, at, at->opt + 11, 40);
		break;
	case 7: /* the end is missing */
		at->len = at->dns + random_below(s, at->len - at->dns + 1);
		break;
	case 8:
		insert(s, data, at);
		break;
	case 9:
		repeat(s, data, at);
		break;
	default:
		add_record(s, data, at);
		break;
	}
}

/* -------- mutations of the frame -------- */

static void
mutate_frame(struct packet_source *s, uint8_t *data, struct layout *at)
{
	switch (random_below(s, 6)) {
	case 0: /* any header */
		set_octet(s, data, 0, at->dns);
		break;
	case 1: /* lengths */
		data[at->l3 + (at->is_v6 ? 5 : 3)] = (uint8_t)random_next(s);
		break;
	case 2:
		data[at->l4 + 5] = (uint8_t)random_next(s);
		break;
	case 3: /* the end is missing */
		at->len = random_below(s, at->len + 1);
		break;
	case 4: /* addresses, ports and protocol */
		set_octet(s, data, at->l3 + 6, at->l4 + 4);
		break;
	default: /* for others: ARP, TCP, somebody else's MAC */
		data[at->l3 - (one_in(s, 2) ? 1 : 2)] = (uint8_t)random_below(s, 9);
		break;
	}
}

/* Echo, ND or ARP instead of a query. */
static uint32_t
put_neighbour(struct packet_source *s, uint8_t *data)
{
	struct layout at = {.is_v6 = one_in(s, 2)};
	at.l3 = put_ethernet(s, data, at.is_v6);
	if (!at.is_v6 && one_in(s, 2)) {
		memcpy(data + at.l3 - 2, "\x08\x06\0\1\x08\0\6\4\0\1\2\0\0\0\0\xaa\xc0\0\2\1\0\0\0\0\0\0", 26);
		memcpy(data + at.l3 + 24, fixture_services[0].address, 4);
		return at.l3 + 28;
	}
	at.l4 = at.l3 + put_ip(s, data + at.l3, at.is_v6);
	at.len = at.l4 + 24;
	memset(data + at.l4, 0, 24);
	data[at.l3 + (at.is_v6 ? 6 : 9)] = at.is_v6 ? 58 : 1;
	data[at.l4] = at.is_v6 ? one_in(s, 2) ? 135 : 128 : 8;
	if (at.is_v6)
		memcpy(data + at.l4 + 8, fixture_services[1].address, 16);
	data[at.l3 + 7 + at.is_v6 * 0] = at.is_v6 ? 255 : data[at.l3 + 7];
	fixture_put16(data + at.l3 + (at.is_v6 ? 4 : 2), at.len - at.l3 - (at.is_v6 ? 40 : 0));
	fixture_repair(data, at.len);
	return at.len;
}

uint32_t
packet_next(struct packet_source *s, uint8_t *data)
{
	struct layout at;
	if (one_in(s, 64)) {
		uint32_t len = put_neighbour(s, data);
		if (one_in(s, 2))
			set_octet(s, data, 0, len);
		return one_in(s, 8) ? random_below(s, len + 1) : len;
	}
	put_packet(s, data, &at);
	for (uint32_t n = random_below(s, 6); n > 0; n--)
		mutate_message(s, data, &at);
	set_lengths(data, &at);
	bool padded = at.len < 60 && one_in(s, 2);
	if (!one_in(s, 64))
		repair(data, &at);
	if (padded) {
		memset(data + at.len, 0xa5, 60 - at.len);
		at.len = 60;
	}
	if (one_in(s, 6))
		mutate_frame(s, data, &at);
	return at.len;
}
