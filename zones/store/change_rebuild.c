/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Changes: the whole zone through a builder, where a change turns the way in which it denies existence. See
 * change.h.
 */
#include <errno.h>

#include "zones/base/alloc.h"
#include "zones/store/change_private.h"
#include "zones/wire/rdata.h"

struct rebuild {
	struct zone_change *c;
	struct zone_builder *builder;
	uint8_t rdata[RDATA_MAX_LEN];
};

static int
feed_set(struct rebuild *r, const struct name *owner, const struct rrset *set)
{
	struct rrset_iter it;
	int len, err = 0;
	if (set == NULL)
		return 0;
	rrset_iter_init(&it, set, owner->bytes);
	while (err == 0 && (len = rrset_iter_next(&it, r->rdata)) >= 0)
		err = zone_builder_add(r->builder, owner, set->type, rrset_ttl(set), r->rdata, (uint16_t)len, NULL);
	return err;
}

/* Is this name's data in an edit? */
static bool
is_edited(const struct rebuild *r, uint64_t hash, const uint8_t *owner, unsigned len)
{
	const struct change_edit *e = change_find(r->c, hash, owner, len);
	return e != NULL && e->is_open;
}

static int
feed_node(const struct names_entry *entry, void *arg)
{
	const struct node *n = (const struct node *)entry;
	struct rebuild *r = arg;
	struct name owner;
	int err = 0;
	if (is_edited(r, entry->hash, node_name(n), entry->name_len))
		return 0;
	name_copy(&owner, node_name(n));
	for (unsigned i = 0; i < node_set_count(n) && node_word_is_set(n->sets[i]) && err == 0; i++)
		err = feed_set(r, &owner, node_set(n->sets[i]));
	return err;
}

static int
feed_nsec3(const void *object, void *arg)
{
	const struct nsec3 *n = object;
	struct rebuild *r = arg;
	const struct name *apex = &r->c->source.apex;
	struct name owner = {.len = (uint8_t)(1 + NSEC3_LABEL_LEN + apex->len)};
	nsec3_label(n->hash, owner.bytes);
	memcpy(owner.bytes + 1 + NSEC3_LABEL_LEN, apex->bytes, apex->len);
	if (is_edited(r, name_hash(owner.bytes), owner.bytes, owner.len))
		return 0;
	int err = feed_set(r, &owner, n->set);
	return err != 0 ? err : feed_set(r, &owner, n->sigs);
}

static int
feed_edit(struct zone_change *c, struct change_edit *e, struct zone_builder *b)
{
	struct log_record *records;
	size_t n;
	struct name owner;
	name_copy(&owner, e->owner);
	int err = change_records(c, e, CHANGE_RECORDS_ALL, &records, &n);
	for (size_t i = 0; i < n && err == 0; i++)
		err = zone_builder_add(b, &owner, records[i].type, records[i].ttl_s, records[i].rdata,
				       records[i].rdlen, NULL);
	return err;
}

int
change_feed_edits(struct zone_change *c, struct zone_builder *b)
{
	int err = 0;
	for (size_t i = 0; i < c->cap && err == 0; i++) {
		if (c->table[i] != NULL && c->table[i]->is_open)
			err = feed_edit(c, c->table[i], b);
	}
	return err;
}

static int
feed_all(struct rebuild *r)
{
	struct zone_change *c = r->c;
	const struct denial_index *d = c->base->denial;
	int err = names_walk(&c->base->names, feed_node, r);
	if (err == 0 && d != NULL && d->kind == DENIAL_BY_NSEC3)
		err = order_each(&d->order, feed_nsec3, r);
	return err == 0 ? change_feed_edits(c, r->builder) : err;
}

int
change_finish_whole(const struct snapshot *base, struct zone_builder *b, struct diag_list *diag,
		    struct snapshot **out, struct snapshot_remains **remains)
{
	struct snapshot_remains *r = zalloc(sizeof(*r), 0);
	if (r == NULL) {
		zone_builder_abort(b);
		return -ENOMEM;
	}
	int err = zone_builder_finish(b, diag, out);
	if (err != 0) {
		zalloc_free(r, sizeof(*r));
		return err;
	}
	*r = (struct snapshot_remains){.base = (struct snapshot *)(uintptr_t)base, .shares_nothing = true};
	r->bytes = snapshot_bytes(base);
	r->new_bytes = snapshot_bytes(*out);
	*remains = r;
	return 0;
}

int
change_rebuild(struct zone_change *c, struct snapshot **out, struct snapshot_remains **remains)
{
	struct rebuild r = {.c = c, .builder = zone_builder_new(&c->source.apex)};
	if (r.builder == NULL)
		return -ENOMEM;
	int err = feed_all(&r);
	if (err == 0)
		return change_finish_whole(c->base, r.builder, c->compile.diag, out, remains);
	zone_builder_abort(r.builder);
	return err;
}
