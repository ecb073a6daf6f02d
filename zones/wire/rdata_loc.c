/* SPDX-License-Identifier: Apache-2.0 */
/*
 * LOC (RFC 1876): sixteen octets of version, size, precisions, latitude, longitude and altitude; in text degrees,
 * minutes and seconds with a hemisphere, and metres.
 */
#include <errno.h>
#include <stdio.h>

#include "zones/base/bytes.h"
#include "zones/wire/rdata_fields.h"

#define LOC_EQUATOR 0x80000000u /* zero of latitude and longitude, in thousandths of a second */
#define LOC_MAX_LATITUDE (90u * 3600 * 1000)
#define LOC_MAX_LONGITUDE (180u * 3600 * 1000)
#define LOC_ALTITUDE_ZERO 10000000 /* cm; altitudes count from 100 km below */
#define LOC_MAX_SIZE_CM 9000000000ULL

enum { LOC_SIZE = 1, LOC_LATITUDE = 4, LOC_LONGITUDE = 8, LOC_ALTITUDE = 12, LOC_LEN = 16 };

/* A decimal number with at most `places` decimals, in units of the last place; false if above max. */
static bool
parse_fixed(const char *text, size_t n, unsigned places, uint64_t max, uint64_t *v)
{
	size_t whole = 0;

	while (whole < n && text[whole] != '.')
		whole++;
	size_t decimals = whole < n ? n - whole - 1 : 0;
	uint64_t scale = 1, sum, fraction = 0;
	if (decimals > places || (whole < n && decimals == 0))
		return false;
	for (unsigned i = 0; i < places; i++)
		scale *= 10;
	if (!rdata_parse_number(text, whole, max / scale, &sum))
		return false;
	if (decimals > 0 && !rdata_parse_number(text + whole + 1, decimals, max, &fraction))
		return false;
	for (size_t i = decimals; i < places; i++)
		fraction *= 10;
	*v = sum * scale + fraction;
	return *v <= max;
}

/* Whether r->tok is one of the two hemisphere letters; *positive is then set for the first. */
static bool
is_hemisphere(const struct rdata_reader *r, const char letters[2], bool *positive)
{
	if (r->tok.len != 1)
		return false;
	*positive = (*r->tok.text & ~0x20) == letters[0];
	return *positive || (*r->tok.text & ~0x20) == letters[1];
}

/* Degrees, then maybe minutes, then maybe seconds, then the hemisphere. */
static int
read_angle(struct rdata_reader *r, const char *what, const char letters[2], uint32_t max_ms, uint32_t *angle)
{
	uint64_t part_ms[3] = {0}, v;
	bool positive;
	static const struct {
		unsigned places, unit_ms;
		uint64_t max;
	} parts[3] = {{0, 3600000, 180}, {0, 60000, 59}, {3, 1, 59999}};

	for (unsigned i = 0;; i++) {
		if (rdata_next_word(r, what) != 0)
			return -EINVAL;
		if (i > 0 && is_hemisphere(r, letters, &positive))
			break;
		if (i == 3)
			return rdata_fail(r, "the %s must end in %c or %c", what, letters[0], letters[1]);
		if (!parse_fixed(r->tok.text, r->tok.len, parts[i].places, parts[i].max, &v))
			return rdata_fail(r, "the %s has a number that is out of range", what);
		part_ms[i] = v * parts[i].unit_ms;
	}
	uint64_t ms = part_ms[0] + part_ms[1] + part_ms[2];
	if (ms > max_ms)
		return rdata_fail(r, "the %s is out of range", what);
	*angle = LOC_EQUATOR + (positive ? (uint32_t)ms : 0u - (uint32_t)ms);
	return 0;
}

/* r->tok as metres with up to two decimals and an `m` that may be missing, in cm. */
static bool
parse_metres(const char *text, size_t n, uint64_t max_cm, uint64_t *cm)
{
	if (n > 0 && (text[n - 1] | 0x20) == 'm')
		n--;
	return parse_fixed(text, n, 2, max_cm, cm);
}

static int
read_altitude(struct rdata_reader *r, uint32_t *altitude)
{
	uint64_t cm;

	if (rdata_next_word(r, "the altitude") != 0)
		return -EINVAL;
	bool below = *r->tok.text == '-';
	uint64_t max = below ? LOC_ALTITUDE_ZERO : (uint64_t)UINT32_MAX - LOC_ALTITUDE_ZERO;
	if (!parse_metres(r->tok.text + below, r->tok.len - below, max, &cm))
		return rdata_fail(r, "the altitude must be metres from -100000.00 to 42849672.95");
	*altitude = (uint32_t)(below ? LOC_ALTITUDE_ZERO - cm : LOC_ALTITUDE_ZERO + cm);
	return 0;
}

/* Size or precision as one digit and a power of ten of centimetres; what does not fit is cut off. */
static int
read_size(struct rdata_reader *r, uint8_t *size)
{
	uint64_t cm;
	unsigned exponent = 0;

	if (rdata_next_word(r, "a size") != 0)
		return -EINVAL;
	if (!parse_metres(r->tok.text, r->tok.len, LOC_MAX_SIZE_CM, &cm))
		return rdata_fail(r, "a size must be metres from 0 to 90000000.00");
	for (; cm > 9; exponent++)
		cm /= 10;
	*size = (uint8_t)(cm << 4 | exponent);
	return 0;
}

int
rdata_read_loc(struct rdata_reader *r)
{
	uint8_t loc[LOC_LEN] = {0, 0x12, 0x16, 0x13}; /* 1 m, 10 km, 10 m: RFC 1876 section 3 */
	uint32_t latitude = 0, longitude = 0, altitude = 0;

	if (read_angle(r, "latitude", "NS", LOC_MAX_LATITUDE, &latitude) != 0 ||
	    read_angle(r, "longitude", "EW", LOC_MAX_LONGITUDE, &longitude) != 0 ||
	    read_altitude(r, &altitude) != 0)
		return -EINVAL;
	for (unsigned i = 0; i < 3 && rdata_more(r); i++)
		if (read_size(r, &loc[LOC_SIZE + i]) != 0)
			return -EINVAL;
	store_be32(loc + LOC_LATITUDE, latitude);
	store_be32(loc + LOC_LONGITUDE, longitude);
	store_be32(loc + LOC_ALTITUDE, altitude);
	return rdata_put(r, loc, sizeof(loc));
}

static void
print_angle(struct rdata_printer *p, uint32_t angle, const char letters[2])
{
	bool positive = angle >= LOC_EQUATOR;
	uint32_t ms = positive ? angle - LOC_EQUATOR : LOC_EQUATOR - angle;

	rdata_print_blank(p);
	rdata_printf(p, "%u %u %u.%03u %c", ms / 3600000, ms / 60000 % 60, ms / 1000 % 60, ms % 1000,
		     letters[positive ? 0 : 1]);
}

static void
print_size(struct rdata_printer *p, uint8_t size)
{
	uint64_t cm = size >> 4;

	for (unsigned i = 0; i < (size & 15); i++)
		cm *= 10;
	if (size >> 4 == 0 && size != 0)
		p->generic = true; /* nothing times a power of ten: text would lose the power */
	rdata_printf(p, " %llu.%02llum", (unsigned long long)cm / 100, (unsigned long long)cm % 100);
}

void
rdata_show_loc(struct rdata_printer *p)
{
	const uint8_t *loc = p->p;

	if (loc[0] != 0) {
		p->generic = true;
		return;
	}
	print_angle(p, load_be32(loc + LOC_LATITUDE), "NS");
	print_angle(p, load_be32(loc + LOC_LONGITUDE), "EW");
	int64_t cm = (int64_t)load_be32(loc + LOC_ALTITUDE) - LOC_ALTITUDE_ZERO;
	uint64_t size = (uint64_t)(cm < 0 ? -cm : cm);
	rdata_printf(p, " %s%llu.%02llum", cm < 0 ? "-" : "", (unsigned long long)size / 100,
		     (unsigned long long)size % 100);
	for (unsigned i = 0; i < 3; i++)
		print_size(p, loc[LOC_SIZE + i]);
	p->p += LOC_LEN;
}

static bool
is_angle(uint32_t angle, uint32_t max_ms)
{
	return angle >= LOC_EQUATOR - max_ms && angle <= LOC_EQUATOR + max_ms;
}

const char *
rdata_check_loc(struct rdata_cursor *c)
{
	const uint8_t *loc = c->p;

	if (rdata_left(c) > 0 && loc[0] != 0)
		return rdata_check_rest(c); /* a version to come: opaque (section 2) */
	if (rdata_skip(c, LOC_LEN) != NULL)
		return "the location is cut off";
	for (unsigned i = 0; i < 3; i++)
		if (loc[LOC_SIZE + i] >> 4 > 9 || (loc[LOC_SIZE + i] & 15) > 9)
			return "a size has a digit above 9";
	if (!is_angle(load_be32(loc + LOC_LATITUDE), LOC_MAX_LATITUDE))
		return "the latitude is out of range";
	if (!is_angle(load_be32(loc + LOC_LONGITUDE), LOC_MAX_LONGITUDE))
		return "the longitude is out of range";
	return NULL;
}
