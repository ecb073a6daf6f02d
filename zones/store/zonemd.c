/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ZONEMD verification. See zonemd.h.
 *
 * The zone's names come sorted from a collation. Each name's sets are fed to the hash as RFC 8976 section 3.3.1
 * wants: by type, with the RRSIGs, which the node keeps beside what they cover, as one set in the place of their
 * own type. Builder threads.
 */
#include "zones/store/zonemd.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <openssl/evp.h>

#include "zones/base/bytes.h"
#include "zones/store/collation.h"
#include "zones/wire/rdata.h"

enum { SCHEME_SIMPLE = 1, HASH_SHA384 = 1, HASH_SHA512 = 2 }; /* RFC 8976 sections 5.2 and 5.3 */

/* -------- records into the hash -------- */

struct digester {
	EVP_MD_CTX *md;
	bool failed;
	uint8_t record[NAME_MAX_LEN + 10 + RDATA_MAX_LEN]; /* being made */
};

/* One set's records, one after the other, in canonical form. */
struct set_reader {
	struct rrset_iter it;
	int len; /* of the current record's data; < 0: past the last one */
	uint8_t rdata[RDATA_MAX_LEN];
};

static void
reader_next(struct set_reader *r)
{
	r->len = rrset_iter_next(&r->it, r->rdata);
	if (r->len > 0)
		rdata_canonical(r->it.set->type, r->rdata, (size_t)r->len);
}

static void
reader_init(struct set_reader *r, const struct rrset *set, const uint8_t *owner)
{
	rrset_iter_init(&r->it, set, owner);
	reader_next(r);
}

/* Canonical form (RFC 4034 section 6.2), with the TTL as it is in the zone. */
static void
digest_record(struct digester *d, const struct set_reader *r)
{
	unsigned owner_len = r->it.owner_len;
	uint8_t *head = d->record + owner_len;
	memcpy(d->record, r->it.owner, owner_len);
	store_be16(head, r->it.set->type);
	store_be16(head + 2, RRCLASS_IN);
	store_be32(head + 4, rrset_ttl(r->it.set));
	store_be16(head + 8, (uint16_t)r->len);
	memcpy(head + 10, r->rdata, (size_t)r->len);
	if (EVP_DigestUpdate(d->md, d->record, owner_len + 10u + (unsigned)r->len) != 1)
		d->failed = true;
}

static void
digest_set(struct digester *d, const struct rrset *set, const uint8_t *owner)
{
	struct set_reader r;
	for (reader_init(&r, set, owner); r.len >= 0; reader_next(&r))
		digest_record(d, &r);
}

/* Words of a node by what they hold. The signatures over nothing that is there stand first, alone. */
static bool
is_orphan_word(const struct node *n, unsigned i)
{
	return i == 0 && node_set_type(n->sets[0]) == RRTYPE_RRSIG;
}

/* The signatures, by the type that they cover: the first field of their data. `skipped` covers the apex ZONEMD. */
static void
digest_signatures(struct digester *d, const struct node *n, uint16_t skipped)
{
	unsigned count = node_set_count(n);
	struct set_reader orphans = {.len = -1};
	if (count != 0 && is_orphan_word(n, 0))
		reader_init(&orphans, node_set(n->sets[0]), node_name(n));
	for (unsigned i = 0; i <= count; i++) {
		bool is_end = i == count || !node_word_is_set(n->sets[i]);
		if (!is_end && (node_set_type(n->sets[i]) != RRTYPE_RRSIG || is_orphan_word(n, i)))
			continue;
		uint16_t covered = is_end ? UINT16_MAX : node_set_type(n->sets[i - 1]);
		for (; orphans.len >= 0 && load_be16(orphans.rdata) <= covered; reader_next(&orphans)) {
			if (load_be16(orphans.rdata) != skipped)
				digest_record(d, &orphans);
		}
		if (!is_end && covered != skipped)
			digest_set(d, node_set(n->sets[i]), node_name(n));
	}
}

/* The sets of a type from `from` to `to`, signatures apart. */
static void
digest_types(struct digester *d, const struct node *n, uint16_t from, uint16_t to, uint16_t skipped)
{
	for (unsigned i = 0; i < node_set_count(n); i++) {
		uint16_t type = node_set_type(n->sets[i]);
		if (node_word_is_set(n->sets[i]) && type >= from && type <= to && type != RRTYPE_RRSIG &&
		    type != skipped)
			digest_set(d, node_set(n->sets[i]), node_name(n));
	}
}

static void
digest_name(struct digester *d, const struct collation_name *z)
{
	if (z->nsec3 != NULL) { /* the lower type first */
		if (z->nsec3->sigs != NULL)
			digest_set(d, z->nsec3->sigs, z->name);
		digest_set(d, z->nsec3->set, z->name);
		return;
	}
	uint16_t skipped = z->node->entry.flags & NODE_APEX ? RRTYPE_ZONEMD : NODE_TAG_HASHES;
	digest_types(d, z->node, 1, RRTYPE_RRSIG - 1, skipped);
	digest_signatures(d, z->node, skipped);
	digest_types(d, z->node, RRTYPE_RRSIG + 1, UINT16_MAX, skipped);
}

static int
digest_zone(const struct collation *c, const EVP_MD *algorithm, uint8_t out[EVP_MAX_MD_SIZE])
{
	struct digester d = {.md = EVP_MD_CTX_new()};
	if (d.md == NULL)
		return -ENOMEM;
	d.failed = EVP_DigestInit_ex(d.md, algorithm, NULL) != 1;
	for (size_t i = 0; i < c->n && !d.failed; i++)
		digest_name(&d, &c->names[i]);
	if (!d.failed)
		d.failed = EVP_DigestFinal_ex(d.md, out, NULL) != 1;
	EVP_MD_CTX_free(d.md);
	return d.failed ? -EIO : 0;
}

/* -------- the verdict -------- */

/* One ZONEMD record (RFC 8976 section 2.2). */
struct zonemd {
	uint32_t serial;
	uint8_t scheme, hash;
	unsigned digest_len;
	uint8_t digest[EVP_MAX_MD_SIZE]; /* what is longer is cut: no algorithm of ours makes it */
};

static const EVP_MD *
zonemd_algorithm(const struct zonemd *z)
{
	if (z->scheme != SCHEME_SIMPLE)
		return NULL;
	return z->hash == HASH_SHA384 ? EVP_sha384() : z->hash == HASH_SHA512 ? EVP_sha512() : NULL;
}

static struct zonemd
zonemd_read(const struct set_reader *r)
{
	struct zonemd z = {.serial = load_be32(r->rdata),
			   .scheme = r->rdata[4],
			   .hash = r->rdata[5],
			   .digest_len = (unsigned)r->len - 6};
	memcpy(z.digest, r->rdata + 6, z.digest_len < sizeof(z.digest) ? z.digest_len : sizeof(z.digest));
	return z;
}

/* Is there another record of this scheme and algorithm? Then none of them counts (RFC 8976 section 4, step 4). */
static bool
is_repeated(const struct rrset *set, const uint8_t *apex, const struct zonemd *z)
{
	unsigned n = 0;
	struct set_reader r;
	for (reader_init(&r, set, apex); r.len >= 0; reader_next(&r))
		n += r.rdata[4] == z->scheme && r.rdata[5] == z->hash;
	return n > 1;
}

/* Judges one record. 0, or as zonemd_verify(). */
static int
judge(const struct collation *c, const uint8_t *apex, const struct rrset *set, const struct zonemd *z,
      enum zonemd_result *result, char why[ZONEMD_WHY_MAX])
{
	const EVP_MD *algorithm = zonemd_algorithm(z);
	const char *name = z->hash == HASH_SHA384 ? "SHA-384" : "SHA-512";
	uint8_t digest[EVP_MAX_MD_SIZE];
	*result = ZONEMD_BAD;
	if (algorithm == NULL) {
		*result = ZONEMD_UNSUPPORTED;
		snprintf(why, ZONEMD_WHY_MAX, "scheme %u with hash algorithm %u is not supported", z->scheme,
			 z->hash);
		return 0;
	}
	if (is_repeated(set, apex, z)) {
		snprintf(why, ZONEMD_WHY_MAX, "more than one digest of %s", name);
		return 0;
	}
	if (z->serial != c->snapshot->serial) {
		snprintf(why, ZONEMD_WHY_MAX, "the digest is of serial %u, the zone has %u", z->serial,
			 c->snapshot->serial);
		return 0;
	}
	int err = digest_zone(c, algorithm, digest);
	if (err != 0)
		return err;
	if (z->digest_len == (unsigned)EVP_MD_get_size(algorithm) && memcmp(z->digest, digest, z->digest_len) == 0)
		*result = ZONEMD_GOOD;
	snprintf(why, ZONEMD_WHY_MAX, "the %s digest %s", name,
		 *result == ZONEMD_GOOD ? "is right" : "is not that of the zone");
	return 0;
}

/* One good digest settles it; a bad one outweighs those that we cannot compute. */
static int
judge_all(const struct collation *c, const uint8_t *apex, const struct rrset *set, enum zonemd_result *result,
	  char why[ZONEMD_WHY_MAX])
{
	struct set_reader r;
	enum zonemd_result best = ZONEMD_UNSUPPORTED;
	bool is_first = true;
	for (reader_init(&r, set, apex); r.len >= 0 && best != ZONEMD_GOOD; reader_next(&r)) {
		struct zonemd z = zonemd_read(&r);
		enum zonemd_result one;
		char text[ZONEMD_WHY_MAX];
		int err = judge(c, apex, set, &z, &one, text);
		if (err != 0)
			return err;
		if (is_first || one == ZONEMD_GOOD || (one == ZONEMD_BAD && best == ZONEMD_UNSUPPORTED)) {
			best = one;
			memcpy(why, text, sizeof(text));
		}
		is_first = false;
	}
	*result = best;
	return 0;
}

int
zonemd_verify(const struct snapshot *s, const uint8_t *apex, enum zonemd_result *result, char why[ZONEMD_WHY_MAX])
{
	const struct rrset *set = s->apex != NULL ? node_find(s->apex, RRTYPE_ZONEMD).set : NULL;
	if (set == NULL) {
		*result = ZONEMD_ABSENT;
		snprintf(why, ZONEMD_WHY_MAX, "there is none");
		return 0;
	}
	struct collation c;
	int err = collation_make(s, apex, &c);
	if (err != 0)
		return err;
	char text[ZONEMD_WHY_MAX];
	err = judge_all(&c, apex, set, result, text);
	if (err == 0)
		memcpy(why, text, sizeof(text));
	collation_free(&c);
	return err;
}
