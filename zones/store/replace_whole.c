/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A whole zone over another: the way out where they have little in common. See replace_private.h. A builder thread.
 */
#include <errno.h>

#include "zones/store/records.h"
#include "zones/store/replace_private.h"

struct turn {
	struct zone_replace *r;
	struct zone_builder *builder;
};

/* Gives on what has come of a name that has no edit: all, or the records whose numbers are in the mask. */
static int
feed_name(struct turn *t, const uint8_t *owner_octets, struct name_sets sets, bool all, uint16_t mask)
{
	const struct rrset *set;
	struct name owner;
	unsigned i = 0;
	int err = 0;
	name_copy(&owner, owner_octets);
	while (err == 0 && (set = name_sets_next(&sets)) != NULL) {
		struct rrset_iter it;
		int len;
		rrset_iter_init(&it, set, owner.bytes);
		for (; err == 0 && (len = rrset_iter_next(&it, t->r->rdata)) >= 0; i++) {
			if (all || (i < REPLACE_MARKED_MAX && (mask >> i & 1)))
				err = zone_builder_add(t->builder, &owner, set->type, rrset_ttl(set), t->r->rdata,
						       (uint16_t)len, NULL);
		}
	}
	return err;
}

static int
feed_nodes(struct turn *t)
{
	const struct zone_replace *r = t->r;
	struct names_cursor c;
	const struct names_entry *entry;
	int err = 0;
	names_cursor_begin(&c, &r->base->names);
	while (err == 0 && (entry = names_cursor_next(&c)) != NULL) {
		struct name_sets sets = {.node = (const struct node *)entry};
		enum replace_state state = replace_place_state(r, names_cursor_place(&c));
		if (state == REPLACE_ALL || state == REPLACE_PART)
			err = feed_name(t, names_entry_name(entry), sets, state == REPLACE_ALL,
					marks_get(&r->marks, entry));
	}
	return err;
}

static int
feed_nsec3(const void *object, void *arg)
{
	struct turn *t = arg;
	struct name_sets sets = {.nsec3 = object};
	uint8_t owner[NSEC3_OWNER_MAX];
	uint16_t mask = marks_get(&t->r->marks, object);
	if (mask == 0)
		return 0;
	nsec3_owner(object, node_name(t->r->base->apex), owner);
	return feed_name(t, owner, sets, false, mask);
}

int
replace_turn_whole(struct zone_replace *r)
{
	const struct denial_index *d = r->base->denial;
	struct turn t = {.r = r, .builder = zone_builder_new(&r->change->source.apex)};
	if (t.builder == NULL)
		return -ENOMEM;
	int err = feed_nodes(&t);
	if (err == 0 && d != NULL && d->kind == DENIAL_BY_NSEC3)
		err = order_each(&d->order, feed_nsec3, &t);
	if (err == 0)
		err = change_feed_edits(r->change, t.builder);
	if (err != 0) {
		zone_builder_abort(t.builder);
		return err;
	}
	r->builder = t.builder;
	replace_end_edits(r);
	return 0;
}

int
replace_finish_whole(struct zone_replace *r, struct snapshot **out, struct snapshot_remains **remains)
{
	struct zone_builder *b = r->builder;
	r->builder = NULL;
	return change_finish_whole(r->base, b, r->diag, out, remains);
}
