/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Catalog zones, read. See catalog.h.
 *
 * The members are a names table by member name; an update is a transaction on it. Which member nodes to look at
 * comes from the difference of the snapshots, or from a walk over all names. Old members under touched labels are
 * taken out first, then the new ones are put in, so that a name that moves from one label to another is no
 * duplicate. A member that has not changed keeps its object.
 */
#include "control/zone/catalog.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "zones/base/alloc.h"
#include "zones/base/bytes.h"
#include "zones/store/diff.h"
#include "zones/store/rrset.h"
#include "zones/wire/rdata.h"

#define ZONES_LABEL "\5zones"
#define LABEL_LEN_ZONES 6

/* A label, with its length octet, of a member node that is to be looked at. */
struct touched {
	uint8_t label[1 + LABEL_MAX_LEN];
};

struct reading {
	const struct catalog_members *members;
	const struct snapshot *next;
	struct catalog_update *update;
	struct diag_list *diag;
	uint8_t zones[LABEL_LEN_ZONES + NAME_MAX_LEN]; /* zones.CATALOG */
	unsigned zones_len;
	struct touched *touched;
	size_t n_touched, touched_cap;
	uint8_t rdata[RDATA_MAX_LEN];
};

static bool
pattern_admits(const struct name *pattern, const uint8_t *name)
{
	if (pattern->bytes[0] != 1 || pattern->bytes[1] != '*')
		return name_equal(pattern->bytes, name);
	const uint8_t *rest = pattern->bytes + 2;
	return name_is_under(name, rest) && !name_equal(name, rest);
}

bool
catalog_admits(const struct name *patterns, unsigned n, const uint8_t *name)
{
	bool good = n == 0;
	for (unsigned i = 0; i < n && !good; i++)
		good = pattern_admits(&patterns[i], name);
	return good;
}

/* -------- members -------- */

bool
catalog_member_has_id_of(const struct catalog_member *m, const struct catalog_member *other)
{
	const uint8_t *a = catalog_member_id(m), *b = catalog_member_id(other);
	return a[0] == b[0] && memcmp(a, b, 1u + a[0]) == 0;
}

const uint8_t *
catalog_member_groups(const struct catalog_member *m, size_t *len)
{
	*len = m->size - m->groups_off;
	return (const uint8_t *)m + m->groups_off;
}

const char *
catalog_member_group(const struct catalog_member *m, unsigned i, size_t *len)
{
	assert(i < m->n_groups);
	const uint8_t *p = (const uint8_t *)m + m->groups_off;
	while (i-- > 0)
		p += 2 + load_be16(p);
	*len = load_be16(p);
	return (const char *)p + 2;
}

/* What has the same octets behind the owner's pointer is the same. */
static bool
member_is_same(const struct catalog_member *a, const struct catalog_member *b)
{
	size_t from = offsetof(struct catalog_member, size);
	return a->entry.hash == b->entry.hash && a->size == b->size &&
	       memcmp((const uint8_t *)a + from, (const uint8_t *)b + from, a->size - from) == 0;
}

static void
member_free(const struct catalog_member *m)
{
	if (m)
		zalloc_free((void *)(uintptr_t)m, m->size);
}

static struct catalog_member *
member_new(const struct catalog_members *members, const struct catalog_member_parts *parts)
{
	size_t name_off = sizeof(struct catalog_member), id_off = name_off + parts->name->len;
	size_t coo_off = id_off + 1 + parts->id[0];
	size_t groups_off = coo_off + (parts->coo ? parts->coo->len : 0), size = groups_off + parts->groups_len;
	struct catalog_member *m = zalloc(size, 0);
	if (!m)
		return NULL;
	uint8_t *at = (uint8_t *)m;
	name_lower(at + name_off, parts->name->bytes, parts->name->len);
	name_lower(at + id_off, parts->id, 1u + parts->id[0]);
	if (parts->coo)
		name_lower(at + coo_off, parts->coo->bytes, parts->coo->len);
	if (parts->groups_len > 0)
		memcpy(at + groups_off, parts->groups, parts->groups_len);
	*m = (struct catalog_member){
		.entry = {.hash = name_hash(at + name_off),
			  .name_off = (uint16_t)name_off,
			  .name_len = parts->name->len},
		.members = members,
		.size = (uint32_t)size,
		.coo_off = parts->coo ? (uint32_t)coo_off : 0,
		.groups_off = (uint32_t)groups_off,
		.n_groups = (uint16_t)parts->n_groups,
		.id_off = (uint16_t)id_off,
	};
	return m;
}

static const struct catalog_member *
member_in(const struct names *names, const struct catalog_member *m)
{
	return (const struct catalog_member *)names_find(names, m->entry.hash, catalog_member_name(m),
							 m->entry.name_len);
}

static const struct catalog_member *
member_in_txn(const struct names_txn *txn, const struct catalog_member *m)
{
	return (const struct catalog_member *)names_txn_find(txn, m->entry.hash, catalog_member_name(m),
							     m->entry.name_len);
}

void
catalog_members_init(struct catalog_members *m, const struct name *apex)
{
	*m = (struct catalog_members){.apex = *apex};
}

static int
visit_free(const struct names_entry *e, void *arg)
{
	member_free((const struct catalog_member *)e);
	return 0;
}

void
catalog_members_clear(struct catalog_members *m)
{
	names_walk(&m->names, visit_free, NULL);
	names_free(&m->names);
	m->names = (struct names){0};
	m->has_serial = false;
}

const struct catalog_member *
catalog_members_find(const struct catalog_members *m, const uint8_t *name)
{
	return (const struct catalog_member *)names_find(&m->names, name_hash(name), name, name_len(name));
}

/* -------- reading one member -------- */

PRINTF_LIKE(2, 3)
static int
broken(struct reading *r, const char *fmt, ...)
{
	char apex[NAME_TEXT_MAX], text[3 * NAME_TEXT_MAX];
	name_to_text(r->members->apex.bytes, apex);
	va_list args;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	diag_add(r->diag, DIAG_ERROR, NULL, 0, 0, "catalog %s is broken: %s", apex, text);
	return -EBADMSG;
}

static int
broken_at(struct reading *r, const struct node *node, const char *what)
{
	char owner[NAME_TEXT_MAX];
	name_to_text(node_name(node), owner);
	return broken(r, "%s %s", owner, what);
}

/* The node LABEL.parent, or NULL. */
static const struct node *
child_of(const struct snapshot *s, uint64_t parent_hash, const uint8_t *parent, unsigned parent_len,
	 const char *label)
{
	uint8_t name[2 * NAME_MAX_LEN];
	unsigned len = 1u + (uint8_t)label[0];
	if (len + parent_len > NAME_MAX_LEN)
		return NULL;
	memcpy(name, label, len);
	memcpy(name + len, parent, parent_len);
	return (const struct node *)names_find(&s->names, name_hash_label(parent_hash, name), name,
					       len + parent_len);
}

static const struct rrset *
property_of(const struct snapshot *s, const struct node *member, const char *label, uint16_t type,
	    const struct node **at)
{
	*at = child_of(s, member->entry.hash, node_name(member), member->entry.name_len, label);
	return *at ? node_find(*at, type).set : NULL;
}

/* The one name that a PTR set has. */
static int
read_pointer(struct reading *r, const struct node *node, const struct rrset *set, struct name *out)
{
	if (set->n_rr != 1)
		return broken_at(r, node, "has more than one PTR record");
	struct rrset_iter it;
	rrset_iter_init(&it, set, node_name(node));
	if (rrset_iter_next(&it, r->rdata) < 0)
		return broken_at(r, node, "has no PTR record");
	name_copy(out, r->rdata);
	return 0;
}

/* Writes the groups of a TXT set one after the other, each with its length; returns how long they are in all. */
static size_t
read_groups(struct reading *r, const struct node *node, const struct rrset *set, uint8_t *out)
{
	struct rrset_iter it;
	int len;
	size_t n = 0;
	rrset_iter_init(&it, set, node_name(node));
	while ((len = rrset_iter_next(&it, r->rdata)) >= 0) {
		uint8_t *head = out + n;
		n += 2;
		for (int at = 0; at < len; at += 1 + r->rdata[at]) {
			memcpy(out + n, r->rdata + at + 1, r->rdata[at]);
			n += r->rdata[at];
		}
		store_be16(head, (uint16_t)(out + n - head - 2));
	}
	return n;
}

/* Reads the member at a node; *out is NULL where it is no member node. */
static int
read_member(struct reading *r, const struct node *node, struct catalog_member **out)
{
	const struct node *at;
	struct name zone, coo;
	struct catalog_member_parts parts = {.name = &zone, .id = node_name(node)};
	const struct rrset *pointer = node_find(node, RRTYPE_PTR).set;
	*out = NULL;
	if (!pointer)
		return 0;
	int err = read_pointer(r, node, pointer, &zone);
	const struct rrset *set = property_of(r->next, node, "\3coo", RRTYPE_PTR, &at);
	if (err == 0 && set) {
		parts.coo = &coo;
		err = read_pointer(r, at, set, &coo);
	}
	if (err != 0)
		return err;
	uint8_t *groups = NULL;
	set = property_of(r->next, node, "\5group", RRTYPE_TXT, &at);
	if (set) {
		/* The heads of records on the wire are longer than a group's two octets. */
		groups = malloc(set->wire_len);
		if (!groups)
			return -ENOMEM;
		parts.groups = groups;
		parts.groups_len = read_groups(r, at, set, groups);
		parts.n_groups = set->n_rr;
	}
	*out = member_new(r->members, &parts);
	free(groups);
	return *out ? 0 : -ENOMEM;
}

/* -------- collecting changes -------- */

static int
note_change(struct catalog_update *u, const struct catalog_member *old, const struct catalog_member *new)
{
	if (u->n == u->cap) {
		size_t cap = u->cap ? 2 * u->cap : 16;
		struct catalog_change *bigger = realloc(u->changes, cap * sizeof(*bigger));
		if (!bigger)
			return -ENOMEM;
		u->changes = bigger;
		u->cap = cap;
	}
	u->changes[u->n++] = (struct catalog_change){.old = old, .new = new};
	return 0;
}

static int
broken_twice(struct reading *r, const struct catalog_member *a, const struct catalog_member *b)
{
	char name[NAME_TEXT_MAX];
	name_to_text(catalog_member_name(a), name);
	const uint8_t *x = catalog_member_id(a), *y = catalog_member_id(b);
	if (memcmp(x, y, 1u + x[0]) > 0) { /* the walk's order is not the reader's */
		const uint8_t *z = x;
		x = y;
		y = z;
	}
	uint8_t label[1 + LABEL_MAX_LEN + 1];
	char first[NAME_TEXT_MAX], second[NAME_TEXT_MAX];
	memcpy(label, x, 1u + x[0]);
	label[1 + x[0]] = 0;
	first[name_to_text(label, first) - 1] = '\0';
	memcpy(label, y, 1u + y[0]);
	label[1 + y[0]] = 0;
	second[name_to_text(label, second) - 1] = '\0';
	return broken(r, "%s is a member twice, as %s and %s", name, first, second);
}

/* Puts a member of the next version in, or the old object where nothing has changed. Takes `m` over. */
static int
put_member(struct reading *r, struct catalog_member *m)
{
	struct catalog_update *u = r->update;
	const struct catalog_member *twin = member_in_txn(u->txn, m), *old = member_in(&r->members->names, m);
	if (twin) {
		int err = broken_twice(r, twin, m);
		member_free(m);
		return err;
	}
	bool is_same = old && member_is_same(old, m);
	int err = names_txn_put(u->txn, is_same ? &old->entry : &m->entry, NULL);
	if (err == 0 && !is_same)
		err = note_change(u, old, m);
	if (err != 0 || is_same)
		member_free(m); /* the transaction may still point to it, and is aborted */
	return err;
}

static int
take_node(struct reading *r, const struct node *node)
{
	struct catalog_member *m;
	int err = read_member(r, node, &m);
	return err == 0 && m ? put_member(r, m) : err;
}

/* -------- the whole catalog -------- */

/* Is this name ID.zones.CATALOG? */
static bool
is_member_node(const struct reading *r, const uint8_t *name, unsigned len)
{
	return len == 1u + name[0] + r->zones_len && memcmp(name + 1 + name[0], r->zones, r->zones_len) == 0;
}

static int
visit_node(const struct names_entry *e, void *arg)
{
	struct reading *r = arg;
	if (!is_member_node(r, names_entry_name(e), e->name_len))
		return 0;
	return take_node(r, (const struct node *)e);
}

static int
visit_removed(const struct names_entry *e, void *arg)
{
	struct reading *r = arg;
	const struct catalog_member *old = (const struct catalog_member *)e;
	return member_in_txn(r->update->txn, old) ? 0 : note_change(r->update, old, NULL);
}

static int
read_whole(struct reading *r)
{
	static const struct names none;
	r->update->is_whole = true;
	r->update->txn = names_txn_begin(&none, r->next->names.count);
	if (!r->update->txn)
		return -ENOMEM;
	int err = names_walk(&r->next->names, visit_node, r);
	return err != 0 ? err : names_walk(&r->members->names, visit_removed, r);
}

/* -------- the difference -------- */

static int
note_touched(struct reading *r, const uint8_t *label)
{
	if (r->n_touched > 0 && memcmp(r->touched[r->n_touched - 1].label, label, 1u + label[0]) == 0)
		return 0;
	if (r->n_touched == r->touched_cap) {
		size_t cap = r->touched_cap ? 2 * r->touched_cap : 16;
		struct touched *bigger = realloc(r->touched, cap * sizeof(*bigger));
		if (!bigger)
			return -ENOMEM;
		r->touched = bigger;
		r->touched_cap = cap;
	}
	memset(&r->touched[r->n_touched], 0, sizeof(*r->touched));
	memcpy(r->touched[r->n_touched++].label, label, 1u + label[0]);
	return 0;
}

/* Notes the member node that a record stands at or below. */
static int
visit_difference(const struct diff_record *d, void *arg)
{
	struct reading *r = arg;
	if (d->type != RRTYPE_PTR && d->type != RRTYPE_TXT)
		return 0;
	unsigned len = name_len(d->owner);
	const uint8_t *label = d->owner;
	while (len > 1u + label[0] + r->zones_len) {
		len -= 1u + label[0];
		label += 1 + label[0];
	}
	return is_member_node(r, label, len) ? note_touched(r, label) : 0;
}

static int
compare_touched(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct touched));
}

static void
sort_touched(struct reading *r)
{
	size_t n = 0;
	if (r->n_touched > 0)
		qsort(r->touched, r->n_touched, sizeof(*r->touched), compare_touched);
	for (size_t i = 0; i < r->n_touched; i++) {
		if (n == 0 || compare_touched(&r->touched[n - 1], &r->touched[i]) != 0)
			r->touched[n++] = r->touched[i];
	}
	r->n_touched = n;
}

static const struct node *
touched_node(const struct reading *r, const struct snapshot *s, const struct touched *t)
{
	return child_of(s, name_hash(r->zones), r->zones, r->zones_len, (const char *)t->label);
}

/* The member zone that the base has under a label: 1 with its name in lower case, 0 if there is none, -errno. */
static int
old_zone(struct reading *r, const struct snapshot *base, const struct touched *t, struct name *zone)
{
	const struct node *node = touched_node(r, base, t);
	const struct rrset *set = node ? node_find(node, RRTYPE_PTR).set : NULL;
	if (!set)
		return 0;
	int err = read_pointer(r, node, set, zone);
	if (err != 0)
		return err;
	name_lower(zone->bytes, zone->bytes, zone->len);
	return 1;
}

/* Takes the old member under a label out; what is not put back later was removed. */
static int
take_out(struct reading *r, const struct snapshot *base, const struct touched *t)
{
	struct name zone;
	int rc = old_zone(r, base, t, &zone);
	if (rc <= 0)
		return rc;
	return names_txn_remove(r->update->txn, name_hash(zone.bytes), zone.bytes, zone.len, NULL);
}

/* Every old member under a touched label whose name is no member any more. */
static int
note_removed(struct reading *r, const struct snapshot *base, const struct touched *t)
{
	struct name zone;
	int rc = old_zone(r, base, t, &zone);
	if (rc <= 0)
		return rc;
	const struct catalog_member *old = catalog_members_find(r->members, zone.bytes);
	return old && !member_in_txn(r->update->txn, old) ? note_change(r->update, old, NULL) : 0;
}

static int
read_difference(struct reading *r, const struct snapshot *base)
{
	r->update->txn = names_txn_begin(&r->members->names, 0);
	if (!r->update->txn)
		return -ENOMEM;
	int err = snapshot_diff(base, r->next, visit_difference, r);
	sort_touched(r);
	for (size_t i = 0; i < r->n_touched && err == 0; i++)
		err = take_out(r, base, &r->touched[i]);
	for (size_t i = 0; i < r->n_touched && err == 0; i++) {
		const struct node *node = touched_node(r, r->next, &r->touched[i]);
		err = node ? take_node(r, node) : 0;
	}
	for (size_t i = 0; i < r->n_touched && err == 0; i++)
		err = note_removed(r, base, &r->touched[i]);
	return err;
}

/* -------- updates -------- */

static int
check_version(struct reading *r)
{
	const uint8_t *apex = r->members->apex.bytes;
	const struct node *node = child_of(r->next, name_hash(apex), apex, r->members->apex.len, "\7version");
	const struct rrset *set = node ? node_find(node, RRTYPE_TXT).set : NULL;
	struct rrset_iter it;
	if (!set)
		return broken(r, "it has no version");
	if (set->n_rr != 1)
		return broken(r, "it has more than one version");
	rrset_iter_init(&it, set, node_name(node));
	int len = rrset_iter_next(&it, r->rdata);
	if (len == 2 && r->rdata[0] == 1 && r->rdata[1] == '2')
		return 0;
	char text[256];
	if (len < 0 || rdata_to_text(RRTYPE_TXT, r->rdata, (size_t)len, text, sizeof(text)) < 0)
		snprintf(text, sizeof(text), "(long)");
	return broken(r, "its version is %s, not \"2\"", text);
}

int
catalog_update_make(const struct catalog_members *m, const struct snapshot *base, const struct snapshot *next,
		    struct catalog_update *out, struct diag_list *diag)
{
	struct catalog_update update = {.serial = next->serial, .has_serial = true};
	struct reading *r = calloc(1, sizeof(*r));
	if (!r)
		return -ENOMEM;
	r->members = m;
	r->next = next;
	r->update = &update;
	r->diag = diag;
	memcpy(r->zones, ZONES_LABEL, LABEL_LEN_ZONES);
	memcpy(r->zones + LABEL_LEN_ZONES, m->apex.bytes, m->apex.len);
	r->zones_len = LABEL_LEN_ZONES + m->apex.len;
	int err = check_version(r);
	if (err == 0 && base && m->has_serial && m->serial == base->serial)
		err = read_difference(r, base);
	else if (err == 0)
		err = read_whole(r);
	free(r->touched);
	free(r);
	if (err != 0)
		catalog_update_abort(&update);
	else
		*out = update;
	return err;
}

int
catalog_update_restore(const struct catalog_members *m, const struct catalog_member_parts *parts,
		       struct catalog_update *out)
{
	struct catalog_update update = {.txn = names_txn_begin(&m->names, 0)};
	struct catalog_member *member = member_new(m, parts);
	int err = !update.txn || !member ? -ENOMEM : member_in(&m->names, member) ? -EEXIST : 0;
	if (err == 0)
		err = names_txn_put(update.txn, &member->entry, NULL);
	if (err == 0)
		err = note_change(&update, NULL, member);
	if (err != 0) {
		member_free(member);
		catalog_update_abort(&update);
		return err;
	}
	*out = update;
	return 0;
}

void
catalog_update_apply(struct catalog_members *m, struct catalog_update *u)
{
	struct names before = m->names;
	struct garbage garbage = {0};
	names_txn_commit(u->txn, &m->names, &garbage);
	garbage_free(&garbage); /* nobody else reads it */
	if (u->is_whole)
		names_free(&before);
	u->txn = NULL;
	m->serial = u->serial;
	m->has_serial = u->has_serial;
}

bool
catalog_update_end(struct catalog_update *u, size_t n)
{
	for (; u->n_freed < u->n && n > 0; n--)
		member_free(u->changes[u->n_freed++].old);
	if (u->n_freed < u->n)
		return false;
	free(u->changes);
	*u = (struct catalog_update){0};
	return true;
}

void
catalog_update_commit(struct catalog_members *m, struct catalog_update *u)
{
	catalog_update_apply(m, u);
	(void)!catalog_update_end(u, SIZE_MAX);
}

void
catalog_update_abort(struct catalog_update *u)
{
	if (u->txn)
		names_txn_abort(u->txn);
	for (size_t i = 0; i < u->n; i++)
		member_free(u->changes[i].new);
	free(u->changes);
	*u = (struct catalog_update){0};
}
