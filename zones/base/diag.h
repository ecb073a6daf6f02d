/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Diagnostics: the human half of every cold-path error.
 *
 * A function that reads something a person wrote (a zone file, a configuration) returns 0 or -errno and puts
 * what it found into a diag_list, one entry a fault, as `file:line:column: severity: message`. The list has a
 * limit; what came after it is counted, not kept. One thread at a time; nothing of RCU.
 */
#ifndef ANSER_BASE_DIAG_H
#define ANSER_BASE_DIAG_H

#include <stdint.h>
#include <stdio.h>

#include "zones/base/compiler.h"

enum diag_severity { DIAG_WARNING, DIAG_ERROR };

struct diag {
	enum diag_severity severity;
	char *file;            /* owned by the list; "" where there is no file */
	uint32_t line, column; /* from 1; 0: not about a place */
	char *message;         /* owned by the list; one line, without a full stop at its end */
};

struct diag_list {
	struct diag *items;
	unsigned n, cap;
	unsigned limit;      /* kept at most; 0 means DIAG_DEFAULT_LIMIT */
	unsigned n_errors;   /* all errors, kept or not */
	unsigned n_warnings; /* all warnings, kept or not */
};

#define DIAG_DEFAULT_LIMIT 100

/*
 * Adds one fault; `file` may be NULL. In a full list an error takes the place of the last warning. Out of memory:
 * it is only counted.
 */
void diag_add(struct diag_list *list, enum diag_severity severity, const char *file, uint32_t line, uint32_t column,
	      const char *fmt, ...) PRINTF_LIKE(6, 7);

/* Sorts the entries from index `from` on by file, line and column: for checks that walk a zone in no order. */
void diag_sort(struct diag_list *list, unsigned from);

/*
 * Moves the entries of `from` behind those of `to`, which then holds what it would if all had been added to it in
 * this order; both have the same limit. `from` is empty afterwards.
 */
void diag_move(struct diag_list *to, struct diag_list *from);

/* Prints every kept entry, a line each, and a closing line if some were over the limit. */
void diag_print(const struct diag_list *list, FILE *out);

/* Formats one entry as `file:line:column: error: message` into out[cap]; returns the length without the NUL. */
int diag_format(const struct diag *d, char *out, size_t cap);

/* Frees the entries; the list is empty and usable afterwards. */
void diag_clear(struct diag_list *list);

/*
 * The candidate nearest to `word` by edit distance, or NULL if none is near enough to be meant (at most a third
 * of its letters wrong). `candidates` ends with NULL.
 */
const char *diag_nearest(const char *word, const char *const *candidates);

#endif
