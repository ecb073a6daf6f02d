/* SPDX-License-Identifier: Apache-2.0 */
/* Zones for benches. See zones.h. */
#include "bench/zones.h"

#include <stdio.h>
#include <string.h>

#include "zones/base/bytes.h"
#include "zones/store/builder.h"
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

static const char *
apex_text(enum bench_zone_kind kind)
{
	return kind == BENCH_ZONE_FLAT ? "flat.example." : "example.";
}

struct name
bench_zone_name(enum bench_zone_kind kind, int64_t i)
{
	char text[64];
	snprintf(text, sizeof(text), "n%ld.%s", (long)i, apex_text(kind));
	return name_of(text);
}

static int
add(struct zone_builder *b, const struct name *owner, uint16_t type, const void *rdata, unsigned len)
{
	return zone_builder_add(b, owner, type, 3600, rdata, (uint16_t)len, NULL);
}

static int
fill_apex(struct zone_builder *b, const struct name *apex)
{
	struct name ns = name_of("ns.provider.test.");
	uint8_t soa[2 * NAME_MAX_LEN + 20];
	memcpy(soa, ns.bytes, ns.len);
	memcpy(soa + ns.len, ns.bytes, ns.len);
	for (unsigned i = 0; i < 5; i++)
		store_be32(soa + 2 * ns.len + 4 * i, 3600 + i);
	int err = add(b, apex, RRTYPE_SOA, soa, 2u * ns.len + 20);
	return err != 0 ? err : add(b, apex, RRTYPE_NS, ns.bytes, ns.len);
}

static int
fill_delegation(struct zone_builder *b, const struct name *owner, int64_t i)
{
	char text[64];
	uint64_t state = (uint64_t)i;
	uint64_t provider = bench_random(&state) % PROVIDERS;
	int err = 0;
	for (unsigned k = 1; k <= 2 && err == 0; k++) {
		snprintf(text, sizeof(text), "ns%u.provider%lu.test.", k, (unsigned long)provider);
		struct name ns = name_of(text);
		err = add(b, owner, RRTYPE_NS, ns.bytes, ns.len);
	}
	if (err != 0 || i % 10 != 0)
		return err;
	snprintf(text, sizeof(text), "ns.n%ld.example.", (long)i);
	struct name ns = name_of(text);
	uint8_t address[4];
	store_be32(address, (uint32_t)i);
	err = add(b, owner, RRTYPE_NS, ns.bytes, ns.len);
	return err != 0 ? err : add(b, &ns, RRTYPE_A, address, sizeof(address));
}

int
bench_zone_fill(enum bench_zone_kind kind, int64_t names, struct zone_builder *b)
{
	struct name apex = name_of(apex_text(kind));
	int err = fill_apex(b, &apex);
	for (int64_t i = 0; i < names && err == 0; i++) {
		struct name owner = bench_zone_name(kind, i);
		uint8_t address[4];
		store_be32(address, (uint32_t)i);
		err = kind == BENCH_ZONE_FLAT ? add(b, &owner, RRTYPE_A, address, sizeof(address))
					      : fill_delegation(b, &owner, i);
	}
	return err;
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
	struct answer_config config = {.udp_payload = 1232};
	kept.set = zone_set_new(&kept.zone, 1, &config);
	return kept.set != NULL ? &kept : NULL;
}
