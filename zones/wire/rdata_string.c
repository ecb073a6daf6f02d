/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fields that are names and strings.
 */
#include <errno.h>

#include "zones/wire/rdata_fields.h"

/* -------- names -------- */

int
rdata_read_name(struct rdata_reader *r)
{
	int rc = rdata_next_word(r, "a domain name");

	return rc != 0 ? rc : rdata_put_name(r);
}

void
rdata_show_name(struct rdata_printer *p)
{
	rdata_print_blank(p);
	rdata_print_name(p);
}

const char *
rdata_check_name(struct rdata_cursor *c)
{
	return rdata_skip_name(c, 0);
}

const char *
rdata_check_name_lower(struct rdata_cursor *c)
{
	return rdata_skip_name(c, RDATA_NAME_LOWER);
}

const char *
rdata_check_name_basic(struct rdata_cursor *c)
{
	return rdata_skip_name(c, RDATA_NAME_LOWER | RDATA_NAME_COMPRESS);
}

int
rdata_read_names(struct rdata_reader *r)
{
	int rc = 0;

	while (rc == 0 && rdata_more(r))
		rc = rdata_read_name(r);
	return rc;
}

void
rdata_show_names(struct rdata_printer *p)
{
	while (p->p < p->end)
		rdata_show_name(p);
}

const char *
rdata_check_names(struct rdata_cursor *c)
{
	const char *why = NULL;

	while (why == NULL && rdata_left(c) > 0)
		why = rdata_check_name(c);
	return why;
}

/* -------- strings with a length octet -------- */

int
rdata_read_string(struct rdata_reader *r)
{
	size_t at = r->len;

	if (rdata_next(r, "a string") != 0 || rdata_put_u8(r, 0) != 0 ||
	    rdata_put_unescaped(r, r->tok.text, r->tok.len, UINT8_MAX) != 0)
		return -EINVAL;
	r->out[at] = (uint8_t)(r->len - at - 1);
	return 0;
}

static void
print_quoted(struct rdata_printer *p, size_t n)
{
	rdata_print(p, "\"", 1);
	for (size_t i = 0; i < n; i++)
		rdata_print_quoted_octet(p, p->p[i]);
	rdata_print(p, "\"", 1);
	p->p += n;
}

void
rdata_show_string(struct rdata_printer *p)
{
	rdata_print_blank(p);
	size_t n = *p->p++;
	print_quoted(p, n);
}

const char *
rdata_check_string(struct rdata_cursor *c)
{
	if (rdata_left(c) == 0)
		return "a string is missing";
	return rdata_skip(c, 1u + *c->p);
}

int
rdata_read_string_opt(struct rdata_reader *r)
{
	return rdata_more(r) ? rdata_read_string(r) : 0;
}

void
rdata_show_string_opt(struct rdata_printer *p)
{
	if (p->p < p->end)
		rdata_show_string(p);
}

const char *
rdata_check_string_opt(struct rdata_cursor *c)
{
	return rdata_left(c) > 0 ? rdata_check_string(c) : NULL;
}

int
rdata_read_strings(struct rdata_reader *r)
{
	int rc = rdata_read_string(r);

	while (rc == 0 && rdata_more(r))
		rc = rdata_read_string(r);
	return rc;
}

void
rdata_show_strings(struct rdata_printer *p)
{
	while (p->p < p->end)
		rdata_show_string(p);
}

const char *
rdata_check_strings(struct rdata_cursor *c)
{
	const char *why = rdata_check_string(c);

	while (why == NULL && rdata_left(c) > 0)
		why = rdata_check_string(c);
	return why;
}

const char *
rdata_check_psdn(struct rdata_cursor *c)
{
	const uint8_t *s = c->p;
	const char *why = rdata_check_string(c);

	if (why != NULL)
		return why;
	for (unsigned i = 1; i <= *s; i++)
		if (s[i] < '0' || s[i] > '9')
			return "a PSDN address has digits only";
	return *s >= 4 ? NULL : "a PSDN address has at least four digits";
}

/* Tags are the one string that is printed without quotes: they cannot hold anything that needs them. */
void
rdata_show_tag(struct rdata_printer *p)
{
	rdata_print_blank(p);
	rdata_print(p, (const char *)p->p + 1, *p->p);
	p->p += 1u + *p->p;
}

const char *
rdata_check_tag(struct rdata_cursor *c)
{
	const uint8_t *s = c->p;
	const char *why = rdata_check_string(c);

	if (why != NULL)
		return why;
	if (*s == 0)
		return "the tag is empty";
	for (unsigned i = 1; i <= *s; i++)
		if (!(s[i] >= '0' && s[i] <= '9') && (uint8_t)((s[i] | 0x20) - 'a') >= 26)
			return "the tag may hold letters and digits only";
	return NULL;
}

/* -------- the rest as one string -------- */

int
rdata_read_text(struct rdata_reader *r)
{
	int rc = rdata_next(r, "a string");

	return rc != 0 ? rc : rdata_put_unescaped(r, r->tok.text, r->tok.len, RDATA_MAX_LEN);
}

void
rdata_show_text(struct rdata_printer *p)
{
	rdata_print_blank(p);
	print_quoted(p, (size_t)(p->end - p->p));
}

const char *
rdata_check_rest(struct rdata_cursor *c)
{
	c->p = c->end;
	return NULL;
}

const char *
rdata_check_rest_not_empty(struct rdata_cursor *c)
{
	return rdata_left(c) > 0 ? rdata_check_rest(c) : "the last field is empty";
}
