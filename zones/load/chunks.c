/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One large zone file, read in chunks by a crew. docs/design/loading.md has the picture.
 *
 * A chunk begins at a line that names an owner. What else its reader has to know of the text before it is known or
 * guessed: the number of its line is counted, origin and TTLs are those at the end of the first chunk, which is
 * small and read ahead, and of the directives since. Then all chunks are read at once, each into a builder and a
 * list of faults of its own.
 *
 * Last, the chunks are joined in order. One is good if the reader before it ended where it begins, in the state
 * that was guessed; what has not been asked for need not be equal. Any other is thrown away, and read again from
 * where the one before it ended. So a guess that fails costs time and nothing else, and what comes of the file does
 * not depend on where it was cut.
 *
 * A border inside parentheses is such a guess: the reader before it ends behind them, in the middle of the next
 * chunk.
 */
#include <errno.h>
#include <string.h>

#include "zones/base/alloc.h"
#include "zones/load/reader.h"
#include "zones/load/scan.h"

#define FIRST_CHUNK_BYTES (64u << 10)
#define RECORD_BYTES 32 /* of text, about, in large zones */
#define CHUNKS_MAX 512  /* what the readers of so many take is small beside a file that has so many */

/* All that a reader brings from one record to the next. */
struct state {
	const char *at; /* the next record, at the start of its line */
	uint32_t line;
	struct scope scope;
	struct ttl_defaults ttl;
};

struct chunk {
	const char *start, *stop;
	uint32_t lines; /* in it */
	bool has_directive;
	int rc;
	struct state begin, end; /* begin: guessed, until it turns out to be right */
	struct zone_builder *builder;
	struct diag_list diag;
	struct zonefile_files *files; /* included by it */
};

struct reading {
	struct reader *reader; /* the caller's: all that the chunks have in common */
	const struct source *source;
	const char *file;
	struct name apex; /* in lower case */
	struct zonefile_progress *progress;
	struct chunk *chunks;
	size_t n;
};

/* -------- cutting -------- */

/* A line that begins so names an owner, unless it stands in parentheses. */
static bool
begins_owner(char c)
{
	return (unsigned char)c > ' ' && strchr("$();\"", c) == NULL;
}

/* The first line from `at` on that begins with an owner, or the end. `at` is not the start of the text. */
static const char *
find_border(const char *at, const char *end)
{
	for (at--; (at = memchr(at, '\n', (size_t)(end - at))) != NULL;) {
		at++;
		if (at == end)
			return end;
		if (begins_owner(*at))
			return at;
	}
	return end;
}

static void
cut(struct reading *x, size_t chunk_bytes)
{
	const char *text = x->source->text, *end = text + x->source->len, *at = text;
	size_t bytes = chunk_bytes < FIRST_CHUNK_BYTES ? chunk_bytes : FIRST_CHUNK_BYTES;

	for (x->n = 0; at < end; x->n++) {
		const char *stop = (size_t)(end - at) > bytes ? find_border(at + bytes, end) : end;
		x->chunks[x->n] = (struct chunk){.start = at, .stop = stop};
		at = stop;
		bytes = chunk_bytes;
	}
}

static void
measure(void *arg, size_t i)
{
	struct reading *x = arg;
	struct chunk *c = &x->chunks[i];

	c->lines = (uint32_t)scan_count(c->start, (size_t)(c->stop - c->start), '\n');
	for (const char *p = c->start; (p = memchr(p, '$', (size_t)(c->stop - p))) != NULL; p++)
		c->has_directive |= p > c->start && p[-1] == '\n';
}

/* -------- reading a chunk -------- */

/* A reader that goes on from `begin` until `stop`, in the given frame. */
static struct reader *
open_reader(const struct reading *x, const struct state *begin, const char *stop, struct frame *frame,
	    struct zone_builder *b, struct diag_list *diag)
{
	struct reader *r = reader_new(x->reader->zone, b, diag);

	if (r == NULL)
		return NULL;
	*frame = (struct frame){.file = x->file, .source = x->source, .stop = stop};
	lexer_init(&frame->lex, begin->at, (size_t)(x->source->text + x->source->len - begin->at));
	frame->lex.line = begin->line;
	r->frame = frame;
	r->scope = begin->scope;
	r->ttl = begin->ttl;
	return r;
}

static void
take_state(const struct reader *r, struct state *out)
{
	out->at = r->frame->lex.cur;
	out->line = r->frame->lex.line;
	out->scope = r->scope;
	out->ttl = r->ttl;
}

static void
chunk_drop(struct chunk *c)
{
	zone_builder_abort(c->builder);
	zonefile_files_free(c->files);
	diag_clear(&c->diag);
	c->builder = NULL;
	c->files = NULL;
}

/* Reads a chunk from c->begin on. */
static void
chunk_read(const struct reading *x, struct chunk *c)
{
	struct frame frame;

	c->rc = -ENOMEM;
	c->diag = (struct diag_list){.limit = x->reader->diag->limit};
	c->builder = zone_builder_new(&x->apex);
	if (c->builder == NULL ||
	    zone_builder_expect(c->builder, (uint64_t)(c->stop - c->begin.at) / RECORD_BYTES) != 0)
		return;
	struct reader *r = open_reader(x, &c->begin, c->stop, &frame, c->builder, &c->diag);
	if (r == NULL)
		return;
	c->rc = reader_run(r);
	take_state(r, &c->end);
	c->files = r->files;
	zalloc_free(r, sizeof(*r));
}

static void
read_guessed(void *arg, size_t i)
{
	struct reading *x = arg;
	struct chunk *c = &x->chunks[i];

	if (i > 0)
		chunk_read(x, c);
	if (x->progress != NULL)
		atomic_fetch_add_explicit(&x->progress->octets_read, (uint64_t)(c->stop - c->start),
					  memory_order_relaxed);
}

/* -------- guessing -------- */

/* Reads the lines of a chunk that look like $ORIGIN or $TTL, for what they do to the state. */
static int
guess_directives(const struct reading *x, const struct chunk *c, struct state *state)
{
	struct diag_list unused = {.limit = 1};
	struct frame frame;
	struct reader *r = open_reader(x, state, NULL, &frame, NULL, &unused);

	if (r == NULL)
		return -ENOMEM;
	for (const char *p = c->start; (p = memchr(p, '$', (size_t)(c->stop - p))) != NULL; p++) {
		if (p == c->start || p[-1] != '\n')
			continue;
		lexer_init(&frame.lex, p, (size_t)(c->stop - p));
		struct token t = lexer_next(&frame.lex);
		if ((t.len == 7 && strncasecmp(t.text, "$ORIGIN", 7) == 0) ||
		    (t.len == 4 && strncasecmp(t.text, "$TTL", 4) == 0))
			(void)!reader_directive(r, &t);
	}
	state->scope.origin = r->scope.origin;
	state->ttl = r->ttl;
	zalloc_free(r, sizeof(*r));
	diag_clear(&unused);
	return 0;
}

/* The states that all but the first chunk begin with, from the one at the end of the first. */
static int
guess(struct reading *x)
{
	struct state state = x->chunks[0].end;
	uint32_t line = 1 + x->chunks[0].lines;

	state.scope.owner_text = NULL;
	state.ttl.explicit_is_guess = true;
	for (size_t i = 1; i < x->n; i++) {
		struct chunk *c = &x->chunks[i];
		c->begin = state;
		c->begin.at = c->start;
		c->begin.line = line;
		line += c->lines;
		if (c->has_directive && guess_directives(x, c, &state) != 0)
			return -ENOMEM;
	}
	return 0;
}

/* -------- joining -------- */

static bool
same_ttls(const struct ttl_defaults *a, const struct ttl_defaults *b)
{
	return a->has_directive == b->has_directive && a->directive_s == b->directive_s &&
	       a->has_soa == b->has_soa && a->soa_s == b->soa_s && a->missing_reported == b->missing_reported;
}

/* Was the chunk read as a reader in this state would have read it? Its first line sets the owner. */
static bool
is_right(const struct chunk *c, const struct state *s)
{
	const struct name *origin = &c->begin.scope.origin;

	if (s->at != c->start || origin->len != s->scope.origin.len ||
	    memcmp(origin->bytes, s->scope.origin.bytes, origin->len) != 0 || !same_ttls(&c->begin.ttl, &s->ttl))
		return false;
	return !c->end.ttl.guess_used ||
	       (c->begin.ttl.has_explicit == s->ttl.has_explicit && c->begin.ttl.explicit_s == s->ttl.explicit_s);
}

/* The state behind a chunk that was right, or was read anew from the state before it. */
static void
state_advance(struct state *s, const struct chunk *c)
{
	struct ttl_defaults before = s->ttl;

	*s = c->end;
	s->ttl.guess_used = false;
	if (!s->ttl.explicit_is_guess)
		return;
	s->ttl.explicit_is_guess = false; /* no record of the chunk has set it */
	s->ttl.has_explicit = before.has_explicit;
	s->ttl.explicit_s = before.explicit_s;
}

static int
chunk_give(const struct reading *x, struct chunk *c)
{
	struct reader *r = x->reader;
	int rc = zone_builder_join(r->builder, c->builder);

	diag_move(r->diag, &c->diag);
	reader_join_files(&r->files, c->files);
	c->builder = NULL;
	c->files = NULL;
	return rc;
}

static int
join(struct reading *x)
{
	struct state state = {0};

	for (size_t i = 0; i < x->n; i++) {
		struct chunk *c = &x->chunks[i];
		if (i > 0 && state.at >= c->stop)
			continue; /* the reader before has read it all */
		if (i > 0 && !is_right(c, &state)) {
			chunk_drop(c);
			c->begin = state;
			chunk_read(x, c);
		}
		if (c->rc == 0)
			state_advance(&state, c);
		int rc = c->rc == 0 ? chunk_give(x, c) : c->rc;
		if (rc != 0)
			return rc;
	}
	x->reader->scope = state.scope;
	x->reader->ttl = state.ttl;
	return 0;
}

/* -------- the file -------- */

static int
read_chunks(struct reading *x, struct crew *crew)
{
	struct chunk *first = &x->chunks[0];

	crew_each(crew, x->n, measure, x);
	first->begin =
		(struct state){.at = first->start, .line = 1, .scope = x->reader->scope, .ttl = x->reader->ttl};
	chunk_read(x, first);
	int rc = first->rc == 0 ? guess(x) : first->rc;
	if (rc != 0)
		return rc;
	crew_each(crew, x->n, read_guessed, x);
	return join(x);
}

int
chunks_read(struct reader *r, const struct source *s, const char *file, const struct zonefile_how *how)
{
	size_t bytes = how->chunk_bytes > s->len / CHUNKS_MAX ? how->chunk_bytes : s->len / CHUNKS_MAX + 1;
	size_t cap = s->len / bytes + 2; /* and the first one, which may be smaller */
	struct reading x = {.reader = r,
			    .source = s,
			    .file = file,
			    .progress = how->progress,
			    .chunks = zalloc(cap * sizeof(*x.chunks), 0)};

	if (x.chunks == NULL)
		return -ENOMEM;
	x.apex.len = r->zone->len;
	name_lower(x.apex.bytes, r->zone->bytes, r->zone->len);
	cut(&x, bytes);
	int rc = read_chunks(&x, how->crew);
	for (size_t i = 0; i < x.n; i++)
		chunk_drop(&x.chunks[i]);
	zalloc_free(x.chunks, cap * sizeof(*x.chunks));
	return rc;
}
