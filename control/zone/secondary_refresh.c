/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One refresh of one secondary zone: ask, choose, transfer, accept. See secondary.h. Control thread.
 *
 *     ask all primaries for their SOA ──> the newest first; of equals the preferred one
 *          │ skipped where a NOTIFY has told, or where there is one primary and nothing to compare
 *          v
 *     one after the other: slot ──> turn of the zone ──> IXFR ──> accept ──> over
 *                                                         ├─> cannot be had: AXFR from the same one, once
 *                                                         └─> failed: the next primary
 *
 * Whatever it waits for calls back in the end, so a refresh whose zone has gone ends by itself.
 */
#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "control/base/log.h"
#include "control/transfer/ask_soa.h"
#include "control/zone/secondary_private.h"
#include "zones/wire/rrtype.h"
#include "zones/wire/serial.h"

#define INTERRUPTED "interrupted by a rollback"

#define SOA_TRIES 3
#define SOA_TIMEOUT_MS 1000

/* One primary, in this refresh. */
struct candidate {
	struct refresh *refresh;
	struct peer *peer;     /* held */
	struct peer_wait wait; /* for a slot: of the question, then of the transfer */
	struct ask *ask;
	unsigned index; /* in the zone's primaries */
	bool has_answered;
	struct ask_soa soa;
};

struct refresh {
	struct secondary *secondary; /* NULL: the zone has gone */
	struct secondaries *all;
	struct name apex;
	struct zone_turn turn;
	struct zone_version version;
	struct served *base; /* held: the last transfer was made from it, and what came may share with it */
	struct transfer *transfer;
	bool is_urgent, whole;
	bool is_outdated; /* the configured primaries are others by now */
	bool has_turn, wants_turn;
	bool tried_ixfr; /* from the present candidate, and it was no use */
	uint32_t new_serial;
	unsigned n_asking; /* questions that have not come back */
	unsigned n, at;    /* candidates, the one being tried */
	char *error;       /* owned; NULL: nothing has failed yet */
	struct candidate candidates[];
};

static const struct snapshot *
served_of(const struct refresh *r)
{
	const struct zone_item *item = r->secondary->item;
	return item->served ? item->served->snapshot : NULL;
}

/* -------- the end -------- */

static void
base_set(struct refresh *r, struct served *base)
{
	if (base)
		served_hold(base);
	if (r->base)
		served_release(r->all->options.zones->options.publisher, r->base);
	r->base = base;
}

static void
clear_error(struct refresh *r)
{
	free(r->error);
	r->error = NULL;
}

/* Of many refreshes that wait few have one: it does not lie in them. */
PRINTF_LIKE(2, 3) static void set_error(struct refresh *r, const char *fmt, ...)
{
	va_list ap;
	clear_error(r);
	va_start(ap, fmt);
	if (vasprintf(&r->error, fmt, ap) < 0)
		r->error = NULL;
	va_end(ap);
}

static const char *
error_text(const struct refresh *r)
{
	return r->error ? r->error : "out of memory";
}

static void
refresh_free(struct refresh *r)
{
	base_set(r, NULL);
	for (unsigned i = 0; i < r->n; i++)
		peer_release(r->candidates[i].peer);
	r->all->n_refreshes--;
	clear_error(r);
	free(r);
}

static void
refresh_over(struct refresh *r, enum refresh_end end)
{
	struct secondary *s = r->secondary;
	char zone[NAME_TEXT_MAX];
	if (end == REFRESH_FAILED && s) {
		name_to_text(r->apex.bytes, zone);
		log_write(CONFIG_LOG_WARNING, zone, "refresh failed: %s", error_text(r));
		s->was_notified |= r->is_outdated; /* the primaries of now have not been asked */
	}
	if (s)
		secondary_refreshed(s, end, error_text(r));
	if (r->has_turn)
		zone_turn_end(&r->turn);
	refresh_free(r);
}

static bool
is_cancelled(const struct refresh *r)
{
	return !r->secondary || r->all->stopping;
}

/* The first thing that went wrong is what is told, with the primary's name. */
static void
note_error(struct refresh *r, const struct candidate *c, const char *why)
{
	if (!r->error)
		set_error(r, "%s: %s", c->peer->remote.id, why);
}

static void
note_serial(struct refresh *r, const struct candidate *c, uint32_t serial)
{
	struct secondary *s = r->secondary;
	if (!s || r->is_outdated || c->index >= s->n_primaries)
		return;
	s->primaries[c->index] =
		(struct secondary_primary){.has_serial = true, .serial = serial, .asked_at_s = time(NULL)};
}

/* A primary has said that the zone is current; with the EXPIRE that it told (0: none). */
static void
refresh_current(struct refresh *r, const struct candidate *c, uint32_t expire_s)
{
	struct secondary *s = r->secondary;
	struct state_meta meta;
	secondary_meta(s, served_of(r), expire_s, s->source ? s->source : c->peer->remote.id, &meta);
	int64_t longest_s = meta.refreshed_at_s + s->item->config->expire_max_s;
	int64_t before_s = s->expires_at_s < longest_s ? s->expires_at_s : longest_s;
	if (expire_s && meta.expires_at_s < before_s) /* RFC 7314 section 4: a refresh does not shorten life */
		meta.expires_at_s = before_s;
	secondary_take_meta(s, &meta);
	zone_store_meta(r->all->options.zones, s->item, &meta);
	refresh_over(r, REFRESH_CURRENT);
}

/* -------- the transfer -------- */

static void try_candidate(struct refresh *r);

static void
log_version(const struct refresh *r, const struct transfer_result *x, const struct candidate *c)
{
	char zone[NAME_TEXT_MAX];
	name_to_text(r->apex.bytes, zone);
	log_often(CONFIG_LOG_INFO, zone, "serial %u by %s from %s: %llu records, %llu octets, %u ms", x->serial,
		  x->kind == XFR_IXFR ? "IXFR" : "AXFR", c->peer->remote.id, (unsigned long long)x->records,
		  (unsigned long long)x->bytes, x->duration_ms);
}

static void
version_accepted(struct zone_version *v, int err)
{
	struct refresh *r = (struct refresh *)((char *)v - offsetof(struct refresh, version));
	const struct candidate *c = &r->candidates[r->at];
	if (err == -ECANCELED || is_cancelled(r)) {
		refresh_over(r, REFRESH_CANCELLED);
		return;
	}
	if (err) {
		log_limited(CONFIG_LOG_ERROR, NULL,
			    "state-dir: verified zone data cannot be stored: %s; what is served "
			    "stays, and it is tried again",
			    strerror(-err));
		set_error(r, "state-dir: %s", strerror(-err));
		refresh_over(r, REFRESH_FAILED);
		return;
	}
	struct secondary *s = r->secondary;
	if (!r->is_outdated && s->preferred != c->index) {
		s->preferred = (uint16_t)c->index;
		s->behind_since_ms = 0;
	}
	secondary_take_meta(s, &v->meta);
	refresh_over(r, REFRESH_NEW);
}

static bool
is_rejected(const struct secondary *s, uint32_t serial)
{
	return s->has_rejected && !serial_is_newer(serial, s->rejected_serial);
}

/* While its base is held. */
static void
throw_away(struct transfer_result *x)
{
	served_free(x->next);
	state_changes_free(x->changes);
	x->next = NULL;
	x->changes = NULL;
}

static void
take_version(struct refresh *r, struct transfer_result *x)
{
	struct secondary *s = r->secondary;
	const struct candidate *c = &r->candidates[r->at];
	if (!r->whole && is_rejected(s, x->serial)) {
		throw_away(x);
		refresh_current(r, c, x->has_expire ? x->expire_s : 0);
		return;
	}
	struct zone_version *v = &r->version;
	*v = (struct zone_version){
		.turn = &r->turn,
		.next = x->next,
		.store = x->changes ? ZONE_STORE_CHANGES : ZONE_STORE_WHOLE,
		.changes = x->changes,
		.stage = x->stage,
		.verified_ns = x->verified_ns,
		.load_ms = x->duration_ms,
		.done = version_accepted,
	};
	s->has_rejected = false;
	secondary_meta(s, x->next->snapshot, x->has_expire ? x->expire_s : 0, c->peer->remote.id, &v->meta);
	x->next = NULL;
	x->changes = NULL;
	x->stage = NULL;
	log_version(r, x, c);
	zone_accept(r->all->options.zones, v);
}

static void
next_candidate(struct refresh *r)
{
	r->at++;
	r->tried_ixfr = false;
	if (r->at < r->n)
		try_candidate(r);
	else
		refresh_over(r, REFRESH_FAILED);
}

static void
count_transfer(struct refresh *r, const struct transfer_result *x)
{
	if (x->end == TRANSFER_CANCELLED)
		return;
	unsigned result = x->end == TRANSFER_NEW_VERSION ? 0 : x->end == TRANSFER_UP_TO_DATE ? 1 : 2;
	r->all->stats.transfers[r->base && !r->tried_ixfr && !r->whole][result]++;
}

static void
transfer_over(void *arg, struct transfer_result *x)
{
	struct refresh *r = arg;
	struct candidate *c = &r->candidates[r->at];
	r->transfer = NULL;
	count_transfer(r, x);
	peer_slot_end(c->peer);
	if (x->has_serial)
		note_serial(r, c, x->serial);
	if (is_cancelled(r)) {
		throw_away(x);
		refresh_over(r, REFRESH_CANCELLED);
	} else if (x->end == TRANSFER_CANCELLED) {
		set_error(r, INTERRUPTED);
		refresh_over(r, REFRESH_FAILED);
	} else if (x->end == TRANSFER_NEW_VERSION) {
		take_version(r, x);
	} else if (x->end == TRANSFER_UP_TO_DATE) {
		refresh_current(r, c, x->has_expire ? x->expire_s : 0);
	} else if (x->end == TRANSFER_TRY_WHOLE) {
		char zone[NAME_TEXT_MAX];
		name_to_text(r->apex.bytes, zone);
		log_write(CONFIG_LOG_INFO, zone, "IXFR from %s: %s; asking for the whole zone", c->peer->remote.id,
			  x->why);
		r->tried_ixfr = true;
		try_candidate(r);
	} else {
		note_error(r, c, x->why);
		next_candidate(r);
	}
}

static void
transfer_begin(struct refresh *r)
{
	struct secondary *s = r->secondary;
	struct candidate *c = &r->candidates[r->at];
	const struct config_zone *config = s->item->config;
	struct served *base = s->item->served;
	bool is_ixfr = base && !r->whole && !r->tried_ixfr;
	const struct transfer_request request = {
		.apex = r->apex,
		.qtype = is_ixfr ? RRTYPE_IXFR : RRTYPE_AXFR,
		.is_forced = r->whole,
		.primary = &c->peer->remote,
		.key = c->peer->key,
		.tls = c->peer->tls,
		.base = base,
		.zonemd = config->zonemd,
		.limits = config->transfer_limits,
	};
	if (transfer_start(r->all->options.transfers, &request, transfer_over, r, &r->transfer) != 0) {
		peer_slot_end(c->peer);
		note_error(r, c, "out of memory");
		next_candidate(r);
		return;
	}
	base_set(r, base);
}

static void
turn_began(struct zone_turn *turn)
{
	struct refresh *r = (struct refresh *)((char *)turn - offsetof(struct refresh, turn));
	r->has_turn = turn->item != NULL;
	if (is_cancelled(r) || !r->has_turn) {
		peer_slot_end(r->candidates[r->at].peer);
		refresh_over(r, REFRESH_CANCELLED);
		return;
	}
	transfer_begin(r);
}

static void
transfer_slot(struct peer_wait *w)
{
	struct candidate *c = (struct candidate *)((char *)w - offsetof(struct candidate, wait));
	struct refresh *r = c->refresh;
	if (is_cancelled(r)) {
		peer_slot_end(c->peer);
		refresh_over(r, REFRESH_CANCELLED);
	} else if (r->has_turn) {
		transfer_begin(r);
	} else {
		r->turn.begin = turn_began;
		zone_turn_take(r->secondary->item, &r->turn);
	}
}

static void
try_candidate(struct refresh *r)
{
	struct candidate *c = &r->candidates[r->at];
	c->wait.begin = transfer_slot;
	peer_slot_take(c->peer, &c->wait, r->is_urgent);
}

/* -------- the questions -------- */

/* Those that have not answered come last, in their order: a transfer may work where a question was lost. */
static int
candidate_order(const struct refresh *r, const struct candidate *a, const struct candidate *b)
{
	if (a->has_answered != b->has_answered)
		return a->has_answered ? -1 : 1;
	if (a->has_answered && a->soa.serial != b->soa.serial)
		return serial_is_newer(a->soa.serial, b->soa.serial) ? -1 : 1;
	unsigned preferred = r->secondary->preferred;
	if ((a->index == preferred) != (b->index == preferred))
		return a->index == preferred ? -1 : 1;
	return a->index < b->index ? -1 : 1;
}

static void
candidates_sort(struct refresh *r)
{
	for (unsigned i = 1; i < r->n; i++) {
		struct candidate c = r->candidates[i];
		unsigned k = i;
		for (; k > 0 && candidate_order(r, &c, &r->candidates[k - 1]) < 0; k--)
			r->candidates[k] = r->candidates[k - 1];
		r->candidates[k] = c;
	}
}

/*
 * primary-pin: the zone stays with the primary that it came from for a while, although another one is ahead. Looks
 * at the candidates in their order, and takes the pinned one to the front if that is so.
 */
static void
keep_pinned(struct refresh *r)
{
	struct secondary *s = r->secondary;
	uint64_t pin_ms = (uint64_t)s->item->config->primary_pin_s * 1000, now_ms = uv_now(r->all->options.loop);
	unsigned at = 0;
	while (at < r->n && r->candidates[at].index != s->preferred)
		at++;
	bool is_behind = pin_ms && served_of(r) && at < r->n && r->candidates[at].has_answered &&
			 r->candidates[at].soa.serial != r->candidates[0].soa.serial;
	if (!is_behind) {
		s->behind_since_ms = 0;
		return;
	}
	if (!s->behind_since_ms)
		s->behind_since_ms = now_ms ? now_ms : 1;
	if (now_ms - s->behind_since_ms >= pin_ms)
		return;
	struct candidate pinned = r->candidates[at];
	memmove(&r->candidates[1], &r->candidates[0], at * sizeof(pinned));
	r->candidates[0] = pinned;
}

/* All questions have come back. Where no primary has anything newer, one that answered settles it. */
static void
choose(struct refresh *r)
{
	if (is_cancelled(r)) {
		refresh_over(r, REFRESH_CANCELLED);
		return;
	}
	candidates_sort(r);
	keep_pinned(r);
	const struct candidate *best = &r->candidates[0];
	const struct snapshot *served = served_of(r);
	if (!best->has_answered) {
		refresh_over(r, REFRESH_FAILED);
		return;
	}
	bool is_news =
		!served || r->whole ||
		(serial_is_newer(best->soa.serial, served->serial) && !is_rejected(r->secondary, best->soa.serial));
	clear_error(r);
	if (is_news)
		try_candidate(r);
	else
		refresh_current(r, best, best->soa.has_expire ? best->soa.expire_s : 0);
}

static void
question_over(struct refresh *r)
{
	if (--r->n_asking == 0)
		choose(r);
}

static void
question_answered(void *arg, const struct ask_result *result)
{
	struct candidate *c = arg;
	struct refresh *r = c->refresh;
	char why[ASK_WHY_MAX];
	c->ask = NULL;
	peer_slot_end(c->peer);
	if (result->err)
		note_error(r, c, result->why);
	else if (ask_soa_read(&r->apex, result->msg, result->len, &c->soa, why) != 0)
		note_error(r, c, why);
	else
		c->has_answered = true;
	if (c->has_answered)
		note_serial(r, c, c->soa.serial);
	question_over(r);
}

static void
question_slot(struct peer_wait *w)
{
	struct candidate *c = (struct candidate *)((char *)w - offsetof(struct candidate, wait));
	struct refresh *r = c->refresh;
	uint8_t query[ASK_SOA_QUERY_MAX];
	const struct ask_request request = {
		.msg = query,
		.len = ask_soa_write(&r->apex, query),
		.remote = &c->peer->remote,
		.key = c->peer->key,
		.tls = c->peer->tls,
		.tries = SOA_TRIES,
		.timeout_ms = SOA_TIMEOUT_MS,
	};
	if (!is_cancelled(r) && ask_start(r->all->options.asks, &request, question_answered, c, &c->ask) == 0)
		return;
	peer_slot_end(c->peer);
	note_error(r, c, "out of memory");
	question_over(r);
}

static void
ask_all(struct refresh *r)
{
	r->n_asking = r->n + 1; /* one for this function: an answer may come before the last question */
	for (unsigned i = 0; i < r->n; i++) {
		r->candidates[i].wait.begin = question_slot;
		peer_slot_take(r->candidates[i].peer, &r->candidates[i].wait, r->is_urgent);
	}
	question_over(r);
}

/* -------- the beginning -------- */

/* Is it known whom to ask for data? Then asking for the SOA first is a turn for nothing. */
static bool
is_settled(const struct refresh *r)
{
	const struct secondary *s = r->secondary;
	const struct secondary_primary *p = s->preferred < s->n_primaries ? &s->primaries[s->preferred] : NULL;
	const struct snapshot *served = served_of(r);
	if (r->n == 1 && (!served || r->whole || r->candidates[0].peer->tls))
		return true;
	if (s->item->config->primary_pin_s && r->n > 1)
		return false; /* who told us is not who counts */
	return r->is_urgent && served && p && p->has_serial && serial_is_newer(p->serial, served->serial);
}

static struct refresh *
refresh_new(struct secondary *s, bool is_urgent, bool whole)
{
	const struct config_zone *config = s->item->config;
	struct refresh *r = calloc(1, sizeof(*r) + config->n_primaries * sizeof(r->candidates[0]));
	if (!r)
		return NULL;
	r->secondary = s;
	r->all = s->all;
	r->is_urgent = is_urgent;
	r->whole = whole;
	name_copy(&r->apex, s->item->apex);
	for (unsigned i = 0; i < config->n_primaries; i++) {
		struct peer *peer = peers_find(s->all->options.peers, config->primaries[i]);
		if (peer)
			r->candidates[r->n++] =
				(struct candidate){.refresh = r, .index = i, .peer = peer_hold(peer)};
	}
	s->all->n_refreshes++;
	return r;
}

void
refresh_begin(struct secondary *s, bool is_urgent, bool whole)
{
	struct refresh *r = refresh_new(s, is_urgent, whole);
	if (!r) {
		secondary_refreshed(s, REFRESH_FAILED, "out of memory");
		return;
	}
	s->refresh = r;
	if (!r->n) {
		set_error(r, "none of its primaries is configured any more");
		refresh_over(r, REFRESH_FAILED);
		return;
	}
	if (!is_settled(r)) {
		ask_all(r);
		return;
	}
	candidates_sort(r);
	try_candidate(r);
}

static void
wait_hurry(struct candidate *c)
{
	if (peer_slot_cancel(c->peer, &c->wait))
		peer_slot_take(c->peer, &c->wait, true);
}

void
refresh_hurry(struct refresh *r)
{
	if (r->is_urgent || !r->n)
		return;
	r->is_urgent = true;
	if (!r->n_asking) { /* a transfer, if anything, is what waits */
		if (r->at < r->n)
			wait_hurry(&r->candidates[r->at]);
		return;
	}
	r->n_asking++; /* as in ask_all(): the last question may end in here */
	for (unsigned i = 0; i < r->n; i++)
		wait_hurry(&r->candidates[i]);
	question_over(r);
}

void
refresh_interrupt(struct refresh *r)
{
	if (r->transfer) {
		transfer_cancel(r->transfer);
	} else if (r->has_turn && peer_slot_cancel(r->candidates[r->at].peer, &r->candidates[r->at].wait)) {
		set_error(r, INTERRUPTED);
		refresh_over(r, REFRESH_FAILED);
	}
}

void
refresh_orphan(struct refresh *r)
{
	r->secondary = NULL;
	if (r->transfer)
		transfer_cancel(r->transfer);
	for (unsigned i = 0; i < r->n; i++)
		if (r->candidates[i].ask)
			ask_cancel(r->candidates[i].ask);
}

void
refresh_outdate(struct refresh *r)
{
	r->is_outdated = true;
}

struct transfer_progress
refresh_progress(const struct refresh *r)
{
	return r->transfer ? transfer_progress(r->transfer) : (struct transfer_progress){0};
}
