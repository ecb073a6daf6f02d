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
 * The states of nodes are two bits at their places, those of NSEC3 sets follow from their marks. Where a third of
 * the names has got edits, which take more room than a builder's log, a builder gets all that has come so far
 * (replace_whole.c) and all the rest. One builder thread.
 */
#include <errno.h>
#include <string.h>

#include "zones/base/alloc.h"
#include "zones/store/records.h"
#include "zones/store/replace_private.h"

/* An edit takes about 450 octets at its peak, a name in the log of a builder 150 to 200. */
#define LIMIT_SHARE 3
#define LIMIT_MIN 4

/* -------- states -------- */

/* The mark of an object all of whose n records have come. */
static uint16_t
full_mask(unsigned n)
{
	return (uint16_t)((1u << n) - 1);
}

enum replace_state
replace_place_state(const struct zone_replace *r, uint64_t place)
{
	return r->states[place / 4] >> (place % 4 * 2) & 3;
}

static void
set_place_state(struct zone_replace *r, uint64_t place, enum replace_state state)
{
	uint8_t *octet = &r->states[place / 4];
	unsigned shift = place % 4 * 2;
	*octet = (uint8_t)((*octet & ~(3u << shift)) | (unsigned)state << shift);
}

/* Has this name an edit that holds its records? */
static bool
is_edited(const struct zone_replace *r, uint64_t hash, const uint8_t *owner, unsigned len)
{
	const struct change_edit *e = change_find(r->change, hash, owner, len);
	return e != NULL && e->is_open;
}

static unsigned
count_records(const struct replace_base *b)
{
	struct name_sets sets = {.node = b->node, .nsec3 = b->nsec3};
	const struct rrset *set;
	unsigned n = 0;
	while (replace_base_object(b) != NULL && (set = name_sets_next(&sets)) != NULL)
		n += set->n_rr;
	return n;
}

/* Of the current name, of which the base has n records. */
static enum replace_state
state_of(const struct zone_replace *r, const struct replace_base *b, unsigned n)
{
	if (b->node != NULL)
		return replace_place_state(r, b->place);
	uint16_t mark = b->nsec3 != NULL ? marks_get(&r->marks, b->nsec3) : 0;
	if (mark != 0 && mark == full_mask(n))
		return REPLACE_ALL;
	if (is_edited(r, r->hash, r->owner.bytes, r->owner.len))
		return REPLACE_EDITED;
	return mark != 0 ? REPLACE_PART : REPLACE_UNSEEN;
}

/* `mask`: which of the n records of the base have come; matters for "part" and "all". */
static int
set_state(struct zone_replace *r, const struct replace_base *b, enum replace_state state, uint16_t mask)
{
	bool needs_mark = state == REPLACE_PART || (b->nsec3 != NULL && state == REPLACE_ALL);
	bool has_mark = b->nsec3 != NULL && marks_get(&r->marks, b->nsec3) != 0;
	if (needs_mark || has_mark) {
		int err = marks_set(&r->marks, replace_base_object(b), mask);
		if (err != 0)
			return err;
	}
	if (b->node != NULL)
		set_place_state(r, b->place, state);
	return 0;
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
	size_t from = replace_seek_key(r, set->key), end = replace_seek_key(r, set->key + 1);
	bool same = false;
	if (from < end && set->base != NULL && end - from == set->base->n_rr) {
		int err = replace_group_is_same(r, from, end, &same);
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
edit_part(struct zone_replace *r, const struct replace_base *b, uint64_t hash, const uint8_t *owner, unsigned len,
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

/*
 * Reading a name back costs as much as it has records. Names with many become edits at the latest when they come
 * again, where a record is found by halves: whoever sends large names in small pieces must not make us read them
 * each time.
 */
static int
take_first(struct zone_replace *r, const struct replace_base *b)
{
	struct replace_match m = replace_match_run(r, b);
	bool same;
	int err = replace_run_is_same(r, &m, &same);
	if (err != 0)
		return err;
	bool can_mark = m.n_base <= REPLACE_MARKED_MAX;
	if (same && (b->node != NULL || (b->nsec3 != NULL && can_mark)))
		return set_state(r, b, REPLACE_ALL, full_mask(b->nsec3 != NULL ? m.n_base : 0));
	if (m.is_exact && can_mark)
		return set_state(r, b, REPLACE_PART, m.mask);
	err = edit_anew(r);
	return err == 0 && b->node != NULL ? set_state(r, b, REPLACE_EDITED, 0) : err;
}

static int
take_further(struct zone_replace *r, const struct replace_base *b)
{
	if (count_records(b) <= REPLACE_MARKED_MAX) {
		struct replace_match m = replace_match_run(r, b);
		if (m.is_known && m.is_not_shorter)
			return 0; /* once more what has come before */
	}
	int err = edit_further(r);
	return err == 0 ? set_state(r, b, REPLACE_EDITED, 0) : err;
}

static int
take_part(struct zone_replace *r, const struct replace_base *b)
{
	struct replace_match m = replace_match_run(r, b);
	uint16_t mask = marks_get(&r->marks, replace_base_object(b));
	if (m.is_exact) {
		mask |= m.mask;
		return set_state(r, b, mask == full_mask(m.n_base) ? REPLACE_ALL : REPLACE_PART, mask);
	}
	int err = edit_part(r, b, r->hash, r->owner.bytes, r->owner.len, mask);
	if (err == 0)
		err = edit_further(r);
	return err == 0 ? set_state(r, b, REPLACE_EDITED, 0) : err;
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

static struct replace_base
find_base(const struct zone_replace *r)
{
	struct replace_base b = {.nsec3 = find_nsec3(r)};
	if (b.nsec3 != NULL)
		return b;
	const struct node *n = (const struct node *)names_find_place(&r->base->names, r->hash, r->owner.bytes,
								     r->owner.len, &b.place);
	if (n != NULL && node_has_data(n))
		b.node = n;
	return b;
}

/* Turns to a builder if there are too many edits. */
static int
watch_limit(struct zone_replace *r)
{
	return r->change->n > r->limit ? replace_turn_whole(r) : 0;
}

/* Holds the run against the base. */
static int
end_run(struct zone_replace *r)
{
	if (r->n == 0)
		return 0;
	replace_settle_run(r);
	struct replace_base b = find_base(r);
	enum replace_state state = state_of(r, &b, count_records(&b));
	int err = state == REPLACE_UNSEEN ? take_first(r, &b)
		  : state == REPLACE_ALL  ? take_further(r, &b)
		  : state == REPLACE_PART ? take_part(r, &b)
					  : edit_further(r);
	r->n = 0;
	r->text_len = 0;
	return err == 0 ? watch_limit(r) : err;
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
	r->run[r->n++] = (struct replace_record){.log = {.type = type,
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
	if (err == 0 && r->builder == NULL)
		err = turn_to(r, owner);
	if (err != 0)
		return err;
	if (r->builder != NULL)
		err = zone_builder_add(r->builder, owner, type, ttl_s, rdata, rdlen, NULL);
	else
		err = add_to_run(r, type, ttl_s, rdata, rdlen);
	r->err = err == -ERANGE ? 0 : err;
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
	r->diag = diag;
	r->states_bytes = (size_t)(names_places(&base->names) / 4 + 1);
	r->states = zalloc(r->states_bytes, 0);
	r->change = zone_change_new(base, ZONE_CHANGE_LENIENT, diag);
	const struct denial_index *d = base->denial;
	size_t n_nsec3s = d != NULL && d->kind == DENIAL_BY_NSEC3 ? d->order.count : 0;
	r->limit = LIMIT_MIN + (base->names.count + n_nsec3s) / LIMIT_SHARE;
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
sweep_name(struct zone_replace *r, const struct replace_base *b, uint64_t hash, const uint8_t *owner, unsigned len,
	   enum replace_state state)
{
	struct change_edit *e;
	uint16_t mask = state == REPLACE_PART ? marks_get(&r->marks, replace_base_object(b)) : 0;
	int err =
		mask != 0 ? edit_part(r, b, hash, owner, len, mask) : change_open(r->change, hash, owner, len, &e);
	for (unsigned i = 0; err == 0 && mask == 0 && i < e->n_sets; i++)
		change_empty(e, &e->sets[i]);
	return err == 0 ? watch_limit(r) : err;
}

static int
sweep_nodes(struct zone_replace *r)
{
	struct names_cursor c;
	const struct names_entry *entry;
	int err = 0;
	names_cursor_begin(&c, &r->base->names);
	while (err == 0 && r->builder == NULL && (entry = names_cursor_next(&c)) != NULL) {
		struct replace_base b = {.node = (const struct node *)entry, .place = names_cursor_place(&c)};
		enum replace_state state = replace_place_state(r, b.place);
		if ((state == REPLACE_UNSEEN && node_has_data(b.node)) || state == REPLACE_PART)
			err = sweep_name(r, &b, entry->hash, node_name(b.node), entry->name_len, state);
	}
	return err;
}

static int
sweep_nsec3(const void *object, void *arg)
{
	struct zone_replace *r = arg;
	struct replace_base b = {.nsec3 = object};
	if (r->builder != NULL)
		return 0;
	uint16_t mark = marks_get(&r->marks, object);
	if (mark != 0 && mark == full_mask(count_records(&b)))
		return 0;
	uint8_t owner[NSEC3_OWNER_MAX];
	unsigned len = nsec3_owner(b.nsec3, r->change->source.apex.bytes, owner);
	uint64_t hash = name_hash(owner);
	if (is_edited(r, hash, owner, len))
		return 0;
	return sweep_name(r, &b, hash, owner, len, mark != 0 ? REPLACE_PART : REPLACE_UNSEEN);
}

/* The rest of what there is to know of the incoming zone: what it does not have. */
static int
sweep(struct zone_replace *r)
{
	const struct denial_index *d = r->base->denial;
	int err = sweep_nodes(r);
	if (err == 0 && r->builder == NULL && d != NULL && d->kind == DENIAL_BY_NSEC3)
		err = order_each(&d->order, sweep_nsec3, r);
	return err;
}

int
zone_replace_finish(struct zone_replace *r, struct snapshot **out, struct snapshot_remains **remains)
{
	int err = r->err != 0 || r->builder != NULL ? r->err : end_run(r);
	if (err == 0 && r->builder == NULL)
		err = sweep(r);
	if (err == 0 && r->builder != NULL)
		err = replace_finish_whole(r, out, remains);
	struct zone_change *c = r->change;
	bool goes_on = err == 0 && c != NULL;
	if (goes_on)
		r->change = NULL;
	zone_replace_abort(r); /* before the new snapshot is made, for the room */
	return goes_on ? zone_change_finish(c, out, remains) : err;
}

/* Frees what only serves edits. */
void
replace_end_edits(struct zone_replace *r)
{
	zone_change_abort(r->change);
	zalloc_free(r->run, r->cap * sizeof(r->run[0]));
	zalloc_free(r->text, r->text_cap);
	zalloc_free(r->states, r->states_bytes);
	marks_free(&r->marks);
	r->change = NULL;
	r->run = NULL;
	r->text = NULL;
	r->states = NULL;
	r->n = r->cap = r->text_len = r->text_cap = r->states_bytes = 0;
}

void
zone_replace_abort(struct zone_replace *r)
{
	if (r == NULL)
		return;
	replace_end_edits(r);
	zone_builder_abort(r->builder);
	zalloc_free(r, sizeof(*r));
}
