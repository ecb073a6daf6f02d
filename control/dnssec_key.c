/* SPDX-License-Identifier: Apache-2.0 */
/* Public keys of DNSSEC. See dnssec_key.h. */
#include "control/dnssec_key.h"

#include <string.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

#include "zones/base/bytes.h"

/* IANA "DNS Security Algorithm Numbers". */
enum { RSASHA256 = 8, RSASHA512 = 10, ECDSAP256 = 13, ECDSAP384 = 14, ED25519 = 15, ED448 = 16 };

bool
dnssec_algorithm_is_known(uint8_t algorithm)
{
	return algorithm == RSASHA256 || algorithm == RSASHA512 || (algorithm >= ECDSAP256 && algorithm <= ED448);
}

/* RFC 4034 appendix B */
static uint16_t
key_tag(const uint8_t *rdata, size_t len)
{
	uint32_t sum = 0;
	for (size_t i = 0; i < len; i++)
		sum += i & 1 ? rdata[i] : (uint32_t)rdata[i] << 8;
	return (uint16_t)(sum + (sum >> 16));
}

/* A public key of `type` with these parameters; consumes the builder. */
static EVP_PKEY *
key_from_parameters(const char *type, OSSL_PARAM_BLD *bld)
{
	EVP_PKEY *key = NULL;
	OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(bld);
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	if (params == NULL || ctx == NULL || EVP_PKEY_fromdata_init(ctx) != 1 ||
	    EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
		key = NULL;
	EVP_PKEY_CTX_free(ctx);
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(bld);
	return key;
}

/* RFC 3110 section 2: length of the exponent in one octet, or in two behind a zero; exponent; modulus. */
static EVP_PKEY *
rsa_key(const uint8_t *p, size_t len)
{
	size_t head = 1, exponent_len = len != 0 ? p[0] : 0;
	if (len >= 3 && p[0] == 0) {
		head = 3;
		exponent_len = load_be16(p + 1);
	}
	if (exponent_len == 0 || head + exponent_len >= len)
		return NULL;
	BIGNUM *e = BN_bin2bn(p + head, (int)exponent_len, NULL);
	BIGNUM *n = BN_bin2bn(p + head + exponent_len, (int)(len - head - exponent_len), NULL);
	OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
	EVP_PKEY *key = NULL;
	if (e != NULL && n != NULL && bld != NULL && OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_N, n) == 1 &&
	    OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_E, e) == 1)
		key = key_from_parameters("RSA", bld);
	else
		OSSL_PARAM_BLD_free(bld);
	BN_free(e);
	BN_free(n);
	return key;
}

/* RFC 6605 section 4: the two coordinates; OpenSSL wants them as an uncompressed point. */
static EVP_PKEY *
ec_key(const char *group, size_t coordinate_len, const uint8_t *p, size_t len)
{
	uint8_t point[1 + 2 * 48] = {POINT_CONVERSION_UNCOMPRESSED};
	if (len != 2 * coordinate_len)
		return NULL;
	memcpy(point + 1, p, len);
	OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
	if (bld == NULL || OSSL_PARAM_BLD_push_utf8_string(bld, OSSL_PKEY_PARAM_GROUP_NAME, group, 0) != 1 ||
	    OSSL_PARAM_BLD_push_octet_string(bld, OSSL_PKEY_PARAM_PUB_KEY, point, 1 + len) != 1) {
		OSSL_PARAM_BLD_free(bld);
		return NULL;
	}
	return key_from_parameters("EC", bld);
}

static EVP_PKEY *
key_of(uint8_t algorithm, const uint8_t *p, size_t len)
{
	switch (algorithm) {
	case RSASHA256:
	case RSASHA512:
		return rsa_key(p, len);
	case ECDSAP256:
		return ec_key("P-256", 32, p, len);
	case ECDSAP384:
		return ec_key("P-384", 48, p, len);
	case ED25519:
		return EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, p, len);
	case ED448:
		return EVP_PKEY_new_raw_public_key(EVP_PKEY_ED448, NULL, p, len);
	default:
		return NULL;
	}
}

void
dnssec_key_read(struct dnssec_key *k, const uint8_t *rdata, size_t len)
{
	*k = (struct dnssec_key){
		.flags = load_be16(rdata),
		.tag = key_tag(rdata, len),
		.algorithm = rdata[3],
		.key = key_of(rdata[3], rdata + 4, len - 4),
	};
}

void
dnssec_key_clear(struct dnssec_key *k)
{
	EVP_PKEY_free(k->key);
	k->key = NULL;
}

/* RFC 6605 section 4: the two numbers, each as long as the group's; OpenSSL wants DER. Returns its length or 0. */
static size_t
ecdsa_to_der(const uint8_t *signature, size_t len, size_t number_len, uint8_t der[160])
{
	if (len != 2 * number_len)
		return 0;
	ECDSA_SIG *sig = ECDSA_SIG_new();
	BIGNUM *r = BN_bin2bn(signature, (int)number_len, NULL);
	BIGNUM *s = BN_bin2bn(signature + number_len, (int)number_len, NULL);
	int der_len = 0;
	if (sig != NULL && r != NULL && s != NULL && ECDSA_SIG_set0(sig, r, s) == 1) {
		der_len = i2d_ECDSA_SIG(sig, &der);
	} else {
		BN_free(r);
		BN_free(s);
	}
	ECDSA_SIG_free(sig);
	return der_len > 0 ? (size_t)der_len : 0;
}

static const EVP_MD *
hash_of(uint8_t algorithm)
{
	switch (algorithm) {
	case RSASHA256:
	case ECDSAP256:
		return EVP_sha256();
	case ECDSAP384:
		return EVP_sha384();
	case RSASHA512:
		return EVP_sha512();
	default:
		return NULL; /* Ed25519 and Ed448 bring their own */
	}
}

bool
dnssec_key_verifies(const struct dnssec_key *k, const uint8_t *data, size_t len, const uint8_t *signature,
		    size_t signature_len)
{
	uint8_t der[160]; /* two numbers of 48 octets and a few of DER */
	if (k->algorithm == ECDSAP256 || k->algorithm == ECDSAP384) {
		signature_len = ecdsa_to_der(signature, signature_len, k->algorithm == ECDSAP256 ? 32 : 48, der);
		signature = der;
	}
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool good = signature_len != 0 && ctx != NULL &&
		    EVP_DigestVerifyInit(ctx, NULL, hash_of(k->algorithm), NULL, k->key) == 1 &&
		    EVP_DigestVerify(ctx, signature, signature_len, data, len) == 1;
	EVP_MD_CTX_free(ctx);
	return good;
}
