/* SPDX-License-Identifier: Apache-2.0 */
/* What frame_classify() makes of good frames, of every truncation of them, and of each kind of fault. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/dataplane/frame_fixture.h"
#include "tests/unit/dataplane/frame_golden.h"

enum { PLAIN_V4, PLAIN_V6, VLAN_V4, VLAN_V6, QINQ_V4, QINQ_V6, OPTIONS_V4, EXTENSIONS_V6 };
enum { MESSAGE_LEN = 29, IP = 14, UDP_V4 = IP + 20, UDP_V6 = IP + 40 };

static struct frame_local local;

static int
setup(void **state)
{
	fixture_local(&local);
	return 0;
}

/* A golden query with octets replaced and the frame cut or padded, ready to be classified. */
struct variant {
	uint8_t *data;
	uint32_t len;
};

static struct variant
variant_of(unsigned golden)
{
	struct variant v;
	v.data = fixture_hex(golden_queries[golden].frame, &v.len);
	return v;
}

static void
variant_set(struct variant *v, uint32_t off, const char *hex)
{
	uint32_t n;
	uint8_t *octets = fixture_hex(hex, &n);

	assert_true(off + n <= v->len);
	memcpy(v->data + off, octets, n);
	free(octets);
}

/* Changes the length; new octets are 0xee. */
static void
variant_resize(struct variant *v, uint32_t len)
{
	uint8_t *grown = malloc(len);

	assert_non_null(grown);
	memset(grown, 0xee, len);
	memcpy(grown, v->data, v->len < len ? v->len : len);
	free(v->data);
	v->data = grown;
	v->len = len;
}

/* Puts octets in at off, as options and extension headers are. */
static void
variant_insert(struct variant *v, uint32_t off, const char *hex)
{
	uint32_t n = (uint32_t)strlen(hex) / 2, behind = v->len - off;

	variant_resize(v, v->len + n);
	memmove(v->data + off + n, v->data + off, behind);
	variant_set(v, off, hex);
}

/* Classifies a copy of exact size and frees the variant. */
static struct frame
variant_classify(struct variant *v)
{
	struct frame f;
	uint8_t *exact = fixture_copy(v->data, v->len);

	memset(&f, 0xa5, sizeof(f));
	enum frame_kind kind = frame_classify(&local, exact, v->len, false, &f);
	assert_int_equal(kind, f.kind);
	assert_memory_equal(exact, v->data, v->len);
	free(exact);
	free(v->data);
	return f;
}

static void
expect_drop(struct variant v, enum drop_reason reason)
{
	struct frame f = variant_classify(&v);
	assert_int_equal(f.kind, FRAME_DROP);
	assert_string_equal(drop_reason_label(f.drop), drop_reason_label(reason));
}

static void
expect_query(struct variant v, uint32_t payload_off, uint32_t payload_len)
{
	struct frame f = variant_classify(&v);
	assert_int_equal(f.kind, FRAME_QUERY);
	assert_int_equal(f.payload_off, payload_off);
	assert_int_equal(f.payload_len, payload_len);
	assert_int_equal(f.l4_off, payload_off - 8);
}

/* With a kernel it gets the frame, without one the frame is dropped for `reason`. */
static void
expect_pass(struct variant v, enum drop_reason reason)
{
	struct variant again = {fixture_copy(v.data, v.len), v.len};

	expect_drop(v, reason);
	local.has_kernel = true;
	assert_int_equal(variant_classify(&again).kind, FRAME_KERNEL);
	local.has_kernel = false;
}

/* A golden query with one thing changed and checksums made right again. */
static struct variant
changed(unsigned golden, uint32_t off, const char *hex)
{
	struct variant v = variant_of(golden);
	variant_set(&v, off, hex);
	fixture_repair(v.data, v.len);
	return v;
}

/* The same without the repair. */
static struct variant
damaged(unsigned golden, uint32_t off, const char *hex)
{
	struct variant v = variant_of(golden);
	variant_set(&v, off, hex);
	return v;
}

/* -------- services -------- */

static void
test_services_add(void **state)
{
	struct frame_service s = fixture_services[0];

	assert_int_equal(local.n_services, ARRAY_LEN(fixture_services));
	assert_int_equal(frame_local_add(&local, &s), -EEXIST);
	s.port = 54;
	assert_int_equal(frame_local_add(&local, &s), 0);
	s.address[15] = 0xff; /* beyond an IPv4 address: not looked at */
	assert_int_equal(frame_local_add(&local, &s), -EEXIST);
	s.is_v6 = true; /* the IPv6 address with the same leading octets is another */
	assert_int_equal(frame_local_add(&local, &s), 0);
	assert_int_equal(local.n_services, ARRAY_LEN(fixture_services) + 2);
}

static void
test_services_has_address(void **state)
{
	static const uint8_t v6_like_v4[16] = {192, 0, 2, 53};
	static struct frame_local none;

	assert_true(frame_local_has_address(&local, (const uint8_t[]){192, 0, 2, 54}, false));
	assert_false(frame_local_has_address(&local, (const uint8_t[]){192, 0, 2, 55}, false));
	assert_false(frame_local_has_address(&local, v6_like_v4, true));
	assert_true(frame_local_has_address(&local, fixture_services[1].address, true));
	assert_false(frame_local_has_address(&local, fixture_services[1].address, false));
	assert_false(frame_local_has_address(&none, (const uint8_t[]){0, 0, 0, 0}, false));
}

/* A full table: each service is found, its neighbours in address and port are not. */
static void
test_services_full(void **state)
{
	struct frame_service s = {.address = {10, 1}};
	struct frame f;

	memset(&local, 0, sizeof(local));
	memcpy(local.mac, fixture_mac, 6);
	for (unsigned i = 0; i < FRAME_SERVICES_MAX; i++) {
		s.is_v6 = i % 2;
		s.address[s.is_v6 ? 15 : 3] = (uint8_t)(i / 4);
		s.port = i % 4 < 2 ? 53 : 5353;
		assert_int_equal(frame_local_add(&local, &s), 0);
	}
	assert_int_equal(frame_local_add(&local, &s), -EEXIST);
	s.port = 1;
	assert_int_equal(frame_local_add(&local, &s), -ENOSPC);

	for (unsigned last = 0; last < 256; last++) {
		for (unsigned port = 50; port < 56; port++) {
			struct variant v = variant_of(PLAIN_V4);
			memcpy(v.data + IP + 16, (const uint8_t[]){10, 1, 0, (uint8_t)last}, 4);
			fixture_put16(v.data + UDP_V4 + 2, port);
			enum frame_kind kind = frame_classify(&local, v.data, v.len, true, &f);
			assert_int_equal(kind, last < 64 && port == 53 ? FRAME_QUERY : FRAME_DROP);
			free(v.data);
		}
	}
}

static void
test_no_services(void **state)
{
	local.n_services = 0;
	memset(local.slots, 0, sizeof(local.slots));
	expect_pass(variant_of(PLAIN_V4), DROP_FRAME_NOT_OURS);
	expect_pass(changed(PLAIN_V4, IP + 16, "00000000"), DROP_FRAME_NOT_OURS);
	expect_pass(variant_of(EXTENSIONS_V6), DROP_FRAME_NOT_OURS);
}

/* -------- good frames -------- */

static void
test_queries(void **state)
{
	static const uint32_t payload_off[] = {42, 62, 46, 66, 50, 70, 50, 98};

	for (unsigned i = 0; i < ARRAY_LEN(golden_queries); i++) {
		struct variant v = variant_of(i);
		struct frame f;
		assert_int_equal(frame_classify(&local, v.data, v.len, false, &f), FRAME_QUERY);
		assert_int_equal(f.is_v6, v.data[f.l3_off] >> 4 == 6);
		assert_memory_equal(frame_source(v.data, &f),
				    f.is_v6 ? "\x20\x01\x0d\xb8\0\x01\0\0\0\0\0\0\0\0\0\x07" : "\xc6\x33\x64\x07",
				    f.is_v6 ? 16 : 4);
		expect_query(v, payload_off[i], MESSAGE_LEN);
	}
}

/* No prefix of a good frame is a query, and none is read beyond its end. */
static void
test_truncations(void **state)
{
	for (unsigned i = 0; i < ARRAY_LEN(golden_queries); i++) {
		uint32_t full = (uint32_t)strlen(golden_queries[i].frame) / 2;
		for (uint32_t len = 0; len < full; len++) {
			struct variant v = variant_of(i);
			variant_resize(&v, len);
			expect_drop(v, DROP_FRAME_MALFORMED);
		}
	}
}

static void
test_padding(void **state)
{
	for (unsigned i = 0; i < ARRAY_LEN(golden_queries); i++) {
		struct variant v = variant_of(i), plain = variant_of(i);
		struct frame f = variant_classify(&plain);
		variant_resize(&v, v.len + 7);
		expect_query(v, f.payload_off, MESSAGE_LEN);
	}
}

/* UDP may be shorter than what IP carries; the surplus is not payload. */
static void
test_udp_shorter_than_ip(void **state)
{
	expect_query(changed(PLAIN_V4, UDP_V4 + 4, "0014"), 42, 12);
	expect_query(changed(PLAIN_V6, UDP_V6 + 4, "0009"), 62, 1);
	expect_query(changed(PLAIN_V4, UDP_V4 + 4, "0008"), 42, 0);
	expect_drop(changed(PLAIN_V4, UDP_V4 + 4, "0007"), DROP_FRAME_MALFORMED);
	expect_drop(changed(PLAIN_V4, UDP_V4 + 4, "0026"), DROP_FRAME_MALFORMED);
	expect_drop(changed(PLAIN_V6, UDP_V6 + 4, "0026"), DROP_FRAME_MALFORMED);
	expect_drop(changed(PLAIN_V6, UDP_V6 + 4, "ffff"), DROP_FRAME_MALFORMED);
}

/* -------- link layer -------- */

static void
test_macs(void **state)
{
	expect_pass(damaged(PLAIN_V4, 0, "020000000002"), DROP_FRAME_NOT_OURS);
	expect_pass(damaged(PLAIN_V6, 0, "120000000001"), DROP_FRAME_NOT_OURS);
	/* unicast UDP to a group of stations: RFC 1122 section 3.3.6 */
	expect_pass(damaged(PLAIN_V4, 0, "ffffffffffff"), DROP_FRAME_NOT_OURS);
	expect_pass(damaged(VLAN_V6, 0, "333300000001"), DROP_FRAME_NOT_OURS);
	expect_drop(damaged(PLAIN_V4, 6, "0100000000aa"), DROP_SOURCE_BOGUS);
}

static void
test_ethertypes(void **state)
{
	expect_pass(damaged(PLAIN_V4, 12, "0801"), DROP_FRAME_NOT_OURS);
	expect_pass(damaged(PLAIN_V4, 12, "0026"), DROP_FRAME_NOT_OURS); /* 802.3 length */
	expect_pass(damaged(PLAIN_V4, 12, "8847"), DROP_FRAME_NOT_OURS); /* MPLS */
	expect_pass(damaged(QINQ_V4, 20, "8100"), DROP_FRAME_NOT_OURS);  /* a third tag */
	expect_drop(damaged(PLAIN_V4, 12, "86dd"), DROP_FRAME_MALFORMED);
	expect_drop(damaged(PLAIN_V6, 12, "0800"), DROP_FRAME_MALFORMED);
	/* either type of tag may stand at either place */
	expect_query(damaged(QINQ_V4, 12, "8100"), 50, MESSAGE_LEN);
	expect_query(damaged(QINQ_V4, 16, "88a8"), 50, MESSAGE_LEN);
}

/* -------- IPv4 -------- */

static void
test_ipv4_lengths(void **state)
{
	expect_drop(damaged(PLAIN_V4, IP, "44"), DROP_FRAME_MALFORMED);
	expect_drop(damaged(PLAIN_V4, IP, "55"), DROP_FRAME_MALFORMED);
	expect_drop(damaged(PLAIN_V4, IP, "4f"), DROP_FRAME_MALFORMED);
	expect_drop(changed(PLAIN_V4, IP + 2, "0013"), DROP_FRAME_MALFORMED);
	expect_drop(changed(PLAIN_V4, IP + 2, "001b"), DROP_FRAME_MALFORMED); /* 7 octets of UDP */
	expect_drop(changed(PLAIN_V4, IP + 2, "0038"), DROP_FRAME_MALFORMED); /* less than UDP says */
	expect_drop(changed(PLAIN_V4, IP + 2, "003a"), DROP_FRAME_MALFORMED); /* more than there is */
	expect_drop(damaged(OPTIONS_V4, IP + 2, "001b"), DROP_FRAME_MALFORMED);
	/* too short for UDP, but not our business */
	struct variant v = changed(PLAIN_V4, IP + 2, "001b");
	variant_set(&v, IP + 16, "c0000237");
	expect_pass(v, DROP_FRAME_NOT_OURS);
}

static void
test_ipv4_fragments(void **state)
{
	expect_drop(changed(PLAIN_V4, IP + 6, "2000"), DROP_IP_FRAGMENT);
	expect_drop(changed(PLAIN_V4, IP + 6, "0001"), DROP_IP_FRAGMENT);
	expect_drop(changed(PLAIN_V4, IP + 6, "1fff"), DROP_IP_FRAGMENT);
	expect_drop(changed(OPTIONS_V4, IP + 6, "2001"), DROP_IP_FRAGMENT);
	expect_query(changed(PLAIN_V4, IP + 6, "c000"), 42, MESSAGE_LEN); /* DF and the unused bit */
	struct variant v = changed(PLAIN_V4, IP + 6, "2000");
	variant_set(&v, IP + 16, "c0000237");
	expect_pass(v, DROP_FRAME_NOT_OURS);
}

static void
test_destinations(void **state)
{
	expect_query(changed(PLAIN_V4, UDP_V4 + 2, "14b4"), 42, MESSAGE_LEN); /* 5300 */
	expect_query(changed(PLAIN_V4, IP + 16, "c0000236"), 42, MESSAGE_LEN);
	expect_pass(changed(PLAIN_V4, UDP_V4 + 2, "14b5"), DROP_FRAME_NOT_OURS);
	expect_pass(changed(PLAIN_V4, IP + 16, "c0000237"), DROP_FRAME_NOT_OURS);
	expect_pass(changed(PLAIN_V4, IP + 16, "ffffffff"), DROP_FRAME_NOT_OURS);
	expect_pass(changed(PLAIN_V6, UDP_V6 + 2, "14b4"), DROP_FRAME_NOT_OURS);
	expect_pass(changed(PLAIN_V6, IP + 39, "54"), DROP_FRAME_NOT_OURS);
	expect_pass(changed(PLAIN_V6, IP + 24, "2002"), DROP_FRAME_NOT_OURS);
	/* TCP to a service is the kernel's, as are all other protocols */
	expect_pass(changed(PLAIN_V4, IP + 9, "06"), DROP_FRAME_NOT_OURS);
	expect_pass(changed(PLAIN_V6, IP + 6, "06"), DROP_FRAME_NOT_OURS);
	expect_pass(changed(PLAIN_V6, IP + 6, "32"), DROP_FRAME_NOT_OURS);
	expect_pass(changed(PLAIN_V6, IP + 6, "3b"), DROP_FRAME_NOT_OURS);
}

static void
test_checksums(void **state)
{
	expect_drop(damaged(PLAIN_V4, IP + 8, "38"), DROP_IP_CHECKSUM);
	expect_drop(damaged(OPTIONS_V4, IP + 20, "01"), DROP_IP_CHECKSUM);
	expect_drop(damaged(PLAIN_V4, 70, "02"), DROP_UDP_CHECKSUM);
	expect_drop(damaged(PLAIN_V6, 90, "02"), DROP_UDP_CHECKSUM);
	expect_drop(damaged(PLAIN_V6, IP + 8, "3001"), DROP_UDP_CHECKSUM); /* pseudo-header */
	expect_drop(damaged(EXTENSIONS_V6, 126, "02"), DROP_UDP_CHECKSUM);
	expect_query(damaged(PLAIN_V4, UDP_V4 + 6, "0000"), 42, MESSAGE_LEN);
	expect_drop(damaged(PLAIN_V6, UDP_V6 + 6, "0000"), DROP_UDP_CHECKSUM);
	/* not ours: nobody's checksum but the kernel's */
	expect_pass(damaged(PLAIN_V4, IP + 16, "c0000237"), DROP_FRAME_NOT_OURS);

	local.verify_checksums = false;
	expect_query(damaged(PLAIN_V4, IP + 10, "0000"), 42, MESSAGE_LEN);
	expect_query(damaged(PLAIN_V6, UDP_V6 + 6, "0001"), 62, MESSAGE_LEN);
	expect_drop(damaged(PLAIN_V6, UDP_V6 + 6, "0000"), DROP_UDP_CHECKSUM);
}

static void
test_checksums_vouched_for(void **state)
{
	struct variant v4 = damaged(PLAIN_V4, IP + 10, "0000"), v6 = damaged(PLAIN_V6, UDP_V6 + 6, "0000");
	struct frame f;

	assert_int_equal(frame_classify(&local, v4.data, v4.len, true, &f), FRAME_QUERY);
	assert_int_equal(frame_classify(&local, v6.data, v6.len, true, &f), FRAME_DROP);
	assert_int_equal(f.drop, DROP_UDP_CHECKSUM);
	free(v4.data);
	free(v6.data);
}

/* Every length of payload, every right checksum accepted and every one-bit fault in it found. */
static void
test_checksum_lengths(void **state)
{
	for (uint32_t n = 0; n < 70; n++) {
		for (unsigned golden = PLAIN_V4; golden <= PLAIN_V6; golden++) {
			uint32_t udp = golden == PLAIN_V4 ? UDP_V4 : UDP_V6;
			struct variant v = variant_of(golden), wrong;
			variant_resize(&v, udp + 8 + n);
			for (uint32_t i = 0; i < n; i++)
				v.data[udp + 8 + i] = (uint8_t)(0xff - i * 37);
			fixture_put16(v.data + IP + (golden == PLAIN_V4 ? 2 : 4),
				      golden == PLAIN_V4 ? 28 + n : 8 + n);
			fixture_put16(v.data + udp + 4, 8 + n);
			fixture_repair(v.data, v.len);
			wrong.len = v.len;
			wrong.data = fixture_copy(v.data, v.len);
			expect_query(v, udp + 8, n);
			wrong.data[udp + 8 + n - 1] ^= (uint8_t)(1 << n % 8);
			expect_drop(wrong, DROP_UDP_CHECKSUM);
		}
	}
}

static void
test_sources(void **state)
{
	static const char *const bogus_v4[] = {"00000000", "00010203", "7f000001", "7fffffff",
					       "e0000001", "efffffff", "ffffffff", "c0000235"};
	static const char *const bogus_v6[] = {
		"00000000000000000000000000000000",
		"00000000000000000000000000000001",
		"ff020000000000000000000000000001",
	};

	for (unsigned i = 0; i < ARRAY_LEN(bogus_v4); i++) {
		struct variant v = damaged(PLAIN_V4, IP + 12, bogus_v4[i]);
		if (i == ARRAY_LEN(bogus_v4) - 1) /* our own address: only from a service's port */
			variant_set(&v, UDP_V4, "14b4");
		fixture_repair(v.data, v.len);
		expect_drop(v, DROP_SOURCE_BOGUS);
	}
	for (unsigned i = 0; i < ARRAY_LEN(bogus_v6); i++)
		expect_drop(changed(PLAIN_V6, IP + 8, bogus_v6[i]), DROP_SOURCE_BOGUS);
	expect_drop(changed(PLAIN_V4, UDP_V4, "0000"), DROP_SOURCE_BOGUS);
	expect_drop(changed(PLAIN_V6, UDP_V6, "0000"), DROP_SOURCE_BOGUS);
	expect_query(changed(PLAIN_V4, IP + 12, "c0000235"), 42, MESSAGE_LEN);
	expect_query(changed(PLAIN_V4, IP + 12, "80000001"), 42, MESSAGE_LEN);
	expect_query(changed(PLAIN_V4, IP + 12, "dfffffff"), 42, MESSAGE_LEN);
	expect_query(changed(PLAIN_V4, UDP_V4, "0035"), 42, MESSAGE_LEN); /* port 53 of somebody else */
	expect_query(changed(PLAIN_V6, IP + 8, "fe800000000000000000000000000001"), 62, MESSAGE_LEN);
	struct variant v = damaged(PLAIN_V6, IP + 8, "20010db8000000000000000000000053");
	variant_set(&v, UDP_V6, "0035");
	fixture_repair(v.data, v.len);
	expect_drop(v, DROP_SOURCE_BOGUS);
}

/* -------- IPv6 -------- */

static void
test_ipv6_lengths(void **state)
{
	expect_drop(damaged(PLAIN_V6, IP, "70"), DROP_FRAME_MALFORMED);
	expect_drop(changed(PLAIN_V6, IP + 4, "0000"), DROP_FRAME_MALFORMED);
	expect_drop(changed(PLAIN_V6, IP + 4, "0007"), DROP_FRAME_MALFORMED);
	expect_drop(changed(PLAIN_V6, IP + 4, "0024"), DROP_FRAME_MALFORMED);
	expect_drop(changed(PLAIN_V6, IP + 4, "0026"), DROP_FRAME_MALFORMED);
	expect_drop(changed(PLAIN_V6, IP + 4, "ffff"), DROP_FRAME_MALFORMED);
}

/* A plain IPv6 query behind extension headers, of which the last must say 17. */
static struct variant
extended(const char *first, const char *headers)
{
	struct variant v = variant_of(PLAIN_V6);

	variant_set(&v, IP + 6, first);
	variant_insert(&v, UDP_V6, headers);
	fixture_put16(v.data + IP + 4, v.len - UDP_V6);
	return v;
}

#define H(next) next "00010400000000"      /* hop-by-hop or destination options, padding */
#define H4 H("3c") H("3c") H("3c") H("3c") /* four, more destination options to come */
#define ROUTING(next, left) next "0004" left "00000000"
#define FRAGMENT(next, bits) next "00" bits "00000001"

static void
test_ipv6_extensions(void **state)
{
	expect_query(extended("00", H("11")), 70, MESSAGE_LEN);
	expect_query(extended("3c", H("11")), 70, MESSAGE_LEN);
	expect_query(extended("3c", "1101010c000000000000000000000000"), 78, MESSAGE_LEN);
	expect_query(extended("2b", ROUTING("11", "00")), 70, MESSAGE_LEN);
	expect_query(extended("3c", H4 H("3c") H("3c") H("3c") H("11")), 126, MESSAGE_LEN);
	expect_pass(extended("3c", H4 H4 H("11")), DROP_FRAME_NOT_OURS); /* nine */
	expect_pass(extended("2b", ROUTING("11", "01")), DROP_FRAME_NOT_OURS);
	expect_pass(extended("3c", H("00") H("11")),
		    DROP_FRAME_NOT_OURS);                          /* hop-by-hop comes first or not at all */
	expect_pass(extended("00", H("06")), DROP_FRAME_NOT_OURS); /* TCP */
	expect_pass(extended("00", H("3a")), DROP_FRAME_NOT_OURS); /* ICMPv6 */
	expect_pass(extended("87", H("11")), DROP_FRAME_NOT_OURS); /* mobility */
	expect_drop(extended("2c", FRAGMENT("11", "0001")), DROP_IP_FRAGMENT);
	expect_drop(extended("2c", FRAGMENT("11", "0100")), DROP_IP_FRAGMENT);
	expect_drop(extended("2c", FRAGMENT("11", "0000")), DROP_IP_FRAGMENT); /* atomic */
	expect_drop(extended("00", H("2c") FRAGMENT("11", "0001")), DROP_IP_FRAGMENT);
	expect_drop(extended("00", "1106010400000000"), DROP_FRAME_MALFORMED); /* 56 octets of 45 */
	struct variant v = extended("2c", FRAGMENT("11", "0001"));
	variant_set(&v, IP + 39, "54");
	expect_pass(v, DROP_FRAME_NOT_OURS);
}

/* An extension header that ends with the packet, and one that is cut by it. */
static void
test_ipv6_extension_at_end(void **state)
{
	struct variant v = extended("00", H("11"));
	fixture_put16(v.data + IP + 4, 8);
	expect_drop(v, DROP_FRAME_MALFORMED);
	v = extended("00", H("11"));
	fixture_put16(v.data + IP + 4, 7);
	expect_drop(v, DROP_FRAME_MALFORMED);
	v = extended("00", H("11"));
	fixture_put16(v.data + IP + 4, 0);
	variant_resize(&v, UDP_V6);
	expect_drop(v, DROP_FRAME_MALFORMED);
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup(f, setup)
	const struct CMUnitTest tests[] = {
		TEST(test_services_add),
		TEST(test_services_has_address),
		TEST(test_services_full),
		TEST(test_no_services),
		TEST(test_queries),
		TEST(test_truncations),
		TEST(test_padding),
		TEST(test_udp_shorter_than_ip),
		TEST(test_macs),
		TEST(test_ethertypes),
		TEST(test_ipv4_lengths),
		TEST(test_ipv4_fragments),
		TEST(test_destinations),
		TEST(test_checksums),
		TEST(test_checksums_vouched_for),
		TEST(test_checksum_lengths),
		TEST(test_sources),
		TEST(test_ipv6_lengths),
		TEST(test_ipv6_extensions),
		TEST(test_ipv6_extension_at_end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
