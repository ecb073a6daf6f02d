/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates for tests. See tls_fixture.h. */
#include "tests/unit/control/tls_fixture.h"

#include "tests/unit/control/control_fixture.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

static FILE *
open_file(const char *file, const char *suffix, const char *mode)
{
	char path[100];
	snprintf(path, sizeof(path), "%s.%s", file, suffix);
	FILE *f = fopen(path, mode);
	assert_non_null(f);
	return f;
}

static X509 *
read_cert(const char *file)
{
	FILE *f = open_file(file, "pem", "r");
	X509 *cert = PEM_read_X509(f, NULL, NULL, NULL);
	fclose(f);
	assert_non_null(cert);
	return cert;
}

static EVP_PKEY *
read_key(const char *file)
{
	FILE *f = open_file(file, "key", "r");
	EVP_PKEY *key = PEM_read_PrivateKey(f, NULL, NULL, NULL);
	fclose(f);
	assert_non_null(key);
	return key;
}

static void
write_both(const char *file, X509 *cert, EVP_PKEY *key)
{
	FILE *f = open_file(file, "pem", "w");
	assert_int_equal(PEM_write_X509(f, cert), 1);
	fclose(f);
	f = open_file(file, "key", "w");
	assert_int_equal(PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL), 1);
	fclose(f);
}

static void
add_extension(X509 *cert, int nid, const char *value)
{
	X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
	assert_non_null(ext);
	assert_int_equal(X509_add_ext(cert, ext, -1), 1);
	X509_EXTENSION_free(ext);
}

static void
add_name(X509 *cert, const char *common_name)
{
	X509_NAME *name = X509_get_subject_name(cert);
	assert_int_equal(
		X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)common_name, -1, -1, 0),
		1);
}

void
tls_fixture_cert(const struct tls_fixture_cert *want)
{
	static long serial;
	bool default_time = !want->begin_s && !want->end_s;
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = X509_new();
	X509_set_version(cert, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), ++serial);
	X509_gmtime_adj(X509_getm_notBefore(cert), default_time ? -TLS_FIXTURE_DAY_S : want->begin_s);
	X509_gmtime_adj(X509_getm_notAfter(cert), default_time ? TLS_FIXTURE_DAY_S : want->end_s);
	X509_set_pubkey(cert, key);
	add_name(cert, want->file);
	if (want->names)
		add_extension(cert, NID_subject_alt_name, want->names);
	add_extension(cert, NID_basic_constraints, want->issuer ? "CA:FALSE" : "critical,CA:TRUE");
	X509 *issuer = want->issuer ? read_cert(want->issuer) : NULL;
	EVP_PKEY *issuer_key = want->issuer ? read_key(want->issuer) : NULL;
	X509_set_issuer_name(cert, X509_get_subject_name(issuer ? issuer : cert));
	assert_true(X509_sign(cert, issuer_key ? issuer_key : key, EVP_sha256()) > 0);
	write_both(want->file, cert, key);
	X509_free(issuer);
	EVP_PKEY_free(issuer_key);
	X509_free(cert);
	EVP_PKEY_free(key);
}

struct config_pin
tls_fixture_pin(const char *file)
{
	struct config_pin pin;
	X509 *cert = read_cert(file);
	unsigned len;
	uint8_t *der = NULL;
	int der_len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), &der);
	assert_true(der_len > 0);
	assert_int_equal(EVP_Digest(der, (size_t)der_len, pin.sha256, &len, EVP_sha256(), NULL), 1);
	OPENSSL_free(der);
	X509_free(cert);
	return pin;
}
