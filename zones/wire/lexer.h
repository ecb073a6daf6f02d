/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tokens of the master-file format (RFC 1035 section 5.1), one pass over bytes that stay where they are.
 *
 * A token points into the input; escapes are left as written (`\.` inside a word stays two characters) and are
 * resolved by whoever knows what the word means. Parentheses and comments are handled here: inside parentheses
 * a newline is only white space. Used by zones/load for files and by rdata_from_text() for a record's data.
 *
 * The input is borrowed and must outlive the tokens. One thread; pure.
 */
#ifndef ANSER_WIRE_LEXER_H
#define ANSER_WIRE_LEXER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "zones/base/compiler.h"

enum token_kind {
	TOKEN_WORD,
	TOKEN_QUOTED, /* text is between the quotes */
	TOKEN_BLANK,  /* white space at the start of a line outside parentheses: "the last owner" */
	TOKEN_EOL,    /* end of a record; never inside parentheses */
	TOKEN_EOF,    /* an EOL always comes before it, even where the last newline is missing */
	TOKEN_ERROR,  /* unbalanced parenthesis or unterminated quote; text is a message for people */
};

struct token {
	enum token_kind kind;
	const char *text;
	size_t len;
	uint32_t line, column; /* from 1; columns count octets */
};

struct lexer {
	const char *cur, *end;
	const char *line_start;
	uint32_t line;
	unsigned depth;                    /* open parentheses */
	uint32_t paren_line, paren_column; /* of the outermost open one */
	bool at_line_start, last_was_eol;
	bool has_unread;
	struct token unread;
};

void lexer_init(struct lexer *lex, const char *text, size_t len);

/* The next token. After EOF: EOF again. After ERROR: the lexer skips to the next line and goes on. */
struct token lexer_next(struct lexer *lex);

/* Puts one token back; the next lexer_next() returns it. */
void lexer_unread(struct lexer *lex, struct token t);

/*
 * Passes over lines without contents, where a line begins, and returns where the next record does: at the start of
 * its line. At the end of the input that is the end, or white space before it.
 */
const char *lexer_find_record(struct lexer *lex);

/* Skips to behind the end of the current record (its EOL); how a reader goes on after an error. */
void lexer_skip_record(struct lexer *lex);

#endif
