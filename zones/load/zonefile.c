/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reader's upper half: files opened one inside the other, lines told apart, the directives but $GENERATE.
 *
 * $INCLUDE reads the other file as if its lines stood here, with two exceptions: it may begin with an origin of its
 * own, and origin and last owner are afterwards what they were before (RFC 1035 section 5.1 says so of the origin
 * and nothing of the owner; both are restored here, as BIND does). A TTL set inside stays set.
 */
#include "zones/load/zonefile.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "zones/base/alloc.h"
#include "zones/load/reader.h"

/* Names of the files read, newest first. */
struct zonefile_files {
	struct zonefile_files *next;
	size_t size; /* of this allocation */
	char name[];
};

const char *
reader_add_file(struct zonefile_files **files, const char *name)
{
	size_t size = sizeof(struct zonefile_files) + strlen(name) + 1;
	struct zonefile_files *f = zalloc(size, 0);

	if (f == NULL)
		return NULL;
	f->next = *files;
	f->size = size;
	strcpy(f->name, name);
	*files = f;
	return f->name;
}

void
reader_join_files(struct zonefile_files **files, struct zonefile_files *newer)
{
	struct zonefile_files **last = &newer;

	while (*last != NULL)
		last = &(*last)->next;
	*last = *files;
	*files = newer;
}

void
zonefile_files_free(struct zonefile_files *files)
{
	while (files != NULL) {
		struct zonefile_files *next = files->next;
		zalloc_free(files, files->size);
		files = next;
	}
}

const char *
zonefile_files_name(const struct zonefile_files *files)
{
	return files->name;
}

const struct zonefile_files *
zonefile_files_next(const struct zonefile_files *files)
{
	return files->next;
}

/* -------- messages -------- */

const char *
reader_show(const char *text, size_t len, char out[SHOWN_MAX])
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		if (n + sizeof("\\DDD...") > SHOWN_MAX || i == 60) {
			strcpy(out + n, "...");
			return out;
		}
		if (isprint((unsigned char)text[i]))
			out[n++] = text[i];
		else
			n += (size_t)sprintf(out + n, "\\%03u", (unsigned char)text[i]);
	}
	out[n] = '\0';
	return out;
}

int
reader_unexpected(struct reader *r, const struct token *t, const char *wanted)
{
	char shown[SHOWN_MAX];

	switch (t->kind) {
	case TOKEN_ERROR:
		reader_error(r, t, "%.*s", (int)t->len, t->text);
		break;
	case TOKEN_EOL:
	case TOKEN_EOF:
		reader_error(r, t, "the line ends where %s is expected", wanted);
		break;
	case TOKEN_QUOTED:
		reader_error(r, t, "a quoted string where %s is expected", wanted);
		break;
	default:
		reader_error(r, t, "'%s' where %s is expected", reader_show(t->text, t->len, shown), wanted);
	}
	return -EINVAL;
}

int
reader_expect_end(struct reader *r, const char *after)
{
	char shown[SHOWN_MAX];
	struct token t = lexer_next(&r->frame->lex);

	if (t.kind == TOKEN_EOL)
		return 0;
	if (t.kind == TOKEN_ERROR)
		return reader_unexpected(r, &t, "the end of the line");
	reader_error(r, &t, "'%s' is too much behind %s", reader_show(t.text, t.len, shown), after);
	return -EINVAL;
}

/* -------- directives -------- */

/* Reads a name that is relative to the origin; on success *out may be the origin itself. */
static int
read_origin(struct reader *r, const struct token *t, struct name *out)
{
	char shown[SHOWN_MAX];

	if (t->kind != TOKEN_WORD)
		return reader_unexpected(r, t, "a domain name");
	enum name_error e = name_from_text(t->text, t->len, &r->scope.origin, out);
	if (e == NAME_OK)
		return 0;
	reader_error(r, t, "origin '%s': %s", reader_show(t->text, t->len, shown), name_error_text(e));
	return -EINVAL;
}

static int
origin_read(struct reader *r, const struct token *at)
{
	struct name origin;
	struct token t = lexer_next(&r->frame->lex);

	if (read_origin(r, &t, &origin) != 0 || reader_expect_end(r, "$ORIGIN") != 0)
		return -EINVAL;
	r->scope.origin = origin;
	r->scope.owner_text = NULL;
	return 0;
}

static int
ttl_read(struct reader *r, const struct token *at)
{
	uint32_t ttl_s;
	struct token t = lexer_next(&r->frame->lex);

	if (record_read_ttl(r, &t, &ttl_s) != 0) {
		r->ttl.missing_reported = true; /* the records that wanted this one are not at fault */
		return -EINVAL;
	}
	r->ttl.has_directive = true;
	r->ttl.directive_s = ttl_s;
	return reader_expect_end(r, "$TTL");
}

/* The path of an included file: escapes resolved, relative to the directory of the file that includes it. */
static int
include_path(struct reader *r, const struct token *t, char path[PATH_MAX])
{
	const char *file = r->frame->file, *slash = strrchr(file, '/');
	size_t n = 0;

	if (t->len > 0 && t->text[0] != '/' && slash != NULL && r->frame->source->is_file) {
		n = (size_t)(slash - file) + 1;
		memcpy(path, file, n);
	}
	for (size_t i = 0; i < t->len && n < PATH_MAX; i++) {
		if (t->text[i] == '\\' && i + 1 < t->len)
			i++;
		path[n++] = t->text[i];
	}
	if (t->len == 0 || n == PATH_MAX) {
		reader_error(r, t, "the file name is %s", t->len == 0 ? "empty" : "too long");
		return -EINVAL;
	}
	path[n] = '\0';
	return 0;
}

/* Whether a file is being read already: `a includes b includes a` is then in the message. */
static int
check_cycle(struct reader *r, const struct token *at, const struct source *s, const char *path)
{
	char chain[512];
	const struct frame *f = r->frame;
	size_t n = sizeof(chain) - 1;

	while (f != NULL && (f->source->inode != s->inode || f->source->device != s->device))
		f = f->parent;
	if (f == NULL)
		return 0;
	/* From the last file back to the first one of the ring, so the text grows to the left. */
	chain[n] = '\0';
	for (const struct frame *link = r->frame;; link = link->parent) {
		size_t len = strlen(link->file);
		if (len + sizeof(" -> ") > n)
			break;
		n -= 4;
		memcpy(chain + n, " -> ", 4);
		n -= len;
		memcpy(chain + n, link->file, len);
		if (link == f)
			break;
	}
	reader_error(r, at, "$INCLUDE runs in a circle: %s%s", chain + n, path);
	return -EINVAL;
}

static int check_text(struct reader *r, const struct source *s);

/*
 * Reads an opened source inside the current file, if there is one; else as `how` says. -EINVAL if it is no text at
 * all.
 */
static int
read_frame(struct reader *r, const struct source *s, const char *path, const struct zonefile_how *how)
{
	struct frame frame = {
		.parent = r->frame,
		.file = reader_add_file(&r->files, path),
		.source = s,
		.depth = r->frame != NULL ? r->frame->depth + 1 : 0,
	};

	if (frame.file == NULL)
		return -ENOMEM;
	r->frame = &frame;
	lexer_init(&frame.lex, s->text, s->len);
	int rc = check_text(r, s);
	if (rc == 0)
		rc = how != NULL && s->len >= 2 * how->chunk_bytes ? chunks_read(r, s, frame.file, how)
								   : reader_run(r);
	r->frame = frame.parent;
	return rc;
}

static int
include_file(struct reader *r, const struct token *at, const char *path, const struct name *origin)
{
	struct source source;

	int rc = source_open(path, NULL, &source);
	if (rc == -ENOMEM)
		return rc;
	if (rc != 0) {
		reader_error(r, at, "$INCLUDE of %s: %s", path, strerror(-rc));
		return -EINVAL;
	}
	rc = check_cycle(r, at, &source, path);
	if (rc == 0) {
		struct scope saved = r->scope;
		r->scope.origin = *origin;
		r->scope.owner_text = NULL;
		rc = read_frame(r, &source, path, NULL);
		r->scope = saved;
	}
	source_close(&source);
	return rc;
}

static int
include_read(struct reader *r, const struct token *at)
{
	struct lexer *lex = &r->frame->lex;
	struct name origin = r->scope.origin;
	char path[PATH_MAX];

	struct token file = lexer_next(lex);
	if (file.kind != TOKEN_WORD && file.kind != TOKEN_QUOTED)
		return reader_unexpected(r, &file, "a file name");
	if (include_path(r, &file, path) != 0)
		return -EINVAL;
	struct token t = lexer_next(lex);
	if (t.kind != TOKEN_EOL && (read_origin(r, &t, &origin) != 0 || reader_expect_end(r, "$INCLUDE") != 0))
		return -EINVAL;
	if (r->frame->depth == ZONEFILE_INCLUDE_DEPTH) {
		reader_error(r, at, "$INCLUDE more than %d files deep", ZONEFILE_INCLUDE_DEPTH);
		return -EINVAL;
	}
	return include_file(r, &file, path, &origin);
}

static const struct directive {
	const char *word;
	int (*read)(struct reader *r, const struct token *at);
} directives[] = {
	{"$ORIGIN", origin_read},
	{"$TTL", ttl_read},
	{"$INCLUDE", include_read},
	{"$GENERATE", generate_read},
};

static int
unknown_directive(struct reader *r, const struct token *t)
{
	const char *words[ARRAY_LEN(directives) + 1] = {NULL};
	char shown[SHOWN_MAX];

	for (size_t i = 0; i < ARRAY_LEN(directives); i++)
		words[i] = directives[i].word;
	const char *nearest = diag_nearest(reader_show(t->text, t->len, shown), words);
	if (nearest != NULL)
		reader_error(r, t, "unknown directive '%s'; did you mean %s?", shown, nearest);
	else
		reader_error(r, t, "unknown directive '%s'", shown);
	return -EINVAL;
}

int
reader_directive(struct reader *r, const struct token *t)
{
	for (size_t i = 0; i < ARRAY_LEN(directives); i++)
		if (strlen(directives[i].word) == t->len && strncasecmp(directives[i].word, t->text, t->len) == 0)
			return directives[i].read(r, t);
	return unknown_directive(r, t);
}

/* -------- files -------- */

/* A zone file is text: what shows at the first look that it is something else is refused whole. */
static int
check_text(struct reader *r, const struct source *s)
{
	struct token at = {.line = 1, .column = 1};

	if (s->len >= 3 && memcmp(s->text, "\xef\xbb\xbf", 3) == 0) {
		reader_error(r, &at, "the file begins with a byte order mark; zone files are plain ASCII");
		return -EINVAL;
	}
	const char *nul = s->len > 0 && !s->has_no_nul ? memchr(s->text, '\0', s->len) : NULL;
	if (nul == NULL)
		return 0;
	const char *line = s->text;
	for (const char *p = s->text; (p = memchr(p, '\n', (size_t)(nul - p))) != NULL; line = ++p)
		at.line++;
	at.column = (uint32_t)(nul - line) + 1;
	reader_error(r, &at, "a NUL octet: this is not a zone file");
	return -EINVAL;
}

int
reader_run(struct reader *r)
{
	struct lexer *lex = &r->frame->lex;
	const char *stop = r->frame->stop;

	for (;;) {
		if (stop != NULL && lexer_find_record(lex) >= stop)
			return 0;
		struct token t = lexer_next(lex);
		if (t.kind == TOKEN_EOF)
			return 0;
		if (t.kind == TOKEN_EOL)
			continue;
		int rc = t.kind == TOKEN_WORD && t.text[0] == '$' ? reader_directive(r, &t) : record_read(r, t);
		if (rc == -ENOMEM)
			return rc;
		if (rc != 0 && !lex->last_was_eol)
			lexer_skip_record(lex);
	}
}

static size_t
default_chunk_bytes(size_t len)
{
	size_t bytes = len / 16;

	if (bytes < ZONEFILE_CHUNK_MIN_BYTES)
		return ZONEFILE_CHUNK_MIN_BYTES;
	return bytes < ZONEFILE_CHUNK_MAX_BYTES ? bytes : ZONEFILE_CHUNK_MAX_BYTES;
}

struct reader *
reader_new(const struct name *zone, struct zone_builder *b, struct diag_list *diag)
{
	struct reader *r = zalloc(sizeof(*r), 0);

	if (r == NULL)
		return NULL;
	/* All but the data buffer, which is written before it is read. */
	memset(r, 0, offsetof(struct reader, rdata));
	r->builder = b;
	r->diag = diag;
	r->zone = zone;
	r->scope.origin = *zone;
	return r;
}

static int
read_source(const struct source *s, const char *label, const struct name *origin, const struct zonefile_how *given,
	    struct zone_builder *b, struct diag_list *diag, struct zonefile_files **files)
{
	unsigned errors_before = diag->n_errors;
	uint64_t records_before = zone_builder_records(b);
	struct reader *r = reader_new(origin, b, diag);
	struct zonefile_how how = given != NULL ? *given : (struct zonefile_how){0};

	if (r == NULL)
		return -ENOMEM;
	if (how.chunk_bytes == 0)
		how.chunk_bytes = default_chunk_bytes(s->len);
	if (how.progress != NULL)
		atomic_store_explicit(&how.progress->octets, s->len, memory_order_relaxed);
	int rc = read_frame(r, s, label, &how);
	*files = r->files;
	zalloc_free(r, sizeof(*r));
	if (rc == -ENOMEM)
		return rc;
	if (zone_builder_records(b) == records_before && diag->n_errors == errors_before)
		diag_add(diag, DIAG_ERROR, label, 0, 0, "there is no record in it");
	return diag->n_errors == errors_before ? 0 : -EINVAL;
}

int
zonefile_read_text_with(const char *text, size_t len, const char *label, const struct name *origin,
			const struct zonefile_how *how, struct zone_builder *b, struct diag_list *diag,
			struct zonefile_files **files)
{
	const struct source s = {.text = text, .len = len};

	*files = NULL;
	return read_source(&s, label, origin, how, b, diag, files);
}

int
zonefile_read_text(const char *text, size_t len, const char *label, const struct name *origin,
		   struct zone_builder *b, struct diag_list *diag, struct zonefile_files **files)
{
	return zonefile_read_text_with(text, len, label, origin, NULL, b, diag, files);
}

int
zonefile_read(const char *path, const struct name *origin, const struct zonefile_how *how, struct zone_builder *b,
	      struct diag_list *diag, struct zonefile_files **files)
{
	struct source s;

	*files = NULL;
	int rc = source_open(path, how != NULL ? how->crew : NULL, &s);
	if (rc == -ENOMEM)
		return rc;
	if (rc != 0) {
		diag_add(diag, DIAG_ERROR, path, 0, 0, "cannot be read: %s", strerror(-rc));
		return rc;
	}
	rc = read_source(&s, path, origin, how, b, diag, files);
	source_close(&s);
	return rc;
}

int
zonefile_load(const char *path, const struct name *origin, struct diag_list *diag, struct snapshot **out)
{
	struct zonefile_files *files;
	struct name apex = {.len = origin->len};

	name_lower(apex.bytes, origin->bytes, origin->len);
	struct zone_builder *b = zone_builder_new(&apex);
	if (b == NULL)
		return -ENOMEM;
	int rc = zonefile_read(path, &apex, NULL, b, diag, &files);
	if (rc == 0)
		rc = zone_builder_finish(b, diag, out);
	else
		zone_builder_abort(b); /* checks of half a zone would only add faults that are none */
	zonefile_files_free(files);
	return rc;
}
