/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine: bursts of messages through the stages of an answer. See engine.h.
 *
 * A query touches memory in a chain of dependent loads: zone bucket, snapshot, directory, name bucket, node, record
 * set. One query alone would wait for each of them; a group walks the chain stage by stage, each stage prefetching
 * what the next one reads, so that the waits of a group overlap. The answer goes on from what the probes
 * have found; the rest of the stages only warm the cache, whatever the prefetches were good for.
 */
#include "zones/answer/engine.h"

#include "zones/answer/answer.h"
#include "zones/answer/count.h"
#include "zones/answer/options.h"
#include "zones/base/bytes.h"
#include "zones/wire/query.h"
#include "zones/wire/rrtype.h"

/* Where a stage has gone through its group. bench/turn/stages.c compiles this file with a clock in the place. */
#ifndef ENGINE_STAGE_DONE
#define ENGINE_STAGE_DONE(name)
#endif

/* One message on its way through the stages. */
struct work {
	struct engine_message *m;
	struct prepared p;
	/*
	 * The names that the first two probes ask for: QNAME and its parent, mostly, or a delegation above it. Only
	 * they are prefetched; what lies above is hot or rare.
	 */
	uint64_t hashes[2];
	unsigned n_hashes;
	const struct names_bucket *bucket[2];   /* of both */
	const struct names_entry *candidate[2]; /* what they will find there, probably */
	enum query_status status;
	bool is_unanswered;    /* dropped, or control's */
	bool asks_zones;       /* a question of class IN for data: goes through the lookup stages */
	bool shares_zone;      /* what is asked for a zone is the same as in the message before */
	uint8_t zone_labels;   /* of that suffix of QNAME */
	uint8_t second_labels; /* of the second probe; the apex where there is none */
	struct options options;
	struct query q;
	struct denial_walk denial;
};

static inline struct asked
asked_of(const struct work *w)
{
	return (struct asked){.name = &w->q.qname, .suffixes = &w->q.suffixes};
}

/* Nodes and sets of the usual size begin on one cache line and end on the next. */
static inline void
prefetch_two(const void *p)
{
	prefetch(p);
	prefetch((const uint8_t *)p + CACHE_LINE);
}

/* -------- B: parse -------- */

static bool
is_zone_question(const struct query *q)
{
	return q->qclass == RRCLASS_IN && (q->qtype < RRTYPE_TKEY || q->qtype >= RRTYPE_ANY) &&
	       q->qtype != RRTYPE_OPT && q->qtype != RRTYPE_NXNAME;
}

/* What is no plain question for data. */
static void
parse_other(struct work *w)
{
	bool is_dropped = w->status == QUERY_DROP_SHORT || w->status == QUERY_DROP_RESPONSE;
	w->is_unanswered = is_dropped || (w->m->takes_punts && query_is_rare(&w->q));
	w->asks_zones &= !w->is_unanswered;
}

/* Each by itself: as a whole it would be cleared by an instruction that takes longer than the parser. */
static inline void
clear_prepared(struct prepared *p)
{
	p->zone = NULL;
	p->snapshot = NULL;
	p->first.node = NULL;
	p->sets.set = NULL;
	p->denial = NULL;
	p->targets.n = 0;
	p->is_found = false;
}

static void
stage_parse(struct work *w)
{
	clear_prepared(&w->p);
	w->status = query_parse(w->m->msg, w->m->len, &w->q);
	w->asks_zones = w->status == QUERY_ASK && is_zone_question(&w->q);
	w->is_unanswered = false;
	w->options.cookie = COOKIE_NONE;
	if (unlikely(!w->asks_zones || w->q.is_signed))
		parse_other(w);
}

/*
 * Queries of a burst tend to ask the same zone. The search for a zone begins with the suffix of as many labels as
 * zones can have: where the query before has the same one, all that it found is right again, and so are the hashes
 * up to there. DS questions look further up, and so share nothing.
 */
static bool
shares_zone(const struct work *w, const struct work *before)
{
	unsigned k = w->zone_labels;
	if (before == NULL || !before->asks_zones || before->zone_labels != k || before->q.qtype == RRTYPE_DS ||
	    w->q.qtype == RRTYPE_DS)
		return false;
	const struct query *q = &w->q, *other = &before->q;
	unsigned start = name_suffix_start(&q->suffixes, k), other_start = name_suffix_start(&other->suffixes, k);
	return q->qname.len - start == other->qname.len - other_start &&
	       octets_equal(q->qname.bytes + start, other->qname.bytes + other_start, q->qname.len - start);
}

/* Apart from parsing, because the hashes of one name wait for each other, and those of several names do not. */
static void
stage_hash(const struct zone_set *set, struct work *w, const struct work *before)
{
	if (!w->asks_zones)
		return;
	unsigned k = depth_map_floor(&set->depths, w->q.suffixes.labels);
	w->zone_labels = (uint8_t)k;
	w->shares_zone = shares_zone(w, before);
	if (likely(w->shares_zone)) {
		for (unsigned i = 0; i <= k; i++)
			w->q.suffixes.at[i] = before->q.suffixes.at[i];
		name_suffixes_hash_from(w->q.qname.bytes, &w->q.suffixes, k);
		return;
	}
	name_suffixes_hash(w->q.qname.bytes, &w->q.suffixes);
	if (set->zones.top != NULL)
		prefetch(names_bucket_of(&set->zones, w->q.suffixes.at[k]));
}

/* -------- C: zone and directory -------- */

/* The zone and its current version. */
static void
find_zone(const struct zone_set *set, struct work *w)
{
	if (unlikely(w->q.qtype == RRTYPE_DS))
		w->p.zone = lookup_zone(set, asked_of(w), true);
	if (w->p.zone == NULL)
		w->p.zone = lookup_zone(set, asked_of(w), false);
	if (w->p.zone != NULL)
		w->p.snapshot = zone_current(w->p.zone);
}

static void
stage_zone(const struct zone_set *set, struct work *w)
{
	if (!w->asks_zones)
		return;
	if (likely(w->shares_zone)) {
		w->p.zone = w[-1].p.zone; /* the message before */
		w->p.snapshot = w[-1].p.snapshot;
	} else {
		find_zone(set, w);
	}
	if (w->p.snapshot == NULL)
		return;
	const struct snapshot *s = w->p.snapshot;
	unsigned k = lookup_first_labels(s, asked_of(w));
	w->p.first.labels = k;
	w->second_labels = s->apex_labels;
	w->hashes[0] = w->q.suffixes.at[k];
	w->n_hashes = 1;
	if (k > s->apex_labels + 1u && (k = depth_map_floor(&s->depths, k - 1)) > s->apex_labels) {
		w->second_labels = (uint8_t)k;
		w->hashes[w->n_hashes++] = w->q.suffixes.at[k];
	}
	for (unsigned i = 0; i < w->n_hashes; i++)
		prefetch(names_directory_of(&s->names, w->hashes[i]));
}

/* -------- D: name bucket, node, record sets -------- */

static void
stage_bucket(const struct work *w)
{
	if (w->p.snapshot == NULL)
		return;
	for (unsigned i = 0; i < w->n_hashes; i++)
		prefetch(names_bucket_of(&w->p.snapshot->names, w->hashes[i]));
}

/* The nodes that both probes will find, probably. */
static void
stage_node(struct work *w)
{
	if (w->p.snapshot == NULL)
		return;
	const struct names *t = &w->p.snapshot->names;
	for (unsigned i = 0; i < w->n_hashes; i++) {
		w->bucket[i] = names_bucket_of(t, w->hashes[i]);
		w->candidate[i] = names_candidate(w->bucket[i], w->hashes[i]);
		if (w->candidate[i] != NULL) {
			prefetch_two(w->candidate[i]);
			w->n_hashes = i + 1; /* mostly that is it */
		} else if (names_bucket_is_full(w->bucket[i])) {
			prefetch(names_bucket_after(t, w->hashes[i]));
		}
	}
}

/*
 * The first probe, and where it finds nothing the second one. All suffixes in between are names that cannot be.
 * Most answers come from the node that is found here, and what they begin with is its set of the type asked for, or
 * the NS set of a delegation.
 */
static void
stage_probe(struct work *w)
{
	if (w->p.snapshot == NULL)
		return;
	struct lookup_first *first = &w->p.first;
	*first = lookup_first_from(w->p.snapshot, asked_of(w), first->labels, w->bucket[0], w->candidate[0]);
	if (first->node == NULL && w->n_hashes > 1)
		*first = lookup_first_from(w->p.snapshot, asked_of(w), w->second_labels, w->bucket[1],
					   w->candidate[1]);
	const struct node *n = first->node;
	if (n == NULL)
		return;
	unsigned flags = n->entry.flags;
	struct node_sets found = node_find(n, flags & NODE_CUT ? RRTYPE_NS : w->q.qtype);
	if (found.set == NULL)
		return;
	w->p.sets = found;
	w->p.is_found = first->labels == w->q.suffixes.labels && !(flags & (NODE_CUT | NODE_BELOW));
	prefetch_two(found.set);
	if (w->q.edns.wants_dnssec && found.sigs != NULL) {
		prefetch_two(found.sigs);
		prefetch((const uint8_t *)found.sigs + 2 * CACHE_LINE);
	}
}

/* -------- what only some messages need: begun for each of them, and then made for all at once -------- */

/* A name that is not there, and no delegation above it: with DNSSEC that takes a proof. */
static bool
will_deny(const struct work *w)
{
	if (w->p.snapshot == NULL || !w->q.edns.wants_dnssec || w->p.snapshot->denial == NULL)
		return false;
	const struct node *n = w->p.first.node;
	return n == NULL || (w->p.first.labels != w->q.suffixes.labels && !(n->entry.flags & NODE_CUT));
}

static void
begin_denial(struct work *w)
{
	w->p.denial = &w->denial;
	denial_walk_begin(&w->denial, w->p.snapshot, asked_of(w),
			  w->p.first.node != NULL ? w->p.first.labels : w->p.snapshot->apex_labels); /* a guess */
}

/* Apart from the answers, because the hash of one cookie waits for itself, and those of several do not. */
static void
begin_options(const struct zone_set *set, struct work *w, uint32_t now_s)
{
	if (w->q.edns.cookie_len != 0)
		options_begin(&w->options, &set->config, &w->m->client, &w->q.edns, now_s);
	if (w->q.edns.wants_expire && w->p.snapshot != NULL)
		w->options.expire_s = zone_expire_left_s(w->p.zone, w->p.snapshot, now_s);
}

/* Returns how many denials there are. */
static unsigned
stage_extras(const struct zone_set *set, struct work *work, unsigned n, uint32_t now_s, struct targets *targets)
{
	struct denial_walk *walks[ENGINE_GROUP];
	unsigned n_walks = 0;
	targets->n = 0;
	for (unsigned i = 0; i < n; i++) {
		struct work *w = &work[i];
		if (w->p.sets.set != NULL && unlikely(w->p.sets.set->n_targets != 0))
			w->p.targets = targets_begin(targets, w->p.snapshot, w->p.first.node, w->p.sets.set);
		if (w->is_unanswered || !w->q.edns.is_present)
			continue;
		if (unlikely(w->q.edns.has_options))
			begin_options(set, w, now_s);
		if (will_deny(w)) {
			begin_denial(w);
			walks[n_walks++] = &w->denial;
		}
	}
	if (unlikely(targets->n != 0))
		targets_burst(targets);
	if (unlikely(n_walks != 0))
		denial_walk_burst(walks, n_walks);
	return n_walks;
}

/* -------- E: answer in place -------- */

/* Largest reply that client, transport and buffer allow (RFC 6891 section 6.2.3). */
static uint32_t
reply_limit(const struct engine_message *m, const struct query *q, const struct answer_config *config)
{
	uint32_t limit = UINT16_MAX;
	if (m->client.transport == ENGINE_UDP) {
		limit = q->edns.size > DNS_PLAIN_UDP_MAX ? q->edns.size : DNS_PLAIN_UDP_MAX;
		if (limit > config->udp_payload)
			limit = config->udp_payload;
	}
	return limit < m->cap ? limit : m->cap;
}

static void
write_header(const struct reply *r, const struct query *q, struct outcome o)
{
	uint16_t flags = FLAG_QR | (q->flags & (0x7800 | FLAG_RD)) | (o.rcode & 15);
	if (o.is_authoritative)
		flags |= FLAG_AA;
	if (r->is_truncated)
		flags |= FLAG_TC;
	uint64_t questions = q->question_end != DNS_HEADER_LEN;
	store_be16(r->msg + 2, flags);
	store_be64(r->msg + 4, questions << 48 | (uint64_t)r->count[SECTION_ANSWER] << 32 |
				       (uint32_t)r->count[SECTION_AUTHORITY] << 16 | r->count[SECTION_ADDITIONAL]);
}

/* A transfer of what is no zone of ours (RFC 5936 section 2.2.1). Of ours, nobody is allowed one yet. */
static struct outcome
answer_transfer(const struct zone_set *set, struct query *q)
{
	name_suffixes_hash(q->qname.bytes, &q->suffixes);
	bool is_ours =
		names_find(&set->zones, q->suffixes.at[q->suffixes.labels], q->qname.bytes, q->qname.len) != NULL;
	return (struct outcome){.rcode = is_ours ? RCODE_REFUSED : RCODE_NOTAUTH,
				.error = is_ours ? EDE_NONE : EDE_NOT_AUTHORITATIVE};
}

/* Questions that no zone is asked about: other classes, and types that are no data (RFC 6895 section 3.1). */
static struct outcome
answer_other(const struct zone_set *set, struct query *q, struct reply *r)
{
	if (q->qclass == RRCLASS_CH)
		return answer_chaos(&set->config, q, r);
	if (q->qclass != RRCLASS_IN)
		return (struct outcome){.rcode = RCODE_REFUSED, .error = EDE_NONE};
	switch (q->qtype) {
	case RRTYPE_OPT:
	case RRTYPE_TKEY:
	case RRTYPE_TSIG:
		return (struct outcome){.rcode = RCODE_FORMERR, .error = EDE_NONE};
	case RRTYPE_NXNAME: /* RFC 9824 section 3.5 */
		return (struct outcome){.rcode = RCODE_FORMERR, .error = EDE_INVALID_QUERY_TYPE};
	case RRTYPE_MAILA:
	case RRTYPE_MAILB:
		return (struct outcome){.rcode = RCODE_NOTIMP, .error = EDE_NOT_SUPPORTED};
	default: /* AXFR, IXFR */
		return answer_transfer(set, q);
	}
}

/* No snapshot: the zone expired (RFC 8914 section 4.25) or is not there yet. */
static struct outcome
answer_unloaded(const struct zone *zone)
{
	bool is_expired = atomic_load_explicit(&zone->state, memory_order_relaxed) & ZONE_EXPIRED;
	return (struct outcome){.rcode = RCODE_SERVFAIL, .error = is_expired ? EDE_INVALID_DATA : EDE_NOT_READY};
}

/* Does the server insist on a cookie that this client has not shown? Over TCP the address is proven anyway. */
static bool
lacks_cookie(const struct zone_set *set, const struct work *w)
{
	return set->config.cookies_required && w->m->client.transport == ENGINE_UDP &&
	       w->options.cookie != COOKIE_GOOD;
}

/* What no data of ours answers. */
static __attribute__((noinline)) struct outcome
answer_without_data(const struct zone_set *set, struct work *w, struct reply *r)
{
	if (w->status == QUERY_REFUSE)
		return (struct outcome){.rcode = w->q.rcode, .error = EDE_NONE};
	if (lacks_cookie(set, w)) {
		bool knows_none = w->options.cookie == COOKIE_NONE;
		r->is_truncated = knows_none; /* may ask again by TCP */
		return (struct outcome){.rcode = knows_none ? RCODE_NOERROR : RCODE_BADCOOKIE, .error = EDE_NONE};
	}
	if (!w->asks_zones)
		return answer_other(set, &w->q, r);
	if (w->p.zone == NULL)
		return (struct outcome){.rcode = RCODE_REFUSED, .error = EDE_NOT_AUTHORITATIVE};
	return answer_unloaded(w->p.zone);
}

static void
leave_unanswered(const struct zone_set *set, struct work *w, struct counters *counters)
{
	struct engine_message *m = w->m;
	if (w->status == QUERY_DROP_SHORT || w->status == QUERY_DROP_RESPONSE) {
		m->verdict = ENGINE_DROP;
		m->drop = w->status == QUERY_DROP_SHORT ? DROP_SHORT : DROP_RESPONSE;
		counter_add(&counters->drop[m->drop], 1);
		return;
	}
	m->verdict = ENGINE_PUNT;
	m->cap = reply_limit(m, &w->q, &set->config);
	counter_add(&counters->punted, 1);
}

static void
stage_answer(const struct zone_set *set, struct work *w, struct counters *counters)
{
	struct engine_message *m = w->m;
	if (unlikely(w->is_unanswered)) {
		leave_unanswered(set, w, counters);
		return;
	}
	const struct answer_config *config = &set->config;
	struct edns *edns = &w->q.edns;
	uint32_t limit = reply_limit(m, &w->q, config);
	unsigned room = 0;
	if (edns->is_present)
		room = options_room(config, &m->client, edns, limit - w->q.question_end);
	struct reply r = {
		.msg = m->msg,
		.pos = w->q.question_end,
		.limit = limit - room,
		.wants_dnssec = edns->wants_dnssec,
	};
	bool has_data = likely(w->p.snapshot != NULL) && likely(!lacks_cookie(set, w));
	struct outcome o = has_data ? answer_question(set, &w->p, &w->q, &r) : answer_without_data(set, w, &r);
	if (edns->is_present)
		options_write(&w->options, &r, limit, config, &m->client, &w->q, o);
	write_header(&r, &w->q, o);
	m->len = r.pos;
	m->verdict = ENGINE_ANSWER;
	count_answer(counters, m->client.is_v6,
		     (struct counted){.has_question = w->q.qname.len != 0,
				      .is_truncated = r.is_truncated,
				      .qtype = w->q.qtype,
				      .rcode = o.rcode});
}

/*
 * How many answers before its own the sets of a denial are prefetched. They are many lines: all of a group's at
 * once have left the nearest cache again when their turn comes (460 cycles a denial by NSEC instead of 360).
 */
#define DENIAL_AHEAD 2

static void
stage_answers(const struct zone_set *set, struct work *work, unsigned n, unsigned n_denials,
	      struct counters *counters)
{
	for (unsigned i = 0; i < n; i++) {
		if (unlikely(n_denials != 0) && i + DENIAL_AHEAD < n && work[i + DENIAL_AHEAD].p.denial != NULL)
			denial_walk_prefetch(&work[i + DENIAL_AHEAD].denial);
		stage_answer(set, &work[i], counters);
	}
}

static void
answer_group(const struct zone_set *set, struct engine_message *messages, unsigned n, uint32_t now_s,
	     struct counters *counters)
{
	struct work work[ENGINE_GROUP], *const end = work + n;
	struct targets targets;
	for (struct work *w = work; w < end; w++) {
		w->m = messages++;
		stage_parse(w);
	}
	ENGINE_STAGE_DONE("parse");
	for (struct work *w = work, *before = NULL; w < end; before = w++)
		stage_hash(set, w, before);
	ENGINE_STAGE_DONE("hash");
	for (struct work *w = work; w < end; w++)
		stage_zone(set, w);
	ENGINE_STAGE_DONE("zone");
	for (struct work *w = work; w < end; w++)
		stage_bucket(w);
	ENGINE_STAGE_DONE("bucket");
	for (struct work *w = work; w < end; w++)
		stage_node(w);
	ENGINE_STAGE_DONE("node");
	for (struct work *w = work; w < end; w++)
		stage_probe(w);
	ENGINE_STAGE_DONE("probe");
	unsigned n_denials = stage_extras(set, work, n, now_s, &targets);
	ENGINE_STAGE_DONE("extras");
	stage_answers(set, work, n, n_denials, counters);
	ENGINE_STAGE_DONE("answer");
}

void
engine_burst(const struct zone_set *set, struct engine_message *messages, unsigned n, uint32_t now_s,
	     struct counters *counters)
{
	for (unsigned i = 0; i < n; i += ENGINE_GROUP)
		answer_group(set, messages + i, n - i < ENGINE_GROUP ? n - i : ENGINE_GROUP, now_s, counters);
}
