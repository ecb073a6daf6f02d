/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzzes zone files: text to snapshot, every record back to text, and that text to a snapshot again. Both snapshots
 * must hold the same records, and nothing of either may stay behind. The same text read in chunks, of a size that
 * the input decides, must give the same faults in the same order and the same records.
 *
 * Input: the file of the zone example.com. Files that include others are left out: a fuzzer must not open what it
 * likes.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/check.h"
#include "zones/base/alloc.h"
#include "zones/load/zonefile.h"
#include "zones/store/node.h"
#include "zones/wire/rdata.h"

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);

/* Records as lines of master-file text. */
struct dump {
	char **lines;
	size_t n, cap;
};

static const struct name origin = {.len = 13, .bytes = "\7example\3com"};

/* NULL: refused, with at least one error said. */
static struct snapshot *
read_zone(const char *text, size_t len, const struct zonefile_how *how, struct diag_list *diag)
{
	struct zonefile_files *files = NULL;
	struct snapshot *s = NULL;
	struct zone_builder *b = zone_builder_new(&origin);
	CHECK(b != NULL);
	int rc = zonefile_read_text_with(text, len, "fuzz", &origin, how, b, diag, &files);
	CHECK(rc == (diag->n_errors > 0 ? -EINVAL : 0));
	if (rc != 0)
		zone_builder_abort(b);
	else
		rc = zone_builder_finish(b, diag, &s);
	CHECK(rc == (diag->n_errors > 0 ? -EINVAL : 0) && (s != NULL) == (rc == 0));
	zonefile_files_free(files);
	return s;
}

static void
dump_line(struct dump *d, char *line)
{
	if (d->n == d->cap) {
		d->cap = d->cap * 2 + 64;
		d->lines = realloc(d->lines, d->cap * sizeof(*d->lines));
		CHECK(d->lines != NULL);
	}
	d->lines[d->n++] = line;
}

static void
dump_set(struct dump *d, const struct node *n, const struct rrset *set)
{
	static uint8_t rdata[RDATA_MAX_LEN];
	static char data[5 * RDATA_MAX_LEN];
	char owner[NAME_TEXT_MAX], type[RRTYPE_TEXT_MAX], *line;
	struct rrset_iter it;
	name_to_text(node_name(n), owner);
	rrtype_to_text(set->type, type);
	rrset_iter_init(&it, set, node_name(n));
	for (int len; (len = rrset_iter_next(&it, rdata)) >= 0;) {
		CHECK(rdata_check(set->type, rdata, (size_t)len, NULL) == 0);
		CHECK(rdata_to_text(set->type, rdata, (size_t)len, data, sizeof(data)) >= 0);
		CHECK(asprintf(&line, "%s %u IN %s %s\n", owner, rrset_ttl(set), type, data) > 0);
		dump_line(d, line);
	}
}

static int
dump_node(const struct names_entry *e, void *arg)
{
	const struct node *n = (const struct node *)e;
	for (unsigned i = 0; i < node_set_count(n); i++)
		dump_set(arg, n, node_set(n->sets[i]));
	return 0;
}

static int
compare_lines(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The records in the order of their text; freed by dump_free(). */
static struct dump
dump_zone(const struct snapshot *s)
{
	struct dump d = {0};
	names_walk(&s->names, dump_node, &d);
	CHECK(d.n == s->records && d.n > 0);
	qsort(d.lines, d.n, sizeof(*d.lines), compare_lines);
	return d;
}

static char *
dump_text(const struct dump *d, size_t *len)
{
	char *text = NULL;
	FILE *out = open_memstream(&text, len);
	CHECK(out != NULL);
	for (size_t i = 0; i < d->n; i++)
		fputs(d->lines[i], out);
	fclose(out);
	return text;
}

static void
dump_free(struct dump *d)
{
	for (size_t i = 0; i < d->n; i++)
		free(d->lines[i]);
	free(d->lines);
}

static void
check_again(const struct snapshot *s)
{
	struct diag_list diag = {0};
	struct dump before = dump_zone(s);
	size_t len;
	char *text = dump_text(&before, &len);
	struct snapshot *again = read_zone(text, len, NULL, &diag);
	if (again == NULL) {
		fputs(text, stderr);
		diag_print(&diag, stderr);
	}
	CHECK(again != NULL);
	struct dump after = dump_zone(again);
	CHECK(after.n == before.n && again->serial == s->serial && again->sets == s->sets);
	for (size_t i = 0; i < before.n; i++) {
		if (strcmp(before.lines[i], after.lines[i]) != 0)
			fprintf(stderr, "was: %sis:  %s", before.lines[i], after.lines[i]);
		CHECK(strcmp(before.lines[i], after.lines[i]) == 0);
	}
	snapshot_free(again);
	dump_free(&before);
	dump_free(&after);
	free(text);
	diag_clear(&diag);
}

static void
check_same_faults(const struct diag_list *a, const struct diag_list *b)
{
	CHECK(a->n == b->n && a->n_errors == b->n_errors && a->n_warnings == b->n_warnings);
	for (unsigned i = 0; i < a->n; i++) {
		const struct diag *x = &a->items[i], *y = &b->items[i];
		CHECK(x->severity == y->severity && x->line == y->line && x->column == y->column);
		CHECK(strcmp(x->file, y->file) == 0 && strcmp(x->message, y->message) == 0);
	}
}

/* In chunks, by one thread: which threads read them makes no difference, and a fuzzer wants the same run again. */
static void
check_chunks(const char *text, size_t len, const struct snapshot *s, const struct diag_list *faults)
{
	const struct zonefile_how how = {.chunk_bytes = 1 + (len > 0 ? (unsigned char)text[len / 2] % 64 : 0)};
	struct diag_list diag = {0};
	struct snapshot *chunked = read_zone(text, len, &how, &diag);
	check_same_faults(faults, &diag);
	CHECK((chunked != NULL) == (s != NULL));
	if (s != NULL) {
		struct dump one = dump_zone(s), many = dump_zone(chunked);
		CHECK(one.n == many.n && s->sets == chunked->sets && s->serial == chunked->serial);
		for (size_t i = 0; i < one.n; i++)
			CHECK(strcmp(one.lines[i], many.lines[i]) == 0);
		dump_free(&one);
		dump_free(&many);
	}
	snapshot_free(chunked);
	diag_clear(&diag);
}

static bool
includes_files(const char *text, size_t len)
{
	for (size_t i = 0; i + 8 <= len; i++) {
		if (strncasecmp(text + i, "$INCLUDE", 8) == 0)
			return true;
	}
	return false;
}

int
LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	const char *text = (const char *)input;
	if (includes_files(text, size))
		return 0;
	size_t bytes = zalloc_bytes();
	struct diag_list diag = {0};
	struct snapshot *s = read_zone(text, size, NULL, &diag);
	if (s != NULL)
		check_again(s);
	check_chunks(text, size, s, &diag);
	snapshot_free(s);
	diag_clear(&diag);
	CHECK(zalloc_bytes() == bytes);
	return 0;
}
