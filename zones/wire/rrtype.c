/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The record-type table. The rows stand in the order of the types' numbers: rrtype_row() counts on it.
 */
#include "zones/wire/rrtype.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "zones/base/diag.h"
#include "zones/wire/rdata_fields.h"

#define FIELDS(...) ((const uint8_t[]){__VA_ARGS__, RDF_END})

#define ROW(number, text, row_flags, ...)                                                                          \
	{                                                                                                          \
		.type = number, .mnemonic = text, .flags = row_flags, .fields = FIELDS(__VA_ARGS__)                \
	}
#define ROW_TARGET(number, text, row_flags, ...)                                                                   \
	{                                                                                                          \
		.type = number, .mnemonic = text, .flags = row_flags, .additional = ADDITIONAL_ADDRESSES,          \
		.fields = FIELDS(__VA_ARGS__)                                                                      \
	}
#define ROW_META(number, text)                                                                                     \
	{                                                                                                          \
		.type = number, .mnemonic = text, .flags = RRTYPE_META                                             \
	}

#define DS_FIELDS RDF_U16, RDF_ALGORITHM, RDF_DIGEST_TYPE, RDF_DIGEST
#define KEY_FIELDS RDF_U16, RDF_U8, RDF_ALGORITHM
#define SIG_FIELDS RDF_TYPE, RDF_ALGORITHM, RDF_U8, RDF_PERIOD, RDF_TIME, RDF_TIME, RDF_U16

static const struct rrtype_row rows[] = {
	ROW(1, "A", 0, RDF_IP4),
	ROW_TARGET(2, "NS", 0, RDF_NAME_BASIC),
	ROW(3, "MD", RRTYPE_OBSOLETE, RDF_NAME_BASIC),
	ROW(4, "MF", RRTYPE_OBSOLETE, RDF_NAME_BASIC),
	ROW(5, "CNAME", RRTYPE_SINGLETON, RDF_NAME_BASIC),
	ROW(6, "SOA", RRTYPE_SINGLETON, RDF_NAME_BASIC, RDF_NAME_BASIC, RDF_U32, RDF_PERIOD, RDF_PERIOD, RDF_PERIOD,
	    RDF_PERIOD),
	ROW(7, "MB", RRTYPE_OBSOLETE, RDF_NAME_BASIC),
	ROW(8, "MG", RRTYPE_OBSOLETE, RDF_NAME_BASIC),
	ROW(9, "MR", RRTYPE_OBSOLETE, RDF_NAME_BASIC),
	ROW(10, "NULL", RRTYPE_OBSOLETE, RDF_OPAQUE),
	ROW(11, "WKS", RRTYPE_OBSOLETE, RDF_IP4, RDF_WKS),
	ROW(12, "PTR", 0, RDF_NAME_BASIC),
	ROW(13, "HINFO", 0, RDF_STRING, RDF_STRING),
	ROW(14, "MINFO", RRTYPE_OBSOLETE, RDF_NAME_BASIC, RDF_NAME_BASIC),
	ROW_TARGET(15, "MX", 0, RDF_U16, RDF_NAME_BASIC),
	ROW(16, "TXT", 0, RDF_STRINGS),
	ROW(17, "RP", 0, RDF_NAME_OLD, RDF_NAME_OLD),
	ROW_TARGET(18, "AFSDB", 0, RDF_U16, RDF_NAME_OLD),
	ROW(19, "X25", RRTYPE_OBSOLETE, RDF_PSDN),
	ROW(20, "ISDN", RRTYPE_OBSOLETE, RDF_STRING, RDF_STRING_OPT),
	ROW_TARGET(21, "RT", RRTYPE_OBSOLETE, RDF_U16, RDF_NAME_OLD),
	ROW(22, "NSAP", RRTYPE_OBSOLETE, RDF_NSAP),
	ROW(23, "NSAP-PTR", RRTYPE_OBSOLETE, RDF_NAME),
	ROW(24, "SIG", RRTYPE_OBSOLETE, SIG_FIELDS, RDF_NAME_OLD, RDF_BASE64),
	ROW(25, "KEY", RRTYPE_OBSOLETE, KEY_FIELDS, RDF_BASE64_OPT),
	ROW(26, "PX", RRTYPE_OBSOLETE, RDF_U16, RDF_NAME_OLD, RDF_NAME_OLD),
	ROW(27, "GPOS", RRTYPE_OBSOLETE, RDF_STRING, RDF_STRING, RDF_STRING),
	ROW(28, "AAAA", 0, RDF_IP6),
	ROW(29, "LOC", 0, RDF_LOC),
	ROW(30, "NXT", RRTYPE_OBSOLETE, RDF_NAME_OLD, RDF_NXT),
	ROW(31, "EID", RRTYPE_OBSOLETE, RDF_HEX),
	ROW(32, "NIMLOC", RRTYPE_OBSOLETE, RDF_HEX),
	ROW_TARGET(33, "SRV", 0, RDF_U16, RDF_U16, RDF_U16, RDF_NAME_OLD),
	ROW(34, "ATMA", RRTYPE_OBSOLETE, RDF_ATMA),
	ROW(35, "NAPTR", 0, RDF_U16, RDF_U16, RDF_STRING, RDF_STRING, RDF_STRING, RDF_NAME_OLD),
	ROW_TARGET(36, "KX", 0, RDF_U16, RDF_NAME_OLD),
	ROW(37, "CERT", 0, RDF_CERT_TYPE, RDF_U16, RDF_ALGORITHM, RDF_BASE64),
	ROW(38, "A6", RRTYPE_OBSOLETE, RDF_A6),
	ROW(39, "DNAME", RRTYPE_SINGLETON, RDF_NAME_OLD),
	ROW(40, "SINK", RRTYPE_OBSOLETE, RDF_U8, RDF_U8, RDF_U8, RDF_BASE64_OPT),
	ROW_META(41, "OPT"),
	ROW(42, "APL", 0, RDF_APL),
	ROW(43, "DS", 0, DS_FIELDS),
	ROW(44, "SSHFP", 0, RDF_U8, RDF_U8, RDF_HEX),
	ROW(45, "IPSECKEY", 0, RDF_U8, RDF_IPSEC_GATEWAY, RDF_BASE64_OPT),
	ROW(46, "RRSIG", 0, SIG_FIELDS, RDF_NAME_LOWER, RDF_BASE64),
	ROW(47, "NSEC", 0, RDF_NAME, RDF_BITMAP),
	ROW(48, "DNSKEY", 0, KEY_FIELDS, RDF_BASE64),
	ROW(49, "DHCID", 0, RDF_BASE64),
	ROW(50, "NSEC3", 0, RDF_U8, RDF_U8, RDF_U16, RDF_SALT, RDF_HASH, RDF_BITMAP_OPT),
	ROW(51, "NSEC3PARAM", 0, RDF_U8, RDF_U8, RDF_U16, RDF_SALT),
	ROW(52, "TLSA", 0, RDF_U8, RDF_U8, RDF_U8, RDF_HEX),
	ROW(53, "SMIMEA", 0, RDF_U8, RDF_U8, RDF_U8, RDF_HEX),
	ROW(55, "HIP", 0, RDF_HIP, RDF_NAMES),
	ROW(56, "NINFO", 0, RDF_STRINGS),
	ROW(57, "RKEY", 0, KEY_FIELDS, RDF_BASE64),
	ROW(58, "TALINK", 0, RDF_NAME, RDF_NAME),
	ROW(59, "CDS", 0, DS_FIELDS),
	ROW(60, "CDNSKEY", 0, KEY_FIELDS, RDF_BASE64),
	ROW(61, "OPENPGPKEY", 0, RDF_BASE64),
	ROW(62, "CSYNC", 0, RDF_U32, RDF_U16, RDF_BITMAP_OPT),
	ROW(63, "ZONEMD", 0, RDF_U32, RDF_U8, RDF_U8, RDF_ZONE_DIGEST),
	ROW_TARGET(64, "SVCB", 0, RDF_U16, RDF_NAME, RDF_SVCB),
	ROW_TARGET(65, "HTTPS", 0, RDF_U16, RDF_NAME, RDF_SVCB),
	ROW(66, "DSYNC", 0, RDF_TYPE, RDF_SCHEME, RDF_U16, RDF_NAME),
	ROW(67, "HHIT", 0, RDF_BASE64),
	ROW(68, "BRID", 0, RDF_BASE64),
	ROW(99, "SPF", RRTYPE_OBSOLETE, RDF_STRINGS),
	ROW(100, "UINFO", RRTYPE_OBSOLETE, RDF_OPAQUE),
	ROW(101, "UID", RRTYPE_OBSOLETE, RDF_OPAQUE),
	ROW(102, "GID", RRTYPE_OBSOLETE, RDF_OPAQUE),
	ROW(103, "UNSPEC", RRTYPE_OBSOLETE, RDF_OPAQUE),
	ROW(104, "NID", 0, RDF_U16, RDF_LOCATOR),
	ROW(105, "L32", 0, RDF_U16, RDF_IP4),
	ROW(106, "L64", 0, RDF_U16, RDF_LOCATOR),
	ROW(107, "LP", 0, RDF_U16, RDF_NAME),
	ROW(108, "EUI48", 0, RDF_EUI48),
	ROW(109, "EUI64", 0, RDF_EUI64),
	ROW_META(128, "NXNAME"),
	ROW_META(249, "TKEY"),
	ROW_META(250, "TSIG"),
	ROW_META(251, "IXFR"),
	ROW_META(252, "AXFR"),
	ROW_META(253, "MAILB"),
	ROW_META(254, "MAILA"),
	ROW_META(255, "ANY"),
	ROW(256, "URI", 0, RDF_U16, RDF_U16, RDF_URI),
	ROW(257, "CAA", 0, RDF_U8, RDF_TAG, RDF_TEXT),
	ROW(258, "AVC", 0, RDF_STRINGS),
	ROW(259, "DOA", 0, RDF_U32, RDF_U32, RDF_U8, RDF_STRING, RDF_BASE64_DASH),
	ROW(260, "AMTRELAY", 0, RDF_U8, RDF_AMT_RELAY),
	ROW(261, "RESINFO", 0, RDF_STRINGS),
	ROW(262, "WALLET", 0, RDF_STRINGS),
	ROW(263, "CLA", 0, RDF_STRINGS),
	ROW(264, "IPN", 0, RDF_U64),
	ROW(32768, "TA", 0, DS_FIELDS),
	ROW(32769, "DLV", RRTYPE_OBSOLETE, DS_FIELDS),
};

const struct rrtype_row *
rrtype_rows(unsigned *n)
{
	*n = ARRAY_LEN(rows);
	return rows;
}

const struct rrtype_row *
rrtype_row(uint16_t type)
{
	unsigned low = 0, high = ARRAY_LEN(rows);

	/* No number is missing below HIP, and nearly every record is of such a type. */
	if (likely(type - 1u < high && rows[type - 1u].type == type))
		return &rows[type - 1u];
	while (low < high) {
		unsigned middle = (low + high) / 2;
		if (rows[middle].type < type)
			low = middle + 1;
		else
			high = middle;
	}
	return low < ARRAY_LEN(rows) && rows[low].type == type ? &rows[low] : NULL;
}

/* The decimal number behind a prefix, as in TYPE65280 and CLASS32. */
static bool
number_behind(const char *prefix, const char *text, size_t len, uint16_t *number)
{
	size_t n = strlen(prefix);
	unsigned v = 0;

	if (len <= n || len > n + 5 || strncasecmp(text, prefix, n) != 0)
		return false;
	for (size_t i = n; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		v = v * 10 + (unsigned)(text[i] - '0');
	}
	*number = (uint16_t)v;
	return v <= UINT16_MAX;
}

bool
rrtype_is_meta(uint16_t type)
{
	const struct rrtype_row *row = rrtype_row(type);
	return type == 0 || (type >= 128 && type <= 255) || (row != NULL && (row->flags & RRTYPE_META));
}

int
rrtype_from_text(const char *text, size_t len, uint16_t *type)
{
	char upper[sizeof(rows[0].mnemonic)] = {0};

	if (len == 0)
		return -ENOENT;
	for (size_t i = 0; len < sizeof(upper) && i < len; i++)
		upper[i] = (char)(text[i] - ((uint8_t)(text[i] - 'a') < 26 ? 32 : 0));
	/* Padded to one width, so that a comparison is a few instructions; the types of everyday use come early. */
	for (unsigned i = 0; upper[0] != '\0' && i < ARRAY_LEN(rows); i++) {
		if (memcmp(upper, rows[i].mnemonic, sizeof(upper)) == 0) {
			*type = rows[i].type;
			return 0;
		}
	}
	return number_behind("TYPE", text, len, type) ? 0 : -ENOENT;
}

size_t
rrtype_to_text(uint16_t type, char out[RRTYPE_TEXT_MAX])
{
	const struct rrtype_row *row = rrtype_row(type);

	if (row == NULL)
		return (size_t)snprintf(out, RRTYPE_TEXT_MAX, "TYPE%u", type);
	memcpy(out, row->mnemonic, sizeof(row->mnemonic));
	return strlen(out);
}

int
rrclass_from_text(const char *text, size_t len, uint16_t *rrclass)
{
	static const struct {
		char text[5];
		uint16_t rrclass;
	} classes[] = {{"IN", RRCLASS_IN},
		       {"CH", RRCLASS_CH},
		       {"HS", RRCLASS_HS},
		       {"NONE", RRCLASS_NONE},
		       {"ANY", RRCLASS_ANY}};

	for (unsigned i = 0; i < ARRAY_LEN(classes); i++) {
		if (len == strlen(classes[i].text) && strncasecmp(text, classes[i].text, len) == 0) {
			*rrclass = classes[i].rrclass;
			return 0;
		}
	}
	return number_behind("CLASS", text, len, rrclass) ? 0 : -ENOENT;
}

const char *
rrtype_nearest(const char *text, size_t len)
{
	const char *candidates[ARRAY_LEN(rows) + 1];
	char word[sizeof(rows[0].mnemonic) * 2] = "";

	if (len >= sizeof(word))
		return NULL;
	for (size_t i = 0; i < len; i++)
		word[i] = (char)(text[i] - ((uint8_t)(text[i] - 'a') < 26 ? 32 : 0));
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++)
		candidates[i] = rows[i].mnemonic;
	candidates[ARRAY_LEN(rows)] = NULL;
	return diag_nearest(word, candidates);
}
