/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proofs of denial. See denial.h.
 *
 * A proof is one to three record sets; the same set may serve two ends and is then given once. A chain with holes
 * in it proves nothing there, and nothing is added: the loader has warned of it.
 */
#include "zones/answer/denial.h"

#include "zones/base/bytes.h"
#include "zones/wire/nsec3.h"

struct proof {
	struct reply *r;
	const struct snapshot *s;
	struct asked asked;
	struct place place;
	struct denial_given *given;
	const struct denial_walk *ahead; /* NULL: none was made for this name */
};

static bool
is_given(struct proof *p, const void *object)
{
	struct denial_given *g = p->given;
	for (unsigned i = 0; i < g->n; i++) {
		if (g->object[i] == object)
			return true;
	}
	if (g->n < DENIAL_GIVEN_MAX)
		g->object[g->n++] = object;
	return false;
}

/* Where the suffix of the asked name with that many octets stands. */
static struct place
suffix_place(const struct proof *p, unsigned len)
{
	return (struct place){.at = (uint16_t)reply_suffix_at(p->r, p->place, len),
			      .len = (uint8_t)len,
			      .is_whole = p->place.is_whole};
}

/* -------- NSEC -------- */

/* Octets of the asked name's suffix of k labels. */
static unsigned
suffix_len(const struct proof *p, unsigned k)
{
	return p->asked.name->len - name_suffix_start(p->asked.suffixes, k);
}

/* Does the owner, of len octets, end as the asked name's suffix of k labels does? Says yes, too, where that begins
 * inside one of the owner's labels. */
static bool
ends_alike(const struct proof *p, const uint8_t *owner, unsigned len, unsigned k)
{
	unsigned n = suffix_len(p, k);
	return n <= len && octets_equal(owner + len - n, p->asked.name->bytes + p->asked.name->len - n, n);
}

/* Octets that the end of an owner has in common with the name asked: at least the apex, and mostly that. */
static unsigned
common_suffix(const struct proof *p, const uint8_t *owner, unsigned len)
{
	unsigned k = p->s->apex_labels, labels = p->asked.suffixes->labels;
	struct name_suffixes s;
	if (k == labels || !ends_alike(p, owner, len, k + 1) || name_scan(owner, len, &s) < 0)
		return p->s->apex_len;
	while (k < s.labels && k < labels && suffix_len(p, k + 1) == len - name_suffix_start(&s, k + 1) &&
	       ends_alike(p, owner, len, k + 1))
		k++;
	return suffix_len(p, k);
}

static bool
give_nsec(struct proof *p, const struct node *n)
{
	struct node_sets sets = n != NULL ? node_find(n, RRTYPE_NSEC) : (struct node_sets){0};
	if (sets.set == NULL || is_given(p, n))
		return true;
	unsigned shared = common_suffix(p, node_name(n), n->entry.name_len);
	return reply_add_below(p->r, SECTION_AUTHORITY, sets, node_name(n), n->entry.name_len - shared,
			       suffix_place(p, shared));
}

static bool
cover_nsec(struct proof *p, const uint8_t *name)
{
	return give_nsec(p, denial_nsec(p->s->denial, name));
}

static bool
cover_asked_nsec(struct proof *p)
{
	return p->ahead != NULL ? give_nsec(p, p->ahead->object) : cover_nsec(p, p->asked.name->bytes);
}

/* The NSEC at a name; an empty non-terminal has none and is denied by the one before it. */
static bool
match_nsec(struct proof *p, const struct node *n)
{
	return node_find(n, RRTYPE_NSEC).set != NULL ? give_nsec(p, n) : cover_nsec(p, node_name(n));
}

static bool
prove_by_nsec(struct proof *p, enum denial kind, const struct lookup *found)
{
	struct name wildcard;
	switch (kind) {
	case DENIAL_TYPE:
		return match_nsec(p, found->node);
	case DENIAL_DS:
		return give_nsec(p, found->node);
	case DENIAL_EXPANSION:
		return cover_asked_nsec(p);
	case DENIAL_WILDCARD_TYPE:
		return match_nsec(p, found->node) && cover_asked_nsec(p);
	case DENIAL_NAME:
		if (!cover_asked_nsec(p))
			return false;
		if (likely(found->encloser == p->s->apex))
			return give_nsec(p, p->s->denial->apex_wildcard);
		return !name_wildcard(node_name(found->encloser), &wildcard) || cover_nsec(p, wildcard.bytes);
	}
	return true;
}

/* -------- NSEC3 -------- */

static bool
give_nsec3(struct proof *p, const struct nsec3 *n)
{
	if (n == NULL || is_given(p, n))
		return true;
	const unsigned label_len = 1 + NSEC3_LABEL_LEN;
	uint8_t *label = p->r->msg + p->r->pos; /* where it will stand: as good as any place to make it */
	if (p->r->pos + label_len > p->r->limit)
		return false;
	nsec3_label(n->hash, label);
	return reply_add_below(p->r, SECTION_AUTHORITY, (struct node_sets){.set = n->set, .sigs = n->sigs}, label,
			       label_len, suffix_place(p, p->s->apex_len));
}

static bool
cover_hash(struct proof *p, const uint8_t hash[NSEC3_HASH_LEN])
{
	return give_nsec3(p, denial_nsec3(p->s->denial, hash));
}

/* The NSEC3 set of a node, or NULL. */
static const struct nsec3 *
nsec3_of(const struct proof *p, const struct node *n)
{
	return n == p->s->apex ? p->s->denial->apex_match : denial_nsec3_of(p->s->denial, n);
}

/* The node of the asked name's suffix of k labels, which has no fewer than the apex. */
static const struct node *
suffix_node(const struct proof *p, unsigned k)
{
	if (k == p->s->apex_labels)
		return p->s->apex;
	unsigned start = name_suffix_start(p->asked.suffixes, k);
	return (const struct node *)names_find(&p->s->names, p->asked.suffixes->at[k], p->asked.name->bytes + start,
					       p->asked.name->len - start);
}

/* Covers the asked name's suffix of k labels: from its node's hash where it has a node, else by the one hash
 * computed here. */
static bool
cover_suffix(struct proof *p, unsigned k)
{
	if (p->ahead != NULL && p->ahead->labels == k)
		return give_nsec3(p, p->ahead->object);
	const struct node *n = suffix_node(p, k);
	if (n != NULL && node_hashes(n) != NULL)
		return cover_hash(p, node_hashes(n)->own);
	unsigned start = name_suffix_start(p->asked.suffixes, k);
	uint8_t hash[NSEC3_HASH_LEN];
	nsec3_hash(&p->s->denial->params, p->asked.name->bytes + start, p->asked.name->len - start, hash);
	return cover_hash(p, hash);
}

/*
 * The closest provable encloser at or above k labels: its NSEC3, and the one that covers the next closer name (RFC
 * 5155 section 7.2.1). *encloser gets it.
 */
static bool
prove_encloser(struct proof *p, unsigned k, const struct node **encloser)
{
	const struct nsec3 *match = NULL;
	*encloser = NULL;
	for (;; k--) {
		*encloser = suffix_node(p, k);
		match = nsec3_of(p, *encloser);
		if (match != NULL || k == p->s->apex_labels)
			break;
	}
	return give_nsec3(p, match) && cover_suffix(p, k + 1);
}

static unsigned
labels_of(const struct proof *p, const struct node *n)
{
	return n == p->s->apex ? p->s->apex_labels : name_labels(node_name(n));
}

/* No type at a node: its own NSEC3, or, where opt-out left it without, the proof that it may be missing. */
static bool
match_nsec3(struct proof *p, const struct node *n)
{
	const struct nsec3 *match = nsec3_of(p, n);
	if (match != NULL)
		return give_nsec3(p, match);
	const struct node *encloser;
	unsigned k = labels_of(p, n);
	return k == p->s->apex_labels || prove_encloser(p, k - 1, &encloser);
}

static bool
prove_by_nsec3(struct proof *p, enum denial kind, const struct lookup *found)
{
	const struct node *encloser;
	switch (kind) {
	case DENIAL_TYPE:
	case DENIAL_DS:
		return match_nsec3(p, found->node);
	case DENIAL_EXPANSION:
		return cover_suffix(p, labels_of(p, found->encloser) + 1);
	case DENIAL_WILDCARD_TYPE:
		return prove_encloser(p, labels_of(p, found->encloser), &encloser) &&
		       give_nsec3(p, nsec3_of(p, found->node));
	case DENIAL_NAME:
		if (!prove_encloser(p, labels_of(p, found->encloser), &encloser))
			return false;
		if (likely(encloser == p->s->apex))
			return give_nsec3(p, p->s->denial->apex_wildcard);
		return node_hashes(encloser) == NULL || cover_hash(p, node_hashes(encloser)->wildcard);
	}
	return true;
}

/* -------- ahead of the answer -------- */

void
denial_walk_begin(struct denial_walk *w, const struct snapshot *s, struct asked asked, unsigned encloser_labels)
{
	const struct denial_index *d = s->denial;
	const uint8_t *name = asked.name->bytes;
	w->index = d;
	w->labels = asked.suffixes->labels;
	if (d->kind == DENIAL_BY_NSEC) {
		uint64_t prefix = denial_suffixes_prefix(asked.name, asked.suffixes, d->apex_labels);
		order_walk_begin(&w->walk, &d->order, prefix, name);
		return;
	}
	w->labels = (uint8_t)(encloser_labels + 1);
	unsigned start = name_suffix_start(asked.suffixes, w->labels);
	nsec3_hash(&d->params, name + start, asked.name->len - start, w->hash);
	order_walk_begin(&w->walk, &d->order, load_be64(w->hash), w->hash);
}

static void
walk_end(struct denial_walk *w)
{
	w->object = order_walk_floor(&w->walk);
	if (w->object == NULL)
		w->object = order_last(w->walk.order); /* the last one goes round to the first */
	prefetch((const uint8_t *)w->object);
	prefetch((const uint8_t *)w->object + CACHE_LINE);
}

void
denial_walk_burst(struct denial_walk *const *walks, unsigned n)
{
	struct order_walk *inner[ORDER_WALKS_MAX];
	if (n == 0)
		return;
	for (unsigned i = 0; i < n; i++)
		inner[i] = &walks[i]->walk;
	order_walk_burst(inner, n);
	for (unsigned i = 0; i < n; i++)
		walk_end(walks[i]);
}

static void
prefetch_lines(const void *p, unsigned from, unsigned to)
{
	for (unsigned i = from; i < to; i++)
		prefetch((const uint8_t *)p + i * CACHE_LINE);
}

void
denial_walk_prefetch(const struct denial_walk *w)
{
	if (w->index->kind == DENIAL_BY_NSEC3) {
		prefetch_lines(w->object, 2, 5); /* its sets lie behind it, and the walk prefetched the first two */
		return;
	}
	struct node_sets sets = node_find(w->object, RRTYPE_NSEC);
	if (sets.set != NULL)
		prefetch(sets.set);
	if (sets.sigs != NULL)
		prefetch_lines(sets.sigs, 0, 3);
}

bool
denial_prove(struct reply *r, const struct snapshot *s, enum denial kind, struct asked asked, struct place place,
	     const struct lookup *found, struct denial_given *given, const struct denial_walk *ahead)
{
	if (!r->wants_dnssec || s->denial == NULL)
		return true;
	struct proof p = {.r = r, .s = s, .asked = asked, .place = place, .given = given, .ahead = ahead};
	return s->denial->kind == DENIAL_BY_NSEC ? prove_by_nsec(&p, kind, found) : prove_by_nsec3(&p, kind, found);
}
