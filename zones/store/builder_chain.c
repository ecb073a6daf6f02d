/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The zone builder: checks of what a signed zone proves with. See builder.h.
 *
 * A chain that is broken or mixed makes answers that resolvers reject, but it is no reason to stop answering those
 * who do not validate: it is warned of, each kind of fault once, with the first place and how many there are. Only
 * an iteration count that no resolver accepts refuses the zone.
 *
 * The chains are walked in the order of the denial index, which is what answers are made from; the log tells where
 * a record was written. Builder threads.
 */
#include <stdarg.h>

#include "zones/base/bytes.h"
#include "zones/store/builder_private.h"
#include "zones/store/denial.h"
#include "zones/wire/rdata.h"

struct chain {
	const struct zone_builder *b;
	const struct snapshot *snapshot;
	struct diag_list *diag;
	struct log_record nsec, nsec3, param; /* the first of each; NSEC seen from above the cuts only */
	bool has_usable_param;
};

/* Faults of one kind: how many, and the first. */
struct tally {
	struct name owner; /* of the first one; len 0: there is none */
	uint64_t n;
};

#define FAULT(c, severity, r, ...) builder_fault(&(c)->b->source, (c)->diag, (severity), (r), __VA_ARGS__)

/* Of those that are kept, a record without owner is none. */
static bool
is_there(const struct log_record *kept)
{
	return kept->owner != NULL;
}

static bool
log_record_is_before(const struct log_record *x, const struct log_record *y)
{
	return !is_there(y) || x->file < y->file || (x->file == y->file && x->line < y->line);
}

static void
keep_first(struct log_record *kept, const struct log_record *r)
{
	if (log_record_is_before(r, kept))
		*kept = *r;
}

static void
tally_add(struct tally *t, const uint8_t *owner)
{
	if (t->n++ == 0 || name_compare(owner, t->owner.bytes) < 0)
		name_copy(&t->owner, owner);
}

/* The first record of a name and type, or of the name alone, or none. Reads the whole log: for faults only. */
static struct log_record
find_record(const struct chain *c, const struct name *owner, uint16_t type)
{
	uint64_t hash = name_hash(owner->bytes);
	struct log_record r, typed = {0}, any = {0};
	struct log_cursor cursor;
	log_cursor_begin(&cursor, &c->b->log);
	while (log_cursor_next(&cursor, &r)) {
		if (r.hash != hash || r.owner_len != owner->len || memcmp(r.owner, owner->bytes, owner->len) != 0)
			continue;
		keep_first(r.type == type ? &typed : &any, &r);
	}
	return is_there(&typed) ? typed : any;
}

/* Warns of the first of a tally, at the place of its record of that type, and says how many more there are. */
static void
warn_tally(const struct chain *c, const struct tally *t, uint16_t type, const char *text)
{
	if (t->n == 0)
		return;
	char owner[NAME_TEXT_MAX], more[48] = "";
	if (t->n > 1)
		snprintf(more, sizeof(more), " (and %llu more)", (unsigned long long)t->n - 1);
	const struct log_record r = find_record(c, &t->owner, type);
	if (is_there(&r) && r.type == type) {
		FAULT(c, DIAG_WARNING, &r, "%s%s", text, more);
		return;
	}
	name_to_text(t->owner.bytes, owner);
	const char *file = c->b->source.n_files != 0 ? c->b->files[r.file] : NULL;
	diag_add(c->diag, DIAG_WARNING, file, r.line, r.column, "%s %s%s", owner, text, more);
}

static const struct node *
find_node(const struct chain *c, const struct log_record *r)
{
	return (const struct node *)names_find(&c->snapshot->names, r->hash, r->owner, r->owner_len);
}

/* -------- which records there are -------- */

/* Made as this server can use it: hashed by SHA-1, no flags (RFC 5155 section 4.1). */
static bool
is_usable_param(const struct log_record *r)
{
	return r->rdata[0] == 1 && r->rdata[1] == 0;
}

static void
find_records(struct chain *c)
{
	struct log_cursor cursor;
	struct log_record r;
	if (!c->b->has_nsec && !c->b->has_nsec3 && !c->b->has_param)
		return;
	log_cursor_begin(&cursor, &c->b->log);
	while (log_cursor_next(&cursor, &r)) {
		if (r.type == RRTYPE_NSEC3) {
			keep_first(&c->nsec3, &r);
		} else if (r.type == RRTYPE_NSEC3PARAM && r.hash == c->b->source.apex_hash) {
			keep_first(&c->param, &r);
			c->has_usable_param |= is_usable_param(&r);
		} else if (r.type == RRTYPE_NSEC) {
			const struct node *n = find_node(c, &r);
			if (n != NULL && !(n->entry.flags & NODE_BELOW))
				keep_first(&c->nsec, &r);
		}
	}
}

static void
check_kinds(const struct chain *c)
{
	const struct denial_index *d = c->snapshot->denial;
	bool has_nsec = is_there(&c->nsec), has_nsec3 = is_there(&c->nsec3);
	if (has_nsec && has_nsec3)
		FAULT(c, DIAG_WARNING, &c->nsec, "NSEC and NSEC3 in one zone; %s",
		      d == NULL                    ? "neither can prove anything"
		      : d->kind == DENIAL_BY_NSEC3 ? "proofs are made from NSEC3 alone"
						   : "proofs are made from NSEC alone");
	if (has_nsec && !has_nsec3 && d == NULL)
		FAULT(c, DIAG_WARNING, &c->nsec, "there is no NSEC at the apex, so nothing is proved");
	if (has_nsec3 && !c->has_usable_param)
		FAULT(c, DIAG_WARNING, &c->nsec3,
		      "there is no usable NSEC3PARAM at the apex, so nothing is proved by NSEC3 (RFC 5155 section "
		      "4.1)");
	if (is_there(&c->param) && !has_nsec3)
		FAULT(c, DIAG_WARNING, &c->param, "there are no NSEC3 records");
}

static void
check_iterations(const struct chain *c)
{
	struct log_cursor cursor;
	struct log_record r;
	log_cursor_begin(&cursor, &c->b->log);
	while (is_there(&c->nsec3) && log_cursor_next(&cursor, &r)) {
		if (r.type != RRTYPE_NSEC3PARAM || r.hash != c->b->source.apex_hash || !is_usable_param(&r))
			continue;
		unsigned iterations = load_be16(r.rdata + 2);
		if (iterations > NSEC3_ITERATIONS_MAX)
			FAULT(c, DIAG_ERROR, &r,
			      "%u iterations: more than the %u that resolvers accept (RFC 9276 section 3.2)",
			      iterations, NSEC3_ITERATIONS_MAX);
		else if (iterations > 0)
			FAULT(c, DIAG_WARNING, &r, "%u iterations: should be 0 (RFC 9276 section 3.1)", iterations);
	}
}

/* -------- chains -------- */

struct chain_walk {
	const struct chain *c;
	const void *first, *last;
	struct tally unlinked;             /* does not lead to the next one of the index */
	struct tally foreign;              /* NSEC3 of other parameters */
	uint8_t next_hash[NSEC3_HASH_LEN]; /* of the last one */
	uint8_t rdata[RDATA_MAX_LEN];
};

/* Does this node's NSEC lead to that one? */
static void
check_nsec_link(struct chain_walk *w, const struct node *from, const struct node *to)
{
	struct rrset_iter it;
	rrset_iter_init(&it, node_find(from, RRTYPE_NSEC).set, node_name(from));
	bool leads = rrset_iter_next(&it, w->rdata) > 0 && name_equal(w->rdata, node_name(to)) && it.set->n_rr == 1;
	if (!leads)
		tally_add(&w->unlinked, node_name(from));
}

static int
visit_nsec(const void *object, void *arg)
{
	struct chain_walk *w = arg;
	if (w->first == NULL)
		w->first = object;
	else
		check_nsec_link(w, w->last, object);
	w->last = object;
	return 0;
}

static void
nsec3_owner(const struct chain *c, const struct nsec3 *n, struct name *out)
{
	const struct name *apex = &c->b->source.apex;
	nsec3_label(n->hash, out->bytes);
	memcpy(out->bytes + 1 + NSEC3_LABEL_LEN, apex->bytes, apex->len);
	out->len = (uint8_t)(1 + NSEC3_LABEL_LEN + apex->len);
}

/* Looks for the record that was made with the zone's parameters, and keeps the hash that it leads to. */
static bool
read_nsec3(struct chain_walk *w, const struct nsec3 *n, const struct name *owner, uint8_t next[NSEC3_HASH_LEN])
{
	const struct nsec3_params *params = &w->c->snapshot->denial->params;
	struct rrset_iter it;
	rrset_iter_init(&it, n->set, owner->bytes);
	while (rrset_iter_next(&it, w->rdata) > 0) {
		/* algorithm, flags, iterations, salt, next hashed owner: RFC 5155 section 3.2 */
		const uint8_t *salt = w->rdata + 4, *hash = salt + 1 + salt[0];
		if (w->rdata[0] != 1 || load_be16(w->rdata + 2) != params->iterations ||
		    salt[0] != params->salt_len || memcmp(salt + 1, params->salt, salt[0]) != 0 ||
		    hash[0] != NSEC3_HASH_LEN)
			continue;
		memcpy(next, hash + 1, NSEC3_HASH_LEN);
		return true;
	}
	return false;
}

static void
check_nsec3_link(struct chain_walk *w, const struct nsec3 *from, const struct nsec3 *to)
{
	struct name owner;
	nsec3_owner(w->c, from, &owner);
	if (memcmp(w->next_hash, to->hash, NSEC3_HASH_LEN) != 0)
		tally_add(&w->unlinked, owner.bytes);
}

static int
visit_nsec3(const void *object, void *arg)
{
	struct chain_walk *w = arg;
	const struct nsec3 *n = object;
	struct name owner;
	uint8_t next[NSEC3_HASH_LEN];
	nsec3_owner(w->c, n, &owner);
	if (!read_nsec3(w, n, &owner, next)) {
		tally_add(&w->foreign, owner.bytes);
		return 0;
	}
	if (w->first == NULL)
		w->first = n;
	else
		check_nsec3_link(w, w->last, n);
	w->last = n;
	memcpy(w->next_hash, next, NSEC3_HASH_LEN);
	return 0;
}

static void
check_links(const struct chain *c)
{
	const struct denial_index *d = c->snapshot->denial;
	bool is_nsec = d->kind == DENIAL_BY_NSEC;
	struct chain_walk w = {.c = c};
	order_each(&d->order, is_nsec ? visit_nsec : visit_nsec3, &w);
	if (w.first != NULL && is_nsec)
		check_nsec_link(&w, w.last, w.first);
	else if (w.first != NULL)
		check_nsec3_link(&w, w.last, w.first);
	warn_tally(c, &w.unlinked, is_nsec ? RRTYPE_NSEC : RRTYPE_NSEC3,
		   "the chain is broken: this does not lead to the next one of the zone");
	warn_tally(c, &w.foreign, RRTYPE_NSEC3, "not made with the parameters of the zone's NSEC3PARAM");
}

/* -------- names that the chain leaves out -------- */

struct gaps {
	const struct chain *c;
	struct tally missing;
};

/*
 * NSEC stands at names with data (RFC 4035 section 2.3): not at empty non-terminals, not below cuts, nor at the
 * names of an NSEC3 chain besides.
 */
static int
visit_for_nsec(const struct names_entry *e, void *arg)
{
	const struct node *n = (const struct node *)e;
	struct gaps *g = arg;
	if (!(e->flags & NODE_BELOW) && node_set_count(n) != 0 && node_find(n, RRTYPE_NSEC).set == NULL &&
	    node_find(n, RRTYPE_NSEC3).set == NULL)
		tally_add(&g->missing, node_name(n));
	return 0;
}

#define NSEC3_OPT_OUT 1

static bool
has_opt_out(const struct nsec3 *n)
{
	return rrset_wire(n->set)[RRSET_RR_HEAD + 1] & NSEC3_OPT_OUT;
}

/*
 * NSEC3 stands for every name outside of cuts (RFC 5155 section 7.1). Opt-out may leave out insecure delegations,
 * and the empty non-terminals above them, which look like all others from here.
 */
static int
visit_for_nsec3(const struct names_entry *e, void *arg)
{
	const struct node *n = (const struct node *)e;
	struct gaps *g = arg;
	const struct node_hashes *hashes = node_hashes(n);
	if ((e->flags & NODE_BELOW) || hashes == NULL)
		return 0;
	const struct nsec3 *at = denial_nsec3(g->c->snapshot->denial, hashes->own);
	if (memcmp(at->hash, hashes->own, NSEC3_HASH_LEN) == 0)
		return 0;
	bool is_insecure = (e->flags & NODE_CUT) && node_find(n, RRTYPE_DS).set == NULL;
	bool is_empty = !node_word_is_set(n->sets[0]);
	if (!has_opt_out(at) || !(is_insecure || is_empty))
		tally_add(&g->missing, node_name(n));
	return 0;
}

static void
check_gaps(const struct chain *c)
{
	bool is_nsec = c->snapshot->denial->kind == DENIAL_BY_NSEC;
	struct gaps g = {.c = c};
	names_walk(&c->snapshot->names, is_nsec ? visit_for_nsec : visit_for_nsec3, &g);
	warn_tally(c, &g.missing, is_nsec ? RRTYPE_NSEC : RRTYPE_NSEC3,
		   is_nsec ? "has no NSEC record" : "has no NSEC3 record, nor opt-out that may leave it out");
}

/* -------- signatures -------- */

/* At a cut the parent signs DS and NSEC alone (RFC 4035 section 2.2); below it, nothing. */
static bool
needs_signature(const struct node *n, uint16_t type)
{
	if (type == RRTYPE_RRSIG)
		return false;
	if (n == NULL)
		return true; /* NSEC3 sets are no nodes */
	if (n->entry.flags & NODE_BELOW)
		return false;
	return !(n->entry.flags & NODE_CUT) || type == RRTYPE_DS || type == RRTYPE_NSEC;
}

struct unsigned_sets {
	struct log_record first;
	uint64_t n;
};

/* The sets of one name, records [i, end) of the list. */
static void
check_name_signatures(const struct chain *c, const struct log_list *list, size_t i, size_t end,
		      struct unsigned_sets *found)
{
	const struct log_record *r = list->items;
	const struct node *n = find_node(c, &r[i]);
	for (size_t k = i; k < end; k++) {
		/* the last of its set: signatures over it come right behind */
		bool is_last = k + 1 == end || r[k + 1].type != r[k].type;
		bool is_signed =
			k + 1 < end && r[k + 1].type == RRTYPE_RRSIG && load_be16(r[k + 1].rdata) == r[k].type;
		if (!is_last || is_signed || !needs_signature(n, r[k].type))
			continue;
		keep_first(&found->first, &r[k]);
		found->n++;
	}
}

static int
check_signatures(const struct chain *c)
{
	struct unsigned_sets found = {0};
	struct log_window w = {0};
	int err = 0;
	for (unsigned part = 0; part < log_parts(&c->b->log) && err == 0; part++) {
		err = log_window_sort(&w, &c->b->log, part);
		for (size_t i = 0, end; i < w.list.n && err == 0; i = end) {
			end = log_owner_end(&w.list, i);
			check_name_signatures(c, &w.list, i, end, &found);
		}
	}
	log_window_close(&w);
	if (found.n == 1)
		FAULT(c, DIAG_WARNING, &found.first, "not signed, in a signed zone");
	else if (found.n > 1)
		FAULT(c, DIAG_WARNING, &found.first, "not signed, in a signed zone (and %llu more record sets)",
		      (unsigned long long)found.n - 1);
	return err;
}

int
builder_check_chain(const struct zone_builder *b, const struct snapshot *s, struct diag_list *diag)
{
	struct chain c = {.b = b, .snapshot = s, .diag = diag};
	find_records(&c);
	check_kinds(&c);
	check_iterations(&c);
	if (s->denial != NULL) {
		check_links(&c);
		check_gaps(&c);
	}
	return s->is_signed ? check_signatures(&c) : 0;
}
