/* SPDX-License-Identifier: Apache-2.0 */
/* What is due when. See due.h. */
#include "control/zone/due.h"

#include <errno.h>
#include <stdlib.h>

static void
put(struct due *d, size_t i, struct due_entry *e)
{
	d->entries[i] = e;
	e->place = i + 1;
}

static void
sift_up(struct due *d, size_t i)
{
	struct due_entry *e = d->entries[i];
	for (; i > 0 && e->at_ms < d->entries[(i - 1) / 2]->at_ms; i = (i - 1) / 2)
		put(d, i, d->entries[(i - 1) / 2]);
	put(d, i, e);
}

static void
sift_down(struct due *d, size_t i)
{
	struct due_entry *e = d->entries[i];
	for (size_t child; (child = 2 * i + 1) < d->n; i = child) {
		if (child + 1 < d->n && d->entries[child + 1]->at_ms < d->entries[child]->at_ms)
			child++;
		if (e->at_ms <= d->entries[child]->at_ms)
			break;
		put(d, i, d->entries[child]);
	}
	put(d, i, e);
}

int
due_join(struct due *d)
{
	if (d->members == d->cap) {
		size_t cap = d->cap ? 2 * d->cap : 16;
		struct due_entry **entries = realloc(d->entries, cap * sizeof(struct due_entry *));
		if (!entries)
			return -ENOMEM;
		d->entries = entries;
		d->cap = cap;
	}
	d->members++;
	return 0;
}

void
due_leave(struct due *d, struct due_entry *e)
{
	due_remove(d, e);
	d->members--;
}

void
due_set(struct due *d, struct due_entry *e, uint64_t at_ms)
{
	e->at_ms = at_ms;
	if (!e->place)
		put(d, d->n++, e);
	sift_up(d, e->place - 1);
	sift_down(d, e->place - 1);
}

void
due_follow(struct due *d, struct due_entry *e)
{
	if (e->place)
		put(d, e->place - 1, e);
}

void
due_remove(struct due *d, struct due_entry *e)
{
	if (!e->place)
		return;
	size_t i = e->place - 1;
	struct due_entry *last = d->entries[--d->n];
	e->place = 0;
	if (last == e)
		return;
	put(d, i, last);
	sift_up(d, i);
	sift_down(d, last->place - 1);
}

void
due_free(struct due *d)
{
	free(d->entries);
	*d = (struct due){0};
}
