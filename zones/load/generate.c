/* SPDX-License-Identifier: Apache-2.0 */
/*
 * $GENERATE range owner [TTL] [class] type data: one record for each number of a range. The syntax is BIND's:
 *
 *     range  start-stop or start-stop/step
 *     $      the number            $$, \$   a dollar sign
 *     ${offset[,width[,base]]}     number + offset, at least `width` wide, in base d, o, x, X, or n, N: hexadecimal
 *                                  digits from the lowest on with dots between, for ip6.arpa; width counts the dots
 *
 * Data is the rest of the line. If that is one quoted string, the quotes are only there to keep it together (BIND
 * allows a single word here, so its zone files have them) and do not become part of the record.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "zones/load/reader.h"
#include "zones/wire/rrtype.h"

#define TEMPLATE_MAX 2048
#define EXPANDED_MAX 8192
#define WIDTH_MAX 255

struct range {
	uint32_t start, stop, step;
};

/* A piece of text that is filled step by step; `overflow` is sticky. */
struct text {
	char *at;
	size_t len, cap;
	bool overflow;
};

static void
text_put(struct text *out, const char *s, size_t len)
{
	if (len > out->cap - out->len) {
		out->overflow = true;
		return;
	}
	memcpy(out->at + out->len, s, len);
	out->len += len;
}

/* Reads digits at *p; false if there are none or the number is over TTL_MAX_S, the bound of BIND's, too. */
static bool
read_number(const char **p, const char *end, uint32_t *out)
{
	uint64_t n = 0;
	const char *start = *p;

	while (*p < end && **p >= '0' && **p <= '9' && n <= INT32_MAX)
		n = n * 10 + (uint64_t)(*(*p)++ - '0');
	*out = (uint32_t)n;
	return *p > start && n <= INT32_MAX;
}

static bool
read_char(const char **p, const char *end, char c)
{
	if (*p == end || **p != c)
		return false;
	(*p)++;
	return true;
}

static int
read_range(struct reader *r, const struct token *t, struct range *out)
{
	char shown[SHOWN_MAX];
	const char *p = t->text, *end = t->text + t->len;

	if (t->kind != TOKEN_WORD)
		return reader_unexpected(r, t, "a range");
	out->step = 1;
	if (!read_number(&p, end, &out->start) || !read_char(&p, end, '-') || !read_number(&p, end, &out->stop) ||
	    (read_char(&p, end, '/') && !read_number(&p, end, &out->step)) || p != end || out->step == 0 ||
	    out->start > out->stop) {
		reader_error(r, t, "'%s' is not a range: start-stop or start-stop/step, start not above stop",
			     reader_show(t->text, t->len, shown));
		return -EINVAL;
	}
	uint32_t steps = (out->stop - out->start) / out->step + 1;
	if (steps > GENERATE_MAX_STEPS) {
		reader_error(r, t, "$GENERATE of %u records: at most %d are allowed", steps, GENERATE_MAX_STEPS);
		return -EINVAL;
	}
	return 0;
}

/* -------- substitution -------- */

struct modifier {
	int64_t offset;
	uint32_t width;
	char base;
};

/* Reads `{offset,width,base}` at *p. NULL, or what is wrong. */
static const char *
read_modifier(const char **p, const char *end, struct modifier *m)
{
	uint32_t n;

	(*p)++;
	bool negative = read_char(p, end, '-');
	if (!read_number(p, end, &n))
		return "the offset in ${...} is not a number";
	m->offset = negative ? -(int64_t)n : (int64_t)n;
	if (read_char(p, end, ',') && (!read_number(p, end, &m->width) || m->width > WIDTH_MAX))
		return "the width in ${...} is not a number up to 255";
	if (read_char(p, end, ',')) {
		if (*p == end || memchr("doxXnN", **p, 6) == NULL)
			return "the base in ${...} is not one of d, o, x, X, n and N";
		m->base = *(*p)++;
	}
	return read_char(p, end, '}') ? NULL : "${...} is not offset, width and base with a } at its end";
}

static void
put_nibbles(struct text *out, uint32_t value, uint32_t width, const char *digits)
{
	uint32_t used = 0;

	do {
		text_put(out, &digits[value & 15], 1);
		value >>= 4;
		used++;
		if (value == 0 && used >= width)
			break;
		text_put(out, ".", 1);
		used++;
	} while (value != 0 || used < width);
}

static void
put_value(struct text *out, uint32_t value, const struct modifier *m)
{
	char digits[WIDTH_MAX + 16];
	int width = (int)m->width, n;

	switch (m->base) {
	case 'n':
		put_nibbles(out, value, m->width, "0123456789abcdef");
		return;
	case 'N':
		put_nibbles(out, value, m->width, "0123456789ABCDEF");
		return;
	case 'o':
		n = snprintf(digits, sizeof(digits), "%0*o", width, value);
		break;
	case 'x':
		n = snprintf(digits, sizeof(digits), "%0*x", width, value);
		break;
	case 'X':
		n = snprintf(digits, sizeof(digits), "%0*X", width, value);
		break;
	default:
		n = snprintf(digits, sizeof(digits), "%0*u", width, value);
	}
	text_put(out, digits, (size_t)n);
}

/* What follows a `$` at *p. NULL, or what is wrong. */
static const char *
put_substitute(const char **p, const char *end, uint32_t number, struct text *out)
{
	struct modifier m = {.base = 'd'};

	if (read_char(p, end, '$')) {
		text_put(out, "$", 1);
		return NULL;
	}
	if (*p < end && **p == '{') {
		const char *why = read_modifier(p, end, &m);
		if (why != NULL)
			return why;
	}
	int64_t value = (int64_t)number + m.offset;
	if (value < 0 || value > INT32_MAX)
		return "number and offset make a value below 0 or over 2147483647";
	put_value(out, (uint32_t)value, &m);
	return NULL;
}

/* Writes a template with its dollars replaced. NULL, or what is wrong. */
static const char *
expand(const char *p, size_t len, uint32_t number, struct text *out)
{
	const char *end = p + len;

	while (p < end) {
		if (*p == '$') {
			p++;
			const char *why = put_substitute(&p, end, number, out);
			if (why != NULL)
				return why;
			continue;
		}
		size_t n =
			*p == '\\' && end - p > 1 ? 2 : 1; /* an escape stays one for those who read the result */
		text_put(out, p, n);
		p += n;
	}
	return out->overflow ? "the expanded text is too long" : NULL;
}

/* -------- records -------- */

struct generate {
	const struct token *at;   /* the directive: where its records are placed */
	struct token owner, data; /* data: its first token, for messages */
	struct record_header header;
	struct text data_template;
};

static void
put_quoted_contents(struct text *out, const struct token *t)
{
	for (size_t i = 0; i < t->len; i++) {
		if (t->text[i] == '\\' && i + 1 < t->len && t->text[i + 1] != '"')
			text_put(out, &t->text[i++], 1);
		else if (t->text[i] == '\\' && i + 1 < t->len)
			i++; /* the quote loses its backslash, as the string loses its quotes */
		text_put(out, &t->text[i], 1);
	}
}

/* Reads the rest of the line into the template: words with a space between. */
static int
read_data(struct reader *r, struct generate *g)
{
	struct lexer *lex = &r->frame->lex;
	struct text *out = &g->data_template;
	struct token t = lexer_next(lex), second;

	g->data = t;
	if (t.kind != TOKEN_WORD && t.kind != TOKEN_QUOTED)
		return reader_unexpected(r, &t, "the data");
	second = lexer_next(lex);
	if (t.kind == TOKEN_QUOTED && second.kind == TOKEN_EOL) {
		put_quoted_contents(out, &t);
	} else {
		lexer_unread(lex, second);
		for (; t.kind == TOKEN_WORD || t.kind == TOKEN_QUOTED; t = lexer_next(lex)) {
			const char *quote = t.kind == TOKEN_QUOTED ? "\"" : "";
			text_put(out, " ", out->len > 0);
			text_put(out, quote, strlen(quote));
			text_put(out, t.text, t.len);
			text_put(out, quote, strlen(quote));
		}
		if (t.kind != TOKEN_EOL)
			return reader_unexpected(r, &t, "data or the end of the line");
	}
	if (out->overflow)
		reader_error(r, &g->data, "the data of $GENERATE is over %d octets", TEMPLATE_MAX);
	return out->overflow ? -EINVAL : 0;
}

static int
step_error(struct reader *r, const struct token *at, uint32_t number, const char *why)
{
	reader_error(r, at, "$GENERATE at %u: %s", number, why);
	return -EINVAL;
}

static int
generate_owner(struct reader *r, const struct generate *g, uint32_t number, struct name *owner)
{
	char buf[NAME_TEXT_MAX];
	struct text text = {.at = buf, .cap = sizeof(buf)};

	const char *why = expand(g->owner.text, g->owner.len, number, &text);
	if (why == NULL) {
		enum name_error e = name_from_text(buf, text.len, &r->scope.origin, owner);
		why = e != NAME_OK ? name_error_text(e) : NULL;
	}
	return why != NULL ? step_error(r, &g->owner, number, why) : 0;
}

/* The data of one step, into r->rdata; its length or -EINVAL. */
static int
generate_data(struct reader *r, const struct generate *g, uint32_t number)
{
	char buf[EXPANDED_MAX];
	struct text text = {.at = buf, .cap = sizeof(buf)};
	struct lexer lex;
	struct rdata_error err;

	const char *why = expand(g->data_template.at, g->data_template.len, number, &text);
	if (why != NULL)
		return step_error(r, &g->data, number, why);
	lexer_init(&lex, buf, text.len);
	lex.at_line_start = false; /* this is the rest of a line */
	int rdlen = rdata_from_text(&lex, g->header.type, &r->scope.origin, r->rdata, &err);
	return rdlen < 0 ? step_error(r, &g->data, number, err.message) : rdlen;
}

/* Stops at the first step that fails: the others would fail of the same. */
static int
generate_records(struct reader *r, const struct generate *g, const struct range *range)
{
	struct name owner;

	for (uint64_t number = range->start; number <= range->stop; number += range->step) {
		int rc = generate_owner(r, g, (uint32_t)number, &owner);
		if (rc != 0)
			return rc;
		int rdlen = generate_data(r, g, (uint32_t)number);
		if (rdlen < 0)
			return rdlen;
		rc = record_add(r, &owner, &g->header, (size_t)rdlen, g->at);
		if (rc != 0)
			return rc;
	}
	return 0;
}

int
generate_read(struct reader *r, const struct token *at)
{
	struct lexer *lex = &r->frame->lex;
	char data[TEMPLATE_MAX];
	struct generate g = {.at = at, .data_template = {.at = data, .cap = sizeof(data)}};
	struct range range = {0};

	struct token t = lexer_next(lex);
	int rc = read_range(r, &t, &range);
	if (rc != 0)
		return rc;
	g.owner = lexer_next(lex);
	if (g.owner.kind != TOKEN_WORD)
		return reader_unexpected(r, &g.owner, "an owner name");
	rc = record_read_header(r, lexer_next(lex), &g.header);
	if (rc == 0)
		rc = read_data(r, &g);
	return rc == 0 ? generate_records(r, &g, &range) : rc;
}
