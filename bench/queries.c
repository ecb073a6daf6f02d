/* SPDX-License-Identifier: Apache-2.0 */
/* Queries for benches. See queries.h. */
#include "bench/queries.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "zones/base/bytes.h"
#include "zones/wire/query.h"
#include "zones/wire/rrtype.h"

static bool
asks_for_missing(enum bench_query_kind kind)
{
	return kind == BENCH_ASK_MISSING || kind == BENCH_ASK_MISSING_DNSSEC;
}

/* OPT with what the kind asks for: 1232 octets, DO, a client's cookie. Returns its length. */
static unsigned
make_opt(uint8_t *opt, enum bench_query_kind kind)
{
	static const uint8_t plain[11] = {0, 0, RRTYPE_OPT, 4, 208};
	static const uint8_t cookie[12] = {0, EDNS_COOKIE, 0, EDNS_CLIENT_COOKIE, 1, 2, 3, 4, 5, 6, 7, 8};
	memcpy(opt, plain, sizeof(plain));
	if (kind == BENCH_ASK_DNSSEC || kind == BENCH_ASK_MISSING_DNSSEC)
		opt[7] = 0x80;
	if (kind != BENCH_ASK_COOKIE)
		return sizeof(plain);
	opt[10] = sizeof(cookie);
	memcpy(opt + sizeof(plain), cookie, sizeof(cookie));
	return sizeof(plain) + sizeof(cookie);
}

static uint8_t
make_query(uint8_t *out, const struct name *qname, enum bench_query_kind kind)
{
	static const uint8_t header[DNS_HEADER_LEN] = {0, 0, 0, 0, 0, 1};
	static const uint8_t below[4] = {3, 'w', 'w', 'w'};
	memcpy(out, header, sizeof(header));
	uint8_t *p = out + sizeof(header);
	if (kind == BENCH_ASK_BELOW) {
		memcpy(p, below, sizeof(below));
		p += sizeof(below);
	}
	memcpy(p, qname->bytes, qname->len);
	p += qname->len;
	store_be16(p, RRTYPE_A);
	store_be16(p + 2, RRCLASS_IN);
	p += 4;
	if (kind >= BENCH_ASK_EDNS) {
		p += make_opt(p, kind);
		out[11] = 1;
	}
	return (uint8_t)(p - out);
}

int
bench_queries_make(struct bench_queries *q, enum bench_zone_kind zone, enum bench_query_kind kind, int64_t names)
{
	*q = (struct bench_queries){.at = malloc((size_t)BENCH_QUERIES * BENCH_QUERY_MAX),
				    .lens = malloc(BENCH_QUERIES)};
	if (q->at == NULL || q->lens == NULL) {
		bench_queries_free(q);
		return -ENOMEM;
	}
	uint64_t random = 1;
	for (uint32_t i = 0; i < BENCH_QUERIES; i++) {
		int64_t which = (int64_t)(bench_random(&random) % (uint64_t)names);
		struct name qname = bench_zone_name(zone, asks_for_missing(kind) ? names + which : which);
		q->lens[i] = make_query(q->at[i], &qname, kind);
	}
	return 0;
}

void
bench_queries_free(struct bench_queries *q)
{
	free(q->at);
	free(q->lens);
	*q = (struct bench_queries){0};
}
