/* SPDX-License-Identifier: Apache-2.0 */
/* Questions in memory, and their file. See questions.h. */
#include "bench/blast/questions.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/frame_private.h"
#include "zones/base/bytes.h"
#include "zones/wire/rrtype.h"

#define EDNS_DO 0x8000u
#define EDNS_SIZE_DEFAULT 1232

/* -------- building -------- */

/* Room for one more. */
static int
reserve(struct questions *q)
{
	if (q->n == q->cap) {
		uint32_t cap = q->cap != 0 ? q->cap * 2 : 1024;
		struct question *items = cap > q->cap ? realloc(q->items, cap * sizeof(*items)) : NULL;
		if (items == NULL)
			return -ENOMEM;
		q->items = items;
		q->cap = cap;
	}
	if (q->cap_bytes - q->n_bytes < QUESTION_MAX_LEN + 8) {
		size_t cap = q->cap_bytes != 0 ? q->cap_bytes * 2 : 65536;
		uint8_t *bytes = realloc(q->bytes, cap);
		if (bytes == NULL)
			return -ENOMEM;
		q->bytes = bytes;
		q->cap_bytes = cap;
	}
	return q->n_bytes > UINT32_MAX ? -EFBIG : 0;
}

static uint32_t
message_write(uint8_t *m, const struct name *name, uint16_t type, const struct question_style *style)
{
	uint32_t len = 12;
	bool edns = style->edns_size > 0 || style->dnssec;
	memset(m, 0, len);
	m[5] = 1;
	m[11] = edns;
	memcpy(m + len, name->bytes, name->len);
	len += name->len;
	store_be16(m + len, type);
	store_be16(m + len + 2, RRCLASS_IN);
	len += 4;
	if (!edns)
		return len;
	m[len] = 0;
	store_be16(m + len + 1, RRTYPE_OPT);
	store_be16(m + len + 3, style->edns_size > 0 ? style->edns_size : EDNS_SIZE_DEFAULT);
	store_be32(m + len + 5, style->dnssec ? EDNS_DO : 0);
	store_be16(m + len + 9, 0);
	return len + QUESTION_EDNS_LEN;
}

int
questions_add(struct questions *q, const struct name *name, uint16_t type, const struct question_style *style)
{
	int err = reserve(q);
	if (err != 0)
		return err;
	uint8_t *m = q->bytes + q->n_bytes;
	uint32_t len = message_write(m, name, type, style);
	q->items[q->n++] = (struct question){
		.at = (uint32_t)q->n_bytes,
		.len = (uint16_t)len,
		.sum = checksum_fold(checksum_sum(m, len)),
	};
	q->n_bytes += len;
	return 0;
}

void
questions_free(struct questions *q)
{
	free(q->bytes);
	free(q->items);
	*q = (struct questions){0};
}

/* -------- the file -------- */

struct word {
	const char *text;
	size_t len;
};

struct line {
	const char *path;
	uint32_t number;
	const char *text;
	struct diag_list *diag;
};

static void
fault(const struct line *l, const struct word *at, const char *what)
{
	diag_add(l->diag, DIAG_ERROR, l->path, l->number, (uint32_t)(at->text - l->text) + 1, "`%.*s`: %s",
		 (int)at->len, at->text, what);
}

/* Splits a line at white space; returns how many words there are, of which the first `most` are in out. */
static unsigned
split(const char *text, struct word *out, unsigned most)
{
	unsigned n = 0;
	for (;;) {
		while (isspace((unsigned char)*text))
			text++;
		if (*text == '\0')
			return n;
		const char *begin = text;
		while (*text != '\0' && !isspace((unsigned char)*text))
			text++;
		if (n < most)
			out[n] = (struct word){.text = begin, .len = (size_t)(text - begin)};
		n++;
	}
}

static bool
read_flag(const struct word *w, struct question_style *style)
{
	if (w->len != 1 || (*w->text != 'E' && *w->text != 'D'))
		return false;
	if (style->edns_size == 0)
		style->edns_size = EDNS_SIZE_DEFAULT;
	style->dnssec |= *w->text == 'D';
	return true;
}

/* 0; -EINVAL with the fault told; or what questions_add() says. */
static int
read_line(struct questions *q, const struct line *l, struct question_style style)
{
	static const struct name root = {.len = 1};
	struct word words[3];
	struct name name;
	uint16_t type;
	unsigned n = split(l->text, words, ARRAY_LEN(words));
	if (n == 0 || *words[0].text == ';' || *words[0].text == '#')
		return 0;
	enum name_error e = name_from_text(words[0].text, words[0].len, &root, &name);
	if (e != NAME_OK) {
		fault(l, &words[0], name_error_text(e));
	} else if (n == 1) {
		fault(l, &words[0], "its type is missing: a line is `name type`");
	} else if (rrtype_from_text(words[1].text, words[1].len, &type) != 0) {
		fault(l, &words[1], "not a record type");
	} else if (n > 3 || (n == 3 && !read_flag(&words[2], &style))) {
		fault(l, &words[2], "behind name and type there may be E (EDNS) or D (DNSSEC), nothing else");
	} else {
		return questions_add(q, &name, type, &style);
	}
	return -EINVAL;
}

int
questions_read(struct questions *q, const char *path, const struct question_style *style, struct diag_list *diag)
{
	FILE *f = fopen(path, "re");
	if (f == NULL) {
		int err = -errno;
		diag_add(diag, DIAG_ERROR, path, 0, 0, "%s", strerror(-err));
		return err;
	}
	char *text = NULL;
	size_t cap = 0;
	uint32_t n_before = q->n;
	int err = 0, first = 0;
	struct line l = {.path = path, .diag = diag};
	while ((err == 0 || err == -EINVAL) && getline(&text, &cap, f) >= 0) {
		l.number++;
		l.text = text;
		err = read_line(q, &l, *style);
		if (first == 0)
			first = err;
	}
	if (first == 0 && ferror(f))
		first = -EIO;
	if (first == 0 && q->n == n_before) {
		diag_add(diag, DIAG_ERROR, path, 0, 0, "there is no query in it");
		first = -ENODATA;
	} else if (first != 0 && first != -EINVAL) {
		diag_add(diag, DIAG_ERROR, path, l.number, 0, "%s", strerror(-first));
	}
	free(text);
	fclose(f);
	return first;
}
