/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The zone builder: from the sorted log to a snapshot. See builder.h.
 *
 * Each name becomes a node with its compiled record sets; names between a name and the apex that have no records of
 * their own become empty non-terminals, so that every ancestor of a name is in the table: the engine's search for
 * the closest encloser rests on that. Last, cuts and DNAMEs mark what lies below them.
 *
 * Nodes are made of each part of the log by itself, on as many threads as the crew has. Each thread has a table of
 * sets of its own, which become one at the end: a set that several threads have made stays as often as that, and is
 * found once from then on.
 *
 * Into the names table they go part by part, in order, by one thread at a time: whoever has made a part puts in
 * what is due, unless somebody is at it, and makes the next part then. So the table has a thread for as long as it
 * needs one, and nobody waits.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "zones/base/alloc.h"
#include "zones/base/bytes.h"
#include "zones/store/builder_ahead.h"
#include "zones/store/builder_private.h"
#include "zones/store/compile.h"
#include "zones/store/denial.h"
#include "zones/wire/rdata.h"

struct pointers {
	void **items;
	size_t n, cap;
};

/* What was made of one part of the log. */
struct build_part {
	struct pointers nodes;
	struct pointers nsec3s;
	struct log_list to_check; /* builder_names_to_check() */
	struct diag_list diag;
	int err;
	atomic_bool is_made;
};

struct build {
	struct zone_builder *b;
	struct snapshot *snapshot;
	struct names_txn *txn;
	struct compile compile;   /* the caller's */
	struct build_part *parts; /* of log_parts() */
	struct compile *compiles; /* of the threads that make nodes: of width */
	unsigned width;
	atomic_uint n_compiles; /* threads that have come; may go beyond width */
	atomic_uint next;       /* part that nobody has begun */
	atomic_bool has_failed; /* some part has: the others need not begin */
	unsigned next_put;      /* into the table: whoever has set is_putting has it, and put_err */
	int put_err;
	atomic_flag is_putting;
	struct pointers nsec3s; /* for the denial index */
};

/* One thread, at one part. */
struct build_worker {
	struct build *build;
	struct compile *compile;
	struct build_part *part;
	struct log_window window;
};

/* A list that grows. */
static int
pointers_add(struct pointers *p, void *item)
{
	if (p->n == p->cap) {
		size_t cap = p->cap != 0 ? p->cap * 2 : 8;
		void **items = zalloc(cap * sizeof(*items), 0);
		if (items == NULL)
			return -ENOMEM;
		if (p->n != 0)
			memcpy(items, p->items, p->n * sizeof(*items));
		zalloc_free(p->items, p->cap * sizeof(*items));
		p->items = items;
		p->cap = cap;
	}
	p->items[p->n++] = item;
	return 0;
}

static void
pointers_free(struct pointers *p)
{
	zalloc_free(p->items, p->cap * sizeof(*p->items));
	*p = (struct pointers){0};
}

/* -------- nodes -------- */

/* Two neighbours of the sorted log in one set? Signatures are set apart by what they cover. */
static bool
same_set(const struct log_record *x, const struct log_record *y)
{
	return x->type == y->type && (x->type != RRTYPE_RRSIG || load_be16(x->rdata) == load_be16(y->rdata));
}

static size_t
set_end(const struct log_record *r, size_t i, size_t n)
{
	size_t end = i + 1;
	while (end < n && same_set(&r[i], &r[end]))
		end++;
	return end;
}

static bool
is_orphan_signature(const struct log_record *r, size_t i)
{
	return r[i].type == RRTYPE_RRSIG &&
	       (i == 0 || (r[i - 1].type != load_be16(r[i].rdata) && !same_set(&r[i - 1], &r[i])));
}

/*
 * Signatures that cover nothing here (the covered type is missing) are one set in front of all others, where no
 * lookup mistakes them for the signatures of their neighbour.
 */
static int
build_orphans(struct build_worker *w, const struct log_record *r, size_t n, uint64_t *sets, unsigned *n_sets)
{
	struct log_record *orphans = NULL;
	size_t n_orphans = 0;
	for (size_t i = 0, end; i < n; i = end) {
		end = set_end(r, i, n);
		if (!is_orphan_signature(r, i))
			continue;
		if (orphans == NULL && (orphans = zalloc(n * sizeof(*orphans), 0)) == NULL)
			return -ENOMEM;
		memcpy(orphans + n_orphans, r + i, (end - i) * sizeof(*r));
		n_orphans += end - i;
	}
	if (orphans == NULL)
		return 0;
	struct rrset *set = NULL;
	int err = compile_set(w->compile, orphans, n_orphans, &set);
	if (set != NULL)
		sets[(*n_sets)++] = node_word(set);
	zalloc_free(orphans, n * sizeof(*orphans));
	return err;
}

static int
build_sets(struct build_worker *w, const struct log_record *r, size_t n, uint64_t *sets, unsigned *n_sets)
{
	int err = build_orphans(w, r, n, sets, n_sets);
	for (size_t i = 0, end; i < n && err == 0; i = end) {
		end = set_end(r, i, n);
		if (is_orphan_signature(r, i))
			continue;
		if (w->compile->hashes_names && r[i].type == RRTYPE_NSEC3)
			builder_fault(w->compile->source, w->compile->diag, DIAG_WARNING, &r[i],
				      "not at a hash of its own below the apex, so it proves nothing");
		struct rrset *set = NULL;
		err = compile_set(w->compile, r + i, end - i, &set);
		if (set != NULL)
			sets[(*n_sets)++] = node_word(set);
	}
	return err;
}

/* The node of one name from its n records. */
static int
build_node(struct build_worker *w, const struct log_record *r, size_t n, struct node **out)
{
	uint64_t few[16];
	uint64_t *sets = n <= ARRAY_LEN(few) ? few : zalloc(n * sizeof(*sets), 0);
	if (sets == NULL)
		return -ENOMEM;
	unsigned n_sets = 0;
	int err = build_sets(w, r, n, sets, &n_sets);
	if (err == 0)
		err = compile_node(w->compile, r[0].owner, r[0].hash, sets, n_sets, NULL, out);
	if (err != 0)
		compile_release(sets, n_sets);
	if (sets != few)
		zalloc_free(sets, n * sizeof(*sets));
	return err;
}

/* -------- NSEC3 -------- */

/* Octets of the hash, if all records of a name are NSEC3 and signatures, and the name is a hash below the apex. */
static bool
is_nsec3_name(const struct compile *compile, const struct log_record *r, size_t n, uint8_t hash[NSEC3_HASH_LEN])
{
	if (r->type != RRTYPE_NSEC3)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (r[i].type != RRTYPE_NSEC3 &&
		    (r[i].type != RRTYPE_RRSIG || load_be16(r[i].rdata) != RRTYPE_NSEC3))
			return false;
	}
	return compile_is_nsec3_owner(compile, r->owner, r->owner_len, hash);
}

static int
build_nsec3(struct build_worker *w, const struct log_record *r, size_t n, const uint8_t hash[NSEC3_HASH_LEN])
{
	struct rrset *set = NULL, *sigs = NULL;
	size_t n_set = set_end(r, 0, n);
	int err = compile_set(w->compile, r, n_set, &set);
	if (err == 0 && n_set < n)
		err = compile_set(w->compile, r + n_set, n - n_set, &sigs);
	struct nsec3 *made = err == 0 && set != NULL ? nsec3_new(hash, set, sigs) : NULL;
	if (made == NULL) {
		rrset_release(set);
		rrset_release(sigs);
		return err != 0 ? err : set != NULL ? -ENOMEM : 0;
	}
	err = pointers_add(&w->part->nsec3s, made);
	if (err != 0)
		nsec3_free(made);
	return err;
}

/* How the zone's names are hashed: the first usable NSEC3PARAM at the apex, if there are NSEC3 records as well. */
static int
find_nsec3_params(struct build *build)
{
	struct zone_builder *b = build->b;
	struct compile *compile = &build->compile;
	struct log_window w = {0};
	if (!b->has_nsec3 || !b->has_param)
		return 0;
	int err = log_window_sort(&w, &b->log, log_part_of(&b->log, b->source.apex_hash));
	for (size_t i = 0; err == 0 && i < w.list.n && !compile->hashes_names; i++) {
		const struct log_record *r = &w.list.items[i];
		/* algorithm SHA-1, no flags (RFC 5155 section 4.1); builder_check_chain() refuses the iterations */
		if (r->type != RRTYPE_NSEC3PARAM || r->hash != b->source.apex_hash || r->rdata[0] != 1 ||
		    r->rdata[1] != 0 || load_be16(r->rdata + 2) > NSEC3_ITERATIONS_MAX)
			continue;
		compile->hashes_names = true;
		compile->params.iterations = load_be16(r->rdata + 2);
		compile->params.salt_len = r->rdata[4];
		memcpy(compile->params.salt, r->rdata + 5, r->rdata[4]);
	}
	log_window_close(&w);
	return err;
}

/* -------- the table -------- */

static int add_node(struct build *build, struct node *n);

/* Tells the parent of a name that is new to the table, and makes the parent where there is none. */
static int
note_child(struct build *build, const uint8_t *name, unsigned len)
{
	unsigned skip = 1u + name[0];
	const uint8_t *parent_name = name + skip;
	uint64_t hash = name_hash(parent_name);
	struct names_entry *parent =
		(struct names_entry *)(uintptr_t)names_txn_find(build->txn, hash, parent_name, len - skip);
	if (parent == NULL) {
		struct node *empty;
		int err = compile_node(&build->compile, parent_name, hash, NULL, 0, NULL, &empty);
		if (err == 0)
			err = add_node(build, empty);
		if (err != 0)
			return err;
		parent = &empty->entry;
	}
	parent->children++;
	if (compile_is_wildcard(name))
		parent->flags |= NODE_WILDCARD;
	return 0;
}

/* Puts a node in; one that was made as an empty non-terminal meanwhile gives way. Consumes n. */
static int
add_node(struct build *build, struct node *n)
{
	const struct names_entry *replaced = NULL;
	int err = names_txn_put(build->txn, &n->entry, &replaced);
	if (err != 0) {
		node_free(n);
		return err;
	}
	if (replaced != NULL) {
		n->entry.children = replaced->children;
		n->entry.flags |= replaced->flags;
		node_free((struct node *)(uintptr_t)replaced);
		return 0;
	}
	depth_map_set(&build->snapshot->depths, name_labels(node_name(n)));
	if (n->entry.name_len == build->b->source.apex.len)
		return 0;
	return note_child(build, node_name(n), n->entry.name_len);
}

/* What putting in a node will touch, some steps before: the node, which another thread has made, and its parent. */
static void
look_ahead(const struct build *build, const struct pointers *nodes, struct ahead *parents, size_t i)
{
	const struct names *view = names_txn_view(build->txn);
	if (i + 3 * AHEAD < nodes->n)
		prefetch(nodes->items[i + 3 * AHEAD]);
	if (i + 2 * AHEAD < nodes->n) {
		const struct node *n = nodes->items[i + 2 * AHEAD];
		ahead_bucket(parents, view, i + 2 * AHEAD,
			     ahead_parent(node_name(n), n->entry.name_len, build->b->source.apex.len));
	}
	if (i + AHEAD < nodes->n)
		ahead_entry(parents, view, i + AHEAD);
}

static int
add_part(struct build *build, struct build_part *part)
{
	struct pointers *nodes = &part->nodes;
	struct ahead parents = {0};
	int err = 0;
	for (size_t i = 0; i < nodes->n && err == 0; i++) {
		struct node *n = nodes->items[i];
		look_ahead(build, nodes, &parents, i);
		nodes->items[i] = NULL;
		err = add_node(build, n);
	}
	for (size_t i = 0; i < part->nsec3s.n && err == 0; i++) {
		err = pointers_add(&build->nsec3s, part->nsec3s.items[i]);
		if (err == 0)
			part->nsec3s.items[i] = NULL;
	}
	if (err == 0) {
		pointers_free(&part->nodes);
		pointers_free(&part->nsec3s);
	}
	return err;
}

/* Puts in what is due, if nobody else is at it; what they leave is put in last of all. */
static void
put_parts(struct build *build)
{
	if (atomic_flag_test_and_set_explicit(&build->is_putting, memory_order_acquire))
		return;
	while (build->put_err == 0 && build->next_put < log_parts(&build->b->log) &&
	       atomic_load_explicit(&build->parts[build->next_put].is_made, memory_order_acquire))
		build->put_err = add_part(build, &build->parts[build->next_put++]);
	atomic_flag_clear_explicit(&build->is_putting, memory_order_release);
}

/* -------- the parts -------- */

static int
build_name(struct build_worker *w, const struct log_record *r, size_t n)
{
	struct node *node;
	uint8_t hash[NSEC3_HASH_LEN];
	if (is_nsec3_name(w->compile, r, n, hash))
		return build_nsec3(w, r, n, hash);
	int err = build_node(w, r, n, &node);
	if (err != 0)
		return err;
	err = pointers_add(&w->part->nodes, node);
	if (err != 0)
		node_free(node);
	return err;
}

/* Records [i, end) of the window. */
static int
check_name(struct build_worker *w, size_t i, size_t end)
{
	const struct zone_builder *b = w->build->b;
	const struct log_record *r = &w->window.list.items[i];
	builder_check_alone(&b->source, w->compile->diag, r, end - i);
	return builder_list_others(&b->source, b->has_dname, r, end - i, &w->part->to_check);
}

static int
build_part(struct build_worker *w, unsigned part)
{
	const struct log_list *list = &w->window.list;
	w->part = &w->build->parts[part];
	w->compile->diag = &w->part->diag;
	int err = log_window_sort(&w->window, &w->build->b->log, part);
	for (size_t i = 0, end; err == 0 && i < list->n; i = end) {
		end = log_owner_end(list, i);
		err = build_name(w, &list->items[i], end - i);
		if (err == 0)
			err = check_name(w, i, end);
	}
	return err;
}

/* Takes part after part, beside others that do. */
static void
build_parts(void *arg)
{
	struct build *build = arg;
	unsigned i = atomic_fetch_add_explicit(&build->n_compiles, 1, memory_order_relaxed), part;
	if (i >= build->width)
		return;
	struct build_worker w = {.build = build, .compile = &build->compiles[i]};
	while (!atomic_load_explicit(&build->has_failed, memory_order_relaxed) &&
	       (part = atomic_fetch_add_explicit(&build->next, 1, memory_order_relaxed)) <
		       log_parts(&build->b->log)) {
		w.part = &build->parts[part];
		w.part->err = build_part(&w, part);
		if (w.part->err != 0)
			atomic_store_explicit(&build->has_failed, true, memory_order_relaxed);
		else
			atomic_store_explicit(&w.part->is_made, true, memory_order_release);
		put_parts(build);
	}
	log_window_close(&w.window);
}

/* What the threads have compiled becomes the caller's. */
static void
join_compiles(struct build *build)
{
	struct compile *all = &build->compile;
	for (unsigned i = 0; i < build->width; i++) {
		struct compile *c = &build->compiles[i];
		all->records += c->records;
		all->sets += c->sets;
		if (all->interned == NULL) {
			all->interned = c->interned;
			c->interned = NULL;
		}
		if (c->interned != NULL)
			intern_join(all->interned, c->interned);
		c->interned = NULL;
		compile_end(c);
	}
}

/* Faults, in the order of the parts; and the first error. */
static int
join_parts(struct build *build)
{
	int err = 0;
	for (unsigned i = 0; i < log_parts(&build->b->log); i++) {
		diag_move(build->compile.diag, &build->parts[i].diag);
		err = err != 0 ? err : build->parts[i].err;
	}
	return err;
}

static int
make_nodes(struct build *build)
{
	unsigned n_parts = log_parts(&build->b->log);
	struct crew *crew = n_parts > 1 ? build->b->crew : NULL;
	build->width = crew != NULL ? crew->size : 1;
	build->compiles = zalloc(build->width * sizeof(*build->compiles), 0);
	build->parts = zalloc(n_parts * sizeof(*build->parts), 0);
	if (build->parts != NULL)
		memset(build->parts, 0, n_parts * sizeof(*build->parts));
	if (build->parts == NULL || build->compiles == NULL)
		return -ENOMEM;
	for (unsigned i = 0; i < n_parts; i++)
		build->parts[i].diag.limit = build->compile.diag->limit;
	for (unsigned i = 0; i < build->width; i++)
		build->compiles[i] = build->compile;
	crew_run(crew, build_parts, build);
	put_parts(build);
	join_compiles(build);
	int err = join_parts(build);
	return err != 0 ? err : build->put_err;
}

/* What was made and not taken out is freed. */
static void
free_parts(struct build *build)
{
	for (unsigned i = 0; build->parts != NULL && i < log_parts(&build->b->log); i++) {
		struct build_part *part = &build->parts[i];
		for (size_t k = 0; k < part->nodes.n; k++)
			if (part->nodes.items[k] != NULL)
				node_free(part->nodes.items[k]);
		for (size_t k = 0; k < part->nsec3s.n; k++)
			if (part->nsec3s.items[k] != NULL)
				nsec3_free(part->nsec3s.items[k]);
		pointers_free(&part->nodes);
		pointers_free(&part->nsec3s);
		log_list_free(&part->to_check);
		diag_clear(&part->diag);
	}
	zalloc_free(build->parts, log_parts(&build->b->log) * sizeof(*build->parts));
	zalloc_free(build->compiles, build->width * sizeof(*build->compiles));
	build->parts = NULL;
}

/* -------- hidden names -------- */

/*
 * Marks a name that a cut or a DNAME above it hides. Each name is marked by one thread, while others look at what
 * it is besides.
 */
static void
mark_hidden(const struct snapshot *s, struct names_entry *entry)
{
	const uint8_t *name = names_entry_name(entry);
	unsigned len = entry->name_len;
	while (len > s->apex_len) {
		unsigned skip = 1u + name[0];
		name += skip;
		len -= skip;
		const struct names_entry *above =
			len == s->apex_len ? &s->apex->entry : names_find(&s->names, name_hash(name), name, len);
		if (__atomic_load_n(&above->flags, __ATOMIC_RELAXED) & (NODE_CUT | NODE_DNAME)) {
			__atomic_store_n(&entry->flags, entry->flags | NODE_BELOW, __ATOMIC_RELAXED);
			return;
		}
	}
}

/* Some names of a walk: the parents of all are asked for before the first is marked. */
struct hidden {
	const struct snapshot *snapshot;
	struct names_entry *entries[AHEAD_RING];
	size_t n;
};

static void
mark_group(struct hidden *h)
{
	const struct snapshot *s = h->snapshot;
	struct ahead parents;
	for (size_t i = 0; i < h->n; i++)
		ahead_bucket(&parents, &s->names, i,
			     ahead_parent(names_entry_name(h->entries[i]), h->entries[i]->name_len, s->apex_len));
	for (size_t i = 0; i < h->n; i++)
		ahead_entry(&parents, &s->names, i);
	for (size_t i = 0; i < h->n; i++)
		mark_hidden(s, h->entries[i]);
	h->n = 0;
}

static int
visit_hidden(const struct names_entry *entry, void *arg)
{
	struct hidden *h = arg;
	h->entries[h->n++] = (struct names_entry *)(uintptr_t)entry;
	if (h->n == AHEAD_RING)
		mark_group(h);
	return 0;
}

static void
mark_part(void *arg, size_t part)
{
	const struct build *build = arg;
	struct hidden h = {.snapshot = build->snapshot};
	names_walk_part(&build->snapshot->names, part, log_parts(&build->b->log), visit_hidden, &h);
	mark_group(&h);
}

/* -------- the denial index -------- */

struct nsec_nodes {
	const struct node **nodes;
	size_t n;
};

static int
collect_nsec(const struct names_entry *entry, void *arg)
{
	const struct node *n = (const struct node *)entry;
	struct nsec_nodes *list = arg;
	if ((entry->flags & NODE_BELOW) || node_find(n, RRTYPE_NSEC).set == NULL)
		return 0;
	if (list->nodes != NULL)
		list->nodes[list->n] = n;
	list->n++;
	return 0;
}

static struct denial_index *
index_nsec(struct build *build)
{
	const struct snapshot *s = build->snapshot;
	struct nsec_nodes list = {0};
	names_walk(&s->names, collect_nsec, &list);
	size_t n = list.n;
	list.nodes = zalloc(n * sizeof(list.nodes[0]), 0);
	if (list.nodes == NULL)
		return NULL;
	list.n = 0;
	names_walk(&s->names, collect_nsec, &list);
	struct denial_index *d = denial_new_nsec(list.nodes, n, s->apex_labels);
	zalloc_free(list.nodes, n * sizeof(list.nodes[0]));
	return d;
}

static int
fill_denial(struct build *build)
{
	struct snapshot *s = build->snapshot;
	struct denial_index *d = NULL;
	if (build->nsec3s.n != 0)
		d = denial_new_nsec3((struct nsec3 **)build->nsec3s.items, build->nsec3s.n, &build->compile.params);
	else if (node_find(s->apex, RRTYPE_NSEC).set != NULL)
		d = index_nsec(build);
	else
		return 0;
	if (d == NULL)
		return -ENOMEM;
	build->nsec3s.n = 0; /* they are the index's now */
	denial_settle_apex(d, s->apex);
	s->denial = d;
	return 0;
}

/* -------- the snapshot -------- */

static int
fill_snapshot(struct build *build)
{
	const struct zone_builder *b = build->b;
	struct snapshot *s = build->snapshot;
	s->apex = (const struct node *)names_find(&s->names, b->source.apex_hash, b->source.apex.bytes,
						  b->source.apex.len);
	if (s->apex == NULL)
		return 0;
	s->is_signed = compile_is_signed(s->apex);
	s->records = build->compile.records;
	s->sets = build->compile.sets;
	crew_each(b->crew, log_parts(&b->log), mark_part, build);
	int err = fill_denial(build);
	return err != 0 ? err : compile_soa(s, b->source.apex.bytes);
}

/* Changes go on with the table of sets, where that pays. */
static void
keep_interned(struct build *build)
{
	struct intern *in = build->compile.interned;
	if (in == NULL || !intern_is_worth_it(in))
		return;
	intern_close(in, 0);
	build->snapshot->interned = intern_hold(in);
}

static struct snapshot *
snapshot_new(const struct zone_builder *b)
{
	struct snapshot *s = zalloc(sizeof(*s), CACHE_LINE);
	if (s != NULL)
		*s = (struct snapshot){.apex_hash = b->source.apex_hash,
				       .apex_labels = b->source.apex_labels,
				       .apex_len = b->source.apex.len};
	return s;
}

static int
begin_table(struct build *build)
{
	build->snapshot = snapshot_new(build->b);
	if (build->snapshot == NULL)
		return -ENOMEM;
	build->txn = names_txn_begin(&build->snapshot->names, build->b->log.n / 2);
	return build->txn != NULL ? 0 : -ENOMEM;
}

static void
end_table(struct build *build)
{
	struct garbage garbage = {0};
	if (build->txn == NULL)
		return;
	names_txn_commit(build->txn, &build->snapshot->names, &garbage);
	garbage_free(&garbage); /* of an empty table */
	build->txn = NULL;
}

int
builder_make_nodes(struct zone_builder *b, struct diag_list *diag)
{
	struct build *build = zalloc(sizeof(*build), 0);
	if (build == NULL)
		return -ENOMEM;
	*build = (struct build){
		.b = b, .compile = {.source = &b->source, .diag = diag}, .is_putting = ATOMIC_FLAG_INIT};
	b->build = build;
	int err = begin_table(build);
	if (err == 0)
		err = find_nsec3_params(build);
	return err != 0 ? err : make_nodes(build);
}

void
builder_drop_nodes(struct zone_builder *b)
{
	struct build *build = b->build;
	if (build == NULL)
		return;
	free_parts(build);
	end_table(build);
	snapshot_free(build->snapshot); /* unless it was finished */
	compile_end(&build->compile);
	for (size_t i = 0; i < build->nsec3s.n; i++)
		nsec3_free(build->nsec3s.items[i]);
	pointers_free(&build->nsec3s);
	zalloc_free(build, sizeof(*build));
	b->build = NULL;
}

const struct log_list *
builder_names_to_check(const struct zone_builder *b, unsigned part)
{
	return &b->build->parts[part].to_check;
}

int
builder_compile(struct zone_builder *b, struct diag_list *diag, struct snapshot **out)
{
	struct build *build = b->build;
	build->compile.diag = diag;
	end_table(build);
	keep_interned(build);
	int err = fill_snapshot(build);
	if (err != 0)
		return err;
	*out = build->snapshot;
	build->snapshot = NULL;
	return 0;
}
