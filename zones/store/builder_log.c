/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The zone builder: the log of records, and its order. See builder_private.h.
 *
 * Records go where the low bits of their hash say, as names go to the pages of the names table; so a build from the
 * sorted log fills one page after the other. Each part is sorted by itself in an area that is used for the next one
 * again, and written back to where it was: a log takes no more memory sorted than before. One thread adds; several
 * sort.
 */
#include <errno.h>

#include "zones/base/alloc.h"
#include "zones/store/builder_private.h"
#include "zones/wire/rdata.h"

/* -------- chunks -------- */

/* From so many records on there are parts; before, chunks double from the first size to that. */
#define LOG_FEW 32768
#define LOG_FEW_FIRST 64
#define PART_BITS 8
#define PARTS (1u << PART_BITS)
#define PART_CHUNK_BYTES 8192

struct log_chunk {
	struct log_chunk *next;
	size_t n, cap;
	struct log_record records[];
};

#define PART_CHUNK_CAP ((PART_CHUNK_BYTES - sizeof(struct log_chunk)) / sizeof(struct log_record))

static size_t
chunk_bytes(size_t cap)
{
	return sizeof(struct log_chunk) + cap * sizeof(struct log_record);
}

static int
part_grow(struct log_part *p, size_t cap)
{
	struct log_chunk *chunk = zalloc(chunk_bytes(cap), 0);
	if (chunk == NULL)
		return -ENOMEM;
	chunk->next = NULL;
	chunk->n = 0;
	chunk->cap = cap;
	if (p->last != NULL)
		p->last->next = chunk;
	else
		p->first = chunk;
	p->last = chunk;
	return 0;
}

/* Room for one more record, whose chunk has `cap` if a new one has to be made. */
static struct log_record *
part_add(struct log_part *p, size_t cap)
{
	if ((p->last == NULL || p->last->n == p->last->cap) && part_grow(p, cap) != 0)
		return NULL;
	p->n++;
	return &p->last->records[p->last->n++];
}

static void
part_free(struct log_part *p)
{
	while (p->first != NULL) {
		struct log_chunk *next = p->first->next;
		zalloc_free(p->first, chunk_bytes(p->first->cap));
		p->first = next;
	}
	*p = (struct log_part){0};
}

/* -------- the log -------- */

unsigned
log_parts(const struct record_log *log)
{
	return log->parts != NULL ? PARTS : 1;
}

unsigned
log_part_of(const struct record_log *log, uint64_t hash)
{
	return (unsigned)hash & (log_parts(log) - 1);
}

static const struct log_part *
get_part(const struct record_log *log, unsigned part)
{
	return log->parts != NULL ? &log->parts[part] : &log->few;
}

static void
free_parts(struct log_part *parts)
{
	for (unsigned i = 0; i < PARTS; i++)
		part_free(&parts[i]);
	zalloc_free(parts, PARTS * sizeof(*parts));
}

/* The few have become many. */
static int
log_split(struct record_log *log)
{
	struct log_part *parts = zalloc(PARTS * sizeof(*parts), 0);
	if (parts == NULL)
		return -ENOMEM;
	memset(parts, 0, PARTS * sizeof(*parts));
	for (const struct log_chunk *c = log->few.first; c != NULL; c = c->next) {
		for (size_t i = 0; i < c->n; i++) {
			struct log_record *r = part_add(&parts[c->records[i].hash % PARTS], PART_CHUNK_CAP);
			if (r == NULL) {
				free_parts(parts);
				return -ENOMEM;
			}
			*r = c->records[i];
		}
	}
	part_free(&log->few);
	log->parts = parts;
	return 0;
}

struct log_record *
log_add(struct record_log *log, uint64_t hash)
{
	struct log_record *r;
	if (log->parts == NULL && log->n == LOG_FEW && log_split(log) != 0)
		return NULL;
	if (log->parts != NULL)
		r = part_add(&log->parts[log_part_of(log, hash)], PART_CHUNK_CAP);
	else
		r = part_add(&log->few, log->few.last != NULL ? log->few.last->cap * 2 : LOG_FEW_FIRST);
	log->n += r != NULL;
	return r;
}

/* Puts the chunks of one part behind those of another. */
static void
part_join(struct log_part *p, struct log_part *more)
{
	if (p->last != NULL)
		p->last->next = more->first;
	else
		p->first = more->first;
	if (more->last != NULL)
		p->last = more->last;
	p->n += more->n;
	*more = (struct log_part){0};
}

int
log_join(struct record_log *log, struct record_log *more)
{
	bool has_parts = log->parts != NULL || more->parts != NULL || log->n + more->n > LOG_FEW;
	if (has_parts && ((log->parts == NULL && log_split(log) != 0) || (more->parts == NULL && log_split(more) != 0)))
		return -ENOMEM;
	part_join(&log->few, &more->few);
	for (unsigned i = 0; has_parts && i < PARTS; i++)
		part_join(&log->parts[i], &more->parts[i]);
	log->n += more->n;
	more->n = 0;
	return 0;
}

void
log_free(struct record_log *log)
{
	part_free(&log->few);
	if (log->parts != NULL)
		free_parts(log->parts);
	*log = (struct record_log){0};
}

void
log_cursor_begin(struct log_cursor *c, const struct record_log *log)
{
	*c = (struct log_cursor){.log = log};
}

const struct log_record *
log_cursor_next(struct log_cursor *c)
{
	while (c->chunk == NULL || c->at == c->chunk->n) {
		c->at = 0;
		if (c->chunk != NULL)
			c->chunk = c->chunk->next;
		else if (c->part < log_parts(c->log))
			c->chunk = get_part(c->log, c->part++)->first;
		else
			return NULL;
	}
	if (c->at + LOG_AHEAD < c->chunk->n) {
		prefetch(c->chunk->records[c->at + LOG_AHEAD].owner);
		prefetch(c->chunk->records[c->at + LOG_AHEAD].rdata);
	}
	return &c->chunk->records[c->at++];
}

/* -------- windows -------- */

static int
window_reserve(struct log_window *w, size_t n)
{
	if (n <= w->own_cap)
		return 0;
	size_t cap = n + n / 8;
	struct log_record *own = zalloc(cap * sizeof(*own), 0);
	if (own == NULL)
		return -ENOMEM;
	zalloc_free(w->own, w->own_cap * sizeof(*own));
	w->own = own;
	w->own_cap = cap;
	return 0;
}

static int
window_reserve_starts(struct log_window *w, size_t n)
{
	if (n <= w->starts_cap)
		return 0;
	size_t *starts = zalloc(n * sizeof(*starts), 0);
	if (starts == NULL)
		return -ENOMEM;
	zalloc_free(w->starts, w->starts_cap * sizeof(*starts));
	w->starts = starts;
	w->starts_cap = n;
	return 0;
}

int
log_window_open(struct log_window *w, const struct record_log *log, unsigned part)
{
	const struct log_part *p = get_part(log, part);
	w->n = p->n;
	if (p->first == p->last) {
		w->records = p->first != NULL ? p->first->records : NULL;
		return 0;
	}
	if (window_reserve(w, p->n) != 0)
		return -ENOMEM;
	struct log_record *to = w->own;
	for (const struct log_chunk *c = p->first; c != NULL; to += c->n, c = c->next)
		memcpy(to, c->records, c->n * sizeof(*to));
	w->records = w->own;
	return 0;
}

void
log_window_close(struct log_window *w)
{
	zalloc_free(w->own, w->own_cap * sizeof(*w->own));
	zalloc_free(w->starts, w->starts_cap * sizeof(*w->starts));
	*w = (struct log_window){0};
}

size_t
log_owner_end(const struct log_window *w, size_t i)
{
	size_t end = i + 1;
	while (end < w->n && log_same_owner(&w->records[i], &w->records[end]))
		end++;
	return end;
}

/* -------- order -------- */

bool
log_rdata_has_upper(const uint8_t *data, unsigned len)
{
	bool found = false;
	for (unsigned i = 0; i < len; i++)
		found |= (uint8_t)(data[i] - 'A') < 26;
	return found;
}

int
log_record_compare_rdata(const struct log_record *x, const struct log_record *y)
{
	if (!x->has_upper && !y->has_upper)
		return rdata_compare(x->rdata, x->rdlen, y->rdata, y->rdlen);
	uint8_t a[RDATA_MAX_LEN], b[RDATA_MAX_LEN];
	memcpy(a, x->rdata, x->rdlen);
	memcpy(b, y->rdata, y->rdlen);
	rdata_canonical(x->type, a, x->rdlen);
	rdata_canonical(y->type, b, y->rdlen);
	return rdata_compare(a, x->rdlen, b, y->rdlen);
}

static int
log_compare(const void *a, const void *b)
{
	const struct log_record *x = a, *y = b;
	if (x->hash != y->hash)
		return x->hash < y->hash ? -1 : 1;
	if (x->owner != y->owner) {
		if (x->owner_len != y->owner_len)
			return x->owner_len < y->owner_len ? -1 : 1;
		int order = memcmp(x->owner, y->owner, x->owner_len);
		if (order != 0)
			return order;
	}
	uint32_t x_key = log_record_type_key(x->type, x->rdata);
	uint32_t y_key = log_record_type_key(y->type, y->rdata);
	if (x_key != y_key)
		return x_key < y_key ? -1 : 1;
	return log_record_compare_rdata(x, y);
}

/* More than so many are not put in order by moving them one by one. */
#define SORT_FEW 24

static void
sort_few(struct log_record *r, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		struct log_record moved = r[i];
		size_t to = i;
		for (; to > 0 && log_compare(&r[to - 1], &moved) > 0; to--)
			r[to] = r[to - 1];
		r[to] = moved;
	}
}

/* Keeps the order of equal ones. `room`: for half of them. */
static void
sort_many(struct log_record *r, size_t n, struct log_record *room)
{
	size_t half = n / 2;
	if (n <= SORT_FEW) {
		sort_few(r, n);
		return;
	}
	sort_many(r, half, room);
	sort_many(r + half, n - half, room);
	memcpy(room, r, half * sizeof(*r));
	for (size_t i = 0, k = half, to = 0; i < half; to++)
		r[to] = k < n && log_compare(&room[i], &r[k]) > 0 ? r[k++] : room[i++];
}

/* Of one bucket, which is long for a name with many records alone. */
static int
sort_records(struct log_record *r, size_t n)
{
	struct log_record *room = n > SORT_FEW ? zalloc(n / 2 * sizeof(*r), 0) : NULL;
	if (room == NULL && n > SORT_FEW)
		return -ENOMEM;
	sort_many(r, n, room);
	zalloc_free(room, n / 2 * sizeof(*r));
	return 0;
}

/* Into n buckets by further bits of the hash; `starts` becomes where each ends. */
static void
part_scatter(const struct log_part *p, unsigned skip_bits, struct log_window *w, size_t n)
{
	size_t *starts = w->starts;
	memset(starts, 0, (n + 1) * sizeof(*starts));
	for (const struct log_chunk *c = p->first; c != NULL; c = c->next)
		for (size_t i = 0; i < c->n; i++)
			starts[(c->records[i].hash >> skip_bits & (n - 1)) + 1]++;
	for (size_t i = 0; i < n; i++)
		starts[i + 1] += starts[i];
	for (const struct log_chunk *c = p->first; c != NULL; c = c->next)
		for (size_t i = 0; i < c->n; i++)
			w->own[starts[c->records[i].hash >> skip_bits & (n - 1)]++] = c->records[i];
}

/* Comparing looks at data, which lies where it came: it is asked for while the buckets before are being sorted. */
static int
sort_buckets(struct log_window *w, size_t n_buckets, size_t n)
{
	size_t asked = 0;
	int err = 0;
	for (size_t i = 0, from = 0; i < n_buckets && err == 0; i++) {
		for (; asked < n && asked < w->starts[i] + LOG_AHEAD; asked++)
			prefetch(w->own[asked].rdata);
		err = sort_records(w->own + from, w->starts[i] - from);
		from = w->starts[i];
	}
	return err;
}

/* The window shows it when it is sorted. */
static int
part_sort(struct log_part *p, unsigned skip_bits, struct log_window *w)
{
	unsigned bits = 0;
	while (bits < 16 && p->n >> (bits + 2) != 0)
		bits++;
	size_t n_buckets = (size_t)1 << bits;
	if (window_reserve(w, p->n) != 0 || window_reserve_starts(w, n_buckets + 1) != 0)
		return -ENOMEM;
	part_scatter(p, skip_bits, w, n_buckets);
	if (sort_buckets(w, n_buckets, p->n) != 0)
		return -ENOMEM;
	const struct log_record *from = w->own;
	for (struct log_chunk *c = p->first; c != NULL; from += c->n, c = c->next)
		memcpy(c->records, from, c->n * sizeof(*from));
	return 0;
}

int
log_window_sort(struct log_window *w, struct record_log *log, unsigned part)
{
	struct log_part *p = log->parts != NULL ? &log->parts[part] : &log->few;
	if (p->first != p->last || p->n > SORT_FEW) {
		int err = p->is_sorted ? 0 : part_sort(p, log->parts != NULL ? PART_BITS : 0, w);
		if (err != 0)
			return err;
	} else if (p->first != NULL) {
		sort_few(p->first->records, p->n);
	}
	p->is_sorted = true;
	return log_window_open(w, log, part);
}
