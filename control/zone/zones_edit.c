/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Single zones that come and go without a new configuration: members of catalogs. See zones.h.
 *
 * An edit is collected and then committed at once, at a cost that follows the number of zones in it. Control
 * thread.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/zone/zones_private.h"

struct zones_edit {
	struct zones *zones;
	struct zones_op *op; /* waits for what is added; NULL: none */
	struct zone_item **added, **removed;
	size_t n_added, cap_added, n_removed, cap_removed;
};

struct zones_edit *
zones_edit_begin(struct zones *z)
{
	struct zones_edit *edit = calloc(1, sizeof(*edit));
	if (edit)
		edit->zones = z;
	return edit;
}

static int
list_append(struct zone_item ***list, size_t *n, size_t *cap, struct zone_item *item)
{
	if (*n == *cap) {
		size_t more = *cap ? 2 * *cap : 16;
		struct zone_item **bigger = realloc(*list, more * sizeof(struct zone_item *));
		if (!bigger)
			return -ENOMEM;
		*list = bigger;
		*cap = more;
	}
	(*list)[(*n)++] = item;
	return 0;
}

int
zones_edit_add(struct zones_edit *edit, const struct name *apex, const struct config_zone *config)
{
	if (zones_find(edit->zones, apex))
		return -EEXIST;
	struct zone_item *item = zone_item_new(apex);
	if (!item)
		return -ENOMEM;
	item->config = config;
	item->is_member = true;
	if (list_append(&edit->added, &edit->n_added, &edit->cap_added, item) == 0)
		return 0;
	zone_item_free(item);
	return -ENOMEM;
}

void
zones_edit_join(struct zones_edit *edit, struct zones_op *op)
{
	edit->op = op;
}

int
zones_edit_remove(struct zones_edit *edit, struct zone_item *item)
{
	return list_append(&edit->removed, &edit->n_removed, &edit->cap_removed, item);
}

static void
edit_free(struct zones_edit *edit)
{
	free(edit->added);
	free(edit->removed);
	free(edit);
}

void
zones_edit_abort(struct zones_edit *edit)
{
	if (!edit)
		return;
	for (size_t i = 0; i < edit->n_added; i++)
		zone_item_free(edit->added[i]);
	edit_free(edit);
}

/* -------- commit: what may fail -------- */

static struct zone **
slots_of(struct zone_item *const *items, size_t n)
{
	struct zone **slots = malloc((n + 1) * sizeof(struct zone *));
	for (size_t i = 0; slots && i < n; i++)
		slots[i] = items[i]->slot;
	return slots;
}

static int
edit_set(const struct zones_edit *edit, struct served_set **out)
{
	struct zone **add = slots_of(edit->added, edit->n_added),
		    **remove = slots_of(edit->removed, edit->n_removed);
	int err = -ENOMEM;
	if (add && remove)
		err = served_set_new_changed(edit->zones->set, add, edit->n_added, remove, edit->n_removed, out);
	free(add);
	free(remove);
	return err;
}

static int
reserve_items(struct zones *z, size_t n)
{
	if (n <= z->cap_items)
		return 0;
	size_t cap = n > 2 * z->cap_items ? n : 2 * z->cap_items;
	struct zone_item **items = realloc(z->items, cap * sizeof(struct zone_item *));
	if (!items)
		return -ENOMEM;
	z->items = items;
	z->cap_items = cap;
	return 0;
}

/* -------- commit: what cannot fail -------- */

static void
take_out(struct zones *z, struct zone_item *item)
{
	struct zone_item *last = z->items[--z->n_items];
	assert(item->index >= z->n_own);
	z->items[item->index] = last;
	last->index = item->index;
	zone_item_retire(z, item);
}

static void
put_in(struct zones *z, struct zone_item *item, struct zones_op *op)
{
	item->generation = (uint8_t)z->generation;
	item->index = (uint32_t)z->n_items;
	z->items[z->n_items++] = item;
	z->states[item->state]++;
	zone_queue_append(z, item);
	if (op)
		zone_wait_join(op, item);
	zone_item_update(z, item);
}

int
zones_edit_commit(struct zones_edit *edit)
{
	struct zones *z = edit->zones;
	struct served_set *set;
	if (!edit->n_added && !edit->n_removed) {
		edit_free(edit);
		return 0;
	}
	int err = z->edits_are_held ? -EBUSY : reserve_items(z, z->n_items + edit->n_added);
	if (!err)
		err = edit_set(edit, &set);
	if (err)
		return err;
	publish_set(z->options.publisher, z->options.root, &z->set, set);
	for (size_t i = 0; i < edit->n_removed; i++)
		take_out(z, edit->removed[i]);
	for (size_t i = 0; i < edit->n_added; i++)
		put_in(z, edit->added[i], edit->op);
	edit_free(edit);
	zones_pump(z);
	return 0;
}

void
zones_hold_edits(struct zones *z, bool held)
{
	z->edits_are_held = held;
}

void
zone_item_set_config(struct zones *z, struct zone_item *item, const struct config_zone *config)
{
	item->config = config;
	if (z->options.configured)
		z->options.configured(z->options.arg, item);
	zone_item_update(z, item);
}

bool
zone_item_is_member(const struct zone_item *item)
{
	return item->is_member;
}
