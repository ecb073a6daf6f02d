/* SPDX-License-Identifier: Apache-2.0 */
/* Validation of a zone by its own keys. See check_dnssec.h. Runs in anserctl. */
#include "control/check_dnssec.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "control/dnssec_key.h"
#include "zones/base/bytes.h"
#include "zones/store/collation.h"
#include "zones/wire/rdata.h"

struct check {
	const struct name *apex;
	int64_t now_s;
	struct diag_list *diag;
	struct dnssec_key *keys;
	unsigned n_keys;
	bool out_of_memory;
	uint8_t *data; /* what a signature is over, being made */
	size_t data_len, data_cap;
	uint8_t rdata[RDATA_MAX_LEN], signature[RDATA_MAX_LEN];
};

/* A set that is being judged. */
struct subject {
	const uint8_t *owner;
	const struct rrset *set;
};

/* RRSIG data (RFC 4034 section 3.1). */
struct signature {
	uint32_t original_ttl_s, expiration_s, inception_s;
	uint16_t tag;
	uint8_t algorithm, labels;
	size_t head_len; /* all in front of the signature itself */
	size_t len;
	const uint8_t *rdata; /* canonical */
};

static void PRINTF_LIKE(4, 5)
	fault(const struct check *c, enum diag_severity severity, const struct subject *s, const char *fmt, ...)
{
	char text[300], owner[NAME_TEXT_MAX], type[RRTYPE_TEXT_MAX];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	name_to_text(s->owner, owner);
	rrtype_to_text(s->set->type, type);
	diag_add(c->diag, severity, NULL, 0, 0, "%s %s: %s", owner, type, text);
}

/* -------- what was signed -------- */

static void
append(struct check *c, const void *p, size_t len)
{
	if (c->data_len + len > c->data_cap) {
		size_t cap = (c->data_len + len) * 2;
		uint8_t *bigger = realloc(c->data, cap);
		if (bigger == NULL) {
			c->out_of_memory = true;
			return;
		}
		c->data = bigger;
		c->data_cap = cap;
	}
	memcpy(c->data + c->data_len, p, len);
	c->data_len += len;
}

/* RFC 4034 section 3.1.8.1: the RRSIG without its signature, then the records in canonical form and order. */
static void
make_signed_data(struct check *c, const struct subject *s, const struct signature *sig)
{
	struct rrset_iter it;
	int len;
	c->data_len = 0;
	append(c, sig->rdata, sig->head_len);
	rrset_iter_init(&it, s->set, s->owner);
	while ((len = rrset_iter_next(&it, c->rdata)) >= 0) {
		uint8_t head[10];
		rdata_canonical(s->set->type, c->rdata, (size_t)len);
		store_be16(head, s->set->type);
		store_be16(head + 2, RRCLASS_IN);
		store_be32(head + 4, sig->original_ttl_s);
		store_be16(head + 8, (uint16_t)len);
		append(c, s->owner, name_len(s->owner));
		append(c, head, sizeof(head));
		append(c, c->rdata, (size_t)len);
	}
}

/* -------- one signature -------- */

static struct signature
read_signature(const uint8_t *rdata, size_t len)
{
	return (struct signature){
		.algorithm = rdata[2],
		.labels = rdata[3],
		.original_ttl_s = load_be32(rdata + 4),
		.expiration_s = load_be32(rdata + 8),
		.inception_s = load_be32(rdata + 12),
		.tag = load_be16(rdata + 16),
		.head_len = 18 + name_len(rdata + 18),
		.len = len,
		.rdata = rdata,
	};
}

/* Seconds from now to a time of a signature, which counts modulo 2^32 (RFC 4034 section 3.1.5). */
static int32_t
from_now(const struct check *c, uint32_t time_s)
{
	return (int32_t)(time_s - (uint32_t)c->now_s);
}

static const char *
time_text(const struct check *c, uint32_t time_s, char out[32])
{
	time_t whole = (time_t)(c->now_s + from_now(c, time_s));
	struct tm tm;
	gmtime_r(&whole, &tm);
	strftime(out, 32, "%Y-%m-%d %H:%M:%S UTC", &tm);
	return out;
}

/* Everything but the key and the signature itself. The first fault is told. */
static bool
fields_are_good(const struct check *c, const struct subject *s, const struct signature *sig)
{
	char when[32];
	unsigned labels = name_labels(s->owner) - (s->owner[0] == 1 && s->owner[1] == '*');
	const uint8_t *signer = sig->rdata + 18;
	if (!name_equal(signer, c->apex->bytes)) {
		char text[NAME_TEXT_MAX];
		name_to_text(signer, text);
		fault(c, DIAG_WARNING, s, "key %u: signed by %.200s, not by the zone", sig->tag, text);
	} else if (sig->labels != labels) {
		fault(c, DIAG_WARNING, s, "key %u: the signature counts %u labels, the owner has %u", sig->tag,
		      sig->labels, labels);
	} else if (from_now(c, sig->expiration_s) < 0) {
		fault(c, DIAG_WARNING, s, "key %u: the signature has expired on %s", sig->tag,
		      time_text(c, sig->expiration_s, when));
	} else if (from_now(c, sig->inception_s) > 0) {
		fault(c, DIAG_WARNING, s, "key %u: the signature holds from %s only", sig->tag,
		      time_text(c, sig->inception_s, when));
	} else {
		return true;
	}
	return false;
}

/* Tries all keys that have the tag: tags are no identity (RFC 4034 section 5.3.1 says so of DS, 4035 5.3.1 here).
 */
static bool
some_key_verifies(struct check *c, const struct subject *s, const struct signature *sig)
{
	bool has_key = false;
	for (unsigned i = 0; i < c->n_keys; i++) {
		const struct dnssec_key *k = &c->keys[i];
		if (k->tag != sig->tag || k->algorithm != sig->algorithm || !(k->flags & DNSSEC_KEY_ZONE) ||
		    k->key == NULL)
			continue;
		has_key = true;
		make_signed_data(c, s, sig);
		if (!c->out_of_memory && dnssec_key_verifies(k, c->data, c->data_len, sig->rdata + sig->head_len,
							     sig->len - sig->head_len))
			return true;
	}
	if (!dnssec_algorithm_is_known(sig->algorithm))
		fault(c, DIAG_WARNING, s, "key %u: algorithm %u is not supported", sig->tag, sig->algorithm);
	else if (!has_key)
		fault(c, DIAG_WARNING, s, "key %u, algorithm %u: the zone has no such key", sig->tag,
		      sig->algorithm);
	else
		fault(c, DIAG_WARNING, s, "key %u: the signature is wrong", sig->tag);
	return false;
}

static bool
signature_is_good(struct check *c, const struct subject *s, const struct signature *sig)
{
	if (rrset_ttl(s->set) > sig->original_ttl_s)
		fault(c, DIAG_WARNING, s, "key %u: the TTL %u is over the %u that was signed", sig->tag,
		      rrset_ttl(s->set), sig->original_ttl_s);
	return fields_are_good(c, s, sig) && some_key_verifies(c, s, sig);
}

/* -------- sets and names -------- */

static void
check_set(struct check *c, const uint8_t *owner, const struct rrset *set, const struct rrset *sigs)
{
	struct subject s = {.owner = owner, .set = set};
	unsigned n_good = 0;
	if (sigs == NULL) {
		fault(c, DIAG_ERROR, &s, "not signed");
		return;
	}
	struct rrset_iter it;
	int len;
	rrset_iter_init(&it, sigs, owner);
	while ((len = rrset_iter_next(&it, c->signature)) >= 0) {
		rdata_canonical(RRTYPE_RRSIG, c->signature, (size_t)len);
		struct signature sig = read_signature(c->signature, (size_t)len);
		n_good += signature_is_good(c, &s, &sig);
	}
	if (n_good == 0)
		fault(c, DIAG_ERROR, &s, "no good signature");
}

static void
check_name(struct check *c, const struct collation_name *name)
{
	if (name->nsec3 != NULL) {
		check_set(c, name->name, name->nsec3->set, name->nsec3->sigs);
		return;
	}
	const struct node *n = name->node;
	bool is_cut = n->entry.flags & NODE_CUT;
	if (n->entry.flags & NODE_BELOW)
		return;
	for (unsigned i = 0; i < node_set_count(n); i++) {
		uint16_t type = node_set_type(n->sets[i]);
		if (!node_word_is_set(n->sets[i]) || type == RRTYPE_RRSIG)
			continue;
		/* what is not the child's (RFC 4035 section 2.2) */
		if (!is_cut || type == RRTYPE_DS || type == RRTYPE_NSEC)
			check_set(c, name->name, node_set(n->sets[i]), node_find(n, type).sigs);
	}
}

/* -------- the zone -------- */

static int
read_keys(struct check *c, const struct snapshot *s)
{
	const struct rrset *set = node_find(s->apex, RRTYPE_DNSKEY).set;
	struct rrset_iter it;
	int len;
	if (set == NULL) {
		char apex[NAME_TEXT_MAX];
		name_to_text(c->apex->bytes, apex);
		diag_add(c->diag, DIAG_ERROR, NULL, 0, 0, "%s has no DNSKEY: the zone is not signed", apex);
		return -EINVAL;
	}
	c->keys = calloc(set->n_rr, sizeof(c->keys[0]));
	if (c->keys == NULL)
		return -ENOMEM;
	rrset_iter_init(&it, set, c->apex->bytes);
	while ((len = rrset_iter_next(&it, c->rdata)) >= 0)
		dnssec_key_read(&c->keys[c->n_keys++], c->rdata, (size_t)len);
	return 0;
}

int
check_dnssec(const struct snapshot *s, const struct name *apex, int64_t now_s, struct diag_list *diag)
{
	struct check c = {.apex = apex, .now_s = now_s, .diag = diag};
	unsigned errors_before = diag->n_errors;
	struct collation names = {0};
	int err = read_keys(&c, s);
	if (err == 0)
		err = collation_make(s, apex->bytes, &names);
	if (err == 0) {
		for (size_t i = 0; i < names.n && !c.out_of_memory; i++)
			check_name(&c, &names.names[i]);
		collation_free(&names);
	}
	for (unsigned i = 0; i < c.n_keys; i++)
		dnssec_key_clear(&c.keys[i]);
	free(c.keys);
	free(c.data);
	if (c.out_of_memory)
		return -ENOMEM;
	return err == 0 && diag->n_errors != errors_before ? -EINVAL : err;
}
