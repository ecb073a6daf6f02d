/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Readers against a publisher that swaps as fast as it can.
 *
 *     rcu [--seconds N] [--readers N] [--publishes N] [--break early|mix|back]
 *
 * Readers do what workers do: load the zone set, answer a burst, report a quiescent state. Some go offline and come
 * back at random; one is slow on purpose, reading a whole snapshot name by name before it reports anything. The
 * publisher (the main thread, as control's) replaces snapshots, now and then the zone set, takes zones out and puts
 * them back in fresh slots. Publishing and reclaiming are control's own code.
 *
 * Each answer tells its versions (versions.h). What must hold: one version a zone in every answer; versions never
 * go back for a reader; what was freed is never read (it is poisoned, and ASan watches where it is built in); the
 * list of retired things keeps to its budget; and in the end no zone memory is left.
 *
 * --break does what must never be done, to prove that it shows: frees without a grace period, publishes a mixture,
 * goes back. Exit code 0: all held; 1: not.
 */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <urcu-qsbr.h>

#include "control/base/thread.h"
#include "control/publish/publish.h"
#include "tests/torture/versions.h"
#include "zones/answer/engine.h"
#include "zones/base/alloc.h"

#define READERS_MAX 16
#define BURST 32
#define MESSAGE_CAP 1232
#define BUDGET_BYTES (1 << 20)
#define UNASKED_BYTES (1 << 16) /* zone sets and slots are few and small, and retired without asking */
#define SET_EVERY 61 /* publishes from one removal of a zone to the next; coprime to the number of zones */
#define SET_GONE 12  /* publishes until that zone comes back */

enum fault { BREAK_NOTHING, BREAK_EARLY, BREAK_MIX, BREAK_BACK };
enum reader_kind { READER_WORKER, READER_FLAPPING, READER_SLOW };

struct torture;

struct reader {
	struct thread thread;
	struct torture *torture;
	enum reader_kind kind;
	uint64_t random;
	uint64_t answers, refused, turns, walks;
	uint64_t faults, mixed, back;
	uint32_t last[VERSION_ZONES]; /* the latest version seen in an earlier burst */
	struct counters counters;
	struct engine_message messages[BURST];
	uint8_t room[BURST][MESSAGE_CAP];
	struct {
		unsigned zone, question;
	} asked[BURST];
};

/* A zone as control keeps it: a slot, what is served in it, and the slot's own retire record. */
struct item {
	struct retired retired;
	struct zone *slot;
	struct served *served;
};

struct torture {
	struct zone_root root;
	atomic_bool stop;
	struct publisher publisher;
	enum fault fault;
	struct item *items[VERSION_ZONES];
	uint32_t version[VERSION_ZONES];
	struct served_set *set;
	uint64_t publishes, sets, waits, largest_bytes;
	unsigned n_readers;
	struct reader readers[READERS_MAX];
};

static uint32_t
random_below(uint64_t *state, uint32_t n)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return (uint32_t)(*state * UINT64_C(2685821657736338717) >> 32) % n;
}

static void
sleep_us(unsigned us)
{
	nanosleep(&(struct timespec){.tv_nsec = (long)us * 1000}, NULL);
}

/* -------- readers -------- */

static void
report(struct reader *r, const char *fault)
{
	counter_add(&r->faults, 1);
	r->mixed += strncmp(fault, "mixed", 5) == 0;
	if (r->faults <= 3)
		fprintf(stderr, "reader %u: %s\n", (unsigned)(r - r->torture->readers), fault);
}

static void
check_versions(struct reader *r, const uint32_t version[VERSION_ZONES], uint32_t latest[VERSION_ZONES])
{
	for (unsigned i = 0; i < VERSION_ZONES; i++) {
		if (version[i] == 0)
			continue;
		if (version[i] < r->last[i]) {
			r->back++;
			report(r, "a version went back");
		}
		if (version[i] > latest[i])
			latest[i] = version[i];
	}
}

static void
ask_burst(struct reader *r, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		r->asked[i].zone = random_below(&r->random, VERSION_ZONES);
		r->asked[i].question = random_below(&r->random, VERSION_QUESTIONS);
		size_t len = version_ask(r->asked[i].zone, r->asked[i].question, (uint16_t)i, r->room[i]);
		r->messages[i] =
			(struct engine_message){.msg = r->room[i], .len = (uint32_t)len, .cap = MESSAGE_CAP};
	}
}

static void
answer_burst(struct reader *r, const struct zone_set *set)
{
	unsigned n = 1 + random_below(&r->random, BURST);
	uint32_t latest[VERSION_ZONES];
	ask_burst(r, n);
	engine_burst(set, r->messages, n, 0, &r->counters);
	memcpy(latest, r->last, sizeof(latest));
	for (unsigned i = 0; i < n; i++) {
		struct version_verdict v = version_judge(r->asked[i].zone, r->asked[i].question, r->messages[i].msg,
							 r->messages[i].len);
		r->answers++;
		r->refused += v.is_refused;
		if (v.fault != NULL)
			report(r, v.fault);
		check_versions(r, v.version, latest);
	}
	memcpy(r->last, latest, sizeof(latest));
}

static void
pause_walk(void *arg)
{
	const struct torture *t = arg;
	if (!atomic_load_explicit(&t->stop, memory_order_relaxed))
		sleep_us(100);
}

/* Stays online over a whole snapshot: grace periods wait for it, and so do the publisher's memory and the
 * publisher. */
static void
read_slowly(struct reader *r, const struct zone_set *set)
{
	struct name apex = version_apex(random_below(&r->random, VERSION_ZONES));
	const struct names_entry *e = names_find(&set->zones, name_hash(apex.bytes), apex.bytes, apex.len);
	const struct snapshot *s = e != NULL ? zone_current((const struct zone *)e) : NULL;
	const char *fault = s != NULL ? version_walk(s, pause_walk, r->torture) : NULL;
	r->walks += s != NULL;
	if (fault != NULL)
		report(r, fault);
}

static void
read_zones(void *arg)
{
	struct reader *r = arg;
	struct torture *t = r->torture;
	while (!atomic_load_explicit(&t->stop, memory_order_relaxed)) {
		const struct zone_set *set = zone_root_current(&t->root);
		if (r->kind == READER_SLOW)
			read_slowly(r, set);
		answer_burst(r, set);
		rcu_quiescent_state();
		r->turns++;
		if (r->kind == READER_FLAPPING && random_below(&r->random, 16) == 0) {
			rcu_thread_offline();
			sleep_us(random_below(&r->random, 300));
			rcu_thread_online();
		}
	}
}

/* -------- the publisher -------- */

static void
fail(const char *what)
{
	fprintf(stderr, "%s\n", what);
	exit(1);
}

static void
item_reclaimed(struct retired *retired)
{
	struct item *item = (struct item *)((char *)retired - offsetof(struct item, retired));
	const struct snapshot *elsewhere_owned = zone_publish(item->slot, NULL);
	(void)elsewhere_owned;
	zone_free(item->slot);
	free(item);
}

static struct item *
item_new(unsigned zone)
{
	struct name apex = version_apex(zone);
	struct item *item = calloc(1, sizeof(*item));
	if (item == NULL || (item->slot = zone_new(apex.bytes)) == NULL)
		fail("out of memory");
	retired_init(&item->retired, item_reclaimed, sizeof(*item) + sizeof(struct zone));
	return item;
}

/* What control does: to ask for room first, and to wait where there is none. */
static void
wait_for_room(struct torture *t, const struct served *current, const struct served *next)
{
	struct reclaim_stats stats;
	while (!publish_has_room(&t->publisher, current, next)) {
		t->waits++;
		sleep_us(50);
	}
	reclaim_stats(t->publisher.reclaim, &stats);
	if (stats.retired_bytes > t->largest_bytes)
		t->largest_bytes = stats.retired_bytes;
}

static void
publish_version(struct torture *t, unsigned zone)
{
	struct item *item = t->items[zone];
	uint32_t version = ++t->version[zone];
	bool do_harm = version % 8 == 0 && version > 8;
	if (do_harm && t->fault == BREAK_BACK)
		version -= 5;
	struct snapshot *s = version_build(zone, zone ^ 1, version, do_harm && t->fault == BREAK_MIX);
	struct served *next = served_new(s, snapshot_bytes(s));
	if (next == NULL)
		fail("out of memory");
	wait_for_room(t, item->served, next);
	struct served *replaced = item->served;
	if (t->fault == BREAK_EARLY && replaced != NULL) {
		if (zone_publish(item->slot, s) != replaced->snapshot)
			fail("another snapshot was served than the one that was published");
		item->served = next;
		served_free(replaced); /* what must never be done */
	} else {
		publish_zone(&t->publisher, item->slot, &item->served, next, publish_now_ns());
	}
	t->publishes++;
}

static void
publish_zones(struct torture *t)
{
	struct zone *slots[VERSION_ZONES];
	struct answer_config config = {.udp_payload = MESSAGE_CAP};
	size_t n = 0;
	for (unsigned i = 0; i < VERSION_ZONES; i++) {
		if (t->items[i] != NULL)
			slots[n++] = t->items[i]->slot;
	}
	struct zone_set *set = zone_set_new(slots, n, &config);
	struct served_set *next = set != NULL ? served_set_new(set) : NULL;
	if (next == NULL)
		fail("out of memory");
	publish_set(&t->publisher, &t->root, &t->set, next);
	t->sets++;
}

static void
add_zone(struct torture *t, unsigned zone)
{
	t->items[zone] = item_new(zone);
	publish_version(t, zone);
	publish_zones(t);
}

/* Out of service, slot and all. */
static void
remove_zone(struct torture *t, unsigned zone)
{
	struct item *item = t->items[zone];
	t->items[zone] = NULL;
	publish_zones(t);
	reclaim_retire(t->publisher.reclaim, &item->served->retired);
	reclaim_retire(t->publisher.reclaim, &item->retired);
}

static uint64_t
faults(const struct torture *t)
{
	uint64_t n = 0;
	for (unsigned i = 0; i < t->n_readers; i++)
		n += counter_read(&t->readers[i].faults);
	return n;
}

static void
publish_all(struct torture *t, unsigned seconds, uint64_t publishes)
{
	uint64_t end_ns = publish_now_ns() + seconds * UINT64_C(1000000000);
	unsigned gone = 0;
	for (uint64_t i = 0; publish_now_ns() < end_ns && t->publishes < publishes; i++) {
		unsigned zone = (unsigned)(i % VERSION_ZONES);
		if (t->version[zone] == VERSION_MAX || (t->fault != BREAK_NOTHING && faults(t) > 0))
			return;
		if (i % SET_EVERY == SET_GONE && t->items[gone] == NULL)
			add_zone(t, gone);
		if (i % SET_EVERY == 0)
			remove_zone(t, gone = zone);
		else if (t->items[zone] != NULL)
			publish_version(t, zone);
	}
}

/* -------- the program -------- */

static void
start(struct torture *t)
{
	if (reclaim_start(BUDGET_BYTES, NULL, NULL, &t->publisher.reclaim) != 0)
		fail("the reclaimer does not start");
	for (unsigned i = 0; i < VERSION_ZONES; i++)
		add_zone(t, i);
	for (unsigned i = 0; i < t->n_readers; i++) {
		struct reader *r = &t->readers[i];
		r->torture = t;
		r->random = 2 * i + 1;
		r->kind = i == 0 ? READER_SLOW : i % 2 == 0 ? READER_FLAPPING : READER_WORKER;
		if (thread_start(&r->thread, "reader", THREAD_CPU_ANY, THREAD_RCU_ONLINE, read_zones, r) != 0)
			fail("a reader does not start");
	}
}

static void
finish(struct torture *t)
{
	atomic_store(&t->stop, true);
	for (unsigned i = 0; i < t->n_readers; i++)
		thread_join(&t->readers[i].thread);
	for (unsigned i = 0; i < VERSION_ZONES; i++) {
		if (t->items[i] == NULL)
			continue;
		reclaim_retire(t->publisher.reclaim, &t->items[i]->served->retired);
		reclaim_retire(t->publisher.reclaim, &t->items[i]->retired);
	}
	if (zone_root_publish(&t->root, NULL) != t->set->set)
		fail("another zone set was served than the one that was published");
	reclaim_retire(t->publisher.reclaim, &t->set->retired);
	reclaim_stop(t->publisher.reclaim);
}

/* Prints the figures; true if all held. */
static bool
print_figures(const struct torture *t)
{
	uint64_t answers = 0, refused = 0, mixed = 0, back = 0, walks = 0;
	for (unsigned i = 0; i < t->n_readers; i++) {
		const struct reader *r = &t->readers[i];
		answers += r->answers;
		refused += r->refused;
		mixed += r->mixed;
		back += r->back;
		walks += r->walks;
	}
	printf("%" PRIu64 " answers checked (%" PRIu64 " refused), %" PRIu64 " snapshots walked\n", answers,
	       refused, walks);
	printf("%" PRIu64 " publishes, %" PRIu64 " zone sets, %" PRIu64 " waits for room, at most %" PRIu64
	       " bytes retired\n",
	       t->publishes, t->sets, t->waits, t->largest_bytes);
	printf("mixed %" PRIu64 ", back %" PRIu64 ", other faults %" PRIu64 ", bytes left %zu\n", mixed, back,
	       faults(t) - mixed - back, zalloc_bytes());
	if (t->fault != BREAK_NOTHING)
		return faults(t) == 0;
	return faults(t) == 0 && zalloc_bytes() == 0 && answers > 0 &&
	       t->largest_bytes <= BUDGET_BYTES + UNASKED_BYTES;
}

static enum fault
fault_from_text(const char *text)
{
	return strcmp(text, "early") == 0 ? BREAK_EARLY : strcmp(text, "mix") == 0 ? BREAK_MIX : BREAK_BACK;
}

int
main(int argc, char **argv)
{
	static const struct option options[] = {{"seconds", 1, NULL, 's'},
						{"readers", 1, NULL, 'r'},
						{"publishes", 1, NULL, 'p'},
						{"break", 1, NULL, 'b'},
						{0}};
	static struct torture t = {.n_readers = 4};
	unsigned seconds = 10;
	uint64_t publishes = UINT64_MAX;
	for (int o; (o = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		if (o == 's')
			seconds = (unsigned)strtoul(optarg, NULL, 10);
		else if (o == 'r')
			t.n_readers = (unsigned)strtoul(optarg, NULL, 10);
		else if (o == 'p')
			publishes = strtoull(optarg, NULL, 10);
		else if (o == 'b')
			t.fault = fault_from_text(optarg);
		else
			return 2;
	}
	if (t.n_readers < 1 || t.n_readers > READERS_MAX)
		fail("1 to 16 readers");
	start(&t);
	publish_all(&t, seconds, publishes);
	finish(&t);
	return print_figures(&t) ? 0 : 1;
}
