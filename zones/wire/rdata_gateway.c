/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fields whose form depends on a number before them: gateways that are an address or a name, A6, HIP.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "zones/base/bytes.h"
#include "zones/wire/rdata_fields.h"

/* -------- gateways -------- */

enum { GATEWAY_NONE = 0, GATEWAY_IP4 = 1, GATEWAY_IP6 = 2, GATEWAY_NAME = 3 };

/* r->tok as a gateway of the type; nothing is written as a dot. */
static int
put_gateway(struct rdata_reader *r, uint64_t type)
{
	switch (type) {
	case GATEWAY_NONE:
		if (r->tok.len == 1 && *r->tok.text == '.')
			return 0;
		return rdata_fail(r, "no gateway is written as a single dot");
	case GATEWAY_IP4:
		return rdata_put_ip4(r, r->tok.text, r->tok.len);
	case GATEWAY_IP6:
		return rdata_put_ip6(r, r->tok.text, r->tok.len);
	default:
		return rdata_put_name(r);
	}
}

static void
show_gateway(struct rdata_printer *p, unsigned type)
{
	rdata_print_blank(p);
	switch (type) {
	case GATEWAY_NONE:
		rdata_print(p, ".", 1);
		break;
	case GATEWAY_IP4:
		rdata_print_ip4(p);
		break;
	case GATEWAY_IP6:
		rdata_print_ip6(p);
		break;
	default:
		rdata_print_name(p);
	}
}

static const char *
check_gateway(struct rdata_cursor *c, unsigned type)
{
	switch (type) {
	case GATEWAY_NONE:
		return NULL;
	case GATEWAY_IP4:
		return rdata_skip(c, 4);
	case GATEWAY_IP6:
		return rdata_skip(c, 16);
	default:
		return rdata_skip_name(c, 0);
	}
}

/* RFC 4025 section 3.1: type, algorithm, gateway. */
int
rdata_read_ipsec_gateway(struct rdata_reader *r)
{
	uint64_t type;

	if (rdata_next_word(r, "the gateway type") != 0 ||
	    rdata_number(r, "the gateway type", GATEWAY_NAME, &type) != 0 || rdata_put_u8(r, (uint8_t)type) != 0 ||
	    rdata_read_u8(r) != 0 || rdata_next_word(r, "the gateway") != 0)
		return -EINVAL;
	return put_gateway(r, type);
}

void
rdata_show_ipsec_gateway(struct rdata_printer *p)
{
	unsigned type = *p->p;

	rdata_show_u8(p);
	rdata_show_u8(p);
	show_gateway(p, type);
}

const char *
rdata_check_ipsec_gateway(struct rdata_cursor *c)
{
	const uint8_t *type = c->p;
	const char *why = rdata_skip(c, 2);

	if (why == NULL && *type > GATEWAY_NAME)
		return "the gateway type is not 0 to 3";
	return why != NULL ? why : check_gateway(c, *type);
}

enum { AMT_DISCOVERY = 0x80, AMT_TYPE = 0x7f };

/* RFC 8777 section 4.3: the discovery bit and the type share an octet. */
int
rdata_read_amt_relay(struct rdata_reader *r)
{
	uint64_t discovery, type;

	if (rdata_next_word(r, "the discovery bit") != 0 ||
	    rdata_number(r, "the discovery bit", 1, &discovery) != 0 || rdata_next_word(r, "the relay type") != 0 ||
	    rdata_number(r, "the relay type", GATEWAY_NAME, &type) != 0 ||
	    rdata_put_u8(r, (uint8_t)(discovery << 7 | type)) != 0 || rdata_next_word(r, "the relay") != 0)
		return -EINVAL;
	return put_gateway(r, type);
}

void
rdata_show_amt_relay(struct rdata_printer *p)
{
	unsigned type = *p->p & AMT_TYPE, discovery = *p->p >> 7;

	p->p++;
	if (type > GATEWAY_NAME) {
		p->generic = true;
		return;
	}
	rdata_print_blank(p);
	rdata_printf(p, "%u %u", discovery, type);
	show_gateway(p, type);
}

const char *
rdata_check_amt_relay(struct rdata_cursor *c)
{
	const uint8_t *first = c->p;
	const char *why = rdata_skip(c, 1);

	if (why != NULL)
		return why;
	if ((*first & AMT_TYPE) > GATEWAY_NAME)
		return rdata_check_rest(c); /* types to come: opaque */
	return check_gateway(c, *first & AMT_TYPE);
}

/* -------- A6 (RFC 2874 section 3.1): prefix length, the suffix of an address, the name of the prefix -------- */

enum { A6_MAX_PREFIX = 128 };

int
rdata_read_a6(struct rdata_reader *r)
{
	uint64_t prefix;

	if (rdata_next_word(r, "the prefix length") != 0 ||
	    rdata_number(r, "the prefix length", A6_MAX_PREFIX, &prefix) != 0 ||
	    rdata_put_u8(r, (uint8_t)prefix) != 0)
		return -EINVAL;
	if (prefix < A6_MAX_PREFIX) {
		if (rdata_read_ip6(r) != 0)
			return -EINVAL;
		size_t dropped = prefix / 8, kept = 16 - dropped;
		memmove(r->out + r->len - 16, r->out + r->len - kept, kept);
		r->len -= dropped;
	}
	return prefix > 0 ? rdata_read_name(r) : 0;
}

void
rdata_show_a6(struct rdata_printer *p)
{
	unsigned prefix = *p->p, dropped = prefix / 8;
	uint8_t address[16] = {0};

	rdata_show_u8(p);
	if (prefix < A6_MAX_PREFIX) {
		const uint8_t *after = p->p + 16 - dropped;
		memcpy(address + dropped, p->p, 16 - dropped);
		p->p = address;
		rdata_show_ip6(p);
		p->p = after;
	}
	if (prefix > 0)
		rdata_show_name(p);
}

const char *
rdata_check_a6(struct rdata_cursor *c)
{
	const uint8_t *a6 = c->p;

	if (rdata_skip(c, 1) != NULL)
		return "the prefix length is missing";
	unsigned prefix = *a6;
	if (prefix > A6_MAX_PREFIX)
		return "the prefix length is above 128";
	if (rdata_skip(c, 16 - prefix / 8) != NULL)
		return "the address suffix is cut off";
	if (prefix % 8 != 0 && a6[1] >> (8 - prefix % 8) != 0)
		return "the address suffix has bits that belong to the prefix";
	return prefix > 0 ? rdata_skip_name(c, RDATA_NAME_LOWER) : NULL;
}

/* -------- HIP (RFC 8005 section 5): two lengths stand before what they measure -------- */

enum { HIP_HIT_LEN = 0, HIP_ALGORITHM = 1, HIP_KEY_LEN = 2, HIP_HEADER_LEN = 4 };

int
rdata_read_hip(struct rdata_reader *r)
{
	size_t header = r->len;
	static const uint8_t empty[HIP_HEADER_LEN];
	uint64_t algorithm;

	if (rdata_next_word(r, "the algorithm") != 0 ||
	    rdata_number(r, "the algorithm", UINT8_MAX, &algorithm) != 0 ||
	    rdata_put(r, empty, sizeof(empty)) != 0 || rdata_next_word(r, "the host identity tag") != 0 ||
	    rdata_put_hex(r, r->tok.text, r->tok.len) != 0)
		return -EINVAL;
	size_t hit_len = r->len - header - HIP_HEADER_LEN;
	if (hit_len > UINT8_MAX)
		return rdata_fail(r, "the host identity tag is longer than 255 octets");
	if (rdata_next_word(r, "the public key") != 0 || rdata_put_base64(r, r->tok.text, r->tok.len) != 0)
		return -EINVAL;
	r->out[header + HIP_HIT_LEN] = (uint8_t)hit_len;
	r->out[header + HIP_ALGORITHM] = (uint8_t)algorithm;
	store_be16(r->out + header + HIP_KEY_LEN, (uint16_t)(r->len - header - HIP_HEADER_LEN - hit_len));
	return 0;
}

void
rdata_show_hip(struct rdata_printer *p)
{
	size_t hit_len = p->p[HIP_HIT_LEN], key_len = load_be16(p->p + HIP_KEY_LEN);

	rdata_print_blank(p);
	rdata_printf(p, "%u ", p->p[HIP_ALGORITHM]);
	p->p += HIP_HEADER_LEN;
	rdata_print_hex(p, hit_len);
	rdata_print_blank(p);
	rdata_print_base64(p, key_len);
}

const char *
rdata_check_hip(struct rdata_cursor *c)
{
	const uint8_t *header = c->p;

	if (rdata_skip(c, HIP_HEADER_LEN) != NULL)
		return "the lengths are cut off";
	size_t hit_len = header[HIP_HIT_LEN], key_len = load_be16(header + HIP_KEY_LEN);
	if (hit_len == 0)
		return "the host identity tag is empty";
	if (key_len == 0)
		return "the public key is empty";
	return rdata_skip(c, hit_len + key_len);
}
