/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Outstanding queries. See window.h.
 *
 * A word is written whole, so a reader sees either the query before or the one after. The question is written
 * first, and read between two looks at the word: window_claim() is the second look.
 */
#include "bench/blast/window.h"

#include <errno.h>
#include <stddef.h>
#include <sys/mman.h>

#define IDS_MAX 65536u
#define SLOTS_MAX (1u << 28)
#define USES_MAX 0x3fffu

/* Ids are counts times an odd number: neighbours in number are far apart as ids, so that a reply whose id is off by
 * little meets no query. */
#define ID_FACTOR 40503u
#define ID_FACTOR_INVERSE 30599u
_Static_assert((uint16_t)(ID_FACTOR *ID_FACTOR_INVERSE) == 1, "the one takes the other back");

enum word_state { EMPTY, WAITING, ANSWERED, EXPIRED };

static uint64_t
word_make(uint32_t stamp, uint16_t count, uint32_t uses, enum word_state state)
{
	return (uint64_t)stamp << 32 | (uint64_t)count << 16 | uses << 2 | state;
}

static enum word_state
word_state(uint64_t word)
{
	return (enum word_state)(word & 3);
}

static uint16_t
word_count(uint64_t word)
{
	return (uint16_t)(word >> 16);
}

static uint32_t
word_uses(uint64_t word)
{
	return word >> 2 & USES_MAX;
}

static bool
word_change(uint64_t *at, uint64_t old, enum word_state state)
{
	uint64_t changed = (old & ~UINT64_C(3)) | state;
	return __atomic_compare_exchange_n(at, &old, changed, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

static void *
zeroed_pages(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	return p == MAP_FAILED ? NULL : p;
}

int
window_open(struct window *w, uint32_t n_sources, uint32_t run, uint64_t wanted, uint16_t salt)
{
	uint32_t ids = run < 64 ? 64 : run;
	while (ids < IDS_MAX && (uint64_t)ids * n_sources < wanted)
		ids *= 2;
	if ((uint64_t)ids * n_sources > SLOTS_MAX)
		return -E2BIG;
	struct window n = {
		.n_slots = ids * n_sources,
		.n_sources = n_sources,
		.ids_bits = (uint32_t)__builtin_ctz(ids),
		.run_bits = (uint32_t)__builtin_ctz(run),
		.salt = salt,
	};
	n.words = zeroed_pages(n.n_slots * sizeof(*n.words));
	n.questions = zeroed_pages(n.n_slots * sizeof(*n.questions));
	if (n.words == NULL || n.questions == NULL) {
		window_close(&n);
		return -ENOMEM;
	}
	*w = n;
	return 0;
}

void
window_close(struct window *w)
{
	if (w->words != NULL)
		munmap(w->words, w->n_slots * sizeof(*w->words));
	if (w->questions != NULL)
		munmap(w->questions, w->n_slots * sizeof(*w->questions));
	*w = (struct window){0};
}

/* Steps over the oldest query; gives it up if it still waits. */
static void
pass_oldest(struct window *w)
{
	uint64_t word = __atomic_load_n(&w->words[w->oldest], __ATOMIC_RELAXED);
	if (word_state(word) == WAITING && word_change(&w->words[w->oldest], word, EXPIRED))
		w->n_expired++;
	if (++w->oldest == w->n_slots)
		w->oldest = 0;
	w->n_passed++;
}

uint16_t
window_put(struct window *w, const struct window_cursor *c, uint32_t stamp, uint32_t question)
{
	uint16_t count = (uint16_t)((c->round << w->run_bits) + c->in_run);
	uint64_t uses = ((((uint64_t)c->round << w->run_bits) + c->in_run) >> w->ids_bits) + 1;
	while (w->n_passed < w->n_sent && w->oldest == c->slot)
		pass_oldest(w);
	__atomic_store_n(&w->questions[c->slot], question, __ATOMIC_RELAXED);
	uint64_t word = word_make(stamp, count, uses < USES_MAX ? (uint32_t)uses : USES_MAX, WAITING);
	__atomic_store_n(&w->words[c->slot], word, __ATOMIC_RELEASE);
	return (uint16_t)(count * ID_FACTOR + w->salt);
}

void
window_step(struct window *w, unsigned n)
{
	w->n_sent += n;
	while (n-- > 0)
		window_advance(w, &w->next);
}

/* Whether the source has used this count at or before the one that the word has. */
static bool
was_used(const struct window *w, uint64_t word, uint16_t count)
{
	uint32_t back = (uint32_t)(uint16_t)(word_count(word) - count) >> w->ids_bits;
	return back < word_uses(word);
}

enum window_state
window_find(const struct window *w, uint32_t source, uint16_t id, struct window_place *out)
{
	uint16_t count = (uint16_t)((uint16_t)(id - w->salt) * ID_FACTOR_INVERSE);
	uint32_t at = count & ((1u << w->ids_bits) - 1), run = 1u << w->run_bits;
	uint32_t slot = (((at >> w->run_bits) * w->n_sources + source) << w->run_bits) + (at & (run - 1));
	uint64_t word = __atomic_load_n(&w->words[slot], __ATOMIC_ACQUIRE);
	if (word_count(word) != count || word_state(word) == EMPTY)
		return was_used(w, word, count) ? WINDOW_GONE : WINDOW_UNKNOWN;
	*out = (struct window_place){
		.word = word,
		.slot = slot,
		.question = __atomic_load_n(&w->questions[slot], __ATOMIC_RELAXED),
		.stamp = (uint32_t)(word >> 32),
	};
	switch (word_state(word)) {
	case WAITING:
		return WINDOW_WAITING;
	case EXPIRED:
		return WINDOW_EXPIRED;
	case ANSWERED:
	case EMPTY:
		break;
	}
	return WINDOW_ANSWERED;
}

bool
window_claim(struct window *w, const struct window_place *place)
{
	return word_change(&w->words[place->slot], place->word, ANSWERED);
}

void
window_expire(struct window *w, uint32_t stamp, uint32_t limit)
{
	while (w->n_passed < w->n_sent) {
		uint64_t word = __atomic_load_n(&w->words[w->oldest], __ATOMIC_RELAXED);
		if (word_state(word) == WAITING && (int32_t)(stamp - (uint32_t)(word >> 32)) <= (int32_t)limit)
			return;
		pass_oldest(w);
	}
}

void
window_forget(struct window *w)
{
	for (uint32_t i = 0; i < w->n_slots; i++) {
		uint64_t word = w->words[i];
		if (word_state(word) == EXPIRED)
			(void)word_change(&w->words[i], word, EMPTY);
	}
}
