/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tokenizer of master files. Zone loading spends a good part of its time here, so nothing is copied, and the
 * end of a word is looked for in 16 octets at a time: one branch a word, where a loop over its octets has one each
 * and ends with a surprise. Vectors are the compiler's: SSE2 or NEON, as it builds.
 *
 * Lines that hold nothing but white space and comments produce no token at all. An error consumes the rest of its
 * line; the EOL of the record still follows, so that lexer_skip_record() never eats a good record.
 */
#include "zones/wire/lexer.h"

#include <string.h>

enum { ENDS_WORD = 1, IS_WHITE = 2 };

static const uint8_t class_of[256] = {
	[' '] = ENDS_WORD | IS_WHITE,
	['\t'] = ENDS_WORD | IS_WHITE,
	['\r'] = ENDS_WORD | IS_WHITE, /* only ever seen before a newline */
	['\n'] = ENDS_WORD,
	['('] = ENDS_WORD,
	[')'] = ENDS_WORD,
	[';'] = ENDS_WORD,
	['"'] = ENDS_WORD,
	['\\'] = ENDS_WORD, /* not an end, but worth a second look */
};

void
lexer_init(struct lexer *lex, const char *text, size_t len)
{
	*lex = (struct lexer){
		.cur = text,
		.end = text + len,
		.line_start = text,
		.line = 1,
		.at_line_start = true,
	};
}

static struct token
make_token(const struct lexer *lex, enum token_kind kind, const char *text, size_t len)
{
	return (struct token){
		.kind = kind,
		.text = text,
		.len = len,
		.line = lex->line,
		.column = (uint32_t)(text - lex->line_start) + 1,
	};
}

/* Stands on a newline: goes behind it. */
static void
next_line(struct lexer *lex)
{
	lex->cur++;
	lex->line++;
	lex->line_start = lex->cur;
}

static void
skip_to_newline(struct lexer *lex)
{
	const char *p = lex->cur;

	while (p < lex->end && *p != '\n')
		p++;
	lex->cur = p;
}

static struct token
make_error(struct lexer *lex, uint32_t line, uint32_t column, const char *message, size_t message_len)
{
	lex->at_line_start = false;
	lex->last_was_eol = false;
	skip_to_newline(lex);
	return (struct token){
		.kind = TOKEN_ERROR, .text = message, .len = message_len, .line = line, .column = column};
}

#define LEXER_ERROR(lex, line, column, message) make_error(lex, line, column, message, sizeof(message) - 1)

#define LANES 16
typedef uint8_t vector __attribute__((vector_size(LANES)));

/* All octets that end a word are among these; the others here are rare in words. */
static inline vector
may_end_word(vector v)
{
	return (vector)(v <= ')') | (vector)(v == ';') | (vector)(v == '\\');
}

/* The first octet from p on that is no plain part of a word, or `end`. */
static inline const char *
find_word_end(const char *p, const char *end)
{
	vector v;
	uint64_t half[2];

	while (end - p >= LANES) {
		memcpy(&v, p, LANES);
		v = may_end_word(v);
		memcpy(half, &v, LANES);
		unsigned n = half[0] != 0   ? (unsigned)__builtin_ctzll(half[0]) / 8
			     : half[1] != 0 ? 8 + (unsigned)__builtin_ctzll(half[1]) / 8
					    : LANES;
		p += n;
		if (n == LANES)
			continue;
		if (likely(class_of[(uint8_t)*p] != 0))
			return p;
		p++;
	}
	while (p < end && class_of[(uint8_t)*p] == 0)
		p++;
	return p;
}

static inline struct token
read_word(struct lexer *lex)
{
	const char *p = lex->cur, *end = lex->end, *start = p;

	for (;;) {
		p = find_word_end(p, end);
		if (p == end || *p != '\\')
			break;
		p++; /* the escaped octet is part of the word whatever it is, but a line's end stays one */
		if (p < end && *p != '\n' && *p != '\r')
			p++;
	}
	lex->cur = p;
	return make_token(lex, TOKEN_WORD, start, (size_t)(p - start));
}

static struct token
read_quoted(struct lexer *lex)
{
	const char *p = lex->cur + 1, *end = lex->end;
	uint32_t column = (uint32_t)(lex->cur - lex->line_start) + 1;

	while (p < end && *p != '"' && *p != '\n')
		p += *p == '\\' && end - p > 1 && p[1] != '\n' ? 2 : 1;
	if (p >= end || *p != '"')
		return LEXER_ERROR(lex, lex->line, column, "the quote is not closed on its line");
	struct token t = make_token(lex, TOKEN_QUOTED, lex->cur + 1, (size_t)(p - lex->cur) - 1);
	t.column = column;
	lex->cur = p + 1;
	return t;
}

static struct token
read_end(struct lexer *lex)
{
	if (lex->depth > 0) {
		lex->depth = 0;
		return LEXER_ERROR(lex, lex->paren_line, lex->paren_column, "the parenthesis is never closed");
	}
	struct token t = make_token(lex, lex->last_was_eol ? TOKEN_EOF : TOKEN_EOL, lex->cur, 0);
	lex->last_was_eol = true;
	return t;
}

static struct token
read_newline(struct lexer *lex)
{
	struct token t = make_token(lex, TOKEN_EOL, lex->cur, 0);

	next_line(lex);
	lex->at_line_start = true;
	lex->last_was_eol = true;
	return t;
}

static void
open_paren(struct lexer *lex)
{
	if (lex->depth++ == 0) {
		lex->paren_line = lex->line;
		lex->paren_column = (uint32_t)(lex->cur - lex->line_start) + 1;
	}
	lex->cur++;
}

/* White space and comments up to something that counts, or to the end of the line. */
static inline void
skip_white(struct lexer *lex)
{
	const char *p = lex->cur;

	while (p < lex->end && class_of[(uint8_t)*p] & IS_WHITE)
		p++;
	lex->cur = p;
	if (p < lex->end && *p == ';')
		skip_to_newline(lex);
}

/*
 * At the start of a line outside parentheses: passes over lines without contents. Returns true where the first line
 * with contents begins with white space, which is then skipped; *blank is its token.
 */
static bool
begin_line(struct lexer *lex, struct token *blank)
{
	for (;;) {
		const char *start = lex->cur;
		skip_white(lex);
		if (lex->cur == lex->end)
			return false;
		if (*lex->cur != '\n') {
			lex->at_line_start = false;
			*blank = make_token(lex, TOKEN_BLANK, start, (size_t)(lex->cur - start));
			return lex->cur > start;
		}
		next_line(lex);
	}
}

const char *
lexer_find_record(struct lexer *lex)
{
	while (lex->at_line_start && !lex->has_unread) {
		const char *start = lex->cur;
		skip_white(lex);
		if (lex->cur == lex->end || *lex->cur != '\n') {
			lex->cur = start;
			break;
		}
		next_line(lex);
	}
	return lex->cur;
}

static struct token
take_unread(struct lexer *lex)
{
	lex->has_unread = false;
	lex->last_was_eol = lex->unread.kind == TOKEN_EOL || lex->unread.kind == TOKEN_EOF;
	return lex->unread;
}

struct token
lexer_next(struct lexer *lex)
{
	struct token blank;

	if (unlikely(lex->has_unread))
		return take_unread(lex);
	if (lex->at_line_start && begin_line(lex, &blank)) {
		lex->last_was_eol = false;
		return blank;
	}
	for (;;) {
		skip_white(lex);
		if (lex->cur == lex->end)
			return read_end(lex);
		lex->last_was_eol = false;
		if (likely(class_of[(uint8_t)*lex->cur] == 0))
			return read_word(lex);
		switch (*lex->cur) {
		case '\n':
			if (lex->depth == 0)
				return read_newline(lex);
			next_line(lex);
			continue;
		case '(':
			open_paren(lex);
			continue;
		case ')':
			if (lex->depth == 0)
				return LEXER_ERROR(lex, lex->line, (uint32_t)(lex->cur - lex->line_start) + 1,
						   "the closing parenthesis has no opening one");
			lex->depth--;
			lex->cur++;
			continue;
		case '"':
			return read_quoted(lex);
		default: /* a backslash */
			return read_word(lex);
		}
	}
}

void
lexer_unread(struct lexer *lex, struct token t)
{
	lex->unread = t;
	lex->has_unread = true;
	lex->last_was_eol = false;
}

void
lexer_skip_record(struct lexer *lex)
{
	struct token t;

	do
		t = lexer_next(lex);
	while (t.kind != TOKEN_EOL && t.kind != TOKEN_EOF);
}
