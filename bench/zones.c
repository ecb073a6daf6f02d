/* SPDX-License-Identifier: Apache-2.0 */
/* Zones for benches. See zones.h. */
#include "bench/zones.h"

#include <stdio.h>
#include <string.h>

#include "zones/base/bytes.h"
#include "zones/store/builder.h"
#include "zones/wire/nsec3.h"
#include "zones/wire/rrtype.h"

#define PROVIDERS 2000 /* pairs of name servers that the delegations of a TLD share */

uint64_t
bench_random(uint64_t *state)
{
	uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static struct name
name_of(const char *text)
{
	struct name n = {0};
	if (name_from_text(text, strlen(text), NULL, &n) != NAME_OK)
		__builtin_trap();
	return n;
}

static bool
is_tld(enum bench_zone_kind kind)
{
	return kind == BENCH_ZONE_TLD || kind == BENCH_ZONE_TLD_DS;
}

static const char *
apex_text(enum bench_zone_kind kind)
{
	return is_tld(kind) ? "example." : "flat.example.";
}

struct name
bench_zone_apex(enum bench_zone_kind kind)
{
	return name_of(apex_text(kind));
}

struct name
bench_zone_name(enum bench_zone_kind kind, int64_t i)
{
	char text[64];
	snprintf(text, sizeof(text), "n%ld.%s", (long)i, apex_text(kind));
	return name_of(text);
}

/* Where records go. */
struct sink {
	bench_zone_take *take;
	void *arg;
};

static int
add(const struct sink *to, const struct name *owner, uint16_t type, const void *rdata, unsigned len)
{
	return to->take(to->arg, owner, type, rdata, (uint16_t)len);
}

static int
fill_apex(const struct sink *to, const struct name *apex)
{
	struct name ns = name_of("ns.provider.test.");
	uint8_t soa[2 * NAME_MAX_LEN + 20];
	memcpy(soa, ns.bytes, ns.len);
	memcpy(soa + ns.len, ns.bytes, ns.len);
	for (unsigned i = 0; i < 5; i++)
		store_be32(soa + 2 * ns.len + 4 * i, 3600 + i);
	int err = add(to, apex, RRTYPE_SOA, soa, 2u * ns.len + 20);
	return err != 0 ? err : add(to, apex, RRTYPE_NS, ns.bytes, ns.len);
}

static int
fill_delegation(const struct sink *to, const struct name *owner, int64_t i)
{
	char text[64];
	uint64_t state = (uint64_t)i;
	uint64_t provider = bench_random(&state) % PROVIDERS;
	int err = 0;
	for (unsigned k = 1; k <= 2 && err == 0; k++) {
		snprintf(text, sizeof(text), "ns%u.provider%lu.test.", k, (unsigned long)provider);
		struct name ns = name_of(text);
		err = add(to, owner, RRTYPE_NS, ns.bytes, ns.len);
	}
	if (err != 0 || i % 10 != 0)
		return err;
	snprintf(text, sizeof(text), "ns.n%ld.example.", (long)i);
	struct name ns = name_of(text);
	uint8_t address[4];
	store_be32(address, (uint32_t)i);
	err = add(to, owner, RRTYPE_NS, ns.bytes, ns.len);
	return err != 0 ? err : add(to, &ns, RRTYPE_A, address, sizeof(address));
}

static int
add_ds(const struct sink *to, const struct name *owner, int64_t i)
{
	uint8_t rdata[36] = {(uint8_t)(i >> 8), (uint8_t)i, 13, 2};
	for (unsigned k = 4; k < sizeof(rdata); k += 4)
		store_be32(rdata + k, ((uint32_t)i + k) * 2654435761u);
	return add(to, owner, RRTYPE_DS, rdata, sizeof(rdata));
}

/* A signature by ECDSA P-256 over a set of `covered`. */
static int
add_signature(const struct sink *to, const struct name *owner, const struct name *apex, uint16_t covered)
{
	enum { SIGNATURE_LEN = 64 };
	uint8_t rdata[18 + NAME_MAX_LEN + SIGNATURE_LEN] = {0, 0, 13, 3};
	store_be16(rdata, covered);
	store_be32(rdata + 4, 3600);
	memcpy(rdata + 18, apex->bytes, apex->len);
	memcpy(rdata + 18 + apex->len, &owner->bytes, owner->len < SIGNATURE_LEN ? owner->len : SIGNATURE_LEN);
	return add(to, owner, RRTYPE_RRSIG, rdata, 18u + apex->len + SIGNATURE_LEN);
}

static int
add_nsec(const struct sink *to, const struct name *owner, const struct name *apex)
{
	static const uint8_t types[] = {0, 6, 0x40, 0, 0, 0, 0, 3}; /* A RRSIG NSEC */
	uint8_t rdata[NAME_MAX_LEN + sizeof(types)];
	memcpy(rdata, owner->bytes, owner->len);
	memcpy(rdata + owner->len, types, sizeof(types));
	int err = add(to, owner, RRTYPE_NSEC, rdata, owner->len + (unsigned)sizeof(types));
	return err != 0 ? err : add_signature(to, owner, apex, RRTYPE_NSEC);
}

static int
add_nsec3(const struct sink *to, const struct name *owner, const struct name *apex)
{
	static const struct nsec3_params params = {0};
	static const uint8_t types[] = {0, 6, 0x40, 0, 0, 0, 0, 2}; /* A RRSIG */
	uint8_t rdata[6 + NSEC3_HASH_LEN + sizeof(types)] = {1, 0, 0, 0, 0, NSEC3_HASH_LEN};
	struct name hashed = {.len = (uint8_t)(1 + NSEC3_LABEL_LEN + apex->len)};
	nsec3_hash(&params, owner->bytes, owner->len, rdata + 6);
	memcpy(rdata + 6 + NSEC3_HASH_LEN, types, sizeof(types));
	nsec3_label(rdata + 6, hashed.bytes);
	memcpy(hashed.bytes + 1 + NSEC3_LABEL_LEN, apex->bytes, apex->len);
	int err = add(to, &hashed, RRTYPE_NSEC3, rdata, sizeof(rdata));
	return err != 0 ? err : add_signature(to, &hashed, apex, RRTYPE_NSEC3);
}

/* What signing adds at a name that has a set of `type` already. */
static int
sign(enum bench_zone_kind kind, const struct sink *to, const struct name *owner, const struct name *apex,
     uint16_t type)
{
	int err = add_signature(to, owner, apex, type);
	if (err != 0)
		return err;
	return kind == BENCH_ZONE_NSEC ? add_nsec(to, owner, apex) : add_nsec3(to, owner, apex);
}

static int
sign_apex(enum bench_zone_kind kind, const struct sink *to, const struct name *apex)
{
	static const uint8_t dnskey[4 + 64] = {1, 1, 3, 13}, nsec3param[5] = {1};
	int err = add(to, apex, RRTYPE_DNSKEY, dnskey, sizeof(dnskey));
	if (err == 0 && kind == BENCH_ZONE_NSEC3)
		err = add(to, apex, RRTYPE_NSEC3PARAM, nsec3param, sizeof(nsec3param));
	return err != 0 ? err : sign(kind, to, apex, apex, RRTYPE_SOA);
}

static bool
is_signed(enum bench_zone_kind kind)
{
	return kind == BENCH_ZONE_NSEC || kind == BENCH_ZONE_NSEC3;
}

int
bench_zone_each(enum bench_zone_kind kind, int64_t names, bench_zone_take *take, void *arg)
{
	const struct sink sink = {take, arg}, *to = &sink;
	struct name apex = name_of(apex_text(kind));
	int err = fill_apex(to, &apex);
	if (err == 0 && is_signed(kind))
		err = sign_apex(kind, to, &apex);
	for (int64_t i = 0; i < names && err == 0; i++) {
		struct name owner = bench_zone_name(kind, i);
		uint8_t address[4];
		store_be32(address, (uint32_t)i);
		err = is_tld(kind) ? fill_delegation(to, &owner, i)
				   : add(to, &owner, RRTYPE_A, address, sizeof(address));
		if (err == 0 && kind == BENCH_ZONE_TLD_DS && i % 3 == 0)
			err = add_ds(to, &owner, i);
		if (err == 0 && is_signed(kind))
			err = sign(kind, to, &owner, &apex, RRTYPE_A);
	}
	return err;
}

static int
take_to_build(void *b, const struct name *owner, uint16_t type, const uint8_t *rdata, uint16_t rdlen)
{
	return zone_builder_add(b, owner, type, BENCH_ZONE_TTL_S, rdata, rdlen, NULL);
}

int
bench_zone_fill(enum bench_zone_kind kind, int64_t names, struct zone_builder *b)
{
	return bench_zone_each(kind, names, take_to_build, b);
}

static struct snapshot *
build(enum bench_zone_kind kind, int64_t names, const struct name *apex)
{
	struct zone_builder *b = zone_builder_new(apex);
	if (b == NULL)
		return NULL;
	if (bench_zone_fill(kind, names, b) != 0) {
		zone_builder_abort(b);
		return NULL;
	}
	struct diag_list diag = {0};
	struct snapshot *s = NULL;
	if (zone_builder_finish(b, &diag, &s) != 0)
		diag_print(&diag, stderr);
	diag_clear(&diag);
	return s;
}

const struct bench_zone *
bench_zone(enum bench_zone_kind kind, int64_t names)
{
	static struct bench_zone kept;
	if (kept.set != NULL && kept.kind == kind && kept.names == names)
		return &kept;
	zone_set_free(kept.set);
	zone_free(kept.zone);
	kept = (struct bench_zone){.kind = kind, .names = names};

	struct name apex = name_of(apex_text(kind));
	struct snapshot *s = build(kind, names, &apex);
	kept.zone = zone_new(apex.bytes);
	if (s == NULL || kept.zone == NULL)
		return NULL;
	(void)!zone_publish(kept.zone, s);
	struct answer_config config = {.udp_payload = 1232, .n_cookie_secrets = 1};
	kept.set = zone_set_new(&kept.zone, 1, &config);
	return kept.set != NULL ? &kept : NULL;
}
