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
#include "zones/store/denial.h"
#include "zones/store/intern.h"
#include "zones/wire/rdata.h"

struct build {
	const struct zone_builder *b;
	struct diag_list *diag;
	struct snapshot *snapshot;
	struct names_txn *txn;
	struct intern interned;
	struct rrset_rdata *rdatas; /* scratch: the records of one set */
	unsigned rdatas_cap;
	bool hashes_names; /* the zone has NSEC3 records, made with `params` */
	struct nsec3_params params;
	struct nsec3 **nsec3s; /* collected for the denial index */
	size_t n_nsec3s, nsec3s_cap;
};

static bool
owner_is_wildcard(const uint8_t *owner)
{
	return owner[0] == 1 && owner[1] == '*';
}

/* -------- record sets -------- */

static int
reserve_rdatas(struct build *build, unsigned n)
{
	if (n <= build->rdatas_cap)
		return 0;
	unsigned cap = n * 2 + 14;
	struct rrset_rdata *rdatas = zalloc(cap * sizeof(*rdatas), 0);
	if (rdatas == NULL)
		return -ENOMEM;
	if (build->rdatas_cap != 0)
		memcpy(rdatas, build->rdatas, build->rdatas_cap * sizeof(*rdatas));
	zalloc_free(build->rdatas, build->rdatas_cap * sizeof(*rdatas));
	build->rdatas = rdatas;
	build->rdatas_cap = cap;
	return 0;
}

/* Compiles the n records of one set: drops duplicates, settles the TTL, shares it. A fault leaves *out NULL. */
static int
build_set(struct build *build, const struct log_record *records, size_t n, struct rrset **out)
{
	unsigned kept = 0;
	uint32_t ttl_s = records[0].ttl_s;
	int err = reserve_rdatas(build, (unsigned)n);
	if (err != 0)
		return err;
	for (size_t i = 0; i < n; i++) {
		if (i > 0 && log_record_compare_rdata(&records[i - 1], &records[i]) == 0) {
			builder_fault(build->b, build->diag, DIAG_WARNING, &records[i], "duplicate record");
			continue;
		}
		if (records[i].ttl_s != ttl_s)
			builder_fault(build->b, build->diag, DIAG_WARNING, &records[i],
				      "TTL %u differs from the %u of the same record set; the lowest is used",
				      records[i].ttl_s, ttl_s);
		if (records[i].ttl_s < ttl_s)
			ttl_s = records[i].ttl_s;
		build->rdatas[kept++] = (struct rrset_rdata){.data = records[i].rdata, .len = records[i].rdlen};
	}
	err = rrset_compile(build->b->apex.bytes, records[0].owner, records[0].type, ttl_s, build->rdatas, kept,
			    out);
	if (err == -E2BIG) {
		builder_fault(build->b, build->diag, DIAG_ERROR, &records[0],
			      "record set of %u records does not fit in a message", kept);
		return 0;
	}
	if (err == 0) {
		build->snapshot->records += kept;
		build->snapshot->sets++;
		if (!node_takes_set(*out))
			*out = intern_set(&build->interned, *out);
	}
	return err;
}

/* -------- nodes -------- */

/* The node's last word, and what it leads to, behind the name. */
static void
put_hashes(const struct build *build, struct node *n, uint64_t *word)
{
	struct node_hashes *hashes = (struct node_hashes *)((uint8_t *)n + n->entry.name_off + n->entry.name_len);
	struct name wildcard;
	nsec3_hash(&build->params, node_name(n), n->entry.name_len, hashes->own);
	if (name_wildcard(node_name(n), &wildcard))
		nsec3_hash(&build->params, wildcard.bytes, wildcard.len, hashes->wildcard);
	else
		memcpy(hashes->wildcard, hashes->own,
		       sizeof(hashes->own)); /* no name fits below, so none is asked */
	*word = (uint64_t)NODE_TAG_HASHES << NAMES_TAG_SHIFT | (uint64_t)(uintptr_t)hashes;
}

/*
 * Makes a node of these sets. Small ones move into the node and are released; the references to the others go over
 * to it.
 */
static struct node *
node_new(const struct build *build, const uint8_t *name, unsigned len, uint64_t hash, const uint64_t *sets,
	 unsigned n_sets)
{
	unsigned n_words = n_sets + build->hashes_names;
	struct names_entry head = {
		.hash = hash,
		.name_off = (uint16_t)(sizeof(struct node) + n_words * sizeof(uint64_t)),
		.name_len = (uint8_t)len,
	};
	size_t size = head.name_off + len + (build->hashes_names ? sizeof(struct node_hashes) : 0);
	size_t at = node_align(size);
	for (unsigned i = 0; i < n_sets; i++) {
		if (node_takes_set(node_set(sets[i])))
			size = node_align(size) + node_own_set_size(node_set(sets[i]));
	}
	struct node *n = zalloc(size, 0);
	if (n == NULL)
		return NULL;
	n->entry = head;
	memcpy((uint8_t *)n + head.name_off, name, len);
	if (build->hashes_names)
		put_hashes(build, n, &n->sets[n_sets]);
	for (unsigned i = 0; i < n_sets; i++) {
		struct rrset *set = (struct rrset *)(uintptr_t)node_set(sets[i]);
		n->sets[i] = sets[i];
		if (!node_takes_set(set))
			continue;
		n->sets[i] = node_word(node_lay_set((uint8_t *)n + at, set));
		at += node_own_set_size(set);
		rrset_release(set);
	}
	return n;
}

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
	int err = build_set(build, orphans, n_orphans, &set);
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
		if (build->hashes_names && r[i].type == RRTYPE_NSEC3)
			builder_fault(build->b, build->diag, DIAG_WARNING, &r[i],
				      "not at a hash of its own below the apex, so it proves nothing");
		struct rrset *set = NULL;
		err = build_set(build, r + i, end - i, &set);
		if (set != NULL)
			sets[(*n_sets)++] = node_word(set);
	}
	return err;
}

static uint8_t
node_flags(const struct build *build, const struct node *n)
{
	uint8_t flags = 0;
	bool is_apex = n->entry.name_len == build->b->apex.len;
	if (is_apex)
		flags |= NODE_APEX;
	if (owner_is_wildcard(node_name(n)))
		return flags; /* neither delegates nor redirects (RFC 4592 section 4.2, RFC 6672 section 3.3) */
	if (!is_apex && node_find(n, RRTYPE_NS).set != NULL)
		flags |= NODE_CUT;
	if (node_find(n, RRTYPE_DNAME).set != NULL)
		flags |= NODE_DNAME;
	return flags;
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
	if (err == 0 && n_sets > NODE_SETS_MAX) {
		builder_fault(build->b, build->diag, DIAG_ERROR, &r[0], "more than %u record sets at one name",
			      NODE_SETS_MAX);
		err = -EINVAL;
	}
	if (err == 0) {
		*out = node_new(build, r[0].owner, r[0].owner_len, r[0].hash, sets, n_sets);
		err = *out == NULL ? -ENOMEM : 0;
	}
	if (err == 0)
		(*out)->entry.flags = node_flags(build, *out);
	for (unsigned i = 0; err != 0 && i < n_sets; i++)
		rrset_release((struct rrset *)(uintptr_t)node_set(sets[i]));
	if (sets != few)
		zalloc_free(sets, n * sizeof(*sets));
	return err == -EINVAL ? 0 : err;
}

/* -------- NSEC3 -------- */

/* Octets of the hash, if all records of a name are NSEC3 and signatures, and the name is a hash below the apex. */
static bool
is_nsec3_name(const struct build *build, const struct log_record *r, size_t n, uint8_t hash[NSEC3_HASH_LEN])
{
	if (!build->hashes_names || r->owner_len != build->b->apex.len + 1 + NSEC3_LABEL_LEN ||
	    r->type != RRTYPE_NSEC3)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (r[i].type != RRTYPE_NSEC3 &&
		    (r[i].type != RRTYPE_RRSIG || load_be16(r[i].rdata) != RRTYPE_NSEC3))
			return false;
	}
	return nsec3_label_hash(r->owner, hash);
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
		err = build_set(build, r, n_set, &set);
	if (err == 0 && n_set < n)
		err = build_set(build, r + n_set, n - n_set, &sigs);
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
		if (r->type != RRTYPE_NSEC3PARAM || r->hash != b->apex_hash || build->hashes_names ||
		    r->rdata[0] != 1 || r->rdata[1] != 0 || load_be16(r->rdata + 2) > NSEC3_ITERATIONS_MAX)
			continue;
		build->hashes_names = true;
		build->params.iterations = load_be16(r->rdata + 2);
		build->params.salt_len = r->rdata[4];
		memcpy(build->params.salt, r->rdata + 5, r->rdata[4]);
	}
	build->hashes_names &= has_nsec3;
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
		struct node *empty = node_new(build, parent_name, len - skip, hash, NULL, 0);
		if (empty == NULL)
			return -ENOMEM;
		int err = add_node(build, empty);
		if (err != 0)
			return err;
		parent = &empty->entry;
	}
	parent->children++;
	if (owner_is_wildcard(name))
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
	if (n->entry.name_len == build->b->apex.len)
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
		d = denial_new_nsec3(build->nsec3s, build->n_nsec3s, &build->params);
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

/* SOA data (RFC 1035 section 3.3.13) and the set of negative answers. */
static int
fill_soa(struct snapshot *s, const uint8_t *apex)
{
	struct node_sets soa = node_find(s->apex, RRTYPE_SOA);
	if (soa.set == NULL)
		return 0; /* builder_check() says so */
	uint8_t rdata[RDATA_MAX_LEN];
	struct rrset_iter it;
	rrset_iter_init(&it, soa.set, apex);
	int len = rrset_iter_next(&it, rdata);
	const uint8_t *numbers = rdata + len - 20;
	s->serial = load_be32(numbers);
	s->refresh_s = load_be32(numbers + 4);
	s->retry_s = load_be32(numbers + 8);
	s->expire_s = load_be32(numbers + 12);
	s->minimum_s = load_be32(numbers + 16);

	uint32_t ttl_s = rrset_ttl(soa.set) < s->minimum_s ? rrset_ttl(soa.set) : s->minimum_s;
	s->negative_soa = rrset_with_ttl(soa.set, ttl_s);
	if (s->negative_soa == NULL)
		return -ENOMEM;
	if (soa.sigs == NULL)
		return 0;
	s->negative_soa_sigs = rrset_with_ttl(soa.sigs, ttl_s);
	return s->negative_soa_sigs == NULL ? -ENOMEM : 0;
}

static int
fill_snapshot(struct build *build)
{
	const struct zone_builder *b = build->b;
	struct snapshot *s = build->snapshot;
	s->apex = (const struct node *)names_find(&s->names, b->apex_hash, b->apex.bytes, b->apex.len);
	if (s->apex == NULL)
		return 0;
	s->is_signed = node_find(s->apex, RRTYPE_DNSKEY).set != NULL || node_find(s->apex, RRTYPE_SOA).sigs != NULL;
	names_walk(&s->names, mark_hidden, s);
	int err = fill_denial(build);
	return err != 0 ? err : fill_soa(s, b->apex.bytes);
}

static struct snapshot *
snapshot_new(const struct zone_builder *b)
{
	struct snapshot *s = zalloc(sizeof(*s), CACHE_LINE);
	if (s != NULL)
		*s = (struct snapshot){
			.apex_hash = b->apex_hash, .apex_labels = b->apex_labels, .apex_len = b->apex.len};
	return s;
}

int
builder_compile(struct zone_builder *b, struct diag_list *diag, struct snapshot **out)
{
	struct build build = {.b = b, .diag = diag, .snapshot = snapshot_new(b)};
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
	intern_free(&build.interned);
	zalloc_free(build.rdatas, build.rdatas_cap * sizeof(*build.rdatas));
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
