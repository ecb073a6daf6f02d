/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One record of a zone file: `[owner] [TTL] [class] type data`, TTL and class in either order (RFC 1035
 * section 5.1).
 *
 * The owner is kept as a name and as the text it came from: in most zones the same owner stands on several
 * lines running, and comparing text is cheaper than parsing it.
 */
#include <errno.h>
#include <string.h>

#include "zones/base/bytes.h"
#include "zones/load/reader.h"
#include "zones/wire/rrtype.h"

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* A number, or numbers with units: a TTL in form, whatever its value. */
static bool
looks_like_ttl(const char *text, size_t len)
{
	bool digit_before = false, has_unit = false;

	for (size_t i = 0; i < len; i++) {
		if (is_digit(text[i])) {
			digit_before = true;
			continue;
		}
		if (!digit_before || memchr("smhdwSMHDW", text[i], 10) == NULL)
			return false;
		digit_before = false;
		has_unit = true;
	}
	return digit_before != has_unit;
}

int
record_read_ttl(struct reader *r, const struct token *t, uint32_t *ttl_s)
{
	char shown[SHOWN_MAX];

	if (t->kind != TOKEN_WORD)
		return reader_unexpected(r, t, "a TTL");
	if (ttl_from_text(t->text, t->len, ttl_s) == 0)
		return 0;
	reader_show(t->text, t->len, shown);
	if (looks_like_ttl(t->text, t->len))
		reader_error(r, t, "TTL '%s' is over %u seconds (RFC 2181 section 8)", shown, TTL_MAX_S);
	else
		reader_error(r, t, "'%s' is not a TTL: seconds, or units as in 1w2d3h4m5s", shown);
	return -EINVAL;
}

/* Takes `t` as a class if it is one: 1 and the class is IN, 0 it is none, or -EINVAL. */
static int
read_class(struct reader *r, const struct token *t, struct record_header *h)
{
	uint16_t rrclass;
	char shown[SHOWN_MAX];

	if (rrclass_from_text(t->text, t->len, &rrclass) != 0)
		return 0;
	if (rrclass != RRCLASS_IN) {
		reader_error(r, t, "class %s: only IN is served", reader_show(t->text, t->len, shown));
		return -EINVAL;
	}
	if (h->has_class) {
		reader_error(r, t, "the class is given twice");
		return -EINVAL;
	}
	h->has_class = true;
	return 1;
}

static int
unknown_type(struct reader *r, const struct token *t)
{
	char shown[SHOWN_MAX];
	const char *nearest = rrtype_nearest(t->text, t->len);

	reader_show(t->text, t->len, shown);
	if (nearest != NULL)
		reader_error(r, t, "unknown record type '%s'; did you mean %s?", shown, nearest);
	else
		reader_error(r, t, "unknown record type '%s'", shown);
	return -EINVAL;
}

/* Types that are never data, those without a row in the table included (RFC 6895 section 3.1). */
static bool
type_is_meta(uint16_t type)
{
	const struct rrtype_row *row = rrtype_row(type);

	if (type == 0 || (type >= 128 && type <= 255))
		return true;
	return row != NULL && (row->flags & RRTYPE_META) != 0;
}

static int
check_type(struct reader *r, const struct token *t, uint16_t type)
{
	char text[RRTYPE_TEXT_MAX];

	if (likely(!type_is_meta(type)))
		return 0;
	rrtype_to_text(type, text);
	reader_error(r, t, "%s is for queries and messages and cannot be zone data", text);
	return -EINVAL;
}

int
record_read_header(struct reader *r, struct token t, struct record_header *h)
{
	*h = (struct record_header){0};
	for (;; t = lexer_next(&r->frame->lex)) {
		if (t.kind != TOKEN_WORD)
			return reader_unexpected(r, &t, "a record type");
		if (is_digit(t.text[0])) {
			if (h->has_ttl) {
				reader_error(r, &t, "the TTL is given twice, or the record type is missing");
				return -EINVAL;
			}
			if (record_read_ttl(r, &t, &h->ttl_s) != 0)
				return -EINVAL;
			h->has_ttl = r->ttl.has_explicit = true;
			r->ttl.explicit_is_guess = false;
			r->ttl.explicit_s = h->ttl_s;
			continue;
		}
		/* IN stands on nearly every line: it is not looked for among the types first. */
		bool is_in = t.len == 2 && (t.text[0] | 0x20) == 'i' && (t.text[1] | 0x20) == 'n';
		if (!is_in && rrtype_from_text(t.text, t.len, &h->type) == 0)
			return check_type(r, &t, h->type);
		int rc = read_class(r, &t, h);
		if (rc == 0)
			return unknown_type(r, &t);
		if (rc < 0)
			return rc;
	}
}

/* MINIMUM is the last field of a SOA. */
static uint32_t
soa_minimum(struct reader *r, size_t rdlen, const struct token *at)
{
	uint32_t minimum_s = load_be32(r->rdata + rdlen - 4);

	if (minimum_s > TTL_MAX_S)
		minimum_s = 0; /* what RFC 2181 section 8 makes of such a value */
	reader_warning(r, at, "no TTL is given: the SOA's MINIMUM, %u seconds, becomes the default", minimum_s);
	return minimum_s;
}

static uint32_t
resolve_ttl(struct reader *r, const struct record_header *h, size_t rdlen, const struct token *at)
{
	struct ttl_defaults *d = &r->ttl;

	if (h->has_ttl)
		return h->ttl_s;
	if (d->has_directive)
		return d->directive_s;
	d->guess_used |= d->explicit_is_guess;
	if (d->has_explicit)
		return d->explicit_s;
	if (h->type == RRTYPE_SOA && !d->has_soa) {
		d->has_soa = true;
		d->soa_s = soa_minimum(r, rdlen, at);
	}
	if (d->has_soa)
		return d->soa_s;
	if (!d->missing_reported) /* one cause, one message */
		reader_error(r, at, "the record has no TTL, and neither $TTL nor a record before it gives one");
	d->missing_reported = true;
	return 0;
}

static int
outside_zone(struct reader *r, const struct name *owner, const struct token *at)
{
	char owner_text[NAME_TEXT_MAX], zone_text[NAME_TEXT_MAX];

	name_to_text(owner->bytes, owner_text);
	name_to_text(r->zone->bytes, zone_text);
	reader_error(r, at, "%s is outside the zone %s", owner_text, zone_text);
	return -EINVAL;
}

int
record_add(struct reader *r, const struct name *owner, const struct record_header *h, size_t rdlen,
	   const struct token *at)
{
	struct record_place place = {.file = r->frame->file, .line = at->line, .column = at->column};
	uint32_t ttl_s = resolve_ttl(r, h, rdlen, at);
	int rc = zone_builder_add(r->builder, owner, h->type, ttl_s, r->rdata, (uint16_t)rdlen, &place);

	return unlikely(rc == -ERANGE) ? outside_zone(r, owner, at) : rc;
}

static int
read_owner(struct reader *r, const struct token *t)
{
	struct scope *s = &r->scope;
	char shown[SHOWN_MAX];

	if (s->owner_text != NULL && s->owner_text_len == t->len && memcmp(s->owner_text, t->text, t->len) == 0)
		return 0;
	s->owner_text = NULL;
	enum name_error e = name_from_text(t->text, t->len, &s->origin, &s->owner);
	if (e != NAME_OK) {
		s->owner_state = OWNER_BAD;
		reader_error(r, t, "owner '%s': %s", reader_show(t->text, t->len, shown), name_error_text(e));
		return -EINVAL;
	}
	s->owner_state = OWNER_GOOD;
	s->owner_text = t->text;
	s->owner_text_len = t->len;
	return 0;
}

/* A line that begins with white space: checks that there is an owner to repeat. */
static int
repeat_owner(struct reader *r, const struct token *t)
{
	char shown[SHOWN_MAX];

	if (t->kind == TOKEN_WORD && t->text[0] == '$') {
		reader_error(r, t, "'%s': a directive must begin its line", reader_show(t->text, t->len, shown));
		return -EINVAL;
	}
	if (r->scope.owner_state != OWNER_NONE)
		return 0;
	r->scope.owner_state = OWNER_BAD;
	reader_error(r, t, "the first record has no owner name");
	return -EINVAL;
}

/* Reads the owner, or takes the last one; *at becomes the record's first token, *t the first behind the owner. */
static int
begin_record(struct reader *r, struct token *t, struct token *at)
{
	struct lexer *lex = &r->frame->lex;

	if (t->kind == TOKEN_BLANK) {
		*t = lexer_next(lex);
		*at = *t;
		return repeat_owner(r, t);
	}
	if (t->kind != TOKEN_WORD)
		return reader_unexpected(r, t, "an owner name");
	*at = *t;
	int rc = read_owner(r, t);
	if (rc == 0)
		*t = lexer_next(lex);
	return rc;
}

int
record_read(struct reader *r, struct token t)
{
	struct record_header h;
	struct rdata_error err;
	struct token at;

	int rc = begin_record(r, &t, &at);
	if (rc != 0)
		return rc;
	rc = record_read_header(r, t, &h);
	if (rc != 0)
		return rc;
	int rdlen = rdata_from_text(&r->frame->lex, h.type, &r->scope.origin, r->rdata, &err);
	if (unlikely(rdlen < 0)) {
		reader_error(r, &err, "%s", err.message);
		if (h.type == RRTYPE_SOA)
			r->ttl.missing_reported = true; /* its MINIMUM may be what the others would have taken */
		return -EINVAL;
	}
	if (r->scope.owner_state == OWNER_BAD)
		return 0;
	rc = record_add(r, &r->scope.owner, &h, (size_t)rdlen, &at);
	if (unlikely(rc == -EINVAL)) {
		/* The blank-owner lines that follow are of the same fault; one that is written out again is a new
		 * one. */
		r->scope.owner_state = OWNER_BAD;
		r->scope.owner_text = NULL;
	}
	return rc;
}
