/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Wire to wire: validation, expansion out of messages, canonical form, embedded names. All are one walk over the
 * type's fields; the cursor notes the names that it passes.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "zones/wire/rdata_fields.h"

const char *
rdata_skip(struct rdata_cursor *c, size_t n)
{
	if (unlikely(n > rdata_left(c)))
		return "the data is too short";
	c->p += n;
	return NULL;
}

const char *
rdata_skip_name(struct rdata_cursor *c, unsigned flags)
{
	int n = name_check(c->p, rdata_left(c));

	if (unlikely(n < 0))
		return name_error_text((enum name_error)n);
	if (c->n_names < c->names_cap) {
		c->names[c->n_names++] = (struct rdata_name){
			.pos = (uint16_t)(c->p - c->start), .len = (uint8_t)n, .flags = (uint8_t)flags};
	}
	c->p += n;
	return NULL;
}

const uint8_t *
rdata_fields_of(uint16_t type)
{
	static const uint8_t opaque[] = {RDF_OPAQUE, RDF_END};
	const struct rrtype_row *row = rrtype_row(type);

	return row != NULL && row->fields != NULL ? row->fields : opaque;
}

static int
refuse(struct rdata_error *err, const char *why)
{
	if (err != NULL) {
		err->line = err->column = 0;
		snprintf(err->message, sizeof(err->message), "%s", why);
	}
	return -EINVAL;
}

/* Walks all fields; the data must end with the last one. */
static const char *
walk(struct rdata_cursor *c, const uint8_t *fields)
{
	for (; *fields != RDF_END; fields++) {
		const char *why = rdata_step(&rdata_field_rows[*fields], c);
		if (unlikely(why != NULL))
			return why;
	}
	return c->p == c->end ? NULL : "there are octets behind the end of the data";
}

int
rdata_check(uint16_t type, const uint8_t *rdata, size_t len, struct rdata_error *err)
{
	struct rdata_cursor c = {.start = rdata, .p = rdata, .end = rdata + len};
	const char *why = len <= RDATA_MAX_LEN ? walk(&c, rdata_fields_of(type)) : "the data is too long";

	return why != NULL ? refuse(err, why) : 0;
}

static bool
may_be_compressed(const uint8_t *fields)
{
	for (; *fields != RDF_END; fields++)
		if (rdata_field_rows[*fields].expand)
			return true;
	return false;
}

/* Copies one field to out + *len, expanding it if it is a name; the cursor moves behind it. */
static const char *
expand_field(const struct rdata_field_row *row, const uint8_t *msg, struct rdata_cursor *c, uint8_t *out,
	     size_t *len)
{
	const uint8_t *from = c->p, *bytes = from;
	struct name name;
	size_t n;

	if (row->expand) {
		size_t pos = (size_t)(c->p - msg);
		enum name_error e = name_expand(msg, (size_t)(c->end - msg), &pos, &name);
		if (e != NAME_OK)
			return name_error_text(e);
		c->p = msg + pos;
		bytes = name.bytes;
		n = name.len;
	} else {
		const char *why = rdata_step(row, c);
		if (why != NULL)
			return why;
		n = (size_t)(c->p - from);
	}
	if (n > RDATA_MAX_LEN - *len)
		return "the data is too long";
	memcpy(out + *len, bytes, n);
	*len += n;
	return NULL;
}

int
rdata_expand(uint16_t type, const uint8_t *msg, size_t msg_len, size_t pos, size_t rdlen, uint8_t *out,
	     struct rdata_error *err)
{
	const uint8_t *fields = rdata_fields_of(type);
	size_t len = 0;

	if (pos > msg_len || rdlen > msg_len - pos || rdlen > RDATA_MAX_LEN)
		return refuse(err, "the data runs over the end of the message");
	struct rdata_cursor c = {.start = msg + pos, .p = msg + pos, .end = msg + pos + rdlen};
	if (!may_be_compressed(fields)) {
		const char *why = walk(&c, fields);
		if (why != NULL)
			return refuse(err, why);
		memcpy(out, msg + pos, rdlen);
		return (int)rdlen;
	}
	for (; *fields != RDF_END; fields++) {
		const char *why = expand_field(&rdata_field_rows[*fields], msg, &c, out, &len);
		if (why != NULL)
			return refuse(err, why);
	}
	return c.p == c.end ? (int)len : refuse(err, "there are octets behind the end of the data");
}

/* Whether the type has fields that hold names: what spares the others the walk. */
static bool
has_names(const uint8_t *fields)
{
	for (; *fields != RDF_END; fields++)
		if (rdata_field_rows[*fields].names)
			return true;
	return false;
}

void
rdata_canonical(uint16_t type, uint8_t *rdata, size_t len)
{
	const uint8_t *fields = rdata_fields_of(type);
	struct rdata_name names[RDATA_NAMES_MAX];
	struct rdata_cursor c = {
		.start = rdata, .p = rdata, .end = rdata + len, .names = names, .names_cap = RDATA_NAMES_MAX};

	if (!has_names(fields) || walk(&c, fields) != NULL)
		return;
	for (unsigned i = 0; i < c.n_names; i++)
		if (names[i].flags & RDATA_NAME_LOWER)
			name_lower(rdata + names[i].pos, rdata + names[i].pos, names[i].len);
}

int
rdata_compare(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len)
{
	size_t common = a_len < b_len ? a_len : b_len;
	int diff = common > 0 ? memcmp(a, b, common) : 0;

	return diff != 0 ? diff : (a_len > b_len) - (a_len < b_len);
}

unsigned
rdata_names(uint16_t type, const uint8_t *rdata, size_t len, struct rdata_name *out, unsigned cap)
{
	const struct rrtype_row *row = rrtype_row(type);
	struct rdata_cursor c = {.start = rdata, .p = rdata, .end = rdata + len, .names = out, .names_cap = cap};

	if (row == NULL || row->fields == NULL || !has_names(row->fields) || walk(&c, row->fields) != NULL)
		return 0;
	for (unsigned i = 0; i < c.n_names; i++) {
		out[i].flags &= RDATA_NAME_COMPRESS;
		if (row->additional == ADDITIONAL_ADDRESSES)
			out[i].flags |= RDATA_NAME_TARGET;
	}
	return c.n_names;
}
