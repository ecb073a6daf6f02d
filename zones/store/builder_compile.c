/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The zone builder: from the sorted log to a snapshot. See builder.h.
 *
 * Each name becomes a node with its compiled record sets; names between a name and the apex that have no records of
 * their own become empty non-terminals, so that every ancestor of a name is in the table: the engine's search for
 * the closest encloser rests on that. Last, cuts and DNAMEs mark what lies below them.
 */
#include <errno.h>
#include <stdlib.h>

#include "zones/base/alloc.h"
#include "zones/base/bytes.h"
#include "zones/store/builder_private.h"
#include "zones/store/compile.h"
#include "zones/store/denial.h"
#include "zones/wire/rdata.h"

struct build {
	const struct zone_builder *b;
	struct snapshot *snapshot;
	struct names_txn *txn;
	struct compile compile;
	struct nsec3 **nsec3s; /* collected for the denial index */
	size_t n_nsec3s, nsec3s_cap;
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
build_orphans(struct build *build, const struct log_record *r, size_t n, uint64_t *sets, unsigned *n_sets)
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
	int err = compile_set(&build->compile, orphans, n_orphans, &set);
	if (set != NULL)
		sets[(*n_sets)++] = node_word(set);
	zalloc_free(orphans, n * sizeof(*orphans));
	return err;
}

static int
build_sets(struct build *build, const struct log_record *r, size_t n, uint64_t *sets, unsigned *n_sets)
{
	int err = build_orphans(build, r, n, sets, n_sets);
	for (size_t i = 0, end; i < n && err == 0; i = end) {
		end = set_end(r, i, n);
		if (is_orphan_signature(r, i))
			continue;
		if (build->compile.hashes_names && r[i].type == RRTYPE_NSEC3)
			builder_fault(&build->b->source, build->compile.diag, DIAG_WARNING, &r[i],
				      "not at a hash of its own below the apex, so it proves nothing");
		struct rrset *set = NULL;
		err = compile_set(&build->compile, r + i, end - i, &set);
		if (set != NULL)
			sets[(*n_sets)++] = node_word(set);
	}
	return err;
}

/* The node of one name from its n records. */
static int
build_node(struct build *build, const struct log_record *r, size_t n, struct node **out)
{
	uint64_t few[16];
	uint64_t *sets = n <= ARRAY_LEN(few) ? few : zalloc(n * sizeof(*sets), 0);
	if (sets == NULL)
		return -ENOMEM;
	unsigned n_sets = 0;
	int err = build_sets(build, r, n, sets, &n_sets);
	if (err == 0)
		err = compile_node(&build->compile, r[0].owner, r[0].hash, sets, n_sets, NULL, out);
	if (err != 0)
		compile_release(sets, n_sets);
	if (sets != few)
		zalloc_free(sets, n * sizeof(*sets));
	return err;
}

/* -------- NSEC3 -------- */

/* Octets of the hash, if all records of a name are NSEC3 and signatures, and the name is a hash below the apex. */
static bool
is_nsec3_name(const struct build *build, const struct log_record *r, size_t n, uint8_t hash[NSEC3_HASH_LEN])
{
	if (r->type != RRTYPE_NSEC3)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (r[i].type != RRTYPE_NSEC3 &&
		    (r[i].type != RRTYPE_RRSIG || load_be16(r[i].rdata) != RRTYPE_NSEC3))
			return false;
	}
	return compile_is_nsec3_owner(&build->compile, r->owner, r->owner_len, hash);
}

static int
reserve_nsec3(struct build *build)
{
	if (build->n_nsec3s < build->nsec3s_cap)
		return 0;
	size_t cap = build->nsec3s_cap ? build->nsec3s_cap * 2 : 64;
	struct nsec3 **sets = zalloc(cap * sizeof(*sets), 0);
	if (sets == NULL)
		return -ENOMEM;
	if (build->n_nsec3s != 0)
		memcpy(sets, build->nsec3s, build->n_nsec3s * sizeof(*sets));
	zalloc_free(build->nsec3s, build->nsec3s_cap * sizeof(*sets));
	build->nsec3s = sets;
	build->nsec3s_cap = cap;
	return 0;
}

static int
build_nsec3(struct build *build, const struct log_record *r, size_t n, const uint8_t hash[NSEC3_HASH_LEN])
{
	struct rrset *set = NULL, *sigs = NULL;
	size_t n_set = set_end(r, 0, n);
	int err = reserve_nsec3(build);
	if (err == 0)
		err = compile_set(&build->compile, r, n_set, &set);
	if (err == 0 && n_set < n)
		err = compile_set(&build->compile, r + n_set, n - n_set, &sigs);
	struct nsec3 *made = err == 0 && set != NULL ? nsec3_new(hash, set, sigs) : NULL;
	if (made == NULL) {
		rrset_release(set);
		rrset_release(sigs);
		return err != 0 ? err : set != NULL ? -ENOMEM : 0;
	}
	build->nsec3s[build->n_nsec3s++] = made;
	return 0;
}

/* How the zone's names are hashed: the first usable NSEC3PARAM at the apex, if there are NSEC3 records as well. */
static void
find_nsec3_params(struct build *build)
{
	const struct zone_builder *b = build->b;
	bool has_nsec3 = false;
	for (size_t i = 0; i < b->n; i++) {
		const struct log_record *r = &b->records[i];
		has_nsec3 |= r->type == RRTYPE_NSEC3;
		/* algorithm SHA-1, no flags (RFC 5155 section 4.1); builder_check_chain() refuses the iterations */
		if (r->type != RRTYPE_NSEC3PARAM || r->hash != b->source.apex_hash || build->compile.hashes_names ||
		    r->rdata[0] != 1 || r->rdata[1] != 0 || load_be16(r->rdata + 2) > NSEC3_ITERATIONS_MAX)
			continue;
		build->compile.hashes_names = true;
		build->compile.params.iterations = load_be16(r->rdata + 2);
		build->compile.params.salt_len = r->rdata[4];
		memcpy(build->compile.params.salt, r->rdata + 5, r->rdata[4]);
	}
	build->compile.hashes_names &= has_nsec3;
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

static int
add_nodes(struct build *build)
{
	const struct zone_builder *b = build->b;
	for (size_t i = 0, end; i < b->n; i = end) {
		end = log_owner_end(b, i);
		struct node *n = NULL;
		uint8_t hash[NSEC3_HASH_LEN];
		for (size_t k = i; k < end; k++)
			log_prefetch(b, k);
		int err = is_nsec3_name(build, &b->records[i], end - i, hash)
				  ? build_nsec3(build, &b->records[i], end - i, hash)
				  : build_node(build, &b->records[i], end - i, &n);
		if (err == 0 && n != NULL)
			err = add_node(build, n);
		if (err != 0)
			return err;
	}
	return 0;
}

/* Marks a name that a cut or a DNAME above it hides. */
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
		if (above->flags & (NODE_CUT | NODE_DNAME)) {
			((struct names_entry *)(uintptr_t)entry)->flags |= NODE_BELOW;
			return 0;
		}
	}
	return 0;
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
	if (build->n_nsec3s != 0)
		d = denial_new_nsec3(build->nsec3s, build->n_nsec3s, &build->compile.params);
	else if (node_find(s->apex, RRTYPE_NSEC).set != NULL)
		d = index_nsec(build);
	else
		return 0;
	if (d == NULL)
		return -ENOMEM;
	build->n_nsec3s = 0; /* they are the index's now */
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
	names_walk(&s->names, mark_hidden, s);
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
	struct intern *in = build->compile.interned;
	if (in == NULL || !intern_is_worth_it(in))
		return;
	intern_close(in, 0);
	build->snapshot->interned = intern_hold(in);
}

int
builder_compile(struct zone_builder *b, struct diag_list *diag, struct snapshot **out)
{
	struct build build = {.b = b, .snapshot = snapshot_new(b), .compile = {.source = &b->source, .diag = diag}};
	if (build.snapshot == NULL)
		return -ENOMEM;
	build.txn = names_txn_begin(&build.snapshot->names, b->n / 2);
	if (build.txn == NULL) {
		snapshot_free(build.snapshot);
		return -ENOMEM;
	}

	find_nsec3_params(&build);
	int err = add_nodes(&build);
	struct garbage garbage = {0};
	names_txn_commit(build.txn, &build.snapshot->names, &garbage);
	garbage_free(&garbage); /* of an empty table */
	keep_interned(&build);
	compile_end(&build.compile);
	if (err == 0)
		err = fill_snapshot(&build);
	for (size_t i = 0; i < build.n_nsec3s; i++)
		nsec3_free(build.nsec3s[i]);
	zalloc_free(build.nsec3s, build.nsec3s_cap * sizeof(*build.nsec3s));
	if (err != 0) {
		snapshot_free(build.snapshot);
		return err;
	}
	*out = build.snapshot;
	return 0;
}
