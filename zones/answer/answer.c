/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answering one question. See answer.h.
 *
 * One pass: look the name up, add what it has, and where that is an alias look up the next name, until there is an
 * answer, a denial, a referral, or nothing of ours. Additional records come last, for all sets that were added on
 * the way. Worker, TCP and test threads; everything lives on the stack of the call.
 */
#include "zones/answer/answer.h"

#include "zones/wire/rrtype.h"

/* Aliases followed in one answer; resolvers give up in the same region. */
#define CHAIN_MAX 16

/* Zones that one answer speaks of; an alias into yet another one is not followed. */
#define ZONES_MAX 4

/* Sets whose targets' addresses go into the additional section: one an alias step at most, and a referral. */
#define FOLLOW_MAX 4

/* Wildcards expanded in one answer; a chain with more of them is cut short. */
#define EXPANSIONS_MAX 4

/* Names whose addresses one answer carries; a set with more of them is served without the rest. */
#define TARGETS_MAX 64

struct follow {
	const struct rrset *set;
	uint32_t base;            /* where it stands in the reply */
	const struct node *owner; /* NULL: a wildcard that was expanded */
	bool is_referral;         /* `owner` is the delegation that it is the NS set of */
};

/* A wildcard was expanded: the proof goes into the authority section, once all answers are in. */
struct expansion {
	const struct snapshot *snapshot;
	const struct node *encloser;
	struct place place; /* of the name that it was expanded to */
};

struct answer {
	const struct zone_set *set;
	const struct snapshot *snapshot;
	const struct query *q;
	struct reply *r;
	struct outcome outcome;

	/* The name being looked up: QNAME at first, then each alias's target. */
	struct asked asked;
	struct lookup_first first;
	struct place place;
	struct name chain_name;
	struct name_suffixes chain_suffixes;
	unsigned n_seen;
	uint64_t seen[CHAIN_MAX + 1];

	/* One answer sees one version of each zone, however often a chain comes back to it. */
	unsigned n_zones;
	struct {
		const struct zone *zone;
		const struct snapshot *snapshot;
	} zones[ZONES_MAX];

	unsigned n_follow;
	struct follow follow[FOLLOW_MAX];

	unsigned n_expansions;
	struct expansion expansions[EXPANSIONS_MAX];
	struct denial_given given;
	const struct prepared *prepared; /* for QNAME */
};

enum step { STEP_DONE, STEP_NEXT_NAME };

static enum step
truncate(struct answer *a)
{
	a->r->is_truncated = true;
	return STEP_DONE;
}

/* Where an ancestor of the name at hand stands, by the ancestor's length. */
static struct place
ancestor_place(const struct answer *a, unsigned len)
{
	return (struct place){.at = (uint16_t)reply_suffix_at(a->r, a->place, len),
			      .len = (uint8_t)len,
			      .is_whole = a->place.is_whole};
}

static void
follow_later(struct answer *a, struct follow f)
{
	if (f.set->n_targets != 0 && a->n_follow < FOLLOW_MAX)
		a->follow[a->n_follow++] = f;
}

/* -------- negative answers -------- */

/* The walk that was made ahead, as long as the name at hand is the one that it was made for. */
static const struct denial_walk *
walk_ahead(const struct answer *a)
{
	return a->n_seen == 1 ? a->prepared->denial : NULL;
}

static enum step
deny(struct answer *a, enum denial kind, const struct lookup *found)
{
	const struct snapshot *s = a->snapshot;
	struct node_sets soa = {.set = s->negative_soa, .sigs = s->negative_soa_sigs};
	if (!reply_add(a->r, SECTION_AUTHORITY, soa, ancestor_place(a, s->apex_len), NULL) ||
	    !denial_prove(a->r, s, kind, a->asked, a->place, found, &a->given, walk_ahead(a)))
		return truncate(a);
	return STEP_DONE;
}

static enum step
deny_name(struct answer *a, const struct lookup *found)
{
	a->outcome.rcode = RCODE_NXDOMAIN;
	return deny(a, DENIAL_NAME, found);
}

/* -------- aliases -------- */

/* The version of a zone that this answer speaks of: the one it has seen, or the current one. NULL: none, or too
 * many zones. */
static const struct snapshot *
snapshot_of(struct answer *a, const struct zone *zone)
{
	for (unsigned i = 0; i < a->n_zones; i++) {
		if (a->zones[i].zone == zone)
			return a->zones[i].snapshot;
	}
	if (zone == NULL || a->n_zones == ZONES_MAX)
		return NULL;
	const struct snapshot *s = zone_current(zone);
	a->zones[a->n_zones].zone = zone;
	a->zones[a->n_zones++].snapshot = s;
	return s;
}

/* Makes the name that stands at `at` in the reply the next one to look up; done where it is nothing of ours. */
static enum step
chase(struct answer *a, uint32_t at)
{
	struct name target;
	size_t pos = at;
	if (name_expand(a->r->msg, a->r->pos, &pos, &target) != NAME_OK || a->n_seen > CHAIN_MAX)
		return STEP_DONE;
	a->chain_name.len = target.len;
	name_lower(a->chain_name.bytes, target.bytes, target.len);
	name_suffixes(a->chain_name.bytes, &a->chain_suffixes);
	a->asked = (struct asked){.name = &a->chain_name, .suffixes = &a->chain_suffixes};
	a->place = (struct place){.at = (uint16_t)at, .len = target.len};

	uint64_t hash = a->chain_suffixes.at[a->chain_suffixes.labels];
	for (unsigned i = 0; i < a->n_seen; i++) {
		if (a->seen[i] == hash)
			return STEP_DONE; /* a loop: the records show it */
	}
	a->seen[a->n_seen++] = hash;

	const struct snapshot *s = snapshot_of(a, lookup_zone(a->set, a->asked, false));
	if (s == NULL)
		return STEP_DONE;
	a->snapshot = s;
	a->first = lookup_first(s, a->asked, lookup_first_labels(s, a->asked));
	return STEP_NEXT_NAME;
}

static enum step
answer_alias(struct answer *a, struct node_sets cname)
{
	uint32_t base;
	if (!reply_add(a->r, SECTION_ANSWER, cname, a->place, &base))
		return truncate(a);
	return chase(a, base + RRSET_RR_HEAD);
}

/* An alias answers for every type but its own and those that may stand beside it. */
static bool
asks_past_alias(uint16_t qtype)
{
	return qtype == RRTYPE_CNAME || qtype == RRTYPE_ANY || qtype == RRTYPE_RRSIG || qtype == RRTYPE_NSEC;
}

/* RFC 6672 section 3.1: the DNAME, and the CNAME that it makes of the name asked. */
static enum step
answer_dname(struct answer *a, const struct node *node)
{
	struct node_sets dname = node_find(node, RRTYPE_DNAME);
	unsigned owner_len = node->entry.name_len;
	uint32_t base;
	if (!reply_add(a->r, SECTION_ANSWER, dname, ancestor_place(a, owner_len), &base))
		return truncate(a);

	unsigned prefix_len = a->asked.name->len - owner_len;
	if (prefix_len + name_len(rrset_wire(dname.set) + RRSET_RR_HEAD) > NAME_MAX_LEN) {
		a->outcome.rcode = RCODE_YXDOMAIN;
		return STEP_DONE;
	}
	if (!reply_add_cname(a->r, a->place, rrset_ttl(dname.set), a->asked.name->bytes, prefix_len,
			     base + RRSET_RR_HEAD, &base))
		return truncate(a);
	/* No NSEC stands beside a CNAME that was made up: one is looked for where it leads. */
	bool is_answered = asks_past_alias(a->q->qtype) && a->q->qtype != RRTYPE_NSEC;
	return is_answered ? STEP_DONE : chase(a, base + RRSET_RR_HEAD);
}

/* -------- referrals -------- */

static enum step
refer(struct answer *a, const struct lookup *found)
{
	const struct node *cut = found->node;
	const struct prepared *p = a->prepared;
	struct node_sets ns = {.set = cut == p->first.node ? p->sets.set : node_find(cut, RRTYPE_NS).set};
	uint32_t base;
	if (a->r->count[SECTION_ANSWER] == 0)
		a->outcome.is_authoritative = false;
	struct place owner = ancestor_place(a, cut->entry.name_len);
	if (!reply_add(a->r, SECTION_AUTHORITY, ns, owner, &base))
		return truncate(a);
	follow_later(a, (struct follow){.set = ns.set, .base = base, .owner = cut, .is_referral = true});
	if (!a->r->wants_dnssec)
		return STEP_DONE;
	struct node_sets ds = node_find(cut, RRTYPE_DS);
	if (!a->snapshot->is_signed)
		return STEP_DONE; /* RFC 4035 section 3.1 speaks of signed zones alone */
	bool fits = ds.set != NULL ? reply_add(a->r, SECTION_AUTHORITY, ds, owner, NULL)
				   : denial_prove(a->r, a->snapshot, DENIAL_DS, a->asked, a->place, found,
						  &a->given, walk_ahead(a));
	return fits ? STEP_DONE : truncate(a);
}

/* -------- positive answers -------- */

/* RFC 8482 section 4.1: one set of those that there are. */
static struct node_sets
any_one_set(const struct node *n)
{
	for (unsigned i = 0; i < node_set_count(n); i++) {
		if (node_set_type(n->sets[i]) != RRTYPE_RRSIG && node_word_is_set(n->sets[i]))
			return node_find(n, node_set_type(n->sets[i]));
	}
	return (struct node_sets){0};
}

/* Signatures are sets of their own for those who ask for them. */
static bool
add_all_signatures(struct answer *a, const struct node *n, bool *fits)
{
	bool found = false;
	for (unsigned i = 0; i < node_set_count(n) && *fits; i++) {
		if (node_set_type(n->sets[i]) != RRTYPE_RRSIG)
			continue;
		found = true;
		*fits = reply_add(a->r, SECTION_ANSWER, (struct node_sets){.set = node_set(n->sets[i])}, a->place,
				  NULL);
	}
	return found;
}

static enum step
answer_set(struct answer *a, const struct lookup *found, struct node_sets sets)
{
	uint32_t base;
	if (!reply_add(a->r, SECTION_ANSWER, sets, a->place, &base))
		return truncate(a);
	const struct node *owner = found->kind == LOOKUP_WILDCARD ? NULL : found->node;
	follow_later(a, (struct follow){.set = sets.set, .base = base, .owner = owner});
	return STEP_DONE;
}

static enum step
answer_type(struct answer *a, const struct lookup *found)
{
	const struct node *n = found->node;
	uint16_t qtype = a->q->qtype;
	if (qtype == RRTYPE_RRSIG) {
		bool fits = true;
		if (add_all_signatures(a, n, &fits))
			return fits ? STEP_DONE : truncate(a);
	} else {
		struct node_sets sets = qtype == RRTYPE_ANY ? any_one_set(n) : node_find(n, qtype);
		if (likely(sets.set != NULL))
			return answer_set(a, found, sets);
		sets = node_find(n, RRTYPE_CNAME);
		if (sets.set != NULL && !asks_past_alias(qtype))
			return answer_alias(a, sets);
	}
	return deny(a, found->kind == LOOKUP_WILDCARD ? DENIAL_WILDCARD_TYPE : DENIAL_TYPE, found);
}

static enum step
answer_wildcard(struct answer *a, const struct lookup *found)
{
	if (a->n_expansions == EXPANSIONS_MAX)
		return STEP_DONE;
	struct expansion *e = &a->expansions[a->n_expansions];
	*e = (struct expansion){.snapshot = a->snapshot, .encloser = found->encloser, .place = a->place};
	unsigned before = a->r->count[SECTION_ANSWER];
	enum step step = answer_type(a, found);
	a->n_expansions += a->r->count[SECTION_ANSWER] != before;
	return step;
}

static void
prove_expansions(struct answer *a)
{
	for (unsigned i = 0; i < a->n_expansions; i++) {
		const struct expansion *e = &a->expansions[i];
		struct name text, name;
		struct name_suffixes suffixes;
		size_t pos = e->place.at;
		if (name_expand(a->r->msg, a->r->pos, &pos, &text) != NAME_OK)
			continue;
		name.len = text.len;
		name_lower(name.bytes, text.bytes, text.len);
		name_suffixes(name.bytes, &suffixes);
		struct lookup found = {.kind = LOOKUP_WILDCARD, .encloser = e->encloser};
		struct asked asked = {.name = &name, .suffixes = &suffixes};
		if (!denial_prove(a->r, e->snapshot, DENIAL_EXPANSION, asked, e->place, &found, &a->given,
				  e->place.at == DNS_HEADER_LEN ? a->prepared->denial : NULL))
			a->r->is_truncated = true;
	}
}

static enum step
answer_name(struct answer *a)
{
	struct lookup found = lookup_name(a->snapshot, a->asked, a->first);
	switch (found.kind) {
	case LOOKUP_EXACT:
		return answer_type(a, &found);
	case LOOKUP_CUT:
		/* The DS set is the parent's own data (RFC 4035 section 3.1.4.1). */
		if (a->q->qtype == RRTYPE_DS && found.node->entry.name_len == a->asked.name->len)
			return answer_type(a, &found);
		return refer(a, &found);
	case LOOKUP_WILDCARD:
		return answer_wildcard(a, &found);
	case LOOKUP_DNAME:
		return answer_dname(a, found.node);
	case LOOKUP_NONE:
		break;
	}
	return deny_name(a, &found);
}

/* -------- additional records -------- */

struct additional {
	unsigned n_done;
	const struct node *done[TARGETS_MAX];
};

static bool
add_addresses(struct answer *a, const struct node *n, struct place owner)
{
	bool fits = true;
	static const uint16_t types[] = {RRTYPE_A, RRTYPE_AAAA};
	for (unsigned i = 0; i < ARRAY_LEN(types); i++) {
		struct node_sets sets = node_find(n, types[i]);
		if (sets.set != NULL)
			fits &= reply_add(a->r, SECTION_ADDITIONAL, sets, owner, NULL);
	}
	return fits;
}

/* Looks up the name that stands at `pos` in the reply. */
static const struct node *
look_up_written(const struct answer *a, size_t pos, struct place *place)
{
	struct name target, lower;
	if (name_expand(a->r->msg, a->r->pos, &pos, &target) != NAME_OK)
		return NULL;
	place->len = lower.len = target.len;
	name_lower(lower.bytes, target.bytes, target.len);
	return (const struct node *)names_find(&a->snapshot->names, name_hash(lower.bytes), lower.bytes, lower.len);
}

/* The node of a set's i-th target, if its addresses may be given; `place` gets where the target stands. */
static const struct node *
find_target(const struct answer *a, const struct follow *f, unsigned i, struct place *place)
{
	const struct prepared *p = a->prepared;
	const struct node *n;
	size_t pos = f->base + rrset_targets(f->set)[i];
	if (pos > UINT16_MAX)
		return NULL;
	*place = (struct place){.at = (uint16_t)pos};
	if (likely(i < p->targets.n && f->owner == p->first.node && f->set == p->sets.set)) {
		n = p->targets.first[i].node;
		place->len = p->targets.first[i].name.len;
	} else {
		n = look_up_written(a, pos, place);
	}
	/* What lies below a cut is glue, and glue goes with NS sets alone. */
	if (n != NULL && (n->entry.flags & (NODE_BELOW | NODE_CUT)) && f->set->type != RRTYPE_NS)
		return NULL;
	return n;
}

/* Can nobody find this server without its address here? So it is at and below the cut alone. */
static bool
is_glue_needed(const struct follow *f, const struct node *n)
{
	return f->is_referral && (n->entry.flags & (NODE_BELOW | NODE_CUT)) &&
	       name_is_under(node_name(n), node_name(f->owner));
}

/*
 * Adds the addresses of a set's targets. For a referral the servers below the cut come first, since nobody finds
 * those without glue; where it does not fit, the answer is truncated (RFC 9471 section 3). All others are a favour.
 */
static void
add_targets(struct answer *a, const struct follow *f, bool needed, struct additional *add)
{
	for (unsigned i = 0; i < f->set->n_targets && add->n_done < TARGETS_MAX; i++) {
		struct place place;
		const struct node *n = find_target(a, f, i, &place);
		if (n == NULL)
			continue;
		bool is_done = is_glue_needed(f, n) != needed;
		for (unsigned k = 0; k < add->n_done && !is_done; k++)
			is_done = add->done[k] == n;
		if (is_done)
			continue;
		add->done[add->n_done++] = n;
		if (!add_addresses(a, n, place) && needed)
			a->r->is_truncated = true;
	}
}

static void
add_additional(struct answer *a)
{
	struct additional add;
	add.n_done = 0;
	for (unsigned i = 0; i < a->n_follow; i++) {
		if (a->follow[i].is_referral)
			add_targets(a, &a->follow[i], true, &add);
		add_targets(a, &a->follow[i], false, &add);
	}
}

struct outcome
answer_search(const struct zone_set *set, const struct prepared *p, const struct query *q, struct reply *r)
{
	struct answer a;
	a.set = set;
	a.snapshot = p->snapshot;
	a.q = q;
	a.r = r;
	a.outcome = (struct outcome){
		.rcode = RCODE_NOERROR, .error = EDE_NONE, .is_authoritative = true, .snapshot = p->snapshot};
	a.asked = (struct asked){.name = &q->qname, .suffixes = &q->suffixes};
	a.first = p->first;
	a.place = answer_qname_place(q);
	a.n_seen = 1;
	a.seen[0] = q->suffixes.at[q->suffixes.labels];
	a.n_zones = 1;
	a.zones[0].zone = p->zone;
	a.zones[0].snapshot = p->snapshot;
	a.prepared = p;
	a.n_follow = a.n_expansions = a.given.n = 0;

	while (answer_name(&a) == STEP_NEXT_NAME)
		;
	if (!r->is_truncated && r->wants_dnssec)
		prove_expansions(&a);
	if (!r->is_truncated && a.n_follow != 0)
		add_additional(&a);
	return a.outcome;
}
