/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The zone builder: from the sorted log to a snapshot. See builder.h.
 *
 * Each name becomes a node with its compiled record sets; names between a name and the apex that have no records of
 * their own become empty non-terminals, so that every ancestor of a name is in the table: the engine's search for
 * the closest encloser rests on that. Last, cuts and DNAMEs mark what lies below them.
 *
 * A crew makes the nodes of several parts of the log at once. Into the table they go part by part, in order, by one
 * thread at a time: whoever has made a part puts in what is due, unless somebody is at it, and makes the next part
 * then. So the table takes a thread for as long as it needs one, and nobody waits.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "zones/base/alloc.h"
#include "zones/base/bytes.h"
#include "zones/store/builder_private.h"
#include "zones/store/compile.h"
#include "zones/store/denial.h"
#include "zones/wire/rdata.h"

/* What one part of the log becomes. */
struct build_part {
	struct compile compile;
	struct diag_list diag;
	struct node **nodes; /* in the log's order, until they are in the table; room for one a record */
	size_t n_nodes, nodes_cap;
	struct nsec3 **nsec3s; /* collected for the denial index */
	size_t n_nsec3s, nsec3s_cap;
	int err;
	atomic_bool is_made;
};

struct build {
	const struct zone_builder *b;
	struct diag_list *diag;
	struct snapshot *snapshot;
	struct names_txn *txn;
	struct compile compile; /* what the parts have in common; makes empty non-terminals */
	pthread_mutex_t lock;   /* over compile.interned */
	struct build_part *parts;
	_Atomic size_t next_part; /* to be made */
	size_t next_put;          /* to be put into the table: whoever has set is_putting has it */
	atomic_flag is_putting;
	int err; /* with next_put: the first that a part has met */
};

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
build_orphans(struct build_part *part, const struct log_record *r, size_t n, uint64_t *sets, unsigned *n_sets)
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
	int err = compile_set(&part->compile, orphans, n_orphans, &set);
	if (set != NULL)
		sets[(*n_sets)++] = node_word(set);
	zalloc_free(orphans, n * sizeof(*orphans));
	return err;
}

static int
build_sets(struct build_part *part, const struct log_record *r, size_t n, uint64_t *sets, unsigned *n_sets)
{
	int err = build_orphans(part, r, n, sets, n_sets);
	for (size_t i = 0, end; i < n && err == 0; i = end) {
		end = set_end(r, i, n);
		if (is_orphan_signature(r, i))
			continue;
		if (part->compile.hashes_names && r[i].type == RRTYPE_NSEC3)
			builder_fault(part->compile.source, part->compile.diag, DIAG_WARNING, &r[i],
				      "not at a hash of its own below the apex, so it proves nothing");
		struct rrset *set = NULL;
		err = compile_set(&part->compile, r + i, end - i, &set);
		if (set != NULL)
			sets[(*n_sets)++] = node_word(set);
	}
	return err;
}

/* The node of one name from its n records. */
static int
build_node(struct build_part *part, const struct log_record *r, size_t n, struct node **out)
{
	uint64_t few[16];
	uint64_t *sets = n <= ARRAY_LEN(few) ? few : zalloc(n * sizeof(*sets), 0);
	if (sets == NULL)
		return -ENOMEM;
	unsigned n_sets = 0;
	int err = build_sets(part, r, n, sets, &n_sets);
	if (err == 0)
		err = compile_node(&part->compile, r[0].owner, r[0].hash, sets, n_sets, NULL, out);
	if (err != 0)
		compile_release(sets, n_sets);
	if (sets != few)
		zalloc_free(sets, n * sizeof(*sets));
	return err;
}

/* -------- NSEC3 -------- */

/* Octets of the hash, if all records of a name are NSEC3 and signatures, and the name is a hash below the apex. */
static bool
is_nsec3_name(const struct build_part *part, const struct log_record *r, size_t n, uint8_t hash[NSEC3_HASH_LEN])
{
	if (r->type != RRTYPE_NSEC3)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (r[i].type != RRTYPE_NSEC3 &&
		    (r[i].type != RRTYPE_RRSIG || load_be16(r[i].rdata) != RRTYPE_NSEC3))
			return false;
	}
	return compile_is_nsec3_owner(&part->compile, r->owner, r->owner_len, hash);
}

static int
reserve_nsec3(struct build_part *part)
{
	if (part->n_nsec3s < part->nsec3s_cap)
		return 0;
	size_t cap = part->nsec3s_cap ? part->nsec3s_cap * 2 : 64;
	struct nsec3 **sets = zalloc(cap * sizeof(*sets), 0);
	if (sets == NULL)
		return -ENOMEM;
	if (part->n_nsec3s != 0)
		memcpy(sets, part->nsec3s, part->n_nsec3s * sizeof(*sets));
	zalloc_free(part->nsec3s, part->nsec3s_cap * sizeof(*sets));
	part->nsec3s = sets;
	part->nsec3s_cap = cap;
	return 0;
}

static int
build_nsec3(struct build_part *part, const struct log_record *r, size_t n, const uint8_t hash[NSEC3_HASH_LEN])
{
	struct rrset *set = NULL, *sigs = NULL;
	size_t n_set = set_end(r, 0, n);
	int err = reserve_nsec3(part);
	if (err == 0)
		err = compile_set(&part->compile, r, n_set, &set);
	if (err == 0 && n_set < n)
		err = compile_set(&part->compile, r + n_set, n - n_set, &sigs);
	struct nsec3 *made = err == 0 && set != NULL ? nsec3_new(hash, set, sigs) : NULL;
	if (made == NULL) {
		rrset_release(set);
		rrset_release(sigs);
		return err != 0 ? err : set != NULL ? -ENOMEM : 0;
	}
	part->nsec3s[part->n_nsec3s++] = made;
	return 0;
}

/* How the zone's names are hashed: the first usable NSEC3PARAM at the apex, if there are NSEC3 records as well. */
static void
find_nsec3_params(struct build *build)
{
	const struct zone_builder *b = build->b;
	size_t at_apex = b->source.apex_hash & (b->n_parts - 1);
	bool has_nsec3 = false;
	for (size_t p = 0; p < b->n_parts; p++)
		has_nsec3 |= b->parts[p].has_nsec3;
	for (size_t i = log_part_start(b, at_apex); has_nsec3 && i < b->parts[at_apex].end; i++) {
		const struct log_record *r = &b->records[i];
		/* algorithm SHA-1, no flags (RFC 5155 section 4.1); builder_check_chain() refuses the iterations */
		if (r->type != RRTYPE_NSEC3PARAM || r->hash != b->source.apex_hash || build->compile.hashes_names ||
		    r->rdata[0] != 1 || r->rdata[1] != 0 || load_be16(r->rdata + 2) > NSEC3_ITERATIONS_MAX)
			continue;
		build->compile.hashes_names = true;
		build->compile.params.iterations = load_be16(r->rdata + 2);
		build->compile.params.salt_len = r->rdata[4];
		memcpy(build->compile.params.salt, r->rdata + 5, r->rdata[4]);
	}
}

/* -------- parts -------- */

static int
make_nodes(const struct build *build, struct build_part *part, size_t i, size_t part_end)
{
	const struct zone_builder *b = build->b;
	part->nodes_cap = part_end - i;
	part->nodes = zalloc(part->nodes_cap * sizeof(*part->nodes), 0);
	if (part->nodes == NULL)
		return -ENOMEM;
	for (size_t end; i < part_end; i = end) {
		end = log_owner_end(b, i);
		struct node *n = NULL;
		uint8_t hash[NSEC3_HASH_LEN];
		for (size_t k = i; k < end; k++)
			log_prefetch(b, k);
		int err = is_nsec3_name(part, &b->records[i], end - i, hash)
				  ? build_nsec3(part, &b->records[i], end - i, hash)
				  : build_node(part, &b->records[i], end - i, &n);
		if (err != 0)
			return err;
		if (n != NULL)
			part->nodes[part->n_nodes++] = n;
	}
	return 0;
}

static void
make_part(struct build *build, size_t p)
{
	struct build_part *part = &build->parts[p];
	part->diag.limit = build->diag->limit;
	part->compile = build->compile;
	part->compile.diag = &part->diag;
	part->compile.interned = intern_hold(build->compile.interned);
	part->err = make_nodes(build, part, log_part_start(build->b, p), build->b->parts[p].end);
	atomic_store_explicit(&part->is_made, true, memory_order_release);
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

/* Moves a part into the table, and what was said of it to the list; behind a part that has failed it is dropped. */
static void
put_part(struct build *build, struct build_part *part)
{
	size_t i = 0;
	if (build->err == 0) {
		diag_move(build->diag, &part->diag);
		for (; i < part->n_nodes && build->err == 0; i++)
			build->err = add_node(build, part->nodes[i]);
		if (build->err == 0)
			build->err = part->err;
	}
	for (; i < part->n_nodes; i++)
		node_free(part->nodes[i]);
	zalloc_free(part->nodes, part->nodes_cap * sizeof(*part->nodes));
	part->nodes = NULL;
	part->n_nodes = 0;
}

/* Puts in what is due, if nobody else is at it. What they leave for being made too late is put in last of all. */
static void
put_parts(struct build *build)
{
	if (atomic_flag_test_and_set_explicit(&build->is_putting, memory_order_acquire))
		return;
	while (build->next_put < build->b->n_parts &&
	       atomic_load_explicit(&build->parts[build->next_put].is_made, memory_order_acquire))
		put_part(build, &build->parts[build->next_put++]);
	atomic_flag_clear_explicit(&build->is_putting, memory_order_release);
}

static void
build_parts(void *arg)
{
	struct build *build = arg;
	size_t p;
	while ((p = atomic_fetch_add_explicit(&build->next_part, 1, memory_order_relaxed)) < build->b->n_parts) {
		make_part(build, p);
		put_parts(build);
	}
}

/* With several at it, all have one table of sets from the start, and a lock over it. */
static int
share_table(struct build *build)
{
	if (build->b->n_parts == 1 || build->b->crew == NULL)
		return 0;
	build->compile.interned = intern_new();
	if (build->compile.interned == NULL || pthread_mutex_init(&build->lock, NULL) != 0)
		return -ENOMEM;
	build->compile.lock = &build->lock;
	return 0;
}

/*
 * Marks a name that a cut or a DNAME above it hides. Each name is marked by one thread, while others look at what
 * it is besides.
 */
static int
mark_hidden(const struct names_entry *entry, void *arg)
{
	const struct snapshot *s = arg;
	const uint8_t *name = names_entry_name(entry);
	unsigned len = entry->name_len;
	while (len > s->apex_len) {
		unsigned skip = 1u + name[0];
		name += skip;
		len -= skip;
		const struct names_entry *above =
			len == s->apex_len ? &s->apex->entry : names_find(&s->names, name_hash(name), name, len);
		if (__atomic_load_n(&above->flags, __ATOMIC_RELAXED) & (NODE_CUT | NODE_DNAME)) {
			uint8_t *flags = &((struct names_entry *)(uintptr_t)entry)->flags;
			__atomic_store_n(flags, *flags | NODE_BELOW, __ATOMIC_RELAXED);
			return 0;
		}
	}
	return 0;
}

static void
mark_hidden_in(void *arg, size_t p)
{
	const struct build *build = arg;
	names_walk_part(&build->snapshot->names, p, build->b->n_parts, mark_hidden, build->snapshot);
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

/* The NSEC3 sets of all parts, n in number; NULL: out of memory. They are still the parts'. */
static struct nsec3 **
gather_nsec3s(const struct build *build, size_t n)
{
	struct nsec3 **all = zalloc(n * sizeof(*all), 0);
	size_t at = 0;
	for (size_t p = 0; all != NULL && p < build->b->n_parts; p++) {
		const struct build_part *part = &build->parts[p];
		if (part->n_nsec3s != 0)
			memcpy(all + at, part->nsec3s, part->n_nsec3s * sizeof(*all));
		at += part->n_nsec3s;
	}
	return all;
}

static struct denial_index *
index_nsec3(struct build *build, size_t n)
{
	struct nsec3 **all = gather_nsec3s(build, n);
	struct denial_index *d = all != NULL ? denial_new_nsec3(all, n, &build->compile.params) : NULL;
	for (size_t p = 0; d != NULL && p < build->b->n_parts; p++)
		build->parts[p].n_nsec3s = 0; /* they are the index's now */
	zalloc_free(all, n * sizeof(*all));
	return d;
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
	size_t n_nsec3s = 0;
	for (size_t p = 0; p < build->b->n_parts; p++)
		n_nsec3s += build->parts[p].n_nsec3s;
	if (n_nsec3s != 0)
		d = index_nsec3(build, n_nsec3s);
	else if (node_find(s->apex, RRTYPE_NSEC).set != NULL)
		d = index_nsec(build);
	else
		return 0;
	if (d == NULL)
		return -ENOMEM;
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
	for (size_t p = 0; p < b->n_parts; p++) {
		s->records += build->parts[p].compile.records;
		s->sets += build->parts[p].compile.sets;
	}
	crew_each(b->crew, b->n_parts, mark_hidden_in, build);
	int err = fill_denial(build);
	return err != 0 ? err : compile_soa(s, b->source.apex.bytes);
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

/* Changes go on with the table of sets, where that pays. */
static void
keep_interned(struct build *build)
{
	struct intern *in = build->parts[0].compile.interned;
	if (in == NULL || !intern_is_worth_it(in))
		return;
	intern_close(in, 0);
	build->snapshot->interned = intern_hold(in);
}

static void
build_end(struct build *build)
{
	for (size_t p = 0; p < build->b->n_parts; p++) {
		struct build_part *part = &build->parts[p];
		for (size_t i = 0; i < part->n_nsec3s; i++)
			nsec3_free(part->nsec3s[i]);
		zalloc_free(part->nsec3s, part->nsec3s_cap * sizeof(*part->nsec3s));
		compile_end(&part->compile);
		diag_clear(&part->diag);
	}
	compile_end(&build->compile);
	if (build->compile.lock != NULL)
		pthread_mutex_destroy(&build->lock);
	zalloc_free(build->parts, build->b->n_parts * sizeof(*build->parts));
}

/* From the parts to the finished snapshot. */
static int
build_run(struct build *build)
{
	struct garbage garbage = {0};
	build->txn = names_txn_begin(&build->snapshot->names, build->b->n / 2);
	if (build->txn == NULL)
		return -ENOMEM;
	find_nsec3_params(build);
	int err = share_table(build);
	if (err == 0) {
		crew_run(build->b->crew, build_parts, build);
		put_parts(build);
		err = build->err;
	}
	names_txn_commit(build->txn, &build->snapshot->names, &garbage);
	garbage_free(&garbage); /* of an empty table */
	if (err != 0)
		return err;
	keep_interned(build);
	return fill_snapshot(build);
}

int
builder_compile(struct zone_builder *b, struct diag_list *diag, struct snapshot **out)
{
	struct build build = {.b = b,
			      .diag = diag,
			      .snapshot = snapshot_new(b),
			      .compile = {.source = &b->source, .diag = diag},
			      .parts = zalloc(b->n_parts * sizeof(*build.parts), 0),
			      .is_putting = ATOMIC_FLAG_INIT};
	int err = -ENOMEM;
	if (build.parts != NULL) {
		memset(build.parts, 0, b->n_parts * sizeof(*build.parts));
		if (build.snapshot != NULL)
			err = build_run(&build);
		build_end(&build);
	}
	if (err != 0) {
		snapshot_free(build.snapshot);
		return err;
	}
	*out = build.snapshot;
	return 0;
}
