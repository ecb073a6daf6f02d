/* SPDX-License-Identifier: Apache-2.0 */
/*
 * NOTIFY to others. See notify_out.h.
 *
 * A peer is our copy of a remote, a pair is a zone that one peer is to be told about. Pairs are found in one hash
 * table, by zone and peer; those that wait are also in their peer's queue, in the order of their coming. Peers that
 * may be asked stand in the ready list and are taken in turn. Control thread.
 */
#include "control/transfer/notify_out.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "control/base/log.h"
#include "control/net/tls.h"
#include "control/transfer/xfr_in.h"
#include "zones/store/records.h"
#include "zones/wire/message.h"

#define MESSAGE_CAP 2048 /* octets: a question and an SOA, neither compressed, are below */
#define TABLE_MIN 64     /* slots */

struct soa {
	uint32_t serial, ttl_s;
	uint16_t rdlen;
	uint8_t rdata[];
};

struct pair {
	struct pair *next_in_slot, *next_waiting;
	struct notified *peer;
	struct soa *soa; /* what is to be told, or is being told */
	uint64_t hash;
	uint32_t asked_serial;
	bool is_asking; /* else it is in its peer's queue */
	struct name_box {
		uint8_t len;
		uint8_t bytes[];
	} apex;
};

struct notified {
	struct notify_outs *outs;
	struct notified *next;       /* in notify_outs.peers */
	struct notified *next_ready; /* in the ready list */
	char *id;
	struct config_address address;
	const struct tsig_key *key; /* held; NULL: none */
	const struct tls_client *tls;
	struct pair *first, **last; /* the queue */
	uint32_t n_waiting, n_asking;
	bool is_ready;  /* in the ready list */
	bool is_silent; /* the last question had no answer */
	bool is_kept;   /* notify_outs_reload(): it is in the new configuration */
	bool is_gone;   /* it is not; freed with its last question */
};

struct notify_outs {
	struct asks *asks;
	uint64_t try_ms;
	bool is_stopped;
	struct notified *peers;
	struct notified *ready, **last_ready;
	struct pair **slot;
	size_t n_slots, n_pairs;
	struct notify_outs_stats stats;
};

/* -------- the table of pairs -------- */

static uint64_t
pair_hash(const struct notified *peer, const struct name *apex)
{
	return (name_hash(apex->bytes) ^ (uintptr_t)peer) * UINT64_C(0x9e3779b97f4a7c15);
}

static struct pair **
slot_of(const struct notify_outs *o, uint64_t hash)
{
	return &o->slot[hash >> 32 & (o->n_slots - 1)];
}

static struct pair *
find_pair(const struct notify_outs *o, const struct notified *peer, const struct name *apex)
{
	uint64_t hash = pair_hash(peer, apex);
	struct pair *p = *slot_of(o, hash);
	while (p != NULL && !(p->hash == hash && p->peer == peer && p->apex.len == apex->len &&
			      memcmp(p->apex.bytes, apex->bytes, apex->len) == 0))
		p = p->next_in_slot;
	return p;
}

static void
insert_pair(struct notify_outs *o, struct pair *p)
{
	struct pair **slot = slot_of(o, p->hash);
	p->next_in_slot = *slot;
	*slot = p;
}

/* Makes chains short again; where there is no memory they get longer. */
static void
grow_table(struct notify_outs *o)
{
	size_t n_old = o->n_slots;
	struct pair **old = o->slot, **grown;
	if (o->n_pairs < n_old || (grown = calloc(2 * n_old, sizeof(struct pair *))) == NULL)
		return;
	o->slot = grown;
	o->n_slots = 2 * n_old;
	for (size_t i = 0; i < n_old; i++)
		for (struct pair *p = old[i], *next; p != NULL; p = next) {
			next = p->next_in_slot;
			insert_pair(o, p);
		}
	free(old);
}

static void
free_pair(struct notify_outs *o, struct pair *p)
{
	struct pair **at = slot_of(o, p->hash);
	while (*at != p)
		at = &(*at)->next_in_slot;
	*at = p->next_in_slot;
	o->n_pairs--;
	free(p->soa);
	free(p);
}

/* -------- peers -------- */

static void
make_ready(struct notified *peer)
{
	struct notify_outs *o = peer->outs;
	unsigned window = peer->is_silent ? 1 : NOTIFY_REMOTE_MAX;
	if (peer->is_ready || peer->is_gone || peer->n_waiting == 0 || peer->n_asking >= window)
		return;
	peer->is_ready = true;
	peer->next_ready = NULL;
	*o->last_ready = peer;
	o->last_ready = &peer->next_ready;
}

static struct notified *
take_ready(struct notify_outs *o)
{
	struct notified *peer = o->ready;
	if (peer == NULL)
		return NULL;
	o->ready = peer->next_ready;
	if (o->ready == NULL)
		o->last_ready = &o->ready;
	peer->is_ready = false;
	return peer;
}

static void
push_waiting(struct pair *p)
{
	struct notified *peer = p->peer;
	p->is_asking = false;
	p->next_waiting = NULL;
	*peer->last = p;
	peer->last = &p->next_waiting;
	peer->n_waiting++;
	peer->outs->stats.waiting++;
	make_ready(peer);
}

static struct pair *
pop_waiting(struct notified *peer)
{
	struct pair *p = peer->first;
	if (p == NULL)
		return NULL;
	peer->first = p->next_waiting;
	if (peer->first == NULL)
		peer->last = &peer->first;
	peer->n_waiting--;
	peer->outs->stats.waiting--;
	return p;
}

static void
forget_waiting(struct notified *peer)
{
	for (struct pair *p; (p = pop_waiting(peer)) != NULL;)
		free_pair(peer->outs, p);
}

static struct notified *
find_peer(const struct notify_outs *o, const char *id)
{
	struct notified *peer = o->peers;
	while (peer != NULL && (peer->is_gone || strcmp(peer->id, id) != 0))
		peer = peer->next;
	return peer;
}

/* Takes over what the configuration says about it now. */
static void
update_peer(struct notified *peer, const struct notify_target *target)
{
	const struct tsig_key *old = peer->key;
	peer->key = target->key != NULL ? tsig_key_hold(target->key) : NULL;
	tsig_key_release(old);
	peer->address = target->remote->address;
	const struct tls_client *old_tls = peer->tls;
	peer->tls = tls_client_hold(target->tls);
	tls_client_free(old_tls);
}

/* The peer of a target, made where there is none yet. NULL: out of memory. */
static struct notified *
get_peer(struct notify_outs *o, const struct notify_target *target)
{
	struct notified *peer = find_peer(o, target->remote->id);
	if (peer != NULL) {
		update_peer(peer, target);
		return peer;
	}
	peer = calloc(1, sizeof(*peer));
	if (peer == NULL || (peer->id = strdup(target->remote->id)) == NULL) {
		free(peer);
		return NULL;
	}
	peer->outs = o;
	peer->last = &peer->first;
	update_peer(peer, target);
	peer->next = o->peers;
	o->peers = peer;
	return peer;
}

static void
free_peer(struct notified *peer)
{
	struct notified **at = &peer->outs->peers;
	while (*at != peer)
		at = &(*at)->next;
	*at = peer->next;
	tsig_key_release(peer->key);
	tls_client_free(peer->tls);
	free(peer->id);
	free(peer);
}

/* -------- asking -------- */

static size_t
write_notify(const struct pair *p, uint8_t out[MESSAGE_CAP])
{
	struct message_writer w;
	struct message_question question = {p->apex.bytes, RRTYPE_SOA, RRCLASS_IN};
	struct message_record soa = {.owner = p->apex.bytes,
				     .rdata = p->soa->rdata,
				     .ttl_s = p->soa->ttl_s,
				     .type = RRTYPE_SOA,
				     .rrclass = RRCLASS_IN,
				     .rdlen = p->soa->rdlen,
				     .section = MESSAGE_ANSWER};
	message_begin(&w, out, MESSAGE_CAP, 0, OPCODE_NOTIFY << 11 | FLAG_AA);
	bool fits = message_put_question(&w, &question) && message_put(&w, &soa);
	assert(fits);
	(void)fits;
	return w.len;
}

static void
log_failure(const struct pair *p, const char *why)
{
	char zone[NAME_TEXT_MAX];
	name_to_text(p->apex.bytes, zone);
	log_limited(CONFIG_LOG_WARNING, zone, "remote %s was not notified of serial %" PRIu32 ": %s", p->peer->id,
		    p->asked_serial, why);
}

/* Counts and logs how it went. */
static void
note_result(struct pair *p, const struct ask_result *result)
{
	struct notify_outs_stats *stats = &p->peer->outs->stats;
	struct message_reader r;
	char zone[NAME_TEXT_MAX], rcode[XFR_RCODE_TEXT_MAX];
	if (result->err == 0 && message_open(&r, result->msg, result->len) == MESSAGE_OK) {
		p->peer->is_silent = false;
		if (message_rcode(&r) != RCODE_NOERROR) {
			stats->refused++;
			log_failure(p, xfr_rcode_text(message_rcode(&r), rcode));
			return;
		}
		stats->answered++;
		name_to_text(p->apex.bytes, zone);
		log_write(CONFIG_LOG_DEBUG, zone, "remote %s was notified of serial %" PRIu32, p->peer->id,
			  p->asked_serial);
		return;
	}
	stats->failed++;
	p->peer->is_silent = result->err != -EKEYREJECTED; /* that came from somebody */
	if (result->err != -ECANCELED)
		log_failure(p, result->why);
}

static void pump(struct notify_outs *o);

static void
on_done(void *arg, const struct ask_result *result)
{
	struct pair *p = arg;
	struct notified *peer = p->peer;
	struct notify_outs *o = peer->outs;
	note_result(p, result);
	peer->n_asking--;
	o->stats.asking--;
	if (p->soa->serial != p->asked_serial && !peer->is_gone && !o->is_stopped)
		push_waiting(p);
	else
		free_pair(o, p);
	make_ready(peer);
	if (peer->is_gone && peer->n_asking == 0)
		free_peer(peer);
	pump(o);
}

static int
ask_pair(struct pair *p)
{
	uint8_t msg[MESSAGE_CAP];
	struct notified *peer = p->peer;
	struct config_remote remote = {.id = peer->id, .address = peer->address};
	struct ask_request request = {
		.msg = msg,
		.len = write_notify(p, msg),
		.remote = &remote,
		.key = peer->key,
		.tls = peer->tls,
		.tries = NOTIFY_TRIES,
		.timeout_ms = peer->outs->try_ms,
	};
	struct ask *q;
	p->asked_serial = p->soa->serial;
	p->is_asking = true;
	return ask_start(peer->outs->asks, &request, on_done, p, &q);
}

/* Starts what may be started, one of each remote in turn. */
static void
pump(struct notify_outs *o)
{
	struct notified *peer;
	while (o->stats.asking < NOTIFY_OPEN_MAX && (peer = take_ready(o)) != NULL) {
		struct pair *p = pop_waiting(peer);
		if (p == NULL)
			continue; /* forgotten meanwhile */
		int err = ask_pair(p);
		if (err == 0) {
			peer->n_asking++;
			o->stats.asking++;
		} else {
			o->stats.failed++;
			log_failure(p, strerror(-err));
			free_pair(o, p);
		}
		make_ready(peer);
	}
}

/* -------- telling -------- */

static struct soa *
copy_soa(const struct snapshot *s)
{
	uint8_t rdata[RDATA_MAX_LEN];
	struct zone_record r;
	records_soa(s, rdata, &r);
	struct soa *soa = malloc(sizeof(*soa) + r.rdlen);
	if (soa == NULL)
		return NULL;
	*soa = (struct soa){.serial = s->serial, .ttl_s = r.ttl_s, .rdlen = r.rdlen};
	memcpy(soa->rdata, rdata, r.rdlen);
	return soa;
}

/* A pair that waits, without an SOA yet. NULL: out of memory. */
static struct pair *
add_pair(struct notified *peer, const struct name *apex)
{
	struct notify_outs *o = peer->outs;
	struct pair *p = malloc(sizeof(*p) + apex->len);
	if (p == NULL)
		return NULL;
	*p = (struct pair){.peer = peer, .hash = pair_hash(peer, apex)};
	p->apex.len = apex->len;
	memcpy(p->apex.bytes, apex->bytes, apex->len);
	insert_pair(o, p);
	o->n_pairs++;
	grow_table(o);
	return p;
}

static int
tell(struct notified *peer, const struct name *apex, const struct snapshot *s)
{
	struct notify_outs *o = peer->outs;
	struct pair *p = find_pair(o, peer, apex);
	uint32_t most = peer->is_silent ? NOTIFY_SILENT_WAITING : NOTIFY_WAITING_MAX;
	if (p == NULL && peer->n_waiting >= most) {
		o->stats.dropped++;
		log_limited(CONFIG_LOG_WARNING, NULL, "remote %s: %" PRIu32 " zones wait to be told of; one is not",
			    peer->id, peer->n_waiting);
		return -ENOBUFS;
	}
	struct soa *soa = copy_soa(s);
	if (soa == NULL)
		return -ENOMEM;
	bool is_new = p == NULL;
	if (is_new && (p = add_pair(peer, apex)) == NULL) {
		free(soa);
		return -ENOMEM;
	}
	free(p->soa);
	p->soa = soa;
	if (is_new)
		push_waiting(p);
	return 0;
}

int
notify_out_send(struct notify_outs *o, const struct name *apex, const struct snapshot *s,
		const struct notify_target *targets, unsigned n)
{
	int result = 0;
	if (o->is_stopped)
		return 0;
	for (unsigned i = 0; i < n; i++) {
		struct notified *peer = get_peer(o, &targets[i]);
		int err = peer != NULL ? tell(peer, apex, s) : -ENOMEM;
		if (err != 0)
			result = err;
	}
	pump(o);
	return result;
}

/* -------- all of them -------- */

int
notify_outs_new(struct asks *asks, uint64_t try_ms, struct notify_outs **out)
{
	struct notify_outs *o = calloc(1, sizeof(*o));
	if (o == NULL || (o->slot = calloc(TABLE_MIN, sizeof(struct pair *))) == NULL) {
		free(o);
		return -ENOMEM;
	}
	o->asks = asks;
	o->try_ms = try_ms != 0 ? try_ms : NOTIFY_TRY_MS;
	o->n_slots = TABLE_MIN;
	o->last_ready = &o->ready;
	*out = o;
	return 0;
}

/* The ready list anew, without peers that are gone. */
static void
rebuild_ready(struct notify_outs *o)
{
	while (take_ready(o) != NULL)
		;
	for (struct notified *peer = o->peers; peer != NULL; peer = peer->next)
		make_ready(peer);
}

void
notify_outs_reload(struct notify_outs *o, const struct notify_target *targets, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct notified *peer = find_peer(o, targets[i].remote->id);
		if (peer == NULL)
			continue; /* made when it is first told something */
		update_peer(peer, &targets[i]);
		peer->is_kept = true;
	}
	for (struct notified *peer = o->peers, *next; peer != NULL; peer = next) {
		next = peer->next;
		if (!peer->is_kept) {
			peer->is_gone = true;
			forget_waiting(peer);
		}
		peer->is_kept = false;
	}
	rebuild_ready(o);
	for (struct notified *peer = o->peers, *next; peer != NULL; peer = next) {
		next = peer->next;
		if (peer->is_gone && peer->n_asking == 0)
			free_peer(peer);
	}
	pump(o);
}

void
notify_outs_stop(struct notify_outs *o)
{
	o->is_stopped = true;
	for (struct notified *peer = o->peers; peer != NULL; peer = peer->next)
		forget_waiting(peer);
}

bool
notify_outs_are_idle(const struct notify_outs *o)
{
	return o->stats.asking == 0;
}

void
notify_outs_free(struct notify_outs *o)
{
	if (o == NULL)
		return;
	assert(notify_outs_are_idle(o));
	for (struct notified *peer; (peer = o->peers) != NULL;) {
		forget_waiting(peer);
		free_peer(peer);
	}
	free(o->slot);
	free(o);
}

void
notify_outs_stats(const struct notify_outs *o, struct notify_outs_stats *out)
{
	*out = o->stats;
}
