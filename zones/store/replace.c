/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A whole zone over the one that is there. See replace.h and docs/design/changes.md.
 *
 * Records of one name are kept as long as they come in a row. Then they are held against the base's, which are read
 * back one by one, and the name gets a state:
 *
 *     unseen   nothing has come yet; where it stays so, the name is removed at the end
 *     all      all that the base has, and nothing else: no edit
 *     part     some of what the base has, and nothing else: a mark tells which; some servers send a zone twice
 *              through, its NSEC sets last
 *     edited   anything else: an open edit of the change holds what has come
 *
 * The states of nodes are two bits at their places, those of NSEC3 sets follow from their marks. One builder
 * thread.
 */
#include "zones/store/replace.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "zones/base/alloc.h"
#include "zones/store/change_private.h"
#include "zones/store/marks.h"
#include "zones/store/records.h"
#include "zones/wire/rdata.h"

/* A record of the current name. */
struct run_record {
	struct log_record log;
	size_t text_at;          /* of its data */
	const struct rrset *set; /* of the base, that has it; NULL: none has */
	unsigned base_index;     /* there: its number among all records that the base has at the name */
	bool is_recased;         /* there: in other letters */
	bool is_kept;            /* its set stays the base's */
};

struct zone_replace {
	const struct snapshot *base;
	struct zone_change *change;
	struct name owner; /* the current one, lower case; length 0: none yet */
	uint64_t hash;
	struct run_record *run;
	size_t n, cap;
	uint8_t *text; /* the run's data */
	size_t text_len, text_cap;
	uint8_t *states; /* of nodes: two bits a place */
	size_t states_bytes;
	struct marks marks; /* which records of a node in state "part", or of an NSEC3 set, have come */
	int err;            /* sticky: part of the zone is lost */
	uint8_t rdata[RDATA_MAX_LEN];
};

/* More records of a name do not fit in a mark. */
#define MARKED_MAX 16

enum state { STATE_UNSEEN, STATE_ALL, STATE_PART, STATE_EDITED };

/* What the base has at a name: a node with data, an NSEC3 set, or neither. */
struct base_name {
	const struct node *node;
	const struct nsec3 *nsec3;
	uint64_t place; /* of the node */
};

static const void *
base_object(const struct base_name *b)
{
	return b->node != NULL ? (const void *)b->node : b->nsec3;
}

static unsigned
base_records(const struct base_name *b)
{
	struct name_sets sets = {.node = b->node, .nsec3 = b->nsec3};
	const struct rrset *set;
	unsigned n = 0;
	while (base_object(b) != NULL && (set = name_sets_next(&sets)) != NULL)
		n += set->n_rr;
	return n;
}

static uint16_t
full_mask(unsigned n)
{
	return (uint16_t)((1u << n) - 1);
}

/* -------- states -------- */

static enum state
place_state(const struct zone_replace *r, uint64_t place)
{
	return r->states[place / 4] >> (place % 4 * 2) & 3;
}

static void
set_place_state(struct zone_replace *r, uint64_t place, enum state state)
{
	uint8_t *octet = &r->states[place / 4];
	unsigned shift = place % 4 * 2;
	*octet = (uint8_t)((*octet & ~(3u << shift)) | (unsigned)state << shift);
}

static bool
is_edited(const struct zone_replace *r, uint64_t hash, const uint8_t *owner, unsigned len)
{
	const struct change_edit *e = change_find(r->change, hash, owner, len);
	return e != NULL && e->is_open;
}

/* Of the current name, of which the base has n records. */
static enum state
state_of(const struct zone_replace *r, const struct base_name *b, unsigned n)
{
	if (b->node != NULL)
		return place_state(r, b->place);
	uint16_t mark = b->nsec3 != NULL ? marks_get(&r->marks, b->nsec3) : 0;
	if (mark != 0 && mark == full_mask(n))
		return STATE_ALL;
	if (is_edited(r, r->hash, r->owner.bytes, r->owner.len))
		return STATE_EDITED;
	return mark != 0 ? STATE_PART : STATE_UNSEEN;
}

/* `mask`: which of the n records of the base have come; matters for "part" and "all". */
static int
set_state(struct zone_replace *r, const struct base_name *b, enum state state, uint16_t mask)
{
	bool needs_mark = state == STATE_PART || (b->nsec3 != NULL && state == STATE_ALL);
	bool has_mark = b->nsec3 != NULL && marks_get(&r->marks, b->nsec3) != 0;
	if (needs_mark || has_mark) {
		int err = marks_set(&r->marks, base_object(b), state == STATE_EDITED ? 0 : mask);
		if (err != 0)
			return err;
	}
	if (b->node != NULL)
		set_place_state(r, b->place, state);
	return 0;
}

/* -------- the run -------- */

static int
compare_run(const void *a, const void *b)
{
	const struct run_record *x = a, *y = b;
	uint32_t x_key = log_record_type_key(x->log.type, x->log.rdata);
	uint32_t y_key = log_record_type_key(y->log.type, y->log.rdata);
	if (x_key != y_key)
		return x_key < y_key ? -1 : 1;
	int order = log_record_compare_rdata(&x->log, &y->log);
	if (order == 0 && x->text_at != y->text_at)
		return x->text_at < y->text_at ? -1 : 1;
	return order;
}

/* Sorts the run; of duplicates stays the first, with the lowest TTL. */
static void
settle_run(struct zone_replace *r)
{
	bool is_sorted = true;
	for (size_t i = 0; i < r->n; i++) {
		r->run[i].log.rdata = r->text + r->run[i].text_at;
		is_sorted &= i == 0 || compare_run(&r->run[i - 1], &r->run[i]) <= 0;
	}
	if (!is_sorted)
		qsort(r->run, r->n, sizeof(r->run[0]), compare_run);
	size_t kept = 0;
	for (size_t i = 0; i < r->n; i++) {
		struct log_record *last = kept != 0 ? &r->run[kept - 1].log : NULL, *log = &r->run[i].log;
		if (last == NULL ||
		    log_record_type_key(last->type, last->rdata) != log_record_type_key(log->type, log->rdata) ||
		    log_record_compare_rdata(last, log) != 0)
			r->run[kept++] = r->run[i];
		else if (log->ttl_s < last->ttl_s)
			last->ttl_s = log->ttl_s;
	}
	r->n = kept;
}

/* First record of the run whose key is no less. */
static size_t
seek_key(const struct zone_replace *r, uint32_t key)
{
	size_t low = 0, high = r->n;
	while (low < high) {
		size_t middle = (low + high) / 2;
		const struct log_record *log = &r->run[middle].log;
		if (log_record_type_key(log->type, log->rdata) < key)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Index behind the last record of the run that is in one set with record i. */
static size_t
group_end(const struct zone_replace *r, size_t i)
{
	uint32_t key = log_record_type_key(r->run[i].log.type, r->run[i].log.rdata);
	size_t end = i + 1;
	while (end < r->n && log_record_type_key(r->run[end].log.type, r->run[end].log.rdata) == key)
		end++;
	return end;
}

/* The run's record that a record of the base equals but for letter case, or the run's end. */
static size_t
seek_record(const struct zone_replace *r, const struct log_record *base)
{
	uint32_t key = log_record_type_key(base->type, base->rdata);
	size_t low = seek_key(r, key), high = seek_key(r, key + 1);
	while (low < high) {
		size_t middle = (low + high) / 2;
		int order = log_record_compare_rdata(&r->run[middle].log, base);
		if (order == 0)
			return middle;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return r->n;
}

static bool
is_same_octets(const struct log_record *x, const struct log_record *y)
{
	return x->type == y->type && x->rdlen == y->rdlen && memcmp(x->rdata, y->rdata, x->rdlen) == 0;
}

/* Finds each record of a set of the base in the run, *next being where the first one should be. */
static void
match_set(struct zone_replace *r, const struct rrset *set, unsigned *base_index, size_t *next)
{
	struct rrset_iter it;
	int len;
	rrset_iter_init(&it, set, r->owner.bytes);
	for (; (len = rrset_iter_next(&it, r->rdata)) >= 0; ++*base_index) {
		struct log_record base = {.type = set->type, .rdata = r->rdata, .rdlen = (uint16_t)len};
		size_t i = *next;
		if (i == r->n || !is_same_octets(&r->run[i].log, &base)) {
			base.has_upper = log_rdata_has_upper(r->rdata, (unsigned)len);
			i = seek_record(r, &base);
		}
		if (i == r->n)
			continue;
		r->run[i].set = set;
		r->run[i].base_index = *base_index;
		r->run[i].is_recased = !is_same_octets(&r->run[i].log, &base);
		*next = i + 1;
	}
}

/* How the run stands to what the base has. */
struct match {
	unsigned n_base;
	bool is_known;       /* the base has all of it */
	bool is_exact;       /* it has, in the same letters and with the same TTLs */
	bool is_not_shorter; /* no TTL is below the base's */
	uint16_t mask;       /* which records, by number */
};

static struct match
match_run(struct zone_replace *r, const struct base_name *b)
{
	struct match m = {.is_known = true, .is_exact = true, .is_not_shorter = true};
	struct name_sets sets = {.node = b->node, .nsec3 = b->nsec3};
	const struct rrset *set;
	size_t next = 0;
	while (base_object(b) != NULL && (set = name_sets_next(&sets)) != NULL)
		match_set(r, set, &m.n_base, &next);
	for (size_t i = 0; i < r->n; i++) {
		const struct run_record *record = &r->run[i];
		if (record->set == NULL) {
			m.is_known = m.is_exact = false;
			continue;
		}
		m.is_exact &= !record->is_recased && record->log.ttl_s == rrset_ttl(record->set);
		m.is_not_shorter &= record->log.ttl_s >= rrset_ttl(record->set);
		if (record->base_index < MARKED_MAX)
			m.mask |= (uint16_t)(1u << record->base_index);
	}
	return m;
}

/* -------- is a set what the base has? -------- */

/*
 * The base does not keep all letters: what records have in common with their owner is read back as the owner has
 * it. Where only letters differ, the compiler has the last word.
 */
static int
group_compiles_to(const struct zone_replace *r, size_t from, size_t end, const struct rrset *set, bool *same)
{
	size_t size = (end - from) * sizeof(struct rrset_rdata);
	struct rrset_rdata *rdatas = zalloc(size, 0);
	struct rrset *made = NULL;
	if (rdatas == NULL)
		return -ENOMEM;
	for (size_t i = from; i < end; i++)
		rdatas[i - from] = (struct rrset_rdata){.data = r->run[i].log.rdata, .len = r->run[i].log.rdlen};
	int err = rrset_compile(r->change->source.apex.bytes, r->owner.bytes, set->type, rrset_ttl(set), rdatas,
				(unsigned)(end - from), &made);
	zalloc_free(rdatas, size);
	if (err == 0)
		*same = rrset_is_equal(made, set);
	rrset_release(made);
	return err == -ENOMEM ? err : 0;
}

/* All records of the group are in one set of the base; do they make what stands there? */
static int
group_is_same(const struct zone_replace *r, size_t from, size_t end, bool *same)
{
	const struct rrset *set = r->run[from].set;
	uint32_t ttl_s = UINT32_MAX;
	bool is_recased = false;
	*same = false;
	for (size_t i = from; i < end; i++) {
		if (r->run[i].set == NULL || r->run[i].set != set)
			return 0;
		ttl_s = r->run[i].log.ttl_s < ttl_s ? r->run[i].log.ttl_s : ttl_s;
		is_recased |= r->run[i].is_recased;
	}
	if (ttl_s != rrset_ttl(set))
		return 0;
	if (is_recased)
		return end - from == set->n_rr ? group_compiles_to(r, from, end, set, same) : 0;
	*same = true;
	return 0;
}

/* Is the run, all of which the base knows, all that the base has? */
static int
run_is_same(const struct zone_replace *r, const struct match *m, bool *same)
{
	int err = 0;
	*same = m->is_known && r->n == m->n_base;
	if (m->is_exact)
		return 0;
	for (size_t i = 0, end; i < r->n && *same && err == 0; i = end) {
		end = group_end(r, i);
		err = group_is_same(r, i, end, same);
	}
	return err;
}

/* -------- edits -------- */

static int
put_run(struct zone_replace *r, struct change_edit *e)
{
	int err = 0;
	for (size_t i = 0; i < r->n && err == 0; i++)
		err = r->run[i].is_kept ? 0 : change_put(r->change, e, &r->run[i].log);
	return err;
}

/* Leaves a set of the base as it is if the run says the same, else empties it. */
static int
keep_or_empty(struct zone_replace *r, struct change_edit *e, struct change_set *set)
{
	size_t from = seek_key(r, set->key), end = seek_key(r, set->key + 1);
	bool same = false;
	if (from < end && set->base != NULL && end - from == set->base->n_rr) {
		int err = group_is_same(r, from, end, &same);
		if (err != 0)
			return err;
	}
	if (!same)
		change_empty(e, set);
	for (size_t i = from; i < end; i++)
		r->run[i].is_kept = same;
	return 0;
}

/* The first that comes of a name is not what the base has: the run takes its place. */
static int
edit_anew(struct zone_replace *r)
{
	struct change_edit *e;
	int err = change_open(r->change, r->hash, r->owner.bytes, r->owner.len, &e);
	for (unsigned i = 0; err == 0 && i < e->n_sets; i++)
		err = keep_or_empty(r, e, &e->sets[i]);
	return err == 0 ? put_run(r, e) : err;
}

/* The run comes on top of what there is: the base's, or what an edit has collected. */
static int
edit_further(struct zone_replace *r)
{
	struct change_edit *e;
	int err = change_open(r->change, r->hash, r->owner.bytes, r->owner.len, &e);
	return err == 0 ? put_run(r, e) : err;
}

/* Makes an edit of a name of which only the records in `mask` have come. */
static int
edit_part(struct zone_replace *r, const struct base_name *b, uint64_t hash, const uint8_t *owner, unsigned len,
	  uint16_t mask)
{
	struct name_sets sets = {.node = b->node, .nsec3 = b->nsec3};
	const struct rrset *set;
	struct change_edit *e;
	unsigned i = 0;
	int err = change_open(r->change, hash, owner, len, &e);
	while (err == 0 && (set = name_sets_next(&sets)) != NULL) {
		struct rrset_iter it;
		int rdlen;
		rrset_iter_init(&it, set, owner);
		for (; err == 0 && (rdlen = rrset_iter_next(&it, r->rdata)) >= 0; i++) {
			struct log_record gone = {.type = set->type,
						  .rdata = r->rdata,
						  .rdlen = (uint16_t)rdlen,
						  .has_upper = log_rdata_has_upper(r->rdata, (unsigned)rdlen)};
			err = mask >> i & 1 ? 0 : change_drop(r->change, e, &gone);
		}
	}
	return err;
}

/* -------- the end of a run -------- */

static int
take_first(struct zone_replace *r, const struct base_name *b, const struct match *m)
{
	bool same;
	int err = run_is_same(r, m, &same);
	if (err != 0)
		return err;
	bool can_mark = m->n_base <= MARKED_MAX;
	if (same && (b->node != NULL || (b->nsec3 != NULL && can_mark)))
		return set_state(r, b, STATE_ALL, full_mask(b->nsec3 != NULL ? m->n_base : 0));
	if (m->is_exact && can_mark)
		return set_state(r, b, STATE_PART, m->mask);
	err = edit_anew(r);
	return err == 0 && b->node != NULL ? set_state(r, b, STATE_EDITED, 0) : err;
}

static int
take_further(struct zone_replace *r, const struct base_name *b, const struct match *m)
{
	if (m->is_known && m->is_not_shorter)
		return 0; /* once more what has come before */
	int err = edit_further(r);
	return err == 0 ? set_state(r, b, STATE_EDITED, 0) : err;
}

static int
take_part(struct zone_replace *r, const struct base_name *b, const struct match *m)
{
	uint16_t mask = marks_get(&r->marks, base_object(b));
	if (m->is_exact) {
		mask |= m->mask;
		return set_state(r, b, mask == full_mask(m->n_base) ? STATE_ALL : STATE_PART, mask);
	}
	int err = edit_part(r, b, r->hash, r->owner.bytes, r->owner.len, mask);
	if (err == 0)
		err = edit_further(r);
	return err == 0 ? set_state(r, b, STATE_EDITED, 0) : err;
}

/* The NSEC3 set at the current name, or NULL. Where there is one, a node of that name has no data. */
static const struct nsec3 *
find_nsec3(const struct zone_replace *r)
{
	const struct denial_index *d = r->base->denial;
	uint8_t hash[NSEC3_HASH_LEN];
	if (d == NULL || d->kind != DENIAL_BY_NSEC3 ||
	    !compile_is_nsec3_owner(&r->change->compile, r->owner.bytes, r->owner.len, hash))
		return NULL;
	const struct nsec3 *n = denial_nsec3(d, hash);
	return n != NULL && memcmp(n->hash, hash, NSEC3_HASH_LEN) == 0 ? n : NULL;
}

static struct base_name
find_base(const struct zone_replace *r)
{
	struct base_name b = {.nsec3 = find_nsec3(r)};
	if (b.nsec3 != NULL)
		return b;
	const struct node *n = (const struct node *)names_find_place(&r->base->names, r->hash, r->owner.bytes,
								     r->owner.len, &b.place);
	if (n != NULL && node_has_data(n))
		b.node = n;
	return b;
}

/* Holds the run against the base. */
static int
end_run(struct zone_replace *r)
{
	if (r->n == 0)
		return 0;
	settle_run(r);
	struct base_name b = find_base(r);
	struct match m = match_run(r, &b);
	enum state state = state_of(r, &b, m.n_base);
	int err = state == STATE_UNSEEN ? take_first(r, &b, &m)
		  : state == STATE_ALL  ? take_further(r, &b, &m)
		  : state == STATE_PART ? take_part(r, &b, &m)
					: edit_further(r);
	r->n = 0;
	r->text_len = 0;
	return err;
}

/* -------- records coming in -------- */

/* Makes room for `more` elements of a list that goes on growing. */
static int
reserve(void **list, size_t n, size_t *cap, size_t more, size_t element)
{
	if (n + more <= *cap)
		return 0;
	size_t grown_cap = 2 * (n + more);
	void *grown = zalloc(grown_cap * element, 0);
	if (grown == NULL)
		return -ENOMEM;
	if (n != 0)
		memcpy(grown, *list, n * element);
	zalloc_free(*list, *cap * element);
	*list = grown;
	*cap = grown_cap;
	return 0;
}

static int
add_to_run(struct zone_replace *r, uint16_t type, uint32_t ttl_s, const uint8_t *rdata, uint16_t rdlen)
{
	if (reserve((void **)&r->run, r->n, &r->cap, 1, sizeof(r->run[0])) != 0 ||
	    reserve((void **)&r->text, r->text_len, &r->text_cap, rdlen + 1u, 1) != 0)
		return -ENOMEM;
	if (rdlen != 0)
		memcpy(r->text + r->text_len, rdata, rdlen);
	r->run[r->n++] = (struct run_record){.log = {.type = type,
						     .ttl_s = ttl_s,
						     .rdlen = rdlen,
						     .has_upper = log_rdata_has_upper(rdata, rdlen)},
					     .text_at = r->text_len};
	r->text_len += rdlen;
	return 0;
}

/* Makes this the current name. */
static int
turn_to(struct zone_replace *r, const struct name *owner)
{
	struct name lower = {.len = owner->len};
	name_lower(lower.bytes, owner->bytes, owner->len);
	if (lower.len == r->owner.len && memcmp(lower.bytes, r->owner.bytes, lower.len) == 0)
		return 0;
	if (!name_is_under(lower.bytes, r->change->source.apex.bytes))
		return -ERANGE;
	r->err = end_run(r);
	memcpy(&r->owner, &lower, offsetof(struct name, bytes) + lower.len);
	r->hash = name_hash(lower.bytes);
	return r->err;
}

int
zone_replace_add(struct zone_replace *r, const struct name *owner, uint16_t type, uint32_t ttl_s,
		 const uint8_t *rdata, uint16_t rdlen)
{
	int err = r->err;
	if (err == 0)
		err = turn_to(r, owner);
	if (err == 0)
		err = r->err = add_to_run(r, type, ttl_s, rdata, rdlen);
	return err;
}

struct zone_replace *
zone_replace_new(const struct snapshot *base, struct diag_list *diag)
{
	struct zone_replace *r = zalloc(sizeof(*r), 0);
	if (r == NULL)
		return NULL;
	memset(r, 0, offsetof(struct zone_replace, rdata));
	r->base = base;
	r->states_bytes = (size_t)(names_places(&base->names) / 4 + 1);
	r->states = zalloc(r->states_bytes, 0);
	r->change = zone_change_new(base, ZONE_CHANGE_LENIENT, diag);
	const struct denial_index *d = base->denial;
	size_t n_nsec3s = d != NULL && d->kind == DENIAL_BY_NSEC3 ? d->order.count : 0;
	if (r->states == NULL || r->change == NULL || (n_nsec3s != 0 && marks_reserve(&r->marks, n_nsec3s) != 0)) {
		zone_replace_abort(r);
		return NULL;
	}
	memset(r->states, 0, r->states_bytes);
	return r;
}

/* -------- the end -------- */

/* Removes of a name what has not come. */
static int
sweep_name(struct zone_replace *r, const struct base_name *b, uint64_t hash, const uint8_t *owner, unsigned len,
	   enum state state)
{
	struct change_edit *e;
	if (state == STATE_PART)
		return edit_part(r, b, hash, owner, len, marks_get(&r->marks, base_object(b)));
	int err = change_open(r->change, hash, owner, len, &e);
	for (unsigned i = 0; err == 0 && i < e->n_sets; i++)
		change_empty(e, &e->sets[i]);
	return err;
}

static int
sweep_nodes(struct zone_replace *r)
{
	struct names_cursor c;
	const struct names_entry *entry;
	int err = 0;
	names_cursor_begin(&c, &r->base->names);
	while (err == 0 && (entry = names_cursor_next(&c)) != NULL) {
		struct base_name b = {.node = (const struct node *)entry, .place = names_cursor_place(&c)};
		enum state state = place_state(r, b.place);
		if ((state == STATE_UNSEEN && node_has_data(b.node)) || state == STATE_PART)
			err = sweep_name(r, &b, entry->hash, node_name(b.node), entry->name_len, state);
	}
	return err;
}

static int
sweep_nsec3(const void *object, void *arg)
{
	struct zone_replace *r = arg;
	struct base_name b = {.nsec3 = object};
	uint16_t mark = marks_get(&r->marks, object);
	if (mark != 0 && mark == full_mask(base_records(&b)))
		return 0;
	uint8_t owner[NSEC3_OWNER_MAX];
	unsigned len = nsec3_owner(b.nsec3, r->change->source.apex.bytes, owner);
	uint64_t hash = name_hash(owner);
	if (is_edited(r, hash, owner, len))
		return 0;
	return sweep_name(r, &b, hash, owner, len, mark != 0 ? STATE_PART : STATE_UNSEEN);
}

int
zone_replace_finish(struct zone_replace *r, struct snapshot **out, struct snapshot_remains **remains)
{
	int err = r->err != 0 ? r->err : end_run(r);
	if (err == 0)
		err = sweep_nodes(r);
	const struct denial_index *d = r->base->denial;
	if (err == 0 && d != NULL && d->kind == DENIAL_BY_NSEC3)
		err = order_each(&d->order, sweep_nsec3, r);
	struct zone_change *c = r->change;
	if (err == 0)
		r->change = NULL;
	zone_replace_abort(r); /* before the new snapshot is made, for the room */
	return err == 0 ? zone_change_finish(c, out, remains) : err;
}

void
zone_replace_abort(struct zone_replace *r)
{
	if (r == NULL)
		return;
	zone_change_abort(r->change);
	zalloc_free(r->run, r->cap * sizeof(r->run[0]));
	zalloc_free(r->text, r->text_cap);
	zalloc_free(r->states, r->states_bytes);
	marks_free(&r->marks);
	zalloc_free(r, sizeof(*r));
}
