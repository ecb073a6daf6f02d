/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Changes: edits. See change.h; change_finish.c makes the snapshot of them.
 *
 * The first record that is removed or added at a name opens an edit: the list of the sets that the base has there.
 * A set's records are only read back once one of them changes; a set that nobody touches goes into the new node as
 * it is.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "zones/base/alloc.h"
#include "zones/store/change_private.h"
#include "zones/wire/rdata.h"

/* -------- the arena -------- */

#define ARENA_FIRST 4096 /* most changes are one name and a SOA */
#define ARENA_CHUNK (64 * 1024)

struct arena_chunk {
	struct arena_chunk *next;
	size_t used, size;
	uint8_t bytes[] __attribute__((aligned(16)));
};

void *
change_alloc(struct zone_change *c, size_t size)
{
	size = (size + 7) & ~(size_t)7;
	struct arena_chunk *chunk = c->arena;
	if (chunk == NULL || chunk->size - chunk->used < size) {
		size_t room = chunk == NULL ? ARENA_FIRST : ARENA_CHUNK;
		room = size > room ? size : room;
		chunk = zalloc(sizeof(*chunk) + room, 0);
		if (chunk == NULL)
			return NULL;
		*chunk = (struct arena_chunk){.next = c->arena, .size = room};
		c->arena = chunk;
	}
	void *p = chunk->bytes + chunk->used;
	chunk->used += size;
	return p;
}

/* Makes room for one more element of a list in the arena; what the list was stays behind there. */
static void *
change_grow(struct zone_change *c, void *list, unsigned n, unsigned *cap, size_t element)
{
	if (n < *cap)
		return list;
	unsigned more = *cap != 0 ? 2 * *cap : 2; /* most sets have one record or two */
	void *grown = change_alloc(c, more * element);
	if (grown == NULL)
		return NULL;
	if (n != 0)
		memcpy(grown, list, n * element);
	*cap = more;
	return grown;
}

struct zone_change *
zone_change_new(const struct snapshot *base, enum zone_change_mode mode, struct diag_list *diag)
{
	struct zone_change *c = zalloc(sizeof(*c), 0);
	if (c == NULL)
		return NULL;
	*c = (struct zone_change){.base = base, .mode = mode};
	struct name apex;
	name_copy(&apex, node_name(base->apex));
	record_source_init(&c->source, &apex);
	c->compile = (struct compile){.source = &c->source, .diag = diag};
	c->compile.hashes_names = node_hashes(base->apex) != NULL;
	if (c->compile.hashes_names && base->denial != NULL)
		c->compile.params = base->denial->params;
	return c;
}

void
zone_change_abort(struct zone_change *c)
{
	if (c == NULL)
		return;
	compile_end(&c->compile);
	zalloc_free(c->table, c->cap * sizeof(*c->table));
	zalloc_free(c->scratch, c->scratch_cap * sizeof(*c->scratch));
	while (c->arena != NULL) {
		struct arena_chunk *next = c->arena->next;
		zalloc_free(c->arena, sizeof(*c->arena) + c->arena->size);
		c->arena = next;
	}
	zalloc_free(c, sizeof(*c));
}

/* -------- edits -------- */

static size_t
table_slot(struct change_edit *const *table, size_t cap, uint64_t hash, const uint8_t *owner, unsigned len)
{
	size_t i = hash & (cap - 1);
	while (table[i] != NULL &&
	       (table[i]->hash != hash || table[i]->owner_len != len || memcmp(table[i]->owner, owner, len) != 0))
		i = (i + 1) & (cap - 1);
	return i;
}

struct change_edit *
change_find(const struct zone_change *c, uint64_t hash, const uint8_t *owner, unsigned len)
{
	return c->cap != 0 ? c->table[table_slot(c->table, c->cap, hash, owner, len)] : NULL;
}

static int
table_grow(struct zone_change *c)
{
	if (c->n * 2 < c->cap)
		return 0;
	size_t cap = c->cap != 0 ? c->cap * 2 : 16;
	struct change_edit **table = zalloc(cap * sizeof(*table), 0);
	if (table == NULL)
		return -ENOMEM;
	memset(table, 0, cap * sizeof(*table));
	for (size_t i = 0; i < c->cap; i++) {
		struct change_edit *e = c->table[i];
		if (e != NULL)
			table[table_slot(table, cap, e->hash, e->owner, e->owner_len)] = e;
	}
	zalloc_free(c->table, c->cap * sizeof(*table));
	c->table = table;
	c->cap = cap;
	return 0;
}

struct change_edit *
change_touch(struct zone_change *c, uint64_t hash, const uint8_t *owner, unsigned len)
{
	struct change_edit *e = change_find(c, hash, owner, len);
	if (e != NULL)
		return e;
	if (table_grow(c) != 0)
		return NULL;
	e = change_alloc(c, sizeof(*e) + len);
	if (e == NULL)
		return NULL;
	uint8_t *copy = (uint8_t *)(e + 1);
	memcpy(copy, owner, len);
	unsigned depth = name_labels(copy);
	*e = (struct change_edit){
		.next = c->at_depth[depth], .owner = copy, .owner_len = (uint8_t)len, .hash = hash};
	e->base = (const struct node *)names_find(&c->base->names, hash, copy, len);
	uint8_t nsec3_hash[NSEC3_HASH_LEN];
	const struct denial_index *d = c->base->denial;
	if (d != NULL && d->kind == DENIAL_BY_NSEC3 && compile_is_nsec3_owner(&c->compile, copy, len, nsec3_hash)) {
		e->base_nsec3 = denial_nsec3(d, nsec3_hash);
		if (e->base_nsec3 != NULL && memcmp(e->base_nsec3->hash, nsec3_hash, NSEC3_HASH_LEN) != 0)
			e->base_nsec3 = NULL;
	}
	c->at_depth[depth] = e;
	c->table[table_slot(c->table, c->cap, hash, owner, len)] = e;
	c->n++;
	return e;
}

/* -------- sets -------- */

/* The place of the first set whose key is no less. */
static unsigned
seek_set(const struct change_edit *e, uint32_t key)
{
	unsigned low = 0, high = e->n_sets;
	while (low < high) {
		unsigned middle = (low + high) / 2;
		if (e->sets[middle].key < key)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct change_set *
change_find_set(const struct change_edit *e, uint32_t key)
{
	unsigned i = seek_set(e, key);
	return i < e->n_sets && e->sets[i].key == key ? &e->sets[i] : NULL;
}

/* The set with this key, made empty if there is none. */
static struct change_set *
make_set(struct zone_change *c, struct change_edit *e, uint32_t key)
{
	unsigned i = seek_set(e, key);
	if (i < e->n_sets && e->sets[i].key == key)
		return &e->sets[i];
	struct change_set *sets = change_grow(c, e->sets, e->n_sets, &e->cap, sizeof(*sets));
	if (sets == NULL)
		return NULL;
	e->sets = sets;
	memmove(&sets[i + 1], &sets[i], (e->n_sets - i) * sizeof(*sets));
	sets[i] = (struct change_set){.key = key, .is_loaded = true};
	e->n_sets++;
	return &sets[i];
}

unsigned
change_seek_record(const struct change_set *set, const struct log_record *r, bool *found)
{
	unsigned low = 0, high = set->n;
	*found = false;
	while (low < high) {
		unsigned middle = (low + high) / 2;
		int order = log_record_compare_rdata(&set->records[middle], r);
		if (order == 0) {
			*found = true;
			return middle;
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static int
insert_record(struct zone_change *c, struct change_set *set, unsigned at, const struct log_record *r)
{
	struct log_record *records = change_grow(c, set->records, set->n, &set->cap, sizeof(*records));
	if (records == NULL)
		return -ENOMEM;
	set->records = records;
	memmove(&records[at + 1], &records[at], (set->n - at) * sizeof(*records));
	records[at] = *r;
	set->n++;
	return 0;
}

static struct log_record
record_of(const struct change_edit *e, uint16_t type, uint32_t ttl_s, const uint8_t *rdata, uint16_t rdlen)
{
	return (struct log_record){.hash = e->hash,
				   .owner = e->owner,
				   .rdata = rdata,
				   .ttl_s = ttl_s,
				   .type = type,
				   .rdlen = rdlen,
				   .owner_len = e->owner_len,
				   .has_upper = log_rdata_has_upper(rdata, rdlen)};
}

/* Reads a compiled set's records back, each into the set `into` or, where that is NULL, the one that it belongs to.
 */
static int
read_records(struct zone_change *c, struct change_edit *e, const struct rrset *from, struct change_set *into)
{
	uint8_t rdata[RDATA_MAX_LEN];
	struct rrset_iter it;
	int len;
	rrset_iter_init(&it, from, e->owner);
	while ((len = rrset_iter_next(&it, rdata)) >= 0) {
		uint8_t *copy = change_alloc(c, (size_t)len);
		struct change_set *set =
			into != NULL ? into : make_set(c, e, log_record_type_key(from->type, rdata));
		if (copy == NULL || set == NULL)
			return -ENOMEM;
		memcpy(copy, rdata, (size_t)len);
		struct log_record r = record_of(e, from->type, rrset_ttl(from), copy, (uint16_t)len);
		if (insert_record(c, set, set->n, &r) != 0)
			return -ENOMEM;
	}
	return 0;
}

int
change_load(struct zone_change *c, const struct change_edit *e, struct change_set *set)
{
	if (set->is_loaded)
		return 0;
	set->n = 0;
	int err = read_records(c, (struct change_edit *)(uintptr_t)e, set->base, set);
	set->is_loaded = err == 0;
	return err;
}

static int
open_set(struct zone_change *c, struct change_edit *e, const struct rrset *base, uint32_t key)
{
	struct change_set *set = make_set(c, e, key);
	if (set == NULL)
		return -ENOMEM;
	set->base = base;
	set->is_loaded = false;
	return 0;
}

/* Lists the sets that the base has at the name: those of its node, and its NSEC3 set. */
static int
open_edit(struct zone_change *c, struct change_edit *e)
{
	if (e->is_open)
		return 0;
	unsigned n = e->base != NULL ? node_set_count(e->base) : 0;
	e->cap = n + 2;
	e->n_sets = 0;
	e->sets = change_alloc(c, e->cap * sizeof(e->sets[0]));
	int err = e->sets != NULL ? 0 : -ENOMEM;
	for (unsigned i = 0; i < n && err == 0 && node_word_is_set(e->base->sets[i]); i++) {
		const struct rrset *set = node_set(e->base->sets[i]);
		bool is_signature = set->type == RRTYPE_RRSIG;
		if (is_signature && i == 0)
			err = read_records(c, e, set, NULL); /* orphans, of several types perhaps */
		else
			err = open_set(c, e, set,
				       is_signature ? node_set_type(e->base->sets[i - 1]) * 2u + 1
						    : set->type * 2u);
	}
	if (err == 0 && e->base_nsec3 != NULL)
		err = open_set(c, e, e->base_nsec3->set, RRTYPE_NSEC3 * 2);
	if (err == 0 && e->base_nsec3 != NULL && e->base_nsec3->sigs != NULL)
		err = open_set(c, e, e->base_nsec3->sigs, RRTYPE_NSEC3 * 2 + 1);
	e->is_open = err == 0;
	return err;
}

int
change_open(struct zone_change *c, uint64_t hash, const uint8_t *owner, unsigned len, struct change_edit **out)
{
	struct change_edit *e = change_touch(c, hash, owner, len);
	int err = e != NULL ? open_edit(c, e) : -ENOMEM;
	if (err == 0)
		*out = e;
	return err;
}

/* The open edit of an owner of any case. */
int
change_open_name(struct zone_change *c, const struct name *owner, struct change_edit **out)
{
	struct name lower = {.len = owner->len};
	name_lower(lower.bytes, owner->bytes, owner->len);
	if (!name_is_under(lower.bytes, c->source.apex.bytes))
		return -ERANGE;
	return change_open(c, name_hash(lower.bytes), lower.bytes, lower.len, out);
}

/* May stand beside anything, and says nothing that a check of one name looks at. */
static bool
is_never_refused(uint32_t key)
{
	return (key & 1) || key / 2 == RRTYPE_NSEC;
}

static struct log_record *
scratch_of(struct zone_change *c, size_t n)
{
	if (n <= c->scratch_cap && c->scratch != NULL)
		return c->scratch;
	size_t cap = n + 16;
	struct log_record *more = zalloc(cap * sizeof(*more), 0);
	if (more == NULL)
		return NULL;
	zalloc_free(c->scratch, c->scratch_cap * sizeof(*more));
	c->scratch = more;
	c->scratch_cap = cap;
	return more;
}

int
change_records(struct zone_change *c, struct change_edit *e, enum change_records_of what, struct log_record **out,
	       size_t *n)
{
	*n = 0;
	for (unsigned i = 0; i < e->n_sets; i++) {
		if (what == CHANGE_RECORDS_TO_CHECK && !e->sets[i].is_loaded && is_never_refused(e->sets[i].key))
			continue;
		if (change_load(c, e, &e->sets[i]) != 0)
			return -ENOMEM;
		*n += e->sets[i].n;
	}
	struct log_record *records = scratch_of(c, *n);
	if (records == NULL)
		return -ENOMEM;
	*out = records;
	for (unsigned i = 0; i < e->n_sets; i++) {
		const struct change_set *set = &e->sets[i];
		if (!set->is_loaded || set->n == 0)
			continue;
		memcpy(records, set->records, set->n * sizeof(*records));
		records += set->n;
	}
	return 0;
}

/* -------- what callers do -------- */

static void
mark_changed(struct change_edit *e, struct change_set *set)
{
	set->is_changed = true;
	e->is_changed = true;
}

/* Says which record does not fit, and returns `err`; lenient changes do not mind. */
static int
misfit(const struct zone_change *c, const struct log_record *r, int err)
{
	if (c->mode == ZONE_CHANGE_LENIENT)
		return 0;
	char data[200];
	if (rdata_to_text(r->type, r->rdata, r->rdlen, data, sizeof(data)) < 0)
		snprintf(data, sizeof(data), "record of %u octets", r->rdlen);
	builder_fault(&c->source, c->compile.diag, DIAG_ERROR, r, "%s: %s", data,
		      err == -ENOENT ? "is to be removed and is not there" : "is to be added and is there already");
	return err;
}

/* Where a record stands in an edit, or would. */
struct spot {
	struct change_edit *edit;
	struct change_set *set;
	struct log_record record; /* as it was looked for */
	unsigned at;
	bool found;
};

/* Loads the set that a record belongs to and looks for the record. */
static int
seek_spot(struct zone_change *c, struct change_edit *e, uint16_t type, uint32_t ttl_s, const uint8_t *rdata,
	  uint16_t rdlen, struct spot *out)
{
	struct log_record r = record_of(e, type, ttl_s, rdata, rdlen);
	struct change_set *set = make_set(c, e, log_record_type_key(type, rdata));
	if (set == NULL || change_load(c, e, set) != 0)
		return -ENOMEM;
	*out = (struct spot){.edit = e, .set = set, .record = r};
	out->at = change_seek_record(set, &r, &out->found);
	return 0;
}

static void
take_out(struct spot *s)
{
	s->set->n--;
	memmove(&s->set->records[s->at], &s->set->records[s->at + 1],
		(s->set->n - s->at) * sizeof(s->set->records[0]));
	mark_changed(s->edit, s->set);
}

static int
put_in(struct zone_change *c, struct spot *s)
{
	struct log_record r = s->record;
	uint8_t *copy = change_alloc(c, r.rdlen);
	if (copy == NULL)
		return -ENOMEM;
	memcpy(copy, r.rdata, r.rdlen);
	r.rdata = copy;
	if (insert_record(c, s->set, s->at, &r) != 0)
		return -ENOMEM;
	c->adds_nsec3 |= r.type == RRTYPE_NSEC3;
	mark_changed(s->edit, s->set);
	return 0;
}

static void
set_ttl(struct spot *s)
{
	if (s->set->records[s->at].ttl_s == s->record.ttl_s)
		return;
	s->set->records[s->at].ttl_s = s->record.ttl_s;
	mark_changed(s->edit, s->set);
}

int
zone_change_remove(struct zone_change *c, const struct name *owner, uint16_t type, const uint8_t *rdata,
		   uint16_t rdlen)
{
	struct change_edit *e;
	struct spot s;
	int err = change_open_name(c, owner, &e);
	if (err == 0)
		err = seek_spot(c, e, type, 0, rdata, rdlen, &s);
	if (err != 0)
		return err;
	if (!s.found)
		return misfit(c, &s.record, -ENOENT);
	take_out(&s);
	return 0;
}

int
zone_change_add(struct zone_change *c, const struct name *owner, uint16_t type, uint32_t ttl_s,
		const uint8_t *rdata, uint16_t rdlen)
{
	struct change_edit *e;
	struct spot s;
	int err = change_open_name(c, owner, &e);
	if (err == 0)
		err = seek_spot(c, e, type, ttl_s, rdata, rdlen, &s);
	if (err != 0)
		return err;
	if (!s.found)
		return put_in(c, &s);
	if (c->mode == ZONE_CHANGE_STRICT)
		return misfit(c, &s.record, -EEXIST);
	set_ttl(&s);
	return 0;
}

#define WKS_IDENTITY_LEN 5 /* address and protocol (RFC 1035 section 3.4.2) */

/* Does a record of a set take the place of another one there, which differs from it (RFC 2136 section 1.1.5)? */
static bool
replaces(const struct log_record *r, const struct log_record *old)
{
	const struct rrtype_row *row = rrtype_row(r->type);
	if (row != NULL && (row->flags & RRTYPE_SINGLETON))
		return true;
	return r->type == RRTYPE_WKS && memcmp(old->rdata, r->rdata, WKS_IDENTITY_LEN) == 0;
}

/* Takes out what the new record at `at` replaces. */
static void
remove_replaced(struct change_set *set, unsigned at)
{
	const struct log_record r = set->records[at];
	unsigned n = 0;
	for (unsigned i = 0; i < set->n; i++) {
		if (i == at || !replaces(&r, &set->records[i]))
			set->records[n++] = set->records[i];
	}
	set->n = n;
}

int
zone_change_put(struct zone_change *c, const struct name *owner, uint16_t type, uint32_t ttl_s,
		const uint8_t *rdata, uint16_t rdlen)
{
	struct change_edit *e;
	struct spot s;
	int err = change_open_name(c, owner, &e);
	if (err == 0)
		err = seek_spot(c, e, type, ttl_s, rdata, rdlen, &s);
	if (err == 0 && !s.found)
		err = put_in(c, &s);
	if (err != 0)
		return err;
	if (!s.found)
		remove_replaced(s.set, s.at);
	bool changes = !s.found;
	for (unsigned i = 0; i < s.set->n; i++) {
		changes |= s.set->records[i].ttl_s != ttl_s;
		s.set->records[i].ttl_s = ttl_s;
	}
	if (changes)
		mark_changed(e, s.set);
	return 0;
}

int
change_put(struct zone_change *c, struct change_edit *e, const struct log_record *r)
{
	struct spot s;
	int err = seek_spot(c, e, r->type, r->ttl_s, r->rdata, r->rdlen, &s);
	if (err != 0)
		return err;
	if (!s.found)
		return put_in(c, &s);
	if (r->ttl_s < s.set->records[s.at].ttl_s)
		set_ttl(&s);
	return 0;
}

int
change_drop(struct zone_change *c, struct change_edit *e, const struct log_record *r)
{
	struct spot s;
	int err = seek_spot(c, e, r->type, r->ttl_s, r->rdata, r->rdlen, &s);
	if (err == 0 && s.found)
		take_out(&s);
	return err;
}

void
change_empty(struct change_edit *e, struct change_set *set)
{
	if (change_set_is_empty(set))
		return;
	set->n = 0;
	set->is_loaded = true;
	mark_changed(e, set);
}

int
zone_change_remove_set(struct zone_change *c, const struct name *owner, uint16_t type)
{
	struct change_edit *e;
	int err = change_open_name(c, owner, &e);
	for (unsigned i = 0; err == 0 && i < e->n_sets; i++) {
		bool is_signature = e->sets[i].key & 1;
		if (type == RRTYPE_RRSIG ? is_signature : e->sets[i].key == type * 2u)
			change_empty(e, &e->sets[i]);
	}
	return err;
}

int
zone_change_remove_name(struct zone_change *c, const struct name *owner)
{
	struct change_edit *e;
	int err = change_open_name(c, owner, &e);
	for (unsigned i = 0; err == 0 && i < e->n_sets; i++)
		change_empty(e, &e->sets[i]);
	return err;
}

int
zone_change_remove_apex_data(struct zone_change *c)
{
	struct change_edit *e;
	int err = change_open_name(c, &c->source.apex, &e);
	for (unsigned i = 0; err == 0 && i < e->n_sets; i++) {
		if (e->sets[i].key != RRTYPE_SOA * 2 && e->sets[i].key != RRTYPE_NS * 2)
			change_empty(e, &e->sets[i]);
	}
	return err;
}
