/* SPDX-License-Identifier: Apache-2.0 */
/* The zone of the bench. See zone.h. */
#include "bench/transfer/zone.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "zones/base/bytes.h"
#include "zones/wire/message.h"
#include "zones/wire/rrtype.h"

#define PROVIDERS 2000
#define TARGET_LEN 16384 /* of a message; as most primaries have them */
#define TTL_S 86400

static void *
need(void *p)
{
	if (!p) {
		fprintf(stderr, "no memory\n");
		exit(1);
	}
	return p;
}

/* -------- records -------- */

/* Distinct labels in no order that a server could profit from. */
static void
name_of(const struct bench_zone *z, uint32_t i, struct name *out)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz234567";
	uint32_t scrambled = i * 2654435761u;
	unsigned len = 7 + i % 5;
	out->bytes[0] = (uint8_t)len;
	for (unsigned k = 0; k < len; k++)
		out->bytes[1 + k] = (uint8_t)letters[k < 7 ? scrambled >> 5 * k & 31 : (i * 7 + k) % 26];
	memcpy(out->bytes + 1 + len, z->apex.bytes, z->apex.len);
	out->len = (uint8_t)(1 + len + z->apex.len);
}

static void
name_from(const char *text, struct name *out)
{
	if (name_from_text(text, strlen(text), NULL, out) != NAME_OK)
		abort();
}

size_t
bench_zone_mark(uint32_t serial, char out[16])
{
	int len = snprintf(out + 1, 15, "v%u", serial);
	out[0] = (char)len;
	return (size_t)len + 1;
}

static void
ns_of(uint32_t i, uint32_t version, unsigned which, struct name *out)
{
	char text[64];
	unsigned provider = (i * 2654435761u >> 8) % PROVIDERS;
	provider = provider * (i >> 3 & 1 ? 1 : provider) / PROVIDERS; /* some have many more names than others */
	if (which == 0 && version)
		snprintf(text, sizeof(text), "ns1.v%u.changed.invalid.", version);
	else
		snprintf(text, sizeof(text), "ns%u.company%u.dns.invalid.", which + 1, provider);
	name_from(text, out);
}

static size_t
soa_of(uint32_t serial, uint8_t *rdata)
{
	struct name mname, rname;
	name_from("ns1.company0.dns.invalid.", &mname);
	name_from("hostmaster.company0.dns.invalid.", &rname);
	memcpy(rdata, mname.bytes, mname.len);
	memcpy(rdata + mname.len, rname.bytes, rname.len);
	uint8_t *p = rdata + mname.len + rname.len;
	const uint32_t timers[] = {serial, 86400, 3600, 604800, 3600};
	for (unsigned i = 0; i < 5; i++)
		store_be32(p + 4 * i, timers[i]);
	return (size_t)(p - rdata) + 20;
}

/* -------- messages -------- */

struct writing {
	struct message_writer w;
	struct bench_octets *out;
	const struct bench_zone *zone;
	uint8_t message[TARGET_LEN];
};

static void
end_message(struct writing *x)
{
	struct bench_octets *o = x->out;
	if (o->cap - o->len < x->w.len + 2) {
		o->cap = o->cap ? o->cap * 2 : 1u << 20;
		o->bytes = need(realloc(o->bytes, o->cap));
	}
	store_be16(o->bytes + o->len, (uint16_t)x->w.len);
	memcpy(o->bytes + o->len + 2, x->message, x->w.len);
	o->len += x->w.len + 2;
	o->messages++;
	message_begin(&x->w, x->message, TARGET_LEN, 0, 0x8400);
}

static void
put(struct writing *x, const struct name *owner, uint16_t type, const uint8_t *rdata, size_t rdlen)
{
	const struct message_record r = {.owner = owner->bytes,
					 .rdata = rdata,
					 .ttl_s = TTL_S,
					 .type = type,
					 .rrclass = RRCLASS_IN,
					 .rdlen = (uint16_t)rdlen,
					 .section = MESSAGE_ANSWER};
	if (message_put(&x->w, &r))
		return;
	end_message(x);
	if (!message_put(&x->w, &r))
		abort();
}

static void
put_soa(struct writing *x, uint32_t serial)
{
	uint8_t rdata[512];
	put(x, &x->zone->apex, RRTYPE_SOA, rdata, soa_of(serial, rdata));
}

static void
put_ns(struct writing *x, uint32_t i, uint32_t version, unsigned which)
{
	struct name owner, ns;
	name_of(x->zone, i, &owner);
	ns_of(i, version, which, &ns);
	put(x, &owner, RRTYPE_NS, ns.bytes, ns.len);
}

static void
put_ds(struct writing *x, uint32_t i)
{
	struct name owner;
	uint8_t rdata[36] = {(uint8_t)(i >> 8), (uint8_t)i, 13, 2};
	name_of(x->zone, i, &owner);
	for (unsigned k = 4; k < sizeof(rdata); k += 4)
		store_be32(rdata + k, (i + k) * 2654435761u);
	put(x, &owner, RRTYPE_DS, rdata, sizeof(rdata));
}

static struct writing *
begin(const struct bench_zone *z, uint16_t qtype, struct bench_octets *out)
{
	struct writing *x = need(malloc(sizeof(*x)));
	x->zone = z;
	x->out = out;
	out->len = 0;
	out->messages = 0;
	message_begin(&x->w, x->message, TARGET_LEN, 0, 0x8400);
	if (!message_put_question(&x->w, &(struct message_question){z->apex.bytes, qtype, RRCLASS_IN}))
		abort();
	return x;
}

void
bench_zone_axfr(const struct bench_zone *z, struct bench_octets *out)
{
	struct writing *x = begin(z, RRTYPE_AXFR, out);
	struct name ns;
	put_soa(x, z->serial);
	name_from("ns1.company0.dns.invalid.", &ns);
	put(x, &z->apex, RRTYPE_NS, ns.bytes, ns.len);
	for (uint32_t i = 0; i < z->n; i++) {
		put_ns(x, i, z->changed[i], 0);
		put_ns(x, i, z->changed[i], 1);
		if (i % 3 == 0)
			put_ds(x, i);
	}
	put_soa(x, z->serial);
	end_message(x);
	free(x);
}

void
bench_zone_ixfr(const struct bench_zone *z, struct bench_octets *out)
{
	struct writing *x = begin(z, RRTYPE_IXFR, out);
	uint32_t first = z->first_changed;
	put_soa(x, z->serial);
	put_soa(x, z->previous);
	for (uint32_t i = first; i < first + z->n_changed; i++) /* only names that were never changed before */
		put_ns(x, i, 0, 0);
	put_soa(x, z->serial);
	for (uint32_t i = first; i < first + z->n_changed; i++)
		put_ns(x, i, z->serial, 0);
	put_soa(x, z->serial);
	end_message(x);
	free(x);
}

/* -------- the zone -------- */

void
bench_zone_begin(struct bench_zone *z, const char *origin, uint32_t n)
{
	*z = (struct bench_zone){.n = n, .serial = 1000, .changed = need(calloc(n, sizeof(uint32_t)))};
	name_from(origin, &z->apex);
}

void
bench_zone_change(struct bench_zone *z, uint32_t k)
{
	z->previous = z->serial++;
	z->first_changed += z->n_changed;
	if (z->first_changed + k > z->n) {
		fprintf(stderr, "there are no more names to change\n");
		exit(1);
	}
	z->n_changed = k;
	for (uint32_t i = z->first_changed; i < z->first_changed + k; i++)
		z->changed[i] = z->serial;
}

/* -------- single messages -------- */

static size_t
message(const struct bench_zone *z, uint16_t flags, const uint8_t *qname, uint16_t qtype, bool has_soa, uint16_t id,
	uint8_t *out)
{
	struct message_writer w;
	uint8_t rdata[512];
	message_begin(&w, out, 512, id, flags);
	bool fits = message_put_question(&w, &(struct message_question){qname, qtype, RRCLASS_IN});
	if (has_soa)
		fits = fits && message_put(&w, &(struct message_record){.owner = z->apex.bytes,
									.rdata = rdata,
									.ttl_s = TTL_S,
									.type = RRTYPE_SOA,
									.rrclass = RRCLASS_IN,
									.rdlen = (uint16_t)soa_of(z->serial, rdata),
									.section = MESSAGE_ANSWER});
	if (!fits)
		abort();
	return w.len;
}

size_t
bench_zone_soa(const struct bench_zone *z, uint16_t qtype, uint16_t id, uint8_t *out)
{
	return message(z, 0x8400, z->apex.bytes, qtype, true, id, out);
}

size_t
bench_zone_notify(const struct bench_zone *z, uint16_t id, uint8_t *out)
{
	return message(z, 0x2400, z->apex.bytes, RRTYPE_SOA, true, id, out);
}

size_t
bench_zone_question(const struct bench_zone *z, uint32_t i, uint16_t id, uint8_t *out)
{
	struct name qname;
	name_of(z, i, &qname);
	return message(z, 0, qname.bytes, RRTYPE_NS, false, id, out);
}
