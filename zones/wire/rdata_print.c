/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Wire to text: the driver that walks a type's fields, and the helpers that the fields' printers share.
 */
#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "zones/wire/rdata_fields.h"

void
rdata_print(struct rdata_printer *p, const char *text, size_t n)
{
	if (n >= p->cap - p->len) {
		p->full = true;
		return;
	}
	memcpy(p->out + p->len, text, n);
	p->len += n;
}

void
rdata_printf(struct rdata_printer *p, const char *fmt, ...)
{
	char text[256];
	va_list args;

	va_start(args, fmt);
	int n = vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	assert(n >= 0 && (size_t)n < sizeof(text));
	rdata_print(p, text, (size_t)n);
}

void
rdata_print_blank(struct rdata_printer *p)
{
	if (p->len > 0)
		rdata_print(p, " ", 1);
}

void
rdata_print_name(struct rdata_printer *p)
{
	char text[NAME_TEXT_MAX];

	rdata_print(p, text, name_to_text(p->p, text));
	p->p += name_len(p->p);
}

void
rdata_print_quoted_octet(struct rdata_printer *p, uint8_t c)
{
	char text[4] = {(char)c};
	size_t n = 1;

	if (c < ' ' || c >= 0x7f) {
		text[0] = '\\';
		text[1] = (char)('0' + c / 100);
		text[2] = (char)('0' + c / 10 % 10);
		text[3] = (char)('0' + c % 10);
		n = 4;
	} else if (c == '"' || c == '\\') {
		text[0] = '\\';
		text[1] = (char)c;
		n = 2;
	}
	rdata_print(p, text, n);
}

/* The whole rdata as RFC 3597 section 5 has it. */
static void
print_generic(struct rdata_printer *p)
{
	p->len = 0;
	p->p = p->start;
	size_t n = (size_t)(p->end - p->start);
	rdata_printf(p, "\\# %zu", n);
	if (n > 0) {
		rdata_print_blank(p);
		rdata_print_hex(p, n);
	}
}

int
rdata_to_text(uint16_t type, const uint8_t *rdata, size_t len, char *out, size_t cap)
{
	struct rdata_printer p = {.start = rdata, .p = rdata, .end = rdata + len, .out = out, .cap = cap};

	if (cap == 0)
		return -ENOBUFS;
	for (const uint8_t *f = rdata_fields_of(type); *f != RDF_END && !p.generic && !p.full; f++)
		rdata_field_rows[*f].show(&p);
	if (p.generic) {
		p.full = false;
		print_generic(&p);
	}
	if (p.full)
		return -ENOBUFS;
	assert(p.p == p.end);
	out[p.len] = '\0';
	return (int)p.len;
}
