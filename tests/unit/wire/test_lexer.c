/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/wire/cmocka_wire.h"

#include <stdio.h>
#include <stdlib.h>

#include "zones/wire/lexer.h"

/*
 * Writes the tokens of text as one line: words plain, quoted ones in quotes, `_` for BLANK, `|` for EOL, `$` for
 * EOF,
 * `!` for ERROR; each but the last two followed by @line:column. The text is a heap copy of exact size.
 */
static char *
tokens_of(const char *text, size_t len)
{
	static char out[4096];
	char *copy = malloc(len > 0 ? len : 1), *o = out;
	struct lexer lex;
	struct token t;

	assert_non_null(copy);
	memcpy(copy, text, len);
	lexer_init(&lex, copy, len);
	do {
		static const char *const no_text[] = {"_", "|", "$", "!"};
		t = lexer_next(&lex);
		if (t.kind == TOKEN_WORD)
			o += sprintf(o, "%.*s", (int)t.len, t.text);
		else if (t.kind == TOKEN_QUOTED)
			o += sprintf(o, "\"%.*s\"", (int)t.len, t.text);
		else
			o += sprintf(o, "%s", no_text[t.kind - TOKEN_BLANK]);
		if (t.kind != TOKEN_EOF)
			o += sprintf(o, "@%u:%u ", t.line, t.column);
	} while (t.kind != TOKEN_EOF);
	assert_int_equal(lexer_next(&lex).kind, TOKEN_EOF); /* and so on */
	free(copy);
	return out;
}

static void
expect(const char *text, const char *tokens)
{
	assert_string_equal(tokens_of(text, strlen(text)), tokens);
}

static void
words(void **state)
{
	expect("a b\n", "a@1:1 b@1:3 |@1:4 $");
	expect("a\tb \nc\n", "a@1:1 b@1:3 |@1:5 c@2:1 |@2:2 $");
	expect("@ IN $TTL *.x\n", "@@1:1 IN@1:3 $TTL@1:6 *.x@1:11 |@1:14 $");
	expect("", "|@1:1 $");
	expect("a", "a@1:1 |@1:2 $");
	expect("a ", "a@1:1 |@1:3 $");
}

static void
line_ends(void **state)
{
	expect("a\r\nb\r\n", "a@1:1 |@1:3 b@2:1 |@2:3 $");
	expect("a\r\n  b\r\n", "a@1:1 |@1:3 _@2:1 b@2:3 |@2:5 $");
	expect("a\\\r\nb", "a\\@1:1 |@1:4 b@2:1 |@2:2 $");
	expect("a\\\nb", "a\\@1:1 |@1:3 b@2:1 |@2:2 $");
}

static void
empty_lines(void **state)
{
	expect("\n\n a\n\n", "_@3:1 a@3:2 |@3:3 $");
	expect("; comment\n   ; another\n\t\n\r\na\n", "a@5:1 |@5:2 $");
	expect("a\n;b", "a@1:1 |@1:2 $");
	expect("a\n  ", "a@1:1 |@1:2 $");
}

static void
comments(void **state)
{
	expect("a ;b c\nd;e\n", "a@1:1 |@1:7 d@2:1 |@2:4 $");
	expect("a \\;b\n", "a@1:1 \\;b@1:3 |@1:6 $");
	expect("a \"b;c\"\n", "a@1:1 \"b;c\"@1:3 |@1:8 $");
	expect("a ; \" ( )\nb\n", "a@1:1 |@1:10 b@2:1 |@2:2 $");
}

static void
parentheses(void **state)
{
	expect("a (b\n c ; x )\n\n d) e\nf\n", "a@1:1 b@1:4 c@2:2 d@4:2 e@4:5 |@4:6 f@5:1 |@5:2 $");
	expect("a(b)c\n", "a@1:1 b@1:3 c@1:5 |@1:6 $");
	expect("a ((b\n) c\n) d\n", "a@1:1 b@1:5 c@2:3 d@3:3 |@3:4 $");
	expect("(\na )\n", "a@2:1 |@2:4 $");
	expect(" ( a )\n", "_@1:1 a@1:4 |@1:7 $");
	expect("a \\(b\\)\n", "a@1:1 \\(b\\)@1:3 |@1:8 $");
}

static void
quotes(void **state)
{
	expect("\"a b\" \"\"\n", "\"a b\"@1:1 \"\"@1:7 |@1:9 $");
	expect("\"a\\\"b\\\\\" c\n", "\"a\\\"b\\\\\"@1:1 c@1:10 |@1:11 $");
	expect("\"(\" \")\"\n", "\"(\"@1:1 \")\"@1:5 |@1:8 $");
	expect("k=\"v\"\"w\"x\n", "k=@1:1 \"v\"@1:3 \"w\"@1:6 x@1:9 |@1:10 $");
}

/* The error stands where the fault began, and the record's EOL still comes. */
static void
errors(void **state)
{
	expect("a \"b\nc\n", "a@1:1 !@1:3 |@1:5 c@2:1 |@2:2 $");
	expect("a \"b", "a@1:1 !@1:3 |@1:5 $");
	expect("a \"b\\", "a@1:1 !@1:3 |@1:6 $");
	expect("a \"b\\\nc\n", "a@1:1 !@1:3 |@1:6 c@2:1 |@2:2 $");
	expect("a ) b\nc\n", "a@1:1 !@1:3 |@1:6 c@2:1 |@2:2 $");
	expect(") b\nc\n", "!@1:1 |@1:4 c@2:1 |@2:2 $");
	expect("a (b\nc\n", "a@1:1 b@1:4 c@2:1 !@1:3 |@3:1 $");
	expect("a (\n\"b\n) c\nd", "a@1:1 !@2:1 c@3:3 |@3:4 d@4:1 |@4:2 $");
}

static void
nul_octets(void **state)
{
	struct lexer lex;

	lexer_init(&lex, "a\0b c", 5);
	struct token t = lexer_next(&lex);
	assert_int_equal(t.kind, TOKEN_WORD);
	assert_int_equal(t.len, 3);
	assert_int_equal(lexer_next(&lex).len, 1);
}

static void
unread(void **state)
{
	struct lexer lex;

	lexer_init(&lex, "a\nb", 3);
	struct token a = lexer_next(&lex), eol = lexer_next(&lex);
	assert_int_equal(eol.kind, TOKEN_EOL);
	assert_true(lex.last_was_eol);
	lexer_unread(&lex, eol);
	assert_false(lex.last_was_eol);
	assert_int_equal(lexer_next(&lex).kind, TOKEN_EOL);
	assert_true(lex.last_was_eol);
	lexer_unread(&lex, a);
	struct token again = lexer_next(&lex);
	assert_ptr_equal(again.text, a.text);
	assert_false(lex.last_was_eol);
	assert_memory_equal(lexer_next(&lex).text, "b", 1);
}

static void
skipping(void **state)
{
	static const char text[] = "a b (c\n d) e\nf \"\ng )\nh";
	struct lexer lex;

	lexer_init(&lex, text, sizeof(text) - 1);
	assert_memory_equal(lexer_next(&lex).text, "a", 1);
	lexer_skip_record(&lex);
	assert_memory_equal(lexer_next(&lex).text, "f", 1);
	assert_int_equal(lexer_next(&lex).kind, TOKEN_ERROR);
	lexer_skip_record(&lex);
	assert_memory_equal(lexer_next(&lex).text, "g", 1);
	assert_int_equal(lexer_next(&lex).kind, TOKEN_ERROR);
	lexer_skip_record(&lex);
	struct token t = lexer_next(&lex);
	assert_memory_equal(t.text, "h", 1);
	assert_int_equal(t.line, 5);
	lexer_skip_record(&lex);
	assert_int_equal(lexer_next(&lex).kind, TOKEN_EOF);
	lexer_skip_record(&lex); /* at the end: ends too */
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words),    cmocka_unit_test(line_ends),   cmocka_unit_test(empty_lines),
		cmocka_unit_test(comments), cmocka_unit_test(parentheses), cmocka_unit_test(quotes),
		cmocka_unit_test(errors),   cmocka_unit_test(nul_octets),  cmocka_unit_test(unread),
		cmocka_unit_test(skipping),
	};

	return cmocka_run_group_tests_name("lexer", tests, NULL, NULL);
}
