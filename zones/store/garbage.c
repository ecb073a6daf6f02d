/* SPDX-License-Identifier: Apache-2.0 */
/* What transactions replaced. See garbage.h. */
#include "zones/store/garbage.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "zones/base/alloc.h"

int
garbage_reserve(struct garbage *g, size_t more)
{
	if (g->n + more <= g->cap)
		return 0;
	size_t cap = 2 * g->cap > g->n + more ? 2 * g->cap : g->n + more + 7;
	struct garbage_item *items = zalloc(cap * sizeof(*items), 0);
	if (items == NULL)
		return -ENOMEM;
	if (g->n > 0)
		memcpy(items, g->items, g->n * sizeof(*items));
	zalloc_free(g->items, g->cap * sizeof(*items));
	g->items = items;
	g->cap = cap;
	return 0;
}

void
garbage_add(struct garbage *g, void *p, size_t size)
{
	assert(g->n < g->cap);
	g->items[g->n++] = (struct garbage_item){p, size};
}

void
garbage_drop(struct garbage *g)
{
	zalloc_free(g->items, g->cap * sizeof(*g->items));
	*g = (struct garbage){0};
}

void
garbage_free(struct garbage *g)
{
	for (size_t i = 0; i < g->n; i++)
		zalloc_free(g->items[i].p, g->items[i].size);
	garbage_drop(g);
}
