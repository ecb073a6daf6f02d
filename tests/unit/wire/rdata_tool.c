/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads lines `TYPE rdata` and prints what became of each: the octets in hex, or `error column: message`. For
 * comparisons with other implementations (rdata_dnspython.py). With -t it prints the text form again.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "zones/wire/rdata.h"

static void
print_hex(const uint8_t *p, int n)
{
	for (int i = 0; i < n; i++)
		printf("%02x", p[i]);
	putchar('\n');
}

static void
convert(char *line, size_t len, bool as_text)
{
	static uint8_t wire[RDATA_MAX_LEN];
	static char text[5 * RDATA_MAX_LEN];
	struct name origin;
	struct rdata_error err;
	struct lexer lex;
	uint16_t type;
	size_t word = strcspn(line, " \t\n");

	if (name_from_text("example.com.", 12, NULL, &origin) != NAME_OK ||
	    rrtype_from_text(line, word, &type) != 0) {
		printf("error 1: this is not a type\n");
		return;
	}
	lexer_init(&lex, line + word, len - word);
	int n = rdata_from_text(&lex, type, &origin, wire, &err);
	if (n < 0)
		printf("error %u: %s\n", err.column + (unsigned)word, err.message);
	else if (!as_text)
		print_hex(wire, n);
	else if (rdata_to_text(type, wire, (size_t)n, text, sizeof(text)) >= 0)
		printf("%s\n", text);
}

int
main(int argc, char **argv)
{
	bool as_text = argc > 1 && strcmp(argv[1], "-t") == 0;
	char *line = NULL;
	size_t cap = 0;
	ssize_t len;

	while ((len = getline(&line, &cap, stdin)) > 0)
		convert(line, (size_t)len, as_text);
	free(line);
	return 0;
}
