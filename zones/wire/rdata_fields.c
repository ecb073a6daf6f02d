/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The field table: what can be done with each kind of field.
 */
#include "zones/wire/rdata_fields.h"

#define FIXED(octets, reader, shower)                                                                              \
	{                                                                                                          \
		.width = octets, .read = rdata_read_##reader, .show = rdata_show_##shower                          \
	}
#define FIELD(reader, shower, checker, ...)                                                                        \
	{                                                                                                          \
		.read = rdata_read_##reader, .show = rdata_show_##shower, .check = rdata_check_##checker,          \
		__VA_ARGS__                                                                                        \
	}

const struct rdata_field_row rdata_field_rows[RDF_COUNT] = {
	[RDF_U8] = FIXED(1, u8, u8),
	[RDF_U16] = FIXED(2, u16, u16),
	[RDF_U32] = FIXED(4, u32, u32),
	[RDF_U64] = FIXED(8, u64, u64),
	[RDF_PERIOD] = FIXED(4, period, u32),
	[RDF_TIME] = FIXED(4, time, time),
	[RDF_TYPE] = FIXED(2, type, type),
	[RDF_ALGORITHM] = FIXED(1, algorithm, u8),
	[RDF_DIGEST_TYPE] = FIXED(1, digest_type, u8),
	[RDF_CERT_TYPE] = FIXED(2, cert_type, cert_type),
	[RDF_SCHEME] = FIXED(1, scheme, scheme),

	[RDF_IP4] = FIXED(4, ip4, ip4),
	[RDF_IP6] = FIXED(16, ip6, ip6),
	[RDF_EUI48] = FIXED(6, eui48, eui48),
	[RDF_EUI64] = FIXED(8, eui64, eui64),
	[RDF_LOCATOR] = FIXED(8, locator, locator),
	[RDF_NSAP] = FIELD(nsap, nsap, rest_not_empty, .recheck = true),
	[RDF_ATMA] = FIELD(atma, atma, atma, .recheck = true),

	[RDF_NAME] = FIELD(name, name, name, .names = true),
	[RDF_NAME_LOWER] = FIELD(name, name, name_lower, .names = true),
	[RDF_NAME_OLD] = FIELD(name, name, name_lower, .names = true, .expand = true),
	[RDF_NAME_BASIC] = FIELD(name, name, name_basic, .names = true, .expand = true),
	[RDF_NAMES] = FIELD(names, names, names, .names = true),

	[RDF_STRING] = FIELD(string, string, string),
	[RDF_STRING_OPT] = FIELD(string_opt, string_opt, string_opt),
	[RDF_STRINGS] = FIELD(strings, strings, strings),
	[RDF_PSDN] = FIELD(string, string, psdn, .recheck = true),
	[RDF_TAG] = FIELD(string, tag, tag, .recheck = true),
	[RDF_TEXT] = FIELD(text, text, rest),
	[RDF_URI] = FIELD(text, text, rest_not_empty, .recheck = true),

	[RDF_HEX] = FIELD(hex, hex, rest_not_empty, .recheck = true),
	[RDF_DIGEST] = FIELD(hex, hex, digest, .recheck = true),
	[RDF_ZONE_DIGEST] = FIELD(hex, hex, zone_digest, .recheck = true),
	[RDF_BASE64] = FIELD(base64, base64, rest_not_empty, .recheck = true),
	[RDF_BASE64_OPT] = FIELD(base64_opt, base64, rest),
	[RDF_BASE64_DASH] = FIELD(base64_dash, base64_dash, rest),
	[RDF_SALT] = FIELD(salt, salt, string),
	[RDF_HASH] = FIELD(hash, hash, hash, .recheck = true),

	[RDF_BITMAP] = FIELD(bitmap, bitmap, bitmap, .recheck = true),
	[RDF_BITMAP_OPT] = FIELD(bitmap, bitmap, bitmap_opt),
	[RDF_NXT] = FIELD(nxt, nxt, nxt),
	[RDF_WKS] = FIELD(wks, wks, wks),

	[RDF_LOC] = FIELD(loc, loc, loc),
	[RDF_APL] = FIELD(apl, apl, apl),
	[RDF_A6] = FIELD(a6, a6, a6, .recheck = true, .names = true),
	[RDF_IPSEC_GATEWAY] = FIELD(ipsec_gateway, ipsec_gateway, ipsec_gateway, .names = true),
	[RDF_AMT_RELAY] = FIELD(amt_relay, amt_relay, amt_relay, .names = true),
	[RDF_HIP] = FIELD(hip, hip, hip, .recheck = true),
	[RDF_SVCB] = FIELD(svcb, svcb, svcb, .recheck = true),
	[RDF_OPAQUE] = FIELD(opaque, opaque, rest),
};
