/* SPDX-License-Identifier: Apache-2.0 */
/* Publishing. See publish.h. */
#include "control/publish/publish.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <time.h>

uint64_t
publish_now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

void
served_free(struct served *s)
{
	if (!s)
		return;
	if (s->made_from)
		snapshot_discard(s->snapshot, s->made_from);
	else if (s->left)
		snapshot_remains_free(s->left);
	else
		snapshot_free(s->snapshot);
	free(s);
}

static void
served_reclaimed(struct retired *r)
{
	served_free((struct served *)((char *)r - offsetof(struct served, retired)));
}

struct served *
served_new(struct snapshot *snapshot, uint64_t bytes)
{
	struct served *s = malloc(sizeof(*s));
	if (!s)
		return NULL;
	retired_init(&s->retired, served_reclaimed, bytes + sizeof(*s));
	s->snapshot = snapshot;
	s->made_from = NULL;
	s->left = NULL;
	return s;
}

struct served *
served_new_changed(const struct served *base, struct snapshot *snapshot, struct snapshot_remains *remains)
{
	assert(remains->base == base->snapshot);
	uint64_t bytes = base->retired.bytes - sizeof(*base) + remains->new_bytes;
	struct served *s = served_new(snapshot, bytes > remains->bytes ? bytes - remains->bytes : 0);
	if (s)
		s->made_from = remains;
	return s;
}

void
served_set_free(struct served_set *s)
{
	if (!s)
		return;
	if (s->is_followed) {
		garbage_free(&s->garbage);
		zone_set_free_shell(s->set);
	} else {
		zone_set_free(s->set);
	}
	free(s);
}

static void
served_set_reclaimed(struct retired *r)
{
	served_set_free((struct served_set *)((char *)r - offsetof(struct served_set, retired)));
}

struct served_set *
served_set_new(struct zone_set *set)
{
	struct served_set *s = malloc(sizeof(*s));
	if (!s)
		return NULL;
	retired_init(&s->retired, served_set_reclaimed, names_bytes(&set->zones) + sizeof(*set) + sizeof(*s));
	s->set = set;
	s->is_changed = s->is_followed = false;
	s->garbage = (struct garbage){0};
	return s;
}

int
served_set_new_changed(const struct served_set *base, struct zone *const *add, size_t n_add,
		       struct zone *const *remove, size_t n_remove, struct served_set **out)
{
	struct served_set *s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	int err = zone_set_new_changed(base->set, add, n_add, remove, n_remove, &s->garbage, &s->set);
	if (err) {
		free(s);
		return err;
	}
	retired_init(&s->retired, served_set_reclaimed, base->retired.bytes); /* nearly */
	s->is_changed = true;
	*out = s;
	return 0;
}

bool
publish_has_room(const struct publisher *p, const struct served *current, const struct served *next)
{
	if (!current)
		return true;
	return reclaim_has_room(p->reclaim, next->made_from ? next->made_from->bytes : current->retired.bytes);
}

/* The replaced version frees what it alone uses, and only after that may its successor free anything. */
static void
served_leave(struct served *replaced, struct served *next)
{
	assert(next->made_from->base == replaced->snapshot);
	replaced->left = next->made_from;
	replaced->retired.bytes = replaced->left->bytes + sizeof(*replaced);
	next->made_from = NULL;
	reclaim_keep(&replaced->retired, &next->retired);
}

static void
publish_count(struct publish_times *times, uint64_t ns)
{
	unsigned i = 0;
	for (uint64_t bound_ns = 10000; i < PUBLISH_BUCKETS - 1 && ns > bound_ns; bound_ns *= 10)
		i++;
	times->bucket[i]++;
	times->count++;
	times->sum_ns += ns;
}

void
publish_zone(struct publisher *p, struct zone *zone, struct served **current, struct served *next,
	     uint64_t verified_ns)
{
	struct served *replaced = *current;
	const struct snapshot *before = zone_publish(zone, next->snapshot);
	assert(!before || before == replaced->snapshot); /* NULL: there was none, or it was withdrawn */
	(void)before;
	atomic_store_explicit(&zone->state, 0, memory_order_relaxed);
	*current = next;
	if (next->made_from)
		served_leave(replaced, next);
	publish_count(&p->times, publish_now_ns() - verified_ns);
	if (replaced)
		reclaim_retire(p->reclaim, &replaced->retired);
}

/* Sets have no long readers, so the order in which they were retired is enough for pages that several have. */
static void
served_set_leave(struct served_set *replaced, struct served_set *next)
{
	replaced->is_followed = true;
	replaced->garbage = next->garbage;
	replaced->retired.bytes = sizeof(*replaced) + sizeof(*replaced->set);
	for (size_t i = 0; i < replaced->garbage.n; i++)
		replaced->retired.bytes += replaced->garbage.items[i].size;
	next->garbage = (struct garbage){0};
}

void
publish_set(struct publisher *p, struct zone_root *root, struct served_set **current, struct served_set *next)
{
	const struct zone_set *before = zone_root_publish(root, next->set);
	struct served_set *replaced = *current;
	assert(before == (replaced ? replaced->set : NULL));
	(void)before;
	*current = next;
	if (!replaced)
		return;
	if (next->is_changed)
		served_set_leave(replaced, next);
	reclaim_retire(p->reclaim, &replaced->retired);
}

void
publish_withdraw(struct zone *zone, const struct served *current)
{
	atomic_store_explicit(&zone->state, ZONE_EXPIRED, memory_order_relaxed);
	const struct snapshot *before = zone_publish(zone, NULL);
	assert(!before || before == current->snapshot);
	(void)before;
}

void
publish_again(struct zone *zone, const struct served *current)
{
	const struct snapshot *before = zone_publish(zone, current->snapshot);
	assert(!before);
	(void)before;
	atomic_store_explicit(&zone->state, 0, memory_order_relaxed);
}

void
served_hold(struct served *s)
{
	reclaim_hold(&s->retired);
}

void
served_release(struct publisher *p, struct served *s)
{
	reclaim_release(p->reclaim, &s->retired);
}
