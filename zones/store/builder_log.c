/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The zone builder: the log of records, and its order. See builder_private.h.
 *
 * Records go where the low bits of their hash say, as names go to the pages of the names table; so a build that
 * takes part after part fills one page after the other. Memory that is touched for the first time costs more than
 * all that is done with it here, so records are packed, and what lists them in order is used for one part after the
 * other:
 *
 *     ┌─────┬──────┬───────┬───────┬───────────┬──────┬──────┬────────┬──────┬───────────┬───────────┐
 *     │ TTL │ type │ rdlen │ flags │ owner_len │ line │ file │ column │ hash │ owner ... │ rdata ... │
 *     └─────┴──────┴───────┴───────┴───────────┴──────┴──────┴────────┴──────┴───────────┴───────────┘
 *                                              └─ with HAS_PLACE ─────┘└ not with SAME ─┘
 *
 * One thread adds; several read.
 */
#include <errno.h>

#include "zones/base/alloc.h"
#include "zones/store/builder_private.h"
#include "zones/wire/rdata.h"

/* -------- chunks -------- */

/* From so many records on there are parts; before, chunks double from the first size to the last, heads included.
 */
#define LOG_FEW 32768
#define FEW_CHUNK_FIRST 1024
#define FEW_CHUNK_LAST (256 * 1024)
#define PART_BITS 8
#define PARTS (1u << PART_BITS)
_Static_assert(PARTS == LOG_PARTS_MAX, "parts");
#define PART_CHUNK 8192

struct log_chunk {
	struct log_chunk *next;
	uint32_t used, cap;
	uint8_t bytes[];
};

static int
part_grow(struct log_part *p, size_t size, size_t need)
{
	if (size < sizeof(struct log_chunk) + need)
		size = sizeof(struct log_chunk) + need;
	struct log_chunk *chunk = zalloc(size, 0);
	if (chunk == NULL)
		return -ENOMEM;
	chunk->next = NULL;
	chunk->used = 0;
	chunk->cap = (uint32_t)(size - sizeof(*chunk));
	if (p->last != NULL)
		p->last->next = chunk;
	else
		p->first = chunk;
	p->last = chunk;
	return 0;
}

/* Octets at the end of the part, in a new chunk of that size where there is no room. NULL: out of memory. */
static uint8_t *
part_reserve(struct log_part *p, size_t size, size_t need)
{
	if ((p->last == NULL || p->last->cap - p->last->used < need) && part_grow(p, size, need) != 0)
		return NULL;
	uint8_t *at = p->last->bytes + p->last->used;
	p->last->used += (uint32_t)need;
	return at;
}

static void
part_free(struct log_part *p)
{
	while (p->first != NULL) {
		struct log_chunk *next = p->first->next;
		zalloc_free(p->first, sizeof(*p->first) + p->first->cap);
		p->first = next;
	}
	*p = (struct log_part){0};
}

/* -------- packed records -------- */

enum { SAME_OWNER = 1, HAS_PLACE = 2, HAS_UPPER = 4 };

struct packed_head {
	uint32_t ttl_s;
	uint16_t type, rdlen;
	uint8_t flags, owner_len;
} __attribute__((packed));

struct packed_place {
	uint32_t line;
	uint16_t file, column;
} __attribute__((packed));

static size_t
packed_len(const struct log_record *r, bool same_owner)
{
	return sizeof(struct packed_head) + (r->line != 0 ? sizeof(struct packed_place) : 0) +
	       (same_owner ? 0 : sizeof(r->hash) + r->owner_len) + r->rdlen;
}

static void
pack(uint8_t *to, const struct log_record *r, bool same_owner)
{
	struct packed_head head = {.ttl_s = r->ttl_s,
				   .type = r->type,
				   .rdlen = r->rdlen,
				   .flags = (uint8_t)((same_owner ? SAME_OWNER : 0) |
						      (r->line != 0 ? HAS_PLACE : 0) |
						      (r->has_upper ? HAS_UPPER : 0)),
				   .owner_len = r->owner_len};
	memcpy(to, &head, sizeof(head));
	to += sizeof(head);
	if (r->line != 0) {
		struct packed_place place = {.line = r->line, .file = r->file, .column = r->column};
		memcpy(to, &place, sizeof(place));
		to += sizeof(place);
	}
	if (!same_owner) {
		memcpy(to, &r->hash, sizeof(r->hash));
		memcpy(to + sizeof(r->hash), r->owner, r->owner_len);
		to += sizeof(r->hash) + r->owner_len;
	}
	if (r->rdlen != 0)
		memcpy(to, r->rdata, r->rdlen);
}

/* The record at the cursor's place, which moves behind it. */
static void
unpack(struct log_cursor *c, struct log_record *out)
{
	const uint8_t *from = c->chunk->bytes + c->at;
	struct packed_head head;
	struct packed_place place = {0};
	memcpy(&head, from, sizeof(head));
	from += sizeof(head);
	if (head.flags & HAS_PLACE) {
		memcpy(&place, from, sizeof(place));
		from += sizeof(place);
	}
	if (!(head.flags & SAME_OWNER)) {
		memcpy(&c->hash, from, sizeof(c->hash));
		c->owner = from + sizeof(c->hash);
		c->owner_len = head.owner_len;
		from = c->owner + head.owner_len;
	}
	*out = (struct log_record){.hash = c->hash,
				   .owner = c->owner,
				   .owner_len = c->owner_len,
				   .rdata = from,
				   .rdlen = head.rdlen,
				   .type = head.type,
				   .ttl_s = head.ttl_s,
				   .has_upper = head.flags & HAS_UPPER,
				   .line = place.line,
				   .file = place.file,
				   .column = place.column};
	c->at = (size_t)(from + head.rdlen - c->chunk->bytes);
}

/* The next record of the part that the cursor is in. */
static bool
part_next(struct log_cursor *c, struct log_record *out)
{
	while (c->chunk != NULL && c->at == c->chunk->used) {
		c->chunk = c->chunk->next;
		c->at = 0;
	}
	if (c->chunk == NULL)
		return false;
	unpack(c, out);
	return true;
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

static int
part_add(struct log_part *p, size_t chunk_size, const struct log_record *r, bool same_owner)
{
	uint8_t *at = part_reserve(p, chunk_size, packed_len(r, same_owner));
	if (at == NULL)
		return -ENOMEM;
	pack(at, r, same_owner);
	p->n++;
	return 0;
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
	struct log_cursor c = {.chunk = log->few.first};
	struct log_record r;
	const uint8_t *last_owner = NULL;
	int err = parts == NULL ? -ENOMEM : 0;
	if (parts != NULL)
		memset(parts, 0, PARTS * sizeof(*parts));
	while (err == 0 && part_next(&c, &r)) {
		err = part_add(&parts[r.hash % PARTS], PART_CHUNK, &r, r.owner == last_owner);
		last_owner = r.owner;
	}
	if (err != 0) {
		if (parts != NULL)
			free_parts(parts);
		return err;
	}
	part_free(&log->few);
	log->parts = parts;
	return 0;
}

static size_t
few_chunk_size(const struct log_part *few)
{
	size_t size = few->last != NULL ? 2 * (sizeof(*few->last) + few->last->cap) : FEW_CHUNK_FIRST;
	return size < FEW_CHUNK_LAST ? size : FEW_CHUNK_LAST;
}

int
log_add(struct record_log *log, const struct log_record *r, bool same_owner)
{
	if (log->parts == NULL && log->n == LOG_FEW && log_split(log) != 0)
		return -ENOMEM;
	int err = log->parts != NULL ? part_add(&log->parts[log_part_of(log, r->hash)], PART_CHUNK, r, same_owner)
				     : part_add(&log->few, few_chunk_size(&log->few), r, same_owner);
	log->n += err == 0;
	return err;
}

int
log_expect(struct record_log *log, uint64_t records)
{
	return records > LOG_FEW && log->parts == NULL ? log_split(log) : 0;
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
	if (has_parts &&
	    ((log->parts == NULL && log_split(log) != 0) || (more->parts == NULL && log_split(more) != 0)))
		return -ENOMEM;
	part_join(&log->few, &more->few);
	for (unsigned i = 0; has_parts && i < PARTS; i++)
		part_join(&log->parts[i], &more->parts[i]);
	log->n += more->n;
	more->n = 0;
	return 0;
}

static void
part_renumber(const struct log_part *p, const uint16_t *numbers)
{
	struct log_record r;
	for (struct log_chunk *chunk = p->first; chunk != NULL; chunk = chunk->next) {
		struct log_cursor c = {.chunk = chunk};
		while (c.at < chunk->used) {
			uint8_t *place = chunk->bytes + c.at + sizeof(struct packed_head);
			unpack(&c, &r);
			if (r.line != 0)
				memcpy(place + offsetof(struct packed_place, file), &numbers[r.file],
				       sizeof(numbers[0]));
		}
	}
}

void
log_renumber(struct record_log *log, const uint16_t *numbers)
{
	for (unsigned i = 0; i < log_parts(log); i++)
		part_renumber(get_part(log, i), numbers);
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

bool
log_cursor_next(struct log_cursor *c, struct log_record *out)
{
	while (!part_next(c, out)) {
		if (c->part == log_parts(c->log))
			return false;
		c->chunk = get_part(c->log, c->part++)->first;
		c->at = 0;
	}
	return true;
}

/* -------- lists -------- */

/* Room for n in all. What is in the list stays. */
static int
list_reserve(struct log_list *list, size_t n)
{
	if (n <= list->cap)
		return 0;
	struct log_record *items = zalloc(n * sizeof(*items), 0);
	if (items == NULL)
		return -ENOMEM;
	if (list->n != 0)
		memcpy(items, list->items, list->n * sizeof(*items));
	zalloc_free(list->items, list->cap * sizeof(*items));
	list->items = items;
	list->cap = n;
	return 0;
}

int
log_list_add(struct log_list *list, const struct log_record *records, size_t n)
{
	if (list->n + n > list->cap && list_reserve(list, 2 * list->n + n) != 0)
		return -ENOMEM;
	memcpy(list->items + list->n, records, n * sizeof(*records));
	list->n += n;
	return 0;
}

void
log_list_free(struct log_list *list)
{
	zalloc_free(list->items, list->cap * sizeof(*list->items));
	*list = (struct log_list){0};
}

size_t
log_owner_end(const struct log_list *list, size_t i)
{
	const struct log_record *first = &list->items[i];
	size_t end = i + 1;
	while (end < list->n && list->items[end].hash == first->hash &&
	       list->items[end].owner_len == first->owner_len &&
	       memcmp(list->items[end].owner, first->owner, first->owner_len) == 0)
		end++;
	return end;
}

/* -------- order -------- */

typedef uint8_t octets16 __attribute__((vector_size(16)));

bool
log_rdata_has_upper(const uint8_t *data, unsigned len)
{
	octets16 v, found = {0};
	uint64_t any[2];
	bool is_found = false;
	if (len < sizeof(v)) {
		for (unsigned i = 0; i < len; i++)
			is_found |= (uint8_t)(data[i] - 'A') < 26;
		return is_found;
	}
	for (unsigned i = 0; i < len; i += sizeof(v)) { /* the last ones may be looked at twice */
		memcpy(&v, data + (len - i < sizeof(v) ? len - sizeof(v) : i), sizeof(v));
		found |= (octets16)((octets16)(v - 'A') < 26);
	}
	memcpy(any, &found, sizeof(any));
	return (any[0] | any[1]) != 0;
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

/* -------- windows -------- */

static int
window_reserve(struct log_window *w, size_t n, size_t n_starts)
{
	w->list.n = 0;
	if (list_reserve(&w->list, n) != 0)
		return -ENOMEM;
	if (n_starts <= w->starts_cap)
		return 0;
	size_t *starts = zalloc(n_starts * sizeof(*starts), 0);
	if (starts == NULL)
		return -ENOMEM;
	zalloc_free(w->starts, w->starts_cap * sizeof(*starts));
	w->starts = starts;
	w->starts_cap = n_starts;
	return 0;
}

/* Into n buckets by further bits of the hash; `starts` becomes where each ends. */
static void
window_scatter(struct log_window *w, const struct log_part *p, unsigned skip_bits, size_t n)
{
	struct log_cursor c = {.chunk = p->first};
	struct log_record r;
	size_t *starts = w->starts;
	memset(starts, 0, (n + 1) * sizeof(*starts));
	while (part_next(&c, &r))
		starts[(r.hash >> skip_bits & (n - 1)) + 1]++;
	for (size_t i = 0; i < n; i++)
		starts[i + 1] += starts[i];
	c = (struct log_cursor){.chunk = p->first};
	while (part_next(&c, &r))
		w->list.items[starts[r.hash >> skip_bits & (n - 1)]++] = r;
	w->list.n = p->n;
}

int
log_window_sort(struct log_window *w, const struct record_log *log, unsigned part)
{
	const struct log_part *p = get_part(log, part);
	unsigned bits = 0;
	w->list.n = 0;
	if (p->n == 0)
		return 0;
	while (bits < 16 && p->n >> (bits + 2) != 0)
		bits++;
	size_t n_buckets = (size_t)1 << bits;
	if (window_reserve(w, p->n, n_buckets + 1) != 0)
		return -ENOMEM;
	window_scatter(w, p, log->parts != NULL ? PART_BITS : 0, n_buckets);
	int err = 0;
	for (size_t i = 0, from = 0; i < n_buckets && err == 0; i++) {
		err = sort_records(w->list.items + from, w->starts[i] - from);
		from = w->starts[i];
	}
	return err;
}

void
log_window_close(struct log_window *w)
{
	log_list_free(&w->list);
	zalloc_free(w->starts, w->starts_cap * sizeof(*w->starts));
	*w = (struct log_window){0};
}
