/* SPDX-License-Identifier: Apache-2.0 */
/* A zone's names in canonical order. See collation.h. Builder threads. */
#include "zones/store/collation.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "zones/base/alloc.h"

struct collector {
	struct collation *out;
	const uint8_t *apex;
	size_t n_owners;
};

static unsigned
owner_len(const struct collation *c)
{
	return 1u + NSEC3_LABEL_LEN + c->snapshot->apex_len;
}

static void
add_name(struct collation *c, struct collation_name name)
{
	name.prefix = denial_name_prefix(name.name, c->snapshot->apex_labels);
	c->names[c->n++] = name;
}

static int
collect_node(const struct names_entry *e, void *arg)
{
	add_name(((struct collector *)arg)->out,
		 (struct collation_name){.name = names_entry_name(e), .node = (const struct node *)e});
	return 0;
}

static int
collect_nsec3(const void *object, void *arg)
{
	struct collector *collector = arg;
	struct collation *c = collector->out;
	const struct nsec3 *n = object;
	uint8_t *owner = c->owners + owner_len(c) * collector->n_owners++;
	nsec3_label(n->hash, owner);
	memcpy(owner + 1 + NSEC3_LABEL_LEN, collector->apex, c->snapshot->apex_len);
	add_name(c, (struct collation_name){.name = owner, .nsec3 = n});
	return 0;
}

static int
compare_names(const void *a, const void *b)
{
	const struct collation_name *x = a, *y = b;
	if (x->prefix != y->prefix)
		return x->prefix < y->prefix ? -1 : 1;
	return name_compare(x->name, y->name);
}

static size_t
count_nsec3(const struct snapshot *s)
{
	return s->denial != NULL && s->denial->kind == DENIAL_BY_NSEC3 ? s->denial->order.count : 0;
}

void
collation_free(struct collation *c)
{
	zalloc_free(c->names, c->cap * sizeof(c->names[0]));
	zalloc_free(c->owners, count_nsec3(c->snapshot) * owner_len(c));
}

int
collation_make(const struct snapshot *s, const uint8_t *apex, struct collation *out)
{
	size_t n_nsec3 = count_nsec3(s);
	struct collation c = {.snapshot = s, .cap = s->names.count + n_nsec3};
	c.names = zalloc(c.cap * sizeof(c.names[0]), 0);
	c.owners = n_nsec3 != 0 ? zalloc(n_nsec3 * owner_len(&c), 0) : NULL;
	if (c.names == NULL || (n_nsec3 != 0 && c.owners == NULL)) {
		collation_free(&c);
		return -ENOMEM;
	}
	struct collector collector = {.out = &c, .apex = apex};
	names_walk(&s->names, collect_node, &collector);
	if (n_nsec3 != 0)
		order_each(&s->denial->order, collect_nsec3, &collector);
	qsort(c.names, c.n, sizeof(c.names[0]), compare_names);
	*out = c;
	return 0;
}
