/* SPDX-License-Identifier: Apache-2.0 */
/* What a TSIG's MAC is computed over (RFC 8945 section 4.3). See tsig_private.h. */
#include "control/tsig/tsig_private.h"

#include "zones/base/bytes.h"
#include "zones/wire/query.h"
#include "zones/wire/rrtype.h"

#define TIMERS_LEN (TSIG_TIME_LEN + 2)

EVP_MAC_CTX *
tsig_mac_new(const struct tsig_key *key)
{
	return EVP_MAC_CTX_dup(key->mac);
}

bool
tsig_mac_restart(EVP_MAC_CTX *ctx)
{
	return EVP_MAC_init(ctx, NULL, 0, NULL) == 1; /* without a key: with the one that it has */
}

bool
tsig_mac_add_mac(EVP_MAC_CTX *ctx, const struct tsig_mac *mac)
{
	uint8_t len[2] = {0, mac->len};
	return EVP_MAC_update(ctx, len, sizeof(len)) == 1 && EVP_MAC_update(ctx, mac->octets, mac->len) == 1;
}

bool
tsig_mac_add_message(EVP_MAC_CTX *ctx, const uint8_t *msg, const struct tsig_record *r)
{
	uint8_t header[DNS_HEADER_LEN];
	memcpy(header, msg, sizeof(header));
	store_be16(header, r->original_id);
	store_be16(header + 10, r->arcount);
	return EVP_MAC_update(ctx, header, sizeof(header)) == 1 &&
	       EVP_MAC_update(ctx, msg + sizeof(header), r->start - sizeof(header)) == 1;
}

static void
write_timers(const struct tsig_record *r, uint8_t out[TIMERS_LEN])
{
	tsig_time_write(r->time_s, out);
	store_be16(out + TSIG_TIME_LEN, r->fudge_s);
}

bool
tsig_mac_add_variables(EVP_MAC_CTX *ctx, const struct tsig_record *r)
{
	uint8_t fields[2 * NAME_MAX_LEN + 6 + TIMERS_LEN + 4], *p = fields;
	memcpy(p, r->key.bytes, r->key.len);
	p += r->key.len;
	store_be16(p, RRCLASS_ANY);
	store_be32(p + 2, 0); /* TTL */
	p += 6;
	memcpy(p, r->algorithm.bytes, r->algorithm.len);
	p += r->algorithm.len;
	write_timers(r, p);
	p += TIMERS_LEN;
	store_be16(p, r->error);
	store_be16(p + 2, r->other_len);
	p += 4;
	return EVP_MAC_update(ctx, fields, (size_t)(p - fields)) == 1 &&
	       (r->other_len == 0 || EVP_MAC_update(ctx, r->other, r->other_len) == 1);
}

bool
tsig_mac_add_timers(EVP_MAC_CTX *ctx, const struct tsig_record *r)
{
	uint8_t timers[TIMERS_LEN];
	write_timers(r, timers);
	return EVP_MAC_update(ctx, timers, sizeof(timers)) == 1;
}

bool
tsig_mac_final(EVP_MAC_CTX *ctx, struct tsig_mac *out)
{
	size_t len = 0;
	if (EVP_MAC_final(ctx, out->octets, &len, sizeof(out->octets)) != 1)
		return false;
	out->len = (uint8_t)len;
	return true;
}
