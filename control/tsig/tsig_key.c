/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TSIG keys. See tsig.h.
 *
 * Each key is prepared once: OpenSSL hashes the secret into an HMAC that is copied for each message. The keys of a
 * set are sorted by name, so that finding one takes as many comparisons as its count has bits, whatever names a
 * stranger asks for. Holds are counted, because a transfer may outlive the configuration that it began with.
 */
#include "control/tsig/tsig_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/err.h>

struct tsig_keys {
	unsigned n;
	struct tsig_key *sorted[]; /* by name */
};

/* In the order of enum config_algorithm; names from section 6. */
static const struct tsig_algorithm algorithms[] = {
	[CONFIG_HMAC_SHA1] = {{.len = 11, .bytes = "\011hmac-sha1"}, "SHA1", 20},
	[CONFIG_HMAC_SHA224] = {{.len = 13, .bytes = "\013hmac-sha224"}, "SHA224", 28},
	[CONFIG_HMAC_SHA256] = {{.len = 13, .bytes = "\013hmac-sha256"}, "SHA256", 32},
	[CONFIG_HMAC_SHA384] = {{.len = 13, .bytes = "\013hmac-sha384"}, "SHA384", 48},
	[CONFIG_HMAC_SHA512] = {{.len = 13, .bytes = "\013hmac-sha512"}, "SHA512", TSIG_MAC_MAX},
};

/*
 * Why OpenSSL gave nothing, by its list of errors, which is emptied. Where it could not even note one, it was out
 * of memory.
 */
static int
why_not(void)
{
	bool is_missing = false, is_memory = false;
	for (unsigned long e; (e = ERR_get_error()) != 0;) {
		is_missing |= ERR_GET_REASON(e) == ERR_R_UNSUPPORTED;
		is_memory |= ERR_GET_REASON(e) == ERR_R_MALLOC_FAILURE;
	}
	return is_missing && !is_memory ? -ENOTSUP : -ENOMEM;
}

/* A context that knows algorithm and secret; NULL where OpenSSL does not offer it, or has no memory. */
static EVP_MAC_CTX *
prepare(EVP_MAC *hmac, const struct config_key *from)
{
	char digest[16];
	snprintf(digest, sizeof(digest), "%s", algorithms[from->algorithm].digest);
	OSSL_PARAM params[] = {OSSL_PARAM_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0), OSSL_PARAM_END};
	EVP_MAC_CTX *ctx = EVP_MAC_CTX_new(hmac);
	if (ctx != NULL && EVP_MAC_init(ctx, from->secret, from->secret_len, params) == 1)
		return ctx;
	EVP_MAC_CTX_free(ctx);
	return NULL;
}

static int
key_new(EVP_MAC *hmac, const struct config_key *from, enum tsig_truncation truncation, struct tsig_key **out,
	struct diag_list *diag)
{
	const struct tsig_algorithm *algorithm = &algorithms[from->algorithm];
	struct tsig_key *key = calloc(1, sizeof(*key));
	if (key == NULL)
		return -ENOMEM;
	key->mac = prepare(hmac, from);
	if (key->mac == NULL) {
		free(key);
		int rc = why_not();
		if (rc == -ENOTSUP)
			diag_add(diag, DIAG_ERROR, NULL, 0, 0, "key %s: OpenSSL does not offer HMAC with %s",
				 from->id, algorithm->digest);
		return rc;
	}
	key->name = from->name;
	key->algorithm = algorithm;
	key->takes_truncated = truncation == TSIG_TRUNCATION_ALLOWED;
	atomic_init(&key->n_holds, 1);
	*out = key;
	return 0;
}

static int
compare_keys(const void *a, const void *b)
{
	const struct tsig_key *const *x = a, *const *y = b;
	return name_compare((*x)->name.bytes, (*y)->name.bytes);
}

static int
compare_name(const void *name, const void *member)
{
	const struct tsig_key *const *key = member;
	return name_compare(((const struct name *)name)->bytes, (*key)->name.bytes);
}

int
tsig_keys_new(const struct config_key *keys, unsigned n, enum tsig_truncation truncation, struct tsig_keys **out,
	      struct diag_list *diag)
{
	struct tsig_keys *set = calloc(1, sizeof(*set) + n * sizeof(set->sorted[0]));
	int rc = 0;
	if (set == NULL)
		return -ENOMEM;
	ERR_clear_error();
	EVP_MAC *hmac = EVP_MAC_fetch(NULL, OSSL_MAC_NAME_HMAC, NULL);
	if (hmac == NULL) {
		rc = why_not();
		diag_add(diag, DIAG_ERROR, NULL, 0, 0, "OpenSSL gives no HMAC: %s", strerror(-rc));
	}
	for (unsigned i = 0; i < n && rc == 0; i++) {
		rc = key_new(hmac, &keys[i], truncation, &set->sorted[i], diag);
		set->n += rc == 0;
	}
	EVP_MAC_free(hmac);
	if (rc != 0) {
		tsig_keys_free(set);
		return rc;
	}
	qsort(set->sorted, n, sizeof(set->sorted[0]), compare_keys);
	*out = set;
	return 0;
}

void
tsig_keys_free(struct tsig_keys *keys)
{
	for (unsigned i = 0; keys != NULL && i < keys->n; i++)
		tsig_key_release(keys->sorted[i]);
	free(keys);
}

const struct tsig_key *
tsig_keys_find(const struct tsig_keys *keys, const struct name *name)
{
	struct tsig_key *const *found = bsearch(name, keys->sorted, keys->n, sizeof(keys->sorted[0]), compare_name);
	return found != NULL ? *found : NULL;
}

/* Everybody sees keys as constant; how often they are held is no part of what they see. */
static struct tsig_key *
counted(const struct tsig_key *key)
{
	return (struct tsig_key *)(uintptr_t)key;
}

const struct tsig_key *
tsig_key_hold(const struct tsig_key *key)
{
	atomic_fetch_add_explicit(&counted(key)->n_holds, 1, memory_order_relaxed);
	return key;
}

void
tsig_key_release(const struct tsig_key *key)
{
	if (key == NULL || atomic_fetch_sub_explicit(&counted(key)->n_holds, 1, memory_order_acq_rel) != 1)
		return;
	EVP_MAC_CTX_free(key->mac); /* wipes the secret */
	free(counted(key));
}

const struct name *
tsig_key_name(const struct tsig_key *key)
{
	return &key->name;
}

size_t
tsig_key_room(const struct tsig_key *key)
{
	struct tsig_record r = {.mac_len = key->algorithm->mac_len};
	return tsig_record_len(&r) + key->name.len + key->algorithm->name.len;
}
