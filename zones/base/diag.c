/* SPDX-License-Identifier: Apache-2.0 */
/* Diagnostics. See diag.h. */
#include "zones/base/diag.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static int
diag_grow(struct diag_list *list)
{
	if (list->n < list->cap)
		return 0;
	unsigned cap = list->cap ? list->cap * 2 : 8;
	struct diag *items = realloc(list->items, cap * sizeof(*items));
	if (items == NULL)
		return -1;
	list->items = items;
	list->cap = cap;
	return 0;
}

static void
diag_free_item(struct diag *d)
{
	free(d->file);
	free(d->message);
}

/* Makes room for an error in a full list: warnings must not hide what has to be mended. */
static int
diag_forget_warning(struct diag_list *list)
{
	for (unsigned i = list->n; i-- > 0;) {
		if (list->items[i].severity != DIAG_WARNING)
			continue;
		diag_free_item(&list->items[i]);
		memmove(&list->items[i], &list->items[i + 1], (list->n - i - 1) * sizeof(list->items[0]));
		list->n--;
		return 1;
	}
	return 0;
}

/* Makes room for one entry more; 0, or the fault is only to be counted. */
static int
diag_make_room(struct diag_list *list, enum diag_severity severity)
{
	unsigned limit = list->limit ? list->limit : DIAG_DEFAULT_LIMIT;

	if (list->n >= limit && (severity != DIAG_ERROR || !diag_forget_warning(list)))
		return -1;
	return diag_grow(list);
}

void
diag_add(struct diag_list *list, enum diag_severity severity, const char *file, uint32_t line, uint32_t column,
	 const char *fmt, ...)
{
	if (severity == DIAG_ERROR)
		list->n_errors++;
	else
		list->n_warnings++;
	if (diag_make_room(list, severity) != 0)
		return;

	struct diag d = {.severity = severity, .line = line, .column = column};
	va_list ap;
	va_start(ap, fmt);
	int n = vasprintf(&d.message, fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	d.file = strdup(file ? file : "");
	if (d.file == NULL) {
		free(d.message);
		return;
	}
	list->items[list->n++] = d;
}

/*
 * A full list keeps its first errors, and of its warnings the first that leave room for these. Those of `from` that
 * it has not kept would not be among the first of both lists either.
 */
void
diag_move(struct diag_list *to, struct diag_list *from)
{
	for (unsigned i = 0; i < from->n; i++) {
		if (diag_make_room(to, from->items[i].severity) == 0)
			to->items[to->n++] = from->items[i];
		else
			diag_free_item(&from->items[i]);
	}
	to->n_errors += from->n_errors;
	to->n_warnings += from->n_warnings;
	from->n = 0;
	diag_clear(from);
}

int
diag_format(const struct diag *d, char *out, size_t cap)
{
	const char *severity = d->severity == DIAG_ERROR ? "error" : "warning";
	if (d->line != 0)
		return snprintf(out, cap, "%s:%u:%u: %s: %s", d->file, d->line, d->column, severity, d->message);
	if (d->file[0] != '\0')
		return snprintf(out, cap, "%s: %s: %s", d->file, severity, d->message);
	return snprintf(out, cap, "%s: %s", severity, d->message);
}

void
diag_print(const struct diag_list *list, FILE *out)
{
	for (unsigned i = 0; i < list->n; i++) {
		char line[1024];
		diag_format(&list->items[i], line, sizeof(line));
		fprintf(out, "%s\n", line);
	}
	unsigned total = list->n_errors + list->n_warnings;
	if (total > list->n)
		fprintf(out, "... and %u more\n", total - list->n);
}

void
diag_clear(struct diag_list *list)
{
	for (unsigned i = 0; i < list->n; i++)
		diag_free_item(&list->items[i]);
	free(list->items);
	*list = (struct diag_list){.limit = list->limit};
}

static int
diag_compare(const void *a, const void *b)
{
	const struct diag *x = a, *y = b;
	int order = strcmp(x->file, y->file);
	if (order == 0)
		order = (x->line > y->line) - (x->line < y->line);
	if (order == 0)
		order = (x->column > y->column) - (x->column < y->column);
	return order != 0 ? order : strcmp(x->message, y->message);
}

void
diag_sort(struct diag_list *list, unsigned from)
{
	if (list->n > from)
		qsort(list->items + from, list->n - from, sizeof(list->items[0]), diag_compare);
}

#define NEAREST_MAX 48

/* Levenshtein distance, letters folded, two rows; words over NEAREST_MAX letters are never near. */
static unsigned
edit_distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
	unsigned row[NEAREST_MAX + 1];
	for (size_t j = 0; j <= b_len; j++)
		row[j] = (unsigned)j;
	for (size_t i = 1; i <= a_len; i++) {
		unsigned diagonal = row[0];
		row[0] = (unsigned)i;
		for (size_t j = 1; j <= b_len; j++) {
			unsigned above = row[j];
			bool differs = tolower((unsigned char)a[i - 1]) != tolower((unsigned char)b[j - 1]);
			unsigned best = diagonal + differs;
			if (above + 1 < best)
				best = above + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
			diagonal = above;
		}
	}
	return row[b_len];
}

const char *
diag_nearest(const char *word, const char *const *candidates)
{
	size_t len = strlen(word);
	if (len > NEAREST_MAX)
		return NULL;
	const char *best = NULL;
	unsigned best_distance = (unsigned)(len / 3 + 1) + 1;
	for (; *candidates != NULL; candidates++) {
		size_t c_len = strlen(*candidates);
		if (c_len > NEAREST_MAX)
			continue;
		unsigned d = edit_distance(word, len, *candidates, c_len);
		if (d < best_distance && d < c_len) {
			best_distance = d;
			best = *candidates;
		}
	}
	return best;
}
