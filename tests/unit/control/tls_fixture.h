/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates for tests, made on the spot: a test of TLS is about whom one believes, and until when. */
#ifndef ANSER_TESTS_TLS_FIXTURE_H
#define ANSER_TESTS_TLS_FIXTURE_H

#include "control/config/config.h"

#define TLS_FIXTURE_DAY_S 86400L

struct tls_fixture_cert {
	const char *file;    /* FILE.pem and FILE.key are written in the working directory */
	const char *issuer;  /* file of an earlier one; NULL: signs itself, and may sign others */
	const char *names;   /* subjectAltName, such as "DNS:ns1.example"; NULL: none */
	long begin_s, end_s; /* from now; both 0: from yesterday until tomorrow */
};

/* Makes a key and a certificate; the test fails if that fails. */
void tls_fixture_cert(const struct tls_fixture_cert *want);

/* The pin of FILE.pem. */
struct config_pin tls_fixture_pin(const char *file);

#endif
